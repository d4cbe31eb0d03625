/* A medium on an NVMe controller of ours, which runs here on a simulated disk: what it promises a disk card, and
 * what becomes of it when the controller fails. */
#include "media/nvme_internal.h"

#include "card/disk_card.h"
#include "dev/nvme_side_test.h"

#include <time.h>

enum {
	MEMORY_AT = 0x10000000, /* of what the medium and the controller share */
	QUEUES_SIZE = 16 << 10,
	AT_ONCE = 24,
};
#define MS_NS UINT64_C(1000000)

static struct fixture {
	struct world *world;
	struct dma_region region;
	uint8_t *memory;
	struct medium *medium;
	unsigned closed;
	/* What the transport does to the controller's registers. */
	uint64_t cap_mask, cap_set;
	unsigned stride; /* log2 */
	bool gone, unreachable, never_ready;
	unsigned waits;
} f;

static struct nvme_medium *inside(void)
{
	return container_of(f.medium, struct nvme_medium, any.medium);
}

static int device_read(void *owner, uint32_t offset, unsigned size, uint64_t *value)
{
	if (f.unreachable)
		return -ECONNRESET;
	(void)side_read(owner, offset, size, value);
	if (offset == NVME_REG_CAP)
		*value = (*value & ~f.cap_mask) | f.cap_set;
	if (offset == NVME_REG_CSTS && f.never_ready)
		*value = 0;
	if (f.gone)
		*value = size == 8 ? UINT64_MAX : UINT32_MAX;
	return 0;
}

static int device_write(void *owner, uint32_t offset, unsigned size, uint64_t value)
{
	if (f.unreachable)
		return -ECONNRESET;
	if (offset >= NVME_REG_DOORBELLS)
		offset = NVME_REG_DOORBELLS + ((offset - NVME_REG_DOORBELLS) >> f.stride);
	return f.gone ? 0 : side_write(owner, offset, size, value);
}

static bool device_wait(void *owner)
{
	world_round(((struct side *)owner)->world);
	return ++f.waits < 5000;
}

static void on_close(void *owner)
{
	assert_ptr_equal(owner, &f.world->side[0]);
	f.closed++;
}

/* A world with a controller whose disk is 'bytes' large and ends in any order. */
static void make_world(void)
{
	memset(&f, 0, sizeof f);
	f.world = world_open(1, false);
	f.world->disk[0].in_order = false;
	f.memory = take_aligned(nvme_medium_bytes());
	f.region = (struct dma_region){ MEMORY_AT, nvme_medium_bytes(), MEMORY_AT, f.memory };
	plain_domain_grant(&f.world->side[0].domain, &f.region);
}

static struct nvme_medium_conf conf_of(void)
{
	struct side *side = &f.world->side[0];

	return (struct nvme_medium_conf){
		.device = { device_read, device_write, f.stride ? NULL : side->doorbells, device_wait,
			    side },
		.memory = { f.memory, MEMORY_AT, nvme_medium_bytes() },
		.patience_ns = 1000 * 1000 * MS_NS,
		.how = "here",
		.close = on_close,
	};
}

static void open_medium(void)
{
	struct nvme_medium_conf conf = conf_of();
	struct refusal why = { 0 };

	if (nvme_medium_open(&f.medium, &conf, &why) != 0)
		fail_msg("%s", why.text);
	assert_string_equal(medium_how(f.medium), "here");
	assert_int_equal(f.medium->size, DISK_SIZE);
	assert_int_equal(f.medium->block_size, 512);
	assert_true(f.medium->volatile_cache);
}

static void open_world(void)
{
	make_world();
	open_medium();
}

static void close_world(void)
{
	assert_true(medium_is_idle(f.medium));
	medium_close(f.medium);
	assert_int_equal(f.closed, 1);
	world_close(f.world);
	free(f.memory);
}

