/* spec/nvme_admin.h -- NVM Express: what Identify, features, log pages, asynchronous events,
 * namespace management, reservations and virtualization management hold.
 *
 * NVM Express Base Specification 2.0; sections are its own where nothing else is said.  Offsets are
 * bytes.  Only what the standard says. */
#ifndef SPEC_NVME_ADMIN_H
#define SPEC_NVME_ADMIN_H

#include "base/field.h"

enum { NVME_IDENTIFY_SIZE = 4096, NVME_ID_LIST_MAX = 1024, NVME_CONTROLLER_LIST_MAX = 2047 };

enum { /* CNS of Identify; figure 273 */
       NVME_CNS_NAMESPACE = 0x00,
       NVME_CNS_CONTROLLER = 0x01,
       NVME_CNS_ACTIVE_LIST = 0x02,
       NVME_CNS_DESCRIPTORS = 0x03,
       NVME_CNS_SET_NAMESPACE = 0x05, /* of an I/O command set */
       NVME_CNS_SET_CONTROLLER = 0x06,
       NVME_CNS_SET_ACTIVE_LIST = 0x07,
       NVME_CNS_INDEPENDENT = 0x08, /* of any I/O command set */
       NVME_CNS_ALLOCATED_LIST = 0x10,
       NVME_CNS_ALLOCATED = 0x11,
       NVME_CNS_ATTACHED_CONTROLLERS = 0x12,
       NVME_CNS_CONTROLLERS = 0x13,
       NVME_CNS_PRIMARY = 0x14,
       NVME_CNS_SECONDARY = 0x15,
       NVME_CNS_COMMAND_SETS = 0x1c,
};

enum { /* Identify Controller; figure 275 */
       NVME_IDC_VID = 0,
       NVME_IDC_SSVID = 2,
       NVME_IDC_SN = 4,
       NVME_IDC_SN_SIZE = 20,
       NVME_IDC_MN = 24,
       NVME_IDC_MN_SIZE = 40,
       NVME_IDC_FR = 64,
       NVME_IDC_FR_SIZE = 8,
       NVME_IDC_RAB = 72,
       NVME_IDC_CMIC = 76,
       NVME_IDC_MDTS = 77,
       NVME_IDC_CNTLID = 78,
       NVME_IDC_VER = 80,
       NVME_IDC_RTD3R = 84,
       NVME_IDC_RTD3E = 88,
       NVME_IDC_OAES = 92,
       NVME_IDC_CTRATT = 96,
       NVME_IDC_CNTRLTYPE = 111,
       NVME_IDC_OACS = 256,
       NVME_IDC_ACL = 258,
       NVME_IDC_AERL = 259,
       NVME_IDC_FRMW = 260,
       NVME_IDC_LPA = 261,
       NVME_IDC_ELPE = 262,
       NVME_IDC_NPSS = 263,
       NVME_IDC_WCTEMP = 266,
       NVME_IDC_CCTEMP = 268,
       NVME_IDC_TNVMCAP = 280,
       NVME_IDC_UNVMCAP = 296,
       NVME_IDC_SANICAP = 328,
       NVME_IDC_SQES = 512,
       NVME_IDC_CQES = 513,
       NVME_IDC_MAXCMD = 514,
       NVME_IDC_NN = 516,
       NVME_IDC_ONCS = 520,
       NVME_IDC_FUSES = 522,
       NVME_IDC_FNA = 524,
       NVME_IDC_VWC = 525,
       NVME_IDC_AWUN = 526,
       NVME_IDC_AWUPF = 528,
       NVME_IDC_ACWU = 532,
       NVME_IDC_SGLS = 536,
       NVME_IDC_MNAN = 540,
       NVME_IDC_SUBNQN = 768,
       NVME_IDC_SUBNQN_SIZE = 256,
       NVME_IDC_PSD0 = 2048,

