/* spec/virtio.h -- virtio 1.2 (OASIS): reserved feature bits and the layout of both kinds of
 * virtqueue, as numbers.  Little-endian throughout (section 1.4). */
#ifndef SPEC_VIRTIO_H
#define SPEC_VIRTIO_H

/* Section 6: bits that mean the same for each device. */
enum virtio_feature {
	VIRTIO_F_ANY_LAYOUT = 27,       /* legacy interface, section 6.3 */
	VIRTIO_F_INDIRECT_DESC = 28,
	VIRTIO_F_EVENT_IDX = 29,
	VIRTIO_F_VERSION_1 = 32,
	VIRTIO_F_ACCESS_PLATFORM = 33,
	VIRTIO_F_RING_PACKED = 34,
	VIRTIO_F_IN_ORDER = 35,
};

/* Section 2.7.5 and 2.8.13: one descriptor, split and packed. */
enum virtq_desc {
	VIRTQ_DESC_ADDR = 0,            /* le64 */
	VIRTQ_DESC_LEN = 8,             /* le32 */
	VIRTQ_DESC_SPLIT_FLAGS = 12,    /* le16 */
	VIRTQ_DESC_SPLIT_NEXT = 14,     /* le16 */
	VIRTQ_DESC_PACKED_ID = 12,      /* le16 */
	VIRTQ_DESC_PACKED_FLAGS = 14,   /* le16 */
	VIRTQ_DESC_SIZE = 16,
	VIRTQ_DESC_ALIGN = 16,
};

enum virtq_desc_flag {
	VIRTQ_DESC_F_NEXT = 1,
	VIRTQ_DESC_F_WRITE = 2,
	VIRTQ_DESC_F_INDIRECT = 4,
	VIRTQ_DESC_F_AVAIL = 1 << 7,    /* packed only */
	VIRTQ_DESC_F_USED = 1 << 15,    /* packed only */
};

/* Section 2.7.6: the driver area of a split ring.  used_event follows the last entry. */
enum virtq_avail {
	VIRTQ_AVAIL_FLAGS = 0,          /* le16 */
	VIRTQ_AVAIL_IDX = 2,            /* le16 */
	VIRTQ_AVAIL_RING = 4,           /* le16 each */
	VIRTQ_AVAIL_ENTRY_SIZE = 2,
	VIRTQ_AVAIL_F_NO_INTERRUPT = 1,
	VIRTQ_AVAIL_ALIGN = 2,
};

/* Section 2.7.8: the device area of a split ring.  avail_event follows the last entry. */
enum virtq_used {
	VIRTQ_USED_FLAGS = 0,           /* le16 */
	VIRTQ_USED_IDX = 2,             /* le16 */
	VIRTQ_USED_RING = 4,            /* le32 id, le32 len each */
	VIRTQ_USED_ENTRY_SIZE = 8,
	VIRTQ_USED_F_NO_NOTIFY = 1,
	VIRTQ_USED_ALIGN = 4,
};

/* Section 2.8.14: driver and device area of a packed ring: event suppression. */
enum virtq_event {
	VIRTQ_EVENT_OFF_WRAP = 0,       /* le16: bits 0-14 offset, bit 15 wrap counter */
	VIRTQ_EVENT_FLAGS = 2,          /* le16: bits 0-1 */
	VIRTQ_EVENT_SIZE = 4,
	VIRTQ_EVENT_ALIGN = 4,
	VIRTQ_EVENT_F_ENABLE = 0,
	VIRTQ_EVENT_F_DISABLE = 1,
	VIRTQ_EVENT_F_DESC = 2,
};

#endif
