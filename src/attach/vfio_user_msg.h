/* attach/vfio_user_msg.h -- one vfio-user message: what it may look like, and what it says.
 *
 * The rules of all commands stand in one table (vfio_user_table.c).  What it is not: what a command
 * does, nor how it came (vfio_user_stream.c).
 *
 * Threads: pure.  Memory: the caller's. */
#ifndef ATTACH_VFIO_USER_MSG_H
#define ATTACH_VFIO_USER_MSG_H

#include "base/base.h"
#include "base/refusal.h"
#include "spec/vfio_user.h"

enum {
	VFIO_USER_TRANSFER_MAX = VFIO_USER_DEFAULT_TRANSFER, /* bytes of data in one message */
	VFIO_USER_PAYLOAD_MAX = VFIO_USER_TRANSFER_MAX + 64,
	VFIO_USER_FDS_MAX = 16, /* that we take with one message, and say so; some clients refuse more */
	VFIO_USER_TEXT_MAX = 512, /* of the capabilities that we send, NUL included */
};

struct vfio_user_header {
	uint16_t id, command;
	uint32_t payload; /* bytes after the header */
	uint32_t flags, error;
};

/* Reads VFIO_USER_HEADER_SIZE bytes.  -EPROTO with 'why' when the end of the message cannot be told: it is
 * shorter than its header, or longer than any may be. */
int vfio_user_header_read(struct vfio_user_header *header, const uint8_t *bytes, struct refusal *why);
void vfio_user_header_write(const struct vfio_user_header *header, uint8_t *bytes);

static inline bool vfio_user_is_reply(const struct vfio_user_header *header)
{
	return (header->flags & VFIO_USER_TYPE_MASK) == VFIO_USER_TYPE_REPLY;
}

/* What one side can take, as its VERSION message says; what it does not say is the protocol's default. */
struct vfio_user_limits {
	uint16_t major, minor;
	uint32_t fds;      /* with one message */
	uint32_t transfer; /* bytes of data in one message */
	uint32_t maps;     /* DMA windows at a time */
	uint64_t pages;    /* sizes of pages, ored */
	bool write_multi;
	bool twin_socket;
	/* Of a server, a word of our own: "needs_dma_fds".  Its function reaches memory only where a descriptor
	 * came with the window, since it polls queues there. */
	bool needs_fds;
};

/* Reads a VERSION payload of 'size' bytes: the four bytes of the numbers, then nothing, or JSON text with or
 * without its NUL.  Keys that nobody knows mean nothing.  -EINVAL with 'why' when it is shorter, no JSON
 * object, or a capability is none of its type or range. */
int vfio_user_version_read(struct vfio_user_limits *limits, const uint8_t *payload, uint32_t size,
			   struct refusal *why);

/* Writes a VERSION payload, text and NUL included, into 'room' bytes (VFIO_USER_VERSION_DATA +
 * VFIO_USER_TEXT_MAX always do).  Returns its size. */
uint32_t vfio_user_version_write(const struct vfio_user_limits *limits, uint8_t *payload, uint32_t room);

#endif
