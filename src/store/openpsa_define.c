/* The third pass: what gates, events, parameters and common-cause groups are. */
#include "store/openpsa_reader.h"

#include <stdio.h>
#include <string.h>

/* --- references --- */

static const char *word_of(enum openpsa_kind kind)
{
	switch (kind) {
	case OPENPSA_GATE:
		return "gate";
	case OPENPSA_BASIC_EVENT:
		return "basic event";
	case OPENPSA_HOUSE_EVENT:
		return "house event";
	default:
		return "thing";
	}
}

/* Which kind the element refers to; false: it is no reference to an event.  *any: any kind. */
static bool reference_kind(const xmlNode *node, enum openpsa_kind *kind, bool *any)
{
	static const struct {
		const char *name;
		enum openpsa_kind kind;
	} words[] = {
		{ "gate", OPENPSA_GATE },
		{ "basic-event", OPENPSA_BASIC_EVENT },
		{ "house-event", OPENPSA_HOUSE_EVENT },
	};
	char room[OPENPSA_XML_VALUE];
	const char *type = (const char *)node->name;
	bool event = openpsa_xml_is(node, "event");

	if (node->ns && node->ns->prefix)
		return false;
	*any = false;
	if (event)
		type = openpsa_xml_value(node, "type", room);
	*any = event && !type;
	*kind = OPENPSA_GATE;
	for (unsigned i = 0; type && i < array_len(words); i++) {
		*kind = words[i].kind;
		if (strcmp(type, words[i].name) == 0)
			return true;
	}
	return event;
}

static bool known_type(struct openpsa *reader, const xmlNode *node)
{
	char room[OPENPSA_XML_VALUE];
	const char *type = openpsa_xml_value(node, "type", room);

	if (!type || strcmp(type, "gate") == 0 || strcmp(type, "basic-event") == 0 ||
	    strcmp(type, "house-event") == 0)
		return true;
	openpsa_find(reader, node, "the type '%.64s' is not one of gate, basic-event, house-event",
		     type);
	return false;
}

static bool refer(struct openpsa *reader, const xmlNode *node, enum openpsa_kind kind, bool any,
		  struct avail_term *term)
{
	bool event = openpsa_xml_is(node, "event");
	const struct openpsa_thing *thing;
	char room[OPENPSA_XML_VALUE];
	const char *name;
	uint32_t found;

	if (!openpsa_plain(reader, node, event ? "name type" : "name") || !known_type(reader, node))
		return false;
	name = openpsa_needed(reader, node, "name", room);
	if (!name)
		return false;
	found = openpsa_resolve(reader, OPENPSA_EVENTS, name);
	if (found == NAME_TABLE_NONE) {
		openpsa_find(reader, node, "%s %.128s is not defined",
			     any ? "event" : word_of(kind), name);
		return false;
	}
	thing = &reader->things[found];
	if (!any && thing->kind != kind) {
		openpsa_find(reader, node, "%.128s is a %s, defined at %.128s:%u, and not a %s",
			     name, word_of(thing->kind), reader->files[thing->file].name,
			     openpsa_xml_line(thing->node), word_of(kind));
		return false;
	}
	*term = (struct avail_term){ .kind = thing->kind == OPENPSA_GATE ? AVAIL_TERM_GATE
									 : AVAIL_TERM_EVENT,
				     .index = thing->index };
	return thing->index != AVAIL_NONE;
}

/* --- formulas --- */

static bool connective(const xmlNode *node, enum avail_formula_kind *kind)
{
	for (*kind = AVAIL_FORMULA_AND; *kind < AVAIL_FORMULA_PASS; ++*kind)
		if (openpsa_xml_is(node, avail_formula_of(*kind).word))
			return true;
	return false;
}

static bool push(struct openpsa *reader, const struct avail_term *term)
{
	if (!openpsa_make_room(reader, &reader->terms, &reader->term_room,
			       (uint64_t)reader->term_count + 1, sizeof *reader->terms))
		return false;
	reader->terms[reader->term_count++] = *term;
	return true;
}

static bool bound(struct openpsa *reader, const xmlNode *node, const char *attribute,
		  uint32_t *value)
{
	char room[OPENPSA_XML_VALUE];
	const char *text = openpsa_needed(reader, node, attribute, room);

	if (!text)
		return false;
	if (openpsa_whole(text, value))
		return true;
	openpsa_find(reader, node, "%s is '%.64s'; it must be a whole number, 0 or more", attribute,
		     text);
	return false;
}

/* What a gate of this kind and number of arguments may be; the same rules as avail_model_check,
 * with the line of a formula within another. */
