/* Submission and completion queues in guest memory, and their doorbells (sections 3.3 and 3.5). */
#include "dev/nvme_internal.h"

static unsigned tail_index(unsigned id)
{
	return 2 * id;
}

static unsigned head_index(unsigned id)
{
	return 2 * id + 1;
}

static uint8_t *doorbell(const struct nvme *nvme, unsigned index)
{
	return nvme->doorbells + index * NVME_DOORBELL_SIZE;
}

/* What the guest wrote last, or 'before' while its shadow cannot be reached.  The admin queue has
 * no shadow: not every driver writes one for it. */
static uint32_t ring_value(struct nvme *nvme, unsigned index, uint32_t before)
{
	uint8_t *at = doorbell(nvme, index);
	uint32_t value;

	if (unlikely(nvme->shadow && index > head_index(0)))
		switch (nvme_window_at(nvme, &nvme->shadow_doorbells, index * NVME_DOORBELL_SIZE,
				       NVME_DOORBELL_SIZE, DMA_READ, &at)) {
		case DMA_MISS:
			return before;
		case DMA_FAULT:
			nvme_fail(nvme, "the shadow doorbells are not granted any more");
			return before;
		case DMA_OK:
			break;
		}
	value = guest_load32(at);
	/* Pairs with the guest's write barrier before its doorbell. */
	atomic_thread_fence(memory_order_acquire);
	return value;
}

void nvme_queues_reset(struct nvme *nvme)
{
	memset(nvme->sq, 0, sizeof nvme->sq);
	memset(nvme->cq, 0, sizeof nvme->cq);
	memset(nvme->doorbells, 0, NVME_DOORBELLS_SIZE);
	nvme->live = 0;
	nvme->unflushed = 0;
	nvme->crowded = 0;
	nvme->shadow = false;
}

void nvme_sq_open(struct nvme *nvme, unsigned id, uint64_t base, uint32_t count, unsigned cq)
{
	struct nvme_sq *sq = &nvme->sq[id];

	*sq = (struct nvme_sq){ .count = count, .cq = (uint16_t)cq, .live = true };
	nvme_window_open(&sq->window, base, count * NVME_SQE_SIZE);
	guest_store32(doorbell(nvme, tail_index(id)), 0);
	nvme->cq[cq].users++;
	nvme->live |= UINT64_C(1) << id;
}

void nvme_cq_open(struct nvme *nvme, unsigned id, uint64_t base, uint32_t count)
{
	struct nvme_cq *cq = &nvme->cq[id];

	*cq = (struct nvme_cq){ .count = count, .phase = 1, .live = true };
	nvme_window_open(&cq->window, base, count * NVME_CQE_SIZE);
	cq->waiting_end = &cq->waiting;
	guest_store32(doorbell(nvme, head_index(id)), 0);
}

/* Copies an entry of a submission queue; false: not now, or the controller failed. */
static bool copy_entry(struct nvme *nvme, unsigned id, uint32_t index, uint8_t *to)
{
	struct nvme_sq *sq = &nvme->sq[id];
	uint8_t *entry;

	switch (nvme_window_at(nvme, &sq->window, index * NVME_SQE_SIZE, NVME_SQE_SIZE, DMA_READ,
			       &entry)) {
	case DMA_MISS:
		return false;
	case DMA_FAULT:
		nvme_fail(nvme, "submission queue %u: entry %u at 0x%llx was not granted", id,
			  index,
			  (unsigned long long)(sq->window.base + (uint64_t)index * NVME_SQE_SIZE));
		return false;
	case DMA_OK:
		break;
	}
	memcpy(to, entry, NVME_SQE_SIZE);
	guest_read_is_over();
	return true;
}

static uint32_t after(const struct nvme_sq *sq, uint32_t index)
{
	return index + 1 == sq->count ? 0 : index + 1;
}

static struct nvme_command *take(struct nvme *nvme, unsigned id)
{
	struct nvme_command *cmd;

	if (unlikely(id && nvme->free_count <= NVME_ADMIN_RESERVE))
		return NULL;
	cmd = nvme_command_take(nvme);
	if (likely(cmd))
		cmd->sqid = (uint16_t)id;
	return cmd;
}

static unsigned fuse_of(const struct nvme_command *cmd)
{
	return cmd->sqe[NVME_SQE_FLAGS] & NVME_FUSE_MASK;
}

