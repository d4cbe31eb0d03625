/* Chosen members lose no more than the best that trying everything finds; groups share cards out.
 */
#include "fabric/choice.h"

#include "avail/measures.h"
#include "fabric/availability.h"
#include "fabric/site_check.h"
#include "tests/avail_heap.h"
#include "tests/check.h"

#include <errno.h>
#include <math.h>

enum { CARDS = 8, GROUPS = 2 };

static struct test_heap heap;
static char card_names[CARDS][8], carrier_names[CARDS / 2][8];
static char *names[CARDS];
static struct site_card cards[CARDS];
static struct site_carrier carriers[CARDS / 2];
static struct site_chassis chassis[2];
static struct site_host hosts[] = { { .name = "blade", .chassis = "shelf0" } };
static struct site_pool pools[] = { { .name = "all", .cards = names, .cards_count = CARDS } };
static struct site_group groups[GROUPS];
static struct site_io ios[GROUPS];
static struct site_system systems[GROUPS];
static struct site site;
static struct site_choice choices[GROUPS];
static struct refusal why;

static struct site_reliability of(double mtbf_h)
{
	return (struct site_reliability){ .mtbf_h = mtbf_h, .mttr_h = 4 };
}

static void begin_groups(void)
{
	static char *const group_names[GROUPS] = { "one", "two" };

	for (unsigned i = 0; i < GROUPS; i++) {
		groups[i] = (struct site_group){ .name = group_names[i],
						 .pool = "all",
						 .count = 2,
						 .mode = SITE_REDUNDANCY_ONE_PLUS_ONE,
						 .spread = SITE_SPREAD_CARRIER,
						 .coverage = 1 };
		ios[i] = (struct site_io){ .name = "net0",
					   .pool = "all",
					   .redundancy = group_names[i] };
		systems[i] = (struct site_system){
			.name = group_names[i], .host = "blade", .io = &ios[i], .io_count = 1
		};
	}
}

/* Two chassis with two carriers of two cards each. */
static int begin(void **state)
{
	(void)state;
	test_heap_init(&heap);
	for (unsigned i = 0; i < CARDS; i++) {
		snprintf(card_names[i], sizeof card_names[i], "nic%u", i);
		names[i] = card_names[i];
		cards[i] = (struct site_card){
			.name = names[i], .vfs = 4, .line = "net_null0", .reliability = of(250000)
		};
	}
	for (unsigned i = 0; i < CARDS / 2; i++) {
		snprintf(carrier_names[i], sizeof carrier_names[i], "amc%u", i);
		carriers[i] = (struct site_carrier){ .name = carrier_names[i],
						     .cards = &cards[2 * i],
						     .cards_count = 2,
						     .reliability = of(500000) };
	}
	for (unsigned i = 0; i < 2; i++)
		chassis[i] = (struct site_chassis){ .name = i ? "shelf1" : "shelf0",
						    .carriers = &carriers[2 * i],
						    .carriers_count = 2,
						    .reliability = of(1000000) };
	begin_groups();
	site = (struct site){ .name = "s",
			      .chassis = chassis,
			      .chassis_count = 2,
			      .hosts = hosts,
			      .hosts_count = 1,
			      .pools = pools,
			      .pools_count = 1,
			      .groups = groups,
			      .groups_count = 1,
			      .systems = systems,
			      .systems_count = 1,
			      .mission_h = 8760 };
	return 0;
}

static int end(void **state)
{
	(void)state;
	return heap.memory.used != 0;
}

static void choose(void)
{
	assert_int_equal(site_choose(&site, &heap.memory, choices, &why), 0);
	assert_int_equal(heap.memory.used, 0);
}

/* Unavailability of the first system with these members of its group; NAN: functions do not
 * suffice. */
