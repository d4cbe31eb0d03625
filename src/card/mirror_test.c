#include "base/bytes.h"
#include "card/due_front_test.h"
#include "card/mirror_internal.h"
#include "card/mirror_set.h"
#include "sim/mirror_world.h"

#include <errno.h>

static struct mirror_world w;

static void begin(enum mirror_new new)
{
	world_open(&w, check_seed(), new);
	world_give(&w, 0);
	world_give(&w, 1);
	world_run(&w);
}

static void write_cell(unsigned i)
{
	cell_begin(&w, &w.cells[i], BLOCK_WRITE);
	world_run(&w);
	assert_int_equal(w.cells[i].doing, CELL_IDLE);
}

static void two_blank_halves_become_a_mirror(void **state)
{
	(void)state;
	world_open(&w, 1, MIRROR_COPY_ALL);
	memset(w.fake[0].bytes, 7, WORLD_SIZE - MIRROR_RESERVED);
	world_give(&w, 0);
	world_run(&w);
	assert_false(world_facts(&w).begun);
	world_give(&w, 1);
	world_run(&w);
	assert_true(world_facts(&w).begun);
	assert_int_equal(mirror_back(w.mirror)->size, WORLD_SIZE - MIRROR_RESERVED);
	assert_int_equal(world_facts(&w).copied_bytes, WORLD_SIZE - MIRROR_RESERVED);
	world_is_whole(&w);
	world_close(&w);
}

static void halves_that_are_zeroes_need_no_copy(void **state)
{
	(void)state;
	begin(MIRROR_BOTH_ARE_ZEROES);
	assert_int_equal(world_facts(&w).copied_bytes, 0);
	world_is_whole(&w);
	world_close(&w);
}

static void a_write_is_on_both_halves_and_marked_before(void **state)
{
	(void)state;
	begin(MIRROR_BOTH_ARE_ZEROES);
	assert_int_equal(world_facts(&w).marked, 0);
	write_cell(1);
	assert_int_equal(w.cells[1].value, 1);
	assert_int_equal(world_facts(&w).marked, 1);
	world_is_whole(&w);
	/* unmarked when nobody writes there */
	w.now_ns += 3 * MIRROR_TIDY_NS;
	world_run(&w);
	w.now_ns += 3 * MIRROR_TIDY_NS;
	world_run(&w);
	assert_int_equal(world_facts(&w).marked, 0);
	world_close(&w);
}

static void reads_and_writes_go_on_without_a_half_and_only_the_changes_are_copied(void **state)
{
	for (unsigned n = 0; n < 2; n++) {
		uint64_t copied;

		(void)state;
		begin(MIRROR_COPY_ALL);
		for (unsigned i = 0; i < CELLS; i++)
			write_cell(i);
		w.now_ns += 3 * MIRROR_TIDY_NS;
		world_run(&w);
		w.now_ns += 3 * MIRROR_TIDY_NS;
		world_run(&w);
		copied = world_facts(&w).copied_bytes;
		world_pull(&w, n);
		world_run(&w);
		write_cell(2);
		write_cell(40);
		world_read_all(&w);
		assert_int_equal(w.gone, 0);
		disk_card_insert(NULL, w.card[n]);
		world_give(&w, n);
		world_run(&w);
		world_is_whole(&w);
		assert_int_equal(world_facts(&w).copied_bytes - copied, 2 * world_facts(&w).region_bytes);
		world_pull(&w, 1 - n);
		world_read_all(&w);
		assert_int_equal(w.gone, 0);
		world_close(&w);
	}
}

