/* spec/nvme.h -- an NVM Express controller: registers, queue entries, status codes, opcodes, data
 * pointers.
 *
 * NVM Express Base Specification 2.0 (sections are its own where nothing else is said), NVM Express
 * over PCIe Transport 1.0, NVM Command Set Specification 1.0.  Only what the standards say.
 * What Identify, features and logs hold is in spec/nvme_admin.h. */
#ifndef SPEC_NVME_H
#define SPEC_NVME_H

#include "base/field.h"

enum { /* controller properties, bytes into BAR 0; 3.1.3 */
       NVME_REG_CAP = 0x00,
       NVME_REG_VS = 0x08,
       NVME_REG_INTMS = 0x0c,
       NVME_REG_INTMC = 0x10,
       NVME_REG_CC = 0x14,
       NVME_REG_CSTS = 0x1c,
       NVME_REG_NSSR = 0x20,
       NVME_REG_AQA = 0x24,
       NVME_REG_ASQ = 0x28,
       NVME_REG_ACQ = 0x30,
       NVME_REG_CRTO = 0x68,
       NVME_REG_DOORBELLS = 0x1000, /* PCIe transport 3.1.2 */
       NVME_DOORBELL_SIZE = 4,	    /* with CAP.DSTRD 0 */
};

enum { /* 3.1.3.1: CAP */
       NVME_CAP_MQES = FIELD(15, 0),
       NVME_CAP_CQR = FIELD_BIT(16),
       NVME_CAP_AMS = FIELD(18, 17),
       NVME_CAP_TO = FIELD(31, 24), /* units of 500 ms */
       NVME_CAP_DSTRD = FIELD(35, 32),
       NVME_CAP_NSSRS = FIELD_BIT(36),
       NVME_CAP_CSS = FIELD(44, 37),
       NVME_CAP_MPSMIN = FIELD(51, 48),
       NVME_CAP_MPSMAX = FIELD(55, 52),
       NVME_CAP_CRWMS = FIELD_BIT(59),
       NVME_CSS_NVM = 1, /* bit 0 of CAP.CSS */
       NVME_VERSION = 0x00020000,
};

enum { /* 3.1.3.5: CC */
       NVME_CC_EN = FIELD_BIT(0),
       NVME_CC_CSS = FIELD(6, 4),
       NVME_CC_MPS = FIELD(10, 7),
       NVME_CC_AMS = FIELD(13, 11),
       NVME_CC_SHN = FIELD(15, 14),
       NVME_CC_IOSQES = FIELD(19, 16),
       NVME_CC_IOCQES = FIELD(23, 20),
       NVME_CC_CRIME = FIELD_BIT(24),
       NVME_CC_WRITABLE = 0x00fffff1,
       NVME_CC_KEPT_WHILE_ENABLED = 0x00003ff0, /* CSS, MPS, AMS change while EN is 0 only */
};

enum { /* 3.1.3.6: CSTS */
       NVME_CSTS_RDY = 1 << 0,
       NVME_CSTS_CFS = 1 << 1,
       NVME_CSTS_SHST = FIELD(3, 2),
       NVME_CSTS_NSSRO = 1 << 4,
       NVME_SHST_NORMAL = 0,
       NVME_SHST_OCCURRING = 1,
       NVME_SHST_COMPLETE = 2,
       NVME_NSSR_RESET = 0x4e564d65, /* "NVMe"; 3.1.3.7 */
};

enum { /* 3.1.3.8: AQA, sizes less one */
       NVME_AQA_ASQS = FIELD(11, 0),
       NVME_AQA_ACQS = FIELD(27, 16),
       NVME_AQA_WRITABLE = 0x0fff0fff,
};

enum { /* submission queue entry, bytes; 3.3.3.1 */
       NVME_SQE_SIZE = 64,
       NVME_SQE_OPC = 0,
       NVME_SQE_FLAGS = 1, /* FUSE 1:0, PSDT 7:6 */
       NVME_SQE_CID = 2,
       NVME_SQE_NSID = 4,
       NVME_SQE_CDW2 = 8,
       NVME_SQE_CDW3 = 12,
       NVME_SQE_MPTR = 16,
       NVME_SQE_DPTR = 24, /* PRP entry 1, or an SGL descriptor */
       NVME_SQE_PRP2 = 32,
       NVME_SQE_CDW10 = 40,
       NVME_SQE_CDW11 = 44,
       NVME_SQE_CDW12 = 48,
       NVME_SQE_CDW13 = 52,
       NVME_SQE_CDW14 = 56,
       NVME_SQE_CDW15 = 60,
       NVME_FUSE_MASK = 3,
       NVME_FUSE_FIRST = 1,
       NVME_FUSE_SECOND = 2,
       NVME_PSDT_SHIFT = 6,
       NVME_PSDT_PRP = 0,
       NVME_PSDT_SGL = 1,	    /* metadata: one buffer */
       NVME_PSDT_SGL_METADATA = 2, /* metadata: an SGL */
};

