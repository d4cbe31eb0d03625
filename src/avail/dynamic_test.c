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

/* One chain of all leaves, nothing lumped, nothing composed. */
static bool whole_chain(struct avail_term top, const struct avail_when *when,
			double *unavailability, double *frequency)
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
		struct opened opened;

		checked();
		if (whole_chain(top, when, &unavailability, &frequency)) {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
