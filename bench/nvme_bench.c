/* bench/nvme_bench.c -- the NVMe controller's data path: 4 KiB random reads by our own small driver, through
 * queues and doorbells in shared memory, as a vfio-user client drives it once it is set up.
 *
 * In turns, driver and controller share one thread, and the processor time of a command is told: driver,
 * controller, card, medium and the copy.  On two cores the controller polls on one and the driver on the
 * other, and latency and rate are told, as of any NVMe client.
 *
 * nvme_bench turns|cores [SECONDS] */
#include "base/bytes.h"
#include "card/disk_card.h"
#include "dev/nvme.h"
#include "dev/nvme_driver.h"
#include "media/media.h"
#include "sim/plain_domain.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	GUEST_BASE = 0x100000,
	GUEST_SIZE = 16 << 20,
	DATA_AT = 8 << 20,
	DISK_SIZE = 64 << 20,
	DEPTH_MAX = 128,
	SAMPLES = 1 << 20,
};

enum behind { NOTHING, CARD };

/* A namespace that ends each request in the next round and moves no data. */
struct nothing {
	struct block_back back;
	struct block_request *list[256];
	unsigned count;
};

static struct bench {
	struct nvme *nvme;
	struct block_front *front;
	struct nvme_driver driver;
	struct plain_domain domain;
	struct dma dma;
	struct dma_region region;
	struct disk_card *card;
	struct medium *medium;
	struct nothing nothing;
	uint8_t *memory, *doorbells;
	enum behind behind;
	_Atomic bool stop;
	uint64_t now_ns, seed, ended;
	uint64_t sent_ns[DEPTH_MAX];
	uint32_t *samples;
} b;

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool nothing_submit(struct worker *worker, struct block_back *back,
			   struct block_request *request)
{
	struct nothing *nothing = container_of(back, struct nothing, back);

	(void)worker;
	nothing->list[nothing->count++] = request;
	return true;
}

static void nothing_cancel(struct worker *worker, struct block_back *back,
			   struct block_request *request)
{
	(void)worker;
	(void)back;
	(void)request;
}

static void round_of_controller(void)
{
	b.now_ns += 1000;
	if (b.behind == CARD) {
		struct polled *polled = disk_card_polled(b.card);

		polled->ops->poll(NULL, polled, b.now_ns);
		return;
	}
	b.front->ops->poll(NULL, b.front, b.now_ns);
	for (unsigned i = 0; i < b.nothing.count; i++) {
		b.nothing.list[i]->result = BLOCK_DONE;
		b.nothing.list[i]->done(NULL, b.nothing.list[i]);
	}
	b.nothing.count = 0;
	b.front->ops->flush(NULL, b.front);
}

static void on_interrupt(void *owner, unsigned vector)
{
	(void)owner;
	(void)vector;
}

static void on_wake(void *owner)
{
	(void)owner;
}

static int read_register(void *owner, uint32_t offset, unsigned size, uint64_t *value)
{
	uint8_t bytes[8] = { 0 };

	(void)owner;
	nvme_read(b.nvme, offset, size, bytes);
	*value = get_le64(bytes);
	return 0;
}

static int write_register(void *owner, uint32_t offset, unsigned size, uint64_t value)
{
	uint8_t bytes[8];

	(void)owner;
	put_le64(bytes, value);
	nvme_write(b.nvme, offset, size, bytes);
	return 0;
}

static bool wait_here(void *owner)
{
	(void)owner;
	round_of_controller();
	return true;
}

static void *zeroed(size_t size)
{
	void *at = aligned_alloc(4096, (size + 4095) / 4096 * 4096);

	must(at);
	memset(at, 0, size);
	return at;
}

