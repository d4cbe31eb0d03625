#include "dev/pci_function.h"

#include "base/bytes.h"
#include "pcie/caps.h"
#include "pcie/header.h"
#include "spec/pcie.h"
#include "tests/check.h"

#include <errno.h>

/* A function with registers and a mapped page in BAR 0, and MSI-X in BAR 4. */
enum {
	BAR0 = 0x4000,
	MAPPED_AT = 0x1000,
	MAPPED = 0x1000,
	BAR4 = 0x2000,
	TABLE_AT = 0x800,
	PBA_AT = 0x1000,
	VECTORS = 70,
	ENTRY = 16,
	CONTROL = 12, /* of an entry */
	HEARD_MAX = 256,
};

static struct pcie_kind kind, plain_kind, pin_kind;
static bool reason; /* to interrupt by INTx */
static struct pci_function function;
static struct pci_function_conf conf;
static _Alignas(8) uint8_t page[MAPPED];
static uint8_t registers[BAR0];
static unsigned heard[HEARD_MAX], heard_count, wakes, resets, rings, last_rung;
static enum pci_reset last_reset;
static unsigned events[PCIE_EVENT_COUNT];
static uint32_t kind_state;
static uint64_t low_offset, high_offset; /* what the kind was asked for */

static void kind_read(struct pci_function *f, unsigned region, uint64_t offset, uint32_t size, uint8_t *to)
{
	(void)f;
	if (region != 0)
		return; /* nothing is there: it reads 0 */
	assert_true(offset + size <= BAR0);
	low_offset = min_u64(low_offset, offset);
	high_offset = max_u64(high_offset, offset + size);
	memcpy(to, registers + offset, size);
}

static void kind_write(struct pci_function *f, unsigned region, uint64_t offset, uint32_t size,
		       const uint8_t *from)
{
	(void)f;
	if (region == 0) {
		assert_true(offset + size <= BAR0);
		memcpy(registers + offset, from, size);
	}
}

static void kind_event(struct pci_function *f, enum pcie_event event)
{
	(void)f;
	events[event]++;
}

static void kind_reset(struct pci_function *f, enum pci_reset cause)
{
	(void)f;
	resets++;
	last_reset = cause;
}

static void kind_rung(struct pci_function *f, unsigned doorbell)
{
	(void)f;
	rings++;
	last_rung = doorbell;
}

static size_t kind_save(const struct pci_function *f, uint8_t *to, size_t room)
{
	(void)f;
	if (room >= 4)
		put_le32(to, kind_state);
	return 4;
}

static int kind_load(struct pci_function *f, const uint8_t *from, size_t size)
{
	(void)f;
	if (size != 4 || get_le32(from) == 0xbad)
		return -EINVAL;
	kind_state = get_le32(from);
	return 0;
}

static bool kind_wants_intx(struct pci_function *f)
{
	(void)f;
	return reason;
}

static const struct pci_function_ops ops = {
	.name = "sample", .read = kind_read, .write = kind_write, .event = kind_event,
	.reset = kind_reset, .rung = kind_rung, .save = kind_save, .load = kind_load,
	.wants_intx = kind_wants_intx,
};

static void hear(void *owner, unsigned vector)
{
	assert_ptr_equal(owner, heard);
	assert_true(heard_count < HEARD_MAX);
	heard[heard_count++] = vector;
}

static void wake(void *owner)
{
	assert_ptr_equal(owner, heard);
	wakes++;
}

static void build_kinds(void)
{
	struct pcie_identity identity = {
		.vendor = 0x1af4, .device = 0x10f2, .subsystem_vendor = 0x1af4,
		.subsystem = 0x4d50, .class_code = 0xff0000, .revision = 3,
	};
	static const struct pcie_bars bars = { .size = { BAR0, 0, BAR4 } };
	static const struct pcie_msix_shape msix = { .vectors = VECTORS, .bar = 4,
						     .table_offset = TABLE_AT, .pba_offset = PBA_AT };
	static const struct pcie_link_shape link = { .speed = 4, .width = 4 };

	pcie_kind_init(&kind, PCIE_ROLE_ENDPOINT);
	pcie_header_lay_type0(&kind, &identity, &bars);
	pcie_caps_add_pm(&kind);
	pcie_caps_add_msix(&kind, &msix);
	pcie_caps_add_express(&kind, &link);
	identity.interrupt_pin = 1;
	pcie_kind_init(&pin_kind, PCIE_ROLE_ENDPOINT);
	pcie_header_lay_type0(&pin_kind, &identity, &bars);
	pcie_caps_add_pm(&pin_kind);
	pcie_caps_add_msix(&pin_kind, &msix);
	pcie_caps_add_express(&pin_kind, &link);
	identity.interrupt_pin = 0;
	pcie_kind_init(&plain_kind, PCIE_ROLE_ENDPOINT);
	pcie_header_lay_type0(&plain_kind, &identity, &bars);
}

