/* A mirrored disk goes on without its newest half: the operator's decision (site_mirror.h). */
#include "prog/site_disk.h"
#include "prog/site_mirror.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct run_card *card_of(const struct run_io *io, unsigned half)
{
	return &io->run->cards[io->place->member[half].card];
}

static int refuse_force(const struct run_io *io, unsigned n, int err, struct refusal *why, const char *text)
{
	refuse(why, "", "the mirrored disk '%s/%s' does not go on with card '%s': %s", io->system->name,
	       io->io->name, card_of(io, n)->place.card->name, text);
	return err;
}

/* With the hold. */
static int force_held(struct run_io *io, unsigned n, struct refusal *why)
{
	struct refusal below = { 0 };
	int err = mirror_force(NULL, io->mirror->mirror, n, &below);

	return err ? refuse_force(io, n, err, why, below.text) : 0;
}

int site_mirror_force(struct run_io *io, const struct run_card *card, enum run_give_up give_up,
		      struct refusal *why)
{
	unsigned n = card_of(io, 1) == card;
	struct disk_card *disk = card_of(io, 0)->disk;
	char text[SITE_MIRROR_TEXT], object[104];
	int err;

	if (strcmp(site_mirror_state(io), "away") != 0)
		return refuse_force(io, n, -EALREADY, why, "it has all that was written, nothing is to be "
				    "given up");
	if (give_up == RUN_KEEP_ALL) {
		snprintf(text, sizeof text, "what was written to card '%s' alone would be lost for good; bring "
			 "that card back, or say --give-up", card_of(io, 1 - n)->place.card->name);
		return refuse_force(io, n, -EPERM, why, text);
	}
	if (!disk_card_hold(NULL, disk, site_disk_give_way, SITE_DISK_HOLD_TRIES))
		return refuse_force(io, n, -EBUSY, why, "its worker does not answer");
	err = force_held(io, n, why);
	disk_card_release(NULL, disk);
	if (err)
		return err;
	workers_wake(io->run->workers, card_of(io, 0)->worker);
	snprintf(object, sizeof object, "system %s/%s", io->system->name, io->io->name);
	snprintf(text, sizeof text, "goes on with card '%s' by the operator's decision; what was written to card "
		 "'%s' alone is given up", card_of(io, n)->place.card->name, card_of(io, 1 - n)->place.card->name);
	events_add(&io->run->events, "mirror-forced", object, "%s", text);
	events_publish(&io->run->events);
	return 0;
}
