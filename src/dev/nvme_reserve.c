/* Reservations (7.2 to 7.5, 8.19): which hosts may do what to a namespace that several controllers
 * share.  Where the subsystem's owner keeps what must outlive a loss of power, a host can ask for that with
 * CPTPL or the Reservation Persistence feature, and a command that changes such ends when it is kept.
 *
 * A host is known by its identifier; a controller whose host has none (0) counts as a host of its
 * own, and its registrations end with a controller level reset (5.27.1.25). */
#include "dev/nvme_internal.h"

static bool is_anonymous(const uint8_t *host)
{
	static const uint8_t none[16];

	return memcmp(host, none, sizeof none) == 0;
}

static bool is_of(const struct nvme_registrant *registrant, const struct nvme *nvme)
{
	if (!registrant->here || memcmp(registrant->host, nvme->features.host_id, 16))
		return false;
	return !is_anonymous(registrant->host) || registrant->controller == nvme->id;
}

/* Index of this controller's host among the registrants, or -1. */
static int find(const struct nvme_reservation *reservation, const struct nvme *nvme)
{
	for (int i = 0; i < NVME_REGISTRANTS; i++)
		if (is_of(&reservation->registrants[i], nvme))
			return i;
	return -1;
}

/* All registrants hold these. */
static bool held_by_all(unsigned type)
{
	return type == NVME_RESERVE_WRITE_ALL || type == NVME_RESERVE_ALL;
}

static bool holds(const struct nvme_reservation *reservation, int index)
{
	return reservation->type && index >= 0 &&
	       (held_by_all(reservation->type) || reservation->holder == index);
}

bool nvme_reserve_allows(struct nvme *nvme, const struct nvme_reservation *reservation,
			 enum nvme_reserve_need need)
{
	int index = find(reservation, nvme);

	switch (reservation->type) {
	case NVME_RESERVE_WRITE_EXCLUSIVE:
		return need == NVME_RESERVE_READS || holds(reservation, index);
	case NVME_RESERVE_EXCLUSIVE:
		return holds(reservation, index);
	case NVME_RESERVE_WRITE_REGISTRANTS:
	case NVME_RESERVE_WRITE_ALL:
		return need == NVME_RESERVE_READS || index >= 0;
	case NVME_RESERVE_REGISTRANTS:
	case NVME_RESERVE_ALL:
		return index >= 0;
	default:
		return true;
	}
}

bool nvme_reserve_is_registered(const struct nvme *nvme)
{
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++)
		if (find(&nvme->subsystem->spaces[i].reservation, nvme) >= 0)
			return true;
	return false;
}

/* Tells every controller of a registered host, but those of 'but'. */
static void notify(struct nvme *nvme, uint32_t nsid, int index, uint8_t type)
{
	const struct nvme_reservation *reservation = &nvme_space(nvme, nsid)->reservation;

	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++) {
		struct nvme *other = nvme->subsystem->controllers[id];

		if (other && other != nvme && is_of(&reservation->registrants[index], other))
			nvme_note_post(other, nsid, type);
	}
}

static void notify_others(struct nvme *nvme, uint32_t nsid, int but, uint8_t type)
{
	for (int i = 0; i < NVME_REGISTRANTS; i++)
		if (i != but && nvme_space(nvme, nsid)->reservation.registrants[i].here)
			notify(nvme, nsid, i, type);
}

/* The reservation ends; 8.19.7: those who shared it are told. */
static void release(struct nvme *nvme, uint32_t nsid, int by)
{
	struct nvme_reservation *reservation = &nvme_space(nvme, nsid)->reservation;
	bool shared = reservation->type > NVME_RESERVE_EXCLUSIVE;

	reservation->type = 0;
	if (shared)
		notify_others(nvme, nsid, by, NVME_RESERVE_NOTE_RELEASED);
}

static unsigned registrant_count(const struct nvme_reservation *reservation)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NVME_REGISTRANTS; i++)
		n += reservation->registrants[i].here;
	return n;
}

static void unregister(struct nvme *nvme, uint32_t nsid, int index)
{
	struct nvme_reservation *reservation = &nvme_space(nvme, nsid)->reservation;
	bool held = holds(reservation, index);

	reservation->registrants[index].here = false;
	if (held && (!held_by_all(reservation->type) || registrant_count(reservation) == 0))
		release(nvme, nsid, index);
}

