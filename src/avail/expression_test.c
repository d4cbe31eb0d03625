/* Expressions against closed forms, periodic tests against a walk in small steps, distributions
 * against their moments. */
#include "avail/deviate.h"
#include "avail/expression.h"
#include "avail/periodic.h"
#include "tests/avail_heap.h"
#include "tests/check.h"

#include <math.h>

static struct test_heap heap;
static struct avail_model model;

static int begin(void **state)
{
	(void)state;
	test_heap_init(&heap);
	return avail_model_init(&model, &heap.memory, "test");
}

static int end(void **state)
{
	(void)state;
	avail_model_fini(&model);
	return heap.memory.used != 0;
}

static void near(double found, double wanted, double relative)
{
	if (fabs(found - wanted) <= relative * fabs(wanted) || found == wanted)
		return;
	print_error("%.17g is not %.17g\n", found, wanted);
	fail();
}

static uint32_t number(double value)
{
	return avail_expression_number(&model, value);
}

static uint32_t add(enum avail_expression_kind kind, const double *args, uint32_t count)
{
	uint32_t indexes[16];

	for (uint32_t i = 0; i < count; i++)
		indexes[i] = number(args[i]);
	return avail_expression_add(&model, kind, indexes, count);
}

#define ADD(kind, ...)                             \
	add(kind, (const double[]){ __VA_ARGS__ }, \
	    sizeof((const double[]){ __VA_ARGS__ }) / sizeof(double))

static double value_at(uint32_t expression, uint64_t seed, double time_h)
{
	struct avail_sample sample;
	double value;

	assert_int_equal(avail_sample_init(&sample, &model, time_h), 0);
	avail_sample_draw(&sample, seed, time_h);
	value = avail_expression_value(&sample, expression);
	avail_sample_fini(&sample);
	return value;
}

#define VALUE(kind, ...) value_at(ADD(kind, __VA_ARGS__), 0, 100)

static void test_arithmetic_is_what_it_says(void **state)
{
	(void)state;
	near(VALUE(AVAIL_NEG, 3), -3, 0);
	near(VALUE(AVAIL_ADD, 1, 2, 4), 7, 0);
	near(VALUE(AVAIL_SUB, 10, 2, 4), 4, 0);
	near(VALUE(AVAIL_MUL, 3, 2, 4), 24, 0);
	near(VALUE(AVAIL_DIV, 24, 2, 4), 3, 0);
	near(VALUE(AVAIL_POW, 2, 10), 1024, 0);
	near(VALUE(AVAIL_ABS, -2.5), 2.5, 0);
	near(VALUE(AVAIL_EXP, 1), exp(1), 0);
	near(VALUE(AVAIL_LOG, 2), log(2), 0);
	near(VALUE(AVAIL_LOG10, 1000), 3, 1e-15);
	near(VALUE(AVAIL_SQRT, 2), sqrt(2), 0);
	near(VALUE(AVAIL_SIN, 1) * VALUE(AVAIL_SIN, 1) + VALUE(AVAIL_COS, 1) * VALUE(AVAIL_COS, 1),
	     1, 1e-15);
	near(VALUE(AVAIL_TAN, 0.5), VALUE(AVAIL_SIN, 0.5) / VALUE(AVAIL_COS, 0.5), 1e-15);
	near(VALUE(AVAIL_ASIN, 1) + VALUE(AVAIL_ACOS, -1), 1.5 * 3.14159265358979323846, 1e-15);
	near(VALUE(AVAIL_ATAN, 1) * 4, 3.14159265358979323846, 1e-15);
	near(VALUE(AVAIL_COSH, 1) + VALUE(AVAIL_SINH, 1), exp(1), 1e-15);
	near(VALUE(AVAIL_TANH, 1), VALUE(AVAIL_SINH, 1) / VALUE(AVAIL_COSH, 1), 1e-15);
	near(VALUE(AVAIL_CEIL, 1.25), 2, 0);
	near(VALUE(AVAIL_FLOOR, 1.75), 1, 0);
	near(VALUE(AVAIL_MOD, 7, 4), 3, 0);
	near(VALUE(AVAIL_MIN, 7, 4, 5), 4, 0);
	near(VALUE(AVAIL_MAX, 3, 7, 4), 7, 0);
	near(VALUE(AVAIL_MEAN, 3, 7, 5, 1), 4, 0);
}

