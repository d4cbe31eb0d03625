#include "eswitch/meter.h"

#define SECOND_NS     UINT64_C(1000000000)
#define PAY_MOST_NS   (UINT64_C(1) << 44)

void esw_meter_init(struct esw_meter *meter, uint64_t rate_bps, uint64_t rate_pps)
{
	must(rate_bps == 0 || rate_bps >= ESW_METER_BPS_MIN);
	*meter = (struct esw_meter){ 0 };
	if (rate_bps)
		meter->byte_cost = ((8 * SECOND_NS << ESW_METER_FRACTION) + rate_bps / 2) / rate_bps;
	if (rate_pps)
		meter->frame_cost = ((SECOND_NS << ESW_METER_FRACTION) + rate_pps / 2) / rate_pps;
}

void esw_meter_pay(struct esw_meter *meter, uint64_t now_ns)
{
	uint64_t paid;

	if (now_ns <= meter->last_ns)
		return;
	paid = min_u64(now_ns - meter->last_ns, PAY_MOST_NS) << ESW_METER_FRACTION;
	meter->bits_owed -= min_u64(paid, meter->bits_owed);
	meter->frames_owed -= min_u64(paid, meter->frames_owed);
	meter->last_ns = now_ns;
}

uint64_t esw_meter_ready_ns(const struct esw_meter *meter)
{
	const uint64_t most = (uint64_t)ESW_METER_BURST_NS << ESW_METER_FRACTION;
	uint64_t owed = max_u64(meter->bits_owed, meter->frames_owed);

	return owed <= most ? meter->last_ns
			    : meter->last_ns + ((owed - most) >> ESW_METER_FRACTION) + 1;
}
