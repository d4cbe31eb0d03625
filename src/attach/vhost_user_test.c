/* Two guests on real sockets, the event loop and the smallest card, all in one thread. */
#include "attach/guests_test.h"
#include "os/patience.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

static void two_guests_exchange_frames_over_real_sockets(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct attach_facts facts;
	uint64_t calls = 0;

	(void)state;
	assert_int_equal(talk(w, 0, 300), 300);
	assert_int_equal(talk(w, 1, 300), 300);
	w->a[0]->ops->facts(w->a[0], &facts);
	assert_string_equal(facts.state, "running");
	assert_string_equal(facts.where, w->path[0]);
	assert_int_equal(facts.queue_pairs, 1);
	assert_int_equal(w->host.watches, 4);
	assert_int_equal(read(w->guest[0].rings[0].call_fd, &calls, sizeof calls), 8);
	assert_true(calls > 0);
	assert_int_equal(test_host_count(&w->host, "connected", NULL), 2);
	assert_int_equal(test_host_count(&w->host, "driver ready", NULL), 2);
	world_destroy(w);
}

static void rings_without_the_protocol_bit_start_enabled(void **state)
{
	struct world *w = world_start(0);

	(void)state;
	assert_int_equal(talk(w, 0, 10), 10);
	world_destroy(w);
}

/* Takes O_NONBLOCK off and fills the eventfd, as another process that shares it can at any moment. */
static void make_block(int fd)
{
	uint64_t value, most = UINT64_MAX - 1;

	(void)!read(fd, &value, sizeof value);
	assert_int_equal(write(fd, &most, sizeof most), 8);
	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
}

static void a_call_descriptor_that_blocks_stops_its_front_and_nobody_else(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct patience patience;
	uint8_t payload[8] = { 0 }; /* ring 0 */
	const char *text = "";
	int fd;

	(void)state;
	assert_int_equal(patience_begin(&patience), 0); /* as a worker has it */
	assert_int_equal(talk(w, 0, 5), 5);
	make_block(w->guest[1].rings[0].call_fd);
	talk(w, 0, 1);
	assert_non_null(strstr(w->a[1]->ops->front(w->a[1])->stopped, "made its call descriptor block"));
	assert_string_equal(w->a[0]->ops->front(w->a[0])->stopped, "");
	/* A reset keeps the descriptor and does not call it again. */
	rounds(w, 2);
	assert_int_equal(vfe_do_u64(&w->guest[1], VHOST_USER_SET_STATUS, 0), 0);
	rounds(w, 2);
	/* Neither is another one taken from it. */
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(vfe_do(&w->guest[1], VHOST_USER_SET_VRING_CALL, payload, 8, &fd, 1), 1);
	assert_int_equal(test_host_count(&w->host, "refused", &text), 1);
	assert_non_null(strstr(text, "made an eventfd block"));
	close(fd);
	patience_end(&patience);
	world_destroy(w);
}

static void a_second_set_features_without_the_protocol_bit_enables_rings(void **state)
{
	struct world *w = world_start(PROTOCOL);

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(vfe_do_state(&w->guest[1], VHOST_USER_SET_VRING_ENABLE, i, 0), 0);
	assert_int_equal(talk(w, 1, 1), 0);
	assert_int_equal(vfe_do_u64(&w->guest[1], VHOST_USER_SET_FEATURES, VERSION_1), 0);
	rounds(w, 5);
	assert_int_equal(vfe_used(&w->guest[1], 1), 1);
	world_destroy(w);
}

static void a_ring_stops_with_its_base_and_goes_on_there(void **state)
{
	struct world *w = world_start(PROTOCOL);
	int base;

	(void)state;
	assert_int_equal(talk(w, 0, 100), 100);
	base = vfe_ring_stop(&w->guest[0], 1);
	assert_int_equal(base, 100);
	assert_int_equal(talk(w, 0, 1), 0);
	/* A base that comes after the kick is early enough while the ring is disabled. */
	assert_int_equal(vfe_do_state(&w->guest[0], VHOST_USER_SET_VRING_ENABLE, 1, 0), 0);
	w->guest[0].features &= ~PROTOCOL; /* what follows does not enable */
	assert_int_equal(vfe_ring_restart(&w->guest[0], 1, 0), 0);
	assert_int_equal(vfe_do_state(&w->guest[0], VHOST_USER_SET_VRING_BASE, 1, (uint32_t)base), 0);
	assert_int_equal(vfe_used(&w->guest[0], 1), 100);
	assert_int_equal(vfe_do_state(&w->guest[0], VHOST_USER_SET_VRING_ENABLE, 1, 1), 0);
	rounds(w, 3);
	assert_int_equal(vfe_used(&w->guest[0], 1), 101);
	/* New addresses under way, as at the start of a migration. */
	assert_int_equal(vfe_ring_addr(&w->guest[0], 1, 0, 0), 0);
	rounds(w, 3);
	assert_int_equal(vfe_ring_stop(&w->guest[0], 1), 101);
	world_destroy(w);
}

