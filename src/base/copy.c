#include "base/copy.h"

#include <string.h>

#ifdef for_avx2
enum {
	LINE = 64,
	HALF = LINE / 2,
	SHORT = 512, /* bytes up to which the C library's copy has no loop, and is quicker */
};

_Static_assert(sizeof(bytes32) == HALF, "two moves a cache line");

static always_inline for_avx2 void move_line(uint8_t *to, const uint8_t *from)
{
	bytes32 first, second;

	memcpy(&first, from, HALF);
	memcpy(&second, from + HALF, HALF);
	memcpy(to, &first, HALF);
	memcpy(to + HALF, &second, HALF);
}

/* More than a line.  What does not fill a line of 'to' is moved as part of a whole line's bytes,
 * too. */
static for_avx2 void copy_lines(uint8_t *to, const uint8_t *from, size_t size)
{
	size_t at = LINE - (uintptr_t)to % LINE;

	move_line(to, from);
	for (; at + LINE <= size; at += LINE)
		move_line(to + at, from + at);
	if (at < size)
		move_line(to + size - LINE, from + size - LINE);
}

void copy_far(uint8_t *to, const uint8_t *from, uint32_t size)
{
	if (size > SHORT && has_avx2())
		copy_lines(to, from, size);
	else
		memmove(to, from, size);
}
#else
void copy_far(uint8_t *to, const uint8_t *from, uint32_t size)
{
	memmove(to, from, size);
}
#endif
