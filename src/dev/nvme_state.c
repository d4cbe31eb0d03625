/* Migration state of a controller: registers, queues, features, requests for events that wait, and
 * completions that found no room.  Nothing else is under way then (nvme_busy() is 0).
 *
 * It is a list of little-endian words of 64 bits, at the places below.  What is read back is checked
 * as if a guest had written it, before anything changes.  Counters, logs and reservations stay
 * behind: they belong to the subsystem that the guest leaves. */
#include "dev/nvme_internal.h"

#include <errno.h>

enum {
	STATE_MAGIC = 0x314d564e, /* "NVM1" */

	AT_MAGIC = 0,
	AT_SHAPE, /* queues, vectors */
	AT_CC,	  /* CC, CSTS */
	AT_AQA,	  /* AQA, INTMS */
	AT_ASQ,
	AT_ACQ,
	AT_SHADOW, /* whether there are any, then where */
	AT_SHADOW_DOORBELLS,
	AT_SHADOW_EVENTS,
	AT_AERS, /* how many, then their command IDs */
	AT_AER,
	AT_EVENTS = AT_AER + NVME_AERS_MAX, /* how many and which types are masked, then each */
	AT_EVENT,
	AT_CHANGED = AT_EVENT + NVME_EVENTS_MAX,
	AT_FEATURES,
	AT_VECTORS = AT_FEATURES + NVME_FEATURES, /* those without coalescing */
	AT_HOST_ID = AT_VECTORS + 4,
	AT_HOST_LONG = AT_HOST_ID + 2,
	AT_TIMESTAMP,
	AT_ORIGIN,
	AT_BEHAVIOR,
	AT_RESERVE_MASKS,
	AT_QUEUES = AT_RESERVE_MASKS + BLOCK_NAMESPACES_MAX / 8, /* of each queue pair: */
	QUEUE_SQ_BASE = 0,
	QUEUE_SQ, /* count, head, completion queue, live */
	QUEUE_CQ_BASE,
	QUEUE_CQ, /* count, tail, head, phase */
	QUEUE_VECTOR, /* vector, interrupts, live */
	QUEUE_WORDS,
	AT_ENDED = AT_QUEUES + QUEUE_WORDS * (NVME_QUEUES_MAX + 1), /* how many, then two each */
	AT_END,
};

static uint64_t pack(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return a | b << 16 | c << 32 | d << 48;
}

static unsigned part(uint64_t word, unsigned i)
{
	return (unsigned)(word >> 16 * i) & 0xffff;
}

static void put(uint8_t *to, unsigned at, uint64_t value)
{
	put_le64(to + 8 * at, value);
}

static uint64_t get(const uint8_t *from, unsigned at)
{
	return get_le64(from + 8 * at);
}

static unsigned count_ended(const struct nvme *nvme)
{
	unsigned n = 0;

	for (unsigned id = 0; id <= NVME_QUEUES_MAX; id++)
		for (const struct nvme_command *cmd = nvme->cq[id].waiting; cmd; cmd = cmd->next)
			n++;
	return n;
}

static void put_queues(const struct nvme *nvme, uint8_t *to)
{
	unsigned ended = 0;

	for (unsigned id = 0; id <= NVME_QUEUES_MAX; id++) {
		const struct nvme_sq *sq = &nvme->sq[id];
		const struct nvme_cq *cq = &nvme->cq[id];
		unsigned at = AT_QUEUES + QUEUE_WORDS * id;

		put(to, at + QUEUE_SQ_BASE, sq->window.base);
		put(to, at + QUEUE_SQ, pack(sq->count, sq->head, sq->cq, sq->live));
		put(to, at + QUEUE_CQ_BASE, cq->window.base);
		put(to, at + QUEUE_CQ, pack(cq->count, cq->tail, cq->head, cq->phase));
		put(to, at + QUEUE_VECTOR, pack(cq->vector, cq->interrupts, cq->live, 0));
		for (const struct nvme_command *cmd = cq->waiting; cmd; cmd = cmd->next) {
			put(to, AT_END + 2 * ended, pack(cmd->sqid, cmd->cid, cmd->status, id));
			put(to, AT_END + 2 * ended + 1, cmd->dw0);
			ended++;
		}
	}
	put(to, AT_ENDED, ended);
}

