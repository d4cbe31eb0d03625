/* The virtio-blk front with a synthetic driver in front and a fake namespace behind. */
#include "dev/virtio_blk.h"

#include "base/bytes.h"
#include "dev/call_pace.h"
#include "dev/inflight.h"
#include "sim/fake_back.h"
#include "sim/guest_ring.h"
#include "sim/plain_domain.h"
#include "spec/virtio.h"
#include "spec/virtio_blk.h"
#include "tests/check.h"

#include <errno.h>

#define BIT(n)   (UINT64_C(1) << (n))
#define BASIC    (BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_BLK_SIZE))
#define RANGES   (BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES))
#define PACKED   BIT(VIRTIO_F_RING_PACKED)
#define INDIRECT BIT(VIRTIO_F_INDIRECT_DESC)
#define EVENT    BIT(VIRTIO_F_EVENT_IDX)

enum {
	MEMORY = 16 << 20,
	BASE = 0x40000000,
	SLOTS = 64,          /* requests of the driver at once */
	SLOT = 128 << 10,    /* bytes of memory of each: header, status, data */
	AREA = 64 << 10,     /* bytes of the disk of each */
	RING_AT = SLOTS * SLOT,
	DISK = SLOTS * AREA,
};

static struct virtio_blk *blk;
static struct block_front *front;
static struct fake_back back;
static struct plain_domain *grants;
static struct guest_ring *ring;
static uint8_t *memory;
static unsigned interrupts, config_changes;

static void on_interrupt(void *owner, unsigned queue)
{
	(void)owner;
	(void)queue;
	interrupts++;
}

static void on_config(void *owner)
{
	(void)owner;
	config_changes++;
}

static void on_misses(void *owner)
{
	(void)owner;
}

static void open_front(uint16_t queues)
{
	struct virtio_blk_conf conf = { .queues = queues, .serial = "serial-0123456789ab",
					.host = { on_interrupt, on_config, on_misses, NULL } };

	memory = aligned_alloc(4096, MEMORY);
	memset(memory, 0, MEMORY);
	ring = malloc(sizeof *ring);
	grants = malloc(sizeof *grants);
	plain_domain_init(grants);
	conf.domain = &grants->domain;
	blk = aligned_alloc(64, (virtio_blk_size() + 63) / 64 * 64);
	assert_int_equal(virtio_blk_init(blk, &conf), 0);
	front = virtio_blk_front(blk);
	fake_back_init(&back, DISK, check_seed());
	front->namespaces[0] = &back.back;
	interrupts = config_changes = 0;
}

static void start(uint64_t features, uint16_t size, void *inflight, uint32_t inflight_size_bytes)
{
	static struct dma_region region;
	struct virtio_ring_conf conf;
	struct refusal why = { 0 };

	region = (struct dma_region){ .base = BASE, .size = MEMORY, .host = memory };
	plain_domain_grant(grants, &region);
	virtio_blk_set_memory(blk, &region, 1);
	assert_int_equal(virtio_blk_accept(blk, features), 0);
	guest_ring_init(ring, memory, BASE, BASE + RING_AT, size, features);
	guest_ring_wish(ring, GUEST_INTERRUPT, 0);
	conf = guest_ring_conf(ring);
	conf.inflight = inflight;
	conf.inflight_size = inflight_size_bytes;
	virtio_blk_ring_set_call(blk, 0, true);
	virtio_blk_ring_enable(blk, 0, true);
	if (virtio_blk_ring_start(blk, 0, &conf, &why))
		fail_msg("%s", why.text);
	assert_true(front->ready);
}

static void open_started(uint64_t features)
{
	open_front(1);
	start(features, 256, NULL, 0);
}

static void close_front(void)
{
	fake_back_fini(&back);
	free(blk);
	free(grants);
	free(ring);
	free(memory);
}

/* Where a slot has its header, its status and its data. */
static uint64_t header_at(unsigned slot) { return BASE + slot * (uint64_t)SLOT; }
static uint64_t status_at(unsigned slot) { return header_at(slot) + 64; }
static uint64_t data_at(unsigned slot) { return header_at(slot) + 4096; }

static uint8_t status_of(unsigned slot)
{
	return *guest_at(ring, status_at(slot));
}

