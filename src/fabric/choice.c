#include "fabric/choice.h"

#include "fabric/chooser.h"
#include "fabric/name_table.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define ENOUGH 1.05 /* times the least loss */
enum { ROUNDS_MAX = 16, CLIMB_MAX = 8000 };

bool site_group_is_open(const struct site_group *group)
{
	return group->pool && group->cards_count == 0;
}

unsigned site_open_groups(const struct site *site)
{
	unsigned count = 0;

	for (unsigned g = 0; g < site->groups_count; g++)
		count += site_group_is_open(&site->groups[g]);
	return count;
}

static double smaller(double a, double b)
{
	return a < b ? a : b;
}

/* ---- which there are ---- */

/* Whether two cards of the pool may be in one group. */
static bool may_join(const struct site_chooser *c, unsigned a, unsigned b)
{
	if (a == b)
		return false;
	if (c->group->spread == SITE_SPREAD_CHASSIS)
		return c->cards[a].chassis != c->cards[b].chassis;
	if (c->group->spread == SITE_SPREAD_CARRIER)
		return c->cards[a].carrier != c->cards[b].carrier;
	return true;
}

static bool may_join_first(const struct site_chooser *c, const struct site_candidate *candidate,
			   unsigned count, unsigned card)
{
	for (unsigned i = 0; i < count; i++)
		if (!may_join(c, candidate->at[i], card))
			return false;
	return true;
}

/* The next choice in the order of the pool, the first when there is none yet; false: that was the
 * last. */
static bool next_choice(const struct site_chooser *c, struct site_candidate *candidate, bool first)
{
	unsigned count = c->group->count, depth = first ? 0 : count - 1;
	unsigned card = first ? 0 : candidate->at[depth] + 1;

	for (;;) {
		while (card < c->pool->cards_count && !may_join_first(c, candidate, depth, card))
			card++;
		if (card < c->pool->cards_count) {
			candidate->at[depth++] = card++;
			if (depth == count)
				return true;
		} else if (depth == 0) {
			return false;
		} else {
			card = candidate->at[--depth] + 1;
		}
	}
}

static bool are_few(const struct site_chooser *c)
{
	struct site_candidate candidate;
	unsigned count = 0;

	for (bool more = next_choice(c, &candidate, true); more && count <= SITE_CHOICES_MAX;
	     more = next_choice(c, &candidate, false))
		count++;
	return count <= SITE_CHOICES_MAX;
}

/* Judges all choices, then keeps the best: what is enough is known only when all are. */
static int try_all(struct site_chooser *c)
{
	struct site_candidate candidate;
	double least = SITE_NO_ROOM;
	unsigned n = 0;
	int err = 0;

	for (bool more = next_choice(c, &candidate, true); more && !err;
	     more = next_choice(c, &candidate, false)) {
		err = site_chooser_judge(c, &candidate);
		c->verdicts[n++] = candidate.verdict;
		least = smaller(least, candidate.verdict.loss);
	}
	c->enough = ENOUGH * least;
	n = 0;
	for (bool more = next_choice(c, &candidate, true); more && !err;
	     more = next_choice(c, &candidate, false)) {
		candidate.verdict = c->verdicts[n++];
		site_chooser_keep(c, &candidate);
	}
	return err;
}

/* All that differ from 'from' in one card. */
static int try_exchanges(struct site_chooser *c, const struct site_candidate *from)
{
	int err = 0;

	for (unsigned i = 0; i < c->group->count; i++) {
		for (unsigned card = 0; card < c->pool->cards_count && !err; card++) {
			struct site_candidate candidate = *from;

			candidate.at[i] = candidate.at[c->group->count - 1];
			if (c->looked_at < CLIMB_MAX &&
			    may_join_first(c, &candidate, c->group->count - 1, card) &&
			    card != from->at[i]) {
				candidate = *from;
				candidate.at[i] = card;
				err = site_chooser_try(c, &candidate);
			}
		}
	}
	return err;
}

/* All that differ from 'from' in which of two cards is preferred, or stands by. */
static int try_orders(struct site_chooser *c, const struct site_candidate *from)
{
	unsigned active = c->group->mode == SITE_REDUNDANCY_N_PLUS_M
				  ? c->group->count - c->group->standbys
				  : 1;
	int err = 0;

	for (unsigned i = 0; i < active; i++) {
		for (unsigned k = active; k < c->group->count && !err; k++) {
			struct site_candidate candidate = *from;

			candidate.at[i] = from->at[k];
			candidate.at[k] = from->at[i];
			if (c->looked_at < CLIMB_MAX)
				err = site_chooser_try(c, &candidate);
		}
	}
	return err;
}

