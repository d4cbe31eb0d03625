/* Automatic receive steering, virtio 1.2 section 5.1.6.5.6.1: a flow comes in at the pair from which
 * the guest last sent it. */
#include "dev/internal.h"

#include "spec/ethernet.h"

/* A hash that is the same for both directions of a flow. */
static uint32_t flow_hash(const struct frame *frame)
{
	const uint8_t *head = frame_head_const(frame);
	unsigned at = ETH_TYPE, size = frame->head_size;
	uint16_t type;
	uint32_t hash;

	if (size < NET_ETH_HEADER)
		return 0;
	type = get_be16(head + at);
	if (type == ETHERTYPE_VLAN && size >= NET_ETH_HEADER + 4) {
		at += 4;
		type = get_be16(head + at);
	}
	at += 2;
	if (type == ETHERTYPE_IPV4 && size >= at + 24) {
		hash = get_be32(head + at + 12) ^ get_be32(head + at + 16);
		if (head[at] == 0x45 && (get_be16(head + at + 6) & 0x3fff) == 0)
			hash ^= (uint32_t)get_be16(head + at + 20) ^ get_be16(head + at + 22);
	} else if (type == ETHERTYPE_IPV6 && size >= at + 44) {
		hash = get_be32(head + at + 20) ^ get_be32(head + at + 36);
		hash ^= (uint32_t)get_be16(head + at + 40) ^ get_be16(head + at + 42);
	} else {
		hash = get_be32(head + 2) ^ get_be32(head + 8);
	}
	return (hash * UINT32_C(0x9e3779b1)) >> 16;
}

void net_steer_learn(struct virtio_net *net, const struct frame *frame, unsigned pair)
{
	net->steer[flow_hash(frame) % NET_STEER_ROWS] = (uint8_t)pair;
}

unsigned net_steer_pair(const struct virtio_net *net, const struct frame *frame)
{
	uint32_t hash;
	unsigned pair;

	if (likely(net->pairs <= 1))
		return 0;
	hash = flow_hash(frame);
	pair = net->steer[hash % NET_STEER_ROWS];
	return pair < net->pairs ? pair : hash % net->pairs;
}
