/* sim/mirror_world.h -- two disk cards over fake media, a mirror over them, and a plain model of what
 * its blocks may hold.  Included by test programs only. */
#ifndef SIM_MIRROR_WORLD_H
#define SIM_MIRROR_WORLD_H

#include "card/disk_card.h"
#include "card/mirror.h"
#include "sim/fake_medium.h"
#include "tests/check.h"

enum {
	WORLD_SIZE = 2 << 20,
	CELLS = 48,           /* blocks that are written, far apart and close together */
	CELL_SIZE = 512,
	MAYBE_MAX = 16,       /* values of writes whose fate nobody was told */
};

enum cell_doing { CELL_IDLE, CELL_READS, CELL_WRITES };

struct cell {
	struct block_request request; /* first */
	struct block_seg seg[2];
	uint8_t bytes[2 * CELL_SIZE];
	enum cell_doing doing;
	uint64_t first;
	uint64_t value;               /* acknowledged */
	uint64_t writing;
	uint64_t maybe[MAYBE_MAX];
	unsigned maybe_count;
	uint64_t old[MAYBE_MAX];      /* what a power cut may bring back: the last write on the medium, */
	unsigned old_count;           /* and those behind it that were not asked to be there */
};

struct mirror_world {
	struct fake_medium fake[2];
	struct disk_card *card[2];
	struct block_back *back[2];
	struct mirror *mirror;
	bool given[2];                /* the mirror has the half */
	struct cell cells[CELLS];
	uint64_t now_ns, seed, values;
	unsigned done, gone, differed;
	enum mirror_new new;
};

static inline uint64_t world_random(struct mirror_world *w, uint64_t end)
{
	return rand_u64(&w->seed) % end;
}

static inline void world_card(struct mirror_world *w, unsigned n)
{
	struct disk_card_conf conf = { .functions = 1, .depth = 16, .medium = &w->fake[n].medium };
	struct disk_function_conf function = { .depth = 64, .weight = 1 };
	const uint8_t uuid[DISK_ID_SIZE] = { (uint8_t)n };

	w->card[n] = aligned_alloc(4096, disk_card_size(&conf));
	assert_non_null(w->card[n]);
	assert_int_equal(disk_card_init(w->card[n], &conf, NULL), 0);
	if (n)
		disk_card_share_hold(w->card[1], w->card[0]);
	assert_int_equal(disk_card_open(NULL, w->card[n], DISK_TABLE_NONE, uuid, NULL), 0);
	assert_int_equal(disk_card_bind(NULL, w->card[n], 1, NULL, &function, NULL), 0);
	w->back[n] = disk_card_attach(NULL, w->card[n], 1, 1, DISK_READ_WRITE, NULL);
	assert_non_null(w->back[n]);
}

/* The daemon starts: cards, and a mirror without halves. */
static inline void world_boot(struct mirror_world *w)
{
	struct mirror_conf conf = { .uuid = { 42 }, .new = w->new };

	world_card(w, 0);
	world_card(w, 1);
	conf.hold = disk_card_hold_of(w->card[0]);
	w->mirror = aligned_alloc(4096, (mirror_size() + 4095) / 4096 * 4096);
	mirror_init(w->mirror, &conf);
	w->given[0] = w->given[1] = false;
}

static inline void world_open(struct mirror_world *w, uint64_t seed, enum mirror_new new)
{
	memset(w, 0, sizeof *w);
	w->seed = seed;
	w->now_ns = 1000000000;
	w->new = new;
	for (unsigned n = 0; n < 2; n++)
		fake_medium_init(&w->fake[n], WORLD_SIZE, rand_u64(&w->seed));
	for (unsigned i = 0; i < CELLS; i++)
		w->cells[i].first = (i % 3 ? i * UINT64_C(37888) : i * UINT64_C(2048)) / CELL_SIZE *
				    CELL_SIZE;
	world_boot(w);
}

