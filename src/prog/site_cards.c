#include "prog/site_cards.h"
#include "prog/site_disk.h"
#include "prog/site_external.h"
#include "prog/site_hardware.h"
#include "prog/site_lines.h"
#include "prog/site_mirror.h"
#include "prog/site_move.h"

#include "fabric/spread.h"
#include "os/clock.h"
#include "os/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum line_state { LINE_UP, LINE_WAITS, LINE_DOWN };

static void set_line(struct run_card *card, enum line_state state)
{
	if (!site_move_hold(card))
		return;
	if (state == LINE_WAITS)
		nic_card_line_lost(NULL, card->card);
	else
		nic_card_set_line_up(NULL, card->card, state == LINE_UP);
	nic_card_release(NULL, card->card);
}

static void on_link_changed(void *owner, bool up)
{
	struct run_card *card = owner;
	uint64_t now_ns = clock_now_ns();
	char object[104];

	if (card->line_up == up)
		return;
	card->line_up = up;
	if (up)
		set_line(card, LINE_UP);
	else
		set_line(card, LINE_WAITS); /* what can move loses nothing by it */
	site_move_tell(card, up ? FAILOVER_LINE_CAME : FAILOVER_LINE_LOST, now_ns);
	if (!up)
		set_line(card, LINE_DOWN);
	snprintf(object, sizeof object, "card %s", card->place.card->name);
	events_add(&card->run->events, up ? "line-up" : "line-down", object,
		   up ? "the line port has its link again" : "the line port lost its link");
	events_publish(&card->run->events);
}

static uint64_t random_u64(void)
{
	uint64_t value = 0;

	if (getrandom(&value, sizeof value, 0) != sizeof value)
		value = clock_now_ns(); /* only makes hash collisions easier to provoke */
	return value;
}

static int nic_create(struct run_card *card, struct refusal *why)
{
	const struct site_card *asked = card->place.card;
	struct nic_card_conf conf = {
		.vf_count = asked->vfs,
		.fdb_entries = asked->fdb_entries,
		.fdb_age_ns = asked->fdb_age_s * UINT64_C(1000000000),
		.line_bps = asked->line_rate_bps,
		.seed = random_u64(),
	};
	size_t size = (nic_card_size(&conf) + 63) / 64 * 64;
	struct uplink_conf line;
	int err, wake_fd;

	card->card = aligned_alloc(64, size);
	if (!card->card) {
		refuse(why, "", "no memory for card '%s' (%zu bytes)", asked->name, size);
		return -ENOMEM;
	}
	memset(card->card, 0, size);
	err = nic_card_init(card->card, &conf, why);
	if (err)
		return err;
	line = site_lines_conf(asked);
	line.link_changed = on_link_changed;
	line.owner = card;
	line.loop = card->run->loop;
	err = uplink_open(&card->uplink, &line, why);
	if (err)
		return err;
	wake_fd = uplink_use_wake_fd(card->uplink);
	if (wake_fd >= 0) {
		err = workers_watch(card->run->workers, card->worker, wake_fd);
		if (err) {
			refuse(why, "", "worker %u cannot watch the line port of card '%s': %s",
			       card->worker, asked->name, strerror(-err));
			return err;
		}
	}
	card->line_up = uplink_link_up(card->uplink);
	must(site_move_hold(card));
	nic_card_set_line(NULL, card->card, uplink_line(card->uplink));
	nic_card_set_line_up(NULL, card->card, card->line_up);
	nic_card_release(NULL, card->card);
	return 0;
}

static int card_create(struct run_card *card, struct refusal *why)
{
	switch (card->place.card->card_class) {
	case SITE_CARD_DISK:
		return site_disk_open(card, why);
	case SITE_CARD_EXTERNAL:
		return site_external_open(card, why);
	case SITE_CARD_VFIO:
		return site_hardware_open(card, why);
	default:
		return nic_create(card, why);
	}
}

/* Silent deaths of both cards of a group at once are what its operator thinks impossible. */
static void warn_of_clash(const struct site_run *run, const struct site_worker_spread *spread, unsigned group)
{
	const struct site_group *of = &run->site->groups[group];
	unsigned a, b;

	if (site_spread_clashes(spread, run->site, group, &a, &b))
		log_warning("prog", "one worker polls two cards of a group: when it hangs both are dead; "
			    "set 'workers' higher group=%s cards=%s,%s workers=%u",
			    of->name, of->cards[a], of->cards[b], spread->workers);
}

static int spread_workers(struct site_run *run, struct refusal *why)
{
	struct site_worker_spread *spread = malloc(sizeof *spread);

	if (!spread) {
		refuse(why, "", "no memory to spread cards over workers");
		return -ENOMEM;
	}
	site_spread_workers(spread, run->site, workers_count(run->workers));
	for (unsigned i = 0; i < run->card_count; i++)
		run->cards[i].worker = spread->worker[i];
	for (unsigned g = 0; g < run->site->groups_count; g++)
		warn_of_clash(run, spread, g);
	free(spread);
	return 0;
}

int site_cards_create(struct site_run *run, struct refusal *why)
{
	int err;

	run->cards = calloc(site_card_count(run->site), sizeof *run->cards);
	if (!run->cards) {
		refuse(why, "", "no memory for %u cards", site_card_count(run->site));
		return -ENOMEM;
	}
	run->card_count = site_card_count(run->site);
	for (unsigned i = 0; i < run->card_count; i++) {
		struct run_card *card = &run->cards[i];

		*card = (struct run_card){
			.run = run, .index = i
		};
		must(site_card_at(run->site, i, &card->place));
	}
	err = spread_workers(run, why);
	if (err)
		return err;
	site_mirror_connect(run);
	for (unsigned i = 0; i < run->card_count; i++) {
		err = card_create(&run->cards[i], why);
		if (err)
			return err;
	}
	return 0;
}
