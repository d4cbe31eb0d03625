#include "avail/graph.h"
#include "avail/reach.h"

#include <errno.h>

bool avail_standby_matters(const struct avail_standby *standby)
{
	return (standby->mode == AVAIL_WARM && standby->dormancy < 1) ||
	       standby->mode == AVAIL_COLD || standby->coverage < 1 || standby->switch_h > 0;
}

/* ---- the tree with groups in their form ---- */

struct forming {
	struct avail_graph *graph;
	uint32_t *made;		  /* of each node of the flat tree: reference in the new one */
	uint32_t *standby_of;	  /* of each node of the flat tree */
	struct avail_list args;	  /* of the gate being made */
	struct avail_list common; /* terms of all members so far */
	struct avail_list terms;  /* of one member */
	struct avail_list rest;	  /* what is left of it */
};

static uint32_t map(const struct forming *forming, uint32_t ref)
{
	return forming->made[avail_node_of(ref)] ^ (ref & 1);
}

/* Makes a gate; the standby that is behind it, or AVAIL_NONE. */
static uint32_t make_gate(struct avail_graph *graph, enum avail_gate_kind kind, uint32_t low,
			  uint32_t high, const struct avail_list *args, uint32_t standby)
{
	uint32_t ref = avail_tree_gate(&graph->tree, kind, low, high, args->items, args->count);

	if (ref == AVAIL_NO_REF)
		return ref;
	while (graph->group.count <= avail_node_of(ref))
		if (!avail_list_add(&graph->group, AVAIL_NONE))
			return AVAIL_NO_REF;
	graph->group.items[avail_node_of(ref)] = standby;
	return ref;
}

static bool is_or(const struct avail_node *node)
{
	if (node->kind == AVAIL_OR || (node->kind == AVAIL_AT_LEAST && node->low == 1))
		return true;
	return node->count == 1 && (node->kind == AVAIL_AND || node->kind == AVAIL_XOR);
}

int avail_graph_terms(const struct avail_graph *graph, uint32_t ref, struct avail_list *terms)
{
	struct avail_list stack = { .memory = graph->memory };
	int err = avail_list_add(&stack, ref) ? 0 : -ENOMEM;

	while (!err && stack.count > 0) {
		uint32_t at = stack.items[--stack.count];
		const struct avail_node *node = &graph->tree.nodes[avail_node_of(at)];
		bool open = node->event == AVAIL_NO_EVENT && avail_node_of(at) != 0 && !(at & 1) &&
			    avail_graph_group(graph, avail_node_of(at)) == AVAIL_NONE &&
			    is_or(node);

		if (!open && at != AVAIL_FALSE && !avail_list_has(terms, at) &&
		    !avail_list_add(terms, at))
			err = -ENOMEM;
		for (uint32_t i = node->count; open && i-- > 0 && !err;)
			if (!avail_list_add(&stack, graph->tree.args[node->first + i]))
				err = -ENOMEM;
	}
	avail_list_fini(&stack);
	return err;
}

/* Leaves in 'common' what is also in 'terms'. */
static void intersect(struct avail_list *common, const struct avail_list *terms)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < common->count; i++)
		if (avail_list_has(terms, common->items[i]))
			common->items[kept++] = common->items[i];
	common->count = kept;
}

static int find_common(struct forming *forming, const struct avail_node *node)
{
	const struct avail_tree *flat = &forming->graph->flat.tree;
	int err = 0;

	forming->common.count = 0;
	for (uint32_t i = 0; i < node->count && !err; i++) {
		uint32_t member = map(forming, flat->args[node->first + i]);

		forming->terms.count = 0;
		err = avail_graph_terms(forming->graph, member,
					i == 0 ? &forming->common : &forming->terms);
		if (!err && i > 0)
			intersect(&forming->common, &forming->terms);
	}
	return err;
}

/* A member without what all have in common. */
static uint32_t make_rest(struct forming *forming, uint32_t member)
{
	if (forming->common.count == 0)
		return member;
	forming->terms.count = forming->rest.count = 0;
	if (avail_graph_terms(forming->graph, member, &forming->terms))
		return AVAIL_NO_REF;
	for (uint32_t i = 0; i < forming->terms.count; i++)
		if (!avail_list_has(&forming->common, forming->terms.items[i]) &&
		    !avail_list_add(&forming->rest, forming->terms.items[i]))
			return AVAIL_NO_REF;
	if (forming->rest.count == 1)
		return forming->rest.items[0];
	return make_gate(forming->graph, AVAIL_OR, 0, 0, &forming->rest, AVAIL_NONE);
}