/* Generations, above all: the half that missed something is never the truth. */
static void a_stale_half_by_itself_is_not_taken(void **state)
{
	for (unsigned n = 0; n < 2; n++) {
		struct refusal why = { 0 };

		(void)state;
		begin(MIRROR_BOTH_ARE_ZEROES);
		write_cell(1);
		world_pull(&w, n);
		world_run(&w);
		write_cell(1);
		world_kill(&w);
		world_boot(&w);
		world_give(&w, n); /* it thinks that both are up to date */
		world_run(&w);
		assert_false(world_facts(&w).begun);
		cell_begin(&w, &w.cells[1], BLOCK_READ);
		world_run(&w);
		assert_int_equal(w.gone, 1);
		world_give(&w, 1 - n);
		world_read_all(&w);
		world_is_whole(&w);
		assert_int_equal(w.cells[1].value, 2);
		assert_int_equal(mirror_force(NULL, w.mirror, 0, &why), -EALREADY);
		world_close(&w);
	}
}

static void the_half_that_knows_it_was_alone_begins_alone(void **state)
{
	(void)state;
	begin(MIRROR_BOTH_ARE_ZEROES);
	world_pull(&w, 1);
	world_run(&w);
	write_cell(1);
	world_kill(&w);
	world_boot(&w);
	world_give(&w, 0);
	world_read_all(&w);
	assert_int_equal(w.cells[1].value, 1);
	assert_int_equal(w.gone, 0);
	world_give(&w, 1);
	world_run(&w);
	world_is_whole(&w);
	world_close(&w);
}

static void an_operator_may_force_a_half_and_the_other_follows(void **state)
{
	(void)state;
	begin(MIRROR_BOTH_ARE_ZEROES);
	world_pull(&w, 1);
	world_run(&w);
	write_cell(1);
	world_kill(&w);
	world_boot(&w);
	world_give(&w, 1);
	world_run(&w);
	assert_int_equal(mirror_force(NULL, w.mirror, 0, NULL), -EINVAL); /* it is not there */
	assert_int_equal(mirror_force(NULL, w.mirror, 1, NULL), 0);
	w.cells[1].maybe[w.cells[1].maybe_count++] = 0; /* given up */
	world_read_all(&w);
	assert_int_equal(w.cells[1].value, 0);
	write_cell(2);
	world_kill(&w);
	world_boot(&w);
	world_give(&w, 0);
	world_give(&w, 1);
	world_read_all(&w);
	assert_int_equal(w.cells[1].value, 0);
	world_is_whole(&w);
	world_close(&w);
}

/* The half that went last is lost, and the one before it is there again. */
static void a_running_mirror_may_be_forced_to_go_on_with_the_older_half(void **state)
{
	struct refusal why = { 0 };

	(void)state;
	for (unsigned n = 0; n < 2; n++) {
		begin(MIRROR_BOTH_ARE_ZEROES);
		write_cell(1);
		assert_int_equal(mirror_force(NULL, w.mirror, n, &why), -EALREADY);
		world_pull(&w, n);
		world_run(&w);
		write_cell(1);
		write_cell(3);
		world_pull(&w, 1 - n);
		world_run(&w);
		assert_int_equal(mirror_force(NULL, w.mirror, n, &why), -EINVAL);
		assert_non_null(strstr(why.text, "not there"));
		disk_card_insert(NULL, w.card[n]);
		world_give(&w, n);
		world_run(&w);
		assert_int_equal(world_facts(&w).half[n], MIRROR_KNOWN);
		assert_int_equal(mirror_force(NULL, w.mirror, n, &why), 0);
		assert_int_equal(mirror_force(NULL, w.mirror, n, &why), -EALREADY);
		w.cells[1].maybe[w.cells[1].maybe_count++] = w.cells[1].value - 1; /* given up */
		w.cells[3].maybe[w.cells[3].maybe_count++] = 0;
		world_read_all(&w);
		assert_int_equal(w.cells[3].value, 0);
		write_cell(2);
		/* the lost one returns: it is copied to, whole, and its writes do not come back */
		disk_card_insert(NULL, w.card[1 - n]);
		world_give(&w, 1 - n);
		world_run(&w);
		assert_int_equal(world_facts(&w).half[1 - n], MIRROR_FRESH);
		assert_int_equal(w.cells[3].value, 0);
		world_is_whole(&w);
		world_kill(&w);
		world_boot(&w);
		world_give(&w, 0);
		world_give(&w, 1);
		world_read_all(&w);
		assert_int_equal(w.cells[3].value, 0);
		world_is_whole(&w);
		world_close(&w);
	}
}

