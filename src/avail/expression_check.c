/* Arguments of expressions: how many, and in which range. */
#include "avail/expression.h"

#include <errno.h>
#include <math.h>

const char *avail_expression_word(enum avail_expression_kind kind)
{
	static const char *const words[] = {
		[AVAIL_NUMBER] = "float",
		[AVAIL_PARAMETER] = "parameter",
		[AVAIL_MISSION_TIME] = "system-mission-time",
		[AVAIL_NEG] = "neg",
		[AVAIL_ADD] = "add",
		[AVAIL_SUB] = "sub",
		[AVAIL_MUL] = "mul",
		[AVAIL_DIV] = "div",
		[AVAIL_POW] = "pow",
		[AVAIL_ABS] = "abs",
		[AVAIL_EXP] = "exp",
		[AVAIL_LOG] = "log",
		[AVAIL_LOG10] = "log10",
		[AVAIL_SQRT] = "sqrt",
		[AVAIL_SIN] = "sin",
		[AVAIL_COS] = "cos",
		[AVAIL_TAN] = "tan",
		[AVAIL_ASIN] = "asin",
		[AVAIL_ACOS] = "acos",
		[AVAIL_ATAN] = "atan",
		[AVAIL_SINH] = "sinh",
		[AVAIL_COSH] = "cosh",
		[AVAIL_TANH] = "tanh",
		[AVAIL_CEIL] = "ceil",
		[AVAIL_FLOOR] = "floor",
		[AVAIL_MOD] = "mod",
		[AVAIL_MIN] = "min",
		[AVAIL_MAX] = "max",
		[AVAIL_MEAN] = "mean",
		[AVAIL_LNOT] = "not",
		[AVAIL_LAND] = "and",
		[AVAIL_LOR] = "or",
		[AVAIL_EQ] = "eq",
		[AVAIL_NE] = "df",
		[AVAIL_LT] = "lt",
		[AVAIL_GT] = "gt",
		[AVAIL_LE] = "leq",
		[AVAIL_GE] = "geq",
		[AVAIL_ITE] = "ite",
		[AVAIL_SWITCH] = "switch",
		[AVAIL_LAW_EXPONENTIAL] = "exponential",
		[AVAIL_LAW_GLM] = "GLM",
		[AVAIL_LAW_WEIBULL] = "Weibull",
		[AVAIL_LAW_PERIODIC_TEST] = "periodic-test",
		[AVAIL_UNIFORM_DEVIATE] = "uniform-deviate",
		[AVAIL_NORMAL_DEVIATE] = "normal-deviate",
		[AVAIL_LOGNORMAL_DEVIATE] = "lognormal-deviate",
		[AVAIL_GAMMA_DEVIATE] = "gamma-deviate",
		[AVAIL_BETA_DEVIATE] = "beta-deviate",
		[AVAIL_HISTOGRAM] = "histogram",
	};

	must((size_t)kind < array_len(words) && words[kind]);
	return words[kind];
}

enum range { NOT_NEGATIVE, POSITIVE, PROBABILITY, ABOVE_ONE, LEVEL };

static const struct {
	const char *phrase;
} ranges[] = {
	[NOT_NEGATIVE] = { "0 or more" },      [POSITIVE] = { "above 0" },
	[PROBABILITY] = { "from 0 to 1" },     [ABOVE_ONE] = { "above 1" },
	[LEVEL] = { "above 0.5 and below 1" },
};

static bool in_range(enum range range, double value)
{
	switch (range) {
	case NOT_NEGATIVE:
		return value >= 0 && value < INFINITY;
	case POSITIVE:
		return value > 0 && value < INFINITY;
	case PROBABILITY:
		return value >= 0 && value <= 1;
	case ABOVE_ONE:
		return value > 1 && value < INFINITY;
	case LEVEL:
		return value > 0.5 && value < 1;
	}
	return false;
}

/* What each argument of a law or a distribution must be; 'count' tells forms of a kind apart, 0:
 * any. */
