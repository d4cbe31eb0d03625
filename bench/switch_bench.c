/* bench/switch_bench.c -- what one forwarding decision costs: cycles a frame of nic_card_poll()
 * between functions whose fronts cost next to nothing, for 2 to 256 functions.
 *
 * The cost of the fronts' own work (describing 64 bytes in a head) is measured alone and shown, so
 * that the difference is the switch: both lookups, the rate meter, the counters, the grouping.
 *
 * switch_bench [ROUNDS]   default 20000 */
#include "base/bytes.h"
#include "card/nic_card.h"
#include "spec/ethernet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

enum { FRAME_SIZE = 64 };

struct light_front {
	struct nic_front front;
	uint64_t given;
	bool idle;
	unsigned turn, spread;
	uint8_t frames[64][FRAME_SIZE]; /* to 'spread' receivers in turn */
};

static struct light_front *light_of(struct nic_front *front)
{
	return container_of(front, struct light_front, front);
}

static unsigned peek(struct worker *worker, struct nic_front *front, struct frame *frames,
		     unsigned max)
{
	struct light_front *light = light_of(front);

	(void)worker;
	if (light->idle)
		return 0;
	for (unsigned i = 0; i < max; i++) {
		struct frame *f = &frames[i];

		f->body = NULL;
		f->size = FRAME_SIZE;
		f->body_size = f->more_count = 0;
		f->head_start = FRAME_HEAD_ROOM;
		f->head_size = FRAME_SIZE;
		f->todo = f->gso = 0;
		memcpy(frame_head(f), light->frames[light->turn++ % light->spread], FRAME_SIZE);
	}
	return max;
}

static void taken(struct worker *worker, struct nic_front *front, unsigned n)
{
	(void)worker;
	(void)front;
	(void)n;
}

static unsigned give(struct worker *worker, struct nic_front *front, struct frame *const *frames,
		     unsigned n)
{
	(void)worker;
	(void)frames;
	light_of(front)->given += n;
	return n;
}

static void flush(struct worker *worker, struct nic_front *front)
{
	(void)worker;
	(void)front;
}

static bool arm(struct worker *worker, struct nic_front *front)
{
	(void)worker;
	(void)front;
	return false;
}

static void disarm(struct worker *worker, struct nic_front *front)
{
	(void)worker;
	(void)front;
}

static const struct nic_front_ops light_ops = {
	.name = "light",
	.peek = peek,
	.taken = taken,
	.give = give,
	.flush = flush,
	.arm = arm,
	.disarm = disarm,
};

static uint64_t mac_of(unsigned n)
{
	return UINT64_C(0x525400000000) + n * UINT64_C(0x10001);
}

static void open_front(struct light_front *light, unsigned n, unsigned count, unsigned spread)
{
	memset(light, 0, sizeof *light);
	light->front.ops = &light_ops;
	light->front.mac = mac_of(n);
	light->front.ready = true;
	light->spread = spread;
	for (unsigned i = 0; i < spread; i++) {
		put_be48(light->frames[i] + ETH_DST, mac_of(1 + (n + i) % count));
		put_be48(light->frames[i] + ETH_SRC, mac_of(n));
		put_be16(light->frames[i] + ETH_TYPE, ETHERTYPE_IPV4);
	}
}

static void *aligned(size_t size)
{
	void *p = aligned_alloc(64, (size + 63) / 64 * 64);

	must(p != NULL);
	return p;
}

/* Cycles that the front alone takes for a frame. */
static double cost_of_front(struct light_front *light)
{
	static struct frame frames[FRAME_BURST];
	struct frame *list[FRAME_BURST];
	uint64_t begin;

	for (unsigned i = 0; i < FRAME_BURST; i++)
		list[i] = &frames[i];
	begin = __rdtsc();
	for (unsigned round = 0; round < 20000; round++) {
		light->front.ops->peek(NULL, &light->front, frames, FRAME_BURST);
		light->front.ops->give(NULL, &light->front, list, FRAME_BURST);
	}
	return (double)(__rdtsc() - begin) / (20000.0 * FRAME_BURST);
}

struct run {
	struct nic_card *card;
	struct light_front *fronts;
	unsigned count;
};

static void open_run(struct run *run, unsigned count, unsigned spread, uint64_t rate_bps)
{
	struct nic_card_conf conf = {
		.vf_count = (uint16_t)count,
		.fdb_entries = 4096,
		.fdb_age_ns = UINT64_C(300000000000),
		.seed = 0x1234567,
	};

	run->count = count;
	run->card = aligned(nic_card_size(&conf));
	must(nic_card_init(run->card, &conf, NULL) == 0);
	run->fronts = aligned(count * sizeof *run->fronts);
	must(nic_card_hold(NULL, run->card, NULL, 10));
	for (unsigned n = 1; n <= count; n++) {
		struct nic_vf_conf vf = {
			.mac = mac_of(n),
			.rate_bps = rate_bps,
			.rate_pps = rate_bps ? 1000000000 : 0,
			.weight = 100,
			.spoof_check = true,
		};

		open_front(&run->fronts[n - 1], n, count, spread);
		must(nic_card_bind(NULL, run->card, n, &run->fronts[n - 1].front, &vf, NULL) == 0);
	}
	nic_card_release(NULL, run->card);
}

static void close_run(struct run *run)
{
	free(run->fronts);
	free(run->card);
}

/* Cycles a frame, the best of five fifths of the run: neighbours only ever add. */
static double cost_of_frames(struct run *run, unsigned rounds)
{
	double best = 1e9;
	uint64_t now_ns = 1000000000;

	for (unsigned part = 0; part < 5; part++) {
		uint64_t frames = 0, begin = __rdtsc();

		for (unsigned round = 0; round < rounds / 5; round++)
			frames += nic_card_poll(NULL, run->card, now_ns += 2000);
		if (frames && (double)(__rdtsc() - begin) / (double)frames < best)
			best = (double)(__rdtsc() - begin) / (double)frames;
	}
	return best;
}

static double cost_of_idle_poll(struct run *run)
{
	double best = 1e9;
	uint64_t now_ns = UINT64_C(1000000000000);

	for (unsigned n = 0; n < run->count; n++)
		run->fronts[n].idle = true;
	for (unsigned part = 0; part < 5; part++) {
		uint64_t begin = __rdtsc();

		for (unsigned round = 0; round < 1000; round++)
			nic_card_poll(NULL, run->card, now_ns += 1000);
		if ((double)(__rdtsc() - begin) / 1000 < best)
			best = (double)(__rdtsc() - begin) / 1000;
	}
	return best;
}

int main(int argc, char **argv)
{
	static const unsigned counts[] = { 2, 16, 64, 256 };
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 20000;

	printf("functions  receivers  rates  cycles/frame  of that fronts  cycles/idle poll\n");
	for (unsigned i = 0; i < array_len(counts); i++)
		for (unsigned variant = 0; variant < 3; variant++) {
			unsigned spread = variant == 2 ? min_u32(counts[i], 16) : 1;
			struct run run;
			double frame, front;

			open_run(&run, counts[i], spread,
				 variant ? UINT64_C(10000000000000) : 0);
			frame = cost_of_frames(&run, rounds);
			front = cost_of_front(&run.fronts[0]);
			printf("%9u  %9u  %5s  %12.1f  %14.1f  %16.0f\n", counts[i], spread,
			       variant ? "on" : "off", frame, front, cost_of_idle_poll(&run));
			close_run(&run);
		}
	return 0;
}
