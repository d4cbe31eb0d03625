#include "avail/bdd.h"
#include "avail/build.h"
#include "avail/module.h"

#include <errno.h>

static uint32_t most_args(const struct avail_tree *tree)
{
	uint32_t most = 1;

	for (uint32_t i = 0; i < tree->node_count; i++)
		if (tree->nodes[i].count > most)
			most = tree->nodes[i].count;
	return most;
}

void avail_builder_fini(struct avail_builder *b)
{
	struct avail_memory *memory = b->solver->memory;
	uint32_t count = b->solver->tree.node_count;

	avail_give(memory, b->is_module, count, sizeof *b->is_module);
	avail_give(memory, b->inputs, count, sizeof *b->inputs);
	avail_give(memory, b->flips, count, sizeof *b->flips);
	avail_give(memory, b->constant, count, sizeof *b->constant);
	avail_give(memory, b->slots, count, sizeof *b->slots);
	avail_give(memory, b->uses, count, sizeof *b->uses);
	avail_give(memory, b->signs, count, sizeof *b->signs);
	avail_give(memory, b->args, b->most_args, sizeof *b->args);
	avail_give(memory, b->images, b->image_room, sizeof *b->images);
	avail_order_fini(&b->order);
	avail_dd_fini(&b->dd);
}

int avail_builder_init(struct avail_builder *b, struct avail_solver *solver,
		       const struct avail_budget *budget)
{
	struct avail_memory *memory = solver->memory;
	uint32_t count = solver->tree.node_count;
	int err;

	*b = (struct avail_builder){ .solver = solver, .most_args = most_args(&solver->tree) };
	b->order.tree = &solver->tree;
	err = avail_dd_init(&b->dd, memory, budget);
	if (err)
		return err;
	b->is_module = avail_take(memory, count, sizeof *b->is_module);
	b->inputs = avail_take(memory, count, sizeof *b->inputs);
	b->flips = avail_take(memory, count, sizeof *b->flips);
	b->constant = avail_take(memory, count, sizeof *b->constant);
	b->slots = avail_take(memory, count, sizeof *b->slots);
	b->uses = avail_take(memory, count, sizeof *b->uses);
	b->signs = avail_take(memory, count, sizeof *b->signs);
	b->args = avail_take(memory, b->most_args, sizeof *b->args);
	if (!b->is_module || !b->inputs || !b->flips || !b->constant || !b->slots || !b->uses ||
	    !b->signs || !b->args)
		return -ENOMEM;
	err = avail_modules(&solver->tree, solver->top, b->is_module);
	return err ? err : avail_order_init(&b->order, &solver->tree, solver->top, b->is_module);
}

/* Counts how often each gate of the part is referred to, so that it can go when it is not needed.
 */
static void count_uses(struct avail_builder *b)
{
	const struct avail_tree *tree = b->order.tree;

	for (uint32_t i = 0; i < b->order.gate_count; i++)
		b->uses[b->order.gates[i]] = 0;
	for (uint32_t i = 0; i < b->order.gate_count; i++) {
		const struct avail_node *node = &tree->nodes[b->order.gates[i]];

		for (uint32_t j = 0; j < node->count; j++)
			b->uses[avail_node_of(tree->args[node->first + j])]++;
	}
}

/* A leaf as a function: its variable, or what is known of it. */
static uint32_t leaf_function(struct avail_builder *b, uint32_t node)
{
	uint32_t f;

	if (b->is_module[node] && b->constant[node] != AVAIL_DD_NONE)
		return b->constant[node];
	f = avail_bdd_variable(&b->dd, b->slots[node]);
	return f == AVAIL_DD_NONE ? f : f ^ b->flips[node];
}

static bool is_leaf(const struct avail_builder *b, uint32_t node)
{
	return b->is_module[node] || b->solver->tree.nodes[node].event != AVAIL_NO_EVENT;
}

/* Collects the functions of a gate's arguments, pushed.  false: the store stopped. */
static bool push_args(struct avail_builder *b, const struct avail_node *node)
{
	if (avail_dd_reserve(&b->dd, node->count))
		return false;
	for (uint32_t j = 0; j < node->count; j++) {
		uint32_t ref = b->solver->tree.args[node->first + j], arg = avail_node_of(ref), f;

		f = is_leaf(b, arg) ? leaf_function(b, arg) : b->dd.stack[b->slots[arg]];
		b->args[j] = avail_dd_push(&b->dd, f == AVAIL_DD_NONE ? f : f ^ (ref & 1));
		if (f == AVAIL_DD_NONE) {
			avail_dd_pop(&b->dd, j + 1);
			return false;
		}
	}
	return true;
}

/* Gates that have been used for the last time need not live any longer. */
static void release_args(struct avail_builder *b, const struct avail_node *node)
{
	for (uint32_t j = 0; j < node->count; j++) {
		uint32_t arg = avail_node_of(b->solver->tree.args[node->first + j]);

		if (!is_leaf(b, arg) && --b->uses[arg] == 0)
			b->dd.stack[b->slots[arg]] = AVAIL_FALSE;
	}
}

static uint32_t gate_function(struct avail_builder *b, const struct avail_node *node)
{
	uint32_t f = AVAIL_DD_NONE;

	if (!push_args(b, node))
		return f;
	if (node->kind == AVAIL_AND)
		f = avail_bdd_and_all(&b->dd, b->args, node->count);
	else if (node->kind == AVAIL_XOR)
		f = avail_bdd_xor_all(&b->dd, b->args, node->count);
	else if (node->kind == AVAIL_AT_LEAST)
		f = avail_bdd_at_least(&b->dd, node->low, b->args, node->count);
	else
		must(false); /* not a kind of simplified gate */
	avail_dd_pop(&b->dd, node->count);
	return f;
}

uint32_t avail_part_function(struct avail_builder *b, uint32_t *first_level, uint32_t *done)
{
	uint32_t base = b->dd.stack_count, f = AVAIL_DD_NONE;

	*done = 0;
	if (avail_dd_add_levels(&b->dd, b->order.leaf_count, first_level) ||
	    avail_dd_reserve(&b->dd, b->order.gate_count))
		return AVAIL_DD_NONE;
	for (uint32_t i = 0; i < b->order.leaf_count; i++)
		b->slots[b->order.leaves[i]] = *first_level + i;
	count_uses(b);
	for (; *done < b->order.gate_count; ++*done) {
		uint32_t gate = b->order.gates[*done];
		const struct avail_node *node = &b->solver->tree.nodes[gate];

		f = gate_function(b, node);
		if (f == AVAIL_DD_NONE)
			break;
		release_args(b, node);
		b->slots[gate] = b->dd.stack_count;
		avail_dd_push(&b->dd, f);
	}
	avail_dd_pop(&b->dd, b->dd.stack_count - base);
	return f;
}
