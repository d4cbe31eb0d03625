/* The first passes: every name of the document, through all files. */
#include "store/openpsa_reader.h"

#include "store/file_bytes.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where an element may stand. */
enum {
	IN_MODEL = 1,
	IN_PART = 2, /* a fault tree or a component */
	IN_DATA = 4,
};

static void declare_all(struct openpsa *reader, const xmlNode *parent, unsigned where);

/* --- events and parameters --- */

/* Whether the definition is private, by its role or its container. */
static bool is_private(struct openpsa *reader, const xmlNode *node)
{
	char room[OPENPSA_XML_VALUE];
	const char *role = openpsa_xml_value(node, "role", room);
	bool closed = role && strcmp(role, "private") == 0;

	if (!role)
		return reader->containers[reader->container].closed;
	if (!closed && strcmp(role, "public") != 0)
		openpsa_find(reader, node, "the role '%.64s' is neither private nor public", role);
	if (closed && reader->container == 0)
		openpsa_find(reader, node, "is private, and in no fault tree that it is private to");
	return closed;
}

/* The name in the model: the full path of what is private. */
static const char *model_name(struct openpsa *reader, const char *name, bool closed)
{
	const char *path = reader->containers[reader->container].path, *copy;
	char full[2 * OPENPSA_XML_VALUE];

	if (!closed || !*path)
		return name;
	snprintf(full, sizeof full, "%s.%s", path, name);
	copy = avail_model_text(reader->model, full);
	if (!copy)
		openpsa_no_room(reader);
	return copy;
}

static uint32_t add_to_model(struct openpsa *reader, enum openpsa_kind kind, const char *name,
			     const xmlNode *node)
{
	uint32_t index;

	if (kind == OPENPSA_GATE) {
		index = avail_model_gate(reader->model, name);
		if (index != AVAIL_NONE)
			openpsa_note(reader, &reader->gates, index, node);
	} else if (kind == OPENPSA_PARAMETER) {
		index = avail_expression_parameter(reader->model, name);
		if (index != AVAIL_NONE)
			openpsa_note(reader, &reader->expressions, index, node);
	} else {
		index = avail_model_event(reader->model, name);
		if (index != AVAIL_NONE)
			openpsa_note(reader, &reader->events, index, node);
	}
	if (index == AVAIL_NONE)
		openpsa_no_room(reader);
	return index;
}

/* Gives a thing its names and its place in the model. */
static void declare_thing(struct openpsa *reader, enum openpsa_kind kind, const char *identifier,
			  const xmlNode *node, bool closed)
{
	bool parameter = kind == OPENPSA_PARAMETER;
	const char *path = reader->containers[reader->container].path;
	const char *name = model_name(reader, identifier, closed);
	uint32_t thing = name ? openpsa_add(reader, kind, name, node) : AVAIL_NONE;

	if (thing == AVAIL_NONE ||
	    !openpsa_put(reader, parameter ? OPENPSA_PATHS_OF_PARAMETERS : OPENPSA_PATHS_OF_EVENTS,
			 path, identifier, thing, node))
		return;
	if (!closed &&
	    !openpsa_put(reader, parameter ? OPENPSA_PUBLIC_PARAMETERS : OPENPSA_PUBLIC_EVENTS,
			 NULL, identifier, thing, node))
		return;
	reader->things[thing].index = add_to_model(reader, kind, name, node);
	if (parameter)
		reader->things[thing].unit = openpsa_unit_of(reader, node);
}

static void declare_event(struct openpsa *reader, enum openpsa_kind kind, const xmlNode *node)
{
	const char *name;

	if (!openpsa_plain(reader, node,
			   kind == OPENPSA_PARAMETER ? "name role unit" : "name role"))
		return;
	name = openpsa_identifier(reader, node);
	if (name)
		declare_thing(reader, kind, name, node, is_private(reader, node));
}

static void declare_gate(struct openpsa *reader, const xmlNode *node, unsigned where)
{
	(void)where;
	declare_event(reader, OPENPSA_GATE, node);
}

static void declare_basic_event(struct openpsa *reader, const xmlNode *node, unsigned where)
{
	(void)where;
	declare_event(reader, OPENPSA_BASIC_EVENT, node);
}

static void declare_house_event(struct openpsa *reader, const xmlNode *node, unsigned where)
{
	(void)where;
	declare_event(reader, OPENPSA_HOUSE_EVENT, node);
}

