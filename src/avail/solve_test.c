/* The exact engine against going through all states, on random trees of all kinds of gates. */
#include "avail/oracle_test.h"

#include <errno.h>

enum { EVENTS = 9, STATES = 1 << EVENTS };

static void random_chances(uint64_t *seed, double *p, uint32_t count)
{
	static const double scales[] = { 1, 1e-2, 1e-5, 1e-9, 0, 1 };

	for (uint32_t i = 0; i < count; i++) {
		double part = (double)(rand_u64(seed) % 1000 + 1) / 1001;

		p[i] = part * scales[rand_u64(seed) % array_len(scales)];
		if (rand_u64(seed) % 16 == 0)
			p[i] = 1;
	}
}

static void check_probability(struct avail_solver *solver, const uint8_t *values, const double *p)
{
	double expected = oracle_probability(values, p, EVENTS);
	struct avail_bounds bounds;

	assert_int_equal(avail_solver_probability(solver, p, &bounds), 0);
	assert_close(bounds.value, expected, 1e-13);
	assert_true(bounds.lower == bounds.value && bounds.upper == bounds.value);
	assert_true(fabs(bounds.complement + bounds.value - 1) < 1e-14);
}

static void check_changes(struct avail_solver *solver, const uint8_t *values, const double *p)
{
	double rise[EVENTS], fall[EVENTS];

	assert_int_equal(avail_solver_changes(solver, p, rise, fall), 0);
	for (uint32_t i = 0; i < EVENTS; i++) {
		assert_close(rise[i], oracle_change(values, p, EVENTS, i, true), 1e-11);
		assert_close(fall[i], oracle_change(values, p, EVENTS, i, false), 1e-11);
	}
}

static bool oracle_coherent(const uint8_t *values)
{
	for (uint32_t state = 0; state < STATES; state++)
		for (uint32_t i = 0; i < EVENTS; i++)
			if (values[state] && !values[state | UINT32_C(1) << i])
				return false;
	return true;
}

static void check_random_trees(enum fake_mix mix, unsigned rounds)
{
	uint64_t seed = check_seed();
	static uint8_t values[STATES];

	for (unsigned round = 0; round < rounds; round++) {
		uint32_t gates = 1 + rand_u64(&seed) % 20, top;
		struct avail_solver *solver;
		struct avail_tree tree;
		struct fake_heap heap;
		double p[EVENTS];

		fake_heap_init(&heap);
		top = fake_tree(&tree, &heap.memory, &seed, EVENTS, gates, mix);
		top ^= rand_u64(&seed) % 8 == 0;
		oracle_states(&tree, top, values);
		assert_int_equal(avail_solver_open(&solver, &heap.memory, &tree, top, NULL), 0);
		avail_tree_fini(&tree);
		assert_true(avail_solver_is_exact(solver));
		assert_int_equal(avail_solver_is_coherent(solver), oracle_coherent(values));
		for (unsigned draw = 0; draw < 4; draw++) {
			random_chances(&seed, p, EVENTS);
			check_probability(solver, values, p);
			check_changes(solver, values, p);
		}
		avail_solver_close(solver);
		assert_int_equal(heap.memory.used, 0);
	}
}

static void test_coherent_trees_agree_with_going_through_all_states(void **state)
{
	(void)state;
	check_random_trees(MIX_COHERENT, 600);
}

static void test_trees_with_all_gates_agree_with_going_through_all_states(void **state)
{
	(void)state;
	check_random_trees(MIX_ALL, 1500);
}

/* The bridge of five parts: IEC 61078, and the figures of the worked examples. */
static void test_the_bridge_network_has_its_known_availability(void **state)
{
	static const uint32_t paths[4][3] = { { 0, 1, 9 }, { 3, 4, 9 }, { 0, 2, 4 }, { 1, 2, 3 } };
	static const double works[2][5] = { { .9, .9, .9, .9, .9 }, { .8, .9, .9, .9, .8 } };
	static const double expected[2] = { 1 - 0.97848, 1 - 0.95652 };
	struct avail_solver *solver;
	struct avail_bounds bounds;
	struct avail_tree tree;
	struct fake_heap heap;
	uint32_t sets[4], top;

	(void)state;
	fake_heap_init(&heap);
	assert_int_equal(avail_tree_init(&tree, &heap.memory, 5), 0);
	/* Failed when the cuts are: left both, right both, left top + bridge + right bottom, ... */
	for (unsigned i = 0; i < 4; i++) {
		uint32_t args[3], n = 0;

		for (unsigned j = 0; j < 3; j++)
			if (paths[i][j] != 9)
				args[n++] = avail_tree_event(&tree, paths[i][j]);
		sets[i] = avail_tree_gate(&tree, AVAIL_AND, 0, 0, args, n);
	}
	top = avail_tree_gate(&tree, AVAIL_OR, 0, 0, sets, 4);
	assert_int_equal(avail_solver_open(&solver, &heap.memory, &tree, top, NULL), 0);
	for (unsigned i = 0; i < 2; i++) {
		double p[5];

		for (unsigned j = 0; j < 5; j++)
			p[j] = 1 - works[i][j];
		assert_int_equal(avail_solver_probability(solver, p, &bounds), 0);
		assert_close(bounds.value, expected[i], 1e-12);
	}
	avail_solver_close(solver);
	avail_tree_fini(&tree);
}

