/* avail/capacity.h -- how much is delivered how often: the states of a capacity with probability and
 * frequency (capacity outage tables: Billinton and Allan, Reliability Evaluation of Power Systems, chapter 2;
 * here with shared causes, exactly).
 *
 * Threads: one.  Memory: of the model. */
#ifndef AVAIL_CAPACITY_H
#define AVAIL_CAPACITY_H

#include "avail/measures.h"

struct avail_level {
	double delivered;
	struct avail_bounds probability;
	double frequency;            /* how often an hour the state is entered; NAN: not known exactly */
	double at_most;              /* probability of this much or less */
	double mean_h;               /* how long a visit lasts: probability / frequency */
};

struct avail_levels {
	struct avail_memory *memory;
	struct avail_level *rows;    /* the largest delivery first; states of probability 0 are left out */
	uint32_t count, room;
	double total;                /* when nothing is lost */
	double expected;             /* mean delivery */
	enum avail_quality quality;
};

/* The table of capacity 'capacity' of a checked model.  Amounts that differ by less than 1e-9 of the total are
 * the same.
 *
 * most     states at most (0: 1,000); more: -E2BIG with 'why'
 * sample   NULL: every parameter at its mean
 *
 * 0, or as avail_service_open.  The rows are to be given back by avail_levels_fini. */
int avail_capacity_levels(struct avail_levels *levels, const struct avail_model *model,
			  uint32_t capacity, uint32_t most, struct avail_sample *sample,
			  const struct avail_service_budget *budget, struct refusal *why);
void avail_levels_fini(struct avail_levels *levels);

#endif
