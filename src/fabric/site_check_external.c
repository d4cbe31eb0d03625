/* Cards whose functions other processes serve: sockets that can be, used once, and keys that such functions do not
 * have. */
#include "fabric/internal.h"

#include <stdio.h>
#include <string.h>

/* A key that a kind of card or interface does not have. */
struct stray {
	const char *key;
	bool given;
};

static void find_at_card(struct site_check *check, unsigned n, const char *key, const char *text)
{
	char path[SITE_PATH_SIZE];

	site_card_path(check->site, n, key, path);
	site_find(check, path, "%s", text);
}

static void check_strays(struct site_check *check, unsigned n, const struct site_card *card)
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

	for (unsigned i = 0; i < array_len(strays); i++)
		if (strays[i].given)
			find_at_card(check, n, strays[i].key,
				     "a card of class external has functions and nothing else; leave this "
				     "key out");
	if (card->functions_count && card->vfs != card->functions_count)
		find_at_card(check, n, "vfs", "a card of class external has as many functions as it lists; "
					      "leave this key out");
}

/* Whether a card before, or this one before its function 'index', has that socket: its name. */
static const char *user_of(const struct site *site, unsigned n, unsigned index, const char *socket)
{
	struct site_card_walk walk = { 0 };
	struct site_card_place place;

	for (unsigned c = 0; c <= n && site_card_next(site, &walk, &place); c++)
		for (unsigned f = 0; f < place.card->functions_count && (c < n || f < index); f++)
			if (place.card->functions[f].socket &&
			    strcmp(place.card->functions[f].socket, socket) == 0)
				return place.card->name;
	return NULL;
}

/* Whether the site serves a function of its own there. */
static bool is_served_here(const struct site *site, const char *socket)
{
	for (unsigned s = 0; s < site->systems_count; s++)
		for (unsigned i = 0; i < site->systems[s].io_count; i++)
			if (site->systems[s].io[i].socket &&
			    strcmp(site->systems[s].io[i].socket, socket) == 0)
				return true;
	return false;
}

static void check_function(struct site_check *check, unsigned n, unsigned index,
			   const struct site_external_function *function)
{
	char path[SITE_PATH_SIZE], key[32];
	const char *user;

	if (!function->socket)
		return; /* its absence was found by the schema */
	snprintf(key, sizeof key, "functions[%u].socket", index);
	site_card_path(check->site, n, key, path);
	if (function->socket[0] != '/')
		site_find(check, path, "'%.60s' is not an absolute path; begin it with '/'", function->socket);
	if (strlen(function->socket) > SITE_SOCKET_MAX)
		site_find(check, path, "the path has more than the %d characters that a unix socket allows",
			  SITE_SOCKET_MAX);
	user = user_of(check->site, n, index, function->socket);
	if (user)
		site_find(check, path, "card '%s' has this function already; each can be imported once", user);
	if (is_served_here(check->site, function->socket))
		site_find(check, path, "this site serves a function of its own there; name the socket of another "
			  "process");
}

void site_check_external_card(struct site_check *check, unsigned n, const struct site_card *card)
{
	if (card->card_class != SITE_CARD_EXTERNAL) {
		if (card->functions_count)
			find_at_card(check, n, "functions", "this key is for class external");
		return;
	}
	if (!card->functions_count)
		find_at_card(check, n, "functions",
			     "is missing: a card of class external needs it: a list of sockets, such as "
			     "- socket: /run/device.sock");
	check_strays(check, n, card);
	for (unsigned i = 0; i < card->functions_count; i++)
		check_function(check, n, i, &card->functions[i]);
}

void site_check_external_io(struct site_check *check, unsigned system, unsigned index)
{
	const struct site_io *io = &check->site->systems[system].io[index];
	const struct stray strays[] = {
		{ "mac", io->mac != NULL },
		{ "vlan", io->vlan != 0 },
		{ "rate", io->rate_bps != 0 },
		{ "pps", io->rate_pps != 0 },
		{ "weight", io->weight != 100 },
		{ "priority", io->priority != 0 },
		{ "queues", io->queues > 1 },
		{ "redundancy", io->redundancy != NULL },
		{ "spoof_check", !io->spoof_check },
		{ "isolated", io->isolated },
		{ "mirror_to", io->mirror_to != NULL },
		{ "packed", io->packed },
		{ "size", io->size != 0 },
		{ "iops", io->iops != 0 },
		{ "byte_rate", io->byte_rate != 0 },
		{ "resync_rate", io->resync_rate != 0 },
		{ "shares", io->shares != NULL },
		{ "primary", io->primary },
	};
	char path[SITE_PATH_SIZE];

	if (io->attachment != SITE_ATTACH_VFIO_USER) {
		snprintf(path, sizeof path, "systems[%u].io[%u].attachment", system, index);
		site_find(check, path, "the pool has functions of other processes; allowed with it: vfio-user");
	}
	for (unsigned k = 0; k < array_len(strays); k++) {
		if (!strays[k].given)
			continue;
		snprintf(path, sizeof path, "systems[%u].io[%u].%s", system, index, strays[k].key);
		site_find(check, path, "what a function of another process does is that process's business; leave "
			  "this key out");
	}
}
