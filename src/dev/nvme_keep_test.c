/* What outlives a loss of power: reservations, and a sanitize; and when it is safe. */
#include "dev/nvme_side_test.h"

enum { HOSTS = 3 };
#define KEEP_SET   ((uint32_t)NVME_CPTPL_SET << 30)
#define KEEP_CLEAR ((uint32_t)NVME_CPTPL_CLEAR << 30)

/* What is on the medium, and how the one that keeps behaves. */
static struct {
	struct world *world;
	uint8_t bytes[NVME_RECORD_MAX];
	size_t size;
	bool holds_back; /* keep() is answered by answer() */
	bool asked;
	unsigned times;
	enum nvme_kept result;
} m;

static void answer(void)
{
	struct nvme_subsystem *subsystem = m.world->subsystem;

	assert_true(m.asked);
	m.asked = false;
	if (m.result == NVME_KEPT)
		m.size = nvme_subsystem_record(subsystem, m.bytes);
	nvme_subsystem_kept(subsystem, m.result);
}

static void keep(void *owner)
{
	assert_ptr_equal(owner, &m);
	assert_false(m.asked);
	m.asked = true;
	m.times++;
	if (!m.holds_back)
		answer();
}

static void drive(unsigned i)
{
	struct side *side = &m.world->side[i];

	memset(side->memory, 0, DATA_AT);
	assert_int_equal(side_drive(side, 1, 16), 0);
	memset(data(side, 0), 0, 16);
	*data(side, 0) = (uint8_t)(i + 1);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_SET_FEATURES,
						   .dw10 = NVME_FEATURE_HOST_ID,
						   .dw11 = 1,
						   .prp1 = data_at(0) }),
			 0);
}

static void set_keeper(void)
{
	m.world->subsystem->keep = keep;
	m.world->subsystem->keep_owner = &m;
}

static void begin(void)
{
	memset(&m, 0, sizeof m);
	m.world = world_open(HOSTS, false);
	set_keeper();
	for (unsigned i = 0; i < HOSTS; i++)
		drive(i);
}

/* Everything but the medium begins anew: the disk's bytes, and what was kept. */
static void power_cut(void)
{
	struct world *world = m.world;
	uint8_t *bytes = world->bytes;
	struct world *next;

	m.asked = false;
	for (unsigned i = 0; i < HOSTS; i++) {
		free(world->side[i].nvme);
		free(world->side[i].memory);
		free(world->side[i].doorbells);
	}
	free(world->subsystem);
	free(world);
	next = world_open(HOSTS, false);
	memcpy(next->bytes, bytes, DISK_SIZE);
	free(bytes);
	m.world = next;
	set_keeper();
	if (m.size)
		assert_int_equal(nvme_subsystem_recall(next->subsystem, m.bytes, m.size), 0);
	for (unsigned i = 0; i < HOSTS; i++)
		drive(i);
}

static struct cmd reserve_cmd(unsigned i, uint8_t opcode, uint32_t dw10, uint64_t current,
			      uint64_t next)
{
	struct side *side = &m.world->side[i];

	put_le64(data(side, 0x100), current);
	put_le64(data(side, 0x108), next);
	return (struct cmd){ .opcode = opcode, .nsid = 1, .dw10 = dw10, .prp1 = data_at(0x100) };
}

static int reserve(unsigned i, uint8_t opcode, uint32_t dw10, uint64_t current, uint64_t next)
{
	return io(&m.world->side[i], reserve_cmd(i, opcode, dw10, current, next));
}

static int enlist(unsigned i, uint32_t persist)
{
	return reserve(i, NVME_IO_RESERVE_REGISTER, persist | NVME_REGISTER, 0, 10 + i);
}

static int acquire(unsigned i, unsigned type)
{
	return reserve(i, NVME_IO_RESERVE_ACQUIRE, type << 8, 10 + i, 0);
}

static int write_block(unsigned i)
{
	return io(&m.world->side[i],
		  (struct cmd){ .opcode = NVME_IO_WRITE, .nsid = 1, .prp1 = data_at(0x1000) });
}

static const struct nvme_reservation *reservation(void)
{
	return &m.world->subsystem->spaces[0].reservation;
}

/* -- reservations -- */

