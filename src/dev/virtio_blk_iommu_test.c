/* The virtio-blk front behind a guest's IOMMU: the base that a stop returns is honest, whatever
 * translations are gone then. */
#include "dev/virtio_blk.h"

#include "base/bytes.h"
#include "dev/inflight.h"
#include "sim/fake_back.h"
#include "sim/guest_ring.h"
#include "sim/plain_domain.h"
#include "spec/virtio.h"
#include "spec/virtio_blk.h"
#include "tests/check.h"

#define BIT(n) (UINT64_C(1) << (n))
#define BASIC  (BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_F_ACCESS_PLATFORM))
#define PACKED BIT(VIRTIO_F_RING_PACKED)
#define EVENT  BIT(VIRTIO_F_EVENT_IDX)

enum {
	PAGE = 4096,
	BASE = 0x40000000,
	IOVA = 0x200000,     /* the guest uses guest physical plus this */
	SLOTS = 48,          /* requests of the driver at once */
	SLOT = 2 * PAGE,     /* memory of each: header and status, data */
	BYTES = 1024,        /* data of one */
	RING_AT = SLOTS * SLOT,
	RING_SIZE = 256,
	REGION = 32 + 256 * 32,
	ALL = 100000,
};

enum addresses { PHYSICAL, TRANSLATED };

/* A disk, its driver, and the control thread between them. */
static struct world {
	struct virtio_blk *blk;
	struct block_front *front;
	struct fake_back back;
	struct plain_domain grants;
	struct guest_ring ring;
	struct page_requests requests;
	uint8_t *memory, region[REGION];
	struct dma_region map;
	bool with_region;
	unsigned interrupts, told;
} w;

static void on_interrupt(void *owner, unsigned queue)
{
	(void)owner;
	assert_int_equal(queue, 0);
	w.interrupts++;
}

static void on_config(void *owner)
{
	(void)owner;
}

static void on_misses(void *owner)
{
	(void)owner;
	w.told++;
}

static void start(uint32_t base)
{
	struct virtio_ring_conf conf = guest_ring_conf(&w.ring);
	struct refusal why = { 0 };

	conf.base = base;
	if (w.with_region) {
		conf.inflight = w.region;
		conf.inflight_size = REGION;
	}
	virtio_blk_ring_set_call(w.blk, 0, true);
	virtio_blk_ring_enable(w.blk, 0, true);
	if (virtio_blk_ring_start(w.blk, 0, &conf, &why))
		fail_msg("%s", why.text);
	w.interrupts++; /* as an attachment signals for what was published by the stop */
}

/* The control thread, once it was told: answers up to 'most' of what was asked. */
static void answer(unsigned most)
{
	struct iommu_domain *domain = &w.grants.domain;
	struct page_request request;

	for (w.told = 0; most-- && page_requests_take(&w.requests, &request);) {
		uint64_t offset = request.iova - IOVA - BASE;

		assert_true(offset < w.map.size);
		page_requests_answer(&w.requests, request.iova, PAGE, request.access);
		assert_int_equal(domain->ops->map(domain, (struct iommu_range){ request.iova, PAGE },
						  w.memory + offset, request.access), 0);
		domain->ops->flush(domain);
	}
}

static void take_back(uint64_t iova, uint64_t size)
{
	struct iommu_domain *domain = &w.grants.domain;

	assert_int_equal(domain->ops->unmap(domain, (struct iommu_range){ iova, size }), 0);
	domain->ops->flush(domain);
}

/* All that the guest has, as an IOMMU that was not asked may say it. */
static void map_all(void)
{
	struct iommu_domain *domain = &w.grants.domain;
	const uint64_t iova = BASE + w.ring.iova_offset;

	assert_int_equal(domain->ops->map(domain, (struct iommu_range){ iova, w.map.size }, w.memory,
					  DMA_READ | DMA_WRITE), 0);
	page_requests_answer(&w.requests, iova, w.map.size, DMA_READ | DMA_WRITE);
	domain->ops->flush(domain);
}

