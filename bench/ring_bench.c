/* bench/ring_bench.c -- what the fronts cost a frame, in cycles of the time stamp counter, step by step
 * (bench/two_fronts.h).  The guests' own work is not counted.  This is for comparing versions of our
 * code.
 *
 * ring_bench [ROUNDS] */
#include "bench/two_fronts.h"
#include "sim/plain_domain.h"

#include <stdio.h>
#include <stdlib.h>

#define BIT(n) (UINT64_C(1) << (n))

enum { REPEATS = 9 };

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const char *name, uint64_t features, uint32_t size,
		    enum side_layout layout, unsigned rounds)
{
	double totals[REPEATS], parts[REPEATS][4];
	static struct plain_domain grants[2];
	static struct side a, b;

	plain_domain_init(&grants[0]);
	plain_domain_init(&grants[1]);
	side_open(&a, &grants[0].domain, features);
	side_open(&b, &grants[1].domain, features);
	side_post(&b);
	for (unsigned r = 0; r < REPEATS; r++) {
		uint64_t cycles[4] = { 0 }, frames = 0;

		for (unsigned i = 0; i < rounds; i++) {
			side_send_burst(&a, size, layout);
			frames += side_switch(&a, &b, cycles);
			side_recycle(&a, &b);
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
		measure("split", split, sizes[i], SIDE_ONE_PIECE, rounds);
		measure("packed", packed, sizes[i], SIDE_ONE_PIECE, rounds);
		measure("split, 2 descriptors", split, sizes[i], SIDE_CUT, rounds);
		measure("packed, 2 descriptors", packed, sizes[i], SIDE_CUT, rounds);
	}
	return 0;
}
