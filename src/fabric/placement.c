#include "fabric/placement.h"
#include "fabric/name_table.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* How far the cards of a site are used up. */
struct placer {
	const struct site *site;
	unsigned card_count;
	uint16_t vfs[SITE_CARDS_MAX], used[SITE_CARDS_MAX];
	unsigned group_turn[SITE_GROUPS_MAX]; /* interfaces of this group so far */
	struct site_name_table cards, pools, groups;
	bool shared; /* some interface shares the disk of another */
};

bool site_card_at(const struct site *site, unsigned n, struct site_card_place *place)
{
	for (unsigned i = 0; i < site->chassis_count; i++) {
		const struct site_chassis *chassis = &site->chassis[i];

		for (unsigned j = 0; j < chassis->carriers_count; j++) {
			const struct site_carrier *carrier = &chassis->carriers[j];

			if (n < carrier->cards_count) {
				*place = (struct site_card_place){ &carrier->cards[n], carrier,
								   chassis };
				return true;
			}
			n -= carrier->cards_count;
		}
	}
	return false;
}

bool site_card_next(const struct site *site, struct site_card_walk *walk,
		    struct site_card_place *place)
{
	for (; walk->chassis < site->chassis_count; walk->chassis++, walk->carrier = 0) {
		const struct site_chassis *chassis = &site->chassis[walk->chassis];

		for (; walk->carrier < chassis->carriers_count; walk->carrier++, walk->card = 0) {
			const struct site_carrier *carrier = &chassis->carriers[walk->carrier];

			if (walk->card < carrier->cards_count) {
				*place = (struct site_card_place){ &carrier->cards[walk->card++],
								   carrier, chassis };
				return true;
			}
		}
	}
	return false;
}

unsigned site_card_count(const struct site *site)
{
	unsigned count = 0;

	for (unsigned i = 0; i < site->chassis_count; i++)
		for (unsigned j = 0; j < site->chassis[i].carriers_count; j++)
			count += site->chassis[i].carriers[j].cards_count;
	return count;
}

int site_card_find(const struct site *site, const char *name)
{
	struct site_card_walk walk = { 0 };
	struct site_card_place place;

	for (int i = 0; site_card_next(site, &walk, &place); i++)
		if (strcmp(place.card->name, name) == 0)
			return i;
	return -1;
}

int site_pool_find(const struct site *site, const char *name)
{
	for (unsigned i = 0; i < site->pools_count; i++)
		if (strcmp(site->pools[i].name, name) == 0)
			return (int)i;
	return -1;
}

unsigned placement_count(const struct site *site)
{
	unsigned count = 0;

	for (unsigned i = 0; i < site->systems_count; i++)
		count += site->systems[i].io_count;
	return count;
}

static void placer_init(struct placer *p, const struct site *site)
{
	struct site_card_walk walk = { 0 };
	struct site_card_place place;

	p->site = site;
	p->card_count = site_card_count(site);
	must(p->card_count <= SITE_CARDS_MAX);
	must(site->groups_count <= SITE_GROUPS_MAX);
	memset(p->used, 0, p->card_count * sizeof *p->used);
	memset(p->group_turn, 0, site->groups_count * sizeof *p->group_turn);
	site_name_table_init(&p->cards, p->card_count);
	site_name_table_init(&p->pools, site->pools_count);
	site_name_table_init(&p->groups, site->groups_count);
	for (unsigned i = 0; site_card_next(site, &walk, &place); i++) {
		p->vfs[i] = place.card->vfs;
		site_name_table_add(&p->cards, place.card->name, i);
	}
	p->shared = false;
	for (unsigned s = 0; s < site->systems_count; s++)
		for (unsigned i = 0; i < site->systems[s].io_count; i++)
			p->shared |= site->systems[s].io[i].shares != NULL;
	for (unsigned i = 0; i < site->pools_count; i++)
		site_name_table_add(&p->pools, site->pools[i].name, i);
	for (unsigned i = 0; i < site->groups_count; i++)
		site_name_table_add(&p->groups, site->groups[i].name, i);
}

static int take(struct placer *p, unsigned card, struct placement_function *function)
{
	if (p->used[card] == p->vfs[card])
		return -ENOSPC;
	*function = (struct placement_function){ card, ++p->used[card] };
	return 0;
}

/* The card of the pool with the most free functions, the first of equals. */
static unsigned freest(const struct placer *p, const struct site_pool *pool)
{
	unsigned best = 0;
	int most = -1;

	for (unsigned i = 0; i < pool->cards_count; i++) {
		int card = site_name_table_find(&p->cards, pool->cards[i]);

		must(card >= 0);
		if (p->vfs[card] - p->used[card] > most) {
			most = p->vfs[card] - p->used[card];
			best = (unsigned)card;
		}
	}
	must(most >= 0);
	return best;
}

