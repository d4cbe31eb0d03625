/* Each rule of the switch and each reason of drop, through a card with fake fronts and a fake line. */
#include "sim/card_world.h"

#define MULTICAST_MAC UINT64_C(0x01005e000001)

/* Sends one frame from 'from' and checks that it was dropped there for 'reason' and nothing else. */
static void expect_drop(struct world *w, unsigned port, enum esw_drop reason)
{
	uint64_t before = world_drops(w, port, reason), all = world_all_drops(w, port);

	world_run(w);
	assert_int_equal(world_drops(w, port, reason), before + 1);
	assert_int_equal(world_all_drops(w, port), all + 1);
}

static uint64_t given_to_all(const struct world *w)
{
	uint64_t sum = w->line->sent;

	for (unsigned n = 1; n <= WORLD_FRONTS; n++)
		if (w->front[n])
			sum += w->front[n]->given;
	return sum;
}

static void test_each_drop_reason_has_text_and_a_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ESW_DROP_COUNT; i++) {
		assert_true(strlen(esw_drop_text[i]) > 5);
		assert_memory_equal(esw_drop_json[i], "drop_", 5);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(esw_drop_json[i], esw_drop_json[k]);
	}
}

static void test_frames_that_may_not_enter_are_counted_by_reason(void **state)
{
	struct world w;
	struct nic_vf_conf in_vlan = world_vf(3);

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 2);
	in_vlan.vlan = 30;
	world_bind(&w, 3, &in_vlan);
	fake_front_send_bytes(w.front[1], world_frame(&w, WORLD_MAC(2), WORLD_MAC(1), 0, 60), 13);
	expect_drop(&w, 1, ESW_DROP_RUNT);
	fake_front_send_bytes(w.front[1], world_frame(&w, WORLD_MAC(2), WORLD_MAC(1), 5, 60), 17);
	expect_drop(&w, 1, ESW_DROP_RUNT);
	world_send(&w, 1, WORLD_MAC(2), WORLD_MAC(1) | ETH_GROUP_BIT, 0, 60);
	expect_drop(&w, 1, ESW_DROP_BAD_SOURCE);
	world_send(&w, 1, WORLD_MAC(2), 0, 0, 60);
	expect_drop(&w, 1, ESW_DROP_BAD_SOURCE);
	world_send(&w, 1, WORLD_MAC(2), OUTSIDE_MAC, 0, 60);
	expect_drop(&w, 1, ESW_DROP_SPOOFED);
	world_send(&w, 3, OUTSIDE_MAC, WORLD_MAC(3), 30, 60);
	expect_drop(&w, 3, ESW_DROP_TAGGED);
	world_send(&w, 1, WORLD_MAC(2), WORLD_MAC(1), 4095, 60);
	expect_drop(&w, 1, ESW_DROP_BAD_TAG);
	world_send(&w, 1, ETH_RESERVED | 2, WORLD_MAC(1), 0, 60);
	expect_drop(&w, 1, ESW_DROP_RESERVED);
	world_send(&w, 1, WORLD_MAC(1), WORLD_MAC(1), 0, 60);
	expect_drop(&w, 1, ESW_DROP_SAME_PORT);
	world_send(&w, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 1515);
	expect_drop(&w, 1, ESW_DROP_OVERSIZE);
	fake_front_send(w.front[1],
			&(struct fake_frame){
				.bytes = world_frame(&w, WORLD_MAC(2), WORLD_MAC(1), 0, 60),
				.size = 60,
				.todo = FRAME_TODO_CSUM,
				.csum_start = 50,
				.csum_offset = 9,
			});
	expect_drop(&w, 1, ESW_DROP_BAD_OFFLOAD);
	assert_int_equal(given_to_all(&w), 0);
	world_close(&w);
}

