/* Every event that a DMA can provoke by AMD's specification, and every way to a translation.  A
 * page fault's flags are written in full: which of them are set is part of what is tested. */
#include "tests/amdvi_world.h"

#include "base/base.h"

enum {
	GN = SPEC_AMDVI_FLAG_GN,
	PR = SPEC_AMDVI_FLAG_PR,
	WRITE = SPEC_AMDVI_FLAG_RW,
	PE = SPEC_AMDVI_FLAG_PE,
	RZ = SPEC_AMDVI_FLAG_RZ,
	TR = SPEC_AMDVI_FLAG_TR,
	MASTER_ABORT = SPEC_AMDVI_TYPE_MASTER_ABORT << SPEC_AMDVI_FLAG_TYPE_SHIFT,
	DATA_ERROR = SPEC_AMDVI_TYPE_DATA_ERROR << SPEC_AMDVI_FLAG_TYPE_SHIFT,
	PRETRANSLATED = SPEC_AMDVI_TYPE_PRETRANSLATED << SPEC_AMDVI_FLAG_TYPE_SHIFT,
};

#define READ_ONLY  (UINT64_C(1) << 61)
#define WRITE_ONLY (UINT64_C(1) << 62)
#define ACCESSED   (UINT64_C(1) << 5)
#define DIRTY      (UINT64_C(1) << 6)
#define BIT(n)     (UINT64_C(1) << (n))

static void expect(struct world *world, uint64_t address)
{
	walk(world);
	assert_int_equal(world->answer.outcome, IOMMU_OK);
	assert_int_equal(world->answer.reason, 0);
	assert_int_equal(world->answer.completion, IOMMU_SUCCESS);
	assert_int_equal(world->answer.address, address);
}

static void expect_event(struct world *world, unsigned code, unsigned flags)
{
	walk(world);
	assert_int_equal(world->answer.outcome, IOMMU_FAULT);
	assert_int_equal(world->answer.reason, event(code, flags));
	assert_int_equal(world->answer.completion, code == SPEC_AMDVI_INVALID_DEVICE_REQUEST
							   ? IOMMU_UNSUPPORTED_REQUEST
							   : IOMMU_COMPLETER_ABORT);
	assert_int_equal(world->answer.rights, 0);
}

static void expect_page_fault(struct world *world, unsigned flags)
{
	expect_event(world, SPEC_AMDVI_IO_PAGE_FAULT, flags);
}

static void without_the_enable_bit_everything_passes(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.tables.control = 0;
	expect(&world, IOVA);
	assert_int_equal(world.answer.page_shift, 64);
	assert_int_equal(world.answer.rights, IOMMU_READ | IOMMU_WRITE);
	assert_int_equal(world.physical.reads, 0);
}

static void four_levels_lead_to_a_page(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.answer.page_shift, 12);
	assert_int_equal(world.answer.rights, IOMMU_READ | IOMMU_WRITE);
	assert_int_equal(world.answer.domain, DOMAIN_ID);
	assert_int_equal(world.physical.reads, 5);
}

static void a_device_has_as_many_levels_as_its_mode_says(void **state)
{
	struct world world;

	(void)state;
	for (unsigned top = 1; top <= SPEC_AMDVI_LEVELS_MAX; top++) {
		set_up(&world);
		world.request.address = top < 6 ? (BIT(shift_of(top + 1)) - 1) : UINT64_MAX;
		put_tables(&world, top);
		expect(&world, PAGE | 0xfff);
		assert_int_equal(world.physical.reads, 1 + top);
		if (top == SPEC_AMDVI_LEVELS_MAX)
			break;
		world.request.address++;
		expect_page_fault(&world, 0);
		assert_int_equal(world.answer.page_shift, shift_of(top + 1));
		assert_int_equal(world.physical.reads, 1);
	}
}

