/* pcie/kinds_nvme.h -- the kinds of function that a disk card has: NVM Express controllers as PF, as VF,
 * and as an endpoint of its own where a host does not see the PF.
 *
 * BAR 0 has the controller's registers and, from 0x1000 on, its doorbells; BAR 2 the MSI-X table and pending
 * bits (NVM Express over PCIe Transport 1.0, section 3.1).
 *
 * Threads: whoever builds them; any once built.  Memory: the caller's. */
#ifndef PCIE_KINDS_NVME_H
#define PCIE_KINDS_NVME_H

#include "pcie/kind.h"

enum {
	PCIE_NVME_DEVICE = 0x10f2, /* of PCIE_KINDS_VENDOR, among those that are free for use */
	PCIE_NVME_CLASS = 0x010802, /* non-volatile memory, NVM Express, I/O controller */
	PCIE_NVME_REGISTERS_BAR = 0,
	PCIE_NVME_REGISTERS_SIZE = 0x4000,
	PCIE_NVME_DOORBELLS_AT = 0x1000,
	PCIE_NVME_MSIX_BAR = 2,
	PCIE_NVME_MSIX_SIZE = 0x2000,
	PCIE_NVME_TABLE_AT = 0x0000,
	PCIE_NVME_PBA_AT = 0x1000,
	PCIE_NVME_VECTORS = 64, /* the admin queue's and 63 more */
};

struct pcie_kinds_nvme {
	struct pcie_kind pf, vf, lent;
};

void pcie_kinds_nvme_build(struct pcie_kinds_nvme *kinds);

#endif