void nvme_reserve_forget(struct nvme *nvme)
{
	if (!is_anonymous(nvme->features.host_id))
		return;
	for (uint32_t nsid = 1; nsid <= BLOCK_NAMESPACES_MAX; nsid++) {
		int index = find(&nvme_space(nvme, nsid)->reservation, nvme);

		if (index >= 0)
			unregister(nvme, nsid, index);
	}
}

static enum nvme_status add(struct nvme *nvme, struct nvme_reservation *reservation, uint64_t key)
{
	for (unsigned i = 0; i < NVME_REGISTRANTS; i++) {
		struct nvme_registrant *registrant = &reservation->registrants[i];

		if (registrant->here)
			continue;
		*registrant = (struct nvme_registrant){ .key = key, .controller = nvme->id,
							.here = true,
							.host_long = nvme->features.host_id_long };
		memcpy(registrant->host, nvme->features.host_id, 16);
		reservation->generation++;
		return NVME_SUCCESS;
	}
	return NVME_RESERVATION_CONFLICT; /* no room for more hosts */
}

/* What the commands have in common. */
struct keys {
	uint64_t current, next; /* CRKEY; NRKEY or PRKEY */
	bool any; /* IEKEY */
};

/* Whether the host is registered with the key that it names. */
static bool may(const struct nvme_reservation *reservation, int index, const struct keys *keys)
{
	return index >= 0 && (keys->any || reservation->registrants[index].key == keys->current);
}

static enum nvme_status do_register(struct nvme *nvme, struct nvme_command *cmd, uint32_t nsid,
				    const struct keys *keys)
{
	struct nvme_reservation *reservation = &nvme_space(nvme, nsid)->reservation;
	unsigned persist = sqe_field(cmd, NVME_SQE_CDW10, NVME_RESERVE_CPTPL);
	int index = find(reservation, nvme);

	if (persist == NVME_CPTPL_RESERVED || (persist == NVME_CPTPL_SET && !nvme->subsystem->keep))
		return NVME_INVALID_FIELD;
	switch (sqe_field(cmd, NVME_SQE_CDW10, NVME_RESERVE_ACTION)) {
	case NVME_REGISTER:
		if (index >= 0)
			return reservation->registrants[index].key == keys->next ?
				       NVME_SUCCESS : NVME_RESERVATION_CONFLICT;
		return add(nvme, reservation, keys->next);
	case NVME_UNREGISTER:
		if (!may(reservation, index, keys))
			return NVME_RESERVATION_CONFLICT;
		reservation->generation++;
		unregister(nvme, nsid, index);
		return NVME_SUCCESS;
	case NVME_REPLACE_KEY:
		if (!may(reservation, index, keys))
			return NVME_RESERVATION_CONFLICT;
		reservation->registrants[index].key = keys->next;
		reservation->generation++;
		return NVME_SUCCESS;
	default:
		return NVME_INVALID_FIELD;
	}
}

/* Preempt and Abort: takes back what the host's controllers have under way on the namespace. */
static void abort_commands_of(struct nvme *nvme, uint32_t nsid,
			      const struct nvme_registrant *registrant)
{
	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++) {
		struct nvme *other = nvme->subsystem->controllers[id];
		struct block_back *back = other ? nvme_back(other, nsid) : NULL;

		if (!other || other == nvme || !back || !is_of(registrant, other))
			continue;
		for (unsigned i = 0; i < NVME_COMMANDS; i++) {
			struct nvme_command *cmd = &other->commands[i];

			if (cmd->state != NVME_CMD_SENT || cmd->back != back || cmd->orphan)
				continue;
			cmd->abort_status = NVME_ABORTED_PREEMPT;
			if (back->ops->cancel)
				back->ops->cancel(nvme->worker, back, &cmd->request);
		}
	}
}

enum preempt { PREEMPT_ONLY, PREEMPT_AND_ABORT };

/* Removes the registrants with a key, or (key 0) all, but 'self'.  Returns how many matched. */
static unsigned drop(struct nvme *nvme, uint32_t nsid, int self, uint64_t key, enum preempt how)
{
	struct nvme_reservation *reservation = &nvme_space(nvme, nsid)->reservation;
	unsigned n = 0;

	for (int i = 0; i < NVME_REGISTRANTS; i++) {
		struct nvme_registrant *registrant = &reservation->registrants[i];
		bool held = holds(reservation, i);

		if (!registrant->here || (key && registrant->key != key))
			continue;
		n++;
		if (i == self)
			continue;
		notify(nvme, nsid, i, held ? NVME_RESERVE_NOTE_RESERVATION_PREEMPTED :
					     NVME_RESERVE_NOTE_PREEMPTED);
		if (how == PREEMPT_AND_ABORT)
			abort_commands_of(nvme, nsid, registrant);
		registrant->here = false;
	}
	return n;
}

