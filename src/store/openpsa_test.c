/* Documents in the Open-PSA format: what they mean, and that every file of tests/openpsa/bad is
 * refused with the words of its first lines. */
#include "store/file_bytes.h"
#include "store/openpsa.h"
#include "tests/avail_reader.h"

#include <dirent.h>
#include <unistd.h>

#define ROOT MIDPLANE_SOURCE_ROOT
#define GOOD ROOT "/tests/openpsa/good/"

static int read_text(const char *text)
{
	struct avail_findings findings = { .report = keep };

	return openpsa_read("text", text, strlen(text), OPENPSA_ALONE, &model, &findings);
}

static int read_path(const char *path)
{
	struct avail_findings findings = { .report = keep };
	struct file_bytes file;
	int err = file_bytes_read(path, OPENPSA_SIZE_MAX, &file);

	assert_int_equal(err, 0);
	read_as = path;
	err = openpsa_read(path, file.bytes, file.size, OPENPSA_WITH_FILES, &model, &findings);
	file_bytes_free(&file);
	return err;
}

static void without_a_word(int err)
{
	if (err)
		print_error("%s", reported);
	assert_int_equal(err, 0);
	assert_string_equal(reported, "");
}

/* --- fault trees --- */

#define TREE(body) "<opsa-mef><define-fault-tree name='ft'>" body "</define-fault-tree></opsa-mef>"
#define EVENT(name, p) \
	"<define-basic-event name='" name "'><float value='" p "'/></define-basic-event>"
#define ABC  EVENT("a", "0.1") EVENT("b", "0.2") EVENT("c", "0.3")
#define AB_  "<basic-event name='a'/><basic-event name='b'/>"
#define ABC_ AB_ "<basic-event name='c'/>"

static const struct {
	const char *formula;
	double p;
} formulas[] = {
	{ "<and>" ABC_ "</and>", 0.006 },
	{ "<or>" ABC_ "</or>", 1 - 0.9 * 0.8 * 0.7 },
	{ "<not><basic-event name='a'/></not>", 0.9 },
	{ "<xor>" AB_ "</xor>", 0.1 * 0.8 + 0.9 * 0.2 },
	{ "<xor>" ABC_ "</xor>", 0.1 * 0.8 * 0.7 + 0.9 * 0.2 * 0.7 + 0.9 * 0.8 * 0.3 + 0.006 },
	{ "<iff>" AB_ "</iff>", 0.1 * 0.2 + 0.9 * 0.8 },
	{ "<nand>" ABC_ "</nand>", 0.994 },
	{ "<nor>" ABC_ "</nor>", 0.9 * 0.8 * 0.7 },
	{ "<imply>" AB_ "</imply>", 1 - 0.1 * 0.8 },
	{ "<atleast min='2'>" ABC_ "</atleast>",
	  0.1 * 0.2 * 0.7 + 0.1 * 0.8 * 0.3 + 0.9 * 0.2 * 0.3 + 0.006 },
	{ "<cardinality min='1' max='2'>" ABC_ "</cardinality>", 1 - 0.9 * 0.8 * 0.7 - 0.006 },
	{ "<constant value='true'/>", 1 },
	{ "<basic-event name='b'/>", 0.2 },
	{ "<event name='b'/>", 0.2 },
	{ "<event name='b' type='basic-event'/>", 0.2 },
	{ "<or><and>" AB_ "</and><not><or><basic-event name='c'/></or></not></or>",
	  1 - 0.98 * 0.3 },
};

static void test_each_connective_is_what_it_says(void **state)
{
	char text[1024];

	for (unsigned i = 0; i < array_len(formulas); i++) {
		snprintf(text, sizeof text, TREE("<define-gate name='g'>%s</define-gate>" ABC),
			 formulas[i].formula);
		without_a_word(read_text(text));
		near(probability(NULL), formulas[i].p, 1e-14);
		assert_int_equal(end(state), 0);
		begin(state);
	}
}

