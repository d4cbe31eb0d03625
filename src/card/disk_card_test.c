#include "card/due_front_test.h"
#include "sim/disk_world.h"

#include <errno.h>

static struct disk_world w;
static uint8_t buffer[4 << 20], other[4 << 20];

static void fill(uint8_t *bytes, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)rand_u64(&seed);
}

static struct block_back *open_one(uint64_t size)
{
	disk_world_open(&w, 32 * MIB, 1, 4, 32);
	disk_world_table(&w, DISK_TABLE_NEW);
	return disk_world_back(&w, 1, disk_world_namespace(&w, "one", size), NULL);
}

static void a_blank_medium_gets_a_table_that_is_found_again(void **state)
{
	(void)state;
	open_one(4 * MIB);
	free(w.card);
	disk_world_card(&w, 4, 32);
	disk_world_table(&w, DISK_TABLE_THERE);
	assert_int_equal(disk_card_layout(w.card)->namespace_count, 1);
	assert_string_equal(disk_card_layout(w.card)->namespaces[0].name, "one");
	disk_world_close(&w);
}

static void a_medium_that_holds_something_else_is_refused(void **state)
{
	const uint8_t uuid[DISK_ID_SIZE] = { 7 };
	struct refusal why = { 0 };

	(void)state;
	disk_world_open(&w, 8 * MIB, 1, 1, 8);
	memcpy(w.fake.bytes, "a boot sector", 13);
	assert_int_equal(disk_card_open(NULL, w.card, DISK_TABLE_NEW, uuid, &why), 0);
	assert_int_equal(disk_world_job(&w, &why), DISK_JOB_FAILED);
	assert_int_equal(w.fake.writes, 0);
	memset(w.fake.bytes, 0, 13);
	assert_int_equal(disk_card_open(NULL, w.card, DISK_TABLE_THERE, uuid, &why), 0);
	assert_int_equal(disk_world_job(&w, &why), DISK_JOB_FAILED);
	assert_non_null(strstr(why.text, "no table"));
	assert_int_equal(disk_card_open(NULL, w.card, DISK_TABLE_NONE, uuid, &why), 0);
	assert_int_equal(disk_world_job(&w, &why), DISK_JOB_DONE);
	assert_int_equal(disk_card_layout(w.card)->namespaces[0].size, 8 * MIB);
	disk_world_close(&w);
}

static void a_card_that_is_given_another_medium_reads_its_table(void **state)
{
	const uint8_t uuid[DISK_ID_SIZE] = { 7 };
	static struct fake_medium fake;

	(void)state;
	open_one(4 * MIB);
	fake_medium_init(&fake, 16 * MIB, 2);
	assert_int_equal(disk_card_unbind(NULL, w.card, 1), 0);
	assert_int_equal(disk_card_open(NULL, w.card, DISK_TABLE_THERE, uuid, NULL), 0);
	assert_int_equal(disk_card_give_medium(NULL, w.card, &fake.medium), -EBUSY); /* a job is under way */
	assert_int_equal(disk_world_job(&w, NULL), DISK_JOB_DONE);
	assert_int_equal(disk_card_give_medium(NULL, w.card, &fake.medium), 0);
	assert_int_equal(disk_card_layout(w.card)->namespace_count, 0);
	assert_int_equal(disk_card_job(NULL, w.card, NULL), DISK_JOB_NONE);
	/* and the first one again, where all is as it was */
	assert_int_equal(disk_card_give_medium(NULL, w.card, &w.fake.medium), 0);
	assert_int_equal(disk_card_open(NULL, w.card, DISK_TABLE_THERE, uuid, NULL), 0);
	assert_int_equal(disk_world_job(&w, NULL), DISK_JOB_DONE);
	assert_string_equal(disk_card_layout(w.card)->namespaces[0].name, "one");
	assert_int_equal(fake.writes, 0);
	fake_medium_fini(&fake);
	disk_world_close(&w);
}

static void a_copy_of_the_table_that_is_damaged_is_passed_over(void **state)
{
	(void)state;
	open_one(4 * MIB);
	disk_world_namespace(&w, "two", MIB);
	for (unsigned copy = 0; copy < DISK_COPIES; copy++) {
		uint64_t sequence = disk_card_layout(w.card)->sequence;

		w.fake.bytes[copy * DISK_COPY_STEP + 100] ^= 1;
		free(w.card);
		disk_world_card(&w, 4, 32);
		disk_world_table(&w, DISK_TABLE_THERE);
		/* the newer one counts when it is whole */
		assert_int_equal(disk_card_layout(w.card)->sequence,
				 sequence - (sequence % DISK_COPIES == copy));
		w.fake.bytes[copy * DISK_COPY_STEP + 100] ^= 1;
	}
	disk_world_close(&w);
}

