/* Simulation against calculation: each was written without looking at the other. */
#include "avail/measures.h"
#include "avail/simulate.h"
#include "tests/avail_models.h"

#include <errno.h>

static struct avail_play_result play(struct avail_term down, struct avail_play_wants wants,
				     uint64_t seed, uint64_t count)
{
	struct avail_play *open;
	struct avail_stage *stage;
	struct avail_sample sample;
	struct avail_sums sums = { 0 };
	struct avail_play_result result;

	assert_int_equal(avail_sample_init(&sample, &model, model.mission_h), 0);
	assert_int_equal(avail_play_open(&open, &model, down, &sample, &wants, NULL), 0);
	assert_int_equal(avail_stage_open(&stage, &heap.memory, open), 0);
	avail_play_run(open, stage, seed, 0, count, &sums);
	avail_play_result(open, &sums, &result);
	avail_stage_close(stage);
	avail_play_close(open);
	avail_sample_fini(&sample);
	assert_int_equal(result.cut, 0);
	return result;
}

/* How many standard errors the estimate is off.  An estimate without error has seen too little. */
static double off(const struct avail_estimate *estimate, double wanted)
{
	if (estimate->standard_error == 0)
		return estimate->value == wanted || wanted < 1e-4 ? 0 : INFINITY;
	return (estimate->value - wanted) / estimate->standard_error;
}

/* Many differences in standard errors: none beyond 4.5, and together as spread as they should be.
 */
struct spread {
	unsigned count;
	double squares, worst;
};

static void note(struct spread *spread, double sigmas, uint64_t seed, const char *what)
{
	if (fabs(sigmas) > 4.5)
		print_error("model of seed %" PRIu64 ": %s is %.2f standard errors off\n", seed,
			    what, sigmas);
	assert_true(fabs(sigmas) <= 4.5);
	spread->count++;
	spread->squares += sigmas * sigmas;
	spread->worst = fmax(spread->worst, fabs(sigmas));
}

static void judge(const struct spread *spread)
{
	double mean = spread->squares / spread->count;

	print_message("# %u figures, mean square %.2f, worst %.2f standard errors\n", spread->count,
		      mean, spread->worst);
	/* Of a normal law it is 1, give or take the root of 2 / n. */
	assert_true(mean < 1 + 5 * sqrt(2.0 / spread->count));
	assert_true(mean > 1 - 5 * sqrt(2.0 / spread->count));
}

static void random_models_in_the_long_run_are_as_calculated(void **state)
{
	uint64_t seed = check_seed();
	struct spread spread = { 0 };

	(void)state;
	for (unsigned round = 0; round < 80; round++) {
		uint64_t kept = seed;
		uint32_t groups;
		struct avail_term top = random_model(&seed, round % 3 == 2, &groups);
		struct avail_service *service;
		struct avail_answer answer;
		struct avail_play_result result;

		checked();
		assert_int_equal(avail_service_open(&service, &model, top, NULL, NULL), 0);
		assert_int_equal(avail_service_steady(service, NULL, NULL, &answer, NULL), 0);
		avail_service_close(service);
		if (answer.quality == AVAIL_EXACT) {
			result = play(top,
				      (struct avail_play_wants){ .kind = AVAIL_PLAY_STEADY,
								 .warm_up_h = 4000,
								 .horizon_h = 1000 },
				      kept, 50);
			note(&spread, off(&result.unavailability, answer.unavailability.value),
			     kept, "unavailability");
			note(&spread, off(&result.frequency, answer.frequency), kept, "frequency");
		}
		again();
	}
	judge(&spread);
}

