/* Registers, life and death of a controller, queues. */
#include "dev/nvme_side_test.h"

static uint32_t reg(struct side *side, uint32_t offset)
{
	uint64_t value;

	side_read(side, offset, 4, &value);
	return (uint32_t)value;
}

static void set(struct side *side, uint32_t offset, uint32_t value)
{
	side_write(side, offset, 4, value);
}

static void a_controller_says_what_it_is_before_it_is_enabled(void **state)
{
	struct world *world = world_open(1, false);
	struct side *side = &world->side[0];
	uint64_t cap;

	(void)state;
	side_read(side, NVME_REG_CAP, 8, &cap);
	assert_int_equal(field_get(cap, NVME_CAP_MQES), 1023);
	assert_true(field_is_set(cap, NVME_CAP_CQR));
	assert_true(field_is_set(cap, NVME_CAP_NSSRS));
	assert_int_equal(field_get(cap, NVME_CAP_DSTRD), 0);
	assert_int_equal(field_get(cap, NVME_CAP_CSS), 1);
	assert_int_equal(reg(side, NVME_REG_VS), 0x20000);
	assert_int_equal(reg(side, NVME_REG_CSTS), 0);
	assert_int_equal(reg(side, 0x38), 0);
	assert_int_equal(reg(side, 0xffc), 0);
	world_close(world);
}

static void wide_and_narrow_accesses_see_the_same_registers(void **state)
{
	struct world *world = world_open(1, false);
	struct side *side = &world->side[0];
	uint8_t bytes[64];
	uint64_t asq;

	(void)state;
	side_write(side, NVME_REG_ASQ, 8, 0x123456789abcdfff);
	side_read(side, NVME_REG_ASQ, 8, &asq);
	assert_int_equal(asq, 0x123456789abcd000);
	set(side, NVME_REG_ASQ + 4, 0x55);
	side_read(side, NVME_REG_ASQ, 8, &asq);
	assert_int_equal(asq, 0x559abcd000);
	nvme_read(side->nvme, NVME_REG_ASQ + 1, 3, bytes);
	assert_int_equal(bytes[0], 0xd0);
	assert_int_equal(bytes[2], 0x9a);
	/* A write of another size has no effect. */
	nvme_write(side->nvme, NVME_REG_ASQ, 2, bytes);
	nvme_write(side->nvme, NVME_REG_ASQ + 2, 4, bytes);
	side_read(side, NVME_REG_ASQ, 8, &asq);
	assert_int_equal(asq, 0x559abcd000);
	set(side, NVME_REG_AQA, 0xffffffff);
	assert_int_equal(reg(side, NVME_REG_AQA), 0x0fff0fff);
	set(side, NVME_REG_VS, 5);
	assert_int_equal(reg(side, NVME_REG_VS), 0x20000);
	world_close(world);
}

static void the_driver_brings_a_controller_up_and_down(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];

	(void)state;
	assert_true(side->front->ready);
	assert_true(side->front->polled);
	assert_string_equal(side->driver.model, "midplane disk");
	assert_string_equal(side->driver.serial, "MP0001");
	assert_int_equal(side->driver.blocks, DISK_SIZE / 512);
	assert_int_equal(side->driver.block_size, 512);
	assert_int_equal(side->driver.transfer_max, 1 << 20);
	assert_true(side->driver.volatile_cache);
	assert_int_equal(nvme_driver_close(&side->driver), 0);
	assert_false(side->front->ready);
	assert_false(side->front->polled);
	assert_int_equal(world->disk[0].flushes, 1); /* 3.6.1: before SHST says complete */
	assert_int_equal(reg(side, NVME_REG_CSTS), 0);
	assert_int_equal(side_drive(side, 4, 127), 0);
	assert_int_equal(side->driver.queue_count, 4);
	world_close(world);
}

