/* tests/vhost_disk/vhost_disk_server.c -- serves the whole of a disk card by vhost-user-blk until SIGTERM or
 * SIGINT: for guests, without a daemon.  "ready" on standard output says that a frontend may come.
 *
 * vhost_disk_server SOCKET memory MIB
 * vhost_disk_server SOCKET file PATH [MIB: makes the file]
 *
 * A disk card (card/) over a medium (media/), its function bound to the front of a vhost-user attachment
 * behind a remapping unit, all in one thread: the loop's idle handle makes the rounds of the card. */
#include "attach/kinds.h"
#include "card/disk_card.h"
#include "media/media.h"
#include "sim/guard_world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { QUEUES = 4, DEPTH = 64, IDLE_ROUNDS = 200, IDLE_US = 100, TABLE_ROUNDS = 1000000 };

static struct {
	uv_loop_t loop;
	struct guard_world guard;
	struct medium *medium;
	struct disk_card *card;
	struct attachment *attachment;
	struct block_front *front;
	uv_signal_t ends[2];
	uv_idle_t rounds;
	unsigned idle;
} world;

static unsigned poll_card(void)
{
	struct polled *polled = disk_card_polled(world.card);

	return polled->ops->poll(NULL, polled, uv_hrtime());
}

/* A loop that finds nothing to do sleeps a little. */
static void on_round(uv_idle_t *handle)
{
	(void)handle;
	world.idle = poll_card() || disk_card_at_medium(world.card) ? 0 : world.idle + 1;
	guard_poll(world.guard.guard, 0);
	if (world.idle > IDLE_ROUNDS)
		usleep(IDLE_US);
}

/* The rounds come by themselves: no descriptor needs to be watched. */
static void watch(void *owner, struct front *front, int fd)
{
	(void)owner, (void)front, (void)fd;
}

static void wake(void *owner, struct front *front)
{
	(void)owner, (void)front;
	world.idle = 0;
}

static void tell(void *owner, struct front *front, const char *kind, const char *text)
{
	(void)owner, (void)front;
	fprintf(stderr, "%s: %s\n", kind, text);
}

static int fail(const char *what, const struct refusal *why)
{
	fprintf(stderr, "vhost_disk_server: %s: %s\n", what, why->text);
	return 1;
}

static int open_card(const struct medium_conf *medium, struct refusal *why)
{
	const uint8_t uuid[DISK_ID_SIZE] = { 0x4d, 0x50, 1 };
	struct disk_card_conf conf = { .functions = 1, .depth = DEPTH };
	int err = medium_open(&world.medium, medium, why);

	if (err)
		return err;
	conf.medium = world.medium;
	world.card = aligned_alloc(4096, (disk_card_size(&conf) + 4095) / 4096 * 4096);
	must(world.card != NULL);
	err = disk_card_init(world.card, &conf, why);
	if (!err)
		err = disk_card_open(NULL, world.card, DISK_TABLE_NONE, uuid, why);
	for (unsigned i = 0; !err && disk_card_job(NULL, world.card, why) == DISK_JOB_RUNS &&
	     i < TABLE_ROUNDS; i++)
		(void)poll_card();
	return err ? err : disk_card_job(NULL, world.card, why) == DISK_JOB_FAILED ? -1 : 0;
}

static int plug(const char *path, struct refusal *why)
{
	static const struct attach_disk disk = { .queues = QUEUES, .serial = "MP0001" };
	const struct disk_function_conf function = { .depth = DEPTH, .weight = 1 };
	const struct attach_host host = { .loop = &world.loop, .run_dir = "/tmp", .watch = watch,
					  .unwatch = watch, .wake = wake, .event = tell };
	struct site_io io = { .name = (char *)"disk0", .socket = strdup(path),
			      .socket_mode = SITE_SOCKET_SERVER };
	struct attach_conf conf = { .domain = &world.guard.functions[0].domain, .io = &io,
				    .system = "test", .disk = &disk };
	int err = attach_vhost_user.create(&world.attachment, &host, &conf, why);

	free(io.socket);
	if (err)
		return err;
	world.front = attach_vhost_user.disk(world.attachment);
	err = disk_card_bind(NULL, world.card, 1, world.front, &function, why);
	if (err)
		return err;
	world.front->namespaces[0] = disk_card_attach(NULL, world.card, 1, 1, DISK_READ_WRITE, why);
	return world.front->namespaces[0] ? 0 : -1;
}

static void on_end(uv_signal_t *handle, int number)
{
	(void)handle, (void)number;
	uv_close((uv_handle_t *)&world.ends[0], NULL);
	uv_close((uv_handle_t *)&world.ends[1], NULL);
	uv_close((uv_handle_t *)&world.rounds, NULL);
	/* Nothing new is taken: the card has nobody to take it from. */
	disk_card_pull(NULL, world.card);
	while (attach_vhost_user.end(world.attachment) || disk_card_unbind(NULL, world.card, 1))
		(void)poll_card();
	attach_vhost_user.destroy(world.attachment);
}

static int serve(const char *path, const struct medium_conf *medium)
{
	struct refusal why = { 0 };

	must(uv_loop_init(&world.loop) == 0);
	guard_world_open(&world.guard, 1);
	if (open_card(medium, &why))
		return fail("the disk card", &why);
	if (plug(path, &why))
		return fail("the socket", &why);
	fprintf(stderr, "%llu bytes, %s\n", (unsigned long long)world.medium->size,
		medium_how(world.medium));
	must(uv_signal_init(&world.loop, &world.ends[0]) == 0 &&
	     uv_signal_init(&world.loop, &world.ends[1]) == 0);
	must(uv_signal_start(&world.ends[0], on_end, SIGTERM) == 0);
	must(uv_signal_start(&world.ends[1], on_end, SIGINT) == 0);
	must(uv_idle_init(&world.loop, &world.rounds) == 0 &&
	     uv_idle_start(&world.rounds, on_round) == 0);
	printf("ready\n");
	fflush(stdout);
	uv_run(&world.loop, UV_RUN_DEFAULT);
	medium_close(world.medium);
	free(world.card);
	guard_world_close(&world.guard);
	return uv_loop_close(&world.loop) ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct medium_conf medium = { .kind = MEDIUM_MEMORY };

	if (argc == 4 && strcmp(argv[2], "memory") == 0) {
		medium.size = strtoull(argv[3], NULL, 10) << 20;
	} else if (argc >= 4 && argc <= 5 && strcmp(argv[2], "file") == 0) {
		medium.kind = MEDIUM_FILE;
		medium.path = argv[3];
		medium.size = argc == 5 ? strtoull(argv[4], NULL, 10) << 20 : 0;
	} else {
		fprintf(stderr, "Usage: vhost_disk_server SOCKET memory MIB\n"
				"       vhost_disk_server SOCKET file PATH [MIB]\n");
		return 2;
	}
	return serve(argv[1], &medium);
}