static void test_a_house_event_is_false_unless_it_says_otherwise(void **state)
{
	static const char text[] =
		TREE("<define-gate name='g1'><house-event name='off'/></define-gate>"
		     "<define-gate name='g2'>"
		     "<or><house-event name='on'/><house-event name='not'/></or></define-gate>"
		     "<define-house-event name='off'/>"
		     "<define-house-event name='not'><constant value='false'/></define-house-event>"
		     "<define-house-event name='on'>"
		     "<label>x</label><constant value='true'/></define-house-event>");

	(void)state;
	without_a_word(read_text(text));
	near(probability("g1"), 0, 0);
	near(probability("g2"), 1, 0);
}

static void test_the_gates_that_nothing_refers_to_are_the_tops(void **state)
{
	static const char text[] =
		TREE("<define-gate name='low'><or>" ABC_ "</or></define-gate>"
		     "<define-gate name='top1'><and><gate name='low'/><event name='a'/></and>"
		     "</define-gate><define-gate name='top2'><gate name='low'/></define-gate>" ABC);

	(void)state;
	without_a_word(read_text(text));
	assert_int_equal(model.top_count, 2);
	assert_string_equal(model.tops[0].name, "top1");
	assert_string_equal(model.tops[1].name, "top2");
	near(probability("top1"), 0.1, 1e-14);
	near(probability("low"), 1 - 0.9 * 0.8 * 0.7, 1e-14);
}

static void test_public_names_are_known_everywhere(void **state)
{
	(void)state;
	without_a_word(read_path(GOOD "components.xml"));
	near(probability("TOP"), 1.2e-3 * (1 - (1 - 2.4e-3) * (1 - 5.2e-3) * (1 - 1.6e-3)), 1e-13);
}

static void test_private_names_are_known_inside_or_by_their_path(void **state)
{
	(void)state;
	without_a_word(read_path(GOOD "scopes.xml"));
	near(probability("top"), 0.5 * 0.1, 1e-14);
	near(probability("ft.right.g"), 1 - 0.9 * 0.75, 1e-14);
	near(probability("ft.right.inner.h"), 0.1, 1e-14);
	near(probability("shown"), 0.25, 0);
}

static void test_a_name_inside_goes_before_a_public_one_outside(void **state)
{
	static const char text[] = TREE("<define-component name='c' role='private'>" EVENT(
		"e",
		"0.5") "<define-gate name='g' role='public'><basic-event name='e'/></define-gate>"
		       "</define-component>" EVENT("e", "0.1") "<define-gate name='h'><basic-event "
							       "name='e'/></define-gate>");

	(void)state;
	without_a_word(read_text(text));
	near(probability("g"), 0.5, 0);
	near(probability("h"), 0.1, 0);
}

/* --- numbers --- */

static const char data[] =
	"<opsa-mef><define-fault-tree name='ft'><define-gate name='g'><basic-event name='e'/>"
	"</define-gate></define-fault-tree><model-data>"
	"<define-basic-event name='e'>%s</define-basic-event>"
	"<define-parameter name='p'><float value='0.25'/></define-parameter>"
	"<define-parameter name='rate' unit='fit'><int value='500'/></define-parameter>"
	"<define-parameter name='years' unit='years'><int value='2'/></define-parameter>"
	"</model-data></opsa-mef>";

static void computes(const char *expression, double wanted)
{
	char text[2048];

	snprintf(text, sizeof text, data, expression);
	without_a_word(read_text(text));
	near(probability("g"), wanted, 1e-13);
	assert_int_equal(end(NULL), 0);
	begin(NULL);
}

#define N(value) "<float value='" value "'/>"
#define T	 "<system-mission-time/>"

