/* Media with real files: beside the test (direct I/O where its file system can) and in memory files. */
#include "media/internal.h"

#include "tests/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/loop.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

enum { SIZE = 8 << 20, PATIENCE_MS = 60000 /* for what never comes */ };

static char path[64];
static uint8_t *data, *other; /* 4 MiB each, aligned */
static enum medium_carrier carrier;
static const char *place; /* where files are made */

static int by_threads(void **state)
{
	(void)state;
	carrier = MEDIUM_BY_THREADS;
	place = ".";
	return 0;
}

static int in_memory(void **state)
{
	(void)state;
	carrier = MEDIUM_BY_RING_IF_CAN;
	place = "/dev/shm";
	return 0;
}

static int by_ring(void **state)
{
	(void)state;
	carrier = MEDIUM_BY_RING;
	place = ".";
	return 0;
}

static void make_path(const char *directory)
{
	int fd;

	snprintf(path, sizeof path, "%s/media_test.XXXXXX", directory);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	close(fd);
}

static struct medium *open_path(enum medium_access access, enum medium_cache cache)
{
	struct medium_conf conf = { .kind = MEDIUM_FILE, .path = path, .access = access,
				    .cache = cache, .carrier = carrier };
	struct refusal why = { 0 };
	struct medium *medium = NULL;
	int err = medium_open(&medium, &conf, &why);

	if (err)
		fprintf(stderr, "# %s\n", why.text);
	assert_int_equal(err, 0);
	return medium;
}

static struct medium *open_memory(void)
{
	struct medium_conf conf = { .kind = MEDIUM_MEMORY, .size = SIZE };
	struct medium *medium;

	assert_int_equal(medium_open(&medium, &conf, NULL), 0);
	return medium;
}

/* Sleeps until something has ended, as a worker does. */
static void wait_for(struct medium *medium)
{
	struct pollfd wake = { .fd = medium->wake_fd, .events = POLLIN };
	uint64_t count;

	if (!medium->ops->arm(NULL, medium) && poll(&wake, 1, PATIENCE_MS) == 1)
		assert_int_equal(read(wake.fd, &count, sizeof count), sizeof count);
}

/* Waits for one request to end. */
static struct block_request *reap_one(struct medium *medium)
{
	struct block_request *ended = NULL;

	for (unsigned tries = 0; tries < 100000; tries++) {
		if (medium->ops->reap(NULL, medium, &ended, 1))
			return ended;
		wait_for(medium);
	}
	fail();
	return NULL;
}

static enum block_result run(struct medium *medium, struct block_request *request)
{
	assert_int_equal(medium->ops->submit(NULL, medium, &request, 1), 1);
	assert_ptr_equal(reap_one(medium), request);
	return request->result;
}

static enum block_result go(struct medium *medium, enum block_op op, uint32_t flags, uint64_t first,
			    uint64_t size, uint8_t *bytes)
{
	struct block_seg seg = { bytes, (uint32_t)size };
	struct block_request request = { .op = op, .flags = flags, .first = first, .size = size,
					 .segs = &seg, .seg_count = bytes ? 1 : 0 };

	return run(medium, &request);
}

/* Cuts 'size' bytes into pieces of any size, at any address. */
static unsigned cut(uint8_t *bytes, uint64_t size, struct block_seg *segs, unsigned max,
		    uint64_t *seed)
{
	unsigned n = 0;

	while (size) {
		uint64_t take = n + 1 == max ? size : 1 + rand_u64(seed) % size;

		if (rand_u64(seed) & 1 && size > 512 && n + 1 < max)
			take = 512;
		segs[n++] = (struct block_seg){ bytes, (uint32_t)take };
		bytes += take;
		size -= take;
	}
	return n;
}

