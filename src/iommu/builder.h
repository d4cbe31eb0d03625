/* iommu/builder.h -- makes page tables: maps and unmaps ranges in VT-d second-level, VT-d first-level and AMD
 * format with the largest pages that fit, splitting and merging as needed.
 *
 * What it is not: it invalidates nothing; unmapping tells which ranges the caller must invalidate before the
 * pages, or the table pages in 'retired', may be used for something else.
 *
 * Threads: one writer; hardware, or vtd_walk(), may read at any moment and sees each entry whole.
 * Memory: table pages from the caller's 'pages'. */
#ifndef IOMMU_BUILDER_H
#define IOMMU_BUILDER_H

#include "iommu/request.h"

enum iommu_format { IOMMU_VTD_SECOND_LEVEL, IOMMU_VTD_FIRST_LEVEL, IOMMU_AMD };

/* Where table pages (4 KiB, aligned, zero) come from and go to. */
struct iommu_pages {
	uint64_t (*take)(void *context);             /* physical address; 0: none left */
	void (*give)(void *context, uint64_t page);
	uint64_t *(*words)(void *context, uint64_t page); /* its 512 entries */
	void *context;
};

struct iommu_builder {
	enum iommu_format format;
	unsigned levels;        /* 3, 4 or 5; AMD: 1..6 */
	uint8_t page_shifts;    /* bit 0: 2 MiB, bit 1: 1 GiB pages allowed */
	const struct iommu_pages *pages;
	uint64_t root;          /* physical address of the top table */
	uint64_t table_count;   /* pages in use */
	uint64_t retired;       /* head of the list of pages that invalidation sets free */
};

/* 0, or -ENOMEM. */
int iommu_builder_init(struct iommu_builder *builder);
void iommu_builder_fini(struct iommu_builder *builder);

struct iommu_range {
	uint64_t iova, size;  /* multiples of 4 KiB, size > 0 */
};

/* Maps range to physical 'target' with 'rights'; what was mapped there is replaced.  0; -EINVAL when
 * something is not a multiple of 4 KiB or passes the width; -ENOMEM, and then nothing has changed. */
int iommu_builder_map(struct iommu_builder *builder, struct iommu_range range, uint64_t target,
		      uint8_t rights);
/* Ends every mapping in the range; none there is not an error.  -ENOMEM when a large page had to be
 * split and there was no page for it: then nothing has changed. */
int iommu_builder_unmap(struct iommu_builder *builder, struct iommu_range range);
/* Gives back pages that are no longer reachable, after invalidation. */
void iommu_builder_reclaim(struct iommu_builder *builder);

/* Calls 'each' with every mapping in ascending order, neighbours joined. */
void iommu_builder_list(const struct iommu_builder *builder,
			void (*each)(void *context, struct iommu_range range, uint64_t target,
				     uint8_t rights),
			void *context);

#endif
