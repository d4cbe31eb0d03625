#include "card/internal.h"

/* Whether lately its frames were long: then what a burst and a visit begin with is worth more of them.  A
 * driver of short frames is quicker than that, and had to wait for the end of each. */
static bool has_long_frames(const struct card_vf *vf)
{
	return vf->frame_cost >= CARD_LONG_FRAME;
}

/* Worker time that this visit may still take: one of long frames also takes that of a later round, which is then
 * without a visit. */
static int64_t left_of_visit(const struct card_vf *vf)
{
	return has_long_frames(vf) ? vf->credit + CARD_CREDIT : vf->credit;
}

/* Frames to ask a function for: no more than its worker time will last for. */
static unsigned burst_size(const struct card_vf *vf)
{
	unsigned most = has_long_frames(vf) ? FRAME_BURST : CARD_SHORT_BURST;
	int64_t left = left_of_visit(vf);

	return left >= (int64_t)vf->frame_cost * most ? most : (unsigned)(left / vf->frame_cost) + 1;
}

static void pay_for(struct card_vf *vf, unsigned frames, uint64_t bytes)
{
	uint64_t cost = bytes + (uint64_t)frames * CARD_FRAME_COST;

	vf->credit -= (int64_t)cost;
	vf->frame_cost = (3 * vf->frame_cost + (uint32_t)(cost / frames)) / 4;
}

/* Why the rest of the ring has to wait. */
static void note_stop(struct nic_card *card, unsigned p, enum esw_stop stop)
{
	struct card_vf *vf = &card->vfs[p];

	if (stop == ESW_STOP_RATE) {
		vf->ready_ns = esw_meter_ready_ns(&card->esw.ports[p].meter);
		card->deadline_ns = min_u64(card->deadline_ns, vf->ready_ns);
		counter_add(&card->esw.counters[p].shaped, 1);
	} else if (stop == ESW_STOP_LINE) {
		vf->held_back = true;
		counter_add(&card->esw.counters[p].held_back, 1);
	}
}

/* A function whose next frame cannot go now, whatever it is. */
static bool is_blocked(struct nic_card *card, unsigned p)
{
	struct card_vf *vf = &card->vfs[p];

	if (vf->ready_ns > card->now_ns) {
		card->deadline_ns = min_u64(card->deadline_ns, vf->ready_ns);
		return true;
	}
	if (vf->held_back && card->esw.line_there && card->esw.line_up)
		vf->held_back = card_stage_room(card, p) < CARD_REFILL;
	else
		vf->held_back = false;
	return vf->held_back;
}

/* Takes and switches one burst of function 'p'; returns false when its visit is over. */
static bool take_burst(struct worker *worker, struct nic_card *card, unsigned p, unsigned *moved)
{
	struct nic_front *front = card->esw.ports[p].front;
	struct card_vf *vf = &card->vfs[p];
	struct esw_burst *b = &card->burst;
	unsigned max = burst_size(vf), n, done;

	n = front->ops->peek(worker, front, b->frames, max);
	must(n <= max);
	esw_set_add(&card->touched, p); /* a look may have answered a command or filled a buffer */
	if (!n) {
		vf->credit = vf->credit > 0 ? 0 : vf->credit;
		esw_set_remove(&card->active, p);
		return false;
	}
	b->line_room = card_stage_room(card, p);
	b->line_space = card_stage_space(card, p);
	done = esw_decide(&card->esw, p, b, n);
	note_stop(card, p, b->stop);
	if (!done)
		return false;
	card_deliver(worker, card, done);
	front->ops->taken(worker, front, done);
	pay_for(vf, done, b->bytes);
	*moved += done;
	return n == max && done == n && left_of_visit(vf) >= CARD_LEFTOVER;
}

static unsigned visit(struct worker *worker, struct nic_card *card, unsigned p)
{
	struct card_vf *vf = &card->vfs[p];
	unsigned moved = 0;

	if (is_blocked(card, p))
		return 0;
	/* The same for all: weights and classes are about the line, and held there. */
	vf->credit += CARD_CREDIT;
	if (vf->credit > CARD_CREDIT + CARD_LEFTOVER)
		vf->credit = CARD_CREDIT + CARD_LEFTOVER;
	if (vf->credit <= CARD_LEFTOVER)
		return 0;
	esw_set_add(&card->active, p);
	esw_meter_pay(&card->esw.ports[p].meter, card->now_ns);
	while (take_burst(worker, card, p, &moved))
		;
	return moved;
}

