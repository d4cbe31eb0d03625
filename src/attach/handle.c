#include "attach/handle.h"

#include <stdlib.h>

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
