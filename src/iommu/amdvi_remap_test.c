/* Every event that an interrupt can provoke by AMD's specification, and every way to a message. */
#include "tests/amdvi_world.h"

#include "base/base.h"

enum {
	I = SPEC_AMDVI_FLAG_I,
	PR = SPEC_AMDVI_FLAG_PR,
	RZ = SPEC_AMDVI_FLAG_RZ,
	MASTER_ABORT = SPEC_AMDVI_TYPE_MASTER_ABORT << SPEC_AMDVI_FLAG_TYPE_SHIFT,
	INDEX = 5, /* that the message has */
};

#define BIT(n) (UINT64_C(1) << (n))

static void remap(struct world *world)
{
	world->physical.reads = 0;
	amdvi_remap(&world->tables, &world->message, NULL, &world->remapped);
	assert_false(world->physical.crossed);
	assert_in_range(world->physical.reads, 0, 2);
}

static void expect(struct world *world, uint64_t address, uint32_t data)
{
	remap(world);
	assert_int_equal(world->remapped.outcome, IOMMU_OK);
	assert_int_equal(world->remapped.reason, 0);
	assert_false(world->remapped.posted);
	assert_int_equal(world->remapped.address, address);
	assert_int_equal(world->remapped.data, data);
	assert_int_equal(world->remapped.vector, data & 0xff);
}

static void expect_passed(struct world *world)
{
	expect(world, world->message.address, world->message.data);
}

static void expect_event(struct world *world, unsigned code, unsigned flags)
{
	remap(world);
	assert_int_equal(world->remapped.outcome, IOMMU_FAULT);
	assert_int_equal(world->remapped.reason, event(code, flags | I));
}

static void expect_page_fault(struct world *world, unsigned flags)
{
	expect_event(world, SPEC_AMDVI_IO_PAGE_FAULT, flags);
}

/* An entry of 32 bits. */
static void put_short(struct world *world, uint32_t entry)
{
	put_le32(bytes + INTERRUPTS + INDEX * 4, entry);
	(void)world;
}

static void put_wide(struct world *world, uint64_t low, uint64_t high)
{
	physical_put(&world->physical, INTERRUPTS + INDEX * 16, low);
	physical_put(&world->physical, INTERRUPTS + INDEX * 16 + 8, high);
}

static void make_wide(struct world *world, int mode)
{
	world->tables.control |= field_mask(SPEC_AMDVI_CONTROL_GA_EN);
	if (mode)
		world->tables.control |= field_make(mode, 1);
}

static void interrupts_pass_where_nothing_is_programmed(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.tables.control = 0;
	expect_passed(&world);
	assert_int_equal(world.physical.reads, 0);
	set_up(&world);
	put_device(&world, 2, ~UINT64_C(1));
	expect_passed(&world);
	assert_int_equal(world.physical.reads, 1);
	/* The page table half has no say. */
	set_up(&world);
	put_device(&world, 0, 0);
	expect_page_fault(&world, 0);
}

static void a_short_entry_makes_a_message(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	put_short(&world, 1 | 0x41u << 16 | 0x2bu << 8);
	expect(&world, 0xfee2b000, 0x4041);
	assert_int_equal(world.remapped.index, INDEX);
	set_in_device(&world, 2, 1 << 6); /* a table is aligned to 128 bytes */
	expect(&world, 0xfee2b000, 0x4041);
	put_short(&world, 1 | 1u << 2 | 1u << 6 | 0xffu << 16 | 0x80u << 8);
	expect(&world, 0xfee80004, 0x41ff);
	/* Neither the message's destination, nor its vector or delivery mode are used; trigger mode
	 * and redirection hint are. */
	put_device(&world, 2, INTERRUPTS | 1 | 9 << 1 | UINT64_C(2) << 60);
	put_le32(bytes + INTERRUPTS + 0x105 * 4, 1 | 0x42u << 16 | 0x80u << 8);
	world.message.address = 0xfeeff00c;
	world.message.data = 0xc105;
	expect(&world, 0xfee80008, 0xc042);
}

