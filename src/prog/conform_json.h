/* prog/conform_json.h -- a report of conform/ as JSON, which the daemon answers with and the tool
 * prints. */
#ifndef PROG_CONFORM_JSON_H
#define PROG_CONFORM_JSON_H

#include "conform/conform.h"

#include <jansson.h>

/* {"assertions": [{"name", "section", "text", "function", "destructive", "seen", "verdict"}],
 * "passed": n, "failed": n, "not_applicable": n}.  NULL: no memory. */
json_t *conform_json(const struct conform_report *report);

#endif
