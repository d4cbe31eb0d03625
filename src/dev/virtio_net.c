/* The virtio-net front: life, features, configuration space, notifications. */
#include "dev/internal.h"

#include <errno.h>

#define BIT(n) (UINT64_C(1) << (n))

/* All that is offered, unless the operator or the attachment turned it off. */
static const uint64_t offered_bits =
	BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_F_INDIRECT_DESC) |
	BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_F_IN_ORDER) | BIT(VIRTIO_F_ACCESS_PLATFORM) |
	BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_MRG_RXBUF) |
	BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) |
	BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
	BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(VIRTIO_NET_F_STATUS) |
	BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) | BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) |
	BIT(VIRTIO_NET_F_CTRL_VLAN) | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) |
	BIT(VIRTIO_NET_F_GUEST_ANNOUNCE);

/* Section 5.1.3.1: a feature, and those of which it needs at least one.  That the CTRL_ features,
 * GUEST_ANNOUNCE and MQ need CTRL_VQ is not asked for here: a vhost-user frontend that serves the
 * control queue itself accepts them without it. */
static const struct {
	unsigned feature;
	uint64_t needs;
} dependencies[] = {
	{ VIRTIO_NET_F_GUEST_TSO4, BIT(VIRTIO_NET_F_GUEST_CSUM) },
	{ VIRTIO_NET_F_GUEST_TSO6, BIT(VIRTIO_NET_F_GUEST_CSUM) },
	{ VIRTIO_NET_F_GUEST_ECN, BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) },
	{ VIRTIO_NET_F_HOST_TSO4, BIT(VIRTIO_NET_F_CSUM) },
	{ VIRTIO_NET_F_HOST_TSO6, BIT(VIRTIO_NET_F_CSUM) },
	{ VIRTIO_NET_F_HOST_ECN, BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) },
};

size_t virtio_net_size(void)
{
	return sizeof(struct virtio_net);
}

static void net_flush(struct worker *worker, struct nic_front *front)
{
	struct virtio_net *net = net_of(front);

	(void)worker;
	for (unsigned i = 0; net->unflushed >> i; i++) {
		struct ring *ring = &net->queues[i];

		if (!(net->unflushed >> i & 1) || unlikely(!ring_is_live(ring)))
			continue;
		net->unflushed &= ~(UINT32_C(1) << i);
		if (!ring_publish(ring))
			continue;
		counter_add(&front->interrupts, 1);
		net->conf.host.interrupt(net->conf.host.owner, ring->number);
	}
	for (unsigned pair = 0; pair < net->pairs; pair++)
		net_rx_ring(net, pair)->work = 0; /* the round is over */
	if (unlikely(front->stopped[0] != '\0'))
		net_note_stop(net);
}

static bool net_arm(struct worker *worker, struct nic_front *front)
{
	struct virtio_net *net = net_of(front);
	struct ring *control = &net->queues[NET_CTRL_QUEUE];
	bool busy = false;

	(void)worker;
	if (front->stopped[0])
		return false;
	if (ring_is_live(control))
		busy = ring_arm(control);
	for (unsigned pair = 0; pair < net->pairs; pair++) {
		if (ring_is_live(net_tx_ring(net, pair)))
			busy |= ring_arm(net_tx_ring(net, pair));
		/* New receive buffers matter only while frames may wait for them. */
		if (net->dma.requests && ring_is_live(net_rx_ring(net, pair)))
			ring_arm(net_rx_ring(net, pair));
	}
	if (net->dma.requests) {
		net_rx_look_ahead(net);
		net_tell_misses(net);
	}
	if (front->stopped[0])
		net_note_stop(net);
	return busy && !front->stopped[0];
}

static void net_disarm(struct worker *worker, struct nic_front *front)
{
	struct virtio_net *net = net_of(front);

	(void)worker;
	for (unsigned i = 0; i < VIRTIO_NET_QUEUES_MAX; i++)
		if (net->queues[i].armed && ring_is_live(&net->queues[i]))
			ring_disarm(&net->queues[i]);
}

