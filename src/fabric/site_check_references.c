/* Names lead to something that exists; groups can be spread as asked. */
#include "fabric/internal.h"

#include "fabric/choice.h"

#include <stdio.h>
#include <string.h>

static void check_hosts(struct site_check *check)
{
	const struct site *site = check->site;
	char path[SITE_PATH_SIZE], names[SITE_NAMES_TEXT_SIZE];

	for (unsigned h = 0; h < site->hosts_count; h++) {
		const char *chassis = site->hosts[h].chassis;
		unsigned i = 0;

		while (i < site->chassis_count && strcmp(site->chassis[i].name, chassis) != 0)
			i++;
		if (i < site->chassis_count)
			continue;
		snprintf(path, sizeof path, "hosts[%u].chassis", h);
		site_find(check, path, "there is no chassis '%s'; the chassis are: %s", chassis,
			  site_names(site, SITE_KIND_CHASSIS, names));
	}
}

static void check_systems(struct site_check *check)
{
	const struct site *site = check->site;
	char path[SITE_PATH_SIZE], names[SITE_NAMES_TEXT_SIZE];

	for (unsigned s = 0; s < site->systems_count; s++) {
		unsigned i = 0;

		while (i < site->hosts_count &&
		       strcmp(site->hosts[i].name, site->systems[s].host) != 0)
			i++;
		if (i < site->hosts_count)
			continue;
		snprintf(path, sizeof path, "systems[%u].host", s);
		site_find(check, path, "there is no host '%s'; the hosts are: %s",
			  site->systems[s].host, site_names(site, SITE_KIND_HOST, names));
	}
}

/* The cards that a pool or group lists: they exist, each once. */
static void check_card_list(struct site_check *check, const char *list, unsigned n,
			    char *const *cards, unsigned count)
{
	char path[SITE_PATH_SIZE], names[SITE_NAMES_TEXT_SIZE];

	for (unsigned c = 0; c < count; c++) {
		snprintf(path, sizeof path, "%s[%u].cards[%u]", list, n, c);
		if (site_card_find(check->site, cards[c]) < 0) {
			site_find(check, path, "there is no card '%s'; the cards are: %s", cards[c],
				  site_names(check->site, SITE_KIND_CARD, names));
			continue;
		}
		for (unsigned i = 0; i < c; i++) {
			if (strcmp(cards[i], cards[c]) != 0)
				continue;
			site_find(check, path, "card '%s' is in this list already; each card once",
				  cards[c]);
			break;
		}
	}
}

/* Reports when two cards of a group, at 'i' and 'j' of its list, share what it asks to keep apart.
 */
static void check_spread(struct site_check *check, unsigned g, unsigned i, unsigned j)
{
	const struct site_group *group = &check->site->groups[g];
	struct site_card_place a, b;
	int first = site_card_find(check->site, group->cards[i]);
	int second = site_card_find(check->site, group->cards[j]);
	char path[SITE_PATH_SIZE];

	if (first < 0 || second < 0 || first == second)
		return; /* reported already */
	must(site_card_at(check->site, (unsigned)first, &a));
	must(site_card_at(check->site, (unsigned)second, &b));
	snprintf(path, sizeof path, "groups[%u].spread", g);
	if (group->spread == SITE_SPREAD_CHASSIS && a.chassis == b.chassis)
		site_find(
			check, path,
			"group '%s' cannot be spread over chassis: cards '%s' and '%s' are both in "
			"chassis '%s'; choose cards of two chassis, or spread: carrier or card",
			group->name, a.card->name, b.card->name, a.chassis->name);
	if (group->spread == SITE_SPREAD_CARRIER && a.carrier == b.carrier)
		site_find(check, path,
			  "group '%s' cannot be spread over carriers: cards '%s' and '%s' are both "
			  "on "
			  "carrier '%s'; choose cards of two carriers, or spread: card",
			  group->name, a.card->name, b.card->name, a.carrier->name);
}

