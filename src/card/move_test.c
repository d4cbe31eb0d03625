/* A card whose driver is slow, stuck or gone: what the control thread finds, and what moves to
 * another card. */
#include "sim/card_world.h"

/* The second card of a pair. */
static struct world a, b;

static void open_pair(void)
{
	world_open_plain(&a);
	world_open_plain(&b);
}

static void close_pair(void)
{
	world_close(&a);
	world_close(&b);
}

static void move(unsigned vf, unsigned to_vf, const struct nic_vf_conf *conf, unsigned frames)
{
	struct nic_front *front;

	world_hold(&a);
	world_hold(&b);
	front = nic_card_unbind(NULL, a.card, vf);
	assert_ptr_equal(front, &a.front[vf]->front);
	assert_int_equal(nic_card_bind(NULL, b.card, to_vf, front, conf, NULL), 0);
	assert_int_equal(nic_card_move_staged(NULL, a.card, vf, b.card, to_vf), frames);
	nic_card_announce(NULL, b.card, to_vf);
	world_release(&b);
	world_release(&a);
}

static void test_what_waits_for_the_line_moves_with_the_function(void **state)
{
	struct nic_vf_conf conf = world_vf(1);

	(void)state;
	open_pair();
	conf.vlan = 9;
	world_bind(&a, 1, &conf);
	a.line->capacity = 0;
	for (unsigned i = 0; i < 100; i++)
		world_send(&a, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 60 + i);
	for (unsigned i = 0; i < 20; i++)
		nic_card_poll(NULL, a.card, a.now_ns += 1000);
	move(1, 2, &conf, NIC_CARD_STAGED_MAX);
	world_run(&b);
	assert_int_equal(b.line->sent, 101); /* and one announcement ahead of them */
	assert_int_equal(get_be16(b.line->log[0].bytes + 16), ETHERTYPE_RARP);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(b.line->log[i + 1].size, 64 + i);
	assert_int_equal(world_all_drops(&a, 1), 0);
	close_pair();
}

static void test_an_announcement_is_made_three_times(void **state)
{
	struct nic_vf_conf conf = world_vf(1);
	const uint8_t *rarp;

	(void)state;
	open_pair();
	world_bind(&a, 1, &conf);
	a.now_ns += 1000000;
	world_hold(&a);
	nic_card_announce(NULL, a.card, 1);
	world_release(&a);
	assert_true(nic_card_deadline_ns(NULL, a.card) <= a.now_ns);
	for (unsigned i = 1; i <= 3; i++) {
		uint64_t before_ns = a.now_ns;

		nic_card_poll(NULL, a.card, a.now_ns);
		assert_int_equal(a.line->sent, i);
		if (i < 3)
			a.now_ns = nic_card_deadline_ns(NULL, a.card);
		assert_int_equal(a.now_ns - before_ns, i == 1 ? 50000000 : i == 2 ? 200000000 : 0);
	}
	assert_true(nic_card_deadline_ns(NULL, a.card) == UINT64_MAX);
	rarp = a.line->log[0].bytes;
	assert_int_equal(a.line->log[0].size, 60);
	assert_int_equal(get_be48(rarp), ETH_BROADCAST);
	assert_int_equal(get_be48(rarp + ETH_SRC), WORLD_MAC(1));
	assert_int_equal(get_be16(rarp + ETH_TYPE), ETHERTYPE_RARP);
	assert_int_equal(get_be16(rarp + 14 + RARP_OPERATION), RARP_REQUEST_REVERSE);
	assert_int_equal(get_be48(rarp + 14 + RARP_TARGET_MAC), WORLD_MAC(1));
	close_pair();
}

