#include "prog/faults.h"

#include "iommu/request.h"

#include <string.h>

enum { LOOK_BACK = 64, PAGE = 4096 };

void faults_init(struct faults *faults)
{
	memset(faults, 0, sizeof *faults);
	faults->next_id = 1;
}

/* A driver that runs through addresses is told page by page. */
static bool is_again(const struct fault *old, const struct fault *now)
{
	return old->io == now->io && old->source == now->source && old->reason == now->reason &&
	       old->access == now->access && old->interrupt == now->interrupt &&
	       old->address / PAGE == now->address / PAGE &&
	       now->last_ns - old->last_ns < FAULTS_TOGETHER_NS;
}

struct fault *faults_add(struct faults *faults, const struct fault *fault)
{
	struct fault *new;

	for (uint64_t back = 1; back <= LOOK_BACK && back < faults->next_id; back++) {
		struct fault *old = &faults->ring[(faults->next_id - back) % FAULTS_KEPT];

		if (!is_again(old, fault))
			continue;
		old->count += fault->count;
		old->last_ns = fault->last_ns;
		return old;
	}
	new = &faults->ring[faults->next_id % FAULTS_KEPT];
	*new = *fault;
	new->id = faults->next_id++;
	return new;
}

const struct fault *faults_oldest(const struct faults *faults, unsigned *count)
{
	uint64_t first = faults->next_id > FAULTS_KEPT ? faults->next_id - FAULTS_KEPT : 1;

	*count = (unsigned)(faults->next_id - first);
	return *count ? &faults->ring[first % FAULTS_KEPT] : NULL;
}

const struct fault *faults_at(const struct faults *faults, unsigned index)
{
	unsigned count;
	const struct fault *oldest = faults_oldest(faults, &count);

	return oldest && index < count ? &faults->ring[(oldest->id + index) % FAULTS_KEPT] : NULL;
}

const char *fault_access_text(const struct fault *fault)
{
	if (fault->interrupt)
		return "interrupt";
	switch (fault->access & (IOMMU_READ | IOMMU_WRITE)) {
	case IOMMU_READ:
		return "read";
	case IOMMU_WRITE:
		return "write";
	default:
		return "read and write";
	}
}