static void a_half_of_another_mirror_is_refused(void **state)
{
	struct mirror_conf conf = { .uuid = { 43 } };

	(void)state;
	begin(MIRROR_BOTH_ARE_ZEROES);
	write_cell(1);
	world_kill(&w);
	world_boot(&w);
	conf.hold = disk_card_hold_of(w.card[0]);
	mirror_init(w.mirror, &conf);
	world_give(&w, 0);
	world_run(&w);
	assert_int_equal(world_facts(&w).half[0], MIRROR_REFUSED);
	assert_non_null(strstr(world_facts(&w).why[0].text, "another mirror"));
	assert_true(mirror_half_is_quiet(NULL, w.mirror, 0));
	world_close(&w);
}

static void a_half_whose_end_holds_something_else_is_refused(void **state)
{
	(void)state;
	world_open(&w, 1, MIRROR_COPY_ALL);
	memset(w.fake[1].bytes, 3, WORLD_SIZE);
	world_give(&w, 0);
	world_give(&w, 1);
	world_run(&w);
	assert_int_equal(world_facts(&w).half[1], MIRROR_REFUSED);
	assert_false(world_facts(&w).begun);
	world_close(&w);
}

/* The newest copy of what stands on a half, for damage. */
static uint8_t *mark_of(unsigned n)
{
	uint8_t *a = w.fake[n].bytes + WORLD_SIZE - MIRROR_RESERVED, *b = a + MARK_COPY_SIZE;

	return get_le64(a + 16) > get_le64(b + 16) ? a : b;
}

static void a_mark_that_says_the_impossible_is_refused(void **state)
{
	(void)state;
	begin(MIRROR_BOTH_ARE_ZEROES);
	world_kill(&w);
	put_le64(mark_of(0) + 40, WORLD_SIZE);
	mark_seal(mark_of(0));
	world_boot(&w);
	world_give(&w, 0);
	world_give(&w, 1);
	world_run(&w);
	assert_int_equal(world_facts(&w).half[0], MIRROR_REFUSED);
	assert_non_null(strstr(world_facts(&w).why[0].text, "smaller than the mirror"));
	assert_false(world_facts(&w).begun); /* the other may be the stale one */
	world_close(&w);
}

/* A power cut in the midst of a mark leaves the one before. */
static void a_damaged_copy_of_a_mark_is_passed_over(void **state)
{
	(void)state;
	begin(MIRROR_BOTH_ARE_ZEROES);
	for (unsigned i = 0; i < CELLS; i++)
		write_cell(i);
	world_kill(&w);
	mark_of(0)[5000] ^= 1;
	world_boot(&w);
	world_give(&w, 0);
	world_give(&w, 1);
	world_read_all(&w);
	world_is_whole(&w);
	assert_int_equal(w.gone, 0);
	world_close(&w);
}

static void a_bad_block_is_read_from_the_other_half(void **state)
{
	(void)state;
	begin(MIRROR_BOTH_ARE_ZEROES);
	write_cell(1);
	w.fake[0].bad_first = w.cells[1].first;
	w.fake[0].bad_size = 512;
	for (unsigned i = 0; i < 6; i++) {
		cell_begin(&w, &w.cells[1], BLOCK_READ);
		world_run(&w);
	}
	assert_int_equal(w.gone, 0);
	assert_int_equal(w.done, 7);
	assert_int_equal(world_facts(&w).half[0], MIRROR_FRESH);
	write_cell(1); /* a half that cannot write goes */
	assert_int_equal(world_facts(&w).half[0], MIRROR_ABSENT);
	assert_int_equal(w.gone, 0);
	world_close(&w);
}

