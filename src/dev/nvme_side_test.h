/* dev/nvme_side_test.h -- what the tests of the NVMe controller share: a subsystem with up to four
 * controllers on one simulated disk, guest memory, and the driver. */
#ifndef DEV_NVME_SIDE_TEST_H
#define DEV_NVME_SIDE_TEST_H

#include "base/bytes.h"
#include "dev/nvme.h"
#include "dev/nvme_driver.h"
#include "dev/nvme_internal.h"
#include "sim/fake_disk.h"
#include "sim/plain_domain.h"
#include "tests/check.h"

#include <errno.h>

enum {
	GUEST_BASE = 0x100000, /* of guest memory, and its size */
	GUEST_SIZE = 8 << 20,
	DATA_AT = 4 << 20, /* where the tests keep data, from its start */
	DISK_SIZE = 4 << 20,
	SIDES_MAX = 4,
};

/* One controller, its guest's memory and its driver. */
struct side {
	struct nvme *nvme;
	struct block_front *front;
	struct nvme_driver driver;
	uint8_t *memory, *doorbells;
	struct dma_region region;
	struct plain_domain domain;
	struct dma dma;
	unsigned interrupts[64], wakes, waits, waits_max;
	struct world *world;
};

struct world {
	struct nvme_subsystem *subsystem;
	struct fake_disk disk[SIDES_MAX]; /* one view of the same bytes for each controller */
	uint8_t *bytes;
	struct side side[SIDES_MAX];
	unsigned sides;
	uint64_t now_ns;
	unsigned run_most; /* requests that the disk completes in a round */
	struct nvme_wish wish; /* the last one */
	unsigned wishes;
	int refuse_wish; /* enum nvme_status; -1: it is left open */
};

#define WORKER ((struct worker *)(void *)1)

static inline void side_interrupt(void *owner, unsigned vector)
{
	((struct side *)owner)->interrupts[vector]++;
}

static inline void side_wake(void *owner)
{
	((struct side *)owner)->wakes++;
}

/* One round of the worker, which flushes a front only when something moved, as a card does. */
static inline unsigned world_round(struct world *world)
{
	unsigned n = 0, moved;

	world->now_ns += 1000;
	for (unsigned i = 0; i < world->sides; i++) {
		struct block_front *front = world->side[i].front;

		moved = front->ops->poll(WORKER, front, world->now_ns);
		moved += fake_disk_run(WORKER, &world->disk[i], world->run_most);
		if (moved)
			front->ops->flush(WORKER, front);
		n += moved;
	}
	return n;
}

static inline int side_read(void *owner, uint32_t offset, unsigned size, uint64_t *value)
{
	uint8_t bytes[8] = { 0 };

	nvme_read(((struct side *)owner)->nvme, offset, size, bytes);
	*value = get_le64(bytes);
	return 0;
}

static inline int side_write(void *owner, uint32_t offset, unsigned size, uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	nvme_write(((struct side *)owner)->nvme, offset, size, bytes);
	return 0;
}

static inline bool side_wait(void *owner)
{
	struct side *side = owner;

	world_round(side->world);
	return ++side->waits < side->waits_max;
}

static inline void world_wish(void *owner, const struct nvme_wish *wish)
{
	struct world *world = owner;

	world->wish = *wish;
	world->wishes++;
	if (world->refuse_wish < 0)
		return;
	nvme_wish_done(world->subsystem, (enum nvme_status)world->refuse_wish, 7);
}

static inline void *take_aligned(size_t bytes)
{
	void *at = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);

	assert_non_null(at);
	memset(at, 0, (bytes + 4095) / 4096 * 4096);
	return at;
}

static inline void side_init(struct world *world, unsigned i, enum nvme_role role)
{
	struct side *side = &world->side[i];
	struct nvme_conf conf = {
		.subsystem = world->subsystem,
		.role = role,
		.controller_id = (uint16_t)i,
		.vf_number = (uint16_t)i,
		.queues = 8,
		.vectors = 9,
		.dma = &side->dma,
		.host = { side_interrupt, side_wake, side },
	};

	side->world = world;
	side->waits_max = 100000;
	side->memory = take_aligned(GUEST_SIZE);
	side->doorbells = take_aligned(4096);
	conf.doorbells = side->doorbells;
	side->region = (struct dma_region){ GUEST_BASE, GUEST_SIZE, GUEST_BASE, side->memory };
	side->nvme = take_aligned(nvme_size());
	plain_domain_init(&side->domain);
	plain_domain_grant(&side->domain, &side->region);
	dma_init(&side->dma, &side->domain.domain, &nvme_front(side->nvme)->dma_blocked);
	side->dma.regions = &side->region;
	side->dma.region_count = 1;
	assert_int_equal(nvme_init(side->nvme, &conf), 0);
	side->front = nvme_front(side->nvme);
	nvme_set_master(side->nvme, NVME_MASTER);
}

/* The disk as namespace 1 of a controller. */
static inline void side_give_disk(struct world *world, unsigned i)
{
	fake_disk_init(&world->disk[i], world->bytes, DISK_SIZE, 512);
	world->side[i].front->namespaces[0] = &world->disk[i].back;
	world->side[i].front->ops->namespaces_changed(NULL, world->side[i].front);
}

