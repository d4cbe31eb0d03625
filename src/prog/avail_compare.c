#include "prog/avail_compare.h"

#include "prog/avail_answer_parts.h"
#include "prog/avail_change.h"
#include "prog/avail_clock.h"
#include "os/clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	LIST_MAX = 50,
	TRIED_MAX = 20000,
	AGAIN_MAX = 24,		/* candidates that are judged once more with chains */
	STATES_WHAT_IF = 20000, /* of one chain */
	STATES_IMPROVE = 5000,
	PROGRESS_NS = 200000000,
};

#define WIDE 0.01 /* bounds further apart than this share of their middle are no answer */

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

/* The figure with a change: the exact one, bounds, or where these are wide a simulation's interval.
 */
struct figure {
	double value, lower, upper, frequency;
	const char *method;
};

static int figure_of(struct avail_case *c, const struct avail_question *question,
		     struct figure *figure, struct refusal *why)
{
	struct avail_play_result played;
	struct avail_answer steady;
	struct avail_top top;
	int err = solve(c, question, &steady, why);

	if (err)
		return err;
	*figure = (struct figure){ .value = middle(&steady),
				   .lower = steady.unavailability.lower,
				   .upper = steady.unavailability.upper,
				   .frequency = steady.frequency,
				   .method = steady.quality == AVAIL_EXACT ? "exact" : "bounds" };
	if (steady.quality == AVAIL_EXACT || figure->upper - figure->lower <= WIDE * figure->value)
		return 0;
	err = avail_case_top(c, question->top, &top, why);
	if (!err)
		err = avail_answer_simulated(c, question, &top, &played, why);
	if (err)
		return err;
	*figure = (struct figure){ .value = played.unavailability.value,
				   .lower = played.unavailability.lower,
				   .upper = played.unavailability.upper,
				   .frequency = played.frequency.value,
				   .method = "simulation" };
	return 0;
}

/* One row: the change, the figure with it, and what it saves against 'before'. */
static json_t *row_json(const char *change, const struct figure *figure, double before)
{
	double u = figure->value;

	return json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:s, s:o}", "change", change,
		"unavailability", avail_real(u), "unavailability_lower", avail_real(figure->lower),
		"unavailability_upper", avail_real(figure->upper), "minutes_a_year",
		avail_real(u * AVAIL_MINUTES_A_YEAR), "saves_minutes_a_year",
		avail_real((before - u) * AVAIL_MINUTES_A_YEAR), "frequency_per_h",
		avail_real(figure->frequency), "exact", strcmp(figure->method, "exact") == 0,
		"method", figure->method, "factor", avail_real(u > 0 ? before / u : INFINITY));
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
	struct figure figure = { .value = 0 };
	char *sentence;
	double before;
	int err = figure_of(c, question, &figure, why);

	before = figure.value;
	while (!err && (sentence = next_sentence(&sentences)) != NULL) {
		if (!*sentence)
			continue;
		err = avail_change_apply(c, sentence, why);
		if (err && why)
			snprintf(why->path, sizeof why->path, "%s", sentence);
		if (!err)
			err = figure_of(c, question, &figure, why);
		if (!err)
			json_array_append_new(list, row_json(sentence, &figure, before));
	}
	return err;
}

