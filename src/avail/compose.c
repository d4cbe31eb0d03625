#include "avail/compose.h"

#include <errno.h>

#define OUTSIDE (UINT32_MAX - 1) /* of several modules, or of leaves in none */
#define NOTHING UINT32_MAX	 /* of constants only */

struct planning {
	struct avail_dynamic *dynamic;
	struct avail_graph *graph;
	uint32_t *where; /* of each node of the graph: its one module, OUTSIDE, NOTHING */
	uint32_t *drawn; /* its reference in the plan; AVAIL_NO_REF: not yet */
	uint8_t *taken;	 /* nodes that are drawn as part of the one OR that mentions them */
	uint32_t nodes;
	struct avail_list terms;      /* arguments of the gate at hand, and of those it has taken */
	struct avail_list args, some; /* of its plan; those of one module */
	struct avail_list stack;
};

/* ---- what is in which module ---- */

static uint32_t join(uint32_t a, uint32_t b)
{
	if (a == NOTHING)
		return b;
	if (b == NOTHING || a == b)
		return a;
	return OUTSIDE;
}

static void place_nodes(struct planning *planning)
{
	const struct avail_graph *graph = planning->graph;
	const struct avail_tree *tree = &graph->tree;

	for (uint32_t i = 0; i < planning->nodes; i++) {
		const struct avail_node *node = &tree->nodes[i];
		uint32_t where = NOTHING;

		if (i > 0 && node->event != AVAIL_NO_EVENT)
			where = graph->module_of[node->event] == AVAIL_NONE
					? OUTSIDE
					: graph->module_of[node->event];
		for (uint32_t k = 0; k < node->count; k++)
			where = join(where,
				     planning->where[avail_node_of(tree->args[node->first + k])]);
		planning->where[i] = where;
	}
}

/* ---- outputs ---- */

/* The event of the plan for a node that is all in a module, as a reference. */
static uint32_t output_ref(struct planning *planning, uint32_t node, uint32_t module)
{
	struct avail_dynamic *dynamic = planning->dynamic;
	uint32_t index = 0;

	while (index < dynamic->outputs.count && dynamic->outputs.items[index] != node)
		index++;
	if (index == dynamic->outputs.count && (!avail_list_add(&dynamic->outputs, node) ||
						!avail_list_add(&dynamic->output_module, module)))
		return AVAIL_NO_REF;
	return avail_tree_event(&dynamic->plan, planning->graph->leaf_count + index);
}

static uint32_t plan_ref(struct planning *planning, uint32_t ref)
{
	uint32_t node = avail_node_of(ref), where = planning->where[node], made;

	if (where != OUTSIDE && where != NOTHING)
		made = output_ref(planning, node, where);
	else
		made = planning->drawn[node];
	return made == AVAIL_NO_REF ? made : made ^ (ref & 1);
}

static bool is_one_of_any(const struct avail_node *node)
{
	return node->kind == AVAIL_AND || node->kind == AVAIL_OR || node->kind == AVAIL_XOR;
}

/* Puts terms that are of the same module as term 'first' into one gate of the graph, whose value is
 * one output instead of several.  The reference in the plan. */
static uint32_t plan_together(struct planning *planning, const struct avail_node *node,
			      uint32_t first, uint8_t *done)
{
	struct avail_graph *graph = planning->graph;
	const struct avail_list *terms = &planning->terms;
	uint32_t module = planning->where[avail_node_of(terms->items[first])];
	uint32_t ref, low = node->low;

	planning->some.count = 0;
	for (uint32_t i = first; i < terms->count; i++) {
		uint32_t arg = terms->items[i];

		if (planning->where[avail_node_of(arg)] != module)
			continue;
		done[i] = 1;
		if (!avail_list_add(&planning->some, arg))
			return AVAIL_NO_REF;
	}
	if (planning->some.count == 1)
		return plan_ref(planning, planning->some.items[0]);
	ref = avail_tree_gate(&graph->tree, node->kind, low, node->high, planning->some.items,
			      planning->some.count);
	return ref == AVAIL_NO_REF ? ref : output_ref(planning, avail_node_of(ref), module);
}

static int push_args(struct planning *planning, uint32_t index)
{
	const struct avail_tree *tree = &planning->graph->tree;
	const struct avail_node *node = &tree->nodes[index];

	for (uint32_t i = node->count; i-- > 0;)
		if (!avail_list_add(&planning->stack, tree->args[node->first + i]))
			return -ENOMEM;
	return 0;
}

