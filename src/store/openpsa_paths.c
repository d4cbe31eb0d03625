/* From the ways to a sequence to a top of the model. */
#include "store/openpsa_walk.h"

#include <stdio.h>
#include <stdlib.h>

/* --- building --- */

static bool product(struct openpsa *reader, enum avail_formula_kind kind,
		    const struct avail_term *terms, uint32_t count, struct avail_term *made)
{
	uint32_t gate;

	*made = (struct avail_term){ .kind = AVAIL_TERM_CONSTANT,
				     .index = kind == AVAIL_FORMULA_AND };
	if (count == 1)
		*made = terms[0];
	if (count < 2)
		return true;
	gate = avail_model_gate(reader->model, NULL);
	if (gate == AVAIL_NONE ||
	    avail_model_define(reader->model, gate, kind, terms, count) != 0) {
		openpsa_no_room(reader);
		return false;
	}
	openpsa_note(reader, &reader->gates, gate, reader->things[reader->walk->initiating].node);
	*made = (struct avail_term){ .kind = AVAIL_TERM_GATE, .index = gate };
	return !reader->full;
}

/* The sum or product of expressions; AVAIL_NONE of none. */
static bool combine(struct openpsa *reader, enum avail_expression_kind kind, const uint32_t *args,
		    uint32_t count, uint32_t *made)
{
	*made = count == 1 ? args[0] : AVAIL_NONE;
	if (count < 2)
		return true;
	*made = avail_expression_add(reader->model, kind, args, count);
	if (*made == AVAIL_NONE) {
		openpsa_no_room(reader);
		return false;
	}
	openpsa_note(reader, &reader->expressions, *made,
		     reader->things[reader->walk->initiating].node);
	return !reader->full;
}

void openpsa_keep_path(struct openpsa *reader, uint32_t sequence)
{
	struct openpsa_walk *walk = reader->walk;
	struct openpsa_path path = { .sequence = sequence,
				     .free = walk->term_count == 0,
				     .first = walk->kept_count,
				     .count = walk->factor_count - walk->frequencies };

	if (!product(reader, AVAIL_FORMULA_AND, walk->terms, walk->term_count, &path.term) ||
	    !openpsa_make_room(reader, &walk->paths, &walk->path_room,
			       (uint64_t)walk->path_count + 1, sizeof *walk->paths) ||
	    !openpsa_make_room(reader, &walk->kept, &walk->kept_room,
			       (uint64_t)walk->kept_count + path.count, sizeof *walk->kept))
		return;
	for (uint32_t i = walk->frequencies; i < walk->factor_count; i++)
		walk->kept[walk->kept_count++] = walk->factors[i];
	path.number = walk->path_count;
	walk->paths[walk->path_count++] = path;
}

/* --- the paths of one sequence --- */

static bool same_factors(const struct openpsa_walk *walk, const struct openpsa_path *a,
			 const struct openpsa_path *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (walk->kept[a->first + i] != walk->kept[b->first + i])
			return false;
	return true;
}

/* How the paths of a sequence go together. */
enum mixture {
	ONE_FACTOR, /* all have the same expressions: they count once */
	NO_FORMULA, /* shares of one whole: they are added */
	BOTH,	    /* each way has an event that happens with its share */
};

/* The first path of the sequence is first in the array. */
static enum mixture mixture_of(const struct openpsa_walk *walk, const struct openpsa_path *paths,
			       uint32_t count)
{
	bool same = true, free = true;

	for (uint32_t i = 0; i < count; i++) {
		same = same && same_factors(walk, &paths[0], &paths[i]);
		free = free && paths[i].free;
	}
	return free ? NO_FORMULA : same ? ONE_FACTOR : BOTH;
}

static bool path_factor(struct openpsa *reader, const struct openpsa_path *path, uint32_t *made)
{
	return combine(reader, AVAIL_MUL, reader->walk->kept + path->first, path->count, made);
}

/* Ways without formulas, whose shares are added; a way without expressions has the share 1. */
static bool add_shares(struct openpsa *reader, const struct openpsa_path *paths, uint32_t count,
		       uint32_t *frequency)
{
	uint32_t base = reader->number_count, share;
	bool good = true, any = false;

	for (uint32_t i = 0; i < count && good; i++) {
		good = path_factor(reader, &paths[i], &share);
		any = any || share != AVAIL_NONE;
		if (good && share == AVAIL_NONE) {
			share = avail_expression_number(reader->model, 1);
			good = share != AVAIL_NONE;
			if (good)
				openpsa_note(reader, &reader->expressions, share,
					     reader->things[paths[i].sequence].node);
			else
				openpsa_no_room(reader);
		}
		good = good && openpsa_make_room(reader, &reader->numbers, &reader->number_room,
						 (uint64_t)reader->number_count + 1,
						 sizeof *reader->numbers);
		if (good)
			reader->numbers[reader->number_count++] = share;
	}
	*frequency = AVAIL_NONE;
	if (good && any)
		good = combine(reader, AVAIL_ADD, reader->numbers + base,
			       reader->number_count - base, frequency);
	reader->number_count = base;
	return good;
}

