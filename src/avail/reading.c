/* Actors and what makes several of them fail together. */
#include "avail/reading.h"

#include <errno.h>
#include <math.h>

/* ---- actors ---- */

static int refuse_number(struct avail_reading *reading, const char *name, const char *what,
			 double value)
{
	refuse(reading->why, name ? name : "", "%s is %.9g, which cannot be simulated", what,
	       value);
	return -ERANGE;
}

uint32_t avail_reading_scene(struct avail_play *play, const struct avail_scene *scene)
{
	if (!avail_room(play->memory, &play->scenes, &play->scene_room,
			(uint64_t)play->scene_count + 1, sizeof *play->scenes))
		return AVAIL_NONE;
	play->scenes[play->scene_count] = *scene;
	return play->scene_count++;
}

/* An actor and its scene; the node, or AVAIL_NONE. */
uint32_t avail_reading_actor(struct avail_play *play, const struct avail_actor *actor)
{
	struct avail_scene scene = { .kind = AVAIL_SCENE_ACTOR, .index = play->actor_count };
	uint32_t node;

	if (!avail_room(play->memory, &play->actors, &play->actor_room,
			(uint64_t)play->actor_count + 1, sizeof *play->actors))
		return AVAIL_NONE;
	node = avail_reading_scene(play, &scene);
	if (node == AVAIL_NONE)
		return node;
	play->actors[play->actor_count] = *actor;
	play->actors[play->actor_count++].node = node;
	return node;
}

double avail_reading_value(struct avail_reading *reading, uint32_t expression)
{
	return expression == AVAIL_NONE ? 0 : avail_expression_value(reading->sample, expression);
}

/* The numbers of one that fails like 'event', with 'amount' as its probability or rate. */
int avail_reading_numbers(struct avail_reading *reading, const struct avail_event *event,
			  bool rated, double amount, double repair_h, struct avail_actor *actor)
{
	bool drawn = reading->sample->seed != 0;

	*actor = (struct avail_actor){ .team = AVAIL_NONE };
	if (drawn && amount < 0)
		amount = 0;
	if (drawn && !rated && amount > 1)
		amount = 1;
	if (!(amount >= 0) || amount == INFINITY || (!rated && amount > 1))
		return refuse_number(reading, event->name, rated ? "failure rate" : "probability",
				     amount);
	actor->probability = amount;
	if (!rated)
		return 0;
	actor->kind = AVAIL_ACTOR_LIVE;
	actor->failure = amount;
	if (event->law == AVAIL_LAW_UNREPAIRED)
		return 0;
	if (drawn && repair_h < 0)
		repair_h = 0;
	if (!(repair_h >= 0) || repair_h == INFINITY)
		return refuse_number(reading, event->name, "repair time", repair_h);
	/* What is repaired in no time is never seen failed. */
	if (repair_h > 0)
		actor->repair = 1 / repair_h;
	else
		actor->failure = 0;
	return 0;
}

/* ---- common causes: combinations of members that fail together ---- */

static double factor(struct avail_reading *reading, const struct avail_ccf *group, uint32_t place)
{
	if (place >= group->factor_count)
		return 0;
	return avail_expression_value(reading->sample,
				      reading->model->indexes[group->first_factor + place]);
}

static double choose(uint32_t n, uint32_t k)
{
	double ways = 1;

	for (uint32_t i = 0; i < k; i++)
		ways *= (double)(n - i) / (double)(i + 1);
	return ways;
}

/* What of the total one combination of k members has: NUREG/CR-4780, section 3. */
static double part_of(struct avail_reading *reading, const struct avail_ccf *group, uint32_t k)
{
	uint32_t m = group->count;
	double product = 1, sum = 0;

	switch (group->kind) {
	case AVAIL_CCF_BETA:
		return k == 1	? 1 - factor(reading, group, 0)
		       : k == m ? factor(reading, group, 0)
				: 0;
	case AVAIL_CCF_MGL:
		if (k > group->factor_count + 1)
			return 0;
		for (uint32_t i = 2; i <= k; i++)
			product *= factor(reading, group, i - 2);
		return product * (1 - factor(reading, group, k - 1)) / choose(m - 1, k - 1);
	case AVAIL_CCF_ALPHA:
		for (uint32_t i = 1; i <= group->factor_count; i++)
			sum += i * factor(reading, group, i - 1);
		return k * factor(reading, group, k - 1) / sum / choose(m - 1, k - 1);
	case AVAIL_CCF_PHI:
		return factor(reading, group, k - 1);
	}
	return 0;
}

