/* Chains against closed forms and a plain elimination. */
#include "avail/chain.h"
#include "tests/avail_heap.h"
#include "tests/check.h"

#include <errno.h>
#include <math.h>

static struct test_heap heap;
static struct avail_chain chain;

static void begin(uint32_t states)
{
	test_heap_init(&heap);
	avail_chain_init(&chain, &heap.memory, states);
}

static void finish(void)
{
	avail_chain_fini(&chain);
	assert_int_equal(heap.memory.used, 0);
}

static void add(uint32_t from, uint32_t to, double rate)
{
	assert_int_equal(avail_chain_add(&chain, from, to, rate), 0);
}

static void near(double found, double wanted, double relative)
{
	if (fabs(found - wanted) <= relative * fabs(wanted))
		return;
	print_error("%.17g is not %.17g, off by %.2g\n", found, wanted, found / wanted - 1);
	fail();
}

static double uniform(uint64_t *seed)
{
	return ((double)(rand_u64(seed) >> 11) + 0.5) * 0x1p-53;
}

/* Units down of n equal ones, with so many crews: a birth-death chain. */
static void add_units(uint32_t n, double failure, double repair, uint32_t crews)
{
	for (uint32_t down = 0; down < n; down++) {
		add(down, down + 1, (n - down) * failure);
		add(down + 1, down, min_u32(down + 1, crews) * repair);
	}
}

static void steady_state_of_equal_units_and_crews_has_its_product_form(void **state)
{
	(void)state;
	for (uint32_t crews = 1; crews <= 12; crews++) {
		double p[13], product = 1, wanted[13], sum = 0;
		struct avail_chain_work work;

		begin(13);
		add_units(12, 1e-9, 1e4, crews); /* as stiff as it gets */
		for (uint32_t down = 0; down <= 12; down++) {
			wanted[down] = product;
			sum += product;
			product *= (12 - down) * 1e-9 / (min_u32(down + 1, crews) * 1e4);
		}
		assert_int_equal(avail_chain_steady(&chain, p, &work), 0);
		for (uint32_t down = 0; down <= 12; down++)
			near(p[down], wanted[down] / sum, 1e-13);
		assert_int_equal(work.sweeps, 0);
		assert_true(work.error < 1e-12);
		finish();
	}
}

/* Gauss with the largest pivot, in long double: the plain way, which subtracts. */
static void solve_plainly(uint32_t n, const double *q, long double *x)
{
	static long double a[40][41];

	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t j = 0; j <= n; j++)
			a[i][j] = 0;
		for (uint32_t j = 0; j < n; j++) {
			a[i][j] += q[j * n + i];
			a[i][i] -= q[i * n + j];
		}
	}
	for (uint32_t j = 0; j <= n; j++)
		a[n - 1][j] = 1;
	for (uint32_t k = 0; k < n; k++) {
		uint32_t best = k;

		for (uint32_t i = k + 1; i < n; i++)
			if (fabsl(a[i][k]) > fabsl(a[best][k]))
				best = i;
		for (uint32_t j = 0; j <= n; j++) {
			long double swap = a[k][j];

			a[k][j] = a[best][j];
			a[best][j] = swap;
		}
		for (uint32_t i = 0; i < n; i++) {
			long double factor = i == k ? 0 : a[i][k] / a[k][k];

			for (uint32_t j = k; j <= n && factor != 0; j++)
				a[i][j] -= factor * a[k][j];
		}
	}
	for (uint32_t i = 0; i < n; i++)
		x[i] = a[i][n] / a[i][i];
}

static void steady_state_of_random_chains_is_that_of_plain_elimination(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		uint32_t n = 2 + rand_u64(&seed) % 38;
		double q[40 * 40] = { 0 }, p[40];
		long double x[40];
		struct avail_chain_work work;

		begin(n);
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t j = 0; j < n; j++)
				if (i != j && (j == (i + 1) % n || uniform(&seed) < 0.2)) {
					q[i * n + j] = 0.1 + uniform(&seed);
					add(i, j, q[i * n + j] / 4);
					add(i, j, q[i * n + j] * 3 / 4); /* both count */
				}
		solve_plainly(n, q, x);
		assert_int_equal(avail_chain_steady(&chain, p, &work), 0);
		for (uint32_t i = 0; i < n; i++)
			near(p[i], (double)x[i], 1e-12);
		finish();
	}
}

