/* What messages say about rings, and when that starts, moves and stops them.
 *
 * A ring starts when its size, its addresses, its kick message and memory under them are there, in
 * whatever order they came, and it is enabled: a base that comes after the kick is early enough.  New
 * addresses (a live migration that turns logging on) stop and start it within one hold. */
#include "attach/internal.h"

#include "base/bytes.h"
#include "os/patience.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

unsigned vu_ring_count(const struct vhost_user *vu)
{
	return vu->device->ops->queues(vu->device);
}

void vu_rings_init(struct vhost_user *vu)
{
	for (unsigned i = 0; i < VU_RINGS_MAX; i++)
		vu->rings[i] = (struct vu_ring){ .kick_fd = -1, .call_fd = -1, .err_fd = -1 };
}

static int ring_index(const struct vhost_user *vu, uint32_t index, struct refusal *why)
{
	if (index < vu_ring_count(vu))
		return 0;
	refuse(why, "", "ring %u does not exist: there are %u", index, vu_ring_count(vu));
	return -EINVAL;
}

/* Sizes of the three areas, virtio 1.2 sections 2.7 and 2.8. */
static uint64_t desc_bytes(const struct vu_ring *ring)
{
	return 16ull * ring->size;
}

static uint64_t avail_bytes(const struct vhost_user *vu, const struct vu_ring *ring)
{
	return vu_has(vu->features, VU_BIT_RING_PACKED) ? 4 : 4 + 2ull * ring->size;
}

static uint64_t used_bytes(const struct vhost_user *vu, const struct vu_ring *ring)
{
	return vu_has(vu->features, VU_BIT_RING_PACKED) ? 4 : 4 + 8ull * ring->size;
}

/* Whether everything is known; sets the addresses the front is given.  Behind an IOMMU ring
 * addresses are I/O virtual already. */
static bool locate(const struct vhost_user *vu, const struct vu_ring *ring, uint64_t *desc,
		   uint64_t *avail, uint64_t *used)
{
	if (!ring->size || !ring->has_addr || !ring->has_kick || !vu->memory)
		return false;
	if (vu->translated) {
		*desc = ring->desc;
		*avail = ring->avail;
		*used = ring->used;
		return true;
	}
	return vu_user_to_guest(vu, ring->desc, desc_bytes(ring), desc) &&
	       vu_user_to_guest(vu, ring->avail, avail_bytes(vu, ring), avail) &&
	       vu_user_to_guest(vu, ring->used, used_bytes(vu, ring), used);
}

static bool ring_enabled(const struct vhost_user *vu, const struct vu_ring *ring)
{
	return !vu_has(vu->features, VHOST_USER_F_PROTOCOL_FEATURES) || ring->wanted;
}

static void unwatch(struct vhost_user *vu, struct vu_ring *ring)
{
	if (ring->watched)
		vu->host.unwatch(vu->host.owner, vu->front, ring->kick_fd);
	ring->watched = false;
}

/* Stops ring 'index' if it runs.  Under the hold. */
static void stop_held(struct vhost_user *vu, unsigned index)
{
	struct vu_ring *ring = &vu->rings[index];

	if (vu->device->ops->ring_runs(vu->device, index))
		ring->base = ring->reached = vu->device->ops->ring_stop(vu->device, index);
}

static int start_held(struct vhost_user *vu, unsigned index, struct refusal *why)
{
	struct vu_ring *ring = &vu->rings[index];
	struct virtio_ring_conf conf = {
		.size = ring->size, .desc = ring->at_desc, .driver = ring->at_avail,
		.device = ring->at_used, .base = ring->base,
		.log_used = (ring->addr_flags & VHOST_VRING_F_LOG) != 0, .log_addr = ring->log,
	};
	int err;

	conf.inflight = vu_inflight_of(vu, index, &conf.inflight_size);
	err = vu->device->ops->ring_start(vu->device, index, &conf, why);
	if (err)
		return err;
	vu->device->ops->ring_set_call(vu->device, index, ring->call_fd >= 0);
	vu->device->ops->ring_enable(vu->device, index, ring_enabled(vu, ring));
	return 0;
}

