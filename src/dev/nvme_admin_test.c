/* The admin commands: Identify, features, log pages, events, namespaces, format, sanitize,
 * virtualization. */
#include "dev/nvme_side_test.h"

static int identify(struct side *side, unsigned cns, uint32_t nsid, uint32_t dw11)
{
	memset(data(side, 0), 0xee, 4096);
	return admin(side, (struct cmd){ .opcode = NVME_ADMIN_IDENTIFY, .nsid = nsid, .dw10 = cns,
					 .dw11 = dw11, .prp1 = data_at(0) });
}

static void identify_tells_of_the_controller(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	const uint8_t *id = data(side, 0);

	(void)state;
	assert_int_equal(identify(side, NVME_CNS_CONTROLLER, 0, 0), 0);
	assert_int_equal(get_le16(id + NVME_IDC_VID), 0x1af4);
	assert_memory_equal(id + NVME_IDC_SN, "MP0001              ", 20);
	assert_memory_equal(id + NVME_IDC_FR, "1.0     ", 8);
	assert_int_equal(get_le32(id + NVME_IDC_VER), 0x20000);
	assert_int_equal(id[NVME_IDC_MDTS], 8);
	assert_int_equal(id[NVME_IDC_SQES], 0x66);
	assert_int_equal(id[NVME_IDC_CQES], 0x44);
	assert_int_equal(id[NVME_IDC_CMIC], 0);
	assert_int_equal(get_le32(id + NVME_IDC_NN), 64);
	assert_int_equal(get_le64(id + NVME_IDC_TNVMCAP), 1 << 30);
	assert_int_equal(id[NVME_IDC_VWC], 7);
	assert_int_equal(get_le16(id + NVME_IDC_OACS), 0x102); /* no security, firmware,
			 management */
	assert_int_equal(get_le16(id + NVME_IDC_ACWU), 31);
	assert_int_equal(get_le16(id + NVME_IDC_FUSES), 1);
	assert_string_equal((const char *)id + NVME_IDC_SUBNQN, "nqn.2026-01.org.midplane:disk");
	world_close(world);
}

static void identify_tells_of_namespaces(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	const uint8_t *id = data(side, 0);

	(void)state;
	assert_int_equal(identify(side, NVME_CNS_NAMESPACE, 1, 0), 0);
	assert_int_equal(get_le64(id + NVME_IDN_NSZE), DISK_SIZE / 512);
	assert_int_equal(id[NVME_IDN_FLBAS], 0);
	assert_int_equal(id[NVME_IDN_LBAF0 + 2], 9);
	assert_int_equal(id[NVME_IDN_LBAF0 + 6], 12);
	assert_int_equal(get_le16(id + NVME_IDN_NPWG), 7);
	assert_memory_equal(id + NVME_IDN_NGUID, world->disk[0].back.id, 16);
	assert_int_equal(identify(side, NVME_CNS_NAMESPACE, 2, 0), 0);
	assert_int_equal(get_le64(id + NVME_IDN_NSZE), 0); /* inactive: zeroes */
	assert_int_equal(identify(side, NVME_CNS_NAMESPACE, UINT32_MAX, 0), 0);
	assert_int_equal(id[NVME_IDN_NLBAF], 1);
	assert_int_equal(identify(side, NVME_CNS_ACTIVE_LIST, 0, 0), 0);
	assert_int_equal(get_le32(id), 1);
	assert_int_equal(get_le32(id + 4), 0);
	assert_int_equal(identify(side, NVME_CNS_ACTIVE_LIST, 1, 0), 0);
	assert_int_equal(get_le32(id), 0);
	assert_int_equal(identify(side, NVME_CNS_DESCRIPTORS, 1, 0), 0);
	assert_int_equal(id[0], NVME_NIDT_NGUID);
	assert_memory_equal(id + 4, world->disk[0].back.id, 16);
	assert_int_equal(id[20], NVME_NIDT_CSI);
	assert_int_equal(id[24], 0);
	assert_int_equal(id[25], 0); /* the end of the list */
	assert_int_equal(identify(side, NVME_CNS_INDEPENDENT, 1, 0), 0);
	assert_int_equal(id[NVME_IDI_NSTAT], 1);
	assert_int_equal(identify(side, NVME_CNS_SET_NAMESPACE, 1, 0), 0);
	assert_int_equal(identify(side, NVME_CNS_SET_CONTROLLER, 0, 0), 0);
	assert_int_equal(identify(side, NVME_CNS_SET_ACTIVE_LIST, 0, 0), 0);
	assert_int_equal(get_le32(id), 1);
	assert_int_equal(identify(side, NVME_CNS_ALLOCATED_LIST, 0, 0), 0);
	assert_int_equal(get_le32(id), 1);
	assert_int_equal(identify(side, NVME_CNS_ALLOCATED, 1, 0), 0);
	assert_int_equal(get_le64(id + NVME_IDN_NSZE), DISK_SIZE / 512);
	assert_int_equal(identify(side, NVME_CNS_ATTACHED_CONTROLLERS, 1, 0), 0);
	assert_int_equal(get_le32(id), 1); /* one, whose ID is 0 */
	assert_int_equal(identify(side, NVME_CNS_CONTROLLERS, 0, 0), 0);
	assert_int_equal(get_le32(id), 1);
	assert_int_equal(identify(side, NVME_CNS_CONTROLLERS | 1 << 16, 0, 0), 0);
	assert_int_equal(get_le32(id), 0);
	assert_int_equal(identify(side, NVME_CNS_COMMAND_SETS, 0, 0), 0);
	assert_int_equal(get_le64(id), 1);
	world_close(world);
}

/* Runs each; says which one ended otherwise. */
struct expected {
	struct cmd cmd;
	int status;
};

static void expect_each(struct side *side, const struct expected *cases, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int status = admin(side, cases[i].cmd);

		if (status != cases[i].status)
			fail_msg("case %u: status 0x%x, not 0x%x", i, status, cases[i].status);
	}
}

