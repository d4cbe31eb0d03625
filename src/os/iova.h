/* os/iova.h -- addresses on a device's side of its IOMMU: which there are, and which are taken.
 *
 * The kernel says which ranges a device may be given (it keeps some for interrupts and for what firmware
 * asked); in these, pieces are taken, lowest first, and given back.
 *
 * Threads: one at a time.  Memory: a plain struct of the caller. */
#ifndef OS_IOVA_H
#define OS_IOVA_H

#include "base/base.h"

enum { IOVA_RANGES_MAX = 32, IOVA_PIECES_MAX = 64 };

struct iova_range {
	uint64_t first, last; /* last included: a range may end at 2^64 - 1 */
};

struct iova_space {
	uint64_t page; /* bytes; pieces are multiples of it */
	unsigned range_count, piece_count;
	struct iova_range ranges[IOVA_RANGES_MAX]; /* ascending, apart */
	struct iova_range pieces[IOVA_PIECES_MAX]; /* ascending, apart: taken */
};

/* No range yet.  page: a power of two. */
void iova_init(struct iova_space *space, uint64_t page);

/* Adds a range that lies behind those that are there; what is no whole page of it is left out.
 * -EINVAL: it does not; -ENOSPC: there are IOVA_RANGES_MAX. */
int iova_allow(struct iova_space *space, uint64_t first, uint64_t last);

/* Takes 'size' bytes (a multiple of the page, not 0) at a multiple of 'align' (a power of two).
 * -ENOSPC: no gap is so large, or IOVA_PIECES_MAX are taken; -EINVAL. */
int iova_take(struct iova_space *space, uint64_t size, uint64_t align, uint64_t *iova);

/* Gives the piece that begins at 'iova' back; its bytes, or 0: there is none. */
uint64_t iova_give(struct iova_space *space, uint64_t iova);

#endif
