/* What a model must be before anything is computed from it. */
#include "avail/cycle.h"
#include "avail/expression.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* One check in progress. */
struct check {
	const struct avail_model *model;
	struct avail_sample mean;
	uint8_t *seen; /* scratch, one an event */
	struct refusal *why;
	struct avail_where *where;
};

#define ANY UINT32_MAX

struct avail_formula avail_formula_of(enum avail_formula_kind kind)
{
	static const struct avail_formula formulas[] = {
		[AVAIL_FORMULA_UNDEFINED] = { 0, 0, "undefined" },
		[AVAIL_FORMULA_AND] = { 1, ANY, "and" },
		[AVAIL_FORMULA_OR] = { 1, ANY, "or" },
		[AVAIL_FORMULA_NOT] = { 1, 1, "not" },
		[AVAIL_FORMULA_XOR] = { 1, ANY, "xor" },
		[AVAIL_FORMULA_IFF] = { 2, 2, "iff" },
		[AVAIL_FORMULA_NAND] = { 1, ANY, "nand" },
		[AVAIL_FORMULA_NOR] = { 1, ANY, "nor" },
		[AVAIL_FORMULA_IMPLY] = { 2, 2, "imply" },
		[AVAIL_FORMULA_AT_LEAST] = { 1, ANY, "atleast" },
		[AVAIL_FORMULA_CARDINALITY] = { 1, ANY, "cardinality" },
		[AVAIL_FORMULA_PASS] = { 1, 1, "a reference" },
	};

	must((size_t)kind < array_len(formulas));
	return formulas[kind];
}

static const char *shown(const char *name)
{
	return name ? name : "a formula";
}

/* --- references: a builder that gets one wrong is our bug --- */

static void must_lead(const struct avail_model *model, const struct avail_term *term)
{
	if (term->kind == AVAIL_TERM_EVENT)
		must(term->index < model->event_count);
	else if (term->kind == AVAIL_TERM_GATE)
		must(term->index < model->gate_count);
	else
		must(term->index <= 1);
}

static void must_hold(uint32_t first, uint32_t count, uint32_t all)
{
	must(first <= all);
	must(count <= all - first);
}

static void must_be_expression(const struct avail_model *model, uint32_t expression)
{
	must(expression == AVAIL_NONE || expression < model->expression_count);
}

static void must_refer_well(const struct avail_model *model)
{
	for (uint32_t i = 0; i < model->term_count; i++)
		must_lead(model, &model->terms[i]);
	for (uint32_t i = 0; i < model->gate_count; i++)
		must_hold(model->gates[i].first, model->gates[i].count, model->term_count);
	for (uint32_t i = 0; i < model->expression_count; i++) {
		const struct avail_expression *expression = &model->expressions[i];

		must_hold(expression->first, expression->count, model->index_count);
		for (uint32_t arg = 0; arg < expression->count; arg++)
			must(model->indexes[expression->first + arg] < model->expression_count);
	}
	for (uint32_t i = 0; i < model->event_count; i++) {
		must(model->events[i].fru == AVAIL_NONE || model->events[i].fru < model->fru_count);
		must_be_expression(model, model->events[i].probability);
		must_be_expression(model, model->events[i].failure_rate);
		must_be_expression(model, model->events[i].repair_h);
	}
	for (uint32_t i = 0; i < model->share_count; i++)
		must_lead(model, &model->shares[i].down);
	for (uint32_t i = 0; i < model->top_count; i++) {
		must_lead(model, &model->tops[i].down);
		must_be_expression(model, model->tops[i].frequency);
		must(model->tops[i].capacity == AVAIL_NONE ||
		     model->tops[i].capacity < model->capacity_count);
	}
}

/* --- gates --- */

static int check_gate(struct check *check, const struct avail_gate *gate)
{
	struct avail_formula formula = avail_formula_of(gate->kind);
	bool ranged = gate->kind == AVAIL_FORMULA_CARDINALITY;

	if (gate->kind == AVAIL_FORMULA_UNDEFINED)
		refuse(check->why, shown(gate->name), "is mentioned and not defined");
	else if (gate->count < formula.least)
		refuse(check->why, shown(gate->name), "%s has %u arguments; it takes %u%s",
		       formula.word, gate->count, formula.least,
		       formula.most == ANY ? " or more" : "");
	else if (gate->count > formula.most)
		refuse(check->why, shown(gate->name), "%s has %u arguments; it takes %u",
		       formula.word, gate->count, formula.most);
	else if ((gate->kind == AVAIL_FORMULA_AT_LEAST || ranged) && gate->low > gate->count)
		refuse(check->why, shown(gate->name), "%s %u of %u arguments is never true",
		       formula.word, gate->low, gate->count);
	else if (ranged && gate->low > gate->high)
		refuse(check->why, shown(gate->name), "%s from %u to %u is an empty range",
		       formula.word, gate->low, gate->high);
	else if (ranged && gate->high > gate->count)
		refuse(check->why, shown(gate->name), "%s up to %u has only %u arguments",
		       formula.word, gate->high, gate->count);
	else
		return 0;
	return -EINVAL;
}

