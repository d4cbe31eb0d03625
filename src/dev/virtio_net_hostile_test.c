/* Drivers that break the rules: each stops its own front, with a sentence, and nothing else. */
#include "dev/side_test.h"

#include "base/refusal.h"
#include "dev/guest_word.h"

#include <errno.h>

enum { RING = 64, OUTSIDE = 0x10000000 };

static struct side a;

static void open_a(uint64_t features)
{
	side_open(&a, (struct guest_net_conf){ .features = features, .ring_size = RING });
}

static unsigned peek_a(void)
{
	static struct frame frames[FRAME_BURST];

	return a.front->ops->peek(NULL, a.front, frames, FRAME_BURST);
}

static unsigned give_a(uint32_t size)
{
	static uint8_t bytes[FRAME_MAX];
	struct frame frame, *list[1] = { &frame };

	frame_over(&frame, bytes, size);
	return a.front->ops->give(NULL, a.front, list, 1);
}

/* The front says 'why', does nothing any more, and lives again after a reset. */
static void expect_stop(const char *why)
{
	if (!strstr(a.front->stopped, why))
		fail_msg("stopped: \"%s\", expected \"%s\"", a.front->stopped, why);
	assert_false(a.front->ready);
	assert_int_equal(peek_a(), 0);
	assert_int_equal(give_a(60), 0);
	assert_false(a.front->ops->arm(NULL, a.front));
	a.front->ops->flush(NULL, a.front);
	virtio_net_reset(a.net);
	assert_string_equal(a.front->stopped, "");
	side_close(&a);
}

/* One chain of the given buffers in the transmit ring. */
static void send_bufs(const struct guest_buf *bufs, unsigned count, enum guest_layout layout)
{
	assert_true(guest_ring_add(&a.guest->tx[0], bufs, count, layout, 1));
	guest_ring_publish(&a.guest->tx[0]);
	assert_int_equal(peek_a(), 0);
}

static uint64_t buffer(void)
{
	return a.guest->tx_bufs[0];
}

static uint8_t *tx_desc(unsigned index)
{
	return guest_at(&a.guest->tx[0], a.guest->tx[0].desc) + index * VIRTQ_DESC_SIZE;
}

static uint8_t *tx_table(unsigned index)
{
	return guest_at(&a.guest->tx[0], a.guest->tx[0].tables) + index * VIRTQ_DESC_SIZE;
}

static void a_buffer_of_the_wrong_kind_stops_the_front(void **state)
{
	(void)state;
	open_a(BASIC);
	send_bufs(&(struct guest_buf){ buffer(), 100, true }, 1, GUEST_DIRECT);
	expect_stop("queue 1: descriptor 0 is for writing");
	open_a(BASIC | PACKED);
	send_bufs(&(struct guest_buf){ buffer(), 100, true }, 1, GUEST_DIRECT);
	expect_stop("is for writing");
	open_a(BASIC);
	guest_ring_add(&a.guest->rx[0], &(struct guest_buf){ buffer(), 100, false }, 1, GUEST_DIRECT, 1);
	guest_ring_publish(&a.guest->rx[0]);
	assert_int_equal(give_a(60), 0);
	expect_stop("queue 0: descriptor 0 is for reading");
}

static void a_descriptor_without_length_stops_the_front(void **state)
{
	(void)state;
	open_a(BASIC);
	send_bufs(&(struct guest_buf){ buffer(), 0, false }, 1, GUEST_DIRECT);
	expect_stop("descriptor 0 has no length");
	open_a(BASIC | PACKED);
	send_bufs(&(struct guest_buf){ buffer(), 0, false }, 1, GUEST_DIRECT);
	expect_stop("descriptor 0 has no length");
}

