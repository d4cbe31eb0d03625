#include "sim/guest_ring.h"

#include "dev/guest_word.h"
#include "spec/virtio.h"

enum { PAGE = 4096 };

static uint32_t pages(uint32_t bytes)
{
	return (bytes + PAGE - 1) / PAGE * PAGE;
}

static uint32_t driver_bytes(uint16_t size)
{
	return pages(VIRTQ_AVAIL_RING + size * 2u + 2);
}

static uint32_t device_bytes(uint16_t size)
{
	return pages(VIRTQ_USED_RING + size * 8u + 2);
}

uint32_t guest_ring_bytes(uint16_t size)
{
	return pages(size * (uint32_t)VIRTQ_DESC_SIZE) + driver_bytes(size) + device_bytes(size) +
	       pages(size * (uint32_t)(GUEST_TABLE_MAX * VIRTQ_DESC_SIZE));
}

void guest_ring_init(struct guest_ring *ring, uint8_t *memory, uint64_t base, uint64_t at,
		     uint16_t size, uint64_t features)
{
	must(size > 0 && size <= GUEST_RING_MAX);
	memset(ring, 0, sizeof *ring);
	ring->memory = memory;
	ring->base = base;
	ring->size = size;
	ring->packed = features >> VIRTIO_F_RING_PACKED & 1;
	ring->event_idx = features >> VIRTIO_F_EVENT_IDX & 1;
	ring->indirect = features >> VIRTIO_F_INDIRECT_DESC & 1;
	ring->in_order = features >> VIRTIO_F_IN_ORDER & 1;
	ring->desc = at;
	ring->driver = ring->desc + pages(size * (uint32_t)VIRTQ_DESC_SIZE);
	ring->device = ring->driver + driver_bytes(size);
	ring->tables = ring->device + device_bytes(size);
	ring->avail_wrap = ring->used_wrap = true;
	ring->free_count = ring->id_count = size;
	memset(guest_at(ring, at), 0, guest_ring_bytes(size));
	/* Ids go out from the end of the list; a driver may number its chains as it likes. */
	for (uint16_t i = 0; i < size; i++)
		ring->free_ids[i] = (uint16_t)(size - 1 - i);
}

struct virtio_ring_conf guest_ring_conf(const struct guest_ring *ring)
{
	uint32_t base = ring->used;

	if (ring->packed) {
		base |= (uint32_t)ring->used_wrap << 15;
		base |= base << 16;
	}
	return (struct virtio_ring_conf){ .size = ring->size,
					  .desc = ring->desc + ring->iova_offset,
					  .driver = ring->driver + ring->iova_offset,
					  .device = ring->device + ring->iova_offset,
					  .base = base };
}

static uint8_t *desc_at(const struct guest_ring *ring, uint16_t index)
{
	return guest_at(ring, ring->desc) + (uint32_t)index * VIRTQ_DESC_SIZE;
}

static void write_split(const struct guest_ring *ring, uint8_t *at, const struct guest_buf *buf,
			uint16_t flags, uint16_t next)
{
	guest_store64(at, buf->addr + ring->iova_offset);
	guest_store32(at + VIRTQ_DESC_LEN, buf->size);
	guest_store16(at + VIRTQ_DESC_SPLIT_FLAGS,
		      (uint16_t)(flags | (buf->write ? VIRTQ_DESC_F_WRITE : 0)));
	guest_store16(at + VIRTQ_DESC_SPLIT_NEXT, next);
}

/* The indirect table of 'id', filled; returns the buffer that describes it. */
static struct guest_buf fill_table(struct guest_ring *ring, uint16_t id,
				   const struct guest_buf *bufs, unsigned count)
{
	uint64_t addr = ring->tables + (uint64_t)id * GUEST_TABLE_MAX * VIRTQ_DESC_SIZE;

	for (unsigned i = 0; i < count; i++) {
		uint8_t *at = guest_at(ring, addr) + i * VIRTQ_DESC_SIZE;
		bool more = i + 1 < count;

		write_split(ring, at, &bufs[i], more && !ring->packed ? VIRTQ_DESC_F_NEXT : 0,
			    (uint16_t)(i + 1));
		if (ring->packed) /* id and flags have changed places */
			put_le32(at + VIRTQ_DESC_PACKED_ID,
				 (uint32_t)(bufs[i].write ? VIRTQ_DESC_F_WRITE : 0) << 16);
	}
	return (struct guest_buf){ .addr = addr, .size = count * (uint32_t)VIRTQ_DESC_SIZE };
}

