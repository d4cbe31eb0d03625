/* Keys of disks and of the cards that have them: what is needed, and what belongs to network interfaces. */
#include "fabric/internal.h"

#include <stdio.h>
#include <string.h>

enum { BYTE_RATE_MIN = 125 }; /* what a card can meter */

/* A key that a kind of card or interface does not have. */
struct stray {
	const char *key;
	bool given;
};

static void check_nic_card(struct site_check *check, unsigned n, const struct site_card *card)
{
	char path[SITE_PATH_SIZE];

	if (!card->line) {
		site_card_path(check->site, n, "line", path);
		site_find(check, path, "is missing: a card of class nic needs it; allowed: a DPDK device such "
			  "as net_af_packet0,iface=eth1 or net_null0, or a PCI address");
	}
	if (card->medium) {
		site_card_path(check->site, n, "medium", path);
		site_find(check, path, "a card of class nic has no medium; this key is for class disk");
	}
	if (card->size) {
		site_card_path(check->site, n, "size", path);
		site_find(check, path, "a card of class nic has no size; this key is for class disk");
	}
	if (card->nsid) {
		site_card_path(check->site, n, "namespace", path);
		site_find(check, path, "a card of class nic has no namespace; this key is for class disk");
	}
}

/* An NVMe function, here or elsewhere. */
static bool is_function(const char *medium)
{
	return (site_text_is_pci(medium) && !strchr(medium, ',')) ||
	       strncmp(medium, SITE_VFIO_USER "/", sizeof SITE_VFIO_USER) == 0;
}

static void check_namespace(struct site_check *check, unsigned n, const struct site_card *card)
{
	char path[SITE_PATH_SIZE];

	if (!card->nsid || (card->medium && is_function(card->medium)))
		return;
	site_card_path(check->site, n, "namespace", path);
	site_find(check, path, "only a medium that is an NVMe function has namespaces: a PCI address, or "
		  "vfio-user: and a socket; leave this key out");
}

static void check_medium(struct site_check *check, unsigned n, const struct site_card *card)
{
	struct site_card_walk walk = { 0 };
	struct site_card_place other;
	char path[SITE_PATH_SIZE];

	site_card_path(check->site, n, "medium", path);
	if (!card->medium) {
		site_find(check, path, "is missing: a card of class disk needs it; allowed: the absolute path "
			  "of a file or block device, a PCI address, or memory");
		return;
	}
	if (strcmp(card->medium, "memory") == 0) {
		site_card_path(check->site, n, "size", path);
		if (!card->size)
			site_find(check, path, "is missing: a medium of memory needs it, such as 1GiB");
		else if (card->size % 4096)
			site_find(check, path, "memory comes in multiples of 4096 bytes");
		return;
	}
	if (!is_function(card->medium) && card->medium[0] != '/')
		site_find(check, path, "'%.60s' is neither memory nor an absolute path nor a PCI address such as "
			  "0000:01:00.1, nor vfio-user:/ and so on; begin a path with '/'", card->medium);
	for (unsigned i = 0; i < n && site_card_next(check->site, &walk, &other); i++)
		if (other.card->medium && strcmp(other.card->medium, card->medium) == 0)
			site_find(check, path, "card '%s' has this medium already; each card needs its own",
				  other.card->name);
}

static void check_disk_card(struct site_check *check, unsigned n, const struct site_card *card)
{
	const struct stray strays[] = {
		{ "line", card->line != NULL },
		{ "line_rate", card->line_rate_bps != 0 },
		{ "mtu", card->mtu != 1500 },
		{ "fdb_entries", card->fdb_entries != 4096 },
		{ "fdb_age_s", card->fdb_age_s != 300 },
	};
	char path[SITE_PATH_SIZE];

	for (unsigned i = 0; i < array_len(strays); i++) {
		if (!strays[i].given)
			continue;
		site_card_path(check->site, n, strays[i].key, path);
		site_find(check, path, "a card of class disk has no %s; this key is for class nic",
			  strays[i].key);
	}
	if (card->vfs > SITE_DISK_VFS_MAX) {
		site_card_path(check->site, n, "vfs", path);
		site_find(check, path, "a card of class disk has 1 to %d functions, not %u", SITE_DISK_VFS_MAX,
			  card->vfs);
	}
	check_medium(check, n, card);
	check_namespace(check, n, card);
}

