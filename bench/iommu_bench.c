/* bench/iommu_bench.c -- what the remapping unit costs: ns for a translation that hits, for one
 * that walks four levels, for an interrupt, each beside the memory accesses that nobody can do
 * without, measured in the same run.
 *
 * Of many short parts the best counts, since neighbours only ever add; the median is shown beside
 * it.
 *
 * iommu_bench [SECONDS]   about that long in all; default 4 */
#include "sim/vtd_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PARTS_MAX = 20000, /* a part is short: the best one met no neighbour */
	BURST = 32,
	SOURCE = 0x0100,
	DOMAIN_ID = 3,
	HIT_PAGES = 64,
	WALK_PAGES = 1 << 14, /* each in tables of its own down from level 3 */
};

#define MEMORY_SIZE (UINT64_C(320) << 20)

static double seconds = 4;
static volatile uint64_t sink;

static double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

struct cost {
	double best, median; /* ns a step */
};

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* What one of the 'steps' takes that 'run' does at a time. */
static struct cost cost_of(uint64_t (*run)(void *context), void *context, unsigned steps)
{
	static double parts[PARTS_MAX];
	double begin = now_ns(), part = begin, end = begin;
	unsigned count = 0;

	sink += run(context); /* warm */
	while (count < PARTS_MAX && (count < 5 || end - begin < seconds * 1e9 / 12)) {
		part = now_ns();
		sink += run(context);
		end = now_ns();
		parts[count++] = (end - part) / steps;
	}
	qsort(parts, count, sizeof parts[0], by_size);
	return (struct cost){ parts[0], parts[count / 2] };
}

static void print(const char *what, struct cost cost, double beside, const char *of)
{
	printf("%-36s %8.2f %8.2f", what, cost.best, cost.median);
	if (of)
		printf("   %.2f times %s of %.2f", cost.best / beside, of, beside);
	printf("\n");
}

/* Loads that depend on each other, in 4 KiB: what one look-up in the first-level cache takes. */
enum { CHAIN = 64, CHAIN_STEPS = 8192, HITS = 8192 };

static uint64_t chase(void *context)
{
	const uint64_t *chain = context;
	uint64_t at = 0;

	for (unsigned i = 0; i < CHAIN_STEPS; i++)
		at = chain[at];
	return at;
}

static struct cost first_level_load(void)
{
	static uint64_t chain[CHAIN * 8];

	for (unsigned i = 0; i < CHAIN; i++)
		chain[i * 8] = (i * 29 + 7) % CHAIN * 8;
	return cost_of(chase, chain, CHAIN_STEPS);
}

struct hits {
	struct vtd_driver *d;
	struct iommu_request requests[HIT_PAGES];
	unsigned mask; /* over the requests */
};

/* As a burst has them: addresses are known before, so that one look-up overlaps the next. */
static uint64_t hit(void *context)
{
	struct hits *h = context;
	struct vtd_reader *reader = h->d->reader;
	struct iommu_answer answer;
	uint64_t sum = 0;

	vtd_reader_enter(reader);
	for (unsigned i = 0; i < HITS; i++) {
		vtd_translate(reader, &h->requests[i & h->mask], &answer);
		must(answer.outcome == IOMMU_OK);
		sum += answer.address;
	}
	vtd_reader_leave(reader);
	return sum;
}

/* As a chain of descriptors has them: each address comes from memory that the last one led to. */
static uint64_t hit_in_turn(void *context)
{
	struct hits *h = context;
	struct vtd_reader *reader = h->d->reader;
	struct iommu_answer answer;
	uint64_t sum = 0;

	vtd_reader_enter(reader);
	for (unsigned i = 0; i < HITS; i++) {
		vtd_translate(reader, &h->requests[(i + (unsigned)(sum >> 63)) & h->mask], &answer);
		must(answer.outcome == IOMMU_OK);
		sum += answer.address & 0xffff;
	}
	vtd_reader_leave(reader);
	return sum;
}

static uint64_t enter_and_leave(void *context)
{
	struct vtd_driver *d = context;

	for (unsigned i = 0; i < 1024; i++) {
		vtd_reader_enter(d->reader);
		vtd_reader_leave(d->reader);
	}
	return 0;
}

struct walks {
	struct vtd_driver *d;
	uint64_t root;
	uint32_t order[WALK_PAGES + 2];
	unsigned count; /* of pages in use */
};

static uint64_t page_iova(uint32_t page)
{
	return (uint64_t)page << 30 | 0x5000;
}

/* The i-th address in order.  It waits for 'sum', which is never so large as to change it: walks do
 * not overlap. */
