/* Handing over: a connected client goes from one process to another, or comes back to this one, and sees no more of
 * it than a pause.  Here: holding still, and giving. */
#include "attach/vfio_user_hand.h"

#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Waiting for the moment. */

static bool is_connected(const struct vfio_user *vf)
{
	return vf->fd >= 0;
}

bool vfio_user_hold_still(struct vfio_user *vf)
{
	vf->held = true;
	if (vf->leaving || (!is_connected(vf) && vf->listener))
		uv_poll_stop(vf->listener);
	if (vf->leaving || !vfuser_is_ready(vf))
		return false;
	if (!is_connected(vf))
		return true;
	if (vf->parked || !vfuser_can_send(vf) || vf->copies || vfuser_map_is_changing(vf))
		return false;
	if (!vfuser_is_quiet(vf))
		return false;
	vfuser_stream_rearm(vf);
	return true;
}

/* What a device still meant to interrupt for when its state was saved is not in every state: once too often is no
 * harm, and once too few would leave a driver waiting. */
static void interrupt_once(struct vfio_user *vf)
{
	vfuser_hold(vf);
	for (unsigned i = 0; i < vf->function->vectors; i++)
		if (vf->vectors[i] >= 0)
			pci_function_interrupt(vf->function, i);
	if (vf->line_waits)
		pci_function_intx_mask(vf->function, PCI_UNMASKED);
	vf->line_waits = false;
	vfuser_release(vf);
}

void vfio_user_go_on(struct vfio_user *vf)
{
	vf->held = false;
	if (vf->taken) {
		vf->own_thread = true;
		interrupt_once(vf);
		vf->own_thread = vf->taken = false;
	}
	if (is_connected(vf)) {
		vfuser_stream_run(vf);
		if (is_connected(vf) && !vf->parked)
			vfuser_go_on(vf);
	} else if (!vf->leaving) {
		vfuser_go_on(vf);
		vfuser_listen(vf);
	}
}

bool vfio_user_has_client(const struct vfio_user *vf)
{
	return is_connected(vf) || vf->leaving;
}

/* Mapped pages. */

int vfuser_hand_pages(struct vfio_user *vf, unsigned bar, int fd)
{
	const struct pci_region *region = &vf->function->regions[bar];
	uint64_t offset = vf->conf.pages[bar].offset + region->mapped_first;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (own < 0)
		return -errno;
	if (mmap(region->mapped, region->mapped_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, own,
		 (off_t)offset) == MAP_FAILED) {
		int err = -errno;

		close(own);
		return err;
	}
	if (vf->own_pages[bar])
		close(vf->conf.pages[bar].fd);
	vf->conf.pages[bar].fd = own;
	vf->own_pages[bar] = true;
	return 0;
}

/* Files of ours in place of those that the client has mapped: what the function does from now on is its own. */
static int new_pages(struct vfio_user *vf, int fds[PCI_REGION_ROM])
{
	for (unsigned bar = 0; bar < PCI_REGION_ROM; bar++) {
		struct stat st;
		uint8_t *bytes;
		int err;

		fds[bar] = -1;
		if (!vfuser_hand_has_pages(vf, bar))
			continue;
		if (fstat(vf->conf.pages[bar].fd, &st))
			return -errno;
		err = vfio_user_pages((uint64_t)st.st_size, &fds[bar], &bytes);
		if (err)
			return err;
		munmap(bytes, (size_t)st.st_size);
	}
	return 0;
}

/* Giving. */

