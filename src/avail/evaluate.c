#include "avail/bound.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Probabilities are kept of each function and of its negation, and both are sums of products of
 * such numbers, never differences: the digits of a tiny one are all there. */

enum { BOUND_NODES = 1 << 6 }; /* of one function in the first round of bounds */

static int take_values(struct avail_solver *s)
{
	if (!s->values)
		s->values = avail_take(s->memory, 2 * (size_t)s->step_count, sizeof *s->values);
	return s->values ? 0 : -ENOMEM;
}

struct chance {
	double failed, works;
};

static struct chance chance_of(const struct avail_solver *s, const double *p, uint32_t input)
{
	uint32_t root;

	if (input < s->event_count)
		return (struct chance){ p[input], 1 - p[input] };
	root = s->parts[input - s->event_count].root;
	return (struct chance){ s->values[root], s->values[root ^ 1] };
}

static void find_values(struct avail_solver *s, const double *p)
{
	double *v = s->values;

	v[AVAIL_FALSE] = 0;
	v[AVAIL_TRUE] = 1;
	for (uint32_t i = 1; i < s->step_count; i++) {
		const struct avail_step *step = &s->steps[i];
		struct chance c = chance_of(s, p, step->input);

		v[2 * i] = c.failed * v[step->high] + c.works * v[step->low];
		v[2 * i + 1] = c.failed * v[step->high ^ 1] + c.works * v[step->low ^ 1];
	}
}

/* The steps of bounds are new, and have no values yet. */
int avail_find_bounds(struct avail_solver *s, const double *p, uint32_t most)
{
	uint32_t steps = s->step_count;
	int err = take_values(s);

	if (err)
		return err;
	find_values(s, p);
	avail_bound(s, p, most);
	s->has_bounds = true;
	avail_give(s->memory, s->values, 2 * (size_t)steps, sizeof *s->values);
	s->values = NULL;
	return take_values(s);
}

int avail_solver_probability(struct avail_solver *s, const double *p, struct avail_bounds *bounds)
{
	int err = take_values(s);

	if (err)
		return err;
	if (!s->exact && !s->has_bounds)
		err = avail_find_bounds(s, p, BOUND_NODES);
	if (err)
		return err;
	find_values(s, p);
	if (!s->exact) {
		*bounds =
			(struct avail_bounds){ s->values[s->below], s->values[s->above], NAN, NAN };
		return 0;
	}
	bounds->lower = bounds->upper = bounds->value = s->values[s->root];
	bounds->complement = s->values[s->root ^ 1];
	return 0;
}

/* Probabilities of two functions at once being true, remembered in a table that forgets. */
struct pair {
	uint32_t f, g; /* f 0: empty */
	double both;
};

struct pairs {
	const struct avail_solver *solver;
	const double *p;
	struct pair *table;
	uint32_t room; /* a power of two; 0: not needed yet */
	uint64_t work; /* pairs that may still be looked at: without a limit it could go on for ever
			*/
	uint64_t looked;
};

enum { LEAST_PAIRS = 1 << 10, MOST_PAIRS = 1 << 22, WORK_BASE = 1 << 22, WORK_A_STEP = 4 };
enum { ASK_EVERY = 1 << 14 };

static int take_pairs(struct pairs *pairs)
{
	uint32_t room = LEAST_PAIRS;

	while (room < MOST_PAIRS && room < 4 * (uint64_t)pairs->solver->step_count)
		room *= 2;
	pairs->work = WORK_BASE + WORK_A_STEP * (uint64_t)pairs->solver->step_count;
	for (; !pairs->table && room >= LEAST_PAIRS; room /= 2) {
		pairs->table = avail_take(pairs->solver->memory, room, sizeof *pairs->table);
		pairs->room = pairs->table ? room : 0;
	}
	return pairs->table ? 0 : -ENOMEM;
}

static uint32_t cofactor(const struct avail_step *step, uint32_t f, uint32_t input, bool high)
{
	if (f >> 1 == 0 || step->input != input)
		return f;
	return (high ? step->high : step->low) ^ (f & 1);
}

