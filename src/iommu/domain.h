/* iommu/domain.h -- what one function may reach: the interface between a front, which asks for bytes behind
 * an address, the attachment, which grants and takes back, and who keeps the grants.  In the daemon that
 * is a remapping unit (iommu/guard.h).
 *
 * Threads: translate(), blocked() and interrupt() by whoever has the front's hold; the rest on the control
 * thread, flush() with the hold.  Memory: the implementer's. */
#ifndef IOMMU_DOMAIN_H
#define IOMMU_DOMAIN_H

#include "iommu/builder.h"

struct dma;
struct iommu_domain;

/* A piece of a function's addresses that lies in one piece here too. */
struct dma_range {
	uint64_t first; /* address as the function says it */
	uint64_t size;  /* bytes; 0: nothing */
	uint8_t *host;
	uint8_t access; /* enum iommu_access, ored: what is allowed */
};

struct iommu_domain_ops {
	/* A translation request (ATS): fills 'range' with a piece that holds 'address' and allows all of
	 * 'access', as large as can be told without much searching.  It holds until flush().
	 * False: there is none; nobody is told. */
	bool (*translate)(struct iommu_domain *, uint64_t address, uint8_t access,
			  struct dma_range *range);
	/* The access itself, for which there is no translation: it is blocked, and reported. */
	void (*blocked)(struct iommu_domain *, uint64_t address, uint8_t access);
	/* Message 'vector' of the function (MSI-X): the vector that is to be raised, or -1: blocked, and
	 * reported. */
	int (*interrupt)(struct iommu_domain *, unsigned vector);

	/* Grants a range: 'host' agrees with range.iova in the low 12 bits.  What was granted there is
	 * replaced.  0; -EINVAL when the range is none of whole pages or beyond the addresses there are;
	 * -ENOMEM.  Unless 0, nothing has changed. */
	int (*map)(struct iommu_domain *, struct iommu_range range, uint8_t *host, uint8_t access);
	/* Takes back whatever is granted in the range, which is cut to the addresses there are.  0 or
	 * -ENOMEM (only part of a large page): then nothing has changed. */
	int (*unmap)(struct iommu_domain *, struct iommu_range range);
	/* After map() and unmap(), before memory behind what they ended is used otherwise: drops what the
	 * front has kept of it.  When it returns nobody uses it. */
	void (*flush)(struct iommu_domain *);
};

struct iommu_domain {
	const struct iommu_domain_ops *ops;
	struct dma *dma; /* what flush() empties: the front's; set by dma_init() */
};

#endif
