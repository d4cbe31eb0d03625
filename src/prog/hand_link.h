/* prog/hand_link.h -- messages between the daemon that hands a site over and the one that takes it, on a SEQPACKET
 * socket: a kind, bytes, and descriptors in order.
 *
 * Bytes of any size travel in a sealed memory file, so that a message is a few packets whatever it holds.  Who is at
 * the other end is of the same user, and is held to the form all the same.
 *
 * Threads: control; every call ends within its time.  Memory: receive() allocates, parcel_drop() gives back. */
#ifndef PROG_HAND_LINK_H
#define PROG_HAND_LINK_H

#include "attach/parcel.h"
#include "base/refusal.h"

enum hand_kind {
	HAND_ASK = 1,  /* who takes over: may it be? */
	HAND_YES,
	HAND_NO,       /* at any time, from either: why not, and all is as before */
	HAND_READY,    /* all that can be done beforehand is done */
	HAND_LOCKS,    /* descriptors; since when it is quiet, in ns */
	HAND_CARD,     /* one that is pulled */
	HAND_FUNCTION, /* one with its client */
	HAND_END,
	HAND_TAKEN,    /* all of it is in place, and still quiet */
	HAND_GO,       /* it is yours */
	HAND_KINDS,
};

enum {
	HAND_SEND_MS = 5000,           /* who does not read for so long is gone */
	HAND_BYTES_MAX = 256 << 20,    /* of one message */
	HAND_FDS_MAX = 70000,
};

struct hand_message {
	enum hand_kind kind;
	struct parcel parcel; /* the receiver's */
};

/* 0 or -errno.  parcel: NULL: nothing but the kind.  Its descriptors stay the caller's. */
int hand_link_send(int fd, enum hand_kind kind, const struct parcel *parcel);
int hand_link_say(int fd, enum hand_kind kind, const char *text);

/* The next message: 0; -errno with 'why': -ETIMEDOUT, -ECONNRESET when the other end has gone, -EPROTO when what came
 * is no message.  Nothing is to be dropped then. */
int hand_link_receive(int fd, int timeout_ms, struct hand_message *message, struct refusal *why);

/* The bytes of a message as text: false when they are none, or there are NULs inside.  Ends them with one. */
bool hand_link_text(struct hand_message *message, const char **text);

#endif
