#include "fabric/failover.h"
#include "tests/check.h"

enum { CARD_A, CARD_B };

static const struct placement pair = { .member_count = 2,
				       .member = { { CARD_A, 1 }, { CARD_B, 1 } } };
static const struct placement alone = { .member_count = 1, .member = { { CARD_A, 2 } } };
static struct failover f;
static struct failover_io ios[2];
static struct failover_action actions[2];
static uint64_t now_ns;

static void begin_with(bool revert, uint64_t wait_ns)
{
	now_ns = 0;
	ios[0] = (struct failover_io){ .place = &pair, .revert = revert, .wait_ns = wait_ns };
	ios[1] = (struct failover_io){ .place = &alone };
	failover_init(&f, 2, ios, 2);
}

static void begin(bool revert)
{
	begin_with(revert, 0);
}

static void expect(unsigned card, enum failover_event event, unsigned count)
{
	assert_int_equal(failover_tell(&f, card, event, now_ns, actions), count);
}

static void expect_action(unsigned n, unsigned io, int from, int to)
{
	assert_int_equal(actions[n].io, io);
	assert_int_equal(actions[n].from_member, from);
	assert_int_equal(actions[n].to_member, to);
}

static void test_a_pull_moves_the_pair_and_unbinds_the_lone_one(void **state)
{
	(void)state;
	begin(false);
	expect(CARD_A, FAILOVER_PULL, 2);
	expect_action(0, 0, 0, 1);
	expect_action(1, 1, 0, -1);
	assert_int_equal(failover_card_state(&f, CARD_A), FAILOVER_CARD_PULLED);
	expect(CARD_A, FAILOVER_INSERT, 1);
	expect_action(0, 1, -1, 0);
	assert_int_equal(ios[0].active, 1);
}

static void test_line_loss_and_silence_end_in_the_same_step(void **state)
{
	(void)state;
	begin(false);
	expect(CARD_A, FAILOVER_LINE_LOST, 2);
	assert_int_equal(failover_card_state(&f, CARD_A), FAILOVER_CARD_LINE_DOWN);
	begin(false);
	expect(CARD_A, FAILOVER_HEART_LOST, 2);
	assert_int_equal(failover_card_state(&f, CARD_A), FAILOVER_CARD_DEAD);
}

static void test_the_preferred_card_is_taken_again_when_the_group_reverts(void **state)
{
	(void)state;
	begin(true);
	expect(CARD_A, FAILOVER_PULL, 2);
	expect(CARD_A, FAILOVER_INSERT, 2);
	expect_action(0, 0, 1, 0);
	expect_action(1, 1, -1, 0);
}

static void test_a_second_failure_while_pulled_keeps_the_card_out_after_the_insert(void **state)
{
	(void)state;
	begin(true);
	expect(CARD_A, FAILOVER_PULL, 2);
	expect(CARD_A, FAILOVER_LINE_LOST, 0);
	expect(CARD_A, FAILOVER_INSERT, 0);
	assert_int_equal(failover_card_state(&f, CARD_A), FAILOVER_CARD_LINE_DOWN);
	expect(CARD_A, FAILOVER_LINE_CAME, 2);
	assert_int_equal(f.ignored, 0);
}

static void test_with_both_cards_gone_the_first_that_returns_is_taken(void **state)
{
	(void)state;
	begin(true);
	expect(CARD_A, FAILOVER_PULL, 2);
	expect(CARD_B, FAILOVER_HEART_LOST, 1);
	expect_action(0, 0, 1, -1);
	expect(CARD_B, FAILOVER_HEART_CAME, 1);
	expect_action(0, 0, -1, 1);
	expect(CARD_A, FAILOVER_INSERT, 2);
	expect_action(0, 0, 1, 0);
}

static void test_the_standby_may_fail_unnoticed_by_traffic(void **state)
{
	(void)state;
	begin(false);
	expect(CARD_B, FAILOVER_PULL, 0);
	assert_int_equal(ios[0].active, 0);
	expect(CARD_A, FAILOVER_PULL, 2);
	expect_action(0, 0, 0, -1);
}

static void test_a_flapping_heart_moves_traffic_once_without_revert(void **state)
{
	(void)state;
	begin(false);
	expect(CARD_A, FAILOVER_HEART_LOST, 2);
	for (unsigned i = 0; i < 10; i++) {
		expect(CARD_A, FAILOVER_HEART_CAME, 1); /* only the lone one */
		expect(CARD_A, FAILOVER_HEART_LOST, 1);
	}
	assert_int_equal(ios[0].active, 1);
}

static void test_the_operator_moves_one_where_a_card_is_usable(void **state)
{
	struct failover_action action;

	(void)state;
	begin(false);
	assert_false(failover_switch(&f, 0, 0, &action)); /* is there already */
	assert_false(failover_switch(&f, 0, 2, &action)); /* no such member */
	assert_false(failover_switch(&f, 0, -1, &action));
	assert_true(failover_switch(&f, 0, 1, &action));
	assert_int_equal(action.from_member, 0);
	assert_int_equal(action.to_member, 1);
	expect(CARD_A, FAILOVER_PULL, 1);
	assert_false(failover_switch(&f, 0, 0, &action));
}