/* Begins a request and lets the controller run until it has ended; false: it does not end. */
static bool run(struct block_request *request)
{
	struct block_request *ended = NULL;

	request->result = BLOCK_RESULT_COUNT;
	assert_int_equal(f.medium->ops->submit(NULL, f.medium, &request, 1), 1);
	for (unsigned i = 0; i < 2000 && !ended; i++) {
		world_round(f.world);
		(void)f.medium->ops->reap(NULL, f.medium, &ended, 1);
	}
	assert_true(!ended || ended == request);
	return ended != NULL;
}

static enum block_result go(enum block_op op, uint32_t flags, uint64_t first, uint64_t size,
			    uint8_t *bytes)
{
	struct block_seg seg = { bytes, (uint32_t)size };
	struct block_request request = { .op = op, .flags = flags, .first = first, .size = size,
					 .segs = &seg, .seg_count = bytes ? 1 : 0 };

	assert_true(run(&request));
	return request.result;
}

static void data_moves_in_pieces_of_any_shape(void **state)
{
	static uint8_t from[300 << 10], to[300 << 10];
	struct block_seg segs[] = { { from, 1 }, { from + 1, 511 }, { from + 512, 130 << 10 },
				    { from + 512 + (130 << 10), (170 << 10) - 512 } };
	struct block_request request = { .op = BLOCK_WRITE, .first = 512, .size = sizeof from,
					 .segs = segs, .seg_count = array_len(segs) };

	(void)state;
	open_world();
	fill(from, sizeof from, 7);
	assert_true(run(&request)); /* more than one command has room for */
	assert_int_equal(request.result, BLOCK_DONE);
	assert_int_equal(f.world->disk[0].submitted, 3);
	assert_memory_equal(f.world->bytes + 512, from, sizeof from);
	assert_int_equal(go(BLOCK_READ, 0, 512, sizeof to, to), BLOCK_DONE);
	assert_memory_equal(to, from, sizeof from);
	close_world();
}

static void what_must_be_durable_says_so_to_the_controller(void **state)
{
	static uint8_t bytes[8192];

	(void)state;
	open_world();
	assert_int_equal(go(BLOCK_WRITE, 0, 0, 4096, bytes), BLOCK_DONE);
	assert_int_equal(f.world->disk[0].fua, 0);
	assert_int_equal(go(BLOCK_WRITE, BLOCK_FUA, 0, 4096, bytes), BLOCK_DONE);
	assert_int_equal(go(BLOCK_WRITE_ZEROES, BLOCK_FUA, 0, 4096, NULL), BLOCK_DONE);
	assert_int_equal(f.world->disk[0].fua, 2);
	assert_int_equal(f.world->disk[0].flushes, 0);
	assert_int_equal(go(BLOCK_FLUSH, 0, 0, 0, NULL), BLOCK_DONE);
	assert_int_equal(f.world->disk[0].flushes, 1);
	assert_int_equal(f.world->disk[0].unflushed, 0);
	/* a discard has no such flag: a flush follows */
	assert_int_equal(go(BLOCK_DISCARD, BLOCK_FUA, 4096, 4096, NULL), BLOCK_DONE);
	assert_int_equal(f.world->disk[0].flushes, 2);
	assert_int_equal(go(BLOCK_DISCARD, 0, 4096, 4096, NULL), BLOCK_DONE);
	assert_int_equal(f.world->disk[0].flushes, 2);
	close_world();
}

static void a_disk_without_a_cache_is_flushed_at_once(void **state)
{
	(void)state;
	open_world();
	inside()->any.medium.volatile_cache = false;
	assert_int_equal(go(BLOCK_FLUSH, 0, 0, 0, NULL), BLOCK_DONE);
	assert_int_equal(go(BLOCK_DISCARD, BLOCK_FUA, 0, 4096, NULL), BLOCK_DONE);
	assert_int_equal(f.world->disk[0].flushes, 0);
	close_world();
}

