/* Models written by hand: every example has the figures that it cites, every file of
 * tests/avail/bad is refused with the words of its first lines, and the reference page is current.
 */
#include "store/avail_file.h"
#include "store/avail_number.h"
#include "store/avail_open.h"
#include "store/file_bytes.h"
#include "tests/avail_reader.h"
#include "tests/page.h"

#include <dirent.h>
#include <unistd.h>

#define ROOT	 MIDPLANE_SOURCE_ROOT
#define EXAMPLES ROOT "/examples/avail/"

static int read_text(const char *text)
{
	struct avail_findings findings = { .report = keep };

	return avail_file_read("text", text, strlen(text), &model, &findings);
}

static int read_path(const char *path)
{
	struct avail_findings findings = { .report = keep };
	struct file_bytes file;
	int err = file_bytes_read(path, AVAIL_FILE_SIZE_MAX, &file);

	assert_int_equal(err, 0);
	read_as = path;
	err = avail_file_read(path, file.bytes, file.size, &model, &findings);
	file_bytes_free(&file);
	return err;
}

static void without_a_word(int err)
{
	if (err)
		print_error("%s", reported);
	assert_int_equal(err, 0);
	assert_string_equal(reported, "");
}

/* --- examples --- */

static void test_the_bridge_works_as_its_example_says(void **state)
{
	(void)state;
	without_a_word(read_path(EXAMPLES "bridge.yaml"));
	assert_int_equal(model.top_count, 1);
	near(1 - probability("bridge"), 0.97848, 1e-14);
}

static void test_cards_on_one_carrier_are_no_pair(void **state)
{
	(void)state;
	without_a_word(read_path(EXAMPLES "io-cards.yaml"));
	near(probability("one-carrier"), 1.2000143989696316e-5, 1e-13); /* by fractions */
	near(probability("two-carriers"), 4.0005599762566645e-6, 1e-13);
	assert_int_equal(model.fru_count, 6);
	assert_string_equal(model.frus[1].kind, "carrier");
	assert_int_equal(model.events[4].fru, 4);
}

static void test_power_supplies_have_a_crew(void **state)
{
	(void)state;
	without_a_word(read_path(EXAMPLES "power-supplies.yaml"));
	near(probability("power"), 2.3998400072e-9, 1e-10); /* a crew for each */
	assert_int_equal(model.crew_count, 1);
	assert_int_equal(model.crews[0].crews, 1);
	assert_int_equal(model.crews[0].count, 4);
	near(model.frus[0].cost, 300, 0);
}

/* Probability that exactly these of the shares are lost, and 'down' is not. */
static double delivered(const struct avail_capacity *capacity, double wanted)
{
	double sum = 0;

	for (uint32_t state = 0; state < 64; state++) { /* four links, two switches */
		double share = 1, left = 0;
		bool down = (state >> 4) == 3;

		for (uint32_t i = 0; i < 6; i++) {
			double p = i < 4 ? 0.001 : 0.0005;

			share *= state >> i & 1 ? p : 1 - p;
			left += i < 4 && !(state >> i & 1)
					? model.shares[capacity->first + i].amount
					: 0;
		}
		sum += (down ? 0 : left) == wanted ? share : 0;
	}
	return sum;
}

static void test_links_deliver_what_their_example_says(void **state)
{
	const struct avail_capacity *capacity;

	(void)state;
	without_a_word(read_path(EXAMPLES "capacity.yaml"));
	capacity = &model.capacities[model.tops[0].capacity];
	assert_string_equal(capacity->unit, "Gbit/s");
	assert_int_equal(capacity->count, 4);
	assert_int_equal(capacity->down.kind, AVAIL_TERM_GATE);
	near(delivered(capacity, 40), 0.996005746999501, 1e-14);
	near(delivered(capacity, 0), 2.500010000e-7, 1e-9);
	near(probability("uplink"), 2.500010000e-7, 1e-9);
}

