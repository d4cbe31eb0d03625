/* Handles that are allocated alone. */
#include "attach/handle.h"

#include "base/base.h"
#include "tests/check.h"

enum { PERIOD_MS = 20, FIRINGS = 5, TIMERS = 3 };

struct firings {
	uint64_t last_ms;
	unsigned count;
};

static void on_timer(uv_timer_t *timer)
{
	struct firings *f = timer->data;

	f->last_ms = uv_now(timer->loop);
	f->count++;
	attach_timer_next(timer, on_timer, PERIOD_MS);
}

static void timers_of_one_period_fire_together_whenever_they_were_started(void **state)
{
	struct firings firings[TIMERS] = { 0 };
	uv_timer_t *timer[TIMERS];
	uv_loop_t loop;

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	for (unsigned i = 0; i < TIMERS; i++) {
		assert_int_equal(attach_timer_open(&timer[i], &loop, &firings[i]), 0);
		attach_timer_next(timer[i], on_timer, PERIOD_MS);
		uv_sleep(PERIOD_MS / 4); /* the next begins at another time */
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	while (firings[TIMERS - 1].count < FIRINGS) {
		unsigned before = firings[0].count;

		uv_run(&loop, UV_RUN_ONCE);
		for (unsigned i = 1; i < TIMERS && firings[0].count > before; i++)
			assert_int_equal(firings[i].last_ms, firings[0].last_ms);
	}
	assert_true(firings[0].count >= FIRINGS);
	for (unsigned i = 0; i < TIMERS; i++)
		attach_handle_close((uv_handle_t *)timer[i]);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_descriptor_that_cannot_be_polled_is_refused_and_leaves_nothing(void **state)
{
	uv_poll_t *poll = (uv_poll_t *)(void *)state;
	uv_loop_t loop;

	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_not_equal(attach_poll_open(&poll, &loop, -1, state), 0);
	assert_null(poll);
	attach_poll_close(&poll);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_of_one_period_fire_together_whenever_they_were_started),
		cmocka_unit_test(a_descriptor_that_cannot_be_polled_is_refused_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
