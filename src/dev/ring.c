#include "dev/ring.h"

#include "dev/inflight.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum ring_outcome ring_broken(struct ring *ring, const char *format, ...)
{
	va_list arguments;
	int used;

	if (ring->blame[0])
		return RING_BROKEN;
	used = snprintf(ring->blame, RING_BLAME_SIZE, "queue %u: ", ring->number);
	va_start(arguments, format);
	vsnprintf(ring->blame + used, (size_t)(RING_BLAME_SIZE - used), format, arguments);
	va_end(arguments);
	return RING_BROKEN;
}

static uint32_t area_size(const struct ring *ring, unsigned area)
{
	if (area == RING_DESC)
		return (uint32_t)ring->size * VIRTQ_DESC_SIZE;
	if (ring->packed)
		return VIRTQ_EVENT_SIZE;
	if (area == RING_DRIVER)
		return VIRTQ_AVAIL_RING + ring->size * (uint32_t)VIRTQ_AVAIL_ENTRY_SIZE + 2;
	return VIRTQ_USED_RING + ring->size * (uint32_t)VIRTQ_USED_ENTRY_SIZE + 2;
}

static unsigned area_align(const struct ring *ring, unsigned area)
{
	if (area == RING_DESC)
		return VIRTQ_DESC_ALIGN;
	if (ring->packed)
		return VIRTQ_EVENT_ALIGN;
	return area == RING_DRIVER ? VIRTQ_AVAIL_ALIGN : VIRTQ_USED_ALIGN;
}

static enum dma_access area_access(const struct ring *ring, unsigned area)
{
	if (area == RING_DESC)
		return ring->packed ? DMA_READ | DMA_WRITE : DMA_READ;
	return area == RING_DRIVER ? DMA_READ : DMA_WRITE;
}

/* Reaches an area page by page; 'flat' comes out when the pages lie in one piece. */
static enum ring_outcome map_area(struct ring *ring, unsigned number)
{
	struct ring_area *area = &ring->area[number];
	uint64_t addr = ring->addr[number];
	uint32_t size = area_size(ring, number), done = 0, n, got;
	enum ring_outcome outcome = RING_OK;
	bool flat = true;

	area->first = (uint32_t)(addr % RING_AREA_PAGE);
	for (unsigned i = 0; done < size; i++, done += n) {
		n = min_u32(size - done, RING_AREA_PAGE - (uint32_t)((addr + done) % RING_AREA_PAGE));
		switch (dma_reach(ring->dma, addr + done, n, area_access(ring, number),
				  &area->page[i], &got)) {
		case DMA_MISS:
			outcome = RING_MISS;
			continue;
		case DMA_FAULT:
			return ring_broken(ring, "the ring's %s area at 0x%llx (%u bytes) was not "
					   "granted", number == RING_DESC ? "descriptor" :
					   number == RING_DRIVER ? "driver" : "device",
					   (unsigned long long)addr, size);
		case DMA_OK:
			break;
		}
		if (got < n || (uintptr_t)area->page[i] % area_align(ring, number))
			return ring_broken(ring, "a page of the ring at 0x%llx is in pieces or "
					   "misaligned", (unsigned long long)(addr + done));
		flat = flat && (i == 0 || (outcome == RING_OK && area->page[i] == area->page[0] + done));
	}
	area->flat = flat && outcome == RING_OK ? area->page[0] : NULL;
	return outcome;
}

enum ring_outcome ring_map(struct ring *ring)
{
	uint32_t epoch = dma_epoch(ring->dma);
	enum ring_outcome worst = RING_OK;
	bool flat = true;

	if (ring->blame[0])
		return RING_BROKEN;
	ring->mapped = false;
	for (unsigned i = 0; i < array_len(ring->area); i++) {
		enum ring_outcome outcome = map_area(ring, i);

		worst = outcome > worst ? outcome : worst;
		flat = flat && ring->area[i].flat;
	}
	if (worst != RING_OK)
		return worst;
	ring->desc = flat ? ring->area[RING_DESC].flat : NULL;
	ring->driver = flat ? ring->area[RING_DRIVER].flat : NULL;
	ring->device = flat ? ring->area[RING_DEVICE].flat : NULL;
	ring->epoch = epoch;
	ring->mapped = true;
	if (!ring->armed)
		ring_disarm(ring);
	return RING_OK;
}

static int check_conf(const struct ring *ring, const struct virtio_ring_conf *conf,
		      struct refusal *why)
{
	const uint64_t addr[3] = { conf->desc, conf->driver, conf->device };