/* The loop without the card: its worker is elsewhere. */
static void turn_loop(void *arg)
{
	uv_run(&((struct world *)arg)->host.loop, UV_RUN_NOWAIT);
}

static bool has_answer(const struct vfe *guest)
{
	struct pollfd p = { .fd = guest->fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static void a_worker_that_keeps_a_front_makes_its_guest_wait_and_nobody_else(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct nic_front *other = w->host.fronts[1];
	struct hold free_card = { 0 };
	struct attach_facts facts;
	unsigned quick = 0;
	uint8_t pairs[8];

	(void)state;
	rounds(w, 5);
	other->hold = &free_card;
	must(hold_try(&w->host.hold, HOLD_WORKER)); /* and there it stays */
	for (unsigned i = 0; i < 2; i++) {
		w->guest[i].pump = turn_loop;
		assert_int_equal(vfe_send(&w->guest[i], VHOST_USER_GET_QUEUE_NUM, 0, NULL, 0, NULL, 0),
				 0);
	}
	assert_int_equal(vfe_reply(&w->guest[1], VHOST_USER_GET_QUEUE_NUM, pairs, 8, NULL), 8);
	/* It was waited for once, 20 ms, and not each time.  Where the machine is late nothing is shown. */
	for (unsigned i = 0; i < 1000 && quick < 30; i++) {
		uint64_t began_ns = uv_hrtime();

		turn_loop(w);
		w->a[0]->ops->facts(w->a[0], &facts);
		assert_string_equal(facts.state, "held");
		quick += uv_hrtime() - began_ns < 20000000;
	}
	assert_int_equal(quick, 30);
	assert_false(has_answer(&w->guest[0]));
	assert_int_equal(test_host_count(&w->host, "held", NULL), 1);

	hold_give(&w->host.hold, HOLD_WORKER);
	assert_int_equal(vfe_reply(&w->guest[0], VHOST_USER_GET_QUEUE_NUM, pairs, 8, NULL), 8);
	assert_int_equal(test_host_count(&w->host, "let go", NULL), 1);
	other->hold = &w->host.hold;
	assert_int_equal(talk(w, 0, 20), 20);
	world_destroy(w);
}

struct greedy {
	struct hold hold;
	atomic_bool stop;
	atomic_uint rounds, passed_by;
};

/* A worker whose rounds follow each other without a pause. */
static void *take_again_and_again(void *arg)
{
	struct greedy *g = arg;

	while (!atomic_load(&g->stop)) {
		uint64_t began_ns = uv_hrtime();

		if (hold_is_wanted(&g->hold)) {
			atomic_fetch_add(&g->passed_by, 1);
			sched_yield();
			continue;
		}
		if (!hold_try(&g->hold, HOLD_WORKER))
			continue;
		while (uv_hrtime() - began_ns < 100000)
			;
		hold_give(&g->hold, HOLD_WORKER);
		atomic_fetch_add(&g->rounds, 1);
	}
	return NULL;
}

static void a_worker_that_never_rests_passes_by_a_front_that_is_wanted(void **state)
{
	struct greedy g = { .stop = false };
	struct nic_front front = { .hold = &g.hold };
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, take_again_and_again, &g), 0);
	while (!atomic_load(&g.rounds))
		sched_yield();
	/* The worker may not come by at all while it is wanted for that moment. */
	for (unsigned i = 0; i < 200 || (!atomic_load(&g.passed_by) && i < 100000); i++) {
		while (!hold_is(&g.hold, HOLD_WORKER) && i % 2) /* half of them while it has it */
			sched_yield();
		attach_hold(&front.any);
		attach_release(&front.any);
	}
	atomic_store(&g.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(atomic_load(&g.passed_by) > 0);
	assert_false(hold_is_wanted(&g.hold));
}

static void a_server_takes_the_next_frontend_after_one_left(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct attach_facts facts;
	const char *text = "";
	unsigned fds;

	(void)state;
	rounds(w, 5);
	fds = open_fds();
	for (unsigned i = 0; i < 3; i++) {
		int used = vfe_used(&w->guest[0], 0);

		close(w->guest[0].fd);
		rounds(w, 5);
		w->a[0]->ops->facts(w->a[0], &facts);
		assert_string_equal(facts.state, "waiting");
		assert_int_equal(facts.features, 0);
		vfe_close(&w->guest[0]);
		vfe_init(&w->guest[0]);
		w->guest[0].pump = pump;
		w->guest[0].pump_arg = w;
		assert_int_equal(vfe_connect(&w->guest[0], w->path[0]), 0);
		assert_int_equal(vfe_start(&w->guest[0], PROTOCOL | VERSION_1, 1, RING), 0);
		assert_int_equal(talk(w, 0, 20), 20);
		(void)used;
	}
	assert_int_equal(open_fds(), fds);
	w->a[0]->ops->facts(w->a[0], &facts);
	assert_int_equal(facts.reconnects, 3);
	assert_int_equal(test_host_count(&w->host, "disconnected", &text), 3);
	assert_non_null(strstr(text, "closed"));
	world_destroy(w);
}

/* With an answer that it has not read, so its socket has an error, and requests that want none. */
static void a_frontend_that_ends_in_the_midst_of_its_requests_is_seen_to_be_gone(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct attach_facts facts;

	(void)state;
	rounds(w, 5);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(vfe_send(&w->guest[0], i ? VHOST_USER_SET_OWNER : VHOST_USER_GET_QUEUE_NUM, 0,
					  NULL, 0, NULL, 0), 0);
	while (!has_answer(&w->guest[0]))
		pump(w);
	vfe_close(&w->guest[0]);
	rounds(w, 100);
	w->a[0]->ops->facts(w->a[0], &facts);
	assert_string_equal(facts.state, "waiting");
	world_destroy(w);
}

static void a_client_keeps_trying_and_comes_back(void **state)
{
	struct world *w = world_create(SITE_SOCKET_CLIENT);
	struct refusal why = { 0 };
	int listening[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(plug(w, i, &why), 0);
	rounds(w, 20); /* nobody listens yet */
	for (unsigned run = 0; run < 2; run++) {
		for (unsigned i = 0; i < 2; i++) {
			listening[i] = vfe_listen(w->path[i]);
			assert_true(listening[i] >= 0);
			assert_int_equal(vfe_accept(&w->guest[i], listening[i]), 0);
			assert_int_equal(vfe_start(&w->guest[i], PROTOCOL | VERSION_1, 1, RING), 0);
		}
		assert_int_equal(talk(w, 0, 50), 50);
		for (unsigned i = 0; i < 2; i++) {
			close(listening[i]);
			unlink(w->path[i]);
			vfe_close(&w->guest[i]);
			vfe_init(&w->guest[i]);
			w->guest[i].pump = pump;
			w->guest[i].pump_arg = w;
		}
		rounds(w, 5);
	}
	assert_int_equal(test_host_count(&w->host, "connected", NULL), 4);
	world_destroy(w);
}

static void a_path_in_use_is_refused_and_a_dead_one_is_taken(void **state)
{
	struct world *w = world_create(SITE_SOCKET_SERVER);
	struct refusal why = { 0 };
	int fd = vfe_listen(w->path[0]);

	(void)state;
	assert_int_equal(plug(w, 0, &why), -EADDRINUSE);
	assert_non_null(strstr(why.text, w->path[0]));
	close(fd); /* the file stays, as after a crash */
	assert_int_equal(access(w->path[0], F_OK), 0);
	assert_int_equal(plug(w, 0, &why), 0);
	unplug(w, 0);
	w->io[0].socket = (char *)"/tmp/a-very-long-path/a-very-long-path/a-very-long-path/"
				  "a-very-long-path/a-very-long-path/a-very-long-path/x.sock";
	assert_int_equal(plug(w, 0, &why), -ENAMETOOLONG);
	w->io[0].socket = (char *)"/nowhere/x.sock";
	assert_int_equal(plug(w, 0, &why), -ENOENT);
	w->io[0].socket = w->path[0];
	w->io[0].queues = 100;
	why = (struct refusal){ 0 };
	assert_int_equal(plug(w, 0, &why), -EINVAL);
	assert_non_null(strstr(why.text, "queue pairs"));
	world_destroy(w);
}

static void memory_comes_and_goes_by_slots_under_traffic(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[0];
	uint64_t slots = 0;

	(void)state;
	assert_int_equal(vfe_get_u64(g, VHOST_USER_GET_MAX_MEM_SLOTS, &slots), 0);
	assert_true(slots >= 64);
	for (unsigned i = 1; i < slots; i++) {
		assert_int_equal(vfe_share(g, 0x100000000 + i * 0x10000ull, PAGE), 0);
		assert_int_equal(vfe_mem_reg(g, VHOST_USER_ADD_MEM_REG, i), 0);
		if (i % 32 == 0)
			assert_int_equal(talk(w, 0, 2), 2);
	}
	g->regions[5].size += PAGE;
	assert_int_equal(vfe_mem_reg(g, VHOST_USER_ADD_MEM_REG, 5), 1); /* overlaps what it was */
	g->regions[5].size -= PAGE;
	for (unsigned i = 1; i < slots; i++)
		assert_int_equal(vfe_mem_reg(g, VHOST_USER_REM_MEM_REG, i), 0);
	assert_int_equal(talk(w, 0, 20), 20);
	/* Without the memory under them rings stop; with it they go on. */
	assert_int_equal(vfe_mem_reg(g, VHOST_USER_REM_MEM_REG, 0), 0);
	assert_int_equal(talk(w, 1, 1), 0);
	assert_int_equal(vfe_mem_reg(g, VHOST_USER_ADD_MEM_REG, 0), 0);
	assert_int_equal(talk(w, 1, 5), 5);
	world_destroy(w);
}

static void the_dirty_log_marks_the_pages_written_and_no_others(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[1];
	uint64_t log_size = g->regions[0].size / PAGE / 8 + 1, used_page;
	uint8_t payload[VHOST_USER_LOG_BYTES], reply[8];
	int fd = memfd_create("log", MFD_CLOEXEC);
	const char *text = NULL;
	uint8_t *log;
	unsigned marked = 0;

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)log_size), 0);
	log = mmap(NULL, log_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	put_le64(payload + VHOST_USER_LOG_SIZE, log_size);
	put_le64(payload + VHOST_USER_LOG_OFFSET, 0);
	assert_int_equal(talk(w, 0, 10), 10);
	assert_int_equal(vfe_send(g, VHOST_USER_SET_LOG_BASE, 0, payload, sizeof payload, &fd, 1), 0);
	assert_int_equal(vfe_reply(g, VHOST_USER_SET_LOG_BASE, reply, sizeof reply, NULL), 8);
	/* Under a running driver, as a migration does it. */
	assert_int_equal(test_host_count(&w->host, "dirty log", NULL), 0);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_FEATURES, g->features | LOG_ALL), 0);
	assert_int_equal(test_host_count(&w->host, "dirty log", &text), 1);
	assert_string_equal(text, "on: the guest is being migrated");
	used_page = (uint64_t)(g->rings[0].used - g->regions[0].bytes);
	assert_int_equal(vfe_ring_addr(g, 0, VHOST_VRING_F_LOG, used_page), 0);
	assert_int_equal(talk(w, 0, 4), 4);
	for (uint64_t page = 0; page < log_size * 8; page++)
		marked += log[page / 8] >> page % 8 & 1;
	/* Entries 10 to 13, of 2048 bytes each: pages 5 and 6 of the buffers; and the used ring. */
	for (unsigned i = 10; i < 14; i++) {
		uint64_t at = (uint64_t)(g->rings[0].buffers - g->regions[0].bytes) +
			      i * VFE_BUFFER_SIZE;

		assert_true(log[at / PAGE / 8] >> at / PAGE % 8 & 1);
	}
	assert_true(log[used_page / PAGE / 8] >> used_page / PAGE % 8 & 1);
	assert_int_equal(marked, 3);
	memset(log, 0, log_size);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_FEATURES, g->features), 0);
	assert_int_equal(talk(w, 0, 4), 4);
	for (uint64_t i = 0; i < log_size; i++)
		assert_int_equal(log[i], 0);
	assert_int_equal(test_host_count(&w->host, "dirty log", &text), 2);
	assert_string_equal(text, "off");
	munmap(log, log_size);
	close(fd);
	world_destroy(w);
}

