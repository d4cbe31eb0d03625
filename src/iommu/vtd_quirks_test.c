/* The quirks of DMA remapping: what QEMU 7.2 answers, beside what the specification says.  Those of
 * interrupts are in vtd_remap_test.c. */
#include "tests/vtd_world.h"

/* A word that is exchanged for one walk gives 'specified', and 'quirky' with the quirks. */
static void expect_both(struct world *world, uint64_t address, uint64_t word,
			enum spec_vtd_reason specified, enum spec_vtd_reason quirky)
{
	expect_with(world, address, word, specified);
	world->tables.quirks = VTD_QUIRKS_QEMU72;
	expect_with(world, address, word, quirky);
	world->tables.quirks = VTD_QUIRKS_NONE;
}

/* Legacy mode: IOVA through the second stage's four levels. */
static void set_up_legacy(struct world *world)
{
	set_up(world, SPEC_VTD_PGTT_SECOND);
	world->tables.rtaddr = ROOT;
	physical_put(&world->physical, ROOT + 0x1a * 16 + 8, 0);
	physical_put(&world->physical, LOWER + (SOURCE & 0xff) * 16, S4 | 1);
	physical_put(&world->physical, LOWER + (SOURCE & 0xff) * 16 + 8, DOMAIN_ID << 8 | 2);
}

static uint64_t legacy_context(void)
{
	return LOWER + (SOURCE & 0xff) * 16;
}

static void only_one_bit_of_the_mode_counts(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	world.tables.quirks = VTD_QUIRKS_QEMU72;
	world.tables.rtaddr = ROOT | 3 << 10;
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.physical.reads, 8);
	set_up_legacy(&world);
	world.tables.quirks = VTD_QUIRKS_QEMU72;
	world.tables.rtaddr = ROOT | 2 << 10;
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.physical.reads, 6);
	world.tables.ecap &= ~field_mask(SPEC_VTD_ECAP_SMTS);
	world.tables.rtaddr = ROOT | 1 << 10;
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.physical.reads, 12);
}

static void scalable_mode_reports_the_reasons_of_legacy_mode(void **state)
{
	uint64_t root = ROOT + 0x1a * 16, context = context_of(SOURCE);
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	expect_both(&world, root, 0, SPEC_VTD_SMROOT_NOT_PRESENT, SPEC_VTD_ROOT_NOT_PRESENT);
	expect_both(&world, root, LOWER | 3, SPEC_VTD_SMROOT_RESERVED, SPEC_VTD_ROOT_RESERVED);
	expect_both(&world, root, NOWHERE | 1, SPEC_VTD_SMCONTEXT_ACCESS, SPEC_VTD_CONTEXT_ACCESS);
	expect_both(&world, context, 0, SPEC_VTD_SMCONTEXT_NOT_PRESENT,
		    SPEC_VTD_CONTEXT_NOT_PRESENT);
	expect_both(&world, context, DIRECTORY | 1 << 7 | 1, SPEC_VTD_SMCONTEXT_RESERVED,
		    SPEC_VTD_CONTEXT_RESERVED);
	expect_both(&world, world.entry, NOWHERE | 2 << 6 | 2 << 2 | 1, SPEC_VTD_SS_TOP_ACCESS,
		    SPEC_VTD_CONTEXT_INVALID);
	expect_both(&world, at(S2, IOVA, 2), NOWHERE | RW, SPEC_VTD_SS_ACCESS,
		    SPEC_VTD_PAGING_ACCESS);
	expect_both(&world, at(S1, IOVA, 1), RW | UINT64_C(1) << 49, SPEC_VTD_SS_RESERVED,
		    SPEC_VTD_PAGING_RESERVED);
	expect_both(&world, at(S1, IOVA, 1), 0, SPEC_VTD_SS_NOT_PRESENT, SPEC_VTD_READ_DENIED);
	expect_both(&world, at(S1, IOVA, 1), 2, SPEC_VTD_SM_READ_DENIED, SPEC_VTD_READ_DENIED);
	world.request.access = IOMMU_WRITE;
	expect_both(&world, at(S1, IOVA, 1), 1, SPEC_VTD_SM_WRITE_DENIED, SPEC_VTD_WRITE_DENIED);
	world.request.address = UINT64_C(1) << 48;
	expect_both(&world, NOWHERE >> 12, 0, SPEC_VTD_SM_BEYOND_WIDTH,
		    SPEC_VTD_ADDRESS_BEYOND_WIDTH);
	world.request.address = IOVA;
	world.tables.rtaddr = NOWHERE | 1 << 10;
	expect_both(&world, NOWHERE >> 12, 0, SPEC_VTD_SMROOT_ACCESS, SPEC_VTD_ROOT_ACCESS);
}