/* Adds a request of 'size' bytes of data, cut into 'parts'; type and direction as the driver says. */
static void post(unsigned slot, uint32_t type, uint64_t sector, uint32_t size, bool in,
		 unsigned parts, enum guest_layout layout)
{
	struct guest_buf bufs[20] = { { header_at(slot), VIRTIO_BLK_REQ_SIZE, false } };
	uint8_t *header = guest_at(ring, header_at(slot));
	unsigned n = 1;

	put_le32(header + VIRTIO_BLK_REQ_TYPE, type);
	put_le32(header + 4, 0);
	put_le64(header + VIRTIO_BLK_REQ_SECTOR, sector);
	*guest_at(ring, status_at(slot)) = 0xff;
	for (uint32_t at = 0; at < size;) {
		uint32_t take = parts > 1 ? min_u32(size - at, size / parts + 1) : size - at;

		bufs[n++] = (struct guest_buf){ data_at(slot) + at, take, in };
		at += take;
	}
	bufs[n++] = (struct guest_buf){ status_at(slot), 1, true };
	assert_true(guest_ring_add(ring, bufs, n, layout, slot));
}

static void run(void)
{
	guest_ring_publish(ring);
	for (unsigned i = 0; i < 4; i++) {
		front->ops->poll(NULL, front, 0);
		fake_back_end(&back, 1000);
		front->ops->flush(NULL, front);
	}
}

/* One request to its end; returns its status. */
static uint8_t once(uint32_t type, uint64_t sector, uint32_t size, bool in, uint32_t written)
{
	uint64_t cookie;
	uint32_t got;

	post(0, type, sector, size, in, 1, GUEST_DIRECT);
	run();
	assert_true(guest_ring_take(ring, &cookie, &got));
	assert_int_equal(got, written);
	return status_of(0);
}

static void run_random(uint64_t features, uint16_t size, unsigned rounds)
{
	static uint8_t plain[DISK];
	static struct { bool out, read; uint32_t at, size; } slots[SLOTS];
	uint64_t seed = check_seed(), cookie;
	uint32_t written;

	open_front(1);
	start(features, size, NULL, 0);
	memset(plain, 0, sizeof plain);
	memset(slots, 0, sizeof slots);
	for (unsigned round = 0; round < rounds; round++) {
		unsigned i = rand_u64(&seed) % SLOTS;
		uint32_t at = rand_u64(&seed) % (AREA / 512) * 512;
		uint32_t bytes = (1 + rand_u64(&seed) % 16) * 512;
		uint8_t *data = guest_at(ring, data_at(i));

		bytes = min_u32(bytes, AREA - at);
		if (!slots[i].out && ring->free_count > 20) {
			slots[i].out = true;
			slots[i].read = rand_u64(&seed) & 1;
			slots[i].at = i * AREA + at;
			slots[i].size = bytes;
			for (uint32_t k = 0; k < bytes; k++)
				data[k] = (uint8_t)rand_u64(&seed);
			if (!slots[i].read)
				memcpy(plain + slots[i].at, data, bytes);
			post(i, slots[i].read ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
			     slots[i].at / 512, bytes, slots[i].read,
			     1 + rand_u64(&seed) % 8,
			     features & INDIRECT && rand_u64(&seed) & 1 ? GUEST_INDIRECT : GUEST_DIRECT);
		}
		if (rand_u64(&seed) % 4)
			continue;
		guest_ring_publish(ring);
		back.room = rand_u64(&seed) % 60;
		front->ops->poll(NULL, front, 0);
		fake_back_end(&back, rand_u64(&seed) % 40);
		front->ops->flush(NULL, front);
		while (guest_ring_take(ring, &cookie, &written)) {
			assert_int_equal(status_of(cookie), VIRTIO_BLK_S_OK);
			assert_int_equal(written, slots[cookie].read ? slots[cookie].size + 1 : 1);
			if (slots[cookie].read)
				assert_memory_equal(guest_at(ring, data_at(cookie)),
						    plain + slots[cookie].at, slots[cookie].size);
			slots[cookie].out = false;
		}
		assert_string_equal(front->stopped, "");
	}
	assert_true(back.refused > 0 && interrupts > 0);
	close_front();
}

static void what_is_written_is_read_through_split_rings(void **state)
{
	(void)state;
	run_random(BASIC, 256, 20000);
	run_random(BASIC | INDIRECT | EVENT, 64, 20000);
}

