/* dev/virtio_net.h -- the virtio-net front: rings, features, control queue; virtio 1.2 section 5.1.
 *
 * What it is not: how a guest reaches it.  attach/vhost_user hands in memory and ring addresses as
 * messages say; a PCI or vfio-user attachment would do the same from registers.
 *
 * Queue numbers: 2n is receiveq n, 2n+1 is transmitq n; the control queue follows the last pair
 * (section 5.1.2).
 *
 * Threads: all calls under front.hold, or unbound.  Memory: caller's, virtio_net_size() bytes;
 * nothing is allocated later. */
#ifndef DEV_VIRTIO_NET_H
#define DEV_VIRTIO_NET_H

#include "channel/nic_front.h"
#include "dev/virtio.h"

enum {
	VIRTIO_NET_PAIRS_MAX = 8,
	VIRTIO_NET_QUEUES_MAX = 2 * VIRTIO_NET_PAIRS_MAX + 1,
	VIRTIO_NET_RING_MAX = 4096, /* entries of one ring, at most */
};

struct virtio_net_conf {
	uint64_t mac;           /* as get_be48 reads it */
	uint16_t pairs_max;     /* 1..VIRTIO_NET_PAIRS_MAX */
	uint16_t mtu;           /* bytes; offered as VIRTIO_NET_F_MTU; 0: not offered */
	uint64_t features_off;  /* bits never to be offered (an operator's or attachment's choice) */
	struct iommu_domain *domain; /* what the front may reach; the caller's */
	struct virtio_host host;    /* given by attach/ */
};

struct virtio_net; /* begins with struct nic_front; layout in dev/internal.h */

size_t virtio_net_size(void);

/* Brings caller memory of virtio_net_size() bytes to life.  -EINVAL with 'why' filled. */
int virtio_net_init(struct virtio_net *net, const struct virtio_net_conf *conf);

struct nic_front *virtio_net_front(struct virtio_net *net);
/* The same front as a transport sees it. */
struct virtio_device *virtio_net_device(struct virtio_net *net);

/* Features this front offers (virtio and device bits; no vhost-user ones). */
uint64_t virtio_net_features(const struct virtio_net *net);

/* The driver's choice.  -EINVAL when it takes what was not offered or breaks a dependency of
 * section 5.1.3.1; nothing changes then. */
int virtio_net_accept(struct virtio_net *net, uint64_t features);
uint64_t virtio_net_accepted(const struct virtio_net *net);

/* A new memory map, which the dirty log counts in.  What the front may reach is its domain's matter. */
void virtio_net_set_memory(struct virtio_net *net, const struct dma_region *regions,
			   unsigned count);
struct dma *virtio_net_dma(struct virtio_net *net);

/* Behind a guest's IOMMU (VIRTIO_F_ACCESS_PLATFORM): an address without a translation is asked for in
 * 'requests_or_null', and not a fault. */
void virtio_net_set_translated(struct virtio_net *net, struct page_requests *requests_or_null);

/* Starts a ring: it is polled from now on, once enabled.  -EINVAL with 'why' when the
 * configuration is impossible; a ring whose pages miss in the cache starts when they arrive. */
int virtio_net_ring_start(struct virtio_net *net, unsigned queue,
			  const struct virtio_ring_conf *conf, struct refusal *why);
/* Stops it and returns the base to go on from. */
uint32_t virtio_net_ring_stop(struct virtio_net *net, unsigned queue);
/* The same while it runs on; 0 when there is no such ring. */
uint32_t virtio_net_ring_base(const struct virtio_net *net, unsigned queue);
void virtio_net_ring_enable(struct virtio_net *net, unsigned queue, bool on);
bool virtio_net_ring_runs(const struct virtio_net *net, unsigned queue);
/* Whether somebody waits for a call on this queue (there is a call descriptor). */
void virtio_net_ring_set_call(struct virtio_net *net, unsigned queue, bool there);

/* Device configuration space, section 5.1.4.  Bytes beyond its end read 0. */
void virtio_net_config_read(const struct virtio_net *net, uint32_t offset, uint32_t size,
			    uint8_t *to);
/* -EPERM for what a modern driver may not write. */
int virtio_net_config_write(struct virtio_net *net, uint32_t offset, uint32_t size,
			    const uint8_t *from);

/* Asks the driver to announce itself (VIRTIO_NET_S_ANNOUNCE); false when it cannot. */
bool virtio_net_announce(struct virtio_net *net);

/* Device reset at any moment: rings stop, features and filters are as new, 'stopped' is empty. */
void virtio_net_reset(struct virtio_net *net);

#endif
