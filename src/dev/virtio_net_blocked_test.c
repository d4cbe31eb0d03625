/* Drivers that point where nothing was granted: the access is blocked and told, its chain comes back with
 * nothing written, and the front goes on. */
#include "dev/side_test.h"

#include "dev/guest_word.h"

enum { RING = 64, OUTSIDE = 0x10000000, HEADER = 12 };

static struct side a;

static const uint64_t kinds[] = { BASIC | INDIRECT, BASIC | PACKED | INDIRECT, BASIC | MRG | INDIRECT,
				  BASIC | PACKED | MRG | INDIRECT | EVENT };

static void open_a(uint64_t features)
{
	side_open(&a, (struct guest_net_conf){ .features = features, .ring_size = RING });
}

static void expect_well(unsigned blocked)
{
	assert_string_equal(a.front->stopped, "");
	assert_true(a.front->ready);
	assert_int_equal(a.grants->blocked, blocked);
	assert_int_equal(counter_get(&a.front->dma_blocked), blocked);
}

/* One round of the card: what was sent is taken, numbers of the frames go to 'numbers'. */
static unsigned round_of_a(uint32_t *numbers)
{
	static struct frame frames[FRAME_BURST];
	unsigned n = a.front->ops->peek(NULL, a.front, frames, FRAME_BURST);

	for (unsigned i = 0; i < n; i++)
		numbers[i] = get_le32(frame_head(&frames[i]) + 20);
	a.front->ops->taken(NULL, a.front, n);
	a.front->ops->flush(NULL, a.front);
	return n;
}

static void send_good(uint32_t number, enum guest_layout layout)
{
	uint8_t frame[60] = { 0 };
	const uint32_t cuts[] = { HEADER };

	put_le32(frame + 20, number);
	assert_true(guest_net_send(a.guest, 0, &(struct guest_send){ .frame = frame, .size = 60,
				   .cuts = cuts, .cut_count = number % 2, .layout = layout }));
}

/* A chain whose header is good and whose rest is not, or the reverse. */
static void send_bad(enum guest_layout layout, unsigned which, uint64_t cookie)
{
	uint64_t good = a.guest->tx_bufs[0];
	struct guest_buf bufs[] = { { which ? good : OUTSIDE, HEADER, false },
				    { which ? OUTSIDE : good, 100, false } };

	assert_true(guest_ring_add(&a.guest->tx[0], bufs, 2, layout, cookie));
}

static void a_frame_at_an_address_that_was_not_granted_is_given_back_unsent(void **state)
{
	static const struct guest_buf bad[] = { { OUTSIDE, 100, false }, { UINT64_MAX - 20, 100, false },
						{ 0, 1000, false } };
	uint32_t numbers[FRAME_BURST], written;
	uint64_t cookie;

	(void)state;
	for (unsigned k = 0; k < array_len(kinds); k++)
		for (unsigned i = 0; i < array_len(bad); i++) {
			open_a(kinds[k]);
			assert_true(guest_ring_add(&a.guest->tx[0], &bad[i], 1, GUEST_DIRECT, 7));
			guest_ring_publish(&a.guest->tx[0]);
			assert_int_equal(round_of_a(numbers), 0);
			expect_well(1);
			assert_int_equal(a.grants->blocked_address, bad[i].addr);
			assert_int_equal(a.grants->blocked_access, DMA_READ);
			assert_true(guest_ring_take(&a.guest->tx[0], &cookie, &written));
			assert_int_equal(cookie, 7);
			assert_int_equal(written, 0);
			side_close(&a);
		}
}

static void a_buffer_that_ends_outside_is_blocked_where_it_leaves(void **state)
{
	uint64_t end;
	uint32_t numbers[FRAME_BURST];

	(void)state;
	open_a(BASIC);
	end = GUEST_NET_BASE + a.guest->conf.memory_size;
	guest_ring_add(&a.guest->tx[0], &(struct guest_buf){ end - 50, 100, false }, 1, GUEST_DIRECT, 7);
	guest_ring_publish(&a.guest->tx[0]);
	assert_int_equal(round_of_a(numbers), 0);
	expect_well(1);
	assert_int_equal(a.grants->blocked_address, end);
	side_close(&a);
}

