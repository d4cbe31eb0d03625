#include "avail/best.h"
#include "avail/queue.h"

#include <string.h>

enum { PRUNE_ABOVE = 4096 };

static bool make_room(struct avail_memory *memory, void **array, uint64_t *room, uint64_t wanted,
		      size_t size)
{
	uint64_t next = *room ? *room : 64;
	void *now;

	while (next < wanted)
		next *= 2;
	if (next == *room)
		return true;
	now = avail_resize(memory, *array, (size_t)*room, (size_t)next, size);
	if (!now)
		return false;
	*array = now;
	*room = next;
	return true;
}

bool avail_queue_reserve(struct avail_queue *q, uint64_t count)
{
	void *words = q->words;
	bool made = make_room(q->memory, &words, &q->word_room, q->word_count + count,
			      sizeof *q->words);

	q->words = words;
	return made;
}

static bool before(const struct avail_queue *q, const struct avail_group *a,
		   const struct avail_group *b)
{
	if (a->cost != b->cost)
		return a->cost < b->cost;
	return avail_literals_compare(q->words + a->block + a->fixed_count, a->count,
				      q->words + b->block + b->fixed_count, b->count) < 0;
}

static void rise(struct avail_queue *q, uint64_t at, struct avail_group group)
{
	for (; at > 0 && before(q, &group, &q->groups[(at - 1) / 2]); at = (at - 1) / 2)
		q->groups[at] = q->groups[(at - 1) / 2];
	q->groups[at] = group;
}

static void sink(struct avail_queue *q, uint64_t at, struct avail_group group)
{
	uint64_t child;

	for (; (child = 2 * at + 1) < q->group_count; at = child) {
		if (child + 1 < q->group_count &&
		    before(q, &q->groups[child + 1], &q->groups[child]))
			child++;
		if (!before(q, &q->groups[child], &group))
			break;
		q->groups[at] = q->groups[child];
	}
	q->groups[at] = group;
}

bool avail_queue_put(struct avail_queue *q, const struct avail_group *group)
{
	void *groups = q->groups;
	bool made = make_room(q->memory, &groups, &q->group_room, q->group_count + 1,
			      sizeof *q->groups);

	q->groups = groups;
	if (!made)
		return false;
	must(group->block == q->word_count);
	q->word_count += (uint64_t)group->fixed_count + group->count;
	rise(q, q->group_count++, *group);
	return true;
}

struct avail_group avail_queue_take(struct avail_queue *q)
{
	struct avail_group best;

	must(q->group_count > 0);
	best = q->groups[0];
	q->group_count--;
	if (q->group_count)
		sink(q, 0, q->groups[q->group_count]);
	return best;
}

static void exchange(struct avail_group *a, struct avail_group *b)
{
	struct avail_group old = *a;

	*a = *b;
	*b = old;
}

/* Brings the best 'wanted' to the front (Hoare's selection). */
static void select_best(struct avail_queue *q, uint64_t wanted)
{
	uint64_t from = 0, to = q->group_count;

	while (to - from > 1) {
		uint64_t i = from, store = from;

		exchange(&q->groups[from + (to - from) / 2], &q->groups[to - 1]);
		for (; i < to - 1; i++)
			if (before(q, &q->groups[i], &q->groups[to - 1]))
				exchange(&q->groups[i], &q->groups[store++]);
		exchange(&q->groups[store], &q->groups[to - 1]);
		if (store == wanted)
			return;
		if (store < wanted)
			from = store + 1;
		else
			to = store;
	}
}

/* Keeps only the words of groups that are there. */
static bool compact(struct avail_queue *q)
{
	struct avail_queue made = { .memory = q->memory };
	uint64_t count = 0;

	for (uint64_t i = 0; i < q->group_count; i++)
		count += (uint64_t)q->groups[i].fixed_count + q->groups[i].count;
	if (!avail_queue_reserve(&made, count))
		return false;
	for (uint64_t i = 0; i < q->group_count; i++) {
		struct avail_group *g = &q->groups[i];
		uint64_t size = (uint64_t)g->fixed_count + g->count;

		memcpy(made.words + made.word_count, q->words + g->block, size * sizeof *q->words);
		g->block = made.word_count;
		made.word_count += size;
	}
	avail_give(q->memory, q->words, (size_t)q->word_room, sizeof *q->words);
	q->words = made.words;
	q->word_count = made.word_count;
	q->word_room = made.word_room;
	return true;
}

bool avail_queue_prune(struct avail_queue *q, uint64_t wanted)
{
	if (wanted > UINT64_MAX / 4 || q->group_count <= 2 * wanted + PRUNE_ABOVE)
		return true;
	select_best(q, wanted);
	q->group_count = wanted;
	for (uint64_t i = wanted / 2 + 1; i-- > 0;)
		if (i < wanted)
			sink(q, i, q->groups[i]);
	return compact(q);
}

void avail_queue_fini(struct avail_queue *q)
{
	avail_give(q->memory, q->groups, (size_t)q->group_room, sizeof *q->groups);
	avail_give(q->memory, q->words, (size_t)q->word_room, sizeof *q->words);
	*q = (struct avail_queue){ .memory = q->memory };
}