static void put_rest(const struct nvme *nvme, uint8_t *to)
{
	const struct nvme_features *features = &nvme->features;

	put(to, AT_AERS, nvme->aer_count);
	for (unsigned i = 0; i < nvme->aer_count; i++)
		put(to, AT_AER + i, nvme->aers[i]->cid);
	put(to, AT_EVENTS, pack(nvme->event_count, nvme->events_masked, 0, 0));
	for (unsigned i = 0; i < nvme->event_count; i++)
		put(to, AT_EVENT + i,
		    pack(nvme->events[i].type, nvme->events[i].info, nvme->events[i].log, 0));
	put(to, AT_CHANGED, nvme->changed);
	for (unsigned i = 0; i < NVME_FEATURES; i++)
		put(to, AT_FEATURES + i, features->value[i]);
	for (unsigned i = 0; i < 16; i++)
		put_le16(to + 8 * AT_VECTORS + 2 * i, features->vector_no_coalescing[i]);
	memcpy(to + 8 * AT_HOST_ID, features->host_id, sizeof features->host_id);
	put(to, AT_HOST_LONG, features->host_id_long);
	put(to, AT_TIMESTAMP, features->timestamp_ms + nvme_timestamp_age_ms(nvme));
	put(to, AT_ORIGIN, features->timestamp_origin);
	put(to, AT_BEHAVIOR, features->behavior[0]);
	memcpy(to + 8 * AT_RESERVE_MASKS, nvme->reserve_mask, sizeof nvme->reserve_mask);
}

size_t nvme_save(const struct nvme *nvme, uint8_t *to, size_t room)
{
	size_t size = 8 * (AT_END + 2 * (size_t)count_ended(nvme));

	if (room < size)
		return size;
	memset(to, 0, size);
	put(to, AT_MAGIC, STATE_MAGIC);
	put(to, AT_SHAPE, pack(nvme->queues_now, nvme->vectors_now, 0, 0));
	put(to, AT_CC, nvme->cc | (uint64_t)nvme->csts << 32);
	put(to, AT_AQA, nvme->aqa | (uint64_t)nvme->intms << 32);
	put(to, AT_ASQ, nvme->asq);
	put(to, AT_ACQ, nvme->acq);
	put(to, AT_SHADOW, nvme->shadow);
	put(to, AT_SHADOW_DOORBELLS, nvme->shadow_doorbells.base);
	put(to, AT_SHADOW_EVENTS, nvme->shadow_events.base);
	put_queues(nvme, to);
	put_rest(nvme, to);
	return size;
}

static bool queue_is_sound(const uint8_t *from, unsigned id)
{
	unsigned at = AT_QUEUES + QUEUE_WORDS * id, cq_of;
	uint64_t sq = get(from, at + QUEUE_SQ), cq = get(from, at + QUEUE_CQ);
	uint64_t vector = get(from, at + QUEUE_VECTOR);
	unsigned most = id ? NVME_ENTRIES_MAX : 4096;

	if (part(vector, 2) && (part(cq, 0) < 2 || part(cq, 0) > most || part(cq, 3) > 1 ||
				part(cq, 1) >= part(cq, 0) || part(cq, 2) >= part(cq, 0) ||
				part(vector, 0) >= 256 || part(vector, 1) > 1 ||
				get(from, at + QUEUE_CQ_BASE) % NVME_PAGE_SIZE))
		return false;
	if (!part(sq, 3))
		return true;
	cq_of = part(sq, 2);
	return part(sq, 0) >= 2 && part(sq, 0) <= most && part(sq, 1) < part(sq, 0) &&
	       get(from, at + QUEUE_SQ_BASE) % NVME_PAGE_SIZE == 0 && cq_of <= NVME_QUEUES_MAX &&
	       !id == !cq_of &&
	       part(get(from, AT_QUEUES + QUEUE_WORDS * cq_of + QUEUE_VECTOR), 2);
}

static bool ended_is_sound(const uint8_t *from, uint64_t i)
{
	uint64_t word = get(from, AT_END + 2 * (unsigned)i);
	unsigned id = part(word, 3);

	return part(word, 0) <= NVME_QUEUES_MAX && id <= NVME_QUEUES_MAX &&
	       part(get(from, AT_QUEUES + QUEUE_WORDS * id + QUEUE_VECTOR), 2);
}