/* The way together with an event that happens with the way's share. */
static bool path_with_share(struct openpsa *reader, const struct openpsa_path *path,
			    uint32_t number, struct avail_term *term)
{
	const struct openpsa_thing *sequence = &reader->things[path->sequence];
	struct avail_term both[2] = { path->term };
	uint32_t share, event;
	char name[320];

	if (!path_factor(reader, path, &share))
		return false;
	*term = path->term;
	if (share == AVAIL_NONE)
		return true;
	snprintf(name, sizeof name, "%s way %u", sequence->name, number);
	event = avail_model_event(reader->model, name);
	if (event == AVAIL_NONE) {
		openpsa_no_room(reader);
		return false;
	}
	openpsa_note(reader, &reader->events, event, sequence->node);
	reader->model->events[event].law = AVAIL_LAW_PROBABILITY;
	reader->model->events[event].probability = share;
	both[1] = (struct avail_term){ .kind = AVAIL_TERM_EVENT, .index = event };
	return path->free ? (*term = both[1], true)
			  : product(reader, AVAIL_FORMULA_AND, both, 2, term);
}

/* Any of the ways. */
static bool any_way(struct openpsa *reader, const struct openpsa_path *paths, uint32_t count,
		    enum mixture mixture, struct avail_term *down)
{
	uint32_t base = reader->term_count;
	bool good = true;

	for (uint32_t i = 0; i < count && good; i++) {
		struct avail_term term = paths[i].term;

		if (mixture == BOTH)
			good = path_with_share(reader, &paths[i], i + 1, &term);
		good = good &&
		       openpsa_make_room(reader, &reader->terms, &reader->term_room,
					 (uint64_t)reader->term_count + 1, sizeof *reader->terms);
		if (good)
			reader->terms[reader->term_count++] = term;
	}
	good = good && product(reader, AVAIL_FORMULA_OR, reader->terms + base,
			       reader->term_count - base, down);
	reader->term_count = base;
	return good;
}

/* The frequency of the initiating event times what the ways have in common. */
static bool with_frequency(struct openpsa *reader, uint32_t *frequency)
{
	struct openpsa_walk *walk = reader->walk;
	uint32_t args[2] = { *frequency, AVAIL_NONE };

	if (!combine(reader, AVAIL_MUL, walk->factors, walk->frequencies, &args[1]))
		return false;
	if (args[0] == AVAIL_NONE || args[1] == AVAIL_NONE) {
		*frequency = args[0] == AVAIL_NONE ? args[1] : args[0];
		return true;
	}
	return combine(reader, AVAIL_MUL, args, 2, frequency);
}

static void make_top(struct openpsa *reader, const struct openpsa_path *paths, uint32_t count)
{
	const char *initiating = reader->things[reader->walk->initiating].name;
	const char *sequence = reader->things[paths[0].sequence].name;
	enum mixture mixture = mixture_of(reader->walk, paths, count);
	struct avail_term down = { .kind = AVAIL_TERM_CONSTANT, .index = 1 };
	uint32_t frequency = AVAIL_NONE, top;
	char name[520];
	bool good;

	if (mixture == NO_FORMULA)
		good = add_shares(reader, paths, count, &frequency);
	else
		good = any_way(reader, paths, count, mixture, &down) &&
		       (mixture == BOTH || path_factor(reader, &paths[0], &frequency));
	if (!good || !with_frequency(reader, &frequency))
		return;
	snprintf(name, sizeof name, "%s.%s", initiating, sequence);
	top = avail_model_top(reader->model, name, down);
	if (top == AVAIL_NONE) {
		openpsa_no_room(reader);
		return;
	}
	openpsa_note(reader, &reader->tops, top, reader->things[reader->walk->initiating].node);
	reader->model->tops[top].frequency = frequency;
	reader->model->tops[top].initiating = initiating;
	reader->model->tops[top].sequence = sequence;
}

/* By sequence in the order of their definition, then in the order of the walk. */
static int compare(const void *left, const void *right)
{
	const struct openpsa_path *a = left, *b = right;

	if (a->sequence != b->sequence)
		return a->sequence < b->sequence ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

void openpsa_make_tops(struct openpsa *reader)
{
	struct openpsa_walk *walk = reader->walk;
	uint32_t first, end;

	if (walk->path_count > 0)
		qsort(walk->paths, walk->path_count, sizeof *walk->paths, compare);
	for (first = 0; first < walk->path_count && !reader->full; first = end) {
		end = first + 1;
		while (end < walk->path_count &&
		       walk->paths[end].sequence == walk->paths[first].sequence)
			end++;
		make_top(reader, walk->paths + first, end - first);
	}
	walk->path_count = walk->kept_count = 0;
}