static void agrees_with_plain_bytes(struct medium *medium, unsigned rounds)
{
	static uint8_t plain[SIZE];
	struct block_seg segs[40];
	uint64_t seed = check_seed();
	unsigned block = medium->block_size;

	memset(plain, 0, SIZE);
	for (unsigned round = 0; round < rounds; round++) {
		uint64_t first = rand_u64(&seed) % (SIZE / block) * block;
		uint64_t size = (1 + rand_u64(&seed) % 256) * block;
		uint8_t *bytes = data + (rand_u64(&seed) & 1 ? 0 : rand_u64(&seed) % 4096);
		struct block_request request = { .first = first, .segs = segs };

		size = size > SIZE - first ? SIZE - first : size;
		request.size = size;
		request.seg_count = cut(bytes, size, segs, 1 + rand_u64(&seed) % 40, &seed);
		request.flags = rand_u64(&seed) % 8 == 0 ? BLOCK_FUA : 0;
		switch (rand_u64(&seed) % 6) {
		case 0:
			request.op = BLOCK_WRITE_ZEROES;
			request.flags |= rand_u64(&seed) & 1 ? BLOCK_MAY_UNMAP : 0;
			request.seg_count = 0;
			assert_int_equal(run(medium, &request), BLOCK_DONE);
			memset(plain + first, 0, size);
			break;
		case 1:
			assert_int_equal(go(medium, BLOCK_FLUSH, 0, 0, 0, NULL), BLOCK_DONE);
			break;
		case 2:
		case 3:
			request.op = BLOCK_WRITE;
			for (uint64_t i = 0; i < size; i++)
				bytes[i] = (uint8_t)rand_u64(&seed);
			assert_int_equal(run(medium, &request), BLOCK_DONE);
			memcpy(plain + first, bytes, size);
			break;
		default:
			request.op = BLOCK_READ;
			memset(bytes, 0xee, size);
			assert_int_equal(run(medium, &request), BLOCK_DONE);
			assert_memory_equal(bytes, plain + first, size);
		}
	}
}

static void memory_agrees_with_plain_bytes(void **state)
{
	struct medium *medium = open_memory();

	(void)state;
	agrees_with_plain_bytes(medium, 2000);
	assert_string_equal(medium_how(medium), "memory");
	medium_close(medium);
}

static void a_file_agrees_with_plain_bytes_by_each_way(void **state)
{
	static const struct {
		const char *directory;
		enum medium_cache cache;
	} ways[] = { { ".", MEDIUM_DIRECT_IF_CAN }, { ".", MEDIUM_CACHED }, { "/dev/shm", MEDIUM_CACHED } };

	(void)state;
	for (unsigned i = 0; i < array_len(ways); i++) {
		struct medium *medium;

		make_path(ways[i].directory);
		medium = open_path(MEDIUM_READ_WRITE, ways[i].cache);
		assert_non_null(strstr(medium_how(medium),
				       carrier == MEDIUM_BY_THREADS ? ", threads" : ", io_uring"));
		fprintf(stderr, "# %s: %s, blocks of %u, aligned to %u\n", ways[i].directory,
			medium_how(medium), medium->block_size, medium->alignment);
		agrees_with_plain_bytes(medium, 400);
		assert_true(medium_is_idle(medium));
		medium_close(medium);
		unlink(path);
	}
}

/* Data is there when submit returns, whatever the segments are; what a file system does goes another way. */
static void data_of_a_file_in_memory_is_moved_while_it_is_submitted(void **state)
{
	struct block_seg seg = { data + 1, 4096 };
	struct block_request request = { .op = BLOCK_WRITE, .flags = BLOCK_FUA, .first = 512, .size = 4096,
					 .segs = &seg, .seg_count = 1 }, *list = &request;
	struct medium *medium;
	int fd;

	make_path(place);
	medium = open_path(MEDIUM_READ_WRITE, MEDIUM_DIRECT_IF_CAN);
	assert_non_null(strstr(medium_how(medium), "memory file, "));
	assert_int_equal(medium->alignment, 1);
	memset(data, 0x5a, 8192);
	assert_int_equal(medium->ops->submit(NULL, medium, &list, 1), 1);
	assert_true(medium_is_idle(medium));
	fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, other, 8192, 0), 8192);
	close(fd);
	assert_int_equal(other[511], 0);
	assert_memory_equal(other + 512, data, 4096);
	assert_int_equal(other[512 + 4096], 0);
	/* A worker that would sleep now is told that it has ended. */
	assert_true(medium->ops->arm(NULL, medium));
	assert_int_equal(medium->ops->reap(NULL, medium, &list, 1), 1);
	assert_int_equal(request.result, BLOCK_DONE);
	assert_int_equal(go(medium, BLOCK_WRITE_ZEROES, 0, 0, MIB, NULL), BLOCK_DONE);
	assert_int_equal(go(medium, BLOCK_READ, 0, 512, 4096, other), BLOCK_DONE);
	assert_int_equal(other[0], 0);
	medium_close(medium);
	unlink(path);
	(void)state;
}

