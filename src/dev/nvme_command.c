/* Commands under way: the pool they come from, their requests at the card, how they end. */
#include "dev/nvme_internal.h"

void nvme_commands_init(struct nvme *nvme)
{
	for (unsigned i = NVME_COMMANDS; i-- > 0;) {
		nvme->commands[i].nvme = nvme;
		nvme->commands[i].next = nvme->free;
		nvme->free = &nvme->commands[i];
	}
	nvme->free_count = NVME_COMMANDS;
	for (unsigned i = 0; i < NVME_LONG_LISTS; i++) {
		nvme->long_list[i].next = nvme->lists;
		nvme->lists = &nvme->long_list[i];
	}
	nvme->unsent_end = &nvme->unsent;
}

struct nvme_command *nvme_command_take(struct nvme *nvme)
{
	struct nvme_command *cmd = nvme->free;

	if (unlikely(!cmd))
		return NULL;
	nvme->free = cmd->next;
	nvme->free_count--;
	cmd->state = NVME_CMD_FRESH;
	cmd->orphan = false;
	cmd->abort_status = 0;
	cmd->status = 0;
	cmd->dw0 = 0;
	cmd->waiter = NULL;
	cmd->more = NULL;
	cmd->list = NULL;
	cmd->seg_count = 0;
	cmd->segs = cmd->small;
	return cmd;
}

void nvme_command_free(struct nvme *nvme, struct nvme_command *cmd)
{
	if (unlikely(cmd->list)) {
		cmd->list->next = nvme->lists;
		nvme->lists = cmd->list;
	}
	cmd->state = NVME_CMD_FREE;
	cmd->next = nvme->free;
	nvme->free = cmd;
	nvme->free_count++;
}

static bool writes(const struct nvme_command *cmd)
{
	return cmd->request.op != BLOCK_READ && cmd->request.op != BLOCK_COMPARE &&
	       cmd->request.op != BLOCK_VERIFY;
}

uint16_t nvme_command_status(const struct nvme_command *cmd, enum block_result result)
{
	switch (result) {
	case BLOCK_DONE:
		return NVME_SUCCESS;
	case BLOCK_DIFFERS:
		return NVME_COMPARE_FAILURE | NVME_STATUS_DNR;
	case BLOCK_OUT_OF_RANGE:
		return NVME_LBA_OUT_OF_RANGE | NVME_STATUS_DNR;
	case BLOCK_READ_ONLY:
		return NVME_WRITE_PROTECTED | NVME_STATUS_DNR;
	case BLOCK_NO_SPACE:
		return NVME_CAPACITY_EXCEEDED | NVME_STATUS_DNR;
	case BLOCK_UNSUPPORTED:
		return NVME_INVALID_OPCODE | NVME_STATUS_DNR;
	case BLOCK_MEDIUM_ERROR:
		return writes(cmd) ? NVME_WRITE_FAULT : NVME_READ_ERROR;
	case BLOCK_GONE: /* it may come back, so the driver may try again */
		return NVME_NAMESPACE_NOT_READY;
	case BLOCK_ABORTED:
		return NVME_ABORT_REQUESTED;
	case BLOCK_RESULT_COUNT:
		break;
	}
	return NVME_INTERNAL_ERROR;
}

static void count(struct nvme *nvme, const struct nvme_command *cmd)
{
	struct block_front *front = &nvme->front;
	bool data = cmd->request.op == BLOCK_READ || cmd->request.op == BLOCK_WRITE;

	if (cmd->status) {
		counter_add(&front->failed, 1);
		if (cmd->request.result == BLOCK_MEDIUM_ERROR)
			nvme->media_errors++;
	} else if (data && cmd->request.op == BLOCK_READ) {
		counter_add(&front->reads, 1);
		counter_add(&front->read_bytes, cmd->request.size);
	} else if (data) {
		counter_add(&front->writes, 1);
		counter_add(&front->written_bytes, cmd->request.size);
	} else if (cmd->request.op == BLOCK_FLUSH) {
		counter_add(&front->flushes, 1);
	} else {
		counter_add(&front->others, 1);
	}
}

