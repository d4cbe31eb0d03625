/* Reservations between controllers that share a namespace. */
#include "dev/nvme_side_test.h"

/* Three controllers up; host identifiers 1, 2, 3 of 16 bytes, or none. */
static struct world *open_hosts(bool identified)
{
	struct world *world = world_open(3, false);

	for (unsigned i = 0; i < 3; i++) {
		struct side *side = &world->side[i];

		assert_int_equal(side_drive(side, 1, 16), 0);
		*data(side, 0) = (uint8_t)(i + 1);
		if (identified)
			assert_int_equal(admin(side, (struct cmd){
				.opcode = NVME_ADMIN_SET_FEATURES, .dw10 = NVME_FEATURE_HOST_ID,
				.dw11 = 1, .prp1 = data_at(0) }), 0);
	}
	return world;
}

/* One reservation command of host 'i'. */
static int reserve(struct world *world, unsigned i, uint8_t opcode, uint32_t dw10, uint64_t current,
		   uint64_t next)
{
	struct side *side = &world->side[i];

	put_le64(data(side, 0x100), current);
	put_le64(data(side, 0x108), next);
	return io(side, (struct cmd){ .opcode = opcode, .nsid = 1, .dw10 = dw10,
				      .prp1 = data_at(0x100) });
}

static int enlist(struct world *world, unsigned i, uint64_t key)
{
	return reserve(world, i, NVME_IO_RESERVE_REGISTER, NVME_REGISTER, 0, key);
}

static int acquire(struct world *world, unsigned i, unsigned type, uint64_t key)
{
	return reserve(world, i, NVME_IO_RESERVE_ACQUIRE, NVME_ACQUIRE | type << 8, key, 0);
}

static int try(struct world *world, unsigned i, uint8_t opcode)
{
	return io(&world->side[i], (struct cmd){ .opcode = opcode, .nsid = 1, .dw12 = 0,
						 .prp1 = data_at(0x1000) });
}

/* What each type lets holder, registrant and stranger do: read, write; figure 442. */
static void each_type_lets_the_right_hosts_read_and_write(void **state)
{
	static const struct {
		unsigned type;
		bool read[3], write[3];
	} rows[] = {
		{ NVME_RESERVE_WRITE_EXCLUSIVE, { 1, 1, 1 }, { 1, 0, 0 } },
		{ NVME_RESERVE_EXCLUSIVE, { 1, 0, 0 }, { 1, 0, 0 } },
		{ NVME_RESERVE_WRITE_REGISTRANTS, { 1, 1, 1 }, { 1, 1, 0 } },
		{ NVME_RESERVE_REGISTRANTS, { 1, 1, 0 }, { 1, 1, 0 } },
		{ NVME_RESERVE_WRITE_ALL, { 1, 1, 1 }, { 1, 1, 0 } },
		{ NVME_RESERVE_ALL, { 1, 1, 0 }, { 1, 1, 0 } },
	};
	static const uint8_t reads[] = { NVME_IO_READ, NVME_IO_COMPARE, NVME_IO_VERIFY };
	static const uint8_t writes[] = { NVME_IO_WRITE, NVME_IO_WRITE_ZEROES, NVME_IO_FLUSH };

	(void)state;
	for (unsigned row = 0; row < array_len(rows); row++) {
		struct world *world = open_hosts(true);

		memset(data(&world->side[1], 0x1000), 0, 512);
		assert_int_equal(enlist(world, 0, 11), 0);
		assert_int_equal(enlist(world, 1, 22), 0);
		assert_int_equal(acquire(world, 0, rows[row].type, 11), 0);
		for (unsigned host = 0; host < 3; host++)
			for (unsigned i = 0; i < 3; i++) {
				assert_int_equal(try(world, host, reads[i]),
						 rows[row].read[host] ? 0 : NVME_RESERVATION_CONFLICT);
				assert_int_equal(try(world, host, writes[i]),
						 rows[row].write[host] ? 0 : NVME_RESERVATION_CONFLICT);
			}
		world_close(world);
	}
}

