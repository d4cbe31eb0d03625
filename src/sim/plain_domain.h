/* sim/plain_domain.h -- a domain without a remapping unit: a list of what was granted, looked through from
 * its start.  For tests that are not about the guard, and to measure what the guard costs.
 *
 * Threads: one at a time.  Memory: the caller's. */
#ifndef SIM_PLAIN_DOMAIN_H
#define SIM_PLAIN_DOMAIN_H

#include "iommu/dma.h"

enum { PLAIN_DOMAIN_MAX = 1024 };

struct plain_domain {
	struct iommu_domain domain;
	struct dma_range granted[PLAIN_DOMAIN_MAX]; /* not overlapping, in no order */
	unsigned count;
	uint64_t dropped_first, dropped_last; /* what flush() has the front forget; none: first > last */
	/* What was blocked, for tests. */
	unsigned blocked;
	uint64_t blocked_address;
	uint8_t blocked_access;
};

void plain_domain_init(struct plain_domain *plain);

/* Grants all that 'region' has, which may begin and end anywhere. */
void plain_domain_grant(struct plain_domain *plain, const struct dma_region *region);

#endif
