/* iommu/dma.h -- how a front reaches guest memory: by address and length, checked against what the
 * guest has granted, through a device's translation cache when the guest has an IOMMU.
 *
 * Every access of every front goes through dma_reach() or a pointer it returned in the same round
 * (a ring's own pages are reached once and kept until the map or a translation under them
 * changes: dma_epoch() counts that).
 *
 * Threads: under the hold of the front it belongs to.  Memory: the region array is the caller's
 * and must outlive its use; the translation cache has a fixed size. */
#ifndef IOMMU_DMA_H
#define IOMMU_DMA_H

#include "base/base.h"
#include "iommu/atc.h"

enum dma_access { DMA_READ = 1, DMA_WRITE = 2 };

/* One granted range: guest addresses base .. base + size are bytes of ours at 'host'. */
struct dma_region {
	uint64_t base;      /* guest physical address */
	uint64_t size;      /* bytes */
	uint64_t user_base; /* address in the frontend's own space (vhost-user ring addresses) */
	uint8_t *host;
};

enum dma_outcome {
	DMA_OK,
	DMA_MISS,  /* the cache has no translation: asked for; try again later */
	DMA_FAULT, /* the address is not granted, or not for this access */
};

enum { DMA_LOG_PAGE_SIZE = 4096 };

/* Which pages were written, for live migration; one bit a 4 KiB page, in shared memory that
 * another process reads (vhost-user SET_LOG_BASE).  NULL bits: nobody asks. */
struct dma_log {
	uint8_t *bits;
	uint64_t size; /* bytes */
};

struct dma {
	const struct dma_region *regions; /* sorted by base, not overlapping */
	unsigned region_count;
	unsigned recent;                  /* region of the last access, looked at first */
	struct atc *atc;                  /* NULL: addresses are guest physical */
	struct dma_log log;
	uint32_t epoch;                   /* counts changes of the map; see dma_epoch() */
};

/* Changes whenever a pointer from dma_reach() may have become wrong: the map changed, or the guest
 * took a translation back.  Replacing dma->atc itself also needs dma->epoch advanced. */
static inline uint32_t dma_epoch(const struct dma *dma)
{
	return dma->epoch + (dma->atc ? atc_epoch(dma->atc) : 0);
}

/* The bytes at guest physical 'addr' when all 'size' (> 0) lie in the region of the last access;
 * NULL: dma_reach() knows more.  Only without a translation cache. */
static inline uint8_t *dma_near(const struct dma *dma, uint64_t addr, uint32_t size)
{
	const struct dma_region *region;

	if (unlikely(dma->recent >= dma->region_count))
		return NULL;
	region = &dma->regions[dma->recent];
	/* A region holds less than 2^63 bytes, so the difference of a lower address fails. */
	if (unlikely(addr - region->base >= region->size ||
		     size > region->size - (addr - region->base)))
		return NULL;
	return region->host + (addr - region->base);
}

/* Finds the bytes at guest address 'addr'.
 *
 * addr    guest physical, or I/O virtual when dma->atc is there
 * size    bytes wanted, > 0
 * access  enum dma_access, ored
 * got     receives how many of them lie in one piece at the result, 1..size
 *
 * DMA_OK with *host set; DMA_MISS (recorded in the cache as wanted, atc.h); DMA_FAULT.  A range
 * that wraps is a fault. */
enum dma_outcome dma_reach(struct dma *dma, uint64_t addr, uint32_t size, enum dma_access access,
			   uint8_t **host, uint32_t *got);

/* Notes in the dirty log, when there is one, that guest physical bytes at 'host' were written. */
void dma_wrote(struct dma *dma, const uint8_t *host, uint32_t size);

/* The same for a guest physical address, as vhost-user names the used ring's. */
void dma_wrote_guest(struct dma *dma, uint64_t addr, uint32_t size);

#endif