static void an_interrupt_address_is_told_by_the_capability_and_by_the_page(void **state)
{
	struct world world;

	(void)state;
	set_up_legacy(&world);
	expect_both(&world, at(S2, IOVA, 2), UINT64_C(0xfee00000) | RW | PS,
		    SPEC_VTD_INTERRUPT_RANGE, SPEC_VTD_SM_INTERRUPT_RANGE);
	world.request.address = IOVA | 0x100000;
	expect_both(&world, at(S2, IOVA, 2), UINT64_C(0xfee00000) | RW | PS, SPEC_VTD_NO_FAULT,
		    SPEC_VTD_SM_INTERRUPT_RANGE);
	world.tables.ecap &= ~field_mask(SPEC_VTD_ECAP_SMTS);
	expect_both(&world, at(S2, IOVA, 2), UINT64_C(0xfee00000) | RW | PS, SPEC_VTD_NO_FAULT,
		    SPEC_VTD_INTERRUPT_RANGE);
}

static void absent_halves_of_root_entries_count(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	expect_both(&world, ROOT + 0x1a * 16 + 8, 1 << 4, SPEC_VTD_NO_FAULT,
		    SPEC_VTD_ROOT_RESERVED);
}

static void pass_through_checks_the_pointer_and_not_the_address(void **state)
{
	struct world world;

	(void)state;
	set_up_legacy(&world);
	expect_both(&world, legacy_context(), UINT64_C(1) << 50 | 2 << 2 | 1, SPEC_VTD_NO_FAULT,
		    SPEC_VTD_CONTEXT_RESERVED);
	world.request.address = UINT64_C(1) << 50;
	expect_both(&world, legacy_context(), 2 << 2 | 1, SPEC_VTD_ADDRESS_BEYOND_WIDTH,
		    SPEC_VTD_NO_FAULT);
	assert_int_equal(world.answer.page_shift, 12);
}

static void some_reasons_are_told_although_they_are_disabled(void **state)
{
	struct world world;

	(void)state;
	set_up_legacy(&world);
	physical_put(&world.physical, legacy_context(), S4 | 1 << 4 | 3);
	walk(&world);
	assert_int_equal(world.answer.outcome, IOMMU_SILENT);
	world.tables.quirks = VTD_QUIRKS_QEMU72;
	expect_fault(&world, SPEC_VTD_CONTEXT_RESERVED);
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	physical_put(&world.physical, world.entry, 2);
	walk(&world);
	assert_int_equal(world.answer.outcome, IOMMU_SILENT);
	world.tables.quirks = VTD_QUIRKS_QEMU72;
	expect_fault(&world, SPEC_VTD_PASID_ACCESS);
	/* Others are silenced as they should be. */
	put_entry(&world, RID, SPEC_VTD_PGTT_SECOND);
	physical_put(&world.physical, world.entry, S4 | 2 << 6 | 2 << 2 | 3);
	physical_put(&world.physical, at(S1, IOVA, 1), 0);
	walk(&world);
	assert_int_equal(world.answer.outcome, IOMMU_SILENT);
	assert_int_equal(world.answer.reason, SPEC_VTD_READ_DENIED);
}

static void context_bits_need_no_capability(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	world.tables.ecap &= ~(field_mask(SPEC_VTD_ECAP_DT) | field_mask(SPEC_VTD_ECAP_RPS) |
			       field_mask(SPEC_VTD_ECAP_PRS));
	expect_both(&world, context_of(SOURCE), DIRECTORY | 1 << 2 | 1, SPEC_VTD_SMCONTEXT_RESERVED,
		    SPEC_VTD_NO_FAULT);
	expect_both(&world, context_of(SOURCE), DIRECTORY | 1 << 4 | 1, SPEC_VTD_SMCONTEXT_RESERVED,
		    SPEC_VTD_NO_FAULT);
	/* RID_PASID is used without RPS, which would otherwise be PASID 0. */
	physical_put(&world.physical, context_of(SOURCE), DIRECTORY | 1);
	expect_both(&world, context_of(SOURCE) + 8, RID, SPEC_VTD_SMCONTEXT_RESERVED,
		    SPEC_VTD_NO_FAULT);
	expect_both(&world, context_of(SOURCE) + 8, 0, SPEC_VTD_PASIDDIR_NOT_PRESENT,
		    SPEC_VTD_PASID_ACCESS);
}

static void one_reason_stands_for_everything_wrong_with_pasid_entries(void **state)
{
	uint64_t entry = DIRECTORY + (RID >> 6) * 8;
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	expect_both(&world, context_of(SOURCE), NOWHERE | 1, SPEC_VTD_PASIDDIR_ACCESS,
		    SPEC_VTD_PASID_ACCESS);
	expect_both(&world, entry, 0, SPEC_VTD_PASIDDIR_NOT_PRESENT, SPEC_VTD_PASID_ACCESS);
	expect_both(&world, entry, PASIDS | 1 << 5 | 1, SPEC_VTD_PASIDDIR_RESERVED,
		    SPEC_VTD_NO_FAULT);
	expect_both(&world, world.entry, 0, SPEC_VTD_PASID_NOT_PRESENT, SPEC_VTD_PASID_ACCESS);
	expect_both(&world, world.entry, S4 | 2 << 6 | 1 << 5 | 2 << 2 | 1, SPEC_VTD_PASID_RESERVED,
		    SPEC_VTD_NO_FAULT);
	expect_both(&world, world.entry, S4 | 5 << 6 | 2 << 2 | 1, SPEC_VTD_PASID_INVALID,
		    SPEC_VTD_PASID_ACCESS);
	expect_both(&world, world.entry, 4 << 6 | 1, SPEC_VTD_NO_FAULT, SPEC_VTD_PASID_ACCESS);
}

