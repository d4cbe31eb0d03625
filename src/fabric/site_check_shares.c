/* Interfaces that share the disk of another one: what must agree, and what cannot be shared. */
#include "fabric/internal.h"

#include <stdio.h>
#include <string.h>

/* A mirror serves so many fronts (card/mirror.h). */
enum { MIRROR_SHARERS_MAX = 7 };

struct sharing {
	struct site_check *check;
	unsigned system, index;
	const struct site_io *io, *owner;
	struct site_io_place place; /* of the owner */
};

static void find_at(const struct sharing *s, const char *key, const char *text)
{
	char path[SITE_PATH_SIZE];

	snprintf(path, sizeof path, "systems[%u].io[%u].%s", s->system, s->index, key);
	site_find(s->check, path, "%s", text);
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Reservations are the owner's disk's, so it must have one of its own. */
static bool check_owner(struct sharing *s)
{
	const struct site *site = s->check->site;
	char text[SITE_NAMES_TEXT_SIZE + 160];

	if (!site_io_find(site, s->io->shares, &s->place)) {
		snprintf(text, sizeof text,
			 "there is no interface '%.100s'; name one as SYSTEM/INTERFACE",
			 s->io->shares);
		find_at(s, "shares", text);
		return false;
	}
	s->owner = &site->systems[s->place.system].io[s->place.io];
	if (s->owner == s->io) {
		find_at(s, "shares",
			"an interface cannot share its own disk; name that of another, or leave "
			"this key out");
		return false;
	}
	if (s->owner->shares) {
		snprintf(text, sizeof text,
			 "'%.80s' has no disk of its own: it shares that of '%.80s'; name an "
			 "interface without this key",
			 s->io->shares, s->owner->shares);
		find_at(s, "shares", text);
		return false;
	}
	if (s->owner->attachment != SITE_ATTACH_NVME) {
		snprintf(text, sizeof text,
			 "'%.100s' has no NVMe disk; only attachment nvme has the reservations "
			 "that sharing needs",
			 s->io->shares);
		find_at(s, "shares", text);
		return false;
	}
	return true;
}

static void check_equals(const struct sharing *s)
{
	char text[256];

	if (!is_same(s->io->pool, s->owner->pool)) {
		snprintf(text, sizeof text,
			 "'%.80s', whose disk is shared, has pool '%.60s'; allowed: that pool",
			 s->io->shares, s->owner->pool);
		find_at(s, "pool", text);
	}
	if (!is_same(s->io->redundancy, s->owner->redundancy)) {
		snprintf(text, sizeof text, "'%.80s', whose disk is shared, has %s%.60s; %s",
			 s->io->shares, s->owner->redundancy ? "group " : "no group",
			 s->owner->redundancy ? s->owner->redundancy : "",
			 s->owner->redundancy ? "give the same" : "leave this key out");
		find_at(s, "redundancy", text);
	}
	if (s->io->size && s->io->size != s->owner->size) {
		snprintf(text, sizeof text,
			 "the disk of '%.80s' has %llu bytes; leave this key out", s->io->shares,
			 (unsigned long long)s->owner->size);
		find_at(s, "size", text);
	}
}

static void check_limits(const struct sharing *s)
{
	const char *text = "a mirrored disk has one limit for all that share it, that of the "
			   "interface which is "
			   "named in 'shares'; leave this key out";

	if (s->io->manage || s->owner->manage)
		find_at(s, s->io->manage ? "manage" : "shares",
			"namespaces that a guest makes are its alone; leave 'manage' out of both, "
			"or do not "
			"share");
	if (!site_io_is_mirrored(s->check->site, s->owner))
		return;
	if (s->io->iops)
		find_at(s, "iops", text);
	if (s->io->byte_rate)
		find_at(s, "byte_rate", text);
	if (s->io->resync_rate)
		find_at(s, "resync_rate", text);
}

/* How many share that disk before this interface in the file. */
static unsigned sharers_before(const struct sharing *s)
{
	const struct site *site = s->check->site;
	unsigned n = 0;

	for (unsigned i = 0; i <= s->system; i++)
		for (unsigned j = 0; j < site->systems[i].io_count; j++) {
			const struct site_io *io = &site->systems[i].io[j];

			if (io == s->io)
				return n;
			n += io->shares && strcmp(io->shares, s->io->shares) == 0;
		}
	return n;
}

void site_check_shares(struct site_check *check, unsigned system, unsigned index)
{
	struct sharing s = { .check = check,
			     .system = system,
			     .index = index,
			     .io = &check->site->systems[system].io[index] };

	if (!s.io->shares)
		return;
	if (s.io->attachment != SITE_ATTACH_NVME) {
		find_at(&s, "shares",
			"this key is for nvme: no other attachment has the reservations by which "
			"systems agree on who writes");
		return;
	}
	if (!check_owner(&s))
		return;
	check_equals(&s);
	check_limits(&s);
	if (site_io_is_mirrored(check->site, s.owner) && sharers_before(&s) == MIRROR_SHARERS_MAX)
		find_at(&s, "shares",
			"a mirrored disk is shared by 7 interfaces at most, beside its own");
}

static bool is_shared(const struct site *site, const struct site_io *owner)
{
	struct site_io_place place;

	for (unsigned i = 0; i < site->systems_count; i++)
		for (unsigned j = 0; j < site->systems[i].io_count; j++) {
			const char *shares = site->systems[i].io[j].shares;

			if (shares && site_io_find(site, shares, &place) &&
			    &site->systems[place.system].io[place.io] == owner)
				return true;
		}
	return false;
}

/* A primary controller has nothing to do where there is no secondary one. */
void site_check_primary(struct site_check *check, unsigned system, unsigned index)
{
	struct sharing s = { .check = check,
			     .system = system,
			     .index = index,
			     .io = &check->site->systems[system].io[index] };
	char text[256];

	if (!s.io->primary)
		return;
	if (s.io->attachment != SITE_ATTACH_NVME) {
		find_at(&s, "primary",
			"this key is for nvme: no other attachment has primary and secondary controllers");
	} else if (s.io->shares) {
		snprintf(text, sizeof text,
			 "the primary controller is that of the interface whose disk it is: give this key to "
			 "'%.100s', or to none", s.io->shares);
		find_at(&s, "primary", text);
	} else if (!is_shared(check->site, s.io)) {
		find_at(&s, "primary",
			"nobody shares this disk, so there is no secondary controller; name it in 'shares' of "
			"another interface, or leave this key out");
	}
}
