/* store/avail_findings.h -- what a reader of availability models has to say about a file: each
 * finding names file, line, the thing and what is wrong.
 *
 * Threads: any, one a collection.  Memory: none kept. */
#ifndef STORE_AVAIL_FINDINGS_H
#define STORE_AVAIL_FINDINGS_H

#include "base/base.h"
#include "base/refusal.h"

enum { AVAIL_FINDINGS_MAX = 50 };

struct avail_finding {
	const char *file;
	unsigned line; /* 1..; 0: about the file as a whole */
	bool warning;  /* the model can be used all the same */
	const struct refusal *what;
};

/* Receives one finding; it is valid during the call only. */
typedef void avail_report_fn(void *arg, const struct avail_finding *finding);

/* A report function that prints "FILE:LINE: PATH: TEXT" to a FILE *. */
void avail_finding_print(void *file, const struct avail_finding *finding);

/* The findings of one reading. */
struct avail_findings {
	avail_report_fn *report; /* may be NULL */
	void *arg;
	unsigned found; /* mistakes; warnings do not count */
	unsigned shown;
};

/* Whether so many mistakes were found that looking for more is of no use. */
bool avail_findings_full(const struct avail_findings *findings);

/* Adds a mistake; the one after the first AVAIL_FINDINGS_MAX is said to be left out, and later ones
 * are. */
void avail_find(struct avail_findings *findings, const char *file, unsigned line, const char *path,
		const char *format, ...) printf_like(5, 6);
void avail_find_refusal(struct avail_findings *findings, const char *file, unsigned line,
			const struct refusal *what);
void avail_warn(struct avail_findings *findings, const char *file, unsigned line, const char *path,
		const char *format, ...) printf_like(5, 6);

#endif
