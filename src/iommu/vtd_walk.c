#include "iommu/vtd_internal.h"

#include "base/bytes.h"
#include "iommu/range.h"

#include <stdarg.h>
#include <stdio.h>

static bool touches_interrupt_range(uint64_t address, unsigned shift)
{
	return iommu_page_touches(address, shift, IOMMU_INTERRUPT_FIRST, IOMMU_INTERRUPT_LAST);
}

uint64_t vtd_beyond_host(const struct vtd_walk *walk)
{
	return ~((UINT64_C(1) << walk->host_width) - 1);
}

uint64_t vtd_beyond_host_51(const struct vtd_walk *walk)
{
	return vtd_beyond_host(walk) & field_mask(SPEC_VTD_SS_ADDR);
}

uint64_t vtd_beyond_domains(const struct vtd_walk *walk)
{
	uint64_t nd = field_get(walk->tables->cap, SPEC_VTD_CAP_ND);

	/* 111b is reserved; as 16 bits it lets pass what software may have written. */
	return ~((UINT64_C(1) << (4 + 2 * min_u64(nd, 6))) - 1);
}

bool vtd_read_words(const struct vtd_walk *walk, uint64_t address, unsigned count, uint64_t *words)
{
	const struct iommu_memory *memory = walk->tables->memory;
	uint8_t bytes[64];

	if (!memory->read(memory->context, address, bytes, count * 8))
		return false;
	for (unsigned i = 0; i < count; i++)
		words[i] = get_le64(bytes + 8 * i);
	return true;
}

void vtd_tell(const struct vtd_walk *walk, const struct iommu_step *step, const char *format, ...)
{
	struct iommu_step told = *step;
	char meaning[200];
	va_list list;

	if (!walk->trace || !walk->trace->step)
		return;
	va_start(list, format);
	vsnprintf(meaning, sizeof meaning, format, list);
	va_end(list);
	told.meaning = meaning;
	walk->trace->step(walk->trace->context, &told);
}

static bool is_translation_request(const struct vtd_walk *walk)
{
	return walk->request->type == IOMMU_TRANSLATION_REQUEST;
}

bool vtd_rights_suffice(const struct vtd_walk *walk, uint8_t wanted, uint8_t rights)
{
	uint8_t missing = wanted & (uint8_t)~rights & (IOMMU_READ | IOMMU_WRITE);

	/* Section 3.14: a read of no bytes may go to a page that can only be written. */
	if (missing == IOMMU_READ && walk->request->zero_length && (rights & IOMMU_WRITE) &&
	    field_is_set(walk->tables->cap, SPEC_VTD_CAP_ZLR))
		missing = 0;
	return !missing && (wanted || rights);
}

enum spec_vtd_reason vtd_check_rights(const struct vtd_walk *walk, const struct vtd_stages *stages,
				      uint8_t rights)
{
	bool legacy = !stages->scalable || (walk->quirks & VTD_QUIRK_LEGACY_REASONS);

	if (!vtd_rights_suffice(walk, walk->access, rights)) {
		if (walk->access & IOMMU_WRITE & ~rights)
			return legacy ? SPEC_VTD_WRITE_DENIED : SPEC_VTD_SM_WRITE_DENIED;
		return legacy ? SPEC_VTD_READ_DENIED : SPEC_VTD_SM_READ_DENIED;
	}
	if ((walk->access & IOMMU_EXECUTE & ~rights) && stages->type != VTD_SECOND_STAGE)
		return SPEC_VTD_EXECUTE_DENIED;
	return SPEC_VTD_NO_FAULT;
}

/* Root table address register: which mode, and what it refuses at once (RTA.1 to RTA.5). */
static enum spec_vtd_reason check_mode(const struct vtd_walk *walk, bool *scalable)
{
	const struct vtd_tables *tables = walk->tables;
	bool has_scalable = field_is_set(tables->ecap, SPEC_VTD_ECAP_SMTS);
	unsigned mode = (unsigned)field_get(tables->rtaddr, SPEC_VTD_RTADDR_TTM);
	bool with_pasid = walk->request->pasid != IOMMU_NO_PASID;