static void what_is_written_is_read_through_packed_rings(void **state)
{
	(void)state;
	run_random(BASIC | PACKED, 256, 20000);
	run_random(BASIC | PACKED | INDIRECT | EVENT, 100, 20000);
}

static void the_configuration_space_says_what_the_namespace_is(void **state)
{
	uint8_t config[80];

	(void)state;
	open_front(4);
	back.back.block_size = 512;
	virtio_blk_config_read(blk, 0, sizeof config, config);
	assert_int_equal(get_le64(config + VIRTIO_BLK_CONFIG_CAPACITY), DISK / 512);
	assert_int_equal(get_le32(config + VIRTIO_BLK_CONFIG_BLK_SIZE), 512);
	assert_int_equal(config[VIRTIO_BLK_CONFIG_PHYSICAL_EXP], 3);
	assert_int_equal(get_le16(config + VIRTIO_BLK_CONFIG_NUM_QUEUES), 4);
	assert_int_equal(get_le32(config + VIRTIO_BLK_CONFIG_DISCARD_ALIGNMENT), 8);
	assert_int_equal(config[VIRTIO_BLK_CONFIG_SIZE], 0);
	assert_int_equal(get_le16(config + VIRTIO_BLK_CONFIG_CYLINDERS),
			 DISK / 512 / 16 / 63 ? DISK / 512 / 16 / 63 : 1);
	assert_int_equal(config[VIRTIO_BLK_CONFIG_HEADS], 16);
	assert_int_equal(config[VIRTIO_BLK_CONFIG_SECTORS], 63);
	back.back.size = UINT64_C(1) << 50;
	virtio_blk_config_read(blk, 0, sizeof config, config);
	assert_int_equal(get_le16(config + VIRTIO_BLK_CONFIG_CYLINDERS), 16383);
	back.back.size = DISK;
	virtio_blk_config_read(blk, UINT32_MAX, 4, config);
	assert_int_equal(get_le32(config), 0);
	front->namespaces[0] = NULL;
	virtio_blk_config_read(blk, 0, 8, config);
	assert_int_equal(get_le64(config), 0);
	close_front();
}

static void features_follow_the_namespace(void **state)
{
	(void)state;
	open_front(1);
	assert_true(virtio_blk_features(blk) & BIT(VIRTIO_BLK_F_FLUSH));
	assert_true(virtio_blk_features(blk) & BIT(VIRTIO_BLK_F_DISCARD));
	assert_false(virtio_blk_features(blk) & BIT(VIRTIO_BLK_F_MQ));
	back.back.read_only = true;
	back.back.volatile_cache = false;
	assert_true(virtio_blk_features(blk) & BIT(VIRTIO_BLK_F_RO));
	assert_false(virtio_blk_features(blk) & (RANGES | BIT(VIRTIO_BLK_F_FLUSH)));
	assert_int_equal(virtio_blk_accept(blk, BIT(VIRTIO_BLK_F_FLUSH)), -EINVAL);
	assert_int_equal(virtio_blk_accept(blk, BIT(VIRTIO_BLK_F_LIFETIME)), -EINVAL);
	close_front();
}

