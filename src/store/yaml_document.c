#include "store/yaml_document.h"

#include <stdarg.h>
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

/* One reading. */
struct reading {
	const char *thing;
	const char *bytes;
	size_t size;
	yaml_problem_fn *problem;
	void *arg;
};

static void printf_like(3, 4)
	tell(const struct reading *reading, unsigned line, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	reading->problem(reading->arg, line, text);
}

/* Whether the parser stopped at a tab.  It counts characters, so this holds for ASCII. */
static bool is_tab(const struct reading *reading, const yaml_parser_t *parser)
{
	return parser->problem_mark.index < reading->size && reading->bytes[parser->problem_mark.index] == '\t';
}

static void tell_parser(const struct reading *reading, const yaml_parser_t *parser)
{
	unsigned line = (unsigned)parser->problem_mark.line + 1;

	if (parser->error == YAML_MEMORY_ERROR)
		tell(reading, 0, "out of memory");
	else if (parser->error == YAML_READER_ERROR)
		tell(reading,
		     line_at(reading->bytes, min_u64(parser->problem_offset, reading->size)),
		     "%s; a %s file is UTF-8 text", parser->problem, reading->thing);
	else
		tell(reading, line, "this is not YAML: %s%s%s%s", parser->problem,
		     parser->context ? " " : "", parser->context ? parser->context : "",
		     is_tab(reading, parser) ? "; lines are indented with spaces, not tabs" : "");
}

/* Says what one event of the stream may not be; false when it is fine. */
static bool refuse_event(const struct reading *reading, const yaml_event_t *event,
			 unsigned documents, unsigned depth)
{
	unsigned line = (unsigned)event->start_mark.line + 1;

	if (event->type == YAML_ALIAS_EVENT)
		tell(reading, line, "an alias (*name) is not used here: write the value out");
	else if ((event->type == YAML_SCALAR_EVENT && event->data.scalar.tag) ||
		 (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.tag) ||
		 (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.tag))
		tell(reading, line, "a tag (!name) is not used here: the key says the type");
	else if (documents > 1)
		tell(reading, line, "a second document begins here: one %s a file", reading->thing);
	else if (depth > DEPTH_MAX)
		tell(reading, line, "this is nested deeper than any %s, which has at most %d levels", reading->thing,
		     DEPTH_MAX);
	else
		return false;
	return true;
}

static void begin(const struct reading *reading, yaml_parser_t *parser)
{
	must(yaml_parser_initialize(parser));
	yaml_parser_set_input_string(parser, (const unsigned char *)reading->bytes, reading->size);
}

/* Reads the stream of events through, so that what is composed afterwards is small and flat. */
static bool scan(const struct reading *reading)
{
	unsigned depth = 0, documents = 0;
	bool end = false, refused = false;
	yaml_parser_t parser;
	yaml_event_t event;

	begin(reading, &parser);
	while (!end && !refused) {
		if (!yaml_parser_parse(&parser, &event)) {
			tell_parser(reading, &parser);
			break;
		}
		documents += event.type == YAML_DOCUMENT_START_EVENT;
		depth += event.type == YAML_SEQUENCE_START_EVENT ||
			 event.type == YAML_MAPPING_START_EVENT;
		depth -= event.type == YAML_SEQUENCE_END_EVENT ||
			 event.type == YAML_MAPPING_END_EVENT;
		refused = refuse_event(reading, &event, documents, depth);
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return end && !refused;
}

bool yaml_document_read(yaml_document_t *document, const char *thing, const char *bytes,
			size_t size, yaml_problem_fn *problem, void *arg)
{
	const struct reading reading = { thing, bytes, size, problem, arg };
	yaml_parser_t parser;
	bool good;

	if (!scan(&reading))
		return false;
	begin(&reading, &parser);
	good = yaml_parser_load(&parser, document);
	if (!good)
		tell_parser(&reading, &parser);
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
	return node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0 &&
	       node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
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
