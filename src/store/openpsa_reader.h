/* store/openpsa_reader.h -- one reading of an Open-PSA document, shared by the files openpsa*.c and
 * nobody else.
 *
 * In passes over the trees of all files: declare every name; make members of common-cause groups;
 * define gates, events and parameters; check; walk the event trees; check again.  A pass reports
 * all that it finds wrong, and the next one begins only when the last found nothing.
 *
 * Threads: one.  Memory: from the model's. */
#ifndef STORE_OPENPSA_READER_H
#define STORE_OPENPSA_READER_H

#include "avail/expression.h"
#include "store/avail_findings.h"
#include "store/name_table.h"
#include "store/openpsa.h"
#include "store/openpsa_xml.h"

enum openpsa_kind {
	OPENPSA_GATE,
	OPENPSA_BASIC_EVENT,
	OPENPSA_HOUSE_EVENT,
	OPENPSA_PARAMETER,
	OPENPSA_CCF,
	OPENPSA_PART,	    /* fault tree or component */
	OPENPSA_TREE,	    /* event tree */
	OPENPSA_INITIATING, /* initiating event, or group of them */
	OPENPSA_RULE,
	OPENPSA_FUNCTIONAL, /* these three within an event tree */
	OPENPSA_SEQUENCE,
	OPENPSA_BRANCH,
};

/* What a name can mean without being in the way of the same name with another meaning. */
enum openpsa_space {
	OPENPSA_PATHS_OF_EVENTS = 'e', /* gates, basic and house events, by full path */
	OPENPSA_PUBLIC_EVENTS = 'E',   /* by name */
	OPENPSA_PATHS_OF_PARAMETERS = 'p',
	OPENPSA_PUBLIC_PARAMETERS = 'P',
	OPENPSA_CCFS = 'c',
	OPENPSA_PARTS = 'd',
	OPENPSA_TREES = 't',
	OPENPSA_INITIATINGS = 'i',
	OPENPSA_RULES = 'r',
	OPENPSA_FUNCTIONALS = 'f',    /* of a tree: its name and a dot before */
	OPENPSA_ANY_FUNCTIONAL = 'F', /* of whatever tree */
	OPENPSA_SEQUENCES = 's', /* of whatever tree */
	OPENPSA_BRANCHES = 'b', /* of a tree */
};

enum openpsa_unit {
	OPENPSA_NO_UNIT,
	OPENPSA_BOOL,
	OPENPSA_INT,
	OPENPSA_FLOAT,
	OPENPSA_HOURS,
	OPENPSA_PER_HOUR,
	OPENPSA_YEARS,
	OPENPSA_PER_YEAR,
	OPENPSA_FIT,
	OPENPSA_DEMANDS,
};

/* Something that the document defines. */
struct openpsa_thing {
	enum openpsa_kind kind;
	const char *name;    /* as in the model */
	const xmlNode *node; /* its definition */
	uint32_t file;
	uint32_t container;
	uint32_t index; /* in the model: gate, event, expression of a parameter, group */
	enum openpsa_unit unit; /* of a parameter */
	bool busy;             /* being walked: to come again would be a cycle */
	bool done;             /* openpsa_order.c has been here */
	bool links;            /* a rule that leads to another event tree */
	uint32_t tree;         /* of a functional event, sequence or branch: its event tree */
};

/* The model (0), a fault tree or a component: a scope of names. */
struct openpsa_container {
	const char *path; /* "tree.part"; the model's is empty */
	uint32_t parent;
	bool closed; /* what is in it is private unless it says otherwise */
};

struct openpsa_file {
	const char *name;
	xmlDoc *document;
	uint32_t from; /* the file that includes it; 0 of itself */
	uint64_t device, inode;
};

/* Where something of the model was said. */
struct openpsa_place {
	uint32_t file;
	unsigned line;
};

/* An array that grows, and the places of one kind of part. */
struct openpsa_places {
	struct openpsa_place *at;
	uint32_t room;
};

struct openpsa_walk;

struct openpsa {
	struct avail_model *model;
	struct avail_memory *memory;
	struct avail_findings *findings;
	enum openpsa_includes includes;
	size_t size_left; /* bytes that files may still have */
	bool full;	  /* out of memory; reading goes on to its end without effect */
	struct openpsa_file *files;
	uint32_t file_count, file_room;
	struct openpsa_container *containers;
	uint32_t container_count, container_room;
	struct openpsa_thing *things;
	uint32_t thing_count, thing_room;
	struct name_table names;
	/* the thing that is being read, for findings and scopes */
	uint32_t file, container;
	const char *subject;
	/* arguments that are being collected */
	struct avail_term *terms;
	uint32_t term_count, term_room;
	uint32_t *numbers;
	uint32_t number_count, number_room;
	struct openpsa_places gates, events, expressions, ccfs, tops;
	uint32_t mission_time;	   /* the expression; AVAIL_NONE: none yet */
	struct openpsa_walk *walk; /* through an event tree; NULL: none now */
};

