#include "iommu/range.h"
#include "iommu/vtd_reader.h"

#include <string.h>

/* Where pages cannot be kept whole: a request to the interrupt range does not meet the tables. */
static bool touches_interrupts(uint64_t address, unsigned shift)
{
	return iommu_page_touches(address, shift, IOMMU_INTERRUPT_FIRST, IOMMU_INTERRUPT_LAST);
}

size_t vtd_reader_size(void)
{
	return sizeof(struct vtd_reader);
}

struct vtd_reader *vtd_reader_init(void *memory, struct vtd *vtd, unsigned index)
{
	struct vtd_reader *reader = memory;

	must(index < vtd->config.readers);
	memset(reader, 0, sizeof *reader);
	reader_init(&reader->base, vtd->tlb, index);
	for (unsigned i = 0; i < VTD_READER_CONTEXTS; i++)
		reader->contexts[i].key = UINT64_MAX;
	reader->vtd = vtd;
	reader->mode_version = UINT64_MAX;
	reader->index = index;
	vtd->readers[index] = reader;
	return reader;
}

void vtd_reader_fini(struct vtd_reader *reader)
{
	struct vtd *vtd = reader->vtd;

	must(!reader->base.stamp);
	vtd_fault_collect(vtd);
	tlb_reader(vtd->tlb, reader->index, NULL);
	vtd->readers[reader->index] = NULL;
}

static void mode_take(struct vtd_reader *reader)
{
	const struct vtd_config *config = &reader->vtd->config;

	reader->mode_version =
		iommu_mode_take(&reader->vtd->modes, &reader->mode, sizeof reader->mode);
	reader->tables = (struct vtd_tables){
		.cap = config->cap,
		.ecap = config->ecap,
		.version = (uint8_t)config->version,
		.host_width = config->host_width,
		.rtaddr = reader->mode.rtaddr,
		.irta = reader->mode.irta,
		.translation = field_is_set(reader->mode.status, SPEC_VTD_GSTS_TES),
		.remapping = field_is_set(reader->mode.status, SPEC_VTD_GSTS_IRES),
		.compatibility = field_is_set(reader->mode.status, SPEC_VTD_GSTS_CFIS),
		.quirks = config->quirks,
		.set_accessed = true,
		.memory = &config->memory,
	};
	vtd_fast_init(reader);
}

void vtd_reader_enter(struct vtd_reader *reader)
{
	must(!reader->base.stamp);
	reader->base.stamp = tlb_enter(reader->base.tlb, &reader->base.seen);
	if (unlikely(iommu_mode_version(&reader->vtd->modes) != reader->mode_version))
		mode_take(reader);
}

void vtd_reader_leave(struct vtd_reader *reader)
{
	must(reader->base.stamp);
	reader->base.stamp = 0;
	tlb_leave(&reader->base.seen);
}

void vtd_reader_counts(const struct vtd_reader *reader, struct vtd_reader_counts *counts)
{
	*counts = reader->counts;
}

bool vtd_reader_take_fault(struct vtd *vtd, unsigned index, struct iommu_fault *fault)
{
	return reader_take_fault(&vtd->readers[index]->base, fault);
}

bool vtd_reader_lost_faults(struct vtd *vtd, unsigned index)
{
	return reader_lost_faults(&vtd->readers[index]->base);
}

static void report(struct vtd_reader *reader, const struct iommu_fault *fault)
{
	const struct vtd_config *config = &reader->vtd->config;

	reader->counts.faults++;
	if (reader_put_fault(&reader->base, fault) && config->wake)
		config->wake(config->context);
}

static void report_request(struct vtd_reader *reader, const struct iommu_request *request,
			   uint16_t reason)
{
	report(reader, &(struct iommu_fault){ .address = request->address,
					      .pasid = request->pasid,
					      .source = request->source,
					      .reason = reason,
					      .access = request->access,
					      .type = request->type,
					      .privileged = request->privileged });
}

static bool is_scalable(const struct vtd_reader *reader)
{
	return field_get(reader->mode.rtaddr, SPEC_VTD_RTADDR_TTM) == SPEC_VTD_TTM_SCALABLE;
}

