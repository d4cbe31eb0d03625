/* What two processes keep in shared memory beside the guest's: the in-flight region and the dirty
 * log, looked at byte by byte. */
#include "attach/guests_test.h"

#include "dev/inflight.h"

#include <sys/mman.h>

/* An in-flight region for both rings of guest 'g', and where ring 1's part begins. */
struct region {
	int fd;
	uint64_t size, each;
	uint8_t *bytes;
};

static void region_get(struct vfe *g, struct region *region)
{
	uint8_t payload[VHOST_USER_INFLIGHT_USED] = { 0 };

	put_le16(payload + VHOST_USER_INFLIGHT_QUEUES, 2);
	put_le16(payload + VHOST_USER_INFLIGHT_QUEUE_SIZE, RING);
	assert_int_equal(
		vfe_send(g, VHOST_USER_GET_INFLIGHT_FD, 0, payload, sizeof payload, NULL, 0), 0);
	assert_int_equal(
		vfe_reply(g, VHOST_USER_GET_INFLIGHT_FD, payload, sizeof payload, &region->fd),
		sizeof payload);
	assert_int_equal(get_le16(payload + VHOST_USER_INFLIGHT_QUEUES), 2);
	assert_int_equal(get_le16(payload + VHOST_USER_INFLIGHT_QUEUE_SIZE), RING);
	region->size = get_le64(payload + VHOST_USER_INFLIGHT_SIZE);
	region->each = region->size / 2;
	region->bytes = mmap(NULL, region->size, PROT_READ | PROT_WRITE, MAP_SHARED, region->fd, 0);
	assert_ptr_not_equal(region->bytes, MAP_FAILED);
}

static void region_drop(struct region *region)
{
	munmap(region->bytes, region->size);
	close(region->fd);
}

static void check_part(const uint8_t *part, uint16_t used)
{
	assert_int_equal(get_le16(part + INFLIGHT_SPLIT_VERSION), 1);
	assert_int_equal(get_le16(part + INFLIGHT_SPLIT_DESC_NUM), RING);
	assert_int_equal(get_le16(part + INFLIGHT_SPLIT_USED_IDX), used);
}

static void every_ring_keeps_its_part_of_the_in_flight_region(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct region region;

	(void)state;
	region_get(&w->guest[0], &region);
	assert_int_equal(talk(w, 0, 7), 7);
	assert_int_equal(talk(w, 1, 3), 3);
	check_part(region.bytes, 3);
	check_part(region.bytes + region.each, 7);
	region_drop(&region);
	world_destroy(w);
}

