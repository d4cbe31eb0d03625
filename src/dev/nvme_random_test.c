/* The data path against a plain model: random commands from several queues, by PRPs and SGLs, on a disk that
 * completes in any order, is full, fails, and whose controller is reset in between. */
#include "dev/nvme_side_test.h"

enum {
	QUEUES = 4,
	DEPTH = 16,
	SLOT_SIZE = 64 << 10, /* of data, for each command in flight */
	BLOCKS = 512,	      /* of the disk that are used */
	BLOCKS_MAX = 40,
};

/* A command in flight and what it will have done. */
struct slot {
	bool busy;
	uint8_t opcode;
	uint64_t lba;
	unsigned count;
	unsigned pieces;
	uint32_t piece_size[BLOCKS_MAX + 2];
	uint64_t piece_at[BLOCKS_MAX + 2]; /* data offsets */
	uint8_t wrote[BLOCKS_MAX * 512];   /* what the guest had in memory */
	bool compare_equal;
};

static struct run {
	struct world *world;
	struct side *side;
	uint64_t seed;
	uint8_t model[BLOCKS * 512];
	bool unsure[BLOCKS]; /* written by a command that failed: anything may be there */
	bool locked[BLOCKS]; /* a command in flight has it */
	struct slot slots[QUEUES * DEPTH];
	unsigned done, failed;
} r;

static uint64_t pick(uint64_t n)
{
	return rand_u64(&r.seed) % n;
}

static void copy(struct slot *slot, uint8_t *to)
{
	for (unsigned i = 0; i < slot->pieces; i++) {
		memcpy(to, data(r.side, slot->piece_at[i]), slot->piece_size[i]);
		to += slot->piece_size[i];
	}
}

static void scatter(struct slot *slot, const uint8_t *from)
{
	for (unsigned i = 0; i < slot->pieces; i++) {
		memcpy(data(r.side, slot->piece_at[i]), from, slot->piece_size[i]);
		from += slot->piece_size[i];
	}
}

/* PRPs: the first piece to the end of its page, then pages in a random order. */
static void lay_prps(struct slot *slot, uint64_t base, struct cmd *cmd)
{
	uint32_t left = slot->count * 512, first = (uint32_t)pick(1024) * 4;
	uint64_t list = base + 15 * 4096, page = pick(8);

	slot->pieces = 0;
	while (left) {
		uint32_t offset = slot->pieces ? 0 : first;
		uint32_t n = min_u32(left, 4096 - offset);

		slot->piece_at[slot->pieces] = base + page * 4096 + offset;
		slot->piece_size[slot->pieces++] = n;
		page = (page + 3) % 8;
		left -= n;
	}
	cmd->prp1 = data_at(slot->piece_at[0]);
	cmd->prp2 = slot->pieces == 2 ? data_at(slot->piece_at[1]) : data_at(list);
	for (unsigned i = 1; i < slot->pieces; i++)
		put_le64(data(r.side, list + 8 * (i - 1)), data_at(slot->piece_at[i]));
}

static void put_descriptor(uint64_t at, unsigned id, uint64_t address, uint32_t length)
{
	memset(data(r.side, at), 0, 16);
	put_le64(data(r.side, at), address);
	put_le32(data(r.side, at + 8), length);
	*data(r.side, at + 15) = (uint8_t)id;
}

/* SGLs: pieces of any size in one segment. */
static void lay_sgl(struct slot *slot, uint64_t base, struct cmd *cmd)
{
	uint32_t left = slot->count * 512;
	uint64_t at = base, list = base + 15 * 4096;

	for (slot->pieces = 0; left; slot->pieces++) {
		uint32_t n = slot->pieces == BLOCKS_MAX ? left : min_u32(left, 1 + (uint32_t)pick(3000));

		slot->piece_at[slot->pieces] = at;
		slot->piece_size[slot->pieces] = n;
		put_descriptor(list + 16 * slot->pieces, NVME_SGL_DATA_BLOCK, data_at(at), n);
		at += n + pick(100);
		left -= n;
	}
	cmd->flags = 0x40;
	cmd->prp1 = data_at(list);
	cmd->prp2 = slot->pieces * 16 | (uint64_t)NVME_SGL_LAST_SEGMENT << 56;
}

static bool take_blocks(struct slot *slot)
{
	slot->count = 1 + (unsigned)pick(BLOCKS_MAX);
	slot->lba = pick(BLOCKS - slot->count);
	for (unsigned i = 0; i < slot->count; i++)
		if (r.locked[slot->lba + i])
			return false;
	memset(&r.locked[slot->lba], 1, slot->count);
	return true;
}

