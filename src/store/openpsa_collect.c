/* What instructions of event trees mean by themselves. */
#include "store/openpsa_walk.h"

#include <string.h>

bool openpsa_branch_ends(const xmlNode *node)
{
	return openpsa_xml_is(node, "fork") || openpsa_xml_is(node, "sequence") ||
	       openpsa_xml_is(node, "branch");
}

/* A node is read once, however many ways lead through it; the number of what was read stays with
 * it. */
static void remember(const xmlNode *node, uint32_t number)
{
	((xmlNode *)(uintptr_t)node)->_private = (void *)(uintptr_t)((uint64_t)number + 1);
}

static bool recall(const xmlNode *node, uint32_t *number)
{
	if (!node->_private)
		return false;
	*number = (uint32_t)((uintptr_t)node->_private - 1);
	return true;
}

bool openpsa_collected_formula(struct openpsa *reader, const xmlNode *node, struct avail_term *term)
{
	struct openpsa_walk *walk = reader->walk;
	uint32_t known;

	if (recall(node, &known)) {
		*term = walk->formulas[known];
		return true;
	}
	if (!openpsa_formula(reader, node, term) ||
	    !openpsa_make_room(reader, &walk->formulas, &walk->formula_room,
			       (uint64_t)walk->formula_count + 1, sizeof *walk->formulas))
		return false;
	walk->formulas[walk->formula_count] = *term;
	remember(node, walk->formula_count++);
	return true;
}

/* What was only read to be looked at once: the model is as it was before.  The mission time, which
 * all share, may have been met for the first time; then everything stays. */
static void forget(struct openpsa *reader, uint32_t expressions, uint32_t indexes)
{
	if (reader->mission_time != AVAIL_NONE && reader->mission_time >= expressions)
		return;
	reader->model->expression_count = expressions;
	reader->model->index_count = indexes;
}

/* One that tests the world means something else on each way, and nothing before the walk. */
bool openpsa_collected_expression(struct openpsa *reader, const xmlNode *node, uint32_t *expression)
{
	uint32_t expressions = reader->model->expression_count;
	uint32_t indexes = reader->model->index_count;
	struct openpsa_walk *walk = reader->walk;

	if (recall(node, expression))
		return true;
	walk->asked = false;
	if (!openpsa_expression(reader, node, expression))
		return false;
	if (!walk->asked)
		remember(node, *expression);
	else if (walk->initiating == AVAIL_NONE)
		forget(reader, expressions, indexes);
	return true;
}

/* The sample with room for all expressions, and nothing known of those from 'first' on. */
static bool sample(struct openpsa *reader, uint32_t first)
{
	struct openpsa_walk *walk = reader->walk;
	struct avail_model *model = reader->model;

	if (walk->sampled && walk->sample.room <= model->expression_count) {
		avail_sample_fini(&walk->sample);
		walk->sampled = false;
	}
	if (!walk->sampled && avail_sample_init(&walk->sample, model, model->mission_h) != 0) {
		openpsa_no_room(reader);
		return false;
	}
	walk->sampled = true;
	memset(walk->sample.known + first, 0, walk->sample.room - first);
	return true;
}

/* What was there before the walk has been checked; what is new refers to it or to what is in the
 * condition itself, so that only arguments need counting. */
bool openpsa_condition(struct openpsa *reader, const xmlNode *node, bool *holds)
{
	uint32_t expressions = reader->model->expression_count, condition;
	uint32_t indexes = reader->model->index_count;
	struct refusal why;

	*holds = false;
	if (recall(node, &condition)) {
		expressions = reader->model->expression_count;
	} else {
		reader->walk->asked = false;
		if (!openpsa_expression(reader, node, &condition))
			return false;
	}
	for (uint32_t i = expressions; i < reader->model->expression_count; i++) {
		if (avail_expression_check_count(reader->model, i, &why) != 0) {
			openpsa_find(reader, node, "%s", why.text);
			return false;
		}
	}
	if (!sample(reader, expressions))
		return false;
	*holds = avail_expression_value(&reader->walk->sample, condition) != 0;
	if (reader->walk->asked)
		forget(reader, expressions, indexes);
	else
		remember(node, condition);
	return true;
}

uint32_t openpsa_house_of(struct openpsa *reader, const xmlNode *node)
{
	char room[OPENPSA_XML_VALUE];
	const char *name = openpsa_needed(reader, node, "name", room);
	uint32_t found = name ? openpsa_resolve(reader, OPENPSA_EVENTS, name) : NAME_TABLE_NONE;

	if (found != NAME_TABLE_NONE && reader->things[found].kind == OPENPSA_HOUSE_EVENT)
		return reader->things[found].index;
	if (name)
		openpsa_find(reader, node, "%.128s is %s house event", name,
			     found == NAME_TABLE_NONE ? "not defined as a" : "no");
	return AVAIL_NONE;
}

/* Its last fork counts; without one it is in no state. */
static bool in_state(const struct openpsa_walk *walk, const char *functional, const char *state)
{
	for (uint32_t i = walk->state_count; i-- > 0;)
		if (strcmp(walk->states[i].functional, functional) == 0)
			return strcmp(walk->states[i].state, state) == 0;
	return false;
}

/* What a test names, or NULL: there is no such thing, which never happens. */
static const char *tested(struct openpsa *reader, const xmlNode *node, enum openpsa_space space,
			  const char *what, uint32_t *thing)
{
	char room[OPENPSA_XML_VALUE];
	const char *name = openpsa_needed(reader, node, "name", room);

	*thing = name ? openpsa_get(reader, space, NULL, name) : NAME_TABLE_NONE;
	if (name && *thing == NAME_TABLE_NONE && reader->walk->initiating == AVAIL_NONE)
		openpsa_warn(reader, node, "there is no %s %.128s, so the test is never true", what, name);
	return *thing == NAME_TABLE_NONE ? NULL : reader->things[*thing].name;
}

static bool test_functional(struct openpsa *reader, const xmlNode *node, bool *value)
{
	char room[OPENPSA_XML_VALUE];
	const char *name, *state;
	uint32_t thing;

	if (!openpsa_plain(reader, node, "name state"))
		return false;
	name = tested(reader, node, OPENPSA_ANY_FUNCTIONAL, "functional event", &thing);
	state = openpsa_needed(reader, node, "state", room);
	*value = name && state && in_state(reader->walk, name, state);
	return state && xmlHasProp(node, (const xmlChar *)"name");
}

static bool test_initiating(struct openpsa *reader, const xmlNode *node, bool *value)
{
	uint32_t thing;

	if (!openpsa_plain(reader, node, "name"))
		return false;
	*value = tested(reader, node, OPENPSA_INITIATINGS, "initiating event", &thing) &&
		 thing == reader->walk->initiating;
	return xmlHasProp(node, (const xmlChar *)"name");
}

bool openpsa_walk_test(struct openpsa *reader, const xmlNode *node, bool *value)
{
	if (!reader->walk) {
		openpsa_find(reader, node, "<%.64s> is only for instructions of event trees",
			     (const char *)node->name);
		return false;
	}
	reader->walk->asked = true;
	return openpsa_xml_is(node, "test-initiating-event") ? test_initiating(reader, node, value)
							     : test_functional(reader, node, value);
}
