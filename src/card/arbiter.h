/* card/arbiter.h -- who sends next towards the line: eight strict priority classes, and within one
 * deficit round robin by weight in bytes (Shreedhar and Varghese).  Knows queues of sizes, not
 * frames: what it picks is a queue, and the caller takes that queue's head.
 *
 * A pick may be taken back: the driver accepts fewer frames than were picked, and the state before
 * the pick, played again for as many as it took, is then the truth.  So the state is plain
 * values that can be copied.
 *
 * Threads: the card's holder.  Memory: a plain struct. */
#ifndef CARD_ARBITER_H
#define CARD_ARBITER_H

#include "eswitch/eswitch.h"

enum {
	ARB_CLASSES = 8,
	ARB_QUEUES_MAX = ESW_PORTS_MAX,
	ARB_RING = 256,        /* frames that one queue holds at most; a power of two */
	ARB_TURN_BYTES = 6400, /* what the heaviest queue of a class may send in one turn */
	ARB_FRACTION = 8,      /* bits behind the point of a credit */
};

_Static_assert((ARB_RING & (ARB_RING - 1)) == 0, "indexes wrap by a mask");

struct arb_queue {
	uint16_t head, count;
	uint16_t weight;
	uint8_t priority;
	int64_t credit;        /* bytes with fraction that it may still send in this turn */
};

struct arb_class {
	struct esw_port_set busy; /* queues that hold frames */
	uint16_t turn;            /* whose turn it is */
	bool granted;             /* it has had its credit for this turn */
	uint16_t heaviest;        /* greatest weight among the class's queues */
};

struct arbiter {
	struct arb_class of[ARB_CLASSES];
	struct arb_queue queue[ARB_QUEUES_MAX];
	uint32_t size[ARB_QUEUES_MAX][ARB_RING]; /* of each frame, bytes; not changed by a pick */
};

/* What a pick changes. */
struct arb_state {
	struct arb_class of[ARB_CLASSES];
	struct arb_queue queue[ARB_QUEUES_MAX];
};

void arbiter_init(struct arbiter *arb);

/* Gives queue 'q' its weight (1..1000) and class, whatever it holds. */
void arbiter_set(struct arbiter *arb, unsigned q, uint16_t weight, uint8_t priority);

/* Adds a frame; returns the slot (0..ARB_RING-1) that is now its, below the ring's bound. */
unsigned arbiter_push(struct arbiter *arb, unsigned q, uint32_t size_bytes);

/* Takes the oldest frame of 'q', which has one, out of turn; returns its slot. */
unsigned arbiter_pop(struct arbiter *arb, unsigned q);

struct arb_pick {
	uint16_t queue;
	uint16_t slot;
	uint32_t size;
};

/* Picks up to 'max' frames in the order in which they shall go, while 'meter' allows; charges it. */
unsigned arbiter_pick(struct arbiter *arb, struct esw_meter *meter, struct arb_pick *picks,
		      unsigned max);

bool arbiter_is_empty(const struct arbiter *arb);

void arbiter_save(const struct arbiter *arb, struct arb_state *state);
void arbiter_restore(struct arbiter *arb, const struct arb_state *state);

#endif
