/* Parameters of a hand-written model, and what quantities are in it. */
#include "store/avail_build.h"

#include <string.h>

/* The arguments of each distribution, in the order of its expression. */
static const struct argument {
	enum said_distribution distribution;
	const char *key;
	size_t offset;
	enum { SAME, PLAIN } dimension; /* that of the parameter, or none */
	const char *preset;		/* NULL: it must be given */
} arguments[] = {
#define ARGUMENT(of, member, dimension, preset)                                         \
	{                                                                               \
		of, #member, offsetof(struct said_parameter, member), dimension, preset \
	}
	ARGUMENT(SAID_CONSTANT, value, SAME, NULL),
	ARGUMENT(SAID_UNIFORM, low, SAME, NULL),
	ARGUMENT(SAID_UNIFORM, high, SAME, NULL),
	ARGUMENT(SAID_NORMAL, mean, SAME, NULL),
	ARGUMENT(SAID_NORMAL, deviation, SAME, NULL),
	ARGUMENT(SAID_LOGNORMAL, mean, SAME, NULL),
	ARGUMENT(SAID_LOGNORMAL, error_factor, PLAIN, NULL),
	ARGUMENT(SAID_LOGNORMAL, level, PLAIN, "0.95"),
	ARGUMENT(SAID_GAMMA, shape, PLAIN, NULL),
	ARGUMENT(SAID_GAMMA, scale, SAME, NULL),
	ARGUMENT(SAID_BETA, alpha, PLAIN, NULL),
	ARGUMENT(SAID_BETA, beta, PLAIN, NULL),
};

static const enum avail_expression_kind kinds[] = {
	[SAID_UNIFORM] = AVAIL_UNIFORM_DEVIATE,	    [SAID_NORMAL] = AVAIL_NORMAL_DEVIATE,
	[SAID_LOGNORMAL] = AVAIL_LOGNORMAL_DEVIATE, [SAID_GAMMA] = AVAIL_GAMMA_DEVIATE,
	[SAID_BETA] = AVAIL_BETA_DEVIATE,	    [SAID_HISTOGRAM] = AVAIL_HISTOGRAM,
};

static const struct said_quantity *quantity_at(const struct said_parameter *said, size_t offset)
{
	return (const void *)((const uint8_t *)said + offset);
}

/* --- expressions of quantities --- */

static bool keep(struct build *build, uint32_t made, unsigned line, uint32_t *expression)
{
	*expression = made;
	return build_note(build, AVAIL_PART_EXPRESSION, made, line);
}

static struct build_parameter *parameter_of(struct build *build, const char *name)
{
	uint32_t found = name_table_get(&build->parameter_names, name);

	return found == NAME_TABLE_NONE ? NULL : &build->parameters[found];
}

bool build_quantity(struct build *build, const struct said_quantity *quantity,
		    enum avail_dimension dimension, const char *by, const char *what,
		    uint32_t *expression)
{
	enum avail_dimension is = quantity->dimension;
	const struct build_parameter *parameter;

	if (quantity->parameter) {
		parameter = parameter_of(build, quantity->parameter);
		if (!parameter) {
			build_find(build, quantity->line, by, "%s: there is no parameter %s", what,
				   quantity->parameter);
			return false;
		}
		*expression = parameter->expression;
		is = parameter->dimension;
	} else if (quantity->value == 0) {
		is = dimension;
	}
	if (is != dimension) {
		build_find(build, quantity->line, by, "%s is %s; it must be %s", what,
			   avail_dimension_word(is), avail_dimension_word(dimension));
		return false;
	}
	return quantity->parameter ||
	       keep(build, avail_expression_number(build->model, quantity->value), quantity->line,
		    expression);
}

