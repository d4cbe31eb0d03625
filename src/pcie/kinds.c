#include "pcie/kinds.h"
#include "pcie/caps.h"
#include "pcie/extcaps.h"
#include "pcie/header.h"
#include "pcie/sriov.h"
#include "spec/pcie.h"
#include "spec/pcie_virtio.h"

_Static_assert(PCIE_KINDS_NIC_VECTORS * SPEC_MSIX_ENTRY_SIZE <= PCIE_KINDS_PBA_AT, "table before PBA");

static const struct pcie_bars virtio_bars = {
	.size = { [PCIE_KINDS_MSIX_BAR / 2] = PCIE_KINDS_MSIX_BYTES,
		  [PCIE_KINDS_VIRTIO_BAR / 2] = PCIE_KINDS_VIRTIO_BYTES },
};
static const struct pcie_link_shape link = { .speed = SPEC_EXPRESS_16_GT, .width = 8 };

static void add_virtio(struct pcie_kind *kind)
{
	enum { BAR = PCIE_KINDS_VIRTIO_BAR };
	static const struct pcie_virtio_shape shapes[] = {
		{ BAR, PCIE_KINDS_COMMON_AT, SPEC_VIRTIO_COMMON_BYTES, 0 },
		{ BAR, PCIE_KINDS_NOTIFY_AT, PCIE_KINDS_NOTIFY_BYTES, PCIE_KINDS_NOTIFY_STRIDE },
		{ BAR, PCIE_KINDS_ISR_AT, PCIE_KINDS_ISR_BYTES, 0 },
		{ BAR, PCIE_KINDS_DEVICE_AT, PCIE_KINDS_DEVICE_BYTES, 0 },
	};

	for (unsigned i = 0; i < array_len(shapes); i++)
		pcie_caps_add_virtio(kind, (enum pcie_cap)(PCIE_CAP_VIRTIO_COMMON + i), &shapes[i]);
	pcie_caps_add_virtio_access(kind);
}

enum place { PLACE_PF, PLACE_VF, PLACE_LENT };

struct virtio_class {
	uint16_t device;     /* device ID */
	uint16_t vectors;
	uint32_t class_code;
};

static const struct virtio_class nic = { SPEC_VIRTIO_PCI_NET, PCIE_KINDS_NIC_VECTORS, 0x020000 };
static const struct virtio_class disk = { SPEC_VIRTIO_PCI_BLOCK, PCIE_KINDS_DISK_VECTORS, 0x018000 };

static void build_virtio(struct pcie_kind *kind, const struct virtio_class *class, enum place place)
{
	const struct pcie_identity identity = {
		.vendor = PCIE_KINDS_VENDOR,
		.device = class->device,
		.subsystem_vendor = PCIE_KINDS_VENDOR,
		.subsystem = PCIE_KINDS_SUBSYSTEM,
		.class_code = class->class_code,
		.revision = 1,
		.interrupt_pin = place == PLACE_LENT,
	};

	pcie_kind_init(kind, place == PLACE_VF ? PCIE_ROLE_VF : PCIE_ROLE_ENDPOINT);
	pcie_header_lay_type0(kind, &identity, &virtio_bars);
	pcie_caps_add_pm(kind);
	pcie_caps_add_msix(kind, &(struct pcie_msix_shape){
		.vectors = class->vectors, .bar = PCIE_KINDS_MSIX_BAR,
		.table_offset = PCIE_KINDS_TABLE_AT, .pba_offset = PCIE_KINDS_PBA_AT });
	pcie_caps_add_express(kind, &link);
	add_virtio(kind);
	pcie_extcaps_add_aer(kind);
	if (place == PLACE_PF)
		pcie_extcaps_add_serial(kind);
	pcie_extcaps_add_ari(kind);
	pcie_extcaps_add_acs(kind);
	if (place == PLACE_PF)
		pcie_sriov_add(kind, &(struct pcie_sriov_shape){
			.vf_device_id = class->device, .vf_bars = virtio_bars });
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
	build_virtio(&kinds->nic_pf, &nic, PLACE_PF);
	build_virtio(&kinds->nic_vf, &nic, PLACE_VF);
	build_virtio(&kinds->nic_lent, &nic, PLACE_LENT);
	build_virtio(&kinds->disk_lent, &disk, PLACE_LENT);
}
