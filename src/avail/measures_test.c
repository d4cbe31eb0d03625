/* Figures of services: published examples, closed forms, and enumeration of all states. */
#include "avail/capacity.h"
#include "avail/measures.h"
#include "avail/uncertainty.h"
#include "tests/avail_models.h"

#include <errno.h>

static struct avail_term all(struct avail_term a, struct avail_term b)
{
	struct avail_term args[2] = { a, b };

	return gate(AVAIL_FORMULA_AND, 0, args, 2);
}

static struct avail_term fixed(const char *name, double probability)
{
	return event_term(avail_model_fixed(&model, name, probability));
}

static struct avail_service *service;

static void open_service(struct avail_term down)
{
	struct refusal why = { .path = "" };

	if (avail_model_check(&model, &why) != 0 ||
	    avail_service_open(&service, &model, down, NULL, &why) != 0) {
		print_error("%s: %s\n", why.path, why.text);
		fail();
	}
}

static struct avail_answer steady(struct avail_term down)
{
	struct avail_answer answer;

	open_service(down);
	assert_int_equal(avail_service_steady(service, NULL, NULL, &answer, NULL), 0);
	avail_service_close(service);
	assert_int_equal(answer.quality, AVAIL_EXACT);
	return answer;
}

static struct avail_mission mission(struct avail_term down, double time_h)
{
	struct avail_mission found;

	open_service(down);
	assert_int_equal(avail_service_mission(service, NULL, time_h, &found, NULL), 0);
	avail_service_close(service);
	return found;
}

/* ---- published examples ---- */

static void one_part_has_its_published_figures(void **state)
{
	struct avail_answer answer = steady(part("part", 175000, 0.5));

	(void)state;
	near(1 - answer.unavailability.value, 0.999997142865306, 1e-15);
	near(answer.minutes_a_year, 1.50171, 4e-6);
	near(answer.mttr_h, 0.5, 1e-14);
	near(answer.mean_up_h, 175000, 1e-14);
	near(answer.mtbf_h, 175000.5, 1e-14);
	near(answer.outages_a_year, 8760 / 175000.5, 1e-14);
	near(answer.nines, -log10(0.5 / 175000.5), 1e-14);
}

/* IEC 61078, bridge: left top, left bottom, bridge, right top, right bottom. */
static void bridge_network_has_its_published_probability(void **state)
{
	static const double works[2][5] = { { 0.9, 0.9, 0.9, 0.9, 0.9 },
					    { 0.8, 0.9, 0.9, 0.9, 0.8 } };
	static const double wanted[2] = { 12231.0 / 12500, 0.95652 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct avail_term f[5], down;

		for (unsigned k = 0; k < 5; k++)
			f[k] = fixed("part", 1 - works[i][k]);
		down = either(either(all(f[0], f[1]), all(f[3], f[4])),
			      either(all(f[0], all(f[2], f[4])), all(f[1], all(f[2], f[3]))));
		near(steady(down).unavailability.complement, wanted[i], 1e-14);
		again();
	}
}

static void k_of_n_have_their_published_probabilities(void **state)
{
	static const struct {
		uint32_t k, n;
		double works, wanted;
	} rows[] = { { 2, 3, 0.9, 0.972 },
		     { 3, 4, 0.95, 0.98598125 },
		     { 8, 10, 0.99, 0.9998861508820942 } };

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++) {
		struct avail_term f[10], down;

		for (unsigned k = 0; k < rows[i].n; k++)
			f[k] = fixed("part", 1 - rows[i].works);
		down = gate(AVAIL_FORMULA_AT_LEAST, rows[i].n - rows[i].k + 1, f, rows[i].n);
		near(steady(down).unavailability.complement, rows[i].wanted, 1e-14);
		again();
	}
}

/* Kami et al., NCA 2007: one of two I/O cards, on one carrier or on two.  The digits are those of
 * exact fractions. */