static uint32_t make_group(struct forming *forming, const struct avail_node *node, uint32_t standby)
{
	const struct avail_tree *flat = &forming->graph->flat.tree;
	uint32_t group;

	if (find_common(forming, node))
		return AVAIL_NO_REF;
	forming->args.count = 0;
	for (uint32_t i = 0; i < node->count; i++) {
		uint32_t rest = make_rest(forming, map(forming, flat->args[node->first + i]));

		if (rest == AVAIL_NO_REF || !avail_list_add(&forming->args, rest))
			return AVAIL_NO_REF;
	}
	group = make_gate(forming->graph, AVAIL_AT_LEAST, node->low, 0, &forming->args, standby);
	if (group == AVAIL_NO_REF || forming->common.count == 0)
		return group;
	if (!avail_list_add(&forming->common, group))
		return AVAIL_NO_REF;
	return make_gate(forming->graph, AVAIL_OR, 0, 0, &forming->common, AVAIL_NONE);
}

/* Arguments of AND and OR can be put together, those of k-of-n cannot. */
static enum avail_gate_kind plain_kind(const struct avail_node *node)
{
	if (node->kind != AVAIL_AT_LEAST || node->low == 0)
		return node->kind;
	return node->low == 1 ? AVAIL_OR : node->low == node->count ? AVAIL_AND : node->kind;
}

static uint32_t make_node(struct forming *forming, uint32_t index)
{
	const struct avail_tree *flat = &forming->graph->flat.tree;
	const struct avail_node *node = &flat->nodes[index];

	if (index == 0)
		return AVAIL_FALSE;
	if (node->event != AVAIL_NO_EVENT)
		return avail_tree_event(&forming->graph->tree, node->event);
	if (forming->standby_of[index] != AVAIL_NONE)
		return make_group(forming, node, forming->standby_of[index]);
	forming->args.count = 0;
	for (uint32_t i = 0; i < node->count; i++)
		if (!avail_list_add(&forming->args, map(forming, flat->args[node->first + i])))
			return AVAIL_NO_REF;
	return make_gate(forming->graph, plain_kind(node), node->low, node->high, &forming->args,
			 AVAIL_NONE);
}

static int form_nodes(struct forming *forming)
{
	struct avail_graph *graph = forming->graph;
	const struct avail_model *model = graph->model;
	uint32_t count = graph->flat.tree.node_count;

	for (uint32_t i = 0; i < count; i++)
		forming->standby_of[i] = AVAIL_NONE;
	for (uint32_t i = 0; i < model->standby_count; i++) {
		uint32_t ref = graph->flat.gate_refs[model->standbys[i].gate];

		if (ref == AVAIL_NO_REF || !avail_standby_matters(&model->standbys[i]))
			continue;
		must(!(ref & 1) && graph->flat.tree.nodes[ref >> 1].kind == AVAIL_AT_LEAST);
		forming->standby_of[ref >> 1] = i;
	}
	for (uint32_t i = 0; i < count; i++) {
		forming->made[i] = make_node(forming, i);
		if (forming->made[i] == AVAIL_NO_REF)
			return -ENOMEM;
	}
	return 0;
}

static int form(struct avail_graph *graph, const uint32_t *refs, uint32_t count)
{
	struct avail_memory *memory = graph->memory;
	uint32_t nodes = graph->flat.tree.node_count;
	struct forming forming = { .graph = graph,
				   .args = { .memory = memory },
				   .common = { .memory = memory },
				   .terms = { .memory = memory },
				   .rest = { .memory = memory } };
	int err = avail_tree_init(&graph->tree, memory, graph->leaf_count);

	forming.made = avail_take(memory, nodes, sizeof *forming.made);
	forming.standby_of = avail_take(memory, nodes, sizeof *forming.standby_of);
	if (!err)
		err = forming.made && forming.standby_of ? form_nodes(&forming) : -ENOMEM;
	for (uint32_t i = 0; i < count && !err; i++)
		err = avail_list_add(&graph->tops, map(&forming, refs[i])) ? 0 : -ENOMEM;
	avail_give(memory, forming.made, nodes, sizeof *forming.made);
	avail_give(memory, forming.standby_of, nodes, sizeof *forming.standby_of);
	avail_list_fini(&forming.args);
	avail_list_fini(&forming.common);
	avail_list_fini(&forming.terms);
	avail_list_fini(&forming.rest);
	return err;
}

/* ---- coupled leaves ---- */