static void declare_parameter(struct openpsa *reader, const xmlNode *node, unsigned where)
{
	(void)where;
	declare_event(reader, OPENPSA_PARAMETER, node);
}

/* --- containers --- */

static void declare_part(struct openpsa *reader, const xmlNode *node, unsigned where)
{
	uint32_t outer = reader->container, part = reader->container_count, thing;
	const char *outer_subject = reader->subject, *name, *path;
	bool tree = where == IN_MODEL, closed;

	if (!openpsa_plain(reader, node, tree ? "name" : "name role"))
		return;
	name = openpsa_identifier(reader, node);
	closed = !tree && is_private(reader, node);
	path = name ? model_name(reader, name, true) : NULL;
	if (!path || !openpsa_make_room(reader, &reader->containers, &reader->container_room,
					(uint64_t)part + 1, sizeof *reader->containers))
		return;
	thing = openpsa_add(reader, OPENPSA_PART, path, node);
	if (thing == AVAIL_NONE || !openpsa_put(reader, OPENPSA_PARTS, NULL, path, thing, node))
		return;
	reader->containers[part] = (struct openpsa_container){ path, outer, closed };
	reader->container_count++;
	reader->container = part;
	reader->subject = path;
	declare_all(reader, node, IN_PART);
	reader->container = outer;
	reader->subject = outer_subject;
}

static void declare_data(struct openpsa *reader, const xmlNode *node, unsigned where)
{
	(void)where;
	if (openpsa_plain(reader, node, ""))
		declare_all(reader, node, IN_DATA);
}

/* Its parts are read when every name is known. */
static void declare_ccf(struct openpsa *reader, const xmlNode *node, unsigned where)
{
	const char *path = reader->containers[reader->container].path, *name;
	uint32_t thing;

	(void)where;
	if (!openpsa_plain(reader, node, "name model"))
		return;
	name = openpsa_identifier(reader, node);
	thing = name ? openpsa_add(reader, OPENPSA_CCF, name, node) : AVAIL_NONE;
	if (thing == AVAIL_NONE || !openpsa_put(reader, OPENPSA_CCFS, path, name, thing, node))
		return;
	reader->things[thing].index = avail_model_ccf(reader->model, name);
	if (reader->things[thing].index == AVAIL_NONE)
		openpsa_no_room(reader);
	else
		openpsa_note(reader, &reader->ccfs, reader->things[thing].index, node);
}

static void declare_event_tree(struct openpsa *reader, const xmlNode *node, unsigned where)
{
	(void)where;
	openpsa_declare_tree(reader, node);
}

static void declare_initiating(struct openpsa *reader, const xmlNode *node, unsigned where)
{
	(void)where;
	openpsa_declare_initiating(reader, node);
}

static void declare_rule(struct openpsa *reader, const xmlNode *node, unsigned where)
{
	(void)where;
	openpsa_declare_rule(reader, node);
}

static void decline(struct openpsa *reader, const xmlNode *node, unsigned where)
{
	(void)where;
	openpsa_find(reader, node, "<%.64s> is not supported", (const char *)node->name);
}

/* --- includes --- */

/* Writes "a.xml -> b.xml -> a.xml" from the chain of files that include each other. */
static void find_file_cycle(struct openpsa *reader, const xmlNode *node, uint32_t again)
{
	char text[300] = "";
	uint32_t chain[OPENPSA_INCLUDES_MAX + 1], depth = 0;
	size_t used = 0;

	for (uint32_t at = reader->file; depth < OPENPSA_INCLUDES_MAX;
	     at = reader->files[at].from) {
		chain[depth++] = at;
		if (at == again)
			break;
	}
	while (depth > 0 && used < sizeof text)
		used += (size_t)snprintf(text + used, sizeof text - used, "%.64s -> ",
					 reader->files[chain[--depth]].name);
	openpsa_find(reader, node, "the file includes itself: %s%.64s", text,
		     reader->files[again].name);
}

