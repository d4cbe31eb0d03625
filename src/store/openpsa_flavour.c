/* Formulas in the flavour that house events give them on the way through an event tree. */
#include "store/openpsa_walk.h"

#include <string.h>

/* The value that the walk has set, last; false: it has set none. */
static bool setting_of(const struct openpsa_walk *walk, uint32_t event, bool *value)
{
	for (uint32_t i = walk->setting_count; i-- > 0;) {
		if (walk->settings[i].event == event) {
			*value = walk->settings[i].value;
			return true;
		}
	}
	return false;
}

/* Inserts by event, unless it is there. */
static void insert(struct openpsa_setting *settings, uint32_t *count,
		   struct openpsa_setting setting)
{
	uint32_t at = *count;

	while (at > 0 && settings[at - 1].event > setting.event)
		at--;
	if (at > 0 && settings[at - 1].event == setting.event)
		return;
	memmove(settings + at + 1, settings + at, (*count - at) * sizeof *settings);
	settings[at] = setting;
	++*count;
}

/* What differs from the model as it stands, ascending by event, behind the flavours' settings. */
static bool gather(struct openpsa *reader, uint32_t *count)
{
	struct openpsa_walk *walk = reader->walk;
	struct openpsa_setting *settings;

	*count = 0;
	if (!openpsa_make_room(reader, &walk->flavour_settings, &walk->flavour_setting_room,
			       (uint64_t)walk->flavour_setting_count + walk->setting_count + 1,
			       sizeof *walk->flavour_settings))
		return false;
	settings = walk->flavour_settings + walk->flavour_setting_count;
	for (uint32_t i = 0; i < walk->setting_count; i++) {
		struct openpsa_setting setting = { .event = walk->settings[i].event };

		setting_of(walk, setting.event, &setting.value);
		if (setting.value != reader->model->events[setting.event].house)
			insert(settings, count, setting);
	}
	return true;
}

static bool same(const struct openpsa_setting *a, const struct openpsa_setting *b, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (a[i].event != b[i].event || a[i].value != b[i].value)
			return false;
	return true;
}

/* The flavour of the moment; NULL with 'plain': the model as it stands. */
static struct openpsa_flavour *flavour(struct openpsa *reader, bool *plain)
{
	struct openpsa_walk *walk = reader->walk;
	struct openpsa_setting *now;
	uint32_t count;

	*plain = false;
	if (!gather(reader, &count))
		return NULL;
	*plain = count == 0;
	now = walk->flavour_settings + walk->flavour_setting_count;
	for (uint32_t i = 0; i < walk->flavour_count && count; i++) {
		struct openpsa_flavour *known = &walk->flavours[i];

		if (known->count == count &&
		    same(walk->flavour_settings + known->first, now, count))
			return known;
	}
	if (*plain || !openpsa_make_room(reader, &walk->flavours, &walk->flavour_room,
					 (uint64_t)walk->flavour_count + 1, sizeof *walk->flavours))
		return NULL;
	walk->flavours[walk->flavour_count] =
		(struct openpsa_flavour){ .first = walk->flavour_setting_count, .count = count };
	walk->flavour_setting_count += count;
	return &walk->flavours[walk->flavour_count++];
}

/* The term as the flavour has it; its gate has been looked at. */
static struct avail_term flavoured(const struct openpsa_walk *walk,
				   const struct openpsa_flavour *flavour, struct avail_term term)
{
	if (term.kind == AVAIL_TERM_GATE)
		term.index = flavour->gates[term.index];
	for (uint32_t i = 0; i < flavour->count && term.kind == AVAIL_TERM_EVENT; i++) {
		struct openpsa_setting setting = walk->flavour_settings[flavour->first + i];

		if (setting.event == term.index) {
			term.kind = AVAIL_TERM_CONSTANT;
			term.index = setting.value;
		}
	}
	return term;
}

