/* The virtio-net front as a transport sees it. */
#include "dev/internal.h"

static struct virtio_net *of(struct virtio_device *device)
{
	return container_of(device, struct virtio_net, device);
}

static const struct virtio_net *of_const(const struct virtio_device *device)
{
	return (const struct virtio_net *)(const void *)((const char *)device -
							 offsetof(struct virtio_net, device));
}

static unsigned queues(const struct virtio_device *device)
{
	return 2u * of_const(device)->conf.pairs_max + 1;
}

static uint64_t features(const struct virtio_device *device)
{
	return virtio_net_features(of_const(device));
}

static int accept(struct virtio_device *device, uint64_t wanted)
{
	return virtio_net_accept(of(device), wanted);
}

static uint64_t accepted(const struct virtio_device *device)
{
	return virtio_net_accepted(of_const(device));
}

static struct dma *dma(struct virtio_device *device)
{
	return virtio_net_dma(of(device));
}

static void set_memory(struct virtio_device *device, const struct dma_region *regions,
		       unsigned count)
{
	virtio_net_set_memory(of(device), regions, count);
}

static void set_translated(struct virtio_device *device, struct page_requests *requests_or_null)
{
	virtio_net_set_translated(of(device), requests_or_null);
}

static int start(struct virtio_device *device, unsigned queue, const struct virtio_ring_conf *conf,
		 struct refusal *why)
{
	return virtio_net_ring_start(of(device), queue, conf, why);
}

static uint32_t stop(struct virtio_device *device, unsigned queue)
{
	return virtio_net_ring_stop(of(device), queue);
}

static uint32_t base(const struct virtio_device *device, unsigned queue)
{
	return virtio_net_ring_base(of_const(device), queue);
}

static void enable(struct virtio_device *device, unsigned queue, bool on)
{
	virtio_net_ring_enable(of(device), queue, on);
}

static bool runs(const struct virtio_device *device, unsigned queue)
{
	return virtio_net_ring_runs(of_const(device), queue);
}

static void set_call(struct virtio_device *device, unsigned queue, bool there)
{
	virtio_net_ring_set_call(of(device), queue, there);
}

static void config_read(const struct virtio_device *device, uint32_t offset, uint32_t size,
			uint8_t *to)
{
	virtio_net_config_read(of_const(device), offset, size, to);
}

static int config_write(struct virtio_device *device, uint32_t offset, uint32_t size,
			const uint8_t *from)
{
	return virtio_net_config_write(of(device), offset, size, from);
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

/* Rings that are not enabled are not looked at. */
static void pause(struct virtio_device *device, enum virtio_pause pause)
{
	for (unsigned queue = 0; queue < queues(device); queue++) {
		if (virtio_net_ring_runs(of(device), queue))
			virtio_net_ring_enable(of(device), queue, pause == VIRTIO_RUNS);
	}
}

/* What is peeked is used or left in the same round. */
static unsigned busy(const struct virtio_device *device)
{
	(void)device;
	return 0;
}

static void reset(struct virtio_device *device)
{
	virtio_net_reset(of(device));
}

static uint32_t save(const struct virtio_device *device, uint8_t *to)
{
	return net_ctrl_save(of_const(device), to);
}

static int load(struct virtio_device *device, const uint8_t *from, uint32_t size)
{
	return net_ctrl_load(of(device), from, size);
}

const struct virtio_device_ops net_device_ops = {
	.name = "virtio-net",
	.id = 1,
	.queues = queues,
	.ring_max = 256,
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

struct virtio_device *virtio_net_device(struct virtio_net *net)
{
	return &net->device;
}