/* --- numbers --- */

/* What is no number has no sign either, in messages. */
static double value_of(struct check *check, uint32_t expression)
{
	double value = avail_expression_value(&check->mean, expression);

	return isnan(value) ? (double)NAN : value;
}

static int check_probability(struct check *check, const char *name, const char *what,
			     uint32_t expression)
{
	double value;

	if (expression == AVAIL_NONE) {
		refuse(check->why, name, "has no %s", what);
		return -EINVAL;
	}
	value = value_of(check, expression);
	if (value >= 0 && value <= 1)
		return 0;
	refuse(check->why, name, "%s is %.9g; a probability is from 0 to 1", what, value);
	return -EINVAL;
}

static int check_amount(struct check *check, const char *name, const char *what,
			uint32_t expression)
{
	double value;

	if (expression == AVAIL_NONE) {
		refuse(check->why, name, "has no %s", what);
		return -EINVAL;
	}
	value = value_of(check, expression);
	if (value >= 0 && value < INFINITY)
		return 0;
	refuse(check->why, name, "%s is %g; it must be 0 or more", what, value);
	return -EINVAL;
}

static int check_event(struct check *check, const struct avail_event *event)
{
	const char *name = shown(event->name);
	int err;

	switch (event->law) {
	case AVAIL_LAW_UNDEFINED:
		refuse(check->why, name, "is mentioned and has no probability or failure rate");
		return -EINVAL;
	case AVAIL_LAW_PROBABILITY:
		return check_probability(check, name, "probability", event->probability);
	case AVAIL_LAW_UNREPAIRED:
		return check_amount(check, name, "failure rate", event->failure_rate);
	case AVAIL_LAW_REPAIRABLE:
		err = check_amount(check, name, "failure rate", event->failure_rate);
		return err ? err : check_amount(check, name, "repair time", event->repair_h);
	case AVAIL_LAW_HOUSE:
		return 0;
	}
	must(false);
	return -EINVAL;
}

/* --- common causes --- */

/* Combinations of up to 'most' of 'count' members, or one more than the limit. */
static uint64_t combinations(uint32_t count, uint32_t most)
{
	uint64_t sum = 0, of_level = 1;

	for (uint32_t level = 1; level <= most && sum <= AVAIL_CCF_COMBINATIONS_MAX; level++) {
		of_level = of_level * (count - level + 1) / level;
		sum += of_level;
	}
	return sum;
}

static int check_factors(struct check *check, const struct avail_ccf *ccf)
{
	static const struct {
		const char *word;
		uint32_t spare; /* levels without a factor of their own */
	} kinds[] = {
		[AVAIL_CCF_BETA] = { "beta-factor", 0 },
		[AVAIL_CCF_MGL] = { "MGL", 1 },
		[AVAIL_CCF_ALPHA] = { "alpha-factor", 0 },
		[AVAIL_CCF_PHI] = { "phi-factor", 0 },
	};
	const char *word = kinds[ccf->kind].word;
	uint32_t most = ccf->kind == AVAIL_CCF_BETA ? 1 : ccf->count - kinds[ccf->kind].spare;
	uint32_t levels = ccf->factor_count + kinds[ccf->kind].spare;
	double sum = 0;

	if (ccf->factor_count < 1 || ccf->factor_count > most) {
		refuse(check->why, ccf->name, "%s has %u factors; with %u members it takes %s%u",
		       word, ccf->factor_count, ccf->count, most > 1 ? "1 to " : "", most);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < ccf->factor_count; i++) {
		uint32_t factor = check->model->indexes[ccf->first_factor + i];
		int err = check_probability(check, ccf->name, "a factor", factor);

		if (err)
			return err;
		sum += value_of(check, factor);
	}
	if (ccf->kind == AVAIL_CCF_PHI && fabs(sum - 1) > 1e-4) {
		refuse(check->why, ccf->name, "the factors of %s are %g together; they must be 1",
		       word, sum);
		return -EINVAL;
	}
	if (ccf->kind == AVAIL_CCF_ALPHA && !(sum > 0)) {
		refuse(check->why, ccf->name, "the factors of %s are all 0", word);
		return -EINVAL;
	}
	if (ccf->kind != AVAIL_CCF_BETA &&
	    combinations(ccf->count, levels) > AVAIL_CCF_COMBINATIONS_MAX) {
		refuse(check->why, ccf->name,
		       "%u members can fail together in more than %d ways; give factors of fewer "
		       "levels",
		       ccf->count, AVAIL_CCF_COMBINATIONS_MAX);
		return -EINVAL;
	}
	return 0;
}