static void test_one_plus_one_says_how_it_switches(void **state)
{
	const struct avail_standby *standby;

	(void)state;
	without_a_word(read_path(EXAMPLES "one-plus-one.yaml"));
	assert_int_equal(model.standby_count, 1);
	standby = &model.standbys[0];
	assert_int_equal(model.gates[standby->gate].standby, 0);
	assert_int_equal(standby->needed, 1);
	assert_int_equal(standby->mode, AVAIL_HOT);
	near(standby->coverage, 0.99, 0);
	assert_int_equal(standby->uncovered, AVAIL_UNCOVERED_TAKES_ALL);
	near(standby->recovery_h, 1, 0);
	near(standby->switch_h, 0, 0);
	assert_false(standby->reverts);
	near(enumerate_value(&model, model.events[0].repair_h), 4, 0);
	near(enumerate_value(&model, model.events[0].failure_rate), 1e-4, 1e-15);
}

static void test_what_is_not_known_exactly_has_a_distribution(void **state)
{
	double q = 4.75e-6 * 8 / (1 + 4.75e-6 * 8), all = 0.25e-6 * 8 / (1 + 0.25e-6 * 8);
	double controller = 8.0 / (8 + 40 * 8760), software = 1.0 / 120 / (2000 + 1.0 / 120);
	double hot = 1 - (1 - all) * (1 - 3 * q * q * (1 - q) - q * q * q);

	(void)state;
	without_a_word(read_path(EXAMPLES "uncertain.yaml"));
	near(model.mission_h, 90 * 24, 0);
	near(probability("no-cooling"), 1 - (1 - hot) * (1 - controller) * (1 - software), 1e-10);
	assert_int_equal(model.ccfs[0].rated, true);
	assert_string_equal(model.name, "uncertain");
}

static int is_yaml(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".yaml") == 0;
}

static void test_each_example_is_accepted_without_a_word(void **state)
{
	struct dirent **entries;
	int count;

	assert_int_equal(chdir(EXAMPLES), 0);
	count = scandir(".", &entries, is_yaml, alphasort);
	assert_true(count >= 6);
	for (int i = 0; i < count; i++) {
		without_a_word(read_path(entries[i]->d_name));
		assert_true(model.top_count > 0);
		assert_int_equal(end(state), 0);
		begin(state);
		free(entries[i]);
	}
	free(entries);
}

/* --- what keys mean --- */

#define EVENTS                                              \
	"name: m\nevents:\n- {name: a, probability: 0.1}\n" \
	"- {name: b, probability: 0.2}\n- {name: c, probability: 30%}\n"

static void gate_is(const char *gate, double p)
{
	char text[512];

	snprintf(text, sizeof text, "%sgates:\n- {name: g, %s}\n", EVENTS, gate);
	without_a_word(read_text(text));
	near(probability("g"), p, 1e-14);
	assert_int_equal(end(NULL), 0);
	begin(NULL);
}

static void test_each_gate_is_what_it_says(void **state)
{
	(void)state;
	gate_is("kind: and, of: [a, b, c]", 0.006);
	gate_is("kind: or, of: [a, b, c]", 1 - 0.9 * 0.8 * 0.7);
	gate_is("kind: not, of: a", 0.9);
	gate_is("kind: and, of: [not a, b]", 0.18);
	gate_is("kind: xor, of: [a, b]", 0.1 * 0.8 + 0.9 * 0.2);
	gate_is("kind: iff, of: [a, b]", 0.1 * 0.2 + 0.9 * 0.8);
	gate_is("kind: nand, of: [a, b]", 0.98);
	gate_is("kind: nor, of: [a, b]", 0.72);
	gate_is("kind: imply, of: [a, b]", 0.92);
	gate_is("kind: at-least, min: 2, of: [a, b, c]",
		0.1 * 0.2 * 0.7 + 0.1 * 0.8 * 0.3 + 0.9 * 0.2 * 0.3 + 0.006);
	gate_is("kind: cardinality, min: 1, max: 2, of: [a, b, c]", 1 - 0.9 * 0.8 * 0.7 - 0.006);
}

