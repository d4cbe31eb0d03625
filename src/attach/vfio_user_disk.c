/* The attachments nvme and virtio-blk: a disk as a whole PCI function on a unix socket.
 *
 * The function is an NVM Express controller of a subsystem of its own, with the disk as namespace 1, or a
 * virtio block device.  The server (vfio_user.h) carries accesses, interrupts and memory; who owns the card
 * writes the front's namespaces[0]. */
#include "attach/handle.h"
#include "attach/kinds.h"
#include "attach/vfio_user.h"

#include "dev/nvme_function.h"
#include "dev/virtio_blk.h"
#include "dev/virtio_pci.h"
#include "os/guest_memory.h"
#include "pcie/kinds.h"
#include "pcie/kinds_nvme.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PATH_SIZE = 108, WATCH_MS = 500 };

struct vfio_disk {
	struct attachment attachment;
	struct attach_host host;
	struct block_front *front;
	struct pci_function *function;     /* of one of the two */
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
	struct vfio_user *server;
	struct iommu_domain *domain;
	bool made;                         /* the function */
	uint16_t queues;
	char path[PATH_SIZE];
	const char *serial;
	char quarantined[ATTACH_WHY_SIZE]; /* why; empty: it is not */
	bool told_stopped, told_ready;
	uv_timer_t *watch;                 /* allocated alone, freed by its own close */
};

static struct vfio_disk *of(struct attachment *attachment)
{
	return container_of(attachment, struct vfio_disk, attachment);
}

static bool is_ready(void *owner)
{
	return attach_ready(&((struct vfio_disk *)owner)->front->any);
}

static void take_hold(void *owner)
{
	attach_hold(&((struct vfio_disk *)owner)->front->any);
}

static void give_hold(void *owner)
{
	attach_release(&((struct vfio_disk *)owner)->front->any);
}

static void wake(void *owner)
{
	struct vfio_disk *disk = owner;

	disk->host.wake(disk->host.owner, &disk->front->any);
}

static void watch(void *owner, int fd)
{
	struct vfio_disk *disk = owner;

	disk->host.watch(disk->host.owner, &disk->front->any, fd);
}

static void unwatch(void *owner, int fd)
{
	struct vfio_disk *disk = owner;

	disk->host.unwatch(disk->host.owner, &disk->front->any, fd);
}

static void on_event(void *owner, const char *kind, const char *text)
{
	struct vfio_disk *disk = owner;

	disk->host.event(disk->host.owner, &disk->front->any, kind, text);
	if (strcmp(kind, "disconnected") != 0)
		return;
	disk->quarantined[0] = '\0'; /* the next guest is another one */
	disk->told_ready = disk->told_stopped = false;
	if (disk->host.unplugged)
		disk->host.unplugged(disk->host.owner, &disk->front->any);
}

/* The function reaches memory by what its client grants: there is nothing to be asked for. */
static void no_misses(void *owner)
{
	(void)owner;
}

/* A quarantined disk takes nothing, whatever its driver does, and a look stops it again. */
static void keep_stopped(struct vfio_disk *disk)
{
	if (!disk->quarantined[0] || disk->front->stopped[0])
		return;
	snprintf(disk->front->stopped, sizeof disk->front->stopped, "%s", disk->quarantined);
	disk->front->ready = false;
}

/* Tells of a driver that came, or a front that stopped, since it was told last. */
static void look(struct vfio_disk *disk)
{
	struct attach_look seen;

	if (!is_ready(disk))
		return;
	take_hold(disk);
	keep_stopped(disk);
	if (disk->blk)
		virtio_pci_look(&disk->virtio);
	seen.ready = disk->front->ready;
	memcpy(seen.stopped, disk->front->stopped, sizeof seen.stopped);
	give_hold(disk);
	if (seen.stopped[0] && !disk->told_stopped)
		disk->host.event(disk->host.owner, &disk->front->any, "stopped", seen.stopped);
	disk->told_stopped = seen.stopped[0] != '\0';
	if (seen.ready && !disk->told_ready)
		disk->host.event(disk->host.owner, &disk->front->any, "driver ready",
				 disk->blk ? "virtio block device" : "NVMe controller");
	disk->told_ready = seen.ready;
}

