/* What follows from how branches, rules and trees refer to each other, also where no initiating
 * event leads. */
#include "store/openpsa_walk.h"

static void visit(struct openpsa *reader, const xmlNode *node, uint32_t thing);

/* The branch, rule or tree that an element refers to, as far as the thing that it stands in may
 * lead there; AVAIL_NONE: it refers to none. */
static uint32_t referred(struct openpsa *reader, const struct openpsa_thing *from,
			 const xmlNode *node)
{
	if (openpsa_xml_is(node, "rule"))
		return openpsa_refer(reader, node, "name", OPENPSA_RULES, NULL, "rule");
	if (openpsa_xml_is(node, "event-tree"))
		return openpsa_refer(reader, node, "name", OPENPSA_TREES, NULL, "event tree");
	if (openpsa_xml_is(node, "branch") && from->kind == OPENPSA_BRANCH)
		return openpsa_refer(reader, node, "name", OPENPSA_BRANCHES,
				     reader->things[from->tree].name, "branch");
	return AVAIL_NONE;
}

/* Visits all that is referred to below 'node'. */
static void visit_all(struct openpsa *reader, uint32_t thing, const xmlNode *node)
{
	for (node = openpsa_xml_first(node); node; node = openpsa_xml_next(node)) {
		uint32_t to = referred(reader, &reader->things[thing], node);

		if (to == AVAIL_NONE) {
			visit_all(reader, thing, node);
			continue;
		}
		visit(reader, node, to);
		if (reader->findings->found > 0)
			return;
		if (reader->things[to].kind == OPENPSA_TREE || reader->things[to].links)
			reader->things[thing].links = true;
	}
}

/* Visits what the thing leads to first, so that cycles show. */
static void visit(struct openpsa *reader, const xmlNode *node, uint32_t thing)
{
	uint32_t file = reader->file;

	if (reader->things[thing].done || reader->findings->found > 0 ||
	    !openpsa_go_in(reader, node, thing))
		return;
	visit_all(reader, thing, reader->things[thing].node);
	openpsa_go_out(reader, file);
	reader->things[thing].done = true;
}

/* --- links --- */

/* Rules below 'node' that lead to another tree, but for those in sequences. */
static void check_links(struct openpsa *reader, const xmlNode *node)
{
	for (node = openpsa_xml_first(node); node; node = openpsa_xml_next(node)) {
		uint32_t rule;

		if (openpsa_xml_is(node, "define-sequence"))
			continue;
		if (!openpsa_xml_is(node, "rule")) {
			check_links(reader, node);
			continue;
		}
		rule = openpsa_refer(reader, node, "name", OPENPSA_RULES, NULL, "rule");
		if (rule != NAME_TABLE_NONE && reader->things[rule].links)
			openpsa_find(
				reader, node,
				"the rule %.64s leads to an event tree, which only a sequence may",
				reader->things[rule].name);
	}
}

/* --- order --- */

/* The last element of a branch: a fork, a sequence, or a reference to a branch. */
static const xmlNode *end_of(struct openpsa *reader, const xmlNode *node)
{
	const xmlNode *child = openpsa_first(reader, node);

	while (!openpsa_branch_ends(child))
		child = openpsa_next(reader, child);
	return child;
}

static uint32_t functional_of(struct openpsa *reader, const xmlNode *fork, uint32_t tree)
{
	return openpsa_refer(reader, fork, "functional-event", OPENPSA_FUNCTIONALS,
			     reader->things[tree].name, "functional event");
}

/* The functional event that a branch forks on first, through branches that it refers to;
 * AVAIL_NONE: none. */
static uint32_t first_of(struct openpsa *reader, const xmlNode *node, uint32_t tree)
{
	const xmlNode *end = end_of(reader, node);

	while (openpsa_xml_is(end, "branch")) {
		uint32_t branch = openpsa_refer(reader, end, "name", OPENPSA_BRANCHES,
						reader->things[tree].name, "branch");

		end = end_of(reader, reader->things[branch].node);
	}
	return openpsa_xml_is(end, "fork") ? functional_of(reader, end, tree) : AVAIL_NONE;
}

/* Functional events are the columns of a tree: a way goes through them in the order of their
 * definition, and through each once.  'last' is the one before, AVAIL_NONE: none. */
static void check_way(struct openpsa *reader, const xmlNode *node, uint32_t tree, uint32_t last)
{
	const xmlNode *end = end_of(reader, node);
	uint32_t first = first_of(reader, node, tree);

	if (first != AVAIL_NONE && first == last)
		openpsa_find(reader, end, "the way forks twice on %.64s",
			     reader->things[first].name);
	else if (first != AVAIL_NONE && last != AVAIL_NONE && first < last)
		openpsa_find(
			reader, end,
			"the way forks on %.64s behind %.64s; functional events go in the order of "
			"their definition",
			reader->things[first].name, reader->things[last].name);
	if (!openpsa_xml_is(end, "fork"))
		return;
	for (node = openpsa_first(reader, end); node; node = openpsa_next(reader, node))
		check_way(reader, node, tree, first);
}

static void check_tree(struct openpsa *reader, uint32_t tree)
{
	const xmlNode *child = openpsa_first(reader, reader->things[tree].node);

	for (; child; child = openpsa_next(reader, child))
		if (openpsa_xml_is(child, "define-branch") ||
		    openpsa_xml_is(child, "initial-state"))
			check_way(reader, child, tree, AVAIL_NONE);
}

void openpsa_check_order(struct openpsa *reader)
{
	for (uint32_t i = 0; i < reader->thing_count && reader->findings->found == 0; i++) {
		const struct openpsa_thing *thing = &reader->things[i];

		openpsa_enter(reader, thing);
		if (thing->kind == OPENPSA_BRANCH || thing->kind == OPENPSA_RULE ||
		    thing->kind == OPENPSA_TREE)
			visit(reader, thing->node, i);
	}
	if (reader->findings->found > 0 || reader->full)
		return;
	for (uint32_t i = 0; i < reader->thing_count; i++) {
		const struct openpsa_thing *thing = &reader->things[i];

		openpsa_enter(reader, thing);
		if (thing->kind == OPENPSA_TREE || thing->kind == OPENPSA_INITIATING)
			check_links(reader, thing->node);
		if (thing->kind == OPENPSA_TREE)
			check_tree(reader, i);
	}
}