static void open_world(uint64_t features, enum addresses addresses, bool with_region)
{
	struct virtio_blk_conf conf = { .queues = 1,
					.host = { on_interrupt, on_config, on_misses, NULL } };
	uint64_t size = RING_AT + guest_ring_bytes(RING_SIZE);

	memset(&w, 0, sizeof w);
	w.memory = aligned_alloc(PAGE, size);
	assert_non_null(w.memory);
	memset(w.memory, 0, size);
	w.map = (struct dma_region){ .base = BASE, .size = size, .host = w.memory };
	w.with_region = with_region;
	plain_domain_init(&w.grants);
	conf.domain = &w.grants.domain;
	w.blk = aligned_alloc(64, (virtio_blk_size() + 63) / 64 * 64);
	assert_non_null(w.blk);
	assert_int_equal(virtio_blk_init(w.blk, &conf), 0);
	w.front = virtio_blk_front(w.blk);
	fake_back_init(&w.back, (uint64_t)SLOTS * BYTES, check_seed());
	w.front->namespaces[0] = &w.back.back;
	virtio_blk_set_memory(w.blk, &w.map, 1);
	assert_int_equal(virtio_blk_accept(w.blk, features), 0);
	guest_ring_init(&w.ring, w.memory, BASE, BASE + RING_AT, RING_SIZE, features);
	w.ring.iova_offset = addresses == TRANSLATED ? IOVA : 0;
	guest_ring_wish(&w.ring, GUEST_INTERRUPT, 0);
	if (addresses == TRANSLATED)
		virtio_blk_set_translated(w.blk, &w.requests);
	map_all();
	start(guest_ring_conf(&w.ring).base);
}

static void close_world(void)
{
	assert_string_equal(w.front->stopped, "");
	assert_int_equal(w.front->in_flight, 0);
	fake_back_fini(&w.back);
	free(w.blk);
	free(w.memory);
}

static uint64_t header_at(unsigned slot) { return BASE + slot * (uint64_t)SLOT; }
static uint64_t status_at(unsigned slot) { return header_at(slot) + 64; }
static uint8_t *data_of(unsigned slot) { return guest_at(&w.ring, header_at(slot) + PAGE); }

/* A request for the slot's own part of the disk. */
static void post(unsigned slot, uint32_t type)
{
	const struct guest_buf bufs[3] = { { header_at(slot), VIRTIO_BLK_REQ_SIZE, false },
					   { header_at(slot) + PAGE, BYTES, type == VIRTIO_BLK_T_IN },
					   { status_at(slot), 1, true } };
	uint8_t *header = guest_at(&w.ring, header_at(slot));

	put_le32(header + VIRTIO_BLK_REQ_TYPE, type);
	put_le64(header + VIRTIO_BLK_REQ_SECTOR, slot * (BYTES / VIRTIO_BLK_SECTOR));
	*guest_at(&w.ring, status_at(slot)) = 0xff;
	assert_true(guest_ring_add(&w.ring, bufs, 3, GUEST_DIRECT, slot));
}

static void poll(void)
{
	w.front->ops->poll(NULL, w.front, 0);
}

static void flush(void)
{
	w.front->ops->flush(NULL, w.front);
}

/* Two writes, of slots 0 and 1, that are at the medium. */
static void begin_two(void)
{
	for (unsigned slot = 0; slot < 2; slot++) {
		memset(data_of(slot), 0xa0 + slot, BYTES);
		post(slot, VIRTIO_BLK_T_OUT);
	}
	guest_ring_publish(&w.ring);
	poll();
	assert_int_equal(w.back.pending_count, 2);
}

/* Ends the request of the slot. */
static void end(unsigned slot)
{
	struct block_request **pending = w.back.pending, *first = pending[0];

	for (unsigned i = 0; i < w.back.pending_count; i++) {
		if (pending[i]->first != (uint64_t)slot * BYTES)
			continue;
		pending[0] = pending[i];
		pending[i] = first;
		break;
	}
	assert_int_equal(pending[0]->first, slot * BYTES);
	first = w.back.pending_count == 2 ? pending[1] : NULL;
	w.back.pending_count = 1;
	fake_back_end(&w.back, 1);
	if (first)
		pending[w.back.pending_count++] = first;
}

