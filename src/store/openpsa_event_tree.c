/* Event trees: their names, and whether what they say is well formed; openpsa_walk.c goes through
 * them. */
#include "store/openpsa_walk.h"

#include <string.h>

enum { PATHS_COMPARED = 100 }; /* of a fork */

/* --- names --- */

/* Declares what has a name in a space; 'scope' goes before it. */
static uint32_t declare(struct openpsa *reader, const xmlNode *node, enum openpsa_kind kind,
			enum openpsa_space space, const char *scope, const char *attributes)
{
	const char *name =
		openpsa_plain(reader, node, attributes) ? openpsa_identifier(reader, node) : NULL;
	uint32_t thing = name ? openpsa_add(reader, kind, name, node) : AVAIL_NONE;

	if (thing == AVAIL_NONE || !openpsa_put(reader, space, scope, name, thing, node))
		return AVAIL_NONE;
	return thing;
}

static void declare_functional(struct openpsa *reader, const xmlNode *node, uint32_t tree)
{
	uint32_t thing = declare(reader, node, OPENPSA_FUNCTIONAL, OPENPSA_FUNCTIONALS,
				 reader->things[tree].name, "name");
	const char *name;

	if (thing == AVAIL_NONE)
		return;
	name = reader->things[thing].name;
	reader->things[thing].tree = tree;
	if (openpsa_get(reader, OPENPSA_ANY_FUNCTIONAL, NULL, name) == NAME_TABLE_NONE)
		openpsa_put(reader, OPENPSA_ANY_FUNCTIONAL, NULL, name, thing, node);
}

/* Sequences are known in the whole model, branches only in their tree. */
static void declare_way(struct openpsa *reader, const xmlNode *node, uint32_t tree)
{
	bool branch = openpsa_xml_is(node, "define-branch");
	uint32_t thing = branch ? declare(reader, node, OPENPSA_BRANCH, OPENPSA_BRANCHES,
					  reader->things[tree].name, "name")
				: declare(reader, node, OPENPSA_SEQUENCE, OPENPSA_SEQUENCES, NULL,
					  "name");

	if (thing != AVAIL_NONE)
		reader->things[thing].tree = tree;
}

void openpsa_declare_tree(struct openpsa *reader, const xmlNode *node)
{
	uint32_t tree = declare(reader, node, OPENPSA_TREE, OPENPSA_TREES, NULL, "name");
	const char *outer = reader->subject;
	const xmlNode *child;
	unsigned states = 0;

	if (tree == AVAIL_NONE)
		return;
	reader->subject = reader->things[tree].name;
	for (child = openpsa_first(reader, node); child; child = openpsa_next(reader, child)) {
		if (openpsa_xml_is(child, "define-functional-event"))
			declare_functional(reader, child, tree);
		else if (openpsa_xml_is(child, "define-sequence") ||
			 openpsa_xml_is(child, "define-branch"))
			declare_way(reader, child, tree);
		else if (!openpsa_xml_is(child, "initial-state") || states++ > 0)
			openpsa_misplaced(
				reader, child,
				"define-functional-event, define-sequence, define-branch, and "
				"one initial-state");
	}
	if (states == 0)
		openpsa_find(reader, node, "the event tree has no initial-state");
	reader->subject = outer;
}

void openpsa_declare_initiating(struct openpsa *reader, const xmlNode *node)
{
	declare(reader, node, OPENPSA_INITIATING, OPENPSA_INITIATINGS, NULL, "name event-tree");
}

void openpsa_declare_rule(struct openpsa *reader, const xmlNode *node)
{
	declare(reader, node, OPENPSA_RULE, OPENPSA_RULES, NULL, "name");
}

/* --- references --- */

uint32_t openpsa_refer(struct openpsa *reader, const xmlNode *node, const char *attribute,
		       enum openpsa_space space, const char *scope, const char *what)
{
	char room[OPENPSA_XML_VALUE];
	const char *name = openpsa_needed(reader, node, attribute, room);
	uint32_t found = name ? openpsa_get(reader, space, scope, name) : NAME_TABLE_NONE;

	if (name && found == NAME_TABLE_NONE)
		openpsa_find(reader, node, "%s %.128s is not defined%s%.64s", what, name,
			     scope ? " in " : "", scope ? scope : "");
	return found;
}

/* --- what they say --- */

/* What the instructions stand in: a tree, or none (a rule, an initiating event). */
struct block {
	const char *tree;
	bool in_sequence; /* where a link may stand */
};

static void check_instruction(struct openpsa *reader, const xmlNode *node, struct block block);

static void check_all(struct openpsa *reader, const xmlNode *node, struct block block)
{
	for (; node && !reader->full; node = openpsa_next(reader, node))
		check_instruction(reader, node, block);
}

