#include "store/yaml_document.h"

#include <stdio.h>

enum { DEPTH_MAX = 16 };

/* The line (1..) that byte 'offset' is in. */
static unsigned line_at(const char *bytes, size_t offset)
{
	unsigned line = 1;

	for (size_t i = 0; i < offset; i++)
		line += bytes[i] == '\n';
	return line;
}

static void find_problem(struct avail_findings *findings, const char *name,
			 const yaml_parser_t *parser, const char *bytes, size_t size)
{
	unsigned line = (unsigned)parser->problem_mark.line + 1;

	if (parser->error == YAML_MEMORY_ERROR)
		avail_find(findings, name, 0, "", "out of memory");
	else if (parser->error == YAML_READER_ERROR)
		avail_find(findings, name,
			   line_at(bytes,
				   parser->problem_offset < size ? parser->problem_offset : size),
			   "", "%s; the file is UTF-8 text", parser->problem);
	else
		avail_find(findings, name, line, "", "this is not YAML: %s%s%s", parser->problem,
			   parser->context ? " " : "", parser->context ? parser->context : "");
}

/* What one event of the stream may not be; NULL when it is fine. */
static const char *refused_event(const yaml_event_t *event, unsigned documents, unsigned depth)
{
	if (event->type == YAML_ALIAS_EVENT)
		return "an alias (*name) is not used here: write the value out";
	if ((event->type == YAML_SCALAR_EVENT && event->data.scalar.tag) ||
	    (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.tag) ||
	    (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.tag))
		return "a tag (!name) is not used here: the key says the type";
	if (documents > 1)
		return "a second document begins here: one model a file";
	if (depth > DEPTH_MAX)
		return "this is nested deeper than any model";
	return NULL;
}

/* Reads the stream of events through, so that what is composed afterwards is small and flat. */
static bool scan(const char *name, const char *bytes, size_t size, struct avail_findings *findings)
{
	unsigned depth = 0, documents = 0;
	const char *refused = NULL;
	yaml_parser_t parser;
	yaml_event_t event;
	bool end = false;

	must(yaml_parser_initialize(&parser));
	yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, size);
	while (!end && !refused) {
		if (!yaml_parser_parse(&parser, &event)) {
			find_problem(findings, name, &parser, bytes, size);
			break;
		}
		documents += event.type == YAML_DOCUMENT_START_EVENT;
		depth += event.type == YAML_SEQUENCE_START_EVENT ||
			 event.type == YAML_MAPPING_START_EVENT;
		depth -= event.type == YAML_SEQUENCE_END_EVENT ||
			 event.type == YAML_MAPPING_END_EVENT;
		refused = refused_event(&event, documents, depth);
		if (refused)
			avail_find(findings, name, (unsigned)event.start_mark.line + 1, "", "%s",
				   refused);
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return end && !refused;
}

bool yaml_document_read(yaml_document_t *document, const char *name, const char *bytes, size_t size,
			struct avail_findings *findings)
{
	yaml_parser_t parser;
	bool good;

	if (!scan(name, bytes, size, findings))
		return false;
	must(yaml_parser_initialize(&parser));
	yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, size);
	good = yaml_parser_load(&parser, document);
	if (!good)
		find_problem(findings, name, &parser, bytes, size);
	yaml_parser_delete(&parser);
	return good;
}

unsigned yaml_node_line(const yaml_node_t *node)
{
	return (unsigned)node->start_mark.line + 1;
}

const char *yaml_node_kind(const yaml_node_t *node)
{
	switch (node->type) {
	case YAML_SEQUENCE_NODE:
		return "a list";
	case YAML_MAPPING_NODE:
		return "a mapping";
	default:
		return "a single value";
	}
}

bool yaml_node_is_text(const yaml_node_t *node)
{
	if (node->type != YAML_SCALAR_NODE)
		return false;
	for (size_t i = 0; i < node->data.scalar.length; i++)
		if (node->data.scalar.value[i] < ' ' || node->data.scalar.value[i] > '~')
			return false;
	return true;
}

bool yaml_node_is_empty(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0;
}

const char *yaml_node_text(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

const char *yaml_node_quote(const yaml_node_t *node, char text[YAML_QUOTE_SIZE])
{
	size_t length = node->data.scalar.length, used = 0;

	text[used++] = '\'';
	for (size_t i = 0; i < length && used < YAML_QUOTE_SIZE - 6; i++) {
		unsigned char c = node->data.scalar.value[i];

		text[used++] = c < ' ' || c >= 0x7f ? '?' : (char)c;
	}
	snprintf(text + used, YAML_QUOTE_SIZE - used, "%s'",
		 length > YAML_QUOTE_SIZE - 7 ? "..." : "");
	return text;
}
