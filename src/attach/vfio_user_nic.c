/* The vfio-user attachment of a NIC function: a whole virtio-net PCI function on a unix socket, for
 * QEMU's vfio-user-pci and whoever else takes PCI functions.
 *
 * The front is the same as behind vhost-user; registers drive its rings instead of messages
 * (dev/virtio_pci.h), and the server (vfio_user.h) carries accesses, interrupts and memory. */
#include "attach/handle.h"
#include "attach/kinds.h"
#include "attach/vfio_user.h"

#include "dev/virtio_net.h"
#include "dev/virtio_pci.h"
#include "os/guest_memory.h"
#include "pcie/kinds.h"
#include "spec/virtio.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 108, WATCH_MS = 500 };

struct vfio_nic {
	struct attachment attachment;
	struct attach_host host;
	struct virtio_net *net;
	struct nic_front *front;
	struct virtio_pci pci;
	struct pcie_kinds kinds;
	struct vfio_user *server;
	struct iommu_domain *domain;
	uint16_t pairs_max;
	char path[PATH_SIZE];
	char quarantined[ATTACH_WHY_SIZE]; /* why; empty: it is not */
	bool told_stopped, told_ready;
	uv_timer_t *watch;                 /* allocated alone, freed by its own close */
};

static struct vfio_nic *of(struct attachment *attachment)
{
	return container_of(attachment, struct vfio_nic, attachment);
}

/* What the server asks, and tells. */

static bool is_ready(void *owner)
{
	return attach_ready(&((struct vfio_nic *)owner)->front->any);
}

static void take_hold(void *owner)
{
	attach_hold(&((struct vfio_nic *)owner)->front->any);
}

static void give_hold(void *owner)
{
	attach_release(&((struct vfio_nic *)owner)->front->any);
}

static void wake(void *owner)
{
	struct vfio_nic *nic = owner;

	nic->host.wake(nic->host.owner, &nic->front->any);
}

static void watch(void *owner, int fd)
{
	struct vfio_nic *nic = owner;

	nic->host.watch(nic->host.owner, &nic->front->any, fd);
}

static void unwatch(void *owner, int fd)
{
	struct vfio_nic *nic = owner;

	nic->host.unwatch(nic->host.owner, &nic->front->any, fd);
}

static void on_event(void *owner, const char *kind, const char *text)
{
	struct vfio_nic *nic = owner;

	nic->host.event(nic->host.owner, &nic->front->any, kind, text);
	if (strcmp(kind, "disconnected") != 0)
		return;
	nic->quarantined[0] = '\0'; /* the next guest is another one */
	nic->told_ready = nic->told_stopped = false;
	if (nic->host.unplugged)
		nic->host.unplugged(nic->host.owner, &nic->front->any);
}

/* The function reaches memory by what its client grants: there is nothing to be asked for. */
static void no_misses(void *owner)
{
	(void)owner;
}

/* Tells of a driver that came, or a front that stopped, since it was told last; and the driver of the
 * latter. */
static void look(struct vfio_nic *nic)
{
	struct attach_look seen;
	char text[64];

	if (!attach_ready(&nic->front->any))
		return;
	attach_hold(&nic->front->any);
	if (nic->quarantined[0] && !nic->front->stopped[0]) {
		/* its driver has reset it: it stays stopped all the same */
		snprintf(nic->front->stopped, sizeof nic->front->stopped, "%s", nic->quarantined);
		nic->front->ready = false;
	}
	virtio_pci_look(&nic->pci);
	attach_release(&nic->front->any);
	if (!attach_look(&nic->front->any, &seen))
		return;
	if (seen.stopped[0] && !nic->told_stopped)
		nic->host.event(nic->host.owner, &nic->front->any, "stopped", seen.stopped);
	nic->told_stopped = seen.stopped[0] != '\0';
	if (seen.ready && !nic->told_ready) {
		snprintf(text, sizeof text, "features 0x%llx",
			 (unsigned long long)virtio_net_accepted(nic->net));
		nic->host.event(nic->host.owner, &nic->front->any, "driver ready", text);
	}
	nic->told_ready = seen.ready;
}