static void a_new_namespace_reads_zeroes_wherever_its_space_was_before(void **state)
{
	struct block_back *back = open_one(4 * MIB);

	(void)state;
	memset(buffer, 0xaa, 4 * MIB);
	assert_int_equal(disk_world_do(&w, back, BLOCK_WRITE, 0, 4 * MIB, buffer), BLOCK_DONE);
	assert_int_equal(disk_card_remove_namespace(NULL, w.card, 1, NULL), -EBUSY);
	assert_int_equal(disk_card_unbind(NULL, w.card, 1), 0);
	assert_int_equal(disk_card_remove_namespace(NULL, w.card, 1, NULL), 0);
	assert_int_equal(disk_world_job(&w, NULL), DISK_JOB_DONE);
	back = disk_world_back(&w, 1, disk_world_namespace(&w, "two", 4 * MIB), NULL);
	assert_int_equal(disk_world_do(&w, back, BLOCK_READ, 0, 4 * MIB, buffer), BLOCK_DONE);
	memset(other, 0, sizeof other);
	assert_memory_equal(buffer, other, 4 * MIB);
	disk_world_close(&w);
}

static void a_namespace_that_cannot_be_written_is_not_there(void **state)
{
	struct disk_namespace_conf conf = { .name = "two", .size = MIB, .block_size = 512 };
	struct refusal why = { 0 };
	uint32_t id;

	(void)state;
	open_one(4 * MIB);
	for (unsigned step = 1; step <= 2; step++) {
		assert_int_equal(disk_card_add_namespace(NULL, w.card, &conf, &id, &why), 0);
		assert_null(disk_card_attach(NULL, w.card, 1, id, DISK_READ_WRITE, &why));
		w.fake.fail_writes = 1;
		if (step == 2) { /* the zeroes go well, the table does not */
			w.fake.fail_writes = 0;
			while (w.fake.zeroes < 3)
				disk_world_poll(&w);
			w.fake.fail_writes = 1;
		}
		assert_int_equal(disk_world_job(&w, &why), DISK_JOB_FAILED);
		assert_non_null(strstr(why.text, "could not write"));
		assert_int_equal(disk_card_layout(w.card)->namespace_count, 1);
	}
	disk_world_namespace(&w, "two", MIB);
	disk_world_close(&w);
}

static void data_goes_where_it_belongs_across_extents_and_transfers(void **state)
{
	struct block_back *back;
	struct command c;

	(void)state;
	disk_world_open(&w, 32 * MIB, 1, 4, 8);
	w.fake.medium.transfer_max = 64 << 10;
	disk_world_table(&w, DISK_TABLE_NEW);
	for (unsigned i = 0; i < 8; i++)
		disk_world_namespace(&w, (char[]){ (char)('a' + i), 0 }, MIB);
	for (unsigned id = 1; id <= 8; id += 2) {
		assert_int_equal(disk_card_remove_namespace(NULL, w.card, id, NULL), 0);
		assert_int_equal(disk_world_job(&w, NULL), DISK_JOB_DONE);
	}
	disk_world_namespace(&w, "rest", 23 * MIB);
	back = disk_world_back(&w, 1, disk_world_namespace(&w, "z", 3 * MIB), NULL);
	assert_int_equal(disk_layout_find_name((struct disk_layout *)disk_card_layout(w.card), "z")
				 ->extent_count, 3);
	fill(buffer, 3 * MIB, 5);
	assert_int_equal(disk_world_do(&w, back, BLOCK_WRITE, 0, 3 * MIB, buffer), BLOCK_DONE);
	command_make(&c, BLOCK_READ, MIB - 512, MIB + 1024, other);
	c.segs[0].size = 700;
	c.segs[1] = (struct block_seg){ other + 700, MIB + 1024 - 700 };
	c.request.seg_count = 2;
	assert_int_equal(command_run(&w, back, &c), BLOCK_DONE);
	assert_memory_equal(other, buffer + MIB - 512, MIB + 1024);
	assert_int_equal(disk_world_do(&w, back, BLOCK_COMPARE, 512, 2 * MIB, buffer + 512),
			 BLOCK_DONE);
	buffer[2 * MIB] ^= 1;
	assert_int_equal(disk_world_do(&w, back, BLOCK_COMPARE, 512, 2 * MIB, buffer + 512),
			 BLOCK_DIFFERS);
	assert_int_equal(disk_world_do(&w, back, BLOCK_WRITE_ZEROES, MIB - 512, 1024, NULL),
			 BLOCK_DONE);
	assert_int_equal(disk_world_do(&w, back, BLOCK_READ, MIB - 1024, 2048, other), BLOCK_DONE);
	assert_int_equal(other[511], buffer[MIB - 513]);
	assert_int_equal(other[512] | other[1535], 0);
	assert_int_equal(disk_world_do(&w, back, BLOCK_VERIFY, 0, 3 * MIB, NULL), BLOCK_DONE);
	disk_world_close(&w);
}