static void frames_of_absurd_size_stop_the_front(void **state)
{
	struct guest_buf huge[40];

	(void)state;
	open_a(BASIC);
	send_bufs(&(struct guest_buf){ buffer(), 13, false }, 1, GUEST_DIRECT);
	expect_stop("a frame of 13 bytes with its header of 12");
	open_a(BASIC);
	for (unsigned i = 0; i < array_len(huge); i++)
		huge[i] = (struct guest_buf){ GUEST_NET_BASE, 0x20000, false };
	send_bufs(huge, 1, GUEST_DIRECT);
	expect_stop("a frame of 131072 bytes");
	open_a(BASIC);
	for (unsigned i = 0; i < array_len(huge); i++)
		huge[i] = (struct guest_buf){ GUEST_NET_BASE, 0x80000000, false };
	send_bufs(huge, array_len(huge), GUEST_DIRECT);
	expect_stop("a chain of 4 GiB or more");
}

static void a_loop_of_descriptors_stops_the_front(void **state)
{
	struct guest_buf bufs[2] = { { 0, 20, false }, { 0, 20, false } };

	(void)state;
	open_a(BASIC);
	bufs[0].addr = bufs[1].addr = buffer();
	assert_true(guest_ring_add(&a.guest->tx[0], bufs, 2, GUEST_DIRECT, 1));
	guest_store16(tx_desc(1) + VIRTQ_DESC_SPLIT_FLAGS, VIRTQ_DESC_F_NEXT);
	guest_store16(tx_desc(1) + VIRTQ_DESC_SPLIT_NEXT, 0);
	guest_ring_publish(&a.guest->tx[0]);
	assert_int_equal(peek_a(), 0);
	expect_stop("the chain that begins at descriptor 0 has a loop");
}

static void a_next_outside_the_ring_stops_the_front(void **state)
{
	(void)state;
	open_a(BASIC);
	guest_ring_add(&a.guest->tx[0], &(struct guest_buf){ buffer(), 20, false }, 1, GUEST_DIRECT, 1);
	guest_store16(tx_desc(0) + VIRTQ_DESC_SPLIT_FLAGS, VIRTQ_DESC_F_NEXT);
	guest_store16(tx_desc(0) + VIRTQ_DESC_SPLIT_NEXT, RING);
	guest_ring_publish(&a.guest->tx[0]);
	assert_int_equal(peek_a(), 0);
	expect_stop("queue 1: descriptor 64 in a ring of 64");
}

static void an_available_entry_outside_the_ring_stops_the_front(void **state)
{
	uint8_t *driver;

	(void)state;
	open_a(BASIC);
	driver = guest_at(&a.guest->tx[0], a.guest->tx[0].driver);
	guest_store16(driver + VIRTQ_AVAIL_RING, 0xffff);
	guest_store16(driver + VIRTQ_AVAIL_IDX, 1);
	assert_int_equal(peek_a(), 0);
	expect_stop("descriptor 65535 in a ring of 64");
}

static void an_absurd_available_index_stops_the_front(void **state)
{
	uint8_t *driver;

	(void)state;
	open_a(BASIC);
	driver = guest_at(&a.guest->tx[0], a.guest->tx[0].driver);
	guest_store16(driver + VIRTQ_AVAIL_IDX, RING + 1);
	assert_int_equal(peek_a(), 0);
	expect_stop("queue 1: available index 65 is 65 ahead of the device, in a ring of 64");
}

static void an_available_index_that_goes_back_stops_the_front(void **state)
{
	uint8_t *driver, frame[60] = { 0 };
	struct guest_send send = { .frame = frame, .size = sizeof frame };

	(void)state;
	open_a(BASIC);
	driver = guest_at(&a.guest->tx[0], a.guest->tx[0].driver);
	for (unsigned i = 0; i < 4; i++)
		guest_net_send(a.guest, 0, &send);
	guest_net_kick(a.guest, 0);
	assert_int_equal(peek_a(), 4);
	guest_store16(driver + VIRTQ_AVAIL_IDX, 2);
	peek_a();
	expect_stop("available index went back from 4 to 2");
}