/* Signals from the control thread, which has no patience else. */
static bool signal_once(struct vhost_user *vu, int fd, bool is_socket)
{
	struct patience patience;
	bool signalled = patience_begin(&patience) == 0 && vu_signal(fd, is_socket);

	patience_end(&patience);
	if (!signalled)
		atomic_store(&vu->blocked, true);
	return signalled;
}

/* Brings ring 'index' to what is known of it now: started, moved, or stopped because its memory went
 * away.  'again': stopped and started even if nothing moved. */
/* A ring without a kick descriptor is one whose driver is not going to kick. */
static void note_polled(struct vhost_user *vu)
{
	vu->front->polled = false;
	for (unsigned i = 0; i < vu_ring_count(vu); i++)
		vu->front->polled |= vu->rings[i].has_kick && vu->rings[i].kick_fd < 0 &&
				     vu->device->ops->ring_runs(vu->device, i);
}

static int settle(struct vhost_user *vu, unsigned index, bool again, struct refusal *why)
{
	struct vu_ring *ring = &vu->rings[index];
	uint64_t desc = 0, avail = 0, used = 0;
	bool there = locate(vu, ring, &desc, &avail, &used);
	bool moved = desc != ring->at_desc || avail != ring->at_avail || used != ring->at_used;
	bool runs;
	int err = 0;

	attach_hold(vu->front);
	runs = vu->device->ops->ring_runs(vu->device, index);
	if (runs && (!there || moved || again)) {
		stop_held(vu, index);
		runs = false;
	}
	/* One that is stopped and disabled stays so: its base may still be on its way.  In quarantine what
	 * is said is kept for later. */
	there = there && (runs || ring_enabled(vu, ring)) && !vu->quarantined[0];
	if (there && !runs) {
		ring->at_desc = desc;
		ring->at_avail = avail;
		ring->at_used = used;
		err = start_held(vu, index, why);
	}
	note_polled(vu);
	attach_release(vu->front);
	if (err == -EAGAIN)
		vu->ring_waits = true;
	if (!there || err) {
		unwatch(vu, ring);
		return err == -EAGAIN ? 0 : err;
	}
	if (!ring->watched && ring->kick_fd >= 0) {
		ring->watched = true;
		vu->host.watch(vu->host.owner, vu->front, ring->kick_fd);
	}
	/* What a stop published was told to nobody. */
	if (!runs && vu->kind->pace == VU_LASTING && ring->call_fd >= 0)
		(void)signal_once(vu, ring->call_fd, ring->call_is_socket);
	vu->host.wake(vu->host.owner, vu->front);
	return 0;
}

void vu_rings_reread(struct vhost_user *vu)
{
	struct refusal why = { 0 };

	if (vu->kind->pace != VU_LASTING)
		return;
	for (unsigned i = 0; i < vu_ring_count(vu); i++)
		if (settle(vu, i, true, &why))
			vu_event(vu, "refused", "ring %u does not start: %s", i, why.text);
}

void vu_rings_settle(struct vhost_user *vu)
{
	struct refusal why = { 0 };

	for (unsigned i = 0; i < vu_ring_count(vu); i++)
		if (settle(vu, i, false, &why))
			vu_event(vu, "refused", "ring %u does not start: %s", i, why.text);
}

void vu_rings_stop(struct vhost_user *vu)
{
	for (unsigned i = 0; i < vu_ring_count(vu); i++)
		unwatch(vu, &vu->rings[i]);
	attach_hold(vu->front);
	for (unsigned i = 0; i < vu_ring_count(vu); i++)
		stop_held(vu, i);
	attach_release(vu->front);
}

