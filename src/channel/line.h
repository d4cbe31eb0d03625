/* channel/line.h -- a line port as a card sees it: the wire behind the card.  Implemented by
 * uplink/ over a DPDK port, and by sim/ and tests.
 *
 * Buffers belong to the line.  The card takes empty ones, fills them, queues them by function and
 * sends them when the arbitration says so; received ones it gives back after delivery.
 *
 * Threads: the worker of the card.  A card calls these with its own hold released, because a
 * driver below may never return. */
#ifndef CHANNEL_LINE_H
#define CHANNEL_LINE_H

#include "base/thread.h"
#include "channel/frame.h"

struct line_buf {
	uint8_t *bytes;  /* where the frame begins */
	uint32_t size;   /* bytes of the frame */
	uint32_t room;   /* bytes that fit at 'bytes' */
};

struct line;

struct line_ops {
	/* Fills bufs[0..n) with empty buffers; returns how many there were. */
	unsigned (*take)(struct worker *, struct line *, struct line_buf **bufs, unsigned n);
	/* Puts frames on the wire; returns how many were accepted, from the first on.  The rest
	 * stay the card's.  Accepted buffers are the line's again. */
	unsigned (*send)(struct worker *, struct line *, struct line_buf **bufs, unsigned n);
	/* Frames that arrived; they are the card's until it gives them back. */
	unsigned (*receive)(struct worker *, struct line *, struct line_buf **bufs, unsigned n);
	void (*give)(struct worker *, struct line *, struct line_buf **bufs, unsigned n);
	/* Before a worker sleeps: returns true when frames wait already.  A line with a
	 * descriptor that wakes the sleeper arms it here. */
	bool (*arm)(struct worker *, struct line *);
};

struct line {
	const struct line_ops *ops;
	uint32_t mtu; /* largest payload behind the Ethernet header, bytes */
	bool wakes;   /* arm() makes an arriving frame wake the worker; else it must poll */
};

#endif
