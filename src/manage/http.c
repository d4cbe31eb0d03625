#include "manage/clients.h"
#include "manage/http.h"
#include "manage/internal.h"

#include "os/clock.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* One request on its way. */
struct exchange {
	struct MHD_Connection *connection;
	struct client *client;
	char *body;
	size_t body_size;
	bool too_large;
	uint64_t deadline_ns;   /* of a wait; 0: none was begun */
	bool held;              /* the connection is suspended */
	struct exchange *next;  /* of those held */
};

struct manage_http {
	struct manage_conf conf;
	char socket_path[sizeof((struct sockaddr_un){ 0 }.sun_path)];
	struct MHD_Daemon *daemon;
	uv_poll_t poll;    /* the daemon's epoll descriptor */
	uv_timer_t timer;  /* its next time-out, or that of a wait */
	int listener;      /* -1: none */
	uv_poll_t door;    /* the listener */
	uint64_t door_ns;  /* when it is looked at again; 0: whenever somebody comes */
	unsigned open_handles;
	struct clients clients;
	struct exchange *held;
	unsigned held_count;
	bool stopping;
};

static void hold(struct manage_http *http, struct exchange *exchange)
{
	exchange->held = exchange->client->held = true;
	exchange->next = http->held;
	http->held = exchange;
	http->held_count++;
	MHD_suspend_connection(exchange->connection);
}

static void forget(struct manage_http *http, struct exchange *exchange)
{
	struct exchange **at = &http->held;

	while (*at != exchange)
		at = &(*at)->next;
	*at = exchange->next;
	exchange->held = exchange->client->held = false;
	exchange->client->since_ns = clock_now_ns();
	http->held_count--;
}

/* Lets requests go on whose deadline is at or before 'until_ns': they are answered again. */
static void let_go(struct manage_http *http, uint64_t until_ns)
{
	struct exchange *next;

	for (struct exchange *e = http->held; e; e = next) {
		next = e->next;
		if (e->deadline_ns > until_ns)
			continue;
		forget(http, e);
		MHD_resume_connection(e->connection);
	}
}

static uint64_t next_deadline_ns(const struct manage_http *http)
{
	uint64_t first = UINT64_MAX;

	for (const struct exchange *e = http->held; e; e = e->next)
		first = min_u64(first, e->deadline_ns);
	return first;
}

static void on_timer(uv_timer_t *timer);

/* Sets the timer to whichever comes first: what the server wants, or the end of a wait. */
static void arm_timer(struct manage_http *http)
{
	uint64_t now_ns = clock_now_ns(), wait_ns = next_deadline_ns(http), ms = UINT64_MAX;
	MHD_UNSIGNED_LONG_LONG server_ms;

	if (http->door_ns)
		wait_ns = min_u64(wait_ns, http->door_ns);
	if (MHD_get_timeout(http->daemon, &server_ms) == MHD_YES)
		ms = server_ms;
	if (wait_ns != UINT64_MAX)
		ms = min_u64(ms, wait_ns > now_ns ? (wait_ns - now_ns) / 1000000 + 1 : 0);
	if (ms == UINT64_MAX)
		uv_timer_stop(&http->timer);
	else
		must(uv_timer_start(&http->timer, on_timer, ms, 0) == 0);
}

static void on_door(uv_poll_t *door, int status, int events);

static void open_door(struct manage_http *http)
{
	http->door_ns = 0;
	must(uv_poll_start(&http->door, UV_READABLE, on_door) == 0);
}

/* Who waits there goes on waiting until then. */
static void close_door(struct manage_http *http, uint64_t until_ns)
{
	http->door_ns = until_ns;
	uv_poll_stop(&http->door);
}

static void turn(struct manage_http *http)
{
	uint64_t now_ns = clock_now_ns();

	let_go(http, now_ns);
	if (http->door_ns && http->door_ns <= now_ns)
		open_door(http);
	MHD_run(http->daemon);
	arm_timer(http);
}

