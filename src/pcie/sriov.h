/* pcie/sriov.h -- the SR-IOV capability of a physical function, and the arithmetic of routing IDs.
 *
 * Threads: any.  Memory: none kept. */
#ifndef PCIE_SRIOV_H
#define PCIE_SRIOV_H

#include "pcie/header.h"
#include "pcie/kind.h"

enum {
	PCIE_VFS_MAX = 256,
	/* With ARI a device owns all 256 function numbers of its bus: VF1 follows the PF. */
	PCIE_VF_OFFSET_ARI = 1,
	/* Without ARI only functions 0..7 of device 0 are reached on the first bus, so VFs begin on
	 * the next one, whose numbers all belong to the device; 9.2.1.2. */
	PCIE_VF_OFFSET_NO_ARI = 256,
	PCIE_VF_STRIDE = 1,
};

struct pcie_sriov_shape {
	uint16_t vf_device_id;
	struct pcie_bars vf_bars; /* of one VF */
};

/* Lays the capability; TotalVFs is set a device at power-on (pcie/device.h).  9.3.3. */
void pcie_sriov_add(struct pcie_kind *kind, const struct pcie_sriov_shape *shape);

/* What the registers of a PF say. */
struct pcie_sriov_view {
	bool enabled, memory, ari; /* VF Enable, VF MSE, ARI Capable Hierarchy */
	uint16_t total, num, offset, stride;
	uint64_t page_bytes;       /* System Page Size */
};
void pcie_sriov_look(const struct cfg *pf, const struct pcie_kind *kind,
		     struct pcie_sriov_view *view);

/* Routing ID of VF 'vf' (1..) of the PF at 'pf_rid'; 9.2.1.2.  It wraps as the adder of a device
 * does: software must have left room. */
uint16_t pcie_sriov_rid(const struct pcie_sriov_view *view, uint16_t pf_rid, unsigned vf);

/* How many bus numbers a PF on function 0 of its bus takes with 'view->num' VFs, its own
 * included: 1.. */
unsigned pcie_sriov_buses(const struct pcie_sriov_view *view);

#endif
