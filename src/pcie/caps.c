#include "pcie/caps.h"
#include "spec/pcie.h"
#include "spec/pcie_virtio.h"

void pcie_caps_add_pm(struct pcie_kind *kind)
{
	static const struct cfg_field fields[] = {
		{ SPEC_PM_CAPABILITIES,  2,  0, CFG_RO, 3, "Version" },
		{ SPEC_PM_CONTROL,       1,  0, CFG_RW, SPEC_PM_D0, "PowerState" },
		{ SPEC_PM_CONTROL,       3,  3, CFG_RO, 1, "No_Soft_Reset" },
	};

	pcie_kind_add(kind, PCIE_CAP_PM, fields, array_len(fields));
}

void pcie_caps_add_msi(struct pcie_kind *kind)
{
	static const struct cfg_field fields[] = {
		{ SPEC_MSI_CONTROL,        0,  0, CFG_RW, 0, "MSI Enable" },
		{ SPEC_MSI_CONTROL,        3,  1, CFG_RO, 0, "Multiple Message Capable" },
		{ SPEC_MSI_CONTROL,        6,  4, CFG_RW, 0, "Multiple Message Enable" },
		{ SPEC_MSI_CONTROL,        7,  7, CFG_RO, 1, "64-bit Address Capable" },
		{ SPEC_MSI_ADDRESS,       31,  2, CFG_RW, 0, "Message Address" },
		{ SPEC_MSI_ADDRESS_UPPER, 31,  0, CFG_RW, 0, "Message Upper Address" },
		{ SPEC_MSI_DATA,          15,  0, CFG_RW, 0, "Message Data" },
	};

	pcie_kind_add(kind, PCIE_CAP_MSI, fields, array_len(fields));
}

void pcie_caps_add_msix(struct pcie_kind *kind, const struct pcie_msix_shape *s)
{
	must(s->vectors >= 1 && s->vectors <= 2048);
	must(s->table_offset % 8 == 0);
	must(s->pba_offset % 8 == 0);

	const struct cfg_field fields[] = {
		{ SPEC_MSIX_CONTROL, 10,  0, CFG_RO, s->vectors - 1u, "Table Size" },
		{ SPEC_MSIX_CONTROL, 14, 14, CFG_RW, 0, "Function Mask" },
		{ SPEC_MSIX_CONTROL, 15, 15, CFG_RW, 0, "MSI-X Enable" },
		{ SPEC_MSIX_TABLE,    2,  0, CFG_RO, s->bar, "Table BIR" },
		{ SPEC_MSIX_TABLE,   31,  3, CFG_RO, s->table_offset / 8, "Table Offset" },
		{ SPEC_MSIX_PBA,      2,  0, CFG_RO, s->bar, "PBA BIR" },
		{ SPEC_MSIX_PBA,     31,  3, CFG_RO, s->pba_offset / 8, "PBA Offset" },
	};

	pcie_kind_add(kind, PCIE_CAP_MSIX, fields, array_len(fields));
}