static void what_is_out_of_range_or_not_allowed_ends_with_its_result(void **state)
{
	struct block_back *back = open_one(4 * MIB), *ro;

	(void)state;
	assert_int_equal(disk_world_do(&w, back, BLOCK_READ, 4 * MIB, 512, buffer),
			 BLOCK_OUT_OF_RANGE);
	assert_int_equal(disk_world_do(&w, back, BLOCK_READ, 4 * MIB - 512, 1024, buffer),
			 BLOCK_OUT_OF_RANGE);
	assert_int_equal(disk_world_do(&w, back, BLOCK_READ, UINT64_MAX - 511, 512, buffer),
			 BLOCK_OUT_OF_RANGE);
	assert_int_equal(disk_world_do(&w, back, BLOCK_READ, 0, 100, buffer), BLOCK_OUT_OF_RANGE);
	assert_int_equal(disk_world_do(&w, back, BLOCK_READ, 1, 512, buffer), BLOCK_OUT_OF_RANGE);
	assert_int_equal(disk_world_do(&w, back, BLOCK_OP_COUNT, 0, 512, buffer),
			 BLOCK_UNSUPPORTED);
	assert_int_equal(disk_world_do(&w, back, BLOCK_COMPARE_WRITE, 0, MIB, buffer),
			 BLOCK_UNSUPPORTED);
	ro = disk_card_attach(NULL, w.card, 1, 1, DISK_READ_ONLY, NULL);
	assert_int_equal(disk_world_do(&w, ro, BLOCK_WRITE, 0, 512, buffer), BLOCK_READ_ONLY);
	assert_int_equal(disk_world_do(&w, ro, BLOCK_DISCARD, 0, 512, NULL), BLOCK_READ_ONLY);
	assert_int_equal(disk_world_do(&w, ro, BLOCK_READ, 0, 512, buffer), BLOCK_DONE);
	assert_int_equal(disk_world_do(&w, ro, BLOCK_FLUSH, 0, 0, NULL), BLOCK_DONE);
	w.fake.bad_first = 2 * MIB;
	w.fake.bad_size = 512;
	assert_int_equal(disk_world_do(&w, back, BLOCK_READ, 0, 4 * MIB, buffer),
			 BLOCK_MEDIUM_ERROR);
	assert_int_equal(disk_world_do(&w, back, BLOCK_VERIFY, MIB, 512, NULL), BLOCK_MEDIUM_ERROR);
	assert_int_equal(counter_get(&disk_card_counters(w.card, 1)->failed), 11);
	disk_world_close(&w);
}

static void flush_and_discard_reach_the_medium_where_they_mean_something(void **state)
{
	struct block_back *back = open_one(4 * MIB);
	unsigned flushes = w.fake.flushes;

	(void)state;
	assert_int_equal(disk_world_do(&w, back, BLOCK_FLUSH, 0, 0, NULL), BLOCK_DONE);
	assert_int_equal(w.fake.flushes, flushes + 1);
	assert_int_equal(disk_world_do(&w, back, BLOCK_DISCARD, 0, MIB, NULL), BLOCK_DONE);
	assert_int_equal(w.fake.discards, 1);
	w.fake.medium.volatile_cache = false;
	w.fake.medium.discard_granularity = 0;
	assert_int_equal(disk_world_do(&w, back, BLOCK_FLUSH, 0, 0, NULL), BLOCK_DONE);
	assert_int_equal(disk_world_do(&w, back, BLOCK_DISCARD, 0, MIB, NULL), BLOCK_DONE);
	assert_int_equal(w.fake.flushes, flushes + 1);
	assert_int_equal(w.fake.discards, 1);
	disk_world_close(&w);
}

