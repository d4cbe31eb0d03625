/* The I/O commands, and the guest memory that they name. */
#include "dev/nvme_side_test.h"

static struct cmd rw(uint8_t opcode, uint64_t lba, unsigned count, uint64_t prp1, uint64_t prp2)
{
	return (struct cmd){ .opcode = opcode, .nsid = 1, .dw10 = (uint32_t)lba,
			     .dw11 = (uint32_t)(lba >> 32), .dw12 = count - 1, .prp1 = prp1,
			     .prp2 = prp2 };
}

static void data_is_written_and_read_back(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];

	(void)state;
	fill(data(side, 0), 4096, 7);
	assert_int_equal(io(side, rw(NVME_IO_WRITE, 16, 8, data_at(0), 0)), 0);
	assert_memory_equal(world->bytes + 16 * 512, data(side, 0), 4096);
	assert_int_equal(io(side, rw(NVME_IO_READ, 16, 8, data_at(0x5000), 0)), 0);
	assert_memory_equal(data(side, 0x5000), data(side, 0), 4096);
	assert_int_equal(counter_get(&side->front->reads), 1);
	assert_int_equal(counter_get(&side->front->read_bytes), 4096);
	assert_int_equal(counter_get(&side->front->written_bytes), 4096);
	assert_int_equal(io(side, rw(NVME_IO_READ, DISK_SIZE / 512 - 1, 1, data_at(0), 0)), 0);
	world_close(world);
}

/* Lays a PRP list for 'pages' pages from data offset 'at' on, every second page further. */
static void lay_list(struct side *side, uint64_t list, unsigned pages, uint64_t at, uint64_t step)
{
	for (unsigned i = 0; i < pages; i++)
		put_le64(data(side, list) + 8 * i, data_at(at + i * step));
}

static void prp_lists_lead_to_scattered_pages(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];

	(void)state;
	fill(world->bytes, 1 << 20, 3);
	/* From the middle of a page on, then 32 pages that lie backwards. */
	lay_list(side, 0x800, 32, 0x80000, (uint64_t)-0x2000);
	assert_int_equal(io(side, rw(NVME_IO_READ, 0, 32 * 8, data_at(0x1000 + 0xc00),
				     data_at(0x800))), 0);
	assert_memory_equal(data(side, 0x1c00), world->bytes, 0x400);
	for (unsigned i = 0; i < 31; i++)
		assert_memory_equal(data(side, 0x80000 - i * 0x2000ull),
				    world->bytes + 0x400 + i * 4096, 4096);
	assert_memory_equal(data(side, 0x80000 - 31 * 0x2000ull), world->bytes + 0x400 + 31 * 4096,
			    0xc00);
	world_close(world);
}

static void a_prp_list_goes_on_where_its_last_entry_points(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];

	(void)state;
	fill(world->bytes, 1 << 20, 3);
	/* Three entries up to the end of the page, the third leads on. */
	lay_list(side, 0xfe8, 2, 0x100000, 0x1000);
	put_le64(data(side, 0xff8), data_at(0x2000));
	lay_list(side, 0x2000, 253, 0x102000, 0x1000);
	assert_int_equal(io(side, rw(NVME_IO_READ, 0, 2048, data_at(0xff000), data_at(0xfe8))), 0);
	assert_memory_equal(data(side, 0xff000), world->bytes, 1 << 20);
	/* What leads on must be page-aligned. */
	put_le64(data(side, 0xff8), data_at(0x2008));
	assert_int_equal(io(side, rw(NVME_IO_READ, 0, 2048, data_at(0xff000), data_at(0xfe8))),
			 NVME_PRP_OFFSET_INVALID);
	put_le64(data(side, 0xff8), 0x1000);
	assert_int_equal(io(side, rw(NVME_IO_READ, 0, 2048, data_at(0xff000), data_at(0xfe8))),
			 NVME_DATA_TRANSFER_ERROR);
	world_close(world);
}

