#include "dev/internal.h"

/* Before each frame: what frame_over() does not know. */
struct record {
	uint32_t size;  /* of the frame; RECORD_SKIP: go on at the beginning */
	uint16_t pair;
	uint8_t todo, gso, ecn;
	uint16_t gso_size, header_size, csum_start, csum_offset;
};

enum { RECORD_SKIP = UINT16_MAX + FRAME_SIZE_MAX, RECORD_ALIGN = 16 };

static uint32_t room_of(uint32_t size)
{
	uint32_t bytes = (uint32_t)sizeof(struct record) + size;

	return (bytes + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

void net_hold_clear(struct net_hold *hold)
{
	hold->first = hold->end = hold->count = 0;
}

static void write_record(struct net_hold *hold, uint32_t at, const struct record *record)
{
	memcpy(hold->bytes + at, record, sizeof *record);
}

/* Finds 'room' bytes in one piece behind the end; moves the end there. */
static bool make_room(struct net_hold *hold, uint32_t room)
{
	if (hold->count == 0)
		hold->first = hold->end = 0;
	if (hold->count && hold->end <= hold->first)
		return hold->first - hold->end >= room;
	if (NET_HOLD_SIZE - hold->end >= room)
		return true;
	if (hold->first < room)
		return false;
	if (NET_HOLD_SIZE - hold->end >= sizeof(struct record))
		write_record(hold, hold->end, &(struct record){ .size = RECORD_SKIP });
	hold->end = 0;
	return true;
}

bool net_hold_put(struct net_hold *hold, const struct frame *frame, unsigned pair)
{
	uint32_t room = room_of(frame->size);
	struct record record = {
		.size = frame->size,
		.pair = (uint16_t)pair,
		.todo = frame->todo,
		.gso = frame->gso,
		.ecn = frame->ecn,
		.gso_size = frame->gso_size,
		.header_size = frame->header_size,
		.csum_start = frame->csum_start,
		.csum_offset = frame->csum_offset,
	};

	if (!make_room(hold, room))
		return false;
	write_record(hold, hold->end, &record);
	frame_copy(frame, 0, frame->size, hold->bytes + hold->end + sizeof record);
	hold->end += room;
	hold->count++;
	return true;
}

/* Place and record of the first frame. */
static uint32_t first_record(const struct net_hold *hold, struct record *record)
{
	uint32_t at = hold->first;

	if (NET_HOLD_SIZE - at < sizeof *record)
		at = 0;
	memcpy(record, hold->bytes + at, sizeof *record);
	if (record->size == RECORD_SKIP) {
		at = 0;
		memcpy(record, hold->bytes, sizeof *record);
	}
	return at;
}

bool net_hold_first(const struct net_hold *hold, struct frame *frame, unsigned *pair)
{
	struct record record;
	uint32_t at;

	if (hold->count == 0)
		return false;
	at = first_record(hold, &record);
	frame_over(frame, hold->bytes + at + sizeof record, record.size);
	frame->todo = record.todo;
	frame->gso = record.gso;
	frame->ecn = record.ecn;
	frame->gso_size = record.gso_size;
	frame->header_size = record.header_size;
	frame->csum_start = record.csum_start;
	frame->csum_offset = record.csum_offset;
	*pair = record.pair;
	return true;
}

void net_hold_drop_first(struct net_hold *hold)
{
	struct record record;
	uint32_t at = first_record(hold, &record);

	must(hold->count > 0);
	hold->first = at + room_of(record.size);
	hold->count--;
}
