/* The windows through which the function reaches the client's memory.
 *
 * A client behind a virtual IOMMU maps and unmaps pages of the same few files all the time, so a file is
 * mapped once, whole, and a window is a place in it; it is unmapped with its last window. */
#include "attach/vfio_user_internal.h"

#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = VFIO_USER_DEFAULT_PAGE, WINDOWS_STEP = 256 };

/* Files. */

static void on_loss(void *owner)
{
	uv_async_send(owner); /* inside a signal handler: allowed */
}

static struct vfuser_file *find_file(const struct vfio_user *vf, const struct statx *st,
				     const struct vfuser_grant *grant)
{
	for (struct vfuser_file *file = vf->windows.files; file; file = file->next)
		if (file->shared && file->inode == st->stx_ino && file->dev_major == st->stx_dev_major &&
		    file->dev_minor == st->stx_dev_minor && grant->offset + grant->size <= file->size &&
		    !guest_memory_lost(file->mapping))
			return file;
	return NULL;
}

static int map_file(struct vfio_user *vf, int fd, const struct vfuser_grant *grant, struct vfuser_file **result)
{
	struct statx st = { 0 };
	struct vfuser_file *file;
	int err = -EINVAL;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_SIZE | STATX_INO, &st))
		return -errno;
	*result = S_ISREG(st.stx_mode) ? find_file(vf, &st, grant) : NULL;
	if (*result)
		return 0;
	file = calloc(1, sizeof *file);
	if (!file)
		return -ENOMEM;
	*file = (struct vfuser_file){ .dev_major = st.stx_dev_major, .dev_minor = st.stx_dev_minor,
				      .inode = st.stx_ino, .size = st.stx_size,
				      .shared = S_ISREG(st.stx_mode) };
	if (file->shared && grant->offset + grant->size <= file->size)
		err = guest_memory_map(fd, 0, file->size, &file->mapping);
	if (err) { /* a device, or a file that is too large to be mapped whole: the window alone */
		file->shared = false;
		file->first = grant->offset;
		file->size = grant->size;
		err = guest_memory_map(fd, file->first, file->size, &file->mapping);
	}
	if (err) {
		free(file);
		return err;
	}
	file->fd = vf->windows.fds_kept < VFUSER_FILES_KEPT ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	vf->windows.fds_kept += file->fd >= 0;
	guest_memory_on_loss(file->mapping, on_loss, vf->async);
	file->next = vf->windows.files;
	vf->windows.files = file;
	*result = file;
	return 0;
}

static void drop_file(struct vfio_user *vf, struct vfuser_file *file)
{
	struct vfuser_file **at = &vf->windows.files;

	while (*at != file)
		at = &(*at)->next;
	*at = file->next;
	guest_memory_unmap(file->mapping);
	if (file->fd >= 0) {
		close(file->fd);
		vf->windows.fds_kept--;
	}
	free(file);
}

bool vfuser_memory_lost(const struct vfio_user *vf)
{
	for (struct vfuser_file *file = vf->windows.files; file; file = file->next)
		if (guest_memory_lost(file->mapping))
			return true;
	return false;
}

/* Windows. */