/* Enables with the given registers; expects CSTS.CFS and a reason. */
static void expect_failure(uint32_t cc, uint32_t aqa, const char *reason)
{
	struct world *world = world_open(1, false);
	struct side *side = &world->side[0];

	set(side, NVME_REG_AQA, aqa);
	side_write(side, NVME_REG_ASQ, 8, GUEST_BASE);
	side_write(side, NVME_REG_ACQ, 8, GUEST_BASE + 0x1000);
	set(side, NVME_REG_CC, cc);
	world_round(world);
	assert_int_equal(reg(side, NVME_REG_CSTS) & 3, NVME_CSTS_CFS);
	assert_non_null(strstr(side->front->stopped, reason));
	set(side, NVME_REG_CC, 0);
	assert_int_equal(reg(side, NVME_REG_CSTS), 0);
	assert_string_equal(side->front->stopped, "");
	assert_int_equal(side_drive(side, 1, 8), 0);
	world_close(world);
}

static void what_cap_does_not_offer_fails_the_controller_until_it_is_reset(void **state)
{
	(void)state;
	expect_failure(0x460011, 0x001f001f, "what CAP does not offer");
	expect_failure(0x460081, 0x001f001f, "what CAP does not offer");
	expect_failure(0x460801, 0x001f001f, "what CAP does not offer");
	expect_failure(0x460001, 0x001f0000, "2 entries or more");
	expect_failure(0x460001, 0x0000001f, "2 entries or more");
}

static void admin_queues_that_were_not_granted_fail_the_controller(void **state)
{
	struct world *world = world_open(1, false);
	struct side *side = &world->side[0];

	(void)state;
	set(side, NVME_REG_AQA, 0x001f001f);
	side_write(side, NVME_REG_ASQ, 8, 0x77000);
	side_write(side, NVME_REG_ACQ, 8, GUEST_BASE);
	set(side, NVME_REG_CC, 0x460001);
	assert_int_equal(reg(side, NVME_REG_CSTS), NVME_CSTS_RDY);
	put_le32(side->doorbells, 1);
	world_round(world);
	assert_int_equal(reg(side, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_CFS);
	assert_non_null(strstr(side->front->stopped, "submission queue 0: entry 0 at 0x77000"));
	nvme_reset(side->nvme);
	side_write(side, NVME_REG_ASQ, 8, GUEST_BASE);
	side_write(side, NVME_REG_ACQ, 8, 0xffffffffffff0000);
	set(side, NVME_REG_AQA, 0x001f001f);
	set(side, NVME_REG_CC, 0x460001);
	put_le32(side->doorbells, 1);
	world_round(world);
	assert_int_equal(reg(side, NVME_REG_CSTS), NVME_CSTS_RDY | NVME_CSTS_CFS);
	assert_non_null(strstr(side->front->stopped, "completion queue 0"));
	nvme_reset(side->nvme);
	world_close(world);
}

static void nothing_is_fetched_without_bus_mastering(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct ended ended = { 0 };

	(void)state;
	nvme_set_master(side->nvme, NVME_NO_MASTER);
	io_post(side, (struct cmd){ .opcode = NVME_IO_FLUSH, .nsid = 1 }, 1);
	nvme_driver_ring(&side->driver, 0);
	for (unsigned i = 0; i < 10; i++)
		world_round(world);
	assert_int_equal(world->disk[0].submitted, 0);
	nvme_set_master(side->nvme, NVME_MASTER);
	io_await(side, &ended, 1);
	world_close(world);
}

static void a_reset_waits_for_what_the_disk_has_and_completes_nothing(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];

	(void)state;
	world->run_most = 0;
	for (unsigned i = 0; i < 5; i++)
		io_post(side, (struct cmd){ .opcode = NVME_IO_READ, .nsid = 1,
					    .prp1 = data_at(0) }, i);
	nvme_driver_ring(&side->driver, 0);
	world_round(world);
	assert_int_equal(nvme_busy(side->nvme), 5);
	memset(side->driver.queues[0].cq, 0xee, 64);
	set(side, NVME_REG_CC, 0x460000);
	assert_int_equal(reg(side, NVME_REG_CSTS), NVME_CSTS_RDY);
	world_round(world);
	assert_int_equal(world->disk[0].cancelled, 5);
	set(side, NVME_REG_CC, 0x460001); /* too early, but it must not be lost */
	assert_int_equal(reg(side, NVME_REG_CSTS), NVME_CSTS_RDY);
	world->run_most = 100;
	world_round(world);
	world_round(world);
	assert_int_equal(nvme_busy(side->nvme), 0);
	assert_int_equal(reg(side, NVME_REG_CSTS), NVME_CSTS_RDY);
	assert_int_equal(side->driver.queues[0].cq[0], 0xee);
	assert_int_equal(side_drive(side, 1, 8), 0);
	world_close(world);
}

