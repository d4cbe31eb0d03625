/* Namespace Management and Attachment (5.22, 5.23, 8.11): what guests wish is checked here and
 * carried out by the owner of the card. */
#include "dev/nvme_internal.h"

/* Hands the wish in subsystem->wish on; the command ends with nvme_wish_done(). */
static enum nvme_outcome wish(struct nvme *nvme, struct nvme_command *cmd)
{
	struct nvme_subsystem *subsystem = nvme->subsystem;

	cmd->state = NVME_CMD_PARKED;
	subsystem->wishing = true;
	subsystem->wisher = cmd;
	subsystem->wish_begin(subsystem->owner, &subsystem->wish);
	return NVME_UNDER_WAY;
}

void nvme_wish_done(struct nvme_subsystem *subsystem, enum nvme_status status, uint32_t nsid)
{
	struct nvme_command *cmd = subsystem->wisher;

	must(subsystem->wishing);
	subsystem->wishing = false;
	subsystem->wisher = NULL;
	if (!cmd) /* its controller was reset meanwhile */
		return;
	cmd->status = (uint16_t)(status ? status | NVME_STATUS_DNR : NVME_SUCCESS);
	if (subsystem->wish.kind == NVME_WISH_CREATE)
		cmd->dw0 = nsid;
	nvme_command_end(cmd->nvme, cmd);
}

static enum nvme_outcome create(struct nvme *nvme, struct nvme_command *cmd)
{
	struct nvme_wish *to = &nvme->subsystem->wish;
	enum nvme_outcome outcome = nvme_data_reach(nvme, cmd, NVME_IDENTIFY_SIZE, DMA_READ);
	uint8_t *from = nvme->scratch;
	unsigned format, shift;

	if (outcome != NVME_UNDER_WAY)
		return outcome;
	nvme_data_take(cmd, from, NVME_IDENTIFY_SIZE);
	format = from[NVME_IDN_FLBAS] & 0xf;
	if (sqe32(cmd, NVME_SQE_CDW11) >> 24) /* another I/O command set */
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	if (format >= NVME_FORMATS || from[NVME_IDN_FLBAS] >> 4)
		return nvme_refuse(cmd, NVME_INVALID_FORMAT);
	if (from[NVME_IDN_DPS] || from[NVME_IDN_NMIC] & ~NVME_NMIC_SHARED ||
	    get_le64(from + NVME_IDN_NSZE) == 0)
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	if (get_le64(from + NVME_IDN_NCAP) != get_le64(from + NVME_IDN_NSZE))
		return nvme_refuse(cmd, NVME_THIN_NOT_SUPPORTED);
	shift = nvme_format_shift(format);
	if (get_le64(from + NVME_IDN_NSZE) > nvme->subsystem->unallocated >> shift)
		return nvme_refuse(cmd, NVME_INSUFFICIENT_CAPACITY);
	*to = (struct nvme_wish){ .kind = NVME_WISH_CREATE,
				  .size = get_le64(from + NVME_IDN_NSZE) << shift,
				  .block_size = 1u << shift,
				  .shared = from[NVME_IDN_NMIC] & NVME_NMIC_SHARED };
	return wish(nvme, cmd);
}

static bool is_allocated(const struct nvme *nvme, uint32_t nsid)
{
	return nsid - 1 < BLOCK_NAMESPACES_MAX && nvme->subsystem->spaces[nsid - 1].there;
}

static enum nvme_outcome delete(struct nvme *nvme, struct nvme_command *cmd)
{
	uint32_t nsid = sqe32(cmd, NVME_SQE_NSID);

	if (nsid != (uint32_t)NVME_NSID_ALL && !is_allocated(nvme, nsid))
		return nvme_refuse(cmd, nsid - 1 < BLOCK_NAMESPACES_MAX ? NVME_INVALID_FIELD :
									 NVME_INVALID_NAMESPACE);
	nvme->subsystem->wish = (struct nvme_wish){ .kind = NVME_WISH_DELETE, .nsid = nsid };
	return wish(nvme, cmd);
}

