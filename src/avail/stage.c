/* What happens on the stage: failures, repairs, switch-overs, as dynamic.h describes them. */
#include "avail/play.h"

#include <errno.h>
#include <math.h>

enum { NORMAL, SWITCHING, WAITING };

/* ---- urns ---- */

static void urn_set(struct avail_urn *urn, uint32_t leaf, double amount)
{
	uint32_t at = urn->size + leaf;

	if (urn->sums[at] == amount)
		return;
	urn->sums[at] = amount;
	while (at > 1) {
		at /= 2;
		urn->sums[at] = urn->sums[2 * at] + urn->sums[2 * at + 1];
	}
}

static double urn_all(const struct avail_urn *urn)
{
	return urn->sums[1];
}

/* A leaf in proportion; 'place' from 0 to the sum. */
static uint32_t urn_draw(const struct avail_urn *urn, double place)
{
	uint32_t at = 1;

	while (at < urn->size) {
		at *= 2;
		if (urn->sums[at] > 0 && (place < urn->sums[at] || urn->sums[at + 1] <= 0))
			continue;
		place -= urn->sums[at];
		at++;
	}
	return at - urn->size;
}

/* ---- chance ---- */

double avail_stage_random(struct avail_stage *stage)
{
	return ((double)(rand_u64(&stage->random) >> 11) + 0.5) * 0x1p-53;
}

/* ---- values ---- */

static bool arg_value(const struct avail_stage *stage, uint32_t ref)
{
	return stage->value[ref >> 1] != (ref & 1);
}

static bool scene_value(const struct avail_stage *stage, uint32_t node)
{
	const struct avail_scene *scene = &stage->play->scenes[node];
	uint32_t yes = stage->true_args[node], all = scene->count;

	if (scene->kind == AVAIL_SCENE_ACTOR)
		return stage->failed[scene->index];
	if (scene->kind == AVAIL_SCENE_CAST)
		return all - yes < stage->play->casts[scene->index].rule.needed ||
		       stage->mode[scene->index] != NORMAL;
	switch (scene->formula) {
	case AVAIL_FORMULA_AND:
		return yes == all;
	case AVAIL_FORMULA_NAND:
		return yes < all;
	case AVAIL_FORMULA_OR:
	case AVAIL_FORMULA_PASS:
		return yes > 0;
	case AVAIL_FORMULA_NOT:
	case AVAIL_FORMULA_NOR:
		return yes == 0;
	case AVAIL_FORMULA_XOR:
		return yes & 1;
	case AVAIL_FORMULA_IFF:
		return yes == 0 || yes == all;
	case AVAIL_FORMULA_IMPLY:
		return !arg_value(stage, stage->play->args.items[scene->first]) ||
		       arg_value(stage, stage->play->args.items[scene->first + 1]);
	case AVAIL_FORMULA_AT_LEAST:
		return yes >= scene->low;
	case AVAIL_FORMULA_CARDINALITY:
		return yes >= scene->low && yes <= scene->high;
	case AVAIL_FORMULA_UNDEFINED:
		break;
	}
	return false;
}

/* The heap has the lowest node first, so that arguments are settled before those who have them. */
static void mark_dirty(struct avail_stage *stage, uint32_t node)
{
	uint32_t at;

	if (stage->is_dirty[node])
		return;
	stage->is_dirty[node] = 1;
	at = stage->counts[AVAIL_STAGE_DIRTY]++;
	for (; at > 0 && stage->dirty[(at - 1) / 2] > node; at = (at - 1) / 2)
		stage->dirty[at] = stage->dirty[(at - 1) / 2];
	stage->dirty[at] = node;
}

static uint32_t take_dirty(struct avail_stage *stage)
{
	uint32_t first = stage->dirty[0], last = stage->dirty[--stage->counts[AVAIL_STAGE_DIRTY]];
	uint32_t count = stage->counts[AVAIL_STAGE_DIRTY], at = 0, child;

	for (; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && stage->dirty[child + 1] < stage->dirty[child])
			child++;
		if (stage->dirty[child] >= last)
			break;
		stage->dirty[at] = stage->dirty[child];
	}
	stage->dirty[at] = last;
	stage->is_dirty[first] = 0;
	return first;
}

