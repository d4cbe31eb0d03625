/* avail/chain.h -- continuous-time Markov chains: steady state, state probabilities at a time, mean
 * time to reach a set of states, how often it is entered (IEC 61165).
 *
 * Nothing here subtracts one probability from another where it can be helped: steady states of few
 * states come from elimination after Grassmann, Taksar and Heyman, whose error does not depend on
 * how stiff the rates are (O'Cinneide, Numer. Math. 65, 1993); of many, from sweeps that are
 * repeated until they change nothing; and where those do not settle soon, from the same elimination
 * in sparse rows, unless too many moves come of it.  Any way the bound of the error is computed and
 * not hoped for.
 *
 * Threads: one a chain.  Memory: from the struct avail_memory of avail_chain_init; vectors are the
 * caller's, of state_count doubles. */
#ifndef AVAIL_CHAIN_H
#define AVAIL_CHAIN_H

#include "avail/memory.h"

enum {
	AVAIL_CHAIN_DENSE = 400, /* states up to which elimination and squaring are used at once */
	AVAIL_CHAIN_SPARSE = 30000, /* states up to which elimination in sparse rows is tried */
};

struct avail_move {
	uint32_t from, to;
	double rate; /* an hour */
};

/* How steady states of more than AVAIL_CHAIN_DENSE states are come by. */
enum avail_chain_way {
	AVAIL_CHAIN_ANY_WAY, /* sweeps; elimination when they do not settle soon; patient sweeps */
	AVAIL_CHAIN_ELIMINATE, /* the one or the other only: for tests */
	AVAIL_CHAIN_SWEEP,
};

struct avail_chain {
	struct avail_memory *memory;
	uint32_t state_count;
	struct avail_move
		*moves; /* several between the same two states add up; rates may be changed */
	uint32_t move_count, move_room;
	enum avail_chain_way way;
	/* About the steady state, one a state: where sweeps begin.  Kept by the caller; NULL: not
	 * known. */
	const double *guess;
	/* Asked now and then in long work; false ends it with -EINTR.  NULL: never asked. */
	bool (*go_on)(void *context);
	void *context;
};

/* A chain of 'state_count' (> 0) states without moves. */
void avail_chain_init(struct avail_chain *chain, struct avail_memory *memory, uint32_t state_count);
void avail_chain_fini(struct avail_chain *chain);

/* One move more; 'from' differs from 'to', rate >= 0.  0, or -ENOMEM. */
int avail_chain_add(struct avail_chain *chain, uint32_t from, uint32_t to, double rate);

/* How a result was come by. */
struct avail_chain_work {
	uint32_t sweeps; /* of the iteration; 0: elimination */
	double error;	 /* bound of the relative error of every probability above 1e-250 */
};

/* Probabilities of the states in the long run, having begun in state 0.
 *
 * p      receives them; states that are left for good get 0
 * work   NULL: not wanted
 *
 * Where chance decides between several sets of states that are never left, each has its share.
 *
 * 0; -ENOMEM; -EINTR; -ELOOP when the sweeps did not settle. */
int avail_chain_steady(const struct avail_chain *chain, double *p, struct avail_chain_work *work);

/* Probabilities at time t_h.
 *
 * start  probabilities at time 0, sum 1
 * p      receives them; may be 'start'
 * error  receives a bound of the sum of the absolute errors, rounding apart; NULL: not wanted
 *
 * Uniformisation (Jensen; Fox and Glynn, CACM 31, 1988), and for small chains with many moves in
 * that time squaring of its matrix.  0, -ENOMEM, -EINTR, or -EDQUOT: too large and too stiff, which
 * is states * moves beyond some 1e10. */
int avail_chain_at(const struct avail_chain *chain, const double *start, double t_h, double *p,
		   double *error);

/* Mean time until a state with down[i] != 0 is entered, from 'start' (no mass in down states).
 * INFINITY when it may never be.  0, or as avail_chain_steady. */
int avail_chain_mean_time(const struct avail_chain *chain, const double *start, const uint8_t *down,
			  double *mean_h);

/* How often an hour the set of states with down[i] != 0 is entered when state probabilities are p.
 */
double avail_chain_frequency(const struct avail_chain *chain, const double *p, const uint8_t *down);

/* Makes the states with down[i] != 0 ends: their outgoing moves get rate 0. */
void avail_chain_absorb(struct avail_chain *chain, const uint8_t *down);

#endif
