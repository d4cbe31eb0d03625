#include "store/unit_registers.h"

#include "tests/check.h"

#include <errno.h>
#include <unistd.h>

static struct unit_registers *load(const char *text)
{
	struct unit_registers *registers;
	struct refusal why = { .text = "" };

	if (unit_registers_load_bytes("file", text, strlen(text), &registers, &why))
		fail_msg("%s: %s", text, why.text);
	return registers;
}

static void check_refused(const char *text, const char *says)
{
	struct unit_registers *registers = (void *)text;
	struct refusal why;

	assert_int_equal(unit_registers_load_bytes("file", text, strlen(text), &registers, &why),
			 -EINVAL);
	assert_null(registers);
	assert_string_equal(why.path, "file");
	if (!strstr(why.text, says))
		fail_msg("%s: '%s' does not say '%s'", text, why.text, says);
}

static void check_value(const char *text, uint32_t offset, unsigned bits, uint64_t want)
{
	struct unit_registers *registers = load(text);
	uint64_t value = 0;
	struct refusal why = { .text = "" };

	if (unit_registers_get(registers, offset, bits, "the register", &value, &why))
		fail_msg("%s: %s", text, why.text);
	assert_int_equal(value, want);
	unit_registers_free(registers);
}

static void check_missing(const char *text, uint32_t offset, unsigned bits, int err,
			  const char *says)
{
	struct unit_registers *registers = load(text);
	struct refusal why;
	uint64_t value;

	assert_int_equal(unit_registers_get(registers, offset, bits, "the register", &value, &why),
			 err);
	assert_string_equal(why.path, "file");
	assert_string_equal(why.text, says);
	unit_registers_free(registers);
}

static void test_values_are_hexadecimal_or_decimal_text_or_numbers(void **state)
{
	(void)state;
	check_value("{\"0x020\": \"0x000000000557a000\"}", 0x20, 64, 0x557a000);
	check_value("{\"0x20\": \"0XfffFFFFF00000001\"}", 0x20, 64, 0xffffffff00000001);
	check_value("{\"32\": 89628672}", 0x20, 64, 89628672);
	check_value("{\"0x8\": \"18446744073709551615\", \"0x20\": 0}", 8, 64, UINT64_MAX);
	check_value("{\"0x1c\": 2147483648}", 0x1c, 32, 0x80000000);
	check_value("{\"0xffffc\": 1}", 0xffffc, 32, 1);
}

static void test_a_register_may_stand_in_two_halves(void **state)
{
	(void)state;
	check_value("{\"0x024\": \"0x12\", \"0x020\": \"0x557a000\"}", 0x20, 64, 0x120557a000);
	check_value("{\"0x020\": \"0x557a000\", \"0x024\": 0}", 0x20, 64, 0x557a000);
	check_value("{\"0x020\": \"0x557a000\", \"0x024\": 3}", 0x24, 32, 3);
	check_missing("{\"0x020\": \"0x100000000\", \"0x024\": 0}", 0x20, 64, -EINVAL,
		      "the register (0x020) is given in two halves, of which one has more than "
		      "32 bits");
	check_missing("{\"0x020\": 1, \"0x024\": \"0x100000000\"}", 0x20, 64, -EINVAL,
		      "the register (0x020) is given in two halves, of which one has more than "
		      "32 bits");
}

static void test_a_register_that_is_needed_is_named(void **state)
{
	struct unit_registers *registers = load("{\"0x8\": 1}");

	(void)state;
	assert_true(unit_registers_has(registers, 8));
	assert_false(unit_registers_has(registers, 0x10));
	unit_registers_free(registers);
	check_missing("{}", 0x10, 64, -ENOENT, "the register (0x010) is needed and not there");
	check_missing("{\"0x14\": 1}", 0x10, 64, -ENOENT,
		      "the register (0x010) is needed and not there, only its upper half");
	check_missing("{\"0x1c\": \"0x100000000\"}", 0x1c, 32, -EINVAL,
		      "the register (0x01c) has 32 bits, not more");
}

static void test_what_is_no_file_of_registers_is_refused_with_what_is_wrong(void **state)
{
	(void)state;
	check_refused("", "line ");
	check_refused("{\"0x8\": 1", "line 1");
	check_refused("{\"0x8\": 1,\n\"0x8\": 2}", "line 2: duplicate object key");
	check_refused(
		"{\"0x8\": 18446744073709551615}",
		"too big integer near '18446744073709551615' (write it as a string, \"0x...\")");
	check_refused("[1]", "not an object of offsets and values");
	check_refused("{\"0x8\": 1, \"0x08\": 2}", "the register at 0x008 is given twice");
	check_refused("{\"CAP\": 1}", "\"CAP\" is not the offset of a register");
	check_refused("{\"020\": 1}", "\"020\" is not the offset of a register");
	check_refused("{\"\": 1}", "\"\" is not the offset");
	check_refused("{\"0x\": 1}", "\"0x\" is not the offset");
	check_refused("{\"-8\": 1}", "\"-8\" is not the offset");
	check_refused("{\"0x22\": 1}", "a multiple of 4");
	check_refused("{\"0x100000\": 1}", "at most 0xffffc");
	check_refused("{\"0x10000000000000008\": 1}", "at most 0xffffc");
	check_refused("{\"0x8\": -1}", "the value of \"0x8\" is not a number of 64 bits");
	check_refused("{\"0x8\": 1.5}", "the value of \"0x8\"");
	check_refused("{\"0x8\": null}", "the value of \"0x8\"");
	check_refused("{\"0x8\": [1]}", "the value of \"0x8\"");
	check_refused("{\"0x8\": \"\"}", "the value of \"0x8\"");
	check_refused("{\"0x8\": \"0x12 \"}", "the value of \"0x8\"");
	check_refused("{\"0x8\": \"12ab\"}", "the value of \"0x8\"");
	check_refused("{\"0x8\": \"0x10000000000000000\"}", "the value of \"0x8\"");
}

static void test_files_are_read_up_to_a_limit(void **state)
{
	char path[] = "/tmp/midplane-registers-XXXXXX";
	int fd = mkstemp(path);
	struct unit_registers *registers;
	struct refusal why;
	FILE *out = fdopen(fd, "w");

	(void)state;
	fprintf(out, "{\"0x8\": 7}%*s", UNIT_REGISTERS_FILE_MAX - 10, "");
	fflush(out);
	assert_int_equal(unit_registers_load(path, &registers, &why), 0);
	unit_registers_free(registers);
	fputc(' ', out);
	fclose(out);
	assert_int_equal(unit_registers_load(path, &registers, &why), -EINVAL);
	assert_non_null(strstr(why.text, "more than 1048576 bytes"));
	unlink(path);
	assert_int_equal(unit_registers_load(path, &registers, &why), -ENOENT);
	assert_string_equal(why.path, path);
	assert_int_equal(unit_registers_load("/tmp", &registers, &why), -EISDIR);
	unit_registers_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_hexadecimal_or_decimal_text_or_numbers),
		cmocka_unit_test(test_a_register_may_stand_in_two_halves),
		cmocka_unit_test(test_a_register_that_is_needed_is_named),
		cmocka_unit_test(test_what_is_no_file_of_registers_is_refused_with_what_is_wrong),
		cmocka_unit_test(test_files_are_read_up_to_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