static int fresh(void **state)
{
	(void)state;
	if (!kind.tail)
		build_kinds();
	memset(page, 0, sizeof page);
	memset(registers, 0, sizeof registers);
	memset(events, 0, sizeof events);
	heard_count = wakes = resets = rings = 0;
	reason = false;
	low_offset = UINT64_MAX;
	high_offset = 0;
	conf = (struct pci_function_conf){
		.ops = &ops, .kind = &kind, .vectors = VECTORS, .table_region = 4, .pba_region = 4,
		.table_first = TABLE_AT, .pba_first = PBA_AT,
		.regions = { [0] = { BAR0, MAPPED_AT, MAPPED, page }, [4] = { .size = BAR4 } },
		.doorbells = { .region = 0, .count = 3, .first = 0x3000, .stride = 4, .size = 4 },
		.host = { .interrupt = hear, .wake = wake, .owner = heard },
	};
	assert_int_equal(pci_function_init(&function, &conf), 0);
	return 0;
}

/* Registers, as a driver reaches them. */

static uint32_t read32(unsigned region, uint64_t offset)
{
	uint8_t bytes[4];

	assert_int_equal(pci_function_read(&function, region, offset, 4, bytes), 0);
	return get_le32(bytes);
}

static void write32(unsigned region, uint64_t offset, uint32_t value)
{
	uint8_t bytes[4];

	put_le32(bytes, value);
	assert_int_equal(pci_function_write(&function, region, offset, 4, bytes), 0);
}

static void write16_config(unsigned at, uint16_t value)
{
	uint8_t bytes[2];

	put_le16(bytes, value);
	assert_int_equal(pci_function_write(&function, PCI_REGION_CONFIG, at, 2, bytes), 0);
}

static void master(void)
{
	write16_config(SPEC_PCI_COMMAND, SPEC_PCI_COMMAND_MASTER | SPEC_PCI_COMMAND_MEMORY);
}

static void msix_control(uint16_t value)
{
	write16_config(pcie_kind_at(&kind, PCIE_CAP_MSIX, SPEC_MSIX_CONTROL), value);
}

static void unmask(unsigned vector)
{
	write32(4, TABLE_AT + vector * ENTRY + CONTROL, 0);
}

/* INTx. */

static void with_a_pin(void)
{
	conf.kind = &pin_kind;
	assert_int_equal(pci_function_init(&function, &conf), 0);
}

static void power(uint16_t wanted)
{
	write16_config(pcie_kind_at(&pin_kind, PCIE_CAP_PM, SPEC_PM_CONTROL), wanted);
}

static bool shows(void)
{
	return read32(PCI_REGION_CONFIG, SPEC_PCI_COMMAND) >> 16 & SPEC_PCI_STATUS_INTERRUPT;
}

static void test_without_a_pin_nothing_is_sent_or_shown(void **state)
{
	(void)state;
	reason = true;
	pci_function_intx(&function);
	pci_function_interrupt(&function, 0);
	assert_int_equal(heard_count, 0);
	assert_false(shows());
	assert_false(pci_function_has_intx(&function));
}

static void test_intx_needs_no_bus_master_and_comes_once_until_it_is_unmasked(void **state)
{
	(void)state;
	with_a_pin();
	reason = true;
	pci_function_interrupt(&function, 5); /* whichever vector it would be */
	pci_function_intx(&function);
	assert_int_equal(heard_count, 1);
	assert_int_equal(heard[0], PCI_VECTOR_INTX);
	assert_true(shows());
	pci_function_intx_mask(&function, PCI_UNMASKED);
	assert_int_equal(heard_count, 2);
	reason = false;
	pci_function_intx_mask(&function, PCI_UNMASKED);
	assert_int_equal(heard_count, 2);
	assert_false(shows());
}