static void more_levels_than_the_unit_walks_are_illegal(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	for (unsigned levels = 4; levels <= 6; levels++) {
		put_tables(&world, levels);
		for (unsigned hats = 0; hats <= 3; hats++) {
			world.tables.features = field_make(SPEC_AMDVI_EFR_HATS, hats);
			if (levels <= 4 + hats)
				expect(&world, PAGE | 0x123);
			else
				expect_event(&world, SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY, 0);
		}
	}
	put_device(&world, 0, table_of(6) | RW | 3 | UINT64_C(7) << 9);
	expect_event(&world, SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY, 0);
	/* Without translation nobody looks at the mode. */
	put_device(&world, 0, table_of(6) | RW | 1 | UINT64_C(7) << 9);
	expect_page_fault(&world, 0);
}

/* Six levels, and an address whose pages are far from the interrupts however large they are. */
static void set_up_high(struct world *world)
{
	set_up(world);
	world->request.address |= BIT(60);
	put_tables(world, 6);
}

static void pages_are_as_large_as_their_level(void **state)
{
	struct world world;

	(void)state;
	for (unsigned level = 1; level <= 5; level++) {
		uint64_t offset = BIT(shift_of(level)) - 1;

		set_up_high(&world);
		put_entry(&world, level, PAGE | RW | 1);
		expect(&world, (PAGE & ~offset) | (world.request.address & offset));
		assert_int_equal(world.answer.page_shift, shift_of(level));
		assert_int_equal(world.physical.reads, 1 + 6 - level + 1);
	}
	/* The sixth level has no pages, of whichever encoding. */
	put_entry(&world, 6, PAGE | RW | 1);
	expect_page_fault(&world, PR);
	put_entry(&world, 6, field_mask(SPEC_AMDVI_PTE_ADDRESS) | RW | 1 | 7 << 9);
	expect_page_fault(&world, PR);
	assert_int_equal(world.answer.page_shift, 57);
}

/* Sizes between those of two levels: as many ones from bit 12 on as make half the size. */
static void next_level_seven_has_the_size_in_the_address(void **state)
{
	struct world world;

	(void)state;
	for (unsigned level = 1; level <= 5; level++)
		for (unsigned shift = 13; shift <= 52; shift++) {
			uint64_t offset = BIT(shift) - 1;
			uint64_t ones = ((BIT(shift - 1) - 1) & ~UINT64_C(0xfff));

			set_up_high(&world);
			put_entry(&world, level, (PAGE & ~offset) | ones | RW | 1 | 7 << 9);
			if (shift > shift_of(level) && shift < shift_of(level + 1)) {
				expect(&world, (PAGE & ~offset) | (world.request.address & offset));
				assert_int_equal(world.answer.page_shift, shift);
			} else {
				expect_page_fault(&world, PR);
				assert_int_equal(world.answer.page_shift, shift_of(level));
			}
		}
	put_entry(&world, 5, field_mask(SPEC_AMDVI_PTE_ADDRESS) | RW | 1 | 7 << 9);
	expect_page_fault(&world, PR);
}

static void levels_may_be_skipped_where_the_address_is_zero(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.request.address = UINT64_C(0x7f8000155123); /* levels 4, 1 and part of 2 */
	put_tables(&world, 4);
	put_entry(&world, 4, directory(table_of(2), 2));
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.physical.reads, 4);
	put_entry(&world, 4, directory(table_of(1), 1));
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.physical.reads, 3);
	world.request.address |= 1 << 21;
	expect_page_fault(&world, PR);
	assert_int_equal(world.answer.page_shift, 21);
	put_entry(&world, 4, directory(table_of(2), 2));
	expect_page_fault(&world, 0); /* nothing at the second level */
	assert_int_equal(world.answer.page_shift, 21);
	world.request.address |= 1 << 30;
	expect_page_fault(&world, PR);
	assert_int_equal(world.answer.page_shift, 30);
}

