/* avail/model.h -- an availability model in the words of those who make it: field-replaceable units, events
 * with rates or probabilities, gates, common causes, standby, repair crews, capacity.  Readers of
 * files (store/) and the site (fabric/) build one; flatten.h makes trees of it, and dynamic.h Markov
 * chains of what a tree cannot say.
 *
 * What it is not: it has no scopes and no look-up by name.  Names are full names ("train.pump1"), for
 * people; everything refers by index, in any order, so that a gate may be mentioned before it is
 * defined.  avail_model_check() finds what is missing, and cycles.
 *
 * Rates are per hour, times in hours.
 *
 * Threads: one.  Memory: all from the struct avail_memory of avail_model_init; texts are copied. */
#ifndef AVAIL_MODEL_H
#define AVAIL_MODEL_H

#include "avail/memory.h"
#include "base/refusal.h"

#define AVAIL_NONE UINT32_MAX
#define AVAIL_MISSION_H 8760.0 /* mission time when nothing says otherwise: a year */

/* What a gate's argument, a top or a member is: an event, a gate or a constant, perhaps negated. */
enum avail_term_kind { AVAIL_TERM_EVENT, AVAIL_TERM_GATE, AVAIL_TERM_CONSTANT };

struct avail_term {
	enum avail_term_kind kind;
	uint32_t index; /* of the event or gate; CONSTANT: 0 false, 1 true */
	bool negated;
};

/* A field-replaceable unit: what events belong to, so that their cost can be added up. */
struct avail_fru {
	const char *name, *kind; /* "amc1", "carrier" */
	double cost;             /* of one more, in the user's currency; 0: not given */
};

/* How the probability of an event comes about.  Expressions are of expression.h. */
enum avail_law {
	AVAIL_LAW_UNDEFINED,   /* mentioned, not yet defined */
	AVAIL_LAW_PROBABILITY, /* 'probability', an expression, perhaps of the mission time */
	AVAIL_LAW_REPAIRABLE,  /* fails with failure_rate, is repaired after repair_h (exponential) */
	AVAIL_LAW_UNREPAIRED,  /* fails with failure_rate and stays failed */
	AVAIL_LAW_HOUSE,       /* a switch of the model: constant 'house' */
};

struct avail_event {
	const char *name;
	uint32_t fru; /* or AVAIL_NONE */
	enum avail_law law;
	uint32_t probability, failure_rate, repair_h; /* expressions, or AVAIL_NONE */
	bool house;
};

enum avail_formula_kind {
	AVAIL_FORMULA_UNDEFINED,
	AVAIL_FORMULA_AND,
	AVAIL_FORMULA_OR,
	AVAIL_FORMULA_NOT,         /* one argument */
	AVAIL_FORMULA_XOR,         /* an odd number of arguments */
	AVAIL_FORMULA_IFF,         /* all arguments equal: two of them */
	AVAIL_FORMULA_NAND,
	AVAIL_FORMULA_NOR,
	AVAIL_FORMULA_IMPLY,       /* two arguments */
	AVAIL_FORMULA_AT_LEAST,    /* 'low' */
	AVAIL_FORMULA_CARDINALITY, /* 'low' to 'high' */
	AVAIL_FORMULA_PASS,        /* its one argument */
};

struct avail_gate {
	const char *name; /* NULL: a formula within another */
	enum avail_formula_kind kind;
	uint32_t low, high;
	uint32_t first, count; /* model->terms[first .. first + count - 1] */
	uint32_t standby;      /* index of the struct avail_standby that governs it, or AVAIL_NONE */
};

/* Events that can fail together.  Each member gets the same total probability or rate. */
enum avail_ccf_kind { AVAIL_CCF_BETA, AVAIL_CCF_MGL, AVAIL_CCF_ALPHA, AVAIL_CCF_PHI };

struct avail_ccf {
	const char *name;
	enum avail_ccf_kind kind;
	uint32_t first, count;               /* events: model->indexes[...] */
	uint32_t total;                      /* expression: probability, or rate when 'rated' */
	bool rated;                          /* members are REPAIRABLE or UNREPAIRED */
	uint32_t first_factor, factor_count; /* expressions: model->indexes[...]; by level */
};

/* How the members of a gate stand in for each other.  The gate is AT_LEAST: it fails when more than
 * count - needed members are down; low is count - needed + 1.  What is left at its default is what a
 * static tree says: hot, coverage 1, no time to switch. */
enum avail_standby_mode {
	AVAIL_HOT,  /* spares fail as active ones do */
	AVAIL_WARM, /* spares fail with 'dormancy' times their rate */
	AVAIL_COLD, /* spares do not fail */
};

enum avail_uncovered {
	AVAIL_UNCOVERED_TAKES_ALL, /* every member of the group goes down and needs repair */
	AVAIL_UNCOVERED_WAITS,     /* service is out until somebody intervenes, recovery_h */
};

struct avail_standby {
	const char *name;
	uint32_t gate;
	uint32_t needed;    /* members that must be active */
	enum avail_standby_mode mode;
	double dormancy;    /* WARM: 0..1 */
	double coverage;    /* probability that the failure of an active member is handled: 0..1 */
	enum avail_uncovered uncovered;
	double recovery_h;  /* mean; for UNCOVERED_WAITS */
	double switch_h;    /* mean outage of a handled switch-over; 0: none */
	bool reverts;       /* goes back to the first member when it returns, with another outage */
};

