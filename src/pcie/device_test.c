#include "pcie/device.h"
#include "pcie/aer.h"
#include "pcie/kinds.h"
#include "pcie/sriov.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"
#include "spec/pcie_sriov.h"
#include "tests/check.h"

enum { RID = 0x0100, HEARD_MAX = 64 };

static struct pcie_kinds kinds;
static struct pcie_device device;
static struct cfg functions[1 + PCIE_VFS_MAX];
static struct {
	unsigned function, vf_count;
	enum pcie_event event;
} heard[HEARD_MAX];
static unsigned heard_count;

static void listen(void *owner, struct pcie_device *d, unsigned function, enum pcie_event event)
{
	assert_ptr_equal(owner, heard);
	assert_true(heard_count < HEARD_MAX);
	heard[heard_count].function = function;
	heard[heard_count].vf_count = d->vf_count;
	heard[heard_count++].event = event;
}

static void start(uint16_t vfs)
{
	const struct pcie_device_conf conf = {
		.kind = &kinds.nic_pf, .vf_kind = vfs ? &kinds.nic_vf : NULL, .total_vfs = vfs,
		.serial = UINT64_C(0x0123456789abcdef), .notify = listen, .owner = heard,
	};

	pcie_device_init(&device, &conf, functions);
	device.rid = RID;
	heard_count = 0;
}

static int fresh(void **state)
{
	(void)state;
	start(16);
	return 0;
}

static unsigned at(unsigned n, enum pcie_cap cap, unsigned offset)
{
	return pcie_kind_at(pcie_device_kind(&device, n), cap, offset);
}

static uint32_t get(unsigned n, enum pcie_cap cap, unsigned offset, unsigned size)
{
	return pcie_device_read(&device, n, at(n, cap, offset), size);
}

static void put(unsigned n, enum pcie_cap cap, unsigned offset, unsigned size, uint32_t value)
{
	pcie_device_write(&device, n, at(n, cap, offset), size, value);
}

static void enable_vfs(unsigned n, uint32_t more)
{
	put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_NUM_VFS, 2, n);
	put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, 2,
	    SPEC_SRIOV_VF_ENABLE | SPEC_SRIOV_ARI_HIERARCHY | more);
}

static void check_heard(unsigned i, unsigned function, enum pcie_event event)
{
	assert_true(i < heard_count);
	assert_int_equal(heard[i].function, function);
	assert_int_equal(heard[i].event, event);
}

static void vf_enable_makes_num_vfs_functions_appear_and_says_so_once(void **state)
{
	(void)state;
	assert_false(pcie_device_has(&device, 1));
	assert_int_equal(pcie_device_read(&device, 1, 0, 4), UINT32_MAX);
	enable_vfs(5, 0);
	enable_vfs(5, 0);
	assert_int_equal(heard_count, 1);
	check_heard(0, 0, PCIE_VFS_APPEARED);
	assert_int_equal(heard[0].vf_count, 5);
	assert_true(pcie_device_has(&device, 5));
	assert_false(pcie_device_has(&device, 6));
}

static void clearing_vf_enable_takes_all_vfs_away(void **state)
{
	(void)state;
	enable_vfs(5, 0);
	put(3, PCIE_HEADER, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MASTER);
	put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, 2, 0);
	check_heard(2, 0, PCIE_VFS_VANISH);
	assert_int_equal(heard[2].vf_count, 5);
	assert_false(pcie_device_has(&device, 1));
	enable_vfs(5, 0);
	assert_int_equal(get(3, PCIE_HEADER, SPEC_PCI_COMMAND, 2), 0); /* fresh, not as it was */
}

static void more_vfs_than_there_are_is_refused(void **state)
{
	(void)state;
	enable_vfs(17, 0);
	assert_int_equal(device.refused, 1);
	assert_int_equal(device.vf_count, 0);
	assert_int_equal(heard_count, 0);
	assert_int_equal(get(0, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, 2), SPEC_SRIOV_ARI_HIERARCHY);
	enable_vfs(16, 0);
	assert_int_equal(device.vf_count, 16);
}

