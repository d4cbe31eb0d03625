#include "avail/bound.h"
#include "avail/order.h"
#include "avail/shrink.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum {
	MORE_MOST = 4, /* times the nodes, from round to round */
	ROUNDS = 4,
	WORK_A_NODE =
		4,  /* nodes that an operation may make for each node that its result may keep */
	SHARE = 32, /* of the budget's nodes, that one function may have at first */
	LEAST = 16, /* with fewer nodes it is no use */
};

/* The upper bound is this near to the lower one: good enough. */
#define NEAR_ENOUGH 1.001

/* A function that is true only where a gate is, and one that is true wherever it is. */
struct between {
	uint32_t below, above;
};

struct bounding {
	struct avail_solver *solver;
	struct avail_dd dd;
	struct avail_shrink shrink;
	struct avail_order order;
	uint8_t *closed;      /* one a node: a module with a diagram, as all in it are */
	uint32_t *part_of;    /* one a node, of closed ones: its part */
	uint32_t *slots;      /* one a node: level of a leaf, place on the stack of a gate */
	uint32_t *uses;	      /* one a node: references that were not followed yet */
	double *chance;	      /* one a leaf, in their order */
	struct between *args; /* of one gate */
	struct between *rows; /* of one k-of-n gate */
	uint32_t most_args;
	uint32_t first_level, most;
	uint32_t lost;	  /* how often something was dropped */
	uint32_t *images; /* one a node of dd: its step, while finishing */
	struct between best;
	double best_below, best_above; /* their probabilities */
	struct between result;	       /* as references to steps */
};

static struct between negation(struct between f)
{
	return (struct between){ avail_bdd_not(f.above), avail_bdd_not(f.below) };
}

/* ---- operations that always have a result ---- */

static bool was_told(const struct bounding *b)
{
	return b->dd.stop == AVAIL_DD_TOLD;
}

/* Begins an attempt, after the last one has perhaps used up its quota. */
static void begin(struct bounding *b, uint32_t most)
{
	if (!was_told(b))
		b->dd.stop = AVAIL_DD_GOING;
	b->dd.quota = WORK_A_NODE * (uint64_t)most;
}

/* What is on that side of everything. */
static uint32_t give_up(struct bounding *b, enum avail_side side)
{
	b->lost++;
	return side == AVAIL_BELOW ? AVAIL_FALSE : AVAIL_TRUE;
}

/* f with at most about so many nodes, pushed. */
static uint32_t push_smaller(struct bounding *b, uint32_t f, enum avail_side side, uint32_t most)
{
	uint32_t smaller;

	avail_dd_push(&b->dd, f);
	begin(b, most);
	smaller = avail_shrink(&b->shrink, f, side, most);
	avail_dd_pop(&b->dd, 1);
	if (smaller == AVAIL_DD_NONE)
		smaller = give_up(b, side);
	b->lost += smaller != f;
	return avail_dd_push(&b->dd, smaller);
}

/* Both, or what is on that side of it.  f and g are pushed or reachable, the result is not. */
static uint32_t and_on(struct bounding *b, enum avail_side side, uint32_t f, uint32_t g)
{
	uint32_t base = b->dd.stack_count, result = AVAIL_DD_NONE;

	if (avail_dd_reserve(&b->dd, 16))
		return give_up(b, side);
	for (uint32_t most = b->most; most >= LEAST && !was_told(b); most /= 4) {
		begin(b, b->most);
		result = avail_bdd_and(&b->dd, f, g);
		if (result != AVAIL_DD_NONE)
			break;
		f = push_smaller(b, f, side, most / 4);
		g = push_smaller(b, g, side, most / 4);
		avail_dd_pop(&b->dd, b->dd.stack_count - base);
		avail_dd_push(&b->dd, f);
		avail_dd_push(&b->dd, g);
	}
	if (result == AVAIL_DD_NONE) {
		/* One of both is above their "and". */
		b->lost++;
		result = side == AVAIL_BELOW ? (uint32_t)AVAIL_FALSE : f;
	}
	result = push_smaller(b, result, side, b->most);
	avail_dd_pop(&b->dd, b->dd.stack_count - base);
	return result;
}

/* Pushes a pair. */
static struct between push(struct bounding *b, struct between f)
{
	avail_dd_push(&b->dd, f.below);
	avail_dd_push(&b->dd, f.above);
	return f;
}

static struct between both(struct bounding *b, struct between f, struct between g)
{
	uint32_t lost = b->lost;
	struct between result;

