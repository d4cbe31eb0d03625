#include "prog/midplane_pci_decode.h"

#include "base/bytes.h"
#include "pcie/kinds.h"
#include "tests/check.h"

static uint8_t space[PCI_DECODE_SIZE];
static struct pci_capability caps[PCI_DECODE_CAPS];

static void load(const struct pcie_kind *kind)
{
	static struct cfg cfg;

	cfg_power_on(&cfg, &kind->map);
	for (unsigned w = 0; w < CFG_WORDS; w++)
		put_le32(space + 4 * w, cfg.word[w]);
}

static void test_all_capabilities_of_our_kinds_are_found_and_known(void **state)
{
	static struct pcie_kinds kinds;
	const struct pcie_kind *const all[] = { &kinds.nic_pf, &kinds.nic_vf, &kinds.root_port };

	(void)state;
	pcie_kinds_build(&kinds);
	for (unsigned k = 0; k < array_len(all); k++) {
		unsigned found, there = 0;

		load(all[k]);
		found = pci_decode_capabilities(space, caps);
		for (unsigned cap = 1; cap < PCIE_CAP_COUNT; cap++)
			there += pcie_kind_has(all[k], cap);
		assert_int_equal(found, there);
		for (unsigned i = 0; i < found; i++)
			assert_non_null(caps[i].name);
	}
}

static void test_chains_that_turn_back_or_leave_the_space_end(void **state)
{
	(void)state;
	memset(space, 0, sizeof space);
	space[6] = 0x10;
	space[0x34] = 0x40;
	space[0x40] = 0x01;
	space[0x41] = 0x43; /* low bits mean nothing: itself */
	put_le32(space + 0x100, 0xffc10001); /* the last word of the space */
	put_le32(space + 0xffc, 0x10010003); /* and back */
	assert_int_equal(pci_decode_capabilities(space, caps), 3);
	assert_int_equal(caps[0].at, 0x40);
	assert_int_equal(caps[2].at, 0xffc);
	assert_string_equal(caps[2].text, ""); /* what it would say lies beyond the end */
}

static void test_any_space_is_survived(void **state)
{
	uint64_t seed = check_seed();
	char text[PCI_DECODE_TEXT];

	(void)state;
	for (unsigned run = 0; run < 2000; run++) {
		for (unsigned i = 0; i < sizeof space; i++)
			space[i] = (uint8_t)(rand_u64(&seed) % 4 ? 0 : rand_u64(&seed));
		space[6] |= 0x10;
		assert_true(pci_decode_capabilities(space, caps) <= PCI_DECODE_CAPS);
		pci_decode_command(get_le16(space + 4), text);
		for (unsigned bar = 0; bar < 6; bar++)
			pci_decode_bar(space, bar, text);
	}
}

static void test_bars_say_address_width_and_kind(void **state)
{
	char text[PCI_DECODE_TEXT];

	(void)state;
	memset(space, 0, sizeof space);
	put_le32(space + 0x10, 0xfe00000c);
	put_le32(space + 0x14, 0x00000004); /* an upper half, though it looks like a BAR */
	put_le32(space + 0x18, 0xfd000000);
	put_le32(space + 0x1c, 0x0000e001);
	pci_decode_bar(space, 0, text);
	assert_string_equal(text, "0x4fe000000, 64-bit, prefetchable");
	pci_decode_bar(space, 1, text);
	assert_string_equal(text, "");
	pci_decode_bar(space, 2, text);
	assert_string_equal(text, "0xfd000000, 32-bit");
	pci_decode_bar(space, 3, text);
	assert_string_equal(text, "0xe000, I/O ports");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_capabilities_of_our_kinds_are_found_and_known),
		cmocka_unit_test(test_chains_that_turn_back_or_leave_the_space_end),
		cmocka_unit_test(test_any_space_is_survived),
		cmocka_unit_test(test_bars_say_address_width_and_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
