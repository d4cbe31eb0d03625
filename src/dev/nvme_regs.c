/* Controller properties (section 3.1.3), and what enabling, disabling, shutting down, failing and
 * resetting do (3.5, 3.6, 3.7). */
#include "dev/nvme_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { READY_TIMEOUT = 20 /* units of 500 ms; CAP.TO and CRTO */ };

void nvme_fail(struct nvme *nvme, const char *format, ...)
{
	va_list arguments;

	if (nvme->phase == NVME_FAILED)
		return;
	va_start(arguments, format);
	vsnprintf(nvme->front.stopped, sizeof nvme->front.stopped, format, arguments);
	va_end(arguments);
	nvme_set_phase(nvme, NVME_FAILED);
	nvme->csts |= NVME_CSTS_CFS;
	nvme->front.ready = false;
}

static uint64_t capabilities(void)
{
	return field_make(NVME_CAP_MQES, NVME_ENTRIES_MAX - 1) | field_make(NVME_CAP_CQR, 1) |
	       field_make(NVME_CAP_TO, READY_TIMEOUT) | field_make(NVME_CAP_NSSRS, 1) |
	       field_make(NVME_CAP_CSS, NVME_CSS_NVM) | field_make(NVME_CAP_CRWMS, 1);
}

static uint32_t read_word(const struct nvme *nvme, uint64_t offset)
{
	switch (offset) {
	case NVME_REG_CAP:
		return (uint32_t)capabilities();
	case NVME_REG_CAP + 4:
		return (uint32_t)(capabilities() >> 32);
	case NVME_REG_VS:
		return NVME_VERSION;
	case NVME_REG_INTMS:
	case NVME_REG_INTMC:
		return nvme->intms;
	case NVME_REG_CC:
		return nvme->cc;
	case NVME_REG_CSTS:
		return nvme->csts;
	case NVME_REG_AQA:
		return nvme->aqa;
	case NVME_REG_ASQ:
		return (uint32_t)nvme->asq;
	case NVME_REG_ASQ + 4:
		return (uint32_t)(nvme->asq >> 32);
	case NVME_REG_ACQ:
		return (uint32_t)nvme->acq;
	case NVME_REG_ACQ + 4:
		return (uint32_t)(nvme->acq >> 32);
	case NVME_REG_CRTO:
		return READY_TIMEOUT;
	default:
		return 0;
	}
}

void nvme_read(struct nvme *nvme, uint64_t offset, uint32_t size, uint8_t *to)
{
	for (uint32_t i = 0; i < size; i++) {
		uint64_t at = offset + i;

		if (at >= NVME_REG_DOORBELLS && at - NVME_REG_DOORBELLS < NVME_DOORBELLS_SIZE)
			to[i] = nvme->doorbells[at - NVME_REG_DOORBELLS];
		else
			to[i] = (uint8_t)(read_word(nvme, at & ~UINT64_C(3)) >> 8 * (at & 3));
	}
}

/* Everything that a controller level reset does to all but the registers; 3.7.2. */
static void forget(struct nvme *nvme)
{
	nvme_commands_orphan(nvme);
	nvme_queues_reset(nvme);
	nvme_reserve_forget(nvme);
	nvme_features_reset(nvme);
	nvme_virtual_reset(nvme);
	nvme->event_count = 0;
	nvme->events_masked = 0;
	nvme->note_count = 0;
	nvme->vectors_pended = 0;
	nvme->intms = 0;
	nvme->shut = 0;
	nvme->starting = false;
	nvme->front.ready = false;
	nvme->front.stopped[0] = '\0';
	nvme_keep_forget(nvme);
	if (nvme->subsystem->wisher && nvme->subsystem->wisher->nvme == nvme)
		nvme->subsystem->wisher = NULL;
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++) {
		struct nvme_task *task = &nvme->subsystem->spaces[i].task;

		if (task->command && task->command->nvme == nvme)
			task->command = NULL;
	}
	nvme_set_phase(nvme, NVME_DISABLING);
}

void nvme_controller_reset(struct nvme *nvme)
{
	forget(nvme);
	nvme->csts &= NVME_CSTS_RDY | NVME_CSTS_NSSRO;
	if (!nvme->online)
		nvme->csts |= NVME_CSTS_CFS; /* 8.26.3 */
	nvme->cc &= ~(uint32_t)field_mask(NVME_CC_EN);
}

