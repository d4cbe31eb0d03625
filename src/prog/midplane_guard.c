/* prog/midplane_guard.c -- what the commands ask the daemon about its remapping units: iommu dump without an
 * image, and the end of a quarantine. */
#include "prog/midplane_client.h"
#include "prog/midplane_table.h"

#include <stdlib.h>
#include <string.h>

/* Adds the mappings of one system to 'rows'. */
static enum midplane_exit add_mappings(struct client *client, const char *system, json_t *rows)
{
	char *path = client_path("system", system, "mappings");
	enum midplane_exit code;
	json_t *more;

	code = client_ask_json(client, path, NULL, 0, &more);
	free(path);
	if (code)
		return code;
	json_array_extend(rows, more);
	json_decref(more);
	return MIDPLANE_OK;
}

static enum midplane_exit add_all(struct client *client, json_t *rows)
{
	json_t *systems, *system;
	enum midplane_exit code = client_ask_json(client, "/v1/system", NULL, 0, &systems);
	size_t i;

	if (code)
		return code;
	json_array_foreach(systems, i, system) {
		const char *name = json_string_value(json_object_get(system, "name"));

		if (!code && name)
			code = add_mappings(client, name, rows);
	}
	json_decref(systems);
	return code;
}

/* What a list leaves out, in a line each below it. */
static void print_rest(const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		json_int_t more = json_integer_value(json_object_get(row, "more"));

		if (more)
			printf("%s/%s is granted %" JSON_INTEGER_FORMAT " ranges more.\n",
			       json_string_value(json_object_get(row, "system")),
			       json_string_value(json_object_get(row, "io")), more);
	}
}

static void print_mappings(const struct call *call, const json_t *rows)
{
	if (call->json) {
		json_dumpf(rows, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (json_array_size(rows)) {
		table_print_list(stdout, tree_mapping_columns, rows, NULL);
		print_rest(rows);
	} else {
		puts("There is no domain: no interface reaches memory.");
	}
}

static enum midplane_exit dump_running(const struct call *call)
{
	struct client *client = NULL;
	enum midplane_exit code = client_open(call, &client);
	json_t *rows = json_array();

	must(rows != NULL);
	if (!code)
		code = call->name ? add_mappings(client, call->name, rows) : add_all(client, rows);
	if (!code)
		print_mappings(call, rows);
	json_decref(rows);
	client_close(client);
	return code;
}

enum midplane_exit midplane_iommu_dump_any(const struct call *call)
{
	bool memory = call->option[OPTION_MEMORY], registers = call->option[OPTION_REGISTERS];

	if (memory != registers) {
		midplane_complain(call, "wants --%s", memory ? "registers" : "memory");
		return MIDPLANE_USAGE;
	}
	if (memory && call->name) {
		midplane_complain(call, "'%s' is one word too many: an image has no systems",
				  call->name);
		return MIDPLANE_USAGE;
	}
	if (memory)
		return midplane_iommu_dump(call);
	if (call->option[OPTION_QUIRKS] || call->option[OPTION_HOST_WIDTH]) {
		midplane_complain(call, "--%s is about a memory image: it wants --memory",
				  call->option[OPTION_QUIRKS] ? "quirks" : "host-width");
		return MIDPLANE_USAGE;
	}
	return dump_running(call);
}
