/* Messages of an imported function: our questions, one at a time, with its answers, and its own questions about
 * memory in between.  What one read brings is looked at in one turn of the loop; nothing is read while an answer of
 * ours cannot go out, so a process that floods us waits in its own socket. */
#include "attach/vfio_user_import_internal.h"

#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE((VFIO_USER_FDS_MAX + 1) * sizeof(int))];
};

static void on_socket(uv_poll_t *poll, int status, int events);

static bool can_send(const struct vfio_user_import *import)
{
	return import->out_first == import->out_end;
}

/* Room for one more access that takes its time. */
static bool can_read(const struct vfio_user_import *import)
{
	return can_send(import) && import->dma_count < VFIMPORT_DMAS_MAX;
}

static void rearm(struct vfio_user_import *import)
{
	int events = UV_DISCONNECT;

	if (import->fd < 0)
		return;
	if (!can_send(import) || import->wants_room)
		events |= UV_WRITABLE;
	if (can_read(import))
		events |= UV_READABLE;
	uv_poll_start(import->poll, events, on_socket);
}

/* Sending. */

static ssize_t send_bytes(struct vfio_user_import *import, const int *fds, unsigned fd_count)
{
	struct iovec piece = { import->out + import->out_first, import->out_end - import->out_first };
	struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1 };
	union control control = { 0 };

	must(fd_count <= VFIO_USER_FDS_MAX);
	if (fd_count) {
		head.msg_control = &control;
		head.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(fd_count * sizeof(int)),
						  .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), fds, fd_count * sizeof(int));
	}
	return sendmsg(import->fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int flush(struct vfio_user_import *import, const int *fds, unsigned fd_count)
{
	while (import->out_first < import->out_end) {
		ssize_t sent = send_bytes(import, fds, fd_count);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN) /* descriptors go with the first byte: nobody keeps them */
			return fd_count ? -EAGAIN : 0;
		if (sent < 0)
			return -errno;
		import->out_first += (uint32_t)sent;
		fd_count = 0;
	}
	return 0;
}

static int send_message(struct vfio_user_import *import, const struct vfio_user_header *header, const int *fds,
			unsigned fd_count)
{
	must(can_send(import));
	vfio_user_header_write(header, import->out);
	import->out_first = 0;
	import->out_end = VFIO_USER_HEADER_SIZE + header->payload;
	return flush(import, fds, fd_count);
}

/* Questions. */

static void free_ask(struct vfimport_ask *ask)
{
	for (unsigned i = 0; i < ask->fd_count; i++)
		close(ask->fds[i]);
	free(ask);
}

static struct vfimport_ask *take_first(struct vfio_user_import *import)
{
	struct vfimport_ask *ask = import->first;

	import->first = ask->next;
	if (!import->first)
		import->end = &import->first;
	import->ask_count--;
	return ask;
}

static int send_first(struct vfio_user_import *import)
{
	struct vfimport_ask *ask = import->first;
	struct vfio_user_header header;
	int err;

	if (!ask || ask->sent || !can_send(import))
		return 0;
	import->wants_room = false;
	ask->sent = true;
	ask->id = import->next_id++;
	header = (struct vfio_user_header){ .id = ask->id, .command = ask->command, .payload = ask->size };
	if (ask->size)
		memcpy(import->out + VFIO_USER_HEADER_SIZE, ask->payload, ask->size);
	vfimport_patience(import, VFIMPORT_WAITS);
	err = send_message(import, &header, ask->fds, ask->fd_count);
	if (err != -EAGAIN)
		return err;
	import->out_first = import->out_end = 0; /* again, when there is room for the first byte */
	ask->sent = false;
	import->wants_room = true;
	return 0;
}

static int copy_fds(struct vfimport_ask *ask, const struct vfio_user_import_question *question)
{
	for (unsigned i = 0; i < question->fd_count; i++) {
		int fd = fcntl(question->fds[i], F_DUPFD_CLOEXEC, 0);

		if (fd < 0)
			return -errno;
		ask->fds[ask->fd_count++] = fd;
	}
	return 0;
}

