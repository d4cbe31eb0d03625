/* media/nvme_medium.h -- a namespace of an NVMe controller as a medium, driven by our own small driver
 * (dev/nvme_driver.h), wherever the controller is: behind VFIO, or a vfio-user socket.
 *
 * The device reaches the memory that it is handed here and nothing else.  Data is copied: a guest's memory is
 * lent to us, not to the device, whose IOMMU knows none of it.  So a request of a controller that has died
 * can be ended at once: whatever the device still does, it does to our own buffers.
 *
 * A controller is dead when it says so (CSTS.CFS), reads all ones, is no longer enabled, keeps a command
 * longer than its patience, or completes what nobody asked for.  Then every request ends with BLOCK_GONE,
 * for good.
 *
 * Threads and memory: media/media.h.  One queue, polled: wake_fd is -1. */
#ifndef MEDIA_NVME_MEDIUM_H
#define MEDIA_NVME_MEDIUM_H

#include "dev/nvme_driver.h"
#include "media/media.h"

enum {
	NVME_MEDIUM_DEPTH = 128,		/* commands at the controller */
	NVME_MEDIUM_TRANSFER_MAX = 128 << 10,	/* bytes of one: the size of its buffer */
	NVME_MEDIUM_PATIENCE_S = 30,		/* with one command, unless set otherwise */
};

struct nvme_medium_conf {
	/* Registers and doorbells.  wait may be NULL: then 50 us pass; what it returns counts, and so
	 * do the controller's own time limits. */
	struct nvme_driver_device device;
	struct nvme_driver_memory memory; /* nvme_medium_bytes(), zeroed */
	uint32_t nsid;			  /* 0: the first active namespace */
	enum medium_access access;
	uint64_t patience_ns; /* with one command; 0: NVME_MEDIUM_PATIENCE_S */
	const char *how;      /* medium_how() while it lives; kept */
	/* Called by medium_close() at its end, and not when nvme_medium_open() fails; or NULL. */
	void (*close)(void *owner);
};

/* Bytes of memory that the controller must reach. */
uint64_t nvme_medium_bytes(void);

/* Brings the controller up.  0, or as nvme_driver_open() has it, or -ENOMEM, with 'why'. */
int nvme_medium_open(struct medium **medium, const struct nvme_medium_conf *conf,
		     struct refusal *why);

/* As medium_open() of MEDIUM_VFIO. */
int vfio_medium_open(struct medium **medium, const struct medium_conf *conf, struct refusal *why);

#endif
