/* base/base.h -- the few words every other file may use.  No allocation, and no I/O
 * but the last words of must(). */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define array_len(a) (sizeof(a) / sizeof((a)[0]))

/* The structure of type 'type' whose member 'member' is at 'ptr'. */
#ifndef container_of /* DPDK has the same word */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#endif

/* Stops the program when 'cond' is false.  Stays on in release builds. */
#define must(cond) (likely(cond) ? (void)0 : must_fail(#cond, __FILE__, __LINE__))
_Noreturn void must_fail(const char *cond, const char *file, int line);

/* Bits lo..hi, both included, the way a register diagram writes [hi:lo]. */
static inline uint32_t bits32(unsigned hi, unsigned lo)
{
	must(hi < 32);
	must(lo <= hi);
	return (uint32_t)((((uint64_t)1 << (hi - lo + 1)) - 1) << lo);
}

static inline uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline bool is_power_of_two(uint64_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/* A small repeatable generator for tests, simulation and hashing seeds (splitmix64). */
static inline uint64_t rand_u64(uint64_t *seed)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

#endif
