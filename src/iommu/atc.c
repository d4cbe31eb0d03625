#include "iommu/atc.h"

#include <string.h>

struct slot {
	struct atc_entry entry;
	uint64_t added; /* order of arrival */
};

struct wanted {
	uint64_t iova;
	uint32_t looked; /* look-ups since it was handed out */
	uint8_t access;
	bool handed_out;
};

struct atc {
	unsigned count, recent;
	unsigned wanted_count;
	uint32_t epoch;
	bool told;
	uint64_t added_total, wanted_total;
	struct wanted wanted[ATC_REQUESTS]; /* in order of arrival */
	struct slot slots[ATC_ENTRIES];     /* sorted by iova, not overlapping */
};

size_t atc_size(void)
{
	return sizeof(struct atc);
}

void atc_init(struct atc *atc)
{
	memset(atc, 0, sizeof *atc);
}

static bool holds(const struct atc_entry *entry, uint64_t iova)
{
	return iova - entry->iova < entry->size && iova >= entry->iova;
}

/* Index of the first slot that ends behind 'iova'; atc->count when there is none. */
static unsigned first_ending_behind(const struct atc *atc, uint64_t iova)
{
	unsigned low = 0, high = atc->count;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		const struct atc_entry *entry = &atc->slots[middle].entry;

		if (entry->iova + (entry->size - 1) < iova)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void forget_request(struct atc *atc, unsigned index)
{
	memmove(&atc->wanted[index], &atc->wanted[index + 1],
		(atc->wanted_count - index - 1) * sizeof atc->wanted[0]);
	atc->wanted_count--;
}

/* Makes room in a full list: the oldest that was handed out, else the oldest. */
static void forget_oldest_request(struct atc *atc)
{
	for (unsigned i = 0; i < atc->wanted_count; i++)
		if (atc->wanted[i].handed_out) {
			forget_request(atc, i);
			return;
		}
	forget_request(atc, 0);
}

static void ask_more(struct wanted *wanted, uint8_t access)
{
	bool more = access & ~wanted->access;

	wanted->access |= access;
	if (more || (wanted->handed_out && ++wanted->looked == ATC_PATIENCE)) {
		wanted->handed_out = false;
		wanted->looked = 0;
	}
}

static void record(struct atc *atc, uint64_t iova, uint8_t access)
{
	uint64_t page = iova & ~(uint64_t)(ATC_PAGE_SIZE - 1);

	for (unsigned i = 0; i < atc->wanted_count; i++)
		if (atc->wanted[i].iova == page) {
			ask_more(&atc->wanted[i], access);
			return;
		}
	if (atc->wanted_count == ATC_REQUESTS)
		forget_oldest_request(atc);
	atc->wanted[atc->wanted_count++] = (struct wanted){ .iova = page, .access = access };
	atc->wanted_total++;
}

const struct atc_entry *atc_find(struct atc *atc, uint64_t iova, uint8_t access)
{
	unsigned i = atc->recent;

	if (i >= atc->count || !holds(&atc->slots[i].entry, iova))
		i = first_ending_behind(atc, iova);
	if (i < atc->count && holds(&atc->slots[i].entry, iova) &&
	    (atc->slots[i].entry.access & access) == access) {
		atc->recent = i;
		return &atc->slots[i].entry;
	}
	record(atc, iova, access);
	return NULL;
}

/* Removes the slots that touch first..last, both included; the range does not wrap. */
static void remove_range(struct atc *atc, uint64_t first, uint64_t last)
{
	unsigned from = first_ending_behind(atc, first), to = from;

	while (to < atc->count && atc->slots[to].entry.iova <= last)
		to++;
	memmove(&atc->slots[from], &atc->slots[to], (atc->count - to) * sizeof atc->slots[0]);
	atc->count -= to - from;
}

static void evict_oldest(struct atc *atc)
{
	unsigned oldest = 0;

	for (unsigned i = 1; i < atc->count; i++)
		if (atc->slots[i].added < atc->slots[oldest].added)
			oldest = i;
	memmove(&atc->slots[oldest], &atc->slots[oldest + 1],
		(atc->count - oldest - 1) * sizeof atc->slots[0]);
	atc->count--;
}

static void answer_requests(struct atc *atc, const struct atc_entry *entry)
{
	for (unsigned i = atc->wanted_count; i-- > 0;) {
		const struct wanted *wanted = &atc->wanted[i];

		if (holds(entry, wanted->iova) &&
		    (entry->access & wanted->access) == wanted->access)
			forget_request(atc, i);
	}
}

void atc_put(struct atc *atc, const struct atc_entry *entry)
{
	unsigned at;

	if (entry->size == 0 || entry->iova + (entry->size - 1) < entry->iova)
		return;
	remove_range(atc, entry->iova, entry->iova + (entry->size - 1));
	if (atc->count == ATC_ENTRIES)
		evict_oldest(atc);
	at = first_ending_behind(atc, entry->iova);
	memmove(&atc->slots[at + 1], &atc->slots[at], (atc->count - at) * sizeof atc->slots[0]);
	atc->slots[at] = (struct slot){ .entry = *entry, .added = atc->added_total++ };
	atc->count++;
	answer_requests(atc, entry);
}

void atc_drop(struct atc *atc, uint64_t iova, uint64_t size)
{
	uint64_t last = iova + (size - 1);

	if (size == 0)
		return;
	/* Pointers into evicted translations may be in use, so this counts in any case. */
	atc->epoch++;
	remove_range(atc, iova, last < iova ? UINT64_MAX : last);
}

bool atc_take_request(struct atc *atc, struct atc_request *request)
{
	atc->told = false;
	for (unsigned i = 0; i < atc->wanted_count; i++) {
		struct wanted *wanted = &atc->wanted[i];

		if (wanted->handed_out)
			continue;
		wanted->handed_out = true;
		*request = (struct atc_request){ .iova = wanted->iova, .access = wanted->access };
		return true;
	}
	return false;
}

bool atc_must_tell(struct atc *atc)
{
	if (atc->told)
		return false;
	for (unsigned i = atc->wanted_count; i-- > 0;)
		if (!atc->wanted[i].handed_out) {
			atc->told = true;
			return true;
		}
	return false;
}

uint32_t atc_epoch(const struct atc *atc)
{
	return atc->epoch;
}

uint64_t atc_requests_total(const struct atc *atc)
{
	return atc->wanted_total;
}