static void test_hostile_offload_requests_are_refused(void **state)
{
	static const struct {
		uint8_t gso;
		uint16_t gso_size, start, offset;
		bool todo;
	} ask[] = {
		{ FRAME_GSO_NONE, 0, 0, 0, true },      { FRAME_GSO_NONE, 0, 13, 2, true },
		{ FRAME_GSO_NONE, 0, 65535, 0, true },  { FRAME_GSO_NONE, 0, 14, 65535, true },
		{ FRAME_GSO_TCP4, 1000, 34, 16, false }, { FRAME_GSO_TCP4, 0, 34, 16, true },
		{ FRAME_GSO_TCP6, 1, 54, 16, true },
	};
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 2);
	for (unsigned i = 0; i < array_len(ask); i++) {
		fake_front_send(w.front[1],
				&(struct fake_frame){
					.bytes = world_frame(&w, OUTSIDE_MAC, WORLD_MAC(1), 0, 900),
					.size = 900,
					.todo = ask[i].todo ? FRAME_TODO_CSUM : 0,
					.gso = ask[i].gso,
					.gso_size = ask[i].gso_size,
					.csum_start = ask[i].start,
					.csum_offset = ask[i].offset,
				});
		expect_drop(&w, 1, ESW_DROP_BAD_OFFLOAD);
	}
	world_close(&w);
}

/* A TCP frame over IPv4 of 'payload' bytes, as a guest with offloads makes it. */
static struct fake_frame tcp_frame(uint8_t *bytes, uint64_t dst, uint32_t payload, uint16_t mss)
{
	memset(bytes, 0, 54 + payload);
	put_be48(bytes + ETH_DST, dst);
	put_be48(bytes + ETH_SRC, WORLD_MAC(1));
	put_be16(bytes + ETH_TYPE, ETHERTYPE_IPV4);
	bytes[14] = 0x45;
	bytes[14 + IPV4_PROTOCOL] = IP_PROTOCOL_TCP;
	bytes[34 + TCP_DATA_OFFSET] = 0x50;
	return (struct fake_frame){
		.bytes = bytes,
		.size = 54 + payload,
		.piece = 4000,
		.todo = FRAME_TODO_CSUM,
		.gso = mss ? FRAME_GSO_TCP4 : FRAME_GSO_NONE,
		.gso_size = mss,
		.csum_start = 34,
		.csum_offset = TCP_CHECKSUM,
	};
}

static void test_large_frames_are_cut_for_who_does_not_take_them(void **state)
{
	static uint8_t bytes[66000];
	struct fake_frame f;
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 4);
	w.front[3]->front.abilities = FRAME_TAKES_CSUM | FRAME_TAKES_TSO4;
	w.front[4]->front.abilities = FRAME_TAKES_CSUM;
	for (unsigned n = 2; n <= 4; n++) {
		f = tcp_frame(bytes, WORLD_MAC(n), 60000, 1448);
		fake_front_send(w.front[1], &f);
		world_run(&w);
	}
	assert_int_equal(w.front[2]->given, 42);
	assert_int_equal(w.front[2]->given_bytes, 60000 + 42 * 54);
	assert_int_equal(w.front[2]->log[0].todo, 0);
	assert_int_equal(w.front[3]->given, 1);
	assert_int_equal(w.front[3]->log[0].gso_size, 1448);
	assert_int_equal(w.front[4]->given, 42);
	assert_int_equal(w.front[4]->log[0].todo, FRAME_TODO_CSUM);
	assert_int_equal(w.front[4]->log[0].csum_start, 34);
	f = tcp_frame(bytes, OUTSIDE_MAC, 60000, 1448);
	fake_front_send(w.front[1], &f);
	f = tcp_frame(bytes, OUTSIDE_MAC, 60000, 300); /* 200 segments: more than a stage */
	fake_front_send(w.front[1], &f);
	f = tcp_frame(bytes, OUTSIDE_MAC, 100, 60000); /* less than one segment */
	world_run(&w);
	assert_int_equal(w.line->sent, 42 + 200);
	fake_front_send(w.front[1], &f);
	world_run(&w);
	assert_int_equal(w.line->sent, 42 + 200 + 1);
	assert_int_equal(w.line->log[242].size, 154);
	f = tcp_frame(bytes, WORLD_MAC(2), 1000, 0); /* only a checksum */
	fake_front_send(w.front[1], &f);
	world_run(&w);
	assert_int_equal(w.front[2]->log[42].size, 1054);
	assert_int_equal(w.front[2]->log[42].todo, 0);
	assert_int_equal(world_all_drops(&w, 1), 0);
	world_close(&w);
}

