/* bench/ring_bench.c -- what the fronts cost a frame: two synthetic guests in this process, frames
 * from one to the other through peek, give, taken and flush, in bursts, counted in cycles of the
 * time stamp counter.  The guests' own work is not counted.  Both sides run on one core, so the
 * traffic of caches between cores is not in it: this is for comparing versions of our code.
 *
 * ring_bench [ROUNDS] */
#include "sim/guest_net.h"
#include "sim/plain_domain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#define BIT(n) (UINT64_C(1) << (n))

enum { RING = 256, REPEATS = 9 };

struct side {
	struct virtio_net *net;
	struct nic_front *front;
	struct guest_net *guest;
	struct plain_domain grants;
};

static void on_interrupt(void *owner, unsigned queue)
{
	(void)owner, (void)queue;
}

static void nothing(void *owner)
{
	(void)owner;
}

static void side_open(struct side *side, uint64_t features)
{
	struct virtio_net_conf conf = { .mac = 1, .pairs_max = 1,
					.host = { on_interrupt, nothing, nothing, NULL } };
	struct guest_net_conf guest = { .features = features, .ring_size = RING, .pairs = 1,
					.rx_buf_size = 2176, .tx_buf_size = 2176 };

	plain_domain_init(&side->grants);
	conf.domain = &side->grants.domain;
	guest.memory_size = (guest_net_bytes(&guest) + 4095) / 4096 * 4096;
	guest.memory = aligned_alloc(4096, guest.memory_size);
	side->net = aligned_alloc(64, (virtio_net_size() + 63) / 64 * 64);
	side->guest = malloc(sizeof *side->guest);
	must(guest.memory && side->net && side->guest);
	memset(guest.memory, 0, guest.memory_size);
	must(virtio_net_init(side->net, &conf) == 0);
	must(guest_net_start(side->guest, side->net, &guest) == 0);
	side->front = virtio_net_front(side->net);
	virtio_net_ring_set_call(side->net, 0, true);
	virtio_net_ring_set_call(side->net, 1, true);
	guest_ring_wish(&side->guest->rx[0], GUEST_NO_INTERRUPT, 0);
	guest_ring_wish(&side->guest->tx[0], GUEST_NO_INTERRUPT, 0);
}

static void side_close(struct side *side)
{
	free(side->guest->conf.memory);
	free(side->guest);
	free(side->net);
}

/* One burst; returns the cycles of its four steps in cycles[0..4). */
static unsigned switch_once(struct side *from, struct side *to, uint64_t cycles[4])
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

/* The receiving guest gives its buffers back without looking into them. */
static void recycle(struct guest_net *guest)
{
	uint64_t cookie;
	uint32_t written;

	while (guest_ring_take(&guest->rx[0], &cookie, &written)) {
		struct guest_buf buf = { cookie, guest->conf.rx_buf_size, true };

		must(guest_ring_add(&guest->rx[0], &buf, 1, GUEST_DIRECT, cookie));
	}
	guest_ring_publish(&guest->rx[0]);
}

static void send_burst(struct guest_net *guest, uint32_t size, unsigned cuts)
{
	const uint32_t cut = VIRTIO_NET_HDR_SIZE;
	struct guest_buf bufs[2];

	for (unsigned i = 0; i < FRAME_BURST; i++) {
		uint64_t addr = guest->tx_bufs[0] +
				(uint64_t)guest->tx_next[0] * guest->conf.tx_buf_size + 116;
		unsigned n = cuts ? 2 : 1;

		bufs[0] = (struct guest_buf){ addr, cuts ? cut : cut + size, false };
		bufs[1] = (struct guest_buf){ addr + cut, size, false };
		must(guest_ring_add(&guest->tx[0], bufs, n, GUEST_DIRECT, addr));
		guest->tx_next[0] = (guest->tx_next[0] + 1) % guest->conf.ring_size;
	}
	guest_net_kick(guest, 0);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const char *name, uint64_t features, uint32_t size, unsigned cuts,
		    unsigned rounds)
{
	double totals[REPEATS], parts[REPEATS][4];
	static struct side a, b;

	side_open(&a, features);
	side_open(&b, features);
	guest_net_post(b.guest, 0, RING, 1, GUEST_DIRECT);
	for (unsigned r = 0; r < REPEATS; r++) {
		uint64_t cycles[4] = { 0 }, frames = 0;

		for (unsigned i = 0; i < rounds; i++) {
			send_burst(a.guest, size, cuts);
			frames += switch_once(&a, &b, cycles);
			guest_net_reclaim(a.guest, 0);
			recycle(b.guest);
		}
		must(frames == (uint64_t)rounds * FRAME_BURST);
		totals[r] = 0;
		for (unsigned i = 0; i < 4; i++) {
			parts[r][i] = (double)cycles[i] / (double)frames;
			totals[r] += parts[r][i];
		}
	}
	printf("%-22s %5u B  peek %5.1f give %6.1f taken %4.1f flush %4.1f", name, size,
	       parts[REPEATS - 1][0], parts[REPEATS - 1][1], parts[REPEATS - 1][2],
	       parts[REPEATS - 1][3]);
	qsort(totals, REPEATS, sizeof totals[0], ascending);
	printf("  median %6.1f cycles a frame\n", totals[REPEATS / 2]);
	side_close(&a);
	side_close(&b);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 20000;
	const uint64_t split = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_MRG_RXBUF);
	const uint64_t packed = split | BIT(VIRTIO_F_RING_PACKED);
	const uint32_t sizes[] = { 60, 64, 512, 1514 };

	for (unsigned i = 0; i < array_len(sizes); i++) {
		measure("split", split, sizes[i], 0, rounds);
		measure("packed", packed, sizes[i], 0, rounds);
		measure("split, 2 descriptors", split, sizes[i], 1, rounds);
		measure("packed, 2 descriptors", packed, sizes[i], 1, rounds);
	}
	return 0;
}
