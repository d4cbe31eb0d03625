/* Interrupt remapping: table 15 row by row, every SVT and SQ, and the messages that come out. */
#include "iommu/vtd_internal.h"
#include "tests/check.h"
#include "tests/physical.h"

enum { MEMORY = 1 << 21, TABLE = 0x1000, SOURCE = 0x03a6, INDEX = 37 };

#define P   UINT64_C(1)
#define FPD UINT64_C(2)
#define IM  (UINT64_C(1) << 15)

static uint8_t bytes[MEMORY];

struct world {
	struct physical physical;
	struct vtd_tables tables;
	struct iommu_message message;
	struct iommu_remapped remapped;
};

static uint64_t remappable(unsigned handle)
{
	return UINT64_C(0xfee00010) | (handle & 0x7fff) << 5 | (handle >> 15 & 1) << 2;
}

static void put(struct world *world, unsigned index, uint64_t low, uint64_t high)
{
	physical_put(&world->physical, TABLE + 16 * index, low);
	physical_put(&world->physical, TABLE + 16 * index + 8, high);
}

/* Entry 37: vector 4bh, fixed, edge, physical destination 9 in xAPIC mode. */
static void set_up(struct world *world)
{
	physical_init(&world->physical, bytes, MEMORY);
	world->tables = (struct vtd_tables){
		.cap = 6 | (uint64_t)47 << 16,
		.ecap = field_mask(SPEC_VTD_ECAP_QI) | field_mask(SPEC_VTD_ECAP_IR) |
			field_mask(SPEC_VTD_ECAP_EIM),
		.irta = TABLE | 7, /* 256 entries */
		.remapping = true,
		.memory = &world->physical.memory,
	};
	world->message = (struct iommu_message){ SOURCE, remappable(INDEX), 0 };
	put(world, INDEX, UINT64_C(9) << 40 | 0x4b << 16 | P, 0);
}

static void remap(struct world *world)
{
	vtd_remap(&world->tables, &world->message, NULL, &world->remapped);
	assert_false(world->physical.crossed);
}

static void expect(struct world *world, uint64_t address, uint32_t data)
{
	remap(world);
	assert_int_equal(world->remapped.reason, 0);
	assert_int_equal(world->remapped.outcome, IOMMU_OK);
	assert_int_equal(world->remapped.address, address);
	assert_int_equal(world->remapped.data, data);
}

static void expect_fault(struct world *world, enum spec_vtd_reason reason)
{
	remap(world);
	assert_int_equal(world->remapped.reason, reason);
	assert_int_equal(world->remapped.outcome, IOMMU_FAULT);
}

static void an_entry_becomes_the_message_that_a_processor_takes(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	expect(&world, UINT64_C(0xfee09000), 0x404b);
	assert_int_equal(world.remapped.index, INDEX);
	assert_int_equal(world.remapped.vector, 0x4b);
	assert_int_equal(world.physical.reads, 1);
	/* Logical destination, redirection hint, lowest priority, level; available bits do not
	 * count. */
	put(&world, INDEX,
	    UINT64_C(9) << 40 | 0x4b << 16 | 0xf00 | 1 << 5 | 1 << 4 | 1 << 3 | 1 << 2 | P, 0);
	expect(&world, UINT64_C(0xfee0900c), 0xc14b);
}

static void every_delivery_mode_is_passed_on(void **state)
{
	struct world world;

	(void)state;
	for (unsigned mode = 0; mode < 8; mode++) {
		set_up(&world);
		put(&world, INDEX, UINT64_C(9) << 40 | 0x4b << 16 | mode << 5 | P, 0);
		expect(&world, UINT64_C(0xfee09000), 0x404b | mode << 8);
	}
}

