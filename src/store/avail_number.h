/* store/avail_number.h -- numbers with units, as people write them in an availability model.
 *
 * Threads: any.  Memory: none. */
#ifndef STORE_AVAIL_NUMBER_H
#define STORE_AVAIL_NUMBER_H

#include "base/base.h"

enum avail_dimension {
	AVAIL_PLAIN, /* "0.01", "1%" */
	AVAIL_TIME,  /* "4h": in hours; ms, s, min, h, d (24 h), y (8760 h) */
	AVAIL_RATE,  /* "250 FIT", "1e-4/h": in failures an hour */
};

/* Reads a number that is 0 or more, with its unit.  "0" alone is of any dimension; it is said to be
 * plain. False when it is nothing of the kind. */
bool avail_number_parse(const char *text, double *value, enum avail_dimension *dimension);

/* "a number", "a time", "a rate". */
const char *avail_dimension_word(enum avail_dimension dimension);

#endif