static void zeroes_and_discards_of_any_size_are_done_in_steps(void **state)
{
	(void)state;
	open_world();
	for (unsigned pass = 0; pass < 3; pass++) {
		memset(f.world->bytes, 0x5a, DISK_SIZE);
		if (pass == 1) /* a controller without the command gets writes of zeroes */
			inside()->driver.optional &= (uint16_t)~NVME_ONCS_WRITE_ZEROES;
		assert_int_equal(go(pass == 2 ? BLOCK_DISCARD : BLOCK_WRITE_ZEROES, BLOCK_MAY_UNMAP,
				    4096, 3 << 20, NULL), BLOCK_DONE);
		assert_int_equal(f.world->bytes[4095], 0x5a);
		for (unsigned i = 0; i < 3 << 20; i++)
			assert_int_equal(f.world->bytes[4096 + i], 0);
		assert_int_equal(f.world->bytes[4096 + (3 << 20)], 0x5a);
	}
	inside()->any.medium.discard_granularity = 0;
	assert_int_equal(go(BLOCK_DISCARD, 0, 0, 4096, NULL), BLOCK_UNSUPPORTED);
	assert_int_equal(go(BLOCK_VERIFY, 0, 0, 4096, NULL), BLOCK_UNSUPPORTED);
	assert_int_equal(go(BLOCK_WRITE_ZEROES, 0, 0, 0, NULL), BLOCK_DONE);
	close_world();
}

static void each_failure_of_a_command_becomes_a_result(void **state)
{
	const struct {
		enum block_result disk, medium;
	} rows[] = {
		{ BLOCK_OUT_OF_RANGE, BLOCK_OUT_OF_RANGE }, { BLOCK_NO_SPACE, BLOCK_NO_SPACE },
		{ BLOCK_READ_ONLY, BLOCK_READ_ONLY },       { BLOCK_MEDIUM_ERROR, BLOCK_MEDIUM_ERROR },
		{ BLOCK_UNSUPPORTED, BLOCK_UNSUPPORTED },   { BLOCK_GONE, BLOCK_GONE },
	};
	static uint8_t bytes[4096];
	struct medium_errors errors;

	(void)state;
	open_world();
	for (unsigned i = 0; i < array_len(rows); i++) {
		f.world->disk[0].next_result = rows[i].disk;
		assert_int_equal(go(BLOCK_WRITE, 0, 0, 4096, bytes), rows[i].medium);
		assert_int_equal(go(BLOCK_WRITE, 0, 0, 4096, bytes), BLOCK_DONE);
	}
	assert_false(medium_is_dead(f.medium));
	/* the second of two steps fails */
	f.world->disk[0].fail_one_in = 1;
	assert_int_equal(go(BLOCK_WRITE_ZEROES, 0, 0, 2 << 20, NULL), BLOCK_MEDIUM_ERROR);
	medium_errors(f.medium, &errors);
	assert_int_equal(errors.count, 3); /* no space, and two errors of the medium */
	assert_string_equal(errors.last, "write zeroes: NVMe status 0x280");
	close_world();
}

static void a_namespace_that_is_only_read_is_not_written(void **state)
{
	struct nvme_medium_conf conf;
	struct block_front *front;
	static uint8_t bytes[512];

	(void)state;
	make_world();
	conf = conf_of();
	conf.access = MEDIUM_READ_ONLY;
	assert_int_equal(nvme_medium_open(&f.medium, &conf, NULL), 0);
	assert_true(f.medium->read_only);
	assert_int_equal(go(BLOCK_READ, 0, 0, 512, bytes), BLOCK_DONE);
	assert_int_equal(go(BLOCK_WRITE, 0, 0, 512, bytes), BLOCK_READ_ONLY);
	close_world();
	make_world();
	front = f.world->side[0].front;
	front->namespaces[0] = NULL;
	front->ops->namespaces_changed(NULL, front);
	f.world->disk[0].back.read_only = true;
	front->namespaces[0] = &f.world->disk[0].back;
	front->ops->namespaces_changed(NULL, front);
	conf = conf_of();
	assert_int_equal(nvme_medium_open(&f.medium, &conf, NULL), 0);
	assert_true(f.medium->read_only);
	close_world();
}

