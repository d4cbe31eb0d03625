/* Legacy mode: one test for each row of table 30 that it can meet, and the answers of good walks.
 */
#include "iommu/vtd_internal.h"
#include "tests/check.h"
#include "tests/physical.h"

/* 1 MiB of memory: root at page 1, context table 2, page tables 3 to 7 (level 5 to 1). */
enum {
	MEMORY = 1 << 20,
	ROOT = 0x1000,
	CONTEXT = 0x2000,
	LEVEL5 = 0x3000,
	LEVEL4 = 0x4000,
	LEVEL3 = 0x5000,
	LEVEL2 = 0x6000,
	LEVEL1 = 0x7000,
	SOURCE = 0x1aa5, /* bus 1a, device 14h, function 5 */
	DOMAIN_ID = 0x1234,
};

#define R       UINT64_C(1)
#define W       UINT64_C(2)
#define RW      UINT64_C(3)
#define PS      (UINT64_C(1) << 7)
#define SNP     (UINT64_C(1) << 11)
#define TM      (UINT64_C(1) << 62)
#define NOWHERE UINT64_C(0x40000000) /* inside every width, and no memory */
#define PAGE    UINT64_C(0x123456000)
#define IOVA    UINT64_C(0x7fdeadb123)

static uint8_t bytes[MEMORY];

struct world {
	struct physical physical;
	struct vtd_tables tables;
	struct iommu_request request;
	struct iommu_answer answer;
};

static uint64_t context_address(void)
{
	return CONTEXT + (SOURCE & 0xff) * 16;
}

static unsigned index_at(uint64_t address, unsigned level)
{
	return address >> (12 + 9 * (level - 1)) & 511;
}

static uint64_t entry_at(uint64_t table, uint64_t address, unsigned level)
{
	return table + 8 * index_at(address, level);
}

static uint64_t capability(unsigned mgaw, unsigned sagaw, unsigned large)
{
	return 6 | (uint64_t)sagaw << 8 | (uint64_t)(mgaw - 1) << 16 | UINT64_C(1) << 22 |
	       (uint64_t)large << 34;
}

static uint64_t ecap_bit(int field)
{
	return field_mask(field);
}

/* A page at IOVA through three levels. */
static void set_up(struct world *world)
{
	physical_init(&world->physical, bytes, MEMORY);
	world->tables = (struct vtd_tables){
		.cap = capability(48, 0xe, 3),
		.ecap = ecap_bit(SPEC_VTD_ECAP_QI) | ecap_bit(SPEC_VTD_ECAP_DT) |
			ecap_bit(SPEC_VTD_ECAP_PT) | ecap_bit(SPEC_VTD_ECAP_SC),
		.rtaddr = ROOT,
		.translation = true,
		.memory = &world->physical.memory,
	};
	world->request = (struct iommu_request){
		.source = SOURCE, .access = IOMMU_READ, .pasid = IOMMU_NO_PASID, .address = IOVA
	};
	physical_put(&world->physical, ROOT + (SOURCE >> 8) * 16, CONTEXT | 1);
	physical_put(&world->physical, context_address(), LEVEL3 | 1);
	physical_put(&world->physical, context_address() + 8, DOMAIN_ID << 8 | 1);
	physical_put(&world->physical, entry_at(LEVEL3, IOVA, 3), LEVEL2 | RW);
	physical_put(&world->physical, entry_at(LEVEL2, IOVA, 2), LEVEL1 | RW);
	physical_put(&world->physical, entry_at(LEVEL1, IOVA, 1), PAGE | RW);
}

static void walk(struct world *world)
{
	vtd_walk(&world->tables, &world->request, NULL, &world->answer);
	assert_false(world->physical.crossed);
}

static void expect(struct world *world, uint64_t address)
{
	walk(world);
	assert_int_equal(world->answer.reason, 0);
	assert_int_equal(world->answer.outcome, IOMMU_OK);
	assert_int_equal(world->answer.address, address);
}

static void expect_fault(struct world *world, enum spec_vtd_reason reason)
{
	walk(world);
	assert_int_equal(world->answer.reason, reason);
	assert_int_equal(world->answer.outcome, IOMMU_FAULT);
	assert_int_equal(world->answer.rights, 0);
}

