/* Asynchronous events (5.2), the error log's entries, and reservation notifications. */
#include "dev/nvme_internal.h"

/* Completes as many Asynchronous Event Requests as there are events that may be told: one of a
 * type, until the host has read its log page. */
static void tell(struct nvme *nvme)
{
	for (unsigned i = 0; i < nvme->event_count && nvme->aer_count;) {
		struct nvme_event event = nvme->events[i];
		struct nvme_command *aer;

		if (nvme->events_masked >> event.type & 1) {
			i++;
			continue;
		}
		nvme->event_count--;
		memmove(&nvme->events[i], &nvme->events[i + 1],
			(nvme->event_count - i) * sizeof nvme->events[0]);
		nvme->events_masked |= (uint8_t)(1u << event.type);
		aer = nvme->aers[--nvme->aer_count];
		aer->dw0 = (uint32_t)(field_make(NVME_EVENT_TYPE, event.type) |
				      field_make(NVME_EVENT_INFO, event.info) |
				      field_make(NVME_EVENT_LOG, event.log));
		aer->status = NVME_SUCCESS;
		nvme_command_end(nvme, aer);
	}
}

void nvme_event_post(struct nvme *nvme, uint8_t type, uint8_t info, uint8_t log)
{
	must(type < NVME_EVENT_TYPES);
	if (nvme->phase != NVME_ENABLED)
		return;
	for (unsigned i = 0; i < nvme->event_count; i++)
		if (nvme->events[i].type == type && nvme->events[i].info == info)
			return;
	if (nvme->event_count < NVME_EVENTS_MAX)
		nvme->events[nvme->event_count++] = (struct nvme_event){ type, info, log };
	tell(nvme);
}

void nvme_event_unmask(struct nvme *nvme, uint8_t type)
{
	nvme->events_masked &= (uint8_t)~(1u << type);
	tell(nvme);
}

enum nvme_outcome nvme_admin_async_event(struct nvme *nvme, struct nvme_command *cmd)
{
	if (nvme->aer_count == NVME_AERS_MAX)
		return nvme_refuse(cmd, NVME_AER_LIMIT);
	cmd->state = NVME_CMD_PARKED;
	nvme->aers[nvme->aer_count++] = cmd;
	tell(nvme);
	return NVME_UNDER_WAY;
}

/* Failed comparisons and what was aborted are no errors of the controller's. */
static bool is_logged(uint16_t status)
{
	switch (status & NVME_STATUS_CODE_MASK) {
	case NVME_COMPARE_FAILURE:
	case NVME_ABORT_REQUESTED:
	case NVME_ABORTED_SQ_DELETION:
	case NVME_ABORTED_FAILED_FUSED:
	case NVME_ABORTED_PREEMPT:
		return false;
	default:
		return true;
	}
}

void nvme_error_log(struct nvme *nvme, struct nvme_command *cmd)
{
	struct nvme_error *error = &nvme->errors[nvme->error_total % NVME_ERRORS];

	if (!is_logged(cmd->status))
		return;
	cmd->status |= NVME_STATUS_MORE;
	*error = (struct nvme_error){
		.count = ++nvme->error_total,
		.lba = cmd->sqid ? sqe64(cmd, NVME_SQE_CDW10) : 0,
		.nsid = sqe32(cmd, NVME_SQE_NSID),
		.sqid = cmd->sqid,
		.cid = cmd->cid,
		.status = (uint16_t)(cmd->status << 1),
		.location = 0xffff,
	};
}

/* Which types a host wants is the Reservation Notification Mask of the namespace. */
void nvme_note_post(struct nvme *nvme, uint32_t nsid, uint8_t type)
{
	if (nvme->reserve_mask[nsid - 1] >> type & 1 || nvme->phase != NVME_ENABLED)
		return;
	if (nvme->note_count == NVME_NOTES) {
		nvme->note_count--; /* the oldest is lost; the counts show that */
		memmove(&nvme->notes[0], &nvme->notes[1], nvme->note_count * sizeof nvme->notes[0]);
	}
	nvme->notes[nvme->note_count++] = (struct nvme_note){ ++nvme->note_total, nsid, type };
	nvme_event_post(nvme, NVME_EVENT_IO_SET, NVME_IO_SET_RESERVATION, NVME_LOG_RESERVATION);
}

static bool is_known_elsewhere(const struct nvme_subsystem *subsystem, unsigned i)
{
	for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++)
		if (subsystem->controllers[id] &&
		    subsystem->controllers[id]->front.namespaces[i])
			return true;
	return false;
}

static bool is_same(const struct nvme_space *space, const struct block_back *back)
{
	return space->there && memcmp(space->id, back->id, sizeof space->id) == 0;
}

/* Another namespace under the same NSID has no reservations of the one before. */
static void learn(struct nvme_space *space, const struct block_back *back)
{
	if (!is_same(space, back))
		memset(&space->reservation, 0, sizeof space->reservation);
	space->there = true;
	space->size = back->size;
	space->block_size = back->block_size;
	space->read_only = back->read_only;
	memcpy(space->id, back->id, sizeof space->id);
}

void nvme_subsystem_set_namespace(struct nvme_subsystem *subsystem, uint32_t nsid,
				  const struct block_back *back, enum nvme_sharing sharing)
{
	struct nvme_space *space;

	must(nsid - 1 < BLOCK_NAMESPACES_MAX);
	space = &subsystem->spaces[nsid - 1];
	space->told = back != NULL;
	if (!back) {
		if (!is_known_elsewhere(subsystem, nsid - 1))
			space->there = false;
		return;
	}
	learn(space, back);
	space->shared = sharing == NVME_SHARED;
}

void nvme_namespaces_changed(struct ctl *ctl, struct block_front *front)
{
	struct nvme *nvme = nvme_of(front);
	uint64_t changed = 0;

	(void)ctl;
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++) {
		const struct block_back *back = front->namespaces[i];
		struct nvme_space *space = &nvme->subsystem->spaces[i];
		unsigned users = 0;

		if (back == nvme->known[i] && (!back || back->size == nvme->known_size[i]))
			continue;
		changed |= UINT64_C(1) << i;
		nvme->known[i] = front->namespaces[i];
		nvme->known_size[i] = back ? back->size : 0;
		if (back)
			learn(space, back);
		else if (!space->told && !is_known_elsewhere(nvme->subsystem, i))
			space->there = false;
		for (unsigned id = 0; id < NVME_CONTROLLERS_MAX; id++)
			if (nvme->subsystem->controllers[id] &&
			    nvme->subsystem->controllers[id]->front.namespaces[i])
				users++;
		if (!space->told)
			space->shared = space->shared || users > 1;
	}
	nvme_namespace_event(nvme, changed);
}

void nvme_namespace_event(struct nvme *nvme, uint64_t changed)
{
	nvme->changed |= changed;
	if (changed && nvme_feature(nvme, NVME_FEATURE_EVENTS) & NVME_EVENTS_NAMESPACE)
		nvme_event_post(nvme, NVME_EVENT_NOTICE, NVME_NOTICE_NAMESPACE, NVME_LOG_CHANGED);
}
