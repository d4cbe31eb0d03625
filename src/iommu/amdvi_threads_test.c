/* AMD's unit: one thread unmaps and invalidates while others translate, through the table of
 * operations; once COMPLETION_WAIT has stored its word, nobody uses what was ended before it. `make
 * tsan` runs this under ThreadSanitizer.
 *
 * As vtd_threads_test.c: each page has a version, which its target tells; odd versions are absent.
 *
 * MIDPLANE_TRANSLATIONS: how many in all, default 2000000. */
#include "base/bytes.h"
#include "iommu/amdvi.h"
#include "iommu/unit.h"
#include "spec/amdvi.h"
#include "tests/check.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum {
	SIZE = 1 << 20,
	DEVICES = 0x1000,
	COMMANDS = 0x2000,
	STATUS = 0x3000,
	TOP = 0x10000, /* level 3, 2 and 1 of each domain, one page each */
	DOMAINS = 2,
	SOURCES = 4, /* two in each domain */
	PAGES = 48,  /* every third one large */
	READERS = 3,
	BURST = 16,
	MEETINGS = 200, /* pages that are ended while all is translated, at least */
};

struct page {
	_Atomic uint64_t floor; /* versions below are ended */
	uint64_t version;	/* the control thread's */
};

struct worker_thread {
	pthread_t thread;
	void *reader;
	uint64_t seed, translations, refused, stale;
};

static struct {
	_Atomic uint64_t words[SIZE / 8];
	struct iommu_unit unit;
	struct page pages[DOMAINS][PAGES];
	struct worker_thread workers[READERS];
	_Atomic uint64_t total;
	_Atomic bool stop;
	uint64_t seed, waits, wanted;
	_Atomic uint64_t invalidations;
} w;

static bool is_there(uint64_t address, uint32_t size)
{
	return address % 8 == 0 && size % 8 == 0 && address <= SIZE - size;
}

static bool memory_read(void *context, uint64_t address, void *bytes, uint32_t size)
{
	static _Thread_local unsigned reads;

	(void)context;
	/* Walks are interrupted where it hurts: between two entries. */
	if (++reads % 256 == 0)
		sched_yield();
	for (uint32_t i = 0; i < size && is_there(address, size); i += 8)
		put_le64((uint8_t *)bytes + i, atomic_load(&w.words[(address + i) / 8]));
	return is_there(address, size);
}

static bool memory_write(void *context, uint64_t address, const void *bytes, uint32_t size)
{
	(void)context;
	for (uint32_t i = 0; i < size && is_there(address, size); i += 8)
		atomic_store(&w.words[(address + i) / 8], get_le64((const uint8_t *)bytes + i));
	return is_there(address, size);
}

static bool memory_replace(void *context, uint64_t address, uint64_t old, uint64_t now)
{
	(void)context;
	return is_there(address, 8) &&
	       atomic_compare_exchange_strong(&w.words[address / 8], &old, now);
}

static void put(uint64_t address, uint64_t word)
{
	atomic_store(&w.words[address / 8], word);
}

static uint64_t iova_of(unsigned page)
{
	return page % 3 ? (uint64_t)page << 12 : (uint64_t)(page + 1) << 21;
}

static uint64_t table_of(unsigned domain, unsigned level)
{
	return TOP + (domain * 3 + (3 - level)) * 0x1000;
}

static uint64_t both(unsigned next_level)
{
	return 1 | (uint64_t)next_level << 9 | UINT64_C(3) << 61;
}

static void write_page(unsigned domain, unsigned page, uint64_t version)
{
	unsigned level = page % 3 ? 1 : 2;
	uint64_t at = table_of(domain, level) + (iova_of(page) >> (level == 1 ? 12 : 21) & 511) * 8;

	put(at, version % 2 ? 0 : (version & 0x7fffff) << 21 | both(0));
}

