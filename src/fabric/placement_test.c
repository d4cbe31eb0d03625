#include "fabric/placement.h"
#include "fabric/site_check.h"
#include "tests/check.h"

#include <errno.h>

enum { IOS = 64 };

/* Three cards: a and b on carriers of one chassis, c in another. */
static struct site_card cards_a[] = { { .name = "a", .vfs = 4, .line = "net_null0" } };
static struct site_card cards_b[] = { { .name = "b", .vfs = 4, .line = "net_null1" } };
static struct site_card cards_c[] = { { .name = "c", .vfs = 2, .line = "0000:03:00.0" } };
static struct site_carrier carriers_n[] = { { .name = "n1", .cards = cards_a, .cards_count = 1 },
					     { .name = "n2", .cards = cards_b, .cards_count = 1 } };
static struct site_carrier carriers_s[] = { { .name = "s1", .cards = cards_c, .cards_count = 1 } };
static struct site_chassis chassis[] = { { .name = "north", .carriers = carriers_n, .carriers_count = 2 },
					 { .name = "south", .carriers = carriers_s, .carriers_count = 1 } };
static struct site_host hosts[] = { { .name = "blade", .chassis = "north" } };
static char *all[] = { "a", "b", "c" }, *only_c[] = { "c" }, *ab[] = { "a", "b" };
static struct site_pool pools[] = { { "all", all, 3 }, { "small", only_c, 1 } };
static struct site_group groups[] = {
	{ .name = "pair", .cards = ab, .cards_count = 2, .mode = SITE_REDUNDANCY_ONE_PLUS_ONE },
	{ .name = "back",
	  .cards = ab,
	  .cards_count = 2,
	  .mode = SITE_REDUNDANCY_ONE_PLUS_ONE,
	  .revert = true },
	{ .name = "spare", .cards = all, .cards_count = 3, .mode = SITE_REDUNDANCY_N_PLUS_M, .standbys = 1 },
	{ .name = "spares", .cards = all, .cards_count = 3, .mode = SITE_REDUNDANCY_N_PLUS_M, .standbys = 2 },
};
static struct site_io ios[IOS];
static char names[IOS][8];
static struct site_system systems[] = { { .name = "web", .host = "blade", .io = ios } };
static struct site site = {
	.name = "s",
	.chassis = chassis,
	.chassis_count = 2,
	.hosts = hosts,
	.hosts_count = 1,
	.pools = pools,
	.pools_count = 2,
	.groups = groups,
	.groups_count = array_len(groups),
	.systems = systems,
	.systems_count = 1,
};
static struct placement rows[IOS];
static struct refusal why;

static void begin(void)
{
	systems[0].io_count = 0;
}

static struct site_io *add(char *pool, char *group)
{
	unsigned n = systems[0].io_count++;

	snprintf(names[n], sizeof names[n], "net%u", n);
	ios[n] = (struct site_io){
		.name = names[n], .pool = pool, .redundancy = group, .queues = 1, .weight = 100
	};
	return &ios[n];
}

static void expect_member(unsigned row, unsigned member, unsigned card, unsigned vf)
{
	assert_int_equal(rows[row].member[member].card, card);
	assert_int_equal(rows[row].member[member].vf, vf);
}

static void test_interfaces_go_to_the_card_with_the_most_free_functions(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i < 3; i++)
		add("all", NULL);
	assert_int_equal(placement_make(&site, rows, &why), 0);
	expect_member(0, 0, 0, 1);
	expect_member(1, 0, 1, 1);
	expect_member(2, 0, 0, 2);
	assert_int_equal(rows[0].member_count, 1);
}

static void test_groups_are_balanced_unless_they_revert(void **state)
{
	(void)state;
	begin();
	add("all", "pair");
	add("all", "pair");
	add("all", "back");
	add("all", "back");
	assert_int_equal(placement_make(&site, rows, &why), 0);
	expect_member(0, 0, 0, 1);
	expect_member(0, 1, 1, 1);
	expect_member(1, 0, 1, 2);
	expect_member(1, 1, 0, 2);
	expect_member(2, 0, 0, 3);
	expect_member(3, 0, 0, 4);
	expect_member(3, 1, 1, 4);
}

