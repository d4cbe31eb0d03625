/* fuzz/vfio_user_fuzz.c -- a client that says anything, on a live connection: messages whole and cut, commands and
 * replies, with and without descriptors, in any order, while the function works and the memory behind it is written
 * and truncated.
 *
 * The first byte: bit 0 set, no version is agreed beforehand.  Then a list of steps, each with an opcode:
 *   0x00..0x1f  a message of that command: flags, descriptors, size (16 bits), payload
 *   0x40        bytes as they are: length, bytes (so that framing breaks)
 *   0x41        the client's file is cut to so many pages
 *   0x42        so many turns of the loop
 *   0x43        a register of the function is written by a message: offset, value (32 bits)
 *   0x44        so many requests of the function are under way
 *   0x45        a migration state is asked for
 * Descriptors: low 5 bits how many, upper 3 bits of which kind the first is; kinds go round.
 *
 * Beside crashes it finds leaks: after each input as many descriptors are open as before, nothing is granted
 * any more, and the function is one that a new client can use. */
#include "attach/vfio_user_msg.h"
#include "base/bytes.h"
#include "fuzz/input.h"
#include "fuzz/open_fds.h"
#include "tests/vfio_sample/vfio_sample.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 1 << 20, PAGE = 4096, STEPS_MAX = 200, KINDS = 5, FDS_SENT_MAX = 31 };

static struct {
	uv_loop_t loop;
	struct sample sample;
	struct vfio_user *server;
	char path[64];
	int kinds[KINDS]; /* memory, eventfd, socket, pipe, a directory */
	int fd;
	bool ready;
} world;

static void clean_up(void)
{
	unlink(world.path);
}

static void turn(unsigned n)
{
	uint8_t away[65536];

	while (n--) {
		uv_run(&world.loop, UV_RUN_NOWAIT);
		if (world.fd >= 0)
			(void)!recv(world.fd, away, sizeof away, MSG_DONTWAIT);
	}
}

static void set_up(void)
{
	struct vfio_user_conf conf;
	int pipes[2], sockets[2];

	snprintf(world.path, sizeof world.path, "/tmp/mp-vffuzz-%d.sock", (int)getpid());
	world.fd = -1;
	must(uv_loop_init(&world.loop) == 0 && sample_init(&world.sample) == 0);
	conf = sample_conf(&world.sample);
	conf.path = world.path;
	conf.loop = &world.loop;
	must(vfio_user_create(&world.server, &conf, NULL) == 0);
	must(pipe2(pipes, O_CLOEXEC | O_NONBLOCK) == 0);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) == 0);
	world.kinds[0] = memfd_create("fuzz", MFD_CLOEXEC);
	world.kinds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	world.kinds[2] = sockets[1];
	world.kinds[3] = pipes[1];
	world.kinds[4] = open("/", O_RDONLY | O_CLOEXEC);
	turn(2);
	atexit(clean_up);
	world.ready = true;
}

static void dial(void)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };

	snprintf(where.sun_path, sizeof where.sun_path, "%s", world.path);
	world.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	must(world.fd >= 0 && connect(world.fd, (struct sockaddr *)&where, sizeof where) == 0);
}

