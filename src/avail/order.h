/* avail/order.h -- an order of the variables of one module, by walking its gates depth first: what
 * is together in the tree comes to be together in the diagram.
 *
 * Threads: one.  Memory: of the tree. */
#ifndef AVAIL_ORDER_H
#define AVAIL_ORDER_H

#include "avail/tree.h"

/* In which order a gate's arguments are visited. */
enum avail_walk {
	AVAIL_WALK_AS_GIVEN,
	AVAIL_WALK_GATES_FIRST,	 /* gates before events, the most shared first */
	AVAIL_WALK_EVENTS_FIRST, /* events before gates, the most shared first */
	AVAIL_WALK_LIGHT_FIRST,	 /* the smallest below first */
	AVAIL_WALK_HEAVY_FIRST,
	AVAIL_WALKS,
};

const char *avail_walk_name(enum avail_walk walk);

/* What is asked, and the answer.  A leaf is an event or a module other than the one that is
 * ordered. */
struct avail_order {
	const struct avail_tree *tree;
	const uint8_t *is_module;
	uint32_t *leaves; /* nodes, first is topmost */
	uint32_t leaf_count;
	uint32_t *gates; /* nodes, each after its arguments; the module's gate is the last */
	uint32_t gate_count;
	uint32_t *work, stamp;
};

/* Makes room for the orders of modules of this tree.  0, or -ENOMEM. */
int avail_order_init(struct avail_order *order, const struct avail_tree *tree, uint32_t top,
		     const uint8_t *is_module);
void avail_order_fini(struct avail_order *order);

/* Orders what is below the module 'gate' (a node). */
void avail_order_walk(struct avail_order *order, uint32_t gate, enum avail_walk walk);

#endif
