/* The register page: every row of the policy, and what writes start. */
#include "sim/vtd_driver.h"
#include "tests/check.h"

enum { RO, RW, RW1C, WO };

/* The same rules as vtd_registers.c, written down again from the specification in another shape:
 * one field a row. */
struct field_row {
	const char *name;
	uint32_t offset;
	int field;
	int policy;
	unsigned width;
};

static const struct field_row field_rows[] = {
	{ "VER.MAX", SPEC_VTD_VER, FIELD(7, 4), RO, 4 },
	{ "VER.MIN", SPEC_VTD_VER, FIELD(3, 0), RO, 4 },
	{ "CAP", SPEC_VTD_CAP, FIELD(63, 0), RO, 8 },
	{ "ECAP", SPEC_VTD_ECAP, FIELD(63, 0), RO, 8 },
	{ "GSTS", SPEC_VTD_GSTS, FIELD(31, 0), RO, 4 },
	{ "RTADDR.RTA", SPEC_VTD_RTADDR, SPEC_VTD_RTADDR_RTA, RW, 8 },
	{ "RTADDR.TTM", SPEC_VTD_RTADDR, SPEC_VTD_RTADDR_TTM, RW, 8 },
	{ "CCMD.CIRG", SPEC_VTD_CCMD, SPEC_VTD_CCMD_CIRG, RW, 8 },
	{ "CCMD.CAIG", SPEC_VTD_CCMD, SPEC_VTD_CCMD_CAIG, RO, 8 },
	{ "CCMD.FM", SPEC_VTD_CCMD, SPEC_VTD_CCMD_FM, RW, 8 },
	{ "CCMD.SID", SPEC_VTD_CCMD, SPEC_VTD_CCMD_SID, RW, 8 },
	{ "CCMD.DID", SPEC_VTD_CCMD, SPEC_VTD_CCMD_DID, RW, 8 },
	{ "FSTS.FRI", SPEC_VTD_FSTS, SPEC_VTD_FSTS_FRI, RO, 4 },
	{ "FSTS.PPF", SPEC_VTD_FSTS, SPEC_VTD_FSTS_PPF, RO, 4 },
	{ "FECTL.IM", SPEC_VTD_FECTL, SPEC_VTD_FECTL_IM, RW, 4 },
	{ "FECTL.IP", SPEC_VTD_FECTL, SPEC_VTD_FECTL_IP, RO, 4 },
	{ "FEDATA", SPEC_VTD_FEDATA, FIELD(31, 0), RW, 4 },
	{ "FEADDR.MA", SPEC_VTD_FEADDR, FIELD(31, 2), RW, 4 },
	{ "FEUADDR", SPEC_VTD_FEUADDR, FIELD(31, 0), RW, 4 },
	{ "PMEN.PRS", SPEC_VTD_PMEN, SPEC_VTD_PMEN_PRS, RO, 4 },
	{ "PLMBASE", SPEC_VTD_PLMBASE, FIELD(31, 21), RW, 4 },
	{ "PLMLIMIT", SPEC_VTD_PLMLIMIT, FIELD(31, 21), RW, 4 },
	{ "PHMBASE", SPEC_VTD_PHMBASE, FIELD(63, 21), RW, 8 },
	{ "PHMLIMIT", SPEC_VTD_PHMLIMIT, FIELD(63, 21), RW, 8 },
	{ "IQH", SPEC_VTD_IQH, FIELD(63, 0), RO, 8 },
	{ "IQT.QT", SPEC_VTD_IQT, SPEC_VTD_IQT_QT, RW, 8 },
	{ "IQA.IQA", SPEC_VTD_IQA, SPEC_VTD_IQA_IQA, RW, 8 },
	{ "IQA.DW", SPEC_VTD_IQA, SPEC_VTD_IQA_DW, RW, 8 },
	{ "IQA.QS", SPEC_VTD_IQA, SPEC_VTD_IQA_QS, RW, 8 },
	{ "IECTL.IM", SPEC_VTD_IECTL, SPEC_VTD_FECTL_IM, RW, 4 },
	{ "IECTL.IP", SPEC_VTD_IECTL, SPEC_VTD_FECTL_IP, RO, 4 },
	{ "IEDATA", SPEC_VTD_IEDATA, FIELD(31, 0), RW, 4 },
	{ "IEADDR", SPEC_VTD_IEADDR, FIELD(31, 2), RW, 4 },
	{ "IEUADDR", SPEC_VTD_IEUADDR, FIELD(31, 0), RW, 4 },
	{ "IQERCD", SPEC_VTD_IQERCD, FIELD(63, 0), RO, 8 },
	{ "IRTA.IRTA", SPEC_VTD_IRTA, SPEC_VTD_IRTA_IRTA, RW, 8 },
	{ "IRTA.EIME", SPEC_VTD_IRTA, SPEC_VTD_IRTA_EIME, RW, 8 },
	{ "IRTA.S", SPEC_VTD_IRTA, SPEC_VTD_IRTA_S, RW, 8 },
	{ "PQH", SPEC_VTD_PQH, SPEC_VTD_PQH_PQH, RW, 8 },
	{ "PQT", SPEC_VTD_PQT, SPEC_VTD_PQT_PQT, RW, 8 },
	{ "PQA.PQA", SPEC_VTD_PQA, SPEC_VTD_PQA_PQA, RW, 8 },
	{ "PQA.PQS", SPEC_VTD_PQA, SPEC_VTD_PQA_PQS, RW, 8 },
	{ "PECTL.IM", SPEC_VTD_PECTL, SPEC_VTD_FECTL_IM, RW, 4 },
	{ "PECTL.IP", SPEC_VTD_PECTL, SPEC_VTD_FECTL_IP, RO, 4 },
	{ "PEDATA", SPEC_VTD_PEDATA, FIELD(31, 0), RW, 4 },
	{ "PEADDR", SPEC_VTD_PEADDR, FIELD(31, 2), RW, 4 },
	{ "PEUADDR", SPEC_VTD_PEUADDR, FIELD(31, 0), RW, 4 },
	{ "MTRRCAP", SPEC_VTD_MTRRCAP, FIELD(63, 0), RO, 8 },
	{ "MTRRDEF.TYPE", SPEC_VTD_MTRRDEF, FIELD(7, 0), RW, 8 },
	{ "MTRRDEF.FE", SPEC_VTD_MTRRDEF, FIELD_BIT(10), RW, 8 },
	{ "MTRRDEF.E", SPEC_VTD_MTRRDEF, FIELD_BIT(11), RW, 8 },
	{ "MTRR 64K_00000", 0x120, FIELD(63, 0), RW, 8 },
	{ "MTRR 4K_F8000", 0x170, FIELD(63, 0), RW, 8 },
	{ "MTRR base 0", 0x180, FIELD(63, 12), RW, 8 },
	{ "MTRR mask 9", 0x218, FIELD(63, 12), RW, 8 },
	{ "IVA", 0xf0, FIELD(63, 0), WO, 8 },
	{ "IOTLB.IIRG", 0xf8, SPEC_VTD_IOTLB_IIRG, RW, 8 },
	{ "IOTLB.IAIG", 0xf8, SPEC_VTD_IOTLB_IAIG, RO, 8 },
	{ "IOTLB.DID", 0xf8, SPEC_VTD_IOTLB_DID, RW, 8 },
	{ "FRCD[0] low", 0x220, FIELD(63, 0), RO, 8 },
	{ "FRCD[7] high", 0x298, FIELD(62, 0), RO, 8 },
};