static void random_missions_are_as_calculated(void **state)
{
	uint64_t seed = check_seed();
	struct spread spread = { 0 };
	unsigned exact = 0;

	(void)state;
	for (unsigned round = 0; round < 120; round++) {
		uint64_t kept = seed;
		uint32_t groups;
		struct avail_term top = random_model(&seed, round % 3 == 2, &groups);
		double time_h = 0.5 + 20 * uniform(&seed);
		struct avail_service *service;
		struct avail_mission mission;
		struct avail_play_result result;

		checked();
		assert_int_equal(avail_service_open(&service, &model, top, NULL, NULL), 0);
		assert_int_equal(avail_service_mission(service, NULL, time_h, &mission, NULL), 0);
		avail_service_close(service);
		exact += mission.quality == AVAIL_EXACT;
		result = play(
			top,
			(struct avail_play_wants){ .kind = AVAIL_PLAY_MISSION, .time_h = time_h },
			kept, 2000);
		if (mission.quality == AVAIL_EXACT && result.hits > 50)
			note(&spread, off(&result.unavailability, mission.unreliability.value),
			     kept, "unreliability");
		if (!isnan(mission.expected_outages) && result.hits > 50)
			note(&spread, off(&result.frequency, mission.expected_outages), kept,
			     "number of outages");
		again();
	}
	assert_true(exact > 100);
	judge(&spread);
}

static void random_models_at_a_time_are_as_calculated(void **state)
{
	uint64_t seed = check_seed();
	struct spread spread = { 0 };

	(void)state;
	for (unsigned round = 0; round < 80; round++) {
		uint64_t kept = seed;
		uint32_t groups;
		struct avail_term top = random_model(&seed, false, &groups);
		double time_h = 0.1 + 8 * uniform(&seed);
		struct avail_service *service;
		struct avail_bounds point;
		struct avail_play_result result;

		checked();
		assert_int_equal(avail_service_open(&service, &model, top, NULL, NULL), 0);
		assert_int_equal(avail_service_curve(service, NULL, &time_h, 1, &point, NULL), 0);
		avail_service_close(service);
		result = play(
			top,
			(struct avail_play_wants){ .kind = AVAIL_PLAY_POINT, .time_h = time_h },
			kept, 3000);
		if (result.hits > 50)
			note(&spread, off(&result.unavailability, point.value), kept,
			     "unavailability at a time");
		again();
	}
	judge(&spread);
}

/* ---- common causes, chance, and what is never repaired ---- */

static void add_common_cause(enum avail_ccf_kind kind, bool rated, const struct avail_term *parts,
			     uint32_t count, double total, const double *factors,
			     uint32_t factor_count)
{
	uint32_t index = avail_model_ccf(&model, "together");
	struct avail_ccf *ccf = &model.ccfs[index];

	ccf->kind = kind;
	ccf->rated = rated;
	ccf->total = avail_expression_number(&model, total);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = avail_model_indexes(&model, &parts[i].index, 1);

		ccf->first = i == 0 ? at : ccf->first;
	}
	ccf->count = count;
	for (uint32_t i = 0; i < factor_count; i++) {
		uint32_t factor = avail_expression_number(&model, factors[i]);
		uint32_t at = avail_model_indexes(&model, &factor, 1);

		ccf->first_factor = i == 0 ? at : ccf->first_factor;
	}
	ccf->factor_count = factor_count;
}

