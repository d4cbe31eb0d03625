#include "avail/dd.h"

#include <errno.h>
#include <string.h>

enum {
	FIRST_NODES = 1 << 10,
	FIRST_CACHE = 1 << 10,
	FREE_CACHE = 1 << 22, /* for any number of nodes */
	MOST_CACHE = 1 << 25,
	FIRST_BUCKETS = 4,
	MOST_NODES = 1 << 30,
	FIRST_COLLECT = 1 << 15,
};
#define MARK UINT32_C(0x80000000)

uint32_t avail_dd_hash(uint32_t a, uint32_t b, uint32_t c)
{
	uint64_t h = (a + UINT64_C(0x9e3779b97f4a7c15) * b) * UINT64_C(0xff51afd7ed558ccd);

	h = (h ^ (h >> 32) ^ c) * UINT64_C(0xc4ceb9fe1a85ec53);
	return (uint32_t)(h >> 32);
}

static uint32_t bucket_hash(uint32_t low, uint32_t high)
{
	uint64_t h = (low + (uint64_t)high * UINT64_C(0x9e3779b97f4a7c15)) *
		     UINT64_C(0xff51afd7ed558ccd);

	return (uint32_t)(h >> 32);
}

int avail_dd_init(struct avail_dd *dd, struct avail_memory *memory,
		  const struct avail_budget *budget)
{
	*dd = (struct avail_dd){ .memory = memory,
				 .collect_at = FIRST_COLLECT,
				 .quota = UINT64_MAX };
	if (budget)
		dd->budget = *budget;
	dd->nodes = avail_take(memory, FIRST_NODES, sizeof *dd->nodes);
	dd->cache = avail_take(memory, FIRST_CACHE, sizeof *dd->cache);
	dd->room = dd->nodes ? FIRST_NODES : 0;
	dd->cache_room = dd->cache ? FIRST_CACHE : 0;
	if (!dd->nodes || !dd->cache) {
		avail_dd_fini(dd);
		return -ENOMEM;
	}
	dd->nodes[0].level = AVAIL_DD_END_LEVEL;
	dd->used = 1;
	return 0;
}

static void drop_buckets(struct avail_dd *dd, struct avail_dd_level *level)
{
	avail_give(dd->memory, level->buckets, level->room, sizeof *level->buckets);
	*level = (struct avail_dd_level){ 0 };
}

void avail_dd_fini(struct avail_dd *dd)
{
	for (uint32_t i = 0; i < dd->level_count; i++)
		drop_buckets(dd, &dd->levels[i]);
	avail_give(dd->memory, dd->levels, dd->level_room, sizeof *dd->levels);
	avail_give(dd->memory, dd->nodes, dd->room, sizeof *dd->nodes);
	avail_give(dd->memory, dd->cache, dd->cache_room, sizeof *dd->cache);
	avail_give(dd->memory, dd->stack, dd->stack_room, sizeof *dd->stack);
	*dd = (struct avail_dd){ .memory = dd->memory };
}

void avail_dd_clear(struct avail_dd *dd)
{
	for (uint32_t i = 0; i < dd->level_count; i++)
		drop_buckets(dd, &dd->levels[i]);
	memset(dd->cache, 0, dd->cache_room * sizeof *dd->cache);
	dd->level_count = dd->stack_count = dd->free = dd->free_count = 0;
	dd->used = 1;
	dd->stop = AVAIL_DD_GOING;
	dd->steps = 0;
	dd->collect_at = FIRST_COLLECT;
}

int avail_dd_reserve(struct avail_dd *dd, uint32_t count)
{
	uint64_t wanted = (uint64_t)dd->stack_count + count +
			  AVAIL_DD_PUSHES * (uint64_t)min_u32(dd->level_count, AVAIL_DD_LEVELS);
	void *stack;

	if (wanted <= dd->stack_room)
		return 0;
	wanted += wanted / 2;
	if (wanted > UINT32_MAX)
		return -ENOMEM;
	stack = avail_resize(dd->memory, dd->stack, dd->stack_room, wanted, sizeof *dd->stack);
	if (!stack)
		return -ENOMEM;
	dd->stack = stack;
	dd->stack_room = (uint32_t)wanted;
	return 0;
}

int avail_dd_add_levels(struct avail_dd *dd, uint32_t count, uint32_t *first)
{
	if (count > AVAIL_DD_LEVELS || dd->level_count > INT32_MAX / 2)
		return -E2BIG;
	if (dd->level_count + count > dd->level_room) {
		uint32_t room = 2 * (dd->level_count + count);
		void *levels = avail_resize(dd->memory, dd->levels, dd->level_room, room,
					    sizeof *dd->levels);

		if (!levels)
			return -ENOMEM;
		dd->levels = levels;
		dd->level_room = room;
	}
	*first = dd->level_count;
	dd->level_count += count;
	return avail_dd_reserve(dd, 64);
}