static void a_page_is_found_through_three_levels(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	expect(&world, PAGE | (IOVA & 0xfff));
	assert_int_equal(world.answer.domain, DOMAIN_ID);
	assert_int_equal(world.answer.rights, IOMMU_READ | IOMMU_WRITE);
	assert_int_equal(world.answer.page_shift, 12);
	assert_false(world.answer.snoop);
	assert_int_equal(world.physical.reads, 5);
}

static void a_page_is_found_through_four_and_five_levels(void **state)
{
	struct world world;
	uint64_t iova = UINT64_C(0xfe7fdeadb123);

	(void)state;
	set_up(&world);
	world.request.address = iova;
	physical_put(&world.physical, entry_at(LEVEL4, iova, 4), LEVEL3 | RW);
	physical_put(&world.physical, context_address(), LEVEL4 | 1);
	physical_put(&world.physical, context_address() + 8, 2);
	expect(&world, PAGE | 0x123);

	physical_put(&world.physical, LEVEL5, LEVEL4 | RW);
	physical_put(&world.physical, context_address(), LEVEL5 | 1);
	physical_put(&world.physical, context_address() + 8, 3);
	expect(&world, PAGE | 0x123);
	/* With five levels the address may have 57 bits, but no more than MGAW. */
	world.tables.cap = capability(57, 0xe, 3);
	world.request.address = iova | UINT64_C(0x1ff) << 48;
	physical_put(&world.physical, LEVEL5 + 511 * 8, LEVEL4 | RW);
	expect(&world, PAGE | 0x123);
}

static void large_pages_keep_their_offset_bits(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	physical_put(&world.physical, entry_at(LEVEL2, IOVA, 2), UINT64_C(0x12600000) | RW | PS);
	expect(&world, UINT64_C(0x12600000) | (IOVA & 0x1fffff));
	assert_int_equal(world.answer.page_shift, 21);
	physical_put(&world.physical, entry_at(LEVEL3, IOVA, 3), UINT64_C(0x1c0000000) | RW | PS);
	expect(&world, UINT64_C(0x1c0000000) | (IOVA & 0x3fffffff));
	assert_int_equal(world.answer.page_shift, 30);
}

static void rights_are_those_of_every_level(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	physical_put(&world.physical, entry_at(LEVEL2, IOVA, 2), LEVEL1 | R);
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.answer.rights, IOMMU_READ);
	world.request.access = IOMMU_WRITE;
	expect_fault(&world, SPEC_VTD_WRITE_DENIED);
	world.request.access = IOMMU_READ | IOMMU_WRITE;
	expect_fault(&world, SPEC_VTD_WRITE_DENIED);
	world.request.access = 0;
	expect(&world, PAGE | 0x123);

	physical_put(&world.physical, entry_at(LEVEL2, IOVA, 2), LEVEL1 | W);
	world.request.access = IOMMU_READ;
	expect_fault(&world, SPEC_VTD_READ_DENIED);
	world.request.access = IOMMU_WRITE;
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.answer.rights, IOMMU_WRITE);

	/* Two levels that allow different things allow nothing. */
	physical_put(&world.physical, entry_at(LEVEL3, IOVA, 3), LEVEL2 | R);
	expect_fault(&world, SPEC_VTD_WRITE_DENIED);
	world.request.access = 0;
	expect_fault(&world, SPEC_VTD_READ_DENIED);
}

static void an_entry_that_allows_nothing_denies_at_its_level(void **state)
{
	static const uint64_t tables[] = { LEVEL1, LEVEL2, LEVEL3 };
	struct world world;

	(void)state;
	for (unsigned level = 1; level <= 3; level++) {
		set_up(&world);
		/* Without a right the rest of the entry means nothing, reserved bits included. */
		physical_put(&world.physical, entry_at(tables[level - 1], IOVA, level), ~RW);
		expect_fault(&world, SPEC_VTD_READ_DENIED);
		world.request.access = IOMMU_WRITE;
		expect_fault(&world, SPEC_VTD_WRITE_DENIED);
		assert_int_equal(world.physical.reads, 2 * (2 + 4 - level));
	}
}

static void a_read_of_nothing_may_go_to_a_page_that_can_only_be_written(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.request.zero_length = true;
	physical_put(&world.physical, entry_at(LEVEL1, IOVA, 1), PAGE | W);
	expect(&world, PAGE | 0x123);
	physical_put(&world.physical, entry_at(LEVEL1, IOVA, 1), PAGE);
	expect_fault(&world, SPEC_VTD_READ_DENIED);
	physical_put(&world.physical, entry_at(LEVEL1, IOVA, 1), PAGE | W);
	world.tables.cap &= ~field_mask(SPEC_VTD_CAP_ZLR);
	expect_fault(&world, SPEC_VTD_READ_DENIED);
}

