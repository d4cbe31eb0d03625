/* bench/guard_bench.c -- what the guard costs a frame from function to function of a card: the same card, fronts
 * and guests, once behind the domains of a remapping unit and once behind lists of what was granted
 * (sim/plain_domain.h), in turn, some hundred frames each.  Each pair of neighbours gives one ratio;
 * of these the median counts.  Counted are the rounds of the card, not the guests' own work, in cycles
 * of the time stamp counter.
 *
 * The lists stand for "without the guard".  What the fronts keep of their domain's answers
 * (iommu/dma.h) is the same in both: somebody must check addresses in any case.
 *
 * guard_bench [PAIRS [json]]   default 2000 pairs a row */
#include "bench/two_fronts.h"
#include "card/nic_card.h"
#include "sim/guard_world.h"
#include "sim/plain_domain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#define BIT(n) (UINT64_C(1) << (n))

/* A sample warms up for more than one turn of the rings, so that the fronts know their memory. */
enum { PAIRS_MAX = 100000, BURSTS = 16, WARM = 24 };

struct kind {
	const char *name;
	uint32_t piece_bytes; /* of the buffers' memory; 0: one */
	enum side_interrupts interrupts;
};

static const struct kind kinds[] = {
	{ "one piece", 0, SIDE_SILENT },
	{ "one piece, interrupts", 0, SIDE_INTERRUPTS },
	{ "8 pieces", 128 << 10, SIDE_SILENT },
	{ "32 pieces", 32 << 10, SIDE_SILENT },
	{ "256 pieces", 4 << 10, SIDE_SILENT },
};

static struct guard_world world;
static struct plain_domain lists[2];
static struct side sides[2];
static struct nic_card *card;
static uint64_t now_ns = 1000000000;
static double with[PAIRS_MAX], without[PAIRS_MAX], ratio[PAIRS_MAX];

static uint64_t mac_of(unsigned i)
{
	return UINT64_C(0x525400000001) + i;
}

/* Rounds until a burst has gone from the first guest to the second. */
static void forward_burst(void)
{
	const struct counter *sent = &sides[0].front->tx_frames, *got = &sides[1].front->rx_frames;
	uint64_t aim = counter_get(got) + FRAME_BURST;

	for (unsigned i = 0; counter_get(got) < aim; i++) {
		must(i < 100);
		nic_card_poll(NULL, card, now_ns += 2000);
	}
	must(counter_get(got) == counter_get(sent));
}

/* Cycles a frame. */
static double sample(uint32_t size)
{
	uint64_t cycles = 0, begin;

	for (unsigned i = 0; i < WARM + BURSTS; i++) {
		side_send_burst(&sides[0], size, SIDE_ONE_PIECE);
		begin = __rdtsc();
		forward_burst();
		cycles += i < WARM ? 0 : __rdtsc() - begin;
		side_recycle(&sides[0], &sides[1]);
	}
	return (double)cycles / (BURSTS * FRAME_BURST);
}

static double sample_with(uint32_t size)
{
	for (unsigned i = 0; i < 2; i++)
		side_use(&sides[i], &world.functions[i].domain);
	return sample(size);
}

