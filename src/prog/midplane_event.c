/* prog/midplane_event.c -- event list: what happened, and, with --follow, what happens. */
#include "prog/midplane_client.h"
#include "prog/midplane_table.h"

#include <errno.h>
#include <stdlib.h>

enum { FOLLOW_WAIT_S = 30 };

/* One line as it happens: nothing to align with is there yet. */
static void print_line(const json_t *event)
{
	const struct tree_property *table = tree_properties[TREE_EVENT];
	const char *from = json_string_value(json_object_get(event, "from"));
	const char *to = json_string_value(json_object_get(event, "to"));
	const json_t *away = json_object_get(event, "away_us");
	char text[TABLE_CELL_MAX];

	for (const struct tree_property *p = table; p->name; p++) {
		if (p == tree_find(table, "name") || p == tree_find(table, "from") ||
		    p == tree_find(table, "to") || p == tree_find(table, "away_us"))
			continue;
		table_cell(p, json_object_get(event, p->name), text);
		printf("%s%s", p == tree_find(table, "id") ? "" : "  ", text);
	}
	if ((from && from[0]) || (to && to[0]))
		printf("  (%s -> %s)", from && from[0] ? from : "-", to && to[0] ? to : "-");
	if (json_is_number(away)) {
		table_cell(tree_find(table, "away_us"), away, text);
		printf("  away %s", text);
	}
	putchar('\n');
}

static uint64_t last_id(const json_t *events, uint64_t before)
{
	const json_t *last = json_array_get(events, json_array_size(events) - 1);
	json_int_t id = json_integer_value(json_object_get(last, "id"));

	return json_array_size(events) && id > 0 ? (uint64_t)id : before;
}

static void print_each(const struct call *call, const json_t *events)
{
	const json_t *event;
	size_t i;

	json_array_foreach(events, i, event) {
		if (call->json) {
			json_dumpf(event, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
			putchar('\n');
		} else {
			print_line(event);
		}
	}
	fflush(stdout);
}

static void print_all(const struct call *call, const json_t *events)
{
	if (call->json) {
		json_dumpf(events, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
		putchar('\n');
	} else if (json_array_size(events)) {
		table_print_list(stdout, tree_properties[TREE_EVENT], events, "name");
	} else {
		puts("There are no events.");
	}
}

/* A line an event, as they come, until somebody interrupts or the daemon leaves. */
static enum midplane_exit follow(const struct call *call, struct client *client, uint64_t after)
{
	unsigned wait_s = 0;

	while (!ferror(stdout)) {
		char path[96];
		json_t *events;
		enum midplane_exit code;

		snprintf(path, sizeof path, "/v1/event?after=%llu&wait=%u",
			 (unsigned long long)after, wait_s);
		code = client_ask_json(client, path, NULL, wait_s, &events);
		if (code)
			return code;
		print_each(call, events);
		after = last_id(events, after);
		wait_s = FOLLOW_WAIT_S;
		json_decref(events);
	}
	return MIDPLANE_REFUSED;
}

static enum midplane_exit list(const struct call *call, struct client *client, uint64_t after)
{
	char path[64];
	json_t *events;
	enum midplane_exit code;

	snprintf(path, sizeof path, "/v1/event?after=%llu", (unsigned long long)after);
	code = client_ask_json(client, path, NULL, 0, &events);
	if (code)
		return code;
	print_all(call, events);
	json_decref(events);
	return MIDPLANE_OK;
}

enum midplane_exit midplane_event_list(const struct call *call)
{
	const char *text = call->option[OPTION_AFTER];
	struct client *client = NULL;
	enum midplane_exit code;
	uint64_t after = 0;

	if (text) {
		char *end;

		errno = 0;
		after = strtoull(text, &end, 10);
		if (errno || *end || text[0] < '0' || text[0] > '9' || after > INT64_MAX) {
			midplane_complain(call, "--after: '%s' is not the number of an event",
					  text);
			return MIDPLANE_USAGE;
		}
	}
	code = client_open(call, &client);
	if (!code)
		code = call->option[OPTION_FOLLOW] ? follow(call, client, after)
						   : list(call, client, after);
	client_close(client);
	return code;
}