static void test_those_that_share_a_disk_are_on_the_cards_of_its_owner(void **state)
{
	(void)state;
	begin();
	add("all", NULL)->shares = "web/net3"; /* before its owner in the file */
	add("all", NULL);
	add("all", "pair")->shares = "web/net5";
	add("all", NULL);
	add("all", NULL);
	add("all", "pair");
	assert_int_equal(placement_make(&site, rows, &why), 0);
	assert_int_equal(rows[5].member_count, 2);
	assert_int_equal(rows[2].member_count, 2);
	for (unsigned m = 0; m < 2; m++) {
		assert_int_equal(rows[2].member[m].card, rows[5].member[m].card);
		assert_int_not_equal(rows[2].member[m].vf, rows[5].member[m].vf);
	}
	assert_int_equal(rows[0].member_count, 1);
	assert_int_equal(rows[0].io, 0);
	assert_int_equal(rows[0].member[0].card, rows[3].member[0].card);
	assert_int_not_equal(rows[0].member[0].vf, rows[3].member[0].vf);
	for (unsigned n = 0; n < 4; n++)
		add("all", NULL)->shares = "web/net3";
	assert_int_equal(placement_make(&site, rows, &why), -ENOSPC);
	assert_string_equal(why.path, "systems[0].io[6].shares");
}

static void test_n_plus_m_groups_take_turns_and_have_every_standby(void **state)
{
	(void)state;
	begin();
	add("all", "spare");
	add("all", "spare");
	assert_int_equal(placement_make(&site, rows, &why), 0);
	assert_int_equal(rows[0].member_count, 2);
	expect_member(0, 0, 0, 1);
	expect_member(0, 1, 2, 1);
	expect_member(1, 0, 1, 1);
	expect_member(1, 1, 2, 2);
	add("all", "spare");
	assert_int_equal(placement_make(&site, rows, &why), -ENOSPC); /* the standby has two functions */
	begin();
	add("all", "spares");
	add("all", "spares");
	assert_int_equal(placement_make(&site, rows, &why), 0);
	assert_int_equal(rows[0].member_count, 3);
	expect_member(0, 0, 0, 1);
	expect_member(0, 1, 2, 1);
	expect_member(0, 2, 1, 1);
	expect_member(1, 0, 0, 2);
	expect_member(1, 1, 1, 2);
	expect_member(1, 2, 2, 2);
}

static void test_groups_and_small_pools_are_served_first(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i < 4; i++)
		add("all", NULL);
	add("small", NULL);
	add("small", NULL);
	add("all", "pair");
	add("all", "pair");
	assert_int_equal(placement_make(&site, rows, &why), 0);
	expect_member(6, 0, 0, 1);
	expect_member(4, 0, 2, 1);
	expect_member(0, 0, 0, 3);
	assert_int_equal(site_check(&site, NULL, NULL), 0);
	add("all", NULL);
	assert_int_equal(placement_make(&site, rows, &why), -ENOSPC);
	assert_string_equal(why.path, "systems[0].io[8].pool");
	assert_string_equal(why.text, "no function is left in pool 'all' for interface 'web/net8'");
}

/* Random interfaces: what is placed is in the right pool, on the right cards, and nothing twice;
 * and whatever is refused has no room when the nested pools are counted plainly. */
static void test_a_placement_is_found_exactly_when_there_is_one(void **state)
{
	uint64_t seed = check_seed();
	unsigned placed = 0, refused = 0;

	(void)state;
	for (unsigned run = 0; run < 5000; run++) {
		unsigned small = 0, grouped = 0, others = 0, used[3][5] = { { 0 } };
		bool room;

		begin();
		for (unsigned n = (unsigned)(rand_u64(&seed) % 12); n; n--) {
			switch (rand_u64(&seed) % 3) {
			case 0:
				add("small", NULL);
				small++;
				break;
			case 1:
				add("all", rand_u64(&seed) % 2 ? "pair" : "back");
				grouped++;
				break;
			default:
				add("all", NULL);
				others++;
			}
		}
		room = small <= 2 && grouped <= 4 && small + 2 * grouped + others <= 10;
		assert_int_equal(placement_make(&site, rows, &why), room ? 0 : -ENOSPC);
		assert_int_equal(site_check(&site, NULL, NULL) == 0, room);
		placed += room;
		refused += !room;
		for (unsigned i = 0; room && i < systems[0].io_count; i++) {
			assert_int_equal(rows[i].member_count, ios[i].redundancy ? 2 : 1);
			for (unsigned m = 0; m < rows[i].member_count; m++) {
				const struct placement_function *f = &rows[i].member[m];

				assert_in_range(f->vf, 1, f->card == 2 ? 2 : 4);
				assert_int_equal(used[f->card][f->vf]++, 0);
				if (ios[i].redundancy)
					assert_true(f->card < 2);
				if (strcmp(ios[i].pool, "small") == 0)
					assert_int_equal(f->card, 2);
			}
			if (ios[i].redundancy)
				assert_int_not_equal(rows[i].member[0].card,
						     rows[i].member[1].card);
		}
	}
	assert_true(placed > 500 && refused > 500);
}

