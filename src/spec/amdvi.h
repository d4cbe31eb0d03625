/* spec/amdvi.h -- AMD's I/O virtualization: registers, table entries, commands and events.
 *
 * AMD I/O Virtualization Technology (IOMMU) Specification, publication 48882; section numbers are
 * those of revision 3. Only what the standard says, without guest translation (GCR3) and guest APIC
 * logs beyond their names.
 *
 * Fields are FIELD(high, low) of base/field.h: bits of one 64-bit word of the entry; FOO_1_BAR is
 * in word 1, the standard's bits 127:64. */
#ifndef SPEC_AMDVI_H
#define SPEC_AMDVI_H

#include "base/field.h"

/* MMIO registers, 64 bits each (3.4). */
enum {
	SPEC_AMDVI_DEVICE_TABLE = 0x00,
	SPEC_AMDVI_COMMAND_BUFFER = 0x08,
	SPEC_AMDVI_EVENT_LOG = 0x10,
	SPEC_AMDVI_CONTROL = 0x18,
	SPEC_AMDVI_EXCLUSION_BASE = 0x20,
	SPEC_AMDVI_EXCLUSION_LIMIT = 0x28,
	SPEC_AMDVI_EXTENDED_FEATURE = 0x30,
	SPEC_AMDVI_PPR_LOG = 0x38,
	SPEC_AMDVI_HARDWARE_EVENT_UPPER = 0x40,
	SPEC_AMDVI_HARDWARE_EVENT_LOWER = 0x48,
	SPEC_AMDVI_HARDWARE_EVENT_STATUS = 0x50,
	SPEC_AMDVI_GUEST_LOG = 0xe0,
	SPEC_AMDVI_GUEST_LOG_TAIL = 0xe8,
	SPEC_AMDVI_DEVICE_TABLE_SEGMENT_1 = 0x100, /* to segment 7 at 0x130 */
	SPEC_AMDVI_COMMAND_HEAD = 0x2000,
	SPEC_AMDVI_COMMAND_TAIL = 0x2008,
	SPEC_AMDVI_EVENT_HEAD = 0x2010,
	SPEC_AMDVI_EVENT_TAIL = 0x2018,
	SPEC_AMDVI_STATUS = 0x2020,
	SPEC_AMDVI_PPR_HEAD = 0x2030,
	SPEC_AMDVI_PPR_TAIL = 0x2038,
	SPEC_AMDVI_REGISTERS_SIZE = 0x4000,
	SPEC_AMDVI_SEGMENTS_MAX = 8,
};

enum {                                             /* DEVICE_TABLE and its segments */
       SPEC_AMDVI_DEVICE_TABLE_SIZE = FIELD(8, 0), /* pages of 4 KiB, minus 1 */
       SPEC_AMDVI_DEVICE_TABLE_BASE = FIELD(51, 12),
};

enum { /* COMMAND_BUFFER, EVENT_LOG and PPR_LOG */
       SPEC_AMDVI_BUFFER_BASE = FIELD(51, 12),
       SPEC_AMDVI_BUFFER_LENGTH = FIELD(59, 56), /* 8..15: 2^n entries of 16 bytes */
};

enum { /* CONTROL */
       SPEC_AMDVI_CONTROL_IOMMU_EN = FIELD_BIT(0),
       SPEC_AMDVI_CONTROL_EVENT_LOG_EN = FIELD_BIT(2),
       SPEC_AMDVI_CONTROL_EVENT_INT_EN = FIELD_BIT(3),
       SPEC_AMDVI_CONTROL_COM_WAIT_INT_EN = FIELD_BIT(4),
       SPEC_AMDVI_CONTROL_INV_TIME_OUT = FIELD(7, 5),
       SPEC_AMDVI_CONTROL_COHERENT = FIELD_BIT(10),
       SPEC_AMDVI_CONTROL_CMD_BUF_EN = FIELD_BIT(12),
       SPEC_AMDVI_CONTROL_PPR_LOG_EN = FIELD_BIT(13),
       SPEC_AMDVI_CONTROL_PPR_INT_EN = FIELD_BIT(14),
       SPEC_AMDVI_CONTROL_PPR_EN = FIELD_BIT(15),
       SPEC_AMDVI_CONTROL_GT_EN = FIELD_BIT(16),
       SPEC_AMDVI_CONTROL_GA_EN = FIELD_BIT(17),  /* interrupt remapping entries of 128 bits */
       SPEC_AMDVI_CONTROL_GAM_EN = FIELD(27, 25), /* guest APIC mode */
       SPEC_AMDVI_CONTROL_DEV_TBL_SEG_EN = FIELD(36, 34), /* 2^n segments */
       SPEC_AMDVI_CONTROL_XT_EN = FIELD_BIT(50),          /* x2APIC destinations */
};

