/* One thread maps, unmaps and invalidates while others translate: once a wait descriptor has
 * completed, nobody uses what was ended before it.  `make tsan` runs this under ThreadSanitizer.
 *
 * Each page has a version, which its target tells: odd versions are absent.  The control thread
 * writes a version into the tables, invalidates, waits, and then raises the page's floor to it.  A
 * reader that has the target of an older version at hand when the floor is raised has a stale
 * translation.
 *
 * MIDPLANE_TRANSLATIONS: how many in all, default 4000000. */
#include "sim/vtd_driver.h"
#include "tests/check.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

enum {
	READERS = 3,
	PAGES = 48,
	SOURCES = 3, /* two in one domain, one by PASID in another */
	BURST = 16,
	MEETINGS = 200, /* pages that are ended while all is translated, at least */
	DOMAIN_SECOND = 11,
	DOMAIN_FIRST = 12,
	PASID = 33,
};

struct page {
	_Atomic uint64_t floor; /* versions below are ended */
	uint64_t version;	/* the control thread's, as the rest */
	uint64_t upper;		/* entry that leads to its table, if it is small */
	uint64_t tables[2];	/* of which one is in use */
	bool moved;		/* into the other table, since the last wait */
	unsigned in_use;
};

struct world;

struct worker_thread {
	pthread_t thread;
	struct world *world;
	struct vtd_reader *reader;
	uint64_t seed;
	uint64_t translations, refused, stale;
};

struct world {
	struct vtd_driver d;
	uint64_t roots[2]; /* second stage, first stage */
	struct page pages[2][PAGES];
	struct worker_thread workers[READERS];
	_Atomic uint64_t total;
	_Atomic bool stop;
	uint64_t wanted;
	uint64_t seed;
	_Atomic uint64_t invalidations;
};

/* Every third page is large: addresses 2 MiB apart, so that both sizes fit. */
static uint64_t iova_of(unsigned page)
{
	return (uint64_t)(page + 1) << 21;
}

static unsigned shift_of(unsigned page)
{
	return page % 3 == 0 ? 21 : 12;
}

static uint64_t target_of(uint64_t version)
{
	return (version & 0x7fffff) << 21;
}

static uint64_t version_of(uint64_t target)
{
	return target >> 21;
}

/* First stage: present, writable, user, accessed, dirty. */
static uint64_t entry_of(unsigned space, unsigned page, uint64_t version)
{
	uint64_t large = shift_of(page) == 21 ? 0x80 : 0;

	return version % 2 ? 0 : target_of(version) | large | (space ? 0x67 : 3);
}

static void write_page(struct world *w, unsigned space, unsigned number, uint64_t version)
{
	struct page *page = &w->pages[space][number];
	uint64_t entry = entry_of(space, number, version);
	unsigned index = iova_of(number) >> 12 & 511;

	if (shift_of(number) == 21) {
		vtd_driver_put(&w->d, page->upper, entry);
		return;
	}
	if (!page->moved && rand_u64(&w->seed) % 2) {
		page->moved = true;
		page->in_use ^= 1;
		vtd_driver_put(&w->d, page->tables[page->in_use] + index * 8, entry);
		vtd_driver_put(&w->d, page->upper, page->tables[page->in_use] | (space ? 0x27 : 3));
		return;
	}
	vtd_driver_put(&w->d, page->tables[page->in_use] + index * 8, entry);
}

/* The table that was left is used for something else: who still reads it finds version 0. */
static void leave_table(struct world *w, unsigned space, unsigned number)
{
	struct page *page = &w->pages[space][number];

	if (page->moved)
		vtd_driver_put(&w->d,
			       page->tables[page->in_use ^ 1] + (iova_of(number) >> 12 & 511) * 8,
			       entry_of(space, number, 0));
	page->moved = false;
}

static void make_page(struct world *w, unsigned space, unsigned number)
{
	struct page *page = &w->pages[space][number];

	page->upper = vtd_driver_entry(&w->d, w->roots[space], 4, iova_of(number), 2);
	page->version = 2;
	atomic_store(&page->floor, 2);
	if (shift_of(number) == 12) {
		page->tables[0] = vtd_driver_page(&w->d);
		page->tables[1] = vtd_driver_page(&w->d);
		vtd_driver_put(&w->d, page->upper, page->tables[0] | (space ? 0x27 : 3));
	}
	write_page(w, space, number, 2);
}

