#include "avail/expression.h"

#include <errno.h>
#include <string.h>

enum { TEXT_ROOM = 4096 }; /* of one piece of the texts, more for a longer one */

/* A piece of the texts; names point into it, so it never moves. */
struct avail_text {
	struct avail_text *next;
	size_t room, used;
	char bytes[];
};

int avail_model_init(struct avail_model *model, struct avail_memory *memory, const char *name)
{
	*model = (struct avail_model){ .memory = memory, .mission_h = AVAIL_MISSION_H };
	model->name = avail_model_text(model, name);
	return model->name ? 0 : -ENOMEM;
}

static void give_texts(struct avail_model *model)
{
	struct avail_text *text = model->texts, *next;

	for (; text; text = next) {
		next = text->next;
		avail_give(model->memory, text, 1, sizeof *text + text->room);
	}
}

/* Gives back one of the arrays of the model. */
#define GIVE(array, room) avail_give(model->memory, model->array, model->room, sizeof *model->array)

void avail_model_fini(struct avail_model *model)
{
	GIVE(frus, fru_room);
	GIVE(events, event_room);
	GIVE(gates, gate_room);
	GIVE(ccfs, ccf_room);
	GIVE(standbys, standby_room);
	GIVE(crews, crew_room);
	GIVE(capacities, capacity_room);
	GIVE(tops, top_room);
	GIVE(terms, term_room);
	GIVE(shares, share_room);
	GIVE(indexes, index_room);
	GIVE(expressions, expression_room);
	give_texts(model);
	*model = (struct avail_model){ .memory = model->memory };
}

const char *avail_model_text(struct avail_model *model, const char *text)
{
	size_t size = strlen(text) + 1, room = size > TEXT_ROOM ? size : TEXT_ROOM;
	struct avail_text *piece = model->texts;
	char *copy;

	if (!piece || piece->room - piece->used < size) {
		piece = avail_take(model->memory, 1, sizeof *piece + room);
		if (!piece)
			return NULL;
		piece->room = room;
		piece->next = model->texts;
		model->texts = piece;
	}
	copy = piece->bytes + piece->used;
	memcpy(copy, text, size);
	piece->used += size;
	return copy;
}

/* Makes room for 'more' things behind 'count' in the array that *array points to, whatever its
 * type. false: there is none, and the old stays. */
static bool grow(struct avail_model *model, void *array, uint32_t *room, uint32_t count,
		 uint32_t more, size_t size)
{
	uint64_t wanted = (uint64_t)count + more, next = *room ? *room : 16;
	void *now;

	memcpy(&now, array, sizeof now);
	if (wanted <= *room)
		return true;
	while (next < wanted)
		next *= 2;
	if (next > AVAIL_NONE / 2)
		return false;
	now = avail_resize(model->memory, now, *room, (size_t)next, size);
	if (!now)
		return false;
	memcpy(array, &now, sizeof now);
	*room = (uint32_t)next;
	return true;
}

#define GROW(array, room, count, more) \
	grow(model, &model->array, &model->room, model->count, more, sizeof *model->array)

/* A name that may be absent; false: no room. */
static bool name_of(struct avail_model *model, const char *name, const char **copy)
{
	*copy = name ? avail_model_text(model, name) : NULL;
	return !name || *copy;
}

uint32_t avail_model_fru(struct avail_model *model, const char *kind, const char *name)
{
	struct avail_fru fru = { 0 };

	if (!name_of(model, name, &fru.name) || !name_of(model, kind, &fru.kind) ||
	    !GROW(frus, fru_room, fru_count, 1))
		return AVAIL_NONE;
	model->frus[model->fru_count] = fru;
	return model->fru_count++;
}

uint32_t avail_model_event(struct avail_model *model, const char *name)
{
	struct avail_event event = { .fru = AVAIL_NONE,
				     .probability = AVAIL_NONE,
				     .failure_rate = AVAIL_NONE,
				     .repair_h = AVAIL_NONE };

	if (!name_of(model, name, &event.name) || !GROW(events, event_room, event_count, 1))
		return AVAIL_NONE;
	model->events[model->event_count] = event;
	return model->event_count++;
}

uint32_t avail_model_gate(struct avail_model *model, const char *name)
{
	struct avail_gate gate = { .standby = AVAIL_NONE };

	if (!name_of(model, name, &gate.name) || !GROW(gates, gate_room, gate_count, 1))
		return AVAIL_NONE;
	model->gates[model->gate_count] = gate;
	return model->gate_count++;
}

uint32_t avail_model_ccf(struct avail_model *model, const char *name)
{
	struct avail_ccf ccf = { .total = AVAIL_NONE };

	if (!name_of(model, name, &ccf.name) || !GROW(ccfs, ccf_room, ccf_count, 1))
		return AVAIL_NONE;
	model->ccfs[model->ccf_count] = ccf;
	return model->ccf_count++;
}

uint32_t avail_model_standby(struct avail_model *model, const char *name, uint32_t gate)
{
	struct avail_standby standby = { .gate = gate, .needed = 1, .coverage = 1 };

	must(gate < model->gate_count);
	if (!name_of(model, name, &standby.name) || !GROW(standbys, standby_room, standby_count, 1))
		return AVAIL_NONE;
	model->gates[gate].standby = model->standby_count;
	model->standbys[model->standby_count] = standby;
	return model->standby_count++;
}

