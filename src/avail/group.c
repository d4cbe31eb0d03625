#include "avail/group.h"
#include "avail/module.h"
#include "avail/sort.h"

#include <errno.h>
#include <string.h>

struct grouping {
	const struct avail_tree *tree;
	uint32_t top; /* a node */
	enum avail_group_reach reach;
	uint8_t *is_module;
	uint32_t *first;   /* one a node and one more: its parents are parents[first[n] .. first[n +
			      1] - 1] */
	uint32_t *parents; /* gate << 1 | negated, descending */
	struct avail_keyed *units;
	uint32_t unit_count;
	uint32_t *leader; /* one a node: the first unit with the same parents; 0: none */
	uint32_t *seen; /* one a node: the piece it was found in, of the module that is looked at */
	uint32_t *stack; /* of nodes */
	uint32_t *join;	 /* one a piece: a piece that it is a part of, or itself */
};

static void fini(struct grouping *g)
{
	struct avail_memory *memory = g->tree->memory;
	uint32_t count = g->tree->node_count;

	avail_give(memory, g->is_module, count, sizeof *g->is_module);
	avail_give(memory, g->first, (size_t)count + 1, sizeof *g->first);
	avail_give(memory, g->parents, (size_t)g->tree->arg_count + 1, sizeof *g->parents);
	avail_give(memory, g->units, count, sizeof *g->units);
	avail_give(memory, g->leader, count, sizeof *g->leader);
	avail_give(memory, g->seen, count, sizeof *g->seen);
	avail_give(memory, g->stack, count, sizeof *g->stack);
	avail_give(memory, g->join, (size_t)g->tree->arg_count + 2, sizeof *g->join);
}

static int init(struct grouping *g, const struct avail_tree *tree)
{
	struct avail_memory *memory = tree->memory;
	uint32_t count = tree->node_count;

	g->tree = tree;
	g->is_module = avail_take(memory, count, sizeof *g->is_module);
	g->first = avail_take(memory, (size_t)count + 1, sizeof *g->first);
	g->parents = avail_take(memory, (size_t)tree->arg_count + 1, sizeof *g->parents);
	g->units = avail_take(memory, count, sizeof *g->units);
	g->leader = avail_take(memory, count, sizeof *g->leader);
	g->seen = avail_take(memory, count, sizeof *g->seen);
	g->stack = avail_take(memory, count, sizeof *g->stack);
	g->join = avail_take(memory, (size_t)tree->arg_count + 2, sizeof *g->join);
	return g->is_module && g->first && g->parents && g->units && g->leader && g->seen &&
			       g->stack && g->join
		       ? 0
		       : -ENOMEM;
}

/* Marks in 'seen' what the top needs. */
static void find_needed(struct grouping *g)
{
	memset(g->seen, 0, g->tree->node_count * sizeof *g->seen);
	g->seen[g->top] = 1;
	for (uint32_t i = g->top + 1; i-- > 0;)
		for (uint32_t j = 0; g->seen[i] && j < g->tree->nodes[i].count; j++)
			g->seen[avail_node_of(g->tree->args[g->tree->nodes[i].first + j])] = 1;
}

/* The parents of each node, in one array. */
static void list_parents(struct grouping *g)
{
	const struct avail_tree *tree = g->tree;
	uint32_t at = 0;

	find_needed(g);
	for (uint32_t i = 0; i <= g->top; i++)
		for (uint32_t j = 0; g->seen[i] && j < tree->nodes[i].count; j++)
			g->first[avail_node_of(tree->args[tree->nodes[i].first + j])]++;
	for (uint32_t i = 0; i <= tree->node_count; i++) {
		uint32_t count = i < tree->node_count ? g->first[i] : 0;

		at += count;
		g->first[i] = at; /* the end; filling moves it to the beginning */
	}
	for (uint32_t i = 0; i <= g->top; i++)
		for (uint32_t j = 0; g->seen[i] && j < tree->nodes[i].count; j++) {
			uint32_t ref = tree->args[tree->nodes[i].first + j];

			g->parents[--g->first[avail_node_of(ref)]] = i << 1 | (ref & 1);
		}
}

/* Whether a node may be a member of a group: an event or a module, that "and" gates have always as
 * it is or always negated. */
static bool is_unit(const struct grouping *g, uint32_t node)
{
	uint32_t count = g->first[node + 1] - g->first[node];
	const uint32_t *parents = g->parents + g->first[node];

	if (count < (g->reach == AVAIL_GROUP_ALL ? 1 : 2) ||
	    (g->tree->nodes[node].event == AVAIL_NO_EVENT && !g->is_module[node]))
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (g->tree->nodes[parents[i] >> 1].kind != AVAIL_AND ||
		    (parents[i] ^ parents[0]) & 1)
			return false;
	return true;
}

