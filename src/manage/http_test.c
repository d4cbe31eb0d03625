#include "manage/http.h"
#include "manage/internal.h"
#include "os/clock.h"
#include "tests/check.h"
#include "tests/fake_site.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000 };

static struct fake_site site;
static uv_loop_t loop;

static int begin(void **state)
{
	struct manage_conf conf = { .loop = &loop };
	struct refusal why;

	(void)state;
	memset(&site, 0, sizeof site);
	if (uv_loop_init(&loop) != 0)
		return -1;
	fake_site_conf(&site, &conf);
	return manage_http_create(&site.http, &conf, &why);
}

static int end(void **state)
{
	(void)state;
	manage_http_destroy(site.http);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

/* At a socket of its own, with a patience that nobody here sees the end of. */
static char directory[32], path_of_socket[48];

static int begin_listening(void **state)
{
	struct manage_conf conf = { .loop = &loop, .socket_path = path_of_socket, .idle_s = 600 };
	struct refusal why;

	(void)state;
	memset(&site, 0, sizeof site);
	snprintf(directory, sizeof directory, "/tmp/http_test.XXXXXX");
	if (uv_loop_init(&loop) != 0 || !mkdtemp(directory))
		return -1;
	snprintf(path_of_socket, sizeof path_of_socket, "%s/socket", directory);
	fake_site_conf(&site, &conf);
	conf.socket_path = path_of_socket;
	return manage_http_create(&site.http, &conf, &why);
}

static int end_listening(void **state)
{
	int err = end(state);

	return rmdir(directory) == 0 ? err : -1; /* the socket is gone */
}

/* Does not wait until it is let in. */
static int knock(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	memcpy(address.sun_path, path_of_socket, strlen(path_of_socket));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static bool is_shown_out(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

static int dial(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(manage_http_adopt(site.http, fds[1]), 0);
	return fds[0];
}

static void turn(void)
{
	uv_run(&loop, UV_RUN_NOWAIT);
	usleep(200);
}

static void say(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		} else {
			turn();
			if (n < 0 && errno != EAGAIN)
				return; /* the server has had enough */
		}
	}
}

/* Reads until the connection ends, or until a whole answer is there, or for 'limit_ms'. */
static const char *hear(int fd, unsigned limit_ms)
{
	static char text[1 << 20];
	uint64_t until_ns = clock_now_ns() + limit_ms * UINT64_C(1000000);
	size_t used = 0;

	text[0] = 0;
	while (clock_now_ns() < until_ns && used < sizeof text - 1) {
		ssize_t n = read(fd, text + used, sizeof text - 1 - used);
		const char *length = strstr(text, "Content-Length: "), *body;

		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		if (n > 0) {
			used += (size_t)n;
			text[used] = 0;
			continue;
		}
		body = strstr(text, "\r\n\r\n");
		if (length && body && strlen(body + 4) >= strtoul(length + 16, NULL, 10))
			break;
		turn();
	}
	return text;
}

/* One request on a connection of its own; *json receives the body where it is JSON. */
static unsigned ask(const char *method, const char *path, const char *body, json_t **json)
{
	char head[4096];
	int fd = dial();
	const char *answer, *at;

	snprintf(head, sizeof head,
		 "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
		 method, path, strlen(body));
	say(fd, head, strlen(head));
	say(fd, body, strlen(body));
	answer = hear(fd, PATIENCE_MS);
	close(fd);
	assert_int_equal(strncmp(answer, "HTTP/1.1 ", 9), 0);
	at = strstr(answer, "\r\n\r\n");
	if (json)
		*json = json_loads(at + 4, 0, NULL);
	return (unsigned)strtoul(answer + 9, NULL, 10);
}

static void check_error(const char *method, const char *path, const char *body, unsigned status,
			const char *code, const char *text)
{
	const char *got_code = "", *got_path = "", *got_text = "";
	json_t *json;

	assert_int_equal(ask(method, path, body, &json), status);
	assert_non_null(json);
	assert_int_equal(json_unpack(json, "{s:{s:s, s:s, s:s}}", "error", "code", &got_code,
				     "path", &got_path, "text", &got_text), 0);
	assert_string_equal(got_code, code);
	if (!strstr(got_text, text))
		fail_msg("%s %s: '%s' does not say '%s'", method, path, got_text, text);
	json_decref(json);
}

static void test_every_object_has_every_property_in_its_place(void **state)
{
	(void)state;
	for (unsigned noun = 0; noun < TREE_NOUN_COUNT; noun++) {
		const struct tree_property *p = tree_properties[noun];
		const char *key, *name;
		char path[256];
		json_t *json, *value;

		if (noun == TREE_EVENT)
			continue; /* there is none yet */
		snprintf(path, sizeof path, "/v1/%s", tree_noun_word[noun]);
		assert_int_equal(ask("GET", path, "", &json), 200);
		name = json_string_value(json_object_get(json_array_get(json, 0), "name"));
		assert_non_null(name);
		snprintf(path, sizeof path, "/v1/%s/%s", tree_noun_word[noun],
			 noun == TREE_FUNCTION ? "nic0%2fvf1" : name);
		json_decref(json);
		assert_int_equal(ask("GET", path, "", &json), 200);
		json_object_foreach(json, key, value) {
			assert_string_equal(key, p->name);
			p++;
		}
		assert_null(p->name);
		json_decref(json);
	}
}

static void test_a_list_leaves_out_what_is_for_show(void **state)
{
	json_t *json, *card;

	(void)state;
	assert_int_equal(ask("GET", "/v1/card", "", &json), 200);
	assert_int_equal(json_array_size(json), FAKE_CARDS);
	card = json_array_get(json, 0);
	for (const struct tree_property *p = tree_properties[TREE_CARD]; p->name; p++)
		assert_int_equal(json_object_get(card, p->name) != NULL, p->place == TREE_LISTED);
	json_decref(json);
}

static void test_the_schema_lists_every_property_action_and_report(void **state)
{
	json_t *json, *card;

	(void)state;
	assert_int_equal(ask("GET", "/v1/schema", "", &json), 200);
	assert_int_equal(json_object_size(json), TREE_NOUN_COUNT);
	card = json_object_get(json, "card");
	assert_int_equal(json_array_size(json_object_get(card, "actions")), 3);
	assert_int_equal(json_array_size(json_object_get(card, "reports")), 1);
	json_decref(json);
	assert_int_equal(ask("GET", "/v1/", "", &json), 200);
	assert_int_equal(json_array_size(json_object_get(json, "nouns")), TREE_NOUN_COUNT);
	json_decref(json);
	assert_int_equal(ask("HEAD", "/v1/card", "", NULL), 200);
}

static void test_metrics_are_every_number_under_its_heading(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: site\r\n\r\n";
	const char *text, *type, *help;
	int fd = dial();

	(void)state;
	say(fd, request, sizeof request - 1);
	text = hear(fd, PATIENCE_MS);
	assert_non_null(strstr(text, "text/plain; version=0.0.4"));
	type = strstr(text, "\n# TYPE midplane_card_line_up untyped\n");
	assert_non_null(type);
	assert_null(strstr(type + 2, "# TYPE midplane_card_line_up "));
	help = strstr(text, "# HELP midplane_card_line_up ");
	assert_true(help && help < type);
	assert_memory_equal(strchr(type + 1, '\n') + 1, "midplane_card_line_up{name=\"nic0\"} 0\n"
			    "midplane_card_line_up{name=\"nic1\"} 0\n", 72);
	assert_non_null(strstr(text, "\nmidplane_card_worker{name=\"nic1\"} 3000\n"));
	assert_null(strstr(text, "midplane_event_"));
	assert_null(strstr(text, "midplane_card_state"));
	close(fd);
	assert_int_equal(ask("POST", "/metrics", "", NULL), 405);
}

static void test_requests_that_cannot_be_are_refused_with_the_reason(void **state)
{
	(void)state;
	check_error("GET", "/", "", 404, "not-found", "/v1/ lists");
	check_error("GET", "/v2/card", "", 404, "not-found", "no such path");
	check_error("GET", "/v1/blade", "", 404, "not-found", "no such path");
	check_error("GET", "/v1/card/nic9", "", 404, "not-found", "the cards are: nic0, nic1");
	check_error("POST", "/v1/card/nic0/eject", "", 404, "not-found", "has no 'eject'");
	check_error("GET", "/v1/card/nic0/pull", "", 405, "not-allowed", "POST");
	check_error("POST", "/v1/card/nic0/fdb", "", 405, "not-allowed", "GET");
	check_error("DELETE", "/v1/card/nic0", "", 405, "not-allowed", "GET");
	check_error("POST", "/v1/card", "{}", 405, "not-allowed", "GET");
	check_error("PUT", "/v1/schema", "{}", 405, "not-allowed", "GET");
	check_error("GET", "/v1//nic0", "", 400, "bad-request", "malformed");
	check_error("GET", "/v1/card/%zz", "", 400, "bad-request", "malformed");
	check_error("GET", "/v1/card/nic%00", "", 400, "bad-request", "malformed");
	check_error("GET", "/v1/card/nic%0", "", 400, "bad-request", "malformed");
	check_error("GET", "/v1/card/a/b/c", "", 400, "bad-request", "malformed");
	check_error("GET", "/v1/event?after=x", "", 400, "bad-request", "number of an event");
	check_error("GET", "/v1/event?after=99999999999999999999", "", 400, "bad-request",
		    "number of an event");
	check_error("GET", "/v1/event?wait=61", "", 400, "bad-request", "from 0 to 60");
}

static void test_arguments_are_checked_before_the_action_runs(void **state)
{
	static const char path[] = "/v1/card/nic0/insert";

	(void)state;
	check_error("POST", path, "[]", 400, "bad-request", "must be a JSON object");
	check_error("POST", path, "{", 400, "bad-request", "must be a JSON object");
	check_error("POST", path, "{\"switch_back\": 1}", 400, "bad-request", "must be a boolean");
	check_error("POST", path, "{\"back\": true}", 400, "bad-request", "there is: switch_back");
	check_error("POST", "/v1/card/nic0/pull", "{\"x\": 1}", 400, "bad-request", "none is taken");
	check_error("POST", "/v1/card/nic0/hang", "{}", 400, "bad-request", "'hang' is missing");
	check_error("POST", "/v1/system/vm1/switch", "{\"io\": \"a\\u0000b\", \"card\": \"c\"}", 400,
		    "bad-request", "");
	check_error("POST", path, "", 409, "refused", "is not pulled");
	assert_string_equal(site.last_action, "");
}

static void test_an_action_answers_with_the_object_as_it_is_then(void **state)
{
	json_t *json;

	(void)state;
	assert_int_equal(ask("POST", "/v1/card/nic1/pull", "", &json), 200);
	assert_string_equal(json_string_value(json_object_get(json, "state")), "pulled");
	json_decref(json);
	assert_int_equal(ask("POST", "/v1/card/nic1/insert", "{\"switch_back\": false}", NULL), 200);
	assert_string_equal(site.last_action, "insert nic1 stay");
}

static void test_a_body_that_is_too_large_is_not_kept(void **state)
{
	static char body[3 * MANAGE_BODY_SIZE_MAX];

	(void)state;
	memset(body, ' ', sizeof body - 1);
	check_error("POST", "/v1/card/nic0/pull", body, 413, "too-large", "larger");
}

static void test_a_waiting_request_is_answered_by_the_event(void **state)
{
	static const char request[] = "GET /v1/event?after=0&wait=30 HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd = dial();

	(void)state;
	say(fd, request, strlen(request));
	assert_string_equal(hear(fd, 50), "");
	fake_site_add_event(&site);
	assert_non_null(strstr(hear(fd, PATIENCE_MS), "\"id\":1"));
	close(fd);
}

static void test_a_wait_ends_in_time_without_events(void **state)
{
	uint64_t begun_ns = clock_now_ns();
	json_t *json;

	(void)state;
	assert_int_equal(ask("GET", "/v1/event?wait=1", "", &json), 200);
	assert_int_equal(json_array_size(json), 0);
	assert_true(clock_now_ns() - begun_ns >= UINT64_C(990000000));
	json_decref(json);
}

static void test_more_waiters_than_there_is_room_for_are_told_so(void **state)
{
	static const char request[] = "GET /v1/event?wait=30 HTTP/1.1\r\nHost: x\r\n\r\n";
	int fds[MANAGE_WAITERS_MAX];

	(void)state;
	for (unsigned i = 0; i < array_len(fds); i++) {
		fds[i] = dial();
		say(fds[i], request, strlen(request));
		turn();
	}
	check_error("GET", "/v1/event?wait=30", "", 503, "busy", "too many");
	assert_int_equal(ask("GET", "/v1/card", "", NULL), 200);
	for (unsigned i = 0; i < array_len(fds); i++)
		close(fds[i]);
	fake_site_add_event(&site); /* lets go of the closed ones, too */
	for (unsigned i = 0; i < 20; i++)
		turn();
	assert_int_equal(ask("GET", "/v1/event?wait=30", "", NULL), 200);
}

static void test_the_server_stops_with_requests_waiting(void **state)
{
	static const char request[] = "GET /v1/event?wait=30 HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd = dial();

	(void)state;
	say(fd, request, strlen(request));
	turn();
	/* end() stops it; what the client then reads is an end */
	close(dup(fd));
	close(fd);
}

static void test_nonsense_costs_only_its_own_connection(void **state)
{
	static const char *const nonsense[] = {
		"\r\n\r\n\r\n", "GET\r\n\r\n", "GET /v1/card\r\n\r\n", "GET /v1/card HTTP/9.9\r\n\r\n",
		"POST /v1/card/nic0/pull HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST /v1/card/nic0/pull HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999"
		"\r\n\r\n",
		"POST /v1/card/nic0/pull HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		"fffffffffffffffff\r\n",
		"POST /v1/card/nic0/pull HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET /v1/card HTTP/1.1\r\n: \r\n\r\n", "GET /v1/card HTTP/1.1\r\nHost",
	};

	(void)state;
	for (unsigned i = 0; i < array_len(nonsense); i++) {
		int fd = dial();

		say(fd, nonsense[i], strlen(nonsense[i]));
		hear(fd, 30);
		close(fd);
		turn();
	}
	assert_int_equal(site.pulled[0], false);
	assert_int_equal(ask("GET", "/v1/card", "", NULL), 200);
}

static void test_headers_without_end_are_cut_off(void **state)
{
	static const char line[] = "X-Much: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n";
	int fd = dial();

	(void)state;
	say(fd, "GET / HTTP/1.1\r\n", 16);
	for (unsigned i = 0; i < 4 * MANAGE_CONNECTION_SIZE / sizeof line; i++)
		say(fd, line, sizeof line - 1);
	assert_true(strstr(hear(fd, PATIENCE_MS), " 431 ") || hear(fd, 10)[0] == 0);
	close(fd);
	assert_int_equal(ask("GET", "/v1/card", "", NULL), 200);
}

static void close_all(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
}

static unsigned shown_out(const int *fds, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++)
		n += is_shown_out(fds[i]);
	return n;
}

