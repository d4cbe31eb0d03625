/* Standby, coverage, crews: published figures, closed forms, and what must hold of any model. */
#include "avail/compose.h"
#include "tests/avail_models.h"

#include <errno.h>

/* One top, opened. */
struct opened {
	struct avail_dynamic *dynamic;
	struct avail_solver *solver;
	struct avail_sample sample;
	uint32_t top;
};

static void open_top(struct opened *opened, struct avail_term down,
		     const struct avail_dynamic_budget *budget)
{
	checked();
	assert_int_equal(
		avail_dynamic_open(&opened->dynamic, &model, &down, 1, budget, &opened->top), 0);
	assert_int_equal(avail_solver_open(&opened->solver, &heap.memory,
					   avail_dynamic_tree(opened->dynamic), opened->top, NULL),
			 0);
	assert_int_equal(avail_sample_init(&opened->sample, &model, model.mission_h), 0);
}

static void close_top(struct opened *opened)
{
	avail_sample_fini(&opened->sample);
	avail_solver_close(opened->solver);
	avail_dynamic_close(opened->dynamic);
}

static struct avail_dynamic_answer ask(struct opened *opened, const struct avail_when *when)
{
	struct avail_dynamic_answer answer;

	assert_int_equal(avail_dynamic_evaluate(opened->dynamic, &opened->sample, NULL, when, NULL),
			 0);
	assert_int_equal(avail_dynamic_solve(opened->dynamic, opened->solver, opened->top, &answer),
			 0);
	return answer;
}

static struct avail_dynamic_answer steady(struct avail_term down)
{
	static const struct avail_when when = { .kind = AVAIL_IN_STEADY_STATE };
	struct opened opened;
	struct avail_dynamic_answer answer;

	open_top(&opened, down, NULL);
	answer = ask(&opened, &when);
	close_top(&opened);
	return answer;
}

static struct avail_dynamic_answer at_time(struct avail_term down, double t_h)
{
	const struct avail_when when = { .kind = AVAIL_AT_TIME, .t_h = t_h };
	struct opened opened;
	struct avail_dynamic_answer answer;

	open_top(&opened, down, NULL);
	answer = ask(&opened, &when);
	close_top(&opened);
	return answer;
}

/* ---- published figures ---- */

/* IEC 61165; coverage as in Birolini, Reliability Engineering, section on incomplete coverage. */
static void pair_with_one_crew_and_coverage_has_the_published_unavailability(void **state)
{
	static const struct {
		double coverage, unavailability, relative;
	} rows[] = {
		{ 1, 3.197441024e-7, 1e-9 },
		{ 0.99, 8.31328020934e-6, 1e-11 },
		{ 0.95, 4.02861467452e-5, 1e-11 },
	};

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++) {
		struct avail_term pair[2] = { part("a", 1e4, 4), part("b", 1e4, 4) }, down;
		struct avail_dynamic_answer answer;

		standby(pair, 2, 1, &down)->coverage = rows[i].coverage;
		crew(1, pair, 2);
		answer = steady(down);
		near(answer.unavailability.value, rows[i].unavailability, rows[i].relative);
		/* In the long run it is left, at the rate of the one repair, as often as entered.
		 */
		near(answer.frequency, answer.unavailability.value * 0.25, 1e-12);
		again();
	}
}

static void three_of_four_power_supplies_have_the_published_unavailability(void **state)
{
	(void)state;
	for (uint32_t crews = 1; crews <= 4; crews += 3) {
		struct avail_term supplies[4], down;
		struct opened opened;
		static const struct avail_when when;

		for (unsigned i = 0; i < 4; i++)
			supplies[i] = part("supply", 200000, 4);
		down = gate(AVAIL_FORMULA_AT_LEAST, 2, supplies, 4);
		crew(crews, supplies, 4);
		open_top(&opened, down, NULL);
		near(ask(&opened, &when).unavailability.value,
		     crews == 1 ? 4.79980799616e-9 : 2.3998400072e-9, 1e-11);
		/* A crew for each is no reason for a chain; one crew's chain has a state for each
		 * number. */
		assert_int_equal(avail_dynamic_module_count(opened.dynamic), crews == 1);
		if (crews == 1) {
			const struct avail_module *said = avail_dynamic_module(opened.dynamic, 0);

			assert_int_equal(said->states, 5);
			assert_int_equal(said->events, 4);
			assert_string_equal(said->name, "crew");
			near(said->unavailability, 4.79980799616e-9, 1e-11);
		}
		close_top(&opened);
		again();
	}
}