/* The arguments of a gate, and in place of gates that it has taken theirs. */
static int gather_terms(struct planning *planning, uint32_t index)
{
	int err = 0;

	planning->terms.count = planning->stack.count = 0;
	err = push_args(planning, index);
	while (!err && planning->stack.count > 0) {
		uint32_t arg = planning->stack.items[--planning->stack.count];

		if (planning->taken[avail_node_of(arg)])
			err = push_args(planning, avail_node_of(arg));
		else if (!avail_list_add(&planning->terms, arg))
			err = -ENOMEM;
	}
	return err;
}

static uint32_t plan_gate(struct planning *planning, uint32_t index, uint8_t *done)
{
	struct avail_node node = planning->graph->tree.nodes[index]; /* nodes may move */

	if (gather_terms(planning, index))
		return AVAIL_NO_REF;
	planning->args.count = 0;
	memset(done, 0, planning->terms.count);
	for (uint32_t i = 0; i < planning->terms.count; i++) {
		uint32_t arg = planning->terms.items[i], ref;
		uint32_t where = planning->where[avail_node_of(arg)];

		if (done[i])
			continue;
		if (is_one_of_any(&node) && where != OUTSIDE && where != NOTHING)
			ref = plan_together(planning, &node, i, done);
		else
			ref = plan_ref(planning, arg);
		if (ref == AVAIL_NO_REF || !avail_list_add(&planning->args, ref))
			return AVAIL_NO_REF;
	}
	return avail_tree_gate(&planning->dynamic->plan, node.kind, node.low, node.high,
			       planning->args.items, planning->args.count);
}

/* ---- gates within gates ---- */

/* An OR over leaves of several modules or of none. */
static bool is_wide_or(const struct planning *planning, uint32_t node)
{
	return planning->where[node] == OUTSIDE &&
	       planning->graph->tree.nodes[node].kind == AVAIL_OR &&
	       planning->graph->tree.nodes[node].event == AVAIL_NO_EVENT &&
	       avail_graph_group(planning->graph, node) == AVAIL_NONE;
}

/* An OR takes the ORs in it that nobody else mentions, so that what they have of one module becomes
 * one output: as many interfaces, each behind a shelf and a group, would else be as many. */
static int take_gates(struct planning *planning, const uint8_t *needed)
{
	const struct avail_tree *tree = &planning->graph->tree;
	const struct avail_list *tops = &planning->graph->tops;
	uint32_t *uses = avail_take(planning->graph->memory, planning->nodes, sizeof *uses);

	if (!uses)
		return -ENOMEM;
	for (uint32_t i = 0; i < tops->count; i++)
		uses[avail_node_of(tops->items[i])] += 2; /* a top is drawn by itself */
	for (uint32_t i = 0; i < planning->nodes; i++)
		for (uint32_t k = 0; needed[i] && k < tree->nodes[i].count; k++)
			uses[avail_node_of(tree->args[tree->nodes[i].first + k])]++;
	for (uint32_t i = 0; i < planning->nodes; i++)
		for (uint32_t k = 0;
		     needed[i] && is_wide_or(planning, i) && k < tree->nodes[i].count; k++) {
			uint32_t arg = tree->args[tree->nodes[i].first + k],
				 node = avail_node_of(arg);

			if (!(arg & 1) && uses[node] == 1 && is_wide_or(planning, node))
				planning->taken[node] = 1;
		}
	avail_give(planning->graph->memory, uses, planning->nodes, sizeof *uses);
	return 0;
}

/* ---- the plan ---- */

/* Marks what the tops need to be drawn: nodes that are not inside a module. */
static int mark_needed(struct planning *planning, uint8_t *needed)
{
	const struct avail_graph *graph = planning->graph;
	struct avail_list stack = { .memory = graph->memory };
	int err = 0;

	for (uint32_t i = 0; i < graph->tops.count && !err; i++)
		err = avail_list_add(&stack, avail_node_of(graph->tops.items[i])) ? 0 : -ENOMEM;
	while (!err && stack.count > 0) {
		uint32_t at = stack.items[--stack.count];
		const struct avail_node *node = &graph->tree.nodes[at];

		if (needed[at] ||
		    (planning->where[at] != OUTSIDE && planning->where[at] != NOTHING))
			continue;
		needed[at] = 1;
		for (uint32_t i = 0; i < node->count && !err; i++)
			if (!avail_list_add(&stack,
					    avail_node_of(graph->tree.args[node->first + i])))
				err = -ENOMEM;
	}
	avail_list_fini(&stack);
	return err;
}

