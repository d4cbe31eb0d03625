/* Handing over: a connected client goes from one process to another, or comes back to this one, and sees no more of
 * it than a pause.
 *
 * What is handed over is a parcel: a head, then what it counts, then the bytes of the client that nobody has served,
 * and the function's migration state; descriptors in the order of head, vectors, doorbells, files, pages and
 * unread messages.  What comes in a parcel is held against the same rules as if the client had said it. */
#include "attach/vfio_user_internal.h"

#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	HAND_MAGIC = 0x4855464d, /* "MFUH" */
	HAND_VERSION = 1,
	/* The head. */
	AT_MAGIC = 0,
	AT_VERSION = 4,
	AT_FLAGS = 8,
	AT_NEXT_ID = 12,
	AT_MAJOR = 16,
	AT_MINOR = 18,
	AT_FDS = 20,
	AT_TRANSFER = 24,
	AT_MAPS = 28,
	AT_PAGE_SIZES = 32,
	AT_VECTORS = 40,   /* how many the function has: a byte each, whether a descriptor came */
	AT_DOORBELLS = 44, /* descriptors */
	AT_FILES = 48,     /* a descriptor each */
	AT_WINDOWS = 52,
	AT_PAGES = 56,     /* bit n: BAR n has mapped pages, and a descriptor */
	AT_UNREAD = 60,    /* bytes, and descriptors that came with them: with the first message, in all */
	AT_CARRIED = 64,
	AT_UNREAD_FDS = 68,
	AT_STATE = 72,     /* bytes, 64 bits */
	AT_MASKED = 80,    /* vectors that the client masks, a bit each */
	HEAD_SIZE = AT_MASKED + PCI_VECTORS_MAX / 8,

	FLAG_NEGOTIATED = 1,
	FLAG_WRITE_MULTI = 2,
	FLAG_TWIN = 4,
	FLAGS = 7,

	/* A window. */
	WINDOW_ADDRESS = 0,
	WINDOW_BYTES = 8,
	WINDOW_OFFSET = 16,
	WINDOW_ACCESS = 24,
	WINDOW_FILE = 28, /* NO_FILE: reached by messages */
	WINDOW_SIZE = 32,
};
#define NO_FILE UINT32_MAX

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

void vfio_user_go_on(struct vfio_user *vf)
{
	vf->held = false;
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

static bool has_pages(const struct vfio_user *vf, unsigned bar)
{
	return vf->function->regions[bar].mapped_size && vf->conf.pages[bar].fd >= 0;
}

/* Puts a file where the function has its mapped piece: nothing of the function moves.  The server keeps its own
 * descriptor from then on.  Under the hold. */
static int put_pages(struct vfio_user *vf, unsigned bar, int fd)
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

/* Whether a file is as vfio_user_pages() makes them, and of the size of the one we have. */
static bool are_pages(const struct vfio_user *vf, unsigned bar, int fd)
{
	struct stat ours, theirs;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) == (F_SEAL_SHRINK | F_SEAL_GROW) &&
	       !(seals & F_SEAL_WRITE) && fstat(fd, &theirs) == 0 &&
	       fstat(vf->conf.pages[bar].fd, &ours) == 0 && ours.st_size == theirs.st_size;
}

