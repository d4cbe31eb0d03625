/* Minimal cut sets and prime implicants against going through all states and all terms. */
#include "avail/oracle_test.h"

#include <errno.h>

enum { EVENTS = 7, STATES = 1 << EVENTS, TERMS = 2187, MOST_SETS = 3000 }; /* 3^7 terms */

/* One set: which events have failed in it, and which work. */
struct plain_set {
	uint32_t failed, works;
	double probability;
};

struct plain_sets {
	struct plain_set sets[MOST_SETS];
	uint32_t count;
};

static uint32_t ones(uint32_t x)
{
	uint32_t count = 0;

	for (; x; x &= x - 1)
		count++;
	return count;
}

static double set_probability(uint32_t failed, uint32_t works, const double *p)
{
	double product = 1;

	for (uint32_t i = 0; i < EVENTS; i++)
		product *= failed >> i & 1 ? p[i] : works >> i & 1 ? 1 - p[i] : 1;
	return product;
}

static void add_set(struct plain_sets *all, uint32_t failed, uint32_t works, const double *p)
{
	assert_true(all->count < MOST_SETS);
	all->sets[all->count++] =
		(struct plain_set){ failed, works, set_probability(failed, works, p) };
}

/* States that are true, and no state with fewer failed events is. */
static void oracle_cut_sets(const uint8_t *values, const double *p, struct plain_sets *all)
{
	all->count = 0;
	for (uint32_t state = 0; state < STATES; state++) {
		bool minimal = values[state];

		for (uint32_t less = 0; minimal && less < state; less++)
			minimal = !((less & state) == less && values[less]);
		if (minimal)
			add_set(all, state, 0, p);
	}
}

static bool term_implies(const uint8_t *values, uint32_t failed, uint32_t works)
{
	for (uint32_t state = 0; state < STATES; state++)
		if ((state & failed) == failed && (state & works) == 0 && !values[state])
			return false;
	return true;
}

/* Terms that imply the function, and none with one literal less does. */
static void oracle_primes(const uint8_t *values, const double *p, struct plain_sets *all)
{
	static uint8_t implies[STATES][STATES];

	all->count = 0;
	for (uint32_t failed = 0; failed < STATES; failed++)
		for (uint32_t works = 0; works < STATES; works++)
			implies[failed][works] =
				!(failed & works) && term_implies(values, failed, works);
	for (uint32_t failed = 0; failed < STATES; failed++)
		for (uint32_t works = 0; works < STATES; works++) {
			bool prime = implies[failed][works];

			for (uint32_t i = 0; i < EVENTS; i++) {
				uint32_t bit = UINT32_C(1) << i;

				prime &= !(failed & bit && implies[failed ^ bit][works]);
				prime &= !(works & bit && implies[failed][works ^ bit]);
			}
			if (prime)
				add_set(all, failed, works, p);
		}
}

/* Less than 0: a comes first.  Literals ascend by event, "failed" before "works". */
static int compare_literals(const struct plain_set *a, const struct plain_set *b)
{
	for (uint32_t i = 0; i < EVENTS; i++) {
		uint32_t bit = UINT32_C(1) << i;
		int left = a->failed & bit  ? 0
			   : a->works & bit ? 1
					    : 2,
		    right = b->failed & bit  ? 0
			    : b->works & bit ? 1
					     : 2;

		if (left != right)
			return left - right;
	}
	return 0;
}

static enum avail_sets_order_by sort_by;

static int compare_sets(const void *left, const void *right)
{
	const struct plain_set *a = left, *b = right;
	uint32_t a_order = ones(a->failed | a->works), b_order = ones(b->failed | b->works);

	if (sort_by == AVAIL_BY_ORDER && a_order != b_order)
		return a_order < b_order ? -1 : 1;
	if (sort_by == AVAIL_BY_PROBABILITY &&
	    fabs(a->probability - b->probability) > 1e-9 * a->probability)
		return a->probability > b->probability ? -1 : 1;
	return compare_literals(a, b);
}

struct listed {
	const struct plain_sets *expected;
	uint32_t next;
	double cut_off;
	double rare, product;
};

static void check_set(void *context, const struct avail_set *set)
{
	struct listed *listed = context;
	struct plain_set got = { 0 };
	const struct plain_set *expected;

	while (listed->next < listed->expected->count &&
	       listed->expected->sets[listed->next].probability < listed->cut_off)
		listed->next++;
	assert_true(listed->next < listed->expected->count);
	expected = &listed->expected->sets[listed->next++];
	for (uint32_t i = 0; i < set->count; i++) {
		uint32_t bit = UINT32_C(1) << (set->literals[i] >> 1);

		assert_true(i == 0 || set->literals[i] > set->literals[i - 1]);
		if (set->literals[i] & 1)
			got.works |= bit;
		else
			got.failed |= bit;
	}
	assert_int_equal(got.failed, expected->failed);
	assert_int_equal(got.works, expected->works);
	if (!isnan(set->probability))
		assert_close(set->probability, expected->probability, 1e-12);
	listed->rare += expected->probability;
	listed->product *= 1 - expected->probability;
}