static void make_compare_write(struct command *c, uint64_t first, uint8_t *expected, uint8_t *wanted,
			       uint32_t size)
{
	command_make(c, BLOCK_COMPARE_WRITE, first, size, expected);
	c->segs[1] = (struct block_seg){ wanted, size };
	c->request.seg_count = 2;
}

static void compare_and_write_writes_only_what_was_expected(void **state)
{
	struct block_back *back = open_one(4 * MIB);
	struct command c;

	(void)state;
	memset(buffer, 0, 1024);
	memset(other, 1, 1024);
	make_compare_write(&c, 512, buffer, other, 1024);
	assert_int_equal(command_run(&w, back, &c), BLOCK_DONE);
	make_compare_write(&c, 512, buffer, other, 1024);
	assert_int_equal(command_run(&w, back, &c), BLOCK_DIFFERS);
	assert_int_equal(disk_world_do(&w, back, BLOCK_READ, 512, 1024, buffer), BLOCK_DONE);
	assert_memory_equal(buffer, other, 1024);
	disk_world_close(&w);
}

/* Two functions count one number up with nothing but compare-and-write, among plain writes of other
 * places, through a medium that ends requests in any order. */
static void counting_with_compare_and_write_loses_no_count(void **state)
{
	enum { RACERS = 12, WINS = 400 };
	static struct command race[RACERS], noise[8];
	static uint64_t expected[RACERS][64], wanted[RACERS][64];
	struct block_back *backs[2];
	uint64_t wins = 0, value;

	(void)state;
	disk_world_open(&w, 8 * MIB, check_seed(), 4, 8);
	disk_world_table(&w, DISK_TABLE_NEW);
	disk_world_namespace(&w, "count", MIB);
	backs[0] = disk_world_back(&w, 1, 1, NULL);
	backs[1] = disk_world_back(&w, 2, 1, NULL);
	w.fake.reap_max = 2;
	for (unsigned i = 0; i < RACERS; i++)
		race[i].done = 1;
	for (unsigned i = 0; i < 8; i++)
		noise[i].done = 1;
	while (wins < WINS) {
		for (unsigned i = 0; i < RACERS; i++) {
			if (!race[i].done)
				continue;
			if (race[i].request.op == BLOCK_COMPARE_WRITE &&
			    race[i].request.result == BLOCK_DONE)
				wins++;
			memcpy(&value, w.fake.bytes + MIB, 8);
			expected[i][0] = value;
			wanted[i][0] = value + 1;
			make_compare_write(&race[i], 0, (uint8_t *)expected[i],
					   (uint8_t *)wanted[i], 512);
			assert_true(backs[i % 2]->ops->submit(NULL, backs[i % 2], &race[i].request));
		}
		for (unsigned i = 0; i < 8; i++)
			if (noise[i].done) {
				command_make(&noise[i], BLOCK_WRITE, 512 * (i + 1), 512, other);
				assert_true(backs[0]->ops->submit(NULL, backs[0],
								  &noise[i].request));
			}
		disk_world_poll(&w);
	}
	disk_world_run(&w);
	for (unsigned i = 0; i < RACERS; i++)
		wins += race[i].request.result == BLOCK_DONE;
	memcpy(&value, w.fake.bytes + MIB, 8);
	assert_int_equal(value, wins);
	disk_world_close(&w);
}

static void a_write_waits_for_the_compare_and_write_that_it_overlaps(void **state)
{
	struct block_back *back = open_one(4 * MIB);
	struct command cw, write, beside;

	(void)state;
	memset(buffer, 0, 1024);
	memset(other, 3, 4096);
	w.fake.in_order = true;
	make_compare_write(&cw, 0, buffer, other, 1024);
	command_make(&write, BLOCK_WRITE, 512, 512, other + 1024);
	command_make(&beside, BLOCK_WRITE, 1024, 512, other + 1024);
	w.fake.reap_max = 0;
	back->ops->submit(NULL, back, &cw.request);
	back->ops->submit(NULL, back, &write.request);
	back->ops->submit(NULL, back, &beside.request);
	disk_world_poll(&w);
	assert_int_equal(w.fake.pending_count, 2); /* what it reads, and the write beside */
	w.fake.reap_max = 9;
	disk_world_run(&w);
	assert_int_equal(cw.request.result, BLOCK_DONE);
	assert_int_equal(write.done + beside.done, 2);
	disk_world_close(&w);
}

