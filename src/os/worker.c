/* DPDK before ours: its headers spell __attribute__((always_inline)), a word of base/compiler.h */
#include <rte_cycles.h>
#include <rte_pause.h>

#include "os/worker.h"

#include "channel/polled.h"
#include "os/clock.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define LINE_SLEEP_MIN_NS UINT64_C(50000)
#define RESYNC_PER_SECOND 200

enum { EVENTS_MAX = 32 };

static void clock_resync(struct cycle_clock *clock)
{
	clock->base_ns = clock_now_ns();
	clock->base_cycles = rte_rdtsc();
}

static void clock_init(struct cycle_clock *clock)
{
	uint64_t hz = rte_get_tsc_hz();

	clock->ns_per_cycle_q32 = (UINT64_C(1000000000) << 32) / hz;
	clock->resync_cycles = hz / RESYNC_PER_SECOND;
	clock->last_ns = 0;
	clock_resync(clock);
}

uint64_t worker_now_ns(struct worker *worker)
{
	struct cycle_clock *clock = &worker->clock;
	uint64_t cycles = rte_rdtsc() - clock->base_cycles;
	uint64_t now_ns;

	if (unlikely(cycles > clock->resync_cycles)) { /* also when the counter went back */
		clock_resync(clock);
		cycles = 0;
	}
	/* cycles is at most 5 ms of them, below 2^25: the product fits */
	now_ns = clock->base_ns + (cycles * clock->ns_per_cycle_q32 >> 32);
	clock->last_ns = max_u64(now_ns, clock->last_ns);
	return clock->last_ns;
}

/* Enters the card in 'slot' so that workers_remove_card() knows; NULL when there is none.  The
 * order matters: say where, then look whether the card is still there. */
static struct polled *enter(struct worker *worker, uint32_t slot)
{
	struct polled *card;

	if (!atomic_load_explicit(&worker->cards[slot], memory_order_relaxed))
		return NULL;
	/* both seq_cst: pair with the store and the load in workers_remove_card */
	atomic_store(&worker->inside, slot + 1);
	card = atomic_load(&worker->cards[slot]);
	if (!card)
		atomic_store_explicit(&worker->inside, WORKER_NOWHERE, memory_order_release);
	return card;
}

static void leave(struct worker *worker)
{
	/* release pairs with the acquire in workers_remove_card */
	atomic_store_explicit(&worker->inside, WORKER_NOWHERE, memory_order_release);
}

static uint32_t slots_of(struct worker *worker)
{
	return atomic_load_explicit(&worker->slots, memory_order_acquire); /* workers_add_card */
}

static unsigned poll_cards(struct worker *worker, uint64_t now_ns)
{
	unsigned work = 0;

	for (uint32_t slot = 0; slot < slots_of(worker); slot++) {
		struct polled *card = enter(worker, slot);

		if (!card)
			continue;
		work += card->ops->poll(worker, card, now_ns);
		leave(worker);
	}
	return work;
}

/* Asks all cards for wake-ups; true when one has work already. */
static bool arm_cards(struct worker *worker)
{
	bool work = false;

	for (uint32_t slot = 0; slot < slots_of(worker); slot++) {
		struct polled *card = enter(worker, slot);

		if (!card)
			continue;
		work |= card->ops->arm(worker, card);
		leave(worker);
	}
	worker->armed = true;
	return work;
}

static void disarm_cards(struct worker *worker)
{
	for (uint32_t slot = 0; slot < slots_of(worker); slot++) {
		struct polled *card = enter(worker, slot);

		if (!card)
			continue;
		card->ops->disarm(worker, card);
		leave(worker);
	}
	worker->armed = false;
}

/* When the worker must be awake again, whoever kicks or not. */
static uint64_t sleep_until(struct worker *worker, uint64_t now_ns)
{
	uint64_t until_ns = now_ns + WORKER_BEAT_NS;
	bool line_needs_poll = false;

	for (uint32_t slot = 0; slot < slots_of(worker); slot++) {
		struct polled *card = enter(worker, slot);

		if (!card)
			continue;
		until_ns = min_u64(until_ns, card->ops->deadline_ns(worker, card));
		line_needs_poll |= card->ops->needs_poll(worker, card);
		leave(worker);
	}
	if (line_needs_poll) {
		until_ns = min_u64(until_ns, now_ns + worker->line_sleep_ns);
		worker->line_sleep_ns = min_u64(worker->line_sleep_ns * 2, worker->idle_wake_ns);
	}
	return until_ns;
}

