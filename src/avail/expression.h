/* avail/expression.h -- values of a model's parameters: numbers, arithmetic, laws of failure over the mission
 * time, and distributions for what is not known exactly (Open-PSA Model Exchange Format, 2.0d,
 * chapter "Probabilistic data").
 *
 * A distribution has its mean as value; with a sample it has one value for a whole draw, the same wherever
 * the expression is used.
 *
 * Threads: any that own the sample.  Memory: expressions live in the model. */
#ifndef AVAIL_EXPRESSION_H
#define AVAIL_EXPRESSION_H

#include "avail/model.h"

enum avail_expression_kind {
	AVAIL_NUMBER,
	AVAIL_PARAMETER,   /* named; its value is that of argument 0 */
	AVAIL_MISSION_TIME,
	/* arithmetic */
	AVAIL_NEG, AVAIL_ADD, AVAIL_SUB, AVAIL_MUL, AVAIL_DIV, AVAIL_POW, AVAIL_ABS, AVAIL_EXP,
	AVAIL_LOG, AVAIL_LOG10, AVAIL_SQRT, AVAIL_SIN, AVAIL_COS, AVAIL_TAN, AVAIL_ASIN, AVAIL_ACOS,
	AVAIL_ATAN, AVAIL_SINH, AVAIL_COSH, AVAIL_TANH, AVAIL_CEIL, AVAIL_FLOOR, AVAIL_MOD,
	AVAIL_MIN, AVAIL_MAX, AVAIL_MEAN,
	/* logic and choice */
	AVAIL_LNOT, AVAIL_LAND, AVAIL_LOR, AVAIL_EQ, AVAIL_NE, AVAIL_LT, AVAIL_GT, AVAIL_LE, AVAIL_GE,
	AVAIL_ITE, AVAIL_SWITCH, /* condition, value, ..., default */
	/* laws of failure */
	AVAIL_LAW_EXPONENTIAL,   /* rate, time */
	AVAIL_LAW_GLM,           /* gamma, failure rate, repair rate, time */
	AVAIL_LAW_WEIBULL,       /* scale, shape, time of begin, time */
	AVAIL_LAW_PERIODIC_TEST, /* 4, 5 or 11 arguments, see avail_periodic_test */
	/* distributions */
	AVAIL_UNIFORM_DEVIATE,   /* lower, upper bound */
	AVAIL_NORMAL_DEVIATE,    /* mean, standard deviation */
	AVAIL_LOGNORMAL_DEVIATE, /* mean, error factor, its level; or mean, deviation of the logarithm */
	AVAIL_GAMMA_DEVIATE,     /* shape, scale */
	AVAIL_BETA_DEVIATE,      /* alpha, beta */
	AVAIL_HISTOGRAM,         /* lower bound, then upper bound and value of each bin: a bin is drawn
				  * by its width, then its value */
};

struct avail_expression {
	enum avail_expression_kind kind;
	const char *name;      /* PARAMETER */
	double number;         /* NUMBER */
	uint32_t first, count; /* arguments: expressions, model->indexes[...] */
};

/* Adds an expression; its index, or AVAIL_NONE: no room.  A PARAMETER may get its argument later, by
 * avail_expression_set(). */
uint32_t avail_expression_number(struct avail_model *model, double number);
uint32_t avail_expression_add(struct avail_model *model, enum avail_expression_kind kind,
			      const uint32_t *args, uint32_t count);
uint32_t avail_expression_parameter(struct avail_model *model, const char *name);
int avail_expression_set(struct avail_model *model, uint32_t parameter, uint32_t value);

/* How many arguments a kind takes.  PERIODIC_TEST and HISTOGRAM have gaps between, which
 * avail_model_check knows. */
struct avail_arity {
	uint32_t least, most;
};
struct avail_arity avail_expression_arity(enum avail_expression_kind kind);
/* "periodic-test", as the Open-PSA format spells it. */
const char *avail_expression_word(enum avail_expression_kind kind);

/* One draw of all distributions of a model. */
struct avail_sample {
	const struct avail_model *model;
	double time_h;     /* what MISSION_TIME is */
	uint64_t seed;     /* 0: every distribution at its mean */
	double *values;    /* one an expression */
	uint8_t *known;    /* whether it was computed in this draw */
	uint32_t room;     /* of both */
};

/* Begins with every distribution at its mean.  The model's expressions have no cycle; those that are
 * added while there is a sample may be too many for it (room).  0, or -ENOMEM; the sample is to be
 * ended by avail_sample_fini. */
int avail_sample_init(struct avail_sample *sample, const struct avail_model *model, double time_h);
void avail_sample_fini(struct avail_sample *sample);
/* Begins another draw: 'seed' decides all of it. */
void avail_sample_draw(struct avail_sample *sample, uint64_t seed, double time_h);

/* The value of an expression in this draw.  Division by zero and the like give NAN or infinities, which
 * avail_model_check and avail_leaf_figures refuse for what must be a probability or a rate. */
double avail_expression_value(struct avail_sample *sample, uint32_t expression);

/* Whether one expression has as many arguments as its kind takes; then, when all of the model's have,
 * whether each argument of it is in its range.
 *
 * sample   of mean values
 * 0, or -EINVAL with 'why' (without a path). */
int avail_expression_check_count(const struct avail_model *model, uint32_t expression,
				 struct refusal *why);
int avail_expression_check_range(struct avail_sample *sample, uint32_t expression,
				 struct refusal *why);

#endif