static void add_split(struct guest_ring *ring, const struct guest_buf *bufs, unsigned count,
		      uint16_t extra, uint64_t cookie)
{
	uint16_t descs[GUEST_TABLE_MAX];
	struct guest_chain *chain;

	for (unsigned i = 0; i < count; i++)
		descs[i] = ring->free_ids[--ring->free_count];
	chain = &ring->chains[descs[0]];
	chain->cookie = cookie;
	chain->slots = (uint16_t)count;
	memcpy(chain->descs, descs, sizeof descs);
	for (unsigned i = 0; i < count; i++) {
		bool more = i + 1 < count;

		write_split(ring, desc_at(ring, descs[i]), &bufs[i],
			    (uint16_t)(extra | (more ? VIRTQ_DESC_F_NEXT : 0)),
			    more ? descs[i + 1] : 0);
	}
	guest_store16(guest_at(ring, ring->driver) + VIRTQ_AVAIL_RING +
		      (uint16_t)(ring->avail + ring->pending) % ring->size * 2u, descs[0]);
}

static void advance(const struct guest_ring *ring, uint16_t *slot, bool *wrap, uint16_t by)
{
	*slot = (uint16_t)(*slot + by);
	if (*slot >= ring->size) {
		*slot = (uint16_t)(*slot - ring->size);
		*wrap = !*wrap;
	}
}

static void add_packed(struct guest_ring *ring, const struct guest_buf *bufs, unsigned count,
		       uint16_t extra, uint64_t cookie, uint16_t id)
{
	ring->chains[id].cookie = cookie;
	ring->chains[id].slots = (uint16_t)count;
	ring->order[(ring->order_first + ring->order_count++) % GUEST_RING_MAX] = id;
	ring->free_count = (uint16_t)(ring->free_count - count);
	for (unsigned i = 0; i < count; i++) {
		uint8_t *at = desc_at(ring, ring->avail);
		uint16_t flags = (uint16_t)(extra | (bufs[i].write ? VIRTQ_DESC_F_WRITE : 0) |
			(i + 1 < count ? VIRTQ_DESC_F_NEXT : 0) |
			(ring->avail_wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED));

		guest_store64(at, bufs[i].addr + ring->iova_offset);
		guest_store32(at + VIRTQ_DESC_LEN, bufs[i].size);
		guest_store16(at + VIRTQ_DESC_PACKED_ID, id);
		if (ring->pending == 0 && i == 0) {
			ring->head_slot = ring->avail;
			ring->head_flags = flags;
		} else {
			guest_store16_release(at + VIRTQ_DESC_PACKED_FLAGS, flags);
		}
		advance(ring, &ring->avail, &ring->avail_wrap, 1);
	}
}

bool guest_ring_add(struct guest_ring *ring, const struct guest_buf *bufs, unsigned count,
		    enum guest_layout layout, uint64_t cookie)
{
	unsigned need = layout == GUEST_INDIRECT ? 1 : count;
	uint16_t extra = layout == GUEST_INDIRECT ? VIRTQ_DESC_F_INDIRECT : 0;
	struct guest_buf table;
	uint16_t id;

	must(count > 0 && count <= GUEST_TABLE_MAX);
	must(layout == GUEST_DIRECT || ring->indirect);
	if (need > ring->free_count || (ring->packed && ring->id_count == 0))
		return false;
	id = ring->free_ids[(ring->packed ? ring->id_count : ring->free_count) - 1];
	if (layout == GUEST_INDIRECT) {
		table = fill_table(ring, id, bufs, count);
		bufs = &table;
	}
	if (ring->packed) {
		ring->id_count--;
		add_packed(ring, bufs, need, extra, cookie, id);
	} else {
		add_split(ring, bufs, need, extra, cookie);
	}
	ring->pending++;
	return true;
}

static bool publish_split(struct guest_ring *ring)
{
	uint8_t *device = guest_at(ring, ring->device);
	uint16_t old = ring->avail, event;

	ring->avail = (uint16_t)(ring->avail + ring->pending);
	guest_store16_release(guest_at(ring, ring->driver) + VIRTQ_AVAIL_IDX, ring->avail);
	atomic_thread_fence(memory_order_seq_cst);
	if (!ring->event_idx)
		return !(guest_load16(device + VIRTQ_USED_FLAGS) & VIRTQ_USED_F_NO_NOTIFY);
	event = guest_load16(device + VIRTQ_USED_RING + ring->size * 8u);
	return (uint16_t)(ring->avail - event - 1) < (uint16_t)(ring->avail - old);
}

static bool publish_packed(struct guest_ring *ring)
{
	guest_store16_release(desc_at(ring, ring->head_slot) + VIRTQ_DESC_PACKED_FLAGS,
			      ring->head_flags);
	atomic_thread_fence(memory_order_seq_cst);
	return guest_load16(guest_at(ring, ring->device) + VIRTQ_EVENT_FLAGS) !=
	       VIRTQ_EVENT_F_DISABLE;
}

bool guest_ring_publish(struct guest_ring *ring)
{
	bool kick;

	if (ring->pending == 0)
		return false;
	kick = ring->packed ? publish_packed(ring) : publish_split(ring);
	ring->pending = 0;
	return kick;
}