       NVME_CMIC_CONTROLLERS = 1 << 1,
       NVME_CMIC_VF = 1 << 2,
       NVME_CTRATT_HOSTID128 = 1 << 0,
       NVME_CTRLTYPE_IO = 1,
       NVME_OACS_FORMAT = 1 << 1,
       NVME_OACS_NAMESPACES = 1 << 3,
       NVME_OACS_VIRTUALIZATION = 1 << 7,
       NVME_OACS_DOORBELL_BUFFER = 1 << 8,
       NVME_FRMW_SLOTS = FIELD(3, 1),
       NVME_FRMW_READ_ONLY = 1 << 0,
       NVME_LPA_EFFECTS = 1 << 1,
       NVME_LPA_EXTENDED = 1 << 2,
       NVME_LPA_SUPPORTED = 1 << 5,
       NVME_SANICAP_BLOCK_ERASE = 1 << 1,
       NVME_SANICAP_OVERWRITE = 1 << 2,
       NVME_SANICAP_NODMMAS_NONE = 1 << 30, /* media is not modified after a sanitize */
       NVME_ONCS_COMPARE = 1 << 0,
       NVME_ONCS_DATASET = 1 << 2,
       NVME_ONCS_WRITE_ZEROES = 1 << 3,
       NVME_ONCS_RESERVATIONS = 1 << 5,
       NVME_ONCS_TIMESTAMP = 1 << 6,
       NVME_ONCS_VERIFY = 1 << 7,
       NVME_FUSES_COMPARE_WRITE = 1 << 0,
       NVME_VWC_PRESENT = 1 << 0,
       NVME_VWC_FLUSH_ALL = 3 << 1, /* flush takes NSID ffffffff */
       NVME_SGLS_BYTES = 1,	    /* no alignment asked for */
       NVME_SGLS_BIT_BUCKET = 1 << 16,
       NVME_SGLS_LONGER = 1 << 18, /* an SGL may be longer than the data */
};

enum { /* Identify Namespace; NVM command set, figure 97 */
       NVME_IDN_NSZE = 0,
       NVME_IDN_NCAP = 8,
       NVME_IDN_NUSE = 16,
       NVME_IDN_NSFEAT = 24,
       NVME_IDN_NLBAF = 25,
       NVME_IDN_FLBAS = 26,
       NVME_IDN_DPS = 29,
       NVME_IDN_NMIC = 30,
       NVME_IDN_RESCAP = 31,
       NVME_IDN_FPI = 32,
       NVME_IDN_DLFEAT = 33,
       NVME_IDN_NVMCAP = 48,
       NVME_IDN_NPWG = 64,
       NVME_IDN_NPWA = 66,
       NVME_IDN_NPDG = 68,
       NVME_IDN_NPDA = 70,
       NVME_IDN_NOWS = 72,
       NVME_IDN_NSATTR = 99,
       NVME_IDN_NGUID = 104,
       NVME_IDN_LBAF0 = 128,
       NVME_LBAF_LBADS = FIELD(23, 16),

       NVME_NSFEAT_OPTPERF = 1 << 4, /* NPWG, NPWA, NPDG, NPDA and NOWS are there */
       NVME_NMIC_SHARED = 1 << 0,
       NVME_NSATTR_WRITE_PROTECTED = 1 << 0,
       NVME_DLFEAT_ZEROES = 1, /* deallocated blocks read zeroes */
       NVME_DLFEAT_WRITE_ZEROES = 1 << 3,
       NVME_RESCAP_PTPL = 0x01, /* Persist Through Power Loss */
       NVME_RESCAP_ALL = 0xfe, /* six types, and 1.3's Ignore Existing Key */
};

enum { /* independent of the command set; figure 280 */
       NVME_IDI_NSFEAT = 0,
       NVME_IDI_NMIC = 1,
       NVME_IDI_RESCAP = 2,
       NVME_IDI_FPI = 3,
       NVME_IDI_NSATTR = 8,
       NVME_IDI_NSTAT = 14,
       NVME_NSTAT_READY = 1,
};

enum { /* namespace identification descriptors; figure 277 */
       NVME_NID_TYPE = 0,
       NVME_NID_LENGTH = 1,
       NVME_NID_VALUE = 4,
       NVME_NIDT_NGUID = 2,
       NVME_NIDT_CSI = 4,
};

enum { /* primary controller capabilities; figure 281 */
       NVME_PRIMARY_CNTLID = 0,
       NVME_PRIMARY_PORTID = 2,
       NVME_PRIMARY_CRT = 4,
       NVME_PRIMARY_VQ = 32,  /* VQFRT and what follows */
       NVME_PRIMARY_VI = 64,  /* the same for interrupts */
       NVME_PRIMARY_FRT = 0,  /* from those two: flexible resources in all */
       NVME_PRIMARY_RFA = 4,  /* assigned to secondary controllers */
       NVME_PRIMARY_RFAP = 8, /* assigned to the primary */
       NVME_PRIMARY_PRT = 10, /* private to the primary */
       NVME_PRIMARY_FRSM = 12,
       NVME_PRIMARY_GRAN = 14,
       NVME_CRT_VQ = 1 << 0,
       NVME_CRT_VI = 1 << 1,
};

