/* One function overloads the card; what do the others keep?  A card, a line of 10 Gbit/s, fronts
 * that send for ever, and a clock that the test moves. */
#include "sim/card_world.h"

enum {
	STEP_NS = 10000,
	LINE_BYTES_A_STEP = 12500, /* 10 Gbit/s */
};

static void endless(struct world *w, unsigned n, uint64_t dst, uint32_t size)
{
	world_send(w, n, dst, WORLD_MAC(n), 0, size);
	w->front[n]->endless = true;
}

/* Runs for a time; the worker goes round several times a step, as it does when it is busy. */
static void run_for(struct world *w, uint64_t time_ns)
{
	w->line->keep = false;
	for (uint64_t end_ns = w->now_ns + time_ns; w->now_ns < end_ns;) {
		w->now_ns += STEP_NS;
		if (w->line->capacity != UINT32_MAX)
			w->line->capacity = min_u32(w->line->capacity + LINE_BYTES_A_STEP,
						    2 * LINE_BYTES_A_STEP);
		for (unsigned i = 0; i < 4; i++)
			nic_card_poll(NULL, w->card, w->now_ns);
	}
}

static uint64_t line_bytes(const struct world *w, unsigned n)
{
	return w->line->sent_of[WORLD_MAC(n) % array_len(w->line->sent_of)];
}

static void assert_share(uint64_t got, double wanted, double tolerance_pct)
{
	double off = ((double)got - wanted) * 100 / wanted;

	if (off > tolerance_pct || off < -tolerance_pct)
		fail_msg("got %" PRIu64 ", wanted %.0f: %.2f %% off", got, wanted, off);
}

static void test_a_bit_rate_is_kept_to_and_reached(void **state)
{
	static const uint64_t rates_bps[] = { 1000000, 50000000, 900000000, 4000000000 };
	static const uint32_t sizes[] = { 64, 333, 1514 };

	(void)state;
	for (unsigned i = 0; i < array_len(rates_bps); i++)
		for (unsigned k = 0; k < array_len(sizes); k++) {
			struct nic_vf_conf conf = world_vf(1);
			struct world w;

			world_open_plain(&w);
			conf.rate_bps = rates_bps[i];
			world_bind(&w, 1, &conf);
			conf = world_vf(2);
			world_bind(&w, 2, &conf);
			endless(&w, 1, WORLD_MAC(2), sizes[k]);
			run_for(&w, UINT64_C(1000000000));
			/* one second's worth and 4 ms of burst */
			assert_share(w.front[2]->given_bytes * 8, (double)rates_bps[i] * 1.004, 1.5);
			assert_int_equal(world_all_drops(&w, 1) + world_all_drops(&w, 2), 0);
			world_close(&w);
		}
}

static void test_a_frame_rate_is_kept_to_and_reached(void **state)
{
	static const uint64_t rates_pps[] = { 1000, 200000, 3000000 };

	(void)state;
	for (unsigned i = 0; i < array_len(rates_pps); i++) {
		struct nic_vf_conf conf = world_vf(1);
		struct world w;

		world_open_plain(&w);
		conf.rate_pps = rates_pps[i];
		world_bind(&w, 1, &conf);
		conf = world_vf(2);
		world_bind(&w, 2, &conf);
		endless(&w, 1, WORLD_MAC(2), 64);
		run_for(&w, UINT64_C(1000000000));
		assert_share(w.front[2]->given, (double)rates_pps[i] * 1.004, 1.0);
		world_close(&w);
	}
}

static void test_the_worker_is_told_when_tokens_are_back(void **state)
{
	struct nic_vf_conf conf = world_vf(1);
	unsigned polls = 0;
	struct world w;

	(void)state;
	world_open_plain(&w);
	conf.rate_pps = 1000;
	world_bind(&w, 1, &conf);
	conf = world_vf(2);
	world_bind(&w, 2, &conf);
	endless(&w, 1, WORLD_MAC(2), 64);
	for (uint64_t end_ns = w.now_ns + UINT64_C(1000000000); w.now_ns < end_ns; polls++) {
		uint64_t deadline_ns;

		if (nic_card_poll(NULL, w.card, w.now_ns))
			continue;
		assert_false(nic_card_arm(NULL, w.card)); /* its ring has frames, but no tokens */
		deadline_ns = nic_card_deadline_ns(NULL, w.card);
		assert_true(deadline_ns > w.now_ns && deadline_ns <= w.now_ns + 1000001);
		w.now_ns = deadline_ns;
	}
	assert_in_range(w.front[2]->given, 1000, 1010);
	assert_true(polls < 2500);
	world_close(&w);
}