static void a_next_level_that_is_not_lower_is_a_fault(void **state)
{
	struct world world;

	(void)state;
	for (unsigned level = 2; level <= 4; level++)
		for (unsigned next = level; next <= 6; next++) {
			set_up(&world);
			put_entry(&world, level, directory(table_of(level - 1), next));
			expect_page_fault(&world, PR);
			assert_int_equal(world.answer.page_shift, shift_of(level));
		}
}

static void what_is_not_present_faults(void **state)
{
	struct world world;

	(void)state;
	for (unsigned level = 1; level <= 4; level++) {
		set_up(&world);
		put_entry(&world, level, ~UINT64_C(1));
		expect_page_fault(&world, 0);
		assert_int_equal(world.answer.page_shift, shift_of(level));
		assert_int_equal(world.answer.domain, DOMAIN_ID);
		world.request.access = IOMMU_WRITE;
		expect_page_fault(&world, 0); /* RW says nothing without PR */
	}
}

static void reserved_bits_fault(void **state)
{
	struct world world;

	(void)state;
	for (unsigned bit = 52; bit <= 63; bit++) {
		set_up(&world);
		put_entry(&world, 3, directory(table_of(2), 2) | BIT(bit));
		if (bit <= 60)
			expect_page_fault(&world, PR | RZ);
		else
			expect(&world, PAGE | 0x123);
		set_up(&world);
		put_entry(&world, 1, PAGE | RW | 1 | BIT(bit));
		if (bit <= 58)
			expect_page_fault(&world, PR | RZ);
		else
			expect(&world, PAGE | 0x123);
	}
	world.request.access = IOMMU_WRITE;
	put_entry(&world, 1, PAGE | RW | 1 | BIT(52));
	expect_page_fault(&world, PR | RZ | WRITE);
}

/* All entries together, the device's included, must allow the access. */
static void rights_of_all_levels_are_combined(void **state)
{
	static const uint64_t rights[] = { 0, READ_ONLY, WRITE_ONLY, RW };
	struct world world;

	(void)state;
	for (unsigned level = 0; level <= 4; level++)
		for (unsigned i = 0; i < 4; i++)
			for (unsigned access = 0; access <= 3; access++) {
				unsigned have = i & 3;

				set_up(&world);
				if (level == 0) {
					clear_in_device(&world, 0, RW);
					set_in_device(&world, 0, rights[i]);
				} else {
					uint64_t where = entry_at(level, IOVA);
					uint64_t entry = physical_get(&world.physical, where);

					physical_put(&world.physical, where,
						     (entry & ~RW) | rights[i]);
				}
				world.request.access = (uint8_t)access;
				if (access ? (access & ~have) == 0 : have != 0) {
					expect(&world, PAGE | 0x123);
					assert_int_equal(world.answer.rights, have);
				} else {
					expect_page_fault(&world,
							  PR | PE | (access & 2 ? WRITE : 0));
					assert_int_equal(world.answer.page_shift, 12);
				}
			}
}

static void without_page_tables_the_device_entry_alone_has_rights(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	put_device(&world, 0, READ_ONLY | 3);
	expect(&world, IOVA);
	assert_int_equal(world.answer.rights, IOMMU_READ);
	assert_int_equal(world.answer.domain, DOMAIN_ID);
	assert_int_equal(world.answer.page_shift, 30);
	world.request.address = UINT64_C(0xfee00000) - 1;
	expect(&world, UINT64_C(0xfee00000) - 1);
	assert_int_equal(world.answer.page_shift, 21); /* its gigabyte has interrupts */
	world.request.address = UINT64_C(0xfef00000);
	expect(&world, UINT64_C(0xfef00000));
	assert_int_equal(world.answer.page_shift, 12);
	world.request.access = IOMMU_WRITE;
	expect_page_fault(&world, PR | PE | WRITE);
}