static void test_each_operation_is_what_it_says(void **state)
{
	(void)state;
	computes("<bool value='true'/>", 1);
	computes("<int value='+1'/>", 1);
	computes("<float value=' 1.5e-1 '/>", 0.15);
	computes("<parameter name='p'/>", 0.25);
	computes("<div><pi/><int value='4'/></div>", 0.78539816339744831);
	computes("<sub>" N("1") N("0.5") N("0.1") "</sub>", 0.4);
	computes("<mul>" N("0.5") N("0.5") N("0.5") "</mul>", 0.125);
	computes("<pow>" N("0.5") N("3") "</pow>", 0.125);
	computes("<neg>" N("-0.5") "</neg>", 0.5);
	computes("<exp>" N("-1") "</exp>", exp(-1));
	computes("<mean>" N("0.5") N("0.1") N("0.3") "</mean>", 0.3);
	computes("<min>" N("0.5") N("0.1") "</min>", 0.1);
	computes("<not>" N("0.5") "</not>", 0);
	computes("<df>" N("0.5") N("0.1") "</df>", 1);
	computes("<leq>" N("0.5") N("0.1") "</leq>", 0);
	computes("<ite><and><bool value='true'/><lt>" N("1") N("2") "</lt></and>" N("0.5")
			 N("0.1") "</ite>",
		 0.5);
	computes("<switch><case><eq><parameter name='p'/>" N("1") "</eq>" N(
			 "0.1") "</case>"
				"<case><eq><parameter name='p'/>" N("0.25") "</eq>" N(
					"0.2") "</case>" N("0.3") "</switch>",
		 0.2);
}

static void test_each_law_is_what_it_says(void **state)
{
	(void)state;
	computes("<exponential>" N("1e-4") T "</exponential>", -expm1(-0.876));
	computes("<GLM>" N("0") N("1e-4") N("0.1") T "</GLM>", 1e-4 / 0.1001);
	computes("<Weibull>" N("8760") N("2") N("0") T "</Weibull>", -expm1(-1));
	computes("<periodic-test>" N("1e-4") N("1000") N("500") T "</periodic-test>",
		 -expm1(-1e-4 * 260));
	computes("<uniform-deviate>" N("0") N("1") "</uniform-deviate>", 0.5);
	computes("<lognormal-deviate>" N("0.1") N("3") N("0.95") "</lognormal-deviate>", 0.1);
	computes("<beta-deviate>" N("1") N("3") "</beta-deviate>", 0.25);
	computes("<histogram>" N("0") "<bin>" N("1") N("0.1") "</bin><bin>" N("4")
			 N("0.2") "</bin></histogram>",
		 0.175);
}

static void test_a_value_is_had_in_the_unit_that_is_asked_for(void **state)
{
	(void)state;
	computes("<exponential><parameter name='rate' unit='hours-1'/>" T "</exponential>",
		 -expm1(-5e-7 * 8760));
	computes("<exponential><parameter name='rate' unit='years-1'/>"
		 "<system-mission-time unit='years'/></exponential>",
		 -expm1(-5e-7 * 8760));
	computes("<exponential>" N("1e-5") "<parameter name='years' unit='hours'/></exponential>",
		 -expm1(-1e-5 * 17520));
	computes("<div><parameter name='years'/>" N("10") "</div>", 0.2);
}

/* --- common causes --- */

static void test_members_of_a_group_need_no_definition_of_their_own(void **state)
{
	static const char text[] = TREE(
		"<define-gate name='g'><and><basic-event name='x'/><basic-event name='y'/></and>"
		"</define-gate><define-CCF-group name='c' model='beta-factor'>"
		"<members><basic-event name='x'/><basic-event name='y'/></members>"
		"<distribution><float value='0.1'/></distribution>"
		"<factor level='2'><float value='0.2'/></factor></define-CCF-group>"
		"<define-gate name='one'><basic-event name='x'/></define-gate>");

	(void)state;
	without_a_word(read_text(text));
	near(probability("g"), 1 - (1 - 0.02) * (1 - 0.08 * 0.08), 1e-14);
	near(probability("one"), 1 - 0.98 * 0.92, 1e-14);
}