static int refuse_now(const struct vfio_user *vf, struct refusal *why)
{
	if (vf->migration.state != VFIO_USER_STATE_RUNNING) {
		refuse(why, "", "its client is migrating it (state %u): try again when that has ended",
		       vf->migration.state);
		return -EBUSY;
	}
	if (vf->log.bits) {
		refuse(why, "", "its client logs the pages that it writes, as for a migration: try again when "
				"that has ended");
		return -EBUSY;
	}
	for (const struct vfuser_file *file = vf->windows.files; file; file = file->next) {
		if (file->fd < 0) {
			refuse(why, "", "its client lent memory in more than %u files, more than are handed over",
			       VFUSER_FILES_KEPT);
			return -EFBIG;
		}
		if (guest_memory_lost(file->mapping)) {
			refuse(why, "", "its client took back memory that the function was using");
			return -EFAULT;
		}
	}
	return 0;
}

static void put_head(const struct vfio_user *vf, uint8_t *to, uint64_t state)
{
	uint32_t pages = 0, files = 0;

	for (unsigned bar = 0; bar < PCI_REGION_ROM; bar++)
		pages |= vfuser_hand_has_pages(vf, bar) ? UINT32_C(1) << bar : 0;
	for (const struct vfuser_file *file = vf->windows.files; file; file = file->next)
		files++;
	put_le32(to + HAND_AT_MAGIC, HAND_MAGIC);
	put_le32(to + HAND_AT_VERSION, HAND_VERSION);
	put_le32(to + HAND_AT_FLAGS, (vf->negotiated ? HAND_FLAG_NEGOTIATED : 0) |
				(vf->client.write_multi ? HAND_FLAG_WRITE_MULTI : 0) |
				(vf->client.twin_socket ? HAND_FLAG_TWIN : 0) |
				(vf->line >= 0 ? HAND_FLAG_LINE : 0) |
				(vf->function->intx_masked ? HAND_FLAG_LINE_MASKED : 0));
	put_le32(to + HAND_AT_NEXT_ID, vf->next_id);
	put_le16(to + HAND_AT_MAJOR, vf->client.major);
	put_le16(to + HAND_AT_MINOR, vf->client.minor);
	put_le32(to + HAND_AT_FDS, vf->client.fds);
	put_le32(to + HAND_AT_TRANSFER, vf->client.transfer);
	put_le32(to + HAND_AT_MAPS, vf->client.maps);
	put_le64(to + HAND_AT_PAGE_SIZES, vf->client.pages);
	put_le32(to + HAND_AT_VECTORS, vf->function->vectors);
	put_le32(to + HAND_AT_DOORBELLS, vf->doorbell_count);
	put_le32(to + HAND_AT_FILES, files);
	put_le32(to + HAND_AT_WINDOWS, vf->windows.count);
	put_le32(to + HAND_AT_PAGES, pages);
	put_le32(to + HAND_AT_UNREAD, vf->in_end - vf->in_first);
	put_le32(to + HAND_AT_CARRIED, vf->carried);
	put_le32(to + HAND_AT_UNREAD_FDS, vf->fd_count);
	put_le64(to + HAND_AT_STATE, state);
	for (unsigned i = 0; i < PCI_VECTORS_MAX / 64; i++)
		put_le64(to + HAND_AT_MASKED + 8 * i, vf->function->host_masked[i]);
}

static uint32_t file_index(const struct vfio_user *vf, const struct vfuser_file *wanted)
{
	uint32_t n = 0;

	if (!wanted)
		return HAND_NO_FILE;
	for (const struct vfuser_file *file = vf->windows.files; file != wanted; file = file->next)
		n++;
	return n;
}

static void put_windows(const struct vfio_user *vf, uint8_t *to)
{
	for (unsigned i = 0; i < vf->windows.count; i++, to += HAND_WINDOW_SIZE) {
		const struct dma_region *region = &vf->windows.regions[i];
		const struct vfuser_window *more = &vf->windows.more[i];
		uint64_t offset = 0;

		if (more->file)
			offset = more->file->first +
				 (uint64_t)(region->host - guest_memory_bytes(more->file->mapping));
		put_le64(to + HAND_WINDOW_ADDRESS, region->base);
		put_le64(to + HAND_WINDOW_BYTES, region->size);
		put_le64(to + HAND_WINDOW_OFFSET, offset);
		put_le32(to + HAND_WINDOW_ACCESS, more->access);
		put_le32(to + HAND_WINDOW_FILE, file_index(vf, more->file));
	}
}

