/* From the guest: transmit queues. */
#include "dev/internal.h"

/* Which of enum frame_gso a header asks for; -1: something that was not negotiated. */
static int gso_of(const struct virtio_net *net, uint8_t type)
{
	switch (type) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return FRAME_GSO_NONE;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return net_has(net, VIRTIO_NET_F_HOST_TSO4) ? FRAME_GSO_TCP4 : -1;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return net_has(net, VIRTIO_NET_F_HOST_TSO6) ? FRAME_GSO_TCP6 : -1;
	default:
		return -1;
	}
}

/* The headers in front of the payload that is to be cut, from the frame itself: the driver's
 * hdr_len is only a hint (section 5.1.6.2).  0 when the TCP header is not inside the frame. */
static uint32_t tcp_headers_size(const struct frame *frame)
{
	enum { TCP_HEADER_MIN = 20, TCP_DATA_OFFSET = 12 };
	uint32_t size;
	uint8_t words;

	if ((uint32_t)frame->csum_start + TCP_HEADER_MIN > frame->size)
		return 0;
	frame_copy(frame, frame->csum_start + TCP_DATA_OFFSET, 1, &words);
	size = frame->csum_start + (words >> 4) * 4u;
	return (words >> 4) >= TCP_HEADER_MIN / 4 && size <= frame->size ? size : 0;
}

static enum ring_outcome read_gso(struct virtio_net *net, struct ring *ring, const uint8_t *header,
				  struct frame *frame)
{
	uint8_t type = header[VIRTIO_NET_HDR_GSO_TYPE];
	int gso = gso_of(net, type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN);
	bool ecn = type & VIRTIO_NET_HDR_GSO_ECN;

	if (gso < 0 || (ecn && !net_has(net, VIRTIO_NET_F_HOST_ECN)))
		return ring_broken(ring, "segmentation of type 0x%02x was not negotiated", type);
	if (!(frame->todo & FRAME_TODO_CSUM))
		return ring_broken(ring, "segmentation of type 0x%02x without a partial checksum",
				   type);
	frame->gso = (uint8_t)gso;
	frame->ecn = ecn;
	frame->gso_size = get_le16(header + VIRTIO_NET_HDR_GSO_SIZE);
	frame->header_size = (uint16_t)min_u32(tcp_headers_size(frame), UINT16_MAX);
	if (frame->gso_size == 0 || frame->header_size == 0)
		return ring_broken(ring, "segments of %u bytes behind a TCP header at %u of %u",
				   frame->gso_size, frame->csum_start, frame->size);
	return RING_OK;
}

