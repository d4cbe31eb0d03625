#include "fabric/site.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool site_name_is_good(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > SITE_NAME_MAX || !is_alnum(name[0]))
		return false;
	for (size_t i = 1; i < length; i++)
		if (!is_alnum(name[i]) && name[i] != '-' && name[i] != '_' && name[i] != '.')
			return false;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool site_mac_parse(const char *text, uint64_t *mac)
{
	uint64_t value = 0;

	if (strlen(text) != 17)
		return false;
	for (unsigned i = 0; i < 17; i++) {
		int digit = hex_digit(text[i]);

		if (i % 3 == 2 ? text[i] != ':' : digit < 0)
			return false;
		if (i % 3 != 2)
			value = value << 4 | (unsigned)digit;
	}
	*mac = value;
	return true;
}

/* FNV-1a over a name and a zero that ends it, so that "ab","c" and "a","bc" differ. */
static uint64_t hash_name(uint64_t hash, const char *name)
{
	do
		hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	while (*name++);
	return hash;
}

uint64_t site_io_mac(const struct site *site, unsigned system, unsigned io)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325), mac;
	const struct site_io *asked;

	must(system < site->systems_count);
	must(io < site->systems[system].io_count);
	asked = &site->systems[system].io[io];
	if (asked->mac) {
		must(site_mac_parse(asked->mac, &mac));
		return mac;
	}
	hash = hash_name(hash, site->name);
	hash = hash_name(hash, site->systems[system].name);
	hash = hash_name(hash, asked->name);
	mac = rand_u64(&hash) & UINT64_C(0xffffffffffff);
	mac &= ~(UINT64_C(1) << 40);	/* unicast */
	return mac | UINT64_C(1) << 41; /* locally administered */
}

bool site_io_is_disk(const struct site_io *io)
{
	return io->attachment == SITE_ATTACH_NVME || io->attachment == SITE_ATTACH_VIRTIO_BLK ||
	       io->attachment == SITE_ATTACH_VHOST_USER_BLK;
}

bool site_io_is_mirrored(const struct site *site, const struct site_io *io)
{
	const struct site_group *group = site_io_is_disk(io) ? site_io_group(site, io) : NULL;

	return group && group->mode == SITE_REDUNDANCY_ONE_PLUS_ONE;
}

/* RFC 9562 section 5.8: 122 bits of our own. */
static void fill_id(uint64_t hash, uint8_t id[SITE_ID_SIZE])
{
	for (unsigned i = 0; i < SITE_ID_SIZE; i++)
		id[i] = (uint8_t)(rand_u64(&hash) >> 56);
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x80);
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
}

void site_io_id(const struct site *site, unsigned system, unsigned io, uint8_t id[SITE_ID_SIZE])
{
	uint64_t hash = hash_name(UINT64_C(0xcbf29ce484222325), "disk");

	must(system < site->systems_count && io < site->systems[system].io_count);
	hash = hash_name(hash, site->name);
	hash = hash_name(hash, site->systems[system].name);
	fill_id(hash_name(hash, site->systems[system].io[io].name), id);
}

void site_card_id(const struct site *site, const struct site_card *card, uint8_t id[SITE_ID_SIZE])
{
	uint64_t hash = hash_name(UINT64_C(0xcbf29ce484222325), "card");

	fill_id(hash_name(hash_name(hash, site->name), card->name), id);
}

int site_io_socket(const struct site_system *system, const struct site_io *io, const char *run_dir,
		   char path[SITE_SOCKET_MAX + 1])
{
	int length;

	if (io->socket)
		length = snprintf(path, SITE_SOCKET_MAX + 1, "%s", io->socket);
	else
		length = snprintf(path, SITE_SOCKET_MAX + 1, "%s/%s-%s.sock", run_dir, system->name,
				  io->name);
	must(length >= 0);
	return length > SITE_SOCKET_MAX ? -ENAMETOOLONG : 0;
}

bool site_io_find(const struct site *site, const char *name, struct site_io_place *place)
{
	for (unsigned s = 0; s < site->systems_count; s++) {
		const struct site_system *system = &site->systems[s];
		size_t length = strlen(system->name);

		if (strncmp(name, system->name, length) != 0 || name[length] != '/')
			continue;
		for (unsigned i = 0; i < system->io_count; i++) {
			if (strcmp(name + length + 1, system->io[i].name) != 0)
				continue;
			*place = (struct site_io_place){ s, i };
			return true;
		}
	}
	return false;
}

struct site_io_place site_io_owner(const struct site *site, unsigned system, unsigned io)
{
	const char *shares = site->systems[system].io[io].shares;
	struct site_io_place owner = { system, io };

	if (shares)
		must(site_io_find(site, shares, &owner));
	return owner;
}

unsigned site_io_controller(const struct site *site, unsigned system, unsigned io)
{
	const char *shares = site->systems[system].io[io].shares;
	unsigned n = 1;

	if (!shares)
		return 0;
	for (unsigned s = 0; s <= system; s++)
		for (unsigned i = 0; i < site->systems[s].io_count; i++) {
			const char *other = site->systems[s].io[i].shares;

			if (s == system && i == io)
				return n;
			n += other && strcmp(other, shares) == 0;
		}
	return n;
}

const struct site_group *site_io_group(const struct site *site, const struct site_io *io)
{
	for (unsigned i = 0; io->redundancy && i < site->groups_count; i++)
		if (strcmp(site->groups[i].name, io->redundancy) == 0)
			return &site->groups[i];
	return NULL;
}

unsigned site_group_standbys(const struct site_group *group)
{
	switch (group->mode) {
	case SITE_REDUNDANCY_ONE_PLUS_ONE:
		return 1;
	case SITE_REDUNDANCY_N_PLUS_M:
		return group->standbys;
	case SITE_REDUNDANCY_NONE:
		break;
	}
	return 0;
}

bool site_io_reverts(const struct site *site, const struct site_io *io)
{
	const struct site_group *group = site_io_group(site, io);

	return group && group->mode != SITE_REDUNDANCY_NONE && group->revert;
}

uint64_t site_io_wait_to_restore_ns(const struct site *site, const struct site_io *io)
{
	if (!site_io_reverts(site, io))
		return 0;
	return site_io_group(site, io)->wait_to_restore_s * UINT64_C(1000000000);
}