/* Three members at Q = 1 - exp(-0.0876), rho2 = 0.1, rho3 = 0.2; all of them fail. */
static void test_a_group_may_have_factors_before_members_and_in_scopes(void **state)
{
	double q = -expm1(-0.0876), q1 = 0.9 * q, q2 = 0.1 * 0.8 * q / 2, q3 = 0.1 * 0.2 * q,
	       all = 0;

	(void)state;
	for (unsigned i = 0; i < 64; i++) { /* bits: a, b, c, ab, ac, bc */
		bool a = i & (1 | 8 | 16), b = i & (2 | 8 | 32), c = i & (4 | 16 | 32);
		double share = 1;

		for (unsigned bit = 0; bit < 6; bit++)
			share *= i >> bit & 1 ? (bit < 3 ? q1 : q2) : 1 - (bit < 3 ? q1 : q2);
		all += a && b && c ? share : 0;
	}
	without_a_word(read_path(GOOD "common-cause.xml"));
	near(probability("g"), q3 + (1 - q3) * all, 1e-13);
}

static void test_a_probability_that_the_group_replaces_is_a_warning(void **state)
{
	static const char text[] = TREE(EVENT(
		"x",
		"0.5") "<define-gate name='g'><basic-event name='x'/>"
		       "</define-gate><define-CCF-group name='c' model='beta-factor'>"
		       "<members><basic-event name='x'/><basic-event name='y'/></members>"
		       "<distribution><float value='0.1'/></distribution>"
		       "<factors><factor><float value='0'/></factor></factors></define-CCF-group>");

	(void)state;
	assert_int_equal(read_text(text), 0);
	assert_string_equal(reported, "1: c: warning: the group's distribution replaces the "
				      "probability that x has\n");
	near(probability("g"), 0.1, 1e-14);
}

/* --- event trees --- */

static void test_a_sequence_is_any_of_the_ways_to_it(void **state)
{
	double f = 1 - 0.9 * 0.8, f_and_g = 0.1 + 0.9 * 0.2 * 0.3;

	(void)state;
	without_a_word(read_path(GOOD "small-tree.xml"));
	assert_int_equal(model.top_count, 4);
	assert_string_equal(model.tops[0].name, "I.S1");
	assert_string_equal(model.tops[3].initiating, "I");
	assert_string_equal(model.tops[3].sequence, "S6");
	near(probability("I.S1") + probability("I.S2"), 1 - f_and_g, 1e-14);
	near(probability("I.S2"), (1 - f) * 0.3, 1e-14); /* F and not G: c works, and so does H */
	near(probability("I.S5"), f_and_g, 1e-14);
	near(probability("I.S6"), 0.3 * f, 1e-14);
	near(frequency("I.S6"), 0.5, 0);
}

static void test_shares_of_ways_without_formulas_are_added(void **state)
{
	(void)state;
	without_a_word(read_path(GOOD "shares.xml"));
	near(probability("I.good"), 1, 0);
	near(frequency("I.good"), 0.1 * 0.8 + 0.9 * 0.6, 1e-14);
	near(frequency("I.bad"), 0.1 * 0.2 + 0.9 * 0.4, 1e-14);
}

static void test_a_way_with_formula_and_share_has_an_event_for_its_share(void **state)
{
	(void)state;
	without_a_word(read_path(GOOD "formulas-and-shares.xml"));
	near(probability("I.s"), 0.1 * 0.25 + 0.9, 1e-14);
	near(frequency("I.s"), 4, 0);
	near(probability("I.t"), 0.1, 1e-14); /* one way: its share is a factor */
	near(frequency("I.t"), 0.5, 1e-14);
}

static void test_a_house_event_flavours_what_is_collected_behind_it(void **state)
{
	(void)state;
	without_a_word(read_path(GOOD "house-events.xml"));
	near(probability("I.s"), 0.02, 1e-14);
	near(probability("I.t"), 0.2, 1e-14);
	near(probability("I.u"), 0.02, 1e-14);
	near(probability("I.v"), 0, 0);
	near(probability("g"), 0.02, 1e-14); /* the model itself stays as it is */
}

static void test_conditions_ask_for_the_initiating_event_and_for_states(void **state)
{
	(void)state;
	without_a_word(read_path(GOOD "conditions.xml"));
	assert_int_equal(model.top_count, 4);
	assert_int_equal(model.tops[top_of("I.s")].frequency, AVAIL_NONE);
	near(frequency("I.end"), 0.25, 1e-14);
	near(frequency("J.end"), 0.75, 1e-14);
}

