#include "fabric/hierarchy.h"
#include "base/bytes.h"
#include "spec/pcie.h"
#include "spec/pcie_ext.h"
#include "spec/pcie_sriov.h"
#include "tests/check.h"
#include "tests/lspci/fixture.h"

#include <errno.h>

static struct hierarchy *h;

static int end(void **state)
{
	(void)state;
	free(h);
	h = NULL;
	return 0;
}

static void the_first_host_of_a_chassis_manages_its_cards(void **state)
{
	(void)state;
	assert_int_equal(hierarchy_manager(&fixture_site, FIXTURE_NIC0), FIXTURE_H0);
	assert_int_equal(hierarchy_manager(&fixture_site, FIXTURE_NIC1), FIXTURE_H0);
	assert_int_equal(hierarchy_manager(&fixture_site, FIXTURE_NIC2), FIXTURE_H2);
	assert_int_equal(hierarchy_manager(&fixture_site, FIXTURE_NIC3), -1);
}

static void a_managing_host_sees_the_pf_and_every_vf(void **state)
{
	(void)state;
	h = fixture_hierarchy(FIXTURE_H0, NULL);
	assert_int_equal(h->port_count, 3); /* nic0, nic1, and nic2's VF of web */
	assert_int_equal(h->port[0].card, FIXTURE_NIC0);
	assert_true(h->port[0].managed);
	assert_int_equal(h->port[0].devices[0].device.vf_count, 8);
	assert_int_equal(h->port[1].devices[0].device.vf_count, 256);
	assert_int_equal(h->port[2].card, FIXTURE_NIC2);
	assert_false(h->port[2].managed);
}

static void another_host_sees_only_its_own_vfs(void **state)
{
	(void)state;
	h = fixture_hierarchy(FIXTURE_H1, NULL);
	assert_int_equal(h->port_count, 2);
	assert_int_equal(h->port[0].device_count, 2);
	assert_int_equal(h->port[0].devices[0].vf, 2);
	assert_int_equal(h->port[0].devices[1].vf, 3);
	assert_int_equal(h->port[1].devices[1].vf, 5);
	for (unsigned p = 0; p < h->port_count; p++)
		for (unsigned i = 0; i < h->port[p].device_count; i++) {
			const struct pcie_device *d = &h->port[p].devices[i].device;

			assert_int_equal(d->total_vfs, 0);
			assert_int_equal(pcie_device_read(d, 0, SPEC_PCI_VENDOR_ID, 2),
					 PCIE_KINDS_VENDOR);
			assert_int_equal(d->rid & 0xff, i);
		}
}

static void lent_functions_name_each_other_by_ari(void **state)
{
	(void)state;
	h = fixture_hierarchy(FIXTURE_H1, NULL);
	for (unsigned i = 0; i < 2; i++) {
		const struct pcie_device *d = &h->port[0].devices[i].device;
		unsigned at = pcie_kind_at(d->kind, PCIE_CAP_ARI, SPEC_ARI_CAPABILITY);

		assert_int_equal(pcie_device_read(d, 0, at, 2), i == 0 ? 0x100 : 0);
		assert_int_equal(pcie_device_read(d, 0, SPEC_PCI_HEADER_TYPE, 1), 0x80);
	}
}

static void bus_numbers_are_given_once_and_reach_every_function(void **state)
{
	unsigned next = 1;

	(void)state;
	h = fixture_hierarchy(FIXTURE_H0, NULL);
	for (unsigned p = 0; p < h->port_count; p++) {
		const struct hierarchy_port *port = &h->port[p];

		assert_int_equal(port->secondary, next);
		for (unsigned i = 0; i < port->device_count; i++) {
			const struct pcie_device *d = &port->devices[i].device;

			for (unsigned n = 0; n <= d->vf_count; n++) {
				unsigned bus = pcie_device_rid(d, n) >> 8;

				assert_in_range(bus, port->secondary, port->subordinate);
			}
		}
		next = port->subordinate + 1u;
	}
	assert_int_equal(h->port[1].subordinate, h->port[1].secondary + 1); /* 256 VFs */
}

