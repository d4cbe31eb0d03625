#include "store/site_tree.h"
#include "store/site_number.h"
#include "store/site_schema.h"
#include "store/yaml_document.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 128, ALLOWS_SIZE = 192 };

/* A path in the making; what does not fit is cut. */
struct path {
	char text[PATH_SIZE];
};

static struct path path_key(const struct path *parent, const char *key)
{
	struct path path = *parent;
	size_t used = strlen(path.text);

	snprintf(path.text + used, sizeof path.text - used, "%s%s", used ? "." : "", key);
	return path;
}

static struct path path_index(const struct path *parent, unsigned index)
{
	struct path path = *parent;
	size_t used = strlen(path.text);

	snprintf(path.text + used, sizeof path.text - used, "[%u]", index);
	return path;
}

static void printf_like(4, 5) find(struct site_tree *tree, unsigned line, const struct path *path,
				   const char *format, ...)
{
	struct refusal what;
	va_list args;

	tree->found++;
	if (tree->enough)
		return;
	refuse(&what, path->text, "%s", "");
	va_start(args, format);
	vsnprintf(what.text, sizeof what.text, format, args);
	va_end(args);
	tree->enough = !tree->report(tree->arg, line, &what);
}

static void put(struct site_tree *tree, const char *bytes, size_t size)
{
	struct site_text *text = &tree->text;

	if (text->used + size + 1 > text->room) {
		size_t room = 2 * (text->used + size) + 4096;
		char *bigger = text->full ? NULL : realloc(text->bytes, room);

		text->full = !bigger;
		if (!bigger)
			return;
		text->bytes = bigger;
		text->room = room;
	}
	memcpy(text->bytes + text->used, bytes, size);
	text->used += size;
	text->bytes[text->used] = 0;
}

static void put_word(struct site_tree *tree, const char *word)
{
	put(tree, word, strlen(word));
}

/* A double-quoted scalar; its characters are printable already. */
static void put_quoted(struct site_tree *tree, const char *word)
{
	put_word(tree, "\"");
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			put_word(tree, "\\");
		put(tree, word, 1);
	}
	put_word(tree, "\"");
}

static void put_number(struct site_tree *tree, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, value);
	put_word(tree, text);
}

static void put_real(struct site_tree *tree, double value)
{
	char text[32];

	snprintf(text, sizeof text, "%.17g", value);
	put_word(tree, text);
}

/* Writes the value as libcyaml reads it; false when the row does not allow it. */
static bool put_value(struct site_tree *tree, const struct site_row *row, const char *text)
{
	uint64_t number = 0;
	double real = 0;
	bool yes = false, good;

	switch (row->type) {
	case SITE_TYPE_UINT:
		good = site_number_parse(text, &number);
		break;
	case SITE_TYPE_RATE:
		good = site_rate_parse(text, &number);
		break;
	case SITE_TYPE_PPS:
		good = site_pps_parse(text, &number);
		break;
	case SITE_TYPE_SIZE:
		good = site_size_parse(text, &number);
		break;
	case SITE_TYPE_HOURS:
		good = site_hours_parse(text, &real) && (real > 0 || row->min == 0);
		put_real(tree, real);
		return good;
	case SITE_TYPE_SHARE:
		good = site_share_parse(text, &real);
		put_real(tree, real);
		return good;
	case SITE_TYPE_BOOL:
		good = site_bool_parse(text, &yes);
		put_word(tree, yes ? "true" : "false");
		return good;
	case SITE_TYPE_WORD:
		put_quoted(tree, text);
		for (unsigned i = 0; i < row->word_count; i++)
			if (strcmp(row->words[i].str, text) == 0)
				return true;
		return false;
	case SITE_TYPE_MAC:
		put_quoted(tree, text);
		return site_mac_parse(text, &number) && number != 0 && !(number >> 40 & 1);
	case SITE_TYPE_TEXT:
		put_quoted(tree, text);
		return strlen(text) >= row->min && strlen(text) <= row->max;
	default:
		put_quoted(tree, text);
		return site_name_is_good(text);
	}
	put_number(tree, number);
	return good && number >= row->min && number <= row->max;
}

