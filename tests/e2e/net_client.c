/* tests/e2e/net_client.c -- two virtio-net drivers behind vfio-user sockets, which send each other frames and compare
 * all that they receive.
 *
 * net_client SOCKET MAC SOCKET MAC notify|silent SEED
 *
 * At each queue depth from 1 to 128 both send FRAMES frames, of random sizes and bytes, so many on their way at once;
 * each has to arrive, once, in order, as it was sent.  silent: the drivers never notify the device.
 *
 * The last line says what was done: "frames=N bytes=N notified=N".  Exit code 1: something is not as it should be. */
#include "patient_client.h"

#include "base/bytes.h"
#include "pcie/kinds.h"
#include "sim/guest_ring.h"
#include "spec/pcie.h"
#include "spec/pcie_virtio.h"
#include "spec/virtio.h"
#include "spec/virtio_net.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
	RX, TX, QUEUES,
	ENTRIES = 256, DEPTH_MAX = 128, FRAMES = 300, /* at each depth, each way */
	MEMORY = 4 << 20, RINGS_AT = 0x1000, RING_STEP = 1 << 20, BUFFERS_AT = 2 << 20, BUFFER = 2048,
	CONFIG_REGION = 7, SILENCE_S = 120,
	ETHER = 14, NUMBER = 8, FRAME_MIN = 60, FRAME_MAX = 1514,
};
/* Above 2^45, as SPDK's client maps its own addresses. */
#define IOVA (UINT64_C(1) << 45 | 0x7000)

static struct end {
	struct vfio_user_client *client;
	uint8_t *memory, mac[6];
	struct guest_ring ring[QUEUES];
	uint32_t notify_at[QUEUES];
	uint64_t sent, received; /* frames */
	unsigned sending;        /* buffers that the device has */
	uint64_t bytes;
} ends[2];

static bool silent;
static unsigned notified;
static uint64_t seed;

static _Noreturn void fail(const char *what, long long value)
{
	fprintf(stderr, "net_client: %s (%lld)\n", what, value);
	exit(1);
}

static void put(struct end *e, uint32_t at, unsigned size, uint64_t value)
{
	int err = vfio_user_client_put(e->client, PCIE_KINDS_VIRTIO_BAR, at, size, value);

	if (err)
		fail("a register cannot be written", err);
}

static uint64_t get(struct end *e, uint32_t at, unsigned size)
{
	uint64_t value = 0;
	int err = vfio_user_client_get(e->client, PCIE_KINDS_VIRTIO_BAR, at, size, &value);

	if (err)
		fail("a register cannot be read", err);
	return value;
}

static uint64_t negotiate(struct end *e)
{
	uint64_t wanted = UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_F_ACCESS_PLATFORM |
			  UINT64_C(1) << VIRTIO_NET_F_MAC, offered = 0;
	unsigned status = SPEC_VIRTIO_STATUS_ACKNOWLEDGE | SPEC_VIRTIO_STATUS_DRIVER;

	put(e, SPEC_VIRTIO_COMMON_STATUS, 1, 0);
	put(e, SPEC_VIRTIO_COMMON_STATUS, 1, status);
	for (unsigned half = 0; half < 2; half++) {
		put(e, SPEC_VIRTIO_COMMON_DEVICE_SELECT, 4, half);
		offered |= get(e, SPEC_VIRTIO_COMMON_DEVICE_FEATURE, 4) << 32 * half;
	}
	wanted &= offered;
	for (unsigned half = 0; half < 2; half++) {
		put(e, SPEC_VIRTIO_COMMON_DRIVER_SELECT, 4, half);
		put(e, SPEC_VIRTIO_COMMON_DRIVER_FEATURE, 4, wanted >> 32 * half & UINT32_MAX);
	}
	put(e, SPEC_VIRTIO_COMMON_STATUS, 1, status | SPEC_VIRTIO_STATUS_FEATURES_OK);
	if (!(get(e, SPEC_VIRTIO_COMMON_STATUS, 1) & SPEC_VIRTIO_STATUS_FEATURES_OK))
		fail("the device does not take the features", (long long)wanted);
	return wanted;
}

