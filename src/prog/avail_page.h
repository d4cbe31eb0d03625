/* prog/avail_page.h -- an answer for people, on one page.
 *
 * Threads: one.  Memory: none kept. */
#ifndef PROG_AVAIL_PAGE_H
#define PROG_AVAIL_PAGE_H

#include <jansson.h>
#include <stdio.h>

/* Prints what avail_answer() returned: the figure, what costs most, the first cut sets in words. */
void avail_page_print(FILE *out, const json_t *answer);

enum { AVAIL_TIME_SIZE = 32 };

/* "2.1 min", "4.0 h", "38 years": a time that is given in hours. */
const char *avail_time_text(double hours, char text[AVAIL_TIME_SIZE]);

#endif