static void test_addresses_behind_a_function_move_and_are_announced(void **state)
{
	struct nic_vf_conf conf = world_vf(1);

	(void)state;
	open_pair();
	conf.spoof_check = false;
	world_bind(&a, 1, &conf);
	a.front[1]->front.filter.promisc = 1;
	world_send(&a, 1, OUTSIDE_MAC, UINT64_C(0x020000000077), 12, 100);
	world_run(&a);
	move(1, 5, &conf, 0);
	world_run(&b);
	assert_int_equal(b.line->sent, 2);
	assert_int_equal(get_be48(b.line->log[1].bytes + ETH_SRC), UINT64_C(0x020000000077));
	assert_int_equal(get_be16(b.line->log[1].bytes + VLAN_TCI), 12);
	world_arrive(&b, UINT64_C(0x020000000077), OUTSIDE_MAC, 12, 100);
	world_run(&b);
	assert_int_equal(a.front[1]->given, 1);
	close_pair();
}

/* Which of 'count' addresses from 'base' on a line was told of in frames 'from' to the last; how many times. */
static void count_announced(const struct fake_line *line, unsigned from, uint64_t base, unsigned *times,
			    unsigned count)
{
	for (unsigned i = from; i < line->log_count; i++) {
		const uint8_t *bytes = line->log[i].bytes;
		uint64_t n = get_be48(bytes + ETH_SRC) - base;

		assert_int_equal(get_be16(bytes + 16), ETHERTYPE_RARP); /* all here are tagged */
		if (n < count)
			times[n]++;
	}
}

/* More than fit into one window, and more than a few. */
static void test_all_of_many_addresses_move_and_are_announced_each_time(void **state)
{
	enum { MANY = 400 };
	struct nic_card_conf large = { .vf_count = WORLD_FRONTS, .fdb_entries = 2048,
				       .fdb_age_ns = UINT64_C(300000000000) };
	static struct esw_fdb_row rows[MANY + 2];
	const uint64_t base = UINT64_C(0x020000020000);
	struct nic_vf_conf conf[2] = { world_vf(1), world_vf(2) };
	unsigned from = 0, moved = 0, n;

	(void)state;
	world_open(&a, &large);
	world_open(&b, &large);
	conf[0].spoof_check = conf[1].spoof_check = false;
	conf[0].vlan = conf[1].vlan = 30;
	world_bind(&a, 1, &conf[0]);
	world_bind(&a, 2, &conf[1]);
	for (unsigned i = 0; i < MANY; i++) {
		world_send(&a, 1, OUTSIDE_MAC, base + i, 0, 60);
		world_run(&a);
	}
	move(1, 3, &conf[0], 0);
	move(2, 5, &conf[1], 0); /* has one, and its turn as well */
	for (unsigned round = 1; round <= 3; round++) {
		unsigned times[MANY] = { 0 };

		world_run(&b);
		count_announced(b.line, from, base, times, MANY);
		for (unsigned i = 0; i < MANY; i++)
			assert_int_equal(times[i], 1);
		assert_int_equal(b.line->log_count, round * (MANY + 2));
		from = b.line->log_count;
		b.now_ns += 250000000;
	}
	world_run(&b);
	assert_int_equal(b.line->log_count, from);
	world_hold(&b);
	n = nic_card_fdb(NULL, b.card, rows, array_len(rows), b.now_ns);
	world_release(&b);
	assert_int_equal(n, MANY + 2);
	for (unsigned i = 0; i < n; i++)
		moved += !rows[i].fixed && rows[i].port == 3 && rows[i].vlan == 30;
	assert_int_equal(moved, MANY);
	close_pair();
}

/* A function that gets another front has nothing of what was behind the one before. */
static void test_addresses_that_did_not_move_are_forgotten_with_the_next_front(void **state)
{
	struct nic_vf_conf conf = world_vf(1);
	struct esw_fdb_row rows[4];

	(void)state;
	open_pair();
	conf.spoof_check = false;
	world_bind(&a, 1, &conf);
	world_send(&a, 1, OUTSIDE_MAC, UINT64_C(0x020000000077), 0, 60);
	world_run(&a);
	world_hold(&a);
	assert_non_null(nic_card_unbind(NULL, a.card, 1));
	assert_int_equal(nic_card_bind(NULL, a.card, 1, &a.front[1]->front, &conf, NULL), 0);
	world_release(&a);
	move(1, 1, &conf, 0);
	world_hold(&b);
	assert_int_equal(nic_card_fdb(NULL, b.card, rows, 4, b.now_ns), 1);
	world_release(&b);
	close_pair();
}

