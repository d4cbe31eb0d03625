#include "prog/midplane_words.h"

#include "tests/check.h"

static void check_source(const char *text, int want)
{
	uint16_t source = 0xdead;

	if (words_parse_source(text, &source) != (want >= 0))
		fail_msg("'%s' should %s", text, want >= 0 ? "do" : "not do");
	if (want >= 0)
		assert_int_equal(source, want);
}

static void test_functions_are_bus_device_and_function(void **state)
{
	static const char *const bad[] = { "",	       "00",	   "00:02",	    "00:02.",
					   "00:02.8",  "00:20.0",  "100:02.0",	    "00:02.0 ",
					   " 00:02.0", "g0:02.0",  "00:02.0.0",	    ":02.0",
					   "00:.0",    "00:002.0", "0000:00:02.00", "10000:00:02.0",
					   "." };

	(void)state;
	check_source("00:02.0", 0x10);
	check_source("ff:1f.7", 0xffff);
	check_source("Ab:c.3", 0xab63);
	check_source("0000:3a:00.1", 0x3a01);
	check_source("0001:3a:00.1", 0x3a01);
	for (unsigned i = 0; i < array_len(bad); i++)
		check_source(bad[i], -1);
}

static void test_every_function_reads_as_it_is_printed(void **state)
{
	(void)state;
	for (unsigned source = 0; source <= 0xffff; source++) {
		char text[WORDS_SOURCE_MAX];

		words_print_source((uint16_t)source, text);
		check_source(text, (int)source);
	}
}

static void test_addresses_are_hexadecimal(void **state)
{
	static const char *const bad[] = { "",	    "0x",  "x",
					   "-1",    "+1",  "0x10000000000000000",
					   "12 ",   " 12", "12g",
					   "0x0x1", "1.5" };
	uint64_t address;

	(void)state;
	assert_true(words_parse_address("0", &address));
	assert_int_equal(address, 0);
	assert_true(words_parse_address("0xDeadbeef", &address));
	assert_int_equal(address, 0xdeadbeef);
	assert_true(words_parse_address("1000", &address));
	assert_int_equal(address, 0x1000);
	assert_true(words_parse_address("0Xffffffffffffffff", &address));
	assert_int_equal(address, UINT64_MAX);
	assert_true(words_parse_address("0x0000000000000000000000012", &address));
	assert_int_equal(address, 0x12);
	for (unsigned i = 0; i < array_len(bad); i++)
		assert_false(words_parse_address(bad[i], &address));
}

static void test_accesses_are_one_letter(void **state)
{
	uint8_t access;

	(void)state;
	assert_true(words_parse_access("r", &access));
	assert_int_equal(access, IOMMU_READ);
	assert_true(words_parse_access("w", &access));
	assert_int_equal(access, IOMMU_WRITE);
	assert_true(words_parse_access("-", &access));
	assert_int_equal(access, 0);
	assert_false(words_parse_access("", &access));
	assert_false(words_parse_access("rw", &access));
	assert_false(words_parse_access("R", &access));
}

static void test_pasids_have_20_bits(void **state)
{
	static const char *const bad[] = { "",	      "x",	  "0x",
					   "1048576", "0x100000", "-1",
					   "1a",      "99999999", "0x10000000000000001" };
	uint32_t pasid;

	(void)state;
	assert_true(words_parse_pasid("1048575", &pasid));
	assert_int_equal(pasid, 0xfffff);
	assert_true(words_parse_pasid("0xfffff", &pasid));
	assert_int_equal(pasid, 0xfffff);
	assert_true(words_parse_pasid("0", &pasid));
	for (unsigned i = 0; i < array_len(bad); i++)
		assert_false(words_parse_pasid(bad[i], &pasid));
}

static void test_sizes_are_printed_in_units(void **state)
{
	static const struct {
		unsigned shift;
		const char *text;
	} sizes[] = { { 0, "1 bytes" },	 { 12, "4 KiB" }, { 20, "1 MiB" },
		      { 21, "2 MiB" },	 { 30, "1 GiB" }, { 39, "512 GiB" },
		      { 48, "256 TiB" }, { 63, "8 EiB" }, { 64, "16 EiB" } };
	char text[16];

	(void)state;
	for (unsigned i = 0; i < array_len(sizes); i++) {
		words_print_size(sizes[i].shift, text);
		assert_string_equal(text, sizes[i].text);
	}
}

static void check_line(const char *line, const char *says)
{
	struct iommu_request request;
	struct refusal why;
	char copy[100];

	snprintf(copy, sizeof copy, "%s", line);
	assert_false(words_parse_walk(copy, &request, &why));
	if (!strstr(why.text, says))
		fail_msg("'%s' does not say '%s'", why.text, says);
}

static void test_lines_have_three_fields(void **state)
{
	char walk[] = "00:02.0\t0x1000\tw", remap[] = "00:02.0\t0xfee00010\tffffffff";
	struct iommu_request request = { .pasid = 7 };
	struct iommu_message message;

	(void)state;
	assert_true(words_parse_walk(walk, &request, NULL));
	assert_int_equal(request.source, 0x10);
	assert_int_equal(request.address, 0x1000);
	assert_int_equal(request.access, IOMMU_WRITE);
	assert_int_equal(request.pasid, 7);
	assert_true(words_parse_message(remap, &message, NULL));
	assert_int_equal(message.data, 0xffffffff);
	check_line("", "not three fields");
	check_line("00:02.0\t0x1000", "not three fields");
	check_line("00:02.0\t0x1000\tr\t", "not three fields");
	check_line("00:02.0 0x1000 r", "not three fields");
	check_line("\t\t", "'' is not a function");
	check_line("00:02.0\t\tr", "'' is not an address");
	check_line("00:02.0\t0\tx", "'x' is not an access");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_functions_are_bus_device_and_function),
		cmocka_unit_test(test_every_function_reads_as_it_is_printed),
		cmocka_unit_test(test_addresses_are_hexadecimal),
		cmocka_unit_test(test_accesses_are_one_letter),
		cmocka_unit_test(test_pasids_have_20_bits),
		cmocka_unit_test(test_sizes_are_printed_in_units),
		cmocka_unit_test(test_lines_have_three_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