static void test_logic_and_choice_are_what_they_say(void **state)
{
	(void)state;
	near(VALUE(AVAIL_LNOT, 0), 1, 0);
	near(VALUE(AVAIL_LNOT, 2), 0, 0);
	near(VALUE(AVAIL_LAND, 1, 2, 3), 1, 0);
	near(VALUE(AVAIL_LAND, 1, 0, 3), 0, 0);
	near(VALUE(AVAIL_LAND, 5), 1, 0);
	near(VALUE(AVAIL_LOR, 0, 0, 3), 1, 0);
	near(VALUE(AVAIL_LOR, 0, 0), 0, 0);
	near(VALUE(AVAIL_EQ, 2, 2) + VALUE(AVAIL_NE, 2, 2), 1, 0);
	near(VALUE(AVAIL_LT, 1, 2) + VALUE(AVAIL_GE, 1, 2), 1, 0);
	near(VALUE(AVAIL_GT, 1, 1) + VALUE(AVAIL_LE, 1, 1), 1, 0);
	near(VALUE(AVAIL_ITE, 1, 5, 6), 5, 0);
	near(VALUE(AVAIL_ITE, 0, 5, 6), 6, 0);
	near(VALUE(AVAIL_SWITCH, 9), 9, 0);
	near(VALUE(AVAIL_SWITCH, 0, 7, 1, 8, 9), 8, 0);
	near(VALUE(AVAIL_SWITCH, 0, 7, 0, 8, 9), 9, 0);
}

static void test_a_choice_computes_only_what_it_takes(void **state)
{
	uint32_t bad = ADD(AVAIL_DIV, 0, 0), args[] = { number(1), number(5), bad };

	(void)state;
	near(value_at(avail_expression_add(&model, AVAIL_ITE, args, 3), 0, 1), 5, 0);
	assert_true(isnan(value_at(bad, 0, 1)));
	args[0] = bad;
	assert_true(isnan(value_at(avail_expression_add(&model, AVAIL_MIN, args, 2), 0, 1)));
	assert_true(isnan(value_at(avail_expression_add(&model, AVAIL_MAX, args, 2), 0, 1)));
	args[1] = bad;
	args[0] = number(1);
	assert_true(isnan(value_at(avail_expression_add(&model, AVAIL_MAX, args, 2), 0, 1)));
}

static void test_a_parameter_is_its_value_and_time_is_the_mission_time(void **state)
{
	uint32_t parameter = avail_expression_parameter(&model, "lambda");
	uint32_t time = avail_expression_add(&model, AVAIL_MISSION_TIME, NULL, 0);
	uint32_t args[] = { parameter, time };
	uint32_t law = avail_expression_add(&model, AVAIL_LAW_EXPONENTIAL, args, 2);

	(void)state;
	assert_int_equal(avail_expression_set(&model, parameter, number(1e-5)), 0);
	near(value_at(law, 0, 8760), -expm1(-0.0876), 1e-15);
	near(value_at(law, 0, 24), -expm1(-0.00024), 1e-15);
}

