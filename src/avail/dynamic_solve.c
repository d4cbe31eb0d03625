/* Numbers for a tree with modules, and what a solver makes of them. */
#include "avail/compose.h"

#include <errno.h>
#include <math.h>

enum { PAIRS_MOST = 256 }; /* of outcomes that have to be looked at together */

/* ---- leaves ---- */

static int take_leaf(struct avail_dynamic *dynamic, uint32_t leaf, struct avail_sample *sample,
		     enum avail_pin pin, const struct avail_when *when, struct refusal *why)
{
	struct avail_figures figures;
	int err = avail_leaf_figures(&dynamic->graph.flat, leaf, sample, &figures, why);
	double p = figures.unavailability;

	if (!err && when->kind == AVAIL_AT_TIME)
		err = avail_leaf_at(&dynamic->graph.flat, leaf, sample, when->t_h, &p, why);
	if (err)
		return err;
	dynamic->rates.failure[leaf] = figures.failure_rate;
	dynamic->rates.repair[leaf] = figures.repair_rate;
	dynamic->rates.failed[leaf] = p;
	dynamic->up[leaf] = figures.failure_rate * (1 - p);
	dynamic->down[leaf] =
		isinf(figures.repair_rate) ? dynamic->up[leaf] : figures.repair_rate * p;
	if (pin != AVAIL_PIN_NONE) {
		p = pin == AVAIL_PIN_FAILED;
		dynamic->up[leaf] = dynamic->down[leaf] = 0;
	}
	dynamic->p[leaf] = dynamic->lower[leaf] = dynamic->upper[leaf] = p;
	return 0;
}

/* ---- modules ---- */

/* Probabilities of the choosers that give these outcomes. */
static void set_choosers(const struct avail_composed_module *module, const double *outcomes,
			 double *p)
{
	uint32_t count = module->order.count;
	double left = count ? outcomes[module->order.items[count - 1]] : 0;

	/* From the last on, so that what is left is a sum of small numbers and no difference. */
	for (uint32_t i = count; i-- > 1;) {
		double own = outcomes[module->order.items[i - 1]];

		left += own;
		p[module->first_chooser + i - 1] = left > 0 ? own / left : 0;
	}
}

static bool is_all(const struct avail_composed_module *module, uint32_t outcome, uint8_t value)
{
	const struct avail_outcomes *outcomes = &module->knot.outcomes;

	for (uint32_t k = 0; k < module->outputs.count; k++)
		if (outcomes->values[(size_t)outcome * outcomes->width + k] != value)
			return false;
	return true;
}

/* The distribution that is worst, or best, for whatever gets no better by more failures. */
static void set_bound(const struct avail_composed_module *module, const struct avail_knot *knot,
		      const double *outcomes, double beyond, double *scratch, double *p)
{
	double rest = 1;
	uint32_t none = AVAIL_NONE, all = AVAIL_NONE;

	for (uint32_t o = 0; o < knot->outcomes.count; o++) {
		scratch[o] = outcomes[o];
		if (is_all(module, o, 0))
			none = o;
		if (is_all(module, o, 1))
			all = o;
	}
	must(none != AVAIL_NONE && all != AVAIL_NONE);
	scratch[all] += beyond;
	for (uint32_t o = 0; o < knot->outcomes.count; o++)
		rest -= o == none ? 0 : scratch[o];
	scratch[none] = rest > 0 ? rest : 0;
	for (uint32_t o = 0; o < knot->outcomes.count && rest < 0; o++)
		scratch[o] = o == all;
	set_choosers(module, scratch, p);
}

static int take_results(struct avail_dynamic *dynamic, uint32_t index,
			const struct avail_knot *knot)
{
	struct avail_composed_module *module = &dynamic->modules[index];
	size_t count = knot->outcomes.count;
	double *scratch;

	memcpy(dynamic->flows[index], knot->flow, count * count * sizeof *knot->flow);
	set_choosers(module, knot->value, dynamic->p);
	if (knot->state == AVAIL_MODULE_EXACT) {
		set_choosers(module, knot->lower, dynamic->lower);
		set_choosers(module, knot->upper, dynamic->upper);
	} else {
		scratch = avail_take(dynamic->memory, count, sizeof *scratch);
		if (!scratch)
			return -ENOMEM;
		set_bound(module, knot, knot->lower, 0, scratch, dynamic->lower);
		set_bound(module, knot, knot->upper, knot->beyond, scratch, dynamic->upper);
		avail_give(dynamic->memory, scratch, count, sizeof *scratch);
	}
	if (module->order.count == 2) {
		uint32_t yes = module->order.items[0], no = module->order.items[1];

		dynamic->up[module->first_chooser] = knot->flow[no * count + yes];
		dynamic->down[module->first_chooser] = knot->flow[yes * count + no];
	}
	return 0;
}

