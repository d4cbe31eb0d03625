/* dev/virtio_blk.h -- the virtio-blk front: requests, features, configuration space; virtio 1.2
 * section 5.2.
 *
 * What it is not: how a guest reaches it (attach/), or where the bytes are: front.namespaces[0],
 * which the card's owner writes.
 *
 * Requests are used in the order in which they end; but in that in which they came where a queue
 * has an in-flight region, which says only how far a queue was served, and behind a guest's IOMMU:
 * a request that ends while its ring has no translation cannot be written there, and a base names
 * all from one place on, so nothing behind that request may have been used before it.
 *
 * Before rings are stopped, or memory is taken away, the front is paused and in_flight is awaited;
 * a reset does not wait: what then ends is dropped, and the caller keeps memory mapped until
 * in_flight is 0.
 *
 * Threads: all calls under front.hold, or unbound.  Memory: caller's, virtio_blk_size() bytes;
 * nothing is allocated later. */
#ifndef DEV_VIRTIO_BLK_H
#define DEV_VIRTIO_BLK_H

#include "channel/block.h"
#include "dev/virtio.h"

enum {
	VIRTIO_BLK_QUEUES_MAX = 16,
	VIRTIO_BLK_COMMANDS = 128, /* requests of all queues that are served at once */
	VIRTIO_BLK_SEG_MAX = 126,  /* offered: data segments of one request */
	VIRTIO_BLK_RANGES_MAX = 1, /* offered: ranges of one discard or write-zeroes */
};

struct virtio_blk_conf {
	uint16_t queues;       /* 1..VIRTIO_BLK_QUEUES_MAX */
	uint64_t features_off; /* bits never to be offered */
	char serial[20];       /* what GET_ID answers, zeroes behind */
	struct iommu_domain *domain;
	struct virtio_host host; /* given by attach/ */
};

struct virtio_blk;

size_t virtio_blk_size(void);
/* -EINVAL. */
int virtio_blk_init(struct virtio_blk *blk, const struct virtio_blk_conf *conf);
struct block_front *virtio_blk_front(struct virtio_blk *blk);
/* The same front as a transport sees it. */
struct virtio_device *virtio_blk_device(struct virtio_blk *blk);

/* Features this front offers for the namespace that it has now. */
uint64_t virtio_blk_features(const struct virtio_blk *blk);
/* The driver's choice.  -EINVAL when it takes what was not offered, -EBUSY while rings run. */
int virtio_blk_accept(struct virtio_blk *blk, uint64_t features);
uint64_t virtio_blk_accepted(const struct virtio_blk *blk);

void virtio_blk_set_memory(struct virtio_blk *blk, const struct dma_region *regions,
			   unsigned count);
struct dma *virtio_blk_dma(struct virtio_blk *blk);
/* As virtio_net's; no ring runs while it comes or goes, since a start settles the order. */
void virtio_blk_set_translated(struct virtio_blk *blk, struct page_requests *requests_or_null);

/* Takes no further requests while it is on; those in flight go on. */
enum virtio_blk_pause { VIRTIO_BLK_RUN, VIRTIO_BLK_PAUSE };
void virtio_blk_pause(struct virtio_blk *blk, enum virtio_blk_pause pause);

/* As those of virtio_net. */
int virtio_blk_ring_start(struct virtio_blk *blk, unsigned queue,
			  const struct virtio_ring_conf *conf, struct refusal *why);
/* Writes what has ended, where translations allow, and returns the base to go on from: the oldest
 * request that the driver has not been given back.  Whoever goes on there runs again what ended and
 * could not be written, which is safe: to the driver it is under way, and so is all behind it. */
uint32_t virtio_blk_ring_stop(struct virtio_blk *blk, unsigned queue);
void virtio_blk_ring_enable(struct virtio_blk *blk, unsigned queue, bool on);
bool virtio_blk_ring_runs(const struct virtio_blk *blk, unsigned queue);
void virtio_blk_ring_set_call(struct virtio_blk *blk, unsigned queue, bool there);

/* Device configuration space, section 5.2.4.  Bytes beyond its end read 0. */
void virtio_blk_config_read(const struct virtio_blk *blk, uint32_t offset, uint32_t size,
			    uint8_t *to);
/* -EPERM for what a driver may not write: anything but 'writeback'. */
int virtio_blk_config_write(struct virtio_blk *blk, uint32_t offset, uint32_t size,
			    const uint8_t *from);

/* Device reset at any moment. */
void virtio_blk_reset(struct virtio_blk *blk);

#endif
