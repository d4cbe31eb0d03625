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

/* Whatever the budget, the truth is between the bounds; and by intensity alone it is, too. */
static void missions_within_any_budget_have_bounds_that_hold(void **state)
{
	uint64_t seed = check_seed();
	unsigned bounded = 0, approximate = 0;

	(void)state;
	for (unsigned round = 0; round < 160; round++) {
		uint64_t kept = seed;
		uint32_t groups;
		struct avail_term top = random_model(&seed, false, &groups);
		double time_h = 0.2 + 5 * uniform(&seed), truth = 0;

		checked();
		static const uint32_t budgets[] = { 3000, 64, 8 };

		for (unsigned i = 0; i < array_len(budgets); i++) {
			struct avail_service_budget budget = { .chains = { .states = budgets[i] } };
			struct avail_mission found;
			const struct avail_bounds *b = &found.unreliability;

			assert_int_equal(avail_service_open(&service, &model, top, &budget, NULL),
					 0);
			assert_int_equal(avail_service_mission(service, NULL, time_h, &found, NULL),
					 0);
			avail_service_close(service);
			if (i == 0 && found.quality != AVAIL_EXACT)
				break;
			if (i == 0)
				truth = b->value;
			bounded += found.quality == AVAIL_BOUNDS;
			approximate += found.quality == AVAIL_APPROXIMATE;
			if (!(b->lower <= truth * (1 + 1e-9) && b->upper >= truth * (1 - 1e-9))) {
				print_error("model of seed %" PRIu64 ": %.17g is not between %.17g "
					    "and %.17g (%s)\n",
					    kept, truth, b->lower, b->upper, found.method);
				fail();
			}
		}
		again();
	}
	print_message("# %u between bounds, %u approximate\n", bounded, approximate);
	assert_true(bounded + approximate > 50);
}

/* Far from rare, the conditional intensity is near the truth all the same. */
static void a_large_coherent_system_has_an_approximate_mission(void **state)
{
	struct avail_term parts[14], args[7];
	struct avail_service_budget budget = { .chains = { .states = 20 } };
	struct avail_mission found, exact;

	(void)state;
	for (unsigned i = 0; i < 14; i++)
		parts[i] = part("part", 1000 + 10 * i, 5);
	for (unsigned i = 0; i < 7; i++)
		args[i] = all(parts[i], parts[i + 7]);
	struct avail_term down = either(gate(AVAIL_FORMULA_AT_LEAST, 2, args, 7),
					all(parts[0], all(parts[1], parts[2])));

	checked();
	exact = mission(down, 2000);
	assert_int_equal(avail_service_open(&service, &model, down, &budget, NULL), 0);
	assert_int_equal(avail_service_mission(service, NULL, 2000, &found, NULL), 0);
	avail_service_close(service);
	assert_int_equal(exact.quality, AVAIL_EXACT);
	print_message("# %.10g by chain of %u states, %.10g (%s) from %.10g to %.10g\n",
		      exact.unreliability.value, exact.states, found.unreliability.value,
		      found.method, found.unreliability.lower, found.unreliability.upper);
	assert_true(found.unreliability.lower <= exact.unreliability.value);
	assert_true(found.unreliability.upper >= exact.unreliability.value);
	near(found.unreliability.value, exact.unreliability.value, 0.02);
}

/* ---- at a time ---- */

static void unavailability_over_time_is_that_of_the_single_part(void **state)
{
	static const double times[] = { 0, 0.5, 1, 4, 20, 1000 };
	struct avail_bounds points[6];
	struct avail_term pair[2] = { part("a", 50, 4), part("b", 80, 4) };

	(void)state;
	open_service(all(pair[0], pair[1]));
	assert_int_equal(avail_service_curve(service, NULL, times, 6, points, NULL), 0);
	for (unsigned i = 0; i < 6; i++) {
		double la = 1 / 50.0, lb = 1 / 80.0, m = 0.25, t = times[i];

		near(points[i].value,
		     la / (la + m) * expm1(-(la + m) * t) * lb / (lb + m) * expm1(-(lb + m) * t),
		     1e-13);
	}
	avail_service_close(service);
}

/* ---- probability of failure on demand: IEC 61508-6, annex B.3.2.2 ---- */