/* ---- closed forms ---- */

/* Without repair and with a warm spare: first either fails, then the other at the active rate. */
static void warm_spare_without_repair_fails_by_a_time_as_the_sum_of_two_exponentials(void **state)
{
	static const double times[] = { 0.01, 0.5, 2, 30 };

	(void)state;
	for (unsigned i = 0; i < array_len(times); i++) {
		struct avail_term pair[2] = { unrepaired("a", 0.5), unrepaired("b", 0.5) }, down;
		struct avail_standby *group = standby(pair, 2, 1, &down);
		double t = times[i], first = 0.65, then = 0.5;

		group->mode = AVAIL_WARM;
		group->dormancy = 0.3;
		/* The form below subtracts: it is good to some 1e-15 of 1, not of itself. */
		double wanted =
			1 + (then * exp(-first * t) - first * exp(-then * t)) / (first - then);

		near(at_time(down, t).unavailability.value, wanted, 1e-12 + 1e-15 / wanted);
		again();
	}
}

/* A cold spare and a crew for each: states 0, 1, 2 failed; rates L, L up, m, 2m down. */
static void cold_spare_has_its_birth_death_chain(void **state)
{
	struct avail_term pair[2] = { part("a", 1000, 10), part("b", 1000, 10) }, down;
	struct avail_dynamic_answer answer;
	double r = 0.01, p2 = r * r / 2 / (1 + r + r * r / 2);

	(void)state;
	standby(pair, 2, 1, &down)->mode = AVAIL_COLD;
	answer = steady(down);
	near(answer.unavailability.value, p2, 1e-14);
	near(answer.frequency, p2 * 0.2, 1e-14);
}

/* Hot, all covered, but each switch-over takes a while: states both, one, none; and both with one
 * that takes over.  With one active of two, half of the failures are the spare's and harm nobody.
 */
static void switch_over_takes_its_outage(void **state)
{
	struct avail_term pair[2] = { part("a", 1e5, 4), part("b", 1e5, 4) }, down;
	struct avail_standby *group = standby(pair, 2, 1, &down);
	double l = 1e-5, m = 0.25, s = 1 / 0.01;
	/* q: both work; w: one failed, switching; o: one failed, the other active; n: none works.
	 * What leaves w: the end of switching, the repair, the failure of the other. */
	double q = 1, w, o, n;

	(void)state;
	group->switch_h = 0.01;
	/* Repair during switching ends in both working while it still switches (v). */
	/* Balance by hand: q, v, w, o, n in that order, solved by substitution below. */
	struct avail_dynamic_answer answer = steady(down);
	/* v: both work, switching.  Flows: q -> o at l (spare), q -> w at l (active), v -> w at l
	 * (active), v -> v' (spare fails: w as well: one failed, switching) at l, v -> q at s, w ->
	 * o at s, w -> v at m, w -> n at l, o -> q at m, o -> n at l, n -> o at 2 m. */
	double v_of_w = m / (s + 2 * l), w_of_q = l / (s + m + l - 2 * l * v_of_w);
	double q_out = 2 * l;

	w = w_of_q * q;
	double v = v_of_w * w;
	/* q: in o m + v s = out 2 l q. */
	o = (q_out * q - v * s) / m;
	n = (w + o) * l / (2 * m);
	near(answer.unavailability.value, (w + v + n) / (q + v + w + o + n), 1e-12);
}

