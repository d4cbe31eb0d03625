#include "os/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
	struct timespec t;

	(void)clock_gettime(id, &t); /* fails only for a bad id */
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

void clock_format(uint64_t wall_ns, char text[32])
{
	time_t seconds = (time_t)(wall_ns / 1000000000u);
	unsigned micros = (unsigned)(wall_ns % 1000000000u / 1000);
	struct tm tm;
	size_t length;

	gmtime_r(&seconds, &tm);
	length = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(text + length, 32 - length, ".%06uZ", micros);
}