static void keys_are_checked(void **state)
{
	struct world *world = open_hosts(true);

	(void)state;
	assert_int_equal(enlist(world, 0, 11), 0);
	assert_int_equal(enlist(world, 0, 11), 0);
	assert_int_equal(enlist(world, 0, 12), NVME_RESERVATION_CONFLICT);
	assert_int_equal(acquire(world, 0, 1, 12), NVME_RESERVATION_CONFLICT);
	assert_int_equal(acquire(world, 1, 1, 0), NVME_RESERVATION_CONFLICT);
	assert_int_equal(acquire(world, 0, 0, 11), NVME_INVALID_FIELD);
	assert_int_equal(acquire(world, 0, 7, 11), NVME_INVALID_FIELD);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_ACQUIRE, 3 | 1 << 8, 11, 0),
			 NVME_INVALID_FIELD);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_REGISTER, 3, 11, 0), NVME_INVALID_FIELD);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_REGISTER, 3u << 30, 11, 11),
			 NVME_INVALID_FIELD);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_RELEASE, 2, 11, 0), NVME_INVALID_FIELD);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_REGISTER, NVME_REPLACE_KEY, 12, 13),
			 NVME_RESERVATION_CONFLICT);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_REGISTER, NVME_REPLACE_KEY, 11, 13), 0);
	assert_int_equal(acquire(world, 0, 1, 13), 0);
	assert_int_equal(acquire(world, 0, 1, 13), 0);
	assert_int_equal(acquire(world, 0, 2, 13), NVME_RESERVATION_CONFLICT);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_RELEASE, 2 << 8, 13, 0),
			 NVME_INVALID_FIELD);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_RELEASE, 1 << 8, 12, 0),
			 NVME_RESERVATION_CONFLICT);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_RELEASE, 1 << 8, 13, 0), 0);
	assert_int_equal(try(world, 1, NVME_IO_WRITE), 0);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_RELEASE, 1 << 8, 13, 0), 0);
	/* Ignore Existing Key. */
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_REGISTER, NVME_UNREGISTER, 99, 0),
			 NVME_RESERVATION_CONFLICT);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_REGISTER, NVME_UNREGISTER | 8, 99, 0),
			 0);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_REGISTER, NVME_UNREGISTER | 8, 99, 0),
			 NVME_RESERVATION_CONFLICT);
	world_close(world);
}

static void a_host_that_leaves_takes_its_reservation_along(void **state)
{
	struct world *world = open_hosts(true);

	(void)state;
	assert_int_equal(enlist(world, 0, 11), 0);
	assert_int_equal(enlist(world, 1, 22), 0);
	assert_int_equal(acquire(world, 0, NVME_RESERVE_EXCLUSIVE, 11), 0);
	assert_int_equal(try(world, 2, NVME_IO_READ), NVME_RESERVATION_CONFLICT);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_REGISTER, NVME_UNREGISTER, 11, 0), 0);
	assert_int_equal(try(world, 2, NVME_IO_READ), 0);
	/* Of those that all hold, the last one does. */
	assert_int_equal(acquire(world, 1, NVME_RESERVE_ALL, 22), 0);
	assert_int_equal(enlist(world, 0, 11), 0);
	assert_int_equal(reserve(world, 1, NVME_IO_RESERVE_REGISTER, NVME_UNREGISTER, 22, 0), 0);
	assert_int_equal(try(world, 0, NVME_IO_WRITE), 0);
	assert_int_equal(try(world, 2, NVME_IO_READ), NVME_RESERVATION_CONFLICT);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_REGISTER, NVME_UNREGISTER, 11, 0), 0);
	assert_int_equal(try(world, 2, NVME_IO_READ), 0);
	world_close(world);
}

