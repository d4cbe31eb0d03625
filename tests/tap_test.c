#include "tests/check.h"

static void what_is_skipped_is_no_failure(void **state)
{
	(void)state;
	skip();
}

static void what_comes_after_it_is_run(void **state)
{
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_skipped_is_no_failure),
		cmocka_unit_test(what_comes_after_it_is_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
