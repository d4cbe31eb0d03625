/* How a frontend takes a running device away, and what it is told of one that stopped or that waits
 * for it. */
#include "attach/guests_test.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

enum { NEEDS_RESET = 64 /* virtio 1.2 section 2.1 */ };

static void check_state(struct world *w, unsigned at, const char *state)
{
	struct attach_facts facts;

	w->a[at]->ops->facts(w->a[at], &facts);
	assert_string_equal(facts.state, state);
}

static void reset_device_leaves_a_new_device_that_can_be_started_again(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[1];
	struct attach_facts facts;
	uint16_t base[2];

	(void)state;
	assert_int_equal(talk(w, 0, 9), 9);
	assert_int_equal(talk(w, 1, 4), 4);
	for (unsigned i = 0; i < 2; i++)
		base[i] = vfe_used(g, i);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_STATUS, 15), 0);
	assert_int_equal(vfe_do(g, VHOST_USER_RESET_DEVICE, NULL, 0, NULL, 0), 0);
	w->a[1]->ops->facts(w->a[1], &facts);
	assert_string_equal(facts.state, "connected"); /* no ring runs */
	assert_int_equal(facts.features, 0);
	assert_int_equal(vfe_get_u64(g, VHOST_USER_GET_STATUS, &facts.features), 0);
	assert_int_equal(facts.features, 0);
	check_state(w, 0, "running");
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_FEATURES, g->features), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(vfe_ring_restart(g, i, base[i]), 0);
	check_state(w, 1, "running");
	assert_int_equal(talk(w, 0, 9), 9); /* memory and the connection's agreements stayed */
	assert_int_equal(talk(w, 1, 4), 4);
	world_destroy(w);
}

/* As QEMU 7.2 stops a guest, to migrate it or because it is told to; what was there before goes on. */
static void after_status_0_a_frontend_still_learns_how_far_each_ring_came(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[1];
	int base[2];

	(void)state;
	assert_int_equal(talk(w, 0, 9), 9);
	assert_int_equal(talk(w, 1, 4), 4);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_STATUS, 15), 0);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_STATUS, 0), 0);
	check_state(w, 1, "connected");
	for (unsigned i = 0; i < 2; i++) {
		base[i] = vfe_ring_stop(g, i);
		assert_int_equal(base[i], vfe_used(g, i));
		assert_int_not_equal(base[i], 0);
	}
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_FEATURES, g->features), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(vfe_ring_restart(g, i, (uint16_t)base[i]), 0);
	assert_int_equal(talk(w, 0, 9), 9);
	assert_int_equal(talk(w, 1, 4), 4);
	/* A driver that begins anew says so. */
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_STATUS, 0), 0);
	assert_int_equal(vfe_do_state(g, VHOST_USER_SET_VRING_BASE, 0, 0), 0);
	assert_int_equal(vfe_ring_stop(g, 0), 0);
	world_destroy(w);
}

