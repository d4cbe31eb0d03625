/* The admin commands: which there are, what each may change, and whom it is passed to. */
#include "dev/nvme_internal.h"

enum admin_offer { ALWAYS, WITH_WISHES, PRIMARY_ONLY };

/* Commands that are not here, firmware and security among them, end with Invalid Command Opcode,
 * and OACS says so. */
static const struct admin {
	uint8_t opcode;
	enum admin_offer offer;
	uint32_t effects; /* besides CSUPP; 5.16.1.6 */
	enum nvme_outcome (*run)(struct nvme *nvme, struct nvme_command *cmd);
} commands[] = {
	{ NVME_ADMIN_DELETE_SQ, ALWAYS, 0, nvme_admin_delete_sq },
	{ NVME_ADMIN_CREATE_SQ, ALWAYS, 0, nvme_admin_create_sq },
	{ NVME_ADMIN_GET_LOG, ALWAYS, 0, nvme_admin_get_log },
	{ NVME_ADMIN_DELETE_CQ, ALWAYS, 0, nvme_admin_delete_cq },
	{ NVME_ADMIN_CREATE_CQ, ALWAYS, 0, nvme_admin_create_cq },
	{ NVME_ADMIN_IDENTIFY, ALWAYS, 0, nvme_admin_identify },
	{ NVME_ADMIN_ABORT, ALWAYS, 0, nvme_admin_abort },
	{ NVME_ADMIN_SET_FEATURES, ALWAYS, NVME_EFFECT_CCC, nvme_admin_set_features },
	{ NVME_ADMIN_GET_FEATURES, ALWAYS, 0, nvme_admin_get_features },
	{ NVME_ADMIN_ASYNC_EVENT, ALWAYS, 0, nvme_admin_async_event },
	{ NVME_ADMIN_MANAGE_NAMESPACE, WITH_WISHES, NVME_EFFECT_NIC | NVME_EFFECT_LBCC,
	  nvme_admin_manage_namespace },
	{ NVME_ADMIN_ATTACH_NAMESPACE, WITH_WISHES, NVME_EFFECT_NIC, nvme_admin_attach_namespace },
	{ NVME_ADMIN_VIRTUALIZATION, PRIMARY_ONLY, NVME_EFFECT_CCC, nvme_admin_virtualization },
	{ NVME_ADMIN_DOORBELL_BUFFER, ALWAYS, 0, nvme_admin_doorbell_buffer },
	{ NVME_ADMIN_FORMAT, ALWAYS, NVME_EFFECT_LBCC | NVME_EFFECT_NCC | NVME_EFFECT_CSE_NAMESPACE,
	  nvme_admin_format },
	{ NVME_ADMIN_SANITIZE, ALWAYS, NVME_EFFECT_LBCC | NVME_EFFECT_CSE_ALL, nvme_admin_sanitize },
};

static bool is_offered(const struct nvme *nvme, const struct admin *admin)
{
	switch (admin->offer) {
	case WITH_WISHES:
		return nvme->subsystem->wish_begin != NULL;
	case PRIMARY_ONLY:
		return nvme->role == NVME_PRIMARY;
	case ALWAYS:
		break;
	}
	return true;
}

void nvme_admin_effects(uint8_t *log, const struct nvme *nvme)
{
	for (unsigned i = 0; i < array_len(commands); i++)
		if (is_offered(nvme, &commands[i]))
			put_le32(log + 4 * commands[i].opcode,
				 NVME_EFFECT_CSUPP | commands[i].effects);
}

/* Sanitize lets these through; 8.21.1, figure 100 of 1.4. */
static bool while_sanitizing(uint8_t opcode)
{
	return opcode != NVME_ADMIN_FORMAT && opcode != NVME_ADMIN_MANAGE_NAMESPACE;
}

enum nvme_outcome nvme_admin(struct nvme *nvme, struct nvme_command *cmd)
{
	uint8_t opcode = cmd->sqe[NVME_SQE_OPC];

	/* 3.3.3.1, figure 87: over PCIe, admin commands use PRPs. */
	if (cmd->sqe[NVME_SQE_FLAGS] >> NVME_PSDT_SHIFT)
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	for (unsigned i = 0; i < array_len(commands); i++) {
		if (commands[i].opcode != opcode || !is_offered(nvme, &commands[i]))
			continue;
		if (nvme->subsystem->sanitizing && !while_sanitizing(opcode))
			return nvme_refuse(cmd, NVME_SANITIZE_IN_PROGRESS);
		return commands[i].run(nvme, cmd);
	}
	return nvme_refuse(cmd, NVME_INVALID_OPCODE);
}

enum nvme_outcome nvme_answer(struct nvme *nvme, struct nvme_command *cmd, uint32_t size)
{
	enum nvme_outcome outcome = nvme_data_reach(nvme, cmd, size, DMA_WRITE);

	if (outcome != NVME_UNDER_WAY)
		return outcome;
	nvme_data_give(nvme, cmd, nvme->scratch, size);
	return nvme_succeed(cmd);
}
