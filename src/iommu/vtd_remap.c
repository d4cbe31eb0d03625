/* Interrupt remapping (sections 5.1, 5.2.1, 9.9, 9.10). */
#include "iommu/vtd_internal.h"

#include "iommu/range.h"

struct remap {
	struct vtd_walk walk; /* for its helpers; there is no DMA request */
	const struct iommu_message *message;
	struct iommu_remapped *remapped;
	struct iommu_step step; /* the entry */
};

static enum spec_vtd_reason refused(const struct remap *remap, enum spec_vtd_reason reason)
{
	vtd_tell(&remap->walk, &remap->step, "%s", vtd_reason_text(reason));
	return reason;
}

static bool has_quirk(const struct remap *remap, enum vtd_quirk quirk)
{
	return remap->walk.quirks & quirk;
}

/* x2APIC mode; the register's bit does not exist in a unit without ECAP.EIM. */
static bool is_extended(const struct remap *remap)
{
	const struct vtd_tables *tables = remap->walk.tables;

	return field_is_set(tables->irta, SPEC_VTD_IRTA_EIME) &&
	       (field_is_set(tables->ecap, SPEC_VTD_ECAP_EIM) ||
		has_quirk(remap, VTD_QUIRK_IR_EIME_ALWAYS));
}

static bool is_remappable(const struct iommu_message *message)
{
	return field_is_set(message->address, SPEC_VTD_MSI_ADDRESS_FORMAT);
}

static bool has_subhandle(const struct iommu_message *message)
{
	return field_is_set(message->address, SPEC_VTD_MSI_ADDRESS_SHV);
}

/* Section 5.1.3 */
static uint32_t index_of(const struct remap *remap)
{
	const struct iommu_message *message = remap->message;
	uint32_t index = (uint32_t)field_get(message->address, SPEC_VTD_MSI_ADDRESS_HANDLE) |
			 (uint32_t)field_get(message->address, SPEC_VTD_MSI_ADDRESS_HANDLE_HIGH)
				 << 15;

	if (has_subhandle(message))
		index += (uint32_t)field_get(message->data, SPEC_VTD_MSI_DATA_SUBHANDLE);
	return has_quirk(remap, VTD_QUIRK_IR_INDEX_WRAPS) ? index & 0xffff : index;
}

static bool is_data_reserved(const struct iommu_message *message)
{
	return has_subhandle(message) && field_is_set(message->data, SPEC_VTD_MSI_DATA_RESERVED);
}

/* Interrupt messages have FEEh in bits 31:20 and nothing above. */
static bool is_address_reserved(const struct iommu_message *message)
{
	return !iommu_is_interrupt(message->address);
}

static enum spec_vtd_reason fetch(struct remap *remap)
{
	const struct vtd_tables *tables = remap->walk.tables;
	uint64_t table = tables->irta & field_mask(SPEC_VTD_IRTA_IRTA);
	uint32_t index = remap->remapped->index;

	remap->step = (struct iommu_step){ .table = "interrupt remapping entry", .index = index };
	if (index >= UINT32_C(2) << field_get(tables->irta, SPEC_VTD_IRTA_S))
		return SPEC_VTD_IR_INDEX;
	if (has_quirk(remap, VTD_QUIRK_IR_INDEX_WRAPS))
		table &= ~vtd_beyond_host(&remap->walk);
	remap->step.address = table + index * (uint64_t)SPEC_VTD_IRTE_SIZE;
	if (remap->step.address & vtd_beyond_host(&remap->walk))
		return SPEC_VTD_IR_INDEX;
	if (!vtd_read_words(&remap->walk, remap->step.address, 2, remap->step.words))
		return SPEC_VTD_IR_ACCESS;
	remap->step.word_count = 2;
	remap->walk.silent = field_is_set(remap->step.words[0], SPEC_VTD_IRTE_0_FPD);
	return field_is_set(remap->step.words[0], SPEC_VTD_IRTE_0_P) ? SPEC_VTD_NO_FAULT
								     : SPEC_VTD_IR_NOT_PRESENT;
}

/* Section 9.9, SVT and SQ. */
static bool source_is_allowed(const struct remap *remap)
{
	static const uint16_t masks[] = { 0xffff, 0xfffb, 0xfff9, 0xfff8 };
	uint64_t word = remap->step.words[1];
	uint16_t sid = (uint16_t)field_get(word, SPEC_VTD_IRTE_1_SID);
	uint16_t source = remap->message->source;
	uint8_t first = (uint8_t)(sid >> 8), last = (uint8_t)sid, bus = (uint8_t)(source >> 8);

	switch (field_get(word, SPEC_VTD_IRTE_1_SVT)) {
	case SPEC_VTD_SVT_NONE:
		return true;
	case SPEC_VTD_SVT_SID:
		return !((sid ^ source) & masks[field_get(word, SPEC_VTD_IRTE_1_SQ)]);
	case SPEC_VTD_SVT_BUS:
		if (has_quirk(remap, VTD_QUIRK_IR_BUS_REVERSED))
			return last <= bus && bus <= first;
		return first <= bus && bus <= last;
	default: /* a verification that is not defined cannot succeed */
		return false;
	}
}