/* Position in the group's list of member 'm' of its interface number 'turn'. */
static unsigned position_of(const struct site_group *group, unsigned turn, unsigned m)
{
	unsigned active = group->cards_count - group->standbys;

	if (group->mode == SITE_REDUNDANCY_ONE_PLUS_ONE)
		return ((group->revert ? 0 : turn) + m) % group->cards_count;
	return m == 0 ? turn % active : active + (turn + m) % group->standbys;
}

static int place_in_group(struct placer *p, const struct site_group *group, struct placement *row)
{
	unsigned turn = p->group_turn[group - p->site->groups]++;

	row->member_count = 1 + site_group_standbys(group);
	must(row->member_count <= PLACEMENT_MEMBERS_MAX && group->cards_count >= row->member_count);
	for (unsigned m = 0; m < row->member_count; m++) {
		const char *name = group->cards[position_of(group, turn, m)];
		int card = site_name_table_find(&p->cards, name), err;

		must(card >= 0);
		err = take(p, (unsigned)card, &row->member[m]);
		if (err)
			return err;
	}
	return 0;
}

/* The group that places this interface on several cards, or NULL. */
static const struct site_group *placing_group(const struct placer *p, const struct site_io *io)
{
	const struct site_group *group;
	int index;

	if (!io->redundancy)
		return NULL;
	index = site_name_table_find(&p->groups, io->redundancy);
	must(index >= 0);
	group = &p->site->groups[index];
	return group->mode != SITE_REDUNDANCY_NONE ? group : NULL;
}

static int place(struct placer *p, struct placement *row, struct refusal *why)
{
	const struct site_system *system = &p->site->systems[row->system];
	const struct site_io *io = &system->io[row->io];
	const struct site_group *group = placing_group(p, io);
	int pool = site_name_table_find(&p->pools, io->pool), err;
	char path[64];

	must(pool >= 0);
	row->member_count = 1;
	if (group)
		err = place_in_group(p, group, row);
	else
		err = take(p, freest(p, &p->site->pools[pool]), &row->member[0]);
	if (err) {
		snprintf(path, sizeof path, "systems[%u].io[%u].pool", row->system, row->io);
		refuse(why, path, "no function is left in pool '%s' for interface '%s/%s'%s%s%s",
		       io->pool, system->name, io->name,
		       group ? " on every card it needs of group '" : "", group ? group->name : "",
		       group ? "'" : "");
	}
	return err;
}

/* Those that share the disk have a function on each of its cards. */
static int place_sharers(struct placer *p, const struct placement *owner, struct placement *rows,
			 struct refusal *why)
{
	const struct site *site = p->site;
	struct placement *row = rows;

	for (unsigned s = 0; s < site->systems_count; s++)
		for (unsigned i = 0; i < site->systems[s].io_count; i++, row++) {
			struct site_io_place of;
			char path[64];

			if (!site->systems[s].io[i].shares)
				continue;
			of = site_io_owner(site, s, i);
			if (of.system != owner->system || of.io != owner->io)
				continue;
			*row = (struct placement){ .system = s, .io = i,
						   .member_count = owner->member_count };
			for (unsigned m = 0; m < owner->member_count; m++) {
				if (take(p, owner->member[m].card, &row->member[m]) == 0)
					continue;
				snprintf(path, sizeof path, "systems[%u].io[%u].shares", s, i);
				refuse(why, path, "no function is left for it on a card of '%s', whose disk "
				       "it shares: raise 'vfs' of that card",
				       site->systems[s].io[i].shares);
				return -ENOSPC;
			}
		}
	return 0;
}

/* In which round an interface is served: 0 with a group, else the number of cards of its pool. */
static unsigned round_of(const struct placer *p, const struct site_io *io)
{
	int pool = site_name_table_find(&p->pools, io->pool);

	must(pool >= 0);
	return placing_group(p, io) ? 0 : p->site->pools[pool].cards_count;
}

/* The rows of one round; 'rows' in the order of the file.  *next: the round after it that has rows;
 * UINT_MAX: none. */
static int place_round(struct placer *p, unsigned round, struct placement *rows, unsigned *next,
		       struct refusal *why)
{
	const struct site *site = p->site;
	struct placement *row = rows;

	for (unsigned s = 0; s < site->systems_count; s++) {
		for (unsigned i = 0; i < site->systems[s].io_count; i++, row++) {
			unsigned of_io = round_of(p, &site->systems[s].io[i]);
			int err;

			if (site->systems[s].io[i].shares)
				continue; /* with the one that it shares with */
			if (of_io > round && of_io < *next)
				*next = of_io;
			if (of_io != round)
				continue;
			*row = (struct placement){ .system = s, .io = i };
			err = place(p, row, why);
			if (!err && p->shared)
				err = place_sharers(p, row, rows, why);
			if (err)
				return err;
		}
	}
	return 0;
}

int placement_make(const struct site *site, struct placement *rows, struct refusal *why)
{
	struct placer p;
	int err = 0;

	placer_init(&p, site);
	for (unsigned round = 0, next; !err && round != UINT_MAX; round = next) {
		next = UINT_MAX;
		err = place_round(&p, round, rows, &next, why);
	}
	return err;
}