static bool fits(struct openpsa *reader, const xmlNode *node, enum avail_formula_kind kind,
		 uint32_t count, uint32_t low, uint32_t high)
{
	struct avail_formula formula = avail_formula_of(kind);
	bool ranged = kind == AVAIL_FORMULA_CARDINALITY;

	if (count < formula.least || count > formula.most)
		openpsa_find(reader, node, "<%s> has %u arguments; it takes %u%s", formula.word,
			     count, formula.least, formula.most > formula.least ? " or more" : "");
	else if ((ranged || kind == AVAIL_FORMULA_AT_LEAST) && low > count)
		openpsa_find(reader, node, "<%s> of at least %u has only %u arguments",
			     formula.word, low, count);
	else if (ranged && low > high)
		openpsa_find(reader, node, "<%s> from %u to %u is an empty range", formula.word,
			     low, high);
	else if (ranged && high > count)
		openpsa_find(reader, node, "<%s> up to %u has only %u arguments", formula.word,
			     high, count);
	else
		return true;
	return false;
}

/* The arguments go onto the stack, from there into the gate. */
static bool define_formula(struct openpsa *reader, const xmlNode *node, uint32_t gate,
			   enum avail_formula_kind kind)
{
	bool at_least = kind == AVAIL_FORMULA_AT_LEAST, ranged = kind == AVAIL_FORMULA_CARDINALITY;
	uint32_t base = reader->term_count, low = 0, high = 0, count;
	bool good = openpsa_plain(reader, node, at_least ? "min" : ranged ? "min max" : "");
	const xmlNode *child;

	if (at_least || ranged)
		good = bound(reader, node, "min", &low) && good;
	if (ranged)
		good = bound(reader, node, "max", &high) && good;
	for (child = openpsa_xml_first(node); child; child = openpsa_xml_next(child)) {
		struct avail_term term;

		if (!openpsa_formula(reader, child, &term) || !push(reader, &term))
			good = false;
	}
	count = reader->term_count - base;
	reader->term_count = base;
	if (!good || !fits(reader, node, kind, count, low, high))
		return false;
	if (avail_model_define(reader->model, gate, kind, reader->terms + base, count) != 0) {
		openpsa_no_room(reader);
		return false;
	}
	reader->model->gates[gate].low = low;
	reader->model->gates[gate].high = high;
	return true;
}

static bool constant(struct openpsa *reader, const xmlNode *node, struct avail_term *term)
{
	bool value;

	*term = (struct avail_term){ .kind = AVAIL_TERM_CONSTANT };
	if (!openpsa_truth(reader, node, &value))
		return false;
	term->index = value;
	return true;
}

bool openpsa_formula(struct openpsa *reader, const xmlNode *node, struct avail_term *term)
{
	enum avail_formula_kind formula;
	enum openpsa_kind kind;
	bool any;

	if (reader->full || avail_findings_full(reader->findings))
		return false;
	if (openpsa_xml_is(node, "constant"))
		return constant(reader, node, term);
	if (connective(node, &formula)) {
		uint32_t gate = avail_model_gate(reader->model, NULL);

		if (gate == AVAIL_NONE) {
			openpsa_no_room(reader);
			return false;
		}
		openpsa_note(reader, &reader->gates, gate, node);
		*term = (struct avail_term){ .kind = AVAIL_TERM_GATE, .index = gate };
		return define_formula(reader, node, gate, formula);
	}
	if (reference_kind(node, &kind, &any))
		return refer(reader, node, kind, any, term);
	openpsa_misplaced(reader, node,
			  "and, or, not, xor, iff, nand, nor, imply, atleast, cardinality, gate, "
			  "basic-event, house-event, event, constant");
	return false;
}

static void define_gate(struct openpsa *reader, const struct openpsa_thing *thing)
{
	const xmlNode *node = openpsa_only(reader, thing->node, "one formula");
	enum avail_formula_kind formula;
	struct avail_term term;

	if (!node)
		return;
	if (connective(node, &formula))
		define_formula(reader, node, thing->index, formula);
	else if (openpsa_formula(reader, node, &term) &&
		 avail_model_define(reader->model, thing->index, AVAIL_FORMULA_PASS, &term, 1) != 0)
		openpsa_no_room(reader);
}

/* --- events and parameters --- */

static void define_house_event(struct openpsa *reader, const struct openpsa_thing *thing)
{
	struct avail_event *event = &reader->model->events[thing->index];
	const xmlNode *node = openpsa_first(reader, thing->node);

	event->law = AVAIL_LAW_HOUSE;
	if (!node || !openpsa_only(reader, thing->node, "one constant"))
		return;
	if (openpsa_xml_is(node, "constant"))
		openpsa_truth(reader, node, &event->house);
	else
		openpsa_misplaced(reader, node, "label, attributes, constant");
}

