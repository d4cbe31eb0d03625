/* iommu/request.h -- what a remapping unit is asked and what it answers, whatever the format of its tables:
 * a DMA, an ATS translation request, an interrupt message; and the memory that its tables are in.
 *
 * Threads: plain values.  Memory: none kept. */
#ifndef IOMMU_REQUEST_H
#define IOMMU_REQUEST_H

#include "base/base.h"

/* Physical memory as the unit sees it.  Every table, queue and status word is reached through this. */
struct iommu_memory {
	/* Copies 'size' (1..64) bytes that do not cross a page.  An aligned word of 8 bytes is read or
	 * written whole.  False: there is no memory at that address. */
	bool (*read)(void *context, uint64_t address, void *bytes, uint32_t size);
	bool (*write)(void *context, uint64_t address, const void *bytes, uint32_t size);
	/* Replaces the 8 bytes at 'address' when they are 'old' (accessed and dirty bits, posted
	 * interrupts); false: no memory, or somebody else was faster. */
	bool (*replace)(void *context, uint64_t address, uint64_t old, uint64_t now);
	void *context;
	/* Where the aligned word at 'address' lies, to be looked at now and not kept; NULL: there is no memory.
	 * A short cut for page tables: without this function read() is asked. */
	const _Atomic uint64_t *(*word)(void *context, uint64_t address);
};

enum iommu_access { IOMMU_READ = 1, IOMMU_WRITE = 2, IOMMU_EXECUTE = 4 };

/* PCI Express: the AT field of a request's header. */
enum iommu_address_type {
	IOMMU_UNTRANSLATED = 0,
	IOMMU_TRANSLATION_REQUEST = 1,
	IOMMU_TRANSLATED = 2,
};

#define IOMMU_NO_PASID UINT32_MAX

struct iommu_request {
	uint16_t source;  /* requester ID: bus 15:8, device 7:3, function 2:0 */
	uint8_t type;     /* enum iommu_address_type */
	uint8_t access;   /* enum iommu_access, ored: what must be allowed.  0: any one right will do, and
	                   * the answer says which there are */
	uint32_t pasid;   /* 20 bits, or IOMMU_NO_PASID */
	bool privileged;  /* the PASID prefix asks for supervisor rights */
	bool zero_length; /* a read of no bytes, which devices use to flush their writes; access is IOMMU_READ */
	uint64_t address;
};

enum iommu_outcome {
	IOMMU_OK,
	IOMMU_FAULT,  /* refused, and to be reported */
	IOMMU_SILENT, /* refused; software asked not to be told (fault processing disable) */
};

/* What PCI Express tells a requester whose request was refused. */
enum iommu_completion {
	IOMMU_SUCCESS,
	IOMMU_UNSUPPORTED_REQUEST,
	IOMMU_COMPLETER_ABORT,
};

struct iommu_answer {
	uint8_t outcome;    /* enum iommu_outcome */
	uint8_t completion; /* enum iommu_completion */
	uint16_t reason;    /* FAULT and SILENT: code of the format's specification; SILENT with 0: refused
	                     * without being a fault */
	uint8_t rights;     /* enum iommu_access, ored: all that the tables allow; what an ATS completion grants */
	uint8_t table_shift; /* OK: of the page in the tables that the address lies in; 0: no page tables.
			      * page_shift is less where a part of the page is answered otherwise */
	uint16_t domain;    /* domain identifier of the tables that were walked */
	uint8_t page_shift; /* the answer holds for this page: 12, 21, 30, up to 64 without tables; of a
	                     * refusal: for all addresses that the entry decides for */
	bool snoop, transient; /* attributes of the leaf; snoop is the N bit of an ATS completion */
	bool global;
	bool report_once;       /* AMD: see amdvi_walk() */
	bool untranslated_only; /* ATS: the U bit; the range is reached by untranslated requests alone */
	uint64_t address;   /* OK: where the request's address leads to, offset included */
};

/* An interrupt message: a write of 'data' to 'address' (MSI, MSI-X, or an I/O APIC's). */
struct iommu_message {
	uint16_t source;
	uint64_t address;
	uint32_t data;
};

struct iommu_remapped {
	enum iommu_outcome outcome;
	uint16_t reason;
	bool posted;        /* the entry names a posted-interrupt descriptor: nothing is delivered as is */
	uint32_t index;     /* of the entry; meaningless for a compatibility-format message that passed */
	uint64_t address;   /* the message as the processor gets it */
	uint32_t data;
	uint64_t descriptor; /* posted: its address */
	uint8_t vector;
	bool urgent;
};

/* An invalidation request for a device's translation cache (ATS, PCI Express 5.0 section 10.3.1). */
struct iommu_device_invalidation {
	uint16_t source;  /* who must drop */
	uint32_t pasid;   /* in this address space, or IOMMU_NO_PASID */
	bool all_pasids;  /* in every address space */
	uint64_t address; /* from here, a multiple of 'size' */
	uint64_t size;    /* bytes, a power of two; 0: 2^64 */
	uint8_t itag;     /* names it in the completion, 0..31 */
};

/* Whether a request is believed whose address the device says it has translated. */
enum iommu_trust {
	/* Only from functions whose context or device table entry allows it, and not while an
	 * invalidation of the function's own cache is outstanding or has timed out: it may still use
	 * what was taken back. */
	IOMMU_TRUST_WHEN_INVALIDATED,
	/* From functions whose entry allows it: the specifications' own rule, no more. */
	IOMMU_TRUST_ENTRY,
};

/* A device's page request (PRI, PCI Express 5.0 section 10.4.1). */
struct iommu_page_request {
	uint16_t source;
	uint32_t pasid; /* or IOMMU_NO_PASID */
	uint64_t address;
	uint16_t group; /* 9 bits */
	uint8_t access; /* enum iommu_access, ored; 0 with 'last': a stop marker */
	bool last, privileged;
};

/* One step of a walk, told while it is walked. */
struct iommu_step {
	const char *table;  /* "root entry", "context entry", "level 3 (PDPE)", "PASID entry" */
	uint64_t address;   /* of the entry in memory */
	unsigned index;     /* in its table */
	uint8_t shift;      /* of a paging entry: it decides for 2^shift bytes of addresses; else 0 */
	uint64_t words[8];  /* the entry, little-endian words of 8 bytes */
	unsigned word_count;
	const char *meaning; /* one sentence on what the entry says or what is wrong with it */
};

/* Who is told; NULL function: nobody. */
struct iommu_trace {
	void (*step)(void *context, const struct iommu_step *step);
	void *context;
};

#endif
