/* fuzz/nvme_fuzz.c -- registers, queues, commands and their data pointers in hostile memory: steps that the
 * input lists, on a subsystem of a PF's and a VF's controller that share a namespace.
 *
 * Whatever it says: nothing outside the granted memory is touched (a sanitizer sees it), the disk is asked
 * for nothing beyond its end (sim/fake_disk.c has a must() for that), all requests end, and after a reset the
 * controller comes up again. */
#include "base/bytes.h"
#include "dev/nvme_internal.h"
#include "sim/fake_disk.h"
#include "sim/plain_domain.h"

#include <stdlib.h>

enum {
	BASE = 0x10000, /* of guest memory */
	MEMORY = 0x20000,
	DISK = 0x40000,
	ADMIN_ENTRIES = 16,
	SQ_AT = 0, /* of the admin queues, from the start of memory */
	CQ_AT = 0x1000,
	SIDES = 2,
	STEPS_MAX = 200,
};

enum step {
	STEP_COMMAND,  /* which queue; then 64 bytes of a command, put where that queue's tail is */
	STEP_REGISTER, /* offset in 4 bytes, size, 8 bytes of value */
	STEP_DOORBELL, /* which, 2 bytes of value */
	STEP_POKE,     /* offset in memory, 8 bytes */
	STEP_DISK,     /* what the disk does with the next requests */
	STEP_RESET,
	STEP_NAMESPACES,
	STEP_MOVE, /* save, and load what may be changed in one byte */
	STEP_GRANT, /* takes part of the memory away, or gives it back */
	STEP_KEEP, /* how what is to be kept is answered; or a record that was kept, in any bytes */
	STEP_KINDS,
};

struct side {
	struct nvme *nvme;
	uint8_t *memory, *doorbells;
	struct fake_disk disk;
	struct plain_domain domain;
	struct dma dma;
	struct dma_region region;
};

static struct side sides[SIDES];
static struct nvme_subsystem *subsystem;
static uint8_t *disk_bytes;
static uint64_t now_ns;
static unsigned run_most; /* requests that a disk completes in a round */
static unsigned opened; /* sides that are there */
static struct worker *const worker = (struct worker *)(void *)1;

static void on_interrupt(void *owner, unsigned vector)
{
	(void)owner;
	must(vector < 16);
}

static void on_wake(void *owner)
{
	(void)owner;
}

static void on_wish(void *owner, const struct nvme_wish *wish)
{
	(void)owner;
	must(wish->count <= NVME_CONTROLLERS_MAX);
	nvme_wish_done(subsystem, wish->nsid == 2 ? NVME_NSID_UNAVAILABLE : NVME_SUCCESS, 3);
}

/* Who keeps: answers at once, or in the next round; well or not. */
static enum { KEEPS, FAILS, KEEPS_LATER } keeper;
static bool asked;

static void answer(enum nvme_kept kept)
{
	static uint8_t record[NVME_RECORD_MAX];

	asked = false;
	must(nvme_subsystem_record(subsystem, record) <= sizeof record);
	nvme_subsystem_kept(subsystem, kept);
}

static void on_keep(void *owner)
{
	(void)owner;
	must(!asked);
	asked = true;
	if (keeper != KEEPS_LATER)
		answer(keeper == KEEPS ? NVME_KEPT : NVME_NOT_KEPT);
}

static void *zeroed(size_t size)
{
	void *at = aligned_alloc(4096, (size + 4095) / 4096 * 4096);

	must(at);
	memset(at, 0, size);
	return at;
}

static void rounds(unsigned n)
{
	while (n--) {
		now_ns += 10000;
		if (asked)
			answer(NVME_KEPT);
		for (unsigned i = 0; i < opened; i++) {
			struct block_front *front = nvme_front(sides[i].nvme);

			front->ops->poll(worker, front, now_ns);
			fake_disk_run(worker, &sides[i].disk, run_most);
			front->ops->flush(worker, front);
			front->ops->arm(worker, front);
		}
	}
}

static void write_register(struct nvme *nvme, uint32_t offset, unsigned size, uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	nvme_write(nvme, offset, size, bytes);
}

static void enable(struct side *side)
{
	write_register(side->nvme, NVME_REG_CC, 4, 0);
	rounds(2);
	write_register(side->nvme, NVME_REG_AQA, 4, (ADMIN_ENTRIES - 1) << 16 | (ADMIN_ENTRIES - 1));
	write_register(side->nvme, NVME_REG_ASQ, 8, BASE + SQ_AT);
	write_register(side->nvme, NVME_REG_ACQ, 8, BASE + CQ_AT);
	write_register(side->nvme, NVME_REG_CC, 4, 0x460001);
}