/* Copies the gate when an argument of it differs; all of them have been looked at. */
static bool copy_gate(struct openpsa *reader, struct openpsa_flavour *flavour, uint32_t gate)
{
	struct avail_model *model = reader->model;
	struct avail_gate from = model->gates[gate];
	uint32_t base = reader->term_count, copy;
	bool differs = false, good = true;

	if (!openpsa_make_room(reader, &reader->terms, &reader->term_room,
			       (uint64_t)base + from.count, sizeof *reader->terms))
		return false;
	for (uint32_t i = 0; i < from.count; i++) {
		struct avail_term was = model->terms[from.first + i];
		struct avail_term now = flavoured(reader->walk, flavour, was);

		differs |= now.kind != was.kind || now.index != was.index;
		reader->terms[base + i] = now;
	}
	flavour->gates[gate] = gate;
	if (!differs)
		return true;
	copy = avail_model_gate(model, NULL);
	good = copy != AVAIL_NONE &&
	       avail_model_define(model, copy, from.kind, reader->terms + base, from.count) == 0;
	if (!good) {
		openpsa_no_room(reader);
		return false;
	}
	model->gates[copy].low = from.low;
	model->gates[copy].high = from.high;
	flavour->gates[gate] = copy;
	return true;
}

/* The map has an entry for each gate that there is now. */
static bool widen(struct openpsa *reader, struct openpsa_flavour *flavour)
{
	uint32_t room = flavour->gate_room;

	if (!openpsa_make_room(reader, &flavour->gates, &flavour->gate_room,
			       reader->model->gate_count, sizeof *flavour->gates))
		return false;
	for (; room < flavour->gate_room; room++)
		flavour->gates[room] = AVAIL_NONE;
	return true;
}

static bool room_for(struct openpsa *reader, uint32_t more)
{
	return openpsa_make_room(reader, &reader->numbers, &reader->number_room,
				 (uint64_t)reader->number_count + more, sizeof *reader->numbers);
}

/* Puts the gate's arguments that nobody has looked at on the stack; false: there are none. */
static bool look_below(struct openpsa *reader, const struct openpsa_flavour *flavour, uint32_t gate)
{
	const struct avail_gate *from = &reader->model->gates[gate];
	uint32_t before = reader->number_count;

	if (!room_for(reader, from->count))
		return false;
	for (uint32_t i = 0; i < from->count; i++) {
		struct avail_term arg = reader->model->terms[from->first + i];

		if (arg.kind == AVAIL_TERM_GATE && flavour->gates[arg.index] == AVAIL_NONE)
			reader->numbers[reader->number_count++] = arg.index;
	}
	return reader->number_count > before;
}

/* Looks at all gates below, arguments first; the model has no cycle. */
static bool look_at(struct openpsa *reader, struct openpsa_flavour *flavour, uint32_t gate)
{
	uint32_t base = reader->number_count;

	if (!room_for(reader, 1))
		return false;
	reader->numbers[reader->number_count++] = gate;
	while (reader->number_count > base && !reader->full) {
		uint32_t at = reader->numbers[reader->number_count - 1];

		if (flavour->gates[at] == AVAIL_NONE && look_below(reader, flavour, at))
			continue;
		reader->number_count--;
		if (flavour->gates[at] == AVAIL_NONE && !reader->full)
			copy_gate(reader, flavour, at);
	}
	reader->number_count = base;
	return !reader->full;
}

bool openpsa_flavour_term(struct openpsa *reader, struct avail_term *term)
{
	struct openpsa_flavour *now;
	bool plain;

	if (reader->walk->setting_count == 0 || term->kind == AVAIL_TERM_CONSTANT)
		return true;
	now = flavour(reader, &plain);
	if (!now)
		return plain;
	if (term->kind == AVAIL_TERM_GATE &&
	    (!widen(reader, now) || !look_at(reader, now, term->index)))
		return false;
	*term = flavoured(reader->walk, now, *term);
	return true;
}

void openpsa_flavour_fini(struct openpsa *reader)
{
	struct openpsa_walk *walk = reader->walk;

	for (uint32_t i = 0; i < walk->flavour_count; i++)
		avail_give(reader->memory, walk->flavours[i].gates, walk->flavours[i].gate_room,
			   sizeof *walk->flavours[i].gates);
	avail_give(reader->memory, walk->flavours, walk->flavour_room, sizeof *walk->flavours);
	avail_give(reader->memory, walk->flavour_settings, walk->flavour_setting_room,
		   sizeof *walk->flavour_settings);
}
