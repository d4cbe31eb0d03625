#include "iommu/vtd_unit.h"

/* Primary fault logging (7.2, 7.3): records in the fault recording registers, used in turn. */

static uint64_t frcd_high(const struct vtd *vtd, unsigned index)
{
	return vtd_register(vtd, vtd_frcd_offset(vtd, index) + SPEC_VTD_FRCD_HIGH);
}

static bool some_pending(const struct vtd *vtd)
{
	for (unsigned i = 0; i < vtd_frcd_count(vtd); i++)
		if (field_is_set(frcd_high(vtd, i), SPEC_VTD_FRCD_1_F))
			return true;
	return false;
}

/* Any condition of which software has been told and that it has not served. */
static bool some_status(uint64_t status)
{
	return status & (field_mask(SPEC_VTD_FSTS_PFO) | field_mask(SPEC_VTD_FSTS_PPF) |
			 field_mask(SPEC_VTD_FSTS_IQE) | field_mask(SPEC_VTD_FSTS_ICE) |
			 field_mask(SPEC_VTD_FSTS_ITE));
}

void vtd_fault_status(struct vtd *vtd, uint32_t bit)
{
	uint64_t status = vtd_register(vtd, SPEC_VTD_FSTS);

	if (status & bit)
		return;
	vtd_register_set(vtd, SPEC_VTD_FSTS, status | bit);
	/* With another condition pending it is no new interrupt condition (11.4.7.2). */
	if (!some_status(status))
		vtd_event_raise(vtd, VTD_EVENT_FAULT);
}

static void overflow(struct vtd *vtd)
{
	vtd_fault_status(vtd, vtd_bit(SPEC_VTD_FSTS_PFO));
}

static uint64_t low_of(const struct iommu_fault *fault)
{
	return fault->interrupt ? fault->address & field_mask(SPEC_VTD_FRCD_0_INDEX)
				: fault->address & field_mask(SPEC_VTD_FRCD_0_FI);
}

static uint64_t high_of(const struct iommu_fault *fault)
{
	bool pasid = fault->pasid != IOMMU_NO_PASID;
	bool read = !(fault->access & IOMMU_WRITE) && !fault->interrupt;

	return field_make(SPEC_VTD_FRCD_1_SID, fault->source) |
	       field_make(SPEC_VTD_FRCD_1_FR, fault->reason) |
	       field_make(SPEC_VTD_FRCD_1_T1, read) |
	       field_make(SPEC_VTD_FRCD_1_T2, fault->page_request) |
	       field_make(SPEC_VTD_FRCD_1_AT, fault->type) | field_make(SPEC_VTD_FRCD_1_PP, pasid) |
	       (pasid ? field_make(SPEC_VTD_FRCD_1_PV, fault->pasid) |
				field_make(SPEC_VTD_FRCD_1_PRIV, fault->privileged) |
				field_make(SPEC_VTD_FRCD_1_EXE,
					   (fault->access & IOMMU_EXECUTE) != 0)
		      : 0) |
	       field_mask(SPEC_VTD_FRCD_1_F);
}

/* Whether a pending record of the same requester stands for this fault, too (7.3). */
static bool is_compressed(const struct vtd *vtd, uint16_t source)
{
	for (unsigned i = 0; i < vtd_frcd_count(vtd); i++) {
		uint64_t high = frcd_high(vtd, i);

		if (field_is_set(high, SPEC_VTD_FRCD_1_F) &&
		    field_get(high, SPEC_VTD_FRCD_1_SID) == source)
			return true;
	}
	return false;
}

void vtd_fault_record(struct vtd *vtd, const struct iommu_fault *fault)
{
	uint64_t status = vtd_register(vtd, SPEC_VTD_FSTS);
	uint32_t at = vtd_frcd_offset(vtd, vtd->fault_next);

	if (field_is_set(status, SPEC_VTD_FSTS_PFO) || is_compressed(vtd, fault->source))
		return;
	if (field_is_set(frcd_high(vtd, vtd->fault_next), SPEC_VTD_FRCD_1_F)) {
		overflow(vtd);
		return;
	}
	vtd_register_set(vtd, at + SPEC_VTD_FRCD_LOW, low_of(fault));
	vtd_register_set(vtd, at + SPEC_VTD_FRCD_HIGH, high_of(fault));
	if (!field_is_set(status, SPEC_VTD_FSTS_PPF)) {
		/* The index of the first pending record, as of when PPF is set. */
		vtd_register_set(vtd, SPEC_VTD_FSTS,
				 field_put(status, SPEC_VTD_FSTS_FRI, vtd->fault_next));
		vtd_fault_status(vtd, vtd_bit(SPEC_VTD_FSTS_PPF));
	}
	vtd->fault_next = (vtd->fault_next + 1) % vtd_frcd_count(vtd);
}

void vtd_fault_collect(struct vtd *vtd)
{
	struct iommu_fault fault;

	for (uint32_t i = 0; i < vtd->config.readers; i++) {
		if (!vtd->readers[i])
			continue;
		/* As many as there were room for: a reader that goes on faulting holds nobody up.
		 */
		for (unsigned n = 0; n < READER_FAULTS && vtd_reader_take_fault(vtd, i, &fault);
		     n++)
			vtd_fault_record(vtd, &fault);
		if (vtd_reader_lost_faults(vtd, i))
			overflow(vtd);
	}
}

void vtd_fault_served(struct vtd *vtd)
{
	uint64_t status = vtd_register(vtd, SPEC_VTD_FSTS);

	if (!some_pending(vtd))
		status &= ~field_mask(SPEC_VTD_FSTS_PPF);
	vtd_register_set(vtd, SPEC_VTD_FSTS, status);
	if (!some_status(status))
		vtd_event_serve(vtd, VTD_EVENT_FAULT);
}
