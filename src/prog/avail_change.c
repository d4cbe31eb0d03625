#include "prog/avail_change.h"

#include "prog/avail_words.h"
#include "avail/expression.h"
#include "fabric/site_check.h"
#include "store/site_number.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int nothing_like(struct refusal *why, const char *kind, const char *name)
{
	refuse(why, "", "there is no %s '%s'", kind, name);
	return -EINVAL;
}

/* Makes room for one more at the end of a list of the site, zero; NULL: no memory.  The site was
 * filled with malloc, and is freed as a whole. */
static void *grow(void *list, unsigned count, size_t size)
{
	uint8_t *bigger = realloc(list, (count + 1) * size);

	if (bigger)
		memset(bigger + count * size, 0, size);
	return bigger;
}

static struct site_carrier *carrier_of(struct site *site, const char *name)
{
	for (unsigned c = 0; c < site->chassis_count; c++)
		for (unsigned i = 0; i < site->chassis[c].carriers_count; i++)
			if (strcmp(site->chassis[c].carriers[i].name, name) == 0)
				return &site->chassis[c].carriers[i];
	return NULL;
}

/* The card and the carrier it is on. */
static struct site_card *card_of(struct site *site, const char *name, struct site_carrier **carrier)
{
	for (unsigned c = 0; c < site->chassis_count; c++) {
		for (unsigned i = 0; i < site->chassis[c].carriers_count; i++) {
			*carrier = &site->chassis[c].carriers[i];
			for (unsigned n = 0; n < (*carrier)->cards_count; n++)
				if (strcmp((*carrier)->cards[n].name, name) == 0)
					return &(*carrier)->cards[n];
		}
	}
	return NULL;
}