static void what_is_wrong_with_admin_commands_is_told(void **state)
{
	static const struct expected cases[] = {
		{ { .opcode = NVME_ADMIN_IDENTIFY, .dw10 = NVME_CNS_CONTROLLER, .prp1 = 0x1000 }, 0x004 },
		{ { .opcode = NVME_ADMIN_IDENTIFY, .dw10 = NVME_CNS_CONTROLLER, .flags = 0x40 }, 0x002 },
		{ { .opcode = NVME_ADMIN_IDENTIFY, .dw10 = NVME_CNS_CONTROLLER, .flags = 1 }, 0x002 },
		{ { .opcode = NVME_ADMIN_IDENTIFY, .dw10 = 0x77 }, 0x002 },
		{ { .opcode = NVME_ADMIN_IDENTIFY, .dw10 = NVME_CNS_NAMESPACE }, 0x00b },
		{ { .opcode = NVME_ADMIN_IDENTIFY, .dw10 = NVME_CNS_NAMESPACE, .nsid = 65 }, 0x00b },
		{ { .opcode = NVME_ADMIN_IDENTIFY, .dw10 = NVME_CNS_DESCRIPTORS, .nsid = 2 }, 0x002 },
		{ { .opcode = NVME_ADMIN_IDENTIFY, .dw10 = NVME_CNS_DESCRIPTORS, .nsid = 65 }, 0x00b },
		{ { .opcode = NVME_ADMIN_IDENTIFY, .dw10 = NVME_CNS_ACTIVE_LIST, .nsid = 0xfffffffe }, 0x00b },
		{ { .opcode = NVME_ADMIN_IDENTIFY, .dw10 = NVME_CNS_SET_NAMESPACE, .nsid = 1,
		    .dw11 = 2u << 24 }, 0x002 },
		{ { .opcode = NVME_ADMIN_IDENTIFY, .dw10 = NVME_CNS_ATTACHED_CONTROLLERS, .nsid = 99 }, 0x00b },
		{ { .opcode = NVME_ADMIN_IDENTIFY, .dw10 = NVME_CNS_PRIMARY }, 0x002 },
		{ { .opcode = NVME_ADMIN_IDENTIFY, .dw10 = NVME_CNS_SECONDARY }, 0x002 },
		{ { .opcode = 0x10 }, 0x001 }, /* firmware commit */
		{ { .opcode = 0x11 }, 0x001 }, /* firmware image download */
		{ { .opcode = 0x14 }, 0x001 }, /* device self-test */
		{ { .opcode = 0x81 }, 0x001 }, /* security send */
		{ { .opcode = 0x82 }, 0x001 }, /* security receive */
		{ { .opcode = 0x18 }, 0x001 }, /* keep alive: KAS is 0 */
		{ { .opcode = NVME_ADMIN_MANAGE_NAMESPACE }, 0x001 },
		{ { .opcode = NVME_ADMIN_ATTACH_NAMESPACE }, 0x001 },
		{ { .opcode = NVME_ADMIN_VIRTUALIZATION }, 0x001 },
		{ { .opcode = NVME_ADMIN_GET_FEATURES, .dw10 = 0x77 }, 0x002 },
		{ { .opcode = NVME_ADMIN_GET_FEATURES, .dw10 = 0x401 }, 0x002 },
		{ { .opcode = NVME_ADMIN_GET_FEATURES, .dw10 = NVME_FEATURE_VECTOR, .dw11 = 9 }, 0x002 },
		{ { .opcode = NVME_ADMIN_GET_FEATURES, .dw10 = NVME_FEATURE_RESERVE_MASK, .nsid = 65 }, 0x00b },
		{ { .opcode = NVME_ADMIN_GET_FEATURES, .dw10 = NVME_FEATURE_RESERVE_MASK, .nsid = 2 }, 0x002 },
		{ { .opcode = NVME_ADMIN_GET_FEATURES, .dw10 = NVME_FEATURE_RESERVE_MASK, .nsid = UINT32_MAX }, 0x00b },
		{ { .opcode = NVME_ADMIN_SET_FEATURES, .dw10 = 0x77 }, 0x002 },
		{ { .opcode = NVME_ADMIN_SET_FEATURES, .dw10 = 1u << 31 | NVME_FEATURE_TEMPERATURE }, 0x10d },
		{ { .opcode = NVME_ADMIN_SET_FEATURES, .dw10 = NVME_FEATURE_RESERVE_PERSIST, .nsid = 1 }, 0x10e },
		{ { .opcode = NVME_ADMIN_SET_FEATURES, .dw10 = NVME_FEATURE_TEMPERATURE, .nsid = 1 }, 0x10f },
		{ { .opcode = NVME_ADMIN_SET_FEATURES, .dw10 = NVME_FEATURE_TEMPERATURE, .nsid = 65 }, 0x00b },
		{ { .opcode = NVME_ADMIN_SET_FEATURES, .dw10 = NVME_FEATURE_POWER, .dw11 = 1 }, 0x002 },
		{ { .opcode = NVME_ADMIN_SET_FEATURES, .dw10 = NVME_FEATURE_QUEUES, .dw11 = 0xffff }, 0x002 },
		{ { .opcode = NVME_ADMIN_SET_FEATURES, .dw10 = NVME_FEATURE_QUEUES, .dw11 = 0xffff0000 }, 0x002 },
		{ { .opcode = NVME_ADMIN_SET_FEATURES, .dw10 = NVME_FEATURE_QUEUES, .dw11 = 1 }, 0x00c },
		{ { .opcode = NVME_ADMIN_SET_FEATURES, .dw10 = NVME_FEATURE_VECTOR, .dw11 = 9 }, 0x002 },
		{ { .opcode = NVME_ADMIN_SET_FEATURES, .dw10 = NVME_FEATURE_TIMESTAMP, .prp1 = 0x1000 }, 0x004 },
		{ { .opcode = NVME_ADMIN_SET_FEATURES, .dw10 = NVME_FEATURE_HOST_ID, .prp1 = 0x1000 }, 0x004 },
		{ { .opcode = NVME_ADMIN_GET_LOG, .dw10 = 0x77 }, 0x109 },
		{ { .opcode = NVME_ADMIN_GET_LOG, .dw10 = NVME_LOG_SMART, .nsid = 1 }, 0x002 },
		{ { .opcode = NVME_ADMIN_GET_LOG, .dw10 = NVME_LOG_SMART, .dw12 = 2 }, 0x002 },
		{ { .opcode = NVME_ADMIN_GET_LOG, .dw10 = NVME_LOG_SMART, .dw12 = 516 }, 0x002 },
		{ { .opcode = NVME_ADMIN_GET_LOG, .dw10 = NVME_LOG_SMART, .dw13 = 1 }, 0x002 },
		{ { .opcode = NVME_ADMIN_GET_LOG, .dw10 = NVME_LOG_SMART, .dw11 = 0xffff }, 0x002 },
		{ { .opcode = NVME_ADMIN_GET_LOG, .dw10 = NVME_LOG_SMART, .dw14 = 1 << 23 }, 0x002 },
		{ { .opcode = NVME_ADMIN_FORMAT, .nsid = 0 }, 0x00b },
		{ { .opcode = NVME_ADMIN_FORMAT, .nsid = 2 }, 0x002 },
		{ { .opcode = NVME_ADMIN_FORMAT, .nsid = 1, .dw10 = 1 }, 0x10a },
		{ { .opcode = NVME_ADMIN_FORMAT, .nsid = 1, .dw10 = 2 }, 0x10a },
		{ { .opcode = NVME_ADMIN_FORMAT, .nsid = 1, .dw10 = 1 << 5 }, 0x002 },
		{ { .opcode = NVME_ADMIN_FORMAT, .nsid = 1, .dw10 = 2 << 9 }, 0x002 },
		{ { .opcode = NVME_ADMIN_SANITIZE, .dw10 = 5 }, 0x002 },
		{ { .opcode = NVME_ADMIN_SANITIZE, .dw10 = 4 }, 0x002 },
		{ { .opcode = NVME_ADMIN_SANITIZE, .dw10 = 0 }, 0x002 },
	};
	struct world *world = world_started();

	(void)state;
	expect_each(&world->side[0], cases, array_len(cases));
	world_close(world);
}

