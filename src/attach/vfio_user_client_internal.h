/* attach/vfio_user_client_internal.h -- what the files of the vfio-user client share: vfio_user_client.c (what
 * callers ask for), vfio_user_client_link.c (messages), vfio_user_client_resume.c.
 *
 * Threads and memory: as attach/vfio_user_client.h has it. */
#ifndef ATTACH_VFIO_USER_CLIENT_INTERNAL_H
#define ATTACH_VFIO_USER_CLIENT_INTERNAL_H

#include "attach/vfio_user_client.h"
#include "attach/vfio_user_msg.h"

enum { VFCLIENT_CONFIG = 4096, VFCLIENT_FDS_MAX = 16,
	VFCLIENT_IN = VFIO_USER_HEADER_SIZE + VFIO_USER_PAYLOAD_MAX };

struct vfclient_irqs {
	uint32_t count, flags;
};

/* What must be the same after a restart: identity and the sizes of regions. */
struct vfclient_shape {
	uint32_t identity[3]; /* vendor and device, class and revision, subsystem */
	uint32_t spare;
	uint64_t sizes[VFIO_USER_CLIENT_REGIONS];
};

struct vfio_user_client {
	char path[108];
	int fd; /* -1: the server has gone */
	unsigned patience_ms;
	uint16_t next_id;
	struct vfio_user_limits server;
	uint32_t flags;
	struct vfio_user_client_region regions[VFIO_USER_CLIENT_REGIONS];
	struct vfclient_irqs irqs[VFIO_USER_IRQ_INDEXES];
	/* What a new server must be told. */
	struct vfio_user_client_window *windows;
	unsigned window_count, window_room;
	int eventfds[VFIO_USER_CLIENT_VECTORS];
	int line; /* of INTx; -1: none */
	uint32_t config[VFCLIENT_CONFIG / 4]; /* as it read after it was written */
	uint8_t written[VFCLIENT_CONFIG / 4];
	struct vfclient_shape shape, first; /* now, and when it was opened */
	/* The last message that came. */
	struct vfio_user_header header;
	const uint8_t *payload; /* in 'in' */
	int fds[VFCLIENT_FDS_MAX];
	unsigned fd_count;
	uint8_t *in, *out;
	uint32_t in_first, in_end; /* bytes that have come and were not looked at */
};

/* vfio_user_client_link.c: connects.  -errno. */
int vfclient_dial(struct vfio_user_client *client);
/* The socket waits as long as the client has patience. */
void vfclient_limit(const struct vfio_user_client *client);
/* Gives up the connection. */
void vfclient_hang_up(struct vfio_user_client *client);
/* A command whose payload of 'size' bytes lies behind the header in client->out, and its reply, which is then in
 * client->payload: at least 'least' bytes of it. */
int vfclient_ask(struct vfio_user_client *client, enum vfio_user_command command, uint32_t size,
		 const int *fds, unsigned fd_count, uint32_t least);
uint8_t *vfclient_out(struct vfio_user_client *client);

/* vfio_user_client.c: version, regions, interrupts. */
int vfclient_introduce(struct vfio_user_client *client, struct refusal *why);
int vfclient_send_window(struct vfio_user_client *client, const struct vfio_user_client_window *window);
int vfclient_send_line(struct vfio_user_client *client, int eventfd);
int vfclient_send_eventfds(struct vfio_user_client *client, unsigned first, unsigned count,
			   const int *fds, unsigned fd_count);
void vfclient_unmap_regions(struct vfio_user_client *client);

#endif
