/* bench/vfio_user_bench.c -- what messages of vfio-user cost: the sample function in a process of its own, a client
 * here that waits for each reply, or keeps 32 commands in flight.
 *
 * vfio_user_bench [ROUNDS]: each figure is the median of so many rounds (default 9) with the lowest and highest. */
#include "attach/vfio_user_client.h"
#include "attach/vfio_user_msg.h"
#include "base/bytes.h"
#include "tests/vfio_sample/vfio_sample.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	ROUNDS_MAX = 99,
	READS = 20000,
	PAIRS = 4000,
	IN_FLIGHT = 32,
	WINDOW = 2 << 20,
};

static char path[64];
static double figures[ROUNDS_MAX];

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static pid_t start_server(void)
{
	pid_t pid = fork();

	must(pid >= 0);
	if (pid == 0) {
		static struct sample sample;
		struct vfio_user_conf conf;
		struct vfio_user *server;
		uv_loop_t loop;

		must(uv_loop_init(&loop) == 0 && sample_init(&sample) == 0);
		conf = sample_conf(&sample);
		conf.path = path;
		conf.loop = &loop;
		must(vfio_user_create(&server, &conf, NULL) == 0);
		uv_run(&loop, UV_RUN_DEFAULT);
		_exit(0);
	}
	return pid;
}

static struct vfio_user_client *dial(void)
{
	struct vfio_user_client *client;

	for (unsigned tries = 0; tries < 200; tries++) {
		if (vfio_user_client_open(&client, path, NULL) == 0)
			return client;
		usleep(10000);
	}
	fprintf(stderr, "vfio_user_bench: no server\n");
	exit(1);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *what, const char *unit, unsigned rounds)
{
	qsort(figures, rounds, sizeof figures[0], by_value);
	printf("%-44s %10.2f %s (%.2f to %.2f)\n", what, figures[rounds / 2], unit, figures[0],
	       figures[rounds - 1]);
	fflush(stdout);
}

/* The median of single round trips, in us. */
static double read_latency(struct vfio_user_client *client)
{
	static double each[READS];
	uint8_t bytes[4];

	for (unsigned i = 0; i < READS; i++) {
		uint64_t began = now_ns();

		must(vfio_user_client_read(client, 0, SAMPLE_ID, sizeof bytes, bytes) == 0);
		each[i] = (double)(now_ns() - began) / 1e3;
	}
	must(get_le32(bytes) == SAMPLE_MAGIC);
	qsort(each, READS, sizeof each[0], by_value);
	return each[READS / 2];
}

static double pairs_a_second(struct vfio_user_client *client, int fd)
{
	struct vfio_user_client_window window = { .address = 1 << 30, .size = WINDOW, .flags = 3, .fd = fd };
	uint64_t began = now_ns();

	for (unsigned i = 0; i < PAIRS; i++) {
		must(vfio_user_client_map(client, &window) == 0);
		must(vfio_user_client_unmap(client, window.address, window.size) == 0);
	}
	return PAIRS / ((double)(now_ns() - began) / 1e9);
}

/* A plain socket, to have several commands on their way. */
static int dial_plain(void)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	uint8_t version[VFIO_USER_HEADER_SIZE + 4] = { [2] = VFIO_USER_VERSION, [4] = sizeof version,
						       [18] = 1 }, reply[1024];

	snprintf(where.sun_path, sizeof where.sun_path, "%s", path);
	must(connect(fd, (struct sockaddr *)&where, sizeof where) == 0);
	must(send(fd, version, sizeof version, 0) == sizeof version);
	must(recv(fd, reply, sizeof reply, 0) > VFIO_USER_HEADER_SIZE);
	return fd;
}

static double reads_a_second(int fd)
{
	enum { ASK = VFIO_USER_HEADER_SIZE + VFIO_USER_ACCESS_SIZE, REPLY = ASK + 4 };
	uint8_t ask[ASK] = { 0 }, replies[IN_FLIGHT * REPLY];
	struct vfio_user_header header = { .command = VFIO_USER_REGION_READ,
					   .payload = VFIO_USER_ACCESS_SIZE };
	unsigned sent = 0, got_bytes = 0;
	uint64_t began = now_ns();

	vfio_user_header_write(&header, ask);
	put_le32(ask + VFIO_USER_HEADER_SIZE + VFIO_USER_ACCESS_COUNT, 4);
	while (got_bytes < READS * REPLY) {
		ssize_t got;

		for (; sent < READS && sent - got_bytes / REPLY < IN_FLIGHT; sent++)
			must(send(fd, ask, sizeof ask, 0) == sizeof ask);
		got = recv(fd, replies, sizeof replies, 0);
		must(got > 0);
		got_bytes += (unsigned)got;
	}
	return READS / ((double)(now_ns() - began) / 1e9);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 9;
	int fd = memfd_create("bench", MFD_CLOEXEC), plain;
	struct vfio_user_client_window other = { .address = UINT64_C(1) << 45, .size = WINDOW, .flags = 3,
						 .fd = fd };
	struct vfio_user_client *client;
	pid_t server;

	if (rounds == 0 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "Usage: vfio_user_bench [ROUNDS], 1 to %d\n", ROUNDS_MAX);
		return 2;
	}
	snprintf(path, sizeof path, "/tmp/mp-vfbench-%d.sock", (int)getpid());
	must(ftruncate(fd, WINDOW) == 0);
	server = start_server();
	client = dial();
	for (unsigned i = 0; i < rounds; i++)
		figures[i] = read_latency(client);
	report("region read, one at a time, median", "us", rounds);
	for (unsigned i = 0; i < rounds; i++)
		figures[i] = pairs_a_second(client, fd) / 1e3;
	report("map and unmap of 2 MiB, each answered", "thousand pairs/s", rounds);
	must(vfio_user_client_map(client, &other) == 0);
	for (unsigned i = 0; i < rounds; i++)
		figures[i] = pairs_a_second(client, fd) / 1e3;
	report("the same of a file with other windows", "thousand pairs/s", rounds);
	vfio_user_client_close(client);
	plain = dial_plain();
	for (unsigned i = 0; i < rounds; i++)
		figures[i] = reads_a_second(plain) / 1e3;
	report("region read, 32 in flight", "thousand/s", rounds);
	close(plain);
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	unlink(path);
	return 0;
}
