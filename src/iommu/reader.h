/* iommu/reader.h -- what a worker has of its own, whatever the format of the tables: the stamp it
 * entered with, its first-level caches of translations and interrupts, and the ring in which it
 * hands faults to the control thread.
 *
 * Threads: the caches belong to the worker; 'seen' and the ring are shared with the control thread.
 * Memory: part of a unit's reader, which the caller brings, aligned to 64. */
#ifndef IOMMU_READER_H
#define IOMMU_READER_H

#include "iommu/tlb.h"

enum {
	READER_PAGES = 256,	/* translations at hand */
	READER_HINTS = 256,	/* sources whose last page size is remembered */
	READER_INTERRUPTS = 64, /* interrupt messages at hand */
	READER_FAULTS = 64,	/* faults under way to the control thread */
	READER_INTERRUPT_MARKS = 64,
};

/* A translation at hand: one cache line. */
struct reader_page {
	cache_aligned uint64_t key; /* reader_key() */
	uint64_t page;		    /* address of its first byte, and its shift in the low bits */
	uint64_t stamp;
	const struct tlb_marks *marks;
	struct iommu_answer answer; /* of the page's first byte */
	uint8_t usable;
};

struct reader_interrupt {
	uint64_t key[2]; /* the message */
	uint64_t stamp;
	const _Atomic uint64_t *mark; /* the last generation that ended it */
	struct iommu_remapped remapped;
};

/* A refused request or interrupt, to be reported. */
struct iommu_fault {
	uint64_t address; /* of the page; of an interrupt the index in 63:48 */
	uint32_t pasid;
	uint16_t source, reason, domain;
	uint8_t access, type;
	bool privileged, interrupt, page_request;
};

/* One writer, one reader; what does not fit is counted. */
struct fault_ring {
	cache_aligned _Atomic uint32_t put;   /* next to be written; the worker's */
	_Atomic uint32_t lost;		      /* the worker's */
	cache_aligned _Atomic uint32_t taken; /* next to be read; the control thread's */
	uint32_t lost_seen;		      /* the control thread's */
	struct iommu_fault faults[READER_FAULTS];
};

struct reader {
	cache_aligned _Atomic uint64_t seen; /* tlb_enter() */
	cache_aligned uint64_t stamp;	     /* 0: outside */
	struct tlb *tlb;
	uint64_t sizes;		     /* bit n: pages of 2^n bytes have been kept */
	uint8_t hints[READER_HINTS]; /* shift of the page that a source used last */
	struct reader_page pages[READER_PAGES];
	struct reader_interrupt interrupts[READER_INTERRUPTS];
	struct fault_ring ring;
};

void reader_init(struct reader *reader, struct tlb *tlb, unsigned index);

/* No request's key has this bit: what is kept with it is found only by whoever asks for it. */
#define READER_TRUSTED (UINT64_C(1) << 30)

/* What a request is found by beside its address. */
static inline uint64_t reader_key(const struct iommu_request *request)
{
	return (uint64_t)request->pasid << 32 | (uint64_t)request->privileged << 31 |
	       (uint64_t)request->type << 16 | request->source;
}

static inline struct reader_page *reader_slot(struct reader *reader,
					      const struct iommu_request *request, unsigned shift)
{
	uint64_t hash = request->address >> shift ^ request->source * UINT64_C(0x9d) ^
			((uint64_t)request->pasid << 3 ^ (uint64_t)shift << 2);

	return &reader->pages[(hash ^ hash >> 8) % READER_PAGES];
}

static inline bool reader_has(const struct reader_page *page, uint64_t key,
			      const struct iommu_request *request, unsigned shift)
{
	return page->key == key && page->page == ((request->address >> shift << shift) | shift) &&
	       !(request->access & ~page->usable) && tlb_alive(&page->marks->pages, page->stamp);
}

static inline void reader_answer(const struct reader_page *page,
				 const struct iommu_request *request, unsigned shift,
				 struct iommu_answer *answer)
{
	uint64_t offset = request->address & ((UINT64_C(1) << shift) - 1);
	uint64_t address = page->answer.address + offset;

	*answer = page->answer;
	answer->address = address;
}

/* Answers from what is at hand.  False: somebody must look further. */
static inline bool reader_find(struct reader *reader, const struct iommu_request *request,
			       uint64_t key, struct iommu_answer *answer)
{
	unsigned shift = reader->hints[request->source % READER_HINTS];
	const struct reader_page *page = reader_slot(reader, request, shift);

	if (unlikely(!reader_has(page, key, request, shift)))
		return false;
	reader_answer(page, request, shift, answer);
	return true;
}

/* Whether pages of more sizes than the one that reader_find() looks for have been kept. */
static inline bool reader_has_others(const struct reader *reader,
				     const struct iommu_request *request)
{
	return reader->sizes >> reader->hints[request->source % READER_HINTS] != 1 ||
	       !is_power_of_two(reader->sizes);
}

/* The same with every other page size that has been kept. */
bool reader_find_other(struct reader *reader, const struct iommu_request *request, uint64_t key,
		       struct iommu_answer *answer);

/* Keeps an answer that is OK.
 *
 * key     what reader_find() will look for
 * shift   the page for which it holds; at most answer->page_shift
 * usable  enum iommu_access: what it may answer */
void reader_keep(struct reader *reader, const struct iommu_request *request, uint64_t key,
		 const struct iommu_answer *answer, unsigned shift, uint8_t usable);

bool reader_find_interrupt(struct reader *reader, const struct iommu_message *message,
			   struct iommu_remapped *remapped);
/* 'mark' is the unit's, of what this message depends on. */
void reader_keep_interrupt(struct reader *reader, const struct iommu_message *message,
			   const struct iommu_remapped *remapped, const _Atomic uint64_t *mark);

/* The worker: hands a fault on.  True when the control thread has not been told of earlier ones. */
bool reader_put_fault(struct reader *reader, const struct iommu_fault *fault);

/* The control thread: takes the oldest.  False: there is none. */
bool reader_take_fault(struct reader *reader, struct iommu_fault *fault);
/* The control thread: whether faults were lost since the last call. */
bool reader_lost_faults(struct reader *reader);

#endif
