#include "iommu/page_requests.h"

#include <string.h>

void page_requests_clear(struct page_requests *requests)
{
	requests->count = 0;
	requests->told = false;
}

static void forget(struct page_requests *requests, unsigned index)
{
	memmove(&requests->rows[index], &requests->rows[index + 1],
		(requests->count - index - 1) * sizeof requests->rows[0]);
	requests->count--;
}

/* Makes room in a full list: the oldest that was handed out, else the oldest. */
static void forget_oldest(struct page_requests *requests)
{
	for (unsigned i = 0; i < requests->count; i++)
		if (requests->rows[i].handed_out) {
			forget(requests, i);
			return;
		}
	forget(requests, 0);
}

static void note_again(struct page_requests *requests, unsigned index, uint8_t access)
{
	bool more = access & ~requests->rows[index].request.access;

	requests->rows[index].request.access |= access;
	if (more || (requests->rows[index].handed_out &&
		     ++requests->rows[index].missed == PAGE_REQUESTS_PATIENCE)) {
		requests->rows[index].handed_out = false;
		requests->rows[index].missed = 0;
	}
}

void page_requests_note(struct page_requests *requests, uint64_t iova, uint8_t access)
{
	uint64_t page = iova & ~(uint64_t)(PAGE_REQUEST_SIZE - 1);

	for (unsigned i = 0; i < requests->count; i++)
		if (requests->rows[i].request.iova == page) {
			note_again(requests, i, access);
			return;
		}
	if (requests->count == PAGE_REQUESTS_MAX)
		forget_oldest(requests);
	memset(&requests->rows[requests->count], 0, sizeof requests->rows[0]);
	requests->rows[requests->count++].request =
		(struct page_request){ .iova = page, .access = access };
	requests->total++;
}

void page_requests_answer(struct page_requests *requests, uint64_t iova, uint64_t size, uint8_t access)
{
	for (unsigned i = requests->count; i-- > 0;) {
		const struct page_request *request = &requests->rows[i].request;

		if (request->iova - iova < size && (access & request->access) == request->access)
			forget(requests, i);
	}
}

bool page_requests_take(struct page_requests *requests, struct page_request *request)
{
	requests->told = false;
	for (unsigned i = 0; i < requests->count; i++) {
		if (requests->rows[i].handed_out)
			continue;
		requests->rows[i].handed_out = true;
		*request = requests->rows[i].request;
		return true;
	}
	return false;
}

bool page_requests_must_tell(struct page_requests *requests)
{
	if (requests->told)
		return false;
	for (unsigned i = requests->count; i-- > 0;)
		if (!requests->rows[i].handed_out) {
			requests->told = true;
			return true;
		}
	return false;
}