static void vf_enable_with_no_vfs_enables_none(void **state)
{
	(void)state;
	enable_vfs(0, 0);
	assert_int_equal(device.vf_count, 0);
	assert_int_equal(heard_count, 0);
}

static void what_vf_enable_locks_changes_again_without_it(void **state)
{
	(void)state;
	enable_vfs(4, 0);
	put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_NUM_VFS, 2, 9);
	put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_SYSTEM_PAGE, 4, 1 << 4);
	put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, 2, SPEC_SRIOV_VF_ENABLE);
	assert_int_equal(get(0, PCIE_CAP_SRIOV, SPEC_SRIOV_NUM_VFS, 2), 4);
	assert_int_equal(get(0, PCIE_CAP_SRIOV, SPEC_SRIOV_SYSTEM_PAGE, 4), 1);
	assert_int_equal(get(0, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, 2),
			 SPEC_SRIOV_VF_ENABLE | SPEC_SRIOV_ARI_HIERARCHY);
	put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, 2, 0);
	put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_NUM_VFS, 2, 9);
	assert_int_equal(get(0, PCIE_CAP_SRIOV, SPEC_SRIOV_NUM_VFS, 2), 9);
}

static void routing_ids_follow_offset_and_stride_over_bus_numbers(void **state)
{
	struct pcie_sriov_view view;

	(void)state;
	start(256);
	enable_vfs(256, 0);
	pcie_sriov_look(&functions[0], &kinds.nic_pf, &view);
	assert_int_equal(view.offset, 1);
	assert_int_equal(pcie_sriov_buses(&view), 2);
	assert_int_equal(pcie_device_rid(&device, 1), RID + 1);
	assert_int_equal(pcie_device_rid(&device, 255), RID + 255);
	assert_int_equal(pcie_device_rid(&device, 256), RID + 256); /* the next bus */
	for (unsigned n = 0; n <= 256; n++)
		assert_int_equal(pcie_device_find(&device, pcie_device_rid(&device, n)), n);
	assert_int_equal(pcie_device_find(&device, RID + 257), -1);
	assert_int_equal(pcie_device_find(&device, RID - 1), -1);
}

static void without_ari_vfs_live_on_the_next_bus(void **state)
{
	struct pcie_sriov_view view;

	(void)state;
	start(256);
	put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_NUM_VFS, 2, 256);
	put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, 2, SPEC_SRIOV_VF_ENABLE);
	pcie_sriov_look(&functions[0], &kinds.nic_pf, &view);
	assert_int_equal(pcie_sriov_buses(&view), 2);
	assert_int_equal(pcie_device_rid(&device, 1), RID + 256);
	assert_int_equal(pcie_device_rid(&device, 256), RID + 511);
	assert_int_equal(pcie_device_find(&device, RID + 1), -1);
}

static void flr_of_a_vf_resets_that_vf_alone(void **state)
{
	(void)state;
	enable_vfs(4, SPEC_SRIOV_VF_MEMORY);
	put(0, PCIE_HEADER, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MASTER);
	for (unsigned n = 1; n <= 4; n++)
		put(n, PCIE_HEADER, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MASTER);
	heard_count = 0;
	put(2, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL, 2, SPEC_EXPRESS_INITIATE_FLR);
	assert_int_equal(heard_count, 1);
	check_heard(0, 2, PCIE_FUNCTION_RESET);
	for (unsigned n = 0; n <= 4; n++)
		assert_int_equal(get(n, PCIE_HEADER, SPEC_PCI_COMMAND, 2),
				 n == 2 ? 0 : SPEC_PCI_COMMAND_MASTER);
	assert_int_equal(device.vf_count, 4);
	assert_int_equal(get(2, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL, 2), 0);
}

