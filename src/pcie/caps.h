/* pcie/caps.h -- the capabilities below 0x100, a table of fields each: power management, MSI,
 * MSI-X, PCI Express, and virtio's pointers to its registers.
 *
 * What they hold depends on kind->role: a VF has no link, no slot and no sizes of its own.
 *
 * Threads: whoever builds the kind.  Memory: none kept. */
#ifndef PCIE_CAPS_H
#define PCIE_CAPS_H

#include "pcie/kind.h"

/* D0 and D3hot, which keeps the function's state (No_Soft_Reset); no PME.  7.5.2. */
void pcie_caps_add_pm(struct pcie_kind *kind);

/* One message, 64-bit addresses: what a root port signals hot plug and errors with.  7.7.1. */
void pcie_caps_add_msi(struct pcie_kind *kind);

struct pcie_msix_shape {
	uint16_t vectors;                  /* 1..2048 */
	uint8_t bar;                       /* holds both structures */
	uint32_t table_offset, pba_offset; /* bytes, multiples of 8 */
};
void pcie_caps_add_msix(struct pcie_kind *kind, const struct pcie_msix_shape *shape);

struct pcie_link_shape {
	uint8_t speed; /* link speed code; SPEC_EXPRESS_16_GT */
	uint8_t width; /* lanes */
};
/* Version 2; an endpoint that can do FLR, or a root port with a hot-plug slot.  7.5.3. */
void pcie_caps_add_express(struct pcie_kind *kind, const struct pcie_link_shape *link);

/* Where one of virtio's register structures lies; virtio 1.2 section 4.1.4. */
struct pcie_virtio_shape {
	uint8_t bar;
	uint32_t offset, size;
	uint32_t multiplier; /* bytes between the doorbells of queues; notify only */
};
/* cap: PCIE_CAP_VIRTIO_COMMON .. PCIE_CAP_VIRTIO_DEVICE */
void pcie_caps_add_virtio(struct pcie_kind *kind, enum pcie_cap cap,
			  const struct pcie_virtio_shape *shape);
/* The window on those structures in configuration space; virtio 1.2 section 4.1.4.9. */
void pcie_caps_add_virtio_access(struct pcie_kind *kind);

#endif