/* Whether the file is not one of those that lead to it, and there are not too many. */
static bool may_include(struct openpsa *reader, const xmlNode *node, const struct file_bytes *bytes)
{
	unsigned depth = 1;

	for (uint32_t at = reader->file;; at = reader->files[at].from, depth++) {
		if (reader->files[at].inode == bytes->inode &&
		    reader->files[at].device == bytes->device) {
			find_file_cycle(reader, node, at);
			return false;
		}
		if (at == 0)
			break;
	}
	if (depth >= OPENPSA_INCLUDES_MAX)
		openpsa_find(reader, node, "files are included more than %d deep",
			     OPENPSA_INCLUDES_MAX);
	else if (reader->file_count >= OPENPSA_FILES_MAX)
		openpsa_find(reader, node, "the document has more than %d files",
			     OPENPSA_FILES_MAX);
	else
		return true;
	return false;
}

/* The path of an included file: beside the one that includes it. */
static const char *path_beside(struct openpsa *reader, const char *name)
{
	char room[4096], path[4096];
	const char *from = reader->files[reader->file].name, *copy;

	snprintf(room, sizeof room, "%s", from);
	if (name[0] == '/' || !strchr(from, '/'))
		snprintf(path, sizeof path, "%s", name);
	else
		snprintf(path, sizeof path, "%s/%s", dirname(room), name);
	copy = avail_model_text(reader->model, path);
	if (!copy)
		openpsa_no_room(reader);
	return copy;
}

/* Reads and keeps the file; the root of its document, or NULL with a finding. */
static const xmlNode *open_file(struct openpsa *reader, const xmlNode *node, const char *path)
{
	struct file_bytes bytes;
	int err = file_bytes_read(path, reader->size_left, &bytes);
	xmlDoc *document = NULL;

	if (err) {
		openpsa_find(reader, node, "%.200s cannot be included: %s", path,
			     file_bytes_error(err));
		return NULL;
	}
	if (may_include(reader, node, &bytes) &&
	    openpsa_make_room(reader, &reader->files, &reader->file_room,
			      (uint64_t)reader->file_count + 1, sizeof *reader->files))
		document = openpsa_xml_parse(reader->findings, path, bytes.bytes, bytes.size);
	reader->size_left -= bytes.size;
	file_bytes_free(&bytes);
	if (!document)
		return NULL;
	reader->files[reader->file_count++] = (struct openpsa_file){ .name = path,
								     .document = document,
								     .from = reader->file,
								     .device = bytes.device,
								     .inode = bytes.inode };
	return xmlDocGetRootElement(document);
}

static void declare_one(struct openpsa *reader, const xmlNode *node, unsigned where);

/* What is in the file stands where the include does. */
static void declare_include(struct openpsa *reader, const xmlNode *node, unsigned where)
{
	char room[OPENPSA_XML_VALUE];
	const char *name = NULL, *path;
	const xmlNode *root;
	uint32_t outer = reader->file;

	if (openpsa_plain(reader, node, "file"))
		name = openpsa_needed(reader, node, "file", room);
	if (!name)
		return;
	if (reader->includes == OPENPSA_ALONE) {
		openpsa_find(reader, node, "this document is not a file, so it can include none");
		return;
	}
	if (strstr(name, "://")) {
		openpsa_find(reader, node, "'%.64s' is not a path: only files are included", name);
		return;
	}
	path = path_beside(reader, name);
	root = path ? open_file(reader, node, path) : NULL;
	if (!root)
		return;
	reader->file = reader->file_count - 1;
	if (openpsa_xml_is(root, "opsa-mef") ||
	    (where == IN_DATA && openpsa_xml_is(root, "model-data")))
		declare_all(reader, root, where);
	else
		declare_one(reader, root, where);
	reader->file = outer;
}

/* --- all of it --- */

static const struct element {
	const char *name;
	unsigned places;
	void (*declare)(struct openpsa *reader, const xmlNode *node, unsigned where);
} elements[] = {
	{ "define-fault-tree", IN_MODEL, declare_part },
	{ "define-component", IN_PART, declare_part },
	{ "define-gate", IN_PART, declare_gate },
	{ "define-basic-event", IN_PART | IN_DATA, declare_basic_event },
	{ "define-house-event", IN_PART | IN_DATA, declare_house_event },
	{ "define-parameter", IN_PART | IN_DATA, declare_parameter },
	{ "define-CCF-group", IN_MODEL | IN_PART, declare_ccf },
	{ "model-data", IN_MODEL, declare_data },
	{ "define-event-tree", IN_MODEL, declare_event_tree },
	{ "define-initiating-event", IN_MODEL, declare_initiating },
	{ "define-initiating-event-group", IN_MODEL, declare_initiating },
	{ "define-rule", IN_MODEL, declare_rule },
	{ "include", IN_MODEL | IN_PART | IN_DATA, declare_include },
	{ "define-substitution", IN_MODEL | IN_PART, decline },
	{ "define-alignment", IN_MODEL, decline },
	{ "define-mission", IN_MODEL, decline },
	{ "define-consequence", IN_MODEL, decline },
	{ "define-consequence-group", IN_MODEL, decline },
	{ "define-extern-library", IN_MODEL, decline },
	{ "define-extern-function", IN_MODEL, decline },
};