static void a_root_entry_can_fail_in_three_ways(void **state)
{
	uint64_t root = ROOT + (SOURCE >> 8) * 16;
	struct world world;

	(void)state;
	set_up(&world);
	world.tables.rtaddr = NOWHERE;
	expect_fault(&world, SPEC_VTD_ROOT_ACCESS);

	set_up(&world);
	physical_put(&world.physical, root, CONTEXT);
	expect_fault(&world, SPEC_VTD_ROOT_NOT_PRESENT);

	for (unsigned bit = 1; bit < 64; bit++) {
		set_up(&world);
		physical_put(&world.physical, root, CONTEXT | 1 | UINT64_C(1) << bit);
		walk(&world);
		assert_int_equal(world.answer.reason == SPEC_VTD_ROOT_RESERVED,
				 bit < 12 || bit >= 48);
		set_up(&world);
		physical_put(&world.physical, root + 8, UINT64_C(1) << bit);
		expect_fault(&world, SPEC_VTD_ROOT_RESERVED);
	}
}

static void a_context_entry_that_cannot_be_read_or_is_absent_faults(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	physical_put(&world.physical, ROOT + (SOURCE >> 8) * 16, NOWHERE | 1);
	expect_fault(&world, SPEC_VTD_CONTEXT_ACCESS);
	set_up(&world);
	physical_put(&world.physical, context_address(), LEVEL3);
	expect_fault(&world, SPEC_VTD_CONTEXT_NOT_PRESENT);
}

static void reserved_bits_of_a_context_entry_are_those_of_section_9_3(void **state)
{
	struct world world;

	(void)state;
	for (unsigned bit = 4; bit < 64; bit++) {
		set_up(&world);
		physical_put(&world.physical, context_address(), LEVEL3 | 1 | UINT64_C(1) << bit);
		walk(&world);
		assert_int_equal(world.answer.reason == SPEC_VTD_CONTEXT_RESERVED,
				 bit < 12 || bit >= 48);
		/* The pointer of a pass-through entry is ignored. */
		physical_put(&world.physical, context_address(), 1 | 2 << 2 | UINT64_C(1) << bit);
		walk(&world);
		assert_int_equal(world.answer.reason == SPEC_VTD_CONTEXT_RESERVED, bit < 12);
	}
	for (unsigned bit = 3; bit < 64; bit++) {
		set_up(&world);
		physical_put(&world.physical, context_address() + 8, 1 | UINT64_C(1) << bit);
		walk(&world);
		assert_int_equal(world.answer.reason == SPEC_VTD_CONTEXT_RESERVED,
				 bit == 7 || bit >= 24);
		/* CAP.ND = 2: domain identifiers of 8 bits. */
		world.tables.cap = (world.tables.cap & ~UINT64_C(7)) | 2;
		walk(&world);
		assert_int_equal(world.answer.reason == SPEC_VTD_CONTEXT_RESERVED,
				 bit == 7 || bit >= 16);
	}
}

static void an_address_width_that_the_unit_lacks_faults_also_with_pass_through(void **state)
{
	struct world world;

	(void)state;
	for (unsigned sagaw = 0; sagaw < 32; sagaw++)
		for (unsigned aw = 0; aw < 8; aw++)
			for (unsigned type = 0; type < 3; type += 2) {
				bool good = aw >= 1 && aw <= 3 && (sagaw >> aw & 1);

				set_up(&world);
				world.tables.cap = capability(48, sagaw, 3);
				physical_put(&world.physical, context_address(),
					     LEVEL3 | 1 | type << 2);
				physical_put(&world.physical, context_address() + 8, aw);
				walk(&world);
				assert_int_equal(world.answer.reason == SPEC_VTD_CONTEXT_INVALID,
						 !good);
			}
}

static void a_translation_type_that_the_unit_lacks_faults(void **state)
{
	static const int needs[] = { -1, SPEC_VTD_ECAP_DT, SPEC_VTD_ECAP_PT, -1 };
	struct world world;

	(void)state;
	for (unsigned type = 0; type < 4; type++) {
		set_up(&world);
		physical_put(&world.physical, context_address(), LEVEL3 | 1 | type << 2);
		if (type == 3)
			expect_fault(&world, SPEC_VTD_CONTEXT_INVALID);
		else
			expect(&world, type == 2 ? IOVA : PAGE | 0x123);
		if (needs[type] < 0)
			continue;
		world.tables.ecap &= ~field_mask(needs[type]);
		expect_fault(&world, SPEC_VTD_CONTEXT_INVALID);
	}
}