/* Twice as many as there are places, and some; those that wait for an event keep theirs. */
static void test_clients_that_do_not_ask_make_room_for_one_that_does(void **state)
{
	static const char wait[] = "GET /v1/event?wait=50 HTTP/1.1\r\nHost: x\r\n\r\n",
			  *const half[] = { "", "GET /v1/ca",
					    "POST /v1/card/nic0/pull HTTP/1.1\r\nContent-Length: 9\r\n\r\n{" };
	enum { WAITERS = 10, SILENT = 2 * MANAGE_CONNECTIONS_MAX + 14 };
	int waiters[WAITERS], silent[SILENT], fd;

	(void)state;
	for (unsigned i = 0; i < WAITERS; i++) {
		waiters[i] = knock();
		say(waiters[i], wait, sizeof wait - 1);
	}
	for (unsigned i = 0; i < SILENT; i++) {
		silent[i] = knock();
		say(silent[i], half[i % array_len(half)], strlen(half[i % array_len(half)]));
	}
	fd = knock();
	say(fd, "GET /v1/card HTTP/1.1\r\nHost: x\r\n\r\n", 35);
	assert_int_equal(strncmp(hear(fd, PATIENCE_MS), "HTTP/1.1 200 ", 13), 0);
	assert_int_equal(shown_out(silent, SILENT), WAITERS + SILENT + 1 - MANAGE_CONNECTIONS_MAX);
	assert_int_equal(shown_out(waiters, WAITERS), 0);
	fake_site_add_event(&site);
	for (unsigned i = 0; i < WAITERS; i++)
		assert_int_equal(strncmp(hear(waiters[i], PATIENCE_MS), "HTTP/1.1 200 ", 13), 0);
	assert_int_equal(site.pulled[0], false);
	close_all(waiters, WAITERS);
	close_all(silent, SILENT);
	close(fd);
}

