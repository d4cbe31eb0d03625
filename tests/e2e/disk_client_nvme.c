/* The NVMe side of the disk client: registers by messages, doorbells in shared memory. */
#include "disk_client.h"

#include "dev/nvme_driver.h"
#include "spec/pcie.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

enum { WAIT_S = 120 };

static struct {
	struct vfio_user_client *client;
	struct nvme_driver driver;
	time_t until;
	unsigned depth;
	client_done_fn *done;
} n;

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
	return time(NULL) < n.until;
}

static int open_(struct vfio_user_client *client, uint8_t *memory, unsigned depth, uint64_t *bytes)
{
	const struct vfio_user_client_region *registers = vfio_user_client_region(client, 0);
	const struct nvme_driver_conf conf = {
		.device = { read_register, write_register, registers->mapped, wait_a_little, client },
		.memory = { memory, CLIENT_IOVA, CLIENT_DATA_AT }, .queues = 1, .depth = depth,
	};
	int err;

	n.client = client;
	n.depth = depth;
	n.until = time(NULL) + WAIT_S;
	memset(memory, 0, CLIENT_DATA_AT);
	err = nvme_driver_open(&n.driver, &conf);
	*bytes = n.driver.blocks * n.driver.block_size;
	return err ? err : n.driver.block_size == CLIENT_BLOCK ? 0 : -ENOTSUP;
}

static void post(uint32_t tag, enum client_op op, uint64_t offset, uint32_t size)
{
	const struct nvme_driver_io io = {
		.opcode = op == CLIENT_WRITE ? NVME_IO_WRITE : NVME_IO_READ,
		.lba = offset / CLIENT_BLOCK, .count = size / CLIENT_BLOCK,
		.iova = client_data_iova(tag),
	};

	if (op == CLIENT_FLUSH)
		must(nvme_driver_flush(&n.driver, 0, tag));
	else
		must(nvme_driver_io(&n.driver, 0, &io, tag) == 0);
}

static void on_end(void *owner, uint32_t tag, uint16_t status, uint32_t dw0)
{
	(void)owner, (void)dw0;
	n.done(tag, status);
}

static int turn(client_done_fn *done)
{
	int err = nvme_driver_ring(&n.driver, 0);

	n.done = done;
	return err ? err : nvme_driver_poll(&n.driver, 0, n.depth, on_end, NULL);
}

static int close_(void)
{
	n.until = time(NULL) + WAIT_S;
	return nvme_driver_close(&n.driver);
}

static bool caches(void)
{
	return n.driver.volatile_cache;
}

const struct client_kind client_nvme = { "nvme", open_, post, turn, close_, caches };
