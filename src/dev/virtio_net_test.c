#include "dev/side_test.h"

/* The header of a finished frame, whatever its buffer held before. */
static void check_header(const struct side *side, const uint8_t *header)
{
	static const uint8_t zeroes[VIRTIO_NET_HDR_SIZE];

	assert_memory_equal(header, zeroes, VIRTIO_NET_HDR_LEGACY_SIZE);
	if (side->guest->header_size == VIRTIO_NET_HDR_SIZE)
		assert_in_range(get_le16(header + VIRTIO_NET_HDR_NUM_BUFFERS), 1, 512);
	if (side->guest->header_size == VIRTIO_NET_HDR_SIZE &&
	    !(side->guest->conf.features & MRG))
		assert_int_equal(get_le16(header + VIRTIO_NET_HDR_NUM_BUFFERS), 1);
}

/* Random frames in random layouts through both rings, against a queue of what was sent. */
static void run_random(uint64_t features, uint16_t ring_size, uint32_t rx_buf, uint32_t frame_max,
		       unsigned rounds, uint64_t seed)
{
	enum { QUEUE = 8192 };
	static struct { uint32_t size; uint64_t seed; } queue[QUEUE];
	static uint8_t frame[FRAME_MAX], got[FRAME_MAX];
	uint8_t header[VIRTIO_NET_HDR_SIZE];
	struct guest_net_conf conf = { .features = features, .ring_size = ring_size,
				       .rx_buf_size = rx_buf, .tx_buf_size = frame_max + 12 };
	struct side a, b;
	unsigned sent = 0, received = 0;

	side_open(&a, conf);
	side_open(&b, conf);
	for (unsigned i = 0; i < ring_size; i++) /* buffers come with whatever they held */
		memset(guest_at(&b.guest->rx[0], b.guest->rx_bufs[0] + i * rx_buf), 0xa5,
		       VIRTIO_NET_HDR_SIZE);
	guest_net_post(b.guest, 0, ring_size, 1, GUEST_DIRECT);
	for (unsigned round = 0; round < rounds; round++) {
		unsigned burst = (unsigned)(rand_u64(&seed) % 40);

		while (burst-- && sent - received < ring_size && sent - received < QUEUE) {
			uint32_t cuts[8], size = 14 + (uint32_t)(rand_u64(&seed) % (frame_max - 13));
			unsigned cut_count = (unsigned)(rand_u64(&seed) % 8);
			uint64_t frame_seed = rand_u64(&seed), kept = frame_seed;
			bool indirect = (features & INDIRECT) && rand_u64(&seed) % 2;
			struct guest_send send = { .frame = frame, .size = size, .cuts = cuts,
				.layout = indirect ? GUEST_INDIRECT : GUEST_DIRECT };

			if (rand_u64(&seed) % 2)
				cut_count = 0;
			for (unsigned i = 0; i < cut_count; i++)
				cuts[i] = 1 + (i ? cuts[i - 1] : 0) +
					  (uint32_t)(rand_u64(&seed) % (size / 4 + 1));
			send.cut_count = cut_count;
			fill(frame, size, &frame_seed);
			if (!guest_net_send(a.guest, 0, &send))
				break;
			queue[sent++ % QUEUE] = (__typeof__(queue[0])){ size, kept };
		}
		guest_net_kick(a.guest, 0);
		switch_once(&a, &b);
		assert_string_equal(a.front->stopped, "");
		assert_string_equal(b.front->stopped, "");
		if (rand_u64(&seed) % 3 == 0)
			continue;
		guest_net_reclaim(a.guest, 0);
		for (uint32_t size; (size = guest_net_receive(b.guest, 0, header, got, FRAME_MAX));) {
			uint64_t frame_seed = queue[received % QUEUE].seed;

			assert_true(received < sent);
			assert_int_equal(size, queue[received++ % QUEUE].size);
			fill(frame, size, &frame_seed);
			assert_memory_equal(frame, got, size);
			check_header(&b, header);
		}
	}
	assert_true(ring_size < 4 || received > 0);
	assert_int_equal(counter_get(&a.front->tx_frames), counter_get(&b.front->rx_frames));
	assert_int_equal(counter_get(&a.front->tx_bytes), counter_get(&b.front->rx_bytes));
	side_close(&a);
	side_close(&b);
}

static void random_frames_in_random_layouts_arrive_whole_and_in_order(void **state)
{
	const uint64_t combinations[] = { 0, MRG, MRG | INDIRECT, MRG | EVENT, MRG | INDIRECT | EVENT,
					  INDIRECT | BIT(VIRTIO_F_IN_ORDER) };
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned i = 0; i < array_len(combinations); i++) {
		run_random(BASIC | combinations[i], 256, 2048, 1518, 1500, rand_u64(&seed));
		run_random(BASIC | PACKED | combinations[i], 256, 2048, 1518, 1500, rand_u64(&seed));
		run_random(BASIC | PACKED | combinations[i], 250, 2048, 1518, 1500, rand_u64(&seed));
	}
}

static void mergeable_buffers_carry_frames_of_many_buffers(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	run_random(BASIC | MRG, 256, 256, 9000, 800, rand_u64(&seed));
	run_random(BASIC | MRG | PACKED | INDIRECT, 200, 100, 9000, 800, rand_u64(&seed));
	run_random(BASIC | MRG | INDIRECT, 256, 4096, 65000, 200, rand_u64(&seed));
}

