/* Every file of tests/site/bad is refused with the words of its first lines; every example loads.
 */
#include "store/site_file.h"
#include "fabric/site_check.h"
#include "store/site_number.h"
#include "store/site_schema.h"
#include "tests/check.h"
#include "tests/page.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>

#define ROOT MIDPLANE_SOURCE_ROOT
enum { FINDINGS_SIZE = 64 * 1024 };

/* What was reported, and what the file says should be: a line each. */
static char reported[FINDINGS_SIZE], expected[FINDINGS_SIZE];

static void add(char *text, const char *format, ...) printf_like(2, 3);

static void add(char *text, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	assert_true(used < FINDINGS_SIZE - 1024);
	vsnprintf(text + used, FINDINGS_SIZE - used, format, args);
	va_end(args);
}

static void keep(void *arg, const struct site_finding *finding)
{
	(void)arg;
	if (finding->line)
		add(reported, "%u: ", finding->line);
	if (finding->what->path[0])
		add(reported, "%s: ", finding->what->path);
	add(reported, "%s%s\n", finding->warning ? "warning: " : "", finding->what->text);
}

static void read_expected(const char *path)
{
	static const char mark[] = "# expect: ";
	FILE *file = fopen(path, "r");
	char line[1024];

	assert_non_null(file);
	expected[0] = 0;
	while (fgets(line, sizeof line, file) && strncmp(line, mark, sizeof mark - 1) == 0)
		add(expected, "%s", line + sizeof mark - 1);
	fclose(file);
}

/* Calls 'each' for the files of a directory whose name ends in .yaml; returns how many. */
static unsigned for_each_file(const char *directory, void (*each)(const char *path))
{
	struct dirent **entries;
	int count = scandir(directory, &entries, NULL, alphasort);
	unsigned files = 0;
	char path[4096];

	assert_true(count >= 0);
	for (int i = 0; i < count; i++) {
		const char *dot = strrchr(entries[i]->d_name, '.');

		if (dot && strcmp(dot, ".yaml") == 0) {
			snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
			each(path);
			files++;
		}
		free(entries[i]);
	}
	free(entries);
	return files;
}

static void expect_refused(const char *path)
{
	struct site *site;

	read_expected(path);
	reported[0] = 0;
	print_message("# %s\n", path + sizeof ROOT);
	assert_int_not_equal(strlen(expected), 0);
	assert_int_equal(site_file_load(path, &site, keep, NULL), -EINVAL);
	assert_null(site);
	assert_string_equal(reported, expected);
}

static void test_each_bad_file_is_refused_with_the_words_it_expects(void **state)
{
	(void)state;
	assert_true(for_each_file(ROOT "/tests/site/bad", expect_refused) > 100);
}

static void expect_accepted(const char *path)
{
	reported[0] = 0;
	print_message("# %s\n", path + sizeof ROOT);
	assert_int_equal(site_check_file(path, keep, NULL), 0);
	assert_string_equal(reported, "");
}

static void test_each_example_is_accepted_without_a_word(void **state)
{
	(void)state;
	assert_true(for_each_file(ROOT "/examples", expect_accepted) >= 3);
}

static struct site *load(const char *text)
{
	struct site *site;

	reported[0] = 0;
	if (site_file_load_bytes("text", text, strlen(text), &site, keep, NULL) != 0)
		print_message("%s", reported);
	assert_non_null(site);
	return site;
}

#define HEAD                                                                         \
	"name: s\nchassis: [{name: c, carriers: [{name: r, cards: [{name: n, line: " \
	"net_null0}]}]}]\n"                                                          \
	"hosts: [{name: h, chassis: c}]\npools: [{name: p, cards: [n]}]\n"