enum nvme_outcome nvme_admin_manage_namespace(struct nvme *nvme, struct nvme_command *cmd)
{
	if (nvme->subsystem->wishing)
		return NVME_LATER;
	switch (sqe_field(cmd, NVME_SQE_CDW10, NVME_MANAGE_SEL)) {
	case NVME_MANAGE_CREATE:
		return create(nvme, cmd);
	case NVME_MANAGE_DELETE:
		return delete(nvme, cmd);
	default:
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	}
}

/* Copies a controller list: IDs in ascending order, each of a controller that is there. */
static enum nvme_status take_list(const struct nvme_subsystem *subsystem, const uint8_t *list,
				  struct nvme_wish *to)
{
	unsigned count = get_le16(list);

	if (count == 0 || count > NVME_CONTROLLERS_MAX)
		return NVME_CONTROLLER_LIST_INVALID;
	for (unsigned i = 0; i < count; i++) {
		uint16_t id = get_le16(list + 2 * (i + 1));

		if (id >= NVME_CONTROLLERS_MAX || !subsystem->controllers[id] ||
		    (i && id <= to->controllers[i - 1]))
			return NVME_CONTROLLER_LIST_INVALID;
		to->controllers[i] = id;
	}
	to->count = (uint16_t)count;
	return NVME_SUCCESS;
}

static unsigned attached(const struct nvme_subsystem *subsystem, uint32_t nsid)
{
	unsigned n = 0;

	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++)
		n += subsystem->controllers[id] && nvme_back(subsystem->controllers[id], nsid);
	return n;
}

static enum nvme_status check_attachment(const struct nvme_subsystem *subsystem,
					 const struct nvme_wish *wish)
{
	for (unsigned i = 0; i < wish->count; i++) {
		bool has = nvme_back(subsystem->controllers[wish->controllers[i]], wish->nsid);

		if (wish->kind == NVME_WISH_ATTACH && has)
			return NVME_ALREADY_ATTACHED;
		if (wish->kind == NVME_WISH_DETACH && !has)
			return NVME_NOT_ATTACHED;
	}
	if (wish->kind == NVME_WISH_ATTACH && !subsystem->spaces[wish->nsid - 1].shared &&
	    attached(subsystem, wish->nsid) + wish->count > 1)
		return NVME_NAMESPACE_PRIVATE;
	return NVME_SUCCESS;
}

enum nvme_outcome nvme_admin_attach_namespace(struct nvme *nvme, struct nvme_command *cmd)
{
	unsigned select = sqe_field(cmd, NVME_SQE_CDW10, NVME_MANAGE_SEL);
	uint32_t nsid = sqe32(cmd, NVME_SQE_NSID);
	struct nvme_wish *to = &nvme->subsystem->wish;
	enum nvme_outcome outcome;
	enum nvme_status status;

	if (nvme->subsystem->wishing)
		return NVME_LATER;
	if (select > NVME_DETACH)
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	if (!is_allocated(nvme, nsid))
		return nvme_refuse(cmd, nsid - 1 < BLOCK_NAMESPACES_MAX ? NVME_INVALID_FIELD :
									 NVME_INVALID_NAMESPACE);
	outcome = nvme_data_reach(nvme, cmd, NVME_IDENTIFY_SIZE, DMA_READ);
	if (outcome != NVME_UNDER_WAY)
		return outcome;
	nvme_data_take(cmd, nvme->scratch, NVME_IDENTIFY_SIZE);
	*to = (struct nvme_wish){
		.kind = select == NVME_ATTACH ? NVME_WISH_ATTACH : NVME_WISH_DETACH,
		.nsid = nsid,
	};
	status = take_list(nvme->subsystem, nvme->scratch, to);
	if (!status)
		status = check_attachment(nvme->subsystem, to);
	if (status)
		return nvme_refuse(cmd, status);
	return wish(nvme, cmd);
}
