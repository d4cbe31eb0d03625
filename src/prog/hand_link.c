#include "prog/hand_link.h"

#include "base/bytes.h"
#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LINK_MAGIC = 0x4f48504d, /* "MPHO" */
	LINK_VERSION = 1,
	AT_MAGIC = 0,
	AT_VERSION = 4,
	AT_KIND = 6,
	AT_FDS = 8,
	AT_BYTES = 12, /* 64 bits; some: the first packet has their file */
	HEAD_SIZE = 20,
	FDS_PACKET = 128, /* descriptors in each packet behind the first */
	SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
};

static int wait_for(int fd, short events, uint64_t until_ns)
{
	for (;;) {
		struct pollfd on = { .fd = fd, .events = events };
		uint64_t now_ns = clock_now_ns();
		int n;

		if (now_ns >= until_ns)
			return -ETIMEDOUT;
		n = poll(&on, 1, (int)((until_ns - now_ns) / 1000000 + 1));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

/* One packet, whole. */
static int send_packet(int fd, const uint8_t *bytes, size_t size, const int *fds, unsigned count, uint64_t until_ns)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_PACKET * sizeof(int))];
	} control = { 0 };
	struct iovec piece = { (void *)(uintptr_t)bytes, size };
	struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1 };

	must(count <= FDS_PACKET);
	if (count) {
		head.msg_control = &control;
		head.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(count * sizeof(int)),
						  .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), fds, count * sizeof(int));
	}
	for (;;) {
		ssize_t sent = sendmsg(fd, &head, MSG_DONTWAIT | MSG_NOSIGNAL);
		int err;

		if (sent >= 0)
			return (size_t)sent == size ? 0 : -EIO;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		err = wait_for(fd, POLLOUT, until_ns);
		if (err)
			return err;
	}
}

