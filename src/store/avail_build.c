#include "store/avail_build.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void build_find(struct build *build, unsigned line, const char *path, const char *format, ...)
{
	struct refusal what;
	va_list args;

	if (build->said->full)
		return;
	refuse(&what, path, "%s", "");
	va_start(args, format);
	vsnprintf(what.text, sizeof what.text, format, args);
	va_end(args);
	avail_find_refusal(build->said->findings, build->said->file, line, &what);
}

void build_no_room(struct build *build)
{
	build->said->full = true;
}

bool build_is_well(const struct build *build)
{
	return !build->said->full && build->said->findings->found == 0;
}

bool build_note(struct build *build, enum avail_part part, uint32_t index, unsigned line)
{
	struct build_lines *lines = &build->lines[part];
	uint32_t room = lines->room ? lines->room : 32;
	unsigned *at;

	if (index == AVAIL_NONE) {
		build_no_room(build);
		return false;
	}
	while (room <= index)
		room *= 2;
	if (room > lines->room) {
		at = avail_resize(build->said->memory, lines->at, lines->room, room, sizeof *at);
		if (!at) {
			build_no_room(build);
			return false;
		}
		lines->at = at;
		lines->room = room;
	}
	lines->at[index] = line;
	return true;
}

/* --- names --- */

struct build_thing *build_thing_of(struct build *build, const struct said_term *term,
				   const char *by)
{
	uint32_t found = name_table_get(&build->names, term->name);

	if (found == NAME_TABLE_NONE) {
		build_find(build, term->line, by, "%s is not described anywhere", term->name);
		return NULL;
	}
	build->things[found].referred = true;
	return &build->things[found];
}

bool build_term(struct build *build, const struct said_term *said, const char *by,
		struct avail_term *term)
{
	const struct build_thing *thing = build_thing_of(build, said, by);

	if (!thing)
		return false;
	*term = thing->down;
	term->negated = said->negated;
	return true;
}

/* A new thing with a name that no other has; NULL with a finding. */
static struct build_thing *declare(struct build *build, enum avail_said_section section,
				   uint32_t index, const char *name, unsigned line)
{
	uint32_t taken = name_table_get(&build->names, name);
	struct build_thing *thing = &build->things[build->thing_count];

	if (taken != NAME_TABLE_NONE) {
		build_find(build, line, name, "is there twice, first as %s on line %u",
			   avail_sections[build->things[taken].section].phrase,
			   build->things[taken].line);
		return NULL;
	}
	*thing = (struct build_thing){ .section = section,
				       .index = index,
				       .line = line,
				       .event = AVAIL_NONE,
				       .fru = AVAIL_NONE };
	if (name_table_put(&build->names, name, build->thing_count) != 0) {
		build_no_room(build);
		return NULL;
	}
	build->thing_count++;
	return thing;
}

static void down_by_event(struct build *build, struct build_thing *thing, const char *name)
{
	thing->event = avail_model_event(build->model, name);
	thing->down = (struct avail_term){ .kind = AVAIL_TERM_EVENT, .index = thing->event };
	build_note(build, AVAIL_PART_EVENT, thing->event, thing->line);
}

static void down_by_gate(struct build *build, struct build_thing *thing, const char *name)
{
	thing->down = (struct avail_term){ .kind = AVAIL_TERM_GATE };
	thing->down.index = avail_model_gate(build->model, name);
	build_note(build, AVAIL_PART_GATE, thing->down.index, thing->line);
}

/* A unit of one part is that part; of several, a gate over them with the unit's name. */
static void declare_unit(struct build *build, struct build_thing *thing,
			 const struct said_unit *unit)
{
	bool hardware = unit->mtbf.line || unit->failure_rate.line;
	bool software = unit->software_mtbf.line;

	thing->fru = avail_model_fru(build->model, unit->kind, unit->name);
	if (thing->fru == AVAIL_NONE) {
		build_no_room(build);
		return;
	}
	build->model->frus[thing->fru].cost = unit->cost;
	if (hardware)
		down_by_event(build, thing, unit->name);
	if (!hardware || software || unit->on.count > 0)
		down_by_gate(build, thing, unit->name);
}