static void fields_have_their_policy(void **state)
{
	(void)state;
	for (unsigned i = 0; i < array_len(field_rows); i++) {
		const struct field_row *row = &field_rows[i];
		uint64_t mask = field_mask(row->field), before, after;
		struct vtd_driver d;

		/* A unit each: no row's side effects reach another. */
		vtd_driver_start(&d, 1 << 16, &(struct vtd_config){ 0 });
		before = vtd_read(d.vtd, row->offset, row->width);
		vtd_write(d.vtd, row->offset, row->width, before | mask);
		after = vtd_read(d.vtd, row->offset, row->width);
		if (row->policy == RW && (after & mask) != mask)
			fail_msg("%s does not take ones: %" PRIx64, row->name, after);
		if (row->policy != RW && ((after ^ before) & mask))
			fail_msg("%s changed", row->name);
		vtd_write(d.vtd, row->offset, row->width, before & ~mask);
		after = vtd_read(d.vtd, row->offset, row->width);
		if (row->policy == RW && (after & mask))
			fail_msg("%s does not take zeros", row->name);
		if (row->policy != RW && ((after ^ before) & mask))
			fail_msg("%s was cleared", row->name);
		if (row->policy == WO)
			assert_int_equal(after & mask, 0);
		vtd_driver_stop(&d);
	}
}