/* Whether the entry is in posted format (IM). */
static bool is_posted(const struct remap *remap)
{
	return field_is_set(remap->step.words[0], SPEC_VTD_IRTE_0_IM) &&
	       !has_quirk(remap, VTD_QUIRK_IR_NEVER_POSTED);
}

static uint64_t descriptor_of(const struct remap *remap)
{
	const uint64_t *words = remap->step.words;

	return field_get(words[1], SPEC_VTD_IRTE_POSTED_1_PDAH) << 32 |
	       field_get(words[0], SPEC_VTD_IRTE_POSTED_0_PDAL) << 6;
}

static bool posted_is_reserved(const struct remap *remap)
{
	const uint64_t *words = remap->step.words;
	uint64_t low = field_mask(SPEC_VTD_IRTE_POSTED_0_RESERVED) |
		       field_mask(SPEC_VTD_IRTE_POSTED_0_RESERVED_MIDDLE) |
		       field_mask(SPEC_VTD_IRTE_POSTED_0_RESERVED_HIGH);

	return !field_is_set(remap->walk.tables->cap, SPEC_VTD_CAP_PI) || (words[0] & low) ||
	       field_is_set(words[1], SPEC_VTD_IRTE_POSTED_1_RESERVED) ||
	       (descriptor_of(remap) & vtd_beyond_host(&remap->walk));
}

static bool remapped_is_reserved(const struct remap *remap)
{
	const uint64_t *words = remap->step.words;
	uint64_t low =
		field_mask(SPEC_VTD_IRTE_0_RESERVED) | field_mask(SPEC_VTD_IRTE_0_RESERVED_HIGH);

	if (!is_extended(remap) && !has_quirk(remap, VTD_QUIRK_IR_RESERVED_FIRST))
		low |= field_mask(SPEC_VTD_IRTE_0_RESERVED_XAPIC_LOW) |
		       field_mask(SPEC_VTD_IRTE_0_RESERVED_XAPIC_HIGH);
	return (words[0] & low) || field_is_set(words[1], SPEC_VTD_IRTE_1_RESERVED);
}

static bool entry_is_reserved(const struct remap *remap)
{
	return is_posted(remap) ? posted_is_reserved(remap) : remapped_is_reserved(remap);
}

/* Section 5.1.4: the source is verified before the entry is interpreted. */
static enum spec_vtd_reason check_entry(const struct remap *remap)
{
	if (has_quirk(remap, VTD_QUIRK_IR_RESERVED_FIRST) && entry_is_reserved(remap))
		return SPEC_VTD_IR_RESERVED;
	if (!source_is_allowed(remap))
		return SPEC_VTD_IR_SOURCE;
	return entry_is_reserved(remap) ? SPEC_VTD_IR_RESERVED : SPEC_VTD_NO_FAULT;
}

/* The message that processors take (section 5.1.2.1; with the upper address bits of figure 5-6). */
static void deliver(struct remap *remap)
{
	uint64_t word = remap->step.words[0], address = IOMMU_INTERRUPT_FIRST;
	struct iommu_remapped *remapped = remap->remapped;
	uint64_t destination = field_get(word, is_extended(remap) ? SPEC_VTD_IRTE_0_DST
								  : SPEC_VTD_IRTE_0_DST_XAPIC);

	address |= field_make(SPEC_MSI_ADDRESS_DEST, destination);
	address |= field_make(SPEC_MSI_ADDRESS_DEST_HIGH, destination >> 8);
	address |= field_make(SPEC_MSI_ADDRESS_RH, field_get(word, SPEC_VTD_IRTE_0_RH));
	address |= field_make(SPEC_MSI_ADDRESS_DM, field_get(word, SPEC_VTD_IRTE_0_DM));
	if (has_quirk(remap, VTD_QUIRK_IR_LOW_BITS))
		address |= remap->message->address & 3;
	remapped->address = address;
	remapped->vector = (uint8_t)field_get(word, SPEC_VTD_IRTE_0_V);
	remapped->data =
		(uint32_t)(field_make(SPEC_MSI_DATA_VECTOR, remapped->vector) |
			   field_make(SPEC_MSI_DATA_DLM, field_get(word, SPEC_VTD_IRTE_0_DLM)) |
			   field_mask(SPEC_MSI_DATA_LEVEL) |
			   field_make(SPEC_MSI_DATA_TM, field_get(word, SPEC_VTD_IRTE_0_TM)));
	vtd_tell(&remap->walk, &remap->step, "vector %02xh to APIC %llu", remapped->vector,
		 (unsigned long long)destination);
}

