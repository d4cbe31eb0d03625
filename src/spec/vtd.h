/* spec/vtd.h -- Intel VT-d: registers, table entries and fault reasons.
 *
 * Intel Virtualization Technology for Directed I/O, Architecture Specification (order number
 * D51397), revision 5.10, whose section numbers are given; what earlier revisions had and 5.x
 * withdrew says so.  Descriptors of the queues are in spec/vtd_queue.h.  Only what the standard
 * says.
 *
 * Fields are FIELD(high, low) of base/field.h: bits of one 64-bit word of the entry.  The standard
 * counts bits over the whole entry; FOO_1_BAR is in word 1, the standard's bits 127:64. */
#ifndef SPEC_VTD_H
#define SPEC_VTD_H

#include "base/field.h"

/* Register offsets (11.4).  64 bits wide unless said otherwise. */
enum {
	SPEC_VTD_VER = 0x00,      /* 32 bits, 11.4.1 */
	SPEC_VTD_CAP = 0x08,      /* 11.4.2 */
	SPEC_VTD_ECAP = 0x10,     /* 11.4.3 */
	SPEC_VTD_GCMD = 0x18,     /* 32 bits, 11.4.4.1 */
	SPEC_VTD_GSTS = 0x1c,     /* 32 bits, 11.4.4.2 */
	SPEC_VTD_RTADDR = 0x20,   /* 11.4.5 */
	SPEC_VTD_CCMD = 0x28,     /* 11.4.6.1 */
	SPEC_VTD_FSTS = 0x34,     /* 32 bits, 11.4.7.1 */
	SPEC_VTD_FECTL = 0x38,    /* 32 bits, 11.4.7.2 */
	SPEC_VTD_FEDATA = 0x3c,   /* 32 bits, 11.4.7.3 */
	SPEC_VTD_FEADDR = 0x40,   /* 32 bits, 11.4.7.4 */
	SPEC_VTD_FEUADDR = 0x44,  /* 32 bits, 11.4.7.5 */
	SPEC_VTD_AFLOG = 0x58,    /* advanced fault log; withdrawn */
	SPEC_VTD_PMEN = 0x64,     /* 32 bits, 11.4.8.1 */
	SPEC_VTD_PLMBASE = 0x68,  /* 32 bits, 11.4.8.2 */
	SPEC_VTD_PLMLIMIT = 0x6c, /* 32 bits, 11.4.8.3 */
	SPEC_VTD_PHMBASE = 0x70,  /* 11.4.8.4 */
	SPEC_VTD_PHMLIMIT = 0x78, /* 11.4.8.5 */
	SPEC_VTD_IQH = 0x80,      /* 11.4.9.1 */
	SPEC_VTD_IQT = 0x88,      /* 11.4.9.2 */
	SPEC_VTD_IQA = 0x90,      /* 11.4.9.3 */
	SPEC_VTD_ICS = 0x9c,      /* 32 bits, 11.4.9.4 */
	SPEC_VTD_IECTL = 0xa0,    /* 32 bits, 11.4.9.5 */
	SPEC_VTD_IEDATA = 0xa4,   /* 32 bits, 11.4.9.6 */
	SPEC_VTD_IEADDR = 0xa8,   /* 32 bits, 11.4.9.7 */
	SPEC_VTD_IEUADDR = 0xac,  /* 32 bits, 11.4.9.8 */
	SPEC_VTD_IQERCD = 0xb0,   /* 11.4.9.9 */
	SPEC_VTD_IRTA = 0xb8,     /* 11.4.10 */
	SPEC_VTD_PQH = 0xc0,      /* 11.4.11.1 */
	SPEC_VTD_PQT = 0xc8,      /* 11.4.11.2 */
	SPEC_VTD_PQA = 0xd0,      /* 11.4.11.3 */
	SPEC_VTD_PRS = 0xdc,      /* 32 bits, 11.4.11.4 */
	SPEC_VTD_PECTL = 0xe0,    /* 32 bits, 11.4.11.5 */
	SPEC_VTD_PEDATA = 0xe4,   /* 32 bits, 11.4.11.6 */
	SPEC_VTD_PEADDR = 0xe8,   /* 32 bits, 11.4.11.7 */
	SPEC_VTD_PEUADDR = 0xec,  /* 32 bits, 11.4.11.8 */
	SPEC_VTD_MTRRCAP = 0x100, /* 11.4.12.1 */
	SPEC_VTD_MTRRDEF = 0x108, /* 11.4.12.2 */
	SPEC_VTD_PERFCAP = 0x300, /* 11.4.13.2 */
	SPEC_VTD_ECMD = 0x400,    /* 11.4.14 */
	SPEC_VTD_VCMD = 0xe00,    /* 11.4.16 */

	/* Relative to 16 * ECAP.IRO. */
	SPEC_VTD_IVA = 0x0,   /* 11.4.6.4 */
	SPEC_VTD_IOTLB = 0x8, /* 11.4.6.3 */
	/* Relative to 16 * CAP.FRO, and then one every 16 bytes (11.4.7.6). */
	SPEC_VTD_FRCD_LOW = 0x0,
	SPEC_VTD_FRCD_HIGH = 0x8,
	SPEC_VTD_FRCD_SIZE = 16,

	SPEC_VTD_REGISTERS_SIZE = 0x1000,
};

enum { /* VER (11.4.1) */
       SPEC_VTD_VER_MIN = FIELD(3, 0),
       SPEC_VTD_VER_MAX = FIELD(7, 4), /* "major version" */
};

