/* iommu/builder.h -- makes page tables: maps and unmaps ranges in VT-d second-level, VT-d
 * first-level and AMD format with the largest pages that fit, splitting and merging as needed.
 *
 * What it is not: it invalidates nothing.  After a change the caller invalidates the range that it
 * changed; until then a walker may use the old tables, whose pages are kept, and after that
 * iommu_builder_reclaim() sets them free.
 *
 * Threads: one writer; hardware, or vtd_walk(), may read at any moment and sees each entry whole:
 * at every moment an address inside a range that is being changed has its old or its new
 * translation, or none if it had none or gets none, and an address outside of it always has its
 * own.
 *
 * Memory: table pages from the caller's 'pages'. */
#ifndef IOMMU_BUILDER_H
#define IOMMU_BUILDER_H

#include "iommu/request.h"

enum iommu_format { IOMMU_VTD_SECOND_LEVEL, IOMMU_VTD_FIRST_LEVEL, IOMMU_AMD };

enum { IOMMU_LEVELS_MAX = 6 };

/* Where table pages (4 KiB, aligned) come from and go to. */
struct iommu_pages {
	uint64_t (*take)(void *context); /* physical address of a page of zeros; 0: none left */
	void (*give)(void *context, uint64_t page);
	_Atomic uint64_t *(*words)(void *context, uint64_t page); /* its 512 entries */
	/* A word that the owner of the pages keeps for each, outside of it: the builder lists pages
	 * that walkers may still read, and must not write into them. */
	uint64_t *(*link)(void *context, uint64_t page);
	void *context;
};

enum iommu_page_sizes { IOMMU_PAGES_2M = 1 << 0, IOMMU_PAGES_1G = 1 << 1 };

struct iommu_builder {
	enum iommu_format format;
	unsigned levels;        /* 3, 4 or 5; AMD: 1..6 */
	uint8_t page_sizes;     /* enum iommu_page_sizes, ored: beside 4 KiB */
	const struct iommu_pages *pages;
	/* The builder's own. */
	uint64_t root;          /* physical address of the top table */
	uint64_t table_count;   /* pages in use, retired ones not counted */
	uint64_t retired;       /* head of the list of pages that invalidation sets free; 0: none */
	uint64_t spare;         /* pages taken for the change that is being made */
	bool replaced;          /* that change ended something */
};

/* Takes the top table; the first four members are set.  0, or -ENOMEM. */
int iommu_builder_init(struct iommu_builder *builder);
/* Gives every page back.  No walker may be left. */
void iommu_builder_fini(struct iommu_builder *builder);

struct iommu_range {
	uint64_t iova, size; /* multiples of 4 KiB, size > 0 */
};

/* Maps range to physical 'target' with 'rights'; what was mapped there is replaced.
 *
 * range   inside the width of the tables; first-level addresses are canonical: those of the
 *         upper half have all upper bits set
 * target  multiple of 4 KiB; all of it below 2^52
 * rights  enum iommu_access, ored; reading or writing, in first-level tables reading; only those
 *         tell executing from reading
 *
 * 0, or 1 when there is something to invalidate; -EINVAL when something is not as said, or -ENOMEM,
 * and then nothing has changed. */
int iommu_builder_map(struct iommu_builder *builder, struct iommu_range range, uint64_t target,
		      uint8_t rights);

/* Ends every mapping in the range; none there is not an error.  0, or 1 when there was one and is to
 * be invalidated; -EINVAL as above, or -ENOMEM when a large page had to be split and there was no
 * page for it, and then nothing has changed. */
int iommu_builder_unmap(struct iommu_builder *builder, struct iommu_range range);

/* Gives back pages that are no longer reachable, after invalidation. */
void iommu_builder_reclaim(struct iommu_builder *builder);

/* What one address is mapped to, as a walk would find it: *range is the page that holds it.  False:
 * it is not mapped. */
bool iommu_builder_find(const struct iommu_builder *builder, uint64_t iova,
			struct iommu_range *range, uint64_t *target, uint8_t *rights);

/* Calls 'each' with every mapping in ascending order (of first-level tables: the upper half last),
 * neighbours with consecutive targets and the same rights joined. */
void iommu_builder_list(const struct iommu_builder *builder,
			void (*each)(void *context, struct iommu_range range, uint64_t target,
				     uint8_t rights),
			void *context);

#endif