static void start_queue(struct end *e, unsigned queue, uint64_t features)
{
	struct virtio_ring_conf conf;

	guest_ring_init(&e->ring[queue], e->memory, IOVA, IOVA + RINGS_AT + queue * (uint64_t)RING_STEP, ENTRIES,
			features);
	guest_ring_wish(&e->ring[queue], GUEST_NO_INTERRUPT, 0);
	conf = guest_ring_conf(&e->ring[queue]);
	put(e, SPEC_VIRTIO_COMMON_QUEUE_SELECT, 2, queue);
	put(e, SPEC_VIRTIO_COMMON_QUEUE_SIZE, 2, ENTRIES);
	put(e, SPEC_VIRTIO_COMMON_QUEUE_DESC, 8, conf.desc);
	put(e, SPEC_VIRTIO_COMMON_QUEUE_DRIVER, 8, conf.driver);
	put(e, SPEC_VIRTIO_COMMON_QUEUE_DEVICE, 8, conf.device);
	e->notify_at[queue] = PCIE_KINDS_NOTIFY_AT +
			      PCIE_KINDS_NOTIFY_STRIDE * (uint32_t)get(e, SPEC_VIRTIO_COMMON_QUEUE_NOTIFY, 2);
	put(e, SPEC_VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
}

/* Buffers of a queue: one a tag. */
static uint64_t buffer_at(unsigned queue, uint64_t tag)
{
	return BUFFERS_AT + (queue * (uint64_t)DEPTH_MAX + tag) * BUFFER;
}

static void post(struct end *e, unsigned queue, uint64_t tag, uint32_t size)
{
	const struct guest_buf buf = { IOVA + buffer_at(queue, tag), size, queue == RX };

	must(guest_ring_add(&e->ring[queue], &buf, 1, GUEST_DIRECT, tag));
}

static void publish(struct end *e, unsigned queue)
{
	if (!guest_ring_publish(&e->ring[queue]) || silent)
		return;
	put(e, e->notify_at[queue], 2, queue);
	notified++;
}

static void read_mac(struct end *e, const char *text)
{
	unsigned byte[6];

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4], &byte[5]) != 6)
		fail("no MAC address", 0);
	for (unsigned i = 0; i < 6; i++)
		e->mac[i] = (uint8_t)byte[i];
}

static void open_end(struct end *e, const char *path, const char *mac)
{
	struct vfio_user_client_window window = { .address = IOVA, .size = MEMORY, .flags = 3 };
	const uint8_t command[2] = { SPEC_PCI_COMMAND_MEMORY | SPEC_PCI_COMMAND_MASTER, 0 };
	int err = patient_client_open(&e->client, path, NULL);

	if (err)
		fail(path, err);
	read_mac(e, mac);
	window.fd = memfd_create("guest", MFD_CLOEXEC);
	must(window.fd >= 0 && ftruncate(window.fd, MEMORY) == 0);
	e->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, window.fd, 0);
	must(e->memory != MAP_FAILED);
	err = vfio_user_client_map(e->client, &window);
	close(window.fd);
	if (!err)
		err = vfio_user_client_write(e->client, CONFIG_REGION, SPEC_PCI_COMMAND, 2, command);
	if (err)
		fail("the device does not take memory", err);
}

/* Anew at each depth, so that the rings hold no more buffers than that. */
static void start_end(struct end *e, unsigned depth)
{
	uint64_t features = negotiate(e);

	start_queue(e, RX, features);
	start_queue(e, TX, features);
	put(e, SPEC_VIRTIO_COMMON_STATUS, 1,
	    get(e, SPEC_VIRTIO_COMMON_STATUS, 1) | SPEC_VIRTIO_STATUS_DRIVER_OK);
	for (unsigned tag = 0; tag < depth; tag++)
		post(e, RX, tag, BUFFER);
	publish(e, RX);
	e->sent = e->received = 0;
	e->sending = 0;
}

