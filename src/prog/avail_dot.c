/* The tree below a top, as Graphviz reads it: gates as boxes with their formula, events as
 * ellipses. */
#include "prog/avail_picture.h"

#include <errno.h>
#include <stdlib.h>

/* Which gates and events are drawn; a graph has each once. */
struct drawing {
	FILE *out;
	const struct avail_model *model;
	uint8_t *gates, *events;
	uint32_t *stack; /* gates that are still to be drawn */
	uint32_t depth;
};

/* A name within double quotes. */
static void put_quoted(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		if ((unsigned char)*text >= ' ')
			fputc(*text, out);
	}
}

static void put_formula(FILE *out, const struct avail_gate *gate)
{
	struct avail_formula formula = avail_formula_of(gate->kind);

	fputs(formula.word, out);
	if (gate->kind == AVAIL_FORMULA_AT_LEAST)
		fprintf(out, " %u of %u", gate->low, gate->count);
	if (gate->kind == AVAIL_FORMULA_CARDINALITY)
		fprintf(out, " %u to %u of %u", gate->low, gate->high, gate->count);
}

static void want_gate(struct drawing *d, uint32_t gate)
{
	if (d->gates[gate])
		return;
	d->gates[gate] = 1;
	d->stack[d->depth++] = gate;
}

static void draw_event(struct drawing *d, uint32_t index)
{
	const struct avail_event *event = &d->model->events[index];

	if (d->events[index])
		return;
	d->events[index] = 1;
	fprintf(d->out, "  e%u [shape=ellipse, label=\"", index);
	put_quoted(d->out, event->name);
	if (event->law == AVAIL_LAW_HOUSE)
		fputs(event->house ? "\\n(is out)" : "\\n(never fails)", d->out);
	fputs("\"];\n", d->out);
}

static void draw_term(struct drawing *d, const char *from, uint32_t index,
		      const struct avail_term *term)
{
	const char *style = term->negated ? " [arrowhead=odot]" : "";

	switch (term->kind) {
	case AVAIL_TERM_GATE:
		want_gate(d, term->index);
		fprintf(d->out, "  %s%u -> g%u%s;\n", from, index, term->index, style);
		break;
	case AVAIL_TERM_EVENT:
		draw_event(d, term->index);
		fprintf(d->out, "  %s%u -> e%u%s;\n", from, index, term->index, style);
		break;
	case AVAIL_TERM_CONSTANT:
		fprintf(d->out, "  %s%u -> constant%u%s;\n", from, index, term->index, style);
		break;
	}
}

static void draw_gate(struct drawing *d, uint32_t index)
{
	const struct avail_gate *gate = &d->model->gates[index];

	fprintf(d->out, "  g%u [shape=box, label=\"", index);
	if (gate->name) {
		put_quoted(d->out, gate->name);
		fputs("\\n", d->out);
	}
	put_formula(d->out, gate);
	fputs("\"];\n", d->out);
	for (uint32_t i = 0; i < gate->count; i++)
		draw_term(d, "g", index, &d->model->terms[gate->first + i]);
}

int avail_dot_write(FILE *out, const struct avail_picture *picture)
{
	const struct avail_model *model = picture->model;
	struct drawing d = { .out = out, .model = model };
	int err = -ENOMEM;

	d.gates = calloc(model->gate_count + 1, sizeof *d.gates);
	d.events = calloc(model->event_count + 1, sizeof *d.events);
	d.stack = calloc(model->gate_count + 1, sizeof *d.stack);
	if (d.gates && d.events && d.stack) {
		fputs("digraph availability {\n  rankdir=TB;\n  node [fontname=\"sans-serif\"];\n"
		      "  top0 [shape=plaintext, label=\"",
		      out);
		put_quoted(out, picture->top.name);
		fputs("\"];\n", out);
		draw_term(&d, "top", 0, &picture->top.down);
		while (d.depth > 0)
			draw_gate(&d, d.stack[--d.depth]);
		fputs("}\n", out);
		err = ferror(out) ? -EIO : 0;
	}
	free(d.gates);
	free(d.events);
	free(d.stack);
	return err;
}
