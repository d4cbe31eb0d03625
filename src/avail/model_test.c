/* What the check of a model refuses, and with which words. */
#include "avail/expression.h"
#include "avail/top.h"
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

static void accepted(void)
{
	struct refusal why = { .path = "" };
	int err = avail_model_check(&model, &why);

	if (err)
		print_error("%s: %s\n", why.path, why.text);
	assert_int_equal(err, 0);
}

static void refused(const char *path, const char *text)
{
	struct refusal why = { .path = "nothing" };

	assert_int_equal(avail_model_check(&model, &why), -EINVAL);
	assert_string_equal(why.path, path);
	assert_string_equal(why.text, text);
}

static uint32_t number(double value)
{
	return avail_expression_number(&model, value);
}

static struct avail_term gate_term(uint32_t gate)
{
	return (struct avail_term){ .kind = AVAIL_TERM_GATE, .index = gate };
}

static struct avail_term event_term(uint32_t event)
{
	return (struct avail_term){ .kind = AVAIL_TERM_EVENT, .index = event };
}

static uint32_t gate(const char *name, enum avail_formula_kind kind, const struct avail_term *args,
		     uint32_t count)
{
	uint32_t index = avail_model_gate(&model, name);

	assert_int_equal(avail_model_define(&model, index, kind, args, count), 0);
	return index;
}

/* Gates "g0", "g1", ... that each depend on the next, and the last on 'back'. */
static void ring(uint32_t count, uint32_t back)
{
	char name[16];

	for (uint32_t i = 0; i < count; i++) {
		struct avail_term arg = gate_term(i + 1 < count ? i + 1 : back);

		snprintf(name, sizeof name, "g%u", i);
		avail_model_gate(&model, name);
		if (i + 1 == count)
			for (uint32_t g = 0; g < count; g++) {
				arg = gate_term(g + 1 < count ? g + 1 : back);
				avail_model_define(&model, g, AVAIL_FORMULA_PASS, &arg, 1);
			}
	}
}

static void test_a_cycle_of_gates_is_written_out(void **state)
{
	(void)state;
	ring(4, 1);
	refused("g1", "depends on itself: g1 -> g2 -> g3 -> g1");
}

static void test_a_gate_that_mentions_itself_is_a_cycle(void **state)
{
	(void)state;
	ring(1, 0);
	refused("g0", "depends on itself: g0 -> g0");
}

static void test_a_formula_within_another_is_left_out_of_the_cycle(void **state)
{
	struct avail_term a = gate_term(1), inner = gate_term(2), top = gate_term(0);

	(void)state;
	gate("top", AVAIL_FORMULA_NOT, &a, 1);
	gate(NULL, AVAIL_FORMULA_NOT, &inner, 1);
	gate("b", AVAIL_FORMULA_NOT, &top, 1);
	refused("top", "depends on itself: top -> b -> top");
}

static void test_a_long_cycle_is_cut_in_the_middle(void **state)
{
	struct refusal why;

	(void)state;
	ring(100000, 0);
	assert_int_equal(avail_model_check(&model, &why), -EINVAL);
	assert_non_null(strstr(why.text, "depends on itself: g0 -> g1 -> g2 -> "));
	assert_non_null(strstr(why.text, " -> ... -> g99999 -> g0"));
}

static void test_gates_that_share_are_no_cycle(void **state)
{
	struct avail_term args[2];

	(void)state;
	args[0] = args[1] = event_term(avail_model_fixed(&model, "e", 0.5));
	for (unsigned i = 0; i < 60; i++) /* 2^60 ways down */
		args[0] = args[1] = gate_term(gate("g", AVAIL_FORMULA_OR, args, 2));
	accepted();
}

