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

/* Many differences in standard errors: none beyond 4.5, and together as spread as they should be. */
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
			note(&spread, off(&result.unavailability, answer.unavailability.value), kept,
			     "unavailability");
			note(&spread, off(&result.frequency, answer.frequency), kept, "frequency");
		}
		again();
	}
	judge(&spread);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(random_models_in_the_long_run_are_as_calculated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
