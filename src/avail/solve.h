/* avail/solve.h -- exact answers for one top function: probability, what each event contributes,
 * and the minimal cut sets, by decision diagrams.  Nothing here depends on what an event is.
 *
 * A solver keeps the diagram of one function: opening it is the work, each evaluation with other
 * probabilities costs one pass over the diagram.  When the budget does not suffice for the diagram,
 * it answers with bounds, and says so.
 *
 * Threads: one a solver.  Memory: taken from the struct avail_memory of the tree's caller; all
 * given back by avail_solver_close. */
#ifndef AVAIL_SOLVE_H
#define AVAIL_SOLVE_H

#include "avail/count.h"
#include "avail/tree.h"

struct avail_budget {
	uint64_t nodes; /* of all diagrams together; 0: as memory->limit allows */
	/* Asked now and then; false ends the work with what is there (a time limit, a stop).  NULL:
	 * never. */
	bool (*go_on)(void *context);
	/* Asked instead when the diagram is there or has been given up, so that time is left for
	 * what follows.  NULL: go_on. */
	bool (*go_on_later)(void *context);
	void *context;
};

/* The budget of what follows when the diagrams are there, or have been given up. */
static inline struct avail_budget avail_later(const struct avail_budget *budget)
{
	struct avail_budget later = *budget;

	if (later.go_on_later)
		later.go_on = later.go_on_later;
	return later;
}

struct avail_solver;

/* Simplifies the function, orders its events, builds the diagram.
 *
 * tree    only read during the call
 * top     a reference of it
 * budget  copied; go_on's context must outlive the solver.  NULL: as memory->limit allows
 *
 * 0 also when the budget was not enough: then avail_solver_is_exact() is false and evaluations give
 * bounds.  -ENOMEM when there was no room for even those. */
int avail_solver_open(struct avail_solver **solver, struct avail_memory *memory,
		      const struct avail_tree *tree, uint32_t top,
		      const struct avail_budget *budget);
void avail_solver_close(struct avail_solver *solver);

bool avail_solver_is_exact(const struct avail_solver *solver);
/* Whether the function never becomes false when one more event fails. */
bool avail_solver_is_coherent(const struct avail_solver *solver);

struct avail_size {
	uint32_t gates, events, modules; /* after simplification */
	uint64_t nodes;			 /* of the diagrams that answers are computed from */
	uint64_t nodes_peak;		 /* the most that lived at once */
	const char *ordering;
};
void avail_solver_size(const struct avail_solver *solver, struct avail_size *size);

struct avail_bounds {
	double lower, upper; /* equal to 'value' when exact; else they hold it */
	double value;	     /* NAN when not exact */
	double complement;   /* 1 - value with all its digits; NAN when not exact */
};

/* Probability of the function with event i failed with probability p[i], all independent.
 * When the solver is not exact, the first call finds two functions that the function lies between, by its
 * probabilities; they are good for all others too.
 *
 * 0, or -ENOMEM. */
int avail_solver_probability(struct avail_solver *solver, const double *p,
			     struct avail_bounds *bounds);

/* What one event changes: probability that the function is false with the event working and true
 * with it failed (rise), and the other way round (fall; 0 in a coherent function).  Birnbaum's
 * importance is rise - fall; the function's failure frequency is the sum over events of frequency *
 * rise + repair frequency * fall.
 *
 * rise, fall   one an event of the tree; fall may be NULL when coherent
 * 0, -ENOMEM, -ENOTSUP when the solver is not exact, or -EDQUOT: in a non-coherent function that may take
 * long beyond measure, and is given up after work in proportion to the diagram, or when go_on() said no. */
int avail_solver_changes(struct avail_solver *solver, const double *p, double *rise, double *fall);

/* rise - fall alone, one an event: Birnbaum's importance, in one pass for any function.
 * 0, -ENOMEM, or -ENOTSUP when the solver is not exact. */
int avail_solver_birnbaum(struct avail_solver *solver, const double *p, double *birnbaum);

/* Minimal cut sets: the smallest sets of failed events with which the function is true when all other events
 * work; for a coherent function also whatever the others do.  Prime implicants, which differ in a
 * non-coherent function: the smallest sets of failed and working events with which it is true whatever
 * the others do. */
enum avail_sets_kind { AVAIL_CUT_SETS, AVAIL_PRIME_IMPLICANTS };

struct avail_sets;

/* Builds the zero-suppressed diagram of the sets.  The solver stays open until the sets are closed.
 * budget   copied; go_on's context must outlive the sets.  May be NULL
 *
 * 0; -ENOMEM; or -EDQUOT when the budget ended it, or the solver is not exact. */
int avail_sets_open(struct avail_sets **sets, struct avail_solver *solver, enum avail_sets_kind kind,
		    const struct avail_budget *budget);
void avail_sets_close(struct avail_sets *sets);

/* The most literals that a set has. */
uint32_t avail_sets_order(const struct avail_sets *sets);

/* How many sets there are, exactly, without enumerating them.
 * by_order   [k] receives how many have k literals, k = 0 .. avail_sets_order(); may be NULL
 * 0, -ENOMEM, or -EDQUOT when the budget's go_on() said no. */
int avail_sets_count(struct avail_sets *sets, struct avail_count *count,
		     struct avail_count *by_order);

/* rare_event    the sum of the probabilities of all sets; may exceed 1
 * upper_bound   1 - the product of (1 - p) over all sets (the "min-cut upper bound")
 * Both for any number of sets, without enumerating them.  0, -ENOMEM, or -EDQUOT when the budget's
 * go_on() said no. */
int avail_sets_approximate(struct avail_sets *sets, const double *p, double *rare_event,
			   double *upper_bound);

enum avail_sets_order_by { AVAIL_BY_ORDER, AVAIL_BY_PROBABILITY };

/* One set; literals are event << 1 | working, ascending. */
struct avail_set {
	double probability;
	uint32_t count;
	const uint32_t *literals; /* good during the call */
};

/* Calls 'each' with the first 'most' sets, those with the fewest literals or the most probable first, ties
 * by the first literal that differs; sets less probable than 'cut_off' are left out.
 *
 * p   may be NULL when by order: then probabilities are NAN and there is no cut-off
 *
 * Work and memory are for the sets that are listed, not for all.  0, -ENOMEM, or -EDQUOT when the
 * budget's go_on() said no: those that came are the first, but not all. */
int avail_sets_list(struct avail_sets *sets, const double *p, enum avail_sets_order_by by,
		    uint64_t most, double cut_off,
		    void (*each)(void *context, const struct avail_set *set), void *context);

#endif
