/* Flat models against a plain reading of the model, and their numbers against closed forms. */
#include "avail/flatten.h"
#include "tests/avail_heap.h"
#include "tests/check.h"

#include <errno.h>
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

static void checked(void)
{
	struct refusal why = { .path = "" };
	int err = avail_model_check(&model, &why);

	if (err)
		print_error("%s: %s\n", why.path, why.text);
	assert_int_equal(err, 0);
}

static struct avail_term event_term(uint32_t index)
{
	return (struct avail_term){ .kind = AVAIL_TERM_EVENT, .index = index };
}

/* --- random models --- */

enum { EVENTS = 9, GATES = 14, LEAVES_MAX = 64, MODELS = 400, STATES = 200 };

static uint32_t below(uint64_t *seed, uint32_t limit)
{
	return (uint32_t)(rand_u64(seed) % limit);
}

static void add_events(uint64_t *seed)
{
	char name[16];

	for (uint32_t i = 0; i < EVENTS; i++) {
		snprintf(name, sizeof name, "e%u", i);
		if (below(seed, 6) == 0) {
			uint32_t house = avail_model_event(&model, name);

			model.events[house].law = AVAIL_LAW_HOUSE;
			model.events[house].house = below(seed, 2);
		} else {
			avail_model_fixed(&model, name, 0.1);
		}
	}
}

/* Perhaps a group over the first few events that are no switches. */
static void add_group(uint64_t *seed)
{
	uint32_t members[EVENTS], factors[4], count = 0, ccf, levels;
	enum avail_ccf_kind kind = below(seed, 4);

	for (uint32_t i = 0; i < EVENTS && count < 4; i++)
		if (model.events[i].law == AVAIL_LAW_PROBABILITY)
			members[count++] = i;
	if (count < 2 || below(seed, 3) == 0)
		return;
	levels = kind == AVAIL_CCF_BETA ? 1 : kind == AVAIL_CCF_MGL ? count - 1 : count;
	for (uint32_t i = 0; i < levels; i++)
		factors[i] = avail_expression_number(&model, 1.0 / levels);
	ccf = avail_model_ccf(&model, "group");
	model.ccfs[ccf].kind = kind;
	model.ccfs[ccf].total = avail_expression_number(&model, 0.1);
	model.ccfs[ccf].first = avail_model_indexes(&model, members, count);
	model.ccfs[ccf].count = count;
	model.ccfs[ccf].first_factor = avail_model_indexes(&model, factors, levels);
	model.ccfs[ccf].factor_count = levels;
}

/* Gates refer to events and to gates of a higher index, so that they are mentioned before defined.
 */
static void add_gates(uint64_t *seed)
{
	char name[16];

	for (uint32_t i = 0; i < GATES; i++) {
		snprintf(name, sizeof name, "g%u", i);
		avail_model_gate(&model, i % 3 ? name : NULL);
	}
	for (uint32_t i = 0; i < GATES; i++) {
		enum avail_formula_kind kind = AVAIL_FORMULA_AND + below(seed, 11);
		struct avail_formula formula = avail_formula_of(kind);
		uint32_t count = formula.most < 5 ? formula.least : 1 + below(seed, 4);
		struct avail_term args[4];

		for (uint32_t a = 0; a < count; a++) {
			bool gate = i + 1 < GATES && below(seed, 2);

			args[a] = (struct avail_term){
				.kind = gate ? AVAIL_TERM_GATE : AVAIL_TERM_EVENT,
				.index = gate ? i + 1 + below(seed, GATES - i - 1)
					      : below(seed, EVENTS),
				.negated = below(seed, 4) == 0,
			};
			if (below(seed, 20) == 0)
				args[a] = (struct avail_term){ AVAIL_TERM_CONSTANT, below(seed, 2),
							       0 };
		}
		assert_int_equal(avail_model_define(&model, i, kind, args, count), 0);
		model.gates[i].low = below(seed, count + 1);
		model.gates[i].high =
			model.gates[i].low + below(seed, count + 1 - model.gates[i].low);
	}
}

/* The meaning of the model, word by word. */
static bool plain(const bool *failed, const struct avail_term *term);