static void say(uint8_t command, uint8_t flags, const uint8_t *payload, uint32_t size, const int *fds,
		unsigned count)
{
	static uint8_t bytes[VFIO_USER_HEADER_SIZE + 65536];
	struct vfio_user_header header = { .id = 0x8000, .command = command, .flags = flags,
					   .payload = size };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_SENT_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec piece = { bytes, VFIO_USER_HEADER_SIZE + size };
	struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1 };

	vfio_user_header_write(&header, bytes);
	if (size)
		memcpy(bytes + VFIO_USER_HEADER_SIZE, payload, size);
	if (count) {
		head.msg_control = &control;
		head.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.align.cmsg_len = CMSG_LEN(count * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.align), fds, count * sizeof(int));
	}
	(void)!sendmsg(world.fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void say_command(struct input *in, uint8_t command)
{
	uint8_t flags = (uint8_t)take(in, 1);
	uint32_t descriptors = take(in, 1), size = take(in, 2);
	unsigned count = descriptors & 31, kind = descriptors >> 5;
	int fds[FDS_SENT_MAX];
	const uint8_t *payload;

	for (unsigned i = 0; i < count; i++)
		fds[i] = world.kinds[(kind + i) % KINDS];
	size = take_bytes(in, size, &payload);
	say(command, flags, payload, size, fds, count);
}

static void write_register(struct input *in)
{
	uint8_t payload[VFIO_USER_ACCESS_SIZE + 4] = { 0 };

	put_le64(payload, take(in, 1));
	put_le32(payload + VFIO_USER_ACCESS_COUNT, 4);
	put_le32(payload + VFIO_USER_ACCESS_SIZE, take(in, 4));
	say(VFIO_USER_REGION_WRITE, 0, payload, sizeof payload, NULL, 0);
}

static void ask_state(uint32_t state)
{
	uint8_t payload[VFIO_USER_FEATURE_SIZE + VFIO_USER_MIG_STATE_SIZE] = { sizeof payload };

	put_le32(payload + 4, VFIO_USER_FEATURE_SET | VFIO_USER_FEATURE_MIG_STATE);
	put_le32(payload + 8, state);
	say(VFIO_USER_DEVICE_FEATURE, 0, payload, sizeof payload, NULL, 0);
}

static void step(struct input *in)
{
	uint32_t opcode = take(in, 1), n;
	const uint8_t *bytes;

	switch (opcode) {
	case 0x40:
		n = take_bytes(in, take(in, 1), &bytes);
		(void)!send(world.fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case 0x41:
		must(ftruncate(world.kinds[0], (off_t)take(in, 1) * PAGE) == 0);
		break;
	case 0x42:
		turn(take(in, 1) % 16);
		break;
	case 0x43:
		write_register(in);
		break;
	case 0x44:
		world.sample.registers[SAMPLE_BUSY / 4] = take(in, 1);
		break;
	case 0x45:
		ask_state(take(in, 1));
		break;
	default:
		say_command(in, (uint8_t)opcode);
	}
}

static bool is_idle(void)
{
	struct vfio_user_facts facts;

	vfio_user_facts(world.server, &facts);
	return !facts.connected && facts.windows == 0 && facts.migration == VFIO_USER_STATE_RUNNING &&
	       world.sample.quiesces == world.sample.resumes;
}

/* Until the server has given up what the client had; a function that is busy is waited for by a timer. */
static void settle(unsigned fds)
{
	static const struct timespec moment = { .tv_nsec = 100000 };

	for (unsigned i = 0; i < 20000 && (open_fds() != fds || !is_idle()); i++) {
		world.sample.registers[SAMPLE_BUSY / 4] = 0; /* a message may have set it just now */
		turn(1);
		if (i > 100)
			nanosleep(&moment, NULL);
	}
	turn(2);
}

static void check_usable(void)
{
	must(is_idle());
	must(world.sample.dma.region_count == 0 && world.sample.dma.log.bits == NULL);
	must(world.sample.quiesces == world.sample.resumes);
	must(world.sample.registers[SAMPLE_ID / 4] == SAMPLE_MAGIC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t version[4] = { 0, 0, 1, 0 };
	struct input in = { data, size };
	unsigned before;

	if (!world.ready)
		set_up();
	before = open_fds();
	must(ftruncate(world.kinds[0], 0) == 0 && ftruncate(world.kinds[0], MEMORY) == 0);
	dial();
	turn(2);
	if (!(take(&in, 1) & 1))
		say(VFIO_USER_VERSION, 0, version, sizeof version, NULL, 0);
	turn(1);
	for (unsigned i = 0; i < STEPS_MAX && in.left; i++) {
		step(&in);
		turn(1);
	}
	world.sample.registers[SAMPLE_BUSY / 4] = 0;
	turn(2);
	close(world.fd);
	world.fd = -1;
	settle(before);
	must(open_fds() == before);
	check_usable();
	return 0;
}