static uint32_t feature(struct side *side, uint32_t dw10, uint32_t nsid)
{
	uint32_t value = 0;

	assert_int_equal(admin_dw0(side, (struct cmd){ .opcode = NVME_ADMIN_GET_FEATURES,
						       .nsid = nsid, .dw10 = dw10 }, &value), 0);
	return value;
}

static void features_keep_what_is_set_until_a_reset(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];

	(void)state;
	assert_int_equal(feature(side, NVME_FEATURE_TEMPERATURE, 0), 343);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_SET_FEATURES,
						   .dw10 = NVME_FEATURE_TEMPERATURE,
						   .dw11 = 0xffc00155 }), 0);
	assert_int_equal(feature(side, NVME_FEATURE_TEMPERATURE, 0), 0x155);
	assert_int_equal(feature(side, NVME_FEATURE_TEMPERATURE | NVME_SEL_DEFAULT << 8, 0), 343);
	assert_int_equal(feature(side, NVME_FEATURE_TEMPERATURE | NVME_SEL_SAVED << 8, 0), 343);
	assert_int_equal(feature(side, NVME_FEATURE_TEMPERATURE | NVME_SEL_SUPPORTED << 8, 0),
			 NVME_FEATURE_CHANGEABLE);
	assert_int_equal(feature(side, NVME_FEATURE_RESERVE_PERSIST | NVME_SEL_SUPPORTED << 8, 0),
			 NVME_FEATURE_PER_NAMESPACE);
	assert_int_equal(feature(side, NVME_FEATURE_QUEUES, 0), 7 << 16 | 7);
	assert_int_equal(feature(side, NVME_FEATURE_WRITE_CACHE, 0), 1);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_SET_FEATURES,
						   .dw10 = NVME_FEATURE_RESERVE_MASK,
						   .nsid = UINT32_MAX, .dw11 = 0xff }), 0);
	assert_int_equal(feature(side, NVME_FEATURE_RESERVE_MASK, 1), 0x0e);
	assert_int_equal(side_drive(side, 1, 8), 0);
	assert_int_equal(feature(side, NVME_FEATURE_TEMPERATURE, 0), 343);
	assert_int_equal(feature(side, NVME_FEATURE_RESERVE_MASK, 1), 0);
	world_close(world);
}

static void the_timestamp_runs_on_from_what_a_host_set(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct cmd get = { .opcode = NVME_ADMIN_GET_FEATURES, .dw10 = NVME_FEATURE_TIMESTAMP,
			   .prp1 = data_at(0x100) };
	uint64_t stamp;

	(void)state;
	put_le64(data(side, 0), 0xffff000000001000);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_SET_FEATURES,
						   .dw10 = NVME_FEATURE_TIMESTAMP,
						   .prp1 = data_at(0) }), 0);
	world->now_ns += UINT64_C(5) * 1000 * 1000 * 1000;
	assert_int_equal(admin(side, get), 0);
	stamp = get_le64(data(side, 0x100));
	assert_int_equal(stamp & 0xffffffffffff, 0x1000 + 5000);
	assert_int_equal(field_get(stamp, NVME_TIMESTAMP_ORIGIN), 1);
	world_close(world);
}

