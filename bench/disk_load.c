/* bench/disk_load.c -- 4 KiB commands at random places of a disk that another process serves:
 * latency and rate, as a guest with one queue has them.
 *
 * disk_load nvme|vhost SOCKET fill
 * disk_load nvme|vhost SOCKET read|write DEPTH SECONDS [sleep] [blind]
 *
 * 'fill' writes the whole disk, each 4 KiB with its own place in the first word; some of what is
 * read is compared with that.  'write' writes the same again, so reads may follow.  What ended is
 * posted again at once.  'sleep': it sleeps until it is told of completions, as a kernel's driver
 * does, and does not poll. 'blind': it does not look at what was read, since the disk keeps
 * nothing.
 *
 * Prints one line of JSON: commands, seconds, iops, and min_us, median_us, p99_us of a command from
 * before it is posted until it is seen to have ended. */
#include "disk_load.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

enum {
	SUB_BITS = 7, /* times are kept in classes whose widths are 1/128 of them */
	CLASSES = 40 << SUB_BITS,
	CHECK_EVERY = 64, /* commands: what a read gave is looked at */
	WARM_PART = 10,	  /* of the time: goes before what is counted */
};

static struct {
	const struct load_way *way;
	struct load_memory memory;
	uint64_t bytes, seed, ended;
	enum load_op op;
	bool blind;
	double cycles_per_ns;
	struct {
		uint64_t began, offset;
	} command[LOAD_DEPTH_MAX];
	uint64_t classes[CLASSES];
	unsigned filling;
} load;

