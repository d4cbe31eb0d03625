/* spec/pcie_ext.h -- PCI Express extended capabilities, from 0x100 on, but for SR-IOV.
 *
 * PCI Express Base Specification 5.0, chapters 7 and 10.  Only what the standard says.  Offsets
 * count from the start of the capability. */
#ifndef SPEC_PCIE_EXT_H
#define SPEC_PCIE_EXT_H

/* Header of every extended capability, 7.6.3: ID in 15:0, version in 19:16, next in 31:20. */
enum {
	SPEC_EXT_HEADER_SIZE = 4,
	SPEC_EXT_FIRST = 0x100,

	SPEC_EXT_CAP_AER = 0x0001,
	SPEC_EXT_CAP_SERIAL = 0x0003,
	SPEC_EXT_CAP_ACS = 0x000d,
	SPEC_EXT_CAP_ARI = 0x000e,
	SPEC_EXT_CAP_ATS = 0x000f,
	SPEC_EXT_CAP_SRIOV = 0x0010,
};

/* Advanced Error Reporting, 7.8.4. */
enum {
	SPEC_AER_UNCORRECTABLE_STATUS = 0x04,   /* 32 bits, 7.8.4.2 */
	SPEC_AER_UNCORRECTABLE_MASK = 0x08,     /* 32 bits, 7.8.4.3 */
	SPEC_AER_UNCORRECTABLE_SEVERITY = 0x0c, /* 32 bits, 7.8.4.4 */
	SPEC_AER_CORRECTABLE_STATUS = 0x10,     /* 32 bits, 7.8.4.5 */
	SPEC_AER_CORRECTABLE_MASK = 0x14,       /* 32 bits, 7.8.4.6 */
	SPEC_AER_CONTROL = 0x18,                /* 32 bits, 7.8.4.7 */
	SPEC_AER_HEADER_LOG = 0x1c,             /* 4 x 32 bits, 7.8.4.8 */
	SPEC_AER_ROOT_COMMAND = 0x2c,           /* 32 bits, 7.8.4.9 */
	SPEC_AER_ROOT_STATUS = 0x30,            /* 32 bits, 7.8.4.10 */
	SPEC_AER_ERROR_SOURCE = 0x34,           /* 32 bits, 7.8.4.11 */
	SPEC_AER_SIZE = 0x48,
};

/* Bit numbers of uncorrectable errors, 7.8.4.2. */
enum {
	SPEC_AER_DATA_LINK_PROTOCOL = 4,
	SPEC_AER_SURPRISE_DOWN = 5,
	SPEC_AER_POISONED_TLP = 12,
	SPEC_AER_FLOW_CONTROL_PROTOCOL = 13,
	SPEC_AER_COMPLETION_TIMEOUT = 14,
	SPEC_AER_COMPLETER_ABORT = 15,
	SPEC_AER_UNEXPECTED_COMPLETION = 16,
	SPEC_AER_RECEIVER_OVERFLOW = 17,
	SPEC_AER_MALFORMED_TLP = 18,
	SPEC_AER_ECRC = 19,
	SPEC_AER_UNSUPPORTED_REQUEST = 20,
	SPEC_AER_ACS_VIOLATION = 21,
	SPEC_AER_INTERNAL = 22,
};

/* Bit numbers of correctable errors, 7.8.4.5. */
enum {
	SPEC_AER_RECEIVER_ERROR = 0,
	SPEC_AER_BAD_TLP = 6,
	SPEC_AER_BAD_DLLP = 7,
	SPEC_AER_REPLAY_ROLLOVER = 8,
	SPEC_AER_REPLAY_TIMEOUT = 12,
	SPEC_AER_ADVISORY_NON_FATAL = 13,
	SPEC_AER_CORRECTED_INTERNAL = 14,
	SPEC_AER_HEADER_LOG_OVERFLOW = 15,
};

/* Device Serial Number, 7.9.3. */
enum {
	SPEC_SERIAL_LOW = 0x04,  /* 32 bits */
	SPEC_SERIAL_HIGH = 0x08, /* 32 bits */
	SPEC_SERIAL_SIZE = 0x0c,
};

/* Access Control Services, 7.7.8. */
enum {
	SPEC_ACS_CAPABILITY = 0x04, /* 16 bits, 7.7.8.2 */
	SPEC_ACS_CONTROL = 0x06,    /* 16 bits, 7.7.8.3 */
	SPEC_ACS_SIZE = 0x08,
	SPEC_ACS_SOURCE_VALIDATION = 1 << 0,
	SPEC_ACS_TRANSLATION_BLOCKING = 1 << 1,
	SPEC_ACS_REQUEST_REDIRECT = 1 << 2,
	SPEC_ACS_COMPLETION_REDIRECT = 1 << 3,
	SPEC_ACS_UPSTREAM_FORWARDING = 1 << 4,
	SPEC_ACS_DIRECT_TRANSLATED = 1 << 6,
};

/* Alternative Routing-ID Interpretation, 7.8.7. */
enum {
	SPEC_ARI_CAPABILITY = 0x04, /* 16 bits, 7.8.7.2 */
	SPEC_ARI_CONTROL = 0x06,    /* 16 bits, 7.8.7.3 */
	SPEC_ARI_SIZE = 0x08,
};

/* Address Translation Services, 10.5.1. */
enum {
	SPEC_ATS_CAPABILITY = 0x04, /* 16 bits, 10.5.1.2 */
	SPEC_ATS_CONTROL = 0x06,    /* 16 bits, 10.5.1.3 */
	SPEC_ATS_SIZE = 0x08,
	SPEC_ATS_ENABLE = 1 << 15,
};

#endif
