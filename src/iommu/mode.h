/* iommu/mode.h -- registers that readers need, published as a whole.
 *
 * Version v is in slot v % 2, which is written again only after v + 1 has been published: a reader
 * that finds the version unchanged after its copy has a whole one.
 *
 * Threads: one writes, any number read, without locks.  Memory: a plain struct of the unit. */
#ifndef IOMMU_MODE_H
#define IOMMU_MODE_H

#include "base/base.h"

#include <stdatomic.h>
#include <string.h>

enum { IOMMU_MODE_WORDS = 16 };

struct iommu_mode {
	_Atomic uint64_t version;
	_Atomic uint64_t slots[2][IOMMU_MODE_WORDS];
};

/* Publishes 'size' bytes, a multiple of 8. */
static inline void iommu_mode_publish(struct iommu_mode *mode, const void *plain, size_t size)
{
	uint64_t version = atomic_load_explicit(&mode->version, memory_order_relaxed) + 1;
	uint64_t words[IOMMU_MODE_WORDS] = { 0 };

	must(size <= sizeof words && size % sizeof words[0] == 0);
	memcpy(words, plain, size);
	for (size_t i = 0; i < size / sizeof words[0]; i++)
		atomic_store_explicit(&mode->slots[version % 2][i], words[i], memory_order_release);
	/* seq_cst: pairs with iommu_mode_version() */
	atomic_store_explicit(&mode->version, version, memory_order_seq_cst);
}

static inline uint64_t iommu_mode_version(const struct iommu_mode *mode)
{
	return atomic_load_explicit((_Atomic uint64_t *)&mode->version, memory_order_seq_cst);
}

/* Copies what was published last; returns its version. */
static inline uint64_t iommu_mode_take(const struct iommu_mode *mode, void *plain, size_t size)
{
	uint64_t words[IOMMU_MODE_WORDS], version;

	must(size <= sizeof words && size % sizeof words[0] == 0);
	do {
		version = iommu_mode_version(mode);
		for (size_t i = 0; i < size / sizeof words[0]; i++)
			words[i] = atomic_load_explicit(
				(_Atomic uint64_t *)&mode->slots[version % 2][i],
				memory_order_acquire);
	} while (iommu_mode_version(mode) != version);
	memcpy(plain, words, size);
	return version;
}

#endif