enum { PARTS = 12, STATES = 1 << PARTS };
static double failure_of[PARTS], repair_of[PARTS];

/* Independent parts, one bit of the state each; rates from 1e-9 to 1e4. */
static void add_parts(uint64_t *seed, uint32_t parts)
{
	for (uint32_t i = 0; i < parts; i++) {
		failure_of[i] = 1e-9 * pow(1e5, uniform(seed));
		repair_of[i] = 1e-1 * pow(1e5, uniform(seed));
		for (uint32_t s = 0; s < 1U << parts; s++)
			add(s, s ^ 1U << i, s >> i & 1 ? repair_of[i] : failure_of[i]);
	}
}

static double product_of(uint32_t s, uint32_t parts, double t)
{
	double product = 1;

	for (uint32_t i = 0; i < parts; i++) {
		double both = failure_of[i] + repair_of[i];
		double down = failure_of[i] / both * -expm1(-both * t);

		product *= s >> i & 1 ? down : 1 - down;
	}
	return product;
}

static void large_and_stiff_chain_of_independent_parts_is_their_product_within_the_stated_error(
	void **state)
{
	uint64_t seed = check_seed();
	static double p[STATES];
	static const struct {
		enum avail_chain_way way;
		uint32_t parts; /* elimination makes ever more moves of what has no middle */
		bool sweeps;
	} rows[] = { { AVAIL_CHAIN_ELIMINATE, 10, false },
		     { AVAIL_CHAIN_SWEEP, PARTS, true },
		     { AVAIL_CHAIN_ANY_WAY, PARTS, true } };

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++) {
		uint32_t states = 1U << rows[i].parts;
		struct avail_chain_work work;
		double worst = 0;

		begin(states);
		add_parts(&seed, rows[i].parts);
		chain.way = rows[i].way;
		assert_int_equal(avail_chain_steady(&chain, p, &work), 0);
		for (uint32_t s = 0; s < states; s++)
			worst = fmax(worst,
				     fabs(p[s] / product_of(s, rows[i].parts, INFINITY) - 1));
		print_message("# worst %.2g, stated %.2g, %u sweeps\n", worst, work.error,
			      work.sweeps);
		assert_true((work.sweeps > 0) == rows[i].sweeps);
		assert_true(worst <= work.error);
		assert_true(work.error < 1e-9);
		assert_true(worst < (rows[i].sweeps ? 1e-12 : 1e-13));
		finish();
	}
}

static void sweeps_that_begin_near_the_end_are_few(void **state)
{
	uint64_t seed = check_seed();
	static double p[STATES], again[STATES];
	struct avail_chain_work first, second;

	(void)state;
	begin(STATES);
	add_parts(&seed, PARTS);
	assert_int_equal(avail_chain_steady(&chain, p, &first), 0);
	chain.guess = p;
	assert_int_equal(avail_chain_steady(&chain, again, &second), 0);
	assert_true(second.sweeps < first.sweeps);
	for (uint32_t s = 0; s < STATES; s++)
		near(again[s], p[s], 1e-12);
	finish();
}

