/* Features, notifications, several queues, resets, in-flight region, dirty log. */
#include "dev/side_test.h"

#include "dev/guest_word.h"
#include "dev/inflight.h"
#include "dev/internal.h"

#include <errno.h>

static void features_that_need_each_other_are_accepted_only_together(void **state)
{
	const struct { uint64_t features; int result; } rows[] = {
		{ BASIC, 0 },
		{ BASIC | OFFLOADS, 0 },
		{ BASIC | BIT(VIRTIO_NET_F_GUEST_TSO4), -EINVAL },
		{ BASIC | BIT(VIRTIO_NET_F_GUEST_TSO6), -EINVAL },
		{ BASIC | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_ECN), -EINVAL },
		{ BASIC | BIT(VIRTIO_NET_F_HOST_TSO4), -EINVAL },
		{ BASIC | BIT(VIRTIO_NET_F_HOST_TSO6), -EINVAL },
		{ BASIC | BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_ECN), -EINVAL },
		{ BASIC | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE), 0 }, /* QEMU serves CTRL_VQ itself */
		{ BASIC | MQ, -EINVAL },                         /* one pair: not offered */
		{ BASIC | BIT(60), -EINVAL },
		{ 0, 0 },
	};
	struct side side;

	(void)state;
	side_init(&side, 1);
	for (unsigned i = 0; i < array_len(rows); i++) {
		uint64_t before = virtio_net_accepted(side.net);

		assert_int_equal(virtio_net_accept(side.net, rows[i].features), rows[i].result);
		assert_int_equal(virtio_net_accepted(side.net), rows[i].result ? before : rows[i].features);
	}
	assert_true(virtio_net_features(side.net) & BIT(VIRTIO_NET_F_MTU));
	side_close(&side);
}

static void features_cannot_change_under_a_running_ring(void **state)
{
	struct side side;

	(void)state;
	side_open(&side, (struct guest_net_conf){ .features = BASIC });
	assert_int_equal(virtio_net_accept(side.net, BASIC), 0);
	assert_int_equal(virtio_net_accept(side.net, BASIC | MRG), -EBUSY);
	side_close(&side);
}

static void a_front_is_made_with_one_to_eight_pairs_and_without_what_is_turned_off(void **state)
{
	struct virtio_net *net = aligned_alloc(64, (virtio_net_size() + 63) / 64 * 64);
	struct virtio_net_conf conf = { .mac = MAC, .features_off = PACKED | EVENT };

	(void)state;
	assert_int_equal(virtio_net_init(net, &conf), -EINVAL);
	conf.pairs_max = 9;
	assert_int_equal(virtio_net_init(net, &conf), -EINVAL);
	conf.pairs_max = 8;
	assert_int_equal(virtio_net_init(net, &conf), 0);
	assert_int_equal(virtio_net_features(net) & (PACKED | EVENT | BIT(VIRTIO_NET_F_MTU)), 0);
	assert_true(virtio_net_features(net) & BIT(VIRTIO_NET_F_MQ));
	free(net);
}

static void abilities_are_what_the_driver_accepted(void **state)
{
	struct side side;

	(void)state;
	side_init(&side, 1);
	virtio_net_accept(side.net, BASIC);
	assert_int_equal(side.front->abilities, 0);
	virtio_net_accept(side.net, BASIC | OFFLOADS);
	assert_int_equal(side.front->abilities, FRAME_TAKES_CSUM | FRAME_TAKES_TSO4 |
			 FRAME_TAKES_TSO6 | FRAME_TAKES_ECN);
	side_close(&side);
}

