/* avail/knot.h -- leaves that are coupled, with the Markov chain of their machine: how probable each combination
 * of values of its outputs is, and how often one follows another.  Inside avail/.
 *
 * Leaves that are failed or not for good, with a probability, are taken in both ways, a chain for each way.
 *
 * Where the states are too many, those with more than some number of troubles at once (failed units; one more when
 * any group switches or waits) are left out, and what may go on there is bounded: a history is cut where it goes
 * beyond; from there to the next moment without troubles it takes no longer on average than a queue would that
 * always grows with all failure rates and shrinks with the smallest repair rates, and then all groups one after
 * the other; and in that time anything may be the case.  (After Muntz, de Souza e Silva and Goyal, SIGMETRICS 1989,
 * with the moment without troubles as the point of return.)
 *
 * Threads: one.  Memory: of the graph. */
#ifndef AVAIL_KNOT_H
#define AVAIL_KNOT_H

#include "avail/dynamic.h"
#include "avail/space.h"

enum {
	AVAIL_KNOT_FROZEN_MOST = 6,  /* leaves with a mere probability */
	AVAIL_KNOT_STATES = 100000,  /* default budgets */
	AVAIL_KNOT_OUTCOMES = 256,
	AVAIL_KNOT_WORK = 1000000, /* states times points of return of a CUT one */
	AVAIL_KNOT_STATES_FOLLOWED = 4000, /* of a CUT one that ends with the first outage */
};

/* What leaves have in a draw, one entry a leaf of the graph. */
struct avail_rates {
	double *failure, *repair; /* an hour; repair INFINITY: never noticed */
	double *failed;           /* probability */
};

struct avail_knot_way {
	struct avail_space space;
	uint32_t moves;   /* of the chain without those that return from beyond */
	uint32_t ups, downs; /* bit i: frozen leaf i works, is failed */
};

struct avail_knot {
	struct avail_memory *memory;
	const struct avail_graph *graph;
	struct avail_list leaves, outputs, frozen;
	struct avail_machine machine; /* of the way looked at last; for units and groups, which all share */
	struct avail_outcomes outcomes;
	struct avail_knot_way *ways;
	uint32_t way_count;
	enum avail_module_state state;
	uint32_t states;   /* of the largest way */
	uint64_t moves;
	uint32_t failures; /* of CUT */
	/* of the last evaluation: one an outcome */
	double *value, *lower, *upper;
	double beyond;     /* probability at most of what was not looked at; lower and upper leave it out */
	double *flow;      /* [from * outcomes + to], an hour */
	uint32_t room;     /* outcomes that the above have room for */
	double error;
};

struct avail_knot_wants {
	const struct avail_list *leaves; /* ascending, with each those that are coupled with it */
	const struct avail_list *outputs;
	const uint8_t *pins;             /* one a leaf of the graph; NULL: none */
	const struct avail_outcomes *known; /* outcomes that there are; others are not taken; NULL: any */
	enum avail_ends ends;
	const struct avail_rates *rates; /* to judge by whether enough was looked at; NULL: as much as there is room */
	uint32_t alike; /* 0: equal units count as one kind; 1: they do not (for tests) */
	const struct avail_dynamic_budget *budget;
};

/* 0, also when the budget made it CUT or BEYOND; -ENOMEM; -EINTR. */
int avail_knot_init(struct avail_knot *knot, const struct avail_graph *graph,
		    const struct avail_knot_wants *wants);
void avail_knot_fini(struct avail_knot *knot);

/* Fills in value, lower, upper and flow.  0; -ENOMEM; -EINTR; -EDQUOT; -ELOOP. */
int avail_knot_evaluate(struct avail_knot *knot, const struct avail_rates *rates,
			const struct avail_when *when);

/* Whether what is left out of a way is so improbable, 1e-10 of its outages at these rates, that it does not
 * matter.  0, or as avail_knot_evaluate. */
int avail_knot_suffices(struct avail_knot *knot, struct avail_knot_way *way,
			const struct avail_rates *rates, bool *enough);

/* Whether a leaf that fails is never repaired, so that there is no steady state to speak of. */
bool avail_knot_ends(const struct avail_knot *knot, const struct avail_rates *rates);

/* Of a knot with AVAIL_STOP_AT_FIRST that is EXACT: mean time until output 0 is true, when in addition an outage
 * comes from outside with rate 'outside'. */
int avail_knot_mean_time(struct avail_knot *knot, const struct avail_rates *rates, double outside,
			 double *mean_h);

/* Whether a leaf of the flat model has a probability and no rate. */
bool avail_leaf_is_frozen(const struct avail_flat *flat, uint32_t leaf);

#endif