/* What is asked goes out when the loop comes by: the caller may be inside of an answer. */
int vfimport_ask(struct vfio_user_import *import, const struct vfio_user_import_question *question)
{
	struct vfimport_ask *ask;
	int err;

	must(question->size <= VFIO_USER_PAYLOAD_MAX && question->fd_count <= VFIO_USER_FDS_MAX);
	if (import->fd < 0)
		return -ENODEV;
	if (import->ask_count == VFIMPORT_QUESTIONS_MAX)
		return -ENOSPC;
	ask = malloc(sizeof *ask + question->size);
	if (!ask)
		return -ENOMEM;
	*ask = (struct vfimport_ask){
		.command = (uint16_t)question->command, .size = question->size, .least = question->least,
		.done = question->done, .owner = question->owner,
	};
	err = copy_fds(ask, question);
	if (err) {
		free_ask(ask);
		return err;
	}
	if (question->size)
		memcpy(ask->payload, question->payload, question->size);
	*import->end = ask;
	import->end = &ask->next;
	import->ask_count++;
	if (import->first == ask && can_send(import) && send_first(import))
		shutdown(import->fd, SHUT_RDWR); /* its end is seen where it is read */
	rearm(import);
	return 0;
}

/* Answers. */

static int check_answer(const struct vfimport_ask *ask, const struct vfio_user_header *header, int *result)
{
	if (!ask || !ask->sent || header->id != ask->id || header->command != ask->command)
		return -EPROTO;
	*result = 0;
	if (header->flags & VFIO_USER_FLAG_ERROR)
		*result = header->error && header->error < 4096 ? -(int)header->error : -EIO;
	else if (header->payload < ask->least)
		return -EPROTO;
	return 0;
}

static void drop_fds(struct vfio_user_import *import)
{
	while (import->fd_count)
		close(import->fds[--import->fd_count]);
}

static int take_answer(struct vfio_user_import *import, const struct vfio_user_header *header,
		       const uint8_t *payload)
{
	struct vfimport_ask *ask = import->first;
	int result, err = check_answer(ask, header, &result);

	if (err) {
		vfimport_lost(import, VFIO_USER_IMPORT_REFUSED, -EPROTO,
			      "%s answered command %u, which was not asked or not so (%u bytes)",
			      import->where.sun_path, header->command, header->payload);
		return -EPROTO;
	}
	take_first(import);
	import->counts.messages++;
	vfimport_patience(import, VFIMPORT_IDLE);
	if (ask->done)
		ask->done(ask->owner, result, payload, result ? 0 : header->payload);
	free_ask(ask);
	drop_fds(import); /* those that nobody took */
	return 0;
}

/* Its questions. */

static int refuse_question(struct vfio_user_import *import, const struct vfio_user_header *header, int err)
{
	struct vfio_user_header reply = { .id = header->id, .command = header->command,
					  .flags = VFIO_USER_TYPE_REPLY | VFIO_USER_FLAG_ERROR,
					  .error = (uint32_t)-err };

	import->counts.dma_refused++;
	if (header->flags & VFIO_USER_FLAG_NO_REPLY)
		return 0;
	return send_message(import, &reply, NULL, 0);
}

static int answer_dma(struct vfio_user_import *import, const struct vfio_user_import_dma *dma)
{
	bool reads = dma->command == VFIO_USER_DMA_READ;
	struct vfio_user_header reply = { .id = dma->id, .command = dma->command,
					  .flags = VFIO_USER_TYPE_REPLY };
	uint8_t *payload = import->out + VFIO_USER_HEADER_SIZE;

	if (dma->err)
		return refuse_question(import, &(struct vfio_user_header){ .id = dma->id,
									  .command = dma->command },
				       dma->err);
	put_le64(payload + VFIO_USER_DMA_ADDRESS, dma->address);
	put_le64(payload + VFIO_USER_DMA_COUNT, dma->size);
	if (reads)
		memcpy(payload + VFIO_USER_DMA_SIZE, dma->bytes, dma->size);
	reply.payload = VFIO_USER_DMA_SIZE + (reads ? dma->size : 0);
	return send_message(import, &reply, NULL, 0);
}

static int answer_ended(struct vfio_user_import *import)
{
	int err = 0;

	while (import->dmas && can_send(import) && !err) {
		struct vfio_user_import_dma *dma = import->dmas;

		import->dmas = dma->next;
		import->dma_count--;
		err = answer_dma(import, dma);
		free(dma);
	}
	return err;
}