static void test_frames_that_nobody_takes_are_counted_by_reason(void **state)
{
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 2);
	w.front[2]->front.ready = false;
	world_send(&w, 1, WORLD_MAC(2), WORLD_MAC(1), 0, 60);
	expect_drop(&w, 1, ESW_DROP_NOT_READY);
	w.front[2]->front.ready = true;
	w.front[2]->front.filter.nouni = 1;
	world_send(&w, 1, WORLD_MAC(2), WORLD_MAC(1), 0, 60);
	expect_drop(&w, 1, ESW_DROP_FILTERED);
	w.front[2]->front.filter.nouni = 0;
	w.front[2]->room = 0;
	world_send(&w, 1, WORLD_MAC(2), WORLD_MAC(1), 0, 60);
	expect_drop(&w, 2, ESW_DROP_NO_BUFFER); /* the receiver's */
	world_arrive(&w, UINT64_C(0x0200000000aa), OUTSIDE_MAC, 0, 60);
	expect_drop(&w, ESW_LINE, ESW_DROP_NO_DESTINATION);
	world_arrive(&w, OUTSIDE_MAC, UINT64_C(0x0200000000ab), 0, 60);
	expect_drop(&w, ESW_LINE, ESW_DROP_SAME_PORT);
	world_arrive(&w, BROADCAST_MAC, WORLD_MAC(1), 0, 60);
	expect_drop(&w, ESW_LINE, ESW_DROP_REFLECTED);
	world_hold(&w);
	nic_card_set_line_up(NULL, w.card, false);
	world_release(&w);
	world_send(&w, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 60);
	expect_drop(&w, 1, ESW_DROP_LINE_DOWN);
	world_hold(&w);
	nic_card_set_line(NULL, w.card, NULL);
	world_release(&w);
	world_send(&w, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 60);
	expect_drop(&w, 1, ESW_DROP_NO_LINE);
	assert_int_equal(w.line->empty_count, FAKE_LINE_BUFS); /* all its buffers are its again */
	assert_int_equal(given_to_all(&w), 0);
	world_close(&w);
}

static void test_frames_that_wait_are_counted_when_the_line_goes(void **state)
{
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 1);
	w.line->capacity = 0;
	world_send(&w, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 60);
	world_run(&w);
	world_hold(&w);
	nic_card_set_line(NULL, w.card, NULL);
	world_release(&w);
	assert_int_equal(world_drops(&w, 1, ESW_DROP_LINE_LOST), 1);
	assert_int_equal(w.line->empty_count, FAKE_LINE_BUFS);
	world_close(&w);
}

static void test_broadcast_and_multicast_reach_those_who_want_them(void **state)
{
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 4);
	w.front[3]->front.filter.nobcast = 1;
	w.front[4]->front.filter.mac[0] = MULTICAST_MAC;
	w.front[4]->front.filter.mac_count = 1;
	world_send(&w, 1, BROADCAST_MAC, WORLD_MAC(1), 0, 60);
	world_run(&w);
	assert_int_equal(w.front[1]->given, 0);
	assert_int_equal(w.front[2]->given, 1);
	assert_int_equal(w.front[3]->given, 0);
	assert_int_equal(w.front[4]->given, 1);
	assert_int_equal(w.line->sent, 1);
	world_arrive(&w, MULTICAST_MAC, OUTSIDE_MAC, 0, 60);
	world_run(&w);
	assert_int_equal(w.front[2]->given, 1);
	assert_int_equal(w.front[4]->given, 2);
	assert_int_equal(w.line->sent, 1);
	assert_int_equal(counter_get(&nic_card_counters(w.card, 1)->flooded_frames), 1);
	world_close(&w);
}

static void test_unknown_unicast_goes_to_the_line_and_to_promiscuous_functions(void **state)
{
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 3);
	w.front[2]->front.filter.promisc = 1;
	world_send(&w, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 60);
	world_run(&w);
	assert_int_equal(w.front[2]->given, 1);
	assert_int_equal(w.front[3]->given, 0);
	assert_int_equal(w.line->sent, 1);
	/* Once the address is known to be on the line, nobody else gets its frames. */
	world_arrive(&w, WORLD_MAC(1), OUTSIDE_MAC, 0, 60);
	world_run(&w);
	world_send(&w, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 60);
	world_run(&w);
	assert_int_equal(w.front[2]->given, 1);
	assert_int_equal(w.line->sent, 2);
	world_close(&w);
}