/* A file with these bytes that nobody can change any more. */
static int seal_bytes(const uint8_t *bytes, size_t size)
{
	int fd = memfd_create("midplane-hand-over", MFD_CLOEXEC | MFD_ALLOW_SEALING), err = 0;

	if (fd < 0)
		return -errno;
	for (size_t at = 0; !err && at < size;) {
		ssize_t n = pwrite(fd, bytes + at, size - at, (off_t)at);

		if (n > 0)
			at += (size_t)n;
		else if (n == 0 || errno != EINTR)
			err = n ? -errno : -EIO;
	}
	if (!err && fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int send_rest(int fd, const struct parcel *parcel, uint64_t until_ns)
{
	static const uint8_t more[4] = "more";
	int err = 0;

	for (unsigned at = 0; !err && at < parcel->fd_count; at += FDS_PACKET)
		err = send_packet(fd, more, sizeof more, parcel->fds + at,
				  min_u32(FDS_PACKET, parcel->fd_count - at), until_ns);
	return err;
}

int hand_link_send(int fd, enum hand_kind kind, const struct parcel *parcel)
{
	const struct parcel nothing = { .bytes = NULL };
	uint64_t until_ns = clock_now_ns() + HAND_SEND_MS * UINT64_C(1000000);
	uint8_t head[HEAD_SIZE];
	int file = -1, err;

	if (!parcel)
		parcel = &nothing;
	if (parcel->size > HAND_BYTES_MAX || parcel->fd_count > HAND_FDS_MAX)
		return -EMSGSIZE;
	if (parcel->size) {
		file = seal_bytes(parcel->bytes, parcel->size);
		if (file < 0)
			return file;
	}
	put_le32(head + AT_MAGIC, LINK_MAGIC);
	put_le16(head + AT_VERSION, LINK_VERSION);
	put_le16(head + AT_KIND, (uint16_t)kind);
	put_le32(head + AT_FDS, parcel->fd_count);
	put_le64(head + AT_BYTES, parcel->size);
	err = send_packet(fd, head, sizeof head, &file, file >= 0, until_ns);
	if (file >= 0)
		close(file);
	return err ? err : send_rest(fd, parcel, until_ns);
}

int hand_link_say(int fd, enum hand_kind kind, const char *text)
{
	struct parcel parcel = { .bytes = (uint8_t *)(uintptr_t)text, .size = strlen(text) };

	return hand_link_send(fd, kind, &parcel);
}

/* Receiving. */

static int no_message(struct refusal *why, const char *what)
{
	refuse(why, "", "what comes from the other daemon is not understood: %s", what);
	return -EPROTO;
}

/* Keeps the descriptors of a packet: how many, or -errno after closing those that are too many. */
static int keep_fds(struct msghdr *from, struct parcel *to)
{
	int err = from->msg_flags & MSG_CTRUNC ? -EPROTO : 0, count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(from); c; c = CMSG_NXTHDR(from, c)) {
		unsigned n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (unsigned i = 0; i < n; i++, count++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (parcel_give_fds(to, &fd, 1)) {
				close(fd);
				err = -ENOMEM;
			}
		}
	}
	return err ? err : count;
}

/* One packet of at most 'room' bytes: its size, with its descriptors in 'to' and how many these are. */
static ssize_t receive_packet(int fd, uint8_t *bytes, size_t room, struct parcel *to, unsigned *count,
			      uint64_t until_ns, struct refusal *why)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_PACKET * sizeof(int))];
	} control;
	struct iovec piece = { bytes, room };
	struct msghdr head = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control,
			       .msg_controllen = sizeof control };
	ssize_t got;
	int kept;

	while ((got = recvmsg(fd, &head, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0) {
		int err = errno == EINTR ? 0 : errno == EAGAIN ? wait_for(fd, POLLIN, until_ns) : -errno;

		if (err == -ETIMEDOUT)
			refuse(why, "", "the other daemon does not answer");
		else if (err)
			refuse(why, "", "the other daemon cannot be heard: %s", strerror(-err));
		if (err)
			return err;
	}
	kept = keep_fds(&head, to);
	if (kept < 0 || head.msg_flags & MSG_TRUNC)
		return no_message(why, "a packet is too large");
	*count = (unsigned)kept;
	if (got == 0 && kept == 0) {
		refuse(why, "", "the other daemon has gone");
		return -ECONNRESET;
	}
	return got;
}

static int read_bytes(int file, struct parcel *to, uint64_t size, struct refusal *why)
{
	int seals = fcntl(file, F_GET_SEALS);
	struct stat st;
	uint8_t *at;

	if (seals < 0 || (seals & SEALS) != SEALS || fstat(file, &st) || st.st_size < 0 ||
	    (uint64_t)st.st_size != size)
		return no_message(why, "its bytes are not in a sealed file of their size");
	at = parcel_extend(to, size);
	if (!at) {
		refuse(why, "", "no memory for %llu bytes from the other daemon", (unsigned long long)size);
		return -ENOMEM;
	}
	for (uint64_t n = 0; n < size;) {
		ssize_t got = pread(file, at + n, size - n, (off_t)n);

		if (got > 0)
			n += (uint64_t)got;
		else if (got == 0 || errno != EINTR)
			return no_message(why, "its bytes cannot be read");
	}
	return 0;
}

static int receive_rest(int fd, struct hand_message *message, uint32_t wanted, uint64_t until_ns,
			struct refusal *why)
{
	while (message->parcel.fd_count < wanted) {
		uint8_t more[4];
		unsigned count;
		ssize_t got = receive_packet(fd, more, sizeof more, &message->parcel, &count, until_ns, why);

		if (got < 0)
			return (int)got;
		if (got != sizeof more || count == 0 || message->parcel.fd_count > wanted)
			return no_message(why, "descriptors");
	}
	return 0;
}

static int receive(int fd, uint64_t until_ns, struct hand_message *message, struct parcel *file, struct refusal *why)
{
	uint8_t head[HEAD_SIZE];
	unsigned count = 0;
	ssize_t got = receive_packet(fd, head, sizeof head, file, &count, until_ns, why);
	uint64_t size;
	int err = 0;

	if (got < 0)
		return (int)got;
	if (got != sizeof head || get_le32(head + AT_MAGIC) != LINK_MAGIC)
		return no_message(why, "no head");
	if (get_le16(head + AT_VERSION) != LINK_VERSION) {
		refuse(why, "", "the other daemon hands over in another way (version %u, here %u): stop it and "
				"start this one", get_le16(head + AT_VERSION), LINK_VERSION);
		return -EPROTO;
	}
	size = get_le64(head + AT_BYTES);
	message->kind = get_le16(head + AT_KIND);
	if (message->kind < HAND_ASK || message->kind >= HAND_KINDS || size > HAND_BYTES_MAX ||
	    get_le32(head + AT_FDS) > HAND_FDS_MAX || count != (size > 0))
		return no_message(why, "its head");
	if (size)
		err = read_bytes(file->fds[0], &message->parcel, size, why);
	return err ? err : receive_rest(fd, message, get_le32(head + AT_FDS), until_ns, why);
}

int hand_link_receive(int fd, int timeout_ms, struct hand_message *message, struct refusal *why)
{
	uint64_t until_ns = clock_now_ns() + (uint64_t)timeout_ms * 1000000;
	struct parcel file = { .bytes = NULL };
	int err;

	*message = (struct hand_message){ .kind = HAND_KINDS };
	err = receive(fd, until_ns, message, &file, why);
	parcel_drop(&file);
	if (err)
		parcel_drop(&message->parcel);
	return err;
}

bool hand_link_text(struct hand_message *message, const char **text)
{
	struct parcel *parcel = &message->parcel;

	if (parcel->size && memchr(parcel->bytes, 0, parcel->size))
		return false;
	if (!parcel_extend(parcel, 1))
		return false;
	*text = (const char *)parcel->bytes;
	return true;
}