static int draw(struct planning *planning, const uint8_t *needed, uint8_t *done)
{
	struct avail_dynamic *dynamic = planning->dynamic;

	for (uint32_t i = 0; i < planning->nodes; i++) {
		uint32_t event = planning->graph->tree.nodes[i].event;

		planning->drawn[i] = AVAIL_NO_REF;
		if (!needed[i] || planning->taken[i])
			continue;
		if (i == 0)
			planning->drawn[i] = AVAIL_FALSE;
		else if (event != AVAIL_NO_EVENT)
			planning->drawn[i] = avail_tree_event(&dynamic->plan, event);
		else
			planning->drawn[i] = plan_gate(planning, i, done);
		if (planning->drawn[i] == AVAIL_NO_REF)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < planning->graph->tops.count; i++) {
		uint32_t ref = plan_ref(planning, planning->graph->tops.items[i]);

		if (ref == AVAIL_NO_REF || !avail_list_add(&dynamic->plan_tops, ref))
			return -ENOMEM;
	}
	return 0;
}

/* Gives each module its outputs, in the order in which they were met; events of the plan keep their
 * numbers. */
static int share_out(struct avail_dynamic *dynamic)
{
	for (uint32_t i = 0; i < dynamic->outputs.count; i++) {
		struct avail_composed_module *module =
			&dynamic->modules[dynamic->output_module.items[i]];

		if (!avail_list_add(&module->outputs, dynamic->outputs.items[i] << 1))
			return -ENOMEM;
	}
	return 0;
}

int avail_plan(struct avail_dynamic *dynamic)
{
	struct avail_graph *graph = &dynamic->graph;
	struct planning planning = { .dynamic = dynamic,
				     .graph = graph,
				     .nodes = graph->tree.node_count,
				     .terms = { .memory = graph->memory },
				     .args = { .memory = graph->memory },
				     .some = { .memory = graph->memory },
				     .stack = { .memory = graph->memory } };
	uint32_t nodes = planning.nodes, args = graph->tree.arg_count + 1;
	uint8_t *needed = avail_take(graph->memory, nodes, 1), *done;
	int err;

	done = avail_take(graph->memory, args, 1);
	planning.where = avail_take(graph->memory, nodes, sizeof *planning.where);
	planning.drawn = avail_take(graph->memory, nodes, sizeof *planning.drawn);
	planning.taken = avail_take(graph->memory, nodes, 1);
	/* As many outputs as there are nodes and arguments, at most. */
	err = needed && done && planning.where && planning.drawn && planning.taken
		      ? avail_tree_init(&dynamic->plan, graph->memory,
					graph->leaf_count + nodes + args)
		      : -ENOMEM;
	if (!err) {
		place_nodes(&planning);
		err = mark_needed(&planning, needed);
	}
	if (!err)
		err = take_gates(&planning, needed);
	if (!err)
		err = draw(&planning, needed, done);
	if (!err)
		err = share_out(dynamic);
	avail_give(graph->memory, needed, nodes, 1);
	avail_give(graph->memory, done, args, 1);
	avail_give(graph->memory, planning.where, nodes, sizeof *planning.where);
	avail_give(graph->memory, planning.drawn, nodes, sizeof *planning.drawn);
	avail_give(graph->memory, planning.taken, nodes, 1);
	avail_list_fini(&planning.terms);
	avail_list_fini(&planning.args);
	avail_list_fini(&planning.some);
	avail_list_fini(&planning.stack);
	return err;
}

/* ---- the tree ---- */

/* Outcome 'place' of the order is the case: all choosers before it are false and its own is true.
 */