static bool take_split(struct guest_ring *ring, uint64_t *cookie, uint32_t *written)
{
	const uint8_t *device = guest_at(ring, ring->device), *entry;
	const struct guest_chain *chain;

	if (guest_load16_acquire(device + VIRTQ_USED_IDX) == ring->used)
		return false;
	entry = device + VIRTQ_USED_RING + ring->used % ring->size * 8u;
	must(guest_load32(entry) < ring->size);
	chain = &ring->chains[guest_load32(entry)];
	must(chain->slots > 0);
	*written = guest_load32(entry + 4);
	*cookie = chain->cookie;
	for (unsigned i = chain->slots; i-- > 0;)
		ring->free_ids[ring->free_count++] = chain->descs[i];
	ring->chains[guest_load32(entry)].slots = 0;
	ring->used++;
	return true;
}

/* Whether the device has used the next slot: the id and what was written are there then. */
static bool see_packed(const struct guest_ring *ring, uint16_t *id, uint32_t *written)
{
	const uint8_t *at = desc_at(ring, ring->used);
	uint16_t flags = guest_load16_acquire(at + VIRTQ_DESC_PACKED_FLAGS);
	bool avail = flags & VIRTQ_DESC_F_AVAIL, used = flags & VIRTQ_DESC_F_USED;

	if (avail != ring->used_wrap || used != ring->used_wrap)
		return false;
	*id = guest_load16(at + VIRTQ_DESC_PACKED_ID);
	*written = guest_load32(at + VIRTQ_DESC_LEN);
	must(*id < ring->size && ring->chains[*id].slots > 0);
	return true;
}

/* Of a device that uses in order one used descriptor tells of all chains up to its id: each is taken by itself.
 * What is skipped was used wholly, so nothing can have been written in a batch of several. */
static bool see_in_order(struct guest_ring *ring, uint16_t *id, uint32_t *written)
{
	if (!ring->in_batch && !see_packed(ring, &ring->batch_last, &ring->batch_written))
		return false;
	must(ring->order_count > 0);
	*id = ring->order[ring->order_first];
	*written = ring->batch_written;
	ring->order_first = (uint16_t)((ring->order_first + 1) % GUEST_RING_MAX);
	ring->order_count--;
	ring->in_batch = *id != ring->batch_last;
	must(!ring->in_batch || *written == 0);
	return true;
}

static bool take_packed(struct guest_ring *ring, uint64_t *cookie, uint32_t *written)
{
	uint16_t id;

	if (!(ring->in_order ? see_in_order(ring, &id, written) : see_packed(ring, &id, written)))
		return false;
	*cookie = ring->chains[id].cookie;
	ring->free_count = (uint16_t)(ring->free_count + ring->chains[id].slots);
	advance(ring, &ring->used, &ring->used_wrap, ring->chains[id].slots);
	ring->chains[id].slots = 0;
	ring->free_ids[ring->id_count++] = id;
	return true;
}

bool guest_ring_take(struct guest_ring *ring, uint64_t *cookie, uint32_t *written)
{
	return ring->packed ? take_packed(ring, cookie, written) : take_split(ring, cookie, written);
}

static void wish_packed(struct guest_ring *ring, enum guest_wish wish, uint16_t after)
{
	uint8_t *driver = guest_at(ring, ring->driver);
	uint16_t slot = ring->used;
	bool wrap = ring->used_wrap;

	advance(ring, &slot, &wrap, after);
	guest_store16(driver + VIRTQ_EVENT_OFF_WRAP, (uint16_t)(slot | (wrap ? 0x8000u : 0)));
	guest_store16(driver + VIRTQ_EVENT_FLAGS,
		      wish == GUEST_NO_INTERRUPT ? VIRTQ_EVENT_F_DISABLE :
		      wish == GUEST_INTERRUPT ? VIRTQ_EVENT_F_ENABLE : VIRTQ_EVENT_F_DESC);
}

void guest_ring_wish(struct guest_ring *ring, enum guest_wish wish, uint16_t after)
{
	uint8_t *driver = guest_at(ring, ring->driver);

	if (ring->packed) {
		wish_packed(ring, wish, after);
	} else if (ring->event_idx) {
		uint16_t event = (uint16_t)(ring->used + (wish == GUEST_INTERRUPT ? 0 : after));

		if (wish == GUEST_NO_INTERRUPT)
			event = (uint16_t)(ring->used - 1);
		guest_store16(driver + VIRTQ_AVAIL_RING + ring->size * 2u, event);
	} else {
		guest_store16(driver + VIRTQ_AVAIL_FLAGS,
			      wish == GUEST_NO_INTERRUPT ? VIRTQ_AVAIL_F_NO_INTERRUPT : 0);
	}
}
