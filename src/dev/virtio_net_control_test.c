/* What the control queue sets: what is received, addresses, VLANs, announcements; and what a reset makes of it. */
#include "dev/side_test.h"

#include <errno.h>

static void the_control_queue_sets_what_is_received(void **state)
{
	const uint8_t on = 1, off = 0, mac[6] = { 2, 2, 2, 2, 2, 2 }, group[6] = { 1, 2, 2, 2, 2, 2 };
	uint8_t table[] = { 1, 0, 0, 0, 2, 0, 0, 0, 0, 9, 1, 0, 0, 0, 0x33, 0x33, 0, 0, 0, 1 };
	struct side side;
	struct nic_filter *filter;

	(void)state;
	side_open(&side, (struct guest_net_conf){ .features = BASIC | CONTROL });
	filter = &side.front->filter;
	assert_true(filter->promisc);
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1), 0);
	assert_false(nic_front_wants(side.front, 0x020202020202, 0));
	assert_true(nic_front_wants(side.front, MAC, 0));
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6), 0);
	assert_true(nic_front_wants(side.front, 0x020202020202, 0));
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, group, 6), 1);
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table,
				 sizeof table), 0);
	assert_true(nic_front_wants(side.front, 0x020000000009, 0));
	assert_true(nic_front_wants(side.front, 0x333300000001, 0));
	assert_false(nic_front_wants(side.front, 0x333300000002, 0));
	assert_true(nic_front_wants(side.front, 0x020202020202, 0)); /* its own, still */
	table[9] = 8; /* another list takes the place of the first */
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table,
				 sizeof table), 0);
	assert_true(nic_front_wants(side.front, 0x020000000008, 0));
	assert_false(nic_front_wants(side.front, 0x020000000009, 0));
	table[9] = 9;
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table,
				 sizeof table), 0);
	table[0] = 3;
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table,
				 sizeof table), 1);
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, &on, 1), 0);
	assert_true(nic_front_wants(side.front, 0x333300000002, 0));
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOMULTI, &on, 1), 0);
	assert_false(nic_front_wants(side.front, 0x333300000002, 0));
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLUNI, &on, 1), 0);
	assert_true(nic_front_wants(side.front, 0x020000000008, 0));
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOUNI, &on, 1), 0);
	assert_false(nic_front_wants(side.front, 0x020000000008, 0));
	assert_true(nic_front_wants(side.front, 0xffffffffffff, 0));
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOBCAST, &on, 1), 0);
	assert_false(nic_front_wants(side.front, 0xffffffffffff, 0));
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_RX, 6, &on, 1), 1);
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &on, 0), 1);
	assert_int_equal(command(&side, 99, 0, &on, 1), 1);
	side_close(&side);
}

static void a_list_of_addresses_that_is_too_long_means_all_of_that_kind(void **state)
{
	uint8_t table[4 + 65 * 6 + 4] = { 65 };
	const uint8_t off = 0;
	struct side side;

	(void)state;
	side_open(&side, (struct guest_net_conf){ .features = BASIC | CONTROL });
	command(&side, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1);
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, table,
				 sizeof table), 0);
	assert_true(nic_front_wants(side.front, 0x020000000008, 0));
	assert_false(nic_front_wants(side.front, 0x333300000002, 0));
	side_close(&side);
}

static void vlans_are_filtered_once_the_driver_can_list_them(void **state)
{
	const uint8_t off = 0;
	struct side side;

	(void)state;
	side_open(&side, (struct guest_net_conf){ .features = BASIC | CONTROL });
	command(&side, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1);
	assert_true(nic_front_wants(side.front, MAC, 0));
	assert_false(nic_front_wants(side.front, MAC, 100));
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_VLAN, 0, (uint8_t[]){ 100, 0 }, 2), 0);
	assert_true(nic_front_wants(side.front, MAC, 100));
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_VLAN, 1, (uint8_t[]){ 100, 0 }, 2), 0);
	assert_false(nic_front_wants(side.front, MAC, 100));
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_VLAN, 0, (uint8_t[]){ 0, 0x10 }, 2), 1);
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_VLAN, 2, (uint8_t[]){ 1, 0 }, 2), 1);
	side_close(&side);
}

