/* What is particular to a network device: how it is made, the RARP that its card sends, its MTU. */
#include "attach/internal.h"

#include "base/bytes.h"
#include "dev/virtio_net.h"

#include <errno.h>
#include <stdlib.h>

enum {
	MTU_MIN = 68, /* RFC 791: what every network carries */
};

_Static_assert((int)VIRTIO_NET_QUEUES_MAX <= (int)VU_RINGS_MAX, "room for its rings");

static int make(struct vhost_user *vu, const struct attach_conf *conf, struct refusal *why)
{
	struct virtio_net_conf net_conf = {
		.mac = conf->mac, .pairs_max = conf->io->queues ? conf->io->queues : 1,
		.mtu = conf->mtu,
		.domain = conf->domain,
		.features_off = conf->io->packed ? 0 : UINT64_C(1) << VU_BIT_RING_PACKED,
		.host = vu_device_host(vu),
	};
	int err;

	if (posix_memalign(&vu->made, 64, (virtio_net_size() + 63) / 64 * 64))
		return -ENOMEM;
	memset(vu->made, 0, virtio_net_size());
	err = virtio_net_init(vu->made, &net_conf);
	if (err) {
		refuse(why, "queues", "%u queue pairs are not possible: 1 to %u are",
		       net_conf.pairs_max, VIRTIO_NET_PAIRS_MAX);
		return err;
	}
	vu->device = virtio_net_device(vu->made);
	vu->nic = virtio_net_front(vu->made);
	vu->front = &vu->nic->any;
	vu->lanes = net_conf.pairs_max;
	vu->mtu = conf->mtu;
	return 0;
}

const struct vu_kind vu_kind_net = {
	.pace = VU_PROMPT,
	.ring_max = VIRTIO_NET_RING_MAX,
	.protocol_features = 1u << VHOST_USER_PROTOCOL_F_RARP |
			     1u << VHOST_USER_PROTOCOL_F_NET_MTU,
	.per_lane = 2,
	.make = make,
};

static int check_net(const struct vhost_user *vu, struct refusal *why)
{
	if (vu->nic)
		return 0;
	refuse(why, "", "a request for network devices, which this is not");
	return -EINVAL;
}

int vu_send_rarp(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	int err = check_net(vu, why);

	(void)msg; /* the card knows the addresses, better than the frontend does */
	if (err)
		return err;
	vu_event(vu, "announce", "the frontend asks to announce its addresses");
	if (vu->host.announce)
		vu->host.announce(vu->host.owner, vu->front);
	return 0;
}

int vu_net_set_mtu(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	uint64_t mtu = get_le64(msg->payload);
	int err = check_net(vu, why);

	if (err || (mtu >= MTU_MIN && (vu->mtu == 0 || mtu <= vu->mtu)))
		return err;
	refuse(why, "", "an MTU of %llu is not carried: %u to %u are", (unsigned long long)mtu,
	       MTU_MIN, vu->mtu ? vu->mtu : UINT16_MAX);
	return -EINVAL;
}
