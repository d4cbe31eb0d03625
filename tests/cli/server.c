/* tests/cli/server.c -- serves a fake site at a socket until SIGTERM: what the tool is tested against.
 *
 * server SOCKET [SITE]   With SITE it takes that site's lock first, like the daemon. */
#include "manage/site_lock.h"
#include "tests/fake_site.h"

#include <stdio.h>

static void on_signal(uv_signal_t *signal, int number)
{
	(void)number;
	uv_stop(signal->loop);
}

static void on_walk(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

int main(int argc, char **argv)
{
	static struct fake_site site;
	struct site_lock *lock = NULL;
	struct manage_conf conf = { 0 };
	struct refusal why = { "", "" };
	uv_signal_t term;
	uv_loop_t loop;

	if (argc < 2)
		return 2;
	if (argc > 2 && site_lock_take(argv[2], argv[1], &lock, &why) != 0) {
		fprintf(stderr, "server: %s\n", why.text);
		return 3;
	}
	must(uv_loop_init(&loop) == 0);
	must(uv_signal_init(&loop, &term) == 0);
	must(uv_signal_start(&term, on_signal, SIGTERM) == 0);
	conf.loop = &loop;
	conf.socket_path = argv[1];
	fake_site_conf(&site, &conf);
	if (manage_http_create(&site.http, &conf, &why) != 0) {
		fprintf(stderr, "server: %s\n", why.text);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	uv_run(&loop, UV_RUN_DEFAULT);
	manage_http_destroy(site.http);
	uv_walk(&loop, on_walk, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&loop) == 0);
	site_lock_release(lock);
	return 0;
}
