/* The device table (section 2.2.2), and what all walks share. */
#include "iommu/amdvi_internal.h"

#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>

uint16_t amdvi_event(const struct amdvi_walk *walk, unsigned code, unsigned flags)
{
	return (uint16_t)(code << 12 | flags | walk->flags);
}

bool amdvi_read_entry(struct amdvi_walk *walk, uint32_t size)
{
	const struct iommu_memory *memory = walk->tables->memory;
	uint8_t bytes[64] = { 0 };

	walk->step.word_count = 0;
	if (!memory->read(memory->context, walk->step.address, bytes, size))
		return false;
	walk->step.word_count = (size + 7) / 8;
	for (unsigned i = 0; i < walk->step.word_count; i++)
		walk->step.words[i] = get_le64(bytes + 8 * i);
	return true;
}

void amdvi_tell(const struct amdvi_walk *walk, const char *format, ...)
{
	struct iommu_step told = walk->step;
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

uint16_t amdvi_refused(const struct amdvi_walk *walk, uint16_t reason)
{
	amdvi_tell(walk, "%s", amdvi_reason_text(reason));
	return reason;
}

/* Section 2.2.2.1: with segments, the upper bits of the device identifier select one of several
 * tables. */
uint16_t amdvi_device_entry(struct amdvi_walk *walk)
{
	const struct amdvi_tables *tables = walk->tables;
	unsigned bits = (unsigned)field_get(tables->control, SPEC_AMDVI_CONTROL_DEV_TBL_SEG_EN);
	unsigned segment, index;
	uint64_t table, size;

	bits = bits > 3 ? 3 : bits;
	segment = (unsigned)walk->source >> (16 - bits);
	index = walk->source & ((1u << (16 - bits)) - 1);
	table = tables->device_tables[segment];
	size = (field_get(table, SPEC_AMDVI_DEVICE_TABLE_SIZE) + 1) * 4096;
	walk->step = (struct iommu_step){
		.table = "device table entry",
		.index = index,
		.address = (table & field_mask(SPEC_AMDVI_DEVICE_TABLE_BASE)) +
			   index * (uint64_t)SPEC_AMDVI_DTE_SIZE,
	};
	if ((index + UINT64_C(1)) * SPEC_AMDVI_DTE_SIZE > size)
		return amdvi_refused(walk, amdvi_event(walk, SPEC_AMDVI_IO_PAGE_FAULT, 0));
	if (!amdvi_read_entry(walk, SPEC_AMDVI_DTE_SIZE))
		return amdvi_refused(walk, amdvi_event(walk, SPEC_AMDVI_DEV_TAB_HARDWARE_ERROR,
						       SPEC_AMDVI_TYPE_MASTER_ABORT
							       << SPEC_AMDVI_FLAG_TYPE_SHIFT));
	for (unsigned i = 0; i < AMDVI_DTE_WORDS; i++)
		walk->dte[i] = walk->step.words[i];
	return 0;
}

/* Fields that are reserved in a unit without the feature. */
static uint64_t unless(const struct amdvi_tables *tables, int feature, uint64_t fields)
{
	return field_is_set(tables->features, feature) ? 0 : fields;
}

static bool entry_is_reserved(const struct amdvi_walk *walk)
{
	const struct amdvi_tables *tables = walk->tables;
	uint64_t low =
		field_mask(SPEC_AMDVI_DTE_0_RESERVED) | field_mask(SPEC_AMDVI_DTE_0_RESERVED_HIGH);
	uint64_t high = field_mask(SPEC_AMDVI_DTE_1_RESERVED);

	low |= unless(tables, SPEC_AMDVI_EFR_GT_SUP,
		      field_mask(SPEC_AMDVI_DTE_0_GV) | field_mask(SPEC_AMDVI_DTE_0_GLX) |
			      field_mask(SPEC_AMDVI_DTE_0_GCR3_14_12));
	high |= unless(tables, SPEC_AMDVI_EFR_GT_SUP,
		       field_mask(SPEC_AMDVI_DTE_1_GCR3_30_15) |
			       field_mask(SPEC_AMDVI_DTE_1_GCR3_51_31));
	low |= unless(tables, SPEC_AMDVI_EFR_PPR_SUP, field_mask(SPEC_AMDVI_DTE_0_PPR));
	low |= unless(tables, SPEC_AMDVI_EFR_EPH_SUP, field_mask(SPEC_AMDVI_DTE_0_GPRP));
	low |= unless(tables, SPEC_AMDVI_EFR_GIO_SUP, field_mask(SPEC_AMDVI_DTE_0_GIOV));
	return (walk->dte[0] & low) || (walk->dte[1] & high);
}

unsigned amdvi_levels(const struct amdvi_walk *walk)
{
	return (unsigned)field_get(walk->dte[0], SPEC_AMDVI_DTE_0_MODE);
}

/* HATS: how many levels the unit walks. */
static unsigned levels_max(const struct amdvi_tables *tables)
{
	return 4 + (unsigned)min_u64(field_get(tables->features, SPEC_AMDVI_EFR_HATS), 2);
}

uint16_t amdvi_check_entry(const struct amdvi_walk *walk)
{
	if (entry_is_reserved(walk))
		return amdvi_event(walk, SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY, SPEC_AMDVI_FLAG_RZ);
	if (field_is_set(walk->dte[0], SPEC_AMDVI_DTE_0_TV) &&
	    amdvi_levels(walk) > levels_max(walk->tables))
		return amdvi_event(walk, SPEC_AMDVI_ILLEGAL_DEV_TABLE_ENTRY, 0);
	return 0;
}