static uint32_t chosen_ref(struct avail_dynamic *dynamic,
			   const struct avail_composed_module *module, uint32_t place,
			   uint32_t *before)
{
	struct avail_tree *tree = &dynamic->tree;
	uint32_t args[2] = { *before, AVAIL_TRUE }, ref;

	if (place + 1 == module->order.count)
		return *before;
	args[1] = avail_tree_event(tree, module->first_chooser + place);
	if (args[1] == AVAIL_NO_REF)
		return args[1];
	ref = place == 0 ? args[1] : avail_tree_gate(tree, AVAIL_AND, 0, 0, args, 2);
	args[1] = avail_not(args[1]);
	*before = place == 0 ? args[1] : avail_tree_gate(tree, AVAIL_AND, 0, 0, args, 2);
	return *before == AVAIL_NO_REF ? AVAIL_NO_REF : ref;
}

/* Functions of all outcomes of a module, in its order. */
static int choose_outcomes(struct avail_dynamic *dynamic,
			   const struct avail_composed_module *module, struct avail_list *chosen)
{
	uint32_t before = AVAIL_TRUE;

	chosen->count = 0;
	for (uint32_t i = 0; i < module->order.count; i++) {
		uint32_t ref = chosen_ref(dynamic, module, i, &before);

		if (ref == AVAIL_NO_REF || !avail_list_add(chosen, ref))
			return -ENOMEM;
	}
	return 0;
}

/* An output is true in these outcomes. */
static uint32_t output_function(struct avail_dynamic *dynamic,
				const struct avail_composed_module *module, uint32_t output,
				const struct avail_list *chosen, struct avail_list *args)
{
	const struct avail_outcomes *outcomes = &module->knot.outcomes;

	args->count = 0;
	for (uint32_t i = 0; i < module->order.count; i++) {
		uint32_t outcome = module->order.items[i];

		if (outcomes->values[(size_t)outcome * outcomes->width + output] &&
		    !avail_list_add(args, chosen->items[i]))
			return AVAIL_NO_REF;
	}
	if (args->count == 1)
		return args->items[0];
	return avail_tree_gate(&dynamic->tree, AVAIL_OR, 0, 0, args->items, args->count);
}

/* functions[k]: output k of all, counted over all modules as the plan counts them. */
static int make_functions(struct avail_dynamic *dynamic, uint32_t *functions)
{
	struct avail_list chosen = { .memory = dynamic->memory },
			  args = { .memory = dynamic->memory };
	int err = 0;

	for (uint32_t m = 0; m < dynamic->module_count && !err; m++) {
		const struct avail_composed_module *module = &dynamic->modules[m];
		uint32_t output = 0;

		err = choose_outcomes(dynamic, module, &chosen);
		for (uint32_t k = 0; k < dynamic->outputs.count && !err; k++) {
			if (dynamic->output_module.items[k] != m)
				continue;
			functions[k] = output_function(dynamic, module, output++, &chosen, &args);
			if (functions[k] == AVAIL_NO_REF ||
			    !avail_list_add(&dynamic->seam, avail_node_of(functions[k])))
				err = -ENOMEM;
		}
	}
	avail_list_fini(&chosen);
	avail_list_fini(&args);
	return err;
}

static int copy_plan(struct avail_dynamic *dynamic, const uint32_t *functions, uint32_t *made)
{
	const struct avail_tree *plan = &dynamic->plan;
	struct avail_list args = { .memory = dynamic->memory };
	int err = 0;

	for (uint32_t i = 0; i < plan->node_count && !err; i++) {
		const struct avail_node *node = &plan->nodes[i];

		args.count = 0;
		for (uint32_t k = 0; k < node->count && !err; k++) {
			uint32_t arg = plan->args[node->first + k];

			if (!avail_list_add(&args, made[avail_node_of(arg)] ^ (arg & 1)))
				err = -ENOMEM;
		}
		if (err)
			break;
		if (i == 0)
			made[i] = AVAIL_FALSE;
		else if (node->event == AVAIL_NO_EVENT)
			made[i] = avail_tree_gate(&dynamic->tree, node->kind, node->low, node->high,
						  args.items, args.count);
		else if (node->event >= dynamic->graph.leaf_count)
			made[i] = functions[node->event - dynamic->graph.leaf_count];
		else
			made[i] = avail_tree_event(&dynamic->tree, node->event);
		if (made[i] == AVAIL_NO_REF)
			err = -ENOMEM;
	}
	avail_list_fini(&args);
	return err;
}

