#include "prog/avail_page.h"

#include "base/base.h"

#include <math.h>
#include <string.h>

enum { BAR = 32, ROWS = 12 };

const char *avail_time_text(double hours, char text[AVAIL_TIME_SIZE])
{
	static const struct {
		double hours;
		const char *unit;
	} units[] = {
		{ 8760, "years" },   { 48, "days" },	  { 1, "h" },
		{ 1.0 / 60, "min" }, { 1.0 / 3600, "s" }, { 1.0 / 3600e3, "ms" },
	};
	unsigned i = 0;

	if (!isfinite(hours)) {
		snprintf(text, AVAIL_TIME_SIZE, hours > 0 ? "for ever" : "-");
		return text;
	}
	while (i + 1 < sizeof units / sizeof *units && hours < units[i].hours)
		i++;
	snprintf(text, AVAIL_TIME_SIZE, "%.4g %s",
		 strcmp(units[i].unit, "days") == 0 ? hours / 24 : hours / units[i].hours,
		 units[i].unit);
	return text;
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

static void print_figure(FILE *out, const json_t *answer)
{
	double u = number(answer, "unavailability"), minutes = number(answer, "minutes_a_year");
	bool exact = json_is_true(json_object_get(answer, "exact"));
	char text[AVAIL_TIME_SIZE], every[AVAIL_TIME_SIZE];

	fprintf(out, "%s: out %s a year, unavailability %.6g (%.2f nines)\n", word(answer, "top"),
		avail_time_text(minutes / 60, text), u, number(answer, "nines"));
	if (exact)
		fprintf(out, "  exact, by %s\n", word(answer, "method"));
	else
		fprintf(out, "  between %.6g and %.6g: %s\n",
			number(answer, "unavailability_lower"),
			number(answer, "unavailability_upper"), word(answer, "method"));
	if (number(answer, "frequency_per_h") > 0)
		fprintf(out, "  an outage every %s, of %s on average\n",
			avail_time_text(number(answer, "mtbf_h"), every),
			avail_time_text(number(answer, "mttr_h"), text));
}

static void print_mission(FILE *out, const json_t *answer)
{
	const json_t *mission = json_object_get(answer, "mission");
	const json_t *sequence = json_object_get(answer, "sequence");
	char text[AVAIL_TIME_SIZE];

	if (mission)
		fprintf(out, "  no outage in %s with probability %.6g%s\n",
			avail_time_text(number(mission, "time_h"), text),
			number(mission, "reliability"),
			strcmp(word(mission, "quality"), "exact") == 0 ? "" : " (approximation)");
	if (sequence)
		fprintf(out, "  sequence %s after %s: frequency %.6g\n", word(sequence, "name"),
			word(sequence, "initiating_event"), number(sequence, "frequency"));
}

static void print_bar(FILE *out, const char *name, double value, double most)
{
	int length = most > 0 ? (int)lround(BAR * value / most) : 0;

	fprintf(out, "  %-32.60s %10.4g  ", name, value);
	for (int i = 0; i < length; i++)
		fputc('#', out);
	fputc('\n', out);
}

/* What costs most: units where the model has them, else events. */
static void print_costs(FILE *out, const json_t *answer)
{
	const json_t *rows = json_object_get(answer, "frus");
	bool frus = json_array_size(rows) > 0;
	double most;
	size_t count;

	if (!frus)
		rows = json_object_get(answer, "importance");
	count = json_array_size(rows);
	if (count == 0)
		return;
	most = number(json_array_get(rows, 0), "minutes_a_year");
	fprintf(out, "\nWhat costs most, minutes a year of %.4g (shared outages count for each)\n",
		number(answer, "minutes_a_year"));
	for (size_t i = 0; i < count && i < ROWS; i++) {
		const json_t *row = json_array_get(rows, i);
		char name[128];

		if (frus)
			snprintf(name, sizeof name, "%s %s", word(row, "kind"), word(row, "fru"));
		else
			snprintf(name, sizeof name, "%s", word(row, "event"));
		print_bar(out, name, number(row, "minutes_a_year"), most);
	}
	if (count > ROWS)
		fprintf(out, "  and %zu more, of at most %.4g\n", count - ROWS,
			number(json_array_get(rows, ROWS), "minutes_a_year"));
}

/* "card nic0 and carrier amc1"; one set a line. */
static void print_set(FILE *out, const json_t *set)
{
	const json_t *events = json_object_get(set, "events");
	size_t count = json_array_size(events);

	fprintf(out, "  %10.4g  ", number(set, "probability"));
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%s",
			i == 0		 ? ""
			: i + 1 == count ? " and "
					 : ", ",
			json_string_value(json_array_get(events, i)));
	fputs(count ? "\n" : "nothing: it is always out\n", out);
}

