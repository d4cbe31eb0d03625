/* Each interface by itself, and what no two interfaces may share. */
#include "fabric/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One interface and where it is. */
struct place {
	const struct site_system *system;
	const struct site_io *io;
	unsigned s, i;
};

/* The interface after 'at' in the order of the file; begin with .s = 0, .i = UINT_MAX. */
static bool next_io(const struct site *site, struct place *at)
{
	at->i++;
	while (at->s < site->systems_count && at->i >= site->systems[at->s].io_count) {
		at->s++;
		at->i = 0;
	}
	if (at->s == site->systems_count)
		return false;
	at->system = &site->systems[at->s];
	at->io = &at->system->io[at->i];
	return true;
}

static const struct place before_first = { .i = ~0u };

static void path_of(const struct place *at, const char *key, char path[SITE_PATH_SIZE])
{
	snprintf(path, SITE_PATH_SIZE, "systems[%u].io[%u].%s", at->s, at->i, key);
}

static bool interface_name_is_good(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > SITE_INTERFACE_MAX || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < length; i++)
		if (name[i] <= ' ' || name[i] > '~' || strchr("/:%", name[i]))
			return false;
	return true;
}

static void check_tap(struct site_check *check, const struct place *at)
{
	const struct site_io *io = at->io;
	char path[SITE_PATH_SIZE];

	path_of(at, "interface", path);
	if (!io->interface)
		site_find(check, path,
			  "missing: attachment tap needs the name of the kernel interface");
	else if (!interface_name_is_good(io->interface))
		site_find(check, path,
			  "'%.60s' cannot name an interface: 1 to %d characters, none of them a "
			  "space, "
			  "'/', ':' or '%%'",
			  io->interface, SITE_INTERFACE_MAX);
	if (io->netns && !site_name_is_good(io->netns)) {
		path_of(at, "netns", path);
		site_find(check, path,
			  "'%.60s' cannot name a network namespace: letters, digits, '-', '_' "
			  "and '.', the first a letter or a digit",
			  io->netns);
	}
	if (io->queues > 1) {
		path_of(at, "queues", path);
		site_find(check, path,
			  "attachment tap has 1 queue pair, not %u; use vhost-user for more",
			  io->queues);
	}
	if (io->socket) {
		path_of(at, "socket", path);
		site_find(check, path, "attachment tap has no socket; this key is for vhost-user");
	}
	if (io->packed) {
		path_of(at, "packed", path);
		site_find(check, path, "attachment tap has no rings; this key is for vhost-user");
	}
}

static const char *socket_kind(const struct site_io *io)
{
	switch (io->attachment) {
	case SITE_ATTACH_VFIO_USER:
		return "vfio-user";
	case SITE_ATTACH_NVME:
		return "nvme";
	case SITE_ATTACH_VIRTIO_BLK:
		return "virtio-blk";
	case SITE_ATTACH_VHOST_USER_BLK:
		return "vhost-user-blk";
	default:
		return "vhost-user";
	}
}

