/* iommu/vtd_walk.h -- Intel VT-d: what tables in memory say about one request or one interrupt, walked from the
 * root every time (Virtualization Technology for Directed I/O, architecture specification, sections
 * 3 "DMA remapping", 5 "interrupt remapping", 7 "fault handling", 9 "entries").
 *
 * What it is not: it keeps nothing.  Registers, caches, queues and fault logs are of vtd.h, which walks with
 * this on a miss; the tool walks images with it.
 *
 * Threads: any; all state is in the arguments.  Memory: none. */
#ifndef IOMMU_VTD_WALK_H
#define IOMMU_VTD_WALK_H

#include "iommu/request.h"

/* Departures from the specification of implementations that one may want to compare with. */
enum vtd_quirks {
	VTD_QUIRKS_NONE,
	VTD_QUIRKS_QEMU72, /* QEMU 7.2's intel-iommu; docs/iommu.md lists each */
};

/* The registers that decide what tables mean, as values (section 11.4). */
struct vtd_tables {
	uint64_t cap, ecap;    /* capabilities: widths, page sizes, which bits are reserved */
	uint64_t rtaddr;       /* root table address register: address and translation table mode */
	uint64_t irta;         /* interrupt remapping table address register */
	bool translation;      /* GSTS.TES: off passes every request through */
	bool remapping;        /* GSTS.IRES */
	bool compatibility;    /* GSTS.CFIS: compatibility-format interrupts pass */
	enum vtd_quirks quirks;
	bool set_accessed;     /* write accessed and dirty bits where the tables enable them */
	const struct iommu_memory *memory;
};

/* The answer to one request.  trace: told each entry that is read; NULL: nobody.
 *
 * A translation request (type 1) without rights is OK with rights 0, as ATS answers it (section 4.1). */
void vtd_walk(const struct vtd_tables *tables, const struct iommu_request *request,
	      const struct iommu_trace *trace, struct iommu_answer *answer);

/* The answer to one interrupt message, whose address lies in FEExxxxxh. */
void vtd_remap(const struct vtd_tables *tables, const struct iommu_message *message,
	       const struct iommu_trace *trace, struct iommu_remapped *remapped);

/* What a reason code means, in the words of section 7; never NULL. */
const char *vtd_reason_text(unsigned reason);

#endif
