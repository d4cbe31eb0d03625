#include "manage/json.h"

struct json_view {
	struct tree_out out;
	json_t *object; /* being described */
	json_t *row;    /* inside a row; NULL when the rows are left out */
};

static struct json_view *view_of(struct tree_out *out)
{
	return container_of(out, struct json_view, out);
}

static bool wanted(const struct json_view *view, const struct tree_property *property)
{
	return property->place >= view->out.least;
}

/* Text from outside may hold bytes that are not UTF-8; they come out as '?'. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);
	char clean[512];
	size_t n = 0;

	if (json)
		return json;
	for (; text[n] && n < sizeof clean - 1; n++)
		clean[n] = (unsigned char)text[n] < 0x80 ? text[n] : '?';
	clean[n] = 0;
	return json_string(clean);
}

static json_t *value_json(const struct tree_value *value)
{
	switch (value->type) {
	case TREE_TEXT:
		return text_json(value->text);
	case TREE_INTEGER:
		return json_integer((json_int_t)min_u64(value->integer, INT64_MAX));
	case TREE_NUMBER:
		return json_real(value->number);
	default:
		must(value->type == TREE_BOOLEAN);
		return json_boolean(value->boolean);
	}
}

static void on_put(struct tree_out *out, const struct tree_property *property,
		   const struct tree_value *value)
{
	struct json_view *view = view_of(out);
	json_t *object = out->rows ? view->row : view->object, *json;

	if (!object || (!out->rows && !wanted(view, property)))
		return;
	json = value_json(value);
	must(json != NULL);
	if (property->type == TREE_LIST)
		must(json_array_append_new(json_object_get(object, property->name), json) == 0);
	else
		must(json_object_set_new(object, property->name, json) == 0);
}

static void lay(json_t *object, const struct tree_property *table, enum tree_place least)
{
	for (const struct tree_property *p = table; p->name; p++)
		if (p->place >= least)
			must(json_object_set_new(object, p->name, json_null()) == 0);
}

static void on_row_begin(struct tree_out *out, const struct tree_property *rows)
{
	struct json_view *view = view_of(out);

	if (!wanted(view, rows))
		return;
	view->row = json_object();
	must(view->row != NULL);
	lay(view->row, rows->columns, TREE_SHOWN);
}

static void on_row_end(struct tree_out *out, const struct tree_property *rows)
{
	struct json_view *view = view_of(out);

	if (view->row)
		must(json_array_append_new(json_object_get(view->object, rows->name),
					   view->row) == 0);
	view->row = NULL;
}

static void on_empty(struct tree_out *out, const struct tree_property *property)
{
	struct json_view *view = view_of(out);
	json_t *object = out->rows ? view->row : view->object;

	if (object && (out->rows || wanted(view, property)))
		must(json_object_set_new(object, property->name, json_array()) == 0);
}

static const struct tree_out_ops json_ops = {
	.put = on_put,
	.row_begin = on_row_begin,
	.row_end = on_row_end,
	.empty = on_empty,
};

json_t *manage_json_object(const struct tree_provider *provider, enum tree_noun noun,
			   unsigned index, enum tree_place least)
{
	struct json_view view = { .out = { .ops = &json_ops, .least = least },
				  .object = json_object() };

	must(view.object != NULL);
	lay(view.object, tree_properties[noun], least);
	tree_describe(provider, noun, index, &view.out);
	return view.object;
}

json_t *manage_json_list(const struct tree_provider *provider, enum tree_noun noun)
{
	unsigned count = provider->ops->count(provider->owner, noun);
	json_t *list = json_array();

	must(list != NULL);
	for (unsigned i = 0; i < count; i++)
		must(json_array_append_new(list, manage_json_object(provider, noun, i,
								    TREE_LISTED)) == 0);
	return list;
}

int manage_json_rows(const struct tree_property *columns, manage_fill_fn *fill, void *arg,
		     json_t **rows)
{
	const struct tree_property table[] = {
		{ "rows", TREE_ROWS, TREE_UNIT_PLAIN, TREE_READ, TREE_SHOWN, "rows", columns },
		{ .name = NULL },
	};
	struct json_view view = { .out = { .ops = &json_ops, .table = table },
				  .object = json_object() };
	int err;

	must(view.object != NULL);
	tree_put_rows(&view.out, "rows");
	err = fill(arg, &view.out);
	if (!err)
		*rows = json_incref(json_object_get(view.object, "rows"));
	json_decref(view.object);
	return err;
}

json_t *manage_json_columns(const struct tree_property *table)
{
	json_t *list = json_array();

	must(list != NULL);
	for (const struct tree_property *p = table; p->name; p++) {
		json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:b, s:s}", "name", p->name, "type",
					tree_type_word[p->type], "unit", tree_unit_word[p->unit],
					"access", tree_access_word[p->access], "listed",
					p->place == TREE_LISTED, "text", p->text);

		must(row != NULL);
		if (p->columns)
			must(json_object_set_new(row, "columns",
						 manage_json_columns(p->columns)) == 0);
		must(json_array_append_new(list, row) == 0);
	}
	return list;
}

json_t *manage_json_schema(enum tree_noun noun)
{
	return json_pack("{s:s, s:o}", "text", tree_noun_text[noun], "properties",
			 manage_json_columns(tree_properties[noun]));
}

json_t *manage_json_error(const char *code, const struct refusal *why)
{
	return json_pack("{s:{s:s, s:o, s:o}}", "error", "code", code, "path",
			 text_json(why->path), "text", text_json(why->text));
}