static void each_kind_of_request_is_served(void **state)
{
	uint8_t *data;

	(void)state;
	open_started(BASIC | RANGES);
	data = guest_at(ring, data_at(0));
	assert_int_equal(once(VIRTIO_BLK_T_GET_ID, 0, 20, true, 21), VIRTIO_BLK_S_OK);
	assert_string_equal((char *)data, "serial-0123456789ab");
	memset(data, 1, 4096);
	assert_int_equal(once(VIRTIO_BLK_T_OUT, 8, 4096, false, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(back.bytes[4096] + back.bytes[8191] + back.bytes[8192], 2);
	assert_int_equal(once(VIRTIO_BLK_T_FLUSH, 0, 0, false, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(back.count[BLOCK_FLUSH], 1);
	put_le64(data, 8);
	put_le32(data + 8, 1);
	put_le32(data + 12, VIRTIO_BLK_RANGE_F_UNMAP);
	assert_int_equal(once(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, false, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(back.bytes[4096] + back.bytes[4607] + back.bytes[4608], 1);
	assert_int_equal(back.unmap, 1);
	assert_int_equal(once(VIRTIO_BLK_T_DISCARD, 0, 16, false, 1), VIRTIO_BLK_S_UNSUPP);
	put_le32(data + 12, 0);
	assert_int_equal(once(VIRTIO_BLK_T_DISCARD, 0, 16, false, 1), VIRTIO_BLK_S_OK);
	put_le32(data + 12, 2);
	assert_int_equal(once(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, false, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(once(VIRTIO_BLK_T_DISCARD, 0, 32, false, 1), VIRTIO_BLK_S_UNSUPP);
	put_le64(data, UINT64_MAX);
	assert_int_equal(once(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, false, 1), VIRTIO_BLK_S_UNSUPP);
	put_le32(data + 12, 0);
	assert_int_equal(once(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, false, 1), VIRTIO_BLK_S_IOERR);
	assert_int_equal(once(99, 0, 512, true, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(once(VIRTIO_BLK_T_IN, 0, 100, true, 1), VIRTIO_BLK_S_IOERR);
	assert_int_equal(once(VIRTIO_BLK_T_IN, UINT64_MAX, 512, true, 1), VIRTIO_BLK_S_IOERR);
	assert_int_equal(once(VIRTIO_BLK_T_IN, DISK / 512, 512, true, 513), VIRTIO_BLK_S_IOERR);
	assert_string_equal(front->stopped, "");
	assert_int_equal(front->in_flight, 0);
	close_front();
}

static void what_was_not_accepted_is_not_served(void **state)
{
	(void)state;
	open_started(BIT(VIRTIO_F_VERSION_1));
	assert_int_equal(once(VIRTIO_BLK_T_FLUSH, 0, 0, false, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(once(VIRTIO_BLK_T_DISCARD, 0, 16, false, 1), VIRTIO_BLK_S_UNSUPP);
	close_front();
}

/* Section 5.2.5.2: a driver that cannot flush has writes that last when they end. */
static void a_driver_without_flush_gets_writes_that_last(void **state)
{
	(void)state;
	open_started(BIT(VIRTIO_F_VERSION_1));
	once(VIRTIO_BLK_T_OUT, 0, 512, false, 1);
	assert_int_equal(back.fua, 1);
	close_front();
	open_started(BASIC | BIT(VIRTIO_BLK_F_CONFIG_WCE));
	once(VIRTIO_BLK_T_OUT, 0, 512, false, 1);
	assert_int_equal(back.fua, 0);
	assert_int_equal(virtio_blk_config_write(blk, VIRTIO_BLK_CONFIG_WRITEBACK, 1, (uint8_t[]){ 0 }),
			 0);
	once(VIRTIO_BLK_T_OUT, 0, 512, false, 1);
	assert_int_equal(back.fua, 1);
	assert_int_equal(virtio_blk_config_write(blk, 0, 1, (uint8_t[]){ 0 }), -EPERM);
	assert_int_equal(virtio_blk_config_write(blk, VIRTIO_BLK_CONFIG_WRITEBACK, 1, (uint8_t[]){ 2 }),
			 -EPERM);
	close_front();
}

static void a_failure_below_is_an_error_above(void **state)
{
	(void)state;
	open_started(BASIC);
	back.fail = BLOCK_GONE;
	assert_int_equal(once(VIRTIO_BLK_T_OUT, 0, 512, false, 1), VIRTIO_BLK_S_IOERR);
	back.fail = BLOCK_UNSUPPORTED;
	assert_int_equal(once(VIRTIO_BLK_T_OUT, 0, 512, false, 1), VIRTIO_BLK_S_UNSUPP);
	front->namespaces[0] = NULL;
	assert_int_equal(once(VIRTIO_BLK_T_OUT, 0, 512, false, 1), VIRTIO_BLK_S_IOERR);
	assert_int_equal(counter_get(&front->failed), 3);
	close_front();
}

static void a_request_without_header_or_status_stops_the_front_and_nothing_else(void **state)
{
	const struct guest_buf no_status = { BASE, 16, false }, no_header = { BASE, 1, true };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		open_started(BASIC);
		guest_ring_add(ring, i ? &no_status : &no_header, 1, GUEST_DIRECT, 0);
		run();
		assert_non_null(strstr(front->stopped, "queue 0: a request with a header of"));
		assert_false(front->ready);
		virtio_blk_reset(blk);
		assert_string_equal(front->stopped, "");
		start(BASIC, 256, NULL, 0);
		assert_int_equal(once(VIRTIO_BLK_T_OUT, 0, 512, false, 1), VIRTIO_BLK_S_OK);
		close_front();
	}
}

static void a_buffer_that_was_not_granted_is_given_back_unserved(void **state)
{
	struct guest_buf bufs[3] = { { BASE, 16, false }, { BASE + MEMORY, 512, false },
				     { BASE + 64, 1, true } };
	uint64_t cookie;
	uint32_t written;

	(void)state;
	open_started(BASIC);
	*guest_at(ring, BASE + 64) = 0xee;
	guest_ring_add(ring, bufs, 3, GUEST_DIRECT, 7);
	run();
	assert_true(guest_ring_take(ring, &cookie, &written));
	assert_int_equal(cookie, 7);
	assert_int_equal(written, 0);
	assert_int_equal(back.count[BLOCK_WRITE], 0);
	assert_int_equal(once(VIRTIO_BLK_T_OUT, 0, 512, false, 1), VIRTIO_BLK_S_OK);
	close_front();
}

static void random_garbage_in_the_ring_is_survived(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		open_front(1);
		start(round % 2 ? BASIC | INDIRECT : BASIC | INDIRECT | PACKED, 64, NULL, 0);
		for (unsigned i = 0; i < 8; i++)
			post(i, rand_u64(&seed) % 16, rand_u64(&seed) % 64, 512 * (i + 1),
			     rand_u64(&seed) & 1, 2, i % 2 ? GUEST_INDIRECT : GUEST_DIRECT);
		guest_ring_publish(ring);
		for (unsigned i = 0; i < 200; i++)
			memory[RING_AT + rand_u64(&seed) % (64 * 16 + 512)] = (uint8_t)rand_u64(&seed);
		for (unsigned i = 0; i < 20; i++) {
			front->ops->poll(NULL, front, 0);
			front->ops->arm(NULL, front);
			fake_back_end(&back, 3);
			front->ops->flush(NULL, front);
		}
		virtio_blk_reset(blk);
		fake_back_end(&back, 1000);
		assert_int_equal(front->in_flight, 0);
		close_front();
	}
}

/* A reset does not wait; what ends afterwards touches nothing, and no place is lost. */
static void requests_that_end_after_a_reset_are_dropped(void **state)
{
	(void)state;
	open_started(BASIC);
	for (unsigned round = 0; round < 2 * VIRTIO_BLK_COMMANDS; round++) {
		uint8_t before[4096];

		for (unsigned i = 0; i < 4; i++)
			post(i, VIRTIO_BLK_T_OUT, 0, 512, false, 1, GUEST_DIRECT);
		guest_ring_publish(ring);
		back.room = round % 2 ? 2 : 100;
		front->ops->poll(NULL, front, 0);
		assert_int_equal(front->in_flight, round % 2 ? 2 : 4);
		virtio_blk_reset(blk);
		memcpy(before, memory + RING_AT, sizeof before);
		fake_back_end(&back, 100);
		front->ops->flush(NULL, front);
		assert_memory_equal(before, memory + RING_AT, sizeof before);
		assert_int_equal(front->in_flight, 0);
		assert_int_equal(status_of(0), 0xff);
		start(BASIC, 256, NULL, 0);
	}
	back.room = 100;
	assert_int_equal(once(VIRTIO_BLK_T_OUT, 0, 512, false, 1), VIRTIO_BLK_S_OK);
	close_front();
}

static void with_an_in_flight_region_requests_end_in_order(void **state)
{
	static uint8_t region[16 + 256 * 16];
	uint64_t cookie, next = 0;
	uint32_t written;

	(void)state;
	open_front(1);
	memset(region, 0, sizeof region);
	start(BASIC, 256, region, sizeof region);
	for (unsigned i = 0; i < 32; i++)
		post(i, VIRTIO_BLK_T_OUT, i, 512, false, 1, GUEST_DIRECT);
	guest_ring_publish(ring);
	front->ops->poll(NULL, front, 0);
	while (back.pending_count) {
		fake_back_end(&back, 5);
		front->ops->flush(NULL, front);
		while (guest_ring_take(ring, &cookie, &written))
			assert_int_equal(cookie, next++);
	}
	assert_int_equal(next, 32);
	close_front();
}

static void a_paused_front_takes_nothing_new_and_finishes_what_it_has(void **state)
{
	(void)state;
	open_started(BASIC);
	post(0, VIRTIO_BLK_T_OUT, 0, 512, false, 1, GUEST_DIRECT);
	guest_ring_publish(ring);
	front->ops->poll(NULL, front, 0);
	post(1, VIRTIO_BLK_T_OUT, 1, 512, false, 1, GUEST_DIRECT);
	guest_ring_publish(ring);
	virtio_blk_pause(blk, VIRTIO_BLK_PAUSE);
	front->ops->poll(NULL, front, 0);
	assert_int_equal(front->in_flight, 1);
	assert_false(front->ops->arm(NULL, front));
	fake_back_end(&back, 9);
	assert_int_equal(front->in_flight, 0);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_OK);
	virtio_blk_pause(blk, VIRTIO_BLK_RUN);
	run();
	assert_int_equal(status_of(1), VIRTIO_BLK_S_OK);
	close_front();
}

static void do_round(uint64_t now_ns)
{
	front->ops->poll(NULL, front, now_ns);
	fake_back_end(&back, 1000);
	front->ops->flush(NULL, front);
}

static void post_one(unsigned slot)
{
	post(slot, VIRTIO_BLK_T_OUT, slot, 512, false, 1, GUEST_DIRECT);
	guest_ring_publish(ring);
}

/* A driver posts four without looking, then takes them: from then on it is one that posts on. */
static void learn_that_it_posts_on(uint64_t now_ns)
{
	uint64_t cookie;
	uint32_t written;

	for (unsigned i = 0; i < 4; i++) {
		post_one(i);
		do_round(now_ns + i * 1000);
	}
	assert_int_equal(interrupts, 1);
	for (unsigned i = 0; i < 4; i++)
		assert_true(guest_ring_take(ring, &cookie, &written));
	guest_ring_wish(ring, GUEST_INTERRUPT, 0);
	assert_int_equal(front->due_ns, 0);
}

static unsigned busy(void)
{
	struct virtio_device *device = virtio_blk_device(blk);

	return device->ops->busy(device);
}

static void a_call_waits_for_what_its_driver_posts_next_but_not_for_long(void **state)
{
	uint64_t now_ns = 1000000, due_ns;

	(void)state;
	open_started(BASIC | EVENT);
	learn_that_it_posts_on(now_ns);
	post_one(0);
	do_round(now_ns += 4000);
	assert_int_equal(status_of(0), VIRTIO_BLK_S_OK);
	assert_int_equal(interrupts, 1);
	due_ns = front->due_ns;
	assert_in_range(due_ns, now_ns + 1, now_ns + CALL_PAUSE_NS);
	assert_int_equal(busy(), 1);
	do_round(due_ns - 1);
	assert_int_equal(interrupts, 1);
	do_round(due_ns);
	assert_int_equal(interrupts, 2);
	assert_int_equal(front->due_ns, 0);
	assert_int_equal(busy(), 0);
	close_front();
}

static void all_four_that_it_waits_with_are_told_at_once_and_together(void **state)
{
	(void)state;
	open_started(BASIC | EVENT);
	learn_that_it_posts_on(1000000);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(interrupts, 1);
		post_one(i);
		do_round(1005000 + i * 1000);
	}
	assert_int_equal(interrupts, 2);
	assert_int_equal(front->due_ns, 0);
	close_front();
}

static void a_held_call_goes_out_before_a_pause_is_complete(void **state)
{
	(void)state;
	open_started(BASIC | EVENT);
	learn_that_it_posts_on(1000000);
	post_one(0);
	do_round(1005000);
	assert_int_equal(interrupts, 1);
	virtio_blk_pause(blk, VIRTIO_BLK_PAUSE);
	assert_int_equal(busy(), 1);
	assert_true(block_front_is_due(front, 1005000));
	do_round(1005000);
	assert_int_equal(interrupts, 2);
	assert_int_equal(busy(), 0);
	close_front();
}

static void a_reset_forgets_a_held_call(void **state)
{
	(void)state;
	open_started(BASIC | EVENT);
	learn_that_it_posts_on(1000000);
	post_one(0);
	do_round(1005000);
	virtio_blk_reset(blk);
	assert_int_equal(busy(), 0);
	assert_int_equal(front->due_ns, 0);
	do_round(2000000);
	assert_int_equal(interrupts, 1);
	close_front();
}

/* Nobody knows what such a driver has taken. */
static void without_an_event_index_every_round_that_ends_something_calls(void **state)
{
	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		open_started(BASIC | (packed ? PACKED : 0));
		for (unsigned i = 0; i < 8; i++) {
			post_one(i);
			do_round(1000000 + i * 1000);
			assert_int_equal(interrupts, i + 1);
		}
		close_front();
	}
}

/* As when a VMM changes its memory map: the worker is woken while some of it is there. */
static void a_paused_front_that_was_armed_does_not_look_for_its_rings(void **state)
{
	struct dma_region region = { .base = BASE, .size = MEMORY };

	(void)state;
	open_started(BASIC);
	region.host = memory;
	assert_false(front->ops->arm(NULL, front));
	virtio_blk_pause(blk, VIRTIO_BLK_PAUSE);
	assert_int_equal(grants->domain.ops->unmap(&grants->domain, (struct iommu_range){ BASE, MEMORY }), 0);
	grants->domain.ops->flush(&grants->domain);
	front->ops->disarm(NULL, front);
	front->ops->poll(NULL, front, 0);
	front->ops->flush(NULL, front);
	assert_false(front->ops->arm(NULL, front));
	plain_domain_grant(grants, &region);
	virtio_blk_pause(blk, VIRTIO_BLK_RUN);
	assert_string_equal(front->stopped, "");
	assert_int_equal(grants->blocked, 0);
	front->ops->disarm(NULL, front);
	post(0, VIRTIO_BLK_T_OUT, 0, 512, false, 1, GUEST_DIRECT);
	guest_ring_publish(ring);
	run();
	assert_int_equal(status_of(0), VIRTIO_BLK_S_OK);
	close_front();
}

static void an_armed_front_sleeps_while_requests_are_out_and_wakes_for_new_ones(void **state)
{
	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		open_started(BASIC | (packed ? PACKED | EVENT : 0));
		post(0, VIRTIO_BLK_T_OUT, 0, 512, false, 1, GUEST_DIRECT);
		guest_ring_publish(ring);
		assert_true(front->ops->arm(NULL, front));
		front->ops->disarm(NULL, front);
		front->ops->poll(NULL, front, 0);
		assert_false(front->ops->arm(NULL, front));
		post(1, VIRTIO_BLK_T_OUT, 0, 512, false, 1, GUEST_DIRECT);
		assert_true(guest_ring_publish(ring)); /* a kick is wanted */
		assert_true(front->ops->arm(NULL, front));
		run();
		assert_false(front->ops->arm(NULL, front));
		close_front();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_through_split_rings),
		cmocka_unit_test(what_is_written_is_read_through_packed_rings),
		cmocka_unit_test(the_configuration_space_says_what_the_namespace_is),
		cmocka_unit_test(features_follow_the_namespace),
		cmocka_unit_test(each_kind_of_request_is_served),
		cmocka_unit_test(what_was_not_accepted_is_not_served),
		cmocka_unit_test(a_driver_without_flush_gets_writes_that_last),
		cmocka_unit_test(a_failure_below_is_an_error_above),
		cmocka_unit_test(a_request_without_header_or_status_stops_the_front_and_nothing_else),
		cmocka_unit_test(a_buffer_that_was_not_granted_is_given_back_unserved),
		cmocka_unit_test(random_garbage_in_the_ring_is_survived),
		cmocka_unit_test(requests_that_end_after_a_reset_are_dropped),
		cmocka_unit_test(with_an_in_flight_region_requests_end_in_order),
		cmocka_unit_test(a_paused_front_takes_nothing_new_and_finishes_what_it_has),
		cmocka_unit_test(a_call_waits_for_what_its_driver_posts_next_but_not_for_long),
		cmocka_unit_test(all_four_that_it_waits_with_are_told_at_once_and_together),
		cmocka_unit_test(a_held_call_goes_out_before_a_pause_is_complete),
		cmocka_unit_test(a_reset_forgets_a_held_call),
		cmocka_unit_test(without_an_event_index_every_round_that_ends_something_calls),
		cmocka_unit_test(a_paused_front_that_was_armed_does_not_look_for_its_rings),
		cmocka_unit_test(an_armed_front_sleeps_while_requests_are_out_and_wakes_for_new_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