static void test_laws_of_failure_have_their_closed_forms(void **state)
{
	double l = 1e-3, m = 0.1, g = 0.02, t = 15;

	(void)state;
	near(VALUE(AVAIL_LAW_EXPONENTIAL, l, t), 1 - exp(-l * t), 1e-13);
	near(VALUE(AVAIL_LAW_EXPONENTIAL, 1e-12, 1), 1e-12, 1e-12); /* digits of a small one */
	near(VALUE(AVAIL_LAW_GLM, g, l, m, t),
	     l / (l + m) - (l - g * (l + m)) / (l + m) * exp(-(l + m) * t), 1e-13);
	near(VALUE(AVAIL_LAW_GLM, g, 0, 0, t), g, 0);
	near(VALUE(AVAIL_LAW_GLM, 0, l, 0, t), 1 - exp(-l * t), 1e-13);
	near(VALUE(AVAIL_LAW_WEIBULL, 1000, 2.5, 5, t), 1 - exp(-pow(10.0 / 1000, 2.5)), 1e-9);
	near(VALUE(AVAIL_LAW_WEIBULL, 1000, 2.5, 20, t), 0, 0);
}

/* The same part walked in small steps of time: slow and plain. */
struct walker {
	double works, failed, repair;
};

static void step(struct walker *w, double fails, double repaired, double bad)
{
	double back = w->repair * repaired;
	double out = w->works * fails;

	w->works += back * (1 - bad) - out;
	w->failed += out + back * bad;
	w->repair -= back;
}

static double walked(const struct avail_periodic *part, double t_h)
{
	enum { STEPS = 20000 }; /* an hour */
	const uint64_t end = (uint64_t)(t_h * STEPS), first = (uint64_t)(part->first_h * STEPS);
	const uint64_t every = (uint64_t)(part->interval_h * STEPS);
	const uint64_t lasts = (uint64_t)(part->duration_h * STEPS);
	struct walker w = { 1, 0, 0 }, tested = { 0 };
	uint64_t test_end = 0;

	for (uint64_t i = 0; i < end; i++) {
		if (i >= first && (i - first) % every == 0) { /* a test begins: R stays out of it */
			tested = (struct walker){ w.works * (1 - part->strain),
						  w.failed + w.works * part->strain, 0 };
			w.works = w.failed = 0;
			test_end = i + lasts;
		}
		step(&tested, part->test_failure_rate / STEPS, 0, 0);
		if (tested.works + tested.failed > 0 && i + 1 >= test_end) {
			w.works += tested.works;
			w.failed += tested.failed * (1 - part->detection);
			w.repair += tested.failed * part->detection;
			tested = (struct walker){ 0 };
		}
		step(&w, part->failure_rate / STEPS, part->repair_rate / STEPS, part->bad_restart);
	}
	return 1 - w.works - (part->works_in_test ? tested.works : 0);
}

static void test_periodic_tests_agree_with_a_walk_in_small_steps(void **state)
{
	static const struct avail_periodic part = {
		.failure_rate = 0.02,
		.test_failure_rate = 0.05,
		.repair_rate = 0.25,
		.interval_h = 20,
		.first_h = 8,
		.duration_h = 2,
		.strain = 0.03,
		.detection = 0.9,
		.bad_restart = 0.04,
	};
	static const double times[] = { 5, 8, 9.5, 10.5, 27, 28.5, 31, 47, 49.5, 95 };
	struct avail_periodic serving = part, sudden = part;

	(void)state;
	serving.works_in_test = true;
	sudden.duration_h = sudden.strain = sudden.bad_restart = 0;
	sudden.detection = 1;
	for (unsigned i = 0; i < array_len(times); i++) {
		if (times[i] != 8) { /* the walk has not begun the test at its first moment */
			near(avail_periodic_test(&part, times[i]), walked(&part, times[i]), 1e-3);
		}
		near(avail_periodic_test(&serving, times[i]), walked(&serving, times[i]), 1e-3);
		near(avail_periodic_test(&sudden, times[i]), walked(&sudden, times[i]), 1e-3);
	}
}

