#include "avail/context.h"
#include "avail/group.h"
#include "avail/maker.h"
#include "avail/simplify.h"
#include "avail/sort.h"

#include <errno.h>

enum { MOST_ROUNDS = 20 };

enum pass_kind {
	PASS_FORM,   /* the first: bring gates to one form */
	PASS_REDUCE, /* again and again: dissolve, use what is known, group what is shared */
	PASS_GROUP,  /* the last: group the rest */
};

/* One pass: from a tree to the tree of the same function in better form. */
struct pass {
	const struct avail_tree *from;
	struct avail_maker maker;
	uint32_t *parents; /* one a node: how many arguments refer to it; 0: not needed */
	uint32_t *images;  /* one a node: what became of it */
	enum pass_kind kind;
	struct avail_context context;
	uint32_t *labels;	  /* one an argument: which belong together (group.h) */
	uint32_t *groups;	  /* one an argument: the gate made for those with its label */
	struct avail_keyed *keys; /* scratch, one an argument of a gate */
	uint32_t key_room;
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

/* An argument of a gate, with what is known of it there. */
static uint32_t arg_of(const struct pass *pass, const struct avail_node *gate, uint32_t index)
{
	uint32_t arg = pass->from->args[gate->first + index];

	if (pass->kind != PASS_REDUCE)
		return arg;
	return avail_context_of(&pass->context, (uint32_t)(gate - pass->from->nodes), arg);
}

/* Adds an argument of an "and"; one that is an "and" itself and has no other use dissolves in it.
 */
static bool add_and_arg(struct pass *pass, uint32_t arg, uint32_t negated)
{
	const struct avail_tree *made = pass->maker.tree;
	uint32_t ref = image_of(pass, arg) ^ negated;
	const struct avail_node *node = &made->nodes[avail_node_of(ref)];
	uint32_t first = node->first, count = node->count;

	if (pass->kind == PASS_GROUP || ref & 1 || node->event != AVAIL_NO_EVENT ||
	    node->kind != AVAIL_AND || pass->parents[avail_node_of(arg)] != 1)
		return avail_maker_add(&pass->maker, ref);
	for (uint32_t i = 0; i < count; i++)
		if (!avail_maker_add(&pass->maker, made->args[first + i]))
			return false;
	return true;
}

/* Makes a gate of the arguments keys[0 .. count - 1].value of a gate. */
static uint32_t make_group(struct pass *pass, const struct avail_node *node,
			   const struct avail_keyed *keys, uint32_t count)
{
	avail_maker_begin(&pass->maker);
	for (uint32_t i = 0; i < count; i++)
		if (!add_and_arg(pass, arg_of(pass, node, keys[i].value), 0))
			return AVAIL_NO_REF;
	return avail_maker_and(&pass->maker);
}

/* Makes gates of arguments that belong together, to stand where the first of them stood. */
static bool make_groups(struct pass *pass, const struct avail_node *node)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < node->count; i++)
		if (pass->labels[node->first + i])
			pass->keys[count++] =
				(struct avail_keyed){ pass->labels[node->first + i], i };
	avail_sort(pass->keys, count);
	for (uint32_t i = 0, next; i < count; i = next) {
		for (next = i + 1; next < count && pass->keys[next].key == pass->keys[i].key;
		     next++)
			pass->groups[node->first + pass->keys[next].value] = AVAIL_TRUE;
		pass->groups[node->first + pass->keys[i].value] =
			make_group(pass, node, pass->keys + i, next - i);
		if (pass->groups[node->first + pass->keys[i].value] == AVAIL_NO_REF)
			return false;
	}
	return true;
}

static uint32_t make_and(struct pass *pass, const struct avail_node *node, uint32_t negated)
{
	uint32_t ref;

	if (pass->labels && !make_groups(pass, node))
		return AVAIL_NO_REF;
	avail_maker_begin(&pass->maker);
	for (uint32_t i = 0; i < node->count; i++) {
		bool added = pass->labels && pass->labels[node->first + i]
				     ? avail_maker_add(&pass->maker, pass->groups[node->first + i])
				     : add_and_arg(pass, arg_of(pass, node, i), negated);

		if (!added)
			return AVAIL_NO_REF;
	}
	ref = avail_maker_and(&pass->maker);
	return ref == AVAIL_NO_REF ? ref : ref ^ negated;
}