static void define_basic_event(struct openpsa *reader, const struct openpsa_thing *thing)
{
	const xmlNode *node;
	uint32_t expression;

	/* a member that only its group mentions has what the group gives it */
	if (openpsa_xml_is(thing->node, "basic-event") || !openpsa_first(reader, thing->node))
		return;
	node = openpsa_only(reader, thing->node, "one expression");
	if (!node || !openpsa_expression(reader, node, &expression))
		return;
	reader->model->events[thing->index].law = AVAIL_LAW_PROBABILITY;
	reader->model->events[thing->index].probability = expression;
}

static void define_parameter(struct openpsa *reader, const struct openpsa_thing *thing)
{
	const xmlNode *node = openpsa_only(reader, thing->node, "one expression");
	uint32_t expression;

	if (node && openpsa_expression(reader, node, &expression) &&
	    avail_expression_set(reader->model, thing->index, expression) != 0)
		openpsa_no_room(reader);
}

/* --- common-cause groups --- */

/* One group in the making: 0 or AVAIL_NONE where a part is missing. */
struct group {
	const struct openpsa_thing *thing;
	uint32_t members[1 << 10], count;
	uint32_t factors[1 << 10], factor_count;
	uint32_t first_level; /* of the factors: MGL's begin at 2 */
};

static bool ccf_kind(const char *text, enum avail_ccf_kind *kind)
{
	static const char *const words[] = {
		[AVAIL_CCF_BETA] = "beta-factor",
		[AVAIL_CCF_MGL] = "MGL",
		[AVAIL_CCF_ALPHA] = "alpha-factor",
		[AVAIL_CCF_PHI] = "phi-factor",
	};

	for (*kind = AVAIL_CCF_BETA; *kind <= AVAIL_CCF_PHI; ++*kind)
		if (strcmp(text, words[*kind]) == 0)
			return true;
	return false;
}

/* What the group says goes for its members; what they say themselves is set aside, and said so. */
static void take_member(struct openpsa *reader, struct group *group, const xmlNode *node)
{
	struct avail_event *event;
	struct avail_term term;

	if (!refer(reader, node, OPENPSA_BASIC_EVENT, false, &term))
		return;
	for (uint32_t i = 0; i < group->count; i++) {
		if (group->members[i] == term.index) {
			openpsa_find(reader, node, "%.128s is twice a member of the group",
				     reader->model->events[term.index].name);
			return;
		}
	}
	event = &reader->model->events[term.index];
	if (event->law == AVAIL_LAW_PROBABILITY)
		avail_warn(reader->findings, reader->files[reader->file].name,
			   openpsa_xml_line(node), reader->subject,
			   "the group's distribution replaces the probability that %.128s has",
			   event->name);
	if (group->count == array_len(group->members))
		openpsa_find(reader, node, "a group has at most %zu members",
			     array_len(group->members));
	else
		group->members[group->count++] = term.index;
}

static void take_members(struct openpsa *reader, struct group *group, const xmlNode *node)
{
	if (!openpsa_plain(reader, node, ""))
		return;
	for (node = openpsa_first(reader, node); node; node = openpsa_next(reader, node))
		if (openpsa_xml_is(node, "basic-event"))
			take_member(reader, group, node);
}

/* A factor says its level, or has that of its place. */
static void take_factor(struct openpsa *reader, struct group *group, const xmlNode *node)
{
	char room[OPENPSA_XML_VALUE];
	const char *text = openpsa_xml_value(node, "level", room);
	uint32_t place = group->factor_count, level, expression;
	const xmlNode *child = openpsa_plain(reader, node, "level")
				       ? openpsa_only(reader, node, "one expression")
				       : NULL;

	if (text && !openpsa_whole(text, &level)) {
		openpsa_find(reader, node, "the level '%.64s' is no whole number", text);
		return;
	}
	if (text && level != place + group->first_level) {
		openpsa_find(reader, node, "the factor of level %u has the place of level %u",
			     level, place + group->first_level);
		return;
	}
	if (!child || !openpsa_expression(reader, child, &expression))
		return;
	if (place == array_len(group->factors))
		openpsa_find(reader, node, "a group has at most %u factors", place);
	else
		group->factors[group->factor_count++] = expression;
}

static void take_factors(struct openpsa *reader, struct group *group, const xmlNode *node)
{
	if (!openpsa_plain(reader, node, ""))
		return;
	for (node = openpsa_first(reader, node); node; node = openpsa_next(reader, node)) {
		if (openpsa_xml_is(node, "factor"))
			take_factor(reader, group, node);
		else
			openpsa_misplaced(reader, node, "factor");
	}
}