static void lose_line(struct world *w)
{
	world_hold(w);
	nic_card_line_lost(NULL, w->card);
	world_release(w);
}

/* Between the news that a link is lost and the move of a function its worker goes on. */
static void test_frames_wait_while_a_lost_link_is_dealt_with(void **state)
{
	struct nic_vf_conf conf = world_vf(1);

	(void)state;
	open_pair();
	world_bind(&a, 1, &conf);
	conf = world_vf(2);
	world_bind(&a, 2, &conf);
	lose_line(&a);
	for (unsigned i = 0; i < 100; i++) {
		world_send(&a, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 60 + i);
		world_send(&a, 2, BROADCAST_MAC, WORLD_MAC(2), 0, 60 + i);
		world_run(&a);
	}
	assert_int_equal(a.line->sent, 0);
	conf = world_vf(1);
	move(1, 1, &conf, 0);
	world_run(&b);
	assert_int_equal(b.line->sent, 101);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(b.line->log[i + 1].size, 60 + i);
	assert_int_equal(world_all_drops(&a, 1), 0);
	/* The other has no second card: its frames go nowhere, but to who is here. */
	world_hold(&a);
	nic_card_set_line_up(NULL, a.card, false);
	world_release(&a);
	conf = world_vf(3);
	world_bind(&a, 3, &conf);
	world_run(&a);
	assert_int_equal(a.front[3]->given, 100);
	world_send(&a, 2, OUTSIDE_MAC, WORLD_MAC(2), 0, 60);
	world_run(&a);
	assert_int_equal(world_drops(&a, 2, ESW_DROP_LINE_DOWN), 1);
	close_pair();
}

static void test_frames_that_waited_go_when_the_link_is_there_after_all(void **state)
{
	struct nic_vf_conf conf = world_vf(1);

	(void)state;
	open_pair();
	world_bind(&a, 1, &conf);
	a.line->capacity = 0;
	for (unsigned i = 0; i < 100; i++)
		world_send(&a, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 60 + i);
	world_run(&a);
	lose_line(&a);
	a.line->capacity = UINT32_MAX;
	world_run(&a);
	assert_int_equal(a.line->sent, 0);
	world_hold(&a);
	nic_card_set_line_up(NULL, a.card, true);
	world_release(&a);
	world_run(&a);
	assert_int_equal(a.line->sent, 100);
	assert_int_equal(world_all_drops(&a, 1), 0);
	close_pair();
}

/* Inside the driver's send, without the hold: what a control thread does to a stuck card. */
static void pull_during_send(void *owner)
{
	(void)owner;
	assert_true(nic_card_hold(NULL, a.card, NULL, 10000));
	assert_ptr_equal(nic_card_unbind(NULL, a.card, 1), &a.front[1]->front);
	nic_card_detach(NULL, a.card);
	nic_card_release(NULL, a.card);
	a.line->during_send = NULL;
}

