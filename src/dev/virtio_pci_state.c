/* Migration state of virtio over PCI: a head, then each queue, then what the device has to say; all little-endian. */
#include "dev/virtio_pci_internal.h"

#include "base/bytes.h"
#include "spec/pcie_virtio.h"

#include <errno.h>
#include <string.h>

enum { STATE_MAGIC = 0x56504d32, STATE_HEAD = 40, STATE_QUEUE = 40, STATE_AT_DEVICE = 32 /* bytes of it */ };

size_t virtio_pci_save(const struct pci_function *function, uint8_t *to, size_t room)
{
	const struct virtio_pci *p = (const struct virtio_pci *)(const void *)function;
	unsigned count = virtio_pci_queues(p);
	uint8_t device[VIRTIO_STATE_MAX];
	uint32_t device_bytes = p->device->ops->save(p->device, device);
	size_t queues = STATE_HEAD + (size_t)count * STATE_QUEUE, size = queues + device_bytes;

	if (size > room)
		return size;
	memset(to, 0, queues);
	put_le32(to + STATE_AT_DEVICE, device_bytes);
	memcpy(to + queues, device, device_bytes);
	put_le32(to, STATE_MAGIC);
	put_le16(to + 4, p->device->ops->id);
	put_le16(to + 6, (uint16_t)count);
	put_le64(to + 8, p->driver_features);
	put_le32(to + 16, p->device_select);
	put_le32(to + 20, p->driver_select);
	put_le16(to + 24, p->config_vector);
	put_le16(to + 26, p->queue_select);
	to[28] = p->status;
	to[29] = p->isr;
	to[30] = p->generation;
	to[31] = p->kicked;
	for (unsigned i = 0; i < count; i++) {
		const struct virtio_pci_queue *q = &p->queues[i];
		uint8_t *at = to + STATE_HEAD + (size_t)i * STATE_QUEUE;

		put_le16(at, q->size);
		put_le16(at + 2, q->vector);
		put_le16(at + 4, q->enabled);
		put_le32(at + 8, p->device->ops->ring_runs(p->device, i)
					 ? p->device->ops->ring_base(p->device, i)
					 : q->base);
		put_le64(at + 16, q->desc);
		put_le64(at + 24, q->driver);
		put_le64(at + 32, q->device);
	}
	return size;
}

/* What a driver could have brought about by itself, and nothing else. */
static bool is_state(const struct virtio_pci *p, const uint8_t *from, size_t size)
{
	unsigned count = virtio_pci_queues(p);
	uint64_t offered = p->device->ops->features(p->device);

	if (size < STATE_HEAD + (size_t)count * STATE_QUEUE || get_le32(from) != STATE_MAGIC ||
	    size - STATE_HEAD - (size_t)count * STATE_QUEUE != get_le32(from + STATE_AT_DEVICE) ||
	    get_le16(from + 4) != p->device->ops->id || get_le16(from + 6) != count)
		return false;
	if (from[28] & SPEC_VIRTIO_STATUS_FEATURES_OK && get_le64(from + 8) & ~offered)
		return false;
	if (from[28] & SPEC_VIRTIO_STATUS_DRIVER_OK &&
	    !(from[28] & SPEC_VIRTIO_STATUS_FEATURES_OK))
		return false;
	for (unsigned i = 0; i < count; i++) {
		uint16_t entries = get_le16(from + STATE_HEAD + (size_t)i * STATE_QUEUE);

		if (entries == 0 || entries > p->device->ops->ring_max)
			return false;
	}
	return true;
}

static void load_queue(struct virtio_pci *p, struct virtio_pci_queue *q, const uint8_t *at)
{
	q->size = get_le16(at);
	q->vector = virtio_pci_vector(p, get_le16(at + 2));
	q->enabled = get_le16(at + 4) == 1;
	q->base = get_le32(at + 8);
	q->desc = get_le64(at + 16);
	q->driver = get_le64(at + 24);
	q->device = get_le64(at + 32);
}

int virtio_pci_load(struct pci_function *function, const uint8_t *from, size_t size)
{
	struct virtio_pci *p = container_of(function, struct virtio_pci, function);

	if (!is_state(p, from, size))
		return -EINVAL;
	virtio_pci_reset(p);
	p->driver_features = get_le64(from + 8);
	if ((from[28] & SPEC_VIRTIO_STATUS_FEATURES_OK &&
	     p->device->ops->accept(p->device, p->driver_features) != 0) ||
	    p->device->ops->load(p->device, from + size - get_le32(from + STATE_AT_DEVICE),
				 get_le32(from + STATE_AT_DEVICE)) != 0) {
		virtio_pci_reset(p);
		return -EINVAL;
	}
	p->quiesced = true;
	p->device_select = get_le32(from + 16);
	p->driver_select = get_le32(from + 20);
	p->config_vector = virtio_pci_vector(p, get_le16(from + 24));
	p->queue_select = get_le16(from + 26);
	p->status = from[28];
	p->isr = from[29];
	p->generation = from[30];
	p->kicked = from[31];
	virtio_pci_note_polled(p);
	for (unsigned i = 0; i < virtio_pci_queues(p); i++)
		load_queue(p, &p->queues[i], from + STATE_HEAD + (size_t)i * STATE_QUEUE);
	return 0;
}
