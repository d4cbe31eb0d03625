/* manage/answer.c -- what each path answers.  Knows nothing of connections. */
#include "manage/internal.h"
#include "manage/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENTS_MAX = 4, PATH_SIZE_MAX = 1024 };

struct path {
	unsigned count;
	char segment[SEGMENTS_MAX][TREE_NAME_MAX];
};

static const struct {
	unsigned status;
	const char *code;
} codes[] = {
	{ 400, "bad-request" }, { 404, "not-found" }, { 405, "not-allowed" },
	{ 409, "refused" },     { 413, "too-large" }, { 503, "busy" },
};

static void answer_json(struct manage_response *response, unsigned status, json_t *json)
{
	must(json != NULL);
	response->status = status;
	response->type = "application/json";
	response->body = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9));
	must(response->body != NULL);
	json_decref(json);
}

void manage_answer_error(struct manage_response *response, unsigned status,
			 const struct refusal *why)
{
	const char *code = "error";

	for (unsigned i = 0; i < array_len(codes); i++)
		if (codes[i].status == status)
			code = codes[i].code;
	answer_json(response, status, manage_json_error(code, why));
}

static void answer_refusal(struct manage_response *response, int err, const struct refusal *why)
{
	manage_answer_error(response, err == -EINVAL ? 400 : err == -ENOENT ? 404 : 409, why);
}

static void answer_method(struct manage_response *response, const char *allow)
{
	struct refusal why;

	refuse(&why, "", "this path answers to %s only", allow);
	manage_answer_error(response, 405, &why);
	response->allow = allow;
}

/* Takes "/v1/a/b/c" apart behind "/v1".  One slash at the end is allowed. */
static bool split_path(const char *text, struct path *path)
{
	path->count = 0;
	if (strlen(text) > PATH_SIZE_MAX)
		return false;
	while (*text == '/' && text[1]) {
		size_t size = strcspn(++text, "/");

		if (size == 0 || path->count == SEGMENTS_MAX ||
		    !manage_decode(text, size, path->segment[path->count], TREE_NAME_MAX))
			return false;
		path->count++;
		text += size;
	}
	return *text == 0 || *text == '/';
}

static const struct manage_action *find_action(const struct manage_conf *conf, enum tree_noun noun,
					       const char *verb)
{
	for (unsigned i = 0; i < conf->action_count; i++)
		if (conf->actions[i].noun == noun && strcmp(conf->actions[i].verb, verb) == 0)
			return &conf->actions[i];
	return NULL;
}

static const struct manage_report *find_report(const struct manage_conf *conf, enum tree_noun noun,
					       const char *verb)
{
	for (unsigned i = 0; i < conf->report_count; i++)
		if (conf->reports[i].noun == noun && strcmp(conf->reports[i].verb, verb) == 0)
			return &conf->reports[i];
	return NULL;
}

static bool read_number(const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno == 0 && *end == 0 && *value <= max;
}

/* Events with a number above 'after', oldest first.  Names of events are their numbers. */
static json_t *events_after(const struct tree_provider *provider, uint64_t after)
{
	unsigned count = provider->ops->count(provider->owner, TREE_EVENT), first = count;
	json_t *list = json_array();
	char name[TREE_NAME_MAX];

	must(list != NULL);
	for (; first; first--) {
		provider->ops->name(provider->owner, TREE_EVENT, first - 1, name);
		if (strtoull(name, NULL, 10) <= after)
			break;
	}
	for (; first < count; first++)
		json_array_append_new(list, manage_json_object(provider, TREE_EVENT, first,
							       TREE_LISTED));
	return list;
}

static void answer_events(const struct manage_conf *conf, const struct manage_request *request,
			  struct manage_response *response)
{
	uint64_t after = 0, wait_s = 0;
	struct refusal why;
	json_t *events;

	if (request->after && !read_number(request->after, INT64_MAX, &after)) {
		refuse(&why, "after", "'after' must be the number of an event");
		manage_answer_error(response, 400, &why);
		return;
	}
	if (request->wait && !read_number(request->wait, MANAGE_WAIT_MAX_S, &wait_s)) {
		refuse(&why, "wait", "'wait' must be seconds from 0 to %d", MANAGE_WAIT_MAX_S);
		manage_answer_error(response, 400, &why);
		return;
	}
	events = events_after(&conf->provider, after);
	if (json_array_size(events) == 0 && wait_s && !request->waited) {
		json_decref(events);
		response->wait_s = (unsigned)wait_s;
		return;
	}
	answer_json(response, 200, events);
}

static void run_action(const struct manage_conf *conf, const struct manage_action *action,
		       const struct manage_request *request, unsigned index, const char *name,
		       struct manage_response *response)
{
	struct manage_value values[MANAGE_ARGUMENTS_MAX];
	struct refusal why = { "", "refused" };
	int err = manage_arguments(action->arguments, request->body, request->body_size, values,
				   &why);

