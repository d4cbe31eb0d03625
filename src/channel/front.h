/* channel/front.h -- what the fronts of all classes have in common, for whoever plugs a front into a
 * guest and need not know what it carries.
 *
 * Threads: under the hold, or unbound. */
#ifndef CHANNEL_FRONT_H
#define CHANNEL_FRONT_H

#include "base/thread.h"

enum { FRONT_WHY_SIZE = 160 };

struct front {
	struct hold *hold; /* of the card it is bound to; NULL when unbound */
	bool ready;        /* the driver is there and its rings run */
	bool polled;       /* its driver may never kick: its worker looks by itself, idle or not */
	/* Empty, or why this front was stopped for good, until its driver resets it: the ring or
	 * descriptor to blame and the rule it broke.  Written once, under the hold. */
	char stopped[FRONT_WHY_SIZE];
};

/* The same as a member of a class's front: 'any' as a whole, and its parts by their own names. */
#define FRONT_PART                                    \
	union {                                       \
		struct front any;                     \
		struct {                              \
			struct hold *hold;            \
			bool ready;                   \
			bool polled;                  \
			char stopped[FRONT_WHY_SIZE]; \
		};                                    \
	}

#endif
