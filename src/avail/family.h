/* avail/family.h -- the inside of an avail_sets: families of sets of literals as finished diagrams, one for
 * each module that the whole needs, in one array.
 *
 * A literal is an input (solver.h) shifted by one, with a bit for "works".  A module's literal stands for
 * the sets of that module's family: the sets of the whole are what comes of replacing all of them.
 *
 * Only for files of this folder that work on sets. */
#ifndef AVAIL_FAMILY_H
#define AVAIL_FAMILY_H

#include "avail/solver.h"

/* The family of the empty set; 0 is the empty family; others are indexes of branches. */
enum { AVAIL_NO_SET = 0, AVAIL_EMPTY_SET = 1, AVAIL_FIRST_BRANCH = 2 };

/* A node of a finished zero-suppressed diagram; its edges lead to branches before it. */
struct avail_branch {
	uint32_t literal, low, high;
};

/* The sets for which one module, or its negation, is true. */
struct avail_family {
	bool needed;
	uint32_t root;
	uint32_t first, count; /* branches[first .. first + count - 1] */
};

/* The fewest and the most literals of events in a set of a branch. */
struct avail_orders {
	uint32_t least, most;
};

struct avail_sets {
	struct avail_memory *memory;
	const struct avail_solver *solver;
	struct avail_budget budget;
	enum avail_sets_kind kind;
	struct avail_branch *branches;
	uint32_t branch_count, branch_room;
	struct avail_family *families; /* two a part: of it, and of its negation */
	uint32_t root;
	struct avail_orders *orders;   /* one a branch */
	uint64_t nodes_peak;
};

/* The family that a literal of a module stands for; NULL: an event's. */
static inline const struct avail_family *avail_family_of(const struct avail_sets *sets,
							 uint32_t literal)
{
	uint32_t events = 2 * sets->solver->event_count;

	return literal < events ? NULL : &sets->families[literal - events];
}

/* In a pass over many branches or sets, of which 'done' are done: whether to go on.  Asks now and then. */
static inline bool avail_sets_go_on(const struct avail_sets *sets, uint64_t done)
{
	return done % 4096 || !sets->budget.go_on || sets->budget.go_on(sets->budget.context);
}

/* Fills in sets->orders.  0, or -ENOMEM. */
int avail_sets_find_orders(struct avail_sets *sets);

/* The minimal sets of inputs whose failure makes a part true, in levels from 'first_level' on.
 * As a reference of dd, pushed; AVAIL_DD_NONE, not pushed: it stopped, or no room. */
uint32_t avail_cuts_build(struct avail_dd *dd, const struct avail_solver *solver,
			  const struct avail_part *part, uint32_t first_level);

#endif