	if (conf->size == 0 || conf->size > RING_SIZE_MAX) {
		refuse(why, "", "queue %u: a ring has 1 to %d entries, not %u", ring->number,
		       RING_SIZE_MAX, conf->size);
		return -EINVAL;
	}
	if (!ring->packed && !is_power_of_two(conf->size)) {
		refuse(why, "", "queue %u: a split ring has a power of two of entries, not %u",
		       ring->number, conf->size);
		return -EINVAL;
	}
	for (unsigned i = 0; i < array_len(addr); i++)
		if (addr[i] % area_align(ring, i)) {
			refuse(why, "", "queue %u: area %u of the ring at 0x%llx is not aligned to "
			       "%u bytes", ring->number, i, (unsigned long long)addr[i],
			       area_align(ring, i));
			return -EINVAL;
		}
	if (ring->packed && ((conf->base >> 16) & 0x7fff) >= conf->size) {
		refuse(why, "", "queue %u: base 0x%x is outside a ring of %u entries", ring->number,
		       conf->base, conf->size);
		return -EINVAL;
	}
	return 0;
}

/* What a frontend says of a packed ring that has never run when it knows of no used half: DPDK's
 * virtio-user.  In a ring that has run, it would mean that all of it is in flight. */
enum { FRESH_WITHOUT_USED_HALF = 1 << 15 };

static void set_base(struct ring *ring, uint32_t base)
{
	if (ring->packed && base == FRESH_WITHOUT_USED_HALF)
		base |= base << 16;
	/* In-flight chains of a predecessor are read again: we go on from what was used. */
	ring->next.index = (uint16_t)(ring->packed ? (base >> 16) & 0x7fff : base);
	ring->next.wrap = ring->packed && base >> 31;
	ring->seen = ring->next.index;
	ring->signalled = ring->next.index;
	ring->signalled_valid = false;
	ring->pending = 0;
	ring->armed = false;
}

/* Takes up the in-flight region, which knows better than the base where to go on. */
static int start_inflight(struct ring *ring, const struct virtio_ring_conf *conf)
{
	uint8_t *region = conf->inflight;
	int err;

	if (!region)
		return 0;
	if (conf->inflight_size < inflight_size(ring->packed, ring->size) || !ring->mapped)
		return -EINVAL;
	if (ring->packed) {
		err = inflight_packed_start(region, ring->size, &ring->next.index, &ring->next.wrap);
	} else {
		set_base(ring, guest_load16(ring_at(ring, RING_DEVICE, VIRTQ_USED_IDX)));
		err = inflight_split_start(region, ring->size, ring->next.index);
	}
	if (err)
		return err;
	ring->inflight = region;
	return ring->packed ? ring_packed_resume(ring) : 0;
}

int ring_start(struct ring *ring, const struct virtio_ring_conf *conf, struct refusal *why)
{
	enum ring_outcome outcome;
	int err = check_conf(ring, conf, why);

	if (err)
		return err;
	ring->size = (uint16_t)conf->size;
	ring->mask = (uint16_t)(conf->size - 1);
	ring->addr[RING_DESC] = conf->desc;
	ring->addr[RING_DRIVER] = conf->driver;
	ring->addr[RING_DEVICE] = conf->device;
	ring->log_used = conf->log_used;
	ring->log_addr = conf->log_addr;
	ring->inflight = NULL;
	ring->mapped = false;
	set_base(ring, conf->base);
	outcome = ring_map(ring);
	if (outcome == RING_BROKEN) {
		refuse(why, "", "%s", ring->blame);
		ring->blame[0] = '\0';
		ring->size = 0;
		return -EINVAL;
	}
	if (outcome == RING_MISS && conf->inflight) {
		refuse(why, "", "queue %u: its pages have no translation yet", ring->number);
		ring->size = 0;
		return -EAGAIN;
	}
	err = start_inflight(ring, conf);
	if (err) {
		refuse(why, "", "queue %u: the in-flight region of %u bytes is not one of a ring of "
		       "%u entries", ring->number, conf->inflight_size, ring->size);
		ring->size = 0;
	}
	return err;
}

uint32_t ring_base(const struct ring *ring)
{
	uint32_t base = ring->next.index;

	if (!ring->packed)
		return base;
	base |= (uint32_t)ring->next.wrap << 15;
	return base | base << 16;
}

uint32_t ring_stop(struct ring *ring)
{
	if (ring->size && ring->pending && ring->mapped && ring->epoch == dma_epoch(ring->dma))
		ring_publish(ring);
	ring->size = 0;
	ring->mapped = false;
	return ring_base(ring);
}

