/* Expressions of the stochastic layer. */
#include "store/openpsa_reader.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- units --- */

static const struct {
	const char *word;
	enum openpsa_unit unit, base; /* base: what it can be turned into */
	double factor;		      /* how many of 'base' one is */
} units[] = {
	{ "bool", OPENPSA_BOOL, OPENPSA_BOOL, 1 },
	{ "int", OPENPSA_INT, OPENPSA_INT, 1 },
	{ "float", OPENPSA_FLOAT, OPENPSA_FLOAT, 1 },
	{ "hours", OPENPSA_HOURS, OPENPSA_HOURS, 1 },
	{ "years", OPENPSA_YEARS, OPENPSA_HOURS, 8760 },
	{ "hours-1", OPENPSA_PER_HOUR, OPENPSA_PER_HOUR, 1 },
	{ "years-1", OPENPSA_PER_YEAR, OPENPSA_PER_HOUR, 1.0 / 8760 },
	{ "fit", OPENPSA_FIT, OPENPSA_PER_HOUR, 1e-9 },
	{ "demands", OPENPSA_DEMANDS, OPENPSA_DEMANDS, 1 },
};

static unsigned place_of(enum openpsa_unit unit)
{
	unsigned i = 0;

	while (units[i].unit != unit)
		i++;
	return i;
}

enum openpsa_unit openpsa_unit_of(struct openpsa *reader, const xmlNode *node)
{
	char room[OPENPSA_XML_VALUE];
	const char *word = openpsa_xml_value(node, "unit", room);

	if (!word)
		return OPENPSA_NO_UNIT;
	for (unsigned i = 0; i < array_len(units); i++)
		if (strcmp(units[i].word, word) == 0)
			return units[i].unit;
	openpsa_find(
		reader, node,
		"the unit '%.64s' is not one of bool, int, float, hours, hours-1, years, years-1, "
		"fit, demands",
		word);
	return OPENPSA_NO_UNIT;
}

/* --- building --- */

static bool add(struct openpsa *reader, const xmlNode *node, uint32_t made, uint32_t *expression)
{
	*expression = made;
	if (made == AVAIL_NONE) {
		openpsa_no_room(reader);
		return false;
	}
	openpsa_note(reader, &reader->expressions, made, node);
	return !reader->full;
}

static bool add_number(struct openpsa *reader, const xmlNode *node, double value,
		       uint32_t *expression)
{
	return add(reader, node, avail_expression_number(reader->model, value), expression);
}

/* The value in another unit of the same dimension, when both are said. */
static bool convert(struct openpsa *reader, const xmlNode *node, enum openpsa_unit from,
		    enum openpsa_unit to, uint32_t *expression)
{
	unsigned a, b;
	uint32_t args[2];

	if (from == to || from == OPENPSA_NO_UNIT || to == OPENPSA_NO_UNIT)
		return true;
	a = place_of(from);
	b = place_of(to);
	if (units[a].base != units[b].base) {
		openpsa_find(reader, node, "a value in %s cannot be had in %s", units[a].word,
			     units[b].word);
		return false;
	}
	args[0] = *expression;
	return add_number(reader, node, units[a].factor / units[b].factor, &args[1]) &&
	       add(reader, node, avail_expression_add(reader->model, AVAIL_MUL, args, 2),
		   expression);
}

static bool push(struct openpsa *reader, uint32_t expression)
{
	if (!openpsa_make_room(reader, &reader->numbers, &reader->number_room,
			       (uint64_t)reader->number_count + 1, sizeof *reader->numbers))
		return false;
	reader->numbers[reader->number_count++] = expression;
	return true;
}

static bool push_all(struct openpsa *reader, const xmlNode *node, const char *pair);

/* A <bin> or a <case>. */
static bool push_pair(struct openpsa *reader, const xmlNode *node)
{
	uint32_t base = reader->number_count, count;

	if (!openpsa_plain(reader, node, "") || !push_all(reader, node, NULL))
		return false;
	count = reader->number_count - base;
	if (count != 2)
		openpsa_find(reader, node, "<%s> has %u arguments; it takes 2",
			     (const char *)node->name, count);
	return count == 2;
}

/* What is no pair is alone: the first in a histogram, the last in a switch. */
static bool is_alone(const xmlNode *child, const char *pair)
{
	const xmlNode *other = child->parent->children;

	if (strcmp(pair, "case") == 0)
		return !openpsa_xml_next(child);
	while (other != child && other->type != XML_ELEMENT_NODE)
		other = other->next;
	return other == child;
}

/* Pushes what is within 'node'; an element with the name 'pair' gives two.  False: a finding. */
static bool push_all(struct openpsa *reader, const xmlNode *node, const char *pair)
{
	const xmlNode *child = openpsa_xml_first(node);
	bool good = true;
	uint32_t expression;

	for (; child; child = openpsa_xml_next(child)) {
		if (pair && openpsa_xml_is(child, pair)) {
			good = push_pair(reader, child) && good;
		} else if (pair && !is_alone(child, pair)) {
			openpsa_misplaced(reader, child, pair);
			good = false;
		} else if (!openpsa_expression(reader, child, &expression) ||
			   !push(reader, expression)) {
			good = false;
		}
	}
	return good;
}

