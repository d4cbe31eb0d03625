/* A disk on a vhost-user socket: requests outlive a round, so messages and the end of a connection wait
 * for them. */
#include "attach/guests_test.h"

#include "attach/internal.h"
#include "sim/fake_disk.h"
#include "spec/virtio_blk.h"

#include <sys/mman.h>

enum { DISK = 1 << 20, SECTOR = 512, BYTES = 1024, SLOTS = RING / 3, ROUNDS = 50 };

#define FLUSH (UINT64_C(1) << VIRTIO_BLK_F_FLUSH)
#define WCE (UINT64_C(1) << VIRTIO_BLK_F_CONFIG_WCE)
#define MQ (UINT64_C(1) << VIRTIO_BLK_F_MQ)

struct disk_world {
	struct test_host host;
	struct attachment *a;
	struct block_front *front;
	struct site_io io;
	struct fake_disk disk;
	uint8_t *bytes;
	bool stuck; /* the disk ends nothing */
	char path[64];
	struct vfe guest, next;
};

static void pump_disk(void *arg)
{
	struct disk_world *w = arg;

	if (w->front->hold && hold_try(w->front->hold, HOLD_WORKER)) {
		w->front->ops->poll(NULL, w->front, 0);
		if (!w->stuck)
			fake_disk_run(NULL, &w->disk, 8);
		w->front->ops->flush(NULL, w->front);
		hold_give(w->front->hold, HOLD_WORKER);
	}
	uv_run(&w->host.loop, UV_RUN_NOWAIT);
}

/* So many rounds, and the milliseconds in which timers look again. */
static void pump_on(struct disk_world *w)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		pump_disk(w);
		usleep(200);
	}
}

static void guest_init(struct disk_world *w, struct vfe *g)
{
	vfe_init(g);
	g->no_buffers = true;
	g->pump = pump_disk;
	g->pump_arg = w;
}

static struct disk_world *disk_create(void)
{
	struct disk_world *w = calloc(1, sizeof *w);
	struct attach_disk disk = { .queues = 2, .serial = "MP0001" };
	struct attach_conf conf = { .io = &w->io, .system = "s", .disk = &disk };
	struct refusal why = { 0 };

	test_host_init(&w->host);
	conf.domain = test_host_domain(&w->host, 0);
	snprintf(w->path, sizeof w->path, "/tmp/mp-disk-%d.sock", (int)getpid());
	unlink(w->path);
	w->io = (struct site_io){ .name = (char *)"disk0", .socket = w->path,
				  .socket_mode = SITE_SOCKET_SERVER };
	assert_int_equal(attach_vhost_user.create(&w->a, &w->host.host, &conf, &why), 0);
	assert_null(w->a->ops->front(w->a));
	w->front = w->a->ops->disk(w->a);
	w->front->hold = &w->host.hold;
	w->bytes = calloc(1, DISK);
	fake_disk_init(&w->disk, w->bytes, DISK, SECTOR);
	w->disk.back.volatile_cache = w->disk.checks_range = true;
	w->front->namespaces[0] = &w->disk.back;
	guest_init(w, &w->guest);
	guest_init(w, &w->next);
	return w;
}

static int guest_start(struct disk_world *w, struct vfe *g)
{
	int err = vfe_connect(g, w->path);

	return err ? err : vfe_start(g, VERSION_1 | PROTOCOL | FLUSH | WCE | MQ, 1, RING);
}

static struct disk_world *disk_start(void)
{
	struct disk_world *w = disk_create();

	assert_int_equal(guest_start(w, &w->guest), 0);
	return w;
}

static void disk_destroy(struct disk_world *w)
{
	w->stuck = false;
	vfe_close(&w->guest);
	vfe_close(&w->next);
	pump_on(w);
	assert_int_equal(w->front->in_flight, 0);
	w->front->hold = NULL;
	w->a->ops->destroy(w->a);
	assert_int_not_equal(access(w->path, F_OK), 0);
	assert_int_equal(w->host.watches, 0);
	test_host_fini(&w->host);
	free(w->bytes);
	free(w);
}

