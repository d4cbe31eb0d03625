/* avail/bound.h -- a function between two whose diagrams are small, where its own does not fit: gate by gate,
 * each with a function that is true only where the gate is and one that is true wherever it is.
 * Where one of them grows too large it is shrunk, at the places that matter least to its probability
 * (shrink.h), so what is said holds, whatever was dropped.
 *
 * Only for files of this folder that work on a solver. */
#ifndef AVAIL_BOUND_H
#define AVAIL_BOUND_H

#include "avail/solver.h"

/* Finds solver->below and solver->above of a solver that is not exact and that has values by 'p', and adds
 * steps for both; in a few rounds, each with larger diagrams, until they are near each other, or the
 * budget says no.  Without room they are false and true.
 *
 * most   nodes of one function in the first round */
void avail_bound(struct avail_solver *solver, const double *p, uint32_t most);

#endif
