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

/* The ranges are in ascending order and do not overlap.  A range does not wrap: its last byte is named, since
 * what is behind it may be no address. */

static uint64_t last_of(const struct dma_range *range)
{
	return range->first + (range->size - 1);
}

/* How many of the ranges begin at 'addr' or below it. */
static unsigned begun_by(const struct dma *dma, uint64_t addr)
{
	unsigned at = 0;

	/* The first 'at' do, and those from at + left on do not. */
	for (unsigned left = dma->range_count; left;) {
		unsigned half = (left + 1) / 2;
		bool does = dma->ranges[at + half - 1].first <= addr;

		at += does ? half : 0;
		left = does ? left - half : half - 1;
	}
	return at;
}

/* Takes 'count' ranges out. */
static void cut(struct dma *dma, unsigned at, unsigned count)
{
	memmove(&dma->ranges[at], &dma->ranges[at + count],
		(dma->range_count - at - count) * sizeof dma->ranges[0]);
	dma->range_count -= count;
}

/* The ranges that have any of first .. last: *count of them from the result on. */
static unsigned touched(const struct dma *dma, uint64_t first, uint64_t last, unsigned *count)
{
	unsigned from = begun_by(dma, first), end = begun_by(dma, last);

	if (from && last_of(&dma->ranges[from - 1]) >= first)
		from--;
	*count = end - from;
	return from;
}

void dma_forget(struct dma *dma, uint64_t iova, uint64_t last)
{
	unsigned count, from = touched(dma, iova, last, &count);

	dma->epoch++; /* pointers into ranges that were replaced may be in use */
	cut(dma, from, count);
	for (unsigned i = 0; i < array_len(dma->near); i++) {
		struct dma_range *near = &dma->near[i];

		if (near->size && near->first <= last && last_of(near) >= iova)
			near->size = 0;
	}
}

/* Whether two ranges, one of which begins in the other or right behind it, are parts of one. */
static bool go_on(const struct dma_range *a, const struct dma_range *b)
{
	return a->access == b->access &&
	       (uintptr_t)a->host - a->first == (uintptr_t)b->host - b->first;
}

/* Makes 'range' larger by one that goes on. */
static void join(struct dma_range *range, const struct dma_range *there)
{
	uint64_t last = max_u64(last_of(range), last_of(there));

	if (there->first < range->first) {
		range->first = there->first;
		range->host = there->host;
	}
	range->size = last - range->first + 1;
}

/* Makes room: of some that are looked at in turn, one that is no larger gives way. */
static void make_room(struct dma *dma, uint64_t size)
{
	enum { TRIES = 8 };
	unsigned at = dma->turn % dma->range_count;

	for (unsigned i = 0; i < TRIES && dma->ranges[at].size > size; i++)
		at = (at + 1) % dma->range_count;
	dma->turn = at + 1;
	cut(dma, at, 1);
}

/* Keeps a range, and makes it one with those that it touches.  One that overlaps and says something else is older,
 * and about to be taken back. */
static void keep(struct dma *dma, struct dma_range *range)
{
	unsigned count, from = touched(dma, range->first - (range->first != 0),
				       last_of(range) + (last_of(range) != UINT64_MAX), &count);

	for (unsigned i = from; i < from + count;) {
		const struct dma_range there = dma->ranges[i];
		bool apart = last_of(&there) < range->first || there.first > last_of(range);

		if (go_on(&there, range))
			join(range, &there);
		else if (apart) {
			i++;
			continue;
		}
		cut(dma, i, 1);
		count--;
	}
	if (dma->range_count == DMA_RANGES)
		make_room(dma, range->size);
	from = begun_by(dma, range->first);
	memmove(&dma->ranges[from + 1], &dma->ranges[from],
		(dma->range_count - from) * sizeof dma->ranges[0]);
	dma->ranges[from] = *range;
	dma->range_count++;
}

/* The range that is kept of 'addr'; NULL: none that allows 'access'. */
static const struct dma_range *kept(const struct dma *dma, uint64_t addr, uint8_t access)
{
	unsigned begun = begun_by(dma, addr);
	const struct dma_range *range = begun ? &dma->ranges[begun - 1] : NULL;

	return range && addr - range->first < range->size && (range->access & access) == access ?
	       range : NULL;
}

uint8_t *dma_kept(struct dma *dma, uint64_t addr, uint32_t size, enum dma_access access)
{
	const struct dma_range *range = kept(dma, addr, (uint8_t)access);

	if (!range)
		return NULL;
	dma->near[access] = *range;
	return dma_near(dma, addr, size, access);
}

/* The range that holds 'addr' and allows 'access', out of what is kept or from the domain. */
static bool find(struct dma *dma, uint64_t addr, uint8_t access, struct dma_range *range)
{
	const struct dma_range *there = kept(dma, addr, access);

	if (there) {
		*range = *there;
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