static _Noreturn void fail(const char *what, long long value)
{
	fprintf(stderr, "disk_load: %s (%lld)\n", what, value);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void learn_frequency(void)
{
	uint64_t began_ns = now_ns(), began = __rdtsc();

	usleep(20000);
	load.cycles_per_ns = (double)(__rdtsc() - began) / (double)(now_ns() - began_ns);
}

static unsigned class_of(uint64_t cycles)
{
	unsigned shift = 0;

	while (cycles >> shift >= 2u << SUB_BITS)
		shift++;
	return (unsigned)min_u64((shift << SUB_BITS) + (cycles >> shift), CLASSES - 1);
}

static double us_of_class(unsigned class)
{
	unsigned shift = class >> SUB_BITS ? (class >> SUB_BITS) - 1 : 0;
	double cycles = (double)((uint64_t)(class - (shift << SUB_BITS)) << shift);

	return (cycles + (double)(UINT64_C(1) << shift) / 2) / load.cycles_per_ns / 1e3;
}

static double us_at(double part)
{
	uint64_t before = 0, all = 0;

	for (unsigned i = 0; i < CLASSES; i++)
		all += load.classes[i];
	for (unsigned i = 0; i < CLASSES; i++) {
		before += load.classes[i];
		if (before && (double)before >= part * (double)all)
			return us_of_class(i);
	}
	return 0;
}

static uint8_t *data(uint32_t tag)
{
	return load.memory.bytes + LOAD_DATA_AT + (size_t)tag * LOAD_PIECE;
}

static void post(uint32_t tag)
{
	uint64_t offset = rand_u64(&load.seed) % (load.bytes / LOAD_PIECE) * LOAD_PIECE;

	load.command[tag].began = __rdtsc();
	load.command[tag].offset = offset;
	if (load.op == LOAD_WRITE)
		put_le64(data(tag), offset);
	load.way->post(tag, load.op, offset, LOAD_PIECE);
}

static void on_done(uint32_t tag, unsigned status)
{
	uint64_t cycles = __rdtsc() - load.command[tag].began;

	if (status)
		fail("a command failed", status);
	load.classes[class_of(cycles)]++;
	if (load.ended++ % CHECK_EVERY == 0 && load.op == LOAD_READ && !load.blind &&
	    get_le64(data(tag)) != load.command[tag].offset)
		fail("a read gave what was never written", (long long)load.command[tag].offset);
	post(tag);
}

static void on_filled(uint32_t tag, unsigned status)
{
	if (tag || status)
		fail("a command failed", status);
	load.filling = 0;
}

static void take(load_done_fn *done)
{
	int count = load.way->take(done);

	if (count < 0)
		fail(strerror(-count), count);
}

static void fill(void)
{
	for (uint64_t i = 0; i < LOAD_FILL; i += 8)
		put_le64(data(0) + i, rand_u64(&load.seed));
	for (uint64_t at = 0; at < load.bytes; at += LOAD_FILL) {
		uint32_t size = (uint32_t)min_u64(LOAD_FILL, load.bytes - at);

		for (uint32_t i = 0; i < size; i += LOAD_PIECE)
			put_le64(data(0) + i, at + i);
		load.way->post(0, LOAD_WRITE, at, size);
		load.way->tell();
		for (load.filling = 1; load.filling;)
			take(on_filled);
	}
}

static void run_for(uint64_t ns)
{
	uint64_t until = now_ns() + ns;

	do {
		for (unsigned i = 0; i < 16; i++) {
			uint64_t before = load.ended;

			take(on_done);
			if (load.ended != before)
				load.way->tell();
		}
	} while (now_ns() < until);
}

static void measure(unsigned depth, double seconds)
{
	uint64_t began_ns, spent_ns;

	for (uint32_t tag = 0; tag < depth; tag++)
		post(tag);
	load.way->tell();
	run_for((uint64_t)(seconds * 1e9 / WARM_PART));
	memset(load.classes, 0, sizeof load.classes);
	load.ended = 0;
	began_ns = now_ns();
	run_for((uint64_t)(seconds * 1e9));
	spent_ns = now_ns() - began_ns;
	printf("{\"commands\": %llu, \"seconds\": %.6f, \"iops\": %.0f, \"min_us\": %.3f, "
	       "\"median_us\": %.3f, \"p99_us\": %.3f}\n",
	       (unsigned long long)load.ended, (double)spent_ns / 1e9,
	       (double)load.ended * 1e9 / (double)spent_ns, us_at(0), us_at(0.5), us_at(0.99));
}

static void share_memory(void)
{
	load.memory.fd = memfd_create("guest", MFD_CLOEXEC);
	if (load.memory.fd < 0 || ftruncate(load.memory.fd, LOAD_MEMORY) < 0)
		fail("no memory", errno);
	load.memory.bytes = mmap(NULL, LOAD_MEMORY, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_POPULATE, load.memory.fd, 0);
	if (load.memory.bytes == MAP_FAILED)
		fail("no memory", errno);
}

static int usage(void)
{
	fprintf(stderr,
		"usage: disk_load nvme|vhost SOCKET fill\n"
		"       disk_load nvme|vhost SOCKET read|write DEPTH SECONDS [sleep] [blind]\n");
	return 2;
}

static bool is_among(const char *word, char **words, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	bool fills = argc == 4 && strcmp(argv[3], "fill") == 0;
	unsigned depth = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;
	double seconds = argc > 5 ? strtod(argv[5], NULL) : 0;
	bool sleeps = is_among("sleep", argv, argc);
	int err;

	if (!fills && (argc < 6 || depth < 1 || depth > LOAD_DEPTH_MAX || !(seconds > 0)))
		return usage();
	load.way = strcmp(argv[1], "nvme") == 0 ? &load_nvme : &load_vhost;
	load.op = strcmp(argv[3], "write") == 0 ? LOAD_WRITE : LOAD_READ;
	load.blind = is_among("blind", argv, argc);
	load.seed = 1;
	learn_frequency();
	share_memory();
	err = load.way->open(argv[2], &load.memory, sleeps ? LOAD_SLEEPS : LOAD_POLLS, &load.bytes);
	if (err)
		fail(strerror(-err), err);
	if (fills)
		fill();
	else
		measure(depth, seconds);
	load.way->close();
	return 0;
}