struct range {
	uint64_t from, to;
};

static void addresses_lie_inside_their_window_and_nowhere_overlap(void **state)
{
	static struct range ranges[4096];
	unsigned count = 0;
	uint64_t address;

	(void)state;
	h = fixture_hierarchy(FIXTURE_H0, NULL);
	for (unsigned p = 0; p < h->port_count; p++)
		for (unsigned i = 0; i < h->port[p].device_count; i++) {
			const struct pcie_device *d = &h->port[p].devices[i].device;

			for (unsigned n = 0; n <= d->vf_count; n++)
				for (unsigned bar = 2; bar <= 4; bar += 2) {
					uint64_t size = pcie_device_bar_size(d, n, bar);

					assert_true(pcie_device_bar(d, n, bar, &address));
					assert_int_equal(address % size, 0);
					assert_true(address >= h->port[p].window);
					assert_true(address + size <= h->port[p].window_end);
					ranges[count++] = (struct range){ address, address + size };
				}
		}
	assert_int_equal(count, 2 * (9 + 257 + 1));
	for (unsigned i = 0; i < count; i++)
		for (unsigned k = 0; k < i; k++)
			assert_true(ranges[i].to <= ranges[k].from ||
				    ranges[k].to <= ranges[i].from);
}

static void only_vfs_that_somebody_uses_are_bus_masters(void **state)
{
	(void)state;
	h = fixture_hierarchy(FIXTURE_H0, NULL);
	for (unsigned vf = 1; vf <= 8; vf++)
		assert_int_equal(pcie_device_masters(&h->port[0].devices[0].device, vf), vf <= 4);
}

static void a_pulled_card_leaves_an_empty_slot(void **state)
{
	static const bool absent[FIXTURE_CARDS] = { [FIXTURE_NIC1] = true };

	(void)state;
	h = fixture_hierarchy(FIXTURE_H0, absent);
	assert_int_equal(h->port_count, 3);
	for (unsigned p = 0; p < 3; p++) {
		const struct pcie_device *d = &h->port[p].bridge;
		unsigned slot = pcie_kind_at(d->kind, PCIE_CAP_EXPRESS, SPEC_EXPRESS_SLOT_STATUS);
		unsigned link = pcie_kind_at(d->kind, PCIE_CAP_EXPRESS, SPEC_EXPRESS_LINK_STATUS);
		bool here = h->port[p].card != FIXTURE_NIC1;

		assert_int_equal(pcie_device_read(d, 0, slot, 2), here ? SPEC_EXPRESS_PRESENCE : 0);
		assert_int_equal(pcie_device_read(d, 0, link, 2) & SPEC_EXPRESS_LINK_ACTIVE,
				 here ? SPEC_EXPRESS_LINK_ACTIVE : 0);
		assert_int_equal(h->port[p].device_count, here);
	}
}

static void serial_numbers_are_local_and_differ(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FIXTURE_CARDS; i++) {
		assert_int_equal(hierarchy_serial(&fixture_site, i) >> 56 & 3, 2);
		for (unsigned k = 0; k < i; k++)
			assert_true(hierarchy_serial(&fixture_site, i) !=
				    hierarchy_serial(&fixture_site, k));
	}
}

struct text {
	size_t size;
	char bytes[8192];
};

static void gather(void *arg, const char *bytes, size_t size)
{
	struct text *text = arg;

	assert_true(text->size + size < sizeof text->bytes);
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
	text->bytes[text->size] = 0;
}

