/* store/site_tree.h -- the YAML tree of a site file: compared with the rows of site_schema, and written
 * anew in plain words for libcyaml, with every default filled in and every number spelled out.
 *
 * Threads: any.  Memory: the caller's document and text. */
#ifndef STORE_SITE_TREE_H
#define STORE_SITE_TREE_H

#include "base/base.h"
#include "base/refusal.h"

#include <yaml.h>

/* What libcyaml is given. */
struct site_text {
	char *bytes; /* from malloc; free() it */
	size_t used, room;
	bool full;   /* out of memory: 'bytes' is cut */
};

/* Receives a finding; returns false when no more are wanted. */
typedef bool site_tree_report_fn(void *arg, unsigned line, const struct refusal *what);

struct site_tree {
	yaml_document_t *document;
	site_tree_report_fn *report;
	void *arg;
	struct site_text text;
	unsigned found;
	bool enough; /* the reporter wants no more */
};

/* Compares the document with the rows.  Sets 'found', and 'text' when that is 0. */
void site_tree_check(struct site_tree *tree);

/* The line (1..) of the node that 'path' leads to ("systems[2].io[0].pool"), or of the deepest that
 * exists on the way there. */
unsigned site_tree_line(yaml_document_t *document, const char *path);

#endif
