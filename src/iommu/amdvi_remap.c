/* Interrupt remapping (section 2.2.5). */
#include "iommu/amdvi_internal.h"

#include "iommu/range.h"
#include "spec/vtd.h"

struct remap {
	struct amdvi_walk base;
	const struct iommu_message *message;
	struct iommu_remapped *remapped;
};

static uint16_t page_fault(const struct remap *remap, unsigned flags)
{
	return amdvi_event(&remap->base, SPEC_AMDVI_IO_PAGE_FAULT, flags);
}

static bool has(const struct remap *remap, int control)
{
	return field_is_set(remap->base.tables->control, control);
}

/* GAEn: entries of 128 bits; XTEn: with x2APIC destinations. */
static bool is_wide(const struct remap *remap)
{
	return has(remap, SPEC_AMDVI_CONTROL_GA_EN);
}

static bool is_extended(const struct remap *remap)
{
	return is_wide(remap) && has(remap, SPEC_AMDVI_CONTROL_XT_EN);
}

static void pass(const struct remap *remap)
{
	remap->remapped->address = remap->message->address;
	remap->remapped->data = remap->message->data;
	remap->remapped->vector = (uint8_t)remap->message->data;
}

static bool entry_is_reserved(const struct amdvi_walk *walk)
{
	uint64_t low =
		field_mask(SPEC_AMDVI_DTE_2_RESERVED) | field_mask(SPEC_AMDVI_DTE_2_RESERVED_HIGH);

	return (walk->dte[2] & low) || field_is_set(walk->dte[3], SPEC_AMDVI_DTE_3_RESERVED);
}

static uint64_t interrupt_table(const struct amdvi_walk *walk)
{
	return walk->dte[2] & field_mask(SPEC_AMDVI_DTE_2_INT_TABLE) & ~UINT64_C(0x7f);
}

static uint16_t fetch(struct remap *remap)
{
	struct amdvi_walk *walk = &remap->base;
	uint32_t size = is_wide(remap) ? SPEC_AMDVI_GAIRTE_SIZE : SPEC_AMDVI_IRTE_SIZE;
	uint64_t table = interrupt_table(walk);
	unsigned length = (unsigned)field_get(walk->dte[2], SPEC_AMDVI_DTE_2_INT_TAB_LEN);
	uint32_t index = remap->remapped->index;

	walk->step = (struct iommu_step){ .table = "interrupt remapping entry",
					  .index = index,
					  .address = table + index * (uint64_t)size };
	if (length > SPEC_AMDVI_INT_TAB_LEN_MAX)
		return amdvi_event(walk, SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY, 0);
	if (index >> length)
		return page_fault(remap, 0);
	if (!amdvi_read_entry(walk, size))
		return amdvi_event(walk, SPEC_AMDVI_PAGE_TAB_HARDWARE_ERROR,
				   SPEC_AMDVI_TYPE_MASTER_ABORT << SPEC_AMDVI_FLAG_TYPE_SHIFT);
	return 0;
}

/* What is reserved in an entry of each kind: 32 bits, 128 bits, 128 bits in guest mode. */
static bool irte_is_reserved(const struct remap *remap)
{
	const uint64_t *words = remap->base.step.words;
	bool guest = field_is_set(words[0], SPEC_AMDVI_IRTE_GUEST_MODE);

	if (!is_wide(remap))
		return guest || field_is_set(words[0], SPEC_AMDVI_IRTE_RESERVED);
	if (guest)
		return !has(remap, SPEC_AMDVI_CONTROL_GAM_EN) ||
		       field_is_set(words[0], SPEC_AMDVI_GAIRTE_0_RESERVED_GUEST) ||
		       field_is_set(words[1], SPEC_AMDVI_GAIRTE_1_RESERVED_GUEST) ||
		       field_is_set(words[1], SPEC_AMDVI_GAIRTE_1_RESERVED_GUEST_HIGH);
	return field_is_set(words[0], SPEC_AMDVI_GAIRTE_0_RESERVED) ||
	       field_is_set(words[1], SPEC_AMDVI_GAIRTE_1_RESERVED);
}

