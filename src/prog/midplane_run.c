/* prog/midplane_run.c -- what the commands do that ask the daemon once. */
#include "prog/midplane_client.h"
#include "prog/midplane_table.h"

#include <stdlib.h>
#include <string.h>

static void print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	putchar('\n');
}

static const struct tree_property *table_of(const struct call *call)
{
	return tree_properties[tree_noun_find(call->command->noun)];
}

/* Asks for JSON below the noun, with an opened and closed client. */
static enum midplane_exit ask(const struct call *call, const char *path, const char *body,
			      json_t **json)
{
	struct client *client = NULL;
	enum midplane_exit code = client_open(call, &client);

	if (!code)
		code = client_ask_json(client, path, body, 0, json);
	client_close(client);
	return code;
}

static enum midplane_exit ask_object(const struct call *call, const char *below, const char *body,
				     json_t **json)
{
	char *path = client_path(call->command->noun, call->name, below);
	enum midplane_exit code = ask(call, path, body, json);

	free(path);
	return code;
}

enum midplane_exit midplane_list(const struct call *call)
{
	char path[64];
	json_t *list;
	enum midplane_exit code;

	snprintf(path, sizeof path, "/v1/%s", call->command->noun);
	code = ask(call, path, NULL, &list);
	if (code)
		return code;
	if (call->json)
		print_json(list);
	else if (json_array_size(list))
		table_print_list(stdout, table_of(call), list, NULL);
	else
		printf("There are no %s.\n",
		       tree_noun_plural[tree_noun_find(call->command->noun)]);
	json_decref(list);
	return MIDPLANE_OK;
}

static void print_object(const struct call *call, json_t *object)
{
	if (call->json)
		print_json(object);
	else
		table_print_object(stdout, table_of(call), object);
}

enum midplane_exit midplane_show(const struct call *call)
{
	json_t *object;
	enum midplane_exit code = ask_object(call, "", NULL, &object);

	if (code)
		return code;
	print_object(call, object);
	json_decref(object);
	return MIDPLANE_OK;
}

enum midplane_exit midplane_site_show(const struct call *call)
{
	struct call named = *call;
	enum midplane_exit code;
	json_t *list;

	if (call->name)
		return midplane_show(call);
	code = ask(call, "/v1/site", NULL, &list);
	if (code)
		return code;
	named.name = json_string_value(json_object_get(json_array_get(list, 0), "name"));
	if (named.name) {
		code = midplane_show(&named);
	} else {
		midplane_complain(call, "the daemon names no site");
		code = MIDPLANE_MISSING;
	}
	json_decref(list);
	return code;
}

/* Posts an action.  People read one sentence, programs the object as it is then. */
static enum midplane_exit act(const struct call *call, json_t *arguments, const char *sentence)
{
	char *body = json_dumps(arguments, JSON_COMPACT);
	json_t *object;
	enum midplane_exit code;

	must(body != NULL);
	json_decref(arguments);
	code = ask_object(call, call->command->verb, body, &object);
	free(body);
	if (code)
		return code;
	if (call->json)
		print_json(object);
	else
		printf("%s %s: %s\n", call->command->noun, call->name, sentence);
	json_decref(object);
	return MIDPLANE_OK;
}

enum midplane_exit midplane_card_pull(const struct call *call)
{
	return act(call, json_object(), "pulled; 'midplane event list' says what moved");
}

enum midplane_exit midplane_card_insert(const struct call *call)
{
	json_t *arguments = json_object();

	if (call->option[OPTION_SWITCH_BACK] || call->option[OPTION_NO_SWITCH_BACK])
		json_object_set_new(arguments, "switch_back",
				    json_boolean(call->option[OPTION_SWITCH_BACK] != NULL));
	return act(call, arguments, "inserted; 'midplane event list' says what moved");
}

enum midplane_exit midplane_card_hang(const struct call *call)
{
	const bool hang = !call->option[OPTION_OFF];

	return act(call, json_pack("{s:b}", "hang", hang),
		   hang ? "its line driver hangs; --off lets it go" : "its line driver goes on");
}

enum midplane_exit midplane_system_switch(const struct call *call)
{
	return act(call, json_pack("{s:s, s:s}", "io", call->option[OPTION_IO], "card",
				   call->option[OPTION_CARD]),
		   "switched; 'midplane event list' says how long it took");
}

enum midplane_exit midplane_system_force(const struct call *call)
{
	return act(call, json_pack("{s:s, s:s, s:b}", "io", call->option[OPTION_IO], "card",
				   call->option[OPTION_CARD], "give_up", call->option[OPTION_GIVE_UP] != NULL),
		   "goes on with that card; the other is brought up to date when it returns");
}

enum midplane_exit midplane_function_release(const struct call *call)
{
	return act(call, json_object(), "released; its front goes on");
}

enum midplane_exit midplane_card_fdb(const struct call *call)
{
	json_t *rows;
	enum midplane_exit code = ask_object(call, "fdb", NULL, &rows);

	if (code)
		return code;
	if (call->json)
		print_json(rows);
	else
		table_print_list(stdout, tree_fdb_columns, rows, NULL);
	json_decref(rows);
	return MIDPLANE_OK;
}

static enum midplane_exit print_text(const struct call *call, const char *text)
{
	if (call->json) {
		json_t *json = json_pack("{s:s, s:s}", "name", call->name, "text", text);

		if (!json) {
			midplane_complain(call, "the answer is not UTF-8");
			return MIDPLANE_REFUSED;
		}
		print_json(json);
		json_decref(json);
	} else {
		fputs(text, stdout);
	}
	return MIDPLANE_OK;
}

enum midplane_exit midplane_host_lspci(const struct call *call)
{
	char *path = client_path("host", call->name,
				 call->option[OPTION_DUMP] ? "lspci?dump=1" : "lspci");
	struct client *client = NULL;
	enum midplane_exit code = client_open(call, &client);
	char *text = NULL;

	if (!code)
		code = client_ask(client, path, NULL, 0, &text);
	if (!code)
		code = print_text(call, text);
	free(text);
	free(path);
	client_close(client);
	return code;
}
