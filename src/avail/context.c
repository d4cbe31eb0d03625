#include "avail/context.h"

#include <errno.h>
#include <string.h>

enum { MOST_WORDS = 1 << 22 };

static uint64_t *known_of(const struct avail_context *c, uint32_t node)
{
	return c->known + (size_t)node * c->words;
}

/* Gives each event that is used more than once a place. */
static uint32_t find_places(struct avail_context *c, const struct avail_tree *tree,
			    const uint32_t *parents)
{
	uint32_t count = 0;

	for (uint32_t i = 1; i < tree->node_count; i++)
		if (tree->nodes[i].event != AVAIL_NO_EVENT && parents[i] > 1)
			c->index[i] = ++count;
	return count;
}

static void grant(uint64_t *known, uint32_t place, uint32_t negated)
{
	uint32_t bit = 2 * (place - 1) + negated;

	known[bit / 64] |= UINT64_C(1) << bit % 64;
}

static bool is_granted(const uint64_t *known, uint32_t place, uint32_t negated)
{
	uint32_t bit = 2 * (place - 1) + negated;

	return known[bit / 64] >> bit % 64 & 1;
}

/* Hands what is known at a gate, and what the gate adds, to its arguments.  below: scratch. */
static void hand_down(struct avail_context *c, const struct avail_tree *tree, uint32_t gate,
		      uint64_t *below)
{
	const struct avail_node *node = &tree->nodes[gate];
	const uint32_t *args = tree->args + node->first;

	memcpy(below, known_of(c, gate), c->words * sizeof *below);
	for (uint32_t j = 0; node->kind == AVAIL_AND && j < node->count; j++)
		if (c->index[avail_node_of(args[j])])
			grant(below, c->index[avail_node_of(args[j])], args[j] & 1);
	for (uint32_t j = 0; j < node->count; j++) {
		uint64_t *known = known_of(c, avail_node_of(args[j]));

		for (uint32_t w = 0; w < c->words; w++)
			known[w] &= below[w];
	}
}

static int look(struct avail_context *c, const struct avail_tree *tree, uint32_t top,
		const uint32_t *parents)
{
	uint64_t *below = avail_take(c->memory, c->words, sizeof *below);

	if (!below)
		return -ENOMEM;
	memset(c->known, 0xff, (size_t)c->node_count * c->words * sizeof *c->known);
	memset(known_of(c, avail_node_of(top)), 0, c->words * sizeof *c->known);
	for (uint32_t i = avail_node_of(top) + 1; i-- > 0;)
		if (parents[i] && tree->nodes[i].count)
			hand_down(c, tree, i, below);
	avail_give(c->memory, below, c->words, sizeof *below);
	return 0;
}

int avail_context_init(struct avail_context *c, const struct avail_tree *tree, uint32_t top,
		       const uint32_t *parents)
{
	uint32_t places;
	int err;

	*c = (struct avail_context){ .memory = tree->memory, .node_count = tree->node_count };
	c->index = avail_take(c->memory, c->node_count, sizeof *c->index);
	if (!c->index)
		return -ENOMEM;
	places = find_places(c, tree, parents);
	if (places == 0 || (uint64_t)places * c->node_count / 32 > MOST_WORDS)
		return 0;
	c->words = (2 * places + 63) / 64;
	c->known = avail_take(c->memory, (size_t)c->node_count * c->words, sizeof *c->known);
	err = c->known ? look(c, tree, top, parents) : -ENOMEM;
	if (err)
		avail_context_fini(c);
	return err;
}

void avail_context_fini(struct avail_context *c)
{
	avail_give(c->memory, c->known, (size_t)c->node_count * c->words, sizeof *c->known);
	avail_give(c->memory, c->index, c->node_count, sizeof *c->index);
	*c = (struct avail_context){ .memory = c->memory };
}

uint32_t avail_context_of(const struct avail_context *c, uint32_t gate, uint32_t arg)
{
	uint32_t place = c->index[avail_node_of(arg)];

	if (!c->known || !place)
		return arg;
	if (is_granted(known_of(c, gate), place, 0))
		return AVAIL_TRUE ^ (arg & 1);
	if (is_granted(known_of(c, gate), place, 1))
		return AVAIL_FALSE ^ (arg & 1);
	return arg;
}
