#include "avail/knot.h"

#include <errno.h>
#include <math.h>

bool avail_leaf_is_frozen(const struct avail_flat *flat, uint32_t leaf)
{
	const struct avail_leaf *of = &flat->leaves[leaf];

	if (of->ccf != AVAIL_NONE)
		return !flat->model->ccfs[of->ccf].rated;
	return flat->model->events[of->event].law == AVAIL_LAW_PROBABILITY;
}

/* ---- states ---- */

static int copy_list(struct avail_list *to, const struct avail_list *from)
{
	for (uint32_t i = 0; i < from->count; i++)
		if (!avail_list_add(to, from->items[i]))
			return -ENOMEM;
	return 0;
}

/* The fate of each leaf in the way in which the frozen leaves of set 'downs' are failed. */
static void decide_fates(const struct avail_knot *knot, const uint8_t *pins, uint32_t downs,
			 uint8_t *fates)
{
	for (uint32_t i = 0; i < knot->leaves.count; i++) {
		uint32_t leaf = knot->leaves.items[i];
		enum avail_pin pin = pins ? (enum avail_pin)pins[leaf] : AVAIL_PIN_NONE;

		fates[leaf] = pin == AVAIL_PIN_PERFECT	? AVAIL_SPARED
			      : pin == AVAIL_PIN_FAILED ? AVAIL_STAYS_DOWN
							: AVAIL_LIVES;
		if (fates[leaf] == AVAIL_SPARED && avail_leaf_is_frozen(&knot->graph->flat, leaf))
			fates[leaf] = AVAIL_STAYS_UP;
	}
	for (uint32_t i = 0; i < knot->frozen.count; i++)
		fates[knot->frozen.items[i]] = downs >> i & 1 ? AVAIL_STAYS_DOWN : AVAIL_STAYS_UP;
}

/* Logarithm of the number of orders in which the units of a crew can wait, equal ones being one
 * kind. */
static double guess_line(const struct avail_machine *machine, uint32_t crew)
{
	uint32_t count = 0;
	double orders;

	for (uint32_t u = 0; u < machine->unit_count; u++)
		count += machine->units[u].crew == crew;
	if (count <= machine->crews[crew])
		return 0;
	orders = lgamma(count - machine->crews[crew] + 1.0);
	for (uint32_t o = 0; o < machine->orbit_count; o++) {
		const struct avail_orbit *orbit = &machine->orbits[o];
		uint32_t first = machine->places.items[orbit->first];

		if (first < machine->unit_count && machine->units[first].crew == crew)
			orders -= lgamma(orbit->count + 1.0);
	}
	return orders > 0 ? orders : 0;
}

/* About how many states there are at least, so that a hopeless walk is not begun; its logarithm. */
static double guess_states(const struct avail_machine *machine)
{
	double sum = 0, line;
	uint32_t alone = 0;

	for (uint32_t u = 0; u < machine->unit_count; u++)
		alone += machine->units[u].fate == AVAIL_LIVES;
	for (uint32_t o = 0; o < machine->orbit_count; o++) {
		const struct avail_orbit *orbit = &machine->orbits[o];

		if (orbit->width > 2 || orbit->count > alone)
			continue;
		sum += log(orbit->count + 1.0);
		alone -= orbit->count;
	}
	sum += alone * log(2);
	for (uint32_t c = 0; c < machine->crew_count; c++) {
		line = guess_line(machine, c);
		sum = line > sum ? line : sum;
	}
	return sum;
}

static struct avail_space_limits limits_of(const struct avail_knot_wants *wants)
{
	const struct avail_dynamic_budget *budget = wants->budget;

	return (struct avail_space_limits){
		.states = budget && budget->states ? budget->states : AVAIL_KNOT_STATES,
		.failures = AVAIL_NONE,
		.ends = wants->ends,
		.go_on = budget ? budget->go_on : NULL,
		.context = budget ? budget->context : NULL,
	};
}

/* Moves from the states beyond; where to and how fast is for the evaluation to say. */
static int add_returns(struct avail_knot_way *way)
{
	struct avail_space *space = &way->space;

	way->moves = space->chain.move_count;
	for (uint32_t i = 0; i < space->beyond_count; i++)
		if (avail_chain_add(&space->chain, space->state_count + i, 0, 0))
			return -ENOMEM;
	return 0;
}

/* Looks at the states with at most so many troubles, in place of what the way had.  *enough: that
 * all states were looked at, or so many that what was left out does not matter. */
