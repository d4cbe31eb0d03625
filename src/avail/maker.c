#include "avail/maker.h"

#include <errno.h>
#include <string.h>

enum { FIRST_BUCKETS = 64, FIRST_ARGS = 32 };

int avail_maker_init(struct avail_maker *maker, struct avail_tree *tree)
{
	*maker = (struct avail_maker){ .tree = tree };
	maker->buckets = avail_take(tree->memory, FIRST_BUCKETS, sizeof *maker->buckets);
	maker->bucket_room = maker->buckets ? FIRST_BUCKETS : 0;
	maker->args = avail_take(tree->memory, FIRST_ARGS, sizeof *maker->args);
	maker->arg_room = maker->args ? FIRST_ARGS : 0;
	if (maker->buckets && maker->args)
		return 0;
	avail_maker_fini(maker);
	return -ENOMEM;
}

void avail_maker_fini(struct avail_maker *maker)
{
	struct avail_memory *memory = maker->tree->memory;

	avail_give(memory, maker->buckets, maker->bucket_room, sizeof *maker->buckets);
	avail_give(memory, maker->stamps, maker->stamp_room, sizeof *maker->stamps);
	avail_give(memory, maker->args, maker->arg_room, sizeof *maker->args);
	*maker = (struct avail_maker){ .tree = maker->tree };
}

static bool grow(struct avail_memory *memory, uint32_t **array, uint32_t *room, uint32_t wanted)
{
	uint64_t next = *room ? *room : FIRST_ARGS;
	void *now;

	if (wanted <= *room)
		return true;
	while (next < wanted)
		next *= 2;
	if (next > UINT32_MAX)
		return false;
	now = avail_resize(memory, *array, *room, (size_t)next, sizeof **array);
	if (!now)
		return false;
	*array = now;
	*room = (uint32_t)next;
	return true;
}

void avail_maker_begin(struct avail_maker *maker)
{
	maker->arg_count = 0;
}

bool avail_maker_add(struct avail_maker *maker, uint32_t ref)
{
	must(ref != AVAIL_NO_REF);
	if (!grow(maker->tree->memory, &maker->args, &maker->arg_room, maker->arg_count + 1))
		return false;
	maker->args[maker->arg_count++] = ref;
	return true;
}

/* A new time, in which no reference has been seen yet. */
static bool new_stamp(struct avail_maker *maker)
{
	if (!grow(maker->tree->memory, &maker->stamps, &maker->stamp_room,
		  2 * maker->tree->node_room))
		return false;
	if (++maker->stamp == 0) {
		memset(maker->stamps, 0, maker->stamp_room * sizeof *maker->stamps);
		maker->stamp = 1;
	}
	return true;
}

static bool is_seen(const struct avail_maker *maker, uint32_t ref)
{
	return maker->stamps[ref] == maker->stamp;
}

static uint64_t mix(uint64_t z)
{
	return rand_u64(&z);
}

/* The same for the same arguments in any order, since each gate is symmetric. */
static uint32_t hash_of(enum avail_gate_kind kind, uint32_t low, const uint32_t *args,
			uint32_t count)
{
	uint64_t sum = mix((uint64_t)low << 32 | (uint64_t)kind << 28 | count);

	for (uint32_t i = 0; i < count; i++)
		sum += mix(args[i]);
	return (uint32_t)(mix(sum) >> 32);
}

/* Whether two arrays have the same members; k-of-n may have one more than once, and is compared in
 * order. */
static bool is_same(struct avail_maker *maker, const struct avail_node *node,
		    enum avail_gate_kind kind, uint32_t low)
{
	const uint32_t *args = maker->tree->args + node->first;

	if (node->kind != kind || node->low != low || node->count != maker->arg_count)
		return false;
	if (kind == AVAIL_AT_LEAST)
		return memcmp(args, maker->args, node->count * sizeof *args) == 0;
	for (uint32_t i = 0; i < node->count; i++)
		if (!is_seen(maker, args[i]))
			return false;
	return true;
}

static void put(uint32_t *buckets, uint32_t room, uint32_t hash, uint32_t node)
{
	uint32_t at = hash & (room - 1);

	while (buckets[at])
		at = (at + 1) & (room - 1);
	buckets[at] = node;
}