/* The oldest notification of host 'i': its type, 0: none. */
static unsigned note(struct world *world, unsigned i)
{
	struct side *side = &world->side[i];

	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_GET_LOG,
						   .dw10 = NVME_LOG_RESERVATION | 15 << 16,
						   .prp1 = data_at(0) }), 0);
	return *data(side, NVME_RESERVE_LOG_TYPE);
}

static void a_preempted_host_is_out_and_is_told(void **state)
{
	struct world *world = open_hosts(true);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(enlist(world, i, 11 * (i + 1)), 0);
	assert_int_equal(acquire(world, 0, NVME_RESERVE_WRITE_EXCLUSIVE, 11), 0);
	/* A mere registrant. */
	assert_int_equal(reserve(world, 1, NVME_IO_RESERVE_ACQUIRE, NVME_PREEMPT | 2 << 8, 22, 33),
			 0);
	assert_int_equal(note(world, 2), NVME_RESERVE_NOTE_PREEMPTED);
	assert_int_equal(note(world, 2), 0);
	assert_int_equal(try(world, 1, NVME_IO_WRITE), NVME_RESERVATION_CONFLICT);
	/* Nobody has that key; no key. */
	assert_int_equal(reserve(world, 1, NVME_IO_RESERVE_ACQUIRE, NVME_PREEMPT | 2 << 8, 22, 44),
			 NVME_RESERVATION_CONFLICT);
	assert_int_equal(reserve(world, 1, NVME_IO_RESERVE_ACQUIRE, NVME_PREEMPT | 2 << 8, 22, 0),
			 NVME_INVALID_FIELD);
	/* The holder. */
	assert_int_equal(reserve(world, 1, NVME_IO_RESERVE_ACQUIRE, NVME_PREEMPT | 2 << 8, 22, 11),
			 0);
	assert_int_equal(note(world, 0), NVME_RESERVE_NOTE_RESERVATION_PREEMPTED);
	assert_int_equal(try(world, 1, NVME_IO_WRITE), 0);
	assert_int_equal(try(world, 0, NVME_IO_READ), NVME_RESERVATION_CONFLICT);
	assert_int_equal(acquire(world, 0, 1, 11), NVME_RESERVATION_CONFLICT);
	/* A host that preempts itself changes the type and stays. */
	assert_int_equal(reserve(world, 1, NVME_IO_RESERVE_ACQUIRE, NVME_PREEMPT | 1 << 8, 22, 22),
			 0);
	assert_int_equal(try(world, 0, NVME_IO_READ), 0);
	assert_int_equal(try(world, 1, NVME_IO_WRITE), 0);
	/* From one that all hold, key 0 takes it. */
	assert_int_equal(reserve(world, 1, NVME_IO_RESERVE_RELEASE, 1 << 8, 22, 0), 0);
	assert_int_equal(enlist(world, 0, 11), 0);
	assert_int_equal(acquire(world, 0, NVME_RESERVE_ALL, 11), 0);
	assert_int_equal(reserve(world, 1, NVME_IO_RESERVE_ACQUIRE, NVME_PREEMPT | 2 << 8, 22, 0),
			 0);
	assert_int_equal(try(world, 0, NVME_IO_READ), NVME_RESERVATION_CONFLICT);
	assert_int_equal(note(world, 0), NVME_RESERVE_NOTE_RESERVATION_PREEMPTED);
	world_close(world);
}

static void preempt_and_abort_takes_commands_back(void **state)
{
	struct world *world = open_hosts(true);
	struct ended ended = { 0 };

	(void)state;
	assert_int_equal(enlist(world, 0, 11), 0);
	assert_int_equal(enlist(world, 1, 22), 0);
	assert_int_equal(acquire(world, 0, NVME_RESERVE_EXCLUSIVE, 11), 0);
	world->run_most = 0;
	io_post(&world->side[0], (struct cmd){ .opcode = NVME_IO_READ, .nsid = 1, .prp1 = data_at(0) }, 5);
	nvme_driver_ring(&world->side[0].driver, 0);
	world_round(world);
	assert_int_equal(reserve(world, 1, NVME_IO_RESERVE_ACQUIRE, NVME_PREEMPT_ABORT | 2 << 8, 22, 11),
			 0);
	world->run_most = 9;
	io_await(&world->side[0], &ended, 1);
	assert_int_equal(ended.status[0] & NVME_STATUS_CODE_MASK, NVME_ABORTED_PREEMPT);
	world_close(world);
}