static uint64_t destination_of(const struct remap *remap)
{
	const uint64_t *words = remap->base.step.words;

	if (!is_extended(remap))
		return field_get(words[0], SPEC_AMDVI_IRTE_DESTINATION);
	return field_get(words[0], SPEC_AMDVI_GAIRTE_0_DESTINATION) |
	       field_get(words[1], SPEC_AMDVI_GAIRTE_1_DESTINATION_HIGH) << 24;
}

static void deliver(const struct remap *remap)
{
	const uint64_t *words = remap->base.step.words;
	struct iommu_remapped *remapped = remap->remapped;
	uint64_t destination = destination_of(remap);
	uint64_t kept = remap->message->address & field_mask(SPEC_MSI_ADDRESS_RH);

	remapped->vector =
		(uint8_t)(is_wide(remap) ? field_get(words[1], SPEC_AMDVI_GAIRTE_1_VECTOR)
					 : field_get(words[0], SPEC_AMDVI_IRTE_VECTOR));
	remapped->address =
		IOMMU_INTERRUPT_FIRST | kept | field_make(SPEC_MSI_ADDRESS_DEST, destination) |
		field_make(SPEC_MSI_ADDRESS_DEST_HIGH, destination >> 8) |
		field_make(SPEC_MSI_ADDRESS_DM, field_get(words[0], SPEC_AMDVI_IRTE_DM));
	remapped->data = (uint32_t)(field_make(SPEC_MSI_DATA_VECTOR, remapped->vector) |
				    field_make(SPEC_MSI_DATA_DLM,
					       field_get(words[0], SPEC_AMDVI_IRTE_INT_TYPE)) |
				    field_mask(SPEC_MSI_DATA_LEVEL) |
				    (remap->message->data & field_mask(SPEC_MSI_DATA_TM)));
	amdvi_tell(&remap->base, "vector %02xh to APIC %llu", remapped->vector,
		   (unsigned long long)destination);
}

/* Guest mode: the interrupt goes to a guest's APIC backing page. */
static void post(const struct remap *remap)
{
	const uint64_t *words = remap->base.step.words;
	struct iommu_remapped *remapped = remap->remapped;

	remapped->posted = true;
	remapped->vector = (uint8_t)field_get(words[1], SPEC_AMDVI_GAIRTE_1_VECTOR);
	remapped->descriptor = words[1] & field_mask(SPEC_AMDVI_GAIRTE_1_APIC_PAGE);
	amdvi_tell(&remap->base, "vector %02xh for the guest APIC at 0x%llx", remapped->vector,
		   (unsigned long long)remapped->descriptor);
}

static uint16_t remap_by_table(struct remap *remap)
{
	uint16_t reason;
	uint64_t word;

	amdvi_tell(&remap->base, "interrupt table of %u entries at 0x%llx",
		   1u << field_get(remap->base.dte[2], SPEC_AMDVI_DTE_2_INT_TAB_LEN),
		   (unsigned long long)interrupt_table(&remap->base));
	remap->remapped->index =
		(uint32_t)field_get(remap->message->data, SPEC_AMDVI_MSI_DATA_INDEX);
	reason = fetch(remap);
	if (reason)
		return amdvi_refused(&remap->base, reason);
	word = remap->base.step.words[0];
	if (!field_is_set(word, SPEC_AMDVI_IRTE_REMAP_EN))
		return amdvi_refused(&remap->base, page_fault(remap, 0));
	if (irte_is_reserved(remap))
		return amdvi_refused(&remap->base,
				     page_fault(remap, SPEC_AMDVI_FLAG_PR | SPEC_AMDVI_FLAG_RZ));
	if (field_is_set(word, SPEC_AMDVI_IRTE_GUEST_MODE)) {
		post(remap);
		return 0;
	}
	if (field_get(word, SPEC_AMDVI_IRTE_INT_TYPE) > SPEC_MSI_DLM_LOWEST_PRIORITY)
		return amdvi_refused(&remap->base,
				     page_fault(remap, SPEC_AMDVI_FLAG_PR | SPEC_AMDVI_FLAG_RZ));
	deliver(remap);
	return 0;
}

