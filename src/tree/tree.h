/* tree/tree.h -- every managed object and property of a site, once: name, type, unit, access, and a
 * sentence.  All views show this table: JSON, the tool's tables, the reference page.
 *
 * What it is not: it holds no values.  A provider describes one object at a time by putting values
 * to their properties; a view receives them.  A value for a property that the table does not have
 * is our own bug and stops the program.
 *
 * Threads: any; the table is constant.  Memory: none kept; texts are only read during a put. */
#ifndef TREE_TREE_H
#define TREE_TREE_H

#include "base/base.h"

enum { TREE_NAME_MAX = 128 }; /* characters of an object's name, with its end */

/* Enum, the word in paths and commands, its plural, what it is. */
#define TREE_NOUNS(X)                                                                          \
	X(SITE,     "site",     "sites",     "all that one site file describes")                \
	X(CHASSIS,  "chassis",  "chassis",   "a cabinet that carriers and hosts plug into")     \
	X(CARRIER,  "carrier",  "carriers",  "what cards plug into")                            \
	X(CARD,     "card",     "cards",     "a NIC card: functions, a switch and a line port") \
	X(FUNCTION, "function", "functions", "a virtual function of a card")                    \
	X(HOST,     "host",     "hosts",     "a processor blade that systems run on")           \
	X(POOL,     "pool",     "pools",     "cards that interfaces are drawn from")            \
	X(SYSTEM,   "system",   "systems",   "a guest with the interfaces it was given")        \
	X(GROUP,    "group",    "groups",    "cards that stand in for each other")              \
	X(EVENT,    "event",    "events",    "what happened, newest last")                      \
	X(FAULT,    "fault",    "faults",    "an access that was blocked, newest last")         \
	X(WORKER,   "worker",   "workers",   "a data thread that polls cards")                   \
	X(AVAIL,    "avail",    "services",  "how available a system is, and the site as a whole")

enum tree_noun {
#define X(name, word, plural, text) TREE_##name,
	TREE_NOUNS(X)
#undef X
	TREE_NOUN_COUNT
};

/* How a value is written in JSON.  A property without a value is null. */
#define TREE_TYPES(X)                                  \
	X(TEXT,    "string")                           \
	X(INTEGER, "integer")                          \
	X(NUMBER,  "number")                           \
	X(BOOLEAN, "boolean")                          \
	X(LIST,    "list")  /* of strings */           \
	X(ROWS,    "rows")  /* a list of objects with the properties in 'columns' */

enum tree_type {
#define X(name, word) TREE_##name,
	TREE_TYPES(X)
#undef X
	TREE_TYPE_COUNT
};

#define TREE_UNITS(X)              \
	X(PLAIN,   "")             \
	X(THINGS,  "count")        \
	X(FRAMES,  "frames")       \
	X(BYTES,   "bytes")        \
	X(BPS,     "bit/s")        \
	X(PPS,     "frames/s")     \
	X(MBPS,    "Mbit/s")       \
	X(S,       "s")            \
	X(US,      "us")           \
	X(NS,      "ns")           \
	X(MINUTES, "min")          \
	X(HOURS,   "h")            \
	X(TIME,    "ISO 8601 UTC")

enum tree_unit {
#define X(name, word) TREE_UNIT_##name,
	TREE_UNITS(X)
#undef X
	TREE_UNIT_COUNT
};

/* Who decides a value. */
#define TREE_ACCESSES(X)                                                   \
	X(READ, "read")      /* it is what it is */                        \
	X(CONF, "site file") /* the site file says; a restart changes it */ \
	X(ACT,  "action")    /* an action of the operator changes it */

enum tree_access {
#define X(name, word) TREE_##name,
	TREE_ACCESSES(X)
#undef X
	TREE_ACCESS_COUNT
};

enum tree_place {
	TREE_SHOWN,  /* in the description of one object */
	TREE_LISTED, /* in lists as well */
};

struct tree_property {
	const char *name; /* snake_case, unit last; NULL ends a table */
	enum tree_type type;
	enum tree_unit unit;
	enum tree_access access;
	enum tree_place place;
	const char *text; /* one sentence without its full stop */
	const struct tree_property *columns; /* TREE_ROWS */
};