	result.below = avail_dd_push(&b->dd, and_on(b, AVAIL_BELOW, f.below, g.below));
	if (f.below == f.above && g.below == g.above && b->lost == lost)
		result.above = result.below;
	else
		result.above = and_on(b, AVAIL_ABOVE, f.above, g.above);
	avail_dd_pop(&b->dd, 1);
	return result;
}

static struct between either(struct bounding *b, struct between f, struct between g)
{
	return negation(both(b, negation(f), negation(g)));
}

/* ---- gates ---- */

/* Topmost first, so that "and" can begin at the end. */
static void sort_args(struct bounding *b, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		struct between f = b->args[i];
		uint32_t level = avail_dd_level_of(&b->dd, f.above), j = i;

		for (; j > 0 && avail_dd_level_of(&b->dd, b->args[j - 1].above) > level; j--)
			b->args[j] = b->args[j - 1];
		b->args[j] = f;
	}
}

static struct between and_all(struct bounding *b, uint32_t count)
{
	struct between all = { AVAIL_TRUE, AVAIL_TRUE };

	for (uint32_t i = count; i-- > 0;) {
		push(b, all);
		all = both(b, b->args[i], all);
		avail_dd_pop(&b->dd, 2);
	}
	return all;
}

/* One of both and not the other. */
static struct between differ(struct bounding *b, struct between f, struct between g)
{
	struct between one = push(b, both(b, f, negation(g)));
	struct between two = push(b, both(b, negation(f), g)), result;

	result = either(b, one, two);
	avail_dd_pop(&b->dd, 4);
	return result;
}

static struct between xor_all(struct bounding *b, uint32_t count)
{
	struct between all = { AVAIL_FALSE, AVAIL_FALSE };

	for (uint32_t i = count; i-- > 0;) {
		push(b, all);
		all = differ(b, b->args[i], all);
		avail_dd_pop(&b->dd, 2);
	}
	return all;
}

/* Row by row from the last argument up: rows[j] is "at least j of those from this one on".  The
 * rows are pushed, in their order. */
static struct between at_least(struct bounding *b, uint32_t low, uint32_t count)
{
	uint32_t base = b->dd.stack_count;

	if (low > count)
		return (struct between){ AVAIL_FALSE, AVAIL_FALSE };
	for (uint32_t j = 0; j <= low; j++)
		b->rows[j] = push(b, j ? (struct between){ AVAIL_FALSE, AVAIL_FALSE }
				       : (struct between){ AVAIL_TRUE, AVAIL_TRUE });
	for (uint32_t i = count; i > 0; i--) {
		uint32_t least = low > i - 1 ? low - (i - 1) : 1;

		for (uint32_t j = low; j >= least; j--) {
			struct between more = push(b, both(b, b->args[i - 1], b->rows[j - 1]));

			b->rows[j] = either(b, more, b->rows[j]);
			avail_dd_pop(&b->dd, 2);
			b->dd.stack[base + 2 * j] = b->rows[j].below;
			b->dd.stack[base + 2 * j + 1] = b->rows[j].above;
		}
	}
	avail_dd_pop(&b->dd, 2 * (low + 1));
	return b->rows[low];
}

static bool is_leaf(const struct bounding *b, uint32_t node)
{
	return b->closed[node] || b->solver->tree.nodes[node].event != AVAIL_NO_EVENT;
}

static uint32_t leaf_function(struct bounding *b, uint32_t node)
{
	const struct avail_part *part;
	uint32_t f;

	if (b->closed[node]) {
		part = &b->solver->parts[b->part_of[node]];
		if (part->root >> 1 == 0)
			return part->root ^ part->flip;
	}
	begin(b, LEAST);
	f = avail_bdd_variable(&b->dd, b->slots[node]);
	if (f == AVAIL_DD_NONE)
		return f;
	return b->closed[node] ? f ^ b->solver->parts[b->part_of[node]].flip : f;
}

static struct between argument(struct bounding *b, uint32_t ref)
{
	uint32_t node = avail_node_of(ref), f;
	struct between arg;

	if (is_leaf(b, node)) {
		f = leaf_function(b, node);
		arg = (struct between){ f, f };
		if (f == AVAIL_DD_NONE)
			arg = (struct between){ AVAIL_FALSE, AVAIL_TRUE };
	} else {
		arg.below = b->dd.stack[b->slots[node]];
		arg.above = b->dd.stack[b->slots[node] + 1];
	}
	return ref & 1 ? negation(arg) : arg;
}

static struct between gate_bounds(struct bounding *b, const struct avail_node *node)
{
	struct between f;

	for (uint32_t j = 0; j < node->count; j++)
		b->args[j] = push(b, argument(b, b->solver->tree.args[node->first + j]));
	sort_args(b, node->count);
	if (node->kind == AVAIL_AND)
		f = and_all(b, node->count);
	else if (node->kind == AVAIL_XOR)
		f = xor_all(b, node->count);
	else
		f = at_least(b, node->low, node->count);
	avail_dd_pop(&b->dd, 2 * node->count);
	return f;
}