static void a_device_without_valid_entry_is_not_held_back(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	put_device(&world, 0, UINT64_MAX - 1); /* not even reserved bits are looked at */
	world.request.access = IOMMU_WRITE;
	expect(&world, IOVA);
	assert_int_equal(world.answer.domain, 0);
	world.request.type = IOMMU_TRANSLATION_REQUEST;
	expect_event(&world, SPEC_AMDVI_INVALID_DEVICE_REQUEST, PRETRANSLATED | TR);
	world.request.type = IOMMU_TRANSLATED;
	expect_event(&world, SPEC_AMDVI_INVALID_DEVICE_REQUEST, PRETRANSLATED);
}

static void a_device_without_translation_reaches_nothing(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	clear_in_device(&world, 0, 2);
	expect_page_fault(&world, 0);
	assert_int_equal(world.answer.page_shift, 64);
}

static void reserved_bits_of_a_device_entry_depend_on_features(void **state)
{
	static const struct {
		unsigned word;
		int field, feature; /* 0: reserved always */
	} rows[] = {
		{ 0, SPEC_AMDVI_DTE_0_RESERVED, 0 },
		{ 0, SPEC_AMDVI_DTE_0_RESERVED_HIGH, 0 },
		{ 1, SPEC_AMDVI_DTE_1_RESERVED, 0 },
		{ 0, SPEC_AMDVI_DTE_0_GV, SPEC_AMDVI_EFR_GT_SUP },
		{ 0, SPEC_AMDVI_DTE_0_GLX, SPEC_AMDVI_EFR_GT_SUP },
		{ 0, SPEC_AMDVI_DTE_0_GCR3_14_12, SPEC_AMDVI_EFR_GT_SUP },
		{ 1, SPEC_AMDVI_DTE_1_GCR3_30_15, SPEC_AMDVI_EFR_GT_SUP },
		{ 1, SPEC_AMDVI_DTE_1_GCR3_51_31, SPEC_AMDVI_EFR_GT_SUP },
		{ 0, SPEC_AMDVI_DTE_0_PPR, SPEC_AMDVI_EFR_PPR_SUP },
		{ 0, SPEC_AMDVI_DTE_0_GPRP, SPEC_AMDVI_EFR_EPH_SUP },
		{ 0, SPEC_AMDVI_DTE_0_GIOV, SPEC_AMDVI_EFR_GIO_SUP },
	};
	struct world world;

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++)
		for (unsigned bit = 0; bit < 64; bit++) {
			if (!(field_mask(rows[i].field) & BIT(bit)))
				continue;
			set_up(&world);
			set_in_device(&world, rows[i].word, BIT(bit));
			expect_event(&world, SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY, RZ);
			if (!rows[i].feature)
				continue;
			world.tables.features |= field_mask(rows[i].feature);
			expect(&world, PAGE | 0x123);
		}
}

static void the_device_table_has_an_end(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.tables.device_tables[0] =
		DEVICES | (SOURCE * SPEC_AMDVI_DTE_SIZE / PHYSICAL_PAGE - 1);
	expect_page_fault(&world, 0);
	assert_int_equal(world.physical.reads, 0);
	world.tables.device_tables[0]++;
	expect(&world, PAGE | 0x123);
	world.tables.device_tables[0] = NOWHERE | 0x1ff;
	expect_event(&world, SPEC_AMDVI_DEV_TAB_HARDWARE_ERROR, MASTER_ABORT);
	world.request.type = IOMMU_TRANSLATION_REQUEST;
	expect_event(&world, SPEC_AMDVI_DEV_TAB_HARDWARE_ERROR, MASTER_ABORT | TR);
}

static void keep(void *context, const struct iommu_step *step)
{
	*(struct iommu_step *)context = *step;
}

