/* tests/e2e/hostile_disk.c -- a guest with a disk that does as it is told, also what no guest should: a vhost-user
 * frontend with a driver, told by lines on standard input and answering each with one line of key=value pairs.
 *
 *   hostile_disk SOCKET
 *
 *   copy FILE         writes the file to the disk's start; bytes=, wrong=, requests that did not end well
 *   write SEED MIB    writes so much of a pattern there; wrong=
 *   compare SEED MIB  reads it back; wrong=, requests that did not end well or brought something else
 *   bad ADDRESS COUNT reads to guest ADDRESS, page after page, and a good write into the last MiB between any
 *                     two, for which nobody waits; posted=, the good ones
 *   post SEED         writes into the last MiB, one a slot that 'bad' left, for which nobody waits long; ended=,
 *                     of posted=
 *   ended             waits for all of these; left=, that did not end; wrong=, good writes that did not end well
 *   last SEED         reads what 'post' wrote; wrong= */
#include "base/bytes.h"
#include "spec/virtio_blk.h"
#include "tests/vhost_frontend/vhost_frontend.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RING_SIZE = 256, SLOTS = RING_SIZE / 3, BYTES = 2048, SECTOR = 512, MIB = 1 << 20, PAGE = 4096 };
enum { WAIT_US = 10000000, MOMENT_US = 300000, STEP_US = 100 };

static const uint64_t features = UINT64_C(1) << 32 /* VIRTIO_F_VERSION_1 */ |
				 UINT64_C(1) << 30 /* VHOST_USER_F_PROTOCOL_FEATURES */ |
				 UINT64_C(1) << VIRTIO_BLK_F_FLUSH;
static struct vfe f;
static uint64_t disk_size;
static unsigned taken;   /* slots of the last 'bad' */
static bool good[SLOTS]; /* whether the last request of a slot was one that has to end well */

static void sleep_us(long us)
{
	struct timespec t = { .tv_nsec = us * 1000 };

	nanosleep(&t, NULL);
}

static void pattern(uint8_t *bytes, uint64_t seed, uint64_t at)
{
	for (unsigned i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)(seed * 131 + (at + i) / 97 + i * 7);
}

/* Until everything that was posted has come back, or so long; how much has not. */
static unsigned wait_used(long limit_us)
{
	unsigned left = (uint16_t)(f.rings[0].filled - vfe_used(&f, 0));

	for (long waited = 0; left && waited < limit_us; waited += STEP_US) {
		sleep_us(STEP_US);
		left = (uint16_t)(f.rings[0].filled - vfe_used(&f, 0));
	}
	return left;
}

static unsigned count_wrong(void)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		wrong += good[i] && vfe_disk_status(&f, 0, i) != VIRTIO_BLK_S_OK;
	return wrong;
}

static void begin(void)
{
	(void)wait_used(WAIT_US);
	memset(good, 0, sizeof good);
}

static void post_good(unsigned slot, uint32_t type, uint64_t at, const uint8_t *bytes)
{
	good[slot] = true;
	vfe_disk_post(&f, 0, slot, type, at / SECTOR, bytes, BYTES);
}

/* Up to a slot each of 'size' bytes at 'at', of the file or a pattern; how much. */
static unsigned write_some(uint64_t at, uint64_t size, FILE *file_or_null, uint64_t seed)
{
	uint8_t bytes[BYTES];
	unsigned n = 0;

	begin();
	for (; n < SLOTS && n * (uint64_t)BYTES < size; n++) {
		if (file_or_null && fread(bytes, BYTES, 1, file_or_null) != 1)
			memset(bytes, 0, BYTES); /* the tests copy whole blocks */
		else if (!file_or_null)
			pattern(bytes, seed, at + n * (uint64_t)BYTES);
		post_good(n, VIRTIO_BLK_T_OUT, at + n * (uint64_t)BYTES, bytes);
	}
	vfe_kick(&f, 0);
	return n;
}