static void start(void)
{
	const struct amdvi_config config = {
		.features = field_mask(SPEC_AMDVI_EFR_IA_SUP),
		.memory = { .read = memory_read, .write = memory_write, .replace = memory_replace },
		.readers = READERS,
	};

	w.unit = iommu_unit_amdvi(
		amdvi_init(aligned_alloc(64, (amdvi_size(&config) + 63) / 64 * 64), &config));
	for (unsigned domain = 0; domain < DOMAINS; domain++) {
		put(table_of(domain, 3), table_of(domain, 2) | both(2));
		put(table_of(domain, 2), table_of(domain, 1) | both(1));
		for (unsigned page = 0; page < PAGES; page++) {
			w.pages[domain][page].version = 2;
			atomic_store(&w.pages[domain][page].floor, 2);
			write_page(domain, page, 2);
		}
	}
	for (unsigned source = 0; source < SOURCES; source++) {
		put(DEVICES + source * 32 + 8, 5 + source % DOMAINS);
		put(DEVICES + source * 32,
		    table_of(source % DOMAINS, 3) | 3 | 3 << 9 | UINT64_C(3) << 61);
	}
	w.unit.ops->write(w.unit.unit, SPEC_AMDVI_DEVICE_TABLE, 8, DEVICES);
	w.unit.ops->write(w.unit.unit, SPEC_AMDVI_COMMAND_BUFFER, 8, COMMANDS | UINT64_C(8) << 56);
	w.unit.ops->write(w.unit.unit, SPEC_AMDVI_CONTROL, 8,
			  field_mask(SPEC_AMDVI_CONTROL_IOMMU_EN) |
				  field_mask(SPEC_AMDVI_CONTROL_CMD_BUF_EN));
}

static void command(uint64_t word0, uint64_t word1)
{
	uint64_t tail = w.unit.ops->read(w.unit.unit, SPEC_AMDVI_COMMAND_TAIL, 8);

	put(COMMANDS + tail, word0);
	put(COMMANDS + tail + 8, word1);
	w.unit.ops->write(w.unit.unit, SPEC_AMDVI_COMMAND_TAIL, 8, (tail + 16) % 4096);
}

/* Translations are got, and used until the reader leaves. */
static void burst(struct worker_thread *worker)
{
	struct page *used[BURST];
	uint64_t versions[BURST];
	unsigned count = 0;

	w.unit.ops->enter(worker->reader);
	for (unsigned i = 0; i < BURST; i++) {
		uint64_t random = rand_u64(&worker->seed);
		unsigned source = random % SOURCES, page = (random >> 8) % PAGES;
		uint64_t offset = random >> 40 & 0xfff;
		const struct iommu_request request = {
			.source = (uint16_t)source,
			.access = random >> 20 & 1 ? IOMMU_WRITE : IOMMU_READ,
			.pasid = IOMMU_NO_PASID,
			.address = iova_of(page) + offset,
		};
		struct iommu_answer answer;

		w.unit.ops->translate(worker->reader, &request, &answer);
		if (answer.outcome != IOMMU_OK) {
			worker->refused++;
			continue;
		}
		used[count] = &w.pages[source % DOMAINS][page];
		versions[count++] = answer.address >> 21;
		worker->stale += (answer.address & 0x1fffff) != offset;
	}
	/* Still inside: what is in use must not have been declared ended. */
	for (unsigned i = 0; i < count; i++)
		worker->stale += versions[i] < (atomic_load(&used[i]->floor) & 0x7fffff);
	w.unit.ops->leave(worker->reader);
	worker->translations += BURST;
}

/* Whoever has the CPU: so many translations for each page that is ended, and not more. */
static bool is_ahead(void)
{
	return atomic_load(&w.total) > (atomic_load(&w.invalidations) + 1) * (w.wanted / MEETINGS);
}

static void *work(void *context)
{
	struct worker_thread *worker = context;

	while (!atomic_load_explicit(&w.stop, memory_order_relaxed)) {
		if (is_ahead()) {
			sched_yield();
			continue;
		}
		burst(worker);
		atomic_fetch_add(&w.total, BURST);
		if (rand_u64(&worker->seed) % 64 == 0)
			sched_yield(); /* also be outside now and then */
	}
	return NULL;
}

