/* The host permission table: rows SPT.9 and HPT.1 to HPT.6. */
#include "tests/vtd_world.h"

enum { L4 = 0x10000, L3 = 0x11000, L2 = 0x12000, L1 = 0x13000 };

#define ADDRESS UINT64_C(0x9123456789ab)
#define AV      UINT64_C(1)

static uint64_t entry(uint64_t table, unsigned shift)
{
	return table + 16 * (ADDRESS >> shift & 255);
}

/* A translated request to ADDRESS, whose 4 KiB page may be read. */
static void set_up_table(struct world *world)
{
	unsigned bit = 4 * (ADDRESS >> 12 & 31);

	set_up(world, SPEC_VTD_PGTT_SECOND);
	world->tables.ecap |= field_mask(SPEC_VTD_ECAP_HPTS) | field_mask(SPEC_VTD_ECAP_HPT1GPS);
	world->request.type = IOMMU_TRANSLATED;
	world->request.address = ADDRESS;
	physical_put(&world->physical, context_of(SOURCE), DIRECTORY | 1 << 5 | 1 << 2 | 1);
	physical_put(&world->physical, world->entry + 32, L4);
	physical_put(&world->physical, entry(L4, 41) + 8, L3 | AV);
	physical_put(&world->physical, entry(L3, 33) + 8, L2 | AV);
	physical_put(&world->physical, entry(L2, 25) + 8, L1 | AV);
	physical_put(&world->physical, entry(L1, 17) + bit / 64 * 8, UINT64_C(1) << bit % 64);
}

static void a_page_of_each_size_is_permitted_by_its_level(void **state)
{
	struct world world;

	(void)state;
	set_up_table(&world);
	expect(&world, ADDRESS);
	assert_int_equal(world.answer.rights, IOMMU_READ);
	assert_int_equal(world.answer.page_shift, 12);
	assert_int_equal(world.physical.reads, 8);
	physical_put(&world.physical, entry(L2, 25), UINT64_C(3) << 4 * (ADDRESS >> 21 & 15));
	expect(&world, ADDRESS);
	assert_int_equal(world.answer.rights, IOMMU_READ | IOMMU_WRITE);
	assert_int_equal(world.answer.page_shift, 21);
	physical_put(&world.physical, entry(L3, 33), UINT64_C(2) << 4 * (ADDRESS >> 30 & 7));
	world.request.access = IOMMU_WRITE;
	expect(&world, ADDRESS);
	assert_int_equal(world.answer.page_shift, 30);
	world.tables.ecap &= ~field_mask(SPEC_VTD_ECAP_HPT1GPS);
	expect_fault(&world, SPEC_VTD_HPT_RESERVED);
	assert_int_equal(world.answer.completion, IOMMU_COMPLETER_ABORT);
}

static void without_the_enable_bit_nothing_is_looked_up(void **state)
{
	struct world world;

	(void)state;
	set_up_table(&world);
	physical_put(&world.physical, entry(L4, 41) + 8, 0);
	expect_with(&world, context_of(SOURCE), DIRECTORY | 1 << 2 | 1, SPEC_VTD_NO_FAULT);
	assert_int_equal(world.physical.reads, 2);
	expect_fault(&world, SPEC_VTD_HPT_READ_DENIED);
}

static void a_missing_right_or_entry_is_refused(void **state)
{
	static const uint64_t places[] = { L4, L3, L2 };
	static const unsigned shifts[] = { 41, 33, 25 };
	struct world world;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		set_up_table(&world);
		physical_put(&world.physical, entry(places[i], shifts[i]) + 8, 0);
		expect_fault(&world, SPEC_VTD_HPT_READ_DENIED);
		world.request.access = IOMMU_WRITE;
		expect_fault(&world, SPEC_VTD_HPT_WRITE_DENIED);
		world.request.access = IOMMU_READ;
		world.request.zero_length = true;
		expect_fault(&world, SPEC_VTD_HPT_NOT_PRESENT);
	}
	set_up_table(&world);
	world.request.access = IOMMU_READ | IOMMU_WRITE;
	expect_fault(&world, SPEC_VTD_HPT_WRITE_DENIED);
	assert_int_equal(world.answer.completion, IOMMU_UNSUPPORTED_REQUEST);
	world.request.address ^= 0x1000;
	world.request.access = IOMMU_READ;
	expect_fault(&world, SPEC_VTD_HPT_READ_DENIED);
	/* A read of nothing goes to what can only be written. */
	physical_put(&world.physical, entry(L2, 25), UINT64_C(2) << 4 * (ADDRESS >> 21 & 15));
	expect_fault(&world, SPEC_VTD_HPT_READ_DENIED);
	world.request.zero_length = true;
	expect(&world, ADDRESS ^ 0x1000);
}

