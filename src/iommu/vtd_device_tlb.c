#include "iommu/vtd_unit.h"

/* Invalidation requests to devices (6.5.2.5), with the errors that registers report. */

#define TIMEOUT_NS UINT64_C(90000000000) /* one minute, and half of it for grace */

enum vtd_step vtd_device_tlb_send(struct vtd *vtd, struct iommu_device_invalidation *invalidation,
				  unsigned most)
{
	/* The device asks again at once: what it then finds must not be the old translation. */
	if (!vtd_queue_settled(vtd) ||
	    !device_tlb_has_room(&vtd->device_tlb, invalidation->source, most))
		return VTD_STEP_HOLD;
	device_tlb_send(&vtd->device_tlb, invalidation);
	vtd->queue.device_used = true;
	/* The completion may come from within the call. */
	vtd->config.invalidate_device(vtd->config.context, invalidation);
	return VTD_STEP_DONE;
}

/* Sets a status of FSTS; the first that does names the function in IQERCD. */
static void report(struct vtd *vtd, int status, int field, uint16_t source)
{
	uint64_t record = vtd_register(vtd, SPEC_VTD_IQERCD);

	if (!field_is_set(vtd_register(vtd, SPEC_VTD_FSTS), status))
		vtd_register_set(vtd, SPEC_VTD_IQERCD, field_put(record, field, source));
	vtd_fault_status(vtd, vtd_bit(status));
}

void vtd_device_tlb_done(struct vtd *vtd, uint16_t source, uint32_t itags, unsigned count)
{
	if (!device_tlb_done(&vtd->device_tlb, source, itags, count))
		report(vtd, SPEC_VTD_FSTS_ICE, SPEC_VTD_IQERCD_ICESID, source);
	vtd_queue_run(vtd);
}

uint64_t vtd_device_tlb_poll(struct vtd *vtd, uint64_t now_ns)
{
	uint64_t patience = vtd->config.device_tlb_timeout_ns, next;
	struct iommu_device_invalidation expired;

	while (device_tlb_expire(&vtd->device_tlb, now_ns, patience ? patience : TIMEOUT_NS,
				 &expired, &next)) {
		report(vtd, SPEC_VTD_FSTS_ITE, SPEC_VTD_IQERCD_ITESID, expired.source);
		vtd_queue_abort_wait(vtd);
	}
	return next;
}