static void unfinished_frames_keep_what_is_left_to_do(void **state)
{
	const uint8_t gso[12] = { 1, 0x81, 9, 0, 0x64, 0x05, 34, 0, 16, 0 };
	const uint8_t csum[12] = { 1, 0, 0, 0, 0, 0, 34, 0, 6, 0 };
	struct guest_net_conf conf = { .features = BASIC | MRG | OFFLOADS, .tx_buf_size = 8192 };
	uint8_t frame[4000] = { 0 }, got[4000], header[12];
	struct side a, b;
	struct frame frames[FRAME_BURST];

	(void)state;
	side_open(&a, conf);
	side_open(&b, conf);
	guest_net_post(b.guest, 0, 64, 1, GUEST_DIRECT);
	frame[34 + 12] = 8 << 4;
	send_one(&a, 0, gso, frame, sizeof frame);
	send_one(&a, 0, csum, frame, 60);
	assert_int_equal(peek_side(&a, frames), 2);
	assert_int_equal(frames[0].gso, FRAME_GSO_TCP4);
	assert_int_equal(frames[0].ecn, 1);
	assert_int_equal(frames[0].gso_size, 1380);
	assert_int_equal(frames[0].header_size, 34 + 32);
	assert_int_equal(frames[0].todo, FRAME_TODO_CSUM);
	assert_int_equal(frames[1].csum_start, 34);
	assert_int_equal(frames[1].csum_offset, 6);
	assert_int_equal(frames[1].gso, FRAME_GSO_NONE);
	assert_int_equal(switch_once(&a, &b), 2);
	assert_int_equal(guest_net_receive(b.guest, 0, header, got, sizeof got), sizeof frame);
	assert_memory_equal(header, ((uint8_t[12]){ 1, 0x81, 66, 0, 0x64, 5, 34, 0, 16, 0, 2, 0 }), 12);
	assert_int_equal(guest_net_receive(b.guest, 0, header, got, sizeof got), 60);
	assert_memory_equal(header, ((uint8_t[12]){ 1, 0, 0, 0, 0, 0, 34, 0, 6, 0, 1, 0 }), 12);
	frame_over(&frames[0], frame, 60);
	frames[0].todo = FRAME_CSUM_VALID;
	b.front->ops->give(NULL, b.front, &(struct frame *){ &frames[0] }, 1);
	b.front->ops->flush(NULL, b.front);
	assert_int_equal(guest_net_receive(b.guest, 0, header, got, sizeof got), 60);
	assert_int_equal(header[0], VIRTIO_NET_HDR_F_DATA_VALID);
	side_close(&a);
	side_close(&b);
}

static void a_frame_in_more_parts_than_a_frame_has_is_gathered(void **state)
{
	struct guest_net_conf conf = { .features = BASIC | MRG };
	struct guest_buf bufs[GUEST_TABLE_MAX];
	struct side a;
	struct frame frames[FRAME_BURST];
	uint8_t *desc, got[400];

	(void)state;
	side_open(&a, conf);
	/* 63 parts and another 63, linked to one chain by hand; each byte of its own part. */
	for (unsigned half = 0; half < 2; half++) {
		for (unsigned i = 0; i < 63; i++)
			bufs[i] = (struct guest_buf){ a.guest->tx_bufs[0] + (half * 63 + i) * 8, 3, false };
		assert_true(guest_ring_add(&a.guest->tx[0], bufs, 63, GUEST_DIRECT, 1));
	}
	desc = guest_at(&a.guest->tx[0], a.guest->tx[0].desc) + 62 * VIRTQ_DESC_SIZE;
	guest_store16(desc + VIRTQ_DESC_SPLIT_FLAGS, VIRTQ_DESC_F_NEXT);
	guest_store16(desc + VIRTQ_DESC_SPLIT_NEXT, 63);
	for (unsigned i = 0; i < 126 * 3; i++)
		a.memory[a.guest->tx_bufs[0] - GUEST_NET_BASE + i / 3 * 8 + i % 3] = i < 12 ? 0 : (uint8_t)i;
	a.guest->tx[0].pending = 1;
	guest_ring_publish(&a.guest->tx[0]);
	assert_int_equal(peek_side(&a, frames), 1);
	assert_int_equal(frames[0].size, 126 * 3 - 12);
	frame_copy(&frames[0], 0, frames[0].size, got);
	for (unsigned i = 0; i < frames[0].size; i++)
		assert_int_equal(got[i], (uint8_t)(i + 12));
	side_close(&a);
}