static void test_what_kept_intx_back_lets_it_go(void **state)
{
	(void)state;
	with_a_pin();
	write16_config(SPEC_PCI_COMMAND, SPEC_PCI_COMMAND_NO_INTX);
	reason = true;
	pci_function_intx(&function);
	assert_int_equal(heard_count, 0);
	assert_true(shows()); /* 7.5.1.1.4 */
	write16_config(SPEC_PCI_COMMAND, 0);
	assert_int_equal(heard_count, 1);
	power(SPEC_PM_D3HOT);
	pci_function_intx_mask(&function, PCI_UNMASKED);
	assert_int_equal(heard_count, 1);
	power(SPEC_PM_D0);
	assert_int_equal(heard_count, 2);
	msix_control(SPEC_MSIX_ENABLE);
	pci_function_intx_mask(&function, PCI_UNMASKED);
	assert_int_equal(heard_count, 2);
	msix_control(0);
	assert_int_equal(heard_count, 3);
	pci_function_intx_mask(&function, PCI_MASKED);
	pci_function_intx(&function);
	assert_int_equal(heard_count, 3);
}

static void test_a_vmm_that_has_gone_leaves_no_mask(void **state)
{
	(void)state;
	with_a_pin();
	pci_function_intx_mask(&function, PCI_MASKED);
	pci_function_reset(&function, PCI_RESET_BUS);
	reason = true;
	pci_function_intx(&function);
	assert_int_equal(heard_count, 0);
	reason = false;
	pci_function_reset(&function, PCI_RESET_LOST);
	reason = true;
	pci_function_intx(&function);
	assert_int_equal(heard_count, 1);
}

static void test_intx_is_asked_for_again_where_its_guest_moves(void **state)
{
	static uint8_t saved[1 << 16];
	size_t size;

	(void)state;
	with_a_pin();
	size = pci_function_save(&function, saved, sizeof saved);
	assert_in_range(size, 1, sizeof saved);
	with_a_pin();
	reason = true;
	assert_int_equal(pci_function_load(&function, saved, size), 0);
	assert_int_equal(heard_count, 1);
	assert_int_equal(heard[0], PCI_VECTOR_INTX);
}

static void test_refuses_a_conf_that_contradicts_itself(void **state)
{
	struct pci_function_conf good;

	(void)state;
	good = conf;
#define REFUSED(change)                                                      \
	do {                                                                 \
		conf = good;                                                 \
		change;                                                      \
		assert_int_equal(pci_function_init(&function, &conf), -EINVAL); \
	} while (0)
	REFUSED(conf.regions[0].size = BAR0 - 1);
	REFUSED(conf.regions[0].size = 2 * BAR0);
	REFUSED(conf.regions[1].size = 0x1000);
	REFUSED(conf.regions[6].size = 0x1000);
	REFUSED(conf.regions[4].size = 0);
	REFUSED(conf.regions[0].mapped_first = BAR0);
	REFUSED(conf.regions[0].mapped_first = 8);
	REFUSED(conf.regions[0].mapped_size = BAR0);
	REFUSED(conf.regions[0].mapped_size = UINT64_MAX - 4095);
	REFUSED(conf.regions[0].mapped = NULL);
	REFUSED(conf.vectors = VECTORS + 1);
	REFUSED(conf.vectors = 0);
	REFUSED(conf.kind = &plain_kind);
	REFUSED(conf.table_first = TABLE_AT + 8);
	REFUSED(conf.pba_first = TABLE_AT);
	REFUSED(conf.pba_region = 0);
	REFUSED(conf.table_region = 200);
	REFUSED((conf.regions[4].mapped = page, conf.regions[4].mapped_size = 4096));
	REFUSED(conf.doorbells.first = BAR0 - 8);
	REFUSED(conf.doorbells.first = UINT64_MAX);
	REFUSED(conf.doorbells.region = 7);
	REFUSED(conf.doorbells.stride = 2);
	REFUSED(conf.doorbells.size = 3);
#undef REFUSED
	conf = good;
	conf.kind = &plain_kind;
	conf.vectors = 0;
	assert_int_equal(pci_function_init(&function, &conf), 0);
}

