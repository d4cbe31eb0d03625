/* fuzz/vfio_user_import_fuzz.c -- a process that serves a function and says anything, on a live connection, while a
 * guest uses the function: answers whole and cut, to what was asked and to what was not, questions about memory,
 * descriptors of all kinds, in any order.
 *
 * The first byte: bit 0 set, the greeting is not answered beforehand; bit 1 set, there is no guest; bit 2 set, the
 * function is trusted.  Then a list of steps, each with an opcode:
 *   0x00..0x1f  a command of that number from the process: flags, descriptors, size (16 bits), payload
 *   0x20        an answer to the question that came last: flags, descriptors, size (16 bits), payload
 *   0x21        bytes as they are: length, bytes (so that framing breaks)
 *   0x22        a command of the guest: number, size (16 bits), payload
 *   0x23        so many turns of the loop
 *   0x24        a good answer to the question that came last
 *   0x25        the process goes and is back
 *   0x26        quarantine, or its end
 *   0x27        the guest's file is cut to so many pages
 * Descriptors: low 5 bits how many, upper 3 bits of which kind the first is; kinds go round.
 *
 * Beside crashes it finds leaks: after each input as many descriptors are open as before. */
#include "attach/vfio_user_import.h"

#include "attach/host_test.h"
#include "attach/vfio_user_msg.h"
#include "base/bytes.h"
#include "fuzz/input.h"
#include "fuzz/open_fds.h"
#include "spec/pcie.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 1 << 18, PAGE = 4096, STEPS_MAX = 200, KINDS = 4, FDS_SENT_MAX = 31, ROOM = 65536,
	GREETING_MAX = 40 };

static struct {
	struct test_host host;
	struct vfio_user_import *imports[2]; /* guarded, trusted */
	struct attachment *attachments[2];
	char paths[2][64], sockets[2][64];
	int listeners[2], kinds[KINDS]; /* memory, eventfd, socket, a directory */
	unsigned at;                    /* which of the two */
	int process, guest;
	struct vfio_user_header asked; /* the question that came last */
	uint8_t bytes[ROOM];
	bool quarantined, ready;
} world;

static void clean_up(void)
{
	for (unsigned i = 0; i < 2; i++) {
		unlink(world.paths[i]);
		unlink(world.sockets[i]);
	}
}

/* Reads what was asked, whole: false when there is nothing. */
static bool hear(void)
{
	uint8_t head[VFIO_USER_HEADER_SIZE];

	if (world.process < 0 ||
	    recv(world.process, head, sizeof head, MSG_DONTWAIT) != (ssize_t)sizeof head ||
	    vfio_user_header_read(&world.asked, head, NULL))
		return false;
	for (uint32_t left = world.asked.payload, at = 0; left;) {
		ssize_t got = recv(world.process, world.bytes + at, min_u32(left, ROOM - at), MSG_DONTWAIT);

		if (got <= 0)
			return false;
		left -= (uint32_t)got;
		at = left > ROOM ? 0 : at + (uint32_t)got; /* the end of a large one is enough */
		if (at == ROOM)
			at = 0;
	}
	return true;
}

static void turn(unsigned n)
{
	uint8_t away[4096];

	while (n--) {
		(void)test_host_round(&world.host);
		if (world.guest >= 0)
			(void)!recv(world.guest, away, sizeof away, MSG_DONTWAIT);
	}
}

