/* dev/internal.h -- the virtio-net front inside: what its files share. */
#ifndef DEV_INTERNAL_H
#define DEV_INTERNAL_H

#include "dev/ring.h"
#include "dev/virtio_net.h"
#include "spec/virtio_net.h"

enum {
	NET_CTRL_QUEUE = VIRTIO_NET_QUEUES_MAX - 1, /* where queues[] keeps the control queue */
	NET_TX_PIECES = 1024,           /* parts of one frame that a guest sends */
	NET_RX_PIECES = 1024,           /* parts of the buffers that one frame fills */
	NET_RX_CHAINS = 512,            /* buffers that one frame fills */
	NET_HOLD_SIZE = 256 << 10,      /* bytes of frames that wait for translations */
	NET_WORK_MAX = 4096,            /* descriptors walked for one queue in one round: a guest
	                                 * with long chains spends its own time, not others' */
	NET_RX_WORK_MAX = 16384,        /* the same for one that receives, from many senders */
	NET_BLOCKED_WORK = 512,         /* what a chain with a blocked access costs of these */
	NET_AHEAD = 64,                 /* posted buffers whose translations are asked for early */
	NET_STEER_ROWS = 256,
	NET_CTRL_SIZE = 8 << 10,        /* longest control command, bytes */
	NET_ETH_HEADER = 14,
	NET_NO_PAIR = 0xff,
};

/* Frames that wait in the front: a ring of bytes, each frame in one piece behind its record. */
struct net_hold {
	uint32_t first, end; /* bytes[first..end) in use; wrapped when end <= first and count > 0 */
	uint32_t count;
	cache_aligned uint8_t bytes[NET_HOLD_SIZE];
};

/* What peek() described of one queue, for taken(). */
struct net_run {
	uint8_t pair, count;
};

struct virtio_net {
	struct nic_front front;
	struct virtio_device device;
	struct dma dma;
	struct virtio_net_conf conf;
	uint64_t features;              /* accepted */
	uint16_t header_size;
	bool mergeable, accepted;
	uint16_t pairs;                 /* that the driver uses */
	uint16_t status;                /* of the configuration space */
	uint8_t tx_turn;                /* pair that peek() looks at first */
	uint8_t run_count;
	struct net_run runs[VIRTIO_NET_PAIRS_MAX];
	struct ring_used peeked[FRAME_BURST];
	uint32_t peeked_size[FRAME_BURST]; /* bytes of each frame */
	uint64_t mac;                   /* address in use, as get_be48 reads it */
	uint32_t calls, enables;        /* bit n: queue n has a call descriptor, is enabled */
	uint64_t table[NIC_FILTER_MACS_MAX]; /* what the driver listed, table_count of them */
	uint16_t table_count;
	bool all_uni, all_multi;        /* its list was too long to keep */
	bool want_all_uni, want_all_multi; /* ALLUNI, ALLMULTI commands */
	uint64_t misses_seen;           /* of the page requests, those counted */
	uint32_t unflushed;             /* bit n: queues[n] has used chains to publish */
	struct ring queues[VIRTIO_NET_QUEUES_MAX];
	struct ring_cursor ahead[VIRTIO_NET_PAIRS_MAX]; /* receive buffers asked for up to here */
	uint16_t ahead_count[VIRTIO_NET_PAIRS_MAX];     /* chains from next to ahead */
	uint8_t steer[NET_STEER_ROWS];  /* flow hash -> pair the guest last sent it from */
	struct ring_piece pieces[NET_RX_PIECES];
	struct ring_used chains[NET_RX_CHAINS];
	struct frame_seg segs[FRAME_BURST][FRAME_SEGS_MAX];
	uint8_t command[NET_CTRL_SIZE]; /* of the control queue, as it was read */
	struct net_hold hold;
	cache_aligned uint8_t bounce[FRAME_SIZE_MAX]; /* a frame in more parts than segs has */
};

static inline struct virtio_net *net_of(struct nic_front *front)
{
	return container_of(front, struct virtio_net, front);
}

static inline struct ring *net_rx_ring(struct virtio_net *net, unsigned pair)
{
	return &net->queues[2 * pair];
}

static inline struct ring *net_tx_ring(struct virtio_net *net, unsigned pair)
{
	return &net->queues[2 * pair + 1];
}

static inline bool net_has(const struct virtio_net *net, unsigned feature)
{
	return net->features >> feature & 1;
}

/* Whether the plain loops may run on 'ring': guest physical addresses, in one piece each. */
static inline bool net_is_plain(const struct virtio_net *net, const struct ring *ring)
{
	return likely(!net->dma.requests && !net->dma.log.bits && ring->desc && !ring->inflight);
}

static inline void net_mark(struct virtio_net *net, const struct ring *ring)
{
	net->unflushed |= UINT32_C(1) << (ring - net->queues);
}

/* virtio_net_device.c */
extern const struct virtio_device_ops net_device_ops;

/* Gives chains back with nothing written, since an access of the last was blocked. */
void net_give_back(struct virtio_net *net, struct ring *ring, struct ring_used *used, unsigned n);

/* The front stopped: notes that it is not ready any more. */
void net_note_stop(struct virtio_net *net);
/* Wakes the control thread when translations are wanted. */
void net_tell_misses(struct virtio_net *net);

/* virtio_net_tx.c */
unsigned net_peek(struct worker *worker, struct nic_front *front, struct frame *frames,
		  unsigned max);
void net_taken(struct worker *worker, struct nic_front *front, unsigned n);

/* virtio_net_rx.c */
unsigned net_give(struct worker *worker, struct nic_front *front, struct frame *const *frames,
		  unsigned n);
/* Delivers what is held, as far as translations and buffers are there. */
void net_rx_resume(struct virtio_net *net);
/* Asks early for the translations of buffers that the driver posted. */
void net_rx_look_ahead(struct virtio_net *net);

/* virtio_net_hold.c: frames that wait. */
void net_hold_clear(struct net_hold *hold);
/* Copies 'frame' to the end; false when it does not fit. */
bool net_hold_put(struct net_hold *hold, const struct frame *frame, unsigned pair);
/* Lays 'frame' over the first one, without taking it out; false when there is none. */
bool net_hold_first(const struct net_hold *hold, struct frame *frame, unsigned *pair);
void net_hold_drop_first(struct net_hold *hold);

/* virtio_net_steer.c: which pair a flow belongs to. */
void net_steer_learn(struct virtio_net *net, const struct frame *frame, unsigned pair);
unsigned net_steer_pair(const struct virtio_net *net, const struct frame *frame);

/* virtio_net_ctrl.c: the control queue. */
void net_ctrl_serve(struct virtio_net *net);
/* Filters as after a reset: everything is wanted until the driver says less. */
void net_ctrl_reset(struct virtio_net *net);
/* The address in use changed. */
void net_ctrl_set_mac(struct virtio_net *net, uint64_t mac);
/* What it has set, as struct virtio_device_ops has it. */
uint32_t net_ctrl_save(const struct virtio_net *net, uint8_t *to);
int net_ctrl_load(struct virtio_net *net, const uint8_t *from, uint32_t size);

#endif
