/* The attachments nvme and virtio-blk: a disk as a whole PCI function on a unix socket.
 *
 * The function is an NVM Express controller of a subsystem of its own, with the disk as namespace 1, or a
 * virtio block device.  The server (vfio_user_front.h) carries accesses, interrupts and memory; who owns the card
 * writes the front's namespaces[0]. */
#include "attach/kinds.h"
#include "attach/vfio_user_front.h"

#include "dev/nvme_function.h"
#include "dev/virtio_blk.h"
#include "os/guest_memory.h"
#include "pcie/kinds.h"
#include "pcie/kinds_nvme.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct vfio_disk {
	struct vfio_front vfront;
	struct block_front *front;
	struct nvme_function nvme;
	struct nvme *controller;           /* nvme: NULL for virtio-blk */
	struct nvme_subsystem *subsystem;
	struct dma dma;
	uint8_t *registers;                /* nvme: the doorbells' file, mapped; or NULL */
	struct virtio_pci virtio;
	struct virtio_blk *blk;            /* virtio-blk */
	struct pcie_kinds kinds;
	struct pcie_kinds_nvme nvme_kinds;
	struct vfio_user_pages pages;
	bool made;                         /* the function */
	uint16_t queues;
	const char *serial;
};

static struct vfio_disk *of(struct attachment *attachment)
{
	return container_of(vfront_of(attachment), struct vfio_disk, vfront);
}

static void say_driver(struct vfio_front *vfront, char *text, size_t size)
{
	snprintf(text, size, "%s", vfront->virtio ? "virtio block device" : "NVMe controller");
}

static void count(struct vfio_front *vfront, struct attach_facts *facts)
{
	const struct vfio_disk *disk = of(&vfront->attachment);

	if (!disk->blk)
		return;
	facts->features = virtio_blk_accepted(disk->blk);
	for (unsigned i = 0; i < disk->queues; i++)
		facts->queue_pairs += virtio_blk_ring_runs(disk->blk, i);
}

static void free_parts(struct vfio_disk *disk)
{
	if (disk->made && disk->controller)
		nvme_function_fini(&disk->nvme);
	if (disk->registers)
		munmap(disk->registers, PCIE_NVME_REGISTERS_SIZE);
	if (disk->pages.fd >= 0)
		close(disk->pages.fd);
	/* The last controller of a subsystem takes it along. */
	if (disk->subsystem && nvme_subsystem_controllers(disk->subsystem) == 0)
		free(disk->subsystem);
	free(disk->controller);
	free(disk->blk);
}

static void destroy(struct attachment *attachment)
{
	struct vfio_disk *disk = attachment ? of(attachment) : NULL;

	if (!disk)
		return;
	vfront_fini(&disk->vfront);
	free_parts(disk);
	free(disk);
}

static enum nvme_role role_of(const struct attach_disk *disk)
{
	if (disk->primary)
		return NVME_PRIMARY;
	return disk->vf_number ? NVME_SECONDARY : NVME_ALONE;
}

static void plug(struct vfio_disk *disk, struct block_front *front, struct pci_function *function,
		 const struct attach_conf *conf)
{
	disk->front = front;
	disk->vfront.front = &front->any;
	disk->vfront.function = function;
	disk->vfront.domain = conf->domain;
}

static int make_nvme(struct vfio_disk *disk, const struct attach_conf *conf)
{
	const uint8_t *id = conf->disk->id;
	char nqn[96];
	const struct nvme_subsystem_conf subsystem = {
		.serial = disk->serial, .model = "midplane disk", .firmware = "1.0", .nqn = nqn,
		.vendor = PCIE_KINDS_VENDOR, .subsystem_vendor = PCIE_KINDS_VENDOR,
		.capacity = conf->io->size + conf->io->manage, .wish = conf->disk->wish,
		.owner = conf->disk->wish_owner, .keep = conf->disk->keep, .keep_owner = conf->disk->keep_owner,
	};
	struct nvme_function_conf function = {
		.kind = &disk->nvme_kinds.lent, .role = role_of(conf->disk), .queues = disk->queues,
		.controller_id = conf->disk->controller, .vf_number = conf->disk->vf_number,
		.serial = conf->mac, .now_ms = conf->disk->now_ms, .dma = &disk->dma,
		.domain_or_null = conf->domain, .host = vfio_user_function_host(&disk->vfront.server),
	};
	int err;

	snprintf(nqn, sizeof nqn, "nqn.2014-08.org.nvmexpress:uuid:%02x%02x%02x%02x-%02x%02x-%02x%02x-"
		 "%02x%02x-%02x%02x%02x%02x%02x%02x", id[0], id[1], id[2], id[3],
		 id[4], id[5], id[6], id[7], id[8], id[9],
		 id[10], id[11], id[12], id[13], id[14], id[15]);
	pcie_kinds_nvme_build(&disk->nvme_kinds);
	disk->subsystem = conf->disk->shared ? conf->disk->shared : vfront_zeroed(nvme_subsystem_size());
	disk->controller = vfront_zeroed(nvme_size());
	if (!disk->subsystem || !disk->controller)
		return -ENOMEM;
	err = vfio_user_pages(PCIE_NVME_REGISTERS_SIZE, &disk->pages.fd, &disk->registers);
	if (err)
		return err;
	function.memory = disk->controller;
	function.subsystem = disk->subsystem;
	function.doorbells = disk->registers + PCIE_NVME_DOORBELLS_AT;
	if (!conf->disk->shared)
		nvme_subsystem_init(disk->subsystem, &subsystem);
	plug(disk, nvme_front(disk->controller), &disk->nvme.function, conf);
	dma_init(&disk->dma, conf->domain, &disk->front->dma_blocked);
	err = nvme_function_init(&disk->nvme, &function);
	disk->made = !err;
	return err;
}