static void check_counts(struct avail_sets *sets, const struct plain_sets *expected)
{
	struct avail_count count, by_order[2 * EVENTS + 1];
	uint32_t plain[2 * EVENTS + 1] = { 0 }, most = 0;

	for (uint32_t i = 0; i < expected->count; i++) {
		uint32_t order = ones(expected->sets[i].failed | expected->sets[i].works);

		plain[order]++;
		most = order > most ? order : most;
	}
	assert_int_equal(avail_sets_order(sets), most);
	assert_int_equal(avail_sets_count(sets, &count, by_order), 0);
	assert_int_equal(count.limb[0], expected->count);
	for (uint32_t k = 0; k <= most; k++)
		assert_int_equal(by_order[k].limb[0], plain[k]);
}

static void check_lists(struct avail_sets *sets, struct plain_sets *expected, const double *p,
			uint64_t *seed)
{
	for (sort_by = AVAIL_BY_ORDER; sort_by <= AVAIL_BY_PROBABILITY; sort_by++) {
		struct listed listed = { .expected = expected, .product = 1 };
		uint64_t most = draw_below(seed, 20);
		double rare, bound;

		qsort(expected->sets, expected->count, sizeof expected->sets[0], compare_sets);
		assert_int_equal(
			avail_sets_list(sets, p, sort_by, UINT64_MAX, 0, check_set, &listed), 0);
		assert_int_equal(listed.next, expected->count);
		assert_int_equal(avail_sets_approximate(sets, p, &rare, &bound), 0);
		assert_true(fabs(rare - listed.rare) <= 1e-12 * rare);
		assert_true(fabs(bound - (1 - listed.product)) < 1e-13);
		listed = (struct listed){ .expected = expected };
		assert_int_equal(avail_sets_list(sets, p, sort_by, most, 0, check_set, &listed), 0);
		assert_int_equal(listed.next, most < expected->count ? most : expected->count);
		if (expected->count == 0)
			continue;
		listed = (struct listed){ .expected = expected };
		listed.cut_off =
			expected->sets[draw_below(seed, expected->count)].probability * (1 - 1e-6);
		assert_int_equal(avail_sets_list(sets, p, sort_by, UINT64_MAX, listed.cut_off,
						 check_set, &listed),
				 0);
		for (; listed.next < expected->count; listed.next++)
			assert_true(expected->sets[listed.next].probability < listed.cut_off);
	}
}

static void check_kind(struct avail_solver *solver, enum avail_sets_kind kind,
		       const uint8_t *values, uint64_t *seed)
{
	static struct plain_sets expected;
	struct avail_sets *sets;
	double p[EVENTS];

	for (uint32_t i = 0; i < EVENTS; i++)
		p[i] = draw_below(seed, 2) ? 0.01 : (1 + draw_below(seed, 98)) / 100.0;
	if (kind == AVAIL_CUT_SETS)
		oracle_cut_sets(values, p, &expected);
	else
		oracle_primes(values, p, &expected);
	assert_int_equal(avail_sets_open(&sets, solver, kind, NULL), 0);
	check_counts(sets, &expected);
	check_lists(sets, &expected, p, seed);
	avail_sets_close(sets);
}

static void check_random_trees(enum fake_mix mix, enum avail_sets_kind kind, unsigned rounds)
{
	uint64_t seed = check_seed();
	static uint8_t values[STATES];

	for (unsigned round = 0; round < rounds; round++) {
		uint32_t gates = 1 + draw_below(&seed, 20), top;
		struct avail_solver *solver;
		struct avail_tree tree;
		struct fake_heap heap;

		fake_heap_init(&heap);
		top = fake_tree(&tree, &heap.memory, &seed, EVENTS, gates, mix);
		top ^= draw_below(&seed, 8) == 0;
		oracle_states(&tree, top, values);
		assert_int_equal(avail_solver_open(&solver, &heap.memory, &tree, top, NULL), 0);
		check_kind(solver, kind, values, &seed);
		avail_solver_close(solver);
		avail_tree_fini(&tree);
		assert_int_equal(heap.memory.used, 0);
	}
}

static void test_cut_sets_of_coherent_trees_are_the_minimal_failed_states(void **state)
{
	(void)state;
	check_random_trees(MIX_COHERENT, AVAIL_CUT_SETS, 500);
}

