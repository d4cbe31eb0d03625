/* Which parts of a machine can be exchanged without a difference: arguments of one gate that are
 * trees of the same shape over equal units that nothing else mentions; and units that nothing
 * mentions at all but that take the same crew's time.
 *
 * Exchanging is exact only where no rule asks for the order of members.  Members of groups are
 * therefore equal only to their neighbours, and only where "up" leaves no choice of state: a unit,
 * or an OR of units. */
#include "avail/expression.h"
#include "avail/machine.h"

#include <errno.h>

struct equals {
	struct avail_machine *machine;
	uint32_t *uses;		  /* of each node */
	struct avail_list blocks; /* places of the blocks of the run at hand */
};

/* ---- equal rates ---- */

static bool same_value(const struct avail_model *model, uint32_t a, uint32_t b, unsigned depth)
{
	const struct avail_expression *x, *y;

	if (a == b)
		return true;
	if (a == AVAIL_NONE || b == AVAIL_NONE || depth == 0)
		return false;
	x = &model->expressions[a];
	y = &model->expressions[b];
	/* Two deviates are two draws. */
	if (x->kind != y->kind || x->count != y->count || x->kind >= AVAIL_UNIFORM_DEVIATE)
		return false;
	if (x->kind == AVAIL_NUMBER && (x->number < y->number || x->number > y->number))
		return false;
	for (uint32_t i = 0; i < x->count; i++)
		if (!same_value(model, model->indexes[x->first + i], model->indexes[y->first + i],
				depth - 1))
			return false;
	return true;
}

enum { EXPRESSION_DEPTH = 8 };

static bool same_rates(const struct avail_machine *machine, uint32_t a, uint32_t b)
{
	const struct avail_flat *flat = &machine->graph->flat;
	const struct avail_model *model = machine->graph->model;
	const struct avail_leaf *x = &flat->leaves[machine->units[a].leaf];
	const struct avail_leaf *y = &flat->leaves[machine->units[b].leaf];

	if (machine->units[a].fate != machine->units[b].fate ||
	    machine->units[a].crew != machine->units[b].crew || x->ccf != y->ccf ||
	    x->level != y->level || x->count != y->count)
		return false;
	for (uint32_t i = 0; i < x->count; i++) {
		const struct avail_event *d = &model->events[flat->members[x->first + i]];
		const struct avail_event *e = &model->events[flat->members[y->first + i]];

		if (d->law != e->law ||
		    !same_value(model, d->repair_h, e->repair_h, EXPRESSION_DEPTH))
			return false;
		if (x->ccf == AVAIL_NONE &&
		    (!same_value(model, d->failure_rate, e->failure_rate, EXPRESSION_DEPTH) ||
		     !same_value(model, d->probability, e->probability, EXPRESSION_DEPTH)))
			return false;
	}
	return true;
}

/* ---- shape ---- */

static const struct avail_machine_gate *gate_of(const struct avail_machine *machine, uint32_t node)
{
	return node > machine->unit_count ? &machine->gates[node - 1 - machine->unit_count] : NULL;
}

static uint32_t arg(const struct avail_machine *machine, const struct avail_machine_gate *gate,
		    uint32_t i)
{
	return machine->args.items[gate->first + i];
}

/* A tree that nothing else looks into; as deep as a walk may go. */
static bool is_private(const struct equals *equals, uint32_t ref, unsigned depth)
{
	const struct avail_machine_gate *gate = gate_of(equals->machine, ref >> 1);

	if (ref >> 1 == 0 || equals->uses[ref >> 1] != 1 || depth == 0)
		return false;
	for (uint32_t i = 0; gate && i < gate->count; i++)
		if (!is_private(equals, arg(equals->machine, gate, i), depth - 1))
			return false;
	return true;
}

static bool same_standby(const struct avail_standby *a, const struct avail_standby *b)
{
	return a->needed == b->needed && a->mode == b->mode && a->uncovered == b->uncovered &&
	       a->reverts == b->reverts && !(a->dormancy < b->dormancy) &&
	       !(a->dormancy > b->dormancy) && !(a->coverage < b->coverage) &&
	       !(a->coverage > b->coverage) && !(a->recovery_h < b->recovery_h) &&
	       !(a->recovery_h > b->recovery_h) && !(a->switch_h < b->switch_h) &&
	       !(a->switch_h > b->switch_h);
}

