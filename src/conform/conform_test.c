#include "conform/broken.h"
#include "conform/conform.h"
#include "tests/check.h"

static struct broken card;
static struct conform_report report;

/* The verdict on an assertion of a function; -1: there is none. */
static int verdict(const char *name, unsigned function)
{
	for (unsigned i = 0; i < report.count; i++) {
		if (report.results[i].function == function &&
		    strcmp(report.results[i].assertion->name, name) == 0)
			return (int)report.results[i].verdict;
	}
	return -1;
}

static void print_failures(void)
{
	for (unsigned i = 0; i < report.count; i++) {
		if (report.results[i].verdict == CONFORM_FAIL)
			print_message("function %u: %s: %s\n", report.results[i].function,
				      report.results[i].assertion->name, report.results[i].seen);
	}
}

static void our_functions_fail_nothing(void **state)
{
	(void)state;
	for (unsigned specimen = 0; specimen < SPECIMEN_COUNT; specimen++) {
		broken_init(&card, (enum specimen)specimen, NULL);
		conform_run(&report, &card.target, CONFORM_DESTRUCTIVE);
		print_failures();
		assert_int_equal(report.error, 0);
		assert_int_equal(report.failed, 0);
		assert_true(report.passed > 50);
	}
}

/* None of ours has an I/O BAR or a ROM, and no VF a serial number. */
static bool is_of_things_that_we_do_not_have(const char *name)
{
	return strcmp(name, "bar.rom") == 0 || strcmp(name, "header.io-space") == 0 ||
	       strcmp(name, "serial.same") == 0;
}

/* An assertion that is never applicable could not fail either. */
static void every_assertion_passes_on_one_of_our_functions(void **state)
{
	const struct conform_assertion *const *all;
	unsigned count = conform_assertions(&all);
	bool passes[CONFORM_RESULTS_MAX] = { false };

	(void)state;
	assert_true(count > 150);
	for (unsigned specimen = 0; specimen < SPECIMEN_COUNT; specimen++) {
		broken_init(&card, (enum specimen)specimen, NULL);
		conform_run(&report, &card.target, CONFORM_DESTRUCTIVE);
		for (unsigned i = 0; i < count; i++)
			passes[i] |= verdict(all[i]->name, 0) == CONFORM_PASS ||
				     verdict(all[i]->name, 1) == CONFORM_PASS;
	}
	for (unsigned i = 0; i < count; i++) {
		if (passes[i] == is_of_things_that_we_do_not_have(all[i]->name))
			print_message("%s\n", all[i]->name);
		assert_int_equal(passes[i], !is_of_things_that_we_do_not_have(all[i]->name));
	}
}

static void every_defect_is_found_by_its_assertion(void **state)
{
	const struct defect *defects;
	unsigned count = broken_defects(&defects), missed = 0;

	(void)state;
	for (unsigned i = 0; i < count; i++) {
		const struct defect *d = &defects[i];
		unsigned function = d->found_on ? d->found_on : d->function;

		broken_init(&card, d->on, d);
		conform_run(&report, &card.target, CONFORM_DESTRUCTIVE);
		if (verdict(d->assertion, function) != CONFORM_FAIL) {
			print_message("defect %u is not found by %s of function %u: verdict %d\n", i,
				      d->assertion, function, verdict(d->assertion, function));
			missed++;
		}
	}
	assert_int_equal(missed, 0);
}

static void every_assertion_can_fail(void **state)
{
	const struct conform_assertion *const *all;
	const struct defect *defects;
	unsigned count = conform_assertions(&all), rows = broken_defects(&defects), missing = 0;

	(void)state;
	for (unsigned i = 0; i < count; i++) {
		bool found = false;

		for (unsigned d = 0; d < rows; d++)
			found |= strcmp(all[i]->name, defects[d].assertion) == 0;
		if (!found)
			print_message("no defect for %s\n", all[i]->name);
		missing += !found;
	}
	assert_int_equal(missing, 0);
}

/* Every word that has any memory, before and after. */
static void a_gentle_run_leaves_configuration_space_as_it_was(void **state)
{
	struct cfg before;

	(void)state;
	broken_init(&card, SPECIMEN_CARD, NULL);
	pcie_device_write(&card.device, 0, 0x04, 2, 0x0006); /* in use */
	pcie_device_write(&card.device, 0, 0x10, 4, 0xfe000000);
	before = card.spaces[0];
	conform_run(&report, &card.target, CONFORM_GENTLE);
	assert_int_equal(report.failed, 0);
	assert_memory_equal(before.word, card.spaces[0].word, sizeof(before.word));
}

static void a_gentle_run_does_nothing_destructive(void **state)
{
	(void)state;
	broken_init(&card, SPECIMEN_CARD, NULL);
	conform_run(&report, &card.target, CONFORM_GENTLE);
	for (unsigned i = 0; i < report.count; i++) {
		if (report.results[i].assertion->destructive)
			assert_int_equal(report.results[i].verdict, CONFORM_NOT_APPLICABLE);
	}
	assert_int_equal(verdict("flr.time", 0), CONFORM_NOT_APPLICABLE);
	assert_int_equal(card.writes, 0);
}

