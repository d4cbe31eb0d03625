/* Fronts behind a guest's IOMMU: nothing is lost for lack of a translation. */
#include "dev/side_test.h"

enum { PAGE = 4096, QUEUE = 64, IOVA = 0x200000 };

/* A front whose guest uses I/O virtual addresses: guest physical plus IOVA. */
struct translated {
	struct side side;
	struct page_requests requests;
	uint64_t seed;
};

static uint64_t features_of(uint64_t more)
{
	return BASIC | BIT(VIRTIO_F_ACCESS_PLATFORM) | MRG | more;
}

/* The control thread: answers up to 'most' of what was asked. */
static unsigned answer(struct translated *t, unsigned most)
{
	const struct dma_region *region = &t->side.guest->region;
	struct iommu_domain *domain = &t->side.grants->domain;
	struct page_request request;
	unsigned n = 0;

	for (; n < most && page_requests_take(&t->requests, &request); n++) {
		uint64_t offset = request.iova - IOVA - region->base;

		assert_true(request.iova >= IOVA);
		page_requests_answer(&t->requests, request.iova, PAGE, request.access);
		if (offset < region->size)
			assert_int_equal(domain->ops->map(domain,
					 (struct iommu_range){ request.iova, PAGE },
					 region->host + offset, request.access), 0);
		domain->ops->flush(domain);
	}
	return n;
}

/* It takes some back. */
static void take_back(struct translated *t, uint64_t iova, uint64_t size)
{
	struct iommu_domain *domain = &t->side.grants->domain;

	assert_int_equal(domain->ops->unmap(domain, (struct iommu_range){ iova, size }), 0);
	domain->ops->flush(domain);
}

static void translated_open(struct translated *t, uint64_t features, uint16_t ring_size)
{
	struct guest_net_conf conf = { .features = features, .ring_size = ring_size, .pairs = 1,
				       .rx_buf_size = 2048, .tx_buf_size = 2048 };

	side_init(&t->side, 1);
	memset(&t->requests, 0, sizeof t->requests);
	conf.iova_offset = IOVA;
	virtio_net_set_translated(t->side.net, &t->requests);
	side_start(&t->side, conf);
}

static void translated_close(struct translated *t)
{
	side_close(&t->side);
}

static bool send_number(struct guest_net *guest, unsigned number)
{
	uint8_t frame[300] = { 0 };
	const uint32_t cuts[] = { 12, 200 };
	struct guest_send send = { .frame = frame, .size = 60 + number % 200, .cuts = cuts,
				   .cut_count = number % 3 };

	put_le32(frame + 20, number);
	return guest_net_send(guest, 0, &send);
}

static unsigned receive_numbers(struct guest_net *guest, unsigned expected)
{
	uint8_t header[12], frame[2048];
	uint32_t size;

	while ((size = guest_net_receive(guest, 0, header, frame, sizeof frame)) != 0) {
		assert_int_equal(get_le32(frame + 20), expected);
		assert_int_equal(size, 60 + expected % 200);
		expected++;
	}
	return expected;
}

/* Every round some translations arrive, some are taken back. */
static void exchange(uint64_t features, uint16_t ring_size, uint64_t seed)
{
	struct translated a, b;
	unsigned sent = 0, received = 0;

	translated_open(&a, features, ring_size);
	translated_open(&b, features, ring_size);
	guest_net_post(b.side.guest, 0, ring_size, 1, GUEST_DIRECT);
	for (unsigned round = 0; round < 4000; round++) {
		struct translated *t = rand_u64(&seed) % 2 ? &a : &b;
		unsigned burst = (unsigned)(rand_u64(&seed) % 8);

		while (round < 3000 && burst-- && sent - received < QUEUE &&
		       send_number(a.side.guest, sent))
			sent++;
		guest_net_kick(a.side.guest, 0);
		switch_once(&a.side, &b.side);
		switch_once(&b.side, &a.side); /* the other way round nothing is sent */
		assert_string_equal(a.side.front->stopped, "");
		assert_string_equal(b.side.front->stopped, "");
		answer(t, round < 3000 ? (unsigned)(rand_u64(&seed) % 4) : 1000);
		if (rand_u64(&seed) % 16 == 0 && round < 3000)
			take_back(t, IOVA + GUEST_NET_BASE + (rand_u64(&seed) % 200) * PAGE,
				  PAGE * (1 + rand_u64(&seed) % 50));
		guest_net_reclaim(a.side.guest, 0);
		received = receive_numbers(b.side.guest, received);
	}
	assert_true(sent > 1000);
	assert_int_equal(received, sent);
	assert_int_equal(counter_get(&b.side.front->rx_no_room), 0);
	assert_true(counter_get(&b.side.front->iotlb_misses) > 0);
	assert_true(a.side.misses > 0 && b.side.misses > 0);
	translated_close(&a);
	translated_close(&b);
}