static void take_distribution(struct openpsa *reader, struct group *group, const xmlNode *node)
{
	const xmlNode *child = openpsa_plain(reader, node, "")
				       ? openpsa_only(reader, node, "one expression")
				       : NULL;
	uint32_t expression;

	if (child && openpsa_expression(reader, child, &expression))
		reader->model->ccfs[group->thing->index].total = expression;
}

/* Members before factors: how many there are decides on levels. */
static void take_parts(struct openpsa *reader, struct group *group, enum avail_ccf_kind kind)
{
	unsigned members = 0, distributions = 0, factors = 0;
	const xmlNode *node = openpsa_first(reader, group->thing->node);

	for (; node; node = openpsa_next(reader, node)) {
		if (openpsa_xml_is(node, "members") && members++ == 0)
			take_members(reader, group, node);
		else if (openpsa_xml_is(node, "distribution") && distributions++ == 0)
			take_distribution(reader, group, node);
		else if (openpsa_xml_is(node, "factors") || openpsa_xml_is(node, "factor"))
			factors++;
		else
			openpsa_misplaced(reader, node,
					  "one each of members, distribution, factors");
	}
	if (!members || !distributions || !factors)
		openpsa_find(reader, group->thing->node, "the group has no %s",
			     !members	      ? "members"
			     : !distributions ? "distribution"
					      : "factors");
	group->first_level = kind == AVAIL_CCF_BETA ? group->count : kind == AVAIL_CCF_MGL ? 2 : 1;
	for (node = openpsa_first(reader, group->thing->node); node;
	     node = openpsa_next(reader, node)) {
		if (openpsa_xml_is(node, "factors"))
			take_factors(reader, group, node);
		else if (openpsa_xml_is(node, "factor"))
			take_factor(reader, group, node);
	}
}

static void define_ccf(struct openpsa *reader, const struct openpsa_thing *thing)
{
	struct group group = { .thing = thing };
	char room[OPENPSA_XML_VALUE];
	const char *model = openpsa_needed(reader, thing->node, "model", room);
	struct avail_ccf *ccf = &reader->model->ccfs[thing->index];

	if (!model)
		return;
	if (!ccf_kind(model, &ccf->kind)) {
		openpsa_find(reader, thing->node,
			     "the model '%.64s' is not one of beta-factor, MGL, alpha-factor, "
			     "phi-factor",
			     model);
		return;
	}
	take_parts(reader, &group, ccf->kind);
	ccf->first = avail_model_indexes(reader->model, group.members, group.count);
	ccf->count = group.count;
	ccf->first_factor = avail_model_indexes(reader->model, group.factors, group.factor_count);
	ccf->factor_count = group.factor_count;
	if (ccf->first == AVAIL_NONE || ccf->first_factor == AVAIL_NONE) {
		ccf->first = ccf->count = ccf->first_factor = ccf->factor_count = 0;
		openpsa_no_room(reader);
	}
}

/* When all groups are read: a member of two would otherwise seem to have a probability of its own.
 */
static void fill_members(struct avail_model *model)
{
	for (uint32_t i = 0; i < model->ccf_count; i++) {
		for (uint32_t m = 0; m < model->ccfs[i].count; m++) {
			struct avail_event *event =
				&model->events[model->indexes[model->ccfs[i].first + m]];

			event->law = AVAIL_LAW_PROBABILITY;
			event->probability = model->ccfs[i].total;
		}
	}
}

static void define_thing(struct openpsa *reader, const struct openpsa_thing *thing)
{
	openpsa_enter(reader, thing);
	switch (thing->kind) {
	case OPENPSA_GATE:
		define_gate(reader, thing);
		break;
	case OPENPSA_HOUSE_EVENT:
		define_house_event(reader, thing);
		break;
	case OPENPSA_BASIC_EVENT:
		define_basic_event(reader, thing);
		break;
	case OPENPSA_PARAMETER:
		define_parameter(reader, thing);
		break;
	default:
		break;
	}
}

void openpsa_define(struct openpsa *reader)
{
	for (uint32_t i = 0; i < reader->thing_count && !reader->full; i++)
		if (reader->things[i].index != AVAIL_NONE)
			define_thing(reader, &reader->things[i]);
	for (uint32_t i = 0; i < reader->thing_count && !reader->full; i++) {
		if (reader->things[i].kind != OPENPSA_CCF || reader->things[i].index == AVAIL_NONE)
			continue;
		openpsa_enter(reader, &reader->things[i]);
		define_ccf(reader, &reader->things[i]);
	}
	fill_members(reader->model);
}
