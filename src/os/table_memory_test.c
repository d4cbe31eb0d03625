#include "os/table_memory.h"

#include "tests/check.h"

#include <errno.h>
#include <stdatomic.h>

enum { PAGE = 4096, COUNT = 8 };

static void pages_come_zeroed_and_come_again(void **state)
{
	struct table_memory *memory;
	const struct iommu_pages *pages;
	uint64_t page[COUNT], block;

	(void)state;
	assert_int_equal(table_memory_create(&memory, COUNT), 0);
	pages = table_memory_pages(memory);
	block = table_memory_take_block(memory, 3);
	assert_int_not_equal(block, 0);
	for (unsigned i = 0; i < COUNT - 3; i++) {
		page[i] = pages->take(pages->context);
		assert_int_equal(page[i], block + (3 + i) * PAGE);
		atomic_store(&pages->words(pages->context, page[i])[511], i + 1);
		*pages->link(pages->context, page[i]) = i;
	}
	assert_int_equal(pages->take(pages->context), 0);
	assert_int_equal(table_memory_take_block(memory, 1), 0);
	assert_int_equal(table_memory_used(memory), COUNT);
	assert_int_equal(*pages->link(pages->context, page[2]), 2);
	pages->give(pages->context, page[1]);
	pages->give(pages->context, page[3]);
	assert_int_equal(table_memory_used(memory), COUNT - 2);
	assert_int_equal(pages->take(pages->context), page[3]);
	assert_int_equal(pages->take(pages->context), page[1]);
	assert_int_equal(atomic_load(&pages->words(pages->context, page[1])[511]), 0);
	assert_int_equal(pages->take(pages->context), 0);
	table_memory_destroy(memory);
	table_memory_destroy(NULL);
	assert_int_equal(table_memory_create(&memory, 0), -EINVAL);
	assert_int_equal(table_memory_create(&memory, UINT64_MAX), -EINVAL);
}

static void a_unit_reads_and_writes_these_pages_and_nothing_else(void **state)
{
	uint8_t bytes[64], back[64];
	struct table_memory *memory;
	struct iommu_memory unit;
	uint64_t page;

	(void)state;
	assert_int_equal(table_memory_create(&memory, COUNT), 0);
	unit = table_memory_of_unit(memory);
	page = table_memory_take_block(memory, 2);
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i + 1);
	for (uint32_t size = 1; size <= 64; size++) {
		assert_true(unit.write(unit.context, page + PAGE - size, bytes, size));
		memset(back, 0, sizeof back);
		assert_true(unit.read(unit.context, page + PAGE - size, back, size));
		assert_memory_equal(bytes, back, size);
	}
	assert_false(unit.read(unit.context, page - 8, back, 8));
	assert_false(unit.read(unit.context, page + 2 * PAGE, back, 8)); /* nobody took it yet */
	assert_false(unit.write(unit.context, page + 2 * PAGE, back, 8));
	assert_false(unit.read(unit.context, page + PAGE - 4, back, 8)); /* crosses a page */
	assert_false(unit.read(unit.context, 0, back, 8));
	assert_false(unit.read(unit.context, UINT64_MAX - 7, back, 8));
	assert_true(unit.write(unit.context, page, "\1\0\0\0\0\0\0\0", 8));
	assert_false(unit.replace(unit.context, page, 2, 3));
	assert_true(unit.replace(unit.context, page, 1, 3));
	assert_false(unit.replace(unit.context, page + 4, 0, 3));
	assert_int_equal(atomic_load(unit.word(unit.context, page)), 3);
	assert_null(unit.word(unit.context, page + 2 * PAGE));
	assert_null(unit.word(unit.context, page - 8));
	assert_false(unit.replace(unit.context, page + 2 * PAGE, 0, 3));
	assert_true(unit.read(unit.context, page, back, 1));
	assert_int_equal(back[0], 3);
	table_memory_destroy(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_come_zeroed_and_come_again),
		cmocka_unit_test(a_unit_reads_and_writes_these_pages_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