/* What every role has: version, what it can do, and which errors it has seen. */
static void add_express_common(struct pcie_kind *kind, const struct pcie_link_shape *link)
{
	bool port = kind->role == PCIE_ROLE_ROOT_PORT;
	uint32_t type = port ? SPEC_EXPRESS_ROOT_PORT : SPEC_EXPRESS_ENDPOINT;
	uint32_t speeds = (1u << link->speed) - 1;

	const struct cfg_field fields[] = {
		{ SPEC_EXPRESS_CAPABILITIES,         3,  0, CFG_RO, 2, "Capability Version" },
		{ SPEC_EXPRESS_CAPABILITIES,         7,  4, CFG_RO, type, "Device/Port Type" },
		{ SPEC_EXPRESS_CAPABILITIES,         8,  8, CFG_HWINIT, port, "Slot Implemented" },
		{ SPEC_EXPRESS_DEVICE_CAPABILITIES,  2,  0, CFG_RO, 1, "Max_Payload_Size: 256" },
		{ SPEC_EXPRESS_DEVICE_CAPABILITIES,  5,  5, CFG_RO, 1, "Extended Tag" },
		{ SPEC_EXPRESS_DEVICE_CAPABILITIES, 15, 15, CFG_RO, 1, "Role-Based Errors" },
		{ SPEC_EXPRESS_DEVICE_CAPABILITIES, 28, 28, CFG_RO, !port, "FLR Capability" },
		{ SPEC_EXPRESS_DEVICE_STATUS,        0,  0, CFG_RW1C, 0, "Correctable Error" },
		{ SPEC_EXPRESS_DEVICE_STATUS,        1,  1, CFG_RW1C, 0, "Non-Fatal Error" },
		{ SPEC_EXPRESS_DEVICE_STATUS,        2,  2, CFG_RW1C, 0, "Fatal Error" },
		{ SPEC_EXPRESS_DEVICE_STATUS,        3,  3, CFG_RW1C, 0, "Unsupported Request" },
		{ SPEC_EXPRESS_DEVICE_STATUS,        5,  5, CFG_RO, 0, "Transactions Pending" },
		{ SPEC_EXPRESS_LINK_CAPABILITIES,    3,  0, CFG_RO, link->speed, "Max Link Speed" },
		{ SPEC_EXPRESS_LINK_CAPABILITIES,    9,  4, CFG_RO, link->width, "Max Link Width" },
		{ SPEC_EXPRESS_LINK_CAPABILITIES,   20, 20, CFG_RO, port, "DL Active Reporting" },
		{ SPEC_EXPRESS_LINK_CAPABILITIES,   22, 22, CFG_HWINIT, 1, "ASPM Optionality" },
		{ SPEC_EXPRESS_LINK_CAPABILITIES,   31, 24, CFG_HWINIT, 0, "Port Number" },
		{ SPEC_EXPRESS_DEVICE_CAPABILITIES2, 3,  0, CFG_HWINIT, 0xf, "Timeouts A-D" },
		{ SPEC_EXPRESS_DEVICE_CAPABILITIES2, 4,  4, CFG_RO, 1, "Timeout Disable" },
		{ SPEC_EXPRESS_DEVICE_CAPABILITIES2, 5,  5, CFG_RO, port, "ARI Forwarding" },
		{ SPEC_EXPRESS_LINK_CAPABILITIES2,   7,  1, CFG_RO, speeds, "Link Speeds" },
	};

	pcie_kind_add(kind, PCIE_CAP_EXPRESS, fields, array_len(fields));
}