static void pointers_that_break_a_rule_get_its_status(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	const struct {
		struct cmd cmd;
		int status;
	} cases[] = {
		{ rw(NVME_IO_READ, 0, 8, data_at(2), data_at(0x1000)), NVME_PRP_OFFSET_INVALID },
		{ rw(NVME_IO_READ, 0, 8, data_at(4), data_at(0x1004)), NVME_PRP_OFFSET_INVALID },
		{ rw(NVME_IO_READ, 0, 24, data_at(0), data_at(0x1004)), NVME_PRP_OFFSET_INVALID },
		{ rw(NVME_IO_READ, 0, 8, 0, 0), NVME_DATA_TRANSFER_ERROR },
		{ rw(NVME_IO_READ, 0, 8, 0xfffffffffffffffc, data_at(0)), NVME_DATA_TRANSFER_ERROR },
		{ rw(NVME_IO_READ, 0, 16, data_at(0), 0), NVME_DATA_TRANSFER_ERROR },
		{ rw(NVME_IO_READ, 0, 24, data_at(0), 0), NVME_DATA_TRANSFER_ERROR },
		{ rw(NVME_IO_READ, 0, 8, GUEST_BASE + GUEST_SIZE - 512, GUEST_BASE + GUEST_SIZE - 4096), 0 },
		{ rw(NVME_IO_READ, 0, 8, GUEST_BASE + GUEST_SIZE, 0), NVME_DATA_TRANSFER_ERROR },
		{ rw(NVME_IO_READ, 0, 2049, data_at(0), data_at(0x1000)), NVME_INVALID_FIELD },
		{ rw(NVME_IO_READ, DISK_SIZE / 512, 1, data_at(0), 0), NVME_LBA_OUT_OF_RANGE },
		{ rw(NVME_IO_READ, DISK_SIZE / 512 - 1, 2, data_at(0), 0), NVME_LBA_OUT_OF_RANGE },
		{ rw(NVME_IO_READ, UINT64_MAX, 1, data_at(0), 0), NVME_LBA_OUT_OF_RANGE },
		{ rw(NVME_IO_WRITE, UINT64_MAX >> 9, 65536, data_at(0), 0), NVME_LBA_OUT_OF_RANGE },
		{ rw(NVME_IO_WRITE_ZEROES, DISK_SIZE / 512, 1, 0, 0), NVME_LBA_OUT_OF_RANGE },
		{ rw(NVME_IO_VERIFY, DISK_SIZE / 512, 1, 0, 0), NVME_LBA_OUT_OF_RANGE },
		{ rw(NVME_IO_COMPARE, DISK_SIZE / 512, 1, data_at(0), 0), NVME_LBA_OUT_OF_RANGE },
		{ { .opcode = NVME_IO_READ, .nsid = 0 }, NVME_INVALID_NAMESPACE },
		{ { .opcode = NVME_IO_READ, .nsid = 2 }, NVME_INVALID_NAMESPACE },
		{ { .opcode = NVME_IO_READ, .nsid = 65 }, NVME_INVALID_NAMESPACE },
		{ { .opcode = NVME_IO_READ, .nsid = UINT32_MAX }, NVME_INVALID_NAMESPACE },
		{ { .opcode = 0x55, .nsid = 1 }, NVME_INVALID_OPCODE },
		{ { .opcode = 0x55, .nsid = 9 }, NVME_INVALID_OPCODE },
		{ { .opcode = NVME_IO_READ, .nsid = 1, .flags = 0xc0 }, NVME_INVALID_FIELD },
		{ { .opcode = NVME_IO_READ, .nsid = 1, .flags = 0x02 }, NVME_ABORTED_MISSING_FUSED },
		{ { .opcode = NVME_IO_COMPARE, .nsid = 1, .flags = 0x01 }, NVME_ABORTED_MISSING_FUSED },
		{ { .opcode = NVME_IO_READ, .nsid = 1, .flags = 0x03 }, NVME_INVALID_FIELD },
	};

	(void)state;
	for (unsigned i = 0; i < array_len(cases); i++) {
		int status = io(side, cases[i].cmd);

		if (status != cases[i].status)
			fail_msg("case %u: status 0x%x, not 0x%x", i, status, cases[i].status);
	}
	assert_true(side->front->ready);
	world_close(world);
}

