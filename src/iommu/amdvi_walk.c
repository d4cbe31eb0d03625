#include "iommu/amdvi_internal.h"

#include "iommu/range.h"

/* Section 2.1.4.  The limit is the last page. */
static bool exclusion(const struct amdvi_tables *tables, uint64_t *first, uint64_t *last)
{
	*first = tables->exclusion_base & field_mask(SPEC_AMDVI_EXCLUSION_ADDRESS);
	*last = (tables->exclusion_limit & field_mask(SPEC_AMDVI_EXCLUSION_ADDRESS)) | 0xfff;
	return field_is_set(tables->exclusion_base, SPEC_AMDVI_EXCLUSION_EN) && *first <= *last;
}

static bool is_excluded(const struct amdvi_page *page, unsigned shift)
{
	const struct amdvi_walk *walk = &page->base;
	uint64_t first, last;

	return exclusion(walk->tables, &first, &last) &&
	       (field_is_set(walk->tables->exclusion_base, SPEC_AMDVI_EXCLUSION_ALLOW) ||
		field_is_set(walk->dte[1], SPEC_AMDVI_DTE_1_EX)) &&
	       iommu_page_touches(page->request->address, shift, first, last);
}

/* Whether no part of the page is special, so that a cache may keep it as one. */
static bool is_uniform(const struct amdvi_page *page, unsigned shift)
{
	return !is_excluded(page, shift) &&
	       !iommu_page_touches(page->request->address, shift, IOMMU_INTERRUPT_FIRST,
				   IOMMU_INTERRUPT_LAST);
}

/* An address that stays what it is, in the largest page that is wholly so. */
static void pass(struct amdvi_page *page, uint8_t rights)
{
	page->address = page->request->address;
	page->rights = rights;
	for (page->page_shift = 30; page->page_shift > SPEC_AMDVI_PAGE_SHIFT; page->page_shift -= 9)
		if (is_uniform(page, page->page_shift))
			break;
}

static uint16_t translate(struct amdvi_page *page)
{
	const struct amdvi_walk *walk = &page->base;
	uint8_t rights = amdvi_rights(walk->dte[0]);
	uint16_t reason = 0;

	/* Excluded addresses are neither translated nor checked. */
	if (is_excluded(page, 0)) {
		pass(page, IOMMU_READ | IOMMU_WRITE);
		page->page_shift = SPEC_AMDVI_PAGE_SHIFT;
		return 0;
	}
	if (!field_is_set(walk->dte[0], SPEC_AMDVI_DTE_0_TV))
		return amdvi_refused(walk, amdvi_page_fault(page, 0));
	/* Guest page tables are not walked; a PASID without them is nothing that the device may
	 * use. */
	if (page->request->pasid != IOMMU_NO_PASID)
		return amdvi_refused(walk, amdvi_page_fault(page, SPEC_AMDVI_FLAG_GN));
	page->rights = rights;
	if (amdvi_levels(walk) == 0) {
		pass(page, rights);
		amdvi_tell(walk, "domain %u: no page tables: %s",
			   (unsigned)field_get(walk->dte[1], SPEC_AMDVI_DTE_1_DOMAIN),
			   amdvi_rights_text(rights));
	} else {
		amdvi_tell(walk, "domain %u: page tables of %u levels at 0x%llx: %s",
			   (unsigned)field_get(walk->dte[1], SPEC_AMDVI_DTE_1_DOMAIN),
			   amdvi_levels(walk),
			   (unsigned long long)(walk->dte[0] & field_mask(SPEC_AMDVI_DTE_0_ROOT)),
			   amdvi_rights_text(rights));
		reason = amdvi_pages(page);
		page->table_shift = page->page_shift;
		if (!reason && !is_uniform(page, page->page_shift))
			page->page_shift = SPEC_AMDVI_PAGE_SHIFT;
	}
	if (reason || (walk->flags & SPEC_AMDVI_FLAG_TR))
		return reason;
	return amdvi_suffices(page)
		       ? 0
		       : amdvi_page_fault(page, SPEC_AMDVI_FLAG_PR | SPEC_AMDVI_FLAG_PE);
}

static uint16_t invalid_request(const struct amdvi_page *page, unsigned type)
{
	return amdvi_event(&page->base, SPEC_AMDVI_INVALID_DEVICE_REQUEST,
			   type << SPEC_AMDVI_FLAG_TYPE_SHIFT);
}

static uint16_t decide(struct amdvi_page *page)
{
	const struct iommu_request *request = page->request;
	struct amdvi_walk *walk = &page->base;
	uint16_t reason;

	if (request->type == IOMMU_UNTRANSLATED && iommu_is_interrupt(request->address)) {
		page->decided_shift = SPEC_AMDVI_PAGE_SHIFT;
		return invalid_request(page, SPEC_AMDVI_TYPE_READ_OF_INTERRUPTS);
	}
	reason = amdvi_device_entry(walk);
	if (reason)
		return reason;
	if (!field_is_set(walk->dte[0], SPEC_AMDVI_DTE_0_V)) {
		/* Section 2.2.2.2: everything passes but ATS. */
		if (request->type != IOMMU_UNTRANSLATED)
			return amdvi_refused(walk,
					     invalid_request(page, SPEC_AMDVI_TYPE_PRETRANSLATED));
		pass(page, IOMMU_READ | IOMMU_WRITE);
		amdvi_tell(walk, "not valid: addresses pass");
		return 0;
	}
	reason = amdvi_check_entry(walk);
	if (!reason && request->type != IOMMU_UNTRANSLATED &&
	    !field_is_set(walk->dte[1], SPEC_AMDVI_DTE_1_I))
		reason = invalid_request(page, SPEC_AMDVI_TYPE_PRETRANSLATED);
	if (reason)
		return amdvi_refused(walk, reason);
	if (request->type == IOMMU_TRANSLATED) {
		pass(page, IOMMU_READ | IOMMU_WRITE);
		page->page_shift = SPEC_AMDVI_PAGE_SHIFT;
		amdvi_tell(walk, "translated requests are served");
		return 0;
	}
	return translate(page);
}