static void no_frame_is_lost_or_moved_for_lack_of_a_translation(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	exchange(features_of(0), 128, rand_u64(&seed));
	exchange(features_of(EVENT), 1024, rand_u64(&seed));
	exchange(features_of(PACKED), 128, rand_u64(&seed));
	exchange(features_of(PACKED), 1000, rand_u64(&seed));
}

static void rings_start_when_their_own_pages_arrive(void **state)
{
	struct translated t;
	struct frame frames[FRAME_BURST];

	(void)state;
	translated_open(&t, features_of(0), 64);
	assert_int_equal(t.side.misses, 1);
	assert_true(send_number(t.side.guest, 0));
	guest_net_kick(t.side.guest, 0);
	assert_int_equal(t.side.front->ops->peek(NULL, t.side.front, frames, 32), 0);
	assert_true(answer(&t, 100) > 0);
	assert_int_equal(t.side.front->ops->peek(NULL, t.side.front, frames, 32), 0);
	assert_int_equal(answer(&t, 100), 1); /* the frame */
	assert_int_equal(t.side.front->ops->peek(NULL, t.side.front, frames, 32), 1);
	take_back(&t, 0, UINT64_MAX);
	assert_int_equal(t.side.front->ops->peek(NULL, t.side.front, frames, 32), 0);
	answer(&t, 100);
	t.side.front->ops->peek(NULL, t.side.front, frames, 32);
	answer(&t, 100);
	assert_int_equal(t.side.front->ops->peek(NULL, t.side.front, frames, 32), 1);
	translated_close(&t);
}

static void posted_buffers_are_asked_for_before_a_frame_comes(void **state)
{
	struct translated t;
	struct frame frames[FRAME_BURST];

	(void)state;
	translated_open(&t, features_of(0), 256);
	answer(&t, 100);
	guest_net_post(t.side.guest, 0, 256, 1, GUEST_DIRECT);
	t.side.front->ops->peek(NULL, t.side.front, frames, 32);
	assert_int_equal(answer(&t, 100), 32); /* 64 buffers of half a page */
	t.side.front->ops->peek(NULL, t.side.front, frames, 32);
	assert_int_equal(answer(&t, 100), 0);
	translated_close(&t);
}

static void a_full_hold_refuses_frames_and_counts_them(void **state)
{
	static uint8_t bytes[60000];
	struct translated t;
	struct frame frame, *list[1] = { &frame };
	unsigned accepted = 0;

	(void)state;
	translated_open(&t, features_of(0), 256);
	frame_over(&frame, bytes, sizeof bytes);
	while (t.side.front->ops->give(NULL, t.side.front, list, 1) == 1)
		accepted++;
	assert_int_equal(accepted, 4); /* of 256 KiB */
	assert_int_equal(counter_get(&t.side.front->rx_no_room), 1);
	virtio_net_reset(t.side.net);
	assert_int_equal(t.side.front->ops->give(NULL, t.side.front, list, 1), 0);
	translated_close(&t);
}

/* A held frame is finished to what the driver took then; a driver that takes less now must not be
 * given it. */
