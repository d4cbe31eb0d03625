/* dev/inflight.h -- the in-flight region of one queue: which chains the device has and has not given
 * back, in memory that outlives this process.  Layout of the vhost-user protocol, "Inflight I/O
 * tracking": queue region for split and for packed virtqueues.
 *
 * Our fronts use chains in order, so what is in flight is what the driver made available behind
 * the last published one; the region says the same in the form that any other backend reads.
 *
 * Threads: under the hold of the front.  Memory: shared with the frontend; trusted with our own
 * state only after its numbers were checked against the ring. */
#ifndef DEV_INFLIGHT_H
#define DEV_INFLIGHT_H

#include "base/base.h"

enum inflight_split {
	INFLIGHT_SPLIT_FEATURES = 0,      /* u64 */
	INFLIGHT_SPLIT_VERSION = 8,       /* u16: 1 */
	INFLIGHT_SPLIT_DESC_NUM = 10,     /* u16 */
	INFLIGHT_SPLIT_LAST_HEAD = 12,    /* u16: head of the last batch */
	INFLIGHT_SPLIT_USED_IDX = 14,     /* u16 */
	INFLIGHT_SPLIT_DESC = 16,
	INFLIGHT_SPLIT_DESC_SIZE = 16,    /* u8 inflight, 5 bytes, u16 next, u64 counter */
	INFLIGHT_SPLIT_DESC_NEXT = 6,
	INFLIGHT_SPLIT_DESC_COUNTER = 8,
};

enum inflight_packed {
	INFLIGHT_PACKED_FEATURES = 0,     /* u64 */
	INFLIGHT_PACKED_VERSION = 8,      /* u16: 1 */
	INFLIGHT_PACKED_DESC_NUM = 10,    /* u16 */
	INFLIGHT_PACKED_FREE_HEAD = 12,   /* u16 */
	INFLIGHT_PACKED_OLD_FREE_HEAD = 14,
	INFLIGHT_PACKED_USED_IDX = 16,    /* u16 */
	INFLIGHT_PACKED_OLD_USED_IDX = 18,
	INFLIGHT_PACKED_USED_WRAP = 20,   /* u8 */
	INFLIGHT_PACKED_OLD_USED_WRAP = 21,
	INFLIGHT_PACKED_DESC = 32,
	INFLIGHT_PACKED_DESC_SIZE = 32,   /* u8 inflight, u8, u16 next, u16 last, u16 num,
	                                   * u64 counter, u16 id, u16 flags, u32 len, u64 addr */
	INFLIGHT_PACKED_DESC_NEXT = 2,
	INFLIGHT_PACKED_DESC_NUM_SLOTS = 6,
};

/* Bytes that a queue of 'entries' entries takes. */
uint32_t inflight_size(bool packed, uint32_t entries);

/* A split queue starts: checks the region, writes a new one's numbers, and finishes the step that
 * a predecessor died in.  'used_idx' is the index in the used ring, and where to go on from.
 * -EINVAL when the region is of another queue. */
int inflight_split_start(uint8_t *region, uint32_t entries, uint16_t used_idx);

/* Chain 'id' is being given back, as part of the batch that inflight_split_publish() ends. */
void inflight_split_use(uint8_t *region, uint16_t id);

/* Publishes: writes 'used_idx' to the used ring's index at 'idx', and ends the batch.  'entries' is
 * the ring's own number: what the region says may have changed since it was checked. */
void inflight_split_publish(uint8_t *region, uint32_t entries, uint8_t *idx, uint16_t used_idx);

/* A packed queue starts; *slot and *wrap hold what the base says, and receive where to go on when
 * the region was in use before. */
int inflight_packed_start(uint8_t *region, uint32_t entries, uint16_t *slot, bool *wrap);

/* The chain of 'slots' slots at 'slot' is about to be given back: a successor that finds it used in
 * the ring, and not in the region, goes on behind it. */
void inflight_packed_use(uint8_t *region, uint16_t slot, uint16_t slots);
uint16_t inflight_packed_slots(const uint8_t *region, uint16_t slot);

/* Everything before 'slot' was given back and is visible to the driver. */
void inflight_packed_used(uint8_t *region, uint16_t slot, bool wrap);

#endif