static void in_x2apic_mode_the_upper_address_has_the_upper_destination(void **state)
{
	uint64_t low = UINT64_C(0x12345678) << 32 | 0x4b << 16 | P;
	struct world world;

	(void)state;
	set_up(&world);
	put(&world, INDEX, low, 0);
	expect_fault(&world, SPEC_VTD_IR_RESERVED);
	world.tables.irta |= 1 << 11;
	expect(&world, UINT64_C(0x12345600) << 32 | UINT64_C(0xfee78000), 0x404b);
	/* A unit without the mode has no such bit in its register. */
	world.tables.ecap &= ~field_mask(SPEC_VTD_ECAP_EIM);
	expect_fault(&world, SPEC_VTD_IR_RESERVED);
}

static void the_handle_has_sixteen_bits_in_two_places(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.tables.irta = TABLE | 15;
	world.message.address = UINT64_C(0xfee00000) | 0x7fff << 5 | 1 << 4 | 1 << 2;
	put(&world, 0xffff, 0x51 << 16 | P, 0);
	expect(&world, UINT64_C(0xfee00000), 0x4051);
	assert_int_equal(world.remapped.index, 0xffff);
	/* Address bits 1:0 are ignored. */
	world.message.address |= 3;
	expect(&world, UINT64_C(0xfee00000), 0x4051);
}

static void a_sub_handle_is_added_when_it_is_valid(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.message = (struct iommu_message){ SOURCE, remappable(INDEX - 5) | 1 << 3, 5 };
	expect(&world, UINT64_C(0xfee09000), 0x404b);
	assert_int_equal(world.remapped.index, INDEX);
	world.message.data = 5 | 1 << 16;
	expect_fault(&world, SPEC_VTD_IR_REQUEST_RESERVED);
	/* Without SHV all of the data is ignored. */
	world.message = (struct iommu_message){ SOURCE, remappable(INDEX), 0xdeadbeef };
	expect(&world, UINT64_C(0xfee09000), 0x404b);
	/* The sum does not wrap at 16 bits. */
	world.tables.irta = TABLE | 15;
	world.message = (struct iommu_message){ SOURCE, remappable(0xffff) | 1 << 3, INDEX + 1 };
	expect_fault(&world, SPEC_VTD_IR_INDEX);
	assert_int_equal(world.remapped.index, 0x10000 + INDEX);
	world.tables.quirks = VTD_QUIRKS_QEMU72;
	expect(&world, UINT64_C(0xfee09000), 0x404b);
	assert_int_equal(world.remapped.index, INDEX);
}

static void an_index_beyond_the_table_or_the_host_width_faults(void **state)
{
	struct world world;

	(void)state;
	for (unsigned size = 0; size < 16; size++) {
		set_up(&world);
		world.tables.irta = TABLE | size;
		world.message.address = remappable((2u << size) - 1);
		remap(&world);
		assert_int_equal(world.remapped.reason, SPEC_VTD_IR_NOT_PRESENT);
		if (size == 15)
			break;
		world.message.address = remappable(2u << size);
		expect_fault(&world, SPEC_VTD_IR_INDEX);
		assert_int_equal(world.physical.reads, 1);
	}
	set_up(&world);
	world.tables.irta = UINT64_C(1) << 48 | 7;
	expect_fault(&world, SPEC_VTD_IR_INDEX);
	world.tables.irta = UINT64_C(1) << 47 | 7;
	expect_fault(&world, SPEC_VTD_IR_ACCESS);
}

static void an_entry_that_is_not_present_faults_silently_if_told_so(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	put(&world, INDEX, ~P & ~FPD, UINT64_MAX);
	expect_fault(&world, SPEC_VTD_IR_NOT_PRESENT);
	put(&world, INDEX, ~P, UINT64_MAX);
	remap(&world);
	assert_int_equal(world.remapped.outcome, IOMMU_SILENT);
	assert_int_equal(world.remapped.reason, SPEC_VTD_IR_NOT_PRESENT);
	put(&world, INDEX, P | FPD | 1 << 12, 0);
	remap(&world);
	assert_int_equal(world.remapped.outcome, IOMMU_SILENT);
	assert_int_equal(world.remapped.reason, SPEC_VTD_IR_RESERVED);
}

