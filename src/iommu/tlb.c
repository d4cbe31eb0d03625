#include "iommu/tlb.h"

#include <string.h>

/* The words of a way.  0: page, and in its low bits the size (5:0), privileged (6), in use (7);
 * 1: domain 15:0, PASID + 1 in 47:16; 2: tlb_page.word; 3: stamp. */
enum { WAY_PRIVILEGED = 1 << 6, WAY_USED = 1 << 7, LOCK_TRIES = 64 };

#define PAGE_BITS UINT64_C(0xfffffffffffff000)

size_t tlb_size(uint32_t set_count, uint32_t reader_count)
{
	size_t seen = (reader_count * sizeof(_Atomic(_Atomic uint64_t *)) + 63) / 64 * 64;

	return sizeof(struct tlb) + seen + set_count * sizeof(struct tlb_set);
}

struct tlb *tlb_init(void *memory, uint32_t set_count, uint32_t reader_count)
{
	struct tlb *tlb = memory;

	must((uintptr_t)memory % 64 == 0);
	must(is_power_of_two(set_count));
	memset(memory, 0, tlb_size(set_count, reader_count));
	tlb->set_count = set_count;
	tlb->reader_count = reader_count;
	tlb->seen = (void *)(tlb + 1);
	tlb->sets = (void *)((uint8_t *)memory + tlb_size(0, reader_count));
	tlb->next = 2;
	atomic_store_explicit(&tlb->generation, 1, memory_order_release);
	return tlb;
}

void tlb_reader(struct tlb *tlb, unsigned index, _Atomic uint64_t *seen)
{
	must(index < tlb->reader_count);
	if (seen)
		atomic_store_explicit(seen, 0, memory_order_relaxed);
	atomic_store_explicit(&tlb->seen[index], seen, memory_order_release); /* tlb_passed() */
}

static uint64_t way_page(const struct tlb_key *key, unsigned shift)
{
	return (key->address >> shift << shift & PAGE_BITS) | shift |
	       (key->privileged ? WAY_PRIVILEGED : 0) | WAY_USED;
}

static uint64_t way_space(const struct tlb_key *key)
{
	return key->domain | (uint64_t)(uint32_t)(key->pasid + 1) << 16;
}

static struct tlb_set *set_of(struct tlb *tlb, uint64_t page, uint64_t space)
{
	uint64_t hash = (page >> 12 ^ page << 8 ^ space) * UINT64_C(0x9e3779b97f4a7c15);

	return &tlb->sets[hash >> 40 & (tlb->set_count - 1)];
}

/* Readers never wait for a set: whoever does not get it at once goes without. */
static bool set_lock(struct tlb_set *set)
{
	uint32_t sequence = atomic_load_explicit(&set->sequence, memory_order_relaxed);

	return sequence % 2 == 0 &&
	       atomic_compare_exchange_strong_explicit(&set->sequence, &sequence, sequence + 1,
						       memory_order_acquire, memory_order_relaxed);
}

static void set_unlock(struct tlb_set *set)
{
	/* Only the holder writes it: a plain step.  release pairs with the acquire of set_lock().
	 */
	uint32_t sequence = atomic_load_explicit(&set->sequence, memory_order_relaxed);

	atomic_store_explicit(&set->sequence, sequence + 1, memory_order_release);
}

static uint64_t word_get(const _Atomic uint64_t *word)
{
	return atomic_load_explicit((_Atomic uint64_t *)word, memory_order_acquire);
}

/* release: whoever reads this word sees the odd sequence before it; pairs with set_read(). */
static void word_put(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_release);
}