enum { /* completion queue entry, bytes; 3.3.3.2 */
       NVME_CQE_SIZE = 16,
       NVME_CQE_DW0 = 0,
       NVME_CQE_DW1 = 4,
       NVME_CQE_SQHD = 8,
       NVME_CQE_SQID = 10,
       NVME_CQE_CID = 12,
       NVME_CQE_STATUS = 14, /* phase tag in bit 0, then the status field */
};

/* The status field without the phase tag: type in bits 10:8, code in 7:0.  3.3.3.2.1 */
enum {
	NVME_STATUS_CODE_MASK = 0x7ff,
	NVME_STATUS_MORE = 1 << 13, /* the error log says more */
	NVME_STATUS_DNR = 1 << 14,  /* do not retry */
};

enum nvme_status {
	NVME_SUCCESS = 0x000, /* generic; figure 99 */
	NVME_INVALID_OPCODE = 0x001,
	NVME_INVALID_FIELD = 0x002,
	NVME_CID_CONFLICT = 0x003,
	NVME_DATA_TRANSFER_ERROR = 0x004,
	NVME_INTERNAL_ERROR = 0x006,
	NVME_ABORT_REQUESTED = 0x007,
	NVME_ABORTED_SQ_DELETION = 0x008,
	NVME_ABORTED_FAILED_FUSED = 0x009,
	NVME_ABORTED_MISSING_FUSED = 0x00a,
	NVME_INVALID_NAMESPACE = 0x00b,
	NVME_SEQUENCE_ERROR = 0x00c,
	NVME_INVALID_SGL_SEGMENT = 0x00d,
	NVME_INVALID_SGL_COUNT = 0x00e,
	NVME_DATA_SGL_LENGTH_INVALID = 0x00f,
	NVME_SGL_TYPE_INVALID = 0x011,
	NVME_PRP_OFFSET_INVALID = 0x013,
	NVME_ATOMIC_UNIT_EXCEEDED = 0x014,
	NVME_OPERATION_DENIED = 0x015,
	NVME_HOST_ID_INCONSISTENT = 0x018,
	NVME_ABORTED_PREEMPT = 0x01b,
	NVME_SANITIZE_FAILED = 0x01c,
	NVME_SANITIZE_IN_PROGRESS = 0x01d,
	NVME_WRITE_PROTECTED = 0x020,
	NVME_LBA_OUT_OF_RANGE = 0x080,
	NVME_CAPACITY_EXCEEDED = 0x081,
	NVME_NAMESPACE_NOT_READY = 0x082,
	NVME_RESERVATION_CONFLICT = 0x083,
	NVME_FORMAT_IN_PROGRESS = 0x084,

	NVME_CQ_INVALID = 0x100, /* command specific; figure 100 */
	NVME_INVALID_QUEUE_ID = 0x101,
	NVME_INVALID_QUEUE_SIZE = 0x102,
	NVME_ABORT_LIMIT = 0x103,
	NVME_AER_LIMIT = 0x105,
	NVME_INVALID_FIRMWARE_SLOT = 0x106,
	NVME_INVALID_VECTOR = 0x108,
	NVME_INVALID_LOG_PAGE = 0x109,
	NVME_INVALID_FORMAT = 0x10a,
	NVME_INVALID_QUEUE_DELETION = 0x10c,
	NVME_FEATURE_NOT_SAVEABLE = 0x10d,
	NVME_FEATURE_NOT_CHANGEABLE = 0x10e,
	NVME_FEATURE_NOT_OF_NAMESPACE = 0x10f,
	NVME_INSUFFICIENT_CAPACITY = 0x115,
	NVME_NSID_UNAVAILABLE = 0x116,
	NVME_ALREADY_ATTACHED = 0x118,
	NVME_NAMESPACE_PRIVATE = 0x119,
	NVME_NOT_ATTACHED = 0x11a,
	NVME_THIN_NOT_SUPPORTED = 0x11b,
	NVME_CONTROLLER_LIST_INVALID = 0x11c,
	NVME_INVALID_CONTROLLER_ID = 0x11f,
	NVME_INVALID_SECONDARY_STATE = 0x120,
	NVME_INVALID_RESOURCE_COUNT = 0x121,
	NVME_INVALID_RESOURCE_ID = 0x122,
	NVME_CONFLICTING_ATTRIBUTES = 0x180, /* NVM command set, figure 13 */
	NVME_READ_ONLY_RANGE = 0x182,
	NVME_SIZE_LIMIT_EXCEEDED = 0x183,