static void every_size_of_a_ring_works_and_its_index_wraps(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned size = 1; size <= VIRTIO_NET_RING_MAX; size *= 2)
		run_random(BASIC | MRG, (uint16_t)size, 1600, 1518, size < 64 ? 9000 : 5000,
			   rand_u64(&seed));
	for (unsigned size = 1; size <= 40; size++)
		run_random(BASIC | MRG | PACKED | (size % 2 ? BIT(VIRTIO_F_IN_ORDER) : 0), (uint16_t)size,
			   1600, 700, 600, rand_u64(&seed));
	run_random(BASIC | MRG | PACKED, 4095, 1600, 700, 3000, rand_u64(&seed));
	run_random(BASIC | MRG | PACKED, 4096, 1600, 700, 3000, rand_u64(&seed));
}

static void a_legacy_driver_has_the_short_header(void **state)
{
	(void)state;
	run_random(BIT(VIRTIO_NET_F_MAC), 64, 2048, 1518, 500, check_seed());
}

/* An entry that says already what it is to say is left alone: here nearly each does after a lap, but some were
 * written over by the driver meanwhile. */
static void a_used_entry_is_right_whatever_stood_there(void **state)
{
	enum { RING = 16, LAPS = 40 };
	static uint8_t frame[60];
	uint64_t seed = check_seed();
	unsigned spoilt = 0;
	struct side a, b;

	(void)state;
	side_open(&a, (struct guest_net_conf){ .features = BASIC, .ring_size = RING });
	side_open(&b, (struct guest_net_conf){ .features = BASIC, .ring_size = RING });
	for (unsigned i = 0; i < RING * LAPS; i++) {
		const struct guest_ring *tx = &a.guest->tx[0];
		uint8_t *entry = guest_at(tx, tx->device + VIRTQ_USED_RING +
					  i % RING * VIRTQ_USED_ENTRY_SIZE);
		uint64_t kind = rand_u64(&seed) % 8;
		uint16_t avail_id;

		if (kind < 2 && ++spoilt)
			put_le32(entry + kind * 4, 0xdeadbeef);
		assert_true(guest_net_send(a.guest, 0, &(struct guest_send){ .frame = frame, .size = 60 }));
		guest_net_kick(a.guest, 0);
		avail_id = get_le16(guest_at(tx, tx->driver + VIRTQ_AVAIL_RING +
					     i % RING * VIRTQ_AVAIL_ENTRY_SIZE));
		guest_net_post(b.guest, 0, 1, 1, GUEST_DIRECT);
		assert_int_equal(switch_once(&a, &b), 1);
		assert_int_equal(get_le32(entry), avail_id);
		assert_int_equal(get_le32(entry + 4), 0);
		assert_int_equal(guest_net_reclaim(a.guest, 0), 1);
		assert_int_equal(guest_net_receive(b.guest, 0, (uint8_t[VIRTIO_NET_HDR_SIZE]){ 0 },
						   (uint8_t[64]){ 0 }, 64), 60);
	}
	assert_true(spoilt > LAPS);
	side_close(&a);
	side_close(&b);
}

static uint16_t tx_flags(const struct side *side, unsigned slot)
{
	const struct guest_ring *tx = &side->guest->tx[0];

	return get_le16(guest_at(tx, tx->desc + slot * VIRTQ_DESC_SIZE + VIRTQ_DESC_PACKED_FLAGS));
}

/* Section 2.8.8: the first slot of the batch says it, with the id of the last; the others stay as the driver left
 * them.  Two bursts before the driver looks are two batches, a ring later with the other wrap counter. */
static void in_order_one_used_descriptor_tells_of_a_batch(void **state)
{
	enum { RING = 32, BATCH = 12, LAPS = 20 };
	static uint8_t frame[60];
	unsigned at = 0, told = 0;
	struct side a, b;

	(void)state;
	side_open(&a, (struct guest_net_conf){ .features = BASIC | PACKED | BIT(VIRTIO_F_IN_ORDER),
					       .ring_size = RING });
	side_open(&b, (struct guest_net_conf){ .features = BASIC, .ring_size = 256 });
	for (unsigned lap = 0; lap < LAPS; lap++) {
		uint16_t before[RING];

		for (unsigned i = 0; i < BATCH; i++)
			assert_true(guest_net_send(a.guest, 0,
						   &(struct guest_send){ .frame = frame, .size = 60 }));
		guest_net_kick(a.guest, 0);
		for (unsigned i = 0; i < RING; i++)
			before[i] = tx_flags(&a, i);
		guest_net_post(b.guest, 0, BATCH, 1, GUEST_DIRECT);
		assert_int_equal(switch_once(&a, &b), BATCH);
		for (unsigned i = 0; i < RING; i++)
			told += tx_flags(&a, i) != before[i];
		assert_int_equal(told, lap + 1);
		assert_int_not_equal(tx_flags(&a, at), before[at]);
		at = (at + BATCH) % RING;
		if (lap % 2 && guest_net_reclaim(a.guest, 0) != 2 * BATCH)
			fail();
		while (guest_net_receive(b.guest, 0, (uint8_t[VIRTIO_NET_HDR_SIZE]){ 0 }, (uint8_t[64]){ 0 }, 64))
			;
	}
	side_close(&a);
	side_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_frames_in_random_layouts_arrive_whole_and_in_order),
		cmocka_unit_test(mergeable_buffers_carry_frames_of_many_buffers),
		cmocka_unit_test(every_size_of_a_ring_works_and_its_index_wraps),
		cmocka_unit_test(a_legacy_driver_has_the_short_header),
		cmocka_unit_test(a_used_entry_is_right_whatever_stood_there),
		cmocka_unit_test(in_order_one_used_descriptor_tells_of_a_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