static uint32_t number(double value)
{
	return avail_expression_number(&model, value);
}

static uint32_t with(enum avail_expression_kind kind, uint32_t a, uint32_t b)
{
	const uint32_t args[2] = { a, b };

	return avail_expression_add(&model, kind, args, 2);
}

/* The standard's formulas as expressions of a model; channels 1, 2 (1oo2) or 3 (2oo3). */
struct demand {
	double rate, diagnosed, beta, beta_diagnosed, test_h, repair_h;
};

static uint32_t demand_failure(const struct demand *d, unsigned channels)
{
	uint32_t undetected = number(d->rate * (1 - d->diagnosed));
	uint32_t detected = number(d->rate * d->diagnosed), rate = number(d->rate);
	uint32_t half = number(d->test_h / 2 + d->repair_h),
		 third = number(d->test_h / 3 + d->repair_h);
	uint32_t repair = number(d->repair_h), channel, group, both, common;

	/* t = undetected / rate * (T1 / n + MRT) + detected / rate * MTTR */
	channel = with(AVAIL_ADD, with(AVAIL_MUL, with(AVAIL_DIV, undetected, rate), half),
		       with(AVAIL_MUL, with(AVAIL_DIV, detected, rate), repair));
	group = with(AVAIL_ADD, with(AVAIL_MUL, with(AVAIL_DIV, undetected, rate), third),
		     with(AVAIL_MUL, with(AVAIL_DIV, detected, rate), repair));
	if (channels == 1)
		return with(AVAIL_MUL, rate, channel);
	both = with(AVAIL_ADD, with(AVAIL_MUL, number(1 - d->beta_diagnosed), detected),
		    with(AVAIL_MUL, number(1 - d->beta), undetected));
	common = with(AVAIL_ADD,
		      with(AVAIL_MUL, with(AVAIL_MUL, number(d->beta_diagnosed), detected), repair),
		      with(AVAIL_MUL, with(AVAIL_MUL, number(d->beta), undetected), half));
	both = with(AVAIL_MUL, with(AVAIL_MUL, both, both), with(AVAIL_MUL, channel, group));
	return with(AVAIL_ADD, with(AVAIL_MUL, number(channels == 2 ? 2 : 6), both), common);
}

static void failure_on_demand_is_that_of_the_standards_tables(void **state)
{
	static const struct {
		struct demand demand;
		double wanted[3];
	} rows[] = {
		{ { 0.5e-7, 0, 0.02, 0.01, 4380, 8 }, { 1.0990e-4, 2.2135e-6, 2.2445e-6 } },
		{ { 2.5e-6, 0.9, 0.1, 0.05, 8760, 8 }, { 1.1150e-3, 1.1209e-4, 1.1508e-4 } },
	};

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++)
		for (unsigned channels = 1; channels <= 3; channels++) {
			uint32_t event = avail_model_event(&model, "demand");

			model.events[event].law = AVAIL_LAW_PROBABILITY;
			model.events[event].probability = demand_failure(&rows[i].demand, channels);
			near(steady(event_term(event)).unavailability.value,
			     rows[i].wanted[channels - 1], 5e-5);
			again();
		}
}

/* ---- capacity against enumeration ---- */

