/* prog/site_tree.h -- the running site as a provider of the tree: every value that the tool shows
 * is read here, when it is asked for.
 *
 * Threads: control.  Memory: one struct of the caller; the run must outlive it. */
#ifndef PROG_SITE_TREE_H
#define PROG_SITE_TREE_H

#include "prog/site_avail.h"
#include "tree/tree.h"

struct site_tree {
	struct site_run *run;
	const char *socket; /* where the daemon answers */
	struct site_avail *avail;
};

extern const struct tree_provider_ops site_tree_ops; /* owner: struct site_tree */

#endif