static int make_virtio_blk(struct vfio_disk *disk, const struct attach_conf *conf)
{
	struct virtio_blk_conf blk = {
		.queues = disk->queues, .domain = conf->domain, .host = virtio_pci_host(&disk->virtio),
	};
	struct virtio_pci_conf pci = {
		.kind = &disk->kinds.disk_lent, .vectors = PCIE_KINDS_DISK_VECTORS, .serial = conf->mac,
		.domain_or_null = conf->domain, .host = vfio_user_function_host(&disk->vfront.server),
	};
	int err;

	blk.host.misses = vfront_no_misses;
	memcpy(blk.serial, disk->serial, strnlen(disk->serial, sizeof blk.serial));
	pcie_kinds_build(&disk->kinds);
	disk->blk = vfront_zeroed(virtio_blk_size());
	err = disk->blk ? virtio_blk_init(disk->blk, &blk) : -ENOMEM;
	if (err)
		return err;
	plug(disk, virtio_blk_front(disk->blk), &disk->virtio.function, conf);
	disk->vfront.virtio = &disk->virtio;
	pci.device = virtio_blk_device(disk->blk);
	pci.dma = virtio_blk_dma(disk->blk);
	err = virtio_pci_init(&disk->virtio, &pci);
	disk->made = !err;
	return err;
}

static int create(struct attachment **attachment, const struct attach_host *host,
		  const struct attach_conf *conf, struct refusal *why)
{
	struct vfio_disk *disk = calloc(1, sizeof *disk);
	int err;

	if (!disk)
		return -ENOMEM;
	must(conf->domain != NULL && conf->disk != NULL);
	vfront_init(&disk->vfront, &attach_vfio_user_disk, host);
	disk->vfront.say_driver = say_driver;
	disk->vfront.count = count;
	disk->pages.fd = -1;
	disk->queues = conf->disk->queues;
	disk->serial = conf->disk->serial;
	err = guest_memory_guard();
	if (!err && conf->io->attachment == SITE_ATTACH_NVME)
		err = make_nvme(disk, conf);
	else if (!err)
		err = make_virtio_blk(disk, conf);
	if (!err)
		err = vfront_serve(&disk->vfront, conf, disk->controller ? &disk->pages : NULL,
				   PCIE_NVME_REGISTERS_BAR, why);
	if (err) {
		vfront_failed(conf, err, why);
		destroy(&disk->vfront.attachment);
		return err;
	}
	*attachment = &disk->vfront.attachment;
	return 0;
}

static struct nvme_subsystem *subsystem_of(struct attachment *attachment)
{
	return of(attachment)->subsystem;
}

static struct block_front *disk_front(struct attachment *attachment)
{
	return of(attachment)->front;
}

static unsigned end(struct attachment *attachment)
{
	struct pci_function *function = vfront_of(attachment)->function;

	function->ops->quiesce(function);
	if (of(attachment)->controller)
		nvme_halt(of(attachment)->controller);
	return function->ops->busy(function) + of(attachment)->front->in_flight;
}

const struct attach_ops attach_vfio_user_disk = {
	.name = "vfio-user disk",
	.create = create,
	.destroy = destroy,
	.subsystem = subsystem_of,
	.disk = disk_front,
	.facts = vfront_facts,
	.rebound = vfront_rebound,
	.quarantine = vfront_quarantine,
	.release = vfront_release,
	.end = end,
	.server = vfront_server,
};
