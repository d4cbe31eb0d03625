#include "avail/count.h"

#include <string.h>

void avail_count_add(struct avail_count *sum, const struct avail_count *more)
{
	uint64_t carry = 0;

	for (unsigned i = 0; i < AVAIL_COUNT_LIMBS; i++) {
		uint64_t with_carry = sum->limb[i] + carry, total = with_carry + more->limb[i];

		carry = (with_carry < carry) | (total < with_carry);
		sum->limb[i] = total;
	}
	sum->over |= more->over | (carry != 0);
	if (sum->over)
		memset(sum->limb, 0xff, sizeof sum->limb);
}

/* Divides by ten; the remainder is the last decimal digit. */
static unsigned take_digit(uint64_t limb[AVAIL_COUNT_LIMBS])
{
	uint64_t rest = 0;

	for (unsigned i = AVAIL_COUNT_LIMBS; i-- > 0;) {
		uint64_t high = rest << 32 | limb[i] >> 32, low;

		rest = high % 10;
		low = rest << 32 | (limb[i] & UINT32_MAX);
		rest = low % 10;
		limb[i] = high / 10 << 32 | low / 10;
	}
	return (unsigned)rest;
}

static bool is_zero(const uint64_t limb[AVAIL_COUNT_LIMBS])
{
	for (unsigned i = 0; i < AVAIL_COUNT_LIMBS; i++)
		if (limb[i])
			return false;
	return true;
}

void avail_count_text(const struct avail_count *count, char text[AVAIL_COUNT_DIGITS])
{
	struct avail_count left = *count;
	char digits[AVAIL_COUNT_DIGITS];
	unsigned n = 0, at = 0;

	do
		digits[n++] = (char)('0' + take_digit(left.limb));
	while (!is_zero(left.limb));
	must(n + 1 < AVAIL_COUNT_DIGITS);
	if (count->over)
		text[at++] = '>';
	while (n > 0)
		text[at++] = digits[--n];
	text[at] = 0;
}