static void indirect_tables_that_break_a_rule_stop_the_front(void **state)
{
	const uint64_t kinds[] = { BASIC | INDIRECT, BASIC | INDIRECT | PACKED };
	struct guest_buf bufs[2];

	(void)state;
	for (unsigned k = 0; k < array_len(kinds); k++) {
		unsigned flags = k ? VIRTQ_DESC_PACKED_FLAGS : VIRTQ_DESC_SPLIT_FLAGS;
		/* The first id is 0, so the first table is the first. */
		open_a(kinds[k]);
		bufs[0] = (struct guest_buf){ buffer(), 20, false };
		bufs[1] = (struct guest_buf){ buffer(), 20, false };
		guest_ring_add(&a.guest->tx[0], bufs, 2, GUEST_INDIRECT, 1);
		guest_store16(tx_table(1) + flags, VIRTQ_DESC_F_INDIRECT);
		guest_ring_publish(&a.guest->tx[0]);
		assert_int_equal(peek_a(), 0);
		expect_stop("descriptor 0 has an indirect descriptor in its indirect table");

		open_a(kinds[k]);
		guest_ring_add(&a.guest->tx[0], bufs, 2, GUEST_INDIRECT, 1);
		guest_store32(tx_desc(0) + VIRTQ_DESC_LEN, 17);
		guest_ring_publish(&a.guest->tx[0]);
		assert_int_equal(peek_a(), 0);
		expect_stop("descriptor 0 has an indirect table of 17 bytes");
	}
	open_a(BASIC | INDIRECT);
	guest_ring_add(&a.guest->tx[0], bufs, 2, GUEST_INDIRECT, 1);
	guest_store16(tx_table(0) + VIRTQ_DESC_SPLIT_NEXT, 2);
	guest_ring_publish(&a.guest->tx[0]);
	assert_int_equal(peek_a(), 0);
	expect_stop("the indirect table of descriptor 0 goes on at entry 2 of 2");
	open_a(BASIC | INDIRECT);
	guest_ring_add(&a.guest->tx[0], bufs, 2, GUEST_INDIRECT, 1);
	guest_store16(tx_table(1) + VIRTQ_DESC_SPLIT_FLAGS, VIRTQ_DESC_F_NEXT);
	guest_store16(tx_table(1) + VIRTQ_DESC_SPLIT_NEXT, 0);
	guest_ring_publish(&a.guest->tx[0]);
	assert_int_equal(peek_a(), 0);
	expect_stop("the indirect table of descriptor 0 has a loop");
	open_a(BASIC | INDIRECT);
	guest_ring_add(&a.guest->tx[0], bufs, 2, GUEST_INDIRECT, 1);
	guest_store16(tx_desc(0) + VIRTQ_DESC_SPLIT_FLAGS, VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_NEXT);
	guest_ring_publish(&a.guest->tx[0]);
	assert_int_equal(peek_a(), 0);
	expect_stop("descriptor 0 is indirect and has a next one");
	open_a(BASIC);
	bufs[0].addr = buffer();
	guest_ring_add(&a.guest->tx[0], bufs, 1, GUEST_DIRECT, 1);
	guest_store16(tx_desc(0) + VIRTQ_DESC_SPLIT_FLAGS, VIRTQ_DESC_F_INDIRECT);
	guest_ring_publish(&a.guest->tx[0]);
	assert_int_equal(peek_a(), 0);
	expect_stop("descriptor 0 is indirect, which was not negotiated");
}

static void packed_chains_that_break_a_rule_stop_the_front(void **state)
{
	struct guest_buf bufs[RING];

	(void)state;
	open_a(BASIC | PACKED);
	bufs[0] = (struct guest_buf){ buffer(), 20, false };
	guest_ring_add(&a.guest->tx[0], bufs, 1, GUEST_DIRECT, 1);
	a.guest->tx[0].head_flags |= VIRTQ_DESC_F_NEXT;
	guest_ring_publish(&a.guest->tx[0]);
	assert_int_equal(peek_a(), 0);
	expect_stop("queue 1: descriptor 1 is part of a chain and not available");

	open_a(BASIC | PACKED);
	for (unsigned i = 0; i < RING; i++)
		bufs[i] = (struct guest_buf){ buffer(), 20, false };
	guest_ring_add(&a.guest->tx[0], bufs, RING, GUEST_DIRECT, 1);
	guest_store16(tx_desc(RING - 1) + VIRTQ_DESC_PACKED_FLAGS,
		      VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_AVAIL);
	guest_ring_publish(&a.guest->tx[0]);
	assert_int_equal(peek_a(), 0);
	expect_stop("a chain that is longer than the ring of 64");

	open_a(BASIC | PACKED | INDIRECT);
	guest_ring_add(&a.guest->tx[0], bufs, 2, GUEST_DIRECT, 1);
	guest_store16(tx_desc(1) + VIRTQ_DESC_PACKED_FLAGS, VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_AVAIL);
	guest_ring_publish(&a.guest->tx[0]);
	assert_int_equal(peek_a(), 0);
	expect_stop("descriptor 1 is indirect, inside a chain");
}