enum { /* EXCLUSION_BASE, EXCLUSION_LIMIT (2.1.4) */
       SPEC_AMDVI_EXCLUSION_EN = FIELD_BIT(0),
       SPEC_AMDVI_EXCLUSION_ALLOW = FIELD_BIT(1), /* for all devices, whatever DTE.EX says */
       SPEC_AMDVI_EXCLUSION_ADDRESS = FIELD(51, 12),
};

enum { /* EXTENDED_FEATURE */
       SPEC_AMDVI_EFR_PREF_SUP = FIELD_BIT(0),
       SPEC_AMDVI_EFR_PPR_SUP = FIELD_BIT(1),
       SPEC_AMDVI_EFR_XT_SUP = FIELD_BIT(2),
       SPEC_AMDVI_EFR_NX_SUP = FIELD_BIT(3),
       SPEC_AMDVI_EFR_GT_SUP = FIELD_BIT(4),
       SPEC_AMDVI_EFR_IA_SUP = FIELD_BIT(6),
       SPEC_AMDVI_EFR_GA_SUP = FIELD_BIT(7),
       SPEC_AMDVI_EFR_HE_SUP = FIELD_BIT(8),
       SPEC_AMDVI_EFR_PC_SUP = FIELD_BIT(9),
       SPEC_AMDVI_EFR_HATS = FIELD(11, 10), /* host page tables of up to 4 + n levels, n < 3 */
       SPEC_AMDVI_EFR_GATS = FIELD(13, 12),
       SPEC_AMDVI_EFR_GLX_SUP = FIELD(15, 14),
       SPEC_AMDVI_EFR_GAM_SUP = FIELD(23, 21),
       SPEC_AMDVI_EFR_PAS_MAX = FIELD(36, 32),
       SPEC_AMDVI_EFR_DEV_TBL_SEG_SUP = FIELD(39, 38),
       SPEC_AMDVI_EFR_GIO_SUP = FIELD_BIT(48),
       SPEC_AMDVI_EFR_HA_SUP = FIELD_BIT(49),
       SPEC_AMDVI_EFR_EPH_SUP = FIELD_BIT(50),
       SPEC_AMDVI_EFR_HD_SUP = FIELD_BIT(52),
};