static void flip(struct avail_stage *stage, uint32_t node)
{
	const struct avail_scene *scene = &stage->play->scenes[node];

	stage->value[node] ^= 1;
	for (uint32_t i = 0; i < scene->user_count; i++) {
		uint32_t user = stage->play->users.items[scene->first_user + i];

		if (arg_value(stage, node << 1 | (user & 1)))
			stage->true_args[user >> 1]++;
		else
			stage->true_args[user >> 1]--;
		mark_dirty(stage, user >> 1);
	}
}

/* Brings all values up to date. */
static void refresh(struct avail_stage *stage)
{
	while (stage->counts[AVAIL_STAGE_DIRTY]) {
		uint32_t node = take_dirty(stage);
		const struct avail_scene *scene = &stage->play->scenes[node];

		if (scene->kind == AVAIL_SCENE_CAST)
			stage->is_touched[scene->index] = 1;
		if (scene_value(stage, node) != stage->value[node])
			flip(stage, node);
	}
}

/* ---- rates ---- */

static double share_of_rate(const struct avail_stage *stage, const struct avail_actor *actor)
{
	const struct avail_play *play = stage->play;
	double most = 0;

	if (actor->duty_count == 0)
		return 1;
	for (uint32_t i = 0; i < actor->duty_count; i++) {
		const struct avail_duty *duty = &play->duties[actor->first_duty + i];
		double share = 1;

		if (!duty->inner)
			continue;
		for (;;) {
			const struct avail_cast *cast = &play->casts[duty->cast];

			if (!stage->active[cast->at + duty->member] && cast->rule.mode != AVAIL_HOT)
				share *= cast->rule.mode == AVAIL_COLD ? 0 : cast->rule.dormancy;
			if (duty->around == AVAIL_NONE)
				break;
			duty = &play->duties[duty->around];
		}
		most = fmax(most, share);
	}
	return most;
}

static void set_rates(struct avail_stage *stage, uint32_t index, bool served)
{
	const struct avail_actor *actor = &stage->play->actors[index];
	double failure = 0;

	if (actor->kind != AVAIL_ACTOR_LIVE)
		return;
	if (!stage->failed[index])
		failure = actor->failure * share_of_rate(stage, actor);
	urn_set(&stage->failures, index, failure);
	urn_set(&stage->able, index, failure > 0);
	urn_set(&stage->others, index, stage->failed[index] && served ? actor->repair : 0);
}

/* ---- lines of those who wait for a team ---- */

static void fail(struct avail_stage *stage, uint32_t index)
{
	const struct avail_actor *actor = &stage->play->actors[index];
	uint32_t team = actor->team;
	bool served = true;

	must(!stage->failed[index]);
	stage->failed[index] = 1;
	stage->counts[AVAIL_STAGE_FAILED]++;
	mark_dirty(stage, actor->node);
	if (team != AVAIL_NONE) {
		stage->next[index] = AVAIL_NONE;
		if (stage->line_length[team] == 0)
			stage->first_in_line[team] = index;
		else
			stage->next[stage->last_in_line[team]] = index;
		stage->last_in_line[team] = index;
		served = ++stage->line_length[team] <= stage->play->teams[team];
	}
	set_rates(stage, index, served);
}

/* The place'th in the line, from 0; AVAIL_NONE: so long it is not. */
static uint32_t in_line(const struct avail_stage *stage, uint32_t team, uint32_t place)
{
	uint32_t at;

	if (place >= stage->line_length[team])
		return AVAIL_NONE;
	at = stage->first_in_line[team];
	while (place-- > 0)
		at = stage->next[at];
	return at;
}

static void leave_line(struct avail_stage *stage, uint32_t team, uint32_t index)
{
	uint32_t before = AVAIL_NONE, at = stage->first_in_line[team], called;

	for (; at != index; at = stage->next[at])
		before = at;
	if (before == AVAIL_NONE)
		stage->first_in_line[team] = stage->next[index];
	else
		stage->next[before] = stage->next[index];
	if (stage->last_in_line[team] == index)
		stage->last_in_line[team] = before;
	stage->line_length[team]--;
	/* Whoever is now the last to be served was the first to wait. */
	called = in_line(stage, team, stage->play->teams[team] - 1);
	if (called != AVAIL_NONE)
		set_rates(stage, called, true);
}

