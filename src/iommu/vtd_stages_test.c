/* First stage, second stage and both nested: their rows of table 30, rights, accessed and dirty
 * bits. */
#include "tests/vtd_world.h"

static void first_stage_entries_fault_as_rows_sfs_say(void **state)
{
	static const uint64_t tables[] = { 0, F1, F2, F3, F4, F5 };
	static const uint64_t down[] = { 0, PAGE, F1, F2, F3, F4 };
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_FIRST);
	expect_with(&world, world.entry + 16, NOWHERE, SPEC_VTD_FS_TOP_ACCESS);
	physical_put(&world.physical, at(F5, IOVA, 5), F4 | PRESENT);
	physical_put(&world.physical, world.entry + 16, F5 | 1 << 2);
	for (unsigned level = 1; level <= 5; level++) {
		uint64_t address = at(tables[level], IOVA, level);

		expect_with(&world, address, ~UINT64_C(1), SPEC_VTD_FS_NOT_PRESENT);
		if (level > 1)
			expect_with(&world, address, NOWHERE | PRESENT, SPEC_VTD_FS_ACCESS);
		for (unsigned bit = 48; bit < 52; bit++)
			expect_with(&world, address, down[level] | PRESENT | UINT64_C(1) << bit,
				    SPEC_VTD_FS_RESERVED);
		for (unsigned bit = 3; bit < 12; bit++)
			expect_with(&world, address, down[level] | PRESENT | UINT64_C(1) << bit,
				    bit == 7 && level >= 4                   ? SPEC_VTD_FS_RESERVED
				    : bit == 7 && (level == 2 || level == 3) ? SPEC_VTD_FS_RESERVED
									     : SPEC_VTD_NO_FAULT);
		for (unsigned bit = 52; bit < 64; bit++)
			expect_with(&world, address, down[level] | PRESENT | UINT64_C(1) << bit,
				    SPEC_VTD_NO_FAULT);
		expect_with(&world, address, down[level] | 3, SPEC_VTD_PRIVILEGE);
	}
}

static void first_stage_pages_have_three_sizes(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_FIRST);
	/* Bit 12 of a large page's entry is PAT and not an address. */
	physical_put(&world.physical, at(F2, IOVA, 2), UINT64_C(0x12601000) | PRESENT | PS);
	expect(&world, UINT64_C(0x12600000) | (IOVA & 0x1fffff));
	assert_int_equal(world.answer.page_shift, 21);
	for (unsigned bit = 13; bit < 21; bit++)
		expect_with(&world, at(F2, IOVA, 2), PRESENT | PS | UINT64_C(1) << bit,
			    SPEC_VTD_FS_RESERVED);
	physical_put(&world.physical, at(F3, IOVA, 3), UINT64_C(0x1c0001000) | PRESENT | PS);
	expect(&world, UINT64_C(0x1c0000000) | (IOVA & 0x3fffffff));
	assert_int_equal(world.answer.page_shift, 30);
	for (unsigned bit = 13; bit < 30; bit++)
		expect_with(&world, at(F3, IOVA, 3), PRESENT | PS | UINT64_C(1) << bit,
			    SPEC_VTD_FS_RESERVED);
	world.tables.cap &= ~field_mask(SPEC_VTD_CAP_FS1GP);
	expect_fault(&world, SPEC_VTD_FS_RESERVED);
}

static void first_stage_addresses_are_canonical(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_FIRST);
	world.request.address = UINT64_C(1) << 47;
	expect_fault(&world, SPEC_VTD_NOT_CANONICAL);
	assert_int_equal(world.answer.page_shift, 47);
	world.request.address = IOVA | UINT64_C(1) << 63;
	expect_fault(&world, SPEC_VTD_NOT_CANONICAL);
	/* The upper half, whose tables are those of bits 47:12. */
	world.request.address = IOVA | UINT64_C(0xffff800000000000);
	physical_put(&world.physical, at(F4, world.request.address, 4), F3 | PRESENT);
	expect(&world, PAGE | 0x123);
	physical_put(&world.physical, world.entry + 16, F5 | 1 << 2);
	physical_put(&world.physical, at(F5, world.request.address, 5), F4 | PRESENT);
	expect(&world, PAGE | 0x123);
	world.request.address = IOVA | UINT64_C(1) << 56;
	expect_fault(&world, SPEC_VTD_NOT_CANONICAL);
	world.request.address = IOVA | UINT64_C(1) << 55;
	expect_fault(&world, SPEC_VTD_FS_NOT_PRESENT);
}

