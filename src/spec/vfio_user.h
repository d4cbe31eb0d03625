/* spec/vfio_user.h -- names and layouts of the vfio-user protocol, version 0.1, as QEMU's documentation
 * publishes it ("vfio-user Protocol Specification", docs/interop/vfio-user); structures that it takes from
 * VFIO are those of <linux/vfio.h>, written down here as offsets.  Nothing but numbers.
 *
 * Numbers are in the byte order of the machine; both ends are on one machine, and every machine we
 * build for is little-endian. */
#ifndef SPEC_VFIO_USER_H
#define SPEC_VFIO_USER_H

/* "Header". */
enum {
	VFIO_USER_HEADER_SIZE = 16,
	VFIO_USER_HEADER_ID = 0,      /* 16 bits: the sender's, echoed in the reply */
	VFIO_USER_HEADER_COMMAND = 2, /* 16 bits */
	VFIO_USER_HEADER_BYTES = 4,   /* 32 bits: of the whole message, header included */
	VFIO_USER_HEADER_FLAGS = 8,   /* 32 bits */
	VFIO_USER_HEADER_ERROR = 12,  /* 32 bits: errno, when FLAG_ERROR is set */

	VFIO_USER_TYPE_MASK = 0xf, /* of the flags */
	VFIO_USER_TYPE_COMMAND = 0,
	VFIO_USER_TYPE_REPLY = 1,
	VFIO_USER_FLAG_NO_REPLY = 1 << 4,
	VFIO_USER_FLAG_ERROR = 1 << 5,
};

/* "Commands". */
enum vfio_user_command {
	VFIO_USER_VERSION = 1,
	VFIO_USER_DMA_MAP = 2,
	VFIO_USER_DMA_UNMAP = 3,
	VFIO_USER_DEVICE_GET_INFO = 4,
	VFIO_USER_DEVICE_GET_REGION_INFO = 5,
	VFIO_USER_DEVICE_GET_REGION_IO_FDS = 6,
	VFIO_USER_DEVICE_GET_IRQ_INFO = 7,
	VFIO_USER_DEVICE_SET_IRQS = 8,
	VFIO_USER_REGION_READ = 9,
	VFIO_USER_REGION_WRITE = 10,
	VFIO_USER_DMA_READ = 11,  /* server to client */
	VFIO_USER_DMA_WRITE = 12, /* server to client */
	VFIO_USER_DEVICE_RESET = 13,
	VFIO_USER_REGION_WRITE_MULTI = 15,
	VFIO_USER_DEVICE_FEATURE = 16,
	VFIO_USER_MIG_DATA_READ = 17,
	VFIO_USER_MIG_DATA_WRITE = 18,
	VFIO_USER_COMMANDS = 19, /* one past the last */
};

/* VERSION, request and reply; a JSON object may follow, its NUL included. */
enum {
	VFIO_USER_VERSION_MAJOR = 0, /* 16 bits */
	VFIO_USER_VERSION_MINOR = 2, /* 16 bits */
	VFIO_USER_VERSION_DATA = 4,
	VFIO_USER_MAJOR = 0,
	VFIO_USER_MINOR = 1,
	/* What holds when a capability is not said. */
	VFIO_USER_DEFAULT_FDS = 1,
	VFIO_USER_DEFAULT_TRANSFER = 1 << 20,
	VFIO_USER_DEFAULT_MAPS = 65535,
	VFIO_USER_DEFAULT_PAGE = 4096,
};

/* DMA_MAP. */
enum {
	VFIO_USER_MAP_ARGSZ = 0, /* 32 bits */
	VFIO_USER_MAP_FLAGS = 4, /* 32 bits */
	VFIO_USER_MAP_OFFSET = 8,
	VFIO_USER_MAP_ADDRESS = 16,
	VFIO_USER_MAP_BYTES = 24,
	VFIO_USER_MAP_SIZE = 32,
	VFIO_USER_MAP_READ = 1 << 0, /* flags */
	VFIO_USER_MAP_WRITE = 1 << 1,
};

/* DMA_UNMAP, request and reply. */
enum {
	VFIO_USER_UNMAP_ARGSZ = 0, /* 32 bits */
	VFIO_USER_UNMAP_FLAGS = 4, /* 32 bits */
	VFIO_USER_UNMAP_ADDRESS = 8,
	VFIO_USER_UNMAP_BYTES = 16,
	VFIO_USER_UNMAP_SIZE = 24,
	VFIO_USER_UNMAP_ALL = 1 << 1, /* flags: as VFIO_DMA_UNMAP_FLAG_ALL; address and bytes are 0 */
};