/* The first of a fused pair is there; the second is the next entry, under the same doorbell write
 * (section 3.4.2).  Returns how many commands were taken. */
static unsigned fetch_pair(struct nvme *nvme, struct nvme_sq *sq, struct nvme_command *first,
			   uint32_t tail)
{
	uint32_t head = sq->head, next = after(sq, head);
	struct nvme_command *second;
	enum nvme_outcome outcome;

	second = next == tail ? NULL : take(nvme, first->sqid);
	if (next != tail && (!second || !copy_entry(nvme, first->sqid, next, second->sqe)))
		goto later;
	if (!second || fuse_of(second) != NVME_FUSE_SECOND) {
		if (second)
			nvme_command_free(nvme, second);
		sq->head = next;
		sq->outstanding++;
		nvme_refuse(first, NVME_ABORTED_MISSING_FUSED);
		nvme_command_end(nvme, first);
		return 1;
	}
	second->cid = get_le16(second->sqe + NVME_SQE_CID);
	sq->head = after(sq, next);
	sq->outstanding += 2;
	outcome = nvme_io_fused(nvme, first, second);
	if (outcome == NVME_UNDER_WAY)
		return 2;
	if (outcome == NVME_ENDED) {
		nvme_command_end(nvme, first);
		nvme_command_end(nvme, second);
		return 2;
	}
	sq->outstanding -= 2;
	sq->head = head;
later:
	if (second)
		nvme_command_free(nvme, second);
	nvme_command_free(nvme, first);
	return 0;
}

static enum nvme_outcome begin(struct nvme *nvme, struct nvme_command *cmd)
{
	if (unlikely(fuse_of(cmd)))
		return nvme_refuse(cmd, cmd->sqid && fuse_of(cmd) == NVME_FUSE_SECOND ?
						NVME_ABORTED_MISSING_FUSED :
						NVME_INVALID_FIELD);
	return likely(cmd->sqid) ? nvme_io(nvme, cmd) : nvme_admin(nvme, cmd);
}

/* Returns how many commands it took: 0 when the next one must wait. */
static unsigned fetch_one(struct nvme *nvme, unsigned id, struct nvme_sq *sq, uint32_t tail)
{
	struct nvme_command *cmd = take(nvme, id);
	uint32_t head = sq->head;
	enum nvme_outcome outcome;

	if (unlikely(!cmd))
		return 0;
	if (unlikely(!copy_entry(nvme, id, head, cmd->sqe))) {
		nvme_command_free(nvme, cmd);
		return 0;
	}
	cmd->cid = get_le16(cmd->sqe + NVME_SQE_CID);
	if (unlikely(fuse_of(cmd) == NVME_FUSE_FIRST && id))
		return fetch_pair(nvme, sq, cmd, tail);
	sq->head = after(sq, head);
	sq->outstanding++;
	if (sq->head != tail && likely(sq->window.flat))
		prefetch(sq->window.flat + sq->head * NVME_SQE_SIZE);
	outcome = begin(nvme, cmd);
	if (likely(outcome == NVME_UNDER_WAY))
		return 1;
	if (outcome == NVME_ENDED) {
		nvme_command_end(nvme, cmd);
		return 1;
	}
	sq->outstanding--;
	sq->head = head;
	nvme_command_free(nvme, cmd);
	return 0;
}

unsigned nvme_sq_fetch(struct nvme *nvme, unsigned id)
{
	struct nvme_sq *sq = &nvme->sq[id];
	uint32_t tail = ring_value(nvme, tail_index(id), sq->tail);
	unsigned n = 0, more;

	if (likely(tail == sq->head))
		return 0;
	if (unlikely(tail >= sq->count)) {
		if (tail != sq->tail)
			nvme_event_post(nvme, NVME_EVENT_ERROR, NVME_ERROR_INVALID_VALUE,
					NVME_LOG_ERROR);
		sq->tail = tail;
		return 0;
	}
	sq->tail = tail;
	while (sq->head != tail && n < NVME_BURST && sq->live && !sq->deleting &&
	       nvme->phase == NVME_ENABLED && nvme->unsent_count < NVME_UNSENT_MAX) {
		more = fetch_one(nvme, id, sq, tail);
		if (more == 0)
			break;
		n += more;
	}
	return n;
}

