/* What must be the same in both daemons' site files, in words that an operator can compare. */
#include "prog/hand_over.h"

#include "fabric/placement.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *attachment_name(enum site_attachment attachment)
{
	static const char *const names[] = {
		[SITE_ATTACH_VHOST_USER] = "vhost-user", [SITE_ATTACH_TAP] = "tap",
		[SITE_ATTACH_VFIO_USER] = "vfio-user",	 [SITE_ATTACH_NVME] = "nvme",
		[SITE_ATTACH_VIRTIO_BLK] = "virtio-blk", [SITE_ATTACH_VHOST_USER_BLK] = "vhost-user-blk",
	};

	return names[attachment];
}

static const struct site_card *card_at(const struct site *site, unsigned n)
{
	struct site_card_place place;

	must(site_card_at(site, n, &place));
	return place.card;
}

/* A disk is where its medium is; a network function may be on any card. */
static void put_disk(FILE *out, const struct site *site, const struct placement *place, const struct site_io *io)
{
	struct site_io_place owner = site_io_owner(site, place->system, place->io);

	fprintf(out, " size=%" PRIu64 " queues=%u manage=%" PRIu64, io->size, io->queues, io->manage);
	if (io->shares)
		fprintf(out, " shares=%s controller=%u", io->shares,
			site_io_controller(site, place->system, place->io));
	if (io->primary)
		fputs(" primary", out);
	else if (site->systems[owner.system].io[owner.io].primary)
		fprintf(out, " secondary=%u", place->member[0].vf + 1);
	for (unsigned m = 0; m < place->member_count; m++) {
		const struct site_card *card = card_at(site, place->member[m].card);

		fprintf(out, " card=%s medium=%s nsid=%u", card->name,
			card->medium ? card->medium : "none", card->nsid);
	}
}

static void put_io(FILE *out, const struct site *site, const struct placement *place)
{
	const struct site_system *system = &site->systems[place->system];
	const struct site_io *io = &system->io[place->io];
	const struct site_card *card = card_at(site, place->member[0].card);

	fprintf(out, "%s/%s %s", system->name, io->name, attachment_name(io->attachment));
	if (card->card_class == SITE_CARD_EXTERNAL || card->card_class == SITE_CARD_VFIO)
		fprintf(out, " of class %s", card->card_class == SITE_CARD_VFIO ? "vfio" : "external");
	else if (site_io_is_disk(io))
		put_disk(out, site, place, io);
	else
		fprintf(out, " mac=%012" PRIx64 " queues=%u packed=%u mtu=%u",
			site_io_mac(site, place->system, place->io), io->queues, io->packed, card->mtu);
	fputc('\n', out);
}

char *hand_terms(const struct site *site, const char *tool_socket, struct refusal *why)
{
	unsigned count = placement_count(site);
	struct placement *places = calloc(count + 1, sizeof *places);
	char *text = NULL;
	size_t size = 0;
	FILE *out = places && placement_make(site, places, why) == 0 ? open_memstream(&text, &size) : NULL;

	if (out) {
		fprintf(out, "site %s\nsocket %s\n", site->name, tool_socket);
		for (unsigned i = 0; i < count; i++)
			put_io(out, site, &places[i]);
		if (fclose(out)) {
			free(text);
			text = NULL;
		}
	}
	if (!text && why && !why->text[0])
		refuse(why, "", "no memory to say what the site is");
	free(places);
	return text;
}

bool hand_terms_line(const char *terms, const struct site_system *system, const struct site_io *io,
		     const char **line, size_t *size)
{
	char begin[2 * SITE_NAME_MAX + 4];
	size_t length = (size_t)snprintf(begin, sizeof begin, "%s/%s ", system->name, io->name);

	for (const char *at = terms; *at; at += strcspn(at, "\n"), at += *at == '\n')
		if (strncmp(at, begin, length) == 0) {
			*line = at;
			*size = strcspn(at, "\n");
			return true;
		}
	return false;
}
