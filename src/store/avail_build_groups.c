/* Common causes, crews, capacities and tops of a hand-written model. */
#include "store/avail_build.h"

#include <stdio.h>
#include <string.h>

/* A name that nothing else of its kind has. */
static bool is_new(struct build *build, const char *kind, const char *name, unsigned line)
{
	char key[AVAIL_NAME_MAX + 32];
	const char *copy;
	uint32_t first;

	snprintf(key, sizeof key, "%s %s", kind, name);
	first = name_table_get(&build->other_names, key);
	if (first != NAME_TABLE_NONE) {
		build_find(build, line, name, "is there twice, first on line %u", first);
		return false;
	}
	copy = avail_model_text(build->model, key);
	if (!copy || name_table_put(&build->other_names, copy, line) != 0)
		build_no_room(build);
	return !build->said->full;
}

/* The events of a list of units and events, in the model's indexes; AVAIL_NONE: a finding. */
static uint32_t events_of(struct build *build, const struct said_terms *of, const char *by)
{
	uint32_t *events = avail_said_take(build->said, of->count, sizeof *events);
	bool good = events != NULL;
	uint32_t first;

	for (uint32_t i = 0; events && i < of->count; i++) {
		const struct build_thing *thing = build_thing_of(build, &of->at[i], by);
		bool fails =
			thing && thing->event != AVAIL_NONE && thing->section != AVAIL_SAID_HOUSE;

		if (thing && !fails)
			build_find(build, of->at[i].line, by,
				   "%s is %s; it must be a unit with hardware, or an event",
				   of->at[i].name, avail_sections[thing->section].phrase);
		good = good && fails;
		events[i] = fails ? thing->event : 0;
	}
	if (!good)
		return AVAIL_NONE;
	first = avail_model_indexes(build->model, events, of->count);
	if (first == AVAIL_NONE)
		build_no_room(build);
	return first;
}

/* --- common causes --- */

/* What a member has for itself: the expression of its probability or failure rate. */
static uint32_t total_of(const struct avail_event *event)
{
	return event->law == AVAIL_LAW_PROBABILITY ? event->probability : event->failure_rate;
}

static bool equal(struct build *build, uint32_t a, uint32_t b)
{
	const struct avail_expression *x = &build->model->expressions[a];
	const struct avail_expression *y = &build->model->expressions[b];

	return a == b ||
	       (x->kind == AVAIL_NUMBER && y->kind == AVAIL_NUMBER && x->number == y->number);
}

/* The total that all members have; false with a finding when they differ. */
static bool common_total(struct build *build, const struct said_ccf *said, struct avail_ccf *ccf)
{
	const struct avail_event *first = &build->model->events[build->model->indexes[ccf->first]];

	ccf->rated = first->law != AVAIL_LAW_PROBABILITY;
	ccf->total = total_of(first);
	for (uint32_t i = 1; i < ccf->count; i++) {
		const struct avail_event *event =
			&build->model->events[build->model->indexes[ccf->first + i]];

		if (ccf->total != AVAIL_NONE && event->law == first->law &&
		    total_of(event) != AVAIL_NONE && equal(build, ccf->total, total_of(event)))
			continue;
		build_find(build, said->line, said->name,
			   "%s and %s do not fail alike; give the group a total, or all of them "
			   "the same",
			   first->name, event->name);
		return false;
	}
	return true;
}

static bool total(struct build *build, const struct said_ccf *said, struct avail_ccf *ccf)
{
	unsigned given = build_given(&said->probability) + build_given(&said->mtbf) +
			 build_given(&said->failure_rate);

	if (given > 1) {
		build_find(build, said->line, said->name,
			   "has more than one of probability, mtbf, failure_rate");
		return false;
	}
	if (given == 0)
		return common_total(build, said, ccf);
	ccf->rated = !said->probability.line;
	return ccf->rated ? build_rate(build, &said->mtbf, &said->failure_rate, said->name,
				       &ccf->total)
			  : build_quantity(build, &said->probability, AVAIL_PLAIN, said->name,
					   "probability", &ccf->total);
}