static void flr_of_the_pf_takes_all_vfs_and_keeps_sticky_bits(void **state)
{
	(void)state;
	enable_vfs(4, 0);
	put(0, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_MASK, 4, 1 << SPEC_AER_ECRC);
	put(0, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL, 2, 1 << 5);
	heard_count = 0;
	put(0, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL, 2,
	    SPEC_EXPRESS_INITIATE_FLR | 1 << 5);
	assert_int_equal(heard_count, 2);
	check_heard(0, 0, PCIE_VFS_VANISH);
	check_heard(1, 0, PCIE_FUNCTION_RESET);
	assert_int_equal(device.vf_count, 0);
	assert_int_equal(get(0, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, 2), 0);
	assert_int_equal(get(0, PCIE_CAP_SRIOV, SPEC_SRIOV_NUM_VFS, 2), 0);
	assert_int_equal(get(0, PCIE_CAP_SRIOV, SPEC_SRIOV_TOTAL_VFS, 2), 16);
	assert_int_equal(get(0, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_MASK, 4), 1 << SPEC_AER_ECRC);
	assert_int_equal(get(0, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL, 2) >> 5 & 7, 1);
	assert_int_equal(get(0, PCIE_CAP_SERIAL, SPEC_SERIAL_LOW, 4), 0x89abcdef);
}

static void a_hot_reset_loses_what_an_flr_keeps_but_not_sticky_bits(void **state)
{
	(void)state;
	enable_vfs(4, 0);
	put(0, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_MASK, 4, 1 << SPEC_AER_ECRC);
	put(0, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL, 2, 1 << 5);
	pcie_device_hot_reset(&device);
	assert_int_equal(device.vf_count, 0);
	assert_int_equal(get(0, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_MASK, 4), 1 << SPEC_AER_ECRC);
	assert_int_equal(get(0, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL, 2) >> 5 & 7, 0);
}

static void a_vf_shows_no_identity_no_bars_and_only_bus_master(void **state)
{
	(void)state;
	enable_vfs(1, 0);
	assert_int_equal(get(1, PCIE_HEADER, SPEC_PCI_VENDOR_ID, 4), UINT32_MAX);
	put(1, PCIE_HEADER, SPEC_PCI_COMMAND, 2, 0xffff);
	assert_int_equal(get(1, PCIE_HEADER, SPEC_PCI_COMMAND, 2), SPEC_PCI_COMMAND_MASTER);
	for (unsigned bar = 0; bar < PCIE_BARS_MAX; bar++) {
		put(1, PCIE_HEADER, SPEC_PCI_BAR0 + bar * 4, 4, UINT32_MAX);
		assert_int_equal(get(1, PCIE_HEADER, SPEC_PCI_BAR0 + bar * 4, 4), 0);
	}
	assert_int_equal(get(1, PCIE_HEADER, SPEC_PCI_CLASS_CODE + 1, 2), 0x0200);
	put(1, PCIE_CAP_ATS, SPEC_ATS_CONTROL, 2, SPEC_ATS_ENABLE | 7);
	assert_int_equal(get(1, PCIE_CAP_ATS, SPEC_ATS_CONTROL, 2), SPEC_ATS_ENABLE);
	put(1, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_MASK, 4, UINT32_MAX);
	assert_int_equal(get(1, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_MASK, 4), 0);
}

static uint64_t size_by_ones(enum pcie_cap cap, unsigned bar0, unsigned bar)
{
	put(0, cap, bar0 + bar * 4, 4, UINT32_MAX);
	put(0, cap, bar0 + bar * 4 + 4, 4, UINT32_MAX);
	uint64_t mask = (uint64_t)get(0, cap, bar0 + bar * 4 + 4, 4) << 32 |
			(get(0, cap, bar0 + bar * 4, 4) & ~15u);

	return mask ? ~mask + 1 : 0;
}