static void the_timestamp_begins_with_what_the_machine_said(void **state)
{
	struct world *world = world_open(1, false);
	struct side *side = &world->side[0];
	uint64_t stamp;

	(void)state;
	side->nvme->features.timestamp_ms = 5000; /* as nvme_conf.now_ms */
	world->now_ns = UINT64_C(1) << 50;
	world_round(world);
	assert_int_equal(side_drive(side, 1, 8), 0);
	world->now_ns += UINT64_C(2) * 1000 * 1000 * 1000;
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_GET_FEATURES,
						   .dw10 = NVME_FEATURE_TIMESTAMP,
						   .prp1 = data_at(0) }), 0);
	stamp = get_le64(data(side, 0));
	assert_int_equal(stamp & 0xffffffffffff, 7000);
	assert_int_equal(field_get(stamp, NVME_TIMESTAMP_ORIGIN), 0);
	world_close(world);
}

static void the_host_s_behaviour_and_identifier_are_kept(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct cmd set = { .opcode = NVME_ADMIN_SET_FEATURES, .dw10 = NVME_FEATURE_HOST_BEHAVIOR,
			   .prp1 = data_at(0) };

	(void)state;
	data(side, 0)[0] = 1;
	assert_int_equal(admin(side, set), 0);
	data(side, 0)[0] = 2;
	assert_int_equal(admin(side, set), NVME_INVALID_FIELD);
	set.opcode = NVME_ADMIN_GET_FEATURES;
	assert_int_equal(admin(side, set), 0);
	assert_int_equal(data(side, 0)[0], 1);
	fill(data(side, 0x100), 16, 3);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_SET_FEATURES, .dw11 = 1,
						   .dw10 = NVME_FEATURE_HOST_ID,
						   .prp1 = data_at(0x100) }), 0);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_GET_FEATURES, .dw11 = 1,
						   .dw10 = NVME_FEATURE_HOST_ID,
						   .prp1 = data_at(0x200) }), 0);
	assert_memory_equal(data(side, 0x200), data(side, 0x100), 16);
	world_close(world);
}

static void get_log(struct side *side, unsigned lid, unsigned size, uint32_t offset, bool keep)
{
	memset(data(side, 0), 0xee, 8192);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_GET_LOG, .nsid = UINT32_MAX,
						   .dw10 = lid | (uint32_t)keep << 15 |
							   (size / 4 - 1) << 16,
						   .dw12 = offset, .prp1 = data_at(0),
						   .prp2 = data_at(0x1000) }), 0);
}

static void log_pages_tell_what_happened(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	const uint8_t *log = data(side, 0);

	(void)state;
	assert_int_equal(io(side, (struct cmd){ .opcode = NVME_IO_READ, .nsid = 1, .dw12 = 7,
						.prp1 = data_at(0) }), 0);
	assert_int_equal(io(side, (struct cmd){ .opcode = NVME_IO_READ, .nsid = 1,
			 .dw10 = 0x12345678,
						.prp1 = data_at(0) }), NVME_LBA_OUT_OF_RANGE);
	get_log(side, NVME_LOG_ERROR, 128, 0, false);
	assert_int_equal(get_le64(log), 1);
	assert_int_equal(get_le16(log + NVME_ERROR_SQID), 1);
	assert_int_equal(get_le16(log + NVME_ERROR_STATUS) >> 1 & 0x7ff, NVME_LBA_OUT_OF_RANGE);
	assert_int_equal(get_le64(log + NVME_ERROR_LBA), 0x12345678);
	assert_int_equal(get_le32(log + NVME_ERROR_NSID), 1);
	assert_int_equal(get_le64(log + 64), 0);
	get_log(side, NVME_LOG_SMART, 512, 0, false);
	assert_int_equal(get_le16(log + NVME_SMART_TEMPERATURE), 303);
	assert_int_equal(get_le64(log + NVME_SMART_READS), 1);
	assert_int_equal(get_le64(log + NVME_SMART_UNITS_READ), 1);
	assert_int_equal(get_le64(log + NVME_SMART_ERROR_ENTRIES), 1);
	get_log(side, NVME_LOG_SMART, 512, NVME_SMART_READS, false);
	assert_int_equal(get_le64(log), 1);
	assert_int_equal(log[511], 0); /* beyond the end of the page */
	get_log(side, NVME_LOG_FIRMWARE, 512, 0, false);
	assert_int_equal(log[0], 1);
	assert_memory_equal(log + 8, "1.0     ", 8);
	get_log(side, NVME_LOG_SUPPORTED, 1024, 0, false);
	assert_int_equal(get_le32(log + 4 * NVME_LOG_SMART), 1);
	assert_int_equal(get_le32(log + 4 * 0x70), 0);
	get_log(side, NVME_LOG_EFFECTS, 4096, 0, false);
	assert_int_equal(get_le32(log + 4 * NVME_ADMIN_IDENTIFY), 1);
	assert_int_equal(get_le32(log + 4 * NVME_ADMIN_MANAGE_NAMESPACE), 0);
	assert_int_equal(get_le32(log + 1024 + 4 * NVME_IO_READ), 1);
	assert_int_equal(get_le32(log + 1024 + 4 * NVME_IO_WRITE), 3);
	get_log(side, NVME_LOG_FEATURES, 1024, 0, false);
	assert_int_equal(get_le32(log + 4 * NVME_FEATURE_QUEUES) & 1, 1);
	get_log(side, NVME_LOG_SANITIZE, 512, 0, false);
	assert_int_equal(get_le16(log), 0xffff);
	assert_int_equal(get_le16(log + 2), 0);
	get_log(side, NVME_LOG_RESERVATION, 64, 0, false);
	assert_int_equal(log[NVME_RESERVE_LOG_TYPE], 0);
	world_close(world);
}

static void the_error_log_keeps_the_newest(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];

	(void)state;
	for (unsigned i = 0; i < 70; i++)
		assert_int_equal(io(side, (struct cmd){ .opcode = 0x77, .nsid = 1, .dw10 = i }),
				 NVME_INVALID_OPCODE);
	get_log(side, NVME_LOG_ERROR, 4096, 0, false);
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(get_le64(data(side, i * 64)), 70 - i);
		assert_int_equal(get_le64(data(side, i * 64) + NVME_ERROR_LBA), 69 - i);
	}
	world_close(world);
}