static void a_function_reset_forgets_every_register(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];

	(void)state;
	nvme_reset(side->nvme);
	assert_int_equal(reg(side, NVME_REG_CC), 0);
	assert_int_equal(reg(side, NVME_REG_CSTS), 0);
	assert_int_equal(reg(side, NVME_REG_AQA), 0);
	assert_int_equal(reg(side, NVME_REG_ASQ), 0);
	assert_int_equal(get_le32(side->doorbells), 0);
	world_close(world);
}

static void a_subsystem_reset_is_one_of_all_controllers(void **state)
{
	struct world *world = world_open(2, false);

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(side_drive(&world->side[i], 1, 8), 0);
	set(&world->side[0], NVME_REG_NSSR, 0x4e564d64);
	assert_int_equal(reg(&world->side[1], NVME_REG_CSTS), NVME_CSTS_RDY);
	set(&world->side[0], NVME_REG_NSSR, NVME_NSSR_RESET);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(reg(&world->side[i], NVME_REG_CSTS), NVME_CSTS_NSSRO);
		set(&world->side[i], NVME_REG_CSTS, NVME_CSTS_NSSRO);
		assert_int_equal(reg(&world->side[i], NVME_REG_CSTS), 0);
	}
	world_close(world);
}

static void queues_of_wrong_shape_are_refused(void **state)
{
	static const struct {
		struct cmd cmd;
		int status;
	} cases[] = {
		{ { .opcode = NVME_ADMIN_CREATE_CQ, .dw10 = 0x70000, .dw11 = 1 }, 0x101 },
		{ { .opcode = NVME_ADMIN_CREATE_CQ, .dw10 = 0x70001, .dw11 = 1 }, 0x101 },
		{ { .opcode = NVME_ADMIN_CREATE_CQ, .dw10 = 0x70009, .dw11 = 1 }, 0x101 },
		{ { .opcode = NVME_ADMIN_CREATE_CQ, .dw10 = 0x00002, .dw11 = 1 }, 0x102 },
		{ { .opcode = NVME_ADMIN_CREATE_CQ, .dw10 = 0x4000002, .dw11 = 1 }, 0x102 },
		{ { .opcode = NVME_ADMIN_CREATE_CQ, .dw10 = 0x70002 }, 0x002 },
		{ { .opcode = NVME_ADMIN_CREATE_CQ, .dw10 = 0x70002, .dw11 = 1, .prp1 = 8 }, 0x013 },
		{ { .opcode = NVME_ADMIN_CREATE_CQ, .dw10 = 0x70002, .dw11 = 0x90003 }, 0x108 },
		{ { .opcode = NVME_ADMIN_CREATE_SQ, .dw10 = 0x70001, .dw11 = 0x10001 }, 0x101 },
		{ { .opcode = NVME_ADMIN_CREATE_SQ, .dw10 = 0x70002, .dw11 = 0x20001 }, 0x100 },
		{ { .opcode = NVME_ADMIN_CREATE_SQ, .dw10 = 0x70002, .dw11 = 0x00001 }, 0x100 },
		{ { .opcode = NVME_ADMIN_CREATE_SQ, .dw10 = 0x00002, .dw11 = 0x10001 }, 0x102 },
		{ { .opcode = NVME_ADMIN_CREATE_SQ, .dw10 = 0x70002, .dw11 = 0x10000 }, 0x002 },
		{ { .opcode = NVME_ADMIN_DELETE_CQ, .dw10 = 0 }, 0x101 },
		{ { .opcode = NVME_ADMIN_DELETE_CQ, .dw10 = 2 }, 0x101 },
		{ { .opcode = NVME_ADMIN_DELETE_CQ, .dw10 = 1 }, 0x10c },
		{ { .opcode = NVME_ADMIN_DELETE_SQ, .dw10 = 0 }, 0x101 },
		{ { .opcode = NVME_ADMIN_DELETE_SQ, .dw10 = 0xffff }, 0x101 },
	};
	struct world *world = world_started();

	(void)state;
	for (unsigned i = 0; i < array_len(cases); i++) {
		int status = admin(&world->side[0], cases[i].cmd);

		if (status != cases[i].status)
			fail_msg("case %u: status 0x%x, not 0x%x", i, status, cases[i].status);
	}
	world_close(world);
}