unsigned vfuser_window_at(const struct vfuser_windows *w, uint64_t address)
{
	unsigned low = 0, high = w->count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (w->regions[middle].base + (w->regions[middle].size - 1) < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int make_room(struct vfio_user *vf)
{
	struct vfuser_windows *w = &vf->windows;
	unsigned room = w->room + WINDOWS_STEP + w->room / 2;
	struct dma_region *regions, *before = w->regions;
	struct vfuser_window *more;

	if (w->count < w->room)
		return 0;
	regions = calloc(room, sizeof *regions);
	more = calloc(room, sizeof *more);
	if (!regions || !more) {
		free(regions);
		free(more);
		return -ENOMEM;
	}
	if (w->count) {
		memcpy(regions, w->regions, w->count * sizeof *regions);
		memcpy(more, w->more, w->count * sizeof *more);
	}
	vfuser_hold(vf);
	free(w->more);
	w->regions = regions;
	w->more = more;
	w->room = room;
	vfuser_regions_moved(vf);
	vfuser_release(vf);
	free(before);
	return 0;
}

static void insert(struct vfuser_windows *w, unsigned at, const struct dma_region *region,
		   const struct vfuser_window *more)
{
	memmove(w->regions + at + 1, w->regions + at, (w->count - at) * sizeof *w->regions);
	memmove(w->more + at + 1, w->more + at, (w->count - at) * sizeof *w->more);
	w->regions[at] = *region;
	w->more[at] = *more;
	w->count++;
}

static void take_out(struct vfuser_windows *w, unsigned at, unsigned count)
{
	unsigned behind = w->count - at - count;

	memmove(w->regions + at, w->regions + at + count, behind * sizeof *w->regions);
	memmove(w->more + at, w->more + at + count, behind * sizeof *w->more);
	w->count -= count;
}

static void drop_unused_files(struct vfio_user *vf)
{
	for (struct vfuser_file *file = vf->windows.files, *next; file; file = next) {
		next = file->next;
		if (file->windows == 0)
			drop_file(vf, file);
	}
}

static void note_missing(struct vfio_user *vf, uint64_t size)
{
	uint64_t now_ms = uv_now(vf->conf.loop);

	vf->quiet_until_ms = now_ms + VFUSER_GRACE_MS;
	vf->missing_until_ms = now_ms + VFUSER_MISSING_MS;
	vf->missing_bytes += size;
}

static void note_given_back(struct vfio_user *vf, uint64_t size)
{
	if (!vf->quiet_until_ms)
		return;
	vf->quiet_until_ms = uv_now(vf->conf.loop) + VFUSER_GRACE_MS;
	vf->missing_bytes -= min_u64(vf->missing_bytes, size);
}

/* Takes windows away from the function, then from us: between them is nothing.  -ENOMEM: they stay. */
static int end_windows(struct vfio_user *vf, unsigned at, unsigned count)
{
	struct vfuser_windows *w = &vf->windows;
	uint64_t first = w->regions[at].base;
	uint64_t last = w->regions[at + count - 1].base + (w->regions[at + count - 1].size - 1);
	int err;

	for (unsigned i = at; i < at + count; i++)
		if (w->regions[i].size >= VFUSER_LARGE_BYTES)
			note_missing(vf, w->regions[i].size);
	vfuser_hold(vf);
	err = vfuser_ungrant(vf, first, last);
	if (!err) {
		for (unsigned i = at; i < at + count; i++)
			if (w->more[i].file)
				w->more[i].file->windows--;
		take_out(w, at, count);
		vfuser_regions_moved(vf);
	}
	vfuser_release(vf);
	drop_unused_files(vf);
	return err;
}

void vfuser_windows_drop(struct vfio_user *vf)
{
	/* All of a domain can always be taken back. */
	if (vf->windows.count)
		must(end_windows(vf, 0, vf->windows.count) == 0);
}

void vfuser_window_drop(struct vfio_user *vf, uint64_t address)
{
	unsigned at = vfuser_window_at(&vf->windows, address);

	if (at < vf->windows.count && vf->windows.regions[at].base == address)
		(void)end_windows(vf, at, 1);
}

/* Messages. */

static int check_grant(const struct vfio_user *vf, const struct vfuser_grant *g, struct refusal *why)
{
	const struct vfuser_windows *w = &vf->windows;
	uint64_t last = g->address + (g->size - 1);
	unsigned at;

	if (g->size == 0 || last < g->address || (g->address | g->size | g->offset) % PAGE ||
	    g->offset + g->size < g->offset) {
		refuse(why, "", "DMA_MAP of 0x%llx bytes at 0x%llx, offset 0x%llx: whole pages without a wrap "
				"are possible", (unsigned long long)g->size,
		       (unsigned long long)g->address, (unsigned long long)g->offset);
		return -EINVAL;
	}
	if (g->access == 0) {
		refuse(why, "", "DMA_MAP has flags 0x0: reading, writing, or both are possible");
		return -EINVAL;
	}
	at = vfuser_window_at(w, g->address);
	if (at < w->count && w->regions[at].base <= last) {
		refuse(why, "", "DMA_MAP at 0x%llx: something is mapped there",
		       (unsigned long long)w->regions[at].base);
		return -EEXIST;
	}
	if (w->count == VFUSER_WINDOWS_MAX) {
		refuse(why, "", "DMA_MAP: there are %u windows already", w->count);
		return -ENOSPC;
	}
	return 0;
}

static int refuse_map(const struct vfuser_grant *g, int err, struct refusal *why)
{
	refuse(why, "", "cannot map memory at 0x%llx, 0x%llx bytes: %s", (unsigned long long)g->address,
	       (unsigned long long)g->size,
	       err == -EINVAL ? "the file is shorter than that" :
	       err == -EPERM ? "its file is neither memory nor on a local disk" : uv_strerror(err));
	return err;
}

static int add_window(struct vfio_user *vf, const struct vfuser_grant *g, struct vfuser_file *file)
{
	struct dma_region region = { .base = g->address, .size = g->size, .user_base = g->address,
				     .host = VFUSER_NOWHERE };
	struct vfuser_window more = { .file = file, .access = g->access };
	int err = make_room(vf);

	if (err)
		return err;
	if (file)
		region.host = guest_memory_bytes(file->mapping) + (g->offset - file->first);
	vfuser_hold(vf);
	if (file)
		err = vfuser_grant(vf, &region, g->access);
	if (!err) {
		insert(&vf->windows, vfuser_window_at(&vf->windows, g->address), &region, &more);
		vfuser_regions_moved(vf);
		if (file)
			file->windows++;
	}
	vfuser_release(vf);
	return err;
}

int vfuser_window_add(struct vfio_user *vf, const struct vfuser_grant *g, int fd, struct refusal *why)
{
	struct vfuser_file *file = NULL;
	int err = check_grant(vf, g, why);

	if (err)
		return err;
	if (fd >= 0)
		err = map_file(vf, fd, g, &file);
	if (!err)
		err = add_window(vf, g, file);
	if (err && file && file->windows == 0)
		drop_file(vf, file);
	return err ? refuse_map(g, err, why) : 0;
}

int vfuser_dma_map(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	uint32_t flags = get_le32(msg->payload + VFIO_USER_MAP_FLAGS);
	struct vfuser_grant g = {
		.offset = get_le64(msg->payload + VFIO_USER_MAP_OFFSET),
		.address = get_le64(msg->payload + VFIO_USER_MAP_ADDRESS),
		.size = get_le64(msg->payload + VFIO_USER_MAP_BYTES),
		.access = (uint8_t)((flags & VFIO_USER_MAP_READ ? DMA_READ : 0) |
				    (flags & VFIO_USER_MAP_WRITE ? DMA_WRITE : 0)),
	};
	int err;

	if (flags & ~(uint32_t)(VFIO_USER_MAP_READ | VFIO_USER_MAP_WRITE)) {
		refuse(why, "", "DMA_MAP has flags 0x%x: reading, writing, or both are possible", flags);
		return -EINVAL;
	}
	err = vfuser_window_add(vf, &g, msg->fd_count ? msg->fds[0] : -1, why);
	if (err)
		return err;
	note_given_back(vf, g.size);
	if (vf->conf.host.wake)
		vf->conf.host.wake(vf->conf.host.owner);
	return 0;
}

/* The windows that lie inside address .. last: their number, or -EINVAL when one lies there in part only. */
static int windows_inside(const struct vfuser_windows *w, uint64_t address, uint64_t last, unsigned *at)
{
	unsigned end;

	*at = end = vfuser_window_at(w, address);
	while (end < w->count && w->regions[end].base <= last) {
		if (w->regions[end].base < address ||
		    w->regions[end].base + (w->regions[end].size - 1) > last)
			return -EINVAL;
		end++;
	}
	return (int)(end - *at);
}

int vfuser_dma_unmap(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	uint32_t flags = get_le32(msg->payload + VFIO_USER_UNMAP_FLAGS);
	uint64_t address = get_le64(msg->payload + VFIO_USER_UNMAP_ADDRESS);
	uint64_t size = get_le64(msg->payload + VFIO_USER_UNMAP_BYTES);
	uint64_t last = address + (size - 1);
	unsigned at;
	int count;

	memcpy(msg->reply, msg->payload, VFIO_USER_UNMAP_SIZE);
	msg->size = VFIO_USER_UNMAP_SIZE;
	if (flags == VFIO_USER_UNMAP_ALL && address == 0 && size == 0) {
		vfuser_windows_drop(vf);
		return 0;
	}
	if (flags || size == 0 || last < address) {
		refuse(why, "", "DMA_UNMAP of 0x%llx bytes at 0x%llx with flags 0x%x is none that can be",
		       (unsigned long long)size, (unsigned long long)address, flags);
		return -EINVAL;
	}
	count = windows_inside(&vf->windows, address, last, &at);
	if (count < 0) {
		refuse(why, "", "DMA_UNMAP of 0x%llx bytes at 0x%llx would cut a window in two",
		       (unsigned long long)size, (unsigned long long)address);
		return count;
	}
	/* Nothing there is as good as unmapped: a VMM sweeps all addresses when a guest turns its IOMMU on. */
	if (count == 0)
		return 0;
	count = end_windows(vf, at, (unsigned)count);
	if (count)
		refuse(why, "", "DMA_UNMAP: no memory for tables");
	return count;
}

bool vfuser_is_remote(const struct vfio_user *vf, uint64_t address, uint32_t size, uint8_t access)
{
	const struct vfuser_windows *w = &vf->windows;
	uint64_t last = address + (size - 1);

	if (size == 0 || last < address)
		return false;
	for (unsigned at = vfuser_window_at(w, address); at < w->count; at++) {
		const struct dma_region *r = &w->regions[at];

		if (r->base > address || w->more[at].file || (w->more[at].access & access) != access)
			return false;
		if (r->base + (r->size - 1) >= last)
			return true;
		address = r->base + r->size;
	}
	return false;
}