extern const char *const tree_noun_word[TREE_NOUN_COUNT];
extern const char *const tree_noun_plural[TREE_NOUN_COUNT];
extern const char *const tree_noun_text[TREE_NOUN_COUNT];
extern const char *const tree_type_word[TREE_TYPE_COUNT];
extern const char *const tree_unit_word[TREE_UNIT_COUNT];
extern const char *const tree_access_word[TREE_ACCESS_COUNT];

/* The properties of each noun; the first is always "name".  Ends with a row without a name. */
extern const struct tree_property *const tree_properties[TREE_NOUN_COUNT];

/* Rows of a card's table of learned addresses, which is read by itself (card fdb). */
extern const struct tree_property tree_fdb_columns[];

/* Rows of what a system's interfaces are granted (iommu dump). */
extern const struct tree_property tree_mapping_columns[];

/* The noun with this word, or TREE_NOUN_COUNT. */
enum tree_noun tree_noun_find(const char *word);

/* The row with this name, or NULL. */
const struct tree_property *tree_find(const struct tree_property *table, const char *name);

struct tree_value {
	enum tree_type type; /* TREE_TEXT for an item of a list */
	union {
		const char *text;
		uint64_t integer;
		double number;
		bool boolean;
	};
};

/* A view: receives what a provider puts. */
struct tree_out;
struct tree_out_ops {
	/* A value, or the next item of a list. */
	void (*put)(struct tree_out *, const struct tree_property *, const struct tree_value *);
	/* The values that follow, up to row_end, are one more row of 'rows'. */
	void (*row_begin)(struct tree_out *, const struct tree_property *rows);
	void (*row_end)(struct tree_out *, const struct tree_property *rows);
	/* The list is there, be it empty. */
	void (*empty)(struct tree_out *, const struct tree_property *);
};
struct tree_out {
	const struct tree_out_ops *ops;
	const struct tree_property *table;   /* properties of the object being described */
	const struct tree_property *rows;    /* NULL outside a row */
	enum tree_place least;               /* TREE_LISTED: the view wants no more than lists
	                                      * show, so a provider may spare itself the rest */
};

/* For providers.  'name' is a property of the noun, or a column inside a row; its type must be
 * what the function says.  A property that nobody puts is null. */
void tree_put_text(struct tree_out *out, const char *name, const char *text);
void tree_put_integer(struct tree_out *out, const char *name, uint64_t value);
void tree_put_number(struct tree_out *out, const char *name, double value);
void tree_put_boolean(struct tree_out *out, const char *name, bool value);
void tree_put_list(struct tree_out *out, const char *name); /* starts empty */
void tree_put_item(struct tree_out *out, const char *name, const char *text);
void tree_put_rows(struct tree_out *out, const char *name); /* starts empty */
void tree_row_begin(struct tree_out *out, const char *name);
void tree_row_end(struct tree_out *out);

/* Where values come from. */
struct tree_provider_ops {
	unsigned (*count)(void *owner, enum tree_noun noun);
	/* Name of object 'index', which is below the count. */
	void (*name)(void *owner, enum tree_noun noun, unsigned index, char name[TREE_NAME_MAX]);
	/* Puts the values of one object, its name excepted. */
	void (*describe)(void *owner, enum tree_noun noun, unsigned index, struct tree_out *out);
};

struct tree_provider {
	const struct tree_provider_ops *ops;
	void *owner;
};

/* Index of the object with this name, or -1. */
int tree_object_find(const struct tree_provider *provider, enum tree_noun noun, const char *name);

/* Describes one object, name first, to a view whose ops are set. */
void tree_describe(const struct tree_provider *provider, enum tree_noun noun, unsigned index,
		   struct tree_out *out);

/* Writes "there is no card 'nic9'; the cards are: nic0, nic1", cut to what fits. */
void tree_say_missing(const struct tree_provider *provider, enum tree_noun noun, const char *name,
		      char *text, size_t size);

#endif