static void capacity_of_random_models_is_that_of_enumeration(void **state)
{
	static const double amounts[] = { 10, 10, 10, 25, 40, 0.1, 0.2, 0.3 };
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		struct avail_share shares[5];
		struct avail_term top, terms[FEW], args[2];
		struct avail_levels levels;
		double p[FEW], total = 0;
		uint32_t capacity;

		for (uint32_t i = 0; i < FEW; i++) {
			p[i] = 0.05 + 0.4 * uniform(&seed);
			terms[i] = fixed("part", p[i]);
		}
		for (unsigned i = 0; i < 5; i++) {
			args[0] = random_term(&seed, terms, FEW, true);
			args[1] = random_term(&seed, terms, FEW, false);
			shares[i] = (struct avail_share){ gate(AVAIL_FORMULA_OR, 1, args,
							       1 + below(&seed, 2)),
							  amounts[below(&seed, 8)] };
			total += shares[i].amount;
		}
		args[0] = terms[0];
		args[1] = terms[1];
		top = gate(AVAIL_FORMULA_AT_LEAST, 2, args, 2);
		capacity = avail_model_capacity(&model, "capacity", "Gbit/s");
		model.capacities[capacity].first = avail_model_shares(&model, shares, 5);
		model.capacities[capacity].count = 5;
		model.capacities[capacity].down = top;
		checked();
		assert_int_equal(
			avail_capacity_levels(&levels, &model, capacity, 0, NULL, NULL, NULL), 0);
		double sum = 0, expected = 0;

		for (uint32_t i = 0; i < levels.count; i++)
			sum += levels.rows[i].probability.value;
		near(sum, 1, 1e-12);
		for (uint32_t failed = 0; failed < 1U << FEW; failed++) {
			double product = 1, delivered = total;
			uint32_t row = 0;

			for (uint32_t i = 0; i < FEW; i++)
				product *= failed >> i & 1 ? p[i] : 1 - p[i];
			for (unsigned i = 0; i < 5; i++)
				delivered -= is_true(shares[i].down, failed) ? shares[i].amount : 0;
			delivered = is_true(top, failed) ? 0 : delivered;
			expected += product * delivered;
			while (row < levels.count &&
			       fabs(levels.rows[row].delivered - delivered) > 1e-6)
				row++;
			assert_true(row < levels.count);
			levels.rows[row].probability.value -= product;
		}
		for (uint32_t i = 0; i < levels.count; i++)
			assert_true(fabs(levels.rows[i].probability.value) < 1e-13);
		near(levels.expected, expected, 1e-12);
		avail_levels_fini(&levels);
		again();
	}
}

/* A pair with coverage behind both links: its chain is one, and the links lose capacity with it. */
static void capacity_knows_what_a_tree_does_not(void **state)
{
	struct avail_term pair[2] = { part("a", 1e4, 4), part("b", 1e4, 4) }, down;
	struct avail_term link = part("link", 1000, 2);
	struct avail_share shares[2];
	struct avail_levels levels;
	uint32_t capacity = avail_model_capacity(&model, "uplink", "Gbit/s");
	double u = 8.31328020934e-6, l = 2 / 1002.0;

	(void)state;
	standby(pair, 2, 1, &down)->coverage = 0.99;
	crew(1, pair, 2);
	shares[0] = (struct avail_share){ down, 10 };
	shares[1] = (struct avail_share){ either(down, link), 10 };
	model.capacities[capacity].first = avail_model_shares(&model, shares, 2);
	model.capacities[capacity].count = 2;
	checked();
	assert_int_equal(avail_capacity_levels(&levels, &model, capacity, 0, NULL, NULL, NULL), 0);
	assert_int_equal(levels.count, 3);
	near(levels.rows[0].probability.value, (1 - u) * (1 - l), 1e-14);
	near(levels.rows[1].probability.value, (1 - u) * l, 1e-12);
	near(levels.rows[2].probability.value, u, 1e-11);
	near(levels.rows[2].frequency, u * 0.25, 1e-10);
	avail_levels_fini(&levels);
}

static void too_many_different_amounts_are_refused(void **state)
{
	struct avail_share shares[12];
	struct avail_levels levels;
	struct refusal why;
	uint32_t capacity = avail_model_capacity(&model, "uplink", "Gbit/s");

	(void)state;
	for (unsigned i = 0; i < 12; i++)
		shares[i] = (struct avail_share){ fixed("link", 0.1), 1 << i };
	model.capacities[capacity].first = avail_model_shares(&model, shares, 12);
	model.capacities[capacity].count = 12;
	checked();
	assert_int_equal(avail_capacity_levels(&levels, &model, capacity, 100, NULL, NULL, &why),
			 -E2BIG);
	assert_string_equal(why.path, "uplink");
	assert_non_null(strstr(why.text, "more than 100"));
}

/* ---- uncertainty ---- */

/* U = L r / (1 + L r) grows with L, so its percentiles are those of L: of a lognormal with error
 * factor 3. */