/* Who waits is one: ios[0]. */
static void expect_wait_until(uint64_t deadline_ns)
{
	assert_true(failover_deadline_ns(&f) == deadline_ns);
	if (deadline_ns == UINT64_MAX) {
		assert_int_equal(failover_restore(&f, UINT64_MAX, actions), 0);
		return;
	}
	assert_int_equal(failover_restore(&f, deadline_ns - 1, actions), 0);
	assert_int_equal(ios[0].active, 1);
}

static void expect_restored(uint64_t at_ns)
{
	assert_int_equal(failover_restore(&f, at_ns, actions), 1);
	expect_action(0, 0, 1, 0);
	assert_int_equal(ios[0].active, 0);
	expect_wait_until(UINT64_MAX);
}

static void test_the_preferred_card_is_taken_again_when_it_has_been_well_for_the_wait(void **state)
{
	(void)state;
	for (unsigned e = FAILOVER_PULL; e < FAILOVER_EVENT_COUNT; e += 2) {
		begin_with(true, 300);
		expect_wait_until(UINT64_MAX);
		expect(CARD_A, e, 2);
		expect_wait_until(UINT64_MAX);
		now_ns = 50;
		expect(CARD_A, e + 1, 1); /* the lone one, which has nowhere else to be */
		expect_action(0, 1, -1, 0);
		expect_wait_until(350);
		expect_restored(350);
	}
}

static void test_a_flapping_line_moves_traffic_once_and_back_once(void **state)
{
	(void)state;
	begin_with(true, 300);
	expect(CARD_A, FAILOVER_LINE_LOST, 2);
	for (unsigned i = 0; i < 10; i++) {
		now_ns += 299;
		expect(CARD_A, FAILOVER_LINE_CAME, 1); /* only the lone one */
		expect_wait_until(now_ns + 300);
		now_ns += 299;
		assert_int_equal(failover_restore(&f, now_ns, actions), 0);
		expect(CARD_A, FAILOVER_LINE_LOST, 1);
		expect_wait_until(UINT64_MAX);
	}
	now_ns += 1000;
	expect(CARD_A, FAILOVER_LINE_CAME, 1);
	expect_wait_until(now_ns + 300);
	expect_restored(now_ns + 300);
}

static void test_any_failure_of_the_preferred_card_ends_the_wait(void **state)
{
	(void)state;
	for (unsigned e = FAILOVER_PULL; e < FAILOVER_EVENT_COUNT; e += 2) {
		begin_with(true, 300);
		expect(CARD_A, FAILOVER_PULL, 2);
		expect(CARD_A, FAILOVER_INSERT, 1);
		expect_wait_until(300);
		now_ns = 200;
		expect(CARD_A, e, 1);
		expect_wait_until(UINT64_MAX);
		expect(CARD_A, e + 1, 1);
		expect_wait_until(500);
	}
}

static void test_a_standby_that_fails_is_left_at_once_whatever_waits(void **state)
{
	(void)state;
	for (unsigned e = FAILOVER_PULL; e < FAILOVER_EVENT_COUNT; e += 2) {
		begin_with(true, 300);
		expect(CARD_A, FAILOVER_PULL, 2);
		expect(CARD_A, FAILOVER_INSERT, 1);
		now_ns = 1;
		expect(CARD_B, e, 1);
		expect_action(0, 0, 1, 0);
		expect_wait_until(UINT64_MAX);
		expect(CARD_B, e + 1, 0);
		expect_wait_until(UINT64_MAX);
	}
}

static void test_with_both_cards_gone_nothing_is_waited_for(void **state)
{
	(void)state;
	begin_with(true, 300);
	expect(CARD_A, FAILOVER_PULL, 2);
	expect(CARD_B, FAILOVER_PULL, 1);
	expect(CARD_A, FAILOVER_INSERT, 2);
	expect_action(0, 0, -1, 0);
	expect_wait_until(UINT64_MAX);
}

static void test_the_operators_word_ends_the_wait(void **state)
{
	struct failover_action action;

	(void)state;
	begin_with(true, 300);
	expect(CARD_A, FAILOVER_PULL, 2);
	expect(CARD_A, FAILOVER_INSERT, 1);
	assert_true(failover_switch(&f, 0, 0, &action));
	expect_wait_until(UINT64_MAX);
	assert_true(
		failover_switch(&f, 0, 1, &action)); /* and stays there, though card A is well */
	expect_wait_until(UINT64_MAX);
	expect(CARD_B, FAILOVER_LINE_LOST, 1);
	expect_action(0, 0, 1, 0);
}

