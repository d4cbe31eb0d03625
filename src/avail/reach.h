/* avail/reach.h -- what of a model can bear on some tops: what they depend on, and what takes the hands of their
 * crews or drags their parts along; inside avail/.
 *
 * Threads: one.  Memory: of the model. */
#ifndef AVAIL_REACH_H
#define AVAIL_REACH_H

#include "avail/room.h"
#include "avail/model.h"

/* Appends events and gates that matter beside the tops themselves: events of crews whose hands do not suffice,
 * gates of standby groups that change how an event of these fails.  0, or -ENOMEM. */
int avail_reach(const struct avail_model *model, const struct avail_term *tops, uint32_t count,
		struct avail_list *events, struct avail_list *gates);

#endif