static void what_the_card_says_becomes_a_status(void **state)
{
	static const int want[BLOCK_RESULT_COUNT] = {
		[BLOCK_DIFFERS] = NVME_COMPARE_FAILURE,
		[BLOCK_OUT_OF_RANGE] = NVME_LBA_OUT_OF_RANGE,
		[BLOCK_READ_ONLY] = NVME_WRITE_PROTECTED,
		[BLOCK_NO_SPACE] = NVME_CAPACITY_EXCEEDED,
		[BLOCK_UNSUPPORTED] = NVME_INVALID_OPCODE,
		[BLOCK_MEDIUM_ERROR] = NVME_READ_ERROR,
		[BLOCK_GONE] = NVME_NAMESPACE_NOT_READY,
		[BLOCK_ABORTED] = NVME_ABORT_REQUESTED,
	};
	struct world *world = world_started();
	struct side *side = &world->side[0];

	(void)state;
	for (enum block_result result = 1; result < BLOCK_RESULT_COUNT; result++) {
		world->disk[0].next_result = result;
		assert_int_equal(io(side, rw(NVME_IO_READ, 0, 8, data_at(0), 0)), want[result]);
	}
	world->disk[0].next_result = BLOCK_MEDIUM_ERROR;
	assert_int_equal(io(side, rw(NVME_IO_WRITE, 0, 8, data_at(0), 0)), NVME_WRITE_FAULT);
	assert_int_equal(counter_get(&side->front->failed), BLOCK_RESULT_COUNT);
	world_close(world);
}

static void compare_tells_equal_from_different(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];

	(void)state;
	fill(data(side, 0), 4096, 7);
	assert_int_equal(io(side, rw(NVME_IO_WRITE, 0, 8, data_at(0), 0)), 0);
	assert_int_equal(io(side, rw(NVME_IO_COMPARE, 0, 8, data_at(0), 0)), 0);
	data(side, 0)[4095] ^= 1;
	assert_int_equal(io(side, rw(NVME_IO_COMPARE, 0, 8, data_at(0), 0)), NVME_COMPARE_FAILURE);
	world_close(world);
}

/* Compare-and-write of block 'lba'; the statuses of the two. */
static void pair(struct side *side, struct cmd first, struct cmd second, int *status)
{
	struct ended ended = { 0 };

	first.flags |= 1;
	second.flags |= 2;
	io_post(side, first, 0);
	io_post(side, second, 1);
	io_await(side, &ended, 2);
	assert_int_equal(ended.tag[0], 0);
	assert_int_equal(ended.tag[1], 1);
	status[0] = ended.status[0] & NVME_STATUS_CODE_MASK;
	status[1] = ended.status[1] & NVME_STATUS_CODE_MASK;
}

static void a_fused_pair_compares_and_writes_as_one(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct cmd compare = rw(NVME_IO_COMPARE, 4, 16, data_at(0xff0), data_at(0x3000));
	struct cmd write = rw(NVME_IO_WRITE, 4, 16, data_at(0x10000), data_at(0x20000));
	int status[2];

	(void)state;
	/* 8 KiB: the comparison's data in three pieces. */
	put_le64(data(side, 0x3000), data_at(0x5000));
	put_le64(data(side, 0x3008), data_at(0x7000));
	compare.prp2 = data_at(0x3000);
	fill(data(side, 0x10000), 4096, 1);
	fill(data(side, 0x20000), 4096, 2);
	pair(side, compare, write, status);
	assert_int_equal(status[0], 0);
	assert_int_equal(status[1], 0);
	assert_memory_equal(world->bytes + 2048, data(side, 0x10000), 4096);
	assert_memory_equal(world->bytes + 2048 + 4096, data(side, 0x20000), 4096);
	pair(side, compare, write, status); /* now the contents are others */
	assert_int_equal(status[0], NVME_COMPARE_FAILURE);
	assert_int_equal(status[1], NVME_ABORTED_FAILED_FUSED);
	write.dw10++;
	pair(side, compare, write, status);
	assert_int_equal(status[0], NVME_INVALID_FIELD);
	assert_int_equal(status[1], NVME_ABORTED_FAILED_FUSED);
	write.dw10--;
	write.prp1 = 0;
	pair(side, compare, write, status);
	assert_int_equal(status[0], NVME_DATA_TRANSFER_ERROR);
	assert_int_equal(status[1], NVME_ABORTED_FAILED_FUSED);
	write.prp1 = data_at(0);
	compare.nsid = write.nsid = 3;
	pair(side, compare, write, status);
	assert_int_equal(status[0], NVME_INVALID_NAMESPACE);
	compare.nsid = write.nsid = 1;
	compare.dw12 = write.dw12 = 256;
	pair(side, compare, write, status);
	assert_int_equal(status[0], NVME_ATOMIC_UNIT_EXCEEDED);
	world_close(world);
}

