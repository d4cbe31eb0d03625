/* os/clock.h -- the two clocks: monotonic nanoseconds for everything, wall time for people. */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stdint.h>

uint64_t clock_now_ns(void);  /* monotonic (CLOCK_MONOTONIC) */
uint64_t clock_wall_ns(void); /* since 1970-01-01T00:00:00Z */

/* Writes "2026-11-22T19:38:01.123456Z"; 'text' has room for 32 bytes. */
void clock_format(uint64_t wall_ns, char text[32]);

#endif
