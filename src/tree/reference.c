/* tree/reference.c -- prints the reference table of docs/tree.md; a test compares the two. */
#include "tree/tree.h"

#include <stdio.h>

static void print_rows(const struct tree_property *table, const char *prefix)
{
	for (const struct tree_property *p = table; p->name; p++) {
		printf("| `%s%s` | %s | %s | %s | %s | %s |\n", prefix, p->name,
		       tree_type_word[p->type], tree_unit_word[p->unit],
		       tree_access_word[p->access], p->place == TREE_LISTED ? "yes" : "",
		       p->text);
		if (p->columns) {
			char inner[64];

			snprintf(inner, sizeof inner, "%s[].", p->name);
			print_rows(p->columns, inner);
		}
	}
}

static void print_table(const char *title, const char *text, const struct tree_property *table)
{
	printf("\n### %s\n\n%s.\n\n", title, text);
	printf("| property | type | unit | access | in lists | meaning |\n");
	printf("| --- | --- | --- | --- | --- | --- |\n");
	print_rows(table, "");
}

int main(void)
{
	for (unsigned noun = 0; noun < TREE_NOUN_COUNT; noun++)
		print_table(tree_noun_word[noun], tree_noun_text[noun], tree_properties[noun]);
	print_table("fdb", "a row of `card fdb`: an address and where it is", tree_fdb_columns);
	return 0;
}
