#include "avail/zdd.h"

uint32_t avail_zdd_make(struct avail_dd *dd, uint32_t level, uint32_t low, uint32_t high)
{
	if (low == AVAIL_DD_NONE || high == AVAIL_DD_NONE)
		return AVAIL_DD_NONE;
	return high == AVAIL_FALSE ? low : avail_dd_make(dd, level, low, high);
}

static uint32_t low_at(const struct avail_dd *dd, uint32_t f, uint32_t level)
{
	const struct avail_dd_node *node = avail_dd_node(dd, f);

	return node->level == level ? node->low : f;
}

static uint32_t high_at(const struct avail_dd *dd, uint32_t f, uint32_t level)
{
	const struct avail_dd_node *node = avail_dd_node(dd, f);

	return node->level == level ? node->high : (uint32_t)AVAIL_FALSE;
}

/* The node of both halves, of which the low one has been pushed; remembered as the answer to f op
 * g. */
static uint32_t finish(struct avail_dd *dd, uint32_t level, uint32_t high, uint32_t f, uint32_t g,
		       enum avail_dd_op op)
{
	uint32_t result;

	avail_dd_push(dd, high);
	result = avail_zdd_make(dd, level, dd->stack[dd->stack_count - 2], high);
	avail_dd_pop(dd, 2);
	if (result != AVAIL_DD_NONE)
		avail_dd_remember(dd, f, g, (uint32_t)op, result);
	return result;
}

/* Sets that have the element of f's top contain a set of g that has it, or one that has not. */
static uint32_t without(struct avail_dd *dd, uint32_t f, uint32_t g)
{
	uint32_t level = avail_dd_level_of(dd, f), low, high, result;

	if (f == AVAIL_FALSE)
		return f;
	while (avail_dd_level_of(dd, g) < level)
		g = avail_dd_node(dd, g)->low;
	if (g == AVAIL_TRUE || f == g)
		return AVAIL_FALSE;
	if (g == AVAIL_FALSE || f == AVAIL_TRUE)
		return f;
	result = avail_dd_find(dd, f, g, (uint32_t)AVAIL_DD_WITHOUT);
	if (result != AVAIL_DD_NONE || !avail_dd_goes_on(dd))
		return result;
	low = without(dd, avail_dd_node(dd, f)->low, low_at(dd, g, level));
	if (low == AVAIL_DD_NONE)
		return low;
	avail_dd_push(dd, low);
	high = without(dd, avail_dd_node(dd, f)->high, low_at(dd, g, level));
	if (high != AVAIL_DD_NONE && avail_dd_level_of(dd, g) == level) {
		avail_dd_push(dd, high);
		high = without(dd, high, avail_dd_node(dd, g)->high);
		avail_dd_pop(dd, 1);
	}
	return finish(dd, level, high, f, g, AVAIL_DD_WITHOUT);
}

uint32_t avail_zdd_without(struct avail_dd *dd, uint32_t f, uint32_t g)
{
	return f == AVAIL_DD_NONE || g == AVAIL_DD_NONE ? AVAIL_DD_NONE : without(dd, f, g);
}

static uint32_t difference(struct avail_dd *dd, uint32_t f, uint32_t g)
{
	uint32_t level = avail_dd_level_of(dd, f), low, result;

	if (f == AVAIL_FALSE)
		return f;
	while (avail_dd_level_of(dd, g) < level)
		g = avail_dd_node(dd, g)->low;
	if (f == g)
		return AVAIL_FALSE;
	if (g == AVAIL_FALSE || f == AVAIL_TRUE)
		return f;
	result = avail_dd_find(dd, f, g, (uint32_t)AVAIL_DD_DIFFERENCE);
	if (result != AVAIL_DD_NONE || !avail_dd_goes_on(dd))
		return result;
	low = difference(dd, avail_dd_node(dd, f)->low, low_at(dd, g, level));
	if (low == AVAIL_DD_NONE)
		return low;
	avail_dd_push(dd, low);
	return finish(dd, level, difference(dd, avail_dd_node(dd, f)->high, high_at(dd, g, level)),
		      f, g, AVAIL_DD_DIFFERENCE);
}

uint32_t avail_zdd_difference(struct avail_dd *dd, uint32_t f, uint32_t g)
{
	return f == AVAIL_DD_NONE || g == AVAIL_DD_NONE ? AVAIL_DD_NONE : difference(dd, f, g);
}

static uint32_t union_of(struct avail_dd *dd, uint32_t f, uint32_t g)
{
	uint32_t level, low, result;

	if (f == g || g == AVAIL_FALSE)
		return f;
	if (f == AVAIL_FALSE)
		return g;
	if (f > g)
		return union_of(dd, g, f);
	result = avail_dd_find(dd, f, g, (uint32_t)AVAIL_DD_UNION);
	if (result != AVAIL_DD_NONE || !avail_dd_goes_on(dd))
		return result;
	level = min_u32(avail_dd_level_of(dd, f), avail_dd_level_of(dd, g));
	low = union_of(dd, low_at(dd, f, level), low_at(dd, g, level));
	if (low == AVAIL_DD_NONE)
		return low;
	avail_dd_push(dd, low);
	return finish(dd, level, union_of(dd, high_at(dd, f, level), high_at(dd, g, level)), f, g,
		      AVAIL_DD_UNION);
}

uint32_t avail_zdd_union(struct avail_dd *dd, uint32_t f, uint32_t g)
{
	return f == AVAIL_DD_NONE || g == AVAIL_DD_NONE ? AVAIL_DD_NONE : union_of(dd, f, g);
}