enum { /* secondary controller list; figure 282 */
       NVME_SECONDARY_COUNT = 0,
       NVME_SECONDARY_FIRST = 32,
       NVME_SECONDARY_SIZE = 32,
       NVME_SECONDARY_MAX = 127,
       NVME_SECONDARY_SCID = 0,
       NVME_SECONDARY_PCID = 2,
       NVME_SECONDARY_SCS = 4,
       NVME_SECONDARY_VFN = 8,
       NVME_SECONDARY_NVQ = 10,
       NVME_SECONDARY_NVI = 12,
};

enum { /* virtualization management, CDW10; 5.28 */
       NVME_VIRT_ACT = FIELD(3, 0),
       NVME_VIRT_RT = FIELD(10, 8),
       NVME_VIRT_CNTLID = FIELD(31, 16),
       NVME_VIRT_NR = FIELD(15, 0), /* CDW11 */
       NVME_VIRT_PRIMARY_ALLOCATION = 1,
       NVME_VIRT_OFFLINE = 7,
       NVME_VIRT_ASSIGN = 8,
       NVME_VIRT_ONLINE = 9,
       NVME_VIRT_RT_VQ = 0,
       NVME_VIRT_RT_VI = 1,
};

enum { /* features; figure 317 */
       NVME_FEATURE_ARBITRATION = 0x01,
       NVME_FEATURE_POWER = 0x02,
       NVME_FEATURE_TEMPERATURE = 0x04,
       NVME_FEATURE_ERROR_RECOVERY = 0x05,
       NVME_FEATURE_WRITE_CACHE = 0x06,
       NVME_FEATURE_QUEUES = 0x07,
       NVME_FEATURE_COALESCING = 0x08,
       NVME_FEATURE_VECTOR = 0x09,
       NVME_FEATURE_ATOMICITY = 0x0a,
       NVME_FEATURE_EVENTS = 0x0b,
       NVME_FEATURE_TIMESTAMP = 0x0e,
       NVME_FEATURE_HOST_BEHAVIOR = 0x16,
       NVME_FEATURE_HOST_ID = 0x81,
       NVME_FEATURE_RESERVE_MASK = 0x82,
       NVME_FEATURE_RESERVE_PERSIST = 0x83,

       NVME_FEATURE_FID = FIELD(7, 0), /* CDW10 */
       NVME_FEATURE_SEL = FIELD(10, 8),
       NVME_FEATURE_SV = FIELD_BIT(31),
       NVME_SEL_CURRENT = 0,
       NVME_SEL_DEFAULT = 1,
       NVME_SEL_SAVED = 2,
       NVME_SEL_SUPPORTED = 3,
       NVME_FEATURE_SAVEABLE = 1 << 0, /* dword 0 of SEL_SUPPORTED */
       NVME_FEATURE_PER_NAMESPACE = 1 << 1,
       NVME_FEATURE_CHANGEABLE = 1 << 2,

       NVME_TIMESTAMP_SIZE = 8,
       NVME_TIMESTAMP_SYNCH = FIELD_BIT(48),
       NVME_TIMESTAMP_ORIGIN = FIELD(51, 49), /* 1: set by a host */
       NVME_HOST_BEHAVIOR_SIZE = 512,
       NVME_VECTOR_CD = FIELD_BIT(16), /* coalescing disabled */
       NVME_EVENTS_NAMESPACE = 1 << 8,
};

enum { /* Get Log Page; 5.16 */
       NVME_LOG_LID = FIELD(7, 0), /* CDW10 */
       NVME_LOG_RAE = FIELD_BIT(15),
       NVME_LOG_NUMDL = FIELD(31, 16),
       NVME_LOG_NUMDU = FIELD(15, 0), /* CDW11 */
       NVME_LOG_OT = FIELD_BIT(23),   /* CDW14: the offset counts entries */

