/* Format NVM (5.14) and Sanitize (5.24, 8.21): long changes to whole namespaces, made of requests
 * that the card takes one after the other in poll().
 *
 * Both leave zeroes, then a flush.  A sanitize of namespaces that no function has attached cannot be
 * done by us, and fails. */
#include "dev/nvme_internal.h"

unsigned nvme_format_shift(unsigned format)
{
	return format ? 12 : 9;
}

static void end_sanitize(struct nvme_subsystem *subsystem, enum nvme_status result)
{
	if (result)
		subsystem->sanitize_result = result;
	if (--subsystem->sanitize_left)
		return;
	subsystem->sanitizing = false;
	subsystem->sanitize_status =
		subsystem->sanitize_result ? NVME_SSTAT_FAILED : NVME_SSTAT_DONE;
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++)
		subsystem->spaces[i].blocked =
			subsystem->sanitize_result ? NVME_SANITIZE_FAILED : 0;
	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++)
		if (subsystem->controllers[id])
			nvme_event_post(subsystem->controllers[id], NVME_EVENT_IO_SET,
					NVME_IO_SET_SANITIZED, NVME_LOG_SANITIZE);
}

static void end_task(struct nvme_space *space, enum nvme_status result)
{
	struct nvme_task *task = &space->task;
	struct nvme_subsystem *subsystem = task->nvme->subsystem;
	struct nvme_command *cmd = task->command;

	task->running = false;
	subsystem->tasks--;
	if (task->sanitize) {
		end_sanitize(subsystem, result);
		return;
	}
	space->blocked = 0;
	if (!cmd)
		return;
	/* A format of all namespaces ends with the last of them. */
	task->command = NULL;
	if (result)
		cmd->status = (uint16_t)result;
	if (--cmd->parts == 0)
		nvme_command_end(cmd->nvme, cmd);
}

static void task_done(struct worker *worker, struct block_request *request)
{
	struct nvme_space *space = request->owner;
	struct nvme_task *task = &space->task;

	task->nvme->worker = worker;
	task->nvme->front.in_flight--;
	task->sent = false;
	if (request->result != BLOCK_DONE)
		end_task(space, request->result == BLOCK_READ_ONLY ? NVME_WRITE_PROTECTED :
								     NVME_WRITE_FAULT);
	else if (task->flushing)
		end_task(space, NVME_SUCCESS);
}

static void step(struct nvme *nvme, unsigned i)
{
	struct nvme_space *space = &nvme->subsystem->spaces[i];
	struct nvme_task *task = &space->task;
	uint64_t left, most;

	if (!task->running || task->nvme != nvme || task->sent)
		return;
	if (task->back != nvme->front.namespaces[i]) {
		end_task(space, NVME_NAMESPACE_NOT_READY);
		return;
	}
	left = task->back->size - min_u64(task->at, task->back->size);
	most = task->back->transfer_max ? task->back->transfer_max : UINT64_C(1) << 26;
	task->flushing = left == 0;
	task->request = (struct block_request){
		.op = left ? BLOCK_WRITE_ZEROES : BLOCK_FLUSH,
		.flags = left ? BLOCK_MAY_UNMAP : 0,
		.first = left ? task->at : 0,
		.size = min_u64(left, most),
		.done = task_done,
		.owner = space,
	};
	nvme->front.in_flight++;
	task->sent = true;
	if (task->back->ops->submit(nvme->worker, task->back, &task->request)) {
		task->at += task->request.size;
		return;
	}
	nvme->front.in_flight--;
	task->sent = false;
}

void nvme_tasks_step(struct nvme *nvme)
{
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++)
		step(nvme, i);
}

static void start_task(struct nvme *nvme, unsigned i, struct nvme_command *cmd)
{
	struct nvme_space *space = &nvme->subsystem->spaces[i];

	space->task = (struct nvme_task){ .running = true, .nvme = nvme, .command = cmd,
					  .back = nvme->front.namespaces[i], .sanitize = !cmd };
	space->blocked = cmd ? NVME_FORMAT_IN_PROGRESS : NVME_SANITIZE_IN_PROGRESS;
	nvme->subsystem->tasks++;
}

static enum nvme_status check_format(struct nvme *nvme, const struct nvme_command *cmd,
				     unsigned i)
{
	unsigned format = sqe_field(cmd, NVME_SQE_CDW10, NVME_FORMAT_LBAFL);
	struct nvme_space *space = &nvme->subsystem->spaces[i];

	/* The size of a namespace's blocks is what the card carved it with. */
	if (format >= NVME_FORMATS || sqe_field(cmd, NVME_SQE_CDW10, NVME_FORMAT_LBAFU) ||
	    1u << nvme_format_shift(format) != space->block_size)
		return NVME_INVALID_FORMAT;
	if (space->blocked)
		return (enum nvme_status)space->blocked;
	if (nvme->front.namespaces[i]->read_only)
		return NVME_WRITE_PROTECTED;
	if (!nvme_reserve_allows(nvme, &space->reservation, NVME_RESERVE_WRITES))
		return NVME_RESERVATION_CONFLICT;
	return NVME_SUCCESS;
}

