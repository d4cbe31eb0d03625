#include "avail/wide.h"

#include <string.h>

bool avail_wide_is_over(const uint64_t *number, unsigned width)
{
	unsigned ones = 0;

	for (unsigned i = 0; i < width; i++)
		ones += number[i] == UINT64_MAX;
	return width == AVAIL_COUNT_LIMBS && ones == width;
}

static bool is_zero(const uint64_t *number, unsigned width)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < width; i++)
		any |= number[i];
	return any == 0;
}

static void make_over(uint64_t *number, unsigned width)
{
	must(width == AVAIL_COUNT_LIMBS); /* of narrower ones the caller knows better */
	memset(number, 0xff, width * sizeof *number);
}

/* *word += more + carry; the new carry. */
static uint64_t add_word(uint64_t *word, uint64_t more, uint64_t carry)
{
	uint64_t with_carry = *word + carry, total = with_carry + more;

	*word = total;
	return (with_carry < carry) | (total < with_carry);
}

void avail_wide_add(uint64_t *sum, const uint64_t *more, unsigned width)
{
	uint64_t carry = 0;

	if (avail_wide_is_over(sum, width))
		return;
	if (avail_wide_is_over(more, width)) {
		make_over(sum, width);
		return;
	}
	for (unsigned i = 0; i < width; i++)
		carry = add_word(&sum[i], more[i], carry);
	if (carry)
		make_over(sum, width);
}

static uint64_t multiply_words(uint64_t a, uint64_t b, uint64_t *high)
{
	uint64_t a0 = a & UINT32_MAX, a1 = a >> 32, b0 = b & UINT32_MAX, b1 = b >> 32;
	uint64_t low = a0 * b0, mid = a1 * b0 + (low >> 32), mid2 = a0 * b1 + (mid & UINT32_MAX);

	*high = a1 * b1 + (mid >> 32) + (mid2 >> 32);
	return mid2 << 32 | (low & UINT32_MAX);
}

/* sum[0 .. width - 1] += word * b; whether something was lost above. */
static bool add_row(uint64_t *sum, uint64_t word, const uint64_t *b, unsigned width)
{
	uint64_t carry = 0;

	for (unsigned i = 0; i < width; i++) {
		uint64_t high, low = multiply_words(word, b[i], &high);

		/* A word times a word plus two words is at most two words. */
		carry = high + add_word(&low, carry, 0);
		carry += add_word(&sum[i], low, 0);
	}
	return carry != 0;
}

void avail_wide_add_product(uint64_t *sum, const uint64_t *a, const uint64_t *b, unsigned width)
{
	bool over = avail_wide_is_over(a, width) || avail_wide_is_over(b, width);

	if (is_zero(a, width) || is_zero(b, width) || avail_wide_is_over(sum, width))
		return;
	for (unsigned i = 0; !over && i < width; i++) {
		if (!a[i])
			continue;
		over = add_row(sum + i, a[i], b, width - i);
		for (unsigned j = width - i; j < width; j++)
			over |= b[j] != 0;
	}
	if (over)
		make_over(sum, width);
}

struct avail_count avail_wide_count(const uint64_t *number, unsigned width)
{
	struct avail_count count = { .over = avail_wide_is_over(number, width) };

	memcpy(count.limb, number, width * sizeof *number);
	return count;
}