static enum nvme_status preempt(struct nvme *nvme, uint32_t nsid, const struct keys *keys,
				unsigned type, enum preempt how)
{
	struct nvme_reservation *reservation = &nvme_space(nvme, nsid)->reservation;
	int self = find(reservation, nvme);
	bool all = held_by_all(reservation->type), takes;
	unsigned before = reservation->type;

	if (keys->next == 0 && !all)
		return NVME_INVALID_FIELD;
	takes = all ? keys->next == 0 :
		      before && reservation->registrants[reservation->holder].key == keys->next;
	if (!drop(nvme, nsid, self, keys->next, how) && keys->next)
		return NVME_RESERVATION_CONFLICT;
	reservation->generation++;
	if (!takes)
		return NVME_SUCCESS;
	reservation->type = (uint8_t)type;
	reservation->holder = (uint8_t)self;
	/* Who shared the old one and is still registered learns that its type changed. */
	if (before > NVME_RESERVE_EXCLUSIVE && before != type)
		notify_others(nvme, nsid, self, NVME_RESERVE_NOTE_RELEASED);
	return NVME_SUCCESS;
}

static enum nvme_status do_acquire(struct nvme *nvme, struct nvme_command *cmd, uint32_t nsid,
				   const struct keys *keys)
{
	struct nvme_reservation *reservation = &nvme_space(nvme, nsid)->reservation;
	unsigned type = sqe_field(cmd, NVME_SQE_CDW10, NVME_RESERVE_TYPE);
	unsigned action = sqe_field(cmd, NVME_SQE_CDW10, NVME_RESERVE_ACTION);
	int index = find(reservation, nvme);

	/* 1.3 on: Ignore Existing Key is for registering and releasing only. */
	if (type < NVME_RESERVE_WRITE_EXCLUSIVE || type > NVME_RESERVE_ALL ||
	    action > NVME_PREEMPT_ABORT || keys->any)
		return NVME_INVALID_FIELD;
	if (!may(reservation, index, keys))
		return NVME_RESERVATION_CONFLICT;
	if (action != NVME_ACQUIRE)
		return preempt(nvme, nsid, keys, type,
			       action == NVME_PREEMPT ? PREEMPT_ONLY : PREEMPT_AND_ABORT);
	if (reservation->type)
		return holds(reservation, index) && reservation->type == type ?
			       NVME_SUCCESS : NVME_RESERVATION_CONFLICT;
	reservation->type = (uint8_t)type;
	reservation->holder = (uint8_t)index;
	return NVME_SUCCESS;
}

static enum nvme_status do_release(struct nvme *nvme, struct nvme_command *cmd, uint32_t nsid,
				   const struct keys *keys)
{
	struct nvme_reservation *reservation = &nvme_space(nvme, nsid)->reservation;
	unsigned type = sqe_field(cmd, NVME_SQE_CDW10, NVME_RESERVE_TYPE);
	int index = find(reservation, nvme);

	if (!may(reservation, index, keys))
		return NVME_RESERVATION_CONFLICT;
	switch (sqe_field(cmd, NVME_SQE_CDW10, NVME_RESERVE_ACTION)) {
	case NVME_RELEASE:
		if (!holds(reservation, index))
			return NVME_SUCCESS; /* 7.4: nothing happens */
		if (type != reservation->type)
			return NVME_INVALID_FIELD;
		release(nvme, nsid, index);
		return NVME_SUCCESS;
	case NVME_CLEAR:
		notify_others(nvme, nsid, index, NVME_RESERVE_NOTE_RESERVATION_PREEMPTED);
		reservation->type = 0;
		for (unsigned i = 0; i < NVME_REGISTRANTS; i++)
			reservation->registrants[i].here = false;
		reservation->generation++;
		return NVME_SUCCESS;
	default:
		return NVME_INVALID_FIELD;
	}
}