static void short_queues_and_wide_doorbells_are_kept_to(void **state)
{
	static uint8_t bytes[16][512];
	static struct block_request requests[16];
	static struct block_seg segs[16];
	struct block_request *list[16], *ended[16];
	unsigned taken, n = 0;

	(void)state;
	make_world();
	f.cap_mask = field_mask(NVME_CAP_MQES) | field_mask(NVME_CAP_DSTRD);
	f.cap_set = field_make(NVME_CAP_MQES, 4) | field_make(NVME_CAP_DSTRD, 3);
	f.stride = 3;
	open_medium();
	for (unsigned i = 0; i < 16; i++) {
		segs[i] = (struct block_seg){ bytes[i], 512 };
		requests[i] = (struct block_request){ .op = BLOCK_READ, .first = i * 512u, .size = 512,
						      .segs = &segs[i], .seg_count = 1 };
		list[i] = &requests[i];
		f.world->bytes[i * 512] = (uint8_t)(i + 1);
	}
	taken = f.medium->ops->submit(NULL, f.medium, list, 16);
	assert_int_equal(taken, 4);
	for (unsigned k = 0; k < 2000 && n < 16; k++) {
		world_round(f.world);
		n += f.medium->ops->reap(NULL, f.medium, ended, 16);
		taken += f.medium->ops->submit(NULL, f.medium, list + taken, 16 - taken);
	}
	assert_int_equal(n, 16);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(bytes[i][0], i + 1);
	close_world();
}

/* -- a disk card on it -- */

static struct {
	struct disk_card *card;
	struct block_back *back;
	uint64_t now_ns, seed;
	uint8_t plain[DISK_SIZE];
	bool locked[DISK_SIZE / 512];
	struct operation {
		struct block_request request;
		struct block_seg segs[3];
		bool busy;
		enum block_result expected;
		uint8_t bytes[2 * (160 << 10)];
	} operations[AT_ONCE];
	unsigned ended, failed;
} c;

static void open_card(void)
{
	struct disk_card_conf conf = { .functions = 1, .depth = 64, .medium = f.medium };
	struct disk_function_conf function = { .depth = 64, .weight = 1 };
	const uint8_t uuid[DISK_ID_SIZE] = { 9 };
	struct polled *polled;

	memset(&c, 0, sizeof c);
	c.seed = check_seed();
	c.card = take_aligned(disk_card_size(&conf));
	assert_int_equal(disk_card_init(c.card, &conf, NULL), 0);
	assert_int_equal(disk_card_open(NULL, c.card, DISK_TABLE_NONE, uuid, NULL), 0);
	polled = disk_card_polled(c.card);
	for (unsigned i = 0; i < 1000 && disk_card_job(NULL, c.card, NULL) == DISK_JOB_RUNS; i++) {
		world_round(f.world);
		polled->ops->poll(NULL, polled, c.now_ns += 1000);
	}
	assert_int_equal(disk_card_job(NULL, c.card, NULL), DISK_JOB_DONE);
	assert_int_equal(disk_card_bind(NULL, c.card, 1, NULL, &function, NULL), 0);
	c.back = disk_card_attach(NULL, c.card, 1, 1, DISK_READ_WRITE, NULL);
	assert_non_null(c.back);
}

static bool modifies(enum block_op op)
{
	return op == BLOCK_WRITE || op == BLOCK_DISCARD || op == BLOCK_WRITE_ZEROES ||
	       op == BLOCK_COMPARE_WRITE;
}

static void on_done(struct worker *worker, struct block_request *request)
{
	struct operation *o = request->owner;

	(void)worker;
	assert_true(o->busy);
	o->busy = false;
	c.ended++;
	memset(&c.locked[request->first / 512], 0, request->size / 512);
	if (request->result == BLOCK_GONE && medium_is_dead(f.medium)) {
		c.failed++;
		return;
	}
	assert_int_equal(request->result, o->expected);
	if (request->op == BLOCK_READ)
		assert_memory_equal(o->bytes, c.plain + request->first, request->size);
}

