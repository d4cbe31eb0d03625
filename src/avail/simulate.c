/* Reading a model for the stage. */
#include "avail/simulate.h"
#include "avail/reading.h"

#include <errno.h>
#include <math.h>

static bool differs(const struct avail_standby *rule)
{
	return rule->mode == AVAIL_COLD || (rule->mode == AVAIL_WARM && rule->dormancy < 1) ||
	       rule->coverage < 1 || rule->switch_h > 0;
}

static int read_event(struct avail_reading *reading, uint32_t index)
{
	const struct avail_event *event = &reading->model->events[index];
	bool rated = event->law == AVAIL_LAW_REPAIRABLE || event->law == AVAIL_LAW_UNREPAIRED;
	struct avail_actor actor;
	int err;

	if (reading->event_node[index])
		return 0;
	if (reading->group_of[index] != AVAIL_NONE)
		return avail_reading_together(reading, reading->group_of[index]);
	if (event->law == AVAIL_LAW_HOUSE)
		return 0; /* a constant: see node_of */
	err = avail_reading_numbers(
		reading, event, rated,
		avail_reading_value(reading, rated ? event->failure_rate : event->probability),
		avail_reading_value(reading, event->repair_h), &actor);
	if (err)
		return err;
	if (actor.kind == AVAIL_ACTOR_LIVE && actor.repair > 0)
		actor.team = reading->team_of[index];
	reading->event_node[index] = avail_reading_actor(reading->play, &actor) + 1;
	return reading->event_node[index] ? 0 : -ENOMEM;
}

/* ---- gates ---- */

/* node << 1 | negated of a term whose gate or event has been read. */
static uint32_t node_of(const struct avail_reading *reading, const struct avail_term *term)
{
	const struct avail_event *event = &reading->model->events[term->index];
	uint32_t ref = term->index & 1; /* CONSTANT */

	if (term->kind == AVAIL_TERM_GATE)
		ref = (reading->gate_node[term->index] - 1) << 1;
	else if (term->kind == AVAIL_TERM_EVENT && event->law == AVAIL_LAW_HOUSE &&
		 reading->group_of[term->index] == AVAIL_NONE)
		ref = event->house;
	else if (term->kind == AVAIL_TERM_EVENT)
		ref = (reading->event_node[term->index] - 1) << 1;
	return ref ^ term->negated;
}

static bool opens(const struct avail_scene *scene)
{
	if (scene->kind != AVAIL_SCENE_GATE)
		return false;
	switch (scene->formula) {
	case AVAIL_FORMULA_OR:
	case AVAIL_FORMULA_PASS:
		return true;
	case AVAIL_FORMULA_AT_LEAST:
		return scene->low == 1;
	case AVAIL_FORMULA_AND:
	case AVAIL_FORMULA_XOR:
		return scene->count == 1;
	default:
		return false;
	}
}

/* What a member is the OR of. */
static int terms_of(struct avail_reading *reading, uint32_t ref, struct avail_list *terms)
{
	struct avail_play *play = reading->play;

	reading->stack.count = 0;
	if (!avail_list_add(&reading->stack, ref))
		return -ENOMEM;
	while (reading->stack.count) {
		uint32_t at = reading->stack.items[--reading->stack.count];
		const struct avail_scene *scene = &play->scenes[at >> 1];

		if (!(at & 1) && opens(scene)) {
			for (uint32_t i = scene->count; i-- > 0;)
				if (!avail_list_add(&reading->stack,
						    play->args.items[scene->first + i]))
					return -ENOMEM;
		} else if (at != 0 && !avail_list_has(terms, at) && !avail_list_add(terms, at)) {
			return -ENOMEM;
		}
	}
	return 0;
}

static uint32_t add_or(struct avail_reading *reading, const struct avail_list *args)
{
	struct avail_play *play = reading->play;
	struct avail_scene scene = { .kind = AVAIL_SCENE_GATE,
				     .formula = AVAIL_FORMULA_OR,
				     .first = play->args.count,
				     .count = args->count };

	for (uint32_t i = 0; i < args->count; i++)
		if (!avail_list_add(&play->args, args->items[i]))
			return AVAIL_NONE;
	return avail_reading_scene(play, &scene);
}

