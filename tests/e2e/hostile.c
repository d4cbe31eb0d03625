/* tests/e2e/hostile.c -- a guest that does as it is told, also what no guest should: a vhost-user frontend with
 * a driver, told by lines on standard input and answering each with one line of key=value pairs.
 *
 *   hostile SOCKET SOURCE DESTINATION
 *
 *   good COUNT            sends so many frames; used=, of them
 *   bad ADDRESS COUNT     the same with descriptors that point at guest ADDRESS, page after page
 *   receive ADDRESS       points the receive buffers there
 *   received              received=, frames since the last time
 *   stream COUNT US       sends so many numbered frames, one in so many microseconds; sent=
 *   numbers               received=, lost=, of such numbers since the last time
 *   status                status=, the device status
 *   reset                 resets the device, and starts the driver again */
#include "base/bytes.h"
#include "tests/vhost_frontend/vhost_frontend.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { AVAIL_IDX = 2 }; /* virtio 1.2 section 2.7.6 */
enum { RING_SIZE = 256, FRAME_SIZE = 64, SEQ_AT = 14, WAIT_US = 3000000, STEP_US = 200, PAGE = 4096 };

static const uint64_t features = UINT64_C(1) << 32 /* VIRTIO_F_VERSION_1 */ |
				 UINT64_C(1) << 30 /* VHOST_USER_F_PROTOCOL_FEATURES */;
static struct vfe f;
static uint8_t frame[FRAME_SIZE];

static void sleep_us(uint64_t us)
{
	struct timespec t = { .tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000 };

	nanosleep(&t, NULL);
}

/* Until everything that was sent has come back, or for a while. */
static unsigned wait_used(uint16_t before)
{
	for (unsigned waited = 0; waited < WAIT_US && vfe_used(&f, 1) != f.rings[1].filled;
	     waited += STEP_US)
		sleep_us(STEP_US);
	return (uint16_t)(vfe_used(&f, 1) - before);
}

static void send_good(uint64_t count)
{
	uint16_t before = vfe_used(&f, 1);

	while (count-- && !vfe_transmit(&f, 0, frame, FRAME_SIZE))
		;
	printf("used=%u\n", wait_used(before));
}

static void send_bad(uint64_t address, uint64_t count)
{
	uint16_t before = vfe_used(&f, 1);

	for (uint64_t i = 0; i < count && !vfe_transmit_at(&f, 0, address + i * PAGE, 100); i++)
		;
	printf("used=%u\n", wait_used(before));
}

static void count_received(void)
{
	uint8_t got[2048];
	unsigned frames = 0;

	for (unsigned looks = 0; looks < RING_SIZE; looks++)
		frames += vfe_receive(&f, 0, got, sizeof got) != 0;
	printf("received=%u\n", frames);
}

static void stream(uint64_t count, uint64_t interval_us)
{
	uint64_t sent = 0;

	for (; sent < count; sleep_us(interval_us)) {
		put_le64(frame + SEQ_AT, sent);
		sent += vfe_transmit(&f, 0, frame, FRAME_SIZE) == 0;
	}
	printf("sent=%" PRIu64 "\n", sent);
}

/* Goes on until nothing has come for a while. */
static void count_numbers(void)
{
	uint64_t received = 0, highest = 0;
	uint8_t got[2048];

	for (unsigned silent = 0; silent < 20000; silent++) {
		uint32_t size;

		while ((size = vfe_receive(&f, 0, got, sizeof got)) != 0) {
			if (size < SEQ_AT + 8)
				continue;
			received++;
			highest = max_u64(highest, get_le64(got + SEQ_AT) + 1);
			silent = 0;
		}
		sleep_us(100);
	}
	printf("received=%" PRIu64 " lost=%" PRIu64 "\n", received, highest - received);
}

static void tell_status(void)
{
	uint64_t status = 0;
	int err = vfe_get_u64(&f, VHOST_USER_GET_STATUS, &status);

	printf("status=%" PRIu64 " err=%d\n", status, -err);
}

/* What was not sent yet is forgotten, as by a driver that lays new rings. */
static void reset(void)
{
	int err = vfe_do_u64(&f, VHOST_USER_SET_STATUS, 0);

	f.rings[1].filled = vfe_used(&f, 1);
	put_le16(f.rings[1].avail + AVAIL_IDX, f.rings[1].filled);
	if (!err)
		err = vfe_do_u64(&f, VHOST_USER_SET_FEATURES, f.features);
	for (unsigned i = 0; !err && i < 2; i++)
		err = vfe_ring_restart(&f, i, vfe_used(&f, i));
	printf("err=%d\n", err < 0 ? -err : err);
}

static bool obey(const char *line)
{
	char word[32] = "";
	uint64_t a = 0, b = 0;

	if (sscanf(line, "%31s %" SCNi64 " %" SCNi64, word, (int64_t *)&a, (int64_t *)&b) < 1)
		return false;
	if (strcmp(word, "good") == 0)
		send_good(a);
	else if (strcmp(word, "bad") == 0)
		send_bad(a, b);
	else if (strcmp(word, "receive") == 0)
		vfe_point_receive_at(&f, 0, a), puts("err=0");
	else if (strcmp(word, "received") == 0)
		count_received();
	else if (strcmp(word, "stream") == 0)
		stream(a, b);
	else if (strcmp(word, "numbers") == 0)
		count_numbers();
	else if (strcmp(word, "status") == 0)
		tell_status();
	else if (strcmp(word, "reset") == 0)
		reset();
	else
		return false;
	fflush(stdout);
	return true;
}

static int parse_mac(const char *text, uint8_t *mac)
{
	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3],
		      &mac[4], &mac[5]) == 6 ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	char line[128];
	int err;

	if (argc != 4 || parse_mac(argv[2], frame + 6) || parse_mac(argv[3], frame))
		return 2;
	frame[12] = 0x88; /* IEEE Std 802 local experimental ethertype 1 */
	frame[13] = 0xb5;
	vfe_init(&f);
	err = vfe_connect(&f, argv[1]);
	if (!err)
		err = vfe_start(&f, features, 1, RING_SIZE);
	if (err) {
		fprintf(stderr, "hostile: %s: %s\n", argv[1], strerror(-err));
		return 1;
	}
	puts("err=0");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin))
		if (!obey(line))
			fprintf(stderr, "hostile: what is '%s'\n", line);
	vfe_close(&f);
	return 0;
}
