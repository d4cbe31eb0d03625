/* dev/ring_conf.h -- where a virtqueue is, as attachments tell fronts: what messages or registers said. */
#ifndef DEV_RING_CONF_H
#define DEV_RING_CONF_H

#include "base/base.h"

/* Where a ring is.  Addresses are what dma_reach() takes. */
struct virtio_ring_conf {
	uint32_t size;                 /* entries; a power of two for a split ring */
	uint64_t desc, driver, device; /* section 2.6: descriptor, driver, device area */
	/* Where to go on: split: index of the next available entry, used index the same.
	 * packed: bits 0-14 next available, 15 its wrap counter, 16-30 next used, 31 its wrap
	 * counter (as vhost-user's SET_VRING_BASE). */
	uint32_t base;
	bool log_used;                 /* used-ring writes go to the dirty log, */
	uint64_t log_addr;             /* of a split ring without translation at this address */
	/* vhost-user in-flight region of this queue, or NULL; dev/inflight.h has its layout. */
	void *inflight;
	uint32_t inflight_size;
};

#endif