static bool add_args(struct pass *pass, const struct avail_node *node)
{
	avail_maker_begin(&pass->maker);
	for (uint32_t i = 0; i < node->count; i++)
		if (!avail_maker_add(&pass->maker, image_of(pass, arg_of(pass, node, i))))
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
	must(false); /* not a gate kind */
	return AVAIL_NO_REF;
}

/* Finds out what a pass uses. */
static int look(struct pass *pass, uint32_t top)
{
	const struct avail_tree *from = pass->from;
	struct avail_memory *memory = pass->maker.tree->memory;
	int err = 0;

	count_parents(pass, top);
	if (pass->kind == PASS_FORM)
		return 0;
	for (uint32_t i = 0; i < from->node_count; i++)
		if (from->nodes[i].count > pass->key_room)
			pass->key_room = from->nodes[i].count;
	pass->labels = avail_take(memory, (size_t)from->arg_count + 1, sizeof *pass->labels);
	pass->groups = avail_take(memory, (size_t)from->arg_count + 1, sizeof *pass->groups);
	pass->keys = avail_take(memory, (size_t)pass->key_room + 1, sizeof *pass->keys);
	if (!pass->labels || !pass->groups || !pass->keys)
		return -ENOMEM;
	err = avail_group(from, top,
			  pass->kind == PASS_GROUP ? AVAIL_GROUP_ALL : AVAIL_GROUP_SHARED,
			  pass->labels);
	if (err || pass->kind == PASS_GROUP)
		return err;
	return avail_context_init(&pass->context, from, top, pass->parents);
}

static int run_pass(struct pass *pass, uint32_t top)
{
	int err = look(pass, top);

	for (uint32_t i = 1; !err && i <= avail_node_of(top); i++) {
		if (!pass->parents[i])
			continue;
		pass->images[i] = make_image(pass, &pass->from->nodes[i]);
		if (pass->images[i] == AVAIL_NO_REF)
			err = -ENOMEM;
	}
	return err;
}

/* *made has been initialised. */
static int rewrite(struct avail_tree *made, uint32_t *made_top, const struct avail_tree *from,
		   uint32_t top, enum pass_kind kind)
{
	struct avail_memory *memory = made->memory;
	struct pass pass = { .from = from, .kind = kind, .context = { .memory = memory } };
	uint32_t count = from->node_count;
	int err = avail_maker_init(&pass.maker, made);

	if (err)
		return err;
	pass.parents = avail_take(memory, count, sizeof *pass.parents);
	pass.images = avail_take(memory, count, sizeof *pass.images);
	err = pass.parents && pass.images ? run_pass(&pass, top) : -ENOMEM;
	if (!err)
		*made_top = image_of(&pass, top);
	avail_context_fini(&pass.context);
	avail_give(memory, pass.labels, (size_t)from->arg_count + 1, sizeof *pass.labels);
	avail_give(memory, pass.groups, (size_t)from->arg_count + 1, sizeof *pass.groups);
	avail_give(memory, pass.keys, (size_t)pass.key_room + 1, sizeof *pass.keys);
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

/* Replaces a tree by what a pass makes of it. */
static int pass_over(struct avail_tree *tree, uint32_t *top, enum pass_kind kind, bool *changed)
{
	struct avail_tree made;
	int err = avail_tree_init(&made, tree->memory, tree->event_count);

	if (!err)
		err = rewrite(&made, top, tree, *top, kind);
	if (err) {
		avail_tree_fini(&made);
		return err;
	}
	*changed = !is_as_small(&made, tree);
	avail_tree_fini(tree);
	*tree = made;
	return 0;
}

static bool goes_on(const struct avail_budget *budget)
{
	return !budget->go_on || budget->go_on(budget->context);
}

int avail_simplify(struct avail_tree *small, uint32_t *small_top, struct avail_memory *memory,
		   const struct avail_tree *tree, uint32_t top, const struct avail_budget *budget)
{
	bool changed = true;
	int err = avail_tree_init(small, memory, tree->event_count);

	if (!err)
		err = rewrite(small, small_top, tree, top, PASS_FORM);
	for (unsigned round = 0; !err && changed && round < MOST_ROUNDS && goes_on(budget); round++)
		err = pass_over(small, small_top, PASS_REDUCE, &changed);
	if (!err)
		err = pass_over(small, small_top, PASS_GROUP, &changed);
	if (err)
		avail_tree_fini(small);
	return err;
}