/* PMEN (11.4.8.1): without a fault and without a report. */
static bool is_protected(const struct vtd_reader *reader, uint64_t address)
{
	const struct vtd_mode *mode = &reader->mode;

	return mode->protect && ((address >= mode->low_base && address <= mode->low_last) ||
				 (address >= mode->high_base && address <= mode->high_last));
}

static bool refuse_protected(const struct vtd_reader *reader, struct iommu_answer *answer)
{
	if (!is_protected(reader, answer->address))
		return false;
	*answer = (struct iommu_answer){ .outcome = IOMMU_SILENT,
					 .completion = IOMMU_UNSUPPORTED_REQUEST,
					 .domain = answer->domain,
					 .page_shift = SPEC_VTD_PAGE_SHIFT };
	return true;
}

/* Keeps an answer for the largest page that holds nothing which is answered otherwise. */
static void keep(struct vtd_reader *reader, const struct iommu_request *request,
		 struct iommu_answer *answer, uint8_t usable, unsigned most)
{
	static const uint8_t shifts[] = { 30, 21 };
	unsigned shift = SPEC_VTD_PAGE_SHIFT;

	for (unsigned i = 0; i < array_len(shifts) && shift == SPEC_VTD_PAGE_SHIFT; i++)
		if (shifts[i] <= answer->page_shift && shifts[i] <= most &&
		    !touches_interrupts(request->address, shifts[i]) &&
		    !touches_interrupts(answer->address, shifts[i]))
			shift = shifts[i];
	answer->page_shift = (uint8_t)min_u32(answer->page_shift, shift);
	reader_keep(&reader->base, request, reader_key(request), answer, shift, usable);
}

/* What a request of this source, PASID and type meets before page tables.  NULL: it is refused
 * there. */
static const struct vtd_context *context_of(struct vtd_reader *reader,
					    const struct iommu_request *request)
{
	uint64_t key = reader_key(request);
	uint64_t hash = request->source ^ request->source >> 6 ^ request->pasid * UINT64_C(0x2d);
	struct vtd_context *context = &reader->contexts[hash % VTD_READER_CONTEXTS];
	enum spec_vtd_reason reason;
	struct vtd_walk walk;

	if (context->key == key && tlb_alive(&context->marks->contexts, context->stamp))
		return context;
	vtd_walk_init(&walk, &reader->tables, request, NULL);
	context->key = UINT64_MAX;
	context->stages =
		(struct vtd_stages){ .type = VTD_PASS_THROUGH, .scalable = is_scalable(reader) };
	reason = is_scalable(reader) ? vtd_scalable_context(&walk, &context->stages)
				     : vtd_legacy_context(&walk, &context->stages);
	reader->counts.contexts++;
	if (reason)
		return NULL;
	context->key = key;
	context->stamp = reader->base.stamp;
	context->marks = tlb_marks(reader->base.tlb, context->stages.domain);
	context->privileged = walk.privileged;
	return context;
}

/* Whether a hit may write without a walk that sets dirty bits. */
static bool has_dirty_bits(const struct vtd_stages *stages)
{
	return stages->type == VTD_FIRST_STAGE || stages->type == VTD_NESTED ||
	       stages->second_dirty;
}

/* Both stages: the upper levels are walked each time. */
static bool nested_walk(struct vtd_reader *reader, const struct vtd_context *context,
			const struct iommu_request *request, struct vtd_leaf *leaf)
{
	struct vtd_walk walk;

	if (context->stages.type != VTD_NESTED)
		return false;
	vtd_walk_init(&walk, &reader->tables, request, NULL);
	walk.privileged = context->privileged;
	return vtd_first_stage(&walk, &context->stages, leaf) == SPEC_VTD_NO_FAULT;
}