uint32_t avail_model_crew(struct avail_model *model, const char *name, uint32_t crews)
{
	struct avail_crew crew = { .crews = crews };

	if (!name_of(model, name, &crew.name) || !GROW(crews, crew_room, crew_count, 1))
		return AVAIL_NONE;
	model->crews[model->crew_count] = crew;
	return model->crew_count++;
}

uint32_t avail_model_capacity(struct avail_model *model, const char *name, const char *unit)
{
	struct avail_capacity capacity = { .down = { .kind = AVAIL_TERM_CONSTANT } };

	if (!name_of(model, name, &capacity.name) || !name_of(model, unit, &capacity.unit) ||
	    !GROW(capacities, capacity_room, capacity_count, 1))
		return AVAIL_NONE;
	model->capacities[model->capacity_count] = capacity;
	return model->capacity_count++;
}

uint32_t avail_model_top(struct avail_model *model, const char *name, struct avail_term down)
{
	struct avail_top top = { .down = down, .capacity = AVAIL_NONE, .frequency = AVAIL_NONE };

	if (!name_of(model, name, &top.name) || !GROW(tops, top_room, top_count, 1))
		return AVAIL_NONE;
	model->tops[model->top_count] = top;
	return model->top_count++;
}

uint32_t avail_model_terms(struct avail_model *model, const struct avail_term *terms,
			   uint32_t count)
{
	uint32_t first = model->term_count;

	if (!GROW(terms, term_room, term_count, count))
		return AVAIL_NONE;
	if (count)
		memcpy(model->terms + first, terms, count * sizeof *terms);
	model->term_count += count;
	return first;
}

uint32_t avail_model_indexes(struct avail_model *model, const uint32_t *indexes, uint32_t count)
{
	uint32_t first = model->index_count;

	if (!GROW(indexes, index_room, index_count, count))
		return AVAIL_NONE;
	if (count)
		memcpy(model->indexes + first, indexes, count * sizeof *indexes);
	model->index_count += count;
	return first;
}

uint32_t avail_model_shares(struct avail_model *model, const struct avail_share *shares,
			    uint32_t count)
{
	uint32_t first = model->share_count;

	if (!GROW(shares, share_room, share_count, count))
		return AVAIL_NONE;
	if (count)
		memcpy(model->shares + first, shares, count * sizeof *shares);
	model->share_count += count;
	return first;
}

int avail_model_define(struct avail_model *model, uint32_t gate, enum avail_formula_kind kind,
		       const struct avail_term *args, uint32_t count)
{
	uint32_t first = avail_model_terms(model, args, count);

	must(gate < model->gate_count);
	if (first == AVAIL_NONE)
		return -ENOMEM;
	model->gates[gate].kind = kind;
	model->gates[gate].first = first;
	model->gates[gate].count = count;
	return 0;
}

uint32_t avail_model_repairable(struct avail_model *model, const char *name, uint32_t fru,
				double mtbf_h, double repair_h)
{
	uint32_t rate = avail_expression_number(model, 1 / mtbf_h);
	uint32_t repair = avail_expression_number(model, repair_h);
	uint32_t event = avail_model_event(model, name);

	if (rate == AVAIL_NONE || repair == AVAIL_NONE || event == AVAIL_NONE)
		return AVAIL_NONE;
	model->events[event].law = AVAIL_LAW_REPAIRABLE;
	model->events[event].fru = fru;
	model->events[event].failure_rate = rate;
	model->events[event].repair_h = repair;
	return event;
}

uint32_t avail_model_fixed(struct avail_model *model, const char *name, double probability)
{
	uint32_t number = avail_expression_number(model, probability);
	uint32_t event = avail_model_event(model, name);

	if (number == AVAIL_NONE || event == AVAIL_NONE)
		return AVAIL_NONE;
	model->events[event].law = AVAIL_LAW_PROBABILITY;
	model->events[event].probability = number;
	return event;
}

static uint32_t add_expression(struct avail_model *model, const struct avail_expression *expression)
{
	if (!GROW(expressions, expression_room, expression_count, 1))
		return AVAIL_NONE;
	model->expressions[model->expression_count] = *expression;
	return model->expression_count++;
}

uint32_t avail_expression_number(struct avail_model *model, double number)
{
	return add_expression(model,
			      &(struct avail_expression){ .kind = AVAIL_NUMBER, .number = number });
}

uint32_t avail_expression_add(struct avail_model *model, enum avail_expression_kind kind,
			      const uint32_t *args, uint32_t count)
{
	struct avail_expression expression = { .kind = kind, .count = count };

	expression.first = avail_model_indexes(model, args, count);
	return expression.first == AVAIL_NONE ? AVAIL_NONE : add_expression(model, &expression);
}

uint32_t avail_expression_parameter(struct avail_model *model, const char *name)
{
	struct avail_expression expression = { .kind = AVAIL_PARAMETER };

	if (!name_of(model, name, &expression.name))
		return AVAIL_NONE;
	return add_expression(model, &expression);
}

int avail_expression_set(struct avail_model *model, uint32_t parameter, uint32_t value)
{
	uint32_t first = avail_model_indexes(model, &value, 1);

	must(parameter < model->expression_count);
	must(model->expressions[parameter].kind == AVAIL_PARAMETER);
	if (first == AVAIL_NONE)
		return -ENOMEM;
	model->expressions[parameter].first = first;
	model->expressions[parameter].count = 1;
	return 0;
}
