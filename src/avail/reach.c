#include "avail/reach.h"
#include "avail/graph.h"

#include <errno.h>

struct reach {
	const struct avail_model *model;
	uint8_t *event_seen, *gate_seen;
	uint8_t *crew_taken, *standby_taken;
	uint8_t *scratch; /* gates seen while a group is looked at */
	bool dormant;	  /* whether a group with spares that do not run is among what matters */
	struct avail_list stack;
	struct avail_list *events, *gates;
};

static bool push_gate(struct reach *reach, const struct avail_term *term, uint8_t *gate_seen)
{
	if (term->kind != AVAIL_TERM_GATE || gate_seen[term->index])
		return true;
	gate_seen[term->index] = 1;
	return avail_list_add(&reach->stack, term->index);
}

/* Marks all events and gates below a term. */
static int mark(struct reach *reach, const struct avail_term *term)
{
	const struct avail_model *model = reach->model;

	if (term->kind == AVAIL_TERM_EVENT)
		reach->event_seen[term->index] = 1;
	if (!push_gate(reach, term, reach->gate_seen))
		return -ENOMEM;
	while (reach->stack.count > 0) {
		const struct avail_gate *gate =
			&model->gates[reach->stack.items[--reach->stack.count]];

		for (uint32_t i = 0; i < gate->count; i++) {
			const struct avail_term *arg = &model->terms[gate->first + i];

			if (arg->kind == AVAIL_TERM_EVENT)
				reach->event_seen[arg->index] = 1;
			if (!push_gate(reach, arg, reach->gate_seen))
				return -ENOMEM;
		}
	}
	return 0;
}

/* Whether an event that matters is below the gate: 1, 0, or -ENOMEM. */
static int touches(struct reach *reach, uint32_t root)
{
	const struct avail_model *model = reach->model;
	struct avail_term term = { .kind = AVAIL_TERM_GATE, .index = root };
	int found = 0;

	memset(reach->scratch, 0, model->gate_count);
	if (!push_gate(reach, &term, reach->scratch))
		return -ENOMEM;
	while (reach->stack.count > 0) {
		const struct avail_gate *gate =
			&model->gates[reach->stack.items[--reach->stack.count]];

		for (uint32_t i = 0; i < gate->count; i++) {
			const struct avail_term *arg = &model->terms[gate->first + i];

			if (arg->kind == AVAIL_TERM_EVENT && reach->event_seen[arg->index])
				found = 1;
			if (!push_gate(reach, arg, reach->scratch))
				return -ENOMEM;
		}
	}
	return found;
}

/* Whether the group changes how its members' events fail; any group does whose members might be
 * dormant in another one, as they are not when they run here. */
static bool changes_failures(const struct reach *reach, const struct avail_standby *standby)
{
	return standby->mode != AVAIL_HOT ||
	       (standby->coverage < 1 && standby->uncovered == AVAIL_UNCOVERED_TAKES_ALL) ||
	       (reach->dormant && avail_standby_matters(standby));
}

static int take_crew(struct reach *reach, const struct avail_crew *crew, bool *more)
{
	const struct avail_model *model = reach->model;
	bool needed = false;

	for (uint32_t i = 0; i < crew->count && !needed; i++)
		needed = reach->event_seen[model->indexes[crew->first + i]];
	if (!needed)
		return 0;
	for (uint32_t i = 0; i < crew->count; i++) {
		uint32_t event = model->indexes[crew->first + i];

		if (reach->event_seen[event])
			continue;
		reach->event_seen[event] = 1;
		if (!avail_list_add(reach->events, event))
			return -ENOMEM;
	}
	*more = true;
	return 1;
}

static int take_standby(struct reach *reach, const struct avail_standby *standby, bool *more)
{
	struct avail_term term = { .kind = AVAIL_TERM_GATE, .index = standby->gate };
	int found;

	if (!reach->gate_seen[standby->gate]) { /* the tops do not have it */
		if (!changes_failures(reach, standby))
			return 0;
		found = touches(reach, standby->gate);
		if (found <= 0)
			return found;
		if (!avail_list_add(reach->gates, standby->gate))
			return -ENOMEM;
		*more = true;
		found = mark(reach, &term);
		if (found)
			return found;
	}
	if (standby->mode != AVAIL_HOT && !reach->dormant)
		*more = reach->dormant = true;
	return 1;
}

/* One round over what is not taken yet. */
static int widen(struct reach *reach, bool *more)
{
	const struct avail_model *model = reach->model;
	int taken = 0;

	for (uint32_t i = 0; i < model->crew_count && taken >= 0; i++) {
		if (reach->crew_taken[i] || model->crews[i].crews >= model->crews[i].count)
			continue;
		taken = take_crew(reach, &model->crews[i], more);
		reach->crew_taken[i] = taken == 1;
	}
	for (uint32_t i = 0; i < model->standby_count && taken >= 0; i++) {
		if (reach->standby_taken[i])
			continue;
		taken = take_standby(reach, &model->standbys[i], more);
		reach->standby_taken[i] = taken == 1;
	}
	return taken < 0 ? taken : 0;
}

int avail_reach(const struct avail_model *model, const struct avail_term *tops, uint32_t count,
		struct avail_list *events, struct avail_list *gates)
{
	struct avail_memory *memory = model->memory;
	struct reach reach = {
		.model = model, .events = events, .gates = gates, .stack = { .memory = memory }
	};
	bool more = true;
	int err = -ENOMEM;

	reach.event_seen = avail_take(memory, (size_t)model->event_count + 1, 1);
	reach.gate_seen = avail_take(memory, (size_t)model->gate_count + 1, 1);
	reach.scratch = avail_take(memory, (size_t)model->gate_count + 1, 1);
	reach.crew_taken = avail_take(memory, (size_t)model->crew_count + 1, 1);
	reach.standby_taken = avail_take(memory, (size_t)model->standby_count + 1, 1);
	if (reach.event_seen && reach.gate_seen && reach.scratch && reach.crew_taken &&
	    reach.standby_taken)
		err = 0;
	for (uint32_t i = 0; i < count && !err; i++)
		err = mark(&reach, &tops[i]);
	while (more && !err) {
		more = false;
		err = widen(&reach, &more);
	}
	avail_give(memory, reach.event_seen, (size_t)model->event_count + 1, 1);
	avail_give(memory, reach.gate_seen, (size_t)model->gate_count + 1, 1);
	avail_give(memory, reach.scratch, (size_t)model->gate_count + 1, 1);
	avail_give(memory, reach.crew_taken, (size_t)model->crew_count + 1, 1);
	avail_give(memory, reach.standby_taken, (size_t)model->standby_count + 1, 1);
	avail_list_fini(&reach.stack);
	return err;
}