/* Functions that had work lately, each in its turn, until this round is long enough. */
static unsigned visit_active(struct worker *worker, struct nic_card *card)
{
	unsigned moved = 0;

	for (unsigned left = esw_set_count(&card->active);
	     left && moved < CARD_ROUND_FRAMES && !esw_set_is_empty(&card->active); left--) {
		card->turn = esw_set_next(&card->active, card->turn + 1);
		moved += visit(worker, card, card->turn);
	}
	return moved;
}

/* Functions that had none: all of them when there is nothing else to do, else some. */
static unsigned visit_idle(struct worker *worker, struct nic_card *card, unsigned most)
{
	struct esw_port_set idle = card->esw.bound;
	unsigned moved = 0, left;

	for (unsigned word = 0; word < ESW_SET_WORDS; word++)
		idle.word[word] &= ~card->active.word[word];
	left = esw_set_count(&idle);
	for (left = min_u32(left, most); left && moved < CARD_ROUND_FRAMES; left--) {
		card->idle_turn = esw_set_next(&idle, card->idle_turn + 1);
		moved += visit(worker, card, card->idle_turn);
	}
	return moved;
}

static unsigned switch_functions(struct worker *worker, struct nic_card *card)
{
	unsigned moved = visit_active(worker, card);
	unsigned most = esw_set_is_empty(&card->active) ? NIC_CARD_VFS_MAX : CARD_IDLE_SCAN;

	return moved + visit_idle(worker, card, most);
}

/* Frames that the last window has brought from the line. */
static unsigned switch_received(struct worker *worker, struct nic_card *card)
{
	struct esw_burst *b = &card->burst;
	unsigned at = 0;

	while (at < card->rx_count) {
		unsigned n = min_u32(card->rx_count - at, FRAME_BURST);

		for (unsigned i = 0; i < n; i++)
			frame_over(&b->frames[i], card->rx[at + i]->bytes, card->rx[at + i]->size);
		must(esw_decide(&card->esw, ESW_LINE, b, n) == n);
		card_deliver(worker, card, n);
		for (unsigned i = 0; i < n; i++)
			buf_list_put(&card->done, card->rx[at + i]);
		at += n;
	}
	card->rx_count = 0;
	return at;
}

static unsigned go_round(struct worker *worker, struct nic_card *card, bool *held)
{
	unsigned moved;

	esw_fdb_tell_time(&card->esw.fdb, card->now_ns);
	card->deadline_ns = UINT64_MAX;
	moved = switch_received(worker, card);
	moved += switch_functions(worker, card);
	card_flush(worker, card);
	if (!card->line)
		return moved;
	*held = card_window(worker, card, &moved);
	if (*held) {
		switch_received(worker, card);
		card_flush(worker, card);
	}
	return moved;
}

enum taking {
	TAKEN,
	TAKEN_BY_CONTROL, /* for a moment: come back soon */
	CUT_OFF,          /* detached, or another worker is still inside its driver */
};

static enum taking worker_takes(struct nic_card *card)
{
	if (hold_is_wanted(&card->hold) || !hold_try(&card->hold, HOLD_WORKER))
		return TAKEN_BY_CONTROL;
	card_settle(card);
	if (card->attached && card_window_is(card, WINDOW_CLOSED))
		return TAKEN;
	hold_give(&card->hold, HOLD_WORKER);
	return CUT_OFF;
}

unsigned nic_card_poll(struct worker *worker, struct nic_card *card, uint64_t now_ns)
{
	bool held = true;
	unsigned moved;

	if (worker_takes(card) != TAKEN)
		return 0;
	card->now_ns = max_u64(now_ns, card->now_ns);
	moved = go_round(worker, card, &held);
	if (held)
		hold_give(&card->hold, HOLD_WORKER);
	return moved;
}

/* When the line can take more of what waits for it; UINT64_MAX when nothing does. */
static uint64_t line_deadline_ns(const struct nic_card *card)
{
	if (!card->line || !card->esw.line_up || arbiter_is_empty(&card->arb))
		return UINT64_MAX;
	if (card->stale_windows)
		return 0;
	if (!esw_meter_allows(&card->line_meter))
		return esw_meter_ready_ns(&card->line_meter);
	return card->line_refused ? card->now_ns + CARD_RETRY_NS : 0;
}