/* An Abort or the second of a fused pair, which was waiting for a command that ended so. */
static void end_waiter(struct nvme *nvme, struct nvme_command *waiter, uint16_t status)
{
	if (waiter->sqid == 0) { /* Abort: dword 0 tells whether it came in time */
		waiter->dw0 = (status & NVME_STATUS_CODE_MASK) != NVME_ABORT_REQUESTED;
		waiter->status = NVME_SUCCESS;
		nvme->aborts--;
	} else {
		waiter->status =
			status ? NVME_ABORTED_FAILED_FUSED | NVME_STATUS_DNR : NVME_SUCCESS;
		counter_add(status ? &nvme->front.failed : &nvme->front.others, 1);
	}
	nvme_command_end(nvme, waiter);
}

void nvme_command_end(struct nvme *nvme, struct nvme_command *cmd)
{
	struct nvme_command *waiter = cmd->waiter, *deleter;
	struct nvme_sq *sq = &nvme->sq[cmd->sqid];
	uint16_t status = cmd->status;

	if (unlikely(cmd->orphan)) {
		nvme_command_free(nvme, cmd);
		return;
	}
	must(sq->outstanding > 0);
	sq->outstanding--;
	if (unlikely(status))
		nvme_error_log(nvme, cmd);
	nvme_cq_post(nvme, cmd);
	if (unlikely(waiter))
		end_waiter(nvme, waiter, status);
	deleter = sq->deleter;
	if (unlikely(deleter && sq->outstanding == 0)) {
		sq->deleter = NULL;
		nvme_sq_close(nvme, (unsigned)(sq - nvme->sq));
		nvme_command_end(nvme, deleter);
	}
}

static void on_done(struct worker *worker, struct block_request *request)
{
	struct nvme_command *cmd = request->owner;
	struct nvme *nvme = cmd->nvme;

	nvme->worker = worker;
	nvme->front.in_flight--;
	if (likely(!cmd->orphan)) {
		cmd->status = nvme_command_status(cmd, request->result);
		if (unlikely(cmd->status == NVME_ABORT_REQUESTED))
			cmd->status = nvme->sq[cmd->sqid].deleting ? NVME_ABORTED_SQ_DELETION :
				      cmd->abort_status		   ? cmd->abort_status :
								     NVME_ABORT_REQUESTED;
		if (request->op == BLOCK_READ)
			nvme_data_wrote(nvme, cmd);
		if (unlikely(cmd->more) && cmd->status == NVME_SUCCESS && cmd->more(nvme, cmd)) {
			if (!cmd->abort_status) {
				nvme_command_send(nvme, cmd);
				return;
			}
			cmd->status = cmd->abort_status;
		}
		count(nvme, cmd);
	}
	nvme_command_end(nvme, cmd);
}

enum nvme_outcome nvme_command_send(struct nvme *nvme, struct nvme_command *cmd)
{
	cmd->request.done = on_done;
	cmd->request.owner = cmd;
	cmd->state = NVME_CMD_SENT;
	nvme->front.in_flight++;
	if (likely(!nvme->unsent &&
		   cmd->back->ops->submit(nvme->worker, cmd->back, &cmd->request)))
		return NVME_UNDER_WAY;
	nvme->front.in_flight--;
	cmd->state = NVME_CMD_UNSENT;
	cmd->next = NULL;
	*nvme->unsent_end = cmd;
	nvme->unsent_end = &cmd->next;
	nvme->unsent_count++;
	return NVME_UNDER_WAY;
}

void nvme_commands_resend(struct nvme *nvme)
{
	struct nvme_command *list = nvme->unsent, *cmd;

	nvme->unsent = NULL;
	nvme->unsent_end = &nvme->unsent;
	nvme->unsent_count = 0;
	/* Each is offered once; those refused again stay in order, and another namespace's go
	 * on although the first one's card is full. */
	while ((cmd = list)) {
		list = cmd->next;
		nvme->front.in_flight++;
		cmd->state = NVME_CMD_SENT;
		if (cmd->back->ops->submit(nvme->worker, cmd->back, &cmd->request))
			continue;
		nvme->front.in_flight--;
		cmd->state = NVME_CMD_UNSENT;
		cmd->next = NULL;
		*nvme->unsent_end = cmd;
		nvme->unsent_end = &cmd->next;
		nvme->unsent_count++;
	}
}

