/* manage/internal.h -- between the HTTP server and what answers its requests. */
#ifndef MANAGE_INTERNAL_H
#define MANAGE_INTERNAL_H

#include "manage/http.h"

#include <jansson.h>

enum manage_method { MANAGE_GET, MANAGE_POST, MANAGE_OTHER };

struct manage_request {
	enum manage_method method;
	const char *path;  /* as sent: still percent-encoded */
	const char *after, *wait, *dump; /* of the query; NULL: not there */
	const char *body;
	size_t body_size;
	bool waited; /* nothing came in time: answer with what there is */
};

struct manage_response {
	unsigned status;
	const char *type;  /* content type */
	const char *allow; /* methods, with status 405 */
	char *body;        /* allocated; the caller frees it */
	unsigned wait_s;   /* not 0: nothing to say yet; hold the request that long */
};

/* Answers one request; never fails. */
void manage_answer(const struct manage_conf *conf, const struct manage_request *request,
		   struct manage_response *response);

/* Fills a response with an error. */
void manage_answer_error(struct manage_response *response, unsigned status,
			 const struct refusal *why);

/* Decodes percent-encoding of one path segment.  False when it is malformed, holds a zero byte, or
 * does not fit. */
bool manage_decode(const char *from, size_t size, char *to, size_t room);

/* Reads the arguments of an action from the body: nothing, or a JSON object.  -EINVAL with
 * 'why'. */
int manage_arguments(const struct manage_argument *arguments, const char *body, size_t size,
		     struct manage_value values[MANAGE_ARGUMENTS_MAX], struct refusal *why);

/* What GET /v1/ and GET /v1/schema answer; new references. */
json_t *manage_schema_root(const struct manage_conf *conf);
json_t *manage_schema(const struct manage_conf *conf);

/* What GET /metrics answers, allocated.  0, or -ENOMEM. */
int manage_metrics(const struct tree_provider *provider, char **text);

#endif
