#include "iommu/vtd_unit.h"

/* What each invalidation ends (6.5.2, 6.5.3).  More than was asked for may end, never less. */

enum {
	OF_IOTLB = TLB_PAGES | TLB_ALL | TLB_NESTED | TLB_TABLES,
	OF_CONTEXTS = TLB_CONTEXTS | TLB_PAGES
};

void vtd_invalidate_all(struct vtd *vtd)
{
	tlb_end_every(vtd->tlb, TLB_EVERYTHING);
	for (unsigned i = 0; i < READER_INTERRUPT_MARKS; i++)
		tlb_mark(vtd->tlb, &vtd->interrupt_marks[i]);
}

unsigned vtd_invalidate_contexts(struct vtd *vtd, unsigned granularity, uint16_t domain,
				 uint16_t source, unsigned function_mask)
{
	/* Bits of the function number that do not count: none, the highest, two, all. */
	static const uint8_t ignored[] = { 0, 4, 6, 7 };

	switch (granularity) {
	case SPEC_VTD_GRANULARITY_GLOBAL:
		tlb_end_every(vtd->tlb, OF_CONTEXTS);
		device_tlb_forgive(&vtd->device_tlb, 0, 0);
		return granularity;
	case SPEC_VTD_GRANULARITY_DOMAIN:
		tlb_end(vtd->tlb, OF_CONTEXTS, domain);
		return granularity;
	case SPEC_VTD_GRANULARITY_FINE:
		tlb_end(vtd->tlb, OF_CONTEXTS, domain);
		device_tlb_forgive(&vtd->device_tlb, source, (uint16_t)~ignored[function_mask & 3]);
		/* All contexts of the domain have ended: coarser than asked. */
		return SPEC_VTD_GRANULARITY_DOMAIN;
	default:
		return SPEC_VTD_GRANULARITY_RESERVED;
	}
}

/* Pages of a domain, whatever PASID they came with; nested ones are known by another address. */
static bool end_pages(struct vtd *vtd, uint16_t domain, uint64_t word)
{
	unsigned mask = (unsigned)field_get(word, SPEC_VTD_QI_1_AM);
	struct tlb_key first = { .address = word & field_mask(SPEC_VTD_QI_1_ADDR),
				 .domain = domain,
				 .pasid = IOMMU_NO_PASID };

	if (!field_is_set(vtd->config.cap, SPEC_VTD_CAP_PSI) ||
	    mask > field_get(vtd->config.cap, SPEC_VTD_CAP_MAMV))
		return false;
	tlb_end_pages(vtd->tlb, &first, mask);
	tlb_end(vtd->tlb, TLB_NESTED, domain);
	if (!field_is_set(word, SPEC_VTD_QI_1_IH))
		tlb_end(vtd->tlb, TLB_TABLES, domain);
	return true;
}

unsigned vtd_invalidate_iotlb(struct vtd *vtd, unsigned granularity, uint16_t domain,
			      uint64_t address_word)
{
	switch (granularity) {
	case SPEC_VTD_GRANULARITY_GLOBAL:
		tlb_end_every(vtd->tlb, OF_IOTLB);
		return granularity;
	case SPEC_VTD_GRANULARITY_DOMAIN:
		tlb_end(vtd->tlb, OF_IOTLB, domain);
		return granularity;
	case SPEC_VTD_GRANULARITY_FINE:
		return end_pages(vtd, domain, address_word) ? granularity
							    : SPEC_VTD_GRANULARITY_RESERVED;
	default:
		return SPEC_VTD_GRANULARITY_RESERVED;
	}
}

static enum vtd_step step_of(unsigned done)
{
	return done == SPEC_VTD_GRANULARITY_RESERVED ? VTD_STEP_RESERVED : VTD_STEP_DONE;
}

static enum vtd_step context(struct vtd *vtd, const uint64_t words[4])
{
	return step_of(
		vtd_invalidate_contexts(vtd, (unsigned)field_get(words[0], SPEC_VTD_QI_0_G),
					(uint16_t)field_get(words[0], SPEC_VTD_QI_0_DID),
					(uint16_t)field_get(words[0], SPEC_VTD_QI_CONTEXT_0_SID),
					(unsigned)field_get(words[0], SPEC_VTD_QI_CONTEXT_0_FM)));
}

static enum vtd_step iotlb(struct vtd *vtd, const uint64_t words[4])
{
	return step_of(vtd_invalidate_iotlb(vtd, (unsigned)field_get(words[0], SPEC_VTD_QI_0_G),
					    (uint16_t)field_get(words[0], SPEC_VTD_QI_0_DID),
					    words[1]));
}

/* A PASID's own pages: first-stage and nested. */
static enum vtd_step pasid_iotlb(struct vtd *vtd, const uint64_t words[4])
{
	uint16_t domain = (uint16_t)field_get(words[0], SPEC_VTD_QI_0_DID);
	uint32_t pasid = (uint32_t)field_get(words[0], SPEC_VTD_QI_0_PASID);
	unsigned mask = (unsigned)field_get(words[1], SPEC_VTD_QI_1_AM);
	struct tlb_key first = { .address = words[1] & field_mask(SPEC_VTD_QI_1_ADDR),
				 .domain = domain,
				 .pasid = pasid };

	switch (field_get(words[0], SPEC_VTD_QI_0_G)) {
	case SPEC_VTD_PASID_IOTLB_ALL:
		tlb_end_pasid(vtd->tlb, domain, pasid);
		tlb_end(vtd->tlb, TLB_TABLES, domain);
		return VTD_STEP_DONE;
	case SPEC_VTD_PASID_IOTLB_PAGES:
		if (mask > field_get(vtd->config.cap, SPEC_VTD_CAP_MAMV))
			return VTD_STEP_RESERVED;
		for (unsigned privileged = 0; privileged < 2; privileged++) {
			first.privileged = privileged;
			tlb_end_pages(vtd->tlb, &first, mask);
		}
		if (!field_is_set(words[1], SPEC_VTD_QI_1_IH))
			tlb_end(vtd->tlb, TLB_TABLES, domain);
		return VTD_STEP_DONE;
	default:
		return VTD_STEP_RESERVED;
	}
}