bool build_rate(struct build *build, const struct said_quantity *mtbf,
		const struct said_quantity *rate, const char *by, uint32_t *expression)
{
	uint32_t args[2];

	if (!mtbf->line)
		return build_quantity(build, rate, AVAIL_RATE, by, "failure_rate", expression);
	if (!mtbf->parameter && !(mtbf->value > 0)) {
		build_find(build, mtbf->line, by, "mtbf is 0; it must be above 0");
		return false;
	}
	if (!mtbf->parameter)
		return keep(build, avail_expression_number(build->model, 1 / mtbf->value),
			    mtbf->line, expression);
	return build_quantity(build, mtbf, AVAIL_TIME, by, "mtbf", &args[1]) &&
	       keep(build, avail_expression_number(build->model, 1), mtbf->line, &args[0]) &&
	       keep(build, avail_expression_add(build->model, AVAIL_DIV, args, 2), mtbf->line,
		    expression);
}

/* --- dimensions --- */

/* The quantity that a parameter has its dimension from; NULL: it has none, or is not given. */
static const struct said_quantity *lead(const struct said_parameter *said)
{
	const struct said_quantity *first = NULL;

	if (said->distribution == SAID_HISTOGRAM && said->values.count > 0)
		return said->values.at;
	for (unsigned i = 0; i < array_len(arguments); i++) {
		const struct said_quantity *quantity = quantity_at(said, arguments[i].offset);

		if (arguments[i].distribution != said->distribution ||
		    arguments[i].dimension == PLAIN || !quantity->line)
			continue;
		if (quantity->parameter || quantity->value != 0)
			return quantity;
		first = quantity;
	}
	return first;
}

/* The parameter that the dimension comes from, or NULL: it is known here. */
static struct build_parameter *leader(struct build *build, const struct build_parameter *parameter)
{
	const struct said_quantity *quantity = lead(parameter->said);

	if (parameter->settled || !quantity || !quantity->parameter)
		return NULL;
	return parameter_of(build, quantity->parameter);
}

/* Follows the chain to a number, and settles all of it; in a cycle, which the check of the model
 * names, it is cut somewhere. */
static void settle(struct build *build, struct build_parameter *parameter)
{
	struct build_parameter *end = parameter, *next;
	enum avail_dimension dimension = AVAIL_PLAIN;
	const struct said_quantity *quantity;
	uint32_t steps = 0;

	while ((next = leader(build, end)) != NULL && steps++ < build->parameter_count)
		end = next;
	quantity = lead(end->said);
	if (end->settled)
		dimension = end->dimension;
	else if (quantity && !quantity->parameter)
		dimension = quantity->dimension;
	for (; parameter; parameter = next) {
		next = leader(build, parameter);
		parameter->dimension = dimension;
		parameter->settled = true;
	}
}

/* --- parameters --- */

static void declare(struct build *build, const struct said_parameter *said)
{
	struct build_parameter *parameter = &build->parameters[build->parameter_count];
	const struct build_parameter *taken = parameter_of(build, said->name);
	uint32_t made;

	if (!avail_parameter_is_good(said->name)) {
		build_find(build, said->line, said->name,
			   "the name of a parameter begins with a letter");
		return;
	}
	if (taken) {
		build_find(build, said->line, said->name, "is there twice, first on line %u",
			   taken->said->line);
		return;
	}
	*parameter = (struct build_parameter){ .said = said };
	made = avail_expression_parameter(build->model, said->name);
	if (!keep(build, made, said->line, &parameter->expression))
		return;
	if (name_table_put(&build->parameter_names, said->name, build->parameter_count) != 0)
		build_no_room(build);
	build->parameter_count++;
}

/* Whether the key in row 'row' belongs to the distribution, or was seen in a row before. */
static bool is_mine(const struct said_parameter *said, unsigned row)
{
	for (unsigned i = 0; i < array_len(arguments); i++)
		if (arguments[i].offset == arguments[row].offset &&
		    (arguments[i].distribution == said->distribution || i < row))
			return true;
	return false;
}