/* Two cards of one chassis: the chassis stands beside the group. */
static void what_fails_every_member_stands_beside_the_group(void **state)
{
	struct avail_term chassis, cards[2], members[2], down;
	double beside = 4.0 / 1000004, group;
	struct opened opened;
	static const struct avail_when when;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		cards[i] = part("card", 250000, 4);
	standby(cards, 2, 1, &down)->coverage = 0.9;
	group = steady(down).unavailability.value;
	again();
	chassis = part("chassis", 1e6, 4);
	for (unsigned i = 0; i < 2; i++)
		members[i] = either(part("card", 250000, 4), chassis);
	standby(members, 2, 1, &down)->coverage = 0.9;
	open_top(&opened, down, NULL);
	near(ask(&opened, &when).unavailability.value, beside + group - beside * group, 1e-13);
	assert_int_equal(avail_dynamic_module_count(opened.dynamic), 1);
	assert_int_equal(avail_dynamic_module(opened.dynamic, 0)->events, 2);
	assert_int_equal(avail_dynamic_module(opened.dynamic, 0)->states, 3);
	close_top(&opened);
}

static void waiting_for_somebody_is_an_outage_of_that_length(void **state)
{
	struct avail_term pair[2] = { part("a", 1e5, 4), part("b", 1e5, 4) }, down;
	struct avail_standby *group = standby(pair, 2, 1, &down);
	struct avail_dynamic_answer answer;

	(void)state;
	group->coverage = 0.8;
	group->uncovered = AVAIL_UNCOVERED_WAITS;
	group->recovery_h = 0.5;
	answer = steady(down);
	/* To first order: the active one's failures, a fifth of them, half an hour each; and both
	 * failed. */
	near(answer.unavailability.value, 1e-5 * 0.2 * 0.5 + 4e-5 * 4e-5, 1e-3);
}

/* ---- composition against one chain of everything ---- */

struct whole_size {
	uint32_t states;
};

/* One chain of all leaves, nothing lumped, nothing composed. */
static bool whole_chain(struct avail_term top, const struct avail_when *when,
			double *unavailability, double *frequency, struct whole_size *size)
{
	struct avail_graph graph;
	struct avail_list leaves = { .memory = &heap.memory };
	struct avail_dynamic_budget budget = { .states = 30000 };
	struct avail_sample sample;
	struct avail_knot knot;
	struct avail_rates rates;
	double numbers[3][64];
	bool exact;

	assert_int_equal(avail_graph_init(&graph, &model, &top, 1), 0);
	assert_int_equal(avail_sample_init(&sample, &model, model.mission_h), 0);
	assert_true(graph.leaf_count <= 64);
	rates = (struct avail_rates){ numbers[0], numbers[1], numbers[2] };
	for (uint32_t i = 0; i < graph.leaf_count; i++) {
		struct avail_figures figures;

		assert_int_equal(avail_leaf_figures(&graph.flat, i, &sample, &figures, NULL), 0);
		numbers[0][i] = figures.failure_rate;
		numbers[1][i] = figures.repair_rate;
		numbers[2][i] = figures.unavailability;
		assert_true(avail_list_add(&leaves, i));
	}
	const struct avail_knot_wants wants = {
		.leaves = &leaves, .outputs = &graph.tops, .alike = 1, .budget = &budget
	};

	assert_int_equal(avail_knot_init(&knot, &graph, &wants), 0);
	exact = knot.state == AVAIL_MODULE_EXACT;
	size->states = knot.states;
	if (exact) {
		assert_int_equal(avail_knot_evaluate(&knot, &rates, when), 0);
		*unavailability = *frequency = 0;
		for (uint32_t i = 0; i < knot.outcomes.count; i++) {
			if (!knot.outcomes.values[i])
				continue;
			*unavailability += knot.value[i];
			for (uint32_t k = 0; k < knot.outcomes.count; k++)
				*frequency += k == i ? 0 : knot.flow[k * knot.outcomes.count + i];
		}
	}
	avail_knot_fini(&knot);
	avail_sample_fini(&sample);
	avail_list_fini(&leaves);
	avail_graph_fini(&graph);
	return exact;
}

