/* avail/deviate.h -- random numbers with a given distribution, from a seed.
 *
 * Threads: any.  Memory: plain values. */
#ifndef AVAIL_DEVIATE_H
#define AVAIL_DEVIATE_H

#include "base/base.h"

/* Uniform over (0, 1), the ends excluded. */
double avail_deviate_uniform(uint64_t *seed);
double avail_deviate_normal(uint64_t *seed);			      /* mean 0, deviation 1 */
double avail_deviate_gamma(uint64_t *seed, double shape);	      /* scale 1; shape > 0 */
double avail_deviate_beta(uint64_t *seed, double alpha, double beta); /* both > 0 */

/* The x that a normal variable of mean 0 and deviation 1 is below with probability p, 0 < p < 1. */
double avail_normal_quantile(double p);

#endif