static void an_in_flight_region_is_handed_out_and_taken_back(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[0];
	uint8_t payload[VHOST_USER_INFLIGHT_USED] = { 0 };
	uint64_t size;
	int fd = -1;

	(void)state;
	put_le16(payload + VHOST_USER_INFLIGHT_QUEUES, 2);
	put_le16(payload + VHOST_USER_INFLIGHT_QUEUE_SIZE, RING);
	assert_int_equal(vfe_send(g, VHOST_USER_GET_INFLIGHT_FD, 0, payload, sizeof payload, NULL, 0),
			 0);
	assert_int_equal(vfe_reply(g, VHOST_USER_GET_INFLIGHT_FD, payload, sizeof payload, &fd),
			 sizeof payload);
	size = get_le64(payload);
	assert_true(fd >= 0 && size >= 2 * (16 + 16 * RING));
	assert_int_equal(talk(w, 0, 30), 30);
	assert_int_equal(vfe_do(g, VHOST_USER_SET_INFLIGHT_FD, payload, sizeof payload, &fd, 1), 0);
	assert_int_equal(talk(w, 0, 30), 30);
	put_le64(payload, size - PAGE > size ? 1 : 64);
	assert_int_equal(vfe_do(g, VHOST_USER_SET_INFLIGHT_FD, payload, sizeof payload, &fd, 1), 1);
	put_le16(payload + VHOST_USER_INFLIGHT_QUEUES, 100);
	assert_int_equal(vfe_do(g, VHOST_USER_SET_INFLIGHT_FD, payload, sizeof payload, &fd, 1), 1);
	close(fd);
	world_destroy(w);
}