/* The upper bits of the device identifier select the table, the others the entry. */
static void segments_select_a_device_table(void **state)
{
	struct iommu_step step;
	struct iommu_trace trace = { keep, &step };
	struct world world;

	(void)state;
	set_up(&world);
	for (unsigned i = 0; i < 8; i++)
		world.tables.device_tables[i] = (NOWHERE + i * UINT64_C(0x200000)) | 0x1ff;
	world.request.source = SOURCE | 6 << 13;
	for (unsigned bits = 0; bits <= 7; bits++) {
		static const unsigned segments[] = { 0, 1, 3, 6, 6, 6, 6, 6 };
		static const unsigned indices[] = { 0xca25, 0x4a25, 0xa25, 0xa25,
						    0xa25,  0xa25,  0xa25, 0xa25 };

		world.tables.control = 1 | field_make(SPEC_AMDVI_CONTROL_DEV_TBL_SEG_EN, bits);
		amdvi_walk(&world.tables, &world.request, &trace, &world.answer);
		assert_int_equal(step.index, indices[bits]);
		assert_int_equal(step.address, NOWHERE + segments[bits] * UINT64_C(0x200000) +
						       indices[bits] * UINT64_C(32));
	}
	world.tables.device_tables[6] = DEVICES | 0x1ff;
	expect(&world, PAGE | 0x123);
}

static void page_tables_without_memory_are_a_hardware_error(void **state)
{
	struct world world;

	(void)state;
	for (unsigned level = 2; level <= 4; level++) {
		set_up(&world);
		put_entry(&world, level, directory(NOWHERE, level - 1));
		expect_event(&world, SPEC_AMDVI_PAGE_TAB_HARDWARE_ERROR, MASTER_ABORT);
	}
	world.request.type = IOMMU_TRANSLATION_REQUEST;
	set_in_device(&world, 1, field_mask(SPEC_AMDVI_DTE_1_I));
	expect_event(&world, SPEC_AMDVI_PAGE_TAB_HARDWARE_ERROR, MASTER_ABORT | TR);
}

static void excluded_addresses_pass(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	clear_in_device(&world, 0, RW);
	set_in_device(&world, 1, field_mask(SPEC_AMDVI_DTE_1_EX));
	world.tables.exclusion_base = (IOVA & ~UINT64_C(0xfff)) | 1;
	world.tables.exclusion_limit = (IOVA & ~UINT64_C(0xfff)) + 0x1000;
	world.request.access = IOMMU_WRITE;
	expect(&world, IOVA);
	assert_int_equal(world.answer.page_shift, 12);
	assert_int_equal(world.answer.rights, IOMMU_READ | IOMMU_WRITE);
	assert_int_equal(world.physical.reads, 1);
	world.request.address = (IOVA | 0xfff) + 0x1000; /* the last page's last byte */
	expect(&world, world.request.address);
	world.request.address++;
	expect_page_fault(&world, 0);
	world.request.address = (IOVA & ~UINT64_C(0xfff)) - 1;
	expect_page_fault(&world, 0);
	assert_int_equal(world.answer.page_shift, 12); /* not the whole of an entry's addresses */
	/* Only for devices that have it, or for all. */
	world.request.address = IOVA;
	clear_in_device(&world, 1, field_mask(SPEC_AMDVI_DTE_1_EX));
	expect_page_fault(&world, PR | PE | WRITE);
	world.tables.exclusion_base |= 2;
	expect(&world, IOVA);
	world.tables.exclusion_base &= ~UINT64_C(1);
	expect_page_fault(&world, PR | PE | WRITE);
	/* A limit below the base: no range. */
	world.tables.exclusion_base = UINT64_C(0x7fffffff0003);
	expect_page_fault(&world, PR | PE | WRITE);
}

static void a_page_with_excluded_parts_is_answered_in_small_ones(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	put_entry(&world, 2, PAGE | RW | 1);
	expect(&world, PAGE | (IOVA & 0x1fffff));
	assert_int_equal(world.answer.page_shift, 21);
	world.tables.exclusion_base = (IOVA & ~UINT64_C(0x1fffff)) | 3;
	world.tables.exclusion_limit = IOVA & ~UINT64_C(0x1fffff);
	expect(&world, PAGE | (IOVA & 0x1fffff));
	assert_int_equal(world.answer.page_shift, 12);
	world.tables.exclusion_base += 0x1000; /* above the limit: nothing is excluded */
	expect(&world, PAGE | (IOVA & 0x1fffff));
	assert_int_equal(world.answer.page_shift, 21);
	world.tables.exclusion_base -= 0x1000;
	put_device(&world, 0, RW | 3);
	expect(&world, IOVA);
	assert_int_equal(world.answer.page_shift, 12);
}