	if (walk->quirks & VTD_QUIRK_TTM_ONE_BIT)
		mode = has_scalable && (mode & 1) ? SPEC_VTD_TTM_SCALABLE : SPEC_VTD_TTM_LEGACY;
	*scalable = mode == SPEC_VTD_TTM_SCALABLE;
	if (mode == SPEC_VTD_TTM_ABORT && field_is_set(tables->ecap, SPEC_VTD_ECAP_ADMS))
		return SPEC_VTD_RTA_ABORT;
	if (mode == SPEC_VTD_TTM_ABORT || mode == SPEC_VTD_TTM_RESERVED ||
	    (*scalable && !has_scalable))
		return SPEC_VTD_RTA_INVALID;
	if (!*scalable && field_is_set(tables->rtaddr, SPEC_VTD_RTADDR_SSIRWE) &&
	    field_is_set(tables->ecap, SPEC_VTD_ECAP_SSIRWS))
		return SPEC_VTD_RTA_INVALID;
	if (!*scalable && with_pasid)
		return SPEC_VTD_RTA_LEGACY_PASID;
	if (with_pasid && (walk->request->access & IOMMU_EXECUTE) && tables->version >> 4 >= 8)
		return SPEC_VTD_RTA_EXECUTE;
	return SPEC_VTD_NO_FAULT;
}

static enum spec_vtd_reason interrupt_reason(const struct vtd_walk *walk,
					     const struct vtd_stages *stages)
{
	bool scalable = stages->scalable;

	if (walk->quirks & VTD_QUIRK_LEGACY_REASONS)
		scalable = field_is_set(walk->tables->ecap, SPEC_VTD_ECAP_SMTS);
	return scalable ? SPEC_VTD_SM_INTERRUPT_RANGE : SPEC_VTD_INTERRUPT_RANGE;
}

/* Section 3.15, LGN.4, SGN.8: no result in the interrupt range.  What a device caches may not even
 * touch it. The rest of a page that does touch it is answered in the smallest pages, lest a cache
 * extend them. */
static enum spec_vtd_reason check_result(struct vtd_walk *walk, const struct vtd_stages *stages,
					 struct vtd_leaf *leaf)
{
	bool touches = touches_interrupt_range(leaf->address, leaf->page_shift);
	bool whole = is_translation_request(walk) || (walk->quirks & VTD_QUIRK_INTERRUPT_PAGE);

	if (touches && !whole)
		vtd_decided(walk, SPEC_VTD_PAGE_SHIFT);
	if (whole ? touches : iommu_is_interrupt(leaf->address))
		return interrupt_reason(walk, stages);
	if (touches)
		leaf->page_shift = SPEC_VTD_PAGE_SHIFT;
	return SPEC_VTD_NO_FAULT;
}

/* An address that is a result as it stands: SGN.4 or LGN.1, then SGN.8 or LGN.4. */
static enum spec_vtd_reason check_host_address(struct vtd_walk *walk,
					       const struct vtd_stages *stages, uint64_t address)
{
	vtd_decided(walk, walk->host_width);
	if (address & vtd_beyond_host(walk))
		return stages->scalable ? SPEC_VTD_SM_BEYOND_HOST_WIDTH
					: SPEC_VTD_ADDRESS_BEYOND_WIDTH;
	return iommu_is_interrupt(address) ? interrupt_reason(walk, stages) : SPEC_VTD_NO_FAULT;
}

/* Section 3.9; in section 4.2.3 the size: the largest page that the unit has. */
static enum spec_vtd_reason pass_through(struct vtd_walk *walk, const struct vtd_stages *stages,
					 struct vtd_leaf *leaf)
{
	uint64_t sizes = field_get(walk->tables->cap, SPEC_VTD_CAP_SSLPS);

	leaf->address = walk->request->address;
	leaf->rights = IOMMU_READ | IOMMU_WRITE;
	leaf->page_shift = SPEC_VTD_PAGE_SHIFT;
	if (walk->quirks & VTD_QUIRK_PASS_THROUGH_UNCHECKED)
		return SPEC_VTD_NO_FAULT;
	for (unsigned large = 2; large; large--) {
		unsigned shift = SPEC_VTD_PAGE_SHIFT + large * SPEC_VTD_LEVEL_BITS;

		if ((sizes & UINT64_C(1) << (large - 1)) &&
		    !touches_interrupt_range(leaf->address, shift)) {
			leaf->page_shift = (uint8_t)shift;
			break;
		}
	}
	return check_host_address(walk, stages, leaf->address);
}