/* Whether every key that is given belongs to the distribution. */
static bool fits(struct build *build, const struct said_parameter *said)
{
	unsigned before = build->said->findings->found;

	for (unsigned i = 0; i < array_len(arguments); i++) {
		const struct said_quantity *quantity = quantity_at(said, arguments[i].offset);

		if (quantity->line && !is_mine(said, i))
			build_find(build, quantity->line, said->name, "its distribution has no %s",
				   arguments[i].key);
	}
	if (said->distribution != SAID_HISTOGRAM && said->values.count + said->weights.count > 0)
		build_find(build, said->line, said->name,
			   "its distribution has no values or weights");
	return build->said->findings->found == before;
}

/* The argument's expression; false with a finding. */
static bool argument(struct build *build, const struct build_parameter *parameter,
		     const struct argument *argument, uint32_t *expression)
{
	const struct said_parameter *said = parameter->said;
	const struct said_quantity *quantity = quantity_at(said, argument->offset);
	struct said_quantity preset = { .line = said->line };
	enum avail_dimension dimension =
		argument->dimension == SAME ? parameter->dimension : AVAIL_PLAIN;

	if (!quantity->line && !argument->preset) {
		build_find(build, said->line, said->name, "its distribution needs %s",
			   argument->key);
		return false;
	}
	if (!quantity->line) {
		must(avail_number_parse(argument->preset, &preset.value, &preset.dimension));
		quantity = &preset;
	}
	return build_quantity(build, quantity, dimension, said->name, argument->key, expression);
}

/* A bin for each value, as wide as its weight. */
static bool histogram(struct build *build, const struct build_parameter *parameter,
		      uint32_t *expression)
{
	const struct said_parameter *said = parameter->said;
	uint32_t count = said->values.count, *args;
	double bound = 0;

	if (count == 0 || count != said->weights.count) {
		build_find(build, said->line, said->name, "has %u values and %u weights", count,
			   said->weights.count);
		return false;
	}
	args = avail_said_take(build->said, 1 + 2 * (size_t)count, sizeof *args);
	if (!args || !keep(build, avail_expression_number(build->model, 0), said->line, &args[0]))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		const struct said_quantity *weight = &said->weights.at[i];

		if (weight->parameter || weight->dimension != AVAIL_PLAIN || !(weight->value > 0)) {
			build_find(build, weight->line, said->name, "a weight is a number above 0");
			return false;
		}
		bound += weight->value;
		if (!keep(build, avail_expression_number(build->model, bound), weight->line,
			  &args[1 + 2 * i]) ||
		    !build_quantity(build, &said->values.at[i], parameter->dimension, said->name,
				    "a value", &args[2 + 2 * i]))
			return false;
	}
	return keep(build, avail_expression_add(build->model, AVAIL_HISTOGRAM, args, 1 + 2 * count),
		    said->line, expression);
}

static bool distribution(struct build *build, const struct build_parameter *parameter,
			 uint32_t *expression)
{
	const struct said_parameter *said = parameter->said;
	uint32_t args[3], count = 0;
	bool good = true;

	if (said->distribution == SAID_HISTOGRAM)
		return histogram(build, parameter, expression);
	for (unsigned i = 0; i < array_len(arguments); i++)
		if (arguments[i].distribution == said->distribution)
			good = argument(build, parameter, &arguments[i], &args[count++]) && good;
	if (!good)
		return false;
	*expression = args[0];
	return said->distribution == SAID_CONSTANT ||
	       keep(build,
		    avail_expression_add(build->model, kinds[said->distribution], args, count),
		    said->line, expression);
}

void build_parameters(struct build *build)
{
	uint32_t expression;

	BUILD_EACH(said_parameter, said, build->said->model.parameters)
	declare(build, said);
	for (uint32_t i = 0; i < build->parameter_count; i++)
		settle(build, &build->parameters[i]);
	for (uint32_t i = 0; i < build->parameter_count && !build->said->full; i++) {
		const struct build_parameter *parameter = &build->parameters[i];

		if (fits(build, parameter->said) && distribution(build, parameter, &expression) &&
		    avail_expression_set(build->model, parameter->expression, expression) != 0)
			build_no_room(build);
	}
}