static void cards_on_carriers_have_their_published_unavailability(void **state)
{
	(void)state;
	for (unsigned carriers = 1; carriers <= 2; carriers++) {
		struct avail_term chassis = part("chassis", 1e6, 4), carrier[2], card[2];

		for (unsigned i = 0; i < carriers; i++)
			carrier[i] = part("carrier", 500000, 4);
		for (unsigned i = 0; i < 2; i++)
			card[i] = either(part("card", 250000, 4),
					 either(carrier[carriers == 1 ? 0 : i], chassis));
		struct avail_answer answer = steady(all(card[0], card[1]));

		near(answer.unavailability.value,
		     carriers == 1 ? 1.2000143989696316e-5 : 4.000559976256664e-6, 1e-14);
		near(answer.minutes_a_year, carriers == 1 ? 6.307275681 : 2.102694323, 1e-9);
		again();
	}
}

/* IEC 61165; coverage as in Birolini. */
static void pair_with_coverage_has_its_published_mean_time_to_failure(void **state)
{
	static const struct {
		double coverage, mean_h, minutes;
	} rows[] = { { 1, 12515000, 0.168057 },
		     { 0.99, 481342.3077, 4.36946 },
		     { 0.95, 695250.0 / 7, 21.1744 } };

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++) {
		struct avail_term pair[2] = { part("a", 1e4, 4), part("b", 1e4, 4) }, down;

		standby(pair, 2, 1, &down)->coverage = rows[i].coverage;
		crew(1, pair, 2);
		near(steady(down).minutes_a_year, rows[i].minutes, 3e-6);
		struct avail_mission found = mission(down, 8760);

		assert_int_equal(found.quality, AVAIL_EXACT);
		near(found.mean_time_h, rows[i].mean_h, 1e-10);
		again();
	}
}

static void two_of_three_without_repair_last_2685_of_1547_hours(void **state)
{
	struct avail_term parts[3] = { unrepaired("a", 0.3), unrepaired("b", 0.4),
				       unrepaired("c", 1) };

	(void)state;
	near(mission(gate(AVAIL_FORMULA_AT_LEAST, 2, parts, 3), 1).mean_time_h, 2685.0 / 1547,
	     1e-14);
}

static void unit_with_a_warm_spare_lasts_46_of_13_hours(void **state)
{
	struct avail_term pair[2] = { unrepaired("a", 0.5), unrepaired("b", 0.5) }, down;
	struct avail_standby *group = standby(pair, 2, 1, &down);

	(void)state;
	group->mode = AVAIL_WARM;
	group->dormancy = 0.3;
	near(mission(down, 1).mean_time_h, 46.0 / 13, 1e-14);
}

/* Billinton and Allan, Reliability Evaluation of Power Systems, chapter 2. */
static void capacity_of_three_units_has_its_published_outage_table(void **state)
{
	static const double amounts[3] = { 3, 3, 5 };
	static const double lost[] = { 0, 3, 5, 6, 8, 11 };
	static const double wanted[] = {
		0.941192, 0.038416, 0.019208, 0.000392, 0.000784, 0.000008
	};
	struct avail_share shares[3];
	struct avail_levels levels;
	uint32_t capacity = avail_model_capacity(&model, "plant", "MW");

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		shares[i] = (struct avail_share){ fixed("unit", 0.02), amounts[i] };
	model.capacities[capacity].first = avail_model_shares(&model, shares, 3);
	model.capacities[capacity].count = 3;
	assert_int_equal(avail_capacity_levels(&levels, &model, capacity, 0, NULL, NULL, NULL), 0);
	assert_int_equal(levels.count, 6);
	double sum = 0;

	for (unsigned i = 0; i < 6; i++) {
		near(levels.rows[i].delivered, 11 - lost[i], 1e-14);
		near(levels.rows[i].probability.value, wanted[i], 1e-13);
		sum += wanted[5 - i];
		near(levels.rows[5 - i].at_most, sum, 1e-13);
	}
	near(levels.expected, 11 * 0.98, 1e-13);
	avail_levels_fini(&levels);
}

