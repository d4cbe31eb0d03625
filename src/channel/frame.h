/* channel/frame.h -- the message of the NIC class: one Ethernet frame on its way between a
 * front and a card, described where it lies.
 *
 * The first bytes are copied into the message once, when the frame is looked at.  Every decision
 * (addresses, tag, protocol) is made on that copy and that copy is what is delivered, so a guest
 * that rewrites its buffer while it is read cannot get past a decision.  The rest stays in the
 * sender's memory until the receiver copies it: a frame between two guests is copied once.
 *
 * Threads: a message belongs to the worker that looked at it, for one round.  Memory: the
 * segments belong to the sender and stay valid until it is told that the frame was taken. */
#ifndef CHANNEL_FRAME_H
#define CHANNEL_FRAME_H

#include "base/base.h"

enum {
	FRAME_HEAD_SIZE = 64,     /* bytes copied out of the sender's memory at first sight */
	FRAME_HEAD_ROOM = 16,     /* bytes before them, for a tag that is inserted */
	FRAME_BURST = 64,         /* frames handed over at once */
	FRAME_SEGS_MAX = 64,      /* pieces of one frame behind its head */
	FRAME_SIZE_MAX = 65535 + 18 + 4, /* bytes: the largest segmentation offload, with a tag */
};

/* What the sender left undone and the receiver, or somebody between, has to finish: the
 * words of virtio 1.2 section 5.1.6.2. */
enum frame_todo {
	FRAME_TODO_CSUM = 1,       /* the checksum at csum_start + csum_offset is partial */
	FRAME_CSUM_VALID = 2,      /* somebody trusted has verified the checksums */
};
enum frame_gso { FRAME_GSO_NONE, FRAME_GSO_TCP4, FRAME_GSO_TCP6 };

/* Abilities of a receiver: which unfinished frames it takes as they are. */
enum frame_ability {
	FRAME_TAKES_CSUM = 1 << 0,
	FRAME_TAKES_TSO4 = 1 << 1,
	FRAME_TAKES_TSO6 = 1 << 2,
	FRAME_TAKES_ECN = 1 << 3,  /* segmentation of frames that carry CWR */
};

struct frame_seg {
	const uint8_t *bytes;
	uint32_t size;
};

struct frame {
	cache_aligned
	const uint8_t *body;          /* first piece behind the head; NULL when there is none */
	const struct frame_seg *more; /* pieces behind the body, more_count of them */
	uint32_t size;                /* bytes of the whole frame, without FCS */
	uint32_t body_size;           /* bytes of the first piece */
	uint16_t more_count;
	uint8_t head_start;           /* index into room[] of the first byte of the frame */
	uint8_t head_size;            /* bytes of the frame that are in the head */
	uint8_t todo;                 /* enum frame_todo, ored */
	uint8_t gso;                  /* enum frame_gso */
	uint8_t ecn;                  /* 1: gso with CWR (VIRTIO_NET_HDR_GSO_ECN) */
	uint8_t pad;
	uint16_t gso_size;            /* payload bytes of each segment */
	uint16_t header_size;         /* link, network and transport headers, bytes (gso) */
	uint16_t csum_start, csum_offset; /* bytes from the start of the frame */
	uint16_t in_port;             /* where it came from: an index of the card's ports */
	uint16_t vlan;                /* VLAN it belongs to inside the card; 0: untagged */
	uint8_t unused[4];
	uint8_t room[FRAME_HEAD_ROOM + FRAME_HEAD_SIZE]; /* use frame_head() */
};
/* Two cache lines: the facts, with the room for a tag at their end; and the head. */
_Static_assert(sizeof(struct frame) == 128, "the head of a frame is one cache line");

static inline uint8_t *frame_head(struct frame *f)
{
	return f->room + f->head_start;
}

static inline const uint8_t *frame_head_const(const struct frame *f)
{
	return f->room + f->head_start;
}

/* Copies bytes offset .. offset+size of the frame to 'to'; the caller has checked the range. */
void frame_copy(const struct frame *f, uint32_t offset, uint32_t size, uint8_t *to);

/* Lays 'f' over 'size' bytes in one piece at 'bytes' (a line port's buffer, a test). */
void frame_over(struct frame *f, const uint8_t *bytes, uint32_t size);

#endif
