/* channel/polled.h -- what a worker runs: a card of any class, or whatever else wants a turn in
 * each round, as a table of operations.
 *
 * Threads: the one worker that it was given to (os/workers.h).  Memory: the first member of what is
 * run; it must stay until the worker has given it back. */
#ifndef CHANNEL_POLLED_H
#define CHANNEL_POLLED_H

#include "base/thread.h"

struct polled;

struct polled_ops {
	/* One round.  Returns how much was done; 0: nothing to do now. */
	unsigned (*poll)(struct worker *, struct polled *, uint64_t now_ns);
	/* Absolute time at which a poll has work although nobody kicks; UINT64_MAX: none; 0: now. */
	uint64_t (*deadline_ns)(struct worker *, struct polled *);
	/* Before the worker sleeps: asks everybody for a wake-up.  True: do not sleep. */
	bool (*arm)(struct worker *, struct polled *);
	void (*disarm)(struct worker *, struct polled *);
	/* Whether something below has no wake-up of its own, so that somebody must poll it. */
	bool (*needs_poll)(struct worker *, struct polled *);
};

struct polled {
	const struct polled_ops *ops;
};

#endif
