/* tests/e2e/disk_client.c -- drives a disk behind a vfio-user socket, as a guest does.
 *
 * disk_client KIND SOCKET VERB [SEED]          KIND: nvme, virtio-blk; virtio-blk-silent, which never notifies
 *   verify SEED   writes and reads at random at queue depths 1 to 128 and compares all that is read
 *   fill SEED     writes a pattern of the seed over the disk, and flushes
 *   compare SEED  reads the disk and compares it with that pattern
 *   follow        reads the first block until standard input ends, and prints "good" or "bad" at each change
 *   work SEED     as verify, at depth 32, until standard input ends; a line "say" is answered with how many commands
 *                 there were, and after a line "lost", which says that the server was killed and is there again,
 *                 all that was acknowledged is compared before work goes on: "checked"
 *
 * The last line says what was done: "commands=N bytes=N".  Exit code 1: something is not as it should be. */
#include "disk_client.h"
#include "patient_client.h"

#include "base/bytes.h"
#include "spec/pcie.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS = 1000, /* at each depth */ FILL_DEPTH = 16, WORK_DEPTH = 32, SILENCE_S = 120, CONFIG_REGION = 7 };

static struct {
	const struct client_kind *kind;
	struct vfio_user_client *client;
	uint8_t *memory, *model;
	uint64_t bytes, seed, moved;
	unsigned commands, busy_count;
	time_t heard;
	struct command {
		bool busy;
		enum client_op op;
		uint64_t offset;
		uint32_t size;
		unsigned status;
	} command[CLIENT_DEPTH_MAX];
	bool *locked; /* by block: a command in flight has it */
	const char *path;
	bool keeps_old, lost; /* of work: the server is gone */
	uint8_t *old;  /* of each tag that writes: what was there before */
} d;

static _Noreturn void fail(const char *what, long long value)
{
	fprintf(stderr, "disk_client: %s (%lld)\n", what, value);
	exit(1);
}

static uint8_t *data(uint32_t tag)
{
	return d.memory + CLIENT_DATA_AT + (size_t)tag * CLIENT_PIECE;
}

static void on_done(uint32_t tag, unsigned status)
{
	struct command *c = &d.command[tag];

	if (tag >= CLIENT_DEPTH_MAX || !c->busy)
		fail("a command ended that was not posted", tag);
	c->busy = false;
	c->status = status;
	d.busy_count--;
	d.heard = time(NULL);
}

static void post(uint32_t tag, enum client_op op, uint64_t offset, uint32_t size)
{
	d.command[tag] = (struct command){ true, op, offset, size, 0 };
	d.busy_count++;
	d.commands++;
	d.moved += size;
	d.kind->post(tag, op, offset, size);
}

static void take_turn(void)
{
	int count = d.kind->turn(on_done);

	if (count < 0 && d.keeps_old) {
		d.lost = true;
		return;
	}
	if (count < 0)
		fail(strerror(-count), count);
	if (count == 0)
		sched_yield();
	if (d.busy_count && time(NULL) - d.heard > SILENCE_S)
		fail("commands do not end", d.busy_count);
}

static void open_disk(unsigned depth)
{
	uint64_t bytes = 0;
	int err = d.kind->open(d.client, d.memory, depth, &bytes);

	if (err)
		fail("the driver does not come up", err);
	if (d.bytes && d.bytes != bytes)
		fail("the disk has another size now", (long long)bytes);
	d.bytes = bytes;
	d.heard = time(NULL);
}

/* -- verify -- */

static bool lock_blocks(uint64_t offset, uint32_t size)
{
	bool *locked = d.locked + offset / CLIENT_BLOCK;

	for (uint32_t i = 0; i < size / CLIENT_BLOCK; i++)
		if (locked[i])
			return false;
	memset(locked, 1, size / CLIENT_BLOCK);
	return true;
}

static void begin_random(uint32_t tag)
{
	uint32_t size = CLIENT_BLOCK * (1 + (uint32_t)(rand_u64(&d.seed) % (CLIENT_PIECE / CLIENT_BLOCK)));
	uint64_t offset = rand_u64(&d.seed) % ((d.bytes - size) / CLIENT_BLOCK + 1) * CLIENT_BLOCK;
	enum client_op op = rand_u64(&d.seed) % 2 ? CLIENT_WRITE : CLIENT_READ;

	if (!lock_blocks(offset, size))
		return;
	for (uint32_t i = 0; i < size; i += 8)
		put_le64(data(tag) + i, rand_u64(&d.seed)); /* what a read must replace */
	if (op == CLIENT_WRITE && d.keeps_old)
		memcpy(d.old + (size_t)tag * CLIENT_PIECE, d.model + offset, size);
	if (op == CLIENT_WRITE)
		memcpy(d.model + offset, data(tag), size);
	post(tag, op, offset, size);
}

