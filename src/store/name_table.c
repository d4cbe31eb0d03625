#include "store/name_table.h"

#include <errno.h>
#include <string.h>

void name_table_init(struct name_table *table, struct avail_memory *memory)
{
	*table = (struct name_table){ .memory = memory };
}

void name_table_fini(struct name_table *table)
{
	avail_give(table->memory, table->entries, table->room, sizeof *table->entries);
	name_table_init(table, table->memory);
}

static uint64_t hash(const char *name)
{
	uint64_t sum = UINT64_C(0x9e3779b97f4a7c15);

	for (; *name; name++) {
		sum = (sum ^ (uint8_t)*name) * UINT64_C(0xbf58476d1ce4e5b9);
		sum ^= sum >> 29;
	}
	return sum ^ sum >> 32;
}

/* The entry with the name, or the free one where it would be. */
static struct name_entry *slot(struct name_entry *entries, uint32_t room, const char *name)
{
	uint32_t at = (uint32_t)hash(name) & (room - 1);

	while (entries[at].name && strcmp(entries[at].name, name) != 0)
		at = (at + 1) & (room - 1);
	return &entries[at];
}

uint32_t name_table_get(const struct name_table *table, const char *name)
{
	const struct name_entry *entry;

	if (table->count == 0)
		return NAME_TABLE_NONE;
	entry = slot(table->entries, table->room, name);
	return entry->name ? entry->value : NAME_TABLE_NONE;
}

/* Twice the room, so that at most half of it is taken. */
static int grow(struct name_table *table)
{
	uint32_t room = table->room ? 2 * table->room : 64;
	struct name_entry *entries;

	if (table->room > UINT32_MAX / 4)
		return -ENOMEM;
	entries = avail_take(table->memory, room, sizeof *entries);
	if (!entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < table->room; i++)
		if (table->entries[i].name)
			*slot(entries, room, table->entries[i].name) = table->entries[i];
	avail_give(table->memory, table->entries, table->room, sizeof *table->entries);
	table->entries = entries;
	table->room = room;
	return 0;
}

int name_table_put(struct name_table *table, const char *name, uint32_t value)
{
	struct name_entry *entry;

	if (2 * (table->count + 1) > table->room && grow(table) != 0)
		return -ENOMEM;
	entry = slot(table->entries, table->room, name);
	must(!entry->name);
	*entry = (struct name_entry){ name, value };
	table->count++;
	return 0;
}