/* Reaches one buffer of a chain, and notes its parts. */
static enum ring_outcome add_buffer(struct ring_walk *walk, uint64_t addr, uint32_t size,
				    bool write)
{
	struct ring *ring = walk->ring;
	struct ring_chain *chain = walk->chain;
	uint32_t got = 0;

	for (uint32_t done = 0; done < size; done += got) {
		struct ring_piece *last = chain->count ? &walk->pieces[chain->count - 1] : NULL;
		uint8_t *host;

		switch (dma_reach(ring->dma, addr + done, size - done, write ? DMA_WRITE : DMA_READ,
				  &host, &got)) {
		case DMA_MISS: /* ask for the rest at once: page after page */
			walk->missed = true;
			got = min_u32(size - done,
				      PAGE_REQUEST_SIZE - (uint32_t)((addr + done) % PAGE_REQUEST_SIZE));
			continue;
		case DMA_FAULT: /* one report a chain: the rest of it is checked, not reached */
			walk->blocked = true;
			walk->want = 0;
			return RING_OK;
		case DMA_OK:
			break;
		}
		if (last && chain->count > (write ? chain->readable : 0) &&
		    last->bytes + last->size == host) {
			last->size += got;
			continue;
		}
		if (chain->count == walk->max)
			return ring_broken(ring, "a chain of more than %u parts", walk->max);
		walk->pieces[chain->count++] = (struct ring_piece){ host, got };
		if (!write)
			chain->readable = chain->count;
	}
	return RING_OK;
}

enum ring_outcome ring_walk_add(struct ring_walk *walk, const struct ring_desc *desc)
{
	struct ring_chain *chain = walk->chain;
	bool write = desc->flags & VIRTQ_DESC_F_WRITE;
	uint32_t *sum = write ? &chain->write_bytes : &chain->read_bytes;
	uint32_t before = *sum;

	walk->ring->work++;
	if (desc->len == 0)
		return ring_broken(walk->ring, "descriptor %u has no length", desc->id);
	if (!(walk->access & (write ? RING_WRITE : RING_READ)))
		return ring_broken(walk->ring, "descriptor %u is for %s", desc->id,
				   write ? "writing, in a queue that is read" :
					   "reading, in a queue that is written");
	if (!write && chain->write_bytes)
		return ring_broken(walk->ring, "descriptor %u is for reading, behind one for "
				   "writing", desc->id);
	if (desc->len > UINT32_MAX - before)
		return ring_broken(walk->ring, "a chain of 4 GiB or more");
	*sum += desc->len;
	if (before >= walk->want)
		return RING_OK;
	return add_buffer(walk, desc->addr, min_u32(desc->len, walk->want - before), write);
}

/* Copies descriptor 'index' of an indirect table, wherever its bytes lie. */
static enum ring_outcome table_entry(struct ring *ring, const struct ring_desc *table,
				     uint32_t index, struct ring_desc *desc)
{
	uint8_t bytes[VIRTQ_DESC_SIZE], *host;
	uint64_t addr = table->addr + (uint64_t)index * VIRTQ_DESC_SIZE;
	uint32_t got;

	for (uint32_t done = 0; done < VIRTQ_DESC_SIZE; done += got) {
		switch (dma_reach(ring->dma, addr + done, VIRTQ_DESC_SIZE - done, DMA_READ, &host,
				  &got)) {
		case DMA_MISS:
			return RING_MISS;
		case DMA_FAULT:
			return RING_BLOCKED;
		case DMA_OK:
			memcpy(bytes + done, host, got);
		}
	}
	guest_read_is_over();
	desc->addr = get_le64(bytes + VIRTQ_DESC_ADDR);
	desc->len = get_le32(bytes + VIRTQ_DESC_LEN);
	desc->flags = get_le16(bytes + (ring->packed ? VIRTQ_DESC_PACKED_FLAGS :
						       VIRTQ_DESC_SPLIT_FLAGS));
	desc->id = get_le16(bytes + (ring->packed ? VIRTQ_DESC_PACKED_ID : VIRTQ_DESC_SPLIT_NEXT));
	return RING_OK;
}

/* The chain inside the table that 'table' points at; section 2.7.5.3 and 2.8.7.  In a split
 * ring the entries are linked, in a packed one they follow each other. */
enum ring_outcome ring_walk_table(struct ring_walk *walk, const struct ring_desc *table)
{
	struct ring *ring = walk->ring;
	uint32_t count = table->len / VIRTQ_DESC_SIZE, index = 0;