static bool plain_gate(const bool *failed, const struct avail_gate *gate)
{
	uint32_t yes = 0;
	bool first = false, last = false;

	for (uint32_t i = 0; i < gate->count; i++) {
		last = plain(failed, &model.terms[gate->first + i]);
		yes += last;
		if (i == 0)
			first = last;
	}
	switch (gate->kind) {
	case AVAIL_FORMULA_AND:
		return yes == gate->count;
	case AVAIL_FORMULA_OR:
		return yes > 0;
	case AVAIL_FORMULA_NOT:
		return yes == 0;
	case AVAIL_FORMULA_XOR:
		return yes % 2 == 1;
	case AVAIL_FORMULA_IFF:
		return first == last;
	case AVAIL_FORMULA_NAND:
		return yes < gate->count;
	case AVAIL_FORMULA_NOR:
		return yes == 0;
	case AVAIL_FORMULA_IMPLY:
		return !first || last;
	case AVAIL_FORMULA_AT_LEAST:
		return yes >= gate->low;
	case AVAIL_FORMULA_CARDINALITY:
		return yes >= gate->low && yes <= gate->high;
	default:
		assert_int_equal(gate->kind, AVAIL_FORMULA_PASS);
		return first;
	}
}

static bool plain(const bool *failed, const struct avail_term *term)
{
	bool value = term->index == 1;

	if (term->kind == AVAIL_TERM_EVENT)
		value = failed[term->index];
	else if (term->kind == AVAIL_TERM_GATE)
		value = plain_gate(failed, &model.gates[term->index]);
	return value != term->negated;
}

/* Which events of the model are failed when these leaves are. */
static void spread(const struct avail_flat *flat, const uint8_t *leaves, bool *failed)
{
	for (uint32_t i = 0; i < EVENTS; i++)
		failed[i] = model.events[i].law == AVAIL_LAW_HOUSE && model.events[i].house;
	for (uint32_t i = 0; i < flat->leaf_count; i++)
		for (uint32_t m = 0; m < flat->leaves[i].count; m++)
			failed[flat->members[flat->leaves[i].first + m]] |= leaves[i];
}

static void compare(uint64_t *seed)
{
	struct avail_term tops[] = { { AVAIL_TERM_GATE, 0, false },
				     { AVAIL_TERM_GATE, 1, true },
				     { AVAIL_TERM_EVENT, 0, false } };
	uint32_t refs[array_len(tops)];
	uint8_t leaves[LEAVES_MAX], *values;
	bool failed[EVENTS];
	struct avail_flat flat;

	assert_int_equal(avail_flatten(&flat, &model, tops, array_len(tops), refs), 0);
	assert_true(flat.leaf_count <= LEAVES_MAX);
	values = calloc(flat.tree.node_count, 1);
	for (uint32_t n = 0; n < STATES; n++) {
		for (uint32_t i = 0; i < flat.leaf_count; i++)
			leaves[i] = below(seed, 3) == 0;
		spread(&flat, leaves, failed);
		for (uint32_t t = 0; t < array_len(tops); t++)
			assert_int_equal(avail_tree_value(&flat.tree, refs[t], leaves, values),
					 plain(failed, &tops[t]));
	}
	free(values);
	avail_flat_fini(&flat);
}

static void test_random_models_mean_the_same_when_they_are_flat(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned i = 0; i < MODELS; i++) {
		add_events(&seed);
		add_group(&seed);
		add_gates(&seed);
		checked();
		compare(&seed);
		avail_model_fini(&model);
		assert_int_equal(avail_model_init(&model, &heap.memory, "test"), 0);
	}
}

/* --- figures --- */

static struct avail_flat flat;
static struct avail_sample sample;

static void flatten_or(uint32_t count)
{
	struct avail_term args[8], top = { .kind = AVAIL_TERM_GATE };
	uint32_t ref;

	for (uint32_t i = 0; i < count; i++)
		args[i] = event_term(i);
	top.index = avail_model_gate(&model, "top");
	avail_model_define(&model, top.index, AVAIL_FORMULA_OR, args, count);
	checked();
	assert_int_equal(avail_flatten(&flat, &model, &top, 1, &ref), 0);
	assert_int_equal(avail_sample_init(&sample, &model, model.mission_h), 0);
}

static void drop(void)
{
	avail_sample_fini(&sample);
	avail_flat_fini(&flat);
}

static struct avail_figures figures_of(uint32_t leaf)
{
	struct avail_figures figures;
	struct refusal why = { .path = "" };
	int err = avail_leaf_figures(&flat, leaf, &sample, &figures, &why);

	if (err)
		print_error("%s: %s\n", why.path, why.text);
	assert_int_equal(err, 0);
	return figures;
}