int avail_compose(struct avail_dynamic *dynamic, uint32_t *refs)
{
	size_t outputs = (size_t)dynamic->outputs.count + 1;
	uint32_t nodes = dynamic->plan.node_count;
	uint32_t *functions = avail_take(dynamic->memory, outputs, sizeof *functions);
	uint32_t *made = avail_take(dynamic->memory, nodes, sizeof *made);
	int err = functions && made ? make_functions(dynamic, functions) : -ENOMEM;

	if (!err)
		err = copy_plan(dynamic, functions, made);
	for (uint32_t i = 0; i < dynamic->plan_tops.count && !err; i++) {
		uint32_t ref = dynamic->plan_tops.items[i];

		refs[i] = made[avail_node_of(ref)] ^ (ref & 1);
	}
	avail_give(dynamic->memory, functions, outputs, sizeof *functions);
	avail_give(dynamic->memory, made, nodes, sizeof *made);
	return err;
}

/* ---- functions with one outcome given ---- */

static uint32_t given_node(struct avail_dynamic *dynamic, uint32_t index, uint32_t first,
			   uint32_t place, uint32_t count, const uint32_t *made,
			   struct avail_list *args)
{
	struct avail_node node = dynamic->tree.nodes[index];
	bool changed = false;

	if (index > 0 && node.event != AVAIL_NO_EVENT) {
		if (node.event < first || node.event >= first + count)
			return index << 1;
		/* Choosers behind the one that is true have no say. */
		return node.event == first + place ? AVAIL_TRUE : AVAIL_FALSE;
	}
	args->count = 0;
	for (uint32_t k = 0; k < node.count; k++) {
		uint32_t arg = dynamic->tree.args[node.first + k];
		uint32_t now = made[avail_node_of(arg)] ^ (arg & 1);

		changed |= now != arg;
		if (!avail_list_add(args, now))
			return AVAIL_NO_REF;
	}
	if (!changed)
		return index << 1;
	return avail_tree_gate(&dynamic->tree, node.kind, node.low, node.high, args->items,
			       args->count);
}

uint32_t avail_compose_given(struct avail_dynamic *dynamic, uint32_t top,
			     const struct avail_composed_module *module, uint32_t place)
{
	uint32_t nodes = avail_node_of(top) + 1, ref = AVAIL_FALSE;
	uint32_t *made = avail_take(dynamic->memory, nodes, sizeof *made);
	struct avail_list args = { .memory = dynamic->memory };

	if (!made)
		return AVAIL_NO_REF;
	for (uint32_t i = 0; i < nodes && ref != AVAIL_NO_REF; i++)
		ref = made[i] = given_node(dynamic, i, module->first_chooser, place,
					   module->order.count - 1, made, &args);
	if (ref != AVAIL_NO_REF)
		ref = made[avail_node_of(top)] ^ (top & 1);
	avail_give(dynamic->memory, made, nodes, sizeof *made);
	avail_list_fini(&args);
	return ref;
}

int avail_compose_is_monotone(const struct avail_dynamic *dynamic, uint32_t top, bool *monotone)
{
	const struct avail_tree *tree = &dynamic->tree;
	uint32_t nodes = tree->node_count;
	struct avail_list stack = { .memory = dynamic->memory };
	uint8_t *seen = avail_take(dynamic->memory, nodes, 1);
	int err = seen && avail_list_add(&stack, avail_node_of(top)) ? 0 : -ENOMEM;

	*monotone = !(top & 1);
	for (uint32_t i = 0; i < dynamic->seam.count && !err; i++)
		if (dynamic->seam.items[i] != 0)
			seen[dynamic->seam.items[i]] = 1; /* as far as one looks */
	while (!err && *monotone && stack.count > 0) {
		uint32_t at = stack.items[--stack.count];
		const struct avail_node *node = &tree->nodes[at];

		if (seen[at] || node->event != AVAIL_NO_EVENT || at == 0)
			continue;
		seen[at] = 1;
		if (node->kind == AVAIL_XOR || node->kind == AVAIL_CARDINALITY)
			*monotone = false;
		for (uint32_t k = 0; k < node->count && !err; k++) {
			uint32_t arg = tree->args[node->first + k];

			if ((arg & 1) && arg != AVAIL_TRUE)
				*monotone = false;
			if (!avail_list_add(&stack, avail_node_of(arg)))
				err = -ENOMEM;
		}
	}
	avail_give(dynamic->memory, seen, nodes, 1);
	avail_list_fini(&stack);
	return err;
}