static void memory_that_is_cut_off_stops_the_front_and_nothing_else(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct attach_facts facts;
	const char *text = "";
	uint8_t frame[60];

	(void)state;
	assert_int_equal(talk(w, 0, 10), 10);
	assert_int_equal(ftruncate(w->guest[1].regions[0].fd, 0), 0);
	frame_of(frame, sizeof frame, 1);
	assert_int_equal(vfe_transmit(&w->guest[0], 0, frame, sizeof frame), 0);
	rounds(w, 20);
	w->a[1]->ops->facts(w->a[1], &facts);
	assert_string_equal(facts.state, "stopped");
	assert_int_equal(test_host_count(&w->host, "stopped", &text), 1);
	assert_non_null(strstr(text, "took back memory"));
	w->a[0]->ops->facts(w->a[0], &facts);
	assert_string_equal(facts.state, "running");
	/* A driver that comes anew finds a new front. */
	close(w->guest[1].fd);
	vfe_close(&w->guest[1]);
	rounds(w, 3);
	vfe_init(&w->guest[1]);
	w->guest[1].pump = pump;
	w->guest[1].pump_arg = w;
	assert_int_equal(vfe_connect(&w->guest[1], w->path[1]), 0);
	assert_int_equal(vfe_start(&w->guest[1], PROTOCOL | VERSION_1, 1, RING), 0);
	assert_int_equal(talk(w, 0, 10), 10);
	world_destroy(w);
}