static void four_links_behind_a_pair_of_switches_have_their_published_table(void **state)
{
	static const double wanted[] = { 0.996005746999501, 0.003988010998997, 5.988004503e-6,
					 3.995999e-9, 2.500010000e-7 };
	static const double relative[] = { 2e-15, 1e-12, 1e-9, 1e-6, 1e-9 };
	struct avail_share shares[4];
	struct avail_levels levels;
	uint32_t capacity = avail_model_capacity(&model, "uplink", "Gbit/s");

	(void)state;
	/* An hour of repair, so that the probabilities are exactly those of the example. */
	for (unsigned i = 0; i < 4; i++)
		shares[i] = (struct avail_share){ part("link", 999, 1), 10 };
	model.capacities[capacity].down = all(part("switch", 1999, 1), part("switch", 1999, 1));
	model.capacities[capacity].first = avail_model_shares(&model, shares, 4);
	model.capacities[capacity].count = 4;
	assert_int_equal(avail_capacity_levels(&levels, &model, capacity, 0, NULL, NULL, NULL), 0);
	assert_int_equal(levels.count, 5);
	double sum = 0, entered = 0;

	for (unsigned i = 0; i < 5; i++) {
		near(levels.rows[i].delivered, 40 - 10 * i, 1e-15);
		near(levels.rows[i].probability.value, wanted[i], relative[i]);
		sum += levels.rows[i].probability.value;
		entered += levels.rows[i].frequency;
	}
	near(sum, 1, 1e-14);
	assert_true(entered > 0);
	/* Full capacity is left by any link or, when one switch is down, by the other. */
	near(levels.rows[0].frequency,
	     levels.rows[0].probability.value *
		     (4 / 999.0 + 2 * (1999 / 2000.0) * (1 / 2000.0) / 1999.0 / (1 - 2.5e-7)),
	     1e-12);
	avail_levels_fini(&levels);
}

/* ---- importance against enumeration of all states ---- */

enum { FEW = 6 };

/* A random static tree over FEW parts with a unit each; what each part's probability is. */
static struct avail_term random_tree(uint64_t *seed, bool may_negate, double *p)
{
	struct avail_term terms[FEW + 5], args[3];
	uint32_t count = FEW;

	for (uint32_t i = 0; i < FEW; i++) {
		double mtbf_h = 5 + 50 * uniform(seed), repair_h = 0.5 + 5 * uniform(seed);

		terms[i] = part("part", mtbf_h, repair_h);
		p[i] = repair_h / (mtbf_h + repair_h);
	}
	for (uint32_t g = 0; g < 5; g++) {
		for (uint32_t i = 0; i < 3; i++)
			args[i] = random_term(seed, terms, count, may_negate);
		terms[count++] = gate(below(seed, 2) ? AVAIL_FORMULA_OR : AVAIL_FORMULA_AT_LEAST,
				      1 + below(seed, 3), args, 3);
	}
	return terms[count - 1];
}

static bool is_true(struct avail_term term, uint32_t failed)
{
	const struct avail_gate *formula;
	uint32_t yes = 0;
	bool value;

	if (term.kind == AVAIL_TERM_EVENT)
		return (failed >> term.index & 1) ^ term.negated;
	formula = &model.gates[term.index];
	for (uint32_t i = 0; i < formula->count; i++)
		yes += is_true(model.terms[formula->first + i], failed);
	value = formula->kind == AVAIL_FORMULA_OR ? yes > 0 : yes >= formula->low;
	return value ^ term.negated;
}

static double enumerate(struct avail_term top, const double *p)
{
	double sum = 0;

	for (uint32_t failed = 0; failed < 1U << FEW; failed++) {
		double product = 1;

		for (uint32_t i = 0; i < FEW; i++)
			product *= failed >> i & 1 ? p[i] : 1 - p[i];
		if (is_true(top, failed))
			sum += product;
	}
	return sum;
}