static const struct {
	enum avail_expression_kind kind;
	uint32_t count, place;
	enum range range;
	const char *what;
} rules[] = {
	{ AVAIL_LAW_EXPONENTIAL, 0, 0, NOT_NEGATIVE, "failure rate" },
	{ AVAIL_LAW_EXPONENTIAL, 0, 1, NOT_NEGATIVE, "time" },
	{ AVAIL_LAW_GLM, 0, 0, PROBABILITY, "probability of failure on demand" },
	{ AVAIL_LAW_GLM, 0, 1, NOT_NEGATIVE, "failure rate" },
	{ AVAIL_LAW_GLM, 0, 2, NOT_NEGATIVE, "repair rate" },
	{ AVAIL_LAW_GLM, 0, 3, NOT_NEGATIVE, "time" },
	{ AVAIL_LAW_WEIBULL, 0, 0, POSITIVE, "scale" },
	{ AVAIL_LAW_WEIBULL, 0, 1, POSITIVE, "shape" },
	{ AVAIL_LAW_WEIBULL, 0, 2, NOT_NEGATIVE, "time shift" },
	{ AVAIL_LAW_WEIBULL, 0, 3, NOT_NEGATIVE, "time" },
	{ AVAIL_LAW_PERIODIC_TEST, 0, 0, NOT_NEGATIVE, "failure rate" },
	{ AVAIL_LAW_PERIODIC_TEST, 4, 1, POSITIVE, "time between tests" },
	{ AVAIL_LAW_PERIODIC_TEST, 4, 2, NOT_NEGATIVE, "time until the first test" },
	{ AVAIL_LAW_PERIODIC_TEST, 4, 3, NOT_NEGATIVE, "time" },
	{ AVAIL_LAW_PERIODIC_TEST, 5, 1, NOT_NEGATIVE, "repair rate" },
	{ AVAIL_LAW_PERIODIC_TEST, 5, 2, POSITIVE, "time between tests" },
	{ AVAIL_LAW_PERIODIC_TEST, 5, 3, NOT_NEGATIVE, "time until the first test" },
	{ AVAIL_LAW_PERIODIC_TEST, 5, 4, NOT_NEGATIVE, "time" },
	{ AVAIL_LAW_PERIODIC_TEST, 11, 1, NOT_NEGATIVE, "failure rate during the test" },
	{ AVAIL_LAW_PERIODIC_TEST, 11, 2, NOT_NEGATIVE, "repair rate" },
	{ AVAIL_LAW_PERIODIC_TEST, 11, 3, POSITIVE, "time between tests" },
	{ AVAIL_LAW_PERIODIC_TEST, 11, 4, NOT_NEGATIVE, "time until the first test" },
	{ AVAIL_LAW_PERIODIC_TEST, 11, 5, PROBABILITY,
	  "probability that the test causes a failure" },
	{ AVAIL_LAW_PERIODIC_TEST, 11, 6, NOT_NEGATIVE, "duration of the test" },
	{ AVAIL_LAW_PERIODIC_TEST, 11, 8, PROBABILITY,
	  "probability that the test finds a failure" },
	{ AVAIL_LAW_PERIODIC_TEST, 11, 9, PROBABILITY, "probability of a bad restart" },
	{ AVAIL_LAW_PERIODIC_TEST, 11, 10, NOT_NEGATIVE, "time" },
	{ AVAIL_NORMAL_DEVIATE, 0, 1, POSITIVE, "standard deviation" },
	{ AVAIL_LOGNORMAL_DEVIATE, 2, 1, POSITIVE, "standard deviation of the logarithm" },
	{ AVAIL_LOGNORMAL_DEVIATE, 3, 0, POSITIVE, "mean" },
	{ AVAIL_LOGNORMAL_DEVIATE, 3, 1, ABOVE_ONE, "error factor" },
	{ AVAIL_LOGNORMAL_DEVIATE, 3, 2, LEVEL, "level of the error factor" },
	{ AVAIL_GAMMA_DEVIATE, 0, 0, POSITIVE, "shape" },
	{ AVAIL_GAMMA_DEVIATE, 0, 1, POSITIVE, "scale" },
	{ AVAIL_BETA_DEVIATE, 0, 0, POSITIVE, "first shape" },
	{ AVAIL_BETA_DEVIATE, 0, 1, POSITIVE, "second shape" },
};

