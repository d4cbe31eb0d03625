#include "store/openpsa_xml.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlerror.h>
#include <stdio.h>
#include <string.h>

/* One parsing in progress. */
struct parsing {
	struct avail_findings *findings;
	const char *name;
	bool told;
};

/* Message of the library in one line of printable characters. */
static void tell(struct parsing *parsing, unsigned line, const char *message)
{
	char text[256];
	size_t used = 0;

	if (parsing->told)
		return;
	parsing->told = true;
	if (strncmp(message, "Excessive depth", 15) == 0)
		message = "elements are nested more than 256 deep";
	for (; *message && used < sizeof text - 1; message++)
		text[used++] = (unsigned char)*message < ' ' ? ' ' : *message;
	while (used > 0 && text[used - 1] == ' ')
		used--;
	text[used] = 0;
	avail_find(parsing->findings, parsing->name, line, "", "this is not XML: %s", text);
}

static void on_error(void *context, xmlError *error)
{
	xmlParserCtxt *parser = context;

	if (error->level >= XML_ERR_ERROR)
		tell(parser->_private, error->line > 0 ? (unsigned)error->line : 0,
		     error->message ? error->message : "it cannot be read");
}

/* Some messages of the library belong to no parser. */
static void on_stray_error(void *context, xmlError *error)
{
	if (error->level >= XML_ERR_ERROR)
		tell(context, 0, error->message ? error->message : "it cannot be read");
}

/* Entities could open files and grow without end; a document says include instead. */
static void on_entity(void *context, const xmlChar *name, int type, const xmlChar *public_id,
		      const xmlChar *system_id, xmlChar *content)
{
	xmlParserCtxt *parser = context;
	struct parsing *parsing = parser->_private;

	(void)type;
	(void)public_id;
	(void)system_id;
	(void)content;
	if (!parsing->told)
		avail_find(parsing->findings, parsing->name, (unsigned)xmlSAX2GetLineNumber(parser),
			   "",
			   "the entity %.64s is declared; entities are not used: write the text "
			   "out, or "
			   "include a file",
			   (const char *)name);
	parsing->told = true;
	xmlStopParser(parser);
}

/* An external subset, and whatever else the parser would like to open, does not exist. */
static void on_subset(void *context, const xmlChar *name, const xmlChar *public_id,
		      const xmlChar *system_id)
{
	(void)context;
	(void)name;
	(void)public_id;
	(void)system_id;
}

static xmlParserInput *on_open(void *context, const xmlChar *public_id, const xmlChar *system_id)
{
	(void)context;
	(void)public_id;
	(void)system_id;
	return NULL;
}

xmlDoc *openpsa_xml_parse(struct avail_findings *findings, const char *name, const char *bytes,
			  size_t size)
{
	struct parsing parsing = { .findings = findings, .name = name };
	xmlStructuredErrorFunc outer;
	void *outer_context;
	xmlParserCtxt *parser;
	xmlDoc *document;

	xmlInitParser();
	outer = xmlStructuredError;
	outer_context = xmlStructuredErrorContext;
	parser = xmlNewParserCtxt();
	if (!parser) {
		avail_find(findings, name, 0, "", "out of memory");
		return NULL;
	}
	parser->_private = &parsing;
	parser->sax->serror = on_error;
	parser->sax->entityDecl = on_entity;
	parser->sax->externalSubset = on_subset;
	parser->sax->resolveEntity = on_open;
	must(size < INT32_MAX);
	xmlSetStructuredErrorFunc(&parsing, on_stray_error);
	document = xmlCtxtReadMemory(parser, bytes, (int)size, name, NULL,
				     XML_PARSE_NONET | XML_PARSE_BIG_LINES | XML_PARSE_COMPACT);
	xmlSetStructuredErrorFunc(outer_context, outer);
	xmlFreeParserCtxt(parser);
	if (!document && !parsing.told)
		avail_find(findings, name, 0, "", "this is not XML, or there is no memory for it");
	if (document && parsing.told) {
		xmlFreeDoc(document);
		document = NULL;
	}
	return document;
}

static const xmlNode *element(const xmlNode *node)
{
	while (node && node->type != XML_ELEMENT_NODE)
		node = node->next;
	return node;
}

const xmlNode *openpsa_xml_first(const xmlNode *node)
{
	return element(node->children);
}

const xmlNode *openpsa_xml_next(const xmlNode *node)
{
	return element(node->next);
}

bool openpsa_xml_is(const xmlNode *node, const char *name)
{
	return strcmp((const char *)node->name, name) == 0 && !(node->ns && node->ns->prefix);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Attribute values are kept in pieces when they have references to characters in them. */
static bool gather(const xmlAttr *attribute, char room[OPENPSA_XML_VALUE])
{
	size_t used = 0;

	for (const xmlNode *piece = attribute->children; piece; piece = piece->next) {
		size_t length = piece->content ? strlen((const char *)piece->content) : 0;

		if (used + length >= OPENPSA_XML_VALUE)
			return false;
		memcpy(room + used, piece->content, length);
		used += length;
	}
	room[used] = 0;
	return true;
}

const char *openpsa_xml_value(const xmlNode *node, const char *name, char room[OPENPSA_XML_VALUE])
{
	for (const xmlAttr *at = node->properties; at; at = at->next) {
		size_t length;

		if (strcmp((const char *)at->name, name) != 0 || (at->ns && at->ns->prefix))
			continue;
		if (!gather(at, room))
			return NULL;
		while (is_blank(*room))
			room++;
		length = strlen(room);
		while (length > 0 && is_blank(room[length - 1]))
			length--;
		room[length] = 0;
		return room;
	}
	return NULL;
}

static bool is_among(const char *word, const char *words)
{
	size_t length = strlen(word);

	for (const char *at = words; (at = strstr(at, word)) != NULL; at += length)
		if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return length > 0;
	return false;
}

static bool has_text(const xmlNode *node)
{
	for (const xmlNode *child = node->children; child; child = child->next) {
		const char *text = (const char *)child->content;

		if (child->type != XML_TEXT_NODE && child->type != XML_CDATA_SECTION_NODE)
			continue;
		for (; text && *text; text++)
			if (!is_blank(*text))
				return true;
	}
	return false;
}

bool openpsa_xml_alien(const xmlNode *node, const char *attributes, char *text, size_t size)
{
	for (const xmlAttr *at = node->properties; at; at = at->next) {
		if ((at->ns && at->ns->prefix) || is_among((const char *)at->name, attributes))
			continue; /* what other tools add for themselves has a prefix */
		snprintf(text, size, "<%.64s> has no attribute %.64s%s%s", (const char *)node->name,
			 (const char *)at->name, *attributes ? "; it has " : "", attributes);
		return true;
	}
	if (!has_text(node))
		return false;
	snprintf(text, size, "<%.64s> has text in it", (const char *)node->name);
	return true;
}

unsigned openpsa_xml_line(const xmlNode *node)
{
	long line = xmlGetLineNo(node);

	return line > 0 ? (unsigned)line : 0;
}