/* Files of ours in place of those that the client has mapped: what the function does from now on is its own. */
static int new_pages(struct vfio_user *vf, int fds[PCI_REGION_ROM])
{
	for (unsigned bar = 0; bar < PCI_REGION_ROM; bar++) {
		struct stat st;
		uint8_t *bytes;
		int err;

		fds[bar] = -1;
		if (!has_pages(vf, bar))
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
		pages |= has_pages(vf, bar) ? UINT32_C(1) << bar : 0;
	for (const struct vfuser_file *file = vf->windows.files; file; file = file->next)
		files++;
	put_le32(to + AT_MAGIC, HAND_MAGIC);
	put_le32(to + AT_VERSION, HAND_VERSION);
	put_le32(to + AT_FLAGS, (vf->negotiated ? FLAG_NEGOTIATED : 0) |
				(vf->client.write_multi ? FLAG_WRITE_MULTI : 0) |
				(vf->client.twin_socket ? FLAG_TWIN : 0));
	put_le32(to + AT_NEXT_ID, vf->next_id);
	put_le16(to + AT_MAJOR, vf->client.major);
	put_le16(to + AT_MINOR, vf->client.minor);
	put_le32(to + AT_FDS, vf->client.fds);
	put_le32(to + AT_TRANSFER, vf->client.transfer);
	put_le32(to + AT_MAPS, vf->client.maps);
	put_le64(to + AT_PAGE_SIZES, vf->client.pages);
	put_le32(to + AT_VECTORS, vf->function->vectors);
	put_le32(to + AT_DOORBELLS, vf->doorbell_count);
	put_le32(to + AT_FILES, files);
	put_le32(to + AT_WINDOWS, vf->windows.count);
	put_le32(to + AT_PAGES, pages);
	put_le32(to + AT_UNREAD, vf->in_end - vf->in_first);
	put_le32(to + AT_CARRIED, vf->carried);
	put_le32(to + AT_UNREAD_FDS, vf->fd_count);
	put_le64(to + AT_STATE, state);
	for (unsigned i = 0; i < PCI_VECTORS_MAX / 64; i++)
		put_le64(to + AT_MASKED + 8 * i, vf->function->host_masked[i]);
}

static uint32_t file_index(const struct vfio_user *vf, const struct vfuser_file *wanted)
{
	uint32_t n = 0;

	if (!wanted)
		return NO_FILE;
	for (const struct vfuser_file *file = vf->windows.files; file != wanted; file = file->next)
		n++;
	return n;
}

static void put_windows(const struct vfio_user *vf, uint8_t *to)
{
	for (unsigned i = 0; i < vf->windows.count; i++, to += WINDOW_SIZE) {
		const struct dma_region *region = &vf->windows.regions[i];
		const struct vfuser_window *more = &vf->windows.more[i];
		uint64_t offset = 0;

		if (more->file)
			offset = more->file->first +
				 (uint64_t)(region->host - guest_memory_bytes(more->file->mapping));
		put_le64(to + WINDOW_ADDRESS, region->base);
		put_le64(to + WINDOW_BYTES, region->size);
		put_le64(to + WINDOW_OFFSET, offset);
		put_le32(to + WINDOW_ACCESS, more->access);
		put_le32(to + WINDOW_FILE, file_index(vf, more->file));
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
	head = HEAD_SIZE + vectors + (size_t)vf->windows.count * WINDOW_SIZE + unread;
	at = parcel_extend(parcel, head + state);
	if (at)
		must(pci_function_save(vf->function, at + head, state) == state);
	vfuser_release(vf);
	if (!at)
		return -ENOMEM;
	put_head(vf, at, state);
	at += HEAD_SIZE;
	for (unsigned i = 0; i < vectors; i++)
		*at++ = vf->vectors[i] >= 0;
	put_windows(vf, at);
	at += (size_t)vf->windows.count * WINDOW_SIZE;
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
	for (unsigned i = 0; !err && i < vf->doorbell_count; i++)
		err = parcel_add_fd(parcel, vf->doorbell_fds[i]);
	for (const struct vfuser_file *file = vf->windows.files; !err && file; file = file->next)
		err = parcel_add_fd(parcel, file->fd);
	for (unsigned bar = 0; !err && bar < PCI_REGION_ROM; bar++)
		if (has_pages(vf, bar))
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
		if (has_pages(vf, bar))
			err = put_pages(vf, bar, pages[bar]);
	vfuser_release(vf);
	close_all(pages);
	if (err) {
		refuse(why, "", "what its client uses cannot be collected: %s", uv_strerror(err));
		parcel_drop(&made);
		return err;
	}
	/* The client is there still: its memory and its descriptors go first. */
	vfuser_stream_close(vf);
	vfuser_irqs_drop(vf);
	vfuser_windows_drop(vf);
	vfuser_let_go(vf);
	*parcel = made;
	return 0;
}

/* Taking. */

struct hand {
	const uint8_t *head, *vectors, *windows, *unread, *state;
	uint32_t vector_count, window_count, unread_size, unread_fds, pages, files, doorbells;
	uint64_t state_size;
	const int *socket, *vector_fds, *doorbell_fds, *file_fds, *page_fds, *unread_fd;
};

static int damaged(struct refusal *why, const char *what)
{
	refuse(why, "", "what was handed over is damaged or of another version: %s", what);
	return -EINVAL;
}

static unsigned count_bits(uint32_t bits)
{
	unsigned n = 0;

	for (; bits; bits &= bits - 1)
		n++;
	return n;
}

static int read_head(const struct vfio_user *vf, const struct parcel *parcel, struct hand *h, struct refusal *why)
{
	const uint8_t *head = parcel->bytes;

	if (parcel->size < HEAD_SIZE || get_le32(head + AT_MAGIC) != HAND_MAGIC)
		return damaged(why, "it is no connection");
	if (get_le32(head + AT_VERSION) != HAND_VERSION || get_le32(head + AT_FLAGS) & ~(uint32_t)FLAGS)
		return damaged(why, "its version");
	*h = (struct hand){
		.head = head,
		.vector_count = get_le32(head + AT_VECTORS), .window_count = get_le32(head + AT_WINDOWS),
		.unread_size = get_le32(head + AT_UNREAD), .unread_fds = get_le32(head + AT_UNREAD_FDS),
		.pages = get_le32(head + AT_PAGES), .files = get_le32(head + AT_FILES),
		.doorbells = get_le32(head + AT_DOORBELLS), .state_size = get_le64(head + AT_STATE),
	};
	if (h->vector_count != vf->function->vectors)
		return damaged(why, "the function has another number of interrupt vectors");
	if (h->window_count > VFUSER_WINDOWS_MAX || h->files > VFUSER_FILES_MAX ||
	    h->unread_size > VFIO_USER_HEADER_SIZE + VFIO_USER_PAYLOAD_MAX ||
	    h->unread_fds > array_len(vf->fds) || get_le32(head + AT_CARRIED) > h->unread_fds)
		return damaged(why, "its counts");
	if (h->doorbells > min_u32(vf->function->doorbells.count, VFUSER_DOORBELL_FDS))
		return damaged(why, "the function has other doorbells");
	for (unsigned bar = 0; bar < PCI_REGION_ROM; bar++)
		if ((h->pages >> bar & 1) != has_pages(vf, bar))
			return damaged(why, "the function has other mapped pages");
	if (h->pages >> PCI_REGION_ROM)
		return damaged(why, "mapped pages");
	return 0;
}

/* Where the parts are: all the bytes and all the descriptors belong to one. */
static int read_parts(const struct parcel *parcel, struct hand *h, struct refusal *why)
{
	uint64_t size = HEAD_SIZE + (uint64_t)h->vector_count + (uint64_t)h->window_count * WINDOW_SIZE +
			h->unread_size;
	unsigned routed = 0;

	if (size > parcel->size || h->state_size != parcel->size - size)
		return damaged(why, "its size");
	h->vectors = h->head + HEAD_SIZE;
	h->windows = h->vectors + h->vector_count;
	h->unread = h->windows + (size_t)h->window_count * WINDOW_SIZE;
	h->state = h->unread + h->unread_size;
	for (unsigned i = 0; i < h->vector_count; i++)
		routed += h->vectors[i] != 0;
	if (parcel->fd_count != 1 + routed + h->doorbells + h->files + count_bits(h->pages) + h->unread_fds)
		return damaged(why, "its descriptors");
	h->socket = parcel->fds;
	h->vector_fds = h->socket + 1;
	h->doorbell_fds = h->vector_fds + routed;
	h->file_fds = h->doorbell_fds + h->doorbells;
	h->page_fds = h->file_fds + h->files;
	h->unread_fd = h->page_fds + count_bits(h->pages);
	return 0;
}

static bool is_stream(int fd)
{
	int type = 0, domain = 0, listens = 1;
	socklen_t size = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && !listens;
}

static int check_fds(const struct vfio_user *vf, const struct hand *h, struct refusal *why)
{
	const int *pages = h->page_fds;

	if (!is_stream(*h->socket))
		return damaged(why, "the client's socket is none");
	for (const int *fd = h->vector_fds; fd < h->file_fds; fd++)
		if (!vfuser_is_eventfd(*fd))
			return damaged(why, "a descriptor of interrupts or doorbells is no eventfd");
	for (unsigned bar = 0; bar < PCI_REGION_ROM; bar++)
		if (has_pages(vf, bar) && !are_pages(vf, bar, *pages++))
			return damaged(why, "the mapped pages are of another size, or can shrink");
	return 0;
}

static int take_windows(struct vfio_user *vf, const struct hand *h, struct refusal *why)
{
	for (unsigned i = 0; i < h->window_count; i++) {
		const uint8_t *at = h->windows + (size_t)i * WINDOW_SIZE;
		const struct vfuser_grant g = {
			.offset = get_le64(at + WINDOW_OFFSET), .address = get_le64(at + WINDOW_ADDRESS),
			.size = get_le64(at + WINDOW_BYTES),
			.access = (uint8_t)(get_le32(at + WINDOW_ACCESS) & (DMA_READ | DMA_WRITE)),
		};
		uint32_t file = get_le32(at + WINDOW_FILE);
		int err;

		if (file != NO_FILE && file >= h->files)
			return damaged(why, "a window's file");
		err = vfuser_window_add(vf, &g, file == NO_FILE ? -1 : h->file_fds[file], why);
		if (err)
			return err;
	}
	return 0;
}

static int take_vectors(struct vfio_user *vf, const struct hand *h)
{
	int fds[PCI_VECTORS_MAX];
	unsigned next = 0;

	for (unsigned i = 0; i < h->vector_count; i++) {
		fds[i] = h->vectors[i] ? fcntl(h->vector_fds[next++], F_DUPFD_CLOEXEC, 0) : -1;
		if (h->vectors[i] && fds[i] < 0) {
			int err = -errno;

			while (i--)
				if (fds[i] >= 0)
					close(fds[i]);
			return err;
		}
	}
	vfuser_irqs_set(vf, fds);
	return 0;
}

static int take_doorbells(struct vfio_user *vf, const struct hand *h)
{
	for (unsigned i = 0; i < h->doorbells; i++) {
		int fd = fcntl(h->doorbell_fds[i], F_DUPFD_CLOEXEC, 0);
		int err = fd < 0 ? -errno : vfuser_doorbell_add(vf, fd);

		if (err)
			return err;
	}
	return 0;
}

/* The state, and then the pages that the client may have written to since it was saved: within one hold. */
static int take_state(struct vfio_user *vf, const struct hand *h)
{
	const int *pages = h->page_fds;
	int err;

	vfuser_hold(vf);
	for (unsigned i = 0; vf->function->routed && i < PCI_VECTORS_MAX / 64; i++)
		vf->function->host_masked[i] = get_le64(h->head + AT_MASKED + 8 * i);
	err = pci_function_load(vf->function, h->state, (size_t)h->state_size);
	for (unsigned bar = 0; !err && bar < PCI_REGION_ROM; bar++)
		if (has_pages(vf, bar))
			err = put_pages(vf, bar, *pages++);
	vfuser_release(vf);
	return err;
}

static int take_stream(struct vfio_user *vf, const struct hand *h)
{
	int fd = fcntl(*h->socket, F_DUPFD_CLOEXEC, 0);
	int err = fd < 0 ? -errno : vfuser_stream_open(vf, fd);

	if (err) {
		if (fd >= 0)
			close(fd);
		return err;
	}
	if (h->unread_size)
		memcpy(vf->in, h->unread, h->unread_size);
	vf->in_end = h->unread_size;
	vf->carried = get_le32(h->head + AT_CARRIED);
	for (unsigned i = 0; i < h->unread_fds; i++) {
		vf->fds[i] = fcntl(h->unread_fd[i], F_DUPFD_CLOEXEC, 0);
		if (vf->fds[i] < 0)
			return -errno;
		vf->fd_count++;
	}
	return 0;
}

static void take_terms(struct vfio_user *vf, const struct hand *h)
{
	uint32_t flags = get_le32(h->head + AT_FLAGS);

	vf->negotiated = flags & FLAG_NEGOTIATED;
	vf->next_id = (uint16_t)get_le32(h->head + AT_NEXT_ID);
	vf->client = (struct vfio_user_limits){
		.major = get_le16(h->head + AT_MAJOR), .minor = get_le16(h->head + AT_MINOR),
		.fds = get_le32(h->head + AT_FDS), .transfer = get_le32(h->head + AT_TRANSFER),
		.maps = get_le32(h->head + AT_MAPS), .pages = get_le64(h->head + AT_PAGE_SIZES),
		.write_multi = flags & FLAG_WRITE_MULTI, .twin_socket = flags & FLAG_TWIN,
	};
	vf->connections++;
}

int vfio_user_take(struct vfio_user *vf, const struct parcel *parcel, struct refusal *why)
{
	struct hand hand = { .head = NULL };
	int err = read_head(vf, parcel, &hand, why);

	must(vf->held && !is_connected(vf) && !vf->leaving);
	if (!err)
		err = read_parts(parcel, &hand, why);
	if (!err)
		err = check_fds(vf, &hand, why);
	if (err)
		return err;
	(void)vfuser_is_quiet(vf); /* nothing is under way without a client: it stays so */
	err = take_windows(vf, &hand, why);
	if (!err)
		err = take_vectors(vf, &hand);
	if (!err)
		err = take_doorbells(vf, &hand);
	if (!err)
		err = take_stream(vf, &hand);
	if (!err)
		err = take_state(vf, &hand);
	if (err) {
		if (why && !why->text[0])
			refuse(why, "", "its client cannot be taken over: %s",
			       err == -EINVAL ? "the state is damaged, or of another function" : uv_strerror(err));
		vfuser_stream_close(vf);
		vfuser_let_go(vf);
		return err;
	}
	take_terms(vf, &hand);
	uv_poll_stop(vf->listener);
	return 0;
}