static void attach(struct side *side)
{
	struct block_front *front = nvme_front(side->nvme);

	front->namespaces[0] = front->namespaces[0] ? NULL : &side->disk.back;
	front->ops->namespaces_changed(NULL, front);
}

static void open_side(unsigned i)
{
	struct side *side = &sides[i];
	struct nvme_conf conf = { .subsystem = subsystem, .controller_id = (uint16_t)i,
				  .role = i ? NVME_SECONDARY : NVME_PRIMARY, .queues = 4,
				  .vectors = 5, .dma = &side->dma,
				  .host = { on_interrupt, on_wake, NULL } };

	side->memory = malloc(MEMORY);
	must(side->memory);
	memset(side->memory, 0, MEMORY);
	side->region = (struct dma_region){ BASE, MEMORY, BASE, side->memory };
	plain_domain_init(&side->domain);
	plain_domain_grant(&side->domain, &side->region);
	dma_init(&side->dma, &side->domain.domain, &nvme_front(side->nvme)->dma_blocked);
	memset(side->doorbells, 0, 4096);
	conf.doorbells = side->doorbells;
	must(nvme_init(side->nvme, &conf) == 0);
	nvme_set_master(side->nvme, NVME_MASTER);
	fake_disk_init(&side->disk, disk_bytes, DISK, 512);
	side->disk.in_order = false;
	opened = i + 1;
	attach(side);
	if (i)
		nvme_bring_online(side->nvme);
	enable(side);
}

/* Input that is used up reads as zeroes. */
struct input {
	const uint8_t *data;
	size_t size;
};

static void take(struct input *in, uint8_t *to, size_t n)
{
	size_t have = min_u64(n, in->size);

	memset(to, 0, n);
	if (have)
		memcpy(to, in->data, have);
	in->data += have;
	in->size -= have;
}

static uint64_t number(struct input *in, unsigned bytes)
{
	uint8_t word[8] = { 0 };

	take(in, word, bytes);
	return get_le64(word);
}

/* Writes a command into a queue's entry, when that lies in the memory. */
static void lay(struct side *side, const struct nvme_sq *sq, uint32_t index, const uint8_t *sqe)
{
	uint64_t at = sq->window.base + index % sq->count * 64u - BASE;

	if (at <= MEMORY - 64)
		memcpy(side->memory + at, sqe, 64);
}

/* Puts commands at the tail of one of the first queues and rings: copies of one, or a fused pair. */
static void post(struct side *side, struct input *in)
{
	unsigned how = (unsigned)number(in, 1), id = how % 4, count = 1 + (how >> 2 & 7);
	const struct nvme_sq *sq = &side->nvme->sq[id];
	uint8_t sqe[64], second[64];

	take(in, sqe, sizeof sqe);
	if ((sqe[1] & 3) == 1)
		take(in, second, sizeof second);
	if (!sq->live || side->nvme->shadow || sq->tail >= sq->count)
		return;
	for (unsigned i = 0; i < count; i++)
		lay(side, sq, sq->tail + i, sqe);
	if ((sqe[1] & 3) == 1)
		lay(side, sq, sq->tail + count++, second);
	put_le32(side->doorbells + 8 * id, (sq->tail + count) % sq->count);
	/* Room for completions. */
	put_le32(side->doorbells + 8 * sq->cq + 4, side->nvme->cq[sq->cq].tail);
}

static void disturb(struct side *side, struct input *in)
{
	uint64_t how = number(in, 1);

	run_most = (unsigned)number(in, 1);
	side->disk.room = how & 1 ? 2 : FAKE_DISK_REQUESTS;
	side->disk.fail_one_in = how & 2 ? 3 : 0;
	side->disk.back.read_only = how & 4;
	side->disk.back.transfer_max = how & 8 ? 8192 : 0;
	side->disk.next_result = (enum block_result)((how >> 4) % BLOCK_RESULT_COUNT);
}

static void move(struct side *side, struct input *in)
{
	size_t at = number(in, 2), size;
	uint8_t value = (uint8_t)number(in, 1), *bytes, lent[16];

	nvme_quiesce(side->nvme);
	run_most = 16;
	side->disk.room = FAKE_DISK_REQUESTS;
	for (unsigned i = 0; i < 1000 && nvme_busy(side->nvme); i++)
		rounds(1);
	must(nvme_busy(side->nvme) == 0);
	size = nvme_virtual_save(side->nvme->subsystem, lent, sizeof lent);
	must(size <= sizeof lent);
	must(nvme_virtual_load(side->nvme->subsystem, lent, size) == 0);
	size = nvme_save(side->nvme, NULL, 0);
	bytes = malloc(size);
	must(bytes);
	must(nvme_save(side->nvme, bytes, size) == size);
	bytes[at % size] ^= value;
	if (nvme_load(side->nvme, bytes, size))
		must(value);
	free(bytes);
	nvme_resume(side->nvme);
}

