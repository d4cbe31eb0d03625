/* Messages of the vfio-user client: one command at a time, and the server's own questions in between. */
#include "attach/vfio_user_client_internal.h"

#include "base/bytes.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(VFCLIENT_FDS_MAX * sizeof(int))];
};

uint8_t *vfclient_out(struct vfio_user_client *client)
{
	return client->out + VFIO_USER_HEADER_SIZE;
}

static void close_fds(struct vfio_user_client *client)
{
	for (unsigned i = 0; i < client->fd_count; i++)
		if (client->fds[i] >= 0)
			close(client->fds[i]);
	client->fd_count = 0;
}

void vfclient_hang_up(struct vfio_user_client *client)
{
	close_fds(client);
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	client->in_first = client->in_end = 0;
}

void vfclient_limit(const struct vfio_user_client *client)
{
	struct timeval limit = { .tv_sec = client->patience_ms / 1000,
				 .tv_usec = client->patience_ms % 1000 * 1000 };

	if (client->fd >= 0)
		setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

int vfclient_dial(struct vfio_user_client *client)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	snprintf(where.sun_path, sizeof where.sun_path, "%s", client->path);
	if (connect(fd, (struct sockaddr *)&where, sizeof where)) {
		err = -errno;
		close(fd);
		return err;
	}
	client->fd = fd;
	vfclient_limit(client);
	return 0;
}

/* Waits until the server reads. */
static int wait_for_room(const struct vfio_user_client *client)
{
	struct pollfd one = { .fd = client->fd, .events = POLLOUT };
	int n;

	do
		n = poll(&one, 1, (int)client->patience_ms);
	while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

static int send_all(struct vfio_user_client *client, uint32_t size, const int *fds, unsigned fd_count)
{
	union control control = { 0 };

	for (uint32_t at = 0; at < size;) {
		struct iovec piece = { client->out + at, size - at };
		struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1 };
		ssize_t sent;
		int err;

		if (at == 0 && fd_count) {
			head.msg_control = &control;
			head.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
			control.align = (struct cmsghdr){
				.cmsg_len = CMSG_LEN(fd_count * sizeof(int)),
				.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
			};
			memcpy(CMSG_DATA(&control.align), fds, fd_count * sizeof(int));
		}
		sent = sendmsg(client->fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent >= 0) {
			at += (uint32_t)sent;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return errno == EPIPE ? -ECONNRESET : -errno;
		err = wait_for_room(client);
		if (err)
			return err;
	}
	return 0;
}

static int keep_fds(struct vfio_user_client *client, struct msghdr *head)
{
	int err = head->msg_flags & MSG_CTRUNC ? -EPROTO : 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(head); c; c = CMSG_NXTHDR(head, c)) {
		unsigned count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (unsigned i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (client->fd_count < VFCLIENT_FDS_MAX) {
				client->fds[client->fd_count++] = fd;
				continue;
			}
			close(fd);
			err = -EPROTO;
		}
	}
	return err;
}

/* Bytes read; -errno.  The read itself waits, for as long as the socket's time limit says. */
static ssize_t receive_some(struct vfio_user_client *client)
{
	union control control;
	struct iovec piece = { client->in + client->in_end, VFCLIENT_IN - client->in_end };
	struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control,
			       .msg_controllen = sizeof control };
	ssize_t got;
	int err;

	do
		got = recvmsg(client->fd, &head, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got == 0 ? -ECONNRESET : errno == EAGAIN ? -ETIMEDOUT : -errno;
	err = keep_fds(client, &head);
	client->in_end += (uint32_t)got;
	return err ? err : got;
}

/* Whether a whole message lies at in_first: 1, 0, or -EPROTO. */
static int message_is_there(struct vfio_user_client *client)
{
	uint32_t there = client->in_end - client->in_first;

	if (there < VFIO_USER_HEADER_SIZE)
		return 0;
	if (vfio_user_header_read(&client->header, client->in + client->in_first, NULL))
		return -EPROTO;
	return there - VFIO_USER_HEADER_SIZE >= client->header.payload;
}

/* The next message; most replies take one read.  The server sends descriptors with replies alone, and waits for
 * our next command then, so those that came are this message's. */
