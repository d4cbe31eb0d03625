/* os/worker.h -- one data thread: its loop, its sleep, and what the control thread may read of it.
 *
 * Inside os/ only; the rest of the program uses os/workers.h.
 *
 * Threads: worker_run is the data thread; the atomics are what both sides touch. */
#ifndef OS_WORKER_H
#define OS_WORKER_H

#include "os/patience.h"
#include "os/workers.h"

#include <pthread.h>
#include <sys/types.h>

/* Monotonic time from the cycle counter, set right against CLOCK_MONOTONIC now and then, and never
 * going back. */
struct cycle_clock {
	uint64_t base_cycles, base_ns, last_ns;
	uint64_t resync_cycles; /* read the real clock again after so many */
	uint64_t ns_per_cycle_q32;
};

enum { WORKER_NOWHERE = 0 }; /* worker.inside: else 1 + the slot */

struct worker {
	/* written by the worker, every round */
	cache_aligned _Atomic uint64_t beat_ns;
	_Atomic uint64_t asleep_until_ns; /* 0: awake */
	_Atomic uint32_t inside;          /* 1 + slot of the card it is in, or WORKER_NOWHERE */
	struct counter rounds, busy_rounds, busy_ns, sleeps;
	struct cycle_clock clock;
	bool armed;              /* the cards were asked for wake-ups */
	uint64_t idle_since_ns;  /* when the first empty round of this row began; 0: busy */
	uint64_t busy_since_ns;  /* when the last round began, if it moved something; 0: it did not */
	uint64_t line_sleep_ns;  /* next sleep while a line must be polled */

	/* written by the control thread */
	cache_aligned _Atomic(struct polled *) cards[WORKER_CARDS_MAX];
	_Atomic uint32_t slots;  /* cards[] beyond are empty */
	_Atomic bool stop;

	/* written once, before the first round */
	cache_aligned unsigned index;
	uint64_t idle_wake_ns;
	int epoll_fd, wake_fd;
	_Atomic pid_t tid;       /* 0 until the thread runs */
	pthread_t thread;
	struct patience patience;
	sigset_t asleep;         /* signals that do not end its sleep */
	_Atomic bool ended;

	/* the control thread's own: what workers_health saw last */
	uint64_t seen_beat_ns, seen_at_ns, seen_cpu_ns;
};

/* The data thread; returns when 'stop' is set. */
int worker_run(void *worker);

/* Control thread: CPU time that the thread has used; and the judgement of workers_health(). */
uint64_t worker_cpu_ns(struct worker *worker);
enum worker_health worker_health(struct worker *worker, uint64_t now_ns, uint64_t limit_ns);

/* Now, for the worker itself. */
uint64_t worker_now_ns(struct worker *worker);

#endif
