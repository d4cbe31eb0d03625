/* Names are found where a search from the start would find them. */
#include "fabric/name_table.h"
#include "tests/check.h"

#include <stdlib.h>

static struct site_name_table table;
static char names[SITE_NAMES_MAX][16];

static int search(unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

static void test_each_name_is_found_where_a_search_from_the_start_finds_it(void **state)
{
	static const unsigned counts[] = { 0, 1, 2, 3, 100, 1000 };
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned c = 0; c < array_len(counts); c++) {
		site_name_table_init(&table, counts[c]);
		for (unsigned i = 0; i < counts[c]; i++) {
			/* Some of them more than once. */
			snprintf(names[i], sizeof names[i], "n%u",
				 (unsigned)(rand_u64(&seed) % (2 * counts[c])));
			assert_int_equal(site_name_table_add(&table, names[i], i),
					 search(i + 1, names[i]));
		}
		for (unsigned i = 0; i < 2 * counts[c] + 2; i++) {
			char name[16];

			snprintf(name, sizeof name, "n%u", i);
			assert_int_equal(site_name_table_find(&table, name),
					 search(counts[c], name));
		}
	}
}

static void test_a_full_table_still_says_that_a_name_is_not_there(void **state)
{
	(void)state;
	site_name_table_init(&table, SITE_NAMES_MAX);
	for (unsigned i = 0; i < SITE_NAMES_MAX; i++) {
		snprintf(names[i], sizeof names[i], "%u", i);
		assert_int_equal(site_name_table_add(&table, names[i], i), i);
	}
	assert_int_equal(site_name_table_find(&table, "4095"), 4095);
	assert_int_equal(site_name_table_find(&table, "4096"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_name_is_found_where_a_search_from_the_start_finds_it),
		cmocka_unit_test(test_a_full_table_still_says_that_a_name_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
