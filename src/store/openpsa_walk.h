/* store/openpsa_walk.h -- from event trees to tops of the model, shared by openpsa_event_tree.c and
 * openpsa_walk*.c.
 *
 * Each initiating event that has a tree is walked through it, fork by fork.  What is collected on
 * the way to a sequence is a path: a product of formulas and a product of expressions.  House
 * events that are set on the way give the formulas that are collected behind them a flavour of
 * their own: copies of the gates that depend on them (openpsa_flavour.c).
 *
 * Threads: one.  Memory: from the model's. */
#ifndef STORE_OPENPSA_WALK_H
#define STORE_OPENPSA_WALK_H

#include "store/openpsa_reader.h"

enum { OPENPSA_WALK_DEPTH = 1000 }; /* branches, rules and linked trees within each other */

struct openpsa_state {
	const char *functional; /* name: a linked tree may ask for one of the tree before */
	const char *state;
};

struct openpsa_setting {
	uint32_t event; /* house event of the model */
	bool value;
};

/* One way to a sequence. */
struct openpsa_path {
	uint32_t sequence;	/* thing */
	uint32_t number;	/* in the order of the walk */
	bool free;		/* no formula was collected: 'term' is true */
	struct avail_term term; /* product of the formulas */
	uint32_t first, count;	/* expressions: walk->kept[...] */
};

/* A combination of settings, and the gates that were copied for it. */
struct openpsa_flavour {
	uint32_t first, count; /* walk->flavour_settings[...], ascending by event */
	uint32_t *gates;       /* of the model: its copy, itself, or AVAIL_NONE: not looked at */
	uint32_t gate_room;
};

struct openpsa_walk {
	uint32_t initiating; /* thing; AVAIL_NONE: only checking */
	uint32_t tree;	     /* thing: the tree that the walk is in */
	uint64_t steps;
	uint32_t *within, depth, within_room; /* things that the walk is in, for cycles */
	/* what is true here */
	struct openpsa_state *states;
	uint32_t state_count, state_room;
	struct openpsa_setting *settings; /* a later one of an event replaces an earlier */
	uint32_t setting_count, setting_room;
	/* what was collected on the way here */
	struct avail_term *terms;
	uint32_t term_count, term_room;
	uint32_t *factors;
	uint32_t factor_count, factor_room;
	uint32_t frequencies; /* of the factors, those of the initiating event itself */
	/* what was found */
	struct openpsa_path *paths;
	uint32_t path_count, path_room;
	uint32_t *kept, kept_count, kept_room;
	/* flavours, for all walks */
	struct openpsa_flavour *flavours;
	uint32_t flavour_count, flavour_room;
	struct openpsa_setting *flavour_settings;
	uint32_t flavour_setting_count, flavour_setting_room;
	/* formulas and expressions of the documents' nodes, read once */
	struct avail_term *formulas;
	uint32_t formula_count, formula_room;
	bool asked;		    /* a test of the world was met while an expression was read */
	struct avail_sample sample; /* for conditions, at the means */
	bool sampled;
};

/* --- openpsa_event_tree.c --- */

/* What the attribute of a node names; NAME_TABLE_NONE with a finding. */
uint32_t openpsa_refer(struct openpsa *reader, const xmlNode *node, const char *attribute,
		       enum openpsa_space space, const char *scope, const char *what);
/* Whether all trees, rules and initiating events are well formed; findings otherwise. */
void openpsa_check_trees(struct openpsa *reader);

/* --- openpsa_order.c --- */

/* Whether no branch, rule or tree leads to itself, rules lead to other trees only from sequences, and each
 * way passes functional events in their order; findings otherwise.  Everything is well formed. */
void openpsa_check_order(struct openpsa *reader);

/* --- openpsa_walk.c --- */

/* Goes into a branch, a rule, a tree or a group; false with a finding when the walk is in it already.
 * node   that refers to it
 * file   where the walk was before */
bool openpsa_go_in(struct openpsa *reader, const xmlNode *node, uint32_t thing);
void openpsa_go_out(struct openpsa *reader, uint32_t file);

/* --- openpsa_collect.c --- */

/* Whether the element is a fork, a sequence or a branch. */
bool openpsa_branch_ends(const xmlNode *node);
/* Whether a condition holds, with distributions at their means; false with a finding. */
bool openpsa_condition(struct openpsa *reader, const xmlNode *node, bool *holds);
/* The formula or expression of a node; false with a finding. */
bool openpsa_collected_formula(struct openpsa *reader, const xmlNode *node,
			       struct avail_term *term);
bool openpsa_collected_expression(struct openpsa *reader, const xmlNode *node,
				  uint32_t *expression);
/* The house event that the node sets; AVAIL_NONE with a finding. */
uint32_t openpsa_house_of(struct openpsa *reader, const xmlNode *node);

/* --- openpsa_flavour.c --- */

/* The term with the settings of the moment in the place of their events. */
bool openpsa_flavour_term(struct openpsa *reader, struct avail_term *term);
void openpsa_flavour_fini(struct openpsa *reader);

/* --- openpsa_paths.c --- */

/* Keeps the way to here as a path to the sequence. */
void openpsa_keep_path(struct openpsa *reader, uint32_t sequence);
/* Makes a top of each sequence that the initiating event leads to, and forgets the paths. */
void openpsa_make_tops(struct openpsa *reader);

#endif