/* Whether an entry is free; the guest's head is read again only when it seems not. */
static bool has_room(struct nvme *nvme, unsigned id, struct nvme_cq *cq)
{
	uint32_t next = cq->tail + 1 == cq->count ? 0 : cq->tail + 1, head;

	if (likely(next != cq->head))
		return true;
	head = ring_value(nvme, head_index(id), cq->head);
	if (head == cq->head)
		return false;
	if (head >= cq->count) {
		nvme_event_post(nvme, NVME_EVENT_ERROR, NVME_ERROR_INVALID_VALUE, NVME_LOG_ERROR);
		return false;
	}
	cq->head = head;
	return next != head;
}

/* Writes one entry; the guest sees it with the second word, which has the phase tag. */
static enum dma_outcome write_entry(struct nvme *nvme, struct nvme_cq *cq,
				    const struct nvme_command *cmd)
{
	uint8_t *entry;
	enum dma_outcome outcome;

	outcome = nvme_window_at(nvme, &cq->window, cq->tail * NVME_CQE_SIZE, NVME_CQE_SIZE,
				 DMA_WRITE, &entry);
	if (unlikely(outcome != DMA_OK))
		return outcome;
	guest_store64(entry, cmd->dw0);
	guest_store64_release(entry + NVME_CQE_SQHD,
			      nvme->sq[cmd->sqid].head | (uint64_t)cmd->sqid << 16 |
				      (uint64_t)cmd->cid << 32 |
				      (uint64_t)(cmd->status << 1 | cq->phase) << 48);
	dma_wrote(nvme->dma, entry, NVME_CQE_SIZE);
	if (++cq->tail == cq->count) {
		cq->tail = 0;
		cq->phase ^= 1;
	}
	if (cq->fresh++ == 0)
		cq->first_ns = nvme->now_ns;
	return DMA_OK;
}

/* True: written.  False: it must wait, or the controller failed. */
static bool post_now(struct nvme *nvme, unsigned id, struct nvme_cq *cq,
		     const struct nvme_command *cmd)
{
	if (!has_room(nvme, id, cq))
		return false;
	switch (write_entry(nvme, cq, cmd)) {
	case DMA_MISS:
		return false;
	case DMA_FAULT:
		nvme_fail(nvme, "completion queue %u: entry %u was not granted for writing", id,
			  cq->tail);
		return false;
	case DMA_OK:
		break;
	}
	nvme->unflushed |= UINT64_C(1) << id;
	return true;
}

void nvme_cq_post(struct nvme *nvme, struct nvme_command *cmd)
{
	unsigned id = nvme->sq[cmd->sqid].cq;
	struct nvme_cq *cq = &nvme->cq[id];

	if (likely(!cq->waiting && post_now(nvme, id, cq, cmd))) {
		nvme_command_free(nvme, cmd);
		return;
	}
	cmd->state = NVME_CMD_ENDED;
	cmd->next = NULL;
	*cq->waiting_end = cmd;
	cq->waiting_end = &cmd->next;
	nvme->crowded |= UINT64_C(1) << id;
}

void nvme_cq_drain(struct nvme *nvme, unsigned id)
{
	struct nvme_cq *cq = &nvme->cq[id];
	struct nvme_command *cmd;

	while ((cmd = cq->waiting) && post_now(nvme, id, cq, cmd)) {
		cq->waiting = cmd->next;
		nvme_command_free(nvme, cmd);
	}
	if (cq->waiting)
		return;
	cq->waiting_end = &cq->waiting;
	nvme->crowded &= ~(UINT64_C(1) << id);
}

/* Whether the guest is to be told now; interrupt coalescing, 5.27.1.6: not for the admin queue. */
static bool is_due(const struct nvme *nvme, unsigned id, const struct nvme_cq *cq)
{
	uint32_t value = nvme_feature(nvme, NVME_FEATURE_COALESCING);
	uint32_t threshold = value & 0xff, time = value >> 8 & 0xff;

	if (likely(id == 0 || time == 0 || threshold == 0))
		return true;
	if (nvme->features.vector_no_coalescing[cq->vector / 16] >> cq->vector % 16 & 1)
		return true;
	return cq->fresh > threshold ||
	       nvme->now_ns - cq->first_ns >= (uint64_t)time * 100 * 1000;
}

