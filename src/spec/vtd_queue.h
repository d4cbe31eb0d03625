/* spec/vtd_queue.h -- what lies in the queues of a VT-d remapping unit: invalidation descriptors
 * and page requests; what passes between the unit and a device about them.
 *
 * Intel Virtualization Technology for Directed I/O, Architecture Specification, sections 6.5.2
 * (queued invalidation), 7.4 (page requests) and 7.6 (responses).  Descriptors are two or four
 * little-endian words of 64 bits; FOO_1_BAR is in word 1, the standard's bits 127:64.
 * Only what the standard says. */
#ifndef SPEC_VTD_QUEUE_H
#define SPEC_VTD_QUEUE_H

#include "base/field.h"

enum {					 /* descriptor types */
       SPEC_VTD_QI_CONTEXT = 1,		 /* context cache, 6.5.2.1 */
       SPEC_VTD_QI_IOTLB = 2,		 /* IOTLB, 6.5.2.3 */
       SPEC_VTD_QI_DEVICE_TLB = 3,	 /* device TLB, 6.5.2.5 */
       SPEC_VTD_QI_INTERRUPT = 4,	 /* interrupt entry cache, 6.5.2.7 */
       SPEC_VTD_QI_WAIT = 5,		 /* invalidation wait, 6.5.2.8 */
       SPEC_VTD_QI_PASID_IOTLB = 6,	 /* PASID-based IOTLB, 6.5.2.4 */
       SPEC_VTD_QI_PASID_CACHE = 7,	 /* PASID cache, 6.5.2.2 */
       SPEC_VTD_QI_PASID_DEVICE_TLB = 8, /* PASID-based device TLB, 6.5.2.6 */
       SPEC_VTD_QI_PAGE_RESPONSE = 9,	 /* page group response, 7.6.1 */
       SPEC_VTD_QI_TYPES,
};

enum { /* fields of most descriptors */
       SPEC_VTD_QI_0_TYPE = FIELD(3, 0),
       SPEC_VTD_QI_0_TYPE_HIGH = FIELD(11, 9), /* 0 in all types above */
       SPEC_VTD_QI_0_G = FIELD(5, 4),
       SPEC_VTD_QI_0_DID = FIELD(31, 16),
       SPEC_VTD_QI_0_PASID = FIELD(51, 32),
       SPEC_VTD_QI_1_AM = FIELD(5, 0),	/* 2^AM pages */
       SPEC_VTD_QI_1_IH = FIELD_BIT(6), /* only leaf entries have changed */
       SPEC_VTD_QI_1_ADDR = FIELD(63, 12),
};

enum { /* of single types */
       SPEC_VTD_QI_CONTEXT_0_SID = FIELD(47, 32),
       SPEC_VTD_QI_CONTEXT_0_FM = FIELD(49, 48), /* function mask */

       SPEC_VTD_QI_IOTLB_0_DW = FIELD_BIT(6),
       SPEC_VTD_QI_IOTLB_0_DR = FIELD_BIT(7),

       SPEC_VTD_QI_DEVICE_0_PFSID_LOW = FIELD(15, 12),
       SPEC_VTD_QI_DEVICE_0_MIP = FIELD(20, 16), /* most invalidations pending; 0: 32 */
       SPEC_VTD_QI_DEVICE_0_SID = FIELD(47, 32),
       SPEC_VTD_QI_DEVICE_0_PFSID_HIGH = FIELD(63, 52),
       SPEC_VTD_QI_DEVICE_1_S = FIELD_BIT(0), /* the address's low ones give the size */

       SPEC_VTD_QI_PASID_DEVICE_0_MIP = FIELD(8, 4),
       SPEC_VTD_QI_PASID_DEVICE_0_SID = FIELD(31, 16),
       SPEC_VTD_QI_PASID_DEVICE_1_G = FIELD_BIT(0), /* in all PASIDs */
       SPEC_VTD_QI_PASID_DEVICE_1_S = FIELD_BIT(11),

       SPEC_VTD_QI_INTERRUPT_0_G = FIELD_BIT(4),   /* 1: index-selective */
       SPEC_VTD_QI_INTERRUPT_0_IM = FIELD(31, 27), /* 2^IM entries */
       SPEC_VTD_QI_INTERRUPT_0_IIDX = FIELD(47, 32),

       SPEC_VTD_QI_WAIT_0_IF = FIELD_BIT(4), /* interrupt */
       SPEC_VTD_QI_WAIT_0_SW = FIELD_BIT(5), /* status write */
       SPEC_VTD_QI_WAIT_0_FN = FIELD_BIT(6), /* fence */
       SPEC_VTD_QI_WAIT_0_PD = FIELD_BIT(7), /* page request drain */
       SPEC_VTD_QI_WAIT_0_DATA = FIELD(63, 32),
       SPEC_VTD_QI_WAIT_1_ADDR = FIELD(63, 2), /* of 4 bytes */

