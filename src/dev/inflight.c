#include "dev/inflight.h"

#include "dev/guest_word.h"

#include <errno.h>

enum { VERSION = 1 };

uint32_t inflight_size(bool packed, uint32_t entries)
{
	return packed ? INFLIGHT_PACKED_DESC + entries * INFLIGHT_PACKED_DESC_SIZE :
			INFLIGHT_SPLIT_DESC + entries * INFLIGHT_SPLIT_DESC_SIZE;
}

static uint8_t *split_desc(uint8_t *region, uint16_t id)
{
	return region + INFLIGHT_SPLIT_DESC + (uint32_t)id * INFLIGHT_SPLIT_DESC_SIZE;
}

/* The last batch: 'count' chains from the newest back through 'next'. */
static void clear_batch(uint8_t *region, uint32_t entries, uint16_t count)
{
	uint16_t id = get_le16(region + INFLIGHT_SPLIT_LAST_HEAD);

	for (uint32_t i = 0; i < count && i < entries && id < entries; i++) {
		split_desc(region, id)[0] = 0;
		id = get_le16(split_desc(region, id) + INFLIGHT_SPLIT_DESC_NEXT);
	}
}

int inflight_split_start(uint8_t *region, uint32_t entries, uint16_t used_idx)
{
	uint16_t known = get_le16(region + INFLIGHT_SPLIT_USED_IDX);

	if (get_le16(region + INFLIGHT_SPLIT_VERSION) == 0) {
		memset(region, 0, inflight_size(false, entries));
		put_le16(region + INFLIGHT_SPLIT_VERSION, VERSION);
		put_le16(region + INFLIGHT_SPLIT_DESC_NUM, (uint16_t)entries);
		put_le16(region + INFLIGHT_SPLIT_USED_IDX, used_idx);
		return 0;
	}
	if (get_le16(region + INFLIGHT_SPLIT_VERSION) != VERSION ||
	    get_le16(region + INFLIGHT_SPLIT_DESC_NUM) != entries)
		return -EINVAL;
	/* Published, but not noted: the predecessor died between the two. */
	clear_batch(region, entries, (uint16_t)(used_idx - known));
	put_le16(region + INFLIGHT_SPLIT_USED_IDX, used_idx);
	/* What is left in flight is read from the ring again. */
	for (uint32_t id = 0; id < entries; id++)
		split_desc(region, (uint16_t)id)[0] = 0;
	return 0;
}

void inflight_split_use(uint8_t *region, uint16_t id)
{
	uint8_t *desc = split_desc(region, id);

	/* 'next' and the head must be in memory in this order: a reader may come at any point. */
	desc[0] = 1;
	put_le16(desc + INFLIGHT_SPLIT_DESC_NEXT, get_le16(region + INFLIGHT_SPLIT_LAST_HEAD));
	atomic_signal_fence(memory_order_seq_cst);
	put_le16(region + INFLIGHT_SPLIT_LAST_HEAD, id);
	atomic_signal_fence(memory_order_seq_cst);
}

void inflight_split_publish(uint8_t *region, uint32_t entries, uint8_t *idx, uint16_t used_idx)
{
	uint16_t count = (uint16_t)(used_idx - get_le16(region + INFLIGHT_SPLIT_USED_IDX));

	guest_store16_release(idx, used_idx);
	atomic_signal_fence(memory_order_seq_cst);
	clear_batch(region, entries, count);
	atomic_signal_fence(memory_order_seq_cst);
	put_le16(region + INFLIGHT_SPLIT_USED_IDX, used_idx);
}

/* An empty region: every entry is in the free list, each pointing at the next. */
static void lay_packed(uint8_t *region, uint32_t entries, uint16_t slot, bool wrap)
{
	memset(region, 0, inflight_size(true, entries));
	put_le16(region + INFLIGHT_PACKED_VERSION, VERSION);
	put_le16(region + INFLIGHT_PACKED_DESC_NUM, (uint16_t)entries);
	for (uint32_t i = 0; i < entries; i++)
		put_le16(region + INFLIGHT_PACKED_DESC + i * INFLIGHT_PACKED_DESC_SIZE +
			 INFLIGHT_PACKED_DESC_NEXT, (uint16_t)(i + 1));
	inflight_packed_used(region, slot, wrap);
}

int inflight_packed_start(uint8_t *region, uint32_t entries, uint16_t *slot, bool *wrap)
{
	uint16_t known = get_le16(region + INFLIGHT_PACKED_USED_IDX);

	if (get_le16(region + INFLIGHT_PACKED_VERSION) == 0) {
		lay_packed(region, entries, *slot, *wrap);
		return 0;
	}
	if (get_le16(region + INFLIGHT_PACKED_VERSION) != VERSION ||
	    get_le16(region + INFLIGHT_PACKED_DESC_NUM) != entries || known >= entries)
		return -EINVAL;
	*slot = known;
	*wrap = region[INFLIGHT_PACKED_USED_WRAP] != 0;
	return 0;
}

static uint32_t slots_offset(uint16_t slot)
{
	return INFLIGHT_PACKED_DESC + (uint32_t)slot * INFLIGHT_PACKED_DESC_SIZE +
	       INFLIGHT_PACKED_DESC_NUM_SLOTS;
}

void inflight_packed_use(uint8_t *region, uint16_t slot, uint16_t slots)
{
	put_le16(region + slots_offset(slot), slots);
	atomic_signal_fence(memory_order_seq_cst);
}

uint16_t inflight_packed_slots(const uint8_t *region, uint16_t slot)
{
	return get_le16(region + slots_offset(slot));
}

void inflight_packed_used(uint8_t *region, uint16_t slot, bool wrap)
{
	atomic_signal_fence(memory_order_seq_cst);
	put_le16(region + INFLIGHT_PACKED_USED_IDX, slot);
	region[INFLIGHT_PACKED_USED_WRAP] = wrap;
	atomic_signal_fence(memory_order_seq_cst);
	put_le16(region + INFLIGHT_PACKED_OLD_USED_IDX, slot);
	region[INFLIGHT_PACKED_OLD_USED_WRAP] = wrap;
}