/* shared: terms that every one of the members has. */
static int find_shared(struct avail_reading *reading, const struct avail_list *members)
{
	int err = terms_of(reading, members->items[0], &reading->shared);

	for (uint32_t m = 1; m < members->count && !err; m++) {
		uint32_t kept = 0;

		reading->terms.count = 0;
		err = terms_of(reading, members->items[m], &reading->terms);
		for (uint32_t i = 0; i < reading->shared.count; i++)
			if (avail_list_has(&reading->terms, reading->shared.items[i]))
				reading->shared.items[kept++] = reading->shared.items[i];
		reading->shared.count = kept;
	}
	return err;
}

/* Each member becomes an OR of what it does not share with all others. */
static int strip_members(struct avail_reading *reading, struct avail_list *members)
{
	int err = 0;

	for (uint32_t m = 0; m < members->count && !err; m++) {
		uint32_t kept = 0, node;

		reading->terms.count = 0;
		err = terms_of(reading, members->items[m], &reading->terms);
		for (uint32_t i = 0; i < reading->terms.count; i++)
			if (!avail_list_has(&reading->shared, reading->terms.items[i]))
				reading->terms.items[kept++] = reading->terms.items[i];
		reading->terms.count = kept;
		node = err ? AVAIL_NONE : add_or(reading, &reading->terms);
		if (node == AVAIL_NONE)
			return -ENOMEM;
		members->items[m] = node << 1;
	}
	return err;
}

/* A cast over stripped members, and an OR of it with what they share. */
static uint32_t add_cast(struct avail_reading *reading, const struct avail_standby *rule,
			 struct avail_list *members)
{
	struct avail_play *play = reading->play;
	struct avail_scene scene = { .kind = AVAIL_SCENE_CAST, .index = play->cast_count };
	struct avail_cast cast = { .rule = *rule,
				   .count = members->count,
				   .at = play->member_count };

	reading->shared.count = 0;
	if (find_shared(reading, members) || strip_members(reading, members))
		return AVAIL_NONE;
	scene.first = cast.first = play->args.count;
	scene.count = members->count;
	for (uint32_t m = 0; m < members->count; m++)
		if (!avail_list_add(&play->args, members->items[m]))
			return AVAIL_NONE;
	cast.node = avail_reading_scene(play, &scene);
	if (cast.node == AVAIL_NONE ||
	    !avail_room(play->memory, &play->casts, &play->cast_room,
			(uint64_t)play->cast_count + 1, sizeof *play->casts))
		return AVAIL_NONE;
	play->casts[play->cast_count++] = cast;
	play->member_count += members->count;
	if (!avail_list_add(&reading->shared, cast.node << 1))
		return AVAIL_NONE;
	return add_or(reading, &reading->shared);
}

static int add_gate(struct avail_reading *reading, uint32_t index)
{
	const struct avail_model *model = reading->model;
	const struct avail_gate *gate = &model->gates[index];
	struct avail_play *play = reading->play;
	struct avail_scene scene = { .kind = AVAIL_SCENE_GATE,
				     .formula = gate->kind,
				     .low = gate->low,
				     .high = gate->high,
				     .count = gate->count };
	uint32_t node;

	reading->args.count = 0;
	for (uint32_t i = 0; i < gate->count; i++)
		if (!avail_list_add(&reading->args,
				    node_of(reading, &model->terms[gate->first + i])))
			return -ENOMEM;
	if (gate->standby != AVAIL_NONE && differs(&model->standbys[gate->standby])) {
		node = add_cast(reading, &model->standbys[gate->standby], &reading->args);
	} else {
		scene.first = play->args.count;
		for (uint32_t i = 0; i < gate->count; i++)
			if (!avail_list_add(&play->args, reading->args.items[i]))
				return -ENOMEM;
		node = avail_reading_scene(play, &scene);
	}
	reading->gate_node[index] = node + 1;
	return node == AVAIL_NONE ? -ENOMEM : 0;
}

/* Reads a gate's arguments before itself, without recursion. */
static int read_gate(struct avail_reading *reading, uint32_t root)
{
	const struct avail_model *model = reading->model;
	struct avail_list way = { .memory = reading->play->memory };
	int err = avail_list_add(&way, root) ? 0 : -ENOMEM;

	while (!err && way.count) {
		uint32_t at = way.items[way.count - 1], waiting = way.count;
		const struct avail_gate *gate = &model->gates[at];

		for (uint32_t i = 0; i < gate->count && !err; i++) {
			const struct avail_term *term = &model->terms[gate->first + i];

			if (term->kind == AVAIL_TERM_EVENT)
				err = read_event(reading, term->index);
			else if (term->kind == AVAIL_TERM_GATE &&
				 !reading->gate_node[term->index] &&
				 !avail_list_add(&way, term->index))
				err = -ENOMEM;
		}
		if (err || way.count > waiting)
			continue;
		if (!reading->gate_node[at])
			err = add_gate(reading, at);
		way.count--;
	}
	avail_list_fini(&way);
	return err;
}

