#include "prog/site_disk.h"
#include "prog/site_external.h"
#include "prog/site_guard.h"
#include "prog/site_hardware.h"
#include "prog/site_move.h"
#include "prog/site_restore.h"

#include "os/clock.h"
#include "os/log.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* Look-ins; each gives the CPU away, so a starved worker gets on.  One is worth what it takes on a quiet machine;
 * where others have the CPU meanwhile it counts for more, but a worker has a few turns in any case. */
enum { HOLD_TRIES = 200000, CATCH_UP_TRIES = 1000, LOOK_NS = 500, LOOK_WORTH_MAX = 400 };

unsigned site_move_give_way(void)
{
	uint64_t began_ns = clock_now_ns();

	sched_yield();
	return (unsigned)min_u64(max_u64((clock_now_ns() - began_ns) / LOOK_NS, 1), LOOK_WORTH_MAX);
}

static void complain(const struct run_card *card, const char *so)
{
	log_error("prog", "worker %u does not let go of its card: %s card=%s", card->worker, so,
		  card->place.card->name);
}

bool site_move_hold(struct run_card *card)
{
	if (nic_card_hold(NULL, card->card, site_move_give_way, HOLD_TRIES))
		return true;
	complain(card, "its functions cannot move");
	return false;
}

static struct run_card *card_of(struct run_io *io, int member)
{
	return &io->run->cards[io->place->member[member].card];
}

static struct nic_vf_conf vf_conf_of(struct run_io *io, int member)
{
	const struct site_io *asked = io->io;
	struct nic_vf_conf conf = {
		.mac = io->mac,
		.vlan = asked->vlan,
		.rate_bps = asked->rate_bps,
		.rate_pps = asked->rate_pps,
		.weight = asked->weight,
		.priority = asked->priority,
		.spoof_check = asked->spoof_check,
		.isolated = asked->isolated,
	};
	char system[64];
	const char *slash = asked->mirror_to ? strchr(asked->mirror_to, '/') : NULL;
	struct run_io *mirror;

	if (!slash)
		return conf;
	snprintf(system, sizeof system, "%.*s", (int)(slash - asked->mirror_to),
		 asked->mirror_to);
	mirror = site_run_io(io->run, system, slash + 1);
	for (unsigned m = 0; mirror && m < mirror->place->member_count; m++)
		if (mirror->place->member[m].card == io->place->member[member].card)
			conf.mirror_to = mirror->place->member[m].vf;
	return conf;
}

static void watch_all(struct run_io *io, int member)
{
	struct run_card *card = card_of(io, member);

	for (unsigned i = 0; i < io->fd_count; i++)
		workers_watch(io->run->workers, card->worker, io->fds[i]);
}

static void unwatch_all(struct run_io *io, int member)
{
	struct run_card *card = card_of(io, member);

	for (unsigned i = 0; i < io->fd_count; i++)
		workers_unwatch(io->run->workers, card->worker, io->fds[i]);
}

void site_move_watch(struct run_io *io, int fd)
{
	if (io->fd_count == RUN_IO_FDS_MAX) {
		log_warning("prog", "an interface has more queues than can wake its worker io=%s/%s",
			    io->system->name, io->io->name);
		return;
	}
	io->fds[io->fd_count++] = fd;
	if (io->bound >= 0)
		workers_watch(io->run->workers, card_of(io, io->bound)->worker, fd);
}

void site_move_unwatch(struct run_io *io, int fd)
{
	for (unsigned i = 0; i < io->fd_count; i++) {
		if (io->fds[i] != fd)
			continue;
		io->fds[i] = io->fds[--io->fd_count];
		if (io->bound >= 0)
			workers_unwatch(io->run->workers, card_of(io, io->bound)->worker, fd);
		return;
	}
}

void site_move_unwatch_all(struct run_io *io)
{
	if (io->bound >= 0)
		unwatch_all(io, io->bound);
}

