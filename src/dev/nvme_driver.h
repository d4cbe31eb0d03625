/* dev/nvme_driver.h -- the other side of an NVM Express controller: enough of a driver to bring one
 * up, make I/O queues, and read, write and flush.  Tests drive our controllers with it; it drives
 * any controller behind a vfio-user socket or VFIO.
 *
 * What it is not: a driver for many users: one namespace at a time, polled, PRPs only, memory pages
 * of 4 KiB; the caller finds what failed in the status.  It trusts the controller no further than its own memory: what
 * comes back is checked before it is an index.
 *
 * Threads: one for a controller's admin queue, one for each I/O queue.  Memory: the caller's, DMA
 * memory included: nvme_driver_bytes() of it, zeroed, page-aligned at both addresses. */
#ifndef DEV_NVME_DRIVER_H
#define DEV_NVME_DRIVER_H

#include "base/base.h"
#include "spec/nvme.h"
#include "spec/nvme_admin.h"

enum {
	NVME_DRIVER_QUEUES_MAX = 16,
	NVME_DRIVER_DEPTH_MAX = 256,
	NVME_DRIVER_BLOCKS_MAX = 65536, /* of one command: what its field can say */
	NVME_DRIVER_PAGES_MAX = 512, /* of one command's data after the first: one PRP list page */
};

/* How the driver reaches the device. */
struct nvme_driver_device {
	/* Registers; size 4 or 8.  0, or a negative errno that ends what was going on. */
	int (*read)(void *owner, uint32_t offset, unsigned size, uint64_t *value);
	int (*write)(void *owner, uint32_t offset, unsigned size, uint64_t value);
	/* The page of doorbells, when it is mapped; else NULL, and they are written as registers. */
	uint8_t *doorbells_or_null;
	/* Called again and again while the driver waits for the controller: lets it run, or some
	 * time pass.  False: it took too long. */
	bool (*wait)(void *owner);
	void *owner;
};

/* Memory that the device reaches, too. */
struct nvme_driver_memory {
	uint8_t *host;
	uint64_t iova; /* its address on the device's side */
	uint64_t size; /* bytes */
};

struct nvme_driver_conf {
	struct nvme_driver_device device;
	struct nvme_driver_memory memory;
	unsigned queues; /* I/O queue pairs wanted, 1..NVME_DRIVER_QUEUES_MAX; fewer may be made */
	unsigned depth;	 /* commands in flight on each, 1..NVME_DRIVER_DEPTH_MAX - 1; fewer where the
			  * controller's queues are shorter */
	uint32_t nsid;	 /* 0: the first active one */
};

struct nvme_driver;
/* A command has ended: its tag, as submitted; its status, NVME_SUCCESS or enum nvme_status with
 * flags; dword 0. */
typedef void nvme_driver_done_fn(void *owner, uint32_t tag, uint16_t status, uint32_t dw0);

struct nvme_driver_queue {
	uint8_t *sq, *cq, *lists; /* entries; a PRP list page for each command */
	uint64_t lists_iova;
	uint32_t tail, head, count;
	uint16_t id, phase;
	unsigned free_count;
	uint16_t free[NVME_DRIVER_DEPTH_MAX]; /* command IDs nobody uses */
	bool used[NVME_DRIVER_DEPTH_MAX];
	uint32_t tag[NVME_DRIVER_DEPTH_MAX];
};

struct nvme_driver {
	struct nvme_driver_device device;
	struct nvme_driver_memory memory;
	uint64_t taken; /* bytes of the memory */
	uint64_t cap;
	uint32_t nsid;
	uint64_t blocks;      /* of the namespace */
	uint32_t block_size;  /* bytes */
	uint32_t transfer_max; /* bytes of one command */
	uint16_t optional;     /* commands it has: NVME_ONCS_DATASET and the like */
	bool volatile_cache, write_protected;
	char model[NVME_IDC_MN_SIZE + 1], serial[NVME_IDC_SN_SIZE + 1];
	unsigned queue_count, depth; /* as they were made */
	uint8_t *scratch; /* a page for admin commands */
	uint64_t scratch_iova;
	bool ended; /* the admin command that is waited for: how, below */
	uint16_t ended_status;
	uint32_t ended_dw0;
	bool awaits_event, event_came;
	uint32_t event_dw0;
	struct nvme_driver_queue admin, queues[NVME_DRIVER_QUEUES_MAX];
};

/* Bytes of DMA memory that so many queues of that depth need. */
uint64_t nvme_driver_bytes(unsigned queues, unsigned depth);

/* Brings the controller up: reset, admin queue, Identify, I/O queues.  0, or:
 * -EINVAL     a number of the configuration is out of its range, or too little memory
 * -ENODEV     no such namespace, or a command set or page size that this driver does not know
 * -ETIMEDOUT  the device's wait() said so
 * -EIO        the controller failed, or refused a command that cannot be refused
 * or what device.read and device.write gave. */
int nvme_driver_open(struct nvme_driver *driver, const struct nvme_driver_conf *conf);

/* Whether it still is up: -EIO when it has failed (CSTS.CFS), is disabled, or is not there any more
 * (all ones); or what device.read gave. */
int nvme_driver_check(struct nvme_driver *driver);

/* Shuts the controller down, as section 3.6.1 asks for, and disables it. */
int nvme_driver_close(struct nvme_driver *driver);

/* Runs an admin command to its end.  sqe: 64 bytes, the command ID is filled in here.  Returns its
 * status (0 or more), or a negative errno.  dw0 may be NULL. */
int nvme_driver_admin(struct nvme_driver *driver, uint8_t *sqe, uint32_t *dw0);

/* Asks for an asynchronous event, and says whether one came since: 1 with *dw0, 0, or a negative errno
 * (-EIO: the controller refused).  Called again and again; one is asked for at a time. */
int nvme_driver_event(struct nvme_driver *driver, uint32_t *dw0);

/* Posts a command of any kind; sqe as above.  False: the queue is full. */
bool nvme_driver_post(struct nvme_driver *driver, unsigned queue, uint8_t *sqe, uint32_t tag);

/* Posts a read or write of 'count' blocks from 'lba' on; data: contiguous for the device at 'iova',
 * a multiple of 4.  -EAGAIN: the queue is full; -EINVAL: more than transfer_max, or no blocks. */
struct nvme_driver_io {
	uint8_t opcode; /* NVME_IO_READ, NVME_IO_WRITE, NVME_IO_COMPARE */
	uint32_t flags; /* of CDW12, NVME_RW_FUA */
	uint64_t lba;
	uint32_t count;
	uint64_t iova;
};
int nvme_driver_io(struct nvme_driver *driver, unsigned queue, const struct nvme_driver_io *io,
		   uint32_t tag);
bool nvme_driver_flush(struct nvme_driver *driver, unsigned queue, uint32_t tag);
/* Posts a deallocation of 'ranges' (1..256) ranges, which lie as NVME_DSM_RANGE_SIZE bytes each at
 * 'iova', a multiple of 4096.  False: the queue is full. */
bool nvme_driver_deallocate(struct nvme_driver *driver, unsigned queue, uint64_t iova,
			    unsigned ranges, uint32_t tag);

/* Tells the device of what was posted. */
int nvme_driver_ring(struct nvme_driver *driver, unsigned queue);

/* Takes what has ended and calls 'done' for each; returns how many, at most 'most'.  -EIO: the
 * controller completed what was never posted. */
int nvme_driver_poll(struct nvme_driver *driver, unsigned queue, unsigned most,
		     nvme_driver_done_fn *done, void *owner);

#endif
