#include "avail/best.h"
#include "avail/queue.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Best first: a queue of disjoint groups of sets, each with its best set.  The best of all is
 * handed out, and the rest of its group is split along the path that the best set took: one group
 * for each branch at which it could have gone the other way. */

/* High edges to come back to when a module's set is complete, as a chain that groups share. */
struct later {
	uint32_t ref, next; /* next: 0: none */
	int64_t cost;	    /* of the best completion of all of the chain */
	double likely;	    /* of the most probable */
};

struct listing {
	struct avail_memory *memory;
	struct avail_best best;
	struct avail_queue queue;
	double least;	      /* less probable sets are not wanted */
	struct later *laters; /* [0] is no chain */
	uint32_t later_count, later_room;
	uint32_t *table, table_room; /* of chains, open addressing; 0: empty */
};

static uint32_t *find_later(const struct listing *l, uint32_t ref, uint32_t next)
{
	uint32_t at = avail_dd_hash(ref, next, 0) & (l->table_room - 1);

	while (l->table[at] &&
	       (l->laters[l->table[at]].ref != ref || l->laters[l->table[at]].next != next))
		at = (at + 1) & (l->table_room - 1);
	return &l->table[at];
}

static bool grow_laters(struct listing *l)
{
	uint32_t room = l->later_room ? 2 * l->later_room : 64;
	void *laters = avail_resize(l->memory, l->laters, l->later_room, room, sizeof *l->laters);
	uint32_t *table;

	if (!laters)
		return false;
	l->laters = laters;
	l->later_room = room;
	table = avail_take(l->memory, 2 * (size_t)room, sizeof *table);
	if (!table)
		return false;
	avail_give(l->memory, l->table, l->table_room, sizeof *l->table);
	l->table = table;
	l->table_room = 2 * room;
	for (uint32_t i = 1; i < l->later_count; i++)
		*find_later(l, l->laters[i].ref, l->laters[i].next) = i;
	return true;
}

/* The chain of 'ref' and then 'next'; 0: no room. */
static uint32_t make_later(struct listing *l, uint32_t ref, uint32_t next)
{
	const struct later *rest = &l->laters[next];
	uint32_t *place;

	if (l->later_count == l->later_room && !grow_laters(l))
		return 0;
	rest = &l->laters[next];
	place = find_later(l, ref, next);
	if (*place)
		return *place;
	*place = l->later_count++;
	l->laters[*place] = (struct later){
		.ref = ref,
		.next = next,
		.cost = avail_cost_sum(avail_best_cost(&l->best, ref), rest->cost),
		.likely = avail_best_likely(&l->best, ref) * rest->likely,
	};
	return *place;
}

/* What a path has come to. */
struct place {
	uint32_t ref, later;
	uint32_t fixed_count;
	int64_t cost; /* of the fixed literals */
	double fixed; /* their probability */
};

/* Takes the literal of the branch where a path is.  'fixed' has room.  false: no room for a chain.
 */
static bool take_literal(struct listing *l, struct place *at, uint32_t *fixed)
{
	const struct avail_branch *b = &l->best.sets->branches[at->ref];
	const struct avail_family *family = avail_family_of(l->best.sets, b->literal);

	if (family) {
		at->later = make_later(l, b->high, at->later);
		at->ref = family->root;
		return at->later != 0;
	}
	fixed[at->fixed_count++] = b->literal;
	at->cost = avail_cost_sum(at->cost, avail_literal_cost(&l->best, b->literal));
	at->fixed *= avail_literal_probability(&l->best, b->literal);
	at->ref = b->high;
	return true;
}

/* Puts the group of all sets that go on from a place into the queue, unless none is wanted. */
static bool put_group(struct listing *l, const struct place *at, const uint32_t *fixed)
{
	struct avail_queue *q = &l->queue;
	const struct later *later = &l->laters[at->later];
	struct avail_group group = { .fixed = at->fixed,
				     .fixed_count = at->fixed_count,
				     .ref = at->ref,
				     .later = at->later,
				     .block = q->word_count };
	uint32_t *words;

	if (at->fixed * avail_best_likely(&l->best, at->ref) * later->likely < l->least)
		return true;
	group.cost = avail_cost_sum(at->cost, avail_best_cost(&l->best, at->ref));
	group.cost = avail_cost_sum(group.cost, later->cost);
	if (!avail_queue_reserve(q, 2 * (uint64_t)l->best.most))
		return false;
	words = q->words + q->word_count;
	memcpy(words, fixed, at->fixed_count * sizeof *words);
	words += at->fixed_count;
	memcpy(words, fixed, at->fixed_count * sizeof *words);
	group.count = avail_best_collect(&l->best, at->ref, words, at->fixed_count);
	for (uint32_t i = at->later; i; i = l->laters[i].next)
		group.count = avail_best_collect(&l->best, l->laters[i].ref, words, group.count);
	avail_literals_sort(words, group.count);
	return avail_queue_put(q, &group);
}

