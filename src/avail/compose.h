/* avail/compose.h -- the inside of struct avail_dynamic: modules, and the tree in which they are independent events.
 *
 * What the rest of the tree sees of a module are its outputs.  Each output is an event of the plan; in the tree
 * for the engine it is a function of the module's choosers, independent events that choose one outcome
 * after the other: outcome i is the case when choosers 0 .. i - 1 are false and chooser i is true, the last
 * one when all are false.
 *
 * Threads: one.  Memory: of the model. */
#ifndef AVAIL_COMPOSE_H
#define AVAIL_COMPOSE_H

#include "avail/knot.h"

struct avail_composed_module {
	struct avail_module said;
	struct avail_knot knot;
	struct avail_list leaves, outputs; /* outputs: references of the graph, never negated */
	uint32_t first_output;             /* events of the plan: leaf_count + first_output ... */
	uint32_t first_chooser;            /* events of the tree */
	struct avail_list order;           /* outcomes as they are chosen, the one without failures last */
	bool known;                        /* whether the knot is there */
	bool fresh;                        /* whether the choosers are those of 'asked' and 'when' */
	double *asked;                     /* three a leaf: rates of the last evaluation */
	struct avail_when when;
};

struct avail_dynamic {
	struct avail_memory *memory;
	struct avail_graph graph;
	struct avail_dynamic_budget budget;
	struct avail_composed_module *modules;
	uint32_t module_count, output_count;
	struct avail_list outputs;  /* of all: nodes of the graph; then by module */
	struct avail_list output_module;
	struct avail_tree plan, tree;
	struct avail_list plan_tops; /* references of the plan */
	struct avail_list seam;     /* nodes of the tree that stand for outputs */
	/* of the last evaluation */
	struct avail_rates rates;   /* one a leaf */
	double *p, *lower, *upper;  /* one an event of the tree */
	double *up, *down;          /* how often an hour it fails, and is repaired; of choosers of modules with
				     * two outcomes only */
	double **flows;             /* of each module: [from * outcomes + to] */
	bool exact;
};

/* Finds the outputs of all modules and draws the plan.  0, or -ENOMEM. */
int avail_plan(struct avail_dynamic *dynamic);

/* Builds the tree from the plan, when all knots are known.  refs: one a top.  0, or -ENOMEM. */
int avail_compose(struct avail_dynamic *dynamic, uint32_t *refs);

/* 'top' of the tree with outcome number 'place' of a module's order, as a new function of the tree;
 * AVAIL_NO_REF: no room. */
uint32_t avail_compose_given(struct avail_dynamic *dynamic, uint32_t top,
			     const struct avail_composed_module *module, uint32_t place);

/* Whether 'top' never becomes false when one more output or event outside modules is true, as far as
 * can be seen from the gates. */
int avail_compose_is_monotone(const struct avail_dynamic *dynamic, uint32_t top, bool *monotone);

#endif