static void send_to(int fd, const struct vfio_user_header *header, const uint8_t *payload, const int *fds,
		    unsigned count)
{
	static uint8_t bytes[VFIO_USER_HEADER_SIZE + ROOM];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_SENT_MAX * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec piece = { bytes, VFIO_USER_HEADER_SIZE + header->payload };
	struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1 };

	must(header->payload <= ROOM);
	if (fd < 0)
		return;
	vfio_user_header_write(header, bytes);
	if (header->payload)
		memcpy(bytes + VFIO_USER_HEADER_SIZE, payload, header->payload);
	if (count) {
		head.msg_control = &control;
		head.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.align.cmsg_len = CMSG_LEN(count * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.align), fds, count * sizeof(int));
	}
	(void)!sendmsg(fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* As a function with one BAR answers, which is a bus master. */
static void answer_well(void)
{
	uint32_t index = get_le32(world.bytes + VFIO_USER_REGION_INDEX);
	uint32_t count = get_le32(world.bytes + VFIO_USER_ACCESS_COUNT);
	struct vfio_user_header header = world.asked;
	int fd = world.kinds[0];

	header.flags = VFIO_USER_TYPE_REPLY;
	header.payload = min_u32(header.payload, 4096);
	switch (header.command) {
	case VFIO_USER_VERSION:
		header.payload = 4;
		break;
	case VFIO_USER_DEVICE_GET_INFO:
		put_le32(world.bytes + VFIO_USER_INFO_FLAGS, VFIO_USER_INFO_RESET | VFIO_USER_INFO_PCI);
		put_le32(world.bytes + VFIO_USER_INFO_REGIONS, VFIO_USER_IMPORT_REGIONS);
		put_le32(world.bytes + VFIO_USER_INFO_IRQS, VFIO_USER_IRQ_INDEXES);
		break;
	case VFIO_USER_DEVICE_GET_REGION_INFO:
		put_le32(world.bytes + VFIO_USER_REGION_FLAGS,
			 index == 0 ? VFIO_USER_REGION_MMAP | VFIO_USER_REGION_READABLE : 0);
		put_le64(world.bytes + VFIO_USER_REGION_BYTES,
			 index == 0 ? 2 * PAGE : index == VFIO_USER_IMPORT_CONFIG ? 256 : 0);
		break;
	case VFIO_USER_DEVICE_GET_IRQ_INFO:
		put_le32(world.bytes + VFIO_USER_IRQ_COUNT, 4);
		break;
	case VFIO_USER_REGION_READ:
		count = min_u32(count, 4096);
		memset(world.bytes + VFIO_USER_ACCESS_SIZE, SPEC_PCI_COMMAND_MASTER, count);
		if (count > SPEC_PCI_HEADER_TYPE)
			world.bytes[VFIO_USER_ACCESS_SIZE + SPEC_PCI_HEADER_TYPE] = 0;
		header.payload = VFIO_USER_ACCESS_SIZE + count;
		break;
	}
	send_to(world.process, &header, world.bytes, &fd,
		header.command == VFIO_USER_DEVICE_GET_REGION_INFO && index == 0);
}

static int listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	unlink(path);
	must(fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 8) == 0);
	return fd;
}

static void set_up_one(unsigned i)
{
	struct site_io io = { .name = "net0" };
	const struct vfio_user_import_conf conf = {
		.path = world.paths[i], .patience_ms = 10000, .loop = &world.host.loop,
		.trust = i ? VFIO_USER_IMPORT_TRUSTED : VFIO_USER_IMPORT_GUARDED,
	};
	struct attach_conf attach = { .io = &io, .system = "fuzz" };

	snprintf(world.paths[i], sizeof world.paths[i], "/tmp/mp-vfimport-%d-%u.dev", (int)getpid(), i);
	snprintf(world.sockets[i], sizeof world.sockets[i], "/tmp/mp-vfimport-%d-%u.sock", (int)getpid(), i);
	io.socket = world.sockets[i];
	world.listeners[i] = listen_at(world.paths[i]);
	must(vfio_user_import_create(&world.imports[i], &conf, NULL) == 0);
	vfio_user_import_pull(world.imports[i]);
	attach.import = world.imports[i];
	attach.domain = test_host_domain(&world.host, i);
	must(attach_external.create(&world.attachments[i], &world.host.host, &attach, NULL) == 0);
}

static void set_up(void)
{
	int sockets[2];

	test_host_init(&world.host);
	world.process = world.guest = -1;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) == 0);
	world.kinds[0] = memfd_create("fuzz", MFD_CLOEXEC);
	world.kinds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	world.kinds[2] = sockets[1];
	world.kinds[3] = open("/", O_RDONLY | O_CLOEXEC);
	set_up_one(0);
	set_up_one(1);
	turn(2);
	atexit(clean_up);
	world.ready = true;
}

