/* A copy of a site, made by the rows of its schema. */
#include "store/site_file.h"
#include "store/site_schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_text(enum site_type type)
{
	return type == SITE_TYPE_NAME || type == SITE_TYPE_REF || type == SITE_TYPE_TEXT ||
	       type == SITE_TYPE_MAC;
}

static bool is_list(enum site_type type)
{
	return type == SITE_TYPE_NAMES || type == SITE_TYPE_SECTION;
}

/* Texts and lists of 'to', a plain copy of 'from' so far, become empty, so that it can be freed. */
static void empty(const struct site_section_rows *section, uint8_t *to)
{
	static const unsigned none;
	static void *const nowhere;

	for (unsigned r = 0; r < section->row_count; r++) {
		const struct site_row *row = &section->rows[r];

		if (!is_text(row->type) && !is_list(row->type))
			continue;
		memcpy(to + row->offset, &nowhere, sizeof nowhere);
		if (is_list(row->type))
			memcpy(to + row->count_offset, &none, sizeof none);
	}
}

static int copy_section(const struct site_section_rows *section, uint8_t *to, const uint8_t *from);

static int copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return *to || !from ? 0 : -ENOMEM;
}

static int copy_list(const struct site_row *row, uint8_t *to, const uint8_t *from)
{
	const struct site_section_rows *section =
		row->type == SITE_TYPE_SECTION ? &site_sections[row->section] : NULL;
	size_t size = section ? section->size : sizeof(char *);
	const uint8_t *source;
	uint8_t *list;
	unsigned count;
	int err = 0;

	memcpy(&source, from + row->offset, sizeof source);
	memcpy(&count, from + row->count_offset, sizeof count);
	if (count == 0)
		return 0;
	list = calloc(count, size);
	if (!list)
		return -ENOMEM;
	memcpy(to + row->offset, &list, sizeof list);
	memcpy(to + row->count_offset, &count, sizeof count);
	for (unsigned i = 0; i < count && !err; i++) {
		if (section)
			err = copy_section(section, list + i * size, source + i * size);
		else
			err = copy_text((char **)(void *)list + i,
					((char *const *)(const void *)source)[i]);
	}
	return err;
}

static int copy_section(const struct site_section_rows *section, uint8_t *to, const uint8_t *from)
{
	int err = 0;

	memcpy(to, from, section->size);
	empty(section, to);
	if (section == &site_sections[SITE_SECTION_GROUP])
		((struct site_group *)(void *)to)->chosen = NULL; /* no key of the file */
	for (unsigned r = 0; r < section->row_count && !err; r++) {
		const struct site_row *row = &section->rows[r];
		char *text;

		if (is_list(row->type))
			err = copy_list(row, to, from);
		if (!is_text(row->type))
			continue;
		memcpy(&text, from + row->offset, sizeof text);
		err = copy_text(&text, text);
		memcpy(to + row->offset, &text, sizeof text);
	}
	return err;
}

int site_copy(struct site **copy, const struct site *site)
{
	struct site *made = calloc(1, sizeof *made);
	int err;

	if (!made)
		return -ENOMEM;
	err = copy_section(&site_sections[SITE_SECTION_SITE], (uint8_t *)made,
			   (const uint8_t *)site);
	for (unsigned g = 0; g < made->groups_count && !err; g++)
		err = copy_text(&made->groups[g].chosen, site->groups[g].chosen);
	if (err)
		site_file_free(made);
	else
		*copy = made;
	return err;
}
