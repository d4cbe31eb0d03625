/* avail/group.h -- which arguments of the "and" gates of a simplified tree belong together, so that a gate
 * of their own for them is a module: those that have exactly the same parents, and those parts of a
 * module's arguments that share nothing with the rest.
 *
 * Threads: one.  Memory: of the tree. */
#ifndef AVAIL_GROUP_H
#define AVAIL_GROUP_H

#include "avail/tree.h"

enum avail_group_reach {
	AVAIL_GROUP_SHARED, /* only those with several parents: a gate of one parent would dissolve */
	AVAIL_GROUP_ALL,
};

/* Looks at what 'top' needs of a tree of and, xor and at-least gates.
 *
 * labels   one an argument of the tree; arguments of one gate with the same label, not 0, belong together
 *
 * 0, or -ENOMEM. */
int avail_group(const struct avail_tree *tree, uint32_t top, enum avail_group_reach reach,
		uint32_t *labels);

#endif
