/* attach/vfio_user_hand.h -- what a client is handed over as: a parcel of a head, then what it counts, then the bytes
 * of the client that nobody has served, and the function's migration state; descriptors in the order of socket,
 * vectors, line, doorbells, files, pages and unread messages.  Written by vfio_user_hand.c, read by
 * vfio_user_hand_take.c.
 *
 * Threads: control. */
#ifndef ATTACH_VFIO_USER_HAND_H
#define ATTACH_VFIO_USER_HAND_H

#include "attach/vfio_user_internal.h"

enum {
	HAND_MAGIC = 0x4855464d, /* "MFUH" */
	HAND_VERSION = 1,
	/* The head. */
	HAND_AT_MAGIC = 0,
	HAND_AT_VERSION = 4,
	HAND_AT_FLAGS = 8,
	HAND_AT_NEXT_ID = 12,
	HAND_AT_MAJOR = 16,
	HAND_AT_MINOR = 18,
	HAND_AT_FDS = 20,
	HAND_AT_TRANSFER = 24,
	HAND_AT_MAPS = 28,
	HAND_AT_PAGE_SIZES = 32,
	HAND_AT_VECTORS = 40,   /* how many the function has: a byte each, whether a descriptor came */
	HAND_AT_DOORBELLS = 44, /* descriptors */
	HAND_AT_FILES = 48,     /* a descriptor each */
	HAND_AT_WINDOWS = 52,
	HAND_AT_PAGES = 56,     /* bit n: BAR n has mapped pages, and a descriptor */
	HAND_AT_UNREAD = 60,    /* bytes, and descriptors that came with them: with the first message, in all */
	HAND_AT_CARRIED = 64,
	HAND_AT_UNREAD_FDS = 68,
	HAND_AT_STATE = 72,     /* bytes, 64 bits */
	HAND_AT_MASKED = 80,    /* vectors that the client masks, a bit each */
	HAND_HEAD_SIZE = HAND_AT_MASKED + PCI_VECTORS_MAX / 8,

	HAND_FLAG_NEGOTIATED = 1,
	HAND_FLAG_WRITE_MULTI = 2,
	HAND_FLAG_TWIN = 4,
	HAND_FLAG_LINE = 8,         /* a descriptor of INTx came, after those of vectors */
	HAND_FLAG_LINE_MASKED = 16, /* the client masks it, or has not answered the last one */
	HAND_FLAGS = 31,

	/* A window. */
	HAND_WINDOW_ADDRESS = 0,
	HAND_WINDOW_BYTES = 8,
	HAND_WINDOW_OFFSET = 16,
	HAND_WINDOW_ACCESS = 24,
	HAND_WINDOW_FILE = 28, /* HAND_NO_FILE: reached by messages */
	HAND_WINDOW_SIZE = 32,
};
#define HAND_NO_FILE UINT32_MAX

/* Whether a BAR has a mapped piece that the client shares. */
static inline bool vfuser_hand_has_pages(const struct vfio_user *vf, unsigned bar)
{
	return vf->function->regions[bar].mapped_size && vf->conf.pages[bar].fd >= 0;
}

/* Puts a file where the function has its mapped piece: nothing of the function moves.  The server keeps its own
 * descriptor from then on.  Under the hold: 0 or -errno. */
int vfuser_hand_pages(struct vfio_user *vf, unsigned bar, int fd);

#endif