static void repair(struct avail_stage *stage, uint32_t index)
{
	const struct avail_actor *actor = &stage->play->actors[index];

	must(stage->failed[index]);
	stage->failed[index] = 0;
	stage->counts[AVAIL_STAGE_FAILED]--;
	mark_dirty(stage, actor->node);
	if (actor->team != AVAIL_NONE)
		leave_line(stage, actor->team, index);
	set_rates(stage, index, false);
}

/* ---- casts ---- */

static bool up(const struct avail_stage *stage, const struct avail_cast *cast, uint32_t m)
{
	return !arg_value(stage, stage->play->args.items[cast->first + m]);
}

static void set_mode(struct avail_stage *stage, uint32_t index, uint8_t mode)
{
	const struct avail_cast *cast = &stage->play->casts[index];
	double rate = mode == SWITCHING ? 1 / cast->rule.switch_h
		      : mode == WAITING ? 1 / cast->rule.recovery_h
					: 0;

	stage->counts[AVAIL_STAGE_BUSY] += (mode != NORMAL);
	stage->counts[AVAIL_STAGE_BUSY] -= (stage->mode[index] != NORMAL);
	stage->mode[index] = mode;
	urn_set(&stage->others, stage->play->actor_count + index, rate);
	mark_dirty(stage, cast->node);
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
			set_rates(stage, play->own.items[i], false);
}

/* Replaces active members that are down by the first spares that are up; whether there was one. */
static bool replace(struct avail_stage *stage, uint32_t index)
{
	const struct avail_cast *cast = &stage->play->casts[index];
	const uint8_t *active = stage->active + cast->at;
	bool replaced = false;

	for (uint32_t m = 0; m < cast->count; m++) {
		if (!active[m] || up(stage, cast, m))
			continue;
		for (uint32_t spare = 0; spare < cast->count; spare++)
			if (!active[spare] && up(stage, cast, spare)) {
				set_active(stage, index, m, 0);
				set_active(stage, index, spare, 1);
				replaced = true;
				break;
			}
	}
	return replaced;
}

static void regroup(struct avail_stage *stage, uint32_t index)
{
	const struct avail_cast *cast = &stage->play->casts[index];
	uint32_t left = cast->rule.needed;

	if (!cast->rule.reverts) {
		replace(stage, index);
		return;
	}
	for (uint32_t m = 0; m < cast->count; m++) {
		bool chosen = left > 0 && up(stage, cast, m);

		left -= chosen;
		set_active(stage, index, m, chosen);
	}
}

static void drag_all(struct avail_stage *stage, uint32_t index)
{
	const struct avail_play *play = stage->play;
	const struct avail_cast *cast = &play->casts[index];

	for (uint32_t m = 0; m < cast->count; m++) {
		uint32_t at = cast->at + m;

		for (uint32_t i = play->own_first.items[at];
		     i < play->own_first.items[at + 1] && up(stage, cast, m); i++) {
			uint32_t actor = play->own.items[i];

			if (stage->failed[actor] || play->actors[actor].kind != AVAIL_ACTOR_LIVE)
				continue;
			fail(stage, actor);
			refresh(stage);
		}
	}
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
		bool was = stage->was_up[cast->at + m], is = up(stage, cast, m);

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
		    !up(stage, cast, m))
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
		set_mode(stage, index, SWITCHING);
}

static void remember(struct avail_stage *stage, const struct avail_cast *cast)
{
	for (uint32_t m = 0; m < cast->count; m++)
		stage->was_up[cast->at + m] = up(stage, cast, m);
}

/* A failure that leaves enough members: is it handled? */
static void cover(struct avail_stage *stage, uint32_t index)
{
	const struct avail_cast *cast = &stage->play->casts[index];

	if (cast->rule.coverage >= 1 || avail_stage_random(stage) < cast->rule.coverage) {
		if (replace(stage, index) && cast->rule.switch_h > 0)
			set_mode(stage, index, SWITCHING);
	} else if (cast->rule.uncovered == AVAIL_UNCOVERED_WAITS) {
		set_mode(stage, index, WAITING);
	} else {
		drag_all(stage, index);
	}
}

static bool concerns(const struct avail_cast *cast, const struct finding *finding)
{
	bool runs_all = cast->rule.mode == AVAIL_HOT &&
			cast->rule.uncovered == AVAIL_UNCOVERED_TAKES_ALL;

	return runs_all ? finding->fell : finding->active_fell;
}

