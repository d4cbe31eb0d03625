/* bench/idle_guests.c -- guests that are connected and do nothing: each a vhost-user frontend with its
 * rings running and receive buffers posted, all of them in one process that sleeps.
 *
 * idle_guests SOCKET...   says "connected" when all are, and sleeps until it is ended
 *
 * A poll-mode driver that sits idle would take a core to look at its empty rings; a kernel's driver
 * sleeps, and so does this. */
#include "tests/vhost_frontend/vhost_frontend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { RING_SIZE = 256, DESCRIPTORS_A_GUEST = 8 };

static const uint64_t features = UINT64_C(1) << 32 /* VIRTIO_F_VERSION_1 */ |
				 UINT64_C(1) << 30 /* VHOST_USER_F_PROTOCOL_FEATURES */;

static int connect_one(struct vfe *f, const char *path)
{
	int err;

	vfe_init(f);
	err = vfe_connect(f, path);
	return err ? err : vfe_start(f, features, 1, RING_SIZE);
}

int main(int argc, char **argv)
{
	rlim_t wanted = (rlim_t)argc * DESCRIPTORS_A_GUEST + 64;
	struct rlimit files = { wanted, wanted };
	struct vfe *guests = calloc((size_t)argc, sizeof(*guests));

	if (argc < 2 || !guests) {
		fprintf(stderr, "usage: idle_guests SOCKET...\n");
		return 2;
	}
	(void)setrlimit(RLIMIT_NOFILE, &files);
	for (int i = 1; i < argc; i++) {
		int err = connect_one(&guests[i], argv[i]);

		if (err) {
			fprintf(stderr, "idle_guests: %s: %s\n", argv[i], strerror(-err));
			return 1;
		}
	}
	puts("connected");
	fflush(stdout);
	for (;;)
		pause();
}
