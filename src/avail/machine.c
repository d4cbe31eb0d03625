#include "avail/machine.h"

#include <errno.h>

/* A machine in the making. */
struct build {
	struct avail_machine *machine;
	const struct avail_graph *graph;
	uint32_t *local; /* of each node of the graph: its node here; AVAIL_NONE: not in it */
	struct avail_list nodes; /* gates of the graph that are in it, ascending */
	uint8_t *marks;		 /* one a node of the graph */
	struct avail_list leaves;
	uint32_t *members_of; /* of each unit: how many members of the group at hand mention it */
};

static uint32_t local_ref(const struct build *build, uint32_t ref)
{
	uint32_t node = build->local[avail_node_of(ref)];

	must(node != AVAIL_NONE);
	return node << 1 | (ref & 1);
}

/* ---- which gates ---- */

static bool is_within(const struct build *build, uint32_t node)
{
	return build->local[node] != AVAIL_NONE;
}

/* Whether a group's members, and so all of it, are over the machine's leaves. */
static int group_is_within(struct build *build, uint32_t node, bool *within)
{
	const struct avail_graph *graph = build->graph;
	int err;

	memset(build->marks, 0, graph->tree.node_count);
	build->leaves.count = 0;
	err = avail_graph_leaves(graph, node << 1, build->marks, &build->leaves);
	*within = !err && build->leaves.count > 0;
	for (uint32_t i = 0; i < build->leaves.count && !err; i++)
		*within &= is_within(build, graph->tree.event_node[build->leaves.items[i]]);
	return err;
}

/* Marks the gates below 'ref' in wanted[]. */
static int want(struct build *build, uint32_t ref, uint8_t *wanted)
{
	const struct avail_tree *tree = &build->graph->tree;
	struct avail_list stack = { .memory = build->graph->memory };
	int err = avail_list_add(&stack, avail_node_of(ref)) ? 0 : -ENOMEM;

	while (!err && stack.count > 0) {
		const struct avail_node *node = &tree->nodes[stack.items[--stack.count]];
		uint32_t at = (uint32_t)(node - tree->nodes);

		if (wanted[at] || at == 0 || node->event != AVAIL_NO_EVENT)
			continue;
		wanted[at] = 1;
		for (uint32_t i = 0; i < node->count && !err; i++)
			if (!avail_list_add(&stack, avail_node_of(tree->args[node->first + i])))
				err = -ENOMEM;
	}
	avail_list_fini(&stack);
	return err;
}

static int choose_gates(struct build *build, const struct avail_list *outputs)
{
	const struct avail_graph *graph = build->graph;
	uint32_t nodes = graph->tree.node_count;
	uint8_t *wanted = avail_take(graph->memory, nodes, 1);
	int err = wanted ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < outputs->count && !err; i++)
		err = want(build, outputs->items[i], wanted);
	for (uint32_t i = 0; i < nodes && !err; i++) {
		bool within = false;

		if (avail_graph_group(graph, i) == AVAIL_NONE || wanted[i])
			continue;
		err = group_is_within(build, i, &within);
		if (!err && within)
			err = want(build, i << 1, wanted);
	}
	for (uint32_t i = 0; i < nodes && !err; i++)
		if (wanted[i] && !avail_list_add(&build->nodes, i))
			err = -ENOMEM;
	avail_give(graph->memory, wanted, nodes, 1);
	return err;
}

/* ---- units, crews, gates ---- */

static int make_crews(struct build *build)
{
	struct avail_machine *machine = build->machine;
	const struct avail_graph *graph = build->graph;
	size_t count = (size_t)graph->model->crew_count + 1;
	uint32_t *local = avail_take(graph->memory, count, sizeof *local);

	machine->crews = avail_take(graph->memory, count, sizeof *machine->crews);
	if (!local || !machine->crews) {
		avail_give(graph->memory, local, count, sizeof *local);
		return -ENOMEM;
	}
	for (uint32_t u = 0; u < machine->unit_count; u++) {
		struct avail_unit *unit = &machine->units[u];
		uint32_t crew = graph->crew_of[unit->leaf];

		unit->crew = AVAIL_NONE;
		if (crew == AVAIL_NONE || !avail_unit_changes(unit))
			continue;
		if (local[crew] == 0) {
			machine->crews[machine->crew_count++] = graph->model->crews[crew].crews;
			local[crew] = machine->crew_count;
		}
		unit->crew = local[crew] - 1;
	}
	avail_give(graph->memory, local, count, sizeof *local);
	return 0;
}

