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

/* Which cards were chosen for groups that name a pool, and why. */
static void print_choices(const struct site *site)
{
	for (unsigned g = 0; g < site->groups_count; g++)
		if (site->groups[g].chosen)
			printf("group %s: %s\n", site->groups[g].name, site->groups[g].chosen);
}

enum midplane_exit midplane_site_check(const struct call *call)
{
	struct findings findings = { call, json_array() };
	struct site *site;
	int err = site_file_load(call->name, &site, on_finding, &findings);

	if (call->json) {
		json_dumpf(findings.list, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (!err) {
		printf("%s: a good site file\n", call->name);
		print_choices(site);
	}
	site_file_free(site);
	json_decref(findings.list);
	return err ? MIDPLANE_REFUSED : MIDPLANE_OK;
}