/* Copies the way with that page and space; false when there is none or it changed meanwhile. */
static bool set_read(const struct tlb_set *set, uint64_t page, uint64_t space, uint64_t *value,
		     uint64_t *stamp)
{
	_Atomic uint32_t *sequence = (_Atomic uint32_t *)&set->sequence;
	uint32_t before = atomic_load_explicit(sequence, memory_order_acquire);

	if (before % 2)
		return false;
	for (unsigned way = 0; way < TLB_WAYS; way++) {
		if (word_get(&set->words[way][0]) != page || word_get(&set->words[way][1]) != space)
			continue;
		*value = word_get(&set->words[way][2]);
		*stamp = word_get(&set->words[way][3]);
		return atomic_load_explicit(sequence, memory_order_relaxed) == before;
	}
	return false;
}

bool tlb_find(struct tlb *tlb, const struct tlb_key *key, struct tlb_page *page)
{
	struct tlb_marks *marks = tlb_marks(tlb, key->domain);
	uint64_t shifts = atomic_load_explicit(&marks->shifts, memory_order_relaxed);
	uint64_t space = way_space(key), value, stamp;

	for (; shifts; shifts &= shifts - 1) {
		unsigned shift = lowest_bit(shifts) + 12;
		uint64_t at = way_page(key, shift);

		if (!set_read(set_of(tlb, at, space), at, space, &value, &stamp) ||
		    !tlb_alive(&marks->all, stamp) ||
		    (value & TLB_NESTED_PAGE && !tlb_alive(&marks->nested, stamp)))
			continue;
		*page = (struct tlb_page){ value, shift };
		return true;
	}
	return false;
}

/* A way for 'at': its own, else the next in turn. */
static unsigned way_for(struct tlb_set *set, uint64_t at, uint64_t space)
{
	for (unsigned way = 0; way < TLB_WAYS; way++)
		if (word_get(&set->words[way][0]) == at && word_get(&set->words[way][1]) == space)
			return way;
	return set->turn++ % TLB_WAYS;
}

void tlb_put(struct tlb *tlb, uint64_t stamp, const struct tlb_key *key,
	     const struct tlb_page *page)
{
	must(page->shift >= 12 && page->shift < 12 + 32);

	struct tlb_marks *marks = tlb_marks(tlb, key->domain);
	uint64_t at = way_page(key, page->shift), space = way_space(key);
	struct tlb_set *set = set_of(tlb, at, space);
	uint32_t bit = UINT32_C(1) << (page->shift - 12);
	unsigned way;

	/* The size first: an invalidation that does not see it has marked 'pages' before. */
	if (!(atomic_load_explicit(&marks->shifts, memory_order_relaxed) & bit))
		atomic_fetch_or_explicit(&marks->shifts, bit, memory_order_seq_cst);
	if (!set_lock(set))
		return;
	/* Under the lock: an invalidation marks first and then looks at the set. */
	if (tlb_alive(&marks->pages, stamp)) {
		way = way_for(set, at, space);
		word_put(&set->words[way][0], at);
		word_put(&set->words[way][1], space);
		word_put(&set->words[way][2], page->word);
		word_put(&set->words[way][3], stamp);
	}
	set_unlock(set);
}

/* What is put in from here on is dead until the generation is published, so that a size may be
 * forgotten: pages of it that live are put in later. */
static void end_all(struct tlb *tlb, struct tlb_marks *marks)
{
	tlb_mark(tlb, &marks->nested);
	tlb_mark(tlb, &marks->all);
	atomic_store_explicit(&marks->shifts, 0, memory_order_relaxed);
}

static void marks_end(struct tlb *tlb, struct tlb_marks *marks, unsigned what)
{
	if (what & (TLB_PAGES | TLB_ALL | TLB_NESTED))
		tlb_mark(tlb, &marks->pages);
	if (what & TLB_ALL)
		end_all(tlb, marks);
	if (what & TLB_NESTED)
		tlb_mark(tlb, &marks->nested);
	if (what & TLB_TABLES)
		tlb_mark(tlb, &marks->tables);
	if (what & TLB_CONTEXTS)
		tlb_mark(tlb, &marks->contexts);
}

void tlb_end(struct tlb *tlb, unsigned what, uint16_t domain)
{
	marks_end(tlb, tlb_marks(tlb, domain), what);
}