static void a_function_has_no_more_commands_at_once_than_its_depth(void **state)
{
	struct disk_function_conf conf = { .depth = 3, .weight = 1 };
	struct block_back *back;
	struct command c[4];

	(void)state;
	disk_world_open(&w, 8 * MIB, 1, 1, 8);
	disk_world_table(&w, DISK_TABLE_NONE);
	back = disk_world_back(&w, 1, 1, &conf);
	for (unsigned i = 0; i < 4; i++) {
		command_make(&c[i], BLOCK_READ, 0, 512, buffer);
		assert_int_equal(back->ops->submit(NULL, back, &c[i].request), i < 3);
	}
	disk_world_run(&w);
	assert_true(back->ops->submit(NULL, back, &c[3].request));
	disk_world_run(&w);
	assert_int_equal(counter_get(&disk_card_counters(w.card, 1)->queue_full), 1);
	disk_world_close(&w);
}

/* Commands that go out as often as the card takes them; returns how many ended in 'ns'. */
struct load {
	struct block_back *back;
	struct command commands[64];
	uint8_t bytes[4096];
	uint32_t size;
	unsigned depth;
	uint64_t done;
};

static void load_go_on(struct load *load)
{
	for (unsigned i = 0; i < load->depth; i++) {
		struct command *c = &load->commands[i];

		if (c->request.op == BLOCK_READ && !c->done && c->request.done)
			continue;
		load->done += c->done;
		command_make(c, BLOCK_READ, 0, load->size, load->bytes);
		if (!load->back->ops->submit(NULL, load->back, &c->request))
			c->request.done = NULL;
	}
}

static void load_run(struct load *loads, unsigned n, uint64_t ns, uint64_t step_ns)
{
	for (uint64_t end = w.now_ns + ns; w.now_ns < end; w.now_ns += step_ns) {
		disk_world_poll(&w);
		for (unsigned i = 0; i < n; i++)
			load_go_on(&loads[i]);
	}
}

static void a_rate_of_commands_and_of_bytes_is_kept(void **state)
{
	struct disk_function_conf conf[2] = {
		{ .depth = 64, .weight = 1, .rate_commands = 1000 },
		{ .depth = 64, .weight = 1, .rate_bytes = 4096 * 500 },
	};
	static struct load loads[2];

	(void)state;
	disk_world_open(&w, 8 * MIB, 1, 4, 32);
	disk_world_table(&w, DISK_TABLE_NONE);
	memset(loads, 0, sizeof loads);
	for (unsigned i = 0; i < 2; i++) {
		loads[i].back = disk_world_back(&w, i + 1, 1, &conf[i]);
		loads[i].size = 4096;
		loads[i].depth = 16;
	}
	load_run(loads, 2, 2000000000, 50000);
	assert_in_range(loads[0].done, 1980, 2025);
	assert_in_range(loads[1].done, 985, 1015);
	assert_true(counter_get(&disk_card_counters(w.card, 1)->shaped) > 0);
	disk_world_close(&w);
}

static void a_rate_names_the_time_at_which_it_lets_go(void **state)
{
	struct disk_function_conf conf = { .depth = 64, .weight = 1, .rate_commands = 100 };
	struct polled *polled;
	static struct load load;
	uint64_t deadline_ns;

	(void)state;
	disk_world_open(&w, 8 * MIB, 1, 1, 32);
	disk_world_table(&w, DISK_TABLE_NONE);
	memset(&load, 0, sizeof load);
	load.back = disk_world_back(&w, 1, 1, &conf);
	load.size = 512;
	load.depth = 8;
	load_go_on(&load);
	disk_world_run(&w);
	polled = disk_card_polled(w.card);
	polled->ops->poll(NULL, polled, w.now_ns);
	load_go_on(&load);
	deadline_ns = polled->ops->deadline_ns(NULL, polled);
	assert_in_range(deadline_ns, w.now_ns + 1000000, w.now_ns + 20000000);
	w.now_ns = deadline_ns;
	polled->ops->poll(NULL, polled, w.now_ns);
	load_go_on(&load);
	disk_world_run(&w);
	assert_true(load.commands[0].done || load.commands[1].done);
	disk_world_close(&w);
}