enum {                                /* CAP (11.4.2) */
       SPEC_VTD_CAP_ND = FIELD(2, 0), /* domain identifiers have 4 + 2 * ND bits */
       SPEC_VTD_CAP_RWBF = FIELD_BIT(4),
       SPEC_VTD_CAP_PLMR = FIELD_BIT(5),
       SPEC_VTD_CAP_PHMR = FIELD_BIT(6),
       SPEC_VTD_CAP_CM = FIELD_BIT(7),    /* caching mode */
       SPEC_VTD_CAP_SAGAW = FIELD(12, 8), /* bit 1: 3 levels, 2: 4 levels, 3: 5 levels */
       SPEC_VTD_CAP_MGAW = FIELD(21, 16), /* minus 1 */
       SPEC_VTD_CAP_ZLR = FIELD_BIT(22),
       SPEC_VTD_CAP_FRO = FIELD(33, 24),   /* in 16 bytes */
       SPEC_VTD_CAP_SSLPS = FIELD(37, 34), /* bit 0: 2 MiB, bit 1: 1 GiB; SLLPS before revision 4 */
       SPEC_VTD_CAP_PSI = FIELD_BIT(39),
       SPEC_VTD_CAP_NFR = FIELD(47, 40), /* minus 1 */
       SPEC_VTD_CAP_MAMV = FIELD(53, 48),
       SPEC_VTD_CAP_DWD = FIELD_BIT(54),
       SPEC_VTD_CAP_DRD = FIELD_BIT(55),
       SPEC_VTD_CAP_FS1GP = FIELD_BIT(56), /* FL1GP before revision 4 */
       SPEC_VTD_CAP_PI = FIELD_BIT(59),
       SPEC_VTD_CAP_FS5LP = FIELD_BIT(60), /* FL5LP before revision 4 */
       SPEC_VTD_CAP_ECMDS = FIELD_BIT(61),
       SPEC_VTD_CAP_ESIRTPS = FIELD_BIT(62),
       SPEC_VTD_CAP_ESRTPS = FIELD_BIT(63),
};

enum { /* ECAP (11.4.3) */
       SPEC_VTD_ECAP_C = FIELD_BIT(0),
       SPEC_VTD_ECAP_QI = FIELD_BIT(1),
       SPEC_VTD_ECAP_DT = FIELD_BIT(2),
       SPEC_VTD_ECAP_IR = FIELD_BIT(3),
       SPEC_VTD_ECAP_EIM = FIELD_BIT(4),
       SPEC_VTD_ECAP_PT = FIELD_BIT(6),
       SPEC_VTD_ECAP_SC = FIELD_BIT(7),
       SPEC_VTD_ECAP_IRO = FIELD(17, 8), /* in 16 bytes */
       SPEC_VTD_ECAP_MHMV = FIELD(23, 20),
       SPEC_VTD_ECAP_MTS = FIELD_BIT(25),
       SPEC_VTD_ECAP_NEST = FIELD_BIT(26),
       SPEC_VTD_ECAP_PRS = FIELD_BIT(29),
       SPEC_VTD_ECAP_ERS = FIELD_BIT(30), /* execute requests; withdrawn, reported as 0 */
       SPEC_VTD_ECAP_SRS = FIELD_BIT(31),
       SPEC_VTD_ECAP_NWFS = FIELD_BIT(33),
       SPEC_VTD_ECAP_EAFS = FIELD_BIT(34),
       SPEC_VTD_ECAP_PSS = FIELD(39, 35), /* minus 1 */
       SPEC_VTD_ECAP_PASID = FIELD_BIT(40),
       SPEC_VTD_ECAP_DIT = FIELD_BIT(41),
       SPEC_VTD_ECAP_PDS = FIELD_BIT(42),
       SPEC_VTD_ECAP_SMTS = FIELD_BIT(43),
       SPEC_VTD_ECAP_VCS = FIELD_BIT(44),
       SPEC_VTD_ECAP_SSADS = FIELD_BIT(45), /* SLADS before revision 4 */
       SPEC_VTD_ECAP_SSTS = FIELD_BIT(46),  /* SLTS before revision 4 */
       SPEC_VTD_ECAP_FSTS = FIELD_BIT(47),  /* FLTS before revision 4 */
       SPEC_VTD_ECAP_SMPWCS = FIELD_BIT(48),
       SPEC_VTD_ECAP_RPS = FIELD_BIT(49),
       SPEC_VTD_ECAP_TDXCS = FIELD_BIT(50),
       SPEC_VTD_ECAP_PMS = FIELD_BIT(51),
       SPEC_VTD_ECAP_ADMS = FIELD_BIT(52),
       SPEC_VTD_ECAP_RPRIVS = FIELD_BIT(53),
       SPEC_VTD_ECAP_HPTS = FIELD_BIT(55),
       SPEC_VTD_ECAP_PTRS = FIELD_BIT(56),
       SPEC_VTD_ECAP_SSIRWS = FIELD_BIT(57),
       SPEC_VTD_ECAP_SMS = FIELD_BIT(58),
       SPEC_VTD_ECAP_HPT1GPS = FIELD_BIT(59),
       SPEC_VTD_ECAP_RDTS = FIELD_BIT(60),
       SPEC_VTD_ECAP_EIMER = FIELD_BIT(61),
       SPEC_VTD_ECAP_IRREQ = FIELD_BIT(62),
};