static void paging_entries_that_cannot_be_read_fault(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	physical_put(&world.physical, context_address(), NOWHERE | 1);
	expect_fault(&world, SPEC_VTD_CONTEXT_INVALID);
	set_up(&world);
	physical_put(&world.physical, entry_at(LEVEL3, IOVA, 3), NOWHERE | RW);
	expect_fault(&world, SPEC_VTD_PAGING_ACCESS);
	set_up(&world);
	physical_put(&world.physical, entry_at(LEVEL2, IOVA, 2), NOWHERE | RW);
	expect_fault(&world, SPEC_VTD_PAGING_ACCESS);
}

/* Reserved bits by level, as a mask; the tests' own reading of tables 41 to 47. */
static uint64_t reserved_bits(unsigned level, bool leaf, const struct vtd_tables *tables)
{
	uint64_t mask = UINT64_C(0x000f000000000000); /* 51:48, with a host address width of 48 */

	if (level >= 4)
		mask |= PS;
	if (leaf && level == 2)
		mask |= 0x1ff000;
	if (leaf && level == 3)
		mask |= 0x3ffff000;
	if (!leaf || !(tables->ecap >> 7 & 1))
		mask |= SNP;
	if (!leaf || !(tables->ecap >> 2 & 1))
		mask |= TM;
	return mask;
}

static void expect_reserved(struct world *world, unsigned level, bool leaf)
{
	static const uint64_t at[] = { 0, LEVEL1, LEVEL2, LEVEL3, LEVEL4, LEVEL5 };
	static const uint64_t down[] = { 0, PAGE, LEVEL1, LEVEL2, LEVEL3, LEVEL4 };
	uint64_t address = entry_at(at[level], IOVA, level);
	uint64_t good = leaf ? (level > 1 ? PS : 0) | RW : down[level] | RW;
	uint64_t mask = reserved_bits(level, leaf, &world->tables);

	for (unsigned bit = 2; bit < 64; bit++) {
		bool expected = mask >> bit & 1;

		/* These would make another table, or another kind of entry. */
		if ((level == 2 || level == 3) && bit == 7)
			continue;
		physical_put(&world->physical, address, good | UINT64_C(1) << bit);
		walk(world);
		assert_int_equal(world->answer.reason == SPEC_VTD_PAGING_RESERVED, expected);
	}
	physical_put(&world->physical, address, good);
}

static void reserved_bits_of_paging_entries_are_those_of_section_9_8(void **state)
{
	struct world world;

	(void)state;
	for (unsigned without = 0; without < 4; without++) {
		set_up(&world);
		world.tables.cap = capability(57, 0xe, 3);
		world.tables.host_width = 48;
		if (without & 1)
			world.tables.ecap &= ~ecap_bit(SPEC_VTD_ECAP_SC);
		if (without & 2)
			world.tables.ecap &= ~ecap_bit(SPEC_VTD_ECAP_DT);
		physical_put(&world.physical, entry_at(LEVEL4, IOVA, 4), LEVEL3 | RW);
		physical_put(&world.physical, entry_at(LEVEL5, IOVA, 5), LEVEL4 | RW);
		physical_put(&world.physical, context_address(), LEVEL5 | 1);
		physical_put(&world.physical, context_address() + 8, 3);
		expect_reserved(&world, 5, false);
		expect_reserved(&world, 4, false);
		expect_reserved(&world, 3, false);
		expect_reserved(&world, 2, false);
		expect_reserved(&world, 1, true);
		expect_reserved(&world, 2, true);
		expect_reserved(&world, 3, true);
	}
}

static void a_page_size_that_the_unit_lacks_is_reserved(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	physical_put(&world.physical, entry_at(LEVEL2, IOVA, 2), RW | PS);
	world.tables.cap = capability(48, 0xe, 0);
	expect_fault(&world, SPEC_VTD_PAGING_RESERVED);
	world.tables.cap = capability(48, 0xe, 1);
	expect(&world, IOVA & 0x1fffff);
	physical_put(&world.physical, entry_at(LEVEL3, IOVA, 3), RW | PS);
	expect_fault(&world, SPEC_VTD_PAGING_RESERVED);
	world.tables.cap = capability(48, 0xe, 3);
	expect(&world, IOVA & 0x3fffffff);
}

