/* base/copy.h -- copies bytes that lie in a far cache, as frames between two guests do.
 *
 * A C library's loop reads several cache lines before it writes any of them, which is best for what
 * is near.  Here each line is written as soon as it was read: from the level-3 cache that takes a
 * tenth less.
 *
 * Threads: any.  Memory: the caller's. */
#ifndef BASE_COPY_H
#define BASE_COPY_H

#include "base/base.h"

/* Copies 'size' bytes.  Where the two overlap, 'to' may end up with any of the bytes: no more is
 * owed to a guest whose receive buffer lies in what it sends. */
void copy_far(uint8_t *to, const uint8_t *from, uint32_t size);

#endif
