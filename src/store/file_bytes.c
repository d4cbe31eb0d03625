#include "store/file_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads until the end or until there is more than 'most'. */
static int read_up_to(int fd, size_t most, struct file_bytes *file)
{
	size_t room = file->size + 2 < most + 2 ? file->size + 2 : most + 2;
	ssize_t n = 1;

	file->size = 0;
	while (n != 0) {
		char *bigger = realloc(file->bytes, room);

		if (!bigger)
			return -ENOMEM;
		file->bytes = bigger;
		n = read(fd, file->bytes + file->size, room - 1 - file->size);
		if (n < 0 && errno != EINTR)
			return -errno;
		file->size += n > 0 ? (size_t)n : 0;
		if (file->size > most)
			return -EFBIG;
		if (file->size == room - 1)
			room = room < most / 2 ? 2 * room : most + 2;
	}
	file->bytes[file->size] = 0;
	return 0;
}

static int read_regular(int fd, size_t most, struct file_bytes *file)
{
	struct stat what;

	if (fstat(fd, &what) != 0)
		return -errno;
	if (S_ISDIR(what.st_mode))
		return -EISDIR;
	if (!S_ISREG(what.st_mode))
		return -EINVAL;
	file->device = what.st_dev;
	file->inode = what.st_ino;
	file->size = what.st_size > 0 ? (size_t)what.st_size : 0; /* may be wrong by now */
	return read_up_to(fd, most, file);
}

int file_bytes_read(const char *path, size_t most, struct file_bytes *file)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;

	*file = (struct file_bytes){ 0 };
	if (fd < 0)
		return -errno;
	err = read_regular(fd, most, file);
	close(fd);
	if (err)
		file_bytes_free(file);
	return err;
}

void file_bytes_free(struct file_bytes *file)
{
	free(file->bytes);
	file->bytes = NULL;
}

const char *file_bytes_error(int err)
{
	if (err == -EINVAL)
		return "it is no regular file";
	if (err == -EFBIG)
		return "it is too large";
	return strerror(-err);
}
