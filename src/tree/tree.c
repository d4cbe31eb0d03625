#include "tree/tree.h"

#include <stdio.h>
#include <string.h>

#define X(name, word, plural, text) word,
const char *const tree_noun_word[] = { TREE_NOUNS(X) };
#undef X
#define X(name, word, plural, text) plural,
const char *const tree_noun_plural[] = { TREE_NOUNS(X) };
#undef X
#define X(name, word, plural, text) text,
const char *const tree_noun_text[] = { TREE_NOUNS(X) };
#undef X
#define X(name, word) word,
const char *const tree_type_word[] = { TREE_TYPES(X) };
const char *const tree_unit_word[] = { TREE_UNITS(X) };
const char *const tree_access_word[] = { TREE_ACCESSES(X) };
#undef X

enum tree_noun tree_noun_find(const char *word)
{
	for (unsigned i = 0; i < TREE_NOUN_COUNT; i++)
		if (strcmp(tree_noun_word[i], word) == 0)
			return (enum tree_noun)i;
	return TREE_NOUN_COUNT;
}

const struct tree_property *tree_find(const struct tree_property *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

static const struct tree_property *expect(const struct tree_out *out, const char *name,
					  enum tree_type type)
{
	const struct tree_property *property =
		tree_find(out->rows ? out->rows->columns : out->table, name);

	must(property != NULL);
	must(property->type == type);
	return property;
}

void tree_put_text(struct tree_out *out, const char *name, const char *text)
{
	struct tree_value value = { .type = TREE_TEXT, .text = text };

	out->ops->put(out, expect(out, name, TREE_TEXT), &value);
}

void tree_put_integer(struct tree_out *out, const char *name, uint64_t integer)
{
	struct tree_value value = { .type = TREE_INTEGER, .integer = integer };

	out->ops->put(out, expect(out, name, TREE_INTEGER), &value);
}

void tree_put_number(struct tree_out *out, const char *name, double number)
{
	struct tree_value value = { .type = TREE_NUMBER, .number = number };

	out->ops->put(out, expect(out, name, TREE_NUMBER), &value);
}

void tree_put_boolean(struct tree_out *out, const char *name, bool boolean)
{
	struct tree_value value = { .type = TREE_BOOLEAN, .boolean = boolean };

	out->ops->put(out, expect(out, name, TREE_BOOLEAN), &value);
}

void tree_put_list(struct tree_out *out, const char *name)
{
	out->ops->empty(out, expect(out, name, TREE_LIST));
}

void tree_put_item(struct tree_out *out, const char *name, const char *text)
{
	struct tree_value value = { .type = TREE_TEXT, .text = text };

	out->ops->put(out, expect(out, name, TREE_LIST), &value);
}

void tree_put_rows(struct tree_out *out, const char *name)
{
	out->ops->empty(out, expect(out, name, TREE_ROWS));
}

void tree_row_begin(struct tree_out *out, const char *name)
{
	const struct tree_property *rows = expect(out, name, TREE_ROWS);

	must(out->rows == NULL); /* rows have no rows */
	out->rows = rows;
	out->ops->row_begin(out, rows);
}

void tree_row_end(struct tree_out *out)
{
	must(out->rows != NULL);
	out->ops->row_end(out, out->rows);
	out->rows = NULL;
}

int tree_object_find(const struct tree_provider *provider, enum tree_noun noun, const char *name)
{
	unsigned count = provider->ops->count(provider->owner, noun);
	char candidate[TREE_NAME_MAX];

	for (unsigned i = 0; i < count; i++) {
		provider->ops->name(provider->owner, noun, i, candidate);
		if (strcmp(candidate, name) == 0)
			return (int)i;
	}
	return -1;
}

void tree_describe(const struct tree_provider *provider, enum tree_noun noun, unsigned index,
		   struct tree_out *out)
{
	char name[TREE_NAME_MAX];

	must(index < provider->ops->count(provider->owner, noun));
	out->table = tree_properties[noun];
	out->rows = NULL;
	provider->ops->name(provider->owner, noun, index, name);
	tree_put_text(out, "name", name);
	provider->ops->describe(provider->owner, noun, index, out);
	must(out->rows == NULL);
}

/* Appends to text of which 'used' bytes are written; what does not fit is cut. */
static size_t append(char *text, size_t size, size_t used, const char *a, const char *b)
{
	int n;

	if (used >= size)
		return used;
	n = snprintf(text + used, size - used, "%s%s", a, b);
	return used + (n > 0 ? (size_t)n : 0);
}

void tree_say_missing(const struct tree_provider *provider, enum tree_noun noun, const char *name,
		      char *text, size_t size)
{
	enum { NAMED = 12 };
	unsigned count = provider->ops->count(provider->owner, noun);
	char other[TREE_NAME_MAX];
	size_t used = 0;

	used = append(text, size, used, "there is no ", tree_noun_word[noun]);
	used = append(text, size, used, " '", name);
	used = append(text, size, used, count ? "'; the " : "', nor any other",
		      count ? tree_noun_plural[noun] : "");
	used = append(text, size, used, count ? " are: " : "", "");
	for (unsigned i = 0; i < count && i < NAMED; i++) {
		provider->ops->name(provider->owner, noun, i, other);
		used = append(text, size, used, i ? ", " : "", other);
	}
	if (count > NAMED)
		append(text, size, used, ", and more", "");
}
