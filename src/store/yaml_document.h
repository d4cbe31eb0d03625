/* store/yaml_document.h -- a YAML file as a tree: one flat document without aliases, tags, or deep
 * nesting, so that what is composed of it is no larger than the file.
 *
 * Threads: any.  Memory: the document is the caller's until yaml_document_delete. */
#ifndef STORE_YAML_DOCUMENT_H
#define STORE_YAML_DOCUMENT_H

#include "store/avail_findings.h"

#include <yaml.h>

/* True with a document (which may be empty), or false with a finding. */
bool yaml_document_read(yaml_document_t *document, const char *name, const char *bytes, size_t size,
			struct avail_findings *findings);

/* The line (1..) where a node begins. */
unsigned yaml_node_line(const yaml_node_t *node);

/* "a list", "a mapping", "a single value". */
const char *yaml_node_kind(const yaml_node_t *node);

/* Whether it is a scalar of printable ASCII, and whether it is one without any character. */
bool yaml_node_is_text(const yaml_node_t *node);
bool yaml_node_is_empty(const yaml_node_t *node);

/* The characters of a scalar. */
const char *yaml_node_text(const yaml_node_t *node);

/* A scalar for a message: quoted, what is not printable replaced, cut when long. */
enum { YAML_QUOTE_SIZE = 64 };
const char *yaml_node_quote(const yaml_node_t *node, char text[YAML_QUOTE_SIZE]);

#endif
