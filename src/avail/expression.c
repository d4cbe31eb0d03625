#include "avail/expression.h"
#include "avail/deviate.h"
#include "avail/periodic.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define ANY UINT32_MAX

struct avail_arity avail_expression_arity(enum avail_expression_kind kind)
{
	static const struct avail_arity arities[] = {
		[AVAIL_NUMBER] = { 0, 0 },
		[AVAIL_PARAMETER] = { 1, 1 },
		[AVAIL_MISSION_TIME] = { 0, 0 },
		[AVAIL_NEG] = { 1, 1 },
		[AVAIL_ADD] = { 1, ANY },
		[AVAIL_SUB] = { 1, ANY },
		[AVAIL_MUL] = { 1, ANY },
		[AVAIL_DIV] = { 1, ANY },
		[AVAIL_POW] = { 2, 2 },
		[AVAIL_ABS] = { 1, 1 },
		[AVAIL_EXP] = { 1, 1 },
		[AVAIL_LOG] = { 1, 1 },
		[AVAIL_LOG10] = { 1, 1 },
		[AVAIL_SQRT] = { 1, 1 },
		[AVAIL_SIN] = { 1, 1 },
		[AVAIL_COS] = { 1, 1 },
		[AVAIL_TAN] = { 1, 1 },
		[AVAIL_ASIN] = { 1, 1 },
		[AVAIL_ACOS] = { 1, 1 },
		[AVAIL_ATAN] = { 1, 1 },
		[AVAIL_SINH] = { 1, 1 },
		[AVAIL_COSH] = { 1, 1 },
		[AVAIL_TANH] = { 1, 1 },
		[AVAIL_CEIL] = { 1, 1 },
		[AVAIL_FLOOR] = { 1, 1 },
		[AVAIL_MOD] = { 2, 2 },
		[AVAIL_MIN] = { 1, ANY },
		[AVAIL_MAX] = { 1, ANY },
		[AVAIL_MEAN] = { 1, ANY },
		[AVAIL_LNOT] = { 1, 1 },
		[AVAIL_LAND] = { 1, ANY },
		[AVAIL_LOR] = { 1, ANY },
		[AVAIL_EQ] = { 2, 2 },
		[AVAIL_NE] = { 2, 2 },
		[AVAIL_LT] = { 2, 2 },
		[AVAIL_GT] = { 2, 2 },
		[AVAIL_LE] = { 2, 2 },
		[AVAIL_GE] = { 2, 2 },
		[AVAIL_ITE] = { 3, 3 },
		[AVAIL_SWITCH] = { 1, ANY },
		[AVAIL_LAW_EXPONENTIAL] = { 2, 2 },
		[AVAIL_LAW_GLM] = { 4, 4 },
		[AVAIL_LAW_WEIBULL] = { 4, 4 },
		[AVAIL_LAW_PERIODIC_TEST] = { 4, 11 },
		[AVAIL_UNIFORM_DEVIATE] = { 2, 2 },
		[AVAIL_NORMAL_DEVIATE] = { 2, 2 },
		[AVAIL_LOGNORMAL_DEVIATE] = { 2, 3 },
		[AVAIL_GAMMA_DEVIATE] = { 2, 2 },
		[AVAIL_BETA_DEVIATE] = { 2, 2 },
		[AVAIL_HISTOGRAM] = { 3, ANY },
	};

	must((size_t)kind < array_len(arities));
	return arities[kind];
}

int avail_sample_init(struct avail_sample *sample, const struct avail_model *model, double time_h)
{
	uint32_t room = model->expression_room + 1;

	*sample = (struct avail_sample){ .model = model, .time_h = time_h, .room = room };
	sample->values = avail_take(model->memory, room, sizeof *sample->values);
	sample->known = avail_take(model->memory, room, sizeof *sample->known);
	if (sample->values && sample->known)
		return 0;
	avail_sample_fini(sample);
	return -ENOMEM;
}

void avail_sample_fini(struct avail_sample *sample)
{
	struct avail_memory *memory = sample->model->memory;

	avail_give(memory, sample->values, sample->room, sizeof *sample->values);
	avail_give(memory, sample->known, sample->room, sizeof *sample->known);
	sample->values = NULL;
	sample->known = NULL;
}

void avail_sample_draw(struct avail_sample *sample, uint64_t seed, double time_h)
{
	sample->seed = seed;
	sample->time_h = time_h;
	memset(sample->known, 0, sample->room * sizeof *sample->known);
}

/* The value of argument 'place'. */
static double arg(struct avail_sample *sample, const struct avail_expression *expression,
		  uint32_t place)
{
	must(place < expression->count);
	return avail_expression_value(sample, sample->model->indexes[expression->first + place]);
}

