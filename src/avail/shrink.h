/* avail/shrink.h -- a smaller diagram of a function that is below another one (true only where that is), or
 * above it: nodes that matter least are replaced by what both their edges have in common, or by what either
 * has (after Ravi and Somenzi 1995, but by probability instead of by count).  That the result is below or
 * above does not depend on the probabilities; how near it comes does.
 *
 * Threads: one.  Memory: of the dd's caller. */
#ifndef AVAIL_SHRINK_H
#define AVAIL_SHRINK_H

#include "avail/bdd.h"

enum avail_side { AVAIL_BELOW, AVAIL_ABOVE };

struct avail_shrunk;

struct avail_shrink {
	struct avail_dd *dd;
	uint32_t first_level;
	const double *chance;  /* one a level from the first on: that its variable is true */
	struct avail_shrunk *nodes; /* scratch: those of the function, each after its children */
	uint32_t node_count, node_room;
	uint32_t *places; /* scratch: one a node of dd, its place in 'nodes'; 0: none */
	uint32_t place_room;
};

void avail_shrink_init(struct avail_shrink *shrink, struct avail_dd *dd);
void avail_shrink_fini(struct avail_shrink *shrink);

/* A function on that side of f, of about 'most' nodes where f has more; not pushed.  f is pushed.
 * AVAIL_DD_NONE: the store stopped, or no room. */
uint32_t avail_shrink(struct avail_shrink *shrink, uint32_t f, enum avail_side side, uint32_t most);

/* The probability of f; NAN: no room. */
double avail_shrink_chance(struct avail_shrink *shrink, uint32_t f);

#endif