static uint64_t walk_iova(const struct walks *w, unsigned i, uint64_t sum)
{
	return page_iova(w->order[i + (unsigned)(sum >> 63)]);
}

/* What a walk must read, with nothing around it: four loads, each of the address that the last one
 * gave. */
static uint64_t bare_walk(void *context)
{
	const struct walks *w = context;
	uint64_t sum = 0;

	for (unsigned i = 0; i < w->count; i++) {
		uint64_t iova = walk_iova(w, i, sum), table = w->root, entry = 0;

		for (unsigned shift = 39;; shift -= 9) {
			memcpy(&entry, w->d->memory + table + (iova >> shift & 511) * 8, 8);
			if (shift == 12)
				break;
			table = entry & UINT64_C(0xffffffffff000);
		}
		sum += entry & 0xffff;
	}
	return sum;
}

static uint64_t walk(void *context)
{
	const struct walks *w = context;
	struct vtd_reader *reader = w->d->reader;
	uint64_t sum = 0;

	for (unsigned i = 0; i < w->count; i += BURST) {
		vtd_reader_enter(reader);
		for (unsigned k = i; k < i + BURST; k++) {
			const struct iommu_request request = {
				.source = SOURCE,
				.access = IOMMU_READ,
				.pasid = IOMMU_NO_PASID,
				.address = walk_iova(w, k, sum),
			};
			struct iommu_answer answer;

			vtd_translate(reader, &request, &answer);
			must(answer.outcome == IOMMU_OK);
			sum += answer.address & 0xffff;
		}
		vtd_reader_leave(reader);
	}
	return sum;
}

/* From the root each time, by the walk that knows all reasons. */
static uint64_t long_walk(void *context)
{
	const struct walks *w = context;
	const struct vtd_tables tables = { .cap = w->d->config.cap,
					   .ecap = w->d->config.ecap,
					   .version = 0x10,
					   .host_width = w->d->config.host_width,
					   .rtaddr = w->d->root,
					   .translation = true,
					   .memory = &w->d->config.memory };
	uint64_t sum = 0;

	for (unsigned i = 0; i < w->count; i++) {
		const struct iommu_request request = { .source = SOURCE,
						       .access = IOMMU_READ,
						       .pasid = IOMMU_NO_PASID,
						       .address = walk_iova(w, i, sum) };
		struct iommu_answer answer;

		vtd_walk(&tables, &request, NULL, &answer);
		must(answer.outcome == IOMMU_OK);
		sum += answer.address & 0xffff;
	}
	return sum;
}

struct interrupts {
	struct vtd_driver *d;
	unsigned count;
};

static uint64_t interrupt(void *context)
{
	const struct interrupts *n = context;
	struct iommu_remapped remapped;
	uint64_t sum = 0;

	vtd_reader_enter(n->d->reader);
	for (unsigned i = 0; i < 4096; i++) {
		const struct iommu_message message = { .source = SOURCE,
						       .address = 0xfee00010 | (i % n->count)
										       << 5 };

		vtd_interrupt(n->d->reader, &message, &remapped);
		must(remapped.outcome == IOMMU_OK);
		sum += remapped.data;
	}
	vtd_reader_leave(n->d->reader);
	return sum;
}

static uint64_t invalidate(void *context)
{
	struct vtd_driver *d = context;

	for (unsigned i = 0; i < 64; i++)
		must(vtd_driver_flush_pages(d, DOMAIN_ID, (uint64_t)i << 12, 0));
	return 0;
}

static void open_unit(struct vtd_driver *d, uint32_t sets)
{
	vtd_driver_start(d, MEMORY_SIZE, &(struct vtd_config){ .iotlb_sets = sets });
}

static void bench_hits(double load)
{
	static struct hits h;
	struct vtd_driver d;
	uint64_t root;

	open_unit(&d, 0);
	root = vtd_driver_page(&d);
	for (unsigned i = 0; i < HIT_PAGES; i++) {
		uint16_t source = (uint16_t)(SOURCE + i % 8);
		uint64_t iova = (uint64_t)i << 12;

		vtd_driver_context(&d, source, root | 1, vtd_driver_context_high(DOMAIN_ID, 4));
		vtd_driver_map(&d, root, 4,
			       &(struct vtd_driver_mapping){ iova, 0x100000000 + iova, 12, 3 });
		h.requests[i] = (struct iommu_request){ .source = source,
							.access = IOMMU_WRITE,
							.pasid = IOMMU_NO_PASID,
							.address = iova };
	}
	vtd_driver_enable(&d, SPEC_VTD_TTM_LEGACY);
	h.d = &d;
	print("hit, one page", cost_of(hit, &h, HITS), load, "a load");
	h.mask = HIT_PAGES - 1;
	print("hit, 64 pages of 8 functions", cost_of(hit, &h, HITS), load, "a load");
	print("hit, each waits for the one before", cost_of(hit_in_turn, &h, HITS), load, "a load");
	print("enter and leave, once a burst", cost_of(enter_and_leave, &d, 1024), 0, NULL);
	print("page invalidation and its wait", cost_of(invalidate, &d, 64), 0, NULL);
	vtd_driver_stop(&d);
}