static bool is_sound(const struct nvme *nvme, const uint8_t *from, size_t size)
{
	uint32_t csts;

	if (size < 8 * AT_END || get(from, AT_MAGIC) != STATE_MAGIC ||
	    get(from, AT_SHAPE) != pack(nvme->queues_now, nvme->vectors_now, 0, 0) ||
	    get(from, AT_ENDED) > NVME_COMMANDS - NVME_AERS_MAX ||
	    size != 8 * (AT_END + 2 * (size_t)get(from, AT_ENDED)) ||
	    get(from, AT_AERS) > NVME_AERS_MAX || part(get(from, AT_EVENTS), 0) > NVME_EVENTS_MAX)
		return false;
	for (unsigned i = 0; i < part(get(from, AT_EVENTS), 0); i++)
		if (part(get(from, AT_EVENT + i), 0) >= NVME_EVENT_TYPES)
			return false;
	for (unsigned id = 0; id <= NVME_QUEUES_MAX; id++)
		if (!queue_is_sound(from, id) ||
		    (id > nvme->queues_now && part(get(from, AT_QUEUES + QUEUE_WORDS * id +
							      QUEUE_SQ), 3)))
			return false;
	for (uint64_t i = 0; i < get(from, AT_ENDED); i++)
		if (!ended_is_sound(from, i))
			return false;
	if ((get(from, AT_SHADOW_DOORBELLS) | get(from, AT_SHADOW_EVENTS)) % NVME_PAGE_SIZE)
		return false;
	/* A controller that is ready has an admin queue. */
	csts = (uint32_t)(get(from, AT_CC) >> 32);
	if (!nvme->online && csts & NVME_CSTS_RDY)
		return false; /* only the primary controller brings one online */
	return !(csts & NVME_CSTS_RDY) || part(get(from, AT_QUEUES + QUEUE_SQ), 3);
}

static void get_queues(struct nvme *nvme, const uint8_t *from)
{
	for (unsigned id = 0; id <= NVME_QUEUES_MAX; id++) {
		unsigned at = AT_QUEUES + QUEUE_WORDS * id;
		uint64_t word = get(from, at + QUEUE_CQ), vector = get(from, at + QUEUE_VECTOR);

		if (!part(vector, 2))
			continue;
		nvme_cq_open(nvme, id, get(from, at + QUEUE_CQ_BASE), part(word, 0));
		nvme->cq[id].tail = part(word, 1);
		nvme->cq[id].head = part(word, 2);
		nvme->cq[id].phase = (uint16_t)part(word, 3);
		nvme->cq[id].vector = (uint16_t)part(vector, 0);
		nvme->cq[id].interrupts = part(vector, 1);
	}
	for (unsigned id = 0; id <= NVME_QUEUES_MAX; id++) {
		unsigned at = AT_QUEUES + QUEUE_WORDS * id;
		uint64_t word = get(from, at + QUEUE_SQ);

		if (!part(word, 3))
			continue;
		nvme_sq_open(nvme, id, get(from, at + QUEUE_SQ_BASE), part(word, 0), part(word, 2));
		nvme->sq[id].head = part(word, 1);
		nvme->sq[id].tail = part(word, 1);
	}
}

/* A command that was under way there, and that is answered here. */
static struct nvme_command *revive(struct nvme *nvme, unsigned sqid, unsigned cid)
{
	struct nvme_command *cmd = nvme_command_take(nvme);

	must(cmd != NULL);
	memset(cmd->sqe, 0, sizeof cmd->sqe);
	cmd->sqid = (uint16_t)sqid;
	cmd->cid = (uint16_t)cid;
	cmd->state = NVME_CMD_PARKED;
	return cmd;
}

