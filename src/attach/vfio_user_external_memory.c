/* What a client grants an imported function.
 *
 * Every window is the domain's, as with functions of our own, and an access that comes by message goes through
 * it.  A function that is trusted is given the descriptors besides; one that is guarded has no other way. */
#include "attach/vfio_user_external.h"

#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void drop_file(struct external *x, struct external_file *file)
{
	struct external_file **at = &x->files;

	if (!file || --file->windows)
		return;
	while (*at != file)
		at = &(*at)->next;
	*at = file->next;
	close(file->fd);
	free(file);
}

static int keep_file(struct external *x, int fd, struct external_file **result)
{
	struct external_file *file;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	for (file = x->files; file; file = file->next)
		if (S_ISREG(st.st_mode) && file->dev == st.st_dev && file->inode == st.st_ino)
			break;
	if (!file) {
		file = calloc(1, sizeof *file);
		if (!file)
			return -ENOMEM;
		*file = (struct external_file){ .next = x->files, .dev = st.st_dev, .inode = st.st_ino,
						.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0) };
		if (file->fd < 0) {
			free(file);
			return -errno;
		}
		x->files = file;
	}
	file->windows++;
	*result = file;
	return 0;
}

int external_window_add(struct external *x, const struct vfuser_msg *msg)
{
	struct external_window window = {
		.address = get_le64(msg->payload + VFIO_USER_MAP_ADDRESS),
		.size = get_le64(msg->payload + VFIO_USER_MAP_BYTES),
		.offset = get_le64(msg->payload + VFIO_USER_MAP_OFFSET),
		.flags = get_le32(msg->payload + VFIO_USER_MAP_FLAGS),
	};
	bool trusted = vfio_user_import_trust(x->import) == VFIO_USER_IMPORT_TRUSTED;
	int err;

	if (x->window_count == x->window_room) {
		unsigned room = x->window_room * 2 + 16;
		struct external_window *more = realloc(x->windows, room * sizeof *more);

		if (!more)
			return -ENOMEM;
		x->windows = more;
		x->window_room = room;
	}
	err = trusted && msg->fd_count ? keep_file(x, msg->fds[0], &window.file) : 0;
	if (!err)
		x->windows[x->window_count++] = window;
	return err;
}

static bool touches(const struct external_window *window, uint64_t address, uint64_t last)
{
	return window->address <= last && window->address + (window->size - 1) >= address;
}

bool external_window_cut(const struct external *x, uint64_t address, uint64_t last)
{
	for (unsigned i = 0; i < x->window_count; i++) {
		const struct external_window *window = &x->windows[i];

		if (touches(window, address, last) &&
		    (window->address < address || window->address + (window->size - 1) > last))
			return true;
	}
	return false;
}

bool external_window_take(struct external *x, uint64_t address, uint64_t last, struct external_window *window)
{
	for (unsigned i = x->window_count; i-- > 0;) {
		if (!touches(&x->windows[i], address, last))
			continue;
		*window = x->windows[i];
		x->windows[i] = x->windows[--x->window_count];
		drop_file(x, window->file);
		window->file = NULL;
		return true;
	}
	return false;
}

static void write_map(uint8_t *payload, const struct external_window *window)
{
	put_le32(payload + VFIO_USER_MAP_ARGSZ, VFIO_USER_MAP_SIZE);
	put_le32(payload + VFIO_USER_MAP_FLAGS, window->flags);
	put_le64(payload + VFIO_USER_MAP_OFFSET, window->file ? window->offset : 0);
	put_le64(payload + VFIO_USER_MAP_ADDRESS, window->address);
	put_le64(payload + VFIO_USER_MAP_BYTES, window->size);
}

int external_window_ask(struct external *x, const struct external_window *window)
{
	uint8_t payload[VFIO_USER_MAP_SIZE];

	write_map(payload, window);
	return external_ask(x, VFIO_USER_DMA_MAP, payload, sizeof payload,
			    window->file ? &window->file->fd : NULL, window->file ? 1 : 0, 0);
}

int external_window_tell(struct external *x, const struct external_window *window)
{
	uint8_t payload[VFIO_USER_MAP_SIZE];

	write_map(payload, window);
	return external_tell(x, VFIO_USER_DMA_MAP, payload, sizeof payload,
			     window->file ? &window->file->fd : NULL, window->file ? 1 : 0);
}

void external_windows_drop(struct external *x)
{
	while (x->window_count)
		drop_file(x, x->windows[--x->window_count].file);
	free(x->windows);
	x->windows = NULL;
	x->window_room = 0;
}

/* Accesses. */

struct remote_copy {
	struct vfio_user_copy copy;
	struct vfio_user_import_dma *dma;
};

static void copied(struct vfio_user_copy *copy, int result)
{
	struct remote_copy *remote = container_of(copy, struct remote_copy, copy);

	vfio_user_import_served(remote->dma, result);
	free(remote);
}

/* The client lends it without a descriptor, so it is asked itself. */
static int ask_client(struct external *x, struct vfio_user_import_dma *dma)
{
	struct remote_copy *remote = calloc(1, sizeof *remote);
	int err;

	if (!remote)
		return -ENOMEM;
	remote->dma = dma;
	remote->copy = (struct vfio_user_copy){
		.direction = dma->command == VFIO_USER_DMA_READ ? VFIO_USER_FROM_CLIENT : VFIO_USER_TO_CLIENT,
		.address = dma->address, .size = dma->size, .bytes = dma->bytes, .done = copied,
	};
	err = vfio_user_copy(x->server, &remote->copy);
	if (!err)
		return -EINPROGRESS;
	free(remote);
	return err;
}

static int move(struct external *x, const struct vfio_user_import_dma *dma, enum dma_access access)
{
	for (uint32_t at = 0, got; at < dma->size; at += got) {
		uint8_t *host;

		if (dma_reach(&x->dma, dma->address + at, dma->size - at, access, &host, &got) != DMA_OK)
			return -EFAULT;
		if (access == DMA_READ) {
			memcpy(dma->bytes + at, host, got);
			continue;
		}
		memcpy(host, dma->bytes + at, got);
		dma_wrote(&x->dma, host, got);
	}
	return 0;
}

int external_dma(void *owner, struct vfio_user_import_dma *dma)
{
	struct external *x = owner;
	enum dma_access access = dma->command == VFIO_USER_DMA_READ ? DMA_READ : DMA_WRITE;

	if (x->quarantined[0] || !external_config_masters(x))
		return -EPERM;
	if (vfuser_is_remote(x->server, dma->address, dma->size, (uint8_t)access))
		return ask_client(x, dma);
	return move(x, dma, access);
}