static void net_set_link(struct ctl *ctl, struct nic_front *front, bool up)
{
	struct virtio_net *net = net_of(front);
	uint16_t before = net->status;

	(void)ctl;
	if (up)
		net->status |= VIRTIO_NET_S_LINK_UP;
	else
		net->status &= (uint16_t)~VIRTIO_NET_S_LINK_UP;
	if (net->status != before && net_has(net, VIRTIO_NET_F_STATUS))
		net->conf.host.config_changed(net->conf.host.owner);
}

static const struct nic_front_ops net_ops = {
	.name = "virtio-net",
	.peek = net_peek,
	.taken = net_taken,
	.give = net_give,
	.flush = net_flush,
	.arm = net_arm,
	.disarm = net_disarm,
	.set_link = net_set_link,
};

int virtio_net_init(struct virtio_net *net, const struct virtio_net_conf *conf)
{
	if (conf->pairs_max < 1 || conf->pairs_max > VIRTIO_NET_PAIRS_MAX)
		return -EINVAL;
	memset(net, 0, sizeof *net);
	net->conf = *conf;
	net->front.ops = &net_ops;
	net->front.mac = conf->mac;
	net->device.ops = &net_device_ops;
	net->status = VIRTIO_NET_S_LINK_UP;
	dma_init(&net->dma, conf->domain, &net->front.dma_blocked);
	for (unsigned i = 0; i < VIRTIO_NET_QUEUES_MAX; i++) {
		net->queues[i].dma = &net->dma;
		net->queues[i].blame = net->front.stopped;
		net->queues[i].number = i;
	}
	virtio_net_reset(net);
	return 0;
}

struct nic_front *virtio_net_front(struct virtio_net *net)
{
	return &net->front;
}

uint64_t virtio_net_features(const struct virtio_net *net)
{
	uint64_t features = offered_bits;

	if (net->conf.pairs_max > 1)
		features |= BIT(VIRTIO_NET_F_MQ);
	if (net->conf.mtu)
		features |= BIT(VIRTIO_NET_F_MTU);
	return features & ~net->conf.features_off;
}

static uint32_t abilities_of(const struct virtio_net *net)
{
	uint32_t abilities = 0;

	if (net_has(net, VIRTIO_NET_F_GUEST_CSUM))
		abilities |= FRAME_TAKES_CSUM;
	if (net_has(net, VIRTIO_NET_F_GUEST_TSO4))
		abilities |= FRAME_TAKES_TSO4;
	if (net_has(net, VIRTIO_NET_F_GUEST_TSO6))
		abilities |= FRAME_TAKES_TSO6;
	if (net_has(net, VIRTIO_NET_F_GUEST_ECN))
		abilities |= FRAME_TAKES_ECN;
	return abilities;
}

static bool some_ring_runs(const struct virtio_net *net)
{
	for (unsigned i = 0; i < VIRTIO_NET_QUEUES_MAX; i++)
		if (net->queues[i].size)
			return true;
	return false;
}

/* What follows from the accepted features. */
static void apply_features(struct virtio_net *net, uint64_t features)
{
	net->features = features;
	net->mergeable = net_has(net, VIRTIO_NET_F_MRG_RXBUF);
	net->header_size = net->mergeable || net_has(net, VIRTIO_F_VERSION_1) ?
			   VIRTIO_NET_HDR_SIZE : VIRTIO_NET_HDR_LEGACY_SIZE;
	net->front.abilities = abilities_of(net);
	/* What is held was finished to the abilities before. */
	counter_add(&net->front.rx_no_room, net->hold.count);
	net_hold_clear(&net->hold);
	net->pairs = 1;
	net_ctrl_reset(net);
	if (net_has(net, VIRTIO_NET_F_CTRL_VQ) && net_has(net, VIRTIO_NET_F_CTRL_VLAN)) {
		net->front.filter.vlan_filter = 1;
		net->front.filter.vlan[0] = 1; /* untagged frames are not filtered */
	}
}

int virtio_net_accept(struct virtio_net *net, uint64_t features)
{
	if (features & ~virtio_net_features(net))
		return -EINVAL;
	for (unsigned i = 0; i < array_len(dependencies); i++)
		if ((features >> dependencies[i].feature & 1) && !(features & dependencies[i].needs))
			return -EINVAL;
	if (net->accepted && features == net->features)
		return 0;
	if (some_ring_runs(net))
		return -EBUSY;
	apply_features(net, features);
	net->accepted = true;
	return 0;
}