static void open_card(void)
{
	struct medium_conf memory = { .kind = MEDIUM_MEMORY, .size = DISK_SIZE };
	struct disk_card_conf conf = { .functions = 1, .depth = 128 };
	struct disk_function_conf function = { .depth = 256, .weight = 1 };
	const uint8_t uuid[DISK_ID_SIZE] = { 1 };

	must(medium_open(&b.medium, &memory, NULL) == 0);
	conf.medium = b.medium;
	b.card = zeroed(disk_card_size(&conf));
	must(disk_card_init(b.card, &conf, NULL) == 0);
	must(disk_card_open(NULL, b.card, DISK_TABLE_NONE, uuid, NULL) == 0);
	for (unsigned i = 0; i < 100; i++)
		round_of_controller();
	must(disk_card_bind(NULL, b.card, 1, b.front, &function, NULL) == 0);
	b.front->namespaces[0] = disk_card_attach(NULL, b.card, 1, 1, DISK_READ_WRITE, NULL);
	must(b.front->namespaces[0]);
}

static void on_filled(void *owner, uint32_t tag, uint16_t status, uint32_t dw0)
{
	(void)owner;
	(void)tag;
	(void)dw0;
	must(status == 0);
}

/* Untouched memory would be one page of zeroes, which is always in the nearest cache. */
static void fill_disk(void)
{
	uint32_t blocks = (256 << 10) / b.driver.block_size;

	memset(b.memory + DATA_AT, 0x5a, GUEST_SIZE - DATA_AT);
	for (uint64_t lba = 0; lba + blocks <= b.driver.blocks; lba += blocks) {
		must(nvme_driver_io(&b.driver, 0, &(struct nvme_driver_io){
			.opcode = NVME_IO_WRITE, .lba = lba, .count = blocks,
			.iova = GUEST_BASE + DATA_AT }, 0) == 0);
		nvme_driver_ring(&b.driver, 0);
		while (nvme_driver_poll(&b.driver, 0, 1, on_filled, NULL) == 0)
			round_of_controller();
	}
}

static void open_world(enum behind behind)
{
	static const struct block_back_ops ops = { nothing_submit, nothing_cancel };
	const struct nvme_subsystem_conf names = { .serial = "1", .model = "bench", .firmware = "1",
						   .nqn = "nqn.bench" };
	struct nvme_conf conf = { .queues = 4, .vectors = 5, .dma = &b.dma,
				  .host = { on_interrupt, on_wake, NULL } };

	memset(&b, 0, sizeof b);
	b.behind = behind;
	b.seed = 1;
	b.nvme = zeroed(nvme_size());
	b.memory = zeroed(GUEST_SIZE);
	b.doorbells = zeroed(4096);
	b.samples = zeroed(SAMPLES * sizeof *b.samples);
	conf.doorbells = b.doorbells;
	conf.subsystem = zeroed(nvme_subsystem_size());
	nvme_subsystem_init(conf.subsystem, &names);
	b.region = (struct dma_region){ GUEST_BASE, GUEST_SIZE, GUEST_BASE, b.memory };
	plain_domain_init(&b.domain);
	plain_domain_grant(&b.domain, &b.region);
	b.front = nvme_front(b.nvme);
	dma_init(&b.dma, &b.domain.domain, &b.front->dma_blocked);
	must(nvme_init(b.nvme, &conf) == 0);
	nvme_set_master(b.nvme, NVME_MASTER);
	b.nothing.back = (struct block_back){ .ops = &ops, .size = DISK_SIZE, .block_size = 4096 };
	if (behind == CARD)
		open_card();
	else
		b.front->namespaces[0] = &b.nothing.back;
	b.front->ops->namespaces_changed(NULL, b.front);
	must(nvme_driver_open(&b.driver, &(struct nvme_driver_conf){
		.device = { read_register, write_register, b.doorbells, wait_here, NULL },
		.memory = { b.memory, GUEST_BASE, DATA_AT }, .queues = 1, .depth = DEPTH_MAX }) == 0);
	fill_disk();
}

static void post(uint32_t tag)
{
	uint32_t blocks = b.driver.block_size == 512 ? 8 : 1;
	struct nvme_driver_io io = { .opcode = NVME_IO_READ, .count = blocks,
				     .lba = rand_u64(&b.seed) % (b.driver.blocks / blocks) * blocks,
				     .iova = GUEST_BASE + DATA_AT + tag * 4096u };

	b.sent_ns[tag] = clock_ns(CLOCK_MONOTONIC);
	must(nvme_driver_io(&b.driver, 0, &io, tag) == 0);
}

