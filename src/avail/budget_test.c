/* A budget of time, nodes or memory ends every phase of the exact engine with an answer that says
 * what it is: right, bounds, or not known. */
#include "avail/oracle_test.h"
#include "avail/shrink.h"
#include "avail/solver.h"

#include <errno.h>

enum { EVENTS = 12, STATES = 1 << EVENTS, GATES = 24 };

/* Says no from question number 'refuse_at' on (0: never). */
struct patience {
	uint64_t asked, refused, refuse_at;
};

static bool ask_patience(void *context)
{
	struct patience *patience = context;

	patience->asked++;
	if (patience->refuse_at == 0 || patience->asked < patience->refuse_at)
		return true;
	patience->refused++;
	return false;
}

/* A tree, all its answers by going through all states, and figures. */
struct subject {
	struct fake_heap heap;
	struct avail_tree tree;
	uint32_t top;
	double p[EVENTS], chance;
	uint64_t cuts; /* minimal cut sets */
	uint8_t values[STATES];
};

static uint64_t minimal_states(const uint8_t *values)
{
	uint64_t count = 0;

	for (uint32_t state = 0; state < STATES; state++) {
		bool minimal = values[state];

		for (uint32_t less = state; minimal && less;) {
			less = (less - 1) & state;
			minimal = !values[less];
		}
		count += minimal;
	}
	return count;
}

/* Two layers of random gates and a vote: there are hardly ever few cut sets. */
static uint32_t draw_tree(struct avail_tree *tree, struct fake_heap *heap, uint64_t *seed)
{
	static const enum avail_gate_kind kinds[] = { AVAIL_AND, AVAIL_OR, AVAIL_OR, AVAIL_XOR };
	uint32_t refs[EVENTS + GATES], count = 0;

	assert_int_equal(avail_tree_init(tree, &heap->memory, EVENTS), 0);
	for (; count < EVENTS; count++)
		refs[count] = avail_tree_event(tree, count);
	for (; count < EVENTS + GATES; count++) {
		uint32_t args[3];

		for (unsigned j = 0; j < 3; j++)
			args[j] = refs[draw_below(seed,
						  count < EVENTS + GATES / 2 ? EVENTS : count)] ^
				  (draw_below(seed, 4) == 0);
		refs[count] = avail_tree_gate(tree, kinds[draw_below(seed, array_len(kinds))], 0, 0,
					      args, 3);
	}
	return avail_tree_gate(tree, AVAIL_AT_LEAST, GATES / 3, 0, refs + EVENTS + GATES / 2,
			       GATES / 2);
}

static void subject_init(struct subject *s, uint64_t *seed)
{
	fake_heap_init(&s->heap);
	for (;;) {
		s->top = draw_tree(&s->tree, &s->heap, seed);
		oracle_states(&s->tree, s->top, s->values);
		s->cuts = minimal_states(s->values);
		if (s->cuts >= 10)
			break;
		avail_tree_fini(&s->tree);
	}
	for (uint32_t i = 0; i < EVENTS; i++)
		s->p[i] = (1 + draw_below(seed, 98)) / 100.0;
	s->chance = oracle_probability(s->values, s->p, EVENTS);
}

static void subject_fini(struct subject *s)
{
	avail_tree_fini(&s->tree);
	assert_int_equal(s->heap.memory.used, 0);
}

static void count_set(void *context, const struct avail_set *set)
{
	uint64_t *count = context;

	assert_true(set->probability >= 0);
	++*count;
}

static bool is_end(int err)
{
	return err == -EDQUOT || err == -ENOTSUP;
}