static void sweeps_and_elimination_agree_where_failures_take_many_with_them(void **state)
{
	uint64_t seed = check_seed();
	enum { N = 900 };
	static double large[N], small[N / 3];

	(void)state;
	/* Three equal copies of each state of a small chain make a large one that lumps to it. */
	begin(N);
	struct avail_chain lumped;

	avail_chain_init(&lumped, &heap.memory, N / 3);
	for (uint32_t i = 0; i + 1 < N / 3; i++) {
		double up = 1e-6 * uniform(&seed), down = 0.1 + uniform(&seed), all = 1e-7;

		assert_int_equal(avail_chain_add(&lumped, i, i + 1, up), 0);
		assert_int_equal(avail_chain_add(&lumped, i + 1, i, down), 0);
		assert_int_equal(avail_chain_add(&lumped, i, N / 3 - 1, all), 0);
		for (uint32_t c = 0; c < 3; c++) {
			uint32_t to = (uint32_t)(rand_u64(&seed) % 3);

			add(3 * i + c, 3 * (i + 1) + to, up);
			add(3 * (i + 1) + c, 3 * i + (c + to) % 3, down);
			add(3 * i + c, N - 3 + c, all);
		}
	}
	struct avail_chain_work work;

	assert_int_equal(avail_chain_steady(&lumped, small, &work), 0);
	assert_int_equal(work.sweeps, 0);
	/* Sweeps take thousands here, so that elimination is found to be better. */
	for (unsigned way = AVAIL_CHAIN_ANY_WAY; way <= AVAIL_CHAIN_SWEEP; way++) {
		chain.way = (enum avail_chain_way)way;
		assert_int_equal(avail_chain_steady(&chain, large, &work), 0);
		print_message("# stated %.2g, %u sweeps\n", work.error, work.sweeps);
		assert_true((work.sweeps > 0) == (way == AVAIL_CHAIN_SWEEP));
		for (uint32_t i = 0; i < N / 3; i++)
			near(large[3 * i] + large[3 * i + 1] + large[3 * i + 2], small[i], 1e-11);
	}
	avail_chain_fini(&lumped);
	finish();
}

static void states_that_are_left_for_good_have_no_part_in_the_long_run(void **state)
{
	double p[5];

	(void)state;
	begin(5);
	add(0, 1, 1);
	add(1, 2, 3);
	add(2, 3, 2);
	add(3, 2, 5);
	add(4, 0, 1); /* never reached */
	assert_int_equal(avail_chain_steady(&chain, p, NULL), 0);
	assert_true(p[0] == 0 && p[1] == 0 && p[4] == 0);
	near(p[2], 5.0 / 7, 1e-15);
	near(p[3], 2.0 / 7, 1e-15);
	add(1, 4, 1e-9);
	add(0, 4, 0); /* a rate of nothing is no move */
	assert_int_equal(avail_chain_steady(&chain, p, NULL), 0);
	finish();
}

static void chance_between_ends_gives_each_its_share(void **state)
{
	double p[6];

	(void)state;
	begin(6);
	add(0, 1, 1); /* to 1 and back until one of the ends is entered */
	add(1, 0, 2);
	add(0, 2, 0.5);
	add(1, 3, 1);
	add(3, 4, 1);
	add(4, 3, 3);
	add(5, 2, 1); /* never reached */
	assert_int_equal(avail_chain_steady(&chain, p, NULL), 0);
	/* From 0 to the end {2} with h, from 1 with h2: h = (0.5 + h2) / 1.5, h2 = 2 h / 3. */
	near(p[2], 0.6, 1e-15);
	near(p[3], 0.4 * 0.75, 1e-15);
	near(p[4], 0.4 * 0.25, 1e-15);
	assert_true(p[0] == 0 && p[1] == 0 && p[5] == 0);
	finish();
}

static void probabilities_at_a_time_are_those_of_a_single_unit(void **state)
{
	static const double times[] = { 0, 1e-12, 1e-6, 1e-3, 0.1, 1, 4, 100, 8760, 1e7 };

	(void)state;
	for (unsigned i = 0; i < array_len(times); i++) {
		double start[2] = { 1, 0 }, p[2], error, wanted;

		begin(2);
		add(0, 1, 1e-5);
		add(1, 0, 1e4); /* up to 1e11 steps */
		assert_int_equal(avail_chain_at(&chain, start, times[i], p, &error), 0);
		wanted = -1e-5 / (1e-5 + 1e4) * expm1(-(1e-5 + 1e4) * times[i]);
		near(p[1], wanted, 1e-12);
		near(p[0], 1 - wanted, 1e-14);
		assert_true(error < 1e-15);
		finish();
	}
}

static void probabilities_at_a_time_of_independent_parts_are_products(void **state)
{
	uint64_t seed = check_seed();
	static const double times[] = { 1e-3, 0.3, 24, 8760 };
	enum { FEW = 6 };

	(void)state;
	for (unsigned i = 0; i < array_len(times); i++) {
		double p[1 << FEW] = { 1 };

		begin(1 << FEW);
		add_parts(&seed, FEW);
		assert_int_equal(avail_chain_at(&chain, p, times[i], p, NULL), 0); /* in place */
		for (uint32_t s = 0; s < 1 << FEW; s++)
			near(p[s], product_of(s, FEW, times[i]), 1e-11);
		finish();
	}
}