static void get_commands(struct nvme *nvme, const uint8_t *from)
{
	for (uint64_t i = 0; i < get(from, AT_AERS); i++) {
		nvme->aers[nvme->aer_count++] =
			revive(nvme, 0, (uint16_t)get(from, AT_AER + (unsigned)i));
		nvme->sq[0].outstanding++;
	}
	for (uint64_t i = 0; i < get(from, AT_ENDED); i++) {
		uint64_t word = get(from, AT_END + 2 * (unsigned)i);
		unsigned id = part(word, 3);
		struct nvme_command *cmd = revive(nvme, part(word, 0), part(word, 1));

		cmd->status = (uint16_t)part(word, 2);
		cmd->dw0 = (uint32_t)get(from, AT_END + 2 * (unsigned)i + 1);
		cmd->state = NVME_CMD_ENDED;
		cmd->next = NULL;
		*nvme->cq[id].waiting_end = cmd;
		nvme->cq[id].waiting_end = &cmd->next;
		nvme->crowded |= UINT64_C(1) << id;
	}
}

static void get_rest(struct nvme *nvme, const uint8_t *from)
{
	struct nvme_features *features = &nvme->features;

	nvme->event_count = part(get(from, AT_EVENTS), 0);
	nvme->events_masked = (uint8_t)part(get(from, AT_EVENTS), 1);
	for (unsigned i = 0; i < nvme->event_count; i++) {
		uint64_t word = get(from, AT_EVENT + i);

		nvme->events[i] = (struct nvme_event){ (uint8_t)part(word, 0),
						       (uint8_t)part(word, 1),
						       (uint8_t)part(word, 2) };
	}
	nvme->changed = get(from, AT_CHANGED);
	for (unsigned i = 0; i < NVME_FEATURES; i++)
		features->value[i] = (uint32_t)get(from, AT_FEATURES + i);
	for (unsigned i = 0; i < 16; i++)
		features->vector_no_coalescing[i] = get_le16(from + 8 * AT_VECTORS + 2 * i);
	memcpy(features->host_id, from + 8 * AT_HOST_ID, sizeof features->host_id);
	features->host_id_long = get(from, AT_HOST_LONG) & 1;
	features->timestamp_ms = get(from, AT_TIMESTAMP);
	features->timestamp_at_ns = nvme->now_ns;
	features->timestamp_origin = get(from, AT_ORIGIN) & 1;
	features->behavior[0] = get(from, AT_BEHAVIOR) & 1;
	memcpy(nvme->reserve_mask, from + 8 * AT_RESERVE_MASKS, sizeof nvme->reserve_mask);
}

int nvme_load(struct nvme *nvme, const uint8_t *from, size_t size)
{
	if (nvme_busy(nvme) || !is_sound(nvme, from, size))
		return -EINVAL;
	nvme_reset(nvme);
	/* What a primary controller was given since its last reset is not its own yet. */
	nvme->queues_now = (uint16_t)part(get(from, AT_SHAPE), 0);
	nvme->vectors_now = (uint16_t)part(get(from, AT_SHAPE), 1);
	nvme->cc = (uint32_t)get(from, AT_CC) & NVME_CC_WRITABLE;
	nvme->csts = (uint32_t)(get(from, AT_CC) >> 32) & 0x1f;
	nvme->aqa = (uint32_t)get(from, AT_AQA) & NVME_AQA_WRITABLE;
	nvme->intms = (uint32_t)(get(from, AT_AQA) >> 32);
	nvme->asq = get(from, AT_ASQ) & ~UINT64_C(0xfff);
	nvme->acq = get(from, AT_ACQ) & ~UINT64_C(0xfff);
	get_queues(nvme, from);
	get_rest(nvme, from);
	get_commands(nvme, from);
	nvme_window_open(&nvme->shadow_doorbells, get(from, AT_SHADOW_DOORBELLS), NVME_PAGE_SIZE);
	nvme_window_open(&nvme->shadow_events, get(from, AT_SHADOW_EVENTS), NVME_PAGE_SIZE);
	nvme->shadow = get(from, AT_SHADOW) & 1;
	if (!nvme->online) {
		nvme->csts |= NVME_CSTS_CFS;
		nvme_set_phase(nvme, NVME_DISABLED);
	} else if (nvme->csts & NVME_CSTS_CFS) {
		nvme_set_phase(nvme, NVME_DISABLED);
		nvme_fail(nvme, "the controller had failed before it was moved here");
	} else if (field_get(nvme->csts, NVME_CSTS_SHST)) {
		nvme_set_phase(nvme, NVME_STOPPING);
	} else if (nvme->csts & NVME_CSTS_RDY) {
		nvme_set_phase(nvme, NVME_ENABLED);
		nvme->front.ready = true;
	}
	return 0;
}
