#include "avail/order.h"

#include <errno.h>
#include <string.h>

/* Parts of 'work': one word a node each, then one an argument. */
enum { PARENTS, WEIGHT, NEXT, SEEN, PATH, PER_NODE };

const char *avail_walk_name(enum avail_walk walk)
{
	static const char *const names[] = {
		[AVAIL_WALK_AS_GIVEN] = "as given",
		[AVAIL_WALK_GATES_FIRST] = "gates first",
		[AVAIL_WALK_EVENTS_FIRST] = "events first",
		[AVAIL_WALK_LIGHT_FIRST] = "light first",
		[AVAIL_WALK_HEAVY_FIRST] = "heavy first",
	};

	must(walk < AVAIL_WALKS);
	return names[walk];
}

static uint32_t *part_of(const struct avail_order *order, unsigned part)
{
	return order->work + (size_t)part * order->tree->node_count;
}

static size_t work_size(const struct avail_tree *tree)
{
	return (size_t)PER_NODE * tree->node_count + tree->arg_count;
}

static void count_parents(struct avail_order *order, uint32_t top)
{
	const struct avail_tree *tree = order->tree;
	uint32_t *parents = part_of(order, PARENTS);

	parents[top] = 1;
	for (uint32_t i = top + 1; i-- > 0;)
		for (uint32_t j = 0; parents[i] && j < tree->nodes[i].count; j++)
			parents[avail_node_of(tree->args[tree->nodes[i].first + j])]++;
}

/* A leaf weighs 1, a gate what its arguments weigh, as often as they are there. */
static void weigh(struct avail_order *order)
{
	const struct avail_tree *tree = order->tree;
	uint32_t *weight = part_of(order, WEIGHT);

	for (uint32_t i = 1; i < tree->node_count; i++) {
		const struct avail_node *node = &tree->nodes[i];
		uint64_t sum = 0;

		for (uint32_t j = 0; j < node->count; j++) {
			uint32_t arg = avail_node_of(tree->args[node->first + j]);

			sum += order->is_module[arg] ? 1 : weight[arg];
		}
		weight[i] = (uint32_t)min_u64(sum ? sum : 1, UINT32_MAX);
	}
}

int avail_order_init(struct avail_order *order, const struct avail_tree *tree, uint32_t top,
		     const uint8_t *is_module)
{
	*order = (struct avail_order){ .tree = tree, .is_module = is_module };
	order->work = avail_take(tree->memory, work_size(tree), sizeof *order->work);
	order->leaves = avail_take(tree->memory, tree->node_count, sizeof *order->leaves);
	order->gates = avail_take(tree->memory, tree->node_count, sizeof *order->gates);
	if (!order->work || !order->leaves || !order->gates) {
		avail_order_fini(order);
		return -ENOMEM;
	}
	count_parents(order, avail_node_of(top));
	weigh(order);
	return 0;
}

void avail_order_fini(struct avail_order *order)
{
	struct avail_memory *memory = order->tree->memory;

	avail_give(memory, order->work, work_size(order->tree), sizeof *order->work);
	avail_give(memory, order->leaves, order->tree->node_count, sizeof *order->leaves);
	avail_give(memory, order->gates, order->tree->node_count, sizeof *order->gates);
	*order = (struct avail_order){ .tree = order->tree };
}

static bool is_leaf(const struct avail_order *order, uint32_t node)
{
	return order->is_module[node] || order->tree->nodes[node].event != AVAIL_NO_EVENT;
}

/* Smaller is visited earlier. */
static uint64_t key_of(const struct avail_order *order, uint32_t arg, enum avail_walk walk)
{
	uint32_t node = avail_node_of(arg);
	uint64_t leaf = is_leaf(order, node), rarity = UINT32_MAX - part_of(order, PARENTS)[node],
		 weight = leaf ? 1 : part_of(order, WEIGHT)[node];

	switch (walk) {
	case AVAIL_WALK_GATES_FIRST:
		return leaf << 32 | rarity;
	case AVAIL_WALK_EVENTS_FIRST:
		return (1 - leaf) << 32 | rarity;
	case AVAIL_WALK_LIGHT_FIRST:
		return weight;
	case AVAIL_WALK_HEAVY_FIRST:
		return UINT32_MAX - weight;
	default:
		return 0;
	}
}

/* Copies a gate's arguments to where the walk reads them, sorted by key, otherwise as given. */
static uint32_t *sort_args(struct avail_order *order, uint32_t gate, enum avail_walk walk)
{
	const struct avail_node *node = &order->tree->nodes[gate];
	const uint32_t *args = order->tree->args + node->first;
	uint32_t *sorted = part_of(order, PER_NODE) + node->first;

	for (uint32_t i = 0; i < node->count; i++) {
		uint64_t key = key_of(order, args[i], walk);
		uint32_t j = i;

		for (; j > 0 && key_of(order, sorted[j - 1], walk) > key; j--)
			sorted[j] = sorted[j - 1];
		sorted[j] = args[i];
	}
	return sorted;
}

void avail_order_walk(struct avail_order *order, uint32_t gate, enum avail_walk walk)
{
	const struct avail_tree *tree = order->tree;
	uint32_t *next = part_of(order, NEXT), *seen = part_of(order, SEEN),
		 *path = part_of(order, PATH), *args = part_of(order, PER_NODE);
	uint32_t depth = 1;

	order->leaf_count = order->gate_count = 0;
	seen[gate] = ++order->stamp;
	path[0] = gate;
	sort_args(order, gate, walk);
	next[gate] = 0;
	while (depth) {
		uint32_t at = path[depth - 1], arg;

		if (next[at] == tree->nodes[at].count) {
			order->gates[order->gate_count++] = at;
			depth--;
			continue;
		}
		arg = avail_node_of(args[tree->nodes[at].first + next[at]++]);
		if (seen[arg] == order->stamp)
			continue;
		seen[arg] = order->stamp;
		if (is_leaf(order, arg)) {
			order->leaves[order->leaf_count++] = arg;
			continue;
		}
		next[arg] = 0;
		sort_args(order, arg, walk);
		path[depth++] = arg;
	}
}
