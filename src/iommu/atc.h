/* iommu/atc.h -- a device's address translation cache (ATC): what PCI Express ATS calls the
 * translations that a function keeps of the guest's IOMMU.
 *
 * A look-up that finds nothing is recorded as a request; the control thread takes the request,
 * asks the guest (vhost-user IOTLB_MISS, or a translation request), and puts the answer in.
 *
 * Threads: under the hold of the function.  Memory: fixed. */
#ifndef IOMMU_ATC_H
#define IOMMU_ATC_H

#include "base/base.h"

enum {
	ATC_ENTRIES = 2048,
	ATC_REQUESTS = 256,     /* recorded, handed out or not, and not answered */
	ATC_PAGE_SIZE = 4096,   /* requests name the page that holds the address */
	ATC_PATIENCE = 1 << 16, /* look-ups after which an unanswered request is asked again */
};

struct atc_entry {
	uint64_t iova;   /* first I/O virtual address */
	uint64_t size;   /* bytes; never 0 in the cache */
	uint64_t target; /* what it translates to: dma_region.user_base counts these */
	uint8_t access;  /* enum dma_access, ored */
};

struct atc_request {
	uint64_t iova;   /* start of a page */
	uint8_t access;
};

struct atc;

/* Bytes that one cache takes; the caller brings the memory, aligned as for uint64_t. */
size_t atc_size(void);

/* Makes an empty cache with no requests. */
void atc_init(struct atc *atc);

/* Finds the translation of 'iova'.  Returns NULL after recording a request when there is none;
 * an entry without the wanted right is as good as none.  The result is good until the next
 * atc_put or atc_drop. */
const struct atc_entry *atc_find(struct atc *atc, uint64_t iova, uint8_t access);

/* Adds a translation and forgets the requests it answers; drops what overlaps it.  A full cache
 * evicts the least recently added.  An entry that is empty or wraps is ignored. */
void atc_put(struct atc *atc, const struct atc_entry *entry);

/* Drops everything that touches iova .. iova + size, to the end when that wraps. */
void atc_drop(struct atc *atc, uint64_t iova, uint64_t size);

/* Takes the oldest request not yet handed out.  False when there is none. */
bool atc_take_request(struct atc *atc, struct atc_request *request);

/* Whether requests wait that nobody has been told of since the last atc_take_request(); true
 * once, so that its caller wakes the control thread once. */
bool atc_must_tell(struct atc *atc);

/* Counts drops: a translated pointer is good while this stays the same. */
uint32_t atc_epoch(const struct atc *atc);

/* Counts the requests that were recorded. */
uint64_t atc_requests_total(const struct atc *atc);

#endif
