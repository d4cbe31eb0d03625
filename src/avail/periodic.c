#include "avail/periodic.h"

#include <math.h>

/* The part's states, the same in all phases: it works (or would, but for the test), it is failed
 * and nobody knows, it is in repair. */
enum { WORKS, FAILED, REPAIR, STATES };

/* What a phase does: column 'from', row 'to'.  All entries are sums of products of probabilities,
 * so that small ones keep their digits. */
struct phase {
	double p[STATES][STATES];
};

/* Probability that something with this rate comes within t_h. */
static double within(double rate, double t_h)
{
	return t_h > 0 ? -expm1(-rate * t_h) : 0;
}

/* Probability that one thing comes, and after it the other, within t_h.  Written for the smaller
 * rate, so that nothing overflows and equal rates need no case of their own. */
static double both_within(double one, double other, double t_h)
{
	double a = fmin(one, other), b = fmax(one, other);
	double wait = b > a ? -expm1(-(b - a) * t_h) / (b - a) : t_h;

	return t_h > 0 ? within(a, t_h) - a * exp(-a * t_h) * wait : 0;
}

/* A part in repair, in either phase: repaired badly, repaired and failed again, or working. */
static void repair(const struct avail_periodic *part, double t_h, struct phase *phase)
{
	double repaired = within(part->repair_rate, t_h);
	double again = both_within(part->repair_rate, part->failure_rate, t_h);

	phase->p[FAILED][REPAIR] = repaired * part->bad_restart + (1 - part->bad_restart) * again;
	phase->p[REPAIR][REPAIR] = 1 - repaired;
	phase->p[WORKS][REPAIR] = (1 - part->bad_restart) * (repaired - again);
}

static struct phase test_phase(const struct avail_periodic *part, double t_h)
{
	double fails = part->strain + (1 - part->strain) * within(part->test_failure_rate, t_h);
	struct phase phase = { 0 };

	phase.p[WORKS][WORKS] = 1 - fails;
	phase.p[FAILED][WORKS] = (1 - part->detection) * fails;
	phase.p[REPAIR][WORKS] = part->detection * fails;
	phase.p[FAILED][FAILED] = 1 - part->detection;
	phase.p[REPAIR][FAILED] = part->detection;
	repair(part, t_h, &phase);
	return phase;
}

static struct phase service_phase(const struct avail_periodic *part, double t_h)
{
	double fails = within(part->failure_rate, t_h);
	struct phase phase = { 0 };

	phase.p[WORKS][WORKS] = 1 - fails;
	phase.p[FAILED][WORKS] = fails;
	phase.p[FAILED][FAILED] = 1;
	repair(part, t_h, &phase);
	return phase;
}

/* 'first', then 'then'. */
static struct phase after(const struct phase *then, const struct phase *first)
{
	struct phase both = { 0 };

	for (unsigned to = 0; to < STATES; to++)
		for (unsigned from = 0; from < STATES; from++)
			for (unsigned by = 0; by < STATES; by++)
				both.p[to][from] += then->p[to][by] * first->p[by][from];
	return both;
}

static void pass(const struct phase *phase, double state[STATES])
{
	double next[STATES] = { 0 };

	for (unsigned to = 0; to < STATES; to++)
		for (unsigned from = 0; from < STATES; from++)
			next[to] += phase->p[to][from] * state[from];
	for (unsigned to = 0; to < STATES; to++)
		state[to] = next[to];
}

/* 'count' whole periods, by squaring: there may be many. */
static void pass_periods(const struct avail_periodic *part, uint64_t count, double state[STATES])
{
	struct phase test = test_phase(part, part->duration_h);
	struct phase service = service_phase(part, part->interval_h - part->duration_h);
	struct phase period = after(&service, &test);

	for (; count > 0; count >>= 1) {
		if (count & 1)
			pass(&period, state);
		period = after(&period, &period);
	}
}

double avail_periodic_test(const struct avail_periodic *part, double t_h)
{
	double since_h = t_h - part->first_h, periods, rest_h;
	double state[STATES] = { 0 }, in_test;
	struct phase phase;

	if (isnan(t_h))
		return t_h;
	if (since_h <= 0)
		return within(part->failure_rate, t_h);
	state[FAILED] = within(part->failure_rate, part->first_h);
	state[WORKS] = 1 - state[FAILED];
	periods = floor(fmax(fmin(since_h / part->interval_h, 0x1p53), 0));
	/* Where repair takes no time, a test is a step: the value at a test is the one before it.
	 */
	if (part->repair_rate >= INFINITY && periods * part->interval_h >= since_h)
		periods -= 1;
	rest_h = fmax(since_h - periods * part->interval_h, 0);
	pass_periods(part, (uint64_t)periods, state);
	if (rest_h <= part->duration_h && part->duration_h > 0) {
		phase = test_phase(part, rest_h);
		in_test = part->works_in_test ? 0 : phase.p[WORKS][WORKS] * state[WORKS];
		pass(&phase, state);
		return fmin(state[FAILED] + state[REPAIR] + in_test, 1);
	}
	phase = test_phase(part, part->duration_h);
	pass(&phase, state);
	phase = service_phase(part, rest_h - part->duration_h);
	pass(&phase, state);
	return fmin(state[FAILED] + state[REPAIR], 1);
}
