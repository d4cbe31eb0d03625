/* manage/schema.c -- what can be asked: nouns, properties, actions and reports, as JSON. */
#include "manage/internal.h"
#include "manage/json.h"

#include <stdio.h>

json_t *manage_schema_root(const struct manage_conf *conf)
{
	json_t *nouns = json_array();

	must(nouns != NULL);
	for (unsigned i = 0; i < TREE_NOUN_COUNT; i++) {
		char href[32];

		snprintf(href, sizeof href, "/v1/%s", tree_noun_word[i]);
		json_array_append_new(nouns, json_pack("{s:s, s:s, s:s}", "name",
						       tree_noun_word[i], "text",
						       tree_noun_text[i], "href", href));
	}
	return json_pack("{s:s, s:s, s:o}", "version", conf->version, "schema", "/v1/schema",
			 "nouns", nouns);
}

static json_t *schema_actions(const struct manage_conf *conf, enum tree_noun noun)
{
	json_t *list = json_array();

	must(list != NULL);
	for (unsigned i = 0; i < conf->action_count; i++) {
		const struct manage_action *action = &conf->actions[i];
		json_t *arguments = json_array();

		if (action->noun != noun) {
			json_decref(arguments);
			continue;
		}
		for (const struct manage_argument *a = action->arguments; a->name; a++)
			json_array_append_new(arguments,
					      json_pack("{s:s, s:s, s:b, s:s}", "name", a->name,
							"type", tree_type_word[a->type], "required",
							a->need == MANAGE_REQUIRED, "text",
							a->text));
		json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "name", action->verb,
						      "text", action->text, "arguments",
						      arguments));
	}
	return list;
}

static json_t *schema_reports(const struct manage_conf *conf, enum tree_noun noun)
{
	json_t *list = json_array();

	must(list != NULL);
	for (unsigned i = 0; i < conf->report_count; i++) {
		const struct manage_report *report = &conf->reports[i];
		json_t *row;

		if (report->noun != noun)
			continue;
		row = json_pack("{s:s, s:s}", "name", report->verb, "text", report->help);
		if (report->columns)
			json_object_set_new(row, "columns", manage_json_columns(report->columns));
		json_array_append_new(list, row);
	}
	return list;
}

json_t *manage_schema(const struct manage_conf *conf)
{
	json_t *schema = json_object();

	must(schema != NULL);
	for (unsigned i = 0; i < TREE_NOUN_COUNT; i++) {
		json_t *noun = manage_json_schema((enum tree_noun)i);

		json_object_set_new(noun, "actions", schema_actions(conf, (enum tree_noun)i));
		json_object_set_new(noun, "reports", schema_reports(conf, (enum tree_noun)i));
		json_object_set_new(schema, tree_noun_word[i], noun);
	}
	return schema;
}