/* A team that repairs these events' units, at most 'crews' at a time, in the order of failure. */
struct avail_crew {
	const char *name;
	uint32_t crews;
	uint32_t first, count; /* events: model->indexes[...] */
};

/* What is delivered: units of capacity, each there unless its term is true, all lost when 'down' is. */
struct avail_capacity {
	const char *name, *unit; /* "Gbit/s" */
	uint32_t first, count;   /* model->shares[...] */
	struct avail_term down;
};

struct avail_share {
	struct avail_term down;
	double amount;
};

/* A service whose figures are asked for; or a sequence of an event tree, which has a frequency: its
 * figure is 'frequency' times the probability of 'down'. */
struct avail_top {
	const char *name;
	struct avail_term down;
	uint32_t capacity;  /* or AVAIL_NONE */
	uint32_t frequency; /* expression: of the initiating event, with the factors on the way; or AVAIL_NONE */
	const char *initiating, *sequence; /* names of both; NULL: no sequence */
};

struct avail_expression; /* expression.h */

/* Arrays grow by the functions below and are read directly. */
struct avail_model {
	struct avail_memory *memory;
	const char *name;
	double mission_h; /* default AVAIL_MISSION_H */
	struct avail_fru *frus;
	uint32_t fru_count, fru_room;
	struct avail_event *events;
	uint32_t event_count, event_room;
	struct avail_gate *gates;
	uint32_t gate_count, gate_room;
	struct avail_ccf *ccfs;
	uint32_t ccf_count, ccf_room;
	struct avail_standby *standbys;
	uint32_t standby_count, standby_room;
	struct avail_crew *crews;
	uint32_t crew_count, crew_room;
	struct avail_capacity *capacities;
	uint32_t capacity_count, capacity_room;
	struct avail_top *tops;
	uint32_t top_count, top_room;
	struct avail_term *terms;
	uint32_t term_count, term_room;
	struct avail_share *shares;
	uint32_t share_count, share_room;
	uint32_t *indexes;
	uint32_t index_count, index_room;
	struct avail_expression *expressions;
	uint32_t expression_count, expression_room;
	struct avail_text *texts; /* what names point into */
};

int avail_model_init(struct avail_model *model, struct avail_memory *memory, const char *name);
void avail_model_fini(struct avail_model *model);

/* A copy of 'text' that lives as long as the model; NULL: no room. */
const char *avail_model_text(struct avail_model *model, const char *text);

/* Each adds one thing with the name (NULL where there is none) and otherwise defaults, and returns its
 * index; AVAIL_NONE: no room.  The caller fills in the rest through the arrays. */
uint32_t avail_model_fru(struct avail_model *model, const char *kind, const char *name);
uint32_t avail_model_event(struct avail_model *model, const char *name);
uint32_t avail_model_gate(struct avail_model *model, const char *name);
uint32_t avail_model_ccf(struct avail_model *model, const char *name);
uint32_t avail_model_standby(struct avail_model *model, const char *name, uint32_t gate);
uint32_t avail_model_crew(struct avail_model *model, const char *name, uint32_t crews);
uint32_t avail_model_capacity(struct avail_model *model, const char *name, const char *unit);
uint32_t avail_model_top(struct avail_model *model, const char *name, struct avail_term down);

/* Appends to the shared arrays; the index of the first, or AVAIL_NONE: no room. */
uint32_t avail_model_terms(struct avail_model *model, const struct avail_term *terms, uint32_t count);
uint32_t avail_model_indexes(struct avail_model *model, const uint32_t *indexes, uint32_t count);
uint32_t avail_model_shares(struct avail_model *model, const struct avail_share *shares,
			    uint32_t count);

/* Defines gate 'gate': its formula and a copy of its arguments.  0, or -ENOMEM. */
int avail_model_define(struct avail_model *model, uint32_t gate, enum avail_formula_kind kind,
		       const struct avail_term *args, uint32_t count);

/* Shorthands for what most builders do.  Index of the event, or AVAIL_NONE: no room. */
uint32_t avail_model_repairable(struct avail_model *model, const char *name, uint32_t fru,
				double mtbf_h, double repair_h);
uint32_t avail_model_fixed(struct avail_model *model, const char *name, double probability);

/* How many arguments a formula takes, and its word: "at least", "and". */
struct avail_formula {
	uint32_t least, most;
	const char *word;
};
struct avail_formula avail_formula_of(enum avail_formula_kind kind);

/* A group of common causes becomes an event for each combination of its members that can fail together;
 * this is how many of those a group may have. */
enum { AVAIL_CCF_COMBINATIONS_MAX = 1 << 16 };

/* Whether everything that is mentioned is defined, arguments and factors are within their ranges, and no
 * gate depends on itself.  0, or -EINVAL with 'why' (path: the name of the thing; a cycle is written
 * out, "a -> b -> a"), or -ENOMEM. */
int avail_model_check(struct avail_model *model, struct refusal *why);

/* The same; 'where' receives what is to blame, so that a reader of files can name a line. */
enum avail_part {
	AVAIL_PART_NONE, /* nothing in particular */
	AVAIL_PART_EXPRESSION,
	AVAIL_PART_GATE,
	AVAIL_PART_EVENT,
	AVAIL_PART_CCF,
	AVAIL_PART_CREW,
	AVAIL_PART_STANDBY,
	AVAIL_PART_CAPACITY,
	AVAIL_PART_TOP,
};

struct avail_where {
	enum avail_part part;
	uint32_t index;
};
int avail_model_check_where(struct avail_model *model, struct refusal *why,
			    struct avail_where *where);

#endif
