/* fuzz/input.h -- a fuzzer's input, read in parts: what is missing at the end is zero.
 *
 * Steps that a fuzzer takes one after the other read what they need here. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include "base/base.h"

struct input {
	const uint8_t *at;
	size_t left;
};

/* A number of 1 to 4 bytes, little-endian. */
static inline uint32_t take(struct input *in, unsigned bytes)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < bytes && in->left; i++, in->at++, in->left--)
		value |= (uint32_t)*in->at << 8 * i;
	return value;
}

/* Up to 'size' bytes; how many there are. */
static inline uint32_t take_bytes(struct input *in, uint32_t size, const uint8_t **bytes)
{
	uint32_t n = (uint32_t)min_u64(size, in->left);

	*bytes = in->at;
	in->at += n;
	in->left -= n;
	return n;
}

#endif
