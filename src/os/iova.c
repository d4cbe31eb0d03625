#include "os/iova.h"

#include <errno.h>
#include <string.h>

void iova_init(struct iova_space *space, uint64_t page)
{
	must(page && (page & (page - 1)) == 0);
	memset(space, 0, sizeof *space);
	space->page = page;
}

/* The least multiple of 'align' that is not below 'at'; false: it would be beyond 2^64. */
static bool round_up(uint64_t *at, uint64_t align)
{
	uint64_t up = (*at + (align - 1)) & ~(align - 1);

	if (up < *at)
		return false;
	*at = up;
	return true;
}

int iova_allow(struct iova_space *space, uint64_t first, uint64_t last)
{
	if (first > last ||
	    (space->range_count && first <= space->ranges[space->range_count - 1].last))
		return -EINVAL;
	/* Whole pages; the last one may end where addresses do. */
	if (!round_up(&first, space->page) || first > last || last - first < space->page - 1)
		return 0;
	if (space->range_count == IOVA_RANGES_MAX)
		return -ENOSPC;
	last = first + (last - first - (space->page - 1)) / space->page * space->page +
	       (space->page - 1);
	space->ranges[space->range_count++] = (struct iova_range){ first, last };
	return 0;
}

/* The first address in 'range', from its start on, where the piece lies free; its place among the
 * pieces. */
static bool find(const struct iova_space *space, struct iova_range range, uint64_t size,
		 uint64_t align, uint64_t *iova, unsigned *place)
{
	uint64_t at = range.first;

	for (*place = 0;; ++*place) {
		const struct iova_range *piece = &space->pieces[*place];
		bool is_last = *place == space->piece_count || piece->first > range.last;
		uint64_t end = is_last ? range.last : piece->first - 1;

		if (!is_last && piece->last < at)
			continue;
		if (!round_up(&at, align) || at > range.last)
			return false;
		/* A piece that begins where 'at' is leaves no gap before it. */
		if ((is_last || piece->first > at) && end >= at && end - at >= size - 1) {
			*iova = at;
			return true;
		}
		if (is_last || piece->last == UINT64_MAX)
			return false;
		at = max_u64(at, piece->last + 1);
	}
}

int iova_take(struct iova_space *space, uint64_t size, uint64_t align, uint64_t *iova)
{
	unsigned place = 0;

	if (size == 0 || size % space->page || align == 0 || align & (align - 1))
		return -EINVAL;
	if (space->piece_count == IOVA_PIECES_MAX)
		return -ENOSPC;
	for (unsigned i = 0; i < space->range_count; i++) {
		if (!find(space, space->ranges[i], size, max_u64(align, space->page), iova, &place))
			continue;
		memmove(&space->pieces[place + 1], &space->pieces[place],
			(space->piece_count - place) * sizeof space->pieces[0]);
		space->pieces[place] = (struct iova_range){ *iova, *iova + (size - 1) };
		space->piece_count++;
		return 0;
	}
	return -ENOSPC;
}

uint64_t iova_give(struct iova_space *space, uint64_t iova)
{
	for (unsigned i = 0; i < space->piece_count; i++) {
		uint64_t size = space->pieces[i].last - space->pieces[i].first + 1;

		if (space->pieces[i].first != iova)
			continue;
		space->piece_count--;
		memmove(&space->pieces[i], &space->pieces[i + 1],
			(space->piece_count - i) * sizeof space->pieces[0]);
		return size;
	}
	return 0;
}
