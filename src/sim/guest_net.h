/* sim/guest_net.h -- a guest with a virtio-net driver of one or more queue pairs, for tests and
 * benchmarks: posts receive buffers, sends frames in any layout, gives control commands.
 *
 * Threads: one.  Memory: the caller's; struct guest_net is large, so not on a stack. */
#ifndef SIM_GUEST_NET_H
#define SIM_GUEST_NET_H

#include "channel/frame.h"
#include "sim/guest_ring.h"
#include "spec/virtio.h"
#include "spec/virtio_net.h"

enum {
	GUEST_NET_PAIRS = 2,
	GUEST_NET_BASE = 0x40000000, /* guest physical address of its memory */
};

struct guest_net_conf {
	uint8_t *memory;          /* aligned to 4096 */
	uint64_t memory_size;
	uint64_t features;
	uint16_t ring_size, pairs;
	uint32_t rx_buf_size;     /* bytes of one receive buffer, its header included */
	uint32_t tx_buf_size;     /* bytes of the longest frame, with its header */
	uint64_t iova_offset;     /* behind an IOMMU: I/O virtual address minus guest physical */
};

struct guest_net {
	struct guest_net_conf conf;
	struct virtio_net *net;
	struct dma_region region;
	uint32_t header_size;
	uint64_t next_free;       /* guest physical */
	struct guest_ring rx[GUEST_NET_PAIRS], tx[GUEST_NET_PAIRS], control;
	uint64_t rx_bufs[GUEST_NET_PAIRS], tx_bufs[GUEST_NET_PAIRS], control_buf;
	uint32_t tx_next[GUEST_NET_PAIRS];
	uint64_t sent, received;
};

/* Bytes of memory that a guest of this configuration needs. */
uint64_t guest_net_bytes(const struct guest_net_conf *conf);

/* Brings the driver up on 'net', which has a domain: features, memory, rings, all enabled.  0 or what
 * failed. */
int guest_net_start(struct guest_net *guest, struct virtio_net *net,
		    const struct guest_net_conf *conf);
/* Starts the rings of a device that knows the features and the memory already. */
int guest_net_start_rings(struct guest_net *guest);

/* Posts receive buffers until 'count' or the ring is full, each cut into 'parts' descriptors;
 * returns how many. */
unsigned guest_net_post(struct guest_net *guest, unsigned pair, unsigned count, unsigned parts,
			enum guest_layout layout);

/* Sends a frame whose header and bytes are cut at cuts[0..cut_count), offsets from the start of
 * the header, ascending.  False when the ring is full. */
struct guest_send {
	const uint8_t *header;    /* header_size bytes, or NULL: all 0 */
	const uint8_t *frame;
	uint32_t size;
	const uint32_t *cuts;
	unsigned cut_count;
	enum guest_layout layout;
};
bool guest_net_send(struct guest_net *guest, unsigned pair, const struct guest_send *send);
/* Makes what was sent visible. */
bool guest_net_kick(struct guest_net *guest, unsigned pair);
/* Takes back sent buffers; returns how many. */
unsigned guest_net_reclaim(struct guest_net *guest, unsigned pair);

/* Takes one received frame and posts its buffers again.  Returns its size; 0: none there. */
uint32_t guest_net_receive(struct guest_net *guest, unsigned pair, uint8_t *header, uint8_t *frame,
			   uint32_t room);

/* Queues a control command; its answer is at *ack (guest memory) once it is used. */
bool guest_net_command(struct guest_net *guest, uint8_t class, uint8_t code, const void *data,
		       uint32_t size);
/* The answer to the oldest command; -1: not served yet. */
int guest_net_answer(struct guest_net *guest);

#endif
