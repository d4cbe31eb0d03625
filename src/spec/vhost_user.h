/* spec/vhost_user.h -- names and layouts of the vhost-user protocol, as QEMU's documentation
 * publishes it ("Vhost-user Protocol", docs/interop/vhost-user).  Nothing but numbers.
 *
 * Numbers are in the byte order of the machine; both ends are on one machine, and every machine we
 * build for is little-endian. */
#ifndef SPEC_VHOST_USER_H
#define SPEC_VHOST_USER_H

/* "Header": request, flags, size of the payload; 32 bits each. */
enum {
	VHOST_USER_HEADER_SIZE = 12,
	VHOST_USER_HEADER_REQUEST = 0,
	VHOST_USER_HEADER_FLAGS = 4,
	VHOST_USER_HEADER_PAYLOAD_SIZE = 8,
	VHOST_USER_VERSION = 1,
	VHOST_USER_VERSION_MASK = 3,
	VHOST_USER_FLAG_REPLY = 1 << 2,
	VHOST_USER_FLAG_NEED_REPLY = 1 << 3,
};

/* "Front-end message types". */
enum vhost_user_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_RESET_OWNER = 4,
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_LOG_BASE = 6,
	VHOST_USER_SET_LOG_FD = 7,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_SET_VRING_ERR = 14,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_SET_PROTOCOL_FEATURES = 16,
	VHOST_USER_GET_QUEUE_NUM = 17,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_SEND_RARP = 19,
	VHOST_USER_NET_SET_MTU = 20,
	VHOST_USER_SET_BACKEND_REQ_FD = 21,
	VHOST_USER_IOTLB_MSG = 22,
	VHOST_USER_SET_VRING_ENDIAN = 23,
	VHOST_USER_GET_CONFIG = 24,
	VHOST_USER_SET_CONFIG = 25,
	VHOST_USER_GET_INFLIGHT_FD = 31,
	VHOST_USER_SET_INFLIGHT_FD = 32,
	VHOST_USER_RESET_DEVICE = 34,
	VHOST_USER_GET_MAX_MEM_SLOTS = 36,
	VHOST_USER_ADD_MEM_REG = 37,
	VHOST_USER_REM_MEM_REG = 38,
	VHOST_USER_SET_STATUS = 39,
	VHOST_USER_GET_STATUS = 40,
	VHOST_USER_REQUESTS = 41, /* one past the last we know */
};

/* "Back-end message types": what we send on the back-end channel. */
enum vhost_user_backend_request {
	VHOST_USER_BACKEND_IOTLB_MSG = 1,
	VHOST_USER_BACKEND_CONFIG_CHANGE_MSG = 2,
};

/* "Protocol features": bit numbers. */
enum vhost_user_protocol_feature {
	VHOST_USER_PROTOCOL_F_MQ = 0,
	VHOST_USER_PROTOCOL_F_LOG_SHMFD = 1,
	VHOST_USER_PROTOCOL_F_RARP = 2,
	VHOST_USER_PROTOCOL_F_REPLY_ACK = 3,
	VHOST_USER_PROTOCOL_F_NET_MTU = 4,
	VHOST_USER_PROTOCOL_F_BACKEND_REQ = 5,
	VHOST_USER_PROTOCOL_F_CONFIG = 9,
	VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD = 10,
	VHOST_USER_PROTOCOL_F_HOST_NOTIFIER = 11,
	VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD = 12,
	VHOST_USER_PROTOCOL_F_RESET_DEVICE = 13,
	VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS = 15,
	VHOST_USER_PROTOCOL_F_STATUS = 16,
};

/* Bits of SET_FEATURES that are not virtio's. */
enum {
	VHOST_F_LOG_ALL = 26,
	VHOST_USER_F_PROTOCOL_FEATURES = 30,
};

/* "Memory regions description": count, padding, then regions. */
enum {
	VHOST_USER_MEM_COUNT = 0,
	VHOST_USER_MEM_FIRST = 8,
	VHOST_USER_MEM_REGIONS_MAX = 8, /* in one SET_MEM_TABLE, and descriptors in one message */
	/* One region: guest address, size, user address, mmap offset; 64 bits each. */
	VHOST_USER_REGION_GUEST = 0,
	VHOST_USER_REGION_SIZE = 8,
	VHOST_USER_REGION_USER = 16,
	VHOST_USER_REGION_OFFSET = 24,
	VHOST_USER_REGION_BYTES = 32,
	/* "Single memory region description": 64 bits of padding before the region. */
	VHOST_USER_SINGLE_FIRST = 8,
};

/* "Vring state": index, number.  "Vring address": the fields below. */
enum {
	VHOST_USER_STATE_INDEX = 0,
	VHOST_USER_STATE_NUM = 4,
	VHOST_USER_STATE_BYTES = 8,
	VHOST_USER_ADDR_INDEX = 0,
	VHOST_USER_ADDR_FLAGS = 4,
	VHOST_USER_ADDR_DESC = 8,
	VHOST_USER_ADDR_USED = 16,
	VHOST_USER_ADDR_AVAIL = 24,
	VHOST_USER_ADDR_LOG = 32,
	VHOST_USER_ADDR_BYTES = 40,
	VHOST_VRING_F_LOG = 1 << 0,
};

/* SET_VRING_KICK, _CALL, _ERR: bits 0-7 the index, bit 8: no descriptor comes with it. */
enum {
	VHOST_USER_VRING_INDEX_MASK = 0xff,
	VHOST_USER_VRING_NOFD = 1 << 8,
};

/* "Log description". */
enum {
	VHOST_USER_LOG_SIZE = 0,
	VHOST_USER_LOG_OFFSET = 8,
	VHOST_USER_LOG_BYTES = 16,
	VHOST_LOG_PAGE = 0x1000,
};

/* "IOTLB message". */
enum {
	VHOST_USER_IOTLB_IOVA = 0,
	VHOST_USER_IOTLB_SIZE = 8,
	VHOST_USER_IOTLB_USER = 16,
	VHOST_USER_IOTLB_PERM = 24,
	VHOST_USER_IOTLB_TYPE = 25,
	VHOST_USER_IOTLB_USED = 26,  /* bytes that mean something */
	VHOST_USER_IOTLB_BYTES = 32, /* bytes that are sent */
	VHOST_USER_IOTLB_MISS = 1,
	VHOST_USER_IOTLB_UPDATE = 2,
	VHOST_USER_IOTLB_INVALIDATE = 3,
	VHOST_USER_IOTLB_ACCESS_FAIL = 4,
};

/* "Virtio device config space": offset, size, flags, then bytes. */
enum {
	VHOST_USER_CONFIG_OFFSET = 0,
	VHOST_USER_CONFIG_SIZE = 4,
	VHOST_USER_CONFIG_FLAGS = 8,
	VHOST_USER_CONFIG_FIRST = 12,
	VHOST_USER_CONFIG_MAX = 256,
	VHOST_USER_CONFIG_MIGRATION = 1,
};

/* "Inflight description". */
enum {
	VHOST_USER_INFLIGHT_SIZE = 0,
	VHOST_USER_INFLIGHT_OFFSET = 8,
	VHOST_USER_INFLIGHT_QUEUES = 16,
	VHOST_USER_INFLIGHT_QUEUE_SIZE = 18,
	VHOST_USER_INFLIGHT_USED = 20,  /* bytes that mean something */
	VHOST_USER_INFLIGHT_BYTES = 24, /* bytes that some frontends send */
};

#endif