static void clear_and_release_are_told(void **state)
{
	struct world *world = open_hosts(true);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(enlist(world, i, 11 * (i + 1)), 0);
	assert_int_equal(acquire(world, 0, NVME_RESERVE_WRITE_REGISTRANTS, 11), 0);
	assert_int_equal(admin(&world->side[2], (struct cmd){ .opcode = NVME_ADMIN_SET_FEATURES,
		.dw10 = NVME_FEATURE_RESERVE_MASK, .nsid = 1,
		.dw11 = 1 << NVME_RESERVE_NOTE_RELEASED }), 0);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_RELEASE, 3 << 8, 11, 0), 0);
	assert_int_equal(note(world, 1), NVME_RESERVE_NOTE_RELEASED);
	assert_int_equal(note(world, 2), 0); /* masked */
	assert_int_equal(note(world, 0), 0); /* its own doing */
	assert_int_equal(reserve(world, 1, NVME_IO_RESERVE_RELEASE, NVME_CLEAR, 22, 0), 0);
	assert_int_equal(note(world, 0), NVME_RESERVE_NOTE_RESERVATION_PREEMPTED);
	assert_int_equal(acquire(world, 1, 1, 22), NVME_RESERVATION_CONFLICT);
	world_close(world);
}

static void the_report_lists_registrants(void **state)
{
	struct world *world = open_hosts(true);
	struct side *side = &world->side[0];
	struct cmd report = { .opcode = NVME_IO_RESERVE_REPORT, .nsid = 1, .dw10 = 1023, .dw11 = 1,
			      .prp1 = data_at(0x2000) };
	const uint8_t *log = data(side, 0x2000);

	(void)state;
	assert_int_equal(enlist(world, 0, 11), 0);
	assert_int_equal(enlist(world, 2, 33), 0);
	assert_int_equal(acquire(world, 2, NVME_RESERVE_WRITE_EXCLUSIVE, 33), 0);
	assert_int_equal(io(side, report), 0);
	assert_int_equal(get_le32(log), 2); /* generation */
	assert_int_equal(log[4], NVME_RESERVE_WRITE_EXCLUSIVE);
	assert_int_equal(get_le16(log + 5), 2);
	assert_int_equal(get_le16(log + 64), 0);
	assert_int_equal(log[66], 0);
	assert_int_equal(get_le64(log + 72), 11);
	assert_int_equal(log[80], 1);
	assert_int_equal(get_le16(log + 128), 2);
	assert_int_equal(log[130], 1);
	assert_int_equal(get_le64(log + 136), 33);
	assert_int_equal(log[144], 3);
	memset(data(side, 0x2000), 0xee, 256);
	report.dw10 = 17;
	assert_int_equal(io(side, report), 0);
	assert_int_equal(log[72], 0xee); /* not a byte more than was asked for */
	report.dw11 = 0;
	assert_int_equal(io(side, report), NVME_HOST_ID_INCONSISTENT);
	report.dw11 = 1;
	report.dw10 = UINT32_MAX;
	assert_int_equal(io(side, report), NVME_INVALID_FIELD);
	world_close(world);
}

