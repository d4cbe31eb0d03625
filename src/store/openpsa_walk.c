/* The walk through event trees. */
#include "store/openpsa_walk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Where a part of the walk began: what it adds is taken back at its end. */
struct mark {
	uint32_t states, settings, terms, factors;
};

static struct mark mark(const struct openpsa_walk *walk)
{
	return (struct mark){ walk->state_count, walk->setting_count, walk->term_count,
			      walk->factor_count };
}

static void go_back(struct openpsa_walk *walk, struct mark to)
{
	walk->state_count = to.states;
	walk->setting_count = to.settings;
	walk->term_count = to.terms;
	walk->factor_count = to.factors;
}

/* Counts a step; false with a finding when there are too many. */
static bool step(struct openpsa *reader, const xmlNode *node)
{
	if (reader->full || reader->findings->found > 0)
		return false;
	if (++reader->walk->steps <= OPENPSA_STEPS_MAX)
		return true;
	openpsa_find(reader, node, "the ways through the event trees have more than %d steps",
		     OPENPSA_STEPS_MAX);
	return false;
}

/* --- things within each other --- */

static void find_cycle(struct openpsa *reader, const xmlNode *node, uint32_t thing)
{
	const struct openpsa_walk *walk = reader->walk;
	char text[300] = "";
	size_t used = 0;
	uint32_t i = walk->depth;

	while (walk->within[i - 1] != thing)
		i--;
	for (i--; i < walk->depth && used < sizeof text; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "%.48s -> ",
					 reader->things[walk->within[i]].name);
	openpsa_find(reader, node, "%.64s leads to itself: %s%.48s", reader->things[thing].name,
		     text, reader->things[thing].name);
}

bool openpsa_go_in(struct openpsa *reader, const xmlNode *node, uint32_t thing)
{
	struct openpsa_walk *walk = reader->walk;

	if (reader->things[thing].busy) {
		find_cycle(reader, node, thing);
		return false;
	}
	if (walk->depth == OPENPSA_WALK_DEPTH) {
		openpsa_find(reader, node,
			     "the way goes through more than %d branches, rules and trees",
			     OPENPSA_WALK_DEPTH);
		return false;
	}
	if (!openpsa_make_room(reader, &walk->within, &walk->within_room, (uint64_t)walk->depth + 1,
			       sizeof *walk->within))
		return false;
	walk->within[walk->depth++] = thing;
	reader->things[thing].busy = true;
	reader->file = reader->things[thing].file;
	return true;
}

void openpsa_go_out(struct openpsa *reader, uint32_t file)
{
	struct openpsa_walk *walk = reader->walk;

	reader->things[walk->within[--walk->depth]].busy = false;
	reader->file = file;
}

/* --- instructions --- */

/* What the instructions of a sequence led to: NONE, or a tree to go on in. */
static bool follow_all(struct openpsa *reader, const xmlNode *node, uint32_t *link);

static bool collect_formula(struct openpsa *reader, const xmlNode *node)
{
	struct openpsa_walk *walk = reader->walk;
	struct avail_term term;

	if (!openpsa_collected_formula(reader, node, &term) ||
	    !openpsa_flavour_term(reader, &term) ||
	    !openpsa_make_room(reader, &walk->terms, &walk->term_room,
			       (uint64_t)walk->term_count + 1, sizeof *walk->terms))
		return false;
	walk->terms[walk->term_count++] = term;
	return true;
}

static bool collect_expression(struct openpsa *reader, const xmlNode *node)
{
	struct openpsa_walk *walk = reader->walk;
	uint32_t expression;

	if (!openpsa_collected_expression(reader, node, &expression) ||
	    !openpsa_make_room(reader, &walk->factors, &walk->factor_room,
			       (uint64_t)walk->factor_count + 1, sizeof *walk->factors))
		return false;
	walk->factors[walk->factor_count++] = expression;
	return true;
}

static bool set_house(struct openpsa *reader, const xmlNode *node)
{
	struct openpsa_walk *walk = reader->walk;
	struct openpsa_setting setting = { .event = openpsa_house_of(reader, node) };

	if (setting.event == AVAIL_NONE ||
	    !openpsa_truth(reader, openpsa_first(reader, node), &setting.value) ||
	    !openpsa_make_room(reader, &walk->settings, &walk->setting_room,
			       (uint64_t)walk->setting_count + 1, sizeof *walk->settings))
		return false;
	walk->settings[walk->setting_count++] = setting;
	return true;
}

static bool follow_rule(struct openpsa *reader, const xmlNode *node, uint32_t *link)
{
	uint32_t rule = openpsa_refer(reader, node, "name", OPENPSA_RULES, NULL, "rule");
	uint32_t file = reader->file;
	bool good;

	if (rule == NAME_TABLE_NONE || !openpsa_go_in(reader, node, rule))
		return false;
	good = follow_all(reader, openpsa_first(reader, reader->things[rule].node), link);
	openpsa_go_out(reader, file);
	return good;
}

