#include "bench/two_fronts.h"

#include "base/bytes.h"
#include "spec/ethernet.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

enum { PAGE = 4096, BUFFER = 2048, FRAME_AT = 116 };

static void on_interrupt(void *owner, unsigned queue)
{
	struct side *side = owner;

	must(side->domain->ops->interrupt(side->domain, queue) == (int)queue);
}

static void nothing(void *owner)
{
	(void)owner;
}

static void map_memory(struct side *side, uint64_t size)
{
	int fd = memfd_create("guest", 0);

	must(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	for (unsigned i = 0; i < 2; i++) {
		side->memory[i] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
				       fd, 0);
		must(side->memory[i] != MAP_FAILED);
	}
	close(fd);
}

void side_open(struct side *side, struct iommu_domain *domain, uint64_t features)
{
	struct virtio_net_conf conf = { .mac = 1, .pairs_max = 1, .domain = domain,
					.host = { on_interrupt, nothing, nothing, side } };
	struct guest_net_conf guest = { .features = features, .ring_size = TWO_FRONTS_RING, .pairs = 1,
					.rx_buf_size = BUFFER, .tx_buf_size = BUFFER };

	guest.memory_size = (guest_net_bytes(&guest) + PAGE - 1) / PAGE * PAGE;
	map_memory(side, guest.memory_size);
	guest.memory = side->memory[0];
	side->domain = domain;
	side->net = aligned_alloc(64, (virtio_net_size() + 63) / 64 * 64);
	side->guest = malloc(sizeof *side->guest);
	must(side->net && side->guest);
	must(virtio_net_init(side->net, &conf) == 0);
	must(guest_net_start(side->guest, side->net, &guest) == 0);
	side->front = virtio_net_front(side->net);
	virtio_net_ring_set_call(side->net, 0, true);
	virtio_net_ring_set_call(side->net, 1, true);
	side_wish(side, SIDE_SILENT);
}

void side_close(struct side *side)
{
	for (unsigned i = 0; i < 2; i++)
		munmap(side->memory[i], side->guest->conf.memory_size);
	free(side->guest);
	free(side->net);
}

static void grant(struct iommu_domain *domain, uint64_t first, uint64_t size, uint8_t *host)
{
	must(domain->ops->map(domain, (struct iommu_range){ first, size }, host,
			      DMA_READ | DMA_WRITE) == 0);
}

static void scatter(struct side *side, struct iommu_domain *domain, uint64_t first,
		    uint32_t piece_bytes)
{
	uint64_t offset = first - GUEST_NET_BASE, size = TWO_FRONTS_RING * BUFFER;

	must(offset % PAGE == 0);
	for (uint64_t at = 0; at < size; at += piece_bytes)
		grant(domain, first + at, min_u64(piece_bytes, size - at),
		      side->memory[at / piece_bytes % 2] + offset + at);
}

void side_grant(struct side *side, struct iommu_domain *domain, uint32_t piece_bytes)
{
	grant(domain, GUEST_NET_BASE, side->guest->conf.memory_size, side->memory[0]);
	if (piece_bytes) {
		scatter(side, domain, side->guest->rx_bufs[0], piece_bytes);
		scatter(side, domain, side->guest->tx_bufs[0], piece_bytes);
	}
	domain->ops->flush(domain);
}

void side_use(struct side *side, struct iommu_domain *domain)
{
	struct dma *dma = virtio_net_dma(side->net);

	side->domain = domain;
	dma->domain = domain;
	dma_forget(dma, 0, UINT64_MAX);
}

void side_wish(struct side *side, enum side_interrupts wish)
{
	enum guest_wish wished = wish == SIDE_SILENT ? GUEST_NO_INTERRUPT : GUEST_INTERRUPT;

	guest_ring_wish(&side->guest->rx[0], wished, 0);
	guest_ring_wish(&side->guest->tx[0], wished, 0);
}

void side_address(struct side *side, uint64_t source, uint64_t destination)
{
	for (unsigned i = 0; i < TWO_FRONTS_RING; i++) {
		uint8_t *frame = side->memory[0] + (side->guest->tx_bufs[0] - GUEST_NET_BASE) +
				 i * BUFFER + FRAME_AT + VIRTIO_NET_HDR_SIZE;

		put_be48(frame + ETH_DST, destination);
		put_be48(frame + ETH_SRC, source);
		put_be16(frame + ETH_TYPE, ETHERTYPE_IPV4);
	}
}

void side_post(struct side *side)
{
	guest_net_post(side->guest, 0, TWO_FRONTS_RING, 1, GUEST_DIRECT);
}

void side_send_burst(struct side *side, uint32_t size, enum side_layout layout)
{
	const uint32_t cut = VIRTIO_NET_HDR_SIZE;
	struct guest_net *guest = side->guest;
	struct guest_buf bufs[2];

	for (unsigned i = 0; i < FRAME_BURST; i++) {
		uint64_t addr = guest->tx_bufs[0] +
				(uint64_t)guest->tx_next[0] * guest->conf.tx_buf_size + FRAME_AT;

		bufs[0] = (struct guest_buf){ addr, layout == SIDE_CUT ? cut : cut + size, false };
		bufs[1] = (struct guest_buf){ addr + cut, size, false };
		must(guest_ring_add(&guest->tx[0], bufs, layout == SIDE_CUT ? 2 : 1, GUEST_DIRECT, addr));
		guest->tx_next[0] = (guest->tx_next[0] + 1) % guest->conf.ring_size;
	}
	guest_net_kick(guest, 0);
}

unsigned side_switch(struct side *from, struct side *to, uint64_t cycles[4])
{
	static struct frame frames[FRAME_BURST];
	struct frame *list[FRAME_BURST];
	uint64_t at[5];
	unsigned n, given;

	for (unsigned i = 0; i < FRAME_BURST; i++)
		list[i] = &frames[i];
	at[0] = __rdtsc();
	n = from->front->ops->peek(NULL, from->front, frames, FRAME_BURST);
	at[1] = __rdtsc();
	given = to->front->ops->give(NULL, to->front, list, n);
	at[2] = __rdtsc();
	from->front->ops->taken(NULL, from->front, given);
	at[3] = __rdtsc();
	from->front->ops->flush(NULL, from->front);
	to->front->ops->flush(NULL, to->front);
	at[4] = __rdtsc();
	for (unsigned i = 0; i < 4; i++)
		cycles[i] += at[i + 1] - at[i];
	return given;
}

void side_recycle(struct side *from, struct side *to)
{
	uint64_t cookie;
	uint32_t written;

	guest_net_reclaim(from->guest, 0);
	while (guest_ring_take(&to->guest->rx[0], &cookie, &written)) {
		struct guest_buf buf = { cookie, to->guest->conf.rx_buf_size, true };

		must(guest_ring_add(&to->guest->rx[0], &buf, 1, GUEST_DIRECT, cookie));
	}
	guest_ring_publish(&to->guest->rx[0]);
}