static void nothing_is_acknowledged_that_only_a_half_has_which_does_not_count(void **state)
{
	(void)state;
	begin(MIRROR_BOTH_ARE_ZEROES);
	world_pull(&w, 1);
	world_run(&w);
	write_cell(1);
	disk_card_insert(NULL, w.card[1]);
	w.fake[1].reap_max = 0;
	world_give(&w, 1);
	for (unsigned i = 0; i < 20; i++)
		world_poll(&w);
	world_pull(&w, 0); /* the only fresh one */
	cell_begin(&w, &w.cells[1], BLOCK_WRITE);
	world_run(&w);
	assert_int_equal(w.gone, 1);
	disk_card_insert(NULL, w.card[0]);
	world_give(&w, 0);
	world_run(&w);
	world_read_all(&w);
	world_is_whole(&w);
	world_close(&w);
}

/* Both halves are given to a mirror of this kind. */
static struct polled *begin_as(struct mirror_conf *conf)
{
	world_open(&w, check_seed(), conf->new);
	conf->hold = disk_card_hold_of(w.card[0]);
	mirror_init(w.mirror, conf);
	world_give(&w, 0);
	world_give(&w, 1);
	world_run(&w);
	return mirror_polled(w.mirror);
}

static void fronts_are_kept_to_their_rate_and_the_worker_is_told_when_to_come_back(void **state)
{
	struct mirror_conf conf = { .uuid = { 42 }, .new = MIRROR_BOTH_ARE_ZEROES, .rate_commands = 1000 };
	struct polled *polled = begin_as(&conf);
	unsigned taken = 0;

	(void)state;
	while (taken < CELLS) {
		cell_begin(&w, &w.cells[taken], BLOCK_READ);
		if (w.cells[taken].doing == CELL_IDLE)
			break;
		taken++;
	}
	assert_in_range(taken, 4, 6); /* a burst of 4 ms, and the one that goes beyond */
	w.mirror->look = false;
	assert_in_range(polled->ops->deadline_ns(NULL, polled), w.now_ns, w.now_ns + 1100000);
	world_run(&w);
	w.now_ns += 2000000;
	world_poll(&w);
	cell_begin(&w, &w.cells[taken], BLOCK_READ);
	assert_int_equal(w.cells[taken].doing, CELL_READS);
	world_run(&w);
	world_close(&w);
}

static void a_copying_is_told_by_its_half_its_bytes_and_its_time(void **state)
{
	struct mirror_copying first, second;

	(void)state;
	begin(MIRROR_BOTH_ARE_ZEROES);
	first = world_facts(&w).copying;
	world_pull(&w, 1);
	write_cell(1);
	write_cell(40);
	assert_int_equal(world_facts(&w).copying.count, first.count);
	disk_card_insert(NULL, w.card[1]);
	world_give(&w, 1);
	world_run(&w);
	second = world_facts(&w).copying;
	assert_int_equal(second.count, first.count + 1);
	assert_int_equal(second.target, 1);
	assert_int_equal(second.bytes, 2 * MIRROR_REGION_MIN);
	assert_true(second.ns > 0);
	w.now_ns += MIRROR_TIDY_NS;
	world_run(&w);
	assert_int_equal(world_facts(&w).copying.ns, second.ns);
	world_is_whole(&w);
	world_close(&w);
}