static int receive(struct vfio_user_client *client)
{
	int there;

	close_fds(client);
	while ((there = message_is_there(client)) == 0) {
		ssize_t got;

		if (client->in_first) {
			memmove(client->in, client->in + client->in_first,
				client->in_end - client->in_first);
			client->in_end -= client->in_first;
			client->in_first = 0;
		}
		got = receive_some(client);
		if (got < 0)
			return (int)got;
	}
	if (there < 0)
		return there;
	client->payload = client->in + client->in_first + VFIO_USER_HEADER_SIZE;
	client->in_first += VFIO_USER_HEADER_SIZE + client->header.payload;
	if (client->in_first == client->in_end)
		client->in_first = client->in_end = 0;
	return 0;
}

/* Our bytes behind an address of the function's, when it may reach all of them by messages. */
static uint8_t *lent(const struct vfio_user_client *client, uint64_t address, uint64_t size, uint32_t access)
{
	for (unsigned i = 0; i < client->window_count; i++) {
		const struct vfio_user_client_window *w = &client->windows[i];

		if (address >= w->address && address - w->address < w->size &&
		    size <= w->size - (address - w->address))
			return w->bytes && w->flags & access ? w->bytes + (address - w->address) : NULL;
	}
	return NULL;
}

/* DMA_READ and DMA_WRITE of the server's. */
static int serve(struct vfio_user_client *client)
{
	bool reads = client->header.command == VFIO_USER_DMA_READ;
	struct vfio_user_header reply = client->header;
	uint64_t address = 0, size = 0;
	uint8_t *bytes = NULL;

	if (client->header.payload >= VFIO_USER_DMA_SIZE) {
		address = get_le64(client->payload + VFIO_USER_DMA_ADDRESS);
		size = get_le64(client->payload + VFIO_USER_DMA_COUNT);
	}
	if (size && size <= VFIO_USER_TRANSFER_MAX &&
	    (reads || (client->header.command == VFIO_USER_DMA_WRITE &&
		       size <= client->header.payload - VFIO_USER_DMA_SIZE)))
		bytes = lent(client, address, size, reads ? VFIO_USER_MAP_READ : VFIO_USER_MAP_WRITE);
	reply.flags = VFIO_USER_TYPE_REPLY | (bytes ? 0 : VFIO_USER_FLAG_ERROR);
	reply.error = bytes ? 0 : EFAULT;
	reply.payload = bytes ? VFIO_USER_DMA_SIZE : 0;
	if (bytes)
		memcpy(vfclient_out(client), client->payload, VFIO_USER_DMA_SIZE);
	if (bytes && reads) {
		memcpy(vfclient_out(client) + VFIO_USER_DMA_SIZE, bytes, size);
		reply.payload += (uint32_t)size;
	} else if (bytes) {
		memcpy(bytes, client->payload + VFIO_USER_DMA_SIZE, size);
	}
	vfio_user_header_write(&reply, client->out);
	return send_all(client, VFIO_USER_HEADER_SIZE + reply.payload, NULL, 0);
}

static int await_reply(struct vfio_user_client *client, uint16_t id, enum vfio_user_command command)
{
	for (;;) {
		int err = receive(client);

		if (err)
			return err;
		if (!vfio_user_is_reply(&client->header)) {
			err = serve(client);
			if (err)
				return err;
			continue;
		}
		return client->header.id == id && client->header.command == command ? 0 : -EPROTO;
	}
}

int vfclient_ask(struct vfio_user_client *client, enum vfio_user_command command, uint32_t size,
		 const int *fds, unsigned fd_count, uint32_t least)
{
	struct vfio_user_header header = { .id = client->next_id++, .command = (uint16_t)command,
					   .payload = size };
	int err;

	if (client->fd < 0)
		return -ECONNRESET;
	vfio_user_header_write(&header, client->out);
	err = send_all(client, VFIO_USER_HEADER_SIZE + size, fds, fd_count);
	if (!err)
		err = await_reply(client, header.id, command);
	if (!err && client->header.flags & VFIO_USER_FLAG_ERROR)
		return client->header.error && client->header.error < 4096 ? -(int)client->header.error
									   : -EIO;
	if (!err && client->header.payload < least)
		err = -EPROTO;
	if (err)
		vfclient_hang_up(client); /* whatever comes now belongs to nothing */
	return err;
}
