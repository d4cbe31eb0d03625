#include "pcie/extcaps.h"
#include "spec/pcie_ext.h"

#define BIT(n) (UINT32_C(1) << (n))

/* Uncorrectable errors by who can see them; 7.8.4.2 and, for VFs, 9.3.6.1.1. */
enum {
	UNCORRECTABLE_OWN = 1 << SPEC_AER_POISONED_TLP | 1 << SPEC_AER_COMPLETION_TIMEOUT |
			    1 << SPEC_AER_COMPLETER_ABORT | 1 << SPEC_AER_UNEXPECTED_COMPLETION |
			    1 << SPEC_AER_UNSUPPORTED_REQUEST | 1 << SPEC_AER_ACS_VIOLATION,
	UNCORRECTABLE_LINK = 1 << SPEC_AER_DATA_LINK_PROTOCOL |
			     1 << SPEC_AER_FLOW_CONTROL_PROTOCOL |
			     1 << SPEC_AER_RECEIVER_OVERFLOW | 1 << SPEC_AER_MALFORMED_TLP |
			     1 << SPEC_AER_ECRC | 1 << SPEC_AER_INTERNAL,
	UNCORRECTABLE_PORT = 1 << SPEC_AER_SURPRISE_DOWN,
	FATAL_BY_DEFAULT = 1 << SPEC_AER_DATA_LINK_PROTOCOL | 1 << SPEC_AER_SURPRISE_DOWN |
			   1 << SPEC_AER_FLOW_CONTROL_PROTOCOL | 1 << SPEC_AER_RECEIVER_OVERFLOW |
			   1 << SPEC_AER_MALFORMED_TLP | 1 << SPEC_AER_INTERNAL,
	MASKED_BY_DEFAULT = 1 << SPEC_AER_INTERNAL,
	CORRECTABLE_OWN = 1 << SPEC_AER_ADVISORY_NON_FATAL | 1 << SPEC_AER_CORRECTED_INTERNAL |
			  1 << SPEC_AER_HEADER_LOG_OVERFLOW,
	CORRECTABLE_LINK = 1 << SPEC_AER_RECEIVER_ERROR | 1 << SPEC_AER_BAD_TLP |
			   1 << SPEC_AER_BAD_DLLP | 1 << SPEC_AER_REPLAY_ROLLOVER |
			   1 << SPEC_AER_REPLAY_TIMEOUT,
};

/* One field a bit of 'bits', each with its bit of 'reset'. */
static void lay_bits(struct pcie_kind *kind, uint16_t offset, uint32_t bits, enum cfg_attr attr,
		     uint32_t reset)
{
	for (uint8_t n = 0; n < 32; n++) {
		const struct cfg_field field = { offset, n, n, attr, reset >> n & 1, "error bit" };

		if (bits & BIT(n))
			cfg_lay(&kind->map, kind->at[PCIE_CAP_AER], &field, 1);
	}
}

static void add_aer_root(struct pcie_kind *kind)
{
	static const struct cfg_field fields[] = {
		{ SPEC_AER_ROOT_COMMAND, 0, 0, CFG_RW, 0, "Correctable Reporting Enable" },
		{ SPEC_AER_ROOT_COMMAND, 1, 1, CFG_RW, 0, "Non-Fatal Reporting Enable" },
		{ SPEC_AER_ROOT_COMMAND, 2, 2, CFG_RW, 0, "Fatal Reporting Enable" },
		{ SPEC_AER_ROOT_STATUS,  6, 0, CFG_RW1CS, 0, "Errors Received" },
		{ SPEC_AER_ERROR_SOURCE, 15, 0, CFG_ROS, 0, "ERR_COR Source" },
		{ SPEC_AER_ERROR_SOURCE, 31, 16, CFG_ROS, 0, "ERR_FATAL/NONFATAL Source" },
	};

	cfg_lay(&kind->map, kind->at[PCIE_CAP_AER], fields, array_len(fields));
}