static void test_an_address_is_learned_moves_and_ages(void **state)
{
	struct nic_vf_conf bridge[2] = { world_vf(1), world_vf(2) };
	struct esw_fdb_row rows[16];
	struct world w;
	unsigned n, learned = 0;

	(void)state;
	world_open_plain(&w);
	bridge[0].spoof_check = bridge[1].spoof_check = false;
	world_bind(&w, 1, &bridge[0]);
	world_bind(&w, 2, &bridge[1]);
	w.front[1]->front.filter.promisc = w.front[2]->front.filter.promisc = 1;
	world_send(&w, 1, WORLD_MAC(2), UINT64_C(0x020000000099), 0, 60);
	world_run(&w);
	world_hold(&w);
	n = nic_card_fdb(NULL, w.card, rows, 16, w.now_ns);
	world_release(&w);
	assert_int_equal(n, 3);
	for (unsigned i = 0; i < n; i++)
		if (!rows[i].fixed) {
			learned++;
			assert_int_equal(rows[i].port, 1);
			assert_int_equal(rows[i].mac, UINT64_C(0x020000000099));
		}
	assert_int_equal(learned, 1);
	world_arrive(&w, UINT64_C(0x020000000099), OUTSIDE_MAC, 0, 60);
	world_run(&w);
	assert_int_equal(w.front[1]->given, 1);
	assert_int_equal(w.front[2]->given, 1);
	world_send(&w, 2, WORLD_MAC(1), UINT64_C(0x020000000099), 0, 60); /* moves */
	world_run(&w);
	world_arrive(&w, UINT64_C(0x020000000099), OUTSIDE_MAC, 0, 60);
	world_run(&w);
	assert_int_equal(w.front[1]->given, 2); /* WORLD_MAC(1)'s frame */
	assert_int_equal(w.front[2]->given, 2);
	w.now_ns += UINT64_C(301000000000);
	world_hold(&w);
	n = nic_card_fdb(NULL, w.card, rows, 16, w.now_ns);
	world_release(&w);
	assert_int_equal(n, 2); /* the permanent ones */
	world_close(&w);
}

static void test_a_permanent_address_cannot_be_taken(void **state)
{
	struct nic_vf_conf thief = world_vf(2);
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 1);
	thief.spoof_check = false;
	world_bind(&w, 2, &thief);
	world_send(&w, 2, OUTSIDE_MAC, WORLD_MAC(1), 0, 60);
	expect_drop(&w, 2, ESW_DROP_SPOOFED);
	/* Nor in a VLAN that its owner may tag. */
	world_send(&w, 2, OUTSIDE_MAC, WORLD_MAC(1), 77, 60);
	expect_drop(&w, 2, ESW_DROP_SPOOFED);
	world_arrive(&w, WORLD_MAC(1), OUTSIDE_MAC, 0, 60);
	world_run(&w);
	assert_int_equal(w.front[1]->given, 1);
	world_close(&w);
}

static void test_a_function_cannot_fill_the_table(void **state)
{
	struct nic_vf_conf conf = world_vf(1);
	struct world w;

	(void)state;
	world_open_plain(&w);
	conf.spoof_check = false;
	world_bind(&w, 1, &conf);
	for (unsigned i = 0; i < 400; i++) {
		world_send(&w, 1, OUTSIDE_MAC, UINT64_C(0x020000010000) + i, 0, 60);
		world_run(&w);
	}
	assert_int_equal(counter_get(&nic_card_counters(w.card, 1)->unlearned), 400 - 256);
	assert_int_equal(w.line->sent, 400); /* what it sends still goes */
	world_close(&w);
}

static void test_a_vlan_is_tagged_on_the_line_and_untagged_for_its_guest(void **state)
{
	struct nic_vf_conf conf[3] = { world_vf(1), world_vf(2), world_vf(3) };
	struct world w;
	const uint8_t *sent;

	(void)state;
	world_open_plain(&w);
	conf[0].vlan = conf[1].vlan = 30;
	conf[2].vlan = 31;
	for (unsigned n = 1; n <= 3; n++)
		world_bind(&w, n, &conf[n - 1]);
	world_send(&w, 1, BROADCAST_MAC, WORLD_MAC(1), 0, 100);
	world_run(&w);
	assert_int_equal(w.line->sent, 1);
	sent = w.line->log[0].bytes;
	assert_int_equal(w.line->log[0].size, 104);
	assert_int_equal(get_be16(sent + ETH_TYPE), ETHERTYPE_VLAN);
	assert_int_equal(get_be16(sent + VLAN_TCI), 30);
	assert_int_equal(get_be16(sent + 16), ETHERTYPE_IPV4);
	assert_memory_equal(sent + 18, w.frame[0] + 14, 86);
	assert_int_equal(w.front[2]->given, 1);
	assert_memory_equal(w.front[2]->log[0].bytes, w.frame[0], 100);
	assert_int_equal(w.front[3]->given, 0);
	world_arrive(&w, WORLD_MAC(2), OUTSIDE_MAC, 30, 104);
	world_arrive(&w, WORLD_MAC(2), OUTSIDE_MAC, 31, 104); /* not its VLAN */
	world_arrive(&w, WORLD_MAC(2), OUTSIDE_MAC, 0, 104);
	world_run(&w);
	assert_int_equal(w.front[2]->given, 2);
	assert_int_equal(w.front[2]->log[1].size, 100);
	assert_int_equal(get_be16(w.front[2]->log[1].bytes + ETH_TYPE), ETHERTYPE_IPV4);
	assert_int_equal(world_drops(&w, ESW_LINE, ESW_DROP_NO_DESTINATION), 2);
	world_close(&w);
}