enum { /* GCMD and GSTS, the same bits (11.4.4) */
       SPEC_VTD_GCMD_CFI = FIELD_BIT(23),
       SPEC_VTD_GCMD_SIRTP = FIELD_BIT(24), /* one shot */
       SPEC_VTD_GCMD_IRE = FIELD_BIT(25),
       SPEC_VTD_GCMD_QIE = FIELD_BIT(26),
       SPEC_VTD_GCMD_WBF = FIELD_BIT(27),  /* one shot */
       SPEC_VTD_GCMD_EAFL = FIELD_BIT(28), /* advanced fault logging; withdrawn */
       SPEC_VTD_GCMD_SFL = FIELD_BIT(29),  /* one shot; withdrawn */
       SPEC_VTD_GCMD_SRTP = FIELD_BIT(30), /* one shot */
       SPEC_VTD_GCMD_TE = FIELD_BIT(31),
       SPEC_VTD_GSTS_CFIS = SPEC_VTD_GCMD_CFI,
       SPEC_VTD_GSTS_IRTPS = SPEC_VTD_GCMD_SIRTP,
       SPEC_VTD_GSTS_IRES = SPEC_VTD_GCMD_IRE,
       SPEC_VTD_GSTS_QIES = SPEC_VTD_GCMD_QIE,
       SPEC_VTD_GSTS_WBFS = SPEC_VTD_GCMD_WBF,
       SPEC_VTD_GSTS_RTPS = SPEC_VTD_GCMD_SRTP,
       SPEC_VTD_GSTS_TES = SPEC_VTD_GCMD_TE,
};

enum { /* RTADDR (11.4.5) */
       SPEC_VTD_RTADDR_SSIRWE = FIELD_BIT(7),
       SPEC_VTD_RTADDR_TTM = FIELD(11, 10),
       SPEC_VTD_RTADDR_RTA = FIELD(63, 12),

       SPEC_VTD_TTM_LEGACY = 0,
       SPEC_VTD_TTM_SCALABLE = 1,
       SPEC_VTD_TTM_RESERVED = 2, /* extended mode of revision 2; withdrawn */
       SPEC_VTD_TTM_ABORT = 3,
};

enum { /* CCMD (11.4.6.1) */
       SPEC_VTD_CCMD_DID = FIELD(15, 0),
       SPEC_VTD_CCMD_SID = FIELD(31, 16),
       SPEC_VTD_CCMD_FM = FIELD(33, 32),
       SPEC_VTD_CCMD_CAIG = FIELD(60, 59),
       SPEC_VTD_CCMD_CIRG = FIELD(62, 61),
       SPEC_VTD_CCMD_ICC = FIELD_BIT(63),
};

enum { /* IOTLB and IVA (11.4.6.3, 11.4.6.4) */
       SPEC_VTD_IOTLB_DID = FIELD(47, 32),
       SPEC_VTD_IOTLB_DW = FIELD_BIT(48),
       SPEC_VTD_IOTLB_DR = FIELD_BIT(49),
       SPEC_VTD_IOTLB_IAIG = FIELD(58, 57),
       SPEC_VTD_IOTLB_IIRG = FIELD(61, 60),
       SPEC_VTD_IOTLB_IVT = FIELD_BIT(63),
       SPEC_VTD_IVA_AM = FIELD(5, 0),
       SPEC_VTD_IVA_IH = FIELD_BIT(6),
       SPEC_VTD_IVA_ADDR = FIELD(63, 12),
};

enum { /* FSTS, FECTL (11.4.7.1, 11.4.7.2); IECTL and PECTL are as FECTL */
       SPEC_VTD_FSTS_PFO = FIELD_BIT(0),
       SPEC_VTD_FSTS_PPF = FIELD_BIT(1),
       SPEC_VTD_FSTS_AFO = FIELD_BIT(2), /* withdrawn */
       SPEC_VTD_FSTS_APF = FIELD_BIT(3), /* withdrawn */
       SPEC_VTD_FSTS_IQE = FIELD_BIT(4),
       SPEC_VTD_FSTS_ICE = FIELD_BIT(5),
       SPEC_VTD_FSTS_ITE = FIELD_BIT(6),
       SPEC_VTD_FSTS_PRO = FIELD_BIT(7), /* now in PRS */
       SPEC_VTD_FSTS_FRI = FIELD(15, 8),
       SPEC_VTD_FECTL_IP = FIELD_BIT(30),
       SPEC_VTD_FECTL_IM = FIELD_BIT(31),
};

enum { /* fault recording registers, low and high word (11.4.7.6) */
       SPEC_VTD_FRCD_0_FI = FIELD(63, 12),    /* page address */
       SPEC_VTD_FRCD_0_INDEX = FIELD(63, 48), /* reasons 21h to 28h: index of the interrupt entry */
       SPEC_VTD_FRCD_1_SID = FIELD(15, 0),
       SPEC_VTD_FRCD_1_T2 =
	       FIELD_BIT(28), /* T1 T2: 00 write, 01 page request, 10 read, 11 AtomicOp */
       SPEC_VTD_FRCD_1_PRIV = FIELD_BIT(29),
       SPEC_VTD_FRCD_1_EXE = FIELD_BIT(30),
       SPEC_VTD_FRCD_1_PP = FIELD_BIT(31),
       SPEC_VTD_FRCD_1_FR = FIELD(39, 32),
       SPEC_VTD_FRCD_1_PV = FIELD(59, 40),
       SPEC_VTD_FRCD_1_AT = FIELD(61, 60),
       SPEC_VTD_FRCD_1_T1 = FIELD_BIT(62),
       SPEC_VTD_FRCD_1_F = FIELD_BIT(63),
};