static void test_a_worker_that_comes_back_too_late_touches_nothing(void **state)
{
	struct nic_vf_conf conf = world_vf(1);
	uint64_t out;

	(void)state;
	open_pair();
	world_bind(&a, 1, &conf);
	for (unsigned i = 0; i < 100; i++)
		world_send(&a, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 60 + i);
	out = counter_get(&nic_card_counters(a.card, 0)->out_frames);
	a.line->during_send = pull_during_send;
	nic_card_poll(NULL, a.card, a.now_ns += 1000);
	assert_int_equal(counter_get(&nic_card_counters(a.card, 0)->out_frames), out);
	assert_int_equal(nic_card_poll(NULL, a.card, a.now_ns += 1000), 0);
	/* What the driver had not got yet moves. */
	world_hold(&a);
	world_hold(&b);
	assert_int_equal(nic_card_bind(NULL, b.card, 1, &a.front[1]->front, &conf, NULL), 0);
	assert_int_equal(nic_card_move_staged(NULL, a.card, 1, b.card, 1),
			 NIC_CARD_STAGED_MAX - a.line->sent);
	world_release(&b);
	world_release(&a);
	world_run(&b);
	assert_int_equal(a.line->sent + b.line->sent, 100);
	/* Inserted again, it works, and its buffers come round. */
	world_hold(&a);
	nic_card_attach(NULL, a.card);
	world_release(&a);
	conf = world_vf(2);
	world_bind(&a, 2, &conf);
	world_send(&a, 2, OUTSIDE_MAC, WORLD_MAC(2), 0, 60);
	out = a.line->sent;
	world_run(&a);
	assert_int_equal(a.line->sent, out + 1);
	close_pair();
}

/* A pause that takes as long as so many look-ins otherwise do. */
static unsigned pauses, pause_worth;

static unsigned take_a_pause(void)
{
	pauses++;
	return pause_worth;
}

static void wait_during_send(void *owner)
{
	(void)owner;
	for (unsigned again = 0; again < 2; again++) {
		assert_true(nic_card_hold(NULL, a.card, take_a_pause, 10000));
		nic_card_release(NULL, a.card);
	}
	a.line->during_send = NULL;
}

static void test_a_driver_is_waited_for_as_long_whatever_a_pause_takes(void **state)
{
	static const struct {
		unsigned worth, pauses;
	} row[] = { { 1, 2000 }, { 10, 200 }, { 400, 5 }, { 1999, 2 }, { 2000, 1 }, { 5000, 1 }, { UINT32_MAX, 1 } };

	(void)state;
	for (unsigned i = 0; i < array_len(row); i++) {
		struct nic_vf_conf conf = world_vf(1);

		open_pair();
		world_bind(&a, 1, &conf);
		world_send(&a, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 60);
		pauses = 0;
		pause_worth = row[i].worth;
		a.line->during_send = wait_during_send;
		world_run(&a);
		assert_int_equal(pauses, row[i].pauses); /* and not for the same call again */
		assert_int_equal(a.line->sent, 1);
		close_pair();
	}
}

/* Of a worker that keeps hold of its card: the last look comes after the last pause, however long. */
static void test_a_card_that_is_kept_is_waited_for_as_long_whatever_a_pause_takes(void **state)
{
	static const struct {
		unsigned worth, pauses;
	} row[] = { { 1, 999 }, { 10, 100 }, { 400, 3 }, { 998, 2 }, { 999, 1 }, { UINT32_MAX, 1 } };

	(void)state;
	open_pair();
	world_hold(&a);
	for (unsigned i = 0; i < array_len(row); i++) {
		pauses = 0;
		pause_worth = row[i].worth;
		assert_false(nic_card_hold(NULL, a.card, take_a_pause, 1000));
		assert_int_equal(pauses, row[i].pauses);
	}
	world_release(&a);
	close_pair();
}

/* The control thread looks in while the worker is in the driver, and leaves again. */
static void look_in_during_send(void *owner)
{
	struct esw_fdb_row rows[4];

	(void)owner;
	assert_true(nic_card_hold(NULL, a.card, NULL, 10000));
	assert_int_equal(nic_card_fdb(NULL, a.card, rows, 4, a.now_ns), 1);
	nic_card_release(NULL, a.card);
	a.line->capacity = 1000;
}

static void test_a_look_in_during_the_drivers_call_loses_nothing(void **state)
{
	struct nic_vf_conf conf = world_vf(1);

	(void)state;
	open_pair();
	world_bind(&a, 1, &conf);
	for (unsigned i = 0; i < 500; i++)
		world_send(&a, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 60 + i % 100);
	a.line->during_send = look_in_during_send;
	for (unsigned i = 0; i < 1000; i++)
		nic_card_poll(NULL, a.card, a.now_ns += 1000);
	assert_int_equal(a.line->sent, 500);
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(a.line->log[i].size, 60 + i % 100);
	close_pair();
}

