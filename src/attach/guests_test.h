/* attach/guests_test.h -- what the tests of vhost-user share: two guests on real sockets, the event loop, a
 * remapping unit and the smallest card, all in one thread. */
#ifndef ATTACH_GUESTS_TEST_H
#define ATTACH_GUESTS_TEST_H

#include "attach/host_test.h"
#include "attach/kinds.h"
#include "base/bytes.h"
#include "tests/check.h"
#include "tests/vhost_frontend/vhost_frontend.h"

#include <dirent.h>
#include <unistd.h>

enum { RING = 64, PAGE = 4096 };

#define VERSION_1 (UINT64_C(1) << 32)
#define ACCESS_PLATFORM (UINT64_C(1) << 33)
#define PROTOCOL (UINT64_C(1) << VHOST_USER_F_PROTOCOL_FEATURES)
#define LOG_ALL (UINT64_C(1) << VHOST_F_LOG_ALL)

struct world {
	struct test_host host;
	struct attachment *a[2];
	struct site_io io[2];
	char path[2][64], name[2][8];
	struct vfe guest[2];
};

static inline void pump(void *arg)
{
	test_host_round(&((struct world *)arg)->host);
}

static inline int plug(struct world *w, unsigned at, struct refusal *why)
{
	struct attach_conf conf = { .domain = test_host_domain(&w->host, at), .io = &w->io[at],
				    .system = "s", .mtu = 1500, .mac = 0x525400000001 + at };
	int err = attach_vhost_user.create(&w->a[at], &w->host.host, &conf, why);

	if (!err)
		test_host_bind(&w->host, at, w->a[at]->ops->front(w->a[at]));
	return err;
}

static inline void unplug(struct world *w, unsigned at)
{
	test_host_unbind(&w->host, at);
	if (w->a[at])
		w->a[at]->ops->destroy(w->a[at]);
	w->a[at] = NULL;
}

static inline struct world *world_create(enum site_socket_mode mode)
{
	struct world *w = calloc(1, sizeof *w);

	test_host_init(&w->host);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(w->path[i], sizeof w->path[i], "/tmp/mp-attach-%d-%u.sock", (int)getpid(), i);
		snprintf(w->name[i], sizeof w->name[i], "net%u", i);
		unlink(w->path[i]);
		w->io[i] = (struct site_io){ .name = w->name[i], .socket = w->path[i],
					     .socket_mode = mode, .queues = 2 };
		vfe_init(&w->guest[i]);
		w->guest[i].pump = pump;
		w->guest[i].pump_arg = w;
	}
	return w;
}

static inline void world_destroy(struct world *w)
{
	for (unsigned i = 0; i < 2; i++) {
		vfe_close(&w->guest[i]);
		unplug(w, i);
		assert_int_not_equal(access(w->path[i], F_OK), 0);
	}
	assert_int_equal(w->host.watches, 0);
	test_host_fini(&w->host);
	free(w);
}

/* Both guests up in server mode. */
static inline struct world *world_start(uint64_t features)
{
	struct world *w = world_create(SITE_SOCKET_SERVER);
	struct refusal why = { 0 };

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(plug(w, i, &why), 0);
		assert_int_equal(vfe_connect(&w->guest[i], w->path[i]), 0);
		assert_int_equal(vfe_start(&w->guest[i], features | VERSION_1, 1, RING), 0);
	}
	return w;
}

static inline void rounds(struct world *w, unsigned n)
{
	while (n--)
		pump(w);
}

static inline unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static inline void frame_of(uint8_t *frame, uint32_t size, unsigned number)
{
	memset(frame, 0xff, 6);
	memset(frame + 6, 0x02, 6);
	put_be16(frame + 12, 0x88b5);
	for (uint32_t i = 14; i < size; i++)
		frame[i] = (uint8_t)(number * 7 + i);
}

/* Sends 'n' frames from guest 'from'; returns how many arrived whole at the other, in order. */
static inline unsigned talk(struct world *w, unsigned from, unsigned n)
{
	uint8_t sent[1514], got[2048];
	unsigned arrived = 0;

	for (unsigned i = 0; i < n; i++) {
		uint32_t size = 60 + i * 13 % 1400, received = 0;

		frame_of(sent, size, i);
		if (vfe_transmit(&w->guest[from], 0, sent, size))
			break;
		for (unsigned tries = 0; !received && tries < 20; tries++) {
			pump(w);
			received = vfe_receive(&w->guest[1 - from], 0, got, sizeof got);
		}
		arrived += received == size && memcmp(got, sent, size) == 0;
	}
	return arrived;
}

#endif
