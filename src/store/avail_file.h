/* store/avail_file.h -- an availability model written by hand in YAML: units with failure rates,
 * reliability blocks, gates, common causes, standby, crews, capacity, distributions
 * (docs/avail-file.md).
 *
 * In two steps, as a site file: first every key and value against the rows of avail_schema, then,
 * when all of them are good, the whole.  Each step reports all that it finds.
 *
 * Threads: any.  Memory: the model's. */
#ifndef STORE_AVAIL_FILE_H
#define STORE_AVAIL_FILE_H

#include "avail/model.h"
#include "store/avail_findings.h"

#include <stdio.h>

enum { AVAIL_FILE_SIZE_MAX = 4 << 20 }; /* bytes */

/* Reads a file from memory into a model.
 *
 * name    stands for the file in findings
 * model   from avail_model_init, empty; to be ended by the caller, also on failure
 *
 * 0; -EINVAL with findings; -ENOMEM with one. */
int avail_file_read(const char *name, const char *bytes, size_t size, struct avail_model *model,
		    struct avail_findings *findings);

/* Writes docs/avail-file.md. */
void avail_schema_print(FILE *out);

#endif
