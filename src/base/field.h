/* base/field.h -- fields of 64-bit registers and table entries, named by their bits as a standard
 * names them.
 *
 * A field is one integer, FIELD(high, low), so that spec/ can list fields as enumerators; a
 * compiler makes a shift and a mask of each access.
 *
 * Threads: plain values.  Memory: none. */
#ifndef BASE_FIELD_H
#define BASE_FIELD_H

#include <stdbool.h>
#include <stdint.h>

/* Bits high..low, both included, of a word of 64 bits: FIELD(21, 16). */
#define FIELD(high, low) ((high) << 8 | (low))
/* One bit. */
#define FIELD_BIT(bit) FIELD(bit, bit)

/* The field's bits, in place. */
static inline uint64_t field_mask(int field)
{
	unsigned high = (unsigned)field >> 8, low = (unsigned)field & 0xff;

	return UINT64_MAX >> (63 - high) & UINT64_MAX << low;
}

/* The field's value, moved down to bit 0. */
static inline uint64_t field_get(uint64_t word, int field)
{
	return (word & field_mask(field)) >> ((unsigned)field & 0xff);
}

/* Whether any bit of the field is 1. */
static inline bool field_is_set(uint64_t word, int field)
{
	return (word & field_mask(field)) != 0;
}

/* A word with 'value' in the field and 0 elsewhere; bits of value that do not fit are cut off. */
static inline uint64_t field_make(int field, uint64_t value)
{
	return value << ((unsigned)field & 0xff) & field_mask(field);
}

/* The word with the field replaced. */
static inline uint64_t field_put(uint64_t word, int field, uint64_t value)
{
	return (word & ~field_mask(field)) | field_make(field, value);
}

#endif