static void take_unsent(struct nvme *nvme, struct nvme_command *cmd)
{
	struct nvme_command **link = &nvme->unsent;

	while (*link != cmd)
		link = &(*link)->next;
	*link = cmd->next;
	if (nvme->unsent_end == &cmd->next)
		nvme->unsent_end = link;
	nvme->unsent_count--;
}

void nvme_commands_cancel(struct nvme *nvme, int sqid_or_all)
{
	for (unsigned i = 0; i < NVME_COMMANDS; i++) {
		struct nvme_command *cmd = &nvme->commands[i];

		if (sqid_or_all >= 0 && cmd->sqid != sqid_or_all)
			continue;
		if (cmd->state == NVME_CMD_SENT && cmd->back->ops->cancel) {
			cmd->back->ops->cancel(nvme->worker, cmd->back, &cmd->request);
		} else if (cmd->state == NVME_CMD_UNSENT) {
			take_unsent(nvme, cmd);
			cmd->status = nvme->sq[cmd->sqid].deleting ? NVME_ABORTED_SQ_DELETION :
								     NVME_ABORT_REQUESTED;
			nvme_command_end(nvme, cmd);
		}
	}
}

void nvme_commands_orphan(struct nvme *nvme)
{
	for (unsigned i = 0; i < NVME_COMMANDS; i++) {
		struct nvme_command *cmd = &nvme->commands[i];

		cmd->waiter = NULL;
		if (cmd->state == NVME_CMD_SENT)
			cmd->orphan = true;
		else if (cmd->state != NVME_CMD_FREE)
			nvme_command_free(nvme, cmd);
	}
	nvme->unsent = NULL;
	nvme->unsent_end = &nvme->unsent;
	nvme->unsent_count = 0;
	nvme->aborts = 0;
	nvme->aer_count = 0;
}

static bool abort_event(struct nvme *nvme, uint16_t cid)
{
	for (unsigned i = 0; i < nvme->aer_count; i++) {
		struct nvme_command *aer = nvme->aers[i];

		if (aer->cid != cid)
			continue;
		nvme->aers[i] = nvme->aers[--nvme->aer_count];
		aer->status = NVME_ABORT_REQUESTED;
		nvme_command_end(nvme, aer);
		return true;
	}
	return false;
}

/* 5.1: dword 0 is 0 when the command was aborted.  What a card has begun ends as it ends; the Abort
 * waits for it, so that its answer is true. */
enum nvme_outcome nvme_admin_abort(struct nvme *nvme, struct nvme_command *abort)
{
	uint16_t sqid = (uint16_t)sqe32(abort, NVME_SQE_CDW10);
	uint16_t cid = (uint16_t)(sqe32(abort, NVME_SQE_CDW10) >> 16);

	abort->dw0 = 1;
	if (nvme->aborts == NVME_ABORTS_MAX)
		return nvme_refuse(abort, NVME_ABORT_LIMIT);
	if (sqid > NVME_QUEUES_MAX || !nvme->sq[sqid].live)
		return nvme_refuse(abort, NVME_INVALID_FIELD);
	if (sqid == 0) {
		abort->dw0 = !abort_event(nvme, cid);
		return nvme_succeed(abort);
	}
	for (unsigned i = 0; i < NVME_COMMANDS; i++) {
		struct nvme_command *cmd = &nvme->commands[i];

		if (cmd->sqid != sqid || cmd->cid != cid || cmd->orphan || cmd->waiter)
			continue;
		if (cmd->state == NVME_CMD_UNSENT) {
			take_unsent(nvme, cmd);
			cmd->status = NVME_ABORT_REQUESTED;
			nvme_command_end(nvme, cmd);
			abort->dw0 = 0;
			return nvme_succeed(abort);
		}
		if (cmd->state != NVME_CMD_SENT)
			continue;
		cmd->waiter = abort;
		cmd->abort_status = NVME_ABORT_REQUESTED;
		abort->state = NVME_CMD_PARKED;
		nvme->aborts++;
		if (cmd->back->ops->cancel)
			cmd->back->ops->cancel(nvme->worker, cmd->back, &cmd->request);
		return NVME_UNDER_WAY;
	}
	return nvme_succeed(abort);
}
