#include "avail/build.h"

#include <errno.h>

enum {
	FIRST_QUOTA = 1 << 12,
	MORE_QUOTA = 6,
	KEEP_FIRST = 3,
	KEEP_LATER = 2,
	LATER = 1 << 14,
	MUCH_FASTER = 4
};

/* How one walk is doing. */
struct runner {
	enum avail_walk walk;
	bool out;
	uint32_t done; /* gates finished when its quota was used up */
};

/* One attempt, in which 'quota' nodes may be made.  *made receives how many were. */
static uint32_t attempt(struct avail_builder *b, uint32_t gate, struct runner *runner,
			uint64_t quota, uint64_t *made, uint32_t *first_level)
{
	struct avail_dd *dd = &b->dd;
	uint32_t root;

	avail_order_walk(&b->order, gate, runner->walk);
	dd->quota = quota;
	root = avail_part_function(b, first_level, &runner->done);
	*made = quota - dd->quota;
	if (root == AVAIL_DD_NONE) {
		runner->out = dd->stop != AVAIL_DD_NO_NODES || dd->quota > 0;
		if (dd->stop != AVAIL_DD_TOLD)
			dd->stop = AVAIL_DD_GOING;
	}
	dd->quota = UINT64_MAX;
	return root;
}

/* Leaves only the 'keep' that have come furthest. */
static void drop_worst(struct runner *runners, uint32_t keep)
{
	for (;;) {
		struct runner *worst = NULL;
		uint32_t left = 0;

		for (uint32_t i = 0; i < AVAIL_WALKS; i++) {
			if (runners[i].out)
				continue;
			left++;
			if (!worst || runners[i].done <= worst->done)
				worst = &runners[i];
		}
		if (left <= keep)
			return;
		worst->out = true;
	}
}

/* Lets all runners go once.  Whoever is there sets the cap for the others: of small diagrams the
 * smallest is worth looking for, with large ones that would take as long again.  Whether somebody
 * was. */
static bool run(struct avail_builder *b, uint32_t gate, struct runner *runners, uint64_t quota,
		struct avail_race *race)
{
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < AVAIL_WALKS; i++) {
		uint32_t first_level, root, size;
		uint64_t made;

		if (runners[i].out || b->dd.stop == AVAIL_DD_TOLD)
			continue;
		root = attempt(b, gate, &runners[i], quota, &made, &first_level);
		if (root == AVAIL_DD_NONE)
			continue;
		quota = made < LATER ? made + 1 : made / MUCH_FASTER;
		size = avail_dd_reach(&b->dd, &root, 1);
		if (size >= best)
			continue;
		best = size;
		if (race->root != AVAIL_DD_NONE)
			avail_dd_pop(&b->dd, 1);
		*race = (struct avail_race){ avail_dd_push(&b->dd, root), first_level,
					     runners[i].walk };
		if (size <= 2 * b->order.leaf_count)
			break;
	}
	return race->root != AVAIL_DD_NONE;
}

void avail_race(struct avail_builder *b, uint32_t gate, struct avail_race *race)
{
	struct runner runners[AVAIL_WALKS] = {
		{ .walk = AVAIL_WALK_GATES_FIRST }, { .walk = AVAIL_WALK_HEAVY_FIRST },
		{ .walk = AVAIL_WALK_AS_GIVEN },    { .walk = AVAIL_WALK_EVENTS_FIRST },
		{ .walk = AVAIL_WALK_LIGHT_FIRST },
	};
	uint32_t left = AVAIL_WALKS;

	*race = (struct avail_race){ .root = AVAIL_DD_NONE };
	for (uint64_t quota = FIRST_QUOTA; left && b->dd.stop == AVAIL_DD_GOING;
	     quota *= MORE_QUOTA) {
		if (run(b, gate, runners, quota, race))
			break;
		drop_worst(runners, quota < LATER ? KEEP_FIRST : KEEP_LATER);
		left = 0;
		for (uint32_t i = 0; i < AVAIL_WALKS; i++)
			left += !runners[i].out;
	}
	avail_order_walk(&b->order, gate, race->walk);
}
