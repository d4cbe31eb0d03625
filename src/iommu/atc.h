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
	ATC_REQUESTS = 256, /* asked and not answered */
};

struct atc_entry {
	uint64_t iova;   /* first I/O virtual address */
	uint64_t size;   /* bytes; 0: the entry is free */
	uint64_t target; /* what it translates to: a guest physical or a frontend user address */
	uint8_t access;  /* enum dma_access, ored */
};

struct atc_request {
	uint64_t iova;
	uint8_t access;
};

struct atc;

/* Bytes that one cache takes; the caller brings the memory, suitably aligned. */
size_t atc_size(void);
void atc_init(struct atc *atc);

/* Finds the translation of 'iova'.  Returns NULL after recording a request when there is none;
 * an entry without the wanted right is as good as none. */
const struct atc_entry *atc_find(struct atc *atc, uint64_t iova, uint8_t access);

/* Adds a translation; replaces what overlaps.  A full cache evicts the least recently added. */
void atc_put(struct atc *atc, const struct atc_entry *entry);

/* Drops everything that touches iova .. iova + size. */
void atc_drop(struct atc *atc, uint64_t iova, uint64_t size);

/* Takes the oldest request not yet handed out.  False when there is none. */
bool atc_take_request(struct atc *atc, struct atc_request *request);

#endif