enum { /* PMEN (11.4.8.1) */
       SPEC_VTD_PMEN_PRS = FIELD_BIT(0),
       SPEC_VTD_PMEN_EPM = FIELD_BIT(31),
};

enum { /* invalidation queue (11.4.9) */
       SPEC_VTD_IQH_QH = FIELD(18, 4),
       SPEC_VTD_IQT_QT = FIELD(18, 4),
       SPEC_VTD_IQA_QS = FIELD(2, 0),   /* 2^QS pages of 4 KiB */
       SPEC_VTD_IQA_DW = FIELD_BIT(11), /* 256-bit descriptors */
       SPEC_VTD_IQA_IQA = FIELD(63, 12),
       SPEC_VTD_ICS_IWC = FIELD_BIT(0),
       SPEC_VTD_IQERCD_IQEI = FIELD(3, 0),
       SPEC_VTD_IQERCD_ITESID = FIELD(47, 32),
       SPEC_VTD_IQERCD_ICESID = FIELD(63, 48),
};

enum {                                /* IRTA (11.4.10) */
       SPEC_VTD_IRTA_S = FIELD(3, 0), /* 2^(S+1) entries */
       SPEC_VTD_IRTA_EIME = FIELD_BIT(11),
       SPEC_VTD_IRTA_IRTA = FIELD(63, 12),
};

enum { /* page request queue (11.4.11) */
       SPEC_VTD_PQH_PQH = FIELD(18, 5),
       SPEC_VTD_PQT_PQT = FIELD(18, 5),
       SPEC_VTD_PQA_PQS = FIELD(2, 0), /* 2^PQS pages of 4 KiB */
       SPEC_VTD_PQA_PQA = FIELD(63, 12),
       SPEC_VTD_PRS_PPR = FIELD_BIT(0),
       SPEC_VTD_PRS_PRO = FIELD_BIT(1),
};

enum { /* root entry, 16 bytes, by bus (9.1) */
       SPEC_VTD_ROOT_0_P = FIELD_BIT(0),
       SPEC_VTD_ROOT_0_RESERVED = FIELD(11, 1),
       SPEC_VTD_ROOT_0_CTP = FIELD(63, 12),
       SPEC_VTD_ROOT_SIZE = 16,
};

/* Scalable-mode root entry, 16 bytes, by bus (9.2): word 0 (LP, LCTP) for device-functions 0 to
 * 127, word 1 (UP, UCTP) for 128 to 255; each word as word 0 of a root entry. */

enum { /* context entry, 16 bytes, by device and function (9.3) */
       SPEC_VTD_CONTEXT_0_P = FIELD_BIT(0),
       SPEC_VTD_CONTEXT_0_FPD = FIELD_BIT(1),
       SPEC_VTD_CONTEXT_0_TT = FIELD(3, 2),
       SPEC_VTD_CONTEXT_0_RESERVED = FIELD(11, 4),
       SPEC_VTD_CONTEXT_0_SSPTPTR = FIELD(63, 12),
       SPEC_VTD_CONTEXT_1_AW = FIELD(2, 0), /* 1: 3 levels, 2: 4 levels, 3: 5 levels */
       SPEC_VTD_CONTEXT_1_RESERVED = FIELD_BIT(7),
       SPEC_VTD_CONTEXT_1_DID = FIELD(23, 8),
       SPEC_VTD_CONTEXT_1_RESERVED_HIGH = FIELD(63, 24),
       SPEC_VTD_CONTEXT_SIZE = 16,

       SPEC_VTD_TT_UNTRANSLATED = 0, /* translation; requests with AT != 0 are blocked */
       SPEC_VTD_TT_ALL = 1, /* translation; translation and translated requests are served (DT) */
       SPEC_VTD_TT_PASS_THROUGH = 2, /* PT */
};

enum { /* scalable-mode context entry, 32 bytes (9.4) */
       SPEC_VTD_SMCONTEXT_0_P = FIELD_BIT(0),
       SPEC_VTD_SMCONTEXT_0_FPD = FIELD_BIT(1),
       SPEC_VTD_SMCONTEXT_0_DTE = FIELD_BIT(2),
       SPEC_VTD_SMCONTEXT_0_PASIDE = FIELD_BIT(3),
       SPEC_VTD_SMCONTEXT_0_PRE = FIELD_BIT(4),
       SPEC_VTD_SMCONTEXT_0_HPTE = FIELD_BIT(5),
       SPEC_VTD_SMCONTEXT_0_EPTR = FIELD_BIT(6),
       SPEC_VTD_SMCONTEXT_0_RESERVED = FIELD(8, 7),
       SPEC_VTD_SMCONTEXT_0_PDTS = FIELD(11, 9), /* the directory has 2^(PDTS+7) entries */
       SPEC_VTD_SMCONTEXT_0_PASIDDIRPTR = FIELD(63, 12),
       SPEC_VTD_SMCONTEXT_1_RID_PASID = FIELD(19, 0),
       SPEC_VTD_SMCONTEXT_1_RID_PRIV = FIELD_BIT(20),
       SPEC_VTD_SMCONTEXT_1_RESERVED = FIELD(63, 21),
       SPEC_VTD_SMCONTEXT_SIZE = 32,
};