static void end_random(uint32_t tag)
{
	struct command *c = &d.command[tag];

	if (c->size == 0)
		return;
	if (c->status)
		fail("a command failed", c->status);
	if (memcmp(data(tag), d.model + c->offset, c->size) != 0)
		fail("data differs from the model", (long long)c->offset);
	memset(d.locked + c->offset / CLIENT_BLOCK, 0, c->size / CLIENT_BLOCK);
	c->size = 0;
}

static void verify_at(unsigned depth)
{
	unsigned first = d.commands;

	open_disk(depth);
	do {
		for (uint32_t tag = 0; tag < depth && d.commands - first < COMMANDS; tag++)
			if (!d.command[tag].busy)
				begin_random(tag);
		take_turn();
		for (uint32_t tag = 0; tag < depth; tag++)
			if (!d.command[tag].busy)
				end_random(tag);
	} while (d.busy_count || d.commands - first < COMMANDS);
}

/* The disk is known to the model: what it has at first is read. */
static void read_all(void)
{
	open_disk(1);
	d.model = malloc(d.bytes);
	d.locked = calloc(d.bytes / CLIENT_BLOCK, 1);
	if (!d.model || !d.locked)
		fail("no memory for a model", (long long)d.bytes);
	for (uint64_t at = 0; at < d.bytes; at += CLIENT_PIECE) {
		uint32_t size = (uint32_t)min_u64(CLIENT_PIECE, d.bytes - at);

		post(0, CLIENT_READ, at, size);
		while (d.busy_count)
			take_turn();
		if (d.command[0].status)
			fail("a read failed", d.command[0].status);
		memcpy(d.model + at, data(0), size);
		d.command[0].size = 0;
	}
}

static void verify(void)
{
	read_all();
	for (unsigned depth = 1; depth <= CLIENT_DEPTH_MAX; depth *= 2)
		verify_at(depth);
}

/* -- fill, compare -- */

static uint64_t word_at(uint64_t offset)
{
	uint64_t hash = d.seed ^ offset;

	return rand_u64(&hash);
}

static void end_piece(uint32_t tag, enum client_op op)
{
	struct command *c = &d.command[tag];

	if (c->size && c->status)
		fail("a command failed", c->status);
	for (uint32_t i = 0; op == CLIENT_READ && i < c->size; i += 8)
		if (get_le64(data(tag) + i) != word_at(c->offset + i))
			fail("data is not what was written", (long long)(c->offset + i));
	c->size = 0;
}

static void sweep(enum client_op op)
{
	uint64_t at = 0;

	open_disk(FILL_DEPTH);
	do {
		for (uint32_t tag = 0; tag < FILL_DEPTH; tag++) {
			uint32_t size = (uint32_t)min_u64(CLIENT_PIECE, d.bytes - at);

			if (d.command[tag].busy)
				continue;
			end_piece(tag, op);
			if (size == 0)
				continue;
			for (uint32_t i = 0; op == CLIENT_WRITE && i < size; i += 8)
				put_le64(data(tag) + i, word_at(at + i));
			post(tag, op, at, size);
			at += size;
		}
		take_turn();
	} while (d.busy_count || at < d.bytes);
	for (uint32_t tag = 0; tag < FILL_DEPTH; tag++)
		end_piece(tag, op);
}

static void flush(void)
{
	if (!d.kind->caches())
		return;
	post(0, CLIENT_FLUSH, 0, 0);
	while (d.busy_count)
		take_turn();
	if (d.command[0].status)
		fail("the flush failed", d.command[0].status);
}

/* -- follow -- */

static void follow(void)
{
	struct pollfd in = { .fd = 0, .events = POLLIN };
	int last = -1;

	open_disk(1);
	while (poll(&in, 1, 1) == 0) {
		bool good;

		post(0, CLIENT_READ, 0, CLIENT_BLOCK);
		while (d.busy_count)
			take_turn();
		good = d.command[0].status == 0;
		if (good != last) {
			printf("%s\n", good ? "good" : "bad");
			fflush(stdout);
		}
		last = good;
	}
}

/* -- work -- */

static void dial(const char *path);

/* Blocks of writes whose fate nobody was told have what was there or what was to be there. */
static bool may_be(uint64_t at, const uint8_t *got)
{
	for (uint32_t tag = 0; tag < WORK_DEPTH; tag++) {
		const struct command *c = &d.command[tag];

		if (c->size && c->op == CLIENT_WRITE && at >= c->offset && at < c->offset + c->size)
			return memcmp(d.old + (size_t)tag * CLIENT_PIECE + (at - c->offset), got, CLIENT_BLOCK) == 0;
	}
	return false;
}

/* Reads a piece and compares; what is found is the truth from now on. */
static void check_piece(uint64_t at, uint32_t size)
{
	post(WORK_DEPTH, CLIENT_READ, at, size);
	while (d.busy_count)
		take_turn();
	if (d.command[WORK_DEPTH].status)
		fail("a read failed", d.command[WORK_DEPTH].status);
	for (uint32_t i = 0; i < size; i += CLIENT_BLOCK) {
		const uint8_t *got = data(WORK_DEPTH) + i;

		if (memcmp(got, d.model + at + i, CLIENT_BLOCK) == 0)
			continue;
		if (!may_be(at + i, got))
			fail("a block has lost what was acknowledged", (long long)(at + i));
		memcpy(d.model + at + i, got, CLIENT_BLOCK);
	}
}