static void the_entry_is_selected_by_data_alone(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	set_in_device(&world, 2, 11 << 1); /* 2048 entries: bits 5:1 hold 15 now */
	expect_event(&world, SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY, 0);
	clear_in_device(&world, 2, 15 << 1);
	set_in_device(&world, 2, 11 << 1);
	for (unsigned index = 0; index < 2048; index += 31) {
		unsigned mode = index >> 8 & 7; /* the index has the delivery mode's bits */

		put_le32(bytes + INTERRUPTS + index * 4, 1 | (index & 0xff) << 16);
		world.message.data = index;
		if (mode > 1)
			continue;
		expect(&world, 0xfee00000, 0x4000 | (index & 0xff));
		assert_int_equal(world.remapped.index, index);
	}
}

static void the_table_has_an_end(void **state)
{
	struct world world;

	(void)state;
	for (unsigned length = 0; length <= 15; length++) {
		set_up(&world);
		put_device(&world, 2, INTERRUPTS | 1 | length << 1 | UINT64_C(2) << 60);
		put_short(&world, 1 | 0x41u << 16);
		if (length > 11)
			expect_event(&world, SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY, 0);
		else if (length < 3)
			expect_page_fault(&world, 0);
		else
			expect(&world, 0xfee00000, 0x4041);
	}
}

static void an_entry_without_memory_is_a_hardware_error(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	put_device(&world, 2, NOWHERE | 1 | 5 << 1 | UINT64_C(2) << 60);
	expect_event(&world, SPEC_AMDVI_PAGE_TAB_HARDWARE_ERROR, MASTER_ABORT);
	make_wide(&world, 0);
	expect_event(&world, SPEC_AMDVI_PAGE_TAB_HARDWARE_ERROR, MASTER_ABORT);
	world.tables.device_tables[0] = NOWHERE | 0x1ff;
	expect_event(&world, SPEC_AMDVI_DEV_TAB_HARDWARE_ERROR, MASTER_ABORT);
	world.tables.device_tables[0] = DEVICES;
	expect_page_fault(&world, 0);
}

static void interrupt_control_decides_about_fixed_and_arbitrated_ones(void **state)
{
	struct world world;

	(void)state;
	for (unsigned mode = 0; mode <= 1; mode++) {
		set_up(&world);
		put_short(&world, 1 | 0x41u << 16);
		world.message.data = mode << 8 | INDEX;
		put_device(&world, 2, INTERRUPTS | 1 | 10 << 1 | UINT64_C(2) << 60);
		if (mode == 0)
			expect(&world, 0xfee00000, 0x4041);
		else
			expect_page_fault(&world, 0); /* entry 105h is empty */
		put_device(&world, 2, INTERRUPTS | 1 | 10 << 1 | UINT64_C(1) << 60);
		expect_passed(&world);
		put_device(&world, 2, INTERRUPTS | 1 | 10 << 1);
		expect_page_fault(&world, 0);
		put_device(&world, 2, INTERRUPTS | 1 | 10 << 1 | UINT64_C(3) << 60);
		expect_event(&world, SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY, 0);
	}
}

/* SMI always passes; three others where the device table entry says so; the rest never. */
static void other_delivery_modes_pass_by_bits_of_the_device_entry(void **state)
{
	static const int pass_bits[8] = {
		[4] = SPEC_AMDVI_DTE_2_NMI_PASS,
		[5] = SPEC_AMDVI_DTE_2_INIT_PASS,
		[7] = SPEC_AMDVI_DTE_2_EINT_PASS,
	};
	struct world world;

	(void)state;
	for (unsigned mode = 2; mode < 8; mode++)
		for (unsigned logical = 0; logical < 2; logical++)
			for (unsigned bits = 0; bits < 8; bits++) {
				bool may = mode == 2;

				set_up(&world);
				world.message.address |= logical << 2;
				world.message.data = mode << 8 | 0x33;
				set_in_device(&world, 2, (uint64_t)bits << 56);
				if (pass_bits[mode])
					may = field_is_set(
						physical_get(&world.physical, device_at(2)),
						pass_bits[mode]);
				if (may && !logical)
					expect_passed(&world);
				else
					expect_page_fault(&world, 0);
				assert_int_equal(world.physical.reads, 1);
			}
}

