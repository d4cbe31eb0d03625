/* prog/midplane_check.c -- site check: reads a site file here, asks no daemon. */
#include "prog/midplane.h"
#include "store/site_file.h"

struct findings {
	const struct call *call;
	json_t *list;
};

static void on_finding(void *arg, const struct site_finding *finding)
{
	struct findings *findings = arg;

	if (findings->call->json)
		json_array_append_new(findings->list,
				      json_pack("{s:s, s:i, s:s, s:s, s:b}", "file", finding->file,
						"line", (int)finding->line, "path",
						finding->what->path, "text", finding->what->text,
						"warning", finding->warning));
	else
		site_file_print(stderr, finding);
}

enum midplane_exit midplane_site_check(const struct call *call)
{
	struct findings findings = { call, json_array() };
	int err = site_check_file(call->name, on_finding, &findings);

	if (call->json) {
		json_dumpf(findings.list, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (!err) {
		printf("%s: a good site file\n", call->name);
	}
	json_decref(findings.list);
	return err ? MIDPLANE_REFUSED : MIDPLANE_OK;
}