/* What all but a VF have: payload, link.  KEPT is what section 6.6.2 lets an FLR not touch. */
static void add_express_link(struct pcie_kind *kind, const struct pcie_link_shape *link)
{
	bool endpoint = kind->role == PCIE_ROLE_ENDPOINT;
	const struct cfg_field fields[] = {
		{ SPEC_EXPRESS_DEVICE_CONTROL,   0,  0, CFG_RW, 0, "Correctable Reporting" },
		{ SPEC_EXPRESS_DEVICE_CONTROL,   1,  1, CFG_RW, 0, "Non-Fatal Reporting" },
		{ SPEC_EXPRESS_DEVICE_CONTROL,   2,  2, CFG_RW, 0, "Fatal Reporting" },
		{ SPEC_EXPRESS_DEVICE_CONTROL,   3,  3, CFG_RW, 0, "Unsupported Reporting" },
		{ SPEC_EXPRESS_DEVICE_CONTROL,   4,  4, CFG_RW, 1, "Relaxed Ordering" },
		{ SPEC_EXPRESS_DEVICE_CONTROL,   7,  5, CFG_RW_KEPT, 0, "Max_Payload_Size" },
		{ SPEC_EXPRESS_DEVICE_CONTROL,   8,  8, CFG_RW, 0, "Extended Tag Enable" },
		{ SPEC_EXPRESS_DEVICE_CONTROL,  11, 11, CFG_RW, 1, "No Snoop" },
		{ SPEC_EXPRESS_DEVICE_CONTROL,  14, 12, CFG_RW, 2, "Max_Read_Request_Size" },
		{ SPEC_EXPRESS_LINK_CONTROL,     1,  0, CFG_RW_KEPT, 0, "ASPM Control" },
		{ SPEC_EXPRESS_LINK_CONTROL,     3,  3, CFG_RW_KEPT, 0, "Completion Boundary" },
		{ SPEC_EXPRESS_LINK_CONTROL,     6,  6, CFG_RW_KEPT, 0, "Common Clock" },
		{ SPEC_EXPRESS_LINK_CONTROL,     7,  7, CFG_RW_KEPT, 0, "Extended Synch" },
		{ SPEC_EXPRESS_LINK_STATUS,      3,  0, CFG_HWINIT, link->speed, "Link Speed" },
		{ SPEC_EXPRESS_LINK_STATUS,      9,  4, CFG_HWINIT, link->width, "Link Width" },
		{ SPEC_EXPRESS_LINK_STATUS,     12, 12, CFG_HWINIT, endpoint, "Slot Clock" },
		{ SPEC_EXPRESS_DEVICE_CONTROL2,  3,  0, CFG_RW, 0, "Completion Timeout Value" },
		{ SPEC_EXPRESS_DEVICE_CONTROL2,  4,  4, CFG_RW, 0, "Completion Timeout Disable" },
		{ SPEC_EXPRESS_LINK_CONTROL2,    3,  0, CFG_RWS, link->speed, "Target Link Speed" },
		{ SPEC_EXPRESS_LINK_STATUS2,     4,  1, CFG_ROS, 0xf, "Equalization 8.0 GT/s" },
	};

	cfg_lay(&kind->map, kind->at[PCIE_CAP_EXPRESS], fields, array_len(fields));
}

static void add_express_slot(struct pcie_kind *kind)
{
	static const struct cfg_field fields[] = {
		{ SPEC_EXPRESS_LINK_CONTROL,        4,  4, CFG_RW, 0, "Link Disable" },
		{ SPEC_EXPRESS_LINK_STATUS,        13, 13, CFG_HWINIT, 0, "DL Active" },
		{ SPEC_EXPRESS_SLOT_CAPABILITIES,   5,  5, CFG_HWINIT, 1, "Hot-Plug Surprise" },
		{ SPEC_EXPRESS_SLOT_CAPABILITIES,   6,  6, CFG_HWINIT, 1, "Hot-Plug Capable" },
		{ SPEC_EXPRESS_SLOT_CAPABILITIES,  14,  7, CFG_HWINIT, 75, "Power Limit Value" },
		{ SPEC_EXPRESS_SLOT_CAPABILITIES,  18, 18, CFG_HWINIT, 1, "No Command Completed" },
		{ SPEC_EXPRESS_SLOT_CAPABILITIES,  31, 19, CFG_HWINIT, 0, "Physical Slot Number" },
		{ SPEC_EXPRESS_SLOT_CONTROL,        3,  3, CFG_RW, 0, "Presence Change Enable" },
		{ SPEC_EXPRESS_SLOT_CONTROL,        5,  5, CFG_RW, 0, "Hot-Plug Interrupt Enable" },
		{ SPEC_EXPRESS_SLOT_CONTROL,       12, 12, CFG_RW, 0, "DL State Change Enable" },
		{ SPEC_EXPRESS_SLOT_STATUS,         3,  3, CFG_RW1C, 0, "Presence Detect Changed" },
		{ SPEC_EXPRESS_SLOT_STATUS,         6,  6, CFG_HWINIT, 0, "Presence Detect State" },
		{ SPEC_EXPRESS_SLOT_STATUS,         8,  8, CFG_RW1C, 0, "DL State Changed" },
		{ SPEC_EXPRESS_ROOT_CONTROL,        0,  0, CFG_RW, 0, "System Error, Correctable" },
		{ SPEC_EXPRESS_ROOT_CONTROL,        1,  1, CFG_RW, 0, "System Error, Non-Fatal" },
		{ SPEC_EXPRESS_ROOT_CONTROL,        2,  2, CFG_RW, 0, "System Error, Fatal" },
		{ SPEC_EXPRESS_ROOT_CONTROL,        3,  3, CFG_RW, 0, "PME Interrupt Enable" },
		{ SPEC_EXPRESS_ROOT_STATUS,        15,  0, CFG_RO, 0, "PME Requester ID" },
		{ SPEC_EXPRESS_DEVICE_CONTROL2,     5,  5, CFG_RW, 0, "ARI Forwarding Enable" },
	};

	cfg_lay(&kind->map, kind->at[PCIE_CAP_EXPRESS], fields, array_len(fields));
}