static void what_is_to_persist_is_there_after_a_loss_of_power_and_the_rest_is_not(void **state)
{
	uint32_t generation;

	(void)state;
	begin();
	assert_int_equal(enlist(0, KEEP_SET), 0);
	assert_int_equal(enlist(1, 0), 0);
	assert_int_equal(acquire(0, NVME_RESERVE_WRITE_EXCLUSIVE), 0);
	assert_int_equal(write_block(1), NVME_RESERVATION_CONFLICT);
	generation = reservation()->generation;
	power_cut();
	assert_int_equal(reservation()->generation, generation);
	assert_int_equal(write_block(1), NVME_RESERVATION_CONFLICT);
	assert_int_equal(write_block(0), 0);
	assert_int_equal(enlist(1, 0), 0); /* the same key: it is registered */
	assert_int_equal(
		reserve(1, NVME_IO_RESERVE_REGISTER, KEEP_CLEAR | NVME_REPLACE_KEY, 11, 11), 0);
	power_cut();
	assert_int_equal(write_block(1), 0);
	assert_int_equal(acquire(0, NVME_RESERVE_WRITE_EXCLUSIVE), NVME_RESERVATION_CONFLICT);
	world_close(m.world);
}

static void a_command_ends_when_what_it_changed_is_kept(void **state)
{
	struct ended ended = { 0 };

	(void)state;
	begin();
	m.holds_back = true;
	io_post(&m.world->side[0], reserve_cmd(0, NVME_IO_RESERVE_REGISTER, KEEP_SET, 0, 10), 1);
	io_post(&m.world->side[1], reserve_cmd(1, NVME_IO_RESERVE_REGISTER, 0, 0, 11), 2);
	io_await(&m.world->side[0], &ended, 0);
	io_await(&m.world->side[1], &ended, 0);
	for (unsigned i = 0; i < 20; i++)
		world_round(m.world);
	assert_int_equal(m.times, 1); /* one after the other */
	answer();
	io_await(&m.world->side[0], &ended, 1);
	assert_int_equal(ended.status[0], 0);
	assert_int_equal(nvme_busy(m.world->side[1].nvme), 1);
	answer();
	io_await(&m.world->side[1], &ended, 2);
	assert_int_equal(ended.status[1], 0);
	/* What does not persist waits for nobody. */
	assert_int_equal(io(&m.world->side[0], (struct cmd){ .opcode = NVME_IO_RESERVE_REPORT,
							     .nsid = 1,
							     .dw10 = 15,
							     .dw11 = 1,
							     .prp1 = data_at(0) }),
			 0);
	m.holds_back = false;
	world_close(m.world);
}

static void what_cannot_be_kept_ends_with_an_error(void **state)
{
	(void)state;
	begin();
	m.result = NVME_NOT_KEPT;
	assert_int_equal(enlist(0, KEEP_SET), NVME_INTERNAL_ERROR);
	m.result = NVME_KEPT;
	assert_int_equal(acquire(0, NVME_RESERVE_EXCLUSIVE), 0);
	power_cut();
	assert_int_equal(write_block(1), NVME_RESERVATION_CONFLICT);
	world_close(m.world);
}

static void a_controller_that_is_reset_meanwhile_gets_no_answer(void **state)
{
	struct ended ended = { 0 };

	(void)state;
	begin();
	m.holds_back = true;
	io_post(&m.world->side[0], reserve_cmd(0, NVME_IO_RESERVE_REGISTER, KEEP_SET, 0, 10), 1);
	io_await(&m.world->side[0], &ended, 0);
	world_round(m.world);
	nvme_reset(m.world->side[0].nvme);
	assert_int_equal(nvme_busy(m.world->side[0].nvme), 0);
	answer();
	m.holds_back = false;
	nvme_set_master(m.world->side[0].nvme, NVME_MASTER);
	drive(0);
	assert_int_equal(enlist(0, 0), 0); /* the same host, with the same key */
	world_close(m.world);
}

static uint32_t persistence(unsigned i)
{
	uint32_t dw0 = 7;

	assert_int_equal(admin_dw0(&m.world->side[i],
				   (struct cmd){ .opcode = NVME_ADMIN_GET_FEATURES,
						 .nsid = 1,
						 .dw10 = NVME_FEATURE_RESERVE_PERSIST },
				   &dw0),
			 0);
	return dw0;
}