static void send_header(uint64_t features, const uint8_t *header, uint32_t size, uint8_t words)
{
	uint8_t frame[200] = { 0 };
	struct guest_send send = { .header = header, .frame = frame, .size = size };

	open_a(features);
	frame[34 + 12] = (uint8_t)(words << 4);
	assert_true(guest_net_send(a.guest, 0, &send));
	guest_net_kick(a.guest, 0);
	assert_int_equal(peek_a(), 0);
}

static void offloads_that_make_no_sense_stop_the_front(void **state)
{
	(void)state;
	send_header(BASIC, (uint8_t[12]){ 1, 0, 0, 0, 0, 0, 34, 0, 16, 0 }, 100, 5);
	expect_stop("a partial checksum was not negotiated");
	send_header(BASIC | OFFLOADS, (uint8_t[12]){ 1, 0, 0, 0, 0, 0, 90, 0, 16, 0 }, 100, 5);
	expect_stop("a checksum at 90 + 16 in a frame of 100 bytes");
	send_header(BASIC | OFFLOADS, (uint8_t[12]){ 1, 0, 0, 0, 0, 0, 2, 0, 16, 0 }, 100, 5);
	expect_stop("a checksum at 2 + 16");
	send_header(BASIC | BIT(VIRTIO_NET_F_CSUM),
		    (uint8_t[12]){ 1, 1, 0, 0, 9, 0, 34, 0, 16, 0 }, 100, 5);
	expect_stop("segmentation of type 0x01 was not negotiated");
	send_header(BASIC | OFFLOADS, (uint8_t[12]){ 1, 3, 0, 0, 9, 0, 34, 0, 16, 0 }, 100, 5);
	expect_stop("segmentation of type 0x03 was not negotiated");
	send_header(BASIC | OFFLOADS, (uint8_t[12]){ 0, 1, 0, 0, 9, 0, 34, 0, 16, 0 }, 100, 5);
	expect_stop("segmentation of type 0x01 without a partial checksum");
	send_header(BASIC | OFFLOADS, (uint8_t[12]){ 1, 1, 0, 0, 0, 0, 34, 0, 16, 0 }, 100, 5);
	expect_stop("segments of 0 bytes");
	send_header(BASIC | OFFLOADS, (uint8_t[12]){ 1, 1, 0, 0, 9, 0, 34, 0, 16, 0 }, 100, 4);
	expect_stop("segments of 9 bytes behind a TCP header at 34 of 100");
	send_header(BASIC | OFFLOADS, (uint8_t[12]){ 1, 1, 0, 0, 9, 0, 34, 0, 16, 0 }, 60, 15);
	expect_stop("segments of 9 bytes");
}

static void a_receive_buffer_without_room_for_the_header_stops_the_front(void **state)
{
	(void)state;
	open_a(BASIC | MRG);
	guest_ring_add(&a.guest->rx[0], &(struct guest_buf){ buffer(), 11, true }, 1, GUEST_DIRECT, 1);
	guest_ring_publish(&a.guest->rx[0]);
	assert_int_equal(give_a(60), 0);
	expect_stop("queue 0: a receive buffer of 11 bytes has no room for the header of 12");
}