/* Splits what is left of a group without its best set.  fixed: scratch, room for a set. */
static bool split(struct listing *l, const struct avail_group *group, uint32_t *fixed)
{
	struct place at = { .ref = group->ref,
			    .later = group->later,
			    .fixed = group->fixed,
			    .fixed_count = group->fixed_count };

	memcpy(fixed, l->queue.words + group->block, at.fixed_count * sizeof *fixed);
	for (uint32_t i = 0; i < at.fixed_count; i++)
		at.cost = avail_cost_sum(at.cost, avail_literal_cost(&l->best, fixed[i]));
	while (at.ref != AVAIL_EMPTY_SET || at.later) {
		const struct avail_branch *b = &l->best.sets->branches[at.ref];
		struct place other = at;

		if (at.ref == AVAIL_EMPTY_SET) {
			at.ref = l->laters[at.later].ref;
			at.later = l->laters[at.later].next;
			continue;
		}
		if (l->best.taken[at.ref] == at.ref) {
			other.ref = b->low;
			if (b->low != AVAIL_NO_SET && !put_group(l, &other, fixed))
				return false;
			if (!take_literal(l, &at, fixed))
				return false;
			continue;
		}
		if (!take_literal(l, &other, fixed) || !put_group(l, &other, fixed))
			return false;
		at.ref = b->low;
	}
	return true;
}

static bool hand_out(const struct listing *l, const struct avail_group *group, double cut_off,
		     void (*each)(void *context, const struct avail_set *set), void *context)
{
	const uint32_t *literals = l->queue.words + group->block + group->fixed_count;
	struct avail_set set = { .probability = l->best.p ? 1 : NAN,
				 .count = group->count,
				 .literals = literals };

	for (uint32_t i = 0; l->best.p && i < group->count; i++)
		set.probability *= avail_literal_probability(&l->best, literals[i]);
	if (set.probability < cut_off)
		return false;
	each(context, &set);
	return true;
}

static int list(struct listing *l, uint64_t most, double cut_off,
		void (*each)(void *context, const struct avail_set *set), void *context)
{
	uint32_t *fixed = avail_take(l->memory, l->best.most, sizeof *fixed);
	struct place all = { .ref = l->best.sets->root, .fixed = 1 };
	bool good = fixed && grow_laters(l), told = false;
	uint64_t taken = 0;

	if (good) {
		l->laters[0] = (struct later){ .likely = 1 };
		l->later_count = 1;
		good = put_group(l, &all, fixed);
	}
	while (good && most && l->queue.group_count) {
		struct avail_group group;

		told = !avail_sets_go_on(l->best.sets, taken++);
		if (told)
			break;
		group = avail_queue_take(&l->queue);
		most -= hand_out(l, &group, cut_off, each, context);
		good = split(l, &group, fixed) && avail_queue_prune(&l->queue, most);
	}
	avail_give(l->memory, fixed, l->best.most, sizeof *fixed);
	return told ? -EDQUOT : good ? 0 : -ENOMEM;
}

int avail_sets_list(struct avail_sets *sets, const double *p, enum avail_sets_order_by by,
		    uint64_t most, double cut_off,
		    void (*each)(void *context, const struct avail_set *set), void *context)
{
	struct listing l = { .memory = sets->memory, .queue = { .memory = sets->memory } };
	int err;

	/* Products are rounded in another order here and there. */
	l.least = p ? cut_off * (1 - 1e-9) : 0;
	err = sets->root == AVAIL_NO_SET ? 0 : avail_best_init(&l.best, sets, p, by);
	if (!err && sets->root != AVAIL_NO_SET) {
		err = list(&l, most, cut_off, each, context);
		avail_best_fini(&l.best);
	}
	avail_queue_fini(&l.queue);
	avail_give(l.memory, l.laters, l.later_room, sizeof *l.laters);
	avail_give(l.memory, l.table, l.table_room, sizeof *l.table);
	return err;
}
