/* Drivers of all kinds in simulated time: none waits for a call that does not come, none is kept longer
 * than it says, and one that waits for each command is never kept at all. */
#include "dev/call_pace.h"

#include "tests/check.h"

enum { US = 1000, RING = 256 };

#define NEVER UINT64_MAX

/* A driver, a disk, and the device between them. */
static struct {
	struct call_pace pace;
	uint64_t now_ns, seed;
	/* Driver: it waits when it has 'depth' out, as its application counts them. */
	unsigned depth;
	uint64_t post_ns, answer_ns; /* it takes for a command; for a call to be heard */
	uint64_t next_post_ns, hear_ns;
	uint16_t posted, taken, event, reaped;
	/* Disk: 0: a command ends as it comes. */
	uint64_t medium_ns;
	uint64_t end_ns[RING];
	/* Device. */
	uint16_t used, told;
	uint64_t waited_ns; /* since then there is something that the driver would be told of */
	unsigned calls, held, commands;
	uint64_t longest_ns;
} w;

static void begin(unsigned depth, uint64_t post_ns, uint64_t answer_ns, uint64_t medium_ns)
{
	memset(&w, 0, sizeof w);
	w.seed = check_seed();
	w.now_ns = 1 + rand_u64(&w.seed) % 1000000000;
	w.posted = w.taken = w.event = w.reaped = w.used = w.told = (uint16_t)rand_u64(&w.seed);
	w.pace.posted = w.posted;
	w.depth = depth;
	w.post_ns = post_ns;
	w.answer_ns = answer_ns;
	w.medium_ns = medium_ns;
	w.next_post_ns = w.now_ns;
	w.hear_ns = w.waited_ns = NEVER;
}

static struct call_sight sight(void)
{
	return (struct call_sight){
		.wanted = (uint16_t)(w.used - w.event - 1) < (uint16_t)(w.used - w.told),
		.posted = w.posted,
		.under_way = (uint16_t)(w.posted - w.event),
	};
}

static void look(void)
{
	struct call_sight seen = sight();
	enum call_verdict verdict = call_pace_look(&w.pace, &seen, w.now_ns);

	if (!seen.wanted) {
		assert_int_equal(verdict, CALL_NOT);
		w.waited_ns = NEVER;
	} else if (w.waited_ns == NEVER) {
		w.waited_ns = w.now_ns;
	}
	if (verdict == CALL_LATER) {
		w.held++;
		assert_true(w.pace.due_ns > w.now_ns);
		assert_true(w.pace.due_ns <= w.waited_ns + CALL_HOLD_NS);
		return;
	}
	assert_true(w.pace.due_ns == 0);
	w.told = w.used;
	if (verdict == CALL_NOT)
		return;
	assert_true(seen.wanted);
	w.longest_ns = max_u64(w.longest_ns, w.now_ns - w.waited_ns);
	w.waited_ns = NEVER;
	w.calls++;
	w.hear_ns = min_u64(w.hear_ns, w.now_ns + w.answer_ns);
}

static uint64_t next_end_ns(void)
{
	return w.used == w.posted ? NEVER : w.end_ns[w.used % RING];
}

static bool app_waits(void)
{
	return (uint16_t)(w.posted - w.reaped) >= w.depth;
}

static void post(void)
{
	uint64_t last_ns = w.used == w.posted ? 0 : w.end_ns[(uint16_t)(w.posted - 1) % RING];

	/* In order: of what ends in any order a ring tells only how many. */
	w.end_ns[w.posted++ % RING] =
		max_u64(last_ns, w.now_ns + (w.medium_ns ? rand_u64(&w.seed) % w.medium_ns : 0));
	w.commands++;
	w.next_post_ns = w.now_ns + w.post_ns / 2 + rand_u64(&w.seed) % (w.post_ns + 1);
}

/* Takes what was used, and asks to be told of the next. */
static void hear(void)
{
	w.taken = w.event = w.used;
	w.hear_ns = NEVER;
}

/* To the next thing that happens; an application takes what there is when it can post no more. */
static void step(void)
{
	uint64_t post_ns, due_ns = w.pace.due_ns ? w.pace.due_ns : NEVER;

	if (app_waits() && w.reaped != w.taken) {
		w.reaped = w.taken;
		w.next_post_ns = max_u64(w.next_post_ns, w.now_ns + w.post_ns);
	}
	post_ns = app_waits() ? NEVER : w.next_post_ns;
	w.now_ns = max_u64(w.now_ns, min_u64(min_u64(post_ns, due_ns), min_u64(w.hear_ns, next_end_ns())));
	/* Nothing is left to happen: a call was lost. */
	assert_true(w.now_ns != NEVER);
	if (w.hear_ns <= w.now_ns)
		hear();
	if (post_ns <= w.now_ns)
		post();
	while (next_end_ns() <= w.now_ns)
		w.used++;
	look();
}

static void run(unsigned commands)
{
	for (unsigned end = w.commands + commands; w.commands < end;)
		step();
}