static void test_a_guest_without_a_vlan_may_tag(void **state)
{
	struct nic_vf_conf access = world_vf(3);
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 2);
	access.vlan = 40;
	world_bind(&w, 3, &access);
	world_send(&w, 1, WORLD_MAC(2), WORLD_MAC(1), 40, 100);
	world_send(&w, 1, WORLD_MAC(3), WORLD_MAC(1), 40, 100);
	world_run(&w);
	assert_int_equal(w.front[2]->given, 1);
	assert_memory_equal(w.front[2]->log[0].bytes, w.frame[0], 100);
	assert_int_equal(w.front[3]->given, 1);
	assert_int_equal(w.front[3]->log[0].size, 96); /* its guest sees no tag */
	assert_int_equal(get_be16(w.front[3]->log[0].bytes + ETH_TYPE), ETHERTYPE_IPV4);
	assert_int_equal(w.line->sent, 0);
	world_send(&w, 3, WORLD_MAC(1), WORLD_MAC(3), 0, 100);
	world_run(&w);
	assert_int_equal(w.front[1]->given, 1);
	assert_int_equal(get_be16(w.front[1]->log[0].bytes + VLAN_TCI), 40);
	/* The driver's own VLAN filter counts. */
	w.front[1]->front.filter.vlan_filter = 1;
	world_send(&w, 3, WORLD_MAC(1), WORLD_MAC(3), 0, 100);
	expect_drop(&w, 3, ESW_DROP_FILTERED);
	world_close(&w);
}

static uint16_t tci_of(const uint8_t *bytes)
{
	assert_int_equal(get_be16(bytes + ETH_TYPE), ETHERTYPE_VLAN);
	return get_be16(bytes + VLAN_TCI);
}

/* Whoever else gets a copy, and in which form. */
static void test_a_tag_keeps_its_priority_beside_receivers_without_tags(void **state)
{
	const uint16_t tci = 5 << 13 | 1 << 12 | 4094; /* PCP 5, drop eligible, the highest VLAN */
	struct nic_vf_conf conf[4] = { world_vf(1), world_vf(2), world_vf(3), world_vf(4) };
	struct world w;

	(void)state;
	world_open_plain(&w);
	conf[1].vlan = conf[3].vlan = 4094;
	for (unsigned n = 1; n <= 4; n++)
		world_bind(&w, n, &conf[n - 1]);
	world_send(&w, 1, BROADCAST_MAC, WORLD_MAC(1), tci, 100);
	world_run(&w);
	assert_int_equal(tci_of(w.line->log[0].bytes), tci);
	assert_int_equal(w.front[2]->log[0].size, 96);
	assert_int_equal(tci_of(w.front[3]->log[0].bytes), tci); /* after one that gets no tag */
	assert_memory_equal(w.front[3]->log[0].bytes, w.frame[0], 100);
	assert_int_equal(w.front[4]->log[0].size, 96);
	world_arrive(&w, BROADCAST_MAC, OUTSIDE_MAC, tci, 100);
	world_run(&w);
	assert_int_equal(w.front[2]->log[1].size, 96);
	assert_int_equal(tci_of(w.front[3]->log[1].bytes), tci);
	/* What the card itself tags has none. */
	world_send(&w, 2, BROADCAST_MAC, WORLD_MAC(2), 0, 100);
	world_run(&w);
	assert_int_equal(tci_of(w.line->log[1].bytes), 4094);
	assert_int_equal(tci_of(w.front[3]->log[2].bytes), 4094);
	assert_int_equal(w.front[4]->log[2].size, 100);
	world_close(&w);
}

