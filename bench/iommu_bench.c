/* bench/iommu_bench.c -- what the remapping unit costs: ns for a translation that hits, for one
 * that walks four levels, for an interrupt, for a map and an unmap; each beside the memory accesses
 * that nobody can do without.
 *
 * What is compared is measured in turns, a short part of one after a short part of the other, and
 * the ratio is the median of those of neighbouring parts: whatever the machine does meanwhile it
 * does to both.  Best and median of all parts are shown, too.
 *
 * iommu_bench [SECONDS]   about that long in all; default 4 */
#include "iommu/builder.h"
#include "sim/vtd_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PARTS_MAX = 20000, /* a part is short: the best one met no neighbour */
	RUNS_MAX = 6,
	GROUPS = 7, /* share the time */
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

/* One thing that is measured. */
struct run {
	const char *what;
	uint64_t (*part)(void *context); /* does 'steps' of them */
	void *context;
	unsigned steps;
	void (*before)(void *context); /* not timed; NULL: nothing */
	void (*after)(void *context);
};

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *list, unsigned count)
{
	qsort(list, count, sizeof list[0], by_size);
	return list[count / 2];
}

/* One part: ns a step. */
static double time_part(const struct run *run)
{
	double begin, end;

	if (run->before)
		run->before(run->context);
	begin = now_ns();
	sink += run->part(run->context);
	end = now_ns();
	if (run->after)
		run->after(run->context);
	return (end - begin) / run->steps;
}

static double parts[RUNS_MAX][PARTS_MAX], ratios[PARTS_MAX];

static void print(const struct run *run, double *list, unsigned count, const char *of)
{
	double middle, ratio = 0;

	if (of) {
		for (unsigned i = 0; i < count; i++)
			ratios[i] = list[i] / parts[0][i];
		ratio = median(ratios, count);
	}
	middle = median(list, count);
	printf("%-38s %10.2f %10.2f", run->what, list[0], middle);
	if (of)
		printf("   %.2f %s", ratio, of);
	printf("\n");
}