static void a_driver_that_waits_for_each_command_is_told_of_each_at_once(void **state)
{
	static const uint64_t media_ns[] = { 0, 5 * US, 300 * US, 5000 * US };

	(void)state;
	for (unsigned i = 0; i < array_len(media_ns); i++)
		for (uint64_t post_ns = 100; post_ns < 3000 * US; post_ns *= 5) {
			begin(1, post_ns, post_ns / 3, media_ns[i]);
			run(2000);
			assert_int_equal(w.held, 0);
			assert_in_range(w.calls, 1999, 2000);
			assert_int_equal(w.longest_ns, 0);
		}
}

static void whoever_begins_to_wait_for_each_is_kept_once_and_not_long(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		unsigned calls;

		begin(2 + round % 63, 1 * US + round * 500, 5 * US, round % 2 ? 0 : 50 * US);
		run(500);
		w.depth = 1;
		while ((uint16_t)(w.posted - w.reaped) > 1)
			step();
		w.longest_ns = 0;
		calls = w.calls;
		run(100);
		assert_true(w.longest_ns <= CALL_PAUSE_NS);
		assert_in_range(w.calls - calls, 99, 101);
		w.held = 0;
		run(100);
		assert_int_equal(w.held, 0);
	}
}

static void a_busy_driver_is_called_for_many_at_once(void **state)
{
	(void)state;
	for (uint64_t post_ns = 1 * US; post_ns <= 60 * US; post_ns *= 2)
		for (uint64_t answer_ns = 2 * US; answer_ns <= 200 * US; answer_ns *= 10) {
			begin(32, post_ns, max_u64(answer_ns, post_ns + post_ns / 2), 0);
			run(5000);
			w.calls = 0;
			run(5000);
			assert_true(w.calls < 5000 / 6);
		}
}

static void one_that_waits_with_all_is_told_of_the_first_that_ends(void **state)
{
	struct call_pace pace = { 0 };
	struct call_sight seen = { .posted = 32, .under_way = 32 };

	(void)state;
	assert_int_equal(call_pace_look(&pace, &seen, 1000), CALL_NOT);
	seen.wanted = true;
	assert_int_equal(call_pace_look(&pace, &seen, 1001), CALL_NOW);
	/* It took that one: until it has posted another it is not waiting. */
	seen.under_way = 31;
	assert_int_equal(call_pace_look(&pace, &seen, 1002), CALL_LATER);
	seen.posted = 33;
	seen.under_way = 32;
	assert_int_equal(call_pace_look(&pace, &seen, 1003), CALL_NOW);
	assert_int_equal(pace.due_ns, 0);
}

static void what_cannot_be_known_is_told_at_once(void **state)
{
	struct call_pace pace = { .depth = 32 };
	struct call_sight seen = { .wanted = true, .posted = 7 };

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(call_pace_look(&pace, &seen, 1000 + i), CALL_NOW);
}

static void one_that_looks_by_itself_meanwhile_is_not_called(void **state)
{
	struct call_pace pace = { .depth = 32, .posted = 3, .posted_ns = 1000 };
	struct call_sight seen = { .wanted = true, .posted = 4, .under_way = 3 };

	(void)state;
	assert_int_equal(call_pace_look(&pace, &seen, 2000), CALL_LATER);
	assert_true(pace.due_ns != 0);
	seen = (struct call_sight){ .posted = 4, .under_way = 1 };
	assert_int_equal(call_pace_look(&pace, &seen, 3000), CALL_NOT);
	assert_int_equal(pace.due_ns, 0);
}

/* Changes its mind about everything, and looks at its ring unasked. */
static void no_call_is_lost_or_late_whatever_the_driver_does(void **state)
{
	unsigned held = 0;

	(void)state;
	begin(1, 1000, 1000, 0);
	for (unsigned round = 0; round < 3000; round++) {
		w.depth = 1 + rand_u64(&w.seed) % (rand_u64(&w.seed) & 1 ? 4 : 128);
		w.post_ns = 100 << rand_u64(&w.seed) % 14;
		w.answer_ns = 100 << rand_u64(&w.seed) % 12;
		w.medium_ns = rand_u64(&w.seed) & 1 ? 0 : 1000 << rand_u64(&w.seed) % 12;
		for (unsigned i = rand_u64(&w.seed) % 200; i > 0; i--) {
			step();
			if (rand_u64(&w.seed) % 50 == 0)
				hear();
			if (rand_u64(&w.seed) % 200 == 0)
				w.next_post_ns = w.now_ns + rand_u64(&w.seed) % (5000 * US);
		}
		assert_true(w.longest_ns <= CALL_HOLD_NS);
		held += w.held;
		w.held = 0;
	}
	assert_true(held > 10000);
	/* Then it waits for all. */
	w.next_post_ns = NEVER - 1;
	while (w.taken != w.posted)
		step();
	assert_true(w.now_ns < NEVER - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_driver_that_waits_for_each_command_is_told_of_each_at_once),
		cmocka_unit_test(whoever_begins_to_wait_for_each_is_kept_once_and_not_long),
		cmocka_unit_test(a_busy_driver_is_called_for_many_at_once),
		cmocka_unit_test(one_that_waits_with_all_is_told_of_the_first_that_ends),
		cmocka_unit_test(what_cannot_be_known_is_told_at_once),
		cmocka_unit_test(one_that_looks_by_itself_meanwhile_is_not_called),
		cmocka_unit_test(no_call_is_lost_or_late_whatever_the_driver_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