/* The server was killed: its successor must have everything that was acknowledged. */
static void look_again(void)
{
	d.busy_count = 0;
	d.lost = false;
	for (uint32_t tag = 0; tag < CLIENT_DEPTH_MAX; tag++)
		d.command[tag].busy = false;
	vfio_user_client_close(d.client);
	munmap(d.memory, CLIENT_MEMORY);
	dial(d.path);
	open_disk(WORK_DEPTH);
	for (unsigned times = 0; times < 2; times++) /* a mirror answers from one half and from the other */
		for (uint64_t at = 0; at < d.bytes; at += CLIENT_PIECE)
			check_piece(at, (uint32_t)min_u64(CLIENT_PIECE, d.bytes - at));
	for (uint32_t tag = 0; tag < CLIENT_DEPTH_MAX; tag++)
		d.command[tag].size = 0;
	memset(d.locked, 0, d.bytes / CLIENT_BLOCK);
	printf("checked\n");
	fflush(stdout);
}

/* What standard input says; false: it has ended. */
static bool obey(void)
{
	char line[16] = "";

	if (!fgets(line, sizeof line, stdin))
		return false;
	if (strcmp(line, "lost\n") == 0)
		look_again();
	else if (strcmp(line, "say\n") == 0)
		printf("%u\n", d.commands);
	fflush(stdout);
	return true;
}

static void work(void)
{
	struct pollfd in = { .fd = 0, .events = POLLIN };
	bool go_on = true;

	setvbuf(stdin, NULL, _IONBF, 0); /* what is not read yet must be seen by poll() */
	read_all();
	d.keeps_old = true;
	d.old = malloc((size_t)WORK_DEPTH * CLIENT_PIECE);
	if (!d.old)
		fail("no memory", 0);
	open_disk(WORK_DEPTH);
	while (go_on || d.busy_count) {
		for (uint32_t tag = 0; go_on && !d.lost && tag < WORK_DEPTH; tag++)
			if (!d.command[tag].busy)
				begin_random(tag);
		if (!d.lost)
			take_turn();
		for (uint32_t tag = 0; tag < WORK_DEPTH; tag++)
			if (!d.command[tag].busy)
				end_random(tag);
		if (go_on && poll(&in, 1, d.lost ? 1000 : 0) > 0)
			go_on = obey();
	}
}

static void dial(const char *path)
{
	struct vfio_user_client_window window = { .address = CLIENT_IOVA, .size = CLIENT_MEMORY, .flags = 3 };
	uint8_t command[2] = { 6, 0 }; /* memory space, bus master */
	struct refusal why = { 0 };
	int err = patient_client_open(&d.client, path, &why);

	if (err)
		fail(why.text[0] ? why.text : "cannot connect", err);
	window.fd = memfd_create("guest", MFD_CLOEXEC);
	if (window.fd < 0 || ftruncate(window.fd, CLIENT_MEMORY) < 0)
		fail("no memory", errno);
	d.memory = mmap(NULL, CLIENT_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, window.fd, 0);
	if (d.memory == MAP_FAILED)
		fail("no memory", errno);
	err = vfio_user_client_map(d.client, &window);
	if (!err)
		err = vfio_user_client_write(d.client, CONFIG_REGION, SPEC_PCI_COMMAND, 2, command);
	if (err)
		fail("the function cannot be given memory", err);
}

static bool run(const char *verb)
{
	if (strcmp(verb, "verify") == 0)
		verify();
	else if (strcmp(verb, "compare") == 0)
		sweep(CLIENT_READ);
	else if (strcmp(verb, "follow") == 0)
		follow();
	else if (strcmp(verb, "work") == 0)
		work();
	else if (strcmp(verb, "fill") != 0)
		return false;
	else
		sweep(CLIENT_WRITE), flush();
	return true;
}

int main(int argc, char **argv)
{
	static const struct client_kind *const kinds[] = { &client_nvme, &client_virtio_blk,
							   &client_virtio_blk_silent };

	if (argc < 4) {
		fprintf(stderr, "Usage: disk_client nvme|virtio-blk|virtio-blk-silent SOCKET "
				"verify|fill|compare|follow|work [SEED]\n");
		return 2;
	}
	for (unsigned i = 0; i < array_len(kinds); i++)
		if (strcmp(argv[1], kinds[i]->name) == 0)
			d.kind = kinds[i];
	if (!d.kind)
		return 2;
	d.seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
	d.path = argv[2];
	dial(argv[2]);
	if (!run(argv[3]))
		return 2;
	if (d.kind->close() != 0)
		fail("the driver does not shut down", 0);
	vfio_user_client_close(d.client);
	printf("commands=%u bytes=%llu\n", d.commands, (unsigned long long)d.moved);
	return 0;
}