static void test_a_cycle_of_parameters_is_written_out(void **state)
{
	uint32_t a = avail_expression_parameter(&model, "a"), args[2];
	uint32_t b = avail_expression_parameter(&model, "b");

	(void)state;
	args[0] = b;
	args[1] = number(1);
	avail_expression_set(&model, a, avail_expression_add(&model, AVAIL_ADD, args, 2));
	avail_expression_set(&model, b, a);
	refused("a", "depends on itself: a -> b -> a");
}

static void test_expressions_nested_too_deep_are_refused(void **state)
{
	uint32_t arg = number(1);

	(void)state;
	for (unsigned i = 0; i < 999; i++)
		arg = avail_expression_add(&model, AVAIL_NEG, &arg, 1);
	accepted();
	avail_expression_add(&model, AVAIL_NEG, &arg, 1);
	refused("a formula", "is nested more than 1000 deep");
}

static void test_what_is_mentioned_must_be_defined(void **state)
{
	(void)state;
	avail_model_gate(&model, "g");
	refused("g", "is mentioned and not defined");
	model.gate_count = 0;
	avail_model_event(&model, "e");
	refused("e", "is mentioned and has no probability or failure rate");
	model.event_count = 0;
	avail_expression_parameter(&model, "p");
	refused("p", "is mentioned and not defined");
}

static void expect_gate(enum avail_formula_kind kind, uint32_t count, uint32_t low, uint32_t high,
			const char *text)
{
	struct avail_term args[4];

	for (uint32_t i = 0; i < count; i++)
		args[i] = event_term(0);
	model.gate_count = 0;
	gate("g", kind, args, count);
	model.gates[0].low = low;
	model.gates[0].high = high;
	if (text)
		refused("g", text);
	else
		accepted();
}

static void test_each_formula_has_as_many_arguments_as_it_takes(void **state)
{
	(void)state;
	avail_model_fixed(&model, "e", 0.1);
	expect_gate(AVAIL_FORMULA_AND, 0, 0, 0, "and has 0 arguments; it takes 1 or more");
	expect_gate(AVAIL_FORMULA_OR, 0, 0, 0, "or has 0 arguments; it takes 1 or more");
	expect_gate(AVAIL_FORMULA_XOR, 0, 0, 0, "xor has 0 arguments; it takes 1 or more");
	expect_gate(AVAIL_FORMULA_NAND, 0, 0, 0, "nand has 0 arguments; it takes 1 or more");
	expect_gate(AVAIL_FORMULA_NOR, 0, 0, 0, "nor has 0 arguments; it takes 1 or more");
	expect_gate(AVAIL_FORMULA_NOT, 2, 0, 0, "not has 2 arguments; it takes 1");
	expect_gate(AVAIL_FORMULA_PASS, 2, 0, 0, "a reference has 2 arguments; it takes 1");
	expect_gate(AVAIL_FORMULA_IFF, 3, 0, 0, "iff has 3 arguments; it takes 2");
	expect_gate(AVAIL_FORMULA_IMPLY, 3, 0, 0, "imply has 3 arguments; it takes 2");
	expect_gate(AVAIL_FORMULA_AT_LEAST, 3, 4, 0, "atleast 4 of 3 arguments is never true");
	expect_gate(AVAIL_FORMULA_AT_LEAST, 3, 3, 0, NULL);
	expect_gate(AVAIL_FORMULA_CARDINALITY, 3, 4, 4,
		    "cardinality 4 of 3 arguments is never true");
	expect_gate(AVAIL_FORMULA_CARDINALITY, 3, 2, 1,
		    "cardinality from 2 to 1 is an empty range");
	expect_gate(AVAIL_FORMULA_CARDINALITY, 3, 2, 4, "cardinality up to 4 has only 3 arguments");
	expect_gate(AVAIL_FORMULA_CARDINALITY, 3, 0, 3, NULL);
}

