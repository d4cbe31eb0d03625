#include "store/avail_yaml.h"

#include "store/site_number.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 128, ALLOWS_SIZE = 256 };

/* A path in the making; what does not fit is cut. */
struct path {
	char text[PATH_SIZE];
};

/* Memory that is given back together. */
struct avail_said_piece {
	struct avail_said_piece *next;
	size_t size; /* of all of it */
	max_align_t bytes[];
};

void *avail_said_take(struct avail_said *said, size_t count, size_t size)
{
	size_t all = sizeof(struct avail_said_piece) + count * size;
	struct avail_said_piece *piece = avail_take(said->memory, all, 1);

	if (!piece) {
		said->full = true;
		return NULL;
	}
	piece->size = all;
	piece->next = said->pieces;
	said->pieces = piece;
	return piece->bytes;
}

void avail_said_fini(struct avail_said *said)
{
	struct avail_said_piece *piece = said->pieces, *next;

	for (; piece; piece = next) {
		next = piece->next;
		avail_give(said->memory, piece, piece->size, 1);
	}
	said->pieces = NULL;
}

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

static void printf_like(4, 5) find(struct avail_said *said, unsigned line, const struct path *path,
				   const char *format, ...)
{
	struct refusal what;
	va_list args;

	refuse(&what, path->text, "%s", "");
	va_start(args, format);
	vsnprintf(what.text, sizeof what.text, format, args);
	va_end(args);
	avail_find_refusal(said->findings, said->file, line, &what);
}

/* --- single values --- */

/* "name", or "not name" where that is allowed. */
static bool put_term(const char *text, enum avail_said_type type, unsigned line,
		     struct said_term *term)
{
	bool negated = type == AVAIL_SAID_TERMS && strncmp(text, "not ", 4) == 0;

	if (negated)
		text += 4;
	*term = (struct said_term){ .name = text, .negated = negated, .line = line };
	return avail_name_is_good(text);
}

static bool put_quantity(const struct avail_row *row, const char *text, unsigned line,
			 struct said_quantity *quantity)
{
	bool any = row->type != AVAIL_SAID_QUANTITY;

	*quantity = (struct said_quantity){ .line = line };
	if (avail_parameter_is_good(text)) {
		quantity->parameter = text;
		return true;
	}
	if (!avail_number_parse(text, &quantity->value, &quantity->dimension))
		return false;
	return any || quantity->dimension == row->dimension ||
	       (quantity->value == 0 && quantity->dimension == AVAIL_PLAIN);
}

static bool put_count(const struct avail_row *row, const char *text, uint32_t *count)
{
	uint64_t value;

	if (!site_number_parse(text, &value) || value < row->min || value > row->max)
		return false;
	*count = (uint32_t)value;
	return true;
}

static bool put_bool(const char *text, uint32_t *value)
{
	bool yes;

	if (!site_bool_parse(text, &yes))
		return false;
	*value = yes;
	return true;
}

static bool put_word(const struct avail_row *row, const char *text, uint32_t *value)
{
	for (unsigned i = 0; i < row->word_count; i++) {
		if (strcmp(row->words[i].word, text) == 0) {
			*value = row->words[i].value;
			return true;
		}
	}
	return false;
}

static bool put_plain(const char *text, double most, double *value)
{
	enum avail_dimension dimension;

	return avail_number_parse(text, value, &dimension) && dimension == AVAIL_PLAIN &&
	       *value <= most;
}

static bool put_hours(const struct avail_row *row, const char *text, double *hours)
{
	return site_hours_parse(text, hours) && (*hours > 0 || row->min == 0);
}

/* Puts the text into the member as the row says; false when the row does not allow it. */
static bool put(const struct avail_row *row, const char *text, unsigned line, void *member)
{
	const char **name = member;

	switch (row->type) {
	case AVAIL_SAID_NAME:
		*name = text;
		return avail_name_is_good(text);
	case AVAIL_SAID_TEXT:
		*name = text;
		return strlen(text) >= row->min && strlen(text) <= row->max;
	case AVAIL_SAID_TERM:
	case AVAIL_SAID_NAMES:
	case AVAIL_SAID_TERMS:
		return put_term(text, row->type, line, member);
	case AVAIL_SAID_COUNT:
		return put_count(row, text, member);
	case AVAIL_SAID_BOOL:
		return put_bool(text, member);
	case AVAIL_SAID_WORD:
		return put_word(row, text, member);
	case AVAIL_SAID_SHARE:
		return put_plain(text, 1, member);
	case AVAIL_SAID_AMOUNT:
		return put_plain(text, 1e300, member);
	case AVAIL_SAID_HOURS:
		return put_hours(row, text, member);
	default:
		return put_quantity(row, text, line, member);
	}
}