static uint32_t find(uint32_t *parent, uint32_t leaf)
{
	while (parent[leaf] != leaf)
		leaf = parent[leaf] = parent[parent[leaf]];
	return leaf;
}

static void unite(uint32_t *parent, uint32_t a, uint32_t b)
{
	a = find(parent, a);
	b = find(parent, b);
	/* The lower one leads, so that numbers follow the order of the leaves. */
	parent[a > b ? a : b] = a > b ? b : a;
}

int avail_graph_leaves(const struct avail_graph *graph, uint32_t ref, uint8_t *marks,
		       struct avail_list *leaves)
{
	struct avail_list stack = { .memory = graph->memory };
	int err = avail_list_add(&stack, avail_node_of(ref)) ? 0 : -ENOMEM;

	while (!err && stack.count > 0) {
		uint32_t at = stack.items[--stack.count];
		const struct avail_node *node = &graph->tree.nodes[at];

		if (marks[at])
			continue;
		marks[at] = 1;
		if (node->event != AVAIL_NO_EVENT && at != 0 &&
		    !avail_list_add(leaves, node->event))
			err = -ENOMEM;
		for (uint32_t i = node->count; i-- > 0 && !err;)
			if (!avail_list_add(&stack,
					    avail_node_of(graph->tree.args[node->first + i])))
				err = -ENOMEM;
	}
	avail_list_fini(&stack);
	return err;
}

/* Couples the leaves below each group.  coupled[leaf] becomes 1. */
static int couple_groups(struct avail_graph *graph, uint32_t *parent, uint8_t *coupled)
{
	uint32_t nodes = graph->tree.node_count;
	struct avail_list leaves = { .memory = graph->memory };
	uint8_t *marks = avail_take(graph->memory, nodes, 1);
	int err = marks ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < nodes && !err; i++) {
		if (avail_graph_group(graph, i) == AVAIL_NONE)
			continue;
		memset(marks, 0, nodes);
		leaves.count = 0;
		err = avail_graph_leaves(graph, i << 1, marks, &leaves);
		for (uint32_t k = 0; k < leaves.count && !err; k++) {
			unite(parent, leaves.items[0], leaves.items[k]);
			coupled[leaves.items[k]] = 1;
		}
	}
	avail_give(graph->memory, marks, nodes, 1);
	avail_list_fini(&leaves);
	return err;
}

/* Which crew repairs each leaf, where there are fewer crews than leaves. */
static int find_crews(struct avail_graph *graph)
{
	const struct avail_model *model = graph->model;
	size_t events = (size_t)model->event_count + 1, crews = (size_t)model->crew_count + 1;
	uint32_t *of_event = avail_take(graph->memory, events, sizeof *of_event);
	uint32_t *sizes = avail_take(graph->memory, crews, sizeof *sizes);
	int err = of_event && sizes ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < model->event_count && !err; i++)
		of_event[i] = AVAIL_NONE;
	for (uint32_t i = 0; i < model->crew_count && !err; i++)
		for (uint32_t k = 0; k < model->crews[i].count; k++)
			of_event[model->indexes[model->crews[i].first + k]] = i;
	for (uint32_t i = 0; i < graph->leaf_count && !err; i++) {
		const struct avail_leaf *leaf = &graph->flat.leaves[i];

		graph->crew_of[i] = of_event[graph->flat.members[leaf->first]];
		if (graph->crew_of[i] != AVAIL_NONE)
			sizes[graph->crew_of[i]]++;
	}
	for (uint32_t i = 0; i < graph->leaf_count && !err; i++) {
		uint32_t crew = graph->crew_of[i];

		if (crew != AVAIL_NONE && model->crews[crew].crews >= sizes[crew])
			graph->crew_of[i] = AVAIL_NONE;
	}
	avail_give(graph->memory, of_event, events, sizeof *of_event);
	avail_give(graph->memory, sizes, crews, sizeof *sizes);
	return err;
}

static int couple_crews(struct avail_graph *graph, uint32_t *parent, uint8_t *coupled)
{
	size_t crews = (size_t)graph->model->crew_count + 1;
	uint32_t *first = avail_take(graph->memory, crews, sizeof *first);

	if (!first)
		return -ENOMEM;
	for (uint32_t i = 0; i < crews; i++)
		first[i] = AVAIL_NONE;
	for (uint32_t i = 0; i < graph->leaf_count; i++) {
		uint32_t crew = graph->crew_of[i];

		if (crew == AVAIL_NONE)
			continue;
		if (first[crew] == AVAIL_NONE)
			first[crew] = i;
		unite(parent, first[crew], i);
		coupled[i] = 1;
	}
	avail_give(graph->memory, first, crews, sizeof *first);
	return 0;
}

