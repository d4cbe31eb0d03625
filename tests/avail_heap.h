/* tests/avail_heap.h -- memory for tests of availability: the heap, with a count of what is out and a
 * step that can be made to fail. */
#ifndef TESTS_AVAIL_HEAP_H
#define TESTS_AVAIL_HEAP_H

#include "avail/memory.h"

#include <stdlib.h>

struct test_heap {
	struct avail_memory memory;
	uint64_t asked;   /* requests so far */
	uint64_t fail_at; /* the request that is refused, from 1; 0: none */
};

static inline void *test_heap_resize(void *context, void *old, size_t size)
{
	struct test_heap *heap = context;

	if (size == 0) {
		free(old);
		return NULL;
	}
	if (++heap->asked == heap->fail_at)
		return NULL;
	return realloc(old, size);
}

static inline void test_heap_init(struct test_heap *heap)
{
	*heap = (struct test_heap){ .memory = { .resize = test_heap_resize, .context = heap } };
}

#endif