/* Posts and waits for the end of it; the status. */
static uint8_t request(struct disk_world *w, struct vfe *g, unsigned queue, uint32_t type,
		       uint64_t sector, const uint8_t *data, uint32_t size)
{
	vfe_disk_post(g, queue, 0, type, sector, data, size);
	for (unsigned i = 0; i < 1000 && vfe_disk_status(g, queue, 0) == VFE_DISK_OPEN; i++)
		pump_disk(w);
	return vfe_disk_status(g, queue, 0);
}

static void pattern(uint8_t *bytes, unsigned number)
{
	for (unsigned i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)(number * 31 + i * 7 + i / 256);
}

/* Writes and reads on both queues: the disk is usable. */
static void use(struct disk_world *w, struct vfe *g, unsigned number)
{
	uint8_t bytes[BYTES];

	for (unsigned queue = 0; queue < 2; queue++) {
		uint64_t sector = 2 * (number * 2 + queue);

		pattern(bytes, number + queue);
		assert_int_equal(request(w, g, queue, VIRTIO_BLK_T_OUT, sector, bytes, BYTES), 0);
		assert_memory_equal(w->bytes + sector * SECTOR, bytes, BYTES);
		assert_int_equal(request(w, g, queue, VIRTIO_BLK_T_IN, sector, NULL, BYTES), 0);
		assert_memory_equal(vfe_disk_data(g, queue, 0), bytes, BYTES);
	}
}

/* Posts 'n' reads of sectors filled before, in slots 1.., and waits until the disk has what it takes. */
static void post_reads(struct disk_world *w, unsigned n)
{
	uint8_t bytes[BYTES];

	for (unsigned i = 1; i <= n; i++) {
		pattern(bytes, 100 + i);
		memcpy(w->bytes + 0x10000 + i * BYTES, bytes, BYTES);
		vfe_disk_post(&w->guest, 0, i, VIRTIO_BLK_T_IN, (0x10000 + i * BYTES) / SECTOR, NULL,
			      BYTES);
	}
	vfe_kick(&w->guest, 0);
	pump_on(w);
}

static void check_reads(struct disk_world *w, unsigned n)
{
	uint8_t bytes[BYTES];

	for (unsigned i = 1; i <= n; i++) {
		pattern(bytes, 100 + i);
		assert_int_equal(vfe_disk_status(&w->guest, 0, i), VIRTIO_BLK_S_OK);
		assert_memory_equal(vfe_disk_data(&w->guest, 0, i), bytes, BYTES);
	}
}

