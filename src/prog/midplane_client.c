#include "prog/midplane_client.h"

#include "manage/site_lock.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_TIME_S = 20, CROWD_TIME_MS = 3000, CROWD_STEP_MS = 20, ANSWER_SIZE_MAX = 64 << 20 };

struct client {
	const struct call *call;
	CURL *curl;
	char socket[SITE_LOCK_PATH_MAX];
};

struct answer {
	char *text;
	size_t size;
};

/* The sites that run here, for the choice among them. */
struct choice {
	unsigned count;
	const char *wanted;  /* NULL: any */
	char socket[SITE_LOCK_PATH_MAX];
	char names[256];
};

static void on_site(void *arg, const struct site_holder *holder)
{
	struct choice *choice = arg;
	size_t used = strlen(choice->names);

	snprintf(choice->names + used, sizeof choice->names - used, "%s%s", used ? ", " : "",
		 holder->site);
	if (choice->wanted && strcmp(choice->wanted, holder->site) != 0)
		return;
	choice->count++;
	snprintf(choice->socket, sizeof choice->socket, "%s", holder->socket);
}

static enum midplane_exit choose_socket(const struct call *call, char socket[SITE_LOCK_PATH_MAX])
{
	struct choice choice = { .wanted = call->option[OPTION_SITE] };
	char dir[SITE_LOCK_PATH_MAX] = "";
	const char *path = call->option[OPTION_SOCKET];

	if (path && !*path) {
		midplane_complain(call, "--socket: name a path");
		return MIDPLANE_USAGE;
	}
	if (path) {
		if (snprintf(socket, SITE_LOCK_PATH_MAX, "%s", path) < SITE_LOCK_PATH_MAX)
			return MIDPLANE_OK;
		midplane_complain(call, "the path of the socket is longer than %d bytes",
				  SITE_LOCK_PATH_MAX - 1);
		return MIDPLANE_USAGE;
	}
	site_lock_list(on_site, &choice);
	if (choice.count == 1) {
		memcpy(socket, choice.socket, SITE_LOCK_PATH_MAX);
		return MIDPLANE_OK;
	}
	if (choice.count > 1) {
		midplane_complain(call, "several sites run here: %s; say which with --site NAME",
				  choice.names);
		return MIDPLANE_USAGE;
	}
	(void)site_lock_default_run_dir(dir);
	if (choice.wanted)
		midplane_complain(call, "no site '%s' runs here (nothing in %s)%s%s", choice.wanted,
				  dir, choice.names[0] ? "; there is: " : "", choice.names);
	else
		midplane_complain(call,
				  "no site runs here (nothing in %s); start one with midplaned, or"
				  " say where with --socket PATH", dir);
	return MIDPLANE_UNREACHABLE;
}

enum midplane_exit client_open(const struct call *call, struct client **result)
{
	struct client *client = calloc(1, sizeof *client);
	enum midplane_exit code;

	must(client != NULL);
	client->call = call;
	code = choose_socket(call, client->socket);
	if (!code) {
		client->curl = curl_easy_init();
		must(client->curl != NULL);
		*result = client;
	} else {
		free(client);
	}
	return code;
}

void client_close(struct client *client)
{
	if (!client)
		return;
	curl_easy_cleanup(client->curl);
	free(client);
}

char *client_path(const char *noun, const char *name, const char *below)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_.";
	size_t room = strlen(noun) + 3 * strlen(name) + strlen(below) + 16;
	char *path = malloc(room);
	size_t used;

	must(path != NULL);
	used = (size_t)snprintf(path, room, "/v1/%s/", noun);
	for (; *name; name++) {
		/* dots alone are a step in a path to some clients */
		if (strchr(plain, *name) && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			used += (size_t)snprintf(path + used, room - used, "%c", *name);
		else
			used += (size_t)snprintf(path + used, room - used, "%%%02X",
						 (unsigned)(unsigned char)*name);
	}
	snprintf(path + used, room - used, "%s%s", below[0] ? "/" : "", below);
	return path;
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
	struct answer *answer = arg;
	char *more;

	if (answer->size + size * count > ANSWER_SIZE_MAX)
		return 0;
	more = realloc(answer->text, answer->size + size * count + 1);
	if (!more)
		return 0;
	answer->text = more;
	memcpy(answer->text + answer->size, bytes, size * count);
	answer->size += size * count;
	answer->text[answer->size] = 0;
	return size * count;
}

