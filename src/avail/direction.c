#include "avail/solver.h"

#include <errno.h>
#include <string.h>

/* Whether one function implies another, remembered in a table that forgets. */
struct known {
	uint32_t f, g; /* f 0: empty */
	uint32_t holds;
};

struct knowledge {
	struct avail_solver *solver;
	struct known *table; /* NULL: nothing is looked at but the gates */
	uint64_t work;	     /* questions that may still be asked */
	uint64_t asked;
	bool until_fall; /* look only until one is found */
};

/* Whether a path from the root comes to a step with an even or an odd number of negations. */
enum { MET = 1, MET_NEGATED = 2 };
enum { KNOWN = 1 << 16, WORK_BASE = 1 << 18, WORK_A_STEP = 16 };
enum { ASK_EVERY = 1 << 14 };

static uint32_t cofactor(const struct avail_step *step, uint32_t f, uint32_t input, uint32_t edge)
{
	return f >> 1 && step->input == input ? edge ^ (f & 1) : f;
}

static bool may_ask(struct knowledge *k)
{
	const struct avail_budget *budget = &k->solver->budget;

	if (k->work > 0 && k->asked++ % ASK_EVERY == 0 && budget->go_on &&
	    !budget->go_on(budget->context))
		k->work = 0;
	if (k->work == 0)
		return false;
	k->work--;
	return true;
}

/* Whether g is true wherever f is; when there is no more work to be done, "no". */
static bool implies(struct knowledge *k, uint32_t f, uint32_t g)
{
	const struct avail_solver *s = k->solver;
	const struct avail_step *a = &s->steps[f >> 1], *b = &s->steps[g >> 1];
	struct known *known;
	uint32_t input;
	bool holds;

	if (f == AVAIL_FALSE || g == AVAIL_TRUE || f == g)
		return true;
	if (f == AVAIL_TRUE || g == AVAIL_FALSE || f == (g ^ 1) || (f & 1 && !(g & 1)))
		return false;
	known = &k->table[avail_dd_hash(f, g, 0) % KNOWN];
	if (known->f == f && known->g == g)
		return known->holds;
	if (!may_ask(k))
		return false;
	input = s->rank[a->input] <= s->rank[b->input] ? a->input : b->input;
	holds = implies(k, cofactor(a, f, input, a->low), cofactor(b, g, input, b->low)) &&
		implies(k, cofactor(a, f, input, a->high), cofactor(b, g, input, b->high));
	if (k->work)
		*known = (struct known){ f, g, holds };
	return holds;
}

static uint8_t turn(uint8_t direction)
{
	return (uint8_t)((direction & AVAIL_RISES ? AVAIL_FALLS : 0) |
			 (direction & AVAIL_FALLS ? AVAIL_RISES : 0));
}

/* How a step's own function changes with its input: as the part does, or the other way round when
 * it is met negated.  Where the gates left both possible it may, or its edges are looked at. */
static uint8_t direction_of(struct knowledge *k, const struct avail_step *step, unsigned met)
{
	uint8_t direction = k->solver->direction[step->input];

	if (direction != AVAIL_BOTH)
		return met & MET_NEGATED ? turn(direction) : direction;
	if (!k->table)
		return direction;
	return (uint8_t)((implies(k, step->high, step->low) ? 0 : AVAIL_RISES) |
			 (implies(k, step->low, step->high) ? 0 : AVAIL_FALLS));
}

static void meet(uint8_t *met, uint32_t first, uint32_t ref, unsigned how)
{
	if (ref & 1)
		how = (how & MET ? MET_NEGATED : 0) | (how & MET_NEGATED ? MET : 0);
	if (ref >> 1)
		met[(ref >> 1) - first] |= (uint8_t)how;
}

/* Top down, to know how each step is met; then 'seen' is how the part changes with each input.
 * Whether all steps have been looked at: it stops at the first fall when that is all that is asked.
 */
static bool look_at_steps(struct knowledge *k, const struct avail_part *part, uint8_t *seen,
			  uint8_t *met)
{
	struct avail_solver *s = k->solver;

	meet(met, part->first, part->root, MET);
	for (uint32_t i = part->count; i-- > 0;) {
		struct avail_step *step = &s->steps[part->first + i];
		uint8_t direction = direction_of(k, step, met[i]),
			*now = &seen[s->rank[step->input]];

		meet(met, part->first, step->low, met[i]);
		meet(met, part->first, step->high, met[i]);
		step->direction = direction;
		*now |= (uint8_t)((met[i] & MET ? direction : 0) |
				  (met[i] & MET_NEGATED ? turn(direction) : 0));
		if (k->until_fall && *now & AVAIL_FALLS)
			return false;
	}
	return true;
}