static bool answered(const struct vfe *g)
{
	uint8_t byte;

	return recv(g->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

/* The message waits while the disk is stuck, and is answered once it is not. */
static void waits_for_quiet(struct disk_world *w)
{
	pump_on(w);
	assert_false(answered(&w->guest));
	w->stuck = false;
	for (unsigned i = 0; i < 1000 && !answered(&w->guest); i++) {
		pump_disk(w);
		usleep(100);
	}
	assert_int_equal(w->front->in_flight, 0);
}

static void get_config(struct vfe *g, uint32_t offset, uint32_t size, uint8_t *to)
{
	uint8_t payload[VHOST_USER_CONFIG_FIRST + VHOST_USER_CONFIG_MAX] = { 0 };
	int length = (int)(VHOST_USER_CONFIG_FIRST + size);

	put_le32(payload + VHOST_USER_CONFIG_OFFSET, offset);
	put_le32(payload + VHOST_USER_CONFIG_SIZE, size);
	assert_int_equal(vfe_send(g, VHOST_USER_GET_CONFIG, 0, payload, (uint32_t)length, NULL, 0), 0);
	assert_int_equal(vfe_reply(g, VHOST_USER_GET_CONFIG, payload, sizeof payload, NULL), length);
	memcpy(to, payload + VHOST_USER_CONFIG_FIRST, size);
}

static int set_config(struct vfe *g, uint32_t offset, const uint8_t *from, uint32_t size)
{
	uint8_t payload[VHOST_USER_CONFIG_FIRST + VHOST_USER_CONFIG_MAX] = { 0 };

	put_le32(payload + VHOST_USER_CONFIG_OFFSET, offset);
	put_le32(payload + VHOST_USER_CONFIG_SIZE, size);
	memcpy(payload + VHOST_USER_CONFIG_FIRST, from, size);
	return vfe_do(g, VHOST_USER_SET_CONFIG, payload, VHOST_USER_CONFIG_FIRST + size, NULL, 0);
}

static void a_guest_reads_what_it_wrote_and_its_disk_says_what_it_is(void **state)
{
	struct disk_world *w = disk_start();
	struct vfe *g = &w->guest;
	struct attach_facts facts;
	uint8_t config[VIRTIO_BLK_CONFIG_SIZE], none = 0;
	uint64_t queues = 0;

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		use(w, g, i);
	assert_int_equal(request(w, g, 0, VIRTIO_BLK_T_GET_ID, 0, NULL, VIRTIO_BLK_ID_BYTES), 0);
	assert_string_equal((char *)vfe_disk_data(g, 0, 0), "MP0001");
	assert_int_equal(request(w, g, 1, VIRTIO_BLK_T_IN, DISK / SECTOR - 1, NULL, BYTES),
			 VIRTIO_BLK_S_IOERR);
	get_config(g, 0, sizeof config, config);
	assert_int_equal(get_le64(config + VIRTIO_BLK_CONFIG_CAPACITY), DISK / SECTOR);
	assert_int_equal(get_le16(config + VIRTIO_BLK_CONFIG_NUM_QUEUES), 2);
	assert_int_equal(config[VIRTIO_BLK_CONFIG_WRITEBACK], 1);
	assert_int_equal(set_config(g, VIRTIO_BLK_CONFIG_WRITEBACK, &none, 1), 0);
	get_config(g, VIRTIO_BLK_CONFIG_WRITEBACK, 1, config);
	assert_int_equal(config[0], 0);
	use(w, g, 30);
	assert_true(w->disk.fua > 0);
	assert_int_equal(vfe_get_u64(g, VHOST_USER_GET_QUEUE_NUM, &queues), 0);
	assert_int_equal(queues, 2);
	w->a->ops->facts(w->a, &facts);
	assert_string_equal(facts.state, "running");
	assert_int_equal(facts.queue_pairs, 2);
	disk_destroy(w);
}

static void what_is_a_networks_or_not_the_drivers_is_refused(void **state)
{
	struct disk_world *w = disk_start();
	struct vfe *g = &w->guest;
	uint8_t bytes[8] = { 1 };

	(void)state;
	assert_false(g->protocol_features >> VHOST_USER_PROTOCOL_F_RARP & 1);
	assert_false(g->protocol_features >> VHOST_USER_PROTOCOL_F_NET_MTU & 1);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SEND_RARP, 0x525400000001), 1);
	assert_int_equal(w->host.announces, 0);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_NET_SET_MTU, 1500), 1);
	assert_int_equal(set_config(g, VIRTIO_BLK_CONFIG_CAPACITY, bytes, 8), 1);
	assert_int_equal(set_config(g, VIRTIO_BLK_CONFIG_WRITEBACK, bytes, 2), 1);
	bytes[0] = 2;
	assert_int_equal(set_config(g, VIRTIO_BLK_CONFIG_WRITEBACK, bytes, 1), 1);
	assert_int_equal(vfe_do_state(g, VHOST_USER_SET_VRING_NUM, 2, RING), 1);
	assert_int_equal(vfe_do_state(g, VHOST_USER_SET_VRING_NUM, 0, 2048), 1);
	assert_int_equal(vfe_do_state(g, VHOST_USER_SET_VRING_ENABLE, UINT32_MAX, 1), 1);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_FEATURES, UINT64_MAX), 1);
	use(w, g, 0);
	disk_destroy(w);
}

