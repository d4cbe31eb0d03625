/* store/avail_schema.h -- every key that a hand-written availability model may have, one row a key, and the plain
 * structs that a file fills: what the validator and docs/avail-file.md are made of.
 *
 * Threads: any.  Memory: constant tables. */
#ifndef STORE_AVAIL_SCHEMA_H
#define STORE_AVAIL_SCHEMA_H

#include "store/avail_number.h"

/* --- what a file says --- */

/* A number with its unit, or the name of a parameter. */
struct said_quantity {
	double value;
	enum avail_dimension dimension;
	const char *parameter; /* NULL: 'value' it is */
	unsigned line;         /* 0: not given */
};

struct said_quantities {
	struct said_quantity *at;
	uint32_t count;
};

/* Something by its name, perhaps negated. */
struct said_term {
	const char *name;
	bool negated;
	unsigned line; /* 0: not given */
};

struct said_terms {
	struct said_term *at;
	uint32_t count;
};

/* A section that may be repeated: 'count' structs of its kind. */
struct said_list {
	void *at;
	uint32_t count;
};

/* Each begins with the line of its entry. */
struct said_parameter {
	unsigned line;
	const char *name;
	struct said_quantity value, mean, deviation, error_factor, level, low, high, shape, scale, alpha,
		beta;
	uint32_t distribution; /* enum said_distribution */
	struct said_quantities values, weights;
};

enum said_distribution {
	SAID_CONSTANT,
	SAID_UNIFORM,
	SAID_NORMAL,
	SAID_LOGNORMAL,
	SAID_GAMMA,
	SAID_BETA,
	SAID_HISTOGRAM,
};

struct said_unit {
	unsigned line;
	const char *name, *kind;
	struct said_terms on;
	struct said_quantity mtbf, failure_rate, mttr, software_mtbf, restart;
	uint32_t repaired; /* 0, 1 */
	double cost;
};

struct said_event {
	unsigned line;
	const char *name;
	struct said_term unit;
	struct said_quantity probability, mtbf, failure_rate, mttr;
};

struct said_house {
	unsigned line;
	const char *name;
	uint32_t state;
};

enum said_block_kind { SAID_SERIES, SAID_PARALLEL, SAID_K_OF_N };

struct said_block {
	unsigned line;
	const char *name;
	uint32_t kind; /* enum said_block_kind */
	uint32_t needed;
	struct said_terms of;
};

struct said_gate {
	unsigned line;
	const char *name;
	uint32_t kind; /* enum avail_formula_kind */
	uint32_t min, max;
	struct said_terms of;
};

struct said_ccf {
	unsigned line;
	const char *name;
	uint32_t model; /* enum avail_ccf_kind */
	struct said_terms of;
	struct said_quantities factors;
	struct said_quantity probability, mtbf, failure_rate;
};

struct said_standby {
	unsigned line;
	const char *name;
	struct said_terms of;
	uint32_t needed, standby, uncovered, revert; /* standby, uncovered: enums of avail/model.h */
	double dormancy, coverage, recovery_h, switch_over_h;
};

struct said_crew {
	unsigned line;
	const char *name;
	uint32_t count;
	struct said_terms repairs;
};

struct said_share {
	unsigned line;
	struct said_term of;
	double amount;
};

struct said_capacity {
	unsigned line;
	const char *name, *unit;
	struct said_term down;
	struct said_list shares;
};

struct said_top {
	unsigned line;
	const char *name;
	struct said_term down, capacity;
};

struct said_model {
	unsigned line;
	const char *name;
	double mission_h;
	struct said_list parameters, units, events, house_events, blocks, gates, common_causes,
		standby_groups, crews, capacities, tops;
};

/* --- rows --- */

enum avail_said_type {
	AVAIL_SAID_NAME,       /* const char *: gives a name */
	AVAIL_SAID_TEXT,       /* const char *: printable characters, at most 'max' */
	AVAIL_SAID_TERM,       /* struct said_term: a name */
	AVAIL_SAID_NAMES,      /* struct said_terms: a name or a list of them, min..max */
	AVAIL_SAID_TERMS,      /* the same, each perhaps with "not " before it */
	AVAIL_SAID_COUNT,      /* uint32_t: min..max */
	AVAIL_SAID_BOOL,       /* uint32_t: 0, 1 */
	AVAIL_SAID_WORD,       /* uint32_t: one of 'words' */
	AVAIL_SAID_SHARE,      /* double: from 0 to 1 */
	AVAIL_SAID_AMOUNT,     /* double: 0 or more */
	AVAIL_SAID_HOURS,      /* double: a time; with 'min' above 0 */
	AVAIL_SAID_QUANTITY,   /* struct said_quantity of 'dimension', or a parameter */
	AVAIL_SAID_ANY,        /* struct said_quantity of any dimension, or a parameter */
	AVAIL_SAID_QUANTITIES, /* struct said_quantities of any dimension: min..max */
	AVAIL_SAID_SECTION,    /* struct said_list of 'section': min..max */
};

enum avail_said_section {
	AVAIL_SAID_MODEL,
	AVAIL_SAID_PARAMETER,
	AVAIL_SAID_UNIT,
	AVAIL_SAID_EVENT,
	AVAIL_SAID_HOUSE,
	AVAIL_SAID_BLOCK,
	AVAIL_SAID_GATE,
	AVAIL_SAID_CCF,
	AVAIL_SAID_STANDBY,
	AVAIL_SAID_CREW,
	AVAIL_SAID_CAPACITY,
	AVAIL_SAID_SHARES,
	AVAIL_SAID_TOP,
	AVAIL_SAID_SECTION_COUNT
};

struct avail_said_word {
	const char *word;
	uint32_t value;
};

enum avail_said_need { AVAIL_SAID_OPTIONAL, AVAIL_SAID_MANDATORY };

struct avail_row {
	const char *key;
	enum avail_said_type type;
	enum avail_said_need need;
	uint32_t min, max;
	enum avail_dimension dimension;
	const char *preset; /* the default as the file would spell it; NULL: none */
	const char *absent; /* what its absence means, for the page, where preset is NULL */
	const struct avail_said_word *words;
	unsigned word_count;
	enum avail_said_section section; /* AVAIL_SAID_SECTION */
	const char *help;                /* a sentence */
	size_t offset;                   /* of the member */
};

struct avail_section_rows {
	const char *name;   /* "unit" */
	const char *phrase; /* "a unit" */
	const char *key;    /* where it stands: "units[]" */
	const char *help;
	const struct avail_row *rows;
	unsigned row_count;
	size_t size; /* of its struct, which begins with its line */
};

extern const struct avail_section_rows avail_sections[AVAIL_SAID_SECTION_COUNT];

enum {
	AVAIL_ROWS_MAX = 20,     /* of one section */
	AVAIL_NAME_MAX = 64,     /* characters of a name */
	AVAIL_THINGS_MAX = 1000000, /* entries of one list */
};

/* Whether it is a name: letters, digits, '-', '_', '.', ':' and '/', the first a letter or a digit. */
bool avail_name_is_good(const char *text);
/* Whether it is a parameter's name: the same, the first a letter. */
bool avail_parameter_is_good(const char *text);

/* Says what a row allows: "a time such as 4h or 50ms, or a parameter". */
void avail_row_allows(const struct avail_row *row, char *text, size_t size);

#endif