static double two(enum avail_expression_kind kind, double a, double b)
{
	switch (kind) {
	case AVAIL_ADD:
	case AVAIL_MEAN:
		return a + b;
	case AVAIL_SUB:
		return a - b;
	case AVAIL_MUL:
		return a * b;
	case AVAIL_DIV:
		return a / b;
	case AVAIL_POW:
		return pow(a, b);
	case AVAIL_MOD:
		return fmod(a, b);
	case AVAIL_MIN:
		return isnan(a) || a < b ? a : b;
	case AVAIL_MAX:
		return isnan(a) || a > b ? a : b;
	case AVAIL_LAND:
		return a != 0 && b != 0;
	case AVAIL_LOR:
		return a != 0 || b != 0;
	case AVAIL_EQ:
		return a == b;
	case AVAIL_NE:
		return a != b;
	case AVAIL_LT:
		return a < b;
	case AVAIL_GT:
		return a > b;
	case AVAIL_LE:
		return a <= b;
	default:
		must(kind == AVAIL_GE);
		return a >= b;
	}
}

static double one(enum avail_expression_kind kind, double a)
{
	switch (kind) {
	case AVAIL_NEG:
		return -a;
	case AVAIL_ABS:
		return fabs(a);
	case AVAIL_EXP:
		return exp(a);
	case AVAIL_LOG:
		return log(a);
	case AVAIL_LOG10:
		return log10(a);
	case AVAIL_SQRT:
		return sqrt(a);
	case AVAIL_SIN:
		return sin(a);
	case AVAIL_COS:
		return cos(a);
	case AVAIL_TAN:
		return tan(a);
	case AVAIL_ASIN:
		return asin(a);
	case AVAIL_ACOS:
		return acos(a);
	case AVAIL_ATAN:
		return atan(a);
	case AVAIL_SINH:
		return sinh(a);
	case AVAIL_COSH:
		return cosh(a);
	case AVAIL_TANH:
		return tanh(a);
	case AVAIL_CEIL:
		return ceil(a);
	case AVAIL_FLOOR:
		return floor(a);
	default:
		must(kind == AVAIL_LNOT);
		return a == 0;
	}
}

/* From left to right: ((a - b) - c) and so on. */
static double fold(struct avail_sample *sample, const struct avail_expression *expression)
{
	bool logic = expression->kind == AVAIL_LAND || expression->kind == AVAIL_LOR;
	double value = arg(sample, expression, 0);

	if (logic)
		value = value != 0;
	for (uint32_t i = 1; i < expression->count; i++)
		value = two(expression->kind, value, arg(sample, expression, i));
	return expression->kind == AVAIL_MEAN ? value / expression->count : value;
}

/* Condition, value, condition, value, ..., value otherwise. */
static double choose(struct avail_sample *sample, const struct avail_expression *expression)
{
	uint32_t i = 0;

	while (i + 2 < expression->count && arg(sample, expression, i) == 0)
		i += 2;
	return arg(sample, expression, i + 2 < expression->count ? i + 1 : expression->count - 1);
}

static double exponential(struct avail_sample *sample, const struct avail_expression *expression)
{
	return -expm1(-arg(sample, expression, 0) * arg(sample, expression, 1));
}

/* Failed on demand with probability gamma, then failing and repaired. */
static double glm(struct avail_sample *sample, const struct avail_expression *expression)
{
	double gamma = arg(sample, expression, 0), failure = arg(sample, expression, 1);
	double both = failure + arg(sample, expression, 2), t = arg(sample, expression, 3);

	if (both == 0)
		return gamma;
	return gamma * exp(-both * t) - failure / both * expm1(-both * t);
}

static double weibull(struct avail_sample *sample, const struct avail_expression *expression)
{
	double scale = arg(sample, expression, 0), shape = arg(sample, expression, 1);
	double t = arg(sample, expression, 3) - arg(sample, expression, 2);

	return t > 0 ? -expm1(-pow(t / scale, shape)) : 0;
}

/* Of 4 arguments: repair takes no time; of 5: the test takes none. */
static double periodic(struct avail_sample *sample, const struct avail_expression *expression)
{
	struct avail_periodic part = { .failure_rate = arg(sample, expression, 0),
				       .repair_rate = INFINITY,
				       .detection = 1 };
	uint32_t last = expression->count - 1;

	if (expression->count == 4) {
		part.interval_h = arg(sample, expression, 1);
		part.first_h = arg(sample, expression, 2);
	} else if (expression->count == 5) {
		part.repair_rate = arg(sample, expression, 1);
		part.interval_h = arg(sample, expression, 2);
		part.first_h = arg(sample, expression, 3);
	} else {
		must(expression->count == 11);
		part.test_failure_rate = arg(sample, expression, 1);
		part.repair_rate = arg(sample, expression, 2);
		part.interval_h = arg(sample, expression, 3);
		part.first_h = arg(sample, expression, 4);
		part.strain = arg(sample, expression, 5);
		part.duration_h = arg(sample, expression, 6);
		part.works_in_test = arg(sample, expression, 7) != 0;
		part.detection = arg(sample, expression, 8);
		part.bad_restart = arg(sample, expression, 9);
	}
	return avail_periodic_test(&part, arg(sample, expression, last));
}

/* A lognormal distribution by its mean and the factor between its median and the quantile 'level',
 * or by mean and deviation of the logarithm: both become the latter. */
