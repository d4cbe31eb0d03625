/* prog/conform_report.h -- a report of conform/, as JSON, made into text for people and JUnit for
 * machines.
 *
 * Threads: any.  Memory: none kept. */
#ifndef PROG_CONFORM_REPORT_H
#define PROG_CONFORM_REPORT_H

#include <jansson.h>
#include <stdio.h>
#include <time.h>

enum { CONFORM_REPORT_COLUMNS = 100 };

/* Two or three lines an assertion, none longer than CONFORM_REPORT_COLUMNS: the verdict, the name and the
 * section; the rule, and what was seen.  Then what failed, once more, and the sums. */
void conform_report_text(FILE *out, const json_t *report, const char *target);

struct conform_occasion {
	const char *target;
	time_t when;
	double took_s;
};

/* One test suite in the form that Ant and Jenkins read, a test case an assertion. */
void conform_report_junit(FILE *out, const json_t *report, const struct conform_occasion *occasion);

#endif