/* What the header in front of 'frame' leaves undone.  The frame itself is described already. */
static enum ring_outcome read_header(struct virtio_net *net, struct ring *ring,
				     const uint8_t *header, struct frame *frame)
{
	if (header[VIRTIO_NET_HDR_FLAGS] & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		uint16_t start = get_le16(header + VIRTIO_NET_HDR_CSUM_START);
		uint16_t offset = get_le16(header + VIRTIO_NET_HDR_CSUM_OFFSET);

		if (!net_has(net, VIRTIO_NET_F_CSUM))
			return ring_broken(ring, "a partial checksum was not negotiated");
		if ((uint32_t)start + offset + 2 > frame->size || start < NET_ETH_HEADER)
			return ring_broken(ring, "a checksum at %u + %u in a frame of %u bytes",
					   start, offset, frame->size);
		frame->todo = FRAME_TODO_CSUM;
		frame->csum_start = start;
		frame->csum_offset = offset;
	}
	if ((header[VIRTIO_NET_HDR_GSO_TYPE] & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_NONE)
		return RING_OK;
	return read_gso(net, ring, header, frame);
}

static always_inline void clear_frame(struct frame *frame, uint32_t size)
{
	frame->body = NULL;
	frame->more = NULL;
	frame->size = size;
	frame->body_size = 0;
	frame->more_count = 0;
	frame->head_start = FRAME_HEAD_ROOM;
	frame->head_size = (uint8_t)min_u32(size, FRAME_HEAD_SIZE);
	frame->todo = 0;
	frame->gso = FRAME_GSO_NONE;
	frame->ecn = 0;
	frame->pad = 0;
	frame->gso_size = frame->header_size = 0;
	frame->csum_start = frame->csum_offset = 0;
	frame->in_port = 0;
	frame->vlan = 0;
}

/* Moves 'size' bytes from the front of a list of pieces to 'to'. */
static void cut(struct ring_piece **pieces, unsigned *count, uint32_t size, uint8_t *to)
{
	while (size) {
		uint32_t n = min_u32((*pieces)->size, size);

		memcpy(to, (*pieces)->bytes, n);
		(*pieces)->bytes += n;
		(*pieces)->size -= n;
		to += n;
		size -= n;
		if ((*pieces)->size == 0) {
			++*pieces;
			--*count;
		}
	}
}

/* Describes what is left of the pieces as the rest of the frame.  One in more parts than a frame
 * may have is gathered: true then, and no second one may follow in this burst. */
static bool describe_rest(struct virtio_net *net, struct frame *frame, struct frame_seg *segs,
			  struct ring_piece *pieces, unsigned count)
{
	uint32_t rest = frame->size - frame->head_size;

	if (count == 0)
		return false;
	if (count > FRAME_SEGS_MAX + 1) {
		cut(&pieces, &count, rest, net->bounce);
		frame->body = net->bounce;
		frame->body_size = rest;
		return true;
	}
	frame->body = pieces[0].bytes;
	frame->body_size = pieces[0].size;
	for (unsigned i = 1; i < count; i++)
		segs[i - 1] = (struct frame_seg){ pieces[i].bytes, pieces[i].size };
	frame->more = segs;
	frame->more_count = (uint16_t)(count - 1);
	return false;
}

/* Describes the chain at 'at', of any shape, as frame 'index' of the burst. */
static enum ring_outcome peek_one(struct virtio_net *net, struct ring *ring, struct ring_cursor *at,
				  struct frame *frame, unsigned index, bool *gathered)
{
	const uint32_t want = net->header_size + FRAME_SIZE_MAX;
	struct ring_piece *pieces = net->pieces;
	uint8_t header[VIRTIO_NET_HDR_SIZE];
	struct ring_chain chain;
	enum ring_outcome outcome;

	outcome = ring_read_chain(ring, at, RING_READ, want, &chain, pieces, NET_TX_PIECES);
	if (outcome == RING_OK || outcome == RING_BLOCKED)
		net->peeked[index] = (struct ring_used){ .id = chain.id, .slots = chain.slots };
	if (outcome != RING_OK)
		return outcome;
	if (chain.read_bytes < (uint32_t)net->header_size + NET_ETH_HEADER || chain.read_bytes > want)
		return ring_broken(ring, "a frame of %u bytes with its header of %u",
				   chain.read_bytes, net->header_size);
	net->peeked_size[index] = chain.read_bytes - net->header_size;
	cut(&pieces, &chain.count, net->header_size, header);
	guest_read_is_over();
	clear_frame(frame, chain.read_bytes - net->header_size);
	cut(&pieces, &chain.count, frame->head_size, frame_head(frame));
	*gathered = describe_rest(net, frame, net->segs[index], pieces, chain.count);
	return read_header(net, ring, header, frame);
}

/* After a miss: asks for what follows, so that one question serves the burst. */
static void ask_ahead(struct virtio_net *net, struct ring *ring, struct ring_cursor at, unsigned max)
{
	const uint32_t want = net->header_size + FRAME_SIZE_MAX;
	struct ring_chain chain;

	for (unsigned i = 0; i < max && ring->work < NET_WORK_MAX; i++) {
		enum ring_outcome outcome = ring_read_chain(ring, &at, RING_READ, want, &chain,
							    net->pieces, NET_TX_PIECES);

		if (outcome != RING_OK && outcome != RING_MISS)
			return;
	}
}

/* Frames of one descriptor with their header, nothing left undone.  Returns how many of descs[]
 * are that; the first that is not is left to peek_one(). */
static unsigned peek_plain(struct virtio_net *net, const struct ring_desc *descs, unsigned n,
			   struct frame *frames, unsigned index)
{
	const uint32_t header_size = net->header_size;
	const uint8_t *host[RING_LOOK_MAX];
	unsigned i;

	for (i = 0; i < n; i++) {
		/* The head is copied whole, so its bytes must be there. */
		uint32_t reach = descs[i].len < header_size + FRAME_HEAD_SIZE ?
				 header_size + FRAME_HEAD_SIZE : descs[i].len;

		host[i] = dma_quick(&net->dma, descs[i].addr, reach, DMA_READ);
		if (unlikely(!host[i] || descs[i].len < header_size + NET_ETH_HEADER ||
			     descs[i].len > header_size + FRAME_SIZE_MAX))
			break;
		prefetch(host[i]);
		prefetch(host[i] + header_size + FRAME_HEAD_SIZE - 1);
	}
	n = i;
	for (i = 0; i < n; i++) {
		struct frame *frame = &frames[i];
		uint32_t size = descs[i].len - header_size;

		if (unlikely(host[i][VIRTIO_NET_HDR_FLAGS] | host[i][VIRTIO_NET_HDR_GSO_TYPE]))
			break;
		clear_frame(frame, size);
		memcpy(frame->room + FRAME_HEAD_ROOM, host[i] + header_size, FRAME_HEAD_SIZE);
		if (size > FRAME_HEAD_SIZE) {
			frame->body = host[i] + header_size + FRAME_HEAD_SIZE;
			frame->body_size = size - FRAME_HEAD_SIZE;
		}
		net->peeked[index + i] = (struct ring_used){ .id = descs[i].id, .slots = 1 };
		net->peeked_size[index + i] = size;
	}
	return i;
}

/* Describes frames of one queue; frames[0] is frame 'index' of the burst. */
static unsigned peek_ring(struct virtio_net *net, struct ring *ring, struct frame *frames,
			  unsigned index, unsigned max, bool *gathered)
{
	struct ring_cursor at = ring->next;
	bool plain = net_is_plain(net, ring);
	unsigned n = 0;

	ring->work = 0;
	while (n < max && !*gathered && ring->work < NET_WORK_MAX) {
		struct ring_desc descs[RING_LOOK_MAX];
		struct ring_cursor before = at;
		enum ring_outcome outcome;

		if (plain) {
			unsigned looked = ring_look(ring, &at, 0, descs, max - n);
			unsigned good = peek_plain(net, descs, looked, frames + n, index + n);

			n += good;
			if (good < looked) { /* back to the one that is not plain */
				at = before;
				ring_skip(ring, &at, good);
			}
			if (n == max || ring_is_drained(ring, &at))
				break;
		}
		outcome = peek_one(net, ring, &at, &frames[n], index + n, gathered);
		if (outcome == RING_BLOCKED && n == 0) { /* else what is before it goes first */
			net_give_back(net, ring, &net->peeked[index], 1);
			continue;
		}
		if (outcome == RING_MISS)
			ask_ahead(net, ring, at, max - n);
		if (outcome != RING_OK)
			break;
		n++;
	}
	return n;
}

unsigned net_peek(struct worker *worker, struct nic_front *front, struct frame *frames,
		  unsigned max)
{
	struct virtio_net *net = net_of(front);
	bool gathered = false;
	unsigned n = 0;

	(void)worker;
	net->run_count = 0;
	if (unlikely(front->stopped[0] != '\0'))
		return 0;
	if (net->queues[NET_CTRL_QUEUE].size)
		net_ctrl_serve(net);
	if (unlikely(net->dma.requests != NULL)) {
		net_rx_resume(net);
		net_rx_look_ahead(net);
	}
	max = min_u32(max, FRAME_BURST);
	for (unsigned i = 0; i < net->pairs && n < max && !gathered; i++) {
		unsigned pair = net->tx_turn + i < net->pairs ? net->tx_turn + i :
								net->tx_turn + i - net->pairs;
		struct ring *ring = net_tx_ring(net, pair);
		unsigned got;

		if (!ring_is_live(ring))
			continue;
		got = peek_ring(net, ring, frames + n, n, max - n, &gathered);
		if (got)
			net->runs[net->run_count++] = (struct net_run){ (uint8_t)pair, (uint8_t)got };
		if (unlikely(net->pairs > 1))
			for (unsigned k = 0; k < got; k++)
				net_steer_learn(net, &frames[n + k], pair);
		n += got;
	}
	net->tx_turn = (uint8_t)(net->tx_turn + 1 < net->pairs ? net->tx_turn + 1 : 0);
	if (unlikely(net->dma.requests != NULL))
		net_tell_misses(net);
	if (likely(front->stopped[0] == '\0'))
		return n;
	net_note_stop(net);
	return 0;
}

void net_taken(struct worker *worker, struct nic_front *front, unsigned n)
{
	struct virtio_net *net = net_of(front);
	uint64_t bytes = 0;
	unsigned left = n, first = 0;

	(void)worker;
	for (unsigned r = 0; left; r++) {
		struct ring *ring;
		unsigned count;

		must(r < net->run_count);
		ring = net_tx_ring(net, net->runs[r].pair);
		count = min_u32(left, net->runs[r].count);
		left -= count;
		ring_use(ring, net->peeked + first, count);
		first += count;
		net_mark(net, ring);
	}
	for (unsigned i = 0; i < n; i++)
		bytes += net->peeked_size[i];
	net->run_count = 0;
	counter_add(&front->tx_frames, n);
	counter_add(&front->tx_bytes, bytes);
}
