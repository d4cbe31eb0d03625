/* media/at_once.h -- what media share that end each request while it is submitted: where those wait that were
 * not collected yet.
 *
 * Threads: the worker's alone.  Memory: the medium's. */
#ifndef MEDIA_AT_ONCE_H
#define MEDIA_AT_ONCE_H

#include "media/internal.h"

struct at_once {
	struct any_medium any; /* first */
	struct block_request *ended[FILE_DEPTH];
	unsigned ended_count;
};

static inline struct at_once *at_once_of(struct medium *medium)
{
	return container_of(medium, struct at_once, any.medium);
}

/* How many more requests may end. */
static inline unsigned at_once_room(const struct at_once *medium)
{
	return FILE_DEPTH - medium->ended_count;
}

/* There is room. */
static inline void at_once_end(struct at_once *medium, struct block_request *request,
			       enum block_result result)
{
	request->result = result;
	medium->ended[medium->ended_count++] = request;
}

/* As struct medium_ops and struct any_medium have them. */
unsigned at_once_reap(struct worker *worker, struct medium *medium,
		      struct block_request **requests, unsigned max);
bool at_once_arm(struct worker *worker, struct medium *medium);
bool at_once_is_idle(const struct any_medium *any);

#endif