#define FIND(noun, list)                                                          \
	static struct site_##noun *noun##_of(struct site *site, const char *name) \
	{                                                                         \
		for (unsigned i = 0; i < site->list##_count; i++)                 \
			if (strcmp(site->list[i].name, name) == 0)                \
				return &site->list[i];                            \
		return NULL;                                                      \
	}
FIND(chassis, chassis)
FIND(host, hosts)
FIND(switch, switches)
FIND(path, paths)
FIND(system, systems)
FIND(group, groups)
#undef FIND

static struct site_unit *unit_of(struct site *site, const char *name)
{
	for (unsigned c = 0; c < site->chassis_count; c++) {
		size_t length = strlen(site->chassis[c].name);

		if (strncmp(name, site->chassis[c].name, length) != 0 || name[length] != '/')
			continue;
		for (unsigned u = 0; u < site->chassis[c].units_count; u++)
			if (strcmp(site->chassis[c].units[u].name, name + length + 1) == 0)
				return &site->chassis[c].units[u];
	}
	return NULL;
}

static int append_name(char ***list, unsigned *count, const char *name)
{
	char **bigger = grow(*list, *count, sizeof **list);

	if (!bigger)
		return -ENOMEM;
	*list = bigger;
	bigger[*count] = strdup(name);
	if (!bigger[*count])
		return -ENOMEM;
	++*count;
	return 0;
}

/* A 1+1 group that gets another card becomes one with that many more standbys. */
static int join_group(struct site *site, struct site_group *group, const char *card,
		      struct refusal *why)
{
	int err;

	if (group->mode != SITE_REDUNDANCY_N_PLUS_M)
		group->standbys = 1;
	if (group->standbys == SITE_STANDBYS_MAX) {
		refuse(why, "", "group '%s' has %u standbys, and more are not allowed", group->name,
		       group->standbys);
		return -EINVAL;
	}
	group->mode = SITE_REDUNDANCY_N_PLUS_M;
	group->standbys++;
	err = append_name(&group->cards, &group->cards_count, card);
	for (unsigned p = 0; p < site->pools_count && !err; p++) {
		struct site_pool *pool = &site->pools[p];

		for (unsigned i = 0; i < pool->cards_count; i++) {
			if (strcmp(pool->cards[i], group->cards[0]) != 0)
				continue;
			err = append_name(&pool->cards, &pool->cards_count, card);
			break;
		}
	}
	return err;
}

static int add_card(struct site *site, const char *name, const char *where, const char *group_name,
		    struct refusal *why)
{
	struct site_carrier *carrier = carrier_of(site, where), *other;
	struct site_group *group = group_name		     ? group_of(site, group_name)
				   : site->groups_count == 1 ? &site->groups[0]
							     : NULL;
	struct site_card *like, *cards, copy;

	if (!carrier)
		return nothing_like(why, "carrier", where);
	if (card_of(site, name, &other)) {
		refuse(why, "", "there is a card '%s' already, on carrier '%s'", name, other->name);
		return -EINVAL;
	}
	if (!group) {
		refuse(why, "",
		       group_name ? "there is no group '%s'"
				  : "say which group it joins: add card %s to CARRIER group GROUP",
		       group_name ? group_name : name);
		return -EINVAL;
	}
	like = card_of(site, group->cards[0], &other);
	must(like);
	copy = *like; /* before the list that holds it moves */
	cards = grow(carrier->cards, carrier->cards_count, sizeof *cards);
	if (!cards)
		return -ENOMEM;
	carrier->cards = cards;
	copy.name = strdup(name);
	/* A line port of its own, since each card needs one. */
	if (!copy.name || asprintf(&copy.line, "net_null%u", 1000 + site_card_count(site)) < 0) {
		free(copy.name);
		return -ENOMEM;
	}
	cards[carrier->cards_count++] = copy;
	return join_group(site, group, name, why);
}

static int move_card(struct site *site, const char *name, const char *where, struct refusal *why)
{
	struct site_carrier *from, *to = carrier_of(site, where);
	struct site_card *card = card_of(site, name, &from), *cards, moved;

	if (!card)
		return nothing_like(why, "card", name);
	if (!to)
		return nothing_like(why, "carrier", where);
	if (from == to)
		return 0;
	moved = *card;
	cards = grow(to->cards, to->cards_count, sizeof *cards);
	if (!cards)
		return -ENOMEM;
	to->cards = cards;
	cards[to->cards_count++] = moved;
	memmove(card, card + 1,
		(size_t)(from->cards + from->cards_count - card - 1) * sizeof *card);
	from->cards_count--;
	return 0;
}

static int replace_card(struct site *site, const char *old, const char *now, const char *where,
			struct refusal *why)
{
	struct site_group *group = group_of(site, where);
	struct site_carrier *carrier;

	if (!group)
		return nothing_like(why, "group", where);
	if (!card_of(site, now, &carrier))
		return nothing_like(why, "card", now);
	for (unsigned i = 0; i < group->cards_count; i++) {
		char *name;

		if (strcmp(group->cards[i], old) != 0)
			continue;
		name = strdup(now);
		if (!name)
			return -ENOMEM;
		free(group->cards[i]);
		group->cards[i] = name;
		return 0;
	}
	refuse(why, "", "card '%s' is not in group '%s'", old, where);
	return -EINVAL;
}

static int add_path(struct site *site, const char *name, const char *from, const char *to,
		    struct refusal *why)
{
	struct site_path *paths, *path;

	if (path_of(site, name)) {
		refuse(why, "", "there is a path '%s' already", name);
		return -EINVAL;
	}
	if (!chassis_of(site, from))
		return nothing_like(why, "chassis", from);
	if (!chassis_of(site, to))
		return nothing_like(why, "chassis", to);
	paths = grow(site->paths, site->paths_count, sizeof *paths);
	if (!paths)
		return -ENOMEM;
	site->paths = paths;
	path = &paths[site->paths_count++];
	path->name = strdup(name);
	if (!path->name || append_name(&path->chassis, &path->chassis_count, from) != 0 ||
	    append_name(&path->chassis, &path->chassis_count, to) != 0)
		return -ENOMEM;
	return 0;
}

static int drop_path(struct site *site, const char *name, struct refusal *why)
{
	struct site_path *path = path_of(site, name);

	if (!path)
		return nothing_like(why, "path", name);
	for (unsigned i = 0; i < path->chassis_count; i++)
		free(path->chassis[i]);
	for (unsigned i = 0; i < path->switches_count; i++)
		free(path->switches[i]);
	free(path->chassis);
	free(path->switches);
	free(path->name);
	memmove(path, path + 1,
		(size_t)(site->paths + site->paths_count - path - 1) * sizeof *path);
	site->paths_count--;
	return 0;
}

/* The failure figures of a thing; NULL when there is none of the name. */
static struct site_reliability *reliability_of(struct site *site, const char *kind,
					       const char *name, bool *known)
{
	struct site_carrier *carrier;
	struct site_reliability *found = NULL;

	*known = true;
#define OF(word, thing)                                         \
	if (strcmp(kind, word) == 0)                            \
		found = (thing) ? &(thing)->reliability : NULL; \
	else
	OF("chassis", chassis_of(site, name))
	OF("carrier", carrier_of(site, name))
	OF("card", card_of(site, name, &carrier))
	OF("host", host_of(site, name))
	OF("switch", switch_of(site, name))
	OF("path", path_of(site, name))
	OF("system", system_of(site, name))
	OF("unit", unit_of(site, name))
	*known = false;
#undef OF
	return found;
}

static int read_hours(const char *text, double least, double *hours, struct refusal *why)
{
	double value;

	if (!site_hours_parse(text, &value) || value < least) {
		refuse(why, "", "'%s' is no time; allowed is a number with ms, s, min, h, d or y",
		       text);
		return -EINVAL;
	}
	*hours = value;
	return 0;
}

static int read_share(const char *text, double *share, struct refusal *why)
{
	if (site_share_parse(text, share))
		return 0;
	refuse(why, "", "'%s' is no share from 0 to 1", text);
	return -EINVAL;
}

static int set_count(struct site *site, const struct avail_words *w, struct refusal *why)
{
	struct site_unit *unit = unit_of(site, w->word[1]);
	uint64_t value;

	if (!unit)
		return nothing_like(why, "unit", w->word[1]);
	if (!site_number_parse(w->word[3], &value) || value > 64) {
		refuse(why, "", "'%s' is no number of units from 0 to 64", w->word[3]);
		return -EINVAL;
	}
	*(strcmp(w->word[2], "count") == 0 ? &unit->count : &unit->needed) = (unsigned)value;
	return 0;
}

static int set_group(struct site *site, const struct avail_words *w, struct refusal *why)
{
	struct site_group *group = group_of(site, w->word[1]);

	if (!group)
		return nothing_like(why, "group", w->word[1]);
	if (strcmp(w->word[2], "coverage") == 0)
		return read_share(w->word[3], &group->coverage, why);
	if (strcmp(w->word[2], "switch_over") == 0)
		return read_hours(w->word[3], 0, &group->switch_over_h, why);
	if (strcmp(w->word[2], "recovery") == 0)
		return read_hours(w->word[3], 0, &group->recovery_h, why);
	refuse(why, "", "a group has no '%s' to change; it has coverage, switch_over, recovery",
	       w->word[2]);
	return -EINVAL;
}

static int set_figure(struct site *site, const struct avail_words *w, struct refusal *why)
{
	bool known;
	struct site_reliability *r = reliability_of(site, w->word[0], w->word[1], &known);

	if (!known) {
		refuse(why, "",
		       "'%s' is no kind of unit; there are chassis, carrier, card, host, "
		       "switch, path, system, unit, group and event",
		       w->word[0]);
		return -EINVAL;
	}
	if (!r)
		return nothing_like(why, w->word[0], w->word[1]);
	if (strcmp(w->word[2], "mtbf") == 0)
		return read_hours(w->word[3], 1e-9, &r->mtbf_h, why);
	if (strcmp(w->word[2], "mttr") == 0)
		return read_hours(w->word[3], 1e-12, &r->mttr_h, why);
	if (strcmp(w->word[2], "software_mtbf") == 0)
		return read_hours(w->word[3], 1e-9, &r->software_mtbf_h, why);
	if (strcmp(w->word[2], "restart") == 0)
		return read_hours(w->word[3], 1e-12, &r->restart_h, why);
	refuse(why, "", "a %s has no '%s' to change; it has mtbf, mttr, software_mtbf, restart",
	       w->word[0], w->word[2]);
	return -EINVAL;
}

static int change_site(struct avail_case *c, const struct avail_words *w, struct refusal *why)
{
	if (avail_words_match(w, "add card * to *"))
		return add_card(c->site, w->word[2], w->word[4], NULL, why);
	if (avail_words_match(w, "add card * to * group *"))
		return add_card(c->site, w->word[2], w->word[4], w->word[6], why);
	if (avail_words_match(w, "move card * to *"))
		return move_card(c->site, w->word[2], w->word[4], why);
	if (avail_words_match(w, "replace * by * in *"))
		return replace_card(c->site, w->word[1], w->word[3], w->word[5], why);
	if (avail_words_match(w, "pull card *"))
		return avail_case_put_out(c, w->word[2], why);
	if (avail_words_match(w, "add path * from * to *"))
		return add_path(c->site, w->word[2], w->word[4], w->word[6], why);
	if (avail_words_match(w, "drop path *"))
		return drop_path(c->site, w->word[2], why);
	if (avail_words_match(w, "unit * count *") || avail_words_match(w, "unit * needed *"))
		return set_count(c->site, w, why);
	if (avail_words_match(w, "group * * *"))
		return set_group(c->site, w, why);
	if (avail_words_match(w, "* * * *"))
		return set_figure(c->site, w, why);
	refuse(why, "", "is not understood; midplane(1) lists what can be changed");
	return -EINVAL;
}

static struct avail_event *event_of(struct avail_model *model, const char *name)
{
	for (uint32_t i = 0; i < model->event_count; i++)
		if (strcmp(model->events[i].name, name) == 0)
			return &model->events[i];
	return NULL;
}

static int set_expression(struct avail_model *model, uint32_t *member, double value)
{
	uint32_t number = avail_expression_number(model, value);

	if (number == AVAIL_NONE)
		return -ENOMEM;
	*member = number;
	return 0;
}

static int set_event(struct avail_model *model, struct avail_event *event,
		     const struct avail_words *w, struct refusal *why)
{
	bool rated = event->law == AVAIL_LAW_REPAIRABLE || event->law == AVAIL_LAW_UNREPAIRED;
	double value;
	int err;

	if (strcmp(w->word[2], "probability") == 0) {
		err = read_share(w->word[3], &value, why);
		event->law = AVAIL_LAW_PROBABILITY;
		return err ? err : set_expression(model, &event->probability, value);
	}
	if (strcmp(w->word[2], "mtbf") == 0 && rated) {
		err = read_hours(w->word[3], 1e-9, &value, why);
		return err ? err : set_expression(model, &event->failure_rate, 1 / value);
	}
	if (strcmp(w->word[2], "mttr") == 0 && event->law == AVAIL_LAW_REPAIRABLE) {
		err = read_hours(w->word[3], 1e-12, &value, why);
		return err ? err : set_expression(model, &event->repair_h, value);
	}
	refuse(why, "", "event '%s' has no '%s' to change; it has probability%s", event->name,
	       w->word[2], rated ? ", mtbf, mttr" : "");
	return -EINVAL;
}

static int change_event(struct avail_case *c, const struct avail_words *w, struct refusal *why)
{
	struct avail_event *event = event_of(&c->model, w->word[1]);

	if (!event)
		return nothing_like(why, "event", w->word[1]);
	if (avail_words_match(w, "event * fails") || avail_words_match(w, "event * never fails")) {
		event->law = AVAIL_LAW_HOUSE;
		event->house = w->count == 3;
		return 0;
	}
	if (w->count != 4) {
		refuse(why, "", "is not understood; midplane(1) lists what can be changed");
		return -EINVAL;
	}
	return set_event(&c->model, event, w, why);
}

int avail_change_apply(struct avail_case *c, const char *text, struct refusal *why)
{
	struct avail_words words;
	int err;

	if (!avail_words_split(&words, text) || words.count == 0) {
		refuse(why, "", "is no sentence of 1 to %d words", AVAIL_WORDS_MAX);
		return -EINVAL;
	}
	if (strcmp(words.word[0], "event") == 0 && words.count >= 3) {
		err = change_event(c, &words, why);
		return err ? err : avail_model_check(&c->model, why);
	}
	if (c->source != AVAIL_FROM_SITE) {
		refuse(why, "",
		       "a model that is no site is changed by its events: event NAME mtbf TIME, "
		       "event NAME probability P, event NAME fails, event NAME never fails");
		return -EINVAL;
	}
	err = change_site(c, &words, why);
	return err ? err : avail_case_rebuild(c, why);
}
