/* dev/virtio_pci_internal.h -- what the two files of virtio over PCI share: virtio_pci.c (registers and what
 * they do) and virtio_pci_state.c (migration). */
#ifndef DEV_VIRTIO_PCI_INTERNAL_H
#define DEV_VIRTIO_PCI_INTERNAL_H

#include "dev/virtio_pci.h"

static inline unsigned virtio_pci_queues(const struct virtio_pci *pci)
{
	return pci->device->ops->queues(pci->device);
}

/* The device and all registers as new. */
void virtio_pci_reset(struct virtio_pci *pci);

/* Whether the worker must look by itself, after the status or 'kicked' changed. */
void virtio_pci_note_polled(struct virtio_pci *pci);

/* A vector as the driver set it; one that there is not is none (4.1.5.1.2). */
uint16_t virtio_pci_vector(const struct virtio_pci *pci, uint16_t vector);

size_t virtio_pci_save(const struct pci_function *function, uint8_t *to, size_t room);
int virtio_pci_load(struct pci_function *function, const uint8_t *from, size_t size);

#endif