       NVME_LOG_SUPPORTED = 0x00,
       NVME_LOG_ERROR = 0x01,
       NVME_LOG_SMART = 0x02,
       NVME_LOG_FIRMWARE = 0x03,
       NVME_LOG_CHANGED = 0x04,
       NVME_LOG_EFFECTS = 0x05,
       NVME_LOG_FEATURES = 0x12,
       NVME_LOG_RESERVATION = 0x80,
       NVME_LOG_SANITIZE = 0x81,

       NVME_ERROR_SIZE = 64, /* entry of the error log; figure 205 */
       NVME_ERROR_COUNT = 0,
       NVME_ERROR_SQID = 8,
       NVME_ERROR_CID = 10,
       NVME_ERROR_STATUS = 12,
       NVME_ERROR_LOCATION = 14,
       NVME_ERROR_LBA = 16,
       NVME_ERROR_NSID = 24,

       NVME_SMART_SIZE = 512, /* figure 207 */
       NVME_SMART_TEMPERATURE = 1,
       NVME_SMART_SPARE = 3,
       NVME_SMART_SPARE_THRESHOLD = 4,
       NVME_SMART_UNITS_READ = 32, /* thousands of 512 bytes */
       NVME_SMART_UNITS_WRITTEN = 48,
       NVME_SMART_READS = 64,
       NVME_SMART_WRITES = 80,
       NVME_SMART_BUSY_MINUTES = 96,
       NVME_SMART_POWER_CYCLES = 112,
       NVME_SMART_POWER_ON_HOURS = 128,
       NVME_SMART_UNSAFE_SHUTDOWNS = 144,
       NVME_SMART_MEDIA_ERRORS = 160,
       NVME_SMART_ERROR_ENTRIES = 176,

       NVME_FIRMWARE_SIZE = 512,
       NVME_FIRMWARE_AFI = 0,
       NVME_FIRMWARE_FRS1 = 8,
       NVME_EFFECTS_SIZE = 4096,
       NVME_EFFECTS_IO = 1024,
       NVME_EFFECT_CSUPP = 1 << 0,
       NVME_EFFECT_LBCC = 1 << 1, /* changes logical blocks */
       NVME_EFFECT_NCC = 1 << 2,  /* changes a namespace */
       NVME_EFFECT_NIC = 1 << 3,  /* changes what namespaces there are */
       NVME_EFFECT_CCC = 1 << 4,  /* changes the controller */
       NVME_EFFECT_CSE_NAMESPACE = 1 << 16, /* alone on its namespace */
       NVME_EFFECT_CSE_ALL = 2 << 16,	    /* alone */

       NVME_RESERVE_LOG_SIZE = 64, /* figure 262 */
       NVME_RESERVE_LOG_COUNT = 0,
       NVME_RESERVE_LOG_TYPE = 8,
       NVME_RESERVE_LOG_AVAILABLE = 9,
       NVME_RESERVE_LOG_NSID = 12,

       NVME_SANITIZE_LOG_SIZE = 512, /* figure 263 */
       NVME_SANITIZE_SPROG = 0,
       NVME_SANITIZE_SSTAT = 2,
       NVME_SANITIZE_SCDW10 = 4,
       NVME_SANITIZE_ESTIMATES = 8, /* six of 4 bytes; ffffffff: none */
       NVME_SSTAT_NEVER = 0,
       NVME_SSTAT_DONE = 1,
       NVME_SSTAT_RUNNING = 2,
       NVME_SSTAT_FAILED = 3,
       NVME_SSTAT_PASSES_SHIFT = 3, /* passes of overwriting that were done: 7:3 */
       NVME_SSTAT_GDE = 1 << 8, /* nothing was written since */
};

enum { /* asynchronous events, dword 0; 5.2 */
       NVME_EVENT_TYPE = FIELD(2, 0),
       NVME_EVENT_INFO = FIELD(15, 8),
       NVME_EVENT_LOG = FIELD(23, 16),
       NVME_EVENT_ERROR = 0,
       NVME_EVENT_SMART = 1,
       NVME_EVENT_NOTICE = 2,
       NVME_EVENT_IO_SET = 6,
       NVME_EVENT_TYPES = 8,
       NVME_ERROR_INVALID_DOORBELL = 0, /* of a queue that is not there */
       NVME_ERROR_INVALID_VALUE = 1,
       NVME_NOTICE_NAMESPACE = 0,
       NVME_IO_SET_RESERVATION = 0,
       NVME_IO_SET_SANITIZED = 1,
};

