#include "os/heap.h"

#include <stdlib.h>

void *heap_resize(void *context, void *old, size_t size)
{
	(void)context;
	if (size > 0)
		return realloc(old, size);
	free(old);
	return NULL;
}