static void test_numbers_of_events_are_in_their_ranges(void **state)
{
	uint32_t event = avail_model_fixed(&model, "e", 1.25);

	(void)state;
	refused("e", "probability is 1.25; a probability is from 0 to 1");
	model.events[event].probability = number(NAN);
	refused("e", "probability is nan; a probability is from 0 to 1");
	model.events[event].law = AVAIL_LAW_REPAIRABLE;
	refused("e", "has no failure rate");
	model.events[event].failure_rate = number(-1);
	refused("e", "failure rate is -1; it must be 0 or more");
	model.events[event].failure_rate = number(1);
	refused("e", "has no repair time");
	model.events[event].repair_h = number(INFINITY);
	refused("e", "repair time is inf; it must be 0 or more");
	model.events[event].repair_h = number(0);
	accepted();
	model.events[event].law = AVAIL_LAW_UNREPAIRED;
	accepted();
}

struct bad_expression {
	enum avail_expression_kind kind;
	uint32_t count;
	double args[11];
	const char *text;
};

static const struct bad_expression bad_expressions[] = {
	{ AVAIL_NEG, 2, { 1, 2 }, "neg has 2 arguments; it takes 1" },
	{ AVAIL_ADD, 0, { 0 }, "add has 0 arguments; it takes 1 or more" },
	{ AVAIL_LAW_EXPONENTIAL, 3, { 1, 1, 1 }, "exponential has 3 arguments; it takes 2" },
	{ AVAIL_LOGNORMAL_DEVIATE, 1, { 1 }, "lognormal-deviate has 1 arguments; it takes 2 to 3" },
	{ AVAIL_LAW_PERIODIC_TEST, 6, { 1 }, "periodic-test has 6 arguments; it takes 4, 5 or 11" },
	{ AVAIL_HISTOGRAM,
	  4,
	  { 1, 2, 3, 4 },
	  "histogram needs a lower bound and at least one bin of two values" },
	{ AVAIL_SWITCH, 2, { 1, 2 }, "switch needs a value for when no case holds" },
	{ AVAIL_LAW_EXPONENTIAL,
	  2,
	  { -1, 1 },
	  "exponential: the failure rate is -1; it must be 0 or more" },
	{ AVAIL_LAW_EXPONENTIAL,
	  2,
	  { 1, -1 },
	  "exponential: the time is -1; it must be 0 or more" },
	{ AVAIL_LAW_GLM,
	  4,
	  { 2, 1, 1, 1 },
	  "GLM: the probability of failure on demand is 2; it must be from 0 to 1" },
	{ AVAIL_LAW_WEIBULL, 4, { 0, 1, 0, 1 }, "Weibull: the scale is 0; it must be above 0" },
	{ AVAIL_LAW_PERIODIC_TEST,
	  4,
	  { 1, 0, 0, 1 },
	  "periodic-test: the time between tests is 0; it must be above 0" },
	{ AVAIL_LAW_PERIODIC_TEST,
	  5,
	  { 1, 1, 0, 0, 1 },
	  "periodic-test: the time between tests is 0; it must be above 0" },
	{ AVAIL_LAW_PERIODIC_TEST,
	  11,
	  { 1, 1, 1, 10, 0, 0, 11, 1, 1, 0, 1 },
	  "periodic-test: the test lasts 11 h, longer than the 10 h between tests" },
	{ AVAIL_LAW_PERIODIC_TEST,
	  11,
	  { 1, 1, 1, 10, 0, 0, 1, 1, 1.5, 0, 1 },
	  "periodic-test: the probability that the test finds a failure is 1.5; it must be from 0 "
	  "to 1" },
	{ AVAIL_UNIFORM_DEVIATE,
	  2,
	  { 2, 2 },
	  "uniform-deviate: the bound 2 does not lie above the one before it, 2" },
	{ AVAIL_HISTOGRAM,
	  5,
	  { 0, 2, 5, 1, 5 },
	  "histogram: the bound 1 does not lie above the one before it, 2" },
	{ AVAIL_NORMAL_DEVIATE,
	  2,
	  { 2, 0 },
	  "normal-deviate: the standard deviation is 0; it must be above 0" },
	{ AVAIL_LOGNORMAL_DEVIATE,
	  3,
	  { 1, 1, 0.95 },
	  "lognormal-deviate: the error factor is 1; it must be above 1" },
	{ AVAIL_LOGNORMAL_DEVIATE,
	  3,
	  { 1, 3, 0.5 },
	  "lognormal-deviate: the level of the error factor is 0.5; it must be above 0.5 and below "
	  "1" },
	{ AVAIL_GAMMA_DEVIATE, 2, { 0, 1 }, "gamma-deviate: the shape is 0; it must be above 0" },
	{ AVAIL_BETA_DEVIATE,
	  2,
	  { 1, -1 },
	  "beta-deviate: the second shape is -1; it must be above 0" },
};