static int read_term(struct avail_reading *reading, const struct avail_term *term)
{
	if (term->kind == AVAIL_TERM_EVENT)
		return read_event(reading, term->index);
	return term->kind == AVAIL_TERM_GATE ? read_gate(reading, term->index) : 0;
}

/* ---- all of it ---- */

/* Everything that can take a crew's time or drag something down takes part: simply all of the
 * model. */
static int read_rest(struct avail_reading *reading)
{
	const struct avail_model *model = reading->model;
	int err = 0;

	for (uint32_t i = 0; i < model->crew_count && !err; i++)
		for (uint32_t k = 0; k < model->crews[i].count && !err; k++)
			if (model->crews[i].crews < model->crews[i].count)
				err = read_event(reading,
						 model->indexes[model->crews[i].first + k]);
	for (uint32_t i = 0; i < model->standby_count && !err; i++)
		if (differs(&model->standbys[i]))
			err = read_gate(reading, model->standbys[i].gate);
	return err;
}

static int list_users(struct avail_play *play)
{
	for (uint32_t i = 0; i < play->scene_count; i++)
		for (uint32_t k = 0; k < play->scenes[i].count; k++)
			play->scenes[play->args.items[play->scenes[i].first + k] >> 1].user_count++;
	for (uint32_t i = 0, first = 0; i < play->scene_count; i++) {
		play->scenes[i].first_user = first;
		first += play->scenes[i].user_count;
		play->scenes[i].user_count = 0;
	}
	for (uint32_t i = 0; i < play->args.count; i++)
		if (!avail_list_add(&play->users, 0))
			return -ENOMEM;
	for (uint32_t i = 0; i < play->scene_count; i++)
		for (uint32_t k = 0; k < play->scenes[i].count; k++) {
			uint32_t arg = play->args.items[play->scenes[i].first + k];
			struct avail_scene *used = &play->scenes[arg >> 1];

			play->users.items[used->first_user + used->user_count++] =
				i << 1 | (arg & 1);
		}
	return 0;
}

static int number_teams(struct avail_reading *reading)
{
	const struct avail_model *model = reading->model;
	struct avail_play *play = reading->play;

	play->team_count = model->crew_count;
	play->teams = avail_take(play->memory, (size_t)model->crew_count + 1, sizeof *play->teams);
	if (!play->teams)
		return -ENOMEM;
	for (uint32_t i = 0; i < model->event_count; i++)
		reading->team_of[i] = reading->group_of[i] = AVAIL_NONE;
	for (uint32_t i = 0; i < model->crew_count; i++) {
		play->teams[i] = model->crews[i].crews;
		for (uint32_t k = 0; k < model->crews[i].count; k++)
			reading->team_of[model->indexes[model->crews[i].first + k]] = i;
	}
	for (uint32_t i = 0; i < model->ccf_count; i++)
		for (uint32_t k = 0; k < model->ccfs[i].count; k++)
			reading->group_of[model->indexes[model->ccfs[i].first + k]] = i;
	return 0;
}

/* What never comes back is looked at at the mission time: by chance, where nothing but that matters
 * to it. */
static void settle_unrepaired(struct avail_play *play, double time_h)
{
	bool steady = play->wants.kind == AVAIL_PLAY_STEADY;

	play->all_chance = true;
	for (uint32_t i = 0; i < play->actor_count; i++) {
		struct avail_actor *actor = &play->actors[i];

		if (actor->kind == AVAIL_ACTOR_LIVE && actor->failure > 0 && actor->repair == 0 &&
		    steady) {
			if (play->cast_count > 0) {
				play->as_point = true;
			} else {
				actor->kind = AVAIL_ACTOR_CHANCE;
				actor->probability = -expm1(-actor->failure * time_h);
			}
		}
		play->all_chance &= actor->kind == AVAIL_ACTOR_CHANCE || actor->failure == 0;
	}
	play->all_chance &= steady;
}

/* How long histories are, where the caller does not say: until who is active has nothing to do with
 * the begin any more, and then for some hundreds of failures. */
