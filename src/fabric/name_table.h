/* fabric/name_table.h -- looks names up in a list by hashing: a site of thousands of things is
 * checked, placed and modelled again and again, and must not be searched from its start for each
 * name.
 *
 * Threads: any.  Memory: the caller's; names stay where they are. */
#ifndef FABRIC_NAME_TABLE_H
#define FABRIC_NAME_TABLE_H

#include "fabric/site.h"

enum { SITE_NAMES_MAX = SITE_CARDS_MAX, SITE_NAME_TABLE_SIZE = 2 * SITE_NAMES_MAX };

/* By open addressing, in a part of the table as large as 'count' names need. */
struct site_name_table {
	unsigned mask;
	const char *names[SITE_NAME_TABLE_SIZE]; /* NULL: free */
	unsigned positions[SITE_NAME_TABLE_SIZE];
};

/* Makes it empty, with room for 'count' names, at most SITE_NAMES_MAX. */
void site_name_table_init(struct site_name_table *table, unsigned count);

/* Puts a name in at 'position'.  The position of an equal one that is there already and stays, else
 * 'position'. */
unsigned site_name_table_add(struct site_name_table *table, const char *name, unsigned position);

/* Position of a name, or -1. */
int site_name_table_find(const struct site_name_table *table, const char *name);

#endif