static void put_iotlb(uint8_t payload[VHOST_USER_IOTLB_BYTES], uint64_t iova, uint64_t size,
		      uint64_t user, uint8_t type)
{
	memset(payload, 0, VHOST_USER_IOTLB_BYTES);
	put_le64(payload + VHOST_USER_IOTLB_IOVA, iova);
	put_le64(payload + VHOST_USER_IOTLB_SIZE, size);
	put_le64(payload + VHOST_USER_IOTLB_USER, user);
	payload[VHOST_USER_IOTLB_PERM] = 3;
	payload[VHOST_USER_IOTLB_TYPE] = type;
}

/* A guest behind an IOMMU whose I/O addresses are its ring addresses and 0.. for buffers. */
static void misses_are_asked_once_and_answers_let_frames_go_on(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[1];
	uint8_t payload[VHOST_USER_IOTLB_BYTES], frame[60], got[2048];
	unsigned asked = 0, received = 0;
	uint32_t request;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	g->backend_fd = pair[0];
	assert_int_equal(vfe_do(g, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1), 0);
	close(pair[1]);
	for (unsigned i = 0; i < 2; i++)
		assert_true(vfe_ring_stop(g, i) >= 0);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_FEATURES, g->features | ACCESS_PLATFORM), 0);
	g->features |= ACCESS_PLATFORM;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(vfe_ring_restart(g, i, 0), 0);
	frame_of(frame, sizeof frame, 3);
	assert_int_equal(vfe_transmit(&w->guest[0], 0, frame, sizeof frame), 0);
	for (unsigned turn = 0; turn < 400 && !received; turn++) {
		uint64_t iova, user;

		pump(w);
		if (recv(g->backend_fd, payload, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
			assert_int_equal(vfe_backend_request(g, &request, payload, sizeof payload),
					 VHOST_USER_IOTLB_BYTES);
			assert_int_equal(request, VHOST_USER_BACKEND_IOTLB_MSG);
			assert_int_equal(payload[VHOST_USER_IOTLB_TYPE], VHOST_USER_IOTLB_MISS);
			iova = get_le64(payload + VHOST_USER_IOTLB_IOVA);
			asked++;
			user = iova < g->regions[0].size ? iova + (uintptr_t)g->regions[0].bytes : iova;
			put_iotlb(payload, iova, PAGE, user, VHOST_USER_IOTLB_UPDATE);
			assert_int_equal(vfe_do(g, VHOST_USER_IOTLB_MSG, payload, sizeof payload, NULL,
						0), 0);
		}
		received = vfe_receive(g, 0, got, sizeof got);
	}
	assert_int_equal(received, sizeof frame); /* held, not lost */
	assert_memory_equal(got, frame, sizeof frame);
	assert_true(asked >= 4 && asked < 80);
	put_iotlb(payload, 0, PAGE, (uintptr_t)g->regions[0].bytes, VHOST_USER_IOTLB_UPDATE);
	payload[VHOST_USER_IOTLB_PERM] = 178;
	assert_int_equal(vfe_do(g, VHOST_USER_IOTLB_MSG, payload, sizeof payload, NULL, 0), 1);
	put_iotlb(payload, 0, UINT64_MAX, 0, VHOST_USER_IOTLB_INVALIDATE);
	payload[VHOST_USER_IOTLB_PERM] = 178; /* what QEMU sends there means nothing */
	assert_int_equal(vfe_do(g, VHOST_USER_IOTLB_MSG, payload, sizeof payload, NULL, 0), 0);
	put_iotlb(payload, 0, PAGE, 0x1234, VHOST_USER_IOTLB_UPDATE); /* not granted memory */
	assert_int_equal(vfe_do(g, VHOST_USER_IOTLB_MSG, payload, sizeof payload, NULL, 0), 1);
	put_iotlb(payload, UINT64_MAX, PAGE, 0, VHOST_USER_IOTLB_UPDATE);
	assert_int_equal(vfe_do(g, VHOST_USER_IOTLB_MSG, payload, sizeof payload, NULL, 0), 1);
	put_iotlb(payload, 0, PAGE, 0, VHOST_USER_IOTLB_MISS);
	assert_int_equal(vfe_do(g, VHOST_USER_IOTLB_MSG, payload, sizeof payload, NULL, 0), 1);
	world_destroy(w);
}

