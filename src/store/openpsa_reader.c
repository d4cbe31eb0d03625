#include "store/openpsa_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { IDENTIFIER_MAX = 255, PATH_MAX_BYTES = 1000, ATTRIBUTES_COMPARED = 100 };

void openpsa_find(struct openpsa *reader, const xmlNode *node, const char *format, ...)
{
	const struct openpsa_file *file = &reader->files[reader->file];
	struct refusal what;
	va_list args;

	if (reader->full)
		return;
	refuse(&what, reader->subject, "%s", "");
	va_start(args, format);
	vsnprintf(what.text, sizeof what.text, format, args);
	va_end(args);
	avail_find_refusal(reader->findings, file->name, node ? openpsa_xml_line(node) : 0, &what);
}

void openpsa_warn(struct openpsa *reader, const xmlNode *node, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	avail_warn(reader->findings, reader->files[reader->file].name, openpsa_xml_line(node),
		   reader->subject, "%s", text);
}

void openpsa_no_room(struct openpsa *reader)
{
	reader->full = true;
}

bool openpsa_make_room(struct openpsa *reader, void *array, uint32_t *room, uint64_t count,
		       size_t size)
{
	uint64_t next = *room ? *room : 32;
	void *now;

	if (count <= *room)
		return true;
	while (next < count)
		next *= 2;
	memcpy(&now, array, sizeof now);
	now = next < AVAIL_NONE ? avail_resize(reader->memory, now, *room, (size_t)next, size)
				: NULL;
	if (!now) {
		openpsa_no_room(reader);
		return false;
	}
	memcpy(array, &now, sizeof now);
	*room = (uint32_t)next;
	return true;
}

void openpsa_note(struct openpsa *reader, struct openpsa_places *places, uint32_t index,
		  const xmlNode *node)
{
	if (openpsa_make_room(reader, &places->at, &places->room, (uint64_t)index + 1,
			      sizeof *places->at))
		places->at[index] = (struct openpsa_place){ reader->file, openpsa_xml_line(node) };
}

bool openpsa_plain(struct openpsa *reader, const xmlNode *node, const char *attributes)
{
	char text[256];

	if (!openpsa_xml_alien(node, attributes, text, sizeof text))
		return true;
	openpsa_find(reader, node, "%s", text);
	return false;
}

const char *openpsa_needed(struct openpsa *reader, const xmlNode *node, const char *attribute,
			   char room[OPENPSA_XML_VALUE])
{
	const char *value = openpsa_xml_value(node, attribute, room);

	if (value && *value)
		return value;
	openpsa_find(reader, node, "<%.64s> needs the attribute %s%s", (const char *)node->name,
		     attribute, value ? ", which is empty" : "");
	return NULL;
}

static bool is_identifier(const char *name)
{
	size_t length = 0;

	for (; name[length]; length++)
		if ((unsigned char)name[length] <= ' ' || name[length] == '.' ||
		    name[length] == 0x7f)
			return false;
	return length > 0 && length <= IDENTIFIER_MAX;
}

const char *openpsa_identifier(struct openpsa *reader, const xmlNode *node)
{
	char room[OPENPSA_XML_VALUE];
	const char *name = openpsa_needed(reader, node, "name", room), *copy;

	if (!name)
		return NULL;
	if (!is_identifier(name)) {
		openpsa_find(
			reader, node,
			"'%.64s' is not a name: it has 1 to %d characters, none a blank or a dot",
			name, IDENTIFIER_MAX);
		return NULL;
	}
	copy = avail_model_text(reader->model, name);
	if (!copy)
		openpsa_no_room(reader);
	return copy;
}

/* Whether an attribute before this one has its name. */
static bool is_repeated(const xmlNode *node, const char *name)
{
	const xmlNode *before = openpsa_xml_first(node->parent);
	char room[OPENPSA_XML_VALUE];

	for (; before != node; before = openpsa_xml_next(before)) {
		const char *other = openpsa_xml_value(before, "name", room);

		if (other && strcmp(other, name) == 0)
			return true;
	}
	return false;
}

static void check_attributes(struct openpsa *reader, const xmlNode *node)
{
	unsigned count = 0;

	openpsa_plain(reader, node, "");
	for (node = openpsa_xml_first(node); node; node = openpsa_xml_next(node)) {
		char room[OPENPSA_XML_VALUE];
		const char *name = NULL;

		if (!openpsa_xml_is(node, "attribute"))
			openpsa_misplaced(reader, node, "attribute");
		else if (openpsa_plain(reader, node, "name value type"))
			name = openpsa_needed(reader, node, "name", room);
		if (name && count++ < ATTRIBUTES_COMPARED && is_repeated(node, name))
			openpsa_find(reader, node, "the attribute %.64s is there twice", name);
	}
}

/* Passes over label and attributes. */
static const xmlNode *skip(struct openpsa *reader, const xmlNode *node)
{
	for (; node; node = openpsa_xml_next(node)) {
		if (openpsa_xml_is(node, "attributes"))
			check_attributes(reader, node);
		else if (!openpsa_xml_is(node, "label"))
			return node;
		else if (openpsa_xml_first(node))
			openpsa_find(reader, node, "a label has only text");
	}
	return NULL;
}

const xmlNode *openpsa_first(struct openpsa *reader, const xmlNode *node)
{
	return skip(reader, openpsa_xml_first(node));
}