static void compare_random_models(const struct avail_when *when, bool may_negate, unsigned rounds)
{
	uint64_t seed = check_seed();
	unsigned compared = 0, several = 0, lumped = 0;

	for (unsigned round = 0; round < rounds; round++) {
		uint64_t kept = seed;
		uint32_t groups;
		struct avail_term top = random_model(&seed, may_negate, &groups);
		double unavailability, frequency;
		struct avail_dynamic_answer answer;
		struct whole_size size;
		struct opened opened;

		checked();
		if (whole_chain(top, when, &unavailability, &frequency, &size)) {
			open_top(&opened, top, NULL);
			answer = ask(&opened, when);
			for (uint32_t m = 0; m < avail_dynamic_module_count(opened.dynamic); m++) {
				const struct avail_module *said =
					avail_dynamic_module(opened.dynamic, m);

				several += said->outcomes > 2;
				lumped += said->states < 1U << said->events;
			}
			close_top(&opened);
			if (fabs(answer.unavailability.value - unavailability) >
				    1e-11 * unavailability + 1e-15 ||
			    !(fabs(answer.frequency - frequency) <= 1e-11 * frequency + 1e-14)) {
				print_error("model of seed %" PRIu64 ": U %.17g and %.17g, "
					    "frequency %.17g and %.17g\n",
					    kept, answer.unavailability.value, unavailability,
					    answer.frequency, frequency);
				fail();
			}
			compared++;
		}
		again();
	}
	print_message("# %u compared, %u modules with several outcomes, %u lumped\n", compared,
		      several, lumped);
	assert_true(compared > rounds / 2);
	assert_true(several > rounds / 10);
}

static void random_models_composed_are_the_chain_of_everything(void **state)
{
	static const struct avail_when when = { .kind = AVAIL_IN_STEADY_STATE };

	(void)state;
	compare_random_models(&when, false, 300);
}

static void random_models_that_are_not_coherent_composed_are_the_chain_of_everything(void **state)
{
	static const struct avail_when when = { .kind = AVAIL_IN_STEADY_STATE };

	(void)state;
	compare_random_models(&when, true, 300);
}

static void random_models_at_a_time_composed_are_the_chain_of_everything(void **state)
{
	static const struct avail_when when = { .kind = AVAIL_AT_TIME, .t_h = 1.5 };

	(void)state;
	compare_random_models(&when, false, 100);
}

/* ---- equal units ---- */

/* Groups and gates over blocks of one shape, in numbers that nobody would want to enumerate by
 * hand. */
static struct avail_term random_equal_model(uint64_t *seed)
{
	uint32_t count = 3 + below(seed, 2), shape = below(seed, 3), per_block = 1 + (shape > 0);
	struct avail_term blocks[4], all[12], args[3], down;
	struct avail_standby *group;

	for (uint32_t i = 0; i < count; i++) {
		all[per_block * i] = part("card", 20, 2);
		blocks[i] = all[per_block * i];
		if (shape == 0)
			continue;
		all[per_block * i + 1] = part("carrier", 40, 3);
		args[0] = all[per_block * i];
		args[1] = all[per_block * i + 1];
		blocks[i] = gate(shape == 1 ? AVAIL_FORMULA_OR : AVAIL_FORMULA_AND, 0, args, 2);
	}
	if (below(seed, 2))
		crew(1 + below(seed, 2), all, per_block * count);
	if (below(seed, 4) == 0)
		return gate(AVAIL_FORMULA_AT_LEAST, 2, blocks, count);
	group = standby(blocks, count, 1 + below(seed, count - 1), &down);
	group->mode = (enum avail_standby_mode)below(seed, 3);
	group->dormancy = uniform(seed);
	group->coverage = below(seed, 2) ? 1 : uniform(seed);
	group->uncovered = (enum avail_uncovered)below(seed, 2);
	group->recovery_h = 0.5;
	group->switch_h = below(seed, 2) ? 0 : 0.2;
	group->reverts = below(seed, 2);
	args[0] = down;
	args[1] = part("other", 30, 1);
	return gate(AVAIL_FORMULA_OR, 0, args, 2);
}