void nvme_reset(struct nvme *nvme)
{
	forget(nvme);
	nvme->cc = 0;
	nvme->csts &= NVME_CSTS_RDY; /* until nothing is in flight: nvme_step() */
	if (!nvme->online)
		nvme->csts |= NVME_CSTS_CFS;
	nvme->aqa = 0;
	nvme->asq = 0;
	nvme->acq = 0;
	nvme_step(nvme);
}

/* EN is 1 and nothing of before is in flight. */
static void start(struct nvme *nvme)
{
	uint32_t sq = (uint32_t)field_get(nvme->aqa, NVME_AQA_ASQS) + 1;
	uint32_t cq = (uint32_t)field_get(nvme->aqa, NVME_AQA_ACQS) + 1;

	nvme->starting = false;
	nvme_set_phase(nvme, NVME_ENABLED);
	if (!nvme->online) {
		nvme_fail(nvme, "a secondary controller was enabled while it is offline: the guest that has the "
			"primary one is to bring it online");
		return;
	}
	if (field_get(nvme->cc, NVME_CC_CSS) || field_get(nvme->cc, NVME_CC_MPS) ||
	    field_get(nvme->cc, NVME_CC_AMS)) {
		nvme_fail(nvme, "CC 0x%08x asks for what CAP does not offer", nvme->cc);
		return;
	}
	if (sq < 2 || cq < 2) {
		nvme_fail(nvme, "AQA 0x%08x: admin queues have 2 entries or more", nvme->aqa);
		return;
	}
	nvme_cq_open(nvme, 0, nvme->acq, cq);
	nvme->cq[0].interrupts = true;
	nvme_sq_open(nvme, 0, nvme->asq, sq, 0);
	nvme->csts |= NVME_CSTS_RDY;
	if (!nvme->features.timestamp_at_ns)
		nvme->features.timestamp_at_ns = nvme->now_ns;
	nvme->power_cycles++;
	nvme->changed = 0; /* whoever starts it will ask what there is */
	nvme->front.ready = true;
}

/* Sends a flush to one namespace; 3.6.1: a shutdown leaves nothing in volatile caches. */
static void flush_done(struct worker *worker, struct block_request *request)
{
	struct nvme *nvme = request->owner;

	(void)worker;
	nvme->front.in_flight--;
	nvme->flushes--;
}

/* True when all volatile caches were told. */
static bool flush_all(struct nvme *nvme)
{
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++) {
		struct block_back *back = nvme->front.namespaces[i];
		struct block_request *request = &nvme->flush_request[i];

		if (!back || !back->volatile_cache || nvme->shut >> i & 1)
			continue;
		if (!nvme->polling)
			return false;
		*request = (struct block_request){ .op = BLOCK_FLUSH, .done = flush_done,
						   .owner = nvme };
		nvme->front.in_flight++;
		nvme->flushes++;
		if (!back->ops->submit(nvme->worker, back, request)) {
			nvme->front.in_flight--;
			nvme->flushes--;
			return false;
		}
		nvme->shut |= UINT64_C(1) << i;
	}
	return nvme->flushes == 0;
}

static void set_shutdown(struct nvme *nvme, unsigned status)
{
	nvme->csts = (uint32_t)field_put(nvme->csts, NVME_CSTS_SHST, status);
}

void nvme_step(struct nvme *nvme)
{
	if (nvme->phase == NVME_STOPPING &&
	    nvme->front.in_flight - nvme->background == nvme->flushes &&
	    !nvme->unsent && flush_all(nvme)) {
		nvme_set_phase(nvme, NVME_STOPPED);
		set_shutdown(nvme, NVME_SHST_COMPLETE);
	}
	if (nvme->phase != NVME_DISABLING)
		return;
	if (nvme->polling && !nvme->cancelled) {
		nvme->cancelled = true;
		nvme_commands_cancel(nvme, -1);
	}
	if (nvme->front.in_flight != nvme->background)
		return;
	nvme->cancelled = false;
	nvme_set_phase(nvme, NVME_DISABLED);
	nvme->csts &= ~(uint32_t)NVME_CSTS_RDY;
	if (nvme->starting)
		start(nvme);
}

