/* prog/avail_simulate.h -- runs a simulation on all cores.
 *
 * Threads: control; starts its own and waits for them.  Memory: none kept. */
#ifndef PROG_AVAIL_SIMULATE_H
#define PROG_AVAIL_SIMULATE_H

#include "avail/simulate.h"
#include "prog/avail_clock.h"

struct avail_simulation {
	uint64_t replications, seed;
	unsigned threads;          /* 0: one a CPU */
	struct avail_clock *clock; /* ends it early; the result says how many were made.  NULL: never */
};

/* The result does not depend on the number of threads unless the clock ended it.
 *
 * 0, or a negative errno. */
int avail_simulate(const struct avail_play *play, const struct avail_simulation *how,
		   struct avail_play_result *result);

#endif