static void writing_ones_to_a_bar_tells_its_size(void **state)
{
	(void)state;
	for (unsigned bar = 0; bar < PCIE_BARS_MAX; bar += 2) {
		assert_int_equal(size_by_ones(PCIE_HEADER, SPEC_PCI_BAR0, bar),
				 pcie_device_bar_size(&device, 0, bar));
		assert_int_equal(size_by_ones(PCIE_CAP_SRIOV, SPEC_SRIOV_VF_BAR0, bar),
				 pcie_device_bar_size(&device, 1, bar));
	}
	assert_int_equal(pcie_device_bar_size(&device, 0, 4), 0x4000);
	assert_int_equal(pcie_device_bar_size(&device, 0, 0), 0);
}

static void a_vf_bar_is_never_smaller_than_the_system_page(void **state)
{
	static const uint8_t supported[] = { 0, 1, 4, 6, 8, 10 };

	(void)state;
	for (unsigned i = 0; i < array_len(supported); i++) {
		uint64_t page = UINT64_C(4096) << supported[i];

		put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_SYSTEM_PAGE, 4, 1u << supported[i]);
		assert_int_equal(size_by_ones(PCIE_CAP_SRIOV, SPEC_SRIOV_VF_BAR0, 4),
				 max_u64(page, 0x4000));
		assert_int_equal(pcie_device_bar_size(&device, 1, 4), max_u64(page, 0x4000));
	}
}

static void a_page_size_that_is_not_offered_is_refused(void **state)
{
	(void)state;
	put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_SYSTEM_PAGE, 4, 1 << 2);
	assert_int_equal(get(0, PCIE_CAP_SRIOV, SPEC_SRIOV_SYSTEM_PAGE, 4), 1);
	put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_SYSTEM_PAGE, 4, 3);
	assert_int_equal(get(0, PCIE_CAP_SRIOV, SPEC_SRIOV_SYSTEM_PAGE, 4), 1);
	put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_SYSTEM_PAGE, 4, 0);
	assert_int_equal(get(0, PCIE_CAP_SRIOV, SPEC_SRIOV_SYSTEM_PAGE, 4), 1);
	assert_int_equal(device.refused, 3);
}

static void a_vf_decodes_its_part_of_the_vf_bar(void **state)
{
	uint64_t address;

	(void)state;
	put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_VF_BAR0 + 16, 4, 0x00100000);
	put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_VF_BAR0 + 20, 4, 0x12);
	enable_vfs(4, 0);
	assert_false(pcie_device_bar(&device, 3, 4, &address));
	enable_vfs(4, SPEC_SRIOV_VF_MEMORY);
	assert_true(pcie_device_bar(&device, 3, 4, &address));
	assert_int_equal(address, UINT64_C(0x1200100000) + 2 * 0x4000);
	assert_false(pcie_device_bar(&device, 3, 0, &address));
	assert_false(pcie_device_bar(&device, 5, 4, &address));
	assert_false(pcie_device_bar(&device, 0, 4, &address)); /* Memory Space Enable is off */
}

static void only_a_bus_master_in_d0_whose_pf_is_in_d0_may_issue_dma(void **state)
{
	(void)state;
	enable_vfs(2, 0);
	assert_false(pcie_device_masters(&device, 1));
	put(1, PCIE_HEADER, SPEC_PCI_COMMAND, 2, SPEC_PCI_COMMAND_MASTER);
	assert_true(pcie_device_masters(&device, 1));
	put(1, PCIE_CAP_PM, SPEC_PM_CONTROL, 2, SPEC_PM_D3HOT);
	assert_false(pcie_device_masters(&device, 1));
	put(1, PCIE_CAP_PM, SPEC_PM_CONTROL, 2, SPEC_PM_D0);
	assert_true(pcie_device_masters(&device, 1)); /* No_Soft_Reset: state is kept */
	put(0, PCIE_CAP_PM, SPEC_PM_CONTROL, 2, SPEC_PM_D3HOT);
	assert_false(pcie_device_masters(&device, 1));
	assert_false(pcie_device_masters(&device, 3));
	check_heard(1, 1, PCIE_BUS_MASTER_ON);
	check_heard(2, 1, PCIE_SLEPT);
	check_heard(3, 1, PCIE_WOKE);
	check_heard(4, 0, PCIE_SLEPT);
}