static void equal_units_counted_as_one_kind_change_nothing(void **state)
{
	static const struct avail_when when = { .kind = AVAIL_IN_STEADY_STATE };
	uint64_t seed = check_seed();
	unsigned compared = 0, smaller = 0;

	(void)state;
	for (unsigned round = 0; round < 80; round++) {
		uint64_t kept = seed;
		struct avail_term top = random_equal_model(&seed);
		double unavailability, frequency;
		struct whole_size plain;

		checked();
		if (whole_chain(top, &when, &unavailability, &frequency, &plain)) {
			struct opened opened;
			struct avail_dynamic_answer answer;

			open_top(&opened, top, NULL);
			answer = ask(&opened, &when);
			for (uint32_t m = 0; m < avail_dynamic_module_count(opened.dynamic); m++)
				smaller += 3 * avail_dynamic_module(opened.dynamic, m)->states <
					   plain.states;
			close_top(&opened);
			if (fabs(answer.unavailability.value - unavailability) >
				    1e-11 * unavailability ||
			    !(fabs(answer.frequency - frequency) <= 1e-11 * frequency)) {
				print_error("model of seed %" PRIu64 ": U %.17g and %.17g\n", kept,
					    answer.unavailability.value, unavailability);
				fail();
			}
			compared++;
		}
		again();
	}
	print_message("# %u compared, %u modules less than a third\n", compared, smaller);
	assert_true(compared > 60 && smaller > 30);
}

/* n equal units and one crew have n + 1 states, whatever n is: M/M/1//n. */
static void many_equal_units_stay_small(void **state)
{
	struct avail_term units[60], down;
	struct opened opened;
	static const struct avail_when when;
	double term = 1, sum = 0, wanted = 0;

	(void)state;
	for (unsigned i = 0; i < 60; i++)
		units[i] = part("unit", 1000, 4);
	down = gate(AVAIL_FORMULA_AT_LEAST, 3, units, 60);
	crew(1, units, 60);
	open_top(&opened, down, NULL);
	for (unsigned k = 0; k <= 60; k++) {
		sum += term;
		wanted += k >= 3 ? term : 0;
		term *= (60 - k) * 0.004;
	}
	near(ask(&opened, &when).unavailability.value, wanted / sum, 1e-12);
	assert_int_equal(avail_dynamic_module(opened.dynamic, 0)->states, 61);
	close_top(&opened);
}

/* ---- budgets ---- */

/* Whatever the budget, the truth is between the bounds. */
static void bounds_within_any_budget_hold_the_truth(void **state)
{
	static const struct avail_when when = { .kind = AVAIL_IN_STEADY_STATE };
	uint64_t seed = check_seed();
	unsigned cut = 0, beyond = 0, tight = 0;

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		uint64_t kept = seed;
		uint32_t groups;
		struct avail_term top = random_model(&seed, round % 4 == 0, &groups);
		double truth = 0;

		checked();
		for (uint32_t states = 4; states <= 256; states *= 4) {
			struct avail_dynamic_budget budget = { .states = states };
			struct avail_dynamic_answer answer;
			struct opened opened;

			if (states == 4)
				truth = steady(top).unavailability.value;
			open_top(&opened, top, &budget);
			answer = ask(&opened, &when);
			for (uint32_t m = 0; m < avail_dynamic_module_count(opened.dynamic); m++) {
				enum avail_module_state kind =
					avail_dynamic_module(opened.dynamic, m)->state;

				cut += kind == AVAIL_MODULE_CUT;
				beyond += kind == AVAIL_MODULE_BEYOND;
			}
			if (!avail_dynamic_is_exact(opened.dynamic)) {
				const struct avail_bounds *b = &answer.unavailability;

				if (!(b->lower <= truth * (1 + 1e-10) + 1e-15 &&
				      b->upper >= truth * (1 - 1e-10) - 1e-15)) {
					print_error("model of seed %" PRIu64 ": %.17g is not "
						    "between %.17g and %.17g\n",
						    kept, truth, b->lower, b->upper);
					fail();
				}
				assert_true(b->value >= b->lower && b->value <= b->upper);
				tight += b->upper - b->lower < 0.5;
			}
			close_top(&opened);
		}
		again();
	}
	print_message("# %u modules cut, %u beyond, %u answers tight\n", cut, beyond, tight);
	assert_true(cut > 50 && tight > 20);
}

