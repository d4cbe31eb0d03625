/* What outlives a loss of power: reservations of namespaces where a host asked for that (Persist
 * Through Power Loss, 8.19.8), and a sanitize (8.21), which goes on after it.  The owner of the
 * subsystem keeps it, as bytes; a command that changes it ends when it is kept.
 *
 * Little-endian.  Hosts without an identifier are not among it: their registrations end with a
 * reset. */
#include "dev/nvme_internal.h"

#include <errno.h>

enum { RECORD_VERSION = 1 };

enum record_offset {
	RECORD_AT_VERSION = 0,	/* u32 */
	RECORD_AT_SPACES = 4,	/* u16: how many follow */
	RECORD_AT_SANITIZE = 6, /* u16: enum nvme_sanitize_state */
	RECORD_AT_CDW10 = 8,	/* u32: of the sanitize */
	RECORD_AT_PATTERN = 12, /* u32 */
	RECORD_HEAD = 16,
};

enum space_offset {
	SPACE_AT_NSID = 0,	   /* u32 */
	SPACE_AT_GENERATION = 4,   /* u32 */
	SPACE_AT_TYPE = 8,	   /* u8 */
	SPACE_AT_HOLDER = 9,	   /* u8: among those that follow */
	SPACE_AT_REGISTRANTS = 10, /* u16: how many follow */
	SPACE_AT_ID = 16,	   /* 16 bytes: of the namespace */
	SPACE_HEAD = 32,
};

enum registrant_offset {
	REGISTRANT_AT_KEY = 0,	       /* u64 */
	REGISTRANT_AT_HOST = 8,	       /* 16 bytes */
	REGISTRANT_AT_CONTROLLER = 24, /* u16 */
	REGISTRANT_AT_LONG = 26,       /* u8: the identifier has 16 bytes */
	REGISTRANT_SIZE = 32,
};

static bool is_kept(const struct nvme_registrant *registrant)
{
	static const uint8_t nobody[16];

	return registrant->here && memcmp(registrant->host, nobody, sizeof nobody) != 0;
}

static unsigned kept_count(const struct nvme_reservation *reservation)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NVME_REGISTRANTS; i++)
		n += is_kept(&reservation->registrants[i]);
	return n;
}

static size_t size_of(const struct nvme_subsystem *subsystem)
{
	size_t size = RECORD_HEAD;

	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++)
		if (subsystem->spaces[i].there && subsystem->spaces[i].reservation.persists)
			size += SPACE_HEAD +
				REGISTRANT_SIZE * kept_count(&subsystem->spaces[i].reservation);
	return size;
}

static bool held_by_all(unsigned type)
{
	return type == NVME_RESERVE_WRITE_ALL || type == NVME_RESERVE_ALL;
}

static uint8_t *put_space(const struct nvme_space *space, uint32_t nsid, uint8_t *to)
{
	const struct nvme_reservation *reservation = &space->reservation;
	uint8_t *at = to + SPACE_HEAD;
	uint8_t n = 0;

	put_le32(to + SPACE_AT_NSID, nsid);
	put_le32(to + SPACE_AT_GENERATION, reservation->generation);
	memcpy(to + SPACE_AT_ID, space->id, sizeof space->id);
	for (unsigned i = 0; i < NVME_REGISTRANTS; i++) {
		const struct nvme_registrant *registrant = &reservation->registrants[i];

		if (!is_kept(registrant))
			continue;
		put_le64(at + REGISTRANT_AT_KEY, registrant->key);
		memcpy(at + REGISTRANT_AT_HOST, registrant->host, sizeof registrant->host);
		put_le16(at + REGISTRANT_AT_CONTROLLER, registrant->controller);
		at[REGISTRANT_AT_LONG] = registrant->host_long;
		at += REGISTRANT_SIZE;
		/* A reservation goes with its holder. */
		if (held_by_all(reservation->type) || reservation->holder == i)
			to[SPACE_AT_TYPE] = reservation->type;
		if (reservation->holder == i)
			to[SPACE_AT_HOLDER] = n;
		n++;
	}
	put_le16(to + SPACE_AT_REGISTRANTS, n);
	return at;
}

size_t nvme_subsystem_record(const struct nvme_subsystem *subsystem, uint8_t to[NVME_RECORD_MAX])
{
	size_t size = size_of(subsystem);
	uint8_t *at = to + RECORD_HEAD;
	uint16_t spaces = 0;

	must(size <= NVME_RECORD_MAX);
	memset(to, 0, size);
	put_le32(to + RECORD_AT_VERSION, RECORD_VERSION);
	put_le16(to + RECORD_AT_SANITIZE, (uint16_t)subsystem->sanitize_kept);
	put_le32(to + RECORD_AT_CDW10, subsystem->sanitize_cdw10);
	put_le32(to + RECORD_AT_PATTERN, subsystem->sanitize_pattern);
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++) {
		const struct nvme_space *space = &subsystem->spaces[i];

		if (!space->there || !space->reservation.persists)
			continue;
		at = put_space(space, i + 1, at);
		spaces++;
	}
	put_le16(to + RECORD_AT_SPACES, spaces);
	must(at == to + size);
	return size;
}

/* -- back -- */