static void a_power_state_that_is_not_offered_is_discarded(void **state)
{
	(void)state;
	put(0, PCIE_CAP_PM, SPEC_PM_CONTROL, 2, SPEC_PM_D3HOT);
	put(0, PCIE_CAP_PM, SPEC_PM_CONTROL, 2, 1);
	assert_int_equal(get(0, PCIE_CAP_PM, SPEC_PM_CONTROL, 2) & 3, SPEC_PM_D3HOT);
	put(0, PCIE_CAP_PM, SPEC_PM_CONTROL, 2, 2);
	assert_int_equal(get(0, PCIE_CAP_PM, SPEC_PM_CONTROL, 2) & 3, SPEC_PM_D3HOT);
	assert_int_equal(device.refused, 2);
	assert_int_equal(heard_count, 1);
}

static void msix_and_ats_changes_are_told_by_function(void **state)
{
	(void)state;
	enable_vfs(2, SPEC_SRIOV_VF_MEMORY);
	check_heard(0, 0, PCIE_VFS_APPEARED);
	check_heard(1, 0, PCIE_MEMORY_ON);
	put(2, PCIE_CAP_MSIX, SPEC_MSIX_CONTROL, 2, SPEC_MSIX_ENABLE);
	check_heard(2, 2, PCIE_MSIX_CHANGED);
	put(1, PCIE_CAP_ATS, SPEC_ATS_CONTROL, 2, SPEC_ATS_ENABLE);
	check_heard(3, 1, PCIE_ATS_CHANGED);
	put(1, PCIE_CAP_ATS, SPEC_ATS_CONTROL, 2, SPEC_ATS_ENABLE);
	assert_int_equal(heard_count, 4);
}

static void the_first_unmasked_error_is_logged_until_it_is_cleared(void **state)
{
	static const uint32_t first[4] = { 1, 2, 3, 4 }, second[4] = { 5, 6, 7, 8 };

	(void)state;
	put(0, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL, 2, 0x7);
	assert_int_equal(pcie_aer_raise(&device, 0, SPEC_AER_POISONED_TLP, first),
			 PCIE_MESSAGE_NON_FATAL);
	assert_int_equal(pcie_aer_raise(&device, 0, SPEC_AER_MALFORMED_TLP, second),
			 PCIE_MESSAGE_FATAL);
	assert_int_equal(get(0, PCIE_CAP_AER, SPEC_AER_CONTROL, 4), SPEC_AER_POISONED_TLP);
	assert_int_equal(get(0, PCIE_CAP_AER, SPEC_AER_HEADER_LOG + 12, 4), 4);
	put(0, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_STATUS, 4, 1 << SPEC_AER_POISONED_TLP);
	assert_int_equal(get(0, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_STATUS, 4),
			 1 << SPEC_AER_MALFORMED_TLP);
	pcie_aer_raise(&device, 0, SPEC_AER_POISONED_TLP, second);
	assert_int_equal(get(0, PCIE_CAP_AER, SPEC_AER_HEADER_LOG, 4), 5);
	assert_int_equal(get(0, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_STATUS, 2), 0x6);
}

static void a_masked_error_is_noted_but_neither_logged_nor_told(void **state)
{
	(void)state;
	enable_vfs(2, 0);
	put(0, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL, 2, 0x7);
	put(0, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_MASK, 4, 1 << SPEC_AER_UNSUPPORTED_REQUEST);
	assert_int_equal(pcie_aer_raise(&device, 2, SPEC_AER_UNSUPPORTED_REQUEST, NULL),
			 PCIE_MESSAGE_NONE); /* by the mask of its PF */
	assert_int_equal(get(2, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_STATUS, 4),
			 1 << SPEC_AER_UNSUPPORTED_REQUEST);
	assert_int_equal(get(2, PCIE_CAP_AER, SPEC_AER_CONTROL, 4), 0);
	assert_int_equal(get(1, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_STATUS, 4), 0);
}