static void a_front_that_holds_a_call_back_keeps_the_worker_awake_until_it_is_due(void **state)
{
	struct disk_function_conf conf = { .depth = 8, .weight = 1 };
	struct block_front front = { .ops = &silent_ops };

	(void)state;
	open_one(4 * MIB);
	disk_world_run(&w);
	assert_int_equal(disk_card_bind(NULL, w.card, 2, &front, &conf, NULL), 0);
	check_due(disk_card_polled(w.card), &front, w.now_ns + 1000000);
	assert_int_equal(disk_card_unbind(NULL, w.card, 2), 0);
	disk_world_close(&w);
}

static void shares_follow_weights_and_priority_goes_first(void **state)
{
	struct disk_function_conf conf[3] = {
		{ .depth = 64, .weight = 300, .priority = 1 },
		{ .depth = 64, .weight = 100, .priority = 1 },
		{ .depth = 64, .weight = 1000, .priority = 0 },
	};
	static struct load loads[3];
	double ratio;

	(void)state;
	disk_world_open(&w, 8 * MIB, 1, 4, 4);
	disk_world_table(&w, DISK_TABLE_NONE);
	memset(loads, 0, sizeof loads);
	for (unsigned i = 0; i < 3; i++) {
		loads[i].back = disk_world_back(&w, i + 1, 1, &conf[i]);
		loads[i].size = i == 1 ? 512 : 4096; /* small ones pay for the command, too */
		loads[i].depth = 32;
	}
	w.fake.reap_max = 4;
	load_run(loads, 3, 20000000, 1000);
	ratio = (double)(loads[0].done * (4096 + DISK_COMMAND_COST)) /
		(double)(loads[1].done * (512 + DISK_COMMAND_COST));
	fprintf(stderr, "# shares of weights 300 and 100: %.3f\n", ratio);
	assert_true(ratio > 2.9 && ratio < 3.1);
	assert_true(loads[2].done < loads[0].done / 100);
	disk_world_close(&w);
}

static void a_pulled_card_answers_all_that_waits_and_all_that_comes(void **state)
{
	enum { N = 20 };
	struct block_back *back = open_one(4 * MIB);
	struct command c[N], cw, late;

	(void)state;
	w.fake.room = 4;
	w.fake.reap_max = 0;
	for (unsigned i = 0; i < N; i++) {
		command_make(&c[i], BLOCK_WRITE, i * 512, 512, buffer);
		assert_true(back->ops->submit(NULL, back, &c[i].request));
	}
	make_compare_write(&cw, 0, buffer, other, 512);
	assert_true(back->ops->submit(NULL, back, &cw.request));
	disk_world_poll(&w);
	disk_card_pull(NULL, w.card);
	disk_world_poll(&w);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(c[i].done, i >= 4); /* the medium has the first */
		if (c[i].done)
			assert_int_equal(c[i].request.result, BLOCK_GONE);
	}
	assert_int_equal(cw.request.result, BLOCK_GONE);
	assert_int_equal(disk_card_unbind(NULL, w.card, 1), -EAGAIN);
	w.fake.reap_max = 9;
	disk_world_run(&w);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(c[i].done, 1);
		assert_int_equal(c[i].request.result, BLOCK_GONE);
	}
	command_make(&late, BLOCK_READ, 0, 512, buffer);
	assert_int_equal(command_run(&w, back, &late), BLOCK_GONE);
	disk_card_insert(NULL, w.card);
	assert_int_equal(disk_world_do(&w, back, BLOCK_READ, 0, 512, buffer), BLOCK_DONE);
	make_compare_write(&cw, 0, buffer, other, 512);
	assert_int_equal(command_run(&w, back, &cw), BLOCK_DONE);
	assert_int_equal(disk_card_unbind(NULL, w.card, 1), 0);
	disk_world_close(&w);
}