static void test_the_forms_of_a_periodic_test_are_cases_of_one(void **state)
{
	double l = 1e-4, m = 0.05, tau = 730, theta = 100;

	(void)state;
	/* repaired at once: exponential since the last test; at a test, before it */
	near(VALUE(AVAIL_LAW_PERIODIC_TEST, l, tau, theta, 50), -expm1(-l * 50), 1e-13);
	near(VALUE(AVAIL_LAW_PERIODIC_TEST, l, tau, theta, theta), -expm1(-l * theta), 1e-13);
	near(VALUE(AVAIL_LAW_PERIODIC_TEST, l, tau, theta, theta + 3 * tau + 11), -expm1(-l * 11),
	     1e-9);
	near(VALUE(AVAIL_LAW_PERIODIC_TEST, l, tau, theta, theta + 3 * tau), -expm1(-l * tau),
	     1e-9);
	for (double t = 40; t < 5000; t += 97) {
		near(VALUE(AVAIL_LAW_PERIODIC_TEST, l, m, tau, theta, t),
		     VALUE(AVAIL_LAW_PERIODIC_TEST, l, l, m, tau, theta, 0, 0, 1, 1, 0, t), 1e-12);
		near(VALUE(AVAIL_LAW_PERIODIC_TEST, l, 1e9, tau, theta, t),
		     VALUE(AVAIL_LAW_PERIODIC_TEST, l, tau, theta, t), 1e-6);
		near(VALUE(AVAIL_LAW_PERIODIC_TEST, l, l, tau, theta, t), /* equal rates */
		     VALUE(AVAIL_LAW_PERIODIC_TEST, l, l * (1 + 1e-9), tau, theta, t), 1e-8);
	}
}

static void about(double found, double wanted)
{
	if (fabs(found - wanted) < 1e-5)
		return;
	print_error("%.17g is not %g\n", found, wanted);
	fail();
}

/* Figures that the tests of SCRAM, the format's reference tool, have for the same arguments. */
static void test_periodic_tests_have_the_figures_of_another_tool(void **state)
{
	double l = 7e-4, m = 4e-4, theta = 4740, t = 8760;

	(void)state;
	near(VALUE(AVAIL_LAW_PERIODIC_TEST, 0.1, 1, 2, 5), -expm1(-0.1), 1e-14);
	about(VALUE(AVAIL_LAW_PERIODIC_TEST, l, m, 4020, theta, t), 0.817508);
	about(VALUE(AVAIL_LAW_PERIODIC_TEST, l, m, 2010, theta, t), 0.736611);
	about(VALUE(AVAIL_LAW_PERIODIC_TEST, l, m, 120, theta, t), 0.645377);
	about(VALUE(AVAIL_LAW_PERIODIC_TEST, l, l, 120, theta, t), 0.511579);
	about(VALUE(AVAIL_LAW_PERIODIC_TEST, l, 0, 120, theta, t), 0.997828);
	about(VALUE(AVAIL_LAW_PERIODIC_TEST, l, 1e300, 120, theta, t),
	      VALUE(AVAIL_LAW_PERIODIC_TEST, l, 120, theta, t));
	for (double x = 0; x <= 1; x++)
		about(VALUE(AVAIL_LAW_PERIODIC_TEST, l, 6e-4, m, 120, theta, 0.01, 20, x, 0.9, 0.01,
			    t),
		      0.668316);
	about(VALUE(AVAIL_LAW_PERIODIC_TEST, l, 6e-4, m, 120, theta, 0.01, 20, 0, 0.9, 0.01, 4750),
	      1);
	about(VALUE(AVAIL_LAW_PERIODIC_TEST, l, 6e-4, m, 120, theta, 0.01, 20, 0, 0.9, 0.01, 4870),
	      0.996715);
	about(VALUE(AVAIL_LAW_PERIODIC_TEST, l, 6e-4, m, 120, theta, 0.01, 20, 0, 0.9, 0.01, 8710),
	      0.997478);
	about(VALUE(AVAIL_LAW_PERIODIC_TEST, l, l, l, 120, theta, 0.01, 20, 1, 0.9, 0.01, t),
	      0.543401);
	about(VALUE(AVAIL_LAW_PERIODIC_TEST, l, 6e-4, m, 120, theta, 0.01, 120, 1, 0.9, 0.01, t),
	      0.6469);
}