static void dma_at_interrupt_addresses_is_an_invalid_request(void **state)
{
	static const uint64_t inside[] = { 0xfee00000, 0xfeefffff },
			      outside[] = { 0xfedfffff, 0xfef00000 };
	struct world world;

	(void)state;
	set_up(&world);
	for (unsigned i = 0; i < 2; i++) {
		world.request.address = inside[i];
		put_tables(&world, 4);
		expect_event(&world, SPEC_AMDVI_INVALID_DEVICE_REQUEST, 0);
		assert_int_equal(world.physical.reads, 0);
		world.request.address = outside[i];
		put_tables(&world, 4);
		expect(&world, PAGE | (outside[i] & 0xfff));
	}
	/* A large page around them is answered in small ones. */
	put_entry(&world, 3, PAGE | RW | 1);
	expect(&world, (PAGE & ~UINT64_C(0x3fffffff)) | (UINT64_C(0xfef00000) & 0x3fffffff));
	assert_int_equal(world.answer.page_shift, 12);
}

static void a_pasid_leads_nowhere(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.request.pasid = 5;
	expect_page_fault(&world, GN);
}

static void translation_requests_are_answered_with_rights(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.request.type = IOMMU_TRANSLATION_REQUEST;
	expect_event(&world, SPEC_AMDVI_INVALID_DEVICE_REQUEST, PRETRANSLATED | TR);
	set_in_device(&world, 1, field_mask(SPEC_AMDVI_DTE_1_I));
	world.request.access = IOMMU_READ | IOMMU_WRITE;
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.answer.rights, IOMMU_READ | IOMMU_WRITE);
	put_entry(&world, 1, PAGE | READ_ONLY | 1 | BIT(59));
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.answer.rights, IOMMU_READ);
	assert_true(world.answer.untranslated_only);
	assert_false(world.answer.snoop);
	put_entry(&world, 1, PAGE | RW | 1 | BIT(60));
	expect(&world, PAGE | 0x123);
	assert_true(world.answer.snoop);
	assert_false(world.answer.untranslated_only);
	/* Faults are told to the device: no rights. */
	put_entry(&world, 1, 0);
	expect(&world, 0);
	assert_int_equal(world.answer.rights, 0);
	clear_in_device(&world, 0, 2);
	expect(&world, 0);
	/* Errors are not. */
	set_in_device(&world, 0, BIT(2));
	expect_event(&world, SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY, RZ | TR);
}

static void translated_requests_pass_where_the_device_is_trusted(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.request.type = IOMMU_TRANSLATED;
	expect_event(&world, SPEC_AMDVI_INVALID_DEVICE_REQUEST, PRETRANSLATED);
	set_in_device(&world, 1, field_mask(SPEC_AMDVI_DTE_1_I));
	expect(&world, IOVA);
	assert_int_equal(world.answer.page_shift, 12);
	assert_int_equal(world.physical.reads, 1);
	world.tables.device_tables[0] = DEVICES;
	expect_page_fault(&world, 0);
}

static void set_up_for_bits(struct world *world, unsigned had, bool unit)
{
	set_up(world);
	world->tables.set_accessed = true;
	set_in_device(world, 0, field_make(SPEC_AMDVI_DTE_0_HAD, had));
	if (unit)
		world->tables.features |=
			field_mask(SPEC_AMDVI_EFR_HA_SUP) | field_mask(SPEC_AMDVI_EFR_HD_SUP);
}

static uint64_t bits_at(struct world *world, unsigned level)
{
	return physical_get(&world->physical, entry_at(level, IOVA)) & (ACCESSED | DIRTY);
}

