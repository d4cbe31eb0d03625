#include "prog/avail_clock.h"

#include "os/clock.h"

struct avail_clock avail_clock_start(uint64_t seconds)
{
	bool ends = seconds > 0 && seconds < UINT64_MAX / 2000000000;

	return (struct avail_clock){ ends ? clock_now_ns() + seconds * 1000000000 : UINT64_MAX };
}

bool avail_clock_go_on(void *clock)
{
	const struct avail_clock *until = clock;

	return until->end_ns == UINT64_MAX || clock_now_ns() < until->end_ns;
}