static void test_an_access_beyond_a_region_changes_and_reads_nothing(void **state)
{
	uint8_t bytes[16] = { 1, 2, 3, 4 };

	(void)state;
	assert_int_equal(pci_function_write(&function, 0, BAR0 - 2, 4, bytes), -EINVAL);
	assert_int_equal(registers[BAR0 - 2], 0);
	assert_int_equal(pci_function_read(&function, 0, UINT64_MAX, 4, bytes), -EINVAL);
	assert_int_equal(pci_function_read(&function, 0, BAR0, 1, bytes), -EINVAL);
	assert_int_equal(pci_function_read(&function, 1, 0, 1, bytes), -EINVAL);
	assert_int_equal(pci_function_read(&function, 8, 0, 1, bytes), -EINVAL);
	assert_int_equal(pci_function_read(&function, PCI_REGION_COUNT, 0, 1, bytes), -EINVAL);
	assert_int_equal(pci_function_read(&function, PCI_REGION_CONFIG, CFG_SIZE - 1, 2, bytes), -EINVAL);
	assert_int_equal(bytes[0], 1);
}

static void test_a_mapped_piece_is_the_shared_memory_and_wakes_the_worker(void **state)
{
	(void)state;
	write32(0, MAPPED_AT + 8, 0x11223344);
	assert_int_equal(get_le32(page + 8), 0x11223344);
	assert_int_equal(wakes, 1);
	put_le32(page + 12, 77);
	assert_int_equal(read32(0, MAPPED_AT + 12), 77);
	assert_int_equal(high_offset, 0); /* the kind was not asked */
}

static void test_one_access_across_pieces_is_divided_among_them(void **state)
{
	uint8_t bytes[3 * 4096];

	(void)state;
	memset(registers, 0xaa, sizeof registers);
	memset(page, 0x55, sizeof page);
	assert_int_equal(pci_function_read(&function, 0, MAPPED_AT - 4, MAPPED + 8, bytes), 0);
	assert_int_equal(bytes[3], 0xaa);
	assert_int_equal(bytes[4], 0x55);
	assert_int_equal(bytes[MAPPED + 3], 0x55);
	assert_int_equal(bytes[MAPPED + 4], 0xaa);
	assert_int_equal(low_offset, MAPPED_AT - 4);
	assert_int_equal(high_offset, MAPPED_AT + MAPPED + 4);
}

static void test_configuration_accesses_of_any_size_reach_every_register(void **state)
{
	uint8_t all[CFG_SIZE], some[7];

	(void)state;
	assert_int_equal(pci_function_read(&function, PCI_REGION_CONFIG, 0, CFG_SIZE, all), 0);
	assert_int_equal(get_le16(all), 0x1af4);
	assert_int_equal(get_le16(all + 2), 0x10f2);
	for (unsigned at = 0; at < 64; at++) {
		assert_int_equal(pci_function_read(&function, PCI_REGION_CONFIG, at, 7, some), 0);
		assert_memory_equal(some, all + at, 7);
	}
	/* An odd write: Command and the two bytes before it, in one. */
	memset(some, 0xff, sizeof some);
	assert_int_equal(pci_function_write(&function, PCI_REGION_CONFIG, 3, 3, some), 0);
	assert_int_equal(read32(PCI_REGION_CONFIG, 0), 0x10f21af4);
	assert_true(pci_function_masters(&function));
	assert_int_equal(events[PCIE_BUS_MASTER_ON], 1);
}

static void test_a_bar_can_be_sized_and_placed(void **state)
{
	(void)state;
	write32(PCI_REGION_CONFIG, SPEC_PCI_BAR0, UINT32_MAX);
	assert_int_equal(read32(PCI_REGION_CONFIG, SPEC_PCI_BAR0) & ~0xfu, ~(BAR0 - 1u));
	assert_int_equal(events[PCIE_BARS_MOVED], 1);
}

static void test_a_vector_is_raised_when_enabled_and_unmasked_by_everybody(void **state)
{
	(void)state;
	pci_function_interrupt(&function, 5);
	assert_int_equal(heard_count, 0); /* MSI-X is off */
	msix_control(SPEC_MSIX_ENABLE);
	pci_function_interrupt(&function, 5);
	assert_int_equal(heard_count, 0); /* no bus master */
	master();
	pci_function_interrupt(&function, 5);
	assert_int_equal(heard_count, 1); /* a VMM keeps the table: its masks are messages */
	pci_function_interrupt(&function, VECTORS);
	assert_int_equal(heard_count, 1);
	assert_int_equal(heard[0], 5);
}