static double at(uint32_t leaf, double t_h)
{
	double unavailability;

	assert_int_equal(avail_leaf_at(&flat, leaf, &sample, t_h, &unavailability, NULL), 0);
	return unavailability;
}

/* Availability of one part, MTBF 175,000 h, MTTR 0.5 h: 0.999997142865306. */
static void test_a_part_that_is_repaired_has_mttr_over_mtbf_plus_mttr(void **state)
{
	uint32_t fru = avail_model_fru(&model, "card", "nic-a");
	struct avail_figures figures;

	(void)state;
	avail_model_repairable(&model, "nic-a", fru, 175000, 0.5);
	flatten_or(1);
	figures = figures_of(0);
	assert_string_equal(flat.leaves[0].name, "nic-a");
	assert_int_equal(flat.leaves[0].fru, fru);
	near(1 - figures.unavailability, 0.999997142865306, 1e-15);
	near(figures.unavailability, 0.5 / 175000.5, 1e-15);
	near(figures.frequency, 1 / 175000.5, 1e-15);
	near(figures.failure_rate, 1.0 / 175000, 1e-15);
	near(figures.repair_rate, 2, 1e-15);
	near(at(0, 0.25), 0.5 / 175000.5 * -expm1(-0.25 * (2 + 1.0 / 175000)), 1e-15);
	near(at(0, 1000), 0.5 / 175000.5, 1e-15);
	drop();
}

static void test_a_part_that_is_not_repaired_fails_for_good(void **state)
{
	uint32_t event = avail_model_event(&model, "fuse");

	(void)state;
	model.events[event].law = AVAIL_LAW_UNREPAIRED;
	model.events[event].failure_rate = avail_expression_number(&model, 1e-5);
	flatten_or(1);
	near(figures_of(0).unavailability, -expm1(-0.0876), 1e-15);
	near(figures_of(0).frequency, 0, 0);
	near(at(0, 10), -expm1(-1e-4), 1e-15);
	near(sample.time_h, 10, 0);
	drop();
}

static void test_a_probability_may_depend_on_the_mission_time(void **state)
{
	uint32_t event = avail_model_fixed(&model, "pump", 0), args[2];

	(void)state;
	args[0] = avail_expression_number(&model, 1e-4);
	args[1] = avail_expression_add(&model, AVAIL_MISSION_TIME, NULL, 0);
	model.events[event].probability =
		avail_expression_add(&model, AVAIL_LAW_EXPONENTIAL, args, 2);
	model.mission_h = 100;
	flatten_or(1);
	near(figures_of(0).unavailability, -expm1(-0.01), 1e-15);
	near(at(0, 24), -expm1(-0.0024), 1e-15);
	drop();
}

static void test_a_value_beyond_its_range_is_refused_but_cut_in_a_draw(void **state)
{
	uint32_t event = avail_model_fixed(&model, "pump", 0);
	uint32_t args[] = { avail_expression_number(&model, 0.5),
			    avail_expression_number(&model, 9) };
	struct avail_figures figures;
	struct refusal why;
	unsigned low = 0, high = 0;

	(void)state;
	model.events[event].probability =
		avail_expression_add(&model, AVAIL_NORMAL_DEVIATE, args, 2);
	flatten_or(1);
	for (uint64_t seed = 1; seed <= 100; seed++) {
		avail_sample_draw(&sample, seed, 1);
		figures = figures_of(0);
		low += figures.unavailability == 0;
		high += figures.unavailability == 1;
	}
	assert_true(low > 30 && high > 30);
	model.expressions[args[0]].number = 1.5;
	avail_sample_draw(&sample, 0, 1);
	assert_int_equal(avail_leaf_figures(&flat, 0, &sample, &figures, &why), -ERANGE);
	assert_string_equal(why.path, "pump");
	assert_string_equal(why.text, "probability is 1.5; it must be from 0 to 1");
	drop();
}

/* --- common causes --- */

static void group_of(uint32_t count, enum avail_ccf_kind kind, const double *factors,
		     uint32_t levels)
{
	uint32_t members[8], indexes[8], ccf = avail_model_ccf(&model, "pumps");
	char name[16];

	for (uint32_t i = 0; i < count; i++) {
		snprintf(name, sizeof name, "pump%c", 'A' + (char)i);
		members[i] = avail_model_fixed(&model, name, 0);
	}
	for (uint32_t i = 0; i < levels; i++)
		indexes[i] = avail_expression_number(&model, factors[i]);
	model.ccfs[ccf].kind = kind;
	model.ccfs[ccf].first = avail_model_indexes(&model, members, count);
	model.ccfs[ccf].count = count;
	model.ccfs[ccf].total = avail_expression_number(&model, 0.01);
	model.ccfs[ccf].first_factor = avail_model_indexes(&model, indexes, levels);
	model.ccfs[ccf].factor_count = levels;
}