static unsigned write_all(uint64_t size, FILE *file_or_null, uint64_t seed)
{
	unsigned wrong = 0;

	for (uint64_t at = 0; at < size && !wrong;) {
		at += write_some(at, size - at, file_or_null, seed) * (uint64_t)BYTES;
		wrong = wait_used(WAIT_US) + count_wrong();
	}
	begin();
	good[0] = true;
	vfe_disk_post(&f, 0, 0, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	vfe_kick(&f, 0);
	return wrong + wait_used(WAIT_US) + count_wrong();
}

static unsigned compare_from(uint64_t from, uint64_t size, uint64_t seed)
{
	uint8_t bytes[BYTES];
	unsigned wrong = 0;

	for (uint64_t at = from; at < from + size && !wrong;) {
		unsigned n = 0;

		begin();
		for (; n < SLOTS && at + n * (uint64_t)BYTES < from + size; n++)
			post_good(n, VIRTIO_BLK_T_IN, at + n * (uint64_t)BYTES, NULL);
		vfe_kick(&f, 0);
		wrong = wait_used(WAIT_US) + count_wrong();
		for (unsigned i = 0; i < n; i++, at += BYTES) {
			pattern(bytes, seed, at);
			wrong += memcmp(bytes, vfe_disk_data(&f, 0, i), BYTES) != 0;
		}
	}
	return wrong;
}

static void copy(const char *path)
{
	FILE *file = fopen(path, "rb");
	long size = -1;

	if (file && fseek(file, 0, SEEK_END) == 0) {
		size = ftell(file);
		rewind(file);
	}
	if (size > 0 && (uint64_t)size <= disk_size)
		printf("bytes=%ld wrong=%u\n", size, write_all((uint64_t)size, file, 0));
	else
		printf("bytes=%ld wrong=1\n", size);
	if (file)
		fclose(file);
}

static void post_last(unsigned slot, uint64_t seed)
{
	uint64_t at = disk_size - MIB + slot * (uint64_t)BYTES;
	uint8_t bytes[BYTES];

	pattern(bytes, seed, at);
	post_good(slot, VIRTIO_BLK_T_OUT, at, bytes);
}

static void bad(uint64_t address, uint64_t count)
{
	unsigned posted = 0;

	begin();
	taken = (unsigned)min_u64(SLOTS, 2 * count);
	for (unsigned i = 0; i < taken; i++) {
		if (i % 2 == 0)
			vfe_disk_post_at(&f, 0, i, VIRTIO_BLK_T_IN, 0, address + i * (uint64_t)PAGE, 512);
		else
			post_last(i, address + posted++);
	}
	vfe_kick(&f, 0);
	printf("posted=%u\n", posted);
}

static void post(uint64_t seed)
{
	unsigned ended = 0;

	for (unsigned i = taken; i < SLOTS; i++)
		post_last(i, seed);
	vfe_kick(&f, 0);
	(void)wait_used(MOMENT_US);
	for (unsigned i = taken; i < SLOTS; i++)
		ended += vfe_disk_status(&f, 0, i) != VFE_DISK_OPEN;
	printf("ended=%u posted=%u\n", ended, SLOTS - taken);
}

static void tell_ended(void)
{
	unsigned left = wait_used(WAIT_US);

	printf("left=%u wrong=%u\n", left, count_wrong());
}

static bool obey(const char *line)
{
	char word[32] = "", name[128] = "";
	uint64_t a = 0, b = 0;

	if (sscanf(line, "copy %127s", name) == 1) {
		copy(name);
		return fflush(stdout) == 0;
	}
	if (sscanf(line, "%31s %" SCNi64 " %" SCNi64, word, (int64_t *)&a, (int64_t *)&b) < 1)
		return false;
	if (strcmp(word, "write") == 0)
		printf("wrong=%u\n", write_all(b * MIB, NULL, a));
	else if (strcmp(word, "compare") == 0)
		printf("wrong=%u\n", compare_from(0, b * MIB, a));
	else if (strcmp(word, "last") == 0)
		printf("wrong=%u\n", compare_from(disk_size - MIB + taken * BYTES, (SLOTS - taken) * BYTES, a));
	else if (strcmp(word, "bad") == 0)
		bad(a, b);
	else if (strcmp(word, "post") == 0)
		post(a);
	else if (strcmp(word, "ended") == 0)
		tell_ended();
	else
		return false;
	return fflush(stdout) == 0;
}

static int ask_size(void)
{
	uint8_t payload[VHOST_USER_CONFIG_FIRST + 8] = { 0 };
	int got;

	put_le32(payload + VHOST_USER_CONFIG_SIZE, 8);
	got = vfe_send(&f, VHOST_USER_GET_CONFIG, 0, payload, sizeof payload, NULL, 0);
	if (!got)
		got = vfe_reply(&f, VHOST_USER_GET_CONFIG, payload, sizeof payload, NULL);
	disk_size = get_le64(payload + VHOST_USER_CONFIG_FIRST) * SECTOR;
	return got < 0 ? got : disk_size < 2 * MIB ? -ENOSPC : 0;
}

int main(int argc, char **argv)
{
	char line[160];
	int err;

	if (argc != 2)
		return 2;
	vfe_init(&f);
	f.no_buffers = true;
	err = vfe_connect(&f, argv[1]);
	if (!err)
		err = vfe_start(&f, features, 1, RING_SIZE);
	if (!err)
		err = ask_size();
	if (err) {
		fprintf(stderr, "hostile_disk: %s: %s\n", argv[1], strerror(-err));
		return 1;
	}
	puts("err=0");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin))
		if (!obey(line))
			fprintf(stderr, "hostile_disk: what is '%s'\n", line);
	vfe_close(&f);
	return 0;
}