static void counting_failures_gives_the_poisson_law(void **state)
{
	enum { N = 600 };
	static double p[N] = { 1 };
	double term = exp(-30 * 2.5), error;

	(void)state;
	begin(N); /* too many for squaring */
	for (uint32_t i = 0; i + 1 < N; i++)
		add(i, i + 1, 30);
	assert_int_equal(avail_chain_at(&chain, p, 2.5, p, &error), 0);
	for (uint32_t i = 0; i < 200; i++) {
		if (term > 1e-16)
			near(p[i], term, 1e-11);
		term *= 75.0 / (i + 1);
	}
	finish();
}

static void too_large_and_too_stiff_is_refused(void **state)
{
	static double p[1000] = { 1 };

	(void)state;
	begin(1000);
	for (uint32_t i = 0; i + 1 < 1000; i++) {
		add(i, i + 1, 1e-6);
		add(i + 1, i, 1e6);
	}
	assert_int_equal(avail_chain_at(&chain, p, 8760, p, NULL), -EDQUOT);
	finish();
}

/* State 0: both work; 1: one; 2: none.  IEC 61165; coverage as in Birolini, Reliability
 * Engineering. */
static void add_pair(double failure, double repair, double coverage)
{
	begin(3);
	add(0, 1, 2 * failure * coverage);
	add(0, 2, 2 * failure * (1 - coverage));
	add(1, 2, failure);
	add(1, 0, repair);
	add(2, 1, repair);
}

static void pair_with_one_crew_and_coverage_has_the_published_figures(void **state)
{
	static const struct {
		double coverage, unavailability, mean_h;
	} rows[] = {
		{ 1, 3.197441024e-7, 12515000 },
		{ 0.99, 8.31328020934e-6, 481342.3077 },
		{ 0.95, 4.02861467452e-5, 695250.0 / 7 },
	};
	static const uint8_t down[3] = { 0, 0, 1 };
	static const double start[3] = { 1, 0, 0 };

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++) {
		double p[3], mean_h;

		add_pair(1e-4, 0.25, rows[i].coverage);
		assert_int_equal(avail_chain_steady(&chain, p, NULL), 0);
		near(p[2], rows[i].unavailability, 1e-9);
		assert_int_equal(avail_chain_mean_time(&chain, start, down, &mean_h), 0);
		near(mean_h, rows[i].mean_h, 1e-10);
		/* In the long run the set is left as often as it is entered. */
		near(avail_chain_frequency(&chain, p, down), p[2] * 0.25, 1e-14);
		finish();
	}
}

/* Three units without repair, rates 0.3, 0.4 and 1; a set bit is a failed one. */
static void two_of_three_without_repair_last_2685_of_1547_hours(void **state)
{
	static const double rates[3] = { 0.3, 0.4, 1 };
	static const uint8_t down[8] = { 0, 0, 0, 1, 0, 1, 1, 1 };
	static const double start[8] = { 1 };
	double mean_h;

	(void)state;
	begin(8);
	for (uint32_t s = 0; s < 8; s++)
		for (uint32_t i = 0; i < 3; i++)
			if (!(s >> i & 1))
				add(s, s | 1U << i, rates[i]);
	assert_int_equal(avail_chain_mean_time(&chain, start, down, &mean_h), 0);
	near(mean_h, 2685.0 / 1547, 1e-15);
	finish();
}

static void a_set_that_need_not_be_reached_takes_forever(void **state)
{
	static const uint8_t down[3] = { 0, 1, 0 };
	static const double start[3] = { 1, 0, 0 };
	double mean_h;

	(void)state;
	begin(3);
	add(0, 1, 1);
	add(0, 2, 1);
	assert_int_equal(avail_chain_mean_time(&chain, start, down, &mean_h), 0);
	assert_true(isinf(mean_h));
	finish();
}