static void test_others_keep_the_line_when_one_is_limited(void **state)
{
	struct nic_vf_conf conf = world_vf(1);
	struct world w;

	(void)state;
	world_open_plain(&w);
	w.line->capacity = 0;
	conf.rate_bps = 1000000000;
	world_bind(&w, 1, &conf);
	conf = world_vf(2);
	world_bind(&w, 2, &conf);
	endless(&w, 1, OUTSIDE_MAC, 1514);
	endless(&w, 2, OUTSIDE_MAC, 1514);
	run_for(&w, 200000000);
	assert_share(line_bytes(&w, 1) * 8, 1e9 * 0.204, 1.0);
	assert_share(line_bytes(&w, 2) * 8, 9e9 * 0.2, 1.0);
	world_close(&w);
}

/* Frames a second are what small frames are limited by: one function floods with them. */
static void test_others_keep_the_line_when_one_is_limited_in_frames(void **state)
{
	struct nic_vf_conf conf = world_vf(1);
	struct world w;

	(void)state;
	world_open_plain(&w);
	w.line->capacity = 0;
	conf.rate_pps = 500000;
	conf.weight = 1000;
	conf.priority = 7;
	world_bind(&w, 1, &conf);
	conf = world_vf(2);
	world_bind(&w, 2, &conf);
	endless(&w, 1, OUTSIDE_MAC, 64);
	endless(&w, 2, OUTSIDE_MAC, 1514);
	run_for(&w, 200000000);
	assert_share(line_bytes(&w, 1), 500000 * 0.204 * 64, 1.0);
	assert_share(line_bytes(&w, 2), LINE_BYTES_A_STEP * 20000.0 - 500000 * 0.204 * 64, 1.0);
	assert_int_equal(world_all_drops(&w, 1) + world_all_drops(&w, 2), 0);
	world_close(&w);
}

/* Frames that are dropped cost the worker what others do: a function that sends nothing else has its share of the
 * worker and no more. */
static void test_frames_that_are_dropped_take_nothing_from_the_others(void **state)
{
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 3);
	world_send(&w, 1, WORLD_MAC(3), OUTSIDE_MAC, 0, 200); /* not its address */
	w.front[1]->endless = true;
	endless(&w, 2, WORLD_MAC(3), 200);
	for (unsigned i = 0; i < 2000; i++)
		nic_card_poll(NULL, w.card, w.now_ns += STEP_NS);
	assert_share(w.front[2]->sent, (double)w.front[1]->sent, 1.0);
	assert_int_equal(w.front[3]->given, w.front[2]->sent);
	assert_int_equal(world_drops(&w, 1, ESW_DROP_SPOOFED), w.front[1]->sent);
	world_close(&w);
}

/* Random weights and frame sizes, all in one class and all greedy: bytes go by weight. */
static void share_by_weight(uint64_t *seed)
{
	unsigned count = 2 + (unsigned)(rand_u64(seed) % (WORLD_FRONTS - 1));
	uint16_t weight[WORLD_FRONTS + 1];
	double weights = 0, all = 0;
	struct nic_vf_conf conf;
	struct world w;

	world_open_plain(&w);
	w.line->capacity = 0;
	for (unsigned n = 1; n <= count; n++) {
		conf = world_vf(n);
		conf.weight = (uint16_t)(20 + rand_u64(seed) % 981);
		conf.priority = 3;
		world_bind(&w, n, &conf);
		endless(&w, n, OUTSIDE_MAC, 64 + (uint32_t)(rand_u64(seed) % 1451));
		weights += weight[n] = conf.weight;
	}
	run_for(&w, 300000000);
	for (unsigned n = 1; n <= count; n++)
		all += (double)line_bytes(&w, n);
	assert_share((uint64_t)all, LINE_BYTES_A_STEP * 30000.0, 1.0);
	for (unsigned n = 1; n <= count; n++)
		assert_share(line_bytes(&w, n), all * weight[n] / weights, 1.0);
	world_close(&w);
}