enum { /* PASID directory entry, 8 bytes, by PASID[19:6] (9.5) */
       SPEC_VTD_PASIDDIR_0_P = FIELD_BIT(0),
       SPEC_VTD_PASIDDIR_0_FPD = FIELD_BIT(1),
       SPEC_VTD_PASIDDIR_0_RESERVED = FIELD(11, 2),
       SPEC_VTD_PASIDDIR_0_SMPTBLPTR = FIELD(63, 12),
       SPEC_VTD_PASIDDIR_SIZE = 8,
};

enum { /* PASID table entry, 64 bytes, by PASID[5:0] (9.6) */
       SPEC_VTD_PASID_0_P = FIELD_BIT(0),
       SPEC_VTD_PASID_0_FPD = FIELD_BIT(1),
       SPEC_VTD_PASID_0_AW = FIELD(4, 2),
       SPEC_VTD_PASID_0_RESERVED = FIELD_BIT(5),
       SPEC_VTD_PASID_0_PGTT = FIELD(8, 6),
       SPEC_VTD_PASID_0_SSADE = FIELD_BIT(9), /* SLADE before revision 4 */
       SPEC_VTD_PASID_0_RESERVED_HIGH = FIELD(11, 10),
       SPEC_VTD_PASID_0_SSPTPTR = FIELD(63, 12),
       SPEC_VTD_PASID_1_DID = FIELD(15, 0),
       SPEC_VTD_PASID_1_RESERVED = FIELD(22, 16),
       SPEC_VTD_PASID_1_PWSNP = FIELD_BIT(23),
       SPEC_VTD_PASID_1_PGSNP = FIELD_BIT(24),
       SPEC_VTD_PASID_1_CD = FIELD_BIT(25),
       SPEC_VTD_PASID_1_EMTE = FIELD_BIT(26),
       SPEC_VTD_PASID_1_RESERVED_HIGH = FIELD(31, 27),
       SPEC_VTD_PASID_1_PAT = FIELD(63, 32),
       SPEC_VTD_PASID_2_SRE = FIELD_BIT(0),
       SPEC_VTD_PASID_2_ERE = FIELD_BIT(1), /* with ECAP.ERS; withdrawn, reserved */
       SPEC_VTD_PASID_2_FSPM = FIELD(3, 2), /* 0: 4 levels, 1: 5 levels; FLPM before revision 4 */
       SPEC_VTD_PASID_2_WPE = FIELD_BIT(4),
       SPEC_VTD_PASID_2_NXE = FIELD_BIT(5),  /* with ECAP.ERS; withdrawn, ignored */
       SPEC_VTD_PASID_2_SMEP = FIELD_BIT(6), /* with ECAP.ERS; withdrawn, ignored */
       SPEC_VTD_PASID_2_EAFE = FIELD_BIT(7),
       SPEC_VTD_PASID_2_RESERVED = FIELD(11, 8),
       SPEC_VTD_PASID_2_FSPTPTR = FIELD(63, 12),
       SPEC_VTD_PASID_4_HPTSZ = FIELD(1, 0), /* HPTL4 table of 4 KiB << HPTSZ */
       SPEC_VTD_PASID_4_HPTPFD = FIELD_BIT(2),
       SPEC_VTD_PASID_4_RESERVED = FIELD(11, 3),
       SPEC_VTD_PASID_4_HPTPTR = FIELD(63, 12),
       SPEC_VTD_PASID_5_HPTDID = FIELD(15, 0),
       SPEC_VTD_PASID_5_RESERVED = FIELD(63, 16),
       SPEC_VTD_PASID_SIZE = 64,
       SPEC_VTD_PASID_BITS = 20,

       SPEC_VTD_PGTT_FIRST = 1,
       SPEC_VTD_PGTT_SECOND = 2,
       SPEC_VTD_PGTT_NESTED = 3,
       SPEC_VTD_PGTT_PASS_THROUGH = 4,
};

enum { /* first-stage paging entry, 8 bytes: as the processor's (9.7) */
       SPEC_VTD_FS_P = FIELD_BIT(0),
       SPEC_VTD_FS_RW = FIELD_BIT(1),
       SPEC_VTD_FS_US = FIELD_BIT(2),
       SPEC_VTD_FS_A = FIELD_BIT(5),
       SPEC_VTD_FS_D = FIELD_BIT(6),  /* leaf */
       SPEC_VTD_FS_PS = FIELD_BIT(7), /* PDPE and PDE; reserved in PML5E and PML4E */
       SPEC_VTD_FS_EA = FIELD_BIT(10),
       SPEC_VTD_FS_ADDR = FIELD(51, 12),
       SPEC_VTD_FS_RESERVED_2M = FIELD(20, 13),
       SPEC_VTD_FS_RESERVED_1G = FIELD(29, 13),
       SPEC_VTD_FS_XD = FIELD_BIT(63), /* with ECAP.ERS and NXE; withdrawn, ignored */
};

enum { /* second-stage paging entry, 8 bytes: as an EPT entry (9.8) */
       SPEC_VTD_SS_R = FIELD_BIT(0),
       SPEC_VTD_SS_W = FIELD_BIT(1),
       SPEC_VTD_SS_X = FIELD_BIT(2),  /* ignored */
       SPEC_VTD_SS_PS = FIELD_BIT(7), /* PDPE and PDE; reserved above; ignored in a PTE */
       SPEC_VTD_SS_A = FIELD_BIT(8),
       SPEC_VTD_SS_D = FIELD_BIT(9),    /* leaf */
       SPEC_VTD_SS_SNP = FIELD_BIT(11), /* leaf, with SC; else reserved */
       SPEC_VTD_SS_ADDR = FIELD(51, 12),
       SPEC_VTD_SS_RESERVED_2M = FIELD(20, 12),
       SPEC_VTD_SS_RESERVED_1G = FIELD(29, 12),
       SPEC_VTD_SS_IR = FIELD_BIT(61), /* with SSIRWE */
       SPEC_VTD_SS_IW = FIELD_BIT(62), /* with SSIRWE; else reserved */
       SPEC_VTD_SS_TM = FIELD_BIT(
	       62), /* up to revision 3: transient mapping, leaf, with DT; else reserved */
};

