/* What happens in a machine: failures, repairs, switch-overs, one after the other. */
#include "avail/machine.h"

#include <errno.h>

enum { LINE_MOST = 250 }; /* places in a line of waiting that a byte tells, with some room */

/* A state in which things are still happening. */
struct work {
	uint8_t *state, *seen; /* seen: of each member of each group, whether it was up */
};

struct walk {
	struct avail_machine *machine;
	avail_machine_next_fn *each;
	void *context;
	struct avail_source source;
	uint32_t depth;
};

/* ---- values ---- */

static bool ref_value(const struct avail_machine *machine, uint32_t ref)
{
	return machine->values[ref >> 1] != (ref & 1);
}

static bool formula(const struct avail_machine_gate *gate, uint32_t failed)
{
	switch (gate->kind) {
	case AVAIL_AND:
		return failed == gate->count;
	case AVAIL_OR:
		return failed > 0;
	case AVAIL_AT_LEAST:
		return failed >= gate->low;
	case AVAIL_CARDINALITY:
		return failed >= gate->low && failed <= gate->high;
	case AVAIL_XOR:
		return failed & 1;
	}
	must(false); /* not a kind of gate */
	return false;
}

static void value_gate(struct avail_machine *machine, uint32_t index, const uint8_t *state)
{
	const struct avail_machine_gate *gate = &machine->gates[index];
	uint32_t failed = 0;
	bool value;

	for (uint32_t i = 0; i < gate->count; i++)
		failed += ref_value(machine, machine->args.items[gate->first + i]);
	value = formula(gate, failed);
	if (gate->group != AVAIL_NONE)
		value |= state[machine->groups[gate->group].mode_at] != AVAIL_NORMAL;
	machine->values[1 + machine->unit_count + index] = value;
}

static void evaluate(struct avail_machine *machine, const uint8_t *state)
{
	machine->values[0] = 0;
	for (uint32_t u = 0; u < machine->unit_count; u++)
		machine->values[1 + u] = state[u] != 0;
	for (uint32_t i = 0; i < machine->gate_count; i++)
		value_gate(machine, i, state);
}

static bool member_is_up(const struct avail_machine *machine,
			 const struct avail_machine_group *group, uint32_t member)
{
	return !ref_value(machine, machine->args.items[group->first + member]);
}

void avail_machine_outputs(struct avail_machine *machine, const uint8_t *state, uint8_t *values)
{
	evaluate(machine, state);
	for (uint32_t i = 0; i < machine->outputs.count; i++)
		values[i] = ref_value(machine, machine->outputs.items[i]);
}

uint32_t avail_machine_troubles(const struct avail_machine *machine, const uint8_t *state)
{
	uint32_t count = 0;

	for (uint32_t g = 0; g < machine->group_count; g++)
		count |= state[machine->groups[g].mode_at] != AVAIL_NORMAL;
	for (uint32_t u = 0; u < machine->unit_count; u++)
		count += avail_unit_changes(&machine->units[u]) && state[u] != 0;
	return count;
}

/* ---- crews ---- */

static bool fail_unit(const struct avail_machine *machine, uint8_t *state, uint32_t unit)
{
	uint32_t crew = machine->units[unit].crew, busy = 0, waiting = 0;

	must(state[unit] == 0);
	state[unit] = 1;
	if (crew == AVAIL_NONE)
		return true;
	for (uint32_t u = 0; u < machine->unit_count; u++)
		if (machine->units[u].crew == crew && u != unit) {
			busy += state[u] == 1;
			waiting += state[u] > 1;
		}
	if (busy >= machine->crews[crew])
		state[unit] = (uint8_t)(2 + waiting);
	return waiting < LINE_MOST;
}

/* Whoever waits moves up. */
static void repair_unit(const struct avail_machine *machine, uint8_t *state, uint32_t unit)
{
	uint32_t crew = machine->units[unit].crew;

	must(state[unit] == 1);
	state[unit] = 0;
	for (uint32_t u = 0; crew != AVAIL_NONE && u < machine->unit_count; u++)
		if (machine->units[u].crew == crew && state[u] > 1)
			state[u]--;
}

/* ---- groups ---- */

static uint8_t *roles_of(const struct avail_machine_group *group, uint8_t *state)
{
	return group->roles_at == AVAIL_NONE ? NULL : state + group->roles_at;
}

/* Spares that are up become active in place of active members that are down; how many. */
static uint32_t take_over(const struct avail_machine *machine,
			  const struct avail_machine_group *group, uint8_t *state)
{
	uint8_t *active = roles_of(group, state);
	uint32_t spare = 0, taken = 0;

	if (!active)
		return 0;
	for (uint32_t m = 0; m < group->count; m++) {
		if (!active[m] || member_is_up(machine, group, m))
			continue;
		while (spare < group->count &&
		       (active[spare] || !member_is_up(machine, group, spare)))
			spare++;
		if (spare == group->count)
			break;
		active[m] = 0;
		active[spare] = 1;
		taken++;
	}
	return taken;
}

