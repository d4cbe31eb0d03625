/* What must hold of any tree, on random ones too large to go through all their states. */
#include "avail/oracle_test.h"

enum {
	EVENTS = 28,	  /* of a random tree */
	ALL = 2 * EVENTS, /* with one more for each, which spares and copies use */
	GATES = 45,
	ROUNDS = 150,
};

/* A random tree, and another that is made of it. */
struct pair {
	struct fake_heap heap;
	struct avail_tree tree, other;
	uint32_t top;
	double p[ALL];
};

static void draw(struct pair *pair, uint64_t *seed, enum fake_mix mix)
{
	uint32_t args[5];

	fake_heap_init(&pair->heap);
	fake_tree(&pair->tree, &pair->heap.memory, seed, EVENTS, GATES, mix);
	/* Two of five of its later functions, so that much of it matters. */
	for (uint32_t i = 0; i < array_len(args); i++)
		args[i] = (pair->tree.node_count - 1 - draw_below(seed, GATES / 2)) << 1;
	pair->top = avail_tree_gate(&pair->tree, AVAIL_AT_LEAST, 2, 0, args, array_len(args));
	assert_int_equal(avail_tree_init(&pair->other, &pair->heap.memory, ALL), 0);
	for (uint32_t i = 0; i < ALL; i++)
		pair->p[i] = 0.01 + 0.5 * (double)draw_below(seed, 1000) / 1000;
}

static void drop(struct pair *pair)
{
	avail_tree_fini(&pair->tree);
	avail_tree_fini(&pair->other);
	assert_int_equal(pair->heap.memory.used, 0);
}

static uint64_t solved, events_solved; /* of all trees so far */

static double probability(struct pair *pair, const struct avail_tree *tree, uint32_t top,
			  const double *p)
{
	struct avail_solver *solver;
	struct avail_bounds bounds;
	struct avail_size size;

	assert_int_equal(avail_solver_open(&solver, &pair->heap.memory, tree, top, NULL), 0);
	assert_true(avail_solver_is_exact(solver));
	avail_solver_size(solver, &size);
	solved++;
	events_solved += size.events;
	assert_int_equal(avail_solver_probability(solver, p, &bounds), 0);
	avail_solver_close(solver);
	return bounds.value;
}

/* The tree once more in the other one, with instead[i] in place of event i; the top's reference. */
static uint32_t copy(struct pair *pair, const uint32_t *instead)
{
	uint32_t *made = calloc(pair->tree.node_count, sizeof *made), ref;

	for (uint32_t i = 1; i < pair->tree.node_count; i++) {
		const struct avail_node *node = &pair->tree.nodes[i];
		uint32_t args[8];

		assert_true(node->count <= array_len(args));
		for (uint32_t k = 0; k < node->count; k++) {
			uint32_t arg = pair->tree.args[node->first + k];

			args[k] = made[avail_node_of(arg)] ^ (arg & 1);
		}
		made[i] = node->event != AVAIL_NO_EVENT
				  ? instead[node->event]
				  : avail_tree_gate(&pair->other, node->kind, node->low, node->high,
						    args, node->count);
		assert_true(made[i] != AVAIL_NO_REF);
	}
	ref = made[avail_node_of(pair->top)] ^ (pair->top & 1);
	free(made);
	return ref;
}

static void same_events(struct pair *pair, uint32_t *instead)
{
	for (uint32_t i = 0; i < EVENTS; i++)
		instead[i] = avail_tree_event(&pair->other, i);
}

/* Event i together with one of its own. */
static uint32_t with_another(struct pair *pair, enum avail_gate_kind kind, uint32_t i)
{
	uint32_t args[2] = { avail_tree_event(&pair->other, i),
			     avail_tree_event(&pair->other, EVENTS + i) };

	return avail_tree_gate(&pair->other, kind, 0, 0, args, 2);
}

/* The most that rounding may put in the wrong order. */
static bool not_above(double low, double high)
{
	return low <= high * (1 + 1e-12);
}

static void a_redundant_part_never_hurts_and_one_more_in_series_never_helps(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct pair pair;
		uint32_t instead[EVENTS], event = draw_below(&seed, EVENTS);
		double as_it_is, spared, longer;

		draw(&pair, &seed, MIX_COHERENT);
		same_events(&pair, instead);
		as_it_is = probability(&pair, &pair.tree, pair.top, pair.p);
		instead[event] = with_another(&pair, AVAIL_AND, event);
		spared = probability(&pair, &pair.other, copy(&pair, instead), pair.p);
		instead[event] = with_another(&pair, AVAIL_OR, event);
		longer = probability(&pair, &pair.other, copy(&pair, instead), pair.p);
		assert_true(not_above(spared, as_it_is) && not_above(as_it_is, longer));
		drop(&pair);
	}
}

/* Barlow and Proschan, Statistical Theory of Reliability and Life Testing, 1975, chapter 1. */
static void a_spare_for_each_part_is_no_worse_than_a_spare_system(void **state)
{
	uint64_t seed = check_seed();
	unsigned better = 0;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct pair pair;
		uint32_t instead[EVENTS], args[2], both;
		double parts, systems;

		draw(&pair, &seed, MIX_COHERENT);
		same_events(&pair, instead);
		args[0] = copy(&pair, instead);
		for (uint32_t i = 0; i < EVENTS; i++)
			instead[i] = avail_tree_event(&pair.other, EVENTS + i);
		args[1] = copy(&pair, instead);
		both = avail_tree_gate(&pair.other, AVAIL_AND, 0, 0, args, 2);
		systems = probability(&pair, &pair.other, both, pair.p);
		for (uint32_t i = 0; i < EVENTS; i++)
			instead[i] = with_another(&pair, AVAIL_AND, i);
		parts = probability(&pair, &pair.other, copy(&pair, instead), pair.p);
		assert_true(not_above(parts, systems));
		better += parts < systems * 0.99;
		drop(&pair);
	}
	assert_true(better > ROUNDS / 3);
}