static void invalidate(unsigned domain, unsigned page)
{
	switch (rand_u64(&w.seed) % 8) {
	case 0:
		command(UINT64_C(8) << 60, 0);
		break;
	case 1: /* any device's entry: it ends pages of all */
		command(UINT64_C(2) << 60 | rand_u64(&w.seed) % SOURCES, 0);
		break;
	case 2: /* all of the domain */
		command(UINT64_C(3) << 60 | (uint64_t)(5 + domain) << 32, 0x7ffffffffffff001);
		break;
	default:
		command(UINT64_C(3) << 60 | (uint64_t)(5 + domain) << 32, iova_of(page));
		break;
	}
}

static void change_some(void)
{
	unsigned domains[4], pages[4], count = 1 + rand_u64(&w.seed) % 4;

	for (unsigned i = 0; i < count; i++) {
		unsigned domain = domains[i] = rand_u64(&w.seed) % DOMAINS;
		unsigned page = pages[i] = rand_u64(&w.seed) % PAGES;

		/* Mostly it goes away and comes back; sometimes it moves at once. */
		w.pages[domain][page].version += rand_u64(&w.seed) % 4 ? 1 : 2;
		write_page(domain, page, w.pages[domain][page].version);
		invalidate(domain, page);
	}
	command(UINT64_C(1) << 60 | STATUS | 1, ++w.waits);
	while (atomic_load(&w.words[STATUS / 8]) != w.waits) {
		sched_yield();
		w.unit.ops->poll(w.unit.unit, 0);
	}
	for (unsigned i = 0; i < count; i++)
		atomic_store(&w.pages[domains[i]][pages[i]].floor,
			     w.pages[domains[i]][pages[i]].version);
	atomic_fetch_add(&w.invalidations, count);
}

static uint64_t wanted(void)
{
	const char *text = getenv("MIDPLANE_TRANSLATIONS");

	return text ? strtoull(text, NULL, 0) : 2000000;
}

static void no_stale_translation_is_used_after_a_completion_wait(void **state)
{
	uint64_t translations = 0, refused = 0, stale = 0;
	size_t size = (amdvi_reader_size() + 63) / 64 * 64;

	(void)state;
	w.seed = check_seed();
	w.wanted = wanted();
	start();
	for (unsigned i = 0; i < READERS; i++) {
		struct worker_thread *worker = &w.workers[i];

		worker->seed = w.seed * 77 + i;
		worker->reader = w.unit.ops->reader_init(aligned_alloc(64, size), w.unit.unit, i);
		must(pthread_create(&worker->thread, NULL, work, worker) == 0);
	}
	while (atomic_load(&w.total) < w.wanted)
		change_some();
	atomic_store(&w.stop, true);
	for (unsigned i = 0; i < READERS; i++) {
		pthread_join(w.workers[i].thread, NULL);
		translations += w.workers[i].translations;
		refused += w.workers[i].refused;
		stale += w.workers[i].stale;
		w.unit.ops->reader_fini(w.workers[i].reader);
		free(w.workers[i].reader);
	}
	fprintf(stderr,
		"# %" PRIu64 " translations, %" PRIu64 " refused, %" PRIu64 " pages ended, %" PRIu64
		" stale uses\n",
		translations, refused, atomic_load(&w.invalidations), stale);
	assert_int_equal(stale, 0);
	/* The two did meet: pages went away under readers, and enough of both happened. */
	assert_true(refused > translations / 100);
	assert_true(refused < translations);
	assert_true(atomic_load(&w.invalidations) > 100);
	assert_true(w.unit.ops->read(w.unit.unit, SPEC_AMDVI_STATUS, 8) &
		    field_mask(SPEC_AMDVI_STATUS_CMD_BUF_RUN));
	free(w.unit.unit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_stale_translation_is_used_after_a_completion_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
