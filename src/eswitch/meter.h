/* eswitch/meter.h -- a token bucket for bits and one for frames, kept as time owed: each frame
 * owes the time that it takes at the rate, and the clock pays it back.  A frame may go while at most
 * ESW_METER_BURST_NS is owed.  No division once it is set.
 *
 * A limit of 0 is none: such frames owe nothing, so the same instructions serve both cases.
 *
 * Threads: one at a time.  Memory: a plain struct. */
#ifndef ESWITCH_METER_H
#define ESWITCH_METER_H

#include "base/base.h"

enum {
	ESW_METER_BURST_NS = 4000000, /* how far ahead of its rate a sender may get */
	ESW_METER_BPS_MIN = 1000,     /* the least limit that the arithmetic carries */
	ESW_METER_FRACTION = 16,      /* bits behind the point of a time that is owed */
};

struct esw_meter {
	uint64_t last_ns;     /* when what is owed was last paid down */
	uint64_t bits_owed;   /* ns, with fraction */
	uint64_t frames_owed;
	uint64_t byte_cost;   /* ns with fraction that one byte owes; 0: no limit */
	uint64_t frame_cost;
};

/* rate_bps  bits a second, 0 or at least ESW_METER_BPS_MIN
 * rate_pps  frames a second, or 0 */
void esw_meter_init(struct esw_meter *meter, uint64_t rate_bps, uint64_t rate_pps);

/* Pays for the time that has passed. */
void esw_meter_pay(struct esw_meter *meter, uint64_t now_ns);

/* When the next frame may go, if none goes before: last_ns when it may now. */
uint64_t esw_meter_ready_ns(const struct esw_meter *meter);

static always_inline bool esw_meter_allows(const struct esw_meter *meter)
{
	const uint64_t most = (uint64_t)ESW_METER_BURST_NS << ESW_METER_FRACTION;

	return (meter->bits_owed <= most) & (meter->frames_owed <= most);
}

static always_inline void esw_meter_charge(struct esw_meter *meter, uint32_t size_bytes)
{
	meter->bits_owed += size_bytes * meter->byte_cost;
	meter->frames_owed += meter->frame_cost;
}

#endif