/* IEEE Std 802.1Q, 9.6: VLAN 0 says that a tag has a priority and no VLAN. */
static void test_a_priority_tag_is_no_vlan_and_stays(void **state)
{
	const uint16_t tci = 6 << 13;
	struct nic_vf_conf access = world_vf(3);
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 2);
	access.vlan = 40;
	world_bind(&w, 3, &access);
	world_send(&w, 1, WORLD_MAC(2), WORLD_MAC(1), tci, 100);
	world_send(&w, 1, BROADCAST_MAC, WORLD_MAC(1), tci, 100);
	world_run(&w);
	assert_int_equal(w.front[2]->given, 2);
	assert_int_equal(tci_of(w.front[2]->log[0].bytes), tci);
	assert_int_equal(w.front[2]->log[0].size, 100);
	assert_int_equal(tci_of(w.line->log[0].bytes), tci);
	assert_int_equal(w.front[3]->given, 0);
	world_arrive(&w, WORLD_MAC(2), OUTSIDE_MAC, tci, 100);
	world_run(&w);
	assert_int_equal(tci_of(w.front[2]->log[2].bytes), tci);
	world_arrive(&w, WORLD_MAC(3), OUTSIDE_MAC, tci, 100); /* not its VLAN */
	expect_drop(&w, ESW_LINE, ESW_DROP_NO_DESTINATION);
	world_send(&w, 3, OUTSIDE_MAC, WORLD_MAC(3), tci, 100);
	expect_drop(&w, 3, ESW_DROP_TAGGED);
	world_close(&w);
}

static void test_isolated_functions_speak_to_the_line_only(void **state)
{
	struct nic_vf_conf conf[2] = { world_vf(1), world_vf(2) };
	struct world w;

	(void)state;
	world_open_plain(&w);
	conf[0].isolated = conf[1].isolated = true;
	world_bind(&w, 1, &conf[0]);
	world_bind(&w, 2, &conf[1]);
	conf[0] = world_vf(3);
	world_bind(&w, 3, &conf[0]);
	world_send(&w, 1, WORLD_MAC(2), WORLD_MAC(1), 0, 60);
	world_send(&w, 1, WORLD_MAC(3), WORLD_MAC(1), 0, 60);
	world_send(&w, 1, BROADCAST_MAC, WORLD_MAC(1), 0, 60);
	world_send(&w, 3, WORLD_MAC(1), WORLD_MAC(3), 0, 60);
	world_send(&w, 3, BROADCAST_MAC, WORLD_MAC(3), 0, 60);
	world_run(&w);
	assert_int_equal(w.line->sent, 5);
	assert_int_equal(w.front[1]->given + w.front[2]->given + w.front[3]->given, 0);
	/* What the bridge behind the line reflects reaches the others, and not its sender. */
	world_arrive(&w, WORLD_MAC(2), WORLD_MAC(1), 0, 60);
	world_arrive(&w, BROADCAST_MAC, WORLD_MAC(1), 0, 60);
	world_run(&w);
	assert_int_equal(w.front[1]->given, 0);
	assert_int_equal(w.front[2]->given, 2);
	assert_int_equal(w.front[3]->given, 1);
	world_arrive(&w, WORLD_MAC(1), WORLD_MAC(1), 0, 60);
	expect_drop(&w, ESW_LINE, ESW_DROP_REFLECTED);
	world_close(&w);
}

