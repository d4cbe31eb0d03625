/* os/workers.h -- the data threads: DPDK lcores that poll cards (channel/polled.h), back off to sleep,
 * and beat.
 *
 * An idle worker polls on for WORKER_SPIN_NS after its last frame, then asks every card for a
 * wake-up and sleeps in epoll on the kick descriptors of its queues, the wake-up descriptors of its
 * line ports and its own.  Where a line port cannot wake it, it sleeps at most idle_wake_ns and
 * polls; the fronts stay armed over such a look, so that it costs one poll and one system call.
 *
 * Each round it beats; the control thread reads beats and tells a dead worker (stuck in a driver)
 * from a starved one (ready to run, but the host gave it no CPU).
 *
 * Threads: control calls these, unless said otherwise.  Memory: made by workers_create. */
#ifndef OS_WORKERS_H
#define OS_WORKERS_H

#include "base/refusal.h"
#include "base/thread.h"
#include "os/eal.h"

enum {
	WORKER_CARDS_MAX = 64,      /* cards of one worker */
	WORKER_SPIN_NS = 60000,     /* polls on after the last frame for so long */
	WORKER_BEAT_NS = 100000000, /* longest sleep: an idle worker beats ten times a second */
	WORKER_IDLE_WAKE_NS = 1000000, /* default of idle_wake_ns */
};

struct polled;
struct workers;

/* Starts the data threads; idle ones sleep.  eal_start() went before.
 *
 * count         1..eal_conf.workers
 * idle_wake_ns  longest sleep while a line port has no wake-up of its own; 0: the default
 *
 * -errno with 'why'. */
int workers_create(struct workers **workers, unsigned count, uint64_t idle_wake_ns,
		   struct refusal *why);
/* Stops and joins them; a worker that is stuck in a driver is left behind after 1 s, and with it
 * the memory of 'workers'.  NULL is nothing. */
void workers_destroy(struct workers *workers);

/* Gives a card to worker 'index', or takes it away again.  add returns at once; the worker notices
 * at its next round.  remove waits until the worker has left the card: 0, -EBUSY when the worker
 * is stuck inside it (it will not come back to the card), -ENOENT when it never had it. */
void workers_add_card(struct workers *workers, unsigned index, struct polled *card);
int workers_remove_card(struct workers *workers, unsigned index, struct polled *card);

/* Wakes worker 'index' if it sleeps.  Any thread. */
void workers_wake(struct workers *workers, unsigned index);

/* Adds or removes a descriptor whose readability ends the sleep of worker 'index' (a kick
 * descriptor; an interrupt of a line port).  The worker does not read it: its owner does, or
 * nobody: each new event wakes once.  Unwatch before closing it.  -errno. */
int workers_watch(struct workers *workers, unsigned index, int fd);
void workers_unwatch(struct workers *workers, unsigned index, int fd);

enum worker_health { WORKER_WELL, WORKER_STARVED, WORKER_STUCK };
/* Judges the silence of worker 'index': stuck when it has not beaten for 'limit_ns' although the
 * host let it run for half of that (or it is blocked in the kernel outside its own sleep).  Call it
 * again and again, at least once per 'limit_ns': it compares with the call before. */
enum worker_health workers_health(struct workers *workers, unsigned index, uint64_t now_ns,
				  uint64_t limit_ns);

struct worker_usage {
	uint64_t rounds, busy_rounds, busy_ns, sleeps;
	uint64_t cpu_ns; /* CPU time of the thread */
};
void workers_usage(struct workers *workers, unsigned index, struct worker_usage *usage);
unsigned workers_count(const struct workers *workers);

#endif