static void check_socket(struct site_check *check, const struct place *at)
{
	const struct site_io *io = at->io;
	char path[SITE_PATH_SIZE], run_dir[SITE_PATH_SIZE], socket[SITE_SOCKET_MAX + 1];

	path_of(at, "socket", path);
	snprintf(run_dir, sizeof run_dir, "/run/midplane/%s", check->site->name);
	if (io->socket && io->socket[0] != '/')
		site_find(check, path, "'%.60s' is not an absolute path; begin it with '/'",
			  io->socket);
	if (site_io_socket(at->system, io, run_dir, socket) == -ENAMETOOLONG)
		site_find(check, path,
			  "the %s path has more than the %d characters that a unix socket allows: "
			  "'%.40s...'%s",
			  io->socket ? "socket's" : "derived socket", SITE_SOCKET_MAX, socket,
			  io->socket ? "" : "; give one here, or shorten the names");
	if (io->interface) {
		path_of(at, "interface", path);
		site_find(check, path,
			  "attachment %s has no kernel interface; this key is for tap",
			  socket_kind(io));
	}
	if (io->netns) {
		path_of(at, "netns", path);
		site_find(check, path,
			  "attachment %s has no network namespace; this key is for tap",
			  socket_kind(io));
	}
	if (io->attachment != SITE_ATTACH_VHOST_USER && io->attachment != SITE_ATTACH_VHOST_USER_BLK &&
	    io->socket_mode == SITE_SOCKET_CLIENT) {
		path_of(at, "socket_mode", path);
		site_find(check, path, "attachment %s listens: only server is possible",
			  socket_kind(io));
	}
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* The i-th character of "SYSTEM-INTERFACE". */
static char joined(const struct place *at, size_t system_length, size_t i)
{
	if (i < system_length)
		return at->system->name[i];
	return i == system_length ? '-' : at->io->name[i - system_length - 1];
}

static bool same_derived_socket(const struct place *a, const struct place *b)
{
	size_t la = strlen(a->system->name), lb = strlen(b->system->name), i = 0;

	while (joined(a, la, i) == joined(b, lb, i))
		if (joined(a, la, i++) == 0)
			return true;
	return false;
}

static bool has_socket(const struct site_io *io)
{
	return io->attachment != SITE_ATTACH_TAP && io->attachment != SITE_ATTACH_VFIO;
}

/* Whether both would listen at, or connect to, the same path. */
static bool same_socket(const struct place *a, const struct place *b)
{
	if (!has_socket(a->io) || !has_socket(b->io))
		return false;
	if (a->io->socket || b->io->socket)
		return a->io->socket && b->io->socket && same_text(a->io->socket, b->io->socket);
	if (a->s == b->s)
		return false; /* differ by their names, or are reported there */
	return same_derived_socket(a, b);
}

static bool same_interface(const struct place *a, const struct place *b)
{
	return a->io->attachment == SITE_ATTACH_TAP && b->io->attachment == SITE_ATTACH_TAP &&
	       a->io->interface && same_text(a->io->interface, b->io->interface) &&
	       same_text(a->io->netns, b->io->netns);
}

/* Two of one name derive one address: that is a fault of the name, which is reported there. */
static bool same_name(const struct place *a, const struct place *b)
{
	return a->s == b->s && !a->io->mac && !b->io->mac && same_text(a->io->name, b->io->name);
}

static void check_pair(struct site_check *check, const struct place *at, const struct place *before,
		       bool same_mac)
{
	const char *system = before->system->name, *io = before->io->name;
	char path[SITE_PATH_SIZE];

	if (same_mac && !same_name(at, before)) {
		path_of(at, "mac", path);
		site_find(check, path,
			  "'%s/%s' has this address already; each interface needs its own", system,
			  io);
	}
	if (same_socket(at, before)) {
		path_of(at, "socket", path);
		site_find(check, path,
			  "'%s/%s' has this path already; each interface needs its own", system,
			  io);
	}
	if (same_interface(at, before)) {
		path_of(at, "interface", path);
		site_find(check, path, "'%s/%s' has this interface already; each needs its own",
			  system, io);
	}
}

static void check_duplicates(struct site_check *check, const struct place *at, const uint64_t *macs,
			     unsigned index)
{
	struct place before = before_first;

	for (unsigned i = 0; i < index && next_io(check->site, &before); i++)
		check_pair(check, at, &before, macs[i] == macs[index]);
}

static void check_mirror(struct site_check *check, const struct place *at)
{
	struct place to = before_first;
	char path[SITE_PATH_SIZE];

	path_of(at, "mirror_to", path);
	while (next_io(check->site, &to)) {
		size_t length = strlen(to.system->name);

		if (strncmp(at->io->mirror_to, to.system->name, length) != 0 ||
		    at->io->mirror_to[length] != '/' ||
		    strcmp(at->io->mirror_to + length + 1, to.io->name) != 0)
			continue;
		if (to.io == at->io)
			site_find(check, path, "an interface cannot be mirrored to itself");
		return;
	}
	site_find(check, path, "there is no interface '%.100s'; name one as SYSTEM/INTERFACE",
		  at->io->mirror_to);
}

void site_check_io(struct site_check *check)
{
	struct place at = before_first;
	uint64_t macs[SITE_IOS_MAX];

	for (unsigned n = 0; next_io(check->site, &at); n++) {
		const struct site_io *io = at.io;
		char path[SITE_PATH_SIZE];

		if (io->mac && !site_mac_parse(io->mac, &macs[n])) {
			path_of(&at, "mac", path);
			site_find(check, path,
				  "'%.40s' is no MAC address, such as 52:54:00:12:34:56", io->mac);
			macs[n] = UINT64_MAX - n; /* equals no other */
			continue;
		}
		macs[n] = site_io_mac(check->site, at.s, at.i);
		if (macs[n] >> 40 & 1 || macs[n] == 0) {
			path_of(&at, "mac", path);
			site_find(check, path,
				  "'%s' is not a unicast address: its first octet must be even, "
				  "and not all may be zero",
				  io->mac);
		}
		check_duplicates(check, &at, macs, n);
		if (io->attachment == SITE_ATTACH_TAP)
			check_tap(check, &at);
		else if (has_socket(io))
			check_socket(check, &at);
		if (io->mirror_to)
			check_mirror(check, &at);
	}
}