/* One combination: bits[i] whether member i is in it; its node is added to who it takes along. */
static int add_together(struct avail_reading *reading, const struct avail_ccf *group,
			const uint8_t *bits, double amount, struct avail_list *nodes)
{
	const struct avail_model *model = reading->model;
	const struct avail_event *event = NULL;
	struct avail_actor actor;
	double repair_h = 0;
	uint32_t team = AVAIL_NONE;
	int err;

	for (uint32_t i = 0; i < group->count; i++) {
		uint32_t member = model->indexes[group->first + i];

		if (!bits[i])
			continue;
		if (!event) {
			event = &model->events[member];
			team = reading->team_of[member];
		}
		repair_h = fmax(repair_h,
				avail_reading_value(reading, model->events[member].repair_h));
	}
	err = avail_reading_numbers(reading, event, group->rated, amount, repair_h, &actor);
	if (err)
		return err;
	if (actor.kind == AVAIL_ACTOR_LIVE && actor.repair > 0)
		actor.team = team;
	for (uint32_t i = 0, node = avail_reading_actor(reading->play, &actor); i < group->count;
	     i++) {
		if (node == AVAIL_NONE)
			return -ENOMEM;
		if (bits[i] && (!avail_list_add(nodes, i) || !avail_list_add(nodes, node)))
			return -ENOMEM;
	}
	return 0;
}

static uint32_t ones_in(const uint8_t *bits, uint32_t count)
{
	uint32_t ones = 0;

	for (uint32_t i = 0; i < count; i++)
		ones += bits[i];
	return ones;
}

/* Every combination that has a share at all: bits count upwards like a number.  Levels without a
 * share are passed over by the caller's choice of k, so that groups may be large. */
static int add_level(struct avail_reading *reading, const struct avail_ccf *group, uint32_t k,
		     uint8_t *bits, struct avail_list *nodes)
{
	double amount = part_of(reading, group, k) * avail_reading_value(reading, group->total);
	int err;

	memset(bits, 0, group->count);
	memset(bits, 1, k);
	for (;;) {
		uint32_t last = group->count, moved = 0;

		err = add_together(reading, group, bits, amount, nodes);
		if (err)
			return err;
		/* The last one that can move does; those behind it follow at once. */
		while (last > 0 && bits[last - 1]) {
			last--;
			moved++;
		}
		while (last > 0 && !bits[last - 1])
			last--;
		if (last == 0)
			return 0;
		bits[last - 1] = 0;
		memset(bits + last, 0, group->count - last);
		memset(bits + last, 1, moved + 1);
		must(ones_in(bits, group->count) == k);
	}
}

/* Reads a whole group: each member becomes the OR of the combinations that it is in. */
int avail_reading_together(struct avail_reading *reading, uint32_t index)
{
	const struct avail_model *model = reading->model;
	const struct avail_ccf *group = &model->ccfs[index];
	struct avail_play *play = reading->play;
	struct avail_list nodes = { .memory = play->memory }; /* member, node, member, node */
	uint8_t *bits = avail_take(play->memory, group->count, 1);
	int err = bits ? 0 : -ENOMEM;

	for (uint32_t k = 1; k <= group->count && !err; k++)
		if (part_of(reading, group, k) != 0 || k == 1)
			err = add_level(reading, group, k, bits, &nodes);
	for (uint32_t i = 0; i < group->count && !err; i++) {
		struct avail_scene scene = { .kind = AVAIL_SCENE_GATE,
					     .formula = AVAIL_FORMULA_OR,
					     .first = play->args.count };

		for (uint32_t k = 0; k < nodes.count && !err; k += 2)
			if (nodes.items[k] == i &&
			    !avail_list_add(&play->args, nodes.items[k + 1] << 1))
				err = -ENOMEM;
		scene.count = play->args.count - scene.first;
		reading->event_node[model->indexes[group->first + i]] =
			err ? 0 : avail_reading_scene(play, &scene) + 1;
		if (!reading->event_node[model->indexes[group->first + i]])
			err = -ENOMEM;
	}
	avail_give(play->memory, bits, group->count, 1);
	avail_list_fini(&nodes);
	return err;
}
