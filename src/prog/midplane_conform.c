/* prog/midplane_conform.c -- 'midplane conform TARGET': finds out where the function is, has it
 * judged, and prints the report as text, JSON or JUnit. */
#include "prog/conform_json.h"
#include "prog/conform_sysfs.h"
#include "prog/conform_vfio_user.h"
#include "prog/midplane_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *word(const json_t *result, const char *key)
{
	const char *text = json_string_value(json_object_get(result, key));

	return text ? text : "";
}

static int number(const json_t *report, const char *key)
{
	return (int)json_integer_value(json_object_get(report, key));
}

static void print_text(const json_t *report)
{
	const json_t *result;
	size_t i;

	json_array_foreach(json_object_get(report, "assertions"), i, result)
	{
		const char *verdict = word(result, "verdict"), *function = word(result, "function");

		printf("%-14s  %s%s%-26s %s\n", verdict, function, *function ? " " : "",
		       word(result, "name"), word(result, "text"));
		printf("%14s  %s: %s\n", "", word(result, "section"), word(result, "seen"));
	}
	printf("%s: %d passed, %d failed, %d not applicable\n", word(report, "target"),
	       number(report, "passed"), number(report, "failed"),
	       number(report, "not_applicable"));
}

/* Text inside XML: markup and what XML cannot hold. */
static void print_xml(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("<>&\"", *text))
			fprintf(out, "&#%d;", *text);
		else if ((unsigned char)*text >= ' ')
			fputc(*text, out);
	}
}

static void print_case(FILE *out, const json_t *report, const json_t *result)
{
	const char *function = word(result, "function"), *verdict = word(result, "verdict");

	fputs("  <testcase classname=\"", out);
	print_xml(out, word(report, "target"));
	fputs(*function ? "/" : "", out);
	print_xml(out, function);
	fputs("\" name=\"", out);
	print_xml(out, word(result, "name"));
	fputs("\">", out);
	if (strcmp(verdict, "pass") != 0) {
		fputs(strcmp(verdict, "fail") == 0 ? "<failure message=\"" : "<skipped message=\"",
		      out);
		print_xml(out, word(result, "seen"));
		fputs(" (", out);
		print_xml(out, word(result, "section"));
		fputs(": ", out);
		print_xml(out, word(result, "text"));
		fputs(")\"/>", out);
	}
	fputs("</testcase>\n", out);
}

/* The form that continuous-integration servers read. */
static enum midplane_exit write_junit(const struct call *call, const json_t *report)
{
	const char *path = call->option[OPTION_JUNIT];
	const json_t *result;
	FILE *out = fopen(path, "we");
	size_t i;

	if (!out) {
		midplane_complain(call, "--junit: cannot write %s: %s", path, strerror(errno));
		return MIDPLANE_REFUSED;
	}
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuite name=\"midplane conform\" tests=\"%zu\" failures=\"%d\" "
		"skipped=\"%d\">\n",
		json_array_size(json_object_get(report, "assertions")), number(report, "failed"),
		number(report, "not_applicable"));
	json_array_foreach(json_object_get(report, "assertions"), i, result)
		print_case(out, report, result);
	fputs("</testsuite>\n", out);
	if (fclose(out) == 0)
		return MIDPLANE_OK;
	midplane_complain(call, "--junit: cannot write %s: %s", path, strerror(errno));
	return MIDPLANE_REFUSED;
}

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
		*report = conform_json(found, call->name);
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

enum midplane_exit midplane_conform(const struct call *call)
{
	json_t *report = NULL;
	enum midplane_exit code = conform_vfio_user_is(call->name) ? judge_vfio_user(call, &report)
				  : conform_sysfs_is(call->name)   ? judge_sysfs(call, &report)
								   : judge_site(call, &report);

	if (code)
		return code;
	if (call->json) {
		json_dumpf(report, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_text(report);
	}
	if (call->option[OPTION_JUNIT])
		code = write_junit(call, report);
	if (!code && number(report, "failed"))
		code = MIDPLANE_REFUSED;
	json_decref(report);
	return code;
}