static bool grow_buckets(struct avail_maker *maker)
{
	const struct avail_tree *tree = maker->tree;
	uint32_t room = 2 * maker->bucket_room, *buckets;

	if (2 * maker->gate_count < maker->bucket_room)
		return true;
	buckets = avail_take(tree->memory, room, sizeof *buckets);
	if (!buckets)
		return false;
	for (uint32_t i = 0; i < maker->bucket_room; i++)
		if (maker->buckets[i]) {
			const struct avail_node *n = &tree->nodes[maker->buckets[i]];

			put(buckets, room,
			    hash_of(n->kind, n->low, tree->args + n->first, n->count),
			    maker->buckets[i]);
		}
	avail_give(tree->memory, maker->buckets, maker->bucket_room, sizeof *buckets);
	maker->buckets = buckets;
	maker->bucket_room = room;
	return true;
}

/* The gate over the arguments, which are all that is seen at this time. */
static uint32_t find_or_make(struct avail_maker *maker, enum avail_gate_kind kind, uint32_t low)
{
	uint32_t hash = hash_of(kind, low, maker->args, maker->arg_count), at, ref;

	if (!grow_buckets(maker))
		return AVAIL_NO_REF;
	for (at = hash & (maker->bucket_room - 1); maker->buckets[at];
	     at = (at + 1) & (maker->bucket_room - 1))
		if (is_same(maker, &maker->tree->nodes[maker->buckets[at]], kind, low))
			return maker->buckets[at] << 1;
	ref = avail_tree_gate(maker->tree, kind, low, 0, maker->args, maker->arg_count);
	if (ref == AVAIL_NO_REF)
		return ref;
	maker->buckets[at] = avail_node_of(ref);
	maker->gate_count++;
	return ref;
}

uint32_t avail_maker_and(struct avail_maker *maker)
{
	uint32_t count = 0;

	if (!new_stamp(maker))
		return AVAIL_NO_REF;
	for (uint32_t i = 0; i < maker->arg_count; i++) {
		uint32_t ref = maker->args[i];

		if (ref == AVAIL_FALSE || is_seen(maker, avail_not(ref)))
			return AVAIL_FALSE;
		if (ref == AVAIL_TRUE || is_seen(maker, ref))
			continue;
		maker->stamps[ref] = maker->stamp;
		maker->args[count++] = ref;
	}
	maker->arg_count = count;
	if (count == 0)
		return AVAIL_TRUE;
	return count == 1 ? maker->args[0] : find_or_make(maker, AVAIL_AND, 0);
}

uint32_t avail_maker_or(struct avail_maker *maker)
{
	uint32_t ref;

	for (uint32_t i = 0; i < maker->arg_count; i++)
		maker->args[i] = avail_not(maker->args[i]);
	ref = avail_maker_and(maker);
	return ref == AVAIL_NO_REF ? ref : avail_not(ref);
}

/* Negations go to the result; what is there twice goes. */
uint32_t avail_maker_xor(struct avail_maker *maker)
{
	uint32_t count = 0, negated = 0, ref;

	if (!new_stamp(maker))
		return AVAIL_NO_REF;
	for (uint32_t i = 0; i < maker->arg_count; i++) {
		ref = maker->args[i] & ~UINT32_C(1);
		negated ^= maker->args[i] & 1;
		maker->stamps[ref] = is_seen(maker, ref) ? 0 : maker->stamp;
	}
	for (uint32_t i = 0; i < maker->arg_count; i++) {
		ref = maker->args[i] & ~UINT32_C(1);
		if (ref == AVAIL_FALSE || !is_seen(maker, ref))
			continue;
		maker->stamps[ref] = 0; /* once */
		maker->args[count++] = ref;
	}
	for (uint32_t i = 0; i < count; i++)
		maker->stamps[maker->args[i]] = maker->stamp;
	maker->arg_count = count;
	if (count == 0)
		return AVAIL_FALSE ^ negated;
	ref = count == 1 ? maker->args[0] : find_or_make(maker, AVAIL_XOR, 0);
	return ref == AVAIL_NO_REF ? ref : ref ^ negated;
}

uint32_t avail_maker_at_least(struct avail_maker *maker, uint32_t low)
{
	uint32_t count = 0, known = 0;

	for (uint32_t i = 0; i < maker->arg_count; i++)
		if (avail_node_of(maker->args[i]) != 0)
			maker->args[count++] = maker->args[i];
		else
			known += maker->args[i] == AVAIL_TRUE;
	maker->arg_count = count;
	if (low <= known)
		return AVAIL_TRUE;
	low -= known;
	if (low > count)
		return AVAIL_FALSE;
	if (low == 1)
		return avail_maker_or(maker);
	if (low == count)
		return avail_maker_and(maker);
	return find_or_make(maker, AVAIL_AT_LEAST, low);
}
