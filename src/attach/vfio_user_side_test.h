/* attach/vfio_user_side_test.h -- what the tests of the vfio-user server share: a server of the sample function
 * and a client that can say anything. */
#ifndef ATTACH_VFIO_USER_SIDE_TEST_H
#define ATTACH_VFIO_USER_SIDE_TEST_H

#include "attach/vfio_user.h"

#include "attach/vfio_user_msg.h"
#include "base/bytes.h"
#include "os/guest_memory.h"
#include "spec/pcie.h"
#include "tests/check.h"
#include "tests/vfio_sample/vfio_sample.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	MEMORY = 16 * PAGE,
	HIGH = 45, /* bit of addresses that some clients use */
	REPLY_MAX = 1 << 21,
	FDS_MAX = 32,
};

#define IOVA (UINT64_C(1) << HIGH)

static uv_loop_t loop;
static struct sample sample;
static struct vfio_user *server;
static char path[64];
static int client = -1, memory_fd;
static uint8_t *memory;
static unsigned events;
static char last_event[32], last_text[512];

/* What came last. */
static struct vfio_user_header got;
static uint8_t got_bytes[REPLY_MAX];
static int got_fds[FDS_MAX];
static unsigned got_fd_count;
static uint16_t next_id;

static inline void hear(void *owner, const char *kind, const char *text)
{
	(void)owner;
	events++;
	snprintf(last_event, sizeof last_event, "%s", kind);
	snprintf(last_text, sizeof last_text, "%s", text);
}

static inline unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static inline void turn(unsigned n)
{
	while (n--)
		uv_run(&loop, UV_RUN_NOWAIT);
}

static inline int dial(void)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(where.sun_path, sizeof where.sun_path, "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof where), 0);
	turn(2);
	return fd;
}

/* Sends bytes with descriptors, as they are. */
static inline void send_raw(const void *bytes, size_t size, const int *fds, unsigned count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec piece = { (void *)(uintptr_t)bytes, size };
	struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1 };

	if (count) {
		head.msg_control = &control;
		head.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.align.cmsg_len = CMSG_LEN(count * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.align), fds, count * sizeof(int));
	}
	assert_int_equal(sendmsg(client, &head, MSG_NOSIGNAL), (ssize_t)size);
}

static uint8_t outgoing[VFIO_USER_HEADER_SIZE + VFIO_USER_PAYLOAD_MAX];

static inline void say(unsigned command, const void *payload, uint32_t size, const int *fds, unsigned count)
{
	struct vfio_user_header header = { .id = next_id, .command = (uint16_t)command, .payload = size };

	vfio_user_header_write(&header, outgoing);
	if (size)
		memmove(outgoing + VFIO_USER_HEADER_SIZE, payload, size);
	send_raw(outgoing, VFIO_USER_HEADER_SIZE + size, fds, count);
}

static inline bool receive_bytes(uint8_t *to, size_t size)
{
	size_t there = 0;

	for (unsigned tries = 0; there < size && tries < 2000; tries++) {
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
		} control;
		struct iovec piece = { to + there, size - there };
		struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control,
				       .msg_controllen = sizeof control };
		ssize_t n;

		uv_run(&loop, UV_RUN_NOWAIT);
		n = recvmsg(client, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n == 0)
			return false;
		if (n < 0) {
			usleep(500);
			continue;
		}
		there += (size_t)n;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&head); c; c = CMSG_NXTHDR(&head, c)) {
			got_fd_count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(got_fds, CMSG_DATA(c), got_fd_count * sizeof(int));
		}
	}
	return there == size;
}

/* The next message from the server: false when it closed the socket, or none comes. */
static inline bool hear_message(void)
{
	uint8_t head[VFIO_USER_HEADER_SIZE];

	got_fd_count = 0;
	if (!receive_bytes(head, sizeof head))
		return false;
	assert_int_equal(vfio_user_header_read(&got, head, NULL), 0);
	return receive_bytes(got_bytes, got.payload);
}

/* A command and its reply: 0, or the errno that the reply has. */
static inline int ask_with(unsigned command, const void *payload, uint32_t size, const int *fds, unsigned count)
{
	say(command, payload, size, fds, count);
	assert_true(hear_message());
	assert_int_equal(got.id, next_id);
	assert_int_equal(got.command, command);
	assert_int_equal(got.flags & VFIO_USER_TYPE_MASK, VFIO_USER_TYPE_REPLY);
	if (got.flags & VFIO_USER_FLAG_ERROR)
		assert_int_equal(got.payload, 0);
	return got.flags & VFIO_USER_FLAG_ERROR ? (int)got.error : 0;
}

static inline int ask(unsigned command, const void *payload, uint32_t size)
{
	return ask_with(command, payload, size, NULL, 0);
}