static void what_differs_is_counted_once_whatever_of_it_is_copied_and_not_durable_yet(void **state)
{
	struct mirror_facts facts;
	unsigned copyings, between = 0;
	uint64_t all;

	(void)state;
	begin(MIRROR_BOTH_ARE_ZEROES);
	world_pull(&w, 1);
	for (unsigned i = 0; i < CELLS; i++)
		write_cell(i);
	facts = world_facts(&w);
	copyings = facts.copying.count;
	all = (uint64_t)facts.marked * facts.region_bytes;
	assert_true(all > 0);
	disk_card_insert(NULL, w.card[1]);
	world_give(&w, 1);
	w.fake[1].reap_max = 1; /* so that it can be seen in the midst */
	do {
		world_poll(&w);
		facts = world_facts(&w);
		if (facts.copying.count == copyings)
			continue;
		assert_int_equal(facts.copying.differed_bytes, all);
		assert_int_equal(facts.behind_bytes + facts.copying.bytes, facts.copying.differed_bytes);
		between += facts.behind_bytes && facts.copying.bytes;
	} while (facts.half[1] != MIRROR_FRESH);
	assert_true(between > 0);
	assert_int_equal(facts.behind_bytes, 0);
	world_is_whole(&w);
	world_close(&w);
}

static void copying_is_kept_to_its_rate_and_writes_go_on_meanwhile(void **state)
{
	enum { RATE = 16 << 20, COPIED = WORLD_SIZE - MIRROR_RESERVED, NS_PER_KIB = 1000000000 / (RATE >> 10) };
	struct mirror_conf conf = { .uuid = { 42 }, .new = MIRROR_COPY_ALL, .resync_rate_bytes = RATE };
	struct polled *polled = begin_as(&conf);
	struct mirror_facts facts;
	unsigned writes = 0;

	(void)state;
	while ((facts = world_facts(&w)).half[1] != MIRROR_FRESH) {
		if (facts.behind_bytes)
			assert_in_range(polled->ops->deadline_ns(NULL, polled), w.now_ns - 1000000,
					w.now_ns + MIRROR_CHUNK / 1024 * NS_PER_KIB);
		write_cell(writes++ % CELLS);
	}
	assert_true(writes > 10);
	assert_int_equal(facts.copying.bytes, COPIED);
	/* The last chunk goes when what is before it is paid for but for the burst. */
	assert_in_range(facts.copying.ns, (COPIED - MIRROR_CHUNK) / 1024 * NS_PER_KIB - ESW_METER_BURST_NS,
			COPIED / 1024 * NS_PER_KIB + 2000000);
	world_is_whole(&w);
	world_close(&w);
}

static void a_mirror_that_settles_has_nothing_marked_at_once(void **state)
{
	(void)state;
	begin(MIRROR_BOTH_ARE_ZEROES);
	for (unsigned i = 0; i < CELLS; i++)
		write_cell(i);
	assert_int_not_equal(world_facts(&w).marked, 0);
	assert_false(mirror_settle(NULL, w.mirror));
	for (unsigned n = 0; n < 1000 && !mirror_settle(NULL, w.mirror); n++)
		world_run(&w);
	assert_true(mirror_settle(NULL, w.mirror));
	assert_int_equal(world_facts(&w).marked, 0);
	world_is_whole(&w);
	/* A write that is under way keeps its mark, and one half alone keeps all. */
	cell_begin(&w, &w.cells[1], BLOCK_WRITE);
	assert_false(mirror_settle(NULL, w.mirror));
	world_run(&w);
	world_pull(&w, 1);
	write_cell(2);
	assert_true(mirror_settle(NULL, w.mirror));
	world_run(&w);
	assert_int_not_equal(world_facts(&w).marked, 0);
	world_close(&w);
}

static void the_half_that_went_last_is_named(void **state)
{
	(void)state;
	begin(MIRROR_BOTH_ARE_ZEROES);
	assert_int_equal(world_facts(&w).last, -1);
	world_pull(&w, 0);
	write_cell(1);
	world_pull(&w, 1);
	world_run(&w);
	assert_int_equal(world_facts(&w).last, 1);
	disk_card_insert(NULL, w.card[0]);
	world_give(&w, 0);
	world_run(&w);
	assert_int_equal(world_facts(&w).last, 1);
	assert_int_equal(world_facts(&w).half[0], MIRROR_KNOWN);
	disk_card_insert(NULL, w.card[1]);
	world_give(&w, 1);
	world_run(&w);
	assert_int_equal(world_facts(&w).last, -1);
	world_read_all(&w);
	world_is_whole(&w);
	world_close(&w);
}

