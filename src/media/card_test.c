/* A disk card over media of this machine: what the card promises, with real files below. */
#include "media/media.h"

#include "card/disk_card.h"
#include "tests/check.h"

#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

static char path[] = "media_card_test.XXXXXX";
static struct medium *medium;
static struct disk_card *card;
static uint64_t now_ns;
static unsigned ended;
static enum medium_carrier carrier;

static void run_card(void)
{
	struct polled *polled = disk_card_polled(card);

	for (unsigned idle = 0; idle < 3;)
		idle = polled->ops->poll(NULL, polled, now_ns += 1000) || disk_card_at_medium(card) ?
			       0 : idle + 1;
}

static void open_card(void)
{
	struct medium_conf file = { .kind = MEDIUM_FILE, .path = path, .carrier = carrier };
	struct disk_card_conf conf = { .functions = 2, .depth = 32 };
	const uint8_t uuid[DISK_ID_SIZE] = { 9 };

	assert_int_equal(medium_open(&medium, &file, NULL), 0);
	conf.medium = medium;
	card = aligned_alloc(4096, disk_card_size(&conf));
	assert_int_equal(disk_card_init(card, &conf, NULL), 0);
	assert_int_equal(disk_card_open(NULL, card, DISK_TABLE_NEW, uuid, NULL), 0);
	run_card();
	assert_int_equal(disk_card_job(NULL, card, NULL), DISK_JOB_DONE);
}

static void close_card(void)
{
	assert_true(medium_is_idle(medium));
	medium_close(medium);
	free(card);
}

static void done(struct worker *worker, struct block_request *request)
{
	(void)worker;
	assert_int_equal(request->result, BLOCK_DONE);
	ended++;
}

static struct block_back *attach(uint32_t id)
{
	struct disk_function_conf conf = { .depth = 64, .weight = 1 };
	struct block_back *back;

	assert_int_equal(disk_card_bind(NULL, card, 1, NULL, &conf, NULL), 0);
	back = disk_card_attach(NULL, card, 1, id, DISK_READ_WRITE, NULL);
	assert_non_null(back);
	return back;
}

static void namespaces_and_data_are_there_when_a_file_is_opened_again(void **state)
{
	enum { N = 200, SIZE = 12 << 10 };
	static struct block_request requests[N];
	static struct block_seg segs[N];
	static uint8_t bytes[N][SIZE];
	struct disk_namespace_conf conf = { .name = "data", .size = 4 * MIB, .block_size = 512 };
	struct block_back *back;
	uint32_t id;

	(void)state;
	open_card();
	assert_int_equal(disk_card_add_namespace(NULL, card, &conf, &id, NULL), 0);
	run_card();
	assert_int_equal(disk_card_job(NULL, card, NULL), DISK_JOB_DONE);
	for (unsigned pass = 0; pass < 2; pass++) {
		back = attach(id);
		ended = 0;
		for (unsigned i = 0; i < N; i++) {
			if (pass == 0)
				memset(bytes[i], (int)i + 1, SIZE);
			else
				memset(bytes[i], 0, SIZE);
			segs[i] = (struct block_seg){ bytes[i], SIZE };
			requests[i] = (struct block_request){
				.op = pass ? BLOCK_READ : BLOCK_WRITE, .flags = pass ? 0 : BLOCK_FUA,
				.first = i * (uint64_t)SIZE, .size = SIZE, .segs = &segs[i],
				.seg_count = 1, .done = done,
			};
			while (!back->ops->submit(NULL, back, &requests[i]))
				run_card();
		}
		run_card();
		assert_int_equal(ended, N);
		for (unsigned i = 0; i < N; i++)
			assert_int_equal(bytes[i][i * 59 % SIZE], (uint8_t)(i + 1));
		if (pass)
			break;
		close_card();
		open_card();
		assert_int_equal(disk_card_layout(card)->namespace_count, 1);
	}
	close_card();
}

/* An empty file. */
static int begin_by(enum medium_carrier how)
{
	carrier = how;
	return truncate(path, 0) < 0 || truncate(path, 8 << 20) < 0 ? -1 : 0;
}

static int by_threads(void **state)
{
	(void)state;
	return begin_by(MEDIUM_BY_THREADS);
}

static int by_ring_if_can(void **state)
{
	(void)state;
	return begin_by(MEDIUM_BY_RING_IF_CAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "namespaces_and_data_are_there_when_a_file_is_opened_again_by_the_ring_if_it_can",
		  namespaces_and_data_are_there_when_a_file_is_opened_again, by_ring_if_can, NULL, NULL },
		{ "namespaces_and_data_are_there_when_a_file_is_opened_again_by_threads",
		  namespaces_and_data_are_there_when_a_file_is_opened_again, by_threads, NULL, NULL },
	};
	int fd = mkstemp(path), err;

	if (fd < 0)
		return 1;
	close(fd);
	err = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return err;
}