static void a_leaf_tells_its_attributes(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	physical_put(&world.physical, entry_at(LEVEL1, IOVA, 1), PAGE | RW | SNP | TM);
	expect(&world, PAGE | 0x123);
	assert_true(world.answer.snoop);
	assert_true(world.answer.transient);
}

static void an_address_beyond_the_tables_or_the_unit_faults(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.request.address = UINT64_C(1) << 39;
	expect_fault(&world, SPEC_VTD_ADDRESS_BEYOND_WIDTH);
	assert_int_equal(world.physical.reads, 2);
	assert_int_equal(world.answer.page_shift, 39);
	world.request.address = (UINT64_C(1) << 39) - 1;
	expect_fault(&world, SPEC_VTD_READ_DENIED);
	world.tables.cap = capability(36, 0xe, 3);
	world.request.address = UINT64_C(1) << 36;
	expect_fault(&world, SPEC_VTD_ADDRESS_BEYOND_WIDTH);
}

static void a_result_in_the_interrupt_range_faults_and_its_page_shrinks(void **state)
{
	uint64_t iova = UINT64_C(0x40000000) | 0xe00000;
	struct world world;

	(void)state;
	set_up(&world);
	world.request.address = iova;
	physical_put(&world.physical, entry_at(LEVEL3, iova, 3), LEVEL2 | RW);
	physical_put(&world.physical, entry_at(LEVEL2, iova, 2), UINT64_C(0xfee00000) | RW | PS);
	expect_fault(&world, SPEC_VTD_INTERRUPT_RANGE);
	/* The other half of this 2 MiB page is no interrupt address, but a cache must not join
	 * them. */
	world.request.address = iova | 0x100000;
	expect(&world, UINT64_C(0xfef00000));
	assert_int_equal(world.answer.page_shift, 12);
	world.request.type = IOMMU_TRANSLATION_REQUEST;
	physical_put(&world.physical, context_address(), LEVEL3 | 1 | 1 << 2);
	expect_fault(&world, SPEC_VTD_INTERRUPT_RANGE);
	assert_int_equal(world.answer.completion, IOMMU_COMPLETER_ABORT);
	/* A missing right is told first. */
	physical_put(&world.physical, entry_at(LEVEL2, iova, 2), UINT64_C(0xfee00000) | W | PS);
	world.request.type = IOMMU_UNTRANSLATED;
	expect_fault(&world, SPEC_VTD_READ_DENIED);
}

static void a_request_to_the_interrupt_range_that_is_no_interrupt_faults(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.request.address = UINT64_C(0xfee01000);
	expect_fault(&world, SPEC_VTD_IR_NO_INTERRUPT);
	world.request.access = IOMMU_WRITE;
	expect_fault(&world, SPEC_VTD_IR_NO_INTERRUPT);
	assert_int_equal(world.physical.reads, 0);
	world.request.access = IOMMU_READ;
	world.request.zero_length = true;
	expect(&world, UINT64_C(0xfee01000));
}

static void pass_through_checks_the_host_width_and_the_interrupt_range(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	physical_put(&world.physical, context_address(), 1 | 2 << 2);
	expect(&world, IOVA);
	assert_int_equal(world.answer.page_shift, 30);
	world.request.address = UINT64_C(0xfef00000);
	expect(&world, UINT64_C(0xfef00000));
	assert_int_equal(world.answer.page_shift, 12);
	world.request.address = UINT64_C(0xff000000);
	expect(&world, UINT64_C(0xff000000));
	assert_int_equal(world.answer.page_shift, 21);
	world.request.address = UINT64_C(1) << 48;
	expect_fault(&world, SPEC_VTD_ADDRESS_BEYOND_WIDTH);
	assert_int_equal(world.answer.page_shift, 48);
}