static void what_was_written_is_in_the_file(void **state)
{
	struct medium *medium;
	int fd;

	(void)state;
	make_path(place);
	medium = open_path(MEDIUM_READ_WRITE, MEDIUM_DIRECT_IF_CAN);
	memset(data, 0x5a, 8192);
	assert_int_equal(go(medium, BLOCK_WRITE, BLOCK_FUA, 4096, 8192, data), BLOCK_DONE);
	medium_close(medium);
	fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, other, 16384, 0), 16384);
	close(fd);
	assert_int_equal(other[4095], 0);
	assert_memory_equal(other + 4096, data, 8192);
	assert_int_equal(other[12288], 0);
	unlink(path);
}

static void a_discard_gives_space_back(void **state)
{
	struct stat before, after;
	struct medium *medium;

	(void)state;
	make_path(place);
	medium = open_path(MEDIUM_READ_WRITE, MEDIUM_DIRECT_IF_CAN);
	memset(data, 1, 1 << 20);
	assert_int_equal(go(medium, BLOCK_WRITE, BLOCK_FUA, 0, MIB, data), BLOCK_DONE);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(go(medium, BLOCK_DISCARD, 0, 0, MIB, NULL), BLOCK_DONE);
	assert_int_equal(stat(path, &after), 0);
	assert_true(after.st_blocks < before.st_blocks);
	assert_int_equal(after.st_size, SIZE);
	medium_close(medium);
	unlink(path);
}

static void many_requests_end_each_once(void **state)
{
	enum { N = 300 };
	static struct block_request requests[N];
	static struct block_seg segs[N];
	static struct block_request *list[N], *ended[N];
	unsigned begun = 0, done = 0;
	struct medium *medium;

	(void)state;
	make_path(place);
	medium = open_path(MEDIUM_READ_WRITE, MEDIUM_DIRECT_IF_CAN);
	for (unsigned i = 0; i < N; i++) {
		/* each third one is not aligned: there are fewer bounce buffers than that */
		segs[i] = (struct block_seg){ data + i * 8192 + (i % 3 ? 0 : 1), 4096 };
		memset(segs[i].bytes, (int)i, 4096);
		requests[i] = (struct block_request){ .op = BLOCK_WRITE, .first = i * 4096, .size = 4096,
						      .segs = &segs[i], .seg_count = 1,
						      .result = BLOCK_RESULT_COUNT };
		list[i] = &requests[i];
	}
	for (unsigned tries = 0; done < N && tries < 20000; tries++) {
		unsigned n;

		if (begun < N)
			begun += medium->ops->submit(NULL, medium, list + begun, N - begun);
		n = medium->ops->reap(NULL, medium, ended, 64);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(ended[i]->result, BLOCK_DONE);
		done += n;
		if (!n)
			wait_for(medium);
	}
	assert_int_equal(done, N);
	assert_true(medium_is_idle(medium));
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(go(medium, BLOCK_READ, 0, i * 4096, 4096, other), BLOCK_DONE);
		assert_int_equal(other[4095], (uint8_t)i);
	}
	medium_close(medium);
	unlink(path);
}

static void a_wake_up_comes_when_a_request_ends_and_only_when_asked(void **state)
{
	struct block_seg seg = { data, 4096 };
	struct block_request request = { .op = BLOCK_WRITE, .size = 4096, .segs = &seg,
					 .seg_count = 1 }, *list = &request;
	struct pollfd wake = { .events = POLLIN };
	struct medium *medium;

	(void)state;
	make_path(place);
	medium = open_path(MEDIUM_READ_WRITE, MEDIUM_DIRECT_IF_CAN);
	wake.fd = medium->wake_fd;
	assert_int_equal(go(medium, BLOCK_FLUSH, 0, 0, 0, NULL), BLOCK_DONE);
	while (poll(&wake, 1, 0) > 0)
		assert_int_equal(read(wake.fd, &(uint64_t){ 0 }, 8), 8);
	assert_int_equal(medium->ops->submit(NULL, medium, &list, 1), 1);
	if (!medium->ops->arm(NULL, medium))
		assert_int_equal(poll(&wake, 1, PATIENCE_MS), 1);
	assert_ptr_equal(reap_one(medium), &request);
	medium_close(medium);
	unlink(path);
}

