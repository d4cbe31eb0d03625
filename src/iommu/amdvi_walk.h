/* iommu/amdvi_walk.h -- AMD: what tables in memory say about one request or one interrupt, walked
 * from the device table every time (AMD I/O Virtualization Technology specification, publication
 * 48882, sections 2.1 to 2.2.5).
 *
 * What it is not: it keeps nothing.  Registers, caches, command buffer and logs are another file's.
 * It walks no guest page tables (GCR3): a request with PASID is refused as a page fault.
 *
 * Threads: any; all state is in the arguments.  Memory: none. */
#ifndef IOMMU_AMDVI_WALK_H
#define IOMMU_AMDVI_WALK_H

#include "iommu/request.h"

/* The registers that decide what tables mean, as values (section 3.4). */
struct amdvi_tables {
	uint64_t features;         /* extended feature register: which fields are reserved, HATS */
	uint64_t control;          /* control register: IommuEn, GAEn, XTEn, DevTblSegEn */
	uint64_t device_tables[8]; /* device table base address register, then those of segments 1
				      to 7 */
	uint64_t exclusion_base, exclusion_limit; /* registers */
	bool set_accessed; /* write accessed and dirty bits where the tables enable them */
	const struct iommu_memory *memory;
};

/* A reason is bits 63:48 of the event log entry that reports it (section 2.5): the code in bits
 * 15:12, the flags in 11:0.  A refusal that is told to the device alone has reason 0. */

/* The answer to one request.  trace: told each entry that is read; NULL: nobody.
 *
 * answer->report_once: once this event is logged, later ones of the device are not, until its
 * device table entry is invalidated (SE). */
void amdvi_walk(const struct amdvi_tables *tables, const struct iommu_request *request,
		const struct iommu_trace *trace, struct iommu_answer *answer);

/* The answer to one interrupt message (section 2.2.5).  The remapped message has the same form as
 * vtd_remap()'s; a guest-mode entry is 'posted' to the APIC backing page in 'descriptor'. */
void amdvi_remap(const struct amdvi_tables *tables, const struct iommu_message *message,
		 const struct iommu_trace *trace, struct iommu_remapped *remapped);

/* What a reason means; never NULL. */
const char *amdvi_reason_text(unsigned reason);

#endif