static void the_feature_sets_and_tells_persistence(void **state)
{
	struct cmd set = { .opcode = NVME_ADMIN_SET_FEATURES,
			   .nsid = 1,
			   .dw10 = NVME_FEATURE_RESERVE_PERSIST,
			   .dw11 = 1 };

	(void)state;
	begin();
	assert_int_equal(persistence(0), 0);
	assert_int_equal(enlist(0, 0), 0);
	assert_int_equal(admin(&m.world->side[1], set), 0);
	assert_int_equal(persistence(0), 1);
	power_cut();
	assert_int_equal(persistence(2), 1);
	assert_int_equal(acquire(0, NVME_RESERVE_EXCLUSIVE), 0);
	set.nsid = UINT32_MAX;
	set.dw11 = 0;
	assert_int_equal(admin(&m.world->side[1], set), 0);
	power_cut();
	assert_int_equal(persistence(0), 0);
	assert_int_equal(write_block(1), 0);
	m.world->subsystem->keep = NULL;
	assert_int_equal(admin(&m.world->side[1], set), NVME_FEATURE_NOT_CHANGEABLE);
	assert_int_equal(enlist(0, KEEP_SET), NVME_INVALID_FIELD);
	world_close(m.world);
}

/* As a planned restart does it, which also has what does not persist. */
static void persistence_goes_to_another_process_with_the_reservations(void **state)
{
	uint8_t bytes[4096];
	size_t size;

	(void)state;
	begin();
	assert_int_equal(enlist(0, KEEP_SET), 0);
	assert_int_equal(acquire(0, NVME_RESERVE_WRITE_EXCLUSIVE), 0);
	size = nvme_reservations_save(m.world->subsystem, bytes, sizeof bytes);
	m.size = 0;
	power_cut();
	assert_int_equal(persistence(0), 0);
	assert_int_equal(nvme_reservations_load(m.world->subsystem, bytes, size), 0);
	assert_int_equal(persistence(0), 1);
	assert_int_equal(write_block(1), NVME_RESERVATION_CONFLICT);
	world_close(m.world);
}

static void a_host_without_identifier_is_not_kept_nor_is_what_it_holds(void **state)
{
	(void)state;
	begin();
	memset(m.world->side[0].nvme->features.host_id, 0, 16);
	assert_int_equal(enlist(0, KEEP_SET), 0);
	assert_int_equal(enlist(1, 0), 0);
	assert_int_equal(acquire(0, NVME_RESERVE_EXCLUSIVE), 0);
	power_cut();
	assert_int_equal(reservation()->type, 0);
	assert_int_equal(acquire(1, NVME_RESERVE_EXCLUSIVE), 0);
	world_close(m.world);
}

static void another_namespace_takes_nothing_from_a_record(void **state)
{
	(void)state;
	begin();
	assert_int_equal(enlist(0, KEEP_SET), 0);
	assert_int_equal(acquire(0, NVME_RESERVE_EXCLUSIVE), 0);
	for (unsigned i = 0; i < sizeof m.world->subsystem->spaces[0].id; i++)
		m.bytes[32 + i] ^=
			1; /* its identity: 16 bytes on in the entry, which begins at 16 */
	power_cut();
	assert_int_equal(write_block(1), 0);
	world_close(m.world);
}

static void a_record_that_is_none_changes_nothing(void **state)
{
	uint8_t bytes[NVME_RECORD_MAX];
	size_t size;

	(void)state;
	begin();
	for (unsigned i = 0; i < HOSTS; i++)
		assert_int_equal(enlist(i, KEEP_SET), 0);
	assert_int_equal(acquire(2, NVME_RESERVE_EXCLUSIVE), 0);
	size = nvme_subsystem_record(m.world->subsystem, bytes);
	for (size_t n = 0; n < size; n++)
		assert_int_equal(nvme_subsystem_recall(m.world->subsystem, bytes, n), -EINVAL);
	for (size_t at = 0; at < size; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			int err;

			bytes[at] ^= (uint8_t)(1u << bit);
			err = nvme_subsystem_recall(m.world->subsystem, bytes, size);
			assert_true(err == 0 || err == -EINVAL);
			bytes[at] ^= (uint8_t)(1u << bit);
			m.world->subsystem->tasks = 0; /* a bit may say that a sanitize runs */
			m.world->subsystem->spaces[0].task.running = false;
			assert_int_equal(nvme_subsystem_recall(m.world->subsystem, bytes, size), 0);
		}
	assert_int_equal(write_block(0), NVME_RESERVATION_CONFLICT);
	world_close(m.world);
}