static int explore_more(struct avail_knot *knot, struct avail_knot_way *way,
			const struct avail_space_limits *limits,
			const struct avail_knot_wants *wants, bool *enough)
{
	struct avail_space space;
	int err = avail_space_init(&space, &knot->machine, limits, &knot->outcomes);

	if (err)
		return err;
	avail_space_fini(&way->space);
	way->space = space;
	*enough = space.failures == AVAIL_NONE;
	err = add_returns(way);
	if (!err && !*enough && wants->rates)
		err = avail_knot_suffices(knot, way, wants->rates, enough);
	return err;
}

/* As many troubles at once as the budget has room for, or as matter. */
static int explore_cut(struct avail_knot *knot, struct avail_knot_way *way,
		       struct avail_space_limits *limits, const struct avail_knot_wants *wants)
{
	bool enough = false;
	int err = 0;

	for (uint32_t most = 1; most <= knot->machine.unit_count + 1 && !err && !enough; most++) {
		limits->failures = most;
		err = explore_more(knot, way, limits, wants, &enough);
		/* Each point of return is a chain to be solved. */
		if (way->space.whole.count > 0)
			limits->states =
				min_u32(limits->states, AVAIL_KNOT_WORK / way->space.whole.count);
	}
	if (err && err != -E2BIG)
		return err;
	if (way->space.state_count == 0)
		knot->state = AVAIL_MODULE_BEYOND;
	else if (way->space.failures != AVAIL_NONE)
		knot->state = AVAIL_MODULE_CUT;
	knot->failures = way->space.failures == AVAIL_NONE ? 0 : way->space.failures;
	return 0;
}

static int explore(struct avail_knot *knot, struct avail_knot_way *way,
		   const struct avail_knot_wants *wants)
{
	struct avail_space_limits limits = limits_of(wants);
	int err = -E2BIG;

	if (guess_states(&knot->machine) <= log(8.0 * limits.states))
		err = avail_space_init(&way->space, &knot->machine, &limits, &knot->outcomes);
	/* Those that end are followed step by step through a time, which takes long. */
	if (wants->ends == AVAIL_STOP_AT_FIRST)
		limits.states = min_u32(limits.states, AVAIL_KNOT_STATES_FOLLOWED);
	if (err == -E2BIG)
		return explore_cut(knot, way, &limits, wants);
	return err ? err : add_returns(way);
}

static int make_way(struct avail_knot *knot, uint32_t downs, const struct avail_knot_wants *wants,
		    uint8_t *fates)
{
	struct avail_knot_way *way = &knot->ways[downs];
	int err;

	decide_fates(knot, wants->pins, downs, fates);
	if (knot->machine.memory)
		avail_machine_fini(&knot->machine);
	err = avail_machine_init(&knot->machine, knot->graph, &knot->leaves, &knot->outputs, fates);
	if (err) {
		knot->machine.memory = NULL;
		return err;
	}
	if (!wants->alike)
		err = avail_machine_find_equals(&knot->machine);
	if (!err)
		err = explore(knot, way, wants);
	if (err || knot->state == AVAIL_MODULE_BEYOND)
		return err;
	way->downs = downs;
	way->ups = ~downs & ((1U << knot->frozen.count) - 1);
	way->space.chain.go_on = wants->budget ? wants->budget->go_on : NULL;
	way->space.chain.context = wants->budget ? wants->budget->context : NULL;
	if (way->space.state_count > knot->states)
		knot->states = way->space.state_count;
	knot->moves += way->moves;
	return 0;
}

static int find_frozen(struct avail_knot *knot, const uint8_t *pins)
{
	for (uint32_t i = 0; i < knot->leaves.count; i++) {
		uint32_t leaf = knot->leaves.items[i];

		if (avail_leaf_is_frozen(&knot->graph->flat, leaf) &&
		    (!pins || pins[leaf] == AVAIL_PIN_NONE) && !avail_list_add(&knot->frozen, leaf))
			return -ENOMEM;
	}
	return 0;
}

static int take_results(struct avail_knot *knot)
{
	uint32_t count = knot->outcomes.count;

	knot->room = count;
	knot->value = avail_take(knot->memory, (size_t)count + 1, sizeof *knot->value);
	knot->lower = avail_take(knot->memory, (size_t)count + 1, sizeof *knot->lower);
	knot->upper = avail_take(knot->memory, (size_t)count + 1, sizeof *knot->upper);
	knot->flow = avail_take(knot->memory, (size_t)count * count + 1, sizeof *knot->flow);
	return knot->value && knot->lower && knot->upper && knot->flow ? 0 : -ENOMEM;
}

