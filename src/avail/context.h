/* avail/context.h -- what may be taken for granted below each gate of a simplified tree: an "and" is false
 * unless each of its arguments is true, so below one argument the others, as far as they are events, may
 * be taken for true; below a gate with several parents, what all of them grant.  An event of which
 * that is known is a constant there (Camarinopoulos and Yllera 1985).
 *
 * Only events are granted, never gates: what a gate is replaced by is equal to it only where the gate
 * matters, so two gates could each be simplified for the sake of the other.
 *
 * Threads: one.  Memory: of the tree. */
#ifndef AVAIL_CONTEXT_H
#define AVAIL_CONTEXT_H

#include "avail/tree.h"

struct avail_context {
	struct avail_memory *memory;
	uint32_t *index;  /* one a node: place of an event that has several parents, from 1 on; else 0 */
	uint64_t *known;  /* 'words' words a node: two bits an event with a place, failed and works */
	uint32_t node_count, words;
};

/* Looks at what 'top' needs of a tree of and, xor and at-least gates.
 * parents   one a node: how many arguments refer to it
 * 0, or -ENOMEM.  When the tree is so large that it would take much memory, nothing is known. */
int avail_context_init(struct avail_context *context, const struct avail_tree *tree, uint32_t top,
		       const uint32_t *parents);
void avail_context_fini(struct avail_context *context);

/* What 'arg', a reference that is an argument of 'gate', is there: itself or a constant. */
uint32_t avail_context_of(const struct avail_context *context, uint32_t gate, uint32_t arg);

#endif