uint64_t virtio_net_accepted(const struct virtio_net *net)
{
	return net->features;
}

void virtio_net_set_memory(struct virtio_net *net, const struct dma_region *regions,
			   unsigned count)
{
	net->dma.regions = regions;
	net->dma.region_count = count;
	net->run_count = 0; /* what was peeked lies in the old map */
}

struct dma *virtio_net_dma(struct virtio_net *net)
{
	return &net->dma;
}

void virtio_net_set_translated(struct virtio_net *net, struct page_requests *requests_or_null)
{
	net->dma.requests = requests_or_null;
	net->misses_seen = requests_or_null ? requests_or_null->total : 0;
	for (unsigned i = 0; i < VIRTIO_NET_QUEUES_MAX; i++)
		net->queues[i].mapped = false;
	net->run_count = 0;
}

void net_tell_misses(struct virtio_net *net)
{
	uint64_t total = net->dma.requests->total;

	counter_add(&net->front.iotlb_misses, total - net->misses_seen);
	net->misses_seen = total;
	if (page_requests_must_tell(net->dma.requests))
		net->conf.host.misses(net->conf.host.owner);
}

void net_give_back(struct virtio_net *net, struct ring *ring, struct ring_used *used, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		used[i].written = 0;
	ring_use(ring, used, n);
	net_mark(net, ring);
	ring->work += NET_BLOCKED_WORK;
}

void net_note_stop(struct virtio_net *net)
{
	net->front.ready = false;
	net->run_count = 0;
}

static bool has_control(const struct virtio_net *net)
{
	return net_has(net, VIRTIO_NET_F_CTRL_VQ);
}

/* The ring of queue 'queue' as the driver counts; NULL when there is none. */
static struct ring *ring_of(struct virtio_net *net, unsigned queue)
{
	unsigned pairs = net_has(net, VIRTIO_NET_F_MQ) ? net->conf.pairs_max : 1;

	if (has_control(net) && queue == 2 * pairs)
		return &net->queues[NET_CTRL_QUEUE];
	return queue < 2u * net->conf.pairs_max ? &net->queues[queue] : NULL;
}

/* Where a frontend serves the control queue, the enabled rings say how many pairs are in use. */
static void note_rings(struct virtio_net *net)
{
	struct ring *first = net_rx_ring(net, 0);
	uint16_t pairs = 1;

	if (!has_control(net)) {
		while (pairs < net->conf.pairs_max && net_rx_ring(net, pairs)->size &&
		       net_rx_ring(net, pairs)->enabled)
			pairs++;
		net->tx_turn = pairs == net->pairs ? net->tx_turn : 0;
		net->pairs = pairs;
	}
	net->front.ready = first->size && first->enabled && !net->front.stopped[0];
}

int virtio_net_ring_start(struct virtio_net *net, unsigned queue,
			  const struct virtio_ring_conf *conf, struct refusal *why)
{
	struct ring *ring = ring_of(net, queue);
	int err;

	if (!ring || net->front.stopped[0]) {
		refuse(why, "", ring ? "the front is stopped: %s" : "there is no queue %s%u",
		       ring ? net->front.stopped : "", queue);
		return -EINVAL;
	}
	if (ring->size)
		virtio_net_ring_stop(net, queue);
	ring->number = queue;
	ring->packed = net_has(net, VIRTIO_F_RING_PACKED);
	ring->indirect = net_has(net, VIRTIO_F_INDIRECT_DESC);
	ring->event_idx = net_has(net, VIRTIO_F_EVENT_IDX);
	ring->batch = ring->packed && net_has(net, VIRTIO_F_IN_ORDER) && queue % 2 == 1; /* of a transmit queue */
	ring->enabled = net->enables >> queue & 1;
	ring->call = net->calls >> queue & 1;
	err = ring_start(ring, conf, why);
	if (!err && ring != &net->queues[NET_CTRL_QUEUE] && queue % 2 == 0) {
		net->ahead[queue / 2] = ring->next;
		net->ahead_count[queue / 2] = 0;
	}
	if ((!err || err == -EAGAIN) && net->dma.requests)
		net_tell_misses(net);
	note_rings(net);
	return err;
}

