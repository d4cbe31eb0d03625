/* avail/build.h -- building the diagrams of the parts of a simplified tree, one after the other.
 *
 * Only for the files that do it: build.c makes the function of one part in one order of its
 * variables, race.c finds a good order, finish.c makes steps of it.  solver.h has the entry. */
#ifndef AVAIL_BUILD_H
#define AVAIL_BUILD_H

#include "avail/order.h"
#include "avail/solver.h"

/* What building needs besides the solver that is built. */
struct avail_builder {
	struct avail_solver *solver;
	struct avail_dd dd;
	struct avail_order order; /* of the part that is being built */
	uint8_t *is_module;
	uint32_t *inputs;   /* one a node: the input that it is to its part */
	uint32_t *flips;    /* one a node, of modules: 1 when its part is its negation */
	uint32_t *constant; /* one a node, of modules: its constant value, or AVAIL_DD_NONE */
	uint32_t *slots;    /* one a node: level of a leaf, place on the stack of a gate */
	uint32_t *uses;	    /* one a node: references in its part that were not followed yet */
	uint32_t *args;	    /* of one gate */
	uint8_t *signs;	    /* one a node: enum avail_direction within its part */
	uint32_t most_args;
	uint32_t *images; /* one a node of dd: its step, while finishing; else 0 */
	uint32_t image_room;
};

int avail_builder_init(struct avail_builder *b, struct avail_solver *solver,
		       const struct avail_budget *budget);
void avail_builder_fini(struct avail_builder *b);

/* The function of the part that b->order has, in that order; not pushed.  The level of its first
 * variable becomes *first_level, the number of gates that were finished *done. AVAIL_DD_NONE: the
 * store stopped, or no room. */
uint32_t avail_part_function(struct avail_builder *b, uint32_t *first_level, uint32_t *done);

/* What came out of a race of orders. */
struct avail_race {
	uint32_t root; /* pushed; AVAIL_DD_NONE: none got there, nothing is pushed */
	uint32_t first_level;
	enum avail_walk walk; /* b->order has it again */
};

/* Tries orders for the part of the module 'gate' with more and more nodes, until at least one gets
 * there, and takes the smallest diagram. */
void avail_race(struct avail_builder *b, uint32_t gate, struct avail_race *race);

#endif
