#include "avail/space.h"

#include <errno.h>

enum { ASK_EVERY = 256 };

struct explore {
	struct avail_space *space;
	struct avail_machine *machine;
	const struct avail_space_limits *limits;
	struct avail_outcomes *outcomes;
	uint8_t *states; /* rows of machine->width */
	uint32_t state_room, outcome_room;
	uint32_t *table; /* of states by hash, open addressing; number + 1 */
	uint32_t table_room;
	uint8_t *now, *values;
	uint32_t from, deepest; /* most failures of a state that was not looked at */
};

/* ---- outcomes ---- */

uint32_t avail_outcome(struct avail_outcomes *outcomes, const uint8_t *values, int *err)
{
	uint32_t width = outcomes->width;

	for (uint32_t i = 0; i < outcomes->count; i++)
		if (memcmp(outcomes->values + (size_t)i * width, values, width) == 0)
			return i;
	*err = -E2BIG;
	if (outcomes->count == outcomes->most)
		return AVAIL_NONE;
	*err = -ENOMEM;
	if (!avail_room(outcomes->memory, &outcomes->values, &outcomes->room,
			(uint64_t)outcomes->count + 1, width))
		return AVAIL_NONE;
	*err = 0;
	memcpy(outcomes->values + (size_t)outcomes->count * width, values, width);
	return outcomes->count++;
}

void avail_outcomes_fini(struct avail_outcomes *outcomes)
{
	avail_give(outcomes->memory, outcomes->values, outcomes->room, outcomes->width);
	outcomes->values = NULL;
	outcomes->count = outcomes->room = 0;
}

/* ---- states by number ---- */