static void fill_scalar(struct avail_said *said, const struct avail_row *row,
			const yaml_node_t *node, const struct path *path, void *member)
{
	char allows[ALLOWS_SIZE], quoted[YAML_QUOTE_SIZE];

	avail_row_allows(row, allows, sizeof allows);
	if (node->type != YAML_SCALAR_NODE)
		find(said, yaml_node_line(node), path, "is %s; allowed: %s", yaml_node_kind(node),
		     allows);
	else if (yaml_node_is_empty(node))
		find(said, yaml_node_line(node), path, "has no value; allowed: %s", allows);
	else if (!yaml_node_is_text(node) ||
		 !put(row, yaml_node_text(node), yaml_node_line(node), member))
		find(said, yaml_node_line(node), path, "%s is not allowed; allowed: %s",
		     yaml_node_quote(node, quoted), allows);
}

/* --- lists --- */

static void fill_section(struct avail_said *said, enum avail_said_section which,
			 const yaml_node_t *node, const struct path *path, uint8_t *into);

/* Bytes of one entry of the row's list. */
static size_t entry_size(const struct avail_row *row)
{
	if (row->type == AVAIL_SAID_SECTION)
		return avail_sections[row->section].size;
	return row->type == AVAIL_SAID_QUANTITIES ? sizeof(struct said_quantity)
						  : sizeof(struct said_term);
}

static void fill_entry(struct avail_said *said, const struct avail_row *row,
		       const yaml_node_t *node, const struct path *path, uint8_t *into)
{
	if (row->type == AVAIL_SAID_SECTION)
		fill_section(said, row->section, node, path, into);
	else
		fill_scalar(said, row, node, path, into);
}

/* A list member is a pointer and a count, whatever it points to. */
static void set_list(void *member, void *at, uint32_t count)
{
	memcpy(member, &(struct said_list){ at, count }, sizeof(struct said_list));
}
_Static_assert(sizeof(struct said_list) == sizeof(struct said_terms), "a pointer and a count");
_Static_assert(sizeof(struct said_list) == sizeof(struct said_quantities), "a pointer and a count");

static void fill_list(struct avail_said *said, const struct avail_row *row, const yaml_node_t *node,
		      const struct path *path, unsigned line, void *member)
{
	char allows[ALLOWS_SIZE];
	const yaml_node_item_t *items;
	uint8_t *into;
	size_t count;

	avail_row_allows(row, allows, sizeof allows);
	if (node->type != YAML_SEQUENCE_NODE) {
		find(said, line, path, "%s; allowed: %s",
		     yaml_node_is_empty(node) ? "is empty" : "is no list", allows);
		return;
	}
	items = node->data.sequence.items.start;
	count = (size_t)(node->data.sequence.items.top - items);
	if (count < row->min || count > row->max) {
		find(said, line, path, "has %zu entries; allowed: %s", count, allows);
		return;
	}
	into = avail_said_take(said, count + 1, entry_size(row));
	if (!into)
		return;
	set_list(member, into, (uint32_t)count);
	for (unsigned i = 0; i < count && !avail_findings_full(said->findings); i++) {
		struct path entry = path_index(path, i);

		fill_entry(said, row, yaml_document_get_node(said->document, items[i]), &entry,
			   into + i * entry_size(row));
	}
}

/* One name is a list of one. */
static void fill_single(struct avail_said *said, const struct avail_row *row,
			const yaml_node_t *node, const struct path *path, void *member)
{
	struct said_term *term = avail_said_take(said, 1, sizeof *term);

	if (!term)
		return;
	fill_scalar(said, row, node, path, term);
	set_list(member, term, 1);
	if (row->min > 1)
		find(said, yaml_node_line(node), path, "is one name; it takes %u or more",
		     row->min);
}

/* --- mappings --- */

static const struct avail_row *row_of(const struct avail_section_rows *section,
				      const yaml_node_t *key)
{
	if (!yaml_node_is_text(key))
		return NULL;
	for (unsigned i = 0; i < section->row_count; i++)
		if (strcmp(section->rows[i].key, yaml_node_text(key)) == 0)
			return &section->rows[i];
	return NULL;
}

