#include "avail/memory.h"

#include <string.h>

void *avail_resize(struct avail_memory *memory, void *old, size_t old_count, size_t count,
		   size_t size)
{
	size_t before = old_count * size, after = count * size;
	uint8_t *now;

	must(size > 0 && count > 0);
	if (count > SIZE_MAX / size)
		return NULL;
	if (memory->limit && after > before && after - before > memory->limit - memory->used)
		return NULL;
	now = memory->resize(memory->context, old, after);
	if (!now)
		return NULL;
	if (after > before)
		memset(now + before, 0, after - before);
	memory->used += after - before; /* wraps back when it shrinks */
	if (memory->used > memory->peak)
		memory->peak = memory->used;
	return now;
}

void *avail_take(struct avail_memory *memory, size_t count, size_t size)
{
	return avail_resize(memory, NULL, 0, count, size);
}

void avail_give(struct avail_memory *memory, void *old, size_t count, size_t size)
{
	if (!old)
		return;
	must(memory->used >= count * size);
	memory->used -= count * size;
	memory->resize(memory->context, old, 0);
}