/* What the driver finds used: both requests, in 'order', once. */
static void take_two(const unsigned order[2])
{
	uint64_t cookie;
	uint32_t written;

	for (unsigned i = 0; i < 2; i++) {
		assert_true(guest_ring_take(&w.ring, &cookie, &written));
		assert_int_equal(cookie, order[i]);
		assert_int_equal(written, 1);
		assert_int_equal(*guest_at(&w.ring, status_at(order[i])), VIRTIO_BLK_S_OK);
		assert_int_equal(w.back.bytes[order[i] * BYTES], 0xa0 + order[i]);
	}
	assert_false(guest_ring_take(&w.ring, &cookie, &written));
	assert_int_equal(w.ring.free_count, RING_SIZE);
}

static void a_request_that_ended_and_could_not_be_written_is_in_the_base(void **state)
{
	static const unsigned in_order[2] = { 0, 1 };

	(void)state;
	for (unsigned kind = 0; kind < 8; kind++) {
		uint64_t features = BASIC | (kind & 1 ? PACKED : 0) | (kind & 2 ? EVENT : 0);
		uint32_t fresh, base;

		open_world(features, TRANSLATED, (kind & 4) != 0);
		fresh = guest_ring_conf(&w.ring).base;
		begin_two();
		end(1);
		flush();
		take_back(0, UINT64_MAX);
		end(0);
		flush();
		base = virtio_blk_ring_stop(w.blk, 0);
		assert_int_equal(base, fresh);
		map_all();
		start(base);
		poll();
		assert_int_equal(w.back.pending_count, 2); /* both run again */
		fake_back_end(&w.back, 2);
		flush();
		take_two(in_order);
		close_world();
	}
}

static void what_can_be_written_by_the_stop_is_not_run_again(void **state)
{
	static const unsigned in_order[2] = { 0, 1 };

	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		uint32_t base;

		open_world(BASIC | (packed ? PACKED : 0), TRANSLATED, false);
		begin_two();
		end(1);
		take_back(0, UINT64_MAX);
		end(0);
		flush();
		virtio_blk_pause(w.blk, VIRTIO_BLK_PAUSE);
		map_all();
		poll();
		base = virtio_blk_ring_stop(w.blk, 0);
		take_two(in_order);
		assert_int_equal(base, guest_ring_conf(&w.ring).base);
		virtio_blk_pause(w.blk, VIRTIO_BLK_RUN);
		start(base);
		poll();
		assert_int_equal(w.back.count[BLOCK_WRITE], 2);
		assert_int_equal(w.front->in_flight, 0);
		close_world();
	}
}

/* The translations go after a request was used, and before the round's end. */
static void what_was_used_is_seen_and_told_although_the_ring_goes(void **state)
{
	static const unsigned in_order[2] = { 0, 1 };

	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		open_world(BASIC | (kind & 1 ? PACKED : 0) | (kind & 2 ? EVENT : 0), TRANSLATED,
			   false);
		begin_two();
		w.interrupts = 0;
		end(0);
		end(1);
		take_back(0, UINT64_MAX);
		flush();
		assert_int_equal(w.interrupts, 1);
		flush();
		assert_int_equal(w.interrupts, 1);
		virtio_blk_ring_stop(w.blk, 0);
		take_two(in_order);
		close_world();
	}
}

static void without_an_iommu_requests_are_used_as_they_end(void **state)
{
	static const unsigned as_ended[2] = { 1, 0 };

	(void)state;
	open_world(BASIC, PHYSICAL, false);
	begin_two();
	end(1);
	end(0);
	flush();
	take_two(as_ended);
	close_world();
}

static void a_ring_whose_pages_went_asks_for_them(void **state)
{
	(void)state;
	open_world(BASIC, TRANSLATED, false);
	take_back(0, UINT64_MAX);
	poll();
	assert_int_equal(w.told, 1);
	answer(ALL);
	post(0, VIRTIO_BLK_T_OUT);
	guest_ring_publish(&w.ring);
	for (unsigned i = 0; i < 4; i++) {
		poll();
		if (w.told)
			answer(ALL);
	}
	assert_int_equal(w.back.pending_count, 1);
	take_back(0, UINT64_MAX);
	assert_false(w.front->ops->arm(NULL, w.front));
	assert_int_equal(w.told, 1);
	fake_back_end(&w.back, 1);
	close_world();
}

/* -- at random -- */

struct slot {
	bool out, read;
	uint8_t byte; /* what all of its part of the disk holds */
};

