/* avail/simulate.h -- Monte Carlo simulation of a model, event by event: the independent check of everything
 * that is calculated, and the answer where nothing else fits the budget.
 *
 * It shares expressions' values with the rest and nothing else: it has its own reading of gates, common
 * causes, standby and crews (dynamic.h says what those mean).
 *
 * STEADY, PLAIN: a history is watched for horizon_h after warm_up_h.  STEADY, BIASED: a history goes on plainly
 * from one moment without failures to the next, and at each such moment another, biased one goes off from
 * the same state until nothing is failed; the ratio of its down time to the plain one's length is the
 * unavailability (Goyal, Shahabuddin, Heidelberger and others, IEEE Trans. Computers 41, 1992).  Models of
 * mere probabilities are drawn, not played.
 *
 * Replication i of a seed is the same whoever runs it, and sums are whole numbers, so that ranges may
 * be run by any threads in any order and give the same bytes.
 *
 * Threads: a struct avail_play may be shared by all once open; each thread has its own struct avail_stage and
 * sums.  Memory: the play's from the model, the stage's from the caller. */
#ifndef AVAIL_SIMULATE_H
#define AVAIL_SIMULATE_H

#include "avail/expression.h"

enum avail_play_kind {
	AVAIL_PLAY_STEADY,  /* unavailability and frequency in the long run */
	AVAIL_PLAY_MISSION, /* probability of an outage before time_h, all working at 0 */
	AVAIL_PLAY_POINT,   /* unavailability at time_h, all working at 0 */
};

enum avail_play_sampling {
	AVAIL_PLAY_PLAIN,
	/* Failures are made more probable than they are and every history is weighed for it (balanced
	 * failure biasing: Shahabuddin, Management Science 40, 1994): for rare outages.  Unbiased. */
	AVAIL_PLAY_BIASED,
};

struct avail_play_wants {
	enum avail_play_kind kind;
	enum avail_play_sampling sampling;
	double time_h;       /* MISSION, POINT; and the mission time of laws; 0: the model's */
	double warm_up_h;    /* STEADY: before it is looked at; 0: by itself, from the rates */
	double horizon_h;    /* STEADY: for how long it is; 0: by itself */
};

struct avail_play;

/* Prepares the simulation of 'down'.
 *
 * model    checked; only read during the call
 * sample   whose draw gives the parameters
 *
 * 0, -ENOMEM, -ERANGE with 'why' (a value is no probability or rate). */
int avail_play_open(struct avail_play **play, const struct avail_model *model,
		    struct avail_term down, struct avail_sample *sample,
		    const struct avail_play_wants *wants, struct refusal *why);
void avail_play_close(struct avail_play *play);

/* The unit of times in sums, of STEADY. */
double avail_play_unit_h(const struct avail_play *play);

/* A sum of numbers >= 0 that does not depend on their order: in units of 2^-128, least significant limb first. */
struct avail_exact_sum {
	uint64_t limb[3];
};

/* What histories added up to; zero to begin with.  Times are in units of avail_play_unit_h(). */
struct avail_sums {
	uint64_t replications; /* histories */
	uint64_t events;       /* failures, repairs, switch-overs in them */
	uint64_t hits;         /* histories with an outage */
	uint64_t cut;          /* histories that were ended because they did not come to an end */
	struct avail_exact_sum down, outages, length; /* one number each a history */
	struct avail_exact_sum down_squared, outages_squared, length_squared;
	struct avail_exact_sum down_length, outages_length;
};
void avail_sums_add(struct avail_sums *sums, const struct avail_sums *more);

struct avail_stage; /* what one thread needs */
int avail_stage_open(struct avail_stage **stage, struct avail_memory *memory,
		     const struct avail_play *play);
void avail_stage_close(struct avail_stage *stage);

/* Adds replications first .. first + count - 1 of 'seed' to 'sums'. */
void avail_play_run(const struct avail_play *play, struct avail_stage *stage, uint64_t seed,
		    uint64_t first, uint64_t count, struct avail_sums *sums);

/* An estimate with its standard error, and the interval that has the true value in 95 of 100 cases (Wilson's
 * where histories say yes or no).  Where no outage was seen the upper end is that of the rule of three. */
struct avail_estimate {
	double value, standard_error;
	double lower, upper;
};

struct avail_play_result {
	uint64_t replications, events, hits, cut;
	struct avail_estimate unavailability; /* MISSION: unreliability */
	struct avail_estimate frequency;      /* STEADY: outages an hour; MISSION: outages by time_h; POINT: 0 */
};
void avail_play_result(const struct avail_play *play, const struct avail_sums *sums,
		       struct avail_play_result *result);

#endif
