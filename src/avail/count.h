/* avail/count.h -- exact whole numbers for counts of cut sets, which pass 2^64 easily.
 *
 * Threads: any, on values one owns.  Memory: plain values. */
#ifndef AVAIL_COUNT_H
#define AVAIL_COUNT_H

#include "base/base.h"

enum {
	AVAIL_COUNT_LIMBS = 8,    /* of 64 bits: up to 1.3e154 */
	AVAIL_COUNT_DIGITS = 158, /* decimal digits, a sign for "over", the final zero */
};

struct avail_count {
	uint64_t limb[AVAIL_COUNT_LIMBS]; /* least significant first */
	bool over;                        /* more than fits; what is above is not known */
};

/* *sum += *more. */
void avail_count_add(struct avail_count *sum, const struct avail_count *more);

/* Decimal digits; one that is over is ">" and the largest number. */
void avail_count_text(const struct avail_count *count, char text[AVAIL_COUNT_DIGITS]);

#endif
