/* prog/midplane_table.h -- the tool's answers for people: aligned tables, and values in units that a
 * person reads.  What is shown and how comes from the tree's table.
 *
 * Threads: one.  Memory: none kept. */
#ifndef PROG_MIDPLANE_TABLE_H
#define PROG_MIDPLANE_TABLE_H

#include "tree/tree.h"

#include <jansson.h>
#include <stdio.h>

enum { TABLE_CELL_MAX = 512 }; /* bytes of one value, with its end */

/* Writes a value as a person reads it: "1.5 KiB", "10 Gbit/s", "2 h 5 min", "yes", "-". */
void table_cell(const struct tree_property *property, const json_t *value,
		char text[TABLE_CELL_MAX]);

/* Prints objects in rows under titles: what the table marks as listed, 'skip' excepted (or NULL). */
void table_print_list(FILE *out, const struct tree_property *table, const json_t *list,
		      const char *skip);

/* Prints one object, a property a line; its rows as tables below. */
void table_print_object(FILE *out, const struct tree_property *table, const json_t *object);

#endif