/* One look of a cast; false when nothing was new. */
static bool look(struct avail_stage *stage, uint32_t index)
{
	const struct avail_cast *cast = &stage->play->casts[index];
	struct finding finding = find(stage, cast);
	bool waiting = stage->mode[index] == WAITING;

	if (!finding.fell && !finding.rose)
		return false;
	if (finding.fell && finding.enough_before && finding.enough_now && !waiting &&
	    concerns(cast, &finding)) {
		remember(stage, cast);
		cover(stage, index);
		return true;
	}
	if (!finding.enough_now) {
		if (stage->mode[index] == SWITCHING)
			set_mode(stage, index, NORMAL);
	} else if (!waiting && !finding.enough_before) {
		regroup(stage, index);
	} else if (!waiting && finding.rose && cast->rule.reverts) {
		return_home(stage, index);
	}
	remember(stage, cast);
	return true;
}

/* Until no cast finds anything new, inner ones first. */
static void react(struct avail_stage *stage)
{
	const struct avail_play *play = stage->play;

	refresh(stage);
	for (uint32_t c = 0; c < play->cast_count; c++) {
		if (!stage->is_touched[c])
			continue;
		stage->is_touched[c] = 0;
		if (look(stage, c)) {
			refresh(stage);
			stage->is_touched[c] = 1;
			c = UINT32_MAX; /* from the first again */
		}
	}
}

/* ---- the history ---- */

double avail_stage_rate(const struct avail_stage *stage)
{
	return urn_all(&stage->failures) + urn_all(&stage->others);
}

bool avail_stage_is_down(const struct avail_stage *stage)
{
	return arg_value(stage, stage->play->top);
}

bool avail_stage_is_whole(const struct avail_stage *stage)
{
	return stage->counts[AVAIL_STAGE_FAILED] == 0 && stage->counts[AVAIL_STAGE_BUSY] == 0;
}

static void end_other(struct avail_stage *stage, uint32_t leaf)
{
	const struct avail_play *play = stage->play;
	uint32_t index, ups = 0;
	bool waited;

	if (leaf < play->actor_count) {
		repair(stage, leaf);
		return;
	}
	index = leaf - play->actor_count;
	waited = stage->mode[index] == WAITING;
	set_mode(stage, index, NORMAL);
	for (uint32_t m = 0; m < play->casts[index].count; m++)
		ups += up(stage, &play->casts[index], m);
	if (waited && ups >= play->casts[index].rule.needed)
		regroup(stage, index);
}

double avail_stage_step(struct avail_stage *stage, enum avail_play_sampling sampling)
{
	double failures = urn_all(&stage->failures), others = urn_all(&stage->others);
	double likelihood = 1;
	uint32_t index;

	if (sampling == AVAIL_PLAY_PLAIN || failures == 0) {
		double place = avail_stage_random(stage) * (failures + others);

		if (place < failures)
			fail(stage, urn_draw(&stage->failures, place));
		else
			end_other(stage, urn_draw(&stage->others, place - failures));
	} else if (others == 0 || avail_stage_random(stage) < 0.5) {
		double able = urn_all(&stage->able);

		index = urn_draw(&stage->able, avail_stage_random(stage) * able);
		likelihood = stage->failures.sums[stage->failures.size + index] /
			     (failures + others) * able * (others > 0 ? 2 : 1);
		fail(stage, index);
	} else {
		likelihood = others / (failures + others) * 2;
		end_other(stage, urn_draw(&stage->others, avail_stage_random(stage) * others));
	}
	react(stage);
	return likelihood;
}

/* Everything as if nothing had ever failed; values follow from that. */
static void clear(struct avail_stage *stage)
{
	const struct avail_play *play = stage->play;

	memset(stage->body, 0, stage->body_size);
	for (uint32_t i = 0; i < play->scene_count; i++) {
		const struct avail_scene *scene = &play->scenes[i];

		for (uint32_t k = 0; k < scene->count; k++)
			stage->true_args[i] += arg_value(stage, play->args.items[scene->first + k]);
		stage->value[i] = scene_value(stage, i);
	}
}