/* The lists whose entries have names in one space. */
static const struct {
	enum avail_said_section section;
	size_t list, name; /* offsets: of the list in the model, of the name in an entry */
} named[] = {
	{ AVAIL_SAID_UNIT, offsetof(struct said_model, units), offsetof(struct said_unit, name) },
	{ AVAIL_SAID_EVENT, offsetof(struct said_model, events),
	  offsetof(struct said_event, name) },
	{ AVAIL_SAID_HOUSE, offsetof(struct said_model, house_events),
	  offsetof(struct said_house, name) },
	{ AVAIL_SAID_BLOCK, offsetof(struct said_model, blocks),
	  offsetof(struct said_block, name) },
	{ AVAIL_SAID_GATE, offsetof(struct said_model, gates), offsetof(struct said_gate, name) },
	{ AVAIL_SAID_STANDBY, offsetof(struct said_model, standby_groups),
	  offsetof(struct said_standby, name) },
};

static void declare_entry(struct build *build, enum avail_said_section section, uint32_t index,
			  const void *entry, const char *name)
{
	unsigned line = *(const unsigned *)entry;
	struct build_thing *thing = declare(build, section, index, name, line);

	if (!thing)
		return;
	if (section == AVAIL_SAID_UNIT)
		declare_unit(build, thing, entry);
	else if (section == AVAIL_SAID_EVENT || section == AVAIL_SAID_HOUSE)
		down_by_event(build, thing, name);
	else
		down_by_gate(build, thing, name);
}

static void declare_things(struct build *build)
{
	const uint8_t *model = (const uint8_t *)&build->said->model;

	for (unsigned n = 0; n < array_len(named); n++) {
		const struct said_list *list = (const void *)(model + named[n].list);
		size_t size = avail_sections[named[n].section].size;

		for (uint32_t i = 0; i < list->count && !build->said->full; i++) {
			const uint8_t *entry = (const uint8_t *)list->at + i * size;
			const char *name;

			memcpy(&name, entry + named[n].name, sizeof name);
			declare_entry(build, named[n].section, i, entry, name);
		}
	}
}

/* --- units and events --- */

static bool one_of(struct build *build, unsigned line, const char *name, const char *what,
		   unsigned given)
{
	if (given == 1)
		return true;
	build_find(build, line, name, "%s %s", given ? "has more than one of" : "needs one of",
		   what);
	return false;
}

/* An event that fails with a rate, and is repaired or not. */
static void fail_at(struct build *build, uint32_t event, uint32_t rate, uint32_t repair_h)
{
	struct avail_event *it = &build->model->events[event];

	it->law = repair_h == AVAIL_NONE ? AVAIL_LAW_UNREPAIRED : AVAIL_LAW_REPAIRABLE;
	it->failure_rate = rate;
	it->repair_h = repair_h;
}

static void define_hardware(struct build *build, const struct build_thing *thing,
			    const struct said_unit *unit)
{
	uint32_t rate, repair_h = AVAIL_NONE;

	build->model->events[thing->event].fru = thing->fru;
	if (!one_of(build, unit->line, unit->name, "mtbf, failure_rate",
		    build_given(&unit->mtbf) + build_given(&unit->failure_rate)))
		return;
	if (unit->repaired && !unit->mttr.line) {
		build_find(build, unit->line, unit->name, "needs mttr, or `repaired: false`");
		return;
	}
	if (!unit->repaired && unit->mttr.line) {
		build_find(build, unit->mttr.line, unit->name, "has mttr and is not repaired");
		return;
	}
	if (!build_rate(build, &unit->mtbf, &unit->failure_rate, unit->name, &rate) ||
	    (unit->repaired &&
	     !build_quantity(build, &unit->mttr, AVAIL_TIME, unit->name, "mttr", &repair_h)))
		return;
	fail_at(build, thing->event, rate, repair_h);
}

