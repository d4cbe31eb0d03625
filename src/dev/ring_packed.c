/* The packed virtqueue, virtio 1.2 section 2.8. */
#include "dev/ring.h"

#include "dev/inflight.h"

#include <errno.h>

/* Length, id and flags are one aligned word: read and written whole. */
static uint8_t *tail_of(const struct ring *ring, uint16_t slot)
{
	return ring_at(ring, RING_DESC, (uint32_t)slot * VIRTQ_DESC_SIZE + VIRTQ_DESC_LEN);
}

/* Section 2.8.1: available when AVAIL is the wrap counter and USED is not. */
static bool is_available(uint16_t flags, bool wrap)
{
	return (bool)(flags & VIRTQ_DESC_F_AVAIL) == wrap && (bool)(flags & VIRTQ_DESC_F_USED) != wrap;
}

static void advance(const struct ring *ring, struct ring_cursor *at, uint16_t slots)
{
	uint32_t index = (uint32_t)at->index + slots;

	if (index >= ring->size) {
		index -= ring->size;
		at->wrap = !at->wrap;
	}
	at->index = (uint16_t)index;
}

enum ring_outcome ring_packed_peek(struct ring *ring, const struct ring_cursor *at)
{
	uint64_t tail = guest_load64_acquire(tail_of(ring, at->index));

	/* A cursor that went once around meets what has not been used yet. */
	if (at->index == ring->next.index && at->wrap != ring->next.wrap)
		return RING_EMPTY;
	return is_available((uint16_t)(tail >> 48), at->wrap) ? RING_OK : RING_EMPTY;
}

static uint16_t read_desc(const struct ring *ring, uint16_t slot, struct ring_desc *desc)
{
	const uint8_t *tail = tail_of(ring, slot);
	uint64_t word = guest_load64_acquire(tail);

	desc->addr = guest_load64(tail - VIRTQ_DESC_LEN);
	desc->len = (uint32_t)word;
	desc->flags = (uint16_t)(word >> 48);
	desc->id = slot;
	return (uint16_t)(word >> 32);
}

enum ring_outcome ring_packed_walk(struct ring_walk *walk, struct ring_cursor *at)
{
	struct ring *ring = walk->ring;

	for (uint16_t slots = 1;; slots++) {
		struct ring_desc desc;
		enum ring_outcome outcome;

		walk->chain->id = read_desc(ring, at->index, &desc);
		walk->chain->slots = slots;
		/* Only the first descriptor's flags order the rest; each must be there by then. */
		if (!is_available(desc.flags, at->wrap))
			return ring_broken(ring, "descriptor %u is part of a chain and not available",
					   at->index);
		advance(ring, at, 1);
		if (desc.flags & VIRTQ_DESC_F_INDIRECT) {
			if (slots > 1)
				return ring_broken(ring, "descriptor %u is indirect, inside a chain",
						   desc.id);
			return ring_walk_table(walk, &desc);
		}
		outcome = ring_walk_add(walk, &desc);
		if (outcome != RING_OK || !(desc.flags & VIRTQ_DESC_F_NEXT))
			return outcome;
		if (slots == ring->size)
			return ring_broken(ring, "a chain that is longer than the ring of %u",
					   ring->size);
	}
}

/* The lines of 'n' slots, read now, that are written when their chains are used.  Never those beyond: the driver is
 * about to write them, and would have to fetch each back. */
static void prefetch_descs(const struct ring *ring, uint16_t slot, unsigned n)
{
	enum { A_LINE = 64 / VIRTQ_DESC_SIZE };

	for (unsigned i = 0; i < n; i += A_LINE) {
		uint32_t at = (uint32_t)slot + i;

		if (at >= ring->size)
			at -= ring->size;
		prefetch_write(ring->desc + at * VIRTQ_DESC_SIZE);
	}
}

unsigned ring_packed_look(struct ring *ring, struct ring_cursor *at, uint16_t flags,
			  struct ring_desc *descs, unsigned max)
{
	const uint16_t first = at->index;
	unsigned i;

	for (i = 0; i < max; i++) {
		const uint8_t *desc = ring->desc + (uint32_t)at->index * VIRTQ_DESC_SIZE;
		uint64_t word = guest_load64_acquire(desc + VIRTQ_DESC_LEN);
		uint16_t got = (uint16_t)(word >> 48);

		if (!is_available(got, at->wrap) ||
		    (at->index == ring->next.index && at->wrap != ring->next.wrap))
			break;
		descs[i].addr = guest_load64(desc + VIRTQ_DESC_ADDR);
		descs[i].len = (uint32_t)word;
		descs[i].id = (uint16_t)(word >> 32);
		if (unlikely((got & (VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE |
				     VIRTQ_DESC_F_INDIRECT)) != flags || descs[i].len == 0))
			break;
		advance(ring, at, 1);
	}
	/* Of a batch only the first is written, and only where none is held back yet. */
	prefetch_descs(ring, first, ring->batch ? min_u32(i, ring->pending == 0) : i);
	return i;
}

/* Section 2.8.5: both bits are the wrap counter of the place. */
static uint64_t used_word(uint16_t id, uint32_t written, bool wrap)
{
	uint64_t flags = wrap ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0;

	if (written)
		flags |= VIRTQ_DESC_F_WRITE;
	return (uint64_t)written | (uint64_t)id << 32 | flags << 48;
}

/* A used word takes the place of a descriptor, so one that is written and not visible would be lost
 * with us: with an in-flight region each becomes visible by itself. */
