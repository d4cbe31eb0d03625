/* avail/machine.h -- coupled leaves, groups and crews as a machine with states: which states follow
 * which, by what; dynamic.h says what happens when.  Inside avail/.
 *
 * A state is a row of bytes: of each unit whether it is up (0), being repaired (1; also: failed
 * where nobody has to wait), or the how-manieth in line its crew will come to (2, 3, ...); of each
 * member of a group that has roles whether it is active; of each group its mode.
 *
 * Threads: one.  Memory: of the model. */
#ifndef AVAIL_MACHINE_H
#define AVAIL_MACHINE_H

#include "avail/graph.h"

enum avail_fate {
	AVAIL_LIVES,  /* fails, and perhaps is repaired */
	AVAIL_SPARED, /* does not fail by itself, but may be dragged along, and is repaired then */
	AVAIL_STAYS_UP,
	AVAIL_STAYS_DOWN, /* for good; nobody repairs it */
};

struct avail_unit {
	uint32_t leaf;
	enum avail_fate fate;
	uint32_t crew;			 /* of the machine, or AVAIL_NONE */
	uint32_t first_role, role_count; /* machine->roles[...] */
};

/* Whether the unit can be failed at one time and not at another. */
static inline bool avail_unit_changes(const struct avail_unit *unit)
{
	return unit->fate == AVAIL_LIVES || unit->fate == AVAIL_SPARED;
}

/* An own unit of a member. */
struct avail_role {
	uint32_t group, member;
	uint32_t within; /* another role of the unit, of a group that has this group in a member; or
			    NONE */
	bool innermost;
};

/* Nodes: 0 is the constant false, 1 + u unit u, then gates, arguments before those who have them.
 * References: node << 1 | negated. */
struct avail_machine_gate {
	enum avail_gate_kind kind;
	uint32_t low, high, first, count; /* machine->args */
	uint32_t group;			  /* of the machine, or AVAIL_NONE */
};

enum avail_mode { AVAIL_NORMAL, AVAIL_SWITCHING, AVAIL_WAITING };

struct avail_machine_group {
	const struct avail_standby *standby;
	uint32_t node, first, count; /* members: machine->args[first .. first + count - 1] */
	uint32_t roles_at, mode_at;  /* in the state; roles_at: AVAIL_NONE when it has none */
	uint32_t seen_at;	     /* of its members, among all members */
	uint32_t first_own;	     /* machine->own[machine->own_first[seen_at + member] ...] */
};

/* Runs of equal blocks: blocks 0 .. count - 1 of 'width' bytes of the state each; places[block *
 * width + i]. */
struct avail_orbit {
	uint32_t count, width, first; /* machine->places[first ...] */
};

struct avail_machine {
	struct avail_memory *memory;
	const struct avail_graph *graph;
	uint32_t unit_count, gate_count, group_count, crew_count, width, member_count;
	struct avail_unit *units;
	struct avail_role *roles;
	uint32_t role_count, role_room;
	struct avail_machine_gate *gates;
	struct avail_machine_group *groups;
	uint32_t *crews;	/* how many there are of each */
	struct avail_list args; /* references */
	struct avail_list
		own; /* units; of each member those that are its own, in the order of mention */
	struct avail_list own_first; /* one a member of any group, and one more */
	struct avail_list outputs;   /* references */
	bool nested;  /* whether a member of a group depends on another group */
	bool negated; /* whether a member of a group may come up when something fails */
	struct avail_orbit *orbits;  /* inner ones first */
	uint32_t orbit_count, orbit_room;
	struct avail_list places;
	/* scratch of steps */
	uint8_t *values; /* one a node, and one a member */
	uint8_t *stack;	 /* states on hold with what their groups have seen */
	uint32_t stack_rows;
	double *shares;	    /* of the states on hold */
	uint32_t *multiple; /* one a unit: how many equal ones it stands for now */
};

/* Where the moves of a machine come from. */
enum avail_source_kind { AVAIL_FAILURE, AVAIL_REPAIR, AVAIL_SWITCHED, AVAIL_RECOVERED };
struct avail_source {
	enum avail_source_kind kind;
	uint32_t index; /* of the unit or group */
};

/* Builds the machine of some leaves.
 *
 * leaves   ascending; with every leaf those that are coupled with it
 * outputs  references of the graph over these leaves only
 * fates    one a leaf of the graph
 *
 * 0, or -ENOMEM. */
int avail_machine_init(struct avail_machine *machine, const struct avail_graph *graph,
		       const struct avail_list *leaves, const struct avail_list *outputs,
		       const uint8_t *fates);
void avail_machine_fini(struct avail_machine *machine);

/* Finds equal blocks: machine->orbits.  Leaves are equal whose rates are the same in every draw.
 * 0, or -ENOMEM. */
int avail_machine_find_equals(struct avail_machine *machine);

/* The state in which everything works that can. */
void avail_machine_start(struct avail_machine *machine, uint8_t *state);

/* What may happen next, with 'factor' times the rate of the source.  Returns 0, or an error that
 * ends the walk. */
typedef int avail_machine_next_fn(void *context, struct avail_source source, double factor,
				  const uint8_t *next);

/* All states that might be when no unit is failed and no group switches or waits: whoever may be active,
 * with a source and factor that mean nothing.  0; -E2BIG: more than 'most'; or what 'each' returned. */
int avail_machine_whole(struct avail_machine *machine, uint32_t most, avail_machine_next_fn *each,
			void *context);

/* Puts equal blocks in order, so that states that differ by an exchange of equals become one. */
void avail_machine_sort(const struct avail_machine *machine, uint8_t *state);

/* Failed units that live, and one more when any group switches or waits: what one failure brings about in many
 * groups is not many troubles. */
uint32_t avail_machine_troubles(const struct avail_machine *machine, const uint8_t *state);

/* Values of the outputs in a state. */
void avail_machine_outputs(struct avail_machine *machine, const uint8_t *state, uint8_t *values);

/* Calls 'each' for every move out of 'state', which is sorted; what follows is sorted too.  0;
 * -EOVERFLOW when a line of waiting is longer than a byte tells; or what 'each' returned. */
int avail_machine_walk(struct avail_machine *machine, const uint8_t *state,
		       avail_machine_next_fn *each, void *context);

#endif