enum { /* both stages */
       SPEC_VTD_PAGING_ENTRY_SIZE = 8,
       SPEC_VTD_LEVEL_BITS = 9,
       SPEC_VTD_PAGE_SHIFT = 12,
};

enum { /* host permission table entries, 16 bytes (9.12); HPTL1E is 32 fields PPi of 4 bits */
       SPEC_VTD_HPT_1_AV = FIELD_BIT(0),
       SPEC_VTD_HPT_1_RESERVED = FIELD(11, 1),
       SPEC_VTD_HPT_1_ADDRESS = FIELD(51, 12),
       SPEC_VTD_HPT_L3_0_RESERVED = FIELD(63, 32),
       SPEC_VTD_HPT_SIZE = 16,
       SPEC_VTD_HPT_PP_R = 1,
       SPEC_VTD_HPT_PP_W = 2,
       SPEC_VTD_HPT_PP_RESERVED = 12,
};

enum { /* interrupt remapping table entry, 16 bytes, remapped (9.9) and posted (9.10) */
       SPEC_VTD_IRTE_0_P = FIELD_BIT(0),
       SPEC_VTD_IRTE_0_FPD = FIELD_BIT(1),
       SPEC_VTD_IRTE_0_DM = FIELD_BIT(2),
       SPEC_VTD_IRTE_0_RH = FIELD_BIT(3),
       SPEC_VTD_IRTE_0_TM = FIELD_BIT(4),
       SPEC_VTD_IRTE_0_DLM = FIELD(7, 5),
       SPEC_VTD_IRTE_0_AVAIL = FIELD(11, 8),
       SPEC_VTD_IRTE_0_RESERVED = FIELD(14, 12),
       SPEC_VTD_IRTE_0_IM = FIELD_BIT(15),
       SPEC_VTD_IRTE_0_V = FIELD(23, 16),
       SPEC_VTD_IRTE_0_RESERVED_HIGH = FIELD(31, 24),
       SPEC_VTD_IRTE_0_DST = FIELD(63, 32), /* x2APIC */
       SPEC_VTD_IRTE_0_DST_XAPIC = FIELD(47, 40),
       SPEC_VTD_IRTE_0_RESERVED_XAPIC_LOW = FIELD(39, 32),
       SPEC_VTD_IRTE_0_RESERVED_XAPIC_HIGH = FIELD(63, 48),
       SPEC_VTD_IRTE_1_SID = FIELD(15, 0),
       SPEC_VTD_IRTE_1_SQ = FIELD(17, 16),
       SPEC_VTD_IRTE_1_SVT = FIELD(19, 18),
       SPEC_VTD_IRTE_1_RESERVED = FIELD(63, 20),
       SPEC_VTD_IRTE_SIZE = 16,

       /* IM = 1 */
       SPEC_VTD_IRTE_POSTED_0_RESERVED = FIELD(7, 2),
       SPEC_VTD_IRTE_POSTED_0_RESERVED_MIDDLE = FIELD(13, 12),
       SPEC_VTD_IRTE_POSTED_0_URG = FIELD_BIT(14),
       SPEC_VTD_IRTE_POSTED_0_RESERVED_HIGH = FIELD(37, 24),
       SPEC_VTD_IRTE_POSTED_0_PDAL = FIELD(63, 38), /* address bits 31:6 */
       SPEC_VTD_IRTE_POSTED_1_RESERVED = FIELD(31, 20),
       SPEC_VTD_IRTE_POSTED_1_PDAH = FIELD(63, 32), /* address bits 63:32 */

       SPEC_VTD_SVT_NONE = 0,
       SPEC_VTD_SVT_SID = 1, /* compare with SID; SQ says which function bits do not count */
       SPEC_VTD_SVT_BUS = 2, /* SID[15:8] <= bus <= SID[7:0] */
};

enum { /* posted interrupt descriptor, 64 bytes (9.11), by words of 64 bits */
       SPEC_VTD_PID_4_ON = FIELD_BIT(0), /* words 0 to 3: a bit for each vector */
       SPEC_VTD_PID_4_SN = FIELD_BIT(1),
       SPEC_VTD_PID_4_RESERVED = FIELD(15, 2),
       SPEC_VTD_PID_4_NV = FIELD(23, 16),
       SPEC_VTD_PID_4_RESERVED_HIGH = FIELD(31, 24),
       SPEC_VTD_PID_4_NDST = FIELD(63, 32),
       SPEC_VTD_PID_SIZE = 64,
};

/* Interrupt messages (5.1.2): fields of the address and of the data. */
#define SPEC_VTD_INTERRUPT_FIRST UINT64_C(0xfee00000)
#define SPEC_VTD_INTERRUPT_LAST  UINT64_C(0xfeefffff)