static void lognormal(struct avail_sample *sample, const struct avail_expression *expression,
		      double *mu, double *sigma)
{
	double first = arg(sample, expression, 0), second = arg(sample, expression, 1);

	if (expression->count == 2) {
		*mu = first;
		*sigma = second;
		return;
	}
	*sigma = log(second) / avail_normal_quantile(arg(sample, expression, 2));
	*mu = log(first) - *sigma * *sigma / 2;
}

/* A bin is drawn by its width: 'where' is uniform over (0, 1). */
static double drawn_bin(struct avail_sample *sample, const struct avail_expression *expression,
			double where)
{
	double low = arg(sample, expression, 0),
	       high = arg(sample, expression, expression->count - 2);
	double x = low + where * (high - low);
	uint32_t i = 1;

	while (i + 2 < expression->count && arg(sample, expression, i) < x)
		i += 2;
	return arg(sample, expression, i + 1);
}

static double mean_bin(struct avail_sample *sample, const struct avail_expression *expression)
{
	double begin = arg(sample, expression, 0), low = begin, sum = 0;

	for (uint32_t i = 1; i + 1 < expression->count; i += 2) {
		double high = arg(sample, expression, i);

		sum += (high - low) * arg(sample, expression, i + 1);
		low = high;
	}
	return sum / (low - begin);
}

static double mean(struct avail_sample *sample, const struct avail_expression *expression)
{
	double a = arg(sample, expression, 0), b = arg(sample, expression, 1), mu, sigma;

	switch (expression->kind) {
	case AVAIL_UNIFORM_DEVIATE:
		return (a + b) / 2;
	case AVAIL_NORMAL_DEVIATE:
		return a;
	case AVAIL_LOGNORMAL_DEVIATE:
		if (expression->count == 3)
			return a;
		lognormal(sample, expression, &mu, &sigma);
		return exp(mu + sigma * sigma / 2);
	case AVAIL_GAMMA_DEVIATE:
		return a * b;
	case AVAIL_BETA_DEVIATE:
		return a / (a + b);
	default:
		must(expression->kind == AVAIL_HISTOGRAM);
		return mean_bin(sample, expression);
	}
}

static bool is_shape(double value)
{
	return value > 0 && value < INFINITY;
}

/* Each deviate has a stream of its own, so that a draw does not depend on the order of evaluation.
 */
static double drawn(struct avail_sample *sample, const struct avail_expression *expression,
		    uint32_t index)
{
	uint64_t seed = sample->seed + index * UINT64_C(0xd1342543de82ef95),
		 stream = rand_u64(&seed);
	double a = arg(sample, expression, 0), b = arg(sample, expression, 1), mu, sigma;

	switch (expression->kind) {
	case AVAIL_UNIFORM_DEVIATE:
		return a + (b - a) * avail_deviate_uniform(&stream);
	case AVAIL_NORMAL_DEVIATE:
		return a + b * avail_deviate_normal(&stream);
	case AVAIL_LOGNORMAL_DEVIATE:
		lognormal(sample, expression, &mu, &sigma);
		return exp(mu + sigma * avail_deviate_normal(&stream));
	case AVAIL_GAMMA_DEVIATE:
		return is_shape(a) ? b * avail_deviate_gamma(&stream, a) : NAN;
	case AVAIL_BETA_DEVIATE:
		return is_shape(a) && is_shape(b) ? avail_deviate_beta(&stream, a, b) : NAN;
	default:
		must(expression->kind == AVAIL_HISTOGRAM);
		return drawn_bin(sample, expression, avail_deviate_uniform(&stream));
	}
}

static double computed(struct avail_sample *sample, const struct avail_expression *expression,
		       uint32_t index)
{
	switch (expression->kind) {
	case AVAIL_NUMBER:
		return expression->number;
	case AVAIL_MISSION_TIME:
		return sample->time_h;
	case AVAIL_PARAMETER:
		return arg(sample, expression, 0);
	case AVAIL_ITE:
	case AVAIL_SWITCH:
		return choose(sample, expression);
	case AVAIL_LAW_EXPONENTIAL:
		return exponential(sample, expression);
	case AVAIL_LAW_GLM:
		return glm(sample, expression);
	case AVAIL_LAW_WEIBULL:
		return weibull(sample, expression);
	case AVAIL_LAW_PERIODIC_TEST:
		return periodic(sample, expression);
	default:
		break;
	}
	if (expression->kind >= AVAIL_UNIFORM_DEVIATE)
		return sample->seed ? drawn(sample, expression, index) : mean(sample, expression);
	if (avail_expression_arity(expression->kind).most == 1)
		return one(expression->kind, arg(sample, expression, 0));
	return fold(sample, expression);
}

double avail_expression_value(struct avail_sample *sample, uint32_t expression)
{
	must(expression < sample->model->expression_count);
	must(expression < sample->room);
	if (!sample->known[expression]) {
		sample->values[expression] =
			computed(sample, &sample->model->expressions[expression], expression);
		sample->known[expression] = 1;
	}
	return sample->values[expression];
}
