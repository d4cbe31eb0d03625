/* The virtio-blk front as a transport sees it. */
#include "dev/virtio_blk_internal.h"

#include <errno.h>

static struct virtio_blk *of(struct virtio_device *device)
{
	return container_of(device, struct virtio_blk, device);
}

static const struct virtio_blk *of_const(const struct virtio_device *device)
{
	return (const struct virtio_blk *)(const void *)((const char *)device -
							 offsetof(struct virtio_blk, device));
}

static unsigned queues(const struct virtio_device *device)
{
	return of_const(device)->conf.queues;
}

static uint64_t features(const struct virtio_device *device)
{
	return virtio_blk_features(of_const(device));
}

static int accept(struct virtio_device *device, uint64_t wanted)
{
	return virtio_blk_accept(of(device), wanted);
}

static uint64_t accepted(const struct virtio_device *device)
{
	return virtio_blk_accepted(of_const(device));
}

static struct dma *dma(struct virtio_device *device)
{
	return virtio_blk_dma(of(device));
}

static void set_memory(struct virtio_device *device, const struct dma_region *regions,
		       unsigned count)
{
	virtio_blk_set_memory(of(device), regions, count);
}

static void set_translated(struct virtio_device *device, struct page_requests *requests_or_null)
{
	virtio_blk_set_translated(of(device), requests_or_null);
}

static int start(struct virtio_device *device, unsigned queue, const struct virtio_ring_conf *conf,
		 struct refusal *why)
{
	return virtio_blk_ring_start(of(device), queue, conf, why);
}

static uint32_t stop(struct virtio_device *device, unsigned queue)
{
	return virtio_blk_ring_stop(of(device), queue);
}

static uint32_t base(const struct virtio_device *device, unsigned queue)
{
	must(queue < VIRTIO_BLK_QUEUES_MAX);
	return ring_base(&of_const(device)->queues[queue].ring);
}

static void enable(struct virtio_device *device, unsigned queue, bool on)
{
	virtio_blk_ring_enable(of(device), queue, on);
}

static bool runs(const struct virtio_device *device, unsigned queue)
{
	return virtio_blk_ring_runs(of_const(device), queue);
}

static void set_call(struct virtio_device *device, unsigned queue, bool there)
{
	virtio_blk_ring_set_call(of(device), queue, there);
}

static void config_read(const struct virtio_device *device, uint32_t offset, uint32_t size,
			uint8_t *to)
{
	virtio_blk_config_read(of_const(device), offset, size, to);
}

static int config_write(struct virtio_device *device, uint32_t offset, uint32_t size,
			const uint8_t *from)
{
	return virtio_blk_config_write(of(device), offset, size, from);
}

static struct front *front(struct virtio_device *device)
{
	return &of(device)->front.any;
}

static void kicked(struct virtio_device *device, unsigned queue)
{
	(void)queue;
	counter_add(&of(device)->front.kicks, 1);
}

static const char *stopped(const struct virtio_device *device)
{
	return of_const(device)->front.stopped;
}

static void pause(struct virtio_device *device, enum virtio_pause pause)
{
	virtio_blk_pause(of(device), pause == VIRTIO_PAUSED ? VIRTIO_BLK_PAUSE : VIRTIO_BLK_RUN);
}

static unsigned busy(const struct virtio_device *device)
{
	const struct virtio_blk *blk = of_const(device);

	/* A call that is held is on its way, too. */
	return blk->front.in_flight + (blk->held != 0);
}

static void reset(struct virtio_device *device)
{
	virtio_blk_reset(of(device));
}

/* Whether its cache is on. */
static uint32_t save(const struct virtio_device *device, uint8_t *to)
{
	to[0] = of_const(device)->writeback;
	return 1;
}

static int load(struct virtio_device *device, const uint8_t *from, uint32_t size)
{
	if (size != 1 || from[0] > 1)
		return -EINVAL;
	of(device)->writeback = from[0];
	return 0;
}

const struct virtio_device_ops blk_device_ops = {
	.name = "virtio-blk",
	.id = 2,
	.ring_max = 256,
	.queues = queues,
	.features = features,
	.accept = accept,
	.accepted = accepted,
	.dma = dma,
	.set_memory = set_memory,
	.set_translated = set_translated,
	.ring_start = start,
	.ring_stop = stop,
	.ring_base = base,
	.ring_enable = enable,
	.ring_runs = runs,
	.ring_set_call = set_call,
	.config_read = config_read,
	.config_write = config_write,
	.front = front,
	.kicked = kicked,
	.stopped = stopped,
	.pause = pause,
	.busy = busy,
	.reset = reset,
	.save = save,
	.load = load,
};

struct virtio_device *virtio_blk_device(struct virtio_blk *blk)
{
	return &blk->device;
}
