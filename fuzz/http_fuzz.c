/* fuzz/http_fuzz.c -- bytes of a client into the HTTP server, over a loop-back socket pair: whatever
 * comes, the server answers or closes, and goes on. */
#include "tests/fake_site.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURNS_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drain(int fd, bool *open)
{
	char answer[65536];
	ssize_t n;

	while ((n = read(fd, answer, sizeof answer)) > 0)
		;
	if (n == 0 || errno != EAGAIN)
		*open = false;
}

/* Sends everything, reads everything, until nothing more comes or goes. */
static void talk(uv_loop_t *loop, int fd, const uint8_t *data, size_t size)
{
	bool open = true;
	unsigned quiet = 0;

	for (unsigned i = 0; open && i < TURNS_MAX && quiet < 3; i++) {
		ssize_t n = size ? send(fd, data, size, MSG_NOSIGNAL) : 0;

		quiet = n > 0 ? 0 : quiet + 1;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
		if (!size)
			shutdown(fd, SHUT_WR);
		uv_run(loop, UV_RUN_NOWAIT);
		drain(fd, &open);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake_site site;
	struct manage_conf conf = { 0 };
	struct refusal why;
	uv_loop_t loop;
	int fds[2];

	memset(&site, 0, sizeof site);
	must(uv_loop_init(&loop) == 0);
	conf.loop = &loop;
	fake_site_conf(&site, &conf);
	must(manage_http_create(&site.http, &conf, &why) == 0);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	if (manage_http_adopt(site.http, fds[1]) == 0)
		talk(&loop, fds[0], data, size);
	manage_http_destroy(site.http);
	uv_run(&loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&loop) == 0);
	close(fds[0]);
	return 0;
}