static void on_timer(uv_timer_t *timer)
{
	turn(timer->data);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	turn(poll->data);
}

/* -- connections -- */

static void on_connection(void *owner, struct MHD_Connection *connection, void **state,
			  enum MHD_ConnectionNotificationCode code)
{
	struct manage_http *http = owner;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*state = clients_add(&http->clients, connection, clock_now_ns());
		must(*state != NULL); /* the server takes as many as there are places */
	} else {
		clients_remove(&http->clients, *state);
	}
}

static struct client *client_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static bool somebody_knocks(const struct manage_http *http)
{
	struct pollfd listener = { .fd = http->listener, .events = POLLIN };

	return poll(&listener, 1, 0) == 1 && listener.revents & POLLIN;
}

/* The server finds the connection at its end, and forgets it. */
static void show_out(struct manage_http *http, const struct client *client)
{
	shutdown(MHD_get_connection_info(client->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
		 SHUT_RDWR);
	MHD_run(http->daemon);
}

/* Whether there is a place for one more, now. */
static bool make_room(struct manage_http *http)
{
	uint64_t now_ns = clock_now_ns(), grace_end_ns = now_ns + CLIENT_GRACE_NS;
	const struct client *oldest;

	if (http->clients.count < MANAGE_CONNECTIONS_MAX)
		return true;
	oldest = clients_oldest(&http->clients);
	if (oldest)
		grace_end_ns = oldest->since_ns + CLIENT_GRACE_NS;
	if (oldest && grace_end_ns <= now_ns) {
		show_out(http, oldest);
		grace_end_ns = now_ns + CLIENT_GRACE_NS;
	}
	if (http->clients.count < MANAGE_CONNECTIONS_MAX)
		return true;
	close_door(http, grace_end_ns);
	return false;
}

/* False when nobody else can come in now. */
static bool let_in(struct manage_http *http)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = accept4(http->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) { /* when the server does not take it, it closes it */
		(void)MHD_add_connection(http->daemon, fd, (struct sockaddr *)&address, sizeof address.sun_family);
		return true;
	}
	if (errno == ECONNABORTED || errno == EINTR)
		return true;
	if (errno != EAGAIN) /* no descriptors, no memory: later, perhaps */
		close_door(http, clock_now_ns() + CLIENT_GRACE_NS);
	return false;
}

static void on_door(uv_poll_t *door, int status, int events)
{
	struct manage_http *http = door->data;

	(void)status, (void)events;
	while (somebody_knocks(http) && make_room(http) && let_in(http))
		;
	turn(http);
}

/* -- requests -- */

