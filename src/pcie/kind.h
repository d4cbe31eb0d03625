/* pcie/kind.h -- a kind of function: its configuration map and where its capabilities are.
 *
 * A kind is put together by adding a header and then capabilities, in the order in which a driver
 * will find them; offsets and the two chains of pointers follow from that order.  After that it is
 * read-only and shared by all functions of the kind.
 *
 * Threads: whoever builds it; any once built.  Memory: the caller's, some 32 KiB. */
#ifndef PCIE_KIND_H
#define PCIE_KIND_H

#include "pcie/cfg.h"

/* What a register can belong to: the header (always at 0) or one of the capabilities.  X-list:
 * name, capability ID, version (0: below 0x100, where there is none), size in bytes. */
#define PCIE_CAPS(X)                                                              \
	X(PM, SPEC_PCI_CAP_POWER_MANAGEMENT, 0, SPEC_PM_SIZE)                     \
	X(MSI, SPEC_PCI_CAP_MSI, 0, SPEC_MSI_SIZE)                                \
	X(MSIX, SPEC_PCI_CAP_MSIX, 0, SPEC_MSIX_SIZE)                             \
	X(EXPRESS, SPEC_PCI_CAP_EXPRESS, 0, SPEC_EXPRESS_SIZE)                    \
	X(VIRTIO_COMMON, SPEC_PCI_CAP_VENDOR_SPECIFIC, 0, SPEC_VIRTIO_CAP_BYTES)  \
	X(VIRTIO_NOTIFY, SPEC_PCI_CAP_VENDOR_SPECIFIC, 0, SPEC_VIRTIO_CAP_NOTIFY_BYTES) \
	X(VIRTIO_ISR, SPEC_PCI_CAP_VENDOR_SPECIFIC, 0, SPEC_VIRTIO_CAP_BYTES)     \
	X(VIRTIO_DEVICE, SPEC_PCI_CAP_VENDOR_SPECIFIC, 0, SPEC_VIRTIO_CAP_BYTES)  \
	X(VIRTIO_PCI, SPEC_PCI_CAP_VENDOR_SPECIFIC, 0, SPEC_VIRTIO_CAP_PCI_BYTES) \
	X(AER, SPEC_EXT_CAP_AER, 2, SPEC_AER_SIZE)                                \
	X(SERIAL, SPEC_EXT_CAP_SERIAL, 1, SPEC_SERIAL_SIZE)                       \
	X(ARI, SPEC_EXT_CAP_ARI, 1, SPEC_ARI_SIZE)                                \
	X(ACS, SPEC_EXT_CAP_ACS, 1, SPEC_ACS_SIZE)                                \
	X(SRIOV, SPEC_EXT_CAP_SRIOV, 1, SPEC_SRIOV_SIZE)                          \
	X(ATS, SPEC_EXT_CAP_ATS, 1, SPEC_ATS_SIZE)

enum pcie_cap {
	PCIE_HEADER,
#define X(name, id, version, size) PCIE_CAP_##name,
	PCIE_CAPS(X)
#undef X
	PCIE_CAP_COUNT
};

/* A virtual function's registers differ from those of other endpoints in nearly every capability:
 * much of what is shared is found in its PF only.  PCIe 5.0 sections 9.3.4 to 9.3.7. */
enum pcie_role { PCIE_ROLE_ENDPOINT, PCIE_ROLE_VF, PCIE_ROLE_ROOT_PORT };

struct pcie_kind {
	struct cfg_map map;
	enum pcie_role role;
	uint16_t at[PCIE_CAP_COUNT]; /* offset of the capability; 0: not there */
	uint16_t tail, free;         /* last capability below 0x100, and the first free byte */
	uint16_t ext_tail, ext_free; /* the same from 0x100 on */
};

/* Starts an empty kind. */
void pcie_kind_init(struct pcie_kind *kind, enum pcie_role role);

/* Adds a capability at the end of its chain: its header, the pointer to it, and 'fields'. */
void pcie_kind_add(struct pcie_kind *kind, enum pcie_cap cap, const struct cfg_field *fields,
		   size_t count);

/* Whether functions of this kind have that capability. */
bool pcie_kind_has(const struct pcie_kind *kind, enum pcie_cap cap);

/* Offset of a register: 'offset' bytes into a capability that is there. */
unsigned pcie_kind_at(const struct pcie_kind *kind, enum pcie_cap cap, unsigned offset);

#endif
