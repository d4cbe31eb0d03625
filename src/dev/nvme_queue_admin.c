/* The admin commands about queues: create and delete I/O queues (5.4 to 5.7), Doorbell Buffer
 * Config (5.8). */
#include "dev/nvme_internal.h"

static bool is_free_id(const struct nvme *nvme, unsigned id)
{
	return id >= 1 && id <= nvme->queues_now;
}

/* What both kinds of queue must be; NVME_SUCCESS: they are. */
static enum nvme_status check_shape(const struct nvme_command *cmd)
{
	unsigned size = sqe_field(cmd, NVME_SQE_CDW10, NVME_QUEUE_SIZE);

	if (size == 0 || size >= NVME_ENTRIES_MAX)
		return NVME_INVALID_QUEUE_SIZE;
	if (!sqe_field(cmd, NVME_SQE_CDW11, NVME_QUEUE_PC))
		return NVME_INVALID_FIELD;
	if (sqe64(cmd, NVME_SQE_DPTR) % NVME_PAGE_SIZE)
		return NVME_PRP_OFFSET_INVALID;
	return NVME_SUCCESS;
}

enum nvme_outcome nvme_admin_create_cq(struct nvme *nvme, struct nvme_command *cmd)
{
	unsigned id = sqe_field(cmd, NVME_SQE_CDW10, NVME_QUEUE_ID);
	unsigned vector = sqe_field(cmd, NVME_SQE_CDW11, NVME_CQ_VECTOR);
	enum nvme_status status = check_shape(cmd);

	if (!is_free_id(nvme, id) || nvme->cq[id].live)
		return nvme_refuse(cmd, NVME_INVALID_QUEUE_ID);
	if (status)
		return nvme_refuse(cmd, status);
	if (field_get(nvme->cc, NVME_CC_IOCQES) != NVME_CQES)
		return nvme_refuse(cmd, NVME_INVALID_QUEUE_SIZE);
	if (vector >= nvme->vectors_now)
		return nvme_refuse(cmd, NVME_INVALID_VECTOR);
	nvme_cq_open(nvme, id, sqe64(cmd, NVME_SQE_DPTR),
		     sqe_field(cmd, NVME_SQE_CDW10, NVME_QUEUE_SIZE) + 1);
	nvme->cq[id].vector = (uint16_t)vector;
	nvme->cq[id].interrupts = sqe_field(cmd, NVME_SQE_CDW11, NVME_CQ_IEN);
	return nvme_succeed(cmd);
}

enum nvme_outcome nvme_admin_create_sq(struct nvme *nvme, struct nvme_command *cmd)
{
	unsigned id = sqe_field(cmd, NVME_SQE_CDW10, NVME_QUEUE_ID);
	unsigned cq = sqe_field(cmd, NVME_SQE_CDW11, NVME_SQ_CQID);
	enum nvme_status status = check_shape(cmd);

	if (!is_free_id(nvme, id) || nvme->sq[id].live)
		return nvme_refuse(cmd, NVME_INVALID_QUEUE_ID);
	if (cq == 0 || cq > NVME_QUEUES_MAX || !nvme->cq[cq].live)
		return nvme_refuse(cmd, NVME_CQ_INVALID);
	if (status)
		return nvme_refuse(cmd, status);
	if (field_get(nvme->cc, NVME_CC_IOSQES) != NVME_SQES)
		return nvme_refuse(cmd, NVME_INVALID_QUEUE_SIZE);
	nvme_sq_open(nvme, id, sqe64(cmd, NVME_SQE_DPTR),
		     sqe_field(cmd, NVME_SQE_CDW10, NVME_QUEUE_SIZE) + 1, cq);
	return nvme_succeed(cmd);
}

/* Completions that still wait for room in the queue go with it. */
static void drop_waiting(struct nvme *nvme, unsigned id)
{
	struct nvme_cq *cq = &nvme->cq[id];
	struct nvme_command *cmd;

	while ((cmd = cq->waiting)) {
		cq->waiting = cmd->next;
		nvme_command_free(nvme, cmd);
	}
	nvme->crowded &= ~(UINT64_C(1) << id);
}

enum nvme_outcome nvme_admin_delete_cq(struct nvme *nvme, struct nvme_command *cmd)
{
	unsigned id = sqe_field(cmd, NVME_SQE_CDW10, NVME_QUEUE_ID);

	if (id == 0 || id > NVME_QUEUES_MAX || !nvme->cq[id].live)
		return nvme_refuse(cmd, NVME_INVALID_QUEUE_ID);
	if (nvme->cq[id].users)
		return nvme_refuse(cmd, NVME_INVALID_QUEUE_DELETION);
	drop_waiting(nvme, id);
	memset(&nvme->cq[id], 0, sizeof nvme->cq[id]);
	nvme->unflushed &= ~(UINT64_C(1) << id);
	return nvme_succeed(cmd);
}

/* Ends when the last of the queue's commands has: nothing of it touches memory afterwards. */
enum nvme_outcome nvme_admin_delete_sq(struct nvme *nvme, struct nvme_command *cmd)
{
	unsigned id = sqe_field(cmd, NVME_SQE_CDW10, NVME_QUEUE_ID);
	struct nvme_sq *sq;

	if (id == 0 || id > NVME_QUEUES_MAX || !nvme->sq[id].live || nvme->sq[id].deleting)
		return nvme_refuse(cmd, NVME_INVALID_QUEUE_ID);
	sq = &nvme->sq[id];
	sq->deleting = true;
	nvme_commands_cancel(nvme, (int)id);
	nvme->live &= ~(UINT64_C(1) << id);
	if (sq->outstanding) {
		cmd->state = NVME_CMD_PARKED;
		sq->deleter = cmd;
		return NVME_UNDER_WAY;
	}
	nvme_sq_close(nvme, id);
	return nvme_succeed(cmd);
}

void nvme_sq_close(struct nvme *nvme, unsigned id)
{
	nvme->cq[nvme->sq[id].cq].users--;
	nvme->live &= ~(UINT64_C(1) << id);
	nvme->sq[id].live = false;
	nvme->sq[id].deleting = false;
}

enum nvme_outcome nvme_admin_doorbell_buffer(struct nvme *nvme, struct nvme_command *cmd)
{
	uint64_t doorbells = sqe64(cmd, NVME_SQE_DPTR), events = sqe64(cmd, NVME_SQE_PRP2);
	uint8_t *host[2];

	if (doorbells % NVME_PAGE_SIZE || events % NVME_PAGE_SIZE)
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	nvme_window_open(&nvme->shadow_doorbells, doorbells, NVME_PAGE_SIZE);
	nvme_window_open(&nvme->shadow_events, events, NVME_PAGE_SIZE);
	for (unsigned i = 0; i < 2; i++)
		switch (nvme_window_at(nvme, i ? &nvme->shadow_events : &nvme->shadow_doorbells, 0,
				       NVME_PAGE_SIZE, i ? DMA_WRITE : DMA_READ, &host[i])) {
		case DMA_MISS:
			return NVME_LATER;
		case DMA_FAULT:
			return nvme_data_blocked(nvme, cmd);
		case DMA_OK:
			break;
		}
	/* Queues that exist already go on from where their registers are. */
	for (unsigned index = 0; index < 2 * (NVME_QUEUES_MAX + 1); index++)
		guest_store32(host[0] + index * NVME_DOORBELL_SIZE,
			      guest_load32(nvme->doorbells + index * NVME_DOORBELL_SIZE));
	nvme->shadow = true;
	return nvme_succeed(cmd);
}