enum { /* device table entry, 32 bytes, by device identifier (2.2.2) */
       SPEC_AMDVI_DTE_0_V = FIELD_BIT(0),  /* words 0 and 1 are valid */
       SPEC_AMDVI_DTE_0_TV = FIELD_BIT(1), /* the page table fields are valid */
       SPEC_AMDVI_DTE_0_RESERVED = FIELD(6, 2),
       SPEC_AMDVI_DTE_0_HAD = FIELD(8, 7),   /* bit 0: set accessed, bit 1: and dirty bits */
       SPEC_AMDVI_DTE_0_MODE = FIELD(11, 9), /* 0: no page tables, 1 to 6: levels */
       SPEC_AMDVI_DTE_0_ROOT = FIELD(51, 12),
       SPEC_AMDVI_DTE_0_PPR = FIELD_BIT(52),
       SPEC_AMDVI_DTE_0_GPRP = FIELD_BIT(53),
       SPEC_AMDVI_DTE_0_GIOV = FIELD_BIT(54),
       SPEC_AMDVI_DTE_0_GV = FIELD_BIT(55),
       SPEC_AMDVI_DTE_0_GLX = FIELD(57, 56),
       SPEC_AMDVI_DTE_0_GCR3_14_12 = FIELD(60, 58),
       SPEC_AMDVI_DTE_0_IR = FIELD_BIT(61),
       SPEC_AMDVI_DTE_0_IW = FIELD_BIT(62),
       SPEC_AMDVI_DTE_0_RESERVED_HIGH = FIELD_BIT(63),
       SPEC_AMDVI_DTE_1_DOMAIN = FIELD(15, 0),
       SPEC_AMDVI_DTE_1_GCR3_30_15 = FIELD(31, 16),
       SPEC_AMDVI_DTE_1_I = FIELD_BIT(32),  /* ATS requests are served */
       SPEC_AMDVI_DTE_1_SE = FIELD_BIT(33), /* after one page fault event suppress more */
       SPEC_AMDVI_DTE_1_SA = FIELD_BIT(34), /* suppress all page fault events */
       SPEC_AMDVI_DTE_1_IOCTL = FIELD(36, 35),
       SPEC_AMDVI_DTE_1_CACHE = FIELD_BIT(37),
       SPEC_AMDVI_DTE_1_SD = FIELD_BIT(38), /* do not snoop */
       SPEC_AMDVI_DTE_1_EX = FIELD_BIT(39), /* the exclusion range holds for this device */
       SPEC_AMDVI_DTE_1_SYSMGT = FIELD(41, 40),
       SPEC_AMDVI_DTE_1_RESERVED = FIELD_BIT(42),
       SPEC_AMDVI_DTE_1_GCR3_51_31 = FIELD(63, 43),
       SPEC_AMDVI_DTE_2_IV = FIELD_BIT(0),         /* words 2 and 3 are valid */
       SPEC_AMDVI_DTE_2_INT_TAB_LEN = FIELD(4, 1), /* 2^n entries, n <= 11 */
       SPEC_AMDVI_DTE_2_IG = FIELD_BIT(5),         /* suppress events of unmapped interrupts */
       SPEC_AMDVI_DTE_2_INT_TABLE = FIELD(51, 6),  /* aligned to 128 bytes */
       SPEC_AMDVI_DTE_2_RESERVED = FIELD(55, 52),
       SPEC_AMDVI_DTE_2_INIT_PASS = FIELD_BIT(56),
       SPEC_AMDVI_DTE_2_EINT_PASS = FIELD_BIT(57),
       SPEC_AMDVI_DTE_2_NMI_PASS = FIELD_BIT(58),
       SPEC_AMDVI_DTE_2_RESERVED_HIGH = FIELD_BIT(59),
       SPEC_AMDVI_DTE_2_INT_CTL = FIELD(61, 60),
       SPEC_AMDVI_DTE_2_LINT0_PASS = FIELD_BIT(62),
       SPEC_AMDVI_DTE_2_LINT1_PASS = FIELD_BIT(63),
       SPEC_AMDVI_DTE_3_RESERVED = FIELD(53, 0),
       SPEC_AMDVI_DTE_SIZE = 32,

       SPEC_AMDVI_INT_CTL_ABORT = 0,
       SPEC_AMDVI_INT_CTL_FORWARD = 1,
       SPEC_AMDVI_INT_CTL_REMAP = 2,
       SPEC_AMDVI_INT_TAB_LEN_MAX = 11,
};

enum { /* page directory and page table entries, 8 bytes (2.2.3) */
       SPEC_AMDVI_PTE_PR = FIELD_BIT(0),
       SPEC_AMDVI_PTE_A = FIELD_BIT(5),
       SPEC_AMDVI_PTE_D = FIELD_BIT(6), /* page */
       SPEC_AMDVI_PTE_NEXT_LEVEL =
	       FIELD(11, 9), /* 0: a page of the level's size, 7: of a size in its address */
       SPEC_AMDVI_PTE_ADDRESS = FIELD(51, 12),
       SPEC_AMDVI_PTE_RESERVED = FIELD(58, 52), /* page */
       SPEC_AMDVI_PDE_RESERVED = FIELD(60, 52), /* directory */
       SPEC_AMDVI_PTE_U = FIELD_BIT(59),        /* page: ATS: untranslated accesses only */
       SPEC_AMDVI_PTE_FC = FIELD_BIT(60),       /* page: force coherent */
       SPEC_AMDVI_PTE_IR = FIELD_BIT(61),
       SPEC_AMDVI_PTE_IW = FIELD_BIT(62),