enum nvme_outcome nvme_admin_format(struct nvme *nvme, struct nvme_command *cmd)
{
	uint32_t nsid = sqe32(cmd, NVME_SQE_NSID);
	bool all = nsid == (uint32_t)NVME_NSID_ALL;
	unsigned first = all ? 0 : nsid - 1, end = all ? BLOCK_NAMESPACES_MAX : nsid;
	enum nvme_status status;

	if (!all && !nvme_back(nvme, nsid))
		return nvme_refuse(cmd, nsid - 1 < BLOCK_NAMESPACES_MAX && nsid ?
						NVME_INVALID_FIELD : NVME_INVALID_NAMESPACE);
	/* No protection information, no cryptographic erase. */
	if (sqe_field(cmd, NVME_SQE_CDW10, NVME_FORMAT_PI) ||
	    sqe_field(cmd, NVME_SQE_CDW10, NVME_FORMAT_SES) > NVME_SES_USER_DATA)
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	for (unsigned i = first; i < end; i++) {
		status = nvme->front.namespaces[i] ? check_format(nvme, cmd, i) : NVME_SUCCESS;
		if (status)
			return nvme_refuse(cmd, status);
	}
	cmd->parts = 0;
	for (unsigned i = first; i < end; i++) {
		if (!nvme->front.namespaces[i])
			continue;
		start_task(nvme, i, cmd);
		cmd->parts++;
	}
	cmd->status = NVME_SUCCESS;
	if (cmd->parts == 0)
		return nvme_succeed(cmd);
	cmd->state = NVME_CMD_PARKED;
	return NVME_UNDER_WAY;
}

uint16_t nvme_sanitize_progress(const struct nvme_subsystem *subsystem)
{
	uint64_t done = 0, whole = 0;

	if (!subsystem->sanitizing)
		return 0xffff;
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++) {
		const struct nvme_space *space = &subsystem->spaces[i];

		if (!space->there)
			continue;
		whole += space->size >> 9;
		done += (space->task.running ? min_u64(space->task.at, space->size) : space->size) >>
			9;
	}
	return (uint16_t)(whole ? min_u64(done * 0xfffe / whole, 0xfffe) : 0);
}

static struct nvme *somebody_with(const struct nvme_subsystem *subsystem, unsigned i)
{
	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++)
		if (subsystem->controllers[id] &&
		    subsystem->controllers[id]->front.namespaces[i])
			return subsystem->controllers[id];
	return NULL;
}

static void start_sanitize(struct nvme_subsystem *subsystem, uint32_t cdw10)
{
	subsystem->sanitizing = true;
	subsystem->sanitize_cdw10 = cdw10;
	subsystem->sanitize_status = NVME_SSTAT_RUNNING;
	subsystem->sanitize_result = NVME_SUCCESS;
	subsystem->sanitize_left = 1; /* ourselves, until all have begun */
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++) {
		struct nvme *with = somebody_with(subsystem, i);

		if (subsystem->spaces[i].there && !with)
			subsystem->sanitize_result = NVME_SANITIZE_FAILED;
		if (!with)
			continue;
		subsystem->sanitize_left++;
		start_task(with, i, NULL);
	}
	end_sanitize(subsystem, subsystem->sanitize_result);
}

static bool anything_protected(const struct nvme_subsystem *subsystem)
{
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++)
		if (subsystem->spaces[i].there && subsystem->spaces[i].read_only)
			return true;
	return false;
}

static bool is_formatting(const struct nvme_subsystem *subsystem)
{
	return subsystem->tasks && !subsystem->sanitizing;
}

enum nvme_outcome nvme_admin_sanitize(struct nvme *nvme, struct nvme_command *cmd)
{
	struct nvme_subsystem *subsystem = nvme->subsystem;
	unsigned action = sqe_field(cmd, NVME_SQE_CDW10, NVME_SANITIZE_ACT);
	bool failed = subsystem->sanitize_status == NVME_SSTAT_FAILED;
	bool unrestricted = field_is_set(subsystem->sanitize_cdw10, NVME_SANITIZE_AUSE);

	if (subsystem->sanitizing)
		return nvme_refuse(cmd, NVME_SANITIZE_IN_PROGRESS);
	if (is_formatting(subsystem))
		return nvme_refuse(cmd, NVME_FORMAT_IN_PROGRESS);
	switch (action) {
	case NVME_SANITIZE_EXIT_FAILURE:
		if (failed && !unrestricted)
			return nvme_refuse(cmd, NVME_SANITIZE_FAILED);
		for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++)
			subsystem->spaces[i].blocked = 0;
		return nvme_succeed(cmd);
	case NVME_SANITIZE_BLOCK_ERASE:
		/* After a restricted one failed, only a restricted one makes good again. */
		if (failed && !unrestricted &&
		    sqe_field(cmd, NVME_SQE_CDW10, NVME_SANITIZE_AUSE))
			return nvme_refuse(cmd, NVME_SANITIZE_FAILED);
		if (anything_protected(subsystem))
			return nvme_refuse(cmd, NVME_WRITE_PROTECTED);
		start_sanitize(subsystem, sqe32(cmd, NVME_SQE_CDW10));
		return nvme_succeed(cmd);
	default: /* neither overwriting nor a cryptographic erase */
		return nvme_refuse(cmd, NVME_INVALID_FIELD);
	}
}