static int make_ways(struct avail_knot *knot, const struct avail_knot_wants *wants)
{
	uint32_t leaves = knot->graph->leaf_count;
	uint8_t *fates;
	int err = 0;

	if (knot->frozen.count > AVAIL_KNOT_FROZEN_MOST) {
		knot->state = AVAIL_MODULE_BEYOND;
		return 0;
	}
	fates = avail_take(knot->memory, (size_t)leaves + 1, 1);
	knot->way_count = 1U << knot->frozen.count;
	knot->ways = avail_take(knot->memory, knot->way_count, sizeof *knot->ways);
	if (!fates || !knot->ways)
		err = -ENOMEM;
	for (uint32_t i = 0; i < knot->way_count && knot->ways; i++)
		knot->ways[i].space.memory = knot->ways[i].space.chain.memory =
			knot->ways[i].space.whole.memory = knot->memory;
	for (uint32_t i = 0; i < knot->way_count && !err && knot->state != AVAIL_MODULE_BEYOND; i++)
		err = make_way(knot, i, wants, fates);
	avail_give(knot->memory, fates, (size_t)leaves + 1, 1);
	return err;
}

/* Outcomes that there are already keep their numbers. */
static int begin_outcomes(struct avail_knot *knot, const struct avail_knot_wants *wants)
{
	const struct avail_dynamic_budget *budget = wants->budget;
	int err = 0;

	knot->outcomes.memory = knot->memory;
	knot->outcomes.width = knot->outputs.count + (knot->outputs.count == 0);
	knot->outcomes.most = budget && budget->outcomes ? budget->outcomes : AVAIL_KNOT_OUTCOMES;
	for (uint32_t i = 0; wants->known && i < wants->known->count && !err; i++)
		avail_outcome(&knot->outcomes,
			      wants->known->values + (size_t)i * wants->known->width, &err);
	if (wants->known)
		knot->outcomes.most = knot->outcomes.count;
	return err;
}

/* Bounds are for what is left when nothing, and when everything, that was not looked at is failed.
 */
static int add_extremes(struct avail_knot *knot)
{
	uint8_t *values = avail_take(knot->memory, knot->outcomes.width, 1);
	int err = 0;

	if (!values)
		return -ENOMEM;
	knot->outcomes.most += 2;
	avail_outcome(&knot->outcomes, values, &err);
	memset(values, 1, knot->outcomes.width);
	if (!err)
		avail_outcome(&knot->outcomes, values, &err);
	avail_give(knot->memory, values, knot->outcomes.width, 1);
	return err;
}

int avail_knot_init(struct avail_knot *knot, const struct avail_graph *graph,
		    const struct avail_knot_wants *wants)
{
	struct avail_memory *memory = graph->memory;
	int err;

	*knot = (struct avail_knot){ .memory = memory, .graph = graph };
	knot->leaves.memory = knot->outputs.memory = knot->frozen.memory = memory;
	err = copy_list(&knot->leaves, wants->leaves);
	if (!err)
		err = copy_list(&knot->outputs, wants->outputs);
	if (!err)
		err = find_frozen(knot, wants->pins);
	if (!err)
		err = begin_outcomes(knot, wants);
	if (!err)
		err = make_ways(knot, wants);
	if (!err && knot->state != AVAIL_MODULE_EXACT)
		err = add_extremes(knot);
	if (!err)
		err = take_results(knot);
	if (err)
		avail_knot_fini(knot);
	return err;
}

void avail_knot_fini(struct avail_knot *knot)
{
	struct avail_memory *memory = knot->memory;
	size_t count = (size_t)knot->room;

	for (uint32_t i = 0; i < knot->way_count && knot->ways; i++)
		avail_space_fini(&knot->ways[i].space);
	avail_give(memory, knot->ways, knot->way_count, sizeof *knot->ways);
	if (knot->machine.memory)
		avail_machine_fini(&knot->machine);
	avail_outcomes_fini(&knot->outcomes);
	avail_give(memory, knot->value, count + 1, sizeof *knot->value);
	avail_give(memory, knot->lower, count + 1, sizeof *knot->lower);
	avail_give(memory, knot->upper, count + 1, sizeof *knot->upper);
	avail_give(memory, knot->flow, count * count + 1, sizeof *knot->flow);
	avail_list_fini(&knot->leaves);
	avail_list_fini(&knot->outputs);
	avail_list_fini(&knot->frozen);
	*knot = (struct avail_knot){ .memory = memory };
}