static void test_a_periodic_test_of_many_periods_ends_at_once(void **state)
{
	double steady = VALUE(AVAIL_LAW_PERIODIC_TEST, 1e-3, 0.1, 10, 0, 1e5 + 5);

	(void)state;
	near(VALUE(AVAIL_LAW_PERIODIC_TEST, 1e-3, 0.1, 10, 0, 1e12 + 5), steady, 1e-6);
	near(VALUE(AVAIL_LAW_PERIODIC_TEST, 1, 0, 1e-300, 0, 1e300), 1, 1e-6);
}

static void test_a_distribution_has_its_mean_as_value(void **state)
{
	(void)state;
	near(VALUE(AVAIL_UNIFORM_DEVIATE, 2, 5), 3.5, 0);
	near(VALUE(AVAIL_NORMAL_DEVIATE, 2, 5), 2, 0);
	near(VALUE(AVAIL_LOGNORMAL_DEVIATE, 2, 5, 0.95), 2, 0);
	near(VALUE(AVAIL_LOGNORMAL_DEVIATE, -3, 0.5), exp(-3 + 0.125), 1e-15);
	near(VALUE(AVAIL_GAMMA_DEVIATE, 3, 0.5), 1.5, 0);
	near(VALUE(AVAIL_BETA_DEVIATE, 3, 7), 0.3, 1e-15);
	/* the histogram of the format's own description: 70 * 0.7, 30 * 1.1, 10 * 1.3, 20, 50 * 0.5
	 */
	near(VALUE(AVAIL_HISTOGRAM, 100, 170, 0.7, 200, 1.1, 210, 1.3, 230, 1, 280, 0.5),
	     140.0 / 180, 1e-15);
}

enum { DRAWS = 200000 };

/* Mean and variance of many draws, within five standard errors; 'fourth' is the central moment. */
static void expect_moments(uint32_t expression, double mean, double variance)
{
	struct avail_sample sample;
	double sum = 0, squares = 0;

	assert_int_equal(avail_sample_init(&sample, &model, 1), 0);
	for (uint64_t i = 1; i <= DRAWS; i++) {
		double x;

		avail_sample_draw(&sample, i, 1);
		x = avail_expression_value(&sample, expression);
		sum += x - mean;
		squares += (x - mean) * (x - mean);
	}
	avail_sample_fini(&sample);
	if (fabs(sum / DRAWS) > 5 * sqrt(variance / DRAWS) ||
	    fabs(squares / DRAWS / variance - 1) > 0.05) {
		print_error("mean off by %g of %g, variance %g of %g\n", sum / DRAWS, mean,
			    squares / DRAWS, variance);
		fail();
	}
}

static void test_draws_have_the_moments_of_their_distribution(void **state)
{
	double s = log(3) / 1.6448536269514722, v = exp(s * s) - 1;

	(void)state;
	expect_moments(ADD(AVAIL_UNIFORM_DEVIATE, 2, 5), 3.5, 9.0 / 12);
	expect_moments(ADD(AVAIL_NORMAL_DEVIATE, -2, 0.5), -2, 0.25);
	expect_moments(ADD(AVAIL_LOGNORMAL_DEVIATE, 0.1, 3, 0.95), 0.1, 0.01 * v);
	expect_moments(ADD(AVAIL_LOGNORMAL_DEVIATE, 1, 0.5), exp(1.125),
		       exp(2.25) * (exp(0.25) - 1));
	expect_moments(ADD(AVAIL_GAMMA_DEVIATE, 2.5, 3), 7.5, 22.5);
	expect_moments(ADD(AVAIL_GAMMA_DEVIATE, 0.3, 2), 0.6, 1.2);
	expect_moments(ADD(AVAIL_BETA_DEVIATE, 2, 6), 0.25, 12.0 / 64 / 9);
	expect_moments(ADD(AVAIL_BETA_DEVIATE, 0.5, 0.5), 0.5, 0.125);
	/* bins of width 1 and 3 with values 10 and 20 */
	expect_moments(ADD(AVAIL_HISTOGRAM, 0, 1, 10, 4, 20), 17.5, 18.75);
}