static void frames_held_for_old_features_are_not_given_under_new_ones(void **state)
{
	static uint8_t bytes[200];
	struct translated t;
	struct frame frame, *list[1] = { &frame };
	struct frame frames[FRAME_BURST];
	struct virtio_ring_conf conf;

	(void)state;
	translated_open(&t, features_of(BIT(VIRTIO_NET_F_GUEST_CSUM)), 64);
	frame_over(&frame, bytes, sizeof bytes);
	frame.todo = FRAME_TODO_CSUM;
	frame.csum_start = 34;
	frame.csum_offset = 16;
	assert_int_equal(t.side.front->ops->give(NULL, t.side.front, list, 1), 1); /* held */
	conf = guest_ring_conf(&t.side.guest->rx[0]);
	virtio_net_ring_stop(t.side.net, 0);
	virtio_net_ring_stop(t.side.net, 1);
	assert_int_equal(virtio_net_accept(t.side.net, features_of(0)), 0);
	assert_int_equal(virtio_net_ring_start(t.side.net, 0, &conf, NULL), 0);
	virtio_net_ring_enable(t.side.net, 0, true);
	guest_net_post(t.side.guest, 0, 8, 1, GUEST_DIRECT);
	for (unsigned i = 0; i < 8; i++) {
		answer(&t, 1000);
		t.side.front->ops->peek(NULL, t.side.front, frames, 32);
	}
	assert_int_equal(counter_get(&t.side.front->rx_frames), 0);
	assert_int_equal(counter_get(&t.side.front->rx_no_room), 1);
	assert_string_equal(t.side.front->stopped, "");
	translated_close(&t);
}

static void a_chain_without_end_is_not_asked_for_without_end(void **state)
{
	const struct guest_buf endless = { GUEST_NET_BASE + (1 << 24), 0xfffff000, false };
	struct translated t;
	struct frame frames[FRAME_BURST];

	(void)state;
	translated_open(&t, features_of(0), 64);
	answer(&t, 100);
	assert_true(guest_ring_add(&t.side.guest->tx[0], &endless, 1, GUEST_DIRECT, 1));
	guest_ring_publish(&t.side.guest->tx[0]);
	assert_int_equal(t.side.front->ops->peek(NULL, t.side.front, frames, 32), 0);
	assert_int_equal(answer(&t, 1000), FRAME_SIZE_MAX / PAGE + 1);
	translated_close(&t);
}

/* Marks 'addr's page as expected: it must be in the log, and is taken out of it. */
static void expect_page(uint8_t *bits, uint64_t addr)
{
	uint64_t page = addr / PAGE;

	assert_true(bits[page / 8] >> page % 8 & 1);
	bits[page / 8] = (uint8_t)(bits[page / 8] & ~(1u << page % 8));
}

static void written_pages_show_in_guest_addresses(uint64_t features)
{
	static uint8_t bytes[600], bits[1 << 17];
	struct frame frame, frames[FRAME_BURST], *list[1] = { &frame };
	struct translated t;
	struct virtio_ring_conf conf;

	memset(bits, 0, sizeof bits);
	translated_open(&t, features_of(features), 64);
	guest_net_post(t.side.guest, 0, 8, 1, GUEST_DIRECT);
	conf = guest_ring_conf(&t.side.guest->rx[0]);
	conf.log_used = true;
	conf.log_addr = conf.device; /* as its driver knows it: I/O virtual */
	virtio_net_ring_stop(t.side.net, 0);
	assert_int_equal(virtio_net_ring_start(t.side.net, 0, &conf, NULL), 0);
	for (unsigned i = 0; i < 8; i++) {
		answer(&t, 1000);
		t.side.front->ops->peek(NULL, t.side.front, frames, 32);
	}
	virtio_net_dma(t.side.net)->log = (struct dma_log){ bits, sizeof bits };
	frame_over(&frame, bytes, sizeof bytes);
	assert_int_equal(t.side.front->ops->give(NULL, t.side.front, list, 1), 1);
	t.side.front->ops->flush(NULL, t.side.front);
	expect_page(bits, t.side.guest->rx_bufs[0]);
	expect_page(bits, (features & PACKED ? conf.desc : conf.device) - IOVA);
	for (size_t i = 0; i < sizeof bits; i++)
		assert_int_equal(bits[i], 0);
	translated_close(&t);
}

static void the_dirty_log_counts_in_guest_addresses(void **state)
{
	(void)state;
	written_pages_show_in_guest_addresses(0);
	written_pages_show_in_guest_addresses(PACKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_frame_is_lost_or_moved_for_lack_of_a_translation),
		cmocka_unit_test(rings_start_when_their_own_pages_arrive),
		cmocka_unit_test(the_dirty_log_counts_in_guest_addresses),
		cmocka_unit_test(posted_buffers_are_asked_for_before_a_frame_comes),
		cmocka_unit_test(a_chain_without_end_is_not_asked_for_without_end),
		cmocka_unit_test(frames_held_for_old_features_are_not_given_under_new_ones),
		cmocka_unit_test(a_full_hold_refuses_frames_and_counts_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