static enum spec_vtd_reason translate(struct vtd_walk *walk, const struct vtd_stages *stages,
				      struct vtd_leaf *leaf)
{
	struct vtd_second_use use = {
		.address = walk->request->address,
		.wanted = walk->access,
		.early_check = (walk->quirks & VTD_QUIRK_RIGHTS_FIRST) != 0,
	};
	enum spec_vtd_reason reason;

	if (stages->type == VTD_PASS_THROUGH)
		return pass_through(walk, stages, leaf);
	if (stages->type == VTD_SECOND_STAGE)
		reason = vtd_second_stage(walk, stages, &use, leaf);
	else
		reason = vtd_first_stage(walk, stages, leaf);
	leaf->table_shift = leaf->page_shift;
	if (!reason && !is_translation_request(walk))
		reason = vtd_check_rights(walk, stages, leaf->rights);
	return reason ? reason : check_result(walk, stages, leaf);
}

/* Section 4.2.5: a translated request has its result in hand. */
static enum spec_vtd_reason translated(struct vtd_walk *walk, const struct vtd_stages *stages,
				       struct vtd_leaf *leaf)
{
	enum spec_vtd_reason reason;

	leaf->address = walk->request->address;
	leaf->rights = IOMMU_READ | IOMMU_WRITE;
	leaf->page_shift = SPEC_VTD_PAGE_SHIFT;
	reason = check_host_address(walk, stages, leaf->address);
	vtd_decided(walk, SPEC_VTD_PAGE_SHIFT);
	if (!reason && stages->permitted_only)
		reason = vtd_host_permission(walk, stages, leaf);
	if (touches_interrupt_range(leaf->address, leaf->page_shift))
		leaf->page_shift = SPEC_VTD_PAGE_SHIFT;
	return reason;
}

/* S.1 and S.2 of table 30: a device may ask for the translation of its own interrupt messages. */
static void answer_interrupt_range(const struct vtd_walk *walk, struct iommu_answer *answer)
{
	answer->address = walk->request->address;
	answer->page_shift = SPEC_VTD_PAGE_SHIFT;
	answer->untranslated_only = walk->access & IOMMU_WRITE;
	answer->rights = answer->untranslated_only ? IOMMU_WRITE : 0;
}

static void answer_leaf(const struct vtd_walk *walk, const struct vtd_stages *stages,
			const struct vtd_leaf *leaf, struct iommu_answer *answer)
{
	answer->address = leaf->address;
	answer->page_shift = leaf->page_shift;
	answer->table_shift = leaf->table_shift;
	answer->rights = leaf->rights;
	answer->snoop = leaf->snoop || stages->snoop;
	answer->transient = leaf->transient;
	if (is_translation_request(walk) && !(walk->access & IOMMU_WRITE))
		answer->rights &= (uint8_t)~IOMMU_WRITE;
}

/* What the requester and the fault log get for 'reason'. */
static void refuse(const struct vtd_walk *walk, enum spec_vtd_reason reason,
		   struct iommu_answer *answer)
{
	enum vtd_translation_answer how = vtd_reason_translation(reason);

	answer->rights = 0;
	answer->page_shift = SPEC_VTD_PAGE_SHIFT;
	if (is_translation_request(walk) && how >= VTD_ANSWER_EMPTY) {
		if (how != VTD_ANSWER_EMPTY_AND_FAULT)
			return;
	} else {
		answer->completion = (uint8_t)vtd_reason_completion(walk->request, reason);
	}
	answer->reason = (uint16_t)reason;
	if (!iommu_is_interrupt(walk->request->address))
		answer->page_shift = (uint8_t)max_u64(walk->decided_shift, SPEC_VTD_PAGE_SHIFT);
	answer->outcome =
		walk->silent && vtd_reason_is_qualified(walk, reason) ? IOMMU_SILENT : IOMMU_FAULT;
}