static void deleting_a_queue_ends_its_commands_first(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct ended ended = { 0 };

	(void)state;
	world->run_most = 0;
	for (unsigned i = 0; i < 5; i++)
		io_post(side, (struct cmd){ .opcode = NVME_IO_READ, .nsid = 1,
					    .prp1 = data_at(0) }, i);
	nvme_driver_ring(&side->driver, 0);
	world_round(world);
	world->run_most = 1;
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_DELETE_SQ, .dw10 = 1 }), 0);
	assert_int_equal(nvme_busy(side->nvme), 0);
	nvme_driver_poll(&side->driver, 0, 64, note_end, &ended);
	assert_int_equal(ended.count, 5);
	assert_int_equal(ended.status[4] & NVME_STATUS_CODE_MASK, NVME_ABORTED_SQ_DELETION);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_DELETE_CQ, .dw10 = 1 }), 0);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_DELETE_CQ, .dw10 = 1 }),
			 NVME_INVALID_QUEUE_ID);
	world_close(world);
}

static void completions_wait_for_room_in_their_queue(void **state)
{
	struct world *world = world_open(1, false);
	struct side *side = &world->side[0];
	struct ended ended = { 0 };
	unsigned seen = 0;

	(void)state;
	assert_int_equal(side_drive(side, 1, 8), 0);
	/* The driver's queues are as long as each other, so a second one shares the first's. */
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_CREATE_SQ,
						   .dw10 = 0x3f0002, .dw11 = 0x10001,
						   .prp1 = data_at(0x10000) }), 0);
	for (unsigned i = 0; i < 20; i++)
		cmd_lay(&(struct cmd){ .opcode = NVME_IO_FLUSH, .nsid = 1 },
			data(side, 0x10000) + i * 64);
	put_le32(side->doorbells + 16, 20);
	for (unsigned i = 0; i < 10; i++)
		world_round(world);
	assert_int_equal(world->disk[0].flushes, 20);
	assert_int_equal(side->driver.queues[0].cq[7 * 16 + 14] & 1, 1);
	assert_int_equal(side->driver.queues[0].cq[8 * 16 + 14] & 1, 0); /* 9 entries, 8 used */
	for (unsigned head = 0; seen < 20; seen++) {
		unsigned phase = side->driver.queues[0].cq[head * 16 + 14] & 1;

		assert_int_equal(phase, seen / 9 % 2 == 0);
		head = (head + 1) % 9;
		put_le32(side->doorbells + 12, head);
		world_round(world);
	}
	assert_int_equal(ended.count, 0);
	world_close(world);
}

static void doorbells_of_no_queue_or_beyond_it_are_events(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	uint8_t sqe[64];
	uint32_t value = 0;

	(void)state;
	set(side, NVME_REG_DOORBELLS + 8 * 5, 1);
	assert_int_equal(admin_dw0(side, (struct cmd){ .opcode = NVME_ADMIN_ASYNC_EVENT }, &value), 0);
	assert_int_equal(value, NVME_LOG_ERROR << 16 | NVME_ERROR_INVALID_DOORBELL << 8);
	/* No second event of the type before the log page is read. */
	put_le32(side->doorbells + 8, 65);
	world_round(world);
	cmd_lay(&(struct cmd){ .opcode = NVME_ADMIN_GET_LOG, .dw10 = 15 << 16 | NVME_LOG_ERROR,
			       .prp1 = data_at(0) }, sqe);
	assert_int_equal(nvme_driver_admin(&side->driver, sqe, NULL), 0);
	assert_int_equal(admin_dw0(side, (struct cmd){ .opcode = NVME_ADMIN_ASYNC_EVENT }, &value), 0);
	assert_int_equal(value, NVME_LOG_ERROR << 16 | NVME_ERROR_INVALID_VALUE << 8);
	world_close(world);
}

