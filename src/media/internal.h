/* media/internal.h -- what the files of media/ share: how each kind is opened, and the insides of a file.
 *
 * file.c opens: geometry, lock, ring.  file_ring.c begins and ends requests. */
#ifndef MEDIA_INTERNAL_H
#define MEDIA_INTERNAL_H

#include "media/any_medium.h"

#include <liburing.h>
#include <sys/uio.h>

enum {
	FILE_DEPTH = 256,          /* requests at the kernel */
	FILE_TRANSFER_MAX = 1 << 20,
	FILE_BOUNCES = 16,         /* of FILE_TRANSFER_MAX bytes */
	FILE_ZEROES = 1 << 20,     /* bytes of zeroes written at once */
	FILE_NO_BOUNCE = -1,
};

/* What a request is at.  Most need one step; zeroes may have to be written, and what must be
 * durable and cannot say so is followed by a sync. */
enum file_step { FILE_STEP_FIRST, FILE_STEP_WRITE_ZEROES, FILE_STEP_SYNC };

/* A request at the kernel. */
struct file_io {
	struct block_request *request;
	struct file_io *next_free;
	enum file_step step;
	int bounce;              /* FILE_NO_BOUNCE, or its number */
	uint64_t done;           /* bytes of it */
	unsigned iov_first, iov_count; /* what is left of iov */
	struct iovec iov[BLOCK_SEGS_MAX];
};

struct file_medium {
	struct any_medium any; /* first */
	int fd, wake_fd;
	struct io_uring ring;
	bool ring_there, registered_file, registered_bounces, wakes;
	bool direct;
	uint32_t memory_align; /* of direct I/O */
	struct file_io *ios, *free_ios;
	uint8_t *bounces;      /* FILE_BOUNCES * FILE_TRANSFER_MAX */
	uint8_t *zeroes;       /* FILE_ZEROES bytes of them */
	unsigned free_bounces, free_bounce[FILE_BOUNCES];
	/* Requests that ended without the kernel, or went on with it, in submit. */
	struct block_request *ended[FILE_DEPTH];
	unsigned ended_count;
	_Atomic uint32_t in_flight;
};

int memory_medium_open(struct medium **medium, const struct medium_conf *conf, struct refusal *why);
int file_medium_open(struct medium **medium, const struct medium_conf *conf, struct refusal *why);

extern const struct medium_ops file_medium_ops;

#endif