static void test_each_block_is_what_it_says(void **state)
{
	(void)state;
	without_a_word(read_text(EVENTS "blocks:\n- {name: s, kind: series, of: [a, b]}\n"
					"- {name: p, kind: parallel, of: [a, b]}\n"
					"- {name: k, kind: k-of-n, needed: 2, of: [a, b, c]}\n"));
	assert_int_equal(model.top_count, 3);
	near(probability("s"), 1 - 0.9 * 0.8, 1e-14);
	near(probability("p"), 0.02, 1e-14);
	near(probability("k"), 0.1 * 0.2 * 0.7 + 0.1 * 0.8 * 0.3 + 0.9 * 0.2 * 0.3 + 0.006, 1e-14);
}

static void test_a_unit_is_down_with_its_software_and_what_it_hangs_on(void **state)
{
	double card = 4.0 / 1004, software = 1.0 / 60 / (100 + 1.0 / 60), carrier = 4.0 / 5004;

	(void)state;
	without_a_word(read_text(
		"name: m\nunits:\n"
		"- {name: card, mtbf: 1000h, mttr: 4h, software_mtbf: 100h, restart: 1min, "
		"on: [carrier, feed]}\n"
		"- {name: carrier, mtbf: 5000h, mttr: 4h}\n"
		"events:\n- {name: feed, probability: 0.5, unit: carrier}\n"
		"tops:\n- {name: t, down: card}\n"));
	near(probability("t"), 1 - (1 - card) * (1 - software) * (1 - carrier) * 0.5, 1e-13);
	near(probability("card"), 1 - (1 - card) * (1 - software) * (1 - carrier) * 0.5, 1e-13);
	assert_string_equal(model.events[3].name, "card software");
	assert_int_equal(model.events[3].fru, 0);
	assert_int_equal(model.events[2].fru, 1);
}

static void test_what_is_not_repaired_stays_failed(void **state)
{
	(void)state;
	without_a_word(read_text("name: m\nmission: 100h\nunits:\n"
				 "- {name: u, mtbf: 1000h, repaired: no}\nevents:\n"
				 "- {name: e, failure_rate: 1/y}\n"
				 "tops: [{name: u, down: u}, {name: e, down: e}]\n"));
	near(probability("u"), -expm1(-0.1), 1e-14);
	near(probability("e"), -expm1(-100.0 / 8760), 1e-14);
}

static void test_house_events_are_false_unless_they_say_otherwise(void **state)
{
	(void)state;
	without_a_word(read_text("name: m\nhouse_events: [{name: h}, {name: k, state: on}]\n"
				 "tops: [{name: h, down: h}, {name: k, down: k}]\n"));
	near(probability("h"), 0, 0);
	near(probability("k"), 1, 0);
}

static void parameter_is(const char *parameter, double value)
{
	char text[512];

	snprintf(text, sizeof text,
		 "name: m\nparameters:\n- {name: p, %s}\n- {name: q, value: p}\n"
		 "events: [{name: e, probability: q}]\ntops: [{name: t, down: e}]\n",
		 parameter);
	without_a_word(read_text(text));
	near(probability("t"), value, 1e-14);
	assert_int_equal(end(NULL), 0);
	begin(NULL);
}

static void test_each_distribution_has_its_mean(void **state)
{
	(void)state;
	parameter_is("value: 0.25", 0.25);
	parameter_is("distribution: uniform, low: 0, high: 50%", 0.25);
	parameter_is("distribution: normal, mean: 0.25, deviation: 0.1", 0.25);
	parameter_is("distribution: lognormal, mean: 0.25, error_factor: 3", 0.25);
	parameter_is("distribution: gamma, shape: 5, scale: 0.05", 0.25);
	parameter_is("distribution: beta, alpha: 1, beta: 3", 0.25);
	parameter_is("distribution: histogram, values: [0.1, 0.4], weights: [1, 1]", 0.25);
	parameter_is("distribution: histogram, values: [0.1, 0.3], weights: [1, 3]", 0.25);
}