static void reserved_bits_of_an_entry_are_those_of_sections_9_9_and_9_10(void **state)
{
	/* 14:12, 31:24 and in xAPIC mode 39:32 and 63:48; 127:84. */
	const uint64_t low = UINT64_C(0xff007000), xapic = UINT64_C(0xffff00ff00000000);
	const uint64_t high = ~UINT64_C(0xfffff);
	/* Posted: 7:2, 13:12, 37:24; 95:84, and bits 63:48 of the descriptor's address. */
	const uint64_t posted_low = UINT64_C(0x3fff0030fc);
	const uint64_t posted_high = UINT64_C(0xfff00000) | UINT64_C(0xffff) << 48;
	struct world world;

	(void)state;
	set_up(&world);
	for (unsigned bit = 2; bit < 64; bit++)
		for (unsigned mode = 0; mode < 4; mode++) {
			uint64_t one = UINT64_C(1) << bit;
			bool extended = mode & 1, posted = mode & 2;
			uint64_t reserved = posted ? posted_low : low | (extended ? 0 : xapic);

			if (one == IM)
				continue;
			world.tables.irta = TABLE | 7 | (extended ? 1 << 11 : 0);
			world.tables.cap |= field_mask(SPEC_VTD_CAP_PI);
			put(&world, INDEX, one | P | (posted ? IM : 0), 0);
			remap(&world);
			assert_int_equal(world.remapped.reason,
					 reserved & one ? SPEC_VTD_IR_RESERVED : 0);
			if (bit == 18 || bit == 19)
				continue; /* SVT */
			put(&world, INDEX, P | (posted ? IM : 0), one);
			remap(&world);
			assert_int_equal(world.remapped.reason, (posted ? posted_high : high) & one
									? SPEC_VTD_IR_RESERVED
									: 0);
		}
}

static void a_posted_entry_names_its_descriptor(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	put(&world, INDEX, UINT64_C(0x89abcdc0) << 32 | 0x77 << 16 | IM | 1 << 14 | P,
	    UINT64_C(0x1234) << 32);
	expect_fault(&world, SPEC_VTD_IR_RESERVED);
	world.tables.cap |= field_mask(SPEC_VTD_CAP_PI);
	remap(&world);
	assert_int_equal(world.remapped.outcome, IOMMU_OK);
	assert_true(world.remapped.posted);
	assert_true(world.remapped.urgent);
	assert_int_equal(world.remapped.vector, 0x77);
	assert_int_equal(world.remapped.descriptor, UINT64_C(0x123489abcdc0));
}

/* Section 9.9 in the tests' own words: which sources an entry allows. */
static bool allows(unsigned svt, unsigned sq, uint16_t sid, uint16_t source)
{
	unsigned function = source & 7, own = sid & 7, bus = source >> 8;

	if (svt == 0)
		return true;
	if (svt == 2)
		return bus >= (unsigned)(sid >> 8) && bus <= (sid & 0xffu);
	if (svt == 3 || (source ^ sid) >> 3)
		return false;
	if (sq == 0)
		return function == own;
	if (sq == 1)
		return (function & 3) == (own & 3);
	if (sq == 2)
		return (function & 1) == (own & 1);
	return true;
}

static void every_source_validation_allows_what_section_9_9_says(void **state)
{
	static const uint16_t sids[] = { 0x03a6, 0x0000, 0xffff, 0x0305, 0x0503, 0x0303 };
	struct world world;

	(void)state;
	set_up(&world);
	for (unsigned n = 0; n < array_len(sids); n++)
		for (unsigned svt = 0; svt < 4; svt++)
			for (unsigned sq = 0; sq < 4; sq++) {
				put(&world, INDEX, 0x4b << 16 | P,
				    (uint64_t)(svt << 18 | sq << 16 | sids[n]));
				for (unsigned source = 0; source < 0x10000; source++) {
					world.message.source = (uint16_t)source;
					remap(&world);
					assert_int_equal(world.remapped.reason,
							 allows(svt, sq, sids[n], (uint16_t)source)
								 ? 0
								 : SPEC_VTD_IR_SOURCE);
				}
			}
}

