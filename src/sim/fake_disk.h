/* sim/fake_disk.h -- a namespace that is an array: takes requests, and completes them when told to,
 * in a random order; it can refuse, fail, and be read only.  Plain: what the fronts of the disk class are
 * tested with.
 *
 * A request has its effect when it completes, so the order of completions is the order of effects.
 *
 * Threads: the test's.  Memory: the caller's. */
#ifndef SIM_FAKE_DISK_H
#define SIM_FAKE_DISK_H

#include "channel/block.h"

enum { FAKE_DISK_REQUESTS = 1024 };

struct fake_disk {
	struct block_back back;
	uint8_t *bytes;
	uint64_t seed; /* of the order */
	bool in_order;
	bool checks_range; /* what is out of range ends so; else it must not come */
	unsigned room; /* requests that it takes before it is full */
	struct block_request *pending[FAKE_DISK_REQUESTS];
	unsigned count;
	enum block_result next_result; /* of the next request; BLOCK_DONE: what it deserves */
	unsigned fail_one_in; /* requests that end with BLOCK_MEDIUM_ERROR, at random; 0: none */
	unsigned submitted, cancelled, flushes, fua;
	uint32_t last_flags;
	uint64_t unflushed; /* bytes written and not flushed */
};

void fake_disk_init(struct fake_disk *disk, uint8_t *bytes, uint64_t size, uint32_t block_size);
/* Completes up to 'most' requests; returns how many. */
unsigned fake_disk_run(struct worker *worker, struct fake_disk *disk, unsigned most);

#endif
