#include "prog/avail_clock.h"

#include "os/clock.h"

struct avail_clock avail_clock_start(uint64_t seconds)
{
	bool ends = seconds > 0 && seconds < UINT64_MAX / 2000000000;

	uint64_t now_ns = clock_now_ns();

	if (!ends)
		return (struct avail_clock){ UINT64_MAX, UINT64_MAX };
	return (struct avail_clock){ .end_ns = now_ns + seconds * 1000000000,
				     .diagram_ns = now_ns + seconds * 666666667 };
}

bool avail_clock_go_on(void *clock)
{
	const struct avail_clock *until = clock;

	return until->end_ns == UINT64_MAX || clock_now_ns() < until->end_ns;
}

bool avail_clock_go_on_first(void *clock)
{
	const struct avail_clock *until = clock;

	return until->diagram_ns == UINT64_MAX || clock_now_ns() < until->diagram_ns;
}
