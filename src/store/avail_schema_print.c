/* The reference page of the hand-written availability model, made of the rows. */
#include "store/avail_file.h"
#include "store/avail_schema.h"

static const char intro[] =
	"# The availability model file\n\n"
	"A model written by hand in YAML, for a design that does not exist yet, or one that no "
	"site file\n"
	"describes. `examples/avail/` has files to begin from.\n\n"
	"- Every key is listed below; an unknown key, a key given twice and a value out of range "
	"are\n"
	"  refused, each as `FILE:LINE: PATH: what is wrong; what is allowed` (at most 50). First "
	"come those of\n"
	"  keys and values; when there are none, those between them: names that lead nowhere, "
	"cycles\n"
	"  (written out: `a -> b -> a`), numbers that do not fit together.\n"
	"- Units, events, house events, blocks, gates and standby groups share one space of names: "
	"wherever\n"
	"  one of them is asked for, all will do. Things may be named before they are described.\n"
	"- Something that is *true* is down. Blocks say what must work, gates what must be down; "
	"both may\n"
	"  be mixed.\n"
	"- Times have one of `ms`, `s`, `min`, `h`, `d` (24 h), `y` (8760 h). Rates are failures "
	"in a time: `250 FIT`\n"
	"  (in 10^9 h), `1e-4/h`, `2/y`. Probabilities are numbers or percentages.\n"
	"- A value may be the name of a parameter, which may have a distribution; the same "
	"parameter in\n"
	"  several places is the same unknown in all of them.\n"
	"- Aliases (`*name`), tags (`!name`) and further documents are not used; the file has at "
	"most 4 MiB.\n\n"
	"This page is made from the table that the reader of the file works with\n"
	"(`src/store/avail_schema.c`); a test compares the two.\n";

static void print_default(const struct avail_row *row, FILE *out)
{
	if (row->need == AVAIL_SAID_MANDATORY)
		fputs("**mandatory**", out);
	else if (row->preset)
		fprintf(out, "`%s`", row->preset);
	else
		fputs(row->absent ? row->absent : "none", out);
}

static void print_row(const struct avail_row *row, FILE *out)
{
	char allows[256];

	avail_row_allows(row, allows, sizeof allows);
	fprintf(out, "| `%s` | %s | ", row->key, allows);
	print_default(row, out);
	fprintf(out, " | %s", row->help);
	if (row->type == AVAIL_SAID_SECTION) {
		const struct avail_section_rows *section = &avail_sections[row->section];

		fprintf(out, " See [%s](#", section->key);
		for (const char *c = section->name; *c; c++)
			fputc(*c == ' ' ? '-' : *c, out);
		fputs(").", out);
	}
	fputs(" |\n", out);
}

void avail_schema_print(FILE *out)
{
	fputs(intro, out);
	for (unsigned s = 0; s < AVAIL_SAID_SECTION_COUNT; s++) {
		const struct avail_section_rows *section = &avail_sections[s];

		fprintf(out, "\n## %s\n\nPath: %s. %s\n\n", section->name, section->key,
			section->help);
		fputs("| key | allowed | default | meaning |\n| --- | --- | --- | --- |\n", out);
		for (unsigned r = 0; r < section->row_count; r++)
			print_row(&section->rows[r], out);
	}
}