void pcie_extcaps_add_aer(struct pcie_kind *kind)
{
	static const struct cfg_field log[] = {
		{ SPEC_AER_CONTROL,          4, 0, CFG_ROS, 0, "First Error Pointer" },
		{ SPEC_AER_HEADER_LOG,      31, 0, CFG_ROS, 0, "Header Log 1" },
		{ SPEC_AER_HEADER_LOG + 4,  31, 0, CFG_ROS, 0, "Header Log 2" },
		{ SPEC_AER_HEADER_LOG + 8,  31, 0, CFG_ROS, 0, "Header Log 3" },
		{ SPEC_AER_HEADER_LOG + 12, 31, 0, CFG_ROS, 0, "Header Log 4" },
	};
	uint32_t uncorrectable = UNCORRECTABLE_OWN, correctable = CORRECTABLE_OWN;

	if (kind->role != PCIE_ROLE_VF) {
		uncorrectable |= UNCORRECTABLE_LINK;
		correctable |= CORRECTABLE_LINK;
	}
	if (kind->role == PCIE_ROLE_ROOT_PORT)
		uncorrectable |= UNCORRECTABLE_PORT;
	pcie_kind_add(kind, PCIE_CAP_AER, log, array_len(log));
	lay_bits(kind, SPEC_AER_UNCORRECTABLE_STATUS, uncorrectable, CFG_RW1CS, 0);
	lay_bits(kind, SPEC_AER_CORRECTABLE_STATUS, correctable, CFG_RW1CS, 0);
	if (kind->role == PCIE_ROLE_VF)
		return;
	lay_bits(kind, SPEC_AER_UNCORRECTABLE_MASK, uncorrectable, CFG_RWS, MASKED_BY_DEFAULT);
	lay_bits(kind, SPEC_AER_UNCORRECTABLE_SEVERITY, uncorrectable, CFG_RWS, FATAL_BY_DEFAULT);
	lay_bits(kind, SPEC_AER_CORRECTABLE_MASK, correctable, CFG_RWS, CORRECTABLE_OWN);
	if (kind->role == PCIE_ROLE_ROOT_PORT)
		add_aer_root(kind);
}

void pcie_extcaps_add_serial(struct pcie_kind *kind)
{
	static const struct cfg_field fields[] = {
		{ SPEC_SERIAL_LOW,  31, 0, CFG_HWINIT, 0, "Serial Number, lower" },
		{ SPEC_SERIAL_HIGH, 31, 0, CFG_HWINIT, 0, "Serial Number, upper" },
	};

	pcie_kind_add(kind, PCIE_CAP_SERIAL, fields, array_len(fields));
}

void pcie_extcaps_add_ari(struct pcie_kind *kind)
{
	static const struct cfg_field fields[] = {
		{ SPEC_ARI_CAPABILITY, 15, 8, CFG_HWINIT, 0, "Next Function Number" },
	};

	pcie_kind_add(kind, PCIE_CAP_ARI, fields, array_len(fields));
}

void pcie_extcaps_add_acs(struct pcie_kind *kind)
{
	bool port = kind->role == PCIE_ROLE_ROOT_PORT;
	const struct cfg_field fields[] = {
		{ SPEC_ACS_CAPABILITY, 0, 0, CFG_RO, port, "Source Validation" },
		{ SPEC_ACS_CAPABILITY, 1, 1, CFG_RO, port, "Translation Blocking" },
		{ SPEC_ACS_CAPABILITY, 2, 2, CFG_RO, 1, "P2P Request Redirect" },
		{ SPEC_ACS_CAPABILITY, 3, 3, CFG_RO, 1, "P2P Completion Redirect" },
		{ SPEC_ACS_CAPABILITY, 4, 4, CFG_RO, port, "Upstream Forwarding" },
		{ SPEC_ACS_CAPABILITY, 6, 6, CFG_RO, 1, "Direct Translated P2P" },
		{ SPEC_ACS_CONTROL, 2, 2, CFG_RW, 0, "P2P Request Redirect Enable" },
		{ SPEC_ACS_CONTROL, 3, 3, CFG_RW, 0, "P2P Completion Redirect Enable" },
		{ SPEC_ACS_CONTROL, 6, 6, CFG_RW, 0, "Direct Translated P2P Enable" },
		/* of ports only */
		{ SPEC_ACS_CONTROL, 0, 0, CFG_RW, 0, "Source Validation Enable" },
		{ SPEC_ACS_CONTROL, 1, 1, CFG_RW, 0, "Translation Blocking Enable" },
		{ SPEC_ACS_CONTROL, 4, 4, CFG_RW, 0, "Upstream Forwarding Enable" },
	};

	pcie_kind_add(kind, PCIE_CAP_ACS, fields, array_len(fields) - (port ? 0 : 3));
}

void pcie_extcaps_add_ats(struct pcie_kind *kind)
{
	static const struct cfg_field fields[] = {
		{ SPEC_ATS_CAPABILITY, 4, 0, CFG_RO, 0, "Invalidate Queue Depth: 32" },
		{ SPEC_ATS_CAPABILITY, 5, 5, CFG_RO, 1, "Page Aligned Request" },
		{ SPEC_ATS_CONTROL, 15, 15, CFG_RW, 0, "Enable" },
		/* of a PF only */
		{ SPEC_ATS_CONTROL, 4, 0, CFG_RW, 0, "Smallest Translation Unit" },
	};

	pcie_kind_add(kind, PCIE_CAP_ATS, fields,
		      array_len(fields) - (kind->role == PCIE_ROLE_VF ? 1 : 0));
}
