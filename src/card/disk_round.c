#include "card/disk_internal.h"

#include <string.h>

bool disk_window_is(struct disk_card *card, enum disk_window_state state)
{
	/* acquire pairs with the release in set_state */
	return atomic_load_explicit(&card->window.state, memory_order_acquire) == state;
}

static void set_state(struct disk_card *card, enum disk_window_state state)
{
	atomic_store_explicit(&card->window.state, state, memory_order_release);
}

static unsigned at_medium(const struct disk_card *card)
{
	return atomic_load_explicit(&((struct disk_card *)card)->at_medium, memory_order_relaxed);
}

static bool is_in(const struct disk_card *card)
{
	return atomic_load_explicit(&((struct disk_card *)card)->in, memory_order_relaxed);
}

static struct disk_io *io_of(struct block_request *request)
{
	return container_of(request, struct disk_io, request);
}

void disk_settle(struct disk_card *card)
{
	struct disk_window *w = &card->window;

	if (!disk_window_is(card, DISK_BACK))
		return;
	must(w->taken <= w->out_count && w->in_count <= at_medium(card) + w->taken);
	atomic_store_explicit(&card->at_medium, at_medium(card) + w->taken - w->in_count,
			      memory_order_relaxed);
	for (unsigned i = w->taken; i < w->out_count; i++)
		card->backlog[card->backlog_count++] = io_of(w->out[i]);
	w->out_count = 0;
	for (unsigned i = 0; i < w->in_count; i++)
		disk_io_ended(card, io_of(w->in[i]));
	set_state(card, DISK_CLOSED);
}

/* What did not fit goes first. */
static void take_backlog(struct disk_card *card)
{
	struct disk_window *w = &card->window;
	unsigned n = min_u32(card->backlog_count, DISK_WINDOW);

	for (unsigned i = 0; i < n; i++)
		w->out[w->out_count++] = &card->backlog[i]->request;
	card->backlog_count -= n;
	memmove(card->backlog, card->backlog + n, card->backlog_count * sizeof card->backlog[0]);
}

static void fill(struct disk_card *card)
{
	struct disk_window *w = &card->window;

	w->out_count = w->taken = w->in_count = 0;
	if (!is_in(card)) {
		for (unsigned i = 0; i < card->backlog_count; i++) {
			card->backlog[i]->request.result = BLOCK_GONE;
			disk_io_ended(card, card->backlog[i]);
		}
		card->backlog_count = 0;
		disk_drain(card);
		return;
	}
	take_backlog(card);
	if (disk_job_has_work(card))
		disk_job_go_on(card);
	if (disk_keep_has_work(card))
		disk_keep_go_on(card);
	disk_issue(card);
}

/* Lets the medium run, without the hold.  False: the hold is gone, and the round with it. */
static bool run_medium(struct worker *worker, struct disk_card *card, unsigned *work)
{
	struct disk_window *w = &card->window;
	struct medium *medium = card->medium;

	must(disk_window_is(card, DISK_CLOSED));
	fill(card);
	if (w->out_count == 0 && at_medium(card) == 0)
		return true;
	set_state(card, DISK_OPEN);
	hold_give(card->hold, HOLD_WORKER);
	if (w->out_count)
		w->taken = medium->ops->submit(worker, medium, w->out, w->out_count);
	w->in_count = medium->ops->reap(worker, medium, w->in, DISK_WINDOW);
	*work += w->taken + w->in_count;
	set_state(card, DISK_BACK);
	if (!hold_try(card->hold, HOLD_WORKER))
		return false; /* the control thread has it: the next round settles, or it does */
	disk_settle(card);
	return true;
}

static unsigned poll_fronts(struct worker *worker, struct disk_card *card)
{
	unsigned work = 0;

	for (unsigned i = 1; i <= card->function_count; i++) {
		struct block_front *front = card->functions[i].front;
		unsigned n;

		if (!front)
			continue;
		n = front->ops->poll(worker, front, card->now_ns);
		if (n || block_front_is_due(front, card->now_ns))
			card->touched |= UINT64_C(1) << (i - 1);
		work += n;
	}
	return work;
}

static void flush_fronts(struct worker *worker, struct disk_card *card)
{
	uint64_t touched = card->touched;

	card->touched = 0;
	for (; touched; touched &= touched - 1) {
		struct block_front *front = card->functions[lowest_bit(touched) + 1].front;

		if (front)
			front->ops->flush(worker, front);
	}
}

