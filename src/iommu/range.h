/* iommu/range.h -- pages and ranges of addresses.
 *
 * Threads: plain values.  Memory: none. */
#ifndef IOMMU_RANGE_H
#define IOMMU_RANGE_H

#include "base/base.h"

/* Writes to these addresses are interrupts (FEExxxxxh), on every x86 machine. */
#define IOMMU_INTERRUPT_FIRST UINT64_C(0xfee00000)
#define IOMMU_INTERRUPT_LAST  UINT64_C(0xfeefffff)

static inline bool iommu_is_interrupt(uint64_t address)
{
	return address >= IOMMU_INTERRUPT_FIRST && address <= IOMMU_INTERRUPT_LAST;
}

/* Whether the page of 2^shift bytes around address has a byte in first..last. */
static inline bool iommu_page_touches(uint64_t address, unsigned shift, uint64_t first,
				      uint64_t last)
{
	uint64_t offset = shift < 64 ? (UINT64_C(1) << shift) - 1 : UINT64_MAX;

	return (address & ~offset) <= last && (address | offset) >= first;
}

#endif
