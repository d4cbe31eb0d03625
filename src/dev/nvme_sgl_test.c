/* Scatter gather lists, and hostile memory behind commands. */
#include "dev/nvme_side_test.h"

enum { SGL = 0x40 }; /* PSDT: an SGL, metadata in one buffer */

static void put_sgl(uint8_t *to, unsigned id, uint64_t address, uint32_t length)
{
	memset(to, 0, 16);
	put_le64(to, address);
	put_le32(to + 8, length);
	to[15] = (uint8_t)id;
}

/* A command whose first descriptor is that one. */
static struct cmd rw(uint8_t opcode, unsigned count, unsigned id, uint64_t address, uint32_t length)
{
	uint8_t d[16];

	put_sgl(d, id, address, length);
	return (struct cmd){ .opcode = opcode, .flags = SGL, .nsid = 1, .dw12 = count - 1,
			     .prp1 = get_le64(d), .prp2 = get_le64(d + 8) };
}

static void one_descriptor_describes_all(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];

	(void)state;
	fill(world->bytes, 8192, 3);
	/* Any alignment. */
	assert_int_equal(io(side, rw(NVME_IO_READ, 16, NVME_SGL_DATA_BLOCK, data_at(0x1003), 8192)),
			 0);
	assert_memory_equal(data(side, 0x1003), world->bytes, 8192);
	/* More than is needed: nothing beyond is touched. */
	memset(data(side, 0), 0xee, 0x8000);
	assert_int_equal(io(side, rw(NVME_IO_READ, 1, NVME_SGL_DATA_BLOCK, data_at(1), UINT32_MAX)),
			 0);
	assert_memory_equal(data(side, 1), world->bytes, 512);
	assert_int_equal(*data(side, 513), 0xee);
	assert_int_equal(*data(side, 0), 0xee);
	world_close(world);
}

static void segments_lead_from_one_to_the_next(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];

	(void)state;
	fill(world->bytes, 8192, 3);
	/* Segment 1: 100 bytes, nothing, on to segment 2: 3000 bytes, 500 for nobody, 496. */
	put_sgl(data(side, 0), NVME_SGL_DATA_BLOCK, data_at(0x1000), 100);
	put_sgl(data(side, 16), NVME_SGL_DATA_BLOCK, 0, 0);
	put_sgl(data(side, 32), NVME_SGL_LAST_SEGMENT, data_at(0x103), 48);
	put_sgl(data(side, 0x103), NVME_SGL_DATA_BLOCK, data_at(0x2000), 3000);
	put_sgl(data(side, 0x113), NVME_SGL_BIT_BUCKET, 0, 500);
	put_sgl(data(side, 0x123), NVME_SGL_DATA_BLOCK, data_at(0x4000), 496);
	assert_int_equal(io(side, rw(NVME_IO_READ, 8, NVME_SGL_SEGMENT, data_at(0), 48)), 0);
	assert_memory_equal(data(side, 0x1000), world->bytes, 100);
	assert_memory_equal(data(side, 0x2000), world->bytes + 100, 3000);
	assert_memory_equal(data(side, 0x4000), world->bytes + 3600, 496);
	/* Written, a bit bucket is nothing, so 500 bytes are missing. */
	assert_int_equal(io(side, rw(NVME_IO_WRITE, 8, NVME_SGL_SEGMENT, data_at(0), 48)),
			 NVME_DATA_SGL_LENGTH_INVALID);
	assert_int_equal(io(side, rw(NVME_IO_WRITE, 7, NVME_SGL_SEGMENT, data_at(0), 48)), 0);
	assert_memory_equal(world->bytes + 3100, data(side, 0x4000), 484);
	world_close(world);
}

