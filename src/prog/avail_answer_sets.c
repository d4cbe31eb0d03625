/* Cut sets: counted, approximated from, listed. */
#include "prog/avail_answer_parts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* The tree as it stands, without chains: cut sets are of its structure. */
struct structure {
	const struct avail_flat *flat;
	struct avail_solver *solver;
	double *p; /* one a leaf */
	struct avail_flat own; /* of 'own_solver' */
	struct avail_solver *own_solver; /* NULL: without chains it is the service's, which knows the answer */
};

static void structure_close(struct structure *s)
{
	if (s->own_solver)
		avail_solver_close(s->own_solver);
	if (s->flat == &s->own)
		avail_flat_fini(&s->own);
	free(s->p);
}

static int leaf_figures(struct structure *s, struct avail_work *work)
{
	struct avail_sample sample;
	int err = avail_sample_init(&sample, &work->c->model, work->c->model.mission_h);

	if (err)
		return err;
	s->p = calloc(s->flat->leaf_count + 1, sizeof *s->p);
	err = s->p ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < s->flat->leaf_count && !err; i++) {
		struct avail_figures figures;

		err = avail_leaf_figures(s->flat, i, &sample, &figures, work->why);
		s->p[i] = figures.unavailability;
	}
	avail_sample_fini(&sample);
	return err;
}

static int own_solver(struct structure *s, struct avail_work *work)
{
	uint32_t ref;
	int err = avail_flatten(&s->own, &work->c->model, &work->top.down, 1, &ref);

	if (err)
		return err;
	s->flat = &s->own;
	err = avail_solver_open(&s->own_solver, &work->c->memory, &s->own.tree, ref,
				&work->budget.diagram);
	s->solver = s->own_solver;
	return err;
}

static int structure_open(struct structure *s, struct avail_work *work)
{
	struct avail_dynamic *dynamic = avail_service_dynamic(work->service);
	int err = 0;

	*s = (struct structure){ .flat = avail_dynamic_flat(dynamic),
				 .solver = avail_service_solver(work->service) };
	if (avail_dynamic_module_count(dynamic) > 0)
		err = own_solver(s, work);
	if (!err)
		err = leaf_figures(s, work);
	if (err)
		structure_close(s);
	return err;
}

/* What a listed set is put into. */
struct listing {
	const struct structure *structure;
	json_t *list;
};

static void put_set(void *context, const struct avail_set *set)
{
	struct listing *listing = context;
	json_t *events = json_array();

	for (uint32_t i = 0; i < set->count; i++) {
		const struct avail_leaf *leaf =
			&listing->structure->flat->leaves[set->literals[i] >> 1];

		json_array_append_new(
			events,
			json_sprintf("%s%s", set->literals[i] & 1 ? "not " : "", leaf->name));
	}
	json_array_append_new(listing->list,
			      json_pack("{s:i, s:o, s:o}", "order", (int)set->count, "probability",
					avail_real(set->probability), "events", events));
}

static json_t *count_json(const struct avail_count *count)
{
	char text[AVAIL_COUNT_DIGITS];

	avail_count_text(count, text);
	return json_string(text);
}

/* "count" and "by_order", whose first entry is order 1; "empty_set" when the top is certain. */
static int put_counts(json_t *out, struct avail_sets *sets)
{
	uint32_t orders = avail_sets_order(sets) + 1;
	struct avail_count all = { 0 }, *by_order = calloc(orders, sizeof *by_order);
	json_t *list = json_array();
	int err = by_order ? avail_sets_count(sets, &all, by_order) : -ENOMEM;

	if (!err) {
		json_object_set_new(out, "count", count_json(&all));
		for (uint32_t i = 1; i < orders; i++)
			json_array_append_new(list, count_json(&by_order[i]));
		json_object_set(out, "by_order", list);
		json_object_set_new(out, "empty_set", json_boolean(by_order[0].limb[0] != 0));
	}
	json_decref(list);
	free(by_order);
	return err;
}

static int put_approximations(json_t *out, struct avail_sets *sets, const double *p)
{
	double rare, upper;
	int err = avail_sets_approximate(sets, p, &rare, &upper);

	if (!err)
		json_object_set_new(out, "approximations",
				    json_pack("{s:o, s:o, s:b}", "rare_event", avail_real(rare),
					      "min_cut_upper_bound", avail_real(upper), "exact",
					      0));
	return err;
}

static int put_list(json_t *out, struct avail_sets *sets, const struct structure *structure,
		    const struct avail_question *question, uint64_t most)
{
	struct listing listing = { structure, json_array() };
	int err = avail_sets_list(sets, structure->p,
				  question->sort == AVAIL_SORT_ORDER ? AVAIL_BY_ORDER
								     : AVAIL_BY_PROBABILITY,
				  most, question->cut_off, put_set, &listing);

	if (!err)
		json_object_set(out, "list", listing.list);
	json_decref(listing.list);
	return err;
}

static int put_sets(json_t *out, struct avail_work *work, const struct structure *structure,
		    enum avail_sets_kind kind)
{
	const struct avail_question *question = work->question;
	struct avail_budget budget = work->budget.diagram;
	struct avail_sets *sets;
	int err;

	budget.go_on = budget.go_on_later;
	err = avail_sets_open(&sets, structure->solver, kind, &budget);

	if (err)
		return err;
	err = put_counts(out, sets);
	if (!err && question->approximate)
		err = put_approximations(out, sets, structure->p);
	if (!err && question->cut_sets)
		err = put_list(out, sets, structure, question, question->cut_sets);
	avail_sets_close(sets);
	return err;
}

/* Which budget it was that did not suffice. */
static const char *lack_of(const struct avail_work *work, int err)
{
	const struct avail_budget *budget = &work->budget.diagram;

	if (err == -ENOMEM)
		return "memory";
	return budget->go_on_later(budget->context) ? "nodes" : "time";
}

/* One kind of sets under 'key'; what passes the budget is null and noted. */
static int put_kind(json_t *out, struct avail_work *work, const struct structure *structure,
		    enum avail_sets_kind kind, const char *key, const char *words)
{
	json_t *part = json_object();
	int err = put_sets(part, work, structure, kind);

	if (err == -EDQUOT || err == -ENOMEM || err == -EINTR || err == -ENOTSUP) {
		json_object_clear(part);
		json_object_set_new(part, "count", json_null());
		json_object_set_new(part, "by_order", json_array());
		if (avail_solver_is_exact(structure->solver))
			avail_note(work, "the %s passed the budget of %s and were not counted",
				   words, lack_of(work, err));
		else
			avail_note(work, "the %s were not counted: that takes the whole diagram",
				   words);
		err = 0;
	}
	json_object_set(out, key, part);
	json_decref(part);
	return err;
}

int avail_put_sets(json_t *out, struct avail_work *work)
{
	struct structure structure;
	int err;

	err = structure_open(&structure, work);
	if (err)
		return err;
	err = put_kind(out, work, &structure, AVAIL_CUT_SETS, "cut_sets", "minimal cut sets");
	if (!err && work->question->prime_implicants)
		err = put_kind(out, work, &structure, AVAIL_PRIME_IMPLICANTS, "prime_implicants",
			       "prime implicants");
	structure_close(&structure);
	return err;
}
