/* fuzz/hand_over_fuzz.c -- what a daemon that takes over is told: packets of the link, and parcels of a client.
 *
 * The first byte:
 *   bit 0 clear  a parcel: that of a live client, altered.  Then steps of four bytes: an offset (16 bits), a
 *                value, and what is done: 0 the byte becomes the value; 1 the parcel ends there; 2 a descriptor is
 *                another, of kind 'value'; 3 there are 'value' descriptors at most
 *   bit 0 set    packets: each a length (8 bits), kind and number of its descriptors (8 bits), and so many bytes
 *
 * What is taken is given again.  After each input as many descriptors are open as before, and the sound parcel is
 * taken. */
#include "attach/vfio_user_msg.h"
#include "base/bytes.h"
#include "fuzz/open_fds.h"
#include "prog/hand_link.h"
#include "tests/vfio_sample/vfio_sample.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 1 << 16, KINDS = 5, PACKETS_MAX = 20, PACKET_MAX = 64 };

static struct {
	uv_loop_t loop;
	struct sample sample;
	struct vfio_user *server;
	struct parcel sound;
	char path[64];
	int kinds[KINDS]; /* memory, eventfd, socket, pipe, a directory */
	int client;
	bool ready;
} world;

static void clean_up(void)
{
	unlink(world.path);
}

static void hold_still(void)
{
	while (!vfio_user_hold_still(world.server))
		uv_run(&world.loop, UV_RUN_NOWAIT);
}

static void say(uint16_t command, const uint8_t *payload, uint32_t size, int fd)
{
	uint8_t bytes[256], away[65536];
	struct vfio_user_header header = { .id = 1, .command = command, .payload = size };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec piece = { bytes, VFIO_USER_HEADER_SIZE + size };
	struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1 };

	vfio_user_header_write(&header, bytes);
	memcpy(bytes + VFIO_USER_HEADER_SIZE, payload, size);
	if (fd >= 0) {
		head.msg_control = &control;
		head.msg_controllen = sizeof control;
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), &fd, sizeof fd);
	}
	must(sendmsg(world.client, &head, MSG_NOSIGNAL) > 0);
	for (unsigned n = 0; n < 4; n++)
		uv_run(&world.loop, UV_RUN_NOWAIT);
	must(recv(world.client, away, sizeof away, MSG_DONTWAIT) > 0);
}

/* A client that has lent memory, wants an interrupt, and has said half a message. */
static void make_sound(void)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	uint8_t version[4] = { 0, 0, 1, 0 }, map[VFIO_USER_MAP_SIZE] = { 0 }, irqs[VFIO_USER_SET_SIZE] = { 0 };

	snprintf(where.sun_path, sizeof where.sun_path, "%s", world.path);
	world.client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	must(world.client >= 0 && connect(world.client, (struct sockaddr *)&where, sizeof where) == 0);
	for (unsigned n = 0; n < 4; n++)
		uv_run(&world.loop, UV_RUN_NOWAIT);
	say(VFIO_USER_VERSION, version, sizeof version, -1);
	put_le32(map, sizeof map);
	put_le32(map + VFIO_USER_MAP_FLAGS, 3);
	put_le64(map + VFIO_USER_MAP_ADDRESS, 0x10000);
	put_le64(map + VFIO_USER_MAP_BYTES, 0x2000);
	say(VFIO_USER_DMA_MAP, map, sizeof map, world.kinds[0]);
	put_le32(irqs, sizeof irqs);
	put_le32(irqs + VFIO_USER_SET_FLAGS, VFIO_USER_SET_DATA_EVENTFD | VFIO_USER_SET_TRIGGER);
	put_le32(irqs + VFIO_USER_SET_INDEX, VFIO_USER_IRQ_MSIX);
	put_le32(irqs + VFIO_USER_SET_COUNT, 1);
	say(VFIO_USER_DEVICE_SET_IRQS, irqs, sizeof irqs, world.kinds[1]);
	must(send(world.client, "half", 4, MSG_NOSIGNAL) == 4);
	for (unsigned n = 0; n < 4; n++)
		uv_run(&world.loop, UV_RUN_NOWAIT);
	hold_still();
	must(vfio_user_give(world.server, &world.sound, NULL) == 0);
}

