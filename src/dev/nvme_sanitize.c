/* Sanitize (5.24, 8.21): a block erase, which leaves zeroes, or overwriting with a pattern, of all
 * namespaces.
 *
 * It must not be lost by a loss of power, nor come back after it has ended.  So each step is kept
 * (nvme_keep.c) before it is seen: nothing is erased before it is kept that a sanitize runs, and no
 * namespace is opened again before it is kept that it has ended.  After a loss of power it begins
 * anew.
 *
 * Namespaces that no function has attached cannot be erased by us: then it fails. */
#include "dev/nvme_internal.h"

/* -- the end -- */

static void tell_all(const struct nvme_subsystem *subsystem)
{
	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++)
		if (subsystem->controllers[id])
			nvme_event_post(subsystem->controllers[id], NVME_EVENT_IO_SET,
					NVME_IO_SET_SANITIZED, NVME_LOG_SANITIZE);
}

static void block_all(struct nvme_subsystem *subsystem, uint16_t status)
{
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++)
		subsystem->spaces[i].blocked = status;
}

static void become(struct nvme_subsystem *subsystem, enum nvme_sanitize_state state)
{
	subsystem->sanitize = subsystem->sanitize_kept = state;
	subsystem->sanitizing = state == NVME_SANITIZE_IS_RUNNING;
	if (subsystem->sanitizing)
		return;
	block_all(subsystem, state == NVME_SANITIZE_HAS_FAILED ? NVME_SANITIZE_FAILED : 0);
}

void nvme_sanitize_ended(struct nvme_subsystem *subsystem, enum nvme_status result)
{
	if (result)
		subsystem->sanitize_result = result;
	if (--subsystem->sanitize_left)
		return;
	subsystem->sanitize_kept =
		subsystem->sanitize_result ? NVME_SANITIZE_HAS_FAILED : NVME_SANITIZE_IS_DONE;
	nvme_keep_soon(subsystem);
}

/* -- the beginning -- */

static struct nvme *somebody_with(const struct nvme_subsystem *subsystem, unsigned i)
{
	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++)
		if (subsystem->controllers[id] && subsystem->controllers[id]->front.namespaces[i])
			return subsystem->controllers[id];
	return NULL;
}

static bool overwrites(const struct nvme_subsystem *subsystem)
{
	return field_get(subsystem->sanitize_cdw10, NVME_SANITIZE_ACT) == NVME_SANITIZE_OVERWRITE;
}

static unsigned passes_of(const struct nvme_subsystem *subsystem)
{
	unsigned passes = (unsigned)field_get(subsystem->sanitize_cdw10, NVME_SANITIZE_OWPASS);

	return !overwrites(subsystem) ? 1 : passes ? passes : 16;
}

static void lay_pattern(struct nvme_subsystem *subsystem)
{
	for (unsigned n = 0; n < 2; n++) {
		for (unsigned at = 0; at < NVME_PATTERN_SIZE; at += 4)
			put_le32(subsystem->pattern[n] + at,
				 n ? ~subsystem->sanitize_pattern : subsystem->sanitize_pattern);
		for (unsigned i = 0; i < NVME_PATTERN_SEGS; i++)
			subsystem->pattern_segs[n][i] =
				(struct block_seg){ subsystem->pattern[n], NVME_PATTERN_SIZE };
	}
}

/* With OIPBP passes alternate so that the last one writes the pattern itself; 5.24. */
void nvme_sanitize_pattern(struct nvme_subsystem *subsystem, struct nvme_task *task,
			   struct block_request *request)
{
	bool inverts = field_is_set(subsystem->sanitize_cdw10, NVME_SANITIZE_OIPBP);
	unsigned which = inverts && (task->passes - 1 - task->pass) % 2;
	uint64_t most = NVME_PATTERN_SEGS * NVME_PATTERN_SIZE;