static void check_house(struct openpsa *reader, const xmlNode *node)
{
	char room[OPENPSA_XML_VALUE];
	const char *direction = openpsa_xml_value(node, "direction", room);
	const xmlNode *value;
	bool truth;

	if (!openpsa_plain(reader, node, "name direction"))
		return;
	if (direction && strcmp(direction, "forward") != 0)
		openpsa_find(reader, node,
			     "the direction '%.64s' is not supported; allowed: forward", direction);
	openpsa_house_of(reader, node);
	value = openpsa_only(reader, node, "one constant");
	if (value && !openpsa_xml_is(value, "constant") && !openpsa_xml_is(value, "bool"))
		openpsa_misplaced(reader, value, "constant");
	else if (value)
		openpsa_truth(reader, value, &truth);
}

static void check_if(struct openpsa *reader, const xmlNode *node, struct block block)
{
	const xmlNode *child = openpsa_first(reader, node);
	unsigned count = 0;
	bool holds;

	if (!openpsa_plain(reader, node, ""))
		return;
	if (child && openpsa_condition(reader, child, &holds)) {
		for (child = openpsa_next(reader, child); child;
		     child = openpsa_next(reader, child)) {
			check_instruction(reader, child, block);
			count++;
		}
		if (count < 1 || count > 2)
			openpsa_find(reader, node,
				     "<if> has %u instructions; it takes 1 or 2, perhaps <block>s",
				     count);
	} else if (!child) {
		openpsa_find(reader, node,
			     "<if> is empty; it needs a condition and an instruction");
	}
}

static void check_collect(struct openpsa *reader, const xmlNode *node)
{
	bool formula = openpsa_xml_is(node, "collect-formula");
	const xmlNode *child;
	struct avail_term term;
	uint32_t expression;

	if (!openpsa_plain(reader, node, ""))
		return;
	child = openpsa_only(reader, node, formula ? "one formula" : "one expression");
	if (child && formula)
		openpsa_collected_formula(reader, child, &term);
	else if (child)
		openpsa_collected_expression(reader, child, &expression);
}

static void decline(struct openpsa *reader, const xmlNode *node)
{
	openpsa_find(reader, node, "<%.64s> is not supported", (const char *)node->name);
}

static void check_instruction(struct openpsa *reader, const xmlNode *node, struct block block)
{
	if (openpsa_xml_is(node, "collect-formula") || openpsa_xml_is(node, "collect-expression")) {
		check_collect(reader, node);
	} else if (openpsa_xml_is(node, "set-house-event")) {
		check_house(reader, node);
	} else if (openpsa_xml_is(node, "if")) {
		check_if(reader, node, block);
	} else if (openpsa_xml_is(node, "block")) {
		if (openpsa_plain(reader, node, ""))
			check_all(reader, openpsa_first(reader, node), block);
	} else if (openpsa_xml_is(node, "rule")) {
		if (openpsa_plain(reader, node, "name"))
			openpsa_refer(reader, node, "name", OPENPSA_RULES, NULL, "rule");
	} else if (openpsa_xml_is(node, "event-tree") && block.in_sequence) {
		if (openpsa_plain(reader, node, "name"))
			openpsa_refer(reader, node, "name", OPENPSA_TREES, NULL, "event tree");
	} else if (openpsa_xml_is(node, "set-gate") || openpsa_xml_is(node, "set-basic-event") ||
		   openpsa_xml_is(node, "set-parameter")) {
		decline(reader, node);
	} else {
		openpsa_misplaced(
			reader, node,
			"collect-formula, collect-expression, set-house-event, if, block, "
			"rule, and event-tree in a sequence");
	}
}

static void check_branch(struct openpsa *reader, const xmlNode *node, const char *tree);

/* Whether a path of the fork before this one is for the same state. */
static bool is_repeated(const xmlNode *path, const char *state)
{
	const xmlNode *before = openpsa_xml_first(path->parent);
	char room[OPENPSA_XML_VALUE];

	for (; before != path; before = openpsa_xml_next(before)) {
		const char *other = openpsa_xml_value(before, "state", room);

		if (other && strcmp(other, state) == 0)
			return true;
	}
	return false;
}

static void check_path(struct openpsa *reader, const xmlNode *path, const char *tree,
		       unsigned number)
{
	char room[OPENPSA_XML_VALUE];
	const char *state;

	if (!openpsa_xml_is(path, "path")) {
		openpsa_misplaced(reader, path, "path");
		return;
	}
	if (!openpsa_plain(reader, path, "state"))
		return;
	state = openpsa_needed(reader, path, "state", room);
	if (state && number < PATHS_COMPARED && is_repeated(path, state))
		openpsa_find(reader, path, "the fork has two paths for the state %.64s", state);
	if (state)
		check_branch(reader, path, tree);
}

