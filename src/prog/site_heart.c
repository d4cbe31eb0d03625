#include "prog/site_heart.h"
#include "prog/site_move.h"

#include "os/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ERRORS_REST_NS UINT64_C(10000000000) /* between two events of a medium's errors */

static void report(struct run_card *card, bool dead)
{
	char object[104];

	snprintf(object, sizeof object, "card %s", card->place.card->name);
	if (dead)
		events_add(&card->run->events, "dead", object,
			   "its worker %u has not answered for %u ms", card->worker,
			   card->run->site->heartbeat_ms);
	else
		events_add(&card->run->events, "alive", object, "its worker %u answers again",
			   card->worker);
	events_publish(&card->run->events);
}

static bool is_dead(const struct run_card *card)
{
	return card->run->failover.card[card->index].heart_lost;
}

static void look_at(struct run_card *card, uint64_t now_ns)
{
	uint64_t limit_ns = card->run->site->heartbeat_ms * UINT64_C(1000000);
	enum worker_health health =
		workers_health(card->run->workers, card->worker, now_ns, limit_ns);

	if (health == WORKER_STUCK && !is_dead(card)) {
		site_move_tell(card, FAILOVER_HEART_LOST, now_ns - limit_ns);
		report(card, true);
	} else if (health == WORKER_WELL && is_dead(card) && !card->medium_dead) {
		site_move_tell(card, FAILOVER_HEART_CAME, now_ns);
		report(card, false);
	}
}

/* Errors of a medium that goes on; not each by itself, since one block can be asked for often. */
static void tell_errors(struct run_card *card, uint64_t now_ns)
{
	struct medium_errors errors;
	char object[104];

	medium_errors(card->medium, &errors);
	if (errors.count < card->medium_errors_told)
		card->medium_errors_told = 0; /* it was opened anew */
	if (errors.count == card->medium_errors_told ||
	    (card->medium_told_ns && now_ns - card->medium_told_ns < ERRORS_REST_NS))
		return;
	snprintf(object, sizeof object, "card %s", card->place.card->name);
	events_add(&card->run->events, "medium-error", object,
		   "its medium %.64s has failed %" PRIu64 " commands, the last a %s", card->place.card->medium,
		   errors.count, errors.last);
	events_publish(&card->run->events);
	card->medium_errors_told = errors.count;
	card->medium_told_ns = now_ns;
}

/* A card whose medium is dead, or was never there, is dead: none comes back to life by itself.  What it is asked
 * ends with an error by then; that is told once. */
static void look_at_medium(struct run_card *card, uint64_t now_ns)
{
	char object[104];

	if (!card->medium || card->medium_dead)
		return;
	tell_errors(card, now_ns);
	if (!medium_is_dead(card->medium))
		return;
	card->medium_dead = true;
	site_move_tell(card, FAILOVER_HEART_LOST, now_ns);
	snprintf(object, sizeof object, "card %s", card->place.card->name);
	if (card->medium_absent)
		events_add(&card->run->events, "dead", object, "its medium is %s", medium_how(card->medium));
	else
		events_add(&card->run->events, "dead", object, "its medium %.64s is %s",
			   card->place.card->medium, medium_how(card->medium));
	events_publish(&card->run->events);
}

static void on_beat(uv_timer_t *timer)
{
	struct site_run *run = timer->data;
	uint64_t now_ns = clock_now_ns();

	for (unsigned i = 0; i < run->card_count; i++) {
		if (run->cards[i].served) /* by a worker */
			look_at(&run->cards[i], now_ns);
		look_at_medium(&run->cards[i], now_ns);
	}
	site_move_catch_up(run);
}

void site_heart_start(struct site_run *run)
{
	uint64_t period_ms = max_u64(run->site->heartbeat_ms / 3, 1);

	for (unsigned i = 0; i < run->card_count; i++)
		look_at_medium(&run->cards[i], clock_now_ns());
	run->heartbeat = malloc(sizeof *run->heartbeat);
	must(run->heartbeat != NULL);
	must(uv_timer_init(run->loop, run->heartbeat) == 0);
	run->heartbeat->data = run;
	must(uv_timer_start(run->heartbeat, on_beat, period_ms, period_ms) == 0);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

void site_heart_stop(struct site_run *run)
{
	if (!run->heartbeat)
		return;
	uv_close((uv_handle_t *)run->heartbeat, on_closed);
	run->heartbeat = NULL;
}