/* Section 2.7.5.3.2: a device handles direct descriptors that an indirect one follows. */
static void an_indirect_table_may_end_a_chain(void **state)
{
	enum { HEAD = 30, REST = 50, HEADER = 12 };
	struct side a;
	struct frame frames[FRAME_BURST];
	struct guest_buf bufs[2];
	struct guest_ring *ring;
	uint8_t *desc, *table, got[HEAD + REST];

	(void)state;
	side_open(&a, (struct guest_net_conf){ .features = BASIC | INDIRECT });
	ring = &a.guest->tx[0];
	bufs[0] = (struct guest_buf){ a.guest->tx_bufs[0], HEAD, false };
	bufs[1] = (struct guest_buf){ a.guest->tx_bufs[0] + 100, REST, false };
	assert_true(guest_ring_add(ring, bufs, 2, GUEST_DIRECT, 1));
	desc = guest_at(ring, ring->desc) + VIRTQ_DESC_SIZE;
	table = guest_at(ring, ring->tables);
	memcpy(table, desc, VIRTQ_DESC_SIZE); /* the second part goes into a table of one */
	guest_store64(desc + VIRTQ_DESC_ADDR, ring->tables);
	guest_store32(desc + VIRTQ_DESC_LEN, VIRTQ_DESC_SIZE);
	guest_store16(desc + VIRTQ_DESC_SPLIT_FLAGS, VIRTQ_DESC_F_INDIRECT);
	for (unsigned i = 0; i < HEAD + REST; i++)
		*guest_at(ring, a.guest->tx_bufs[0] + (i < HEAD ? i : 100 + i - HEAD)) =
			i < HEADER ? 0 : (uint8_t)i;
	guest_ring_publish(ring);
	assert_int_equal(peek_side(&a, frames), 1);
	assert_int_equal(frames[0].size, HEAD + REST - HEADER);
	frame_copy(&frames[0], 0, frames[0].size, got);
	for (unsigned i = 0; i < frames[0].size; i++)
		assert_int_equal(got[i], (uint8_t)(i + HEADER));
	side_close(&a);
}

static void a_legacy_driver_may_write_its_address(void **state)
{
	struct side side;

	(void)state;
	side_open(&side, (struct guest_net_conf){ .features = BIT(VIRTIO_NET_F_MAC) });
	assert_int_equal(virtio_net_config_write(side.net, 5, 1, (uint8_t[]){ 7 }), 0);
	side.front->filter.promisc = 0;
	assert_true(nic_front_wants(side.front, 0x02a5c0000007, 0));
	assert_int_equal(virtio_net_config_write(side.net, 5, 2, (uint8_t[]){ 7, 7 }), -EPERM);
	assert_int_equal(virtio_net_config_write(side.net, UINT32_MAX, 6, (uint8_t[6]){ 7 }), -EPERM);
	side_close(&side);
}

/* A UDP frame of one flow. */
static void fill_flow(uint8_t *frame, uint8_t flow, bool back)
{
	memset(frame, 0, 64);
	put_be16(frame + 12, 0x0800);
	frame[14] = 0x45;
	frame[26 + (back ? 4 : 0) + 3] = 1;
	frame[26 + (back ? 0 : 4) + 3] = 2;
	put_be16(frame + 34 + (back ? 2 : 0), flow);
	put_be16(frame + 34 + (back ? 0 : 2), 80);
}

static void a_flow_comes_back_at_the_pair_it_was_sent_from(void **state)
{
	struct guest_net_conf conf = { .features = BASIC | MQ, .pairs = 2 };
	uint8_t frame[64], got[64], header[12];
	struct frame frames[FRAME_BURST];
	struct side side;

	(void)state;
	side_open(&side, conf);
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_MQ, 0, (uint8_t[]){ 3, 0 }, 2), 1);
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_MQ, 0, (uint8_t[]){ 0, 0 }, 2), 1);
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_MQ, 0, (uint8_t[]){ 2, 0 }, 2), 0);
	guest_net_post(side.guest, 0, 256, 1, GUEST_DIRECT);
	guest_net_post(side.guest, 1, 256, 1, GUEST_DIRECT);
	for (unsigned i = 0; i < 64; i++) {
		unsigned pair = i * 7 / 3 % 2;

		fill_flow(frame, (uint8_t)i, false);
		send_one(&side, pair, NULL, frame, sizeof frame);
		assert_int_equal(peek_side(&side, frames), 1);
		side.front->ops->taken(NULL, side.front, 1);
		fill_flow(frame, (uint8_t)i, true);
		assert_int_equal(give_bytes(&side, frame, sizeof frame), 1);
		assert_int_equal(guest_net_receive(side.guest, !pair, header, got, 64), 0);
		assert_int_equal(guest_net_receive(side.guest, pair, header, got, 64), 64);
		assert_memory_equal(frame, got, 64);
	}
	side_close(&side);
}

static void a_queue_without_room_does_not_hold_back_the_others(void **state)
{
	struct guest_net_conf conf = { .features = BASIC | MQ, .pairs = 2 };
	uint8_t bytes[32][64], got[64], header[12];
	struct frame frames[32], *list[32];
	struct side side;
	unsigned received = 0;

	(void)state;
	side_open(&side, conf);
	command(&side, VIRTIO_NET_CTRL_MQ, 0, (uint8_t[]){ 2, 0 }, 2);
	guest_net_post(side.guest, 1, 256, 1, GUEST_DIRECT);
	for (unsigned i = 0; i < 32; i++) {
		fill_flow(bytes[i], (uint8_t)(i * 5), false);
		frame_over(&frames[i], bytes[i], 64);
		list[i] = &frames[i];
	}
	assert_int_equal(side.front->ops->give(NULL, side.front, list, 32), 32);
	side.front->ops->flush(NULL, side.front);
	while (guest_net_receive(side.guest, 1, header, got, 64))
		received++;
	assert_true(received > 0 && received < 32);
	assert_int_equal(counter_get(&side.front->rx_no_room), 32 - received);
	side_close(&side);
}

