/* tests/lspci/fixture.h -- a small site whose hosts see every kind of virtual hierarchy.
 *
 * chassis c0: cards nic0 (8 VFs) and nic1 (256 VFs), hosts h0 (manages both) and h1
 * chassis c1: card nic2 (16 VFs), host h2 (manages it)
 * chassis c2: card nic3 (1 VF), and no host
 *
 * Threads: one.  Memory: static. */
#ifndef TESTS_LSPCI_FIXTURE_H
#define TESTS_LSPCI_FIXTURE_H

#include "fabric/hierarchy.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIXTURE_NIC0, FIXTURE_NIC1, FIXTURE_NIC2, FIXTURE_NIC3, FIXTURE_CARDS };
enum { FIXTURE_H0, FIXTURE_H1, FIXTURE_H2, FIXTURE_HOSTS };

static struct site_card fixture_c0_cards[] = {
	{ .name = "nic0", .vfs = 8 },
	{ .name = "nic1", .vfs = 256 },
};
static struct site_card fixture_c1_cards[] = { { .name = "nic2", .vfs = 16 } };
static struct site_card fixture_c2_cards[] = { { .name = "nic3", .vfs = 1 } };
static struct site_carrier fixture_carriers[] = {
	{ .name = "k0", .cards = fixture_c0_cards, .cards_count = 2 },
	{ .name = "k1", .cards = fixture_c1_cards, .cards_count = 1 },
	{ .name = "k2", .cards = fixture_c2_cards, .cards_count = 1 },
};
static struct site_chassis fixture_chassis[] = {
	{ .name = "c0", .carriers = &fixture_carriers[0], .carriers_count = 1 },
	{ .name = "c1", .carriers = &fixture_carriers[1], .carriers_count = 1 },
	{ .name = "c2", .carriers = &fixture_carriers[2], .carriers_count = 1 },
};
static struct site_host fixture_hosts[] = {
	{ .name = "h0", .chassis = "c0" },
	{ .name = "h1", .chassis = "c0" },
	{ .name = "h2", .chassis = "c1" },
};
static char *fixture_pair[] = { "nic0", "nic2" };
static struct site_pool fixture_pools[] = {
	{ .name = "pair", .cards = fixture_pair, .cards_count = 2 },
};
static struct site_group fixture_groups[] = {
	{ .name = "group", .cards = fixture_pair, .cards_count = 2, .revert = true,
	  .mode = SITE_REDUNDANCY_ONE_PLUS_ONE },
};
#define FIXTURE_IO(label) { .name = (label), .pool = "pair", .redundancy = "group" }
static struct site_io fixture_web_ios[] = { FIXTURE_IO("net0") };
static struct site_io fixture_db_ios[] = { FIXTURE_IO("net0"), FIXTURE_IO("net1") };
static struct site_io fixture_app_ios[] = { FIXTURE_IO("net0") };
static struct site_system fixture_systems[] = {
	{ .name = "web", .host = "h0", .io = fixture_web_ios, .io_count = 1 },
	{ .name = "db", .host = "h1", .io = fixture_db_ios, .io_count = 2 },
	{ .name = "app", .host = "h2", .io = fixture_app_ios, .io_count = 1 },
};
static const struct site fixture_site = {
	.name = "fixture",
	.chassis = fixture_chassis, .chassis_count = 3,
	.hosts = fixture_hosts, .hosts_count = FIXTURE_HOSTS,
	.pools = fixture_pools, .pools_count = 1,
	.groups = fixture_groups, .groups_count = 1,
	.systems = fixture_systems, .systems_count = 3,
};

/* VFs given out by hand, so that a test need not know how placement chooses. */
#define FIXTURE_ROW(s, i, vf0, vf2)                                                    \
	{ .system = (s), .io = (i), .member_count = 2,                                  \
	  .member = { { .card = FIXTURE_NIC0, .vf = (vf0) },                            \
		      { .card = FIXTURE_NIC2, .vf = (vf2) } } }
static const struct placement fixture_rows[] = {
	FIXTURE_ROW(0, 0, 1, 1), /* web/net0 */
	FIXTURE_ROW(1, 0, 2, 2), /* db/net0 */
	FIXTURE_ROW(1, 1, 3, 5), /* db/net1 */
	FIXTURE_ROW(2, 0, 4, 4), /* app/net0 */
};

/* The hierarchy of one host, in memory of its own; absent: by card, or NULL. */
static inline struct hierarchy *fixture_hierarchy(unsigned host, const bool *absent)
{
	const struct hierarchy_conf conf = {
		.site = &fixture_site, .placement = fixture_rows, .host = host, .absent = absent,
	};
	struct refusal why;
	struct hierarchy *h = malloc(hierarchy_size(&conf));

	must(h != NULL);
	must(placement_count(&fixture_site) == array_len(fixture_rows));
	must(hierarchy_init(h, &conf, &why) == 0);
	return h;
}

#endif
