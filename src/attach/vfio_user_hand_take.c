/* Taking a client that another server gave: what comes in its parcel is held against the same rules as if the client
 * had said it. */
#include "attach/vfio_user_hand.h"

#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether a file is as vfio_user_pages() makes them, and of the size of the one we have. */
static bool are_pages(const struct vfio_user *vf, unsigned bar, int fd)
{
	struct stat ours, theirs;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & (F_SEAL_SHRINK | F_SEAL_GROW)) == (F_SEAL_SHRINK | F_SEAL_GROW) &&
	       !(seals & F_SEAL_WRITE) && fstat(fd, &theirs) == 0 &&
	       fstat(vf->conf.pages[bar].fd, &ours) == 0 && ours.st_size == theirs.st_size;
}

struct hand {
	const uint8_t *head, *vectors, *windows, *unread, *state;
	uint32_t vector_count, window_count, unread_size, unread_fds, pages, files, doorbells;
	uint64_t state_size;
	bool line;
	const int *socket, *vector_fds, *line_fd, *doorbell_fds, *file_fds, *page_fds, *unread_fd;
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

	if (parcel->size < HAND_HEAD_SIZE || get_le32(head + HAND_AT_MAGIC) != HAND_MAGIC)
		return damaged(why, "it is no connection");
	if (get_le32(head + HAND_AT_VERSION) != HAND_VERSION || get_le32(head + HAND_AT_FLAGS) & ~(uint32_t)HAND_FLAGS)
		return damaged(why, "its version");
	*h = (struct hand){
		.head = head,
		.vector_count = get_le32(head + HAND_AT_VECTORS), .window_count = get_le32(head + HAND_AT_WINDOWS),
		.unread_size = get_le32(head + HAND_AT_UNREAD), .unread_fds = get_le32(head + HAND_AT_UNREAD_FDS),
		.pages = get_le32(head + HAND_AT_PAGES), .files = get_le32(head + HAND_AT_FILES),
		.doorbells = get_le32(head + HAND_AT_DOORBELLS), .state_size = get_le64(head + HAND_AT_STATE),
	};
	h->line = get_le32(head + HAND_AT_FLAGS) & HAND_FLAG_LINE;
	if (h->vector_count != vf->function->vectors || (h->line && !pci_function_has_intx(vf->function)))
		return damaged(why, "the function has another number of interrupt vectors");
	if (h->window_count > VFUSER_WINDOWS_MAX || h->files > VFUSER_FILES_MAX ||
	    h->unread_size > VFIO_USER_HEADER_SIZE + VFIO_USER_PAYLOAD_MAX ||
	    h->unread_fds > array_len(vf->fds) || get_le32(head + HAND_AT_CARRIED) > h->unread_fds)
		return damaged(why, "its counts");
	if (h->doorbells > min_u32(vf->function->doorbells.count, VFUSER_DOORBELL_FDS))
		return damaged(why, "the function has other doorbells");
	for (unsigned bar = 0; bar < PCI_REGION_ROM; bar++)
		if ((h->pages >> bar & 1) != vfuser_hand_has_pages(vf, bar))
			return damaged(why, "the function has other mapped pages");
	if (h->pages >> PCI_REGION_ROM)
		return damaged(why, "mapped pages");
	return 0;
}

