/* store/openpsa.h -- documents in the Open-PSA Model Exchange Format, 2.0d: fault trees with their
 * components and scopes, common-cause groups, parameters and expressions, event trees whose
 * sequences become tops of the model, and includes.
 *
 * What it does not take, and says so: missions and alignments, consequences, substitutions, extern
 * functions, and instructions that change gates, basic events or parameters on the way through an
 * event tree.
 *
 * A thing that is public is named by its name, one that is private by its full path
 * ("tree.part.event"). Where the document names no top, the gates that nothing refers to are the
 * tops (avail/top.h).
 *
 * Threads: any.  Memory: the model's; the document itself is libxml2's while it is read. */
#ifndef STORE_OPENPSA_H
#define STORE_OPENPSA_H

#include "avail/model.h"
#include "store/avail_findings.h"

enum {
	OPENPSA_SIZE_MAX = 64 << 20, /* bytes of all files of a document together */
	OPENPSA_FILES_MAX = 256,
	OPENPSA_INCLUDES_MAX = 16,   /* files within each other */
	OPENPSA_STEPS_MAX = 1000000, /* instructions and forks on the way through all event trees */
};

/* Reads a document from memory into a model.
 *
 * name     of the file, for findings; includes are looked for beside it
 * includes   whether files may be opened for them
 * model    from avail_model_init, empty; to be ended by the caller, also on failure
 *
 * 0; -EINVAL with findings; -ENOMEM. */
enum openpsa_includes { OPENPSA_ALONE, OPENPSA_WITH_FILES };
int openpsa_read(const char *name, const char *bytes, size_t size, enum openpsa_includes includes,
		 struct avail_model *model, struct avail_findings *findings);

#endif
