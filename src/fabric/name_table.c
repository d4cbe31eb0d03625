#include "fabric/name_table.h"

#include <string.h>

_Static_assert((SITE_NAME_TABLE_SIZE & (SITE_NAME_TABLE_SIZE - 1)) == 0, "a power of two");
_Static_assert((int)SITE_NAMES_MAX >= (int)SITE_IOS_MAX &&
		       (int)SITE_NAMES_MAX >= (int)SITE_HOSTS_MAX &&
		       (int)SITE_NAMES_MAX >= (int)SITE_GROUPS_MAX &&
		       (int)SITE_NAMES_MAX >= (int)SITE_CARRIERS_MAX,
	       "room for the names of any kind");

static unsigned hash_of(const char *name)
{
	uint32_t hash = UINT32_C(0x811c9dc5); /* FNV-1a */

	while (*name)
		hash = (hash ^ (uint8_t)*name++) * UINT32_C(0x01000193);
	return hash;
}

void site_name_table_init(struct site_name_table *table, unsigned count)
{
	unsigned size = 2;

	must(count <= SITE_NAMES_MAX);
	while (size < 2 * count)
		size *= 2;
	table->mask = size - 1;
	memset(table->names, 0, size * sizeof *table->names);
}

/* Where the name is, or where it would be. */
static unsigned slot_of(const struct site_name_table *table, const char *name)
{
	unsigned at = hash_of(name) & table->mask;

	while (table->names[at] && strcmp(table->names[at], name) != 0)
		at = (at + 1) & table->mask;
	return at;
}

unsigned site_name_table_add(struct site_name_table *table, const char *name, unsigned position)
{
	unsigned at = slot_of(table, name);

	if (table->names[at])
		return table->positions[at];
	table->names[at] = name;
	table->positions[at] = position;
	return position;
}

int site_name_table_find(const struct site_name_table *table, const char *name)
{
	unsigned at = slot_of(table, name);

	return table->names[at] ? (int)table->positions[at] : -1;
}