/* Frame 'number' from one end to the other; returns its size. */
static uint32_t lay_frame(const struct end *from, const struct end *to, uint64_t number, uint8_t *frame)
{
	uint64_t random = seed ^ number << 8 ^ from->mac[5];
	uint32_t size = FRAME_MIN + (uint32_t)(rand_u64(&random) % (FRAME_MAX - FRAME_MIN + 1));

	memcpy(frame, to->mac, 6);
	memcpy(frame + 6, from->mac, 6);
	frame[12] = 0x88; /* local experiments */
	frame[13] = 0xb5;
	put_le64(frame + ETHER, number);
	for (uint32_t i = ETHER + NUMBER; i < size; i++)
		frame[i] = (uint8_t)rand_u64(&random);
	return size;
}

static bool send_one(struct end *e, struct end *to, unsigned depth)
{
	uint64_t tag = e->sent % depth;
	uint8_t *buffer = e->memory + buffer_at(TX, tag);

	if (e->sent == FRAMES || e->sent - to->received == depth || e->sending == depth)
		return false;
	memset(buffer, 0, VIRTIO_NET_HDR_SIZE);
	post(e, TX, tag, VIRTIO_NET_HDR_SIZE + lay_frame(e, to, e->sent, buffer + VIRTIO_NET_HDR_SIZE));
	e->sent++;
	e->sending++;
	return true;
}

static bool receive_one(struct end *e, const struct end *from)
{
	uint8_t wanted[FRAME_MAX];
	uint32_t written, size;
	const uint8_t *buffer;
	uint64_t tag;

	if (!guest_ring_take(&e->ring[RX], &tag, &written))
		return false;
	buffer = e->memory + buffer_at(RX, tag);
	size = lay_frame(from, e, e->received, wanted);
	if (written != VIRTIO_NET_HDR_SIZE + size)
		fail("a frame has another size", (long long)written);
	if (memcmp(buffer + VIRTIO_NET_HDR_SIZE, wanted, size) != 0)
		fail("a frame is another one, or was changed", (long long)e->received);
	e->received++;
	e->bytes += size;
	post(e, RX, tag, BUFFER);
	return true;
}

static bool turn(struct end *e, struct end *other, unsigned depth)
{
	uint64_t tag;
	uint32_t written;
	bool got = false, gave = false;

	while (receive_one(e, other))
		got = true;
	if (got)
		publish(e, RX);
	while (guest_ring_take(&e->ring[TX], &tag, &written))
		e->sending--;
	while (send_one(e, other, depth))
		gave = true;
	if (gave)
		publish(e, TX);
	return got || gave;
}

static void run(unsigned depth)
{
	time_t heard = time(NULL);

	for (unsigned n = 0; n < 2; n++)
		start_end(&ends[n], depth);
	while (ends[0].received < FRAMES || ends[1].received < FRAMES) {
		bool moved = turn(&ends[0], &ends[1], depth);

		moved |= turn(&ends[1], &ends[0], depth);
		if (moved)
			heard = time(NULL);
		else
			sched_yield();
		if (time(NULL) - heard > SILENCE_S)
			fail("frames do not arrive at this depth", depth);
	}
}

int main(int argc, char **argv)
{
	unsigned frames = 0;

	if (argc != 7)
		fail("usage: net_client SOCKET MAC SOCKET MAC notify|silent SEED", argc);
	silent = strcmp(argv[5], "silent") == 0;
	seed = strtoull(argv[6], NULL, 0);
	for (unsigned n = 0; n < 2; n++)
		open_end(&ends[n], argv[1 + 2 * n], argv[2 + 2 * n]);
	for (unsigned depth = 1; depth <= DEPTH_MAX; depth *= 2) {
		run(depth);
		frames += 2 * FRAMES;
	}
	for (unsigned n = 0; n < 2; n++)
		put(&ends[n], SPEC_VIRTIO_COMMON_STATUS, 1, 0);
	printf("frames=%u bytes=%llu notified=%u\n", frames,
	       (unsigned long long)(ends[0].bytes + ends[1].bytes), notified);
	return 0;
}
