#include "avail/bdd.h"

#include <errno.h>

uint32_t avail_bdd_not(uint32_t f)
{
	return f == AVAIL_DD_NONE ? f : f ^ 1;
}

uint32_t avail_bdd_make(struct avail_dd *dd, uint32_t level, uint32_t low, uint32_t high)
{
	uint32_t negated;

	if (low == AVAIL_DD_NONE || high == AVAIL_DD_NONE)
		return AVAIL_DD_NONE;
	if (low == high)
		return low;
	negated = low & 1;
	low = avail_dd_make(dd, level, low ^ negated, high ^ negated);
	return low == AVAIL_DD_NONE ? low : low ^ negated;
}

uint32_t avail_bdd_variable(struct avail_dd *dd, uint32_t level)
{
	return avail_bdd_make(dd, level, AVAIL_FALSE, AVAIL_TRUE);
}

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t old = *a;

	*a = *b;
	*b = old;
}

static uint32_t top_level(const struct avail_dd *dd, uint32_t f, uint32_t g)
{
	return min_u32(avail_dd_level_of(dd, f), avail_dd_level_of(dd, g));
}

static uint32_t and_known(uint32_t f, uint32_t g)
{
	if (f == g || g == AVAIL_TRUE)
		return f;
	if (f == AVAIL_TRUE)
		return g;
	if (f == AVAIL_FALSE || g == AVAIL_FALSE || f == (g ^ 1))
		return AVAIL_FALSE;
	return AVAIL_DD_NONE;
}

static uint32_t and_of(struct avail_dd *dd, uint32_t f, uint32_t g)
{
	uint32_t result = and_known(f, g), level, low, high;

	if (result != AVAIL_DD_NONE)
		return result;
	if (f > g)
		swap(&f, &g);
	result = avail_dd_find(dd, f, g, (uint32_t)AVAIL_DD_AND);
	if (result != AVAIL_DD_NONE || !avail_dd_goes_on(dd))
		return result;
	level = top_level(dd, f, g);
	low = and_of(dd, avail_bdd_low(dd, f, level), avail_bdd_low(dd, g, level));
	if (low == AVAIL_DD_NONE)
		return low;
	avail_dd_push(dd, low);
	high = and_of(dd, avail_bdd_high(dd, f, level), avail_bdd_high(dd, g, level));
	avail_dd_push(dd, high);
	result = avail_bdd_make(dd, level, low, high);
	avail_dd_pop(dd, 2);
	if (result != AVAIL_DD_NONE)
		avail_dd_remember(dd, f, g, (uint32_t)AVAIL_DD_AND, result);
	return result;
}

uint32_t avail_bdd_and(struct avail_dd *dd, uint32_t f, uint32_t g)
{
	return f == AVAIL_DD_NONE || g == AVAIL_DD_NONE ? AVAIL_DD_NONE : and_of(dd, f, g);
}

uint32_t avail_bdd_or(struct avail_dd *dd, uint32_t f, uint32_t g)
{
	return avail_bdd_not(avail_bdd_and(dd, avail_bdd_not(f), avail_bdd_not(g)));
}

static uint32_t xor_of(struct avail_dd *dd, uint32_t f, uint32_t g)
{
	uint32_t negated = (f ^ g) & 1, result, level, low, high;

	f &= ~UINT32_C(1);
	g &= ~UINT32_C(1);
	if (f > g)
		swap(&f, &g);
	if (f == AVAIL_FALSE)
		return g ^ negated;
	if (f == g)
		return AVAIL_FALSE ^ negated;
	result = avail_dd_find(dd, f, g, (uint32_t)AVAIL_DD_XOR);
	if (result != AVAIL_DD_NONE)
		return result ^ negated;
	if (!avail_dd_goes_on(dd))
		return AVAIL_DD_NONE;
	level = top_level(dd, f, g);
	low = xor_of(dd, avail_bdd_low(dd, f, level), avail_bdd_low(dd, g, level));
	if (low == AVAIL_DD_NONE)
		return low;
	avail_dd_push(dd, low);
	high = xor_of(dd, avail_bdd_high(dd, f, level), avail_bdd_high(dd, g, level));
	avail_dd_push(dd, high);
	result = avail_bdd_make(dd, level, low, high);
	avail_dd_pop(dd, 2);
	if (result == AVAIL_DD_NONE)
		return result;
	avail_dd_remember(dd, f, g, (uint32_t)AVAIL_DD_XOR, result);
	return result ^ negated;
}

uint32_t avail_bdd_xor(struct avail_dd *dd, uint32_t f, uint32_t g)
{
	return f == AVAIL_DD_NONE || g == AVAIL_DD_NONE ? AVAIL_DD_NONE : xor_of(dd, f, g);
}