static bool may_look(struct pairs *pairs)
{
	const struct avail_budget *budget = &pairs->solver->budget;

	if (pairs->work > 0 && pairs->looked++ % ASK_EVERY == 0 && budget->go_on &&
	    !budget->go_on(budget->context))
		pairs->work = 0;
	if (pairs->work == 0)
		return false;
	pairs->work--;
	return true;
}

/* NAN when there is no more work to be done. */
static double both_of(struct pairs *pairs, uint32_t f, uint32_t g)
{
	const struct avail_solver *s = pairs->solver;
	const struct avail_step *a = &s->steps[f >> 1], *b = &s->steps[g >> 1];
	struct pair *pair;
	struct chance c;
	uint32_t input;
	double result;

	if (f == AVAIL_FALSE || g == AVAIL_FALSE || f == (g ^ 1))
		return 0;
	if (f == g || g == AVAIL_TRUE)
		return s->values[f];
	if (f == AVAIL_TRUE)
		return s->values[g];
	if (f > g)
		return both_of(pairs, g, f);
	pair = &pairs->table[avail_dd_hash(f, g, 0) & (pairs->room - 1)];
	if (pair->f == f && pair->g == g)
		return pair->both;
	if (!may_look(pairs))
		return NAN;
	input = s->rank[a->input] <= s->rank[b->input] ? a->input : b->input;
	c = chance_of(s, pairs->p, input);
	result = c.failed *
			 both_of(pairs, cofactor(a, f, input, true), cofactor(b, g, input, true)) +
		 c.works *
			 both_of(pairs, cofactor(a, f, input, false), cofactor(b, g, input, false));
	if (!isnan(result))
		*pair = (struct pair){ f, g, result };
	return result;
}

/* P(f) - P(g), by the probabilities of these or of their negations, whichever are smaller. */
static double difference(const double *v, uint32_t f, uint32_t g, double *greater)
{
	bool by_true = v[f] + v[g] <= v[f ^ 1] + v[g ^ 1];
	double a = by_true ? v[f] : v[g ^ 1], b = by_true ? v[g] : v[f ^ 1];

	*greater = fmax(a, b);
	return a - b;
}

/* P(f) - P(g) with all its digits, where there is work left to find them. */
static double change_of(struct pairs *pairs, uint32_t f, uint32_t g, uint32_t direction)
{
	double greater, change = difference(pairs->solver->values, f, g, &greater), more = 0,
			less = 0;

	if (!(greater > 0) || fabs(change) >= 1e-4 * greater)
		return change;
	if (direction & AVAIL_RISES)
		more = both_of(pairs, f, g ^ 1);
	if (direction & AVAIL_FALLS)
		less = both_of(pairs, g, f ^ 1);
	return isnan(more) || isnan(less) ? change : more - less;
}

/* What failing the input of a step changes: from false to true, and from true to false; NAN: there
 * is no more work to be done. */
static void find_change(struct pairs *pairs, const struct avail_step *step, double *rise,
			double *fall)
{
	*rise = *fall = 0;
	if (step->direction == AVAIL_RISES) {
		*rise = change_of(pairs, step->high, step->low, AVAIL_RISES);
	} else if (step->direction == AVAIL_FALLS) {
		*fall = change_of(pairs, step->low, step->high, AVAIL_RISES);
	} else {
		*rise = both_of(pairs, step->high, step->low ^ 1);
		*fall = both_of(pairs, step->low, step->high ^ 1);
	}
}

/* What the changes of the whole add up in: of events in the caller's arrays, of modules where paths
 * arrive at their roots. */
struct changes {
	double *rise, *fall; /* one an event; fall may be NULL */
	double *reach;	     /* one a reference: of arriving there on a path from the root */
};

static void add_change(const struct avail_solver *s, struct changes *to, uint32_t input,
		       double rise, double fall)
{
	uint32_t root;

	if (input >= s->event_count) {
		root = s->parts[input - s->event_count].root;
		to->reach[root] += rise;
		to->reach[root ^ 1] += fall;
		return;
	}
	to->rise[input] += rise;
	if (to->fall)
		to->fall[input] += fall;
}

