/* Virtualization Management (5.28, 8.26): queues (VQ) and interrupts (VI) that a primary controller
 * lends to secondary controllers.  Each controller's private resources are those of its
 * configuration; a secondary has none but what it is lent, up to as many as it is configured for. */
#include "dev/nvme_internal.h"

#include <errno.h>

/* A primary controller uses no more vectors than its queues can, nor than a function has (pcie/kinds_nvme.h). */
static unsigned vectors_most(const struct nvme *nvme)
{
	return nvme->vectors > NVME_QUEUES_MAX + 1 ? nvme->vectors : NVME_QUEUES_MAX + 1;
}

static struct nvme *secondary(const struct nvme_subsystem *subsystem, unsigned id)
{
	struct nvme *nvme = id < NVME_CONTROLLERS_MAX ? subsystem->controllers[id] : NULL;

	return nvme && nvme->role == NVME_SECONDARY ? nvme : NULL;
}

struct pool {
	unsigned all, lent, most; /* most: of one secondary controller */
};

static struct pool pool_of(const struct nvme_subsystem *subsystem, unsigned type)
{
	struct pool pool = { 0, 0, 0 };

	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++) {
		const struct nvme *nvme = secondary(subsystem, id);
		unsigned most;

		if (!nvme)
			continue;
		most = type == NVME_VIRT_RT_VQ ? nvme->queues + 1u : nvme->vectors;
		pool.all += most;
		pool.most = most > pool.most ? most : pool.most;
		pool.lent += type == NVME_VIRT_RT_VQ ? nvme->queues_assigned :
						       nvme->vectors_assigned;
	}
	return pool;
}

static void put_resource(struct nvme *nvme, unsigned type, uint8_t *to)
{
	struct pool pool = pool_of(nvme->subsystem, type);
	bool vq = type == NVME_VIRT_RT_VQ;

	put_le32(to + NVME_PRIMARY_FRT, pool.all);
	put_le32(to + NVME_PRIMARY_RFA, pool.lent);
	put_le16(to + NVME_PRIMARY_RFAP,
		 vq ? nvme->subsystem->primary_vq : nvme->subsystem->primary_vi);
	put_le16(to + NVME_PRIMARY_PRT, (uint16_t)(vq ? nvme->queues + 1 : nvme->vectors));
	put_le16(to + NVME_PRIMARY_FRSM, (uint16_t)pool.most);
	put_le16(to + NVME_PRIMARY_GRAN, 1);
}

void nvme_identify_primary(struct nvme *nvme, uint8_t *to)
{
	put_le16(to + NVME_PRIMARY_CNTLID, nvme->id);
	to[NVME_PRIMARY_CRT] = NVME_CRT_VQ | NVME_CRT_VI;
	put_resource(nvme, NVME_VIRT_RT_VQ, to + NVME_PRIMARY_VQ);
	put_resource(nvme, NVME_VIRT_RT_VI, to + NVME_PRIMARY_VI);
}

void nvme_identify_secondary(struct nvme *nvme, unsigned from, uint8_t *to)
{
	unsigned n = 0;

	for (unsigned id = from; id < NVME_CONTROLLERS_MAX && n < NVME_SECONDARY_MAX; id++) {
		const struct nvme *other = secondary(nvme->subsystem, id);
		uint8_t *entry = to + NVME_SECONDARY_FIRST + n * NVME_SECONDARY_SIZE;

		if (!other)
			continue;
		put_le16(entry + NVME_SECONDARY_SCID, other->id);
		put_le16(entry + NVME_SECONDARY_PCID, nvme->id);
		entry[NVME_SECONDARY_SCS] = other->online;
		put_le16(entry + NVME_SECONDARY_VFN, other->vf_number);
		put_le16(entry + NVME_SECONDARY_NVQ, other->queues_assigned);
		put_le16(entry + NVME_SECONDARY_NVI, other->vectors_assigned);
		n++;
	}
	to[NVME_SECONDARY_COUNT] = (uint8_t)n;
}

void nvme_virtual_init(struct nvme *nvme)
{
	nvme->online = nvme->role != NVME_SECONDARY;
}

/* A controller's resources change with its reset only. */
void nvme_virtual_reset(struct nvme *nvme)
{
	const struct nvme_subsystem *subsystem = nvme->subsystem;

	nvme->queues_now = nvme->queues;
	nvme->vectors_now = nvme->vectors;
	if (nvme->role == NVME_PRIMARY) {
		nvme->queues_now = (uint16_t)min_u32(nvme->queues + subsystem->primary_vq,
						     NVME_QUEUES_MAX);
		nvme->vectors_now = (uint16_t)min_u32(nvme->vectors + subsystem->primary_vi,
						      vectors_most(nvme));
	} else if (nvme->role == NVME_SECONDARY && nvme->queues_assigned) {
		nvme->queues_now = (uint16_t)(nvme->queues_assigned - 1);
		nvme->vectors_now = nvme->vectors_assigned;
	}
}

