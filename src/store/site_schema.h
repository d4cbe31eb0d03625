/* store/site_schema.h -- every key that a site file may have, one row a key: what the validator, the
 * libcyaml schema and docs/site-file.md are all made of.
 *
 * Threads: any.  Memory: constant tables; site_cyaml is the caller's. */
#ifndef STORE_SITE_SCHEMA_H
#define STORE_SITE_SCHEMA_H

#include "base/base.h"
#include "fabric/site.h"

#include <cyaml/cyaml.h>
#include <stdio.h>

enum site_type {
	SITE_TYPE_NAME,    /* gives a name: see site_name_is_good */
	SITE_TYPE_REF,     /* somebody's name */
	SITE_TYPE_TEXT,    /* printable characters, min..max of them */
	SITE_TYPE_MAC,
	SITE_TYPE_UINT,    /* decimal, min..max */
	SITE_TYPE_RATE,    /* bits per second: "2.5Gbit" */
	SITE_TYPE_PPS,     /* packets per second: "1M" */
	SITE_TYPE_SIZE,    /* bytes: "10GiB" */
	SITE_TYPE_HOURS,   /* a time, in hours: "250000h", "4h", "50ms"; min 1: not 0 */
	SITE_TYPE_SHARE,   /* 0 to 1: "0.95", "95%" */
	SITE_TYPE_BOOL,
	SITE_TYPE_WORD,    /* one of 'words' */
	SITE_TYPE_NAMES,   /* list of names, min..max */
	SITE_TYPE_SECTION, /* list of mappings, each as 'section' says, min..max */
};

enum site_section {
	SITE_SECTION_SITE,
	SITE_SECTION_CHASSIS,
	SITE_SECTION_UNIT,
	SITE_SECTION_CARRIER,
	SITE_SECTION_CARD,
	SITE_SECTION_EXTERNAL,
	SITE_SECTION_HOST,
	SITE_SECTION_POOL,
	SITE_SECTION_GROUP,
	SITE_SECTION_SYSTEM,
	SITE_SECTION_IO,
	SITE_SECTION_SWITCH,
	SITE_SECTION_PATH,
	SITE_SECTION_COUNT
};

enum site_need { SITE_OPTIONAL, SITE_MANDATORY };

struct site_row {
	const char *key;
	enum site_type type;
	enum site_need need;
	uint64_t min, max;
	const char *preset;  /* the default as the file would spell it; NULL: none */
	const char *absent;  /* what its absence means, for the page, where preset is NULL */
	const char *unit;    /* NULL: none */
	const cyaml_strval_t *words;
	unsigned word_count;
	enum site_section section; /* SITE_TYPE_SECTION */
	const char *help;    /* a sentence */
	uint32_t offset, size;             /* of the member */
	uint32_t count_offset, count_size; /* of its counter, for lists */
};

struct site_section_rows {
	const char *name;    /* "card" */
	const char *phrase;  /* "a card" */
	const char *key;     /* where it stands: "chassis[].carriers[].cards[]" */
	const char *help;
	const struct site_row *rows;
	unsigned row_count;
	uint32_t size;       /* of its struct */
};

extern const struct site_section_rows site_sections[SITE_SECTION_COUNT];

enum { SITE_ROWS_MAX = 32 }; /* of one section */

/* The same rows as libcyaml wants them. */
struct site_cyaml {
	cyaml_schema_value_t top;
	cyaml_schema_value_t entry[SITE_SECTION_COUNT];
	cyaml_schema_value_t name;
	cyaml_schema_field_t fields[SITE_SECTION_COUNT][SITE_ROWS_MAX + 1];
};
void site_schema_cyaml(struct site_cyaml *cyaml);

/* Says what a row allows: "a whole number from 1 to 256", "one of vhost-user, tap". */
void site_row_allows(const struct site_row *row, char *text, size_t size);

/* Writes docs/site-file.md. */
void site_schema_print(FILE *out);

#endif