/* The daemon ends, as by a kill; what was under way is nobody's any more. */
static inline void world_kill(struct mirror_world *w)
{
	for (unsigned n = 0; n < 2; n++) {
		/* What the kernel had goes on; what it had not is lost. */
		w->fake[n].reap_max = 999;
		w->fake[n].pending_count = 0;
		free(w->card[n]);
	}
	free(w->mirror);
	for (unsigned i = 0; i < CELLS; i++) {
		struct cell *c = &w->cells[i];

		if (c->doing == CELL_WRITES && c->maybe_count < MAYBE_MAX)
			c->maybe[c->maybe_count++] = c->writing;
		c->doing = CELL_IDLE;
	}
}

static inline void world_close(struct mirror_world *w)
{
	world_kill(w);
	fake_medium_fini(&w->fake[0]);
	fake_medium_fini(&w->fake[1]);
}

static inline void world_give(struct mirror_world *w, unsigned n)
{
	if (w->given[n] || !disk_card_is_in(w->card[n]) ||
	    !mirror_half_is_quiet(NULL, w->mirror, n))
		return;
	mirror_give_half(NULL, w->mirror, n, w->back[n]);
	w->given[n] = true;
}

static inline void world_pull(struct mirror_world *w, unsigned n)
{
	disk_card_pull(NULL, w->card[n]);
	mirror_pull_half(NULL, w->mirror, n);
	w->given[n] = false;
}

static inline unsigned world_poll(struct mirror_world *w)
{
	struct polled *polled[3] = { disk_card_polled(w->card[0]), disk_card_polled(w->card[1]),
				     mirror_polled(w->mirror) };
	unsigned first = (unsigned)world_random(w, 3), work = 0;

	w->now_ns += 100000;
	for (unsigned i = 0; i < 3; i++) {
		struct polled *p = polled[(first + i) % 3];

		work += p->ops->poll(NULL, p, w->now_ns);
	}
	return work;
}

/* Until nothing happens any more; what waits for a half that is gone stays. */
static inline void world_run(struct mirror_world *w)
{
	w->fake[0].reap_max = w->fake[1].reap_max = 99;
	w->fake[0].room = w->fake[1].room = FAKE_MEDIUM_PENDING;
	for (unsigned idle = 0; idle < 4;)
		idle = world_poll(w) || disk_card_at_medium(w->card[0]) ||
		       disk_card_at_medium(w->card[1]) ? 0 : idle + 1;
}

static inline struct mirror_facts world_facts(struct mirror_world *w)
{
	struct mirror_facts facts;

	mirror_facts(NULL, w->mirror, &facts);
	return facts;
}

static inline void cell_remember(uint64_t *values, unsigned *count, uint64_t value)
{
	if (*count < MAYBE_MAX)
		values[(*count)++] = value;
}

/* The power goes: blocks may be as they were before writes that were not asked to last. */
static inline void world_power_cut(struct mirror_world *w)
{
	for (unsigned n = 0; n < 2; n++)
		fake_medium_power_cut(&w->fake[n]);
	for (unsigned i = 0; i < CELLS; i++) {
		struct cell *c = &w->cells[i];

		for (unsigned k = 0; k < c->old_count; k++)
			cell_remember(c->maybe, &c->maybe_count, c->old[k]);
		c->old_count = 0;
	}
}

/* A read must give what was acknowledged last, or what nobody was told the fate of. */
static inline void cell_check(struct cell *c, uint64_t got)
{
	bool fine = got == c->value;

	for (unsigned i = 0; i < c->maybe_count; i++)
		fine |= got == c->maybe[i];
	if (!fine)
		fail_msg("block at %llu reads %llu; acknowledged was %llu, %u unknown",
			 (unsigned long long)c->first, (unsigned long long)got,
			 (unsigned long long)c->value, c->maybe_count);
	for (unsigned i = 0; i < c->maybe_count; i++) /* and stays so, while there is power */
		cell_remember(c->old, &c->old_count, c->maybe[i]);
	if (c->maybe_count)
		cell_remember(c->old, &c->old_count, c->value);
	c->value = got;
	c->maybe_count = 0;
}

static struct mirror_world *the_world; /* of done() */

