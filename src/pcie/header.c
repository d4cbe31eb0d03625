#include "pcie/header.h"
#include "spec/pcie.h"

enum { BAR_LOW_FLAGS = SPEC_PCI_BAR_64_BIT | SPEC_PCI_BAR_PREFETCHABLE };

/* Number of the lowest address bit that a BAR of 'size' bytes decodes. */
static uint8_t log2_u64(uint64_t size)
{
	uint8_t n = 0;

	while (size >>= 1)
		n++;
	return n;
}

void pcie_header_lay_bars(struct cfg_map *map, unsigned base, unsigned offset,
			  const struct pcie_bars *bars)
{
	for (unsigned i = 0; i < array_len(bars->size); i++) {
		uint64_t size = bars->size[i];
		uint16_t low = (uint16_t)(offset + i * 8), high = (uint16_t)(low + 4);
		uint8_t bit = log2_u64(size);

		if (!size)
			continue;
		must(is_power_of_two(size));
		must(size >= PCIE_BAR_SIZE_MIN);
		must(bit < 32); /* beyond 2 GiB the upper word would be split */

		const struct cfg_field fields[] = {
			{ low, 3, 0, CFG_RO, BAR_LOW_FLAGS, "Memory, 64-bit, prefetchable" },
			{ low, 31, bit, CFG_RW, 0, "Base Address" },
			{ high, 31, 0, CFG_RW, 0, "Base Address, upper half" },
		};

		cfg_lay(map, base, fields, array_len(fields));
	}
}

/* What both headers have, but for identity and Command: 7.5.1.1. */
static void lay_common(struct pcie_kind *kind, const struct pcie_identity *id, uint32_t type)
{
	const struct cfg_field fields[] = {
		/* register               hi  lo  driver     after reset       field */
		{ SPEC_PCI_STATUS,         4,  4, CFG_RO,    1, "Capabilities List" },
		{ SPEC_PCI_STATUS,         8,  8, CFG_RW1C,  0, "Master Data Parity Error" },
		{ SPEC_PCI_STATUS,        11, 11, CFG_RW1C,  0, "Signaled Target Abort" },
		{ SPEC_PCI_STATUS,        12, 12, CFG_RW1C,  0, "Received Target Abort" },
		{ SPEC_PCI_STATUS,        13, 13, CFG_RW1C,  0, "Received Master Abort" },
		{ SPEC_PCI_STATUS,        14, 14, CFG_RW1C,  0, "Signaled System Error" },
		{ SPEC_PCI_STATUS,        15, 15, CFG_RW1C,  0, "Detected Parity Error" },
		{ SPEC_PCI_REVISION_ID,    7,  0, CFG_RO,    id->revision, "Revision ID" },
		{ SPEC_PCI_CLASS_CODE,    23,  0, CFG_RO,    id->class_code, "Class Code" },
		{ SPEC_PCI_HEADER_TYPE,    6,  0, CFG_RO,    type, "Header Layout" },
		{ SPEC_PCI_HEADER_TYPE,    7,  7, CFG_HWINIT, 0, "Multi-Function Device" },
	};

	cfg_lay(&kind->map, 0, fields, array_len(fields));
}

static void lay_ids(struct pcie_kind *kind, uint16_t vendor, uint16_t device)
{
	const struct cfg_field fields[] = {
		{ SPEC_PCI_VENDOR_ID,     15,  0, CFG_RO,    vendor, "Vendor ID" },
		{ SPEC_PCI_DEVICE_ID,     15,  0, CFG_RO,    device, "Device ID" },
		{ SPEC_PCI_COMMAND,        2,  2, CFG_RW,    0, "Bus Master Enable" },
	};

	cfg_lay(&kind->map, 0, fields, array_len(fields));
}

/* All that functions other than VFs have on top. */
static void lay_full(struct pcie_kind *kind)
{
	static const struct cfg_field fields[] = {
		{ SPEC_PCI_COMMAND,        1,  1, CFG_RW,    0, "Memory Space Enable" },
		{ SPEC_PCI_COMMAND,        6,  6, CFG_RW,    0, "Parity Error Response" },
		{ SPEC_PCI_COMMAND,        8,  8, CFG_RW,    0, "SERR# Enable" },
		{ SPEC_PCI_COMMAND,       10, 10, CFG_RW,    0, "Interrupt Disable" },
		{ SPEC_PCI_CACHE_LINE_SIZE, 7, 0, CFG_RW,    0, "Cache Line Size" },
		{ SPEC_PCI_INTERRUPT_LINE, 7,  0, CFG_RW,    0, "Interrupt Line" },
	};

	cfg_lay(&kind->map, 0, fields, array_len(fields));
}