static void test_arguments_of_expressions_are_in_their_ranges(void **state)
{
	(void)state;
	for (unsigned i = 0; i < array_len(bad_expressions); i++) {
		const struct bad_expression *bad = &bad_expressions[i];
		uint32_t args[11];

		model.expression_count = 0;
		for (uint32_t a = 0; a < bad->count; a++)
			args[a] = number(bad->args[a]);
		avail_expression_add(&model, bad->kind, args, bad->count);
		refused("", bad->text);
	}
}

static void test_arguments_are_counted_before_anything_is_computed(void **state)
{
	uint32_t args[2] = { avail_expression_parameter(&model, "p"), number(1) };

	(void)state;
	avail_expression_add(&model, AVAIL_LAW_EXPONENTIAL, args, 2);
	avail_expression_set(&model, args[0], avail_expression_add(&model, AVAIL_NEG, NULL, 0));
	refused("", "neg has 0 arguments; it takes 1");
}

/* --- common causes --- */

static void group(enum avail_ccf_kind kind, uint32_t count, const double *factors, uint32_t levels)
{
	uint32_t members[40], indexes[40], ccf;

	model.ccf_count = model.event_count = model.expression_count = 0;
	ccf = avail_model_ccf(&model, "group");
	for (uint32_t i = 0; i < count; i++)
		members[i] = avail_model_fixed(&model, "e", 0.1);
	for (uint32_t i = 0; i < levels; i++)
		indexes[i] = number(factors[i]);
	model.ccfs[ccf].kind = kind;
	model.ccfs[ccf].first = avail_model_indexes(&model, members, count);
	model.ccfs[ccf].count = count;
	model.ccfs[ccf].total = number(0.5);
	model.ccfs[ccf].first_factor = avail_model_indexes(&model, indexes, levels);
	model.ccfs[ccf].factor_count = levels;
}

static void test_factors_of_a_group_are_as_many_and_as_large_as_they_may_be(void **state)
{
	static const double tenths[40] = { 0.1, 0.1, 0.1, 0.1, 0.1 }, none[3];

	(void)state;
	group(AVAIL_CCF_BETA, 3, tenths, 2);
	refused("group", "beta-factor has 2 factors; with 3 members it takes 1");
	group(AVAIL_CCF_BETA, 3, tenths, 0);
	refused("group", "beta-factor has 0 factors; with 3 members it takes 1");
	group(AVAIL_CCF_MGL, 3, tenths, 3);
	refused("group", "MGL has 3 factors; with 3 members it takes 1 to 2");
	group(AVAIL_CCF_ALPHA, 3, tenths, 4);
	refused("group", "alpha-factor has 4 factors; with 3 members it takes 1 to 3");
	group(AVAIL_CCF_ALPHA, 3, none, 3);
	refused("group", "the factors of alpha-factor are all 0");
	group(AVAIL_CCF_PHI, 3, tenths, 3);
	refused("group", "the factors of phi-factor are 0.3 together; they must be 1");
	group(AVAIL_CCF_BETA, 3, (const double[]){ 1.5 }, 1);
	refused("group", "a factor is 1.5; a probability is from 0 to 1");
	group(AVAIL_CCF_MGL, 32, tenths, 31);
	refused("group",
		"32 members can fail together in more than 65536 ways; give factors of fewer "
		"levels");
	group(AVAIL_CCF_MGL, 32, tenths, 2);
	accepted();
}

