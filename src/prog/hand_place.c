/* Functions that are handed over: who has a client, and how one is taken out of a site and put into one. */
#include "prog/hand_over.h"
#include "prog/site_disk.h"
#include "prog/site_faults.h"
#include "prog/site_mirror.h"

#include "attach/vfio_user.h"
#include "base/bytes.h"
#include "dev/nvme.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	/* The head of a function's parcel, before what vfio_user_give() says; texts end with a NUL. */
	NAME_SIZE = 256, /* SYSTEM/IO */
	AT_QUARANTINE = NAME_SIZE, /* why it is in quarantine; empty: it is not */
	QUARANTINE_SIZE = 256,
	AT_RESERVATIONS = AT_QUARANTINE + QUARANTINE_SIZE, /* bytes of an NVMe function's, behind the head */
	AT_LENT = AT_RESERVATIONS + 4, /* bytes of what its primary controller has lent, behind those */
	HEAD_SIZE = AT_LENT + 4,
};
_Static_assert((int)NAME_SIZE > 2 * (int)SITE_NAME_MAX + 2, "a name fits");
_Static_assert((int)QUARANTINE_SIZE >= (int)ATTACH_WHY_SIZE, "a reason fits");

static struct vfio_user *server_of(const struct run_io *io)
{
	return io->attachment && io->attachment->ops->server ? io->attachment->ops->server(io->attachment) : NULL;
}

static struct nvme_subsystem *subsystem_of(const struct run_io *io)
{
	return io->attachment->ops->subsystem ? io->attachment->ops->subsystem(io->attachment) : NULL;
}

bool hand_has_client(const struct run_io *io)
{
	struct vfio_user *server = server_of(io);

	return server && vfio_user_has_client(server);
}

int hand_prepare(struct run_io *io, struct parcel *parcel, struct refusal *why)
{
	struct attach_facts facts = { .where = "" };
	size_t reservations = 0, lent = 0;
	uint8_t *at;

	if (io->quarantined)
		io->attachment->ops->facts(io->attachment, &facts);
	/* The function is quiet: nothing changes them until one that shares them is given. */
	if (subsystem_of(io)) {
		attach_hold(site_run_front(io));
		reservations = nvme_reservations_save(subsystem_of(io), NULL, 0);
		lent = nvme_virtual_save(subsystem_of(io), NULL, 0);
		attach_release(site_run_front(io));
	}
	at = parcel_extend(parcel, HEAD_SIZE + reservations + lent);
	if (!at) {
		refuse(why, "", "no memory to hand it over");
		return -ENOMEM;
	}
	snprintf((char *)at, NAME_SIZE, "%s/%s", io->system->name, io->io->name);
	snprintf((char *)at + AT_QUARANTINE, QUARANTINE_SIZE, "%s", facts.stopped);
	put_le32(at + AT_RESERVATIONS, (uint32_t)reservations);
	put_le32(at + AT_LENT, (uint32_t)lent);
	at += HEAD_SIZE;
	if (reservations)
		must(nvme_reservations_save(subsystem_of(io), at, reservations) == reservations);
	if (lent)
		must(nvme_virtual_save(subsystem_of(io), at + reservations, lent) == lent);
	return 0;
}

int hand_collect(struct run_io *io, struct parcel *parcel, struct refusal *why)
{
	struct parcel made = { .bytes = NULL };
	uint8_t *at;
	int err = vfio_user_give(server_of(io), &made, why);

	if (err)
		return err;
	/* What was given has no way back but into a parcel. */
	at = parcel_extend(parcel, made.size);
	must(at != NULL);
	memcpy(at, made.bytes, made.size);
	must(parcel_give_fds(parcel, made.fds, made.fd_count) == 0);
	made.fd_count = 0;
	parcel_drop(&made);
	return 0;
}

static struct run_io *find(struct site_run *run, const char *name)
{
	char known[NAME_SIZE];

	for (unsigned i = 0; i < run->io_count; i++) {
		snprintf(known, sizeof known, "%s/%s", run->ios[i].system->name, run->ios[i].io->name);
		if (strcmp(known, name) == 0)
			return &run->ios[i];
	}
	return NULL;
}

/* Bytes between the head and what vfio_user_give() says. */
static uint64_t behind_head(const struct parcel *parcel)
{
	return (uint64_t)get_le32(parcel->bytes + AT_RESERVATIONS) + get_le32(parcel->bytes + AT_LENT);
}