static int make_units(struct build *build, const struct avail_list *leaves, const uint8_t *fates)
{
	struct avail_machine *machine = build->machine;
	const struct avail_tree *tree = &build->graph->tree;

	machine->unit_count = leaves->count;
	machine->units =
		avail_take(machine->memory, (size_t)leaves->count + 1, sizeof *machine->units);
	if (!machine->units)
		return -ENOMEM;
	for (uint32_t u = 0; u < leaves->count; u++) {
		uint32_t leaf = leaves->items[u];

		machine->units[u] =
			(struct avail_unit){ .leaf = leaf, .fate = (enum avail_fate)fates[leaf] };
		if (tree->event_node[leaf])
			build->local[tree->event_node[leaf]] = 1 + u;
	}
	return make_crews(build);
}

static int make_gate(struct build *build, uint32_t index)
{
	struct avail_machine *machine = build->machine;
	const struct avail_tree *tree = &build->graph->tree;
	uint32_t at = build->nodes.items[index];
	const struct avail_node *node = &tree->nodes[at];
	uint32_t standby = avail_graph_group(build->graph, at);
	struct avail_machine_gate *gate = &machine->gates[index];

	*gate = (struct avail_machine_gate){ .kind = node->kind,
					     .low = node->low,
					     .high = node->high,
					     .first = machine->args.count,
					     .count = node->count,
					     .group = AVAIL_NONE };
	for (uint32_t i = 0; i < node->count; i++)
		if (!avail_list_add(&machine->args, local_ref(build, tree->args[node->first + i])))
			return -ENOMEM;
	build->local[at] = 1 + machine->unit_count + index;
	if (standby == AVAIL_NONE)
		return 0;
	gate->group = machine->group_count++;
	machine->groups[gate->group] = (struct avail_machine_group){
		.standby = &build->graph->model->standbys[standby],
		.node = build->local[at],
		.first = gate->first,
		.count = gate->count,
		.seen_at = machine->member_count,
	};
	machine->member_count += gate->count;
	return 0;
}

static int make_gates(struct build *build)
{
	struct avail_machine *machine = build->machine;
	int err = 0;

	machine->gate_count = build->nodes.count;
	machine->gates = avail_take(machine->memory, (size_t)machine->gate_count + 1,
				    sizeof *machine->gates);
	/* Every gate may be a group. */
	machine->groups = avail_take(machine->memory, (size_t)machine->gate_count + 1,
				     sizeof *machine->groups);
	if (!machine->gates || !machine->groups)
		return -ENOMEM;
	for (uint32_t i = 0; i < machine->gate_count && !err; i++)
		err = make_gate(build, i);
	return err;
}

/* ---- roles ---- */

static bool has_roles(const struct avail_standby *standby)
{
	return standby->mode != AVAIL_HOT || standby->switch_h > 0 ||
	       (standby->coverage < 1 && standby->uncovered == AVAIL_UNCOVERED_WAITS);
}

static void lay_state(struct avail_machine *machine)
{
	uint32_t at = machine->unit_count;

	for (uint32_t g = 0; g < machine->group_count; g++) {
		struct avail_machine_group *group = &machine->groups[g];

		group->roles_at = AVAIL_NONE;
		if (!has_roles(group->standby))
			continue;
		group->roles_at = at;
		at += group->count;
	}
	for (uint32_t g = 0; g < machine->group_count; g++)
		machine->groups[g].mode_at = at++;
	machine->width = at;
}

/* Units below a member, in the order of mention, through the graph that the machine has of its own.
 */