/* What the disk must hold once the operation has ended, and what that ends with. */
static void foresee(struct operation *o)
{
	struct block_request *r = &o->request;
	uint8_t *plain = c.plain + r->first;

	o->expected = BLOCK_DONE;
	switch (r->op) {
	case BLOCK_WRITE:
		memcpy(plain, o->bytes, r->size);
		break;
	case BLOCK_WRITE_ZEROES:
	case BLOCK_DISCARD:
		memset(plain, 0, r->size);
		break;
	case BLOCK_COMPARE:
	case BLOCK_COMPARE_WRITE:
		memcpy(o->bytes, plain, r->size);
		if (rand_u64(&c.seed) % 3 == 0) {
			o->bytes[rand_u64(&c.seed) % r->size] ^= 1;
			o->expected = BLOCK_DIFFERS;
		} else if (r->op == BLOCK_COMPARE_WRITE) {
			memcpy(plain, o->bytes + r->size, r->size);
		}
		break;
	default:
		break;
	}
}

/* Three segments whose borders are anywhere. */
static void cut(struct operation *o, uint64_t size)
{
	uint64_t a = rand_u64(&c.seed) % size, b = a + rand_u64(&c.seed) % (size - a);

	o->segs[0] = (struct block_seg){ o->bytes, (uint32_t)a };
	o->segs[1] = (struct block_seg){ o->bytes + a, (uint32_t)(b - a) };
	o->segs[2] = (struct block_seg){ o->bytes + b, (uint32_t)(size - b) };
	o->request.segs = o->segs;
	o->request.seg_count = 3;
}

static void post(struct operation *o)
{
	static const enum block_op ops[] = {
		BLOCK_READ, BLOCK_READ, BLOCK_READ, BLOCK_WRITE, BLOCK_WRITE, BLOCK_WRITE, BLOCK_FLUSH,
		BLOCK_DISCARD, BLOCK_WRITE_ZEROES, BLOCK_COMPARE, BLOCK_COMPARE_WRITE, BLOCK_VERIFY,
	};
	struct block_request *r = &o->request;
	uint64_t blocks = 1 + rand_u64(&c.seed) % (rand_u64(&c.seed) % 4 ? 16 : 256);

	*r = (struct block_request){ .op = ops[rand_u64(&c.seed) % array_len(ops)], .done = on_done,
				     .owner = o, .result = BLOCK_RESULT_COUNT };
	if (r->op != BLOCK_FLUSH) {
		r->first = rand_u64(&c.seed) % (DISK_SIZE / 512 - blocks) * 512;
		r->size = blocks * 512;
		r->flags = rand_u64(&c.seed) % 4 == 0 && modifies(r->op) ? BLOCK_FUA : 0;
	}
	for (uint64_t i = 0; i < blocks && r->size; i++)
		if (c.locked[r->first / 512 + i])
			return;
	if (r->size) {
		for (uint64_t i = 0; i < 2 * r->size; i += 8)
			put_le64(o->bytes + i, rand_u64(&c.seed));
		if (r->op != BLOCK_DISCARD && r->op != BLOCK_WRITE_ZEROES)
			cut(o, r->op == BLOCK_COMPARE_WRITE ? 2 * r->size : r->size);
	}
	if (r->op == BLOCK_COMPARE_WRITE && r->size > DISK_BOUNCE_SIZE)
		return;
	foresee(o);
	o->busy = true;
	memset(&c.locked[r->first / 512], 1, r->size / 512);
	if (!c.back->ops->submit(NULL, c.back, r))
		fail();
}

static unsigned busy(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < AT_ONCE; i++)
		n += c.operations[i].busy;
	return n;
}