static void shuffle(struct walks *w)
{
	uint64_t seed = 5;

	for (unsigned i = 0; i < w->count; i++)
		w->order[i] = i;
	for (unsigned i = w->count - 1; i; i--) {
		unsigned k = (unsigned)(rand_u64(&seed) % (i + 1));
		uint32_t swap = w->order[i];

		w->order[i] = w->order[k];
		w->order[k] = swap;
	}
}

static void bench_walks(unsigned count, uint32_t sets, const char *what)
{
	static struct walks w;
	struct vtd_driver d;
	struct cost bare;

	open_unit(&d, sets);
	w = (struct walks){ .d = &d, .count = count, .root = vtd_driver_page(&d) };
	for (unsigned i = 0; i < count; i++)
		vtd_driver_map(&d, w.root, 4,
			       &(struct vtd_driver_mapping){ page_iova(i), 0x100000000, 12, 3 });
	vtd_driver_context(&d, SOURCE, w.root | 1, vtd_driver_context_high(DOMAIN_ID, 4));
	vtd_driver_enable(&d, SPEC_VTD_TTM_LEGACY);
	shuffle(&w);
	bare = cost_of(bare_walk, &w, count);
	print(what, cost_of(walk, &w, count), bare.best, "its memory reads");
	print("  the long way, from the root", cost_of(long_walk, &w, count), bare.best,
	      "its memory reads");
	vtd_driver_stop(&d);
}

static void bench_shared_hits(void)
{
	static struct walks w;
	struct vtd_driver d;

	/* More pages than a reader has at hand, fewer than the shared cache has room for. */
	open_unit(&d, 4096);
	w = (struct walks){ .d = &d, .count = 2048, .root = vtd_driver_page(&d) };
	for (unsigned i = 0; i < w.count; i++)
		vtd_driver_map(&d, w.root, 4,
			       &(struct vtd_driver_mapping){ page_iova(i), 0x100000000, 12, 3 });
	vtd_driver_context(&d, SOURCE, w.root | 1, vtd_driver_context_high(DOMAIN_ID, 4));
	vtd_driver_enable(&d, SPEC_VTD_TTM_LEGACY);
	shuffle(&w);
	print("hit in the shared cache", cost_of(walk, &w, w.count), 0, NULL);
	vtd_driver_stop(&d);
}

static void bench_interrupts(void)
{
	struct interrupts n;
	struct vtd_driver d;
	uint64_t table;

	open_unit(&d, 0);
	table = vtd_driver_page(&d);
	for (unsigned i = 1; i < 16; i++)
		vtd_driver_page(&d);
	for (unsigned i = 0; i < 4096; i++)
		vtd_driver_put(&d, table + i * 16, 1 | 0x40 << 16);
	vtd_driver_write(&d, SPEC_VTD_IRTA, table | 11);
	must(vtd_driver_command(&d, SPEC_VTD_GCMD_SIRTP, true));
	must(vtd_driver_command(&d, SPEC_VTD_GCMD_IRE, true));
	n = (struct interrupts){ &d, 32 };
	print("interrupt, entry at hand", cost_of(interrupt, &n, 4096), 0, NULL);
	n.count = 4096;
	print("interrupt, entry from its table", cost_of(interrupt, &n, 4096), 0, NULL);
	vtd_driver_stop(&d);
}

int main(int argc, char **argv)
{
	struct cost load;

	if (argc > 1)
		seconds = strtod(argv[1], NULL);
	if (argc > 2 || !(seconds > 0)) {
		fprintf(stderr, "usage: iommu_bench [SECONDS]\n");
		return 2;
	}
	load = first_level_load();
	printf("ns a piece                               best   median\n");
	print("load from the first-level cache", load, 0, NULL);
	bench_hits(load.best);
	bench_shared_hits();
	bench_walks(1 << 10, 16, "walk of 4 levels, tables in L2");
	bench_walks(WALK_PAGES, 16, "walk of 4 levels, tables in memory");
	bench_interrupts();
	return 0;
}
