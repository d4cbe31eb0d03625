/* avail/dynamic.h -- what a static tree cannot say -- standby, coverage, time to switch, repair crews -- put
 * together with what it can: finds the modules of a model that need a Markov chain, builds the chain of
 * exactly those, and gives the exact engine a tree in which each module is a few independent events.
 *
 * What standby means here, and in simulate.h, which is written separately:
 * - A group is a gate with a struct avail_standby.  What every member's OR has in common (the chassis of
 *   two cards) is taken out of the members and put beside the group: it fails the group, and no
 *   switch-over happens because of it.  What is left of a member decides whether the member is up.
 * - 'needed' members are active, at first the first ones.  An event is a member's own when no other member
 *   of the group mentions it.  Own events of a spare fail with 'dormancy' times their rate (WARM) or not
 *   (COLD), unless another group has the event as an active member's or a HOT spare's (a group that says more
 *   than its gate does).
 * - When a member fails and enough others are up, the failure is handled with probability 'coverage'.
 *   Asked once for each event that fails members: of TAKES_ALL when a member fails that runs (an active
 *   one, or a HOT spare), of WAITS when an active one fails.
 *   Handled: the first spares that are up become active in place of active ones that failed; if there
 *   were such, the group is down for a time with mean switch_h (exponential).
 *   Not handled, TAKES_ALL: of every member that is up, own events that have a rate fail, in the order of
 *   mention, until it is down.  Not handled, WAITS: the group is down, and nobody becomes active, for a
 *   time with mean recovery_h (exponential); then spares become active without another outage.
 * - When too few are up, the group is down, switching ends, and who is active stays so.  With the repair that
 *   makes them enough, spares that are up become active in place of members that are down, without
 *   further outage.  So it is at the end of waiting, when enough are up.
 * - 'reverts': when one of the first 'needed' members returns to a group that is up, it becomes active in
 *   place of the last spare that is, with an outage of switch_h.  With a repair that makes them enough, and
 *   at the end of waiting, the first members that are up become active.
 * - A crew repairs at most 'crews' events at a time, in the order of failure; events that fail together in
 *   the order of the members, those of active ones first (of HOT groups without switch_h, where nobody knows who is
 *   active, just so).  A combination of a common-cause group is one job of its first member's crew.
 * - Events with a probability are as they are for good, with that probability; members that are down because of
 *   one are not active at first.
 *
 * Equal units count as one kind: their states are numbers of units (lumping), which is exact.
 *
 * Threads: one.  Memory: of the model; all given back by avail_dynamic_close. */
#ifndef AVAIL_DYNAMIC_H
#define AVAIL_DYNAMIC_H

#include "avail/flatten.h"
#include "avail/solve.h"

struct avail_dynamic_budget {
	uint32_t states;   /* of one module's chain; 0: 100,000 */
	uint32_t outcomes; /* of one module that the rest can tell apart; 0: 256 */
	/* As in struct avail_budget. */
	bool (*go_on)(void *context);
	void *context;
};

enum avail_module_state {
	AVAIL_MODULE_EXACT,
	AVAIL_MODULE_CUT,   /* states with more than 'failures' troubles were not looked at: bounds */
	AVAIL_MODULE_BEYOND, /* not even that: anything between 0 and 1 */
};

/* What is said about a module. */
struct avail_module {
	char name[96];      /* the standby group or crew it comes from; "and N more" */
	uint32_t standbys, crews, events; /* in it */
	uint32_t outputs;   /* gates and events of it that the rest sees */
	uint32_t outcomes;  /* combinations of their values */
	uint32_t states;    /* of its chain, after lumping */
	uint64_t moves;
	uint32_t failures;  /* CUT: how many troubles at once are looked at: failed events, and one more
			     * when any group switches or waits */
	enum avail_module_state state;
	double error;       /* relative, of the steady state, of the last evaluation */
	double unavailability, frequency; /* of the first output; of CUT: in the states looked at */
};

