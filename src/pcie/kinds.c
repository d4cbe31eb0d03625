#include "pcie/kinds.h"
#include "pcie/caps.h"
#include "pcie/extcaps.h"
#include "pcie/header.h"
#include "pcie/sriov.h"
#include "spec/pcie.h"
#include "spec/pcie_virtio.h"

/* Where a NIC function keeps its registers; the same in PF, VF and lent VF.  BAR 0 has virtio's
 * structures, a page each, BAR 2 the MSI-X table and pending bits. */
enum {
	REGISTERS_BAR = 0,
	REGISTERS_BYTES = 0x4000,
	COMMON_AT = 0x0000,
	COMMON_BYTES = 0x40,
	ISR_AT = 0x1000,
	ISR_BYTES = 0x4,
	DEVICE_AT = 0x2000,
	DEVICE_BYTES = 0x100,
	NOTIFY_AT = 0x3000,
	NOTIFY_BYTES = 0x1000,
	NOTIFY_STRIDE = 4,
	MSIX_BAR = 2,
	MSIX_BYTES = 0x2000,
	MSIX_TABLE_AT = 0x0000,
	MSIX_PBA_AT = 0x1000,
};

_Static_assert(PCIE_KINDS_NIC_VECTORS * SPEC_MSIX_ENTRY_SIZE <= MSIX_PBA_AT, "table before PBA");

static const struct pcie_bars nic_bars = { .size = { REGISTERS_BYTES, MSIX_BYTES } };
static const struct pcie_link_shape link = { .speed = SPEC_EXPRESS_16_GT, .width = 8 };

static void add_virtio(struct pcie_kind *kind)
{
	static const struct pcie_virtio_shape shapes[] = {
		{ REGISTERS_BAR, COMMON_AT, COMMON_BYTES, 0 },
		{ REGISTERS_BAR, NOTIFY_AT, NOTIFY_BYTES, NOTIFY_STRIDE },
		{ REGISTERS_BAR, ISR_AT, ISR_BYTES, 0 },
		{ REGISTERS_BAR, DEVICE_AT, DEVICE_BYTES, 0 },
	};

	for (unsigned i = 0; i < array_len(shapes); i++)
		pcie_caps_add_virtio(kind, (enum pcie_cap)(PCIE_CAP_VIRTIO_COMMON + i), &shapes[i]);
}

enum nic_kind { NIC_PF, NIC_VF, NIC_LENT };

static void build_nic(struct pcie_kind *kind, enum nic_kind what)
{
	static const struct pcie_identity identity = {
		.vendor = PCIE_KINDS_VENDOR,
		.device = SPEC_VIRTIO_PCI_NET,
		.subsystem_vendor = PCIE_KINDS_VENDOR,
		.subsystem = PCIE_KINDS_SUBSYSTEM,
		.class_code = 0x020000, /* Ethernet controller */
		.revision = 1,
	};

	pcie_kind_init(kind, what == NIC_VF ? PCIE_ROLE_VF : PCIE_ROLE_ENDPOINT);
	pcie_header_lay_type0(kind, &identity, &nic_bars);
	pcie_caps_add_pm(kind);
	pcie_caps_add_msix(kind, &(struct pcie_msix_shape){
		.vectors = PCIE_KINDS_NIC_VECTORS, .bar = MSIX_BAR,
		.table_offset = MSIX_TABLE_AT, .pba_offset = MSIX_PBA_AT });
	pcie_caps_add_express(kind, &link);
	add_virtio(kind);
	pcie_extcaps_add_aer(kind);
	if (what == NIC_PF)
		pcie_extcaps_add_serial(kind);
	pcie_extcaps_add_ari(kind);
	pcie_extcaps_add_acs(kind);
	if (what == NIC_PF)
		pcie_sriov_add(kind, &(struct pcie_sriov_shape){
			.vf_device_id = SPEC_VIRTIO_PCI_NET, .vf_bars = nic_bars });
	pcie_extcaps_add_ats(kind);
}

static void build_root_port(struct pcie_kind *kind)
{
	static const struct pcie_identity identity = {
		.vendor = PCIE_KINDS_VENDOR,
		.device = PCIE_KINDS_ROOT_PORT,
		.class_code = 0x060400, /* PCI-to-PCI bridge */
		.revision = 1,
	};

	pcie_kind_init(kind, PCIE_ROLE_ROOT_PORT);
	pcie_header_lay_type1(kind, &identity);
	pcie_caps_add_pm(kind);
	pcie_caps_add_msi(kind);
	pcie_caps_add_express(kind, &link);
	pcie_extcaps_add_aer(kind);
	pcie_extcaps_add_acs(kind);
}

static void build_host_bridge(struct pcie_kind *kind)
{
	static const struct pcie_identity identity = {
		.vendor = PCIE_KINDS_VENDOR,
		.device = PCIE_KINDS_HOST_BRIDGE,
		.subsystem_vendor = PCIE_KINDS_VENDOR,
		.subsystem = PCIE_KINDS_SUBSYSTEM,
		.class_code = 0x060000, /* host bridge */
		.revision = 1,
	};
	static const struct pcie_bars none;

	pcie_kind_init(kind, PCIE_ROLE_ENDPOINT);
	pcie_header_lay_type0(kind, &identity, &none);
	pcie_caps_add_pm(kind);
}

void pcie_kinds_build(struct pcie_kinds *kinds)
{
	build_host_bridge(&kinds->host_bridge);
	build_root_port(&kinds->root_port);
	build_nic(&kinds->nic_pf, NIC_PF);
	build_nic(&kinds->nic_vf, NIC_VF);
	build_nic(&kinds->nic_lent, NIC_LENT);
}