static void a_command_that_was_not_begun_is_taken_back(void **state)
{
	struct block_back *back = open_one(4 * MIB);
	struct command a, b;

	(void)state;
	command_make(&a, BLOCK_WRITE, 0, 512, buffer);
	command_make(&b, BLOCK_WRITE, 0, 512, buffer);
	back->ops->submit(NULL, back, &a.request);
	back->ops->submit(NULL, back, &b.request);
	back->ops->cancel(NULL, back, &b.request);
	disk_world_run(&w);
	back->ops->cancel(NULL, back, &b.request);
	assert_int_equal(a.request.result, BLOCK_DONE);
	assert_int_equal(b.done, 1);
	assert_int_equal(b.request.result, BLOCK_ABORTED);
	disk_world_close(&w);
}

static void the_control_thread_settles_what_the_worker_brought_back(void **state)
{
	struct block_back *back = open_one(4 * MIB);
	struct command c;

	(void)state;
	command_make(&c, BLOCK_WRITE, 0, 512, buffer);
	back->ops->submit(NULL, back, &c.request);
	assert_true(disk_card_hold(NULL, w.card, NULL, 10));
	assert_int_equal(disk_world_poll(&w), 0);
	disk_card_release(NULL, w.card);
	disk_world_run(&w);
	assert_int_equal(c.done, 1);
	disk_world_close(&w);
}

/* Any commands in any order against a plain copy, each place used by one command at a time. */
static void random_commands_agree_with_a_plain_disk(void **state)
{
	enum { SLOTS = 24, AREA = 128 << 10, ROUNDS = 6000 };
	static uint8_t plain[SLOTS][AREA], data[SLOTS][AREA];
	static struct command c[SLOTS];
	struct block_back *back;
	uint64_t seed = check_seed();

	(void)state;
	disk_world_open(&w, 8 * MIB, seed, 2, 5);
	disk_world_table(&w, DISK_TABLE_NEW);
	back = disk_world_back(&w, 1, disk_world_namespace(&w, "x", 4 * MIB), NULL);
	w.fake.medium.transfer_max = 16 << 10;
	memset(plain, 0, sizeof plain);
	for (unsigned i = 0; i < SLOTS; i++)
		c[i].done = 1;
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned i = rand_u64(&seed) % SLOTS;
		uint64_t at = rand_u64(&seed) % (AREA / 512) * 512;
		uint64_t size = (1 + rand_u64(&seed) % ((AREA - at) / 512)) * 512;

		w.fake.reap_max = rand_u64(&seed) % 4;
		w.fake.room = 1 + rand_u64(&seed) % 5;
		disk_world_poll(&w);
		if (!c[i].done)
			continue;
		if (c[i].request.op == BLOCK_READ && round > SLOTS * 10)
			assert_memory_equal(data[i], plain[i] + (c[i].request.first - i * AREA),
					    c[i].request.size);
		fill(data[i], size, seed);
		switch (rand_u64(&seed) % 4) {
		case 0:
			command_make(&c[i], BLOCK_WRITE_ZEROES, i * AREA + at, size, NULL);
			memset(plain[i] + at, 0, size);
			break;
		case 1:
			command_make(&c[i], BLOCK_READ, i * AREA + at, size, data[i]);
			break;
		default:
			command_make(&c[i], BLOCK_WRITE, i * AREA + at, size, data[i]);
			memcpy(plain[i] + at, data[i], size);
		}
		assert_true(back->ops->submit(NULL, back, &c[i].request));
	}
	w.fake.reap_max = w.fake.room = 9;
	disk_world_run(&w);
	for (unsigned i = 0; i < SLOTS; i++)
		assert_memory_equal(w.fake.bytes + MIB + i * AREA, plain[i], AREA);
	disk_world_close(&w);
}

/* The power goes at any moment of making and removing: the table is the one before or after. */
static void a_power_cut_never_leaves_half_a_table(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	disk_world_open(&w, 32 * MIB, seed, 2, 8);
	disk_world_table(&w, DISK_TABLE_NEW);
	for (unsigned round = 0; round < 150; round++) {
		unsigned before = disk_card_layout(w.card)->namespace_count, after = before + 1;
		struct disk_namespace_conf conf = { .name = "x", .size = MIB, .block_size = 512 };
		char name[8];
		uint32_t id;

		snprintf(name, sizeof name, "n%u", round);
		conf.name = name;
		if (before > 3 && rand_u64(&seed) & 1) {
			for (id = 1; !disk_layout_find((struct disk_layout *)disk_card_layout(w.card), id); id++)
				;
			disk_card_remove_namespace(NULL, w.card, id, NULL);
			after = before - 1;
		} else if (disk_card_add_namespace(NULL, w.card, &conf, &id, NULL)) {
			after = before;
		}
		w.fake.reap_max = 1;
		for (unsigned steps = rand_u64(&seed) % 6; steps; steps--)
			disk_world_poll(&w);
		if (disk_card_job(NULL, w.card, NULL) == DISK_JOB_DONE)
			before = after; /* it said so: it must be there */
		fake_medium_power_cut(&w.fake);
		free(w.card);
		disk_world_card(&w, 2, 8);
		disk_world_table(&w, DISK_TABLE_THERE);
		id = disk_card_layout(w.card)->namespace_count;
		assert_true(id == before || id == after);
	}
	disk_world_close(&w);
}

