#include "prog/vfio_user_medium.h"

#include "attach/vfio_user_client.h"
#include "base/bytes.h"
#include "dev/pci_function.h"
#include "media/nvme_medium.h"
#include "spec/pcie.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	CLASS_NVME = 0x010802,
	IOVA = 1 << 20, /* any will do: the function has no other memory */
};

struct served_device {
	struct vfio_user_client *client;
	uint8_t *memory; /* NULL: none */
	uint64_t size;
	int fd; /* of it, or -1 */
};

static int read_register(void *owner, uint32_t offset, unsigned size, uint64_t *value)
{
	return vfio_user_client_get(((struct served_device *)owner)->client, 0, offset, size, value);
}

static int write_register(void *owner, uint32_t offset, unsigned size, uint64_t value)
{
	return vfio_user_client_put(((struct served_device *)owner)->client, 0, offset, size, value);
}

static void close_device(void *owner)
{
	struct served_device *d = owner;

	vfio_user_client_close(d->client);
	if (d->memory)
		(void)munmap(d->memory, d->size);
	if (d->fd >= 0)
		(void)close(d->fd);
	free(d);
}

static int check_class(struct served_device *d, const char *path, struct refusal *why)
{
	uint8_t bytes[4] = { 0 };
	int err = vfio_user_client_read(d->client, PCI_REGION_CONFIG, SPEC_PCI_CLASS_CODE - 1, 4, bytes);

	if (!err && get_le32(bytes) >> 8 == CLASS_NVME)
		return 0;
	refuse(why, "", "the function at '%s' is no NVMe controller: its class is %06x, not 010802", path,
	       get_le32(bytes) >> 8);
	return err ? err : -ENODEV;
}

static int lend_memory(struct served_device *d, struct refusal *why)
{
	struct vfio_user_client_window window = { .address = IOVA, .flags = VFIO_USER_MAP_READ |
						  VFIO_USER_MAP_WRITE };
	int err;

	d->size = (nvme_medium_bytes() + 4095) / 4096 * 4096;
	d->fd = memfd_create("midplane-nvme", MFD_CLOEXEC);
	if (d->fd < 0 || ftruncate(d->fd, (off_t)d->size) < 0)
		return -errno;
	d->memory = mmap(NULL, d->size, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, 0);
	if (d->memory == MAP_FAILED) {
		d->memory = NULL;
		return -ENOMEM;
	}
	window.size = d->size;
	window.fd = d->fd;
	err = vfio_user_client_map(d->client, &window);
	if (err)
		refuse(why, "", "the function does not take the memory of its queues: %s", strerror(-err));
	return err;
}

static int enable(struct served_device *d)
{
	uint8_t bytes[2];

	put_le16(bytes, SPEC_PCI_COMMAND_MEMORY | SPEC_PCI_COMMAND_MASTER);
	return vfio_user_client_write(d->client, PCI_REGION_CONFIG, SPEC_PCI_COMMAND, 2, bytes);
}

/* The page of doorbells, where the server lets it be mapped. */
static uint8_t *doorbells(const struct served_device *d)
{
	const struct vfio_user_client_region *r = vfio_user_client_region(d->client, 0);

	if (!r->mapped || NVME_REG_DOORBELLS < r->mapped_first ||
	    r->mapped_first + r->mapped_size < NVME_REG_DOORBELLS + NVME_PAGE_SIZE)
		return NULL;
	return r->mapped + (NVME_REG_DOORBELLS - r->mapped_first);
}

int vfio_user_medium_open(struct medium **medium, const struct vfio_user_medium_conf *conf,
			  struct refusal *why)
{
	struct served_device *d = calloc(1, sizeof *d);
	struct nvme_medium_conf nvme = {
		.nsid = conf->nsid, .access = conf->access, .how = "vfio-user", .close = close_device,
	};
	int err;

	if (!d)
		return -ENOMEM;
	d->fd = -1;
	err = vfio_user_client_open(&d->client, conf->path, why);
	if (!err)
		err = check_class(d, conf->path, why);
	if (!err)
		err = lend_memory(d, why);
	if (!err)
		err = enable(d);
	if (!err) {
		nvme.device = (struct nvme_driver_device){
			.read = read_register, .write = write_register, .owner = d,
			.doorbells_or_null = doorbells(d),
		};
		nvme.memory = (struct nvme_driver_memory){ d->memory, IOVA, d->size };
		err = nvme_medium_open(medium, &nvme, why);
	}
	if (err)
		close_device(d);
	return err;
}