static int units_below(struct build *build, uint32_t ref, struct avail_list *units, uint8_t *seen)
{
	const struct avail_machine *machine = build->machine;
	struct avail_list stack = { .memory = machine->memory };
	int err = avail_list_add(&stack, ref >> 1) ? 0 : -ENOMEM;

	while (!err && stack.count > 0) {
		uint32_t node = stack.items[--stack.count];
		const struct avail_machine_gate *gate;

		if (node == 0 || seen[node])
			continue;
		seen[node] = 1;
		if (node <= machine->unit_count) {
			err = avail_list_add(units, node - 1) ? 0 : -ENOMEM;
			continue;
		}
		gate = &machine->gates[node - 1 - machine->unit_count];
		for (uint32_t i = gate->count; i-- > 0 && !err;)
			if (!avail_list_add(&stack, machine->args.items[gate->first + i] >> 1))
				err = -ENOMEM;
	}
	avail_list_fini(&stack);
	return err;
}

/* Lists the units below each member of the group; counts who mentions each. */
static int list_members(struct build *build, const struct avail_machine_group *group,
			struct avail_list *units, struct avail_list *ends, uint8_t *seen)
{
	struct avail_machine *machine = build->machine;
	size_t nodes = 1 + (size_t)machine->unit_count + machine->gate_count;

	units->count = ends->count = 0;
	memset(build->members_of, 0, machine->unit_count * sizeof *build->members_of);
	for (uint32_t m = 0; m < group->count; m++) {
		uint32_t first = units->count;

		memset(seen, 0, nodes);
		if (units_below(build, machine->args.items[group->first + m], units, seen) ||
		    !avail_list_add(ends, units->count))
			return -ENOMEM;
		for (uint32_t i = first; i < units->count; i++)
			build->members_of[units->items[i]]++;
	}
	return 0;
}

/* Appends what is own of each member. */
static int list_own(struct build *build, uint32_t g, uint8_t *seen, struct avail_list *units,
		    struct avail_list *ends)
{
	struct avail_machine *machine = build->machine;
	const struct avail_machine_group *group = &machine->groups[g];
	uint32_t i = 0;

	if (list_members(build, group, units, ends, seen))
		return -ENOMEM;
	for (uint32_t m = 0; m < group->count; m++) {
		if (!avail_list_add(&machine->own_first, machine->own.count))
			return -ENOMEM;
		for (; i < ends->items[m]; i++)
			if (build->members_of[units->items[i]] == 1 &&
			    !avail_list_add(&machine->own, units->items[i]))
				return -ENOMEM;
	}
	return 0;
}

static bool is_own(const struct avail_machine *machine, uint32_t group, uint32_t member,
		   uint32_t unit)
{
	uint32_t at = machine->groups[group].seen_at + member;

	for (uint32_t i = machine->own_first.items[at]; i < machine->own_first.items[at + 1]; i++)
		if (machine->own.items[i] == unit)
			return true;
	return false;
}

/* Whether the gate of 'inner' is below member 'member' of 'outer'. */
static int encloses(struct build *build, uint32_t outer, uint32_t member, uint32_t inner,
		    uint8_t *seen, bool *does)
{
	struct avail_machine *machine = build->machine;
	size_t nodes = 1 + (size_t)machine->unit_count + machine->gate_count;
	struct avail_list units = { .memory = machine->memory };
	int err;

	memset(seen, 0, nodes);
	err = units_below(build, machine->args.items[machine->groups[outer].first + member], &units,
			  seen);
	*does = seen[machine->groups[inner].node];
	avail_list_fini(&units);
	return err;
}

/* The nearest group around each role: the one with the lowest gate, as arguments come first. */
static int nest_roles(struct build *build, struct avail_unit *unit, uint8_t *seen)
{
	struct avail_role *roles = build->machine->roles + unit->first_role;

	for (uint32_t i = 0; i < unit->role_count; i++)
		for (uint32_t k = 0; k < unit->role_count; k++) {
			bool does = false;

			if (k == i || encloses(build, roles[k].group, roles[k].member,
					       roles[i].group, seen, &does))
				continue;
			if (does && (roles[i].within == AVAIL_NONE ||
				     roles[roles[i].within].group > roles[k].group))
				roles[i].within = k;
			roles[k].innermost &= !does;
		}
	return 0;
}