static uint64_t parents_key(const struct grouping *g, uint32_t node)
{
	uint64_t key = 0;

	for (uint32_t i = g->first[node]; i < g->first[node + 1]; i++) {
		key ^= g->parents[i] >> 1;
		key = rand_u64(&key);
	}
	return key;
}

/* Both have the same gates as parents; one may be negated in all of them and the other not. */
static bool same_parents(const struct grouping *g, uint32_t a, uint32_t b)
{
	uint32_t count = g->first[a + 1] - g->first[a];

	if (g->first[b + 1] - g->first[b] != count)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (g->parents[g->first[a] + i] >> 1 != g->parents[g->first[b] + i] >> 1)
			return false;
	return true;
}

static void find_leaders(struct grouping *g)
{
	for (uint32_t i = 1; i < g->tree->node_count; i++)
		if (is_unit(g, i))
			g->units[g->unit_count++] =
				(struct avail_keyed){ .key = parents_key(g, i), .value = i };
	avail_sort(g->units, g->unit_count);
	for (uint32_t i = 0; i + 1 < g->unit_count; i++) {
		uint32_t a = g->units[i].value, b = g->units[i + 1].value;

		if (g->units[i].key != g->units[i + 1].key || !same_parents(g, a, b))
			continue;
		if (!g->leader[a])
			g->leader[a] = a;
		g->leader[b] = g->leader[a];
	}
}

static uint32_t whole_of(struct grouping *g, uint32_t piece)
{
	while (g->join[piece] != piece)
		piece = g->join[piece] = g->join[g->join[piece]];
	return piece;
}

/* Gives a node to a piece and returns true, unless another piece has it: then the two are one. */
static bool claim(struct grouping *g, uint32_t node, uint32_t piece)
{
	if (g->seen[node])
		g->join[whole_of(g, piece)] = whole_of(g, g->seen[node]);
	else
		g->seen[node] = piece;
	return g->seen[node] == piece;
}

/* Gives all below 'node', within the module, to a piece. */
static void spread(struct grouping *g, uint32_t node, uint32_t piece)
{
	uint32_t depth = 0;

	if (claim(g, node, piece))
		g->stack[depth++] = node;
	while (depth) {
		uint32_t at = g->stack[--depth];
		const struct avail_node *n = &g->tree->nodes[at];

		for (uint32_t j = 0; !g->is_module[at] && j < n->count; j++) {
			uint32_t arg = avail_node_of(g->tree->args[n->first + j]);
			bool had = g->seen[arg] == piece;

			if (!had && claim(g, arg, piece))
				g->stack[depth++] = arg;
		}
	}
}

/* The arguments of a module's "and" that have no leader fall into pieces that share nothing. */
static void label_pieces(struct grouping *g, const struct avail_node *node, uint32_t *labels)
{
	for (uint32_t j = 0; j < node->count; j++) {
		uint32_t piece = node->first + j + 1;

		g->join[piece] = piece;
		if (!labels[node->first + j])
			spread(g, avail_node_of(g->tree->args[node->first + j]), piece);
	}
	for (uint32_t j = 0; j < node->count; j++)
		if (!labels[node->first + j])
			labels[node->first + j] =
				g->tree->node_count + whole_of(g, node->first + j + 1);
}

/* A gate all of whose arguments belong together is their gate already. */
static void label_gate(struct grouping *g, uint32_t gate, uint32_t *labels)
{
	const struct avail_node *node = &g->tree->nodes[gate];
	bool all_one = true;

	for (uint32_t j = 0; j < node->count; j++)
		labels[node->first + j] = g->leader[avail_node_of(g->tree->args[node->first + j])];
	if (g->reach == AVAIL_GROUP_ALL && g->is_module[gate])
		label_pieces(g, node, labels);
	for (uint32_t j = 1; j < node->count; j++)
		all_one &= labels[node->first + j] == labels[node->first];
	for (uint32_t j = 0; all_one && j < node->count; j++)
		labels[node->first + j] = 0;
}

int avail_group(const struct avail_tree *tree, uint32_t top, enum avail_group_reach reach,
		uint32_t *labels)
{
	struct grouping g = { .top = avail_node_of(top), .reach = reach };
	int err = init(&g, tree);

	if (!err)
		err = avail_modules(tree, top, g.is_module);
	if (!err) {
		list_parents(&g);
		find_leaders(&g);
		memset(g.seen, 0, tree->node_count * sizeof *g.seen);
		for (uint32_t i = 1; i <= g.top; i++)
			if (tree->nodes[i].kind == AVAIL_AND && tree->nodes[i].count)
				label_gate(&g, i, labels);
	}
	fini(&g);
	return err;
}