static void test_the_line_is_shared_by_weight_whatever_the_frame_sizes(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		share_by_weight(&seed);
}

static void test_the_least_weight_gets_its_thousandth(void **state)
{
	struct nic_vf_conf conf = world_vf(1);
	struct world w;

	(void)state;
	world_open_plain(&w);
	w.line->capacity = 0;
	conf.weight = 1;
	world_bind(&w, 1, &conf);
	conf = world_vf(2);
	conf.weight = 1000;
	world_bind(&w, 2, &conf);
	endless(&w, 1, OUTSIDE_MAC, 1514);
	endless(&w, 2, OUTSIDE_MAC, 1514);
	run_for(&w, UINT64_C(2000000000));
	assert_share(line_bytes(&w, 1), LINE_BYTES_A_STEP * 200000.0 / 1001, 2.0);
	world_close(&w);
}

static void test_a_higher_class_takes_all_it_asks_for(void **state)
{
	struct nic_vf_conf conf = world_vf(1);
	struct world w;

	(void)state;
	world_open_plain(&w);
	w.line->capacity = 0;
	conf.priority = 7;
	conf.rate_bps = 3000000000;
	conf.weight = 1;
	world_bind(&w, 1, &conf);
	conf = world_vf(2);
	conf.weight = 1000;
	world_bind(&w, 2, &conf);
	endless(&w, 1, OUTSIDE_MAC, 200);
	endless(&w, 2, OUTSIDE_MAC, 1514);
	run_for(&w, 200000000);
	assert_share(line_bytes(&w, 1) * 8, 3e9 * 0.204, 1.0);
	assert_share(line_bytes(&w, 2) * 8, 7e9 * 0.2 - 3e9 * 0.004, 1.0);
	assert_int_equal(world_all_drops(&w, 1), 0);
	world_close(&w);
}

static void test_a_lower_class_gets_nothing_from_a_greedy_higher_one(void **state)
{
	struct nic_vf_conf conf = world_vf(1);
	struct world w;

	(void)state;
	world_open_plain(&w);
	w.line->capacity = 0;
	conf.priority = 1;
	world_bind(&w, 1, &conf);
	conf = world_vf(2);
	world_bind(&w, 2, &conf);
	endless(&w, 1, OUTSIDE_MAC, 1514);
	endless(&w, 2, OUTSIDE_MAC, 1514);
	run_for(&w, 50000000);
	assert_share(line_bytes(&w, 1), LINE_BYTES_A_STEP * 5000.0, 1.0);
	assert_true(line_bytes(&w, 2) < 40 * 1514); /* what went before the other began */
	world_close(&w);
}

static void test_the_lines_own_rate_is_kept_to(void **state)
{
	struct nic_vf_conf conf = world_vf(1);
	struct world w;

	(void)state;
	world_open(&w, &(struct nic_card_conf){ .vf_count = 2,
						.fdb_entries = 64,
						.fdb_age_ns = UINT64_C(300000000000),
						.line_bps = 250000000 });
	world_bind(&w, 1, &conf);
	conf = world_vf(2);
	conf.weight = 300;
	world_bind(&w, 2, &conf);
	endless(&w, 1, OUTSIDE_MAC, 700);
	endless(&w, 2, OUTSIDE_MAC, 1514);
	run_for(&w, UINT64_C(1000000000));
	assert_share(w.line->sent_bytes * 8, 250e6 * 1.004, 1.0);
	assert_share(line_bytes(&w, 1) * 3, (double)line_bytes(&w, 2), 2.0);
	world_close(&w);
}

/* What frames cost the worker, in the card's own currency: bytes, and 1024 a frame. */
static double worker_time(const struct world *w, unsigned n)
{
	return (double)w->front[n]->sent_bytes + 1024.0 * (double)w->front[n]->sent;
}

