/* tests/check.h -- what every unit test includes: cmocka, and a printed seed. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The seed from MIDPLANE_SEED, else a fixed one, so a bare run repeats; always printed. */
static inline uint64_t check_seed(void)
{
	const char *text = getenv("MIDPLANE_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : 1;

	fprintf(stderr, "# seed %" PRIu64 " (MIDPLANE_SEED=%" PRIu64 " repeats this run)\n", seed,
		seed);
	return seed;
}

#endif
