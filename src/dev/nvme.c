#include "dev/nvme.h"
#include "dev/nvme_internal.h"

#include <errno.h>

/* Each queue has its turn at being first, so that none starves when commands are scarce. */
static unsigned fetch_all(struct nvme *nvme)
{
	uint64_t before = (UINT64_C(1) << nvme->turn) - 1;
	unsigned n = nvme_sq_fetch(nvme, 0);

	for (uint64_t left = nvme->live & ~before & ~UINT64_C(1); left; left &= left - 1)
		n += nvme_sq_fetch(nvme, lowest_bit(left));
	for (uint64_t left = nvme->live & before & ~UINT64_C(1); left; left &= left - 1)
		n += nvme_sq_fetch(nvme, lowest_bit(left));
	nvme->turn = (nvme->turn + 1) % (NVME_QUEUES_MAX + 1);
	return n;
}

static unsigned nvme_poll(struct worker *worker, struct block_front *front, uint64_t now_ns)
{
	struct nvme *nvme = nvme_of(front);
	unsigned n = 0;

	nvme->worker = worker;
	nvme->now_ns = now_ns;
	nvme->polling = true;
	if (unlikely(nvme->subsystem->tasks))
		nvme_tasks_step(nvme);
	if (unlikely(nvme->unsent))
		nvme_commands_resend(nvme);
	if (unlikely(nvme->phase != NVME_ENABLED))
		nvme_step(nvme);
	if (likely(nvme->master && !nvme->quiet)) {
		/* Put off, or posted by the control thread: nothing else has to happen for it. */
		if (unlikely(nvme->unflushed))
			nvme_cqs_flush(nvme);
		for (uint64_t left = nvme->crowded; unlikely(left); left &= left - 1)
			nvme_cq_drain(nvme, lowest_bit(left));
		if (likely(nvme->phase == NVME_ENABLED))
			n = fetch_all(nvme);
	}
	nvme->polling = false;
	return n;
}

static void nvme_flush(struct worker *worker, struct block_front *front)
{
	struct nvme *nvme = nvme_of(front);

	(void)worker;
	if (nvme->unflushed && nvme->master)
		nvme_cqs_flush(nvme);
}

/* Completions whose interrupt is put off need another round, too. */
static bool nvme_arm(struct worker *worker, struct block_front *front)
{
	struct nvme *nvme = nvme_of(front);

	(void)worker;
	if (nvme->phase == NVME_STOPPING || nvme->phase == NVME_DISABLING || nvme->unflushed ||
	    unlikely(nvme->subsystem->tasks && nvme_tasks_wait(nvme)))
		return true;
	return nvme->phase == NVME_ENABLED && nvme_queues_arm(nvme);
}

static void nvme_disarm(struct worker *worker, struct block_front *front)
{
	(void)worker;
	(void)front;
}

static const struct block_front_ops ops = {
	.name = "nvme",
	.poll = nvme_poll,
	.flush = nvme_flush,
	.arm = nvme_arm,
	.disarm = nvme_disarm,
	.namespaces_changed = nvme_namespaces_changed,
};

static void copy_text(char *to, size_t room, const char *from)
{
	size_t n = 0;

	while (n + 1 < room && from && from[n]) {
		to[n] = from[n];
		n++;
	}
	to[n] = '\0';
}

size_t nvme_subsystem_size(void)
{
	return sizeof(struct nvme_subsystem);
}

void nvme_subsystem_init(struct nvme_subsystem *subsystem, const struct nvme_subsystem_conf *conf)
{
	memset(subsystem, 0, sizeof *subsystem);
	copy_text(subsystem->serial, sizeof subsystem->serial, conf->serial);
	copy_text(subsystem->model, sizeof subsystem->model, conf->model);
	copy_text(subsystem->firmware, sizeof subsystem->firmware, conf->firmware);
	copy_text(subsystem->nqn, sizeof subsystem->nqn, conf->nqn);
	subsystem->vendor = conf->vendor;
	subsystem->subsystem_vendor = conf->subsystem_vendor;
	subsystem->capacity = conf->capacity;
	subsystem->wish_begin = conf->wish;
	subsystem->owner = conf->owner;
	subsystem->keep = conf->keep;
	subsystem->keep_owner = conf->keep_owner;
}

unsigned nvme_subsystem_controllers(const struct nvme_subsystem *subsystem)
{
	return subsystem->controller_count;
}

void nvme_subsystem_set_unallocated(struct nvme_subsystem *subsystem, uint64_t bytes)
{
	subsystem->unallocated = bytes;
}

size_t nvme_size(void)
{
	return sizeof(struct nvme);
}

int nvme_init(struct nvme *nvme, const struct nvme_conf *conf)
{
	if (conf->queues < 1 || conf->queues > NVME_QUEUES_MAX || conf->vectors < 1 ||
	    conf->vectors > 256 || conf->controller_id >= NVME_CONTROLLERS_MAX ||
	    conf->subsystem->controllers[conf->controller_id])
		return -EINVAL;
	memset(nvme, 0, sizeof *nvme);
	nvme->front.ops = &ops;
	nvme->subsystem = conf->subsystem;
	nvme->doorbells = conf->doorbells;
	nvme->dma = conf->dma;
	nvme->host = conf->host;
	nvme->role = conf->role;
	nvme->id = conf->controller_id;
	nvme->vf_number = conf->vf_number;
	nvme->queues = conf->queues;
	nvme->vectors = conf->vectors;
	nvme->features.timestamp_ms = conf->now_ms;
	nvme->mdts = NVME_MDTS;
	nvme_commands_init(nvme);
	nvme->subsystem->controllers[nvme->id] = nvme;
	nvme->subsystem->controller_count++;
	nvme_virtual_init(nvme);
	nvme_reset(nvme);
	return 0;
}

void nvme_fini(struct nvme *nvme)
{
	must(nvme->front.in_flight == 0);
	nvme_reset(nvme);
	nvme->subsystem->controllers[nvme->id] = NULL;
	nvme->subsystem->controller_count--;
}

struct block_front *nvme_front(struct nvme *nvme)
{
	return &nvme->front;
}

void nvme_quiesce(struct nvme *nvme)
{
	nvme->quiet = true;
}

void nvme_resume(struct nvme *nvme)
{
	nvme->quiet = false;
}

void nvme_halt(struct nvme *nvme)
{
	nvme->halted = true;
}

unsigned nvme_busy(const struct nvme *nvme)
{
	const struct nvme_subsystem *subsystem = nvme->subsystem;
	unsigned n = nvme->front.in_flight - nvme->background + nvme->unsent_count;

	if (subsystem->wisher && subsystem->wisher->nvme == nvme)
		n++;
	if (subsystem->keeper && subsystem->keeper->nvme == nvme)
		n++;
	for (unsigned i = 0; subsystem->tasks && !nvme->halted && i < BLOCK_NAMESPACES_MAX; i++)
		if (subsystem->spaces[i].task.command && subsystem->spaces[i].task.nvme == nvme)
			n++;
	return n;
}