static void a_file_that_was_cut_gives_errors_and_no_more(void **state)
{
	struct medium_errors errors;
	struct medium *medium;

	(void)state;
	make_path(place);
	medium = open_path(MEDIUM_READ_WRITE, MEDIUM_DIRECT_IF_CAN);
	assert_int_equal(truncate(path, MIB), 0);
	assert_int_equal(go(medium, BLOCK_READ, 0, 2 * MIB, 4096, data), BLOCK_MEDIUM_ERROR);
	assert_int_equal(go(medium, BLOCK_READ, 0, MIB - 4096, 8192, data), BLOCK_MEDIUM_ERROR);
	assert_int_equal(go(medium, BLOCK_READ, 0, 0, 4096, data), BLOCK_DONE);
	medium_errors(medium, &errors);
	assert_int_equal(errors.count, 2);
	assert_string_equal(errors.last, "read: the file was cut");
	medium_close(medium);
	unlink(path);
}

/* A carrier that gives steps up, as io_uring does that finds no thread for one; then it carries them. */
static struct {
	unsigned give_up, given_up;
	struct file_io *io; /* given up, and not taken yet */
	const struct file_carrier *carrier;
} tired;

static void tired_put(struct file_medium *f, struct file_io *io)
{
	if (tired.given_up < tired.give_up)
		tired.io = io;
	else
		tired.carrier->put(f, io);
}

static struct file_io *tired_take(struct file_medium *f, int *result)
{
	struct file_io *io = tired.io;

	if (!io)
		return tired.carrier->take(f, result);
	tired.io = NULL;
	tired.given_up++;
	*result = -ECANCELED;
	return io;
}

static bool tired_has_ended(struct file_medium *f)
{
	return tired.io || tired.carrier->has_ended(f);
}

static void what_the_kernel_gives_up_is_begun_again_and_not_for_ever(void **state)
{
	static const struct {
		enum block_op op;
		unsigned give_up;
		enum block_result result;
	} rows[] = {
		{ BLOCK_WRITE, 3, BLOCK_DONE },
		{ BLOCK_DISCARD, 1, BLOCK_DONE },
		{ BLOCK_DISCARD, FILE_CANCELLED_MOST, BLOCK_DONE },
		{ BLOCK_DISCARD, FILE_CANCELLED_MOST + 1, BLOCK_MEDIUM_ERROR },
	};
	struct file_carrier giving_up;
	struct medium_errors errors;
	struct medium *medium;
	struct file_medium *f;

	(void)state;
	make_path(place);
	medium = open_path(MEDIUM_READ_WRITE, MEDIUM_DIRECT_IF_CAN);
	f = (struct file_medium *)medium;
	tired.carrier = f->carrier;
	giving_up = *f->carrier;
	giving_up.put = tired_put;
	giving_up.take = tired_take;
	giving_up.has_ended = tired_has_ended;
	f->carrier = &giving_up;
	for (unsigned i = 0; i < array_len(rows); i++) {
		bool data_at_once = f->in_memory && rows[i].op == BLOCK_WRITE;

		tired.give_up = rows[i].give_up;
		tired.given_up = 0;
		assert_int_equal(go(medium, rows[i].op, 0, 0, 4096, rows[i].op == BLOCK_WRITE ? data : NULL),
				 rows[i].result);
		assert_int_equal(tired.given_up, data_at_once ? 0 : rows[i].give_up);
	}
	medium_errors(medium, &errors);
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.last, "discard: Operation canceled");
	f->carrier = tired.carrier;
	medium_close(medium);
	unlink(path);
}

