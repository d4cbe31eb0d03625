#include "prog/midplane_table.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { COLUMNS_MAX = 32 };

struct scale {
	double from;       /* used from this value on */
	double unit;       /* divided by this */
	const char *text;
};

static const struct scale bytes_scale[] = {
	{ 0x1p40, 0x1p40, " TiB" }, { 0x1p30, 0x1p30, " GiB" }, { 0x1p20, 0x1p20, " MiB" },
	{ 10240, 0x1p10, " KiB" },  { 0, 1, " B" },
};
static const struct scale bps_scale[] = {
	{ 1e12, 1e12, " Tbit/s" }, { 1e9, 1e9, " Gbit/s" }, { 1e6, 1e6, " Mbit/s" },
	{ 1e3, 1e3, " kbit/s" },   { 0, 1, " bit/s" },
};
static const struct scale pps_scale[] = {
	{ 1e6, 1e6, " Mframes/s" }, { 1e3, 1e3, " kframes/s" }, { 0, 1, " frames/s" },
};
static const struct scale ns_scale[] = {
	{ 1e9, 1e9, " s" }, { 1e6, 1e6, " ms" }, { 1e3, 1e3, " us" }, { 0, 1, " ns" },
};
static const struct scale us_scale[] = {
	{ 1e6, 1e6, " s" }, { 1e3, 1e3, " ms" }, { 0, 1, " us" },
};

static const struct scale *const scales[TREE_UNIT_COUNT] = {
	[TREE_UNIT_BYTES] = bytes_scale, [TREE_UNIT_BPS] = bps_scale, [TREE_UNIT_PPS] = pps_scale,
	[TREE_UNIT_NS] = ns_scale,       [TREE_UNIT_US] = us_scale,
};

/* What a title does not repeat, since the value says it. */
static const char *const said_by_value[TREE_UNIT_COUNT] = {
	[TREE_UNIT_MBPS] = "_mbps", [TREE_UNIT_S] = "_s", [TREE_UNIT_US] = "_us",
	[TREE_UNIT_NS] = "_ns",
};

/* Up to three digits behind the point, none that are 0 at the end; small values with an exponent. */
static void trim(double value, const char *unit, char *text)
{
	char digits[64];

	if (value != 0 && fabs(value) < 0.01) {
		snprintf(text, TABLE_CELL_MAX, "%.4g%s", value, unit);
		return;
	}
	snprintf(digits, sizeof digits, "%.*f", value < 10 ? 3 : value < 100 ? 2 : 1, value);
	if (strchr(digits, '.')) {
		size_t end = strlen(digits);

		while (digits[end - 1] == '0')
			end--;
		digits[digits[end - 1] == '.' ? end - 1 : end] = 0;
	}
	snprintf(text, TABLE_CELL_MAX, "%s%s", digits, unit);
}

