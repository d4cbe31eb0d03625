/* prog/midplane_conform.c -- 'midplane conform TARGET': finds out where the function is, has it
 * judged, and prints the report as text, JSON or JUnit. */
#include "prog/conform_json.h"
#include "prog/conform_report.h"
#include "prog/conform_sysfs.h"
#include "prog/conform_vfio_user.h"
#include "prog/midplane_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Judges what 'target' reaches. */
static int judge(const struct call *call, struct conform_target *target, json_t **report,
		 struct refusal *why)
{
	struct conform_report *found = calloc(1, sizeof *found);
	int err;

	if (!found) {
		refuse(why, "", "no memory");
		return -ENOMEM;
	}
	conform_run(found, target,
		    call->option[OPTION_DESTRUCTIVE] ? CONFORM_DESTRUCTIVE : CONFORM_GENTLE);
	err = found->error;
	if (err)
		refuse(why, "", "the function cannot be reached any more: %s", strerror(-err));
	else
		*report = conform_json(found);
	free(found);
	return err;
}

static enum midplane_exit judge_sysfs(const struct call *call, json_t **report)
{
	struct conform_sysfs *sysfs = NULL;
	struct refusal why = { 0 };
	int err = conform_sysfs_open(&sysfs, call->name,
				     call->option[OPTION_DESTRUCTIVE] ? CONFORM_SYSFS_DESTRUCTIVE
								      : CONFORM_SYSFS_GENTLE,
				     &why);

	if (!err)
		err = judge(call, conform_sysfs_target(sysfs), report, &why);
	if (err)
		midplane_complain(call, "%s: %s", call->name, why.text);
	conform_sysfs_close(sysfs);
	return err || !*report ? MIDPLANE_REFUSED : MIDPLANE_OK;
}

/* A function on a vfio-user socket, whoever serves it. */
static enum midplane_exit judge_vfio_user(const struct call *call, json_t **report)
{
	struct conform_vfio_user *socket = NULL;
	struct refusal why = { 0 };
	int err = conform_vfio_user_open(&socket, call->name, &why);

	if (!err)
		err = judge(call, conform_vfio_user_target(socket), report, &why);
	if (err)
		midplane_complain(call, "%s", why.text);
	conform_vfio_user_close(socket);
	return err || !*report ? MIDPLANE_REFUSED : MIDPLANE_OK;
}

/* A card is its PF; "nic0/vf3" a virtual function. */
static enum midplane_exit judge_site(const struct call *call, json_t **report)
{
	const char *noun = strchr(call->name, '/') ? "function" : "card";
	char *path =
		client_path(noun, call->name,
			    call->option[OPTION_DESTRUCTIVE] ? "conform-destructive" : "conform");
	struct client *client = NULL;
	enum midplane_exit code = client_open(call, &client);

	if (!code)
		code = client_ask_json(client, path, NULL, 0, report);
	client_close(client);
	free(path);
	return code;
}

/* The form that continuous-integration servers read. */
static enum midplane_exit write_junit(const struct call *call, const json_t *report, double took_s)
{
	const char *path = call->option[OPTION_JUNIT];
	FILE *out = fopen(path, "we");
	bool written = false;

	if (out) {
		conform_report_junit(out, report,
				     &(struct conform_occasion){ .target = call->name,
								 .when = time(NULL),
								 .took_s = took_s });
		written = !ferror(out);
		written &= fclose(out) == 0;
	}
	if (written)
		return MIDPLANE_OK;
	midplane_complain(call, "--junit: cannot write %s: %s", path, strerror(errno));
	return MIDPLANE_REFUSED;
}

static double elapsed_s(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

enum midplane_exit midplane_conform(const struct call *call)
{
	struct timespec start;
	json_t *report = NULL;

	clock_gettime(CLOCK_MONOTONIC, &start);

	enum midplane_exit code = conform_vfio_user_is(call->name) ? judge_vfio_user(call, &report)
				  : conform_sysfs_is(call->name)   ? judge_sysfs(call, &report)
								   : judge_site(call, &report);

	if (code)
		return code;
	if (call->json) {
		json_dumpf(report, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		conform_report_text(stdout, report, call->name);
	}
	if (call->option[OPTION_JUNIT])
		code = write_junit(call, report, elapsed_s(&start));
	if (!code && json_integer_value(json_object_get(report, "failed")))
		code = MIDPLANE_REFUSED;
	json_decref(report);
	return code;
}