/* The event of the unit's software, or AVAIL_NONE: it has none, or a finding. */
static uint32_t define_software(struct build *build, const struct build_thing *thing,
				const struct said_unit *unit)
{
	static const struct said_quantity none = { .line = 0 };
	char name[AVAIL_NAME_MAX + 16];
	uint32_t event, rate, restart_h;

	if (!unit->software_mtbf.line || !unit->restart.line) {
		if (unit->software_mtbf.line)
			build_find(build, unit->line, unit->name,
				   "has software_mtbf and no restart");
		if (unit->restart.line)
			build_find(build, unit->line, unit->name,
				   "has restart and no software_mtbf");
		return AVAIL_NONE;
	}
	snprintf(name, sizeof name, "%s software", unit->name);
	event = avail_model_event(build->model, name);
	if (!build_note(build, AVAIL_PART_EVENT, event, unit->line) ||
	    !build_rate(build, &unit->software_mtbf, &none, unit->name, &rate) ||
	    !build_quantity(build, &unit->restart, AVAIL_TIME, unit->name, "restart", &restart_h))
		return AVAIL_NONE;
	build->model->events[event].fru = thing->fru;
	fail_at(build, event, rate, restart_h);
	return event;
}

static void define_gate(struct build *build, const struct build_thing *thing,
			enum avail_formula_kind kind, const struct avail_term *args, uint32_t count)
{
	if (avail_model_define(build->model, thing->down.index, kind, args, count) != 0)
		build_no_room(build);
}

static void define_unit(struct build *build, const struct build_thing *thing,
			const struct said_unit *unit)
{
	struct avail_term args[2 + 64]; /* hardware, software, and what it hangs on */
	uint32_t count = 0, software;

	if (!unit->mtbf.line && !unit->failure_rate.line && !unit->software_mtbf.line)
		build_find(build, unit->line, unit->name,
			   "needs one of mtbf, failure_rate, software_mtbf");
	if (thing->event != AVAIL_NONE) {
		define_hardware(build, thing, unit);
		args[count++] = (struct avail_term){ AVAIL_TERM_EVENT, thing->event, false };
	}
	software = define_software(build, thing, unit);
	if (software != AVAIL_NONE)
		args[count++] = (struct avail_term){ AVAIL_TERM_EVENT, software, false };
	must(unit->on.count <= 64);
	for (uint32_t i = 0; i < unit->on.count; i++)
		if (build_term(build, &unit->on.at[i], unit->name, &args[count]))
			count++;
	if (thing->down.kind == AVAIL_TERM_GATE)
		define_gate(build, thing, AVAIL_FORMULA_OR, args, count);
}

static void define_event(struct build *build, const struct build_thing *thing,
			 const struct said_event *event)
{
	bool rated = event->mtbf.line || event->failure_rate.line;
	uint32_t rate, mttr_h = AVAIL_NONE;
	const struct build_thing *unit;

	if (event->unit.line) {
		unit = build_thing_of(build, &event->unit, event->name);
		if (unit && unit->fru == AVAIL_NONE)
			build_find(build, event->unit.line, event->name, "%s is no unit",
				   event->unit.name);
		else if (unit)
			build->model->events[thing->event].fru = unit->fru;
	}
	if (!one_of(build, event->line, event->name, "probability, mtbf, failure_rate",
		    build_given(&event->probability) + build_given(&event->mtbf) +
			    build_given(&event->failure_rate)))
		return;
	if (!rated && event->mttr.line) {
		build_find(build, event->mttr.line, event->name,
			   "has a probability, which includes its mttr");
	} else if (!rated) {
		build->model->events[thing->event].law = AVAIL_LAW_PROBABILITY;
		build_quantity(build, &event->probability, AVAIL_PLAIN, event->name, "probability",
			       &build->model->events[thing->event].probability);
	} else if (build_rate(build, &event->mtbf, &event->failure_rate, event->name, &rate) &&
		   (!event->mttr.line || build_quantity(build, &event->mttr, AVAIL_TIME,
							event->name, "mttr", &mttr_h))) {
		fail_at(build, thing->event, rate, mttr_h);
	}
}