/* Random commands of three hosts, kept late or not at all, and the power goes at any moment: what
 * is there then is what was acknowledged last, or what was under way. */
static void random_cuts_leave_what_was_acknowledged(void **state)
{
	static const uint8_t opcodes[] = { NVME_IO_RESERVE_REGISTER, NVME_IO_RESERVE_REGISTER,
					   NVME_IO_RESERVE_ACQUIRE, NVME_IO_RESERVE_RELEASE };
	static struct nvme_reservation acknowledged, none;
	uint64_t seed = check_seed();
	unsigned cuts = 0, kept = 0;

	(void)state;
	begin();
	m.holds_back = true;
	memset(&acknowledged, 0, sizeof acknowledged);
	for (unsigned n = 0; n < 1000; n++) {
		unsigned i = (unsigned)(rand_u64(&seed) % HOSTS);
		uint32_t dw10 =
			(uint32_t)(rand_u64(&seed) % 3) | (uint32_t)(1 + rand_u64(&seed) % 6) << 8;
		uint8_t opcode = opcodes[rand_u64(&seed) % array_len(opcodes)];
		struct side *side = &m.world->side[i];
		struct ended ended = { 0 };
		bool cut;

		dw10 |= opcode == NVME_IO_RESERVE_REGISTER
				? (uint32_t)(rand_u64(&seed) % 8 ? 3 : 2) << 30
				: 0;
		io_post(side, reserve_cmd(i, opcode, dw10, 10 + i, 10 + rand_u64(&seed) % HOSTS),
			1);
		assert_int_equal(nvme_driver_ring(&side->driver, 0), 0);
		for (unsigned k = 0; k < 4; k++)
			world_round(m.world);
		cut = rand_u64(&seed) % 16 == 0;
		if (m.asked && (!cut || rand_u64(&seed) % 2)) {
			answer();
			kept++;
		}
		if (!cut) {
			io_await(side, &ended, 1);
			acknowledged = *reservation();
			continue;
		}
		cuts++;
		/* Acknowledged or not: a command that waits for nobody has ended by now. */
		if (!m.asked)
			acknowledged = *reservation();
		if (!acknowledged.persists)
			acknowledged = none;
		power_cut();
		assert_int_equal(reservation()->type, acknowledged.type);
		assert_int_equal(reservation()->generation, acknowledged.generation);
		for (unsigned h = 0; h < HOSTS; h++) {
			unsigned is = 0, was = 0;

			for (unsigned k = 0; k < NVME_REGISTRANTS; k++) {
				const struct nvme_registrant *a = &reservation()->registrants[k];
				const struct nvme_registrant *b = &acknowledged.registrants[k];
				bool all = acknowledged.type > NVME_RESERVE_REGISTRANTS;

				is += a->here && a->host[0] == h + 1
					      ? (unsigned)a->key +
							100 * (!all && reservation()->type &&
							       reservation()->holder == k)
					      : 0;
				was += b->here && b->host[0] == h + 1
					       ? (unsigned)b->key + 100 * (!all &&
									   acknowledged.type &&
									   acknowledged.holder == k)
					       : 0;
			}
			assert_int_equal(is, was);
		}
		acknowledged = *reservation();
	}
	fprintf(stderr, "# %u cuts, %u times kept\n", cuts, kept);
	assert_true(cuts > 40 && kept > 50);
	m.holds_back = false;
	if (m.asked)
		answer();
	world_close(m.world);
}

/* -- sanitize -- */

static struct cmd sanitize(uint32_t dw10, uint32_t pattern)
{
	return (struct cmd){ .opcode = NVME_ADMIN_SANITIZE, .dw10 = dw10, .dw11 = pattern };
}

static void run(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++)
		world_round(m.world);
}

static bool is_filled(uint8_t with)
{
	for (unsigned i = 0; i < DISK_SIZE; i++)
		if (m.world->bytes[i] != with)
			return false;
	return true;
}