/* Posts an event request on the admin queue without waiting for it. */
static void post_aer(struct side *side)
{
	uint8_t sqe[64];
	struct nvme_driver_queue *queue = &side->driver.admin;

	cmd_lay(&(struct cmd){ .opcode = NVME_ADMIN_ASYNC_EVENT }, sqe);
	put_le16(sqe + NVME_SQE_CID, 0x1000);
	memcpy(queue->sq + queue->tail * 64, sqe, 64);
	queue->tail = (queue->tail + 1) % queue->count;
	put_le32(side->doorbells, queue->tail);
	world_round(side->world);
}

/* The event that has come: dword 0; 0xffffffff: none. */
static uint32_t take_event(struct side *side)
{
	struct nvme_driver_queue *queue = &side->driver.admin;
	uint8_t *entry = queue->cq + queue->head * 16;

	world_round(side->world);
	if ((entry[14] & 1) != queue->phase)
		return UINT32_MAX;
	assert_int_equal(get_le16(entry + 12), 0x1000);
	if (++queue->head == queue->count) {
		queue->head = 0;
		queue->phase ^= 1;
	}
	put_le32(side->doorbells + 4, queue->head);
	return get_le32(entry);
}

static void namespaces_that_come_and_go_are_events(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	const uint8_t *log = data(side, 0);

	(void)state;
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_SET_FEATURES,
						   .dw10 = NVME_FEATURE_EVENTS,
						   .dw11 = NVME_EVENTS_NAMESPACE }), 0);
	post_aer(side);
	assert_int_equal(take_event(side), UINT32_MAX);
	side->front->namespaces[2] = &world->disk[0].back;
	side->front->ops->namespaces_changed(NULL, side->front);
	assert_int_equal(take_event(side), NVME_LOG_CHANGED << 16 | NVME_EVENT_NOTICE);
	/* Masked until the page is read, and an event of the meantime is told then. */
	post_aer(side);
	side->front->namespaces[4] = &world->disk[0].back;
	side->front->ops->namespaces_changed(NULL, side->front);
	assert_int_equal(take_event(side), UINT32_MAX);
	get_log(side, NVME_LOG_CHANGED, 4096, 0, true);
	assert_int_equal(get_le32(log), 3);
	assert_int_equal(get_le32(log + 4), 5);
	assert_int_equal(get_le32(log + 8), 0);
	assert_int_equal(take_event(side), UINT32_MAX);
	world_close(world);
}

/* The aborted request completes before the Abort does. */
static void abort_aer(struct side *side)
{
	struct nvme_driver_queue *queue = &side->driver.admin;
	uint8_t *entry = queue->cq + queue->head * 16, *next = queue->cq + (queue->head + 1) % 32 * 16;

	cmd_lay(&(struct cmd){ .opcode = NVME_ADMIN_ABORT, .dw10 = 0x1000u << 16 },
		queue->sq + queue->tail * 64);
	put_le16(queue->sq + queue->tail * 64 + NVME_SQE_CID, 0x1001);
	put_le32(side->doorbells, queue->tail + 1);
	world_round(side->world);
	assert_int_equal(get_le16(entry + 12), 0x1000);
	assert_int_equal(get_le16(entry + 14) >> 1, NVME_ABORT_REQUESTED);
	assert_int_equal(get_le16(next + 12), 0x1001);
	assert_int_equal(get_le32(next), 0);
}

static void event_requests_have_a_limit_and_can_be_aborted(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	uint32_t dw0 = 9;

	(void)state;
	for (unsigned i = 0; i < NVME_AERS_MAX; i++)
		post_aer(side);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_ASYNC_EVENT }),
			 NVME_AER_LIMIT);
	nvme_event_post(side->nvme, NVME_EVENT_SMART, 1, NVME_LOG_SMART);
	assert_int_equal(take_event(side), NVME_LOG_SMART << 16 | 1 << 8 | NVME_EVENT_SMART);
	assert_int_equal(side->nvme->aer_count, NVME_AERS_MAX - 1);
	assert_int_equal(admin_dw0(side, (struct cmd){ .opcode = NVME_ADMIN_ABORT,
						       .dw10 = 0x2222u << 16 }, &dw0), 0);
	assert_int_equal(dw0, 1);
	put_le32(side->driver.admin.sq + side->driver.admin.tail * 64, 0);
	abort_aer(side);
	assert_int_equal(side->nvme->aer_count, NVME_AERS_MAX - 2);
	world_close(world);
}

static void put_new_namespace(struct side *side, uint64_t blocks, uint64_t capacity, unsigned format)
{
	memset(data(side, 0), 0, 4096);
	put_le64(data(side, NVME_IDN_NSZE), blocks);
	put_le64(data(side, NVME_IDN_NCAP), capacity);
	*data(side, NVME_IDN_FLBAS) = (uint8_t)format;
	*data(side, NVME_IDN_NMIC) = 1;
}