static void test_members_of_a_group_fit_together(void **state)
{
	static const double beta = 0.1;
	uint32_t other;

	(void)state;
	group(AVAIL_CCF_BETA, 1, &beta, 1);
	refused("group", "a common-cause group has 2 or more members, not 1");
	group(AVAIL_CCF_BETA, 2, &beta, 1);
	model.ccfs[0].total = number(2);
	refused("group", "distribution is 2; a probability is from 0 to 1");
	model.ccfs[0].total = number(0.5);
	other = avail_model_ccf(&model, "other");
	model.ccfs[other] = model.ccfs[0];
	model.ccfs[other].name = "other";
	refused("other", "e is already in a common-cause group");
	model.ccf_count = 1;
	model.ccfs[0].rated = true;
	refused("group", "e has no failure rate, and the group has one");
	model.ccfs[0].rated = false;
	model.events[1].law = AVAIL_LAW_HOUSE;
	refused("group", "e has no probability, and the group has one");
	model.events[0].law = model.events[1].law = AVAIL_LAW_REPAIRABLE;
	model.ccfs[0].rated = true;
	refused("e", "has no repair time");
}

/* --- what a tree does not say --- */

static uint32_t pair(uint32_t low)
{
	struct avail_term args[2];
	uint32_t index;

	for (unsigned i = 0; i < 2; i++)
		args[i] = event_term(
			avail_model_repairable(&model, i ? "b" : "a", AVAIL_NONE, 1e5, 4));
	index = gate("service", AVAIL_FORMULA_AT_LEAST, args, 2);
	model.gates[index].low = low;
	return avail_model_standby(&model, "pair", index);
}

static void test_a_standby_group_is_within_its_ranges(void **state)
{
	uint32_t index = pair(2);
	struct avail_standby *standby = &model.standbys[index];

	(void)state;
	accepted();
	standby->needed = 2;
	refused("pair", "needs 1 to 2 of its 2 members, not 2");
	standby->needed = 1;
	standby->mode = AVAIL_WARM;
	standby->dormancy = 1.5;
	refused("pair", "dormancy is 1.5; it must be from 0 to 1");
	standby->dormancy = 0.1;
	standby->coverage = -0.1;
	refused("pair", "coverage is -0.1; a probability is from 0 to 1");
	standby->coverage = 0.9;
	standby->switch_h = NAN;
	refused("pair", "the switch-over takes nan h; it must be 0 or more");
	standby->switch_h = 0.001;
	standby->uncovered = AVAIL_UNCOVERED_WAITS;
	refused("pair", "recovery takes 0 h; it must be above 0 where failures are not covered");
	standby->recovery_h = 1;
	accepted();
}

static void test_a_crew_repairs_what_is_repaired_and_nobody_else_does(void **state)
{
	uint32_t crew, members[2], other;

	(void)state;
	pair(2);
	members[0] = 0;
	members[1] = 1;
	crew = avail_model_crew(&model, "night", 0);
	model.crews[crew].first = avail_model_indexes(&model, members, 2);
	model.crews[crew].count = 2;
	refused("night", "a team has 1 or more crews, not 0");
	model.crews[crew].crews = 1;
	accepted();
	other = avail_model_crew(&model, "day", 1);
	model.crews[other].first = model.crews[crew].first;
	model.crews[other].count = 1;
	refused("day", "a is already repaired by another team");
	model.crew_count = 1;
	model.events[1].law = AVAIL_LAW_UNREPAIRED;
	refused("night", "b is not repaired");
}