/* The child: writes numbers to blocks in turn, sixteen at once, and tells each that has ended. */
static _Noreturn void write_until_killed(int to)
{
	enum { AT_ONCE = 16 };
	struct medium *medium = open_path(MEDIUM_READ_WRITE, MEDIUM_DIRECT_IF_CAN);
	static struct block_request requests[AT_ONCE], *list[AT_ONCE];
	static struct block_seg segs[AT_ONCE];

	for (uint64_t number = 1;; number += AT_ONCE) {
		unsigned begun = 0, done = 0;

		for (unsigned i = 0; i < AT_ONCE; i++) {
			uint64_t value = number + i;

			segs[i] = (struct block_seg){ data + i * 4096, 4096 };
			memcpy(segs[i].bytes, &value, sizeof value);
			requests[i] = (struct block_request){
				.op = BLOCK_WRITE, .first = value % 64 * 4096, .size = 4096,
				.segs = &segs[i], .seg_count = 1,
			};
			list[i] = &requests[i];
		}
		while (done < AT_ONCE) {
			struct block_request *ended;

			begun += medium->ops->submit(NULL, medium, list + begun, AT_ONCE - begun);
			if (!medium->ops->reap(NULL, medium, &ended, 1)) {
				wait_for(medium);
				continue;
			}
			done++;
			if (write(to, ended->segs[0].bytes, 8) != 8)
				_exit(1);
		}
	}
}

static void what_was_completed_survives_a_kill_and_the_lock_does_not(void **state)
{
	uint64_t told[64] = { 0 }, value, most = 0;
	struct medium *medium;
	int pipe_fds[2];
	pid_t child;

	(void)state;
	make_path(place);
	assert_int_equal(pipe(pipe_fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		write_until_killed(pipe_fds[1]);
	close(pipe_fds[1]);
	while (read(pipe_fds[0], &value, sizeof value) == sizeof value) {
		told[value % 64] = value > told[value % 64] ? value : told[value % 64];
		most = value > most ? value : most;
		if (most == 400)
			kill(child, SIGKILL);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(pipe_fds[0]);
	assert_true(most >= 400);
	medium = open_path(MEDIUM_READ_WRITE, MEDIUM_DIRECT_IF_CAN);
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(go(medium, BLOCK_READ, 0, i * 4096, 4096, other), BLOCK_DONE);
		memcpy(&value, other, sizeof value);
		/* that, or one that was under way */
		assert_true(value == told[i] || (value > told[i] && value % 64 == i));
	}
	medium_close(medium);
	unlink(path);
}

static void what_is_only_read_is_not_written(void **state)
{
	struct medium *medium;

	(void)state;
	make_path(place);
	medium = open_path(MEDIUM_READ_ONLY, MEDIUM_DIRECT_IF_CAN);
	assert_true(medium->read_only);
	assert_int_equal(go(medium, BLOCK_READ, 0, 0, 4096, data), BLOCK_DONE);
	assert_int_equal(go(medium, BLOCK_WRITE, 0, 0, 4096, data), BLOCK_READ_ONLY);
	assert_int_equal(go(medium, BLOCK_WRITE_ZEROES, 0, 0, 4096, NULL), BLOCK_READ_ONLY);
	assert_int_equal(go(medium, BLOCK_COMPARE, 0, 0, 4096, data), BLOCK_UNSUPPORTED);
	medium_close(medium);
	unlink(path);
}

static void a_file_in_use_a_missing_one_and_no_file_are_refused(void **state)
{
	struct medium_conf conf = { .kind = MEDIUM_FILE, .path = path, .carrier = carrier };
	struct medium *medium, *second;
	struct refusal why = { 0 };

	(void)state;
	make_path(place);
	medium = open_path(MEDIUM_READ_WRITE, MEDIUM_CACHED);
	assert_int_equal(medium_open(&second, &conf, &why), -EBUSY);
	assert_non_null(strstr(why.text, "in use"));
	medium_close(medium);
	unlink(path);
	assert_int_equal(medium_open(&second, &conf, &why), -ENOENT);
	assert_non_null(strstr(why.text, "cannot open"));
	conf.path = ".";
	conf.access = MEDIUM_READ_ONLY;
	assert_int_equal(medium_open(&second, &conf, &why), -ENOTBLK);
	conf.path = "/dev/full";
	conf.access = MEDIUM_READ_WRITE;
	assert_int_equal(medium_open(&second, &conf, &why), -ENOTBLK);
	assert_non_null(strstr(why.text, "neither a file nor a block device"));
	conf = (struct medium_conf){ .kind = MEDIUM_MEMORY, .size = 1000 };
	assert_int_equal(medium_open(&second, &conf, &why), -EINVAL);
	assert_string_equal(why.path, "size");
}

static void a_file_that_is_not_there_is_made_as_large_as_asked(void **state)
{
	struct medium_conf conf = { .kind = MEDIUM_FILE, .path = path, .size = 3 * MIB,
				    .carrier = carrier };
	struct medium *medium;

	(void)state;
	make_path(place);
	unlink(path);
	assert_int_equal(medium_open(&medium, &conf, NULL), 0);
	assert_int_equal(medium->size, 3 * MIB);
	medium_close(medium);
	conf.size = 5 * MIB; /* one that is there keeps its size */
	assert_int_equal(medium_open(&medium, &conf, NULL), 0);
	assert_int_equal(medium->size, 3 * MIB);
	medium_close(medium);
	unlink(path);
}

/* A block device over the file 'path', that ends with its last user: a descriptor of it, or -errno. */
static int make_loop_device(char *name, size_t size)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), device = -1, err = -EBUSY;
	struct loop_config config = { .fd = (uint32_t)open(path, O_RDWR | O_CLOEXEC),
				      .info.lo_flags = LO_FLAGS_AUTOCLEAR };

	/* Another program may be as quick. */
	for (unsigned tries = 0; control >= 0 && err == -EBUSY && tries < 20; tries++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		snprintf(name, size, "/dev/loop%d", number);
		device = open(name, O_RDWR | O_CLOEXEC);
		err = device >= 0 && ioctl(device, LOOP_CONFIGURE, &config) == 0 ? 0 : -errno;
		if (err && device >= 0)
			close(device);
	}
	err = control < 0 ? -errno : err;
	close(control);
	close((int)config.fd);
	return err ? err : device;
}