/* Before the function, whose queues depend on it; what is there already is left alone. */
static int place_lent(struct run_io *io, const struct parcel *parcel, struct refusal *why)
{
	const uint8_t *at = parcel->bytes + HEAD_SIZE + get_le32(parcel->bytes + AT_RESERVATIONS);
	uint32_t size = get_le32(parcel->bytes + AT_LENT);
	struct nvme_subsystem *subsystem = subsystem_of(io);
	int err = size && !subsystem ? -EINVAL : 0;

	if (subsystem) {
		attach_hold(site_run_front(io));
		err = nvme_virtual_load(subsystem, at, size);
		attach_release(site_run_front(io));
	}
	if (err)
		refuse(why, "", "'%s/%s': what its primary controller has lent is damaged, or of another disk",
		       io->system->name, io->io->name);
	return err;
}

int hand_place(struct site_run *run, const struct parcel *parcel, struct refusal *why)
{
	const char *name = (const char *)parcel->bytes, *quarantine;
	struct refusal below = { .path = "" };
	struct parcel inner = *parcel;
	struct run_io *io;
	int err;

	if (parcel->size < HEAD_SIZE || behind_head(parcel) > parcel->size - HEAD_SIZE ||
	    name[NAME_SIZE - 1] || name[AT_RESERVATIONS - 1]) {
		refuse(why, "", "a function that was handed over is damaged");
		return -EINVAL;
	}
	quarantine = name + AT_QUARANTINE;
	inner.bytes += HEAD_SIZE + behind_head(parcel);
	inner.size -= HEAD_SIZE + behind_head(parcel);
	io = find(run, name);
	if (!io || !server_of(io) || vfio_user_has_client(server_of(io))) {
		refuse(why, "", "'%.128s' was handed over, and there is no such function that is free", name);
		return -EINVAL;
	}
	err = place_lent(io, parcel, why);
	if (err)
		return err;
	err = vfio_user_take(server_of(io), &inner, &below);
	if (err) {
		refuse(why, "", "'%.128s': %s", name, below.text);
		return err;
	}
	if (quarantine[0])
		site_faults_bar(io, quarantine);
	return 0;
}

int hand_place_reservations(struct site_run *run, const struct parcel *parcel, struct refusal *why)
{
	const char *name = (const char *)parcel->bytes;
	struct run_io *io = find(run, name); /* hand_place() has looked */
	struct nvme_subsystem *subsystem = io ? subsystem_of(io) : NULL;
	uint32_t size = get_le32(parcel->bytes + AT_RESERVATIONS);
	int err = size && !subsystem ? -EINVAL : 0;

	if (subsystem) {
		attach_hold(site_run_front(io));
		err = nvme_reservations_load(subsystem, parcel->bytes + HEAD_SIZE, size);
		attach_release(site_run_front(io));
	}
	if (err)
		refuse(why, "", "'%.128s': its reservations are damaged", name);
	return err;
}

bool hand_is_still(const struct run_io *io)
{
	return vfio_user_hold_still(server_of(io));
}

bool hand_hold_still(struct site_run *run)
{
	bool still = true;

	for (unsigned i = 0; i < run->io_count; i++)
		if (server_of(&run->ios[i]))
			still &= vfio_user_hold_still(server_of(&run->ios[i]));
	return still;
}

bool hand_settle(struct site_run *run)
{
	bool settled = true;

	for (unsigned i = 0; i < run->io_count; i++) {
		const struct run_io *io = &run->ios[i];
		const struct run_card *card = &run->cards[io->place->member[0].card];

		if (!io->mirror || !disk_card_hold(NULL, card->disk, site_disk_give_way, SITE_DISK_HOLD_TRIES))
			continue;
		settled &= mirror_settle(NULL, io->mirror->mirror);
		disk_card_release(NULL, card->disk);
		workers_wake(run->workers, card->worker);
	}
	return settled;
}

void hand_go_on(struct site_run *run)
{
	for (unsigned i = 0; i < run->io_count; i++)
		if (server_of(&run->ios[i]))
			vfio_user_go_on(server_of(&run->ios[i]));
}

void hand_forsake(struct site_run *run)
{
	for (unsigned i = 0; i < run->io_count; i++) {
		struct parcel parcel = { .bytes = NULL };
		struct vfio_user *server = server_of(&run->ios[i]);

		if (server && vfio_user_has_client(server) && vfio_user_give(server, &parcel, NULL) == 0)
			parcel_drop(&parcel);
	}
}
