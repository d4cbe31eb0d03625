#include "iommu/reader.h"

#include <string.h>

_Static_assert(sizeof(struct reader_page) == 64, "a translation at hand is one cache line");

void reader_init(struct reader *reader, struct tlb *tlb, unsigned index)
{
	must((uintptr_t)reader % 64 == 0);
	memset(reader, 0, sizeof *reader);
	reader->tlb = tlb;
	/* No key has these bits, so that an empty entry is never found. */
	for (unsigned i = 0; i < READER_PAGES; i++)
		reader->pages[i].key = UINT64_MAX;
	for (unsigned i = 0; i < READER_INTERRUPTS; i++)
		reader->interrupts[i].key[1] = UINT64_MAX;
	memset(reader->hints, 12, sizeof reader->hints);
	tlb_reader(tlb, index, &reader->seen);
}

bool reader_find_other(struct reader *reader, const struct iommu_request *request, uint64_t key,
		       struct iommu_answer *answer)
{
	unsigned tried = reader->hints[request->source % READER_HINTS];

	for (uint64_t sizes = reader->sizes & ~(UINT64_C(1) << tried); sizes; sizes &= sizes - 1) {
		unsigned shift = lowest_bit(sizes);
		const struct reader_page *page = reader_slot(reader, request, shift);

		if (!reader_has(page, key, request, shift))
			continue;
		reader->hints[request->source % READER_HINTS] = (uint8_t)shift;
		reader_answer(page, request, shift, answer);
		return true;
	}
	return false;
}

/* The sizes that a reader looks for; a page of another size is kept in parts. */
static unsigned shift_below(unsigned shift)
{
	return shift >= 30 ? 30 : shift >= 21 ? 21 : 12;
}

void reader_keep(struct reader *reader, const struct iommu_request *request, uint64_t key,
		 const struct iommu_answer *answer, unsigned shift, uint8_t usable)
{
	unsigned kept = shift_below(shift);
	struct reader_page *page = reader_slot(reader, request, kept);

	must(answer->outcome == IOMMU_OK && shift >= 12);
	reader->sizes |= UINT64_C(1) << kept;
	page->key = key;
	page->page = (request->address >> kept << kept) | kept;
	page->stamp = reader->stamp;
	page->marks = tlb_marks(reader->tlb, answer->domain);
	page->answer = *answer;
	page->answer.address -= request->address & ((UINT64_C(1) << kept) - 1);
	page->usable = usable;
	reader->hints[request->source % READER_HINTS] = (uint8_t)kept;
}

static struct reader_interrupt *interrupt_slot(struct reader *reader,
					       const struct iommu_message *message)
{
	uint64_t hash = message->address >> 2 ^ message->data ^ (uint64_t)message->source * 0x9d;

	return &reader->interrupts[(hash ^ hash >> 6) % READER_INTERRUPTS];
}

static void interrupt_key(const struct iommu_message *message, uint64_t key[2])
{
	key[0] = message->address;
	key[1] = (uint64_t)message->source << 32 | message->data;
}

bool reader_find_interrupt(struct reader *reader, const struct iommu_message *message,
			   struct iommu_remapped *remapped)
{
	struct reader_interrupt *slot = interrupt_slot(reader, message);
	uint64_t key[2];

	interrupt_key(message, key);
	if (slot->key[0] != key[0] || slot->key[1] != key[1] || !tlb_alive(slot->mark, slot->stamp))
		return false;
	*remapped = slot->remapped;
	return true;
}

void reader_keep_interrupt(struct reader *reader, const struct iommu_message *message,
			   const struct iommu_remapped *remapped, const _Atomic uint64_t *mark)
{
	struct reader_interrupt *slot = interrupt_slot(reader, message);

	must(remapped->outcome == IOMMU_OK);
	interrupt_key(message, slot->key);
	slot->stamp = reader->stamp;
	slot->mark = mark;
	slot->remapped = *remapped;
}

/* A source that has a fault under way: the log would have one record for both (VT-d 7.3), and a
 * source that floods does not keep others out of the ring. */
static bool is_told(const struct fault_ring *ring, uint32_t taken, uint32_t put, uint16_t source)
{
	for (; taken != put; taken++)
		if (ring->faults[taken % READER_FAULTS].source == source)
			return true;
	return false;
}

bool reader_put_fault(struct reader *reader, const struct iommu_fault *fault)
{
	struct fault_ring *ring = &reader->ring;
	uint32_t put = atomic_load_explicit(&ring->put, memory_order_relaxed);
	/* acquire pairs with the release in reader_take_fault(): its slot has been read */
	uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire), lost;

	if (is_told(ring, taken, put, fault->source))
		return false;
	if (put - taken == READER_FAULTS) {
		lost = atomic_load_explicit(&ring->lost, memory_order_relaxed);
		atomic_store_explicit(&ring->lost, lost + 1, memory_order_release);
		return false;
	}
	ring->faults[put % READER_FAULTS] = *fault;
	/* seq_cst: of two threads that meet here one sees the other's step, so that either the
	 * control thread takes this fault or we say that it must look again. */
	atomic_store_explicit(&ring->put, put + 1, memory_order_seq_cst);
	return atomic_load_explicit(&ring->taken, memory_order_seq_cst) == put;
}

bool reader_take_fault(struct reader *reader, struct iommu_fault *fault)
{
	struct fault_ring *ring = &reader->ring;
	uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);

	if (atomic_load_explicit(&ring->put, memory_order_seq_cst) == taken)
		return false;
	*fault = ring->faults[taken % READER_FAULTS];
	atomic_store_explicit(&ring->taken, taken + 1, memory_order_seq_cst);
	return true;
}

bool reader_lost_faults(struct reader *reader)
{
	uint32_t lost = atomic_load_explicit(&reader->ring.lost, memory_order_acquire);
	bool more = lost != reader->ring.lost_seen;

	reader->ring.lost_seen = lost;
	return more;
}