static void what_fails_more_often_never_helps_a_coherent_tree(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct pair pair;
		double before;
		uint32_t event = draw_below(&seed, EVENTS);

		draw(&pair, &seed, MIX_COHERENT);
		before = probability(&pair, &pair.tree, pair.top, pair.p);
		pair.p[event] += (1 - pair.p[event]) / 3;
		assert_true(not_above(before, probability(&pair, &pair.tree, pair.top, pair.p)));
		drop(&pair);
	}
}

/* Shannon: f is f with the event failed where it fails, and f with it working where it works. */
static void any_event_can_be_decided_first(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct pair pair;
		uint32_t instead[EVENTS], event = draw_below(&seed, EVENTS);
		double failed, works, p;

		draw(&pair, &seed, MIX_ALL);
		same_events(&pair, instead);
		instead[event] = AVAIL_TRUE;
		failed = probability(&pair, &pair.other, copy(&pair, instead), pair.p);
		instead[event] = AVAIL_FALSE;
		works = probability(&pair, &pair.other, copy(&pair, instead), pair.p);
		p = pair.p[event];
		assert_close(probability(&pair, &pair.tree, pair.top, pair.p),
			     p * failed + (1 - p) * works, 1e-12);
		drop(&pair);
	}
}

static void a_part_may_be_split_in_two(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct pair pair;
		uint32_t instead[EVENTS], event = draw_below(&seed, EVENTS);
		double whole, a = 0.3;

		draw(&pair, &seed, MIX_ALL);
		same_events(&pair, instead);
		whole = probability(&pair, &pair.tree, pair.top, pair.p);
		instead[event] = with_another(&pair, AVAIL_OR, event);
		/* 1 - (1 - a p) (1 - b) = p */
		pair.p[EVENTS + event] = (1 - a) * pair.p[event] / (1 - a * pair.p[event]);
		pair.p[event] *= a;
		assert_close(probability(&pair, &pair.other, copy(&pair, instead), pair.p), whole,
			     1e-12);
		drop(&pair);
	}
}

/* De Morgan: the dual fails where the tree of what works works. */
static void the_dual_has_the_complement(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct pair pair;
		uint32_t instead[EVENTS];
		double fails, dual;

		draw(&pair, &seed, MIX_ALL);
		same_events(&pair, instead);
		fails = probability(&pair, &pair.tree, pair.top, pair.p);
		for (uint32_t i = 0; i < EVENTS; i++) {
			instead[i] = avail_not(instead[i]);
			pair.p[i] = 1 - pair.p[i];
		}
		dual = probability(&pair, &pair.other, avail_not(copy(&pair, instead)), pair.p);
		assert_true(fabs(fails + dual - 1) < 1e-12);
		drop(&pair);
	}
}

static void numbers_of_events_mean_nothing(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct pair pair;
		uint32_t instead[EVENTS];
		double other[ALL] = { 0 };

		draw(&pair, &seed, MIX_ALL);
		for (uint32_t i = 0; i < EVENTS; i++) {
			uint32_t to = (i * 11 + round) % EVENTS; /* 11 and EVENTS share no factor */

			instead[i] = avail_tree_event(&pair.other, to);
			other[to] = pair.p[i];
		}
		assert_close(probability(&pair, &pair.other, copy(&pair, instead), other),
			     probability(&pair, &pair.tree, pair.top, pair.p), 1e-12);
		drop(&pair);
	}
}

/* Esary and Proschan 1963: of a coherent tree the min-cut bound is above, and the sum above that.
 */
static void approximations_of_a_coherent_tree_are_above_its_probability(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct pair pair;
		struct avail_solver *solver;
		struct avail_sets *sets;
		struct avail_bounds bounds;
		double sum, above;

		draw(&pair, &seed, MIX_COHERENT);
		assert_int_equal(
			avail_solver_open(&solver, &pair.heap.memory, &pair.tree, pair.top, NULL),
			0);
		assert_int_equal(avail_solver_probability(solver, pair.p, &bounds), 0);
		assert_int_equal(avail_sets_open(&sets, solver, AVAIL_CUT_SETS, NULL), 0);
		assert_int_equal(avail_sets_approximate(sets, pair.p, &sum, &above), 0);
		assert_true(not_above(bounds.value, above) && not_above(above, sum));
		avail_sets_close(sets);
		avail_solver_close(solver);
		drop(&pair);
	}
}

/* Runs last: that the above was about something. */
static void trees_were_not_trivial(void **state)
{
	(void)state;
	print_message("# %.1f events matter in a tree\n", (double)events_solved / (double)solved);
	assert_true(events_solved > 9 * solved);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_redundant_part_never_hurts_and_one_more_in_series_never_helps),
		cmocka_unit_test(a_spare_for_each_part_is_no_worse_than_a_spare_system),
		cmocka_unit_test(what_fails_more_often_never_helps_a_coherent_tree),
		cmocka_unit_test(any_event_can_be_decided_first),
		cmocka_unit_test(a_part_may_be_split_in_two),
		cmocka_unit_test(the_dual_has_the_complement),
		cmocka_unit_test(numbers_of_events_mean_nothing),
		cmocka_unit_test(approximations_of_a_coherent_tree_are_above_its_probability),
		cmocka_unit_test(trees_were_not_trivial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