static void use_at_once(struct ring *ring, uint16_t slots, uint64_t word)
{
	uint16_t slot = ring->next.index;

	inflight_packed_use(ring->inflight, slot, slots);
	guest_store64_release(tail_of(ring, slot), word);
	ring_log_used(ring, (uint32_t)slot * VIRTQ_DESC_SIZE, VIRTQ_DESC_SIZE);
	ring->pending = (uint16_t)(ring->pending + slots);
	advance(ring, &ring->next, slots);
	inflight_packed_used(ring->inflight, ring->next.index, ring->next.wrap);
}

/* A predecessor may have died between the ring and its region: one chain at most. */
int ring_packed_resume(struct ring *ring)
{
	uint16_t flags = (uint16_t)(guest_load64_acquire(tail_of(ring, ring->next.index)) >> 48);
	uint16_t slots = inflight_packed_slots(ring->inflight, ring->next.index);

	if ((bool)(flags & VIRTQ_DESC_F_AVAIL) != ring->next.wrap ||
	    (bool)(flags & VIRTQ_DESC_F_USED) != ring->next.wrap)
		return 0;
	if (slots == 0 || slots > ring->size)
		return -EINVAL;
	advance(ring, &ring->next, slots);
	inflight_packed_used(ring->inflight, ring->next.index, ring->next.wrap);
	return 0;
}

/* The word that is held back tells of all that was used since: it gets the last id. */
static void use_in_batch(struct ring *ring, const struct ring_used *used, unsigned n)
{
	if (ring->pending == 0) {
		ring->first_slot = ring->next.index;
		ring->first_wrap = ring->next.wrap;
	}
	for (unsigned i = 0; i < n; i++) {
		ring->pending = (uint16_t)(ring->pending + used[i].slots);
		advance(ring, &ring->next, used[i].slots);
	}
	ring->first_word = used_word(used[n - 1].id, 0, ring->first_wrap);
}

static void use_one(struct ring *ring, const struct ring_used *used)
{
	uint64_t word = used_word(used->id, used->written, ring->next.wrap);

	if (unlikely(ring->inflight != NULL)) {
		use_at_once(ring, used->slots, word);
		return;
	}
	if (ring->pending == 0) {
		ring->first_slot = ring->next.index;
		ring->first_word = word;
	} else {
		guest_store64(tail_of(ring, ring->next.index), word);
		ring_log_used(ring, (uint32_t)ring->next.index * VIRTQ_DESC_SIZE, VIRTQ_DESC_SIZE);
	}
	ring->pending = (uint16_t)(ring->pending + used->slots);
	advance(ring, &ring->next, used->slots);
}

void ring_packed_use(struct ring *ring, const struct ring_used *used, unsigned n)
{
	struct ring_cursor at;
	unsigned slots = 0;

	if (n == 0)
		return;
	if (ring->batch && !ring->inflight) {
		use_in_batch(ring, used, n);
		return;
	}
	use_one(ring, used);
	if (unlikely(!ring->desc || ring->log_used || ring->inflight)) {
		for (unsigned i = 1; i < n; i++)
			use_one(ring, &used[i]);
		return;
	}
	at = ring->next;
	for (unsigned i = 1; i < n; i++) {
		guest_store64(ring->desc + (uint32_t)at.index * VIRTQ_DESC_SIZE + VIRTQ_DESC_LEN,
			      used_word(used[i].id, used[i].written, at.wrap));
		slots += used[i].slots;
		advance(ring, &at, used[i].slots);
	}
	ring->next = at;
	ring->pending = (uint16_t)(ring->pending + slots);
}

static bool wants_interrupt(struct ring *ring, uint16_t count)
{
	uint16_t off_wrap, flags = guest_load16(ring_at(ring, RING_DRIVER, VIRTQ_EVENT_FLAGS));
	uint32_t behind, offset;

	if (flags != VIRTQ_EVENT_F_DESC || !ring->event_idx)
		return flags != VIRTQ_EVENT_F_DISABLE;
	off_wrap = guest_load16(ring_at(ring, RING_DRIVER, VIRTQ_EVENT_OFF_WRAP));
	offset = off_wrap & 0x7fff;
	/* How far the event lies behind the next slot, counted backwards around the ring. */
	if ((bool)(off_wrap >> 15) == ring->next.wrap)
		behind = (uint32_t)ring->next.index - offset;
	else
		behind = (uint32_t)ring->next.index + ring->size - offset;
	return behind - 1 < count;
}

bool ring_packed_publish(struct ring *ring)
{
	uint16_t count = ring->pending;

	if (count == 0)
		return false;
	if (likely(ring->inflight == NULL)) {
		guest_store64_release(tail_of(ring, ring->first_slot), ring->first_word);
		ring_log_used(ring, (uint32_t)ring->first_slot * VIRTQ_DESC_SIZE, VIRTQ_DESC_SIZE);
	}
	ring->pending = 0;
	if (!ring->call)
		return false;
	/* The flags must be out before the driver's wish is read; the driver does the reverse. */
	atomic_thread_fence(memory_order_seq_cst);
	return wants_interrupt(ring, count);
}

static void suppress(struct ring *ring, uint16_t flags)
{
	guest_store16(ring_at(ring, RING_DEVICE, VIRTQ_EVENT_FLAGS), flags);
	dma_wrote(ring->dma, ring_at(ring, RING_DEVICE, 0), VIRTQ_EVENT_SIZE);
}

bool ring_packed_arm(struct ring *ring)
{
	suppress(ring, VIRTQ_EVENT_F_ENABLE);
	/* The wish must be out before the flags are read again; the driver does the reverse. */
	atomic_thread_fence(memory_order_seq_cst);
	return ring_packed_peek(ring, &ring->next) == RING_OK;
}

void ring_packed_disarm(struct ring *ring)
{
	suppress(ring, VIRTQ_EVENT_F_DISABLE);
}