/* Unavailability and frequency of the first output. */
static void say(struct avail_composed_module *module, const struct avail_knot *knot)
{
	const struct avail_outcomes *outcomes = &knot->outcomes;

	module->said.error = knot->error;
	module->said.unavailability = module->said.frequency = 0;
	for (uint32_t i = 0; i < outcomes->count; i++) {
		if (!outcomes->values[(size_t)i * outcomes->width])
			continue;
		module->said.unavailability += knot->lower[i];
		for (uint32_t k = 0; k < outcomes->count; k++)
			if (!outcomes->values[(size_t)k * outcomes->width])
				module->said.frequency +=
					knot->flow[(size_t)k * outcomes->count + i];
	}
}

/* A module with a leaf that is pinned: a chain of its own, for this evaluation. */
static int evaluate_pinned(struct avail_dynamic *dynamic, uint32_t index, const uint8_t *pins,
			   const struct avail_when *when)
{
	struct avail_composed_module *module = &dynamic->modules[index];
	struct avail_knot knot;
	struct avail_knot_wants wants = { .leaves = &module->leaves,
					  .outputs = &module->outputs,
					  .pins = pins,
					  .known = &module->knot.outcomes,
					  .budget = &dynamic->budget };
	int err = avail_knot_init(&knot, &dynamic->graph, &wants);

	if (err)
		return err;
	if (knot.state == AVAIL_MODULE_BEYOND && module->knot.state != AVAIL_MODULE_BEYOND)
		err = -EDQUOT;
	if (!err)
		err = avail_knot_evaluate(&knot, &dynamic->rates, when);
	if (!err)
		err = take_results(dynamic, index, &knot);
	avail_knot_fini(&knot);
	return err;
}

/* Whether the same was asked of a module last time; remembers what is asked now. */
static bool is_asked_again(struct avail_dynamic *dynamic, struct avail_composed_module *module,
			   const struct avail_when *when)
{
	bool same = module->fresh && module->when.kind == when->kind &&
		    memcmp(&module->when.t_h, &when->t_h, sizeof when->t_h) == 0;

	for (uint32_t i = 0; i < module->leaves.count; i++) {
		uint32_t leaf = module->leaves.items[i];
		const double now[3] = { dynamic->rates.failure[leaf], dynamic->rates.repair[leaf],
					dynamic->rates.failed[leaf] };

		same = same && memcmp(module->asked + 3 * (size_t)i, now, sizeof now) == 0;
		memcpy(module->asked + 3 * (size_t)i, now, sizeof now);
	}
	module->when = *when;
	module->fresh = false;
	return same;
}

static int evaluate_module(struct avail_dynamic *dynamic, uint32_t index, const uint8_t *pins,
			   const struct avail_when *when)
{
	struct avail_composed_module *module = &dynamic->modules[index];
	bool pinned = false;
	int err;

	if (!module->known)
		return 0;
	for (uint32_t i = 0; i < module->leaves.count && pins; i++)
		pinned |= pins[module->leaves.items[i]] != AVAIL_PIN_NONE;
	if (pinned) {
		module->fresh = false;
		return evaluate_pinned(dynamic, index, pins, when);
	}
	if (!is_asked_again(dynamic, module, when)) {
		err = avail_knot_evaluate(&module->knot, &dynamic->rates, when);
		if (!err)
			err = take_results(dynamic, index, &module->knot);
		if (err)
			return err;
		say(module, &module->knot);
	}
	module->fresh = true;
	return 0;
}

int avail_dynamic_evaluate(struct avail_dynamic *dynamic, struct avail_sample *sample,
			   const uint8_t *pins, const struct avail_when *when, struct refusal *why)
{
	struct avail_when then = *when;
	int err = 0;

	/* What is never repaired counts as at the mission time. */
	if (when->kind == AVAIL_IN_STEADY_STATE)
		then.t_h = sample->time_h;
	for (uint32_t i = 0; i < dynamic->graph.leaf_count && !err; i++)
		err = take_leaf(dynamic, i, sample, pins ? (enum avail_pin)pins[i] : AVAIL_PIN_NONE,
				when, why);
	for (uint32_t m = 0; m < dynamic->module_count && !err; m++)
		err = evaluate_module(dynamic, m, pins, &then);
	return err;
}