/* Who has had an answer and stays is as silent as one that never asked; with a place left all may stay. */
static void test_nobody_is_shown_out_while_there_is_a_place(void **state)
{
	int fds[MANAGE_CONNECTIONS_MAX], more;

	(void)state;
	for (unsigned i = 0; i < array_len(fds); i++) {
		fds[i] = knock();
		say(fds[i], "GET /v1/card HTTP/1.1\r\nHost: x\r\n\r\n", 35);
		assert_int_equal(strncmp(hear(fds[i], PATIENCE_MS), "HTTP/1.1 200 ", 13), 0);
	}
	usleep(2000 * MANAGE_GRACE_MS);
	turn();
	assert_int_equal(shown_out(fds, array_len(fds)), 0);
	more = knock();
	say(more, "GET /v1/card HTTP/1.1\r\nHost: x\r\n\r\n", 35);
	assert_int_equal(strncmp(hear(more, PATIENCE_MS), "HTTP/1.1 200 ", 13), 0);
	assert_int_equal(shown_out(fds, array_len(fds)), 1);
	assert_true(is_shown_out(fds[0]));
	close_all(fds, array_len(fds));
	close(more);
}

static void test_percent_encoding_is_exact(void **state)
{
	char to[8];

	(void)state;
	assert_true(manage_decode("a%2Fb%2f", 8, to, sizeof to));
	assert_string_equal(to, "a/b/");
	assert_false(manage_decode("%2", 2, to, sizeof to));
	assert_false(manage_decode("%", 1, to, sizeof to));
	assert_false(manage_decode("%g0", 3, to, sizeof to));
	assert_false(manage_decode("%00", 3, to, sizeof to));
	assert_true(manage_decode("1234567", 7, to, sizeof to));
	assert_false(manage_decode("12345678", 8, to, sizeof to));
}