static void post_one(unsigned queue)
{
	static const uint8_t opcodes[] = { NVME_IO_READ, NVME_IO_READ, NVME_IO_WRITE, NVME_IO_WRITE,
					   NVME_IO_COMPARE, NVME_IO_WRITE_ZEROES };
	unsigned tag = queue * DEPTH;
	struct slot *slot;
	struct cmd cmd = { .nsid = 1 };
	uint8_t sqe[NVME_SQE_SIZE];

	while (tag < (queue + 1) * DEPTH && r.slots[tag].busy)
		tag++;
	if (tag == (queue + 1) * DEPTH)
		return;
	slot = &r.slots[tag];
	if (!take_blocks(slot))
		return;
	slot->busy = true;
	slot->opcode = cmd.opcode = opcodes[pick(array_len(opcodes))];
	cmd.dw10 = (uint32_t)slot->lba;
	cmd.dw12 = slot->count - 1;
	if (pick(2))
		lay_prps(slot, (uint64_t)tag * SLOT_SIZE, &cmd);
	else
		lay_sgl(slot, (uint64_t)tag * SLOT_SIZE, &cmd);
	slot->compare_equal = slot->opcode == NVME_IO_COMPARE && pick(2);
	if (slot->compare_equal)
		memcpy(slot->wrote, r.model + slot->lba * 512, slot->count * 512);
	else
		fill(slot->wrote, slot->count * 512, rand_u64(&r.seed));
	scatter(slot, slot->wrote);
	cmd_lay(&cmd, sqe);
	assert_true(nvme_driver_post(&r.side->driver, queue, sqe, tag));
}

static bool is_sure(const struct slot *slot)
{
	for (unsigned i = 0; i < slot->count; i++)
		if (r.unsure[slot->lba + i])
			return false;
	return true;
}

static void settle(struct slot *slot, unsigned status)
{
	uint8_t *model = r.model + slot->lba * 512;
	uint8_t got[BLOCKS_MAX * 512];
	bool writes = slot->opcode == NVME_IO_WRITE || slot->opcode == NVME_IO_WRITE_ZEROES;

	if (writes) {
		memset(&r.unsure[slot->lba], status != 0, slot->count);
		if (slot->opcode == NVME_IO_WRITE)
			memcpy(model, slot->wrote, slot->count * 512);
		else
			memset(model, 0, slot->count * 512);
	} else if (slot->opcode == NVME_IO_READ && status == 0 && is_sure(slot)) {
		copy(slot, got);
		assert_memory_equal(got, model, slot->count * 512);
	} else if (slot->opcode == NVME_IO_COMPARE && is_sure(slot) && status != NVME_READ_ERROR) {
		assert_int_equal(status, slot->compare_equal ? 0 : NVME_COMPARE_FAILURE);
	}
	if (status && slot->opcode != NVME_IO_COMPARE) {
		assert_int_equal(status, writes ? NVME_WRITE_FAULT : NVME_READ_ERROR);
		r.failed++;
	}
}

static void on_end(void *owner, uint32_t tag, uint16_t status, uint32_t dw0)
{
	struct slot *slot = &r.slots[tag];

	(void)owner;
	(void)dw0;
	assert_true(slot->busy);
	settle(slot, status & NVME_STATUS_CODE_MASK);
	memset(&r.locked[slot->lba], 0, slot->count);
	slot->busy = false;
	r.done++;
}

/* The controller is reset with commands in flight: what they wrote is unknown. */
static void restart(void)
{
	for (unsigned i = 0; i < QUEUES * DEPTH; i++) {
		struct slot *slot = &r.slots[i];

		if (!slot->busy)
			continue;
		if (slot->opcode == NVME_IO_WRITE || slot->opcode == NVME_IO_WRITE_ZEROES)
			memset(&r.unsure[slot->lba], 1, slot->count);
		memset(&r.locked[slot->lba], 0, slot->count);
		slot->busy = false;
	}
	if (pick(2))
		nvme_reset(r.side->nvme);
	r.world->run_most = 1 + (unsigned)pick(3);
	assert_int_equal(side_drive(r.side, QUEUES, DEPTH), 0);
	assert_int_equal(nvme_busy(r.side->nvme), 0);
}

static void turn(void)
{
	unsigned queue = (unsigned)pick(QUEUES), posts = (unsigned)pick(6);

	r.world->disk[0].room = pick(4) ? FAKE_DISK_REQUESTS : 1 + (unsigned)pick(4);
	r.world->disk[0].fail_one_in = pick(8) ? 0 : 5;
	r.world->run_most = (unsigned)pick(12);
	while (posts--)
		post_one(queue);
	nvme_driver_ring(&r.side->driver, queue);
	world_round(r.world);
	for (unsigned i = 0; i < QUEUES; i++)
		assert_true(nvme_driver_poll(&r.side->driver, i, 1 + (unsigned)pick(8), on_end, NULL) >= 0);
	if (pick(300) == 0)
		restart();
}

static void random_commands_do_what_the_model_does(void **state)
{
	(void)state;
	r.seed = check_seed();
	r.world = world_open(1, false);
	r.side = &r.world->side[0];
	r.world->disk[0].in_order = false;
	r.world->disk[0].seed = r.seed;
	assert_true(QUEUES * DEPTH * SLOT_SIZE <= GUEST_SIZE - DATA_AT);
	assert_int_equal(side_drive(r.side, QUEUES, DEPTH), 0);
	for (unsigned i = 0; i < 20000; i++)
		turn();
	assert_true(r.done > 10000);
	assert_true(r.failed > 50);
	world_close(r.world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_commands_do_what_the_model_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
