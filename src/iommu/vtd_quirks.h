/* iommu/vtd_quirks.h -- each departure from the specification that the walks know, by name.  The
 * walks follow the specification; where a quirk is on they ask for it by name, and nowhere else do
 * they differ.
 *
 * Threads: plain values.  Memory: none. */
#ifndef IOMMU_VTD_QUIRKS_H
#define IOMMU_VTD_QUIRKS_H

#include "iommu/vtd_walk.h"

enum vtd_quirk {
	/* modes and roots */
	VTD_QUIRK_TTM_ONE_BIT = 1 << 0,
	VTD_QUIRK_LEGACY_REASONS = 1 << 1,
	VTD_QUIRK_ROOT_HALVES = 1 << 2,
	/* context and PASID entries */
	VTD_QUIRK_POINTER_ALWAYS_CHECKED = 1 << 3,
	VTD_QUIRK_RESERVED_ALWAYS_TOLD = 1 << 4,
	VTD_QUIRK_CONTEXT_BITS_IGNORED = 1 << 5,
	VTD_QUIRK_RID_PASID_ALWAYS = 1 << 6,
	VTD_QUIRK_ONE_PASID_REASON = 1 << 7,
	VTD_QUIRK_PASID_SECOND_ONLY = 1 << 8,
	/* page tables and results */
	VTD_QUIRK_RIGHTS_FIRST = 1 << 9,
	VTD_QUIRK_SNOOP_IGNORED = 1 << 10,
	VTD_QUIRK_ONES_UNREADABLE = 1 << 11,
	VTD_QUIRK_INTERRUPT_PAGE = 1 << 12,
	VTD_QUIRK_PASS_THROUGH_UNCHECKED = 1 << 13,
	/* interrupts */
	VTD_QUIRK_IR_COMPATIBILITY = 1 << 14,
	VTD_QUIRK_IR_INDEX_WRAPS = 1 << 15,
	VTD_QUIRK_IR_RESERVED_FIRST = 1 << 16,
	VTD_QUIRK_IR_DATA_LATE = 1 << 17,
	VTD_QUIRK_IR_BUS_REVERSED = 1 << 18,
	VTD_QUIRK_IR_NEVER_POSTED = 1 << 19,
	VTD_QUIRK_IR_EIME_ALWAYS = 1 << 20,
	VTD_QUIRK_IR_LOW_BITS = 1 << 21,
};

/* The quirks of an implementation, ored. */
uint32_t vtd_quirks_of(enum vtd_quirks implementation);

/* The rows of the table: name and one sentence of quirk 'n' in order of their bits.  False: no
 * more. */
struct vtd_quirk_row {
	enum vtd_quirk quirk;
	const char *name;
	const char *sentence;
};
bool vtd_quirks_row(unsigned n, struct vtd_quirk_row *row);

#endif
