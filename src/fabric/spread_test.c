#include "fabric/spread.h"
#include "tests/check.h"

enum { CARDS = 12, GROUPS = 8, MEMBERS = 4 };

static struct site_card cards[CARDS];
static char names[CARDS][8];
static struct site_carrier carrier = { .name = "carrier", .cards = cards };
static struct site_chassis chassis = { .name = "shelf", .carriers = &carrier, .carriers_count = 1 };
static struct site_group groups[GROUPS];
static char *members[GROUPS][MEMBERS];
static struct site site = { .name = "s", .chassis = &chassis, .chassis_count = 1, .groups = groups };
static struct site_worker_spread spread;

static void begin(unsigned count)
{
	carrier.cards_count = count;
	site.groups_count = 0;
	for (unsigned i = 0; i < count; i++) {
		snprintf(names[i], sizeof names[i], "nic%u", i);
		cards[i] = (struct site_card){ .name = names[i], .vfs = 4 };
	}
}

static struct site_group *group_of(unsigned a, unsigned b)
{
	unsigned g = site.groups_count++;

	members[g][0] = names[a];
	members[g][1] = names[b];
	groups[g] = (struct site_group){
		.name = names[0], .cards = members[g], .cards_count = 2,
		.mode = SITE_REDUNDANCY_ONE_PLUS_ONE,
	};
	return &groups[g];
}

static unsigned clashing_groups(void)
{
	unsigned clashing = 0, a, b;

	for (unsigned g = 0; g < site.groups_count; g++)
		clashing += site_spread_clashes(&spread, &site, g, &a, &b);
	return clashing;
}

static void test_cards_without_groups_take_turns_on_the_workers(void **state)
{
	(void)state;
	begin(7);
	site_spread_workers(&spread, &site, 3);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(spread.worker[i], i % 3);
}

static void test_two_cards_that_stand_in_for_each_other_have_two_workers(void **state)
{
	(void)state;
	for (unsigned a = 0; a < 6; a++)
		for (unsigned b = 0; b < 6; b++) {
			if (a == b)
				continue;
			begin(6);
			group_of(a, b);
			for (unsigned workers = 2; workers < 6; workers++) {
				site_spread_workers(&spread, &site, workers);
				assert_int_not_equal(spread.worker[a], spread.worker[b]);
			}
		}
}

/* The order in which groups and cards stand in the file does not matter. */
static void test_two_workers_are_enough_for_any_chain_of_pairs(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		unsigned order[CARDS], load = 0;

		begin(CARDS);
		for (unsigned i = 0; i < CARDS; i++) {
			unsigned at = (unsigned)(rand_u64(&seed) % (i + 1));

			order[i] = order[at];
			order[at] = i;
		}
		for (unsigned i = 0; i < GROUPS; i++) /* some of the links, so that there are chains and pairs */
			group_of(order[i + (i > 3)], order[i + 1 + (i > 3)]);
		site_spread_workers(&spread, &site, 2);
		assert_int_equal(clashing_groups(), 0);
		for (unsigned i = 0; i < CARDS; i++)
			load += spread.worker[i];
		assert_in_range(load, CARDS / 2 - 1, CARDS / 2 + 1);
	}
}

static void test_a_group_that_one_worker_must_have_is_told(void **state)
{
	unsigned a = 9, b = 9;

	(void)state;
	begin(4);
	group_of(3, 1);
	group_of(0, 2)->mode = SITE_REDUNDANCY_NONE;
	site_spread_workers(&spread, &site, 1);
	assert_true(site_spread_clashes(&spread, &site, 0, &a, &b));
	assert_int_equal(a, 0);
	assert_int_equal(b, 1);
	assert_false(site_spread_clashes(&spread, &site, 1, &a, &b)); /* they do not stand in */
	/* Three in a ring need three. */
	begin(3);
	group_of(0, 1);
	group_of(1, 2);
	group_of(2, 0);
	site_spread_workers(&spread, &site, 2);
	assert_int_equal(clashing_groups(), 1);
	site_spread_workers(&spread, &site, 3);
	assert_int_equal(clashing_groups(), 0);
}

/* Active cards of N+M may share a worker, the standbys may have none of theirs. */
static void test_standbys_have_none_of_the_workers_of_the_active_cards(void **state)
{
	struct site_group *group;

	(void)state;
	begin(4);
	group = group_of(0, 1);
	group->mode = SITE_REDUNDANCY_N_PLUS_M;
	group->standbys = 1;
	members[0][2] = names[2];
	members[0][3] = names[3];
	group->cards_count = 4;
	site_spread_workers(&spread, &site, 2);
	assert_int_equal(clashing_groups(), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_not_equal(spread.worker[i], spread.worker[3]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cards_without_groups_take_turns_on_the_workers),
		cmocka_unit_test(test_two_cards_that_stand_in_for_each_other_have_two_workers),
		cmocka_unit_test(test_two_workers_are_enough_for_any_chain_of_pairs),
		cmocka_unit_test(test_a_group_that_one_worker_must_have_is_told),
		cmocka_unit_test(test_standbys_have_none_of_the_workers_of_the_active_cards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
