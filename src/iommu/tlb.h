/* iommu/tlb.h -- the cache of translations that all readers of a remapping unit share (IOTLB), and
 * the generations by which an invalidation ends translations in every cache at once.
 *
 * How an invalidation works.  There is a count of invalidations, the generation.  Each cached
 * thing, here or in a reader's own caches, carries the stamp of who put it in: the generation that
 * the reader saw when it entered.  An invalidation writes the next generation into the marks of the
 * domains it ends; what has an older stamp than the mark is not used any more.  Then it publishes
 * the generation.  It is complete when every reader is outside, or has entered with the new
 * generation: tlb_passed().  What a slow reader puts in late carries its old stamp, and is dead on
 * arrival.
 *
 * Domains share TLB_MARKS marks by their low bits: a collision ends too much, never too little.
 *
 * What it is not: it knows no table format and does not walk.
 *
 * Threads: tlb_find() and tlb_put() from any number of readers, without locks (a set that somebody
 * else is writing counts as a miss, or is left as it is); the rest on the control thread.
 * Memory: the caller's. */
#ifndef IOMMU_TLB_H
#define IOMMU_TLB_H

#include "iommu/request.h"

#include <stdatomic.h>

enum { TLB_MARKS = 256, TLB_WAYS = 3, TLB_PROBES_MAX = 1024 };

/* Which cached things an invalidation ends; ored. */
enum tlb_what {
	TLB_PAGES = 1,	   /* pages that a reader has at hand: its first-level cache */
	TLB_ALL = 2,	   /* pages in the shared cache */
	TLB_NESTED = 4,	   /* pages that two levels of tables gave, in the shared cache */
	TLB_TABLES = 8,	   /* where tables are: paging-structure caches */
	TLB_CONTEXTS = 16, /* what a source or PASID leads to: context and PASID caches */
	TLB_EVERYTHING = 31,
};

/* The last generation that ended each kind; one cache line of those that a reader looks at. */
struct tlb_marks {
	cache_aligned _Atomic uint64_t pages;
	_Atomic uint64_t all, nested, tables, contexts;
	_Atomic uint32_t shifts; /* page sizes put into the shared cache since 'all' */
};

/* What a translation is found by. */
struct tlb_key {
	uint64_t address;
	uint16_t domain;
	uint32_t pasid;	 /* IOMMU_NO_PASID: second-level tables alone */
	bool privileged; /* first-level rights depend on it */
};

/* A page in one word, as the cache has it: the target's bits 63:12, and below them: */
enum tlb_attribute {
	TLB_RIGHTS = 7,	     /* enum iommu_access: what the tables allow */
	TLB_USABLE = 7 << 3, /* the same: what needs no further walk (dirty bits) */
	TLB_USABLE_SHIFT = 3,
	TLB_NESTED_PAGE = 1 << 6,
	TLB_SNOOP = 1 << 7,
	TLB_TRANSIENT = 1 << 8,
	TLB_GLOBAL = 1 << 9,
	TLB_ATTRIBUTES = 0xfff,
};

struct tlb_page {
	uint64_t word;	/* target of the page's first byte, and enum tlb_attribute */
	unsigned shift; /* 12, 21, 30, ...; at most 43 */
};

/* One set: a sequence that is odd while somebody writes, and ways of four words each. */
struct tlb_set {
	cache_aligned _Atomic uint32_t sequence;
	uint32_t turn; /* under the sequence */
	_Atomic uint64_t words[TLB_WAYS][4];
};

struct tlb {
	struct tlb_marks marks[TLB_MARKS];
	cache_aligned _Atomic uint64_t generation; /* published */
	uint64_t next;				   /* being made; control thread */
	uint32_t set_count;			   /* a power of two */
	uint32_t reader_count;
	_Atomic(_Atomic uint64_t *) *seen; /* per reader: what it entered with, 0 outside */
	struct tlb_set *sets;
};

/* Bytes for a cache of so many sets (a power of two) and readers. */
size_t tlb_size(uint32_t set_count, uint32_t reader_count);
/* 'memory' is aligned to 64. */
struct tlb *tlb_init(void *memory, uint32_t set_count, uint32_t reader_count);

/* Where reader 'index' says what it entered with; NULL: there is no such reader any more. */
void tlb_reader(struct tlb *tlb, unsigned index, _Atomic uint64_t *seen);

/* Enters: returns the stamp for what is put in until tlb_leave(). */
static inline uint64_t tlb_enter(struct tlb *tlb, _Atomic uint64_t *seen)
{
	uint64_t stamp = atomic_load_explicit(&tlb->generation, memory_order_seq_cst);

	/* seq_cst: either tlb_passed() sees this, or we see its marks; pairs with tlb_end(). */
	atomic_exchange_explicit(seen, stamp, memory_order_seq_cst);
	return stamp;
}

static inline void tlb_leave(_Atomic uint64_t *seen)
{
	atomic_store_explicit(seen, 0, memory_order_release); /* tlb_passed() */
}

static inline struct tlb_marks *tlb_marks(struct tlb *tlb, uint16_t domain)
{
	return &tlb->marks[domain % TLB_MARKS];
}

/* Whether what has 'stamp' outlived the mark. */
static inline bool tlb_alive(const _Atomic uint64_t *mark, uint64_t stamp)
{
	/* seq_cst: pairs with tlb_end(); on x86 a plain load */
	return atomic_load_explicit((_Atomic uint64_t *)mark, memory_order_seq_cst) <= stamp;
}

/* Finds a page with that key.  False: there is none. */
bool tlb_find(struct tlb *tlb, const struct tlb_key *key, struct tlb_page *page);

/* Puts a page in; nothing happens when it has been ended meanwhile, or the set is being written. */
void tlb_put(struct tlb *tlb, uint64_t stamp, const struct tlb_key *key,
	     const struct tlb_page *page);

/* Writes the generation that is being made into a mark that is not of a domain. */
static inline void tlb_mark(struct tlb *tlb, _Atomic uint64_t *mark)
{
	atomic_store_explicit(mark, tlb->next, memory_order_seq_cst); /* tlb_alive() */
}

/* Ends 'what' (enum tlb_what) of one domain, or of all. */
void tlb_end(struct tlb *tlb, unsigned what, uint16_t domain);
void tlb_end_every(struct tlb *tlb, unsigned what);

/* Ends the pages of a domain and PASID that overlap 2^page_count_shift pages of 4 KiB at 'address',
 * whatever their size.  More than TLB_PROBES_MAX pages of one size: ends the domain's. */
void tlb_end_pages(struct tlb *tlb, const struct tlb_key *first, unsigned page_count_shift);
/* Ends all pages of a PASID in a domain. */
void tlb_end_pasid(struct tlb *tlb, uint16_t domain, uint32_t pasid);

/* Publishes what was ended since the last call; returns the generation to wait for. */
uint64_t tlb_publish(struct tlb *tlb);

/* Whether no reader that entered before 'generation' is still inside. */
bool tlb_passed(const struct tlb *tlb, uint64_t generation);

#endif