void tlb_end_every(struct tlb *tlb, unsigned what)
{
	for (unsigned i = 0; i < TLB_MARKS; i++)
		marks_end(tlb, &tlb->marks[i], what);
}

/* A reader may be stopped in the middle of a set for as long as the system likes; then false. */
static bool set_lock_patiently(struct tlb_set *set)
{
	for (unsigned i = 0; i < LOCK_TRIES; i++)
		if (set_lock(set))
			return true;
	return false;
}

/* Empties the ways with that page and space. */
static bool set_drop(struct tlb_set *set, uint64_t page, uint64_t space)
{
	if (!set_lock_patiently(set))
		return false;
	for (unsigned way = 0; way < TLB_WAYS; way++)
		if (word_get(&set->words[way][0]) == page && word_get(&set->words[way][1]) == space)
			word_put(&set->words[way][0], 0);
	set_unlock(set);
	return true;
}

/* All pages of one size in a range of 2^count_shift pages of 4 KiB. */
static bool drop_size(struct tlb *tlb, const struct tlb_key *first, unsigned count_shift,
		      unsigned shift)
{
	unsigned range_shift = count_shift + 12;
	struct tlb_key key = *first;
	uint64_t space = way_space(first), count = 1;

	key.address = range_shift < 64 ? key.address >> range_shift << range_shift : 0;
	if (range_shift > shift) {
		if (range_shift - shift >= 32 ||
		    (count = UINT64_C(1) << (range_shift - shift)) > TLB_PROBES_MAX)
			return false;
	}
	for (uint64_t i = 0; i < count; i++, key.address += UINT64_C(1) << shift) {
		uint64_t at = way_page(&key, shift);

		if (!set_drop(set_of(tlb, at, space), at, space))
			return false;
	}
	return true;
}

void tlb_end_pages(struct tlb *tlb, const struct tlb_key *first, unsigned page_count_shift)
{
	struct tlb_marks *marks = tlb_marks(tlb, first->domain);
	uint64_t shifts;

	tlb_mark(tlb, &marks->pages);
	shifts = atomic_load_explicit(&marks->shifts, memory_order_seq_cst); /* tlb_put() */
	for (; shifts; shifts &= shifts - 1)
		if (!drop_size(tlb, first, page_count_shift, lowest_bit(shifts) + 12)) {
			/* Too many to look for, or a set that is held: end the domain's. */
			end_all(tlb, marks);
			return;
		}
}

void tlb_end_pasid(struct tlb *tlb, uint16_t domain, uint32_t pasid)
{
	struct tlb_marks *marks = tlb_marks(tlb, domain);
	uint64_t space = way_space(&(struct tlb_key){ .domain = domain, .pasid = pasid });

	tlb_mark(tlb, &marks->pages);
	for (uint32_t i = 0; i < tlb->set_count; i++) {
		struct tlb_set *set = &tlb->sets[i];

		if (!set_lock_patiently(set)) {
			end_all(tlb, marks);
			return;
		}
		for (unsigned way = 0; way < TLB_WAYS; way++)
			if (word_get(&set->words[way][1]) == space)
				word_put(&set->words[way][0], 0);
		set_unlock(set);
	}
}

uint64_t tlb_publish(struct tlb *tlb)
{
	uint64_t generation = tlb->next++;

	atomic_store_explicit(&tlb->generation, generation, memory_order_seq_cst); /* tlb_enter() */
	return generation;
}

bool tlb_passed(const struct tlb *tlb, uint64_t generation)
{
	for (uint32_t i = 0; i < tlb->reader_count; i++) {
		_Atomic uint64_t *seen = atomic_load_explicit(&tlb->seen[i], memory_order_acquire);
		uint64_t entered;

		if (!seen)
			continue;
		/* seq_cst with tlb_enter(); acquire with tlb_leave(): what the reader did is over.
		 */
		entered = atomic_load_explicit(seen, memory_order_seq_cst);
		if (entered != 0 && entered < generation)
			return false;
	}
	return true;
}
