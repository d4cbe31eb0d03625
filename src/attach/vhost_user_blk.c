/* What is particular to a disk: how it is made.  Its requests are under way for as long as its medium
 * takes, and point into guest memory meanwhile: vhost_user_quiet.c waits for them. */
#include "attach/internal.h"

#include "dev/virtio_blk.h"

#include <errno.h>
#include <stdlib.h>

enum {
	RING_ENTRIES_MAX = 1024, /* the longest that frontends make */
	ALIGNED = 64,
};

_Static_assert((int)VIRTIO_BLK_QUEUES_MAX <= (int)VU_RINGS_MAX, "room for its rings");

static int make(struct vhost_user *vu, const struct attach_conf *conf, struct refusal *why)
{
	struct virtio_blk_conf blk_conf = {
		.queues = conf->disk->queues,
		.domain = conf->domain,
		.features_off = conf->io->packed ? 0 : UINT64_C(1) << VU_BIT_RING_PACKED,
		.host = vu_device_host(vu),
	};
	size_t size = (virtio_blk_size() + ALIGNED - 1) / ALIGNED * ALIGNED;
	int err;

	if (conf->disk->serial)
		memcpy(blk_conf.serial, conf->disk->serial,
		       strnlen(conf->disk->serial, sizeof blk_conf.serial));
	if (posix_memalign(&vu->made, ALIGNED, size))
		return -ENOMEM;
	err = virtio_blk_init(vu->made, &blk_conf);
	if (err) {
		refuse(why, "queues", "%u queues are not possible: 1 to %u are", blk_conf.queues,
		       VIRTIO_BLK_QUEUES_MAX);
		return err;
	}
	vu->device = virtio_blk_device(vu->made);
	vu->block = virtio_blk_front(vu->made);
	vu->front = &vu->block->any;
	vu->lanes = blk_conf.queues;
	return 0;
}

const struct vu_kind vu_kind_blk = {
	.pace = VU_LASTING,
	.ring_max = RING_ENTRIES_MAX,
	.per_lane = 1,
	.make = make,
};