static void namespaces_are_made_and_removed_by_wish(void **state)
{
	struct world *world = world_open(2, true);
	struct side *side = &world->side[0];
	struct cmd create = { .opcode = NVME_ADMIN_MANAGE_NAMESPACE, .prp1 = data_at(0) };
	struct cmd delete = { .opcode = NVME_ADMIN_MANAGE_NAMESPACE, .dw10 = 1, .nsid = 1 };
	uint32_t nsid = 0;

	(void)state;
	nvme_subsystem_set_unallocated(world->subsystem, 1 << 20);
	assert_int_equal(side_drive(side, 1, 8), 0);
	put_new_namespace(side, 100, 100, 1);
	assert_int_equal(admin_dw0(side, create, &nsid), 0);
	assert_int_equal(nsid, 7);
	assert_int_equal(world->wish.kind, NVME_WISH_CREATE);
	assert_int_equal(world->wish.size, 409600);
	assert_int_equal(world->wish.block_size, 4096);
	assert_true(world->wish.shared);
	put_new_namespace(side, 257, 257, 1);
	assert_int_equal(admin(side, create), NVME_INSUFFICIENT_CAPACITY);
	put_new_namespace(side, UINT64_MAX, UINT64_MAX, 0);
	assert_int_equal(admin(side, create), NVME_INSUFFICIENT_CAPACITY);
	put_new_namespace(side, 100, 99, 0);
	assert_int_equal(admin(side, create), NVME_THIN_NOT_SUPPORTED);
	put_new_namespace(side, 0, 0, 0);
	assert_int_equal(admin(side, create), NVME_INVALID_FIELD);
	put_new_namespace(side, 100, 100, 2);
	assert_int_equal(admin(side, create), NVME_INVALID_FORMAT);
	put_new_namespace(side, 100, 100, 0);
	*data(side, NVME_IDN_DPS) = 1;
	assert_int_equal(admin(side, create), NVME_INVALID_FIELD);
	create.prp1 = 0;
	assert_int_equal(admin(side, create), NVME_DATA_TRANSFER_ERROR);
	create.dw10 = 2;
	assert_int_equal(admin(side, create), NVME_INVALID_FIELD);
	assert_int_equal(world->wishes, 1);
	assert_int_equal(admin(side, delete), 0);
	assert_int_equal(world->wish.kind, NVME_WISH_DELETE);
	assert_int_equal(world->wish.nsid, 1);
	delete.nsid = 2;
	assert_int_equal(admin(side, delete), NVME_INVALID_FIELD);
	delete.nsid = 99;
	assert_int_equal(admin(side, delete), NVME_INVALID_NAMESPACE);
	delete.nsid = UINT32_MAX;
	world->refuse_wish = NVME_INSUFFICIENT_CAPACITY;
	assert_int_equal(admin(side, delete), NVME_INSUFFICIENT_CAPACITY);
	world_close(world);
}

static void put_controllers(struct side *side, unsigned count, unsigned a, unsigned b)
{
	put_le16(data(side, 0), (uint16_t)count);
	put_le16(data(side, 2), (uint16_t)a);
	put_le16(data(side, 4), (uint16_t)b);
}

static void namespaces_are_attached_by_wish(void **state)
{
	struct world *world = world_open(2, true);
	struct side *side = &world->side[0];
	struct block_back other = world->disk[0].back;
	struct cmd attach = { .opcode = NVME_ADMIN_ATTACH_NAMESPACE, .nsid = 2, .prp1 = data_at(0) };

	(void)state;
	other.id[0] = 0x99;
	nvme_subsystem_set_namespace(world->subsystem, 2, &other, NVME_SHARED);
	assert_int_equal(side_drive(side, 1, 8), 0);
	put_controllers(side, 2, 0, 1);
	assert_int_equal(admin(side, attach), 0);
	assert_int_equal(world->wish.kind, NVME_WISH_ATTACH);
	assert_int_equal(world->wish.count, 2);
	assert_int_equal(world->wish.controllers[1], 1);
	put_controllers(side, 2, 1, 0);
	assert_int_equal(admin(side, attach), NVME_CONTROLLER_LIST_INVALID);
	put_controllers(side, 2, 1, 2);
	assert_int_equal(admin(side, attach), NVME_CONTROLLER_LIST_INVALID);
	put_controllers(side, 0, 1, 2);
	assert_int_equal(admin(side, attach), NVME_CONTROLLER_LIST_INVALID);
	put_controllers(side, 0xffff, 1, 2);
	assert_int_equal(admin(side, attach), NVME_CONTROLLER_LIST_INVALID);
	nvme_subsystem_set_namespace(world->subsystem, 2, &other, NVME_PRIVATE);
	put_controllers(side, 2, 0, 1);
	assert_int_equal(admin(side, attach), NVME_NAMESPACE_PRIVATE);
	put_controllers(side, 1, 1, 0);
	attach.dw10 = 1;
	assert_int_equal(admin(side, attach), NVME_NOT_ATTACHED);
	attach.nsid = 1;
	assert_int_equal(admin(side, attach), 0);
	assert_int_equal(world->wish.kind, NVME_WISH_DETACH);
	attach.dw10 = 0;
	assert_int_equal(admin(side, attach), NVME_ALREADY_ATTACHED);
	attach.dw10 = 2;
	assert_int_equal(admin(side, attach), NVME_INVALID_FIELD);
	attach.dw10 = 0;
	attach.nsid = 3;
	assert_int_equal(admin(side, attach), NVME_INVALID_FIELD);
	attach.nsid = 0;
	assert_int_equal(admin(side, attach), NVME_INVALID_NAMESPACE);
	world_close(world);
}

static void a_wish_that_outlives_its_controller_ends_quietly(void **state)
{
	struct world *world = world_open(1, true);
	struct side *side = &world->side[0];
	uint8_t sqe[64];

	(void)state;
	assert_int_equal(side_drive(side, 1, 8), 0);
	world->refuse_wish = -1;
	cmd_lay(&(struct cmd){ .opcode = NVME_ADMIN_MANAGE_NAMESPACE, .dw10 = 1, .nsid = 1 }, sqe);
	memcpy(side->driver.admin.sq + side->driver.admin.tail * 64, sqe, 64);
	put_le32(side->doorbells, side->driver.admin.tail + 1);
	world_round(world);
	assert_int_equal(world->wishes, 1);
	assert_int_equal(nvme_busy(side->nvme), 1);
	nvme_reset(side->nvme);
	nvme_wish_done(world->subsystem, NVME_SUCCESS, 0);
	assert_int_equal(nvme_busy(side->nvme), 0);
	assert_int_equal(side_drive(side, 1, 8), 0);
	world_close(world);
}