static void test_what_a_file_leaves_out_has_the_documented_default(void **state)
{
	struct site *site = load(HEAD "systems: [{name: y, host: h, io: [{pool: p}]}]\n");
	const struct site_card *card = &site->chassis[0].carriers[0].cards[0];
	const struct site_io *io = &site->systems[0].io[0];

	(void)state;
	assert_int_equal(site->workers, 0);
	assert_int_equal(site->heartbeat_ms, 30);
	assert_int_equal(site->idle_wake_us, 1000);
	assert_int_equal(site->quarantine_faults, 64);
	assert_int_equal(site->quarantine_window_s, 10);
	assert_int_equal(site->groups_count, 0);
	assert_int_equal(card->card_class, SITE_CARD_NIC);
	assert_int_equal(card->vfs, 16);
	assert_int_equal(card->line_rate_bps, 0);
	assert_int_equal(card->mtu, 1500);
	assert_int_equal(card->fdb_entries, 4096);
	assert_int_equal(card->fdb_age_s, 300);
	assert_string_equal(io->name, "net0");
	assert_int_equal(io->attachment, SITE_ATTACH_VHOST_USER);
	assert_int_equal(io->socket_mode, SITE_SOCKET_SERVER);
	assert_null(io->socket);
	assert_null(io->interface);
	assert_null(io->netns);
	assert_null(io->mac);
	assert_null(io->redundancy);
	assert_null(io->mirror_to);
	assert_int_equal(io->vlan, 0);
	assert_int_equal(io->rate_bps, 0);
	assert_int_equal(io->rate_pps, 0);
	assert_int_equal(io->weight, 100);
	assert_int_equal(io->priority, 0);
	assert_int_equal(io->queues, 1);
	assert_true(io->spoof_check);
	assert_false(io->isolated);
	assert_false(io->packed);
	site_file_free(site);
}

static void test_what_a_file_says_arrives(void **state)
{
	struct site *site = load(
		HEAD
		"workers: 1\nheartbeat_ms: 50\nidle_wake_us: 200\n"
		"quarantine_faults: 0\nquarantine_window_s: 3600\n"
		"groups: []\n"
		"systems:\n"
		" - name: y\n   host: h\n   io:\n"
		"   - {name: a, pool: p, socket: '/tmp/a \\\"b', socket_mode: client, mac: "
		"52:54:00:12:34:56,\n"
		"      vlan: 4094, rate: 2.5Gbit, pps: 1M, weight: 7, priority: 3, queues: 4,\n"
		"      spoof_check: off, isolated: yes, mirror_to: y/b, packed: true}\n"
		"   - {name: b, pool: p, attachment: tap, interface: mp0, netns: blue}\n");
	const struct site_io *a = &site->systems[0].io[0], *b = &site->systems[0].io[1];

	(void)state;
	assert_int_equal(site->workers, 1);
	assert_int_equal(site->heartbeat_ms, 50);
	assert_int_equal(site->idle_wake_us, 200);
	assert_int_equal(site->quarantine_faults, 0);
	assert_int_equal(site->quarantine_window_s, 3600);
	assert_string_equal(a->socket, "/tmp/a \\\"b");
	assert_int_equal(a->socket_mode, SITE_SOCKET_CLIENT);
	assert_int_equal(site_io_mac(site, 0, 0), UINT64_C(0x525400123456));
	assert_int_equal(a->vlan, 4094);
	assert_int_equal(a->rate_bps, UINT64_C(2500000000));
	assert_int_equal(a->rate_pps, 1000000);
	assert_int_equal(a->weight, 7);
	assert_int_equal(a->priority, 3);
	assert_int_equal(a->queues, 4);
	assert_false(a->spoof_check);
	assert_true(a->isolated);
	assert_string_equal(a->mirror_to, "y/b");
	assert_true(a->packed);
	assert_int_equal(b->attachment, SITE_ATTACH_TAP);
	assert_string_equal(b->interface, "mp0");
	assert_string_equal(b->netns, "blue");
	site_file_free(site);
}

static void keep_refusal(void *arg, const struct refusal *finding)
{
	(void)arg;
	add(reported, "%s: %s\n", finding->path, finding->text);
}

