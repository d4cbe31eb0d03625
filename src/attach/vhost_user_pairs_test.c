/* Several queue pairs over a real socket, where the frontend has the control queue, as QEMU has:
 * which pairs are in use it says by enabling their rings. */
#include "attach/guests_test.h"

enum { PAIRS = 2 };

#define MQ (UINT64_C(1) << 22) /* VIRTIO_NET_F_MQ */

static struct world *world_start_pairs(void)
{
	struct world *w = world_create(SITE_SOCKET_SERVER);
	struct refusal why = { 0 };
	uint64_t most = 0;

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(plug(w, i, &why), 0);
		assert_int_equal(vfe_connect(&w->guest[i], w->path[i]), 0);
		assert_int_equal(vfe_start(&w->guest[i], PROTOCOL | VERSION_1 | MQ, PAIRS, RING),
				 0);
		assert_true(w->guest[i].features & MQ);
		assert_int_equal(vfe_get_u64(&w->guest[i], VHOST_USER_GET_QUEUE_NUM, &most), 0);
		assert_int_equal(most, PAIRS);
	}
	return w;
}

/* One frame of the one flow there is, by pair 'by' of guest 'from'. */
static void transmit(struct world *w, unsigned from, unsigned by, unsigned number)
{
	uint8_t frame[60];

	frame_of(frame, sizeof frame, number);
	assert_int_equal(vfe_transmit(&w->guest[from], by, frame, sizeof frame), 0);
	rounds(w, 3);
}

/* Whether frame 'number' has come to pair 'at' of guest 'to', and nothing to the other. */
static void check_received(struct world *w, unsigned to, unsigned at, unsigned number)
{
	uint8_t frame[60], got[2048];

	frame_of(frame, sizeof frame, number);
	assert_int_equal(vfe_receive(&w->guest[to], 1 - at, got, sizeof got), 0);
	assert_int_equal(vfe_receive(&w->guest[to], at, got, sizeof got), sizeof frame);
	assert_memory_equal(got, frame, sizeof frame);
}

static void a_flow_comes_in_at_the_pair_from_which_its_guest_sends(void **state)
{
	struct world *w = world_start_pairs();
	struct attach_facts facts;
	uint8_t got[2048];

	(void)state;
	w->a[1]->ops->facts(w->a[1], &facts);
	assert_int_equal(facts.queue_pairs, PAIRS);
	for (unsigned i = 0; i < 3 * RING; i++) {
		unsigned pair = i % PAIRS;

		transmit(w, 1, pair, i);
		assert_int_equal(vfe_receive(&w->guest[0], 0, got, sizeof got) +
					 vfe_receive(&w->guest[0], 1, got, sizeof got),
				 60);
		transmit(w, 0, 1 - pair, i);
		check_received(w, 1, pair, i);
	}
	world_destroy(w);
}

static void the_pairs_in_use_are_those_whose_rings_are_enabled(void **state)
{
	struct world *w = world_start_pairs();
	struct vfe *g = &w->guest[1];

	(void)state;
	transmit(w, 1, 1, 0); /* so the flow is pair 1's */
	transmit(w, 0, 0, 1);
	check_received(w, 1, 1, 1);
	for (unsigned i = 2; i < 4; i++)
		assert_int_equal(vfe_do_state(g, VHOST_USER_SET_VRING_ENABLE, i, 0), 0);
	transmit(w, 0, 0, 2);
	check_received(w, 1, 0, 2);
	transmit(w, 1, 1, 3);
	assert_int_equal(vfe_used(g, 3), 1); /* not taken */
	for (unsigned i = 2; i < 4; i++)
		assert_int_equal(vfe_do_state(g, VHOST_USER_SET_VRING_ENABLE, i, 1), 0);
	rounds(w, 3);
	assert_int_equal(vfe_used(g, 3), 2); /* and not lost */
	transmit(w, 0, 0, 4);
	check_received(w, 1, 1, 4);
	world_destroy(w);
}

/* QEMU 7.2 with two pairs says each change once for each of them. */
static void what_is_said_of_memory_for_a_second_pair_has_been_done(void **state)
{
	struct world *w = world_start_pairs();
	struct vfe *g = &w->guest[0];
	unsigned fds;

	(void)state;
	assert_int_equal(vfe_share(g, 0x100000000, 2 * PAGE), 0);
	assert_int_equal(vfe_mem_reg(g, VHOST_USER_ADD_MEM_REG, 1), 0);
	fds = open_fds();
	assert_int_equal(vfe_mem_reg(g, VHOST_USER_ADD_MEM_REG, 1), 0);
	assert_int_equal(open_fds(), fds); /* what came with it is closed */
	assert_int_equal(talk(w, 0, 5), 5);
	/* Only a part of it stays. */
	for (unsigned pair = 0; pair < 2; pair++) {
		g->regions[1].size = 2 * PAGE;
		assert_int_equal(vfe_mem_reg(g, VHOST_USER_REM_MEM_REG, 1), 0);
		g->regions[1].size = PAGE;
		assert_int_equal(vfe_mem_reg(g, VHOST_USER_ADD_MEM_REG, 1), 0);
	}
	/* And is there, once. */
	g->regions[1].size = 2 * PAGE;
	assert_int_equal(vfe_mem_reg(g, VHOST_USER_ADD_MEM_REG, 1), 1);
	g->regions[1].size = PAGE;
	assert_int_equal(vfe_mem_reg(g, VHOST_USER_REM_MEM_REG, 1), 0);
	g->regions[1].size = 2 * PAGE;
	assert_int_equal(vfe_mem_reg(g, VHOST_USER_ADD_MEM_REG, 1), 0);
	assert_int_equal(talk(w, 0, 5), 5);
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_comes_in_at_the_pair_from_which_its_guest_sends),
		cmocka_unit_test(the_pairs_in_use_are_those_whose_rings_are_enabled),
		cmocka_unit_test(what_is_said_of_memory_for_a_second_pair_has_been_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
