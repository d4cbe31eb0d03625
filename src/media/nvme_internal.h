/* media/nvme_internal.h -- the inside of a medium on an NVMe controller: nvme_medium.c opens and closes it,
 * nvme_io.c begins and ends requests. */
#ifndef MEDIA_NVME_INTERNAL_H
#define MEDIA_NVME_INTERNAL_H

#include "media/any_medium.h"
#include "media/nvme_medium.h"

enum { NVME_ENDED_MAX = 2 * NVME_MEDIUM_DEPTH };

/* What a request is at.  Most need one command; zeroes may need many, and a discard that must be durable
 * is followed by a flush. */
enum nvme_step { NVME_STEP_FIRST, NVME_STEP_SYNC };

/* A request at the controller; its place in the table is the command's tag, and says which buffer it has. */
struct nvme_io {
	struct block_request *request; /* NULL: free */
	struct nvme_io *next_free;
	enum nvme_step step;
	uint64_t done, piece; /* bytes of it that are done; that the command under way is for */
	uint64_t begun_ns;    /* the command under way */
};

struct nvme_medium {
	struct any_medium any; /* first */
	struct nvme_medium_conf conf;
	struct nvme_driver driver;
	uint64_t limit_ns; /* while the control thread waits for the controller */
	uint8_t *buffers;  /* NVME_MEDIUM_TRANSFER_MAX bytes for each command */
	uint64_t buffers_iova;
	struct nvme_io ios[NVME_MEDIUM_DEPTH], *free_ios;
	bool dead, posted;
	bool moved; /* something has ended since the last look at the controller */
	uint64_t look_ns;
	struct block_request *ended[NVME_ENDED_MAX];
	unsigned ended_count;
	_Atomic uint32_t in_flight;
};

extern const struct medium_ops nvme_medium_ops;

/* CLOCK_MONOTONIC. */
uint64_t nvme_medium_now_ns(void);

#endif