static void test_cards_and_pools_are_found_by_name_and_number(void **state)
{
	struct site_card_place place;

	(void)state;
	assert_int_equal(site_card_count(&site), 3);
	assert_true(site_card_at(&site, 2, &place));
	assert_string_equal(place.card->name, "c");
	assert_string_equal(place.carrier->name, "s1");
	assert_string_equal(place.chassis->name, "south");
	assert_false(site_card_at(&site, 3, &place));
	assert_int_equal(site_card_find(&site, "b"), 1);
	assert_int_equal(site_card_find(&site, "d"), -1);
	assert_int_equal(site_pool_find(&site, "small"), 1);
	assert_int_equal(site_pool_find(&site, "large"), -1);
}

static void test_derived_addresses_are_local_unicast_and_stable(void **state)
{
	uint64_t first, second;

	(void)state;
	begin();
	add("all", NULL);
	add("all", "back");
	first = site_io_mac(&site, 0, 0);
	second = site_io_mac(&site, 0, 1);
	assert_int_equal(first >> 40 & 3, 2);
	assert_int_equal(first >> 48, 0);
	assert_int_not_equal(first, second);
	assert_int_equal(first, site_io_mac(&site, 0, 0));
	assert_false(site_io_reverts(&site, &ios[0]));
	assert_true(site_io_reverts(&site, &ios[1]));
	ios[0].mac = "52:54:00:ab:CD:ef";
	assert_int_equal(site_io_mac(&site, 0, 0), UINT64_C(0x525400abcdef));
}

static void test_sockets_are_derived_from_names(void **state)
{
	char path[SITE_SOCKET_MAX + 1], dir[SITE_SOCKET_MAX];

	(void)state;
	begin();
	add("all", NULL);
	assert_int_equal(site_io_socket(&systems[0], &ios[0], "/run/s", path), 0);
	assert_string_equal(path, "/run/s/web-net0.sock");
	memset(dir, 'd', sizeof dir);
	dir[sizeof dir - 1] = 0;
	assert_int_equal(site_io_socket(&systems[0], &ios[0], dir, path), -ENAMETOOLONG);
	ios[0].socket = "/tmp/x";
	assert_int_equal(site_io_socket(&systems[0], &ios[0], dir, path), 0);
	assert_string_equal(path, "/tmp/x");
}

static char found[4][sizeof(struct refusal) + 4];
static unsigned found_count;

static void keep(void *arg, const struct refusal *finding)
{
	(void)arg;
	assert_true(found_count < array_len(found));
	snprintf(found[found_count++], sizeof found[0], "%s: %s", finding->path, finding->text);
}

/* What the schema of the file refuses earlier is refused here too, for sites made by hand. */
static void test_sites_made_by_hand_are_checked_as_well(void **state)
{
	static char *one[] = { "a" };
	struct site_group pair = groups[0];
	struct site_pool small = pools[1];

	(void)state;
	begin();
	add("all", NULL)->mac = "nonsense";
	groups[0].cards = one;
	groups[0].cards_count = 1;
	pools[1].cards_count = 0;
	found_count = 0;
	assert_int_equal(site_check(&site, keep, NULL), 3);
	assert_string_equal(found[0],
			    "pools[1].cards: pool 'small' has no card; the cards are: a, b, c");
	assert_string_equal(
		found[1], "groups[0].cards: group 'pair' has 1 cards; mode 1+1 takes exactly two");
	assert_string_equal(found[2], "systems[0].io[0].mac: 'nonsense' is no MAC address, such as "
				      "52:54:00:12:34:56");
	groups[0] = pair;
	pools[1] = small;
	ios[0].mac = "01:00:00:00:00:00";
	found_count = 0;
	assert_int_equal(site_check(&site, keep, NULL), 1);
	assert_non_null(strstr(found[0], "is not a unicast address"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interfaces_go_to_the_card_with_the_most_free_functions),
		cmocka_unit_test(test_groups_are_balanced_unless_they_revert),
		cmocka_unit_test(test_those_that_share_a_disk_are_on_the_cards_of_its_owner),
		cmocka_unit_test(test_n_plus_m_groups_take_turns_and_have_every_standby),
		cmocka_unit_test(test_groups_and_small_pools_are_served_first),
		cmocka_unit_test(test_a_placement_is_found_exactly_when_there_is_one),
		cmocka_unit_test(test_cards_and_pools_are_found_by_name_and_number),
		cmocka_unit_test(test_derived_addresses_are_local_unicast_and_stable),
		cmocka_unit_test(test_sockets_are_derived_from_names),
		cmocka_unit_test(test_sites_made_by_hand_are_checked_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
