/* A disk card whose medium is an NVMe function behind a vfio-user socket: our driver, our client, our server and our
 * controller, each as it is in use. */
#include "prog/vfio_user_medium.h"

#include "attach/vfio_user_nvme_side_test.h"
#include "card/disk_card.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum {
	AT_ONCE = 48,
	OPERATIONS = 3000,
	BLOCKS_MAX = 300, /* more than one command has room for */
	NAMESPACE_SIZE = 4 << 20,
};

static struct {
	struct medium *medium;
	struct disk_card *card;
	struct block_back *back;
	uint64_t now_ns, seed;
	uint8_t model[NAMESPACE_SIZE];
	bool locked[NAMESPACE_SIZE / 512];
	struct operation {
		bool busy;
		struct block_request request;
		struct block_seg seg;
		uint8_t bytes[BLOCKS_MAX * 512];
	} operations[AT_ONCE];
	unsigned ended, gone;
} d;

static void turn(void)
{
	struct polled *polled = disk_card_polled(d.card);

	polled->ops->poll(NULL, polled, d.now_ns += 1000);
	sched_yield();
}

static void finish_job(void)
{
	while (disk_card_job(NULL, d.card, NULL) == DISK_JOB_RUNS)
		turn();
	assert_int_equal(disk_card_job(NULL, d.card, NULL), DISK_JOB_DONE);
}

static void open_card(void)
{
	const struct vfio_user_medium_conf conf = { .path = path };
	const struct disk_function_conf function = { .depth = 128, .weight = 1 };
	const struct disk_namespace_conf ns = { .name = "n", .size = NAMESPACE_SIZE, .block_size = 512 };
	const uint8_t uuid[DISK_ID_SIZE] = { 5 };
	struct disk_card_conf card = { .functions = 1, .depth = 64 };
	struct refusal why = { 0 };
	uint32_t id = 1;

	memset(&d, 0, sizeof d);
	d.seed = check_seed();
	if (vfio_user_medium_open(&d.medium, &conf, &why) != 0)
		fail_msg("%s", why.text);
	assert_string_equal(medium_how(d.medium), "vfio-user");
	card.medium = d.medium;
	d.card = aligned_alloc(4096, (disk_card_size(&card) + 4095) / 4096 * 4096);
	assert_int_equal(disk_card_init(d.card, &card, NULL), 0);
	assert_int_equal(disk_card_open(NULL, d.card, DISK_TABLE_NEW, uuid, NULL), 0);
	finish_job();
	if (disk_card_layout(d.card)->namespace_count == 0) {
		assert_int_equal(disk_card_add_namespace(NULL, d.card, &ns, &id, NULL), 0);
		finish_job();
	}
	assert_int_equal(disk_card_bind(NULL, d.card, 1, NULL, &function, NULL), 0);
	d.back = disk_card_attach(NULL, d.card, 1, id, DISK_READ_WRITE, NULL);
	assert_non_null(d.back);
}

static void close_card(void)
{
	assert_true(medium_is_idle(d.medium));
	medium_close(d.medium);
	free(d.card);
}

static void on_done(struct worker *worker, struct block_request *request)
{
	struct operation *o = request->owner;

	(void)worker;
	o->busy = false;
	d.ended++;
	memset(&d.locked[request->first / 512], 0, request->size / 512);
	if (request->result == BLOCK_GONE) {
		d.gone++;
		return;
	}
	assert_int_equal(request->result, BLOCK_DONE);
	if (request->op == BLOCK_READ)
		assert_memory_equal(o->bytes, d.model + request->first, request->size);
}