/* Sleeps until a descriptor speaks (true) or the time is there (false). */
static bool sleep_in_epoll(struct worker *worker, uint64_t now_ns, uint64_t until_ns)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t length_ns = until_ns - now_ns;
	struct timespec timeout = { .tv_sec = (time_t)(length_ns / 1000000000u),
				    .tv_nsec = (long)(length_ns % 1000000000u) };
	int n;

	counter_add(&worker->sleeps, 1);
	/* release and acquire pair with workers_health */
	atomic_store_explicit(&worker->asleep_until_ns, until_ns, memory_order_release);
	n = epoll_pwait2(worker->epoll_fd, events, EVENTS_MAX, &timeout, &worker->asleep);
	worker->clock.base_cycles = 0; /* the next look at the time is at the real clock */
	atomic_store_explicit(&worker->beat_ns, worker_now_ns(worker), memory_order_release);
	atomic_store_explicit(&worker->asleep_until_ns, 0, memory_order_release);
	return n > 0;
}

/* Nothing moved in this round: polls on a little, then sleeps. */
static void back_off(struct worker *worker, uint64_t now_ns)
{
	uint64_t until_ns;

	if (worker->idle_since_ns == 0)
		worker->idle_since_ns = now_ns;
	if (!worker->armed) {
		if (now_ns - worker->idle_since_ns < WORKER_SPIN_NS) {
			rte_pause();
			return;
		}
		if (arm_cards(worker)) {
			disarm_cards(worker);
			return;
		}
	}
	until_ns = sleep_until(worker, now_ns);
	if (until_ns <= now_ns)
		return;
	if (sleep_in_epoll(worker, now_ns, until_ns)) {
		disarm_cards(worker);
		worker->idle_since_ns = 0;
	}
}

static void one_round(struct worker *worker)
{
	uint64_t now_ns = worker_now_ns(worker);

	atomic_store_explicit(&worker->beat_ns, now_ns, memory_order_release); /* workers_health */
	counter_add(&worker->rounds, 1);
	if (worker->busy_since_ns)
		counter_add(&worker->busy_ns, now_ns - worker->busy_since_ns);
	worker->busy_since_ns = 0;
	if (poll_cards(worker, now_ns) == 0) {
		back_off(worker, now_ns);
		return;
	}
	counter_add(&worker->busy_rounds, 1);
	worker->busy_since_ns = now_ns;
	worker->idle_since_ns = 0;
	worker->line_sleep_ns = LINE_SLEEP_MIN_NS;
	if (worker->armed)
		disarm_cards(worker);
}

int worker_run(void *arg)
{
	struct worker *worker = arg;
	char name[16];

	(void)snprintf(name, sizeof(name), "mp-worker-%u", worker->index);
	(void)pthread_setname_np(pthread_self(), name);
	(void)prctl(PR_SET_TIMERSLACK, 1000); /* ns: deadlines of shaped functions are short */
	worker->thread = pthread_self();
	(void)pthread_sigmask(SIG_BLOCK, NULL, &worker->asleep);
	sigaddset(&worker->asleep, PATIENCE_SIGNAL); /* its own sleep is no wait for others */
	(void)patience_begin(&worker->patience);
	worker->line_sleep_ns = LINE_SLEEP_MIN_NS;
	clock_init(&worker->clock);
	atomic_store_explicit(&worker->beat_ns, worker_now_ns(worker), memory_order_relaxed);
	/* release pairs with the acquire in workers_create */
	atomic_store_explicit(&worker->tid, gettid(), memory_order_release);
	while (!atomic_load_explicit(&worker->stop, memory_order_relaxed))
		one_round(worker);
	patience_end(&worker->patience);
	atomic_store_explicit(&worker->ended, true, memory_order_release); /* workers_destroy */
	return 0;
}
