/* os/heap.h -- the process's heap in the form that pure parts ask for memory in (avail/memory.h).
 *
 * What it is not: it counts nothing; who asks does.
 *
 * Threads: any.  Memory: as realloc. */
#ifndef OS_HEAP_H
#define OS_HEAP_H

#include <stddef.h>

/* 'old' (NULL: none) becomes 'size' bytes; 0 frees it and returns NULL.  NULL when there is no
 * room, and 'old' stays.  context   not used */
void *heap_resize(void *context, void *old, size_t size);

/* For a struct avail_memory without a limit: { HEAP_MEMORY }, and with one { HEAP_MEMORY, .limit =
 * ... }. */
#define HEAP_MEMORY .resize = heap_resize

#endif
