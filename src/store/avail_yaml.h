/* store/avail_yaml.h -- the tree of a hand-written availability model, compared with the rows of
 * avail_schema and put into its structs.
 *
 * Threads: one.  Memory: from the struct avail_memory given; texts point into the document. */
#ifndef STORE_AVAIL_YAML_H
#define STORE_AVAIL_YAML_H

#include "avail/memory.h"
#include "store/avail_findings.h"
#include "store/avail_schema.h"
#include "store/yaml_document.h"

struct avail_said_piece; /* of memory */

/* One reading. */
struct avail_said {
	const char *file;
	yaml_document_t *document; /* stays as long as 'model' is used */
	struct avail_findings *findings;
	struct avail_memory *memory;
	struct avail_said_piece *pieces;
	bool full; /* out of memory */
	struct said_model model;
};

/* Fills 'model'; findings where the file does not fit the rows. */
void avail_said_read(struct avail_said *said);
void avail_said_fini(struct avail_said *said);

/* Room for 'count' things that lasts until avail_said_fini, all zero; NULL, noted: there is none.
 */
void *avail_said_take(struct avail_said *said, size_t count, size_t size);

#endif
