#include "avail/module.h"

#include <errno.h>
#include <string.h>

/* When a node was met on a walk that goes below each gate once, on its first visit. */
struct visit {
	uint32_t first, left, last; /* left: when all below had been visited; 0: not yet */
	uint32_t next;		    /* argument to go to */
};

static uint32_t enter(struct visit *visits, uint32_t *path, uint32_t depth, uint32_t node,
		      uint32_t now)
{
	visits[node].first = visits[node].last = now;
	path[depth] = node;
	return depth + 1;
}

static void walk(const struct avail_tree *tree, uint32_t top, struct visit *visits, uint32_t *path)
{
	uint32_t now = 1, depth = enter(visits, path, 0, top, now);

	while (depth) {
		uint32_t at = path[depth - 1], arg;
		struct visit *v = &visits[at];

		if (v->next == tree->nodes[at].count) {
			v->left = v->last = ++now;
			depth--;
			continue;
		}
		arg = avail_node_of(tree->args[tree->nodes[at].first + v->next++]);
		if (visits[arg].first)
			visits[arg].last = ++now;
		else
			depth = enter(visits, path, depth, arg, ++now);
	}
}

/* Bottom up: a gate is a module when all below it is met only between entering and leaving it. */
static void judge(const struct avail_tree *tree, uint32_t top, struct visit *visits,
		  uint8_t *is_module)
{
	for (uint32_t i = 1; i <= top; i++) {
		const struct avail_node *node = &tree->nodes[i];
		uint32_t first = UINT32_MAX, last = 0;

		for (uint32_t j = 0; j < node->count; j++) {
			const struct visit *v = &visits[avail_node_of(tree->args[node->first + j])];

			/* 'next' has served; now it keeps the earliest below, 'left' the latest. */
			first = min_u32(first, min_u32(v->first, v->next));
			last = v->last > last ? v->last : last;
			last = v->left > last ? v->left : last;
		}
		if (!visits[i].first)
			continue;
		is_module[i] = node->count > 0 && first > visits[i].first && last < visits[i].left;
		visits[i].next = first;
		visits[i].left = last;
	}
}

int avail_modules(const struct avail_tree *tree, uint32_t top, uint8_t *is_module)
{
	uint32_t count = tree->node_count;
	struct visit *visits = avail_take(tree->memory, count, sizeof *visits);
	uint32_t *path = avail_take(tree->memory, count, sizeof *path);
	int err = visits && path ? 0 : -ENOMEM;

	if (!err) {
		memset(is_module, 0, count);
		walk(tree, avail_node_of(top), visits, path);
		judge(tree, avail_node_of(top), visits, is_module);
	}
	avail_give(tree->memory, path, count, sizeof *path);
	avail_give(tree->memory, visits, count, sizeof *visits);
	return err;
}