static void test_a_test_of_what_does_not_exist_is_false_with_a_warning(void **state)
{
	static const char text[] =
		"<opsa-mef><define-initiating-event name='I' event-tree='T'/>"
		"<define-event-tree name='T'><define-sequence name='s'/><initial-state>\n"
		"<if><or><test-initiating-event name='x'/>"
		"<test-functional-event name='y' state='z'/></or>"
		"<collect-expression><float value='0.5'/></collect-expression></if>"
		"<sequence name='s'/></initial-state></define-event-tree></opsa-mef>";

	(void)state;
	assert_int_equal(read_text(text), 0);
	assert_string_equal(
		reported,
		"2: T: warning: there is no initiating event x, so the test is never true\n"
		"2: T: warning: there is no functional event y, so the test is never true\n");
	assert_int_equal(model.tops[top_of("I.s")].frequency, AVAIL_NONE);
}

/* Three trains of a valve and a pump, with a group each; figures of the format's reference tool, SCRAM, for the
 * same model. */
static void three_trains(const char *kind, const char *factors, double p)
{
	static const char train[] = "<define-gate name='t%u'><or><event name='v%u'/>"
				    "<event name='p%u'/></or></define-gate>";
	static const char group[] =
		"<define-CCF-group name='%s' model='%s'><members><basic-event name='%s1'/>"
		"<basic-event name='%s2'/><basic-event name='%s3'/></members>"
		"<distribution><float value='0.1'/></distribution><factors>%s</factors>"
		"</define-CCF-group>";
	char text[4096] = "<opsa-mef><define-fault-tree name='f'><define-gate name='top'><and>"
			  "<event name='t1'/><event name='t2'/><event name='t3'/></and>"
			  "</define-gate>";

	for (unsigned i = 1; i <= 3; i++)
		add(text, train, i, i, i);
	add(text, "</define-fault-tree>");
	add(text, group, "p", kind, "p", "p", "p", factors);
	add(text, group, "v", kind, "v", "v", "v", factors);
	add(text, "</opsa-mef>");
	without_a_word(read_text(text));
	assert_true(fabs(probability("top") - p) < 1e-5);
	assert_int_equal(end(NULL), 0);
	begin(NULL);
}

#define FACTOR(level, value) "<factor level='" level "'><float value='" value "'/></factor>"

static void test_groups_have_the_figures_of_another_tool(void **state)
{
	(void)state;
	three_trains("beta-factor", FACTOR("3", "0.2"), 0.04308);
	three_trains("MGL", FACTOR("2", "0.2") FACTOR("3", "0.1"), 0.01630);
	three_trains("alpha-factor", FACTOR("1", "0.7") FACTOR("2", "0.2") FACTOR("3", "0.1"),
		     0.05298);
	three_trains("phi-factor", FACTOR("1", "0.7") FACTOR("2", "0.2") FACTOR("3", "0.1"),
		     0.04104);
}

static void test_what_other_tools_add_with_a_prefix_is_passed_over(void **state)
{
	(void)state;
	without_a_word(read_text("<opsa-mef xmlns:x='https://example.org'>"
				 "<define-fault-tree name='f'><define-gate name='g'>"
				 "<and x:flavor='inhibit'>" AB_ "</and></define-gate>" ABC
				 "</define-fault-tree></opsa-mef>"));
	near(probability("g"), 0.02, 1e-14);
}

static const char branch[] =
	"<define-functional-event name='F%u'/>"
	"<define-branch name='b%u'><if><test-functional-event name='F0' state='x'/><block/></if>"
	"<fork functional-event='F%u'>"
	"<path state='x'><collect-expression><float value='0.25'/></collect-expression>"
	"<branch name='b%u'/></path>"
	"<path state='y'><collect-expression><float value='0.75'/></collect-expression>"
	"<branch name='b%u'/></path></fork></define-branch>";

