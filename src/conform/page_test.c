/* The page that lists all assertions, and what other pages say of their number. */
#include "conform/broken.h"
#include "conform/conform.h"
#include "tests/page.h"

#include <stdio.h>
#include <stdlib.h>

#define ROOT MIDPLANE_SOURCE_ROOT

/* Letters before the point. */
static int subject_size(const char *name)
{
	return (int)strcspn(name, ".");
}

static unsigned defects_of(const char *name)
{
	const struct defect *defects;
	unsigned count = broken_defects(&defects), found = 0;

	for (unsigned i = 0; i < count; i++)
		found += strcmp(defects[i].assertion, name) == 0;
	return found;
}

static void print_page(FILE *out)
{
	const struct conform_assertion *const *all;
	unsigned count = conform_assertions(&all);

	fprintf(out,
		"# Assertions of `midplane conform`\n"
		"\n"
		"All %u, in the order of a run. Sections are those of PCI Express Base Specification "
		"5.0. *writes*: judged\n"
		"with `--destructive` alone; of the others, what must write is left out without it. "
		"*broken*: functions with\n"
		"one defect that tests have, in which the assertion has to fail. A test writes this page\n"
		"(`MIDPLANE_UPDATE=1 build/tests/conform_page_test`), and checks it.\n",
		count);
	for (unsigned i = 0; i < count; i++) {
		const struct conform_assertion *a = all[i];

		if (i == 0 || subject_size(all[i - 1]->name) != subject_size(a->name) ||
		    memcmp(all[i - 1]->name, a->name, (size_t)subject_size(a->name)) != 0)
			fprintf(out,
				"\n## %.*s\n\n"
				"| assertion | section | rule | writes | broken |\n"
				"| --- | --- | --- | --- | --- |\n",
				subject_size(a->name), a->name);
		fprintf(out, "| `%s` | %s | %s | %s | %u |\n", a->name, a->section, a->text,
			a->destructive ? "yes" : "", defects_of(a->name));
	}
}

static void the_page_of_assertions_is_up_to_date(void **state)
{
	(void)state;
	page_is_up_to_date(ROOT "/docs/conform-assertions.md", print_page);
}

static void other_pages_say_how_many_assertions_there_are(void **state)
{
	static const char *const paths[] = { ROOT "/README.md", ROOT "/docs/conform.md",
					     ROOT "/man/midplane.1" };
	const struct conform_assertion *const *all;
	char number[32];

	(void)state;
	snprintf(number, sizeof(number), "%u assertions", conform_assertions(&all));
	for (unsigned i = 0; i < array_len(paths); i++) {
		char *text = page_text(paths[i]);

		if (!strstr(text, number))
			print_message("%s does not say '%s'\n", paths[i], number);
		assert_non_null(strstr(text, number));
		free(text);
	}
}

/* A name is a subject and a noun, a section begins with a chapter, a rule is one sentence without its full stop. */
static void every_assertion_is_well_formed(void **state)
{
	const struct conform_assertion *const *all;
	unsigned count = conform_assertions(&all);

	(void)state;
	for (unsigned i = 0; i < count; i++) {
		const struct conform_assertion *a = all[i];

		assert_true(subject_size(a->name) > 1 && a->name[subject_size(a->name) + 1]);
		assert_true(strlen(a->name) <= 26);
		assert_true(a->section[0] >= '1' && a->section[0] <= '9' && strchr(a->section, '.'));
		assert_true(a->text[0] >= 'A' && a->text[0] <= 'Z' && strlen(a->text) < 100);
		assert_true(a->text[strlen(a->text) - 1] != '.' && !strchr(a->text, '|'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_of_assertions_is_up_to_date),
		cmocka_unit_test(other_pages_say_how_many_assertions_there_are),
		cmocka_unit_test(every_assertion_is_well_formed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
