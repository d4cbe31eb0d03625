/* bench/core_distance.c -- how far two CPUs are from each other: nanoseconds until a word that one
 * has written is seen by the other, median of many.
 *
 * core_distance CPU CPU   prints ns=NANOSECONDS cycles_per_ns=FREQUENCY of the time stamp counter
 *
 * Two cores under one level-3 cache are about 50 ns apart, two that are not, 200 ns and more.  A
 * virtual machine's CPUs may be either, and change from one to the other while it runs: whoever hands
 * frames from one core to another is then up to twice as slow, whatever his program does.  It takes
 * both CPUs for about a millisecond, with real-time priority, so it may run beside a load. */
#include "base/base.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <x86intrin.h>

enum { TURNS = 3000, PRIORITY = 50 };

struct end {
	unsigned long first; /* 0 serves */
	int cpu;
};

static cache_aligned _Atomic unsigned long ball;
static cache_aligned atomic_uint ready;
static uint32_t turn_cycles[TURNS];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void settle_on(int cpu)
{
	struct sched_param priority = { .sched_priority = PRIORITY };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("core_distance: sched_setaffinity");
		exit(1);
	}
	/* Without the right to it, the figure is only noisier. */
	(void)sched_setscheduler(0, SCHED_FIFO, &priority);
}

static void *play(void *arg)
{
	const struct end *end = arg;
	uint64_t last, now;

	settle_on(end->cpu);
	atomic_fetch_add(&ready, 1);
	while (atomic_load(&ready) < 2)
		;
	last = __rdtsc();
	for (unsigned long i = 0; i < TURNS; i++) {
		/* acquire and release: each pairs with the other end's */
		while (atomic_load_explicit(&ball, memory_order_acquire) != 2 * i + end->first)
			;
		atomic_store_explicit(&ball, 2 * i + end->first + 1, memory_order_release);
		if (end->first)
			continue;
		now = __rdtsc();
		turn_cycles[i] = (uint32_t)(now - last);
		last = now;
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	struct end ends[2] = { { .first = 0 }, { .first = 1 } };
	uint64_t began_ns = now_ns(), began = __rdtsc();
	pthread_t threads[2];
	double cycles_per_ns;

	if (argc != 3) {
		fprintf(stderr, "usage: core_distance CPU CPU\n");
		return 2;
	}
	for (unsigned i = 0; i < 2; i++) {
		ends[i].cpu = atoi(argv[i + 1]);
		if (pthread_create(&threads[i], NULL, play, &ends[i]))
			return 1;
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	qsort(turn_cycles, TURNS, sizeof(turn_cycles[0]), compare);
	cycles_per_ns = (double)(__rdtsc() - began) / (double)(now_ns() - began_ns);
	/* A turn is there and back. */
	printf("ns=%.1f cycles_per_ns=%.4f\n", turn_cycles[TURNS / 2] / 2.0 / cycles_per_ns,
	       cycles_per_ns);
	return 0;
}