void site_move_wake(struct run_io *io)
{
	if (io->bound >= 0)
		workers_wake(io->run->workers, card_of(io, io->bound)->worker);
}

void site_move_announce(struct run_io *io)
{
	struct run_card *card;

	if (io->bound < 0)
		return;
	card = card_of(io, io->bound);
	if (!site_move_hold(card))
		return;
	nic_card_announce(NULL, card->card, io->place->member[io->bound].vf);
	nic_card_release(NULL, card->card);
	workers_wake(io->run->workers, card->worker);
}

/* Both cards are held, or the one there is. */
static int bind_held(struct run_io *io, int member, struct refusal *why)
{
	struct nic_vf_conf conf = vf_conf_of(io, member);

	return nic_card_bind(NULL, card_of(io, member)->card, io->place->member[member].vf,
			     io->front, &conf, why);
}

int site_move_bind_first(struct run_io *io, int member, struct refusal *why)
{
	struct run_card *card = card_of(io, member);
	int err;

	must(io->bound < 0);
	if (!site_move_hold(card)) {
		refuse(why, "", "the worker of card '%s' does not let go of it",
		       card->place.card->name);
		return -EBUSY;
	}
	err = bind_held(io, member, why);
	if (!err)
		site_guard_move(io, member);
	nic_card_release(NULL, card->card);
	if (err)
		return err;
	io->bound = member;
	watch_all(io, member);
	return 0;
}

void site_move_unbind(struct run_io *io)
{
	struct run_card *card;

	if (io->bound < 0)
		return;
	card = card_of(io, io->bound);
	unwatch_all(io, io->bound);
	if (!site_move_hold(card))
		return;
	nic_card_unbind(NULL, card->card, io->place->member[io->bound].vf);
	site_guard_move(io, -1);
	nic_card_release(NULL, card->card);
	io->bound = -1;
}

static void name_function(const struct run_io *io, int member, char *text, size_t size)
{
	const struct placement_function *f = &io->place->member[member];

	snprintf(text, size, "%s/vf%u", io->run->cards[f->card].place.card->name, f->vf);
}

static void report(struct run_io *io, const struct run_move *move)
{
	struct event *event;
	char object[104];

	snprintf(object, sizeof object, "system %s/%s", io->system->name, io->io->name);
	if (io->mirror)
		return; /* site_mirror.c tells */
	if (site_disk_is(io) || site_external_is(io)) {
		event = events_add(&io->run->events, move->to < 0 ? "unplugged" : "plugged", object,
				   move->to < 0 ? site_disk_is(io) ?
				   "its card is away: its guest's commands end with an error" :
				   "its device is away: its guest's accesses end as on an empty bus" :
						  site_disk_is(io) ? "its card is there again" :
						      "its device is there again");
		name_function(io, 0, move->to < 0 ? event->from : event->to, sizeof event->to);
		events_publish(&io->run->events);
		return;
	}
	if (move->to >= 0 && move->from < 0) {
		event = events_add(&io->run->events, "plugged", object,
				   "a card can carry it again; its guest sees the link up");
		name_function(io, move->to, event->to, sizeof event->to);
	} else if (move->to >= 0) {
		event = events_add(&io->run->events, "moved", object,
				   "traffic was away for %llu us; %u queued frames went along",
				   (unsigned long long)(move->away_ns / 1000), move->replayed);
		event->away_ns = (int64_t)move->away_ns;
		name_function(io, move->to, event->to, sizeof event->to);
	} else {
		event = events_add(&io->run->events, "unplugged", object,
				   "%s; its guest sees the link down",
				   move->why.text[0] ? move->why.text
						     : "no card is left that can carry it");
	}
	if (move->from >= 0)
		name_function(io, move->from, event->from, sizeof event->from);
	events_publish(&io->run->events);
}

