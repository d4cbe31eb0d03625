#include "os/log.h"
#include "tests/check.h"

#include "os/clock.h"

#include <errno.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

/* What 'call' writes to standard error. */
static size_t capture(void (*call)(void), char *text, size_t size)
{
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	call();
	dup2(saved, STDERR_FILENO);
	close(ends[1]);
	n = read(ends[0], text, size - 1);
	close(ends[0]);
	close(saved);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void a_call_site_prints_ten_lines_a_second_and_then_says_how_many_it_kept(void **state)
{
	(void)state;
	struct log_site site = { 0 };
	unsigned held_back, printed = 0;

	for (unsigned i = 0; i < 25; i++)
		printed += log_site_may_print(&site, SECOND + i, &held_back);
	assert_int_equal(printed, LOG_BURST);
	assert_true(log_site_may_print(&site, 2 * SECOND, &held_back));
	assert_int_equal(held_back, 25 - LOG_BURST);
	assert_true(log_site_may_print(&site, 2 * SECOND + 1, &held_back));
	assert_int_equal(held_back, 0);
}

static void level_names_are_the_four_and_no_other(void **state)
{
	(void)state;
	enum log_level level;

	assert_int_equal(log_parse_level("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_parse_level("error", &level), 0);
	assert_int_equal(level, LOG_LEVEL_ERROR);
	assert_int_equal(log_parse_level("loud", &level), -EINVAL);
	assert_int_equal(log_parse_level("", &level), -EINVAL);
}

static void say_one(void)
{
	log_warning("os", "something happened thing=%d", 7);
	log_info("os", "nobody asked");
}

static void a_line_has_time_level_module_and_text_and_less_important_ones_are_silent(void **state)
{
	(void)state;
	char text[512];

	log_set_level(LOG_LEVEL_WARNING);
	capture(say_one, text, sizeof(text));
	log_set_level(LOG_LEVEL_INFO);
	assert_non_null(strstr(text, "Z warning os: something happened thing=7\n"));
	assert_null(strstr(text, "nobody"));
}

static void say_much(void)
{
	char much[3000];

	memset(much, 'x', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	log_error("os", "%s", much);
}

static void a_line_that_is_too_long_is_cut_and_still_ends(void **state)
{
	(void)state;
	char text[4096];
	size_t n = capture(say_much, text, sizeof(text));

	assert_in_range(n, LOG_LINE_MAX - 8, LOG_LINE_MAX);
	assert_int_equal(text[n - 1], '\n');
}

static void wall_time_is_written_as_people_and_redfish_read_it(void **state)
{
	(void)state;
	char text[32];

	clock_format(UINT64_C(1795376281123456789), text);
	assert_string_equal(text, "2026-11-22T19:38:01.123456Z");
	assert_true(clock_now_ns() <= clock_now_ns());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_site_prints_ten_lines_a_second_and_then_says_how_many_it_kept),
		cmocka_unit_test(level_names_are_the_four_and_no_other),
		cmocka_unit_test(a_line_has_time_level_module_and_text_and_less_important_ones_are_silent),
		cmocka_unit_test(a_line_that_is_too_long_is_cut_and_still_ends),
		cmocka_unit_test(wall_time_is_written_as_people_and_redfish_read_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