/* The control thread keeps the card beyond the driver's return. */
static void take_during_send(void *owner)
{
	(void)owner;
	assert_true(nic_card_hold(NULL, a.card, NULL, 10000));
	a.line->during_send = NULL;
}

static void test_frames_received_while_control_has_the_card_are_kept(void **state)
{
	struct nic_vf_conf conf = world_vf(1);

	(void)state;
	open_pair();
	world_bind(&a, 1, &conf);
	world_send(&a, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 60);
	world_arrive(&a, WORLD_MAC(1), OUTSIDE_MAC, 0, 100);
	a.line->during_send = take_during_send;
	nic_card_poll(NULL, a.card, a.now_ns += 1000);
	assert_int_equal(nic_card_poll(NULL, a.card, a.now_ns += 1000), 0);
	assert_int_equal(a.front[1]->given, 0);
	world_release(&a);
	world_run(&a);
	assert_int_equal(a.front[1]->given, 1);
	assert_int_equal(a.line->sent, 1);
	close_pair();
}

static void test_a_detached_card_does_nothing_and_comes_back_empty(void **state)
{
	struct esw_fdb_row rows[4];

	(void)state;
	open_pair();
	world_bind_plain(&a, 2);
	world_arrive(&a, WORLD_MAC(1), OUTSIDE_MAC, 0, 60);
	world_run(&a);
	world_hold(&a);
	assert_int_equal(nic_card_fdb(NULL, a.card, rows, 4, a.now_ns), 3);
	nic_card_detach(NULL, a.card);
	world_release(&a);
	world_send(&a, 1, WORLD_MAC(2), WORLD_MAC(1), 0, 60);
	world_run(&a);
	assert_int_equal(a.front[2]->given, 0);
	assert_false(nic_card_arm(NULL, a.card));
	assert_true(nic_card_deadline_ns(NULL, a.card) == UINT64_MAX);
	world_hold(&a);
	nic_card_attach(NULL, a.card);
	assert_int_equal(nic_card_fdb(NULL, a.card, rows, 4, a.now_ns), 2);
	world_release(&a);
	world_run(&a);
	assert_int_equal(a.front[2]->given, 1);
	close_pair();
}

/* As a switch floods what the standby announces, to the line of the card that is away. */
static void test_what_came_in_while_a_card_was_away_is_thrown_away(void **state)
{
	const uint64_t behind = UINT64_C(0x020000000077);
	struct nic_vf_conf conf = world_vf(1);

	(void)state;
	open_pair();
	conf.spoof_check = false;
	world_bind(&a, 1, &conf);
	world_hold(&a);
	nic_card_detach(NULL, a.card);
	world_release(&a);
	for (unsigned i = 0; i < 300; i++)
		world_arrive(&a, BROADCAST_MAC, behind, 0, 60);
	world_hold(&a);
	nic_card_attach(NULL, a.card);
	world_release(&a);
	world_send(&a, 1, BROADCAST_MAC, behind, 0, 60);
	world_run(&a);
	assert_int_equal(a.front[1]->given, 0);
	assert_int_equal(a.line->sent, 1);
	world_arrive(&a, behind, OUTSIDE_MAC, 0, 60); /* it is known to be behind the function */
	a.front[1]->front.filter.promisc = 1;
	world_run(&a);
	assert_int_equal(a.front[1]->given, 1);
	world_hold(&a);
	nic_card_set_line(NULL, a.card, NULL);
	world_release(&a);
	assert_int_equal(a.line->empty_count, FAKE_LINE_BUFS);
	close_pair();
}