enum { /* namespace management and attachment; 5.22, 5.23; NVM command set 4.1.6 */
       NVME_MANAGE_SEL = FIELD(3, 0), /* CDW10 of both */
       NVME_MANAGE_CREATE = 0,
       NVME_MANAGE_DELETE = 1,
       NVME_ATTACH = 0,
       NVME_DETACH = 1,
};

enum { /* Format NVM, CDW10; 5.14 */
       NVME_FORMAT_LBAFL = FIELD(3, 0),
       NVME_FORMAT_MSET = FIELD_BIT(4),
       NVME_FORMAT_PI = FIELD(7, 5),
       NVME_FORMAT_SES = FIELD(11, 9),
       NVME_FORMAT_LBAFU = FIELD(13, 12),
       NVME_SES_NONE = 0,
       NVME_SES_USER_DATA = 1,
};

enum { /* Sanitize, CDW10; 5.24 */
       NVME_SANITIZE_ACT = FIELD(2, 0),
       NVME_SANITIZE_AUSE = FIELD_BIT(3), /* unrestricted: a failure can be left */
       NVME_SANITIZE_OWPASS = FIELD(7, 4), /* passes of overwriting; 0: 16 */
       NVME_SANITIZE_OIPBP = FIELD_BIT(8), /* each pass writes the inverse of the one before */
       NVME_SANITIZE_NODAS = FIELD_BIT(9), /* no space is given back */
       NVME_SANITIZE_EXIT_FAILURE = 1,
       NVME_SANITIZE_BLOCK_ERASE = 2,
       NVME_SANITIZE_OVERWRITE = 3,
       NVME_SANITIZE_CRYPTO = 4,
};

enum { /* reservations; 7.2 to 7.5, 8.19 */
       NVME_RESERVE_ACTION = FIELD(2, 0), /* CDW10 of register, acquire, release */
       NVME_RESERVE_IEKEY = FIELD_BIT(3),
       NVME_RESERVE_TYPE = FIELD(15, 8),
       NVME_RESERVE_CPTPL = FIELD(31, 30),
       NVME_REGISTER = 0,
       NVME_UNREGISTER = 1,
       NVME_REPLACE_KEY = 2,
       NVME_ACQUIRE = 0,
       NVME_PREEMPT = 1,
       NVME_PREEMPT_ABORT = 2,
       NVME_RELEASE = 0,
       NVME_CLEAR = 1,
       NVME_CPTPL_RESERVED = 1, /* CPTPL: change of Persist Through Power Loss; figure 439 */
       NVME_CPTPL_CLEAR = 2,
       NVME_CPTPL_SET = 3,
       NVME_RESERVE_WRITE_EXCLUSIVE = 1,
       NVME_RESERVE_EXCLUSIVE = 2,
       NVME_RESERVE_WRITE_REGISTRANTS = 3, /* write exclusive, registrants only */
       NVME_RESERVE_REGISTRANTS = 4,	   /* exclusive access, registrants only */
       NVME_RESERVE_WRITE_ALL = 5,	   /* write exclusive, all registrants hold it */
       NVME_RESERVE_ALL = 6,

       NVME_RESERVE_STATUS_GEN = 0, /* reservation status; figure 445 */
       NVME_RESERVE_STATUS_RTYPE = 4,
       NVME_RESERVE_STATUS_REGCTL = 5,
       NVME_RESERVE_STATUS_PTPLS = 9,
       NVME_RESERVE_STATUS_FIRST = 24, /* registrants of 24 bytes; extended: 64 of 64 */
       NVME_REGISTRANT_SIZE = 24,
       NVME_REGISTRANT_CNTLID = 0,
       NVME_REGISTRANT_RCSTS = 2,
       NVME_REGISTRANT_HOSTID = 8,
       NVME_REGISTRANT_KEY = 16,
       NVME_REGISTRANT_EXTENDED_SIZE = 64,
       NVME_REGISTRANT_EXTENDED_KEY = 8,
       NVME_REGISTRANT_EXTENDED_HOSTID = 16,

       NVME_RESERVE_NOTE_PREEMPTED = 1, /* of a registration; figure 262 */
       NVME_RESERVE_NOTE_RELEASED = 2,
       NVME_RESERVE_NOTE_RESERVATION_PREEMPTED = 3,
};

#endif