static void check_fork(struct openpsa *reader, const xmlNode *node, const char *tree)
{
	const xmlNode *path = openpsa_first(reader, node);

	if (!openpsa_plain(reader, node, "functional-event"))
		return;
	openpsa_refer(reader, node, "functional-event", OPENPSA_FUNCTIONALS, tree,
		      "functional event");
	if (!path)
		openpsa_find(reader, node, "the fork has no path");
	for (unsigned number = 0; path; path = openpsa_next(reader, path))
		check_path(reader, path, tree, number++);
}

/* Instructions, and a fork or an end at last. */
static void check_branch(struct openpsa *reader, const xmlNode *node, const char *tree)
{
	const xmlNode *child = openpsa_first(reader, node), *end;

	for (; child && !openpsa_branch_ends(child); child = openpsa_next(reader, child))
		check_instruction(reader, child, (struct block){ tree, false });
	end = child ? openpsa_next(reader, child) : NULL;
	if (!child)
		openpsa_find(reader, node,
			     "the way ends here; it needs a fork, a sequence or a branch");
	else if (end)
		openpsa_misplaced(reader, end, "nothing behind the end of the way");
	else if (openpsa_xml_is(child, "fork"))
		check_fork(reader, child, tree);
	else if (!openpsa_plain(reader, child, "name"))
		return;
	else if (openpsa_xml_is(child, "sequence"))
		openpsa_refer(reader, child, "name", OPENPSA_SEQUENCES, NULL, "sequence");
	else
		openpsa_refer(reader, child, "name", OPENPSA_BRANCHES, tree, "branch");
}

static void check_tree(struct openpsa *reader, const struct openpsa_thing *tree)
{
	const xmlNode *child = openpsa_first(reader, tree->node);
	const char *name = tree->name;

	for (; child && !reader->full; child = openpsa_next(reader, child)) {
		if (openpsa_xml_is(child, "define-sequence"))
			check_all(reader, openpsa_first(reader, child),
				  (struct block){ name, true });
		else if (openpsa_xml_is(child, "define-branch"))
			check_branch(reader, child, name);
		else if (openpsa_xml_is(child, "initial-state") && openpsa_plain(reader, child, ""))
			check_branch(reader, child, name);
		else if (openpsa_xml_is(child, "define-functional-event") &&
			 openpsa_first(reader, child))
			openpsa_misplaced(reader, openpsa_first(reader, child),
					  "label, attributes");
	}
}

static void check_initiating(struct openpsa *reader, const struct openpsa_thing *event)
{
	bool group = openpsa_xml_is(event->node, "define-initiating-event-group");
	const xmlNode *child = openpsa_first(reader, event->node);
	struct avail_term term;
	uint32_t expression;

	if (xmlHasProp(event->node, (const xmlChar *)"event-tree"))
		openpsa_refer(reader, event->node, "event-tree", OPENPSA_TREES, NULL, "event tree");
	if (group && !child)
		openpsa_find(reader, event->node, "the group has no initiating event");
	for (; child && !reader->full; child = openpsa_next(reader, child)) {
		if (group && (openpsa_xml_is(child, "initiating-event") ||
			      openpsa_xml_is(child, "initiating-event-group"))) {
			if (openpsa_plain(reader, child, "name"))
				openpsa_refer(reader, child, "name", OPENPSA_INITIATINGS, NULL,
					      "initiating event");
		} else if (group) {
			openpsa_misplaced(reader, child,
					  "initiating-event, initiating-event-group");
		} else if (openpsa_xml_is(child, "consequence") ||
			   openpsa_xml_is(child, "consequence-group")) {
			decline(reader, child);
		} else if (openpsa_xml_is(child, "parameter")) {
			openpsa_collected_expression(reader, child, &expression);
		} else if (openpsa_xml_is(child, "gate") || openpsa_xml_is(child, "basic-event")) {
			openpsa_collected_formula(reader, child, &term);
		} else {
			check_instruction(reader, child, (struct block){ NULL, false });
		}
	}
}

void openpsa_check_trees(struct openpsa *reader)
{
	uint32_t count = reader->thing_count;

	for (uint32_t i = 0; i < count && !reader->full; i++) {
		const struct openpsa_thing *thing = &reader->things[i];

		if (avail_findings_full(reader->findings))
			return;
		openpsa_enter(reader, thing);
		reader->container = 0;
		if (thing->kind == OPENPSA_TREE)
			check_tree(reader, thing);
		else if (thing->kind == OPENPSA_INITIATING)
			check_initiating(reader, thing);
		else if (thing->kind == OPENPSA_RULE)
			check_all(reader, openpsa_first(reader, thing->node),
				  (struct block){ NULL, true });
	}
}
