/* store/name_table.h -- from a name to a number, for readers of files.
 *
 * Threads: one.  Memory: from the struct avail_memory of name_table_init; names are the caller's
 * and stay as long as the table. */
#ifndef STORE_NAME_TABLE_H
#define STORE_NAME_TABLE_H

#include "avail/memory.h"

struct name_entry {
	const char *name; /* NULL: free */
	uint32_t value;
};

struct name_table {
	struct avail_memory *memory;
	struct name_entry *entries;
	uint32_t room, count; /* room is a power of two */
};

#define NAME_TABLE_NONE UINT32_MAX

void name_table_init(struct name_table *table, struct avail_memory *memory);
void name_table_fini(struct name_table *table);

/* The value of a name; NAME_TABLE_NONE: it has none. */
uint32_t name_table_get(const struct name_table *table, const char *name);

/* Gives a name that has none a value.  0, or -ENOMEM. */
int name_table_put(struct name_table *table, const char *name, uint32_t value);

#endif