static void set_up(void)
{
	struct vfio_user_conf conf;
	int pipes[2], sockets[2];

	snprintf(world.path, sizeof world.path, "/tmp/mp-handfuzz-%d.sock", (int)getpid());
	must(uv_loop_init(&world.loop) == 0 && sample_init(&world.sample) == 0);
	conf = sample_conf(&world.sample);
	conf.path = world.path;
	conf.loop = &world.loop;
	must(vfio_user_create(&world.server, &conf, NULL) == 0);
	atexit(clean_up);
	must(pipe2(pipes, O_CLOEXEC | O_NONBLOCK) == 0);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) == 0);
	world.kinds[0] = memfd_create("fuzz", MFD_CLOEXEC);
	must(ftruncate(world.kinds[0], MEMORY) == 0);
	world.kinds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	world.kinds[2] = sockets[1];
	world.kinds[3] = pipes[1];
	world.kinds[4] = open("/", O_RDONLY | O_CLOEXEC);
	make_sound();
	world.ready = true;
}

static void take(const struct parcel *parcel)
{
	struct parcel back = { .bytes = NULL };
	struct refusal why = { .path = "" };

	if (vfio_user_take(world.server, parcel, &why)) {
		must(why.text[0] != '\0');
		must(!vfio_user_has_client(world.server));
		return;
	}
	must(vfio_user_has_client(world.server));
	hold_still();
	must(vfio_user_give(world.server, &back, &why) == 0);
	parcel_drop(&back);
}

static void try_parcel(const uint8_t *data, size_t size)
{
	struct parcel parcel = world.sound;
	int fds[64];
	uint8_t *bytes = malloc(parcel.size);

	must(bytes && parcel.fd_count <= array_len(fds));
	memcpy(bytes, parcel.bytes, parcel.size);
	memcpy(fds, parcel.fds, parcel.fd_count * sizeof fds[0]);
	parcel.bytes = bytes;
	parcel.fds = fds;
	for (; size >= 4; data += 4, size -= 4) {
		uint16_t at = get_le16(data);

		if (data[3] % 4 == 0 && parcel.size)
			bytes[at % parcel.size] = data[2];
		else if (data[3] % 4 == 1)
			parcel.size = (size_t)min_u64(parcel.size, at);
		else if (data[3] % 4 == 2 && parcel.fd_count)
			fds[at % parcel.fd_count] = world.kinds[data[2] % KINDS];
		else if (data[3] % 4 == 3)
			parcel.fd_count = min_u32(parcel.fd_count, data[2]);
	}
	take(&parcel);
	free(bytes);
}

static void send_one(int fd, const uint8_t *bytes, size_t size, uint8_t how)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(3 * sizeof(int))];
	} control = { 0 };
	struct iovec piece = { (void *)(uintptr_t)bytes, size };
	struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1 };
	unsigned count = how & 3;
	int fds[3];

	for (unsigned i = 0; i < count; i++)
		fds[i] = world.kinds[((how >> 2) + i) % KINDS];
	if (count) {
		head.msg_control = &control;
		head.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(count * sizeof(int)),
						  .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), fds, count * sizeof(int));
	}
	(void)!sendmsg(fd, &head, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void try_packets(const uint8_t *data, size_t size)
{
	struct hand_message message;
	const char *text;
	int ends[2];

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	for (unsigned n = 0; size >= 2 && n < PACKETS_MAX; n++) {
		size_t length = min_u64(data[0] % PACKET_MAX, size - 2);

		send_one(ends[0], data + 2, length, data[1]);
		data += 2 + length;
		size -= 2 + length;
	}
	close(ends[0]);
	while (hand_link_receive(ends[1], 1000, &message, NULL) == 0) {
		(void)hand_link_text(&message, &text);
		parcel_drop(&message.parcel);
	}
	close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned before;

	if (!world.ready) {
		set_up();
		take(&world.sound); /* the server has pages of its own from now on */
	}
	if (size == 0)
		return 0;
	before = open_fds();
	if (data[0] & 1)
		try_packets(data + 1, size - 1);
	else
		try_parcel(data + 1, size - 1);
	take(&world.sound);
	uv_run(&world.loop, UV_RUN_NOWAIT);
	must(open_fds() == before);
	must(world.sample.dma.region_count == 0);
	return 0;
}