static bool follow(struct openpsa *reader, const xmlNode *node, uint32_t *link)
{
	const xmlNode *first = openpsa_first(reader, node);
	bool holds;

	if (!step(reader, node))
		return false;
	if (openpsa_xml_is(node, "collect-formula"))
		return collect_formula(reader, first);
	if (openpsa_xml_is(node, "collect-expression"))
		return collect_expression(reader, first);
	if (openpsa_xml_is(node, "set-house-event"))
		return set_house(reader, node);
	if (openpsa_xml_is(node, "block"))
		return follow_all(reader, first, link);
	if (openpsa_xml_is(node, "rule"))
		return follow_rule(reader, node, link);
	if (openpsa_xml_is(node, "if")) {
		if (!openpsa_condition(reader, first, &holds))
			return false;
		first = openpsa_next(reader, first);
		if (!holds)
			first = openpsa_next(reader, first);
		return !first || follow(reader, first, link);
	}
	must(openpsa_xml_is(node, "event-tree"));
	*link = openpsa_refer(reader, node, "name", OPENPSA_TREES, NULL, "event tree");
	return *link != NAME_TABLE_NONE;
}

static bool follow_all(struct openpsa *reader, const xmlNode *node, uint32_t *link)
{
	for (; node; node = openpsa_next(reader, node))
		if (!follow(reader, node, link))
			return false;
	return true;
}

/* --- ways --- */

static bool walk_tree(struct openpsa *reader, const xmlNode *node, uint32_t tree);

static bool end_in(struct openpsa *reader, const xmlNode *node)
{
	uint32_t sequence = openpsa_refer(reader, node, "name", OPENPSA_SEQUENCES, NULL, "sequence");
	uint32_t link = AVAIL_NONE;

	if (sequence == NAME_TABLE_NONE ||
	    !follow_all(reader, openpsa_first(reader, reader->things[sequence].node), &link))
		return false;
	if (link != AVAIL_NONE)
		return walk_tree(reader, node, link);
	openpsa_keep_path(reader, sequence);
	return !reader->full;
}

static bool walk_branch(struct openpsa *reader, const xmlNode *node);

static bool go_to(struct openpsa *reader, const xmlNode *node)
{
	const char *tree = reader->things[reader->walk->tree].name;
	uint32_t branch = openpsa_refer(reader, node, "name", OPENPSA_BRANCHES, tree, "branch");
	uint32_t file = reader->file;
	bool good;

	if (branch == NAME_TABLE_NONE || !openpsa_go_in(reader, node, branch))
		return false;
	good = walk_branch(reader, reader->things[branch].node);
	openpsa_go_out(reader, file);
	return good;
}

/* The state's text lives with the model; ways through a fork are few against steps, so it is
 * copied. */
static bool enter_state(struct openpsa *reader, const xmlNode *path, uint32_t functional)
{
	struct openpsa_walk *walk = reader->walk;
	char room[OPENPSA_XML_VALUE];
	const char *state = openpsa_needed(reader, path, "state", room);

	if (!state || !openpsa_make_room(reader, &walk->states, &walk->state_room,
					 (uint64_t)walk->state_count + 1, sizeof *walk->states))
		return false;
	state = avail_model_text(reader->model, state);
	if (!state) {
		openpsa_no_room(reader);
		return false;
	}
	walk->states[walk->state_count++] =
		(struct openpsa_state){ reader->things[functional].name, state };
	return true;
}

static bool walk_fork(struct openpsa *reader, const xmlNode *node)
{
	const char *tree = reader->things[reader->walk->tree].name;
	const xmlNode *path = openpsa_first(reader, node);
	uint32_t functional = openpsa_refer(reader, node, "functional-event", OPENPSA_FUNCTIONALS,
					    tree, "functional event");
	struct mark here = mark(reader->walk);
	bool good = functional != NAME_TABLE_NONE;

	for (; path && good; path = openpsa_next(reader, path)) {
		good = step(reader, path) && enter_state(reader, path, functional) &&
		       walk_branch(reader, path);
		go_back(reader->walk, here);
	}
	return good;
}

static bool walk_branch(struct openpsa *reader, const xmlNode *node)
{
	const xmlNode *child = openpsa_first(reader, node);
	uint32_t no_link = AVAIL_NONE;

	for (; !openpsa_branch_ends(child); child = openpsa_next(reader, child))
		if (!follow(reader, child, &no_link))
			return false;
	if (!step(reader, child))
		return false;
	if (openpsa_xml_is(child, "fork"))
		return walk_fork(reader, child);
	return openpsa_xml_is(child, "branch") ? go_to(reader, child) : end_in(reader, child);
}