static void hosts_without_identifier_are_known_by_controller_until_its_reset(void **state)
{
	struct world *world = open_hosts(false);
	struct side *side = &world->side[1];

	(void)state;
	assert_int_equal(enlist(world, 0, 11), 0);
	assert_int_equal(acquire(world, 0, NVME_RESERVE_EXCLUSIVE, 11), 0);
	assert_int_equal(try(world, 1, NVME_IO_READ), NVME_RESERVATION_CONFLICT);
	assert_int_equal(io(side, (struct cmd){ .opcode = NVME_IO_RESERVE_REPORT, .nsid = 1,
			 .dw10 = 20,
						.prp1 = data_at(0) }), 0);
	assert_int_equal(get_le64(data(side, 24 + NVME_REGISTRANT_KEY)), 11);
	assert_int_equal(admin(&world->side[0], (struct cmd){ .opcode = NVME_ADMIN_SET_FEATURES,
		.dw10 = NVME_FEATURE_HOST_ID, .dw11 = 1, .prp1 = data_at(0) }), NVME_SEQUENCE_ERROR);
	nvme_reset(world->side[0].nvme);
	assert_int_equal(try(world, 1, NVME_IO_READ), 0);
	world_close(world);
}

static void an_identified_host_keeps_its_reservation_through_a_reset(void **state)
{
	struct world *world = open_hosts(true);

	(void)state;
	assert_int_equal(enlist(world, 0, 11), 0);
	assert_int_equal(acquire(world, 0, NVME_RESERVE_EXCLUSIVE, 11), 0);
	nvme_reset(world->side[0].nvme);
	assert_int_equal(try(world, 1, NVME_IO_READ), NVME_RESERVATION_CONFLICT);
	world_close(world);
}

static void reservations_go_to_another_subsystem(void **state)
{
	struct world *world = open_hosts(true);
	uint8_t saved[4096], bad[4096];
	size_t size;

	(void)state;
	assert_int_equal(nvme_reservations_save(world->subsystem, saved, sizeof saved), 0);
	assert_int_equal(enlist(world, 0, 11), 0);
	assert_int_equal(enlist(world, 1, 12), 0);
	assert_int_equal(acquire(world, 0, NVME_RESERVE_EXCLUSIVE, 11), 0);
	size = nvme_reservations_save(world->subsystem, saved, sizeof saved);
	assert_in_range(size, 1, sizeof saved);
	assert_int_equal(nvme_reservations_save(world->subsystem, NULL, 0), size);
	world_close(world);

	world = open_hosts(true);
	for (size_t cut = 1; cut < size; cut++)
		assert_int_equal(nvme_reservations_load(world->subsystem, saved, cut), -EINVAL);
	for (size_t i = 0; i < size; i++) {
		memcpy(bad, saved, size);
		bad[i] = 0xff;
		(void)nvme_reservations_load(world->subsystem, bad, size);
	}
	assert_int_equal(nvme_reservations_load(world->subsystem, saved, size), 0);
	assert_int_equal(try(world, 0, NVME_IO_READ), 0);
	assert_int_equal(try(world, 1, NVME_IO_READ), NVME_RESERVATION_CONFLICT);
	assert_int_equal(acquire(world, 1, NVME_RESERVE_EXCLUSIVE, 11), NVME_RESERVATION_CONFLICT);
	assert_int_equal(reserve(world, 0, NVME_IO_RESERVE_RELEASE, NVME_RESERVE_EXCLUSIVE << 8, 11, 0), 0);
	assert_int_equal(try(world, 1, NVME_IO_READ), 0);
	world_close(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_lets_the_right_hosts_read_and_write),
		cmocka_unit_test(keys_are_checked),
		cmocka_unit_test(a_host_that_leaves_takes_its_reservation_along),
		cmocka_unit_test(a_preempted_host_is_out_and_is_told),
		cmocka_unit_test(preempt_and_abort_takes_commands_back),
		cmocka_unit_test(clear_and_release_are_told),
		cmocka_unit_test(the_report_lists_registrants),
		cmocka_unit_test(hosts_without_identifier_are_known_by_controller_until_its_reset),
		cmocka_unit_test(an_identified_host_keeps_its_reservation_through_a_reset),
		cmocka_unit_test(reservations_go_to_another_subsystem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