static void test_a_masked_vector_is_pending_until_it_is_unmasked_once(void **state)
{
	(void)state;
	master();
	msix_control(SPEC_MSIX_ENABLE);
	unmask(0); /* the guest writes the table itself: the others are masked, as after a reset */
	pci_function_interrupt(&function, 65);
	pci_function_interrupt(&function, 65);
	assert_int_equal(heard_count, 0);
	assert_int_equal(read32(4, PBA_AT + 8), 2);
	unmask(65);
	assert_int_equal(heard_count, 1);
	assert_int_equal(heard[0], 65);
	assert_int_equal(read32(4, PBA_AT + 8), 0);
	unmask(65);
	assert_int_equal(heard_count, 1);
}

static void test_function_mask_and_the_attachment_keep_vectors_back_too(void **state)
{
	(void)state;
	master();
	msix_control(SPEC_MSIX_ENABLE | SPEC_MSIX_FUNCTION_MASK);
	pci_function_interrupt(&function, 3);
	pci_function_mask(&function, 4, PCI_MASKED);
	pci_function_interrupt(&function, 4);
	assert_int_equal(heard_count, 0);
	msix_control(SPEC_MSIX_ENABLE);
	assert_int_equal(heard_count, 1);
	assert_int_equal(heard[0], 3);
	pci_function_mask(&function, 4, PCI_UNMASKED);
	assert_int_equal(heard_count, 2);
	assert_int_equal(heard[1], 4);
	pci_function_mask(&function, VECTORS, PCI_MASKED); /* there is none: nothing */
}

static void test_a_route_turns_messages_on_without_configuration_space(void **state)
{
	(void)state;
	master();
	pci_function_route(&function, PCI_ROUTED);
	pci_function_interrupt(&function, 9);
	assert_int_equal(heard_count, 1);
	pci_function_route(&function, PCI_UNROUTED);
	pci_function_interrupt(&function, 9);
	assert_int_equal(heard_count, 1);
}

static void test_table_entries_keep_what_is_writable_in_any_access_size(void **state)
{
	uint8_t bytes[3 * ENTRY];

	(void)state;
	memset(bytes, 0xff, sizeof bytes);
	assert_int_equal(pci_function_write(&function, 4, TABLE_AT + 5, sizeof bytes, bytes), 0);
	assert_int_equal(read32(4, TABLE_AT), 0);
	assert_int_equal(read32(4, TABLE_AT + 4), 0xffffff00);
	assert_int_equal(read32(4, TABLE_AT + ENTRY), 0xfffffffc);
	assert_int_equal(read32(4, TABLE_AT + ENTRY + CONTROL), 1);
	write32(4, PBA_AT, UINT32_MAX);
	assert_int_equal(read32(4, PBA_AT), 0);
	assert_int_equal(read32(4, TABLE_AT - 4), 0); /* beside the structures: nothing */
}

static void test_a_reset_masks_all_vectors_and_reaches_the_kind_with_its_cause(void **state)
{
	(void)state;
	master();
	msix_control(SPEC_MSIX_ENABLE);
	unmask(1);
	pci_function_interrupt(&function, 2);
	pci_function_reset(&function, PCI_RESET_FUNCTION);
	assert_int_equal(resets, 1);
	assert_int_equal(last_reset, PCI_RESET_FUNCTION);
	assert_int_equal(read32(4, TABLE_AT + ENTRY + CONTROL), 1);
	assert_int_equal(read32(4, PBA_AT), 0);
	assert_false(pci_function_masters(&function));
	pci_function_reset(&function, PCI_RESET_BUS);
	assert_int_equal(last_reset, PCI_RESET_BUS);
	pci_function_route(&function, PCI_ROUTED);
	pci_function_reset(&function, PCI_RESET_LOST);
	assert_int_equal(last_reset, PCI_RESET_LOST);
	assert_false(function.routed);
	/* A driver's own FLR. */
	write16_config(pcie_kind_at(&kind, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL),
		       SPEC_EXPRESS_INITIATE_FLR);
	assert_int_equal(resets, 4);
	assert_int_equal(last_reset, PCI_RESET_FUNCTION);
	assert_int_equal(heard_count, 0);
}

static void test_doorbells_ring_the_kind_and_only_those_there_are(void **state)
{
	(void)state;
	pci_function_ring(&function, 2);
	assert_int_equal(rings, 1);
	assert_int_equal(last_rung, 2);
	pci_function_ring(&function, 3);
	assert_int_equal(rings, 1);
}