static void the_tree_names_functions_and_who_uses_them(void **state)
{
	static struct text text;

	(void)state;
	h = fixture_hierarchy(FIXTURE_H0, NULL);
	text.size = 0;
	hierarchy_tree(h, gather, &text);
	assert_non_null(strstr(text.bytes, "host h0 (chassis c0)\n00:00.0  host bridge\n"));
	assert_non_null(strstr(text.bytes, "+-01:00.0  nic0/pf  8 of 8 VFs enabled\n"));
	assert_non_null(strstr(text.bytes, "+-01:00.1  nic0/vf1  web/net0, active\n"));
	assert_non_null(strstr(text.bytes,
			       "+-01:00.2  nic0/vf2  db/net0, active, lent to host h1\n"));
	assert_non_null(strstr(text.bytes, "\\-01:00.5..01:01.0  nic0/vf5..vf8  free\n"));
	assert_non_null(strstr(text.bytes, "\\-02:00.1..03:00.0  nic1/vf1..vf256  free\n"));
	assert_non_null(strstr(text.bytes, "    \\-04:00.0  nic2/vf1  web/net0, standby\n"));
}

static void the_tree_shows_which_member_is_active_now(void **state)
{
	static const int active[] = { 1, 0, 0, -1 };
	static struct text text;

	(void)state;
	h = fixture_hierarchy(FIXTURE_H0, NULL);
	h->conf.active = active;
	hierarchy_tree(h, gather, &text);
	assert_non_null(strstr(text.bytes, "nic0/vf1  web/net0, standby\n"));
	assert_non_null(strstr(text.bytes, "nic2/vf1  web/net0, active\n"));
	assert_non_null(strstr(text.bytes, "nic0/vf4  app/net0, standby, lent to host h2\n"));
}

/* A site with more cards in one chassis than a root complex of ours has ports. */
static void more_cards_than_root_ports_are_refused(void **state)
{
	static struct site_card cards[HIERARCHY_PORTS_MAX + 1];
	static char names[HIERARCHY_PORTS_MAX + 1][8];
	struct site_carrier carrier = { .name = "k", .cards = cards };
	struct site_chassis chassis = { .name = "c0", .carriers = &carrier, .carriers_count = 1 };
	struct site site = { .name = "s", .chassis = &chassis, .chassis_count = 1,
			     .hosts = fixture_hosts, .hosts_count = 1 };
	const struct hierarchy_conf conf = { .site = &site };
	struct refusal why;

	(void)state;
	for (unsigned i = 0; i < array_len(cards); i++) {
		snprintf(names[i], sizeof names[i], "n%u", i);
		cards[i] = (struct site_card){ .name = names[i], .vfs = 256 };
	}
	carrier.cards_count = HIERARCHY_PORTS_MAX;
	h = malloc(hierarchy_size(&conf));
	assert_int_equal(hierarchy_init(h, &conf, &why), 0);
	assert_int_equal(h->port[0].bridge.rid, 1 << 3);
	assert_int_equal(h->port[31].bridge.rid, 1 << 3 | 1);
	assert_int_equal(pcie_device_read(&h->port[0].bridge, 0, SPEC_PCI_HEADER_TYPE, 1), 0x81);
	assert_int_equal(h->port[63].subordinate, 128);
	free(h);
	carrier.cards_count++;
	h = malloc(hierarchy_size(&conf));
	assert_int_equal(hierarchy_init(h, &conf, &why), -E2BIG);
	assert_non_null(strstr(why.text, "at most 64 root ports"));
}

/* A card with functions of other processes: the first is there, the second is away. */

static uint8_t foreign_config[CFG_SIZE];

static bool foreign(void *owner, unsigned card, unsigned vf, struct hierarchy_import *import)
{
	(void)owner;
	assert_int_equal(card, 0);
	*import = (struct hierarchy_import){ .config = foreign_config, .bar_bytes = { 12288, 0, 256 } };
	return vf == 1;
}

static void keep(void *arg, const char *text, size_t size)
{
	char *all = arg;
	size_t used = strlen(all);

	if (size > 16383 - used)
		size = 16383 - used;
	memcpy(all + used, text, size);
	all[used + size] = 0;
}

