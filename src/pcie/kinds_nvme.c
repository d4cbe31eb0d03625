#include "pcie/kinds_nvme.h"
#include "pcie/caps.h"
#include "pcie/extcaps.h"
#include "pcie/header.h"
#include "pcie/kinds.h"
#include "pcie/sriov.h"
#include "spec/pcie.h"

_Static_assert(PCIE_NVME_VECTORS *SPEC_MSIX_ENTRY_SIZE <= PCIE_NVME_PBA_AT, "table before PBA");

static const struct pcie_bars bars = { .size = { PCIE_NVME_REGISTERS_SIZE, PCIE_NVME_MSIX_SIZE } };

enum what { PF, VF, LENT };

static void build(struct pcie_kind *kind, enum what what)
{
	const struct pcie_identity identity = {
		.vendor = PCIE_KINDS_VENDOR,
		.device = PCIE_NVME_DEVICE,
		.subsystem_vendor = PCIE_KINDS_VENDOR,
		.subsystem = PCIE_KINDS_SUBSYSTEM,
		.class_code = PCIE_NVME_CLASS,
		.revision = 1,
		.interrupt_pin = what == LENT,
	};
	static const struct pcie_link_shape link = { .speed = SPEC_EXPRESS_16_GT, .width = 8 };

	pcie_kind_init(kind, what == VF ? PCIE_ROLE_VF : PCIE_ROLE_ENDPOINT);
	pcie_header_lay_type0(kind, &identity, &bars);
	pcie_caps_add_pm(kind);
	pcie_caps_add_msix(kind, &(struct pcie_msix_shape){ .vectors = PCIE_NVME_VECTORS,
							    .bar = PCIE_NVME_MSIX_BAR,
							    .table_offset = PCIE_NVME_TABLE_AT,
							    .pba_offset = PCIE_NVME_PBA_AT });
	pcie_caps_add_express(kind, &link);
	pcie_extcaps_add_aer(kind);
	if (what == PF)
		pcie_extcaps_add_serial(kind);
	pcie_extcaps_add_ari(kind);
	pcie_extcaps_add_acs(kind);
	if (what == PF)
		pcie_sriov_add(kind, &(struct pcie_sriov_shape){ .vf_device_id = PCIE_NVME_DEVICE,
								 .vf_bars = bars });
	pcie_extcaps_add_ats(kind);
}

void pcie_kinds_nvme_build(struct pcie_kinds_nvme *kinds)
{
	build(&kinds->pf, PF);
	build(&kinds->vf, VF);
	build(&kinds->lent, LENT);
}
