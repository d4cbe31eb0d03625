#include "tree/tree.h"
#include "tests/check.h"

#include <ctype.h>

static void check_table(const struct tree_property *table, const char *where)
{
	for (const struct tree_property *p = table; p->name; p++) {
		if (!p->text || !p->text[0] || p->text[strlen(p->text) - 1] == '.')
			fail_msg("%s.%s: wants a sentence without its full stop", where, p->name);
		for (const char *c = p->name; *c; c++)
			if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_')
				fail_msg("%s.%s: not snake_case", where, p->name);
		for (const struct tree_property *q = table; q < p; q++)
			if (strcmp(p->name, q->name) == 0)
				fail_msg("%s.%s: there twice", where, p->name);
		if ((p->type == TREE_ROWS) != (p->columns != NULL))
			fail_msg("%s.%s: rows and only rows have columns", where, p->name);
		if (p->columns)
			check_table(p->columns, p->name);
	}
}

static void test_every_noun_has_a_table_of_distinct_described_properties(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TREE_NOUN_COUNT; i++) {
		assert_non_null(tree_properties[i]);
		assert_string_equal(tree_properties[i][0].name, "name");
		check_table(tree_properties[i], tree_noun_word[i]);
		assert_int_equal(tree_noun_find(tree_noun_word[i]), i);
	}
	check_table(tree_fdb_columns, "fdb");
	assert_int_equal(tree_noun_find("blade"), TREE_NOUN_COUNT);
}

static void test_properties_with_a_unit_end_in_it(void **state)
{
	static const struct {
		enum tree_unit unit;
		const char *end;
	} ends[] = {
		{ TREE_UNIT_BPS, "_bps" },   { TREE_UNIT_PPS, "_pps" }, { TREE_UNIT_MBPS, "_mbps" },
		{ TREE_UNIT_US, "_us" },     { TREE_UNIT_NS, "_ns" },   { TREE_UNIT_S, "_s" },
	};

	(void)state;
	for (unsigned noun = 0; noun < TREE_NOUN_COUNT; noun++)
		for (const struct tree_property *p = tree_properties[noun]; p->name; p++)
			for (unsigned i = 0; i < array_len(ends); i++)
				if (p->unit == ends[i].unit)
					assert_string_equal(p->name + strlen(p->name) -
								    strlen(ends[i].end),
							    ends[i].end);
}

/* A provider of two cards with one value, and a view that writes what it receives. */
static unsigned fake_count(void *owner, enum tree_noun noun)
{
	return noun == TREE_CARD ? *(unsigned *)owner : 0;
}

static void fake_name(void *owner, enum tree_noun noun, unsigned index, char name[TREE_NAME_MAX])
{
	(void)owner, (void)noun;
	snprintf(name, TREE_NAME_MAX, "nic%u", index);
}

static void fake_describe(void *owner, enum tree_noun noun, unsigned index, struct tree_out *out)
{
	(void)owner, (void)noun;
	tree_put_integer(out, "vfs", index);
	tree_put_boolean(out, "line_up", true);
	tree_put_rows(out, "drops");
	tree_row_begin(out, "drops");
	tree_put_text(out, "reason", "full");
	tree_row_end(out);
}

static const struct tree_provider_ops fake_ops = { fake_count, fake_name, fake_describe };

struct log_view {
	struct tree_out out;
	char text[512];
};

static void note(struct tree_out *out, const char *format, const char *a)
{
	struct log_view *view = container_of(out, struct log_view, out);
	size_t used = strlen(view->text);

	snprintf(view->text + used, sizeof view->text - used, format, a);
}

static void on_put(struct tree_out *out, const struct tree_property *p, const struct tree_value *v)
{
	char text[64];

	if (v->type == TREE_TEXT)
		snprintf(text, sizeof text, "%s=%s ", p->name, v->text);
	else
		snprintf(text, sizeof text, "%s=%u ", p->name,
			 v->type == TREE_BOOLEAN ? v->boolean : (unsigned)v->integer);
	note(out, "%s", text);
}

static void on_row_begin(struct tree_out *out, const struct tree_property *p)
{
	note(out, "%s{", p->name);
}

static void on_row_end(struct tree_out *out, const struct tree_property *p)
{
	note(out, "}%s", "");
	(void)p;
}

static void on_empty(struct tree_out *out, const struct tree_property *p)
{
	note(out, "%s[] ", p->name);
}

static const struct tree_out_ops log_ops = { on_put, on_row_begin, on_row_end, on_empty };

static void test_a_description_begins_with_the_name(void **state)
{
	unsigned cards = 2;
	struct tree_provider provider = { &fake_ops, &cards };
	struct log_view view = { .out.ops = &log_ops };

	(void)state;
	tree_describe(&provider, TREE_CARD, 1, &view.out);
	assert_string_equal(view.text,
			    "name=nic1 vfs=1 line_up=1 drops[] drops{reason=full }");
	assert_int_equal(tree_object_find(&provider, TREE_CARD, "nic1"), 1);
	assert_int_equal(tree_object_find(&provider, TREE_CARD, "nic2"), -1);
}

static void test_what_is_missing_is_said_with_what_there_is(void **state)
{
	unsigned cards = 2;
	struct tree_provider provider = { &fake_ops, &cards };
	char text[128], little[12];

	(void)state;
	tree_say_missing(&provider, TREE_CARD, "nic9", text, sizeof text);
	assert_string_equal(text, "there is no card 'nic9'; the cards are: nic0, nic1");
	tree_say_missing(&provider, TREE_POOL, "p", text, sizeof text);
	assert_string_equal(text, "there is no pool 'p', nor any other");
	tree_say_missing(&provider, TREE_CARD, "nic9", little, sizeof little);
	assert_string_equal(little, "there is no");
	cards = 100;
	tree_say_missing(&provider, TREE_CARD, "x", text, sizeof text);
	assert_non_null(strstr(text, "nic11, and more"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_noun_has_a_table_of_distinct_described_properties),
		cmocka_unit_test(test_properties_with_a_unit_end_in_it),
		cmocka_unit_test(test_a_description_begins_with_the_name),
		cmocka_unit_test(test_what_is_missing_is_said_with_what_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
