/* avail/simplify.h -- a smaller tree of the same function: gates of one form (maker.h), coalesced.
 *
 * Threads: one.  Memory: of the tree that is made. */
#ifndef AVAIL_SIMPLIFY_H
#define AVAIL_SIMPLIFY_H

#include "avail/solve.h"

/* Makes *small, over the same events, of what 'top' needs.  *small_top is its reference there.
 * budget   when its go_on() says no, what has been reached is good enough
 * 0, or -ENOMEM (then there is nothing in *small). */
int avail_simplify(struct avail_tree *small, uint32_t *small_top, struct avail_memory *memory,
		   const struct avail_tree *tree, uint32_t top, const struct avail_budget *budget);

#endif
