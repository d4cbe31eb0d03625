/* avail/uncertainty.h -- how sure a figure is when the parameters are not: draws of all distributions of a
 * model, one evaluation of the open service for each, percentiles of the results.
 *
 * Threads: one a service; draw i of a seed is the same whoever makes it, so services opened by several threads can
 * share the work.  Memory: vectors are the caller's. */
#ifndef AVAIL_UNCERTAINTY_H
#define AVAIL_UNCERTAINTY_H

#include "avail/measures.h"

enum avail_figure {
	AVAIL_FIGURE_UNAVAILABILITY,
	AVAIL_FIGURE_FREQUENCY,
};

/* Draws first .. first + count - 1 of 'seed': one value each.
 *
 * time_h   mission time of laws; 0: the model's
 *
 * 0, or as avail_service_steady; -EINTR when the diagram budget's go_on says so. */
int avail_uncertainty_draw(struct avail_service *service, enum avail_figure figure, uint64_t seed,
			   uint64_t first, uint64_t count, double time_h, double *values,
			   struct refusal *why);

struct avail_spread {
	uint64_t draws;
	double mean, deviation; /* of the values; deviation is the sample's (n - 1) */
	double p05, p50, p95;   /* percentiles, linear between order statistics (Hyndman and Fan's type 7) */
	double least, most;
};

/* Sorts the values and sums them up; count > 0. */
void avail_uncertainty_spread(double *values, uint64_t count, struct avail_spread *spread);

#endif