static void bits_that_no_field_has_stay_zero(void **state)
{
	/* What a write of all ones leaves, by register; those that start something are left out. */
	static const struct {
		uint32_t offset;
		unsigned width;
		uint64_t ones;
	} rows[] = {
		{ 0x20, 8, 0xfffffffffffffc80 },
		{ 0x38, 4, 0x80000000 },
		{ 0x40, 4, 0xfffffffc },
		{ 0x68, 4, 0xffe00000 },
		{ 0x70, 8, 0xffffffffffe00000 },
		{ 0x90, 8, 0xfffffffffffff807 },
		{ 0xa0, 4, 0x80000000 },
		{ 0xb8, 8, 0xfffffffffffff80f },
		{ 0xc0, 8, 0x7ffe0 },
		{ 0xd0, 8, 0xfffffffffffff007 },
		{ 0x48, 8, 0 },
		{ 0x58, 8, 0 },
		{ 0x2a0, 8, 0 },
		{ 0xff8, 8, 0 },
	};
	struct vtd_driver d;

	(void)state;
	vtd_driver_start(&d, 1 << 16, &(struct vtd_config){ 0 });
	for (unsigned i = 0; i < array_len(rows); i++) {
		vtd_write(d.vtd, rows[i].offset, rows[i].width, UINT64_MAX);
		assert_int_equal(vtd_read(d.vtd, rows[i].offset, rows[i].width), rows[i].ones);
	}
	vtd_driver_stop(&d);
}

static void registers_without_their_capability_are_not_there(void **state)
{
	uint64_t cap = field_make(SPEC_VTD_CAP_SAGAW, 2) | field_make(SPEC_VTD_CAP_MGAW, 38) |
		       field_make(SPEC_VTD_CAP_FRO, 0x22);
	static const uint32_t offsets[] = { 0x64, 0x68,	 0x6c,	0x70,  0x78,  0x80, 0x88, 0x90,
					    0x9c, 0xa0,	 0xb0,	0xb8,  0xc0,  0xc8, 0xd0, 0xdc,
					    0xe0, 0x100, 0x108, 0x120, 0x180, 0x230 };
	struct vtd_driver d;

	(void)state;
	vtd_driver_start(
		&d, 1 << 16,
		&(struct vtd_config){ .cap = cap, .ecap = field_make(SPEC_VTD_ECAP_IRO, 0xf) });
	for (unsigned i = 0; i < array_len(offsets); i++) {
		vtd_write(d.vtd, offsets[i], 4, UINT32_MAX);
		assert_int_equal(vtd_read(d.vtd, offsets[i], 4), 0);
	}
	/* And the commands for them do nothing. */
	assert_false(vtd_driver_command(&d, SPEC_VTD_GCMD_QIE, true));
	assert_false(vtd_driver_command(&d, SPEC_VTD_GCMD_IRE, true));
	assert_false(vtd_driver_command(&d, SPEC_VTD_GCMD_SIRTP, true));
	assert_true(vtd_driver_command(&d, SPEC_VTD_GCMD_TE, true));
	vtd_driver_stop(&d);
}

static void halves_and_wholes_are_the_same_register(void **state)
{
	struct vtd_driver d;

	(void)state;
	vtd_driver_start(&d, 1 << 16, &(struct vtd_config){ 0 });
	vtd_write(d.vtd, SPEC_VTD_RTADDR, 4, 0x12345400);
	vtd_write(d.vtd, SPEC_VTD_RTADDR + 4, 4, 0xabcdef);
	assert_int_equal(vtd_read(d.vtd, SPEC_VTD_RTADDR, 8), 0xabcdef12345400);
	vtd_write(d.vtd, SPEC_VTD_RTADDR, 8, 0x5555500077777000);
	assert_int_equal(vtd_read(d.vtd, SPEC_VTD_RTADDR, 4), 0x77777000);
	assert_int_equal(vtd_read(d.vtd, SPEC_VTD_RTADDR + 4, 4), 0x55555000);
	/* Two registers of 32 bits at once. */
	vtd_write(d.vtd, SPEC_VTD_FECTL, 8, 0x1234567800000000);
	assert_int_equal(vtd_read(d.vtd, SPEC_VTD_FECTL, 4), 0);
	assert_int_equal(vtd_read(d.vtd, SPEC_VTD_FEDATA, 4), 0x12345678);
	assert_int_equal(vtd_read(d.vtd, SPEC_VTD_FECTL, 8), 0x1234567800000000);
	vtd_driver_stop(&d);
}