/* What failing an input changes is what it changes at each of its steps, times the probability of
 * arriving there.  Top down: what a module changes is known before its steps are met.  false: there
 * was no more work to be done. */
static bool add_changes(struct pairs *pairs, struct changes *to)
{
	const struct avail_solver *s = pairs->solver;
	double *reach = to->reach;

	reach[s->root] = 1;
	for (uint32_t i = s->step_count; i-- > 1;) {
		const struct avail_step *step = &s->steps[i];
		struct chance c = chance_of(s, pairs->p, step->input);
		double here = reach[2 * i], negated = reach[2 * i + 1], rise, fall;

		reach[step->low] += c.works * here;
		reach[step->low ^ 1] += c.works * negated;
		reach[step->high] += c.failed * here;
		reach[step->high ^ 1] += c.failed * negated;
		if (!(here > 0 || negated > 0))
			continue;
		find_change(pairs, step, &rise, &fall);
		if (isnan(rise) || isnan(fall))
			return false;
		add_change(s, to, step->input, here * rise + negated * fall,
			   here * fall + negated * rise);
	}
	return true;
}

int avail_solver_changes(struct avail_solver *s, const double *p, double *rise, double *fall)
{
	struct changes to = { .rise = rise, .fall = fall };
	struct pairs pairs = { .solver = s, .p = p };
	size_t references = 2 * (size_t)s->step_count;
	int err;

	if (!s->exact)
		return -ENOTSUP;
	must(fall || s->coherent);
	err = take_values(s);
	if (!err)
		err = avail_find_directions(s);
	if (!err)
		err = take_pairs(&pairs);
	to.reach = avail_take(s->memory, references, sizeof *to.reach);
	if (!err && !to.reach)
		err = -ENOMEM;
	if (!err) {
		for (uint32_t i = 0; i < s->event_count; i++)
			rise[i] = 0;
		for (uint32_t i = 0; fall && i < s->event_count; i++)
			fall[i] = 0;
		find_values(s, p);
		err = add_changes(&pairs, &to) ? 0 : -EDQUOT;
	}
	avail_give(s->memory, to.reach, references, sizeof *to.reach);
	avail_give(s->memory, pairs.table, pairs.room, sizeof *pairs.table);
	return err;
}

/* Paths that arrive at a step as it is, less those that arrive at its negation, are enough for the
 * difference of what failing an input changes.  In a coherent function a step has only one of both.
 */
static void add_birnbaum(struct pairs *pairs, double *reach, double *birnbaum)
{
	const struct avail_solver *s = pairs->solver;

	reach[s->root >> 1] = s->root & 1 ? -1 : 1;
	for (uint32_t i = s->step_count; i-- > 1;) {
		const struct avail_step *step = &s->steps[i];
		struct chance c = chance_of(s, pairs->p, step->input);
		double here = reach[i], change;
		uint32_t root;

		if (!(fabs(here) > 0))
			continue;
		reach[step->low >> 1] += c.works * here;
		reach[step->high >> 1] += step->high & 1 ? -c.failed * here : c.failed * here;
		change = here * change_of(pairs, step->high, step->low, step->direction);
		if (step->input < s->event_count) {
			birnbaum[step->input] += change;
			continue;
		}
		root = s->parts[step->input - s->event_count].root;
		reach[root >> 1] += root & 1 ? -change : change;
	}
}

int avail_solver_birnbaum(struct avail_solver *s, const double *p, double *birnbaum)
{
	struct pairs pairs = { .solver = s, .p = p };
	double *reach;
	int err;

	if (!s->exact)
		return -ENOTSUP;
	err = take_values(s);
	if (!err)
		err = take_pairs(&pairs);
	reach = avail_take(s->memory, s->step_count, sizeof *reach);
	if (!err && !reach)
		err = -ENOMEM;
	if (!err) {
		memset(birnbaum, 0, s->event_count * sizeof *birnbaum);
		find_values(s, p);
		add_birnbaum(&pairs, reach, birnbaum);
	}
	avail_give(s->memory, reach, s->step_count, sizeof *reach);
	avail_give(s->memory, pairs.table, pairs.room, sizeof *pairs.table);
	return err;
}
