#include "avail/bdd.h"
#include "avail/module.h"
#include "avail/order.h"
#include "avail/solver.h"

#include <errno.h>

/* What building needs besides the solver that is built. */
struct build {
	struct avail_solver *solver;
	struct avail_dd dd;
	struct avail_order order;
	uint8_t *is_module;
	uint32_t *inputs;   /* one a node: the input that it is to its part */
	uint32_t *flips;    /* one a node, of modules: 1 when its part is its negation */
	uint32_t *constant; /* one a node, of modules: its constant value, or AVAIL_DD_NONE */
	uint32_t *slots;    /* one a node: level of a leaf, place on the stack of a gate */
	uint32_t *uses;	    /* one a node: references in its part that were not followed yet */
	uint32_t *args;	    /* of one gate */
	uint8_t *signs;	    /* one a node: enum avail_direction within its part */
	uint32_t most_args;
	uint32_t *images; /* one a node of dd: its step, when finishing */
	uint32_t image_room;
};

static uint32_t most_args(const struct avail_tree *tree)
{
	uint32_t most = 1;

	for (uint32_t i = 0; i < tree->node_count; i++)
		if (tree->nodes[i].count > most)
			most = tree->nodes[i].count;
	return most;
}

static void fini(struct build *b)
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

static int init(struct build *b, struct avail_solver *solver, const struct avail_budget *budget)
{
	struct avail_memory *memory = solver->memory;
	uint32_t count = solver->tree.node_count;
	int err;

	*b = (struct build){ .solver = solver, .most_args = most_args(&solver->tree) };
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
static void count_uses(struct build *b)
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
static uint32_t leaf_function(struct build *b, uint32_t node)
{
	uint32_t f;

	if (b->is_module[node] && b->constant[node] != AVAIL_DD_NONE)
		return b->constant[node];
	f = avail_bdd_variable(&b->dd, b->slots[node]);
	return f == AVAIL_DD_NONE ? f : f ^ b->flips[node];
}

static bool is_leaf(const struct build *b, uint32_t node)
{
	return b->is_module[node] || b->solver->tree.nodes[node].event != AVAIL_NO_EVENT;
}

/* Collects the functions of a gate's arguments, pushed.  false: the store stopped. */
static bool push_args(struct build *b, const struct avail_node *node)
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
static void release_args(struct build *b, const struct avail_node *node)
{
	for (uint32_t j = 0; j < node->count; j++) {
		uint32_t arg = avail_node_of(b->solver->tree.args[node->first + j]);

		if (!is_leaf(b, arg) && --b->uses[arg] == 0)
			b->dd.stack[b->slots[arg]] = AVAIL_FALSE;
	}
}

static uint32_t gate_function(struct build *b, const struct avail_node *node)
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
		must(!"a kind of simplified gate");
	avail_dd_pop(&b->dd, node->count);
	return f;
}

/* The part's function in the order that b->order has; AVAIL_DD_NONE: the store stopped, or no room.
 */