static void card_round(void)
{
	struct polled *polled = disk_card_polled(c.card);

	f.world->run_most = (unsigned)(rand_u64(&c.seed) % 8);
	world_round(f.world);
	polled->ops->poll(NULL, polled, c.now_ns += 1000);
}

static void a_card_on_it_agrees_with_plain_bytes(void **state)
{
	enum { OPERATIONS = 6000 };

	(void)state;
	open_world();
	open_card();
	for (unsigned rounds = 0; c.ended < OPERATIONS || busy(); rounds++) {
		assert_true(rounds < 1000000);
		for (unsigned i = 0; i < AT_ONCE && c.ended < OPERATIONS; i++)
			if (!c.operations[i].busy)
				post(&c.operations[i]);
		card_round();
	}
	assert_memory_equal(f.world->bytes, c.plain, DISK_SIZE);
	assert_int_equal(c.failed, 0);
	close_world();
	free(c.card);
}

/* -- death -- */

enum death { FATAL, ALL_ONES, UNREACHABLE, SILENT, BOGUS, DISABLED, DEATHS };

static void kill_controller(enum death how)
{
	struct side *side = &f.world->side[0];

	switch (how) {
	case FATAL: /* its queues are taken away: CSTS.CFS */
		assert_int_equal(side->domain.domain.ops->unmap(&side->domain.domain,
				 (struct iommu_range){ MEMORY_AT, nvme_medium_bytes() }), 0);
		side->domain.domain.ops->flush(&side->domain.domain);
		break;
	case ALL_ONES:
		f.gone = true;
		break;
	case UNREACHABLE:
		f.unreachable = true;
		break;
	case BOGUS: /* a completion of a command that was never posted */
		put_le16(inside()->driver.queues[0].cq +
			 inside()->driver.queues[0].head * NVME_CQE_SIZE + NVME_CQE_CID, 999);
		put_le16(inside()->driver.queues[0].cq +
			 inside()->driver.queues[0].head * NVME_CQE_SIZE + NVME_CQE_STATUS,
			 inside()->driver.queues[0].phase);
		break;
	case DISABLED:
		(void)side_write(side, NVME_REG_CC, 4, 0);
		break;
	default:
		inside()->conf.patience_ns = 50 * MS_NS;
	}
}

static void a_dead_controller_ends_what_it_had_and_all_that_comes(void **state)
{
	static uint8_t bytes[4096];

	(void)state;
	for (enum death how = 0; how < DEATHS; how++) {
		open_world();
		open_card();
		for (unsigned i = 0; i < AT_ONCE; i++)
			post(&c.operations[i]);
		assert_true(busy() > 0);
		disk_card_polled(c.card)->ops->poll(NULL, disk_card_polled(c.card), c.now_ns += 1000);
		assert_false(medium_is_idle(f.medium));
		kill_controller(how);
		f.world->run_most = 0; /* and its disk does nothing any more */
		for (unsigned i = 0; i < 1000 && busy(); i++) {
			struct polled *polled = disk_card_polled(c.card);

			polled->ops->poll(NULL, polled, c.now_ns += 1000);
			world_round(f.world);
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		}
		assert_int_equal(busy(), 0);
		assert_true(c.failed > 0);
		assert_true(medium_is_dead(f.medium) && medium_is_idle(f.medium));
		assert_non_null(strstr(medium_how(f.medium), "dead: "));
		assert_int_equal(go(BLOCK_READ, 0, 0, 4096, bytes), BLOCK_GONE);
		assert_int_equal(go(BLOCK_FLUSH, 0, 0, 0, NULL), BLOCK_GONE);
		f.unreachable = f.gone = false;
		close_world();
		free(c.card);
	}
}