#define SERVED(test)    cmocka_unit_test_setup_teardown(test, begin, end)
#define LISTENING(test) cmocka_unit_test_setup_teardown(test, begin_listening, end_listening)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(test_every_object_has_every_property_in_its_place),
		SERVED(test_a_list_leaves_out_what_is_for_show),
		SERVED(test_the_schema_lists_every_property_action_and_report),
		SERVED(test_metrics_are_every_number_under_its_heading),
		SERVED(test_requests_that_cannot_be_are_refused_with_the_reason),
		SERVED(test_arguments_are_checked_before_the_action_runs),
		SERVED(test_an_action_answers_with_the_object_as_it_is_then),
		SERVED(test_a_body_that_is_too_large_is_not_kept),
		SERVED(test_a_waiting_request_is_answered_by_the_event),
		SERVED(test_a_wait_ends_in_time_without_events),
		SERVED(test_more_waiters_than_there_is_room_for_are_told_so),
		SERVED(test_the_server_stops_with_requests_waiting),
		SERVED(test_nonsense_costs_only_its_own_connection),
		SERVED(test_headers_without_end_are_cut_off),
		LISTENING(test_clients_that_do_not_ask_make_room_for_one_that_does),
		LISTENING(test_nobody_is_shown_out_while_there_is_a_place),
		cmocka_unit_test(test_percent_encoding_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
