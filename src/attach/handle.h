/* attach/handle.h -- handles of the loop that are allocated alone, since they outlive who uses them: each is freed
 * by its own close, when the loop runs next, and its data is NULL from then on.
 *
 * Threads: the loop's. */
#ifndef ATTACH_HANDLE_H
#define ATTACH_HANDLE_H

#include <uv.h>

/* Set *handle, which is NULL where this fails: negative errno.  They are stopped at first. */
int attach_poll_open(uv_poll_t **handle, uv_loop_t *loop, int fd, void *data);
int attach_timer_open(uv_timer_t **handle, uv_loop_t *loop, void *data);
int attach_async_open(uv_async_t **handle, uv_loop_t *loop, uv_async_cb called, void *data);

/* Starts a timer that many have, for once: at the next multiple of the period.  Those of one period fire together,
 * whenever they were started, and an idle daemon wakes once for all of them. */
void attach_timer_next(uv_timer_t *timer, uv_timer_cb called, unsigned period_ms);

/* Of a handle that came from malloc().  NULL is nothing. */
void attach_handle_close(uv_handle_t *handle);

/* Stops a poll, closes it, and sets *poll to NULL. */
void attach_poll_close(uv_poll_t **poll);

#endif