static void print_sets(FILE *out, const json_t *answer, const char *key, const char *title)
{
	const json_t *sets = json_object_get(answer, key);
	const json_t *orders = json_object_get(sets, "by_order");
	const json_t *list = json_object_get(sets, "list");

	if (!json_is_string(json_object_get(sets, "count")))
		return;
	fprintf(out, "\n%s: %s;", title, word(sets, "count"));
	for (size_t i = 0; i < json_array_size(orders); i++)
		if (strcmp(json_string_value(json_array_get(orders, i)), "0") != 0)
			fprintf(out, " %s of order %zu,",
				json_string_value(json_array_get(orders, i)), i + 1);
	fprintf(out, " the first %zu:\n", json_array_size(list));
	for (size_t i = 0; i < json_array_size(list); i++)
		print_set(out, json_array_get(list, i));
}

static void print_capacity(FILE *out, const json_t *answer)
{
	const json_t *tables = json_object_get(answer, "capacity");

	for (size_t t = 0; t < json_array_size(tables); t++) {
		const json_t *table = json_array_get(tables, t),
			     *rows = json_object_get(table, "levels");
		char text[AVAIL_TIME_SIZE];

		fprintf(out, "\nCapacity of %s, %s (expected %.6g of %.6g)\n", word(table, "name"),
			word(table, "unit"), number(table, "expected"), number(table, "total"));
		for (size_t i = 0; i < json_array_size(rows) && i < ROWS; i++) {
			const json_t *row = json_array_get(rows, i);

			fprintf(out, "  %12.6g  with probability %.6g, %s a year\n",
				number(row, "delivered"), number(row, "probability"),
				avail_time_text(number(row, "probability") * 8760, text));
		}
	}
}

static void print_modules(FILE *out, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "modules");

	if (json_array_size(list))
		fputs("\nBy Markov chains\n", out);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *m = json_array_get(list, i);

		fprintf(out, "  %s: %.0f events, %.0f states, %s\n", word(m, "name"),
			number(m, "events"), number(m, "states"), word(m, "result"));
	}
}

static void print_checks(FILE *out, const json_t *answer)
{
	const json_t *simulation = json_object_get(answer, "simulation");
	const json_t *spread = json_object_get(answer, "uncertainty");
	const json_t *notes = json_object_get(answer, "notes");

	if (simulation) {
		const json_t *u = json_object_get(simulation, "unavailability");

		fprintf(out,
			"\nSimulation: %.0f histories, unavailability %.6g, 95 %% between %.6g and "
			"%.6g\n",
			number(simulation, "replications"), number(u, "value"), number(u, "lower"),
			number(u, "upper"));
	}
	if (spread)
		fprintf(out,
			"\nParameters: of %.0f draws, 5 %% are below %.6g, half below %.6g, 95 %% "
			"below %.6g; mean %.6g\n",
			number(spread, "draws"), number(spread, "p05"), number(spread, "p50"),
			number(spread, "p95"), number(spread, "mean"));
	if (json_array_size(notes))
		fputs("\nTo be known\n", out);
	for (size_t i = 0; i < json_array_size(notes); i++)
		fprintf(out, "  %s\n", json_string_value(json_array_get(notes, i)));
}

/* What --what-if and --improve found. */
static void print_changes(FILE *out, const json_t *list, const char *title)
{
	char text[AVAIL_TIME_SIZE];

	if (json_array_size(list) == 0)
		return;
	fprintf(out, "\n%s\n", title);
	for (size_t i = 0; i < json_array_size(list) && i < ROWS; i++) {
		const json_t *row = json_array_get(list, i);
		double saved = number(row, "saves_minutes_a_year");

		fprintf(out, "  %-44s unavailability %.6g, %s %s a year", word(row, "change"),
			number(row, "unavailability"), saved < 0 ? "costs" : "saves",
			avail_time_text(fabs(saved) / 60, text));
		if (number(row, "cost") > 0)
			fprintf(out, ", for %.0f", number(row, "cost"));
		if (strcmp(word(row, "method"), "exact") != 0)
			fprintf(out, " (%s)", word(row, "method"));
		fputc('\n', out);
	}
}

static void print_comparisons(FILE *out, const json_t *answer)
{
	const json_t *found = json_object_get(answer, "improvements");

	print_changes(out, json_object_get(answer, "what_if"), "With changes, one after the other");
	if (!found)
		return;
	print_changes(out, json_object_get(found, "list"), "What would help, cheapest first");
	fprintf(out, "  %.0f changes of %.0f tried, %.0f of them help\n", number(found, "tried"),
		number(found, "candidates"), number(found, "helpful"));
}

void avail_page_print(FILE *out, const json_t *answer)
{
	print_figure(out, answer);
	print_mission(out, answer);
	print_costs(out, answer);
	print_sets(out, answer, "cut_sets", "Minimal cut sets");
	print_sets(out, answer, "prime_implicants", "Prime implicants");
	print_capacity(out, answer);
	print_modules(out, answer);
	print_comparisons(out, answer);
	print_checks(out, answer);
}
