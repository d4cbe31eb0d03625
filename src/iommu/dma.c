#include "iommu/dma.h"

#include <stdatomic.h>
#include <string.h>

void dma_init(struct dma *dma, struct iommu_domain *domain, struct counter *blocked)
{
	memset(dma, 0, sizeof *dma);
	dma->domain = domain;
	dma->blocked = blocked;
	if (domain)
		domain->dma = dma;
}

static bool overlaps(const struct dma_range *range, uint64_t first, uint64_t last)
{
	return range->size && range->first <= last && range->first + (range->size - 1) >= first;
}

static void drop(struct dma_range *ranges, unsigned count, uint64_t first, uint64_t last)
{
	for (unsigned i = 0; i < count; i++)
		if (overlaps(&ranges[i], first, last))
			ranges[i].size = 0;
}

void dma_forget(struct dma *dma, uint64_t iova, uint64_t last)
{
	dma->epoch++; /* pointers into ranges that were replaced may be in use */
	drop(dma->near, array_len(dma->near), iova, last);
	drop(dma->ranges, array_len(dma->ranges), iova, last);
}

/* Whether two ranges are parts of one. */
static bool go_on(const struct dma_range *a, const struct dma_range *b)
{
	return a->size && a->access == b->access && a->first <= b->first + b->size &&
	       b->first <= a->first + a->size &&
	       (uintptr_t)a->host - a->first == (uintptr_t)b->host - b->first;
}

/* Where a new range goes: into an empty place, else in turn over one that is no larger. */
static struct dma_range *place_for(struct dma *dma, uint64_t size)
{
	for (unsigned i = 0; i < DMA_RANGES; i++)
		if (!dma->ranges[i].size)
			return &dma->ranges[i];
	for (unsigned i = 0; i < DMA_RANGES; i++) {
		struct dma_range *range = &dma->ranges[(dma->turn + i) % DMA_RANGES];

		if (range->size <= size) {
			dma->turn = (dma->turn + i + 1) % DMA_RANGES;
			return range;
		}
	}
	dma->turn = (dma->turn + 1) % DMA_RANGES;
	return &dma->ranges[dma->turn];
}

/* Keeps a range, and makes it one with those that it touches. */
static void keep(struct dma *dma, struct dma_range *range)
{
	for (unsigned i = 0; i < DMA_RANGES; i++) {
		struct dma_range *there = &dma->ranges[i];
		uint64_t end = max_u64(range->first + range->size, there->first + there->size);

		if (!go_on(there, range))
			continue;
		if (there->first < range->first) {
			range->first = there->first;
			range->host = there->host;
		}
		range->size = end - range->first;
		there->size = 0;
	}
	*place_for(dma, range->size) = *range;
}

/* The range that holds 'addr' and allows 'access', out of what is kept or from the domain. */
static bool find(struct dma *dma, uint64_t addr, uint8_t access, struct dma_range *range)
{
	for (unsigned i = 0; i < DMA_RANGES; i++) {
		*range = dma->ranges[i];
		if (addr - range->first < range->size && (range->access & access) == access)
			return true;
	}
	if (!dma->domain || !dma->domain->ops->translate(dma->domain, addr, access, range))
		return false;
	must(addr - range->first < range->size && (range->access & access) == access);
	keep(dma, range);
	return true;
}

static enum dma_outcome refuse_access(struct dma *dma, uint64_t addr, uint8_t access)
{
	if (dma->blocked)
		counter_add(dma->blocked, 1);
	if (dma->domain)
		dma->domain->ops->blocked(dma->domain, addr, access);
	return DMA_FAULT;
}

enum dma_outcome dma_reach(struct dma *dma, uint64_t addr, uint32_t size, enum dma_access access,
			   uint8_t **host, uint32_t *got)
{
	struct dma_range *near = &dma->near[access];
	uint64_t offset;

	if (size == 0 || addr + (size - 1) < addr)
		return refuse_access(dma, addr, (uint8_t)access);
	if (addr - near->first >= near->size && !find(dma, addr, (uint8_t)access, near)) {
		near->size = 0;
		if (!dma->requests)
			return refuse_access(dma, addr, (uint8_t)access);
		page_requests_note(dma->requests, addr, (uint8_t)access);
		return DMA_MISS;
	}
	offset = addr - near->first;
	*got = (uint32_t)min_u64(size, near->size - offset);
	*host = near->host + offset;
	return DMA_OK;
}

void dma_wrote_guest(struct dma *dma, uint64_t addr, uint32_t size)
{
	uint64_t last;

	if (!dma->log.bits || size == 0 || addr + (size - 1) < addr)
		return;
	last = (addr + (size - 1)) / DMA_LOG_PAGE_SIZE;
	for (uint64_t page = addr / DMA_LOG_PAGE_SIZE; page <= last; page++) {
		if (page / 8 >= dma->log.size)
			return;
		/* release: whoever clears the bit and then copies the page sees what was written.
		 * Pairs with the exchange in the frontend. */
		atomic_fetch_or_explicit((_Atomic uint8_t *)&dma->log.bits[page / 8],
					 (uint8_t)(1u << page % 8), memory_order_release);
	}
}

void dma_wrote(struct dma *dma, const uint8_t *host, uint32_t size)
{
	if (!dma->log.bits)
		return;
	for (unsigned i = 0; i < dma->region_count; i++) {
		const struct dma_region *region = &dma->regions[i];
		uint64_t offset = (uint64_t)((uintptr_t)host - (uintptr_t)region->host);

		/* All of them: the same bytes may be granted at several addresses. */
		if ((uintptr_t)host >= (uintptr_t)region->host && offset < region->size)
			dma_wrote_guest(dma, region->base + offset, size);
	}
}
