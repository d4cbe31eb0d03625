/* prog/vfio_user_medium.h -- an NVMe function that another process serves on a vfio-user socket, as the medium of a
 * disk card.
 *
 * The server is given one piece of memory, a file of ours; queues and buffers lie in it.  Doorbells that it lets
 * us map are written there.  Registers are messages, so they may take as long as the client's patience; while
 * the card runs there are none, but a look at a controller that gives no sign.
 *
 * A server that goes away is a controller that dies: the card ends all it is asked.
 *
 * Threads and memory: media/media.h. */
#ifndef PROG_VFIO_USER_MEDIUM_H
#define PROG_VFIO_USER_MEDIUM_H

#include "media/media.h"

/* path: of the socket; nsid, access: as struct medium_conf has them.  Errors as nvme_medium_open() and
 * vfio_user_client_open() have them, with 'why'. */
struct vfio_user_medium_conf {
	const char *path;
	uint32_t nsid;
	enum medium_access access;
};
int vfio_user_medium_open(struct medium **medium, const struct vfio_user_medium_conf *conf,
			  struct refusal *why);

#endif