static void a_lone_half_of_a_pair_is_aborted(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct ended ended = { 0 };
	struct cmd read = rw(NVME_IO_READ, 4, 8, data_at(0), 0);
	struct cmd compare = rw(NVME_IO_COMPARE, 4, 8, data_at(0), 0);

	(void)state;
	compare.flags = 1;
	io_post(side, compare, 0);
	io_post(side, read, 1);
	io_await(side, &ended, 2);
	assert_int_equal(ended.status[0] & NVME_STATUS_CODE_MASK, NVME_ABORTED_MISSING_FUSED);
	assert_int_equal(ended.status[1], 0);
	world_close(world);
}

static void zeroes_are_written_and_ranges_verified(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct cmd cmd = rw(NVME_IO_WRITE_ZEROES, 8, 100, 0, 0);

	(void)state;
	fill(world->bytes, 1 << 16, 9);
	assert_int_equal(io(side, rw(NVME_IO_VERIFY, 0, 1000, 0, 0)), 0);
	assert_int_equal(io(side, cmd), 0);
	assert_int_equal(world->disk[0].last_flags, 0);
	assert_int_equal(world->bytes[8 * 512], 0);
	assert_int_equal(world->bytes[108 * 512 - 1], 0);
	assert_int_not_equal(get_le64(world->bytes + 108 * 512), 0);
	cmd.dw12 |= (uint32_t)(field_mask(NVME_RW_DEAC) | field_mask(NVME_RW_FUA));
	assert_int_equal(io(side, cmd), 0);
	assert_int_equal(world->disk[0].last_flags, BLOCK_MAY_UNMAP | BLOCK_FUA);
	/* A card that takes little at once gets it in pieces. */
	world->disk[0].back.transfer_max = 8192;
	world->disk[0].submitted = 0;
	fill(world->bytes, 1 << 16, 9);
	assert_int_equal(io(side, cmd), 0);
	assert_int_equal(world->disk[0].submitted, 7);
	assert_int_equal(world->bytes[108 * 512 - 1], 0);
	assert_int_equal(io(side, rw(NVME_IO_READ, 0, 17, data_at(0), data_at(0x2000))),
			 NVME_INVALID_FIELD);
	world->disk[0].next_result = BLOCK_MEDIUM_ERROR;
	assert_int_equal(io(side, rw(NVME_IO_VERIFY, 0, 100, 0, 0)), NVME_READ_ERROR);
	world_close(world);
}

static void put_range(struct side *side, unsigned i, uint64_t lba, uint32_t count)
{
	put_le32(data(side, 0) + i * 16 + NVME_DSM_RANGE_LENGTH, count);
	put_le64(data(side, 0) + i * 16 + NVME_DSM_RANGE_SLBA, lba);
}