static double sample_without(uint32_t size)
{
	for (unsigned i = 0; i < 2; i++)
		side_use(&sides[i], &lists[i].domain);
	return sample(size);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double at(const double *sorted, unsigned count, unsigned percent)
{
	return sorted[(count - 1) * percent / 100];
}

struct row {
	const char *ring;
	uint32_t size;
	const struct kind *kind;
	unsigned pairs;
};

static void print(const struct row *row, bool json)
{
	double cost = 100 * (at(ratio, row->pairs, 50) - 1);

	if (json)
		printf("{\"ring\": \"%s\", \"frame_bytes\": %u, \"memory\": \"%s\", \"with\": %.2f, "
		       "\"without\": %.2f, \"cost_percent\": %.2f, \"quarter\": %.2f, "
		       "\"three_quarters\": %.2f, \"pairs\": %u}\n", row->ring, row->size + 4,
		       row->kind->name, at(with, row->pairs, 50), at(without, row->pairs, 50), cost,
		       100 * (at(ratio, row->pairs, 25) - 1), 100 * (at(ratio, row->pairs, 75) - 1),
		       row->pairs);
	else
		printf("%-6s %5u B  %-22s %7.1f %8.1f   %+6.2f %%  (%+.2f..%+.2f)\n", row->ring,
		       row->size + 4, row->kind->name, at(without, row->pairs, 50),
		       at(with, row->pairs, 50), cost, 100 * (at(ratio, row->pairs, 25) - 1),
		       100 * (at(ratio, row->pairs, 75) - 1));
	fflush(stdout);
}

static void measure(const struct row *row, bool json)
{
	for (unsigned i = 0; i < row->pairs; i++) {
		/* Who comes first has what the row before left in the caches. */
		if (i % 2)
			with[i] = sample_with(row->size);
		without[i] = sample_without(row->size);
		if (i % 2 == 0)
			with[i] = sample_with(row->size);
		ratio[i] = with[i] / without[i];
	}
	qsort(with, row->pairs, sizeof with[0], ascending);
	qsort(without, row->pairs, sizeof without[0], ascending);
	qsort(ratio, row->pairs, sizeof ratio[0], ascending);
	print(row, json);
}

static void open_card(void)
{
	struct nic_card_conf conf = { .vf_count = 2, .fdb_entries = 4096,
				      .fdb_age_ns = UINT64_C(300000000000), .seed = 1 };

	card = aligned_alloc(64, (nic_card_size(&conf) + 63) / 64 * 64);
	must(card && nic_card_init(card, &conf, NULL) == 0 && nic_card_hold(NULL, card, NULL, 10));
	for (unsigned i = 0; i < 2; i++) {
		struct nic_vf_conf vf = { .mac = mac_of(i), .rate_bps = UINT64_C(10000000000000),
					  .rate_pps = 1000000000, .weight = 100, .spoof_check = true };

		must(nic_card_bind(NULL, card, i + 1, sides[i].front, &vf, NULL) == 0);
		side_address(&sides[i], mac_of(i), mac_of(1 - i));
	}
	nic_card_release(NULL, card);
}

static void open_fronts(uint64_t features, const struct kind *kind)
{
	guard_world_open(&world, 1);
	for (unsigned i = 0; i < 2; i++) {
		plain_domain_init(&lists[i]);
		side_open(&sides[i], &lists[i].domain, features);
		lists[i].domain.dma = world.functions[i].domain.dma = virtio_net_dma(sides[i].net);
		side_grant(&sides[i], &lists[i].domain, kind->piece_bytes);
		side_grant(&sides[i], &world.functions[i].domain, kind->piece_bytes);
		side_wish(&sides[i], kind->interrupts);
	}
	side_post(&sides[1]);
	open_card();
}

static void close_fronts(void)
{
	must(nic_card_hold(NULL, card, NULL, 10));
	for (unsigned i = 0; i < 2; i++)
		must(nic_card_unbind(NULL, card, i + 1) == sides[i].front);
	free(card);
	for (unsigned i = 0; i < 2; i++) {
		world.functions[i].domain.dma = NULL;
		side_close(&sides[i]);
	}
	guard_world_close(&world);
}

int main(int argc, char **argv)
{
	const uint64_t split = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_MRG_RXBUF);
	const uint64_t features[] = { split, split | BIT(VIRTIO_F_RING_PACKED) };
	const uint32_t sizes[] = { 60, 1514 };
	unsigned pairs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 2000;
	bool json = argc > 2 && strcmp(argv[2], "json") == 0;

	if (pairs == 0 || pairs > PAIRS_MAX) {
		fprintf(stderr, "guard_bench: 1 to %d pairs\n", PAIRS_MAX);
		return 2;
	}
	if (!json)
		printf("ring    frame  memory of the buffers    without  with, cycles a frame; cost "
		       "(quartiles)\n");
	for (unsigned f = 0; f < 2; f++)
		for (unsigned k = 0; k < array_len(kinds); k++)
			for (unsigned s = 0; s < array_len(sizes); s++) {
				open_fronts(features[f], &kinds[k]);
				measure(&(struct row){ f ? "packed" : "split", sizes[s], &kinds[k],
						       pairs }, json);
				close_fronts();
			}
	return 0;
}