/* Goes on from the best as long as one that 'around' it is better. */
static int climb(struct site_chooser *c,
		 int (*around)(struct site_chooser *, const struct site_candidate *))
{
	struct site_candidate from;
	int err = 0;

	for (unsigned round = 0; round < ROUNDS_MAX && !err; round++) {
		from = c->best[0];
		err = around(c, &from);
		if (site_candidates_are_same(c, &from, &c->best[0]))
			break;
	}
	return err;
}

/* Judges the short list by all that the groups say. */
static int judge_again(struct site_chooser *c)
{
	struct site_candidate list[SITE_SHORT_LIST];
	unsigned count = c->best_count;
	double least = SITE_NO_ROOM;
	int err = 0;

	memcpy(list, c->best, sizeof list);
	c->best_count = 0;
	c->as = SITE_GROUPS_AS_SAID;
	for (unsigned i = 0; i < count && !err; i++) {
		err = site_chooser_judge(c, &list[i]);
		least = smaller(least, list[i].verdict.loss);
	}
	c->enough = c->enough > 0 ? ENOUGH * least : 0;
	for (unsigned i = 0; i < count && !err; i++)
		site_chooser_keep(c, &list[i]);
	return err;
}

/* ---- one group ---- */

static bool says_more(const struct site *site)
{
	for (unsigned g = 0; g < site->groups_count; g++)
		if (!site_group_is_plain(&site->groups[g]))
			return true;
	return false;
}

static void look_up_cards(struct site_chooser *c)
{
	struct site_name_table names;
	struct site_card_walk walk = { 0 };
	struct site_card_place place;

	site_name_table_init(&names, c->pool->cards_count);
	for (unsigned i = 0; i < c->pool->cards_count; i++)
		site_name_table_add(&names, c->pool->cards[i], i);
	for (unsigned i = 0; site_card_next(c->site, &walk, &place); i++) {
		int at = site_name_table_find(&names, place.card->name);

		if (at < 0)
			continue;
		c->cards[at] = place;
		c->card_index[at] = i;
	}
}

static void turn_to(struct site_chooser *c, struct site_choice *choice)
{
	int pool;

	c->choice = choice;
	c->group = &c->site->groups[choice->group];
	pool = site_pool_find(c->site, c->group->pool);
	must(pool >= 0);
	c->pool = &c->site->pools[pool];
	look_up_cards(c);
}

/* The choice that the group has now, as positions. */
static struct site_candidate current(const struct site_chooser *c)
{
	struct site_candidate candidate = { .verdict.loss = SITE_NO_ROOM };

	for (unsigned i = 0; i < c->group->count; i++)
		while (c->pool->cards[candidate.at[i]] != c->choice->cards[i])
			candidate.at[i]++;
	return candidate;
}

static void write_down(struct site_chooser *c)
{
	struct site_choice *choice = c->choice;
	bool used;

	site_chooser_put_in(c, &c->best[0]);
	choice->next = SITE_NO_ROOM;
	for (unsigned n = c->best_count; n-- > 1;) {
		if (c->best[n].verdict.loss > 1 ||
		    site_candidates_share_cards(c, &c->best[n], &c->best[0]) ||
		    c->best[n].verdict.loss > choice->next)
			continue;
		choice->next = c->best[n].verdict.loss;
		for (unsigned i = 0; i < c->group->count; i++)
			choice->next_cards[i] = c->pool->cards[c->best[n].at[i]];
	}
	if (choice->next > 1)
		choice->next = NAN;
	used = placement_make(c->site, c->rows, c->why) == 0 && site_chooser_is_used(c);
	choice->loss = used ? c->best[0].verdict.loss : NAN;
}

/* What the systems would lose anyway.  The rows need not be good for that, but there must be some.
 */
static int find_without_io(struct site_chooser *c)
{
	static const struct site_model_wants wants = { .groups_as = SITE_GROUPS_PLAIN,
						       .io_as = SITE_IO_PERFECT };

	c->without_io = 0;
	if (placement_make(c->site, c->rows, c->why) != 0 || !site_chooser_is_used(c))
		return 0;
	return site_chooser_solve(c, &wants, &c->without_io);
}

