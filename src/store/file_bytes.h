/* store/file_bytes.h -- a whole regular file in memory.
 *
 * Threads: any.  Memory: the bytes are from malloc, the caller's. */
#ifndef STORE_FILE_BYTES_H
#define STORE_FILE_BYTES_H

#include <stddef.h>
#include <sys/types.h>

struct file_bytes {
	char *bytes; /* followed by a zero that 'size' does not count */
	size_t size;
	dev_t device; /* with 'inode', which file it is */
	ino_t inode;
};

/* Reads the file; a pipe or a device is not waited for.
 *
 * most   bytes that it may have
 *
 * 0; -EFBIG when it is larger; -EINVAL when it is no regular file; another negative errno when it
 * could not be read. */
int file_bytes_read(const char *path, size_t most, struct file_bytes *file);
void file_bytes_free(struct file_bytes *file);

/* What the negative errno of file_bytes_read means, for people. */
const char *file_bytes_error(int err);

#endif