static void interrupts_go_to_the_queue_s_vector(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	unsigned before = side->interrupts[0];

	(void)state;
	assert_true(before > 0);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_CREATE_CQ,
						   .dw10 = 0x3f0002, .dw11 = 0x50003,
						   .prp1 = data_at(0x20000) }), 0);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_CREATE_SQ,
						   .dw10 = 0x3f0002, .dw11 = 0x20001,
						   .prp1 = data_at(0x10000) }), 0);
	for (unsigned i = 0; i < 20; i++)
		cmd_lay(&(struct cmd){ .opcode = NVME_IO_FLUSH, .nsid = 1 },
			data(side, 0x10000) + i * 64);
	put_le32(side->doorbells + 16, 4);
	world_round(world);
	world_round(world);
	assert_int_equal(side->interrupts[5], 1); /* one for the four */
	/* Coalescing: more than 3 entries, or 200 microseconds; 5.27.1.6. */
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_SET_FEATURES,
						   .dw10 = NVME_FEATURE_COALESCING,
						   .dw11 = 0x0203 }), 0);
	put_le32(side->doorbells + 16, 6);
	for (unsigned i = 0; i < 100; i++)
		world_round(world);
	assert_int_equal(side->interrupts[5], 1);
	for (unsigned i = 0; i < 110; i++)
		world_round(world);
	assert_int_equal(side->interrupts[5], 2);
	put_le32(side->doorbells + 16, 10);
	world_round(world);
	world_round(world);
	assert_int_equal(side->interrupts[5], 3);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_SET_FEATURES,
						   .dw10 = NVME_FEATURE_VECTOR,
						   .dw11 = 0x10005 }), 0);
	put_le32(side->doorbells + 16, 11);
	world_round(world);
	world_round(world);
	assert_int_equal(side->interrupts[5], 4);
	world_close(world);
}

static void masked_vectors_are_raised_when_they_are_unmasked(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	unsigned before;

	(void)state;
	set(side, NVME_REG_INTMS, 1);
	before = side->interrupts[0];
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_ABORT, .dw10 = 1 }), 0);
	world_round(world);
	assert_int_equal(side->interrupts[0], before);
	assert_int_equal(reg(side, NVME_REG_INTMC), 1);
	set(side, NVME_REG_INTMC, 1);
	assert_int_equal(side->interrupts[0], before + 1);
	world_close(world);
}

static void shadow_doorbells_are_read_instead_of_the_registers(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct cmd config = { .opcode = NVME_ADMIN_DOORBELL_BUFFER, .prp1 = data_at(0x1000),
			      .prp2 = data_at(0x2000) };
	uint8_t sqe[64];

	(void)state;
	config.prp1++;
	assert_int_equal(admin(side, config), NVME_INVALID_FIELD);
	config.prp1 = 0x1000;
	assert_int_equal(admin(side, config), NVME_DATA_TRANSFER_ERROR);
	config.prp1 = data_at(0x1000);
	assert_int_equal(admin(side, config), 0);
	cmd_lay(&(struct cmd){ .opcode = NVME_IO_FLUSH, .nsid = 1 }, sqe);
	assert_true(nvme_driver_post(&side->driver, 0, sqe, 9));
	nvme_driver_ring(&side->driver, 0);
	world_round(world);
	assert_int_equal(world->disk[0].submitted, 0);
	assert_false(side->front->ops->arm(WORKER, side->front));
	put_le32(data(side, 0x1008), 1);
	assert_true(side->front->ops->arm(WORKER, side->front));
	world_round(world);
	assert_int_equal(world->disk[0].submitted, 1);
	side->front->ops->flush(WORKER, side->front);
	assert_false(side->front->ops->arm(WORKER, side->front));
	assert_int_equal(get_le32(data(side, 0x2008)), 1); /* the guest is asked to ring from here */
	world_close(world);
}

