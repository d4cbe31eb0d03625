#include "prog/site_restore.h"
#include "prog/site_move.h"

#include "os/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_of(const struct run_io *io, const struct site_group *group, unsigned card)
{
	return io->place->member[0].card == card && site_io_group(io->run->site, io->io) == group;
}

enum news { WAITING, RESTORED };

/* Of 'count' interfaces of a group that prefer the same card, one of which is 'first'. */
static void report(const struct run_io *first, unsigned count, enum news news)
{
	struct site_run *run = first->run;
	const struct site_group *group = site_io_group(run->site, first->io);
	const char *card = run->cards[first->place->member[0].card].place.card->name;
	const char *go = count == 1 ? "interface goes" : "interfaces go";
	char object[104];

	snprintf(object, sizeof object, "group %s", group->name);
	if (news == WAITING)
		events_add(&run->events, "waiting", object,
			   "card %s is well again: %u %s back when it has been so for %u s without "
			   "a break",
			   card, count, go, group->wait_to_restore_s);
	else
		events_add(&run->events, "restored", object,
			   "card %s has been well for %u s: %u %s back to it", card,
			   group->wait_to_restore_s, count, go);
	events_publish(&run->events);
}

/* All that wait for the same as this one, which are marked as told. */
static unsigned mark_told(struct run_io *first)
{
	struct site_run *run = first->run;
	const struct site_group *group = site_io_group(run->site, first->io);
	unsigned count = 0;

	for (unsigned i = 0; i < run->io_count; i++) {
		struct run_io *io = &run->ios[i];

		if (!run->failover_ios[i].back_ns || io->wait_told ||
		    !is_of(io, group, first->place->member[0].card))
			continue;
		io->wait_told = true;
		count++;
	}
	return count;
}

static void tell_waits(struct site_run *run)
{
	for (unsigned i = 0; i < run->io_count; i++)
		if (run->failover_ios[i].back_ns && !run->ios[i].wait_told)
			report(&run->ios[i], mark_told(&run->ios[i]), WAITING);
}

/* One event for each group and card of the interfaces that went back together. */
static void tell_restored(struct site_run *run, unsigned count)
{
	for (unsigned a = 0; a < count; a++) {
		struct run_io *first = &run->ios[run->actions[a].io];
		const struct site_group *group = site_io_group(run->site, first->io);
		unsigned before = 0, together = 0;

		for (unsigned b = 0; b < count; b++) {
			bool same = is_of(&run->ios[run->actions[b].io], group,
					  first->place->member[0].card);

			together += same;
			before += same && b < a;
		}
		if (!before)
			report(first, together, RESTORED);
	}
}

static void on_time(uv_timer_t *timer)
{
	struct site_run *run = timer->data;
	unsigned count = site_move_restore(run);

	tell_restored(run, count);
	site_restore_look(run);
}

/* libuv counts milliseconds from when its loop last looked at the clock, so it may be early: then
 * nothing is due yet, and the timer is set again. */
static void set_timer(struct site_run *run)
{
	uint64_t deadline_ns = failover_deadline_ns(&run->failover), now_ns = clock_now_ns();
	uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;

	if (deadline_ns == UINT64_MAX)
		must(uv_timer_stop(run->restore_timer) == 0);
	else
		must(uv_timer_start(run->restore_timer, on_time, (left_ns + 999999) / 1000000, 0) ==
		     0);
}

void site_restore_look(struct site_run *run)
{
	if (!run->restore_timer)
		return; /* the site is being built or taken down */
	tell_waits(run);
	set_timer(run);
}

int site_restore_start(struct site_run *run, struct refusal *why)
{
	run->restore_timer = malloc(sizeof *run->restore_timer);
	if (!run->restore_timer) {
		refuse(why, "", "no memory for a timer");
		return -ENOMEM;
	}
	must(uv_timer_init(run->loop, run->restore_timer) == 0);
	run->restore_timer->data = run;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

void site_restore_stop(struct site_run *run)
{
	if (run->restore_timer)
		uv_close((uv_handle_t *)run->restore_timer, on_closed);
	run->restore_timer = NULL;
}

uint64_t site_restore_left_s(const struct site_run *run, const struct site_group *group,
			     const struct run_card *card)
{
	uint64_t back_ns = UINT64_MAX, now_ns = clock_now_ns();

	for (unsigned i = 0; i < run->io_count; i++)
		if (run->failover_ios[i].back_ns && is_of(&run->ios[i], group, card->index))
			back_ns = min_u64(back_ns, run->failover_ios[i].back_ns);
	if (back_ns == UINT64_MAX)
		return 0;
	return back_ns > now_ns ? (back_ns - now_ns + 999999999) / 1000000000
				: 1; /* at any moment */
}
