#include "avail/best.h"

#include <errno.h>
#include <math.h>

int64_t avail_literal_cost(const struct avail_best *best, uint32_t literal)
{
	double probability;

	if (best->by == AVAIL_BY_ORDER)
		return 1;
	probability = avail_literal_probability(best, literal);
	if (!(probability > 0))
		return AVAIL_COST_NEVER;
	return (int64_t)floor(-log(probability) / log(2) * AVAIL_COST_DOUBLING + 0.5);
}

double avail_literal_probability(const struct avail_best *best, uint32_t literal)
{
	if (!best->p)
		return 1;
	return literal & 1 ? 1 - best->p[literal >> 1] : best->p[literal >> 1];
}

int64_t avail_best_cost(const struct avail_best *best, uint32_t ref)
{
	return ref < AVAIL_FIRST_BRANCH ? 0 : best->costs[ref];
}

double avail_best_likely(const struct avail_best *best, uint32_t ref)
{
	return ref < AVAIL_FIRST_BRANCH ? 1 : best->likely[ref];
}

uint32_t avail_best_collect(const struct avail_best *best, uint32_t ref, uint32_t *literals,
			    uint32_t count)
{
	uint32_t depth = 0;

	for (;;) {
		const struct avail_branch *b;
		const struct avail_family *family;

		must(ref != AVAIL_NO_SET);
		if (ref == AVAIL_EMPTY_SET) {
			if (depth == 0)
				return count;
			ref = best->path[--depth];
			continue;
		}
		b = &best->sets->branches[best->taken[ref]];
		family = avail_family_of(best->sets, b->literal);
		if (family) {
			best->path[depth++] = b->high;
			ref = family->root;
		} else {
			literals[count++] = b->literal;
			ref = b->high;
		}
	}
}

void avail_literals_sort(uint32_t *literals, uint32_t count)
{
	for (uint32_t gap = count / 2; gap > 0; gap /= 2)
		for (uint32_t i = gap; i < count; i++) {
			uint32_t literal = literals[i], j = i;

			for (; j >= gap && literals[j - gap] > literal; j -= gap)
				literals[j] = literals[j - gap];
			literals[j] = literal;
		}
}

int avail_literals_compare(const uint32_t *a, uint32_t a_count, const uint32_t *b, uint32_t b_count)
{
	for (uint32_t i = 0; i < a_count && i < b_count; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return a_count == b_count ? 0 : a_count < b_count ? -1 : 1;
}

/* Whether the best set with the branch's literal is better than its best one without, at the same
 * cost. */
static bool high_is_better(const struct avail_best *best, const struct avail_branch *b)
{
	const struct avail_family *family = avail_family_of(best->sets, b->literal);
	uint32_t high = 0, low;

	if (family)
		high = avail_best_collect(best, family->root, best->left, high);
	else
		best->left[high++] = b->literal;
	high = avail_best_collect(best, b->high, best->left, high);
	low = avail_best_collect(best, b->low, best->right, 0);
	avail_literals_sort(best->left, high);
	avail_literals_sort(best->right, low);
	return avail_literals_compare(best->left, high, best->right, low) < 0;
}

static void find_best(struct avail_best *best, uint32_t at)
{
	const struct avail_branch *b = &best->sets->branches[at];
	const struct avail_family *family = avail_family_of(best->sets, b->literal);
	int64_t high = family ? avail_best_cost(best, family->root)
			      : avail_literal_cost(best, b->literal),
		low = avail_best_cost(best, b->low);
	double likely = family ? avail_best_likely(best, family->root)
			       : avail_literal_probability(best, b->literal);

	high = avail_cost_sum(high, avail_best_cost(best, b->high));
	best->likely[at] = likely * avail_best_likely(best, b->high);
	best->taken[at] = at;
	best->costs[at] = high;
	if (b->low == AVAIL_NO_SET)
		return;
	must(b->low != AVAIL_EMPTY_SET); /* it would be contained in the others */
	best->likely[at] = fmax(best->likely[at], avail_best_likely(best, b->low));
	if (high < low || (high == low && high_is_better(best, b)))
		return;
	best->costs[at] = low;
	best->taken[at] = best->taken[b->low];
}

/* false: the budget of the sets says no. */
static bool find_all(struct avail_best *best)
{
	const struct avail_sets *sets = best->sets;

	for (uint32_t f = 0; f < 2 * sets->solver->part_count; f++)
		for (uint32_t i = 0; i < sets->families[f].count; i++) {
			uint32_t at = sets->families[f].first + i;

			if (!avail_sets_go_on(sets, at - AVAIL_FIRST_BRANCH))
				return false;
			find_best(best, at);
		}
	return true;
}

int avail_best_init(struct avail_best *best, const struct avail_sets *sets, const double *p,
		    enum avail_sets_order_by by)
{
	struct avail_memory *memory = sets->memory;
	uint32_t parts = sets->solver->part_count;

	must(p || by == AVAIL_BY_ORDER);
	*best = (struct avail_best){
		.sets = sets, .p = p, .by = by, .most = avail_sets_order(sets) + 1
	};
	best->costs = avail_take(memory, sets->branch_count, sizeof *best->costs);
	best->likely = avail_take(memory, sets->branch_count, sizeof *best->likely);
	best->taken = avail_take(memory, sets->branch_count, sizeof *best->taken);
	best->path = avail_take(memory, parts + 1, sizeof *best->path);
	best->left = avail_take(memory, best->most, sizeof *best->left);
	best->right = avail_take(memory, best->most, sizeof *best->right);
	if (!best->costs || !best->likely || !best->taken || !best->path || !best->left ||
	    !best->right) {
		avail_best_fini(best);
		return -ENOMEM;
	}
	if (find_all(best))
		return 0;
	avail_best_fini(best);
	return -EDQUOT;
}

void avail_best_fini(struct avail_best *best)
{
	const struct avail_sets *sets = best->sets;
	struct avail_memory *memory = sets->memory;

	avail_give(memory, best->costs, sets->branch_count, sizeof *best->costs);
	avail_give(memory, best->likely, sets->branch_count, sizeof *best->likely);
	avail_give(memory, best->taken, sets->branch_count, sizeof *best->taken);
	avail_give(memory, best->path, sets->solver->part_count + 1, sizeof *best->path);
	avail_give(memory, best->left, best->most, sizeof *best->left);
	avail_give(memory, best->right, best->most, sizeof *best->right);
	*best = (struct avail_best){ .sets = sets };
}