/* A VMM lets go of a line when it sees an access, and a shadow is none. */
static void a_guest_with_shadow_doorbells_is_asked_to_ring_while_the_line_is_up(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct cmd config = { .opcode = NVME_ADMIN_DOORBELL_BUFFER, .prp1 = data_at(0x1000),
			      .prp2 = data_at(0x2000) };
	uint32_t tail;
	uint8_t sqe[64];

	(void)state;
	assert_int_equal(admin(side, config), 0);
	put_le32(data(side, 0x200c), 0xffff);
	assert_false(nvme_wants_pin(side->nvme));
	cmd_lay(&(struct cmd){ .opcode = NVME_IO_FLUSH, .nsid = 1 }, sqe);
	assert_true(nvme_driver_post(&side->driver, 0, sqe, 9));
	put_le32(data(side, 0x1008), 1);
	world_round(world);
	side->nvme->cq[1].interrupts = true;
	for (unsigned i = 0; i < 8 && side->nvme->cq[1].tail == 0; i++)
		world_round(world);
	side->front->ops->flush(WORKER, side->front);
	tail = side->nvme->cq[1].tail;
	assert_int_equal(tail, 1);
	assert_true(nvme_wants_pin(side->nvme));
	assert_int_equal(get_le32(data(side, 0x200c)), 0); /* the next that it takes is one to ring for */
	put_le32(data(side, 0x100c), tail);
	assert_false(nvme_wants_pin(side->nvme));
	world_close(world);
}

static void numbers_out_of_range_make_no_controller(void **state)
{
	struct world *world = world_open(1, false);
	struct nvme_conf conf = { .subsystem = world->subsystem, .controller_id = 1, .queues = 1,
				  .vectors = 1, .dma = &world->side[0].dma,
				  .doorbells = world->side[0].doorbells };
	struct nvme *nvme = take_aligned(nvme_size());

	(void)state;
	conf.queues = 0;
	assert_int_equal(nvme_init(nvme, &conf), -EINVAL);
	conf.queues = NVME_QUEUES_MAX + 1;
	assert_int_equal(nvme_init(nvme, &conf), -EINVAL);
	conf.queues = 1;
	conf.vectors = 257;
	assert_int_equal(nvme_init(nvme, &conf), -EINVAL);
	conf.vectors = 1;
	conf.controller_id = 0;
	assert_int_equal(nvme_init(nvme, &conf), -EINVAL);
	conf.controller_id = NVME_CONTROLLERS_MAX;
	assert_int_equal(nvme_init(nvme, &conf), -EINVAL);
	free(nvme);
	world_close(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_controller_says_what_it_is_before_it_is_enabled),
		cmocka_unit_test(wide_and_narrow_accesses_see_the_same_registers),
		cmocka_unit_test(the_driver_brings_a_controller_up_and_down),
		cmocka_unit_test(what_cap_does_not_offer_fails_the_controller_until_it_is_reset),
		cmocka_unit_test(admin_queues_that_were_not_granted_fail_the_controller),
		cmocka_unit_test(nothing_is_fetched_without_bus_mastering),
		cmocka_unit_test(a_reset_waits_for_what_the_disk_has_and_completes_nothing),
		cmocka_unit_test(a_function_reset_forgets_every_register),
		cmocka_unit_test(a_subsystem_reset_is_one_of_all_controllers),
		cmocka_unit_test(queues_of_wrong_shape_are_refused),
		cmocka_unit_test(deleting_a_queue_ends_its_commands_first),
		cmocka_unit_test(completions_wait_for_room_in_their_queue),
		cmocka_unit_test(doorbells_of_no_queue_or_beyond_it_are_events),
		cmocka_unit_test(interrupts_go_to_the_queue_s_vector),
		cmocka_unit_test(masked_vectors_are_raised_when_they_are_unmasked),
		cmocka_unit_test(shadow_doorbells_are_read_instead_of_the_registers),
		cmocka_unit_test(a_guest_with_shadow_doorbells_is_asked_to_ring_while_the_line_is_up),
		cmocka_unit_test(numbers_out_of_range_make_no_controller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
