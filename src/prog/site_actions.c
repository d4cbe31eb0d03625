/* prog/site_actions.c -- what an operator may do to the running site (site_run.h). */
#include "prog/site_disk.h"
#include "prog/site_mirror.h"
#include "prog/site_move.h"
#include "prog/site_run.h"

#include "os/clock.h"

#include <errno.h>
#include <stdio.h>

static void report_card(struct run_card *card, const char *kind, const char *text)
{
	char object[104];

	snprintf(object, sizeof object, "card %s", card->place.card->name);
	events_add(&card->run->events, kind, object, "%s", text);
	events_publish(&card->run->events);
}

/* What is real is not pulled by a command. */
static bool refuse_real(const struct run_card *card, struct refusal *why)
{
	if (card->hardware)
		refuse(why, "", "card '%s' is real hardware, at %s: what happens to it there is seen here",
		       card->place.card->name, card->place.card->address);
	return card->hardware != NULL;
}

static enum failover_card_state state_of(struct run_card *card)
{
	return failover_card_state(&card->run->failover, card->index);
}

int site_run_pull(struct site_run *run, struct run_card *card, struct refusal *why)
{
	if (refuse_real(card, why))
		return -EINVAL;
	if (state_of(card) == FAILOVER_CARD_PULLED) {
		refuse(why, "", "card '%s' is pulled already", card->place.card->name);
		return -EALREADY;
	}
	site_move_tell(card, FAILOVER_PULL, clock_now_ns());
	report_card(card, "pulled", "pulled by the operator");
	site_mirror_look(run);
	return 0;
}

/* Overrides for one insert whether interfaces return to the card they prefer, and that they wait
 * with it. */
static void set_reverts(struct site_run *run, enum run_switch_back back)
{
	for (unsigned i = 0; i < run->io_count; i++) {
		const struct site_io *asked = run->ios[i].io;
		struct failover_io *io = &run->failover_ios[i];

		io->revert = back == RUN_SWITCH_BACK || (back == RUN_SWITCH_BACK_AS_CONFIGURED &&
							 site_io_reverts(run->site, asked));
		io->wait_ns =
			back == RUN_SWITCH_BACK ? 0 : site_io_wait_to_restore_ns(run->site, asked);
	}
}

/* Its interfaces stay where they are, by the operator's word: if they wait for it later, that is
 * told again. */
static void stay_away(struct site_run *run, const struct run_card *card)
{
	for (unsigned i = 0; i < run->io_count; i++)
		if (run->ios[i].place->member[0].card == card->index)
			run->ios[i].wait_told = false;
}

int site_run_insert(struct site_run *run, struct run_card *card, enum run_switch_back back,
		    struct refusal *why)
{
	bool absent = card->medium_absent;

	if (refuse_real(card, why))
		return -EINVAL;
	if (state_of(card) != FAILOVER_CARD_PULLED && !absent) {
		refuse(why, "", "card '%s' is not pulled: it is %s", card->place.card->name,
		       failover_card_state_text[state_of(card)]);
		return -EALREADY;
	}
	if (absent && site_disk_reopen(card, why))
		return -EIO; /* whatever it is, the request was right */
	set_reverts(run, back);
	if (absent)
		site_move_tell(card, FAILOVER_HEART_CAME, clock_now_ns());
	site_move_tell(card, FAILOVER_INSERT, clock_now_ns());
	set_reverts(run, RUN_SWITCH_BACK_AS_CONFIGURED);
	if (back == RUN_STAY)
		stay_away(run, card);
	report_card(card, "inserted", "inserted by the operator");
	site_mirror_look(run);
	return 0;
}

int site_run_hang(struct site_run *run, struct run_card *card, bool hang, struct refusal *why)
{
	(void)run;
	if (refuse_real(card, why))
		return -EINVAL;
	if (card->disk || card->external) {
		refuse(why, "", "card '%s' is of class %s: it has no line driver that could hang",
		       card->place.card->name, card->disk ? "disk" : "external");
		return -EINVAL;
	}
	if (card->hung == hang) {
		refuse(why, "", "the driver of card '%s' %s", card->place.card->name,
		       hang ? "hangs already" : "does not hang");
		return -EALREADY;
	}
	card->hung = hang;
	uplink_hang(card->uplink, hang);
	report_card(card, hang ? "hung" : "unhung",
		    hang ? "a drill makes its driver hang" : "a drill lets its driver go");
	return 0;
}

static int member_on(const struct run_io *io, const struct run_card *card)
{
	for (unsigned m = 0; m < io->place->member_count; m++)
		if (io->place->member[m].card == card->index)
			return (int)m;
	return -1;
}

int site_run_switch(struct site_run *run, struct run_io *io, struct run_card *to,
		    struct refusal *why)
{
	int member = member_on(io, to);
	struct failover_action action;

	if (member < 0) {
		refuse(why, "card", "interface '%s/%s' has no function on card '%s'",
		       io->system->name, io->io->name, to->place.card->name);
		return -EINVAL;
	}
	if (io->mirror) {
		refuse(why, "io", "'%s/%s' is a mirrored disk: it is on both cards all the time",
		       io->system->name, io->io->name);
		return -EINVAL;
	}
	if (io->bound == member) {
		refuse(why, "card", "interface '%s/%s' is on card '%s' already", io->system->name,
		       io->io->name, to->place.card->name);
		return -EALREADY;
	}
	if (!failover_switch(&run->failover, (unsigned)(io - run->ios), member, &action)) {
		refuse(why, "card", "card '%s' cannot take it: it is %s", to->place.card->name,
		       failover_card_state_text[state_of(to)]);
		return -EBUSY;
	}
	site_move_one(run, &action, clock_now_ns());
	return 0;
}

int site_run_force(struct site_run *run, struct run_io *io, struct run_card *with, enum run_give_up give_up,
		   struct refusal *why)
{
	int err;

	if (!io->mirror) {
		refuse(why, "io", "'%s/%s' is no mirrored disk", io->system->name, io->io->name);
		return -EINVAL;
	}
	if (member_on(io, with) < 0) {
		refuse(why, "card", "the mirrored disk '%s/%s' has no half on card '%s'", io->system->name,
		       io->io->name, with->place.card->name);
		return -EINVAL;
	}
	err = site_mirror_force(io, with, give_up, why);
	if (!err)
		site_mirror_look(run);
	return err;
}