/* One interface to another member; the cards are held by the caller. */
static void move_held(struct run_io *io, struct run_move *move)
{
	const struct placement_function *from = &io->place->member[move->from < 0 ? 0 : move->from];
	const struct placement_function *to = &io->place->member[move->to < 0 ? 0 : move->to];
	struct run_card *cards = io->run->cards;

	if (move->from >= 0)
		must(nic_card_unbind(NULL, cards[from->card].card, from->vf) == io->front);
	if (move->to >= 0 && bind_held(io, move->to, &move->why) != 0)
		move->to = -1;
	site_guard_move(io, move->to);
	if (move->to < 0)
		return;
	if (move->from >= 0)
		move->replayed = nic_card_move_staged(NULL, cards[from->card].card, from->vf,
						      cards[to->card].card, to->vf);
	nic_card_announce(NULL, cards[to->card].card, to->vf);
}

/* A mirrored disk is served all the time; only the function that its guest's DMA is heard as changes. */
static bool hear_at(struct run_io *io, int member)
{
	struct run_card *card = card_of(io, member);
	bool is_there = member == io->bound;

	io->late = !is_there && !disk_card_hold(NULL, card->disk, site_move_give_way,
						io->late ? CATCH_UP_TRIES : HOLD_TRIES);
	if (is_there || io->late)
		return false;
	site_disk_plug(io, member);
	disk_card_release(NULL, card->disk);
	return true;
}

/* One that is late has been logged, and is tried again with the next beat. */
static bool hold_for(const struct run_io *io, struct run_card *card)
{
	return io->late ? nic_card_hold(NULL, card->card, site_move_give_way, CATCH_UP_TRIES) : site_move_hold(card);
}

static bool hold_both(const struct run_io *io, struct run_card *a, struct run_card *b)
{
	if (a && !hold_for(io, a))
		return false;
	if (!b || hold_for(io, b))
		return true;
	if (a)
		nic_card_release(NULL, a->card);
	return false;
}

/* The step during which traffic is away.  False when a worker does not let go of its card, which makes it late, or
 * nothing is to be done. */
static bool carry_out(struct run_io *io, int to, uint64_t since_ns)
{
	struct run_move *move = &io->move;
	struct run_card *a = io->bound >= 0 ? card_of(io, io->bound) : NULL;
	struct run_card *b = to >= 0 ? card_of(io, to) : NULL;

	*move = (struct run_move){ .from = io->bound, .to = to };
	if (site_hardware_is(io))
		return false; /* prog/site_hardware.h finds it another function */
	if (io->mirror && to >= 0)
		return hear_at(io, to);
	if (site_disk_is(io) || site_external_is(io)) {
		io->late = false;
		return true; /* it stays where it is: its card answers for it */
	}
	if (io->bound == to) {
		io->late = false;
		return false;
	}
	if (!hold_both(io, a, b)) {
		io->late_since_ns = io->late ? io->late_since_ns : since_ns;
		io->late = true;
		return false;
	}
	if (io->late)
		since_ns = io->late_since_ns;
	io->late = false;
	move_held(io, move);
	io->bound = move->to;
	if (b)
		nic_card_release(NULL, b->card);
	if (a)
		nic_card_release(NULL, a->card);
	if (b)
		workers_wake(io->run->workers, b->worker);
	move->away_ns = clock_now_ns() - since_ns;
	return true;
}

/* Frames go on already; this is about wake-ups and what the guest is told. */
static void settle(struct run_io *io)
{
	const struct run_move *move = &io->move;

	io->wait_told = false;
	if (site_disk_is(io) || site_external_is(io))
		return;
	if (move->to >= 0)
		watch_all(io, move->to);
	if (move->from >= 0)
		unwatch_all(io, move->from);
	if (move->from < 0 || move->to < 0) {
		attach_hold(&io->front->any);
		io->front->ops->set_link(NULL, io->front, move->to >= 0);
		attach_release(&io->front->any);
	}
	io->attachment->ops->rebound(io->attachment);
	io->moves++;
}