	request->size = min_u64(request->size, most);
	if (request->size < NVME_PATTERN_SIZE) { /* the end of an odd namespace */
		task->seg =
			(struct block_seg){ subsystem->pattern[which], (uint32_t)request->size };
		request->segs = &task->seg;
		request->seg_count = 1;
		return;
	}
	request->size -= request->size % NVME_PATTERN_SIZE;
	request->segs = subsystem->pattern_segs[which];
	request->seg_count = (unsigned)(request->size / NVME_PATTERN_SIZE);
}

static enum nvme_task_kind kind_of(const struct nvme_subsystem *subsystem)
{
	if (overwrites(subsystem))
		return NVME_TASK_OVERWRITE;
	return field_is_set(subsystem->sanitize_cdw10, NVME_SANITIZE_NODAS) ? NVME_TASK_KEEP
									    : NVME_TASK_ERASE;
}

static void begin(struct nvme_subsystem *subsystem)
{
	become(subsystem, NVME_SANITIZE_IS_RUNNING);
	lay_pattern(subsystem);
	subsystem->sanitize_result = NVME_SUCCESS;
	subsystem->sanitize_left = 1; /* ourselves, until all have begun */
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++) {
		struct nvme *with = somebody_with(subsystem, i);

		if (subsystem->spaces[i].there && !with)
			subsystem->sanitize_result = NVME_SANITIZE_FAILED;
		if (!with)
			continue;
		subsystem->sanitize_left++;
		nvme_task_start(with, i, kind_of(subsystem), passes_of(subsystem), NULL);
	}
	nvme_sanitize_ended(subsystem, subsystem->sanitize_result);
}

void nvme_sanitize_kept(struct nvme_subsystem *subsystem, enum nvme_kept kept)
{
	enum nvme_sanitize_state now = subsystem->sanitize, next = subsystem->sanitize_kept;

	if (now == next)
		return;
	if (next == NVME_SANITIZE_IS_RUNNING && kept == NVME_KEPT) {
		begin(subsystem);
	} else if (now == NVME_SANITIZE_IS_RUNNING) {
		become(subsystem, kept == NVME_KEPT ? next : NVME_SANITIZE_HAS_FAILED);
		tell_all(subsystem);
	} else {
		become(subsystem, kept == NVME_KEPT ? next : now);
	}
}

void nvme_sanitize_recall(struct nvme_subsystem *subsystem, enum nvme_sanitize_state state,
			  uint32_t cdw10, uint32_t pattern)
{
	subsystem->sanitize_cdw10 = cdw10;
	subsystem->sanitize_pattern = pattern;
	if (state == NVME_SANITIZE_IS_RUNNING)
		begin(subsystem);
	else
		become(subsystem, state);
}

/* -- telling -- */

uint16_t nvme_sanitize_status(const struct nvme_subsystem *subsystem)
{
	static const uint8_t words[NVME_SANITIZE_STATES] = {
		[NVME_SANITIZE_IS_NEVER] = NVME_SSTAT_NEVER,
		[NVME_SANITIZE_IS_RUNNING] = NVME_SSTAT_RUNNING,
		[NVME_SANITIZE_IS_DONE] = NVME_SSTAT_DONE,
		[NVME_SANITIZE_HAS_FAILED] = NVME_SSTAT_FAILED,
		[NVME_SANITIZE_WAS_LEFT] = NVME_SSTAT_FAILED,
	};
	unsigned passes = subsystem->sanitize == NVME_SANITIZE_IS_DONE ? passes_of(subsystem) : 0;
	bool first = true;

	for (unsigned i = 0; subsystem->sanitizing && i < BLOCK_NAMESPACES_MAX; i++) {
		const struct nvme_task *task = &subsystem->spaces[i].task;

		if (!task->running)
			continue;
		passes = first ? task->pass : min_u32(passes, task->pass);
		first = false;
	}
	if (!overwrites(subsystem))
		passes = 0;
	return (uint16_t)(words[subsystem->sanitize] | passes << NVME_SSTAT_PASSES_SHIFT);
}