/* Cut sets as far as the budget lets them; what is said is right.  Whether all was said. */
static bool ask_sets(struct subject *s, struct avail_solver *solver,
		     const struct avail_budget *budget)
{
	struct avail_sets *sets;
	struct avail_count count;
	uint64_t listed = 0;
	double rare, bound;
	int err = avail_sets_open(&sets, solver, AVAIL_CUT_SETS, budget), all = 0;

	if (err) {
		assert_int_equal(err, -EDQUOT);
		return false;
	}
	err = avail_sets_count(sets, &count, NULL);
	if (err)
		assert_int_equal(err, -EDQUOT);
	else
		assert_int_equal(count.limb[0], s->cuts);
	all |= err;
	err = avail_sets_approximate(sets, s->p, &rare, &bound);
	assert_true(err == 0 || err == -EDQUOT);
	all |= err;
	err = avail_sets_list(sets, s->p, AVAIL_BY_ORDER, UINT64_MAX, 0, count_set, &listed);
	if (err)
		assert_int_equal(err, -EDQUOT);
	else
		assert_int_equal(listed, s->cuts);
	all |= err;
	avail_sets_close(sets);
	err = avail_sets_open(&sets, solver, AVAIL_PRIME_IMPLICANTS, budget);
	if (err)
		assert_int_equal(err, -EDQUOT);
	else
		avail_sets_close(sets);
	return !all && !err;
}

static void check_probability(struct subject *s, struct avail_solver *solver)
{
	struct avail_bounds bounds;

	assert_int_equal(avail_solver_probability(solver, s->p, &bounds), 0);
	if (avail_solver_is_exact(solver))
		assert_close(bounds.value, s->chance, 1e-12);
	else
		assert_true(bounds.lower <= s->chance && s->chance <= bounds.upper &&
			    isnan(bounds.value));
}

static void check_changes(struct subject *s, struct avail_solver *solver, int *changes)
{
	double rise[EVENTS], fall[EVENTS], birnbaum[EVENTS];
	int err = avail_solver_birnbaum(solver, s->p, birnbaum);

	*changes = avail_solver_changes(solver, s->p, rise, fall);
	assert_true(*changes == 0 || is_end(*changes));
	assert_int_equal(err, avail_solver_is_exact(solver) ? 0 : -ENOTSUP);
	for (uint32_t i = 0; !err && i < EVENTS; i++) {
		double up = oracle_change(s->values, s->p, EVENTS, i, true),
		       down = oracle_change(s->values, s->p, EVENTS, i, false);

		assert_true(fabs(birnbaum[i] - (up - down)) < 1e-13);
		if (*changes == 0) {
			assert_close(rise[i], up, 1e-11);
			assert_close(fall[i], down, 1e-11);
		}
	}
}

static void test_any_question_of_time_may_be_the_last(void **state)
{
	uint64_t seed = check_seed(), exact = 0, partly = 0;
	static struct subject s;
	bool all = false;

	(void)state;
	subject_init(&s, &seed);
	for (uint64_t refuse_at = 1; !all; refuse_at++) {
		struct patience patience = { .refuse_at = refuse_at };
		struct avail_budget budget = { .go_on = ask_patience, .context = &patience };
		struct avail_solver *solver;
		int changes;

		assert_int_equal(
			avail_solver_open(&solver, &s.heap.memory, &s.tree, s.top, &budget), 0);
		check_probability(&s, solver);
		check_changes(&s, solver, &changes);
		all = ask_sets(&s, solver, &budget) && changes == 0 &&
		      avail_solver_is_exact(solver);
		exact += avail_solver_is_exact(solver) && !all;
		partly += !avail_solver_is_exact(solver);
		/* Nothing goes on for long once it was told to end. */
		assert_true(patience.refused < 60);
		avail_solver_close(solver);
	}
	/* It was refused while the diagram was built, and after that. */
	assert_true(exact > 2 && partly > 0);
	subject_fini(&s);
}

static void test_a_budget_of_nodes_leaves_what_is_exact_exact(void **state)
{
	uint64_t seed = check_seed();
	static struct subject s;
	struct avail_budget small = { .nodes = 8 };
	struct avail_solver *solver;
	struct avail_sets *sets;

	(void)state;
	subject_init(&s, &seed);
	assert_int_equal(avail_solver_open(&solver, &s.heap.memory, &s.tree, s.top, NULL), 0);
	for (enum avail_sets_kind kind = AVAIL_CUT_SETS; kind <= AVAIL_PRIME_IMPLICANTS; kind++)
		assert_int_equal(avail_sets_open(&sets, solver, kind, &small), -EDQUOT);
	assert_true(avail_solver_is_exact(solver));
	check_probability(&s, solver);
	avail_solver_close(solver);
	assert_int_equal(avail_solver_open(&solver, &s.heap.memory, &s.tree, s.top, &small), 0);
	assert_false(avail_solver_is_exact(solver));
	check_probability(&s, solver);
	assert_int_equal(avail_sets_open(&sets, solver, AVAIL_CUT_SETS, NULL), -EDQUOT);
	avail_solver_close(solver);
	subject_fini(&s);
}