void vu_rings_enable(struct vhost_user *vu)
{
	attach_hold(vu->front);
	for (unsigned i = 0; i < vu_ring_count(vu); i++)
		if (vu->device->ops->ring_runs(vu->device, i))
			vu->device->ops->ring_enable(vu->device, i, ring_enabled(vu, &vu->rings[i]));
	attach_release(vu->front);
	vu->host.wake(vu->host.owner, vu->front);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vu_rings_forget(struct vhost_user *vu)
{
	vu_rings_stop(vu);
	attach_hold(vu->front);
	for (unsigned i = 0; i < vu_ring_count(vu); i++)
		close_fd(&vu->rings[i].call_fd);
	attach_release(vu->front);
	for (unsigned i = 0; i < vu_ring_count(vu); i++) {
		close_fd(&vu->rings[i].kick_fd);
		close_fd(&vu->rings[i].err_fd);
	}
	vu_rings_init(vu);
}

void vu_rings_reset(struct vhost_user *vu)
{
	vu_rings_stop(vu);
	for (unsigned i = 0; i < vu_ring_count(vu); i++) {
		struct vu_ring *ring = &vu->rings[i];

		close_fd(&ring->kick_fd);
		/* A frontend that stops its guest (QEMU 7.2) may say status 0 first, and then ask how far each
		 * ring came, to go on there. */
		*ring = (struct vu_ring){ .kick_fd = -1, .call_fd = ring->call_fd,
					  .err_fd = ring->err_fd, .reached = ring->reached,
					  .call_is_socket = ring->call_is_socket,
					  .call_blocks = ring->call_blocks,
					  .err_is_socket = ring->err_is_socket };
	}
}

void vu_rings_fail(struct vhost_user *vu)
{
	for (unsigned i = 0; i < vu_ring_count(vu); i++)
		if (vu->rings[i].err_fd >= 0 &&
		    !signal_once(vu, vu->rings[i].err_fd, vu->rings[i].err_is_socket))
			return;
}

int vu_set_vring_num(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	uint32_t index = get_le32(msg->payload + VHOST_USER_STATE_INDEX);
	uint32_t size = get_le32(msg->payload + VHOST_USER_STATE_NUM);

	if (ring_index(vu, index, why))
		return -EINVAL;
	if (size == 0 || size > vu->kind->ring_max) {
		refuse(why, "", "ring %u has %u entries, not 1 to %u", index, size,
		       vu->kind->ring_max);
		return -EINVAL;
	}
	vu->rings[index].size = size;
	return settle(vu, index, true, why);
}

/* Complains of a ring that should run now and has no memory under it. */
static int check_memory(const struct vhost_user *vu, unsigned index, struct refusal *why)
{
	const struct vu_ring *ring = &vu->rings[index];
	uint64_t desc, avail, used;

	if (!ring->size || !ring->has_addr || !ring->has_kick || !vu->memory ||
	    !vu->memory->count || locate(vu, ring, &desc, &avail, &used))
		return 0;
	refuse(why, "", "ring %u (0x%llx, 0x%llx, 0x%llx) is not inside the memory table", index,
	       (unsigned long long)ring->desc, (unsigned long long)ring->avail,
	       (unsigned long long)ring->used);
	return -EINVAL;
}

int vu_set_vring_addr(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	uint32_t index = get_le32(msg->payload + VHOST_USER_ADDR_INDEX);
	struct vu_ring *ring;
	int err = ring_index(vu, index, why);

	if (err)
		return err;
	ring = &vu->rings[index];
	ring->addr_flags = get_le32(msg->payload + VHOST_USER_ADDR_FLAGS);
	ring->desc = get_le64(msg->payload + VHOST_USER_ADDR_DESC);
	ring->used = get_le64(msg->payload + VHOST_USER_ADDR_USED);
	ring->avail = get_le64(msg->payload + VHOST_USER_ADDR_AVAIL);
	ring->log = get_le64(msg->payload + VHOST_USER_ADDR_LOG);
	ring->has_addr = true;
	err = settle(vu, index, true, why);
	return err ? err : check_memory(vu, index, why);
}

int vu_set_vring_base(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	uint32_t index = get_le32(msg->payload + VHOST_USER_STATE_INDEX);

	if (ring_index(vu, index, why))
		return -EINVAL;
	attach_hold(vu->front);
	stop_held(vu, index);
	attach_release(vu->front);
	vu->rings[index].base = vu->rings[index].reached =
		get_le32(msg->payload + VHOST_USER_STATE_NUM);
	return settle(vu, index, false, why);
}

int vu_get_vring_base(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	uint32_t index = get_le32(msg->payload + VHOST_USER_STATE_INDEX);
	struct vu_ring *ring;

	if (ring_index(vu, index, why))
		return -EINVAL;
	ring = &vu->rings[index];
	unwatch(vu, ring);
	attach_hold(vu->front);
	stop_held(vu, index);
	attach_release(vu->front);
	/* It starts again with its next SET_VRING_KICK. */
	ring->has_kick = false;
	close_fd(&ring->kick_fd);
	put_le32(msg->payload + VHOST_USER_STATE_NUM, ring->reached);
	msg->size = VHOST_USER_STATE_BYTES;
	return 0;
}

/* Reads SET_VRING_KICK, _CALL, _ERR: the ring, and the descriptor or -1 when there is none. */
static int vring_fd(struct vhost_user *vu, struct vu_msg *msg, unsigned *index, int *fd,
		    struct refusal *why)
{
	uint64_t said = get_le64(msg->payload);
	bool without = (said & VHOST_USER_VRING_NOFD) != 0;
	int err;

	*index = (unsigned)(said & VHOST_USER_VRING_INDEX_MASK);
	err = ring_index(vu, *index, why);
	if (err)
		return err;
	if (without == (msg->fd_count != 0)) {
		refuse(why, "", "ring %u: the no-descriptor flag and %u descriptors disagree",
		       *index, msg->fd_count);
		return -EINVAL;
	}
	*fd = vu_take_fd(msg, 0);
	return 0;
}

enum fd_kind { FD_OTHER, FD_EVENTFD, FD_PIPE, FD_SOCKET };

/* What a descriptor is by the name that the kernel itself gives it: to ask the descriptor would ask
 * the file system behind it, which may be the frontend's own (FUSE) and never answer. */
static enum fd_kind fd_kind(int fd)
{
	static const struct {
		const char *begins;
		enum fd_kind kind;
	} rows[] = {
		{ "anon_inode:[eventfd]", FD_EVENTFD },
		{ "pipe:[", FD_PIPE },
		{ "socket:[", FD_SOCKET },
	};
	char name[64], link[64];
	ssize_t length;

	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	length = readlink(name, link, sizeof link - 1);
	link[length > 0 ? length : 0] = '\0';
	for (unsigned i = 0; i < array_len(rows); i++)
		if (strncmp(link, rows[i].begins, strlen(rows[i].begins)) == 0)
			return rows[i].kind;
	return FD_OTHER;
}

int vu_set_vring_kick(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	unsigned index;
	struct vu_ring *ring;
	int fd = -1, err = vring_fd(vu, msg, &index, &fd, why);

	if (err)
		return err;
	if (fd >= 0 && fd_kind(fd) == FD_OTHER) {
		refuse(why, "", "ring %u: a kick descriptor is no eventfd, pipe or socket", index);
		close(fd);
		return -EINVAL;
	}
	ring = &vu->rings[index];
	unwatch(vu, ring);
	close_fd(&ring->kick_fd);
	ring->kick_fd = fd;
	ring->has_kick = true;
	err = settle(vu, index, false, why);
	return err ? err : check_memory(vu, index, why);
}

bool vu_signal(int fd, bool is_socket)
{
	uint64_t one = 1;
	ssize_t sent;

	if (is_socket)
		sent = send(fd, &one, sizeof one, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		sent = write(fd, &one, sizeof one);
	return sent >= 0 || errno != EINTR;
}

/* Whether this frontend made us wait lately. */
static bool distrusted(struct vhost_user *vu)
{
	uint64_t now_ms = uv_now(vu->host.loop);

	if (atomic_exchange(&vu->blocked, false))
		vu->distrust_until_ms = now_ms + VU_DISTRUST_MS;
	return now_ms < vu->distrust_until_ms;
}

static int own_pipe_end(int *fd, const char *name, struct refusal *why)
{
	int own = open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	if (own < 0) {
		refuse(why, "", "the call pipe has no reader");
		return -errno;
	}
	close(*fd);
	*fd = own;
	return 0;
}

/* Checks a descriptor that a worker will write to: an eventfd, a pipe or a socket (as user-mode Linux
 * sends), and none that blocks it.  A pipe is opened anew, so that its other holders cannot change
 * how it blocks; a send to a socket says each time that it must not; an eventfd can do neither,
 * so whoever let one block is not believed again for a while. */
static int writable_fd(struct vhost_user *vu, int *fd, bool *is_socket, struct refusal *why)
{
	enum fd_kind kind = fd_kind(*fd);
	char name[64];

	*is_socket = kind == FD_SOCKET;
	if (kind == FD_SOCKET)
		return 0;
	snprintf(name, sizeof name, "/proc/self/fd/%d", *fd);
	if (kind == FD_PIPE)
		return own_pipe_end(fd, name, why);
	if (kind == FD_OTHER) {
		refuse(why, "", "a call descriptor is no eventfd, pipe or socket");
		return -EINVAL;
	}
	if (distrusted(vu)) {
		refuse(why, "", "this frontend made an eventfd block: none is taken from it for %d s",
		       VU_DISTRUST_MS / 1000);
		return -EPERM;
	}
	return fcntl(*fd, F_SETFL, fcntl(*fd, F_GETFL) | O_NONBLOCK) ? -errno : 0;
}

int vu_set_vring_call(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	unsigned index;
	bool runs, is_socket = false;
	int fd = -1, old, err = vring_fd(vu, msg, &index, &fd, why);

	if (!err && fd >= 0)
		err = writable_fd(vu, &fd, &is_socket, why);
	if (err) {
		if (fd >= 0)
			close(fd);
		return err;
	}
	attach_hold(vu->front);
	old = vu->rings[index].call_fd;
	vu->rings[index].call_fd = fd;
	vu->rings[index].call_is_socket = is_socket;
	vu->rings[index].call_blocks = false;
	vu->device->ops->ring_set_call(vu->device, index, fd >= 0);
	runs = vu->device->ops->ring_runs(vu->device, index);
	attach_release(vu->front);
	if (old >= 0)
		close(old);
	/* What was signalled on the old one may not have been seen: one call too many does no harm. */
	if (fd >= 0 && runs)
		(void)signal_once(vu, fd, is_socket);
	return 0;
}

int vu_set_vring_err(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	unsigned index;
	bool is_socket = false;
	int fd = -1, err = vring_fd(vu, msg, &index, &fd, why);

	if (!err && fd >= 0)
		err = writable_fd(vu, &fd, &is_socket, why);
	if (err) {
		if (fd >= 0)
			close(fd);
		return err;
	}
	close_fd(&vu->rings[index].err_fd);
	vu->rings[index].err_fd = fd;
	vu->rings[index].err_is_socket = is_socket;
	return 0;
}

int vu_set_vring_enable(struct vhost_user *vu, struct vu_msg *msg, struct refusal *why)
{
	uint32_t index = get_le32(msg->payload + VHOST_USER_STATE_INDEX);
	uint32_t on = get_le32(msg->payload + VHOST_USER_STATE_NUM);

	if (ring_index(vu, index, why))
		return -EINVAL;
	if (on > 1) {
		refuse(why, "", "SET_VRING_ENABLE says %u, not 0 or 1", on);
		return -EINVAL;
	}
	vu->rings[index].wanted = on == 1;
	vu_rings_enable(vu);
	return settle(vu, index, false, why);
}