void nvme_bring_online(struct nvme *nvme)
{
	must(nvme->role == NVME_SECONDARY);
	nvme->queues_assigned = (uint16_t)(nvme->queues + 1);
	nvme->vectors_assigned = nvme->vectors;
	nvme->online = true;
	nvme_reset(nvme);
}

/* Action 1: flexible resources that the primary controller keeps, from its next reset on. */
static enum nvme_outcome allocate(struct nvme *nvme, struct nvme_command *cmd, unsigned type,
				  unsigned count)
{
	struct pool pool = pool_of(nvme->subsystem, type);

	if (count > pool.all - pool.lent)
		return nvme_refuse(cmd, NVME_INVALID_RESOURCE_COUNT);
	if (type == NVME_VIRT_RT_VQ)
		nvme->subsystem->primary_vq = (uint16_t)count;
	else
		nvme->subsystem->primary_vi = (uint16_t)count;
	cmd->dw0 = count;
	return nvme_succeed(cmd);
}

static enum nvme_outcome assign(struct nvme *nvme, struct nvme_command *cmd, struct nvme *to,
				unsigned type, unsigned count)
{
	struct pool pool = pool_of(nvme->subsystem, type);
	bool vq = type == NVME_VIRT_RT_VQ;
	uint16_t *now = vq ? &to->queues_assigned : &to->vectors_assigned;
	unsigned most = vq ? to->queues + 1u : to->vectors;
	unsigned kept = vq ? nvme->subsystem->primary_vq : nvme->subsystem->primary_vi;

	if (to->online)
		return nvme_refuse(cmd, NVME_INVALID_SECONDARY_STATE);
	if (count > most || kept + pool.lent - *now + count > pool.all)
		return nvme_refuse(cmd, NVME_INVALID_RESOURCE_COUNT);
	*now = (uint16_t)count;
	cmd->dw0 = count;
	return nvme_succeed(cmd);
}

static enum nvme_outcome go_offline(struct nvme_command *cmd, struct nvme *to)
{
	to->online = false;
	to->queues_assigned = 0;
	to->vectors_assigned = 0;
	nvme_reset(to);
	return nvme_succeed(cmd);
}

/* 8.26.3: an admin queue and one more, and an interrupt, are the least. */
static enum nvme_outcome go_online(struct nvme_command *cmd, struct nvme *to)
{
	if (to->online)
		return nvme_succeed(cmd);
	if (to->queues_assigned < 2 || to->vectors_assigned < 1)
		return nvme_refuse(cmd, NVME_INVALID_SECONDARY_STATE);
	to->online = true;
	nvme_reset(to);
	return nvme_succeed(cmd);
}

enum nvme_outcome nvme_admin_virtualization(struct nvme *nvme, struct nvme_command *cmd)
{
	unsigned action = sqe_field(cmd, NVME_SQE_CDW10, NVME_VIRT_ACT);
	unsigned type = sqe_field(cmd, NVME_SQE_CDW10, NVME_VIRT_RT);
	unsigned id = sqe_field(cmd, NVME_SQE_CDW10, NVME_VIRT_CNTLID);
	unsigned count = sqe_field(cmd, NVME_SQE_CDW11, NVME_VIRT_NR);
	bool resources = action == NVME_VIRT_PRIMARY_ALLOCATION || action == NVME_VIRT_ASSIGN;
	struct nvme *to = secondary(nvme->subsystem, id);

	if (!resources && action != NVME_VIRT_OFFLINE && action != NVME_VIRT_ONLINE)
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	if (resources && type > NVME_VIRT_RT_VI)
		return nvme_refuse(cmd, NVME_INVALID_RESOURCE_ID);
	if (action == NVME_VIRT_PRIMARY_ALLOCATION) {
		if (id != nvme->id)
			return nvme_refuse(cmd, NVME_INVALID_CONTROLLER_ID);
		return allocate(nvme, cmd, type, count);
	}
	if (!to)
		return nvme_refuse(cmd, NVME_INVALID_CONTROLLER_ID);
	if (action == NVME_VIRT_ASSIGN)
		return assign(nvme, cmd, to, type, count);
	return action == NVME_VIRT_OFFLINE ? go_offline(cmd, to) : go_online(cmd, to);
}

/* -- as bytes: what the primary controller has, then each secondary one -- */

enum {
	VIRTUAL_KEPT_VQ = 0, /* from its next reset on */
	VIRTUAL_KEPT_VI = 2,
	VIRTUAL_NOW_VQ = 4, /* I/O queue pairs in use */
	VIRTUAL_NOW_VI = 6,
	VIRTUAL_SIZE = 8,
	VIRTUAL_ID = 0,
	VIRTUAL_ONLINE = 2,
	VIRTUAL_VQ = 4,
	VIRTUAL_VI = 6,
};

