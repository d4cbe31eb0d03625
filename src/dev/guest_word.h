/* dev/guest_word.h -- words in memory that a guest may change at any moment: each is read or
 * written once, whole, little-endian.
 *
 * The pointer must be aligned to the word's size.  'acquire' loads pair with the driver's release
 * of the same word (its write barrier before an index or a flags word), 'release' stores with its
 * acquire. */
#ifndef DEV_GUEST_WORD_H
#define DEV_GUEST_WORD_H

#include "base/bytes.h"

#include <stdatomic.h>

/* Each conversion is nothing on a little-endian machine. */
static inline uint16_t word_le16(uint16_t word)
{
	uint8_t bytes[2];

	memcpy(bytes, &word, sizeof bytes);
	return get_le16(bytes);
}

static inline uint32_t word_le32(uint32_t word)
{
	uint8_t bytes[4];

	memcpy(bytes, &word, sizeof bytes);
	return get_le32(bytes);
}

static inline uint64_t word_le64(uint64_t word)
{
	uint8_t bytes[8];

	memcpy(bytes, &word, sizeof bytes);
	return get_le64(bytes);
}

static inline uint16_t guest_load16(const uint8_t *p)
{
	return word_le16(atomic_load_explicit((const _Atomic uint16_t *)(const void *)p,
					      memory_order_relaxed));
}

static inline uint16_t guest_load16_acquire(const uint8_t *p)
{
	return word_le16(atomic_load_explicit((const _Atomic uint16_t *)(const void *)p,
					      memory_order_acquire));
}

static inline uint32_t guest_load32(const uint8_t *p)
{
	return word_le32(atomic_load_explicit((const _Atomic uint32_t *)(const void *)p,
					      memory_order_relaxed));
}

static inline uint64_t guest_load64(const uint8_t *p)
{
	return word_le64(atomic_load_explicit((const _Atomic uint64_t *)(const void *)p,
					      memory_order_relaxed));
}

static inline uint64_t guest_load64_acquire(const uint8_t *p)
{
	return word_le64(atomic_load_explicit((const _Atomic uint64_t *)(const void *)p,
					      memory_order_acquire));
}

static inline void guest_store16(uint8_t *p, uint16_t v)
{
	atomic_store_explicit((_Atomic uint16_t *)(void *)p, word_le16(v), memory_order_relaxed);
}

static inline void guest_store16_release(uint8_t *p, uint16_t v)
{
	atomic_store_explicit((_Atomic uint16_t *)(void *)p, word_le16(v), memory_order_release);
}

static inline void guest_store32(uint8_t *p, uint32_t v)
{
	atomic_store_explicit((_Atomic uint32_t *)(void *)p, word_le32(v), memory_order_relaxed);
}

static inline void guest_store64(uint8_t *p, uint64_t v)
{
	atomic_store_explicit((_Atomic uint64_t *)(void *)p, word_le64(v), memory_order_relaxed);
}

static inline void guest_store64_release(uint8_t *p, uint64_t v)
{
	atomic_store_explicit((_Atomic uint64_t *)(void *)p, word_le64(v), memory_order_release);
}

/* What was copied from the guest before is not read from the guest again after. */
static inline void guest_read_is_over(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

#endif
