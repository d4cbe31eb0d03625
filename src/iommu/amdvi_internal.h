/* iommu/amdvi_internal.h -- what the files of AMD's walk share.  Only for files of this folder.
 *
 * A part answers with a reason as amdvi_walk.h has it, 0: none.
 *
 * Threads: any; all state is in the arguments.  Memory: none kept. */
#ifndef IOMMU_AMDVI_INTERNAL_H
#define IOMMU_AMDVI_INTERNAL_H

#include "iommu/amdvi_walk.h"
#include "spec/amdvi.h"

enum { AMDVI_DTE_WORDS = SPEC_AMDVI_DTE_SIZE / 8 };

struct amdvi_walk {
	const struct amdvi_tables *tables;
	const struct iommu_trace *trace;
	uint16_t source;
	uint16_t flags; /* that every event of this request carries: I, TR */
	uint64_t dte[AMDVI_DTE_WORDS];
	struct iommu_step step; /* the entry that is looked at */
};

/* The walk of one DMA. */
struct amdvi_page {
	struct amdvi_walk base;
	const struct iommu_request *request;
	uint8_t access; /* enum iommu_access, ored: what the request counts as */
	uint8_t rights; /* by the device table entry and all entries so far */
	unsigned level;
	uint64_t address; /* where the page is, offset included */
	unsigned page_shift;  /* the answer holds for it */
	unsigned table_shift; /* of the page in the tables; 0: no page tables */
	unsigned decided_shift; /* what was met so far decides for 2^this bytes of addresses */
	bool untranslated_only, coherent;
};

/* An event of this walk. */
uint16_t amdvi_event(const struct amdvi_walk *walk, unsigned code, unsigned flags);

/* Reads 'size' bytes at step.address into step.words.  False: no memory there. */
bool amdvi_read_entry(struct amdvi_walk *walk, uint32_t size);

/* Tells the trace of the present step.  The meaning is formatted as by printf. */
void amdvi_tell(const struct amdvi_walk *walk, const char *format, ...) printf_like(2, 3);

/* Tells that the present step refuses the request, and why.  Returns the reason. */
uint16_t amdvi_refused(const struct amdvi_walk *walk, uint16_t reason);

/* Reads the requester's device table entry into walk->dte (section 2.2.2). */
uint16_t amdvi_device_entry(struct amdvi_walk *walk);
/* Whether a valid one is programmed for this unit. */
uint16_t amdvi_check_entry(const struct amdvi_walk *walk);
/* Its paging mode: levels of page tables, 0: none. */
unsigned amdvi_levels(const struct amdvi_walk *walk);

/* Walks the page tables that walk->dte names, of at least one level (section 2.2.3). */
uint16_t amdvi_pages(struct amdvi_page *page);
/* The event of a page fault. */
uint16_t amdvi_page_fault(const struct amdvi_page *page, unsigned flags);
/* Whether the rights so far allow what the request wants; nothing wanted: any right will do. */
bool amdvi_suffices(const struct amdvi_page *page);
/* enum iommu_access, ored, of a device table or page table entry's first word. */
uint8_t amdvi_rights(uint64_t word);
const char *amdvi_rights_text(uint8_t rights);

#endif
