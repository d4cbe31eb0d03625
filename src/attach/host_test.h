/* attach/host_test.h -- for tests of attachments: a daemon that counts events, and the
 * smallest card there is: what one front sends the other receives, through a remapping unit. */
#ifndef ATTACH_HOST_TEST_H
#define ATTACH_HOST_TEST_H

#include "attach/attach.h"
#include "sim/guard_world.h"

#include <stdio.h>
#include <string.h>

enum { TEST_EVENTS_MAX = 64 };

struct test_host {
	uv_loop_t loop;
	struct attach_host host;
	struct hold hold; /* of the card */
	struct nic_front *fronts[2];
	struct guard_world guard; /* its functions 0 and 1 are the fronts' */
	bool threaded;    /* a thread of its own makes the rounds of the card */
	unsigned watches, wakes, announces, unplugs;
	unsigned events;
	char kinds[TEST_EVENTS_MAX][24], texts[TEST_EVENTS_MAX][256];
};

static inline void test_host_watch(void *owner, struct front *front, int fd)
{
	struct test_host *t = owner;

	(void)front;
	(void)fd;
	t->watches++;
}

static inline void test_host_unwatch(void *owner, struct front *front, int fd)
{
	struct test_host *t = owner;

	(void)front;
	(void)fd;
	t->watches--;
}

static inline void test_host_wake(void *owner, struct front *front)
{
	struct test_host *t = owner;

	(void)front;
	t->wakes++;
}

static inline void test_host_announce(void *owner, struct front *front)
{
	struct test_host *t = owner;

	(void)front;
	t->announces++;
}

static inline void test_host_unplugged(void *owner, struct front *front)
{
	(void)front;
	((struct test_host *)owner)->unplugs++;
}

static inline void test_host_event(void *owner, struct front *front, const char *kind,
				   const char *text)
{
	struct test_host *t = owner;
	unsigned at = t->events++ % TEST_EVENTS_MAX;

	(void)front;
	snprintf(t->kinds[at], sizeof t->kinds[at], "%s", kind);
	snprintf(t->texts[at], sizeof t->texts[at], "%s", text);
}

/* Events of this kind so far; '*text' receives the last one's. */
static inline unsigned test_host_count(const struct test_host *t, const char *kind,
				       const char **text)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->events && i < TEST_EVENTS_MAX; i++)
		if (strcmp(t->kinds[i], kind) == 0) {
			n++;
			if (text)
				*text = t->texts[i];
		}
	return n;
}

static inline void test_host_init(struct test_host *t)
{
	memset(t, 0, sizeof *t);
	must(uv_loop_init(&t->loop) == 0);
	guard_world_open(&t->guard, 1);
	t->host = (struct attach_host){
		.loop = &t->loop, .run_dir = "/tmp", .watch = test_host_watch,
		.unwatch = test_host_unwatch, .wake = test_host_wake, .event = test_host_event,
		.announce = test_host_announce, .unplugged = test_host_unplugged, .owner = t,
	};
}

/* What front 'at' may reach. */
static inline struct iommu_domain *test_host_domain(struct test_host *t, unsigned at)
{
	return &t->guard.functions[at].domain;
}

static inline void test_host_bind(struct test_host *t, unsigned at, struct nic_front *front)
{
	t->fronts[at] = front;
	front->hold = &t->hold;
}

static inline void test_host_unbind(struct test_host *t, unsigned at)
{
	if (t->fronts[at])
		t->fronts[at]->hold = NULL;
	t->fronts[at] = NULL;
}

/* Closes the loop: everything on it must have been closed by now. */
static inline void test_host_fini(struct test_host *t)
{
	uv_run(&t->loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&t->loop) == 0);
	guard_world_close(&t->guard);
}

/* One round of the card.  Returns the frames that were moved. */
static inline unsigned test_host_move(struct test_host *t)
{
	static struct frame frames[FRAME_BURST];
	unsigned moved = 0;

	for (unsigned at = 0; at < 2; at++) {
		struct nic_front *from = t->fronts[at], *to = t->fronts[1 - at];
		struct frame *list[FRAME_BURST];
		unsigned n;

		if (!from)
			continue;
		if (!hold_try(&t->hold, HOLD_WORKER)) {
			must(t->threaded);
			continue;
		}
		n = from->ops->peek(NULL, from, frames, FRAME_BURST);
		for (unsigned i = 0; i < n; i++)
			list[i] = &frames[i];
		if (to)
			to->ops->give(NULL, to, list, n);
		from->ops->taken(NULL, from, n);
		from->ops->flush(NULL, from);
		if (to)
			to->ops->flush(NULL, to);
		hold_give(&t->hold, HOLD_WORKER);
		moved += n;
	}
	return moved;
}

/* One round of the card, unless that is another thread's business, and of the loop.  Returns the frames that were
 * moved. */
static inline unsigned test_host_round(struct test_host *t)
{
	unsigned moved = t->threaded ? 0 : test_host_move(t);

	guard_poll(t->guard.guard, 0);
	uv_run(&t->loop, UV_RUN_NOWAIT);
	return moved;
}

#endif
