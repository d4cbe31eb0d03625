/* The split virtqueue, virtio 1.2 section 2.7. */
#include "dev/ring.h"

#include "dev/inflight.h"

static uint8_t *avail_idx(const struct ring *ring)
{
	return ring_at(ring, RING_DRIVER, VIRTQ_AVAIL_IDX);
}

static uint32_t avail_entry(const struct ring *ring, uint16_t index)
{
	return VIRTQ_AVAIL_RING + (uint32_t)(index & ring->mask) * VIRTQ_AVAIL_ENTRY_SIZE;
}

static uint32_t used_entry(const struct ring *ring, uint16_t index)
{
	return VIRTQ_USED_RING + (uint32_t)(index & ring->mask) * VIRTQ_USED_ENTRY_SIZE;
}

/* Reads the available index when what was seen of it is all consumed. */
enum ring_outcome ring_split_peek(struct ring *ring, const struct ring_cursor *at)
{
	uint16_t seen;

	if (ring->seen != at->index)
		return RING_OK;
	seen = guest_load16_acquire(avail_idx(ring));
	if (unlikely((uint16_t)(seen - ring->next.index) > ring->size))
		return ring_broken(ring, "available index %u is %u ahead of the device, in a ring of "
				   "%u", seen, (uint16_t)(seen - ring->next.index), ring->size);
	/* An index that went back behind what was seen would look like an endless supply. */
	if (unlikely((uint16_t)(seen - ring->next.index) <
		     (uint16_t)(ring->seen - ring->next.index)))
		return ring_broken(ring, "available index went back from %u to %u", ring->seen, seen);
	ring->seen = seen;
	return seen == at->index ? RING_EMPTY : RING_OK;
}

static void read_desc(const struct ring *ring, uint16_t id, struct ring_desc *desc, uint16_t *next)
{
	const uint8_t *at = ring_at(ring, RING_DESC, (uint32_t)id * VIRTQ_DESC_SIZE);
	uint64_t word = guest_load64(at + VIRTQ_DESC_LEN);

	desc->addr = guest_load64(at + VIRTQ_DESC_ADDR);
	desc->len = (uint32_t)word;
	desc->flags = (uint16_t)(word >> 32);
	desc->id = id;
	*next = (uint16_t)(word >> 48);
}

enum ring_outcome ring_split_walk(struct ring_walk *walk, struct ring_cursor *at)
{
	struct ring *ring = walk->ring;
	uint16_t id = guest_load16(ring_at(ring, RING_DRIVER, avail_entry(ring, at->index)));

	at->index++;
	walk->chain->id = id;
	walk->chain->slots = 1;
	for (unsigned steps = 0;; steps++) {
		struct ring_desc desc;
		enum ring_outcome outcome;
		uint16_t next;

		if (id >= ring->size)
			return ring_broken(ring, "descriptor %u in a ring of %u", id, ring->size);
		if (steps == ring->size)
			return ring_broken(ring, "the chain that begins at descriptor %u has a loop",
					   walk->chain->id);
		read_desc(ring, id, &desc, &next);
		if (desc.flags & VIRTQ_DESC_F_INDIRECT)
			return ring_walk_table(walk, &desc);
		outcome = ring_walk_add(walk, &desc);
		if (outcome != RING_OK || !(desc.flags & VIRTQ_DESC_F_NEXT))
			return outcome;
		id = next;
	}
}

/* The driver's core has these lines; the stores of ring_split_use() must not wait for each.  Where there will be
 * none, they stay with both cores. */
static void prefetch_used(const struct ring *ring, uint16_t index, unsigned n)
{
	enum { A_LINE = 64 / VIRTQ_USED_ENTRY_SIZE };

	if (ring->repeats)
		return;
	for (unsigned i = 0; i < n; i += A_LINE)
		prefetch_write(ring->device + used_entry(ring, (uint16_t)(index + i)));
}

unsigned ring_split_look(struct ring *ring, struct ring_cursor *at, uint16_t flags,
			 struct ring_desc *descs, unsigned max)
{
	unsigned n = (uint16_t)(ring->seen - at->index), i;

	if (n < max) {
		struct ring_cursor end = { .index = ring->seen };

		if (ring_split_peek(ring, &end) == RING_BROKEN)
			return 0;
		n = (uint16_t)(ring->seen - at->index);
	}
	n = min_u32(n, max);
	for (i = 0; i < n; i++) {
		uint16_t id = guest_load16(ring->driver + avail_entry(ring, (uint16_t)(at->index + i)));

		if (unlikely(id >= ring->size))
			break;
		descs[i].id = id;
		prefetch(ring->desc + (uint32_t)id * VIRTQ_DESC_SIZE);
	}
	n = i;
	prefetch_used(ring, at->index, n);
	for (i = 0; i < n; i++) {
		const uint8_t *desc = ring->desc + (uint32_t)descs[i].id * VIRTQ_DESC_SIZE;
		uint64_t word = guest_load64(desc + VIRTQ_DESC_LEN);

		descs[i].addr = guest_load64(desc + VIRTQ_DESC_ADDR);
		descs[i].len = (uint32_t)word;
		if (unlikely((uint16_t)(word >> 32) != flags || descs[i].len == 0))
			break;
	}
	at->index = (uint16_t)(at->index + i);
	return i;
}

