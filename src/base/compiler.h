/* base/compiler.h -- the only place where a compiler's own extensions are spelled. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Read, soon, into the nearest cache. */
#define prefetch(p) __builtin_prefetch((p), 0, 3)
/* Written, soon. */
#define prefetch_write(p) __builtin_prefetch((p), 1, 3)

/* Index of the lowest bit that is set; x is 64 bits and not 0. */
#define lowest_bit(x) ((unsigned)__builtin_ctzll(x))

#define printf_like(text, first) __attribute__((format(printf, text, first)))
#define always_inline              inline __attribute__((always_inline))
#define cache_aligned              _Alignas(64)

/* A function for processors with moves of 32 bytes, whether this is one, and what it moves. */
#ifdef __x86_64__
#define for_avx2   __attribute__((target("avx2")))
#define has_avx2() __builtin_cpu_supports("avx2")
typedef unsigned char bytes32 __attribute__((vector_size(32)));
#endif

#endif