static void a_block_device_agrees_with_plain_bytes(void **state)
{
	struct stat before, after;
	struct medium *medium;
	char file[sizeof path];
	int device;

	(void)state;
	make_path(".");
	memcpy(file, path, sizeof path);
	device = make_loop_device(path, sizeof path);
	if (device < 0) {
		unlink(file);
		fprintf(stderr, "# skipped: no loop device here: %s\n", strerror(-device));
		skip();
	}
	medium = open_path(MEDIUM_READ_WRITE, MEDIUM_DIRECT_IF_CAN);
	close(device);
	assert_non_null(strstr(medium_how(medium), "direct I/O"));
	assert_int_equal(medium->size, SIZE);
	agrees_with_plain_bytes(medium, 400);
	memset(data, 0x5a, MIB);
	assert_int_equal(go(medium, BLOCK_WRITE, BLOCK_FUA, 0, MIB, data), BLOCK_DONE);
	assert_int_equal(stat(file, &before), 0);
	assert_int_equal(go(medium, BLOCK_DISCARD, 0, 0, MIB, NULL), BLOCK_DONE);
	assert_int_equal(go(medium, BLOCK_FLUSH, 0, 0, 0, NULL), BLOCK_DONE);
	assert_int_equal(stat(file, &after), 0);
	assert_true(after.st_blocks < before.st_blocks);
	medium_close(medium);
	unlink(file);
}

static unsigned entries(const char *directory)
{
	DIR *list = opendir(directory);
	unsigned n = 0;

	assert_non_null(list);
	while (readdir(list))
		n++;
	closedir(list);
	return n;
}

/* Writes 'n' pieces of 64 KiB without waiting for any. */
static void begin_writes(struct medium *medium, struct block_request *requests, struct block_seg *segs,
			 unsigned n)
{
	struct block_request *list;

	for (unsigned i = 0; i < n; i++) {
		segs[i] = (struct block_seg){ data + i % 32 * 65536, 65536 };
		requests[i] = (struct block_request){
			.op = i % 8 == 7 ? BLOCK_FLUSH : BLOCK_WRITE, .first = i % 64 * 65536, .size = 65536,
			.segs = &segs[i], .seg_count = 1, .flags = i & 1 ? BLOCK_FUA : 0,
		};
		list = &requests[i];
		assert_int_equal(medium->ops->submit(NULL, medium, &list, 1), 1);
	}
}