static void test_an_insert_may_say_otherwise(void **state)
{
	(void)state;
	begin_with(true, 300);
	expect(CARD_A, FAILOVER_PULL, 2);
	ios[0].wait_ns = 0;
	expect(CARD_A, FAILOVER_INSERT, 2);
	expect_action(0, 0, 1, 0);
	ios[0].wait_ns = 300;
	expect(CARD_A, FAILOVER_PULL, 2);
	ios[0].revert = false;
	expect(CARD_A, FAILOVER_INSERT, 1);
	ios[0].revert = true;
	expect_wait_until(UINT64_MAX);
	assert_int_equal(ios[0].active, 1);
}

static void test_who_does_not_revert_does_not_wait(void **state)
{
	(void)state;
	begin_with(false, 300);
	expect(CARD_A, FAILOVER_PULL, 2);
	expect(CARD_A, FAILOVER_INSERT, 1);
	expect_wait_until(UINT64_MAX);
}

/* The printed table is the documentation; unlisted pairs change nothing and are counted. */
static void test_a_card_gives_functions_unless_it_is_out_or_dead(void **state)
{
	(void)state;
	assert_true(failover_card_can_give(FAILOVER_CARD_IN_SERVICE));
	assert_true(failover_card_can_give(FAILOVER_CARD_LINE_DOWN));
	assert_false(failover_card_can_give(FAILOVER_CARD_PULLED));
	assert_false(failover_card_can_give(FAILOVER_CARD_DEAD));
}

static void test_unlisted_pairs_are_ignored_and_counted(void **state)
{
	(void)state;
	printf("# %-30s", "condition");
	for (unsigned e = 0; e < FAILOVER_EVENT_COUNT; e++)
		printf(" | %s", failover_event_text[e]);
	for (unsigned c = 0; c < FAILOVER_CONDITION_COUNT; c++) {
		printf("\n# %-30s", failover_condition_text[c]);
		for (unsigned e = 0; e < FAILOVER_EVENT_COUNT; e++) {
			uint8_t next = failover_table[c][e];

			printf(" | %s",
			       next == FAILOVER_IGNORED ? "-" : failover_condition_text[next]);
			begin(false);
			f.card[CARD_A].pulled = c & FAILOVER_P;
			f.card[CARD_A].line_lost = c & FAILOVER_L;
			f.card[CARD_A].heart_lost = c & FAILOVER_H;
			failover_tell(&f, CARD_A, e, now_ns, actions);
			assert_int_equal(f.ignored, next == FAILOVER_IGNORED);
		}
	}
	printf("\n");
}

/* Each event sets or clears one bit, and is unlisted where the bit is so already. */
static void test_the_table_follows_from_one_bit_an_event(void **state)
{
	static const struct {
		unsigned bit;
		bool set;
	} effect[FAILOVER_EVENT_COUNT] = {
		[FAILOVER_PULL] = { 1, true },	     [FAILOVER_INSERT] = { 1, false },
		[FAILOVER_LINE_LOST] = { 2, true },  [FAILOVER_LINE_CAME] = { 2, false },
		[FAILOVER_HEART_LOST] = { 4, true }, [FAILOVER_HEART_CAME] = { 4, false },
	};

	(void)state;
	for (unsigned c = 0; c < FAILOVER_CONDITION_COUNT; c++) {
		for (unsigned e = 0; e < FAILOVER_EVENT_COUNT; e++) {
			unsigned next = effect[e].set ? c | effect[e].bit : c & ~effect[e].bit;

			assert_int_equal(failover_table[c][e],
					 next == c ? (unsigned)FAILOVER_IGNORED : next);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_pull_moves_the_pair_and_unbinds_the_lone_one),
		cmocka_unit_test(test_line_loss_and_silence_end_in_the_same_step),
		cmocka_unit_test(test_the_preferred_card_is_taken_again_when_the_group_reverts),
		cmocka_unit_test(
			test_a_second_failure_while_pulled_keeps_the_card_out_after_the_insert),
		cmocka_unit_test(test_with_both_cards_gone_the_first_that_returns_is_taken),
		cmocka_unit_test(test_the_standby_may_fail_unnoticed_by_traffic),
		cmocka_unit_test(test_a_flapping_heart_moves_traffic_once_without_revert),
		cmocka_unit_test(test_the_operator_moves_one_where_a_card_is_usable),
		cmocka_unit_test(
			test_the_preferred_card_is_taken_again_when_it_has_been_well_for_the_wait),
		cmocka_unit_test(test_a_flapping_line_moves_traffic_once_and_back_once),
		cmocka_unit_test(test_any_failure_of_the_preferred_card_ends_the_wait),
		cmocka_unit_test(test_a_standby_that_fails_is_left_at_once_whatever_waits),
		cmocka_unit_test(test_with_both_cards_gone_nothing_is_waited_for),
		cmocka_unit_test(test_the_operators_word_ends_the_wait),
		cmocka_unit_test(test_an_insert_may_say_otherwise),
		cmocka_unit_test(test_who_does_not_revert_does_not_wait),
		cmocka_unit_test(test_a_card_gives_functions_unless_it_is_out_or_dead),
		cmocka_unit_test(test_unlisted_pairs_are_ignored_and_counted),
		cmocka_unit_test(test_the_table_follows_from_one_bit_an_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