/* ---- how often ---- */

struct frequency {
	struct avail_dynamic *dynamic;
	struct avail_solver *solver;
	uint32_t top;
	bool monotone;
	double *p;     /* a copy to set choosers in */
	double *given; /* probability of the top in each outcome of the module at hand */
	uint32_t pairs;
};

/* All that is not of a module with several outcomes. */
static double sum_of_events(const struct avail_dynamic *dynamic, const double *rise,
			    const double *fall)
{
	double sum = 0;

	for (uint32_t i = 0; i < dynamic->tree.event_count; i++)
		sum += dynamic->up[i] * rise[i] + dynamic->down[i] * fall[i];
	return sum;
}

static int given_outcomes(struct frequency *frequency, const struct avail_composed_module *module)
{
	struct avail_dynamic *dynamic = frequency->dynamic;
	uint32_t count = module->order.count;
	int err = 0;

	memcpy(frequency->p, dynamic->p, dynamic->tree.event_count * sizeof *frequency->p);
	for (uint32_t i = 0; i < count && !err; i++) {
		struct avail_bounds bounds;

		for (uint32_t k = 0; k + 1 < count; k++)
			frequency->p[module->first_chooser + k] = k == i;
		err = avail_solver_probability(frequency->solver, frequency->p, &bounds);
		frequency->given[i] = bounds.value;
	}
	return err;
}

/* How the outputs of one outcome compare with those of another: 1: some more are true and none
 * fewer; -1: the other way round; 0: neither. */
static int compare(const struct avail_composed_module *module, uint32_t from, uint32_t to)
{
	const struct avail_outcomes *outcomes = &module->knot.outcomes;
	bool more = false, fewer = false;

	for (uint32_t k = 0; k < module->outputs.count; k++) {
		uint8_t before = outcomes->values[(size_t)from * outcomes->width + k];
		uint8_t after = outcomes->values[(size_t)to * outcomes->width + k];

		more |= after > before;
		fewer |= after < before;
	}
	return more && !fewer ? 1 : fewer && !more ? -1 : 0;
}

/* Probability that the top is false in one outcome and true in another, of which neither implies
 * the other: by a diagram of both together. */
static int both_given(struct frequency *frequency, const struct avail_composed_module *module,
		      uint32_t from, uint32_t to, double *probability)
{
	struct avail_dynamic *dynamic = frequency->dynamic;
	struct avail_solver *solver;
	struct avail_bounds bounds;
	uint32_t args[2], both = AVAIL_NO_REF;
	int err;

	if (frequency->pairs++ == PAIRS_MOST)
		return -EDQUOT;
	args[0] = avail_compose_given(dynamic, frequency->top, module, from);
	args[1] = avail_compose_given(dynamic, frequency->top, module, to);
	if (args[0] != AVAIL_NO_REF && args[1] != AVAIL_NO_REF) {
		args[0] = avail_not(args[0]);
		both = avail_tree_gate(&dynamic->tree, AVAIL_AND, 0, 0, args, 2);
	}
	if (both == AVAIL_NO_REF)
		return -ENOMEM;
	err = avail_solver_open(&solver, dynamic->memory, &dynamic->tree, both, NULL);
	if (err)
		return err;
	err = avail_solver_is_exact(solver) ? avail_solver_probability(solver, dynamic->p, &bounds)
					    : -EDQUOT;
	avail_solver_close(solver);
	*probability = err ? 0 : bounds.value;
	return err;
}

static int sum_of_module(struct frequency *frequency, uint32_t index, double *sum)
{
	struct avail_dynamic *dynamic = frequency->dynamic;
	const struct avail_composed_module *module = &dynamic->modules[index];
	uint32_t count = module->order.count, outcomes = module->knot.outcomes.count;
	int err = given_outcomes(frequency, module);

	for (uint32_t i = 0; i < count && !err; i++)
		for (uint32_t k = 0; k < count && !err; k++) {
			uint32_t from = module->order.items[i], to = module->order.items[k];
			double flow = dynamic->flows[index][(size_t)from * outcomes + to], change;
			int more = frequency->monotone ? compare(module, from, to) : 0;

			if (flow == 0 || more < 0)
				continue;
			change = frequency->given[k] - frequency->given[i];
			if (more == 0)
				err = both_given(frequency, module, i, k, &change);
			if (!err && change > 0)
				*sum += flow * change;
		}
	return err;
}

