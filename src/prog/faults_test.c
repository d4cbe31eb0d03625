#include "prog/faults.h"

#include "iommu/request.h"
#include "tests/check.h"

#define SECOND UINT64_C(1000000000)

static struct fault at(uint64_t address, uint64_t ns)
{
	return (struct fault){ .first_ns = ns, .last_ns = ns, .count = 1, .address = address,
			       .source = 0x108, .reason = 5, .access = IOMMU_WRITE };
}

static void a_fault_that_is_repeated_is_counted_and_not_listed_again(void **state)
{
	static struct faults faults;
	struct fault fault = at(0x1000, SECOND);
	unsigned count;

	(void)state;
	faults_init(&faults);
	assert_null(faults_oldest(&faults, &count));
	assert_int_equal(faults_add(&faults, &fault)->id, 1);
	fault = at(0x1ff0, SECOND + 5); /* the same page */
	fault.count = 7;
	assert_int_equal(faults_add(&faults, &fault)->id, 1);
	fault = at(0x2000, SECOND + 6);
	assert_int_equal(faults_add(&faults, &fault)->id, 2);
	fault = at(0x1000, 2 * SECOND);
	assert_int_equal(faults_add(&faults, &fault)->id, 1);
	fault = at(0x1000, 3 * SECOND); /* too long after */
	assert_int_equal(faults_add(&faults, &fault)->id, 3);
	fault.reason = 6;
	assert_int_equal(faults_add(&faults, &fault)->id, 4);
	fault.io = 1;
	assert_int_equal(faults_add(&faults, &fault)->id, 5);
	fault.access = IOMMU_READ;
	assert_int_equal(faults_add(&faults, &fault)->id, 6);
	assert_int_equal(faults_oldest(&faults, &count)->id, 1);
	assert_int_equal(count, 6);
	assert_int_equal(faults_at(&faults, 0)->count, 9);
	assert_int_equal(faults_at(&faults, 0)->first_ns, SECOND);
	assert_int_equal(faults_at(&faults, 0)->last_ns, 2 * SECOND);
	assert_int_equal(faults_at(&faults, 0)->address, 0x1000);
	assert_int_equal(faults_at(&faults, 5)->access, IOMMU_READ);
	assert_null(faults_at(&faults, 6));
}

static void the_last_ones_are_kept_and_numbers_never_come_again(void **state)
{
	static struct faults faults;
	unsigned count;

	(void)state;
	faults_init(&faults);
	for (uint64_t i = 0; i < 3 * FAULTS_KEPT; i++) {
		struct fault fault = at(i * 4096, i * 2 * SECOND);

		assert_int_equal(faults_add(&faults, &fault)->id, i + 1);
	}
	assert_int_equal(faults_oldest(&faults, &count)->id, 2 * FAULTS_KEPT + 1);
	assert_int_equal(count, FAULTS_KEPT);
	assert_int_equal(faults_at(&faults, FAULTS_KEPT - 1)->id, 3 * FAULTS_KEPT);
}

static void accesses_have_words(void **state)
{
	struct fault fault = at(0, 0);

	(void)state;
	assert_string_equal(fault_access_text(&fault), "write");
	fault.access = IOMMU_READ;
	assert_string_equal(fault_access_text(&fault), "read");
	fault.access |= IOMMU_WRITE;
	assert_string_equal(fault_access_text(&fault), "read and write");
	fault.interrupt = true;
	assert_string_equal(fault_access_text(&fault), "interrupt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_that_is_repeated_is_counted_and_not_listed_again),
		cmocka_unit_test(the_last_ones_are_kept_and_numbers_never_come_again),
		cmocka_unit_test(accesses_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
