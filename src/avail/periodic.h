/* avail/periodic.h -- unavailability of a part whose failures are found by periodic tests (Open-PSA
 * Model Exchange Format, 2.0d, built-in "periodic-test").
 *
 * Three phases: until the first test at 'first_h' the part fails with failure_rate, and nobody
 * notices. Then, every 'interval_h', a test of 'duration_h' and the time until the next one.  A
 * test fails the part at its begin with probability 'strain', and it fails with 'test_failure_rate'
 * during the test; a failure is found at the test's end with probability 'detection', and then
 * repaired with repair_rate, through tests that come meanwhile.  A repaired part is found badly
 * restarted (failed, not noticed) with probability 'bad_restart', and otherwise fails again with
 * failure_rate.
 *
 * Threads: any.  Memory: plain values. */
#ifndef AVAIL_PERIODIC_H
#define AVAIL_PERIODIC_H

#include "base/base.h"

struct avail_periodic {
	double failure_rate, test_failure_rate,
		repair_rate;			/* an hour; repair_rate may be INFINITY */
	double interval_h, first_h, duration_h; /* interval_h > 0; duration_h <= it */
	double strain, detection, bad_restart;	/* probabilities */
	bool works_in_test;			/* whether a working part serves while tested */
};

/* Probability that the part does not serve at 't_h'. */
double avail_periodic_test(const struct avail_periodic *part, double t_h);

#endif