static int check_space(const uint8_t *from, size_t left, size_t *size)
{
	unsigned count, type;

	if (left < SPACE_HEAD)
		return -EINVAL;
	count = get_le16(from + SPACE_AT_REGISTRANTS);
	type = from[SPACE_AT_TYPE];
	*size = SPACE_HEAD + (size_t)count * REGISTRANT_SIZE;
	if (count > NVME_REGISTRANTS || *size > left || type > NVME_RESERVE_ALL ||
	    (type && from[SPACE_AT_HOLDER] >= count) ||
	    get_le32(from + SPACE_AT_NSID) - 1 >= BLOCK_NAMESPACES_MAX)
		return -EINVAL;
	return 0;
}

static int check_record(const uint8_t *from, size_t size)
{
	size_t at = RECORD_HEAD, space = 0;

	if (size < RECORD_HEAD || get_le32(from + RECORD_AT_VERSION) != RECORD_VERSION ||
	    get_le16(from + RECORD_AT_SANITIZE) >= NVME_SANITIZE_STATES)
		return -EINVAL;
	for (unsigned n = get_le16(from + RECORD_AT_SPACES); n; n--, at += space)
		if (check_space(from + at, size - at, &space))
			return -EINVAL;
	return at == size ? 0 : -EINVAL;
}

/* Of another namespace that had this number before, nothing is taken. */
static void take_space(struct nvme_subsystem *subsystem, const uint8_t *from)
{
	struct nvme_space *space = &subsystem->spaces[get_le32(from + SPACE_AT_NSID) - 1];
	struct nvme_reservation *to = &space->reservation;

	if (!space->there || memcmp(space->id, from + SPACE_AT_ID, sizeof space->id) != 0)
		return;
	*to = (struct nvme_reservation){ .generation = get_le32(from + SPACE_AT_GENERATION),
					 .type = from[SPACE_AT_TYPE],
					 .holder = from[SPACE_AT_HOLDER],
					 .persists = true };
	for (unsigned i = 0; i < get_le16(from + SPACE_AT_REGISTRANTS); i++) {
		const uint8_t *at = from + SPACE_HEAD + (size_t)i * REGISTRANT_SIZE;
		struct nvme_registrant *registrant = &to->registrants[i];

		registrant->here = true;
		registrant->key = get_le64(at + REGISTRANT_AT_KEY);
		memcpy(registrant->host, at + REGISTRANT_AT_HOST, sizeof registrant->host);
		registrant->controller = get_le16(at + REGISTRANT_AT_CONTROLLER);
		registrant->host_long = at[REGISTRANT_AT_LONG] & 1;
	}
}

int nvme_subsystem_recall(struct nvme_subsystem *subsystem, const uint8_t *from, size_t size)
{
	size_t at = RECORD_HEAD, space = 0;
	int err = check_record(from, size);

	if (err)
		return err;
	for (unsigned n = get_le16(from + RECORD_AT_SPACES); n; n--, at += space) {
		must(check_space(from + at, size - at, &space) == 0);
		take_space(subsystem, from + at);
	}
	nvme_sanitize_recall(subsystem,
			     (enum nvme_sanitize_state)get_le16(from + RECORD_AT_SANITIZE),
			     get_le32(from + RECORD_AT_CDW10), get_le32(from + RECORD_AT_PATTERN));
	return 0;
}

/* -- keeping -- */

enum nvme_outcome nvme_keep(struct nvme_subsystem *subsystem, struct nvme_command *cmd)
{
	must(!subsystem->keeping);
	if (!subsystem->keep)
		return nvme_succeed(cmd);
	if (size_of(subsystem) > NVME_RECORD_MAX)
		return nvme_refuse(cmd, NVME_INTERNAL_ERROR);
	cmd->status = NVME_SUCCESS;
	cmd->state = NVME_CMD_PARKED;
	subsystem->keeper = cmd;
	subsystem->keeping = true;
	subsystem->keep(subsystem->keep_owner);
	return NVME_UNDER_WAY;
}

void nvme_keep_soon(struct nvme_subsystem *subsystem)
{
	if (!subsystem->keep || size_of(subsystem) > NVME_RECORD_MAX) {
		nvme_sanitize_kept(subsystem, NVME_KEPT);
		return;
	}
	subsystem->keep_again = subsystem->keeping;
	if (subsystem->keeping)
		return;
	subsystem->keeping = true;
	subsystem->keep(subsystem->keep_owner);
}

void nvme_subsystem_kept(struct nvme_subsystem *subsystem, enum nvme_kept kept)
{
	struct nvme_command *cmd = subsystem->keeper;
	bool again = subsystem->keep_again;

	must(subsystem->keeping);
	subsystem->keeping = subsystem->keep_again = false;
	subsystem->keeper = NULL;
	if (cmd && kept == NVME_NOT_KEPT)
		cmd->status = NVME_INTERNAL_ERROR;
	if (cmd)
		nvme_command_end(cmd->nvme, cmd);
	if (again)
		nvme_keep_soon(subsystem);
	else
		nvme_sanitize_kept(subsystem, kept);
}

void nvme_keep_forget(struct nvme *nvme)
{
	if (nvme->subsystem->keeper && nvme->subsystem->keeper->nvme == nvme)
		nvme->subsystem->keeper = NULL;
}
