/* The invalidation queue: one page of descriptors, emptied by each wait (section 6.5.2). */
#include "iommu/guard_internal.h"

enum {
	DESCRIPTOR_SIZE = 16,
	QUEUE_ENTRIES = SPEC_TABLE_SIZE / DESCRIPTOR_SIZE,
};

void guard_queue_put(struct guard *guard, uint64_t low, uint64_t high)
{
	uint64_t at = guard->queue + guard->tail * DESCRIPTOR_SIZE;

	guard_store(guard, at, low);
	guard_store(guard, at + 8, high);
	guard->tail = (guard->tail + 1) % QUEUE_ENTRIES;
}

static bool is_done(const struct guard *guard)
{
	return (uint32_t)guard_load(guard, guard->status) == guard->token;
}

void guard_queue_wait(struct guard *guard)
{
	guard->token++;
	guard_queue_put(guard,
			SPEC_VTD_QI_WAIT | field_mask(SPEC_VTD_QI_WAIT_0_SW) |
				field_make(SPEC_VTD_QI_WAIT_0_DATA, guard->token),
			guard->status);
	vtd_write(guard->vtd, SPEC_VTD_IQT, 8, field_make(SPEC_VTD_IQT_QT, guard->tail));
	while (!is_done(guard)) {
		/* A descriptor that the unit does not understand would stop it for ever. */
		must(!field_is_set(vtd_read(guard->vtd, SPEC_VTD_FSTS, 4), SPEC_VTD_FSTS_IQE));
		if (guard->conf.pause)
			guard->conf.pause(guard->conf.owner);
		vtd_poll(guard->vtd, guard->now_ns);
	}
}

void guard_invalidate_all(struct guard *guard)
{
	guard_queue_put(guard, SPEC_VTD_QI_CONTEXT |
			field_make(SPEC_VTD_QI_0_G, SPEC_VTD_GRANULARITY_GLOBAL), 0);
	guard_queue_put(guard, SPEC_VTD_QI_IOTLB |
			field_make(SPEC_VTD_QI_0_G, SPEC_VTD_GRANULARITY_GLOBAL), 0);
	guard_queue_put(guard, SPEC_VTD_QI_INTERRUPT, 0);
	guard_queue_wait(guard);
}