static void unfair_accesses_read_zero_and_write_nothing(void **state)
{
	struct vtd_driver d;

	(void)state;
	vtd_driver_start(&d, 1 << 16, &(struct vtd_config){ 0 });
	vtd_write(d.vtd, SPEC_VTD_RTADDR, 8, 0x1000);
	vtd_write(d.vtd, SPEC_VTD_RTADDR + 4, 8, UINT64_MAX);
	vtd_write(d.vtd, SPEC_VTD_RTADDR + 1, 4, UINT64_MAX);
	vtd_write(d.vtd, SPEC_VTD_RTADDR, 2, UINT64_MAX);
	vtd_write(d.vtd, SPEC_VTD_RTADDR, 1, UINT64_MAX);
	vtd_write(d.vtd, 0x1000, 8, UINT64_MAX);
	vtd_write(d.vtd, UINT32_MAX - 3, 4, UINT64_MAX);
	assert_int_equal(vtd_read(d.vtd, SPEC_VTD_RTADDR, 8), 0x1000);
	assert_int_equal(vtd_read(d.vtd, SPEC_VTD_CAP + 2, 2), 0);
	assert_int_equal(vtd_read(d.vtd, 0x1000, 4), 0);
	assert_int_equal(vtd_read(d.vtd, UINT32_MAX - 7, 8), 0);
	vtd_driver_stop(&d);
}

static void the_root_table_is_taken_by_srtp_and_not_before(void **state)
{
	struct vtd_driver d;
	struct iommu_answer answer;

	(void)state;
	vtd_driver_start(&d, 1 << 20, &(struct vtd_config){ 0 });
	vtd_driver_context(&d, 0x0100, 1 | 2u << 2, vtd_driver_context_high(1, 4));
	vtd_driver_enable(&d, SPEC_VTD_TTM_LEGACY);
	assert_int_equal(vtd_driver_ask(&d, 0x0100, 0x5000, IOMMU_READ).outcome, IOMMU_OK);
	/* Another table, of zeros: nothing changes until SRTP. */
	vtd_driver_write(&d, SPEC_VTD_RTADDR, vtd_driver_page(&d));
	vtd_driver_flush(&d);
	assert_int_equal(vtd_driver_ask(&d, 0x0100, 0x6000, IOMMU_READ).outcome, IOMMU_OK);
	assert_true(vtd_driver_command(&d, SPEC_VTD_GCMD_SRTP, true));
	answer = vtd_driver_ask(&d, 0x0100, 0x6000, IOMMU_READ);
	assert_int_equal(answer.outcome, IOMMU_FAULT);
	assert_int_equal(answer.reason, SPEC_VTD_ROOT_NOT_PRESENT);
	vtd_driver_stop(&d);
}

static void translation_off_lets_every_request_pass(void **state)
{
	struct vtd_driver d;
	struct iommu_answer answer;

	(void)state;
	vtd_driver_start(&d, 1 << 20, &(struct vtd_config){ 0 });
	answer = vtd_driver_ask(&d, 0x0100, 0x123456789000, IOMMU_READ | IOMMU_WRITE);
	assert_int_equal(answer.outcome, IOMMU_OK);
	assert_int_equal(answer.address, 0x123456789000);
	vtd_driver_enable(&d, SPEC_VTD_TTM_LEGACY);
	assert_int_equal(vtd_driver_ask(&d, 0x0100, 0x123456789000, IOMMU_READ).outcome,
			 IOMMU_FAULT);
	assert_true(vtd_driver_command(&d, SPEC_VTD_GCMD_TE, false));
	assert_int_equal(vtd_driver_ask(&d, 0x0100, 0x123456789000, IOMMU_READ).outcome, IOMMU_OK);
	vtd_driver_stop(&d);
}

static void a_mode_is_reported_when_readers_have_left(void **state)
{
	struct vtd_driver d;

	(void)state;
	vtd_driver_start(&d, 1 << 20, &(struct vtd_config){ 0 });
	vtd_reader_enter(d.reader);
	assert_false(vtd_driver_command(&d, SPEC_VTD_GCMD_TE, true));
	assert_int_equal(vtd_poll(d.vtd, 7), 7); /* soon */
	vtd_reader_leave(d.reader);
	assert_int_equal(vtd_poll(d.vtd, 8), UINT64_MAX);
	assert_true(field_is_set(vtd_driver_read(&d, SPEC_VTD_GSTS), SPEC_VTD_GSTS_TES));
	vtd_driver_stop(&d);
}