/* The class that a pool's cards have; those that do not lead anywhere are reported elsewhere. */
static bool class_of_pool(struct site_check *check, const char *name, enum site_card_class *class)
{
	int pool = site_pool_find(check->site, name);
	struct site_card_place place;
	int card;

	if (pool < 0 || check->site->pools[pool].cards_count == 0)
		return false;
	card = site_card_find(check->site, check->site->pools[pool].cards[0]);
	if (card < 0 || !site_card_at(check->site, (unsigned)card, &place))
		return false;
	*class = place.card->card_class;
	return true;
}

static void check_pool(struct site_check *check, unsigned p)
{
	static const char *const words[] = {
		[SITE_CARD_NIC] = "nic", [SITE_CARD_DISK] = "disk", [SITE_CARD_EXTERNAL] = "external",
		[SITE_CARD_VFIO] = "vfio",
	};
	const struct site_pool *pool = &check->site->pools[p];
	enum site_card_class first;
	char path[SITE_PATH_SIZE];

	if (!class_of_pool(check, pool->name, &first))
		return;
	for (unsigned i = 1; i < pool->cards_count; i++) {
		int card = site_card_find(check->site, pool->cards[i]);
		struct site_card_place place;

		if (card < 0 || !site_card_at(check->site, (unsigned)card, &place) ||
		    place.card->card_class == first)
			continue;
		snprintf(path, sizeof path, "pools[%u].cards[%u]", p, i);
		site_find(check, path, "card '%s' is of class %s and '%s' of class %s; a pool has cards of one "
			  "class", place.card->name, words[place.card->card_class], pool->cards[0],
			  words[first]);
		return;
	}
}

static void find_at(struct site_check *check, unsigned s, unsigned i, const char *key, const char *text)
{
	char path[SITE_PATH_SIZE];

	snprintf(path, sizeof path, "systems[%u].io[%u].%s", s, i, key);
	site_find(check, path, "%s", text);
}

static void check_strays(struct site_check *check, unsigned s, unsigned i, const struct stray *strays,
			 unsigned count, const char *belongs)
{
	char text[96];

	for (unsigned k = 0; k < count; k++) {
		if (!strays[k].given)
			continue;
		snprintf(text, sizeof text, "this key is for %s", belongs);
		find_at(check, s, i, strays[k].key, text);
	}
}

static void check_network(struct site_check *check, unsigned s, unsigned i, const struct site_io *io)
{
	const struct stray strays[] = {
		{ "size", io->size != 0 }, { "iops", io->iops != 0 }, { "byte_rate", io->byte_rate != 0 },
		{ "resync_rate", io->resync_rate != 0 }, { "manage", io->manage != 0 },
		{ "shares", io->shares != NULL },
		{ "primary", io->primary },
	};

	check_strays(check, s, i, strays, array_len(strays),
		     "disks: attachments nvme, virtio-blk and vhost-user-blk");
}

/* A disk has both its cards written all the time: there is nothing that could stand by. */
static void check_redundancy(struct site_check *check, unsigned s, unsigned i, const struct site_io *io)
{
	const struct site_group *group = io->redundancy ? site_io_group(check->site, io) : NULL;
	char path[SITE_PATH_SIZE];

	if (!group || group->mode != SITE_REDUNDANCY_N_PLUS_M)
		return;
	snprintf(path, sizeof path, "systems[%u].io[%u].redundancy", s, i);
	site_find(check, path, "a disk is mirrored on two cards, and group '%s' has mode n+m; name a group of "
		  "mode 1+1", group->name);
}

static void check_rate(struct site_check *check, unsigned s, unsigned i, const char *key, uint64_t rate)
{
	if (rate && rate < BYTE_RATE_MIN)
		find_at(check, s, i, key, "the least rate is 125 bytes a second; 0 is no limit");
}

