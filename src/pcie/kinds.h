/* pcie/kinds.h -- the kinds of function in a virtual hierarchy: host bridge, root port, and the
 * NIC card's functions.
 *
 * The NIC functions are virtio network functions, disks virtio block functions (virtio 1.2 section
 * 4.1), so the driver that every operating system has finds its registers.  A VF that one host lends
 * to another, which does not see the PF, is shown there as an endpoint of its own.
 *
 * Threads: whoever builds them; any once built.  Memory: the caller's. */
#ifndef PCIE_KINDS_H
#define PCIE_KINDS_H

#include "pcie/kind.h"

enum {
	PCIE_KINDS_VENDOR = 0x1af4,
	/* 0x10f0..0x10ff of that vendor are free for use without registration. */
	PCIE_KINDS_ROOT_PORT = 0x10f0,
	PCIE_KINDS_HOST_BRIDGE = 0x10f1,
	PCIE_KINDS_SUBSYSTEM = 0x4d50,
	PCIE_KINDS_NIC_VECTORS = 18, /* eight queue pairs, the control queue, configuration */
	PCIE_KINDS_DISK_VECTORS = 17, /* sixteen queues, configuration */
};

/* Where a virtio function keeps its registers: a page each, in the BAR and at the offsets at which
 * clients look that read no capabilities; and its MSI-X structures. */
enum {
	PCIE_KINDS_VIRTIO_BAR = 4,
	PCIE_KINDS_VIRTIO_BYTES = 0x4000,
	PCIE_KINDS_COMMON_AT = 0x0000,
	PCIE_KINDS_ISR_AT = 0x1000,
	PCIE_KINDS_ISR_BYTES = 0x4,
	PCIE_KINDS_DEVICE_AT = 0x2000,
	PCIE_KINDS_DEVICE_BYTES = 0x100,
	PCIE_KINDS_NOTIFY_AT = 0x3000,
	PCIE_KINDS_NOTIFY_BYTES = 0x1000,
	PCIE_KINDS_NOTIFY_STRIDE = 4,
	PCIE_KINDS_MSIX_BAR = 2,
	PCIE_KINDS_MSIX_BYTES = 0x2000,
	PCIE_KINDS_TABLE_AT = 0x0000,
	PCIE_KINDS_PBA_AT = 0x1000,
};

struct pcie_kinds {
	struct pcie_kind host_bridge, root_port;
	struct pcie_kind nic_pf, nic_vf, nic_lent;
	struct pcie_kind disk_lent; /* virtio-blk */
};

void pcie_kinds_build(struct pcie_kinds *kinds);

#endif