/* Between functions the worker's time is what is shared. */
static void test_no_function_takes_the_workers_time_from_the_others(void **state)
{
	static uint8_t large[60000];
	uint64_t seed = check_seed();
	double all = 0;
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 6);
	put_be48(large + ETH_DST, WORLD_MAC(6));
	put_be48(large + ETH_SRC, WORLD_MAC(1));
	fake_front_send_bytes(w.front[1], large, sizeof large); /* the greediest there is */
	w.front[1]->endless = true;
	for (unsigned n = 2; n <= 5; n++)
		endless(&w, n, WORLD_MAC(6), 64 + (uint32_t)(rand_u64(&seed) % 1451));
	for (unsigned i = 0; i < 2000; i++)
		nic_card_poll(NULL, w.card, w.now_ns += STEP_NS);
	for (unsigned n = 1; n <= 5; n++)
		all += worker_time(&w, n);
	for (unsigned n = 1; n <= 5; n++)
		assert_share((uint64_t)worker_time(&w, n), all / 5, 2.0);
	world_close(&w);
}

/* What a burst costs beside its frames is shared by many, whatever their size. */
static void test_frames_that_wait_are_taken_in_long_bursts(void **state)
{
	static const uint32_t sizes[] = { 64, 300, 512, 1000, 1514 };

	(void)state;
	for (unsigned i = 0; i < array_len(sizes); i++) {
		struct world w;

		world_open_plain(&w);
		world_bind_plain(&w, 2);
		endless(&w, 1, WORLD_MAC(2), sizes[i]);
		for (unsigned k = 0; k < 500; k++)
			nic_card_poll(NULL, w.card, w.now_ns += STEP_NS);
		if (w.front[1]->sent < 28 * w.front[1]->bursts)
			fail_msg("%u bytes: %" PRIu64 " frames in %" PRIu64 " bursts", sizes[i],
				 w.front[1]->sent, w.front[1]->bursts);
		world_close(&w);
	}
}

static void test_a_quiet_function_is_served_within_two_rounds(void **state)
{
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 8);
	for (unsigned n = 1; n <= 6; n++)
		endless(&w, n, WORLD_MAC(7), 1514);
	for (unsigned i = 0; i < 200; i++) {
		nic_card_poll(NULL, w.card, w.now_ns += STEP_NS);
		world_send(&w, 8, WORLD_MAC(7), WORLD_MAC(8), 0, 64);
		for (unsigned k = 0; k < 2; k++)
			nic_card_poll(NULL, w.card, w.now_ns += STEP_NS);
		assert_int_equal(w.front[8]->script_count, 0);
	}
	world_close(&w);
}

/* A receiver that posts no buffers costs its senders nothing but those frames. */
static void test_a_receiver_that_does_not_read_blocks_nobody(void **state)
{
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 4);
	w.front[2]->room = 0;
	endless(&w, 1, WORLD_MAC(2), 300);
	endless(&w, 3, WORLD_MAC(4), 300);
	for (unsigned i = 0; i < 1000; i++)
		nic_card_poll(NULL, w.card, w.now_ns += STEP_NS);
	assert_share(w.front[3]->sent, (double)w.front[1]->sent, 1.0);
	assert_int_equal(w.front[4]->given, w.front[3]->sent);
	assert_int_equal(world_drops(&w, 2, ESW_DROP_NO_BUFFER), w.front[1]->sent);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_bit_rate_is_kept_to_and_reached),
		cmocka_unit_test(test_a_frame_rate_is_kept_to_and_reached),
		cmocka_unit_test(test_the_worker_is_told_when_tokens_are_back),
		cmocka_unit_test(test_others_keep_the_line_when_one_is_limited),
		cmocka_unit_test(test_others_keep_the_line_when_one_is_limited_in_frames),
		cmocka_unit_test(test_frames_that_are_dropped_take_nothing_from_the_others),
		cmocka_unit_test(test_the_line_is_shared_by_weight_whatever_the_frame_sizes),
		cmocka_unit_test(test_the_least_weight_gets_its_thousandth),
		cmocka_unit_test(test_a_higher_class_takes_all_it_asks_for),
		cmocka_unit_test(test_a_lower_class_gets_nothing_from_a_greedy_higher_one),
		cmocka_unit_test(test_the_lines_own_rate_is_kept_to),
		cmocka_unit_test(test_no_function_takes_the_workers_time_from_the_others),
		cmocka_unit_test(test_frames_that_wait_are_taken_in_long_bursts),
		cmocka_unit_test(test_a_quiet_function_is_served_within_two_rounds),
		cmocka_unit_test(test_a_receiver_that_does_not_read_blocks_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
