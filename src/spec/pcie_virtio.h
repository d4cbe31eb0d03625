/* spec/pcie_virtio.h -- the capabilities by which a PCI function says where its virtio registers
 * are.  Virtio 1.2 section 4.1.4.  Only what the standard says. */
#ifndef SPEC_PCIE_VIRTIO_H
#define SPEC_PCIE_VIRTIO_H

enum {
	SPEC_VIRTIO_PCI_VENDOR = 0x1af4,
	SPEC_VIRTIO_PCI_NET = 0x1041, /* 0x1040 + device type 1; 4.1.2 */
	SPEC_VIRTIO_PCI_BLOCK = 0x1042,

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

	SPEC_VIRTIO_CAP_PCI_ACCESS = 5, /* 4.1.4.9 */
	SPEC_VIRTIO_CAP_PCI_DATA = 0x10, /* 32 bits, of that one */

	SPEC_VIRTIO_CAP_BYTES = 0x10,
	SPEC_VIRTIO_CAP_NOTIFY_BYTES = 0x14,
	SPEC_VIRTIO_CAP_PCI_BYTES = 0x14,
};

/* Common configuration, 4.1.4.3. */
enum {
	SPEC_VIRTIO_COMMON_DEVICE_SELECT = 0x00,  /* 32 bits */
	SPEC_VIRTIO_COMMON_DEVICE_FEATURE = 0x04, /* 32 bits */
	SPEC_VIRTIO_COMMON_DRIVER_SELECT = 0x08,  /* 32 bits */
	SPEC_VIRTIO_COMMON_DRIVER_FEATURE = 0x0c, /* 32 bits */
	SPEC_VIRTIO_COMMON_CONFIG_VECTOR = 0x10,  /* 16 bits */
	SPEC_VIRTIO_COMMON_NUM_QUEUES = 0x12,     /* 16 bits */
	SPEC_VIRTIO_COMMON_STATUS = 0x14,         /* 8 bits */
	SPEC_VIRTIO_COMMON_GENERATION = 0x15,     /* 8 bits */
	SPEC_VIRTIO_COMMON_QUEUE_SELECT = 0x16,   /* 16 bits, and from here on of that queue */
	SPEC_VIRTIO_COMMON_QUEUE_SIZE = 0x18,     /* 16 bits */
	SPEC_VIRTIO_COMMON_QUEUE_VECTOR = 0x1a,   /* 16 bits */
	SPEC_VIRTIO_COMMON_QUEUE_ENABLE = 0x1c,   /* 16 bits */
	SPEC_VIRTIO_COMMON_QUEUE_NOTIFY = 0x1e,   /* 16 bits */
	SPEC_VIRTIO_COMMON_QUEUE_DESC = 0x20,     /* 64 bits */
	SPEC_VIRTIO_COMMON_QUEUE_DRIVER = 0x28,   /* 64 bits */
	SPEC_VIRTIO_COMMON_QUEUE_DEVICE = 0x30,   /* 64 bits */
	SPEC_VIRTIO_COMMON_BYTES = 0x38,

	SPEC_VIRTIO_NO_VECTOR = 0xffff,
};

/* Device status, 2.1. */
enum {
	SPEC_VIRTIO_STATUS_ACKNOWLEDGE = 1,
	SPEC_VIRTIO_STATUS_DRIVER = 2,
	SPEC_VIRTIO_STATUS_DRIVER_OK = 4,
	SPEC_VIRTIO_STATUS_FEATURES_OK = 8,
	SPEC_VIRTIO_STATUS_NEEDS_RESET = 64,
	SPEC_VIRTIO_STATUS_FAILED = 128,
};

/* ISR status, 4.1.4.5. */
enum { SPEC_VIRTIO_ISR_QUEUE = 1, SPEC_VIRTIO_ISR_CONFIG = 2 };

#endif
