/* spec/pcie.h -- PCI Express configuration space below 0x100: headers and capabilities.
 *
 * PCI Express Base Specification 5.0, chapter 7; section numbers below are its own.  Only what the
 * standard says: names, offsets, codes.  No policy of ours.  Offsets of a capability's registers
 * count from the start of that capability. */
#ifndef SPEC_PCIE_H
#define SPEC_PCIE_H

/* Common to both headers, 7.5.1.1. */
enum {
	SPEC_PCI_VENDOR_ID = 0x00,       /* 16 bits */
	SPEC_PCI_DEVICE_ID = 0x02,       /* 16 bits */
	SPEC_PCI_COMMAND = 0x04,         /* 16 bits */
	SPEC_PCI_STATUS = 0x06,          /* 16 bits */
	SPEC_PCI_REVISION_ID = 0x08,     /* 8 bits */
	SPEC_PCI_CLASS_CODE = 0x09,      /* 24 bits: interface, sub-class, base class */
	SPEC_PCI_CACHE_LINE_SIZE = 0x0c, /* 8 bits */
	SPEC_PCI_HEADER_TYPE = 0x0e,     /* 8 bits; bit 7: multi-function device */
	SPEC_PCI_BAR0 = 0x10,            /* 32 bits each; six in type 0, two in type 1 */
	SPEC_PCI_CAP_POINTER = 0x34,     /* 8 bits */
	SPEC_PCI_INTERRUPT_LINE = 0x3c,  /* 8 bits */
	SPEC_PCI_INTERRUPT_PIN = 0x3d,   /* 8 bits */
	SPEC_PCI_HEADER_SIZE = 0x40,
};

/* Command register, 7.5.1.1.3. */
enum {
	SPEC_PCI_COMMAND_MEMORY = 1 << 1,
	SPEC_PCI_COMMAND_MASTER = 1 << 2,
	SPEC_PCI_COMMAND_NO_INTX = 1 << 10, /* Interrupt Disable */
};

/* Status register, 7.5.1.1.4. */
enum { SPEC_PCI_STATUS_INTERRUPT = 1 << 3 };

/* Type 0 header, 7.5.1.2. */
enum {
	SPEC_PCI_BARS = 6,
	SPEC_PCI_SUBSYSTEM_VENDOR_ID = 0x2c, /* 16 bits */
	SPEC_PCI_SUBSYSTEM_ID = 0x2e,        /* 16 bits */
};

/* Memory BAR, bits 3:0, 7.5.1.2.1. */
enum {
	SPEC_PCI_BAR_64_BIT = 0x4,
	SPEC_PCI_BAR_PREFETCHABLE = 0x8,
	SPEC_PCI_BAR_FLAGS = 0xf,
};

/* Type 1 header, 7.5.1.3. */
enum {
	SPEC_PCI_PRIMARY_BUS = 0x18,          /* 8 bits */
	SPEC_PCI_SECONDARY_BUS = 0x19,        /* 8 bits */
	SPEC_PCI_SUBORDINATE_BUS = 0x1a,      /* 8 bits */
	SPEC_PCI_IO_BASE = 0x1c,              /* 8 bits */
	SPEC_PCI_IO_LIMIT = 0x1d,             /* 8 bits */
	SPEC_PCI_SECONDARY_STATUS = 0x1e,     /* 16 bits */
	SPEC_PCI_MEMORY_BASE = 0x20,          /* 16 bits: address bits 31:20 in 15:4 */
	SPEC_PCI_MEMORY_LIMIT = 0x22,         /* 16 bits */
	SPEC_PCI_PREFETCH_BASE = 0x24,        /* 16 bits; bits 3:0 are 1: 64-bit */
	SPEC_PCI_PREFETCH_LIMIT = 0x26,       /* 16 bits */
	SPEC_PCI_PREFETCH_BASE_UPPER = 0x28,  /* 32 bits */
	SPEC_PCI_PREFETCH_LIMIT_UPPER = 0x2c, /* 32 bits */
	SPEC_PCI_BRIDGE_CONTROL = 0x3e,       /* 16 bits */
};

/* Capability IDs, PCI Code and ID Assignment Specification, section 2. */
enum {
	SPEC_PCI_CAP_POWER_MANAGEMENT = 0x01,
	SPEC_PCI_CAP_MSI = 0x05,
	SPEC_PCI_CAP_VENDOR_SPECIFIC = 0x09,
	SPEC_PCI_CAP_EXPRESS = 0x10,
	SPEC_PCI_CAP_MSIX = 0x11,
};

/* Power Management capability, 7.5.2. */
enum {
	SPEC_PM_CAPABILITIES = 0x02, /* 16 bits, 7.5.2.1 */
	SPEC_PM_CONTROL = 0x04,      /* 16 bits, 7.5.2.2 */
	SPEC_PM_SIZE = 0x08,
	SPEC_PM_POWER_STATE = 0x3,   /* of the control register */
	SPEC_PM_D0 = 0,
	SPEC_PM_D3HOT = 3,
};

