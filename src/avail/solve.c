#include "avail/module.h"
#include "avail/simplify.h"
#include "avail/solver.h"

#include <errno.h>

static int take_arrays(struct avail_solver *s)
{
	uint32_t inputs;

	s->part_room = s->tree.node_count; /* every gate may be a module */
	inputs = s->event_count + s->part_room;
	s->parts = avail_take(s->memory, s->part_room, sizeof *s->parts);
	s->inputs = avail_take(s->memory, s->tree.node_count, sizeof *s->inputs);
	s->rank = avail_take(s->memory, inputs, sizeof *s->rank);
	s->direction = avail_take(s->memory, inputs, sizeof *s->direction);
	s->step_room = 64;
	s->steps = avail_take(s->memory, s->step_room, sizeof *s->steps);
	s->step_count = 1; /* the end */
	return s->parts && s->inputs && s->rank && s->direction && s->steps ? 0 : -ENOMEM;
}

/* A function that is one event has no gate to build. */
static void build_event(struct avail_solver *s, uint32_t event)
{
	s->parts[0] = (struct avail_part){ .root = 1 << 1,
					   .exact = true,
					   .first = 1,
					   .count = 1,
					   .input_count = 1,
					   .ordering = "one event" };
	s->part_count = 1;
	s->steps[1] = (struct avail_step){
		.input = event, .low = AVAIL_FALSE, .high = AVAIL_TRUE, .direction = AVAIL_RISES
	};
	s->step_count = 2;
	s->inputs[0] = event;
	s->input_count = 1;
	s->direction[event] = AVAIL_RISES;
}

/* The root of the last part is that of the whole. */
static void find_root(struct avail_solver *s)
{
	const struct avail_part *last = &s->parts[s->part_count - 1];

	s->root = s->top;
	if (avail_node_of(s->top))
		s->root = last->root ^ last->flip ^ (s->top & 1);
}

static int build(struct avail_solver *s, const struct avail_budget *budget)
{
	uint32_t node = avail_node_of(s->top);
	int err = 0;

	if (s->tree.nodes[node].event != AVAIL_NO_EVENT)
		build_event(s, s->tree.nodes[node].event);
	else if (node)
		err = avail_build(s, budget);
	if (err)
		return err;
	s->budget = avail_later(&s->budget);
	find_root(s);
	s->exact = true;
	for (uint32_t i = 0; i < s->part_count; i++)
		s->exact &= s->parts[i].exact;
	return avail_find_coherence(s);
}

int avail_solver_open(struct avail_solver **solver, struct avail_memory *memory,
		      const struct avail_tree *tree, uint32_t top,
		      const struct avail_budget *budget)
{
	struct avail_solver *s = avail_take(memory, 1, sizeof *s);
	int err;

	if (!s)
		return -ENOMEM;
	s->memory = s->tree.memory = memory;
	s->event_count = tree->event_count;
	if (budget)
		s->budget = *budget;
	s->above = AVAIL_TRUE;
	err = avail_simplify(&s->tree, &s->top, memory, tree, top, &s->budget);
	if (!err)
		err = take_arrays(s);
	if (!err)
		err = build(s, budget);
	if (err) {
		avail_solver_close(s);
		return err;
	}
	*solver = s;
	return 0;
}

void avail_solver_close(struct avail_solver *s)
{
	struct avail_memory *memory;

	if (!s)
		return;
	memory = s->memory;
	avail_give(memory, s->values, 2 * (size_t)s->step_count, sizeof *s->values);
	avail_give(memory, s->parts, s->part_room, sizeof *s->parts);
	avail_give(memory, s->inputs, s->tree.node_count, sizeof *s->inputs);
	avail_give(memory, s->rank, s->event_count + s->part_room, sizeof *s->rank);
	avail_give(memory, s->direction, s->event_count + s->part_room, sizeof *s->direction);
	avail_give(memory, s->steps, s->step_room, sizeof *s->steps);
	avail_tree_fini(&s->tree);
	avail_give(memory, s, 1, sizeof *s);
}

bool avail_solver_is_exact(const struct avail_solver *solver)
{
	return solver->exact;
}

bool avail_solver_is_coherent(const struct avail_solver *solver)
{
	return solver->coherent;
}

void avail_solver_size(const struct avail_solver *solver, struct avail_size *size)
{
	*size = (struct avail_size){ .modules = solver->part_count,
				     .nodes = solver->step_count - 1,
				     .nodes_peak = solver->nodes_peak,
				     .ordering = "none" };
	for (uint32_t i = 0; i < solver->tree.node_count; i++)
		if (solver->tree.nodes[i].event == AVAIL_NO_EVENT)
			size->gates += i > 0;
		else
			size->events++;
	if (solver->part_count)
		size->ordering = solver->parts[solver->part_count - 1].ordering;
}