static void test_capacity_and_frequency_are_not_negative(void **state)
{
	struct avail_share share = { .down = { .kind = AVAIL_TERM_CONSTANT }, .amount = -1 };
	uint32_t capacity = avail_model_capacity(&model, "links", "Gbit/s");
	uint32_t top;

	(void)state;
	model.capacities[capacity].first = avail_model_shares(&model, &share, 1);
	model.capacities[capacity].count = 1;
	refused("links", "an amount is -1; it must be 0 or more");
	model.shares[0].amount = 10;
	accepted();
	top = avail_model_top(&model, "sequence", share.down);
	model.tops[top].frequency = number(-2);
	refused("sequence", "the frequency is -2; it must be 0 or more");
}

/* --- tops --- */

static void test_the_top_is_the_gate_that_no_other_refers_to(void **state)
{
	struct avail_term args[2] = { gate_term(1), gate_term(2) };
	struct refusal why;
	uint32_t top;

	(void)state;
	gate("a", AVAIL_FORMULA_OR, args, 2);
	args[0] = event_term(avail_model_fixed(&model, "e", 0.5));
	gate("b", AVAIL_FORMULA_OR, args, 2);
	gate(NULL, AVAIL_FORMULA_OR, args, 1);
	assert_int_equal(avail_top_find(&model, NULL, &top, &why), -EINVAL);
	assert_string_equal(why.text, "there is no gate to compute");
	assert_int_equal(avail_top_add_roots(&model), 0);
	assert_int_equal(avail_top_find(&model, NULL, &top, &why), 0);
	assert_int_equal(model.top_count, 1);
	assert_string_equal(model.tops[top].name, "a");
	assert_int_equal(avail_top_find(&model, "b", &top, &why), 0);
	assert_int_equal(model.tops[top].down.index, 1);
	assert_int_equal(avail_top_find(&model, "e", &top, &why), 0);
	assert_int_equal(model.tops[top].down.kind, AVAIL_TERM_EVENT);
	assert_int_equal(avail_top_find(&model, NULL, &top, &why), -EINVAL);
	assert_string_equal(why.text, "there are 3 tops; name one of a, b, e");
	assert_int_equal(avail_top_find(&model, "x", &top, &why), -EINVAL);
	assert_string_equal(why.path, "x");
	assert_string_equal(why.text,
			    "there is no gate or event of this name; the tops are a, b, e");
}

static void test_many_tops_are_not_all_listed(void **state)
{
	struct refusal why;
	uint32_t top;
	char name[64];

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "a-top-with-a-name-that-is-rather-long-%u", i);
		gate(name, AVAIL_FORMULA_OR, NULL, 0);
	}
	assert_int_equal(avail_top_add_roots(&model), 0);
	assert_int_equal(avail_top_find(&model, NULL, &top, &why), -EINVAL);
	assert_non_null(strstr(why.text, "there are 100 tops; name one of a-top"));
	assert_non_null(strstr(why.text, "-6, ..."));
}

static void test_the_check_says_what_is_to_blame(void **state)
{
	struct avail_where where;

	(void)state;
	avail_model_fixed(&model, "good", 0.5);
	avail_model_fixed(&model, "bad", 1.5);
	assert_int_equal(avail_model_check_where(&model, NULL, &where), -EINVAL);
	assert_int_equal(where.part, AVAIL_PART_EVENT);
	assert_int_equal(where.index, 1);
	ring(3, 2);
	assert_int_equal(avail_model_check_where(&model, NULL, &where), -EINVAL);
	assert_int_equal(where.part, AVAIL_PART_GATE);
	assert_int_equal(where.index, 2);
	avail_expression_parameter(&model, "p");
	assert_int_equal(avail_model_check_where(&model, NULL, &where), -EINVAL);
	assert_int_equal(where.part, AVAIL_PART_EXPRESSION);
	assert_int_equal(where.index, 2);
}

/* --- memory --- */