enum {
	/* compatibility format, and what the processor gets */
	SPEC_MSI_ADDRESS_DM = FIELD_BIT(2),         /* destination mode */
	SPEC_MSI_ADDRESS_RH = FIELD_BIT(3),         /* redirection hint */
	SPEC_MSI_ADDRESS_DEST = FIELD(19, 12),      /* APIC identifier 7:0 */
	SPEC_MSI_ADDRESS_DEST_HIGH = FIELD(63, 40), /* x2APIC: identifier 31:8 (figure 5-6) */
	SPEC_MSI_DATA_VECTOR = FIELD(7, 0),
	SPEC_MSI_DATA_DLM = FIELD(10, 8),    /* delivery mode */
	SPEC_MSI_DATA_LEVEL = FIELD_BIT(14), /* 1: asserted */
	SPEC_MSI_DATA_TM = FIELD_BIT(15),    /* trigger mode: 1 level */
	/* remappable format */
	SPEC_VTD_MSI_ADDRESS_HANDLE_HIGH = FIELD_BIT(2), /* handle[15] */
	SPEC_VTD_MSI_ADDRESS_SHV = FIELD_BIT(3),
	SPEC_VTD_MSI_ADDRESS_FORMAT = FIELD_BIT(4), /* 1: remappable */
	SPEC_VTD_MSI_ADDRESS_HANDLE = FIELD(19, 5), /* handle[14:0] */
	SPEC_VTD_MSI_DATA_SUBHANDLE = FIELD(15, 0),
	SPEC_VTD_MSI_DATA_RESERVED = FIELD(31, 16), /* with SHV */
};

enum { /* I/O APIC redirection table entry (82093AA data sheet; remappable format: 5.1.5.1) */
       SPEC_IOAPIC_RTE_VECTOR = FIELD(7, 0),
       SPEC_IOAPIC_RTE_DLM = FIELD(10, 8), /* bit 8 of a remappable entry becomes SHV: must be 0 */
       SPEC_IOAPIC_RTE_DM = FIELD_BIT(11), /* remappable: index[15] */
       SPEC_IOAPIC_RTE_STATUS = FIELD_BIT(12),
       SPEC_IOAPIC_RTE_POLARITY = FIELD_BIT(13),
       SPEC_IOAPIC_RTE_REMOTE_IRR = FIELD_BIT(14),
       SPEC_IOAPIC_RTE_TM = FIELD_BIT(15),
       SPEC_IOAPIC_RTE_MASK = FIELD_BIT(16),
       SPEC_IOAPIC_RTE_FORMAT = FIELD_BIT(48), /* 1: remappable */
       SPEC_IOAPIC_RTE_INDEX = FIELD(63, 49),  /* index[14:0] */
       SPEC_IOAPIC_RTE_DEST = FIELD(63, 56),
};

/* Fault reasons: table 30 in section 7.1.3, table 15 in section 5.1.4.1.  The comment is the
 * condition code. */