static void frames_from_several_queues_are_taken_from_the_right_ones(void **state)
{
	struct guest_net_conf conf = { .features = BASIC | MQ, .pairs = 2 };
	uint8_t frame[64] = { 0 };
	struct frame frames[FRAME_BURST];
	struct side side;
	unsigned back[2] = { 0 };

	(void)state;
	side_open(&side, conf);
	command(&side, VIRTIO_NET_CTRL_MQ, 0, (uint8_t[]){ 2, 0 }, 2);
	for (unsigned i = 0; i < 20; i++)
		send_one(&side, i % 2, NULL, frame, 60);
	assert_int_equal(peek_side(&side, frames), 20);
	side.front->ops->taken(NULL, side.front, 13);
	side.front->ops->flush(NULL, side.front);
	back[0] = guest_net_reclaim(side.guest, 0);
	back[1] = guest_net_reclaim(side.guest, 1);
	assert_int_equal(back[0] + back[1], 13);
	assert_true(back[0] == 10 || back[1] == 10);
	assert_int_equal(peek_side(&side, frames), 7);
	side.front->ops->taken(NULL, side.front, 7);
	side.front->ops->flush(NULL, side.front);
	assert_int_equal(back[0] + guest_net_reclaim(side.guest, 0), 10);
	assert_int_equal(back[1] + guest_net_reclaim(side.guest, 1), 10);
	side_close(&side);
}

static void interrupt_as_wished(uint64_t features)
{
	uint8_t frame[60] = { 0 };
	struct guest_ring *ring;
	struct side side;

	side_open(&side, (struct guest_net_conf){ .features = features });
	guest_net_post(side.guest, 0, 256, 1, GUEST_DIRECT);
	ring = &side.guest->rx[0];
	give_bytes(&side, frame, sizeof frame);
	assert_int_equal(side.interrupts[0], 0); /* no call descriptor */
	virtio_net_ring_set_call(side.net, 0, true);
	guest_ring_wish(ring, GUEST_NO_INTERRUPT, 0);
	give_bytes(&side, frame, sizeof frame);
	side.interrupts[0] = 0; /* with an event index the first may come regardless */
	give_bytes(&side, frame, sizeof frame);
	assert_int_equal(side.interrupts[0], 0);
	for (uint64_t cookie; guest_ring_take(ring, &cookie, &(uint32_t){ 0 });)
		;
	guest_ring_wish(ring, GUEST_INTERRUPT, 0);
	give_bytes(&side, frame, sizeof frame);
	assert_int_equal(side.interrupts[0], 1);
	if (features & EVENT) {
		for (uint64_t cookie; guest_ring_take(ring, &cookie, &(uint32_t){ 0 });)
			;
		guest_ring_wish(ring, GUEST_INTERRUPT_AFTER, 4); /* the fifth from now */
		for (unsigned i = 0; i < 4; i++)
			give_bytes(&side, frame, sizeof frame);
		assert_int_equal(side.interrupts[0], 1);
		give_bytes(&side, frame, sizeof frame);
		assert_int_equal(side.interrupts[0], 2);
		give_bytes(&side, frame, sizeof frame);
		assert_int_equal(side.interrupts[0], 2);
	}
	assert_int_equal(counter_get(&side.front->interrupts) > 0, 1);
	side_close(&side);
}

static void the_driver_is_interrupted_when_it_wishes_and_not_else(void **state)
{
	(void)state;
	interrupt_as_wished(BASIC);
	interrupt_as_wished(BASIC | EVENT);
	interrupt_as_wished(BASIC | PACKED);
	interrupt_as_wished(BASIC | PACKED | EVENT);
}