static void a_ring_stops_when_nothing_is_under_way_and_goes_on_there(void **state)
{
	struct disk_world *w = disk_start();
	struct vfe *g = &w->guest;
	uint8_t payload[VHOST_USER_STATE_BYTES] = { 0 };
	int err;

	(void)state;
	w->stuck = true;
	post_reads(w, 5);
	assert_int_equal(w->front->in_flight, 5);
	/* Anything else is still served. */
	get_config(g, 0, 8, payload);
	put_le32(payload + VHOST_USER_STATE_INDEX, 0);
	put_le32(payload + VHOST_USER_STATE_NUM, 0);
	assert_int_equal(vfe_send(g, VHOST_USER_GET_VRING_BASE, 0, payload, sizeof payload, NULL, 0), 0);
	waits_for_quiet(w);
	err = vfe_reply(g, VHOST_USER_GET_VRING_BASE, payload, sizeof payload, NULL);
	assert_int_equal(err, sizeof payload);
	assert_int_equal(get_le32(payload + VHOST_USER_STATE_NUM), 5);
	assert_int_equal(vfe_used(g, 0), 5);
	check_reads(w, 5);
	assert_int_equal(vfe_ring_restart(g, 0, 5), 0);
	use(w, g, 3);
	disk_destroy(w);
}

/* The region goes over to another mapping of the same file: what was read before would be reached where
 * nothing is mapped any more. */
static void what_was_read_and_not_begun_is_reached_anew_after_a_change_of_memory(void **state)
{
	struct disk_world *w = disk_start();
	struct vfe *g = &w->guest;

	(void)state;
	w->stuck = true;
	w->disk.room = 1;
	post_reads(w, 4);
	assert_int_equal(w->front->in_flight, 1);
	w->stuck = false;
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(vfe_set_mem_table(g), 0);
	pump_on(w);
	assert_int_equal(vfe_used(g, 0), 4);
	check_reads(w, 4);
	w->disk.room = 64;
	use(w, g, 1);
	disk_destroy(w);
}

static void a_message_that_waited_too_long_is_refused_and_the_guest_goes_on(void **state)
{
	struct disk_world *w = disk_start();
	struct vfe *g = &w->guest;
	struct vhost_user *vu = container_of(w->a, struct vhost_user, attachment);
	const char *text = "";
	uint8_t reply[8];

	(void)state;
	w->stuck = true;
	post_reads(w, 2);
	assert_int_equal(vfe_send(g, VHOST_USER_RESET_DEVICE, VHOST_USER_FLAG_NEED_REPLY, NULL, 0,
				  NULL, 0), 0);
	pump_on(w);
	assert_false(answered(g));
	assert_true(vu->waits_since_ms != 0);
	vu->waits_since_ms = 1; /* since the machine started */
	assert_int_equal(vfe_reply(g, VHOST_USER_RESET_DEVICE, reply, sizeof reply, NULL), 8);
	assert_int_equal(get_le64(reply), 1);
	assert_int_equal(test_host_count(&w->host, "refused", &text), 1);
	assert_non_null(strstr(text, "RESET_DEVICE"));
	w->stuck = false;
	pump_on(w);
	check_reads(w, 2);
	use(w, g, 2);
	disk_destroy(w);
}

static void a_frontend_that_goes_keeps_its_memory_until_its_requests_have_ended(void **state)
{
	struct disk_world *w = disk_start();
	struct vhost_user *vu = container_of(w->a, struct vhost_user, attachment);
	struct attach_facts facts;

	(void)state;
	w->stuck = true;
	post_reads(w, 3);
	vfe_close(&w->guest);
	pump_on(w);
	assert_int_equal(test_host_count(&w->host, "disconnected", NULL), 1);
	assert_int_equal(w->front->in_flight, 3);
	assert_non_null(vu->memory);
	assert_int_equal(w->host.unplugs, 0);
	w->a->ops->facts(w->a, &facts);
	assert_string_equal(facts.state, "leaving");
	assert_int_equal(vfe_connect(&w->next, w->path), 0);
	pump_on(w);
	assert_int_equal(vu->fd, -1);
	w->stuck = false; /* it writes into what is still mapped */
	pump_on(w);
	assert_int_equal(w->host.unplugs, 1);
	vfe_close(&w->next);
	pump_on(w);
	guest_init(w, &w->next);
	assert_int_equal(guest_start(w, &w->next), 0);
	use(w, &w->next, 4);
	disk_destroy(w);
}