/* A first member that has returned is active again, in place of the last spare that is; how many.
 */
static uint32_t give_back(const struct avail_machine_group *group, uint8_t *state,
			  const uint8_t *returned)
{
	uint8_t *active = roles_of(group, state);
	uint32_t given = 0;

	for (uint32_t m = 0; active && m < group->standby->needed; m++) {
		uint32_t last = group->count;

		if (!returned[m] || active[m])
			continue;
		while (last > group->standby->needed && !active[last - 1])
			last--;
		if (last == group->standby->needed)
			break;
		active[m] = 1;
		active[last - 1] = 0;
		given++;
	}
	return given;
}

/* The group is put together anew: as above, and where it reverts, whoever comes first is active. */
static void establish(const struct avail_machine *machine, const struct avail_machine_group *group,
		      uint8_t *state)
{
	uint8_t *active = roles_of(group, state);
	uint32_t taken = 0;

	if (!active || !group->standby->reverts) {
		take_over(machine, group, state);
		return;
	}
	for (uint32_t m = 0; m < group->count; m++) {
		active[m] = taken < group->standby->needed && member_is_up(machine, group, m);
		taken += active[m];
	}
}

static void begin_switch(const struct avail_machine_group *group, uint8_t *state, uint32_t moved)
{
	if (moved > 0 && group->standby->switch_h > 0)
		state[group->mode_at] = AVAIL_SWITCHING;
}

/* Own units of a member fail until it is down. */
static bool drag_member(struct avail_machine *machine, const struct avail_machine_group *group,
			uint32_t member, uint8_t *state)
{
	const uint32_t *first = machine->own_first.items + group->seen_at + member;
	bool good = true;

	for (uint32_t i = first[0]; i < first[1] && member_is_up(machine, group, member); i++) {
		uint32_t unit = machine->own.items[i];

		if (!avail_unit_changes(&machine->units[unit]) || state[unit] != 0)
			continue;
		good &= fail_unit(machine, state, unit);
		evaluate(machine, state);
	}
	return good;
}

/* A failure that nobody stops takes every member along, the active ones first. */
static bool drag_down(struct avail_machine *machine, uint32_t g, uint8_t *state)
{
	const struct avail_machine_group *group = &machine->groups[g];
	const uint8_t *active = roles_of(group, state);
	bool good = true;

	for (uint32_t m = 0; active && m < group->count; m++)
		if (active[m])
			good &= drag_member(machine, group, m, state);
	for (uint32_t m = 0; m < group->count; m++)
		good &= drag_member(machine, group, m, state);
	return good;
}

/* What a group notices. */
struct notice {
	uint32_t up_before, up_now;
	bool fell, rose, active_fell;
};

/* Compares members with what was seen of them, and remembers how they are.  returned[m]: rose. */
static struct notice look(const struct avail_machine *machine,
			  const struct avail_machine_group *group, struct work *work,
			  uint8_t *returned)
{
	uint8_t *seen = work->seen + group->seen_at, *active = roles_of(group, work->state);
	struct notice notice = { 0 };

	for (uint32_t m = 0; m < group->count; m++) {
		uint8_t up = member_is_up(machine, group, m);

		notice.up_before += seen[m];
		notice.up_now += up;
		notice.fell |= seen[m] && !up;
		notice.active_fell |= seen[m] && !up && active && active[m];
		notice.rose |= up && !seen[m];
		returned[m] = up && !seen[m];
		seen[m] = up;
	}
	return notice;
}

/* Whether the failure has to be handled, so that coverage is asked. */
static bool is_asked(const struct avail_machine_group *group, const struct notice *notice)
{
	const struct avail_standby *standby = group->standby;

	if (standby->uncovered == AVAIL_UNCOVERED_WAITS)
		return notice->active_fell;
	return standby->mode == AVAIL_HOT ? notice->fell : notice->active_fell;
}

static bool go_uncovered(struct avail_machine *machine, uint32_t g, struct work *work)
{
	const struct avail_machine_group *group = &machine->groups[g];

	if (group->standby->uncovered == AVAIL_UNCOVERED_TAKES_ALL)
		return drag_down(machine, g, work->state);
	work->state[group->mode_at] = AVAIL_WAITING;
	return true;
}

static void go_covered(struct avail_machine *machine, uint32_t g, struct work *work)
{
	const struct avail_machine_group *group = &machine->groups[g];

	begin_switch(group, work->state, take_over(machine, group, work->state));
}