static inline struct world *world_open(unsigned sides, bool wishes)
{
	struct world *world = calloc(1, sizeof *world);
	struct nvme_subsystem_conf conf = {
		.serial = "MP0001", .model = "midplane disk", .firmware = "1.0",
		.nqn = "nqn.2026-01.org.midplane:disk", .vendor = 0x1af4,
		.subsystem_vendor = 0x1af4, .capacity = 1 << 30, .owner = world,
	};

	assert_non_null(world);
	if (wishes)
		conf.wish = world_wish;
	world->run_most = 1024;
	world->sides = sides;
	world->bytes = take_aligned(DISK_SIZE);
	world->subsystem = take_aligned(nvme_subsystem_size());
	nvme_subsystem_init(world->subsystem, &conf);
	for (unsigned i = 0; i < sides; i++) {
		side_init(world, i, sides == 1 ? NVME_ALONE : i ? NVME_SECONDARY : NVME_PRIMARY);
		side_give_disk(world, i);
		if (i)
			nvme_bring_online(world->side[i].nvme);
	}
	return world;
}

static inline void world_close(struct world *world)
{
	world->run_most = FAKE_DISK_REQUESTS;
	for (unsigned k = 0; k < 4; k++)
		world_round(world);
	for (unsigned i = 0; i < world->sides; i++) {
		nvme_fini(world->side[i].nvme);
		free(world->side[i].nvme);
		free(world->side[i].memory);
		free(world->side[i].doorbells);
	}
	free(world->subsystem);
	free(world->bytes);
	free(world);
}

static inline int side_drive(struct side *side, unsigned queues, unsigned depth)
{
	struct nvme_driver_conf conf = {
		.device = { side_read, side_write, side->doorbells, side_wait, side },
		.memory = { side->memory, GUEST_BASE, DATA_AT },
		.queues = queues,
		.depth = depth,
	};

	side->waits = 0;
	return nvme_driver_open(&side->driver, &conf);
}

/* A world of one controller that is up, with one queue. */
static inline struct world *world_started(void)
{
	struct world *world = world_open(1, false);

	assert_int_equal(side_drive(&world->side[0], 1, 64), 0);
	return world;
}

/* A command's dwords; what is not named is 0. */
struct cmd {
	uint8_t opcode, flags;
	uint32_t nsid, dw10, dw11, dw12, dw13, dw14;
	uint64_t prp1, prp2;
};

static inline void cmd_lay(const struct cmd *cmd, uint8_t *sqe)
{
	memset(sqe, 0, NVME_SQE_SIZE);
	sqe[0] = cmd->opcode;
	sqe[1] = cmd->flags;
	put_le32(sqe + NVME_SQE_NSID, cmd->nsid);
	put_le64(sqe + NVME_SQE_DPTR, cmd->prp1);
	put_le64(sqe + NVME_SQE_PRP2, cmd->prp2);
	put_le32(sqe + NVME_SQE_CDW10, cmd->dw10);
	put_le32(sqe + NVME_SQE_CDW11, cmd->dw11);
	put_le32(sqe + NVME_SQE_CDW12, cmd->dw12);
	put_le32(sqe + NVME_SQE_CDW13, cmd->dw13);
	put_le32(sqe + NVME_SQE_CDW14, cmd->dw14);
}

/* Runs one; returns its status code without flags. */
static inline int admin_dw0(struct side *side, struct cmd cmd, uint32_t *dw0)
{
	uint8_t sqe[NVME_SQE_SIZE];
	int status;

	cmd_lay(&cmd, sqe);
	side->waits = 0;
	status = nvme_driver_admin(&side->driver, sqe, dw0);
	assert_true(status >= 0);
	return status & NVME_STATUS_CODE_MASK;
}

static inline int admin(struct side *side, struct cmd cmd)
{
	return admin_dw0(side, cmd, NULL);
}

struct ended {
	unsigned count;
	uint16_t status[64];
	uint32_t tag[64], dw0[64];
};

static inline void note_end(void *owner, uint32_t tag, uint16_t status, uint32_t dw0)
{
	struct ended *ended = owner;

	assert_true(ended->count < 64);
	ended->tag[ended->count] = tag;
	ended->dw0[ended->count] = dw0;
	ended->status[ended->count++] = status;
}

/* Posts on queue 0 without waiting. */
static inline void io_post(struct side *side, struct cmd cmd, uint32_t tag)
{
	uint8_t sqe[NVME_SQE_SIZE];

	cmd_lay(&cmd, sqe);
	assert_true(nvme_driver_post(&side->driver, 0, sqe, tag));
}

/* Rings and waits until 'count' have ended. */
static inline void io_await(struct side *side, struct ended *ended, unsigned count)
{
	assert_int_equal(nvme_driver_ring(&side->driver, 0), 0);
	for (unsigned i = 0; i < 10000 && ended->count < count; i++) {
		world_round(side->world);
		assert_true(nvme_driver_poll(&side->driver, 0, 64, note_end, ended) >= 0);
	}
	assert_int_equal(ended->count, count);
}

static inline int io(struct side *side, struct cmd cmd)
{
	struct ended ended = { 0 };

	io_post(side, cmd, 0);
	io_await(side, &ended, 1);
	return ended.status[0] & NVME_STATUS_CODE_MASK;
}

/* Where data byte 'offset' is: for the test, and for the device. */
static inline uint8_t *data(struct side *side, uint64_t offset)
{
	return side->memory + DATA_AT + offset;
}

static inline uint64_t data_at(uint64_t offset)
{
	return GUEST_BASE + DATA_AT + offset;
}

static inline void fill(uint8_t *bytes, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)rand_u64(&seed);
}

/* Virtualization Management. */
static inline struct cmd virt(unsigned action, unsigned type, unsigned id, uint32_t count)
{
	return (struct cmd){ .opcode = NVME_ADMIN_VIRTUALIZATION,
			     .dw10 = action | type << 8 | (uint32_t)id << 16, .dw11 = count };
}

#endif
