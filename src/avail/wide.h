/* avail/wide.h -- whole numbers of 1 to AVAIL_COUNT_LIMBS words, least significant first, as many as the
 * caller knows to suffice.  At full width a sum that does not fit becomes all ones and stays so: "over".
 *
 * Threads: any.  Memory: the caller's. */
#ifndef AVAIL_WIDE_H
#define AVAIL_WIDE_H

#include "avail/count.h"

bool avail_wide_is_over(const uint64_t *number, unsigned width);

/* *sum += *more. */
void avail_wide_add(uint64_t *sum, const uint64_t *more, unsigned width);

/* *sum += *a * *b; sum is neither of them. */
void avail_wide_add_product(uint64_t *sum, const uint64_t *a, const uint64_t *b, unsigned width);

/* As a count that texts can be made of. */
struct avail_count avail_wide_count(const uint64_t *number, unsigned width);

#endif
