#include "media/at_once.h"

#include <string.h>

unsigned at_once_reap(struct worker *worker, struct medium *medium,
		      struct block_request **requests, unsigned max)
{
	struct at_once *m = at_once_of(medium);
	unsigned n = min_u32(max, m->ended_count);

	(void)worker;
	memcpy(requests, m->ended, n * sizeof requests[0]);
	m->ended_count -= n;
	memmove(m->ended, m->ended + n, m->ended_count * sizeof requests[0]);
	return n;
}

bool at_once_arm(struct worker *worker, struct medium *medium)
{
	(void)worker;
	return at_once_of(medium)->ended_count > 0;
}

bool at_once_is_idle(const struct any_medium *any)
{
	(void)any;
	return true;
}