static void reserved_bits_of_the_device_entry_are_illegal(void **state)
{
	static const struct {
		unsigned word, bit;
		bool reserved;
	} rows[] = {
		{ 2, 52, true },  { 2, 55, true },  { 2, 59, true }, { 3, 0, true },
		{ 3, 53, true },  { 2, 62, false }, { 2, 5, false }, { 2, 63, false },
		{ 0, 63, false }, { 1, 42, false },
	};
	struct world world;

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++) {
		set_up(&world);
		put_short(&world, 1 | 0x41u << 16);
		set_in_device(&world, rows[i].word, BIT(rows[i].bit));
		if (rows[i].reserved)
			expect_event(&world, SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY, RZ);
		else
			expect(&world, 0xfee00000, 0x4041);
	}
}

static void reserved_bits_and_types_of_an_entry_fault(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	for (unsigned bit = 24; bit < 32; bit++) {
		put_short(&world, (uint32_t)(1 | BIT(bit)));
		expect_page_fault(&world, PR | RZ);
	}
	put_short(&world, 1 | 1u << 7); /* guest mode needs wide entries */
	expect_page_fault(&world, PR | RZ);
	for (unsigned type = 2; type < 8; type++) {
		put_short(&world, 1 | type << 2);
		expect_page_fault(&world, PR | RZ);
	}
	put_short(&world, 1 | 1u << 5); /* RqEoi */
	expect(&world, 0xfee00000, 0x4000);
	put_short(&world, ~1u);
	remap(&world);
	assert_int_equal(world.remapped.reason, event(SPEC_AMDVI_IO_PAGE_FAULT, I));
}

static void a_wide_entry_makes_a_message(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	make_wide(&world, 0);
	put_wide(&world, 1 | 1u << 6 | 0x12342bu << 8, 0x41 | UINT64_C(0x98) << 56);
	expect(&world, 0xfee2b004, 0x4041); /* xAPIC: eight bits of destination */
	make_wide(&world, SPEC_AMDVI_CONTROL_XT_EN);
	expect(&world, 0xfee2b004 | UINT64_C(0x98123400) << 32, 0x4041);
	for (unsigned bit = 8; bit < 56; bit++) {
		put_wide(&world, 1, 0x41 | BIT(bit));
		expect_page_fault(&world, PR | RZ);
	}
	for (unsigned bit = 32; bit < 64; bit++) {
		put_wide(&world, 1 | BIT(bit), 0x41);
		expect_page_fault(&world, PR | RZ);
	}
	put_wide(&world, 0, 0x41);
	expect_page_fault(&world, 0);
}

static void extended_destinations_need_wide_entries(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	world.tables.control |= field_mask(SPEC_AMDVI_CONTROL_XT_EN);
	put_short(&world, 1 | 0x41u << 16 | 0x2bu << 8);
	expect(&world, 0xfee2b000, 0x4041);
}

static void guest_mode_posts_to_the_guest_apic(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	make_wide(&world, 0);
	put_wide(&world, 0x81 | 0x45 | UINT64_C(0xabcdef01) << 32, PAGE | 0x41);
	expect_page_fault(&world, PR | RZ); /* not enabled */
	make_wide(&world, SPEC_AMDVI_CONTROL_GAM_EN);
	remap(&world);
	assert_int_equal(world.remapped.outcome, IOMMU_OK);
	assert_true(world.remapped.posted);
	assert_int_equal(world.remapped.descriptor, PAGE);
	assert_int_equal(world.remapped.vector, 0x41);
	assert_int_equal(world.remapped.index, INDEX);
	for (unsigned bit = 3; bit < 6; bit++) {
		put_wide(&world, 0x81 | BIT(bit), PAGE | 0x41);
		expect_page_fault(&world, PR | RZ);
	}
	for (unsigned bit = 8; bit < 56; bit++) {
		put_wide(&world, 0x81, 0x41 | BIT(bit));
		remap(&world);
		if (bit < 12 || bit > 51)
			expect_page_fault(&world, PR | RZ);
		else
			assert_int_equal(world.remapped.descriptor, BIT(bit));
	}
}