static int check_member(struct check *check, const struct avail_ccf *ccf, uint32_t member)
{
	const struct avail_event *event = &check->model->events[member];

	if (check->seen[member])
		refuse(check->why, ccf->name, "%s is already in a common-cause group",
		       shown(event->name));
	else if (ccf->rated && event->law != AVAIL_LAW_REPAIRABLE &&
		 event->law != AVAIL_LAW_UNREPAIRED)
		refuse(check->why, ccf->name, "%s has no failure rate, and the group has one",
		       shown(event->name));
	else if (!ccf->rated && event->law != AVAIL_LAW_PROBABILITY &&
		 event->law != AVAIL_LAW_UNDEFINED)
		refuse(check->why, ccf->name, "%s has no probability, and the group has one",
		       shown(event->name));
	else if (event->law == AVAIL_LAW_REPAIRABLE)
		return check_amount(check, shown(event->name), "repair time", event->repair_h);
	else
		return 0;
	return -EINVAL;
}

static int check_ccf(struct check *check, const struct avail_ccf *ccf)
{
	const struct avail_model *model = check->model;
	int err;

	must_hold(ccf->first, ccf->count, model->index_count);
	must_hold(ccf->first_factor, ccf->factor_count, model->index_count);
	if (ccf->count < 2) {
		refuse(check->why, ccf->name, "a common-cause group has 2 or more members, not %u",
		       ccf->count);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < ccf->count; i++) {
		uint32_t member = model->indexes[ccf->first + i];

		must(member < model->event_count);
		err = check_member(check, ccf, member);
		if (err)
			return err;
		check->seen[member] = 1;
	}
	err = ccf->rated ? check_amount(check, ccf->name, "failure rate", ccf->total)
			 : check_probability(check, ccf->name, "distribution", ccf->total);
	return err ? err : check_factors(check, ccf);
}

/* --- what a tree does not say --- */

static int check_standby(struct check *check, uint32_t index)
{
	const struct avail_standby *standby = &check->model->standbys[index];
	const struct avail_gate *gate = &check->model->gates[standby->gate];
	bool dormancy_good = standby->dormancy >= 0 && standby->dormancy <= 1;

	must(gate->standby == index);
	if (gate->kind != AVAIL_FORMULA_AT_LEAST || standby->needed < 1 ||
	    standby->needed > gate->count || gate->low != gate->count - standby->needed + 1)
		refuse(check->why, standby->name, "needs 1 to %u of its %u members, not %u",
		       gate->count, gate->count, standby->needed);
	else if (standby->mode == AVAIL_WARM && !dormancy_good)
		refuse(check->why, standby->name, "dormancy is %g; it must be from 0 to 1",
		       standby->dormancy);
	else if (!(standby->coverage >= 0 && standby->coverage <= 1))
		refuse(check->why, standby->name, "coverage is %g; a probability is from 0 to 1",
		       standby->coverage);
	else if (!(standby->switch_h >= 0 && standby->switch_h < INFINITY))
		refuse(check->why, standby->name,
		       "the switch-over takes %g h; it must be 0 or more", standby->switch_h);
	else if (standby->uncovered == AVAIL_UNCOVERED_WAITS && standby->coverage < 1 &&
		 !(standby->recovery_h > 0 && standby->recovery_h < INFINITY))
		refuse(check->why, standby->name,
		       "recovery takes %g h; it must be above 0 where failures are not covered",
		       standby->recovery_h);
	else
		return 0;
	return -EINVAL;
}

static int check_crew(struct check *check, const struct avail_crew *crew)
{
	const struct avail_model *model = check->model;

	must_hold(crew->first, crew->count, model->index_count);
	if (crew->crews < 1) {
		refuse(check->why, crew->name, "a team has 1 or more crews, not 0");
		return -EINVAL;
	}
	for (uint32_t i = 0; i < crew->count; i++) {
		uint32_t member = model->indexes[crew->first + i];

		must(member < model->event_count);
		if (model->events[member].law != AVAIL_LAW_REPAIRABLE) {
			refuse(check->why, crew->name, "%s is not repaired",
			       shown(model->events[member].name));
			return -EINVAL;
		}
		if (check->seen[member]) {
			refuse(check->why, crew->name, "%s is already repaired by another team",
			       shown(model->events[member].name));
			return -EINVAL;
		}
		check->seen[member] = 1;
	}
	return 0;
}

