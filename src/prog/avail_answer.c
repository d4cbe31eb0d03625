#include "prog/avail_answer.h"

#include "avail/capacity.h"
#include "avail/uncertainty.h"
#include "prog/avail_answer_parts.h"
#include "prog/avail_simulate.h"
#include "prog/avail_within.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { CURVE_POINTS = 25, AUTO_REPLICATIONS = 200000, AUTO_SHARE = 8 };

json_t *avail_real(double value)
{
	if (isnan(value))
		return json_null();
	if (isinf(value))
		return json_string(value > 0 ? "infinite" : "-infinite");
	return json_real(value);
}

static const char *const quality_words[] = {
	[AVAIL_EXACT] = "exact",
	[AVAIL_BOUNDS] = "bounds",
	[AVAIL_APPROXIMATE] = "approximation",
};

/* "decision diagrams", "decision diagrams and Markov chains", "bounds of truncated cut sets". */
static const char *method_of(const struct avail_work *work)
{
	bool chains = avail_dynamic_module_count(avail_service_dynamic(work->service)) > 0;

	if (work->is_wide)
		return "a simulation, between bounds";
	if (!avail_solver_is_exact(avail_service_solver(work->service)))
		return chains ? "bounds of truncated decision diagrams, and Markov chains"
			      : "bounds of truncated decision diagrams";
	return chains ? "decision diagrams and Markov chains" : "decision diagrams";
}

/* What is likely: the middle of the bounds, or where they are wide what was simulated, as far as it
 * is between them. */
static double estimate_of(const struct avail_work *work)
{
	const struct avail_bounds *u = &work->steady.unavailability;

	if (work->is_wide)
		return fmin(fmax(work->played.unavailability.value, u->lower), u->upper);
	return (u->lower + u->upper) / 2;
}

static void put_steady(json_t *out, const struct avail_work *work)
{
	const struct avail_answer *s = &work->steady;
	bool exact = s->quality == AVAIL_EXACT;
	double middle = exact ? s->unavailability.value : estimate_of(work);

	json_object_set_new(out, "unavailability", avail_real(middle));
	json_object_set_new(out, "unavailability_lower", avail_real(s->unavailability.lower));
	json_object_set_new(out, "unavailability_upper", avail_real(s->unavailability.upper));
	json_object_set_new(out, "availability",
			    avail_real(exact && !isnan(s->unavailability.complement)
					       ? s->unavailability.complement
					       : 1 - middle));
	json_object_set_new(out, "nines", avail_real(exact ? s->nines : -log10(middle)));
	json_object_set_new(out, "minutes_a_year", avail_real(middle * AVAIL_MINUTES_A_YEAR));
	json_object_set_new(out, "frequency_per_h", avail_real(s->frequency));
	json_object_set_new(out, "outages_a_year", avail_real(s->outages_a_year));
	json_object_set_new(out, "mtbf_h", avail_real(s->mtbf_h));
	json_object_set_new(out, "mttr_h", avail_real(s->mttr_h));
	json_object_set_new(out, "mean_up_h", avail_real(s->mean_up_h));
	json_object_set_new(out, "method", json_string(method_of(work)));
	json_object_set_new(out, "exact", json_boolean(exact));
}

static json_t *modules_json(struct avail_dynamic *dynamic)
{
	static const char *const states[] = {
		[AVAIL_MODULE_EXACT] = "exact",
		[AVAIL_MODULE_CUT] = "truncated",
		[AVAIL_MODULE_BEYOND] = "beyond the budget",
	};
	json_t *list = json_array();

	for (uint32_t i = 0; i < avail_dynamic_module_count(dynamic); i++) {
		const struct avail_module *m = avail_dynamic_module(dynamic, i);

		json_array_append_new(list,
				      json_pack("{s:s, s:i, s:i, s:i, s:i, s:I, s:s, s:o, s:o}",
						"name", m->name, "standby_groups", (int)m->standbys,
						"crews", (int)m->crews, "events", (int)m->events,
						"states", (int)m->states, "moves",
						(json_int_t)m->moves, "result", states[m->state],
						"unavailability", avail_real(m->unavailability),
						"frequency_per_h", avail_real(m->frequency)));
	}
	return list;
}