/* DEVICE_GET_INFO: struct vfio_device_info, as far as the protocol has it. */
enum {
	VFIO_USER_INFO_ARGSZ = 0, /* 32 bits each */
	VFIO_USER_INFO_FLAGS = 4,
	VFIO_USER_INFO_REGIONS = 8,
	VFIO_USER_INFO_IRQS = 12,
	VFIO_USER_INFO_SIZE = 16,
	VFIO_USER_INFO_RESET = 1 << 0, /* flags: DEVICE_RESET is there */
	VFIO_USER_INFO_PCI = 1 << 1,
};

/* DEVICE_GET_REGION_INFO: struct vfio_region_info. */
enum {
	VFIO_USER_REGION_ARGSZ = 0,  /* 32 bits */
	VFIO_USER_REGION_FLAGS = 4,  /* 32 bits */
	VFIO_USER_REGION_INDEX = 8,  /* 32 bits */
	VFIO_USER_REGION_CAPS = 12,  /* 32 bits: offset of the first capability */
	VFIO_USER_REGION_BYTES = 16, /* 64 bits */
	VFIO_USER_REGION_OFFSET = 24, /* 64 bits: of the descriptor that comes with it */
	VFIO_USER_REGION_SIZE = 32,
	VFIO_USER_REGION_READABLE = 1 << 0, /* flags */
	VFIO_USER_REGION_WRITABLE = 1 << 1,
	VFIO_USER_REGION_MMAP = 1 << 2,
	VFIO_USER_REGION_HAS_CAPS = 1 << 3,
};

/* struct vfio_info_cap_header, and struct vfio_region_info_cap_sparse_mmap behind it. */
enum {
	VFIO_USER_CAP_ID = 0,      /* 16 bits */
	VFIO_USER_CAP_VERSION = 2, /* 16 bits */
	VFIO_USER_CAP_NEXT = 4,    /* 32 bits */
	VFIO_USER_SPARSE_AREAS = 8, /* 32 bits: how many; 32 reserved follow */
	VFIO_USER_SPARSE_FIRST = 16, /* areas: offset and size, 64 bits each */
	VFIO_USER_SPARSE_AREA_SIZE = 16,
	VFIO_USER_CAP_SPARSE_MMAP = 1,
};

/* DEVICE_GET_REGION_IO_FDS. */
enum {
	VFIO_USER_IO_FDS_ARGSZ = 0, /* 32 bits each */
	VFIO_USER_IO_FDS_FLAGS = 4,
	VFIO_USER_IO_FDS_INDEX = 8,
	VFIO_USER_IO_FDS_COUNT = 12,
	VFIO_USER_IO_FDS_SIZE = 16, /* of the head; sub-regions follow */
	VFIO_USER_SUB_OFFSET = 0,   /* 64 bits */
	VFIO_USER_SUB_BYTES = 8,    /* 64 bits */
	VFIO_USER_SUB_FD_INDEX = 16, /* 32 bits */
	VFIO_USER_SUB_TYPE = 20,    /* 32 bits: 0 ioeventfd, 1 ioregionfd */
	VFIO_USER_SUB_FLAGS = 24,   /* 32 bits, as KVM_IOEVENTFD has them */
	VFIO_USER_SUB_MATCH = 32,   /* 64 bits */
	VFIO_USER_SUB_SIZE = 40,
};

/* DEVICE_GET_IRQ_INFO: struct vfio_irq_info. */
enum {
	VFIO_USER_IRQ_ARGSZ = 0, /* 32 bits each */
	VFIO_USER_IRQ_FLAGS = 4,
	VFIO_USER_IRQ_INDEX = 8,
	VFIO_USER_IRQ_COUNT = 12,
	VFIO_USER_IRQ_SIZE = 16,
	VFIO_USER_IRQ_EVENTFD = 1 << 0, /* flags */
	VFIO_USER_IRQ_MASKABLE = 1 << 1,
	VFIO_USER_IRQ_AUTOMASKED = 1 << 2,
	VFIO_USER_IRQ_INTX = 0, /* indexes */
	VFIO_USER_IRQ_MSI = 1,
	VFIO_USER_IRQ_MSIX = 2,
	VFIO_USER_IRQ_ERR = 3,
	VFIO_USER_IRQ_REQ = 4,
	VFIO_USER_IRQ_INDEXES = 5,
};

