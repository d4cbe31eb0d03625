/* fuzz/ring_fuzz.c -- rings written by a hostile guest: the input is the guest's memory, rings and
 * all, and steps that change it between two looks of the device.  Afterwards the front is well, or
 * stopped with a sentence; no byte outside the guest's memory was touched (a remapping unit keeps it there,
 * and the sanitizers watch).
 *
 * Input: 16 bytes of set-up, then steps of 8 bytes each {offset le32, value le32} in a fixed number,
 * then the memory. */
#include "base/bytes.h"
#include "dev/virtio_net.h"
#include "sim/guard_world.h"
#include "spec/virtio.h"
#include "spec/virtio_net.h"

#include <stdlib.h>

enum { MEMORY = 1 << 14, SETUP = 16, STEPS = 8, STEP_SIZE = 8, BASE = 0x10000, QUEUES = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_interrupt(void *owner, unsigned queue)
{
	(void)owner, (void)queue;
}

static void nothing(void *owner)
{
	(void)owner;
}

/* Answers what the front asks for, except for one page in eight, and what is not its. */
static void answer(struct iommu_domain *domain, struct page_requests *requests, uint8_t *memory)
{
	struct page_request request;

	while (page_requests_take(requests, &request)) {
		struct iommu_range page = { request.iova, PAGE_REQUEST_SIZE };

		if (!(request.iova >> 12 & 7) || request.iova - BASE >= MEMORY)
			continue;
		page_requests_answer(requests, page.iova, page.size, request.access);
		must(domain->ops->map(domain, page, memory + (page.iova - BASE), request.access) == 0);
		domain->ops->flush(domain);
	}
}

static void take_back(struct iommu_domain *domain, uint64_t first, uint64_t size)
{
	must(domain->ops->unmap(domain, (struct iommu_range){ first, size }) == 0);
	domain->ops->flush(domain);
}

/* One round as a card does it: what the front sends comes back to it. */
static void round_trip(struct nic_front *front)
{
	static struct frame frames[FRAME_BURST];
	struct frame *list[FRAME_BURST];
	static uint8_t copy[FRAME_SIZE_MAX];
	unsigned n = front->ops->peek(NULL, front, frames, FRAME_BURST);

	for (unsigned i = 0; i < n; i++) {
		list[i] = &frames[i];
		frame_copy(&frames[i], 0, frames[i].size, copy);
		frames[i].todo = 0;
		frames[i].gso = FRAME_GSO_NONE;
	}
	front->ops->give(NULL, front, list, n);
	front->ops->taken(NULL, front, front->stopped[0] ? 0 : n);
	front->ops->flush(NULL, front);
	front->ops->arm(NULL, front);
	front->ops->disarm(NULL, front);
}

static void start_rings(struct virtio_net *net, const uint8_t *setup, uint64_t features)
{
	for (unsigned queue = 0; queue < QUEUES; queue++) {
		uint16_t ring_size = (uint16_t)(1u << (setup[8] >> (2 * queue) & 3) << 2);
		uint64_t at = BASE + queue * 0x1000u;
		struct virtio_ring_conf conf = { .size = ring_size, .desc = at, .driver = at + 0x800,
						 .device = at + 0xc00 };

		if (features >> VIRTIO_F_RING_PACKED & 1)
			conf.base = 0x80008000;
		virtio_net_ring_start(net, queue, &conf, NULL);
		virtio_net_ring_enable(net, queue, true);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct virtio_net_conf conf = { .mac = 1, .pairs_max = 1, .mtu = 1500,
					.host = { on_interrupt, nothing, nothing, NULL } };
	static struct virtio_net *net;
	static struct page_requests requests;
	static struct guard_world world;
	struct iommu_domain *domain = &world.functions[0].domain;
	uint8_t *memory;
	struct dma_region regions[2];
	uint64_t features;

	if (size < SETUP + STEPS * STEP_SIZE)
		return 0;
	if (!net) {
		net = aligned_alloc(64, (virtio_net_size() + 63) / 64 * 64);
		guard_world_open(&world, 1);
	}
	memory = aligned_alloc(4096, MEMORY);
	must(net && memory);
	memset(memory, 0, MEMORY);
	memcpy(memory, data + SETUP + STEPS * STEP_SIZE,
	       min_u64(size - SETUP - STEPS * STEP_SIZE, MEMORY));
	/* Two regions, so that buffers may run from one into the next. */
	regions[0] = (struct dma_region){ BASE, 0x3000, BASE, memory };
	regions[1] = (struct dma_region){ BASE + 0x3000, MEMORY - 0x3000, BASE + 0x3000,
					  memory + 0x3000 };
	conf.domain = domain;
	must(virtio_net_init(net, &conf) == 0);
	features = get_le64(data) & virtio_net_features(net);
	if (virtio_net_accept(net, features) != 0)
		virtio_net_accept(net, features &= UINT64_C(1) << VIRTIO_F_RING_PACKED |
						   UINT64_C(1) << VIRTIO_F_INDIRECT_DESC |
						   UINT64_C(1) << VIRTIO_NET_F_CTRL_VQ |
						   UINT64_C(1) << VIRTIO_NET_F_MRG_RXBUF);
	virtio_net_set_memory(net, regions, 2);
	page_requests_clear(&requests);
	if (data[9] & 1)
		virtio_net_set_translated(net, &requests);
	for (unsigned i = 0; i < 2 && !(data[9] & 1); i++)
		must(domain->ops->map(domain,
				      (struct iommu_range){ regions[i].base, regions[i].size },
				      regions[i].host, DMA_READ | DMA_WRITE) == 0);
	start_rings(net, data, features);
	for (unsigned step = 0; step < STEPS; step++) {
		const uint8_t *at = data + SETUP + step * STEP_SIZE;

		if (data[9] & 1)
			answer(domain, &requests, memory);
		round_trip(virtio_net_front(net));
		if (step == (data[10] & 15u))
			take_back(domain, BASE + (data[11] & 3u) * 0x1000u, PAGE_REQUEST_SIZE);
		put_le32(memory + get_le32(at) % (MEMORY - 4), get_le32(at + 4));
	}
	for (unsigned queue = 0; queue < QUEUES; queue++)
		virtio_net_ring_stop(net, queue);
	virtio_net_reset(net);
	must(virtio_net_front(net)->stopped[0] == '\0');
	take_back(domain, 0, UINT64_MAX);
	guard_poll(world.guard, 0);
	free(memory);
	return 0;
}