/* Like near, for differences of numbers of size 1. */
static void close_to(double found, double wanted)
{
	if (!(fabs(found - wanted) <= 1e-12 + 1e-9 * fabs(wanted)) && found != wanted) {
		print_error("%.17g is not %.17g\n", found, wanted);
		fail();
	}
}

static void check_row(const struct avail_importance *row, struct avail_term top, const double *p,
		      uint32_t event, double u)
{
	double pinned[FEW], u0, u1;

	memcpy(pinned, p, sizeof pinned);
	pinned[event] = 0;
	u0 = enumerate(top, pinned);
	pinned[event] = 1;
	u1 = enumerate(top, pinned);
	close_to(row->unavailability, p[event]);
	close_to(row->birnbaum, u1 - u0);
	close_to(row->criticality, p[event] * (u1 - u0) / u);
	close_to(row->fussell_vesely, (u - u0) / u);
	close_to(row->risk_achievement, u1 / u);
	close_to(row->minutes_a_year / 525600, u - u0);
	if (u0 == 0)
		assert_true(isinf(row->risk_reduction));
	else if (u0 > 1e-12)
		close_to(row->risk_reduction, u / u0);
}

static void importance_of_random_trees_is_that_of_enumeration(void **state)
{
	uint64_t seed = check_seed();
	unsigned rows_checked = 0;

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		struct avail_importance rows[FEW];
		double p[FEW], u;
		struct avail_term top = random_tree(&seed, round & 1, p);
		const struct avail_flat *flat;

		u = enumerate(top, p);
		if (u > 0) {
			open_service(top);
			flat = avail_dynamic_flat(avail_service_dynamic(service));
			assert_int_equal(avail_service_importance(service, NULL, rows, NULL), 0);
			for (uint32_t i = 0; i < flat->leaf_count; i++) {
				assert_int_equal(rows[i].index, i);
				check_row(&rows[i], top, p, flat->leaves[i].event, u);
				rows_checked++;
			}
			avail_service_close(service);
		}
		again();
	}
	assert_true(rows_checked > 500);
}

/* A unit with two parts is perfect when both are. */
static void a_unit_costs_what_all_its_parts_cost_together(void **state)
{
	uint32_t card = avail_model_fru(&model, "card", "nic1");
	uint32_t carrier = avail_model_fru(&model, "carrier", "amc1");
	struct avail_term hardware, software, board;
	struct avail_importance rows[2];

	(void)state;
	hardware = event_term(avail_model_repairable(&model, "hardware", card, 1e5, 4));
	software = event_term(avail_model_repairable(&model, "software", card, 1e3, 0.1));
	board = event_term(avail_model_repairable(&model, "board", carrier, 1e6, 4));
	open_service(either(board, either(hardware, software)));
	assert_int_equal(avail_service_fru_importance(service, NULL, rows, NULL), 0);
	double h = 4 / 100004.0, s = 0.1 / 1000.1, b = 4 / 1000004.0;

	near(rows[card].unavailability, h + s - h * s, 1e-12);
	near(rows[card].minutes_a_year, (h + s - h * s) * (1 - b) * 525600, 1e-9);
	near(rows[carrier].minutes_a_year, b * (1 - h) * (1 - s) * 525600, 1e-9);
	near(rows[carrier].risk_achievement, 1 / (1 - (1 - h) * (1 - s) * (1 - b)), 1e-12);
	avail_service_close(service);
}

static void what_alone_fails_the_service_has_infinite_risk_reduction(void **state)
{
	struct avail_importance rows[2];

	(void)state;
	open_service(all(part("a", 100, 1), part("b", 1e9, 1)));
	assert_int_equal(avail_service_importance(service, NULL, rows, NULL), 0);
	assert_true(isinf(rows[0].risk_reduction) && isinf(rows[1].risk_reduction));
	near(rows[0].fussell_vesely, 1, 1e-14);
	avail_service_close(service);
}

/* A part in a chain: perfect or failed for good is another model, built by hand. */
static double pair_unavailability(double a_mtbf_h, double coverage)
{
	struct avail_term pair[2] = { part("a", a_mtbf_h, 4), part("b", 1e4, 4) }, down;

	standby(pair, 2, 1, &down)->coverage = coverage;
	crew(1, pair, 2);
	return steady(down).unavailability.value;
}

