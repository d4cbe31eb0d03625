/* avail/space.h -- all states that a machine can come into, and the moves between them with rates left open:
 * once found, any rates can be put in.  Inside avail/.
 *
 * Threads: one.  Memory: of the machine. */
#ifndef AVAIL_SPACE_H
#define AVAIL_SPACE_H

#include "avail/chain.h"
#include "avail/machine.h"

enum { AVAIL_SPACE_WHOLE_MOST = 64 }; /* states without troubles that those left out may return to */

/* Values of all outputs together, each kind once. */
struct avail_outcomes {
	struct avail_memory *memory;
	uint32_t width, count, most;
	uint8_t *values; /* count rows of width bytes */
	uint32_t room;   /* rows */
};

enum avail_ends {
	AVAIL_GO_ON,         /* what follows an outage counts */
	AVAIL_STOP_AT_FIRST, /* states in which output 0 is true are not left */
};

struct avail_space_limits {
	uint32_t states;
	uint32_t failures; /* states with more troubles (avail_machine_troubles) are not
			    * looked at; AVAIL_NONE: all are */
	enum avail_ends ends;
	bool (*go_on)(void *context);
	void *context;
};

struct avail_space {
	struct avail_memory *memory;
	uint32_t state_count;   /* looked at; state 0 is the start */
	uint32_t beyond_count;  /* states behind them: number state_count + i stands for all states with
				 * failures + 1 + i troubles */
	uint32_t failures;      /* as in the limits; AVAIL_NONE: all were looked at */
	struct avail_chain chain; /* rates are for knot.h to fill in */
	struct avail_source *sources; /* one a move */
	double *factors;
	uint32_t source_room, factor_room, outcome_room;
	uint32_t *outcome;      /* of each state looked at */
	struct avail_list whole; /* states without troubles, the start first, if it is one */
	uint8_t most_failures;  /* in any state looked at, 255: so many or more */
};

/* Looks at all states from the start on.  0; -E2BIG: more than limits->states, outcomes->most outcomes,
 * AVAIL_SPACE_WHOLE_MOST states without troubles where some are left out, or a line longer than can be
 * told; -ENOMEM; -EINTR. */
int avail_space_init(struct avail_space *space, struct avail_machine *machine,
		     const struct avail_space_limits *limits, struct avail_outcomes *outcomes);
void avail_space_fini(struct avail_space *space);

/* The number of an outcome, added when it is new; AVAIL_NONE: too many, or no room (*err). */
uint32_t avail_outcome(struct avail_outcomes *outcomes, const uint8_t *values, int *err);
void avail_outcomes_fini(struct avail_outcomes *outcomes);

#endif
