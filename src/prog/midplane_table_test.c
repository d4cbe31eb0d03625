#include "prog/midplane_table.h"
#include "tests/check.h"

static const struct tree_property columns[] = {
	{ "reason", TREE_TEXT, TREE_UNIT_PLAIN, TREE_READ, TREE_LISTED, "why", NULL },
	{ "frames", TREE_INTEGER, TREE_UNIT_FRAMES, TREE_READ, TREE_LISTED, "how many", NULL },
	{ .name = NULL },
};
static const struct tree_property table[] = {
	{ "name", TREE_TEXT, TREE_UNIT_PLAIN, TREE_READ, TREE_LISTED, "name", NULL },
	{ "cards", TREE_LIST, TREE_UNIT_PLAIN, TREE_READ, TREE_LISTED, "cards", NULL },
	{ "rx_bytes", TREE_INTEGER, TREE_UNIT_BYTES, TREE_READ, TREE_LISTED, "bytes", NULL },
	{ "line_up", TREE_BOOLEAN, TREE_UNIT_PLAIN, TREE_READ, TREE_SHOWN, "link", NULL },
	{ "drops", TREE_ROWS, TREE_UNIT_PLAIN, TREE_READ, TREE_SHOWN, "drops", columns },
	{ .name = NULL },
};

static void check_cell(enum tree_unit unit, json_t *value, const char *wanted)
{
	const struct tree_property property = { "p", TREE_NUMBER, unit, TREE_READ, TREE_LISTED,
						"p", NULL };
	char text[TABLE_CELL_MAX];

	table_cell(&property, value, text);
	json_decref(value);
	assert_string_equal(text, wanted);
}

static void test_values_are_written_in_the_units_people_read(void **state)
{
	(void)state;
	check_cell(TREE_UNIT_BYTES, json_integer(0), "0 B");
	check_cell(TREE_UNIT_BYTES, json_integer(10239), "10239 B");
	check_cell(TREE_UNIT_BYTES, json_integer(15360), "15 KiB");
	check_cell(TREE_UNIT_BYTES, json_integer(INT64_C(5) << 40), "5 TiB");
	check_cell(TREE_UNIT_BPS, json_integer(10000000000), "10 Gbit/s");
	check_cell(TREE_UNIT_BPS, json_integer(64000), "64 kbit/s");
	check_cell(TREE_UNIT_PPS, json_integer(1500000), "1.5 Mframes/s");
	check_cell(TREE_UNIT_US, json_real(250.5), "250.5 us");
	check_cell(TREE_UNIT_US, json_real(1250), "1.25 ms");
	check_cell(TREE_UNIT_NS, json_integer(1), "1 ns");
	check_cell(TREE_UNIT_S, json_integer(59), "59 s");
	check_cell(TREE_UNIT_S, json_integer(3599), "59 min 59 s");
	check_cell(TREE_UNIT_S, json_integer(7500), "2 h 5 min");
	check_cell(TREE_UNIT_S, json_integer(90000), "1 d 1 h");
	check_cell(TREE_UNIT_MBPS, json_integer(1000), "1000 Mbit/s");
	check_cell(TREE_UNIT_FRAMES, json_integer(1234567), "1234567");
}

static void test_nothing_is_a_dash_and_truth_a_word(void **state)
{
	(void)state;
	check_cell(TREE_UNIT_PLAIN, json_null(), "-");
	check_cell(TREE_UNIT_PLAIN, json_string(""), "-");
	check_cell(TREE_UNIT_PLAIN, json_array(), "-");
	check_cell(TREE_UNIT_PLAIN, json_true(), "yes");
	check_cell(TREE_UNIT_PLAIN, json_false(), "no");
	check_cell(TREE_UNIT_PLAIN, json_pack("[s, s]", "a", "b"), "a, b");
}

static void test_control_characters_do_not_reach_the_terminal(void **state)
{
	(void)state;
	check_cell(TREE_UNIT_PLAIN, json_string("a\x1b[2Jb\n"), "a?[2Jb?");
}

static void test_long_lists_end_in_dots(void **state)
{
	json_t *list = json_array();

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		json_array_append_new(list, json_string("card"));
	json_t *value = list;
	const struct tree_property property = { "p", TREE_LIST, TREE_UNIT_PLAIN, TREE_READ,
						TREE_LISTED, "p", NULL };
	char text[TABLE_CELL_MAX];

	table_cell(&property, value, text);
	json_decref(value);
	assert_string_equal(text + strlen(text) - 3, "...");
}

static void print_to(char *text, size_t size, const json_t *json, bool as_list)
{
	FILE *out = fmemopen(text, size, "w");

	assert_non_null(out);
	if (as_list)
		table_print_list(out, table, json, NULL);
	else
		table_print_object(out, table, json);
	fclose(out);
}

static json_t *sample_json(void)
{
	static const char text[] =
		"[{\"name\": \"nic0\", \"cards\": [], \"rx_bytes\": 20480, \"line_up\": true,"
		" \"drops\": [{\"reason\": \"runt\", \"frames\": 7}]},"
		" {\"name\": \"a-long-name\", \"cards\": [\"x\"], \"rx_bytes\": null,"
		" \"line_up\": false, \"drops\": []}]";

	return json_loads(text, 0, NULL);
}

static void test_a_list_is_aligned_under_its_titles(void **state)
{
	json_t *json = sample_json();
	char text[1024] = "";

	(void)state;
	print_to(text, sizeof text, json, true);
	json_decref(json);
	assert_string_equal(text, "NAME         CARDS  RX BYTES\n"
				  "nic0         -        20 KiB\n"
				  "a-long-name  x             -\n");
}

static void test_an_object_is_a_property_a_line_and_its_rows_below(void **state)
{
	json_t *json = sample_json();
	char text[1024] = "";

	(void)state;
	print_to(text, sizeof text, json_array_get(json, 0), false);
	json_decref(json);
	assert_string_equal(text, "name      nic0\n"
				  "cards     -\n"
				  "rx bytes  20 KiB (20480)\n"
				  "line up   yes\n"
				  "\ndrops:\n"
				  "  REASON  FRAMES\n"
				  "  runt         7\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_written_in_the_units_people_read),
		cmocka_unit_test(test_nothing_is_a_dash_and_truth_a_word),
		cmocka_unit_test(test_control_characters_do_not_reach_the_terminal),
		cmocka_unit_test(test_long_lists_end_in_dots),
		cmocka_unit_test(test_a_list_is_aligned_under_its_titles),
		cmocka_unit_test(test_an_object_is_a_property_a_line_and_its_rows_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