static void a_destructive_run_leaves_vfs_off(void **state)
{
	(void)state;
	broken_init(&card, SPECIMEN_CARD, NULL);
	conform_run(&report, &card.target, CONFORM_DESTRUCTIVE);
	assert_int_equal(card.device.vf_count, 0);
	assert_int_not_equal(verdict("header.ids", 1), -1);
}

static void names_of_assertions_are_unique(void **state)
{
	const struct conform_assertion *const *all;
	unsigned count = conform_assertions(&all);

	(void)state;
	for (unsigned i = 0; i < count; i++) {
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(all[i]->name, all[k]->name);
	}
}

static int no_way(struct conform_target *target, unsigned function, unsigned offset, unsigned size,
		  uint32_t *value)
{
	(void)target, (void)function, (void)offset, (void)size, (void)value;
	return -5;
}

static void a_broken_way_ends_the_run(void **state)
{
	struct conform_target_ops ops;

	(void)state;
	broken_init(&card, SPECIMEN_CARD, NULL);
	ops = *card.target.ops;
	ops.read = no_way;
	card.target.ops = &ops;
	conform_run(&report, &card.target, CONFORM_DESTRUCTIVE);
	assert_int_equal(report.error, -5);
	assert_int_equal(report.count, 0);
}

static const struct conform_target_ops *plain_ops;

/* The chain of extended capabilities goes to an AER in the last eight bytes. */
static int with_aer_at_the_end(struct conform_target *target, unsigned function, unsigned offset,
			       unsigned size, uint32_t *value)
{
	must(offset + size <= 4096);
	if (size == 4 && (offset == 0x100 || offset == 0xff8))
		*value = offset == 0x100 ? 0xff810003 : 0x00010001;
	else
		return plain_ops->read(target, function, offset, size, value);
	return 0;
}

static int with_answers_150_ms_later(struct conform_target *target, unsigned function, unsigned offset, unsigned size,
				     uint32_t *value)
{
	int err = plain_ops->read(target, function, offset, size, value);

	card.now_ns += UINT64_C(150000000);
	return err;
}

static void run_with_late_answers(const struct defect *defect)
{
	struct conform_target_ops ops;

	broken_init(&card, SPECIMEN_CARD, defect);
	plain_ops = card.target.ops;
	ops = *plain_ops;
	ops.read = with_answers_150_ms_later;
	card.target.ops = &ops;
	conform_run(&report, &card.target, CONFORM_DESTRUCTIVE);
}

/* Its process did not run for a while. */
static void a_function_whose_answers_come_late_is_not_late_after_a_reset(void **state)
{
	static const struct defect slow = { .assertion = "flr.time", .trick = TRICK_FLR_SLOW, .on = SPECIMEN_CARD };

	(void)state;
	run_with_late_answers(NULL);
	print_failures();
	assert_int_equal(report.failed, 0);
	assert_int_equal(verdict("flr.time", 0), CONFORM_PASS);
	run_with_late_answers(&slow);
	assert_int_equal(verdict("flr.time", 0), CONFORM_FAIL);
}

static void an_extended_capability_that_runs_over_the_end_is_told_and_not_read(void **state)
{
	struct conform_target_ops ops;

	(void)state;
	broken_init(&card, SPECIMEN_CARD, NULL);
	plain_ops = card.target.ops;
	ops = *plain_ops;
	ops.read = with_aer_at_the_end;
	card.target.ops = &ops;
	conform_run(&report, &card.target, CONFORM_DESTRUCTIVE);
	assert_int_equal(report.error, 0);
	assert_int_equal(verdict("extcaps.chain", 0), CONFORM_PASS);
	assert_int_equal(verdict("extcaps.apart", 0), CONFORM_FAIL);
	assert_int_equal(verdict("aer.reserved", 0), CONFORM_NOT_APPLICABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_functions_fail_nothing),
		cmocka_unit_test(every_assertion_passes_on_one_of_our_functions),
		cmocka_unit_test(every_defect_is_found_by_its_assertion),
		cmocka_unit_test(every_assertion_can_fail),
		cmocka_unit_test(a_gentle_run_leaves_configuration_space_as_it_was),
		cmocka_unit_test(a_gentle_run_does_nothing_destructive),
		cmocka_unit_test(a_destructive_run_leaves_vfs_off),
		cmocka_unit_test(names_of_assertions_are_unique),
		cmocka_unit_test(a_broken_way_ends_the_run),
		cmocka_unit_test(a_function_whose_answers_come_late_is_not_late_after_a_reset),
		cmocka_unit_test(
			an_extended_capability_that_runs_over_the_end_is_told_and_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
