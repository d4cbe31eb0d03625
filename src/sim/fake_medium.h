/* sim/fake_medium.h -- a medium for tests: bytes of memory with a volatile cache, requests that end
 * in any order, errors, a power cut, and a medium that never answers.
 *
 * Threads: one.  Memory: caller's; the bytes are allocated by fake_medium_init. */
#ifndef SIM_FAKE_MEDIUM_H
#define SIM_FAKE_MEDIUM_H

#include "channel/medium.h"

enum { FAKE_MEDIUM_PENDING = 256 };

struct fake_medium {
	struct medium medium; /* first */
	uint8_t *bytes;       /* as reads see them */
	uint8_t *durable;     /* as they are after a power cut, at worst */
	uint64_t seed;
	struct block_request *pending[FAKE_MEDIUM_PENDING];
	unsigned pending_count;
	unsigned room;        /* takes no more than so many at once */
	unsigned reap_max;    /* gives back at most so many at once; 0: it hangs */
	bool in_order;        /* requests end in their order; else in any */
	uint64_t bad_first, bad_size; /* these bytes give BLOCK_MEDIUM_ERROR */
	unsigned fail_writes; /* so many writes fail from now on */
	unsigned submits, reads, writes, flushes, zeroes, discards;
};

/* 'size' bytes of zeroes; discards and caches as a disk does. */
void fake_medium_init(struct fake_medium *fake, uint64_t size, uint64_t seed);
void fake_medium_fini(struct fake_medium *fake);

/* The power goes: what was begun is lost or not, what was not flushed is lost or not, block by
 * block.  Requests that were pending are forgotten: their owner has died, too. */
void fake_medium_power_cut(struct fake_medium *fake);

#endif