static int make_roles(struct build *build, uint8_t *seen)
{
	struct avail_machine *machine = build->machine;

	for (uint32_t u = 0; u < machine->unit_count; u++) {
		struct avail_unit *unit = &machine->units[u];

		unit->first_role = machine->role_count;
		for (uint32_t g = 0; g < machine->group_count; g++)
			for (uint32_t m = 0; m < machine->groups[g].count; m++) {
				if (!is_own(machine, g, m, u))
					continue;
				if (!avail_room(machine->memory, &machine->roles,
						&machine->role_room,
						(uint64_t)machine->role_count + 1,
						sizeof *machine->roles))
					return -ENOMEM;
				machine->roles[machine->role_count++] =
					(struct avail_role){ .group = g,
							     .member = m,
							     .within = AVAIL_NONE,
							     .innermost = true };
			}
		unit->role_count = machine->role_count - unit->first_role;
		if (unit->role_count > 1 && nest_roles(build, unit, seen))
			return -ENOMEM;
	}
	return 0;
}

/* Whether one more failure can make the gate's value true only, as far as its kind says. */
static bool is_monotone(const struct avail_machine *machine, const struct avail_machine_gate *gate)
{
	bool monotone = gate->kind != AVAIL_XOR && gate->kind != AVAIL_CARDINALITY;

	for (uint32_t i = 0; i < gate->count; i++)
		monotone &= !(machine->args.items[gate->first + i] & 1);
	return monotone;
}

/* Notes what the members of a group are like. */
static int look_below(struct build *build, uint32_t g, uint8_t *seen, struct avail_list *units)
{
	struct avail_machine *machine = build->machine;
	const struct avail_machine_group *group = &machine->groups[g];
	size_t nodes = 1 + (size_t)machine->unit_count + machine->gate_count;

	units->count = 0;
	memset(seen, 0, nodes);
	for (uint32_t m = 0; m < group->count; m++) {
		uint32_t member = machine->args.items[group->first + m];

		machine->negated |= member & 1;
		if (units_below(build, member, units, seen))
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < machine->gate_count; i++)
		if (seen[1 + machine->unit_count + i]) {
			machine->nested |= machine->gates[i].group != AVAIL_NONE;
			machine->negated |= !is_monotone(machine, &machine->gates[i]);
		}
	return 0;
}

static int make_groups(struct build *build)
{
	struct avail_machine *machine = build->machine;
	size_t nodes = 1 + (size_t)machine->unit_count + machine->gate_count;
	struct avail_list units = { .memory = machine->memory },
			  ends = { .memory = machine->memory };
	uint8_t *seen = avail_take(machine->memory, nodes, 1);
	int err = seen ? 0 : -ENOMEM;

	lay_state(machine);
	build->members_of = avail_take(machine->memory, (size_t)machine->unit_count + 1,
				       sizeof *build->members_of);
	if (!build->members_of)
		err = -ENOMEM;
	for (uint32_t g = 0; g < machine->group_count && !err; g++)
		err = list_own(build, g, seen, &units, &ends);
	for (uint32_t g = 0; g < machine->group_count && !err; g++)
		err = look_below(build, g, seen, &units);
	if (!err && !avail_list_add(&machine->own_first, machine->own.count))
		err = -ENOMEM;
	if (!err)
		err = make_roles(build, seen);
	avail_give(machine->memory, build->members_of, (size_t)machine->unit_count + 1,
		   sizeof *build->members_of);
	avail_give(machine->memory, seen, nodes, 1);
	avail_list_fini(&units);
	avail_list_fini(&ends);
	return err;
}

/* ---- all of it ---- */