static void commands_that_were_not_negotiated_are_refused(void **state)
{
	struct side side;
	static uint8_t longest[9000];

	(void)state;
	side_open(&side, (struct guest_net_conf){ .features = BASIC | BIT(VIRTIO_NET_F_CTRL_VQ) });
	for (uint8_t class = 0; class < 6; class++)
		for (uint8_t code = 0; code < 7; code++)
			for (unsigned size = 0; size < 9; size++)
				assert_int_equal(command(&side, class, code, "\0\0\0\0\0\0\0\0\0", size), 1);
	assert_int_equal(command(&side, 1, 0, longest, sizeof longest), 1);
	assert_string_equal(side.front->stopped, "");
	side_close(&side);
}

static void link_and_announcement_show_in_the_configuration_space(void **state)
{
	struct side side;
	uint8_t config[16];

	(void)state;
	side_open(&side, (struct guest_net_conf){ .features = BASIC | CONTROL });
	virtio_net_config_read(side.net, 0, sizeof config, config);
	assert_memory_equal(config, ((uint8_t[]){ 2, 0xa5, 0xc0, 0, 0, 1, 1, 0, 1, 0, 0xdc, 5, 0, 0, 0, 0 }),
			    16);
	side.front->ops->set_link(NULL, side.front, false);
	side.front->ops->set_link(NULL, side.front, false);
	assert_int_equal(side.config_changes, 1);
	virtio_net_config_read(side.net, 6, 2, config);
	assert_int_equal(config[0], 0);
	side.front->ops->set_link(NULL, side.front, true);
	assert_true(virtio_net_announce(side.net));
	virtio_net_config_read(side.net, 6, 2, config);
	assert_int_equal(config[0], VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_ANNOUNCE, 0, NULL, 0), 0);
	virtio_net_config_read(side.net, 6, 2, config);
	assert_int_equal(config[0], VIRTIO_NET_S_LINK_UP);
	assert_int_equal(command(&side, VIRTIO_NET_CTRL_ANNOUNCE, 1, NULL, 0), 1);
	virtio_net_config_read(side.net, UINT32_MAX, 4, config);
	assert_int_equal(get_le32(config), 0);
	assert_int_equal(virtio_net_config_write(side.net, 0, 6, config), -EPERM);
	virtio_net_reset(side.net);
	assert_false(virtio_net_announce(side.net));
	side_close(&side);
}

static void a_reset_forgets_what_the_control_queue_has_set(void **state)
{
	const uint8_t on = 1, off = 0, mac[6] = { 2, 2, 2, 2, 2, 2 }, vlan[2] = { 7, 0 }, two[2] = { 2, 0 };
	const struct guest_net_conf conf = { .features = BASIC | CONTROL | MQ, .pairs = 2 };
	uint8_t frame[60] = { 0 }, config[6];
	struct frame frames[FRAME_BURST];
	struct nic_filter fresh;
	struct side side;

	(void)state;
	side_init(&side, 2);
	fresh = side.front->filter;
	for (unsigned round = 0; round < 2; round++) {
		side_start(&side, conf);
		assert_int_equal(command(&side, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1), 0);
		for (uint8_t mode = VIRTIO_NET_CTRL_RX_ALLMULTI; mode <= VIRTIO_NET_CTRL_RX_NOBCAST; mode++)
			assert_int_equal(command(&side, VIRTIO_NET_CTRL_RX, mode, &on, 1), 0);
		assert_int_equal(command(&side, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6), 0);
		assert_int_equal(command(&side, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, vlan, 2), 0);
		send_one(&side, 1, NULL, frame, 60);
		assert_int_equal(peek_side(&side, frames), 0); /* one pair until it asks for two, each time */
		assert_true(guest_net_command(side.guest, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET,
					      two, 2));
		assert_int_equal(peek_side(&side, frames), 1);
		side.front->ops->flush(NULL, side.front);
		assert_int_equal(guest_net_answer(side.guest), 0);
		virtio_net_reset(side.net);
		assert_memory_equal(&side.front->filter, &fresh, sizeof fresh);
		virtio_net_config_read(side.net, VIRTIO_NET_CONFIG_MAC, 6, config);
		assert_true(get_be48(config) == MAC);
	}
	side_close(&side);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_control_queue_sets_what_is_received),
		cmocka_unit_test(a_list_of_addresses_that_is_too_long_means_all_of_that_kind),
		cmocka_unit_test(vlans_are_filtered_once_the_driver_can_list_them),
		cmocka_unit_test(commands_that_were_not_negotiated_are_refused),
		cmocka_unit_test(link_and_announcement_show_in_the_configuration_space),
		cmocka_unit_test(a_reset_forgets_what_the_control_queue_has_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