static void check_scalar(struct site_tree *tree, const struct site_row *row,
			 const yaml_node_t *node, const struct path *path)
{
	char allows[ALLOWS_SIZE], quoted[YAML_QUOTE_SIZE];

	site_row_allows(row, allows, sizeof allows);
	if (node->type != YAML_SCALAR_NODE)
		find(tree, yaml_node_line(node), path, "is %s; allowed: %s", yaml_node_kind(node),
		     allows);
	else if (yaml_node_is_empty(node))
		find(tree, yaml_node_line(node), path, "has no value; allowed: %s", allows);
	else if (!yaml_node_is_text(node) || !put_value(tree, row, yaml_node_text(node)))
		find(tree, yaml_node_line(node), path, "%s is not allowed; allowed: %s",
		     yaml_node_quote(node, quoted), allows);
}

static void check_section(struct site_tree *tree, enum site_section which, const yaml_node_t *node,
			  const struct path *path);

static void check_list(struct site_tree *tree, const struct site_row *row, const yaml_node_t *node,
		       const struct path *path, unsigned line)
{
	const struct site_row name = { .key = row->key, .type = SITE_TYPE_REF };
	char allows[ALLOWS_SIZE];
	size_t count;

	site_row_allows(row, allows, sizeof allows);
	if (node->type != YAML_SEQUENCE_NODE) {
		find(tree, line, path, "%s; allowed: %s",
		     yaml_node_is_empty(node) ? "is empty" : "is no list", allows);
		return;
	}
	count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
	if (count < row->min || count > row->max) {
		find(tree, line, path, "has %zu entries; allowed: %s", count, allows);
		return;
	}
	put_word(tree, "[");
	for (unsigned i = 0; i < count && !tree->enough; i++) {
		struct path item_path = path_index(path, i);
		const yaml_node_t *item =
			yaml_document_get_node(tree->document, node->data.sequence.items.start[i]);

		put_word(tree, i ? ",\n" : "");
		if (row->type == SITE_TYPE_NAMES)
			check_scalar(tree, &name, item, &item_path);
		else
			check_section(tree, row->section, item, &item_path);
	}
	put_word(tree, "]");
}

static const struct site_row *row_of(const struct site_section_rows *section,
				     const yaml_node_t *key)
{
	if (key->type != YAML_SCALAR_NODE || !yaml_node_is_text(key))
		return NULL;
	for (unsigned i = 0; i < section->row_count; i++)
		if (strcmp(section->rows[i].key, yaml_node_text(key)) == 0)
			return &section->rows[i];
	return NULL;
}

static void find_unknown(struct site_tree *tree, const struct site_section_rows *section,
			 const yaml_node_t *key, const struct path *path)
{
	char quoted[YAML_QUOTE_SIZE], known[320];
	size_t used = 0;

	if (key->type != YAML_SCALAR_NODE) {
		find(tree, yaml_node_line(key), path, "%s cannot be a key", yaml_node_kind(key));
		return;
	}
	for (unsigned i = 0; i < section->row_count; i++)
		used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
					 section->rows[i].key);
	must(used < sizeof known);
	find(tree, yaml_node_line(key), path, "unknown key %s; %s has: %s",
	     yaml_node_quote(key, quoted), section->phrase, known);
}

/* Writes what the file leaves out, or reports it where it must be there. */
static void check_missing(struct site_tree *tree, const struct site_section_rows *section,
			  const struct site_row *row, const yaml_node_t *node,
			  const struct path *path)
{
	char allows[ALLOWS_SIZE];

	if (row->need == SITE_MANDATORY) {
		struct path missing = path_key(path, row->key);

		site_row_allows(row, allows, sizeof allows);
		find(tree, yaml_node_line(node), &missing, "is missing: %s needs it; allowed: %s",
		     section->phrase, allows);
	} else if (row->preset) {
		put_quoted(tree, row->key);
		put_word(tree, ": ");
		must(put_value(tree, row, row->preset));
		put_word(tree, ",\n");
	}
}