static void ranges_are_deallocated(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct cmd cmd = { .opcode = NVME_IO_DATASET, .nsid = 1, .dw10 = 3, .dw11 = NVME_DSM_AD,
			   .prp1 = data_at(0) };

	(void)state;
	fill(world->bytes, DISK_SIZE, 5);
	put_range(side, 0, 10, 5);
	put_range(side, 1, 20, 0);
	put_range(side, 2, DISK_SIZE / 512 - 1, 1);
	put_range(side, 3, 40, 8);
	assert_int_equal(io(side, cmd), 0);
	assert_int_equal(world->disk[0].submitted, 3);
	assert_int_equal(world->bytes[12 * 512], 0);
	assert_int_equal(world->bytes[DISK_SIZE - 1], 0);
	assert_int_equal(world->bytes[47 * 512], 0);
	/* One that is beyond the end spoils all, before anything is done. */
	fill(world->bytes, DISK_SIZE, 5);
	put_range(side, 3, DISK_SIZE / 512 - 1, 2);
	assert_int_equal(io(side, cmd), NVME_LBA_OUT_OF_RANGE);
	assert_int_equal(world->disk[0].submitted, 3);
	put_range(side, 3, UINT64_MAX, 2);
	assert_int_equal(io(side, cmd), NVME_LBA_OUT_OF_RANGE);
	put_range(side, 3, 0, 1);
	/* The ranges themselves in many pieces. */
	cmd.dw10 = 255;
	memset(data(side, 0), 0, 4096);
	put_range(side, 255, 7, 1);
	memcpy(data(side, 0x9000), data(side, 0x10), 4096 - 16);
	memcpy(data(side, 0x4ff0), data(side, 0), 16);
	cmd.prp1 = data_at(0x4ff0);
	cmd.prp2 = data_at(0x9000);
	assert_int_equal(io(side, cmd), 0);
	assert_int_equal(world->bytes[7 * 512], 0);
	cmd.dw11 = 0; /* a hint */
	assert_int_equal(io(side, cmd), 0);
	cmd.dw11 = NVME_DSM_AD;
	world->disk[0].back.discard_granularity = 0;
	assert_int_equal(io(side, cmd), 0);
	assert_int_equal(world->disk[0].submitted, 4);
	world_close(world);
}

static void writes_go_through_the_cache_when_they_are_told_to(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct cmd write = rw(NVME_IO_WRITE, 0, 8, data_at(0), 0);

	(void)state;
	assert_int_equal(io(side, write), 0);
	assert_int_equal(world->disk[0].fua, 0);
	write.dw12 |= (uint32_t)field_mask(NVME_RW_FUA);
	assert_int_equal(io(side, write), 0);
	assert_int_equal(world->disk[0].fua, 1);
	assert_int_equal(io(side, (struct cmd){ .opcode = NVME_IO_FLUSH, .nsid = 1 }), 0);
	assert_int_equal(world->disk[0].unflushed, 0);
	/* With the volatile write cache off, each write is as one with FUA. */
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_SET_FEATURES,
						   .dw10 = NVME_FEATURE_WRITE_CACHE }), 0);
	assert_int_equal(io(side, rw(NVME_IO_WRITE, 0, 8, data_at(0), 0)), 0);
	assert_int_equal(world->disk[0].fua, 2);
	world_close(world);
}

static void a_flush_of_all_namespaces_reaches_each(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];

	(void)state;
	side->front->namespaces[5] = &world->disk[0].back;
	side->front->ops->namespaces_changed(NULL, side->front);
	assert_int_equal(io(side, (struct cmd){ .opcode = NVME_IO_FLUSH, .nsid = UINT32_MAX }), 0);
	assert_int_equal(world->disk[0].flushes, 2);
	memset(side->front->namespaces, 0, sizeof side->front->namespaces);
	assert_int_equal(io(side, (struct cmd){ .opcode = NVME_IO_FLUSH, .nsid = UINT32_MAX }), 0);
	assert_int_equal(world->disk[0].flushes, 2);
	world_close(world);
}

static void a_full_card_gets_its_commands_later_in_order(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct ended ended = { 0 };

	(void)state;
	world->disk[0].room = 3;
	for (unsigned i = 0; i < 60; i++)
		io_post(side, rw(NVME_IO_READ, i, 1, data_at(i * 512), 0), i);
	fill(world->bytes, DISK_SIZE, 5);
	io_await(side, &ended, 60);
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(ended.tag[i], i);
	assert_memory_equal(data(side, 0), world->bytes, 60 * 512);
	world_close(world);
}