static void first_stage_rights_depend_on_privilege_and_write_protection(void **state)
{
	const uint64_t sre = 1, wpe = 1 << 4;
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	put_entry(&world, PASID, SPEC_VTD_PGTT_FIRST);
	world.request.pasid = PASID;
	physical_put(&world.physical, at(F3, IOVA, 3), F2 | 5);
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.answer.rights, IOMMU_READ);
	world.request.access = IOMMU_WRITE;
	expect_fault(&world, SPEC_VTD_SM_WRITE_DENIED);
	world.request.privileged = true;
	physical_put(&world.physical, world.entry + 16, F4 | sre);
	expect(&world, PAGE | 0x123);
	physical_put(&world.physical, world.entry + 16, F4 | sre | wpe);
	expect_fault(&world, SPEC_VTD_SM_WRITE_DENIED);
	/* A supervisor may use supervisor pages. */
	world.request.access = IOMMU_READ;
	physical_put(&world.physical, at(F3, IOVA, 3), F2 | 1);
	expect(&world, PAGE | 0x123);
}

static void first_stage_walks_set_accessed_and_dirty_bits(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_FIRST);
	expect(&world, PAGE | 0x123);
	assert_int_equal(physical_get(&world.physical, at(F4, IOVA, 4)), F3 | PRESENT | A);
	assert_int_equal(physical_get(&world.physical, at(F2, IOVA, 2)), F1 | PRESENT | A);
	assert_int_equal(physical_get(&world.physical, at(F1, IOVA, 1)), PAGE | PRESENT | A);
	assert_int_equal(world.physical.replaced, 4);
	world.request.access = IOMMU_WRITE;
	expect(&world, PAGE | 0x123);
	assert_int_equal(physical_get(&world.physical, at(F1, IOVA, 1)), PAGE | PRESENT | A | D);
	assert_int_equal(world.physical.replaced, 5);
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.physical.replaced, 5);
	physical_put(&world.physical, world.entry + 16, F4 | 1 << 7);
	expect(&world, PAGE | 0x123);
	assert_int_equal(physical_get(&world.physical, at(F4, IOVA, 4)), F3 | PRESENT | A | EA);
	assert_int_equal(physical_get(&world.physical, at(F1, IOVA, 1)),
			 PAGE | PRESENT | A | D | EA);
}

static void a_denied_access_leaves_the_leaf_as_it_was(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_FIRST);
	world.request.access = IOMMU_WRITE;
	physical_put(&world.physical, at(F1, IOVA, 1), PAGE | 5);
	expect_fault(&world, SPEC_VTD_SM_WRITE_DENIED);
	assert_int_equal(physical_get(&world.physical, at(F1, IOVA, 1)), PAGE | 5);
}

static void entries_that_are_not_snooped_must_have_their_bits_set(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_FIRST);
	physical_put(&world.physical, world.entry + 8, DOMAIN_ID);
	expect_fault(&world, SPEC_VTD_FS_UPDATE_NOT_SNOOPED);
	for (unsigned level = 1; level <= 4; level++) {
		static const uint64_t tables[] = { 0, F1, F2, F3, F4 };
		uint64_t address = at(tables[level], IOVA, level);

		physical_put(&world.physical, address, physical_get(&world.physical, address) | A);
	}
	expect(&world, PAGE | 0x123);
	world.request.access = IOMMU_WRITE;
	expect_fault(&world, SPEC_VTD_FS_UPDATE_NOT_SNOOPED);

	set_up(&world, SPEC_VTD_PGTT_SECOND);
	physical_put(&world.physical, world.entry, S4 | 1 << 9 | 2 << 6 | 2 << 2 | 1);
	physical_put(&world.physical, world.entry + 8, DOMAIN_ID);
	expect_fault(&world, SPEC_VTD_SS_UPDATE_NOT_SNOOPED);
}