static void common_causes_of_every_kind_are_as_calculated(void **state)
{
	static const struct {
		enum avail_ccf_kind kind;
		uint32_t factor_count;
		double factors[4];
	} rows[] = {
		{ AVAIL_CCF_BETA, 1, { 0.2 } },
		{ AVAIL_CCF_MGL, 3, { 0.3, 0.4, 0.5 } },
		{ AVAIL_CCF_ALPHA, 4, { 0.8, 0.12, 0.05, 0.03 } },
		{ AVAIL_CCF_PHI, 4, { 0.6, 0.2, 0.15, 0.05 } },
	};
	uint64_t seed = check_seed();
	struct spread spread = { 0 };

	(void)state;
	for (unsigned i = 0; i < array_len(rows) * 4; i++) {
		bool rated = i & 1, grouped = rated && (i & 2);
		struct avail_term parts[4], down;
		struct avail_service *service;
		struct avail_answer answer;
		struct avail_play_result result;

		for (unsigned k = 0; k < 4; k++)
			parts[k] = rated ? part("part", 20, 3)
					 : event_term(avail_model_fixed(&model, "part", 0.1));
		if (grouped) {
			struct avail_standby *group = standby(parts, 3, 2, &down);

			group->coverage = 0.7;
			group->mode = AVAIL_WARM;
			group->dormancy = 0.5;
			group->switch_h = 0.3;
			down = either(down, parts[3]);
			if (rows[i / 4].kind == AVAIL_CCF_BETA)
				crew(2, parts, 4);
		} else {
			down = gate(AVAIL_FORMULA_AT_LEAST, 2, parts, 4);
		}
		add_common_cause(rows[i / 4].kind, rated, parts, 4, rated ? 0.05 : 0.1,
				 rows[i / 4].factors, rows[i / 4].factor_count);
		checked();
		assert_int_equal(avail_service_open(&service, &model, down, NULL, NULL), 0);
		assert_int_equal(avail_service_steady(service, NULL, NULL, &answer, NULL), 0);
		avail_service_close(service);
		assert_int_equal(answer.quality, AVAIL_EXACT);
		result = play(down,
			      (struct avail_play_wants){ .kind = AVAIL_PLAY_STEADY,
							 .warm_up_h = 300,
							 .horizon_h = 500 },
			      rand_u64(&seed), rated ? 200 : 20000);
		note(&spread, off(&result.unavailability, answer.unavailability.value), i,
		     "unavailability");
		if (rated)
			note(&spread, off(&result.frequency, answer.frequency), i, "frequency");
		again();
	}
	judge(&spread);
}

static void members_with_a_mere_probability_are_as_calculated(void **state)
{
	uint64_t seed = check_seed();
	struct spread spread = { 0 };

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		struct avail_term members[3], down;
		struct avail_service *service;
		struct avail_answer answer;
		struct avail_play_result result;
		struct avail_standby *group;

		for (unsigned k = 0; k < 3; k++) {
			members[k] = part("part", 30, 2 + k);
			if (k < 2)
				members[k] = either(members[k], event_term(avail_model_fixed(
									&model, "demand", 0.2)));
		}
		group = standby(members, 3, 1 + i % 2, &down);
		group->mode = (enum avail_standby_mode)(i % 3);
		group->dormancy = 0.4;
		group->coverage = 0.8;
		group->uncovered = i % 4 < 2 ? AVAIL_UNCOVERED_WAITS : AVAIL_UNCOVERED_TAKES_ALL;
		group->recovery_h = 1;
		group->switch_h = 0.2;
		checked();
		assert_int_equal(avail_service_open(&service, &model, down, NULL, NULL), 0);
		assert_int_equal(avail_service_steady(service, NULL, NULL, &answer, NULL), 0);
		avail_service_close(service);
		result = play(down,
			      (struct avail_play_wants){ .kind = AVAIL_PLAY_STEADY,
							 .warm_up_h = 500,
							 .horizon_h = 500 },
			      rand_u64(&seed), 400);
		note(&spread, off(&result.unavailability, answer.unavailability.value), i,
		     "unavailability");
		note(&spread, off(&result.frequency, answer.frequency), i, "frequency");
		again();
	}
	judge(&spread);
}

static void what_is_never_repaired_counts_as_at_the_mission_time(void **state)
{
	struct avail_term pair[2] = { unrepaired("a", 1e-4), unrepaired("b", 2e-4) }, down;
	struct avail_service *service;
	struct avail_answer answer;
	struct avail_play_result result;

	(void)state;
	model.mission_h = 3000;
	standby(pair, 2, 1, &down)->mode = AVAIL_COLD;
	down = either(down, part("c", 10, 1));
	checked();
	assert_int_equal(avail_service_open(&service, &model, down, NULL, NULL), 0);
	assert_int_equal(avail_service_steady(service, NULL, NULL, &answer, NULL), 0);
	avail_service_close(service);
	/* One after the other, at rates 1e-4 and 2e-4; and the part. */
	double both = 1 - (2e-4 * exp(-0.3) - 1e-4 * exp(-0.6)) / 1e-4;

	near(answer.unavailability.value, 1 - (1 - both) * (10 / 11.0), 1e-12);
	result = play(down, (struct avail_play_wants){ .kind = AVAIL_PLAY_STEADY }, 5, 20000);
	assert_true(fabs(off(&result.unavailability, answer.unavailability.value)) < 4.5);
}

