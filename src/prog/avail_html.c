/* A page of HTML that needs no other file: figures, what costs most, cut sets, and the reliability
 * blocks. */
#include "base/base.h"
#include "prog/avail_page.h"
#include "prog/avail_picture.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 25, BLOCKS_MAX = 600, DEPTH_MAX = 40 };

static const char style[] =
	"body{font:15px/1.45 sans-serif;max-width:72em;margin:2em auto;padding:0 1em;color:#222}"
	"h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}"
	"table{border-collapse:collapse}td,th{padding:.15em .8em .15em 0;text-align:left;"
	"vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
	".bar{background:#c33;height:.8em;display:inline-block}"
	".big{font-size:2em}.blocks{overflow-x:auto;padding:1em 0}"
	".series{display:flex;align-items:center;flex-wrap:nowrap}"
	".series>*+*{margin-left:1.1em;position:relative}"
	".series>*+*::before{content:'';position:absolute;left:-1.1em;width:1.1em;top:50%;"
	"border-top:1px solid #555}"
	".parallel{display:flex;flex-direction:column;border-left:2px solid #555;"
	"border-right:2px solid #555;padding:.3em .8em}.parallel>*{margin:.25em 0}"
	".needed{font-size:.8em;color:#555;text-align:center}"
	".block{border:1px solid #333;border-radius:3px;padding:.2em .5em;background:#eef3fa;"
	"white-space:nowrap;text-align:center}.shared{background:#fbe9c7}.out{background:#f3b4b4}"
	".note{color:#555}";

struct page {
	FILE *out;
	const struct avail_model *model;
	const json_t *answer;
	uint32_t *uses; /* how often each event is drawn */
	unsigned blocks;
	bool counting; /* the first pass only counts uses */
};

static void put_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

static double number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (json_is_string(value))
		return INFINITY;
	return json_is_number(value) ? json_number_value(value) : NAN;
}

static const char *word(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void put_row(FILE *out, const char *name, const char *format, ...) printf_like(3, 4);
static void put_row(FILE *out, const char *name, const char *format, ...)
{
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	fprintf(out, "<tr><td>%s</td><td>", name);
	put_text(out, text);
	fputs("</td></tr>\n", out);
}

static void put_figures(const struct page *page)
{
	const json_t *a = page->answer, *mission = json_object_get(a, "mission");
	bool exact = json_is_true(json_object_get(a, "exact"));
	char text[AVAIL_TIME_SIZE];

	fprintf(page->out, "<p><span class=big>%s</span> out a year</p>\n<table>\n",
		avail_time_text(number(a, "minutes_a_year") / 60, text));
	put_row(page->out, "Unavailability", "%.10g", number(a, "unavailability"));
	if (!exact)
		put_row(page->out, "between", "%.6g and %.6g", number(a, "unavailability_lower"),
			number(a, "unavailability_upper"));
	put_row(page->out, "Nines", "%.3f", number(a, "nines"));
	if (number(a, "frequency_per_h") > 0) {
		put_row(page->out, "An outage every", "%s",
			avail_time_text(number(a, "mtbf_h"), text));
		put_row(page->out, "Mean length", "%s", avail_time_text(number(a, "mttr_h"), text));
	}
	if (mission)
		put_row(page->out, "No outage in", "%s: %.6g",
			avail_time_text(number(mission, "time_h"), text),
			number(mission, "reliability"));
	put_row(page->out, "Method", "%s%s", word(a, "method"), exact ? ", exact" : "");
	put_row(page->out, "Minimal cut sets", "%s", word(json_object_get(a, "cut_sets"), "count"));
	fputs("</table>\n", page->out);
}

static void put_costs(const struct page *page)
{
	const json_t *rows = json_object_get(page->answer, "frus");
	bool frus = json_array_size(rows) > 0;
	double most;

	if (!frus)
		rows = json_object_get(page->answer, "importance");
	if (json_array_size(rows) == 0)
		return;
	most = number(json_array_get(rows, 0), "minutes_a_year");
	fprintf(page->out,
		"<h2>What costs most</h2>\n<table>\n<tr><th>%s</th><th class=n>minutes a "
		"year</th><th></th></tr>\n",
		frus ? "unit" : "event");
	for (size_t i = 0; i < json_array_size(rows) && i < ROWS; i++) {
		const json_t *row = json_array_get(rows, i);
		double minutes = number(row, "minutes_a_year");

		fputs("<tr><td>", page->out);
		if (frus) {
			put_text(page->out, word(row, "kind"));
			fputc(' ', page->out);
		}
		put_text(page->out, word(row, frus ? "fru" : "event"));
		fprintf(page->out,
			"</td><td class=n>%.4g</td><td><span class=bar "
			"style=\"width:%.1fem\"></span>"
			"</td></tr>\n",
			minutes, most > 0 ? 20 * minutes / most : 0);
	}
	fputs("</table>\n", page->out);
}

static void put_sets(const struct page *page)
{
	const json_t *list = json_object_get(json_object_get(page->answer, "cut_sets"), "list");

	if (json_array_size(list) == 0)
		return;
	fputs("<h2>Cut sets: what must fail together</h2>\n<table>\n<tr><th "
	      "class=n>probability</th>"
	      "<th>events</th></tr>\n",
	      page->out);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *set = json_array_get(list, i),
			     *events = json_object_get(set, "events");

		fprintf(page->out, "<tr><td class=n>%.4g</td><td>", number(set, "probability"));
		for (size_t e = 0; e < json_array_size(events); e++) {
			fputs(e ? ", " : "", page->out);
			put_text(page->out, json_string_value(json_array_get(events, e)));
		}
		fputs("</td></tr>\n", page->out);
	}
	fputs("</table>\n", page->out);
}

