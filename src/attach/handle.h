/* attach/handle.h -- the end of a handle of the loop that was allocated alone: it is freed by its own
 * close, when the loop runs next, and its data is NULL from now on.
 *
 * Threads: the loop's.  Memory: the handle's, which must have come from malloc(). */
#ifndef ATTACH_HANDLE_H
#define ATTACH_HANDLE_H

#include <uv.h>

/* NULL is nothing. */
void attach_handle_close(uv_handle_t *handle);

/* Stops a poll, closes it, and sets *poll to NULL. */
void attach_poll_close(uv_poll_t **poll);

#endif
