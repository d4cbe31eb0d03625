/* iommu/builder_entry.h -- one entry of a page table in each format that the builder writes: what
 * it says, and how it is spelled.  VT-d specification, chapter 9; AMD IOMMU specification,
 * section 2.2.3.
 *
 * Threads: plain values.  Memory: none. */
#ifndef IOMMU_BUILDER_ENTRY_H
#define IOMMU_BUILDER_ENTRY_H

#include "iommu/builder.h"
#include "spec/page_tables.h"

#define ENTRY_AMD_RIGHTS  (SPEC_AMD_READ | SPEC_AMD_WRITE)
#define ENTRY_AMD_USED	  (SPEC_AMD_ACCESSED | SPEC_AMD_DIRTY)
#define ENTRY_FIRST_USED  (SPEC_FIRST_ACCESSED | SPEC_FIRST_DIRTY)
#define ENTRY_SECOND_USED (SPEC_SECOND_ACCESSED | SPEC_SECOND_DIRTY)

/* Address bits below what an entry of 'level' (1: 4 KiB pages) covers. */
static inline unsigned entry_shift(unsigned level)
{
	return SPEC_PAGE_SHIFT + SPEC_LEVEL_SHIFT * (level - 1);
}

static inline uint64_t entry_address(uint64_t entry)
{
	return entry & SPEC_ENTRY_ADDRESS;
}

static inline bool entry_is_present(enum iommu_format format, uint64_t entry)
{
	switch (format) {
	case IOMMU_VTD_SECOND_LEVEL:
		return entry & (SPEC_SECOND_READ | SPEC_SECOND_WRITE | SPEC_SECOND_EXECUTE);
	case IOMMU_VTD_FIRST_LEVEL:
		return entry & SPEC_FIRST_PRESENT;
	default:
		return entry & SPEC_AMD_PRESENT;
	}
}

/* Whether a present entry of 'level' points at a table. */
static inline bool entry_is_link(enum iommu_format format, unsigned level, uint64_t entry)
{
	if (level == 1)
		return false;
	switch (format) {
	case IOMMU_VTD_SECOND_LEVEL:
		return !(entry & SPEC_SECOND_PAGE);
	case IOMMU_VTD_FIRST_LEVEL:
		return !(entry & SPEC_FIRST_PAGE);
	default:
		return entry >> SPEC_AMD_NEXT_LEVEL_SHIFT & SPEC_AMD_NEXT_LEVEL;
	}
}

/* An entry of 'level' that points at a table one level below: it takes no right away, since those
 * of a walk are combined. */
static inline uint64_t entry_link(enum iommu_format format, unsigned level, uint64_t table)
{
	switch (format) {
	case IOMMU_VTD_SECOND_LEVEL:
		return table | SPEC_SECOND_READ | SPEC_SECOND_WRITE;
	case IOMMU_VTD_FIRST_LEVEL:
		return table | SPEC_FIRST_PRESENT | SPEC_FIRST_WRITE | SPEC_FIRST_USER |
		       SPEC_FIRST_ACCESSED;
	default:
		return table | SPEC_AMD_PRESENT | ENTRY_AMD_RIGHTS |
		       (uint64_t)(level - 1) << SPEC_AMD_NEXT_LEVEL_SHIFT;
	}
}

static inline uint64_t entry_page_second(unsigned level, uint64_t target, uint8_t rights)
{
	uint64_t entry = target | (level > 1 ? SPEC_SECOND_PAGE : 0);

	entry |= rights & IOMMU_READ ? SPEC_SECOND_READ : 0;
	entry |= rights & IOMMU_WRITE ? SPEC_SECOND_WRITE : 0;
	return entry;
}

/* Accessed and dirty are set from the start, so that no walk has to write them. */
static inline uint64_t entry_page_first(unsigned level, uint64_t target, uint8_t rights)
{
	uint64_t entry = target | SPEC_FIRST_PRESENT | SPEC_FIRST_USER | SPEC_FIRST_ACCESSED;

	entry |= level > 1 ? SPEC_FIRST_PAGE : 0;
	entry |= rights & IOMMU_WRITE ? SPEC_FIRST_WRITE | SPEC_FIRST_DIRTY : 0;
	entry |= rights & IOMMU_EXECUTE ? 0 : SPEC_FIRST_EXECUTE_DISABLE;
	return entry;
}

static inline uint64_t entry_page_amd(uint64_t target, uint8_t rights)
{
	uint64_t entry = target | SPEC_AMD_PRESENT;

	entry |= rights & IOMMU_READ ? SPEC_AMD_READ : 0;
	entry |= rights & IOMMU_WRITE ? SPEC_AMD_WRITE : 0;
	return entry;
}

/* An entry of 'level' that is a page. */
static inline uint64_t entry_page(enum iommu_format format, unsigned level, uint64_t target,
				  uint8_t rights)
{
	switch (format) {
	case IOMMU_VTD_SECOND_LEVEL:
		return entry_page_second(level, target, rights);
	case IOMMU_VTD_FIRST_LEVEL:
		return entry_page_first(level, target, rights);
	default:
		return entry_page_amd(target, rights);
	}
}

/* The rights of a present page. */
static inline uint8_t entry_rights(enum iommu_format format, uint64_t entry)
{
	switch (format) {
	case IOMMU_VTD_SECOND_LEVEL:
		return entry & (IOMMU_READ | IOMMU_WRITE);
	case IOMMU_VTD_FIRST_LEVEL:
		return (uint8_t)(IOMMU_READ | (entry & SPEC_FIRST_WRITE ? IOMMU_WRITE : 0) |
				 (entry & SPEC_FIRST_EXECUTE_DISABLE ? 0 : IOMMU_EXECUTE));
	default:
		return (uint8_t)((entry & SPEC_AMD_READ ? IOMMU_READ : 0) |
				 (entry & SPEC_AMD_WRITE ? IOMMU_WRITE : 0));
	}
}

/* The bits of a page entry that walks set. */
static inline uint64_t entry_used(enum iommu_format format)
{
	switch (format) {
	case IOMMU_VTD_SECOND_LEVEL:
		return ENTRY_SECOND_USED;
	case IOMMU_VTD_FIRST_LEVEL:
		return ENTRY_FIRST_USED;
	default:
		return ENTRY_AMD_USED;
	}
}

#endif
