/* store/openpsa_xml.h -- XML of an Open-PSA document as a tree in memory, by libxml2, which is kept
 * from opening anything else: no network, no external subset, no entities of the document's own (so
 * nothing expands), no XInclude.
 *
 * Threads: any.  Memory: the document is libxml2's, the caller's until xmlFreeDoc. */
#ifndef STORE_OPENPSA_XML_H
#define STORE_OPENPSA_XML_H

#include "store/avail_findings.h"

#include <libxml/tree.h>

/* The document, or NULL with a finding.  name   of the file, for findings */
xmlDoc *openpsa_xml_parse(struct avail_findings *findings, const char *name, const char *bytes,
			  size_t size);

/* The first element below 'node', and the one behind 'node'; NULL: none. */
const xmlNode *openpsa_xml_first(const xmlNode *node);
const xmlNode *openpsa_xml_next(const xmlNode *node);

/* Whether the element has this name. */
bool openpsa_xml_is(const xmlNode *node, const char *name);

/* The value of an attribute, without blanks around it, in 'room'; NULL: there is none, or it is
 * longer than the room. */
enum { OPENPSA_XML_VALUE = 1024 };
const char *openpsa_xml_value(const xmlNode *node, const char *name, char room[OPENPSA_XML_VALUE]);

/* The first thing about the element that no element of the format has: an attribute that is not
 * among 'attributes' (words with blanks between), or text.  Writes it into 'text'; false: all is
 * well. */
bool openpsa_xml_alien(const xmlNode *node, const char *attributes, char *text, size_t size);

unsigned openpsa_xml_line(const xmlNode *node);

#endif