/* Twice the buckets of a level.  Without room for them chains just grow longer. */
static void grow_buckets(struct avail_dd *dd, struct avail_dd_level *level)
{
	uint32_t room = level->room ? 2 * level->room : FIRST_BUCKETS;
	uint32_t *buckets = avail_take(dd->memory, room, sizeof *buckets);

	if (!buckets)
		return;
	for (uint32_t i = 0; i < level->room; i++) {
		uint32_t node = level->buckets[i];

		while (node) {
			struct avail_dd_node *n = &dd->nodes[node];
			uint32_t next = n->next,
				 *bucket = &buckets[bucket_hash(n->low, n->high) & (room - 1)];

			n->next = *bucket;
			*bucket = node;
			node = next;
		}
	}
	avail_give(dd->memory, level->buckets, level->room, sizeof *level->buckets);
	level->buckets = buckets;
	level->room = room;
}

/* Doubles the cache.  Without room for it the old one just serves worse. */
static void grow_cache(struct avail_dd *dd)
{
	uint32_t room = 2 * dd->cache_room;
	struct avail_dd_entry *cache = avail_take(dd->memory, room, sizeof *cache);

	dd->cache_puts = 0;
	if (!cache)
		return;
	for (uint32_t i = 0; i < dd->cache_room; i++) {
		const struct avail_dd_entry *e = &dd->cache[i];

		if (e->a)
			cache[avail_dd_hash(e->a, e->b, e->c) & (room - 1)] = *e;
	}
	avail_give(dd->memory, dd->cache, dd->cache_room, sizeof *dd->cache);
	dd->cache = cache;
	dd->cache_room = room;
}

/* Room for twice the nodes, or as many more as there is memory for. */
static bool grow_nodes(struct avail_dd *dd)
{
	for (uint32_t more = dd->room; more >= FIRST_NODES / 2; more /= 2) {
		void *nodes;

		if (dd->room + (uint64_t)more > MOST_NODES)
			continue;
		nodes = avail_resize(dd->memory, dd->nodes, dd->room, dd->room + more,
				     sizeof *dd->nodes);
		if (nodes) {
			dd->nodes = nodes;
			dd->room += more;
			return true;
		}
	}
	return false;
}

static void mark(struct avail_dd *dd, uint32_t node)
{
	while (!(dd->nodes[node].level & MARK)) {
		dd->nodes[node].level |= MARK;
		mark(dd, dd->nodes[node].low >> 1);
		node = dd->nodes[node].high >> 1;
	}
}

static void mark_stack(struct avail_dd *dd)
{
	dd->nodes[0].level |= MARK;
	for (uint32_t i = 0; i < dd->stack_count; i++)
		if (dd->stack[i] != AVAIL_DD_NONE)
			mark(dd, dd->stack[i] >> 1);
}

/* Whether the word of a cache entry names a node that is about to go. */
static bool is_dead(const struct avail_dd *dd, uint32_t word)
{
	return word < (uint32_t)AVAIL_DD_AND && !(dd->nodes[word >> 1].level & MARK);
}

static void sweep_cache(struct avail_dd *dd)
{
	for (uint32_t i = 0; i < dd->cache_room; i++) {
		struct avail_dd_entry *e = &dd->cache[i];

		if (e->a && (is_dead(dd, e->a) || is_dead(dd, e->b) || is_dead(dd, e->c) ||
			     is_dead(dd, e->result)))
			e->a = 0;
	}
}

static void sweep_level(struct avail_dd *dd, struct avail_dd_level *level)
{
	for (uint32_t i = 0; i < level->room; i++) {
		uint32_t *at = &level->buckets[i];

		while (*at) {
			uint32_t node = *at;
			struct avail_dd_node *n = &dd->nodes[node];

			if (n->level & MARK) {
				n->level &= ~MARK;
				at = &n->next;
				continue;
			}
			*at = n->next;
			n->next = dd->free;
			dd->free = node;
			dd->free_count++;
			level->count--;
		}
	}
	if (level->count == 0)
		drop_buckets(dd, level);
}

void avail_dd_collect(struct avail_dd *dd)
{
	mark_stack(dd);
	sweep_cache(dd);
	for (uint32_t i = 0; i < dd->level_count; i++)
		if (dd->levels[i].count)
			sweep_level(dd, &dd->levels[i]);
	dd->nodes[0].level &= ~MARK;
	dd->collections++;
	dd->collect_at = (uint32_t)max_u64(FIRST_COLLECT, 2 * (uint64_t)avail_dd_count(dd));
}

static uint32_t unmark(struct avail_dd *dd, uint32_t node)
{
	uint32_t count = 0;

	while (dd->nodes[node].level & MARK) {
		dd->nodes[node].level &= ~MARK;
		count += 1 + unmark(dd, dd->nodes[node].low >> 1);
		node = dd->nodes[node].high >> 1;
	}
	return count;
}

uint32_t avail_dd_reach(struct avail_dd *dd, const uint32_t *refs, uint32_t count)
{
	uint32_t reached = 0;

	dd->nodes[0].level |= MARK;
	for (uint32_t i = 0; i < count; i++)
		mark(dd, refs[i] >> 1);
	dd->nodes[0].level &= ~MARK;
	for (uint32_t i = 0; i < count; i++)
		reached += unmark(dd, refs[i] >> 1);
	return reached;
}

