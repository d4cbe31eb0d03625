/* os/workers.h -- the data threads: DPDK lcores that poll cards, back off to sleep, and beat.
 *
 * An idle worker sleeps in epoll on the kick descriptors of its queues and on its own wake-up
 * descriptor; when a line port cannot wake it, at most idle_wake_ns.  Each round it beats; the
 * control thread reads beats and tells a dead worker (stuck in a driver) from a starved one (ready
 * to run, but the host gave it no CPU).
 *
 * Threads: control calls these, unless said otherwise. */
#ifndef OS_WORKERS_H
#define OS_WORKERS_H

#include "base/refusal.h"
#include "base/thread.h"

struct nic_card;

struct eal_conf {
	const char *name;      /* of the site: for the DPDK file prefix */
	unsigned workers;      /* data threads, >= 1 */
	unsigned memory_mb;    /* without hugepages: how much ordinary memory to reserve */
	const char *const *pci_allow; /* PCI addresses of line ports; NULL-terminated or NULL */
};

/* Starts DPDK's environment: hugepages when the host has some free, ordinary memory otherwise;
 * the calling thread becomes the control thread.  -errno with 'why'. */
int eal_start(const struct eal_conf *conf, struct refusal *why);
void eal_stop(void);
/* "2 MiB hugepages" or "ordinary pages": for people. */
const char *eal_memory_kind(void);

struct workers;

/* Starts the data threads; idle ones sleep.  -errno with 'why'. */
int workers_create(struct workers **workers, unsigned count, uint64_t idle_wake_ns,
		   struct refusal *why);
/* Stops and joins them; a worker that is stuck in a driver is left behind after 1 s. */
void workers_destroy(struct workers *workers);

/* Gives a card to worker 'index', or takes it away again.  Returns at once; the worker notices at
 * its next round. remove waits until the worker has left the card, unless it is stuck: -EBUSY. */
void workers_add_card(struct workers *workers, unsigned index, struct nic_card *card);
int workers_remove_card(struct workers *workers, unsigned index, struct nic_card *card);

/* Wakes worker 'index' if it sleeps.  Any thread. */
void workers_wake(struct workers *workers, unsigned index);

/* Adds or removes a descriptor whose readability ends the sleep of worker 'index' (a kick
 * descriptor; an interrupt of a line port).  The worker does not read it: its owner does. */
int workers_watch(struct workers *workers, unsigned index, int fd);
void workers_unwatch(struct workers *workers, unsigned index, int fd);

enum worker_health { WORKER_WELL, WORKER_STARVED, WORKER_STUCK };
/* Judges the silence of worker 'index': stuck when it has not beaten for 'limit_ns' although the
 * host let it run (or it is blocked in the kernel outside its own sleep). */
enum worker_health workers_health(struct workers *workers, unsigned index, uint64_t now_ns,
				  uint64_t limit_ns);

struct worker_usage {
	uint64_t rounds, busy_rounds, sleeps;
	uint64_t cpu_ns; /* CPU time of the thread */
};
void workers_usage(struct workers *workers, unsigned index, struct worker_usage *usage);
unsigned workers_count(const struct workers *workers);

#endif
