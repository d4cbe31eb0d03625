#include "avail/family.h"
#include "avail/zdd.h"

/* Minimal cut sets of a diagram (Rauzy 1993, 2001): those without its top's input are those of the
 * low edge; those with it are those of the high edge that contain none of the former.  These are
 * the minimal states of failed inputs that make the function true, coherent or not.
 *
 * A negated reference is true when nothing has failed (bdd.h), so its only minimal set is empty. */

struct cutting {
	struct avail_dd *dd;
	const struct avail_solver *solver;
	const struct avail_part *part;
	uint32_t *uses; /* one a step of the part: references that still need its family */
	uint32_t base;	/* families lie on the stack from here on, one a step */
	uint32_t first_level;
};

static void use(struct cutting *c, uint32_t ref)
{
	if (ref >> 1 && !(ref & 1))
		c->uses[(ref >> 1) - c->part->first]++;
}

/* Top down: which steps are met as they are. */
static void count_uses(struct cutting *c)
{
	use(c, c->part->root);
	for (uint32_t i = c->part->count; i-- > 0;) {
		const struct avail_step *step = &c->solver->steps[c->part->first + i];

		if (c->uses[i]) {
			use(c, step->low);
			use(c, step->high);
		}
	}
}

static uint32_t family_of(const struct cutting *c, uint32_t ref)
{
	if (ref & 1)
		return AVAIL_TRUE;
	return ref ? c->dd->stack[c->base + (ref >> 1) - c->part->first] : (uint32_t)AVAIL_FALSE;
}

/* A family that was needed for the last time need not live any longer. */
static void release(struct cutting *c, uint32_t ref)
{
	if (ref >> 1 && !(ref & 1) && --c->uses[(ref >> 1) - c->part->first] == 0)
		c->dd->stack[c->base + (ref >> 1) - c->part->first] = AVAIL_FALSE;
}

static bool cut_step(struct cutting *c, uint32_t i)
{
	const struct avail_step *step = &c->solver->steps[c->part->first + i];
	uint32_t low = family_of(c, step->low), result;

	result = avail_dd_push(c->dd, avail_zdd_without(c->dd, family_of(c, step->high), low));
	result = avail_zdd_make(c->dd, c->first_level + c->solver->rank[step->input], low, result);
	avail_dd_pop(c->dd, 1);
	c->dd->stack[c->base + i] = result;
	release(c, step->low);
	release(c, step->high);
	return result != AVAIL_DD_NONE;
}

static uint32_t cut_all(struct cutting *c)
{
	uint32_t result = AVAIL_TRUE;

	count_uses(c);
	for (uint32_t i = 0; i < c->part->count; i++)
		avail_dd_push(c->dd, AVAIL_FALSE);
	for (uint32_t i = 0; i < c->part->count && result != AVAIL_DD_NONE; i++)
		if (c->uses[i] && !cut_step(c, i))
			result = AVAIL_DD_NONE;
	if (result != AVAIL_DD_NONE)
		result = family_of(c, c->part->root);
	avail_dd_pop(c->dd, c->part->count);
	return result == AVAIL_DD_NONE ? result : avail_dd_push(c->dd, result);
}

uint32_t avail_cuts_build(struct avail_dd *dd, const struct avail_solver *solver,
			  const struct avail_part *part, uint32_t first_level)
{
	struct cutting c = { .dd = dd,
			     .solver = solver,
			     .part = part,
			     .base = dd->stack_count,
			     .first_level = first_level };
	uint32_t result = AVAIL_DD_NONE;

	c.uses = avail_take(solver->memory, part->count + 1, sizeof *c.uses);
	if (c.uses && !avail_dd_reserve(dd, part->count + 4))
		result = cut_all(&c);
	avail_give(solver->memory, c.uses, part->count + 1, sizeof *c.uses);
	return result;
}
