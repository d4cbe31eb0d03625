#include "channel/frame.h"

#include <string.h>

void frame_over(struct frame *f, const uint8_t *bytes, uint32_t size)
{
	uint32_t head = min_u32(size, FRAME_HEAD_SIZE);

	f->body = size > head ? bytes + head : NULL;
	f->more = NULL;
	f->size = size;
	f->body_size = size - head;
	f->more_count = 0;
	f->head_start = FRAME_HEAD_ROOM;
	f->head_size = (uint8_t)head;
	f->todo = 0;
	f->gso = FRAME_GSO_NONE;
	f->ecn = 0;
	f->gso_size = 0;
	f->header_size = 0;
	f->csum_start = f->csum_offset = 0;
	f->in_port = 0;
	f->vlan = 0;
	memcpy(frame_head(f), bytes, head);
}

/* Copies what of one piece lies in the wanted range; returns how much that was. */
static uint32_t copy_piece(const uint8_t *piece, uint32_t piece_size, uint32_t *skip,
			   uint32_t want, uint8_t *to)
{
	uint32_t from = min_u32(*skip, piece_size);
	uint32_t n = min_u32(piece_size - from, want);

	*skip -= from;
	if (n)
		memcpy(to, piece + from, n);
	return n;
}

void frame_copy(const struct frame *f, uint32_t offset, uint32_t size, uint8_t *to)
{
	uint32_t skip = offset, n;

	must(offset <= f->size && size <= f->size - offset);
	n = copy_piece(frame_head_const(f), f->head_size, &skip, size, to);
	if (size > n && f->body)
		n += copy_piece(f->body, f->body_size, &skip, size - n, to + n);
	for (unsigned i = 0; i < f->more_count && n < size; i++)
		n += copy_piece(f->more[i].bytes, f->more[i].size, &skip, size - n, to + n);
	must(n == size);
}
