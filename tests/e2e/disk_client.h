/* disk_client.h -- what the disk client needs of a kind of function: commands by tags, over vfio-user.
 *
 * Threads: one.  Memory: d.memory is the guest's, all of it granted at IOVA. */
#ifndef DISK_CLIENT_H
#define DISK_CLIENT_H

#include "attach/vfio_user_client.h"
#include "base/base.h"

enum {
	CLIENT_MEMORY = 32 << 20,
	CLIENT_DATA_AT = 8 << 20, /* data of tag n: CLIENT_PIECE bytes from n times that on */
	CLIENT_PIECE = 64 << 10,
	CLIENT_DEPTH_MAX = 128,
	CLIENT_BLOCK = 512,
};
/* Above 2^45, as SPDK's client maps its own addresses. */
#define CLIENT_IOVA (UINT64_C(1) << 45 | 0x7000)

enum client_op { CLIENT_READ, CLIENT_WRITE, CLIENT_FLUSH };

/* A command has ended: 0, or a status of the kind. */
typedef void client_done_fn(uint32_t tag, unsigned status);

struct client_kind {
	const char *name;
	/* Brings the driver up for 'depth' commands at once, anew each time; *bytes: of the disk.  0 or -errno. */
	int (*open)(struct vfio_user_client *client, uint8_t *memory, unsigned depth, uint64_t *bytes);
	void (*post)(uint32_t tag, enum client_op op, uint64_t offset, uint32_t size);
	/* Tells the device, and takes what has ended; -errno when the device breaks the rules. */
	int (*turn)(client_done_fn *done);
	int (*close)(void);
	bool (*caches)(void); /* what is written needs a flush */
};

extern const struct client_kind client_nvme, client_virtio_blk, client_virtio_blk_silent;

static inline uint64_t client_data_iova(uint32_t tag)
{
	return CLIENT_IOVA + CLIENT_DATA_AT + (uint64_t)tag * CLIENT_PIECE;
}

#endif
