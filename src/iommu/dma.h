/* iommu/dma.h -- how a front reaches guest memory: by address and length, checked by the function's domain.
 * What the domain answered is kept: this is the function's translation cache (PCI Express: ATC).
 *
 * Every access of every front goes through dma_reach() or a pointer it returned in the same round
 * (a ring's own pages are reached once and kept until a translation under them changes: dma_epoch()
 * counts that).
 *
 * Threads: under the hold of the front it belongs to.  Memory: a plain struct of the owner; the region array
 * is the caller's and must outlive its use. */
#ifndef IOMMU_DMA_H
#define IOMMU_DMA_H

#include "base/thread.h"
#include "iommu/domain.h"
#include "iommu/page_requests.h"

enum dma_access { DMA_READ = IOMMU_READ, DMA_WRITE = IOMMU_WRITE };

/* One granted range: guest addresses base .. base + size are bytes of ours at 'host'. */
struct dma_region {
	uint64_t base;      /* guest physical address */
	uint64_t size;      /* bytes */
	uint64_t user_base; /* address in the frontend's own space (vhost-user ring addresses) */
	uint8_t *host;
};

enum dma_outcome {
	DMA_OK,
	DMA_MISS,  /* there is no translation yet: requested; try again later */
	DMA_FAULT, /* the address is not granted, or not for this access: blocked and reported */
};

enum { DMA_LOG_PAGE_SIZE = 4096, DMA_RANGES = 1024 };

/* Which pages were written, for live migration; one bit a 4 KiB page, in shared memory that
 * another process reads (vhost-user SET_LOG_BASE).  NULL bits: nobody asks. */
struct dma_log {
	uint8_t *bits;
	uint64_t size; /* bytes */
};

struct dma {
	struct dma_range near[4];           /* by access: that of the last access */
	struct dma_range ranges[DMA_RANGES]; /* what is kept: in ascending order, not overlapping */
	unsigned range_count;
	unsigned turn;                      /* which of them gives way next */
	uint32_t epoch;                     /* counts what was forgotten; see dma_epoch() */
	struct iommu_domain *domain;
	struct page_requests *requests;     /* NULL: an address without a translation is a fault */
	struct counter *blocked;            /* counts faults */
	/* For the dirty log, which counts in guest physical addresses. */
	struct dma_log log;
	const struct dma_region *regions;   /* sorted by base, not overlapping */
	unsigned region_count;
};

/* Makes 'dma' the cache of a function in 'domain'; 'blocked' counts faults. */
void dma_init(struct dma *dma, struct iommu_domain *domain, struct counter *blocked);

/* Changes whenever a pointer from dma_reach() may have become wrong. */
static inline uint32_t dma_epoch(const struct dma *dma)
{
	return dma->epoch;
}

/* The bytes at 'addr' when all 'size' (> 0) lie in the range of the last such access; NULL: dma_reach()
 * knows more. */
static inline uint8_t *dma_near(const struct dma *dma, uint64_t addr, uint32_t size,
				enum dma_access access)
{
	const struct dma_range *range = &dma->near[access];

	/* A range holds less than 2^63 bytes, so the difference of a lower address fails. */
	if (unlikely(addr - range->first >= range->size ||
		     size > range->size - (addr - range->first)))
		return NULL;
	return range->host + (addr - range->first);
}

/* The same in any range that is kept: for loops whose addresses go from range to range. */
uint8_t *dma_kept(struct dma *dma, uint64_t addr, uint32_t size, enum dma_access access);

static inline uint8_t *dma_quick(struct dma *dma, uint64_t addr, uint32_t size, enum dma_access access)
{
	uint8_t *host = dma_near(dma, addr, size, access);

	return likely(host) ? host : dma_kept(dma, addr, size, access);
}

/* Finds the bytes at the function's address 'addr'.
 *
 * size    bytes wanted, > 0
 * access  enum dma_access, ored
 * got     receives how many of them lie in one piece at the result, 1..size
 *
 * DMA_OK with *host set; DMA_MISS (noted in dma->requests); DMA_FAULT.  A range that wraps is a fault. */
enum dma_outcome dma_reach(struct dma *dma, uint64_t addr, uint32_t size, enum dma_access access,
			   uint8_t **host, uint32_t *got);

/* Drops what is kept of iova .. last, both included: a device-TLB invalidation.  Pointers are void then. */
void dma_forget(struct dma *dma, uint64_t iova, uint64_t last);

/* Notes in the dirty log, when there is one, that guest physical bytes at 'host' were written. */
void dma_wrote(struct dma *dma, const uint8_t *host, uint32_t size);

/* The same for a guest physical address, as vhost-user names the used ring's. */
void dma_wrote_guest(struct dma *dma, uint64_t addr, uint32_t size);

#endif