static void regrant(struct side *side, struct input *in)
{
	uint64_t from = number(in, 1) * 0x1000 % MEMORY;

	for (unsigned i = 0; i < 1000 && nvme_front(side->nvme)->in_flight; i++)
		fake_disk_run(worker, &side->disk, 16);
	plain_domain_init(&side->domain);
	side->domain.domain.dma = &side->dma;
	if (from)
		plain_domain_grant(&side->domain,
				   &(struct dma_region){ BASE, from, BASE, side->memory });
	dma_forget(&side->dma, 0, UINT64_MAX);
}

static void set_keeper(struct input *in)
{
	uint8_t how = (uint8_t)number(in, 1), record[128];
	size_t size = (size_t)(how >> 2) * 2;

	keeper = how % 3;
	take(in, record, size);
	put_le32(record, 1); /* the version */
	if (!asked && !subsystem->tasks && !subsystem->sanitizing)
		nvme_subsystem_recall(subsystem, record, size);
}

static void step(struct input *in)
{
	uint64_t kind = number(in, 1);
	struct side *side = &sides[kind >> 7];
	uint64_t offset;

	switch (kind % STEP_KINDS) {
	case STEP_COMMAND:
		post(side, in);
		break;
	case STEP_REGISTER:
		offset = number(in, 2);
		write_register(side->nvme, (uint32_t)offset, number(in, 1) & 1 ? 8 : 4, number(in, 8));
		break;
	case STEP_DOORBELL:
		offset = number(in, 1) * 4;
		put_le32(side->doorbells + offset, (uint32_t)number(in, 2));
		break;
	case STEP_POKE:
		offset = number(in, 3) % (MEMORY - 8);
		put_le64(side->memory + offset, number(in, 8));
		break;
	case STEP_DISK:
		disturb(side, in);
		break;
	case STEP_RESET:
		nvme_reset(side->nvme);
		enable(side);
		break;
	case STEP_NAMESPACES:
		if (nvme_busy(side->nvme) == 0)
			attach(side);
		break;
	case STEP_MOVE:
		move(side, in);
		break;
	case STEP_KEEP:
		set_keeper(in);
		break;
	default:
		regrant(side, in);
		break;
	}
	rounds(1);
}

static void close_side(unsigned i)
{
	struct side *side = &sides[i];
	uint8_t csts[4];

	nvme_set_master(side->nvme, NVME_MASTER);
	plain_domain_init(&side->domain);
	side->domain.domain.dma = &side->dma;
	plain_domain_grant(&side->domain, &side->region);
	dma_forget(&side->dma, 0, UINT64_MAX);
	side->disk.room = FAKE_DISK_REQUESTS;
	side->disk.fail_one_in = 0;
	run_most = 16;
	nvme_halt(side->nvme);
	nvme_reset(side->nvme);
	rounds(50);
	must(nvme_front(side->nvme)->in_flight == 0);
	must(nvme_busy(side->nvme) == 0);
	must(side->nvme->free_count == NVME_COMMANDS);
	enable(side);
	rounds(2);
	nvme_read(side->nvme, NVME_REG_CSTS, 4, csts);
	must(get_le32(csts) == (side->nvme->online ? NVME_CSTS_RDY : NVME_CSTS_CFS));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct nvme_subsystem_conf conf = { .serial = "1", .model = "disk", .firmware = "1",
						  .nqn = "nqn.test", .wish = on_wish,
						  .keep = on_keep };
	struct input in = { data, size };

	if (!subsystem) {
		subsystem = zeroed(nvme_subsystem_size());
		disk_bytes = zeroed(DISK);
		for (unsigned i = 0; i < SIDES; i++) {
			sides[i].nvme = zeroed(nvme_size());
			sides[i].doorbells = zeroed(4096);
		}
	}
	nvme_subsystem_init(subsystem, &conf);
	nvme_subsystem_set_unallocated(subsystem, 1 << 20);
	now_ns = 1;
	opened = 0;
	asked = false;
	keeper = KEEPS;
	run_most = 16;
	for (unsigned i = 0; i < SIDES; i++)
		open_side(i);
	for (unsigned i = 0; i < STEPS_MAX && in.size; i++)
		step(&in);
	for (unsigned i = 0; i < SIDES; i++)
		close_side(i);
	for (unsigned i = 0; i < SIDES; i++) {
		nvme_fini(sides[i].nvme);
		free(sides[i].memory);
	}
	return 0;
}