static void accessed_and_dirty_bits_are_set_where_enabled(void **state)
{
	struct world world;

	(void)state;
	for (unsigned had = 0; had < 4; had++)
		for (unsigned access = 1; access <= 2; access++)
			for (unsigned unit = 0; unit < 2; unit++) {
				uint64_t accessed = unit && (had & 1) ? ACCESSED : 0;
				uint64_t dirty = unit && (had & 2) && access == 2 ? DIRTY : 0;

				set_up_for_bits(&world, had, unit);
				world.request.access = (uint8_t)access;
				expect(&world, PAGE | 0x123);
				for (unsigned level = 2; level <= 4; level++)
					assert_int_equal(bits_at(&world, level), accessed);
				assert_int_equal(bits_at(&world, 1), accessed | dirty);
				/* The second time there is nothing to do. */
				world.physical.replaced = 0;
				expect(&world, PAGE | 0x123);
				assert_int_equal(world.physical.replaced, 0);
			}
}

static void no_bits_are_set_by_what_is_refused_or_only_looked_at(void **state)
{
	struct world world;

	(void)state;
	set_up_for_bits(&world, 3, true);
	world.request.access = IOMMU_WRITE;
	put_entry(&world, 1, PAGE | READ_ONLY | 1);
	expect_page_fault(&world, PR | PE | WRITE);
	assert_int_equal(bits_at(&world, 1), 0);
	put_entry(&world, 1, PAGE | RW | 1);
	world.tables.set_accessed = false;
	expect(&world, PAGE | 0x123);
	assert_int_equal(bits_at(&world, 1), 0);
	/* A device that asks for a translation with the right to write may use it at once. */
	world.tables.set_accessed = true;
	set_in_device(&world, 1, field_mask(SPEC_AMDVI_DTE_1_I));
	world.request.type = IOMMU_TRANSLATION_REQUEST;
	expect(&world, PAGE | 0x123);
	assert_int_equal(bits_at(&world, 1), ACCESSED | DIRTY);
}

static void bits_are_set_however_often_somebody_is_faster(void **state)
{
	struct world world;

	(void)state;
	set_up_for_bits(&world, 1, true);
	world.physical.refuse_replacing = 3;
	expect(&world, PAGE | 0x123);
	assert_int_equal(bits_at(&world, 4), ACCESSED);
	set_up_for_bits(&world, 1, true);
	world.physical.refuse_replacing = 1000;
	expect_event(&world, SPEC_AMDVI_PAGE_TAB_HARDWARE_ERROR, DATA_ERROR);
	assert_true(world.physical.reads < 10);
}

static void software_may_ask_not_to_be_told_of_page_faults(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	put_entry(&world, 1, 0);
	set_in_device(&world, 1, field_mask(SPEC_AMDVI_DTE_1_SE));
	expect_page_fault(&world, 0);
	assert_true(world.answer.report_once);
	set_in_device(&world, 1, field_mask(SPEC_AMDVI_DTE_1_SA));
	walk(&world);
	assert_int_equal(world.answer.outcome, IOMMU_SILENT);
	assert_int_equal(world.answer.reason, event(SPEC_AMDVI_IO_PAGE_FAULT, 0));
	assert_int_equal(world.answer.completion, IOMMU_COMPLETER_ABORT);
	/* Not of errors. */
	set_in_device(&world, 0, BIT(2));
	expect_event(&world, SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY, RZ);
	assert_false(world.answer.report_once);
}

struct told {
	unsigned count;
	struct iommu_step steps[8];
	char meanings[8][200];
};

static void listen(void *context, const struct iommu_step *step)
{
	struct told *told = context;

	assert_in_range(told->count, 0, 7);
	told->steps[told->count] = *step;
	snprintf(told->meanings[told->count++], 200, "%s", step->meaning);
}

