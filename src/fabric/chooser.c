#include "fabric/chooser.h"

#include "avail/measures.h"

#include <errno.h>
#include <string.h>

enum { STATES = 2000, STATES_LATER = 200 }; /* of a chain, at most */

void site_chooser_put_in(const struct site_chooser *c, const struct site_candidate *candidate)
{
	for (unsigned i = 0; i < c->group->count; i++)
		c->choice->cards[i] = c->pool->cards[candidate->at[i]];
}

static bool uses(const struct site_chooser *c, unsigned row)
{
	const struct placement *place = &c->rows[row];
	const char *group = c->site->systems[place->system].io[place->io].redundancy;

	return group && strcmp(group, c->group->name) == 0;
}

/* Any system that uses the group is down. */
static int make_top(const struct site_chooser *c, struct avail_model *model, struct avail_term *top)
{
	size_t most = (size_t)c->row_count + 1;
	struct avail_term *terms = avail_take(c->memory, most, sizeof *terms);
	uint32_t count = 0, gate = AVAIL_NONE;

	if (!terms)
		return -ENOMEM;
	for (unsigned row = 0; row < c->row_count; row++)
		if (uses(c, row))
			terms[count++] = model->tops[c->rows[row].system].down;
	gate = avail_model_gate(model, "any system that uses the group down");
	if (gate != AVAIL_NONE &&
	    avail_model_define(model, gate, AVAIL_FORMULA_OR, terms, count) != 0)
		gate = AVAIL_NONE;
	avail_give(c->memory, terms, most, sizeof *terms);
	*top = (struct avail_term){ .kind = AVAIL_TERM_GATE, .index = gate };
	return gate == AVAIL_NONE ? -ENOMEM : 0;
}

static int solve_with(const struct avail_model *model, struct avail_term top, uint32_t states,
		      double *figure)
{
	const struct avail_service_budget budget = { .chains.states = states };
	struct avail_service *service;
	struct avail_answer answer;
	int err = avail_service_open(&service, model, top, &budget, NULL);

	if (err)
		return err;
	err = avail_service_steady(service, NULL, NULL, &answer, NULL);
	avail_service_close(service);
	if (!err && answer.quality == AVAIL_EXACT)
		*figure = answer.unavailability.value;
	else if (!err)
		*figure = (answer.unavailability.lower + answer.unavailability.upper) / 2;
	return err;
}

/* Unavailability of what uses the group, with the rows as they are. */
int site_chooser_solve(const struct site_chooser *c, const struct site_model_wants *wants,
		       double *figure)
{
	struct avail_model model;
	struct site_model_notes notes;
	struct avail_term top;
	int err = avail_model_init(&model, c->memory, c->site->name);

	if (!err)
		err = site_model_build(&model, c->site, c->rows, wants, &notes);
	if (!err)
		err = make_top(c, &model, &top);
	if (!err)
		err = avail_model_check(&model, c->why);
	if (!err)
		err = solve_with(&model, top, STATES, figure);
	if (err == -ELOOP || err == -EDQUOT)
		err = solve_with(&model, top, STATES_LATER, figure);
	if (err == -ELOOP || err == -EDQUOT) {
		*figure = 1; /* nothing is known of it */
		err = 0;
	}
	avail_model_fini(&model);
	return err;
}

static unsigned load_of(const struct site_chooser *c, const struct site_candidate *candidate)
{
	unsigned load = 0;

	for (unsigned row = 0; row < c->row_count; row++)
		for (unsigned m = 0; m < c->rows[row].member_count; m++)
			for (unsigned i = 0; i < c->group->count; i++)
				load += c->rows[row].member[m].card ==
					c->card_index[candidate->at[i]];
	return load;
}

bool site_chooser_is_used(const struct site_chooser *c)
{
	for (unsigned row = 0; row < c->row_count; row++)
		if (uses(c, row))
			return true;
	return false;
}

int site_chooser_judge(struct site_chooser *c, struct site_candidate *candidate)
{
	const struct site_model_wants wants = { .groups_as = c->as };
	double figure;
	int err;

	c->looked_at++;
	c->judged++;
	site_chooser_put_in(c, candidate);
	candidate->verdict = (struct site_verdict){ .loss = SITE_NO_ROOM };
	if (placement_make(c->site, c->rows, c->why) != 0)
		return 0;
	candidate->verdict = (struct site_verdict){ .load = load_of(c, candidate) };
	if (!site_chooser_is_used(c))
		return 0;
	err = site_chooser_solve(c, &wants, &figure);
	candidate->verdict.loss = figure > c->without_io ? figure - c->without_io : 0;
	return err;
}

/* ---- which is better ---- */

/* Ten digits: what differs by less is equal, whatever the order of a sum made of it. */
static double rounded(double figure)
{
	uint64_t bits;

	_Static_assert(sizeof bits == sizeof figure, "a double is 64 bits");
	memcpy(&bits, &figure, sizeof bits);
	bits = (bits + (UINT64_C(1) << 18)) & ~((UINT64_C(1) << 19) - 1);
	memcpy(&figure, &bits, sizeof bits);
	return figure;
}

/* The order of the pool decides by the order in which candidates come. */
static bool is_better(const struct site_chooser *c, const struct site_verdict *a,
		      const struct site_verdict *b)
{
	bool enough = a->loss <= c->enough;
	double x = rounded(a->loss), y = rounded(b->loss);

	if (enough != (b->loss <= c->enough))
		return enough;
	if (enough && a->load != b->load)
		return a->load < b->load;
	if (x < y || y < x)
		return x < y;
	return a->load < b->load;
}

bool site_candidates_are_same(const struct site_chooser *c, const struct site_candidate *a,
			      const struct site_candidate *b)
{
	return memcmp(a->at, b->at, c->group->count * sizeof *a->at) == 0;
}

/* Whether both have the same cards, in whatever order. */
bool site_candidates_share_cards(const struct site_chooser *c, const struct site_candidate *a,
				 const struct site_candidate *b)
{
	for (unsigned i = 0; i < c->group->count; i++) {
		bool found = false;

		for (unsigned k = 0; k < c->group->count; k++)
			found |= a->at[i] == b->at[k];
		if (!found)
			return false;
	}
	return true;
}

void site_chooser_keep(struct site_chooser *c, const struct site_candidate *candidate)
{
	unsigned at = c->best_count;

	for (unsigned i = 0; i < c->best_count; i++)
		if (site_candidates_are_same(c, candidate, &c->best[i]))
			return;
	while (at > 0 && is_better(c, &candidate->verdict, &c->best[at - 1].verdict))
		at--;
	if (at == SITE_SHORT_LIST)
		return;
	c->best_count += c->best_count < SITE_SHORT_LIST;
	memmove(&c->best[at + 1], &c->best[at], (c->best_count - at - 1) * sizeof *c->best);
	c->best[at] = *candidate;
}

int site_chooser_try(struct site_chooser *c, const struct site_candidate *candidate)
{
	struct site_candidate tried = *candidate;
	int err = site_chooser_judge(c, &tried);

	if (!err)
		site_chooser_keep(c, &tried);
	return err;
}
