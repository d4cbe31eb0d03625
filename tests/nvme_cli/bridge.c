/* tests/nvme_cli/bridge.c -- nvme-cli without a kernel: preloaded into it, this carries its ioctls to the NVMe function
 * behind the vfio-user socket $NVME_BRIDGE, which it calls /dev/nvme0 and /dev/nvme0n1.
 *
 * Threads: one.  Memory: static; the process ends soon. */
#undef _FILE_OFFSET_BITS /* with it open() and open64() would be one name */

#include "attach/vfio_user_client.h"
#include "base/bytes.h"
#include "dev/nvme_driver.h"
#include "spec/pcie.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	MEMORY = 8 << 20,
	DATA_AT = 4 << 20, /* of a command: a PRP list page, and then the data */
	DATA_MAX = 2 << 20,
	CONFIG_REGION = 7,
	WAIT_S = 20,
	PAGE = 4096,
	NSID = 1,
};
#define IOVA UINT64_C(0x100000000)

static struct {
	struct vfio_user_client *client;
	struct nvme_driver driver;
	uint8_t *memory;
	int fd; /* what stands for both devices; 0: not open */
	bool is_namespace;
	bool ended;
	uint16_t status;
	uint32_t dw0;
	time_t until;
} b;

static _Noreturn void fail(const char *what, int err)
{
	fprintf(stderr, "bridge: %s: %s\n", what, strerror(-err));
	_exit(99);
}

static int read_register(void *owner, uint32_t offset, unsigned size, uint64_t *value)
{
	return vfio_user_client_get(owner, 0, offset, size, value);
}

static int write_register(void *owner, uint32_t offset, unsigned size, uint64_t value)
{
	return vfio_user_client_put(owner, 0, offset, size, value);
}

static bool wait_a_little(void *owner)
{
	(void)owner;
	sched_yield();
	return time(NULL) < b.until;
}

static void bring_up(void)
{
	struct vfio_user_client_window window = { .address = IOVA, .size = MEMORY, .flags = 3 };
	struct nvme_driver_conf conf = { .queues = 1, .depth = 16 };
	uint8_t command[2] = { SPEC_PCI_COMMAND_MEMORY | SPEC_PCI_COMMAND_MASTER, 0 };
	struct refusal why = { 0 };
	int err = vfio_user_client_open(&b.client, getenv("NVME_BRIDGE"), &why);

	if (err)
		fail(why.text, err);
	window.fd = memfd_create("guest", MFD_CLOEXEC);
	if (window.fd < 0 || ftruncate(window.fd, MEMORY) < 0)
		fail("memory", -errno);
	b.memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, window.fd, 0);
	err = vfio_user_client_map(b.client, &window);
	if (!err)
		err = vfio_user_client_write(b.client, CONFIG_REGION, SPEC_PCI_COMMAND, 2, command);
	conf.device = (struct nvme_driver_device){ read_register, write_register, NULL, wait_a_little,
						   b.client };
	conf.memory = (struct nvme_driver_memory){ b.memory, IOVA, DATA_AT };
	b.until = time(NULL) + WAIT_S;
	if (!err)
		err = nvme_driver_open(&b.driver, &conf);
	if (err)
		fail("the controller does not come up", err);
	b.fd = window.fd;
}

/* PRP2 and the list behind it: all pages of the data but the first. */
static void lay_pages(uint8_t *sqe, uint32_t size)
{
	uint64_t data = IOVA + DATA_AT + PAGE;

	put_le64(sqe + NVME_SQE_DPTR, data);
	if (size > 2 * PAGE)
		put_le64(sqe + NVME_SQE_PRP2, IOVA + DATA_AT);
	else if (size > PAGE)
		put_le64(sqe + NVME_SQE_PRP2, data + PAGE);
	for (uint32_t i = 1; i * PAGE < size; i++)
		put_le64(b.memory + DATA_AT + (size_t)(i - 1) * 8, data + (uint64_t)i * PAGE);
}

static void on_done(void *owner, uint32_t tag, uint16_t status, uint32_t dw0)
{
	(void)owner, (void)tag;
	b.ended = true;
	b.status = status;
	b.dw0 = dw0;
}

static int run_io(uint8_t *sqe)
{
	b.ended = false;
	if (!nvme_driver_post(&b.driver, 0, sqe, 0) || nvme_driver_ring(&b.driver, 0))
		return -EIO;
	while (!b.ended)
		if (nvme_driver_poll(&b.driver, 0, 1, on_done, NULL) < 0 || !wait_a_little(NULL))
			return -EIO;
	return b.status;
}

