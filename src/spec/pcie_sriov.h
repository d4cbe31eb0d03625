/* spec/pcie_sriov.h -- the SR-IOV extended capability.
 *
 * PCI Express Base Specification 5.0, section 9.3.3.  Only what the standard says. */
#ifndef SPEC_PCIE_SRIOV_H
#define SPEC_PCIE_SRIOV_H

enum {
	SPEC_SRIOV_CAPABILITIES = 0x04,    /* 32 bits, 9.3.3.2 */
	SPEC_SRIOV_CONTROL = 0x08,         /* 16 bits, 9.3.3.3 */
	SPEC_SRIOV_STATUS = 0x0a,          /* 16 bits, 9.3.3.4 */
	SPEC_SRIOV_INITIAL_VFS = 0x0c,     /* 16 bits, 9.3.3.5 */
	SPEC_SRIOV_TOTAL_VFS = 0x0e,       /* 16 bits, 9.3.3.6 */
	SPEC_SRIOV_NUM_VFS = 0x10,         /* 16 bits, 9.3.3.7 */
	SPEC_SRIOV_DEPENDENCY_LINK = 0x12, /* 8 bits, 9.3.3.8 */
	SPEC_SRIOV_FIRST_VF_OFFSET = 0x14, /* 16 bits, 9.3.3.9 */
	SPEC_SRIOV_VF_STRIDE = 0x16,       /* 16 bits, 9.3.3.10 */
	SPEC_SRIOV_VF_DEVICE_ID = 0x1a,    /* 16 bits, 9.3.3.11 */
	SPEC_SRIOV_SUPPORTED_PAGES = 0x1c, /* 32 bits, 9.3.3.12 */
	SPEC_SRIOV_SYSTEM_PAGE = 0x20,     /* 32 bits, 9.3.3.13 */
	SPEC_SRIOV_VF_BAR0 = 0x24,         /* 6 x 32 bits, 9.3.3.14 */
	SPEC_SRIOV_MIGRATION = 0x3c,       /* 32 bits, 9.3.3.15 */
	SPEC_SRIOV_SIZE = 0x40,

	SPEC_SRIOV_VF_ENABLE = 1 << 0, /* of Control */
	SPEC_SRIOV_VF_MEMORY = 1 << 3,
	SPEC_SRIOV_ARI_HIERARCHY = 1 << 4,

	/* Page sizes every PF supports, bit n: 2^(n+12) bytes: 4K, 8K, 64K, 256K, 1M, 4M. */
	SPEC_SRIOV_REQUIRED_PAGES = 0x553,
};

#endif