/* --- blocks and gates --- */

/* The terms of a list, in scratch; NULL: a finding, or no room. */
static struct avail_term *terms_of(struct build *build, const struct said_terms *of, const char *by)
{
	struct avail_term *terms = avail_said_take(build->said, of->count, sizeof *terms);
	bool good = terms != NULL;

	if (!terms)
		build_no_room(build);
	for (uint32_t i = 0; terms && i < of->count; i++)
		good = build_term(build, &of->at[i], by, &terms[i]) && good;
	return good ? terms : NULL;
}

/* A block is down when so few of its parts work that what it needs is not there. */
static void define_block(struct build *build, const struct build_thing *thing,
			 const struct said_block *block)
{
	const struct avail_term *terms = terms_of(build, &block->of, block->name);
	enum avail_formula_kind kind = AVAIL_FORMULA_OR;

	if (block->kind != SAID_K_OF_N && block->needed > 0) {
		build_find(build, block->line, block->name, "only k-of-n has needed");
		return;
	}
	if (block->kind == SAID_K_OF_N && (block->needed < 1 || block->needed > block->of.count)) {
		build_find(build, block->line, block->name,
			   "needs %u of its %u parts; allowed: 1 to %u", block->needed,
			   block->of.count, block->of.count);
		return;
	}
	if (block->kind != SAID_SERIES)
		kind = block->kind == SAID_PARALLEL ? AVAIL_FORMULA_AND : AVAIL_FORMULA_AT_LEAST;
	if (!terms)
		return;
	define_gate(build, thing, kind, terms, block->of.count);
	build->model->gates[thing->down.index].low = block->of.count - block->needed + 1;
}

static void define_formula(struct build *build, const struct build_thing *thing,
			   const struct said_gate *gate)
{
	const struct avail_term *terms = terms_of(build, &gate->of, gate->name);
	bool ranged = gate->kind == AVAIL_FORMULA_CARDINALITY;

	if (gate->min > 0 && !ranged && gate->kind != AVAIL_FORMULA_AT_LEAST)
		build_find(build, gate->line, gate->name, "only at-least and cardinality have min");
	else if (gate->max > 0 && !ranged)
		build_find(build, gate->line, gate->name, "only cardinality has max");
	else if (terms)
		define_gate(build, thing, gate->kind, terms, gate->of.count);
	build->model->gates[thing->down.index].low = gate->min;
	build->model->gates[thing->down.index].high = gate->max;
}

static void define_standby(struct build *build, const struct build_thing *thing,
			   const struct said_standby *said)
{
	const struct avail_term *terms = terms_of(build, &said->of, said->name);
	struct avail_standby *standby;
	uint32_t index;

	if (said->needed >= said->of.count) {
		build_find(build, said->line, said->name,
			   "needs %u of its %u members; allowed: 1 to %u, so that one can stand by",
			   said->needed, said->of.count, said->of.count - 1);
		return;
	}
	if (!terms)
		return;
	define_gate(build, thing, AVAIL_FORMULA_AT_LEAST, terms, said->of.count);
	build->model->gates[thing->down.index].low = said->of.count - said->needed + 1;
	index = avail_model_standby(build->model, said->name, thing->down.index);
	if (!build_note(build, AVAIL_PART_STANDBY, index, said->line))
		return;
	standby = &build->model->standbys[index];
	standby->needed = said->needed;
	standby->mode = said->standby;
	standby->dormancy = said->dormancy;
	standby->coverage = said->coverage;
	standby->uncovered = said->uncovered;
	standby->recovery_h = said->recovery_h;
	standby->switch_h = said->switch_over_h;
	standby->reverts = said->revert;
}