	if (!ring->indirect)
		return ring_broken(ring, "descriptor %u is indirect, which was not negotiated",
				   table->id);
	if (table->flags & VIRTQ_DESC_F_NEXT)
		return ring_broken(ring, "descriptor %u is indirect and has a next one", table->id);
	if (count == 0 || table->len % VIRTQ_DESC_SIZE ||
	    (count > RING_TABLE_MAX && count > ring->size))
		return ring_broken(ring, "descriptor %u has an indirect table of %u bytes",
				   table->id, table->len);
	for (uint32_t steps = 1;; steps++) {
		struct ring_desc desc;
		enum ring_outcome outcome = table_entry(ring, table, index, &desc);
		uint16_t next = desc.id;

		if (outcome != RING_OK)
			return outcome;
		if (desc.flags & VIRTQ_DESC_F_INDIRECT)
			return ring_broken(ring, "descriptor %u has an indirect descriptor in its "
					   "indirect table", table->id);
		desc.id = (uint16_t)index;
		outcome = ring_walk_add(walk, &desc);
		if (outcome != RING_OK)
			return outcome;
		if (ring->packed ? steps == count : !(desc.flags & VIRTQ_DESC_F_NEXT))
			return RING_OK;
		index = ring->packed ? index + 1 : next;
		if (index >= count)
			return ring_broken(ring, "the indirect table of descriptor %u goes on at "
					   "entry %u of %u", table->id, index, count);
		if (steps == count)
			return ring_broken(ring, "the indirect table of descriptor %u has a loop",
					   table->id);
	}
}

enum ring_outcome ring_peek(struct ring *ring, const struct ring_cursor *at)
{
	return ring->packed ? ring_packed_peek(ring, at) : ring_split_peek(ring, at);
}

enum ring_outcome ring_read_chain(struct ring *ring, struct ring_cursor *at,
				  enum ring_access access, uint32_t want, struct ring_chain *chain,
				  struct ring_piece *pieces, unsigned max)
{
	struct ring_walk walk = { .ring = ring, .chain = chain, .pieces = pieces, .max = max,
				  .access = access, .want = want };
	struct ring_cursor cursor = *at;
	enum ring_outcome outcome = ring_peek(ring, at);

	if (outcome != RING_OK)
		return outcome;
	memset(chain, 0, sizeof *chain);
	outcome = ring->packed ? ring_packed_walk(&walk, &cursor) : ring_split_walk(&walk, &cursor);
	walk.missed |= outcome == RING_MISS;
	walk.blocked |= outcome == RING_BLOCKED;
	if (outcome == RING_BROKEN)
		return outcome;
	*at = cursor;
	if (walk.blocked)
		return RING_BLOCKED;
	return walk.missed ? RING_MISS : RING_OK;
}

unsigned ring_look(struct ring *ring, struct ring_cursor *at, uint16_t flags,
		   struct ring_desc *descs, unsigned max)
{
	return ring->packed ? ring_packed_look(ring, at, flags, descs, max) :
			      ring_split_look(ring, at, flags, descs, max);
}

void ring_use(struct ring *ring, const struct ring_used *used, unsigned n)
{
	if (ring->packed)
		ring_packed_use(ring, used, n);
	else
		ring_split_use(ring, used, n);
}

bool ring_publish(struct ring *ring)
{
	return ring->packed ? ring_packed_publish(ring) : ring_split_publish(ring);
}

/* Of a split ring the frontend says where it is in the log.  Behind an IOMMU it says the I/O virtual address,
 * which the log does not know, and of a packed ring where the device area is, which is not what was written: there
 * the bytes themselves tell.  'size' is at most a descriptor's, so it is in two pages at most. */
void ring_log_used(struct ring *ring, uint32_t offset, uint32_t size)
{
	unsigned area = ring->packed ? RING_DESC : RING_DEVICE;

	if (likely(!ring->log_used))
		return;
	if (!ring->packed && !ring->dma->requests) {
		dma_wrote_guest(ring->dma, ring->log_addr + offset, size);
		return;
	}
	dma_wrote(ring->dma, ring_at(ring, area, offset), 1);
	dma_wrote(ring->dma, ring_at(ring, area, offset + size - 1), 1);
}

bool ring_arm(struct ring *ring)
{
	ring->armed = true;
	return ring->packed ? ring_packed_arm(ring) : ring_split_arm(ring);
}

void ring_disarm(struct ring *ring)
{
	ring->armed = false;
	if (ring->packed)
		ring_packed_disarm(ring);
	else
		ring_split_disarm(ring);
}