static void functions_of_other_processes_show_their_own_configuration_space(void **state)
{
	static struct site_external_function functions[2] = { { .socket = "/a" }, { .socket = "/b" } };
	static struct site_card cards[1] = { { .name = "dev", .card_class = SITE_CARD_EXTERNAL, .vfs = 2,
					       .functions = functions, .functions_count = 2 } };
	static struct site_carrier carriers[1] = { { .name = "left", .cards = cards, .cards_count = 1 } };
	static struct site_chassis chassis[1] = { { .name = "shelf", .carriers = carriers,
						    .carriers_count = 1 } };
	static struct site_host hosts[1] = { { .name = "blade", .chassis = "shelf" } };
	static char *names[] = { "dev" };
	static struct site_pool pools[1] = { { .name = "pool", .cards = names, .cards_count = 1 } };
	static struct site_io io[2] = { { .name = "x", .pool = "pool", .attachment = SITE_ATTACH_VFIO_USER },
					{ .name = "y", .pool = "pool", .attachment = SITE_ATTACH_VFIO_USER } };
	static struct site_system systems[1] = { { .name = "web", .host = "blade", .io = io, .io_count = 2 } };
	static const struct site site = {
		.name = "s", .chassis = chassis, .chassis_count = 1, .hosts = hosts, .hosts_count = 1,
		.pools = pools, .pools_count = 1, .systems = systems, .systems_count = 1,
	};
	static char text[16384];
	struct placement rows[2];
	struct hierarchy_conf conf = { .site = &site, .placement = rows, .import = foreign };
	const struct cfg *space;
	uint64_t at;

	(void)state;
	put_le32(foreign_config, 0x56781234);
	put_le32(foreign_config + SPEC_PCI_BAR0, 0xc);      /* 64 bits, prefetchable */
	put_le32(foreign_config + SPEC_PCI_BAR0 + 8, 0xe1); /* I/O */
	put_le32(foreign_config + 0x80, 0xabcdef01);
	assert_int_equal(placement_make(&site, rows, NULL), 0);
	h = malloc(hierarchy_size(&conf));
	assert_int_equal(hierarchy_init(h, &conf, NULL), 0);
	assert_int_equal(h->port_count, 1);
	assert_false(h->port[0].managed); /* it has no physical function */
	assert_int_equal(h->port[0].device_count, 2);
	space = &h->port[0].devices[0].device.functions[0];
	assert_int_equal(cfg_read(space, 0, 4), 0x56781234);
	assert_int_equal(cfg_read(space, 0x80, 4), 0xabcdef01);
	at = cfg_read(space, SPEC_PCI_BAR0, 4) | (uint64_t)cfg_read(space, SPEC_PCI_BAR0 + 4, 4) << 32;
	assert_int_equal(at & 0xf, 0xc);
	assert_int_equal((at & ~0xfull) % 16384, 0); /* decoded as a power of two */
	assert_true((at & ~0xfull) >= h->port[0].window && (at & ~0xfull) + 16384 <= h->port[0].window_end);
	assert_int_equal(cfg_read(space, SPEC_PCI_BAR0 + 8, 4), 1); /* nowhere */
	assert_true(h->port[0].devices[1].away);
	text[0] = 0;
	hierarchy_tree(h, keep, text);
	assert_non_null(strstr(text, "dev/vf1  web/x, active\n"));
	assert_non_null(strstr(text, "dev/vf2  web/y, active, away\n"));
	text[0] = 0;
	hierarchy_dump(h, keep, text);
	assert_null(strstr(text, "dev/vf2"));
}

#define test(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(the_first_host_of_a_chassis_manages_its_cards),
		test(a_managing_host_sees_the_pf_and_every_vf),
		test(another_host_sees_only_its_own_vfs),
		test(lent_functions_name_each_other_by_ari),
		test(bus_numbers_are_given_once_and_reach_every_function),
		test(addresses_lie_inside_their_window_and_nowhere_overlap),
		test(only_vfs_that_somebody_uses_are_bus_masters),
		test(a_pulled_card_leaves_an_empty_slot),
		test(serial_numbers_are_local_and_differ),
		test(the_tree_names_functions_and_who_uses_them),
		test(the_tree_shows_which_member_is_active_now),
		test(more_cards_than_root_ports_are_refused),
		test(functions_of_other_processes_show_their_own_configuration_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
