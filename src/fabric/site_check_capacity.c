/* Enough functions for what systems ask, and mirrors on the card of what they mirror. */
#include "fabric/internal.h"

#include <stdio.h>
#include <string.h>

/* What systems ask of one pool. */
struct demand {
	unsigned interfaces, standbys;
};

static struct demand demand_of(const struct site *site, const char *pool)
{
	struct demand demand = { 0, 0 };

	for (unsigned s = 0; s < site->systems_count; s++) {
		for (unsigned i = 0; i < site->systems[s].io_count; i++) {
			const struct site_io *io = &site->systems[s].io[i];
			const struct site_group *group;

			if (strcmp(io->pool, pool) != 0)
				continue;
			group = site_io_group(site, io);
			demand.interfaces++;
			demand.standbys += group ? site_group_standbys(group) : 0;
		}
	}
	return demand;
}

static unsigned functions_of(const struct site *site, const struct site_pool *pool)
{
	unsigned functions = 0;

	for (unsigned i = 0; i < pool->cards_count; i++) {
		struct site_card_place place;
		int card = site_card_find(site, pool->cards[i]);

		must(card >= 0 && site_card_at(site, (unsigned)card, &place));
		functions += place.card->vfs;
	}
	return functions;
}

static void check_pool(struct site_check *check, unsigned p)
{
	const struct site_pool *pool = &check->site->pools[p];
	struct demand demand = demand_of(check->site, pool->name);
	unsigned asked = demand.interfaces + demand.standbys;
	unsigned available = functions_of(check->site, pool);
	char path[SITE_PATH_SIZE];

	if (asked <= available)
		return;
	snprintf(path, sizeof path, "pools[%u]", p);
	site_find(check, path,
		  "systems ask pool '%s' for %u functions (%u interfaces, and %u standbys for "
		  "them) and "
		  "its cards have %u; raise vfs, add a card, or ask for less",
		  pool->name, asked, demand.interfaces, demand.standbys, available);
}

/* Pools have enough when each is counted by itself; overlapping pools and groups, whose cards are
 * not a choice, may still want one function twice. */
static void check_placement(struct site_check *check, struct placement *rows)
{
	struct refusal why;

	if (placement_make(check->site, rows, &why) != 0)
		site_find(check, why.path, "%s", why.text);
}

static const struct placement *row_of(const struct site *site, const struct placement *rows,
				      const char *name)
{
	unsigned n = 0;

	for (unsigned s = 0; s < site->systems_count; s++) {
		const struct site_system *system = &site->systems[s];
		size_t length = strlen(system->name);

		for (unsigned i = 0; i < system->io_count; i++, n++)
			if (strncmp(name, system->name, length) == 0 && name[length] == '/' &&
			    strcmp(name + length + 1, system->io[i].name) == 0)
				return &rows[n];
	}
	return NULL;
}

static bool share_a_card(const struct placement *a, const struct placement *b)
{
	for (unsigned i = 0; i < a->member_count; i++)
		for (unsigned j = 0; j < b->member_count; j++)
			if (a->member[i].card == b->member[j].card)
				return true;
	return false;
}

static const char *card_name(const struct site *site, const struct placement *row)
{
	struct site_card_place place;

	must(site_card_at(site, row->member[0].card, &place));
	return place.card->name;
}

static void check_mirrors(struct site_check *check, const struct placement *rows)
{
	const struct site *site = check->site;
	unsigned count = placement_count(site);

	for (unsigned n = 0; n < count; n++) {
		const struct placement *row = &rows[n], *to;
		const struct site_io *io = &site->systems[row->system].io[row->io];
		char path[SITE_PATH_SIZE];

		if (!io->mirror_to)
			continue;
		to = row_of(site, rows, io->mirror_to);
		must(to != NULL);
		if (share_a_card(row, to))
			continue;
		snprintf(path, sizeof path, "systems[%u].io[%u].mirror_to", row->system, row->io);
		site_find(check, path,
			  "'%s' is placed on card '%s' and this interface on card '%s'; a mirror "
			  "must be "
			  "on the same card: give both a pool of that one card, or the same group",
			  io->mirror_to, card_name(site, to), card_name(site, row));
	}
}

void site_check_capacity(struct site_check *check)
{
	struct placement rows[SITE_IOS_MAX];

	for (unsigned p = 0; p < check->site->pools_count; p++)
		check_pool(check, p);
	if (check->found == 0)
		check_placement(check, rows);
	if (check->found == 0)
		check_mirrors(check, rows);
	if (check->found == 0)
		site_check_disk_space(check, rows);
}