int avail_compare_what_if(json_t *answer, const char *path, const struct avail_question *question,
			  const char *sentences, struct refusal *why)
{
	struct avail_question within = *question;
	char *copy = strdup(sentences);
	json_t *list = json_array();
	struct avail_case *c;
	int err = copy ? avail_case_open(&c, path, question->memory_bytes, ignore_finding, why)
		       : -ENOMEM;

	within.states = STATES_WHAT_IF;
	if (!err) {
		err = what_if(list, c, &within, copy, why);
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
	double unavailability; /* as judged last; INFINITY: the site's rules refuse it */
	bool helps;
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

static bool says_more(const struct site *site)
{
	for (unsigned g = 0; g < site->groups_count; g++)
		if (!site_group_is_plain(&site->groups[g]))
			return true;
	return false;
}

/* What a search for improvements knows. */
struct search {
	const struct avail_case *base;
	struct avail_question question;
	enum site_groups_as groups_as;
	struct avail_clock clock;
	struct candidates all;
	double before, least_before; /* without a change: middle, and lower bound */
	size_t helpful;
	bool is_wide; /* without a change there are only bounds, and these are far apart */
	uint64_t told_ns;
};

static void tell(struct search *search, const char *what, size_t done, size_t all)
{
	uint64_t now_ns = clock_now_ns();

	if (!search->question.progress || now_ns - search->told_ns < PROGRESS_NS)
		return;
	search->told_ns = now_ns;
	fprintf(stderr, "\r%s: %zu of %zu, %zu help", what, done, all, search->helpful);
}

static int copy_of(const struct search *search, struct avail_case **copy)
{
	int err = avail_case_of_copy(copy, search->base);

	if (!err)
		(*copy)->groups_as = search->groups_as;
	return err;
}

/* The figure without a change. */
static int find_before(struct search *search, struct refusal *why)
{
	struct avail_answer steady;
	struct avail_case *c;
	int err = copy_of(search, &c);

	if (err)
		return err;
	err = avail_case_rebuild(c, why);
	if (!err)
		err = solve(c, &search->question, &steady, why);
	if (!err) {
		search->before = middle(&steady);
		search->least_before = steady.unavailability.lower;
		search->is_wide = steady.quality != AVAIL_EXACT &&
				  steady.unavailability.upper - steady.unavailability.lower >
					  WIDE * search->before;
	}
	avail_case_close(c);
	return err;
}

static const char *method_of(const struct search *search, const struct avail_answer *steady)
{
	if (search->groups_as == SITE_GROUPS_PLAIN && says_more(search->base->site))
		return "without coverage, standby and switch-over";
	return steady->quality == AVAIL_EXACT ? "exact" : "bounds";
}

/* Tries one change on a copy of the site; what the site's own rules refuse is no candidate.  A
 * change helps when even the upper bound with it is below the lower one without. */
static int try_one(struct search *search, struct candidate *candidate, json_t **row)
{
	struct avail_answer steady;
	struct refusal why = { .path = "" };
	struct avail_case *c;
	int err = copy_of(search, &c);

	candidate->helps = false;
	candidate->unavailability = INFINITY;
	if (err)
		return err;
	err = avail_change_apply(c, candidate->text, &why);
	if (!err)
		err = solve(c, &search->question, &steady, &why);
	if (!err) {
		struct figure figure = { middle(&steady), steady.unavailability.lower,
					 steady.unavailability.upper, steady.frequency,
					 method_of(search, &steady) };

		candidate->unavailability = figure.value;
		candidate->helps = figure.upper < search->least_before * (1 - 1e-9);
		*row = row_json(candidate->text, &figure, search->before);
		json_object_set_new(*row, "cost", avail_real(candidate->cost));
	}
	avail_case_close(c);
	return err == -EINVAL || err == -ELOOP || err == -EDQUOT ? 0 : err;
}

/* Tries the first 'count' candidates; rows of those that help.  *tried: how many before time was
 * over. */
static int try_all(struct search *search, const char *what, size_t count, json_t *list,
		   size_t *tried)
{
	int err = 0;

	search->helpful = 0;
	for (*tried = 0; *tried < count && !err && avail_clock_go_on(&search->clock); ++*tried) {
		struct candidate *candidate = &search->all.row[*tried];
		json_t *row = NULL;

		tell(search, what, *tried, count);
		err = try_one(search, candidate, &row);
		search->helpful += candidate->helps;
		if (candidate->helps)
			json_array_append(list, row);
		json_decref(row);
	}
	return err;
}

/* The best first; what helps only by what a plain gate does not say may stand behind. */
static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->unavailability < y->unavailability || y->unavailability < x->unavailability)
		return x->unavailability < y->unavailability ? -1 : 1;
	return strcmp(x->text, y->text);
}

/* Judges the best of the first 'tried' once more, with all that groups say. */
static int try_again(struct search *search, size_t tried, json_t *list, struct refusal *why)
{
	size_t count = 0;
	int err;

	qsort(search->all.row, tried, sizeof *search->all.row, compare_candidates);
	while (count < tried && count < AGAIN_MAX && !isinf(search->all.row[count].unavailability))
		count++;
	search->groups_as = SITE_GROUPS_AS_SAID;
	err = find_before(search, why);
	if (!err && search->is_wide) {
		search->helpful = json_array_size(list);
		return 0; /* no bounds could tell two of them apart */
	}
	json_array_clear(list);
	return err ? err : try_all(search, "judging again", count, list, &count);
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

static int improve(json_t *answer, struct search *search, struct refusal *why)
{
	bool more = says_more(search->base->site);
	json_t *list = json_array();
	size_t tried = 0;
	int err = propose_all(&search->all, search->base->site);

	search->groups_as = more ? SITE_GROUPS_PLAIN : SITE_GROUPS_AS_SAID;
	if (!err)
		err = find_before(search, why);
	if (!err)
		err = try_all(search, "changes tried", search->all.count, list, &tried);
	if (!err && more)
		err = try_again(search, tried, list, why);
	if (search->told_ns)
		fprintf(stderr, "\r\033[K");
	if (!err)
		json_object_set_new(answer, "improvements",
				    json_pack("{s:I, s:I, s:I, s:o}", "candidates",
					      (json_int_t)search->all.count, "tried",
					      (json_int_t)tried, "helpful",
					      (json_int_t)search->helpful, "list", sorted(list)));
	json_decref(list);
	free(search->all.row);
	return err;
}

int avail_compare_improve(json_t *answer, const char *path, const struct avail_question *question,
			  struct refusal *why)
{
	struct search search = { .question = *question,
				 .clock = avail_clock_start(question->seconds) };
	struct avail_case *c;
	int err = avail_case_open(&c, path, question->memory_bytes, ignore_finding, why);

	if (err)
		return err;
	search.base = c;
	search.question.states = STATES_IMPROVE;
	if (c->source != AVAIL_FROM_SITE) {
		refuse(why, "", "improvements are looked for in site files only");
		err = -EINVAL;
	}
	if (!err)
		err = improve(answer, &search, why);
	avail_case_close(c);
	return err;
}
