/* prog/avail_clock.h -- ends a calculation when its time is over.
 *
 * Threads: any.  Memory: the caller's. */
#ifndef PROG_AVAIL_CLOCK_H
#define PROG_AVAIL_CLOCK_H

#include "base/base.h"

struct avail_clock {
	uint64_t end_ns;     /* of os/clock.h; UINT64_MAX: never */
	uint64_t diagram_ns; /* when two thirds of the time are over */
};

struct avail_clock avail_clock_start(uint64_t seconds); /* 0: never ends */

/* For struct avail_budget: whether there is time left. */
bool avail_clock_go_on(void *clock);

/* The same, for what must leave time for bounds and for the rest of the answer. */
bool avail_clock_go_on_first(void *clock);

#endif