static void count_uses(struct bounding *b)
{
	const struct avail_tree *tree = &b->solver->tree;

	for (uint32_t i = 0; i < b->order.gate_count; i++)
		b->uses[b->order.gates[i]] = 0;
	for (uint32_t i = 0; i < b->order.gate_count; i++) {
		const struct avail_node *node = &tree->nodes[b->order.gates[i]];

		for (uint32_t j = 0; j < node->count; j++)
			b->uses[avail_node_of(tree->args[node->first + j])]++;
	}
}

static void release_args(struct bounding *b, const struct avail_node *node)
{
	for (uint32_t j = 0; j < node->count; j++) {
		uint32_t arg = avail_node_of(b->solver->tree.args[node->first + j]);

		if (!is_leaf(b, arg) && --b->uses[arg] == 0)
			b->dd.stack[b->slots[arg]] = b->dd.stack[b->slots[arg] + 1] = AVAIL_FALSE;
	}
}

/* Bounds of the whole with functions of at most b->most nodes; false: no room for the stack. */
static bool bound_gates(struct bounding *b, struct between *whole)
{
	const struct avail_tree *tree = &b->solver->tree;
	uint32_t base = b->dd.stack_count;

	if (avail_dd_reserve(&b->dd, 2 * b->order.gate_count + 6 * b->most_args + 64))
		return false;
	count_uses(b);
	for (uint32_t i = 0; i < b->order.gate_count; i++) {
		uint32_t gate = b->order.gates[i];

		*whole = gate_bounds(b, &tree->nodes[gate]);
		release_args(b, &tree->nodes[gate]);
		b->slots[gate] = b->dd.stack_count;
		push(b, *whole);
	}
	avail_dd_pop(&b->dd, b->dd.stack_count - base);
	if (b->solver->top & 1)
		*whole = negation(*whole);
	return true;
}

/* ---- rounds ---- */

/* Keeps what is nearer than before; the best are pushed, two. */
static bool keep_better(struct bounding *b, struct between found)
{
	double below, above; /* NAN, which is no better, when there was no room */

	push(b, found);
	below = avail_shrink_chance(&b->shrink, found.below);
	above = avail_shrink_chance(&b->shrink, found.above);
	avail_dd_pop(&b->dd, 2);
	if (below > b->best_below) {
		b->best_below = below;
		b->best.below = found.below;
	}
	if (above < b->best_above) {
		b->best_above = above;
		b->best.above = found.above;
	}
	b->dd.stack[0] = b->best.below;
	b->dd.stack[1] = b->best.above;
	return b->best_above > NEAR_ENOUGH * b->best_below;
}

static void run_rounds(struct bounding *b, uint32_t most)
{
	bool more = true;

	push(b, b->best);
	/* All functions that live at once must fit, two a gate. */
	if (b->dd.budget.nodes && most > b->dd.budget.nodes / SHARE)
		most = (uint32_t)b->dd.budget.nodes / SHARE;
	b->most = most > LEAST ? most : LEAST;
	for (unsigned round = 0; more && round < ROUNDS && !was_told(b); round++) {
		struct between found;

		if (!bound_gates(b, &found))
			return;
		if (!was_told(b))
			more = keep_better(b, found);
		b->most *= MORE_MOST;
	}
}

/* ---- steps ---- */

static uint32_t input_of(const struct bounding *b, uint32_t leaf)
{
	const struct avail_solver *s = b->solver;

	return b->closed[leaf] ? s->event_count + b->part_of[leaf] : s->tree.nodes[leaf].event;
}

static uint32_t finish_node(struct bounding *b, uint32_t node)
{
	const struct avail_dd_node *n = &b->dd.nodes[node];
	struct avail_solver *s = b->solver;
	uint32_t low, high;

	if (node == 0 || b->images[node])
		return b->images[node];
	low = finish_node(b, n->low >> 1) << 1;
	high = finish_node(b, n->high >> 1) << 1 | (n->high & 1);
	s->steps[s->step_count] = (struct avail_step){
		.input = input_of(b, b->order.leaves[n->level - b->first_level]),
		.low = low,
		.high = high,
	};
	return b->images[node] = s->step_count++;
}

