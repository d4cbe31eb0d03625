/* To the guest: receive queues. */
#include "dev/internal.h"

#include "base/copy.h"

/* Where the next byte of a frame goes. */
struct scatter {
	struct virtio_net *net;
	struct ring_piece *piece;
	uint32_t offset;
};

static void scatter_put(struct scatter *to, const uint8_t *bytes, uint32_t size)
{
	while (size) {
		uint32_t n = min_u32(to->piece->size - to->offset, size);

		memmove(to->piece->bytes + to->offset, bytes, n); /* a guest may send to itself */
		dma_wrote(&to->net->dma, to->piece->bytes + to->offset, n);
		bytes += n;
		size -= n;
		to->offset += n;
		if (to->offset == to->piece->size) {
			to->piece++;
			to->offset = 0;
		}
	}
}

static void scatter_frame(struct scatter *to, const struct frame *frame)
{
	scatter_put(to, frame_head_const(frame), frame->head_size);
	if (frame->body)
		scatter_put(to, frame->body, frame->body_size);
	for (unsigned i = 0; i < frame->more_count; i++)
		scatter_put(to, frame->more[i].bytes, frame->more[i].size);
}

/* What the card left undone, in the header's words; section 5.1.6.4. */
static void fill_header(const struct virtio_net *net, const struct frame *frame, unsigned buffers,
			uint8_t *header)
{
	memset(header, 0, VIRTIO_NET_HDR_SIZE);
	put_le16(header + VIRTIO_NET_HDR_NUM_BUFFERS, (uint16_t)buffers);
	if (frame->todo & FRAME_TODO_CSUM) {
		must(net->front.abilities & FRAME_TAKES_CSUM);
		header[VIRTIO_NET_HDR_FLAGS] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		put_le16(header + VIRTIO_NET_HDR_CSUM_START, frame->csum_start);
		put_le16(header + VIRTIO_NET_HDR_CSUM_OFFSET, frame->csum_offset);
	} else if ((frame->todo & FRAME_CSUM_VALID) && (net->front.abilities & FRAME_TAKES_CSUM)) {
		header[VIRTIO_NET_HDR_FLAGS] = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	if (frame->gso == FRAME_GSO_NONE)
		return;
	must(net->front.abilities &
	     (frame->gso == FRAME_GSO_TCP4 ? FRAME_TAKES_TSO4 : FRAME_TAKES_TSO6));
	header[VIRTIO_NET_HDR_GSO_TYPE] = frame->gso == FRAME_GSO_TCP4 ?
					  VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
	if (frame->ecn)
		header[VIRTIO_NET_HDR_GSO_TYPE] |= VIRTIO_NET_HDR_GSO_ECN;
	put_le16(header + VIRTIO_NET_HDR_GSO_SIZE, frame->gso_size);
	put_le16(header + VIRTIO_NET_HDR_HDR_LEN, frame->header_size);
}

/* The buffers that one frame will fill: net->chains[0..count), net->pieces. */
struct reserved {
	unsigned count;
	bool too_small; /* the frame does not fit where the driver wants it: drop it */
};

/* Finds buffers for 'total' bytes; nothing is used yet.  RING_BLOCKED: the last of them is one of which
 * nothing can be written. */
static enum ring_outcome reserve(struct virtio_net *net, struct ring *ring, uint32_t total,
				 struct reserved *got)
{
	struct ring_cursor at = ring->next;
	unsigned pieces = 0;
	uint32_t room = 0;

	got->count = 0;
	got->too_small = false;
	while (room < total) {
		struct ring_chain chain;
		enum ring_outcome outcome;
		uint32_t n;

		if (got->count == (net->mergeable ? (unsigned)NET_RX_CHAINS : 1u) ||
		    ring->work >= NET_RX_WORK_MAX) {
			got->too_small = true;
			return RING_OK;
		}
		outcome = ring_read_chain(ring, &at, RING_WRITE, total - room, &chain,
					  net->pieces + pieces, NET_RX_PIECES - pieces);
		if (outcome == RING_BLOCKED)
			net->chains[got->count++] =
				(struct ring_used){ .id = chain.id, .slots = chain.slots };
		if (outcome != RING_OK)
			return outcome;
		if (got->count == 0 && chain.write_bytes < net->header_size)
			return ring_broken(ring, "a receive buffer of %u bytes has no room for the "
					   "header of %u", chain.write_bytes, net->header_size);
		n = min_u32(chain.write_bytes, total - room);
		net->chains[got->count++] = (struct ring_used){ .written = n, .id = chain.id,
								 .slots = chain.slots };
		pieces += chain.count;
		room += n;
	}
	return RING_OK;
}

static void count_delivered(struct virtio_net *net, unsigned frames, uint64_t bytes)
{
	counter_add(&net->front.rx_frames, frames);
	counter_add(&net->front.rx_bytes, bytes);
}

/* The look ahead loses what was used; it never falls behind. */
static void note_behind(struct virtio_net *net, const struct ring *ring, unsigned chains)
{
	unsigned pair = (unsigned)(ring - net->queues) / 2;

	if (net->ahead_count[pair] > chains) {
		net->ahead_count[pair] = (uint16_t)(net->ahead_count[pair] - chains);
		return;
	}
	net->ahead_count[pair] = 0;
	net->ahead[pair] = ring->next;
}

/* Delivers one frame of any shape into buffers of any shape.  RING_OK also when it was dropped since
 * its buffer is too small for it. */
static enum ring_outcome give_one(struct virtio_net *net, struct ring *ring,
				  const struct frame *frame)
{
	struct scatter to = { .net = net, .piece = net->pieces };
	uint8_t header[VIRTIO_NET_HDR_SIZE];
	struct reserved got;
	enum ring_outcome outcome;

	while ((outcome = reserve(net, ring, net->header_size + frame->size, &got)) ==
	       RING_BLOCKED) {
		net_give_back(net, ring, net->chains, got.count);
		note_behind(net, ring, got.count);
	}
	if (outcome != RING_OK)
		return outcome;
	if (got.too_small) {
		counter_add(&net->front.rx_no_room, 1);
		return RING_OK;
	}
	fill_header(net, frame, got.count, header);
	scatter_put(&to, header, net->header_size);
	scatter_frame(&to, frame);
	ring_use(ring, net->chains, got.count);
	net_mark(net, ring);
	count_delivered(net, 1, frame->size);
	note_behind(net, ring, got.count);
	return RING_OK;
}

/* At most 64 bytes, in moves of fixed sizes that overlap: a compiler's own way with a length it
 * does not know costs as much as all the rest of a short frame. */
static always_inline void copy_head(uint8_t *to, const uint8_t *from, uint32_t size)
{
	_Static_assert(FRAME_HEAD_SIZE <= 2 * 32, "two moves reach all of a head");
	if (likely(size >= 32)) {
		memcpy(to, from, 32);
		memcpy(to + size - 32, from + size - 32, 32);
	} else if (size >= 16) {
		memcpy(to, from, 16);
		memcpy(to + size - 16, from + size - 16, 16);
	} else {
		for (uint32_t i = 0; i < size; i++)
			to[i] = from[i];
	}
}

/* Writes a header only where it says something else.  Buffers come round and nearly always bring the
 * header that they need; a line that is not written stays in the cache of the driver's core, too,
 * which reads it next. */
static always_inline void put_header(uint8_t *to, const uint8_t *header, uint32_t size)
{
	if (unlikely(memcmp(to, header, size) != 0))
		memcpy(to, header, size);
}

static always_inline void copy_plain(const struct virtio_net *net, uint8_t *to,
				     const struct frame *frame)
{
	uint8_t header[VIRTIO_NET_HDR_SIZE] = { [VIRTIO_NET_HDR_NUM_BUFFERS] = 1 };

	if (likely(net->header_size == VIRTIO_NET_HDR_SIZE))
		put_header(to, header, VIRTIO_NET_HDR_SIZE);
	else
		put_header(to, header, VIRTIO_NET_HDR_LEGACY_SIZE);
	to += net->header_size;
	copy_head(to, frame_head_const(frame), frame->head_size);
	to += frame->head_size;
	if (frame->body_size)
		copy_far(to, frame->body, frame->body_size);
	to += frame->body_size;
	for (unsigned i = 0; i < frame->more_count; i++) {
		copy_far(to, frame->more[i].bytes, frame->more[i].size);
		to += frame->more[i].size;
	}
}

/* Finished frames into buffers of one descriptor that hold each whole.  Returns how many of the
 * first frames were that. */
static unsigned give_plain(struct virtio_net *net, struct ring *ring, struct frame *const *frames,
			   unsigned n)
{
	const uint32_t header_size = net->header_size;
	struct ring_cursor at = ring->next;
	struct ring_desc descs[RING_LOOK_MAX];
	struct ring_used used[RING_LOOK_MAX];
	uint8_t *host[RING_LOOK_MAX];
	uint64_t bytes = 0;
	unsigned i;

	n = ring_look(ring, &at, VIRTQ_DESC_F_WRITE, descs, min_u32(n, RING_LOOK_MAX));
	for (i = 0; i < n; i++) {
		const struct frame *frame = frames[i];

		if (unlikely(frame->todo | frame->gso) || descs[i].len < header_size + frame->size)
			break;
		host[i] = dma_quick(&net->dma, descs[i].addr, descs[i].len, DMA_WRITE);
		if (unlikely(!host[i]))
			break;
		prefetch(host[i]);
		prefetch_write(host[i] + header_size + FRAME_HEAD_SIZE - 1);
		if (frame->body) /* of no page, it costs a look through the page tables */
			prefetch(frame->body);
	}
	n = i;
	for (i = 0; i < n; i++) {
		copy_plain(net, host[i], frames[i]);
		used[i] = (struct ring_used){ .written = header_size + frames[i]->size,
					      .id = descs[i].id, .slots = 1 };
		bytes += frames[i]->size;
	}
	if (n) {
		ring_use(ring, used, n);
		net_mark(net, ring);
		count_delivered(net, n, bytes);
	}
	return n;
}

/* Frames of one queue, in order.  Returns how many were accepted, from the first on. */
static unsigned give_ring(struct virtio_net *net, struct ring *ring, struct frame *const *frames,
			  unsigned n)
{
	bool plain = net_is_plain(net, ring);
	unsigned done = 0;

	while (done < n) {
		if (plain)
			done += give_plain(net, ring, frames + done, n - done);
		if (done == n || (plain && ring_is_drained(ring, &ring->next)) ||
		    give_one(net, ring, frames[done]) != RING_OK)
			break;
		done++;
	}
	return done;
}

/* Behind an IOMMU: what cannot be delivered now for lack of a translation is held. */
static unsigned give_translated(struct virtio_net *net, unsigned pair, struct frame *const *frames,
				unsigned n)
{
	struct ring *ring = net_rx_ring(net, pair);
	unsigned done;

	if (net->hold.count)
		net_rx_resume(net);
	for (done = 0; done < n; done++) {
		enum ring_outcome outcome = RING_MISS;

		if (net->front.stopped[0])
			break;
		if (net->hold.count == 0 && ring_is_live(ring))
			outcome = give_one(net, ring, frames[done]);
		if (outcome == RING_OK)
			continue;
		if (outcome != RING_MISS || !net_hold_put(&net->hold, frames[done], pair))
			break;
	}
	return done;
}

static unsigned give_pair(struct virtio_net *net, unsigned pair, struct frame *const *frames,
			  unsigned n)
{
	struct ring *ring = net_rx_ring(net, pair);

	if (unlikely(!ring->enabled || ring->size == 0))
		return 0;
	if (unlikely(net->dma.requests != NULL))
		return give_translated(net, pair, frames, n);
	return ring_is_live(ring) ? give_ring(net, ring, frames, n) : 0;
}

/* Several queues: one without room must not hold back the others, so its frames are dropped. */
static unsigned give_steered(struct virtio_net *net, struct frame *const *frames, unsigned n)
{
	unsigned done = 0;

	while (done < n && !net->front.stopped[0]) {
		unsigned pair = net_steer_pair(net, frames[done]), run = 1, given;

		while (done + run < n && net_steer_pair(net, frames[done + run]) == pair)
			run++;
		given = give_pair(net, pair, frames + done, run);
		counter_add(&net->front.rx_no_room, run - given);
		done += run;
	}
	return done;
}

unsigned net_give(struct worker *worker, struct nic_front *front, struct frame *const *frames,
		  unsigned n)
{
	struct virtio_net *net = net_of(front);
	unsigned done;

	(void)worker;
	if (unlikely(front->stopped[0] != '\0'))
		return 0;
	if (unlikely(net->pairs > 1)) {
		done = give_steered(net, frames, n);
	} else {
		done = give_pair(net, 0, frames, n);
		if (unlikely(done < n))
			counter_add(&front->rx_no_room, n - done);
	}
	if (unlikely(net->dma.requests != NULL))
		net_tell_misses(net);
	if (unlikely(front->stopped[0] != '\0'))
		net_note_stop(net);
	return done;
}

void net_rx_resume(struct virtio_net *net)
{
	struct frame frame;
	unsigned pair;

	for (unsigned i = 0; i < FRAME_BURST && !net->front.stopped[0] &&
	     net_hold_first(&net->hold, &frame, &pair); i++) {
		struct ring *ring = net_rx_ring(net, pair);
		enum ring_outcome outcome = RING_EMPTY;

		if (ring->enabled && ring->size)
			outcome = ring_is_live(ring) ? give_one(net, ring, &frame) : RING_MISS;
		/* One queue may wait for buffers; of several, none may keep the others waiting. */
		if (outcome == RING_MISS || (outcome == RING_EMPTY && net->pairs == 1 && ring->size))
			return;
		if (outcome == RING_EMPTY)
			counter_add(&net->front.rx_no_room, 1);
		net_hold_drop_first(&net->hold);
	}
}

void net_rx_look_ahead(struct virtio_net *net)
{
	for (unsigned pair = 0; pair < net->pairs; pair++) {
		struct ring *ring = net_rx_ring(net, pair);
		struct ring_chain chain;
		uint32_t before = ring->work;

		if (!ring_is_live(ring))
			continue;
		ring->work = 0;
		while (net->ahead_count[pair] < NET_AHEAD && ring->work < NET_WORK_MAX) {
			enum ring_outcome outcome = ring_read_chain(ring, &net->ahead[pair],
					RING_WRITE, net->header_size + FRAME_SIZE_MAX, &chain,
					net->pieces, NET_RX_PIECES);

			if (outcome != RING_OK && outcome != RING_MISS)
				break;
			net->ahead_count[pair]++;
		}
		ring->work = before; /* to look ahead is not to receive */
	}
}