void nvme_cqs_flush(struct nvme *nvme)
{
	uint64_t left = nvme->unflushed;

	while (left) {
		unsigned id = lowest_bit(left);
		struct nvme_cq *cq = &nvme->cq[id];

		left &= left - 1;
		if (cq->live && cq->interrupts && cq->fresh && !is_due(nvme, id, cq))
			continue;
		nvme->unflushed &= ~(UINT64_C(1) << id);
		if (!cq->live || !cq->interrupts || !cq->fresh)
			continue;
		cq->fresh = 0;
		if (cq->vector < 32 && nvme->intms >> cq->vector & 1) {
			nvme->vectors_pended |= UINT64_C(1) << cq->vector;
			continue;
		}
		counter_add(&nvme->front.interrupts, 1);
		nvme->host.interrupt(nvme->host.owner, cq->vector);
	}
}

/* Asks the guest to write the doorbell itself when it takes the next entry, and not its shadow alone: a VMM lets
 * go of the pin when it sees an access. */
static void arm_head(struct nvme *nvme, unsigned id, uint32_t head)
{
	uint8_t *event;

	if (!nvme->shadow || id == 0 ||
	    nvme_window_at(nvme, &nvme->shadow_events, head_index(id) * NVME_DOORBELL_SIZE, NVME_DOORBELL_SIZE,
			   DMA_WRITE, &event) != DMA_OK)
		return;
	guest_store32(event, head);
	/* Pairs with the guest's barrier between its shadow and its look at our event index. */
	atomic_thread_fence(memory_order_seq_cst);
}

static bool is_not_taken(struct nvme *nvme, unsigned id, const struct nvme_cq *cq)
{
	uint32_t head = ring_value(nvme, head_index(id), cq->head);

	if (head == cq->tail)
		return false;
	arm_head(nvme, id, head);
	return ring_value(nvme, head_index(id), head) != cq->tail;
}

/* 3.1.3.3, 3.1.3.4: with pins, all completion queues share what INTMS says of their vector. */
bool nvme_wants_pin(struct nvme *nvme)
{
	bool wants = false;

	for (unsigned id = 0; id <= NVME_QUEUES_MAX; id++) {
		struct nvme_cq *cq = &nvme->cq[id];

		if (!cq->live || !cq->interrupts || (cq->vector < 32 && nvme->intms >> cq->vector & 1))
			continue;
		if (cq->fresh && nvme->unflushed >> id & 1)
			continue; /* put off: 5.27.1.6 */
		wants |= is_not_taken(nvme, id, cq);
	}
	return wants;
}

bool nvme_queues_arm(struct nvme *nvme)
{
	uint64_t left = nvme->live & ~UINT64_C(1);
	uint8_t *event;

	for (; nvme->shadow && left; left &= left - 1) {
		unsigned id = lowest_bit(left);
		struct nvme_sq *sq = &nvme->sq[id];

		if (nvme_window_at(nvme, &nvme->shadow_events,
				   tail_index(id) * NVME_DOORBELL_SIZE, NVME_DOORBELL_SIZE,
				   DMA_WRITE, &event) != DMA_OK)
			continue;
		guest_store32(event, sq->head);
		/* Pairs with the guest's barrier between its shadow and its look at our event
		 * index: one of us sees the other's write. */
		atomic_thread_fence(memory_order_seq_cst);
		if (ring_value(nvme, tail_index(id), sq->tail) != sq->head)
			return true;
	}
	for (left = nvme->live; left; left &= left - 1) {
		unsigned id = lowest_bit(left);

		if (ring_value(nvme, tail_index(id), nvme->sq[id].tail) != nvme->sq[id].head &&
		    nvme->sq[id].tail < nvme->sq[id].count)
			return true;
	}
	return false;
}

void nvme_doorbell_written(struct nvme *nvme, uint32_t offset, uint32_t value)
{
	unsigned index = offset / NVME_DOORBELL_SIZE, id = index / 2;
	bool known = id <= NVME_QUEUES_MAX && (index % 2 ? nvme->cq[id].live : nvme->sq[id].live);

	if (!known) {
		nvme_event_post(nvme, NVME_EVENT_ERROR, NVME_ERROR_INVALID_DOORBELL,
				NVME_LOG_ERROR);
		return;
	}
	if (value >= (index % 2 ? nvme->cq[id].count : nvme->sq[id].count)) {
		nvme_event_post(nvme, NVME_EVENT_ERROR, NVME_ERROR_INVALID_VALUE, NVME_LOG_ERROR);
		return;
	}
	guest_store32(doorbell(nvme, index), value);
}