static void add_ccf(struct build *build, const struct said_ccf *said)
{
	struct avail_ccf ccf = { .kind = said->model,
				 .count = said->of.count,
				 .factor_count = said->factors.count,
				 .total = AVAIL_NONE };
	uint32_t factors[64], index;
	bool good = is_new(build, "common cause", said->name, said->line);

	ccf.first = events_of(build, &said->of, said->name);
	if (!good || ccf.first == AVAIL_NONE || !build_is_well(build))
		return; /* members that are not well have no totals to compare */
	for (uint32_t i = 0; i < said->factors.count; i++)
		good = build_quantity(build, &said->factors.at[i], AVAIL_PLAIN, said->name,
				      "a factor", &factors[i]) &&
		       good;
	if (!good || !total(build, said, &ccf))
		return;
	ccf.first_factor = avail_model_indexes(build->model, factors, ccf.factor_count);
	index = avail_model_ccf(build->model, said->name);
	if (ccf.first_factor == AVAIL_NONE ||
	    !build_note(build, AVAIL_PART_CCF, index, said->line)) {
		build_no_room(build);
		return;
	}
	ccf.name = build->model->ccfs[index].name;
	build->model->ccfs[index] = ccf;
}

/* --- crews --- */

static void add_crew(struct build *build, const struct said_crew *said)
{
	bool good = is_new(build, "crew", said->name, said->line);
	uint32_t first = events_of(build, &said->repairs, said->name), index;

	if (!good || first == AVAIL_NONE)
		return;
	index = avail_model_crew(build->model, said->name, said->count);
	if (!build_note(build, AVAIL_PART_CREW, index, said->line))
		return;
	build->model->crews[index].first = first;
	build->model->crews[index].count = said->repairs.count;
}

/* --- capacities and tops --- */

static void add_capacity(struct build *build, const struct said_capacity *said)
{
	struct avail_share *shares =
		avail_said_take(build->said, said->shares.count, sizeof *shares);
	bool good = is_new(build, "capacity", said->name, said->line) && shares;
	uint32_t index, count = 0;

	BUILD_EACH(said_share, share, said->shares)
	{
		if (!shares || !build_term(build, &share->of, said->name, &shares[count].down))
			good = false;
		else
			shares[count++].amount = share->amount;
	}
	index = avail_model_capacity(build->model, said->name, said->unit);
	if (!build_note(build, AVAIL_PART_CAPACITY, index, said->line))
		return;
	if (said->down.line)
		build_term(build, &said->down, said->name, &build->model->capacities[index].down);
	if (!good)
		return;
	build->model->capacities[index].first = avail_model_shares(build->model, shares, count);
	build->model->capacities[index].count = count;
	if (build->model->capacities[index].first == AVAIL_NONE)
		build_no_room(build);
}

/* The capacity of a top; AVAIL_NONE: it has none, or a finding. */
static uint32_t capacity_of(struct build *build, const struct said_top *said)
{
	uint32_t index = 0;

	if (!said->capacity.line)
		return AVAIL_NONE;
	for (; index < build->model->capacity_count; index++)
		if (strcmp(build->model->capacities[index].name, said->capacity.name) == 0)
			return index;
	build_find(build, said->capacity.line, said->name, "there is no capacity %s",
		   said->capacity.name);
	return AVAIL_NONE;
}

static void add_top(struct build *build, const struct said_top *said)
{
	bool good = is_new(build, "top", said->name, said->line);
	uint32_t capacity = capacity_of(build, said), index;
	struct avail_term down;

	if (!build_term(build, &said->down, said->name, &down) || !good)
		return;
	index = avail_model_top(build->model, said->name, down);
	if (build_note(build, AVAIL_PART_TOP, index, said->line))
		build->model->tops[index].capacity = capacity;
}

void build_groups(struct build *build)
{
	const struct said_model *said = &build->said->model;

	BUILD_EACH(said_ccf, ccf, said->common_causes)
	add_ccf(build, ccf);
	BUILD_EACH(said_crew, crew, said->crews)
	add_crew(build, crew);
	BUILD_EACH(said_capacity, capacity, said->capacities)
	add_capacity(build, capacity);
	BUILD_EACH(said_top, top, said->tops)
	add_top(build, top);
}