static void find_misplaced(struct openpsa *reader, const xmlNode *node, unsigned where)
{
	char allowed[320] = "";
	size_t used = 0;

	for (unsigned i = 0; i < array_len(elements); i++)
		if (elements[i].places & where && elements[i].declare != decline)
			used += (size_t)snprintf(allowed + used, sizeof allowed - used, "%s%s",
						 used ? ", " : "", elements[i].name);
	must(used < sizeof allowed);
	openpsa_misplaced(reader, node, allowed);
}

static void declare_one(struct openpsa *reader, const xmlNode *node, unsigned where)
{
	for (unsigned i = 0; i < array_len(elements); i++) {
		if (elements[i].places & where && openpsa_xml_is(node, elements[i].name)) {
			elements[i].declare(reader, node, where);
			return;
		}
	}
	/* an included file of data may wrap it as a whole document does */
	if (where == IN_DATA && openpsa_xml_is(node, "model-data"))
		declare_data(reader, node, where);
	else
		find_misplaced(reader, node, where);
}

static void declare_all(struct openpsa *reader, const xmlNode *parent, unsigned where)
{
	const xmlNode *node = openpsa_first(reader, parent);

	for (; node && !reader->full; node = openpsa_next(reader, node)) {
		if (avail_findings_full(reader->findings))
			return;
		declare_one(reader, node, where);
	}
}

/* A document may have a name; without, the file's stays. */
static void name_model(struct openpsa *reader, const xmlNode *root)
{
	char room[OPENPSA_XML_VALUE];
	const char *name = openpsa_xml_value(root, "name", room);

	if (!name || !*name)
		return;
	name = avail_model_text(reader->model, name);
	if (name)
		reader->model->name = name;
	else
		openpsa_no_room(reader);
}

void openpsa_declare(struct openpsa *reader, const xmlNode *root)
{
	if (!openpsa_xml_is(root, "opsa-mef")) {
		openpsa_find(reader, root, "the root element is <%.64s>; it must be <opsa-mef>",
			     (const char *)root->name);
	} else if (openpsa_plain(reader, root, "name")) {
		name_model(reader, root);
		declare_all(reader, root, IN_MODEL);
	}
}

/* Members that are not defined elsewhere are basic events of where the group stands. */
static void declare_group_members(struct openpsa *reader, const xmlNode *members)
{
	const xmlNode *node = openpsa_first(reader, members);

	for (; node && !reader->full; node = openpsa_next(reader, node)) {
		char room[OPENPSA_XML_VALUE];
		const char *name;

		if (!openpsa_xml_is(node, "basic-event")) {
			openpsa_misplaced(reader, node, "basic-event");
			continue;
		}
		name = openpsa_plain(reader, node, "name")
			       ? openpsa_needed(reader, node, "name", room)
			       : NULL;
		if (!name || openpsa_resolve(reader, OPENPSA_EVENTS, name) != NAME_TABLE_NONE)
			continue;
		name = openpsa_identifier(reader, node);
		if (name)
			declare_thing(reader, OPENPSA_BASIC_EVENT, name, node,
				      reader->containers[reader->container].closed);
	}
}

void openpsa_declare_members(struct openpsa *reader)
{
	uint32_t count = reader->thing_count; /* without those that are made on the way */

	for (uint32_t i = 0; i < count && !reader->full; i++) {
		const xmlNode *node;

		if (reader->things[i].kind != OPENPSA_CCF)
			continue;
		openpsa_enter(reader, &reader->things[i]);
		node = openpsa_first(reader, reader->things[i].node);
		for (; node; node = openpsa_next(reader, node))
			if (openpsa_xml_is(node, "members"))
				declare_group_members(reader, node);
	}
}
