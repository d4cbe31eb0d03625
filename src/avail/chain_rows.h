/* avail/chain_rows.h -- the moves of a chain sorted by the state they leave or enter; inside
 * avail/.
 *
 * Threads: one.  Memory: from the chain's. */
#ifndef AVAIL_CHAIN_ROWS_H
#define AVAIL_CHAIN_ROWS_H

#include "avail/chain.h"

enum avail_rows_by { AVAIL_ROWS_BY_FROM, AVAIL_ROWS_BY_TO };

struct avail_rows {
	struct avail_memory *memory;
	uint32_t row_count, entry_count;
	uint32_t *first; /* row_count + 1 of them: entries of row i are first[i] .. first[i + 1] - 1
			  */
	uint32_t *other; /* the state at the other end */
	double *rate;	 /* > 0 */
};

/* Sorts the moves with a rate above 0 among the states that 'place' numbers (place[state] < count
 * is its row; AVAIL_ROWS_OUT: left out; NULL: all, each its own).  0, or -ENOMEM. */
#define AVAIL_ROWS_OUT UINT32_MAX
int avail_rows_init(struct avail_rows *rows, const struct avail_chain *chain, enum avail_rows_by by,
		    const uint32_t *place, uint32_t count);
void avail_rows_fini(struct avail_rows *rows);

/* Probabilities below this are near what a double can hold: nothing is said about their error. */
#define AVAIL_ROWS_TINY 1e-250

/* Bound of the relative error of every x[i] as the steady state of an irreducible chain: the
 * imbalance of flows is carried along a spanning tree of large flows, which gives rates nearby for
 * which x is exact, and rates changed by at most a factor of 1 + e change each probability of n
 * states by at most
 * ((1 + e) / (1 - e))^(n - 1) (Markov chain tree theorem; O'Cinneide 1993).
 *
 * in   by TO;  out   total rate out of each state
 * *error receives it.  0, or -ENOMEM. */
int avail_rows_error(const struct avail_rows *in, const double *out, const double *x,
		     double *error);

#endif