uint64_t nic_card_deadline_ns(struct worker *worker, struct nic_card *card)
{
	enum taking taking = worker_takes(card);
	uint64_t deadline_ns;

	(void)worker;
	if (taking != TAKEN)
		return taking == CUT_OFF ? UINT64_MAX : 0;
	deadline_ns = card->rx_count ? 0 : min_u64(card->deadline_ns, line_deadline_ns(card));
	hold_give(&card->hold, HOLD_WORKER);
	return deadline_ns;
}

/* Arms every front but those that may not send now anyway: their deadline wakes the worker. */
static bool arm_fronts(struct worker *worker, struct nic_card *card)
{
	bool work = false;

	for (unsigned word = 0; word < ESW_SET_WORDS; word++)
		for (uint64_t bits = card->esw.bound.word[word]; bits; bits &= bits - 1) {
			unsigned p = word * 64 + lowest_bit(bits);
			struct nic_front *front = card->esw.ports[p].front;

			if (is_blocked(card, p))
				continue;
			esw_set_add(&card->armed, p);
			work |= front->ops->arm(worker, front);
		}
	return work;
}

bool nic_card_arm(struct worker *worker, struct nic_card *card)
{
	enum taking taking = worker_takes(card);
	bool work;

	if (taking != TAKEN)
		return taking == TAKEN_BY_CONTROL;
	if (card->rx_count) { /* of a window that came back while the control thread had the card */
		hold_give(&card->hold, HOLD_WORKER);
		return true;
	}
	work = arm_fronts(worker, card) || line_deadline_ns(card) == 0;
	if (card->line && card->line->wakes)
		return card_line_arm(worker, card) || work;
	hold_give(&card->hold, HOLD_WORKER);
	return work;
}

void nic_card_disarm(struct worker *worker, struct nic_card *card)
{
	if (worker_takes(card) != TAKEN)
		return; /* they stay armed, which costs a kick each at most */
	for (unsigned word = 0; word < ESW_SET_WORDS; word++) {
		for (uint64_t bits = card->armed.word[word]; bits; bits &= bits - 1) {
			struct nic_front *front =
				card->esw.ports[word * 64 + lowest_bit(bits)].front;

			front->ops->disarm(worker, front);
		}
		card->armed.word[word] = 0;
	}
	hold_give(&card->hold, HOLD_WORKER);
}

/* A driver that may never kick. */
static bool some_front_is_polled(const struct nic_card *card)
{
	for (unsigned word = 0; word < ESW_SET_WORDS; word++)
		for (uint64_t bits = card->esw.bound.word[word]; bits; bits &= bits - 1)
			if (card->esw.ports[word * 64 + lowest_bit(bits)].front->polled)
				return true;
	return false;
}

bool nic_card_needs_poll(struct worker *worker, struct nic_card *card)
{
	enum taking taking = worker_takes(card);
	bool needs;

	(void)worker;
	if (taking != TAKEN)
		return taking == TAKEN_BY_CONTROL;
	needs = (card->line && !card->line->wakes) || some_front_is_polled(card);
	hold_give(&card->hold, HOLD_WORKER);
	return needs;
}

/* -- the same, as a worker calls them -- */

static struct nic_card *card_of(struct polled *polled)
{
	return container_of(polled, struct nic_card, polled);
}

static unsigned polled_poll(struct worker *worker, struct polled *polled, uint64_t now_ns)
{
	return nic_card_poll(worker, card_of(polled), now_ns);
}

static uint64_t polled_deadline_ns(struct worker *worker, struct polled *polled)
{
	return nic_card_deadline_ns(worker, card_of(polled));
}

static bool polled_arm(struct worker *worker, struct polled *polled)
{
	return nic_card_arm(worker, card_of(polled));
}

static void polled_disarm(struct worker *worker, struct polled *polled)
{
	nic_card_disarm(worker, card_of(polled));
}

static bool polled_needs_poll(struct worker *worker, struct polled *polled)
{
	return nic_card_needs_poll(worker, card_of(polled));
}

const struct polled_ops card_polled_ops = {
	.poll = polled_poll,
	.deadline_ns = polled_deadline_ns,
	.arm = polled_arm,
	.disarm = polled_disarm,
	.needs_poll = polled_needs_poll,
};

struct polled *nic_card_polled(struct nic_card *card)
{
	return &card->polled;
}