/* Whether any event comes or goes at all: of a tree with nothing but probabilities none does. */
static bool anything_happens(const struct avail_dynamic *dynamic)
{
	for (uint32_t i = 0; i < dynamic->tree.event_count; i++)
		if (dynamic->up[i] > 0 || dynamic->down[i] > 0)
			return true;
	return dynamic->module_count > 0;
}

static int sum_all(struct frequency *frequency, double *sum)
{
	struct avail_dynamic *dynamic = frequency->dynamic;
	size_t events = (size_t)dynamic->tree.event_count + 1;
	double *rise = avail_take(dynamic->memory, events, sizeof *rise);
	double *fall = avail_take(dynamic->memory, events, sizeof *fall);
	int err = rise && fall ? avail_solver_changes(frequency->solver, dynamic->p, rise, fall)
			       : -ENOMEM;

	if (!err)
		*sum = sum_of_events(dynamic, rise, fall);
	for (uint32_t m = 0; m < dynamic->module_count && !err; m++)
		if (dynamic->modules[m].order.count > 2)
			err = sum_of_module(frequency, m, sum);
	avail_give(dynamic->memory, rise, events, sizeof *rise);
	avail_give(dynamic->memory, fall, events, sizeof *fall);
	return err;
}

/* NAN when it cannot be said exactly. */
static int find_frequency(struct frequency *frequency, double *sum)
{
	struct avail_dynamic *dynamic = frequency->dynamic;
	size_t events = (size_t)dynamic->tree.event_count + 1, outcomes = 1;
	int err;

	*sum = NAN;
	if (!avail_solver_is_exact(frequency->solver))
		return 0;
	if (!anything_happens(dynamic)) {
		*sum = 0;
		return 0;
	}
	for (uint32_t m = 0; m < dynamic->module_count; m++)
		outcomes = (size_t)max_u64(outcomes, dynamic->modules[m].order.count);
	frequency->p = avail_take(dynamic->memory, events, sizeof *frequency->p);
	frequency->given = avail_take(dynamic->memory, outcomes, sizeof *frequency->given);
	err = frequency->p && frequency->given ? sum_all(frequency, sum) : -ENOMEM;
	avail_give(dynamic->memory, frequency->p, events, sizeof *frequency->p);
	avail_give(dynamic->memory, frequency->given, outcomes, sizeof *frequency->given);
	if (err == -EDQUOT || err == -ENOTSUP) {
		*sum = NAN;
		return 0;
	}
	return err;
}

/* ---- both ---- */

static int find_bounds(struct avail_dynamic *dynamic, struct avail_solver *solver, bool monotone,
		       struct avail_bounds *bounds)
{
	struct avail_bounds low = { 0 }, high = { .upper = 1 };
	int err = avail_solver_probability(solver, dynamic->p, bounds);

	if (err || dynamic->exact)
		return err;
	if (monotone)
		err = avail_solver_probability(solver, dynamic->lower, &low);
	if (!err && monotone)
		err = avail_solver_probability(solver, dynamic->upper, &high);
	if (err)
		return err;
	bounds->lower = low.lower;
	bounds->upper = fmax(high.upper, low.lower);
	if (!isnan(bounds->value)) {
		bounds->value = fmin(fmax(bounds->value, bounds->lower), bounds->upper);
		bounds->complement = 1 - bounds->value;
	}
	return 0;
}

int avail_dynamic_probability(struct avail_dynamic *dynamic, struct avail_solver *solver,
			      uint32_t top, struct avail_bounds *bounds)
{
	bool monotone;
	int err = avail_compose_is_monotone(dynamic, top, &monotone);

	return err ? err : find_bounds(dynamic, solver, monotone, bounds);
}

int avail_dynamic_solve(struct avail_dynamic *dynamic, struct avail_solver *solver, uint32_t top,
			struct avail_dynamic_answer *answer)
{
	struct frequency frequency = { .dynamic = dynamic, .solver = solver, .top = top };
	int err = avail_compose_is_monotone(dynamic, top, &frequency.monotone);

	if (!err)
		err = find_bounds(dynamic, solver, frequency.monotone, &answer->unavailability);
	if (!err)
		err = find_frequency(&frequency, &answer->frequency);
	return err;
}
