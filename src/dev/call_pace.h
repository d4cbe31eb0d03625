/* dev/call_pace.h -- when a driver is told of what its queue has used: at once, or together with what
 * it is about to be told anyway.
 *
 * An interrupt costs a guest as much as a command or more.  A driver that posts one command after the
 * other, and is interrupted for each as it ends, spends half of its time on that.  So a call is held
 * while the driver is seen to post more before it waits: until it has as many under way as it ever
 * waited with, or pauses, and never longer than CALL_HOLD_NS.  A driver that waits for each command
 * is told of each at once.
 *
 * What it is not: it reads no ring and raises nothing; whoever holds a call asks again with each
 * command that comes or ends, and at due_ns.
 *
 * Threads: under the hold of the front.  Memory: a plain struct of the owner. */
#ifndef DEV_CALL_PACE_H
#define DEV_CALL_PACE_H

#include "base/base.h"

enum {
	CALL_HOLD_NS = 500000,	  /* a call is never held longer */
	CALL_PAUSE_NS = 200000,	  /* a driver that posts nothing for so long has paused, */
	CALL_PAUSE_MIN_NS = 4000, /* and one that posts nothing for so long has not; between them */
	CALL_PAUSE_GAPS = 3,	  /* it is so many times what it takes for a command */
};

/* What can be seen of a queue. */
struct call_sight {
	bool wanted;	    /* the driver waits to be told of what was used */
	uint16_t posted;    /* counts commands that it has posted, without end */
	uint16_t under_way; /* of those it has not been seen to take back; 0: not known */
};

struct call_pace {
	uint64_t due_ns;    /* a call is held until then; 0: none is */
	uint64_t held_ns;   /* since then */
	uint64_t posted_ns; /* when it was seen to post last */
	uint32_t gap_ns;    /* what it takes for a command while it posts, smoothed */
	uint16_t posted, under_way; /* as last seen */
	uint16_t depth;	    /* commands under way with which it waited, as far as was seen */
};

enum call_verdict {
	CALL_NOT,   /* nobody waits */
	CALL_NOW,
	CALL_LATER, /* with the next look, at due_ns at the latest */
};

/* Zeroes are a queue that begins. */
enum call_verdict call_pace_look(struct call_pace *pace, const struct call_sight *sight,
				 uint64_t now_ns);

#endif