static void percentiles_are_those_of_the_parameter(void **state)
{
	enum { DRAWS = 20000 };
	static double values[DRAWS], again_values[DRAWS];
	uint32_t event = avail_model_event(&model, "part");
	const uint32_t args[3] = { number(1e-4), number(3), number(0.95) };
	struct avail_spread spread;
	double sigma = log(3) / 1.6448536269514722, median = 1e-4 * exp(-sigma * sigma / 2);

	(void)state;
	model.events[event].law = AVAIL_LAW_REPAIRABLE;
	model.events[event].failure_rate =
		avail_expression_add(&model, AVAIL_LOGNORMAL_DEVIATE, args, 3);
	model.events[event].repair_h = number(8);
	open_service(event_term(event));
	assert_int_equal(avail_uncertainty_draw(service, AVAIL_FIGURE_UNAVAILABILITY, 9, 0, DRAWS,
						0, values, NULL),
			 0);
	/* Any draws again, in two parts and the other way round. */
	assert_int_equal(avail_uncertainty_draw(service, AVAIL_FIGURE_UNAVAILABILITY, 9, 500,
						DRAWS - 500, 0, again_values + 500, NULL),
			 0);
	assert_int_equal(avail_uncertainty_draw(service, AVAIL_FIGURE_UNAVAILABILITY, 9, 0, 500, 0,
						again_values, NULL),
			 0);
	assert_memory_equal(values, again_values, sizeof values);
	avail_service_close(service);
	avail_uncertainty_spread(values, DRAWS, &spread);
	assert_int_equal(spread.draws, DRAWS);
	/* A percentile of n draws is good to some root of p (1 - p) / n over the density there. */
	near(spread.p50, 8 * median, 0.02);
	near(spread.p05, 8 * median / 3, 0.04);
	near(spread.p95, 8 * median * 3, 0.04);
	near(spread.mean, 8e-4, 0.03);
	assert_true(spread.least < spread.p05 && spread.most > spread.p95);
}

static void spread_of_known_values_is_known(void **state)
{
	double values[] = { 5, 1, 4, 2, 3 };
	struct avail_spread spread;

	(void)state;
	avail_uncertainty_spread(values, 5, &spread);
	near(spread.mean, 3, 0);
	near(spread.deviation, sqrt(2.5), 1e-15);
	near(spread.p50, 3, 0);
	near(spread.p05, 1.2, 1e-15);
	near(spread.p95, 4.8, 1e-15);
	near(values[0], 1, 0);
	near(values[4], 5, 0);
}

/* ---- memory ---- */

static void every_request_of_a_service_for_memory_may_fail(void **state)
{
	unsigned refused = 0;

	(void)state;
	for (uint64_t fail_at = 1; fail_at < 1200; fail_at += 1 + fail_at / 20) {
		struct avail_term pair[2] = { part("a", 10, 2), part("b", 12, 3) }, down, top;
		struct avail_importance rows[3];
		struct avail_answer answer;
		struct avail_mission found;
		int err;

		standby(pair, 2, 1, &down)->switch_h = 0.1;
		top = either(down, part("c", 10, 1));
		checked();
		heap.asked = 0;
		heap.fail_at = fail_at;
		err = avail_service_open(&service, &model, top, NULL, NULL);
		if (!err) {
			err = avail_service_steady(service, NULL, NULL, &answer, NULL);
			if (!err)
				err = avail_service_mission(service, NULL, 10, &found, NULL);
			if (!err)
				err = avail_service_importance(service, NULL, rows, NULL);
			avail_service_close(service);
		}
		heap.fail_at = 0;
		assert_true(err == 0 || err == -ENOMEM);
		refused += err != 0;
		again();
	}
	assert_true(refused > 40);
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
		TEST(missions_within_any_budget_have_bounds_that_hold),
		TEST(a_large_coherent_system_has_an_approximate_mission),
		TEST(unavailability_over_time_is_that_of_the_single_part),
		TEST(failure_on_demand_is_that_of_the_standards_tables),
		TEST(capacity_of_random_models_is_that_of_enumeration),
		TEST(capacity_knows_what_a_tree_does_not),
		TEST(too_many_different_amounts_are_refused),
		TEST(percentiles_are_those_of_the_parameter),
		TEST(spread_of_known_values_is_known),
		TEST(every_request_of_a_service_for_memory_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