static void several_commands_at_once_are_all_carried_out(void **state)
{
	struct vtd_driver d;

	(void)state;
	vtd_driver_start(&d, 1 << 20, &(struct vtd_config){ 0 });
	vtd_driver_context(&d, 0x0100, 1 | 2u << 2, vtd_driver_context_high(1, 4));
	vtd_driver_write(&d, SPEC_VTD_RTADDR, d.root);
	vtd_driver_write(&d, SPEC_VTD_GCMD,
			 field_mask(SPEC_VTD_GCMD_TE) | field_mask(SPEC_VTD_GCMD_SRTP));
	assert_int_equal(vtd_driver_read(&d, SPEC_VTD_GSTS),
			 field_mask(SPEC_VTD_GSTS_TES) | field_mask(SPEC_VTD_GSTS_RTPS));
	assert_int_equal(vtd_driver_ask(&d, 0x0100, 0x5000, IOMMU_READ).outcome, IOMMU_OK);
	/* A write without TE switches it off, and RTPS stays. */
	vtd_driver_write(&d, SPEC_VTD_GCMD, 0);
	assert_int_equal(vtd_driver_read(&d, SPEC_VTD_GSTS), field_mask(SPEC_VTD_GSTS_RTPS));
	vtd_driver_stop(&d);
}

static void expect_blocked(struct vtd_driver *d, uint64_t address)
{
	struct iommu_answer answer = vtd_driver_ask(d, 0x0100, address, IOMMU_WRITE);

	assert_int_equal(answer.outcome, IOMMU_SILENT);
	assert_int_equal(answer.completion, IOMMU_UNSUPPORTED_REQUEST);
	assert_int_equal(vtd_driver_read(d, SPEC_VTD_FSTS), 0);
}

static void expect_pass(struct vtd_driver *d, uint64_t address)
{
	struct iommu_answer answer = vtd_driver_ask(d, 0x0100, address, IOMMU_WRITE);

	assert_int_equal(answer.outcome, IOMMU_OK);
	assert_int_equal(answer.address, address);
}

static void protected_memory_is_out_of_reach_without_tables(void **state)
{
	struct vtd_driver d;

	(void)state;
	vtd_driver_start(&d, 1 << 20, &(struct vtd_config){ 0 });
	vtd_driver_write(&d, SPEC_VTD_PLMBASE, 0x00200000);
	vtd_driver_write(&d, SPEC_VTD_PLMLIMIT, 0x00400000); /* to 005fffffh */
	vtd_driver_write(&d, SPEC_VTD_PHMBASE, 0x100000000);
	vtd_driver_write(&d, SPEC_VTD_PHMLIMIT, 0x100000000);
	expect_pass(&d, 0x200000);
	vtd_driver_write(&d, SPEC_VTD_PMEN, field_mask(SPEC_VTD_PMEN_EPM));
	assert_true(field_is_set(vtd_driver_read(&d, SPEC_VTD_PMEN), SPEC_VTD_PMEN_PRS));
	expect_pass(&d, 0x1ff000);
	expect_blocked(&d, 0x200000);
	expect_blocked(&d, 0x5ff000);
	expect_pass(&d, 0x600000);
	expect_pass(&d, 0xfffff000);
	expect_blocked(&d, 0x1001ff000);
	expect_pass(&d, 0x100200000);
	/* Pass-through is no way around it; tables are their own protection. */
	vtd_driver_context(&d, 0x0100, 1 | 2u << 2, vtd_driver_context_high(1, 4));
	vtd_driver_enable(&d, SPEC_VTD_TTM_LEGACY);
	expect_blocked(&d, 0x200000);
	expect_pass(&d, 0x600000);
	vtd_driver_write(&d, SPEC_VTD_PMEN, 0);
	assert_int_equal(vtd_driver_read(&d, SPEC_VTD_PMEN), 0);
	expect_pass(&d, 0x200000);
	vtd_driver_stop(&d);
}