static void test_a_mirror_gets_what_a_function_sends_and_receives(void **state)
{
	struct nic_vf_conf conf = world_vf(1);
	struct world w;

	(void)state;
	world_open_plain(&w);
	conf.mirror_to = 3;
	world_bind(&w, 1, &conf);
	conf = world_vf(2);
	world_bind(&w, 2, &conf);
	conf = world_vf(3);
	world_bind(&w, 3, &conf);
	world_send(&w, 1, WORLD_MAC(2), WORLD_MAC(1), 0, 61);
	world_send(&w, 2, WORLD_MAC(1), WORLD_MAC(2), 0, 62);
	world_send(&w, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 63);
	world_arrive(&w, WORLD_MAC(1), OUTSIDE_MAC, 0, 64);
	world_arrive(&w, WORLD_MAC(2), OUTSIDE_MAC, 0, 65);
	world_run(&w);
	assert_int_equal(w.front[3]->given, 4);
	assert_int_equal(w.front[2]->given, 2);
	assert_int_equal(w.front[1]->given, 2);
	assert_int_equal(counter_get(&nic_card_counters(w.card, 1)->mirrored_frames), 4);
	/* A frame for the mirror itself is not doubled. */
	world_send(&w, 1, WORLD_MAC(3), WORLD_MAC(1), 0, 66);
	world_run(&w);
	assert_int_equal(w.front[3]->given, 5);
	/* One that does not run or is gone costs its subject nothing, and is one again when it is back. */
	w.front[3]->front.ready = false;
	world_send(&w, 1, WORLD_MAC(2), WORLD_MAC(1), 0, 67);
	world_run(&w);
	world_hold(&w);
	assert_non_null(nic_card_unbind(NULL, w.card, 3));
	world_release(&w);
	world_send(&w, 1, WORLD_MAC(2), WORLD_MAC(1), 0, 68);
	world_run(&w);
	assert_int_equal(w.front[2]->given, 4);
	assert_int_equal(w.front[3]->given, 5);
	assert_int_equal(world_all_drops(&w, 1), 0);
	w.front[3]->front.ready = true;
	world_hold(&w);
	assert_int_equal(nic_card_bind(NULL, w.card, 3, &w.front[3]->front, &conf, NULL), 0);
	world_release(&w);
	world_send(&w, 1, WORLD_MAC(2), WORLD_MAC(1), 0, 69);
	world_run(&w);
	assert_int_equal(w.front[3]->given, 6);
	world_close(&w);
}

static void test_a_full_stage_holds_the_sender_back_and_loses_nothing(void **state)
{
	struct world w;

	(void)state;
	world_open_plain(&w);
	world_bind_plain(&w, 2);
	w.line->capacity = 0;
	for (unsigned i = 0; i < 200; i++)
		world_send(&w, 1, OUTSIDE_MAC, WORLD_MAC(1), 0, 60 + i);
	for (unsigned i = 0; i < 20; i++)
		nic_card_poll(NULL, w.card, w.now_ns += 1000);
	assert_int_equal(w.front[1]->script_count, 200 - NIC_CARD_STAGED_MAX);
	/* Others are not held up. */
	world_send(&w, 2, WORLD_MAC(1), WORLD_MAC(2), 0, 60);
	world_run(&w);
	assert_int_equal(w.front[1]->given, 1);
	w.line->capacity = UINT32_MAX;
	world_run(&w);
	assert_int_equal(w.line->sent, 200);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(w.line->log[i].size, 60 + i);
	assert_int_equal(world_all_drops(&w, 1), 0);
	assert_int_equal(w.line->refused > 0, 1);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_drop_reason_has_text_and_a_name),
		cmocka_unit_test(test_frames_that_may_not_enter_are_counted_by_reason),
		cmocka_unit_test(test_hostile_offload_requests_are_refused),
		cmocka_unit_test(test_large_frames_are_cut_for_who_does_not_take_them),
		cmocka_unit_test(test_frames_that_nobody_takes_are_counted_by_reason),
		cmocka_unit_test(test_frames_that_wait_are_counted_when_the_line_goes),
		cmocka_unit_test(test_broadcast_and_multicast_reach_those_who_want_them),
		cmocka_unit_test(test_unknown_unicast_goes_to_the_line_and_to_promiscuous_functions),
		cmocka_unit_test(test_an_address_is_learned_moves_and_ages),
		cmocka_unit_test(test_a_permanent_address_cannot_be_taken),
		cmocka_unit_test(test_a_function_cannot_fill_the_table),
		cmocka_unit_test(test_a_vlan_is_tagged_on_the_line_and_untagged_for_its_guest),
		cmocka_unit_test(test_a_guest_without_a_vlan_may_tag),
		cmocka_unit_test(test_a_tag_keeps_its_priority_beside_receivers_without_tags),
		cmocka_unit_test(test_a_priority_tag_is_no_vlan_and_stays),
		cmocka_unit_test(test_isolated_functions_speak_to_the_line_only),
		cmocka_unit_test(test_a_mirror_gets_what_a_function_sends_and_receives),
		cmocka_unit_test(test_a_full_stage_holds_the_sender_back_and_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