static void kick_as_armed(uint64_t features)
{
	uint8_t frame[60] = { 0 };
	struct guest_send send = { .frame = frame, .size = 60 };
	struct frame frames[FRAME_BURST];
	struct side side;

	side_open(&side, (struct guest_net_conf){ .features = features });
	for (unsigned round = 0; round < 5; round++) {
		assert_false(side.front->ops->arm(NULL, side.front));
		guest_net_send(side.guest, 0, &send);
		assert_true(guest_net_kick(side.guest, 0));
		side.front->ops->disarm(NULL, side.front);
		guest_net_send(side.guest, 0, &send);
		assert_false(guest_net_kick(side.guest, 0));
		assert_true(side.front->ops->arm(NULL, side.front)); /* work came meanwhile */
		side.front->ops->disarm(NULL, side.front);
		assert_int_equal(peek_side(&side, frames), 2);
		side.front->ops->taken(NULL, side.front, 2);
		side.front->ops->flush(NULL, side.front);
		assert_int_equal(guest_net_reclaim(side.guest, 0), 2);
	}
	side_close(&side);
}

static void the_driver_kicks_only_an_armed_front(void **state)
{
	(void)state;
	kick_as_armed(BASIC);
	kick_as_armed(BASIC | EVENT);
	kick_as_armed(BASIC | PACKED);
	kick_as_armed(BASIC | PACKED | EVENT);
}

static void a_reset_in_the_middle_leaves_a_new_front(void **state)
{
	const uint64_t combinations[] = { BASIC, BASIC | MRG | PACKED, BASIC | CONTROL | EVENT };
	uint8_t frame[60] = { 0 }, got[60], header[12];
	struct frame frames[FRAME_BURST];
	struct side side;

	(void)state;
	side_init(&side, 1);
	for (unsigned round = 0; round < 30; round++) {
		side_start(&side, (struct guest_net_conf){ .features = combinations[round % 3] });
		guest_net_post(side.guest, 0, 100, 1, GUEST_DIRECT);
		for (unsigned i = 0; i < 10; i++)
			send_one(&side, 0, NULL, frame, 60);
		assert_int_equal(peek_side(&side, frames), 10);
		side.front->ops->taken(NULL, side.front, round % 10);
		assert_int_equal(give_bytes(&side, frame, 60), 1);
		assert_int_equal(guest_net_receive(side.guest, 0, header, got, 60), 60);
		virtio_net_reset(side.net); /* used and not published, peeked and not taken */
		assert_false(side.front->ready);
		assert_int_equal(peek_side(&side, frames), 0);
		assert_int_equal(give_bytes(&side, frame, 60), 0);
		assert_int_equal(virtio_net_accepted(side.net), 0);
		assert_true(side.front->filter.promisc);
	}
	side_close(&side);
}

static void a_stopped_ring_says_where_to_go_on_and_goes_on_there(void **state)
{
	const uint64_t combinations[] = { BASIC, BASIC | PACKED };
	uint8_t frame[60] = { 0 }, got[60], header[12];
	struct side a;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		side_open(&a, (struct guest_net_conf){ .features = combinations[k], .ring_size = 8 });
		guest_net_post(a.guest, 0, 8, 1, GUEST_DIRECT);
		for (unsigned i = 0; i < 50; i++) {
			struct virtio_ring_conf conf;
			struct refusal *why = NULL;

			put_le32(frame + 20, i);
			assert_int_equal(give_bytes(&a, frame, 60), 1);
			if (i % 3 == 0) {
				conf = guest_ring_conf(&a.guest->rx[0]);
				conf.base = virtio_net_ring_stop(a.net, 0);
				assert_int_equal(virtio_net_ring_stop(a.net, 0), conf.base);
				assert_false(a.front->ready);
				assert_int_equal(give_bytes(&a, frame, 60), 0);
				assert_int_equal(virtio_net_ring_start(a.net, 0, &conf, why), 0);
				assert_true(a.front->ready);
			}
			assert_int_equal(guest_net_receive(a.guest, 0, header, got, 60), 60);
			assert_int_equal(get_le32(got + 20), i);
		}
		side_close(&a);
	}
}

static void a_packed_ring_that_never_ran_may_have_half_a_base(void **state)
{
	uint8_t frame[60] = { 0 }, got[60], header[12];
	struct virtio_ring_conf conf;
	struct side a;

	(void)state;
	side_open(&a, (struct guest_net_conf){ .features = BASIC | PACKED, .ring_size = 8 });
	guest_net_post(a.guest, 0, 8, 1, GUEST_DIRECT);
	conf = guest_ring_conf(&a.guest->rx[0]);
	virtio_net_ring_stop(a.net, 0);
	conf.base = 1 << 15;
	assert_int_equal(virtio_net_ring_start(a.net, 0, &conf, NULL), 0);
	assert_int_equal(give_bytes(&a, frame, 60), 1);
	assert_int_equal(guest_net_receive(a.guest, 0, header, got, 60), 60);
	side_close(&a);
}

