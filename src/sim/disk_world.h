/* sim/disk_world.h -- for tests of disk cards: one card over a fake medium, and commands that
 * remember how they ended.  Included by test programs only. */
#ifndef SIM_DISK_WORLD_H
#define SIM_DISK_WORLD_H

#include "card/disk_card.h"
#include "sim/fake_medium.h"
#include "tests/check.h"

#define MIB (UINT64_C(1) << 20)

struct disk_world {
	struct disk_card *card;
	struct fake_medium fake;
	uint64_t now_ns;
};

/* A command with one or two buffers. */
struct command {
	struct block_request request; /* first */
	struct block_seg segs[2];
	unsigned done; /* how often done() was called */
};

static inline void command_done(struct worker *worker, struct block_request *request)
{
	(void)worker;
	((struct command *)request)->done++;
}

static inline void disk_world_card(struct disk_world *w, uint16_t functions, uint16_t depth)
{
	struct disk_card_conf conf = { .functions = functions, .depth = depth,
				       .medium = &w->fake.medium };

	w->card = aligned_alloc(4096, disk_card_size(&conf));
	assert_non_null(w->card);
	assert_int_equal(disk_card_init(w->card, &conf, NULL), 0);
}

static inline void disk_world_open(struct disk_world *w, uint64_t size, uint64_t seed,
				   uint16_t functions, uint16_t depth)
{
	memset(w, 0, sizeof *w);
	w->now_ns = 1000000000;
	fake_medium_init(&w->fake, size, seed);
	disk_world_card(w, functions, depth);
}

static inline void disk_world_close(struct disk_world *w)
{
	free(w->card);
	fake_medium_fini(&w->fake);
}

static inline unsigned disk_world_poll(struct disk_world *w)
{
	struct polled *polled = disk_card_polled(w->card);

	return polled->ops->poll(NULL, polled, w->now_ns);
}

static inline void disk_world_run(struct disk_world *w)
{
	for (unsigned idle = 0; idle < 3;)
		idle = disk_world_poll(w) || disk_card_at_medium(w->card) ? 0 : idle + 1;
}

static inline enum disk_job disk_world_job(struct disk_world *w, struct refusal *why)
{
	disk_world_run(w);
	return disk_card_job(NULL, w->card, why);
}

static inline void disk_world_table(struct disk_world *w, enum disk_table table)
{
	const uint8_t uuid[DISK_ID_SIZE] = { 7 };
	struct refusal why = { 0 };

	assert_int_equal(disk_card_open(NULL, w->card, table, uuid, &why), 0);
	assert_int_equal(disk_world_job(w, &why), DISK_JOB_DONE);
}

static inline uint32_t disk_world_namespace(struct disk_world *w, const char *name, uint64_t size)
{
	struct disk_namespace_conf conf = { .name = name, .size = size, .block_size = 512 };
	uint32_t id;

	conf.uuid[0] = (uint8_t)name[0];
	assert_int_equal(disk_card_add_namespace(NULL, w->card, &conf, &id, NULL), 0);
	assert_int_equal(disk_world_job(w, NULL), DISK_JOB_DONE);
	return id;
}

static inline struct block_back *disk_world_back(struct disk_world *w, unsigned function,
						 uint32_t id, const struct disk_function_conf *conf)
{
	struct disk_function_conf plain = { .depth = 64, .weight = 100 };
	struct block_back *back;

	assert_int_equal(disk_card_bind(NULL, w->card, function, NULL, conf ? conf : &plain, NULL),
			 0);
	back = disk_card_attach(NULL, w->card, function, id, DISK_READ_WRITE, NULL);
	assert_non_null(back);
	return back;
}

static inline void command_make(struct command *c, enum block_op op, uint64_t first, uint64_t size,
				uint8_t *bytes)
{
	*c = (struct command){
		.request = { .op = op, .first = first, .size = size, .done = command_done },
	};
	c->segs[0] = (struct block_seg){ bytes, (uint32_t)size };
	c->request.segs = c->segs;
	c->request.seg_count = bytes ? 1 : 0;
}

/* Runs one command to its end. */
static inline enum block_result command_run(struct disk_world *w, struct block_back *back,
					    struct command *c)
{
	assert_true(back->ops->submit(NULL, back, &c->request));
	assert_int_equal(c->done, 0);
	disk_world_run(w);
	assert_int_equal(c->done, 1);
	return c->request.result;
}

static inline enum block_result disk_world_do(struct disk_world *w, struct block_back *back,
					      enum block_op op, uint64_t first, uint64_t size,
					      uint8_t *bytes)
{
	struct command c;

	command_make(&c, op, first, size, bytes);
	return command_run(w, back, &c);
}

#endif