static void fault_processing_disable_silences_qualified_faults_only(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	physical_put(&world.physical, context_address(), LEVEL3 | 2);
	walk(&world);
	assert_int_equal(world.answer.outcome, IOMMU_SILENT);
	assert_int_equal(world.answer.reason, SPEC_VTD_CONTEXT_NOT_PRESENT);
	physical_put(&world.physical, context_address(), LEVEL3 | 3 | 1 << 4);
	walk(&world);
	assert_int_equal(world.answer.outcome, IOMMU_SILENT);
	assert_int_equal(world.answer.reason, SPEC_VTD_CONTEXT_RESERVED);
	physical_put(&world.physical, context_address(), LEVEL3 | 3);
	expect(&world, PAGE | 0x123);
	world.request.address = 0;
	walk(&world);
	assert_int_equal(world.answer.outcome, IOMMU_SILENT);
	assert_int_equal(world.answer.reason, SPEC_VTD_READ_DENIED);
	physical_put(&world.physical, ROOT + (SOURCE >> 8) * 16, 0);
	expect_fault(&world, SPEC_VTD_ROOT_NOT_PRESENT);
}

static void requests_with_an_address_type_need_a_context_entry_that_says_so(void **state)
{
	struct world world;

	(void)state;
	for (unsigned type = 0; type < 3; type++)
		for (unsigned at = 1; at < 3; at++) {
			set_up(&world);
			physical_put(&world.physical, context_address(), LEVEL3 | 1 | type << 2);
			world.request.type = (uint8_t)at;
			walk(&world);
			assert_int_equal(world.answer.reason,
					 type == 1 ? 0 : SPEC_VTD_CONTEXT_BLOCKED);
			assert_int_equal(world.answer.outcome, type == 1 ? IOMMU_OK : IOMMU_FAULT);
			if (type != 1)
				assert_int_equal(world.answer.completion,
						 IOMMU_UNSUPPORTED_REQUEST);
			else
				assert_int_equal(world.answer.address,
						 at == 2 ? IOVA : PAGE | 0x123);
		}
}

static void a_translated_request_is_checked_against_host_width_and_interrupt_range(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	physical_put(&world.physical, context_address(), LEVEL3 | 1 | 1 << 2);
	world.request.type = IOMMU_TRANSLATED;
	world.request.address = UINT64_C(1) << 48;
	expect_fault(&world, SPEC_VTD_ADDRESS_BEYOND_WIDTH);
	world.request.address = UINT64_C(0xfeefffff);
	expect_fault(&world, SPEC_VTD_INTERRUPT_RANGE);
	assert_int_equal(world.answer.completion, IOMMU_UNSUPPORTED_REQUEST);
}

static void a_translation_request_is_told_what_is_allowed_instead_of_faulting(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.request.type = IOMMU_TRANSLATION_REQUEST;
	world.request.access = IOMMU_READ | IOMMU_WRITE;
	physical_put(&world.physical, context_address(), LEVEL3 | 1 | 1 << 2);
	physical_put(&world.physical, entry_at(LEVEL1, IOVA, 1), PAGE | R | SNP);
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.answer.rights, IOMMU_READ);
	assert_true(world.answer.snoop);

	physical_put(&world.physical, entry_at(LEVEL1, IOVA, 1), PAGE);
	walk(&world);
	assert_int_equal(world.answer.outcome, IOMMU_OK);
	assert_int_equal(world.answer.rights, 0);
	world.request.address = UINT64_C(1) << 40;
	walk(&world);
	assert_int_equal(world.answer.outcome, IOMMU_OK);
	assert_int_equal(world.answer.rights, 0);

	world.request.address = IOVA;
	physical_put(&world.physical, entry_at(LEVEL1, IOVA, 1), PAGE | RW | UINT64_C(1) << 50);
	expect_fault(&world, SPEC_VTD_PAGING_RESERVED);
	assert_int_equal(world.answer.completion, IOMMU_COMPLETER_ABORT);
}

static void the_no_write_flag_counts_only_where_the_unit_knows_it(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.request.type = IOMMU_TRANSLATION_REQUEST;
	physical_put(&world.physical, context_address(), LEVEL3 | 1 | 1 << 2);
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.answer.rights, IOMMU_READ | IOMMU_WRITE);
	world.tables.ecap |= ecap_bit(SPEC_VTD_ECAP_NWFS);
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.answer.rights, IOMMU_READ);
}

static void a_translation_request_for_an_interrupt_address_is_answered_specially(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.tables.ecap |= ecap_bit(SPEC_VTD_ECAP_NWFS);
	world.request.type = IOMMU_TRANSLATION_REQUEST;
	world.request.access = IOMMU_READ | IOMMU_WRITE;
	world.request.address = UINT64_C(0xfee00000);
	expect_fault(&world, SPEC_VTD_CONTEXT_BLOCKED);
	physical_put(&world.physical, context_address(), LEVEL3 | 1 | 1 << 2);
	expect(&world, UINT64_C(0xfee00000));
	assert_int_equal(world.answer.rights, IOMMU_WRITE);
	assert_true(world.answer.untranslated_only);
	world.request.access = IOMMU_READ;
	expect(&world, UINT64_C(0xfee00000));
	assert_int_equal(world.answer.rights, 0);
	assert_false(world.answer.untranslated_only);
}