static void test_many_ways_share_what_was_read_once(void **state)
{
	char text[16384] = "<opsa-mef><define-initiating-event name='I' event-tree='T'/>"
			   "<define-event-tree name='T'><define-sequence name='s'/>";

	(void)state;
	for (unsigned i = 0; i < 12; i++)
		add(text, branch, i, i, i, i + 1, i + 1);
	add(text, "%s",
	    "<define-branch name='b12'><sequence name='s'/></define-branch>"
	    "<initial-state><branch name='b0'/></initial-state></define-event-tree></opsa-mef>");
	without_a_word(read_text(text));
	near(frequency("I.s"), 1, 1e-12);
	assert_in_range(model.expression_count, 4096, 4096 + 100); /* one a way, few beside */
}

/* --- documents --- */

static void test_included_files_stand_where_they_are_included(void **state)
{
	(void)state;
	without_a_word(read_path(GOOD "includes.xml"));
	assert_int_equal(model.top_count, 1);
	near(probability("down"), 1 - (1 - 0.04) * (1 - 0.028), 1e-14);
	near(probability("service.io.cards"), 0.028, 1e-14);
}

static void test_a_document_that_is_no_file_includes_none(void **state)
{
	(void)state;
	assert_int_equal(read_text("<opsa-mef><include file='x.xml'/></opsa-mef>"), -EINVAL);
	assert_string_equal(reported, "1: this document is not a file, so it can include none\n");
}

static void test_a_document_type_elsewhere_is_not_fetched(void **state)
{
	(void)state;
	without_a_word(read_text("<!DOCTYPE opsa-mef SYSTEM 'http://localhost:1/mef.dtd'>"
				 "<opsa-mef name='plant'><define-fault-tree name='ft'>"
				 "<define-gate name='g'><event name='a'/></define-gate>" ABC
				 "</define-fault-tree></opsa-mef>"));
	assert_string_equal(model.name, "plant");
}

static void test_utf_16_is_read_too(void **state)
{
	static const char text[] = "<?xml version='1.0' encoding='UTF-16'?>" TREE(
		"<define-gate name='g'><event name='a'/></define-gate>" ABC);
	struct avail_findings findings = { .report = keep };
	char wide[2 * sizeof text + 2] = { (char)0xff, (char)0xfe };

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		wide[2 + 2 * i] = text[i];
	without_a_word(
		openpsa_read("text", wide, 2 * sizeof text, OPENPSA_ALONE, &model, &findings));
	near(probability("g"), 0.1, 0);
}

static void test_lines_behind_the_first_65535_are_right(void **state)
{
	static const char head[] = "<opsa-mef>",
			  tail[] = "<define-fault-tree name='f'><define-gate name='g'>\n"
				   "<gate name='x'/></define-gate></define-fault-tree></opsa-mef>";
	size_t lines = 70000;
	char *text = calloc(1, sizeof head + lines + sizeof tail);

	(void)state;
	memcpy(text, head, sizeof head - 1);
	memset(text + sizeof head - 1, '\n', lines);
	memcpy(text + sizeof head - 1 + lines, tail, sizeof tail);
	assert_int_equal(read_text(text), -EINVAL);
	assert_string_equal(reported, "70002: g: gate x is not defined\n");
	free(text);
}