static void one_command_that_never_ends_is_a_death_among_many_that_do(void **state)
{
	static uint8_t bytes[2][512];
	struct block_seg segs[] = { { bytes[0], 512 }, { bytes[1], 512 } };
	struct block_request stuck = { .op = BLOCK_READ, .size = 512, .segs = &segs[0], .seg_count = 1 };
	struct block_request other = { .op = BLOCK_READ, .size = 512, .segs = &segs[1], .seg_count = 1 };
	struct block_request *list = &stuck, *kept, *ended[2];
	struct fake_disk *disk;
	unsigned others = 0;

	(void)state;
	open_world();
	disk = &f.world->disk[0];
	disk->in_order = true;
	f.world->run_most = 0;
	assert_int_equal(f.medium->ops->submit(NULL, f.medium, &list, 1), 1);
	world_round(f.world);
	assert_int_equal(disk->count, 1);
	kept = disk->pending[0]; /* the disk forgets it, for now */
	disk->count = 0;
	f.world->run_most = 8;
	while (others < 10) {
		assert_true(run(&other));
		others += other.result == BLOCK_DONE;
	}
	inside()->conf.patience_ns = 150 * MS_NS; /* from now on, so that the machine's pace does not matter */
	for (unsigned i = 0; i < 2000 && !medium_is_dead(f.medium); i++) {
		assert_true(run(&other) || medium_is_dead(f.medium));
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	assert_true(medium_is_dead(f.medium));
	(void)f.medium->ops->reap(NULL, f.medium, ended, 2);
	assert_true(medium_is_idle(f.medium));
	assert_int_equal(stuck.result, BLOCK_GONE);
	disk->pending[disk->count++] = kept;
	close_world();
}

/* -- opening -- */

static void refused(int err, const char *sentence, uint32_t nsid)
{
	struct nvme_medium_conf conf = conf_of();
	struct refusal why = { 0 };

	conf.nsid = nsid;
	f.waits = 0;
	assert_int_equal(nvme_medium_open(&f.medium, &conf, &why), err);
	if (!strstr(why.text, sentence))
		fail_msg("'%s' is not in '%s'", sentence, why.text);
	assert_int_equal(f.closed, 0);
}

static void a_controller_that_cannot_be_used_is_refused_with_the_reason(void **state)
{
	(void)state;
	make_world();
	refused(-ENODEV, "no namespace 9", 9);
	refused(-ENODEV, "no namespace 4096", 4096);
	f.never_ready = true;
	refused(-ETIMEDOUT, "does not become ready", 0);
	f.never_ready = false;
	f.gone = true;
	refused(-EIO, "brought online", 0);
	f.gone = false;
	f.unreachable = true;
	refused(-ECONNRESET, "cannot be reached", 0);
	f.unreachable = false;
	f.cap_mask = field_mask(NVME_CAP_CSS);
	refused(-ENODEV, "no NVM command set", 0);
	f.cap_mask = field_mask(NVME_CAP_MPSMIN);
	f.cap_set = field_make(NVME_CAP_MPSMIN, 4);
	refused(-ENODEV, "memory pages", 0);
	f.cap_mask = f.cap_set = 0;
	f.world->side[0].front->namespaces[0] = NULL;
	f.world->side[0].front->ops->namespaces_changed(NULL, f.world->side[0].front);
	refused(-ENODEV, "no namespace", 0);
	side_give_disk(f.world, 0);
	open_medium();
	close_world();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_moves_in_pieces_of_any_shape),
		cmocka_unit_test(what_must_be_durable_says_so_to_the_controller),
		cmocka_unit_test(a_disk_without_a_cache_is_flushed_at_once),
		cmocka_unit_test(zeroes_and_discards_of_any_size_are_done_in_steps),
		cmocka_unit_test(each_failure_of_a_command_becomes_a_result),
		cmocka_unit_test(a_namespace_that_is_only_read_is_not_written),
		cmocka_unit_test(short_queues_and_wide_doorbells_are_kept_to),
		cmocka_unit_test(a_card_on_it_agrees_with_plain_bytes),
		cmocka_unit_test(a_dead_controller_ends_what_it_had_and_all_that_comes),
		cmocka_unit_test(one_command_that_never_ends_is_a_death_among_many_that_do),
		cmocka_unit_test(a_controller_that_cannot_be_used_is_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