/* An operation, a law or a distribution with everything within it. */
static bool operation(struct openpsa *reader, const xmlNode *node, enum avail_expression_kind kind,
		      uint32_t *expression)
{
	const char *pair = kind == AVAIL_HISTOGRAM ? "bin" : kind == AVAIL_SWITCH ? "case" : NULL;
	uint32_t base = reader->number_count, count;
	bool good = openpsa_plain(reader, node, "") && push_all(reader, node, pair);

	count = reader->number_count - base;
	reader->number_count = base;
	return good && add(reader, node,
			   avail_expression_add(reader->model, kind, reader->numbers + base, count),
			   expression);
}

/* --- values --- */

/* A decimal number with nothing behind it; neither hexadecimal nor "inf" nor "nan". */
static bool decimal(const char *text, double *value)
{
	char *end;

	if (text[strspn(text, "+-0123456789.eE")] != 0 || !*text)
		return false;
	*value = strtod(text, &end);
	return *end == 0 && isfinite(*value);
}

static bool number(struct openpsa *reader, const xmlNode *node, uint32_t *expression)
{
	bool whole = openpsa_xml_is(node, "int");
	char room[OPENPSA_XML_VALUE];
	const char *text = openpsa_plain(reader, node, "value")
				   ? openpsa_needed(reader, node, "value", room)
				   : NULL;
	double value;

	if (!text)
		return false;
	if (decimal(text, &value) && (!whole || !text[strspn(text, "+-0123456789")]))
		return add_number(reader, node, value, expression);
	openpsa_find(reader, node, "'%.64s' is no %s number", text, whole ? "whole" : "decimal");
	return false;
}

static bool truth(struct openpsa *reader, const xmlNode *node, uint32_t *expression)
{
	bool value;

	return openpsa_truth(reader, node, &value) && add_number(reader, node, value, expression);
}

static bool parameter(struct openpsa *reader, const xmlNode *node, uint32_t *expression)
{
	char room[OPENPSA_XML_VALUE];
	const char *name = openpsa_plain(reader, node, "name unit")
				   ? openpsa_needed(reader, node, "name", room)
				   : NULL;
	uint32_t found;

	if (!name)
		return false;
	found = openpsa_resolve(reader, OPENPSA_PARAMETERS, name);
	if (found == NAME_TABLE_NONE) {
		openpsa_find(reader, node, "parameter %.128s is not defined", name);
		return false;
	}
	*expression = reader->things[found].index;
	return *expression != AVAIL_NONE && convert(reader, node, reader->things[found].unit,
						    openpsa_unit_of(reader, node), expression);
}

static bool mission_time(struct openpsa *reader, const xmlNode *node, uint32_t *expression)
{
	if (!openpsa_plain(reader, node, "unit"))
		return false;
	if (reader->mission_time == AVAIL_NONE &&
	    !add(reader, node, avail_expression_add(reader->model, AVAIL_MISSION_TIME, NULL, 0),
		 &reader->mission_time))
		return false;
	*expression = reader->mission_time;
	return convert(reader, node, OPENPSA_HOURS, openpsa_unit_of(reader, node), expression);
}

static bool pi(struct openpsa *reader, const xmlNode *node, uint32_t *expression)
{
	return openpsa_plain(reader, node, "") &&
	       add_number(reader, node, 3.14159265358979323846, expression);
}

static bool test_event(struct openpsa *reader, const xmlNode *node, uint32_t *expression)
{
	bool value;

	return openpsa_walk_test(reader, node, &value) &&
	       add_number(reader, node, value, expression);
}

static bool decline(struct openpsa *reader, const xmlNode *node, uint32_t *expression)
{
	(void)expression;
	openpsa_find(reader, node, "<%.64s> is not supported", (const char *)node->name);
	return false;
}

static const struct {
	const char *name;
	bool (*read)(struct openpsa *reader, const xmlNode *node, uint32_t *expression);
} values[] = {
	{ "float", number },
	{ "int", number },
	{ "bool", truth },
	{ "parameter", parameter },
	{ "system-mission-time", mission_time },
	{ "pi", pi },
	{ "test-initiating-event", test_event },
	{ "test-functional-event", test_event },
	{ "extern-function", decline },
};

bool openpsa_expression(struct openpsa *reader, const xmlNode *node, uint32_t *expression)
{
	if (reader->full || avail_findings_full(reader->findings))
		return false;
	for (unsigned i = 0; i < array_len(values); i++)
		if (openpsa_xml_is(node, values[i].name))
			return values[i].read(reader, node, expression);
	for (unsigned kind = AVAIL_NEG; kind <= AVAIL_HISTOGRAM; kind++)
		if (openpsa_xml_is(node, avail_expression_word(kind)))
			return operation(reader, node, kind, expression);
	openpsa_misplaced(reader, node, "an expression");
	return false;
}