static void an_abort_tells_whether_it_came_in_time(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct ended ended = { 0 };
	uint32_t dw0 = 9;
	uint16_t cid;

	(void)state;
	world->run_most = 0;
	cid = side->driver.queues[0].free[side->driver.queues[0].free_count - 1];
	io_post(side, rw(NVME_IO_READ, 0, 1, data_at(0), 0), 0);
	nvme_driver_ring(&side->driver, 0);
	world_round(world);
	world->run_most = 1;
	assert_int_equal(admin_dw0(side, (struct cmd){ .opcode = NVME_ADMIN_ABORT,
						       .dw10 = 1 | (uint32_t)cid << 16 }, &dw0), 0);
	assert_int_equal(dw0, 0);
	io_await(side, &ended, 1);
	assert_int_equal(ended.status[0] & NVME_STATUS_CODE_MASK, NVME_ABORT_REQUESTED);
	/* It is gone now. */
	assert_int_equal(admin_dw0(side, (struct cmd){ .opcode = NVME_ADMIN_ABORT,
						       .dw10 = 1 | (uint32_t)cid << 16 }, &dw0), 0);
	assert_int_equal(dw0, 1);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_ABORT, .dw10 = 7 }),
			 NVME_INVALID_FIELD);
	/* One that the card could not take yet is ours to drop. */
	world->disk[0].room = 0;
	cid = side->driver.queues[0].free[side->driver.queues[0].free_count - 1];
	io_post(side, rw(NVME_IO_READ, 0, 1, data_at(0), 0), 0);
	nvme_driver_ring(&side->driver, 0);
	world_round(world);
	assert_int_equal(admin_dw0(side, (struct cmd){ .opcode = NVME_ADMIN_ABORT,
						       .dw10 = 1 | (uint32_t)cid << 16 }, &dw0), 0);
	assert_int_equal(dw0, 0);
	io_await(side, &ended, 2);
	world_close(world);
}

static void more_aborts_than_there_may_be_are_refused(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	uint16_t cids[5];
	struct ended ended = { 0 };
	uint8_t sqe[64];

	(void)state;
	world->run_most = 0;
	for (unsigned i = 0; i < 5; i++) {
		struct nvme_driver_queue *queue = &side->driver.queues[0];

		cids[i] = queue->free[queue->free_count - 1];
		io_post(side, rw(NVME_IO_READ, 0, 1, data_at(0), 0), i);
	}
	nvme_driver_ring(&side->driver, 0);
	world_round(world);
	for (unsigned i = 0; i < 4; i++) {
		cmd_lay(&(struct cmd){ .opcode = NVME_ADMIN_ABORT,
				       .dw10 = 1 | (uint32_t)cids[i] << 16 }, sqe);
		put_le16(sqe + NVME_SQE_CID, (uint16_t)(0x100 + i)); /* past the driver's own */
		memcpy(side->driver.admin.sq + side->driver.admin.tail * 64, sqe, 64);
		side->driver.admin.tail = (side->driver.admin.tail + 1) % 32;
	}
	put_le32(side->doorbells, side->driver.admin.tail);
	world_round(world);
	assert_int_equal(side->nvme->aborts, 4);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_ABORT,
						   .dw10 = 1 | (uint32_t)cids[4] << 16 }),
			 NVME_ABORT_LIMIT);
	world->run_most = 10;
	io_await(side, &ended, 5);
	assert_int_equal(side->nvme->aborts, 0);
	world_close(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_is_written_and_read_back),
		cmocka_unit_test(prp_lists_lead_to_scattered_pages),
		cmocka_unit_test(a_prp_list_goes_on_where_its_last_entry_points),
		cmocka_unit_test(pointers_that_break_a_rule_get_its_status),
		cmocka_unit_test(what_the_card_says_becomes_a_status),
		cmocka_unit_test(compare_tells_equal_from_different),
		cmocka_unit_test(a_fused_pair_compares_and_writes_as_one),
		cmocka_unit_test(a_lone_half_of_a_pair_is_aborted),
		cmocka_unit_test(zeroes_are_written_and_ranges_verified),
		cmocka_unit_test(ranges_are_deallocated),
		cmocka_unit_test(writes_go_through_the_cache_when_they_are_told_to),
		cmocka_unit_test(a_flush_of_all_namespaces_reaches_each),
		cmocka_unit_test(a_full_card_gets_its_commands_later_in_order),
		cmocka_unit_test(an_abort_tells_whether_it_came_in_time),
		cmocka_unit_test(more_aborts_than_there_may_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
