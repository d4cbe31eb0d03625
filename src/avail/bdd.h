/* avail/bdd.h -- binary decision diagrams of Boolean functions (Bryant 1986) with complement edges
 * (Brace, Rudell, Bryant 1990): a reference's bit negates.  The low edge of a node is never
 * negated, so a function is false where all its variables are iff its reference's bit is 0.
 *
 * Every operation returns AVAIL_DD_NONE when the store stopped; arguments that are AVAIL_DD_NONE
 * are passed on.  Arguments must be pushed (dd.h) or reachable from what is; results are not
 * pushed. */
#ifndef AVAIL_BDD_H
#define AVAIL_BDD_H

#include "avail/dd.h"

/* The function of one level's variable. */
uint32_t avail_bdd_variable(struct avail_dd *dd, uint32_t level);

/* The function that is 'low' where the variable is false and 'high' where it is true. */
uint32_t avail_bdd_make(struct avail_dd *dd, uint32_t level, uint32_t low, uint32_t high);

uint32_t avail_bdd_not(uint32_t f);
uint32_t avail_bdd_and(struct avail_dd *dd, uint32_t f, uint32_t g);
uint32_t avail_bdd_or(struct avail_dd *dd, uint32_t f, uint32_t g);
uint32_t avail_bdd_xor(struct avail_dd *dd, uint32_t f, uint32_t g);
/* Where f is true, g; elsewhere h. */
uint32_t avail_bdd_ite(struct avail_dd *dd, uint32_t f, uint32_t g, uint32_t h);

/* All of 'count' functions; an odd number of them; at least 'low' of them.  The functions are
 * pushed, none is AVAIL_DD_NONE, and the array comes back sorted, topmost first. */
uint32_t avail_bdd_and_all(struct avail_dd *dd, uint32_t *functions, uint32_t count);
uint32_t avail_bdd_xor_all(struct avail_dd *dd, uint32_t *functions, uint32_t count);
uint32_t avail_bdd_at_least(struct avail_dd *dd, uint32_t low, uint32_t *functions, uint32_t count);

/* The cofactors of f at a level that is not below its top. */
static inline uint32_t avail_bdd_low(const struct avail_dd *dd, uint32_t f, uint32_t level)
{
	const struct avail_dd_node *node = avail_dd_node(dd, f);

	return node->level == level ? node->low ^ (f & 1) : f;
}

static inline uint32_t avail_bdd_high(const struct avail_dd *dd, uint32_t f, uint32_t level)
{
	const struct avail_dd_node *node = avail_dd_node(dd, f);

	return node->level == level ? node->high ^ (f & 1) : f;
}

#endif
