#include "avail/capacity.h"
#include "avail/compose.h"

#include <errno.h>
#include <math.h>

enum { LEVELS_MOST = 1000 };
#define SAME 1e-9 /* of the total: amounts that differ by less are the same */

/* Shares of the same amount. */
struct kind {
	double amount;
	struct avail_list refs; /* of the tree: each true when its share is lost */
};

/* A sum of amounts that may be lost, and the function that is true when exactly it is. */
struct loss {
	double sum;
	uint32_t ref;
};

struct table {
	struct avail_memory *memory;
	const struct avail_capacity *capacity;
	const struct avail_model *model;
	struct avail_dynamic *dynamic;
	struct avail_term *terms; /* of the shares, then 'down' */
	uint32_t *refs;
	struct kind *kinds;
	uint32_t kind_count;
	struct loss *losses, *next;
	uint32_t loss_count, loss_room, next_count, next_room;
	double total;
	uint32_t most;
};

static bool same(const struct table *table, double a, double b)
{
	return fabs(a - b) <= SAME * table->total;
}

/* ---- shares ---- */

static int sort_into_kinds(struct table *table)
{
	const struct avail_capacity *capacity = table->capacity;

	for (uint32_t i = 0; i < capacity->count; i++) {
		double amount = table->model->shares[capacity->first + i].amount;
		uint32_t kind = 0;

		if (amount <= SAME * table->total)
			continue;
		while (kind < table->kind_count && !same(table, table->kinds[kind].amount, amount))
			kind++;
		if (kind == table->kind_count)
			table->kinds[table->kind_count++] =
				(struct kind){ .amount = amount,
					       .refs = { .memory = table->memory } };
		if (!avail_list_add(&table->kinds[kind].refs, table->refs[i]))
			return -ENOMEM;
	}
	return 0;
}

/* ---- sums ---- */

/* Adds one way to lose 'sum'; several ways to the same sum exclude each other. */
static int add_loss(struct table *table, double sum, uint32_t ref)
{
	struct avail_tree *tree = avail_dynamic_tree(table->dynamic);
	uint32_t i = 0;

	if (ref == AVAIL_NO_REF)
		return -ENOMEM;
	while (i < table->next_count && !same(table, table->next[i].sum, sum))
		i++;
	if (i < table->next_count) {
		uint32_t args[2] = { table->next[i].ref, ref };

		table->next[i].ref = avail_tree_gate(tree, AVAIL_OR, 0, 0, args, 2);
		return table->next[i].ref == AVAIL_NO_REF ? -ENOMEM : 0;
	}
	if (table->next_count == table->most)
		return -E2BIG;
	if (!avail_room(table->memory, &table->next, &table->next_room,
			(uint64_t)table->next_count + 1, sizeof *table->next))
		return -ENOMEM;
	table->next[table->next_count++] = (struct loss){ sum, ref };
	return 0;
}

static uint32_t both(struct table *table, uint32_t a, uint32_t b)
{
	uint32_t args[2] = { a, b };

	if (a == AVAIL_TRUE || b == AVAIL_NO_REF)
		return b;
	return a == AVAIL_NO_REF ? a
				 : avail_tree_gate(avail_dynamic_tree(table->dynamic), AVAIL_AND, 0,
						   0, args, 2);
}

/* All sums with some number of this kind lost beside what is lost of the kinds before. */
static int add_kind(struct table *table, const struct kind *kind)
{
	struct avail_tree *tree = avail_dynamic_tree(table->dynamic);
	int err = 0;

	table->next_count = 0;
	for (uint32_t lost = 0; lost <= kind->refs.count && !err; lost++) {
		uint32_t so_many = avail_tree_gate(tree, AVAIL_CARDINALITY, lost, lost,
						   kind->refs.items, kind->refs.count);

		for (uint32_t i = 0; i < table->loss_count && !err; i++)
			err = add_loss(table, table->losses[i].sum + lost * kind->amount,
				       both(table, table->losses[i].ref, so_many));
	}
	struct loss *swap = table->losses;
	uint32_t swap_room = table->loss_room;

	table->losses = table->next;
	table->loss_room = table->next_room;
	table->loss_count = table->next_count;
	table->next = swap;
	table->next_room = swap_room;
	return err;
}

/* losses: every sum that can be lost, 'down' included, which loses all. */
static int add_up(struct table *table)
{
	struct avail_tree *tree = avail_dynamic_tree(table->dynamic);
	uint32_t down = table->refs[table->capacity->count];
	int err;

	table->next_count = 0;
	err = add_loss(table, 0, AVAIL_TRUE);
	table->losses = table->next;
	table->loss_count = table->next_count;
	table->loss_room = table->next_room;
	table->next = NULL;
	table->next_room = 0;
	for (uint32_t k = 0; k < table->kind_count && !err; k++)
		err = add_kind(table, &table->kinds[k]);
	for (uint32_t i = 0; i < table->loss_count && !err; i++) {
		struct loss *loss = &table->losses[i];
		uint32_t args[2] = { loss->ref, down };

		if (same(table, loss->sum, table->total)) {
			loss->ref = avail_tree_gate(tree, AVAIL_OR, 0, 0, args, 2);
		} else {
			args[1] = avail_not(down);
			loss->ref = avail_tree_gate(tree, AVAIL_AND, 0, 0, args, 2);
		}
		err = loss->ref == AVAIL_NO_REF ? -ENOMEM : 0;
	}
	return err;
}

/* ---- states ---- */

