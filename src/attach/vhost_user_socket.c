/* Bytes and descriptors of one vhost-user connection: at most one message is served in one turn of
 * the loop, so that a frontend that floods us leaves the others their turns. */
#include "attach/internal.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONTROL_FDS = 16 }; /* more than a message may have: those above are closed by the kernel */

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(CONTROL_FDS * sizeof(int))];
};

int vu_take_fd(struct vu_msg *msg, unsigned index)
{
	int fd;

	if (index >= msg->fd_count)
		return -1;
	fd = msg->fds[index];
	msg->fds[index] = -1;
	return fd;
}

static void msg_close_fds(struct vu_msg *msg)
{
	for (unsigned i = 0; i < msg->fd_count; i++)
		if (msg->fds[i] >= 0)
			close(msg->fds[i]);
	msg->fd_count = 0;
}

/* Keeps descriptors that came with the bytes; -EPROTO after closing those that are too many. */
static int keep_fds(struct vu_msg *msg, struct msghdr *from)
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
			if (msg->fd_count < VU_FDS_MAX) {
				msg->fds[msg->fd_count++] = fd;
				continue;
			}
			close(fd);
			err = -EPROTO;
		}
	}
	return err;
}

/* Bytes read; 0 at the end; -errno. */
static ssize_t receive(struct vhost_user *vu, uint8_t *to, size_t size)
{
	union control control;
	struct iovec piece = { to, size };
	struct msghdr head = {
		.msg_iov = &piece, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof control,
	};
	ssize_t got = recvmsg(vu->fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int err;

	if (got < 0)
		return -errno;
	err = keep_fds(&vu->msg, &head);
	return err ? err : got;
}

int vu_send(int fd, uint32_t request, uint32_t flags, const uint8_t *payload, uint32_t size,
	    int with_fd)
{
	uint8_t bytes[VHOST_USER_HEADER_SIZE + VU_PAYLOAD_MAX];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec piece = { bytes, VHOST_USER_HEADER_SIZE + size };
	struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1 };
	ssize_t sent;

	must(size <= VU_PAYLOAD_MAX);
	put_le32(bytes + VHOST_USER_HEADER_REQUEST, request);
	put_le32(bytes + VHOST_USER_HEADER_FLAGS, flags | VHOST_USER_VERSION);
	put_le32(bytes + VHOST_USER_HEADER_PAYLOAD_SIZE, size);
	if (size)
		memcpy(bytes + VHOST_USER_HEADER_SIZE, payload, size);
	if (with_fd >= 0) {
		head.msg_control = &control;
		head.msg_controllen = sizeof control;
		control.align = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		};
		memcpy(CMSG_DATA(&control.align), &with_fd, sizeof with_fd);
	}
	sent = sendmsg(fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return -errno;
	/* A message cut in two cannot be mended: the peer has stopped reading. */
	return (size_t)sent == piece.iov_len ? 0 : -EAGAIN;
}

/* What the frontend is told: 0, or that its request was refused. */
static int acknowledge(struct vhost_user *vu, bool refused)
{
	uint8_t payload[8];

	put_le64(payload, refused);
	return vu_send(vu->fd, vu->msg.request, VHOST_USER_FLAG_REPLY, payload, sizeof payload, -1);
}

/* Whether the frontend waits for a reply of the request's own: to SET_LOG_BASE only one that shares its log by a
 * descriptor.  What another got would be read as the answer to its next question. */
static bool replies(const struct vhost_user *vu, const struct vu_rule *rule)
{
	if (vu->msg.request == VHOST_USER_SET_LOG_BASE)
		return vu_has(vu->protocol_features, VHOST_USER_PROTOCOL_F_LOG_SHMFD);
	return rule->answer == VU_ANSWER_REPLY;
}

static int answer(struct vhost_user *vu, const struct vu_rule *rule)
{
	int err = 0;

	if (replies(vu, rule))
		err = vu_send(vu->fd, vu->msg.request, VHOST_USER_FLAG_REPLY, vu->msg.payload,
			      vu->msg.size, vu->reply_fd);
	else if (vu->msg.flags & VHOST_USER_FLAG_NEED_REPLY &&
		 vu_has(vu->protocol_features, VHOST_USER_PROTOCOL_F_REPLY_ACK))
		err = acknowledge(vu, false);
	if (vu->reply_fd >= 0)
		close(vu->reply_fd);
	vu->reply_fd = -1;
	return err;
}

