/* manage/metrics.c -- the tree as metrics in the text format that Prometheus scrapes (exposition format 0.0.4):
 * every number and boolean of every object, "midplane_NOUN_PROPERTY{name="..."} value".
 *
 * Functions are given with what lists show, since a site has thousands; texts, lists and rows are not numbers
 * and are left out.  Events are no metrics. */
#include "manage/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROPERTIES_MAX = 128 };

/* The samples of one noun: a text for each property, since a metric's samples stand together. */
struct metrics_view {
	struct tree_out out;
	const struct tree_property *table;
	const char *object;
	FILE *samples[PROPERTIES_MAX];
	char *text[PROPERTIES_MAX];
	size_t size[PROPERTIES_MAX];
};

static void put_label(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text == '\n' ? ' ' : *text, out);
	}
}

static void on_put(struct tree_out *out, const struct tree_property *property,
		   const struct tree_value *value)
{
	struct metrics_view *view = container_of(out, struct metrics_view, out);
	FILE *file;

	if (out->rows || property->type == TREE_LIST || property->place < out->least)
		return;
	file = view->samples[property - view->table];
	if (!file || value->type == TREE_TEXT)
		return;
	fputs("{name=\"", file);
	put_label(file, view->object);
	fputs("\"} ", file);
	if (value->type == TREE_INTEGER)
		fprintf(file, "%" PRIu64 "\n", value->integer);
	else if (value->type == TREE_NUMBER)
		fprintf(file, "%.17g\n", value->number);
	else
		fprintf(file, "%d\n", value->boolean);
}

static void ignore_row(struct tree_out *out, const struct tree_property *rows)
{
	(void)out;
	(void)rows;
}

static const struct tree_out_ops metrics_ops = {
	.put = on_put,
	.row_begin = ignore_row,
	.row_end = ignore_row,
	.empty = ignore_row,
};

static bool is_metric(const struct tree_property *property)
{
	return property->type == TREE_INTEGER || property->type == TREE_NUMBER ||
	       property->type == TREE_BOOLEAN;
}

/* The samples of one property under their heading, each line completed with the metric's name. */
static void write_metric(FILE *out, enum tree_noun noun, const struct tree_property *property,
			 char *samples)
{
	char name[128], *line, *at = samples;

	if (!samples || !*samples)
		return;
	snprintf(name, sizeof name, "midplane_%s_%s", tree_noun_word[noun], property->name);
	fprintf(out, "# HELP %s %s%s%s\n# TYPE %s untyped\n", name, property->text,
		*tree_unit_word[property->unit] ? ", " : "", tree_unit_word[property->unit], name);
	while ((line = strsep(&at, "\n")) != NULL)
		if (*line)
			fprintf(out, "%s%s\n", name, line);
}

static bool write_noun(const struct tree_provider *provider, enum tree_noun noun, FILE *out)
{
	const struct tree_property *table = tree_properties[noun];
	struct metrics_view view = {
		.out = { .ops = &metrics_ops,
			 .least = noun == TREE_FUNCTION ? TREE_LISTED : TREE_SHOWN },
		.table = table,
	};
	unsigned count = provider->ops->count(provider->owner, noun), properties = 0;
	char name[TREE_NAME_MAX];
	bool full = false;

	for (; table[properties].name; properties++) {
		must(properties < PROPERTIES_MAX);
		if (!is_metric(&table[properties]))
			continue;
		view.samples[properties] = open_memstream(&view.text[properties],
							  &view.size[properties]);
		full |= !view.samples[properties];
	}
	view.object = name;
	for (unsigned i = 0; i < count && !full; i++) {
		provider->ops->name(provider->owner, noun, i, name);
		tree_describe(provider, noun, i, &view.out);
	}
	for (unsigned p = 0; p < properties; p++) {
		if (!view.samples[p])
			continue;
		full |= fclose(view.samples[p]) != 0;
		if (!full)
			write_metric(out, noun, &table[p], view.text[p]);
		free(view.text[p]);
	}
	return !full;
}

int manage_metrics(const struct tree_provider *provider, char **text)
{
	size_t size;
	FILE *out = open_memstream(text, &size);
	bool good = out != NULL;

	for (enum tree_noun noun = 0; noun < TREE_NOUN_COUNT && good; noun++)
		if (noun != TREE_EVENT)
			good = write_noun(provider, noun, out);
	if (out && fclose(out) != 0)
		good = false;
	if (out && !good)
		free(*text);
	return good ? 0 : -ENOMEM;
}