/* Two crews for forty units of four kinds: far more states than there is room for. */
static void rare_failures_make_bounds_tight(void **state)
{
	struct avail_term units[40], args[2], down;
	struct avail_dynamic_budget budget = { .states = 3000 };
	struct opened opened;
	static const struct avail_when when;
	struct avail_bounds bounds;

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		units[i] = part("unit", 1e5 * (1 + i % 4), 4);
	args[0] = gate(AVAIL_FORMULA_AND, 0, units, 2);
	args[1] = gate(AVAIL_FORMULA_AT_LEAST, 2, units + 2, 3);
	down = gate(AVAIL_FORMULA_OR, 0, args, 2);
	crew(1, units, 40);
	open_top(&opened, down, &budget);
	bounds = ask(&opened, &when).unavailability;
	assert_int_equal(avail_dynamic_module(opened.dynamic, 0)->state, AVAIL_MODULE_CUT);
	print_message("# between %.10g and %.10g\n", bounds.lower, bounds.upper);
	assert_true(bounds.upper - bounds.lower < 1e-3 * bounds.lower);
	/* More than with a crew for each, by about half of it for each other unit that may be
	 * before. */
	double plain = 4e-5 * 2e-5 + 4e-5 / 3 * 1e-5 + 4e-5 / 3 * 4e-5 + 1e-5 * 4e-5;

	assert_true(bounds.lower > plain && bounds.upper < 3 * plain);
	close_top(&opened);
}

/* ---- what must hold of any model ---- */

/* Groups of a card on each carrier, none equal to another, each with a switch-over of 50 ms and
 * failures that wait for somebody: all in one module, as they share the carriers.  True when any
 * group is down. */
static struct avail_term groups_on_carriers(uint32_t groups, uint32_t carriers)
{
	struct avail_term shelf[3], downs[3];

	for (uint32_t c = 0; c < carriers; c++)
		shelf[c] = part("carrier", 400000 + 50000 * c, 4);
	for (uint32_t g = 0; g < groups; g++) {
		struct avail_term members[3];
		struct avail_standby *group;

		for (uint32_t c = 0; c < carriers; c++)
			members[c] = either(part("card", 250000 + 1000 * g + 100 * c, 4), shelf[c]);
		group = standby(members, carriers, 1, &downs[g]);
		group->switch_h = 0.05 / 3600;
		group->coverage = 0.99;
		group->uncovered = AVAIL_UNCOVERED_WAITS;
		group->recovery_h = 0.5;
	}
	return gate(AVAIL_FORMULA_OR, 0, downs, groups);
}

static void groups_that_share_carriers_are_one_exact_module(void **state)
{
	static const struct avail_when when = { .kind = AVAIL_IN_STEADY_STATE };
	struct avail_dynamic_answer exact;
	struct avail_bounds bounds;
	struct opened opened;
	double first_order;

	(void)state;
	for (uint32_t groups = 2; groups <= 3; groups++) {
		struct avail_dynamic_budget few = { .states = groups == 2 ? 500 : 4000 };
		struct avail_term down = groups_on_carriers(groups, 2);

		open_top(&opened, down, NULL);
		exact = ask(&opened, &when);
		assert_int_equal(avail_dynamic_module_count(opened.dynamic), 1);
		assert_int_equal(avail_dynamic_module(opened.dynamic, 0)->standbys, groups);
		assert_int_equal(avail_dynamic_module(opened.dynamic, 0)->state,
				 AVAIL_MODULE_EXACT);
		print_message("# %u states\n", avail_dynamic_module(opened.dynamic, 0)->states);
		close_top(&opened);
		/* To the first order: an active card fails, or its carrier with what is active
		 * there. */
		first_order = groups * (1 / 250000.0) * (0.01 * 0.5 + 0.99 * 0.05 / 3600);
		first_order += (1 / 425000.0) * (1 - pow(0.99, groups)) * 0.5;
		near(exact.unavailability.value, first_order, 0.1);
		open_top(&opened, down, &few);
		bounds = ask(&opened, &when).unavailability;
		assert_int_equal(avail_dynamic_module(opened.dynamic, 0)->state, AVAIL_MODULE_CUT);
		assert_true(bounds.lower <= exact.unavailability.value * (1 + 1e-10));
		assert_true(bounds.upper >= exact.unavailability.value * (1 - 1e-10));
		near(bounds.upper, bounds.lower, 1e-4);
		close_top(&opened);
		again();
	}
}