static void mean_time_from_several_starts_is_the_mean_of_theirs(void **state)
{
	static const uint8_t down[4] = { 0, 0, 0, 1 };
	static const double some[4] = { 0, 0.25, 0.75, 0 };
	double each[3], both;

	(void)state;
	begin(4);
	add(0, 1, 2);
	add(1, 2, 3);
	add(2, 0, 1);
	add(1, 3, 0.5);
	add(2, 3, 0.25);
	for (uint32_t i = 0; i < 3; i++) {
		double start[4] = { 0 };

		start[i] = 1;
		assert_int_equal(avail_chain_mean_time(&chain, start, down, &each[i]), 0);
	}
	assert_int_equal(avail_chain_mean_time(&chain, some, down, &both), 0);
	near(both, 0.25 * each[1] + 0.75 * each[2], 1e-14);
	finish();
}

static void time_to_an_end_is_what_the_probabilities_say(void **state)
{
	double p[3] = { 1, 0, 0 };
	static const uint8_t down[3] = { 0, 0, 1 };
	/* Both roots of the pair's characteristic equation. */
	double b = 3 * 1e-2 + 0.25, root = sqrt(b * b - 8e-4), fast = (b + root) / 2;
	double slow = 2e-4 / fast, t = 500;

	(void)state;
	add_pair(1e-2, 0.25, 1);
	avail_chain_absorb(&chain, down);
	assert_int_equal(avail_chain_at(&chain, p, t, p, NULL), 0);
	near(1 - p[2], (fast * exp(-slow * t) - slow * exp(-fast * t)) / (fast - slow), 1e-13);
	finish();
}

static bool never(void *context)
{
	(void)context;
	return false;
}

static void long_work_can_be_ended(void **state)
{
	enum { N = 2000 };
	static double p[N] = { 1 };

	(void)state;
	begin(N);
	for (uint32_t i = 0; i + 1 < N; i++) {
		add(i, i + 1, 1);
		add(i + 1, i, 1.0001);
	}
	add(N - 1, 0, 1e-3);
	chain.go_on = never;
	assert_int_equal(avail_chain_at(&chain, p, 10, p, NULL), -EINTR);
	finish();
}

static void every_request_for_memory_may_fail(void **state)
{
	double p[3], mean_h;
	static const uint8_t down[3] = { 0, 0, 1 };
	static const double start[3] = { 1, 0, 0 };
	struct avail_chain_work work;
	unsigned refused = 0;

	(void)state;
	for (uint64_t fail_at = 1; fail_at < 40; fail_at++) {
		add_pair(1e-4, 0.25, 0.9);
		heap.asked = 0;
		heap.fail_at = fail_at;
		int err = avail_chain_steady(&chain, p, &work);

		if (!err)
			err = avail_chain_mean_time(&chain, start, down, &mean_h);
		if (!err)
			err = avail_chain_at(&chain, start, 10, p, NULL);
		assert_true(err == 0 || err == -ENOMEM);
		refused += err != 0;
		finish();
	}
	assert_true(refused > 20);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(steady_state_of_equal_units_and_crews_has_its_product_form),
		cmocka_unit_test(steady_state_of_random_chains_is_that_of_plain_elimination),
		cmocka_unit_test(
			large_and_stiff_chain_of_independent_parts_is_their_product_within_the_stated_error),
		cmocka_unit_test(sweeps_that_begin_near_the_end_are_few),
		cmocka_unit_test(sweeps_and_elimination_agree_where_failures_take_many_with_them),
		cmocka_unit_test(states_that_are_left_for_good_have_no_part_in_the_long_run),
		cmocka_unit_test(chance_between_ends_gives_each_its_share),
		cmocka_unit_test(probabilities_at_a_time_are_those_of_a_single_unit),
		cmocka_unit_test(probabilities_at_a_time_of_independent_parts_are_products),
		cmocka_unit_test(counting_failures_gives_the_poisson_law),
		cmocka_unit_test(too_large_and_too_stiff_is_refused),
		cmocka_unit_test(pair_with_one_crew_and_coverage_has_the_published_figures),
		cmocka_unit_test(two_of_three_without_repair_last_2685_of_1547_hours),
		cmocka_unit_test(a_set_that_need_not_be_reached_takes_forever),
		cmocka_unit_test(mean_time_from_several_starts_is_the_mean_of_theirs),
		cmocka_unit_test(time_to_an_end_is_what_the_probabilities_say),
		cmocka_unit_test(long_work_can_be_ended),
		cmocka_unit_test(every_request_for_memory_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
