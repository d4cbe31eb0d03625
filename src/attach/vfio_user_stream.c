/* Bytes and descriptors of one connection.  What one read brings is served in one turn of the loop; nothing is
 * read while a reply cannot go out or a command waits, so a client that floods us waits in its own socket. */
#include "attach/vfio_user_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BUFFER = VFIO_USER_HEADER_SIZE + VFIO_USER_PAYLOAD_MAX,
	CONTROL_FDS = VFIO_USER_FDS_MAX + 1, /* those above are closed by the kernel */
};

static void on_socket(uv_poll_t *poll, int status, int events);

bool vfuser_can_send(const struct vfio_user *vf)
{
	return vf->out_first == vf->out_end;
}

void vfuser_stream_rearm(struct vfio_user *vf)
{
	int events = UV_DISCONNECT;

	if (vf->fd < 0)
		return;
	if (vf->held && vfuser_can_send(vf)) {
		uv_poll_stop(vf->poll);
		return;
	}
	if (!vfuser_can_send(vf))
		events |= UV_WRITABLE;
	else if (!vf->parked)
		events |= UV_READABLE;
	must(uv_poll_start(vf->poll, events, on_socket) == 0);
}

static ssize_t send_bytes(struct vfio_user *vf, const int *fds, unsigned fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(VFUSER_DOORBELL_FDS * sizeof(int))];
	} control = { 0 };
	struct iovec piece = { vf->out + vf->out_first, vf->out_end - vf->out_first };
	struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1 };

	must(fd_count <= VFUSER_DOORBELL_FDS);
	if (fd_count) {
		head.msg_control = &control;
		head.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		control.align = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(fd_count * sizeof(int)), .cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		};
		memcpy(CMSG_DATA(&control.align), fds, fd_count * sizeof(int));
	}
	return sendmsg(vf->fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* What is left of vf->out; what the socket does not take now waits until it does. */
static int flush(struct vfio_user *vf, const int *fds, unsigned fd_count)
{
	while (vf->out_first < vf->out_end) {
		ssize_t sent = send_bytes(vf, fds, fd_count);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN ? 0 : -errno;
		vf->out_first += (uint32_t)sent;
		fd_count = 0; /* they go with the first byte */
	}
	return 0;
}

int vfuser_send(struct vfio_user *vf, const struct vfio_user_header *header, const int *fds,
		unsigned fd_count)
{
	must(vfuser_can_send(vf));
	if (vf->fd < 0)
		return 0;
	vfio_user_header_write(header, vf->out);
	vf->out_first = 0;
	vf->out_end = VFIO_USER_HEADER_SIZE + header->payload;
	if (flush(vf, fds, fd_count))
		return -EPIPE;
	/* A first byte that has not gone has its descriptors still: nobody keeps those. */
	if (fd_count && vf->out_first == 0)
		return -EAGAIN;
	return 0;
}

/* Keeps descriptors that came with the bytes; -EPROTO after closing those that are too many. */
static int keep_fds(struct vfio_user *vf, struct msghdr *from)
{
	int err = from->msg_flags & MSG_CTRUNC ? -EPROTO : 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(from); c; c = CMSG_NXTHDR(from, c)) {
		unsigned count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (unsigned i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (vf->fd_count < array_len(vf->fds)) {
				vf->fds[vf->fd_count++] = fd;
				continue;
			}
			close(fd);
			err = -EPROTO;
		}
	}
	return err;
}

/* Bytes read; 0 at the end; -errno. */
static ssize_t receive(struct vfio_user *vf, uint32_t room)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(CONTROL_FDS * sizeof(int))];
	} control;
	struct iovec piece = { vf->in + vf->in_end, room };
	struct msghdr head = {
		.msg_iov = &piece, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof control,
	};
	ssize_t got = recvmsg(vf->fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int err;

	if (got < 0)
		return -errno;
	err = keep_fds(vf, &head);
	vf->in_end += (uint32_t)got;
	return err ? err : got;
}

/* The next message, when all of it is there: 1; 0: more has to come; -EPROTO with 'why'. */
static int next_header(struct vfio_user *vf, struct vfio_user_header *header, struct refusal *why)
{
	uint32_t there = vf->in_end - vf->in_first;
	int err;

	if (there < VFIO_USER_HEADER_SIZE)
		return 0;
	err = vfio_user_header_read(header, vf->in + vf->in_first, why);
	if (err)
		return err;
	return there - VFIO_USER_HEADER_SIZE >= header->payload;
}

/* Gives a message its descriptors.  The kernel ends a read with the bytes that descriptors came with, so those
 * of this read belong to the last message in it, and those of reads before to the first. */
static int give_fds(struct vfio_user *vf, uint32_t end)
{
	struct vfuser_msg *msg = &vf->msg;
	unsigned count = end == vf->in_end ? vf->fd_count : vf->carried;

	if (count > VFIO_USER_FDS_MAX)
		return -EPROTO;
	memcpy(msg->fds, vf->fds, count * sizeof msg->fds[0]);
	msg->fd_count = count;
	vf->fd_count -= count;
	memmove(vf->fds, vf->fds + count, vf->fd_count * sizeof vf->fds[0]);
	vf->carried = 0;
	return 0;
}

