#include "avail/maker.h"
#include "avail/simplify.h"

#include <errno.h>

enum { MOST_ROUNDS = 20 };

/* One pass: from a tree to the tree of the same function in better form. */
struct pass {
	const struct avail_tree *from;
	struct avail_maker maker;
	uint32_t *parents; /* one a node: how many arguments refer to it; 0: not needed */
	uint32_t *images;  /* one a node: what became of it */
};

/* Counts references, top down: a gate has a higher index than its arguments. */
static void count_parents(struct pass *pass, uint32_t top)
{
	pass->parents[avail_node_of(top)] = 1;
	for (uint32_t i = avail_node_of(top) + 1; i-- > 0;) {
		const struct avail_node *node = &pass->from->nodes[i];

		for (uint32_t j = 0; pass->parents[i] && j < node->count; j++)
			pass->parents[avail_node_of(pass->from->args[node->first + j])]++;
	}
}

static uint32_t image_of(const struct pass *pass, uint32_t ref)
{
	return pass->images[avail_node_of(ref)] ^ (ref & 1);
}

/* Adds an argument of an "and"; one that is an "and" itself and has no other use dissolves in it.
 */
static bool add_and_arg(struct pass *pass, uint32_t arg, uint32_t negated)
{
	const struct avail_tree *made = pass->maker.tree;
	uint32_t ref = image_of(pass, arg) ^ negated;
	const struct avail_node *node = &made->nodes[avail_node_of(ref)];
	uint32_t first = node->first, count = node->count;

	if (ref & 1 || node->event != AVAIL_NO_EVENT || node->kind != AVAIL_AND ||
	    pass->parents[avail_node_of(arg)] != 1)
		return avail_maker_add(&pass->maker, ref);
	for (uint32_t i = 0; i < count; i++)
		if (!avail_maker_add(&pass->maker, made->args[first + i]))
			return false;
	return true;
}

static uint32_t make_and(struct pass *pass, const struct avail_node *node, uint32_t negated)
{
	uint32_t ref;

	avail_maker_begin(&pass->maker);
	for (uint32_t i = 0; i < node->count; i++)
		if (!add_and_arg(pass, pass->from->args[node->first + i], negated))
			return AVAIL_NO_REF;
	ref = avail_maker_and(&pass->maker);
	return ref == AVAIL_NO_REF ? ref : ref ^ negated;
}

static bool add_args(struct pass *pass, const struct avail_node *node)
{
	avail_maker_begin(&pass->maker);
	for (uint32_t i = 0; i < node->count; i++)
		if (!avail_maker_add(&pass->maker,
				     image_of(pass, pass->from->args[node->first + i])))
			return false;
	return true;
}

static uint32_t make_cardinality(struct pass *pass, const struct avail_node *node)
{
	uint32_t enough, too_many = AVAIL_FALSE;

	if (node->low > node->high)
		return AVAIL_FALSE;
	enough =
		add_args(pass, node) ? avail_maker_at_least(&pass->maker, node->low) : AVAIL_NO_REF;
	if (node->high < node->count)
		too_many = add_args(pass, node) ? avail_maker_at_least(&pass->maker, node->high + 1)
						: AVAIL_NO_REF;
	if (enough == AVAIL_NO_REF || too_many == AVAIL_NO_REF)
		return AVAIL_NO_REF;
	avail_maker_begin(&pass->maker);
	if (!avail_maker_add(&pass->maker, enough) ||
	    !avail_maker_add(&pass->maker, avail_not(too_many)))
		return AVAIL_NO_REF;
	return avail_maker_and(&pass->maker);
}

static uint32_t make_image(struct pass *pass, const struct avail_node *node)
{
	if (node->event != AVAIL_NO_EVENT)
		return avail_tree_event(pass->maker.tree, node->event);
	switch (node->kind) {
	case AVAIL_AND:
		return make_and(pass, node, 0);
	case AVAIL_OR:
		return make_and(pass, node, 1);
	case AVAIL_XOR:
		return add_args(pass, node) ? avail_maker_xor(&pass->maker) : AVAIL_NO_REF;
	case AVAIL_AT_LEAST:
		return add_args(pass, node) ? avail_maker_at_least(&pass->maker, node->low)
					    : AVAIL_NO_REF;
	case AVAIL_CARDINALITY:
		return make_cardinality(pass, node);
	}
	must(!"a gate kind");
	return AVAIL_NO_REF;
}

static int run_pass(struct pass *pass, uint32_t top)
{
	count_parents(pass, top);
	for (uint32_t i = 1; i <= avail_node_of(top); i++) {
		if (!pass->parents[i])
			continue;
		pass->images[i] = make_image(pass, &pass->from->nodes[i]);
		if (pass->images[i] == AVAIL_NO_REF)
			return -ENOMEM;
	}
	return 0;
}

/* *made has been initialised. */
static int rewrite(struct avail_tree *made, uint32_t *made_top, const struct avail_tree *from,
		   uint32_t top)
{
	struct pass pass = { .from = from };
	struct avail_memory *memory = made->memory;
	uint32_t count = from->node_count;
	int err = avail_maker_init(&pass.maker, made);

	if (err)
		return err;
	pass.parents = avail_take(memory, count, sizeof *pass.parents);
	pass.images = avail_take(memory, count, sizeof *pass.images);
	err = pass.parents && pass.images ? run_pass(&pass, top) : -ENOMEM;
	if (!err)
		*made_top = image_of(&pass, top);
	avail_give(memory, pass.images, count, sizeof *pass.images);
	avail_give(memory, pass.parents, count, sizeof *pass.parents);
	avail_maker_fini(&pass.maker);
	return err;
}

/* Whether a pass has changed nothing but perhaps the order. */
static bool is_as_small(const struct avail_tree *a, const struct avail_tree *b)
{
	return a->node_count == b->node_count && a->arg_count == b->arg_count;
}

int avail_simplify(struct avail_tree *small, uint32_t *small_top, struct avail_memory *memory,
		   const struct avail_tree *tree, uint32_t top)
{
	struct avail_tree before = { .memory = memory };
	int err = 0;

	for (unsigned round = 0; round < MOST_ROUNDS; round++) {
		err = avail_tree_init(small, memory, tree->event_count);
		if (err)
			break;
		err = rewrite(small, small_top, round == 0 ? tree : &before, top);
		if (err || (round > 0 && is_as_small(small, &before)) || round + 1 == MOST_ROUNDS)
			break;
		avail_tree_fini(&before);
		before = *small;
		top = *small_top;
	}
	avail_tree_fini(&before);
	if (err)
		avail_tree_fini(small);
	return err;
}