/* Each group behind a cable of its own, which is no part of the module. */
static void what_is_needed_together_is_one_output(void **state)
{
	static const struct avail_when when = { .kind = AVAIL_IN_STEADY_STATE };
	struct avail_term members[2], carriers[2], ways[2], down;
	const struct avail_module *module;
	struct opened opened;
	double u, cable = 1 / 1001.0;

	(void)state;
	for (unsigned c = 0; c < 2; c++)
		carriers[c] = part("carrier", 100, 2);
	for (unsigned g = 0; g < 2; g++) {
		for (unsigned c = 0; c < 2; c++)
			members[c] = either(part("card", 50 + g, 1), carriers[c]);
		standby(members, 2, 1, &ways[g])->switch_h = 0.1;
	}
	u = steady(either(ways[0], ways[1])).unavailability.value;
	for (unsigned g = 0; g < 2; g++)
		ways[g] = either(part("cable", 1000, 1), ways[g]);
	down = either(ways[0], ways[1]);
	open_top(&opened, down, NULL);
	near(ask(&opened, &when).unavailability.value, 1 - (1 - u) * (1 - cable) * (1 - cable),
	     1e-12);
	module = avail_dynamic_module(opened.dynamic, 0);
	assert_int_equal(module->outputs, 1);
	assert_int_equal(module->outcomes, 2);
	close_top(&opened);
}

/* Three members each, so 27 ways to be well; states by the million. */
static void what_is_left_out_of_many_groups_is_little(void **state)
{
	static const struct avail_when when = { .kind = AVAIL_IN_STEADY_STATE };
	struct avail_dynamic_budget budget = { .states = 6000 };
	struct avail_bounds bounds;
	struct opened opened;

	(void)state;
	open_top(&opened, groups_on_carriers(3, 3), &budget);
	bounds = ask(&opened, &when).unavailability;
	print_message("# between %.10g and %.10g, %u troubles at once\n", bounds.lower,
		      bounds.upper, avail_dynamic_module(opened.dynamic, 0)->failures);
	assert_int_equal(avail_dynamic_module(opened.dynamic, 0)->state, AVAIL_MODULE_CUT);
	assert_true(bounds.lower > 0);
	near(bounds.upper, bounds.lower, 0.3);
	close_top(&opened);
}

static void better_coverage_never_hurts(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		double before = 1, dormancy = uniform(&seed), switch_h = below(&seed, 2) ? 0 : 0.1;
		enum avail_standby_mode mode = (enum avail_standby_mode)below(&seed, 3);
		enum avail_uncovered uncovered = (enum avail_uncovered)below(&seed, 2);
		uint32_t count = 2 + below(&seed, 3), needed = 1 + below(&seed, count - 1);

		for (unsigned step = 0; step <= 4; step++) {
			struct avail_term members[4], down;
			struct avail_standby *group;
			double u;

			for (uint32_t i = 0; i < count; i++)
				members[i] = part("part", 100, 5);
			group = standby(members, count, needed, &down);
			*group = (struct avail_standby){ .name = "group",
							 .gate = group->gate,
							 .needed = needed,
							 .mode = mode,
							 .dormancy = dormancy,
							 .coverage = step / 4.0,
							 .uncovered = uncovered,
							 .recovery_h = 1,
							 .switch_h = switch_h };
			u = steady(down).unavailability.value;
			assert_true(u <= before * (1 + 1e-12));
			before = u;
			again();
		}
	}
}

static void one_more_spare_never_hurts(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned round = 0; round < 40; round++) {
		double before = 1, dormancy = uniform(&seed);
		enum avail_standby_mode mode = (enum avail_standby_mode)below(&seed, 3);
		uint32_t needed = 1 + below(&seed, 2);

		for (uint32_t count = needed; count <= needed + 3; count++) {
			struct avail_term members[6], down;
			struct avail_standby *group;
			double u;

			for (uint32_t i = 0; i < count; i++)
				members[i] = part("part", 50, 5);
			group = standby(members, count, needed, &down);
			group->mode = mode;
			group->dormancy = dormancy;
			u = steady(down).unavailability.value;
			assert_true(u < before);
			before = u;
			again();
		}
	}
}