bool avail_dd_ask(struct avail_dd *dd)
{
	dd->steps = AVAIL_DD_ASK;
	if (dd->stop == AVAIL_DD_GOING && dd->budget.go_on && !dd->budget.go_on(dd->budget.context))
		dd->stop = AVAIL_DD_TOLD;
	return dd->stop == AVAIL_DD_GOING;
}

static bool within_budget(const struct avail_dd *dd)
{
	return !dd->budget.nodes || avail_dd_count(dd) < dd->budget.nodes;
}

static bool has_free(const struct avail_dd *dd)
{
	return dd->free || dd->used < dd->room;
}

/* Makes sure that more nodes can be given out, by collecting, else by growing.  When collecting
 * gains little it is no use to go on: it would be done again and again. */
static bool make_room(struct avail_dd *dd)
{
	uint32_t before = avail_dd_count(dd);
	bool over = !within_budget(dd), collect = over || before >= dd->collect_at;

	if (collect) {
		avail_dd_collect(dd);
		if (over && before - avail_dd_count(dd) < before / 8 + 1) {
			dd->stop = AVAIL_DD_NO_NODES;
			return false;
		}
		if (dd->free_count >= dd->room / 4 || (over && has_free(dd)))
			return true;
	}
	if (grow_nodes(dd))
		return true;
	if (!collect)
		avail_dd_collect(dd);
	if (dd->free_count < dd->room / 16)
		dd->stop = AVAIL_DD_NO_MEMORY;
	return dd->stop == AVAIL_DD_GOING;
}

static uint32_t take_node(struct avail_dd *dd)
{
	uint32_t node = dd->free;

	if (node) {
		dd->free = dd->nodes[node].next;
		dd->free_count--;
	} else {
		node = dd->used++;
	}
	if (avail_dd_count(dd) > dd->live_peak)
		dd->live_peak = avail_dd_count(dd);
	return node;
}

static uint32_t add_node(struct avail_dd *dd, uint32_t level_index, uint32_t low, uint32_t high)
{
	struct avail_dd_level *level;
	uint32_t node, *bucket;

	if (!avail_dd_goes_on(dd))
		return AVAIL_DD_NONE;
	if (dd->quota-- == 0) {
		dd->quota = 0;
		dd->stop = AVAIL_DD_NO_NODES;
		return AVAIL_DD_NONE;
	}
	if (!has_free(dd) || !within_budget(dd)) {
		bool made;

		avail_dd_push(dd, low);
		avail_dd_push(dd, high);
		made = make_room(dd);
		avail_dd_pop(dd, 2);
		if (!made)
			return AVAIL_DD_NONE;
	}
	level = &dd->levels[level_index];
	if (level->count >= level->room)
		grow_buckets(dd, level);
	if (!level->room) {
		dd->stop = AVAIL_DD_NO_MEMORY;
		return AVAIL_DD_NONE;
	}
	node = take_node(dd);
	bucket = &level->buckets[bucket_hash(low, high) & (level->room - 1)];
	dd->nodes[node] = (struct avail_dd_node){ level_index, low, high, *bucket };
	*bucket = node;
	level->count++;
	return node << 1;
}

uint32_t avail_dd_make(struct avail_dd *dd, uint32_t level_index, uint32_t low, uint32_t high)
{
	const struct avail_dd_level *level = &dd->levels[level_index];

	if (level->room) {
		uint32_t node = level->buckets[bucket_hash(low, high) & (level->room - 1)];

		for (; node; node = dd->nodes[node].next)
			if (dd->nodes[node].low == low && dd->nodes[node].high == high)
				return node << 1;
	}
	return add_node(dd, level_index, low, high);
}

uint32_t avail_dd_find(const struct avail_dd *dd, uint32_t a, uint32_t b, uint32_t c)
{
	const struct avail_dd_entry *e = &dd->cache[avail_dd_hash(a, b, c) & (dd->cache_room - 1)];

	return e->a == a && e->b == b && e->c == c ? e->result : AVAIL_DD_NONE;
}

/* An operation asks about pairs of nodes, so there are more of them; but to sweep a cache that is
 * larger than the budget of nodes needs would take longer than to fill it. */
static bool may_grow_cache(const struct avail_dd *dd)
{
	if (dd->budget.nodes && dd->cache_room / 4 >= dd->budget.nodes)
		return false;
	return dd->cache_room < MOST_CACHE &&
	       (dd->cache_room < FREE_CACHE || dd->cache_room < dd->room);
}

/* A cache that was filled twice is too small. */
void avail_dd_remember(struct avail_dd *dd, uint32_t a, uint32_t b, uint32_t c, uint32_t result)
{
	if (unlikely(++dd->cache_puts > 2 * (uint64_t)dd->cache_room) && may_grow_cache(dd))
		grow_cache(dd);
	dd->cache[avail_dd_hash(a, b, c) & (dd->cache_room - 1)] =
		(struct avail_dd_entry){ a, b, c, result };
}