static enum vtd_step pasid_cache(struct vtd *vtd, const uint64_t words[4])
{
	uint16_t domain = (uint16_t)field_get(words[0], SPEC_VTD_QI_0_DID);

	switch (field_get(words[0], SPEC_VTD_QI_0_G)) {
	case SPEC_VTD_PASID_CACHE_DOMAIN:
	case SPEC_VTD_PASID_CACHE_PASID:
		tlb_end(vtd->tlb, OF_CONTEXTS, domain);
		return VTD_STEP_DONE;
	case SPEC_VTD_PASID_CACHE_GLOBAL:
		tlb_end_every(vtd->tlb, OF_CONTEXTS);
		return VTD_STEP_DONE;
	default:
		return VTD_STEP_RESERVED;
	}
}

static enum vtd_step interrupt(struct vtd *vtd, const uint64_t words[4])
{
	unsigned mask = (unsigned)field_get(words[0], SPEC_VTD_QI_INTERRUPT_0_IM);
	uint64_t index = field_get(words[0], SPEC_VTD_QI_INTERRUPT_0_IIDX);
	uint64_t count = READER_INTERRUPT_MARKS;

	if (field_is_set(words[0], SPEC_VTD_QI_INTERRUPT_0_G)) {
		if (mask > field_get(vtd->config.ecap, SPEC_VTD_ECAP_MHMV))
			return VTD_STEP_RESERVED;
		index = index >> mask << mask;
		count = min_u64(count, UINT64_C(1) << mask);
	}
	for (uint64_t i = 0; i < count; i++)
		tlb_mark(vtd->tlb, &vtd->interrupt_marks[(index + i) % READER_INTERRUPT_MARKS]);
	return VTD_STEP_DONE;
}

static enum vtd_step drop_at_device(struct vtd *vtd, const uint64_t words[4])
{
	struct iommu_device_invalidation invalidation = {
		.source = (uint16_t)field_get(words[0], SPEC_VTD_QI_DEVICE_0_SID),
		.pasid = IOMMU_NO_PASID,
	};

	device_tlb_range(&invalidation, words[1], field_is_set(words[1], SPEC_VTD_QI_DEVICE_1_S));
	return vtd_device_tlb_send(vtd, &invalidation,
				   (unsigned)field_get(words[0], SPEC_VTD_QI_DEVICE_0_MIP));
}

static enum vtd_step drop_pasid_at_device(struct vtd *vtd, const uint64_t words[4])
{
	struct iommu_device_invalidation invalidation = {
		.source = (uint16_t)field_get(words[0], SPEC_VTD_QI_PASID_DEVICE_0_SID),
		.pasid = (uint32_t)field_get(words[0], SPEC_VTD_QI_0_PASID),
		.all_pasids = field_is_set(words[1], SPEC_VTD_QI_PASID_DEVICE_1_G),
	};

	device_tlb_range(&invalidation, words[1],
			 field_is_set(words[1], SPEC_VTD_QI_PASID_DEVICE_1_S));
	return vtd_device_tlb_send(vtd, &invalidation,
				   (unsigned)field_get(words[0], SPEC_VTD_QI_PASID_DEVICE_0_MIP));
}

static enum vtd_step page_response(struct vtd *vtd, const uint64_t words[4])
{
	bool pasid = field_is_set(words[0], SPEC_VTD_QI_RESPONSE_0_PP);

	vtd->config.page_response(
		vtd->config.context, (uint16_t)field_get(words[0], SPEC_VTD_QI_RESPONSE_0_RID),
		pasid ? (uint32_t)field_get(words[0], SPEC_VTD_QI_0_PASID) : IOMMU_NO_PASID,
		(uint16_t)field_get(words[1], SPEC_VTD_QI_RESPONSE_1_PRGI),
		(uint8_t)field_get(words[0], SPEC_VTD_QI_RESPONSE_0_RC));
	return VTD_STEP_DONE;
}

enum vtd_step vtd_invalidate(struct vtd *vtd, const uint64_t words[4])
{
	static enum vtd_step (*const steps[SPEC_VTD_QI_TYPES])(struct vtd *, const uint64_t *) = {
		[SPEC_VTD_QI_CONTEXT] = context,
		[SPEC_VTD_QI_IOTLB] = iotlb,
		[SPEC_VTD_QI_DEVICE_TLB] = drop_at_device,
		[SPEC_VTD_QI_INTERRUPT] = interrupt,
		[SPEC_VTD_QI_PASID_IOTLB] = pasid_iotlb,
		[SPEC_VTD_QI_PASID_CACHE] = pasid_cache,
		[SPEC_VTD_QI_PASID_DEVICE_TLB] = drop_pasid_at_device,
		[SPEC_VTD_QI_PAGE_RESPONSE] = page_response,
	};
	uint64_t type = field_get(words[0], SPEC_VTD_QI_0_TYPE);
	bool ends = type != SPEC_VTD_QI_DEVICE_TLB && type != SPEC_VTD_QI_PASID_DEVICE_TLB &&
		    type != SPEC_VTD_QI_PAGE_RESPONSE;

	must(type < SPEC_VTD_QI_TYPES && steps[type]); /* vtd_queue.c has checked it */
	vtd->queue.marked |= ends;
	return steps[type](vtd, words);
}