/* Anywhere, with all that may be asked for. */
static void use_one(struct ring *ring, uint16_t index, const struct ring_used *used)
{
	uint32_t offset = used_entry(ring, index);

	guest_store32(ring_at(ring, RING_DEVICE, offset), used->id);
	/* Entries are aligned to 4, so their second half may be in another page. */
	guest_store32(ring_at(ring, RING_DEVICE, offset + 4), used->written);
	ring_log_used(ring, offset, VIRTQ_USED_ENTRY_SIZE);
	if (ring->inflight)
		inflight_split_use(ring->inflight, used->id);
}

/* A driver that uses its ring in order gives the same buffers to the same entries again, so that an entry often says
 * already what it is to say.  It is not written then: its line stays in the cache of the driver's core, too. */
void ring_split_use(struct ring *ring, const struct ring_used *used, unsigned n)
{
	uint16_t index = ring->next.index, mask = ring->mask;
	uint8_t *entries = ring->device;
	bool repeats = true;

	ring->next.index = (uint16_t)(index + n);
	ring->pending = (uint16_t)(ring->pending + n);
	if (unlikely(!entries || ring->log_used || ring->inflight)) {
		for (unsigned i = 0; i < n; i++)
			use_one(ring, (uint16_t)(index + i), &used[i]);
		return;
	}
	entries += VIRTQ_USED_RING;
	for (unsigned i = 0; i < n; i++) {
		uint8_t *entry = entries + ((index + i) & mask) * VIRTQ_USED_ENTRY_SIZE;

		if (guest_load32(entry) == used[i].id && guest_load32(entry + 4) == used[i].written)
			continue;
		guest_store32(entry, used[i].id);
		guest_store32(entry + 4, used[i].written);
		repeats = false;
	}
	ring->repeats = repeats;
}

/* Whether 'event' is among the entries old..now, sections 2.7.7 and 2.7.10. */
static bool passed(uint16_t event, uint16_t now, uint16_t old)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

static uint16_t used_event(const struct ring *ring)
{
	return guest_load16(ring_at(ring, RING_DRIVER, VIRTQ_AVAIL_RING +
			    ring->size * (uint32_t)VIRTQ_AVAIL_ENTRY_SIZE));
}

static bool wants_interrupt(struct ring *ring)
{
	uint16_t now = ring->next.index, old = ring->signalled;
	bool valid = ring->signalled_valid;

	if (!ring->event_idx)
		return !(guest_load16(ring_at(ring, RING_DRIVER, VIRTQ_AVAIL_FLAGS)) &
			 VIRTQ_AVAIL_F_NO_INTERRUPT);
	ring_told(ring);
	return !valid || passed(used_event(ring), now, old);
}

/* A driver asks for the next entry after those that it took back, so its event says how many it has
 * under way.  One that asks for a later one seems to have fewer; what makes no sense is not known. */
struct call_sight ring_sight(struct ring *ring)
{
	struct call_sight sight = { .posted = ring->seen };
	uint16_t event;

	if (!ring->call)
		return sight;
	/* As below: what was shown before must be out. */
	atomic_thread_fence(memory_order_seq_cst);
	event = used_event(ring);
	sight.wanted = !ring->signalled_valid || passed(event, ring->next.index, ring->signalled);
	if ((uint16_t)(ring->seen - event) <= ring->size &&
	    (uint16_t)(ring->next.index - event) <= (uint16_t)(ring->seen - event))
		sight.under_way = (uint16_t)(ring->seen - event);
	return sight;
}

void ring_show(struct ring *ring)
{
	uint8_t *idx = ring_at(ring, RING_DEVICE, VIRTQ_USED_IDX);

	if (unlikely(ring->inflight != NULL))
		inflight_split_publish(ring->inflight, ring->size, idx, ring->next.index);
	else
		guest_store16_release(idx, ring->next.index);
	ring_log_used(ring, VIRTQ_USED_IDX, 2);
	ring->pending = 0;
}

bool ring_split_publish(struct ring *ring)
{
	ring_show(ring);
	if (!ring->call)
		return false;
	/* The index must be out before the driver's wish is read; the driver does the reverse. */
	atomic_thread_fence(memory_order_seq_cst);
	return wants_interrupt(ring);
}

bool ring_split_arm(struct ring *ring)
{
	struct ring_cursor end = { .index = ring->seen };

	if (ring->event_idx) {
		uint32_t offset = VIRTQ_USED_RING + ring->size * (uint32_t)VIRTQ_USED_ENTRY_SIZE;

		guest_store16(ring_at(ring, RING_DEVICE, offset), ring->seen);
		ring_log_used(ring, offset, 2);
	} else {
		guest_store16(ring_at(ring, RING_DEVICE, VIRTQ_USED_FLAGS), 0);
		ring_log_used(ring, VIRTQ_USED_FLAGS, 2);
	}
	/* The wish must be out before the index is read again; the driver does the reverse. */
	atomic_thread_fence(memory_order_seq_cst);
	return ring_split_peek(ring, &end) == RING_OK || ring->seen != ring->next.index;
}

void ring_split_disarm(struct ring *ring)
{
	if (ring->event_idx)
		return; /* an event index that was passed asks for nothing more */
	guest_store16(ring_at(ring, RING_DEVICE, VIRTQ_USED_FLAGS), VIRTQ_USED_F_NO_NOTIFY);
	ring_log_used(ring, VIRTQ_USED_FLAGS, 2);
}