/* Whether the socket's queue is full, or was: libcurl does not say why it could not connect. */
static bool is_crowded(const struct client *client)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool crowded = false;

	if (fd >= 0 && strlen(client->socket) < sizeof address.sun_path) {
		memcpy(address.sun_path, client->socket, strlen(client->socket));
		crowded = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN;
	}
	if (fd >= 0)
		close(fd);
	return crowded;
}

/* Again as long as there is no place in the queue: the daemon empties it many times in that time. */
static CURLcode perform(struct client *client)
{
	for (unsigned waited_ms = 0;; waited_ms += CROWD_STEP_MS) {
		CURLcode result = curl_easy_perform(client->curl);

		if (result != CURLE_COULDNT_CONNECT || waited_ms >= CROWD_TIME_MS || !is_crowded(client))
			return result;
		usleep(CROWD_STEP_MS * 1000);
	}
}

/* libcurl's words for a connection that cannot be made speak of ports. */
static void complain_unreachable(const struct client *client, CURLcode result, const char *why)
{
	struct stat st;

	if (stat(client->socket, &st) != 0)
		why = strerror(errno);
	else if (!S_ISSOCK(st.st_mode))
		why = "that is not a socket";
	else if (result == CURLE_COULDNT_CONNECT)
		why = access(client->socket, W_OK) != 0 ? strerror(errno) :
		      is_crowded(client)                ? "too many others wait for it" :
							  "nobody listens there";
	midplane_complain(client->call, "no daemon answers at %s: %s", client->socket, why);
}

/* What the daemon says of a request it did not do. */
static enum midplane_exit complain_refused(const struct client *client, long status,
					   const char *body)
{
	json_t *json = json_loads(body ? body : "", 0, NULL);
	const char *text = NULL;

	if (json && json_unpack(json, "{s:{s:s}}", "error", "text", &text) == 0)
		midplane_complain(client->call, "%s", text);
	else
		midplane_complain(client->call, "the daemon answers with HTTP status %ld", status);
	json_decref(json);
	return status == 404 ? MIDPLANE_MISSING : MIDPLANE_REFUSED;
}

enum midplane_exit client_ask(struct client *client, const char *path, const char *body,
			      unsigned wait_s, char **text)
{
	char url[1200], why[CURL_ERROR_SIZE] = "";
	struct answer answer = { NULL, 0 };
	CURL *curl = client->curl;
	long status = 0;
	CURLcode result;

	if (snprintf(url, sizeof url, "http://midplane%s", path) >= (int)sizeof url) {
		midplane_complain(client->call, "the name is too long");
		return MIDPLANE_MISSING;
	}
	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)(ANSWER_TIME_S + wait_s));
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
	if (body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	result = perform(client);
	if (result != CURLE_OK) {
		complain_unreachable(client, result, why[0] ? why : curl_easy_strerror(result));
		free(answer.text);
		return MIDPLANE_UNREACHABLE;
	}
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200) {
		enum midplane_exit code = complain_refused(client, status, answer.text);

		free(answer.text);
		return code;
	}
	*text = answer.text ? answer.text : calloc(1, 1);
	must(*text != NULL);
	return MIDPLANE_OK;
}

enum midplane_exit client_ask_json(struct client *client, const char *path, const char *body,
				   unsigned wait_s, json_t **json)
{
	char *text;
	enum midplane_exit code = client_ask(client, path, body, wait_s, &text);

	if (code)
		return code;
	*json = json_loads(text, 0, NULL);
	free(text);
	if (*json)
		return MIDPLANE_OK;
	midplane_complain(client->call, "what answers at %s is not midplaned", client->socket);
	return MIDPLANE_UNREACHABLE;
}