static void the_source_is_verified_before_the_entry_is_interpreted(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	put(&world, INDEX, 1 << 12 | P, 1 << 18);
	expect_fault(&world, SPEC_VTD_IR_SOURCE);
	world.tables.quirks = VTD_QUIRKS_QEMU72;
	expect_fault(&world, SPEC_VTD_IR_RESERVED);
}

static void compatibility_format_passes_only_where_it_may(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.message = (struct iommu_message){ SOURCE, UINT64_C(0xfee0300c), 0x4199 };
	expect_fault(&world, SPEC_VTD_IR_COMPATIBILITY_BLOCKED);
	world.tables.compatibility = true;
	expect(&world, UINT64_C(0xfee0300c), 0x4199);
	assert_int_equal(world.physical.reads, 0);
	world.tables.irta |= 1 << 11;
	expect_fault(&world, SPEC_VTD_IR_COMPATIBILITY_BLOCKED);
	world.tables.quirks = VTD_QUIRKS_QEMU72;
	expect(&world, UINT64_C(0xfee0300c), 0x4199);
}

static void with_remapping_off_messages_pass_unless_the_unit_requires_it(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.tables.remapping = false;
	expect(&world, remappable(INDEX), 0);
	world.tables.ecap |= field_mask(SPEC_VTD_ECAP_IRREQ);
	expect_fault(&world, SPEC_VTD_IR_REQUIRED);
}

static void a_unit_for_x2apic_alone_blocks_everything_in_xapic_mode(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.tables.ecap |= field_mask(SPEC_VTD_ECAP_EIMER);
	expect_fault(&world, SPEC_VTD_IR_EIME_REQUIRED);
	world.tables.irta |= 1 << 11;
	expect(&world, UINT64_C(9) << 40 | UINT64_C(0xfee00000), 0x404b);
}

static void an_address_outside_the_interrupt_range_is_reserved(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.message.address |= UINT64_C(1) << 32;
	expect_fault(&world, SPEC_VTD_IR_REQUEST_RESERVED);
	world.message.address = UINT64_C(0xfed00010);
	expect_fault(&world, SPEC_VTD_IR_REQUEST_RESERVED);
}

static void an_io_apic_entry_becomes_a_remappable_message(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.tables.irta = TABLE | 15;
	/* Index 8025h: bits 14:0 in 63:49, bit 15 in 11; format in 48; vector, level. */
	assert_true(vtd_ioapic_message(
		0xf0f8, UINT64_C(0x25) << 49 | UINT64_C(1) << 48 | 1 << 15 | 1 << 11 | 0x31,
		&world.message));
	assert_int_equal(world.message.source, 0xf0f8);
	assert_int_equal(world.message.address, remappable(0x8025));
	put(&world, 0x8025, UINT64_C(2) << 40 | 0x31 << 16 | 1 << 4 | P, 1 << 18 | 0xf0f8);
	expect(&world, UINT64_C(0xfee02000), 0xc031);
	assert_int_equal(world.remapped.index, 0x8025);
	assert_false(vtd_ioapic_message(0xf0f8, UINT64_C(1) << 48 | 1 << 16, &world.message));
}

static void an_io_apic_entry_in_compatibility_format_names_its_destination(void **state)
{
	struct iommu_message message;

	(void)state;
	assert_true(vtd_ioapic_message(1, UINT64_C(0x0a) << 56 | 1 << 15 | 1 << 11 | 1 << 8 | 0x42,
				       &message));
	assert_int_equal(message.address, UINT64_C(0xfee0a00c));
	assert_int_equal(message.data, 0xc142);
}