	if (!err)
		err = action->run(conf->owner, name, values, &why);
	if (err)
		answer_refusal(response, err, &why);
	else
		answer_json(response, 200, manage_json_object(&conf->provider, action->noun, index,
							      TREE_SHOWN));
}

struct rows_call {
	const struct manage_conf *conf;
	const struct manage_report *report;
	const char *name;
	struct refusal *why;
};

static int fill_rows(void *arg, struct tree_out *out)
{
	struct rows_call *call = arg;

	return call->report->rows(call->conf->owner, call->name, out, call->why);
}

static void run_report(const struct manage_conf *conf, const struct manage_report *report,
		       const struct manage_request *request, const char *name,
		       struct manage_response *response)
{
	struct refusal why = { "", "refused" };
	struct rows_call call = { conf, report, name, &why };
	bool dump = request->dump && strcmp(request->dump, "0") != 0;
	json_t *rows;
	int err;

	if (report->columns) {
		err = manage_json_rows(report->columns, fill_rows, &call, &rows);
		if (!err)
			answer_json(response, 200, rows);
	} else {
		err = report->text(conf->owner, name, dump ? MANAGE_DUMP : MANAGE_BRIEF,
				   &response->body, &why);
		response->status = 200;
		response->type = "text/plain; charset=utf-8";
	}
	if (err)
		answer_refusal(response, err, &why);
}

static void answer_verb(const struct manage_conf *conf, const struct manage_request *request,
			enum tree_noun noun, unsigned index, const struct path *path,
			struct manage_response *response)
{
	const char *name = path->segment[2], *verb = path->segment[3];
	const struct manage_action *action = find_action(conf, noun, verb);
	const struct manage_report *report = find_report(conf, noun, verb);
	struct refusal why;

	if (action && request->method == MANAGE_POST) {
		run_action(conf, action, request, index, name, response);
	} else if (report && request->method == MANAGE_GET) {
		run_report(conf, report, request, name, response);
	} else if (action || report) {
		answer_method(response, action ? "POST" : "GET");
	} else {
		refuse(&why, "", "a %s has no '%s'; /v1/schema lists what it has",
		       tree_noun_word[noun], verb);
		manage_answer_error(response, 404, &why);
	}
}

static void answer_noun(const struct manage_conf *conf, const struct manage_request *request,
			enum tree_noun noun, const struct path *path,
			struct manage_response *response)
{
	struct refusal why = { "", "" };
	int index = -1;

	if (path->count > 2) {
		index = tree_object_find(&conf->provider, noun, path->segment[2]);
		if (index < 0) {
			tree_say_missing(&conf->provider, noun, path->segment[2], why.text,
					 sizeof why.text);
			manage_answer_error(response, 404, &why);
			return;
		}
	}
	if (path->count > 3)
		answer_verb(conf, request, noun, (unsigned)index, path, response);
	else if (request->method != MANAGE_GET)
		answer_method(response, "GET");
	else if (index >= 0)
		answer_json(response, 200, manage_json_object(&conf->provider, noun,
							      (unsigned)index, TREE_SHOWN));
	else if (noun == TREE_EVENT)
		answer_events(conf, request, response);
	else
		answer_json(response, 200, manage_json_list(&conf->provider, noun));
}

static void answer_metrics(const struct manage_conf *conf, const struct manage_request *request,
			   struct manage_response *response)
{
	struct refusal why;

	if (request->method != MANAGE_GET) {
		answer_method(response, "GET");
		return;
	}
	if (manage_metrics(&conf->provider, &response->body) != 0) {
		refuse(&why, "", "no memory for the metrics");
		manage_answer_error(response, 503, &why);
		return;
	}
	response->status = 200;
	response->type = "text/plain; version=0.0.4; charset=utf-8";
}

void manage_answer(const struct manage_conf *conf, const struct manage_request *request,
		   struct manage_response *response)
{
	struct path path;
	struct refusal why;
	enum tree_noun noun = TREE_NOUN_COUNT;
	bool schema = false;

	memset(response, 0, sizeof *response);
	if (!split_path(request->path, &path)) {
		refuse(&why, "", "the path is malformed");
		manage_answer_error(response, 400, &why);
		return;
	}
	if (path.count > 1) {
		noun = tree_noun_find(path.segment[1]);
		schema = path.count == 2 && strcmp(path.segment[1], "schema") == 0;
	}
	if (path.count == 1 && strcmp(path.segment[0], "metrics") == 0) {
		answer_metrics(conf, request, response);
	} else if (path.count == 0 || strcmp(path.segment[0], "v1") != 0 ||
	    (path.count > 1 && noun == TREE_NOUN_COUNT && !schema)) {
		refuse(&why, "", "there is no such path; /v1/ lists what there is");
		manage_answer_error(response, 404, &why);
	} else if (noun != TREE_NOUN_COUNT) {
		answer_noun(conf, request, noun, &path, response);
	} else if (request->method != MANAGE_GET) {
		answer_method(response, "GET");
	} else if (schema) {
		answer_json(response, 200, manage_schema(conf));
	} else {
		answer_json(response, 200, manage_schema_root(conf));
	}
}