/* Function 1 of a card that is back, with a line that has received 300 frames meanwhile. */
static void come_back(void)
{
	struct nic_vf_conf conf = world_vf(1);

	open_pair();
	world_bind(&a, 1, &conf);
	world_hold(&a);
	nic_card_detach(NULL, a.card);
	world_release(&a);
	for (unsigned i = 0; i < 300; i++)
		world_arrive(&a, BROADCAST_MAC, OUTSIDE_MAC, 0, 60);
	world_hold(&a);
	nic_card_attach(NULL, a.card);
}

/* A neighbour answers before the driver is asked for what has come. */
static void answer_during_send(void *owner)
{
	(void)owner;
	world_arrive(&a, WORLD_MAC(1), OUTSIDE_MAC, 0, 100);
	a.line->during_send = NULL;
}

static void test_what_answers_the_first_frame_of_a_card_that_is_back_comes_in(void **state)
{
	(void)state;
	come_back();
	world_release(&a);
	world_send(&a, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 60);
	a.line->during_send = answer_during_send;
	world_run(&a);
	assert_int_equal(a.line->sent, 1);
	assert_int_equal(a.front[1]->given, 1);
	close_pair();
}

static void test_a_card_that_is_back_announces_once_what_is_old_has_been_read(void **state)
{
	(void)state;
	come_back();
	nic_card_announce(NULL, a.card, 1);
	world_release(&a);
	for (unsigned rounds = 0; a.line->sent == 0; rounds++) {
		assert_true(rounds < 10);
		assert_int_equal(nic_card_deadline_ns(NULL, a.card), 0);
		nic_card_poll(NULL, a.card, a.now_ns += 1000);
		assert_true(a.line->sent == 0 || rounds >= 3);
	}
	assert_int_equal(a.line->sent, 1);
	assert_int_equal(get_be16(a.line->log[0].bytes + 12), ETHERTYPE_RARP);
	assert_int_equal(a.front[1]->given, 0);
	close_pair();
}

static void test_all_buffers_come_back_when_the_line_is_taken_away(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	open_pair();
	world_bind_plain(&a, 4);
	for (unsigned round = 0; round < 200; round++) {
		unsigned n = 1 + (unsigned)(rand_u64(&seed) % 4);

		a.line->capacity = (uint32_t)(rand_u64(&seed) % 3000);
		for (unsigned i = 0; i < rand_u64(&seed) % 40; i++) {
			if (a.front[n]->script_count < 400)
				world_send(&a, n, OUTSIDE_MAC, WORLD_MAC(n), 0, 100);
			world_arrive(&a, WORLD_MAC(n), OUTSIDE_MAC, 0, 100);
		}
		nic_card_poll(NULL, a.card, a.now_ns += 1000);
	}
	world_run(&a);
	world_hold(&a);
	nic_card_set_line(NULL, a.card, NULL);
	world_release(&a);
	assert_int_equal(a.line->empty_count, FAKE_LINE_BUFS);
	close_pair();
}

static void test_every_front_is_armed_before_sleep_and_disarmed_after(void **state)
{
	(void)state;
	open_pair();
	world_bind_plain(&a, 3);
	world_run(&a);
	assert_false(nic_card_arm(NULL, a.card));
	for (unsigned n = 1; n <= 3; n++)
		assert_int_equal(a.front[n]->arms, 1);
	world_send(&a, 1, WORLD_MAC(2), WORLD_MAC(1), 0, 60);
	assert_true(nic_card_arm(NULL, a.card));
	nic_card_disarm(NULL, a.card);
	nic_card_disarm(NULL, a.card);
	for (unsigned n = 1; n <= 3; n++)
		assert_int_equal(a.front[n]->disarms, 1);
	assert_false(nic_card_needs_poll(NULL, a.card));
	world_arrive(&a, WORLD_MAC(1), OUTSIDE_MAC, 0, 60);
	assert_true(nic_card_arm(NULL, a.card)); /* the line has a frame */
	a.line->line.wakes = false;
	assert_true(nic_card_needs_poll(NULL, a.card));
	a.line->line.wakes = true;
	a.front[3]->front.polled = true; /* its driver may never kick */
	assert_true(nic_card_needs_poll(NULL, a.card));
	world_hold(&a);
	assert_non_null(nic_card_unbind(NULL, a.card, 3));
	world_release(&a);
	assert_false(nic_card_needs_poll(NULL, a.card));
	close_pair();
}