/* What an evaluation is to suppose of a leaf. */
enum avail_pin {
	AVAIL_PIN_NONE,
	AVAIL_PIN_PERFECT, /* never fails by itself; another's failure that is not covered may take it along */
	AVAIL_PIN_FAILED,  /* failed for good, and nobody repairs it */
};

enum avail_when_kind {
	AVAIL_IN_STEADY_STATE,
	AVAIL_AT_TIME, /* t_h after everything worked */
};

struct avail_when {
	enum avail_when_kind kind;
	double t_h;
};

struct avail_dynamic;

/* Finds the modules of what 'tops' depend on and builds their chains.
 *
 * model   checked; kept, must outlive the result and not change
 * refs    receives the reference of each top in avail_dynamic_tree()
 *
 * 0, also when a module passed the budget; -ENOMEM; -EINTR. */
int avail_dynamic_open(struct avail_dynamic **dynamic, const struct avail_model *model,
		       const struct avail_term *tops, uint32_t count,
		       const struct avail_dynamic_budget *budget, uint32_t *refs);
void avail_dynamic_close(struct avail_dynamic *dynamic);

/* The tree for the exact engine.  Events below avail_dynamic_leaf_count() are leaves of
 * avail_dynamic_flat(); above, they stand for modules and mean nothing by themselves.  The caller may add
 * gates (capacity.h does). */
struct avail_tree *avail_dynamic_tree(struct avail_dynamic *dynamic);
const struct avail_flat *avail_dynamic_flat(const struct avail_dynamic *dynamic);
uint32_t avail_dynamic_leaf_count(const struct avail_dynamic *dynamic);

/* The same tops over leaves alone, with groups as plain gates: what cut sets are to be had from.
 * *ref receives the reference of top number 'top' in it. */
const struct avail_tree *avail_dynamic_static(const struct avail_dynamic *dynamic, uint32_t top,
					      uint32_t *ref);

uint32_t avail_dynamic_module_count(const struct avail_dynamic *dynamic);
const struct avail_module *avail_dynamic_module(const struct avail_dynamic *dynamic, uint32_t index);
/* The module that a leaf is in, or AVAIL_NONE. */
uint32_t avail_dynamic_module_of(const struct avail_dynamic *dynamic, uint32_t leaf);

/* Numbers for all events of the tree.
 *
 * sample  of the model; its draw and mission time
 * pins    an enum avail_pin a leaf; NULL: none
 *
 * 0; -ENOMEM; -ERANGE with 'why': a value is no probability or rate; -EINTR; -EDQUOT: a chain is too stiff
 * for a time, or with pins too large; -ELOOP: a chain does not settle. */
int avail_dynamic_evaluate(struct avail_dynamic *dynamic, struct avail_sample *sample,
			   const uint8_t *pins, const struct avail_when *when, struct refusal *why);

/* Probability of each event of the tree, after an evaluation: for avail_solver_probability.  Leaves in modules
 * have what they would have by themselves. */
const double *avail_dynamic_p(const struct avail_dynamic *dynamic);

/* Whether all modules are EXACT. */
bool avail_dynamic_is_exact(const struct avail_dynamic *dynamic);

/* Probability of the function that 'solver' was opened with, after an evaluation.  With modules that are not
 * EXACT: bounds, and as value what the states that were looked at say.
 *
 * top   the reference that 'solver' was opened with
 * 0, -ENOMEM. */
int avail_dynamic_probability(struct avail_dynamic *dynamic, struct avail_solver *solver,
			      uint32_t top, struct avail_bounds *bounds);

/* What an open solver of a function of the tree says after an evaluation. */
struct avail_dynamic_answer {
	struct avail_bounds unavailability;
	double frequency; /* how often an hour the function becomes true; of modules that are CUT: in the states
			   * looked at; NAN: the solver is not exact, or too many outcomes */
};

/* As above, with the frequency. */
int avail_dynamic_solve(struct avail_dynamic *dynamic, struct avail_solver *solver, uint32_t top,
			struct avail_dynamic_answer *answer);

#endif