static void check_pair(struct site_tree *tree, const struct site_row *row, const yaml_node_t *key,
		       const yaml_node_t *value, const struct path *parent)
{
	struct path path = path_key(parent, row->key);

	put_quoted(tree, row->key);
	put_word(tree, ": ");
	if (row->type == SITE_TYPE_NAMES || row->type == SITE_TYPE_SECTION)
		check_list(tree, row, value, &path, yaml_node_line(key));
	else
		check_scalar(tree, row, value, &path);
	put_word(tree, ",\n");
}

static void check_section(struct site_tree *tree, enum site_section which, const yaml_node_t *node,
			  const struct path *path)
{
	const struct site_section_rows *section = &site_sections[which];
	unsigned seen[SITE_ROWS_MAX] = { 0 }; /* line of each key */

	if (node->type != YAML_MAPPING_NODE) {
		find(tree, yaml_node_line(node), path, "is %s; %s is a mapping of keys to values",
		     yaml_node_is_empty(node) ? "empty" : yaml_node_kind(node), section->phrase);
		return;
	}
	put_word(tree, "{");
	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top && !tree->enough; pair++) {
		const yaml_node_t *key = yaml_document_get_node(tree->document, pair->key);
		const struct site_row *row = row_of(section, key);
		unsigned *line = row ? &seen[row - section->rows] : NULL;

		if (!row) {
			find_unknown(tree, section, key, path);
		} else if (*line) {
			struct path key_path = path_key(path, row->key);

			find(tree, yaml_node_line(key), &key_path,
			     "is there twice, first on line %u; each key once", *line);
		} else {
			*line = yaml_node_line(key);
			check_pair(tree, row, key,
				   yaml_document_get_node(tree->document, pair->value), path);
		}
	}
	for (unsigned i = 0; i < section->row_count && !tree->enough; i++)
		if (!seen[i])
			check_missing(tree, section, &section->rows[i], node, path);
	put_word(tree, "}\n");
}

void site_tree_check(struct site_tree *tree)
{
	const yaml_node_t *root = yaml_document_get_root_node(tree->document);
	const struct path top = { "" };

	if (!root)
		find(tree, 1, &top, "the file is empty; a site needs a name and chassis");
	else
		check_section(tree, SITE_SECTION_SITE, root, &top);
}

/* The value under a key of 'length' characters, and the key; NULL when there is none. */
static const yaml_node_t *value_of(yaml_document_t *document, const yaml_node_t *node,
				   const char *key, size_t length, const yaml_node_t **key_node)
{
	if (node->type != YAML_MAPPING_NODE)
		return NULL;
	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *found = yaml_document_get_node(document, pair->key);

		if (found->type != YAML_SCALAR_NODE || found->data.scalar.length != length ||
		    memcmp(yaml_node_text(found), key, length) != 0)
			continue;
		*key_node = found;
		return yaml_document_get_node(document, pair->value);
	}
	return NULL;
}

static const yaml_node_t *item_of(yaml_document_t *document, const yaml_node_t *node,
				  unsigned long index)
{
	if (node->type != YAML_SEQUENCE_NODE ||
	    index >= (size_t)(node->data.sequence.items.top - node->data.sequence.items.start))
		return NULL;
	return yaml_document_get_node(document, node->data.sequence.items.start[index]);
}

unsigned site_tree_line(yaml_document_t *document, const char *path)
{
	const yaml_node_t *node = yaml_document_get_root_node(document), *key;
	unsigned line = node ? yaml_node_line(node) : 0;

	while (node && *path) {
		if (*path == '[') {
			char *end;

			node = item_of(document, node, strtoul(path + 1, &end, 10));
			if (node)
				line = yaml_node_line(node);
			path = *end == ']' ? end + 1 : end;
		} else {
			size_t length = strcspn(path, ".[");

			node = value_of(document, node, path, length, &key);
			if (node)
				line = yaml_node_line(key);
			path += length;
		}
		path += *path == '.';
	}
	return line;
}