static void the_other_quirks_answer_as_qemu_does(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.tables.quirks = VTD_QUIRKS_QEMU72;
	/* Bus range the other way round. */
	put(&world, INDEX, P, 2 << 18 | 0x0503);
	world.message.source = 0x0400;
	expect(&world, UINT64_C(0xfee00000), 0x4000);
	put(&world, INDEX, P, 2 << 18 | 0x0305);
	expect_fault(&world, SPEC_VTD_IR_SOURCE);
	/* Posted entries are remapped; the destination's reserved bits do not count. */
	put(&world, INDEX, UINT64_C(0xabcd09ef) << 32 | IM | 0x60 << 16 | P, 0);
	expect(&world, UINT64_C(0xfee09000), 0x4060);
	/* Low address bits are kept. */
	world.message.address |= 3;
	expect(&world, UINT64_C(0xfee09003), 0x4060);
	/* x2APIC mode without the capability. */
	world.tables.ecap &= ~field_mask(SPEC_VTD_ECAP_EIM);
	world.tables.irta |= 1 << 11;
	expect(&world, UINT64_C(0xabcd0900) << 32 | UINT64_C(0xfeeef003), 0x4060);
	/* Reserved data is looked at last. */
	world.message = (struct iommu_message){ SOURCE, remappable(INDEX) | 1 << 3, 1 << 16 };
	expect_fault(&world, SPEC_VTD_IR_REQUEST_RESERVED);
	put(&world, INDEX, 0, 0);
	expect_fault(&world, SPEC_VTD_IR_NOT_PRESENT);
}

struct told {
	unsigned count;
	char meaning[200];
};

static void remember(void *context, const struct iommu_step *step)
{
	struct told *told = context;

	told->count++;
	snprintf(told->meaning, sizeof told->meaning, "%s %u: %s", step->table, step->index,
		 step->meaning);
}

static void the_entry_is_told(void **state)
{
	struct told told = { .count = 0 };
	struct iommu_trace trace = { remember, &told };
	struct world world;

	(void)state;
	set_up(&world);
	vtd_remap(&world.tables, &world.message, &trace, &world.remapped);
	assert_int_equal(told.count, 1);
	assert_string_equal(told.meaning, "interrupt remapping entry 37: vector 4bh to APIC 9");
	put(&world, INDEX, P, 1 << 18);
	vtd_remap(&world.tables, &world.message, &trace, &world.remapped);
	assert_string_equal(told.meaning,
			    "interrupt remapping entry 37: the requester is not the source "
			    "that the interrupt entry allows");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_becomes_the_message_that_a_processor_takes),
		cmocka_unit_test(every_delivery_mode_is_passed_on),
		cmocka_unit_test(in_x2apic_mode_the_upper_address_has_the_upper_destination),
		cmocka_unit_test(the_handle_has_sixteen_bits_in_two_places),
		cmocka_unit_test(a_sub_handle_is_added_when_it_is_valid),
		cmocka_unit_test(an_index_beyond_the_table_or_the_host_width_faults),
		cmocka_unit_test(an_entry_that_is_not_present_faults_silently_if_told_so),
		cmocka_unit_test(reserved_bits_of_an_entry_are_those_of_sections_9_9_and_9_10),
		cmocka_unit_test(a_posted_entry_names_its_descriptor),
		cmocka_unit_test(every_source_validation_allows_what_section_9_9_says),
		cmocka_unit_test(the_source_is_verified_before_the_entry_is_interpreted),
		cmocka_unit_test(compatibility_format_passes_only_where_it_may),
		cmocka_unit_test(with_remapping_off_messages_pass_unless_the_unit_requires_it),
		cmocka_unit_test(a_unit_for_x2apic_alone_blocks_everything_in_xapic_mode),
		cmocka_unit_test(an_address_outside_the_interrupt_range_is_reserved),
		cmocka_unit_test(an_io_apic_entry_becomes_a_remappable_message),
		cmocka_unit_test(an_io_apic_entry_in_compatibility_format_names_its_destination),
		cmocka_unit_test(the_other_quirks_answer_as_qemu_does),
		cmocka_unit_test(the_entry_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