static void reset_owner_disables_all_rings(void **state)
{
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[1];
	uint8_t frame[60], got[2048];

	(void)state;
	assert_int_equal(talk(w, 1, 4), 4);
	assert_int_equal(vfe_do(g, VHOST_USER_RESET_OWNER, NULL, 0, NULL, 0), 0);
	frame_of(frame, sizeof frame, 1);
	assert_int_equal(vfe_transmit(g, 0, frame, sizeof frame), 0);
	rounds(w, 5);
	assert_int_equal(vfe_used(g, 1), 4);
	assert_int_equal(talk(w, 0, 1), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(vfe_do_state(g, VHOST_USER_SET_VRING_ENABLE, i, 1), 0);
	rounds(w, 5);
	assert_int_equal(vfe_used(g, 1), 5);
	assert_int_equal(vfe_receive(&w->guest[0], 0, got, sizeof got), sizeof frame);
	assert_memory_equal(got, frame, sizeof frame);
	world_destroy(w);
}

/* A guest that breaks its ring: its frontend reads that in the status, and hears of it where it
 * listens. */
static void a_front_that_stops_says_so_in_its_status_and_on_error_descriptors(void **state)
{
	enum { AVAIL_IDX = 2, ABSURD = 1000 };
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[1];
	uint64_t status = 0, signals = 0;
	int fds[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t payload[8] = { (uint8_t)i };

		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		assert_int_equal(
			vfe_do(g, VHOST_USER_SET_VRING_ERR, payload, sizeof payload, &fds[i], 1),
			0);
	}
	assert_int_equal(talk(w, 1, 4), 4);
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_STATUS, 15), 0);
	assert_int_equal(vfe_get_u64(g, VHOST_USER_GET_STATUS, &status), 0);
	assert_int_equal(status, 15);
	assert_int_equal(read(fds[0], &signals, sizeof signals), -1);
	put_le16(g->rings[1].avail + AVAIL_IDX, ABSURD);
	vfe_kick(g, 1);
	rounds(w, 5);
	assert_int_equal(vfe_get_u64(g, VHOST_USER_GET_STATUS, &status), 0);
	assert_int_equal(status, 15 | NEEDS_RESET);
	check_state(w, 1, "stopped");
	check_state(w, 0, "running");
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(read(fds[i], &signals, sizeof signals), sizeof signals);
		assert_int_equal(signals, 1); /* told once */
		close(fds[i]);
	}
	world_destroy(w);
}

/* The next question on the back-end channel; false when there is none yet. */
static bool question(struct vfe *g, uint8_t payload[VHOST_USER_IOTLB_BYTES])
{
	struct pollfd p = { .fd = g->backend_fd, .events = POLLIN };
	uint32_t request;

	if (poll(&p, 1, 0) <= 0)
		return false;
	assert_int_equal(vfe_backend_request(g, &request, payload, VHOST_USER_IOTLB_BYTES),
			 VHOST_USER_IOTLB_BYTES);
	assert_int_equal(request, VHOST_USER_BACKEND_IOTLB_MSG);
	assert_int_equal(payload[VHOST_USER_IOTLB_TYPE], VHOST_USER_IOTLB_MISS);
	return true;
}

/* Guest 'g' behind an IOMMU that has said nothing yet. */
static void go_behind_an_iommu(struct vfe *g)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	g->backend_fd = pair[0];
	assert_int_equal(vfe_do(g, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1), 0);
	close(pair[1]);
	for (unsigned i = 0; i < 2; i++)
		assert_true(vfe_ring_stop(g, i) >= 0);
	g->features |= ACCESS_PLATFORM;
	assert_int_equal(vfe_do_u64(g, VHOST_USER_SET_FEATURES, g->features), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(vfe_ring_restart(g, i, 0), 0);
}

static void a_translation_that_nobody_answers_is_asked_for_again(void **state)
{
	enum { SEEN_MAX = 64, LIMIT_MS = 60000 };
	struct world *w = world_start(PROTOCOL);
	struct vfe *g = &w->guest[1];
	uint64_t seen[SEEN_MAX], began_ms;
	uint8_t payload[VHOST_USER_IOTLB_BYTES];
	unsigned count = 0;
	bool again = false;

	(void)state;
	go_behind_an_iommu(g);
	began_ms = uv_now(&w->host.loop);
	while (!again && uv_now(&w->host.loop) - began_ms < LIMIT_MS) {
		uint64_t iova;

		pump(w);
		if (!question(g, payload))
			continue;
		iova = get_le64(payload + VHOST_USER_IOTLB_IOVA);
		for (unsigned i = 0; i < count; i++)
			again |= seen[i] == iova;
		if (count < SEEN_MAX)
			seen[count++] = iova;
	}
	assert_true(again);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_device_leaves_a_new_device_that_can_be_started_again),
		cmocka_unit_test(after_status_0_a_frontend_still_learns_how_far_each_ring_came),
		cmocka_unit_test(reset_owner_disables_all_rings),
		cmocka_unit_test(a_front_that_stops_says_so_in_its_status_and_on_error_descriptors),
		cmocka_unit_test(a_translation_that_nobody_answers_is_asked_for_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