static void test_the_error_factor_is_the_quantile_over_the_median(void **state)
{
	uint32_t expression = ADD(AVAIL_LOGNORMAL_DEVIATE, 1e-3, 5, 0.95);
	double s = log(5) / 1.6448536269514722, median = 1e-3 * exp(-s * s / 2);
	unsigned above_median = 0, above_factor = 0, below_factor = 0;
	struct avail_sample sample;

	(void)state;
	assert_int_equal(avail_sample_init(&sample, &model, 1), 0);
	for (uint64_t i = 1; i <= DRAWS; i++) {
		double x;

		avail_sample_draw(&sample, i, 1);
		x = avail_expression_value(&sample, expression);
		above_median += x > median;
		above_factor += x > median * 5;
		below_factor += x < median / 5;
	}
	avail_sample_fini(&sample);
	assert_in_range(above_median, DRAWS / 2 - 1200, DRAWS / 2 + 1200);
	assert_in_range(above_factor, DRAWS / 20 - 500, DRAWS / 20 + 500);
	assert_in_range(below_factor, DRAWS / 20 - 500, DRAWS / 20 + 500);
}

static void test_quantiles_of_the_normal_distribution_are_exact(void **state)
{
	(void)state;
	near(avail_normal_quantile(0.95), 1.6448536269514722, 1e-14);
	near(avail_normal_quantile(0.975), 1.9599639845400545, 1e-14);
	near(avail_normal_quantile(0.05), -1.6448536269514722, 1e-14);
	assert_true(fabs(avail_normal_quantile(0.5)) < 1e-15);
	for (double p = 1e-300; p < 0.5; p *= 7)
		near(0.5 * erfc(-avail_normal_quantile(p) / sqrt(2)), p, 1e-11);
}

static void test_a_draw_depends_on_its_seed_and_not_on_the_order(void **state)
{
	uint32_t a = ADD(AVAIL_UNIFORM_DEVIATE, 0, 1), b = ADD(AVAIL_UNIFORM_DEVIATE, 0, 1);
	uint32_t both[] = { a, b, a };
	uint32_t sum = avail_expression_add(&model, AVAIL_ADD, both, 3);
	double one = value_at(a, 7, 1), other = value_at(b, 7, 1);

	(void)state;
	assert_true(one != other);
	assert_true(one != value_at(a, 8, 1));
	assert_true(value_at(a, 7, 1) == one);
	near(value_at(sum, 7, 1), one + other + one, 1e-15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(test_arithmetic_is_what_it_says),
		TEST(test_logic_and_choice_are_what_they_say),
		TEST(test_a_choice_computes_only_what_it_takes),
		TEST(test_a_parameter_is_its_value_and_time_is_the_mission_time),
		TEST(test_laws_of_failure_have_their_closed_forms),
		TEST(test_periodic_tests_agree_with_a_walk_in_small_steps),
		TEST(test_the_forms_of_a_periodic_test_are_cases_of_one),
		TEST(test_periodic_tests_have_the_figures_of_another_tool),
		TEST(test_a_periodic_test_of_many_periods_ends_at_once),
		TEST(test_a_distribution_has_its_mean_as_value),
		TEST(test_draws_have_the_moments_of_their_distribution),
		TEST(test_the_error_factor_is_the_quantile_over_the_median),
		TEST(test_quantiles_of_the_normal_distribution_are_exact),
		TEST(test_a_draw_depends_on_its_seed_and_not_on_the_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