/* Looks at one part.  *all: whether at all of it. */
static int look_at_part(struct knowledge *k, const struct avail_part *part, bool *all)
{
	struct avail_solver *s = k->solver;
	uint8_t *seen = avail_take(s->memory, (size_t)part->input_count + 1, sizeof *seen);
	uint8_t *met = avail_take(s->memory, (size_t)part->count + 1, sizeof *met);
	int err = seen && met ? 0 : -ENOMEM;

	k->work = WORK_BASE + WORK_A_STEP * (uint64_t)part->count;
	if (!err) {
		*all = look_at_steps(k, part, seen, met);
		for (uint32_t i = 0; *all && i < part->input_count; i++)
			s->direction[s->inputs[part->first_input + i]] = seen[i];
	}
	avail_give(s->memory, met, (size_t)part->count + 1, sizeof *met);
	avail_give(s->memory, seen, (size_t)part->input_count + 1, sizeof *seen);
	return err;
}

int avail_note_directions(struct avail_solver *s, const struct avail_part *part)
{
	struct knowledge k = { .solver = s };
	bool all;

	return look_at_part(&k, part, &all);
}

static bool is_open(const struct avail_solver *s, const struct avail_part *part)
{
	for (uint32_t i = 0; i < part->input_count; i++)
		if (s->direction[s->inputs[part->first_input + i]] == AVAIL_BOTH)
			return true;
	return false;
}

int avail_find_directions(struct avail_solver *s)
{
	struct knowledge k = { .solver = s };
	int err = 0;

	if (s->has_directions)
		return 0;
	k.table = avail_take(s->memory, KNOWN, sizeof *k.table);
	if (!k.table)
		return -ENOMEM;
	for (uint32_t i = 0; !err && i < s->part_count; i++) {
		bool all;

		if (is_open(s, &s->parts[i]))
			err = look_at_part(&k, &s->parts[i], &all);
	}
	s->has_directions = !err;
	avail_give(s->memory, k.table, KNOWN, sizeof *k.table);
	return err;
}

static double plain_value(const struct avail_part *part, const double *values, uint32_t ref)
{
	double value = ref >> 1 ? values[(ref >> 1) - part->first] : 0;

	return ref & 1 ? 1 - value : value;
}

/* Most falls show in numbers: with each input failed as often as not, a step that is less often
 * true with its input failed than without.  What is too little for the digits that there are is not
 * looked at. */
static int look_at_numbers(struct avail_solver *s, const struct avail_part *part, bool *falls)
{
	const double least = 1e-9;
	double *values = avail_take(s->memory, (size_t)part->count + 1, sizeof *values);
	uint8_t *met = avail_take(s->memory, (size_t)part->count + 1, sizeof *met);
	const struct avail_step *steps = s->steps + part->first;
	int err = values && met ? 0 : -ENOMEM;

	for (uint32_t i = 0; !err && i < part->count; i++)
		values[i] = 0.5 * plain_value(part, values, steps[i].low) +
			    0.5 * plain_value(part, values, steps[i].high);
	if (!err)
		meet(met, part->first, part->root, MET);
	for (uint32_t i = part->count; !err && !*falls && i-- > 0;) {
		double gain = plain_value(part, values, steps[i].high) -
			      plain_value(part, values, steps[i].low);

		*falls = (met[i] & MET && gain < -least) || (met[i] & MET_NEGATED && gain > least);
		meet(met, part->first, steps[i].low, met[i]);
		meet(met, part->first, steps[i].high, met[i]);
	}
	avail_give(s->memory, met, (size_t)part->count + 1, sizeof *met);
	avail_give(s->memory, values, (size_t)part->count + 1, sizeof *values);
	return err;
}

/* A function that is false when all events work, and not constant, rises with one of its inputs; so
 * when a module falls in what contains it, the whole falls with one of the module's.  Whole first.
 */
static int look_for_fall(struct knowledge *k, uint8_t *matters, bool *coherent)
{
	struct avail_solver *s = k->solver;
	int err = 0;

	matters[s->part_count - 1] = 1;
	for (uint32_t i = s->part_count; *coherent && !err && i-- > 0;) {
		if (!matters[i])
			continue;
		if (is_open(s, &s->parts[i])) {
			bool falls = false;

			err = look_at_numbers(s, &s->parts[i], &falls);
			*coherent = !falls;
			if (!err && *coherent)
				err = look_at_part(k, &s->parts[i], coherent);
		}
		for (uint32_t j = 0; j < s->parts[i].input_count; j++) {
			uint32_t input = s->inputs[s->parts[i].first_input + j];

			if (s->direction[input] & AVAIL_FALLS)
				*coherent = false;
			if (s->direction[input] && input >= s->event_count)
				matters[input - s->event_count] = 1;
		}
	}
	return err;
}

int avail_find_coherence(struct avail_solver *s)
{
	struct knowledge k = { .solver = s, .until_fall = true };
	uint8_t *matters;
	int err = -ENOMEM;

	s->coherent = !(s->root & 1) || s->root == AVAIL_TRUE;
	if (s->root >> 1 == 0 || !s->coherent)
		return 0;
	matters = avail_take(s->memory, s->part_count, sizeof *matters);
	k.table = avail_take(s->memory, KNOWN, sizeof *k.table);
	if (matters && k.table)
		err = look_for_fall(&k, matters, &s->coherent);
	avail_give(s->memory, matters, s->part_count, sizeof *matters);
	avail_give(s->memory, k.table, KNOWN, sizeof *k.table);
	return err;
}
