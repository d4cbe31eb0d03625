/* Long changes to whole namespaces, made of requests that the card takes one after the other in
 * poll(), and the one that a host waits for: Format NVM (5.14).  A sanitize (nvme_sanitize.c) is
 * such a task on each namespace.
 *
 * A task begins when no command of any controller is under way on its namespace.  Its requests use
 * no guest memory, so neither a reset nor a guest that goes waits for them.  It ends with a flush.
 */
#include "dev/nvme_internal.h"

unsigned nvme_format_shift(unsigned format)
{
	return format ? 12 : 9;
}

/* What a format has changed is news to the other controllers. */
static void tell_others(const struct nvme *nvme, unsigned i)
{
	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++) {
		struct nvme *other = nvme->subsystem->controllers[id];

		if (other && other != nvme && other->front.namespaces[i])
			nvme_namespace_event(other, UINT64_C(1) << i);
	}
}

static void end_task(struct nvme_space *space, enum nvme_status result)
{
	struct nvme_task *task = &space->task;
	struct nvme_subsystem *subsystem = task->nvme->subsystem;
	struct nvme_command *cmd = task->command;

	task->running = false;
	subsystem->tasks--;
	if (task->kind != NVME_TASK_FORMAT) {
		nvme_sanitize_ended(subsystem, result);
		return;
	}
	space->blocked = 0;
	tell_others(task->nvme, (unsigned)(space - subsystem->spaces));
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
	task->nvme->background--;
	task->sent = false;
	if (request->result != BLOCK_DONE)
		end_task(space, request->result == BLOCK_READ_ONLY ? NVME_WRITE_PROTECTED
								   : NVME_WRITE_FAULT);
	else if (task->flushing && ++task->pass == task->passes)
		end_task(space, NVME_SUCCESS);
	else if (task->flushing)
		task->at = 0;
}

/* Commands that were let in before the namespace was blocked must not write after the task. */
static bool is_drained(const struct nvme_subsystem *subsystem, unsigned i)
{
	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++) {
		const struct nvme *nvme = subsystem->controllers[id];
		const struct block_back *back = nvme ? nvme->front.namespaces[i] : NULL;

		for (unsigned n = 0; back && n < NVME_COMMANDS; n++)
			if (nvme->commands[n].back == back &&
			    (nvme->commands[n].state == NVME_CMD_SENT ||
			     nvme->commands[n].state == NVME_CMD_UNSENT))
				return false;
	}
	return true;
}

static struct block_request next_of(struct nvme_space *space)
{
	struct nvme_task *task = &space->task;
	struct nvme_subsystem *subsystem = task->nvme->subsystem;
	uint64_t left = task->back->size - min_u64(task->at, task->back->size);
	uint64_t most = task->back->transfer_max ? task->back->transfer_max : UINT64_C(1) << 26;
	struct block_request request = { .done = task_done, .owner = space };

	task->flushing = left == 0;
	if (task->flushing) {
		request.op = BLOCK_FLUSH;
		return request;
	}
	request.first = task->at;
	request.size = min_u64(left, most);
	if (task->kind == NVME_TASK_OVERWRITE) {
		request.op = BLOCK_WRITE;
		nvme_sanitize_pattern(subsystem, task, &request);
	} else {
		request.op = BLOCK_WRITE_ZEROES;
		request.flags = task->kind == NVME_TASK_KEEP ? 0 : BLOCK_MAY_UNMAP;
	}
	return request;
}

static void step(struct nvme *nvme, unsigned i)
{
	struct nvme_space *space = &nvme->subsystem->spaces[i];
	struct nvme_task *task = &space->task;

	if (!task->running || task->nvme != nvme || task->sent || nvme->halted)
		return;
	if (task->back != nvme->front.namespaces[i]) {
		end_task(space, NVME_NAMESPACE_NOT_READY);
		return;
	}
	if (!task->drained && !is_drained(nvme->subsystem, i))
		return;
	task->drained = true;
	task->request = next_of(space);
	nvme->front.in_flight++;
	nvme->background++;
	task->sent = true;
	if (task->back->ops->submit(nvme->worker, task->back, &task->request)) {
		task->at += task->request.size;
		return;
	}
	nvme->front.in_flight--;
	nvme->background--;
	task->sent = false;
}

void nvme_tasks_step(struct nvme *nvme)
{
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++)
		step(nvme, i);
}

bool nvme_tasks_wait(const struct nvme *nvme)
{
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++) {
		const struct nvme_task *task = &nvme->subsystem->spaces[i].task;

		if (task->running && task->nvme == nvme && !task->sent)
			return !nvme->halted;
	}
	return false;
}

void nvme_task_start(struct nvme *nvme, unsigned i, enum nvme_task_kind kind, unsigned passes,
		     struct nvme_command *cmd_or_null)
{
	struct nvme_space *space = &nvme->subsystem->spaces[i];

	space->task = (struct nvme_task){ .running = true,
					  .nvme = nvme,
					  .kind = kind,
					  .passes = passes,
					  .command = cmd_or_null,
					  .back = nvme->front.namespaces[i] };
	space->blocked =
		kind == NVME_TASK_FORMAT ? NVME_FORMAT_IN_PROGRESS : NVME_SANITIZE_IN_PROGRESS;
	nvme->subsystem->tasks++;
}

static enum nvme_status check_format(struct nvme *nvme, const struct nvme_command *cmd, unsigned i)
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
		return nvme_refuse(cmd, nsid - 1 < BLOCK_NAMESPACES_MAX && nsid
						? NVME_INVALID_FIELD
						: NVME_INVALID_NAMESPACE);
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
		nvme_task_start(nvme, i, NVME_TASK_FORMAT, 1, cmd);
		cmd->parts++;
	}
	cmd->status = NVME_SUCCESS;
	if (cmd->parts == 0)
		return nvme_succeed(cmd);
	cmd->state = NVME_CMD_PARKED;
	return NVME_UNDER_WAY;
}