/* MSI capability, 64-bit addresses, no mask bits, 7.7.1. */
enum {
	SPEC_MSI_CONTROL = 0x02,       /* 16 bits */
	SPEC_MSI_ADDRESS = 0x04,       /* 32 bits */
	SPEC_MSI_ADDRESS_UPPER = 0x08, /* 32 bits */
	SPEC_MSI_DATA = 0x0c,          /* 16 bits */
	SPEC_MSI_SIZE = 0x10,
};

/* MSI-X capability, 7.7.2. */
enum {
	SPEC_MSIX_CONTROL = 0x02, /* 16 bits, 7.7.2.2 */
	SPEC_MSIX_TABLE = 0x04,   /* 32 bits: BIR in 2:0, offset above, 7.7.2.3 */
	SPEC_MSIX_PBA = 0x08,     /* 32 bits: the same, 7.7.2.4 */
	SPEC_MSIX_SIZE = 0x0c,
	SPEC_MSIX_FUNCTION_MASK = 1 << 14,
	SPEC_MSIX_ENABLE = 1 << 15,
	SPEC_MSIX_ENTRY_SIZE = 16,
};

/* PCI Express capability, version 2, 7.5.3. */
enum {
	SPEC_EXPRESS_CAPABILITIES = 0x02,        /* 16 bits, 7.5.3.2 */
	SPEC_EXPRESS_DEVICE_CAPABILITIES = 0x04, /* 32 bits, 7.5.3.3 */
	SPEC_EXPRESS_DEVICE_CONTROL = 0x08,      /* 16 bits, 7.5.3.4 */
	SPEC_EXPRESS_DEVICE_STATUS = 0x0a,       /* 16 bits, 7.5.3.5 */
	SPEC_EXPRESS_LINK_CAPABILITIES = 0x0c,   /* 32 bits, 7.5.3.6 */
	SPEC_EXPRESS_LINK_CONTROL = 0x10,        /* 16 bits, 7.5.3.7 */
	SPEC_EXPRESS_LINK_STATUS = 0x12,         /* 16 bits, 7.5.3.8 */
	SPEC_EXPRESS_SLOT_CAPABILITIES = 0x14,   /* 32 bits, 7.5.3.9 */
	SPEC_EXPRESS_SLOT_CONTROL = 0x18,        /* 16 bits, 7.5.3.10 */
	SPEC_EXPRESS_SLOT_STATUS = 0x1a,         /* 16 bits, 7.5.3.11 */
	SPEC_EXPRESS_ROOT_CONTROL = 0x1c,        /* 16 bits, 7.5.3.12 */
	SPEC_EXPRESS_ROOT_CAPABILITIES = 0x1e,   /* 16 bits, 7.5.3.13 */
	SPEC_EXPRESS_ROOT_STATUS = 0x20,         /* 32 bits, 7.5.3.14 */
	SPEC_EXPRESS_DEVICE_CAPABILITIES2 = 0x24, /* 32 bits, 7.5.3.15 */
	SPEC_EXPRESS_DEVICE_CONTROL2 = 0x28,     /* 16 bits, 7.5.3.16 */
	SPEC_EXPRESS_LINK_CAPABILITIES2 = 0x2c,  /* 32 bits, 7.5.3.18 */
	SPEC_EXPRESS_LINK_CONTROL2 = 0x30,       /* 16 bits, 7.5.3.19 */
	SPEC_EXPRESS_LINK_STATUS2 = 0x32,        /* 16 bits, 7.5.3.20 */
	SPEC_EXPRESS_SIZE = 0x3c,

	SPEC_EXPRESS_ENDPOINT = 0x0, /* Device/Port Type */
	SPEC_EXPRESS_ROOT_PORT = 0x4,
	SPEC_EXPRESS_16_GT = 4,      /* a link speed's code */

	SPEC_EXPRESS_INITIATE_FLR = 1 << 15, /* of Device Control */
	SPEC_EXPRESS_CORRECTABLE_DETECTED = 1 << 0, /* of Device Status */
	SPEC_EXPRESS_NON_FATAL_DETECTED = 1 << 1,
	SPEC_EXPRESS_FATAL_DETECTED = 1 << 2,
	SPEC_EXPRESS_UNSUPPORTED_DETECTED = 1 << 3,
	SPEC_EXPRESS_LINK_ACTIVE = 1 << 13, /* of Link Status */
	SPEC_EXPRESS_PRESENCE = 1 << 6,     /* of Slot Status */
	SPEC_EXPRESS_ARI_FORWARDING = 1 << 5, /* of Device Control 2 */
};

#endif
