/* spec/virtio_blk.h -- virtio 1.2 section 5.2, block device: feature bits, configuration space and
 * requests, as numbers. */
#ifndef SPEC_VIRTIO_BLK_H
#define SPEC_VIRTIO_BLK_H

/* Section 5.2.3. */
enum virtio_blk_feature {
	VIRTIO_BLK_F_SIZE_MAX = 1,
	VIRTIO_BLK_F_SEG_MAX = 2,
	VIRTIO_BLK_F_GEOMETRY = 4,
	VIRTIO_BLK_F_RO = 5,
	VIRTIO_BLK_F_BLK_SIZE = 6,
	VIRTIO_BLK_F_FLUSH = 9,
	VIRTIO_BLK_F_TOPOLOGY = 10,
	VIRTIO_BLK_F_CONFIG_WCE = 11,
	VIRTIO_BLK_F_MQ = 12,
	VIRTIO_BLK_F_DISCARD = 13,
	VIRTIO_BLK_F_WRITE_ZEROES = 14,
	VIRTIO_BLK_F_LIFETIME = 15,
	VIRTIO_BLK_F_SECURE_ERASE = 16,
};

/* Section 5.2.4. */
enum virtio_blk_config {
	VIRTIO_BLK_CONFIG_CAPACITY = 0,              /* le64, of 512 bytes */
	VIRTIO_BLK_CONFIG_SIZE_MAX = 8,              /* le32 */
	VIRTIO_BLK_CONFIG_SEG_MAX = 12,              /* le32 */
	VIRTIO_BLK_CONFIG_CYLINDERS = 16,            /* le16 */
	VIRTIO_BLK_CONFIG_HEADS = 18,                /* u8 */
	VIRTIO_BLK_CONFIG_SECTORS = 19,              /* u8 */
	VIRTIO_BLK_CONFIG_BLK_SIZE = 20,             /* le32 */
	VIRTIO_BLK_CONFIG_PHYSICAL_EXP = 24,         /* u8: logical blocks a physical one, log2 */
	VIRTIO_BLK_CONFIG_ALIGNMENT_OFFSET = 25,     /* u8 */
	VIRTIO_BLK_CONFIG_MIN_IO_SIZE = 26,          /* le16, of blk_size */
	VIRTIO_BLK_CONFIG_OPT_IO_SIZE = 28,          /* le32, of blk_size */
	VIRTIO_BLK_CONFIG_WRITEBACK = 32,            /* u8 */
	VIRTIO_BLK_CONFIG_NUM_QUEUES = 34,           /* le16 */
	VIRTIO_BLK_CONFIG_DISCARD_SECTORS = 36,      /* le32 */
	VIRTIO_BLK_CONFIG_DISCARD_SEG = 40,          /* le32 */
	VIRTIO_BLK_CONFIG_DISCARD_ALIGNMENT = 44,    /* le32, of 512 bytes */
	VIRTIO_BLK_CONFIG_ZEROES_SECTORS = 48,       /* le32 */
	VIRTIO_BLK_CONFIG_ZEROES_SEG = 52,           /* le32 */
	VIRTIO_BLK_CONFIG_ZEROES_MAY_UNMAP = 56,     /* u8 */
	VIRTIO_BLK_CONFIG_SIZE = 72,
};

/* Section 5.2.6: in front of the data; the last byte that is written is the status. */
enum virtio_blk_request {
	VIRTIO_BLK_REQ_TYPE = 0,                     /* le32 */
	VIRTIO_BLK_REQ_SECTOR = 8,                   /* le64, of 512 bytes */
	VIRTIO_BLK_REQ_SIZE = 16,
	VIRTIO_BLK_SECTOR = 512,
	VIRTIO_BLK_ID_BYTES = 20,
};

enum virtio_blk_type {
	VIRTIO_BLK_T_IN = 0,
	VIRTIO_BLK_T_OUT = 1,
	VIRTIO_BLK_T_FLUSH = 4,
	VIRTIO_BLK_T_GET_ID = 8,
	VIRTIO_BLK_T_DISCARD = 11,
	VIRTIO_BLK_T_WRITE_ZEROES = 13,
};

/* The data of DISCARD and WRITE_ZEROES: one or more of these. */
enum virtio_blk_range {
	VIRTIO_BLK_RANGE_SECTOR = 0,                 /* le64 */
	VIRTIO_BLK_RANGE_SECTORS = 8,                /* le32 */
	VIRTIO_BLK_RANGE_FLAGS = 12,                 /* le32 */
	VIRTIO_BLK_RANGE_SIZE = 16,
	VIRTIO_BLK_RANGE_F_UNMAP = 1,
};

enum virtio_blk_status { VIRTIO_BLK_S_OK = 0, VIRTIO_BLK_S_IOERR = 1, VIRTIO_BLK_S_UNSUPP = 2 };

#endif
