/* fuzz/vhost_user_fuzz.c -- a frontend that says anything, on a live connection: messages whole and
 * cut, with and without descriptors, in any order, while a card polls the front and the memory
 * behind it is written and truncated.
 *
 * The input is a list of steps, each with an opcode:
 *   0x00..0x3f  a message of that request: flags, descriptors, size (16 bits), payload
 *   0x40        bytes as they are: length, bytes (so that framing breaks)
 *   0x41        guest memory is written: offset (32 bits), length, bytes
 *   0x42        guest memory is cut to so many pages
 *   0x43        the card polls so many rounds
 * An input that begins with 0x44 is said to a disk, whose requests end when its card polls; all others to
 * a network device.
 * Descriptors: low 5 bits how many, upper 3 bits of which kind the first is; kinds go round.
 *
 * Beside crashes it finds leaks: after each input as many descriptors are open as before. */
#include "attach/host_test.h"
#include "attach/kinds.h"
#include "base/bytes.h"
#include "fuzz/input.h"
#include "fuzz/open_fds.h"
#include "sim/fake_disk.h"
#include "tests/vhost_frontend/vhost_frontend.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 1 << 20, PAGE = 4096, STEPS_MAX = 200, KINDS = 5, FDS_SENT_MAX = 31 };

static struct {
	struct test_host host;
	struct attachment *attachment, *disk_attachment;
	struct block_front *front;
	struct fake_disk disk;
	uint8_t disk_bytes[1 << 16];
	struct vfe guest;
	char path[64], disk_path[64];
	int kinds[KINDS]; /* memory, eventfd, socket, pipe, a directory */
} world;

static void clean_up(void)
{
	unlink(world.path);
	unlink(world.disk_path);
}

static void set_up_disk(void)
{
	static struct site_io io = { .name = (char *)"disk0", .packed = true };
	static const struct attach_disk disk = { .queues = 2, .serial = "fuzz" };
	struct attach_conf conf = { .domain = test_host_domain(&world.host, 1), .io = &io,
				    .system = "fuzz", .disk = &disk };
	struct refusal why = { 0 };

	snprintf(world.disk_path, sizeof world.disk_path, "/tmp/mp-fuzz-%d-disk.sock", (int)getpid());
	io.socket = world.disk_path;
	must(attach_vhost_user.create(&world.disk_attachment, &world.host.host, &conf, &why) == 0);
	fake_disk_init(&world.disk, world.disk_bytes, sizeof world.disk_bytes, 512);
	world.disk.back.volatile_cache = world.disk.checks_range = true;
	world.front = attach_vhost_user.disk(world.disk_attachment);
	world.front->hold = &world.host.hold;
	world.front->namespaces[0] = &world.disk.back;
}

/* One round of the disk's card: it ends some of what it has. */
static void round_of_disk(void)
{
	world.front->ops->poll(NULL, world.front, 0);
	fake_disk_run(NULL, &world.disk, 2);
	world.front->ops->flush(NULL, world.front);
}

static void set_up(void)
{
	static struct site_io io = { .name = (char *)"net0", .queues = 2, .packed = true };
	struct attach_conf conf = { .domain = test_host_domain(&world.host, 0), .io = &io,
				    .system = "fuzz", .mtu = 1500, .mac = 0x525400000001 };
	struct refusal why = { 0 };
	int pipes[2], sockets[2];

	snprintf(world.path, sizeof world.path, "/tmp/mp-fuzz-%d.sock", (int)getpid());
	io.socket = world.path;
	test_host_init(&world.host);
	must(attach_vhost_user.create(&world.attachment, &world.host.host, &conf, &why) == 0);
	test_host_bind(&world.host, 0, attach_vhost_user.front(world.attachment));
	set_up_disk();
	must(pipe2(pipes, O_CLOEXEC | O_NONBLOCK) == 0);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) == 0);
	world.kinds[0] = memfd_create("fuzz", MFD_CLOEXEC);
	world.kinds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	world.kinds[2] = sockets[1];
	world.kinds[3] = pipes[1];
	world.kinds[4] = open("/", O_RDONLY | O_CLOEXEC);
	uv_run(&world.host.loop, UV_RUN_NOWAIT);
	atexit(clean_up);
}

/* Turns of the loop and rounds of the card; replies are thrown away. */
static void turn(unsigned n)
{
	uint8_t away[4096];

	while (n--) {
		test_host_round(&world.host);
		round_of_disk();
		(void)!recv(world.guest.fd, away, sizeof away, MSG_DONTWAIT);
	}
}

static void say(struct input *in, uint32_t request)
{
	uint32_t flags = take(in, 1), descriptors = take(in, 1), size = take(in, 2);
	unsigned count = descriptors & 31, kind = descriptors >> 5;
	int fds[FDS_SENT_MAX];
	const uint8_t *payload;

	for (unsigned i = 0; i < count; i++)
		fds[i] = world.kinds[(kind + i) % KINDS];
	if (kind == 0) /* a memory table */
		for (unsigned i = 0; i < count; i++)
			fds[i] = world.kinds[0];
	size = take_bytes(in, size, &payload);
	(void)vfe_send(&world.guest, request, flags & ~3u, payload, size, fds, count);
}

static void step(struct input *in)
{
	uint32_t opcode = take(in, 1), offset, n;
	const uint8_t *bytes;

	switch (opcode) {
	case 0x40:
		n = take_bytes(in, take(in, 1), &bytes);
		(void)!send(world.guest.fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case 0x41:
		offset = take(in, 4) % MEMORY;
		n = take_bytes(in, take(in, 1), &bytes);
		(void)!pwrite(world.kinds[0], bytes, n, offset);
		break;
	case 0x42:
		must(ftruncate(world.kinds[0], (off_t)take(in, 1) * PAGE) == 0);
		break;
	case 0x43:
		turn(take(in, 1) % 16);
		break;
	default:
		say(in, opcode);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned before;

	if (!world.attachment)
		set_up();
	before = open_fds();
	must(ftruncate(world.kinds[0], 0) == 0 && ftruncate(world.kinds[0], MEMORY) == 0);
	vfe_init(&world.guest);
	must(vfe_connect(&world.guest, size && data[0] == 0x44 ? world.disk_path : world.path) == 0);
	must(fcntl(world.guest.fd, F_SETFL, O_NONBLOCK) == 0);
	if (size && data[0] == 0x44)
		(void)take(&in, 1);
	turn(1);
	for (unsigned i = 0; i < STEPS_MAX && in.left; i++) {
		step(&in);
		turn(1);
	}
	turn(2);
	vfe_close(&world.guest);
	for (unsigned i = 0; i < 4; i++)
		uv_run(&world.host.loop, UV_RUN_NOWAIT);
	while (world.disk.count)
		round_of_disk();
	/* A cut connection may have requests queued: it is served one a turn until its end.  A disk's is left
	 * by a timer of a millisecond. */
	for (unsigned i = 0; i < 2 * STEPS_MAX && open_fds() != before; i++) {
		round_of_disk();
		uv_run(&world.host.loop, UV_RUN_NOWAIT);
		if (i > STEPS_MAX)
			usleep(1000);
	}
	must(world.front->in_flight == 0);
	must(open_fds() == before);
	must(world.host.watches == 0);
	return 0;
}