       SPEC_AMDVI_PAGE_SHIFT = 12,
       SPEC_AMDVI_LEVEL_BITS = 9,
       SPEC_AMDVI_LEVELS_MAX = 6, /* the sixth has tables only */
       SPEC_AMDVI_NEXT_LEVEL_PAGE = 0,
       SPEC_AMDVI_NEXT_LEVEL_SIZED = 7,
};

enum { /* interrupt remapping entry of 32 bits (2.2.5.1), and word 0 of one of 128 bits (2.2.5.2) */
       SPEC_AMDVI_IRTE_REMAP_EN = FIELD_BIT(0),
       SPEC_AMDVI_IRTE_SUP_IOPF = FIELD_BIT(1), /* suppress page fault events */
       SPEC_AMDVI_IRTE_INT_TYPE = FIELD(4, 2),  /* 0 fixed, 1 arbitrated */
       SPEC_AMDVI_IRTE_RQ_EOI = FIELD_BIT(5),
       SPEC_AMDVI_IRTE_DM = FIELD_BIT(6),
       SPEC_AMDVI_IRTE_GUEST_MODE = FIELD_BIT(7),
       SPEC_AMDVI_IRTE_DESTINATION = FIELD(15, 8),
       SPEC_AMDVI_IRTE_VECTOR = FIELD(23, 16),
       SPEC_AMDVI_IRTE_RESERVED = FIELD(31, 24),
       SPEC_AMDVI_IRTE_SIZE = 4,

       SPEC_AMDVI_GAIRTE_0_DESTINATION = FIELD(31, 8), /* x2APIC: identifier 23:0 */
       SPEC_AMDVI_GAIRTE_0_DESTINATION_XAPIC = FIELD(15, 8),
       SPEC_AMDVI_GAIRTE_0_RESERVED = FIELD(63, 32),
       SPEC_AMDVI_GAIRTE_0_GA_LOG_INTR = FIELD_BIT(2), /* guest mode */
       SPEC_AMDVI_GAIRTE_0_IS_RUN = FIELD_BIT(6),      /* guest mode */
       SPEC_AMDVI_GAIRTE_0_RESERVED_GUEST = FIELD(5, 3),
       SPEC_AMDVI_GAIRTE_0_GA_TAG = FIELD(63, 32), /* guest mode */
       SPEC_AMDVI_GAIRTE_1_VECTOR = FIELD(7, 0),
       SPEC_AMDVI_GAIRTE_1_RESERVED = FIELD(55, 8),
       SPEC_AMDVI_GAIRTE_1_RESERVED_GUEST = FIELD(11, 8),
       SPEC_AMDVI_GAIRTE_1_APIC_PAGE = FIELD(51, 12), /* guest mode */
       SPEC_AMDVI_GAIRTE_1_RESERVED_GUEST_HIGH = FIELD(55, 52),
       SPEC_AMDVI_GAIRTE_1_DESTINATION_HIGH = FIELD(63, 56), /* x2APIC: identifier 31:24 */
       SPEC_AMDVI_GAIRTE_SIZE = 16,

       SPEC_AMDVI_MSI_DATA_INDEX = FIELD(10, 0),
};

/* Delivery modes of an interrupt message's data, bits 10:8, that the device table entry rules on.
 */
enum {
	SPEC_MSI_DLM_FIXED = 0,
	SPEC_MSI_DLM_LOWEST_PRIORITY = 1,
	SPEC_MSI_DLM_SMI = 2,
	SPEC_MSI_DLM_NMI = 4,
	SPEC_MSI_DLM_INIT = 5,
	SPEC_MSI_DLM_EXT_INT = 7,
};