/* What follows without chance from what a group noticed. */
static void react(struct avail_machine *machine, uint32_t g, struct work *work,
		  const struct notice *notice, const uint8_t *returned)
{
	const struct avail_machine_group *group = &machine->groups[g];
	uint8_t *mode = &work->state[group->mode_at];
	bool enough_before = notice->up_before >= group->standby->needed;
	bool enough_now = notice->up_now >= group->standby->needed;

	if (!enough_now) {
		if (*mode == AVAIL_SWITCHING)
			*mode = AVAIL_NORMAL;
	} else if (*mode != AVAIL_WAITING && !enough_before) {
		establish(machine, group, work->state);
	} else if (*mode != AVAIL_WAITING && notice->rose && group->standby->reverts) {
		begin_switch(group, work->state, give_back(group, work->state, returned));
	}
}

/* ---- settling ---- */

static struct work row(const struct avail_machine *machine, uint32_t depth)
{
	uint8_t *at = machine->stack +
		      (size_t)depth * ((size_t)machine->width + machine->member_count + 1);

	return (struct work){ at, at + machine->width };
}

/* The first group with a member that is not as it was seen; the group's number, or AVAIL_NONE. */
static uint32_t first_surprised(struct avail_machine *machine, const struct work *work)
{
	evaluate(machine, work->state);
	for (uint32_t g = 0; g < machine->group_count; g++)
		for (uint32_t m = 0; m < machine->groups[g].count; m++)
			if (work->seen[machine->groups[g].seen_at + m] !=
			    member_is_up(machine, &machine->groups[g], m))
				return g;
	return AVAIL_NONE;
}

static int settle(struct walk *walk, struct work *work, double share);

/* Both ways out of a failure that has to be handled.  What goes on in 'work' afterwards is the
 * uncovered way; its share is *share. */
static int ask(struct walk *walk, struct work *work, uint32_t g, double *share)
{
	struct avail_machine *machine = walk->machine;
	double coverage = machine->groups[g].standby->coverage;
	struct work covered;
	int err = 0;

	if (coverage > 0) {
		must(walk->depth < machine->stack_rows);
		covered = row(machine, walk->depth++);
		memcpy(covered.state, work->state, (size_t)machine->width + machine->member_count);
		go_covered(machine, g, &covered);
		err = settle(walk, &covered, *share * coverage);
		walk->depth--;
		evaluate(machine, work->state);
	}
	*share *= 1 - coverage;
	if (!err && *share > 0 && !go_uncovered(machine, g, work))
		err = -EOVERFLOW;
	return err;
}

/* Lets every group notice what happened, the inner ones first, until nothing is new. */
static int settle(struct walk *walk, struct work *work, double share)
{
	struct avail_machine *machine = walk->machine;
	uint32_t g;
	int err;

	while ((g = first_surprised(machine, work)) != AVAIL_NONE) {
		const struct avail_machine_group *group = &machine->groups[g];
		uint8_t *returned = machine->values + 1 + machine->unit_count +
				    machine->gate_count; /* behind the values */
		struct notice notice = look(machine, group, work, returned);

		if (notice.fell && notice.up_before >= group->standby->needed &&
		    notice.up_now >= group->standby->needed &&
		    work->state[group->mode_at] != AVAIL_WAITING && is_asked(group, &notice)) {
			err = ask(walk, work, g, &share);
			if (err || share == 0)
				return err;
		} else {
			react(machine, g, work, &notice, returned);
		}
	}
	avail_machine_sort(machine, work->state);
	return walk->each(walk->context, walk->source, share, work->state);
}

/* ---- moves ---- */

/* How much of its rate a unit fails with now. */
static double exposure(const struct avail_machine *machine, uint32_t unit, const uint8_t *state)
{
	const struct avail_unit *of = &machine->units[unit];
	const struct avail_role *roles;
	double most = 0;

	if (of->role_count == 0)
		return 1;
	roles = machine->roles + of->first_role;
	for (uint32_t i = 0; i < of->role_count; i++) {
		double product = 1;

		if (!roles[i].innermost)
			continue;
		for (uint32_t k = i; k != AVAIL_NONE; k = roles[k].within) {
			const struct avail_machine_group *group = &machine->groups[roles[k].group];
			enum avail_standby_mode mode = group->standby->mode;

			if (mode == AVAIL_HOT || state[group->roles_at + roles[k].member])
				continue;
			product *= mode == AVAIL_WARM ? group->standby->dormancy : 0;
		}
		most = product > most ? product : most;
	}
	return most;
}

/* multiple[u]: how many equal units the unit stands for; 0: another stands for it.  Equal blocks
 * are neighbours, as the state is sorted. */
