#include "attach/parcel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FDS_STEP = 64, BYTES_STEP = 4096 };

void parcel_drop(struct parcel *parcel)
{
	for (unsigned i = 0; i < parcel->fd_count; i++)
		if (parcel->fds[i] >= 0)
			close(parcel->fds[i]);
	free(parcel->fds);
	free(parcel->bytes);
	*parcel = (struct parcel){ .bytes = NULL };
}

uint8_t *parcel_extend(struct parcel *parcel, size_t size)
{
	if (size > SIZE_MAX / 4 || parcel->size > SIZE_MAX / 4)
		return NULL;
	if (size > parcel->room - parcel->size) {
		size_t room = parcel->size + size + parcel->size / 2 + BYTES_STEP;
		uint8_t *bytes = realloc(parcel->bytes, room);

		if (!bytes)
			return NULL;
		parcel->bytes = bytes;
		parcel->room = room;
	}
	memset(parcel->bytes + parcel->size, 0, size);
	parcel->size += size;
	return parcel->bytes + parcel->size - size;
}

int parcel_give_fds(struct parcel *parcel, const int *fds, unsigned count)
{
	if (count > parcel->fd_room - parcel->fd_count) {
		unsigned room = parcel->fd_count + count + FDS_STEP;
		int *more = realloc(parcel->fds, room * sizeof *more);

		if (!more)
			return -ENOMEM;
		parcel->fds = more;
		parcel->fd_room = room;
	}
	if (count)
		memcpy(parcel->fds + parcel->fd_count, fds, count * sizeof *fds);
	parcel->fd_count += count;
	return 0;
}

int parcel_add_fd(struct parcel *parcel, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0), err;

	if (copy < 0)
		return -errno;
	err = parcel_give_fds(parcel, &copy, 1);
	if (err)
		close(copy);
	return err;
}