       SPEC_VTD_QI_RESPONSE_0_PP = FIELD_BIT(4),  /* PASID present */
       SPEC_VTD_QI_RESPONSE_0_PDP = FIELD_BIT(5), /* private data present, revision 3 */
       SPEC_VTD_QI_RESPONSE_0_RC = FIELD(15, 12),
       SPEC_VTD_QI_RESPONSE_0_RID = FIELD(31, 16),
       SPEC_VTD_QI_RESPONSE_1_LPIG = FIELD_BIT(2),
       SPEC_VTD_QI_RESPONSE_1_PRGI = FIELD(11, 3),
};

enum {					  /* granularities (G) */
       SPEC_VTD_GRANULARITY_RESERVED = 0, /* of what was done: the request was wrong and ignored */
       SPEC_VTD_GRANULARITY_GLOBAL = 1,
       SPEC_VTD_GRANULARITY_DOMAIN = 2,
       SPEC_VTD_GRANULARITY_FINE = 3, /* context: a device; IOTLB: pages of a domain */

       SPEC_VTD_PASID_CACHE_DOMAIN = 0,
       SPEC_VTD_PASID_CACHE_PASID = 1,
       SPEC_VTD_PASID_CACHE_GLOBAL = 3,
       SPEC_VTD_PASID_IOTLB_ALL = 2, /* of a PASID */
       SPEC_VTD_PASID_IOTLB_PAGES = 3,
};

enum { /* IQERCD.IQEI (11.4.9.9) */
       SPEC_VTD_IQEI_NONE = 0,
       SPEC_VTD_IQEI_TAIL = 1,	    /* the tail is outside the queue */
       SPEC_VTD_IQEI_FETCH = 2,	    /* a descriptor could not be read */
       SPEC_VTD_IQEI_TYPE = 3,	    /* no such descriptor */
       SPEC_VTD_IQEI_RESERVED = 4,  /* a reserved field is not 0 */
       SPEC_VTD_IQEI_WIDTH = 5,	    /* descriptors of 128 bits in scalable mode */
       SPEC_VTD_IQEI_ALIGNMENT = 6, /* the tail is inside a descriptor */
       SPEC_VTD_IQEI_TTM = 7,	    /* the translation table mode has no such descriptor */
};

enum { /* page request descriptor, 32 bytes (7.4.1.1) */
       SPEC_VTD_PRQ_SIZE = 32,
       SPEC_VTD_PRQ_TYPE = 1,
       SPEC_VTD_PRQ_0_TYPE = FIELD(7, 0),
       SPEC_VTD_PRQ_0_PP = FIELD_BIT(8), /* PASID present */
       SPEC_VTD_PRQ_0_RID = FIELD(31, 16),
       SPEC_VTD_PRQ_0_PASID = FIELD(51, 32),
       SPEC_VTD_PRQ_0_EXE = FIELD_BIT(52),
       SPEC_VTD_PRQ_0_PM = FIELD_BIT(53), /* privileged mode */
       SPEC_VTD_PRQ_1_RD = FIELD_BIT(0),
       SPEC_VTD_PRQ_1_WR = FIELD_BIT(1),
       SPEC_VTD_PRQ_1_LPIG = FIELD_BIT(2), /* last page in group */
       SPEC_VTD_PRQ_1_PRGI = FIELD(11, 3), /* page request group index */
       SPEC_VTD_PRQ_1_ADDR = FIELD(63, 12),
};

enum { /* response codes (PCI Express 5.0, 10.4.2.1) */
       SPEC_PRG_SUCCESS = 0,
       SPEC_PRG_INVALID_REQUEST = 1,
       SPEC_PRG_FAILURE = 15,
};

enum { /* MTRRs of the unit (11.4.12), with ECAP.MTS */
       SPEC_VTD_MTRRCAP_VCNT = FIELD(7, 0),
       SPEC_VTD_MTRRCAP_FIX = FIELD_BIT(8),
       SPEC_VTD_MTRRCAP_WC = FIELD_BIT(10),
       SPEC_VTD_MTRR_FIXED = 0x120, /* 64K_00000, 16K_80000, 16K_A0000, 4K_C0000 to 4K_F8000 */
       SPEC_VTD_MTRR_FIXED_COUNT = 11,
       SPEC_VTD_MTRR_VARIABLE = 0x180, /* pairs of base and mask */
       SPEC_VTD_MTRR_VARIABLE_COUNT = 10,
};

#endif
