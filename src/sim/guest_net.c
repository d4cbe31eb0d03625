#include "sim/guest_net.h"

#include "base/bytes.h"

#include <errno.h>
#include <string.h>

enum { PAGE = 4096, CONTROL_SIZE = 64 << 10, CONTROL_RING = 64 };

static uint64_t pages(uint64_t bytes)
{
	return (bytes + PAGE - 1) / PAGE * PAGE;
}

uint64_t guest_net_bytes(const struct guest_net_conf *conf)
{
	uint64_t ring = guest_ring_bytes(conf->ring_size);
	uint64_t bufs = pages((uint64_t)conf->ring_size * conf->rx_buf_size) +
			pages((uint64_t)conf->ring_size * conf->tx_buf_size);

	return conf->pairs * (2 * ring + bufs) + guest_ring_bytes(CONTROL_RING) + CONTROL_SIZE +
	       PAGE;
}

static uint64_t take_memory(struct guest_net *guest, uint64_t bytes)
{
	uint64_t at = guest->next_free;

	guest->next_free += pages(bytes);
	must(guest->next_free - GUEST_NET_BASE <= guest->conf.memory_size);
	return at;
}

static void lay_ring(struct guest_net *guest, struct guest_ring *ring, uint16_t size)
{
	guest_ring_init(ring, guest->conf.memory, GUEST_NET_BASE,
			take_memory(guest, guest_ring_bytes(size)), size, guest->conf.features);
	ring->iova_offset = guest->conf.iova_offset;
}

static int start_ring(struct guest_net *guest, unsigned queue, const struct guest_ring *ring)
{
	struct virtio_ring_conf conf = guest_ring_conf(ring);
	int err = virtio_net_ring_start(guest->net, queue, &conf, NULL);

	if (!err)
		virtio_net_ring_enable(guest->net, queue, true);
	return err;
}

static bool has(const struct guest_net *guest, unsigned feature)
{
	return guest->conf.features >> feature & 1;
}

int guest_net_start_rings(struct guest_net *guest)
{
	int err = 0;

	for (unsigned pair = 0; pair < guest->conf.pairs && !err; pair++) {
		err = start_ring(guest, 2 * pair, &guest->rx[pair]);
		if (!err)
			err = start_ring(guest, 2 * pair + 1, &guest->tx[pair]);
	}
	if (!err && has(guest, VIRTIO_NET_F_CTRL_VQ))
		err = start_ring(guest, 2u * guest->conf.pairs, &guest->control);
	return err;
}

/* All its memory, unless an IOMMU of the guest's own says page by page. */
static int grant(const struct guest_net *guest, const struct dma *dma)
{
	const struct dma_region *region = &guest->region;
	struct iommu_domain *domain = dma->domain;
	int err;

	if (dma->requests)
		return 0;
	err = domain->ops->unmap(domain, (struct iommu_range){ 0, UINT64_MAX });
	if (!err)
		err = domain->ops->map(domain, (struct iommu_range){ region->base, region->size },
				       region->host, DMA_READ | DMA_WRITE);
	domain->ops->flush(domain);
	return err;
}

int guest_net_start(struct guest_net *guest, struct virtio_net *net,
		    const struct guest_net_conf *conf)
{
	int err;

	memset(guest, 0, sizeof *guest);
	guest->conf = *conf;
	guest->net = net;
	guest->next_free = GUEST_NET_BASE;
	guest->header_size = has(guest, VIRTIO_F_VERSION_1) || has(guest, VIRTIO_NET_F_MRG_RXBUF) ?
			     VIRTIO_NET_HDR_SIZE : VIRTIO_NET_HDR_LEGACY_SIZE;
	must(conf->pairs <= GUEST_NET_PAIRS);
	must(guest_net_bytes(conf) <= conf->memory_size);
	for (unsigned pair = 0; pair < conf->pairs; pair++) {
		lay_ring(guest, &guest->rx[pair], conf->ring_size);
		lay_ring(guest, &guest->tx[pair], conf->ring_size);
		guest->rx_bufs[pair] = take_memory(guest, (uint64_t)conf->ring_size *
							  conf->rx_buf_size);
		guest->tx_bufs[pair] = take_memory(guest, (uint64_t)conf->ring_size *
							  conf->tx_buf_size);
	}
	lay_ring(guest, &guest->control, CONTROL_RING);
	guest->control_buf = take_memory(guest, CONTROL_SIZE);
	guest->region = (struct dma_region){ .base = GUEST_NET_BASE, .size = conf->memory_size,
					     .user_base = GUEST_NET_BASE, .host = conf->memory };
	err = virtio_net_accept(net, conf->features);
	if (err)
		return err;
	virtio_net_set_memory(net, &guest->region, 1);
	err = grant(guest, virtio_net_dma(net));
	return err ? err : guest_net_start_rings(guest);
}

/* Cuts 'size' bytes at 'addr' at the given offsets. */
static unsigned cut_bufs(uint64_t addr, uint32_t size, const uint32_t *cuts, unsigned cut_count,
			 bool write, struct guest_buf *bufs)
{
	uint32_t from = 0;
	unsigned n = 0;

	for (unsigned i = 0; i <= cut_count; i++) {
		uint32_t to = i < cut_count ? min_u32(cuts[i], size) : size;

		if (to > from)
			bufs[n++] = (struct guest_buf){ addr + from, to - from, write };
		from = to > from ? to : from;
	}
	return n;
}