static void on_end(void *owner, uint32_t tag, uint16_t status, uint32_t dw0)
{
	(void)owner;
	(void)dw0;
	must(status == 0);
	b.samples[b.ended++ % SAMPLES] =
		(uint32_t)(clock_ns(CLOCK_MONOTONIC) - b.sent_ns[tag]);
	post(tag);
}

/* What ended is posted again at once. */
static void round_of_driver(void)
{
	if (nvme_driver_poll(&b.driver, 0, DEPTH_MAX, on_end, NULL) > 0)
		nvme_driver_ring(&b.driver, 0);
}

static void begin(unsigned depth)
{
	for (uint32_t tag = 0; tag < depth; tag++)
		post(tag);
	nvme_driver_ring(&b.driver, 0);
}

static void turns(enum behind behind, unsigned depth, double seconds)
{
	uint64_t began, until, spent;
	double best = 1e9;

	open_world(behind);
	begin(depth);
	until = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(seconds * 1e9);
	while (clock_ns(CLOCK_MONOTONIC) < until) { /* the best of short stretches */
		uint64_t before = b.ended;

		began = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		for (unsigned i = 0; i < 20000 / depth; i++) {
			round_of_controller();
			round_of_driver();
		}
		spent = clock_ns(CLOCK_THREAD_CPUTIME_ID) - began;
		if (b.ended > before && (double)spent / (double)(b.ended - before) < best)
			best = (double)spent / (double)(b.ended - before);
	}
	printf("turns  %-8s depth %3u: %7.0f ns of processor time a command, both sides\n",
	       behind == CARD ? "memory" : "null", depth, best);
}

static void pin(unsigned core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static void *serve(void *none)
{
	pin(0);
	while (!atomic_load_explicit(&b.stop, memory_order_relaxed))
		round_of_controller();
	return none;
}

static int ascending(const void *x, const void *y)
{
	uint32_t p = *(const uint32_t *)x, q = *(const uint32_t *)y;

	return (p > q) - (p < q);
}

static void cores(enum behind behind, unsigned depth, double seconds)
{
	uint64_t began, spent, n;
	pthread_t server;

	open_world(behind);
	pthread_create(&server, NULL, serve, NULL);
	pin(1);
	begin(depth);
	began = clock_ns(CLOCK_MONOTONIC);
	do
		round_of_driver();
	while ((spent = clock_ns(CLOCK_MONOTONIC) - began) < (uint64_t)(seconds * 1e9));
	atomic_store_explicit(&b.stop, true, memory_order_relaxed);
	pthread_join(server, NULL);
	n = min_u64(b.ended, SAMPLES);
	qsort(b.samples, n, sizeof *b.samples, ascending);
	printf("cores  %-8s depth %3u: median %.2f us, 99 %% %.2f us, %.0f commands a second\n",
	       behind == CARD ? "memory" : "null", depth, n ? b.samples[n / 2] / 1e3 : 0,
	       n ? b.samples[n * 99 / 100] / 1e3 : 0, (double)b.ended * 1e9 / (double)spent);
}

int main(int argc, char **argv)
{
	static const unsigned depths[] = { 1, 32, 128 };
	double seconds = argc > 2 ? atof(argv[2]) : 1;
	bool two = argc > 1 && strcmp(argv[1], "cores") == 0;

	if (argc < 2 || (!two && strcmp(argv[1], "turns") != 0)) {
		fprintf(stderr, "usage: nvme_bench turns|cores [SECONDS]\n");
		return 2;
	}
	for (unsigned behind = NOTHING; behind <= CARD; behind++)
		for (unsigned i = 0; i < array_len(depths); i++)
			(two ? cores : turns)(behind, depths[i], seconds);
	return 0;
}
