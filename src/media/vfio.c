/* An NVMe function of this machine as a medium, through VFIO: its registers mapped, and one piece of memory
 * that it reaches. */
#include "media/nvme_medium.h"

#include "base/bytes.h"
#include "dev/guest_word.h"
#include "os/vfio_function.h"
#include "spec/pcie.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	CLASS_NVME = 0x010802, /* PCI: mass storage, non-volatile memory, NVM Express I/O controller */
	LARGE_PAGE = 2 << 20,
};

struct vfio_device {
	struct vfio_function *function;
	uint8_t *memory; /* NULL: none */
	uint64_t size, iova;
};

/* Registers of 8 bytes are read and written in halves, as section 3.1.1 of the NVMe standard allows; the low
 * half first. */
static int read_half(struct vfio_device *d, uint32_t offset, uint32_t *value)
{
	const uint8_t *at = vfio_function_at(d->function, 0, offset, 4);
	uint8_t bytes[4];
	int err;

	if (at) {
		*value = guest_load32(at);
		return 0;
	}
	err = vfio_function_read(d->function, 0, offset, 4, bytes);
	*value = err ? 0 : get_le32(bytes);
	return err;
}

static int write_half(struct vfio_device *d, uint32_t offset, uint32_t value)
{
	uint8_t *at = vfio_function_at(d->function, 0, offset, 4), bytes[4];

	if (at) {
		atomic_thread_fence(memory_order_release); /* what lies in memory is seen before */
		guest_store32(at, value);
		return 0;
	}
	put_le32(bytes, value);
	return vfio_function_write(d->function, 0, offset, 4, bytes);
}

static int read_register(void *owner, uint32_t offset, unsigned size, uint64_t *value)
{
	uint32_t low = 0, high = 0;
	int err = read_half(owner, offset, &low);

	if (!err && size == 8)
		err = read_half(owner, offset + 4, &high);
	*value = (uint64_t)high << 32 | low;
	return err;
}

static int write_register(void *owner, uint32_t offset, unsigned size, uint64_t value)
{
	int err = write_half(owner, offset, (uint32_t)value);

	return err || size != 8 ? err : write_half(owner, offset + 4, (uint32_t)(value >> 32));
}

static void close_device(void *owner)
{
	struct vfio_device *d = owner;

	if (!d)
		return;
	/* First the function's way to the memory, then the memory. */
	vfio_function_close(d->function);
	if (d->memory)
		(void)munmap(d->memory, d->size);
	free(d);
}

static int check_class(struct vfio_device *d, const char *address, struct refusal *why)
{
	uint8_t bytes[4];
	int err = vfio_function_read(d->function, VFIO_FUNCTION_CONFIG, SPEC_PCI_CLASS_CODE - 1, 4, bytes);
	uint32_t class = err ? 0 : get_le32(bytes) >> 8;

	if (!err && class == CLASS_NVME)
		return 0;
	if (err)
		refuse(why, "", "the configuration space of %s cannot be read: %s", address, strerror(-err));
	else
		refuse(why, "", "%s is no NVMe controller: its class is %06x, not 010802", address, class);
	return err ? err : -ENODEV;
}

/* Memory space and bus mastering on. */
static int enable(struct vfio_device *d)
{
	uint8_t bytes[2];
	int err = vfio_function_read(d->function, VFIO_FUNCTION_CONFIG, SPEC_PCI_COMMAND, 2, bytes);

	if (err)
		return err;
	put_le16(bytes, (uint16_t)(get_le16(bytes) | SPEC_PCI_COMMAND_MEMORY | SPEC_PCI_COMMAND_MASTER));
	return vfio_function_write(d->function, VFIO_FUNCTION_CONFIG, SPEC_PCI_COMMAND, 2, bytes);
}

/* Begins at a multiple of a large page, so that the IOMMU may use such. */
static int get_memory(struct vfio_device *d, struct refusal *why)
{
	uint64_t size = (nvme_medium_bytes() + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
	uint8_t *at = mmap(NULL, size + LARGE_PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t head;

	if (at == MAP_FAILED) {
		refuse(why, "", "no memory for buffers: %s", strerror(errno));
		return -ENOMEM;
	}
	head = (LARGE_PAGE - (uintptr_t)at % LARGE_PAGE) % LARGE_PAGE;
	if (head)
		(void)munmap(at, head);
	(void)munmap(at + head + size, LARGE_PAGE - head);
	d->memory = at + head;
	d->size = size;
	(void)madvise(d->memory, size, MADV_HUGEPAGE);    /* an advice only */
	(void)madvise(d->memory, size, MADV_DONTFORK);    /* a copy on write would leave the device behind */
	return vfio_function_map_dma(d->function, d->memory, size, &d->iova, why);
}

static int prepare(struct vfio_device *d, const char *address, struct refusal *why)
{
	int err = check_class(d, address, why);

	if (!err)
		err = vfio_function_map(d->function, 0, why);
	if (!err)
		err = get_memory(d, why);
	if (err)
		return err;
	err = enable(d);
	if (err)
		refuse(why, "", "%s does not let itself be enabled: %s", address, strerror(-err));
	return err;
}

int vfio_medium_open(struct medium **medium, const struct medium_conf *conf, struct refusal *why)
{
	const struct vfio_function_conf function = { .address = conf->path };
	struct vfio_device *d = calloc(1, sizeof *d);
	struct nvme_medium_conf nvme = {
		.nsid = conf->nsid, .access = conf->access, .how = "VFIO", .close = close_device,
	};
	int err;

	if (!d)
		return -ENOMEM;
	err = vfio_function_open(&d->function, &function, why);
	if (!err)
		err = prepare(d, conf->path, why);
	if (!err) {
		nvme.device = (struct nvme_driver_device){
			.read = read_register, .write = write_register, .owner = d,
			.doorbells_or_null = vfio_function_at(d->function, 0, NVME_REG_DOORBELLS,
							      NVME_PAGE_SIZE),
		};
		nvme.memory = (struct nvme_driver_memory){ d->memory, d->iova, d->size };
		err = nvme_medium_open(medium, &nvme, why);
	}
	if (err)
		close_device(d);
	return err;
}