static void a_format_leaves_zeroes_and_holds_others_off(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct cmd format = { .opcode = NVME_ADMIN_FORMAT, .nsid = 1, .dw10 = 1 << 9 };
	uint8_t sqe[64];

	(void)state;
	fill(world->bytes, DISK_SIZE, 3);
	world->disk[0].back.transfer_max = 1 << 20;
	world->run_most = 0;
	cmd_lay(&format, sqe);
	memcpy(side->driver.admin.sq + side->driver.admin.tail * 64, sqe, 64);
	put_le16(side->driver.admin.sq + side->driver.admin.tail * 64 + 2, 0x1000);
	side->driver.admin.tail++;
	put_le32(side->doorbells, side->driver.admin.tail);
	world_round(world);
	assert_int_equal(io(side, (struct cmd){ .opcode = NVME_IO_READ, .nsid = 1,
						.prp1 = data_at(0) }), NVME_FORMAT_IN_PROGRESS);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_SANITIZE, .dw10 = 2 }),
			 NVME_FORMAT_IN_PROGRESS);
	assert_int_equal(admin(side, format), NVME_FORMAT_IN_PROGRESS);
	world->run_most = 1;
	for (unsigned i = 0; i < 20; i++)
		world_round(world);
	assert_int_equal(take_event(side), 0); /* the format's completion */
	for (unsigned i = 0; i < DISK_SIZE; i++)
		assert_int_equal(world->bytes[i], 0);
	assert_int_equal(world->disk[0].flushes, 1);
	assert_int_equal(io(side, (struct cmd){ .opcode = NVME_IO_READ, .nsid = 1,
						.prp1 = data_at(0) }), 0);
	format.nsid = UINT32_MAX;
	assert_int_equal(admin(side, format), 0);
	world->disk[0].next_result = BLOCK_MEDIUM_ERROR;
	assert_int_equal(admin(side, format), NVME_WRITE_FAULT);
	world->disk[0].back.read_only = true;
	assert_int_equal(admin(side, format), NVME_WRITE_PROTECTED);
	world_close(world);
}

static void a_sanitize_runs_behind_the_command(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct cmd sanitize = { .opcode = NVME_ADMIN_SANITIZE, .dw10 = NVME_SANITIZE_BLOCK_ERASE };

	(void)state;
	fill(world->bytes, DISK_SIZE, 3);
	post_aer(side);
	world->disk[0].back.transfer_max = 1 << 20;
	world->run_most = 0;
	assert_int_equal(admin(side, sanitize), 0);
	assert_int_equal(io(side, (struct cmd){ .opcode = NVME_IO_READ, .nsid = 1,
						.prp1 = data_at(0) }), NVME_SANITIZE_IN_PROGRESS);
	assert_int_equal(admin(side, sanitize), NVME_SANITIZE_IN_PROGRESS);
	assert_int_equal(admin(side, (struct cmd){ .opcode = NVME_ADMIN_FORMAT, .nsid = 1 }),
			 NVME_SANITIZE_IN_PROGRESS);
	get_log(side, NVME_LOG_SANITIZE, 512, 0, true);
	assert_true(get_le16(data(side, 0)) < 0xffff);
	assert_int_equal(get_le16(data(side, 2)), NVME_SSTAT_RUNNING);
	world->run_most = 1;
	for (unsigned i = 0; i < 20; i++)
		world_round(world);
	assert_int_equal(take_event(side), NVME_LOG_SANITIZE << 16 | NVME_IO_SET_SANITIZED << 8 |
						   NVME_EVENT_IO_SET);
	get_log(side, NVME_LOG_SANITIZE, 512, 0, false);
	assert_int_equal(get_le16(data(side, 0)), 0xffff);
	assert_int_equal(get_le16(data(side, 2)), NVME_SSTAT_DONE);
	assert_int_equal(get_le32(data(side, 4)), 2);
	for (unsigned i = 0; i < DISK_SIZE; i++)
		assert_int_equal(world->bytes[i], 0);
	world_close(world);
}

static void a_sanitize_that_failed_locks_the_namespaces(void **state)
{
	struct world *world = world_started();
	struct side *side = &world->side[0];
	struct cmd sanitize = { .opcode = NVME_ADMIN_SANITIZE, .dw10 = NVME_SANITIZE_BLOCK_ERASE };
	struct cmd exit = { .opcode = NVME_ADMIN_SANITIZE, .dw10 = NVME_SANITIZE_EXIT_FAILURE };
	struct cmd read = { .opcode = NVME_IO_READ, .nsid = 1, .prp1 = data_at(0) };

	(void)state;
	world->disk[0].next_result = BLOCK_MEDIUM_ERROR;
	assert_int_equal(admin(side, sanitize), 0);
	for (unsigned i = 0; i < 20; i++)
		world_round(world);
	assert_int_equal(io(side, read), NVME_SANITIZE_FAILED);
	assert_int_equal(admin(side, exit), NVME_SANITIZE_FAILED);
	sanitize.dw10 |= 1 << 3;
	assert_int_equal(admin(side, sanitize), NVME_SANITIZE_FAILED);
	sanitize.dw10 = 2;
	assert_int_equal(admin(side, sanitize), 0);
	for (unsigned i = 0; i < 20; i++)
		world_round(world);
	assert_int_equal(io(side, read), 0);
	/* An unrestricted one may be left as it is. */
	sanitize.dw10 |= 1 << 3;
	world->disk[0].next_result = BLOCK_MEDIUM_ERROR;
	assert_int_equal(admin(side, sanitize), 0);
	for (unsigned i = 0; i < 20; i++)
		world_round(world);
	assert_int_equal(io(side, read), NVME_SANITIZE_FAILED);
	assert_int_equal(admin(side, exit), 0);
	assert_int_equal(io(side, read), 0);
	world->disk[0].back.read_only = true;
	side->nvme->known[0] = NULL;
	side->front->ops->namespaces_changed(NULL, side->front);
	assert_int_equal(admin(side, sanitize), NVME_WRITE_PROTECTED);
	world_close(world);
}