static uint16_t status_now(void)
{
	return nvme_sanitize_status(m.world->subsystem);
}

static void a_sanitize_goes_on_after_a_loss_of_power_and_ends_once(void **state)
{
	(void)state;
	begin();
	memset(m.world->bytes, 0x5a, DISK_SIZE);
	m.world->disk[0].back.transfer_max = 1 << 20;
	m.world->run_most = 0;
	assert_int_equal(admin(&m.world->side[1], sanitize(NVME_SANITIZE_BLOCK_ERASE, 0)), 0);
	m.world->run_most = 1;
	run(2);
	assert_false(is_filled(0));
	assert_int_equal(status_now(), NVME_SSTAT_RUNNING);
	power_cut();
	assert_int_equal(m.world->subsystem->sanitize_cdw10, NVME_SANITIZE_BLOCK_ERASE);
	run(100);
	assert_true(is_filled(0));
	assert_int_equal(status_now(), NVME_SSTAT_DONE);
	memset(data(&m.world->side[0], 0x1000), 0x77, 512);
	assert_int_equal(write_block(0), 0);
	power_cut();
	run(100);
	assert_int_equal(m.world->bytes[0], 0x77);
	assert_int_equal(status_now(), NVME_SSTAT_DONE);
	world_close(m.world);
}

static void nothing_is_erased_and_nothing_is_opened_before_that_is_kept(void **state)
{
	struct side *side;
	uint8_t sqe[NVME_SQE_SIZE];
	struct cmd erase = sanitize(NVME_SANITIZE_BLOCK_ERASE, 0);

	(void)state;
	begin();
	side = &m.world->side[0];
	memset(m.world->bytes, 0x5a, DISK_SIZE);
	m.holds_back = true;
	cmd_lay(&erase, sqe);
	put_le16(sqe + NVME_SQE_CID, 0x77);
	memcpy(side->driver.admin.sq + side->driver.admin.tail * 64, sqe, 64);
	put_le32(side->doorbells, side->driver.admin.tail + 1);
	run(50);
	assert_true(m.asked && is_filled(0x5a));
	answer();
	run(50);
	assert_true(m.asked && is_filled(0)); /* its end waits to be kept */
	assert_int_equal(status_now(), NVME_SSTAT_RUNNING);
	assert_int_equal(write_block(1), NVME_SANITIZE_IN_PROGRESS);
	memset(m.world->bytes, 0x5a, DISK_SIZE);
	power_cut(); /* so it was not: it begins anew */
	run(50);
	assert_true(m.asked && is_filled(0));
	answer();
	assert_int_equal(status_now(), NVME_SSTAT_DONE);
	m.holds_back = false;
	assert_int_equal(write_block(1), 0);
	world_close(m.world);
}

static void a_sanitize_that_cannot_be_kept_does_not_begin_or_has_failed(void **state)
{
	(void)state;
	begin();
	memset(m.world->bytes, 0x5a, DISK_SIZE);
	m.result = NVME_NOT_KEPT;
	assert_int_equal(admin(&m.world->side[0], sanitize(NVME_SANITIZE_BLOCK_ERASE, 0)),
			 NVME_INTERNAL_ERROR);
	run(50);
	assert_true(is_filled(0x5a));
	assert_int_equal(status_now(), NVME_SSTAT_NEVER);
	assert_int_equal(write_block(0), 0);
	m.result = NVME_KEPT;
	m.world->run_most = 0;
	assert_int_equal(admin(&m.world->side[0], sanitize(NVME_SANITIZE_BLOCK_ERASE | 1 << 3, 0)),
			 0);
	m.result = NVME_NOT_KEPT;
	m.world->run_most = 8;
	run(50);
	assert_int_equal(status_now(), NVME_SSTAT_FAILED);
	assert_int_equal(write_block(0), NVME_SANITIZE_FAILED);
	assert_int_equal(admin(&m.world->side[0], sanitize(NVME_SANITIZE_EXIT_FAILURE, 0)),
			 NVME_INTERNAL_ERROR);
	assert_int_equal(write_block(0), NVME_SANITIZE_FAILED);
	m.result = NVME_KEPT;
	assert_int_equal(admin(&m.world->side[0], sanitize(NVME_SANITIZE_EXIT_FAILURE, 0)), 0);
	memset(data(&m.world->side[0], 0x1000), 0x33, 512);
	assert_int_equal(write_block(0), 0);
	power_cut();
	run(50);
	assert_int_equal(m.world->bytes[0], 0x33);
	assert_int_equal(status_now(), NVME_SSTAT_FAILED);
	world_close(m.world);
}