/* Measures in turns.  of: what the first is to the others ("loads"), or NULL. */
static void measure(const struct run *runs, unsigned run_count, const char *of)
{
	double begin = now_ns();
	unsigned count = 0;

	must(run_count <= RUNS_MAX);
	for (unsigned i = 0; i < run_count; i++)
		time_part(&runs[i]); /* warm */
	for (; count < PARTS_MAX && (count < 5 || now_ns() - begin < seconds * 1e9 / GROUPS);
	     count++)
		for (unsigned i = 0; i < run_count; i++)
			parts[i][count] = time_part(&runs[i]);
	for (unsigned i = run_count; i-- > 1;)
		print(&runs[i], parts[i], count, of);
	print(&runs[0], parts[0], count, NULL);
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

/* The first of what hits are compared with. */
static uint64_t *first_level(void)
{
	static uint64_t chain[CHAIN * 8];

	for (unsigned i = 0; i < CHAIN; i++)
		chain[i * 8] = (i * 29 + 7) % CHAIN * 8;
	return chain;
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

static void bench_hits(void)
{
	static struct hits one, many;
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
		many.requests[i] = (struct iommu_request){ .source = source,
							   .access = IOMMU_WRITE,
							   .pasid = IOMMU_NO_PASID,
							   .address = iova };
	}
	vtd_driver_enable(&d, SPEC_VTD_TTM_LEGACY);
	one.d = many.d = &d;
	one.requests[0] = many.requests[0];
	many.mask = HIT_PAGES - 1;
	measure((struct run[]){ { "load from the first-level cache", chase, first_level(),
				  CHAIN_STEPS, NULL, NULL },
				{ "hit, each waits for the one before", hit_in_turn, &many, HITS,
				  NULL, NULL },
				{ "hit, 64 pages of 8 functions", hit, &many, HITS, NULL, NULL },
				{ "hit, one page", hit, &one, HITS, NULL, NULL } },
		4, "loads");
	measure((struct run[]){ { "page invalidation and its wait", invalidate, &d, 64, NULL,
				  NULL },
				{ "enter and leave, once a burst", enter_and_leave, &d, 1024, NULL,
				  NULL } },
		2, NULL);
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

static void open_walks(struct walks *w, struct vtd_driver *d, unsigned count, uint32_t sets)
{
	open_unit(d, sets);
	*w = (struct walks){ .d = d, .count = count, .root = vtd_driver_page(d) };
	for (unsigned i = 0; i < count; i++)
		vtd_driver_map(d, w->root, 4,
			       &(struct vtd_driver_mapping){ page_iova(i), 0x100000000, 12, 3 });
	vtd_driver_context(d, SOURCE, w->root | 1, vtd_driver_context_high(DOMAIN_ID, 4));
	vtd_driver_enable(d, SPEC_VTD_TTM_LEGACY);
	shuffle(w);
}

static void bench_walks(unsigned count, const char *what)
{
	static struct walks w;
	struct vtd_driver d;

	printf("%s\n", what);
	open_walks(&w, &d, count, 16);
	measure((struct run[]){ { "  its four reads alone", bare_walk, &w, count, NULL, NULL },
				{ "  the long way, from the root", long_walk, &w, count, NULL,
				  NULL },
				{ "  as a miss", walk, &w, count, NULL, NULL } },
		3, "of its reads");
	vtd_driver_stop(&d);
}

static void bench_shared_hits(void)
{
	static struct walks w;
	struct vtd_driver d;

	/* More pages than a reader has at hand, fewer than the shared cache has room for. */
	open_walks(&w, &d, 2048, 4096);
	measure((struct run[]){ { "hit in the shared cache", walk, &w, w.count, NULL, NULL } }, 1,
		NULL);
	vtd_driver_stop(&d);
}

static void bench_interrupts(void)
{
	struct interrupts few, many;
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
	few = (struct interrupts){ &d, 32 };
	many = (struct interrupts){ &d, 4096 };
	measure((struct run[]){ { "interrupt, entry from its table", interrupt, &many, 4096, NULL,
				  NULL },
				{ "interrupt, entry at hand", interrupt, &few, 4096, NULL, NULL } },
		2, NULL);
	vtd_driver_stop(&d);
}

/* Maps and unmaps of one domain: as a driver maps its buffers, at addresses in turn with targets
 * anywhere, so that no pages join. */
enum { MAP_PAGES = 4096, MAP_GIGABYTES = 64, MAP_TABLES = 1 << 12 };

struct maps {
	struct iommu_builder builder;
	uint8_t *tables; /* MAP_TABLES pages */
	uint64_t links[MAP_TABLES], next;
};

static uint64_t maps_take(void *context)
{
	struct maps *m = context;
	uint64_t page = m->links[0]; /* of those that were given back */

	if (page) {
		m->links[0] = m->links[page >> 12];
		memset(m->tables + page, 0, 4096);
		return page;
	}
	must(m->next < MAP_TABLES);
	return m->next++ << 12;
}

static void maps_give(void *context, uint64_t page)
{
	struct maps *m = context;

	m->links[page >> 12] = m->links[0];
	m->links[0] = page;
}

static _Atomic uint64_t *maps_words(void *context, uint64_t page)
{
	struct maps *m = context;

	return (_Atomic uint64_t *)(void *)(m->tables + page);
}

static uint64_t *maps_link(void *context, uint64_t page)
{
	return &((struct maps *)context)->links[page >> 12];
}

static struct iommu_range small_page(unsigned i)
{
	return (struct iommu_range){ UINT64_C(0x40000000) + ((uint64_t)i << 12), 4096 };
}

static struct iommu_range gigabyte(unsigned i)
{
	return (struct iommu_range){ (uint64_t)(i + 4) << 30, UINT64_C(1) << 30 };
}

static void must_map(struct maps *m, struct iommu_range range, uint64_t target)
{
	must(iommu_builder_map(&m->builder, range, target, IOMMU_READ | IOMMU_WRITE) >= 0);
}

static uint64_t map_small(void *context)
{
	for (unsigned i = 0; i < MAP_PAGES; i++)
		must_map(context, small_page(i), (uint64_t)(i * 29 % MAP_PAGES) << 13);
	return 0;
}

static uint64_t map_gigabytes(void *context)
{
	for (unsigned i = 0; i < MAP_GIGABYTES; i++)
		must_map(context, gigabyte(i), (uint64_t)i << 30);
	return 0;
}

/* No page larger than 4 KiB fits: 262144 entries. */
static uint64_t map_crooked(void *context)
{
	must_map(context, gigabyte(0), 0x1000);
	return 0;
}

static uint64_t unmap(struct maps *m, struct iommu_range (*range)(unsigned), unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		must(iommu_builder_unmap(&m->builder, range(i)) >= 0);
	return 0;
}

static uint64_t unmap_small(void *context)
{
	return unmap(context, small_page, MAP_PAGES);
}

static uint64_t unmap_gigabytes(void *context)
{
	return unmap(context, gigabyte, MAP_GIGABYTES);
}

static uint64_t unmap_crooked(void *context)
{
	return unmap(context, gigabyte, 1);
}

static void with_small(void *context)
{
	map_small(context);
}

static void with_gigabytes(void *context)
{
	map_gigabytes(context);
}

static void with_crooked(void *context)
{
	map_crooked(context);
}

static void maps_empty(void *context)
{
	struct maps *m = context;

	must(iommu_builder_unmap(&m->builder, (struct iommu_range){ 0, UINT64_C(1) << 47 }) >= 0);
	iommu_builder_reclaim(&m->builder);
}

static void bench_maps(void)
{
	static struct maps m = { .next = 1 };
	static const struct iommu_pages pages = { maps_take, maps_give, maps_words, maps_link, &m };

	m.tables = aligned_alloc(4096, (size_t)MAP_TABLES << 12);
	must(m.tables != NULL);
	memset(m.tables, 0, (size_t)MAP_TABLES << 12);
	m.builder = (struct iommu_builder){ .format = IOMMU_VTD_SECOND_LEVEL,
					    .levels = 4,
					    .page_sizes = IOMMU_PAGES_2M | IOMMU_PAGES_1G,
					    .pages = &pages };
	must(iommu_builder_init(&m.builder) == 0);
	measure(
		(struct run[]){
			{ "unmap 1 GiB, 262144 small pages", unmap_crooked, &m, 1, with_crooked,
			  maps_empty },
			{ "map 1 GiB, 262144 small pages", map_crooked, &m, 1, NULL, maps_empty },
			{ "unmap 1 GiB, one page", unmap_gigabytes, &m, MAP_GIGABYTES,
			  with_gigabytes, maps_empty },
			{ "map 1 GiB, one page", map_gigabytes, &m, MAP_GIGABYTES, NULL,
			  maps_empty },
			{ "unmap 4 KiB", unmap_small, &m, MAP_PAGES, with_small, maps_empty },
			{ "map 4 KiB", map_small, &m, MAP_PAGES, NULL, maps_empty } },
		6, NULL);
	iommu_builder_fini(&m.builder);
	free(m.tables);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		seconds = strtod(argv[1], NULL);
	if (argc > 2 || !(seconds > 0)) {
		fprintf(stderr, "usage: iommu_bench [SECONDS]\n");
		return 2;
	}
	printf("%-38s %10s %10s   median ratio\n", "ns", "best", "median");
	bench_hits();
	bench_shared_hits();
	bench_walks(1 << 10, "walk of 4 levels, tables in the caches");
	bench_walks(WALK_PAGES, "walk of 4 levels, tables in memory");
	bench_interrupts();
	bench_maps();
	return 0;
}