/* Fixed and arbitrated interrupts: IntCtl. */
static uint16_t by_control(struct remap *remap)
{
	switch (field_get(remap->base.dte[2], SPEC_AMDVI_DTE_2_INT_CTL)) {
	case SPEC_AMDVI_INT_CTL_REMAP:
		return remap_by_table(remap);
	case SPEC_AMDVI_INT_CTL_FORWARD:
		pass(remap);
		amdvi_tell(&remap->base, "interrupts pass unmapped");
		return 0;
	case SPEC_AMDVI_INT_CTL_ABORT:
		return amdvi_refused(&remap->base, page_fault(remap, 0));
	default:
		return amdvi_refused(
			&remap->base,
			amdvi_event(&remap->base, SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY, 0));
	}
}

/* Others pass where the device table entry says so, and if their destination is physical. */
static uint16_t by_pass_bit(struct remap *remap, bool may)
{
	if (!may || field_is_set(remap->message->address, SPEC_MSI_ADDRESS_DM))
		return amdvi_refused(&remap->base, page_fault(remap, 0));
	pass(remap);
	amdvi_tell(&remap->base, "this delivery mode passes");
	return 0;
}

static uint16_t by_delivery_mode(struct remap *remap)
{
	uint64_t word = remap->base.dte[2];

	switch (field_get(remap->message->data, SPEC_MSI_DATA_DLM)) {
	case SPEC_MSI_DLM_FIXED:
	case SPEC_MSI_DLM_LOWEST_PRIORITY:
		return by_control(remap);
	case SPEC_MSI_DLM_SMI:
		return by_pass_bit(remap, true);
	case SPEC_MSI_DLM_NMI:
		return by_pass_bit(remap, field_is_set(word, SPEC_AMDVI_DTE_2_NMI_PASS));
	case SPEC_MSI_DLM_INIT:
		return by_pass_bit(remap, field_is_set(word, SPEC_AMDVI_DTE_2_INIT_PASS));
	case SPEC_MSI_DLM_EXT_INT:
		return by_pass_bit(remap, field_is_set(word, SPEC_AMDVI_DTE_2_EINT_PASS));
	default:
		return by_pass_bit(remap, false);
	}
}

static uint16_t decide(struct remap *remap)
{
	struct amdvi_walk *walk = &remap->base;
	uint16_t reason = amdvi_device_entry(walk);

	if (reason)
		return reason;
	if (!field_is_set(walk->dte[2], SPEC_AMDVI_DTE_2_IV)) {
		pass(remap);
		amdvi_tell(walk, "no interrupt table: interrupts pass");
		return 0;
	}
	if (entry_is_reserved(walk))
		return amdvi_refused(
			&remap->base,
			amdvi_event(walk, SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY, SPEC_AMDVI_FLAG_RZ));
	return by_delivery_mode(remap);
}

/* Page fault events of interrupts: IG of the device table entry, SupIOPF of the interrupt's. */
static bool is_suppressed(const struct remap *remap, uint16_t reason)
{
	const struct amdvi_walk *walk = &remap->base;
	bool has_entry = walk->step.table && walk->step.word_count &&
			 walk->step.word_count < AMDVI_DTE_WORDS;

	return reason >> 12 == SPEC_AMDVI_IO_PAGE_FAULT &&
	       field_is_set(walk->dte[2], SPEC_AMDVI_DTE_2_IV) &&
	       (field_is_set(walk->dte[2], SPEC_AMDVI_DTE_2_IG) ||
		(has_entry && field_is_set(walk->step.words[0], SPEC_AMDVI_IRTE_SUP_IOPF)));
}

void amdvi_remap(const struct amdvi_tables *tables, const struct iommu_message *message,
		 const struct iommu_trace *trace, struct iommu_remapped *remapped)
{
	struct remap remap = {
		.base = { .tables = tables,
			  .trace = trace,
			  .source = message->source,
			  .flags = SPEC_AMDVI_FLAG_I },
		.message = message,
		.remapped = remapped,
	};

	*remapped = (struct iommu_remapped){ .outcome = IOMMU_OK };
	if (!field_is_set(tables->control, SPEC_AMDVI_CONTROL_IOMMU_EN)) {
		pass(&remap);
		return;
	}
	remapped->reason = decide(&remap);
	if (remapped->reason)
		remapped->outcome =
			is_suppressed(&remap, remapped->reason) ? IOMMU_SILENT : IOMMU_FAULT;
}