static void test_numbers_are_read_as_people_write_them(void **state)
{
	static const struct {
		const char *text;
		double value;
		enum avail_dimension dimension;
	} good[] = {
		{ "0", 0, AVAIL_PLAIN },	   { "1e-4", 1e-4, AVAIL_PLAIN },
		{ ".5", 0.5, AVAIL_PLAIN },	   { "12.5%", 0.125, AVAIL_PLAIN },
		{ "200000h", 200000, AVAIL_TIME }, { "30min", 0.5, AVAIL_TIME },
		{ "36 s", 0.01, AVAIL_TIME },	   { "50ms", 50.0 / 3600e3, AVAIL_TIME },
		{ "2d", 48, AVAIL_TIME },	   { "20y", 175200, AVAIL_TIME },
		{ "250 FIT", 2.5e-7, AVAIL_RATE }, { "1e-4/h", 1e-4, AVAIL_RATE },
		{ "24/d", 1, AVAIL_RATE },	   { "2/y", 2.0 / 8760, AVAIL_RATE },
		{ "3 /min", 180, AVAIL_RATE },	   { "1/s", 3600, AVAIL_RATE },
	};
	static const char *const bad[] = { "",	     "h",     "-1",  "+1",  "1e999",   "0x10",
					   "1 h ",   "1  h",  "nan", "inf", "1,5",     "1H",
					   "250fit", "1 / h", "1e",  "5 ",  "1h 30min" };
	enum avail_dimension dimension;
	double value;

	(void)state;
	for (unsigned i = 0; i < array_len(good); i++) {
		assert_true(avail_number_parse(good[i].text, &value, &dimension));
		assert_true(value == good[i].value);
		assert_int_equal(dimension, good[i].dimension);
	}
	for (unsigned i = 0; i < array_len(bad); i++)
		assert_false(avail_number_parse(bad[i], &value, &dimension));
}

/* --- files --- */

static void test_a_file_past_the_limit_is_refused(void **state)
{
	struct avail_findings findings = { .report = keep };

	(void)state;
	assert_int_equal(
		avail_file_read("text", "", (size_t)AVAIL_FILE_SIZE_MAX + 1, &model, &findings),
		-EINVAL);
	assert_string_equal(reported, "is larger than 4 MiB\n");
}

static void test_each_step_may_fail_for_want_of_room(void **state)
{
	static const char *const files[] = { EXAMPLES "uncertain.yaml", EXAMPLES "capacity.yaml",
					     EXAMPLES "power-supplies.yaml",
					     EXAMPLES "one-plus-one.yaml",
					     EXAMPLES "io-cards.yaml" };

	for (unsigned f = 0; f < array_len(files); f++) {
		uint64_t steps;

		without_a_word(read_path(files[f]));
		steps = heap.asked;
		for (uint64_t i = 2; i <= steps; i++) { /* the first is the model's own */
			assert_int_equal(end(state), 0);
			begin(state);
			heap.fail_at = i;
			assert_int_equal(read_path(files[f]), -ENOMEM);
			assert_string_equal(reported, "out of memory\n");
		}
		assert_int_equal(end(state), 0);
		begin(state);
	}
}

static void test_a_file_is_opened_by_what_is_in_it(void **state)
{
	static const struct {
		const char *text;
		enum avail_file_kind kind;
	} kinds[] = {
		{ "<opsa-mef/>", AVAIL_FILE_OPENPSA },
		{ "\xef\xbb\xbf \n<?xml version='1.0'?><opsa-mef/>", AVAIL_FILE_OPENPSA },
		{ "name: x\nunits: []\n", AVAIL_FILE_YAML },
		{ "name: x\nunits: [{name: chassis, kind: chassis}]\n", AVAIL_FILE_YAML },
		{ "name: chassis\nunits: []\n", AVAIL_FILE_YAML },
		{ "name: x\nchassis: []\n", AVAIL_FILE_SITE },
		{ "{name: x, hosts: [a, {b: c}], chassis: []}", AVAIL_FILE_SITE },
		{ "- chassis\n- a\n", AVAIL_FILE_YAML },
		{ "[", AVAIL_FILE_YAML },
		{ "", AVAIL_FILE_YAML },
	};

	(void)state;
	for (unsigned i = 0; i < array_len(kinds); i++)
		assert_int_equal(avail_file_kind_of(kinds[i].text, strlen(kinds[i].text)),
				 kinds[i].kind);
}