static void end_dma(struct vfio_user_import *import, struct vfio_user_import_dma *dma, int err)
{
	struct vfio_user_import_dma **end = &import->dmas;

	dma->err = err;
	dma->next = NULL;
	while (*end)
		end = &(*end)->next;
	*end = dma;
}

void vfio_user_import_served(struct vfio_user_import_dma *dma, int err)
{
	struct vfio_user_import *import = dma->import;

	if (!import) {
		free(dma);
		return;
	}
	for (unsigned i = 0; i < VFIMPORT_DMAS_MAX; i++)
		if (import->open[i] == dma)
			import->open[i] = NULL;
	end_dma(import, dma, err);
	if (answer_ended(import))
		shutdown(import->fd, SHUT_RDWR);
	rearm(import);
}

static void keep_open(struct vfio_user_import *import, struct vfio_user_import_dma *dma)
{
	unsigned i = 0;

	while (import->open[i])
		i++;
	must(i < VFIMPORT_DMAS_MAX);
	import->open[i] = dma;
}

/* Only memory is asked for, and only by the function of a guest. */
static int take_question(struct vfio_user_import *import, const struct vfio_user_header *header,
			 const uint8_t *payload)
{
	bool writes = header->command == VFIO_USER_DMA_WRITE;
	struct vfio_user_import_dma *dma;
	uint64_t size;
	int err;

	if ((!writes && header->command != VFIO_USER_DMA_READ) ||
	    (header->flags & VFIO_USER_TYPE_MASK) != VFIO_USER_TYPE_COMMAND)
		return refuse_question(import, header, -ENOTSUP);
	size = header->payload < VFIO_USER_DMA_SIZE ? 0 : get_le64(payload + VFIO_USER_DMA_COUNT);
	if (size == 0 || size > VFIO_USER_TRANSFER_MAX ||
	    (writes && size > header->payload - VFIO_USER_DMA_SIZE))
		return refuse_question(import, header, -EINVAL);
	if (!import->used || !import->there)
		return refuse_question(import, header, -EFAULT);
	dma = malloc(sizeof *dma + size);
	if (!dma)
		return refuse_question(import, header, -ENOMEM);
	*dma = (struct vfio_user_import_dma){
		.import = import, .id = header->id, .command = header->command, .size = (uint32_t)size,
		.address = get_le64(payload + VFIO_USER_DMA_ADDRESS), .bytes = (uint8_t *)(dma + 1),
	};
	if (writes)
		memcpy(dma->bytes, payload + VFIO_USER_DMA_SIZE, size);
	import->dma_count++;
	*(writes ? &import->counts.dma_writes : &import->counts.dma_reads) += 1;
	keep_open(import, dma);
	err = import->user.dma(import->user.owner, dma);
	if (err == -EINPROGRESS)
		return 0;
	for (unsigned i = 0; i < VFIMPORT_DMAS_MAX; i++)
		if (import->open[i] == dma)
			import->open[i] = NULL;
	end_dma(import, dma, err);
	return answer_ended(import);
}

/* Reading. */

static int keep_fds(struct vfio_user_import *import, struct msghdr *head)
{
	int err = head->msg_flags & MSG_CTRUNC ? -EPROTO : 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(head); c; c = CMSG_NXTHDR(head, c)) {
		unsigned count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (unsigned i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (import->fd_count < array_len(import->fds)) {
				import->fds[import->fd_count++] = fd;
				continue;
			}
			close(fd);
			err = -EPROTO;
		}
	}
	return err;
}

/* Moves what is left to the front; bytes to be read at most. */
static uint32_t make_room(struct vfio_user_import *import)
{
	uint32_t left = import->in_end - import->in_first, want = VFIMPORT_READ_BYTES;
	struct vfio_user_header header;

	if (import->in_first)
		memmove(import->in, import->in + import->in_first, left);
	import->in_first = 0;
	import->in_end = left;
	if (left >= VFIO_USER_HEADER_SIZE && !vfio_user_header_read(&header, import->in, NULL) &&
	    VFIO_USER_HEADER_SIZE + header.payload > left)
		want = VFIO_USER_HEADER_SIZE + header.payload - left;
	return min_u32(VFIMPORT_BUFFER - left, want);
}