static inline void cell_done(struct worker *worker, struct block_request *request)
{
	struct cell *c = (struct cell *)request;
	enum cell_doing was = c->doing;
	uint64_t got;

	(void)worker;
	c->doing = CELL_IDLE;
	the_world->done++;
	if (request->result != BLOCK_DONE && request->result != BLOCK_DIFFERS) {
		assert_int_equal(request->result, BLOCK_GONE);
		the_world->gone++;
		if (was == CELL_WRITES && c->maybe_count < MAYBE_MAX)
			c->maybe[c->maybe_count++] = c->writing;
		return;
	}
	memcpy(&got, c->bytes, 8);
	if (was == CELL_READS) {
		cell_check(c, got);
	} else if (request->result == BLOCK_DIFFERS) {
		the_world->differed++;
		/* it expected what was acknowledged: another value must be possible */
		assert_true(c->maybe_count > 0);
	} else {
		for (unsigned i = 0; i < c->maybe_count; i++)
			cell_remember(c->old, &c->old_count, c->maybe[i]);
		cell_remember(c->old, &c->old_count, c->value);
		if (request->flags & BLOCK_FUA)
			c->old_count = 0;
		c->value = c->writing;
		c->maybe_count = 0;
	}
}

static inline void cell_begin(struct mirror_world *w, struct cell *c, enum block_op op)
{
	struct block_back *back = mirror_back(w->mirror);
	uint32_t fua = world_random(w, 2) ? BLOCK_FUA : 0;

	if (c->doing != CELL_IDLE || c->maybe_count + c->old_count + 2 > MAYBE_MAX) {
		if (c->doing != CELL_IDLE || c->maybe_count)
			return;
		fua = BLOCK_FUA; /* the model's memory is at its end */
	}
	memset(c->bytes, 0, sizeof c->bytes);
	c->seg[0] = (struct block_seg){ c->bytes, CELL_SIZE };
	c->seg[1] = (struct block_seg){ c->bytes + CELL_SIZE, CELL_SIZE };
	c->request = (struct block_request){ .op = op, .flags = fua, .first = c->first,
					     .size = CELL_SIZE, .segs = c->seg, .seg_count = 1,
					     .done = cell_done };
	c->doing = op == BLOCK_READ ? CELL_READS : CELL_WRITES;
	c->writing = op == BLOCK_READ || op == BLOCK_WRITE_ZEROES ? 0 : ++w->values;
	if (op == BLOCK_WRITE)
		memcpy(c->bytes, &c->writing, 8);
	if (op == BLOCK_COMPARE_WRITE) {
		c->request.seg_count = 2;
		memcpy(c->bytes, &c->value, 8);
		memcpy(c->bytes + CELL_SIZE, &c->writing, 8);
	}
	the_world = w;
	if (!back->ops->submit(NULL, back, &c->request))
		c->doing = CELL_IDLE;
}

static inline void cell_begin_any(struct mirror_world *w, struct cell *c)
{
	static const enum block_op ops[] = { BLOCK_READ, BLOCK_READ, BLOCK_READ, BLOCK_WRITE,
					     BLOCK_WRITE, BLOCK_WRITE, BLOCK_WRITE_ZEROES,
					     BLOCK_COMPARE_WRITE };

	cell_begin(w, c, ops[world_random(w, array_len(ops))]);
}

/* Every block, now. */
static inline void world_read_all(struct mirror_world *w)
{
	world_run(w);
	for (unsigned i = 0; i < CELLS; i++) {
		assert_int_equal(w->cells[i].doing, CELL_IDLE);
		cell_begin(w, &w->cells[i], BLOCK_READ);
	}
	world_run(w);
}

/* Both halves in, and the same. */
static inline void world_is_whole(struct mirror_world *w)
{
	struct mirror_facts facts = world_facts(w);

	assert_int_equal(facts.half[0], MIRROR_FRESH);
	assert_int_equal(facts.half[1], MIRROR_FRESH);
	assert_int_equal(facts.behind_bytes, 0);
	assert_memory_equal(w->fake[0].bytes, w->fake[1].bytes, WORLD_SIZE - MIRROR_RESERVED);
}

#endif