static int choose(struct site_chooser *c, struct site_choice *choice, bool *changed)
{
	struct site_candidate before;
	bool more = says_more(c->site);
	int err;

	if (c->judged >= SITE_CHOICE_TRIALS_MAX)
		return 0;
	turn_to(c, choice);
	before = current(c);
	c->as = more ? SITE_GROUPS_PLAIN : SITE_GROUPS_AS_SAID;
	c->best_count = c->looked_at = 0;
	c->enough = 0;
	choice->all = are_few(c);
	err = find_without_io(c);
	if (err)
		return err;
	if (choice->all) {
		err = try_all(c);
	} else {
		err = site_chooser_try(c, &before);
		if (!err)
			err = climb(c, try_exchanges);
	}
	choice->looked_at = c->looked_at;
	if (!err && more)
		err = judge_again(c);
	if (!err)
		err = climb(c, try_orders);
	if (err)
		return err;
	write_down(c);
	*changed |= !site_candidates_are_same(c, &before, &c->best[0]);
	return 0;
}

/* ---- all of them ---- */

/* A first choice: cards with the most functions left for the interfaces of groups before. */
static void begin(struct site_chooser *c, struct site_choice *choice, unsigned *left)
{
	struct site_candidate candidate = { .verdict.loss = SITE_NO_ROOM };
	unsigned users = 0;

	turn_to(c, choice);
	for (unsigned s = 0; s < c->site->systems_count; s++)
		for (unsigned i = 0; i < c->site->systems[s].io_count; i++) {
			const char *name = c->site->systems[s].io[i].redundancy;

			users += name && strcmp(name, c->group->name) == 0;
		}
	for (unsigned n = 0; n < c->group->count; n++) {
		unsigned best = UINT32_MAX;

		for (unsigned card = 0; card < c->pool->cards_count; card++)
			if (may_join_first(c, &candidate, n, card) &&
			    (best == UINT32_MAX ||
			     left[c->card_index[card]] > left[c->card_index[best]]))
				best = card;
		must(best != UINT32_MAX); /* the check has seen that the spread is possible */
		candidate.at[n] = best;
		left[c->card_index[best]] -= min_u32(left[c->card_index[best]], users);
	}
	site_chooser_put_in(c, &candidate);
}

static void begin_all(struct site_chooser *c, struct site_choice *choices, unsigned count)
{
	unsigned left[SITE_CARDS_MAX];
	struct site_card_walk walk = { 0 };
	struct site_card_place place;

	for (unsigned i = 0; site_card_next(c->site, &walk, &place); i++)
		left[i] = place.card->vfs;
	for (unsigned i = 0; i < count; i++)
		begin(c, &choices[i], left);
}

static void hand_over(struct site *site, struct site_choice *choices)
{
	unsigned count = 0;

	for (unsigned g = 0; g < site->groups_count; g++) {
		struct site_group *group = &site->groups[g];

		if (!site_group_is_open(group))
			continue;
		choices[count] = (struct site_choice){ .group = g };
		group->cards = choices[count++].cards;
		group->cards_count = group->count;
	}
}

static int choose_all(struct site_chooser *c, struct site_choice *choices, unsigned count)
{
	bool changed = true;
	int err = 0;

	for (unsigned round = 0; round < SITE_CHOICE_ROUNDS && changed && !err; round++) {
		changed = false;
		for (unsigned i = 0; i < count && !err; i++)
			err = choose(c, &choices[i], &changed);
		if (count == 1)
			break;
	}
	return err ? err : placement_make(c->site, c->rows, c->why);
}

int site_choose(struct site *site, struct avail_memory *memory, struct site_choice *choices,
		struct refusal *why)
{
	unsigned count = site_open_groups(site);
	struct site_chooser *c = avail_take(memory, 1, sizeof *c);
	size_t rows = (size_t)placement_count(site) + 1;
	int err = -ENOMEM;

	hand_over(site, choices);
	if (!c)
		return err;
	c->site = site;
	c->memory = memory;
	c->why = why;
	c->row_count = placement_count(site);
	c->rows = avail_take(memory, rows, sizeof *c->rows);
	c->verdicts = avail_take(memory, SITE_CHOICES_MAX + 1, sizeof *c->verdicts);
	begin_all(c, choices, count);
	if (c->rows && c->verdicts)
		err = choose_all(c, choices, count);
	avail_give(memory, c->verdicts, SITE_CHOICES_MAX + 1, sizeof *c->verdicts);
	avail_give(memory, c->rows, rows, sizeof *c->rows);
	avail_give(memory, c, 1, sizeof *c);
	return err;
}
