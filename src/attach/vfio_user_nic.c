/* The vfio-user attachment of a NIC function: a whole virtio-net PCI function on a unix socket, for
 * QEMU's vfio-user-pci and whoever else takes PCI functions.
 *
 * The front is the same as behind vhost-user; registers drive its rings instead of messages
 * (dev/virtio_pci.h), and the server (vfio_user_front.h) carries accesses, interrupts and memory. */
#include "attach/kinds.h"
#include "attach/vfio_user_front.h"

#include "dev/virtio_net.h"
#include "os/guest_memory.h"
#include "pcie/kinds.h"
#include "spec/virtio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct vfio_nic {
	struct vfio_front vfront;
	struct virtio_net *net;
	struct virtio_pci pci;
	struct pcie_kinds kinds;
	uint16_t pairs_max;
};

static struct vfio_nic *of(struct attachment *attachment)
{
	return container_of(vfront_of(attachment), struct vfio_nic, vfront);
}

static void say_driver(struct vfio_front *vfront, char *text, size_t size)
{
	snprintf(text, size, "features 0x%llx",
		 (unsigned long long)virtio_net_accepted(of(&vfront->attachment)->net));
}

static void count(struct vfio_front *vfront, struct attach_facts *facts)
{
	const struct vfio_nic *nic = of(&vfront->attachment);

	facts->features = virtio_net_accepted(nic->net);
	for (unsigned i = 0; i < nic->pairs_max; i++)
		facts->queue_pairs += virtio_net_ring_runs(nic->net, 2 * i);
}

static void destroy(struct attachment *attachment)
{
	struct vfio_nic *nic = attachment ? of(attachment) : NULL;

	if (!nic)
		return;
	vfront_fini(&nic->vfront);
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

	net.host.misses = vfront_no_misses;
	nic->net = vfront_zeroed(virtio_net_size());
	if (!nic->net)
		return -ENOMEM;
	err = virtio_net_init(nic->net, &net);
	if (err) {
		refuse(why, "queues", "%u queue pairs are not possible: 1 to %u are", net.pairs_max,
		       VIRTIO_NET_PAIRS_MAX);
		return err;
	}
	nic->vfront.front = &virtio_net_front(nic->net)->any;
	nic->vfront.domain = conf->domain;
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
		.host = vfio_user_function_host(&nic->vfront.server),
	};
	int err;

	pcie_kinds_build(&nic->kinds);
	err = virtio_pci_init(&nic->pci, &pci);
	if (err)
		refuse(why, "", "no PCI function can be made of it");
	return err;
}

static int create(struct attachment **attachment, const struct attach_host *host,
		  const struct attach_conf *conf, struct refusal *why)
{
	struct vfio_nic *nic = calloc(1, sizeof *nic);
	int err;

	if (!nic)
		return -ENOMEM;
	must(conf->domain != NULL);
	vfront_init(&nic->vfront, &attach_vfio_user_nic, host);
	nic->vfront.function = &nic->pci.function;
	nic->vfront.virtio = &nic->pci;
	nic->vfront.say_driver = say_driver;
	nic->vfront.count = count;
	nic->pairs_max = conf->io->queues ? conf->io->queues : 1;
	err = guest_memory_guard();
	if (!err)
		err = make_front(nic, conf, why);
	if (!err)
		err = make_function(nic, conf, why);
	if (!err)
		err = vfront_serve(&nic->vfront, conf, NULL, 0, why);
	if (err) {
		vfront_failed(conf, err, why);
		destroy(&nic->vfront.attachment);
		return err;
	}
	*attachment = &nic->vfront.attachment;
	return 0;
}

static struct nic_front *front(struct attachment *attachment)
{
	return virtio_net_front(of(attachment)->net);
}

const struct attach_ops attach_vfio_user_nic = {
	.name = "vfio-user",
	.create = create,
	.destroy = destroy,
	.front = front,
	.facts = vfront_facts,
	.rebound = vfront_rebound,
	.quarantine = vfront_quarantine,
	.release = vfront_release,
	.server = vfront_server,
};