static void test_only_the_first_findings_are_shown(void **state)
{
	char text[32768] = "<opsa-mef><define-fault-tree name='f'><define-gate name='g'><or>";
	unsigned lines = 0;

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		add(text, "<gate name='x%u'/>", i);
	add(text, "</or></define-gate></define-fault-tree></opsa-mef>");
	assert_int_equal(read_text(text), -EINVAL);
	for (const char *at = reported; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	assert_int_equal(lines, AVAIL_FINDINGS_MAX + 1);
	assert_non_null(strstr(reported, "there is more; only the first findings are shown\n"));
}

static void test_a_document_past_the_limit_is_refused(void **state)
{
	struct avail_findings findings = { .report = keep };

	(void)state;
	assert_int_equal(openpsa_read("text", "", (size_t)OPENPSA_SIZE_MAX + 1, OPENPSA_ALONE,
				      &model, &findings),
			 -EINVAL);
	assert_string_equal(reported, "is larger than 64 MiB\n");
}

static void fail_each_step_of(const char *path)
{
	uint64_t steps;

	without_a_word(read_path(path));
	steps = heap.asked;
	assert_true(steps > 20);
	for (uint64_t i = 2; i <= steps; i++) { /* the first is the model's own */
		assert_int_equal(end(NULL), 0);
		begin(NULL);
		heap.fail_at = i;
		assert_int_equal(read_path(path), -ENOMEM);
		assert_string_equal(reported, "out of memory\n");
	}
	assert_int_equal(end(NULL), 0);
	begin(NULL);
}

static void test_each_step_may_fail_for_want_of_room(void **state)
{
	(void)state;
	fail_each_step_of(GOOD "small-tree.xml");
	fail_each_step_of(GOOD "conditions.xml");
	fail_each_step_of(GOOD "house-events.xml");
	fail_each_step_of(GOOD "formulas-and-shares.xml");
	fail_each_step_of(GOOD "common-cause.xml");
	fail_each_step_of(GOOD "includes.xml");
}

/* --- refused documents --- */

static void expect_refused(const char *path)
{
	read_expected(path, "<!-- expect: ", " -->");
	print_message("# %s\n", path);
	assert_int_equal(read_path(path), -EINVAL);
	assert_string_equal(reported, expected);
}

static int is_document(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".xml") == 0;
}

/* They name each other by paths, so the test goes to where they are. */
static void test_each_bad_file_is_refused_with_the_words_it_expects(void **state)
{
	struct dirent **entries;
	int count;

	assert_int_equal(chdir(ROOT "/tests/openpsa/bad"), 0);
	count = scandir(".", &entries, is_document, alphasort);
	assert_true(count > 150);
	for (int i = 0; i < count; i++) {
		expect_refused(entries[i]->d_name);
		assert_int_equal(end(state), 0);
		begin(state);
		free(entries[i]);
	}
	free(entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(test_each_connective_is_what_it_says),
		TEST(test_a_house_event_is_false_unless_it_says_otherwise),
		TEST(test_the_gates_that_nothing_refers_to_are_the_tops),
		TEST(test_public_names_are_known_everywhere),
		TEST(test_private_names_are_known_inside_or_by_their_path),
		TEST(test_a_name_inside_goes_before_a_public_one_outside),
		TEST(test_each_operation_is_what_it_says),
		TEST(test_each_law_is_what_it_says),
		TEST(test_a_value_is_had_in_the_unit_that_is_asked_for),
		TEST(test_members_of_a_group_need_no_definition_of_their_own),
		TEST(test_a_group_may_have_factors_before_members_and_in_scopes),
		TEST(test_a_probability_that_the_group_replaces_is_a_warning),
		TEST(test_a_sequence_is_any_of_the_ways_to_it),
		TEST(test_shares_of_ways_without_formulas_are_added),
		TEST(test_a_way_with_formula_and_share_has_an_event_for_its_share),
		TEST(test_a_house_event_flavours_what_is_collected_behind_it),
		TEST(test_conditions_ask_for_the_initiating_event_and_for_states),
		TEST(test_a_test_of_what_does_not_exist_is_false_with_a_warning),
		TEST(test_groups_have_the_figures_of_another_tool),
		TEST(test_what_other_tools_add_with_a_prefix_is_passed_over),
		TEST(test_many_ways_share_what_was_read_once),
		TEST(test_included_files_stand_where_they_are_included),
		TEST(test_a_document_that_is_no_file_includes_none),
		TEST(test_a_document_type_elsewhere_is_not_fetched),
		TEST(test_utf_16_is_read_too),
		TEST(test_lines_behind_the_first_65535_are_right),
		TEST(test_only_the_first_findings_are_shown),
		TEST(test_a_document_past_the_limit_is_refused),
		TEST(test_each_step_may_fail_for_want_of_room),
		TEST(test_each_bad_file_is_refused_with_the_words_it_expects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