static void a_disabled_ring_is_left_alone(void **state)
{
	uint8_t frame[60] = { 0 };
	struct frame frames[FRAME_BURST];
	struct side a;

	(void)state;
	side_open(&a, (struct guest_net_conf){ .features = BASIC });
	guest_net_post(a.guest, 0, 8, 1, GUEST_DIRECT);
	send_one(&a, 0, NULL, frame, 60);
	virtio_net_ring_enable(a.net, 0, false);
	virtio_net_ring_enable(a.net, 1, false);
	virtio_net_ring_enable(a.net, 1000, false);
	assert_false(a.front->ready);
	assert_int_equal(peek_side(&a, frames), 0);
	assert_int_equal(give_bytes(&a, frame, 60), 0);
	virtio_net_ring_enable(a.net, 0, true);
	virtio_net_ring_enable(a.net, 1, true);
	assert_int_equal(peek_side(&a, frames), 1);
	assert_int_equal(give_bytes(&a, frame, 60), 1);
	side_close(&a);
}

static void a_frame_too_long_for_its_buffer_is_dropped_and_counted(void **state)
{
	uint8_t frame[3000] = { 0 }, got[3000], header[12];
	struct side a;

	(void)state;
	side_open(&a, (struct guest_net_conf){ .features = BASIC });
	guest_net_post(a.guest, 0, 8, 1, GUEST_DIRECT);
	assert_int_equal(give_bytes(&a, frame, 3000), 1);
	assert_int_equal(give_bytes(&a, frame, 2036), 1);
	assert_int_equal(counter_get(&a.front->rx_no_room), 1);
	assert_int_equal(guest_net_receive(a.guest, 0, header, got, 3000), 2036);
	assert_int_equal(guest_net_receive(a.guest, 0, header, got, 3000), 0);
	side_close(&a);
}

/* What does not fit is dropped, and its buffer looked at again for the next: from many senders. */
static void buffers_in_many_parts_are_walked_so_often_in_a_round_and_no_more(void **state)
{
	enum { PARTS = 64 }; /* of guest_net */
	uint8_t bytes[3000] = { 0 };
	struct frame frame, *list[1] = { &frame };
	struct ring *ring;
	struct side a;

	(void)state;
	side_open(&a, (struct guest_net_conf){ .features = BASIC });
	ring = net_rx_ring(a.net, 0);
	frame_over(&frame, bytes, sizeof bytes);
	assert_int_equal(guest_net_post(a.guest, 0, 1, PARTS, GUEST_DIRECT), 1);
	for (unsigned i = 0; i < 4 * NET_RX_WORK_MAX / PARTS; i++)
		assert_int_equal(a.front->ops->give(NULL, a.front, list, 1), 1);
	assert_in_range(ring->work, NET_RX_WORK_MAX, NET_RX_WORK_MAX + PARTS);
	a.front->ops->flush(NULL, a.front);
	assert_int_equal(give_bytes(&a, bytes, 1000), 1);
	assert_int_equal(counter_get(&a.front->rx_frames), 1);
	side_close(&a);
}

static void what_finds_no_buffer_is_counted_and_given_back(void **state)
{
	uint8_t bytes[60] = { 0 };
	struct frame frames[8], *list[8];
	struct side a;

	(void)state;
	side_open(&a, (struct guest_net_conf){ .features = BASIC | MRG });
	guest_net_post(a.guest, 0, 5, 1, GUEST_DIRECT);
	for (unsigned i = 0; i < 8; i++) {
		frame_over(&frames[i], bytes, 60);
		list[i] = &frames[i];
	}
	assert_int_equal(a.front->ops->give(NULL, a.front, list, 8), 5);
	assert_int_equal(counter_get(&a.front->rx_no_room), 3);
	assert_int_equal(counter_get(&a.front->rx_frames), 5);
	assert_int_equal(counter_get(&a.front->rx_bytes), 300);
	side_close(&a);
}