static void on_watch(uv_timer_t *timer)
{
	struct vfio_disk *disk = timer->data;

	if (!disk)
		return;
	if (disk->server)
		vfio_user_look(disk->server);
	look(disk);
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
	must(!disk->front || !disk->front->hold);
	vfio_user_destroy(disk->server);
	if (disk->domain)
		disk->domain->dma = NULL;
	attach_handle_close((uv_handle_t *)disk->watch);
	free_parts(disk);
	free(disk);
}

static void *zeroed(size_t size)
{
	void *at = NULL;
	size_t whole = (size + 63) / 64 * 64;

	if (posix_memalign(&at, 64, whole))
		return NULL;
	return memset(at, 0, whole);
}

static enum nvme_role role_of(const struct attach_disk *disk)
{
	if (disk->primary)
		return NVME_PRIMARY;
	return disk->vf_number ? NVME_SECONDARY : NVME_ALONE;
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
		.domain_or_null = conf->domain, .host = vfio_user_function_host(&disk->server),
	};
	int err;

	snprintf(nqn, sizeof nqn, "nqn.2014-08.org.nvmexpress:uuid:%02x%02x%02x%02x-%02x%02x-%02x%02x-"
		 "%02x%02x-%02x%02x%02x%02x%02x%02x", id[0], id[1], id[2], id[3],
		 id[4], id[5], id[6], id[7], id[8], id[9],
		 id[10], id[11], id[12], id[13], id[14], id[15]);
	pcie_kinds_nvme_build(&disk->nvme_kinds);
	disk->subsystem = conf->disk->shared ? conf->disk->shared : zeroed(nvme_subsystem_size());
	disk->controller = zeroed(nvme_size());
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
	disk->front = nvme_front(disk->controller);
	dma_init(&disk->dma, conf->domain, &disk->front->dma_blocked);
	disk->domain = conf->domain;
	disk->function = &disk->nvme.function;
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
		.domain_or_null = conf->domain, .host = vfio_user_function_host(&disk->server),
	};
	int err;

	blk.host.misses = no_misses;
	memcpy(blk.serial, disk->serial, strnlen(disk->serial, sizeof blk.serial));
	pcie_kinds_build(&disk->kinds);
	disk->blk = zeroed(virtio_blk_size());
	err = disk->blk ? virtio_blk_init(disk->blk, &blk) : -ENOMEM;
	if (err)
		return err;
	disk->front = virtio_blk_front(disk->blk);
	disk->domain = conf->domain;
	disk->function = &disk->virtio.function;
	pci.device = virtio_blk_device(disk->blk);
	pci.dma = virtio_blk_dma(disk->blk);
	err = virtio_pci_init(&disk->virtio, &pci);
	disk->made = !err;
	return err;
}

static int serve(struct vfio_disk *disk, const struct attach_conf *conf, struct refusal *why)
{
	struct vfio_user_conf server = {
		.path = disk->path,
		.function = disk->function,
		.host = { .ready = is_ready,
			  .hold = take_hold,
			  .release = give_hold,
			  .wake = wake,
			  .watch = watch,
			  .unwatch = unwatch,
			  .event = on_event,
			  .owner = disk },
		.reach = VFIO_USER_NEEDS_FDS,
		.loop = disk->host.loop,
	};
	char path[512];

	for (unsigned bar = 0; bar < array_len(server.pages); bar++)
		server.pages[bar].fd = -1;
	if (disk->controller)
		server.pages[PCIE_NVME_REGISTERS_BAR] = disk->pages;
	if (conf->io->socket)
		snprintf(path, sizeof path, "%s", conf->io->socket);
	else
		snprintf(path, sizeof path, "%s/%s-%s.sock", disk->host.run_dir, conf->system,
			 conf->io->name);
	if (strlen(path) >= sizeof disk->path) {
		refuse(why, "socket", "the path %s is longer than the %zu bytes a socket may have",
		       path, sizeof disk->path - 1);
		return -ENAMETOOLONG;
	}
	memcpy(disk->path, path, strlen(path) + 1);
	return vfio_user_create(&disk->server, &server, why);
}