static void first_stage_types_walk_the_second_stage(void **state)
{
	struct world world;

	(void)state;
	for (unsigned type = SPEC_VTD_PGTT_FIRST; type <= SPEC_VTD_PGTT_NESTED; type += 2) {
		set_up(&world, type);
		physical_put(&world.physical, at(F1, IOVA, 1), 0);
		expect_fault(&world, SPEC_VTD_FS_NOT_PRESENT);
		world.tables.quirks = VTD_QUIRKS_QEMU72;
		world.tables.ecap &=
			~(field_mask(SPEC_VTD_ECAP_FSTS) | field_mask(SPEC_VTD_ECAP_NEST));
		expect(&world, PAGE | 0x123);
	}
}

static void a_missing_right_comes_before_reserved_bits_and_at_its_own_level(void **state)
{
	struct world world;

	(void)state;
	set_up_legacy(&world);
	world.request.access = IOMMU_WRITE;
	expect_both(&world, at(S1, IOVA, 1), PAGE | 1 | UINT64_C(1) << 49, SPEC_VTD_PAGING_RESERVED,
		    SPEC_VTD_WRITE_DENIED);
	/* Table entries with a missing right lead no further. */
	physical_put(&world.physical, at(S3, IOVA, 3), S2 | 1);
	expect_both(&world, at(S1, IOVA, 1), PAGE | RW | UINT64_C(1) << 49,
		    SPEC_VTD_PAGING_RESERVED, SPEC_VTD_WRITE_DENIED);
	world.request.access = IOMMU_READ;
	expect_both(&world, at(S1, IOVA, 1), PAGE | 2 | UINT64_C(1) << 49, SPEC_VTD_PAGING_RESERVED,
		    SPEC_VTD_READ_DENIED);
}

static void the_snoop_bit_is_accepted_where_scalable_mode_is_offered(void **state)
{
	struct world world;

	(void)state;
	set_up_legacy(&world);
	world.tables.ecap &= ~field_mask(SPEC_VTD_ECAP_SC);
	expect_both(&world, at(S1, IOVA, 1), PAGE | RW | 1 << 11, SPEC_VTD_PAGING_RESERVED,
		    SPEC_VTD_NO_FAULT);
	expect_both(&world, at(S2, IOVA, 2), S1 | RW | 1 << 11, SPEC_VTD_PAGING_RESERVED,
		    SPEC_VTD_PAGING_RESERVED);
	world.tables.ecap &= ~field_mask(SPEC_VTD_ECAP_SMTS);
	expect_both(&world, at(S1, IOVA, 1), PAGE | RW | 1 << 11, SPEC_VTD_PAGING_RESERVED,
		    SPEC_VTD_PAGING_RESERVED);
}

static void an_entry_of_ones_is_no_memory(void **state)
{
	struct world world;

	(void)state;
	set_up_legacy(&world);
	expect_both(&world, at(S4, IOVA, 4), UINT64_MAX, SPEC_VTD_PAGING_RESERVED,
		    SPEC_VTD_CONTEXT_INVALID);
	expect_both(&world, at(S1, IOVA, 1), UINT64_MAX, SPEC_VTD_PAGING_RESERVED,
		    SPEC_VTD_PAGING_ACCESS);
}

static void every_quirk_has_a_bit_a_name_and_a_sentence(void **state)
{
	struct vtd_quirk_row row;
	uint32_t all = 0;

	(void)state;
	for (unsigned n = 0; vtd_quirks_row(n, &row); n++) {
		assert_int_equal(row.quirk, 1u << n);
		assert_true(strlen(row.name) > 3 && strlen(row.sentence) > 20);
		all |= row.quirk;
	}
	assert_int_equal(all, vtd_quirks_of(VTD_QUIRKS_QEMU72));
	assert_int_equal(vtd_quirks_of(VTD_QUIRKS_NONE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_one_bit_of_the_mode_counts),
		cmocka_unit_test(scalable_mode_reports_the_reasons_of_legacy_mode),
		cmocka_unit_test(an_interrupt_address_is_told_by_the_capability_and_by_the_page),
		cmocka_unit_test(absent_halves_of_root_entries_count),
		cmocka_unit_test(pass_through_checks_the_pointer_and_not_the_address),
		cmocka_unit_test(some_reasons_are_told_although_they_are_disabled),
		cmocka_unit_test(context_bits_need_no_capability),
		cmocka_unit_test(one_reason_stands_for_everything_wrong_with_pasid_entries),
		cmocka_unit_test(first_stage_types_walk_the_second_stage),
		cmocka_unit_test(a_missing_right_comes_before_reserved_bits_and_at_its_own_level),
		cmocka_unit_test(the_snoop_bit_is_accepted_where_scalable_mode_is_offered),
		cmocka_unit_test(an_entry_of_ones_is_no_memory),
		cmocka_unit_test(every_quirk_has_a_bit_a_name_and_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