enum { /* commands, 16 bytes (2.4); bits 63:60 of word 0 */
       SPEC_AMDVI_COMMAND_OPCODE = FIELD(63, 60),
       SPEC_AMDVI_COMPLETION_WAIT = 1,
       SPEC_AMDVI_INVALIDATE_DEVTAB_ENTRY = 2,
       SPEC_AMDVI_INVALIDATE_IOMMU_PAGES = 3,
       SPEC_AMDVI_INVALIDATE_IOTLB_PAGES = 4,
       SPEC_AMDVI_INVALIDATE_INTERRUPT_TABLE = 5,
       SPEC_AMDVI_PREFETCH_IOMMU_PAGES = 6,
       SPEC_AMDVI_COMPLETE_PPR_REQUEST = 7,
       SPEC_AMDVI_INVALIDATE_IOMMU_ALL = 8,
       SPEC_AMDVI_COMMAND_SIZE = 16,
};

enum { /* event log entries, 16 bytes (2.5), word 0; word 1 is the address */
       SPEC_AMDVI_EVENT_0_DEVICE = FIELD(15, 0),
       SPEC_AMDVI_EVENT_0_PASID_HIGH = FIELD(19, 16),
       SPEC_AMDVI_EVENT_0_DOMAIN = FIELD(47, 32), /* or PASID[15:0] */
       SPEC_AMDVI_EVENT_0_FLAGS = FIELD(59, 48),
       SPEC_AMDVI_EVENT_0_CODE = FIELD(63, 60),
       SPEC_AMDVI_EVENT_SIZE = 16,

       SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY = 1, /* 2.5.2 */
       SPEC_AMDVI_IO_PAGE_FAULT = 2,           /* 2.5.3 */
       SPEC_AMDVI_DEV_TAB_HARDWARE_ERROR = 3,  /* 2.5.4 */
       SPEC_AMDVI_PAGE_TAB_HARDWARE_ERROR = 4, /* 2.5.5 */
       SPEC_AMDVI_ILLEGAL_COMMAND_ERROR = 5,   /* 2.5.6 */
       SPEC_AMDVI_COMMAND_HARDWARE_ERROR = 6,  /* 2.5.7 */
       SPEC_AMDVI_IOTLB_INV_TIMEOUT = 7,       /* 2.5.8 */
       SPEC_AMDVI_INVALID_DEVICE_REQUEST = 8,  /* 2.5.9 */
       SPEC_AMDVI_INVALID_PPR_REQUEST = 9,     /* 2.5.10 */
       SPEC_AMDVI_EVENT_COUNTER_ZERO = 10,     /* 2.5.11 */

       /* of the flags, bits 11:0 */
       SPEC_AMDVI_FLAG_GN = 1 << 0, /* guest or nested */
       SPEC_AMDVI_FLAG_NX = 1 << 1,
       SPEC_AMDVI_FLAG_US = 1 << 2,
       SPEC_AMDVI_FLAG_I = 1 << 3,  /* an interrupt */
       SPEC_AMDVI_FLAG_PR = 1 << 4, /* what was asked for is present */
       SPEC_AMDVI_FLAG_RW = 1 << 5, /* a write; only with PR */
       SPEC_AMDVI_FLAG_PE = 1 << 6, /* a right is missing; only with PR */
       SPEC_AMDVI_FLAG_RZ = 1 << 7, /* a reserved bit is set; else a wrong encoding */
       SPEC_AMDVI_FLAG_TR = 1 << 8, /* a translation request */
       SPEC_AMDVI_FLAG_TYPE_SHIFT = 9,
       /* type of a hardware error */
       SPEC_AMDVI_TYPE_MASTER_ABORT = 1,
       SPEC_AMDVI_TYPE_TARGET_ABORT = 2,
       SPEC_AMDVI_TYPE_DATA_ERROR = 3,
       /* type of an invalid device request */
       SPEC_AMDVI_TYPE_READ_OF_INTERRUPTS = 0,
       SPEC_AMDVI_TYPE_PRETRANSLATED = 1,
};

