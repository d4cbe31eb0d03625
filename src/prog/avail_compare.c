#include "prog/avail_compare.h"

#include "prog/avail_answer_parts.h"
#include "prog/avail_change.h"
#include "prog/avail_clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 50, TRIED_MAX = 20000 };

/* The middle of the bounds; the value when it is exact. */
static double middle(const struct avail_answer *steady)
{
	return steady->quality == AVAIL_EXACT
		       ? steady->unavailability.value
		       : (steady->unavailability.lower + steady->unavailability.upper) / 2;
}

static int solve(struct avail_case *c, const struct avail_question *question,
		 struct avail_answer *steady, struct refusal *why)
{
	struct avail_top top;
	int err = avail_case_top(c, question->top, &top, why);

	return err ? err : avail_answer_steady(c, question, &top, steady, why);
}

/* One row: the change, the figure with it, and what it saves against 'before'. */
static json_t *row_json(const char *change, const struct avail_answer *steady, double before)
{
	double u = middle(steady);

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:o}", "change", change, "unavailability",
			 avail_real(u), "minutes_a_year", avail_real(u * AVAIL_MINUTES_A_YEAR),
			 "saves_minutes_a_year", avail_real((before - u) * AVAIL_MINUTES_A_YEAR),
			 "frequency_per_h", avail_real(steady->frequency), "exact",
			 steady->quality == AVAIL_EXACT, "factor",
			 avail_real(u > 0 ? before / u : INFINITY));
}

static void ignore_finding(void *arg, const struct avail_finding *finding)
{
	struct refusal *why = arg;

	if (why && !finding->warning)
		*why = *finding->what;
}

/* The next sentence of a list separated by ';', without blanks around it; NULL at its end. */
static char *next_sentence(char **at)
{
	char *sentence = strsep(at, ";");

	if (!sentence)
		return NULL;
	sentence += strspn(sentence, " \t\n");
	for (size_t length = strlen(sentence); length > 0 && strchr(" \t\n", sentence[length - 1]);)
		sentence[--length] = 0;
	return sentence;
}

static int what_if(json_t *list, struct avail_case *c, const struct avail_question *question,
		   char *sentences, struct refusal *why)
{
	struct avail_answer steady;
	char *sentence;
	double before;
	int err = solve(c, question, &steady, why);

	before = err ? 0 : middle(&steady);
	while (!err && (sentence = next_sentence(&sentences)) != NULL) {
		if (!*sentence)
			continue;
		err = avail_change_apply(c, sentence, why);
		if (err && why)
			snprintf(why->path, sizeof why->path, "%s", sentence);
		if (!err)
			err = solve(c, question, &steady, why);
		if (!err)
			json_array_append_new(list, row_json(sentence, &steady, before));
	}
	return err;
}

int avail_compare_what_if(json_t *answer, const char *path, const struct avail_question *question,
			  const char *sentences, struct refusal *why)
{
	char *copy = strdup(sentences);
	json_t *list = json_array();
	struct avail_case *c;
	int err = copy ? avail_case_open(&c, path, question->memory_bytes, ignore_finding, why)
		       : -ENOMEM;

	if (!err) {
		err = what_if(list, c, question, copy, why);
		avail_case_close(c);
	}
	if (!err)
		json_object_set(answer, "what_if", list);
	json_decref(list);
	free(copy);
	return err;
}

/* Improvements. */

struct candidate {
	char text[200];
	double cost;
};

struct candidates {
	struct candidate *row;
	size_t count, room;
};

static int propose(struct candidates *all, double cost, const char *format, ...) printf_like(3, 4);
static int propose(struct candidates *all, double cost, const char *format, ...)
{
	struct candidate *rows = all->row;
	va_list args;

	if (all->count == TRIED_MAX)
		return 0;
	if (all->count == all->room) {
		all->room = all->room ? 2 * all->room : 64;
		rows = realloc(all->row, all->room * sizeof *rows);
		if (!rows)
			return -ENOMEM;
		all->row = rows;
	}
	rows[all->count].cost = cost;
	va_start(args, format);
	vsnprintf(rows[all->count++].text, sizeof rows->text, format, args);
	va_end(args);
	return 0;
}

static bool group_has(const struct site_group *group, const char *card)
{
	for (unsigned i = 0; i < group->cards_count; i++)
		if (strcmp(group->cards[i], card) == 0)
			return true;
	return false;
}

/* Another card of the site in place of a member. */
static int propose_moves(struct candidates *all, const struct site *site,
			 const struct site_group *group)
{
	struct site_card_place place;
	int err = 0;

	for (unsigned i = 0; site_card_at(site, i, &place); i++)
		for (unsigned m = 0; m < group->cards_count && !err; m++)
			if (!group_has(group, place.card->name))
				err = propose(all, 0, "replace %s by %s in %s", group->cards[m],
					      place.card->name, group->name);
	return err;
}