/* The process is there: the daemon dials at once. */
static void come(void)
{
	vfio_user_import_insert(world.imports[world.at]);
	for (unsigned i = 0; i < 100 && world.process < 0; i++) {
		turn(1);
		world.process = accept4(world.listeners[world.at], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
}

static void go(void)
{
	int late;

	if (world.process >= 0)
		close(world.process);
	world.process = -1;
	turn(2);
	if (vfio_user_import_state(world.imports[world.at]) != VFIO_USER_IMPORT_PULLED)
		vfio_user_import_pull(world.imports[world.at]);
	while ((late = accept4(world.listeners[world.at], NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(late); /* it dialled again meanwhile */
}

static void greet(void)
{
	for (unsigned i = 0; i < GREETING_MAX; i++) {
		turn(1);
		if (hear())
			answer_well();
	}
}

static void say_as_guest(uint16_t command, const uint8_t *payload, uint32_t size, const int *fds, unsigned count)
{
	const struct vfio_user_header header = { .id = 7, .command = command, .payload = size };

	send_to(world.guest, &header, payload, fds, count);
}

/* A guest that lends its memory, by its descriptor and by messages. */
static void guest_comes(void)
{
	static const uint8_t version[4] = { 0, 0, 1, 0 };
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	uint8_t map[VFIO_USER_MAP_SIZE] = { VFIO_USER_MAP_SIZE, [4] = 3 };

	snprintf(where.sun_path, sizeof where.sun_path, "%s", world.sockets[world.at]);
	world.guest = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	must(connect(world.guest, (const struct sockaddr *)&where, sizeof where) == 0);
	say_as_guest(VFIO_USER_VERSION, version, sizeof version, NULL, 0);
	put_le64(map + VFIO_USER_MAP_BYTES, MEMORY / 2);
	say_as_guest(VFIO_USER_DMA_MAP, map, sizeof map, &world.kinds[0], 1);
	put_le64(map + VFIO_USER_MAP_ADDRESS, MEMORY);
	say_as_guest(VFIO_USER_DMA_MAP, map, sizeof map, NULL, 0);
	greet();
}

static void say(struct input *in, uint16_t id, uint16_t command, uint32_t type)
{
	struct vfio_user_header header = { .id = id, .command = command };
	uint32_t descriptors;
	int fds[FDS_SENT_MAX];
	const uint8_t *payload;

	header.flags = type ^ take(in, 1);
	header.error = EINVAL;
	descriptors = take(in, 1);
	header.payload = take(in, 2);
	header.payload = take_bytes(in, min_u32(header.payload, ROOM), &payload);
	for (unsigned i = 0; i < (descriptors & 31); i++)
		fds[i] = world.kinds[((descriptors >> 5) + i) % KINDS];
	send_to(world.process, &header, payload, fds, descriptors & 31);
}

static void guest_says(struct input *in)
{
	uint16_t command = (uint16_t)take(in, 1);
	const uint8_t *payload;
	uint32_t size = take(in, 2);

	size = take_bytes(in, size, &payload);
	say_as_guest(command, payload, size, &world.kinds[1], command == VFIO_USER_DEVICE_SET_IRQS);
}

static void set_quarantine(void)
{
	if (world.quarantined)
		attach_external.release(world.attachments[world.at]);
	else
		attach_external.quarantine(world.attachments[world.at], "the fuzzer says so");
	world.quarantined = !world.quarantined;
}

static void step(struct input *in)
{
	uint32_t opcode = take(in, 1), n;
	const uint8_t *bytes;

	switch (opcode) {
	case 0x20:
		(void)hear();
		say(in, world.asked.id, world.asked.command, VFIO_USER_TYPE_REPLY);
		break;
	case 0x21:
		n = take_bytes(in, take(in, 1), &bytes);
		(void)!send(world.process, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case 0x22:
		guest_says(in);
		break;
	case 0x23:
		turn(take(in, 1) % 16);
		break;
	case 0x24:
		if (hear())
			answer_well();
		break;
	case 0x25:
		go();
		come();
		greet();
		break;
	case 0x26:
		set_quarantine();
		break;
	case 0x27:
		must(ftruncate(world.kinds[0], (off_t)take(in, 1) * PAGE) == 0);
		break;
	default:
		say(in, 0x1234, (uint16_t)(opcode & 0x1f), VFIO_USER_TYPE_COMMAND);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned before;
	uint32_t how;

	if (!world.ready)
		set_up();
	before = open_fds();
	how = take(&in, 1);
	world.at = how >> 2 & 1;
	must(ftruncate(world.kinds[0], 0) == 0 && ftruncate(world.kinds[0], MEMORY) == 0);
	come();
	if (!(how & 1))
		greet();
	if (!(how & 2))
		guest_comes();
	for (unsigned i = 0; i < STEPS_MAX && in.left; i++) {
		step(&in);
		turn(1);
	}
	if (world.quarantined)
		set_quarantine();
	if (world.guest >= 0)
		close(world.guest);
	world.guest = -1;
	turn(2);
	go();
	for (unsigned i = 0; i < 100 && open_fds() != before; i++)
		turn(2);
	must(open_fds() == before);
	return 0;
}