static void more_crews_never_hurt(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned round = 0; round < 40; round++) {
		double before = 1;
		uint64_t kept = seed;

		for (uint32_t crews = 1; crews <= 5; crews++) {
			struct avail_term units[5];
			double u;

			seed = kept;
			for (uint32_t i = 0; i < 5; i++)
				units[i] = part("part", 20 + 50 * uniform(&seed),
						1 + 4 * uniform(&seed));
			crew(crews, units, 5);
			u = steady(gate(AVAIL_FORMULA_AT_LEAST, 2, units, 5)).unavailability.value;
			assert_true(u <= before * (1 + 1e-12));
			before = u;
			again();
		}
	}
}

/* Coverage 1, hot, no time to switch, crews enough: the diagram alone says it. */
static void what_a_tree_says_needs_no_chain(void **state)
{
	struct avail_term units[3], down;
	struct opened opened;
	struct avail_standby *group;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		units[i] = part("unit", 100, 5);
	group = standby(units, 3, 2, &down);
	group->recovery_h = 3;
	group->reverts = true; /* at no cost */
	crew(3, units, 3);
	open_top(&opened, down, NULL);
	assert_int_equal(avail_dynamic_module_count(opened.dynamic), 0);
	close_top(&opened);
}

static void every_request_of_a_module_for_memory_may_fail(void **state)
{
	unsigned refused = 0, passed = 0;

	(void)state;
	for (uint64_t fail_at = 1; fail_at < 400; fail_at++) {
		struct avail_term pair[2] = { part("a", 10, 2), part("b", 12, 3) }, down, top;
		static const struct avail_when when;
		struct avail_dynamic *dynamic;
		struct avail_sample sample;
		uint32_t ref;
		int err;

		standby(pair, 2, 1, &down)->switch_h = 0.1;
		top = either(down, either(pair[0], part("c", 10, 1)));
		crew(1, pair, 2);
		checked();
		assert_int_equal(avail_sample_init(&sample, &model, model.mission_h), 0);
		heap.asked = 0;
		heap.fail_at = fail_at;
		err = avail_dynamic_open(&dynamic, &model, &top, 1, NULL, &ref);
		if (!err) {
			err = avail_dynamic_evaluate(dynamic, &sample, NULL, &when, NULL);
			avail_dynamic_close(dynamic);
		}
		heap.fail_at = 0;
		assert_true(err == 0 || err == -ENOMEM);
		refused += err != 0;
		passed += err == 0;
		avail_sample_fini(&sample);
		again();
	}
	assert_true(refused > 100 && passed > 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(pair_with_one_crew_and_coverage_has_the_published_unavailability),
		TEST(three_of_four_power_supplies_have_the_published_unavailability),
		TEST(warm_spare_without_repair_fails_by_a_time_as_the_sum_of_two_exponentials),
		TEST(cold_spare_has_its_birth_death_chain),
		TEST(switch_over_takes_its_outage),
		TEST(what_fails_every_member_stands_beside_the_group),
		TEST(waiting_for_somebody_is_an_outage_of_that_length),
		TEST(random_models_composed_are_the_chain_of_everything),
		TEST(random_models_that_are_not_coherent_composed_are_the_chain_of_everything),
		TEST(random_models_at_a_time_composed_are_the_chain_of_everything),
		TEST(equal_units_counted_as_one_kind_change_nothing),
		TEST(many_equal_units_stay_small),
		TEST(bounds_within_any_budget_hold_the_truth),
		TEST(rare_failures_make_bounds_tight),
		TEST(groups_that_share_carriers_are_one_exact_module),
		TEST(what_is_needed_together_is_one_output),
		TEST(what_is_left_out_of_many_groups_is_little),
		TEST(better_coverage_never_hurts),
		TEST(one_more_spare_never_hurts),
		TEST(more_crews_never_hurt),
		TEST(what_a_tree_says_needs_no_chain),
		TEST(every_request_of_a_module_for_memory_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