static bool walk_pages(struct vtd_reader *reader, const struct vtd_context *context,
		       const struct iommu_request *request, struct tlb_page *page)
{
	const struct vtd_stages *stages = &context->stages;
	uint8_t usable;
	struct vtd_leaf leaf;

	if (!vtd_fast_walk(reader, context, request, &leaf) &&
	    !nested_walk(reader, context, request, &leaf))
		return false;
	reader->counts.walks++;
	usable = leaf.rights;
	if (has_dirty_bits(stages) && !(request->access & IOMMU_WRITE))
		usable &= (uint8_t)~IOMMU_WRITE;
	page->shift = leaf.page_shift;
	page->word = leaf.address >> leaf.page_shift << leaf.page_shift | leaf.rights |
		     (uint64_t)usable << TLB_USABLE_SHIFT |
		     (stages->type == VTD_NESTED ? TLB_NESTED_PAGE : 0) |
		     (leaf.snoop || stages->snoop ? TLB_SNOOP : 0) |
		     (leaf.transient ? TLB_TRANSIENT : 0);
	return true;
}

static uint8_t usable_of(const struct tlb_page *page)
{
	return page->word >> TLB_USABLE_SHIFT & TLB_RIGHTS;
}

/* Answers from the shared cache or the tables, if all is in order.  False: the long way must
 * answer. */
static bool find_page(struct vtd_reader *reader, const struct iommu_request *request,
		      const struct vtd_context *context, struct iommu_answer *answer)
{
	const struct vtd_stages *stages = &context->stages;
	bool second = stages->type == VTD_SECOND_STAGE;
	struct tlb_key key = { .address = request->address,
			       .domain = stages->domain,
			       .pasid = second ? IOMMU_NO_PASID : stages->pasid,
			       .privileged = !second && context->privileged };
	struct tlb_page page;

	if (tlb_find(reader->base.tlb, &key, &page) && !(request->access & ~usable_of(&page))) {
		reader->counts.hits++;
	} else {
		if (!walk_pages(reader, context, request, &page) ||
		    request->access & ~usable_of(&page) || !(page.word & TLB_RIGHTS))
			return false;
		tlb_put(reader->base.tlb, reader->base.stamp, &key, &page);
	}
	*answer = (struct iommu_answer){
		.outcome = IOMMU_OK,
		.rights = page.word & TLB_RIGHTS,
		.domain = stages->domain,
		.page_shift = (uint8_t)page.shift,
		.table_shift = (uint8_t)page.shift,
		.snoop = page.word & TLB_SNOOP,
		.transient = page.word & TLB_TRANSIENT,
		.address = (page.word & ~(uint64_t)TLB_ATTRIBUTES) |
			   (request->address & ((UINT64_C(1) << page.shift) - 1)),
	};
	if (touches_interrupts(answer->address, SPEC_VTD_PAGE_SHIFT))
		return false;
	keep(reader, request, answer, usable_of(&page), 64);
	return true;
}

enum way { BY_TABLES, BY_ITSELF };

/* The long way, from the root; nothing but its own result is kept. */
static void walk_whole(struct vtd_reader *reader, const struct iommu_request *request, enum way how,
		       struct iommu_answer *answer)
{
	bool careful = how == BY_TABLES && is_scalable(reader) && !(request->access & IOMMU_WRITE);
	unsigned most = reader->mode.protect && how == BY_ITSELF ? VTD_PROTECTED_SHIFT : 64;

	vtd_walk(&reader->tables, request, NULL, answer);
	if (answer->outcome == IOMMU_FAULT)
		report_request(reader, request, answer->reason);
	if (answer->outcome != IOMMU_OK || (how == BY_ITSELF && refuse_protected(reader, answer)))
		return;
	if (request->type == IOMMU_UNTRANSLATED && answer->rights &&
	    !touches_interrupts(request->address, SPEC_VTD_PAGE_SHIFT))
		keep(reader, request, answer,
		     answer->rights & (uint8_t) ~(careful ? IOMMU_WRITE : 0), most);
}

static void refuse_untrusted(struct vtd_reader *reader, const struct iommu_request *request,
			     struct iommu_answer *answer)
{
	*answer = (struct iommu_answer){
		.outcome = IOMMU_FAULT,
		.reason = is_scalable(reader) ? SPEC_VTD_SMCONTEXT_DTE : SPEC_VTD_CONTEXT_BLOCKED,
		.completion = IOMMU_UNSUPPORTED_REQUEST,
		.page_shift = SPEC_VTD_PAGE_SHIFT,
	};
	report_request(reader, request, answer->reason);
}