static void a_limit_below_its_base_protects_nothing(void **state)
{
	struct vtd_driver d;

	(void)state;
	vtd_driver_start(&d, 1 << 20, &(struct vtd_config){ 0 });
	vtd_driver_write(&d, SPEC_VTD_PLMBASE, 0x00400000);
	vtd_driver_write(&d, SPEC_VTD_PLMLIMIT, 0x00000000);
	vtd_driver_write(&d, SPEC_VTD_PHMBASE, 0x200000);
	vtd_driver_write(&d, SPEC_VTD_PMEN, field_mask(SPEC_VTD_PMEN_EPM));
	expect_pass(&d, 0x400000);
	expect_pass(&d, 0x0);
	vtd_driver_stop(&d);
}

static void configurations_that_cannot_be_are_refused(void **state)
{
	static const struct {
		uint64_t cap_off, cap_on, ecap_off, ecap_on;
		const char *word;
	} rows[] = {
		{ 0, 7, 0, 0, "ND" },
		{ 0, 8, 0, 0, "advanced" },
		{ 0, 1 << 8, 0, 0, "SAGAW" },
		{ UINT64_C(0x3f) << 16, UINT64_C(20) << 16, 0, 0, "MGAW" },
		{ UINT64_C(0x3f) << 16, UINT64_C(60) << 16, 0, 0, "MGAW" },
		{ 0, UINT64_C(4) << 34, 0, 0, "SSLPS" },
		{ 0, UINT64_C(1) << 61, 0, 0, "ECMDS" },
		{ UINT64_C(0x3ff) << 24, UINT64_C(0x0f) << 24, 0, 0, "FRO" },
		{ UINT64_C(0x3ff) << 24, UINT64_C(0xf9) << 24, 0, 0, "FRO" },
		{ 0, UINT64_C(0xff) << 40, 0, 0, "NFR" },
		{ 0, 0, 0x3ff00, 0x200, "IRO" },
		{ 0, 0, 1 << 1, 0, "QI" },
		{ 0, 0, 1 << 3, 0, "EIM" },
		{ 0, 0, UINT64_C(1) << 43, 0, "SMTS" },
		{ 0, 0, 1 << 2, 0, "DT" },
		{ 0, 0, 0, UINT64_C(1) << 44, "VCS" },
	};
	struct vtd_driver d;

	(void)state;
	vtd_driver_start(&d, 1 << 16, &(struct vtd_config){ 0 });
	for (unsigned i = 0; i < array_len(rows); i++) {
		struct vtd_config config = d.config;
		const char *why;

		config.cap = (config.cap & ~rows[i].cap_off) | rows[i].cap_on;
		config.ecap = (config.ecap & ~rows[i].ecap_off) | rows[i].ecap_on;
		why = vtd_config_check(&config);
		if (!why || !strstr(why, rows[i].word))
			fail_msg("row %u: %s", i, why ? why : "accepted");
	}
	struct vtd_config config = d.config;

	config.memory.replace = NULL;
	assert_non_null(vtd_config_check(&config));
	config = d.config;
	config.invalidate_device = NULL;
	assert_non_null(strstr(vtd_config_check(&config), "invalidate_device"));
	config = d.config;
	config.page_response = NULL;
	assert_non_null(strstr(vtd_config_check(&config), "page_response"));
	config = d.config;
	config.iotlb_sets = 3;
	assert_non_null(strstr(vtd_config_check(&config), "iotlb_sets"));
	config = d.config;
	config.version = 0;
	assert_non_null(strstr(vtd_config_check(&config), "version"));
	config = d.config;
	config.host_width = 60;
	assert_non_null(strstr(vtd_config_check(&config), "host_width"));
	vtd_driver_stop(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_have_their_policy),
		cmocka_unit_test(bits_that_no_field_has_stay_zero),
		cmocka_unit_test(registers_without_their_capability_are_not_there),
		cmocka_unit_test(halves_and_wholes_are_the_same_register),
		cmocka_unit_test(unfair_accesses_read_zero_and_write_nothing),
		cmocka_unit_test(the_root_table_is_taken_by_srtp_and_not_before),
		cmocka_unit_test(translation_off_lets_every_request_pass),
		cmocka_unit_test(a_mode_is_reported_when_readers_have_left),
		cmocka_unit_test(several_commands_at_once_are_all_carried_out),
		cmocka_unit_test(protected_memory_is_out_of_reach_without_tables),
		cmocka_unit_test(a_limit_below_its_base_protects_nothing),
		cmocka_unit_test(configurations_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
