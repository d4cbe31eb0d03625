/* The reference page of the site file, made of the rows. */
#include "store/site_schema.h"

static const char intro[] =
	"# The site file\n\n"
	"One YAML file describes a site: `midplaned SITE.yaml` runs it, `midplane site check SITE.yaml`\n"
	"says what is wrong with it without starting anything. `examples/` has files to begin from.\n\n"
	"- Every key is listed below; an unknown key, a key given twice and a value out of range are\n"
	"  refused. All mistakes are reported at once (at most 50), each as\n"
	"  `FILE:LINE: PATH: what is wrong; what is allowed`. First come those of keys and values; when there\n"
	"  are none, those between them: names that lead nowhere, pools with too few functions, groups\n"
	"  that cannot be spread as asked.\n"
	"- Names are unique within their kind in the site; an interface's within its system.\n"
	"- Rates are bits per second, plain or with a unit: `64000`, `100Mbit`, `2.5Gbit`. Packet rates are\n"
	"  plain or with `k`, `M`, `G`. Prefixes count in thousands.\n"
	"- Sizes are bytes, plain or with a unit: `64MiB`, `10GiB` (1024 and its powers), `500G` (thousands).\n"
	"- Times have a unit, `ms`, `s`, `min`, `h`, `d` (24 h) or `y` (8760 h), and shares are plain or in `%`:\n"
	"  `250000h`, `50ms`, `0.99`, `99%`.\n"
	"- Booleans are `true`, `false`, `yes`, `no`, `on` or `off`.\n"
	"- Aliases (`*name`), tags (`!name`) and further documents are not used; the file has at most 4 MiB.\n"
	"- At most 4096 cards and 4096 interfaces; a host reaches at most 64 cards, and\n"
	"  one daemon drives at most 32 line ports.\n\n"
	"This page is made from the table that the reader of the file works with\n"
	"(`src/store/site_schema.c`); a test compares the two.\n";

static void print_default(const struct site_row *row, FILE *out)
{
	if (row->need == SITE_MANDATORY)
		fputs("**mandatory**", out);
	else if (row->preset)
		fprintf(out, "`%s`", row->preset);
	else if (row->absent)
		fputs(row->absent, out);
	else
		fputs("empty", out);
}

static void print_row(const struct site_row *row, FILE *out)
{
	char allows[192];

	site_row_allows(row, allows, sizeof allows);
	fprintf(out, "| `%s` | %s | %s | ", row->key, allows, row->unit ? row->unit : "");
	print_default(row, out);
	fprintf(out, " | %s", row->help);
	if (row->type == SITE_TYPE_SECTION)
		fprintf(out, " See [%s](#%s).", site_sections[row->section].key,
			site_sections[row->section].name);
	fputs(" |\n", out);
}

void site_schema_print(FILE *out)
{
	fputs(intro, out);
	for (unsigned s = 0; s < SITE_SECTION_COUNT; s++) {
		const struct site_section_rows *section = &site_sections[s];

		fprintf(out, "\n## %s\n\nPath: %s. %s\n\n", section->name, section->key, section->help);
		fputs("| key | allowed | unit | default | meaning |\n| --- | --- | --- | --- | --- |\n",
		      out);
		for (unsigned r = 0; r < section->row_count; r++)
			print_row(&section->rows[r], out);
	}
}