enum { /* STATUS (3.4.12) */
       SPEC_AMDVI_STATUS_EVENT_OVERFLOW = FIELD_BIT(0),
       SPEC_AMDVI_STATUS_EVENT_LOG_INT = FIELD_BIT(1),
       SPEC_AMDVI_STATUS_COM_WAIT_INT = FIELD_BIT(2),
       SPEC_AMDVI_STATUS_EVENT_LOG_RUN = FIELD_BIT(3),
       SPEC_AMDVI_STATUS_CMD_BUF_RUN = FIELD_BIT(4),
       SPEC_AMDVI_STATUS_PPR_OVERFLOW = FIELD_BIT(5),
       SPEC_AMDVI_STATUS_PPR_INT = FIELD_BIT(6),
       SPEC_AMDVI_STATUS_PPR_LOG_RUN = FIELD_BIT(7),
       SPEC_AMDVI_POINTER = FIELD(18, 4), /* head and tail registers: offset in bytes */
};

enum { /* fields of commands (2.4) */
       SPEC_AMDVI_WAIT_0_S = FIELD_BIT(0), /* store word 1 */
       SPEC_AMDVI_WAIT_0_I = FIELD_BIT(1), /* interrupt */
       SPEC_AMDVI_WAIT_0_F = FIELD_BIT(2), /* flush */
       SPEC_AMDVI_WAIT_0_ADDRESS = FIELD(51, 3),
       SPEC_AMDVI_COMMAND_0_DEVICE = FIELD(15, 0),
       SPEC_AMDVI_PAGES_0_PASID = FIELD(19, 0),
       SPEC_AMDVI_PAGES_0_DOMAIN = FIELD(47, 32),
       SPEC_AMDVI_PAGES_1_S = FIELD_BIT(0), /* the address's low ones give the size */
       SPEC_AMDVI_PAGES_1_PDE = FIELD_BIT(1),
       SPEC_AMDVI_PAGES_1_GN = FIELD_BIT(2), /* PASID is valid */
       SPEC_AMDVI_PAGES_1_ADDRESS = FIELD(63, 12),
       SPEC_AMDVI_IOTLB_0_PASID_MIDDLE = FIELD(23, 16), /* PASID[15:8] */
       SPEC_AMDVI_IOTLB_0_MAX_PENDING = FIELD(31, 24),
       SPEC_AMDVI_IOTLB_0_QUEUE = FIELD(47, 32),
       SPEC_AMDVI_IOTLB_0_PASID_LOW = FIELD(55, 48),  /* PASID[7:0] */
       SPEC_AMDVI_IOTLB_0_PASID_HIGH = FIELD(59, 56), /* PASID[19:16] */
       SPEC_AMDVI_IOTLB_1_TYPE = FIELD(5, 4),
       SPEC_AMDVI_PPR_0_PASID = FIELD(51, 32),
       SPEC_AMDVI_PPR_1_GN = FIELD_BIT(2),
       SPEC_AMDVI_PPR_1_TAG = FIELD(40, 32), /* page request group index */
       SPEC_AMDVI_PPR_1_STATUS = FIELD(47, 44),
};

enum { /* page request log entry, 16 bytes (2.6); word 1 is the address */
       SPEC_AMDVI_PPRLOG_0_DEVICE = FIELD(15, 0),
       SPEC_AMDVI_PPRLOG_0_PASID_LOW = FIELD(31, 16),
       SPEC_AMDVI_PPRLOG_0_TAG = FIELD(40, 32),
       SPEC_AMDVI_PPRLOG_0_LAST = FIELD_BIT(41), /* of its group */
       SPEC_AMDVI_PPRLOG_0_PASID_HIGH = FIELD(45, 42),
       SPEC_AMDVI_PPRLOG_0_EXECUTE = FIELD_BIT(49),
       SPEC_AMDVI_PPRLOG_0_READ = FIELD_BIT(50),
       SPEC_AMDVI_PPRLOG_0_WRITE = FIELD_BIT(53),
       SPEC_AMDVI_PPRLOG_0_USER = FIELD_BIT(54),
       SPEC_AMDVI_PPRLOG_0_GN = FIELD_BIT(56), /* PASID is valid */
       SPEC_AMDVI_PPRLOG_0_CODE = FIELD(63, 60),
       SPEC_AMDVI_PAGE_SERVICE_REQUEST = 1,
};

#endif