/* Requests under way do not belong there, but a program that ends has no choice. */
static void closing_ends_what_is_under_way_and_leaves_no_thread_or_descriptor(void **state)
{
	enum { N = 200 };
	static struct block_request requests[N];
	static struct block_seg segs[N];
	unsigned tasks, descriptors;

	(void)state;
	make_path(place);
	tasks = entries("/proc/self/task");
	descriptors = entries("/proc/self/fd");
	for (unsigned round = 0; round < 5; round++) {
		struct medium *medium = open_path(MEDIUM_READ_WRITE, MEDIUM_DIRECT_IF_CAN);

		assert_true(entries("/proc/self/task") > tasks);
		begin_writes(medium, requests, segs, N);
		assert_false(medium_is_idle(medium));
		medium_close(medium);
		assert_int_equal(entries("/proc/self/fd"), descriptors);
		/* A thread that was joined is listed for a moment yet. */
		for (unsigned tries = 0; tries < PATIENCE_MS && entries("/proc/self/task") > tasks; tries++)
			usleep(1000);
		assert_int_equal(entries("/proc/self/task"), tasks);
	}
	unlink(path);
}

/* More than the medium takes is left with the caller, and each that was taken ends with its own. */
static void a_full_queue_takes_no_more_and_none_is_lost_or_mixed_up(void **state)
{
	enum { N = 512, ROUNDS = 20 };
	static struct block_request requests[N], *list[N], *ended[N];
	static struct block_seg segs[N];
	struct medium *medium;

	(void)state;
	make_path("/dev/shm");
	medium = open_path(MEDIUM_READ_WRITE, MEDIUM_CACHED);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned begun = 0, done = 0;

		for (unsigned i = 0; i < N; i++) {
			segs[i] = (struct block_seg){ data + i * 4096, 4096 };
			if (round % 2 == 0)
				memset(segs[i].bytes, (int)(i * 7 + round), 4096);
			else
				memset(segs[i].bytes, 0xee, 4096);
			requests[i] = (struct block_request){
				.op = round % 2 ? BLOCK_READ : BLOCK_WRITE, .first = i * 4096, .size = 4096,
				.segs = &segs[i], .seg_count = 1, .result = BLOCK_RESULT_COUNT,
			};
			list[i] = &requests[i];
		}
		begun = medium->ops->submit(NULL, medium, list, N);
		assert_true(begun >= 128 && begun < N);
		while (done < N) {
			unsigned n = medium->ops->reap(NULL, medium, ended, 7);

			done += n;
			begun += medium->ops->submit(NULL, medium, list + begun, N - begun);
			if (!n)
				wait_for(medium);
		}
		assert_int_equal(done, N);
		for (unsigned i = 0; i < N; i++) {
			assert_int_equal(requests[i].result, BLOCK_DONE);
			assert_int_equal(segs[i].bytes[i], (uint8_t)(i * 7 + round / 2 * 2));
		}
	}
	assert_true(medium_is_idle(medium));
	medium_close(medium);
	unlink(path);
}

/* As a container's filter does it. */
static void forbid_the_ring(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { array_len(filter), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(100);
}

/* The child of the next test; which step failed, or 0. */
static int see_threads_step_in(void)
{
	struct medium_conf conf = { .kind = MEDIUM_FILE, .path = path };
	struct medium *medium;
	struct refusal why = { 0 };

	forbid_the_ring();
	if (medium_open(&medium, &conf, &why) != 0)
		return 1;
	if (!strstr(medium_how(medium), ", threads") || !strstr(medium_note(medium), "not permitted"))
		return 2;
	memset(data, 0x77, 4096);
	if (go(medium, BLOCK_WRITE, BLOCK_FUA, 8192, 4096, data) != BLOCK_DONE ||
	    go(medium, BLOCK_READ, 0, 8192, 4096, other) != BLOCK_DONE || memcmp(data, other, 4096) != 0)
		return 3;
	medium_close(medium);
	conf.carrier = MEDIUM_BY_RING;
	if (medium_open(&medium, &conf, &why) != -ENOSYS || !strstr(why.text, "io_uring"))
		return 4;
	return 0;
}

static void threads_step_in_where_the_ring_is_forbidden_and_it_is_said(void **state)
{
	int status;
	pid_t child;

	(void)state;
	make_path(".");
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(see_threads_step_in());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 100)
		fprintf(stderr, "# skipped: this machine has no seccomp filters\n");
	else
		assert_int_equal(WEXITSTATUS(status), 0);
	unlink(path);
}