static uint32_t part_function(struct build *b)
{
	uint32_t first, base = b->dd.stack_count, f = AVAIL_DD_NONE;

	if (avail_dd_add_levels(&b->dd, b->order.leaf_count, &first) ||
	    avail_dd_reserve(&b->dd, b->order.gate_count))
		return AVAIL_DD_NONE;
	for (uint32_t i = 0; i < b->order.leaf_count; i++)
		b->slots[b->order.leaves[i]] = first + i;
	count_uses(b);
	for (uint32_t i = 0; i < b->order.gate_count; i++) {
		uint32_t gate = b->order.gates[i];
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

/* How the part's function can change with each leaf, as far as its gates show. */
static void find_signs(struct build *b, uint32_t flip)
{
	static const uint8_t opposite[] = { 0, AVAIL_FALLS, AVAIL_RISES, AVAIL_BOTH };
	const struct avail_tree *tree = b->order.tree;
	uint32_t count = b->order.gate_count;

	for (uint32_t i = 0; i < count; i++)
		b->signs[b->order.gates[i]] = 0;
	for (uint32_t i = 0; i < b->order.leaf_count; i++)
		b->signs[b->order.leaves[i]] = 0;
	b->signs[b->order.gates[count - 1]] = flip ? AVAIL_FALLS : AVAIL_RISES;
	for (uint32_t i = count; i-- > 0;) {
		const struct avail_node *node = &tree->nodes[b->order.gates[i]];
		uint8_t sign =
			node->kind == AVAIL_XOR ? (uint8_t)AVAIL_BOTH : b->signs[b->order.gates[i]];

		for (uint32_t j = 0; j < node->count; j++) {
			uint32_t ref = tree->args[node->first + j], arg = avail_node_of(ref);
			uint32_t turned = (ref & 1) ^ (b->is_module[arg] ? b->flips[arg] : 0);

			b->signs[arg] |= turned ? opposite[sign] : sign;
		}
	}
}

/* Room for 'more' steps. */
static int reserve_steps(struct avail_solver *s, uint32_t more)
{
	uint64_t room = s->step_room ? s->step_room : 256;
	void *steps;

	while (room < (uint64_t)s->step_count + more)
		room *= 2;
	if (room == s->step_room)
		return 0;
	if (room > INT32_MAX)
		return -ENOMEM;
	steps = avail_resize(s->memory, s->steps, s->step_room, (size_t)room, sizeof *s->steps);
	if (!steps)
		return -ENOMEM;
	s->steps = steps;
	s->step_room = (uint32_t)room;
	return 0;
}

/* The step of a node of the diagram, after those that it leads to. */
static uint32_t finish_node(struct build *b, uint32_t node, const uint32_t *inputs, uint32_t level)
{
	const struct avail_dd_node *n = &b->dd.nodes[node];
	struct avail_solver *s = b->solver;
	uint32_t low, high;

	if (b->images[node])
		return b->images[node];
	low = n->low >> 1 ? finish_node(b, n->low >> 1, inputs, level) : 0;
	high = n->high >> 1 ? finish_node(b, n->high >> 1, inputs, level) : 0;
	s->steps[s->step_count] = (struct avail_step){ .input = inputs[n->level - level],
						       .low = low << 1,
						       .high = high << 1 | (n->high & 1) };
	return b->images[node] = s->step_count++;
}

static int finish_steps(struct build *b, struct avail_part *part, uint32_t root)
{
	struct avail_solver *s = b->solver;
	uint32_t count = avail_dd_reach(&b->dd, &root, 1);
	int err = reserve_steps(s, count);

	if (err)
		return err;
	b->images = avail_take(s->memory, b->dd.used, sizeof *b->images);
	if (!b->images)
		return -ENOMEM;
	b->image_room = b->dd.used;
	part->first = s->step_count;
	part->root = finish_node(b, root >> 1, s->inputs + part->first_input,
				 b->slots[b->order.leaves[0]])
		     << 1;
	part->count = s->step_count - part->first;
	must(part->count == count);
	avail_give(s->memory, b->images, b->image_room, sizeof *b->images);
	b->images = NULL;
	return 0;
}

static void note_inputs(struct build *b, struct avail_part *part)
{
	struct avail_solver *s = b->solver;

	part->first_input = s->input_count;
	part->input_count = b->order.leaf_count;
	for (uint32_t i = 0; i < b->order.leaf_count; i++) {
		uint32_t leaf = b->order.leaves[i], input = b->inputs[leaf];

		s->inputs[s->input_count++] = input;
		s->rank[input] = i;
		s->direction[input] = b->signs[leaf];
	}
}

static int build_part(struct build *b, uint32_t gate)
{
	struct avail_solver *s = b->solver;
	struct avail_part *part = &s->parts[s->part_count];
	uint32_t f;
	int err = 0;

	avail_order_walk(&b->order, gate, AVAIL_WALK_AS_GIVEN);
	f = part_function(b);
	*part = (struct avail_part){ .gate = gate,
				     .exact = f != AVAIL_DD_NONE,
				     .ordering = avail_walk_name(AVAIL_WALK_AS_GIVEN) };
	b->constant[gate] = f >> 1 ? AVAIL_DD_NONE : f;
	b->flips[gate] = part->flip = part->exact ? f & 1 : 0;
	b->inputs[gate] = s->event_count + s->part_count++;
	find_signs(b, b->flips[gate]);
	note_inputs(b, part);
	if (part->exact && f >> 1)
		err = finish_steps(b, part, f);
	if (!err && part->exact)
		err = avail_find_directions(s, part);
	if (!part->exact || b->dd.level_count > AVAIL_DD_LEVELS)
		avail_dd_clear(&b->dd);
	return err;
}

int avail_build(struct avail_solver *solver, const struct avail_budget *budget)
{
	const struct avail_tree *tree = &solver->tree;
	struct build b;
	int err = init(&b, solver, budget);

	for (uint32_t i = 1; !err && i <= avail_node_of(solver->top); i++) {
		if (tree->nodes[i].event != AVAIL_NO_EVENT)
			b.inputs[i] = tree->nodes[i].event;
		else if (b.is_module[i])
			err = build_part(&b, i);
	}
	fini(&b);
	return err;
}
