/* bench/disk_bench.c -- what a disk card and a mirror of two cost a command, without fronts and guests, and
 * how fast a mirror brings a half up to date:
 *
 *     disk_bench [SECONDS [FILE FILE]]
 *
 * 4 KiB at random places, depth 1 and 32: reads and writes through a card, and through a mirror.  Then one
 * half returns after all regions were written.  Media are memory, or two files.  One thread runs all. */
#include "base/base.h"
#include "card/disk_card.h"
#include "card/mirror.h"
#include "media/media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIZE = 256 << 20, BLOCK = 4096, DEPTH_MAX = 32 };

static struct medium *media[2];
static struct disk_card *cards[2];
static struct mirror *mirror;
static struct block_back *halves[2];

struct load {
	struct block_back *back;
	enum block_op op;
	uint64_t seed, ended, size;
	struct block_request requests[DEPTH_MAX];
	struct block_seg segs[DEPTH_MAX];
	bool busy[DEPTH_MAX];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *memory_of(size_t size)
{
	void *memory = aligned_alloc(4096, (size + 4095) / 4096 * 4096);

	must(memory);
	memset(memory, 1, size);
	return memory;
}

static void open_card(unsigned n, const char *path)
{
	struct medium_conf medium = { .kind = path ? MEDIUM_FILE : MEDIUM_MEMORY, .size = SIZE,
				      .path = path };
	struct disk_card_conf conf = { .functions = 2, .depth = 64 };
	struct disk_function_conf function = { .depth = 128, .weight = 1 };
	const uint8_t uuid[DISK_ID_SIZE] = { 1 };
	struct refusal why = { 0 };

	if (medium_open(&media[n], &medium, &why)) {
		fprintf(stderr, "disk_bench: %s\n", why.text);
		exit(1);
	}
	conf.medium = media[n];
	cards[n] = memory_of(disk_card_size(&conf));
	must(disk_card_init(cards[n], &conf, NULL) == 0);
	if (n)
		disk_card_share_hold(cards[1], cards[0]);
	must(disk_card_open(NULL, cards[n], DISK_TABLE_NONE, uuid, NULL) == 0);
	must(disk_card_bind(NULL, cards[n], 1, NULL, &function, NULL) == 0);
	halves[n] = disk_card_attach(NULL, cards[n], 1, 1, DISK_READ_WRITE, NULL);
	must(halves[n]);
}

static void poll_all(void)
{
	struct polled *polled[3] = { disk_card_polled(cards[0]), disk_card_polled(cards[1]),
				     mirror ? mirror_polled(mirror) : NULL };
	uint64_t now = now_ns();

	for (unsigned i = 0; i < 3; i++)
		if (polled[i])
			polled[i]->ops->poll(NULL, polled[i], now);
}

static void ended(struct worker *worker, struct block_request *request)
{
	struct load *load = request->owner;

	(void)worker;
	must(request->result == BLOCK_DONE);
	load->busy[request - load->requests] = false;
	load->ended++;
}

static void begin(struct load *load, unsigned i, uint64_t first, uint8_t *bytes)
{
	load->segs[i] = (struct block_seg){ bytes + i * BLOCK, BLOCK };
	load->requests[i] = (struct block_request){
		.op = load->op, .size = BLOCK, .segs = &load->segs[i], .seg_count = 1,
		.first = first, .done = ended, .owner = load,
	};
	load->busy[i] = load->back->ops->submit(NULL, load->back, &load->requests[i]);
}

/* Writes all of a range once, so that memory and files have their space. */
static void write_all(struct block_back *back, uint64_t first, uint64_t size, uint8_t *bytes)
{
	static struct load load;

	load = (struct load){ .back = back, .op = BLOCK_WRITE };
	for (uint64_t at = first; at < first + size; at += BLOCK) {
		begin(&load, 0, at, bytes);
		while (load.busy[0])
			poll_all();
	}
}

static void measure(const char *name, struct block_back *back, enum block_op op, unsigned depth,
		    double seconds, uint8_t *bytes)
{
	static struct load load;
	uint64_t start, end;

	load = (struct load){ .back = back, .op = op, .seed = 1, .size = back->size };
	start = now_ns();
	end = start + (uint64_t)(seconds * 1e9);
	while (now_ns() < end) {
		for (unsigned i = 0; i < depth; i++)
			if (!load.busy[i])
				begin(&load, i, rand_u64(&load.seed) % (load.size / BLOCK) * BLOCK,
				      bytes);
		poll_all();
	}
	end = now_ns();
	printf("%-6s %-5s depth %2u: %9.0f a second, %7.0f ns each\n", name,
	       op == BLOCK_READ ? "read" : "write", depth, (double)load.ended * 1e9 / (double)(end - start),
	       (double)(end - start) / (double)load.ended);
	for (unsigned i = 0; i < depth; i++)
		while (load.busy[i])
			poll_all();
}

static void wait_until_fresh(struct mirror_facts *facts)
{
	do {
		poll_all();
		mirror_facts(NULL, mirror, facts);
	} while (!facts->begun || facts->half[0] != MIRROR_FRESH || facts->half[1] != MIRROR_FRESH);
}

/* One half goes, everything is written, and it comes back. */
static void resync(uint8_t *bytes)
{
	static struct load load;
	struct mirror_facts before, after;
	struct block_back *back = mirror_back(mirror);
	uint64_t start;

	disk_card_pull(NULL, cards[1]);
	mirror_pull_half(NULL, mirror, 1);
	mirror_facts(NULL, mirror, &before);
	load = (struct load){ .back = back, .op = BLOCK_WRITE };
	for (uint64_t at = 0; at + BLOCK <= back->size; at += (uint64_t)DEPTH_MAX * before.region_bytes) {
		for (unsigned i = 0; i < DEPTH_MAX; i++) /* their marks are made durable together */
			if (at + (uint64_t)i * before.region_bytes + BLOCK <= back->size)
				begin(&load, i, at + (uint64_t)i * before.region_bytes, bytes);
		for (unsigned i = 0; i < DEPTH_MAX; i++)
			while (load.busy[i])
				poll_all();
	}
	disk_card_insert(NULL, cards[1]);
	while (!mirror_half_is_quiet(NULL, mirror, 1))
		poll_all();
	mirror_give_half(NULL, mirror, 1, halves[1]);
	start = now_ns();
	wait_until_fresh(&after);
	printf("mirror brought up to date: %.0f MiB in %.3f s, %.0f MiB a second\n",
	       (double)(after.copied_bytes - before.copied_bytes) / 1048576,
	       (double)(now_ns() - start) / 1e9,
	       (double)(after.copied_bytes - before.copied_bytes) / 1048576 * 1e9 /
		       (double)(now_ns() - start));
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
	struct mirror_conf conf = { .uuid = { 1 }, .new = MIRROR_COPY_ALL };
	uint8_t *bytes = memory_of((size_t)DEPTH_MAX * BLOCK);
	struct mirror_facts facts;

	for (unsigned n = 0; n < 2; n++)
		open_card(n, argc > 3 ? argv[2 + n] : NULL);
	memset(bytes, 0, (size_t)DEPTH_MAX * BLOCK);
	for (unsigned n = 0; n < 2; n++)
		write_all(halves[n], 0, halves[n]->size, bytes);
	for (unsigned depth = 1; depth <= DEPTH_MAX; depth += DEPTH_MAX - 1) {
		measure("card", halves[0], BLOCK_WRITE, depth, seconds, bytes);
		measure("card", halves[0], BLOCK_READ, depth, seconds, bytes);
	}
	/* The ends of the halves are the mirror's, and were written just now. */
	for (unsigned n = 0; n < 2; n++)
		write_all(halves[n], halves[n]->size - MIRROR_RESERVED, MIRROR_RESERVED, bytes);
	conf.hold = disk_card_hold_of(cards[0]);
	mirror = memory_of(mirror_size());
	mirror_init(mirror, &conf);
	mirror_give_half(NULL, mirror, 0, halves[0]);
	mirror_give_half(NULL, mirror, 1, halves[1]);
	wait_until_fresh(&facts);
	for (unsigned depth = 1; depth <= DEPTH_MAX; depth += DEPTH_MAX - 1) {
		measure("mirror", mirror_back(mirror), BLOCK_WRITE, depth, seconds, bytes);
		measure("mirror", mirror_back(mirror), BLOCK_READ, depth, seconds, bytes);
	}
	resync(bytes);
	return 0;
}