static void each_entry_is_told(void **state)
{
	struct told told = { 0 };
	struct iommu_trace trace = { listen, &told };
	struct world world;

	(void)state;
	set_up(&world);
	amdvi_walk(&world.tables, &world.request, &trace, &world.answer);
	assert_int_equal(told.count, 5);
	assert_string_equal(told.steps[0].table, "device table entry");
	assert_int_equal(told.steps[0].index, SOURCE);
	assert_int_equal(told.steps[0].word_count, 4);
	assert_string_equal(told.meanings[0],
			    "domain 4660: page tables of 4 levels at 0x4000: read and write");
	for (unsigned i = 1; i < 5; i++) {
		assert_int_equal(told.steps[i].address, entry_at(5 - i, IOVA));
		assert_int_equal(told.steps[i].index, IOVA >> shift_of(5 - i) & 511);
		assert_int_equal(told.steps[i].shift, shift_of(5 - i));
	}
	assert_string_equal(told.steps[2].table, "I/O page entry (level 3)");
	assert_string_equal(told.meanings[2], "table of level 2 at 0x2000: read and write");
	assert_string_equal(told.meanings[4],
			    "page of 2^12 bytes at 0x1234567800000: read and write");
	put_entry(&world, 2, 0);
	told = (struct told){ 0 };
	amdvi_walk(&world.tables, &world.request, &trace, &world.answer);
	assert_int_equal(told.count, 4);
	assert_string_equal(told.meanings[3], amdvi_reason_text(world.answer.reason));
}

static void every_event_is_explained(void **state)
{
	(void)state;
	for (unsigned reason = 0; reason <= 0xffff; reason++)
		assert_true(strlen(amdvi_reason_text(reason)) > 5);
	assert_string_not_equal(amdvi_reason_text(0x2000), amdvi_reason_text(0x2050));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_the_enable_bit_everything_passes),
		cmocka_unit_test(four_levels_lead_to_a_page),
		cmocka_unit_test(a_device_has_as_many_levels_as_its_mode_says),
		cmocka_unit_test(more_levels_than_the_unit_walks_are_illegal),
		cmocka_unit_test(pages_are_as_large_as_their_level),
		cmocka_unit_test(next_level_seven_has_the_size_in_the_address),
		cmocka_unit_test(levels_may_be_skipped_where_the_address_is_zero),
		cmocka_unit_test(a_next_level_that_is_not_lower_is_a_fault),
		cmocka_unit_test(what_is_not_present_faults),
		cmocka_unit_test(reserved_bits_fault),
		cmocka_unit_test(rights_of_all_levels_are_combined),
		cmocka_unit_test(without_page_tables_the_device_entry_alone_has_rights),
		cmocka_unit_test(a_device_without_valid_entry_is_not_held_back),
		cmocka_unit_test(a_device_without_translation_reaches_nothing),
		cmocka_unit_test(reserved_bits_of_a_device_entry_depend_on_features),
		cmocka_unit_test(the_device_table_has_an_end),
		cmocka_unit_test(segments_select_a_device_table),
		cmocka_unit_test(page_tables_without_memory_are_a_hardware_error),
		cmocka_unit_test(excluded_addresses_pass),
		cmocka_unit_test(a_page_with_excluded_parts_is_answered_in_small_ones),
		cmocka_unit_test(dma_at_interrupt_addresses_is_an_invalid_request),
		cmocka_unit_test(a_pasid_leads_nowhere),
		cmocka_unit_test(translation_requests_are_answered_with_rights),
		cmocka_unit_test(translated_requests_pass_where_the_device_is_trusted),
		cmocka_unit_test(accessed_and_dirty_bits_are_set_where_enabled),
		cmocka_unit_test(no_bits_are_set_by_what_is_refused_or_only_looked_at),
		cmocka_unit_test(bits_are_set_however_often_somebody_is_faster),
		cmocka_unit_test(software_may_ask_not_to_be_told_of_page_faults),
		cmocka_unit_test(each_entry_is_told),
		cmocka_unit_test(every_event_is_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