static bool same_shape(const struct avail_machine *machine, uint32_t a, uint32_t b)
{
	const struct avail_machine_gate *x = gate_of(machine, a >> 1),
					*y = gate_of(machine, b >> 1);

	if ((a & 1) != (b & 1) || !x != !y)
		return false;
	if (!x)
		return same_rates(machine, (a >> 1) - 1, (b >> 1) - 1);
	if (x->kind != y->kind || x->low != y->low || x->high != y->high || x->count != y->count ||
	    (x->group == AVAIL_NONE) != (y->group == AVAIL_NONE))
		return false;
	if (x->group != AVAIL_NONE &&
	    !same_standby(machine->groups[x->group].standby, machine->groups[y->group].standby))
		return false;
	for (uint32_t i = 0; i < x->count; i++)
		if (!same_shape(machine, arg(machine, x, i), arg(machine, y, i)))
			return false;
	return true;
}

enum { SHAPE_DEPTH = 64 };

static bool is_unit_or_units(const struct avail_machine *machine, uint32_t ref)
{
	const struct avail_machine_gate *gate = gate_of(machine, ref >> 1);

	if (ref & 1)
		return false;
	if (!gate)
		return true;
	for (uint32_t i = 0; i < gate->count; i++)
		if (gate_of(machine, arg(machine, gate, i) >> 1) || arg(machine, gate, i) & 1)
			return false;
	return gate->kind == AVAIL_OR || gate->count == 1;
}

/* Whether arguments i and k of a gate can be exchanged. */
static bool are_equal(const struct equals *equals, const struct avail_machine_gate *gate,
		      uint32_t i, uint32_t k)
{
	const struct avail_machine *machine = equals->machine;
	uint32_t a = arg(machine, gate, i), b = arg(machine, gate, k);

	if (!is_private(equals, a, SHAPE_DEPTH) || !is_private(equals, b, SHAPE_DEPTH) ||
	    !same_shape(machine, a, b))
		return false;
	if (gate->group == AVAIL_NONE)
		return true;
	/* Who goes back is one of the first; everybody else is a spare. */
	if (machine->groups[gate->group].standby->reverts &&
	    (i < machine->groups[gate->group].standby->needed) !=
		    (k < machine->groups[gate->group].standby->needed))
		return false;
	return is_unit_or_units(machine, a);
}

/* ---- orbits ---- */

/* Appends the bytes of the state that belong to a block. */
static bool add_places(struct equals *equals, uint32_t ref)
{
	struct avail_machine *machine = equals->machine;
	const struct avail_machine_gate *gate = gate_of(machine, ref >> 1);
	bool good = true;

	if (!gate)
		return avail_list_add(&equals->blocks, (ref >> 1) - 1);
	for (uint32_t i = 0; i < gate->count && good; i++)
		good = add_places(equals, arg(machine, gate, i));
	if (gate->group != AVAIL_NONE && good) {
		const struct avail_machine_group *group = &machine->groups[gate->group];

		good = avail_list_add(&equals->blocks, group->mode_at);
		for (uint32_t m = 0; m < group->count && group->roles_at != AVAIL_NONE && good; m++)
			good = avail_list_add(&equals->blocks, group->roles_at + m);
	}
	return good;
}

/* The blocks at hand, 'count' of them, become an orbit. */
static int add_orbit(struct equals *equals, uint32_t count)
{
	struct avail_machine *machine = equals->machine;

	if (count < 2 || equals->blocks.count == 0) /* several constants */
		return 0;
	if (!avail_room(machine->memory, &machine->orbits, &machine->orbit_room,
			(uint64_t)machine->orbit_count + 1, sizeof *machine->orbits))
		return -ENOMEM;
	machine->orbits[machine->orbit_count++] =
		(struct avail_orbit){ .count = count,
				      .width = equals->blocks.count / count,
				      .first = machine->places.count };
	for (uint32_t i = 0; i < equals->blocks.count; i++)
		if (!avail_list_add(&machine->places, equals->blocks.items[i]))
			return -ENOMEM;
	return 0;
}

static bool add_block(struct equals *equals, const struct avail_machine_gate *gate, uint32_t i)
{
	const struct avail_machine_group *group =
		gate->group == AVAIL_NONE ? NULL : &equals->machine->groups[gate->group];

	if (!add_places(equals, arg(equals->machine, gate, i)))
		return false;
	return !group || group->roles_at == AVAIL_NONE ||
	       avail_list_add(&equals->blocks, group->roles_at + i);
}

