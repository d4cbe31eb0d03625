/* avail/memory.h -- memory for diagrams, models and results, taken from the caller and counted, so that
 * a budget ends a calculation with an answer and not with a killed process.
 *
 * Threads: one at a time for each.  Memory: 'resize' is the caller's (os/ has one over realloc). */
#ifndef AVAIL_MEMORY_H
#define AVAIL_MEMORY_H

#include "base/base.h"

struct avail_memory {
	/* As realloc: 'old' (NULL: none) becomes 'size' bytes; 0 frees it and returns NULL.  NULL when
	 * there is no room, and 'old' stays. */
	void *(*resize)(void *context, void *old, size_t size);
	void *context;
	size_t limit; /* bytes; 0: no limit but the machine's */
	size_t used;  /* bytes now */
	size_t peak;  /* the most that 'used' was */
};

/* Room for 'count' things of 'size' bytes, all zero; NULL when the budget or the machine has no more. */
void *avail_take(struct avail_memory *memory, size_t count, size_t size);

/* Makes room for 'count' things out of room for 'old_count'; new ones are zero.  NULL when there is no
 * room, and the old stays good. */
void *avail_resize(struct avail_memory *memory, void *old, size_t old_count, size_t count,
		   size_t size);

/* Gives back what avail_take or avail_resize returned; NULL is nothing. */
void avail_give(struct avail_memory *memory, void *old, size_t count, size_t size);

#endif
