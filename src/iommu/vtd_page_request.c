#include "iommu/vtd_unit.h"

#include "base/bytes.h"

#include <string.h>

/* Page requests (7.4): checked against the context entry, put into the queue in memory. */

static void respond(struct vtd *vtd, const struct iommu_page_request *request, uint8_t code)
{
	/* Only the last request of a group has a response, and a stop marker has none. */
	if (request->last && request->access)
		vtd->config.page_response(vtd->config.context, request->source, request->pasid,
					  request->group, code);
}

static bool is_enabled(const struct vtd_walk *walk)
{
	uint64_t root =
		walk->tables->rtaddr & field_mask(SPEC_VTD_RTADDR_RTA) & ~vtd_beyond_host(walk);
	unsigned devfn = walk->request->source & 0xff;
	uint64_t words[4];

	if (!vtd_read_words(walk, root + (walk->request->source >> 8) * SPEC_VTD_ROOT_SIZE, 2,
			    words) ||
	    !vtd_read_words(walk,
			    (words[devfn >> 7] & field_mask(SPEC_VTD_ROOT_0_CTP)) +
				    (devfn & 0x7f) * SPEC_VTD_SMCONTEXT_SIZE,
			    4, words))
		return false;
	return field_is_set(words[0], SPEC_VTD_SMCONTEXT_0_PRE);
}

/* Whether the function may ask, and why not. */
static enum spec_vtd_reason check(struct vtd_walk *walk)
{
	struct vtd_stages stages = { .scalable = true };
	enum spec_vtd_reason reason;

	switch (field_get(walk->tables->rtaddr, SPEC_VTD_RTADDR_TTM)) {
	case SPEC_VTD_TTM_SCALABLE:
		break;
	case SPEC_VTD_TTM_LEGACY:
		return SPEC_VTD_RTA_LEGACY_PAGE_REQUEST;
	case SPEC_VTD_TTM_ABORT:
		return SPEC_VTD_RTA_ABORT;
	default:
		return SPEC_VTD_RTA_INVALID;
	}
	reason = vtd_scalable_context(walk, &stages);
	if (reason)
		return reason;
	return is_enabled(walk) ? SPEC_VTD_NO_FAULT : SPEC_VTD_SMCONTEXT_PRE;
}

static bool may_ask(struct vtd *vtd, const struct iommu_page_request *page)
{
	const struct iommu_request request = { .source = page->source,
					       .type = IOMMU_TRANSLATION_REQUEST,
					       .access = page->access,
					       .pasid = page->pasid,
					       .privileged = page->privileged,
					       .address = page->address };
	const struct vtd_tables tables = { .cap = vtd->config.cap,
					   .ecap = vtd->config.ecap,
					   .version = (uint8_t)vtd->config.version,
					   .host_width = vtd->config.host_width,
					   .rtaddr = vtd->mode.rtaddr,
					   .quirks = vtd->config.quirks,
					   .memory = &vtd->config.memory };
	struct vtd_walk walk;
	enum spec_vtd_reason reason;

	if (!field_is_set(vtd->mode.status, SPEC_VTD_GSTS_TES))
		return false;
	vtd_walk_init(&walk, &tables, &request, NULL);
	reason = check(&walk);
	if (reason && !(walk.silent && vtd_reason_is_qualified(&walk, reason)))
		vtd_fault_record(vtd, &(struct iommu_fault){ .address = page->address,
							     .pasid = page->pasid,
							     .source = page->source,
							     .reason = (uint16_t)reason,
							     .access = page->access,
							     .privileged = page->privileged,
							     .page_request = true });
	return !reason;
}

static void set_status(struct vtd *vtd, int field)
{
	uint64_t status = vtd_register(vtd, SPEC_VTD_PRS);

	vtd_register_set(vtd, SPEC_VTD_PRS, status | field_mask(field));
	/* While software has not served an earlier one it is no new condition. */
	if (!status)
		vtd_event_raise(vtd, VTD_EVENT_PAGE_REQUEST);
}

static void encode(const struct iommu_page_request *page, uint8_t bytes[SPEC_VTD_PRQ_SIZE])
{
	bool pasid = page->pasid != IOMMU_NO_PASID;

	memset(bytes, 0, SPEC_VTD_PRQ_SIZE);
	put_le64(bytes,
		 field_make(SPEC_VTD_PRQ_0_TYPE, SPEC_VTD_PRQ_TYPE) |
			 field_make(SPEC_VTD_PRQ_0_PP, pasid) |
			 field_make(SPEC_VTD_PRQ_0_RID, page->source) |
			 field_make(SPEC_VTD_PRQ_0_PASID, pasid ? page->pasid : 0) |
			 field_make(SPEC_VTD_PRQ_0_EXE, (page->access & IOMMU_EXECUTE) != 0) |
			 field_make(SPEC_VTD_PRQ_0_PM, page->privileged));
	put_le64(bytes + 8,
		 (page->address & field_mask(SPEC_VTD_PRQ_1_ADDR)) |
			 field_make(SPEC_VTD_PRQ_1_RD, (page->access & IOMMU_READ) != 0) |
			 field_make(SPEC_VTD_PRQ_1_WR, (page->access & IOMMU_WRITE) != 0) |
			 field_make(SPEC_VTD_PRQ_1_LPIG, page->last) |
			 field_make(SPEC_VTD_PRQ_1_PRGI, page->group));
}

/* False: there is no room, or no memory; software must make room and clear the overflow. */
static bool put(struct vtd *vtd, const struct iommu_page_request *page)
{
	uint64_t queue = vtd_register(vtd, SPEC_VTD_PQA), tail = vtd_register(vtd, SPEC_VTD_PQT);
	uint64_t size = UINT64_C(4096) << field_get(queue, SPEC_VTD_PQA_PQS);
	const struct iommu_memory *memory = &vtd->config.memory;
	uint64_t next = (tail + SPEC_VTD_PRQ_SIZE) % size;
	uint8_t bytes[SPEC_VTD_PRQ_SIZE];

	if (field_is_set(vtd_register(vtd, SPEC_VTD_PRS), SPEC_VTD_PRS_PRO) || tail >= size ||
	    next == vtd_register(vtd, SPEC_VTD_PQH))
		return false;
	encode(page, bytes);
	if (!memory->write(memory->context, (queue & field_mask(SPEC_VTD_PQA_PQA)) + tail, bytes,
			   sizeof bytes))
		return false;
	vtd_register_set(vtd, SPEC_VTD_PQT, next);
	return true;
}

bool vtd_page_request(struct vtd *vtd, const struct iommu_page_request *request)
{
	if (!field_is_set(vtd->config.ecap, SPEC_VTD_ECAP_PRS))
		return false;
	if (!may_ask(vtd, request)) {
		respond(vtd, request, SPEC_PRG_INVALID_REQUEST);
		return false;
	}
	if (!put(vtd, request)) {
		set_status(vtd, SPEC_VTD_PRS_PRO);
		/* The device finds the page absent once more and asks again, when there may be
		 * room. */
		respond(vtd, request, SPEC_PRG_SUCCESS);
		return false;
	}
	if (request->last)
		set_status(vtd, SPEC_VTD_PRS_PPR);
	return true;
}