enum spec_vtd_reason {
	SPEC_VTD_NO_FAULT = 0,
	/* legacy mode */
	SPEC_VTD_ROOT_NOT_PRESENT = 0x01,     /* LRT.2 */
	SPEC_VTD_CONTEXT_NOT_PRESENT = 0x02,  /* LCT.2 */
	SPEC_VTD_CONTEXT_INVALID = 0x03,      /* LCT.4 */
	SPEC_VTD_ADDRESS_BEYOND_WIDTH = 0x04, /* LGN.1 */
	SPEC_VTD_WRITE_DENIED = 0x05,         /* LGN.2 */
	SPEC_VTD_READ_DENIED = 0x06,          /* LGN.3 */
	SPEC_VTD_PAGING_ACCESS = 0x07,        /* LSS.1 */
	SPEC_VTD_ROOT_ACCESS = 0x08,          /* LRT.1 */
	SPEC_VTD_CONTEXT_ACCESS = 0x09,       /* LCT.1 */
	SPEC_VTD_ROOT_RESERVED = 0x0a,        /* LRT.3 */
	SPEC_VTD_CONTEXT_RESERVED = 0x0b,     /* LCT.3 */
	SPEC_VTD_PAGING_RESERVED = 0x0c,      /* LSS.2 */
	SPEC_VTD_CONTEXT_BLOCKED = 0x0d,      /* LCT.5 */
	SPEC_VTD_INTERRUPT_RANGE = 0x0e,      /* LGN.4 */
	/* interrupt remapping */
	SPEC_VTD_IR_REQUEST_RESERVED = 0x20,
	SPEC_VTD_IR_INDEX = 0x21,
	SPEC_VTD_IR_NOT_PRESENT = 0x22,
	SPEC_VTD_IR_ACCESS = 0x23,
	SPEC_VTD_IR_RESERVED = 0x24,
	SPEC_VTD_IR_COMPATIBILITY_BLOCKED = 0x25,
	SPEC_VTD_IR_SOURCE = 0x26,
	SPEC_VTD_IR_PID_ACCESS = 0x27,
	SPEC_VTD_IR_PID_RESERVED = 0x28,
	SPEC_VTD_IR_NO_INTERRUPT = 0x29, /* in the range, and not a valid interrupt */
	SPEC_VTD_IR_EIME_REQUIRED = 0x2a,
	SPEC_VTD_IR_REQUIRED = 0x2b,
	/* root table address register */
	SPEC_VTD_RTA_INVALID = 0x30,             /* RTA.1 */
	SPEC_VTD_RTA_LEGACY_PASID = 0x31,        /* RTA.2 */
	SPEC_VTD_RTA_LEGACY_PAGE_REQUEST = 0x32, /* RTA.3 */
	SPEC_VTD_RTA_ABORT = 0x33,               /* RTA.4 */
	SPEC_VTD_RTA_EXECUTE = 0x34,             /* RTA.5 */
	/* scalable mode */
	SPEC_VTD_SMROOT_ACCESS = 0x38,         /* SRT.1 */
	SPEC_VTD_SMROOT_NOT_PRESENT = 0x39,    /* SRT.2 */
	SPEC_VTD_SMROOT_RESERVED = 0x3a,       /* SRT.3 */
	SPEC_VTD_SMCONTEXT_ACCESS = 0x40,      /* SCT.1 */
	SPEC_VTD_SMCONTEXT_NOT_PRESENT = 0x41, /* SCT.2 */
	SPEC_VTD_SMCONTEXT_RESERVED = 0x42,    /* SCT.3 */
	SPEC_VTD_SMCONTEXT_INVALID = 0x43,     /* SCT.4 */
	SPEC_VTD_SMCONTEXT_DTE = 0x44,         /* SCT.5 */
	SPEC_VTD_SMCONTEXT_PASIDE = 0x45,      /* SCT.6 */
	SPEC_VTD_SMCONTEXT_PDTS = 0x46,        /* SCT.7 */
	SPEC_VTD_SMCONTEXT_PRE = 0x47,         /* SCT.8 */
	SPEC_VTD_SMCONTEXT_RID_PASID = 0x48,   /* SCT.9 */
	SPEC_VTD_SMCONTEXT_EPTR = 0x49,        /* SCT.10 */
	SPEC_VTD_PASIDDIR_ACCESS = 0x50,       /* SPD.1 */
	SPEC_VTD_PASIDDIR_NOT_PRESENT = 0x51,  /* SPD.2 */
	SPEC_VTD_PASIDDIR_RESERVED = 0x52,     /* SPD.3 */
	SPEC_VTD_PASID_ACCESS = 0x58,          /* SPT.1 */
	SPEC_VTD_PASID_NOT_PRESENT = 0x59,     /* SPT.2 */
	SPEC_VTD_PASID_RESERVED = 0x5a,        /* SPT.3 */
	SPEC_VTD_PASID_INVALID = 0x5b,         /* SPT.4 */
	SPEC_VTD_PASID_EXECUTE = 0x5c,         /* SPT.5 */
	SPEC_VTD_PASID_SRE = 0x5d,             /* SPT.6 */
	SPEC_VTD_PASID_HPTSZ = 0x60,           /* SPT.9 */
	SPEC_VTD_FS_ACCESS = 0x70,             /* SFS.1 */
	SPEC_VTD_FS_NOT_PRESENT = 0x71,        /* SFS.2 */
	SPEC_VTD_FS_RESERVED = 0x72,           /* SFS.3 */
	SPEC_VTD_FS_TOP_ACCESS = 0x73,         /* SFS.4 */
	SPEC_VTD_FS_BEYOND_WIDTH = 0x74,       /* SFS.5 */
	SPEC_VTD_FS_TOP_READ_DENIED = 0x75,    /* SFS.6 */
	SPEC_VTD_FS_READ_DENIED = 0x76,        /* SFS.7 */
	SPEC_VTD_FS_UPDATE_DENIED = 0x77,      /* SFS.8 */
	SPEC_VTD_SS_ACCESS = 0x78,             /* SSS.1 */
	SPEC_VTD_SS_NOT_PRESENT = 0x79,        /* SSS.2 */
	SPEC_VTD_SS_RESERVED = 0x7a,           /* SSS.3 */
	SPEC_VTD_SS_TOP_ACCESS = 0x7b,         /* SSS.4 */
	SPEC_VTD_SS_UPDATE_NOT_SNOOPED = 0x7c, /* SSS.5 */
	SPEC_VTD_SS_UPDATE_FAILED = 0x7d,      /* SSS.6 */
	SPEC_VTD_NOT_CANONICAL = 0x80,         /* SGN.1 */
	SPEC_VTD_PRIVILEGE = 0x81,             /* SGN.2 */
	SPEC_VTD_EXECUTE_DENIED = 0x82,        /* SGN.3, revision 3; withdrawn */
	SPEC_VTD_SM_BEYOND_HOST_WIDTH = 0x83,  /* SGN.4 */
	SPEC_VTD_SM_BEYOND_WIDTH = 0x84,       /* SGN.5 */
	SPEC_VTD_SM_WRITE_DENIED = 0x85,       /* SGN.6 */
	SPEC_VTD_SM_READ_DENIED = 0x86,        /* SGN.7 */
	SPEC_VTD_SM_INTERRUPT_RANGE = 0x87,    /* SGN.8 */
	SPEC_VTD_SM_PASID_SIZE = 0x89,         /* SGN.10 */
	SPEC_VTD_FS_UPDATE_NOT_SNOOPED = 0x90, /* SFS.9 */
	SPEC_VTD_FS_UPDATE_FAILED = 0x91,      /* SFS.10 */
	SPEC_VTD_HPT_ACCESS = 0xa0,            /* HPT.1 */
	SPEC_VTD_HPT_RESERVED = 0xa1,          /* HPT.2 */
	SPEC_VTD_HPT_TOP_ACCESS = 0xa2,        /* HPT.3 */
	SPEC_VTD_HPT_NOT_PRESENT = 0xa3,       /* HPT.4 */
	SPEC_VTD_HPT_WRITE_DENIED = 0xa4,      /* HPT.5 */
	SPEC_VTD_HPT_READ_DENIED = 0xa5,       /* HPT.6 */
	SPEC_VTD_REASONS = 0xa6,
};

#endif