/* Another process at the same socket, which knows the guest's memory and nothing of its rings. */
static void come_back(struct world *w, const struct region *region, uint64_t offset)
{
	uint8_t payload[VHOST_USER_INFLIGHT_USED] = { 0 };
	struct vfe *g = &w->guest[0];

	close(g->fd);
	rounds(w, 5);
	assert_int_equal(vfe_connect(g, w->path[0]), 0);
	assert_int_equal(vfe_negotiate(g, PROTOCOL | VERSION_1), 0);
	assert_int_equal(vfe_set_mem_table(g), 0);
	put_le64(payload + VHOST_USER_INFLIGHT_SIZE, region->size);
	put_le64(payload + VHOST_USER_INFLIGHT_OFFSET, offset);
	put_le16(payload + VHOST_USER_INFLIGHT_QUEUES, 2);
	put_le16(payload + VHOST_USER_INFLIGHT_QUEUE_SIZE, RING);
	assert_int_equal(
		vfe_do(g, VHOST_USER_SET_INFLIGHT_FD, payload, sizeof payload, &region->fd, 1), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(vfe_ring_restart(g, i, 0),
				 0); /* a base that knows nothing either */
}

static void rings_go_on_from_a_region_that_was_brought_along(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct region region;

	(void)state;
	region_get(&w->guest[0], &region);
	assert_int_equal(talk(w, 0, 7), 7);
	assert_int_equal(talk(w, 1, 3), 3);
	come_back(w, &region, 0);
	assert_int_equal(talk(w, 0, 20), 20); /* and nothing a second time */
	assert_int_equal(talk(w, 1, 20), 20);
	check_part(region.bytes, 23);
	check_part(region.bytes + region.each, 27);
	region_drop(&region);
	world_destroy(w);
}

static void a_region_lies_where_its_offset_says(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct region region, moved;

	(void)state;
	region_get(&w->guest[0], &region);
	assert_int_equal(talk(w, 0, 7), 7);
	moved = region;
	moved.fd = memfd_create("inflight", MFD_CLOEXEC);
	assert_int_equal(ftruncate(moved.fd, (off_t)(PAGE + region.size)), 0);
	assert_int_equal(pwrite(moved.fd, region.bytes, region.size, PAGE), region.size);
	moved.bytes =
		mmap(NULL, PAGE + region.size, PROT_READ | PROT_WRITE, MAP_SHARED, moved.fd, 0);
	come_back(w, &moved, PAGE);
	assert_int_equal(talk(w, 0, 5), 5);
	check_part(region.bytes + region.each, 7);
	check_part(moved.bytes + PAGE + region.each, 12);
	for (unsigned i = 0; i < PAGE; i++)
		assert_int_equal(moved.bytes[i], 0);
	munmap(moved.bytes, PAGE + region.size);
	close(moved.fd);
	region_drop(&region);
	world_destroy(w);
}

static void the_dirty_log_lies_where_its_offset_says(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[1];
	uint64_t size = g->regions[0].size / PAGE / 8 + 1, at;
	uint8_t payload[VHOST_USER_LOG_BYTES], reply[8], *log;
	int fd = memfd_create("log", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)(PAGE + size)), 0);
	log = mmap(NULL, PAGE + size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	put_le64(payload + VHOST_USER_LOG_SIZE, size);
	put_le64(payload + VHOST_USER_LOG_OFFSET, PAGE);
	assert_int_equal(vfe_send(g, VHOST_USER_SET_LOG_BASE, 0, payload, sizeof payload, &fd, 1),
			 0);
	assert_int_equal(vfe_reply(g, VHOST_USER_SET_LOG_BASE, reply, sizeof reply, NULL), 8);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_FEATURES, g->features | LOG_ALL), 0);
	assert_int_equal(talk(w, 0, 1), 1);
	for (unsigned i = 0; i < PAGE; i++)
		assert_int_equal(log[i], 0);
	at = (uint64_t)(g->rings[0].buffers - g->regions[0].bytes) / PAGE;
	assert_true(log[PAGE + at / 8] >> at % 8 & 1);
	munmap(log, PAGE + size);
	close(fd);
	world_destroy(w);
}

/* "VHOST_USER_SET_LOG_BASE (if VHOST_USER_PROTOCOL_F_LOG_SHMFD)": who did not agree on that waits for nothing. */
static void a_log_without_a_descriptor_is_not_replied_to(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[0];
	uint64_t value = 0, protocol = g->protocol_features & ~(UINT64_C(1) << VHOST_USER_PROTOCOL_F_LOG_SHMFD);
	uint8_t payload[8] = { 0 };

	(void)state;
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_PROTOCOL_FEATURES, protocol), 0);
	assert_int_equal(vfe_send(g, VHOST_USER_SET_LOG_BASE, 0, payload, sizeof payload, NULL, 0), 0);
	assert_int_equal(vfe_get_u64(g, VHOST_USER_GET_QUEUE_NUM, &value), 0);
	assert_int_equal(value, 2);
	assert_int_equal(vfe_do(g, VHOST_USER_SET_LOG_BASE, payload, sizeof payload, NULL, 0), 0);
	assert_int_equal(talk(w, 0, 3), 3);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_ring_keeps_its_part_of_the_in_flight_region),
		cmocka_unit_test(rings_go_on_from_a_region_that_was_brought_along),
		cmocka_unit_test(a_region_lies_where_its_offset_says),
		cmocka_unit_test(the_dirty_log_lies_where_its_offset_says),
		cmocka_unit_test(a_log_without_a_descriptor_is_not_replied_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