void pcie_caps_add_express(struct pcie_kind *kind, const struct pcie_link_shape *link)
{
	static const struct cfg_field flr = {
		SPEC_EXPRESS_DEVICE_CONTROL, 15, 15, CFG_TRIGGER, 0, "Initiate FLR"
	};

	must(link->speed >= 1 && link->speed <= 6);
	must(link->width >= 1 && link->width <= 32);
	add_express_common(kind, link);
	if (kind->role != PCIE_ROLE_VF)
		add_express_link(kind, link);
	if (kind->role == PCIE_ROLE_ROOT_PORT)
		add_express_slot(kind);
	else
		cfg_lay(&kind->map, kind->at[PCIE_CAP_EXPRESS], &flr, 1);
}

void pcie_caps_add_virtio(struct pcie_kind *kind, enum pcie_cap cap,
			  const struct pcie_virtio_shape *s)
{
	bool notify = cap == PCIE_CAP_VIRTIO_NOTIFY;
	uint32_t size = notify ? SPEC_VIRTIO_CAP_NOTIFY_BYTES : SPEC_VIRTIO_CAP_BYTES;
	uint32_t type = SPEC_VIRTIO_CAP_COMMON + (uint32_t)(cap - PCIE_CAP_VIRTIO_COMMON);

	must(cap >= PCIE_CAP_VIRTIO_COMMON && cap <= PCIE_CAP_VIRTIO_DEVICE);

	const struct cfg_field fields[] = {
		{ SPEC_VIRTIO_CAP_LENGTH,      7, 0, CFG_RO, size, "cap_len" },
		{ SPEC_VIRTIO_CAP_TYPE,        7, 0, CFG_RO, type, "cfg_type" },
		{ SPEC_VIRTIO_CAP_BAR,         7, 0, CFG_RO, s->bar, "bar" },
		{ SPEC_VIRTIO_CAP_OFFSET,     31, 0, CFG_RO, s->offset, "offset" },
		{ SPEC_VIRTIO_CAP_SIZE,       31, 0, CFG_RO, s->size, "length" },
		{ SPEC_VIRTIO_CAP_MULTIPLIER, 31, 0, CFG_RO, s->multiplier, "multiplier" },
	};

	pcie_kind_add(kind, cap, fields, array_len(fields) - (notify ? 0 : 1));
}

void pcie_caps_add_virtio_access(struct pcie_kind *kind)
{
	static const struct cfg_field fields[] = {
		{ SPEC_VIRTIO_CAP_LENGTH,    7, 0, CFG_RO, SPEC_VIRTIO_CAP_PCI_BYTES, "cap_len" },
		{ SPEC_VIRTIO_CAP_TYPE,      7, 0, CFG_RO, SPEC_VIRTIO_CAP_PCI_ACCESS, "cfg_type" },
		{ SPEC_VIRTIO_CAP_BAR,       7, 0, CFG_RW, 0, "bar" },
		{ SPEC_VIRTIO_CAP_OFFSET,   31, 0, CFG_RW, 0, "offset" },
		{ SPEC_VIRTIO_CAP_SIZE,     31, 0, CFG_RW, 0, "length" },
		{ SPEC_VIRTIO_CAP_PCI_DATA, 31, 0, CFG_RW, 0, "pci_cfg_data" },
	};

	pcie_kind_add(kind, PCIE_CAP_VIRTIO_PCI, fields, array_len(fields));
}