static void on_watch(uv_timer_t *timer)
{
	struct vfio_nic *nic = timer->data;

	if (!nic)
		return;
	if (nic->server)
		vfio_user_look(nic->server);
	look(nic);
}

static void destroy(struct attachment *attachment)
{
	struct vfio_nic *nic = attachment ? of(attachment) : NULL;

	if (!nic)
		return;
	must(!nic->front || !nic->front->hold);
	vfio_user_destroy(nic->server);
	if (nic->domain)
		nic->domain->dma = NULL;
	attach_handle_close((uv_handle_t *)nic->watch);
	free(nic->net);
	free(nic);
}

static int make_front(struct vfio_nic *nic, const struct attach_conf *conf, struct refusal *why)
{
	struct virtio_net_conf net = {
		.mac = conf->mac,
		.pairs_max = nic->pairs_max,
		.mtu = conf->mtu,
		.domain = conf->domain,
		.features_off = conf->io->packed ? 0 : UINT64_C(1) << VIRTIO_F_RING_PACKED,
		.host = virtio_pci_host(&nic->pci),
	};
	int err;

	net.host.misses = no_misses;
	if (posix_memalign((void **)&nic->net, 64, (virtio_net_size() + 63) / 64 * 64))
		return -ENOMEM;
	memset(nic->net, 0, virtio_net_size());
	err = virtio_net_init(nic->net, &net);
	if (err) {
		refuse(why, "queues", "%u queue pairs are not possible: 1 to %u are", net.pairs_max,
		       VIRTIO_NET_PAIRS_MAX);
		return err;
	}
	nic->front = virtio_net_front(nic->net);
	return 0;
}

static int make_function(struct vfio_nic *nic, const struct attach_conf *conf, struct refusal *why)
{
	struct virtio_pci_conf pci = {
		.device = virtio_net_device(nic->net),
		.kind = &nic->kinds.nic_lent,
		.vectors = PCIE_KINDS_NIC_VECTORS,
		.serial = conf->mac,
		.dma = virtio_net_dma(nic->net),
		.domain_or_null = conf->domain,
		.host = vfio_user_function_host(&nic->server),
	};
	int err;

	pcie_kinds_build(&nic->kinds);
	err = virtio_pci_init(&nic->pci, &pci);
	if (err)
		refuse(why, "", "no PCI function can be made of it");
	return err;
}

static int serve(struct vfio_nic *nic, const struct attach_conf *conf, struct refusal *why)
{
	struct vfio_user_conf server = {
		.path = nic->path,
		.function = &nic->pci.function,
		.host = { .ready = is_ready,
			  .hold = take_hold,
			  .release = give_hold,
			  .wake = wake,
			  .watch = watch,
			  .unwatch = unwatch,
			  .event = on_event,
			  .owner = nic },
		.reach = VFIO_USER_NEEDS_FDS,
		.loop = nic->host.loop,
	};
	char path[512];

	for (unsigned bar = 0; bar < array_len(server.pages); bar++)
		server.pages[bar].fd = -1;
	if (conf->io->socket)
		snprintf(path, sizeof path, "%s", conf->io->socket);
	else
		snprintf(path, sizeof path, "%s/%s-%s.sock", nic->host.run_dir, conf->system,
			 conf->io->name);
	if (strlen(path) >= sizeof nic->path) {
		refuse(why, "socket", "the path %s is longer than the %zu bytes a socket may have",
		       path, sizeof nic->path - 1);
		return -ENAMETOOLONG;
	}
	memcpy(nic->path, path, strlen(path) + 1);
	return vfio_user_create(&nic->server, &server, why);
}

