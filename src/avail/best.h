/* avail/best.h -- the best set of every branch of a family, and how good it is: what a list of sets, best
 * first, is led by.
 *
 * Better is less cost; where costs are equal, the set that has the smallest literal that only one of the
 * two has.  In a family of which no set contains another, adding the same literals to two sets does not
 * change which is better, so the best set of a branch is made of best sets.
 *
 * Only for files of this folder that work on sets. */
#ifndef AVAIL_BEST_H
#define AVAIL_BEST_H

#include "avail/family.h"

/* Costs are whole numbers, so that sums do not depend on the order of adding, and ties are ties: one a
 * literal, or what its probability's logarithm is in units of 2^-36 doublings. */
#define AVAIL_COST_DOUBLING 0x1p36
#define AVAIL_COST_NEVER    (INT64_C(1) << 47) /* of probability 0: more than any other */
#define AVAIL_COST_MOST     (INT64_C(1) << 62)

struct avail_best {
	const struct avail_sets *sets;
	const double *p; /* NULL: not known, only orders matter */
	enum avail_sets_order_by by;
	int64_t *costs;  /* one a branch: of its best set */
	double *likely;  /* one a branch: probability of its most probable set */
	uint32_t *taken; /* one a branch: the branch of its low edges whose literal its best set has */
	uint32_t *path;  /* scratch: high edges to come back to, one a module */
	uint32_t *left, *right; /* scratch: sets that are compared */
	uint32_t most;   /* literals of a set */
};

/* Finds the best sets.  p: of events; may be NULL when 'by' is AVAIL_BY_ORDER.  0, -ENOMEM, or
 * -EDQUOT: the budget of the sets says no. */
int avail_best_init(struct avail_best *best, const struct avail_sets *sets, const double *p,
		    enum avail_sets_order_by by);
void avail_best_fini(struct avail_best *best);

/* Of the family of the empty set 0 and 1, of a branch its own. */
int64_t avail_best_cost(const struct avail_best *best, uint32_t ref);
double avail_best_likely(const struct avail_best *best, uint32_t ref);

/* Of one event's literal. */
int64_t avail_literal_cost(const struct avail_best *best, uint32_t literal);
double avail_literal_probability(const struct avail_best *best, uint32_t literal);

static inline int64_t avail_cost_sum(int64_t a, int64_t b)
{
	return a + b < AVAIL_COST_MOST ? a + b : AVAIL_COST_MOST;
}

/* Appends the literals of the best set of 'ref', a branch or the empty set; returns the new count. */
uint32_t avail_best_collect(const struct avail_best *best, uint32_t ref, uint32_t *literals,
			    uint32_t count);

/* Ascending. */
void avail_literals_sort(uint32_t *literals, uint32_t count);

/* Less than 0 when the set a is better than b, both sorted and of the same cost; 0: they are equal. */
int avail_literals_compare(const uint32_t *a, uint32_t a_count, const uint32_t *b,
			   uint32_t b_count);

#endif