/* Whether there are as many cards as the mode needs. */
static bool check_group_size(struct site_check *check, unsigned g)
{
	const struct site_group *group = &check->site->groups[g];
	bool open = site_group_is_open(group);
	unsigned count = open ? group->count : group->cards_count;
	char path[SITE_PATH_SIZE];

	if (group->mode == SITE_REDUNDANCY_ONE_PLUS_ONE && count != 2) {
		snprintf(path, sizeof path, "groups[%u].%s", g, open ? "count" : "cards");
		site_find(check, path, "group '%s' has %u cards; mode 1+1 takes exactly two",
			  group->name, count);
		return false;
	}
	if (group->mode == SITE_REDUNDANCY_N_PLUS_M && group->standbys >= count) {
		snprintf(path, sizeof path, "groups[%u].standbys", g);
		site_find(
			check, path,
			"group '%s' has %u cards, and all of them would stand by; allowed are 1 to "
			"%u standbys",
			group->name, count, count - 1);
		return false;
	}
	return true;
}

/* How many cards of a pool can be in one group at most. */
static unsigned most_together(const struct site *site, const struct site_pool *pool,
			      enum site_spread spread)
{
	struct site_card_place met[SITE_GROUP_CARDS_MAX];
	unsigned count = 0;

	for (unsigned i = 0; i < pool->cards_count && count < array_len(met); i++) {
		int card = site_card_find(site, pool->cards[i]);
		struct site_card_place place;
		bool shares = false;

		if (card < 0)
			continue; /* reported already */
		must(site_card_at(site, (unsigned)card, &place));
		for (unsigned k = 0; k < count; k++)
			shares |= spread == SITE_SPREAD_CHASSIS	  ? met[k].chassis == place.chassis
				  : spread == SITE_SPREAD_CARRIER ? met[k].carrier == place.carrier
								  : met[k].card == place.card;
		if (!shares)
			met[count++] = place;
	}
	return count;
}

/* A group whose cards will be chosen: there is a pool, and it has enough of them, spread as asked.
 */
static void check_open_group(struct site_check *check, unsigned g)
{
	static const char *const shared[] = { "places", "carriers", "chassis" };
	const struct site_group *group = &check->site->groups[g];
	int pool = site_pool_find(check->site, group->pool);
	char path[SITE_PATH_SIZE], names[SITE_NAMES_TEXT_SIZE];
	unsigned most;

	snprintf(path, sizeof path, "groups[%u].pool", g);
	if (pool < 0) {
		site_find(check, path, "there is no pool '%s'; the pools are: %s", group->pool,
			  site_names(check->site, SITE_KIND_POOL, names));
		return;
	}
	most = most_together(check->site, &check->site->pools[pool], group->spread);
	if (most < group->count)
		site_find(check, path,
			  "group '%s' takes %u cards in different %s, and pool '%s' has them in "
			  "%u; ask for fewer, add cards to the pool, or spread them less",
			  group->name, group->count, shared[group->spread], group->pool, most);
}

/* Whether cards are given or to be chosen, and not both. */
static bool check_group_source(struct site_check *check, unsigned g)
{
	const struct site_group *group = &check->site->groups[g];
	char path[SITE_PATH_SIZE];

	if (group->cards_count == 0 && !group->pool) {
		snprintf(path, sizeof path, "groups[%u]", g);
		site_find(check, path,
			  "group '%s' has no cards; name them under 'cards', or under 'pool' the "
			  "pool to choose them from",
			  group->name);
		return false;
	}
	if (group->cards_count && group->pool && !group->chosen) {
		snprintf(path, sizeof path, "groups[%u].pool", g);
		site_find(check, path,
			  "group '%s' names its cards and a pool to choose them from; leave out "
			  "one of the two",
			  group->name);
		return false;
	}
	return true;
}

/* Who never goes back has nothing to wait for. */
static void check_wait_to_restore(struct site_check *check, unsigned g)
{
	const struct site_group *group = &check->site->groups[g];
	char path[SITE_PATH_SIZE];

	if (!group->wait_to_restore_s || group->revert)
		return;
	snprintf(path, sizeof path, "groups[%u].wait_to_restore_s", g);
	site_find(check, path,
		  "group '%s' does not go back to its preferred card, so there is nothing to wait "
		  "for; set revert: true, or leave this out",
		  group->name);
}