static void what_a_card_cannot_be_is_refused(void **state)
{
	struct disk_function_conf good = { .depth = 1, .weight = 1 }, bad;
	struct refusal why = { 0 };

	(void)state;
	open_one(MIB);
	assert_int_equal(disk_card_init(w.card, &(struct disk_card_conf){ .depth = 1 }, &why),
			 -EINVAL);
	assert_string_equal(why.path, "functions");
	assert_int_equal(disk_card_init(w.card, &(struct disk_card_conf){ .functions = 1 }, &why),
			 -EINVAL);
	assert_string_equal(why.path, "depth");
	assert_int_equal(disk_card_bind(NULL, w.card, 1, NULL, &good, &why), -EBUSY);
	assert_int_equal(disk_card_bind(NULL, w.card, 5, NULL, &good, &why), -EINVAL);
	bad = (struct disk_function_conf){ .weight = 1 };
	assert_int_equal(disk_card_bind(NULL, w.card, 2, NULL, &bad, &why), -EINVAL);
	bad = (struct disk_function_conf){ .depth = 1 };
	assert_int_equal(disk_card_bind(NULL, w.card, 2, NULL, &bad, &why), -EINVAL);
	bad = (struct disk_function_conf){ .depth = 1, .weight = 1, .priority = 8 };
	assert_int_equal(disk_card_bind(NULL, w.card, 2, NULL, &bad, &why), -EINVAL);
	bad = (struct disk_function_conf){ .depth = 1, .weight = 1, .rate_bytes = 100 };
	assert_int_equal(disk_card_bind(NULL, w.card, 2, NULL, &bad, &why), -EINVAL);
	assert_null(disk_card_attach(NULL, w.card, 1, 9, DISK_READ_WRITE, &why));
	disk_world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_blank_medium_gets_a_table_that_is_found_again),
		cmocka_unit_test(a_medium_that_holds_something_else_is_refused),
		cmocka_unit_test(a_card_that_is_given_another_medium_reads_its_table),
		cmocka_unit_test(a_copy_of_the_table_that_is_damaged_is_passed_over),
		cmocka_unit_test(a_new_namespace_reads_zeroes_wherever_its_space_was_before),
		cmocka_unit_test(a_namespace_that_cannot_be_written_is_not_there),
		cmocka_unit_test(data_goes_where_it_belongs_across_extents_and_transfers),
		cmocka_unit_test(what_is_out_of_range_or_not_allowed_ends_with_its_result),
		cmocka_unit_test(flush_and_discard_reach_the_medium_where_they_mean_something),
		cmocka_unit_test(compare_and_write_writes_only_what_was_expected),
		cmocka_unit_test(counting_with_compare_and_write_loses_no_count),
		cmocka_unit_test(a_write_waits_for_the_compare_and_write_that_it_overlaps),
		cmocka_unit_test(a_function_has_no_more_commands_at_once_than_its_depth),
		cmocka_unit_test(a_rate_of_commands_and_of_bytes_is_kept),
		cmocka_unit_test(a_rate_names_the_time_at_which_it_lets_go),
		cmocka_unit_test(a_front_that_holds_a_call_back_keeps_the_worker_awake_until_it_is_due),
		cmocka_unit_test(shares_follow_weights_and_priority_goes_first),
		cmocka_unit_test(a_pulled_card_answers_all_that_waits_and_all_that_comes),
		cmocka_unit_test(a_command_that_was_not_begun_is_taken_back),
		cmocka_unit_test(the_control_thread_settles_what_the_worker_brought_back),
		cmocka_unit_test(random_commands_agree_with_a_plain_disk),
		cmocka_unit_test(a_power_cut_never_leaves_half_a_table),
		cmocka_unit_test(what_a_card_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
