#include "base/bytes.h"
#include "base/refusal.h"
#include "base/thread.h"
#include "tests/check.h"

static void test_integers_come_back_in_either_order(void **state)
{
	uint8_t p[8];

	(void)state;
	put_be16(p, 0x1234);
	assert_int_equal(p[0], 0x12);
	assert_int_equal(get_be16(p), 0x1234);
	put_be48(p, UINT64_C(0x525400123456));
	assert_int_equal(p[0], 0x52);
	assert_int_equal(get_be48(p), UINT64_C(0x525400123456));
	put_le64(p, UINT64_C(0x1122334455667788));
	assert_int_equal(p[0], 0x88);
	assert_int_equal(get_le64(p), UINT64_C(0x1122334455667788));
	assert_int_equal(get_le16(p), 0x7788);
}

static void test_long_refusals_are_cut(void **state)
{
	struct refusal why;
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	refuse(&why, text, "%s", text);
	assert_int_equal(strlen(why.path), sizeof why.path - 1);
	assert_int_equal(strlen(why.text), sizeof why.text - 1);
	refuse(NULL, "", "nobody listens");
}

static void test_a_hold_has_one_owner(void **state)
{
	struct hold hold = { .owner = HOLD_NONE };

	(void)state;
	assert_true(hold_try(&hold, HOLD_WORKER));
	assert_false(hold_try(&hold, HOLD_CONTROL));
	hold_give(&hold, HOLD_WORKER);
	assert_true(hold_try(&hold, HOLD_CONTROL));
	assert_true(hold_is(&hold, HOLD_CONTROL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers_come_back_in_either_order),
		cmocka_unit_test(test_long_refusals_are_cut),
		cmocka_unit_test(test_a_hold_has_one_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
