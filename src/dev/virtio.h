/* dev/virtio.h -- a virtio device as its transport sees it: features, virtqueues, device
 * configuration; virtio 1.2 chapter 2.  Implemented by dev/virtio_net (and every other device
 * class); driven by attach/vhost_user from messages and by dev/virtio_pci from registers.
 *
 * Threads: as the device has it: under the hold of its front, or unbound. */
#ifndef DEV_VIRTIO_H
#define DEV_VIRTIO_H

#include "base/refusal.h"
#include "channel/front.h"
#include "dev/ring_conf.h"
#include "iommu/dma.h"

struct virtio_device;

enum virtio_pause { VIRTIO_RUNS, VIRTIO_PAUSED };

struct virtio_device_ops {
	const char *name; /* "virtio-net" */
	uint16_t id;      /* chapter 5: 1 network, 2 block */

	/* Virtqueues that a driver finds, and the entries that each may have at most. */
	unsigned (*queues)(const struct virtio_device *);
	uint16_t ring_max;

	/* Bits that are offered. */
	uint64_t (*features)(const struct virtio_device *);
	/* The driver's choice.  -EINVAL when it takes what was not offered or breaks a dependency;
	 * -EBUSY while a ring runs; nothing changes then. */
	int (*accept)(struct virtio_device *, uint64_t features);
	uint64_t (*accepted)(const struct virtio_device *);

	/* What it reaches guest memory by; a new memory map, which the dirty log counts in; and
	 * whether an address without a translation is asked for, behind a guest's IOMMU, or (NULL)
	 * a fault. */
	struct dma *(*dma)(struct virtio_device *);
	void (*set_memory)(struct virtio_device *, const struct dma_region *regions,
			   unsigned count);
	void (*set_translated)(struct virtio_device *, struct page_requests *requests_or_null);

	/* Starts a ring: it is polled from now on, once enabled.  -EINVAL with 'why' when the
	 * configuration is impossible; a ring whose pages have no translation yet starts when they
	 * arrive, but with an in-flight region: -EAGAIN, once they were asked for. */
	int (*ring_start)(struct virtio_device *, unsigned queue, const struct virtio_ring_conf *,
			  struct refusal *why);
	/* Stops it and returns the base to go on from: nothing from there on was given back, and all
	 * before was, of a device that was paused and not busy. */
	uint32_t (*ring_stop)(struct virtio_device *, unsigned queue);
	/* The same base while it runs: of a device that is paused and not busy. */
	uint32_t (*ring_base)(const struct virtio_device *, unsigned queue);
	void (*ring_enable)(struct virtio_device *, unsigned queue, bool on);
	bool (*ring_runs)(const struct virtio_device *, unsigned queue);
	/* Whether somebody waits for an interrupt of this queue. */
	void (*ring_set_call)(struct virtio_device *, unsigned queue, bool there);

	/* Device configuration space.  Bytes beyond its end read 0.  write: -EPERM for what a driver
	 * may not write. */
	void (*config_read)(const struct virtio_device *, uint32_t offset, uint32_t size,
			    uint8_t *to);
	int (*config_write)(struct virtio_device *, uint32_t offset, uint32_t size,
			    const uint8_t *from);

	/* Its front: 'polled' is the transport's to write. */
	struct front *(*front)(struct virtio_device *);
	/* The driver rang: counts it, and whatever else the device does then. */
	void (*kicked)(struct virtio_device *, unsigned queue);
	/* Empty, or why the device was stopped for good, until a reset. */
	const char *(*stopped)(const struct virtio_device *);
	/* Takes no further requests while it is paused; those that it has go on. */
	void (*pause)(struct virtio_device *, enum virtio_pause pause);
	/* Requests taken that have not ended, and an interrupt that is held back: 0 for a device that
	 * finishes in its round.  One that ended, and waits for translations of its ring, does not
	 * count: the base has it. */
	unsigned (*busy)(const struct virtio_device *);

	/* Device reset at any moment: rings stop, features are as new. */
	void (*reset)(struct virtio_device *);
	/* What its driver has set beside features and rings, up to VIRTIO_STATE_MAX bytes, for
	 * migration: how many these are; load() has what save() wrote, after accept(): 0, or -EINVAL
	 * and nothing has changed. */
	uint32_t (*save)(const struct virtio_device *, uint8_t *to);
	int (*load)(struct virtio_device *, const uint8_t *from, uint32_t size);
};
enum { VIRTIO_STATE_MAX = 2048 };

struct virtio_device {
	const struct virtio_device_ops *ops;
};

/* How a device reaches its transport: called under the hold. */
struct virtio_host {
	/* Raises the queue's interrupt. */
	void (*interrupt)(void *owner, unsigned queue);
	/* The device configuration changed. */
	void (*config_changed)(void *owner);
	/* Translations are wanted: wakes the control thread.  At most once until it took them. */
	void (*misses)(void *owner);
	void *owner;
};

#endif
