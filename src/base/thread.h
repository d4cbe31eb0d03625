/* base/thread.h -- which thread may call a function, said in its first argument, and the hold
 * by which the control thread and a worker share one object.
 *
 * struct ctl     only the control thread has one: topology, configuration, memory
 * struct worker  each data thread has its own: frames, registers, DMA
 * neither        pure; any thread, on data it owns
 *
 * A hold says who may touch an object now.  A worker only ever tries: when the control thread
 * has the object, or waits for it, the worker passes by and comes back in its next round, so no packet
 * waits for a lock.  The control thread waits for a worker at most the length of one round of
 * that object.  A worker gives the hold back before it enters a line's driver, so one that never
 * returns leaves nothing held; a front's own calls (a TAP's) are made under the hold. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "base/base.h"

#include <stdatomic.h>

struct ctl;
struct worker;

enum hold_owner { HOLD_NONE, HOLD_WORKER, HOLD_CONTROL };

struct hold {
	_Atomic uint32_t owner;  /* enum hold_owner */
	_Atomic uint32_t wanted; /* the control thread waits for it: workers pass by */
	bool late;               /* the control thread's own: the last wait was in vain */
};

/* Takes the hold when nobody has it; true when taken. */
static inline bool hold_try(struct hold *hold, enum hold_owner owner)
{
	uint32_t none = HOLD_NONE;

	/* acquire pairs with the release in hold_give */
	return atomic_compare_exchange_strong_explicit(&hold->owner, &none, owner,
						       memory_order_acquire, memory_order_relaxed);
}

static inline void hold_give(struct hold *hold, enum hold_owner owner)
{
	must(atomic_load_explicit(&hold->owner, memory_order_relaxed) == owner);
	atomic_store_explicit(&hold->owner, HOLD_NONE, memory_order_release); /* hold_try */
}

static inline bool hold_is(struct hold *hold, enum hold_owner owner)
{
	return atomic_load_explicit(&hold->owner, memory_order_relaxed) == owner;
}

/* Control thread: says that it waits, or does no longer.  A hint, so that a worker which is always
 * busy leaves it a moment; relaxed, the hold itself orders what it guards. */
static inline void hold_want(struct hold *hold)
{
	atomic_store_explicit(&hold->wanted, 1, memory_order_relaxed);
}

static inline void hold_unwant(struct hold *hold)
{
	atomic_store_explicit(&hold->wanted, 0, memory_order_relaxed);
}

static inline bool hold_is_wanted(struct hold *hold)
{
	return atomic_load_explicit(&hold->wanted, memory_order_relaxed) != 0;
}

/* What a wait for a hold does between two look-ins.  Returns how many look-ins it was worth, 1 or more: a scheduler
 * that is asked to let others run may do so for long. */
typedef unsigned hold_pause(void);

/* The number of the look-in after look-in 'at' of 'tries'; there is always a last one, and 'tries' after that.
 * NULL for 'pause': none. */
static inline unsigned hold_next_look(unsigned at, unsigned tries, hold_pause *pause)
{
	unsigned worth;

	if (at + 1 >= tries)
		return tries;
	worth = pause ? pause() : 1;
	return worth < tries - 1 - at ? at + worth : tries - 1;
}

/* A counter that one thread advances and any thread reads. */
struct counter {
	_Atomic uint64_t value;
};

static inline void counter_add(struct counter *c, uint64_t n)
{
	/* One writer: a plain add, which no reader can see torn. */
	uint64_t now = atomic_load_explicit(&c->value, memory_order_relaxed);

	atomic_store_explicit(&c->value, now + n, memory_order_relaxed);
}

static inline uint64_t counter_get(const struct counter *c)
{
	return atomic_load_explicit(&((struct counter *)c)->value, memory_order_relaxed);
}

#endif