/* A function whose diagram nobody has the room for. */
static void hard_tree(struct avail_tree *tree, struct fake_heap *heap, uint64_t *seed,
		      uint32_t *top)
{
	uint32_t refs[300], count = 0;

	assert_int_equal(avail_tree_init(tree, &heap->memory, 100), 0);
	for (; count < 100; count++)
		refs[count] = avail_tree_event(tree, count);
	for (uint32_t i = 0; i < 150; i++) {
		uint32_t args[3];

		for (unsigned j = 0; j < 3; j++)
			args[j] = refs[draw_below(seed, 100)] ^ draw_below(seed, 2);
		refs[count++] = avail_tree_gate(tree, AVAIL_OR, 0, 0, args, 3);
	}
	*top = avail_tree_gate(tree, AVAIL_AT_LEAST, 120, 0, refs + 100, 150);
}

static void test_a_diagram_that_grows_for_ever_is_ended_by_time_nodes_or_memory(void **state)
{
	uint64_t seed = check_seed();
	struct patience patience = { .refuse_at = 30 };
	struct avail_budget budgets[] = { { .go_on = ask_patience, .context = &patience },
					  { .nodes = 10000 },
					  { .nodes = 0 } };
	struct avail_tree tree;
	struct fake_heap heap;
	uint32_t top;

	(void)state;
	fake_heap_init(&heap);
	hard_tree(&tree, &heap, &seed, &top);
	for (unsigned i = 0; i < array_len(budgets); i++) {
		struct avail_solver *solver;
		struct avail_sets *sets;
		struct avail_bounds bounds;
		struct avail_size size;
		double p[100] = { 0 };

		heap.memory.limit = i == 2 ? 1 << 20 : 0;
		assert_int_equal(avail_solver_open(&solver, &heap.memory, &tree, top, &budgets[i]),
				 0);
		assert_false(avail_solver_is_exact(solver));
		assert_int_equal(avail_solver_probability(solver, p, &bounds), 0);
		assert_true(bounds.lower >= 0 && bounds.lower <= bounds.upper && bounds.upper <= 1);
		assert_int_equal(avail_sets_open(&sets, solver, AVAIL_CUT_SETS, &budgets[i]),
				 -EDQUOT);
		avail_solver_size(solver, &size);
		if (i == 1)
			assert_true(size.nodes_peak <= 10000);
		avail_solver_close(solver);
	}
	assert_true(patience.refused > 0 && patience.refused < 20);
	avail_tree_fini(&tree);
	assert_int_equal(heap.memory.used, 0);
}

/* ---- bounds ---- */

static bool value_of(const struct avail_dd *dd, uint32_t f, uint32_t first_level, uint32_t state)
{
	while (f > AVAIL_TRUE) {
		uint32_t level = avail_dd_level_of(dd, f);

		f = state >> (level - first_level) & 1 ? avail_bdd_high(dd, f, level)
						       : avail_bdd_low(dd, f, level);
	}
	return f == AVAIL_TRUE;
}

/* The function of all states, from the last event up; pushed. */
static uint32_t push_function(struct avail_dd *dd, const uint8_t *values, uint32_t first_level,
			      uint32_t level, uint32_t state)
{
	uint32_t low, high, f;

	if (level == EVENTS)
		return avail_dd_push(dd, values[state]);
	low = push_function(dd, values, first_level, level + 1, state);
	high = push_function(dd, values, first_level, level + 1, state | UINT32_C(1) << level);
	f = avail_bdd_make(dd, first_level + level, low, high);
	avail_dd_pop(dd, 2);
	return avail_dd_push(dd, f);
}