static void define_thing(struct build *build, const struct build_thing *thing)
{
	const struct said_model *said = &build->said->model;

	switch (thing->section) {
	case AVAIL_SAID_UNIT:
		define_unit(build, thing, (const struct said_unit *)said->units.at + thing->index);
		break;
	case AVAIL_SAID_EVENT:
		define_event(build, thing,
			     (const struct said_event *)said->events.at + thing->index);
		break;
	case AVAIL_SAID_HOUSE:
		build->model->events[thing->event].law = AVAIL_LAW_HOUSE;
		build->model->events[thing->event].house =
			((const struct said_house *)said->house_events.at)[thing->index].state;
		break;
	case AVAIL_SAID_BLOCK:
		define_block(build, thing,
			     (const struct said_block *)said->blocks.at + thing->index);
		break;
	case AVAIL_SAID_GATE:
		define_formula(build, thing,
			       (const struct said_gate *)said->gates.at + thing->index);
		break;
	default:
		must(thing->section == AVAIL_SAID_STANDBY);
		define_standby(build, thing,
			       (const struct said_standby *)said->standby_groups.at + thing->index);
		break;
	}
}

/* --- all of it --- */

/* Where no top is said, whatever nothing refers to is one, but for units and events. */
static void add_roots(struct build *build)
{
	for (uint32_t i = 0; i < build->thing_count && !build->said->full; i++) {
		const struct build_thing *thing = &build->things[i];
		uint32_t top;

		if (thing->referred || thing->section < AVAIL_SAID_BLOCK)
			continue;
		top = avail_model_top(build->model, build->model->gates[thing->down.index].name,
				      thing->down);
		build_note(build, AVAIL_PART_TOP, top, thing->line);
	}
}

static void check(struct build *build)
{
	struct avail_where where;
	struct refusal why = { .path = "" };
	int err = avail_model_check_where(build->model, &why, &where);
	const struct build_lines *lines = &build->lines[where.part];

	if (err == -ENOMEM)
		build_no_room(build);
	else if (err)
		avail_find_refusal(build->said->findings, build->said->file,
				   where.index < lines->room ? lines->at[where.index] : 0, &why);
}

static void build_all(struct build *build)
{
	const struct said_model *said = &build->said->model;

	build->model->mission_h = said->mission_h;
	build_parameters(build);
	declare_things(build);
	if (!build_is_well(build))
		return;
	for (uint32_t i = 0; i < build->thing_count && !build->said->full; i++)
		define_thing(build, &build->things[i]);
	if (!build->said->full)
		build_groups(build);
	if (build_is_well(build) && build->model->top_count == 0)
		add_roots(build);
	if (build_is_well(build))
		check(build);
}

static bool begin(struct build *build)
{
	const struct said_model *said = &build->said->model;
	size_t things = (size_t)said->units.count + said->events.count + said->house_events.count +
			said->blocks.count + said->gates.count + said->standby_groups.count;
	const char *name = avail_model_text(build->model, said->name);

	build->things = avail_said_take(build->said, things + 1, sizeof *build->things);
	build->parameters = avail_said_take(build->said, (size_t)said->parameters.count + 1,
					    sizeof *build->parameters);
	if (!name)
		build_no_room(build);
	else
		build->model->name = name;
	return !build->said->full;
}

void avail_file_build(struct avail_said *said, struct avail_model *model)
{
	struct build build = { .said = said, .model = model };

	name_table_init(&build.names, said->memory);
	name_table_init(&build.parameter_names, said->memory);
	name_table_init(&build.other_names, said->memory);
	if (begin(&build))
		build_all(&build);
	for (unsigned i = 0; i < array_len(build.lines); i++)
		avail_give(said->memory, build.lines[i].at, build.lines[i].room,
			   sizeof *build.lines[i].at);
	name_table_fini(&build.names);
	name_table_fini(&build.parameter_names);
	name_table_fini(&build.other_names);
}