static double unavailability(char **members, unsigned count, enum site_io_as io_as)
{
	const struct site_model_wants wants = { .io_as = io_as };
	struct placement rows[GROUPS];
	struct avail_model model;
	struct site_model_notes notes;
	struct avail_service *service;
	struct avail_answer answer;

	groups[0].cards = members;
	groups[0].cards_count = count;
	if (placement_make(&site, rows, &why) != 0)
		return NAN;
	assert_int_equal(avail_model_init(&model, &heap.memory, "s"), 0);
	assert_int_equal(site_model_build(&model, &site, rows, &wants, &notes), 0);
	assert_int_equal(avail_service_open(&service, &model, model.tops[0].down, NULL, &why), 0);
	assert_int_equal(avail_service_steady(service, NULL, NULL, &answer, &why), 0);
	avail_service_close(service);
	avail_model_fini(&model);
	return answer.unavailability.value;
}

static bool may_join(unsigned a, unsigned b, enum site_spread spread)
{
	if (spread == SITE_SPREAD_CHASSIS)
		return a / 4 != b / 4;
	return spread == SITE_SPREAD_CARRIER ? a / 2 != b / 2 : a != b;
}

/* The least that two cards lose, in whatever order, by trying all. */
static double least_loss(double without_io)
{
	double least = INFINITY;

	for (unsigned a = 0; a < CARDS; a++) {
		for (unsigned b = 0; b < CARDS; b++) {
			char *members[] = { names[a], names[b] };

			if (may_join(a, b, groups[0].spread))
				least = fmin(least, unavailability(members, 2, SITE_IO_AS_SAID) -
							    without_io);
		}
	}
	return least;
}

static void test_a_choice_loses_at_most_a_twentieth_more_than_the_best_of_all(void **state)
{
	uint64_t seed = check_seed();

	for (unsigned round = 0; round < 60; round++) {
		double without_io, chosen, least;
		char *members[2];

		begin(state);
		for (unsigned i = 0; i < CARDS; i++)
			cards[i].reliability = of((double)(1000 + rand_u64(&seed) % 300000));
		for (unsigned i = 0; i < CARDS / 2; i++)
			carriers[i].reliability = of((double)(10000 + rand_u64(&seed) % 500000));
		groups[0].spread = (enum site_spread)(rand_u64(&seed) % 3);
		groups[0].revert = rand_u64(&seed) & 1;
		if (round % 4 == 3) {
			groups[0].coverage = 0.9;
			groups[0].uncovered = SITE_UNCOVERED_WAITS;
			groups[0].recovery_h = 1;
		}
		choose();
		memcpy(members, choices[0].cards, sizeof members);
		without_io = unavailability(members, 2, SITE_IO_PERFECT);
		chosen = unavailability(members, 2, SITE_IO_AS_SAID) - without_io;
		least = least_loss(without_io);
		assert_true(choices[0].all);
		assert_true(fabs(choices[0].loss - chosen) <= 1e-6 * chosen);
		assert_true(chosen <= 1.06 * least);
	}
}

static void test_groups_that_could_choose_the_same_cards_share_them_out(void **state)
{
	(void)state;
	site.groups_count = site.systems_count = GROUPS;
	choose();
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < 2; k++)
			assert_string_not_equal(choices[0].cards[i], choices[1].cards[k]);
}

static void test_a_card_that_fails_often_is_not_chosen(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CARDS; i++)
		cards[i].reliability = of(i == 1 || i == 2 ? 250000 : 10000);
	choose();
	assert_string_equal(choices[0].cards[0], "nic1");
	assert_string_equal(choices[0].cards[1], "nic2");
	assert_ptr_equal(groups[0].cards, choices[0].cards);
	assert_int_equal(groups[0].cards_count, 2);
}

static void test_cards_without_a_function_left_are_passed_over(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CARDS; i++)
		cards[i].vfs = i == 5 || i == 6;
	choose();
	assert_string_equal(choices[0].cards[0], "nic5");
	assert_string_equal(choices[0].cards[1], "nic6");
}

static void test_too_few_functions_are_said(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CARDS; i++)
		cards[i].vfs = i == 5;
	assert_int_equal(site_choose(&site, &heap.memory, choices, &why), -ENOSPC);
	assert_string_equal(why.path, "systems[0].io[0].pool");
	assert_int_equal(heap.memory.used, 0);
}