static enum MHD_Result send_response(struct MHD_Connection *connection,
				     struct manage_response *answer)
{
	size_t size = strlen(answer->body);
	struct MHD_Response *response =
		MHD_create_response_from_buffer(size, answer->body, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	if (!response) {
		free(answer->body);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (answer->allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow);
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result send_error(struct MHD_Connection *connection, unsigned status,
				  const char *text)
{
	struct manage_response answer = { 0 };
	struct refusal why;

	refuse(&why, "", "%s", text);
	manage_answer_error(&answer, status, &why);
	return send_response(connection, &answer);
}

static enum MHD_Result keep_body(struct exchange *exchange, const char *data, size_t *size)
{
	if (exchange->body_size + *size > MANAGE_BODY_SIZE_MAX)
		exchange->too_large = true;
	if (!exchange->too_large) {
		if (!exchange->body)
			exchange->body = malloc(MANAGE_BODY_SIZE_MAX);
		if (!exchange->body)
			return MHD_NO;
		memcpy(exchange->body + exchange->body_size, data, *size);
		exchange->body_size += *size;
	}
	*size = 0;
	return MHD_YES;
}

static const char *query(struct MHD_Connection *connection, const char *key)
{
	return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, key);
}

static enum MHD_Result respond(struct manage_http *http, struct exchange *exchange,
			       const char *path, const char *method)
{
	uint64_t now_ns = clock_now_ns();
	struct manage_request request = {
		.method = MANAGE_OTHER,
		.path = path,
		.after = query(exchange->connection, "after"),
		.wait = query(exchange->connection, "wait"),
		.dump = query(exchange->connection, "dump"),
		.body = exchange->body,
		.body_size = exchange->body_size,
		.waited = http->stopping ||
			  (exchange->deadline_ns && exchange->deadline_ns <= now_ns),
	};
	struct manage_response answer;

	if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
		request.method = MANAGE_GET;
	else if (strcmp(method, "POST") == 0)
		request.method = MANAGE_POST;
	manage_answer(&http->conf, &request, &answer);
	if (!answer.wait_s)
		return send_response(exchange->connection, &answer);
	if (http->held_count == MANAGE_WAITERS_MAX)
		return send_error(exchange->connection, 503, "too many requests wait for events");
	if (!exchange->deadline_ns)
		exchange->deadline_ns = now_ns + answer.wait_s * UINT64_C(1000000000);
	hold(http, exchange);
	return MHD_YES;
}

/* Called once with the headers, then with each piece of the body, then without one; and without one
 * again when a held request goes on. */
static enum MHD_Result on_request(void *owner, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version, const char *data,
				  size_t *data_size, void **state)
{
	struct exchange *exchange = *state;

	(void)version;
	if (!exchange) {
		exchange = calloc(1, sizeof *exchange);
		if (!exchange)
			return MHD_NO;
		exchange->connection = connection;
		exchange->client = client_of(connection);
		exchange->client->since_ns = clock_now_ns();
		*state = exchange;
		return MHD_YES;
	}
	if (*data_size)
		return keep_body(exchange, data, data_size);
	exchange->client->since_ns = clock_now_ns();
	if (exchange->too_large)
		return send_error(connection, 413, "the body is larger than 16384 bytes");
	return respond(owner, exchange, path, method);
}

static void on_completed(void *owner, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct exchange *exchange = *state;

	(void)connection, (void)code;
	if (!exchange)
		return;
	if (exchange->held)
		forget(owner, exchange);
	exchange->client->since_ns = clock_now_ns();
	free(exchange->body);
	free(exchange);
	*state = NULL;
}

/* Paths stay encoded until they are split: a name may hold a slash. */
static size_t on_unescape(void *owner, struct MHD_Connection *connection, char *text)
{
	(void)owner, (void)connection;
	return strlen(text);
}

static void on_log(void *owner, const char *format, va_list args)
{
	(void)owner, (void)format, (void)args; /* a client's nonsense is its own business */
}

static int listen_at(const char *path, struct refusal *why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = -1, err;

	if (strlen(path) >= sizeof address.sun_path) {
		refuse(why, "", "the socket path %s is longer than %zu bytes", path,
		       sizeof address.sun_path - 1);
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		goto failed;
	unlink(path);
	fchmod(fd, 0660); /* the mode that bind gives the file, less the umask */
	if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
	    chmod(path, 0660) != 0 || listen(fd, MANAGE_QUEUE_MAX) != 0)
		goto failed;
	return fd;

failed:
	err = errno;
	refuse(why, "", "cannot listen at %s: %s", path, strerror(err));
	if (fd >= 0)
		close(fd);
	return -err;
}

/* Whatever is at the path must be a socket that nobody listens at, or nothing. */
static int check_stale(const char *path, struct refusal *why)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	int fd, answered;

	if (lstat(path, &st) != 0)
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		refuse(why, "", "%s is there and is not a socket", path);
		return -EEXIST;
	}
	if (strlen(path) >= sizeof address.sun_path)
		return 0; /* listen_at refuses it */
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	answered = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ||
		   errno == EAGAIN;
	close(fd);
	if (answered)
		refuse(why, "", "another program answers at %s", path);
	return answered ? -EADDRINUSE : 0;
}