uint16_t nvme_sanitize_progress(const struct nvme_subsystem *subsystem)
{
	uint64_t done = 0, whole = 0, passes = passes_of(subsystem);

	if (subsystem->sanitize != NVME_SANITIZE_IS_RUNNING)
		return 0xffff;
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++) {
		const struct nvme_space *space = &subsystem->spaces[i];
		uint64_t units = space->size >> 9;

		if (!space->there)
			continue;
		whole += units * passes;
		done += space->task.running ? units * space->task.pass +
						      (min_u64(space->task.at, space->size) >> 9)
					    : units * passes;
	}
	for (; whole >> 47; whole >>= 1)
		done >>= 1;
	return (uint16_t)(whole ? min_u64(done * 0xfffe / whole, 0xfffe) : 0);
}

/* -- the command -- */

static enum nvme_status check_spaces(struct nvme *nvme)
{
	const struct nvme_subsystem *subsystem = nvme->subsystem;

	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++) {
		const struct nvme_space *space = &subsystem->spaces[i];

		if (space->there && space->read_only)
			return NVME_WRITE_PROTECTED;
		if (space->there &&
		    !nvme_reserve_allows(nvme, &space->reservation, NVME_RESERVE_WRITES))
			return NVME_RESERVATION_CONFLICT;
	}
	return NVME_SUCCESS;
}

static enum nvme_outcome keep(struct nvme *nvme, struct nvme_command *cmd,
			      enum nvme_sanitize_state state)
{
	struct nvme_subsystem *subsystem = nvme->subsystem;
	enum nvme_outcome outcome;

	subsystem->sanitize_kept = state;
	subsystem->sanitizing = state == NVME_SANITIZE_IS_RUNNING;
	outcome = nvme_keep(subsystem, cmd);
	if (outcome == NVME_ENDED)
		nvme_sanitize_kept(subsystem, cmd->status ? NVME_NOT_KEPT : NVME_KEPT);
	return outcome;
}

static enum nvme_outcome leave_failure(struct nvme *nvme, struct nvme_command *cmd)
{
	const struct nvme_subsystem *subsystem = nvme->subsystem;

	if (subsystem->sanitize != NVME_SANITIZE_HAS_FAILED)
		return nvme_succeed(cmd);
	if (!field_is_set(subsystem->sanitize_cdw10, NVME_SANITIZE_AUSE))
		return nvme_refuse(cmd, NVME_SANITIZE_FAILED);
	return keep(nvme, cmd, NVME_SANITIZE_WAS_LEFT);
}

enum nvme_outcome nvme_admin_sanitize(struct nvme *nvme, struct nvme_command *cmd)
{
	struct nvme_subsystem *subsystem = nvme->subsystem;
	unsigned action = sqe_field(cmd, NVME_SQE_CDW10, NVME_SANITIZE_ACT);
	bool unrestricted = field_is_set(subsystem->sanitize_cdw10, NVME_SANITIZE_AUSE);
	enum nvme_status status;

	if (subsystem->sanitizing)
		return nvme_refuse(cmd, NVME_SANITIZE_IN_PROGRESS);
	if (subsystem->tasks)
		return nvme_refuse(cmd, NVME_FORMAT_IN_PROGRESS);
	if (subsystem->keeping)
		return NVME_LATER;
	if (action == NVME_SANITIZE_EXIT_FAILURE)
		return leave_failure(nvme, cmd);
	if (action != NVME_SANITIZE_BLOCK_ERASE && action != NVME_SANITIZE_OVERWRITE)
		return nvme_refuse(cmd, NVME_INVALID_FIELD); /* no cryptographic erase */
	/* After a restricted one failed, only a restricted one makes good again. */
	if (subsystem->sanitize == NVME_SANITIZE_HAS_FAILED && !unrestricted &&
	    sqe_field(cmd, NVME_SQE_CDW10, NVME_SANITIZE_AUSE))
		return nvme_refuse(cmd, NVME_SANITIZE_FAILED);
	status = check_spaces(nvme);
	if (status)
		return nvme_refuse(cmd, status);
	subsystem->sanitize_cdw10 = sqe32(cmd, NVME_SQE_CDW10);
	subsystem->sanitize_pattern = sqe32(cmd, NVME_SQE_CDW11);
	return keep(nvme, cmd, NVME_SANITIZE_IS_RUNNING);
}
