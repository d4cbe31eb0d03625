#include "iommu/dma.h"

#include <stdatomic.h>

static bool inside(uint64_t addr, uint64_t base, uint64_t size)
{
	return addr >= base && addr - base < size;
}

/* Region that holds guest physical 'addr', or region_count. */
static unsigned region_of(const struct dma *dma, uint64_t addr)
{
	unsigned low = 0, high = dma->region_count;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		const struct dma_region *region = &dma->regions[middle];

		if (inside(addr, region->base, region->size))
			return middle;
		if (addr < region->base)
			high = middle;
		else
			low = middle + 1;
	}
	return dma->region_count;
}

/* Region that holds the frontend's own address 'addr', or region_count. */
static unsigned user_region_of(const struct dma *dma, uint64_t addr)
{
	for (unsigned i = 0; i < dma->region_count; i++)
		if (inside(addr, dma->regions[i].user_base, dma->regions[i].size))
			return i;
	return dma->region_count;
}

/* With an IOMMU: replaces *addr by the address it translates to, and limits *size to what one
 * translation covers. */
static enum dma_outcome translate(struct dma *dma, uint64_t *addr, uint32_t *size,
				  enum dma_access access)
{
	const struct atc_entry *entry = atc_find(dma->atc, *addr, (uint8_t)access);
	uint64_t offset;

	if (!entry)
		return DMA_MISS;
	offset = *addr - entry->iova;
	*size = (uint32_t)min_u64(*size, entry->size - offset);
	*addr = entry->target + offset;
	return DMA_OK;
}

enum dma_outcome dma_reach(struct dma *dma, uint64_t addr, uint32_t size, enum dma_access access,
			   uint8_t **host, uint32_t *got)
{
	const struct dma_region *region;
	unsigned i = dma->recent;
	uint64_t offset;

	if (size == 0 || addr + (size - 1) < addr)
		return DMA_FAULT;
	if (dma->atc) {
		enum dma_outcome outcome = translate(dma, &addr, &size, access);

		if (outcome != DMA_OK)
			return outcome;
		if (i >= dma->region_count ||
		    !inside(addr, dma->regions[i].user_base, dma->regions[i].size))
			i = user_region_of(dma, addr);
	} else if (i >= dma->region_count ||
		   !inside(addr, dma->regions[i].base, dma->regions[i].size)) {
		i = region_of(dma, addr);
	}
	if (i == dma->region_count)
		return DMA_FAULT;
	dma->recent = i;
	region = &dma->regions[i];
	offset = addr - (dma->atc ? region->user_base : region->base);
	*got = (uint32_t)min_u64(size, region->size - offset);
	*host = region->host + offset;
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

		if ((uintptr_t)host >= (uintptr_t)region->host && offset < region->size) {
			dma_wrote_guest(dma, region->base + offset, size);
			return;
		}
	}
}