static void a_front_that_holds_a_call_back_keeps_the_worker_awake_until_it_is_due(void **state)
{
	struct block_front front = { .ops = &silent_ops };

	(void)state;
	begin(MIRROR_BOTH_ARE_ZEROES);
	w.now_ns += MIRROR_TIDY_NS;
	world_run(&w);
	assert_int_equal(mirror_bind(NULL, w.mirror, &front), 0);
	check_due(mirror_polled(w.mirror), &front, w.now_ns + 1000000);
	assert_int_equal(mirror_unbind(NULL, w.mirror, &front), 0);
	world_close(&w);
}

static void a_set_is_as_busy_as_the_busiest_of_its_mirrors(void **state)
{
	struct mirror *room[2];
	struct mirror_set set;
	struct polled *polled = &set.polled;

	(void)state;
	mirror_set_init(&set, room);
	assert_int_equal(polled->ops->poll(NULL, polled, 1), 0);
	assert_true(polled->ops->deadline_ns(NULL, polled) == UINT64_MAX);
	assert_false(polled->ops->arm(NULL, polled));
	assert_false(polled->ops->needs_poll(NULL, polled));
	begin(MIRROR_BOTH_ARE_ZEROES);
	mirror_set_add(&set, w.mirror);
	w.now_ns += MIRROR_TIDY_NS;
	world_run(&w);
	assert_false(polled->ops->arm(NULL, polled));
	cell_begin(&w, &w.cells[0], BLOCK_WRITE); /* its region's mark is to be written */
	w.mirror->look = true;
	assert_true(polled->ops->arm(NULL, polled));
	assert_int_equal(polled->ops->deadline_ns(NULL, polled), 0);
	polled->ops->disarm(NULL, polled);
	assert_true(polled->ops->poll(NULL, polled, w.now_ns) > 0);
	world_run(&w);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_blank_halves_become_a_mirror),
		cmocka_unit_test(halves_that_are_zeroes_need_no_copy),
		cmocka_unit_test(a_write_is_on_both_halves_and_marked_before),
		cmocka_unit_test(reads_and_writes_go_on_without_a_half_and_only_the_changes_are_copied),
		cmocka_unit_test(a_stale_half_by_itself_is_not_taken),
		cmocka_unit_test(the_half_that_knows_it_was_alone_begins_alone),
		cmocka_unit_test(an_operator_may_force_a_half_and_the_other_follows),
		cmocka_unit_test(a_running_mirror_may_be_forced_to_go_on_with_the_older_half),
		cmocka_unit_test(a_half_of_another_mirror_is_refused),
		cmocka_unit_test(a_half_whose_end_holds_something_else_is_refused),
		cmocka_unit_test(a_mark_that_says_the_impossible_is_refused),
		cmocka_unit_test(a_damaged_copy_of_a_mark_is_passed_over),
		cmocka_unit_test(a_bad_block_is_read_from_the_other_half),
		cmocka_unit_test(nothing_is_acknowledged_that_only_a_half_has_which_does_not_count),
		cmocka_unit_test(fronts_are_kept_to_their_rate_and_the_worker_is_told_when_to_come_back),
		cmocka_unit_test(a_copying_is_told_by_its_half_its_bytes_and_its_time),
		cmocka_unit_test(what_differs_is_counted_once_whatever_of_it_is_copied_and_not_durable_yet),
		cmocka_unit_test(copying_is_kept_to_its_rate_and_writes_go_on_meanwhile),
		cmocka_unit_test(a_mirror_that_settles_has_nothing_marked_at_once),
		cmocka_unit_test(the_half_that_went_last_is_named),
		cmocka_unit_test(a_front_that_holds_a_call_back_keeps_the_worker_awake_until_it_is_due),
		cmocka_unit_test(a_set_is_as_busy_as_the_busiest_of_its_mirrors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