static void configuration_status_mtu_and_rarp_are_answered(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[0];
	uint8_t payload[VHOST_USER_CONFIG_FIRST + 12] = { 0 };
	uint64_t value = 0;

	(void)state;
	put_le32(payload + VHOST_USER_CONFIG_SIZE, 12);
	assert_int_equal(vfe_send(g, VHOST_USER_GET_CONFIG, 0, payload, sizeof payload, NULL, 0), 0);
	assert_int_equal(vfe_reply(g, VHOST_USER_GET_CONFIG, payload, sizeof payload, NULL),
			 sizeof payload);
	assert_true(get_be48(payload + VHOST_USER_CONFIG_FIRST) == 0x525400000001);
	put_le32(payload + VHOST_USER_CONFIG_SIZE, 200); /* more than was sent along */
	assert_int_equal(vfe_send(g, VHOST_USER_GET_CONFIG, 0, payload, sizeof payload, NULL, 0), 0);
	assert_int_equal(vfe_reply(g, VHOST_USER_GET_CONFIG, payload, sizeof payload, NULL), 0);
	assert_int_equal(vfe_do(g, VHOST_USER_SET_CONFIG, payload, sizeof payload, NULL, 0), 1);
	assert_int_equal(vfe_get_u64(g, VHOST_USER_GET_QUEUE_NUM, &value), 0);
	assert_int_equal(value, 2);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_NET_SET_MTU, 1500), 0);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_NET_SET_MTU, 9000), 1);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_NET_SET_MTU, 10), 1);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SEND_RARP, 0x010000005452), 0);
	assert_int_equal(w->host.announces, 1);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_STATUS, 15), 0);
	assert_int_equal(vfe_get_u64(g, VHOST_USER_GET_STATUS, &value), 0);
	assert_int_equal(value, 15);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_STATUS, 256), 1);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_STATUS, 0), 0);
	assert_int_equal(talk(w, 1, 1), 0); /* reset */
	assert_int_equal(vfe_do(g, VHOST_USER_RESET_DEVICE, NULL, 0, NULL, 0), 0);
	assert_int_equal(vfe_do(g, VHOST_USER_RESET_OWNER, NULL, 0, NULL, 0), 0);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_FEATURES, UINT64_MAX), 1);
	world_destroy(w);
}

static void the_link_going_down_is_told_on_the_back_end_channel(void **state)
{
	struct world *w = world_start(PROTOCOL | UINT64_C(1) << 16);
	struct nic_front *front = w->host.fronts[0];
	struct vfe *g = &w->guest[0];
	uint32_t request = 0;
	uint8_t none[8];
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	g->backend_fd = pair[0];
	assert_int_equal(vfe_do(g, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1), 0);
	close(pair[1]);
	attach_hold(&front->any);
	front->ops->set_link(NULL, front, false);
	attach_release(&front->any);
	assert_int_equal(vfe_backend_request(g, &request, none, sizeof none), 0);
	assert_int_equal(request, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG);
	world_destroy(w);
}

