/* Values, rates and lines on the stage: what follows when an actor fails or is repaired. */
#include "avail/play.h"
#include "avail/stage.h"

#include <math.h>

/* ---- urns ---- */

void avail_urn_set(struct avail_urn *urn, uint32_t leaf, double amount)
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

double avail_urn_all(const struct avail_urn *urn)
{
	return urn->sums[1];
}

/* A leaf in proportion; 'place' from 0 to the sum. */
uint32_t avail_urn_draw(const struct avail_urn *urn, double place)
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

bool avail_stage_value(const struct avail_stage *stage, uint32_t ref)
{
	return stage->value[ref >> 1] != (ref & 1);
}

bool avail_stage_scene(const struct avail_stage *stage, uint32_t node)
{
	const struct avail_scene *scene = &stage->play->scenes[node];
	uint32_t yes = stage->true_args[node], all = scene->count;

	if (scene->kind == AVAIL_SCENE_ACTOR)
		return stage->failed[scene->index];
	if (scene->kind == AVAIL_SCENE_CAST)
		return all - yes < stage->play->casts[scene->index].rule.needed ||
		       stage->mode[scene->index] != AVAIL_CAST_NORMAL;
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
		return !avail_stage_value(stage, stage->play->args.items[scene->first]) ||
		       avail_stage_value(stage, stage->play->args.items[scene->first + 1]);
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
void avail_stage_mark(struct avail_stage *stage, uint32_t node)
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

		if (avail_stage_value(stage, node << 1 | (user & 1)))
			stage->true_args[user >> 1]++;
		else
			stage->true_args[user >> 1]--;
		avail_stage_mark(stage, user >> 1);
	}
}

/* Brings all values up to date. */
void avail_stage_refresh(struct avail_stage *stage)
{
	while (stage->counts[AVAIL_STAGE_DIRTY]) {
		uint32_t node = take_dirty(stage);
		const struct avail_scene *scene = &stage->play->scenes[node];

		if (scene->kind == AVAIL_SCENE_CAST)
			stage->is_touched[scene->index] = 1;
		if (avail_stage_scene(stage, node) != stage->value[node])
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

void avail_stage_rates(struct avail_stage *stage, uint32_t index, bool served)
{
	const struct avail_actor *actor = &stage->play->actors[index];
	double failure = 0;

	if (actor->kind != AVAIL_ACTOR_LIVE)
		return;
	if (!stage->failed[index])
		failure = actor->failure * share_of_rate(stage, actor);
	avail_urn_set(&stage->failures, index, failure);
	avail_urn_set(&stage->able, index, failure > 0);
	avail_urn_set(&stage->others, index, stage->failed[index] && served ? actor->repair : 0);
}

/* ---- lines of those who wait for a team ---- */

void avail_stage_fail(struct avail_stage *stage, uint32_t index)
{
	const struct avail_actor *actor = &stage->play->actors[index];
	uint32_t team = actor->team;
	bool served = true;

	must(!stage->failed[index]);
	stage->failed[index] = 1;
	stage->counts[AVAIL_STAGE_FAILED]++;
	avail_stage_mark(stage, actor->node);
	if (team != AVAIL_NONE) {
		stage->next[index] = AVAIL_NONE;
		if (stage->line_length[team] == 0)
			stage->first_in_line[team] = index;
		else
			stage->next[stage->last_in_line[team]] = index;
		stage->last_in_line[team] = index;
		served = ++stage->line_length[team] <= stage->play->teams[team];
	}
	avail_stage_rates(stage, index, served);
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
		avail_stage_rates(stage, called, true);
}

void avail_stage_repair(struct avail_stage *stage, uint32_t index)
{
	const struct avail_actor *actor = &stage->play->actors[index];

	must(stage->failed[index]);
	stage->failed[index] = 0;
	stage->counts[AVAIL_STAGE_FAILED]--;
	avail_stage_mark(stage, actor->node);
	if (actor->team != AVAIL_NONE)
		leave_line(stage, actor->team, index);
	avail_stage_rates(stage, index, false);
}