static bool ring_is_there(void)
{
	struct medium_conf conf = { .kind = MEDIUM_FILE, .path = path, .carrier = MEDIUM_BY_RING };
	struct refusal why = { 0 };
	struct medium *medium;
	int err;

	make_path(".");
	err = medium_open(&medium, &conf, &why);
	unlink(path);
	if (err)
		fprintf(stderr, "# skipped: all tests by io_uring: %s\n", why.text);
	else
		medium_close(medium);
	return err == 0;
}

#define BY_THREADS(test) { #test "_by_threads", test, by_threads, NULL, NULL }
#define BY_RING(test)    { #test "_by_io_uring", test, by_ring, NULL, NULL }
#define IN_MEMORY(test)  { #test "_in_memory", test, in_memory, NULL, NULL }
#define OF_EACH(X)                                                          \
	X(a_file_agrees_with_plain_bytes_by_each_way),                      \
	X(a_block_device_agrees_with_plain_bytes),                          \
	X(what_was_written_is_in_the_file),                                 \
	X(a_discard_gives_space_back),                                      \
	X(many_requests_end_each_once),                                     \
	X(a_wake_up_comes_when_a_request_ends_and_only_when_asked),         \
	X(a_file_that_was_cut_gives_errors_and_no_more),                    \
	X(what_the_kernel_gives_up_is_begun_again_and_not_for_ever),        \
	X(what_was_completed_survives_a_kill_and_the_lock_does_not),        \
	X(what_is_only_read_is_not_written),                                \
	X(a_file_that_is_not_there_is_made_as_large_as_asked),              \
	X(a_full_queue_takes_no_more_and_none_is_lost_or_mixed_up)

static void an_absent_medium_is_dead_and_says_why(void **state)
{
	struct block_request requests[3] = { { .op = BLOCK_READ, .size = 512 }, { .op = BLOCK_FLUSH },
					     { .op = BLOCK_WRITE, .size = 512 } };
	struct block_request *out[3] = { &requests[0], &requests[1], &requests[2] }, *in[3];
	struct medium *medium;

	(void)state;
	assert_int_equal(medium_absent(&medium, "its path is not there"), 0);
	assert_true(medium_is_dead(medium));
	assert_string_equal(medium_how(medium), "dead: its path is not there");
	assert_false(medium->ops->arm(NULL, medium));
	assert_int_equal(medium->ops->submit(NULL, medium, out, 3), 3);
	assert_true(medium->ops->arm(NULL, medium));
	assert_int_equal(medium->ops->reap(NULL, medium, in, 2), 2);
	assert_int_equal(medium->ops->reap(NULL, medium, in + 2, 2), 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_ptr_equal(in[i], out[i]);
		assert_int_equal(in[i]->result, BLOCK_GONE);
	}
	assert_true(medium_is_idle(medium));
	medium_close(medium);
}

int main(void)
{
	const struct CMUnitTest without_ring[] = {
		cmocka_unit_test(memory_agrees_with_plain_bytes),
		cmocka_unit_test(an_absent_medium_is_dead_and_says_why),
		cmocka_unit_test(threads_step_in_where_the_ring_is_forbidden_and_it_is_said),
		OF_EACH(BY_THREADS),
		/* once: it waits for a lock that does not come */
		BY_THREADS(a_file_in_use_a_missing_one_and_no_file_are_refused),
		BY_THREADS(closing_ends_what_is_under_way_and_leaves_no_thread_or_descriptor),
	};
	const struct CMUnitTest with_ring[] = {
		OF_EACH(BY_RING),
		OF_EACH(IN_MEMORY),
		IN_MEMORY(data_of_a_file_in_memory_is_moved_while_it_is_submitted),
	};
	struct CMUnitTest tests[array_len(without_ring) + array_len(with_ring)];
	size_t count = array_len(without_ring);

	memcpy(tests, without_ring, sizeof without_ring);
	memcpy(tests + count, with_ring, sizeof with_ring);
	data = aligned_alloc(4096, 4 << 20);
	other = aligned_alloc(4096, 4 << 20);
	if (ring_is_there())
		count += array_len(with_ring);
	return _cmocka_run_group_tests("media", tests, count, NULL, NULL);
}