static void lay_pin(struct pcie_kind *kind, uint8_t pin)
{
	const struct cfg_field fields[] = {
		{ SPEC_PCI_STATUS,         3,  3, CFG_RO,    0, "Interrupt Status" },
		{ SPEC_PCI_INTERRUPT_PIN,  7,  0, CFG_RO,    pin, "Interrupt Pin" },
	};

	must(pin <= 4);
	if (pin)
		cfg_lay(&kind->map, 0, fields, array_len(fields));
}

void pcie_header_lay_type0(struct pcie_kind *kind, const struct pcie_identity *id,
			   const struct pcie_bars *bars)
{
	const struct cfg_field subsystem[] = {
		{ SPEC_PCI_SUBSYSTEM_VENDOR_ID, 15, 0, CFG_HWINIT, id->subsystem_vendor,
		  "Subsystem Vendor ID" },
		{ SPEC_PCI_SUBSYSTEM_ID, 15, 0, CFG_HWINIT, id->subsystem, "Subsystem ID" },
	};

	must(kind->role != PCIE_ROLE_ROOT_PORT);
	lay_common(kind, id, 0);
	cfg_lay(&kind->map, 0, subsystem, array_len(subsystem));
	if (kind->role == PCIE_ROLE_VF) {
		lay_ids(kind, 0xffff, 0xffff);
		return;
	}
	lay_ids(kind, id->vendor, id->device);
	lay_full(kind);
	lay_pin(kind, id->interrupt_pin);
	pcie_header_lay_bars(&kind->map, 0, SPEC_PCI_BAR0, bars);
}

void pcie_header_lay_type1(struct pcie_kind *kind, const struct pcie_identity *id)
{
	static const struct cfg_field fields[] = {
		{ SPEC_PCI_PRIMARY_BUS,        7,  0, CFG_RW,   0, "Primary Bus Number" },
		{ SPEC_PCI_SECONDARY_BUS,      7,  0, CFG_RW,   0, "Secondary Bus Number" },
		{ SPEC_PCI_SUBORDINATE_BUS,    7,  0, CFG_RW,   0, "Subordinate Bus Number" },
		{ SPEC_PCI_IO_BASE,            7,  4, CFG_RW,   0, "I/O Base" },
		{ SPEC_PCI_IO_LIMIT,           7,  4, CFG_RW,   0, "I/O Limit" },
		{ SPEC_PCI_SECONDARY_STATUS,  13, 13, CFG_RW1C, 0, "Received Master Abort" },
		{ SPEC_PCI_SECONDARY_STATUS,  14, 14, CFG_RW1C, 0, "Received System Error" },
		{ SPEC_PCI_MEMORY_BASE,       15,  4, CFG_RW,   0, "Memory Base" },
		{ SPEC_PCI_MEMORY_LIMIT,      15,  4, CFG_RW,   0, "Memory Limit" },
		{ SPEC_PCI_PREFETCH_BASE,      3,  0, CFG_RO,   1, "64-bit" },
		{ SPEC_PCI_PREFETCH_BASE,     15,  4, CFG_RW,   0, "Prefetchable Memory Base" },
		{ SPEC_PCI_PREFETCH_LIMIT,     3,  0, CFG_RO,   1, "64-bit" },
		{ SPEC_PCI_PREFETCH_LIMIT,    15,  4, CFG_RW,   0, "Prefetchable Memory Limit" },
		{ SPEC_PCI_PREFETCH_BASE_UPPER,  31, 0, CFG_RW, 0, "Base Upper 32 Bits" },
		{ SPEC_PCI_PREFETCH_LIMIT_UPPER, 31, 0, CFG_RW, 0, "Limit Upper 32 Bits" },
		{ SPEC_PCI_BRIDGE_CONTROL,     0,  0, CFG_RW,   0, "Parity Error Response" },
		{ SPEC_PCI_BRIDGE_CONTROL,     1,  1, CFG_RW,   0, "SERR# Enable" },
		{ SPEC_PCI_BRIDGE_CONTROL,     6,  6, CFG_RW,   0, "Secondary Bus Reset" },
	};

	must(kind->role == PCIE_ROLE_ROOT_PORT);
	lay_common(kind, id, 1);
	lay_ids(kind, id->vendor, id->device);
	lay_full(kind);
	cfg_lay(&kind->map, 0, fields, array_len(fields));
}