static void test_a_state_moves_to_another_function_of_the_kind(void **state)
{
	static uint8_t saved[64 * 1024], again[64 * 1024];
	size_t size;

	(void)state;
	master();
	msix_control(SPEC_MSIX_ENABLE | SPEC_MSIX_FUNCTION_MASK);
	write32(4, TABLE_AT, 0xfee01000);
	unmask(0);
	pci_function_interrupt(&function, 0);
	write32(0, MAPPED_AT + 16, 1234);
	kind_state = 42;
	size = pci_function_save(&function, NULL, 0);
	assert_true(size <= sizeof saved);
	memset(saved, 0xee, sizeof saved);
	assert_int_equal(pci_function_save(&function, saved, size - 1), size);
	assert_int_equal(saved[0], 0xee);
	assert_int_equal(pci_function_save(&function, saved, sizeof saved), size);

	fresh(NULL);
	kind_state = 0;
	assert_int_equal(pci_function_load(&function, saved, size), 0);
	assert_int_equal(kind_state, 42);
	assert_true(pci_function_masters(&function));
	assert_int_equal(get_le32(page + 16), 1234);
	assert_int_equal(pci_function_save(&function, again, sizeof again), size);
	assert_memory_equal(saved, again, size);
	msix_control(SPEC_MSIX_ENABLE); /* what was pending comes now */
	assert_int_equal(heard_count, 1);
}

static void test_a_damaged_or_foreign_state_changes_nothing(void **state)
{
	static uint8_t saved[64 * 1024], before[64 * 1024], after[64 * 1024];
	uint64_t seed = check_seed();
	size_t size;

	(void)state;
	size = pci_function_save(&function, saved, sizeof saved);
	master();
	pci_function_save(&function, before, sizeof before);
	for (size_t n = 0; n < size; n += n < 64 ? 1 : 37)
		assert_int_equal(pci_function_load(&function, saved, n), -EINVAL);
	assert_int_equal(pci_function_load(&function, saved, size + 1), -EINVAL);
	put_le32(saved + size - 4, 0xbad); /* the kind refuses */
	assert_int_equal(pci_function_load(&function, saved, size), -EINVAL);
	put_le32(saved + size - 4, 0);
	saved[32] ^= 1; /* vendor */
	assert_int_equal(pci_function_load(&function, saved, size), -EINVAL);
	saved[32] ^= 1;
	pci_function_save(&function, after, sizeof after);
	assert_memory_equal(before, after, size);
	/* Any bytes behind a good header are a state of some driver's making. */
	for (size_t i = 32 + 64; i < size - 4; i++)
		saved[i] = (uint8_t)rand_u64(&seed);
	assert_int_equal(pci_function_load(&function, saved, size), 0);
	assert_int_equal(read32(PCI_REGION_CONFIG, 0), 0x10f21af4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, fresh)
		T(test_refuses_a_conf_that_contradicts_itself),
		T(test_without_a_pin_nothing_is_sent_or_shown),
		T(test_intx_needs_no_bus_master_and_comes_once_until_it_is_unmasked),
		T(test_what_kept_intx_back_lets_it_go),
		T(test_a_vmm_that_has_gone_leaves_no_mask),
		T(test_intx_is_asked_for_again_where_its_guest_moves),
		T(test_an_access_beyond_a_region_changes_and_reads_nothing),
		T(test_a_mapped_piece_is_the_shared_memory_and_wakes_the_worker),
		T(test_one_access_across_pieces_is_divided_among_them),
		T(test_configuration_accesses_of_any_size_reach_every_register),
		T(test_a_bar_can_be_sized_and_placed),
		T(test_a_vector_is_raised_when_enabled_and_unmasked_by_everybody),
		T(test_a_masked_vector_is_pending_until_it_is_unmasked_once),
		T(test_function_mask_and_the_attachment_keep_vectors_back_too),
		T(test_a_route_turns_messages_on_without_configuration_space),
		T(test_table_entries_keep_what_is_writable_in_any_access_size),
		T(test_a_reset_masks_all_vectors_and_reaches_the_kind_with_its_cause),
		T(test_doorbells_ring_the_kind_and_only_those_there_are),
		T(test_a_state_moves_to_another_function_of_the_kind),
		T(test_a_damaged_or_foreign_state_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