/* ---- rare outages ---- */

static void rare_outages_are_found_by_making_failures_likely(void **state)
{
	struct avail_term cards[2], links[3], down[3];
	struct avail_standby *group;
	struct avail_service *service;
	struct avail_answer answer;
	struct avail_mission mission;
	struct avail_play_result result;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		cards[i] = part("card", 250000, 4);
	for (unsigned i = 0; i < 3; i++)
		links[i] = part("link", 100000, 8);
	group = standby(cards, 2, 1, &down[0]);
	group->mode = AVAIL_WARM;
	group->dormancy = 0.3;
	group->coverage = 0.9999;
	down[1] = gate(AVAIL_FORMULA_AT_LEAST, 3, links, 3);
	down[2] = gate(AVAIL_FORMULA_OR, 0, down, 2);
	crew(1, links, 3);
	checked();
	assert_int_equal(avail_service_open(&service, &model, down[2], NULL, NULL), 0);
	assert_int_equal(avail_service_steady(service, NULL, NULL, &answer, NULL), 0);
	assert_int_equal(avail_service_mission(service, NULL, 8760, &mission, NULL), 0);
	avail_service_close(service);
	assert_true(answer.unavailability.value < 1e-8);
	result = play(down[2],
		      (struct avail_play_wants){ .kind = AVAIL_PLAY_STEADY,
						 .sampling = AVAIL_PLAY_BIASED,
						 .warm_up_h = 1e6 },
		      1, 20000);
	print_message("# U %.4g, found %.4g +- %.2g\n", answer.unavailability.value,
		      result.unavailability.value, result.unavailability.standard_error);
	assert_true(result.unavailability.standard_error < 0.1 * result.unavailability.value);
	assert_true(fabs(off(&result.unavailability, answer.unavailability.value)) < 4);
	assert_true(fabs(off(&result.frequency, answer.frequency)) < 4);
	result = play(down[2],
		      (struct avail_play_wants){ .kind = AVAIL_PLAY_MISSION,
						 .sampling = AVAIL_PLAY_BIASED,
						 .time_h = 8760 },
		      1, 20000);
	assert_int_equal(mission.quality, AVAIL_EXACT);
	assert_true(result.unavailability.standard_error < 0.15 * result.unavailability.value);
	assert_true(fabs(off(&result.unavailability, mission.unreliability.value)) < 4);
}

/* ---- what threads rely on ---- */

static void ranges_in_any_order_give_the_same_bytes(void **state)
{
	static const uint64_t firsts[] = { 700, 0, 300, 301, 650 };
	static const uint64_t counts[] = { 300, 300, 1, 349, 50 };
	uint64_t seed = check_seed();
	uint32_t groups;
	struct avail_term top = random_model(&seed, false, &groups);
	struct avail_play_wants wants = { .kind = AVAIL_PLAY_STEADY, .horizon_h = 50 };
	struct avail_sums whole = { 0 }, parts = { 0 };
	struct avail_sample sample;
	struct avail_play *open;
	struct avail_stage *stage, *other;

	(void)state;
	checked();
	assert_int_equal(avail_sample_init(&sample, &model, model.mission_h), 0);
	assert_int_equal(avail_play_open(&open, &model, top, &sample, &wants, NULL), 0);
	assert_int_equal(avail_stage_open(&stage, &heap.memory, open), 0);
	assert_int_equal(avail_stage_open(&other, &heap.memory, open), 0);
	avail_play_run(open, stage, 7, 0, 1000, &whole);
	for (unsigned i = 0; i < array_len(firsts); i++) {
		struct avail_sums range = { 0 };

		avail_play_run(open, i & 1 ? stage : other, 7, firsts[i], counts[i], &range);
		avail_sums_add(&parts, &range);
	}
	assert_memory_equal(&whole, &parts, sizeof whole);
	assert_true(whole.events > 0);
	avail_stage_close(stage);
	avail_stage_close(other);
	avail_play_close(open);
	avail_sample_fini(&sample);
}