static void choose_lengths(struct avail_play *play)
{
	double all = 0, slowest_repair_h = 0, slowest_role_h = 0;

	for (uint32_t i = 0; i < play->actor_count; i++) {
		const struct avail_actor *actor = &play->actors[i];

		if (actor->kind != AVAIL_ACTOR_LIVE || actor->failure == 0)
			continue;
		all += actor->failure;
		if (actor->repair > 0)
			slowest_repair_h = fmax(slowest_repair_h, 1 / actor->repair);
		if (actor->duty_count > 0)
			slowest_role_h = fmax(slowest_role_h, 1 / actor->failure);
	}
	if (!(play->wants.warm_up_h > 0))
		play->wants.warm_up_h = fmax(20 * slowest_repair_h, 3 * slowest_role_h);
	if (!(play->wants.horizon_h > 0))
		play->wants.horizon_h = fmax(play->wants.warm_up_h, all > 0 ? 100 / all : 1);
	play->unit_h = play->wants.sampling == AVAIL_PLAY_BIASED && all > 0 ? 1 / all
									    : play->wants.horizon_h;
}

static int read_all(struct avail_reading *reading, struct avail_term down)
{
	const struct avail_scene nothing = { .kind = AVAIL_SCENE_GATE,
					     .formula = AVAIL_FORMULA_OR };
	int err = number_teams(reading);

	if (!err && avail_reading_scene(reading->play, &nothing) == AVAIL_NONE)
		err = -ENOMEM;
	if (!err)
		err = read_term(reading, &down);
	if (!err)
		err = read_rest(reading);
	if (err)
		return err;
	reading->play->top = node_of(reading, &down);
	settle_unrepaired(reading->play, reading->sample->time_h);
	err = list_users(reading->play);
	if (!err)
		err = avail_play_casting(reading->play);
	if (!err)
		choose_lengths(reading->play);
	return err;
}

int avail_play_open(struct avail_play **play_out, const struct avail_model *model,
		    struct avail_term down, struct avail_sample *sample,
		    const struct avail_play_wants *wants, struct refusal *why)
{
	struct avail_memory *memory = model->memory;
	struct avail_play *play = avail_take(memory, 1, sizeof *play);
	size_t events = (size_t)model->event_count + 1, gates = (size_t)model->gate_count + 1;
	struct avail_reading reading = {
		.play = play, .model = model, .sample = sample, .why = why
	};
	int err = -ENOMEM;

	if (!play)
		return -ENOMEM;
	play->memory = play->args.memory = play->users.memory = memory;
	play->own.memory = play->own_first.memory = memory;
	reading.stack.memory = reading.args.memory = reading.terms.memory = reading.shared.memory =
		memory;
	play->wants = *wants;
	if (!(play->wants.time_h > 0))
		play->wants.time_h = sample->time_h;
	reading.event_node = avail_take(memory, events, sizeof *reading.event_node);
	reading.gate_node = avail_take(memory, gates, sizeof *reading.gate_node);
	reading.group_of = avail_take(memory, events, sizeof *reading.group_of);
	reading.team_of = avail_take(memory, events, sizeof *reading.team_of);
	if (reading.event_node && reading.gate_node && reading.group_of && reading.team_of)
		err = read_all(&reading, down);
	avail_give(memory, reading.event_node, events, sizeof *reading.event_node);
	avail_give(memory, reading.gate_node, gates, sizeof *reading.gate_node);
	avail_give(memory, reading.group_of, events, sizeof *reading.group_of);
	avail_give(memory, reading.team_of, events, sizeof *reading.team_of);
	avail_list_fini(&reading.stack);
	avail_list_fini(&reading.args);
	avail_list_fini(&reading.terms);
	avail_list_fini(&reading.shared);
	if (err)
		avail_play_close(play);
	else
		*play_out = play;
	return err;
}

void avail_play_close(struct avail_play *play)
{
	struct avail_memory *memory;

	if (!play)
		return;
	memory = play->memory;
	avail_give(memory, play->actors, play->actor_room, sizeof *play->actors);
	avail_give(memory, play->scenes, play->scene_room, sizeof *play->scenes);
	avail_give(memory, play->casts, play->cast_room, sizeof *play->casts);
	avail_give(memory, play->duties, play->duty_room, sizeof *play->duties);
	avail_give(memory, play->teams, (size_t)play->team_count + 1, sizeof *play->teams);
	avail_list_fini(&play->args);
	avail_list_fini(&play->users);
	avail_list_fini(&play->own);
	avail_list_fini(&play->own_first);
	avail_give(memory, play, 1, sizeof *play);
}