static void expect_silent(struct world *world, unsigned flags)
{
	remap(world);
	assert_int_equal(world->remapped.outcome, IOMMU_SILENT);
	assert_int_equal(world->remapped.reason, event(SPEC_AMDVI_IO_PAGE_FAULT, flags | I));
}

static void software_may_ask_not_to_be_told(void **state)
{
	struct world world;

	(void)state;
	set_up(&world);
	put_short(&world, 2); /* SupIOPF */
	expect_silent(&world, 0);
	put_short(&world, 3 | 1u << 31);
	expect_silent(&world, PR | RZ);
	put_short(&world, 0);
	expect_page_fault(&world, 0);
	set_in_device(&world, 2, 1 << 5); /* IG */
	expect_silent(&world, 0);
	world.message.data = 31 + 1; /* beyond the table */
	expect_silent(&world, 0);
	/* Errors are always told. */
	set_in_device(&world, 2, UINT64_C(1) << 60 | UINT64_C(1) << 61);
	expect_event(&world, SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY, 0);
	/* A device table entry's bit 1 is no SupIOPF. */
	set_up(&world);
	put_device(&world, 2, INTERRUPTS | 1 | 5 << 1);
	expect_page_fault(&world, 0);
}

struct told {
	unsigned count;
	struct iommu_step steps[4];
	char meanings[4][200];
};

static void listen(void *context, const struct iommu_step *step)
{
	struct told *told = context;

	assert_in_range(told->count, 0, 3);
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
	put_short(&world, 1 | 0x41u << 16 | 0x2bu << 8);
	amdvi_remap(&world.tables, &world.message, &trace, &world.remapped);
	assert_int_equal(told.count, 2);
	assert_string_equal(told.steps[0].table, "device table entry");
	assert_int_equal(told.steps[0].address, DEVICES + SOURCE * 32);
	assert_string_equal(told.meanings[0], "interrupt table of 32 entries at 0x8000");
	assert_string_equal(told.steps[1].table, "interrupt remapping entry");
	assert_int_equal(told.steps[1].address, INTERRUPTS + INDEX * 4);
	assert_int_equal(told.steps[1].index, INDEX);
	assert_int_equal(told.steps[1].words[0], 1 | 0x41u << 16 | 0x2bu << 8);
	assert_string_equal(told.meanings[1], "vector 41h to APIC 43");
	world.message.data = 99;
	told = (struct told){ 0 };
	amdvi_remap(&world.tables, &world.message, &trace, &world.remapped);
	assert_int_equal(told.count, 2);
	assert_int_equal(told.steps[1].word_count, 0);
	assert_string_equal(told.meanings[1], "the interrupt is not mapped for the device");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupts_pass_where_nothing_is_programmed),
		cmocka_unit_test(a_short_entry_makes_a_message),
		cmocka_unit_test(the_entry_is_selected_by_data_alone),
		cmocka_unit_test(the_table_has_an_end),
		cmocka_unit_test(an_entry_without_memory_is_a_hardware_error),
		cmocka_unit_test(interrupt_control_decides_about_fixed_and_arbitrated_ones),
		cmocka_unit_test(other_delivery_modes_pass_by_bits_of_the_device_entry),
		cmocka_unit_test(reserved_bits_of_the_device_entry_are_illegal),
		cmocka_unit_test(reserved_bits_and_types_of_an_entry_fault),
		cmocka_unit_test(a_wide_entry_makes_a_message),
		cmocka_unit_test(extended_destinations_need_wide_entries),
		cmocka_unit_test(guest_mode_posts_to_the_guest_apic),
		cmocka_unit_test(software_may_ask_not_to_be_told),
		cmocka_unit_test(each_entry_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