	NVME_WRITE_FAULT = 0x280, /* media; figure 102 */
	NVME_READ_ERROR = 0x281,
	NVME_COMPARE_FAILURE = 0x285,

	NVME_PATH_ERROR = 0x370, /* path related, figure 103: a host pathing error */
};

enum { /* admin opcodes; figure 138 */
       NVME_ADMIN_DELETE_SQ = 0x00,
       NVME_ADMIN_CREATE_SQ = 0x01,
       NVME_ADMIN_GET_LOG = 0x02,
       NVME_ADMIN_DELETE_CQ = 0x04,
       NVME_ADMIN_CREATE_CQ = 0x05,
       NVME_ADMIN_IDENTIFY = 0x06,
       NVME_ADMIN_ABORT = 0x08,
       NVME_ADMIN_SET_FEATURES = 0x09,
       NVME_ADMIN_GET_FEATURES = 0x0a,
       NVME_ADMIN_ASYNC_EVENT = 0x0c,
       NVME_ADMIN_MANAGE_NAMESPACE = 0x0d,
       NVME_ADMIN_ATTACH_NAMESPACE = 0x15,
       NVME_ADMIN_VIRTUALIZATION = 0x1c,
       NVME_ADMIN_DOORBELL_BUFFER = 0x7c,
       NVME_ADMIN_FORMAT = 0x80,
       NVME_ADMIN_SANITIZE = 0x84,
};

enum { /* I/O opcodes; NVM command set, figure 22 */
       NVME_IO_FLUSH = 0x00,
       NVME_IO_WRITE = 0x01,
       NVME_IO_READ = 0x02,
       NVME_IO_COMPARE = 0x05,
       NVME_IO_WRITE_ZEROES = 0x08,
       NVME_IO_DATASET = 0x09,
       NVME_IO_VERIFY = 0x0c,
       NVME_IO_RESERVE_REGISTER = 0x0d,
       NVME_IO_RESERVE_REPORT = 0x0e,
       NVME_IO_RESERVE_ACQUIRE = 0x11,
       NVME_IO_RESERVE_RELEASE = 0x15,
};

enum { NVME_NSID_ALL = -1 }; /* 0xffffffff: every namespace; 3.2.1.2 */

enum { /* CDW12 of read, write, compare, write zeroes, verify; NVM command set, section 3.2 */
       NVME_RW_NLB = FIELD(15, 0), /* less one */
       NVME_RW_DEAC = FIELD_BIT(25),
       NVME_RW_PRINFO = FIELD(29, 26),
       NVME_RW_FUA = FIELD_BIT(30),
       NVME_RW_LR = FIELD_BIT(31),
};

enum { /* dataset management; NVM command set, 3.2.3 */
       NVME_DSM_NR = FIELD(7, 0), /* ranges less one, in CDW10 */
       NVME_DSM_AD = 1 << 2,	  /* CDW11: deallocate */
       NVME_DSM_RANGE_SIZE = 16,
       NVME_DSM_RANGE_LENGTH = 4,
       NVME_DSM_RANGE_SLBA = 8,
};

enum { /* creating and deleting I/O queues; 5.4, 5.5 */
       NVME_QUEUE_ID = FIELD(15, 0),	/* CDW10 */
       NVME_QUEUE_SIZE = FIELD(31, 16), /* CDW10, less one */
       NVME_QUEUE_PC = FIELD_BIT(0),	/* CDW11: physically contiguous */
       NVME_CQ_IEN = FIELD_BIT(1),
       NVME_CQ_VECTOR = FIELD(31, 16),
       NVME_SQ_CQID = FIELD(31, 16),
       NVME_SQES = 6, /* log2 of entries' sizes */
       NVME_CQES = 4,
};

enum { /* SGL descriptor, 16 bytes; 4.1.2 */
       NVME_SGL_SIZE = 16,
       NVME_SGL_ADDRESS = 0,
       NVME_SGL_LENGTH = 8,
       NVME_SGL_ID = 15, /* type in 7:4, subtype in 3:0 */
       NVME_SGL_DATA_BLOCK = 0x00,
       NVME_SGL_BIT_BUCKET = 0x10,
       NVME_SGL_SEGMENT = 0x20,
       NVME_SGL_LAST_SEGMENT = 0x30,
};

enum { /* PRP entries; 4.1.1 */
       NVME_PAGE_SIZE = 4096,
       NVME_PRP_SIZE = 8,
       NVME_PRP_ENTRIES = NVME_PAGE_SIZE / NVME_PRP_SIZE,
};

#endif
