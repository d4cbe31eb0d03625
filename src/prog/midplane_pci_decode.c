#include "prog/midplane_pci_decode.h"

#include "base/bytes.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"
#include "spec/pcie_sriov.h"

#include <inttypes.h>
#include <stdio.h>

enum { EXT_FIRST = 0x100, CAP_FIRST = 0x40 };

static void describe_pm(const uint8_t *cap, char *text)
{
	static const char *const states[] = { "D0", "D1", "D2", "D3hot" };

	snprintf(text, PCI_DECODE_TEXT, "version %u, %s", get_le16(cap + SPEC_PM_CAPABILITIES) & 7u,
		 states[get_le16(cap + SPEC_PM_CONTROL) & SPEC_PM_POWER_STATE]);
}

static void describe_msi(const uint8_t *cap, char *text)
{
	uint16_t control = get_le16(cap + SPEC_MSI_CONTROL);

	snprintf(text, PCI_DECODE_TEXT, "%u vectors, %s", 1u << (control >> 1 & 7), control & 1 ? "on" : "off");
}

static void describe_msix(const uint8_t *cap, char *text)
{
	uint16_t control = get_le16(cap + SPEC_MSIX_CONTROL);
	uint32_t table = get_le32(cap + SPEC_MSIX_TABLE), pba = get_le32(cap + SPEC_MSIX_PBA);

	snprintf(text, PCI_DECODE_TEXT,
		 "%u vectors, %s%s, table in BAR %u at 0x%x, pending bits in BAR %u at 0x%x",
		 (control & 0x7ffu) + 1, control & SPEC_MSIX_ENABLE ? "on" : "off",
		 control & SPEC_MSIX_FUNCTION_MASK ? " and masked" : "", table & 7, table & ~7u, pba & 7,
		 pba & ~7u);
}

static void describe_express(const uint8_t *cap, char *text)
{
	static const char *const types[] = { "endpoint", "legacy endpoint", "", "", "root port",
					     "upstream port", "downstream port", "bridge to PCI",
					     "bridge from PCI", "integrated endpoint", "event collector" };
	unsigned type = get_le16(cap + SPEC_EXPRESS_CAPABILITIES) >> 4 & 0xf;
	bool flr = get_le32(cap + SPEC_EXPRESS_DEVICE_CAPABILITIES) >> 28 & 1;
	uint32_t link = get_le32(cap + SPEC_EXPRESS_LINK_CAPABILITIES);

	snprintf(text, PCI_DECODE_TEXT, "version %u, %s%s, x%u, link speed code %u",
		 get_le16(cap + SPEC_EXPRESS_CAPABILITIES) & 0xfu,
		 type < array_len(types) && *types[type] ? types[type] : "unknown type",
		 flr ? ", function-level reset" : "", link >> 4 & 0x3f, link & 0xf);
}

static void describe_vendor(const uint8_t *cap, char *text)
{
	snprintf(text, PCI_DECODE_TEXT, "%u bytes", cap[2]);
}

static void describe_serial(const uint8_t *cap, char *text)
{
	snprintf(text, PCI_DECODE_TEXT, "%08" PRIx32 "%08" PRIx32, get_le32(cap + SPEC_SERIAL_HIGH),
		 get_le32(cap + SPEC_SERIAL_LOW));
}

static void describe_aer(const uint8_t *cap, char *text)
{
	snprintf(text, PCI_DECODE_TEXT, "uncorrectable 0x%" PRIx32 ", correctable 0x%" PRIx32,
		 get_le32(cap + 0x04), get_le32(cap + 0x10)); /* 7.8.4.2, 7.8.4.5 */
}

static void describe_sriov(const uint8_t *cap, char *text)
{
	snprintf(text, PCI_DECODE_TEXT, "%u VFs of %u, %s", get_le16(cap + SPEC_SRIOV_NUM_VFS),
		 get_le16(cap + SPEC_SRIOV_TOTAL_VFS),
		 get_le16(cap + SPEC_SRIOV_CONTROL) & SPEC_SRIOV_VF_ENABLE ? "enabled" : "not enabled");
}

static void describe_ats(const uint8_t *cap, char *text)
{
	snprintf(text, PCI_DECODE_TEXT, "%s",
		 get_le16(cap + SPEC_ATS_CONTROL) & 0x8000 ? "enabled" : "not enabled");
}

static const struct decoder {
	bool extended;
	uint16_t id, size; /* bytes that describe() looks at */
	const char *name;
	void (*describe)(const uint8_t *cap, char *text); /* NULL: the name says it */
} decoders[] = {
	{ false, SPEC_PCI_CAP_POWER_MANAGEMENT, SPEC_PM_SIZE, "Power Management", describe_pm },
	{ false, 0x03, 0, "Vital Product Data", NULL },
	{ false, SPEC_PCI_CAP_MSI, 4, "MSI", describe_msi },
	{ false, SPEC_PCI_CAP_VENDOR_SPECIFIC, 3, "Vendor Specific", describe_vendor },
	{ false, SPEC_PCI_CAP_EXPRESS, SPEC_EXPRESS_LINK_CONTROL, "PCI Express", describe_express },
	{ false, SPEC_PCI_CAP_MSIX, SPEC_MSIX_SIZE, "MSI-X", describe_msix },
	{ false, 0x13, 0, "Advanced Features", NULL },
	{ true, SPEC_EXT_CAP_AER, 0x14, "Advanced Error Reporting", describe_aer },
	{ true, SPEC_EXT_CAP_SERIAL, SPEC_SERIAL_SIZE, "Device Serial Number", describe_serial },
	{ true, 0x0b, 0, "Vendor Specific", NULL },
	{ true, SPEC_EXT_CAP_ACS, 0, "Access Control Services", NULL },
	{ true, SPEC_EXT_CAP_ARI, 0, "Alternative Routing-ID Interpretation", NULL },
	{ true, SPEC_EXT_CAP_ATS, SPEC_ATS_SIZE, "Address Translation Services", describe_ats },
	{ true, SPEC_EXT_CAP_SRIOV, SPEC_SRIOV_SIZE, "Single Root I/O Virtualization", describe_sriov },
	{ true, 0x13, 0, "Page Request Interface", NULL },
	{ true, 0x15, 0, "Resizable BAR", NULL },
	{ true, 0x1b, 0, "Process Address Space ID", NULL },
};