/* First-stage tables are second-stage tables with more bits on the way. */
static void make_first_stage(struct world *w)
{
	for (unsigned page = 0; page < PAGES; page++)
		for (unsigned level = 4; level > 2; level--) {
			uint64_t at;

			vtd_driver_entry(&w->d, w->roots[1], 4, iova_of(page), level - 1);
			at = vtd_driver_entry(&w->d, w->roots[1], 4, iova_of(page), level);
			vtd_driver_put(&w->d, at, vtd_driver_get(&w->d, at) | 0x27);
		}
}

static void start(struct world *w)
{
	uint64_t entry;

	vtd_driver_start(&w->d, 1 << 22, &(struct vtd_config){ .readers = READERS });
	w->roots[0] = vtd_driver_page(&w->d);
	w->roots[1] = vtd_driver_page(&w->d);
	make_first_stage(w);
	for (unsigned space = 0; space < 2; space++)
		for (unsigned page = 0; page < PAGES; page++)
			make_page(w, space, page);
	for (uint16_t source = 0; source < SOURCES; source++)
		vtd_driver_scalable_context(&w->d, source,
					    1 | field_mask(SPEC_VTD_SMCONTEXT_0_PASIDE), 0);
	for (uint16_t source = 0; source < SOURCES; source++) {
		entry = vtd_driver_pasid_entry(&w->d, source, 0);
		vtd_driver_put(&w->d, entry + 8, DOMAIN_SECOND);
		vtd_driver_put(&w->d, entry,
			       w->roots[0] | 1 | field_make(SPEC_VTD_PASID_0_AW, 2) |
				       field_make(SPEC_VTD_PASID_0_PGTT, SPEC_VTD_PGTT_SECOND));
		entry = vtd_driver_pasid_entry(&w->d, source, PASID);
		vtd_driver_put(&w->d, entry + 16, w->roots[1]);
		vtd_driver_put(&w->d, entry + 8, DOMAIN_FIRST);
		vtd_driver_put(&w->d, entry,
			       1 | field_make(SPEC_VTD_PASID_0_PGTT, SPEC_VTD_PGTT_FIRST));
	}
	vtd_driver_enable(&w->d, SPEC_VTD_TTM_SCALABLE);
}

/* A burst as a worker has it: translations are got, and used until the reader leaves. */
static void burst(struct worker_thread *worker)
{
	struct world *w = worker->world;
	struct page *used[BURST];
	uint64_t versions[BURST];
	unsigned count = 0;

	vtd_reader_enter(worker->reader);
	for (unsigned i = 0; i < BURST; i++) {
		uint64_t random = rand_u64(&worker->seed);
		unsigned space = random & 1, page = (random >> 8) % PAGES;
		uint64_t offset = random >> 40 & 0xfff;
		struct iommu_request request = {
			.source = (uint16_t)((random >> 4) % SOURCES),
			.access = random >> 20 & 1 ? IOMMU_WRITE : IOMMU_READ,
			.pasid = space ? PASID : IOMMU_NO_PASID,
			.address = iova_of(page) + offset,
		};
		struct iommu_answer answer;

		vtd_translate(worker->reader, &request, &answer);
		if (answer.outcome != IOMMU_OK) {
			worker->refused++;
			continue;
		}
		used[count] = &w->pages[space][page];
		versions[count++] = version_of(answer.address);
		worker->stale += (answer.address & 0x1fffff) != offset;
	}
	/* Still inside: what is in use must not have been declared ended. */
	for (unsigned i = 0; i < count; i++)
		worker->stale += versions[i] < (atomic_load(&used[i]->floor) & 0x7fffff);
	vtd_reader_leave(worker->reader);
	worker->translations += BURST;
}

/* Walks are interrupted where it hurts: between a look at an entry and what is done with it. */
static void stumble(void)
{
	static _Thread_local unsigned reads;

	if (++reads % 256 == 0)
		sched_yield();
}

/* Whoever has the CPU: so many translations for each page that is ended, and not more. */
static bool is_ahead(struct world *w)
{
	return atomic_load(&w->total) >
	       (atomic_load(&w->invalidations) + 1) * (w->wanted / MEETINGS);
}

static void *work(void *context)
{
	struct worker_thread *worker = context;
	struct world *w = worker->world;

	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		if (is_ahead(w)) {
			sched_yield();
			continue;
		}
		burst(worker);
		if (atomic_fetch_add(&w->total, BURST) + BURST >= w->wanted)
			break;
		if (rand_u64(&worker->seed) % 64 == 0)
			sched_yield(); /* also be outside now and then */
	}
	return NULL;
}

