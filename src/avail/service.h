/* avail/service.h -- the inside of struct avail_service; inside avail/.
 *
 * Threads: one.  Memory: of the model. */
#ifndef AVAIL_SERVICE_H
#define AVAIL_SERVICE_H

#include "avail/compose.h"
#include "avail/measures.h"

struct avail_service {
	struct avail_memory *memory;
	const struct avail_model *model;
	struct avail_service_budget budget;
	struct avail_dynamic *dynamic;
	struct avail_solver *solver;
	struct avail_sample mean; /* for callers without a sample */
	uint32_t top;
};

/* The caller's sample, or that of the means at the model's mission time. */
struct avail_sample *avail_service_sample(struct avail_service *service,
					  struct avail_sample *sample);

/* Unavailability and, where it is known, frequency at a time, everything having worked at time 0.
 * 0, -EDQUOT: the budget's go_on() said no; or as avail_dynamic_evaluate. */
int avail_service_at(struct avail_service *service, struct avail_sample *sample, double t_h,
		     struct avail_dynamic_answer *answer, struct refusal *why);

/* Fills in the expected number of outages of a mission and, unless it is EXACT already, its
 * unreliability. 0, or as avail_dynamic_evaluate. */
int avail_mission_by_intensity(struct avail_service *service, struct avail_sample *sample,
			       double t_h, struct avail_mission *mission, struct refusal *why);

#endif