/* Where the parts are: all the bytes and all the descriptors belong to one. */
static int read_parts(const struct parcel *parcel, struct hand *h, struct refusal *why)
{
	uint64_t size = HAND_HEAD_SIZE + (uint64_t)h->vector_count + (uint64_t)h->window_count * HAND_WINDOW_SIZE +
			h->unread_size;
	unsigned routed = 0;

	if (size > parcel->size || h->state_size != parcel->size - size)
		return damaged(why, "its size");
	h->vectors = h->head + HAND_HEAD_SIZE;
	h->windows = h->vectors + h->vector_count;
	h->unread = h->windows + (size_t)h->window_count * HAND_WINDOW_SIZE;
	h->state = h->unread + h->unread_size;
	for (unsigned i = 0; i < h->vector_count; i++)
		routed += h->vectors[i] != 0;
	if (parcel->fd_count != 1 + routed + h->line + h->doorbells + h->files + count_bits(h->pages) + h->unread_fds)
		return damaged(why, "its descriptors");
	h->socket = parcel->fds;
	h->vector_fds = h->socket + 1;
	h->line_fd = h->vector_fds + routed;
	h->doorbell_fds = h->line_fd + h->line;
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
		if (vfuser_hand_has_pages(vf, bar) && !are_pages(vf, bar, *pages++))
			return damaged(why, "the mapped pages are of another size, or can shrink");
	return 0;
}

static int take_windows(struct vfio_user *vf, const struct hand *h, struct refusal *why)
{
	for (unsigned i = 0; i < h->window_count; i++) {
		const uint8_t *at = h->windows + (size_t)i * HAND_WINDOW_SIZE;
		const struct vfuser_grant g = {
			.offset = get_le64(at + HAND_WINDOW_OFFSET), .address = get_le64(at + HAND_WINDOW_ADDRESS),
			.size = get_le64(at + HAND_WINDOW_BYTES),
			.access = (uint8_t)(get_le32(at + HAND_WINDOW_ACCESS) & (DMA_READ | DMA_WRITE)),
		};
		uint32_t file = get_le32(at + HAND_WINDOW_FILE);
		int err;

		if (file != HAND_NO_FILE && file >= h->files)
			return damaged(why, "a window's file");
		err = vfuser_window_add(vf, &g, file == HAND_NO_FILE ? -1 : h->file_fds[file], why);
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

/* What it asks for is told once the function goes on, unless the client has yet to answer what it was told. */
static int take_line(struct vfio_user *vf, const struct hand *h)
{
	int fd = h->line ? fcntl(*h->line_fd, F_DUPFD_CLOEXEC, 0) : -1;

	if (h->line && fd < 0)
		return -errno;
	vfuser_line_set(vf, fd);
	vf->line_waits = !(get_le32(h->head + HAND_AT_FLAGS) & HAND_FLAG_LINE_MASKED);
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
		vf->function->host_masked[i] = get_le64(h->head + HAND_AT_MASKED + 8 * i);
	vf->function->intx_masked = true;
	err = pci_function_load(vf->function, h->state, (size_t)h->state_size);
	for (unsigned bar = 0; !err && bar < PCI_REGION_ROM; bar++)
		if (vfuser_hand_has_pages(vf, bar))
			err = vfuser_hand_pages(vf, bar, *pages++);
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
	vf->carried = get_le32(h->head + HAND_AT_CARRIED);
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
	uint32_t flags = get_le32(h->head + HAND_AT_FLAGS);

	vf->negotiated = flags & HAND_FLAG_NEGOTIATED;
	vf->next_id = (uint16_t)get_le32(h->head + HAND_AT_NEXT_ID);
	vf->client = (struct vfio_user_limits){
		.major = get_le16(h->head + HAND_AT_MAJOR), .minor = get_le16(h->head + HAND_AT_MINOR),
		.fds = get_le32(h->head + HAND_AT_FDS), .transfer = get_le32(h->head + HAND_AT_TRANSFER),
		.maps = get_le32(h->head + HAND_AT_MAPS), .pages = get_le64(h->head + HAND_AT_PAGE_SIZES),
		.write_multi = flags & HAND_FLAG_WRITE_MULTI, .twin_socket = flags & HAND_FLAG_TWIN,
	};
	vf->connections++;
	vf->taken = true;
}

int vfio_user_take(struct vfio_user *vf, const struct parcel *parcel, struct refusal *why)
{
	struct hand hand = { .head = NULL };
	int err = read_head(vf, parcel, &hand, why);

	must(vf->held && vf->fd < 0 && !vf->leaving);
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
		err = take_line(vf, &hand);
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
