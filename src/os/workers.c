/* DPDK before ours: see worker.c */
#include <rte_launch.h>
#include <rte_lcore.h>

#include "os/workers.h"

#include "os/clock.h"
#include "os/log.h"
#include "os/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define JOIN_LIMIT_NS   UINT64_C(1000000000)
#define LEAVE_LIMIT_NS  UINT64_C(1000000000)
#define LEAVE_STUCK_NS  UINT64_C(20000000)
#define LOOK_PAUSE_NS   20000

struct workers {
	unsigned count;
	struct worker worker[];
};

static void pause_ns(long ns)
{
	struct timespec t = { .tv_nsec = ns };

	(void)nanosleep(&t, NULL);
}

static struct worker *worker_of(struct workers *workers, unsigned index)
{
	must(index < workers->count);
	return &workers->worker[index];
}

static int watch(struct worker *worker, int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.fd = fd };

	return epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_descriptors(struct worker *worker)
{
	worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (worker->epoll_fd < 0)
		return -errno;
	worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->wake_fd < 0)
		return -errno;
	return watch(worker, worker->wake_fd);
}

static void close_descriptors(struct worker *worker)
{
	if (worker->epoll_fd >= 0)
		(void)close(worker->epoll_fd);
	if (worker->wake_fd >= 0)
		(void)close(worker->wake_fd);
}

/* Starts one thread and waits until it runs, so that its id is known. */
static int start(struct worker *worker)
{
	int err = open_descriptors(worker);

	if (err < 0)
		return err;
	/* lcore 0 is the control thread (os/eal.c) */
	err = rte_eal_remote_launch(worker_run, worker, worker->index + 1);
	if (err < 0)
		return err;
	/* acquire pairs with the release in worker_run */
	while (atomic_load_explicit(&worker->tid, memory_order_acquire) == 0)
		pause_ns(LOOK_PAUSE_NS);
	if (!worker->patience.there)
		log_warning("os", "worker %u has no timer: a hostile frontend can block it",
			    worker->index);
	return 0;
}

int workers_create(struct workers **workers, unsigned count, uint64_t idle_wake_ns,
		   struct refusal *why)
{
	size_t size = sizeof(struct workers) + count * sizeof(struct worker);
	struct workers *w = aligned_alloc(64, (size + 63) & ~(size_t)63);
	int err;

	must(count >= 1 && count < rte_lcore_count());
	if (!w)
		return -ENOMEM;
	memset(w, 0, size);
	for (unsigned i = 0; i < count; i++) {
		w->worker[i].index = i;
		w->worker[i].idle_wake_ns = idle_wake_ns ? idle_wake_ns : WORKER_IDLE_WAKE_NS;
		w->worker[i].epoll_fd = w->worker[i].wake_fd = -1;
	}
	for (; w->count < count; w->count++) {
		err = start(&w->worker[w->count]);
		if (err < 0) {
			refuse(why, "", "worker %u does not start: %s", w->count, strerror(-err));
			close_descriptors(&w->worker[w->count]);
			workers_destroy(w);
			return err;
		}
	}
	*workers = w;
	return 0;
}

static bool join(struct worker *worker)
{
	uint64_t limit_ns = clock_now_ns() + JOIN_LIMIT_NS;

	/* acquire pairs with the release in worker_run */
	while (!atomic_load_explicit(&worker->ended, memory_order_acquire)) {
		if (clock_now_ns() > limit_ns)
			return false;
		pause_ns(LOOK_PAUSE_NS);
	}
	(void)rte_eal_wait_lcore(worker->index + 1);
	return true;
}

void workers_destroy(struct workers *workers)
{
	bool all = true;

	if (!workers)
		return;
	for (unsigned i = 0; i < workers->count; i++) {
		atomic_store_explicit(&workers->worker[i].stop, true, memory_order_relaxed);
		workers_wake(workers, i);
	}
	for (unsigned i = 0; i < workers->count; i++) {
		if (!join(&workers->worker[i])) {
			all = false;
			eal_thread_left_behind();
			continue;
		}
		close_descriptors(&workers->worker[i]);
	}
	if (all)
		free(workers);
}

void workers_add_card(struct workers *workers, unsigned index, struct polled *card)
{
	struct worker *worker = worker_of(workers, index);
	uint32_t slot = 0;

	while (slot < WORKER_CARDS_MAX && atomic_load(&worker->cards[slot]))
		slot++;
	must(slot < WORKER_CARDS_MAX);
	atomic_store(&worker->cards[slot], card);
	if (slot >= atomic_load(&worker->slots))
		atomic_store_explicit(&worker->slots, slot + 1, memory_order_release); /* slots_of */
	workers_wake(workers, index);
}

int workers_remove_card(struct workers *workers, unsigned index, struct polled *card)
{
	struct worker *worker = worker_of(workers, index);
	uint64_t begin_ns = clock_now_ns();
	uint32_t slot = 0;

	while (slot < WORKER_CARDS_MAX && atomic_load(&worker->cards[slot]) != card)
		slot++;
	if (slot == WORKER_CARDS_MAX)
		return -ENOENT;
	/* seq_cst store, then seq_cst load: pair with worker.c enter() and leave() */
	atomic_store(&worker->cards[slot], NULL);
	while (atomic_load(&worker->inside) == slot + 1) {
		uint64_t now_ns = clock_now_ns();

		if (workers_health(workers, index, now_ns, LEAVE_STUCK_NS) == WORKER_STUCK ||
		    now_ns - begin_ns > LEAVE_LIMIT_NS)
			return -EBUSY;
		pause_ns(LOOK_PAUSE_NS);
	}
	return 0;
}

void workers_wake(struct workers *workers, unsigned index)
{
	uint64_t one = 1;

	/* fails only when 2^64 - 2 wake-ups are pending: it is awake then */
	if (write(worker_of(workers, index)->wake_fd, &one, sizeof(one)) < 0)
		return;
}

int workers_watch(struct workers *workers, unsigned index, int fd)
{
	return watch(worker_of(workers, index), fd);
}

void workers_unwatch(struct workers *workers, unsigned index, int fd)
{
	(void)epoll_ctl(worker_of(workers, index)->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

enum worker_health workers_health(struct workers *workers, unsigned index, uint64_t now_ns,
				  uint64_t limit_ns)
{
	return worker_health(worker_of(workers, index), now_ns, limit_ns);
}

void workers_usage(struct workers *workers, unsigned index, struct worker_usage *usage)
{
	struct worker *worker = worker_of(workers, index);

	usage->rounds = counter_get(&worker->rounds);
	usage->busy_rounds = counter_get(&worker->busy_rounds);
	usage->busy_ns = counter_get(&worker->busy_ns);
	usage->sleeps = counter_get(&worker->sleeps);
	usage->cpu_ns = worker_cpu_ns(worker);
}

unsigned workers_count(const struct workers *workers)
{
	return workers->count;
}
