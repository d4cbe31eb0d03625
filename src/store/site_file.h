/* store/site_file.h -- a site file: YAML in, struct site out, or findings that each name file, line,
 * path in the document, what is wrong and what is allowed.
 *
 * In two steps: first every key and value against the rows of site_schema, then, when all of them
 * are good, the whole against fabric/site_check.  Each step reports all that it finds (the first
 * SITE_FINDINGS_MAX).  Anchors with aliases, tags and further documents are refused: a site file is
 * read as it stands.
 *
 * Threads: any.  Memory: a loaded site is the caller's until site_file_free. */
#ifndef STORE_SITE_FILE_H
#define STORE_SITE_FILE_H

#include "base/refusal.h"
#include "fabric/site.h"

enum {
	SITE_FILE_SIZE_MAX = 4 << 20, /* bytes */
	SITE_FINDINGS_MAX = 50,
};

enum { SITE_FILE_LINES_MAX = 32 }; /* line ports that one daemon drives; more are a warning */

struct site_finding {
	const char *file;
	unsigned line;  /* 1..; 0: about the file as a whole */
	bool warning;   /* the file is good all the same */
	const struct refusal *what;
};

/* Receives one finding; it is valid during the call only. */
typedef void site_file_report_fn(void *arg, const struct site_finding *finding);

/* Loads and checks the file.
 *
 * site     receives it; NULL when it was refused
 * report   may be NULL
 *
 * 0, possibly with warnings reported; -EINVAL when the file was refused; another negative errno when
 * it could not be read, which is reported too. */
int site_file_load(const char *path, struct site **site, site_file_report_fn *report, void *arg);

/* The same for bytes in memory; 'name' stands for the file in findings. */
int site_file_load_bytes(const char *name, const void *bytes, size_t size, struct site **site,
			 site_file_report_fn *report, void *arg);

void site_file_free(struct site *site); /* NULL is nothing */

/* Makes a copy that shares nothing, for changes on trial.  0 with *copy, to be freed by site_file_free; -ENOMEM. */
int site_copy(struct site **copy, const struct site *site);

/* Loads, checks and frees: for `midplane site check`.  Results as site_file_load. */
int site_check_file(const char *path, site_file_report_fn *report, void *arg);

/* A report function that prints "FILE:LINE: PATH: TEXT" to a FILE *. */
void site_file_print(void *file, const struct site_finding *finding);

#endif