static bool worker_takes(struct disk_card *card)
{
	if (hold_is_wanted(card->hold) || !hold_try(card->hold, HOLD_WORKER))
		return false;
	disk_settle(card);
	return true;
}

static struct disk_card *card_of(struct polled *polled)
{
	return container_of(polled, struct disk_card, polled);
}

static unsigned round_poll(struct worker *worker, struct polled *polled, uint64_t now_ns)
{
	struct disk_card *card = card_of(polled);
	unsigned work;

	if (!worker_takes(card))
		return 0;
	card->now_ns = max_u64(now_ns, card->now_ns);
	card->deadline_ns = UINT64_MAX;
	work = disk_complete(worker, card); /* what the control thread has settled */
	work += poll_fronts(worker, card);
	work += disk_complete(worker, card);
	if (!run_medium(worker, card, &work))
		return work;
	work += disk_complete(worker, card);
	flush_fronts(worker, card);
	hold_give(card->hold, HOLD_WORKER);
	return work;
}

/* What can be done without anybody's wake-up. */
static bool has_work(const struct disk_card *card)
{
	return card->touched || !disk_list_is_empty(&card->finished) || card->backlog_count ||
	       disk_job_has_work(card) || disk_keep_has_work(card) ||
	       (card->free_ios && (!arbiter_is_empty(&card->arb) ||
				   !disk_list_is_empty(&card->issuing)));
}

/* When a front has to tell its guest something that it holds back now; UINT64_MAX: none has. */
static uint64_t next_due_ns(const struct disk_card *card)
{
	uint64_t due_ns = UINT64_MAX;

	for (unsigned i = 1; i <= card->function_count; i++) {
		const struct block_front *front = card->functions[i].front;

		if (front && front->due_ns)
			due_ns = min_u64(due_ns, front->due_ns);
	}
	return due_ns;
}

static uint64_t round_deadline_ns(struct worker *worker, struct polled *polled)
{
	struct disk_card *card = card_of(polled);
	uint64_t deadline_ns;

	(void)worker;
	if (!worker_takes(card))
		return 0;
	deadline_ns = has_work(card) ? 0 : min_u64(card->deadline_ns, next_due_ns(card));
	hold_give(card->hold, HOLD_WORKER);
	return deadline_ns;
}

static bool round_arm(struct worker *worker, struct polled *polled)
{
	struct disk_card *card = card_of(polled);
	bool work;

	if (!worker_takes(card))
		return true;
	work = has_work(card) || next_due_ns(card) != UINT64_MAX;
	if (work) { /* a guest that was asked to kick would, for a worker that is there */
		hold_give(card->hold, HOLD_WORKER);
		return true;
	}
	for (unsigned i = 1; i <= card->function_count; i++) {
		struct block_front *front = card->functions[i].front;

		if (front)
			work |= front->ops->arm(worker, front);
	}
	if (at_medium(card))
		work |= card->medium->ops->arm(worker, card->medium);
	hold_give(card->hold, HOLD_WORKER);
	return work;
}

static void round_disarm(struct worker *worker, struct polled *polled)
{
	struct disk_card *card = card_of(polled);

	if (!worker_takes(card))
		return; /* they stay armed, which costs a kick each at most */
	for (unsigned i = 1; i <= card->function_count; i++) {
		struct block_front *front = card->functions[i].front;

		if (front)
			front->ops->disarm(worker, front);
	}
	hold_give(card->hold, HOLD_WORKER);
}

static bool round_needs_poll(struct worker *worker, struct polled *polled)
{
	struct disk_card *card = card_of(polled);
	bool needs;

	(void)worker;
	if (!worker_takes(card))
		return true;
	needs = card->medium->wake_fd < 0 && at_medium(card);
	for (unsigned i = 1; i <= card->function_count; i++)
		needs |= card->functions[i].front && card->functions[i].front->polled;
	hold_give(card->hold, HOLD_WORKER);
	return needs;
}

const struct polled_ops disk_polled_ops = {
	.poll = round_poll,
	.deadline_ns = round_deadline_ns,
	.arm = round_arm,
	.disarm = round_disarm,
	.needs_poll = round_needs_poll,
};
