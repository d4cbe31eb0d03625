/* manage/json.h -- the JSON view of the tree: objects, lists, schema, errors.
 *
 * Every property of the table is in every object, in the order of the table; null when it has no
 * value.  A list carries the properties that the table marks as listed.
 *
 * Threads: control.  Memory: results are new references of the caller (jansson). */
#ifndef MANAGE_JSON_H
#define MANAGE_JSON_H

#include "base/refusal.h"
#include "tree/tree.h"

#include <jansson.h>

/* One object.  'least' TREE_LISTED leaves out what lists do not show. */
json_t *manage_json_object(const struct tree_provider *provider, enum tree_noun noun,
			   unsigned index, enum tree_place least);
json_t *manage_json_list(const struct tree_provider *provider, enum tree_noun noun);

/* The rows that 'fill' puts with tree_row_begin(out, "rows"), as an array. */
typedef int manage_fill_fn(void *arg, struct tree_out *out);
int manage_json_rows(const struct tree_property *columns, manage_fill_fn *fill, void *arg,
		     json_t **rows);

/* {"text", "properties": [{"name", "type", "unit", "access", "listed", "text", "columns"}]} */
json_t *manage_json_schema(enum tree_noun noun);
json_t *manage_json_columns(const struct tree_property *table);

/* {"error": {"code", "path", "text"}} */
json_t *manage_json_error(const char *code, const struct refusal *why);

#endif