static void an_indirect_table_that_was_not_granted_is_given_back(void **state)
{
	uint32_t numbers[FRAME_BURST], written;
	uint64_t cookie;

	(void)state;
	for (unsigned k = 0; k < array_len(kinds); k++) {
		open_a(kinds[k]);
		send_bad(GUEST_INDIRECT, 0, 7);
		guest_store64(guest_at(&a.guest->tx[0], a.guest->tx[0].desc), OUTSIDE);
		guest_ring_publish(&a.guest->tx[0]);
		send_good(3, GUEST_INDIRECT);
		guest_net_kick(a.guest, 0);
		assert_int_equal(round_of_a(numbers), 1);
		assert_int_equal(numbers[0], 3);
		expect_well(1);
		assert_int_equal(a.grants->blocked_address, OUTSIDE);
		assert_true(guest_ring_take(&a.guest->tx[0], &cookie, &written));
		assert_int_equal(cookie, 7);
		side_close(&a);
	}
}

/* Good frames among bad ones arrive all, once, in their order. */
static void mixed(uint64_t features, uint64_t *seed)
{
	uint32_t sent = 0, got = 0, numbers[FRAME_BURST];
	unsigned bad = 0, n;

	open_a(features);
	for (unsigned round = 0; round < 400; round++) {
		for (unsigned burst = (unsigned)(rand_u64(seed) % 12); burst && sent - got < 20; burst--) {
			enum guest_layout layout = rand_u64(seed) % 2 ? GUEST_INDIRECT : GUEST_DIRECT;

			if (rand_u64(seed) % 4 == 0 && a.guest->tx[0].free_count > 40 && ++bad)
				send_bad(layout, rand_u64(seed) % 2, a.guest->tx_bufs[0]);
			else
				send_good(sent++, layout);
		}
		guest_net_kick(a.guest, 0);
		n = round_of_a(numbers);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(numbers[i], got++);
		guest_net_reclaim(a.guest, 0);
	}
	while ((n = round_of_a(numbers)) != 0)
		got += n;
	assert_int_equal(got, sent);
	assert_true(sent > 500 && bad > 100);
	assert_true(a.grants->blocked >= bad); /* one that is not the first of a burst comes again */
	expect_well(a.grants->blocked);
	side_close(&a);
}

static void good_frames_among_bad_ones_are_not_lost_and_stay_in_order(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned k = 0; k < array_len(kinds); k++)
		mixed(kinds[k], &seed);
}

static void a_flood_of_bad_addresses_takes_little_of_a_round(void **state)
{
	uint32_t numbers[FRAME_BURST];
	unsigned before = 0, rounds = 0;

	(void)state;
	for (unsigned k = 0; k < 2; k++, before = rounds = 0) {
		open_a(kinds[k]);
		for (unsigned i = 0; i < RING / 2; i++)
			send_bad(GUEST_DIRECT, i % 2, i);
		guest_ring_publish(&a.guest->tx[0]);
		for (; a.grants->blocked < RING / 2; rounds++, before = a.grants->blocked) {
			assert_int_equal(round_of_a(numbers), 0);
			assert_in_range(a.grants->blocked - before, 1, 8);
		}
		assert_true(rounds >= 4);
		expect_well(RING / 2);
		side_close(&a);
	}
}

static unsigned give_a(uint32_t size)
{
	static uint8_t bytes[FRAME_MAX];
	struct frame frame, *list[1] = { &frame };
	unsigned n;

	frame_over(&frame, bytes, size);
	n = a.front->ops->give(NULL, a.front, list, 1);
	a.front->ops->flush(NULL, a.front);
	return n;
}

static void post(uint64_t addr, uint32_t size, uint64_t cookie)
{
	assert_true(guest_ring_add(&a.guest->rx[0], &(struct guest_buf){ addr, size, true }, 1,
				   GUEST_DIRECT, cookie));
	guest_ring_publish(&a.guest->rx[0]);
}