static int read_more(struct vfio_user_import *import)
{
	uint32_t room = make_room(import);
	struct iovec piece = { import->in + import->in_end, room };
	union control control;
	struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control,
			       .msg_controllen = sizeof control };
	ssize_t got;
	int err;

	if (room == 0)
		return 0;
	got = recvmsg(import->fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	err = keep_fds(import, &head);
	import->in_end += (uint32_t)got;
	return err ? err : got ? 0 : -ECONNRESET;
}

/* Looks at every whole message that is there: 0; -errno; 1 when the connection has ended meanwhile. */
static int look_at_all(struct vfio_user_import *import)
{
	int err = 0;

	while (!err && import->fd >= 0 && can_read(import)) {
		uint32_t there = import->in_end - import->in_first;
		const uint8_t *at = import->in + import->in_first;
		struct vfio_user_header header;

		if (there < VFIO_USER_HEADER_SIZE)
			break;
		if (vfio_user_header_read(&header, at, NULL))
			return -EPROTO;
		if (there - VFIO_USER_HEADER_SIZE < header.payload)
			break;
		import->in_first += VFIO_USER_HEADER_SIZE + header.payload;
		if (vfio_user_is_reply(&header)) {
			if (take_answer(import, &header, at + VFIO_USER_HEADER_SIZE))
				return 1;
		} else {
			err = take_question(import, &header, at + VFIO_USER_HEADER_SIZE);
		}
	}
	return import->fd < 0 ? 1 : err;
}

/* What can go out, and what has come. */
static int go_on(struct vfio_user_import *import, int events)
{
	int err = can_send(import) ? 0 : flush(import, NULL, 0);

	if (!err)
		err = answer_ended(import);
	if (!err && can_read(import) && events & (UV_READABLE | UV_DISCONNECT))
		err = read_more(import);
	if (!err)
		err = look_at_all(import);
	if (!err)
		err = send_first(import);
	return err;
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct vfio_user_import *import = poll->data;
	int err;

	if (!import || import->fd < 0)
		return;
	if (status < 0) /* the loop says no more, and looks at it no more: an error shows itself in the read */
		events = UV_READABLE | UV_DISCONNECT;
	err = go_on(import, events);
	if (err == 1)
		return;
	if (!err && events & UV_DISCONNECT && !can_read(import))
		err = -ECONNRESET;
	if (err == -EPROTO)
		vfimport_lost(import, VFIO_USER_IMPORT_REFUSED, err, "%s does not speak vfio-user",
			      import->where.sun_path);
	else if (err)
		vfimport_lost(import, VFIO_USER_IMPORT_ABSENT, -ECONNRESET,
			      "the process behind %s has gone", import->where.sun_path);
	rearm(import);
}

int vfimport_link_open(struct vfio_user_import *import, int fd)
{
	int err;

	err = attach_poll_open(&import->poll, import->conf.loop, fd, import);
	if (err)
		return err;
	import->fd = fd;
	import->in_first = import->in_end = import->out_first = import->out_end = 0;
	import->wants_room = false;
	rearm(import);
	return 0;
}

static void forget_dmas(struct vfio_user_import *import)
{
	while (import->dmas) {
		struct vfio_user_import_dma *dma = import->dmas;

		import->dmas = dma->next;
		free(dma);
	}
	for (unsigned i = 0; i < VFIMPORT_DMAS_MAX; i++) {
		if (import->open[i])
			import->open[i]->import = NULL;
		import->open[i] = NULL;
	}
	import->dma_count = 0;
}

void vfimport_link_close(struct vfio_user_import *import, int err)
{
	if (import->fd < 0)
		return;
	vfimport_patience(import, VFIMPORT_IDLE);
	attach_poll_close(&import->poll);
	close(import->fd);
	import->fd = -1;
	drop_fds(import);
	forget_dmas(import);
	import->in_first = import->in_end = import->out_first = import->out_end = 0;
	while (import->first) {
		struct vfimport_ask *ask = take_first(import);

		if (ask->done)
			ask->done(ask->owner, err, NULL, 0);
		free_ask(ask);
	}
}