static void find_unknown(struct avail_said *said, const struct avail_section_rows *section,
			 const yaml_node_t *key, const struct path *path)
{
	char quoted[YAML_QUOTE_SIZE], known[256];
	size_t used = 0;

	if (key->type != YAML_SCALAR_NODE) {
		find(said, yaml_node_line(key), path, "%s cannot be a key", yaml_node_kind(key));
		return;
	}
	for (unsigned i = 0; i < section->row_count; i++)
		used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
					 section->rows[i].key);
	must(used < sizeof known);
	find(said, yaml_node_line(key), path, "unknown key %s; %s has: %s",
	     yaml_node_quote(key, quoted), section->phrase, known);
}

static void fill_missing(struct avail_said *said, const struct avail_section_rows *section,
			 const struct avail_row *row, const yaml_node_t *node,
			 const struct path *path, uint8_t *into)
{
	char allows[ALLOWS_SIZE];

	if (row->need == AVAIL_SAID_MANDATORY) {
		struct path missing = path_key(path, row->key);

		avail_row_allows(row, allows, sizeof allows);
		find(said, yaml_node_line(node), &missing, "is missing: %s needs it; allowed: %s",
		     section->phrase, allows);
	} else if (row->preset) {
		must(put(row, row->preset, 0, into + row->offset));
	}
}

static void fill_pair(struct avail_said *said, const struct avail_row *row, const yaml_node_t *key,
		      const yaml_node_t *value, const struct path *parent, uint8_t *into)
{
	bool names = row->type == AVAIL_SAID_NAMES || row->type == AVAIL_SAID_TERMS;
	struct path path = path_key(parent, row->key);

	if (names && value->type == YAML_SCALAR_NODE)
		fill_single(said, row, value, &path, into + row->offset);
	else if (names || row->type == AVAIL_SAID_QUANTITIES || row->type == AVAIL_SAID_SECTION)
		fill_list(said, row, value, &path, yaml_node_line(key), into + row->offset);
	else
		fill_scalar(said, row, value, &path, into + row->offset);
}

static void fill_pairs(struct avail_said *said, const struct avail_section_rows *section,
		       const yaml_node_t *node, const struct path *path, uint8_t *into,
		       unsigned seen[AVAIL_ROWS_MAX])
{
	const yaml_node_pair_t *pair = node->data.mapping.pairs.start;

	for (; pair < node->data.mapping.pairs.top && !avail_findings_full(said->findings);
	     pair++) {
		const yaml_node_t *key = yaml_document_get_node(said->document, pair->key);
		const struct avail_row *row = row_of(section, key);
		unsigned *line = row ? &seen[row - section->rows] : NULL;

		if (!row) {
			find_unknown(said, section, key, path);
		} else if (*line) {
			struct path twice = path_key(path, row->key);

			find(said, yaml_node_line(key), &twice,
			     "is there twice, first on line %u; each key once", *line);
		} else {
			*line = yaml_node_line(key);
			fill_pair(said, row, key,
				  yaml_document_get_node(said->document, pair->value), path, into);
		}
	}
}

static void fill_section(struct avail_said *said, enum avail_said_section which,
			 const yaml_node_t *node, const struct path *path, uint8_t *into)
{
	const struct avail_section_rows *section = &avail_sections[which];
	unsigned seen[AVAIL_ROWS_MAX] = { 0 }; /* line of each key */
	unsigned line = yaml_node_line(node);

	must(section->row_count <= AVAIL_ROWS_MAX);
	memcpy(into, &line, sizeof line);
	if (node->type != YAML_MAPPING_NODE) {
		find(said, line, path, "is %s; %s is a mapping of keys to values",
		     yaml_node_is_empty(node) ? "empty" : yaml_node_kind(node), section->phrase);
		return;
	}
	fill_pairs(said, section, node, path, into, seen);
	for (unsigned i = 0; i < section->row_count; i++)
		if (!seen[i] && !avail_findings_full(said->findings))
			fill_missing(said, section, &section->rows[i], node, path, into);
}

void avail_said_read(struct avail_said *said)
{
	const yaml_node_t *root = yaml_document_get_root_node(said->document);
	const struct path top = { "" };

	if (!root)
		find(said, 1, &top, "the file is empty; a model needs a name");
	else
		fill_section(said, AVAIL_SAID_MODEL, root, &top, (uint8_t *)&said->model);
}