/* A driver that looks only when it was told. */
static unsigned take_all(struct slot *slots)
{
	uint64_t cookie;
	uint32_t written;
	unsigned n = 0;

	if (!w.interrupts)
		return 0;
	w.interrupts = 0;
	for (unsigned again = 0; again < 2; again++) {
		while (guest_ring_take(&w.ring, &cookie, &written)) {
			struct slot *slot = &slots[cookie];

			assert_true(cookie < SLOTS && slot->out);
			assert_int_equal(*guest_at(&w.ring, status_at(cookie)), VIRTIO_BLK_S_OK);
			assert_int_equal(written, slot->read ? BYTES + 1 : 1);
			for (unsigned i = 0; slot->read && i < BYTES; i++)
				assert_int_equal(data_of(cookie)[i], slot->byte);
			slot->out = false;
			n++;
		}
		guest_ring_wish(&w.ring, GUEST_INTERRUPT, 0);
	}
	return n;
}

static void post_some(struct slot *slots, unsigned tries, uint64_t *seed)
{
	while (tries--) {
		unsigned i = rand_u64(seed) % SLOTS;
		struct slot *slot = &slots[i];

		if (slot->out)
			continue;
		slot->out = true;
		slot->read = rand_u64(seed) & 1;
		if (!slot->read)
			slot->byte = (uint8_t)rand_u64(seed);
		memset(data_of(i), slot->read ? (uint8_t)~slot->byte : slot->byte, BYTES);
		post(i, slot->read ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT);
	}
	guest_ring_publish(&w.ring);
}

/* As the contract wants it: paused, and nothing in flight. */
static void stop_and_start(uint64_t *seed)
{
	uint32_t base;

	virtio_blk_pause(w.blk, VIRTIO_BLK_PAUSE);
	fake_back_end(&w.back, ALL);
	if (rand_u64(seed) & 1)
		flush();
	base = virtio_blk_ring_stop(w.blk, 0);
	if (w.with_region)
		map_all();
	start(base);
	virtio_blk_pause(w.blk, VIRTIO_BLK_RUN);
}

static void run_random(uint64_t features, bool with_region, uint64_t seed)
{
	static struct slot slots[SLOTS];
	unsigned taken = 0, rounds = 6000;

	memset(slots, 0, sizeof slots);
	open_world(features, TRANSLATED, with_region);
	for (unsigned round = 0; round < rounds; round++) {
		bool late = round > rounds - 200;

		w.back.room = late ? ALL : rand_u64(&seed) % SLOTS;
		post_some(slots, late ? 0 : rand_u64(&seed) % 8, &seed);
		poll();
		if (!late && rand_u64(&seed) % 8 == 0)
			take_back(IOVA + BASE + rand_u64(&seed) % (w.map.size / PAGE) * PAGE,
				  PAGE * (1 + rand_u64(&seed) % 64));
		fake_back_end(&w.back, late ? ALL : rand_u64(&seed) % 16);
		if (!late && rand_u64(&seed) % 16 == 0)
			take_back(0, UINT64_MAX);
		flush();
		if (!late && rand_u64(&seed) % 16 == 0)
			stop_and_start(&seed);
		if (w.told)
			answer(late ? ALL : 1 + rand_u64(&seed) % 32);
		taken += take_all(slots);
		assert_string_equal(w.front->stopped, "");
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		assert_false(slots[i].out);
		for (unsigned k = 0; k < BYTES; k++)
			assert_int_equal(w.back.bytes[i * BYTES + k], slots[i].byte);
	}
	assert_true(taken > 1000);
	assert_int_equal(w.ring.free_count, RING_SIZE);
	close_world();
}

static void each_request_is_answered_once_whatever_goes_and_stops(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned kind = 0; kind < 8; kind++)
		run_random(BASIC | (kind & 1 ? PACKED : 0) | (kind & 2 ? EVENT : 0), (kind & 4) != 0,
			   rand_u64(&seed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_that_ended_and_could_not_be_written_is_in_the_base),
		cmocka_unit_test(what_can_be_written_by_the_stop_is_not_run_again),
		cmocka_unit_test(what_was_used_is_seen_and_told_although_the_ring_goes),
		cmocka_unit_test(without_an_iommu_requests_are_used_as_they_end),
		cmocka_unit_test(a_ring_whose_pages_went_asks_for_them),
		cmocka_unit_test(each_request_is_answered_once_whatever_goes_and_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
