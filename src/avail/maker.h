/* avail/maker.h -- gates in one form, each made once: and, exclusive or, and k-of-n, with negation
 * only on references.  "Or" is a negated "and" of negated arguments.
 *
 * Constants, repeated and complementary arguments, gates of one argument vanish; a gate that is
 * already there is found again.  Arguments keep their order, which orderings of variables look at.
 *
 * Threads: one.  Memory: of the tree that is made. */
#ifndef AVAIL_MAKER_H
#define AVAIL_MAKER_H

#include "avail/tree.h"

struct avail_maker {
	struct avail_tree *tree;
	uint32_t *buckets;    /* of gates by hash, open addressing; 0: empty */
	uint32_t bucket_room; /* a power of two */
	uint32_t gate_count;
	uint32_t *stamps; /* one a reference: when it was last seen as an argument */
	uint32_t stamp_room, stamp;
	uint32_t *args; /* of the gate that is being made */
	uint32_t arg_count, arg_room;
};

/* Makes gates in 'tree', which has been initialised and has no gates.  0, or -ENOMEM. */
int avail_maker_init(struct avail_maker *maker, struct avail_tree *tree);
void avail_maker_fini(struct avail_maker *maker);

/* Starts a gate; then its arguments; then one of the four.  AVAIL_NO_REF: no room. */
void avail_maker_begin(struct avail_maker *maker);
bool avail_maker_add(struct avail_maker *maker, uint32_t ref);
uint32_t avail_maker_and(struct avail_maker *maker);
uint32_t avail_maker_or(struct avail_maker *maker);
uint32_t avail_maker_xor(struct avail_maker *maker);
uint32_t avail_maker_at_least(struct avail_maker *maker, uint32_t low);

#endif
