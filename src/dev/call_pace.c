#include "dev/call_pace.h"

static void note_posts(struct call_pace *pace, const struct call_sight *sight, uint64_t now_ns)
{
	uint16_t n = (uint16_t)(sight->posted - pace->posted);

	if (n) {
		uint64_t gap_ns = min_u64((now_ns - pace->posted_ns) / n, CALL_PAUSE_NS);

		/* One that waited before took its time for other things. */
		if (pace->under_way)
			pace->gap_ns = (uint32_t)((3 * (uint64_t)pace->gap_ns + gap_ns) / 4);
		pace->posted_ns = now_ns;
		pace->posted = sight->posted;
	}
	pace->under_way = sight->under_way;
	/* It posts on before it has taken what it was told of: it would have, too, had it not been told. */
	if (sight->under_way > pace->depth)
		pace->depth = sight->under_way;
}

static uint64_t pause_ns(const struct call_pace *pace)
{
	uint64_t ns = max_u64((uint64_t)pace->gap_ns * CALL_PAUSE_GAPS, CALL_PAUSE_MIN_NS);

	return max_u64(pace->posted_ns, pace->held_ns) + min_u64(ns, CALL_PAUSE_NS);
}

enum call_verdict call_pace_look(struct call_pace *pace, const struct call_sight *sight,
				 uint64_t now_ns)
{
	bool held = pace->due_ns != 0;

	note_posts(pace, sight, now_ns);
	pace->due_ns = 0;
	if (!sight->wanted)
		return CALL_NOT;
	/* One that waits with all that it has is told of whatever has ended: its disk may be slow, and
	 * is to be given the next. */
	if (sight->under_way >= pace->depth || sight->under_way == 0)
		return CALL_NOW;
	if (!held)
		pace->held_ns = now_ns;
	if (now_ns >= pause_ns(pace)) {
		pace->depth = sight->under_way; /* with so many it waits now */
		return CALL_NOW;
	}
	pace->due_ns = min_u64(pause_ns(pace), pace->held_ns + CALL_HOLD_NS);
	if (now_ns < pace->due_ns)
		return CALL_LATER;
	pace->due_ns = 0;
	return CALL_NOW;
}