/* --- openpsa_reader.c: findings, names, scopes --- */

void openpsa_find(struct openpsa *reader, const xmlNode *node, const char *format, ...)
	printf_like(3, 4);
void openpsa_no_room(struct openpsa *reader);

/* Makes *array, whatever its type, hold 'count' things; false: no room, which is noted. */
bool openpsa_make_room(struct openpsa *reader, void *array, uint32_t *room, uint64_t count,
		       size_t size);

/* Notes where a part of the model was said. */
void openpsa_note(struct openpsa *reader, struct openpsa_places *places, uint32_t index,
		  const xmlNode *node);

/* Checks attributes and text of an element that is otherwise known; false with a finding. */
bool openpsa_plain(struct openpsa *reader, const xmlNode *node, const char *attributes);

/* Says what the model can do without. */
void openpsa_warn(struct openpsa *reader, const xmlNode *node, const char *format, ...)
	printf_like(3, 4);

/* An attribute that must be there; NULL with a finding. */
const char *openpsa_needed(struct openpsa *reader, const xmlNode *node, const char *attribute,
			   char room[OPENPSA_XML_VALUE]);

/* The "name" of a definition, a copy that stays; NULL with a finding. */
const char *openpsa_identifier(struct openpsa *reader, const xmlNode *node);

/* The elements below 'node' but label and attributes, which are checked on the way: the first, and
 * the one behind; NULL: none. */
const xmlNode *openpsa_first(struct openpsa *reader, const xmlNode *node);
const xmlNode *openpsa_next(struct openpsa *reader, const xmlNode *node);

/* The only such element; NULL with a finding: there are none, or several. */
const xmlNode *openpsa_only(struct openpsa *reader, const xmlNode *node, const char *what);

/* Says that the element has no place where it is. */
void openpsa_misplaced(struct openpsa *reader, const xmlNode *node, const char *allowed);

/* "true", "false", or "1", "0"; false with a finding. */
bool openpsa_truth(struct openpsa *reader, const xmlNode *node, bool *value);

/* A whole number from 0 to 1e9; false: it is none. */
bool openpsa_whole(const char *text, uint32_t *value);

/* Looks up or gives a name in a space; 'scope' (NULL: none) goes before it with a dot. */
uint32_t openpsa_get(struct openpsa *reader, enum openpsa_space space, const char *scope,
		     const char *name);
/* False: the name is taken, or no room, with a finding. */
bool openpsa_put(struct openpsa *reader, enum openpsa_space space, const char *scope,
		 const char *name, uint32_t thing, const xmlNode *node);

/* Adds what is defined at 'node' to the things; AVAIL_NONE: no room. */
uint32_t openpsa_add(struct openpsa *reader, enum openpsa_kind kind, const char *name,
		     const xmlNode *node);

/* The event or parameter that a reference in the current container means: from the inside out
 * through its containers, then what is public, then a full path.  AVAIL_NONE: nothing, without a
 * finding. */
enum openpsa_sort { OPENPSA_EVENTS, OPENPSA_PARAMETERS };
uint32_t openpsa_resolve(struct openpsa *reader, enum openpsa_sort sort, const char *reference);

/* Makes a thing the subject of what follows. */
void openpsa_enter(struct openpsa *reader, const struct openpsa_thing *thing);

/* --- openpsa_declare.c: the first two passes --- */

void openpsa_declare(struct openpsa *reader, const xmlNode *root);
void openpsa_declare_members(struct openpsa *reader);

/* --- openpsa_define.c: the third pass, and formulas --- */

void openpsa_define(struct openpsa *reader);
bool openpsa_formula(struct openpsa *reader, const xmlNode *node, struct avail_term *term);

/* --- openpsa_expression.c --- */

enum openpsa_unit openpsa_unit_of(struct openpsa *reader, const xmlNode *node);
bool openpsa_expression(struct openpsa *reader, const xmlNode *node, uint32_t *expression);

/* --- openpsa_event_tree.c: declarations --- */

void openpsa_declare_tree(struct openpsa *reader, const xmlNode *node);
void openpsa_declare_initiating(struct openpsa *reader, const xmlNode *node);
void openpsa_declare_rule(struct openpsa *reader, const xmlNode *node);

/* --- openpsa_walk.c: from event trees to tops --- */

void openpsa_walk_trees(struct openpsa *reader);
/* What the walk knows about the world; false with a finding: there is no walk, or no such thing. */
bool openpsa_walk_test(struct openpsa *reader, const xmlNode *node, bool *value);

#endif