static void a_control_command_without_an_answer_stops_the_front(void **state)
{
	struct guest_buf bufs[2];

	(void)state;
	open_a(BASIC | CONTROL);
	bufs[0] = (struct guest_buf){ a.guest->control_buf, 2, false };
	guest_ring_add(&a.guest->control, bufs, 1, GUEST_DIRECT, 1);
	guest_ring_publish(&a.guest->control);
	assert_int_equal(peek_a(), 0);
	expect_stop("queue 2: a control command of 2 bytes with 0 for its answer");
	open_a(BASIC | CONTROL);
	bufs[0] = (struct guest_buf){ a.guest->control_buf, 1, true };
	bufs[1] = (struct guest_buf){ a.guest->control_buf, 2, false };
	guest_ring_add(&a.guest->control, bufs, 2, GUEST_DIRECT, 1);
	guest_ring_publish(&a.guest->control);
	assert_int_equal(peek_a(), 0);
	expect_stop("queue 2: descriptor 1 is for reading, behind one for writing");
}

static void a_map_that_loses_the_ring_stops_the_front(void **state)
{
	(void)state;
	open_a(BASIC);
	assert_int_equal(a.grants->domain.ops->unmap(&a.grants->domain,
						     (struct iommu_range){ 0, UINT64_MAX }), 0);
	a.grants->domain.ops->flush(&a.grants->domain);
	assert_int_equal(peek_a(), 0);
	expect_stop("was not granted");
}

static void rings_that_cannot_be_are_refused_with_a_sentence(void **state)
{
	struct virtio_ring_conf good, conf;
	struct refusal why;

	(void)state;
	open_a(BASIC);
	good = guest_ring_conf(&a.guest->tx[0]);
#define refused(change, words)                                                       \
	do {                                                                        \
		conf = good;                                                        \
		conf.change;                                                        \
		memset(&why, 0, sizeof why);                                        \
		assert_int_equal(virtio_net_ring_start(a.net, 1, &conf, &why), -EINVAL); \
		if (!strstr(why.text, words))                                       \
			fail_msg("refused: \"%s\"", why.text);                      \
		assert_string_equal(a.front->stopped, "");                          \
		assert_false(virtio_net_ring_runs(a.net, 1));                       \
	} while (0)
	refused(size = 0, "1 to 4096 entries, not 0");
	refused(size = 8192, "1 to 4096 entries, not 8192");
	refused(size = 48, "power of two");
	refused(desc += 8, "not aligned to 16");
	refused(driver += 1, "not aligned to 2");
	refused(device += 2, "not aligned to 4");
	refused(desc = OUTSIDE, "queue 1: the ring's descriptor area");
	refused(inflight = a.memory, "in-flight");
	assert_int_equal(virtio_net_ring_start(a.net, 2, &good, &why), -EINVAL);
	assert_non_null(strstr(why.text, "no queue"));
	side_close(&a);
	open_a(BASIC | PACKED);
	good = guest_ring_conf(&a.guest->tx[0]);
	refused(base = 64u << 16, "outside a ring of 64");
	side_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_of_the_wrong_kind_stops_the_front),
		cmocka_unit_test(a_descriptor_without_length_stops_the_front),
		cmocka_unit_test(frames_of_absurd_size_stop_the_front),
		cmocka_unit_test(a_loop_of_descriptors_stops_the_front),
		cmocka_unit_test(a_next_outside_the_ring_stops_the_front),
		cmocka_unit_test(an_available_entry_outside_the_ring_stops_the_front),
		cmocka_unit_test(an_absurd_available_index_stops_the_front),
		cmocka_unit_test(an_available_index_that_goes_back_stops_the_front),
		cmocka_unit_test(indirect_tables_that_break_a_rule_stop_the_front),
		cmocka_unit_test(packed_chains_that_break_a_rule_stop_the_front),
		cmocka_unit_test(offloads_that_make_no_sense_stop_the_front),
		cmocka_unit_test(a_receive_buffer_without_room_for_the_header_stops_the_front),
		cmocka_unit_test(a_control_command_without_an_answer_stops_the_front),
		cmocka_unit_test(a_map_that_loses_the_ring_stops_the_front),
		cmocka_unit_test(rings_that_cannot_be_are_refused_with_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