static int begin_watch(struct vfio_nic *nic)
{
	nic->watch = calloc(1, sizeof *nic->watch);
	if (!nic->watch)
		return -ENOMEM;
	uv_timer_init(nic->host.loop, nic->watch);
	nic->watch->data = nic;
	return uv_timer_start(nic->watch, on_watch, WATCH_MS, WATCH_MS);
}

static int create(struct attachment **attachment, const struct attach_host *host,
		  const struct attach_conf *conf, struct refusal *why)
{
	struct vfio_nic *nic = calloc(1, sizeof *nic);
	int err;

	if (!nic)
		return -ENOMEM;
	must(conf->domain != NULL);
	nic->attachment.ops = &attach_vfio_user_nic;
	nic->host = *host;
	nic->pairs_max = conf->io->queues ? conf->io->queues : 1;
	err = guest_memory_guard();
	if (!err)
		err = make_front(nic, conf, why);
	if (!err)
		nic->domain = conf->domain;
	if (!err)
		err = make_function(nic, conf, why);
	if (!err)
		err = begin_watch(nic);
	if (!err)
		err = serve(nic, conf, why);
	if (err) {
		if (why && !why->text[0])
			refuse(why, "", "cannot set up %s-%s: %s", conf->system, conf->io->name,
			       uv_strerror(err));
		destroy(&nic->attachment);
		return err;
	}
	*attachment = &nic->attachment;
	return 0;
}

static struct nic_front *front(struct attachment *attachment)
{
	return of(attachment)->front;
}

static const char *state_of(const struct vfio_nic *nic, bool connected)
{
	if (nic->front->stopped[0])
		return "stopped";
	return nic->front->ready ? "running" : connected ? "connected" : "waiting";
}

static void facts(struct attachment *attachment, struct attach_facts *facts)
{
	struct vfio_nic *nic = of(attachment);
	struct vfio_user_facts server;

	vfio_user_facts(nic->server, &server);
	*facts = (struct attach_facts){
		.reconnects = server.connections ? server.connections - 1 : 0,
	};
	snprintf(facts->where, sizeof facts->where, "%s", nic->path);
	if (!attach_ready(&nic->front->any)) {
		snprintf(facts->state, sizeof facts->state, "held");
		return;
	}
	attach_hold(&nic->front->any);
	facts->features = virtio_net_accepted(nic->net);
	snprintf(facts->state, sizeof facts->state, "%s", state_of(nic, server.connected));
	memcpy(facts->stopped, nic->front->stopped, sizeof facts->stopped);
	for (unsigned i = 0; i < nic->pairs_max; i++)
		facts->queue_pairs += virtio_net_ring_runs(nic->net, 2 * i);
	attach_release(&nic->front->any);
}

static void rebound(struct attachment *attachment)
{
	(void)attachment; /* its guest sees nothing of it */
}

static void quarantine(struct attachment *attachment, const char *why)
{
	struct vfio_nic *nic = of(attachment);

	snprintf(nic->quarantined, sizeof nic->quarantined, "%s", why);
	attach_hold(&nic->front->any);
	snprintf(nic->front->stopped, sizeof nic->front->stopped, "%s", nic->quarantined);
	nic->front->ready = false;
	attach_release(&nic->front->any);
	nic->told_stopped = false;
	look(nic);
}

/* Its driver has been told that the device needs a reset, so it begins anew. */
static void release(struct attachment *attachment)
{
	struct vfio_nic *nic = of(attachment);

	nic->quarantined[0] = '\0';
	look(nic);
}

static struct vfio_user *server_of(struct attachment *attachment)
{
	return of(attachment)->server;
}

const struct attach_ops attach_vfio_user_nic = {
	.name = "vfio-user",
	.create = create,
	.destroy = destroy,
	.front = front,
	.facts = facts,
	.rebound = rebound,
	.quarantine = quarantine,
	.release = release,
	.server = server_of,
};
