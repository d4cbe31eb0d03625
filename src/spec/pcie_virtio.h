/* spec/pcie_virtio.h -- the capabilities by which a PCI function says where its virtio registers
 * are.  Virtio 1.2 section 4.1.4.  Only what the standard says. */
#ifndef SPEC_PCIE_VIRTIO_H
#define SPEC_PCIE_VIRTIO_H

enum {
	SPEC_VIRTIO_PCI_VENDOR = 0x1af4,
	SPEC_VIRTIO_PCI_NET = 0x1041, /* 0x1040 + device type 1; 4.1.2 */

	SPEC_VIRTIO_CAP_LENGTH = 0x02,     /* 8 bits */
	SPEC_VIRTIO_CAP_TYPE = 0x03,       /* 8 bits */
	SPEC_VIRTIO_CAP_BAR = 0x04,        /* 8 bits */
	SPEC_VIRTIO_CAP_OFFSET = 0x08,     /* 32 bits */
	SPEC_VIRTIO_CAP_SIZE = 0x0c,       /* 32 bits */
	SPEC_VIRTIO_CAP_MULTIPLIER = 0x10, /* 32 bits, notify only */

	SPEC_VIRTIO_CAP_COMMON = 1, /* 4.1.4.3 */
	SPEC_VIRTIO_CAP_NOTIFY = 2, /* 4.1.4.4 */
	SPEC_VIRTIO_CAP_ISR = 3,    /* 4.1.4.5 */
	SPEC_VIRTIO_CAP_DEVICE = 4, /* 4.1.4.6 */

	SPEC_VIRTIO_CAP_BYTES = 0x10,
	SPEC_VIRTIO_CAP_NOTIFY_BYTES = 0x14,
};

#endif