static size_t row_size(const struct avail_machine *machine)
{
	return (size_t)machine->width + machine->member_count + 1;
}

/* One a node, and room for one a member behind them. */
static size_t values_size(const struct avail_machine *machine)
{
	return 1 + (size_t)machine->unit_count + machine->gate_count + machine->member_count;
}

static int take_scratch(struct avail_machine *machine)
{
	machine->stack_rows = 4 + 2 * machine->group_count + 2 * machine->member_count;
	machine->values = avail_take(machine->memory, values_size(machine), 1);
	machine->stack = avail_take(machine->memory, machine->stack_rows, row_size(machine));
	machine->shares = avail_take(machine->memory, machine->stack_rows, sizeof *machine->shares);
	machine->multiple = avail_take(machine->memory, (size_t)machine->unit_count + 1,
				       sizeof *machine->multiple);
	return machine->values && machine->stack && machine->shares && machine->multiple ? 0
											 : -ENOMEM;
}

int avail_machine_init(struct avail_machine *machine, const struct avail_graph *graph,
		       const struct avail_list *leaves, const struct avail_list *outputs,
		       const uint8_t *fates)
{
	struct avail_memory *memory = graph->memory;
	uint32_t nodes = graph->tree.node_count;
	struct build build = { .machine = machine, .graph = graph };
	int err;

	*machine = (struct avail_machine){ .memory = memory, .graph = graph };
	machine->args.memory = machine->own.memory = machine->own_first.memory = memory;
	machine->outputs.memory = machine->places.memory = memory;
	build.nodes.memory = build.leaves.memory = memory;
	build.local = avail_take(memory, nodes, sizeof *build.local);
	build.marks = avail_take(memory, nodes, 1);
	err = build.local && build.marks ? 0 : -ENOMEM;
	for (uint32_t i = 0; i < nodes && !err; i++)
		build.local[i] = i == 0 ? 0 : AVAIL_NONE;
	if (!err)
		err = make_units(&build, leaves, fates);
	if (!err)
		err = choose_gates(&build, outputs);
	if (!err)
		err = make_gates(&build);
	for (uint32_t i = 0; i < outputs->count && !err; i++)
		if (!avail_list_add(&machine->outputs, local_ref(&build, outputs->items[i])))
			err = -ENOMEM;
	if (!err)
		err = make_groups(&build);
	if (!err)
		err = take_scratch(machine);
	avail_give(memory, build.local, nodes, sizeof *build.local);
	avail_give(memory, build.marks, nodes, 1);
	avail_list_fini(&build.nodes);
	avail_list_fini(&build.leaves);
	if (err)
		avail_machine_fini(machine);
	return err;
}

void avail_machine_fini(struct avail_machine *machine)
{
	struct avail_memory *memory = machine->memory;

	avail_give(memory, machine->units, (size_t)machine->unit_count + 1, sizeof *machine->units);
	avail_give(memory, machine->roles, machine->role_room, sizeof *machine->roles);
	avail_give(memory, machine->gates, (size_t)machine->gate_count + 1, sizeof *machine->gates);
	avail_give(memory, machine->groups, (size_t)machine->gate_count + 1,
		   sizeof *machine->groups);
	avail_give(memory, machine->crews, (size_t)machine->graph->model->crew_count + 1,
		   sizeof *machine->crews);
	avail_give(memory, machine->orbits, machine->orbit_room, sizeof *machine->orbits);
	avail_give(memory, machine->values, values_size(machine), 1);
	avail_give(memory, machine->stack, machine->stack_rows, row_size(machine));
	avail_give(memory, machine->shares, machine->stack_rows, sizeof *machine->shares);
	avail_give(memory, machine->multiple, (size_t)machine->unit_count + 1,
		   sizeof *machine->multiple);
	avail_list_fini(&machine->args);
	avail_list_fini(&machine->own);
	avail_list_fini(&machine->own_first);
	avail_list_fini(&machine->outputs);
	avail_list_fini(&machine->places);
	*machine = (struct avail_machine){ .memory = memory, .graph = machine->graph };
}
