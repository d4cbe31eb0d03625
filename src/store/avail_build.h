/* store/avail_build.h -- from the structs of a hand-written file to a checked model.
 *
 * Threads: one.  Memory: of the model, and scratch that is given back. */
#ifndef STORE_AVAIL_BUILD_H
#define STORE_AVAIL_BUILD_H

#include "avail/expression.h"
#include "store/avail_yaml.h"
#include "store/name_table.h"

/* What a name means: a unit, an event, a house event, a block, a gate or a standby group. */
struct build_thing {
	enum avail_said_section section;
	uint32_t index; /* in its list */
	unsigned line;
	struct avail_term down; /* true when it is down */
	uint32_t event;		/* of a unit: its hardware's; of an event; AVAIL_NONE: has none */
	uint32_t fru;		/* of a unit */
	bool referred;		/* by another */
};

struct build_parameter {
	const struct said_parameter *said;
	enum avail_dimension dimension;
	bool settled;	     /* 'dimension' is known */
	uint32_t expression; /* of the model */
};

/* Lines where parts of one kind of the model were said. */
struct build_lines {
	unsigned *at;
	uint32_t room;
};

struct build {
	struct avail_said *said;
	struct avail_model *model;
	struct name_table names, parameter_names, other_names;
	struct build_thing *things;
	uint32_t thing_count;
	struct build_parameter *parameters;
	uint32_t parameter_count;
	struct build_lines lines[AVAIL_PART_TOP + 1]; /* by enum avail_part */
};

/* Makes the model of what was said; findings where it does not fit together. */
void avail_file_build(struct avail_said *said, struct avail_model *model);

/* --- shared by avail_build*.c --- */

/* The entries of one list. */
#define BUILD_EACH(type, item, list)                                                               \
	for (const struct type *item = (list).at, *item##_end = item ? item + (list).count : item; \
	     item < item##_end; item++)

void build_find(struct build *build, unsigned line, const char *path, const char *format, ...)
	printf_like(4, 5);
void build_no_room(struct build *build);
/* Whether nothing is wrong so far. */
bool build_is_well(const struct build *build);
/* Notes where a part of the model was said; false: 'index' says there was no room for the part. */
bool build_note(struct build *build, enum avail_part part, uint32_t index, unsigned line);

/* The thing that a term names; NULL with a finding.  It counts as referred to. */
struct build_thing *build_thing_of(struct build *build, const struct said_term *term,
				   const char *by);
/* The same, as a term of the model. */
bool build_term(struct build *build, const struct said_term *said, const char *by,
		struct avail_term *term);

/* avail_build_numbers.c: parameters, and expressions of quantities. */
void build_parameters(struct build *build);
/* 1 when the quantity is given, 0 when not. */
static inline unsigned build_given(const struct said_quantity *quantity)
{
	return quantity->line ? 1 : 0;
}
/* The expression of a quantity that must have a dimension; false with a finding. */
bool build_quantity(struct build *build, const struct said_quantity *quantity,
		    enum avail_dimension dimension, const char *by, const char *what,
		    uint32_t *expression);
/* A failure rate that is said as such, or as MTBF. */
bool build_rate(struct build *build, const struct said_quantity *mtbf,
		const struct said_quantity *rate, const char *by, uint32_t *expression);

/* avail_build_groups.c: what is more than a tree. */
void build_groups(struct build *build);

#endif