/* An address that the device says it has translated (4.2.3, 4.2.5). */
static void translated(struct vtd_reader *reader, const struct iommu_request *request,
		       struct iommu_answer *answer)
{
	uint64_t key = reader_key(request) | READER_TRUSTED;
	const struct vtd *vtd = reader->vtd;

	if (vtd->config.trust == IOMMU_TRUST_WHEN_INVALIDATED && reader->tables.translation &&
	    device_tlb_blocks(&vtd->device_tlb, request->source)) {
		refuse_untrusted(reader, request, answer);
		return;
	}
	if (reader_find(&reader->base, request, key, answer) ||
	    reader_find_other(&reader->base, request, key, answer))
		return;
	walk_whole(reader, request, BY_ITSELF, answer);
	/* What host permission tables say is asked each time: no invalidation names their pages. */
	if (answer->outcome == IOMMU_OK && answer->rights &&
	    !field_is_set(reader->tables.ecap, SPEC_VTD_ECAP_HPTS))
		reader_keep(&reader->base, request, key, answer, SPEC_VTD_PAGE_SHIFT,
			    answer->rights);
}

void vtd_look_further(struct vtd_reader *reader, const struct iommu_request *request,
		      struct iommu_answer *answer)
{
	const struct vtd_context *context = NULL;

	must(reader->base.stamp);
	if (request->type > IOMMU_TRANSLATED) { /* reserved; PCI Express 5.0, 10.2.2 */
		*answer = (struct iommu_answer){ .outcome = IOMMU_SILENT,
						 .completion = IOMMU_UNSUPPORTED_REQUEST,
						 .page_shift = SPEC_VTD_PAGE_SHIFT };
		return;
	}
	if (request->type == IOMMU_TRANSLATED) {
		translated(reader, request, answer);
		return;
	}
	if (reader_has_others(&reader->base, request) &&
	    reader_find_other(&reader->base, request, reader_key(request), answer))
		return;
	if (reader->tables.translation)
		context = context_of(reader, request);
	if (context && context->stages.type != VTD_PASS_THROUGH) {
		if (request->type != IOMMU_UNTRANSLATED ||
		    touches_interrupts(request->address, SPEC_VTD_PAGE_SHIFT) ||
		    !find_page(reader, request, context, answer))
			walk_whole(reader, request, BY_TABLES, answer);
		return;
	}
	walk_whole(reader, request, BY_ITSELF, answer);
}

/* FRCD.FI of an interrupt is the index of its entry, where it has one. */
static uint64_t fault_index(const struct iommu_remapped *remapped)
{
	bool known = remapped->reason >= SPEC_VTD_IR_INDEX &&
		     remapped->reason <= SPEC_VTD_IR_PID_RESERVED &&
		     remapped->reason != SPEC_VTD_IR_COMPATIBILITY_BLOCKED;

	return known ? field_make(SPEC_VTD_FRCD_0_INDEX, remapped->index) : 0;
}

void vtd_interrupt(struct vtd_reader *reader, const struct iommu_message *message,
		   struct iommu_remapped *remapped)
{
	const struct vtd *vtd = reader->vtd;

	must(reader->base.stamp);
	if (reader_find_interrupt(&reader->base, message, remapped))
		return;
	vtd_remap(&reader->tables, message, NULL, remapped);
	if (remapped->outcome == IOMMU_OK && reader->tables.remapping &&
	    field_is_set(message->address, SPEC_VTD_MSI_ADDRESS_FORMAT))
		reader_keep_interrupt(
			&reader->base, message, remapped,
			&vtd->interrupt_marks[remapped->index % READER_INTERRUPT_MARKS]);
	if (remapped->outcome == IOMMU_FAULT)
		report(reader, &(struct iommu_fault){ .address = fault_index(remapped),
						      .pasid = IOMMU_NO_PASID,
						      .source = message->source,
						      .reason = remapped->reason,
						      .interrupt = true });
}