const xmlNode *openpsa_next(struct openpsa *reader, const xmlNode *node)
{
	return skip(reader, openpsa_xml_next(node));
}

const xmlNode *openpsa_only(struct openpsa *reader, const xmlNode *node, const char *what)
{
	const xmlNode *first = openpsa_first(reader, node), *next;

	next = first ? openpsa_next(reader, first) : NULL;
	if (first && !next)
		return first;
	if (!first)
		openpsa_find(reader, node, "<%.64s> is empty; it needs %s",
			     (const char *)node->name, what);
	else
		openpsa_find(reader, next, "<%.64s> is one too many in <%.64s>, which has %s",
			     (const char *)next->name, (const char *)node->name, what);
	return NULL;
}

void openpsa_misplaced(struct openpsa *reader, const xmlNode *node, const char *allowed)
{
	const char *prefix = node->ns && node->ns->prefix ? (const char *)node->ns->prefix : "";

	openpsa_find(reader, node, "<%.32s%s%.64s> has no place in <%.64s>; allowed: %s", prefix,
		     *prefix ? ":" : "", (const char *)node->name,
		     node->parent->name ? (const char *)node->parent->name : "", allowed);
}

bool openpsa_truth(struct openpsa *reader, const xmlNode *node, bool *value)
{
	char room[OPENPSA_XML_VALUE];
	const char *text = openpsa_needed(reader, node, "value", room);

	if (!text || !openpsa_plain(reader, node, "value"))
		return false;
	*value = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
	if (*value || strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
		return true;
	openpsa_find(reader, node, "'%.64s' is neither true nor false", text);
	return false;
}

bool openpsa_whole(const char *text, uint32_t *value)
{
	uint32_t sum = 0;

	if (*text == '+' && text[1])
		text++;
	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || sum > 100000000)
			return false;
		sum = sum * 10 + (uint32_t)(*text - '0');
	}
	*value = sum;
	return true;
}

/* Writes the space, the scope and the name; false: longer than any name that is there. */
static bool key_of(char key[PATH_MAX_BYTES + 8], enum openpsa_space space, const char *scope,
		   const char *name)
{
	const char *dot = scope && *scope ? "." : "";
	int length = snprintf(key, PATH_MAX_BYTES + 8, "%c%s%s%s", (char)space, scope ? scope : "",
			      dot, name);

	return length > 0 && length <= PATH_MAX_BYTES;
}

uint32_t openpsa_get(struct openpsa *reader, enum openpsa_space space, const char *scope,
		     const char *name)
{
	char key[PATH_MAX_BYTES + 8];

	return key_of(key, space, scope, name) ? name_table_get(&reader->names, key)
					       : NAME_TABLE_NONE;
}

static void find_taken(struct openpsa *reader, const xmlNode *node, const char *name,
		       const struct openpsa_thing *first)
{
	const char *file = reader->files[first->file].name;

	openpsa_find(reader, node, "%.128s is defined twice, first at %.128s:%u", name, file,
		     openpsa_xml_line(first->node));
}

bool openpsa_put(struct openpsa *reader, enum openpsa_space space, const char *scope,
		 const char *name, uint32_t thing, const xmlNode *node)
{
	char key[PATH_MAX_BYTES + 8];
	const char *copy;
	uint32_t taken;

	if (!key_of(key, space, scope, name)) {
		openpsa_find(reader, node, "the path to %.64s has more than %d characters", name,
			     PATH_MAX_BYTES - 1);
		return false;
	}
	taken = name_table_get(&reader->names, key);
	if (taken != NAME_TABLE_NONE) {
		find_taken(reader, node, name, &reader->things[taken]);
		return false;
	}
	copy = avail_model_text(reader->model, key);
	if (copy && name_table_put(&reader->names, copy, thing) == 0)
		return true;
	openpsa_no_room(reader);
	return false;
}

uint32_t openpsa_add(struct openpsa *reader, enum openpsa_kind kind, const char *name,
		     const xmlNode *node)
{
	if (!openpsa_make_room(reader, &reader->things, &reader->thing_room,
			       (uint64_t)reader->thing_count + 1, sizeof *reader->things))
		return AVAIL_NONE;
	reader->things[reader->thing_count] =
		(struct openpsa_thing){ .kind = kind,
					.name = name,
					.node = node,
					.file = reader->file,
					.container = reader->container,
					.index = AVAIL_NONE,
					.tree = AVAIL_NONE };
	return reader->thing_count++;
}

uint32_t openpsa_resolve(struct openpsa *reader, enum openpsa_sort sort, const char *reference)
{
	bool events = sort == OPENPSA_EVENTS;
	enum openpsa_space paths = events ? OPENPSA_PATHS_OF_EVENTS : OPENPSA_PATHS_OF_PARAMETERS;
	uint32_t at = reader->container, found;

	for (;; at = reader->containers[at].parent) {
		found = openpsa_get(reader, paths, reader->containers[at].path, reference);
		if (found != NAME_TABLE_NONE || at == 0)
			break;
	}
	if (found == NAME_TABLE_NONE)
		found = openpsa_get(reader,
				    events ? OPENPSA_PUBLIC_EVENTS : OPENPSA_PUBLIC_PARAMETERS,
				    NULL, reference);
	return found;
}

void openpsa_enter(struct openpsa *reader, const struct openpsa_thing *thing)
{
	reader->file = thing->file;
	reader->container = thing->container;
	reader->subject = thing->name;
}
