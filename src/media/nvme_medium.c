/* Bringing an NVMe controller up as a medium, and taking it down. */
#include "media/nvme_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PAGE = NVME_PAGE_SIZE,
	CAP_TO_UNIT_MS = 500, /* CAP.TO */
	ADMIN_MS = 10000,     /* for all commands of a start together, beyond CAP.TO */
	CLOSE_MS = 5000,
	PAUSE_NS = 50000,
};
#define MS_NS UINT64_C(1000000)

uint64_t nvme_medium_now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t nvme_medium_bytes(void)
{
	return nvme_driver_bytes(1, NVME_MEDIUM_DEPTH) +
	       NVME_MEDIUM_DEPTH * (uint64_t)NVME_MEDIUM_TRANSFER_MAX;
}

static int read_register(void *owner, uint32_t offset, unsigned size, uint64_t *value)
{
	const struct nvme_driver_device *device = &((struct nvme_medium *)owner)->conf.device;

	return device->read(device->owner, offset, size, value);
}

static int write_register(void *owner, uint32_t offset, unsigned size, uint64_t value)
{
	const struct nvme_driver_device *device = &((struct nvme_medium *)owner)->conf.device;

	return device->write(device->owner, offset, size, value);
}

static bool wait_a_little(void *owner)
{
	struct nvme_medium *m = owner;

	if (nvme_medium_now_ns() > m->limit_ns)
		return false;
	if (m->conf.device.wait)
		return m->conf.device.wait(m->conf.device.owner);
	(void)nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
	return true;
}

static void close_nvme(struct any_medium *any)
{
	struct nvme_medium *m = container_of(any, struct nvme_medium, any);

	m->limit_ns = nvme_medium_now_ns() + CLOSE_MS * MS_NS;
	if (!m->dead)
		(void)nvme_driver_close(&m->driver); /* one that does not answer is left alone */
	if (m->conf.close)
		m->conf.close(m->conf.device.owner);
	free(m);
}

static void say_error(uint32_t code, char *text, size_t size)
{
	snprintf(text, size, "NVMe status 0x%x", code);
}

static bool is_idle(const struct any_medium *any)
{
	const struct nvme_medium *m = (const struct nvme_medium *)(const void *)any;

	/* relaxed: a look only; who closes has taken the card from its worker before */
	return atomic_load_explicit(&m->in_flight, memory_order_relaxed) == 0;
}

static int refuse_open(struct nvme_medium *m, int err, struct refusal *why)
{
	if (err == -ENODEV && m->driver.queue_count == 0 && m->driver.serial[0])
		refuse(why, "", "controller %s has no namespace %" PRIu32 " that can be used: one "
		       "without metadata, in blocks of 512 or 4096 bytes", m->driver.serial,
		       m->driver.nsid);
	else if (err == -ENODEV)
		refuse(why, "", "the controller has no NVM command set, or no memory pages of 4 KiB");
	else if (err == -ETIMEDOUT)
		refuse(why, "", "the NVMe controller does not become ready, or does not answer its "
		       "admin queue: a virtual function needs queues and interrupts from its "
		       "physical function, and to be brought online");
	else if (err == -EIO)
		refuse(why, "", "the NVMe controller failed, or refused a command that it must have: "
		       "a virtual function needs queues and interrupts from its physical function, "
		       "and to be brought online");
	else
		refuse(why, "", "the NVMe controller cannot be reached: %s", strerror(-err));
	return err;
}

static int open_driver(struct nvme_medium *m, struct refusal *why)
{
	struct nvme_driver_conf conf = {
		.device = { read_register, write_register, m->conf.device.doorbells_or_null,
			    wait_a_little, m },
		.memory = { m->conf.memory.host, m->conf.memory.iova,
			    nvme_driver_bytes(1, NVME_MEDIUM_DEPTH) },
		.queues = 1, .depth = NVME_MEDIUM_DEPTH, .nsid = m->conf.nsid,
	};
	uint64_t cap = 0;
	int err = read_register(m, NVME_REG_CAP, 8, &cap);

	m->limit_ns = nvme_medium_now_ns() +
		      (field_get(cap, NVME_CAP_TO) * CAP_TO_UNIT_MS + ADMIN_MS) * MS_NS;
	if (!err && cap == UINT64_MAX)
		err = -EIO;
	if (!err)
		err = nvme_driver_open(&m->driver, &conf);
	if (!err && m->driver.block_size != 512 && m->driver.block_size != PAGE) {
		m->driver.queue_count = 0;
		err = -ENODEV;
	}
	return err ? refuse_open(m, err, why) : 0;
}

static void describe(struct nvme_medium *m)
{
	const struct nvme_driver *d = &m->driver;

	m->any.medium = (struct medium){
		.ops = &nvme_medium_ops,
		.size = d->blocks * d->block_size,
		.block_size = d->block_size,
		.physical_block_size = d->block_size,
		.alignment = 1,
		.transfer_max = min_u32(d->transfer_max, NVME_MEDIUM_TRANSFER_MAX),
		.discard_granularity = d->optional & NVME_ONCS_DATASET ? PAGE : 0,
		.read_only = m->conf.access == MEDIUM_READ_ONLY || d->write_protected,
		.volatile_cache = d->volatile_cache,
		.wake_fd = -1,
	};
}

int nvme_medium_open(struct medium **medium, const struct nvme_medium_conf *conf,
		     struct refusal *why)
{
	struct nvme_medium *m = calloc(1, sizeof *m);
	uint64_t queues = nvme_driver_bytes(1, NVME_MEDIUM_DEPTH);
	int err;

	must(conf->memory.size >= nvme_medium_bytes() && conf->memory.iova % PAGE == 0);
	if (!m)
		return -ENOMEM;
	m->conf = *conf;
	m->any.close = close_nvme;
	m->any.is_idle = is_idle;
	m->any.say_error = say_error;
	m->any.how = conf->how;
	if (!m->conf.patience_ns)
		m->conf.patience_ns = NVME_MEDIUM_PATIENCE_S * 1000 * MS_NS;
	err = open_driver(m, why);
	if (err) {
		free(m);
		return err;
	}
	m->buffers = conf->memory.host + queues;
	m->buffers_iova = conf->memory.iova + queues;
	for (unsigned i = m->driver.depth; i-- > 0;) {
		m->ios[i].next_free = m->free_ios;
		m->free_ios = &m->ios[i];
	}
	describe(m);
	*medium = &m->any.medium;
	return 0;
}
