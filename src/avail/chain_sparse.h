/* avail/chain_sparse.h -- the steady state of a large stiff chain by elimination in sparse rows;
 * inside avail/.
 *
 * The same elimination as for small chains (Grassmann, Taksar and Heyman: states are taken out one
 * by one, and no probability is ever subtracted), with the state that is tied to the fewest others
 * taken out first (Markowitz 1957), so that few new moves come of it.
 *
 * Threads: one.  Memory: from the chain's. */
#ifndef AVAIL_CHAIN_SPARSE_H
#define AVAIL_CHAIN_SPARSE_H

#include "avail/chain_rows.h"

/* Moves that may live at once before elimination gives up. */
enum { AVAIL_SPARSE_MOVES = 3000000 };

/* in   the moves of an irreducible chain, BY_TO
 * x    receives a positive multiple of each state's probability
 *
 * 0; -ENOMEM; -EINTR; -EDQUOT: too many moves came of it. */
int avail_steady_sparse(const struct avail_chain *chain, const struct avail_rows *in, double *x);

#endif