static void wrong_rings_and_descriptors_are_refused_and_the_guest_goes_on(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[0];
	uint8_t payload[8], addr[VHOST_USER_ADDR_BYTES] = { 0 };
	int file = memfd_create("file", MFD_CLOEXEC), event = eventfd(0, EFD_CLOEXEC);

	(void)state;
	assert_int_equal(vfe_do_state(g, VHOST_USER_SET_VRING_NUM, 5, 64), 1);
	assert_int_equal(vfe_do_state(g, VHOST_USER_SET_VRING_BASE, 255, 0), 1);
	assert_int_equal(vfe_do_state(g, VHOST_USER_SET_VRING_ENABLE, UINT32_MAX, 1), 1);
	assert_int_equal(vfe_do_state(g, VHOST_USER_SET_VRING_ENABLE, 0, 2), 1);
	assert_int_equal(vfe_do_state(g, VHOST_USER_SET_VRING_NUM, 2, 0), 1);
	assert_int_equal(vfe_do_state(g, VHOST_USER_SET_VRING_NUM, 2, 65536), 1);
	put_le64(payload, 0);
	assert_int_equal(vfe_do(g, VHOST_USER_SET_VRING_CALL, payload, 8, &file, 1), 1);
	assert_int_equal(vfe_do(g, VHOST_USER_SET_VRING_CALL, payload, 8, NULL, 0), 1);
	put_le64(payload, 200);
	assert_int_equal(vfe_do(g, VHOST_USER_SET_VRING_KICK, payload, 8, &event, 1), 1);
	put_le64(payload, VHOST_USER_VRING_NOFD);
	assert_int_equal(vfe_do(g, VHOST_USER_SET_VRING_KICK, payload, 8, &event, 1), 1);
	assert_int_equal(vfe_do(g, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, &file, 1), 1);
	put_le32(addr, 2);
	put_le64(addr + VHOST_USER_ADDR_DESC, 0xdead0000);
	assert_int_equal(vfe_do_state(g, VHOST_USER_SET_VRING_NUM, 2, 64), 0);
	put_le64(payload, 2);
	assert_int_equal(vfe_do(g, VHOST_USER_SET_VRING_KICK, payload, 8, &event, 1), 0);
	assert_int_equal(vfe_do(g, VHOST_USER_SET_VRING_ADDR, addr, sizeof addr, NULL, 0), 1);
	assert_int_equal(talk(w, 0, 10), 10);
	/* Polling: no kick and no call descriptor. */
	put_le64(payload, 1 | VHOST_USER_VRING_NOFD);
	assert_int_equal(vfe_do(g, VHOST_USER_SET_VRING_KICK, payload, 8, NULL, 0), 0);
	assert_int_equal(vfe_do(g, VHOST_USER_SET_VRING_CALL, payload, 8, NULL, 0), 0);
	assert_int_equal(talk(w, 0, 10), 10);
	assert_true(w->host.fronts[0]->polled);
	assert_false(w->host.fronts[1]->polled);
	close(file);
	close(event);
	world_destroy(w);
}

static void a_socket_and_a_pipe_are_called_and_never_block(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[0];
	uint8_t payload[8] = { 0 }, call[8];
	int ends[2][2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[0]), 0);
	assert_int_equal(pipe(ends[1]), 0);
	for (unsigned i = 0; i < 2; i++) {
		unsigned write_end = i; /* of a socket pair either, of a pipe the second */

		assert_int_equal(vfe_do(g, VHOST_USER_SET_VRING_CALL, payload, 8,
					&ends[i][write_end], 1), 0);
		assert_int_equal(talk(w, 1, 20), 20);
		assert_int_equal(read(ends[i][1 - write_end], call, sizeof call), 8);
		/* Nobody reads any more: calls are lost, frames are not. */
		for (unsigned run = 0; run < 40; run++)
			assert_int_equal(talk(w, 1, 500), 500);
		close(ends[i][1 - write_end]); /* nor is there anybody */
		assert_int_equal(talk(w, 1, 20), 20);
		close(ends[i][write_end]);
	}
	world_destroy(w);
}

static void the_platform_bit_waits_for_the_channel_that_it_needs(void **state)
{
	struct world *w = world_create(SITE_SOCKET_SERVER);
	struct refusal why = { 0 };
	uint64_t features = 0;

	(void)state;
	assert_int_equal(plug(w, 0, &why), 0);
	assert_int_equal(vfe_connect(&w->guest[0], w->path[0]), 0);
	assert_int_equal(vfe_negotiate(&w->guest[0], VERSION_1 | PROTOCOL), 0);
	assert_true(w->guest[0].offered & VERSION_1);
	assert_false(w->guest[0].offered & ACCESS_PLATFORM);
	assert_int_equal(vfe_get_u64(&w->guest[0], VHOST_USER_GET_FEATURES, &features), 0);
	assert_true(features & ACCESS_PLATFORM);
	world_destroy(w);
}

