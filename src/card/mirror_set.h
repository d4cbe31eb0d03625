/* card/mirror_set.h -- mirrors that one worker runs, as one thing that it polls, since there may be more of them
 * than a worker has places.
 *
 * Threads: the worker's, and before it was given to one, the caller's.
 * Memory: the caller's, and the mirrors are; neither changes while a worker has it. */
#ifndef CARD_MIRROR_SET_H
#define CARD_MIRROR_SET_H

#include "card/mirror.h"

struct mirror_set {
	struct polled polled; /* first */
	struct mirror **mirrors;
	unsigned count;
};

/* Without mirrors yet: 'mirrors' has room for all that will be added. */
void mirror_set_init(struct mirror_set *set, struct mirror **mirrors);
void mirror_set_add(struct mirror_set *set, struct mirror *mirror);

#endif
