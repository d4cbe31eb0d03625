#include "iommu/amdvi_unit.h"

#include <string.h>

struct amdvi_reader {
	struct reader base; /* first: alignment */
	struct amdvi *unit;
	unsigned index;
	uint64_t mode_version;
	struct amdvi_mode mode;
	struct amdvi_tables tables;
};

struct amdvi_tables amdvi_tables_of(const struct amdvi_config *config,
				    const struct amdvi_mode *mode)
{
	struct amdvi_tables tables = { .features = config->features,
				       .control = mode->control,
				       .exclusion_base = mode->exclusion_base,
				       .exclusion_limit = mode->exclusion_limit,
				       .set_accessed = true,
				       .memory = &config->memory };

	memcpy(tables.device_tables, mode->device_tables, sizeof tables.device_tables);
	return tables;
}

size_t amdvi_reader_size(void)
{
	return sizeof(struct amdvi_reader);
}

struct amdvi_reader *amdvi_reader_init(void *memory, struct amdvi *amdvi, unsigned index)
{
	struct amdvi_reader *reader = memory;

	must(index < amdvi->config.readers);
	memset(reader, 0, sizeof *reader);
	reader_init(&reader->base, amdvi->tlb, index);
	reader->unit = amdvi;
	reader->index = index;
	reader->mode_version = UINT64_MAX;
	amdvi->readers[index] = reader;
	return reader;
}

void amdvi_reader_fini(struct amdvi_reader *reader)
{
	struct amdvi *amdvi = reader->unit;

	must(!reader->base.stamp);
	amdvi_collect(amdvi);
	tlb_reader(amdvi->tlb, reader->index, NULL);
	amdvi->readers[reader->index] = NULL;
}

void amdvi_reader_enter(struct amdvi_reader *reader)
{
	struct amdvi *amdvi = reader->unit;

	must(!reader->base.stamp);
	reader->base.stamp = tlb_enter(reader->base.tlb, &reader->base.seen);
	if (likely(iommu_mode_version(&amdvi->modes) == reader->mode_version))
		return;
	reader->mode_version = iommu_mode_take(&amdvi->modes, &reader->mode, sizeof reader->mode);
	reader->tables = amdvi_tables_of(&amdvi->config, &reader->mode);
}

void amdvi_reader_leave(struct amdvi_reader *reader)
{
	must(reader->base.stamp);
	reader->base.stamp = 0;
	tlb_leave(&reader->base.seen);
}

bool amdvi_reader_take_fault(struct amdvi *amdvi, unsigned index, struct iommu_fault *fault)
{
	return reader_take_fault(&amdvi->readers[index]->base, fault);
}

bool amdvi_reader_lost_faults(struct amdvi *amdvi, unsigned index)
{
	return reader_lost_faults(&amdvi->readers[index]->base);
}

static void report(struct amdvi_reader *reader, const struct iommu_fault *fault)
{
	const struct amdvi_config *config = &reader->unit->config;

	if (reader_put_fault(&reader->base, fault) && config->wake)
		config->wake(config->context);
}

static void report_request(struct amdvi_reader *reader, const struct iommu_request *request,
			   const struct iommu_answer *answer)
{
	_Atomic uint8_t *told = &reader->unit->told[request->source];

	/* SE: once until the device table entry is invalidated; relaxed, one more does no harm. */
	if (answer->report_once && atomic_exchange_explicit(told, 1, memory_order_relaxed))
		return;
	report(reader, &(struct iommu_fault){ .address = request->address,
					      .pasid = request->pasid,
					      .source = request->source,
					      .domain = answer->domain,
					      .reason = answer->reason,
					      .access = request->access,
					      .type = request->type });
}

/* Whether a hit may write without a walk that sets dirty bits (2.2.2, HAD). */
static bool has_dirty_bits(const struct amdvi_reader *reader)
{
	return field_is_set(reader->tables.features, SPEC_AMDVI_EFR_HD_SUP) ||
	       field_is_set(reader->tables.features, SPEC_AMDVI_EFR_HA_SUP);
}

/* Pre-translated requests of a function that has not dropped what it was told to. */
static void refuse_untrusted(struct amdvi_reader *reader, const struct iommu_request *request,
			     struct iommu_answer *answer)
{
	*answer = (struct iommu_answer){
		.outcome = IOMMU_FAULT,
		.reason = SPEC_AMDVI_INVALID_DEVICE_REQUEST << 12 |
			  SPEC_AMDVI_TYPE_PRETRANSLATED << SPEC_AMDVI_FLAG_TYPE_SHIFT,
		.completion = IOMMU_UNSUPPORTED_REQUEST,
		.page_shift = SPEC_AMDVI_PAGE_SHIFT,
	};
	report_request(reader, request, answer);
}

static void look_further(struct amdvi_reader *reader, const struct iommu_request *request,
			 struct iommu_answer *answer)
{
	uint64_t key = reader_key(request);
	uint8_t usable;

	must(reader->base.stamp);
	if (request->type > IOMMU_TRANSLATED) { /* reserved; PCI Express 5.0, 10.2.2 */
		*answer = (struct iommu_answer){ .outcome = IOMMU_SILENT,
						 .completion = IOMMU_UNSUPPORTED_REQUEST,
						 .page_shift = SPEC_AMDVI_PAGE_SHIFT };
		return;
	}
	if (request->type == IOMMU_TRANSLATED) {
		key |= READER_TRUSTED;
		if (reader->unit->config.trust == IOMMU_TRUST_WHEN_INVALIDATED &&
		    device_tlb_blocks(&reader->unit->device_tlb, request->source)) {
			refuse_untrusted(reader, request, answer);
			return;
		}
		if (reader_find(&reader->base, request, key, answer))
			return;
	}
	if (reader_has_others(&reader->base, request) &&
	    reader_find_other(&reader->base, request, key, answer))
		return;
	amdvi_walk(&reader->tables, request, NULL, answer);
	if (answer->outcome == IOMMU_FAULT)
		report_request(reader, request, answer);
	if (answer->outcome != IOMMU_OK || !answer->rights ||
	    request->type == IOMMU_TRANSLATION_REQUEST)
		return;
	usable = answer->rights;
	if (has_dirty_bits(reader) && !(request->access & IOMMU_WRITE))
		usable &= (uint8_t)~IOMMU_WRITE;
	/* Without tables a page has 2^64 bytes, which a reader keeps in parts. */
	reader_keep(&reader->base, request, key, answer, answer->page_shift, usable);
}

void amdvi_translate(struct amdvi_reader *reader, const struct iommu_request *request,
		     struct iommu_answer *answer)
{
	if (unlikely(!reader_find(&reader->base, request, reader_key(request), answer)))
		look_further(reader, request, answer);
}

void amdvi_interrupt(struct amdvi_reader *reader, const struct iommu_message *message,
		     struct iommu_remapped *remapped)
{
	struct amdvi *amdvi = reader->unit;

	must(reader->base.stamp);
	if (reader_find_interrupt(&reader->base, message, remapped))
		return;
	amdvi_remap(&reader->tables, message, NULL, remapped);
	if (remapped->outcome == IOMMU_OK)
		reader_keep_interrupt(
			&reader->base, message, remapped,
			&amdvi->interrupt_marks[message->source % READER_INTERRUPT_MARKS]);
	if (remapped->outcome == IOMMU_FAULT)
		report(reader, &(struct iommu_fault){ .address = message->address,
						      .pasid = IOMMU_NO_PASID,
						      .source = message->source,
						      .reason = remapped->reason,
						      .interrupt = true });
}
