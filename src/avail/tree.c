#include "avail/tree.h"

#include <errno.h>
#include <string.h>

/* Makes room for 'more' things behind 'count'; false: no room. */
static bool make_room(struct avail_memory *memory, void **array, uint32_t *room, uint32_t count,
		      uint32_t more, size_t size)
{
	uint64_t wanted = (uint64_t)count + more, next = *room ? *room : 64;
	void *now;

	if (wanted <= *room)
		return true;
	while (next < wanted)
		next *= 2;
	if (next > UINT32_MAX / 2)
		return false;
	now = avail_resize(memory, *array, *room, (size_t)next, size);
	if (!now)
		return false;
	*array = now;
	*room = (uint32_t)next;
	return true;
}

static uint32_t add_node(struct avail_tree *tree, const struct avail_node *node)
{
	void *nodes = tree->nodes;

	if (!make_room(tree->memory, &nodes, &tree->node_room, tree->node_count, 1, sizeof *node))
		return AVAIL_NO_REF;
	tree->nodes = nodes;
	tree->nodes[tree->node_count] = *node;
	return tree->node_count++ << 1;
}

int avail_tree_init(struct avail_tree *tree, struct avail_memory *memory, uint32_t event_count)
{
	static const struct avail_node constant = { .event = AVAIL_NO_EVENT, .kind = AVAIL_OR };

	*tree = (struct avail_tree){ .memory = memory, .event_count = event_count };
	tree->event_node = avail_take(memory, event_count + 1, sizeof *tree->event_node);
	if (!tree->event_node)
		return -ENOMEM;
	if (add_node(tree, &constant) == AVAIL_NO_REF) {
		avail_tree_fini(tree);
		return -ENOMEM;
	}
	return 0;
}

void avail_tree_fini(struct avail_tree *tree)
{
	avail_give(tree->memory, tree->nodes, tree->node_room, sizeof *tree->nodes);
	avail_give(tree->memory, tree->args, tree->arg_room, sizeof *tree->args);
	avail_give(tree->memory, tree->event_node, tree->event_count + 1, sizeof *tree->event_node);
	*tree = (struct avail_tree){ .memory = tree->memory };
}

uint32_t avail_tree_event(struct avail_tree *tree, uint32_t event)
{
	must(event < tree->event_count);
	if (tree->event_node[event] == 0) {
		struct avail_node node = { .event = event };
		uint32_t ref = add_node(tree, &node);

		if (ref == AVAIL_NO_REF)
			return ref;
		tree->event_node[event] = avail_node_of(ref);
	}
	return tree->event_node[event] << 1;
}

uint32_t avail_tree_gate(struct avail_tree *tree, enum avail_gate_kind kind, uint32_t low,
			 uint32_t high, const uint32_t *args, uint32_t count)
{
	struct avail_node node = { .event = AVAIL_NO_EVENT,
				   .kind = kind,
				   .low = low,
				   .high = high,
				   .first = tree->arg_count,
				   .count = count };
	void *room = tree->args;
	uint32_t ref;

	for (uint32_t i = 0; i < count; i++)
		must(avail_node_of(args[i]) < tree->node_count);
	if (!make_room(tree->memory, &room, &tree->arg_room, tree->arg_count, count, sizeof *args))
		return AVAIL_NO_REF;
	tree->args = room;
	ref = add_node(tree, &node);
	if (ref == AVAIL_NO_REF)
		return ref;
	if (count)
		memcpy(tree->args + tree->arg_count, args, count * sizeof *args);
	tree->arg_count += count;
	return ref;
}

static bool ref_value(uint32_t ref, const uint8_t *values)
{
	return values[avail_node_of(ref)] != (ref & 1);
}

static bool gate_value(const struct avail_tree *tree, const struct avail_node *node,
		       const uint8_t *values)
{
	uint32_t failed = 0;

	for (uint32_t i = 0; i < node->count; i++)
		failed += ref_value(tree->args[node->first + i], values);
	switch (node->kind) {
	case AVAIL_AND:
		return failed == node->count;
	case AVAIL_OR:
		return failed > 0;
	case AVAIL_AT_LEAST:
		return failed >= node->low;
	case AVAIL_CARDINALITY:
		return failed >= node->low && failed <= node->high;
	case AVAIL_XOR:
		return failed & 1;
	}
	must(false);
	return false;
}

bool avail_tree_value(const struct avail_tree *tree, uint32_t ref, const uint8_t *failed,
		      uint8_t *values)
{
	for (uint32_t i = 0; i <= avail_node_of(ref); i++) {
		const struct avail_node *node = &tree->nodes[i];

		values[i] = node->event != AVAIL_NO_EVENT ? failed[node->event] != 0
							  : gate_value(tree, node, values);
	}
	return ref_value(ref, values);
}
