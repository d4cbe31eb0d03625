/* tests/lspci/disks.h -- a site of one disk card: host d0 manages it and has a disk by NVMe and one by
 * virtio-blk, host d1 is lent one of each.
 *
 * Threads: one.  Memory: static. */
#ifndef TESTS_LSPCI_DISKS_H
#define TESTS_LSPCI_DISKS_H

#include "fabric/hierarchy.h"

#include <stdlib.h>

enum { DISKS_D0, DISKS_D1, DISKS_HOSTS };

static struct site_card disks_cards[] = {
	{ .name = "ssd0", .card_class = SITE_CARD_DISK, .vfs = 8, .medium = "memory", .size = 64 << 20 },
};
static struct site_carrier disks_carriers[] = {
	{ .name = "k0", .cards = disks_cards, .cards_count = 1 },
};
static struct site_chassis disks_chassis[] = {
	{ .name = "c0", .carriers = disks_carriers, .carriers_count = 1 },
};
static struct site_host disks_hosts[] = {
	{ .name = "d0", .chassis = "c0" },
	{ .name = "d1", .chassis = "c0" },
};
static char *disks_pool[] = { "ssd0" };
static struct site_pool disks_pools[] = { { .name = "ssd", .cards = disks_pool, .cards_count = 1 } };
static struct site_io disks_ios[] = {
	{ .name = "boot", .pool = "ssd", .attachment = SITE_ATTACH_VIRTIO_BLK, .size = 1 << 20 },
	{ .name = "data", .pool = "ssd", .attachment = SITE_ATTACH_NVME, .size = 1 << 20 },
};
static struct site_system disks_systems[] = {
	{ .name = "web", .host = "d0", .io = disks_ios, .io_count = 2 },
	{ .name = "db", .host = "d1", .io = disks_ios, .io_count = 2 },
};
static const struct site disks_site = {
	.name = "disks",
	.chassis = disks_chassis, .chassis_count = 1,
	.hosts = disks_hosts, .hosts_count = DISKS_HOSTS,
	.pools = disks_pools, .pools_count = 1,
	.systems = disks_systems, .systems_count = 2,
};
static const struct placement disks_rows[] = {
	{ .system = 0, .io = 0, .member_count = 1, .member = { { .card = 0, .vf = 1 } } },
	{ .system = 0, .io = 1, .member_count = 1, .member = { { .card = 0, .vf = 2 } } },
	{ .system = 1, .io = 0, .member_count = 1, .member = { { .card = 0, .vf = 4 } } },
	{ .system = 1, .io = 1, .member_count = 1, .member = { { .card = 0, .vf = 5 } } },
};

/* The hierarchy of one host, in memory of its own. */
static inline struct hierarchy *disks_hierarchy(unsigned host)
{
	const struct hierarchy_conf conf = { .site = &disks_site, .placement = disks_rows, .host = host };
	struct refusal why;
	struct hierarchy *h = malloc(hierarchy_size(&conf));

	must(h != NULL);
	must(hierarchy_init(h, &conf, &why) == 0);
	return h;
}

#endif