static void importance_in_a_chain_is_the_difference_of_two_chains(void **state)
{
	struct avail_importance rows[2];
	double u, u0,
		u1 = 4 / 10004.0; /* failed: only the other one is left, and nothing to cover */

	(void)state;
	u0 = pair_unavailability(1e300, 0.9);
	again();
	u = pair_unavailability(1e4, 0.9);
	open_service(gate_term(0));
	assert_int_equal(avail_service_importance(service, NULL, rows, NULL), 0);
	for (unsigned i = 0; i < 2; i++) {
		near(rows[i].fussell_vesely, (u - u0) / u, 1e-12);
		near(rows[i].risk_achievement, u1 / u, 1e-12);
		near(rows[i].risk_reduction, u / u0, 1e-12);
		near(rows[i].birnbaum, u1 - u0, 1e-12);
		assert_true(isnan(rows[i].unavailability));
	}
	/* And afterwards nothing is supposed any more. */
	struct avail_answer answer;

	assert_int_equal(avail_service_steady(service, NULL, NULL, &answer, NULL), 0);
	near(answer.unavailability.value, u, 0);
	avail_service_close(service);
}

static void pins_suppose_what_they_say(void **state)
{
	uint32_t fru = avail_model_fru(&model, "card", "nic1");
	struct avail_term a = event_term(avail_model_repairable(&model, "a", fru, 100, 1));
	struct avail_term b = part("b", 50, 1);
	uint8_t pins[2] = { 0, 0 };
	struct avail_answer answer;

	(void)state;
	open_service(either(a, b));
	avail_service_pin_fru(service, fru, AVAIL_PIN_PERFECT, pins);
	assert_int_equal(avail_service_steady(service, NULL, pins, &answer, NULL), 0);
	near(answer.unavailability.value, 1 / 51.0, 1e-14);
	near(answer.frequency, 1 / 51.0, 1e-14);
	avail_service_pin_event(service, a.index, AVAIL_PIN_FAILED, pins);
	assert_int_equal(avail_service_steady(service, NULL, pins, &answer, NULL), 0);
	near(answer.unavailability.value, 1, 0);
	near(answer.frequency, 0, 0);
	avail_service_close(service);
}

/* ---- missions ---- */

static void parts_in_series_last_as_long_as_all_of_them(void **state)
{
	struct avail_term args[3] = { part("a", 1000, 5), unrepaired("b", 2e-3),
				      fixed("demand", 0.01) };
	struct avail_mission found = mission(gate(AVAIL_FORMULA_OR, 0, args, 3), 100);

	(void)state;
	assert_int_equal(found.quality, AVAIL_EXACT);
	assert_int_equal(found.parts, 3);
	near(found.unreliability.complement, 0.99 * exp(-0.3), 1e-14);
	near(found.mean_time_h, 0.99 / 3e-3, 1e-14);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(one_part_has_its_published_figures),
		TEST(bridge_network_has_its_published_probability),
		TEST(k_of_n_have_their_published_probabilities),
		TEST(cards_on_carriers_have_their_published_unavailability),
		TEST(pair_with_coverage_has_its_published_mean_time_to_failure),
		TEST(two_of_three_without_repair_last_2685_of_1547_hours),
		TEST(unit_with_a_warm_spare_lasts_46_of_13_hours),
		TEST(capacity_of_three_units_has_its_published_outage_table),
		TEST(four_links_behind_a_pair_of_switches_have_their_published_table),
		TEST(importance_of_random_trees_is_that_of_enumeration),
		TEST(a_unit_costs_what_all_its_parts_cost_together),
		TEST(what_alone_fails_the_service_has_infinite_risk_reduction),
		TEST(importance_in_a_chain_is_the_difference_of_two_chains),
		TEST(pins_suppose_what_they_say),
		TEST(parts_in_series_last_as_long_as_all_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