static int serve_next(struct vfio_user *vf, struct refusal *why)
{
	struct vfuser_msg *msg = &vf->msg;
	int ready = next_header(vf, &msg->header, why);
	uint32_t end;

	if (ready <= 0)
		return ready;
	end = vf->in_first + VFIO_USER_HEADER_SIZE + msg->header.payload;
	if (give_fds(vf, end)) {
		refuse(why, "", "a message has more than %d descriptors", VFIO_USER_FDS_MAX);
		return -EPROTO;
	}
	msg->payload = vf->in + vf->in_first + VFIO_USER_HEADER_SIZE;
	vf->parked = !vfuser_serve(vf);
	vf->in_first = end;
	return 1;
}

/* Serves every whole message that is there. */
static int serve_all(struct vfio_user *vf, struct refusal *why)
{
	int more = 1;

	while (more > 0 && vf->fd >= 0 && !vf->parked && !vf->held && vfuser_can_send(vf)) {
		vfuser_copy_run(vf);
		vfuser_later_run(vf);
		if (vf->fd >= 0 && vfuser_can_send(vf))
			more = serve_next(vf, why);
	}
	return more < 0 ? more : 0;
}

/* Moves what is left to the front.  Bytes to be read at most: all of a large message, else a good deal. */
static uint32_t make_room(struct vfio_user *vf)
{
	uint32_t left = vf->in_end - vf->in_first, want = VFUSER_READ_BYTES;
	struct vfio_user_header header;

	if (vf->in_first)
		memmove(vf->in, vf->in + vf->in_first, left);
	vf->in_first = 0;
	vf->in_end = left;
	vf->carried = vf->fd_count;
	if (left >= VFIO_USER_HEADER_SIZE && !vfio_user_header_read(&header, vf->in, NULL) &&
	    VFIO_USER_HEADER_SIZE + header.payload > left)
		want = VFIO_USER_HEADER_SIZE + header.payload - left;
	return min_u32(BUFFER - left, want);
}

static int read_more(struct vfio_user *vf, struct refusal *why)
{
	ssize_t got = receive(vf, make_room(vf));

	if (got > 0 || got == -EAGAIN || got == -EINTR)
		return 0;
	if (got == 0 || got == -ECONNRESET)
		refuse(why, "", vf->in_end ? "the client went away in the middle of a message"
					   : "the client closed its socket");
	else
		refuse(why, "", got == -EPROTO ? "a message has more than %d descriptors"
					       : "reading the socket failed (limit %d)",
		       VFIO_USER_FDS_MAX);
	return got ? (int)got : -ECONNRESET;
}

void vfuser_stream_run(struct vfio_user *vf)
{
	struct refusal why = { 0 };

	if (vf->parked && vf->fd >= 0)
		vf->parked = !vfuser_serve(vf);
	if (serve_all(vf, &why))
		vfuser_disconnect(vf, why.text);
	vfuser_stream_rearm(vf);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct vfio_user *vf = poll->data;
	struct refusal why = { 0 };
	int err = 0;

	if (!vf || vf->fd < 0)
		return;
	if (status < 0) /* the loop says no more, and looks at it no more: an error shows itself in the read */
		events = UV_DISCONNECT;
	if (!vfuser_is_ready(vf)) {
		uv_poll_stop(vf->poll);
		return;
	}
	/* Whoever has stopped writing and does not read either, or gives up a command, is gone. */
	if (events & UV_DISCONNECT && (vf->parked || !vfuser_can_send(vf)))
		err = -ECONNRESET;
	else if (!vfuser_can_send(vf))
		err = flush(vf, NULL, 0);
	else if (!vf->parked && !vf->held)
		err = read_more(vf, &why);
	if (!err)
		err = serve_all(vf, &why);
	if (err < 0)
		vfuser_disconnect(vf, why.text[0] ? why.text : "the client closed its socket");
	else if (!vfuser_can_send(vf) || vf->parked || vf->held || !(events & UV_READABLE))
		vfuser_stream_rearm(vf);
}

int vfuser_stream_open(struct vfio_user *vf, int fd)
{
	int err;

	err = attach_poll_open(&vf->poll, vf->conf.loop, fd, vf);
	if (err)
		return err;
	vf->fd = fd;
	vf->in_first = vf->in_end = vf->out_first = vf->out_end = 0;
	vf->fd_count = vf->carried = 0;
	vf->parked = false;
	vfuser_stream_rearm(vf);
	return 0;
}

void vfuser_stream_close(struct vfio_user *vf)
{
	if (vf->fd < 0)
		return;
	for (unsigned i = 0; i < vf->fd_count; i++)
		close(vf->fds[i]);
	for (unsigned i = 0; i < vf->msg.fd_count; i++)
		if (vf->msg.fds[i] >= 0)
			close(vf->msg.fds[i]);
	vf->fd_count = vf->msg.fd_count = 0;
	vfuser_later_drop(vf);
	vf->parked = false;
	vf->in_first = vf->in_end = vf->out_first = vf->out_end = 0;
	attach_poll_close(&vf->poll);
	close(vf->fd);
	vf->fd = -1;
}