static int check_capacity(struct check *check, const struct avail_capacity *capacity)
{
	must_hold(capacity->first, capacity->count, check->model->share_count);
	must_lead(check->model, &capacity->down);
	for (uint32_t i = 0; i < capacity->count; i++) {
		double amount = check->model->shares[capacity->first + i].amount;

		if (amount >= 0 && amount < INFINITY)
			continue;
		refuse(check->why, capacity->name, "an amount is %g; it must be 0 or more", amount);
		return -EINVAL;
	}
	return 0;
}

static int check_top(struct check *check, const struct avail_top *top)
{
	return top->frequency == AVAIL_NONE
		       ? 0
		       : check_amount(check, top->name, "the frequency", top->frequency);
}

/* --- all of it --- */

/* What is to blame when the next check fails. */
static void look_at(struct check *check, enum avail_part part, uint32_t index)
{
	*check->where = (struct avail_where){ part, index };
}

static int check_defined(struct check *check, uint32_t index)
{
	const struct avail_expression *expression = &check->model->expressions[index];

	if (expression->kind != AVAIL_PARAMETER || expression->count > 0)
		return avail_expression_check_count(check->model, index, check->why);
	refuse(check->why, shown(expression->name), "is mentioned and not defined");
	return -EINVAL;
}

/* What is evaluated needs the arguments of everything below it, so the ranges come last. */
static int check_expressions(struct check *check)
{
	const struct avail_model *model = check->model;
	int err = 0;

	for (uint32_t i = 0; i < model->expression_count && !err; i++) {
		look_at(check, AVAIL_PART_EXPRESSION, i);
		err = check_defined(check, i);
	}
	if (!err)
		err = avail_cycle_check(model, check->why, check->where);
	for (uint32_t i = 0; i < model->expression_count && !err; i++) {
		look_at(check, AVAIL_PART_EXPRESSION, i);
		err = avail_expression_check_range(&check->mean, i, check->why);
	}
	return err;
}

static int check_groups(struct check *check)
{
	const struct avail_model *model = check->model;
	int err = 0;

	for (uint32_t i = 0; i < model->ccf_count && !err; i++) {
		look_at(check, AVAIL_PART_CCF, i);
		err = check_ccf(check, &model->ccfs[i]);
	}
	memset(check->seen, 0, model->event_count + 1);
	for (uint32_t i = 0; i < model->crew_count && !err; i++) {
		look_at(check, AVAIL_PART_CREW, i);
		err = check_crew(check, &model->crews[i]);
	}
	for (uint32_t i = 0; i < model->standby_count && !err; i++) {
		look_at(check, AVAIL_PART_STANDBY, i);
		err = check_standby(check, i);
	}
	for (uint32_t i = 0; i < model->capacity_count && !err; i++) {
		look_at(check, AVAIL_PART_CAPACITY, i);
		err = check_capacity(check, &model->capacities[i]);
	}
	for (uint32_t i = 0; i < model->top_count && !err; i++) {
		look_at(check, AVAIL_PART_TOP, i);
		err = check_top(check, &model->tops[i]);
	}
	return err;
}

/* Members of a common-cause group get their numbers from it. */
static int check_events(struct check *check)
{
	const struct avail_model *model = check->model;
	int err = 0;

	for (uint32_t i = 0; i < model->ccf_count; i++)
		for (uint32_t m = 0; m < model->ccfs[i].count; m++)
			check->seen[model->indexes[model->ccfs[i].first + m]] = 1;
	for (uint32_t i = 0; i < model->event_count && !err; i++) {
		look_at(check, AVAIL_PART_EVENT, i);
		if (!check->seen[i])
			err = check_event(check, &model->events[i]);
	}
	memset(check->seen, 0, model->event_count + 1);
	return err;
}

static int check_gates(struct check *check)
{
	int err = 0;

	for (uint32_t i = 0; i < check->model->gate_count && !err; i++) {
		look_at(check, AVAIL_PART_GATE, i);
		err = check_gate(check, &check->model->gates[i]);
	}
	return err;
}

int avail_model_check_where(struct avail_model *model, struct refusal *why,
			    struct avail_where *where)
{
	struct check check = { .model = model, .why = why, .where = where };
	int err;

	must_refer_well(model);
	*where = (struct avail_where){ AVAIL_PART_NONE, 0 };
	check.seen = avail_take(model->memory, model->event_count + 1, 1);
	if (!check.seen)
		return -ENOMEM;
	err = avail_sample_init(&check.mean, model, model->mission_h);
	if (!err) {
		err = check_expressions(&check);
		if (!err)
			err = check_gates(&check);
		if (!err)
			err = check_events(&check);
		if (!err)
			err = check_groups(&check);
		avail_sample_fini(&check.mean);
	}
	avail_give(model->memory, check.seen, model->event_count + 1, 1);
	return err;
}

int avail_model_check(struct avail_model *model, struct refusal *why)
{
	struct avail_where where;

	return avail_model_check_where(model, why, &where);
}