static void write_cc(struct nvme *nvme, uint32_t value)
{
	uint32_t old = nvme->cc;
	bool was = field_is_set(old, NVME_CC_EN), is = field_is_set(value, NVME_CC_EN);

	value &= NVME_CC_WRITABLE;
	if (was && is)
		value = (value & ~(uint32_t)NVME_CC_KEPT_WHILE_ENABLED) |
			(old & NVME_CC_KEPT_WHILE_ENABLED);
	nvme->cc = value;
	if (was && !is) {
		nvme_controller_reset(nvme);
		nvme->cc = value;
	} else if (!was && is) {
		nvme->starting = true;
		if (nvme->phase != NVME_DISABLING)
			start(nvme);
	}
	if (field_get(value, NVME_CC_SHN) && !field_get(old, NVME_CC_SHN) &&
	    (nvme->phase == NVME_ENABLED || nvme->phase == NVME_DISABLED ||
	     nvme->phase == NVME_FAILED)) {
		nvme_set_phase(nvme, NVME_STOPPING);
		nvme->shut = 0;
		set_shutdown(nvme, NVME_SHST_OCCURRING);
	}
	nvme_step(nvme);
}

/* 3.7.1: all controllers of the subsystem; NSSRO says so until it is cleared. */
static void reset_subsystem(struct nvme_subsystem *subsystem)
{
	for (unsigned i = 0; i < NVME_CONTROLLERS_MAX; i++) {
		struct nvme *nvme = subsystem->controllers[i];

		if (!nvme)
			continue;
		nvme_reset(nvme);
		nvme->csts |= NVME_CSTS_NSSRO;
	}
}

static void unmask(struct nvme *nvme, uint32_t vectors)
{
	uint64_t raise = nvme->vectors_pended & vectors;

	nvme->intms &= ~vectors;
	nvme->vectors_pended &= ~(uint64_t)vectors;
	for (; raise; raise &= raise - 1)
		nvme->host.interrupt(nvme->host.owner, lowest_bit(raise));
}

static uint64_t put_half(uint64_t value, uint64_t offset, uint32_t half)
{
	return offset & 4 ? (value & UINT32_MAX) | (uint64_t)half << 32 :
			    (value & ~(uint64_t)UINT32_MAX) | half;
}

static void write_word(struct nvme *nvme, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case NVME_REG_INTMS:
		nvme->intms |= value;
		break;
	case NVME_REG_INTMC:
		unmask(nvme, value);
		break;
	case NVME_REG_CC:
		write_cc(nvme, value);
		break;
	case NVME_REG_CSTS:
		nvme->csts &= ~(value & NVME_CSTS_NSSRO);
		break;
	case NVME_REG_NSSR:
		if (value == NVME_NSSR_RESET)
			reset_subsystem(nvme->subsystem);
		break;
	case NVME_REG_AQA:
		nvme->aqa = value & NVME_AQA_WRITABLE;
		break;
	case NVME_REG_ASQ:
	case NVME_REG_ASQ + 4:
		nvme->asq = put_half(nvme->asq, offset, value) & ~UINT64_C(0xfff);
		break;
	case NVME_REG_ACQ:
	case NVME_REG_ACQ + 4:
		nvme->acq = put_half(nvme->acq, offset, value) & ~UINT64_C(0xfff);
		break;
	default:
		if (offset >= NVME_REG_DOORBELLS &&
		    offset - NVME_REG_DOORBELLS < NVME_DOORBELLS_SIZE)
			nvme_doorbell_written(nvme, (uint32_t)(offset - NVME_REG_DOORBELLS), value);
		break;
	}
}

void nvme_write(struct nvme *nvme, uint64_t offset, uint32_t size, const uint8_t *from)
{
	if ((size != 4 && size != 8) || offset % size)
		return;
	for (uint32_t i = 0; i < size; i += 4)
		write_word(nvme, offset + i, get_le32(from + i));
	nvme->host.wake(nvme->host.owner);
}

void nvme_set_master(struct nvme *nvme, enum nvme_mastery mastery)
{
	nvme->master = mastery == NVME_MASTER;
}