/* Expects the combinations of each level to have these shares of the total. */
static void expect_shares(const double *shares, uint32_t levels, uint32_t leaves)
{
	flatten_or(model.ccfs[0].count);
	assert_int_equal(flat.leaf_count, leaves);
	for (uint32_t i = 0; i < leaves; i++) {
		assert_in_range(flat.leaves[i].level, 1, levels);
		assert_int_equal(flat.leaves[i].count, flat.leaves[i].level);
		near(figures_of(i).unavailability, 0.01 * shares[flat.leaves[i].level - 1], 1e-14);
	}
	drop();
}

static void test_a_beta_factor_is_one_common_event(void **state)
{
	(void)state;
	group_of(4, AVAIL_CCF_BETA, (const double[]){ 0.2 }, 1);
	expect_shares((const double[]){ 0.8, 0, 0, 0.2 }, 4, 5);
}

/* The four members of the format's example: Q1 = (1 - b) Q, Q2 = b (1 - g) Q / 3, Q3 = b g (1 - d)
 * Q / 3, Q4 = b g d Q. */
static void test_multiple_greek_letters_share_by_level(void **state)
{
	double b = 0.1, g = 0.2, d = 0.3;

	(void)state;
	group_of(4, AVAIL_CCF_MGL, (const double[]){ b, g, d }, 3);
	expect_shares((const double[]){ 1 - b, b * (1 - g) / 3, b * g * (1 - d) / 3, b * g * d }, 4,
		      15);
}

static void test_fewer_letters_make_fewer_levels(void **state)
{
	(void)state;
	group_of(4, AVAIL_CCF_MGL, (const double[]){ 0.1 }, 1);
	expect_shares((const double[]){ 0.9, 0.1 / 3 }, 2, 10);
}

/* Alpha factors of NUREG/CR-5485: Qk = k / C(n - 1, k - 1) * alpha_k / (sum of i alpha_i) * Q. */
static void test_alpha_factors_share_by_level(void **state)
{
	double sum = 0.7 + 2 * 0.2 + 3 * 0.1;

	(void)state;
	group_of(3, AVAIL_CCF_ALPHA, (const double[]){ 0.7, 0.2, 0.1 }, 3);
	expect_shares((const double[]){ 0.7 / sum, 2 * 0.2 / 2 / sum, 3 * 0.1 / sum }, 3, 7);
}

static void test_phi_factors_are_the_shares(void **state)
{
	(void)state;
	group_of(3, AVAIL_CCF_PHI, (const double[]){ 0.7, 0.2, 0.1 }, 3);
	expect_shares((const double[]){ 0.7, 0.2, 0.1 }, 3, 7);
}

/* What a member's combinations have together is what it had alone (but phi's, which say so
 * themselves). */
static void test_the_combinations_of_a_member_add_up_to_its_total(void **state)
{
	static const double factors[] = { 0.5, 0.25, 0.15, 0.1 };

	(void)state;
	for (unsigned kind = AVAIL_CCF_BETA; kind <= AVAIL_CCF_ALPHA; kind++) {
		double sum = 0;

		group_of(5, kind, factors, kind == AVAIL_CCF_BETA ? 1 : 4);
		flatten_or(5);
		for (uint32_t i = 0; i < flat.leaf_count; i++)
			for (uint32_t m = 0; m < flat.leaves[i].count; m++)
				if (flat.members[flat.leaves[i].first + m] == 2)
					sum += figures_of(i).unavailability;
		near(sum, 0.01, 1e-14);
		drop();
		avail_model_fini(&model);
		avail_model_init(&model, &heap.memory, "test");
	}
}