static void overwriting_leaves_the_pattern_after_all_its_passes(void **state)
{
	/* Three passes, each the inverse of the one before: the pattern, its inverse, the pattern.
	 */
	uint32_t three = NVME_SANITIZE_OVERWRITE | 3 << 4 | 1 << 8;

	(void)state;
	begin();
	m.world->run_most = 0;
	assert_int_equal(admin(&m.world->side[0], sanitize(three, 0xa5a5a5a5)), 0);
	m.world->run_most = 1;
	run(5); /* 4 MiB by 1 MiB, and a flush */
	assert_true(is_filled(0xa5));
	assert_int_equal(status_now(), NVME_SSTAT_RUNNING | 1 << 3);
	assert_in_range(nvme_sanitize_progress(m.world->subsystem), 0x5000, 0x8000);
	run(4);
	assert_true(is_filled(0x5a));
	run(20);
	assert_true(is_filled(0xa5));
	assert_int_equal(status_now(), NVME_SSTAT_DONE | 3 << 3);
	assert_int_equal(nvme_sanitize_progress(m.world->subsystem), 0xffff);
	assert_int_equal(m.world->disk[0].flushes, 3);
	m.world->run_most = 64;
	assert_int_equal(admin(&m.world->side[2], sanitize(NVME_SANITIZE_OVERWRITE, 0)), 0);
	run(200);
	assert_true(is_filled(0));
	assert_int_equal(status_now(), NVME_SSTAT_DONE | 16 << 3);
	world_close(m.world);
}

static void space_is_kept_where_the_host_says_so(void **state)
{
	(void)state;
	begin();
	m.world->run_most = 0;
	assert_int_equal(admin(&m.world->side[0], sanitize(NVME_SANITIZE_BLOCK_ERASE | 1 << 9, 0)),
			 0);
	run(2);
	assert_int_equal(m.world->disk[0].last_flags, 0);
	m.world->run_most = 64;
	run(20);
	m.world->run_most = 0;
	assert_int_equal(admin(&m.world->side[0], sanitize(NVME_SANITIZE_BLOCK_ERASE, 0)), 0);
	run(2);
	assert_int_equal(m.world->disk[0].last_flags, BLOCK_MAY_UNMAP);
	world_close(m.world);
}

static void a_write_that_was_under_way_does_not_come_after_it(void **state)
{
	struct side *side;
	struct ended ended = { 0 };

	(void)state;
	begin();
	side = &m.world->side[2];
	m.world->run_most = 0;
	memset(data(side, 0x1000), 0x44, 512);
	io_post(side, (struct cmd){ .opcode = NVME_IO_WRITE, .nsid = 1, .prp1 = data_at(0x1000) },
		1);
	io_await(side, &ended, 0);
	run(2);
	assert_int_equal(admin(&m.world->side[0], sanitize(NVME_SANITIZE_BLOCK_ERASE, 0)), 0);
	for (unsigned i = 0; i < 50; i++) { /* the other's disk is quick, and this one's is not */
		world_round(m.world);
		fake_disk_run(WORKER, &m.world->disk[0], 8);
	}
	assert_int_equal(status_now(), NVME_SSTAT_RUNNING);
	m.world->run_most = 64;
	io_await(side, &ended, 1);
	run(50);
	assert_true(is_filled(0));
	assert_int_equal(status_now(), NVME_SSTAT_DONE);
	world_close(m.world);
}

static void neither_a_reset_nor_a_quiet_guest_waits_for_a_sanitize(void **state)
{
	(void)state;
	begin();
	m.world->disk[0].back.transfer_max = 64 << 10;
	memset(m.world->bytes, 0x5a, DISK_SIZE);
	m.world->run_most = 0;
	assert_int_equal(admin(&m.world->side[0], sanitize(NVME_SANITIZE_BLOCK_ERASE, 0)), 0);
	run(3);
	assert_int_equal(nvme_front(m.world->side[0].nvme)->in_flight, 1);
	assert_int_equal(nvme_busy(m.world->side[0].nvme), 0);
	m.world->run_most = 1;
	drive(0); /* a reset, among others */
	assert_int_equal(status_now(), NVME_SSTAT_RUNNING);
	run(200);
	assert_true(is_filled(0));
	assert_int_equal(status_now(), NVME_SSTAT_DONE);
	world_close(m.world);
}

