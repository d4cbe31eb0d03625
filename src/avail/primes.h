/* avail/primes.h -- prime implicants of one part as a zero-suppressed diagram (Coudert and Madre 1992).
 *
 * Only for files of this folder that work on sets. */
#ifndef AVAIL_PRIMES_H
#define AVAIL_PRIMES_H

#include "avail/solver.h"

/* The prime implicants of a part, or of its negation, in levels from 'first_level' on: two an input, that it
 * has failed and that it works.  As a reference of dd, pushed; AVAIL_DD_NONE, not pushed: it stopped,
 * or no room. */
uint32_t avail_primes_build(struct avail_dd *dd, const struct avail_solver *solver,
			    const struct avail_part *part, uint32_t negated, uint32_t first_level);

#endif
