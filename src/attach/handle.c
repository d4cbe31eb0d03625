#include "attach/handle.h"

#include "base/base.h"

#include <errno.h>
#include <stdlib.h>

int attach_poll_open(uv_poll_t **handle, uv_loop_t *loop, int fd, void *data)
{
	uv_poll_t *poll = calloc(1, sizeof *poll);
	int err = poll ? uv_poll_init(loop, poll, fd) : -ENOMEM;

	if (err) {
		free(poll);
		poll = NULL;
	} else {
		poll->data = data;
	}
	*handle = poll;
	return err;
}

int attach_timer_open(uv_timer_t **handle, uv_loop_t *loop, void *data)
{
	uv_timer_t *timer = calloc(1, sizeof *timer);

	*handle = timer;
	if (!timer)
		return -ENOMEM;
	must(uv_timer_init(loop, timer) == 0);
	timer->data = data;
	return 0;
}

int attach_async_open(uv_async_t **handle, uv_loop_t *loop, uv_async_cb called, void *data)
{
	uv_async_t *async = calloc(1, sizeof *async);
	int err = async ? uv_async_init(loop, async, called) : -ENOMEM;

	if (err) {
		free(async);
		async = NULL;
	} else {
		async->data = data;
	}
	*handle = async;
	return err;
}

void attach_timer_next(uv_timer_t *timer, uv_timer_cb called, unsigned period_ms)
{
	must(uv_timer_start(timer, called, period_ms - uv_now(timer->loop) % period_ms, 0) == 0);
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

void attach_handle_close(uv_handle_t *handle)
{
	if (!handle)
		return;
	handle->data = NULL;
	uv_close(handle, free_handle);
}

void attach_poll_close(uv_poll_t **poll)
{
	if (*poll)
		uv_poll_stop(*poll);
	attach_handle_close((uv_handle_t *)*poll);
	*poll = NULL;
}