/* Without room for the steps, the bounds stay false and true. */
static void finish(struct bounding *b)
{
	uint32_t refs[2] = { b->best.below, b->best.above };
	uint32_t more = avail_dd_reach(&b->dd, refs, 2), used = b->dd.used;

	if (avail_reserve_steps(b->solver, more))
		return;
	b->images = avail_take(b->solver->memory, used, sizeof *b->images);
	if (!b->images)
		return;
	b->solver->below = finish_node(b, refs[0] >> 1) << 1 | (refs[0] & 1);
	b->solver->above = finish_node(b, refs[1] >> 1) << 1 | (refs[1] & 1);
	avail_give(b->solver->memory, b->images, used, sizeof *b->images);
}

/* ---- all of it ---- */

static void find_closed(struct bounding *b)
{
	const struct avail_solver *s = b->solver;

	for (uint32_t i = 0; i < s->part_count; i++) {
		const struct avail_part *part = &s->parts[i];
		bool closed = part->exact;

		for (uint32_t j = 0; closed && j < part->input_count; j++) {
			uint32_t input = s->inputs[part->first_input + j];

			closed = input < s->event_count ||
				 b->closed[s->parts[input - s->event_count].gate];
		}
		b->closed[part->gate] = closed;
		b->part_of[part->gate] = i;
	}
}

static int init(struct bounding *b)
{
	struct avail_solver *s = b->solver;
	struct avail_memory *memory = s->memory;
	struct avail_budget budget = avail_later(&s->budget);
	uint32_t count = s->tree.node_count;
	int err;

	for (uint32_t i = 0; i < count; i++)
		b->most_args = b->most_args > s->tree.nodes[i].count ? b->most_args
								     : s->tree.nodes[i].count;
	b->order.tree = &s->tree;
	b->dd.memory = memory;
	avail_shrink_init(&b->shrink, &b->dd);
	err = avail_dd_init(&b->dd, memory, &budget);
	b->closed = avail_take(memory, count, sizeof *b->closed);
	b->part_of = avail_take(memory, count, sizeof *b->part_of);
	b->slots = avail_take(memory, count, sizeof *b->slots);
	b->uses = avail_take(memory, count, sizeof *b->uses);
	b->chance = avail_take(memory, count, sizeof *b->chance);
	b->args = avail_take(memory, (size_t)b->most_args + 1, sizeof *b->args);
	b->rows = avail_take(memory, (size_t)b->most_args + 1, sizeof *b->rows);
	if (err || !b->closed || !b->part_of || !b->slots || !b->uses || !b->chance || !b->args ||
	    !b->rows)
		return -ENOMEM;
	find_closed(b);
	return avail_order_init(&b->order, &s->tree, s->top, b->closed);
}

static void fini(struct bounding *b)
{
	struct avail_memory *memory = b->solver->memory;
	uint32_t count = b->solver->tree.node_count;

	avail_shrink_fini(&b->shrink);
	avail_give(memory, b->closed, count, sizeof *b->closed);
	avail_give(memory, b->part_of, count, sizeof *b->part_of);
	avail_give(memory, b->slots, count, sizeof *b->slots);
	avail_give(memory, b->uses, count, sizeof *b->uses);
	avail_give(memory, b->chance, count, sizeof *b->chance);
	avail_give(memory, b->args, (size_t)b->most_args + 1, sizeof *b->args);
	avail_give(memory, b->rows, (size_t)b->most_args + 1, sizeof *b->rows);
	avail_order_fini(&b->order);
	avail_dd_fini(&b->dd);
}

/* Orders the leaves, each with a level and its probability. */
static int place_leaves(struct bounding *b, const double *p)
{
	const struct avail_solver *s = b->solver;
	int err;

	avail_order_walk(&b->order, avail_node_of(s->top), AVAIL_WALK_GATES_FIRST);
	err = avail_dd_add_levels(&b->dd, b->order.leaf_count, &b->first_level);
	for (uint32_t i = 0; !err && i < b->order.leaf_count; i++) {
		uint32_t leaf = b->order.leaves[i];

		b->slots[leaf] = b->first_level + i;
		b->chance[i] = b->closed[leaf] ? s->values[s->parts[b->part_of[leaf]].root]
					       : p[s->tree.nodes[leaf].event];
	}
	b->shrink.first_level = b->first_level;
	b->shrink.chance = b->chance;
	return err;
}

void avail_bound(struct avail_solver *solver, const double *p, uint32_t most)
{
	struct bounding b = {
		.solver = solver,
		.best = { AVAIL_FALSE, AVAIL_TRUE },
		.best_below = 0,
		.best_above = 1,
	};
	int err = init(&b);

	solver->below = AVAIL_FALSE;
	solver->above = AVAIL_TRUE;
	if (!err)
		err = place_leaves(&b, p);
	if (!err) {
		run_rounds(&b, most);
		finish(&b);
	}
	fini(&b);
}