static int solve_level(struct table *table, const struct loss *loss,
		       const struct avail_budget *budget, struct avail_levels *levels)
{
	struct avail_dynamic_answer answer;
	struct avail_solver *solver;
	struct avail_level *row;
	int err = avail_solver_open(&solver, table->memory, avail_dynamic_tree(table->dynamic),
				    loss->ref, budget);

	if (err)
		return err;
	err = avail_dynamic_solve(table->dynamic, solver, loss->ref, &answer);
	if (!avail_solver_is_exact(solver) || !avail_dynamic_is_exact(table->dynamic))
		levels->quality = AVAIL_BOUNDS;
	avail_solver_close(solver);
	if (err || answer.unavailability.upper == 0)
		return err;
	if (!avail_room(table->memory, &levels->rows, &levels->room, (uint64_t)levels->count + 1,
			sizeof *levels->rows))
		return -ENOMEM;
	row = &levels->rows[levels->count++];
	*row = (struct avail_level){
		.delivered = same(table, loss->sum, table->total) ? 0 : table->total - loss->sum,
		.probability = answer.unavailability,
		.frequency = answer.frequency,
		.mean_h = answer.frequency > 0	  ? answer.unavailability.value / answer.frequency
			  : answer.frequency == 0 ? INFINITY
						  : NAN,
	};
	return 0;
}

static void sort_levels(struct avail_levels *levels)
{
	for (uint32_t i = 1; i < levels->count; i++)
		for (uint32_t k = i;
		     k > 0 && levels->rows[k].delivered > levels->rows[k - 1].delivered; k--) {
			struct avail_level swap = levels->rows[k];

			levels->rows[k] = levels->rows[k - 1];
			levels->rows[k - 1] = swap;
		}
}

/* From the least delivery on, so that small probabilities are added first. */
static void cumulate(struct avail_levels *levels)
{
	double sum = 0;

	for (uint32_t i = levels->count; i-- > 0;) {
		struct avail_level *row = &levels->rows[i];

		sum += row->probability.value;
		row->at_most = i == 0 && levels->quality == AVAIL_EXACT ? 1 : sum;
		levels->expected += row->probability.value * row->delivered;
	}
}

/* ---- all of it ---- */

static int fill(struct table *table, struct avail_sample *sample,
		const struct avail_service_budget *budget, struct avail_levels *levels,
		struct refusal *why)
{
	static const struct avail_when when = { .kind = AVAIL_IN_STEADY_STATE };
	uint32_t count = table->capacity->count;
	int err = avail_dynamic_open(&table->dynamic, table->model, table->terms, count + 1,
				     budget ? &budget->chains : NULL, table->refs);

	if (!err)
		err = avail_dynamic_evaluate(table->dynamic, sample, NULL, &when, why);
	if (!err)
		err = sort_into_kinds(table);
	if (!err)
		err = add_up(table);
	if (err == -E2BIG)
		refuse(why, table->capacity->name,
		       "more than %u different amounts can be lost; use fewer different shares",
		       table->most);
	for (uint32_t i = 0; i < table->loss_count && !err; i++)
		err = solve_level(table, &table->losses[i], budget ? &budget->diagram : NULL,
				  levels);
	if (!err) {
		sort_levels(levels);
		cumulate(levels);
	}
	return err;
}

static int take_table(struct table *table)
{
	uint32_t count = table->capacity->count;

	table->terms = avail_take(table->memory, (size_t)count + 1, sizeof *table->terms);
	table->refs = avail_take(table->memory, (size_t)count + 1, sizeof *table->refs);
	table->kinds = avail_take(table->memory, (size_t)count + 1, sizeof *table->kinds);
	if (!table->terms || !table->refs || !table->kinds)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const struct avail_share *share = &table->model->shares[table->capacity->first + i];

		table->terms[i] = share->down;
		table->total += share->amount;
	}
	table->terms[count] = table->capacity->down;
	return 0;
}

static void give_table(struct table *table)
{
	size_t count = (size_t)table->capacity->count + 1;

	for (uint32_t k = 0; k < table->kind_count; k++)
		avail_list_fini(&table->kinds[k].refs);
	avail_give(table->memory, table->terms, count, sizeof *table->terms);
	avail_give(table->memory, table->refs, count, sizeof *table->refs);
	avail_give(table->memory, table->kinds, count, sizeof *table->kinds);
	avail_give(table->memory, table->losses, table->loss_room, sizeof *table->losses);
	avail_give(table->memory, table->next, table->next_room, sizeof *table->next);
	avail_dynamic_close(table->dynamic);
}

int avail_capacity_levels(struct avail_levels *levels, const struct avail_model *model,
			  uint32_t capacity, uint32_t most, struct avail_sample *sample,
			  const struct avail_service_budget *budget, struct refusal *why)
{
	struct table table = { .memory = model->memory,
			       .capacity = &model->capacities[capacity],
			       .model = model,
			       .most = most ? most : LEVELS_MOST };
	struct avail_sample mean;
	int err = take_table(&table);

	must(capacity < model->capacity_count);
	*levels = (struct avail_levels){ .memory = model->memory, .total = table.total };
	if (!err && !sample)
		err = avail_sample_init(&mean, model, model->mission_h);
	if (!err) {
		err = fill(&table, sample ? sample : &mean, budget, levels, why);
		if (!sample)
			avail_sample_fini(&mean);
	}
	give_table(&table);
	if (err)
		avail_levels_fini(levels);
	return err;
}

void avail_levels_fini(struct avail_levels *levels)
{
	avail_give(levels->memory, levels->rows, levels->room, sizeof *levels->rows);
	levels->rows = NULL;
	levels->count = levels->room = 0;
}
