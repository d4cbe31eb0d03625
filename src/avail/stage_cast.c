/* What casts do when their members fail and return, as dynamic.h describes it. */
#include "avail/play.h"
#include "avail/stage.h"

/* ---- casts ---- */

bool avail_stage_up(const struct avail_stage *stage, const struct avail_cast *cast, uint32_t m)
{
	return !avail_stage_value(stage, stage->play->args.items[cast->first + m]);
}

void avail_stage_set_mode(struct avail_stage *stage, uint32_t index, uint8_t mode)
{
	const struct avail_cast *cast = &stage->play->casts[index];
	double rate = mode == AVAIL_CAST_SWITCHING ? 1 / cast->rule.switch_h
		      : mode == AVAIL_CAST_WAITING ? 1 / cast->rule.recovery_h
						   : 0;

	stage->counts[AVAIL_STAGE_BUSY] += (mode != AVAIL_CAST_NORMAL);
	stage->counts[AVAIL_STAGE_BUSY] -= (stage->mode[index] != AVAIL_CAST_NORMAL);
	stage->mode[index] = mode;
	avail_urn_set(&stage->others, stage->play->actor_count + index, rate);
	avail_stage_mark(stage, cast->node);
}

static void set_active(struct avail_stage *stage, uint32_t index, uint32_t m, uint8_t active)
{
	const struct avail_play *play = stage->play;
	uint32_t at = play->casts[index].at + m;

	if (stage->active[at] == active)
		return;
	stage->active[at] = active;
	for (uint32_t i = play->own_first.items[at]; i < play->own_first.items[at + 1]; i++)
		if (!stage->failed[play->own.items[i]])
			avail_stage_rates(stage, play->own.items[i], false);
}

/* Replaces active members that are down by the first spares that are up; whether there was one. */
bool avail_stage_replace(struct avail_stage *stage, uint32_t index)
{
	const struct avail_cast *cast = &stage->play->casts[index];
	const uint8_t *active = stage->active + cast->at;
	bool replaced = false;

	for (uint32_t m = 0; m < cast->count; m++) {
		if (!active[m] || avail_stage_up(stage, cast, m))
			continue;
		for (uint32_t spare = 0; spare < cast->count; spare++)
			if (!active[spare] && avail_stage_up(stage, cast, spare)) {
				set_active(stage, index, m, 0);
				set_active(stage, index, spare, 1);
				replaced = true;
				break;
			}
	}
	return replaced;
}

void avail_stage_regroup(struct avail_stage *stage, uint32_t index)
{
	const struct avail_cast *cast = &stage->play->casts[index];
	uint32_t left = cast->rule.needed;

	if (!cast->rule.reverts) {
		avail_stage_replace(stage, index);
		return;
	}
	for (uint32_t m = 0; m < cast->count; m++) {
		bool chosen = left > 0 && avail_stage_up(stage, cast, m);

		left -= chosen;
		set_active(stage, index, m, chosen);
	}
}

static void drag(struct avail_stage *stage, const struct avail_cast *cast, uint32_t m)
{
	const struct avail_play *play = stage->play;
	uint32_t at = cast->at + m;

	for (uint32_t i = play->own_first.items[at];
	     i < play->own_first.items[at + 1] && avail_stage_up(stage, cast, m); i++) {
		uint32_t actor = play->own.items[i];

		if (stage->failed[actor] || play->actors[actor].kind != AVAIL_ACTOR_LIVE)
			continue;
		avail_stage_fail(stage, actor);
		avail_stage_refresh(stage);
	}
}

/* Active members before spares, where that is a difference. */
static void drag_all(struct avail_stage *stage, uint32_t index)
{
	const struct avail_cast *cast = &stage->play->casts[index];
	bool roles_matter = cast->rule.mode != AVAIL_HOT || cast->rule.switch_h > 0;

	for (uint32_t m = 0; roles_matter && m < cast->count; m++)
		if (stage->active[cast->at + m])
			drag(stage, cast, m);
	for (uint32_t m = 0; m < cast->count; m++)
		drag(stage, cast, m);
}

/* What a cast finds when it looks at its members again. */
struct finding {
	bool fell, active_fell, rose, enough_before, enough_now;
};

static struct finding find(struct avail_stage *stage, const struct avail_cast *cast)
{
	uint32_t before = 0, now = 0;
	struct finding finding = { 0 };