/* A page fault of a translation request is told to the device alone (section 2.1.3.2). */
static bool is_told_to_the_device(const struct amdvi_page *page, uint16_t reason)
{
	return (page->base.flags & SPEC_AMDVI_FLAG_TR) && reason >> 12 == SPEC_AMDVI_IO_PAGE_FAULT;
}

static void refuse(const struct amdvi_page *page, uint16_t reason, struct iommu_answer *answer)
{
	uint64_t dte = page->base.dte[1];
	bool is_fault = reason >> 12 == SPEC_AMDVI_IO_PAGE_FAULT;
	bool is_valid = field_is_set(page->base.dte[0], SPEC_AMDVI_DTE_0_V);

	answer->page_shift = (uint8_t)page->decided_shift;
	if (is_excluded(page, page->decided_shift))
		answer->page_shift = SPEC_AMDVI_PAGE_SHIFT;
	if (is_told_to_the_device(page, reason))
		return;
	answer->reason = reason;
	answer->completion = IOMMU_UNSUPPORTED_REQUEST;
	if (reason >> 12 != SPEC_AMDVI_INVALID_DEVICE_REQUEST)
		answer->completion = IOMMU_COMPLETER_ABORT;
	answer->outcome = IOMMU_FAULT;
	if (is_fault && is_valid && field_is_set(dte, SPEC_AMDVI_DTE_1_SA))
		answer->outcome = IOMMU_SILENT;
	answer->report_once = is_fault && is_valid && field_is_set(dte, SPEC_AMDVI_DTE_1_SE);
}

static void answer_page(const struct amdvi_page *page, struct iommu_answer *answer)
{
	answer->address = page->address;
	answer->page_shift = (uint8_t)page->page_shift;
	answer->table_shift = (uint8_t)page->table_shift;
	answer->rights = page->rights;
	answer->snoop = page->coherent;
	answer->untranslated_only = page->untranslated_only;
}

void amdvi_walk(const struct amdvi_tables *tables, const struct iommu_request *request,
		const struct iommu_trace *trace, struct iommu_answer *answer)
{
	bool for_device = request->type == IOMMU_TRANSLATION_REQUEST;
	struct amdvi_page page = {
		.base = { .tables = tables, .trace = trace, .source = request->source },
		.request = request,
		.access = request->access & (IOMMU_READ | IOMMU_WRITE),
		.decided_shift = 64,
	};
	uint16_t reason;

	if (for_device)
		page.base.flags = SPEC_AMDVI_FLAG_TR;
	*answer = (struct iommu_answer){ .outcome = IOMMU_OK };
	if (!field_is_set(tables->control, SPEC_AMDVI_CONTROL_IOMMU_EN)) {
		answer->address = request->address;
		answer->rights = IOMMU_READ | IOMMU_WRITE;
		answer->page_shift = 64;
		return;
	}
	reason = decide(&page);
	if (page.base.dte[0] & 1)
		answer->domain = (uint16_t)field_get(page.base.dte[1], SPEC_AMDVI_DTE_1_DOMAIN);
	if (reason)
		refuse(&page, reason, answer);
	else
		answer_page(&page, answer);
}

const char *amdvi_reason_text(unsigned reason)
{
	static const char *const texts[] = {
		[0] = "no event",
		[SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY] =
			"the device table entry has an encoding that the unit does not know",
		[SPEC_AMDVI_IO_PAGE_FAULT] = "nothing is mapped there for the device",
		[SPEC_AMDVI_DEV_TAB_HARDWARE_ERROR] =
			"the device table entry could not be read from memory",
		[SPEC_AMDVI_PAGE_TAB_HARDWARE_ERROR] =
			"a page table or interrupt table entry could not be accessed in memory",
		[SPEC_AMDVI_ILLEGAL_COMMAND_ERROR] = "a command is illegal",
		[SPEC_AMDVI_COMMAND_HARDWARE_ERROR] = "a command could not be read from memory",
		[SPEC_AMDVI_IOTLB_INV_TIMEOUT] = "a device did not answer an invalidation in time",
		[SPEC_AMDVI_INVALID_DEVICE_REQUEST] = "the device may not make such a request",
		[SPEC_AMDVI_INVALID_PPR_REQUEST] = "the page request is invalid",
		[SPEC_AMDVI_EVENT_COUNTER_ZERO] = "an event counter has wrapped",
	};
	unsigned code = reason >> 12 & 0xf;

	if (code == SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY && (reason & SPEC_AMDVI_FLAG_RZ))
		return "reserved bits of the device table entry are set";
	if (code != SPEC_AMDVI_IO_PAGE_FAULT)
		return code < array_len(texts) ? texts[code] : "an event that is not defined";
	if (reason & SPEC_AMDVI_FLAG_I)
		return reason & SPEC_AMDVI_FLAG_RZ ? "reserved bits of the interrupt entry are set"
						   : "the interrupt is not mapped for the device";
	if (reason & SPEC_AMDVI_FLAG_PE)
		return "the tables do not allow this access";
	if (reason & SPEC_AMDVI_FLAG_RZ)
		return "reserved bits of a page table entry are set";
	return reason & SPEC_AMDVI_FLAG_PR ? "a page table entry has a wrong level or page size"
					   : texts[code];
}
