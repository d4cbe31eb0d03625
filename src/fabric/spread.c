#include "fabric/spread.h"

#include <string.h>

#include "fabric/name_table.h"
#include "fabric/placement.h"

static unsigned member(unsigned group, unsigned k)
{
	return group * SITE_GROUP_CARDS_MAX + k;
}

static void resolve_names(const struct site *site, struct site_name_table *names)
{
	struct site_card_walk walk = { 0 };
	struct site_card_place place;
	unsigned n = 0;

	site_name_table_init(names, site_card_count(site));
	while (site_card_next(site, &walk, &place))
		site_name_table_add(names, place.card->name, n++);
}

static void list_members(struct site_worker_spread *spread, const struct site *site)
{
	struct site_name_table names;

	resolve_names(site, &names);
	for (unsigned g = 0; g < site->groups_count; g++)
		for (unsigned k = 0; k < site->groups[g].cards_count; k++) {
			int card = site_name_table_find(&names, site->groups[g].cards[k]);
			unsigned m = member(g, k);

			must(card >= 0);
			spread->card[m] = (uint16_t)card;
			spread->next[m] = spread->first[card];
			spread->first[card] = m + 1;
		}
}

/* Whether one of two members of a group stands by for the other, or with it: the last ones do. */
static bool stand_in(const struct site_group *group, unsigned a, unsigned b)
{
	unsigned active =
		group->cards_count - min_u32(site_group_standbys(group), group->cards_count);

	return a != b && (a >= active || b >= active);
}

/* Counts for each worker the cards of it that must not die together with this one. */
static void count_clashes(struct site_worker_spread *spread, const struct site *site, unsigned card)
{
	memset(spread->clashes, 0, spread->workers * sizeof *spread->clashes);
	for (uint32_t m = spread->first[card]; m; m = spread->next[m - 1]) {
		unsigned g = (m - 1) / SITE_GROUP_CARDS_MAX, k = (m - 1) % SITE_GROUP_CARDS_MAX;

		for (unsigned other = 0; other < site->groups[g].cards_count; other++) {
			uint16_t worker = spread->worker[spread->card[member(g, other)]];

			if (stand_in(&site->groups[g], k, other) && worker != SITE_SPREAD_NONE)
				spread->clashes[worker]++;
		}
	}
}

static bool is_better(const struct site_worker_spread *spread, unsigned worker, unsigned than)
{
	if (spread->clashes[worker] != spread->clashes[than])
		return spread->clashes[worker] < spread->clashes[than];
	return spread->load[worker] < spread->load[than];
}

static void place(struct site_worker_spread *spread, const struct site *site, unsigned card)
{
	unsigned best = 0;

	count_clashes(spread, site, card);
	for (unsigned worker = 1; worker < spread->workers; worker++)
		if (is_better(spread, worker, best))
			best = worker;
	spread->worker[card] = (uint16_t)best;
	spread->load[best]++;
}

/* From a card to those that it shares groups with, and on from them: so two workers are enough
 * wherever they can be. */
static void place_all_from(struct site_worker_spread *spread, const struct site *site,
			   unsigned card)
{
	unsigned head = 0, count = 0;

	place(spread, site, card);
	spread->queue[count++] = (uint16_t)card;
	for (; head < count; head++)
		for (uint32_t m = spread->first[spread->queue[head]]; m; m = spread->next[m - 1]) {
			unsigned g = (m - 1) / SITE_GROUP_CARDS_MAX;

			for (unsigned k = 0; k < site->groups[g].cards_count; k++) {
				unsigned fellow = spread->card[member(g, k)];

				if (spread->worker[fellow] != SITE_SPREAD_NONE ||
				    !stand_in(&site->groups[g], (m - 1) % SITE_GROUP_CARDS_MAX, k))
					continue;
				place(spread, site, fellow);
				spread->queue[count++] = (uint16_t)fellow;
			}
		}
}

void site_spread_workers(struct site_worker_spread *spread, const struct site *site,
			 unsigned workers)
{
	must(workers >= 1 && workers <= SITE_SPREAD_WORKERS_MAX);
	spread->cards = site_card_count(site);
	spread->workers = workers;
	memset(spread->first, 0, sizeof spread->first);
	memset(spread->load, 0, sizeof spread->load);
	for (unsigned i = 0; i < spread->cards; i++)
		spread->worker[i] = SITE_SPREAD_NONE;
	list_members(spread, site);
	for (unsigned i = 0; i < spread->cards; i++)
		if (spread->worker[i] == SITE_SPREAD_NONE)
			place_all_from(spread, site, i);
}

bool site_spread_clashes(const struct site_worker_spread *spread, const struct site *site,
			 unsigned group, unsigned *a, unsigned *b)
{
	const struct site_group *of = &site->groups[group];

	for (*a = 0; *a < of->cards_count; ++*a)
		for (*b = *a + 1; *b < of->cards_count; ++*b)
			if (stand_in(of, *a, *b) &&
			    spread->worker[spread->card[member(group, *a)]] ==
				    spread->worker[spread->card[member(group, *b)]])
				return true;
	return false;
}