static bool post_one(struct guest_net *guest, unsigned pair, uint64_t addr, unsigned parts,
		     enum guest_layout layout)
{
	struct guest_buf bufs[GUEST_TABLE_MAX];
	uint32_t cuts[GUEST_TABLE_MAX];
	unsigned n;

	for (unsigned i = 0; i + 1 < parts; i++)
		cuts[i] = guest->conf.rx_buf_size / parts * (i + 1);
	n = cut_bufs(addr, guest->conf.rx_buf_size, cuts, parts - 1, true, bufs);
	return guest_ring_add(&guest->rx[pair], bufs, n, layout, addr);
}

unsigned guest_net_post(struct guest_net *guest, unsigned pair, unsigned count, unsigned parts,
			enum guest_layout layout)
{
	unsigned n = 0;

	while (n < count && n < guest->conf.ring_size &&
	       post_one(guest, pair, guest->rx_bufs[pair] + (uint64_t)n * guest->conf.rx_buf_size,
			parts, layout))
		n++;
	guest_ring_publish(&guest->rx[pair]);
	return n;
}

bool guest_net_send(struct guest_net *guest, unsigned pair, const struct guest_send *send)
{
	struct guest_buf bufs[GUEST_TABLE_MAX];
	uint32_t total = guest->header_size + send->size;
	uint64_t addr = guest->tx_bufs[pair] +
			(uint64_t)guest->tx_next[pair] * guest->conf.tx_buf_size;
	uint8_t *bytes = guest_at(&guest->tx[pair], addr);
	unsigned n = cut_bufs(addr, total, send->cuts, send->cut_count, false, bufs);

	must(total <= guest->conf.tx_buf_size);
	if (!guest_ring_add(&guest->tx[pair], bufs, n, send->layout, addr))
		return false;
	if (send->header)
		memcpy(bytes, send->header, guest->header_size);
	else
		memset(bytes, 0, guest->header_size);
	memcpy(bytes + guest->header_size, send->frame, send->size);
	guest->tx_next[pair] = (guest->tx_next[pair] + 1) % guest->conf.ring_size;
	guest->sent++;
	return true;
}

bool guest_net_kick(struct guest_net *guest, unsigned pair)
{
	return guest_ring_publish(&guest->tx[pair]);
}

unsigned guest_net_reclaim(struct guest_net *guest, unsigned pair)
{
	uint64_t cookie;
	uint32_t written;
	unsigned n = 0;

	while (guest_ring_take(&guest->tx[pair], &cookie, &written)) {
		must(written == 0);
		n++;
	}
	return n;
}

uint32_t guest_net_receive(struct guest_net *guest, unsigned pair, uint8_t *header, uint8_t *frame,
			   uint32_t room)
{
	struct guest_ring *ring = &guest->rx[pair];
	uint32_t written, size, buffers = 1;
	uint64_t cookie;

	if (!guest_ring_take(ring, &cookie, &written))
		return 0;
	must(written >= guest->header_size);
	memcpy(header, guest_at(ring, cookie), guest->header_size);
	size = written - guest->header_size;
	must(size <= room);
	memcpy(frame, guest_at(ring, cookie) + guest->header_size, size);
	must(post_one(guest, pair, cookie, 1, GUEST_DIRECT));
	if (has(guest, VIRTIO_NET_F_MRG_RXBUF))
		buffers = get_le16(header + VIRTIO_NET_HDR_NUM_BUFFERS);
	for (uint32_t i = 1; i < buffers; i++) {
		must(guest_ring_take(ring, &cookie, &written));
		must(written <= room - size);
		memcpy(frame + size, guest_at(ring, cookie), written);
		size += written;
		must(post_one(guest, pair, cookie, 1, GUEST_DIRECT));
	}
	guest_ring_publish(ring);
	guest->received++;
	return size;
}

bool guest_net_command(struct guest_net *guest, uint8_t class, uint8_t code, const void *data,
		       uint32_t size)
{
	uint8_t *bytes = guest_at(&guest->control, guest->control_buf);
	struct guest_buf bufs[3] = { { guest->control_buf, 2, false },
				     { guest->control_buf + 2, size, false },
				     { guest->control_buf + 2 + size, 1, true } };

	must(size + 3 <= CONTROL_SIZE);
	bytes[0] = class;
	bytes[1] = code;
	if (size)
		memcpy(bytes + 2, data, size);
	bytes[2 + size] = 0xff;
	if (size == 0)
		bufs[1] = bufs[2];
	if (!guest_ring_add(&guest->control, bufs, size ? 3 : 2, GUEST_DIRECT, 2 + size))
		return false;
	guest_ring_publish(&guest->control);
	return true;
}

int guest_net_answer(struct guest_net *guest)
{
	uint64_t cookie;
	uint32_t written;

	if (!guest_ring_take(&guest->control, &cookie, &written))
		return -1;
	must(written == 1);
	return guest_at(&guest->control, guest->control_buf)[cookie];
}