static void test_a_combination_is_named_after_its_members(void **state)
{
	(void)state;
	group_of(3, AVAIL_CCF_MGL, (const double[]){ 0.1, 0.2 }, 2);
	model.events[0].fru = model.events[1].fru = avail_model_fru(&model, "skid", "skid1");
	flatten_or(2);
	assert_int_equal(flat.leaf_count, 7);
	assert_string_equal(flat.leaves[0].name, "[pumpA]");
	assert_int_equal(flat.leaves[0].fru, 0);
	assert_string_equal(flat.leaves[4].name, "[pumpA pumpC]");
	assert_int_equal(flat.leaves[4].fru, AVAIL_NONE);
	assert_int_equal(flat.leaves[4].ccf, 0);
	assert_int_equal(flat.leaves[4].event, AVAIL_NONE);
	assert_string_equal(flat.leaves[6].name, "[pumpA pumpB pumpC]");
	drop();
}

static void test_a_rated_group_shares_its_rate(void **state)
{
	uint32_t members[2], ccf = avail_model_ccf(&model, "cards");
	uint32_t beta = avail_expression_number(&model, 0.1);

	(void)state;
	members[0] = avail_model_repairable(&model, "a", AVAIL_NONE, 1e6, 4);
	members[1] = avail_model_repairable(&model, "b", AVAIL_NONE, 1e6, 6);
	model.ccfs[ccf].first = avail_model_indexes(&model, members, 2);
	model.ccfs[ccf].count = 2;
	model.ccfs[ccf].rated = true;
	model.ccfs[ccf].total = avail_expression_number(&model, 1e-5);
	model.ccfs[ccf].first_factor = avail_model_indexes(&model, &beta, 1);
	model.ccfs[ccf].factor_count = 1;
	flatten_or(2);
	near(figures_of(0).failure_rate, 0.9e-5, 1e-15);
	near(figures_of(1).unavailability, 0.9e-5 * 6 / (1 + 0.9e-5 * 6), 1e-14);
	near(figures_of(2).failure_rate, 1e-6, 1e-14);
	near(figures_of(2).repair_rate, 1.0 / 6, 1e-15); /* until the last is repaired */
	drop();
}

/* --- memory --- */

static void test_each_step_may_fail_for_want_of_room(void **state)
{
	struct avail_term top = { .kind = AVAIL_TERM_GATE, .index = 0 };
	uint64_t seed = 5, steps, before;
	uint32_t ref;

	(void)state;
	add_events(&seed);
	group_of(3, AVAIL_CCF_MGL, (const double[]){ 0.1, 0.2 }, 2);
	add_gates(&seed);
	checked();
	before = heap.memory.used;
	heap.asked = 0;
	assert_int_equal(avail_flatten(&flat, &model, &top, 1, &ref), 0);
	avail_flat_fini(&flat);
	steps = heap.asked;
	assert_true(steps > 6);
	for (uint64_t i = 1; i <= steps; i++) {
		heap.asked = 0;
		heap.fail_at = i;
		assert_int_equal(avail_flatten(&flat, &model, &top, 1, &ref), -ENOMEM);
		assert_int_equal(heap.memory.used, before);
	}
	heap.fail_at = 0;
}

static void test_a_chain_of_a_million_gates_is_flat(void **state)
{
	struct avail_term arg = event_term(avail_model_fixed(&model, "e", 0.1));
	uint32_t ref;

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++) {
		uint32_t gate = avail_model_gate(&model, NULL);

		avail_model_define(&model, gate, AVAIL_FORMULA_NOT, &arg, 1);
		arg = (struct avail_term){ .kind = AVAIL_TERM_GATE, .index = gate };
	}
	checked();
	assert_int_equal(avail_flatten(&flat, &model, &arg, 1, &ref), 0);
	assert_int_equal(ref, avail_tree_event(&flat.tree, 0));
	avail_flat_fini(&flat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(test_random_models_mean_the_same_when_they_are_flat),
		TEST(test_a_part_that_is_repaired_has_mttr_over_mtbf_plus_mttr),
		TEST(test_a_part_that_is_not_repaired_fails_for_good),
		TEST(test_a_probability_may_depend_on_the_mission_time),
		TEST(test_a_value_beyond_its_range_is_refused_but_cut_in_a_draw),
		TEST(test_a_beta_factor_is_one_common_event),
		TEST(test_multiple_greek_letters_share_by_level),
		TEST(test_fewer_letters_make_fewer_levels),
		TEST(test_alpha_factors_share_by_level),
		TEST(test_phi_factors_are_the_shares),
		TEST(test_the_combinations_of_a_member_add_up_to_its_total),
		TEST(test_a_combination_is_named_after_its_members),
		TEST(test_a_rated_group_shares_its_rate),
		TEST(test_each_step_may_fail_for_want_of_room),
		TEST(test_a_chain_of_a_million_gates_is_flat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