static void the_root_table_register_decides_the_mode(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.tables.rtaddr = ROOT | 1 << 10;
	expect_fault(&world, SPEC_VTD_RTA_INVALID);
	world.tables.rtaddr = ROOT | 2 << 10;
	expect_fault(&world, SPEC_VTD_RTA_INVALID);
	world.tables.rtaddr = ROOT | 3 << 10;
	expect_fault(&world, SPEC_VTD_RTA_INVALID);
	world.tables.ecap |= ecap_bit(SPEC_VTD_ECAP_ADMS);
	expect_fault(&world, SPEC_VTD_RTA_ABORT);
	world.tables.rtaddr = ROOT;
	world.request.pasid = 5;
	expect_fault(&world, SPEC_VTD_RTA_LEGACY_PASID);
	world.request.pasid = IOMMU_NO_PASID;
	world.tables.rtaddr = ROOT | 1 << 7;
	expect(&world, PAGE | 0x123);
	world.tables.ecap |= ecap_bit(SPEC_VTD_ECAP_SSIRWS);
	expect_fault(&world, SPEC_VTD_RTA_INVALID);
	assert_int_equal(world.physical.reads, 5);
}

static void with_translation_off_everything_passes_but_ats(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.tables.translation = false;
	expect(&world, IOVA);
	assert_int_equal(world.answer.page_shift, 64);
	world.request.type = IOMMU_TRANSLATED;
	walk(&world);
	assert_int_equal(world.answer.outcome, IOMMU_SILENT);
	assert_int_equal(world.answer.reason, 0);
	assert_int_equal(world.answer.completion, IOMMU_UNSUPPORTED_REQUEST);
	assert_int_equal(world.physical.reads, 0);
}

struct told {
	unsigned count;
	struct iommu_step steps[16];
	char meanings[16][200];
};

static void remember(void *context, const struct iommu_step *step)
{
	struct told *told = context;

	assert_true(told->count < 16);
	told->steps[told->count] = *step;
	snprintf(told->meanings[told->count++], sizeof told->meanings[0], "%s", step->meaning);
}

static void each_entry_is_told_with_its_address_and_meaning(void **state)
{
	struct told told = { .count = 0 };
	struct iommu_trace trace = { remember, &told };
	struct world world;

	(void)state;
	set_up(&world);
	physical_put(&world.physical, entry_at(LEVEL1, IOVA, 1), PAGE | R | SNP);
	vtd_walk(&world.tables, &world.request, &trace, &world.answer);
	assert_int_equal(told.count, 5);
	assert_string_equal(told.steps[0].table, "root entry");
	assert_int_equal(told.steps[0].index, 0x1a);
	assert_string_equal(told.meanings[0], "bus 1ah: context table at 0x2000");
	assert_string_equal(told.steps[1].table, "context entry");
	assert_int_equal(told.steps[1].address, context_address());
	assert_string_equal(told.meanings[1], "domain 4660: second stage of 3 levels at 0x5000");
	assert_int_equal(told.steps[1].shift, 0);
	assert_string_equal(told.steps[2].table, "SS-PDPE (level 3)");
	assert_int_equal(told.steps[2].shift, 30);
	assert_int_equal(told.steps[4].shift, 12);
	assert_string_equal(told.meanings[2], "table at 0x6000: read and write");
	assert_string_equal(told.meanings[4], "page of 4 KiB at 0x123456000: read, snooped");
	assert_int_equal(told.steps[4].words[0], PAGE | R | SNP);

	told.count = 0;
	physical_put(&world.physical, entry_at(LEVEL2, IOVA, 2), NOWHERE | RW);
	vtd_walk(&world.tables, &world.request, &trace, &world.answer);
	assert_int_equal(told.count, 5);
	assert_int_equal(told.steps[4].word_count, 0);
	assert_string_equal(told.meanings[4], "a paging entry could not be read from memory");
}

static void expect_decided(struct world *world, enum spec_vtd_reason reason, unsigned shift)
{
	expect_fault(world, reason);
	assert_int_equal(world->answer.page_shift, shift);
}