static bool build(struct avail_memory *memory, struct avail_model *built)
{
	struct avail_term arg = event_term(0);
	uint32_t numbers[100] = { 0 };
	char name[5000];
	int err = avail_model_init(built, memory, "name");

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = 0;
	if (err || avail_model_fru(built, "kind", "fru") == AVAIL_NONE ||
	    avail_model_repairable(built, name, 0, 1, 1) == AVAIL_NONE ||
	    avail_model_fixed(built, "f", 0.5) == AVAIL_NONE ||
	    avail_model_gate(built, "g") == AVAIL_NONE ||
	    avail_model_define(built, 0, AVAIL_FORMULA_PASS, &arg, 1) != 0 ||
	    avail_model_ccf(built, "ccf") == AVAIL_NONE ||
	    avail_model_standby(built, "standby", 0) == AVAIL_NONE ||
	    avail_model_crew(built, "crew", 1) == AVAIL_NONE ||
	    avail_model_capacity(built, "capacity", "unit") == AVAIL_NONE ||
	    avail_model_top(built, "top", arg) == AVAIL_NONE ||
	    avail_expression_parameter(built, "parameter") == AVAIL_NONE ||
	    avail_model_shares(built, &(struct avail_share){ arg, 1 }, 1) == AVAIL_NONE ||
	    avail_model_indexes(built, numbers, 100) == AVAIL_NONE)
		return false;
	return true;
}

static void test_each_step_may_fail_for_want_of_room(void **state)
{
	struct avail_model built;
	uint64_t steps, before = heap.memory.used;

	(void)state;
	heap.asked = 0;
	assert_true(build(&heap.memory, &built));
	avail_model_fini(&built);
	steps = heap.asked;
	assert_true(steps > 12);
	for (uint64_t i = 1; i <= steps; i++) {
		heap.asked = 0;
		heap.fail_at = i;
		assert_false(build(&heap.memory, &built));
		avail_model_fini(&built);
		assert_int_equal(heap.memory.used, before);
	}
	heap.fail_at = 0;
	heap.memory.limit = before + 1000;
	assert_false(build(&heap.memory, &built));
	avail_model_fini(&built);
}

static void test_a_check_without_room_says_so(void **state)
{
	uint64_t steps;

	(void)state;
	pair(2);
	accepted();
	heap.asked = 0;
	accepted();
	steps = heap.asked;
	for (uint64_t i = 1; i <= steps; i++) {
		heap.asked = 0;
		heap.fail_at = i;
		assert_int_equal(avail_model_check(&model, NULL), -ENOMEM);
	}
	heap.fail_at = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(test_a_cycle_of_gates_is_written_out),
		TEST(test_a_gate_that_mentions_itself_is_a_cycle),
		TEST(test_a_formula_within_another_is_left_out_of_the_cycle),
		TEST(test_a_long_cycle_is_cut_in_the_middle),
		TEST(test_gates_that_share_are_no_cycle),
		TEST(test_a_cycle_of_parameters_is_written_out),
		TEST(test_expressions_nested_too_deep_are_refused),
		TEST(test_what_is_mentioned_must_be_defined),
		TEST(test_each_formula_has_as_many_arguments_as_it_takes),
		TEST(test_numbers_of_events_are_in_their_ranges),
		TEST(test_arguments_of_expressions_are_in_their_ranges),
		TEST(test_arguments_are_counted_before_anything_is_computed),
		TEST(test_factors_of_a_group_are_as_many_and_as_large_as_they_may_be),
		TEST(test_members_of_a_group_fit_together),
		TEST(test_a_standby_group_is_within_its_ranges),
		TEST(test_a_crew_repairs_what_is_repaired_and_nobody_else_does),
		TEST(test_capacity_and_frequency_are_not_negative),
		TEST(test_the_top_is_the_gate_that_no_other_refers_to),
		TEST(test_many_tops_are_not_all_listed),
		TEST(test_the_check_says_what_is_to_blame),
		TEST(test_each_step_may_fail_for_want_of_room),
		TEST(test_a_check_without_room_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