static void test_cut_sets_of_all_trees_are_the_minimal_failed_states(void **state)
{
	(void)state;
	check_random_trees(MIX_ALL, AVAIL_CUT_SETS, 1500);
}

static void test_prime_implicants_are_the_implicants_that_lose_no_literal(void **state)
{
	(void)state;
	check_random_trees(MIX_ALL, AVAIL_PRIME_IMPLICANTS, 300);
}

/* k of n, all in one gate: C(n, k) sets; and of pairs: 2^k times as many, of twice the order. */
static void test_counts_pass_every_machine_word(void **state)
{
	struct avail_count count, by_order[241];
	char text[AVAIL_COUNT_DIGITS];
	struct avail_solver *solver;
	struct avail_sets *sets;
	struct avail_tree tree;
	struct fake_heap heap;
	uint32_t args[240], top;

	(void)state;
	fake_heap_init(&heap);
	assert_int_equal(avail_tree_init(&tree, &heap.memory, 480), 0);
	for (uint32_t i = 0; i < 240; i++) {
		uint32_t pair[2] = { avail_tree_event(&tree, 2 * i),
				     avail_tree_event(&tree, 2 * i + 1) };

		args[i] = avail_tree_gate(&tree, AVAIL_OR, 0, 0, pair, 2);
	}
	top = avail_tree_gate(&tree, AVAIL_AT_LEAST, 120, 0, args, 240);
	assert_int_equal(avail_solver_open(&solver, &heap.memory, &tree, top, NULL), 0);
	assert_int_equal(avail_sets_open(&sets, solver, AVAIL_CUT_SETS, NULL), 0);
	assert_int_equal(avail_sets_order(sets), 120);
	assert_int_equal(avail_sets_count(sets, &count, by_order), 0);
	avail_count_text(&count, text);
	/* C(240, 120) * 2^120 */
	assert_string_equal(text, "1208315901571788876985124753226914281331163503494358108304972452"
				  "83518548238980539831402614422101972064665600");
	avail_count_text(&by_order[120], text);
	assert_string_equal(text, "1208315901571788876985124753226914281331163503494358108304972452"
				  "83518548238980539831402614422101972064665600");
	assert_int_equal(by_order[119].limb[0], 0);
	avail_sets_close(sets);
	avail_solver_close(solver);
	avail_tree_fini(&tree);
}

static void count_set(void *context, const struct avail_set *set)
{
	uint64_t *count = context;

	(void)set;
	++*count;
}

static void test_running_out_of_memory_at_any_request_leaks_nothing(void **state)
{
	uint64_t seed = check_seed();
	struct avail_solver *solver;
	struct avail_tree tree;
	struct fake_heap heap;
	uint32_t top;
	size_t before;
	double p[16];

	(void)state;
	fake_heap_init(&heap);
	top = fake_tree(&tree, &heap.memory, &seed, 16, 60, MIX_ALL);
	assert_int_equal(avail_solver_open(&solver, &heap.memory, &tree, top, NULL), 0);
	for (uint32_t i = 0; i < 16; i++)
		p[i] = 0.25;
	before = heap.memory.used;
	for (enum avail_sets_kind kind = AVAIL_CUT_SETS; kind <= AVAIL_PRIME_IMPLICANTS; kind++) {
		bool done = false;

		for (uint64_t fail_at = 1; !done; fail_at++) {
			struct avail_count count, by_order[33];
			struct avail_sets *sets = NULL;
			uint64_t listed = 0;
			double rare, bound;
			int err;

			heap.requests = 0;
			heap.fail_at = fail_at;
			err = avail_sets_open(&sets, solver, kind, NULL);
			if (!err)
				err = avail_sets_count(sets, &count, by_order);
			if (!err)
				err = avail_sets_approximate(sets, p, &rare, &bound);
			if (!err)
				err = avail_sets_list(sets, p, AVAIL_BY_PROBABILITY, 300, 0,
						      count_set, &listed);
			assert_true(err == 0 || err == -ENOMEM);
			done = !err && heap.requests < fail_at;
			avail_sets_close(sets);
			assert_int_equal(heap.memory.used, before);
		}
		heap.fail_at = 0;
	}
	avail_solver_close(solver);
	avail_tree_fini(&tree);
	assert_int_equal(heap.memory.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_sets_of_coherent_trees_are_the_minimal_failed_states),
		cmocka_unit_test(test_cut_sets_of_all_trees_are_the_minimal_failed_states),
		cmocka_unit_test(test_prime_implicants_are_the_implicants_that_lose_no_literal),
		cmocka_unit_test(test_counts_pass_every_machine_word),
		cmocka_unit_test(test_running_out_of_memory_at_any_request_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