/* Serves a whole message; -EINPROGRESS: not yet.  A refused one is answered so when the frontend listens for that, and
 * ends the connection otherwise: going on as if it had been carried out would be a lie. */
static int serve(struct vhost_user *vu, struct refusal *why)
{
	const struct vu_rule *rule;
	int err = vu_msg_check(&vu->msg, why);

	rule = vu_rule(vu->msg.request);
	if (!err)
		err = vu_quiet_for(vu, rule, &vu->msg, why);
	if (err == -EINPROGRESS)
		return err;
	if (!err)
		err = rule->serve(vu, &vu->msg, why);
	if (!vu->leaving)
		vu_quiet_end(vu);
	if (vu->fd < 0)
		return 0; /* the request ended the connection itself */
	if (!err) {
		err = answer(vu, rule);
		if (err)
			refuse(why, "", "the frontend does not read its replies");
		return err;
	}
	if (err == -EPROTO || (rule && replies(vu, rule)) ||
	    !(vu->msg.flags & VHOST_USER_FLAG_NEED_REPLY) ||
	    !vu_has(vu->protocol_features, VHOST_USER_PROTOCOL_F_REPLY_ACK))
		return err;
	vu_event(vu, "refused", "%s", why->text);
	return acknowledge(vu, true);
}

/* Reads on until a message is whole.  1: it is; 0: more has to come; -errno with 'why'. */
static int gather(struct vhost_user *vu, struct refusal *why)
{
	for (;;) {
		bool in_header = vu->got < VHOST_USER_HEADER_SIZE;
		uint32_t whole = VHOST_USER_HEADER_SIZE + (in_header ? 0 : vu->msg.size);
		uint8_t *to = in_header ? vu->header + vu->got
					: vu->msg.payload + (vu->got - VHOST_USER_HEADER_SIZE);
		ssize_t got;
		int err;

		if (!in_header && vu->got == whole)
			return 1;
		got = receive(vu, to, whole - vu->got);
		if (got == -EAGAIN || got == -EINTR)
			return 0;
		if (got == 0 || got == -ECONNRESET) {
			refuse(why, "", vu->got ? "the frontend went away in the middle of a message"
						: "the frontend closed its socket");
			return -ECONNRESET;
		}
		if (got < 0) {
			refuse(why, "", got == -EPROTO ? "a message has more than %d descriptors"
						       : "reading the socket failed (limit %d)",
			       VU_FDS_MAX);
			return (int)got;
		}
		vu->got += (uint32_t)got;
		if (in_header && vu->got == VHOST_USER_HEADER_SIZE) {
			err = vu_msg_header(&vu->msg, vu->header, why);
			if (err)
				return err;
		}
	}
}

void vu_socket_go_on(struct vhost_user *vu)
{
	struct refusal why = { 0 };
	int err;

	if (!vu_ready(vu))
		return;
	err = gather(vu, &why);
	if (err == 1) {
		err = serve(vu, &why);
		if (err == -EINPROGRESS)
			return; /* it is kept, and comes here again */
		msg_close_fds(&vu->msg);
		vu->got = 0;
	}
	if (err < 0)
		vu_disconnect(vu, why.text);
	else
		vu_look(vu);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct vhost_user *vu = poll->data;

	(void)events;
	if (!vu || vu->fd < 0)
		return;
	if (status < 0) /* the loop looks at it no more: an error shows itself in the read, behind what waits there */
		vu_socket_resume(vu);
	vu_socket_go_on(vu);
}

int vu_socket_open(struct vhost_user *vu, int fd)
{
	int err;

	err = attach_poll_open(&vu->poll, vu->host.loop, fd, vu);
	if (err)
		return err;
	vu->fd = fd;
	vu->got = 0;
	vu->msg.fd_count = 0;
	return uv_poll_start(vu->poll, UV_READABLE | UV_DISCONNECT, on_readable);
}

void vu_socket_wait(struct vhost_user *vu)
{
	if (vu->fd >= 0)
		uv_poll_stop(vu->poll);
}

void vu_socket_resume(struct vhost_user *vu)
{
	if (vu->fd >= 0)
		must(uv_poll_start(vu->poll, UV_READABLE | UV_DISCONNECT, on_readable) == 0);
}

void vu_socket_close(struct vhost_user *vu)
{
	if (vu->fd < 0)
		return;
	msg_close_fds(&vu->msg);
	attach_poll_close(&vu->poll);
	close(vu->fd);
	vu->fd = -1;
	vu->got = 0;
}
