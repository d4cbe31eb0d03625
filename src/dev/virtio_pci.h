/* dev/virtio_pci.h -- a virtio device as a PCI function: virtio 1.2 section 4.1, without its legacy
 * interface.
 *
 * Registers are in BAR 4: common configuration, ISR status, device configuration and notifications
 * a page each, which is where clients that read no capabilities look for them; the MSI-X
 * structures in BAR 2 (pcie/kinds.h).  The same registers are reached through the PCI configuration
 * access capability (4.1.4.9).
 *
 * What it is not: the device, which is a struct virtio_device, nor its queues.
 *
 * The device's front is 'polled' from DRIVER_OK on until its driver rings: some never do.
 *
 * Threads: as dev/pci_function.h.  Memory: a plain struct of the caller; the device is the
 * caller's and outlives it. */
#ifndef DEV_VIRTIO_PCI_H
#define DEV_VIRTIO_PCI_H

#include "dev/pci_function.h"
#include "dev/virtio.h"

enum { VIRTIO_PCI_QUEUES_MAX = 64 };

struct virtio_pci_queue {
	uint16_t size, vector;         /* as the driver set them */
	bool enabled;
	uint64_t desc, driver, device;
	uint32_t base;                 /* to go on from, while it is quiesced */
};

struct virtio_pci {
	struct pci_function function;  /* first */
	struct virtio_device *device;
	uint32_t device_select, driver_select;
	uint64_t driver_features;
	uint8_t status;
	bool told_stopped, quiesced, kicked;
	uint8_t isr;
	uint8_t generation;            /* of the device configuration */
	uint16_t config_vector, queue_select;
	struct virtio_pci_queue queues[VIRTIO_PCI_QUEUES_MAX];
};

struct virtio_pci_conf {
	struct virtio_device *device;
	const struct pcie_kind *kind;  /* of pcie/kinds.h, with virtio's capabilities */
	unsigned vectors;              /* MSI-X vectors of that kind */
	uint64_t serial;
	struct dma *dma;               /* the device's */
	struct iommu_domain *domain_or_null; /* for interrupt remapping */
	struct pci_function_host host;
};

/* Power-on.  0, or -EINVAL: the kind is none of ours, or the device has too many queues. */
int virtio_pci_init(struct virtio_pci *pci, const struct virtio_pci_conf *conf);

/* What the device calls: 'misses' is the caller's to add, since translations are asked for
 * elsewhere.  Valid before virtio_pci_init(), so that the device can be made first. */
struct virtio_host virtio_pci_host(struct virtio_pci *pci);

/* Tells the driver of a device that stopped since (2.1.2: DEVICE_NEEDS_RESET).  Call it now and then. */
void virtio_pci_look(struct virtio_pci *pci);

#endif
