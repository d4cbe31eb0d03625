/* Histories on a stage, step by step. */
#include "avail/play.h"
#include "avail/stage.h"

#include <errno.h>

/* ---- the history ---- */

double avail_stage_rate(const struct avail_stage *stage)
{
	return avail_urn_all(&stage->failures) + avail_urn_all(&stage->others);
}

bool avail_stage_is_down(const struct avail_stage *stage)
{
	return avail_stage_value(stage, stage->play->top);
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
		avail_stage_repair(stage, leaf);
		return;
	}
	index = leaf - play->actor_count;
	waited = stage->mode[index] == AVAIL_CAST_WAITING;
	avail_stage_set_mode(stage, index, AVAIL_CAST_NORMAL);
	for (uint32_t m = 0; m < play->casts[index].count; m++)
		ups += avail_stage_up(stage, &play->casts[index], m);
	if (waited && ups >= play->casts[index].rule.needed)
		avail_stage_regroup(stage, index);
}

double avail_stage_step(struct avail_stage *stage, enum avail_play_sampling sampling)
{
	double failures = avail_urn_all(&stage->failures), others = avail_urn_all(&stage->others);
	uint32_t index;

	stage->sampling = sampling;
	stage->likelihood = 1;
	if (sampling == AVAIL_PLAY_PLAIN || failures == 0) {
		double place = avail_stage_random(stage) * (failures + others);

		if (place < failures)
			avail_stage_fail(stage, avail_urn_draw(&stage->failures, place));
		else
			end_other(stage, avail_urn_draw(&stage->others, place - failures));
	} else if (others == 0 || avail_stage_random(stage) < 0.5) {
		double able = avail_urn_all(&stage->able);

		index = avail_urn_draw(&stage->able, avail_stage_random(stage) * able);
		stage->likelihood = stage->failures.sums[stage->failures.size + index] /
				    (failures + others) * able * (others > 0 ? 2 : 1);
		avail_stage_fail(stage, index);
	} else {
		stage->likelihood = others / (failures + others) * 2;
		end_other(stage,
			  avail_urn_draw(&stage->others, avail_stage_random(stage) * others));
	}
	avail_stage_react(stage);
	return stage->likelihood;
}

/* Everything as if nothing had ever failed; values follow from that. */
static void clear(struct avail_stage *stage)
{
	const struct avail_play *play = stage->play;

	memset(stage->body, 0, stage->body_size);
	for (uint32_t i = 0; i < play->scene_count; i++) {
		const struct avail_scene *scene = &play->scenes[i];

		for (uint32_t k = 0; k < scene->count; k++)
			stage->true_args[i] +=
				avail_stage_value(stage, play->args.items[scene->first + k]);
		stage->value[i] = avail_stage_scene(stage, i);
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
			avail_stage_mark(stage, actor->node);
		}
	}
	avail_stage_refresh(stage);
	for (uint32_t c = 0; c < play->cast_count; c++) {
		avail_stage_replace(stage, c);
		avail_stage_remember(stage, &play->casts[c]);
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

#define LAY(array, count)                                         \
	{                                                         \
		size_t here = carve(&at, (count), sizeof *array); \
		if (body)                                         \
			array = (void *)(body + here);            \
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
		avail_stage_rates(stage, i, false);
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