static struct nvme *primary(const struct nvme_subsystem *subsystem)
{
	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++)
		if (subsystem->controllers[id] && subsystem->controllers[id]->role == NVME_PRIMARY)
			return subsystem->controllers[id];
	return NULL;
}

static size_t virtual_size(const struct nvme_subsystem *subsystem)
{
	size_t n = 0;

	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++)
		n += secondary(subsystem, id) != NULL;
	return n && primary(subsystem) ? VIRTUAL_SIZE * (n + 1) : 0;
}

size_t nvme_virtual_save(const struct nvme_subsystem *subsystem, uint8_t *to, size_t room)
{
	size_t size = virtual_size(subsystem);

	if (!size || size > room)
		return size;
	put_le16(to + VIRTUAL_KEPT_VQ, subsystem->primary_vq);
	put_le16(to + VIRTUAL_KEPT_VI, subsystem->primary_vi);
	put_le16(to + VIRTUAL_NOW_VQ, primary(subsystem)->queues_now);
	put_le16(to + VIRTUAL_NOW_VI, primary(subsystem)->vectors_now);
	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++) {
		const struct nvme *nvme = secondary(subsystem, id);

		if (!nvme)
			continue;
		to += VIRTUAL_SIZE;
		put_le16(to + VIRTUAL_ID, nvme->id);
		put_le16(to + VIRTUAL_ONLINE, nvme->online);
		put_le16(to + VIRTUAL_VQ, nvme->queues_assigned);
		put_le16(to + VIRTUAL_VI, nvme->vectors_assigned);
	}
	return size;
}

/* An entry of the same controllers in the same order, within what it may be lent. */
static bool entry_is_sound(const struct nvme *nvme, const uint8_t *from)
{
	unsigned online = get_le16(from + VIRTUAL_ONLINE), vq = get_le16(from + VIRTUAL_VQ);
	unsigned vi = get_le16(from + VIRTUAL_VI);

	return get_le16(from + VIRTUAL_ID) == nvme->id && online <= 1 && vq <= nvme->queues + 1u &&
	       vi <= nvme->vectors && (!online || (vq >= 2 && vi >= 1));
}

static bool virtual_is_sound(const struct nvme_subsystem *subsystem, const uint8_t *from)
{
	struct pool vq = pool_of(subsystem, NVME_VIRT_RT_VQ), vi = pool_of(subsystem, NVME_VIRT_RT_VI);
	const struct nvme *own = primary(subsystem);
	unsigned lent_vq = get_le16(from + VIRTUAL_KEPT_VQ), lent_vi = get_le16(from + VIRTUAL_KEPT_VI);
	unsigned now_vq = get_le16(from + VIRTUAL_NOW_VQ), now_vi = get_le16(from + VIRTUAL_NOW_VI);

	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++) {
		if (!secondary(subsystem, id))
			continue;
		from += VIRTUAL_SIZE;
		if (!entry_is_sound(secondary(subsystem, id), from))
			return false;
		lent_vq += get_le16(from + VIRTUAL_VQ);
		lent_vi += get_le16(from + VIRTUAL_VI);
	}
	return lent_vq <= vq.all && lent_vi <= vi.all && now_vq >= own->queues && now_vi >= own->vectors &&
	       now_vq <= min_u32(own->queues + vq.all, NVME_QUEUES_MAX) &&
	       now_vi <= min_u32(own->vectors + vi.all, vectors_most(own));
}

static void take_entry(struct nvme *nvme, const uint8_t *from)
{
	uint16_t vq = get_le16(from + VIRTUAL_VQ), vi = get_le16(from + VIRTUAL_VI);
	bool online = get_le16(from + VIRTUAL_ONLINE);

	if (nvme->online == online && nvme->queues_assigned == vq && nvme->vectors_assigned == vi)
		return;
	nvme->online = online;
	nvme->queues_assigned = vq;
	nvme->vectors_assigned = vi;
	nvme_reset(nvme);
}

int nvme_virtual_load(struct nvme_subsystem *subsystem, const uint8_t *from, size_t size)
{
	if (size != virtual_size(subsystem) || (size && !virtual_is_sound(subsystem, from)))
		return -EINVAL;
	if (!size)
		return 0;
	subsystem->primary_vq = get_le16(from + VIRTUAL_KEPT_VQ);
	subsystem->primary_vi = get_le16(from + VIRTUAL_KEPT_VI);
	primary(subsystem)->queues_now = get_le16(from + VIRTUAL_NOW_VQ);
	primary(subsystem)->vectors_now = get_le16(from + VIRTUAL_NOW_VI);
	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++)
		if (secondary(subsystem, id))
			take_entry(secondary(subsystem, id), from += VIRTUAL_SIZE);
	return 0;
}