static void what_cannot_be_answered_closes_the_connection_and_leaks_nothing(void **state)
{
	static const struct {
		uint32_t request, size;
		unsigned fds;
		const char *why;
	} bad[] = {
		{ 99, 0, 0, "not one of" },
		{ VHOST_USER_SET_FEATURES, 4, 0, "bytes" },
		{ VHOST_USER_SET_OWNER, 0, 1, "descriptors" },
		{ VHOST_USER_SET_MEM_TABLE, 264, 9, "descriptors" },
		{ VHOST_USER_SET_MEM_TABLE, 264, 30, "descriptors" },
		{ VHOST_USER_SET_MEM_TABLE, 8, 3, "descriptors" },
		{ VHOST_USER_GET_INFLIGHT_FD, 24, 0, "in-flight" },
		{ VHOST_USER_SET_VRING_NUM, 8, 0, "entries" },
	};
	struct world *w = world_create(SITE_SOCKET_SERVER);
	struct refusal why = { 0 };
	uint8_t payload[264] = { 0 }, reply[8];
	int fds[30], made = memfd_create("x", MFD_CLOEXEC);
	unsigned before;

	(void)state;
	for (unsigned i = 0; i < 30; i++)
		fds[i] = made;
	assert_int_equal(plug(w, 0, &why), 0);
	rounds(w, 2);
	before = open_fds();
	for (unsigned i = 0; i < array_len(bad); i++) {
		const char *text = "";

		assert_int_equal(vfe_connect(&w->guest[0], w->path[0]), 0);
		assert_int_equal(vfe_send(&w->guest[0], bad[i].request, 0, payload, bad[i].size, fds,
					  bad[i].fds), 0);
		assert_int_equal(vfe_reply(&w->guest[0], bad[i].request, reply, sizeof reply, NULL),
				 -ECONNRESET);
		test_host_count(&w->host, "disconnected", &text);
		if (!strstr(text, bad[i].why))
			fail_msg("case %u: %s", i, text);
		vfe_close(&w->guest[0]);
		rounds(w, 2);
		assert_int_equal(open_fds(), before);
	}
	close(made);
	world_destroy(w);
}

static void a_flood_of_one_guest_leaves_the_other_its_turns(void **state)
{
	struct world *w = world_start(PROTOCOL);
	uint8_t payload[8] = { 0 };
	unsigned sent = 0, turns = 0;
	uint64_t value;

	(void)state;
	fcntl(w->guest[0].fd, F_SETFL, O_NONBLOCK);
	while (vfe_send(&w->guest[0], VHOST_USER_SET_OWNER, 0, NULL, 0, NULL, 0) == 0)
		sent++;
	assert_true(sent > 50);
	assert_int_equal(vfe_send(&w->guest[1], VHOST_USER_GET_QUEUE_NUM, 0, NULL, 0, NULL, 0), 0);
	while (recv(w->guest[1].fd, payload, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && turns < 100) {
		uv_run(&w->host.loop, UV_RUN_NOWAIT);
		turns++;
	}
	assert_in_range(turns, 1, 2);
	assert_int_equal(vfe_reply(&w->guest[1], VHOST_USER_GET_QUEUE_NUM, &value, 8, NULL), 8);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_guests_exchange_frames_over_real_sockets),
		cmocka_unit_test(rings_without_the_protocol_bit_start_enabled),
		cmocka_unit_test(a_second_set_features_without_the_protocol_bit_enables_rings),
		cmocka_unit_test(a_call_descriptor_that_blocks_stops_its_front_and_nobody_else),
		cmocka_unit_test(a_ring_stops_with_its_base_and_goes_on_there),
		cmocka_unit_test(a_worker_that_keeps_a_front_makes_its_guest_wait_and_nobody_else),
		cmocka_unit_test(a_worker_that_never_rests_passes_by_a_front_that_is_wanted),
		cmocka_unit_test(a_server_takes_the_next_frontend_after_one_left),
		cmocka_unit_test(a_frontend_that_ends_in_the_midst_of_its_requests_is_seen_to_be_gone),
		cmocka_unit_test(a_client_keeps_trying_and_comes_back),
		cmocka_unit_test(a_path_in_use_is_refused_and_a_dead_one_is_taken),
		cmocka_unit_test(memory_comes_and_goes_by_slots_under_traffic),
		cmocka_unit_test(the_dirty_log_marks_the_pages_written_and_no_others),
		cmocka_unit_test(an_in_flight_region_is_handed_out_and_taken_back),
		cmocka_unit_test(memory_that_is_cut_off_stops_the_front_and_nothing_else),
		cmocka_unit_test(misses_are_asked_once_and_answers_let_frames_go_on),
		cmocka_unit_test(configuration_status_mtu_and_rarp_are_answered),
		cmocka_unit_test(the_link_going_down_is_told_on_the_back_end_channel),
		cmocka_unit_test(wrong_rings_and_descriptors_are_refused_and_the_guest_goes_on),
		cmocka_unit_test(a_socket_and_a_pipe_are_called_and_never_block),
		cmocka_unit_test(the_platform_bit_waits_for_the_channel_that_it_needs),
		cmocka_unit_test(what_cannot_be_answered_closes_the_connection_and_leaks_nothing),
		cmocka_unit_test(a_flood_of_one_guest_leaves_the_other_its_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