static void expect_open(const char *path, int result)
{
	struct avail_model opened;

	read_as = path;
	reported[0] = 0;
	assert_int_equal(avail_open(path, &heap.memory, &opened, keep, NULL), result);
	if (result == 0) {
		assert_true(opened.top_count > 0);
		avail_model_fini(&opened);
	}
}

static void test_files_of_each_kind_are_opened(void **state)
{
	enum avail_file_kind kind;

	(void)state;
	expect_open(EXAMPLES "bridge.yaml", 0);
	expect_open(ROOT "/tests/openpsa/good/includes.xml", 0);
	assert_string_equal(reported, "");
	expect_open(ROOT "/examples/01-two-cards.yaml", -ENOTSUP);
	assert_string_equal(reported, "");
	expect_open(ROOT "/tests/avail/bad/cycle.yaml", -EINVAL);
	assert_non_null(strstr(reported, "k -> g -> h -> k"));
	expect_open("/nonexistent.yaml", -ENOENT);
	assert_string_equal(reported, "cannot be read: No such file or directory\n");
	expect_open("/", -EISDIR);
	assert_string_equal(reported, "cannot be read: Is a directory\n");
	expect_open("/dev/null", -EINVAL);
	assert_string_equal(reported, "cannot be read: it is no regular file\n");
	assert_int_equal(avail_file_kind(ROOT "/examples/01-two-cards.yaml", &kind, NULL, NULL), 0);
	assert_int_equal(kind, AVAIL_FILE_SITE);
}

static void test_each_bad_file_is_refused_with_the_words_it_expects(void **state)
{
	struct dirent **entries;
	int count;

	assert_int_equal(chdir(ROOT "/tests/avail/bad"), 0);
	count = scandir(".", &entries, is_yaml, alphasort);
	assert_true(count > 100);
	for (int i = 0; i < count; i++) {
		read_expected(entries[i]->d_name, "# expect: ", "\n");
		print_message("# %s\n", entries[i]->d_name);
		assert_int_equal(read_path(entries[i]->d_name), -EINVAL);
		assert_string_equal(reported, expected);
		assert_int_equal(end(state), 0);
		begin(state);
		free(entries[i]);
	}
	free(entries);
}

static void test_the_reference_page_is_up_to_date(void **state)
{
	(void)state;
	page_is_up_to_date(ROOT "/docs/avail-file.md", avail_schema_print);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(test_the_bridge_works_as_its_example_says),
		TEST(test_cards_on_one_carrier_are_no_pair),
		TEST(test_power_supplies_have_a_crew),
		TEST(test_links_deliver_what_their_example_says),
		TEST(test_one_plus_one_says_how_it_switches),
		TEST(test_what_is_not_known_exactly_has_a_distribution),
		TEST(test_each_example_is_accepted_without_a_word),
		TEST(test_each_gate_is_what_it_says),
		TEST(test_each_block_is_what_it_says),
		TEST(test_a_unit_is_down_with_its_software_and_what_it_hangs_on),
		TEST(test_what_is_not_repaired_stays_failed),
		TEST(test_house_events_are_false_unless_they_say_otherwise),
		TEST(test_each_distribution_has_its_mean),
		TEST(test_numbers_are_read_as_people_write_them),
		TEST(test_a_file_past_the_limit_is_refused),
		TEST(test_each_step_may_fail_for_want_of_room),
		TEST(test_a_file_is_opened_by_what_is_in_it),
		TEST(test_files_of_each_kind_are_opened),
		TEST(test_each_bad_file_is_refused_with_the_words_it_expects),
		TEST(test_the_reference_page_is_up_to_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
