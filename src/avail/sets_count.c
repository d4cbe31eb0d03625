#include "avail/family.h"
#include "avail/wide.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Counting by dynamic programming: the sets of a branch are those of its low edge and those of its
 * high edge with one literal more, or with one of the sets that a module's literal stands for. */

static struct avail_orders orders_of(const struct avail_sets *sets, uint32_t ref)
{
	return ref < AVAIL_FIRST_BRANCH ? (struct avail_orders){ 0, 0 } : sets->orders[ref];
}

/* Of the sets that a literal stands for. */
static struct avail_orders literal_orders(const struct avail_sets *sets, uint32_t literal)
{
	const struct avail_family *family = avail_family_of(sets, literal);

	return family ? orders_of(sets, family->root) : (struct avail_orders){ 1, 1 };
}

int avail_sets_find_orders(struct avail_sets *sets)
{
	const struct avail_solver *s = sets->solver;

	sets->orders = avail_take(sets->memory, sets->branch_count, sizeof *sets->orders);
	if (!sets->orders)
		return -ENOMEM;
	for (uint32_t f = 0; f < 2 * s->part_count; f++) {
		const struct avail_family *family = &sets->families[f];

		for (uint32_t i = family->first; i < family->first + family->count; i++) {
			const struct avail_branch *b = &sets->branches[i];
			struct avail_orders one = literal_orders(sets, b->literal),
					    high = orders_of(sets, b->high),
					    low = orders_of(sets, b->low), *all = &sets->orders[i];

			all->least = one.least + high.least;
			all->most = one.most + high.most;
			if (b->low == AVAIL_NO_SET)
				continue;
			all->least = min_u32(all->least, low.least);
			all->most = low.most > all->most ? low.most : all->most;
		}
	}
	return 0;
}

uint32_t avail_sets_order(const struct avail_sets *sets)
{
	return orders_of(sets, sets->root).most;
}

/* About how many sets there are. */
static int estimate(const struct avail_sets *sets, double *total)
{
	double *counts = avail_take(sets->memory, sets->branch_count, sizeof *counts);

	if (!counts)
		return -ENOMEM;
	counts[AVAIL_EMPTY_SET] = 1;
	for (uint32_t f = 0; f < 2 * sets->solver->part_count; f++) {
		const struct avail_family *family = &sets->families[f];

		for (uint32_t i = family->first; i < family->first + family->count; i++) {
			const struct avail_branch *b = &sets->branches[i];
			const struct avail_family *module = avail_family_of(sets, b->literal);

			counts[i] = counts[b->low] +
				    counts[b->high] * (module ? counts[module->root] : 1);
		}
	}
	*total = counts[sets->root];
	avail_give(sets->memory, counts, sets->branch_count, sizeof *counts);
	return 0;
}

/* Words for numbers that are not above 'total', about. */
static unsigned width_of(double total)
{
	unsigned width = 1;

	while (width < AVAIL_COUNT_LIMBS && total >= ldexp(1, (int)(64 * width - 1)))
		width++;
	return width;
}

/* How many sets there are of each order, of all branches: numbers of 'width' words. */
struct tally {
	const struct avail_sets *sets;
	unsigned width;
	uint64_t *pool;
	uint64_t *places; /* one a branch: where its numbers are in the pool, for its least order on
			   */
	uint64_t pool_count;
};

static uint64_t orders_count(struct avail_orders orders)
{
	return (uint64_t)orders.most - orders.least + 1;
}

static uint64_t *number(const struct tally *t, uint32_t ref, uint32_t order)
{
	return t->pool + t->places[ref] +
	       (uint64_t)(order - orders_of(t->sets, ref).least) * t->width;
}

/* Adds the sets of 'ref', each with 'shift' literals more, to those of 'sum'. */
static void add_shifted(struct tally *t, uint32_t sum, uint32_t ref, uint32_t shift)
{
	struct avail_orders orders = orders_of(t->sets, ref);

	for (uint32_t k = orders.least; ref != AVAIL_NO_SET && k <= orders.most; k++)
		avail_wide_add(number(t, sum, k + shift), number(t, ref, k), t->width);
}

/* Adds each set of 'a' with each of 'b'. */
static void add_products(struct tally *t, uint32_t sum, uint32_t a, uint32_t b)
{
	struct avail_orders a_orders = orders_of(t->sets, a), b_orders = orders_of(t->sets, b);

	for (uint32_t i = a_orders.least; i <= a_orders.most; i++)
		for (uint32_t j = b_orders.least; j <= b_orders.most; j++)
			avail_wide_add_product(number(t, sum, i + j), number(t, a, i),
					       number(t, b, j), t->width);
}

static void tally_branch(struct tally *t, uint32_t ref)
{
	const struct avail_branch *b = &t->sets->branches[ref];
	const struct avail_family *family = avail_family_of(t->sets, b->literal);

	add_shifted(t, ref, b->low, 0);
	if (family)
		add_products(t, ref, family->root, b->high);
	else
		add_shifted(t, ref, b->high, 1);
}

/* Gives each branch its place in the pool. */
static void find_places(struct tally *t)
{
	t->pool_count = 2 * (uint64_t)t->width; /* for the empty family and that of the empty set */
	t->places[AVAIL_EMPTY_SET] = t->width;
	for (uint32_t i = AVAIL_FIRST_BRANCH; i < t->sets->branch_count; i++) {
		t->places[i] = t->pool_count;
		t->pool_count += orders_count(t->sets->orders[i]) * t->width;
	}
}

static bool tally_all(struct tally *t)
{
	t->pool[t->places[AVAIL_EMPTY_SET]] = 1;
	for (uint32_t f = 0; f < 2 * t->sets->solver->part_count; f++) {
		const struct avail_family *family = &t->sets->families[f];

		for (uint32_t i = family->first; i < family->first + family->count; i++) {
			if (!avail_sets_go_on(t->sets, i - AVAIL_FIRST_BRANCH))
				return false;
			tally_branch(t, i);
		}
	}
	return true;
}

static void report(const struct tally *t, struct avail_count *count, struct avail_count *by_order)
{
	struct avail_orders orders = orders_of(t->sets, t->sets->root);

	*count = (struct avail_count){ .over = false };
	for (uint32_t k = 0; by_order && k <= orders.most; k++)
		by_order[k] = *count;
	for (uint32_t k = orders.least; t->sets->root != AVAIL_NO_SET && k <= orders.most; k++) {
		struct avail_count here = avail_wide_count(number(t, t->sets->root, k), t->width);

		avail_count_add(count, &here);
		if (by_order)
			by_order[k] = here;
	}
}

int avail_sets_count(struct avail_sets *sets, struct avail_count *count,
		     struct avail_count *by_order)
{
	struct tally t = { .sets = sets };
	double total;
	int err = estimate(sets, &total);

	if (err)
		return err;
	t.width = width_of(total);
	t.places = avail_take(sets->memory, sets->branch_count, sizeof *t.places);
	if (!t.places)
		return -ENOMEM;
	find_places(&t);
	t.pool = avail_take(sets->memory, t.pool_count, sizeof *t.pool);
	err = !t.pool ? -ENOMEM : tally_all(&t) ? 0 : -EDQUOT;
	if (!err)
		report(&t, count, by_order);
	avail_give(sets->memory, t.places, sets->branch_count, sizeof *t.places);
	avail_give(sets->memory, t.pool, t.pool_count, sizeof *t.pool);
	return err;
}