static void no_outage_seen_still_has_an_upper_end(void **state)
{
	struct avail_term down = event_term(avail_model_fixed(&model, "never", 0));
	struct avail_play_result result;

	(void)state;
	checked();
	result = play(down, (struct avail_play_wants){ .kind = AVAIL_PLAY_STEADY }, 1, 300);
	assert_true(result.unavailability.value == 0 && result.unavailability.lower == 0);
	near(result.unavailability.upper, 0.01, 1e-15);
}

static void intervals_hold_the_truth_about_as_often_as_they_say(void **state)
{
	struct avail_term pair[2] = { part("a", 10, 2), part("b", 12, 3) }, down;
	struct avail_answer answer;
	struct avail_service *service;
	unsigned held = 0;

	(void)state;
	standby(pair, 2, 1, &down)->coverage = 0.9;
	checked();
	assert_int_equal(avail_service_open(&service, &model, down, NULL, NULL), 0);
	assert_int_equal(avail_service_steady(service, NULL, NULL, &answer, NULL), 0);
	avail_service_close(service);
	for (uint64_t seed = 1; seed <= 400; seed++) {
		struct avail_play_result result =
			play(down,
			     (struct avail_play_wants){
				     .kind = AVAIL_PLAY_STEADY, .warm_up_h = 50, .horizon_h = 200 },
			     seed, 40);

		held += result.unavailability.lower <= answer.unavailability.value &&
			result.unavailability.upper >= answer.unavailability.value;
	}
	print_message("# %u of 400\n", held);
	assert_true(held >= 365 && held <= 395);
}

static void every_request_of_a_play_for_memory_may_fail(void **state)
{
	unsigned refused = 0;

	(void)state;
	for (uint64_t fail_at = 1; fail_at < 60; fail_at++) {
		struct avail_term pair[2] = { part("a", 10, 2), part("b", 12, 3) }, down;
		struct avail_play_wants wants = { .kind = AVAIL_PLAY_STEADY };
		struct avail_sample sample;
		struct avail_play *open;
		struct avail_stage *stage;
		int err;

		standby(pair, 2, 1, &down)->switch_h = 0.1;
		crew(1, pair, 2);
		checked();
		assert_int_equal(avail_sample_init(&sample, &model, model.mission_h), 0);
		heap.asked = 0;
		heap.fail_at = fail_at;
		err = avail_play_open(&open, &model, down, &sample, &wants, NULL);
		if (!err) {
			err = avail_stage_open(&stage, &heap.memory, open);
			if (!err)
				avail_stage_close(stage);
			avail_play_close(open);
		}
		heap.fail_at = 0;
		assert_true(err == 0 || err == -ENOMEM);
		refused += err != 0;
		avail_sample_fini(&sample);
		again();
	}
	assert_true(refused > 20);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(random_models_in_the_long_run_are_as_calculated),
		TEST(random_missions_are_as_calculated),
		TEST(random_models_at_a_time_are_as_calculated),
		TEST(common_causes_of_every_kind_are_as_calculated),
		TEST(members_with_a_mere_probability_are_as_calculated),
		TEST(what_is_never_repaired_counts_as_at_the_mission_time),
		TEST(rare_outages_are_found_by_making_failures_likely),
		TEST(ranges_in_any_order_give_the_same_bytes),
		TEST(no_outage_seen_still_has_an_upper_end),
		TEST(intervals_hold_the_truth_about_as_often_as_they_say),
		TEST(every_request_of_a_play_for_memory_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