static void expect_copied(const char *path)
{
	struct site *site, *copy;

	assert_int_equal(site_file_load(path, &site, keep, NULL), 0);
	assert_int_equal(site_copy(&copy, site), 0);
	assert_string_equal(copy->name, site->name);
	assert_ptr_not_equal(copy->chassis, site->chassis);
	assert_int_equal(copy->systems_count, site->systems_count);
	for (unsigned g = 0; g < site->groups_count; g++) {
		const struct site_group *a = &site->groups[g], *b = &copy->groups[g];

		assert_int_equal(a->cards_count, b->cards_count);
		for (unsigned i = 0; i < a->cards_count; i++)
			assert_string_equal(a->cards[i], b->cards[i]);
		assert_true(a->coverage <= b->coverage && a->coverage >= b->coverage);
		assert_int_equal(!a->chosen, !b->chosen);
		if (a->chosen)
			assert_string_equal(a->chosen, b->chosen);
	}
	site_file_free(site); /* nothing of it is in the copy */
	if (site_check(copy, keep_refusal, NULL) != 0)
		fail_msg("%s: %s", path, reported);
	site_file_free(copy);
}

static void test_a_copy_of_each_example_stands_alone(void **state)
{
	(void)state;
	assert_true(for_each_file(ROOT "/examples", expect_copied) >= 3);
}

static void test_more_cards_than_are_allowed_are_counted(void **state)
{
	enum { SIZE = 400 * 1024 };
	char *text = malloc(SIZE);
	struct site *site;

	(void)state;
	assert_non_null(text);
	size_t used = (size_t)snprintf(text, SIZE, "name: s\nchassis:\n");

	for (unsigned card = 0; card <= SITE_CARDS_MAX; card++) {
		if (card % (64 * 64) == 0)
			used += (size_t)snprintf(text + used, SIZE - used,
						 " - name: c%u\n   carriers:\n", card);
		if (card % 64 == 0)
			used += (size_t)snprintf(text + used, SIZE - used,
						 "    - name: r%u\n      cards:\n", card);
		used += (size_t)snprintf(text + used, SIZE - used,
					 "       - {name: n%u, line: net_null%u}\n", card, card);
		assert_true(used < SIZE);
	}
	reported[0] = 0;
	assert_int_equal(site_file_load_bytes("text", text, used, &site, keep, NULL), -EINVAL);
	assert_string_equal(reported,
			    "2: chassis: there are 4097 cards; at most 4096 are allowed\n");
	free(text);
}

static void test_more_workers_than_cpus_is_a_warning(void **state)
{
	struct site *site = load(HEAD "workers: 64\n");

	(void)state;
	assert_non_null(strstr(reported, "5: workers: warning: 64 data threads will share"));
	site_file_free(site);
}

static void test_a_file_that_cannot_be_read_is_said_so(void **state)
{
	struct site *site;

	(void)state;
	reported[0] = 0;
	assert_int_equal(site_file_load("/nonexistent/site.yaml", &site, keep, NULL), -ENOENT);
	assert_string_equal(reported, "cannot be read: No such file or directory\n");
	reported[0] = 0;
	assert_int_equal(site_file_load("/", &site, keep, NULL), -EISDIR);
	assert_int_equal(site_file_load("/nonexistent", &site, NULL, NULL), -ENOENT);
	site_file_free(NULL);
}

static void test_a_file_past_the_limit_is_refused(void **state)
{
	struct site *site;
	char *bytes = calloc(1, SITE_FILE_SIZE_MAX + 1);

	(void)state;
	reported[0] = 0;
	assert_int_equal(
		site_file_load_bytes("big", bytes, SITE_FILE_SIZE_MAX + 1, &site, keep, NULL),
		-EINVAL);
	assert_string_equal(reported, "is larger than 4 MiB\n");
	free(bytes);
}

static void test_rates_are_read_as_people_write_them(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {
		{ "0", 0 },
		{ "64000", 64000 },
		{ "2.5Gbit", 2500000000 },
		{ "100Mbit", 100000000 },
		{ "100 mbit/s", 100000000 },
		{ "10kbps", 10000 },
		{ "1.000001M", 1000001 },
		{ "4T", UINT64_C(4000000000000) },
	};
	static const char *const bad[] = { "",
					   "G",
					   ".5G",
					   "1.",
					   "1..5G",
					   "1.5",
					   "1e9",
					   "-1",
					   "+1",
					   "1 000",
					   "01",
					   "1Gb",
					   "1GbitX",
					   "1  Gbit",
					   "0x10",
					   "18446744073709551616",
					   "18446744073709551615T",
					   "1.00000000000000001T" };
	uint64_t value;

	(void)state;
	for (unsigned i = 0; i < array_len(good); i++) {
		assert_true(site_rate_parse(good[i].text, &value));
		assert_int_equal(value, good[i].value);
	}
	for (unsigned i = 0; i < array_len(bad); i++)
		assert_false(site_rate_parse(bad[i], &value));
	assert_true(site_pps_parse("1.5Mpps", &value));
	assert_int_equal(value, 1500000);
	assert_false(site_pps_parse("1Mbit", &value));
}