static void number_modules(struct avail_graph *graph, uint32_t *parent, const uint8_t *coupled)
{
	for (uint32_t i = 0; i < graph->leaf_count; i++) {
		uint32_t head = find(parent, i);

		/* The head is the lowest, so it has its number before any other asks. */
		if (!coupled[i])
			graph->module_of[i] = AVAIL_NONE;
		else
			graph->module_of[i] =
				head == i ? graph->module_count++ : graph->module_of[head];
	}
}

static int couple(struct avail_graph *graph)
{
	size_t leaves = (size_t)graph->leaf_count + 1;
	uint32_t *parent = avail_take(graph->memory, leaves, sizeof *parent);
	uint8_t *coupled = avail_take(graph->memory, leaves, 1);
	int err = parent && coupled ? find_crews(graph) : -ENOMEM;

	for (uint32_t i = 0; i < graph->leaf_count && !err; i++)
		parent[i] = i;
	if (!err)
		err = couple_crews(graph, parent, coupled);
	if (!err)
		err = couple_groups(graph, parent, coupled);
	if (!err)
		number_modules(graph, parent, coupled);
	avail_give(graph->memory, parent, leaves, sizeof *parent);
	avail_give(graph->memory, coupled, leaves, 1);
	return err;
}

/* ---- all of it ---- */

static int flatten(struct avail_graph *graph, const struct avail_term *tops, uint32_t count,
		   const struct avail_list *events, const struct avail_list *gates, uint32_t **refs)
{
	uint32_t all = count + events->count + gates->count;
	struct avail_term *terms = avail_take(graph->memory, (size_t)all + 1, sizeof *terms);
	int err;

	*refs = avail_take(graph->memory, (size_t)all + 1, sizeof **refs);
	if (terms && *refs) {
		if (count)
			memcpy(terms, tops, count * sizeof *terms);
		for (uint32_t i = 0; i < gates->count; i++)
			terms[count + i] = (struct avail_term){ .kind = AVAIL_TERM_GATE,
								.index = gates->items[i] };
		for (uint32_t i = 0; i < events->count; i++)
			terms[count + gates->count + i] =
				(struct avail_term){ .kind = AVAIL_TERM_EVENT,
						     .index = events->items[i] };
		err = avail_flatten(&graph->flat, graph->model, terms, all, *refs);
	} else {
		err = -ENOMEM;
	}
	avail_give(graph->memory, terms, (size_t)all + 1, sizeof *terms);
	if (err) {
		avail_give(graph->memory, *refs, (size_t)all + 1, sizeof **refs);
		*refs = NULL;
	}
	return err;
}

int avail_graph_init(struct avail_graph *graph, const struct avail_model *model,
		     const struct avail_term *tops, uint32_t count)
{
	struct avail_list events = { .memory = model->memory }, gates = { .memory = model->memory };
	uint32_t *refs = NULL, all;
	int err;

	*graph = (struct avail_graph){ .model = model, .memory = model->memory };
	graph->group.memory = graph->tops.memory = model->memory;
	graph->tree.memory = model->memory;
	err = avail_reach(model, tops, count, &events, &gates);
	all = count + events.count + gates.count;
	if (!err)
		err = flatten(graph, tops, count, &events, &gates, &refs);
	avail_list_fini(&events);
	avail_list_fini(&gates);
	if (err)
		return err;
	graph->leaf_count = graph->flat.leaf_count;
	graph->crew_of =
		avail_take(graph->memory, (size_t)graph->leaf_count + 1, sizeof *graph->crew_of);
	graph->module_of =
		avail_take(graph->memory, (size_t)graph->leaf_count + 1, sizeof *graph->module_of);
	err = graph->crew_of && graph->module_of ? form(graph, refs, count) : -ENOMEM;
	avail_give(graph->memory, refs, (size_t)all + 1, sizeof *refs);
	if (!err)
		err = couple(graph);
	if (err)
		avail_graph_fini(graph);
	return err;
}

void avail_graph_fini(struct avail_graph *graph)
{
	size_t leaves = (size_t)graph->leaf_count + 1;

	avail_give(graph->memory, graph->crew_of, leaves, sizeof *graph->crew_of);
	avail_give(graph->memory, graph->module_of, leaves, sizeof *graph->module_of);
	if (graph->tree.event_node)
		avail_tree_fini(&graph->tree);
	avail_list_fini(&graph->group);
	avail_list_fini(&graph->tops);
	avail_flat_fini(&graph->flat);
}
