/* dev/side_test.h -- what the tests of the virtio-net front share: a front with a synthetic guest
 * behind it, and a wire from one to another. */
#ifndef DEV_SIDE_TEST_H
#define DEV_SIDE_TEST_H

#include "dev/virtio_net.h"

#include "base/bytes.h"
#include "sim/guest_net.h"
#include "sim/plain_domain.h"
#include "tests/check.h"

#define BIT(n)   (UINT64_C(1) << (n))
#define BASIC    (BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS))
#define PACKED   BIT(VIRTIO_F_RING_PACKED)
#define MRG      BIT(VIRTIO_NET_F_MRG_RXBUF)
#define INDIRECT BIT(VIRTIO_F_INDIRECT_DESC)
#define EVENT    BIT(VIRTIO_F_EVENT_IDX)
#define OFFLOADS                                                                            \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) |   \
	 BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_GUEST_TSO4) |                            \
	 BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN) |                             \
	 BIT(VIRTIO_NET_F_GUEST_ECN))
#define CONTROL                                                                             \
	(BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_CTRL_VLAN) |   \
	 BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) |                     \
	 BIT(VIRTIO_NET_F_GUEST_ANNOUNCE))
#define MQ       (BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_VQ))
#define MAC      UINT64_C(0x02a5c0000001)

enum { FRAME_MAX = 66000 };

/* One front with one guest, and what it told the host. */
struct side {
	struct virtio_net *net;
	struct nic_front *front;
	struct guest_net *guest;
	struct plain_domain *grants;
	uint8_t *memory;
	unsigned interrupts[VIRTIO_NET_QUEUES_MAX], config_changes, misses;
};

static inline void on_interrupt(void *owner, unsigned queue)
{
	((struct side *)owner)->interrupts[queue]++;
}

static inline void on_config(void *owner)
{
	((struct side *)owner)->config_changes++;
}

static inline void on_misses(void *owner)
{
	((struct side *)owner)->misses++;
}

static inline uint64_t roomy(uint64_t bytes)
{
	return (bytes + 4095) / 4096 * 4096;
}

static inline void side_init(struct side *side, uint16_t pairs)
{
	struct virtio_net_conf conf = { .mac = MAC, .pairs_max = pairs, .mtu = 1500,
					.host = { on_interrupt, on_config, on_misses, side } };

	memset(side, 0, sizeof *side);
	side->grants = malloc(sizeof *side->grants);
	assert_non_null(side->grants);
	plain_domain_init(side->grants);
	conf.domain = &side->grants->domain;
	side->net = aligned_alloc(64, (virtio_net_size() + 63) / 64 * 64);
	side->guest = malloc(sizeof *side->guest);
	assert_non_null(side->net);
	assert_non_null(side->guest);
	assert_int_equal(virtio_net_init(side->net, &conf), 0);
	side->front = virtio_net_front(side->net);
}

static inline void side_start(struct side *side, struct guest_net_conf conf)
{
	if (conf.pairs == 0)
		conf.pairs = 1;
	if (conf.tx_buf_size == 0)
		conf.tx_buf_size = 2048;
	if (conf.rx_buf_size == 0)
		conf.rx_buf_size = 2048;
	if (conf.ring_size == 0)
		conf.ring_size = 256;
	conf.memory_size = roomy(guest_net_bytes(&conf));
	free(side->memory);
	side->memory = aligned_alloc(4096, conf.memory_size);
	assert_non_null(side->memory);
	conf.memory = side->memory;
	assert_int_equal(guest_net_start(side->guest, side->net, &conf), 0);
	assert_true(side->front->ready);
}

static inline void side_open(struct side *side, struct guest_net_conf conf)
{
	side_init(side, conf.pairs ? conf.pairs : 1);
	side_start(side, conf);
}

static inline void side_close(struct side *side)
{
	free(side->memory);
	free(side->guest);
	free(side->net);
	free(side->grants);
}

/* Moves what 'from' sends to 'to', as a card without any table; returns how many were taken. */
static inline unsigned switch_once(struct side *from, struct side *to)
{
	struct frame frames[FRAME_BURST], *list[FRAME_BURST];
	unsigned n = from->front->ops->peek(NULL, from->front, frames, FRAME_BURST), given;

	for (unsigned i = 0; i < n; i++)
		list[i] = &frames[i];
	given = to->front->ops->give(NULL, to->front, list, n);
	from->front->ops->taken(NULL, from->front, given);
	from->front->ops->flush(NULL, from->front);
	to->front->ops->flush(NULL, to->front);
	return given;
}

static inline void fill(uint8_t *frame, uint32_t size, uint64_t *seed)
{
	for (uint32_t i = 0; i < size; i++)
		frame[i] = (uint8_t)rand_u64(seed);
}

static inline unsigned give_bytes(struct side *side, const uint8_t *bytes, uint32_t size)
{
	struct frame frame, *list[1] = { &frame };
	unsigned n;

	frame_over(&frame, bytes, size);
	n = side->front->ops->give(NULL, side->front, list, 1);
	side->front->ops->flush(NULL, side->front);
	return n;
}

static inline unsigned peek_side(struct side *side, struct frame *frames)
{
	return side->front->ops->peek(NULL, side->front, frames, FRAME_BURST);
}

static inline void send_one(struct side *side, unsigned pair, const uint8_t *header, const uint8_t *frame,
			    uint32_t size)
{
	struct guest_send send = { .header = header, .frame = frame, .size = size };

	assert_true(guest_net_send(side->guest, pair, &send));
	guest_net_kick(side->guest, pair);
}

/* One command of the control queue; what it is answered with. */
static inline int command(struct side *side, uint8_t class, uint8_t code, const void *data, uint32_t size)
{
	struct frame frames[FRAME_BURST];

	assert_true(guest_net_command(side->guest, class, code, data, size));
	assert_int_equal(peek_side(side, frames), 0);
	side->front->ops->flush(NULL, side->front);
	return guest_net_answer(side->guest);
}

#endif