static void written_pages_show_in_the_dirty_log(uint64_t features)
{
	uint8_t frame[600] = { 0 };
	static uint8_t bits[1 << 17];
	struct virtio_ring_conf conf;
	struct side a;
	uint64_t buffer_page, used_page;

	memset(bits, 0, sizeof bits);
	side_open(&a, (struct guest_net_conf){ .features = features });
	guest_net_post(a.guest, 0, 8, 1, GUEST_DIRECT);
	conf = guest_ring_conf(&a.guest->rx[0]);
	conf.log_used = true;
	/* QEMU names the device area, of a packed ring too, whose used entries lie elsewhere. */
	conf.log_addr = conf.device;
	virtio_net_ring_stop(a.net, 0);
	assert_int_equal(virtio_net_ring_start(a.net, 0, &conf, NULL), 0);
	virtio_net_dma(a.net)->log = (struct dma_log){ bits, sizeof bits };
	assert_int_equal(give_bytes(&a, frame, sizeof frame), 1);
	buffer_page = a.guest->rx_bufs[0] / 4096;
	used_page = (features & PACKED ? conf.desc : conf.device) / 4096;
	assert_int_not_equal(conf.desc / 4096, conf.device / 4096);
	assert_true(bits[buffer_page / 8] >> buffer_page % 8 & 1);
	assert_true(bits[used_page / 8] >> used_page % 8 & 1);
	bits[buffer_page / 8] = bits[used_page / 8] = 0;
	for (size_t i = 0; i < sizeof bits; i++)
		assert_int_equal(bits[i], 0);
	side_close(&a);
}

static void the_dirty_log_names_the_pages_that_were_written_and_no_others(void **state)
{
	(void)state;
	written_pages_show_in_the_dirty_log(BASIC | MRG);
	written_pages_show_in_the_dirty_log(BASIC | MRG | PACKED);
}

/* The process dies with used chains not published: the next one goes on with nothing lost. */
static void what_was_in_flight_is_done_again(uint64_t features)
{
	uint8_t *region = calloc(1, 65536), frame[60] = { 0 };
	struct frame frames[FRAME_BURST];
	struct virtio_ring_conf conf;
	struct side a;
	unsigned back;

	side_open(&a, (struct guest_net_conf){ .features = features, .ring_size = 32 });
	conf = guest_ring_conf(&a.guest->tx[0]);
	conf.inflight = region;
	conf.inflight_size = inflight_size(features & PACKED, 32);
	virtio_net_ring_stop(a.net, 1);
	assert_int_equal(virtio_net_ring_start(a.net, 1, &conf, NULL), 0);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 10; i++)
			send_one(&a, 0, NULL, frame, 60);
		assert_int_equal(peek_side(&a, frames), 10);
		a.front->ops->taken(NULL, a.front, 4);
		a.front->ops->flush(NULL, a.front);
		assert_int_equal(guest_net_reclaim(a.guest, 0), 4);
		assert_int_equal(peek_side(&a, frames), 6);
		a.front->ops->taken(NULL, a.front, 6);
		/* death: a new process knows the addresses and the region, and a stale base */
		assert_int_equal(virtio_net_init(a.net, &(struct virtio_net_conf){ .mac = MAC,
				 .pairs_max = 1, .mtu = 1500, .domain = &a.grants->domain,
				 .host = { on_interrupt, on_config, on_misses, &a } }), 0);
		virtio_net_accept(a.net, features);
		virtio_net_set_memory(a.net, &a.guest->region, 1);
		conf.base = features & PACKED ? 5 << 16 : 77;
		assert_int_equal(virtio_net_ring_start(a.net, 1, &conf, NULL), 0);
		virtio_net_ring_enable(a.net, 1, true);
		/* A packed ring's chains were visible at once; a split ring's come again. */
		back = guest_net_reclaim(a.guest, 0);
		assert_int_equal(back, features & PACKED ? 6 : 0);
		assert_int_equal(peek_side(&a, frames), 6 - back);
		a.front->ops->taken(NULL, a.front, 6 - back);
		a.front->ops->flush(NULL, a.front);
		assert_int_equal(guest_net_reclaim(a.guest, 0), 6 - back);
	}
	conf.size = 16;
	virtio_net_ring_stop(a.net, 1);
	assert_int_equal(virtio_net_ring_start(a.net, 1, &conf, NULL), -EINVAL); /* of another size */
	side_close(&a);
	free(region);
}