static void check_shrink(struct avail_shrink *shrink, const struct subject *s, uint32_t f,
			 enum avail_side side, uint32_t most)
{
	uint32_t smaller = avail_shrink(shrink, f, side, most);

	assert_int_not_equal(smaller, AVAIL_DD_NONE);
	for (uint32_t state = 0; state < STATES; state++) {
		bool value = value_of(shrink->dd, smaller, shrink->first_level, state);

		if (side == AVAIL_BELOW)
			assert_true(!value || s->values[state]);
		else
			assert_true(value || !s->values[state]);
	}
	if (avail_dd_reach(shrink->dd, &f, 1) < most)
		assert_int_equal(smaller, f);
}

static void test_a_shrunk_function_is_on_its_side_in_every_state(void **state)
{
	uint64_t seed = check_seed();
	static struct subject s;

	(void)state;
	for (unsigned round = 0; round < 8; round++) {
		struct avail_shrink shrink;
		struct avail_dd dd;
		uint32_t f;

		subject_init(&s, &seed);
		assert_int_equal(avail_dd_init(&dd, &s.heap.memory, NULL), 0);
		avail_shrink_init(&shrink, &dd);
		assert_int_equal(avail_dd_add_levels(&dd, EVENTS, &shrink.first_level), 0);
		shrink.chance = s.p;
		f = push_function(&dd, s.values, shrink.first_level, 0, 0) ^ (round & 1);
		for (uint32_t i = 0; i < STATES; i++)
			s.values[i] ^= round & 1;
		assert_close(avail_shrink_chance(&shrink, f), round & 1 ? 1 - s.chance : s.chance,
			     1e-12);
		for (uint32_t most = 0; most < 100; most += 7) {
			check_shrink(&shrink, &s, f, AVAIL_BELOW, most);
			check_shrink(&shrink, &s, f, AVAIL_ABOVE, most);
		}
		avail_shrink_fini(&shrink);
		avail_dd_fini(&dd);
		subject_fini(&s);
	}
}

/* Bounds by one set of probabilities are bounds for every other. */
static void check_bounds(struct subject *s, struct avail_solver *solver, uint64_t *seed)
{
	struct avail_bounds bounds;
	double p[EVENTS], chance;

	for (unsigned draw = 0; draw < 5; draw++) {
		for (uint32_t i = 0; i < EVENTS; i++)
			p[i] = draw ? (1 + draw_below(seed, 98)) / 100.0 : s->p[i];
		chance = oracle_probability(s->values, p, EVENTS);
		assert_int_equal(avail_solver_probability(solver, p, &bounds), 0);
		assert_true(isnan(bounds.value));
		assert_true(bounds.lower <= chance * (1 + 1e-12));
		assert_true(bounds.upper >= chance * (1 - 1e-12));
	}
}

static void test_bounds_hold_the_truth_however_few_nodes_they_have(void **state)
{
	uint64_t seed = check_seed(), narrow = 0;
	static struct subject s;

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		struct avail_budget small = { .nodes = 8 };
		struct avail_solver *solver;
		struct avail_bounds bounds;

		subject_init(&s, &seed);
		assert_int_equal(avail_solver_open(&solver, &s.heap.memory, &s.tree, s.top, &small),
				 0);
		assert_false(avail_solver_is_exact(solver));
		/* Only the functions that the bounds are made of may be larger. */
		solver->budget.nodes = 0;
		assert_int_equal(avail_find_bounds(solver, s.p, 16 + 8 * round), 0);
		check_bounds(&s, solver, &seed);
		assert_int_equal(avail_solver_probability(solver, s.p, &bounds), 0);
		narrow += bounds.upper - bounds.lower < 0.5;
		avail_solver_close(solver);
		subject_fini(&s);
	}
	assert_true(narrow > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_question_of_time_may_be_the_last),
		cmocka_unit_test(test_a_budget_of_nodes_leaves_what_is_exact_exact),
		cmocka_unit_test(test_a_shrunk_function_is_on_its_side_in_every_state),
		cmocka_unit_test(test_bounds_hold_the_truth_however_few_nodes_they_have),
		cmocka_unit_test(
			test_a_diagram_that_grows_for_ever_is_ended_by_time_nodes_or_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