static void check_groups(struct site_check *check)
{
	const struct site *site = check->site;

	for (unsigned g = 0; g < site->groups_count; g++) {
		const struct site_group *group = &site->groups[g];

		check_wait_to_restore(check, g);
		if (!check_group_source(check, g))
			continue;
		check_card_list(check, "groups", g, group->cards, group->cards_count);
		if (!check_group_size(check, g))
			continue;
		if (site_group_is_open(group))
			check_open_group(check, g);
		for (unsigned j = 1; j < group->cards_count; j++)
			for (unsigned i = 0; i < j; i++)
				check_spread(check, g, i, j);
	}
}

static void check_pools(struct site_check *check)
{
	const struct site *site = check->site;
	char path[SITE_PATH_SIZE], names[SITE_NAMES_TEXT_SIZE];

	for (unsigned p = 0; p < site->pools_count; p++) {
		const struct site_pool *pool = &site->pools[p];

		check_card_list(check, "pools", p, pool->cards, pool->cards_count);
		if (pool->cards_count)
			continue;
		snprintf(path, sizeof path, "pools[%u].cards", p);
		site_find(check, path, "pool '%s' has no card; the cards are: %s", pool->name,
			  site_names(site, SITE_KIND_CARD, names));
	}
}

static bool pool_has(const struct site_pool *pool, const char *card)
{
	for (unsigned i = 0; i < pool->cards_count; i++)
		if (strcmp(pool->cards[i], card) == 0)
			return true;
	return false;
}

/* Whatever is chosen for an open group must be in the interface's pool. */
static void check_source_pool(struct site_check *check, const struct site_group *group,
			      const char *path, const struct site_pool *pool)
{
	int from = site_pool_find(check->site, group->pool);

	for (unsigned i = 0; from >= 0 && i < check->site->pools[from].cards_count; i++) {
		const char *card = check->site->pools[from].cards[i];

		if (pool_has(pool, card))
			continue;
		site_find(check, path,
			  "card '%s' of pool '%s', which group '%s' is chosen from, is not in pool "
			  "'%s' of this interface; give both the same pool",
			  card, group->pool, group->name, pool->name);
		return;
	}
}

static void check_io_group(struct site_check *check, const struct site_io *io, const char *path,
			   const struct site_pool *pool)
{
	const struct site_group *group = site_io_group(check->site, io);
	char names[SITE_NAMES_TEXT_SIZE];

	if (!group) {
		site_find(check, path, "there is no group '%s'; the groups are: %s", io->redundancy,
			  site_names(check->site, SITE_KIND_GROUP, names));
		return;
	}
	if (pool && site_group_is_open(group))
		check_source_pool(check, group, path, pool);
	for (unsigned i = 0; pool && i < group->cards_count; i++)
		if (!pool_has(pool, group->cards[i]))
			site_find(check, path,
				  "card '%s' of group '%s' is not in pool '%s' of this interface; "
				  "a group's cards must be in the pool",
				  group->cards[i], group->name, pool->name);
}

static void check_io(struct site_check *check, unsigned s, unsigned i)
{
	const struct site *site = check->site;
	const struct site_io *io = &site->systems[s].io[i];
	int pool = site_pool_find(site, io->pool);
	char path[SITE_PATH_SIZE], names[SITE_NAMES_TEXT_SIZE];

	if (pool < 0) {
		snprintf(path, sizeof path, "systems[%u].io[%u].pool", s, i);
		site_find(check, path, "there is no pool '%s'; the pools are: %s", io->pool,
			  site_names(site, SITE_KIND_POOL, names));
	}
	if (io->redundancy) {
		snprintf(path, sizeof path, "systems[%u].io[%u].redundancy", s, i);
		check_io_group(check, io, path, pool < 0 ? NULL : &site->pools[pool]);
	}
}

void site_check_references(struct site_check *check)
{
	check_hosts(check);
	check_pools(check);
	check_groups(check);
	check_systems(check);
	for (unsigned s = 0; s < check->site->systems_count; s++)
		for (unsigned i = 0; i < check->site->systems[s].io_count; i++)
			check_io(check, s, i);
}