	for (uint32_t m = 0; m < cast->count; m++) {
		bool was = stage->was_up[cast->at + m], is = avail_stage_up(stage, cast, m);

		before += was;
		now += is;
		finding.fell |= was && !is;
		finding.active_fell |= was && !is && stage->active[cast->at + m];
		finding.rose |= is && !was;
	}
	finding.enough_before = before >= cast->rule.needed;
	finding.enough_now = now >= cast->rule.needed;
	return finding;
}

static void return_home(struct avail_stage *stage, uint32_t index)
{
	const struct avail_cast *cast = &stage->play->casts[index];
	bool moved = false;

	for (uint32_t m = 0; m < cast->rule.needed; m++) {
		uint32_t last = cast->count;

		if (stage->active[cast->at + m] || stage->was_up[cast->at + m] ||
		    !avail_stage_up(stage, cast, m))
			continue;
		while (last > cast->rule.needed && !stage->active[cast->at + last - 1])
			last--;
		if (last == cast->rule.needed)
			continue;
		set_active(stage, index, last - 1, 0);
		set_active(stage, index, m, 1);
		moved = true;
	}
	if (moved && cast->rule.switch_h > 0)
		avail_stage_set_mode(stage, index, AVAIL_CAST_SWITCHING);
}

void avail_stage_remember(struct avail_stage *stage, const struct avail_cast *cast)
{
	for (uint32_t m = 0; m < cast->count; m++)
		stage->was_up[cast->at + m] = avail_stage_up(stage, cast, m);
}

/* Whether a failure is handled.  In a biased step it is as likely not to be, and the step is
 * weighed. */
static bool is_covered(struct avail_stage *stage, double coverage)
{
	double chance = coverage;
	bool covered;

	if (coverage >= 1)
		return true;
	if (stage->sampling == AVAIL_PLAY_BIASED && coverage > 0)
		chance = 0.5;
	covered = avail_stage_random(stage) < chance;
	if (chance != coverage)
		stage->likelihood *= (covered ? coverage : 1 - coverage) / chance;
	return covered;
}

/* A failure that leaves enough members. */
static void cover(struct avail_stage *stage, uint32_t index)
{
	const struct avail_cast *cast = &stage->play->casts[index];

	if (is_covered(stage, cast->rule.coverage)) {
		if (avail_stage_replace(stage, index) && cast->rule.switch_h > 0)
			avail_stage_set_mode(stage, index, AVAIL_CAST_SWITCHING);
	} else if (cast->rule.uncovered == AVAIL_UNCOVERED_WAITS) {
		avail_stage_set_mode(stage, index, AVAIL_CAST_WAITING);
	} else {
		drag_all(stage, index);
	}
}

static bool concerns(const struct avail_cast *cast, const struct finding *finding)
{
	bool runs_all =
		cast->rule.mode == AVAIL_HOT && cast->rule.uncovered == AVAIL_UNCOVERED_TAKES_ALL;

	return runs_all ? finding->fell : finding->active_fell;
}

/* One look of a cast; false when nothing was new. */
static bool look(struct avail_stage *stage, uint32_t index)
{
	const struct avail_cast *cast = &stage->play->casts[index];
	struct finding finding = find(stage, cast);
	bool waiting = stage->mode[index] == AVAIL_CAST_WAITING;

	if (!finding.fell && !finding.rose)
		return false;
	if (finding.fell && finding.enough_before && finding.enough_now && !waiting &&
	    concerns(cast, &finding)) {
		avail_stage_remember(stage, cast);
		cover(stage, index);
		return true;
	}
	if (!finding.enough_now) {
		if (stage->mode[index] == AVAIL_CAST_SWITCHING)
			avail_stage_set_mode(stage, index, AVAIL_CAST_NORMAL);
	} else if (!waiting && !finding.enough_before) {
		avail_stage_regroup(stage, index);
	} else if (!waiting && finding.rose && cast->rule.reverts) {
		return_home(stage, index);
	}
	avail_stage_remember(stage, cast);
	return true;
}

/* Until no cast finds anything new, inner ones first. */
void avail_stage_react(struct avail_stage *stage)
{
	const struct avail_play *play = stage->play;

	avail_stage_refresh(stage);
	for (uint32_t c = 0; c < play->cast_count; c++) {
		if (!stage->is_touched[c])
			continue;
		stage->is_touched[c] = 0;
		if (look(stage, c)) {
			avail_stage_refresh(stage);
			stage->is_touched[c] = 1;
			c = UINT32_MAX; /* from the first again */
		}
	}
}