static void lists_that_break_a_rule_get_its_status(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	const struct {
		struct cmd cmd;
		int status;
	} cases[] = {
		{ rw(NVME_IO_READ, 8, NVME_SGL_DATA_BLOCK, data_at(0), 4095), NVME_DATA_SGL_LENGTH_INVALID },
		{ rw(NVME_IO_READ, 8, NVME_SGL_DATA_BLOCK, 0x1000, 4096), NVME_DATA_TRANSFER_ERROR },
		{ rw(NVME_IO_READ, 8, NVME_SGL_DATA_BLOCK, UINT64_MAX, 4096), NVME_DATA_TRANSFER_ERROR },
		{ rw(NVME_IO_READ, 8, 0x40, data_at(0), 4096), NVME_SGL_TYPE_INVALID },
		{ rw(NVME_IO_READ, 8, 0x01, data_at(0), 4096), NVME_SGL_TYPE_INVALID },
		{ rw(NVME_IO_READ, 8, 0xf0, data_at(0), 4096), NVME_SGL_TYPE_INVALID },
		{ rw(NVME_IO_READ, 8, NVME_SGL_SEGMENT, data_at(0), 0), NVME_INVALID_SGL_SEGMENT },
		{ rw(NVME_IO_READ, 8, NVME_SGL_SEGMENT, data_at(0), 24), NVME_INVALID_SGL_SEGMENT },
		{ rw(NVME_IO_READ, 8, NVME_SGL_LAST_SEGMENT, data_at(0), 1), NVME_INVALID_SGL_SEGMENT },
		{ rw(NVME_IO_READ, 8, NVME_SGL_SEGMENT, 0x1000, 32), NVME_DATA_TRANSFER_ERROR },
		/* At 0x100: a segment that is not the last descriptor. */
		{ rw(NVME_IO_READ, 8, NVME_SGL_SEGMENT, data_at(0x100), 32), NVME_INVALID_SGL_COUNT },
		/* At 0x100, as the last segment. */
		{ rw(NVME_IO_READ, 8, NVME_SGL_LAST_SEGMENT, data_at(0x100), 16), NVME_INVALID_SGL_SEGMENT },
		/* At 0x200: one that leads to a segment without length. */
		{ rw(NVME_IO_READ, 8, NVME_SGL_SEGMENT, data_at(0x200), 16), NVME_INVALID_SGL_SEGMENT },
		/* At 0x300: one that leads to itself, for ever. */
		{ rw(NVME_IO_READ, 8, NVME_SGL_SEGMENT, data_at(0x300), 16), NVME_INVALID_SGL_COUNT },
		/* At 0x400: a type that there is not. */
		{ rw(NVME_IO_READ, 8, NVME_SGL_SEGMENT, data_at(0x400), 16), NVME_SGL_TYPE_INVALID },
		/* At 0x1000: more empty descriptors than anybody needs. */
		{ rw(NVME_IO_READ, 8, NVME_SGL_LAST_SEGMENT, data_at(0x1000), 16 * 5000), NVME_INVALID_SGL_COUNT },
		/* At 0x100000: more pieces than a card takes, 1 byte each. */
		{ rw(NVME_IO_READ, 8, NVME_SGL_LAST_SEGMENT, data_at(0x100000), 16 * 2000), NVME_INVALID_SGL_COUNT },
	};

	(void)state;
	put_sgl(data(side, 0x100), NVME_SGL_SEGMENT, data_at(0x100), 16);
	put_sgl(data(side, 0x200), NVME_SGL_SEGMENT, data_at(0x100), 0);
	put_sgl(data(side, 0x300), NVME_SGL_SEGMENT, data_at(0x300), 16);
	put_sgl(data(side, 0x400), 0x50, data_at(0x300), 16);
	for (unsigned i = 0; i < 2000; i++)
		put_sgl(data(side, 0x100000 + 16 * i), NVME_SGL_DATA_BLOCK, data_at(0x200000 + 2 * i), 1);
	for (unsigned i = 0; i < array_len(cases); i++) {
		int status = io(side, cases[i].cmd);

		if (status != cases[i].status)
			fail_msg("case %u: status 0x%x, not 0x%x", i, status, cases[i].status);
	}
	/* The same with as many pieces as a card takes. */
	assert_int_equal(io(side, rw(NVME_IO_READ, 2, NVME_SGL_LAST_SEGMENT, data_at(0x100000),
				     16 * 2000)), 0);
	assert_int_equal(side->nvme->free_count, NVME_COMMANDS);
	world_close(world);
}

