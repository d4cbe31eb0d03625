/* channel/medium.h -- what keeps a disk card's bytes: a file or block device (media/), memory, a
 * simulated disk.
 *
 * Requests are those of channel/block.h with 'first' counted from the start of the medium; a medium
 * does BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD and BLOCK_WRITE_ZEROES, the card makes
 * the others of these.  It completes them in any order.
 *
 * Threads: the worker of the card; before it has one, the control thread, with NULL for the worker.
 * The card calls submit and reap with its hold released, because what is below may take its time. */
#ifndef CHANNEL_MEDIUM_H
#define CHANNEL_MEDIUM_H

#include "channel/block.h"

struct medium;

struct medium_ops {
	const char *name; /* "file", "memory" */
	/* Begins requests, from the first on; returns how many it took.  Segments are used until
	 * the request is reaped. */
	unsigned (*submit)(struct worker *, struct medium *, struct block_request **requests,
			   unsigned n);
	/* Requests that have ended, their result set; they are the caller's again (done() is the
	 * caller's to call). */
	unsigned (*reap)(struct worker *, struct medium *, struct block_request **requests,
			 unsigned max);
	/* Before a worker sleeps: true when something has ended already.  Under the hold: must not
	 * wait. */
	bool (*arm)(struct worker *, struct medium *);
};

struct medium {
	const struct medium_ops *ops;
	uint64_t size;	     /* bytes */
	uint32_t block_size; /* smallest access: 512 or 4096 */
	uint32_t physical_block_size;
	uint32_t alignment;    /* bytes that segments' addresses and sizes must be multiples of; 1:
				* any.    The medium bounces what is not, but that costs a copy */
	uint32_t transfer_max; /* bytes of one read or write, a multiple of 4096; 0: no limit */
	uint32_t discard_granularity; /* 0: cannot discard */
	bool read_only;
	bool volatile_cache;
	int wake_fd; /* becomes readable when a request ends, after arm(); -1: must be polled */
};

#endif