static int start_server(struct manage_http *http, struct refusal *why)
{
	struct MHD_OptionItem options[] = {
		{ MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_log, NULL },
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, http },
		{ MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)on_unescape, NULL },
		{ MHD_OPTION_CONNECTION_LIMIT, MANAGE_CONNECTIONS_MAX, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, MANAGE_CONNECTION_SIZE, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, http->conf.idle_s ? http->conf.idle_s : MANAGE_IDLE_S, NULL },
		{ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, http },
		{ MHD_OPTION_END, 0, NULL },
	};
	const unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
			       MHD_USE_NO_LISTEN_SOCKET;

	http->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_ARRAY,
					options, MHD_OPTION_END);
	if (!http->daemon) {
		refuse(why, "", "the HTTP server did not start: %s", strerror(errno));
		return -EIO;
	}
	return 0;
}

static int join_loop(struct manage_http *http, struct refusal *why)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int err = info ? uv_poll_init(http->conf.loop, &http->poll, info->epoll_fd) : UV_EBADF;

	if (err) {
		refuse(why, "", "the event loop does not take the HTTP server: %s",
		       uv_strerror(err));
		return err;
	}
	must(uv_timer_init(http->conf.loop, &http->timer) == 0);
	http->open_handles = 2;
	http->poll.data = http->timer.data = http->door.data = http;
	must(uv_poll_start(&http->poll, UV_READABLE, on_ready) == 0);
	if (http->listener < 0)
		return 0;
	err = uv_poll_init(http->conf.loop, &http->door, http->listener);
	if (err) {
		refuse(why, "", "the event loop does not take the socket: %s", uv_strerror(err));
		return err;
	}
	http->open_handles++;
	open_door(http);
	return 0;
}

int manage_http_create(struct manage_http **result, const struct manage_conf *conf,
		       struct refusal *why)
{
	struct manage_http *http = calloc(1, sizeof *http);
	int err = 0;

	must(http != NULL);
	http->conf = *conf;
	http->listener = -1;
	if (conf->socket_path) {
		err = check_stale(conf->socket_path, why);
		if (!err)
			err = http->listener = listen_at(conf->socket_path, why);
		if (err < 0) {
			free(http);
			return err;
		}
		memcpy(http->socket_path, conf->socket_path, strlen(conf->socket_path));
	}
	err = start_server(http, why);
	if (!err)
		err = join_loop(http, why);
	if (err) {
		manage_http_destroy(http);
		return err;
	}
	*result = http;
	return 0;
}

void manage_http_event(struct manage_http *http)
{
	if (!http->held)
		return;
	let_go(http, UINT64_MAX);
	/* The answer goes out in the loop's next turn, not under whoever adds the event. */
	must(uv_timer_start(&http->timer, on_timer, 0, 0) == 0);
}

int manage_http_adopt(struct manage_http *http, int fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (MHD_add_connection(http->daemon, fd, (struct sockaddr *)&address,
			       sizeof address.sun_family) != MHD_YES)
		return -errno;
	turn(http);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct manage_http *http = handle->data;

	if (--http->open_handles == 0)
		free(http);
}

void manage_http_destroy(struct manage_http *http)
{
	if (!http)
		return;
	http->stopping = true;
	if (http->open_handles)
		uv_poll_stop(&http->poll);
	if (http->open_handles > 2)
		uv_poll_stop(&http->door);
	if (http->listener >= 0)
		close(http->listener);
	if (http->daemon) {
		let_go(http, UINT64_MAX); /* the server must not be stopped with any held */
		MHD_run(http->daemon);
		MHD_stop_daemon(http->daemon);
	}
	if (http->socket_path[0])
		unlink(http->socket_path);
	if (!http->open_handles) {
		free(http);
		return;
	}
	if (http->open_handles > 2)
		uv_close((uv_handle_t *)&http->door, on_closed);
	uv_close((uv_handle_t *)&http->poll, on_closed);
	uv_close((uv_handle_t *)&http->timer, on_closed);
}
