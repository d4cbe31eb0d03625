#include "avail/cycle.h"

#include "avail/expression.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *shown(const char *name)
{
	return name ? name : "a formula";
}

/* A graph to look for cycles in: nodes 0 .. count - 1, each with things it depends on. */
struct graph {
	const struct avail_model *model;
	enum avail_part part;
	uint32_t count;
	uint32_t (*degree)(const struct avail_model *model, uint32_t node);
	/* The node that 'node' depends on in place 'place', or AVAIL_NONE: none there. */
	uint32_t (*next)(const struct avail_model *model, uint32_t node, uint32_t place);
	const char *(*name)(const struct avail_model *model, uint32_t node);
};

static uint32_t gate_degree(const struct avail_model *model, uint32_t gate)
{
	return model->gates[gate].count;
}

static uint32_t gate_next(const struct avail_model *model, uint32_t gate, uint32_t place)
{
	const struct avail_term *term = &model->terms[model->gates[gate].first + place];

	return term->kind == AVAIL_TERM_GATE ? term->index : AVAIL_NONE;
}

static const char *gate_name(const struct avail_model *model, uint32_t gate)
{
	return model->gates[gate].name;
}

static uint32_t expression_degree(const struct avail_model *model, uint32_t expression)
{
	return model->expressions[expression].count;
}

static uint32_t expression_next(const struct avail_model *model, uint32_t expression,
				uint32_t place)
{
	return model->indexes[model->expressions[expression].first + place];
}

static const char *expression_name(const struct avail_model *model, uint32_t expression)
{
	return model->expressions[expression].name;
}

/* A walk down the graph: the way to where it is, and how far each node on it has got. */
struct walk {
	uint32_t *way, *place;
	uint32_t depth;
	uint8_t *state;	  /* of each node */
	uint32_t *height; /* of each node that is DONE: nodes on the longest way down from it */
};
enum { UNSEEN, ON_THE_WAY, DONE };

/* Writes "a -> b -> a": the end of the way, from the node that comes again.  A long one is cut in
 * the middle. */
static void refuse_cycle(const struct graph *graph, const struct walk *walk, uint32_t again,
			 struct refusal *why, struct avail_where *where)
{
	char text[sizeof why->text - 32];
	const char *first = NULL, *name;
	size_t used = 0;
	uint32_t i = 0;

	while (walk->way[i] != again)
		i++;
	*where = (struct avail_where){ graph->part, again };
	for (; i < walk->depth; i++) {
		name = graph->name(graph->model, walk->way[i]);
		if (!name)
			continue;
		if (!first)
			*where = (struct avail_where){ graph->part, walk->way[i] };
		first = first ? first : name;
		if (used + strlen(name) + 16 > sizeof text / 2 && i + 2 < walk->depth) {
			used += (size_t)snprintf(text + used, sizeof text - used, "... -> ");
			i = walk->depth - 2;
			continue;
		}
		used += (size_t)snprintf(text + used, sizeof text - used, "%.48s -> ", name);
	}
	snprintf(text + used, sizeof text - used, "%.48s", shown(first));
	refuse(why, shown(first), "depends on itself: %s", text);
}

static void enter(struct walk *walk, uint32_t node)
{
	walk->state[node] = ON_THE_WAY;
	walk->way[walk->depth] = node;
	walk->place[walk->depth++] = 0;
}

static void leave(const struct graph *graph, struct walk *walk, uint32_t node)
{
	uint32_t highest = 0, degree = graph->degree(graph->model, node);

	for (uint32_t place = 0; place < degree; place++) {
		uint32_t next = graph->next(graph->model, node, place);

		if (next != AVAIL_NONE && walk->height[next] > highest)
			highest = walk->height[next];
	}
	walk->state[node] = DONE;
	walk->height[node] = highest + 1;
	walk->depth--;
}

/* Walks all that 'root' depends on; false with 'why' when that includes itself. */
static bool walk_from(const struct graph *graph, struct walk *walk, uint32_t root,
		      struct refusal *why, struct avail_where *where)
{
	enter(walk, root);
	while (walk->depth > 0) {
		uint32_t node = walk->way[walk->depth - 1], next;

		if (walk->place[walk->depth - 1] == graph->degree(graph->model, node)) {
			leave(graph, walk, node);
			continue;
		}
		next = graph->next(graph->model, node, walk->place[walk->depth - 1]++);
		if (next == AVAIL_NONE || walk->state[next] == DONE)
			continue;
		if (walk->state[next] == ON_THE_WAY) {
			refuse_cycle(graph, walk, next, why, where);
			return false;
		}
		enter(walk, next);
	}
	return true;
}

static int check_graph(const struct graph *graph, uint32_t highest, struct refusal *why,
		       struct avail_where *where)
{
	struct avail_memory *memory = graph->model->memory;
	uint32_t room = graph->count + 1;
	struct walk walk = {
		.way = avail_take(memory, room, sizeof *walk.way),
		.place = avail_take(memory, room, sizeof *walk.place),
		.state = avail_take(memory, room, sizeof *walk.state),
		.height = avail_take(memory, room, sizeof *walk.height),
	};
	int err = walk.way && walk.place && walk.state && walk.height ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < graph->count && !err; i++) {
		if (walk.state[i] == UNSEEN && !walk_from(graph, &walk, i, why, where))
			err = -EINVAL;
		if (!err && walk.height[i] > highest) {
			refuse(why, shown(graph->name(graph->model, i)),
			       "is nested more than %u deep", highest);
			*where = (struct avail_where){ graph->part, i };
			err = -EINVAL;
		}
	}
	avail_give(memory, walk.way, room, sizeof *walk.way);
	avail_give(memory, walk.place, room, sizeof *walk.place);
	avail_give(memory, walk.state, room, sizeof *walk.state);
	avail_give(memory, walk.height, room, sizeof *walk.height);
	return err;
}

int avail_cycle_check(const struct avail_model *model, struct refusal *why,
		      struct avail_where *where)
{
	const struct graph expressions = { .model = model,
					   .part = AVAIL_PART_EXPRESSION,
					   .count = model->expression_count,
					   .degree = expression_degree,
					   .next = expression_next,
					   .name = expression_name };
	const struct graph gates = { .model = model,
				     .part = AVAIL_PART_GATE,
				     .count = model->gate_count,
				     .degree = gate_degree,
				     .next = gate_next,
				     .name = gate_name };
	int err = check_graph(&expressions, AVAIL_NESTING_MAX, why, where);

	return err ? err : check_graph(&gates, AVAIL_NONE, why, where);
}
