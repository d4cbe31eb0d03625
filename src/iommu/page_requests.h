/* iommu/page_requests.h -- the translations that a function misses: what PCI Express calls page requests
 * (PRI).  A front behind a guest's IOMMU notes here what it could not reach; the control thread takes the
 * requests, asks the guest (vhost-user IOTLB_MISS), and maps the answers into the function's domain.
 *
 * Threads: under the hold of the front.  Memory: fixed. */
#ifndef IOMMU_PAGE_REQUESTS_H
#define IOMMU_PAGE_REQUESTS_H

#include "base/base.h"

enum {
	PAGE_REQUESTS_MAX = 256,          /* noted, handed out or not, and not answered */
	PAGE_REQUEST_SIZE = 4096,         /* a request names the page that holds the address */
	PAGE_REQUESTS_PATIENCE = 1 << 16, /* misses after which an unanswered request is handed out again */
};

struct page_request {
	uint64_t iova;  /* start of a page */
	uint8_t access; /* enum dma_access, ored */
};

struct page_requests {
	struct {
		struct page_request request;
		uint32_t missed; /* since it was handed out */
		bool handed_out;
	} rows[PAGE_REQUESTS_MAX]; /* in order of arrival */
	unsigned count;
	bool told;
	uint64_t total;
};

/* No requests; 'total' goes on. */
void page_requests_clear(struct page_requests *requests);

/* Notes that the page of 'iova' was missed.  One that is noted already is not noted again, but handed out
 * again when it asks for more, or has waited long.  A full list forgets the oldest that was handed out. */
void page_requests_note(struct page_requests *requests, uint64_t iova, uint8_t access);

/* Forgets the requests that a translation of iova .. iova + size with these rights answers. */
void page_requests_answer(struct page_requests *requests, uint64_t iova, uint64_t size,
			  uint8_t access);

/* Takes the oldest request not yet handed out.  False when there is none. */
bool page_requests_take(struct page_requests *requests, struct page_request *request);

/* Whether requests wait that nobody has been told of since the last take; true once, so that its caller
 * wakes the control thread once. */
bool page_requests_must_tell(struct page_requests *requests);

#endif