static enum spec_vtd_reason answer_remapped(struct vtd_walk *walk, struct iommu_answer *answer)
{
	const struct iommu_request *request = walk->request;
	struct vtd_stages stages = { .type = VTD_PASS_THROUGH };
	struct vtd_leaf leaf = { .rights = 0 };
	enum spec_vtd_reason reason = check_mode(walk, &stages.scalable);

	if (!reason)
		reason = stages.scalable ? vtd_scalable_context(walk, &stages)
					 : vtd_legacy_context(walk, &stages);
	answer->domain = stages.domain;
	if (reason)
		return reason;
	if (is_translation_request(walk) && iommu_is_interrupt(request->address) &&
	    (request->pasid == IOMMU_NO_PASID || stages.type == VTD_PASS_THROUGH)) {
		answer_interrupt_range(walk, answer);
		return SPEC_VTD_NO_FAULT;
	}
	if (request->type == IOMMU_TRANSLATED)
		reason = translated(walk, &stages, &leaf);
	else
		reason = translate(walk, &stages, &leaf);
	if (!reason)
		answer_leaf(walk, &stages, &leaf, answer);
	return reason;
}

/* What no table decides; false: the tables do. */
static bool answer_without_tables(const struct vtd_walk *walk, struct iommu_answer *answer,
				  enum spec_vtd_reason *reason)
{
	const struct iommu_request *request = walk->request;

	*reason = SPEC_VTD_NO_FAULT;
	answer->address = request->address;
	answer->rights = IOMMU_READ | IOMMU_WRITE;
	answer->page_shift = 64;
	if (!walk->tables->translation) {
		/* Section 4.2.1: with remapping off, requests with AT != 0 are unsupported, without
		 * a fault. */
		if (request->type != IOMMU_UNTRANSLATED) {
			answer->rights = 0;
			answer->outcome = IOMMU_SILENT;
			answer->completion = IOMMU_UNSUPPORTED_REQUEST;
		}
		return true;
	}
	if (request->type != IOMMU_UNTRANSLATED || request->pasid != IOMMU_NO_PASID ||
	    !iommu_is_interrupt(request->address))
		return false;
	answer->page_shift = SPEC_VTD_PAGE_SHIFT;
	if (!request->zero_length)
		*reason = SPEC_VTD_IR_NO_INTERRUPT;
	return true;
}

/* Section 4.2.3.1: a translation request counts as read and write unless its no-write flag counts.
 */
static uint8_t effective_access(const struct vtd_tables *tables,
				const struct iommu_request *request)
{
	bool read_only = !(request->access & IOMMU_WRITE) && (request->access & IOMMU_READ) &&
			 field_is_set(tables->ecap, SPEC_VTD_ECAP_NWFS);

	if (request->type != IOMMU_TRANSLATION_REQUEST)
		return request->access;
	return (uint8_t)(IOMMU_READ | (read_only ? 0 : IOMMU_WRITE) |
			 (request->access & IOMMU_EXECUTE));
}

static unsigned host_width(const struct vtd_tables *tables)
{
	unsigned mgaw = (unsigned)field_get(tables->cap, SPEC_VTD_CAP_MGAW) + 1;
	unsigned width = tables->host_width ? tables->host_width : mgaw;

	return width > 52 ? 52 : width;
}

void vtd_walk_init(struct vtd_walk *walk, const struct vtd_tables *tables,
		   const struct iommu_request *request, const struct iommu_trace *trace)
{
	*walk = (struct vtd_walk){
		.tables = tables,
		.request = request,
		.trace = trace,
		.quirks = vtd_quirks_of(tables->quirks),
		.host_width = host_width(tables),
		.access = effective_access(tables, request),
		.decided_shift = 64,
		.privileged = request->pasid != IOMMU_NO_PASID && request->privileged,
	};
}

void vtd_walk(const struct vtd_tables *tables, const struct iommu_request *request,
	      const struct iommu_trace *trace, struct iommu_answer *answer)
{
	enum spec_vtd_reason reason;
	struct vtd_walk walk;

	vtd_walk_init(&walk, tables, request, trace);
	*answer = (struct iommu_answer){ .outcome = IOMMU_OK };
	if (!answer_without_tables(&walk, answer, &reason))
		reason = answer_remapped(&walk, answer);
	if (reason)
		refuse(&walk, reason, answer);
}
