/* sim/fake_back.h -- a namespace for tests of fronts: bytes of memory, requests that end when the test
 * says so, in any order.
 *
 * Threads: one.  Memory: the caller's, but the bytes, which fake_back_init allocates. */
#ifndef SIM_FAKE_BACK_H
#define SIM_FAKE_BACK_H

#include "channel/block.h"

enum { FAKE_BACK_PENDING = 512 };

struct fake_back {
	struct block_back back; /* first */
	uint8_t *bytes;
	uint64_t seed;
	struct block_request *pending[FAKE_BACK_PENDING];
	unsigned pending_count;
	unsigned room;         /* takes no more than so many at once */
	enum block_result fail; /* what all end with, unless BLOCK_DONE */
	unsigned count[BLOCK_OP_COUNT], fua, unmap, refused;
};

void fake_back_init(struct fake_back *fake, uint64_t size, uint64_t seed);
void fake_back_fini(struct fake_back *fake);
/* Ends up to 'n' pending requests, in any order. */
void fake_back_end(struct fake_back *fake, unsigned n);

#endif