static void count_equals(struct avail_machine *machine, const uint8_t *state)
{
	for (uint32_t u = 0; u < machine->unit_count; u++)
		machine->multiple[u] = 1;
	for (uint32_t o = 0; o < machine->orbit_count; o++) {
		const struct avail_orbit *orbit = &machine->orbits[o];
		const uint32_t *place = machine->places.items + orbit->first;
		uint32_t head = 0, run = 1;

		for (uint32_t b = 1; b <= orbit->count; b++) {
			bool same = b < orbit->count;

			for (uint32_t i = 0; i < orbit->width && same; i++)
				same = state[place[b * orbit->width + i]] ==
				       state[place[(b - 1) * orbit->width + i]];
			for (uint32_t i = 0; i < orbit->width && same; i++)
				if (place[b * orbit->width + i] < machine->unit_count)
					machine->multiple[place[b * orbit->width + i]] = 0;
			if (same) {
				run++;
				continue;
			}
			for (uint32_t i = 0; i < orbit->width; i++)
				if (place[head * orbit->width + i] < machine->unit_count)
					machine->multiple[place[head * orbit->width + i]] *= run;
			head = b;
			run = 1;
		}
	}
}

/* A copy of the state to change, with what all groups see in it. */
static struct work begin(struct walk *walk, const uint8_t *state)
{
	struct avail_machine *machine = walk->machine;
	struct work work = row(machine, 0);

	walk->depth = 1;
	memcpy(work.state, state, machine->width);
	evaluate(machine, state);
	for (uint32_t g = 0; g < machine->group_count; g++)
		for (uint32_t m = 0; m < machine->groups[g].count; m++)
			work.seen[machine->groups[g].seen_at + m] =
				member_is_up(machine, &machine->groups[g], m);
	return work;
}

static int walk_unit(struct walk *walk, const uint8_t *state, uint32_t unit)
{
	struct avail_machine *machine = walk->machine;
	double factor = machine->multiple[unit];
	struct work work;

	if (!avail_unit_changes(&machine->units[unit]) || factor == 0 || state[unit] > 1 ||
	    (machine->units[unit].fate == AVAIL_SPARED && !state[unit]))
		return 0;
	walk->source.index = unit;
	walk->source.kind = state[unit] ? AVAIL_REPAIR : AVAIL_FAILURE;
	if (!state[unit])
		factor *= exposure(machine, unit, state);
	if (factor == 0)
		return 0;
	work = begin(walk, state);
	if (state[unit])
		repair_unit(machine, work.state, unit);
	else if (!fail_unit(machine, work.state, unit))
		return -EOVERFLOW;
	return settle(walk, &work, factor);
}

static int walk_group(struct walk *walk, const uint8_t *state, uint32_t g)
{
	struct avail_machine *machine = walk->machine;
	const struct avail_machine_group *group = &machine->groups[g];
	struct work work;
	uint32_t up = 0;

	if (state[group->mode_at] == AVAIL_NORMAL)
		return 0;
	walk->source.index = g;
	walk->source.kind =
		state[group->mode_at] == AVAIL_SWITCHING ? AVAIL_SWITCHED : AVAIL_RECOVERED;
	work = begin(walk, state);
	for (uint32_t m = 0; m < group->count; m++)
		up += member_is_up(machine, group, m);
	work.state[group->mode_at] = AVAIL_NORMAL;
	if (walk->source.kind == AVAIL_RECOVERED && up >= group->standby->needed)
		establish(machine, group, work.state);
	return settle(walk, &work, 1);
}

int avail_machine_walk(struct avail_machine *machine, const uint8_t *state,
		       avail_machine_next_fn *each, void *context)
{
	struct walk walk = { .machine = machine, .each = each, .context = context };
	int err = 0;

	count_equals(machine, state);
	for (uint32_t u = 0; u < machine->unit_count && !err; u++)
		err = walk_unit(&walk, state, u);
	for (uint32_t g = 0; g < machine->group_count && !err; g++)
		err = walk_group(&walk, state, g);
	return err;
}

void avail_machine_start(struct avail_machine *machine, uint8_t *state)
{
	memset(state, 0, machine->width);
	for (uint32_t u = 0; u < machine->unit_count; u++)
		state[u] = machine->units[u].fate == AVAIL_STAYS_DOWN;
	evaluate(machine, state);
	for (uint32_t g = 0; g < machine->group_count; g++) {
		const struct avail_machine_group *group = &machine->groups[g];
		uint8_t *active = roles_of(group, state);

		for (uint32_t m = 0; active && m < group->standby->needed; m++)
			active[m] = 1;
		take_over(machine, group, state);
	}
	avail_machine_sort(machine, state);
}