static void test_of_n_plus_m_the_worst_card_stands_by_cold(void **state)
{
	(void)state;
	groups[0].mode = SITE_REDUNDANCY_N_PLUS_M;
	groups[0].spread = SITE_SPREAD_CHASSIS;
	groups[0].standbys = 1;
	groups[0].standby = SITE_STANDBY_COLD;
	groups[0].switch_over_h = 0.1;
	groups[0].revert = true; /* else either is active half of the time */
	for (unsigned i = 0; i < CARDS; i++)
		cards[i].reliability = of(i < 4 ? 10000 : 250000);
	choose();
	/* One of each chassis; the one that fails less carries. */
	assert_in_range(choices[0].cards[0][3], '4', '7');
	assert_in_range(choices[0].cards[1][3], '0', '3');
}

static void test_more_choices_than_can_be_tried_are_climbed(void **state)
{
	enum { MANY = 100 };
	static struct site_card many[MANY];
	static struct site_carrier one;
	static char many_names[MANY][8];
	static char *list[MANY];

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(many_names[i], sizeof many_names[i], "m%u", i);
		list[i] = many_names[i];
		many[i] = (struct site_card){ .name = list[i],
					      .vfs = 4,
					      .line = "net_null0",
					      .reliability = of(i % 10 == 7 ? 250000 : 5000) };
	}
	one = (struct site_carrier){
		.name = "amc", .cards = many, .cards_count = MANY, .reliability = of(1e12)
	};
	chassis[0].carriers = &one;
	chassis[0].carriers_count = 1;
	site.chassis_count = 1;
	pools[0] = (struct site_pool){ .name = "all", .cards = list, .cards_count = MANY };
	groups[0].spread = SITE_SPREAD_CARD;
	choose();
	pools[0] = (struct site_pool){ .name = "all", .cards = names, .cards_count = CARDS };
	assert_false(choices[0].all);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(choices[0].cards[i][strlen(choices[0].cards[i]) - 1], '7');
}

static void test_the_reason_names_the_choice_and_the_next_best(void **state)
{
	char text[SITE_CHOICE_TEXT_SIZE];

	(void)state;
	for (unsigned i = 0; i < CARDS; i++)
		cards[i].reliability = of(i == 1 || i == 2 ? 250000 : 10000 + i);
	choose();
	site_choice_text(&site, &choices[0], text);
	assert_ptr_equal(strstr(text, "nic1 and nic2 of pool 'all': best of 24 choices; failures "
				      "of I/O cost what uses the group "),
			 text);
	assert_non_null(strstr(text, " s a year, with nic"));
}

static void test_a_group_that_was_not_looked_at_says_so(void **state)
{
	static char *const cards_of_it[] = { "nic3", "nic5" };
	struct site_choice choice = { .group = 0 };
	char text[SITE_CHOICE_TEXT_SIZE];

	(void)state;
	memcpy(choice.cards, cards_of_it, sizeof cards_of_it);
	site_choice_text(&site, &choice, text);
	assert_string_equal(text, "nic3 and nic5 of pool 'all': the least used; 50000 choices for "
				  "groups before it were looked at, and no more are");
}

static void test_a_group_that_nothing_uses_is_chosen_too(void **state)
{
	char text[SITE_CHOICE_TEXT_SIZE];

	(void)state;
	site.systems_count = 0;
	choose();
	assert_true(isnan(choices[0].loss));
	site_choice_text(&site, &choices[0], text);
	assert_string_equal(text, "nic0 and nic2 of pool 'all': no system uses the group, so any "
				  "would do");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_a_choice_loses_at_most_a_twentieth_more_than_the_best_of_all),
		TEST(test_groups_that_could_choose_the_same_cards_share_them_out),
		TEST(test_a_card_that_fails_often_is_not_chosen),
		TEST(test_cards_without_a_function_left_are_passed_over),
		TEST(test_too_few_functions_are_said),
		TEST(test_of_n_plus_m_the_worst_card_stands_by_cold),
		TEST(test_more_choices_than_can_be_tried_are_climbed),
		TEST(test_the_reason_names_the_choice_and_the_next_best),
		TEST(test_a_group_that_was_not_looked_at_says_so),
		TEST(test_a_group_that_nothing_uses_is_chosen_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