static void error_status_survives_an_flr(void **state)
{
	(void)state;
	pcie_aer_raise(&device, 0, SPEC_AER_COMPLETER_ABORT, NULL);
	put(0, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_CONTROL, 2, SPEC_EXPRESS_INITIATE_FLR);
	assert_int_equal(get(0, PCIE_CAP_AER, SPEC_AER_UNCORRECTABLE_STATUS, 4),
			 1 << SPEC_AER_COMPLETER_ABORT);
	assert_int_equal(get(0, PCIE_CAP_EXPRESS, SPEC_EXPRESS_DEVICE_STATUS, 2), 0);
}

/* Writes anything anywhere, and checks what must hold whatever a guest's driver does. */
static void no_sequence_of_writes_breaks_the_device(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	device.notify = NULL;
	for (int step = 0; step < 300000; step++) {
		unsigned n = (unsigned)(rand_u64(&seed) % 18), size = 1u << rand_u64(&seed) % 3;
		unsigned where = (unsigned)(rand_u64(&seed) % 0x200 / size * size);
		uint32_t value = (uint32_t)(rand_u64(&seed) & rand_u64(&seed));

		if (step % 3 == 0)
			put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_NUM_VFS, 2, value % 20);
		if (step % 5 == 0)
			put(0, PCIE_CAP_SRIOV, SPEC_SRIOV_CONTROL, 2, value);
		pcie_device_write(&device, n, where, size, value);

		struct pcie_sriov_view view;

		pcie_sriov_look(&functions[0], &kinds.nic_pf, &view);
		assert_int_equal(device.vf_count, view.enabled ? view.num : 0);
		assert_true(device.vf_count <= 16);
		assert_int_equal(functions[0].locked, view.enabled);
		assert_true(is_power_of_two(view.page_bytes));
		assert_int_equal(view.offset, view.ari ? 1 : 256);
		assert_int_equal(functions[0].word[0], kinds.nic_pf.map.rules[0].reset);
	}
}

static int build(void **state)
{
	(void)state;
	pcie_kinds_build(&kinds);
	return 0;
}

#define test(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(vf_enable_makes_num_vfs_functions_appear_and_says_so_once),
		test(clearing_vf_enable_takes_all_vfs_away),
		test(more_vfs_than_there_are_is_refused),
		test(vf_enable_with_no_vfs_enables_none),
		test(what_vf_enable_locks_changes_again_without_it),
		test(routing_ids_follow_offset_and_stride_over_bus_numbers),
		test(without_ari_vfs_live_on_the_next_bus),
		test(flr_of_a_vf_resets_that_vf_alone),
		test(flr_of_the_pf_takes_all_vfs_and_keeps_sticky_bits),
		test(a_hot_reset_loses_what_an_flr_keeps_but_not_sticky_bits),
		test(a_vf_shows_no_identity_no_bars_and_only_bus_master),
		test(writing_ones_to_a_bar_tells_its_size),
		test(a_vf_bar_is_never_smaller_than_the_system_page),
		test(a_page_size_that_is_not_offered_is_refused),
		test(a_vf_decodes_its_part_of_the_vf_bar),
		test(only_a_bus_master_in_d0_whose_pf_is_in_d0_may_issue_dma),
		test(a_power_state_that_is_not_offered_is_discarded),
		test(msix_and_ats_changes_are_told_by_function),
		test(the_first_unmasked_error_is_logged_until_it_is_cleared),
		test(a_masked_error_is_noted_but_neither_logged_nor_told),
		test(error_status_survives_an_flr),
		test(no_sequence_of_writes_breaks_the_device),
	};

	return cmocka_run_group_tests(tests, build, NULL);
}