uint32_t virtio_net_ring_stop(struct virtio_net *net, unsigned queue)
{
	struct ring *ring = ring_of(net, queue);
	uint32_t base = 0;

	if (!ring || !ring->size)
		return ring ? ring_base(ring) : 0;
	net->unflushed &= ~(UINT32_C(1) << (ring - net->queues));
	net->run_count = 0;
	base = ring_stop(ring);
	note_rings(net);
	return base;
}

uint32_t virtio_net_ring_base(const struct virtio_net *net, unsigned queue)
{
	const struct ring *ring = ring_of((struct virtio_net *)net, queue);

	return ring ? ring_base(ring) : 0;
}

void virtio_net_ring_enable(struct virtio_net *net, unsigned queue, bool on)
{
	struct ring *ring = ring_of(net, queue);

	if (queue >= VIRTIO_NET_QUEUES_MAX || !ring)
		return;
	net->enables = on ? net->enables | UINT32_C(1) << queue :
			    net->enables & ~(UINT32_C(1) << queue);
	ring->enabled = on;
	net->run_count = 0;
	note_rings(net);
}

bool virtio_net_ring_runs(const struct virtio_net *net, unsigned queue)
{
	const struct ring *ring = ring_of((struct virtio_net *)net, queue);

	return ring && ring->size;
}

void virtio_net_ring_set_call(struct virtio_net *net, unsigned queue, bool there)
{
	struct ring *ring = ring_of(net, queue);

	if (queue >= VIRTIO_NET_QUEUES_MAX)
		return;
	net->calls = there ? net->calls | UINT32_C(1) << queue :
			     net->calls & ~(UINT32_C(1) << queue);
	if (ring)
		ring->call = there;
}

static void lay_config(const struct virtio_net *net, uint8_t *config)
{
	put_be48(config + VIRTIO_NET_CONFIG_MAC, net->mac);
	put_le16(config + VIRTIO_NET_CONFIG_STATUS, net->status);
	put_le16(config + VIRTIO_NET_CONFIG_MAX_PAIRS, net->conf.pairs_max);
	put_le16(config + VIRTIO_NET_CONFIG_MTU, net->conf.mtu);
}

void virtio_net_config_read(const struct virtio_net *net, uint32_t offset, uint32_t size,
			    uint8_t *to)
{
	uint8_t config[VIRTIO_NET_CONFIG_SIZE];

	lay_config(net, config);
	for (uint32_t i = 0; i < size; i++)
		to[i] = i < sizeof config && offset < sizeof config - i ? config[offset + i] : 0;
}

int virtio_net_config_write(struct virtio_net *net, uint32_t offset, uint32_t size,
			    const uint8_t *from)
{
	uint8_t mac[6];

	/* Only a legacy driver writes its address here (section 5.1.4.3). */
	if (net_has(net, VIRTIO_F_VERSION_1) || size > sizeof mac || offset > sizeof mac - size)
		return -EPERM;
	put_be48(mac, net->mac);
	memcpy(mac + offset, from, size);
	net_ctrl_set_mac(net, get_be48(mac));
	return 0;
}

bool virtio_net_announce(struct virtio_net *net)
{
	if (!net_has(net, VIRTIO_NET_F_GUEST_ANNOUNCE) || !net_has(net, VIRTIO_NET_F_STATUS) ||
	    !has_control(net) || !net->front.ready)
		return false;
	net->status |= VIRTIO_NET_S_ANNOUNCE;
	net->conf.host.config_changed(net->conf.host.owner);
	return true;
}

void virtio_net_reset(struct virtio_net *net)
{
	for (unsigned i = 0; i < VIRTIO_NET_QUEUES_MAX; i++) {
		ring_stop(&net->queues[i]);
		net->queues[i].enabled = false;
	}
	net->unflushed = 0;
	net->run_count = 0;
	net->tx_turn = 0;
	net->enables = 0;
	net->accepted = false;
	net->status &= (uint16_t)~VIRTIO_NET_S_ANNOUNCE;
	net->front.stopped[0] = '\0';
	net->front.ready = false;
	memset(net->steer, NET_NO_PAIR, sizeof net->steer);
	apply_features(net, 0);
}
