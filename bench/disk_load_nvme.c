/* An NVMe function behind a vfio-user socket: registers by messages, doorbells in shared memory,
 * polled. */
#include "disk_load.h"

#include "attach/vfio_user_client.h"
#include "dev/nvme_driver.h"
#include "spec/pcie.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum { WAIT_S = 20, CONFIG_REGION = 7 };
/* Above 2^45, where SPDK's client maps its memory. */
#define IOVA (UINT64_C(1) << 45)

static struct {
	struct vfio_user_client *client;
	struct nvme_driver driver;
	time_t until;
	load_done_fn *done;
} n;

static int read_register(void *owner, uint32_t offset, unsigned size, uint64_t *value)
{
	return vfio_user_client_get(owner, 0, offset, size, value);
}

static int write_register(void *owner, uint32_t offset, unsigned size, uint64_t value)
{
	return vfio_user_client_put(owner, 0, offset, size, value);
}

static bool is_in_time(void *owner)
{
	(void)owner;
	return time(NULL) < n.until;
}

static int grant(const struct load_memory *memory)
{
	const struct vfio_user_client_window window = { .address = IOVA,
							.size = LOAD_MEMORY,
							.flags = VFIO_USER_MAP_READ |
								 VFIO_USER_MAP_WRITE,
							.fd = memory->fd };
	const uint8_t command[2] = { SPEC_PCI_COMMAND_MEMORY | SPEC_PCI_COMMAND_MASTER, 0 };
	int err = vfio_user_client_map(n.client, &window);

	return err ? err
		   : vfio_user_client_write(n.client, CONFIG_REGION, SPEC_PCI_COMMAND,
					    sizeof command, command);
}

static int open_nvme(const char *socket, const struct load_memory *memory, enum load_wait wait,
		     uint64_t *bytes)
{
	struct nvme_driver_conf conf = {
		.device = { read_register, write_register, NULL, is_in_time, NULL },
		.memory = { memory->bytes, IOVA, LOAD_DATA_AT },
		.queues = 1,
		.depth = LOAD_DEPTH_MAX,
	};
	struct refusal why = { 0 };
	int err;

	if (wait != LOAD_POLLS)
		return -ENOTSUP;
	n.until = time(NULL) + WAIT_S;
	err = vfio_user_client_open(&n.client, socket, &why);
	if (err) {
		fprintf(stderr, "disk_load: %s\n", why.text);
		return err;
	}
	err = grant(memory);
	if (err)
		return err;
	conf.device.owner = n.client;
	conf.device.doorbells_or_null = vfio_user_client_region(n.client, 0)->mapped;
	if (!conf.device.doorbells_or_null)
		return -ENOTSUP;
	err = nvme_driver_open(&n.driver, &conf);
	*bytes = n.driver.blocks * n.driver.block_size;
	return err;
}

static void post(uint32_t tag, enum load_op op, uint64_t offset, uint32_t size)
{
	const struct nvme_driver_io io = {
		.opcode = op == LOAD_WRITE ? NVME_IO_WRITE : NVME_IO_READ,
		.lba = offset / n.driver.block_size,
		.count = size / n.driver.block_size,
		.iova = IOVA + LOAD_DATA_AT + (uint64_t)tag * LOAD_PIECE,
	};

	must(nvme_driver_io(&n.driver, 0, &io, tag) == 0);
}

static void tell(void)
{
	must(nvme_driver_ring(&n.driver, 0) == 0);
}

static void on_end(void *owner, uint32_t tag, uint16_t status, uint32_t dw0)
{
	(void)owner, (void)dw0;
	n.done(tag, status);
}

static int take(load_done_fn *done)
{
	n.done = done;
	return nvme_driver_poll(&n.driver, 0, LOAD_DEPTH_MAX, on_end, NULL);
}

static void close_nvme(void)
{
	n.until = time(NULL) + WAIT_S;
	(void)nvme_driver_close(&n.driver);
	vfio_user_client_close(n.client);
}

const struct load_way load_nvme = { "nvme", open_nvme, post, tell, take, close_nvme };
