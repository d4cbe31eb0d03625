/* iommu/guard_internal.h -- what the files of the guard share.
 *
 * Threads: control.  Memory: none. */
#ifndef IOMMU_GUARD_INTERNAL_H
#define IOMMU_GUARD_INTERNAL_H

#include "iommu/guard.h"
#include "spec/page_tables.h"
#include "spec/vtd.h"
#include "spec/vtd_queue.h"

/* The word at 'address' of the unit's tables, which it reads at any time. */
uint64_t guard_load(const struct guard *guard, uint64_t address);
void guard_store(const struct guard *guard, uint64_t address, uint64_t word);

/* guard_queue.c: puts one descriptor into the queue; guard_queue_wait() has them carried out. */
void guard_queue_put(struct guard *guard, uint64_t low, uint64_t high);
/* Returns when all that was put is complete: no reader uses any more what was invalidated. */
void guard_queue_wait(struct guard *guard);
void guard_invalidate_all(struct guard *guard);

#endif
