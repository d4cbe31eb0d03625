/* avail/room.h -- arrays that grow; inside avail/.
 *
 * Threads: any that own the array.  Memory: the given one. */
#ifndef AVAIL_ROOM_H
#define AVAIL_ROOM_H

#include "avail/memory.h"

#include <string.h>

/* Makes *array, whatever its type, hold 'count' things of 'size' bytes.  false: no room, and the array
 * stays as it is.  To be given back with *room. */
static inline bool avail_room(struct avail_memory *memory, void *array, uint32_t *room,
			      uint64_t count, size_t size)
{
	uint64_t next = *room ? *room : 16;
	void *now;

	if (count <= *room)
		return true;
	while (next < count)
		next *= 2;
	if (next >= UINT32_MAX)
		return false;
	memcpy(&now, array, sizeof now);
	now = avail_resize(memory, now, *room, (size_t)next, size);
	if (!now)
		return false;
	memcpy(array, &now, sizeof now);
	*room = (uint32_t)next;
	return true;
}

/* A list of indexes or references. */
struct avail_list {
	struct avail_memory *memory;
	uint32_t *items, count, room;
};

static inline bool avail_list_add(struct avail_list *list, uint32_t item)
{
	if (!avail_room(list->memory, &list->items, &list->room, (uint64_t)list->count + 1,
			sizeof *list->items))
		return false;
	list->items[list->count++] = item;
	return true;
}

static inline void avail_list_fini(struct avail_list *list)
{
	avail_give(list->memory, list->items, list->room, sizeof *list->items);
	list->items = NULL;
	list->count = list->room = 0;
}

static inline bool avail_list_has(const struct avail_list *list, uint32_t item)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->items[i] == item)
			return true;
	return false;
}

#endif
