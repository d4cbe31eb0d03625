/* Who is own of which member, and what that means within casts within casts. */
#include "avail/play.h"

#include <errno.h>

struct casting {
	struct avail_play *play;
	uint8_t *seen;	    /* scenes */
	uint32_t *mentions; /* actors: how many members of the cast at hand have them */
	struct avail_list stack, found, ends;
};

/* Appends actors below a member in the order of mention; leaves in 'seen' all that is below. */
static int look_below(struct casting *casting, uint32_t ref)
{
	struct avail_play *play = casting->play;

	memset(casting->seen, 0, play->scene_count);
	casting->stack.count = 0;
	if (!avail_list_add(&casting->stack, ref >> 1))
		return -ENOMEM;
	while (casting->stack.count) {
		uint32_t node = casting->stack.items[--casting->stack.count];
		const struct avail_scene *scene = &play->scenes[node];

		if (casting->seen[node])
			continue;
		casting->seen[node] = 1;
		if (scene->kind == AVAIL_SCENE_ACTOR &&
		    !avail_list_add(&casting->found, scene->index))
			return -ENOMEM;
		for (uint32_t i = scene->count; i-- > 0;)
			if (!avail_list_add(&casting->stack,
					    play->args.items[scene->first + i] >> 1))
				return -ENOMEM;
	}
	return 0;
}

static int cast_one(struct casting *casting, const struct avail_cast *cast)
{
	struct avail_play *play = casting->play;
	uint32_t at = 0;
	int err = 0;

	casting->found.count = casting->ends.count = 0;
	memset(casting->mentions, 0, play->actor_count * sizeof *casting->mentions);
	for (uint32_t m = 0; m < cast->count && !err; m++) {
		uint32_t first = casting->found.count;

		err = look_below(casting, play->args.items[cast->first + m]);
		for (uint32_t i = first; i < casting->found.count; i++)
			casting->mentions[casting->found.items[i]]++;
		if (!avail_list_add(&casting->ends, casting->found.count))
			err = -ENOMEM;
	}
	for (uint32_t m = 0; m < cast->count && !err; m++) {
		if (!avail_list_add(&play->own_first, play->own.count))
			err = -ENOMEM;
		for (; !err && at < casting->ends.items[m]; at++)
			if (casting->mentions[casting->found.items[at]] == 1 &&
			    !avail_list_add(&play->own, casting->found.items[at]))
				err = -ENOMEM;
	}
	return err;
}

static bool owns(const struct avail_play *play, uint32_t cast, uint32_t member, uint32_t actor)
{
	uint32_t at = play->casts[cast].at + member;

	for (uint32_t i = play->own_first.items[at]; i < play->own_first.items[at + 1]; i++)
		if (play->own.items[i] == actor)
			return true;
	return false;
}

static int add_duties(struct avail_play *play, uint32_t actor)
{
	struct avail_actor *of = &play->actors[actor];

	of->first_duty = play->duty_count;
	for (uint32_t c = 0; c < play->cast_count; c++)
		for (uint32_t m = 0; m < play->casts[c].count; m++) {
			if (!owns(play, c, m, actor))
				continue;
			if (!avail_room(play->memory, &play->duties, &play->duty_room,
					(uint64_t)play->duty_count + 1, sizeof *play->duties))
				return -ENOMEM;
			play->duties[play->duty_count++] = (struct avail_duty){
				.cast = c, .member = m, .around = AVAIL_NONE, .inner = true
			};
		}
	of->duty_count = play->duty_count - of->first_duty;
	return 0;
}

/* A cast within a member of another: the later one is the outer one, as arguments come first. */
static int nest(struct casting *casting, const struct avail_actor *actor)
{
	struct avail_play *play = casting->play;

	for (uint32_t i = 0; i < actor->duty_count; i++) {
		struct avail_duty *outer = &play->duties[actor->first_duty + i];
		const struct avail_cast *cast = &play->casts[outer->cast];

		casting->found.count = 0;
		if (look_below(casting, play->args.items[cast->first + outer->member]))
			return -ENOMEM;
		for (uint32_t k = 0; k < i; k++) {
			struct avail_duty *inner = &play->duties[actor->first_duty + k];

			if (!casting->seen[play->casts[inner->cast].node])
				continue;
			outer->inner = false;
			if (inner->around == AVAIL_NONE)
				inner->around = actor->first_duty + i;
		}
	}
	return 0;
}

int avail_play_casting(struct avail_play *play)
{
	size_t scenes = play->scene_count, actors = (size_t)play->actor_count + 1;
	struct casting casting = { .play = play,
				   .stack = { .memory = play->memory },
				   .found = { .memory = play->memory },
				   .ends = { .memory = play->memory } };
	int err = -ENOMEM;

	casting.seen = avail_take(play->memory, scenes, 1);
	casting.mentions = avail_take(play->memory, actors, sizeof *casting.mentions);
	if (casting.seen && casting.mentions)
		err = 0;
	for (uint32_t c = 0; c < play->cast_count && !err; c++)
		err = cast_one(&casting, &play->casts[c]);
	if (!err && !avail_list_add(&play->own_first, play->own.count))
		err = -ENOMEM;
	for (uint32_t a = 0; a < play->actor_count && !err; a++)
		err = add_duties(play, a);
	for (uint32_t a = 0; a < play->actor_count && !err; a++)
		if (play->actors[a].duty_count > 1)
			err = nest(&casting, &play->actors[a]);
	avail_give(play->memory, casting.seen, scenes, 1);
	avail_give(play->memory, casting.mentions, actors, sizeof *casting.mentions);
	avail_list_fini(&casting.stack);
	avail_list_fini(&casting.found);
	avail_list_fini(&casting.ends);
	return err;
}
