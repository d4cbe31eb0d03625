/* avail/measures.h -- the figures of a service: what `midplane avail` answers for a top.
 *
 * A service is opened once (modules, chains, diagram) and asked often: other draws of the parameters,
 * other times, events that are supposed perfect or failed.
 *
 * Definitions: IEC 61703 (availability measures), IEC 61025 and 61165; of importance W. E. Vesely and others,
 * NUREG/CR-3385 (1983), and Birnbaum (1969), each where it is declared.
 *
 * Threads: one a service.  Memory: of the model; all given back by avail_service_close. */
#ifndef AVAIL_MEASURES_H
#define AVAIL_MEASURES_H

#include "avail/dynamic.h"

#define AVAIL_MINUTES_A_YEAR 525600.0
#define AVAIL_HOURS_A_YEAR   8760.0

struct avail_service_budget {
	struct avail_budget diagram;
	struct avail_dynamic_budget chains;
};

struct avail_service;

/* Opens what 'down' (true: the service is out) depends on.
 *
 * model   checked; kept, must outlive the service and not change
 * budget  NULL: as the memory's limit allows
 *
 * 0, or as avail_dynamic_open; -ERANGE with 'why': a value is no probability or rate. */
int avail_service_open(struct avail_service **service, const struct avail_model *model,
		       struct avail_term down, const struct avail_service_budget *budget,
		       struct refusal *why);
void avail_service_close(struct avail_service *service);

struct avail_dynamic *avail_service_dynamic(struct avail_service *service);
struct avail_solver *avail_service_solver(struct avail_service *service);
uint32_t avail_service_top(const struct avail_service *service); /* its reference in the tree */

/* Pins (enum avail_pin, one a leaf) of all leaves of one event or one field-replaceable unit. */
void avail_service_pin_event(const struct avail_service *service, uint32_t event,
			     enum avail_pin pin, uint8_t *pins);
void avail_service_pin_fru(const struct avail_service *service, uint32_t fru, enum avail_pin pin,
			   uint8_t *pins);

enum avail_quality {
	AVAIL_EXACT,       /* no approximation; 'error' is what arithmetic may have done */
	AVAIL_BOUNDS,      /* the truth is between lower and upper; value is an estimate between them, or NAN */
	AVAIL_APPROXIMATE, /* value is of an approximation that is named; bounds hold */
};

/* The steady state.  Events without repair count as they are at the mission time. */
struct avail_answer {
	enum avail_quality quality;
	struct avail_bounds unavailability;
	double nines;            /* -log10 of it */
	double minutes_a_year;
	double frequency;        /* outages an hour; NAN: not known exactly, as all below */
	double outages_a_year;
	double mtbf_h;           /* mean time between outages' beginnings: 1 / frequency */
	double mttr_h;           /* mean length of an outage: unavailability / frequency */
	double mean_up_h;        /* mean time from the end of one to the begin of the next */
};

/* sample   NULL: every parameter at its mean, the model's mission time
 * pins     NULL: none
 * 0, or as avail_dynamic_evaluate. */
int avail_service_steady(struct avail_service *service, struct avail_sample *sample,
			 const uint8_t *pins, struct avail_answer *answer, struct refusal *why);

/* Unavailability at each of 'count' times, everything having worked at time 0.  As above. */
int avail_service_curve(struct avail_service *service, struct avail_sample *sample,
			const double *times_h, uint32_t count, struct avail_bounds *points,
			struct refusal *why);

/* A mission: no outage at all from time 0, when everything works, to time_h. */
struct avail_mission {
	double time_h;
	enum avail_quality quality;
	struct avail_bounds unreliability; /* probability of at least one outage */
	double expected_outages;           /* that begin in that time; NAN: not known exactly */
	double mean_time_h;                /* to the first outage (MTTF); NAN: not known exactly; INFINITY */
	const char *method;                /* in words */
	uint32_t parts, states;            /* of chains: independent parts, states of the largest */
};

/* EXACT when what can end the mission falls into independent parts (the arguments of OR gates, less what
 * they share) each of which is either never repaired or has a chain within the budget of states; BOUNDS when only
 * the states with few failures at once are within it.
 * Otherwise APPROXIMATE: 1 - exp(-integral of the conditional failure intensity w / (1 - U))
 * (Vesely 1970; Murchland 1975), and bounds: not less than the largest point unavailability, not more than
 * the expected number of outages.  Where chains have more states than can be followed through the whole time:
 * with w and U of the steady state, without bounds, and the number of outages is not known.
 * 0, or as above. */
int avail_service_mission(struct avail_service *service, struct avail_sample *sample, double time_h,
			  struct avail_mission *mission, struct refusal *why);

/* What one leaf, or one field-replaceable unit with all its leaves, matters.
 * U: as it is; U0: it never fails; U1: it is failed.  Of a leaf within a module, U0 and U1 are of the
 * chain with that leaf never failing, and failed and not repaired; of others that is the usual
 * condition on the event. */
struct avail_importance {
	uint32_t index;          /* of the leaf or unit */
	double unavailability;   /* its own; of a unit: at least one of its leaves; NAN within modules */
	double birnbaum;         /* U1 - U0 */
	double criticality;      /* unavailability * birnbaum / U; NAN within modules */
	double fussell_vesely;   /* (U - U0) / U: the part of U that it takes part in (NUREG/CR-3385) */
	double risk_achievement; /* RAW: U1 / U */
	double risk_reduction;   /* RRW: U / U0; INFINITY when U0 is 0 */
	double minutes_a_year;   /* (U - U0) in minutes: what it costs */
};

/* One row a leaf of avail_dynamic_flat(), in that order; -ENOTSUP when the service is not exact. */
int avail_service_importance(struct avail_service *service, struct avail_sample *sample,
			     struct avail_importance *rows, struct refusal *why);
/* One row a unit of the model, in that order; unavailability is that of its leaves' OR. */
int avail_service_fru_importance(struct avail_service *service, struct avail_sample *sample,
				 struct avail_importance *rows, struct refusal *why);

#endif