/* What ite(f, g, h) is with fewer than three functions, or AVAIL_DD_NONE with *three set. */
static uint32_t ite_fewer(struct avail_dd *dd, uint32_t f, uint32_t g, uint32_t h, bool *three)
{
	*three = false;
	if (f == AVAIL_TRUE || g == h)
		return g;
	if (f == AVAIL_FALSE)
		return h;
	if (g == AVAIL_TRUE || g == f)
		return avail_bdd_or(dd, f, h);
	if (g == AVAIL_FALSE || g == (f ^ 1))
		return avail_bdd_and(dd, f ^ 1, h);
	if (h == AVAIL_FALSE || h == f)
		return and_of(dd, f, g);
	if (h == AVAIL_TRUE || h == (f ^ 1))
		return avail_bdd_or(dd, f ^ 1, g);
	if (g == (h ^ 1))
		return xor_of(dd, f, h);
	*three = true;
	return AVAIL_DD_NONE;
}

static uint32_t ite_of(struct avail_dd *dd, uint32_t f, uint32_t g, uint32_t h)
{
	uint32_t result, level, low, high, negated;
	bool three;

	result = ite_fewer(dd, f, g, h, &three);
	if (!three)
		return result;
	if (f & 1) {
		f ^= 1;
		swap(&g, &h);
	}
	negated = g & 1;
	g ^= negated;
	h ^= negated;
	result = avail_dd_find(dd, f, g, h);
	if (result != AVAIL_DD_NONE)
		return result ^ negated;
	if (!avail_dd_goes_on(dd))
		return AVAIL_DD_NONE;
	level = min_u32(top_level(dd, f, g), avail_dd_level_of(dd, h));
	low = ite_of(dd, avail_bdd_low(dd, f, level), avail_bdd_low(dd, g, level),
		     avail_bdd_low(dd, h, level));
	if (low == AVAIL_DD_NONE)
		return low;
	avail_dd_push(dd, low);
	high = ite_of(dd, avail_bdd_high(dd, f, level), avail_bdd_high(dd, g, level),
		      avail_bdd_high(dd, h, level));
	avail_dd_push(dd, high);
	result = avail_bdd_make(dd, level, low, high);
	avail_dd_pop(dd, 2);
	if (result == AVAIL_DD_NONE)
		return result;
	avail_dd_remember(dd, f, g, h, result);
	return result ^ negated;
}

uint32_t avail_bdd_ite(struct avail_dd *dd, uint32_t f, uint32_t g, uint32_t h)
{
	if (f == AVAIL_DD_NONE || g == AVAIL_DD_NONE || h == AVAIL_DD_NONE)
		return AVAIL_DD_NONE;
	return ite_of(dd, f, g, h);
}

/* Topmost first; where levels are equal, by reference, so that the order is always the same. */
static void sort(const struct avail_dd *dd, uint32_t *functions, uint32_t count)
{
	for (uint32_t gap = count / 2; gap > 0; gap /= 2)
		for (uint32_t i = gap; i < count; i++) {
			uint32_t f = functions[i], level = avail_dd_level_of(dd, f), j = i;

			for (; j >= gap && avail_dd_level_of(dd, functions[j - gap]) > level;
			     j -= gap)
				functions[j] = functions[j - gap];
			functions[j] = f;
		}
}

uint32_t avail_bdd_and_all(struct avail_dd *dd, uint32_t *functions, uint32_t count)
{
	uint32_t result = AVAIL_TRUE;

	sort(dd, functions, count);
	for (uint32_t i = count; i > 0; i--) {
		avail_dd_push(dd, result);
		result = avail_bdd_and(dd, functions[i - 1], result);
		avail_dd_pop(dd, 1);
	}
	return result;
}

uint32_t avail_bdd_xor_all(struct avail_dd *dd, uint32_t *functions, uint32_t count)
{
	uint32_t result = AVAIL_FALSE;

	sort(dd, functions, count);
	for (uint32_t i = count; i > 0; i--) {
		avail_dd_push(dd, result);
		result = avail_bdd_xor(dd, functions[i - 1], result);
		avail_dd_pop(dd, 1);
	}
	return result;
}

/* Row by row from the last function up: at[j] is "at least j of those from this one on". */
uint32_t avail_bdd_at_least(struct avail_dd *dd, uint32_t low, uint32_t *functions, uint32_t count)
{
	uint32_t base, result;

	if (low == 0)
		return AVAIL_TRUE;
	if (low > count)
		return AVAIL_FALSE;
	if (avail_dd_reserve(dd, low + 1)) {
		dd->stop = AVAIL_DD_NO_MEMORY;
		return AVAIL_DD_NONE;
	}
	sort(dd, functions, count);
	base = dd->stack_count;
	avail_dd_push(dd, AVAIL_TRUE);
	for (uint32_t j = 1; j <= low; j++)
		avail_dd_push(dd, AVAIL_FALSE);
	for (uint32_t i = count; i > 0; i--) {
		/* Fewer than low - (i - 1) from here on cannot become 'low' any more. */
		uint32_t least = low > i - 1 ? low - (i - 1) : 1;

		for (uint32_t j = low; j >= least; j--)
			dd->stack[base + j] = avail_bdd_ite(
				dd, functions[i - 1], dd->stack[base + j - 1], dd->stack[base + j]);
	}
	result = dd->stack[base + low];
	avail_dd_pop(dd, low + 1);
	return result;
}
