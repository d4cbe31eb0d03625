/* attach/parcel.h -- what one process hands over to another: bytes, and the descriptors that they speak of in order.
 *
 * Threads: control.  Memory: what is put in is copied; parcel_drop() gives all of it back. */
#ifndef ATTACH_PARCEL_H
#define ATTACH_PARCEL_H

#include "base/base.h"

struct parcel {
	uint8_t *bytes;
	size_t size, room;
	int *fds; /* the parcel's, but for those that were taken out: -1 */
	unsigned fd_count, fd_room;
};

/* Closes its descriptors and frees what it has; it is empty then. */
void parcel_drop(struct parcel *parcel);

/* Room for 'size' more bytes at the end, zeroed; NULL: no memory. */
uint8_t *parcel_extend(struct parcel *parcel, size_t size);
/* Adds a copy of a descriptor: 0, or -errno. */
int parcel_add_fd(struct parcel *parcel, int fd);
/* Adds descriptors, which are the parcel's from then on: 0; -ENOMEM, and they are the caller's still. */
int parcel_give_fds(struct parcel *parcel, const int *fds, unsigned count);

#endif