static void write_duration(double seconds, char *text)
{
	unsigned long long s = (unsigned long long)seconds;

	if (seconds < 60)
		trim(seconds, " s", text);
	else if (s < 3600)
		snprintf(text, TABLE_CELL_MAX, "%llu min %llu s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, TABLE_CELL_MAX, "%llu h %llu min", s / 3600, s / 60 % 60);
	else
		snprintf(text, TABLE_CELL_MAX, "%llu d %llu h", s / 86400, s / 3600 % 24);
}

static void write_number(const struct tree_property *property, const json_t *value, char *text)
{
	double number = json_number_value(value);
	const struct scale *scale = scales[property->unit];

	if (property->unit == TREE_UNIT_S) {
		write_duration(number, text);
	} else if (property->unit == TREE_UNIT_MBPS) {
		trim(number, " Mbit/s", text);
	} else if (scale) {
		while (number < scale->from)
			scale++;
		trim(number / scale->unit, scale->text, text);
	} else if (json_is_integer(value)) {
		snprintf(text, TABLE_CELL_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	} else {
		trim(number, "", text);
	}
}

static void write_list(const json_t *list, char *text)
{
	const json_t *item;
	size_t i, used = 0;

	snprintf(text, TABLE_CELL_MAX, "%s", json_array_size(list) ? "" : "-");
	json_array_foreach(list, i, item) {
		if (used + 8 >= TABLE_CELL_MAX || !json_is_string(item))
			break;
		used += (size_t)snprintf(text + used, TABLE_CELL_MAX - used, "%s%s",
					 i ? ", " : "", json_string_value(item));
	}
	if (used >= TABLE_CELL_MAX - 8)
		snprintf(text + TABLE_CELL_MAX - 8, 8, "...");
}

/* Control characters from outside would play tricks with a terminal. */
static void disarm_text(char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			*text = '?';
}

void table_cell(const struct tree_property *property, const json_t *value,
		char text[TABLE_CELL_MAX])
{
	if (json_is_array(value))
		write_list(value, text);
	else if (json_is_boolean(value))
		snprintf(text, TABLE_CELL_MAX, "%s", json_is_true(value) ? "yes" : "no");
	else if (json_is_number(value))
		write_number(property, value, text);
	else if (json_is_string(value) && json_string_length(value))
		snprintf(text, TABLE_CELL_MAX, "%s", json_string_value(value));
	else
		snprintf(text, TABLE_CELL_MAX, "-");
	disarm_text(text);
}

static void write_title(const struct tree_property *property, char title[64], int (*letter)(int))
{
	const char *end = said_by_value[property->unit];
	size_t size = strlen(property->name);

	if (end && size > strlen(end) && strcmp(property->name + size - strlen(end), end) == 0)
		size -= strlen(end);
	must(size < 64);
	for (size_t i = 0; i < size; i++)
		title[i] = property->name[i] == '_' ? ' ' : (char)letter(property->name[i]);
	title[size] = 0;
}

static bool is_number(const struct tree_property *property)
{
	return property->type == TREE_INTEGER || property->type == TREE_NUMBER;
}

static void print_cell(FILE *out, const struct tree_property *property, const char *text,
		       int width, bool last)
{
	if (is_number(property))
		fprintf(out, "%*s", width, text);
	else
		fprintf(out, "%-*s", last ? 0 : width, text);
	fputs(last ? "\n" : "  ", out);
}

struct layout {
	const struct tree_property *column[COLUMNS_MAX];
	int width[COLUMNS_MAX];
	unsigned count;
};

static void measure(struct layout *layout, const struct tree_property *table, const json_t *list,
		    const char *skip)
{
	char text[TABLE_CELL_MAX], title[64];
	const json_t *object;
	size_t row;

	layout->count = 0;
	for (const struct tree_property *p = table; p->name; p++) {
		int *width = &layout->width[layout->count];

		if (p->place != TREE_LISTED || p->type == TREE_ROWS ||
		    (skip && strcmp(p->name, skip) == 0))
			continue;
		must(layout->count < COLUMNS_MAX);
		write_title(p, title, toupper);
		*width = (int)strlen(title);
		json_array_foreach(list, row, object) {
			table_cell(p, json_object_get(object, p->name), text);
			if ((int)strlen(text) > *width)
				*width = (int)strlen(text);
		}
		layout->column[layout->count++] = p;
	}
}

static void print_rows(FILE *out, const struct tree_property *table, const json_t *list,
		       const char *skip, const char *indent)
{
	char text[TABLE_CELL_MAX];
	const json_t *object;
	struct layout layout;
	size_t row;

	measure(&layout, table, list, skip);
	fputs(indent, out);
	for (unsigned i = 0; i < layout.count; i++) {
		char title[64];

		write_title(layout.column[i], title, toupper);
		print_cell(out, layout.column[i], title, layout.width[i], i + 1 == layout.count);
	}
	json_array_foreach(list, row, object) {
		fputs(indent, out);
		for (unsigned i = 0; i < layout.count; i++) {
			table_cell(layout.column[i],
				   json_object_get(object, layout.column[i]->name), text);
			print_cell(out, layout.column[i], text, layout.width[i],
				   i + 1 == layout.count);
		}
	}
}

void table_print_list(FILE *out, const struct tree_property *table, const json_t *list,
		      const char *skip)
{
	print_rows(out, table, list, skip, "");
}

/* Large amounts are followed by the exact figure. */
static void print_exact(FILE *out, const struct tree_property *property, const json_t *value)
{
	if (property->unit == TREE_UNIT_BYTES && json_integer_value(value) >= 10240)
		fprintf(out, " (%" JSON_INTEGER_FORMAT ")", json_integer_value(value));
}

void table_print_object(FILE *out, const struct tree_property *table, const json_t *object)
{
	char text[TABLE_CELL_MAX], title[64];
	int width = 0;

	for (const struct tree_property *p = table; p->name; p++) {
		write_title(p, title, tolower);
		if (p->type != TREE_ROWS && (int)strlen(title) > width)
			width = (int)strlen(title);
	}
	for (const struct tree_property *p = table; p->name; p++) {
		if (p->type == TREE_ROWS)
			continue;
		write_title(p, title, tolower);
		table_cell(p, json_object_get(object, p->name), text);
		fprintf(out, "%-*s  %s", width, title, text);
		print_exact(out, p, json_object_get(object, p->name));
		fputc('\n', out);
	}
	for (const struct tree_property *p = table; p->name; p++) {
		if (p->type != TREE_ROWS || json_array_size(json_object_get(object, p->name)) == 0)
			continue;
		write_title(p, title, tolower);
		fprintf(out, "\n%s:\n", title);
		print_rows(out, p->columns, json_object_get(object, p->name), NULL, "  ");
	}
}
