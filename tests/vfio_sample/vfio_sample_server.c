/* tests/vfio_sample/vfio_sample_server.c -- serves the sample function on a socket until SIGTERM or SIGINT: for clients
 * of all kinds, without a daemon.  "ready" on standard output says that a client may come.
 *
 * vfio_sample_server SOCKET */
#include "tests/vfio_sample/vfio_sample.h"

#include <signal.h>
#include <stdio.h>

static struct sample sample;
static struct vfio_user *server;
static uv_signal_t ends[2];

static void on_end(uv_signal_t *handle, int number)
{
	(void)handle, (void)number;
	uv_close((uv_handle_t *)&ends[0], NULL);
	uv_close((uv_handle_t *)&ends[1], NULL);
	vfio_user_destroy(server);
	server = NULL;
}

static void tell(void *owner, const char *kind, const char *text)
{
	(void)owner;
	fprintf(stderr, "%s: %s\n", kind, text);
}

int main(int argc, char **argv)
{
	struct vfio_user_conf conf;
	struct refusal why = { 0 };
	uv_loop_t loop;

	if (argc != 2) {
		fprintf(stderr, "Usage: vfio_sample_server SOCKET\n");
		return 2;
	}
	must(uv_loop_init(&loop) == 0);
	must(sample_init(&sample) == 0);
	conf = sample_conf(&sample);
	conf.path = argv[1];
	conf.loop = &loop;
	conf.host.event = tell;
	if (vfio_user_create(&server, &conf, &why)) {
		fprintf(stderr, "vfio_sample_server: %s\n", why.text);
		return 1;
	}
	must(uv_signal_init(&loop, &ends[0]) == 0 && uv_signal_init(&loop, &ends[1]) == 0);
	must(uv_signal_start(&ends[0], on_end, SIGTERM) == 0);
	must(uv_signal_start(&ends[1], on_end, SIGINT) == 0);
	printf("ready\n");
	fflush(stdout);
	uv_run(&loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&loop) == 0);
	sample_fini(&sample);
	return 0;
}