static void expect_used(uint64_t cookie, uint32_t written)
{
	uint64_t got_cookie;
	uint32_t got_written;

	assert_true(guest_ring_take(&a.guest->rx[0], &got_cookie, &got_written));
	assert_int_equal(got_cookie, cookie);
	assert_int_equal(got_written, written);
}

static void a_frame_passes_by_receive_buffers_that_were_not_granted(void **state)
{
	(void)state;
	for (unsigned k = 0; k < array_len(kinds); k++) {
		open_a(kinds[k]);
		post(OUTSIDE, 2048, 1);
		post(OUTSIDE + 4096, 2048, 2);
		post(a.guest->rx_bufs[0], 2048, 3);
		assert_int_equal(give_a(60), 1);
		expect_used(1, 0);
		expect_used(2, 0);
		expect_used(3, HEADER + 60);
		expect_well(2);
		assert_int_equal(a.grants->blocked_access, DMA_WRITE);
		side_close(&a);
	}
}

/* Half of a frame is in a good buffer when the next turns out to be none. */
static void a_frame_over_several_buffers_is_not_delivered_in_part(void **state)
{
	(void)state;
	for (unsigned k = 2; k < array_len(kinds); k++) {
		open_a(kinds[k]);
		post(a.guest->rx_bufs[0], 2048, 1);
		post(OUTSIDE, 2048, 2);
		post(a.guest->rx_bufs[0] + 2048, 2048, 3);
		post(a.guest->rx_bufs[0] + 4096, 2048, 4);
		assert_int_equal(give_a(3000), 1);
		expect_used(1, 0);
		expect_used(2, 0);
		expect_used(3, 2048);
		expect_used(4, HEADER + 3000 - 2048);
		expect_well(1);
		side_close(&a);
	}
}

static void a_frame_for_which_only_bad_buffers_are_left_is_counted_as_without_room(void **state)
{
	(void)state;
	open_a(BASIC);
	post(OUTSIDE, 2048, 1);
	assert_int_equal(give_a(60), 0);
	expect_used(1, 0);
	assert_int_equal(counter_get(&a.front->rx_no_room), 1);
	expect_well(1);
	side_close(&a);
}

static void a_control_command_that_cannot_be_read_is_given_back_unanswered(void **state)
{
	const struct guest_buf bufs[] = { { OUTSIDE, 2, false }, { OUTSIDE, 1, true } };
	uint8_t on = 1;
	uint64_t cookie;
	uint32_t written;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		open_a(kinds[k] | CONTROL);
		guest_ring_add(&a.guest->control, bufs, 2, GUEST_DIRECT, 7);
		guest_ring_publish(&a.guest->control);
		round_of_a(NULL);
		assert_true(guest_ring_take(&a.guest->control, &cookie, &written));
		assert_int_equal(cookie, 7);
		assert_int_equal(written, 0);
		expect_well(1);
		assert_true(guest_net_command(a.guest, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &on,
					      1));
		round_of_a(NULL);
		assert_int_equal(guest_net_answer(a.guest), VIRTIO_NET_OK);
		side_close(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_at_an_address_that_was_not_granted_is_given_back_unsent),
		cmocka_unit_test(a_buffer_that_ends_outside_is_blocked_where_it_leaves),
		cmocka_unit_test(an_indirect_table_that_was_not_granted_is_given_back),
		cmocka_unit_test(good_frames_among_bad_ones_are_not_lost_and_stay_in_order),
		cmocka_unit_test(a_flood_of_bad_addresses_takes_little_of_a_round),
		cmocka_unit_test(a_frame_passes_by_receive_buffers_that_were_not_granted),
		cmocka_unit_test(a_frame_over_several_buffers_is_not_delivered_in_part),
		cmocka_unit_test(a_frame_for_which_only_bad_buffers_are_left_is_counted_as_without_room),
		cmocka_unit_test(a_control_command_that_cannot_be_read_is_given_back_unanswered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