/* As an attachment takes it: without looking at where the worker is. */
static void keep_during_send(void *owner)
{
	(void)owner;
	assert_true(hold_try(a.front[1]->front.hold, HOLD_CONTROL));
	a.line->during_send = NULL;
}

static void test_frames_that_came_while_control_had_the_card_are_work_before_sleep(void **state)
{
	(void)state;
	open_pair();
	world_bind_plain(&a, 1);
	world_run(&a);
	world_arrive(&a, WORLD_MAC(1), OUTSIDE_MAC, 0, 60);
	world_send(&a, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 60);
	a.line->during_send = keep_during_send;
	nic_card_poll(NULL, a.card, a.now_ns);
	assert_int_equal(nic_card_poll(NULL, a.card, a.now_ns), 0);
	hold_give(a.front[1]->front.hold, HOLD_CONTROL);
	assert_int_equal(a.front[1]->given, 0);
	assert_true(nic_card_arm(NULL, a.card));
	assert_int_equal(nic_card_deadline_ns(NULL, a.card), 0);
	world_run(&a);
	assert_int_equal(a.front[1]->given, 1);
	close_pair();
}

static void test_a_worker_does_not_sleep_while_control_has_the_card(void **state)
{
	(void)state;
	open_pair();
	world_bind_plain(&a, 1);
	world_run(&a);
	world_hold(&a);
	assert_int_equal(nic_card_poll(NULL, a.card, a.now_ns), 0);
	assert_true(nic_card_arm(NULL, a.card));
	assert_int_equal(nic_card_deadline_ns(NULL, a.card), 0);
	assert_true(nic_card_needs_poll(NULL, a.card));
	assert_false(nic_card_hold(NULL, a.card, NULL, 3)); /* one holder at a time */
	world_release(&a);
	close_pair();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_waits_for_the_line_moves_with_the_function),
		cmocka_unit_test(test_an_announcement_is_made_three_times),
		cmocka_unit_test(test_addresses_behind_a_function_move_and_are_announced),
		cmocka_unit_test(test_all_of_many_addresses_move_and_are_announced_each_time),
		cmocka_unit_test(test_addresses_that_did_not_move_are_forgotten_with_the_next_front),
		cmocka_unit_test(test_frames_wait_while_a_lost_link_is_dealt_with),
		cmocka_unit_test(test_frames_that_waited_go_when_the_link_is_there_after_all),
		cmocka_unit_test(test_a_worker_that_comes_back_too_late_touches_nothing),
		cmocka_unit_test(test_a_driver_is_waited_for_as_long_whatever_a_pause_takes),
		cmocka_unit_test(test_a_card_that_is_kept_is_waited_for_as_long_whatever_a_pause_takes),
		cmocka_unit_test(test_a_look_in_during_the_drivers_call_loses_nothing),
		cmocka_unit_test(test_frames_received_while_control_has_the_card_are_kept),
		cmocka_unit_test(test_a_detached_card_does_nothing_and_comes_back_empty),
		cmocka_unit_test(test_what_came_in_while_a_card_was_away_is_thrown_away),
		cmocka_unit_test(test_what_answers_the_first_frame_of_a_card_that_is_back_comes_in),
		cmocka_unit_test(test_a_card_that_is_back_announces_once_what_is_old_has_been_read),
		cmocka_unit_test(test_all_buffers_come_back_when_the_line_is_taken_away),
		cmocka_unit_test(test_every_front_is_armed_before_sleep_and_disarmed_after),
		cmocka_unit_test(test_frames_that_came_while_control_had_the_card_are_work_before_sleep),
		cmocka_unit_test(test_a_worker_does_not_sleep_while_control_has_the_card),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
