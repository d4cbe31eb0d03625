/* manage/http.h -- the daemon's HTTP surface on a unix socket: reads the tree, runs actions, and
 * holds who waits for events.  docs/manage.md lists the paths.
 *
 * libmicrohttpd does HTTP on its epoll descriptor, which the event loop watches: no thread, nothing
 * blocks.  A client that sends nonsense, too much or too slowly is answered or dropped; when all places are taken,
 * whoever has been waited for the longest makes room for the next.
 *
 * Threads: control.  Memory: allocated; a connection has CONNECTION_SIZE bytes at most. */
#ifndef MANAGE_HTTP_H
#define MANAGE_HTTP_H

#include "base/refusal.h"
#include "tree/tree.h"

#include <uv.h>

enum {
	MANAGE_CONNECTIONS_MAX = 64,
	MANAGE_WAITERS_MAX = 32,          /* requests held for an event */
	MANAGE_CONNECTION_SIZE = 32768,   /* bytes a connection may use: request line and headers */
	MANAGE_BODY_SIZE_MAX = 16384,     /* bytes of a request's body */
	MANAGE_QUEUE_MAX = 512,           /* clients that wait to be connected */
	MANAGE_IDLE_S = 10,               /* silence after which a connection is closed */
	MANAGE_GRACE_MS = 200,            /* ... when others wait for its place */
	MANAGE_WAIT_MAX_S = 60,           /* longest wait for an event */
	MANAGE_ARGUMENTS_MAX = 4,
};

/* One argument of an action, a member of the request's JSON object: TREE_TEXT or TREE_BOOLEAN. */
enum manage_need { MANAGE_OPTIONAL, MANAGE_REQUIRED };
struct manage_argument {
	const char *name; /* NULL ends the list */
	enum tree_type type;
	enum manage_need need;
	const char *text;
};

/* What the request said for one argument. */
struct manage_value {
	bool there;
	bool boolean;
	char text[TREE_NAME_MAX];
};

/* What an operator may do: POST /v1/NOUN/NAME/VERB. */
struct manage_action {
	enum tree_noun noun;
	const char *verb;
	struct manage_argument arguments[MANAGE_ARGUMENTS_MAX + 1];
	/* 'name' exists; 'values' in the order of the arguments.  0, or -errno with 'why':
	 * -EINVAL and -ENOENT blame the request, others say that it cannot be done now. */
	int (*run)(void *owner, const char *name, const struct manage_value *values,
		   struct refusal *why);
	const char *text;
};

enum manage_detail { MANAGE_BRIEF, MANAGE_DUMP };

/* What can be read besides properties: GET /v1/NOUN/NAME/VERB.  Either rows or text. */
struct manage_report {
	enum tree_noun noun;
	const char *verb;
	const struct tree_property *columns; /* of the rows; NULL: text */
	/* Puts rows with tree_row_begin(out, "rows"). */
	int (*rows)(void *owner, const char *name, struct tree_out *out, struct refusal *why);
	/* Allocates *text, which the server frees.  MANAGE_DUMP for ?dump=1. */
	int (*text)(void *owner, const char *name, enum manage_detail detail, char **text,
		    struct refusal *why);
	const char *help;
};

struct manage_conf {
	uv_loop_t *loop;
	const char *socket_path; /* NULL: no socket; connections come by manage_http_adopt() */
	unsigned idle_s; /* 0: MANAGE_IDLE_S */
	const char *version;
	struct tree_provider provider;
	const struct manage_action *actions;
	unsigned action_count;
	const struct manage_report *reports;
	unsigned report_count;
	void *owner; /* of the actions and reports */
};

struct manage_http;

/* Begins to serve.  A stale socket is replaced (the caller holds its lock, site_lock.h); the new
 * one has mode 0660.  -errno with 'why'.  'conf' is copied, what it points to is not. */
int manage_http_create(struct manage_http **http, const struct manage_conf *conf,
		       struct refusal *why);

/* Answers those who wait for events: the newest event is in the tree now. */
void manage_http_event(struct manage_http *http);

/* Serves a connected stream socket, which is the server's from now on.  0 or -errno. */
int manage_http_adopt(struct manage_http *http, int fd);

/* Closes connections and removes the socket; NULL is nothing.  The loop has to turn once more, for
 * its handles. */
void manage_http_destroy(struct manage_http *http);

#endif