static void entries_that_cannot_be_read_or_have_reserved_bits_abort(void **state)
{
	static const uint64_t places[] = { L4, L3, L2, L1 };
	static const unsigned shifts[] = { 41, 33, 25, 17 };
	/* Of the low and of the high word, by level 4 to 1. */
	static const uint64_t low[] = { UINT64_MAX, UINT64_C(0xffffffffcccccccc),
					UINT64_C(0xcccccccccccccccc),
					UINT64_C(0xcccccccccccccccc) };
	const uint64_t high = UINT64_C(0x000f000000000ffe);
	struct world world;

	(void)state;
	set_up_table(&world);
	for (unsigned i = 0; i < 4; i++)
		for (unsigned bit = 0; bit < 64; bit++) {
			uint64_t at_entry = entry(places[i], shifts[i]), one = UINT64_C(1) << bit;
			uint64_t second = i == 3 ? low[3] : high;

			if (low[i] & one)
				expect_with(&world, at_entry,
					    physical_get(&world.physical, at_entry) | one,
					    SPEC_VTD_HPT_RESERVED);
			if (second & one)
				expect_with(&world, at_entry + 8,
					    physical_get(&world.physical, at_entry + 8) | one,
					    SPEC_VTD_HPT_RESERVED);
		}
	expect_with(&world, world.entry + 32, NOWHERE, SPEC_VTD_HPT_TOP_ACCESS);
	expect_with(&world, entry(L4, 41) + 8, NOWHERE | AV, SPEC_VTD_HPT_ACCESS);
	expect_with(&world, entry(L2, 25) + 8, NOWHERE | AV, SPEC_VTD_HPT_ACCESS);
	/* Bits 63:52 of a pointer are ignored. */
	expect_with(&world, entry(L2, 25) + 8, L1 | AV | UINT64_C(0xfff) << 52, SPEC_VTD_NO_FAULT);
}

static void the_table_ends_where_its_size_says(void **state)
{
	struct world world;

	(void)state;
	set_up_table(&world);
	world.tables.cap = field_put(world.tables.cap, SPEC_VTD_CAP_MGAW, 51);
	world.request.address = UINT64_C(1) << 49;
	expect_fault(&world, SPEC_VTD_PASID_HPTSZ);
	physical_put(&world.physical, world.entry + 32, L4 | 1);
	expect_fault(&world, SPEC_VTD_HPT_READ_DENIED);
	world.request.address = UINT64_C(1) << 51;
	expect_fault(&world, SPEC_VTD_PASID_HPTSZ);
	physical_put(&world.physical, world.entry + 32, L4 | 3);
	expect_fault(&world, SPEC_VTD_HPT_READ_DENIED);
}

static void pasid_entries_count_for_translated_requests(void **state)
{
	struct world world;

	(void)state;
	set_up_table(&world);
	expect_with(&world, world.entry, 0, SPEC_VTD_PASID_NOT_PRESENT);
	assert_int_equal(world.answer.completion, IOMMU_UNSUPPORTED_REQUEST);
	expect_with(&world, world.entry + 24, 1, SPEC_VTD_PASID_RESERVED);
	assert_int_equal(world.answer.completion, IOMMU_COMPLETER_ABORT);
	world.request.address = UINT64_C(0xfee00000);
	expect_fault(&world, SPEC_VTD_SM_INTERRUPT_RANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_of_each_size_is_permitted_by_its_level),
		cmocka_unit_test(without_the_enable_bit_nothing_is_looked_up),
		cmocka_unit_test(a_missing_right_or_entry_is_refused),
		cmocka_unit_test(entries_that_cannot_be_read_or_have_reserved_bits_abort),
		cmocka_unit_test(the_table_ends_where_its_size_says),
		cmocka_unit_test(pasid_entries_count_for_translated_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