static void who_may_not_write_may_not_sanitize(void **state)
{
	(void)state;
	begin();
	assert_int_equal(enlist(0, 0), 0);
	assert_int_equal(acquire(0, NVME_RESERVE_WRITE_EXCLUSIVE), 0);
	assert_int_equal(admin(&m.world->side[1], sanitize(NVME_SANITIZE_BLOCK_ERASE, 0)),
			 NVME_RESERVATION_CONFLICT);
	assert_int_equal(admin(&m.world->side[1], sanitize(NVME_SANITIZE_OVERWRITE, 0)),
			 NVME_RESERVATION_CONFLICT);
	assert_int_equal(admin(&m.world->side[0], sanitize(NVME_SANITIZE_BLOCK_ERASE, 0)), 0);
	run(50);
	assert_int_equal(status_now(), NVME_SSTAT_DONE);
	world_close(m.world);
}

static void others_are_told_of_a_format(void **state)
{
	struct side *side;
	uint32_t dw0 = 0;

	(void)state;
	begin();
	side = &m.world->side[1];
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
			admin(&m.world->side[i], (struct cmd){ .opcode = NVME_ADMIN_SET_FEATURES,
							       .dw10 = NVME_FEATURE_EVENTS,
							       .dw11 = NVME_EVENTS_NAMESPACE }),
			0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(nvme_driver_event(&m.world->side[i].driver, &dw0), 0);
		run(2);
	}
	assert_int_equal(
		admin(&m.world->side[0], (struct cmd){ .opcode = NVME_ADMIN_FORMAT, .nsid = 1 }),
		0);
	run(4);
	assert_int_equal(nvme_driver_event(&side->driver, &dw0), 1);
	assert_int_equal(dw0,
			 NVME_LOG_CHANGED << 16 | NVME_NOTICE_NAMESPACE << 8 | NVME_EVENT_NOTICE);
	assert_int_equal(nvme_driver_event(&m.world->side[0].driver, &dw0), 0);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_GET_LOG,
						   .dw10 = NVME_LOG_CHANGED | 3 << 16,
						   .prp1 = data_at(0) }),
			 0);
	assert_int_equal(get_le32(data(side, 0)), 1);
	world_close(m.world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			what_is_to_persist_is_there_after_a_loss_of_power_and_the_rest_is_not),
		cmocka_unit_test(a_command_ends_when_what_it_changed_is_kept),
		cmocka_unit_test(what_cannot_be_kept_ends_with_an_error),
		cmocka_unit_test(a_controller_that_is_reset_meanwhile_gets_no_answer),
		cmocka_unit_test(the_feature_sets_and_tells_persistence),
		cmocka_unit_test(persistence_goes_to_another_process_with_the_reservations),
		cmocka_unit_test(a_host_without_identifier_is_not_kept_nor_is_what_it_holds),
		cmocka_unit_test(another_namespace_takes_nothing_from_a_record),
		cmocka_unit_test(a_record_that_is_none_changes_nothing),
		cmocka_unit_test(random_cuts_leave_what_was_acknowledged),
		cmocka_unit_test(a_sanitize_goes_on_after_a_loss_of_power_and_ends_once),
		cmocka_unit_test(nothing_is_erased_and_nothing_is_opened_before_that_is_kept),
		cmocka_unit_test(a_sanitize_that_cannot_be_kept_does_not_begin_or_has_failed),
		cmocka_unit_test(overwriting_leaves_the_pattern_after_all_its_passes),
		cmocka_unit_test(space_is_kept_where_the_host_says_so),
		cmocka_unit_test(a_write_that_was_under_way_does_not_come_after_it),
		cmocka_unit_test(neither_a_reset_nor_a_quiet_guest_waits_for_a_sanitize),
		cmocka_unit_test(who_may_not_write_may_not_sanitize),
		cmocka_unit_test(others_are_told_of_a_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