/* Arguments of a gate in sets of equals; of a group only runs of neighbours. */
static int look_at_gate(struct equals *equals, const struct avail_machine_gate *gate, uint8_t *done)
{
	int err = 0;

	memset(done, 0, gate->count);
	for (uint32_t i = 0; i < gate->count && !err; i++) {
		uint32_t count = 1;

		if (done[i])
			continue;
		equals->blocks.count = 0;
		if (!add_block(equals, gate, i))
			return -ENOMEM;
		for (uint32_t k = i + 1; k < gate->count; k++) {
			if (done[k] || !are_equal(equals, gate, i, k)) {
				if (gate->group != AVAIL_NONE)
					break;
				continue;
			}
			done[k] = 1;
			count++;
			if (!add_block(equals, gate, k))
				return -ENOMEM;
		}
		err = add_orbit(equals, count);
	}
	return err;
}

/* Units that are nowhere but in the line of a crew. */
static int look_at_rest(struct equals *equals, uint8_t *done)
{
	struct avail_machine *machine = equals->machine;
	int err = 0;

	memset(done, 0, machine->unit_count);
	for (uint32_t u = 0; u < machine->unit_count && !err; u++) {
		uint32_t count = 1;

		if (done[u] || equals->uses[1 + u] != 0)
			continue;
		equals->blocks.count = 0;
		if (!avail_list_add(&equals->blocks, u))
			return -ENOMEM;
		for (uint32_t v = u + 1; v < machine->unit_count; v++) {
			if (done[v] || equals->uses[1 + v] != 0 || !same_rates(machine, u, v))
				continue;
			done[v] = 1;
			count++;
			if (!avail_list_add(&equals->blocks, v))
				return -ENOMEM;
		}
		err = add_orbit(equals, count);
	}
	return err;
}

static void count_uses(struct equals *equals)
{
	const struct avail_machine *machine = equals->machine;

	for (uint32_t i = 0; i < machine->args.count; i++)
		equals->uses[machine->args.items[i] >> 1]++;
	for (uint32_t i = 0; i < machine->outputs.count; i++)
		equals->uses[machine->outputs.items[i] >> 1]++;
	/* A group that nothing asks drags its members all the same. */
	for (uint32_t g = 0; g < machine->group_count; g++)
		equals->uses[machine->groups[g].node] += equals->uses[machine->groups[g].node] == 0;
}

int avail_machine_find_equals(struct avail_machine *machine)
{
	struct equals equals = { .machine = machine, .blocks = { .memory = machine->memory } };
	size_t nodes = 1 + (size_t)machine->unit_count + machine->gate_count;
	size_t most = (size_t)machine->unit_count + machine->args.count + 1;
	uint8_t *done = avail_take(machine->memory, most, 1);
	int err = -ENOMEM;

	equals.uses = avail_take(machine->memory, nodes, sizeof *equals.uses);
	if (equals.uses && done) {
		count_uses(&equals);
		err = 0;
		for (uint32_t i = 0; i < machine->gate_count && !err; i++)
			err = look_at_gate(&equals, &machine->gates[i], done);
		if (!err)
			err = look_at_rest(&equals, done);
	}
	avail_give(machine->memory, equals.uses, nodes, sizeof *equals.uses);
	avail_give(machine->memory, done, most, 1);
	avail_list_fini(&equals.blocks);
	return err;
}

/* ---- order ---- */

static int compare(const struct avail_orbit *orbit, const uint32_t *place, const uint8_t *state,
		   uint32_t a, uint32_t b)
{
	for (uint32_t i = 0; i < orbit->width; i++) {
		uint8_t x = state[place[a * orbit->width + i]];
		uint8_t y = state[place[b * orbit->width + i]];

		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

static void exchange(const struct avail_orbit *orbit, const uint32_t *place, uint8_t *state,
		     uint32_t a, uint32_t b)
{
	for (uint32_t i = 0; i < orbit->width; i++) {
		uint8_t *x = &state[place[a * orbit->width + i]];
		uint8_t *y = &state[place[b * orbit->width + i]], swap = *x;

		*x = *y;
		*y = swap;
	}
}

void avail_machine_sort(const struct avail_machine *machine, uint8_t *state)
{
	for (uint32_t o = 0; o < machine->orbit_count; o++) {
		const struct avail_orbit *orbit = &machine->orbits[o];
		const uint32_t *place = machine->places.items + orbit->first;

		/* Nearly in order already: a move changes few blocks. */
		for (uint32_t b = 1; b < orbit->count; b++)
			for (uint32_t k = b; k > 0 && compare(orbit, place, state, k - 1, k) > 0;
			     k--)
				exchange(orbit, place, state, k - 1, k);
	}
}
