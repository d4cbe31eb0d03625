#include "avail/family.h"

#include <errno.h>
#include <math.h>

/* The sum over all sets C of p(C)^k is one pass of dynamic programming, with p^k for each event.
 * The first is the rare-event approximation; and since log(1 - x) is -(x + x^2/2 + x^3/3 + ...), a
 * few dozen of them give the product of all 1 - p(C), for any number of sets, without going through
 * them. */

enum { MOST_POWERS = 64, MOST_LIKELY = 2048 };

struct powers {
	const struct avail_sets *sets;
	const double *p;
	double *sums;		    /* one a branch */
	double likely[MOST_LIKELY]; /* sets of probability above 0.5, taken one by one */
	unsigned likely_count;
};

static double raise_to(double x, unsigned power)
{
	return power == 1 ? x : pow(x, power);
}

static double literal_sum(const struct powers *s, uint32_t literal, unsigned power)
{
	const struct avail_family *family = avail_family_of(s->sets, literal);

	if (family)
		return s->sums[family->root];
	return raise_to(literal & 1 ? 1 - s->p[literal >> 1] : s->p[literal >> 1], power);
}

/* The sum of all p(C)^power; NAN: the budget of the sets says no. */
static double sum_of(struct powers *s, unsigned power)
{
	const struct avail_sets *sets = s->sets;

	s->sums[AVAIL_NO_SET] = 0;
	s->sums[AVAIL_EMPTY_SET] = 1;
	for (uint32_t f = 0; f < 2 * sets->solver->part_count; f++) {
		const struct avail_family *family = &sets->families[f];

		for (uint32_t i = family->first; i < family->first + family->count; i++) {
			const struct avail_branch *b = &sets->branches[i];

			if (!avail_sets_go_on(sets, i - AVAIL_FIRST_BRANCH))
				return NAN;
			s->sums[i] = s->sums[b->low] +
				     literal_sum(s, b->literal, power) * s->sums[b->high];
		}
	}
	return s->sums[sets->root];
}

static void note_likely(void *context, const struct avail_set *set)
{
	struct powers *s = context;

	s->likely[s->likely_count++] = set->probability;
}

/* The logarithm of the product of all 1 - p(C), negated.  Powers of likely sets would fade slowly.
 */
static double log_product(struct powers *s, double first)
{
	double sum = 0;

	for (unsigned i = 0; i < s->likely_count; i++)
		sum -= log1p(-s->likely[i]);
	for (unsigned k = 1; k <= MOST_POWERS; k++) {
		double rest = k == 1 ? first : sum_of(s, k);

		if (isnan(rest))
			return rest;
		for (unsigned i = 0; i < s->likely_count; i++)
			rest -= raise_to(s->likely[i], k);
		rest = fmax(rest, 0) / k;
		sum += rest;
		if (rest < 1e-18 * sum)
			break;
	}
	return sum;
}

int avail_sets_approximate(struct avail_sets *sets, const double *p, double *rare_event,
			   double *upper_bound)
{
	struct powers *s = avail_take(sets->memory, 1, sizeof *s);
	int err = -ENOMEM;

	if (!s)
		return err;
	s->sets = sets;
	s->p = p;
	s->sums = avail_take(sets->memory, sets->branch_count, sizeof *s->sums);
	if (s->sums)
		err = avail_sets_list(sets, p, AVAIL_BY_PROBABILITY, MOST_LIKELY, 0.5, note_likely,
				      s);
	if (!err) {
		*rare_event = sum_of(s, 1);
		*upper_bound = -expm1(-log_product(s, *rare_event));
		err = isnan(*upper_bound) ? -EDQUOT : 0;
	}
	avail_give(sets->memory, s->sums, sets->branch_count, sizeof *s->sums);
	avail_give(sets->memory, s, 1, sizeof *s);
	return err;
}
