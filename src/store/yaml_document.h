/* store/yaml_document.h -- a YAML file as a tree: one flat document without aliases, tags, or deep
 * nesting, so that what is composed of it is no larger than the file.
 *
 * Threads: any.  Memory: the document is the caller's until yaml_document_delete. */
#ifndef STORE_YAML_DOCUMENT_H
#define STORE_YAML_DOCUMENT_H

#include "base/base.h"

#include <yaml.h>

/* Receives what is wrong with the file, and in which line; 0: in the file as a whole. */
typedef void yaml_problem_fn(void *arg, unsigned line, const char *text);

/* Reads a file that has one 'thing' ("site", "model").  True with a document, which may be empty;
 * false with a problem. */
bool yaml_document_read(yaml_document_t *document, const char *thing, const char *bytes,
			size_t size, yaml_problem_fn *problem, void *arg);

/* The line (1..) where a node begins. */
unsigned yaml_node_line(const yaml_node_t *node);

/* "a list", "a mapping", "a single value". */
const char *yaml_node_kind(const yaml_node_t *node);

/* Whether it is a scalar of printable ASCII, and whether nothing stands where a value should. */
bool yaml_node_is_text(const yaml_node_t *node);
bool yaml_node_is_empty(const yaml_node_t *node);

/* The characters of a scalar. */
const char *yaml_node_text(const yaml_node_t *node);

/* A scalar for a message: quoted, what is not printable replaced, cut when long. */
enum { YAML_QUOTE_SIZE = 64 };
const char *yaml_node_quote(const yaml_node_t *node, char text[YAML_QUOTE_SIZE]);

#endif