/* The frontend shares the region: it may say at any moment that the ring is larger than it is. */
static void an_in_flight_region_that_grows_is_not_written_behind_its_end(void **state)
{
	enum { SPACE = INFLIGHT_SPLIT_DESC + 65536 * INFLIGHT_SPLIT_DESC_SIZE };
	uint8_t *region = calloc(1, SPACE), frame[60] = { 0 };
	uint32_t size = inflight_size(false, 32);
	struct frame frames[FRAME_BURST];
	struct virtio_ring_conf conf;
	struct side a;

	(void)state;
	side_open(&a, (struct guest_net_conf){ .features = BASIC, .ring_size = 32 });
	conf = guest_ring_conf(&a.guest->tx[0]);
	conf.inflight = region;
	conf.inflight_size = size;
	virtio_net_ring_stop(a.net, 1);
	assert_int_equal(virtio_net_ring_start(a.net, 1, &conf, NULL), 0);
	memset(region + size, 0xaa, SPACE - size);
	put_le16(region + INFLIGHT_SPLIT_DESC_NUM, UINT16_MAX);
	put_le16(region + INFLIGHT_SPLIT_USED_IDX, 2); /* 65535 behind */
	send_one(&a, 0, NULL, frame, 60);
	assert_int_equal(peek_side(&a, frames), 1);
	put_le16(region + INFLIGHT_SPLIT_LAST_HEAD, 0xaaaa);
	a.front->ops->taken(NULL, a.front, 1);
	a.front->ops->flush(NULL, a.front);
	for (uint32_t i = size; i < SPACE; i++)
		assert_int_equal(region[i], 0xaa);
	side_close(&a);
	free(region);
}

static void a_new_process_goes_on_from_the_in_flight_region(void **state)
{
	(void)state;
	what_was_in_flight_is_done_again(BASIC | EVENT);
	what_was_in_flight_is_done_again(BASIC | PACKED);
}

static void buffers_that_change_after_the_look_do_not_change_the_head(void **state)
{
	uint8_t frame[200], got[200], header[12];
	struct guest_net_conf conf = { .features = BASIC };
	struct frame frames[FRAME_BURST], *list[1] = { &frames[0] };
	struct side a, b;

	(void)state;
	memset(frame, 0x11, sizeof frame);
	side_open(&a, conf);
	side_open(&b, conf);
	guest_net_post(b.guest, 0, 8, 1, GUEST_DIRECT);
	send_one(&a, 0, NULL, frame, sizeof frame);
	assert_int_equal(peek_side(&a, frames), 1);
	memset(guest_at(&a.guest->tx[0], a.guest->tx_bufs[0]), 0x22, 212);
	assert_int_equal(b.front->ops->give(NULL, b.front, list, 1), 1);
	b.front->ops->flush(NULL, b.front);
	assert_int_equal(guest_net_receive(b.guest, 0, header, got, sizeof got), 200);
	assert_memory_equal(got, frame, FRAME_HEAD_SIZE); /* what was decided on is what arrives */
	assert_int_equal(header[0], 0);
	side_close(&a);
	side_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(features_that_need_each_other_are_accepted_only_together),
		cmocka_unit_test(features_cannot_change_under_a_running_ring),
		cmocka_unit_test(a_front_is_made_with_one_to_eight_pairs_and_without_what_is_turned_off),
		cmocka_unit_test(abilities_are_what_the_driver_accepted),
		cmocka_unit_test(unfinished_frames_keep_what_is_left_to_do),
		cmocka_unit_test(a_frame_in_more_parts_than_a_frame_has_is_gathered),
		cmocka_unit_test(an_indirect_table_may_end_a_chain),
		cmocka_unit_test(a_legacy_driver_may_write_its_address),
		cmocka_unit_test(a_flow_comes_back_at_the_pair_it_was_sent_from),
		cmocka_unit_test(a_queue_without_room_does_not_hold_back_the_others),
		cmocka_unit_test(frames_from_several_queues_are_taken_from_the_right_ones),
		cmocka_unit_test(the_driver_is_interrupted_when_it_wishes_and_not_else),
		cmocka_unit_test(the_driver_kicks_only_an_armed_front),
		cmocka_unit_test(a_reset_in_the_middle_leaves_a_new_front),
		cmocka_unit_test(a_stopped_ring_says_where_to_go_on_and_goes_on_there),
		cmocka_unit_test(a_packed_ring_that_never_ran_may_have_half_a_base),
		cmocka_unit_test(a_disabled_ring_is_left_alone),
		cmocka_unit_test(a_frame_too_long_for_its_buffer_is_dropped_and_counted),
		cmocka_unit_test(buffers_in_many_parts_are_walked_so_often_in_a_round_and_no_more),
		cmocka_unit_test(what_finds_no_buffer_is_counted_and_given_back),
		cmocka_unit_test(the_dirty_log_names_the_pages_that_were_written_and_no_others),
		cmocka_unit_test(a_new_process_goes_on_from_the_in_flight_region),
		cmocka_unit_test(an_in_flight_region_that_grows_is_not_written_behind_its_end),
		cmocka_unit_test(buffers_that_change_after_the_look_do_not_change_the_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
