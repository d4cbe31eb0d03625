#include "avail/bdd.h"
#include "avail/primes.h"
#include "avail/zdd.h"

struct priming {
	struct avail_dd *dd;
	uint32_t functions; /* the first level of functions */
	uint32_t families;  /* of families */
};

static uint32_t primes(const struct priming *p, uint32_t f);

/* Those of a cofactor that the whole does not have without its variable; pushed. */
static uint32_t push_own(const struct priming *p, uint32_t cofactor, uint32_t common)
{
	struct avail_dd *dd = p->dd;
	uint32_t all = avail_dd_push(dd, primes(p, cofactor)), own;

	own = avail_zdd_difference(dd, all, common);
	avail_dd_pop(dd, 1);
	return avail_dd_push(dd, own);
}

/* Where both cofactors are true the variable does not matter: the prime implicants of that are
 * prime. Others need the variable, or its negation, and are those of one cofactor but not of both.
 */
static uint32_t primes(const struct priming *p, uint32_t f)
{
	struct avail_dd *dd = p->dd;
	uint32_t level, family_level, both, common, failed, works, result;

	if (f <= AVAIL_TRUE)
		return f;
	result = avail_dd_find(dd, f, 0, (uint32_t)AVAIL_DD_PRIMES);
	if (result != AVAIL_DD_NONE || !avail_dd_goes_on(dd))
		return result;
	level = avail_dd_level_of(dd, f);
	family_level = p->families + 2 * (level - p->functions);
	both = avail_bdd_and(dd, avail_bdd_low(dd, f, level), avail_bdd_high(dd, f, level));
	avail_dd_push(dd, both);
	common = avail_dd_push(dd, primes(p, both));
	failed = push_own(p, avail_bdd_high(dd, f, level), common);
	works = push_own(p, avail_bdd_low(dd, f, level), common);
	result = avail_zdd_make(dd, family_level + 1, common, works);
	avail_dd_push(dd, result);
	result = avail_zdd_make(dd, family_level, result, failed);
	avail_dd_pop(dd, 5);
	if (result != AVAIL_DD_NONE)
		avail_dd_remember(dd, f, 0, (uint32_t)AVAIL_DD_PRIMES, result);
	return result;
}

/* The part's function once more, from its steps. */
static uint32_t function_of(const struct priming *p, const struct avail_solver *s,
			    const struct avail_part *part)
{
	struct avail_dd *dd = p->dd;
	uint32_t base = dd->stack_count, f = AVAIL_DD_NONE;

	if (avail_dd_reserve(dd, part->count + 8))
		return f;
	for (uint32_t i = part->first; i < part->first + part->count; i++) {
		const struct avail_step *step = &s->steps[i];
		uint32_t low = step->low, high = step->high;

		if (low >> 1)
			low = dd->stack[base + (low >> 1) - part->first];
		if (high >> 1)
			high = dd->stack[base + (high >> 1) - part->first] ^ (high & 1);
		f = avail_bdd_make(dd, p->functions + s->rank[step->input], low, high);
		if (f == AVAIL_DD_NONE)
			break;
		avail_dd_push(dd, f);
	}
	if (f != AVAIL_DD_NONE)
		f = dd->stack[base + (part->root >> 1) - part->first];
	avail_dd_pop(dd, dd->stack_count - base);
	return f;
}

uint32_t avail_primes_build(struct avail_dd *dd, const struct avail_solver *solver,
			    const struct avail_part *part, uint32_t negated, uint32_t first_level)
{
	struct priming p = { .dd = dd, .families = first_level };
	uint32_t f, result;

	if (avail_dd_add_levels(dd, part->input_count, &p.functions))
		return AVAIL_DD_NONE;
	f = function_of(&p, solver, part);
	if (f == AVAIL_DD_NONE)
		return f;
	avail_dd_push(dd, f);
	result = primes(&p, f ^ negated);
	avail_dd_pop(dd, 1);
	return result == AVAIL_DD_NONE ? result : avail_dd_push(dd, result);
}