static inline int version(const char *json)
{
	uint8_t payload[1024] = { 0, 0, 1, 0 };
	uint32_t size = json ? (uint32_t)strlen(json) + 1 : 0;

	if (json)
		memcpy(payload + 4, json, size);
	return ask(VFIO_USER_VERSION, payload, 4 + size);
}

static inline void negotiate(void)
{
	assert_int_equal(version("{\"capabilities\":{\"max_msg_fds\":8,\"write_multiple\":true}}"), 0);
}

static inline int region_read(unsigned region, uint64_t offset, uint32_t count)
{
	uint8_t payload[VFIO_USER_ACCESS_SIZE];

	put_le64(payload, offset);
	put_le32(payload + 8, region);
	put_le32(payload + 12, count);
	return ask(VFIO_USER_REGION_READ, payload, sizeof payload);
}

static inline uint32_t read32(unsigned region, uint64_t offset)
{
	assert_int_equal(region_read(region, offset, 4), 0);
	assert_int_equal(got.payload, VFIO_USER_ACCESS_SIZE + 4);
	return get_le32(got_bytes + VFIO_USER_ACCESS_SIZE);
}

static inline int region_write(unsigned region, uint64_t offset, uint32_t count, const void *data)
{
	uint8_t payload[VFIO_USER_ACCESS_SIZE + 64];

	put_le64(payload, offset);
	put_le32(payload + 8, region);
	put_le32(payload + 12, count);
	memcpy(payload + VFIO_USER_ACCESS_SIZE, data, count);
	return ask(VFIO_USER_REGION_WRITE, payload, VFIO_USER_ACCESS_SIZE + count);
}

static inline void write32(unsigned region, uint64_t offset, uint32_t value)
{
	uint8_t data[4];

	put_le32(data, value);
	assert_int_equal(region_write(region, offset, 4, data), 0);
}

static inline void master(void)
{
	write32(PCI_REGION_CONFIG, SPEC_PCI_COMMAND, SPEC_PCI_COMMAND_MASTER | SPEC_PCI_COMMAND_MEMORY);
}

static inline int dma_map(uint64_t address, uint64_t size, uint64_t offset, uint32_t flags, int fd)
{
	uint8_t payload[VFIO_USER_MAP_SIZE];

	put_le32(payload, sizeof payload);
	put_le32(payload + VFIO_USER_MAP_FLAGS, flags);
	put_le64(payload + VFIO_USER_MAP_OFFSET, offset);
	put_le64(payload + VFIO_USER_MAP_ADDRESS, address);
	put_le64(payload + VFIO_USER_MAP_BYTES, size);
	return ask_with(VFIO_USER_DMA_MAP, payload, sizeof payload, &fd, fd >= 0);
}

static inline int dma_unmap(uint64_t address, uint64_t size, uint32_t flags)
{
	uint8_t payload[VFIO_USER_UNMAP_SIZE];

	put_le32(payload, sizeof payload);
	put_le32(payload + VFIO_USER_UNMAP_FLAGS, flags);
	put_le64(payload + VFIO_USER_UNMAP_ADDRESS, address);
	put_le64(payload + VFIO_USER_UNMAP_BYTES, size);
	return ask(VFIO_USER_DMA_UNMAP, payload, sizeof payload);
}

/* The sample's DMA: its result. */
static inline uint32_t transfer(enum sample_command command, uint64_t address, uint32_t size)
{
	write32(0, SAMPLE_ADDRESS, (uint32_t)address);
	write32(0, SAMPLE_ADDRESS + 4, (uint32_t)(address >> 32));
	write32(0, SAMPLE_SIZE, size);
	write32(0, SAMPLE_COMMAND, command);
	return read32(0, SAMPLE_RESULT);
}

static struct vfio_user_host side_host; /* what a test wants of it beside events, before start_server() */

static inline void start_server(void)
{
	struct vfio_user_conf conf = sample_conf(&sample);
	struct refusal why = { 0 };

	conf.path = path;
	conf.loop = &loop;
	conf.host.watch = side_host.watch;
	conf.host.unwatch = side_host.unwatch;
	conf.host.event = hear;
	assert_int_equal(vfio_user_create(&server, &conf, &why), 0);
	assert_ptr_equal(sample.server, server);
}

static inline int fresh(void **state)
{
	(void)state;
	snprintf(path, sizeof path, "/tmp/mp-vfuser-%d.sock", (int)getpid());
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(sample_init(&sample), 0);
	start_server();
	memory_fd = memfd_create("test", MFD_CLOEXEC);
	assert_int_equal(ftruncate(memory_fd, MEMORY), 0);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	client = dial();
	events = 0;
	next_id = 0;
	return 0;
}

static inline int stop(void **state)
{
	(void)state;
	if (client >= 0)
		close(client);
	client = -1;
	turn(3);
	vfio_user_destroy(server);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(access(path, F_OK), -1);
	sample_fini(&sample);
	munmap(memory, MEMORY);
	close(memory_fd);
	return 0;
}

#endif
