#include "sim/card_world.h"

#include <errno.h>

static void test_frames_between_functions_arrive_in_order(void **state)
{
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 2);
	for (unsigned i = 0; i < 100; i++)
		world_send(&w, 1, WORLD_MAC(2), WORLD_MAC(1), 0, 60 + i);
	world_run(&w);
	assert_int_equal(w.front[2]->given, 100);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(w.front[2]->log[i].size, 60 + i);
	assert_int_equal(w.front[1]->script_count, 0);
	assert_false(w.front[1]->flush_due);
	assert_false(w.front[2]->flush_due);
	assert_int_equal(w.line->sent, 0);
	assert_int_equal(counter_get(&nic_card_counters(w.card, 1)->in_frames), 100);
	assert_int_equal(counter_get(&nic_card_counters(w.card, 2)->out_frames), 100);
	assert_int_equal(world_all_drops(&w, 1), 0);
	world_close(&w);
}

static void test_frames_go_to_the_line_and_come_from_it(void **state)
{
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 2);
	world_arrive(&w, WORLD_MAC(1), OUTSIDE_MAC, 0, 200);
	world_run(&w);
	assert_int_equal(w.front[1]->given, 1);
	assert_int_equal(w.front[2]->given, 0);
	world_send(&w, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 300);
	world_run(&w);
	assert_int_equal(w.line->sent, 1);
	assert_int_equal(w.line->log[0].size, 300);
	assert_memory_equal(w.line->log[0].bytes, w.frame[1], 300);
	assert_int_equal(w.front[2]->given, 0);
	world_close(&w);
}

static void test_bind_refuses_what_is_impossible(void **state)
{
	struct nic_vf_conf conf = world_vf(1), bad;
	static struct fake_front front;
	struct refusal why = { 0 };
	struct world w;

	(void)state;
	world_open_plain(&w);
	fake_front_init(&front, conf.mac);
	world_hold(&w);
#define REFUSED(vf, path_wanted, ...)                                                     \
	do {                                                                              \
		bad = conf;                                                               \
		__VA_ARGS__;                                                              \
		assert_int_equal(nic_card_bind(NULL, w.card, vf, &front.front, &bad, &why), \
				 -EINVAL);                                                \
		assert_string_equal(why.path, path_wanted);                               \
	} while (0)
	REFUSED(0, "vf", (void)0);
	REFUSED(WORLD_FRONTS + 1, "vf", (void)0);
	REFUSED(1, "mac", bad.mac = 0);
	REFUSED(1, "mac", bad.mac = OUTSIDE_MAC | ETH_GROUP_BIT);
	REFUSED(1, "vlan", bad.vlan = 4095);
	REFUSED(1, "weight", bad.weight = 0);
	REFUSED(1, "weight", bad.weight = 1001);
	REFUSED(1, "priority", bad.priority = 8);
	REFUSED(1, "rate_bps", bad.rate_bps = 999);
	REFUSED(1, "mirror_to", bad.mirror_to = 1);
	REFUSED(1, "mirror_to", bad.mirror_to = WORLD_FRONTS + 1);
	assert_null(front.front.hold);
	assert_int_equal(nic_card_bind(NULL, w.card, 1, &front.front, &conf, &why), 0);
	assert_int_equal(nic_card_bind(NULL, w.card, 1, &front.front, &conf, &why), -EBUSY);
	REFUSED(2, "mac", (void)0); /* the same address in the same VLAN */
#undef REFUSED
	assert_ptr_equal(nic_card_unbind(NULL, w.card, 1), &front.front);
	assert_null(nic_card_unbind(NULL, w.card, 1));
	assert_null(front.front.hold);
	world_release(&w);
	world_close(&w);
}

static void test_init_refuses_what_is_impossible(void **state)
{
	struct nic_card_conf good = { .vf_count = 2, .fdb_entries = 16 }, bad;
	struct refusal why = { 0 };
	uint8_t *memory = world_alloc(nic_card_size(&good) + 64);

	(void)state;
	bad = good, bad.vf_count = 0;
	assert_int_equal(nic_card_init((struct nic_card *)memory, &bad, &why), -EINVAL);
	bad = good, bad.vf_count = NIC_CARD_VFS_MAX + 1;
	assert_int_equal(nic_card_init((struct nic_card *)memory, &bad, &why), -EINVAL);
	bad = good, bad.fdb_entries = 12;
	assert_int_equal(nic_card_init((struct nic_card *)memory, &bad, &why), -EINVAL);
	bad = good, bad.line_bps = 1;
	assert_int_equal(nic_card_init((struct nic_card *)memory, &bad, &why), -EINVAL);
	assert_int_equal(nic_card_init((struct nic_card *)(memory + 8), &good, &why), -EINVAL);
	assert_int_equal(nic_card_init((struct nic_card *)memory, &good, &why), 0);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_between_functions_arrive_in_order),
		cmocka_unit_test(test_frames_go_to_the_line_and_come_from_it),
		cmocka_unit_test(test_bind_refuses_what_is_impossible),
		cmocka_unit_test(test_init_refuses_what_is_impossible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