/* Lays PRPs or SGLs for scattered bytes, 'count' blocks of 512 at odd places. */
static void more_commands_in_many_pieces_than_lists_wait_their_turn(void **state)
{
	struct world *world = world_open(1, false);
	struct side *side = &world->side[0];
	struct ended ended = { 0 };
	uint64_t done = 0;

	(void)state;
	assert_int_equal(side_drive(side, 1, 200), 0);
	fill(world->bytes, 1 << 20, 3);
	for (unsigned i = 0; i < 16; i++)
		put_sgl(data(side, 16 * i), NVME_SGL_DATA_BLOCK, data_at(0x1000 + 512 * i * 2), 512);
	world->run_most = 0;
	for (unsigned i = 0; i < 100; i++)
		io_post(side, rw(NVME_IO_READ, 16, NVME_SGL_LAST_SEGMENT, data_at(0), 256), i);
	nvme_driver_ring(&side->driver, 0);
	for (unsigned i = 0; i < 4; i++)
		world_round(world);
	assert_int_equal(nvme_busy(side->nvme), NVME_LONG_LISTS);
	world->run_most = 3;
	for (unsigned i = 0; i < 200 && done < 100; i++) {
		ended.count = 0;
		world_round(world);
		done += (unsigned)nvme_driver_poll(&side->driver, 0, 64, note_end, &ended);
	}
	assert_int_equal(done, 100);
	for (unsigned i = 0; i < 16; i++)
		assert_memory_equal(data(side, 0x1000 + 1024 * i), world->bytes + 512 * i, 512);
	world_close(world);
}

static void translations_that_miss_are_asked_for_and_awaited(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	static struct page_requests requests;
	struct ended ended = { 0 };
	struct plain_domain nothing;

	(void)state;
	fill(world->bytes, 8192, 3);
	side->dma.requests = &requests;
	page_requests_clear(&requests);
	plain_domain_init(&nothing);
	side->dma.domain = &nothing.domain;
	dma_forget(&side->dma, 0, UINT64_MAX);
	io_post(side, (struct cmd){ .opcode = NVME_IO_READ, .nsid = 1, .dw12 = 7,
				    .prp1 = data_at(0) }, 1);
	nvme_driver_ring(&side->driver, 0);
	for (unsigned i = 0; i < 5; i++)
		world_round(world);
	assert_int_equal(world->disk[0].submitted, 0);
	assert_true(side->front->ready);
	/* The entry can be read now, but not its data; then all. */
	plain_domain_grant(&nothing, &(struct dma_region){ GUEST_BASE, DATA_AT, GUEST_BASE, side->memory });
	for (unsigned i = 0; i < 5; i++)
		world_round(world);
	assert_int_equal(world->disk[0].submitted, 0);
	assert_int_equal(side->nvme->free_count, NVME_COMMANDS);
	plain_domain_grant(&nothing, &(struct dma_region){ GUEST_BASE + DATA_AT, GUEST_SIZE - DATA_AT,
							   GUEST_BASE + DATA_AT, side->memory + DATA_AT });
	io_await(side, &ended, 1);
	assert_int_equal(ended.status[0], 0);
	assert_memory_equal(data(side, 0), world->bytes, 4096);
	side->dma.requests = NULL;
	world_close(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_descriptor_describes_all),
		cmocka_unit_test(segments_lead_from_one_to_the_next),
		cmocka_unit_test(lists_that_break_a_rule_get_its_status),
		cmocka_unit_test(more_commands_in_many_pieces_than_lists_wait_their_turn),
		cmocka_unit_test(translations_that_miss_are_asked_for_and_awaited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