static void post(struct operation *o)
{
	static const enum block_op ops[] = { BLOCK_READ, BLOCK_READ, BLOCK_WRITE, BLOCK_WRITE, BLOCK_WRITE,
					     BLOCK_FLUSH, BLOCK_WRITE_ZEROES, BLOCK_DISCARD };
	struct block_request *r = &o->request;
	uint64_t blocks = 1 + rand_u64(&d.seed) % (rand_u64(&d.seed) % 8 ? 16 : BLOCKS_MAX);

	o->seg = (struct block_seg){ o->bytes, (uint32_t)blocks * 512 };
	*r = (struct block_request){ .op = ops[rand_u64(&d.seed) % array_len(ops)], .done = on_done,
				     .owner = o, .segs = &o->seg };
	if (r->op != BLOCK_FLUSH) {
		r->first = rand_u64(&d.seed) % (NAMESPACE_SIZE / 512 - blocks) * 512;
		r->size = blocks * 512;
	}
	r->seg_count = r->op == BLOCK_READ || r->op == BLOCK_WRITE;
	for (uint64_t i = 0; i < r->size / 512; i++)
		if (d.locked[r->first / 512 + i])
			return;
	if (r->op == BLOCK_WRITE) {
		for (uint64_t i = 0; i < r->size; i += 8)
			put_le64(o->bytes + i, rand_u64(&d.seed));
		memcpy(d.model + r->first, o->bytes, r->size);
	} else if (r->op != BLOCK_READ) {
		memset(d.model + r->first, 0, r->size);
	}
	if (d.back->ops->submit(NULL, d.back, r)) {
		memset(&d.locked[r->first / 512], 1, r->size / 512);
		o->busy = true;
	}
}

static unsigned busy(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < AT_ONCE; i++)
		n += d.operations[i].busy;
	return n;
}

static void data_is_whole_and_found_again(void **state)
{
	static uint8_t model[NAMESPACE_SIZE];
	struct operation *o = &d.operations[0];

	(void)state;
	start();
	open_card();
	while (d.ended < OPERATIONS || busy()) {
		for (unsigned i = 0; i < AT_ONCE && d.ended < OPERATIONS; i++)
			if (!d.operations[i].busy)
				post(&d.operations[i]);
		turn();
	}
	assert_int_equal(d.gone, 0);
	memcpy(model, d.model, sizeof model);
	close_card();
	open_card(); /* a controller that was shut down, and comes up again; a table that is there */
	memcpy(d.model, model, sizeof model);
	for (uint64_t at = 0; at < NAMESPACE_SIZE; at += 64 << 10) {
		o->seg = (struct block_seg){ o->bytes, 64 << 10 };
		o->request = (struct block_request){ .op = BLOCK_READ, .done = on_done, .owner = o,
						     .segs = &o->seg, .seg_count = 1, .first = at,
						     .size = 64 << 10 };
		o->busy = true;
		assert_true(d.back->ops->submit(NULL, d.back, &o->request));
		while (o->busy)
			turn();
	}
	close_card();
	stop();
}

static void a_server_that_is_killed_ends_what_its_disk_was_asked(void **state)
{
	int ready[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		start();
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &status, 1), 1);
	open_card();
	while (d.ended < 100) {
		for (unsigned i = 0; i < AT_ONCE; i++)
			if (!d.operations[i].busy)
				post(&d.operations[i]);
		turn();
	}
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	d.ended = 0;
	for (unsigned i = 0; i < AT_ONCE; i++)
		if (!d.operations[i].busy)
			post(&d.operations[i]);
	assert_true(busy() > 8);
	while (busy()) {
		turn();
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	assert_true(d.gone > 8);
	assert_true(medium_is_dead(d.medium));
	close_card();
	close(ready[0]);
	close(ready[1]);
	unlink(path);
}

static void what_cannot_be_a_medium_is_refused(void **state)
{
	struct vfio_user_medium_conf conf = { .path = "/tmp/there-is-no-such.sock" };
	struct refusal why = { 0 };
	struct medium *medium;

	(void)state;
	assert_true(vfio_user_medium_open(&medium, &conf, &why) < 0);
	assert_non_null(strstr(why.text, "there-is-no-such"));
	start();
	conf = (struct vfio_user_medium_conf){ .path = path, .nsid = 3 };
	assert_int_equal(vfio_user_medium_open(&medium, &conf, &why), -ENODEV);
	assert_non_null(strstr(why.text, "no namespace 3"));
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_is_whole_and_found_again),
		cmocka_unit_test(a_server_that_is_killed_ends_what_its_disk_was_asked),
		cmocka_unit_test(what_cannot_be_a_medium_is_refused),
	};

	snprintf(path, sizeof path, "/tmp/mp-vfmedium-%d.sock", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