static void check_disk(struct site_check *check, unsigned s, unsigned i, const struct site_io *io)
{
	const struct stray strays[] = {
		{ "mac", io->mac != NULL },
		{ "vlan", io->vlan != 0 },
		{ "rate", io->rate_bps != 0 },
		{ "pps", io->rate_pps != 0 },
		{ "spoof_check", !io->spoof_check },
		{ "isolated", io->isolated },
		{ "mirror_to", io->mirror_to != NULL },
	};

	check_strays(check, s, i, strays, array_len(strays), "network interfaces; a disk has none of it");
	if (io->packed && io->attachment != SITE_ATTACH_VHOST_USER_BLK)
		find_at(check, s, i, "packed", "this key is for vhost-user and vhost-user-blk");
	check_redundancy(check, s, i, io);
	if (io->manage && io->attachment != SITE_ATTACH_NVME)
		find_at(check, s, i, "manage", "this key is for nvme, whose guests can make namespaces");
	else if (io->manage && io->redundancy)
		find_at(check, s, i, "manage", "is for a disk of one card; leave this key or redundancy out");
	site_check_shares(check, s, i);
	site_check_primary(check, s, i);
	if (!io->size && !io->shares)
		find_at(check, s, i, "size", "is missing: a disk needs it, such as 10GiB");
	else if (io->size % 4096)
		find_at(check, s, i, "size", "a disk has a multiple of 4096 bytes");
	check_rate(check, s, i, "byte_rate", io->byte_rate);
	check_rate(check, s, i, "resync_rate", io->resync_rate);
	if (io->resync_rate && !io->redundancy)
		find_at(check, s, i, "resync_rate", "is for a mirrored disk; name the group in redundancy, or leave "
			"this key out");
}

static void check_io(struct site_check *check, unsigned s, unsigned i)
{
	const struct site_io *io = &check->site->systems[s].io[i];
	bool disk = site_io_is_disk(io);
	enum site_card_class class;

	if (class_of_pool(check, io->pool, &class) && class == SITE_CARD_EXTERNAL) {
		site_check_external_io(check, s, i);
		return;
	}
	if (class_of_pool(check, io->pool, &class) && disk != (class == SITE_CARD_DISK))
		find_at(check, s, i, "attachment",
			disk ? "a disk needs a pool of disk cards; allowed with this pool: vhost-user, tap, "
			       "vfio-user"
			     : "the pool has disk cards; allowed with it: nvme, virtio-blk, "
			       "vhost-user-blk");
	if (disk)
		check_disk(check, s, i, io);
	else
		check_network(check, s, i, io);
}

void site_check_disks(struct site_check *check)
{
	const struct site *site = check->site;
	struct site_card_walk walk = { 0 };
	struct site_card_place place;

	for (unsigned n = 0; site_card_next(site, &walk, &place); n++) {
		if (place.card->card_class == SITE_CARD_DISK)
			check_disk_card(check, n, place.card);
		else if (place.card->card_class == SITE_CARD_NIC)
			check_nic_card(check, n, place.card);
		site_check_external_card(check, n, place.card);
	}
	for (unsigned p = 0; p < site->pools_count; p++)
		check_pool(check, p);
	for (unsigned s = 0; s < site->systems_count; s++)
		for (unsigned i = 0; i < site->systems[s].io_count; i++)
			check_io(check, s, i);
}

static uint64_t whole_units(uint64_t bytes)
{
	return (bytes + SITE_DISK_UNIT - 1) / SITE_DISK_UNIT * SITE_DISK_UNIT;
}

/* What an interface takes of card 'n'. */
static uint64_t asked_of(const struct site *site, const struct placement *row, unsigned n)
{
	const struct site_io *io = &site->systems[row->system].io[row->io];
	uint64_t size = io->size, asked = 0;

	if (io->shares)
		return 0;
	if (row->member_count > 1)
		size += SITE_MIRROR_RESERVED;
	for (unsigned m = 0; m < row->member_count; m++)
		if (row->member[m].card == n)
			asked += whole_units(size);
	return asked;
}

static void check_space(struct site_check *check, const struct placement *rows, unsigned n,
			const struct site_card *card)
{
	uint64_t room = card->size / SITE_DISK_UNIT * SITE_DISK_UNIT, asked = SITE_DISK_UNIT;
	char path[SITE_PATH_SIZE];

	for (unsigned row = 0; row < placement_count(check->site); row++)
		asked += asked_of(check->site, &rows[row], n);
	if (asked <= room)
		return;
	site_card_path(check->site, n, "size", path);
	site_find(check, path, "card '%s' has %llu bytes, and the disks that are placed on it take %llu, the "
		  "table of the card included; raise size, add a card to the pool, or ask for less",
		  card->name, (unsigned long long)card->size, (unsigned long long)asked);
}

/* Where a card's size is what its medium has, the daemon finds that out. */
void site_check_disk_space(struct site_check *check, const struct placement *rows)
{
	struct site_card_walk walk = { 0 };
	struct site_card_place place;

	for (unsigned n = 0; site_card_next(check->site, &walk, &place); n++)
		if (place.card->card_class == SITE_CARD_DISK && place.card->size)
			check_space(check, rows, n, place.card);
}
