/* A mission by how often outages begin: their expected number, and where chains do not hold it,
 * what follows from that. */
#include "avail/service.h"

#include <math.h>

enum {
	PANELS_MOST = 64,
	STATES_LIGHT = 100, /* of chains that are asked at hundreds of times */
};

struct integral {
	struct avail_service *service;
	struct avail_sample *sample;
	struct refusal *why;
	double outages;	    /* of w */
	double conditional; /* of w / (1 - U) */
	double worst;	    /* the largest U seen */
};

static double unavailability(const struct avail_dynamic_answer *answer)
{
	const struct avail_bounds *bounds = &answer->unavailability;

	return isnan(bounds->value) ? bounds->upper : bounds->value;
}

static int add_panel(struct integral *integral, double from, double to)
{
	/* Gauss and Legendre's, six points. */
	static const double at[3] = { 0.2386191860831969, 0.6612093864662645, 0.9324695142031521 };
	static const double weight[3] = { 0.4679139345726910, 0.3607615730481386,
					  0.1713244923791704 };
	double half = (to - from) / 2, middle = (to + from) / 2;
	int err = 0;

	for (unsigned i = 0; i < 6 && !err; i++) {
		double t = middle + (i & 1 ? -half : half) * at[i / 2];
		double share = half * weight[i / 2];
		struct avail_dynamic_answer now;

		err = avail_service_at(integral->service, integral->sample, t, &now, integral->why);
		integral->outages += share * now.frequency;
		integral->conditional += share * now.frequency / (1 - unavailability(&now));
		integral->worst = fmax(integral->worst, now.unavailability.lower);
	}
	return err;
}

/* The shortest time in which something changes. */
static double shortest(const struct avail_service *service)
{
	const struct avail_dynamic *dynamic = service->dynamic;
	double fastest = 0;

	for (uint32_t i = 0; i < dynamic->graph.leaf_count; i++) {
		double rate = dynamic->rates.failure[i];

		if (!isinf(dynamic->rates.repair[i]))
			rate += dynamic->rates.repair[i];
		fastest = fmax(fastest, rate);
	}
	return fastest > 0 ? 0.5 / fastest : INFINITY;
}

static bool is_near(double a, double b)
{
	return fabs(a - b) <= 1e-12 * fabs(b);
}

/* Panels that grow with the time, as what changes does so ever more slowly; when nothing does any
 * more, the rest at once. */
static int integrate(struct integral *integral, double t_h,
		     const struct avail_dynamic_answer *steady)
{
	double from = 0, step = fmin(shortest(integral->service), t_h);
	int err = 0;

	for (unsigned panels = 0; from < t_h && !err; panels++) {
		double to = panels + 1 == PANELS_MOST ? t_h : fmin(from + step, t_h);
		struct avail_dynamic_answer now;

		err = add_panel(integral, from, to);
		if (!err)
			err = avail_service_at(integral->service, integral->sample, to, &now,
					       integral->why);
		if (err)
			return err;
		integral->worst = fmax(integral->worst, now.unavailability.lower);
		from = to;
		step *= 2;
		if (!is_near(now.frequency, steady->frequency) ||
		    !is_near(unavailability(&now), unavailability(steady)))
			continue;
		integral->outages += (t_h - from) * now.frequency;
		integral->conditional += (t_h - from) * now.frequency / (1 - unavailability(&now));
		return 0;
	}
	return err;
}

/* Whether the chains are too large to be asked at hundreds of times. */
static bool is_heavy(const struct avail_service *service)
{
	for (uint32_t m = 0; m < avail_dynamic_module_count(service->dynamic); m++)
		if (avail_dynamic_module(service->dynamic, m)->states > STATES_LIGHT)
			return true;
	return false;
}

static void take_steady(const struct avail_dynamic_answer *steady, double t_h,
			struct avail_mission *mission)
{
	double u = unavailability(steady);

	mission->method = "failure intensity of the steady state";
	mission->unreliability = (struct avail_bounds){
		.upper = 1,
		.value = -expm1(-steady->frequency * t_h / (1 - u)),
		.complement = exp(-steady->frequency * t_h / (1 - u)),
	};
}

static void take_integral(const struct integral *integral, double at_start, bool exact,
			  struct avail_mission *mission)
{
	struct avail_bounds *bounds = &mission->unreliability;

	mission->method = "conditional failure intensity (Vesely, Murchland)";
	bounds->lower = fmax(integral->worst, at_start);
	bounds->upper = exact ? fmin(1, at_start + integral->outages) : 1;
	bounds->complement = (1 - at_start) * exp(-integral->conditional);
	bounds->value = at_start - (1 - at_start) * expm1(-integral->conditional);
	bounds->value = fmin(fmax(bounds->value, bounds->lower), bounds->upper);
}

/* Bounds from chains that hold few failures at once may be wide: what is known besides makes them
 * narrower, and its value is the better estimate then. */
static void narrow(const struct integral *integral, double at_start, bool exact,
		   struct avail_mission *mission)
{
	struct avail_mission other = *mission;
	struct avail_bounds *bounds = &mission->unreliability;
	bool wide = bounds->upper - bounds->lower > 0.1 * bounds->upper;

	take_integral(integral, at_start, exact, &other);
	bounds->lower = fmax(bounds->lower, other.unreliability.lower);
	bounds->upper = fmax(fmin(bounds->upper, other.unreliability.upper), bounds->lower);
	if (!wide)
		return;
	mission->method = "conditional failure intensity, between bounds of Markov chains";
	bounds->value = fmin(fmax(other.unreliability.value, bounds->lower), bounds->upper);
	bounds->complement = 1 - bounds->value;
}

int avail_mission_by_intensity(struct avail_service *service, struct avail_sample *sample,
			       double t_h, struct avail_mission *mission, struct refusal *why)
{
	static const struct avail_when in_steady_state = { .kind = AVAIL_IN_STEADY_STATE };
	struct integral integral = { .service = service, .sample = sample, .why = why };
	struct avail_dynamic_answer first, steady;
	bool exact =
		avail_dynamic_is_exact(service->dynamic) && avail_solver_is_exact(service->solver);
	int err = avail_dynamic_evaluate(service->dynamic, sample, NULL, &in_steady_state, why);

	if (!err)
		err = avail_dynamic_solve(service->dynamic, service->solver, service->top, &steady);
	if (err)
		return err;
	if (is_heavy(service)) {
		if (mission->quality == AVAIL_APPROXIMATE)
			take_steady(&steady, t_h, mission);
		return 0;
	}
	err = avail_service_at(service, sample, 0, &first, why);
	if (!err)
		err = integrate(&integral, t_h, &steady);
	if (err)
		return err;
	mission->expected_outages = exact ? integral.outages : NAN;
	if (mission->quality == AVAIL_APPROXIMATE)
		take_integral(&integral, unavailability(&first), exact, mission);
	else if (mission->quality == AVAIL_BOUNDS)
		narrow(&integral, unavailability(&first), exact, mission);
	return 0;
}