/* Registrants with 64-bit identifiers have entries of one shape, others of another; 7.5. */
static uint32_t put_registrants(const struct nvme_reservation *reservation, uint8_t *to,
				bool extended)
{
	uint32_t size = extended ? NVME_REGISTRANT_EXTENDED_SIZE : NVME_REGISTRANT_SIZE;
	uint32_t at = extended ? NVME_REGISTRANT_EXTENDED_SIZE : NVME_RESERVE_STATUS_FIRST;

	for (int i = 0; i < NVME_REGISTRANTS; i++) {
		const struct nvme_registrant *registrant = &reservation->registrants[i];
		uint8_t *entry = to + at;

		if (!registrant->here)
			continue;
		put_le16(entry + NVME_REGISTRANT_CNTLID, registrant->controller);
		entry[NVME_REGISTRANT_RCSTS] = holds(reservation, i);
		if (extended) {
			put_le64(entry + NVME_REGISTRANT_EXTENDED_KEY, registrant->key);
			memcpy(entry + NVME_REGISTRANT_EXTENDED_HOSTID, registrant->host, 16);
		} else {
			memcpy(entry + NVME_REGISTRANT_HOSTID, registrant->host, 8);
			put_le64(entry + NVME_REGISTRANT_KEY, registrant->key);
		}
		at += size;
	}
	return at;
}

static enum nvme_outcome report(struct nvme *nvme, struct nvme_command *cmd, uint32_t nsid)
{
	const struct nvme_reservation *reservation = &nvme_space(nvme, nsid)->reservation;
	bool extended = sqe32(cmd, NVME_SQE_CDW11) & 1;
	uint64_t size = sqe32(cmd, NVME_SQE_CDW10) * UINT64_C(4) + 4;
	uint8_t *to = nvme->scratch;
	enum nvme_outcome outcome;
	uint32_t whole;

	if (extended != nvme->features.host_id_long && !is_anonymous(nvme->features.host_id))
		return nvme_refuse(cmd, NVME_HOST_ID_INCONSISTENT);
	if (size > (uint64_t)NVME_PAGE_SIZE << nvme->mdts)
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	outcome = nvme_data_reach(nvme, cmd, size, DMA_WRITE);
	if (outcome != NVME_UNDER_WAY)
		return outcome;
	memset(to, 0, sizeof nvme->scratch);
	put_le32(to + NVME_RESERVE_STATUS_GEN, reservation->generation);
	to[NVME_RESERVE_STATUS_RTYPE] = reservation->type;
	put_le16(to + NVME_RESERVE_STATUS_REGCTL, (uint16_t)registrant_count(reservation));
	to[NVME_RESERVE_STATUS_PTPLS] = reservation->persists;
	whole = put_registrants(reservation, to, extended);
	nvme_data_give_some(nvme, cmd, to, (uint32_t)min_u64(whole, size), (uint32_t)size);
	return nvme_succeed(cmd);
}

/* After what a host registered: 7.3, CPTPL. */
static void set_persistence(struct nvme_reservation *reservation, unsigned persist)
{
	if (persist == NVME_CPTPL_SET)
		reservation->persists = true;
	else if (persist == NVME_CPTPL_CLEAR)
		reservation->persists = false;
}

enum nvme_outcome nvme_reserve(struct nvme *nvme, struct nvme_command *cmd, uint32_t nsid)
{
	struct nvme_reservation *reservation = &nvme_space(nvme, nsid)->reservation;
	bool persisted = reservation->persists;
	uint8_t opcode = cmd->sqe[NVME_SQE_OPC], bytes[16] = { 0 };
	uint32_t size = opcode == NVME_IO_RESERVE_RELEASE ? 8 : 16;
	enum nvme_status status;
	enum nvme_outcome outcome;
	struct keys keys;

	if (opcode == NVME_IO_RESERVE_REPORT)
		return report(nvme, cmd, nsid);
	if (nvme->subsystem->keeping)
		return NVME_LATER;
	outcome = nvme_data_reach(nvme, cmd, size, DMA_READ);
	if (outcome != NVME_UNDER_WAY)
		return outcome;
	nvme_data_take(cmd, bytes, size);
	keys = (struct keys){ get_le64(bytes), get_le64(bytes + 8),
			      sqe_field(cmd, NVME_SQE_CDW10, NVME_RESERVE_IEKEY) };
	if (opcode == NVME_IO_RESERVE_REGISTER)
		status = do_register(nvme, cmd, nsid, &keys);
	else if (opcode == NVME_IO_RESERVE_ACQUIRE)
		status = do_acquire(nvme, cmd, nsid, &keys);
	else
		status = do_release(nvme, cmd, nsid, &keys);
	if (status)
		return nvme_refuse(cmd, status);
	if (opcode == NVME_IO_RESERVE_REGISTER)
		set_persistence(reservation, sqe_field(cmd, NVME_SQE_CDW10, NVME_RESERVE_CPTPL));
	counter_add(&nvme->front.others, 1);
	if (persisted || reservation->persists)
		return nvme_keep(nvme->subsystem, cmd);
	return nvme_succeed(cmd);
}