static void put_block(struct page *page, const char *text, const char *class)
{
	if (page->counting)
		return;
	fprintf(page->out, "<div class=\"block%s\">", class);
	put_text(page->out, text);
	fputs("</div>", page->out);
}

static void put_term(struct page *page, const struct avail_term *term, unsigned depth);

static void put_children(struct page *page, const struct avail_gate *gate, const char *class,
			 unsigned depth)
{
	if (!page->counting)
		fprintf(page->out, "<div class=%s>", class);
	for (uint32_t i = 0; i < gate->count; i++)
		put_term(page, &page->model->terms[gate->first + i], depth + 1);
	if (!page->counting && gate->kind == AVAIL_FORMULA_AT_LEAST && gate->low < gate->count)
		fprintf(page->out, "<div class=needed>%u of %u needed</div>",
			gate->count - gate->low + 1, gate->count);
	if (!page->counting)
		fputs("</div>", page->out);
}

/* What fails when any does stands in series; what fails when all do, in parallel. */
static void put_gate(struct page *page, uint32_t index, unsigned depth)
{
	const struct avail_gate *gate = &page->model->gates[index];

	switch (gate->kind) {
	case AVAIL_FORMULA_PASS:
		put_term(page, &page->model->terms[gate->first], depth + 1);
		break;
	case AVAIL_FORMULA_OR:
		put_children(page, gate, "series", depth);
		break;
	case AVAIL_FORMULA_AND:
	case AVAIL_FORMULA_AT_LEAST:
		put_children(page, gate,
			     gate->low == 1 && gate->kind == AVAIL_FORMULA_AT_LEAST ? "series"
										    : "parallel",
			     depth);
		break;
	default:
		put_block(page, gate->name ? gate->name : avail_formula_of(gate->kind).word, "");
	}
}

static void put_event(struct page *page, const struct avail_term *term)
{
	const struct avail_event *event = &page->model->events[term->index];

	if (page->counting)
		page->uses[term->index]++;
	put_block(page, event->name,
		  event->law == AVAIL_LAW_HOUSE && event->house ? " out"
		  : page->uses[term->index] > 1			? " shared"
								: "");
}

static void put_term(struct page *page, const struct avail_term *term, unsigned depth)
{
	if (++page->blocks > BLOCKS_MAX || depth > DEPTH_MAX || term->negated) {
		put_block(page, term->negated ? "(a negation)" : "\xe2\x80\xa6", "");
		return;
	}
	switch (term->kind) {
	case AVAIL_TERM_EVENT:
		put_event(page, term);
		break;
	case AVAIL_TERM_GATE:
		put_gate(page, term->index, depth);
		break;
	case AVAIL_TERM_CONSTANT:
		put_block(page, term->index ? "always out" : "never out", "");
		break;
	}
}

static void put_blocks(struct page *page, const struct avail_term *down)
{
	page->counting = true;
	put_term(page, down, 0);
	page->counting = false;
	page->blocks = 0;
	fputs("<h2>Reliability blocks</h2>\n<p class=note>Service is there while a way leads from "
	      "left to "
	      "right. What stands in several places is one unit, in another colour.</p>\n"
	      "<div class=blocks><div class=series>",
	      page->out);
	put_term(page, down, 0);
	fputs("</div></div>\n", page->out);
	if (page->blocks > BLOCKS_MAX)
		fprintf(page->out,
			"<p class=note>Only the first %d blocks are drawn; --dot has all.</p>\n",
			BLOCKS_MAX);
}

static void put_notes(const struct page *page)
{
	const json_t *notes = json_object_get(page->answer, "notes");

	if (json_array_size(notes) == 0)
		return;
	fputs("<h2>To be known</h2>\n<ul>\n", page->out);
	for (size_t i = 0; i < json_array_size(notes); i++) {
		fputs("<li>", page->out);
		put_text(page->out, json_string_value(json_array_get(notes, i)));
		fputs("</li>\n", page->out);
	}
	fputs("</ul>\n", page->out);
}

int avail_html_write(FILE *out, const struct avail_picture *picture)
{
	struct page page = { .out = out, .model = picture->model, .answer = picture->answer };

	page.uses = calloc(picture->model->event_count + 1, sizeof *page.uses);
	if (!page.uses)
		return -ENOMEM;
	fputs("<!DOCTYPE html>\n<html lang=en>\n<head><meta charset=utf-8><title>Availability of ",
	      out);
	put_text(out, picture->top.name);
	fprintf(out, "</title><style>%s</style></head>\n<body>\n<h1>Availability of ", style);
	put_text(out, picture->top.name);
	fputs("</h1>\n", out);
	put_figures(&page);
	put_costs(&page);
	put_sets(&page);
	put_blocks(&page, &picture->top.down);
	put_notes(&page);
	fputs("</body>\n</html>\n", out);
	free(page.uses);
	return ferror(out) ? -EIO : 0;
}