/* One more card like the group's first, on each carrier. */
static int propose_spares(struct candidates *all, const struct site *site,
			  const struct site_group *group)
{
	int first = site_card_find(site, group->cards[0]), err = 0;
	struct site_card_place place;
	double cost;

	must(first >= 0 && site_card_at(site, (unsigned)first, &place));
	cost = (double)place.card->reliability.cost;
	for (unsigned c = 0; c < site->chassis_count; c++)
		for (unsigned i = 0; i < site->chassis[c].carriers_count && !err; i++)
			err = propose(all, cost, "add card spare-%s to %s group %s", group->name,
				      site->chassis[c].carriers[i].name, group->name);
	return err;
}

static double path_cost(const struct site *site)
{
	double cost = 0;

	for (unsigned p = 0; p < site->paths_count; p++)
		cost = fmax(cost, (double)site->paths[p].reliability.cost);
	return cost;
}

/* One more way between chassis that have a way already: without one the model takes it as perfect.
 */
static int propose_paths(struct candidates *all, const struct site *site)
{
	int err = 0;

	for (unsigned p = 0; p < site->paths_count && !err; p++)
		err = propose(all, path_cost(site), "add path spare-%s from %s to %s",
			      site->paths[p].name, site->paths[p].chassis[0],
			      site->paths[p].chassis[1]);
	return err;
}

static int propose_all(struct candidates *all, const struct site *site)
{
	int err = 0;

	for (unsigned g = 0; g < site->groups_count && !err; g++) {
		err = propose_moves(all, site, &site->groups[g]);
		if (!err)
			err = propose_spares(all, site, &site->groups[g]);
	}
	return err ? err : propose_paths(all, site);
}

/* Tries one change on the site read anew; what the site's own rules refuse is no candidate. */
static int try_one(json_t *list, const char *path, const struct avail_question *question,
		   const struct candidate *candidate, double before)
{
	struct avail_answer steady;
	struct refusal why = { .path = "" };
	struct avail_case *c;
	json_t *row;
	int err = avail_case_open(&c, path, question->memory_bytes, ignore_finding, NULL);

	if (err)
		return err;
	err = avail_change_apply(c, candidate->text, &why);
	if (!err)
		err = solve(c, question, &steady, &why);
	if (!err && middle(&steady) < before * (1 - 1e-9)) {
		row = row_json(candidate->text, &steady, before);
		json_object_set_new(row, "cost", avail_real(candidate->cost));
		json_array_append_new(list, row);
	}
	avail_case_close(c);
	return err == -EINVAL ? 0 : err;
}

static double member(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

/* Cheapest first, then what saves most, then by words. */
static int compare(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;

	if (member(x, "cost") != member(y, "cost"))
		return member(x, "cost") < member(y, "cost") ? -1 : 1;
	if (member(x, "unavailability") != member(y, "unavailability"))
		return member(x, "unavailability") < member(y, "unavailability") ? -1 : 1;
	return strcmp(json_string_value(json_object_get(x, "change")),
		      json_string_value(json_object_get(y, "change")));
}

static json_t *sorted(json_t *list)
{
	size_t count = json_array_size(list);
	json_t **rows = calloc(count + 1, sizeof *rows), *out = json_array();

	for (size_t i = 0; rows && i < count; i++)
		rows[i] = json_array_get(list, i);
	if (rows)
		qsort(rows, count, sizeof *rows, compare);
	for (size_t i = 0; rows && i < count && i < LIST_MAX; i++)
		json_array_append(out, rows[i]);
	free(rows);
	return out;
}

static int improve(json_t *answer, const char *path, const struct avail_case *base, double before,
		   const struct avail_question *question)
{
	struct avail_clock clock = avail_clock_start(question->seconds);
	struct candidates all = { .row = NULL };
	json_t *list = json_array(), *best;
	int err = propose_all(&all, base->site);
	size_t tried = 0;

	while (!err && tried < all.count && avail_clock_go_on(&clock)) {
		err = try_one(list, path, question, &all.row[tried], before);
		tried++;
	}
	if (!err) {
		best = sorted(list);
		json_object_set_new(answer, "improvements",
				    json_pack("{s:I, s:I, s:I, s:o}", "candidates",
					      (json_int_t)all.count, "tried", (json_int_t)tried,
					      "helpful", (json_int_t)json_array_size(list), "list",
					      best));
	}
	json_decref(list);
	free(all.row);
	return err;
}

int avail_compare_improve(json_t *answer, const char *path, const struct avail_question *question,
			  struct refusal *why)
{
	struct avail_answer steady;
	struct avail_case *c;
	int err = avail_case_open(&c, path, question->memory_bytes, ignore_finding, why);

	if (err)
		return err;
	if (c->source != AVAIL_FROM_SITE) {
		refuse(why, "", "improvements are looked for in site files only");
		err = -EINVAL;
	}
	if (!err)
		err = solve(c, question, &steady, why);
	if (!err)
		err = improve(answer, path, c, middle(&steady), question);
	avail_case_close(c);
	return err;
}