static void a_quarantined_disk_takes_nothing_and_goes_on_where_it_was(void **state)
{
	struct disk_world *w = disk_start();
	struct vfe *g = &w->guest;

	(void)state;
	w->stuck = true;
	post_reads(w, 2);
	w->a->ops->quarantine(w->a, "because");
	assert_string_equal(w->front->stopped, "because");
	w->stuck = false;
	pump_on(w);
	assert_int_equal(w->front->in_flight, 0);
	vfe_disk_post(g, 0, 3, VIRTIO_BLK_T_IN, 0, NULL, BYTES);
	pump_on(w);
	assert_int_equal(vfe_disk_status(g, 0, 3), VFE_DISK_OPEN);
	w->a->ops->release(w->a);
	pump_on(w);
	assert_true(w->front->ready);
	assert_int_equal(vfe_disk_status(g, 0, 3), VIRTIO_BLK_S_OK);
	assert_int_equal(vfe_used(g, 0), 3);
	check_reads(w, 2);
	use(w, g, 5);
	disk_destroy(w);
}

static void a_disk_that_ends_takes_nothing_more_and_says_what_is_under_way(void **state)
{
	struct disk_world *w = disk_start();

	(void)state;
	use(w, &w->guest, 6);
	w->stuck = true;
	post_reads(w, 3);
	assert_true(hold_try(w->front->hold, HOLD_CONTROL));
	assert_int_equal(w->a->ops->end(w->a), 3);
	hold_give(w->front->hold, HOLD_CONTROL);
	vfe_disk_post(&w->guest, 0, 4, VIRTIO_BLK_T_IN, 0, NULL, BYTES);
	w->stuck = false;
	pump_on(w);
	check_reads(w, 3);
	assert_int_equal(vfe_disk_status(&w->guest, 0, 4), VFE_DISK_OPEN);
	assert_true(hold_try(w->front->hold, HOLD_CONTROL));
	assert_int_equal(w->a->ops->end(w->a), 0);
	hold_give(w->front->hold, HOLD_CONTROL);
	disk_destroy(w);
}

static void a_driver_can_be_reset_and_come_back_while_requests_flow(void **state)
{
	struct disk_world *w = disk_start();
	struct vfe *g = &w->guest;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		post_reads(w, 4);
		assert_int_equal(vfe_do(g, VHOST_USER_RESET_DEVICE, NULL, 0, NULL, 0), 0);
		assert_int_equal(w->front->in_flight, 0);
		assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_FEATURES, g->features), 0);
		for (unsigned queue = 0; queue < 2; queue++)
			assert_int_equal(vfe_ring_restart(g, queue, g->rings[queue].filled), 0);
		use(w, g, i);
	}
	disk_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guest_reads_what_it_wrote_and_its_disk_says_what_it_is),
		cmocka_unit_test(what_is_a_networks_or_not_the_drivers_is_refused),
		cmocka_unit_test(a_ring_stops_when_nothing_is_under_way_and_goes_on_there),
		cmocka_unit_test(what_was_read_and_not_begun_is_reached_anew_after_a_change_of_memory),
		cmocka_unit_test(a_message_that_waited_too_long_is_refused_and_the_guest_goes_on),
		cmocka_unit_test(a_frontend_that_goes_keeps_its_memory_until_its_requests_have_ended),
		cmocka_unit_test(a_quarantined_disk_takes_nothing_and_goes_on_where_it_was),
		cmocka_unit_test(a_disk_that_ends_takes_nothing_more_and_says_what_is_under_way),
		cmocka_unit_test(a_driver_can_be_reset_and_come_back_while_requests_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