void avail_stage_begin(struct avail_stage *stage)
{
	const struct avail_play *play = stage->play;

	/* But for chance it is the same each time. */
	memcpy(stage->body, stage->first, stage->body_size);
	for (uint32_t i = 0; i < play->actor_count; i++) {
		const struct avail_actor *actor = &play->actors[i];

		if (actor->kind == AVAIL_ACTOR_CHANCE && actor->probability > 0 &&
		    avail_stage_random(stage) < actor->probability) {
			stage->failed[i] = 1;
			mark_dirty(stage, actor->node);
		}
	}
	refresh(stage);
	for (uint32_t c = 0; c < play->cast_count; c++) {
		replace(stage, c);
		remember(stage, &play->casts[c]);
		stage->is_touched[c] = 0;
	}
}

/* ---- open and close ---- */

static size_t carve(size_t *at, size_t count, size_t size)
{
	size_t here = *at;

	*at += (count * size + 7) / 8 * 8 + 8;
	return here;
}

static uint32_t leaves_for(uint32_t count)
{
	uint32_t size = 1;

	while (size < count)
		size *= 2;
	return size;
}

/* Lays the arrays into the body; without one, only says how large it must be. */
static void lay(struct avail_stage *stage)
{
	const struct avail_play *play = stage->play;
	uint32_t failures = leaves_for(play->actor_count);
	uint32_t others = leaves_for(play->actor_count + play->cast_count);
	uint8_t *body = stage->body;
	size_t at = 0;

#define LAY(array, count)                                                    \
	{                                                                    \
		size_t here = carve(&at, (count), sizeof *array);            \
		if (body)                                                    \
			array = (void *)(body + here);                       \
	}
	stage->failures.size = stage->able.size = failures;
	stage->others.size = others;
	LAY(stage->failures.sums, 2 * (size_t)failures)
	LAY(stage->able.sums, 2 * (size_t)failures)
	LAY(stage->others.sums, 2 * (size_t)others)
	LAY(stage->counts, AVAIL_STAGE_COUNTS)
	LAY(stage->next, play->actor_count)
	LAY(stage->first_in_line, play->team_count)
	LAY(stage->last_in_line, play->team_count)
	LAY(stage->line_length, play->team_count)
	LAY(stage->true_args, play->scene_count)
	LAY(stage->dirty, play->scene_count)
	LAY(stage->failed, play->actor_count)
	LAY(stage->active, play->member_count)
	LAY(stage->was_up, play->member_count)
	LAY(stage->mode, play->cast_count)
	LAY(stage->is_touched, play->cast_count)
	LAY(stage->value, play->scene_count)
	LAY(stage->is_dirty, play->scene_count)
	stage->body_size = at;
}

static void open_history(struct avail_stage *stage)
{
	const struct avail_play *play = stage->play;

	clear(stage);
	for (uint32_t c = 0; c < play->cast_count; c++)
		for (uint32_t m = 0; m < play->casts[c].rule.needed; m++)
			stage->active[play->casts[c].at + m] = 1;
	for (uint32_t i = 0; i < play->actor_count; i++)
		set_rates(stage, i, false);
	memcpy(stage->first, stage->body, stage->body_size);
}

int avail_stage_open(struct avail_stage **stage_out, struct avail_memory *memory,
		     const struct avail_play *play)
{
	struct avail_stage *stage = avail_take(memory, 1, sizeof *stage);

	if (!stage)
		return -ENOMEM;
	*stage = (struct avail_stage){ .memory = memory, .play = play };
	lay(stage);
	stage->body = avail_take(memory, stage->body_size, 1);
	stage->first = avail_take(memory, stage->body_size, 1);
	stage->kept = avail_take(memory, stage->body_size, 1);
	if (!stage->body || !stage->first || !stage->kept) {
		avail_stage_close(stage);
		return -ENOMEM;
	}
	lay(stage);
	open_history(stage);
	*stage_out = stage;
	return 0;
}

void avail_stage_close(struct avail_stage *stage)
{
	struct avail_memory *memory;

	if (!stage)
		return;
	memory = stage->memory;
	avail_give(memory, stage->body, stage->body_size, 1);
	avail_give(memory, stage->first, stage->body_size, 1);
	avail_give(memory, stage->kept, stage->body_size, 1);
	avail_give(memory, stage, 1, sizeof *stage);
}

void avail_stage_keep(struct avail_stage *stage)
{
	memcpy(stage->kept, stage->body, stage->body_size);
}

void avail_stage_return(struct avail_stage *stage)
{
	memcpy(stage->body, stage->kept, stage->body_size);
}
