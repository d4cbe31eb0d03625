/* prog/avail_within.h -- opens a service and evaluates it once, with smaller chains when the larger
 * ones do not settle: bounds are an answer, and no answer is none.
 *
 * Threads: one.  Memory: of the model. */
#ifndef PROG_AVAIL_WITHIN_H
#define PROG_AVAIL_WITHIN_H

#include "avail/measures.h"

/* budget   its number of states, 0: as the engine likes, is lowered until the chains settle
 *
 * 0 with *service and 'steady'; else as avail_service_open and avail_service_steady. */
int avail_open_within(struct avail_service **service, const struct avail_model *model,
		      struct avail_term down, struct avail_service_budget *budget,
		      struct avail_answer *steady, struct refusal *why);

#endif