/* 0.01^k and its like: no digit may come from 1 - p. */
static void test_digits_of_tiny_probabilities_are_kept(void **state)
{
	struct avail_solver *solver;
	struct avail_bounds bounds;
	struct avail_tree tree;
	struct fake_heap heap;
	double p[4] = { 1.5e-9, 2.5e-8, 3e-7, 1e-12 }, rise[4];
	uint32_t pair[2], both[3], top;

	(void)state;
	fake_heap_init(&heap);
	assert_int_equal(avail_tree_init(&tree, &heap.memory, 4), 0);
	for (uint32_t i = 0; i < 3; i++) {
		pair[0] = avail_tree_event(&tree, i);
		pair[1] = avail_tree_event(&tree, (i + 1) % 3);
		both[i] = avail_tree_gate(&tree, AVAIL_AND, 0, 0, pair, 2);
	}
	top = avail_tree_gate(&tree, AVAIL_OR, 0, 0, both, 3);
	pair[0] = top;
	pair[1] = avail_tree_event(&tree, 3);
	top = avail_tree_gate(&tree, AVAIL_AND, 0, 0, pair, 2);
	assert_int_equal(avail_solver_open(&solver, &heap.memory, &tree, top, NULL), 0);
	assert_int_equal(avail_solver_probability(solver, p, &bounds), 0);
	/* ab + bc + ca - 2abc, times d */
	assert_close(bounds.value,
		     (p[0] * p[1] + p[1] * p[2] + p[2] * p[0] - 2 * p[0] * p[1] * p[2]) * p[3],
		     1e-14);
	assert_int_equal(avail_solver_changes(solver, p, rise, NULL), 0);
	assert_close(rise[0], (p[1] + p[2] - 2 * p[1] * p[2]) * p[3], 1e-14);
	assert_close(rise[3], bounds.value / p[3], 1e-14);
	avail_solver_close(solver);
	avail_tree_fini(&tree);
}

static void test_constants_and_single_events_are_functions_too(void **state)
{
	struct avail_tree tree;
	struct fake_heap heap;
	double p[2] = { 0.25, 0.5 }, rise[2], fall[2];

	(void)state;
	fake_heap_init(&heap);
	assert_int_equal(avail_tree_init(&tree, &heap.memory, 2), 0);
	for (uint32_t top = 0; top < 4; top++) {
		uint32_t ref = top < 2 ? top : avail_tree_event(&tree, 0) ^ (top & 1);
		double expected[] = { 0, 1, 0.25, 0.75 };
		struct avail_solver *solver;
		struct avail_bounds bounds;

		assert_int_equal(avail_solver_open(&solver, &heap.memory, &tree, ref, NULL), 0);
		assert_int_equal(avail_solver_probability(solver, p, &bounds), 0);
		assert_true(bounds.value == expected[top]);
		assert_int_equal(avail_solver_changes(solver, p, rise, fall), 0);
		assert_true(rise[0] == (top == 2) && fall[0] == (top == 3) && rise[1] == 0);
		avail_solver_close(solver);
	}
	avail_tree_fini(&tree);
	assert_int_equal(heap.memory.used, 0);
}

static void test_running_out_of_memory_at_any_request_leaks_nothing(void **state)
{
	uint64_t seed = check_seed(), done = 0;
	struct avail_tree tree;
	struct fake_heap heap;
	uint32_t top;
	size_t before;

	(void)state;
	fake_heap_init(&heap);
	top = fake_tree(&tree, &heap.memory, &seed, 20, 60, MIX_ALL);
	before = heap.memory.used;
	for (uint64_t fail_at = 1; !done; fail_at++) {
		double p[20] = { 0.5 }, rise[20], fall[20];
		struct avail_solver *solver = NULL;
		struct avail_bounds bounds;
		int err;

		heap.requests = 0;
		heap.fail_at = fail_at;
		err = avail_solver_open(&solver, &heap.memory, &tree, top, NULL);
		if (!err)
			err = avail_solver_probability(solver, p, &bounds);
		if (!err)
			err = avail_solver_changes(solver, p, rise, fall);
		done = !err && heap.requests < fail_at;
		if (!done && err)
			assert_true(err == -ENOMEM || err == -ENOTSUP);
		avail_solver_close(solver);
		assert_int_equal(heap.memory.used, before);
	}
	heap.fail_at = 0;
	avail_tree_fini(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coherent_trees_agree_with_going_through_all_states),
		cmocka_unit_test(test_trees_with_all_gates_agree_with_going_through_all_states),
		cmocka_unit_test(test_the_bridge_network_has_its_known_availability),
		cmocka_unit_test(test_digits_of_tiny_probabilities_are_kept),
		cmocka_unit_test(test_constants_and_single_events_are_functions_too),
		cmocka_unit_test(test_running_out_of_memory_at_any_request_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
