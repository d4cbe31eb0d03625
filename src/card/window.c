#include "card/internal.h"

bool card_window_is(struct nic_card *card, enum window_state state)
{
	/* acquire pairs with the release in let_driver_run */
	return atomic_load_explicit(&card->window.state, memory_order_acquire) == state;
}

static void set_state(struct nic_card *card, enum window_state state)
{
	atomic_store_explicit(&card->window.state, state, memory_order_release);
}

static void choose_frames(struct nic_card *card, struct window *w)
{
	unsigned room, picked;

	w->urgent_count = w->out_count = 0;
	/* While old news is read nothing is sent: what answers it would be taken for old news as well. */
	if (!card->esw.line_up || card->stale_windows)
		return;
	if (card->announcing)
		w->urgent_count = card_announce_due(card, w->out, CARD_WINDOW_OUT);
	w->out_count = w->urgent_count;
	esw_meter_pay(&card->line_meter, card->now_ns);
	if (arbiter_is_empty(&card->arb))
		return;
	arbiter_save(&card->arb, &w->before);
	w->meter_before = card->line_meter;
	room = CARD_WINDOW_OUT - w->urgent_count;
	picked = arbiter_pick(&card->arb, &card->line_meter, w->picks, room);
	for (unsigned i = 0; i < picked; i++)
		w->out[w->out_count++] =
			card->staged[w->picks[i].queue * ARB_RING + w->picks[i].slot];
}

static void fill(struct nic_card *card, struct window *w)
{
	w->generation = card->generation;
	w->line = card->line;
	choose_frames(card, w);
	w->stage_epoch = card->stage_epoch;
	for (w->give_count = 0; card->done.count && w->give_count < CARD_WINDOW_FRAMES;)
		w->give[w->give_count++] = buf_list_take(&card->done);
	w->take_count = 0;
	if (card->spare.count < NIC_CARD_SPARE / 2)
		w->take_count = NIC_CARD_SPARE - card->spare.count;
	w->accepted = w->taken = w->rx_count = 0;
	w->receives = true;
}

/* Without the hold: nothing but the window may be touched. */
static void let_driver_run(struct worker *worker, struct window *w)
{
	struct line *line = w->line;

	if (w->out_count)
		w->accepted = line->ops->send(worker, line, w->out, w->out_count);
	if (w->give_count)
		line->ops->give(worker, line, w->give, w->give_count);
	if (w->take_count)
		w->taken = line->ops->take(worker, line, w->take, w->take_count);
	w->rx_count = line->ops->receive(worker, line, w->rx, CARD_WINDOW_FRAMES);
}

/* The driver took fewer than were picked: plays the arbitration again for what it took. */
static void take_back(struct nic_card *card, struct window *w, unsigned sent)
{
	unsigned picked = w->out_count - w->urgent_count;

	card->line_refused = true;
	if (w->stage_epoch == card->stage_epoch) {
		arbiter_restore(&card->arb, &w->before);
		card->line_meter = w->meter_before;
		must(arbiter_pick(&card->arb, &card->line_meter, w->picks, sent) == sent);
		return;
	}
	/* The control thread has changed the stage meanwhile: there is no way back for these. */
	for (unsigned i = sent; i < picked; i++) {
		esw_count_drop(&card->esw, w->picks[i].queue, ESW_DROP_LINE_LOST, 1);
		buf_list_put(&card->spare, w->out[w->urgent_count + i]);
	}
}

static void settle_sent(struct nic_card *card, struct window *w)
{
	unsigned sent = w->accepted > w->urgent_count ? w->accepted - w->urgent_count : 0;
	uint64_t bytes = 0;

	must(w->accepted <= w->out_count);
	for (unsigned i = w->accepted; i < w->urgent_count; i++)
		buf_list_put(&card->spare, w->out[i]);
	for (unsigned i = 0; i < sent; i++)
		bytes += w->picks[i].size;
	bytes += (uint64_t)(w->accepted - sent) * 60; /* announcements: minimum frames */
	counter_add(&card->esw.counters[ESW_LINE].out_frames, w->accepted);
	counter_add(&card->esw.counters[ESW_LINE].out_bytes, bytes);
	if (sent < w->out_count - w->urgent_count)
		take_back(card, w, sent);
}

/* What came in while the card was away is old news: an announcement of the standby among it would take addresses
 * back from where they are.  It ends with the first window that brings nothing. */
static bool is_stale(struct nic_card *card, const struct window *w)
{
	if (!card->stale_windows)
		return false;
	card->stale_windows = w->rx_count ? card->stale_windows - 1 : 0;
	card->deadline_ns = 0; /* what waits goes with one of the next windows */
	return true;
}

void card_settle(struct nic_card *card)
{
	struct window *w = &card->window;

	if (!card_window_is(card, WINDOW_BACK))
		return;
	if (w->generation == card->generation) {
		settle_sent(card, w);
		must(w->taken <= w->take_count && w->rx_count <= CARD_WINDOW_FRAMES);
		for (unsigned i = 0; i < w->taken; i++)
			buf_list_put(&card->spare, w->take[i]);
		must(card->rx_count == 0);
		if (w->receives && is_stale(card, w))
			for (unsigned i = 0; i < w->rx_count; i++)
				buf_list_put(&card->done, w->rx[i]);
		else
			for (unsigned i = 0; i < w->rx_count; i++)
				card->rx[card->rx_count++] = w->rx[i];
	}
	set_state(card, WINDOW_CLOSED);
}

bool card_window(struct worker *worker, struct nic_card *card, unsigned *moved)
{
	struct window *w = &card->window;
	uint32_t generation = card->generation;
	bool waits = card->stale_windows > 0; /* what is to be sent */

	must(card_window_is(card, WINDOW_CLOSED) && card->rx_count == 0);
	card->line_refused = false;
	fill(card, w);
	card->window_serial++;
	set_state(card, WINDOW_OPEN);
	hold_give(&card->hold, HOLD_WORKER);
	let_driver_run(worker, w);
	*moved += w->accepted + w->rx_count + waits;
	set_state(card, WINDOW_BACK);
	if (!hold_try(&card->hold, HOLD_WORKER))
		return false; /* the control thread has it: the next round settles, or it does */
	card_settle(card);
	if (card->generation == generation)
		return true;
	hold_give(&card->hold, HOLD_WORKER);
	return false;
}

bool card_line_arm(struct worker *worker, struct nic_card *card)
{
	struct window *w = &card->window;
	struct line *line = card->line;
	bool work;

	w->generation = card->generation;
	w->stage_epoch = card->stage_epoch;
	w->urgent_count = w->out_count = w->accepted = 0;
	w->give_count = w->take_count = w->taken = w->rx_count = 0;
	w->receives = false;
	card->window_serial++;
	set_state(card, WINDOW_OPEN);
	hold_give(&card->hold, HOLD_WORKER);
	work = line->ops->arm(worker, line);
	set_state(card, WINDOW_BACK);
	return work;
}