static int put_bytes(struct vfio_user *vf, struct parcel *parcel)
{
	unsigned vectors = vf->function->vectors;
	uint32_t unread = vf->in_end - vf->in_first;
	size_t state, before = parcel->size, head;
	uint8_t *at;

	vfuser_hold(vf);
	state = pci_function_save(vf->function, NULL, 0);
	head = HAND_HEAD_SIZE + vectors + (size_t)vf->windows.count * HAND_WINDOW_SIZE + unread;
	at = parcel_extend(parcel, head + state);
	if (at)
		must(pci_function_save(vf->function, at + head, state) == state);
	vfuser_release(vf);
	if (!at)
		return -ENOMEM;
	put_head(vf, at, state);
	at += HAND_HEAD_SIZE;
	for (unsigned i = 0; i < vectors; i++)
		*at++ = vf->vectors[i] >= 0;
	put_windows(vf, at);
	at += (size_t)vf->windows.count * HAND_WINDOW_SIZE;
	if (unread)
		memcpy(at, vf->in + vf->in_first, unread);
	must(parcel->size - before == head + state);
	return 0;
}

static int put_fds(const struct vfio_user *vf, struct parcel *parcel)
{
	int err = parcel_add_fd(parcel, vf->fd);

	for (unsigned i = 0; !err && i < vf->function->vectors; i++)
		if (vf->vectors[i] >= 0)
			err = parcel_add_fd(parcel, vf->vectors[i]);
	if (!err && vf->line >= 0)
		err = parcel_add_fd(parcel, vf->line);
	for (unsigned i = 0; !err && i < vf->doorbell_count; i++)
		err = parcel_add_fd(parcel, vf->doorbell_fds[i]);
	for (const struct vfuser_file *file = vf->windows.files; !err && file; file = file->next)
		err = parcel_add_fd(parcel, file->fd);
	for (unsigned bar = 0; !err && bar < PCI_REGION_ROM; bar++)
		if (vfuser_hand_has_pages(vf, bar))
			err = parcel_add_fd(parcel, vf->conf.pages[bar].fd);
	for (unsigned i = 0; !err && i < vf->fd_count; i++)
		err = parcel_add_fd(parcel, vf->fds[i]);
	return err;
}

static void close_all(int fds[PCI_REGION_ROM])
{
	for (unsigned bar = 0; bar < PCI_REGION_ROM; bar++)
		if (fds[bar] >= 0)
			close(fds[bar]);
}

int vfio_user_give(struct vfio_user *vf, struct parcel *parcel, struct refusal *why)
{
	struct parcel made = { .bytes = NULL };
	int pages[PCI_REGION_ROM];
	int err = refuse_now(vf, why);

	must(vf->held && vf->quiesced && is_connected(vf) && !vf->parked && vfuser_can_send(vf));
	if (err)
		return err;
	err = new_pages(vf, pages);
	if (!err)
		err = put_bytes(vf, &made);
	if (!err)
		err = put_fds(vf, &made);
	vfuser_hold(vf);
	for (unsigned bar = 0; !err && bar < PCI_REGION_ROM; bar++)
		if (vfuser_hand_has_pages(vf, bar))
			err = vfuser_hand_pages(vf, bar, pages[bar]);
	vfuser_release(vf);
	close_all(pages);
	if (err) {
		refuse(why, "", "what its client uses cannot be collected: %s", uv_strerror(err));
		parcel_drop(&made);
		return err;
	}
	/* The client is there still: its memory and its descriptors go first. */
	vf->taken = false;
	vfuser_stream_close(vf);
	vfuser_irqs_drop_all(vf);
	vfuser_windows_drop(vf);
	vfuser_let_go(vf);
	*parcel = made;
	return 0;
}