static json_t *size_json(struct avail_solver *solver)
{
	struct avail_size size;

	avail_solver_size(solver, &size);
	return json_pack("{s:i, s:i, s:i, s:I, s:I, s:s?, s:b}", "gates", (int)size.gates, "events",
			 (int)size.events, "modules", (int)size.modules, "nodes",
			 (json_int_t)size.nodes, "nodes_peak", (json_int_t)size.nodes_peak,
			 "ordering", size.ordering, "coherent", avail_solver_is_coherent(solver));
}

static int put_mission(json_t *out, struct avail_work *work)
{
	double time_h = work->question->mission_h > 0 ? work->question->mission_h
						      : work->c->model.mission_h;
	struct avail_mission mission;
	int err = avail_service_mission(work->service, NULL, time_h, &mission, work->why);

	if (err == -EDQUOT || err == -EINTR) {
		avail_note(work, "mission reliability passed the budget");
		return 0;
	}
	if (err)
		return err;
	json_object_set_new(
		out, "mission",
		json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s?}", "time_h",
			  avail_real(mission.time_h), "unreliability",
			  avail_real(mission.unreliability.value), "unreliability_lower",
			  avail_real(mission.unreliability.lower), "unreliability_upper",
			  avail_real(mission.unreliability.upper), "reliability",
			  avail_real(1 - mission.unreliability.value), "expected_outages",
			  avail_real(mission.expected_outages), "mean_time_to_outage_h",
			  avail_real(mission.mean_time_h), "quality",
			  quality_words[mission.quality], "method", mission.method));
	return 0;
}

static int put_curve(json_t *out, struct avail_work *work)
{
	double times[CURVE_POINTS], last = work->question->curve_h;
	struct avail_bounds points[CURVE_POINTS];
	json_t *list;
	int err;

	if (last <= 0)
		return 0;
	for (unsigned i = 0; i < CURVE_POINTS; i++)
		times[i] = last * i / (CURVE_POINTS - 1);
	err = avail_service_curve(work->service, NULL, times, CURVE_POINTS, points, work->why);
	if (err == -EDQUOT || err == -EINTR) {
		avail_note(work, "the curve passed the budget");
		return 0;
	}
	if (err)
		return err;
	list = json_array();
	for (unsigned i = 0; i < CURVE_POINTS; i++)
		json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o}", "time_h",
						      avail_real(times[i]), "unavailability",
						      avail_real(points[i].value), "lower",
						      avail_real(points[i].lower), "upper",
						      avail_real(points[i].upper)));
	json_object_set_new(out, "curve", list);
	return 0;
}

static json_t *level_json(const struct avail_level *level)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "delivered", avail_real(level->delivered),
			 "probability", avail_real(level->probability.value), "frequency_per_h",
			 avail_real(level->frequency), "at_most", avail_real(level->at_most),
			 "mean_h", avail_real(level->mean_h));
}

static int put_capacity(json_t *out, struct avail_work *work, uint32_t capacity)
{
	struct avail_levels levels;
	json_t *rows = json_array();
	int err = avail_capacity_levels(&levels, &work->c->model, capacity, 0, NULL, &work->budget,
					work->why);

	if (err) {
		json_decref(rows);
		if (err != -EDQUOT && err != -E2BIG && err != -EINTR)
			return err;
		avail_note(work, "the capacity table of '%s' passed the budget",
			   work->c->model.capacities[capacity].name);
		return 0;
	}
	for (uint32_t i = 0; i < levels.count; i++)
		json_array_append_new(rows, level_json(&levels.rows[i]));
	json_array_append_new(out, json_pack("{s:s, s:s, s:o, s:o, s:s, s:o}", "name",
					     work->c->model.capacities[capacity].name, "unit",
					     work->c->model.capacities[capacity].unit, "total",
					     avail_real(levels.total), "expected",
					     avail_real(levels.expected), "quality",
					     quality_words[levels.quality], "levels", rows));
	avail_levels_fini(&levels);
	return 0;
}

static int put_capacities(json_t *out, struct avail_work *work)
{
	json_t *list = json_array();
	int err = 0;

	for (uint32_t i = 0; i < work->c->model.capacity_count && !err; i++)
		err = put_capacity(list, work, i);
	if (json_array_size(list))
		json_object_set(out, "capacity", list);
	json_decref(list);
	return err;
}