static void an_update_that_others_outrun_is_tried_again_and_then_faults(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_FIRST);
	world.physical.refuse_replacing = 3;
	expect(&world, PAGE | 0x123);
	set_up(&world, SPEC_VTD_PGTT_FIRST);
	world.physical.refuse_replacing = 4;
	expect_fault(&world, SPEC_VTD_FS_UPDATE_FAILED);
	set_up(&world, SPEC_VTD_PGTT_FIRST);
	world.physical.refuse_replacing = 4;
	world.request.type = IOMMU_TRANSLATION_REQUEST;
	expect_fault(&world, SPEC_VTD_FS_UPDATE_FAILED);
	assert_int_equal(world.answer.completion, IOMMU_SUCCESS);

	set_up(&world, SPEC_VTD_PGTT_SECOND);
	physical_put(&world.physical, world.entry, S4 | 1 << 9 | 2 << 6 | 2 << 2 | 1);
	world.physical.refuse_replacing = 4;
	expect_fault(&world, SPEC_VTD_SS_UPDATE_FAILED);
}

static void second_stage_walks_set_bits_where_ssade_says_so(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	world.request.access = IOMMU_WRITE;
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.physical.replaced, 0);
	physical_put(&world.physical, world.entry, S4 | 1 << 9 | 2 << 6 | 2 << 2 | 1);
	world.request.access = IOMMU_READ;
	expect(&world, PAGE | 0x123);
	assert_int_equal(physical_get(&world.physical, at(S4, IOVA, 4)), S3 | RW | SA);
	assert_int_equal(physical_get(&world.physical, at(S1, IOVA, 1)), PAGE | RW | SA);
	world.request.access = IOMMU_READ | IOMMU_WRITE;
	expect(&world, PAGE | 0x123);
	assert_int_equal(physical_get(&world.physical, at(S1, IOVA, 1)), PAGE | RW | SA | SD);
	/* Without leave to write, or to do so in a tool that only looks, nothing is written. */
	physical_put(&world.physical, at(S1, IOVA, 1), PAGE | RW);
	world.tables.set_accessed = false;
	expect(&world, PAGE | 0x123);
	assert_int_equal(physical_get(&world.physical, at(S1, IOVA, 1)), PAGE | RW);
}

static void a_translation_request_dirties_the_page_it_may_write(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	physical_put(&world.physical, world.entry, S4 | 1 << 9 | 2 << 6 | 2 << 2 | 1);
	world.request.type = IOMMU_TRANSLATION_REQUEST;
	expect(&world, PAGE | 0x123);
	assert_int_equal(physical_get(&world.physical, at(S1, IOVA, 1)), PAGE | RW | SA);
	world.request.access = IOMMU_READ | IOMMU_WRITE;
	expect(&world, PAGE | 0x123);
	assert_int_equal(physical_get(&world.physical, at(S1, IOVA, 1)), PAGE | RW | SA | SD);
	physical_put(&world.physical, at(S1, IOVA, 1), PAGE | 1);
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.answer.rights, IOMMU_READ);
	assert_int_equal(physical_get(&world.physical, at(S1, IOVA, 1)), PAGE | 1 | SA);
}

static void second_stage_entries_fault_as_rows_sss_and_sgn_say(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	expect_with(&world, world.entry, NOWHERE | 2 << 6 | 2 << 2 | 1, SPEC_VTD_SS_TOP_ACCESS);
	expect_with(&world, at(S2, IOVA, 2), NOWHERE | RW, SPEC_VTD_SS_ACCESS);
	expect_with(&world, at(S2, IOVA, 2), S1, SPEC_VTD_SS_NOT_PRESENT);
	expect_with(&world, at(S1, IOVA, 1), PAGE | RW | UINT64_C(1) << 49, SPEC_VTD_SS_RESERVED);
	expect_with(&world, at(S1, IOVA, 1), PAGE | 2, SPEC_VTD_SM_READ_DENIED);
	world.request.access = IOMMU_WRITE;
	expect_with(&world, at(S3, IOVA, 3), S2 | 1, SPEC_VTD_SM_WRITE_DENIED);
	/* Levels that agree in nothing. */
	physical_put(&world.physical, at(S3, IOVA, 3), S2 | 1);
	expect_with(&world, at(S2, IOVA, 2), S1 | 2, SPEC_VTD_SS_NOT_PRESENT);
	world.request.address = UINT64_C(1) << 48;
	expect_fault(&world, SPEC_VTD_SM_BEYOND_WIDTH);
	world.request.address = IOVA;
	physical_put(&world.physical, at(S3, IOVA, 3), S2 | RW);
	expect_with(&world, at(S1, IOVA, 1), UINT64_C(0xfeeff000) | RW,
		    SPEC_VTD_SM_INTERRUPT_RANGE);
}