static void describe(const uint8_t *space, struct pci_capability *cap)
{
	bool extended = cap->at >= EXT_FIRST;

	for (unsigned i = 0; i < array_len(decoders); i++) {
		const struct decoder *d = &decoders[i];

		if (d->extended != extended || d->id != cap->id)
			continue;
		cap->name = d->name;
		if (d->describe && cap->at + d->size <= PCI_DECODE_SIZE)
			d->describe(space + cap->at, cap->text);
		return;
	}
}

/* A chain below 0x100: ID and next pointer, 8 bits each. */
static unsigned follow_low(const uint8_t *space, struct pci_capability *caps)
{
	bool seen[EXT_FIRST] = { false };
	unsigned at = space[SPEC_PCI_CAP_POINTER] & ~3u, count = 0;

	if (!(get_le16(space + SPEC_PCI_STATUS) & 1 << 4)) /* Capabilities List */
		return 0;
	while (at >= CAP_FIRST && !seen[at]) {
		seen[at] = true;
		caps[count] = (struct pci_capability){ .at = (uint16_t)at, .id = space[at] };
		describe(space, &caps[count++]);
		at = space[at + 1] & ~3u;
	}
	return count;
}

/* From 0x100 on: ID 16 bits, version 4, next 12. */
static unsigned follow_extended(const uint8_t *space, struct pci_capability *caps)
{
	bool seen[PCI_DECODE_SIZE / 4] = { false };
	unsigned at = EXT_FIRST, count = 0;

	while (at >= EXT_FIRST && !seen[at / 4]) {
		uint32_t head = get_le32(space + at);

		if (head == 0 || head == UINT32_MAX)
			break;
		seen[at / 4] = true;
		caps[count] = (struct pci_capability){ .at = (uint16_t)at, .id = head & 0xffff,
						       .version = head >> 16 & 0xf };
		describe(space, &caps[count++]);
		at = head >> 20 & 0xffc;
	}
	return count;
}

unsigned pci_decode_capabilities(const uint8_t space[PCI_DECODE_SIZE], struct pci_capability *caps)
{
	unsigned count = follow_low(space, caps);

	return count + follow_extended(space, caps + count);
}

void pci_decode_command(uint16_t command, char text[PCI_DECODE_TEXT])
{
	static const struct {
		uint16_t bit;
		const char *word;
	} bits[] = {
		{ 1 << 0, "I/O" }, { SPEC_PCI_COMMAND_MEMORY, "memory" },
		{ SPEC_PCI_COMMAND_MASTER, "bus master" }, { 1 << 6, "parity errors" },
		{ 1 << 8, "system errors" }, { 1 << 10, "no INTx" },
	};
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < array_len(bits); i++)
		if (command & bits[i].bit)
			used += (size_t)snprintf(text + used, PCI_DECODE_TEXT - used, "%s%s",
						 used ? ", " : "", bits[i].word);
	if (!used)
		snprintf(text, PCI_DECODE_TEXT, "nothing");
}

static bool is_memory_64(uint32_t low)
{
	return !(low & 1) && (low >> 1 & 3) == 2;
}

/* Whether 'bar' is the upper half of the one before; a BAR cannot be both halves. */
static bool is_upper_half(const uint8_t *space, unsigned bar)
{
	bool upper = false;

	for (unsigned i = 1; i <= bar; i++)
		upper = !upper && is_memory_64(get_le32(space + SPEC_PCI_BAR0 + 4 * (i - 1)));
	return upper;
}

void pci_decode_bar(const uint8_t space[PCI_DECODE_SIZE], unsigned bar, char text[PCI_DECODE_TEXT])
{
	uint32_t low = get_le32(space + SPEC_PCI_BAR0 + 4 * bar), high = 0;

	must(bar < SPEC_PCI_BARS);
	text[0] = '\0';
	if (low == 0 || is_upper_half(space, bar))
		return;
	if (low & 1) {
		snprintf(text, PCI_DECODE_TEXT, "0x%" PRIx32 ", I/O ports", low & ~3u);
		return;
	}
	if (is_memory_64(low) && bar + 1 < SPEC_PCI_BARS)
		high = get_le32(space + SPEC_PCI_BAR0 + 4 * (bar + 1));
	snprintf(text, PCI_DECODE_TEXT, "0x%" PRIx64 ", %s%s", (uint64_t)high << 32 | (low & ~0xfu),
		 is_memory_64(low) ? "64-bit" : "32-bit",
		 low & SPEC_PCI_BAR_PREFETCHABLE ? ", prefetchable" : "");
}
