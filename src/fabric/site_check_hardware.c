/* Keys of real cards, class vfio, and of the interfaces that get their functions. */
#include "fabric/internal.h"

#include <stdio.h>
#include <string.h>

#define MEGABIT UINT64_C(1000000)

struct stray {
	const char *key;
	bool given;
};

/* "0000:3b:00.0", and no other way of writing it: two cards are compared by it. */
static bool address_is_good(const char *text)
{
	static const char shape[] = "hhhh:hh:hh.o";

	if (strlen(text) != sizeof shape - 1)
		return false;
	for (unsigned i = 0; shape[i]; i++) {
		bool digit =
			(text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');

		if (shape[i] == 'h'   ? !digit
		    : shape[i] == 'o' ? text[i] < '0' || text[i] > '7'
				      : text[i] != shape[i])
			return false;
	}
	return true;
}

/* Whether a line port is the same device: "0000:" may be left out there. */
static bool is_line(const char *line, const char *address)
{
	const char *comma = strchr(line, ',');
	size_t length = comma ? (size_t)(comma - line) : strlen(line);
	const char *brief = strncmp(address, "0000:", 5) == 0 ? address + 5 : address;

	return (length == strlen(address) && strncmp(line, address, length) == 0) ||
	       (length == strlen(brief) && strncmp(line, brief, length) == 0);
}

static void check_address(struct site_check *check, unsigned n, const struct site_card *card)
{
	struct site_card_walk walk = { 0 };
	struct site_card_place other;
	char path[SITE_PATH_SIZE];

	site_card_path(check->site, n, "address", path);
	if (!card->address) {
		site_find(
			check, path,
			"is missing: a card of class vfio needs the PCI address of its "
			"physical function, as in 0000:3b:00.0; 'midplane hardware list' has them");
		return;
	}
	if (!address_is_good(card->address))
		site_find(check, path,
			  "'%.40s' is no PCI address; allowed: domain, bus, device and "
			  "function in small hexadecimal letters, as in 0000:3b:00.0",
			  card->address);
	for (unsigned i = 0; site_card_next(check->site, &walk, &other); i++) {
		if (i < n && other.card->address && strcmp(other.card->address, card->address) == 0)
			site_find(check, path,
				  "card '%s' is this function already; each card is one of "
				  "its own",
				  other.card->name);
		if (other.card->line && is_line(other.card->line, card->address))
			site_find(check, path,
				  "this function is the line port of card '%s' already",
				  other.card->name);
	}
}

static void check_vfio_card(struct site_check *check, unsigned n, const struct site_card *card)
{
	const struct stray strays[] = {
		{ "line", card->line != NULL },
		{ "medium", card->medium != NULL },
		{ "namespace", card->nsid != 0 },
		{ "size", card->size != 0 },
		{ "line_rate", card->line_rate_bps != 0 },
		{ "mtu", card->mtu != 1500 },
		{ "fdb_entries", card->fdb_entries != 4096 },
		{ "fdb_age_s", card->fdb_age_s != 300 },
	};
	char path[SITE_PATH_SIZE];

	for (unsigned i = 0; i < array_len(strays); i++) {
		if (!strays[i].given)
			continue;
		site_card_path(check->site, n, strays[i].key, path);
		site_find(check, path,
			  "a card of class vfio is real hardware, which has its own; leave this "
			  "key out");
	}
	check_address(check, n, card);
}

static void check_other_card(struct site_check *check, unsigned n, const struct site_card *card)
{
	char path[SITE_PATH_SIZE];

	if (card->address) {
		site_card_path(check->site, n, "address", path);
		site_find(check, path, "this key is for class vfio: real hardware");
	}
	if (card->at_stop != SITE_AT_STOP_RELEASE) {
		site_card_path(check->site, n, "at_stop", path);
		site_find(check, path, "this key is for class vfio: real hardware");
	}
}

static void find_at(struct site_check *check, unsigned s, unsigned i, const char *key,
		    const char *text)
{
	char path[SITE_PATH_SIZE];

	snprintf(path, sizeof path, "systems[%u].io[%u].%s", s, i, key);
	site_find(check, path, "%s", text);
}

static void check_function(struct site_check *check, unsigned s, unsigned i,
			   const struct site_io *io)
{
	const struct stray strays[] = {
		{ "socket", io->socket != NULL },
		{ "socket_mode", io->socket_mode != SITE_SOCKET_SERVER },
		{ "interface", io->interface != NULL },
		{ "netns", io->netns != NULL },
		{ "pps", io->rate_pps != 0 },
		{ "weight", io->weight != 100 },
		{ "priority", io->priority != 0 },
		{ "queues", io->queues != 1 },
		{ "spoof_check", !io->spoof_check },
		{ "isolated", io->isolated },
		{ "mirror_to", io->mirror_to != NULL },
		{ "packed", io->packed },
	};

	for (unsigned k = 0; k < array_len(strays); k++)
		if (strays[k].given)
			find_at(check, s, i, strays[k].key,
				"attachment vfio is a real function, whose driver takes mac, vlan "
				"and rate; "
				"leave this key out");
	if (io->redundancy)
		find_at(check, s, i, "redundancy",
			"a real function is on one card; leave this key out");
	if (io->rate_bps % MEGABIT)
		find_at(check, s, i, "rate",
			"drivers of real cards take whole Mbit/s, such as 100Mbit");
}

/* The class of a pool's first card; names that lead nowhere are reported elsewhere. */
static bool class_of_pool(const struct site *site, const char *name, enum site_card_class *class)
{
	int pool = site_pool_find(site, name);
	struct site_card_place place;
	int card;

	if (pool < 0 || site->pools[pool].cards_count == 0)
		return false;
	card = site_card_find(site, site->pools[pool].cards[0]);
	if (card < 0 || !site_card_at(site, (unsigned)card, &place))
		return false;
	*class = place.card->card_class;
	return true;
}

static void check_io(struct site_check *check, unsigned s, unsigned i)
{
	const struct site_io *io = &check->site->systems[s].io[i];
	bool known, vfio = io->attachment == SITE_ATTACH_VFIO;
	enum site_card_class class = SITE_CARD_NIC;

	known = class_of_pool(check->site, io->pool, &class);
	if (known && vfio && class == SITE_CARD_NIC)
		find_at(check, s, i, "attachment", "attachment vfio needs a pool of vfio cards");
	else if (known && !vfio && !site_io_is_disk(io) && class == SITE_CARD_VFIO)
		find_at(check, s, i, "attachment",
			"the pool has real functions, of vfio cards; allowed with it: vfio");
	if (vfio)
		check_function(check, s, i, io);
}

void site_check_hardware(struct site_check *check)
{
	const struct site *site = check->site;
	struct site_card_walk walk = { 0 };
	struct site_card_place place;

	for (unsigned n = 0; site_card_next(site, &walk, &place); n++) {
		if (place.card->card_class == SITE_CARD_VFIO)
			check_vfio_card(check, n, place.card);
		else
			check_other_card(check, n, place.card);
	}
	for (unsigned s = 0; s < site->systems_count; s++)
		for (unsigned i = 0; i < site->systems[s].io_count; i++)
			check_io(check, s, i);
}