static void invalidate(struct world *w, unsigned space, unsigned page)
{
	uint64_t iova = iova_of(page), random = rand_u64(&w->seed) % 16;
	uint64_t domain = space ? DOMAIN_FIRST : DOMAIN_SECOND;
	unsigned mask = shift_of(page) == 21 && random % 2 ? 9 : 0;

	if (random == 0)
		vtd_driver_submit(&w->d, SPEC_VTD_QI_IOTLB | 1 << 4, 0);
	else if (random == 1)
		vtd_driver_submit(&w->d, SPEC_VTD_QI_IOTLB | 2 << 4 | domain << 16, 0);
	else if (space && random == 2)
		vtd_driver_submit(
			&w->d,
			SPEC_VTD_QI_PASID_IOTLB | 2 << 4 | domain << 16 | (uint64_t)PASID << 32, 0);
	else if (space)
		vtd_driver_submit(&w->d,
				  SPEC_VTD_QI_PASID_IOTLB | 3 << 4 | domain << 16 |
					  (uint64_t)PASID << 32,
				  iova | mask);
	else
		vtd_driver_submit(&w->d, SPEC_VTD_QI_IOTLB | 3 << 4 | domain << 16, iova | mask);
}

static void wait_for_readers(struct world *w)
{
	vtd_driver_wait(&w->d);
	while (!vtd_driver_waited(&w->d)) {
		sched_yield();
		vtd_poll(w->d.vtd, 0);
	}
}

static void change_some(struct world *w)
{
	unsigned spaces[4], pages[4], count = 1 + rand_u64(&w->seed) % 4;

	for (unsigned i = 0; i < count; i++) {
		unsigned space = spaces[i] = rand_u64(&w->seed) % 2;
		unsigned page = pages[i] = rand_u64(&w->seed) % PAGES;

		/* Mostly it goes away and comes back; sometimes it moves at once. */
		w->pages[space][page].version += rand_u64(&w->seed) % 4 ? 1 : 2;
		write_page(w, space, page, w->pages[space][page].version);
		invalidate(w, space, page);
	}
	wait_for_readers(w);
	for (unsigned i = 0; i < count; i++) {
		leave_table(w, spaces[i], pages[i]);
		atomic_store(&w->pages[spaces[i]][pages[i]].floor,
			     w->pages[spaces[i]][pages[i]].version);
	}
	atomic_fetch_add(&w->invalidations, count);
	vtd_driver_write(&w->d, SPEC_VTD_FSTS, field_mask(SPEC_VTD_FSTS_PFO));
}

static uint64_t wanted(void)
{
	const char *text = getenv("MIDPLANE_TRANSLATIONS");

	return text ? strtoull(text, NULL, 0) : 4000000;
}

static void no_stale_translation_is_used_after_a_wait(void **state)
{
	static struct world w;
	uint64_t translations = 0, refused = 0, stale = 0;
	void *memory[READERS];

	(void)state;
	w.seed = check_seed();
	w.wanted = wanted();
	start(&w);
	w.d.pause = stumble;
	for (unsigned i = 0; i < READERS; i++) {
		struct worker_thread *worker = &w.workers[i];

		memory[i] = aligned_alloc(64, (vtd_reader_size() + 63) / 64 * 64);
		*worker = (struct worker_thread){ .world = &w, .seed = w.seed * 77 + i };
		worker->reader = vtd_reader_init(memory[i], w.d.vtd, i);
		must(pthread_create(&worker->thread, NULL, work, worker) == 0);
	}
	while (atomic_load(&w.total) < w.wanted)
		change_some(&w);
	atomic_store(&w.stop, true);
	for (unsigned i = 0; i < READERS; i++) {
		pthread_join(w.workers[i].thread, NULL);
		translations += w.workers[i].translations;
		refused += w.workers[i].refused;
		stale += w.workers[i].stale;
		vtd_reader_fini(w.workers[i].reader);
		free(memory[i]);
	}
	fprintf(stderr,
		"# %" PRIu64 " translations, %" PRIu64 " refused, %" PRIu64 " pages ended, %" PRIu64
		" stale uses\n",
		translations, refused, atomic_load(&w.invalidations), stale);
	assert_int_equal(stale, 0);
	/* The two did meet: pages went away under readers, and enough of both happened. */
	assert_true(translations >= w.wanted);
	assert_true(refused > translations / 100);
	assert_true(refused < translations);
	assert_true(atomic_load(&w.invalidations) > 100);
	assert_false(field_is_set(vtd_driver_read(&w.d, SPEC_VTD_FSTS), SPEC_VTD_FSTS_IQE));
	vtd_driver_stop(&w.d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_stale_translation_is_used_after_a_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