static void post(struct remap *remap)
{
	uint64_t word = remap->step.words[0];
	struct iommu_remapped *remapped = remap->remapped;

	remapped->posted = true;
	remapped->descriptor = descriptor_of(remap);
	remapped->vector = (uint8_t)field_get(word, SPEC_VTD_IRTE_0_V);
	remapped->urgent = field_is_set(word, SPEC_VTD_IRTE_POSTED_0_URG);
	vtd_tell(&remap->walk, &remap->step, "vector %02xh%s posted in the descriptor at 0x%llx",
		 remapped->vector, remapped->urgent ? ", urgent," : "",
		 (unsigned long long)remapped->descriptor);
}

static enum spec_vtd_reason remap_by_table(struct remap *remap)
{
	bool late = has_quirk(remap, VTD_QUIRK_IR_DATA_LATE);
	enum spec_vtd_reason reason;

	remap->remapped->index = index_of(remap);
	if (!late && is_data_reserved(remap->message))
		return SPEC_VTD_IR_REQUEST_RESERVED;
	reason = fetch(remap);
	if (!reason)
		reason = check_entry(remap);
	if (!reason && late && is_data_reserved(remap->message))
		reason = SPEC_VTD_IR_REQUEST_RESERVED;
	if (reason)
		return refused(remap, reason);
	if (is_posted(remap))
		post(remap);
	else
		deliver(remap);
	return SPEC_VTD_NO_FAULT;
}

static void pass(struct remap *remap)
{
	remap->remapped->address = remap->message->address;
	remap->remapped->data = remap->message->data;
	remap->remapped->vector = (uint8_t)remap->message->data;
}

/* Section 5.1.4 */
static enum spec_vtd_reason decide(struct remap *remap)
{
	const struct vtd_tables *tables = remap->walk.tables;
	bool required = field_is_set(tables->ecap, SPEC_VTD_ECAP_EIMER);

	if (!tables->remapping && field_is_set(tables->ecap, SPEC_VTD_ECAP_IRREQ))
		return SPEC_VTD_IR_REQUIRED;
	if (!tables->remapping) {
		pass(remap);
		return SPEC_VTD_NO_FAULT;
	}
	if (required && !is_extended(remap))
		return SPEC_VTD_IR_EIME_REQUIRED;
	if (is_address_reserved(remap->message))
		return SPEC_VTD_IR_REQUEST_RESERVED;
	if (is_remappable(remap->message))
		return remap_by_table(remap);
	if ((is_extended(remap) || !tables->compatibility) &&
	    !has_quirk(remap, VTD_QUIRK_IR_COMPATIBILITY))
		return SPEC_VTD_IR_COMPATIBILITY_BLOCKED;
	pass(remap);
	return SPEC_VTD_NO_FAULT;
}

void vtd_remap(const struct vtd_tables *tables, const struct iommu_message *message,
	       const struct iommu_trace *trace, struct iommu_remapped *remapped)
{
	static const struct iommu_request none = { .pasid = IOMMU_NO_PASID };
	struct remap remap = { .message = message, .remapped = remapped };
	enum spec_vtd_reason reason;

	vtd_walk_init(&remap.walk, tables, &none, trace);
	*remapped = (struct iommu_remapped){ .outcome = IOMMU_OK };
	reason = decide(&remap);
	if (!reason)
		return;
	remapped->reason = (uint16_t)reason;
	remapped->outcome = remap.walk.silent && vtd_reason_is_qualified(&remap.walk, reason)
				    ? IOMMU_SILENT
				    : IOMMU_FAULT;
}

bool vtd_ioapic_message(uint16_t source, uint64_t rte, struct iommu_message *message)
{
	uint64_t address = IOMMU_INTERRUPT_FIRST;

	/* The APIC copies bits 63:48 to address bits 19:4, and sends them undecoded: that is how a
	 * remappable entry's index, format and (as delivery mode bit 0 and destination mode) SHV
	 * and index[15] arrive. */
	address |= rte >> 48 << 4;
	address |= field_make(SPEC_MSI_ADDRESS_RH, field_get(rte, SPEC_IOAPIC_RTE_DLM));
	address |= field_make(SPEC_MSI_ADDRESS_DM, field_get(rte, SPEC_IOAPIC_RTE_DM));
	message->source = source;
	message->address = address;
	message->data =
		(uint32_t)(field_make(SPEC_MSI_DATA_VECTOR, rte) |
			   field_make(SPEC_MSI_DATA_DLM, field_get(rte, SPEC_IOAPIC_RTE_DLM)) |
			   field_make(SPEC_MSI_DATA_TM, field_get(rte, SPEC_IOAPIC_RTE_TM)) |
			   field_mask(SPEC_MSI_DATA_LEVEL));
	return !field_is_set(rte, SPEC_IOAPIC_RTE_MASK);
}