/* All move first, then all settle, then all is told, so that none is away for the sake of a log line. */
static void move_all(struct site_run *run, const struct failover_action *actions, unsigned count,
		     uint64_t since_ns)
{
	for (unsigned i = 0; i < count; i++) {
		struct run_io *io = &run->ios[actions[i].io];

		io->moving = carry_out(io, actions[i].to_member, since_ns);
	}
	for (unsigned i = 0; i < count; i++)
		if (run->ios[actions[i].io].moving)
			settle(&run->ios[actions[i].io]);
	for (unsigned i = 0; i < count; i++)
		if (run->ios[actions[i].io].moving)
			report(&run->ios[actions[i].io], &run->ios[actions[i].io].move);
}

void site_move_one(struct site_run *run, const struct failover_action *action, uint64_t since_ns)
{
	move_all(run, action, 1, since_ns);
	site_restore_look(run);
}

unsigned site_move_restore(struct site_run *run)
{
	uint64_t now_ns = clock_now_ns();
	unsigned count = failover_restore(&run->failover, now_ns, run->actions);

	move_all(run, run->actions, count, now_ns);
	return count;
}

static bool is_away(const struct run_card *card)
{
	enum failover_card_state state = failover_card_state(&card->run->failover, card->index);

	return state == FAILOVER_CARD_PULLED || state == FAILOVER_CARD_DEAD;
}

/* The card is held. */
static void detach_or_attach(struct run_card *card, bool detach)
{
	if (detach)
		nic_card_detach(NULL, card->card);
	else
		nic_card_attach(NULL, card->card);
	card->detached = detach;
}

/* A card that is pulled or dead is cut off, so that a worker which comes back from its driver finds
 * nothing to touch; one that is back begins with empty tables. */
static void cut_off_or_bring_back(struct run_card *card)
{
	bool detach = is_away(card);

	if (detach == card->detached || card->hardware)
		return;
	if (card->external) {
		site_external_detach(card, detach);
		return;
	}
	if (card->disk) {
		if (site_disk_detach(card, detach, HOLD_TRIES))
			card->detached = detach;
		else
			complain(card, "stays as it was");
		return;
	}
	if (!site_move_hold(card))
		return;
	detach_or_attach(card, detach);
	nic_card_release(NULL, card->card);
}

static void catch_up_card(struct run_card *card, bool detach)
{
	if (card->detached == detach || is_away(card) != detach)
		return;
	if (card->disk && site_disk_detach(card, detach, CATCH_UP_TRIES))
		card->detached = detach;
	if (!card->card || !nic_card_hold(NULL, card->card, site_move_give_way, CATCH_UP_TRIES))
		return;
	detach_or_attach(card, detach);
	nic_card_release(NULL, card->card);
}

void site_move_catch_up(struct site_run *run)
{
	for (unsigned i = 0; i < run->card_count; i++)
		catch_up_card(&run->cards[i], false); /* before fronts move here */
	for (unsigned i = 0; i < run->io_count; i++) {
		struct failover_action action = { .io = i, .to_member = run->failover_ios[i].active };

		if (run->ios[i].late)
			move_all(run, &action, 1, run->ios[i].late_since_ns);
	}
	for (unsigned i = 0; i < run->card_count; i++)
		catch_up_card(&run->cards[i], true);
}

void site_move_tell(struct run_card *card, enum failover_event event, uint64_t since_ns)
{
	struct site_run *run = card->run;
	unsigned count = failover_tell(&run->failover, card->index, event, clock_now_ns(), run->actions);
	bool comes_back = event == FAILOVER_INSERT || event == FAILOVER_HEART_CAME;

	if (comes_back)
		cut_off_or_bring_back(card); /* before fronts move here */
	move_all(run, run->actions, count, since_ns);
	if (!comes_back)
		cut_off_or_bring_back(card);
	site_restore_look(run);
}