static bool walk_tree(struct openpsa *reader, const xmlNode *node, uint32_t tree)
{
	struct openpsa_walk *walk = reader->walk;
	uint32_t outer = walk->tree, file = reader->file;
	const xmlNode *child;
	bool good;

	if (!openpsa_go_in(reader, node, tree))
		return false;
	walk->tree = tree;
	child = openpsa_first(reader, reader->things[tree].node);
	while (!openpsa_xml_is(child, "initial-state"))
		child = openpsa_next(reader, child);
	good = walk_branch(reader, child);
	openpsa_go_out(reader, file);
	walk->tree = outer;
	return good;
}

/* --- initiating events --- */

/* What happens with the event itself: a frequency, or an event of the fault trees. */
static bool follow_initiating(struct openpsa *reader, const xmlNode *node)
{
	uint32_t no_link = AVAIL_NONE;
	bool good = true;

	for (; node && good; node = openpsa_next(reader, node)) {
		if (openpsa_xml_is(node, "parameter"))
			good = collect_expression(reader, node);
		else if (openpsa_xml_is(node, "gate") || openpsa_xml_is(node, "basic-event"))
			good = collect_formula(reader, node);
		else
			good = follow(reader, node, &no_link);
	}
	return good;
}

static bool is_group(const struct openpsa_thing *thing)
{
	return openpsa_xml_is(thing->node, "define-initiating-event-group");
}

/* The tree that the definition names; AVAIL_NONE: it names none. */
static uint32_t tree_of(struct openpsa *reader, const struct openpsa_thing *thing)
{
	if (!xmlHasProp(thing->node, (const xmlChar *)"event-tree"))
		return AVAIL_NONE;
	return openpsa_refer(reader, thing->node, "event-tree", OPENPSA_TREES, NULL, "event tree");
}

static bool walk_event(struct openpsa *reader, uint32_t initiating, uint32_t tree)
{
	struct openpsa_walk *walk = reader->walk;
	const struct openpsa_thing *thing = &reader->things[initiating];
	struct mark here = mark(walk);
	bool good;

	if (thing->index != AVAIL_NONE) {
		openpsa_find(reader, thing->node,
			     "the initiating event is used twice, in the event trees %.64s "
			     "and %.64s",
			     reader->things[thing->index].name, reader->things[tree].name);
		return false;
	}
	openpsa_enter(reader, thing);
	reader->container = 0;
	reader->things[initiating].index = tree;
	walk->initiating = initiating;
	good = follow_initiating(reader, openpsa_first(reader, thing->node));
	walk->frequencies = walk->factor_count;
	good = good && walk_tree(reader, thing->node, tree);
	if (good)
		openpsa_make_tops(reader);
	go_back(walk, here);
	return good;
}

/* All initiating events of a group, and of the groups in it, go through its tree. */
static bool walk_group(struct openpsa *reader, uint32_t group, uint32_t tree)
{
	const xmlNode *child = openpsa_first(reader, reader->things[group].node);
	uint32_t file = reader->file;
	bool good = openpsa_go_in(reader, reader->things[group].node, group);

	if (!good)
		return false;
	for (; child && good; child = openpsa_next(reader, child)) {
		uint32_t member = openpsa_refer(reader, child, "name", OPENPSA_INITIATINGS, NULL,
						"initiating event");

		good = member != NAME_TABLE_NONE && step(reader, child) &&
		       (is_group(&reader->things[member]) ? walk_group(reader, member, tree)
							  : walk_event(reader, member, tree));
		reader->file = reader->things[group].file;
	}
	openpsa_go_out(reader, file);
	return good;
}

static void walk_all(struct openpsa *reader)
{
	bool good = true;

	for (uint32_t i = 0; i < reader->thing_count && good; i++) {
		const struct openpsa_thing *thing = &reader->things[i];
		uint32_t tree;

		if (thing->kind != OPENPSA_INITIATING)
			continue;
		openpsa_enter(reader, thing);
		tree = tree_of(reader, thing);
		if (tree != AVAIL_NONE)
			good = is_group(thing) ? walk_group(reader, i, tree)
					       : walk_event(reader, i, tree);
	}
}

void openpsa_walk_trees(struct openpsa *reader)
{
	struct openpsa_walk walk = { .initiating = AVAIL_NONE, .tree = AVAIL_NONE };

	reader->walk = &walk;
	openpsa_make_room(reader, &walk.kept, &walk.kept_room, 1, sizeof *walk.kept);
	openpsa_check_trees(reader);
	if (reader->findings->found == 0 && !reader->full)
		openpsa_check_order(reader);
	if (reader->findings->found == 0 && !reader->full)
		walk_all(reader);
	openpsa_flavour_fini(reader);
	if (walk.sampled)
		avail_sample_fini(&walk.sample);
#define GIVE(array, room) avail_give(reader->memory, walk.array, walk.room, sizeof *walk.array)
	GIVE(within, within_room);
	GIVE(states, state_room);
	GIVE(settings, setting_room);
	GIVE(terms, term_room);
	GIVE(factors, factor_room);
	GIVE(paths, path_room);
	GIVE(kept, kept_room);
	GIVE(formulas, formula_room);
	reader->walk = NULL;
}