static void test_sizes_are_read_as_people_write_them(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {
		{ "0", 0 },		      { "4096", 4096 },
		{ "64KiB", 64 << 10 },	      { "1.5MiB", 3 << 19 },
		{ "10 GiB", UINT64_C(10) << 30 }, { "2Ti", UINT64_C(2) << 40 },
		{ "500G", UINT64_C(500000000000) }, { "4kB", 4000 },
		{ "0.5KiB", 512 },	      { "17B", 17 },
	};
	static const char *const bad[] = { "",	    "KiB",   "1kiB",   "1KIB",	 "-1MiB",    "1MiBx",
					   "1 1MiB", "8 megs", "0.3KiB", "1EiB", "1.0001KiB", "1K iB",
					   "99999999999TiB", "1bit" };
	uint64_t value;

	(void)state;
	for (unsigned i = 0; i < array_len(good); i++) {
		assert_true(site_size_parse(good[i].text, &value));
		assert_int_equal(value, good[i].value);
	}
	for (unsigned i = 0; i < array_len(bad); i++)
		assert_false(site_size_parse(bad[i], &value));
}

static void test_times_and_shares_are_read_as_people_write_them(void **state)
{
	static const char *const bad[] = { "",	     "h",     "-1h",   "4",   "4 hours",
					   "1e999h", "2e12h", "0x10h", "nan", "inf",
					   ".5h",    "4hh",   "1 1h" };
	double value;

	(void)state;
	assert_true(site_hours_parse("250000h", &value) && value == 250000);
	assert_true(site_hours_parse("1.5 d", &value) && value == 36);
	assert_true(site_hours_parse("20y", &value) && value == 175200);
	assert_true(site_hours_parse("30min", &value) && value == 0.5);
	assert_true(site_hours_parse("36s", &value) && fabs(value - 0.01) < 1e-15);
	assert_true(site_hours_parse("50ms", &value) && fabs(value - 50 / 3600e3) < 1e-20);
	assert_true(site_hours_parse("0", &value) && value == 0);
	for (unsigned i = 0; i < array_len(bad); i++)
		assert_false(site_hours_parse(bad[i], &value));
	assert_true(site_share_parse("0.95", &value) && value == 0.95);
	assert_true(site_share_parse("95%", &value) && fabs(value - 0.95) < 1e-15);
	assert_true(site_share_parse("1", &value) && value == 1);
	assert_false(site_share_parse("1.0001", &value));
	assert_false(site_share_parse("101 %", &value));
	assert_false(site_share_parse("-0.1", &value));
	assert_false(site_share_parse("0.5x", &value));
}

static void test_the_reference_page_is_up_to_date(void **state)
{
	(void)state;
	page_is_up_to_date(ROOT "/docs/site-file.md", site_schema_print);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_bad_file_is_refused_with_the_words_it_expects),
		cmocka_unit_test(test_each_example_is_accepted_without_a_word),
		cmocka_unit_test(test_what_a_file_leaves_out_has_the_documented_default),
		cmocka_unit_test(test_what_a_file_says_arrives),
		cmocka_unit_test(test_a_copy_of_each_example_stands_alone),
		cmocka_unit_test(test_more_cards_than_are_allowed_are_counted),
		cmocka_unit_test(test_more_workers_than_cpus_is_a_warning),
		cmocka_unit_test(test_a_file_that_cannot_be_read_is_said_so),
		cmocka_unit_test(test_a_file_past_the_limit_is_refused),
		cmocka_unit_test(test_rates_are_read_as_people_write_them),
		cmocka_unit_test(test_sizes_are_read_as_people_write_them),
		cmocka_unit_test(test_times_and_shares_are_read_as_people_write_them),
		cmocka_unit_test(test_the_reference_page_is_up_to_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