/* DEVICE_SET_IRQS: struct vfio_irq_set. */
enum {
	VFIO_USER_SET_ARGSZ = 0, /* 32 bits each */
	VFIO_USER_SET_FLAGS = 4,
	VFIO_USER_SET_INDEX = 8,
	VFIO_USER_SET_START = 12,
	VFIO_USER_SET_COUNT = 16,
	VFIO_USER_SET_SIZE = 20, /* a byte an interrupt follows for DATA_BOOL */
	VFIO_USER_SET_DATA_NONE = 1 << 0, /* flags */
	VFIO_USER_SET_DATA_BOOL = 1 << 1,
	VFIO_USER_SET_DATA_EVENTFD = 1 << 2,
	VFIO_USER_SET_DATA = 7,
	VFIO_USER_SET_MASK = 1 << 3,
	VFIO_USER_SET_UNMASK = 1 << 4,
	VFIO_USER_SET_TRIGGER = 1 << 5,
	VFIO_USER_SET_ACTION = 7 << 3,
};

/* REGION_READ, REGION_WRITE; an element of REGION_WRITE_MULTI has eight bytes of data. */
enum {
	VFIO_USER_ACCESS_OFFSET = 0,  /* 64 bits */
	VFIO_USER_ACCESS_REGION = 8,  /* 32 bits */
	VFIO_USER_ACCESS_COUNT = 12,  /* 32 bits: bytes */
	VFIO_USER_ACCESS_SIZE = 16,   /* data follows */
	VFIO_USER_MULTI_COUNT = 0,    /* 64 bits: elements */
	VFIO_USER_MULTI_FIRST = 8,
	VFIO_USER_MULTI_SIZE = 24,    /* of an element */
	VFIO_USER_MULTI_DATA = 8,     /* bytes at most in one */
};

/* DMA_READ, DMA_WRITE. */
enum {
	VFIO_USER_DMA_ADDRESS = 0, /* 64 bits */
	VFIO_USER_DMA_COUNT = 8,   /* 64 bits: bytes; in the reply to DMA_WRITE 32 may do */
	VFIO_USER_DMA_SIZE = 16,   /* data follows */
};

/* DEVICE_FEATURE: struct vfio_device_feature. */
enum {
	VFIO_USER_FEATURE_ARGSZ = 0, /* 32 bits */
	VFIO_USER_FEATURE_FLAGS = 4, /* 32 bits */
	VFIO_USER_FEATURE_SIZE = 8,  /* data follows */
	VFIO_USER_FEATURE_INDEX = 0xffff, /* flags */
	VFIO_USER_FEATURE_GET = 1 << 16,
	VFIO_USER_FEATURE_SET = 1 << 17,
	VFIO_USER_FEATURE_PROBE = 1 << 18,
	VFIO_USER_FEATURE_MIGRATION = 1, /* indexes */
	VFIO_USER_FEATURE_MIG_STATE = 2,
	VFIO_USER_FEATURE_LOG_START = 6,
	VFIO_USER_FEATURE_LOG_STOP = 7,
	VFIO_USER_FEATURE_LOG_REPORT = 8,
	VFIO_USER_MIGRATION_STOP_COPY = 1 << 0, /* FEATURE_MIGRATION: 64 bits of flags */
	VFIO_USER_MIGRATION_P2P = 1 << 1,
	VFIO_USER_MIGRATION_PRE_COPY = 1 << 2,
	VFIO_USER_MIGRATION_SIZE = 8,
	VFIO_USER_MIG_STATE_STATE = 0, /* FEATURE_MIG_STATE: 32 bits; 32 unused follow */
	VFIO_USER_MIG_STATE_SIZE = 8,
	VFIO_USER_LOG_PAGE = 0,       /* LOG_START: 64 bits */
	VFIO_USER_LOG_RANGES = 8,     /* 32 bits: how many; 32 reserved follow */
	VFIO_USER_LOG_FIRST = 16,     /* address and length, 64 bits each */
	VFIO_USER_LOG_RANGE_SIZE = 16,
	VFIO_USER_REPORT_ADDRESS = 0, /* LOG_REPORT: 64 bits each */
	VFIO_USER_REPORT_BYTES = 8,
	VFIO_USER_REPORT_PAGE = 16,
	VFIO_USER_REPORT_SIZE = 24,   /* the bitmap follows: words of 64 bits */
};

/* enum vfio_device_mig_state. */
enum vfio_user_state {
	VFIO_USER_STATE_ERROR = 0,
	VFIO_USER_STATE_STOP = 1,
	VFIO_USER_STATE_RUNNING = 2,
	VFIO_USER_STATE_STOP_COPY = 3,
	VFIO_USER_STATE_RESUMING = 4,
	VFIO_USER_STATE_RUNNING_P2P = 5, /* not used */
	VFIO_USER_STATE_PRE_COPY = 6,
	VFIO_USER_STATES = 7,
};

/* MIG_DATA_READ, MIG_DATA_WRITE. */
enum {
	VFIO_USER_MIG_ARGSZ = 0, /* 32 bits */
	VFIO_USER_MIG_BYTES = 4, /* 32 bits */
	VFIO_USER_MIG_SIZE = 8,  /* data follows */
};

#endif
