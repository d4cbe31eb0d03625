#include "sim/plain_domain.h"

#include <errno.h>
#include <string.h>

static struct plain_domain *plain_of(struct iommu_domain *domain)
{
	return container_of(domain, struct plain_domain, domain);
}

static bool translate(struct iommu_domain *domain, uint64_t address, uint8_t access,
		      struct dma_range *range)
{
	const struct plain_domain *plain = plain_of(domain);

	for (unsigned i = 0; i < plain->count; i++) {
		*range = plain->granted[i];
		if (address - range->first < range->size)
			return (range->access & access) == access;
	}
	return false;
}

static void blocked(struct iommu_domain *domain, uint64_t address, uint8_t access)
{
	struct plain_domain *plain = plain_of(domain);

	plain->blocked++;
	plain->blocked_address = address;
	plain->blocked_access = access;
}

static int interrupt(struct iommu_domain *domain, unsigned vector)
{
	(void)domain;
	return (int)vector;
}

static void note_dropped(struct plain_domain *plain, uint64_t first, uint64_t last)
{
	plain->dropped_first = min_u64(plain->dropped_first, first);
	plain->dropped_last = max_u64(plain->dropped_last, last);
}

static void add(struct plain_domain *plain, uint64_t first, uint64_t size, uint8_t *host,
		uint8_t access)
{
	must(plain->count < PLAIN_DOMAIN_MAX);
	plain->granted[plain->count++] = (struct dma_range){ first, size, host, access };
}

/* What is left of a range on either side of first .. last. */
static void cut(struct plain_domain *plain, unsigned index, uint64_t first, uint64_t last)
{
	struct dma_range range = plain->granted[index];
	uint64_t end = range.first + (range.size - 1);

	plain->granted[index] = plain->granted[--plain->count];
	note_dropped(plain, range.first, end);
	if (range.first < first)
		add(plain, range.first, first - range.first, range.host, range.access);
	if (end > last)
		add(plain, last + 1, end - last, range.host + (last + 1 - range.first), range.access);
}

static int unmap(struct iommu_domain *domain, struct iommu_range range)
{
	struct plain_domain *plain = plain_of(domain);
	uint64_t last = range.iova + (range.size - 1);

	if (last < range.iova)
		last = UINT64_MAX;
	if (plain->count + 2 > PLAIN_DOMAIN_MAX)
		return -ENOMEM;
	for (unsigned i = plain->count; i-- > 0;) {
		const struct dma_range *there = &plain->granted[i];

		if (there->first <= last && there->first + (there->size - 1) >= range.iova)
			cut(plain, i, range.iova, last);
	}
	return 0;
}

static int map(struct iommu_domain *domain, struct iommu_range range, uint8_t *host, uint8_t access)
{
	struct plain_domain *plain = plain_of(domain);

	if (range.size == 0 || range.iova + (range.size - 1) < range.iova)
		return -EINVAL;
	if (plain->count + 3 > PLAIN_DOMAIN_MAX)
		return -ENOMEM;
	unmap(domain, range);
	add(plain, range.iova, range.size, host, access);
	return 0;
}

static void flush(struct iommu_domain *domain)
{
	struct plain_domain *plain = plain_of(domain);

	if (domain->dma && plain->dropped_first <= plain->dropped_last)
		dma_forget(domain->dma, plain->dropped_first, plain->dropped_last);
	plain->dropped_first = UINT64_MAX;
	plain->dropped_last = 0;
}

static const struct iommu_domain_ops plain_ops = {
	.translate = translate, .blocked = blocked, .interrupt = interrupt,
	.map = map, .unmap = unmap, .flush = flush,
};

void plain_domain_init(struct plain_domain *plain)
{
	memset(plain, 0, sizeof *plain);
	plain->domain.ops = &plain_ops;
	plain->dropped_first = UINT64_MAX;
}

void plain_domain_grant(struct plain_domain *plain, const struct dma_region *region)
{
	must(map(&plain->domain, (struct iommu_range){ region->base, region->size }, region->host,
		 DMA_READ | DMA_WRITE) == 0);
	flush(&plain->domain);
}