static void io_rights_replace_the_processors_where_enabled(void **state)
{
	const uint64_t ir = UINT64_C(1) << 61, iw = UINT64_C(1) << 62;
	static const uint64_t tables[] = { 0, S1, S2, S3, S4 };
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	world.tables.ecap |= field_mask(SPEC_VTD_ECAP_SSIRWS);
	world.tables.rtaddr |= 1 << 7;
	expect_fault(&world, SPEC_VTD_SS_NOT_PRESENT);
	for (unsigned level = 1; level <= 4; level++) {
		uint64_t address = at(tables[level], IOVA, level);

		physical_put(&world.physical, address,
			     (physical_get(&world.physical, address) & ~RW) | ir | iw);
	}
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.answer.rights, IOMMU_READ | IOMMU_WRITE);
	assert_false(world.answer.transient);
	physical_put(&world.physical, at(S1, IOVA, 1), PAGE | RW | iw);
	expect_fault(&world, SPEC_VTD_SM_READ_DENIED);
}

static void nested_first_stage_entries_are_read_through_the_second_stage(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_NESTED);
	expect_with(&world, at(S1, GUEST + F4, 1), F4 | 2, SPEC_VTD_FS_TOP_READ_DENIED);
	expect_with(&world, at(S1, GUEST + F3, 1), F3 | 2, SPEC_VTD_FS_READ_DENIED);
	expect_with(&world, at(S1, GUEST + F3, 1), F3, SPEC_VTD_SS_NOT_PRESENT);
	expect_with(&world, at(S1, GUEST + F2, 1), F2 | RW | UINT64_C(1) << 49,
		    SPEC_VTD_SS_RESERVED);
	expect_with(&world, at(S1, GUEST + F4, 1), NOWHERE | RW, SPEC_VTD_FS_TOP_ACCESS);
	expect_with(&world, at(S1, GUEST + F1, 1), NOWHERE | RW, SPEC_VTD_FS_ACCESS);
	expect_with(&world, at(S1, GPAGE, 1), PAGE | 2, SPEC_VTD_SM_READ_DENIED);
	expect_with(&world, at(S1, GPAGE, 1), PAGE, SPEC_VTD_SS_NOT_PRESENT);
	world.request.access = IOMMU_WRITE;
	expect_with(&world, at(S1, GPAGE, 1), PAGE | 1, SPEC_VTD_SM_WRITE_DENIED);
	expect_with(&world, at(F1, IOVA, 1), GPAGE | 5, SPEC_VTD_SM_WRITE_DENIED);
	/* A guest physical address beyond the second stage. */
	physical_put(&world.physical, world.entry, S3 | 3 << 6 | 1 << 2 | 1);
	expect_with(&world, at(F1, IOVA, 1), UINT64_C(1) << 39 | PRESENT, SPEC_VTD_FS_BEYOND_WIDTH);
	expect_with(&world, at(F3, IOVA, 3), UINT64_C(1) << 39 | PRESENT, SPEC_VTD_FS_BEYOND_WIDTH);
}