/* Opcodes say where data goes: bit 1, to the host. */
static int run(const struct nvme_passthru_cmd *c, bool admin, uint32_t *result)
{
	uint8_t sqe[NVME_SQE_SIZE] = { 0 }, *data = b.memory + DATA_AT + PAGE;
	const uint32_t words[] = { c->cdw10, c->cdw11, c->cdw12, c->cdw13, c->cdw14, c->cdw15 };
	int status;

	if (c->data_len > DATA_MAX || c->metadata_len)
		return -EINVAL;
	sqe[0] = c->opcode;
	put_le32(sqe + NVME_SQE_NSID, c->nsid);
	for (unsigned i = 0; i < array_len(words); i++)
		put_le32(sqe + NVME_SQE_CDW10 + 4 * i, words[i]);
	if (c->data_len) {
		memcpy(data, (const void *)(uintptr_t)c->addr, c->data_len);
		lay_pages(sqe, c->data_len);
	}
	b.until = time(NULL) + WAIT_S;
	status = admin ? nvme_driver_admin(&b.driver, sqe, result) : run_io(sqe);
	if (!admin)
		*result = b.dw0;
	if (status == 0 && c->data_len && c->opcode & 2)
		memcpy((void *)(uintptr_t)c->addr, data, c->data_len);
	return status;
}

static int open_device(const char *path)
{
	if (strcmp(path, "/dev/nvme0") != 0 && strcmp(path, "/dev/nvme0n1") != 0)
		return -1;
	b.is_namespace = path[strlen("/dev/nvme0")] != '\0';
	if (!b.fd)
		bring_up();
	return b.fd;
}

/* -- what nvme-cli calls instead of the C library's -- */

typedef int open_fn(const char *, int, ...);
typedef int ioctl_fn(int, unsigned long, ...);

/* The C library's own; POSIX lets what dlsym() gives be taken for a function's address, ISO C does not. */
#define NEXT(name, call)                    \
	do {                                      \
		void *at = dlsym(RTLD_NEXT, name); \
                                                  \
		must(at != NULL);                 \
		memcpy(&(call), &at, sizeof at);  \
	} while (0)

#define OPEN_AS(name)                                                              \
	int name(const char *path, int flags, ...);                                \
	int name(const char *path, int flags, ...)                                 \
	{                                                                          \
		int fd = open_device(path);                                        \
		open_fn *call;                                                     \
		va_list args;                                                      \
		mode_t mode;                                                       \
                                                                                   \
		va_start(args, flags);                                             \
		mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;                 \
		va_end(args);                                                      \
		NEXT(#name, call);                                        \
		return fd >= 0 ? fd : call(path, flags, mode);                     \
	}
OPEN_AS(open)
OPEN_AS(open64)
OPEN_AS(__open64_2) /* of programs that are built with _FORTIFY_SOURCE: without a mode */

#define STAT_AS(name, type)                                                  \
	int name(int fd, struct type *to);                                   \
	int name(int fd, struct type *to)                                    \
	{                                                                    \
		int (*call)(int, struct type *), err;                        \
                                                                             \
		NEXT(#name, call);                                  \
		err = call(fd, to);                                          \
		if (!err && b.fd && fd == b.fd)                              \
			to->st_mode = b.is_namespace ? S_IFBLK : S_IFCHR;    \
		return err;                                                  \
	}
STAT_AS(fstat, stat)
STAT_AS(fstat64, stat64)

int ioctl(int fd, unsigned long request, ...)
{
	struct nvme_passthru_cmd64 *wide;
	ioctl_fn *call;
	uint32_t result = 0;
	va_list args;
	void *arg;
	int status;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (!b.fd || fd != b.fd) {
		NEXT("ioctl", call);
		return call(fd, request, arg);
	}
	if (request == NVME_IOCTL_ID)
		return b.is_namespace ? NSID : (errno = ENOTTY, -1);
	if (request != NVME_IOCTL_ADMIN_CMD && request != NVME_IOCTL_IO_CMD &&
	    request != NVME_IOCTL_ADMIN64_CMD && request != NVME_IOCTL_IO64_CMD) {
		errno = ENOTTY;
		return -1;
	}
	/* up to the result the narrow and the wide form are the same */
	status = run(arg, request == NVME_IOCTL_ADMIN_CMD || request == NVME_IOCTL_ADMIN64_CMD, &result);
	if (status < 0) {
		errno = -status;
		return -1;
	}
	wide = arg;
	if (request == NVME_IOCTL_ADMIN64_CMD || request == NVME_IOCTL_IO64_CMD)
		wide->result = result;
	else
		((struct nvme_passthru_cmd *)arg)->result = result;
	return status;
}