static void secondary_controllers_get_what_the_primary_lends(void **state)
{
	struct world *world = world_open(3, false);
	struct side *side = &world->side[0], *vf = &world->side[1];
	const uint8_t *id = data(side, 0);
	uint64_t csts;
	uint32_t count;

	(void)state;
	assert_int_equal(side_drive(side, 1, 8), 0);
	assert_int_equal(side_drive(vf, 1, 8), 0);
	assert_int_equal(identify(side, NVME_CNS_PRIMARY, 0, 0), 0);
	assert_int_equal(id[NVME_PRIMARY_CRT], 3);
	assert_int_equal(get_le32(id + NVME_PRIMARY_VQ), 18);
	assert_int_equal(get_le32(id + NVME_PRIMARY_VQ + NVME_PRIMARY_RFA), 18);
	assert_int_equal(get_le16(id + NVME_PRIMARY_VI + NVME_PRIMARY_FRSM), 9);
	assert_int_equal(identify(side, NVME_CNS_SECONDARY, 0, 0), 0);
	assert_int_equal(id[0], 2);
	assert_int_equal(get_le16(id + 32 + NVME_SECONDARY_SCID), 1);
	assert_int_equal(id[32 + NVME_SECONDARY_SCS], 1);
	assert_int_equal(get_le16(id + 64 + NVME_SECONDARY_NVQ), 9);
	assert_int_equal(identify(side, NVME_CNS_SECONDARY | 2 << 16, 0, 0), 0);
	assert_int_equal(id[0], 1);

	assert_int_equal(admin(side, virt(NVME_VIRT_ASSIGN, 0, 1, 3)),
			 NVME_INVALID_SECONDARY_STATE);
	assert_int_equal(admin(side, virt(NVME_VIRT_OFFLINE, 0, 1, 0)), 0);
	side_read(vf, NVME_REG_CSTS, 4, &csts);
	assert_int_equal(csts, NVME_CSTS_CFS);
	assert_int_equal(side_drive(vf, 1, 8), -EIO);
	assert_int_equal(admin(side, virt(NVME_VIRT_ONLINE, 0, 1, 0)),
			 NVME_INVALID_SECONDARY_STATE);
	assert_int_equal(admin(side, virt(NVME_VIRT_ASSIGN, 0, 1, 10)),
			 NVME_INVALID_RESOURCE_COUNT);
	assert_int_equal(admin_dw0(side, virt(NVME_VIRT_ASSIGN, 0, 1, 3), &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(admin(side, virt(NVME_VIRT_ASSIGN, 1, 1, 2)), 0);
	assert_int_equal(admin(side, virt(NVME_VIRT_ONLINE, 0, 1, 0)), 0);
	assert_int_equal(admin(side, virt(NVME_VIRT_ONLINE, 0, 1, 0)), 0);
	assert_int_equal(side_drive(vf, 8, 8), 0);
	assert_int_equal(vf->driver.queue_count, 2);
	/* What is free can be the primary's own; and no longer a secondary's. */
	assert_int_equal(admin(side, virt(NVME_VIRT_PRIMARY_ALLOCATION, 0, 0, 7)),
			 NVME_INVALID_RESOURCE_COUNT);
	assert_int_equal(admin(side, virt(NVME_VIRT_PRIMARY_ALLOCATION, 0, 0, 6)), 0);
	assert_int_equal(admin(side, virt(NVME_VIRT_OFFLINE, 0, 2, 0)), 0);
	assert_int_equal(admin(side, virt(NVME_VIRT_ASSIGN, 0, 2, 9)), 0);
	assert_int_equal(side_drive(side, 1, 8), 0);
	assert_int_equal(feature(side, NVME_FEATURE_QUEUES, 0), 13 << 16 | 13);
	assert_int_equal(admin(side, virt(2, 0, 1, 0)), NVME_INVALID_FIELD);
	assert_int_equal(admin(side, virt(NVME_VIRT_ASSIGN, 2, 1, 0)), NVME_INVALID_RESOURCE_ID);
	assert_int_equal(admin(side, virt(NVME_VIRT_ASSIGN, 0, 0, 0)), NVME_INVALID_CONTROLLER_ID);
	assert_int_equal(admin(side, virt(NVME_VIRT_ONLINE, 0, 9, 0)), NVME_INVALID_CONTROLLER_ID);
	assert_int_equal(admin(side, virt(NVME_VIRT_PRIMARY_ALLOCATION, 0, 1, 0)),
			 NVME_INVALID_CONTROLLER_ID);
	world_close(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identify_tells_of_the_controller),
		cmocka_unit_test(identify_tells_of_namespaces),
		cmocka_unit_test(what_is_wrong_with_admin_commands_is_told),
		cmocka_unit_test(features_keep_what_is_set_until_a_reset),
		cmocka_unit_test(the_timestamp_runs_on_from_what_a_host_set),
		cmocka_unit_test(the_timestamp_begins_with_what_the_machine_said),
		cmocka_unit_test(the_host_s_behaviour_and_identifier_are_kept),
		cmocka_unit_test(log_pages_tell_what_happened),
		cmocka_unit_test(the_error_log_keeps_the_newest),
		cmocka_unit_test(namespaces_that_come_and_go_are_events),
		cmocka_unit_test(event_requests_have_a_limit_and_can_be_aborted),
		cmocka_unit_test(namespaces_are_made_and_removed_by_wish),
		cmocka_unit_test(namespaces_are_attached_by_wish),
		cmocka_unit_test(a_wish_that_outlives_its_controller_ends_quietly),
		cmocka_unit_test(a_format_leaves_zeroes_and_holds_others_off),
		cmocka_unit_test(a_sanitize_runs_behind_the_command),
		cmocka_unit_test(a_sanitize_that_failed_locks_the_namespaces),
		cmocka_unit_test(secondary_controllers_get_what_the_primary_lends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