int avail_expression_check_count(const struct avail_model *model, uint32_t index,
				 struct refusal *why)
{
	const struct avail_expression *expression = &model->expressions[index];
	struct avail_arity arity = avail_expression_arity(expression->kind);
	const char *word = avail_expression_word(expression->kind);
	uint32_t count = expression->count;

	if (expression->kind == AVAIL_LAW_PERIODIC_TEST && count != 4 && count != 5 && count != 11)
		refuse(why, "", "%s has %u arguments; it takes 4, 5 or 11", word, count);
	else if (expression->kind == AVAIL_HISTOGRAM && (count < 3 || count % 2 == 0))
		refuse(why, "", "%s needs a lower bound and at least one bin of two values", word);
	else if (expression->kind == AVAIL_SWITCH && count % 2 == 0)
		refuse(why, "", "%s needs a value for when no case holds", word);
	else if (count < arity.least && arity.most == UINT32_MAX)
		refuse(why, "", "%s has %u arguments; it takes %u or more", word, count,
		       arity.least);
	else if ((count < arity.least || count > arity.most) && arity.least == arity.most)
		refuse(why, "", "%s has %u arguments; it takes %u", word, count, arity.least);
	else if (count < arity.least || count > arity.most)
		refuse(why, "", "%s has %u arguments; it takes %u to %u", word, count, arity.least,
		       arity.most);
	else
		return 0;
	return -EINVAL;
}

static double value_of(struct avail_sample *sample, const struct avail_expression *expression,
		       uint32_t place)
{
	double value =
		avail_expression_value(sample, sample->model->indexes[expression->first + place]);

	return isnan(value) ? (double)NAN : value; /* without a sign, in messages */
}

/* Upper bounds of a distribution's range must be above the lower ones. */
static int check_bounds(struct avail_sample *sample, const struct avail_expression *expression,
			struct refusal *why)
{
	uint32_t step = expression->kind == AVAIL_HISTOGRAM ? 2 : 1;
	double low = value_of(sample, expression, 0);

	for (uint32_t i = 1; i < expression->count; i += step) {
		double high = value_of(sample, expression, i);

		if (!(high > low) || high - low >= INFINITY) {
			refuse(why, "", "%s: the bound %g does not lie above the one before it, %g",
			       avail_expression_word(expression->kind), high, low);
			return -EINVAL;
		}
		low = high;
	}
	return 0;
}

static int check_ranges(struct avail_sample *sample, const struct avail_expression *expression,
			struct refusal *why)
{
	for (unsigned i = 0; i < array_len(rules); i++) {
		double value;

		if (rules[i].kind != expression->kind ||
		    (rules[i].count && rules[i].count != expression->count))
			continue;
		value = value_of(sample, expression, rules[i].place);
		if (in_range(rules[i].range, value))
			continue;
		refuse(why, "", "%s: the %s is %g; it must be %s",
		       avail_expression_word(expression->kind), rules[i].what, value,
		       ranges[rules[i].range].phrase);
		return -EINVAL;
	}
	return 0;
}

int avail_expression_check_range(struct avail_sample *sample, uint32_t index, struct refusal *why)
{
	const struct avail_expression *expression = &sample->model->expressions[index];
	int err;

	if (expression->kind == AVAIL_UNIFORM_DEVIATE || expression->kind == AVAIL_HISTOGRAM)
		return check_bounds(sample, expression, why);
	err = check_ranges(sample, expression, why);
	if (err || expression->kind != AVAIL_LAW_PERIODIC_TEST || expression->count != 11)
		return err;
	if (value_of(sample, expression, 6) <= value_of(sample, expression, 3))
		return 0;
	refuse(why, "", "periodic-test: the test lasts %g h, longer than the %g h between tests",
	       value_of(sample, expression, 6), value_of(sample, expression, 3));
	return -EINVAL;
}
