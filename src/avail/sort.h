/* avail/sort.h -- sorting by a number; always the same way.
 *
 * Threads: any.  Memory: in place. */
#ifndef AVAIL_SORT_H
#define AVAIL_SORT_H

#include "base/base.h"

struct avail_keyed {
	uint64_t key;
	uint32_t value;
};

/* Ascending by key, then by value. */
void avail_sort(struct avail_keyed *things, uint32_t count);

#endif
