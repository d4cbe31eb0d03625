#include "prog/site_disk_medium.h"
#include "prog/vfio_user_medium.h"

#include "os/log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int site_disk_refuse_card(const struct run_card *card, int err, struct refusal *why, const struct refusal *below,
			  const char *remedy)
{
	refuse(why, "", "card '%s': %s%s%s", card->place.card->name, below->text[0] ? below->text : strerror(-err),
	       remedy[0] ? "; " : "", remedy);
	return err;
}

static bool is_memory(const struct site_card *card)
{
	return strcmp(card->medium, "memory") == 0;
}

static bool is_file(const struct site_card *card)
{
	return card->medium[0] == '/';
}

/* The path of the socket of a medium that another process serves, or NULL. */
static const char *served_at(const struct site_card *card)
{
	size_t size = sizeof SITE_VFIO_USER - 1;

	return strncmp(card->medium, SITE_VFIO_USER, size) == 0 ? card->medium + size : NULL;
}

/* What the user can do where a file cannot be opened; the other media say it themselves. */
static const char *remedy_of(const struct site_card *asked, int err)
{
	if (!is_file(asked))
		return "";
	if (err == -ENOENT)
		return asked->size ? "make its directory" : "give the card a size, so that the file is made";
	if (err == -EACCES || err == -EPERM)
		return "let the user of midplaned read and write it";
	return "";
}

static int open_asked(const struct run_card *card, struct medium **medium, struct refusal *why)
{
	const struct site_card *asked = card->place.card;
	const struct medium_conf conf = {
		.kind = is_memory(asked) ? MEDIUM_MEMORY : is_file(asked) ? MEDIUM_FILE : MEDIUM_VFIO,
		.path = is_memory(asked) ? NULL : asked->medium,
		.size = asked->size,
		.nsid = asked->nsid,
	};
	const struct vfio_user_medium_conf served = { .path = served_at(asked), .nsid = asked->nsid };

	return served.path ? vfio_user_medium_open(medium, &served, why) : medium_open(medium, &conf, why);
}

int site_disk_open_medium(const struct run_card *card, struct medium **medium, struct refusal *why)
{
	const struct site_card *asked = card->place.card;
	struct refusal below = { 0 };
	int err = open_asked(card, medium, &below);

	if (err)
		return site_disk_refuse_card(card, err, why, &below, remedy_of(asked, err));
	if (asked->size && (*medium)->size != asked->size) {
		refuse(why, "", "card '%s': its medium %s has %" PRIu64 " bytes, the site file says %" PRIu64
		       ": leave 'size' out to take it as it is, or name another file", asked->name,
		       asked->medium, (*medium)->size, asked->size);
		medium_close(*medium);
		*medium = NULL;
		return -EINVAL;
	}
	if (*medium_note(*medium))
		log_info("prog", "a medium is carried by threads card=%s medium=%s: %s", asked->name,
			 asked->medium, medium_note(*medium));
	return 0;
}