static uint64_t hash(const uint8_t *state, uint32_t width)
{
	uint64_t h = UINT64_C(0x9e3779b97f4a7c15) ^ width;

	for (uint32_t i = 0; i < width; i++)
		h = (h ^ state[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 29;
	h *= UINT64_C(0xbf58476d1ce4e5b9);
	return h ^ h >> 32;
}

static uint8_t *state_at(const struct explore *explore, uint32_t number)
{
	return explore->states + (size_t)number * explore->machine->width;
}

/* The place of a state in the table: where it is, or where it would go. */
static uint32_t *slot_of(const struct explore *explore, const uint8_t *state)
{
	uint32_t width = explore->machine->width, mask = explore->table_room - 1;
	uint32_t at = (uint32_t)hash(state, width) & mask;

	while (explore->table[at] &&
	       memcmp(state_at(explore, explore->table[at] - 1), state, width) != 0)
		at = (at + 1) & mask;
	return &explore->table[at];
}

static int widen_table(struct explore *explore)
{
	struct avail_memory *memory = explore->space->memory;
	uint32_t old_room = explore->table_room, room = old_room ? old_room * 2 : 256;
	uint32_t *old = explore->table, *table = avail_take(memory, room, sizeof *table);

	if (!table)
		return -ENOMEM;
	explore->table = table;
	explore->table_room = room;
	for (uint32_t i = 0; i < explore->space->state_count; i++)
		*slot_of(explore, state_at(explore, i)) = i + 1;
	avail_give(memory, old, old_room, sizeof *old);
	return 0;
}

static int add_state(struct explore *explore, const uint8_t *state, uint32_t *number)
{
	struct avail_space *space = explore->space;
	uint32_t failures = avail_machine_troubles(explore->machine, state);
	int err = 0;

	*number = space->state_count;
	if (space->state_count == explore->limits->states)
		return -E2BIG;
	if (!avail_room(space->memory, &explore->states, &explore->state_room,
			(uint64_t)*number + 1, explore->machine->width) ||
	    !avail_room(space->memory, &space->outcome, &explore->outcome_room,
			(uint64_t)*number + 1, sizeof *space->outcome))
		return -ENOMEM;
	memcpy(state_at(explore, *number), state, explore->machine->width);
	avail_machine_outputs(explore->machine, state, explore->values);
	space->outcome[*number] = avail_outcome(explore->outcomes, explore->values, &err);
	if (space->outcome[*number] == AVAIL_NONE)
		return err;
	if (failures == 0 && !avail_list_add(&space->whole, *number))
		return -ENOMEM;
	space->most_failures = (uint8_t)min_u32(
		255, failures > space->most_failures ? failures : space->most_failures);
	space->state_count++;
	return 0;
}

static int number_of(struct explore *explore, const uint8_t *state, uint32_t *number)
{
	uint32_t *slot;
	int err;

	if (2 * (uint64_t)(explore->space->state_count + 1) > explore->table_room &&
	    widen_table(explore))
		return -ENOMEM;
	slot = slot_of(explore, state);
	if (*slot) {
		*number = *slot - 1;
		return 0;
	}
	err = add_state(explore, state, number);
	if (!err)
		*slot = *number + 1;
	return err;
}

/* ---- moves ---- */

/* Until all are known, the number of a state beyond is counted from the end of the numbers. */
static uint32_t beyond(uint32_t failures)
{
	return UINT32_MAX - failures;
}

static int add_move(void *context, struct avail_source source, double factor, const uint8_t *next)
{
	struct explore *explore = context;
	struct avail_space *space = explore->space;
	struct avail_chain *chain = &space->chain;
	uint64_t count = (uint64_t)chain->move_count + 1;
	uint32_t failures = avail_machine_troubles(explore->machine, next), to;
	int err = 0;

	if (explore->limits->failures != AVAIL_NONE && failures > explore->limits->failures) {
		to = beyond(failures);
		explore->deepest = failures > explore->deepest ? failures : explore->deepest;
	} else {
		err = number_of(explore, next, &to);
	}
	if (err || to == explore->from)
		return err;
	if (!avail_room(space->memory, &chain->moves, &chain->move_room, count,
			sizeof *chain->moves) ||
	    !avail_room(space->memory, &space->sources, &space->source_room, count,
			sizeof *space->sources) ||
	    !avail_room(space->memory, &space->factors, &space->factor_room, count,
			sizeof *space->factors))
		return -ENOMEM;
	chain->moves[chain->move_count] = (struct avail_move){ explore->from, to, 0 };
	space->sources[chain->move_count] = source;
	space->factors[chain->move_count++] = factor;
	return 0;
}

static bool is_end(const struct explore *explore, uint32_t state)
{
	return explore->limits->ends == AVAIL_STOP_AT_FIRST &&
	       explore->outcomes
		       ->values[(size_t)explore->space->outcome[state] * explore->outcomes->width];
}

/* A state without failures is looked at even where nothing leads to it but what is left out. */
static int add_whole(void *context, struct avail_source source, double factor, const uint8_t *state)
{
	uint32_t number;

	(void)source;
	(void)factor;
	return number_of(context, state, &number);
}

static int explore_all(struct explore *explore)
{
	struct avail_space *space = explore->space;
	uint32_t start;
	int err;

	avail_machine_start(explore->machine, explore->now);
	err = number_of(explore, explore->now, &start);
	if (!err && explore->limits->failures != AVAIL_NONE && explore->limits->ends == AVAIL_GO_ON)
		err = avail_machine_whole(explore->machine, AVAIL_SPACE_WHOLE_MOST, add_whole,
					  explore);
	for (explore->from = 0; !err && explore->from < space->state_count; explore->from++) {
		if (is_end(explore, explore->from))
			continue;
		/* The states may move while others are added. */
		memcpy(explore->now, state_at(explore, explore->from), explore->machine->width);
		err = avail_machine_walk(explore->machine, explore->now, add_move, explore);
		if (!err && explore->from % ASK_EVERY == 0 && explore->limits->go_on &&
		    !explore->limits->go_on(explore->limits->context))
			err = -EINTR;
	}
	return err == -EOVERFLOW ? -E2BIG : err;
}

/* Gives the states beyond their numbers. */
static void close_space(struct explore *explore)
{
	struct avail_space *space = explore->space;
	uint32_t most = explore->limits->failures;

	if (explore->deepest > 0) {
		space->failures = most;
		space->beyond_count = explore->deepest - most;
	}
	space->chain.memory = space->memory;
	space->chain.state_count = space->state_count + space->beyond_count;
	for (uint32_t i = 0; i < space->chain.move_count; i++) {
		struct avail_move *move = &space->chain.moves[i];

		if (move->to >= space->state_count)
			move->to = space->state_count + (UINT32_MAX - move->to) - most - 1;
	}
}

int avail_space_init(struct avail_space *space, struct avail_machine *machine,
		     const struct avail_space_limits *limits, struct avail_outcomes *outcomes)
{
	struct avail_memory *memory = machine->memory;
	size_t width = (size_t)machine->width + 1, outputs = (size_t)machine->outputs.count + 1;
	struct explore explore = {
		.space = space, .machine = machine, .limits = limits, .outcomes = outcomes
	};
	int err = -ENOMEM;

	*space = (struct avail_space){ .memory = memory, .failures = AVAIL_NONE };
	space->whole.memory = memory;
	space->chain.memory = memory;
	explore.now = avail_take(memory, width, 1);
	explore.values = avail_take(memory, outputs, 1);
	if (explore.now && explore.values)
		err = explore_all(&explore);
	if (!err)
		close_space(&explore);
	avail_give(memory, explore.states, explore.state_room, machine->width);
	avail_give(memory, explore.table, explore.table_room, sizeof *explore.table);
	avail_give(memory, explore.now, width, 1);
	avail_give(memory, explore.values, outputs, 1);
	/* Room for outcomes is counted with the states, and given back with the space. */
	space->outcome_room = explore.outcome_room;
	if (err)
		avail_space_fini(space);
	return err;
}

void avail_space_fini(struct avail_space *space)
{
	struct avail_memory *memory = space->memory;

	avail_chain_fini(&space->chain);
	avail_give(memory, space->sources, space->source_room, sizeof *space->sources);
	avail_give(memory, space->factors, space->factor_room, sizeof *space->factors);
	avail_give(memory, space->outcome, space->outcome_room, sizeof *space->outcome);
	avail_list_fini(&space->whole);
	*space = (struct avail_space){ .memory = memory };
	space->whole.memory = space->chain.memory = memory;
}
