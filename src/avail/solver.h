/* avail/solver.h -- the inside of a solver: the diagrams of all modules in one array, in an order
 * in which one pass over it evaluates them.
 *
 * An input is an event (its index) or a module (the number of events + its index), since a module
 * is to what contains it what an event is.
 *
 * Only for files of this folder that work on a solver. */
#ifndef AVAIL_SOLVER_H
#define AVAIL_SOLVER_H

#include "avail/dd.h"

/* How a function may change when an input fails; what is not said does not happen. */
enum avail_direction { AVAIL_RISES = 1, AVAIL_FALLS = 2, AVAIL_BOTH = 3 };

/* A node of a finished diagram; its edges lead to nodes before it.  References and ends as in
 * bdd.h. */
struct avail_step {
	uint32_t input, low, high;
	uint32_t direction; /* how this step's own function changes with the input */
};

/* One module: a function of its inputs.  Turned so that it is false when all events work: then a
 * module is to what contains it what an event is, for cut sets too. */
struct avail_part {
	uint32_t root;	       /* a reference without its bit; AVAIL_FALSE: it is constant */
	uint32_t flip;	       /* 1: the gate is the negation of this function */
	bool exact;	       /* false: too large for the budget, and has no steps */
	uint32_t first, count; /* steps[first .. first + count - 1] */
	uint32_t first_input, input_count; /* inputs[...], topmost first */
	uint32_t gate;			   /* node of the simplified tree */
	const char *ordering;
};

struct avail_solver {
	struct avail_memory *memory;
	struct avail_budget budget;
	uint32_t event_count;
	struct avail_tree tree;	  /* simplified */
	uint32_t top;		  /* reference in it */
	struct avail_part *parts; /* what a part has as an input comes before it */
	uint32_t part_count, part_room;
	struct avail_step *steps;
	uint32_t step_count, step_room;
	uint32_t *inputs; /* of parts, in their order */
	uint32_t input_count;
	uint32_t *rank;	    /* one an input: its place in the part that has it */
	uint8_t *direction; /* one an input: enum avail_direction, of the part that has it */
	uint32_t root;	    /* of the whole: a reference to a step */
	uint32_t below, above; /* when it is not exact: functions that it lies between */
	bool has_bounds;       /* whether these have been looked for */
	double *values;	    /* one a reference to a step: its probability; NULL: not asked yet */
	bool exact, coherent;
	bool has_directions; /* not only from gates */
	uint64_t nodes_peak;
};

/* Finds bounds (bound.h) and makes room for values of their steps.  0, or -ENOMEM. */
int avail_find_bounds(struct avail_solver *solver, const double *p, uint32_t most);

/* Room for 'more' steps.  0, or -ENOMEM. */
int avail_reserve_steps(struct avail_solver *solver, uint32_t more);

/* Builds the diagrams of all parts.  0, or -ENOMEM. */
int avail_build(struct avail_solver *solver, const struct avail_budget *budget);

/* Notes in the steps of a finished part what its gates tell of directions, and marks inputs that it does not
 * depend on with 0.  0, or -ENOMEM. */
int avail_note_directions(struct avail_solver *solver, const struct avail_part *part);

/* Finds what the gates did not tell, once.  0, or -ENOMEM. */
int avail_find_directions(struct avail_solver *solver);

/* Finds out whether the whole never becomes false when one more event fails.  0, or -ENOMEM. */
int avail_find_coherence(struct avail_solver *solver);

#endif