static void a_refusal_holds_for_all_that_its_entry_decides(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	physical_put(&world.physical, entry_at(LEVEL1, IOVA, 1), 0);
	expect_decided(&world, SPEC_VTD_READ_DENIED, 12);
	physical_put(&world.physical, entry_at(LEVEL2, IOVA, 2), 0);
	expect_decided(&world, SPEC_VTD_READ_DENIED, 21);
	physical_put(&world.physical, entry_at(LEVEL3, IOVA, 3), NOWHERE | RW);
	expect_decided(&world, SPEC_VTD_PAGING_ACCESS, 21);
	physical_put(&world.physical, entry_at(LEVEL3, IOVA, 3), LEVEL2 | RW | TM);
	expect_decided(&world, SPEC_VTD_PAGING_RESERVED, 30);
	physical_put(&world.physical, entry_at(LEVEL3, IOVA, 3), UINT64_C(0xc0000000) | RW | PS);
	world.request.address = (IOVA >> 30 << 30) + UINT64_C(0x3ee00000); /* in FEExxxxxh */
	expect_decided(&world, SPEC_VTD_INTERRUPT_RANGE, 12);
	physical_put(&world.physical, context_address(), 0);
	expect_decided(&world, SPEC_VTD_CONTEXT_NOT_PRESENT, 64);
}

static void every_reason_that_the_specification_has_is_explained(void **state)
{
	(void)state;
	for (unsigned reason = 0; reason < 256; reason++)
		assert_non_null(vtd_reason_text(reason));
	assert_string_equal(vtd_reason_text(1), "the root entry is not present");
	assert_string_equal(vtd_reason_text(0x87),
			    "the resulting address is in the interrupt range FEExxxxxh");
	assert_string_equal(vtd_reason_text(0x10), vtd_reason_text(0xff));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_found_through_three_levels),
		cmocka_unit_test(a_page_is_found_through_four_and_five_levels),
		cmocka_unit_test(large_pages_keep_their_offset_bits),
		cmocka_unit_test(rights_are_those_of_every_level),
		cmocka_unit_test(an_entry_that_allows_nothing_denies_at_its_level),
		cmocka_unit_test(a_read_of_nothing_may_go_to_a_page_that_can_only_be_written),
		cmocka_unit_test(a_root_entry_can_fail_in_three_ways),
		cmocka_unit_test(a_context_entry_that_cannot_be_read_or_is_absent_faults),
		cmocka_unit_test(reserved_bits_of_a_context_entry_are_those_of_section_9_3),
		cmocka_unit_test(
			an_address_width_that_the_unit_lacks_faults_also_with_pass_through),
		cmocka_unit_test(a_translation_type_that_the_unit_lacks_faults),
		cmocka_unit_test(paging_entries_that_cannot_be_read_fault),
		cmocka_unit_test(reserved_bits_of_paging_entries_are_those_of_section_9_8),
		cmocka_unit_test(a_page_size_that_the_unit_lacks_is_reserved),
		cmocka_unit_test(a_leaf_tells_its_attributes),
		cmocka_unit_test(an_address_beyond_the_tables_or_the_unit_faults),
		cmocka_unit_test(a_result_in_the_interrupt_range_faults_and_its_page_shrinks),
		cmocka_unit_test(a_request_to_the_interrupt_range_that_is_no_interrupt_faults),
		cmocka_unit_test(pass_through_checks_the_host_width_and_the_interrupt_range),
		cmocka_unit_test(fault_processing_disable_silences_qualified_faults_only),
		cmocka_unit_test(requests_with_an_address_type_need_a_context_entry_that_says_so),
		cmocka_unit_test(
			a_translated_request_is_checked_against_host_width_and_interrupt_range),
		cmocka_unit_test(a_translation_request_is_told_what_is_allowed_instead_of_faulting),
		cmocka_unit_test(the_no_write_flag_counts_only_where_the_unit_knows_it),
		cmocka_unit_test(
			a_translation_request_for_an_interrupt_address_is_answered_specially),
		cmocka_unit_test(the_root_table_register_decides_the_mode),
		cmocka_unit_test(with_translation_off_everything_passes_but_ats),
		cmocka_unit_test(each_entry_is_told_with_its_address_and_meaning),
		cmocka_unit_test(a_refusal_holds_for_all_that_its_entry_decides),
		cmocka_unit_test(every_reason_that_the_specification_has_is_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
