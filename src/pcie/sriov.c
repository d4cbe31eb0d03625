#include "pcie/sriov.h"
#include "spec/pcie_sriov.h"

void pcie_sriov_add(struct pcie_kind *kind, const struct pcie_sriov_shape *s)
{
	const struct cfg_field fields[] = {
		/* register                     hi  lo  driver       after reset   field */
		{ SPEC_SRIOV_CONTROL,            0,  0, CFG_RW,      0, "VF Enable" },
		{ SPEC_SRIOV_CONTROL,            3,  3, CFG_RW,      0, "VF MSE" },
		{ SPEC_SRIOV_CONTROL,            4,  4, CFG_RW_LOCK, 0, "ARI Capable Hierarchy" },
		{ SPEC_SRIOV_INITIAL_VFS,       15,  0, CFG_HWINIT,  0, "InitialVFs" },
		{ SPEC_SRIOV_TOTAL_VFS,         15,  0, CFG_HWINIT,  0, "TotalVFs" },
		{ SPEC_SRIOV_NUM_VFS,           15,  0, CFG_RW_LOCK, 0, "NumVFs" },
		{ SPEC_SRIOV_DEPENDENCY_LINK,    7,  0, CFG_RO,      0, "Dependency Link" },
		{ SPEC_SRIOV_FIRST_VF_OFFSET,   15,  0, CFG_RO, PCIE_VF_OFFSET_NO_ARI,
		  "First VF Offset" },
		{ SPEC_SRIOV_VF_STRIDE,         15,  0, CFG_RO, PCIE_VF_STRIDE, "VF Stride" },
		{ SPEC_SRIOV_VF_DEVICE_ID,      15,  0, CFG_RO, s->vf_device_id, "VF Device ID" },
		{ SPEC_SRIOV_SUPPORTED_PAGES,   31,  0, CFG_RO, SPEC_SRIOV_REQUIRED_PAGES,
		  "Supported Page Sizes" },
		{ SPEC_SRIOV_SYSTEM_PAGE,       31,  0, CFG_RW_LOCK, 1, "System Page Size" },
	};

	must(kind->role == PCIE_ROLE_ENDPOINT);
	pcie_kind_add(kind, PCIE_CAP_SRIOV, fields, array_len(fields));
	pcie_header_lay_bars(&kind->map, kind->at[PCIE_CAP_SRIOV], SPEC_SRIOV_VF_BAR0,
			     &s->vf_bars);
}

void pcie_sriov_look(const struct cfg *pf, const struct pcie_kind *kind,
		     struct pcie_sriov_view *view)
{
	unsigned at = pcie_kind_at(kind, PCIE_CAP_SRIOV, 0);
	uint32_t control = cfg_read(pf, at + SPEC_SRIOV_CONTROL, 2);
	uint32_t page = cfg_read(pf, at + SPEC_SRIOV_SYSTEM_PAGE, 4);

	*view = (struct pcie_sriov_view){
		.enabled = control & SPEC_SRIOV_VF_ENABLE,
		.memory = control & SPEC_SRIOV_VF_MEMORY,
		.ari = control & SPEC_SRIOV_ARI_HIERARCHY,
		.total = (uint16_t)cfg_read(pf, at + SPEC_SRIOV_TOTAL_VFS, 2),
		.num = (uint16_t)cfg_read(pf, at + SPEC_SRIOV_NUM_VFS, 2),
		.offset = (uint16_t)cfg_read(pf, at + SPEC_SRIOV_FIRST_VF_OFFSET, 2),
		.stride = (uint16_t)cfg_read(pf, at + SPEC_SRIOV_VF_STRIDE, 2),
		.page_bytes = (uint64_t)page << 12,
	};
}

uint16_t pcie_sriov_rid(const struct pcie_sriov_view *view, uint16_t pf_rid, unsigned vf)
{
	must(vf >= 1);
	return (uint16_t)(pf_rid + view->offset + (vf - 1) * view->stride);
}

unsigned pcie_sriov_buses(const struct pcie_sriov_view *view)
{
	if (view->num == 0)
		return 1;
	return 1 + (view->offset + (view->num - 1u) * view->stride) / 256;
}