static json_t *spread_json(double *values, uint64_t count)
{
	struct avail_spread spread;

	avail_uncertainty_spread(values, count, &spread);
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "draws",
			 (json_int_t)spread.draws, "mean", avail_real(spread.mean), "deviation",
			 avail_real(spread.deviation), "p05", avail_real(spread.p05), "p50",
			 avail_real(spread.p50), "p95", avail_real(spread.p95), "least",
			 avail_real(spread.least), "most", avail_real(spread.most));
}

static int put_uncertainty(json_t *out, struct avail_work *work)
{
	uint64_t draws = work->question->draws;
	double *values;
	int err;

	if (draws == 0)
		return 0;
	values = calloc(draws, sizeof *values);
	if (!values)
		return -ENOMEM;
	err = avail_uncertainty_draw(work->service, AVAIL_FIGURE_UNAVAILABILITY,
				     work->question->seed, 0, draws, 0, values, work->why);
	if (err == -EINTR || err == -EDQUOT) {
		avail_note(work, "the draws of the parameters passed the budget");
		err = 0;
	} else if (!err) {
		json_object_set_new(out, "uncertainty", spread_json(values, draws));
	}
	free(values);
	return err;
}

static json_t *estimate_json(const struct avail_estimate *e)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "value", avail_real(e->value), "standard_error",
			 avail_real(e->standard_error), "lower", avail_real(e->lower), "upper",
			 avail_real(e->upper));
}

int avail_answer_simulated(struct avail_case *c, const struct avail_question *question,
			   const struct avail_top *top, struct avail_play_result *result,
			   struct refusal *why)
{
	struct avail_clock clock = avail_clock_start(
		question->replications ? question->seconds : question->seconds / AUTO_SHARE + 1);
	const struct avail_simulation how = { .replications = question->replications
								      ? question->replications
								      : AUTO_REPLICATIONS,
					      .seed = question->seed,
					      .threads = question->threads,
					      .clock = &clock };
	const struct avail_play_wants wants = { .kind = AVAIL_PLAY_STEADY };
	struct avail_sample sample;
	struct avail_play *play;
	int err = avail_sample_init(&sample, &c->model, c->model.mission_h);

	if (err)
		return err;
	err = avail_play_open(&play, &c->model, top->down, &sample, &wants, why);
	if (!err) {
		err = avail_simulate(play, &how, result);
		avail_play_close(play);
	}
	avail_sample_fini(&sample);
	return err;
}

static int play_once(struct avail_work *work)
{
	int err = work->has_played ? 0
				   : avail_answer_simulated(work->c, work->question, &work->top,
							    &work->played, work->why);

	work->has_played = !err;
	return err;
}

/* Bounds a factor of two apart are no figure to plan with. */
static int look_between_bounds(struct avail_work *work)
{
	const struct avail_bounds *u = &work->steady.unavailability;
	int err;

	if (work->steady.quality == AVAIL_EXACT || u->upper <= 2 * u->lower)
		return 0;
	err = play_once(work);
	if (err)
		return err;
	work->is_wide = true;
	work->steady.frequency = work->played.frequency.value;
	work->steady.outages_a_year = work->steady.frequency * AVAIL_HOURS_A_YEAR;
	work->steady.mtbf_h = 1 / work->steady.frequency;
	work->steady.mttr_h = work->played.unavailability.value / work->steady.frequency;
	work->steady.mean_up_h = (1 - work->played.unavailability.value) / work->steady.frequency;
	return 0;
}

/* Asked for, or the answer where the exact engine had only bounds. */
static int put_simulation(json_t *out, struct avail_work *work)
{
	struct avail_play_result result;
	int err;

	if (work->question->replications == 0 && work->steady.quality == AVAIL_EXACT)
		return 0;
	err = play_once(work);
	if (err)
		return err;
	result = work->played;
	json_object_set_new(out, "simulation",
			    json_pack("{s:I, s:I, s:I, s:o, s:o}", "replications",
				      (json_int_t)result.replications, "events",
				      (json_int_t)result.events, "seed",
				      (json_int_t)work->question->seed, "unavailability",
				      estimate_json(&result.unavailability), "frequency_per_h",
				      estimate_json(&result.frequency)));
	return 0;
}

void avail_note(struct avail_work *work, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	json_array_append_new(work->notes, json_string(text));
}