static int begin_watch(struct vfio_disk *disk)
{
	disk->watch = calloc(1, sizeof *disk->watch);
	if (!disk->watch)
		return -ENOMEM;
	uv_timer_init(disk->host.loop, disk->watch);
	disk->watch->data = disk;
	return uv_timer_start(disk->watch, on_watch, WATCH_MS, WATCH_MS);
}

static int create(struct attachment **attachment, const struct attach_host *host,
		  const struct attach_conf *conf, struct refusal *why)
{
	struct vfio_disk *disk = calloc(1, sizeof *disk);
	int err;

	if (!disk)
		return -ENOMEM;
	must(conf->domain != NULL && conf->disk != NULL);
	disk->attachment.ops = &attach_vfio_user_disk;
	disk->host = *host;
	disk->pages.fd = -1;
	disk->queues = conf->disk->queues;
	disk->serial = conf->disk->serial;
	err = guest_memory_guard();
	if (!err && conf->io->attachment == SITE_ATTACH_NVME)
		err = make_nvme(disk, conf);
	else if (!err)
		err = make_virtio_blk(disk, conf);
	if (!err)
		err = begin_watch(disk);
	if (!err)
		err = serve(disk, conf, why);
	if (err) {
		if (why && !why->text[0])
			refuse(why, "", "cannot set up %s-%s: %s", conf->system, conf->io->name,
			       uv_strerror(err));
		destroy(&disk->attachment);
		return err;
	}
	*attachment = &disk->attachment;
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

static const char *state_of(const struct vfio_disk *disk, bool connected)
{
	if (disk->front->stopped[0])
		return "stopped";
	return disk->front->ready ? "running" : connected ? "connected" : "waiting";
}

static void facts(struct attachment *attachment, struct attach_facts *facts)
{
	struct vfio_disk *disk = of(attachment);
	struct vfio_user_facts server;

	vfio_user_facts(disk->server, &server);
	*facts = (struct attach_facts){
		.reconnects = server.connections ? server.connections - 1 : 0,
	};
	snprintf(facts->where, sizeof facts->where, "%s", disk->path);
	if (!is_ready(disk)) {
		snprintf(facts->state, sizeof facts->state, "held");
		return;
	}
	take_hold(disk);
	snprintf(facts->state, sizeof facts->state, "%s", state_of(disk, server.connected));
	memcpy(facts->stopped, disk->front->stopped, sizeof facts->stopped);
	if (disk->blk)
		facts->features = virtio_blk_accepted(disk->blk);
	for (unsigned i = 0; disk->blk && i < disk->queues; i++)
		facts->queue_pairs += virtio_blk_ring_runs(disk->blk, i);
	give_hold(disk);
}

static void rebound(struct attachment *attachment)
{
	(void)attachment;
}

static void quarantine(struct attachment *attachment, const char *why)
{
	struct vfio_disk *disk = of(attachment);

	snprintf(disk->quarantined, sizeof disk->quarantined, "%s", why);
	take_hold(disk);
	keep_stopped(disk);
	give_hold(disk);
	disk->told_stopped = false;
	look(disk);
}

/* Its driver has been told that the device failed, so it begins anew. */
static void release(struct attachment *attachment)
{
	of(attachment)->quarantined[0] = '\0';
	look(of(attachment));
}

static unsigned end(struct attachment *attachment)
{
	struct pci_function *function = of(attachment)->function;

	function->ops->quiesce(function);
	if (of(attachment)->controller)
		nvme_halt(of(attachment)->controller);
	return function->ops->busy(function) + of(attachment)->front->in_flight;
}

static struct vfio_user *server_of(struct attachment *attachment)
{
	return of(attachment)->server;
}

const struct attach_ops attach_vfio_user_disk = {
	.name = "vfio-user disk",
	.create = create,
	.destroy = destroy,
	.subsystem = subsystem_of,
	.disk = disk_front,
	.facts = facts,
	.rebound = rebound,
	.quarantine = quarantine,
	.release = release,
	.end = end,
	.server = server_of,
};
