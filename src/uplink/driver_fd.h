/* uplink/driver_fd.h -- the socket inside a driver that has no call to tell it: found among the
 * descriptors of this process, as the one that was not there before the port was opened.
 *
 * With it a sleeping worker is woken by the first frame, so an idle port costs nothing; and
 * frames that the kernel had no room for are counted.  Where nothing is found, the port is polled.
 *
 * Threads: control; no other thread opens packet or XDP sockets meanwhile. */
#ifndef UPLINK_DRIVER_FD_H
#define UPLINK_DRIVER_FD_H

#include "base/base.h"

enum { DRIVER_FD_LIMIT = 65536 };

struct driver_fd_set {
	uint64_t bits[DRIVER_FD_LIMIT / 64];
};

enum driver_fd_kind { DRIVER_FD_PACKET, DRIVER_FD_XDP };

/* All descriptors that are open now. */
void driver_fd_note(struct driver_fd_set *before);
/* The socket of this kind that is not in 'before'; -1 when there is none. */
int driver_fd_find(const struct driver_fd_set *before, enum driver_fd_kind kind);
/* Keeps frames that this host itself sends on the interface from arriving as if from the line.
 * -errno. */
int driver_fd_ignore_outgoing(int packet_fd);
/* Frames dropped for want of room since the last call. */
uint64_t driver_fd_dropped(int packet_fd);

#endif