/* What the reader must know before believing the figures. */
static void note_site(struct avail_work *work)
{
	const struct site_model_notes *n = &work->c->notes;

	if (work->c->source != AVAIL_FROM_SITE)
		return;
	for (unsigned g = 0; g < work->c->site->groups_count; g++)
		if (work->c->site->groups[g].chosen)
			avail_note(work, "group %s: %s", work->c->site->groups[g].name,
				   work->c->site->groups[g].chosen);
	if (n->presumed)
		avail_note(work,
			   "%u of %u units have figures that the site file does not give and "
			   "that are presumed for their kind",
			   n->presumed, n->units);
	if (n->perfect_ways)
		avail_note(work,
			   "no path is given between chassis '%s' and '%s': the connection is "
			   "taken as perfect",
			   n->perfect_from, n->perfect_to);
}

/* Why there are only bounds. */
static void note_bounds(struct avail_work *work)
{
	if (!avail_solver_is_exact(avail_service_solver(work->service)))
		avail_note(work,
			   "the decision diagram passed the budget of time, nodes or memory: the "
			   "truth is between two functions with smaller diagrams");
}

static bool is_asked(const struct avail_work *work, enum avail_only only)
{
	return work->question->only == AVAIL_EVERYTHING || work->question->only == only;
}

static int put_all(json_t *out, struct avail_work *work)
{
	bool everything = work->question->only == AVAIL_EVERYTHING;
	int err;

	json_object_set_new(out, "model", json_string(work->c->model.name));
	json_object_set_new(out, "top", json_string(work->top.name));
	put_steady(out, work);
	note_bounds(work);
	json_object_set_new(out, "size", size_json(avail_service_solver(work->service)));
	if (avail_dynamic_module_count(avail_service_dynamic(work->service)))
		json_object_set_new(out, "modules",
				    modules_json(avail_service_dynamic(work->service)));
	err = avail_put_frequency(out, work);
	if (!err && is_asked(work, AVAIL_ONLY_SETS))
		err = avail_put_sets(out, work);
	if (!err && is_asked(work, AVAIL_ONLY_IMPORTANCE))
		err = avail_put_importance(out, work);
	if (!err && everything)
		err = put_mission(out, work);
	if (!err)
		err = put_curve(out, work);
	if (!err && everything)
		err = put_capacities(out, work);
	if (!err)
		err = put_uncertainty(out, work);
	if (!err)
		err = put_simulation(out, work);
	return err;
}

static struct avail_service_budget budget_of(const struct avail_question *question,
					     struct avail_clock *clock)
{
	return (struct avail_service_budget){
		.diagram = { .nodes = question->nodes,
			     .go_on = avail_clock_go_on_first,
			     .go_on_later = avail_clock_go_on,
			     .context = clock },
		.chains = { .states = question->states,
			    .go_on = avail_clock_go_on,
			    .context = clock },
	};
}

int avail_answer(struct avail_case *c, const struct avail_question *question, json_t **answer,
		 struct refusal *why)
{
	struct avail_clock clock = avail_clock_start(question->seconds);
	struct avail_work work = {
		.c = c, .question = question, .why = why, .budget = budget_of(question, &clock)
	};
	int err = avail_case_top(c, question->top, &work.top, why);

	if (err)
		return err;
	err = avail_open_within(&work.service, &c->model, work.top.down, &work.budget, &work.steady,
				why);
	if (err)
		return err;
	work.notes = json_array();
	*answer = json_object();
	err = look_between_bounds(&work);
	if (!err)
		err = put_all(*answer, &work);
	note_site(&work);
	if (json_array_size(work.notes))
		json_object_set(*answer, "notes", work.notes);
	json_decref(work.notes);
	avail_service_close(work.service);
	if (err)
		json_decref(*answer);
	return err;
}

int avail_answer_steady(struct avail_case *c, const struct avail_question *question,
			const struct avail_top *top, struct avail_answer *steady,
			struct refusal *why)
{
	struct avail_clock clock = avail_clock_start(question->seconds);
	struct avail_service_budget budget = budget_of(question, &clock);
	struct avail_service *service;
	int err = avail_open_within(&service, &c->model, top->down, &budget, steady, why);

	if (!err)
		avail_service_close(service);
	return err;
}