static void nested_updates_need_leave_to_write(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_NESTED);
	expect_with(&world, at(S1, GUEST + F2, 1), F2 | 1, SPEC_VTD_FS_UPDATE_DENIED);
	/* Where nothing must be set, read is enough; not so with second-stage dirty bits. */
	set_up(&world, SPEC_VTD_PGTT_NESTED);
	physical_put(&world.physical, at(F2, IOVA, 2), (GUEST + F1) | PRESENT | A);
	expect_with(&world, at(S1, GUEST + F2, 1), F2 | 1, SPEC_VTD_NO_FAULT);
	physical_put(&world.physical, world.entry, S4 | 1 << 9 | 3 << 6 | 2 << 2 | 1);
	expect_with(&world, at(S1, GUEST + F2, 1), F2 | 1, SPEC_VTD_FS_UPDATE_DENIED);
	expect(&world, PAGE | 0x123);
	assert_int_equal(physical_get(&world.physical, at(S1, GUEST + F2, 1)), F2 | RW | SA | SD);
	assert_int_equal(physical_get(&world.physical, at(S1, GPAGE, 1)), PAGE | RW | SA);
	assert_int_equal(physical_get(&world.physical, at(F1, IOVA, 1)), GPAGE | PRESENT | A);
}

static void a_nested_page_is_as_large_as_the_smaller_of_both(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_NESTED);
	physical_put(&world.physical, at(F2, IOVA, 2), GUEST | PRESENT | PS);
	/* Both ways to PAGE use the same entry of the second stage. */
	assert_int_equal(at(S1, IOVA, 1), at(S1, GUEST + (IOVA & 0x1fffff), 1));
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.answer.page_shift, 12);
	physical_put(&world.physical, at(F2, IOVA, 2), (GUEST + 0x200000) | PRESENT | PS);
	physical_put(&world.physical, at(S2, GUEST + 0x200000, 2), UINT64_C(0x600000) | RW | PS);
	expect(&world, UINT64_C(0x600000) | (IOVA & 0x1fffff));
	assert_int_equal(world.answer.page_shift, 21);
	physical_put(&world.physical, at(F2, IOVA, 2), (GUEST + F1) | PRESENT);
	physical_put(&world.physical, at(F1, IOVA, 1), (GUEST + 0x201000) | PRESENT);
	expect(&world, UINT64_C(0x601000) | (IOVA & 0xfff));
	assert_int_equal(world.answer.page_shift, 12);
}

static void the_snoop_bit_comes_from_entry_or_leaf(void **state)
{
	struct world world;

	(void)state;
	for (unsigned type = 1; type <= 4; type++) {
		set_up(&world, type);
		expect(&world, type == 4 ? IOVA : PAGE | 0x123);
		assert_false(world.answer.snoop);
		physical_put(&world.physical, world.entry + 8, DOMAIN_ID | 3 << 23);
		expect(&world, type == 4 ? IOVA : PAGE | 0x123);
		assert_true(world.answer.snoop);
	}
	set_up(&world, SPEC_VTD_PGTT_NESTED);
	physical_put(&world.physical, at(S1, GPAGE, 1), PAGE | RW | 1 << 11);
	expect(&world, PAGE | 0x123);
	assert_true(world.answer.snoop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_stage_entries_fault_as_rows_sfs_say),
		cmocka_unit_test(first_stage_pages_have_three_sizes),
		cmocka_unit_test(first_stage_addresses_are_canonical),
		cmocka_unit_test(first_stage_rights_depend_on_privilege_and_write_protection),
		cmocka_unit_test(first_stage_walks_set_accessed_and_dirty_bits),
		cmocka_unit_test(a_denied_access_leaves_the_leaf_as_it_was),
		cmocka_unit_test(entries_that_are_not_snooped_must_have_their_bits_set),
		cmocka_unit_test(an_update_that_others_outrun_is_tried_again_and_then_faults),
		cmocka_unit_test(second_stage_walks_set_bits_where_ssade_says_so),
		cmocka_unit_test(a_translation_request_dirties_the_page_it_may_write),
		cmocka_unit_test(second_stage_entries_fault_as_rows_sss_and_sgn_say),
		cmocka_unit_test(io_rights_replace_the_processors_where_enabled),
		cmocka_unit_test(nested_first_stage_entries_are_read_through_the_second_stage),
		cmocka_unit_test(nested_updates_need_leave_to_write),
		cmocka_unit_test(a_nested_page_is_as_large_as_the_smaller_of_both),
		cmocka_unit_test(the_snoop_bit_comes_from_entry_or_leaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
