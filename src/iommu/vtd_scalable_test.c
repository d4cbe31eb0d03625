/* Scalable mode: one test for each row of table 30 that its root, context and PASID entries can
 * meet. */
#include "tests/vtd_world.h"

static void a_request_without_pasid_uses_the_context_entrys(void **state)
{
	struct world world;

	(void)state;
	for (unsigned type = 1; type <= 4; type++) {
		set_up(&world, type);
		expect(&world, type == 4 ? IOVA : PAGE | 0x123);
		assert_int_equal(world.answer.domain, DOMAIN_ID);
		assert_int_equal(world.answer.rights, IOMMU_READ | IOMMU_WRITE);
		assert_int_equal(world.answer.page_shift, type == 4 ? 30 : 12);
	}
	/* Without ECAP.RPS it is PASID 0. */
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	world.tables.ecap &= ~field_mask(SPEC_VTD_ECAP_RPS);
	expect_fault(&world, SPEC_VTD_SMCONTEXT_RESERVED);
	physical_put(&world.physical, context_of(SOURCE) + 8, 0);
	expect_fault(&world, SPEC_VTD_PASIDDIR_NOT_PRESENT);
	put_entry(&world, 0, SPEC_VTD_PGTT_SECOND);
	expect(&world, PAGE | 0x123);
}

static void a_walk_reads_no_more_than_it_must(void **state)
{
	static const unsigned reads[] = { 0, 8, 8, 28, 4 };
	struct world world;

	(void)state;
	for (unsigned type = 1; type <= 4; type++) {
		set_up(&world, type);
		walk(&world);
		assert_int_equal(world.physical.reads, reads[type]);
	}
}

static void functions_from_128_on_use_the_upper_half_of_the_root_entry(void **state)
{
	uint64_t root = ROOT + 0x1a * 16;
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	world.request.source = 0x1a80;
	expect_fault(&world, SPEC_VTD_SMCONTEXT_NOT_PRESENT);
	physical_put(&world.physical, context_of(0x1a80), DIRECTORY | 1);
	physical_put(&world.physical, context_of(0x1a80) + 8, RID);
	expect(&world, PAGE | 0x123);
	expect_with(&world, root, 0, SPEC_VTD_NO_FAULT);
	expect_with(&world, root + 8, UPPER, SPEC_VTD_SMROOT_NOT_PRESENT);
	world.request.source = 0x1aff;
	physical_put(&world.physical, UPPER + 127 * 32, DIRECTORY | 1);
	physical_put(&world.physical, UPPER + 127 * 32 + 8, RID);
	expect(&world, PAGE | 0x123);
}

static void root_entries_fault_as_rows_srt_say(void **state)
{
	uint64_t root = ROOT + 0x1a * 16;
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	for (unsigned bit = 1; bit < 64; bit++) {
		bool reserved = bit < 12 || bit >= 48;

		if (!reserved)
			continue;
		expect_with(&world, root, LOWER | 1 | UINT64_C(1) << bit, SPEC_VTD_SMROOT_RESERVED);
		expect_with(&world, root + 8, UPPER | 1 | UINT64_C(1) << bit,
			    SPEC_VTD_SMROOT_RESERVED);
		/* Of a half that is not present, nothing counts. */
		expect_with(&world, root + 8, UPPER | UINT64_C(1) << bit, SPEC_VTD_NO_FAULT);
	}
	expect_with(&world, root, LOWER, SPEC_VTD_SMROOT_NOT_PRESENT);
	expect_with(&world, root, NOWHERE | 1, SPEC_VTD_SMCONTEXT_ACCESS);
	world.tables.rtaddr = NOWHERE | 1 << 10;
	expect_fault(&world, SPEC_VTD_SMROOT_ACCESS);
}

static void reserved_bits_of_a_context_entry_depend_on_capabilities(void **state)
{
	static const struct {
		unsigned word, bit;
		int needs;
	} bits[] = {
		{ 0, 2, SPEC_VTD_ECAP_DT },      { 0, 3, SPEC_VTD_ECAP_PASID },
		{ 0, 4, SPEC_VTD_ECAP_PRS },     { 0, 5, SPEC_VTD_ECAP_HPTS },
		{ 0, 6, SPEC_VTD_ECAP_PTRS },    { 1, 0, SPEC_VTD_ECAP_RPS },
		{ 1, 20, SPEC_VTD_ECAP_RPRIVS },
	};
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	for (unsigned i = 0; i < array_len(bits); i++)
		for (unsigned has = 0; has < 2; has++) {
			set_up(&world, SPEC_VTD_PGTT_SECOND);
			physical_put(&world.physical, context_of(SOURCE), DIRECTORY | 1);
			physical_put(&world.physical, context_of(SOURCE) + 8, 0);
			physical_put(&world.physical, context_of(SOURCE) + 8 * bits[i].word,
				     (bits[i].word ? 0 : DIRECTORY | 1) | UINT64_C(1)
										  << bits[i].bit);
			world.tables.ecap &= ~field_mask(bits[i].needs);
			if (has)
				world.tables.ecap |= field_mask(bits[i].needs);
			walk(&world);
			assert_int_equal(world.answer.reason == SPEC_VTD_SMCONTEXT_RESERVED, !has);
		}
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	for (unsigned bit = 0; bit < 64; bit++) {
		uint64_t one = UINT64_C(1) << bit;

		if (bit == 7 || bit == 8 || bit >= 48)
			expect_with(&world, context_of(SOURCE), DIRECTORY | 1 | one,
				    SPEC_VTD_SMCONTEXT_RESERVED);
		if (bit > 20)
			expect_with(&world, context_of(SOURCE) + 8, RID | one,
				    SPEC_VTD_SMCONTEXT_RESERVED);
		expect_with(&world, context_of(SOURCE) + 16, one, SPEC_VTD_SMCONTEXT_RESERVED);
		expect_with(&world, context_of(SOURCE) + 24, one, SPEC_VTD_SMCONTEXT_RESERVED);
	}
}

static void a_context_entry_that_contradicts_itself_faults(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	world.tables.ecap |= field_mask(SPEC_VTD_ECAP_PTRS);
	/* PRE without DTE; EPTR without PASIDE. */
	expect_with(&world, context_of(SOURCE), DIRECTORY | 1 << 4 | 1, SPEC_VTD_SMCONTEXT_INVALID);
	expect_with(&world, context_of(SOURCE), DIRECTORY | 1 << 4 | 1 << 2 | 1, SPEC_VTD_NO_FAULT);
	expect_with(&world, context_of(SOURCE), DIRECTORY | 1 << 6 | 1, SPEC_VTD_SMCONTEXT_INVALID);
	expect_with(&world, context_of(SOURCE), DIRECTORY | 1 << 6 | 1 << 3 | 1, SPEC_VTD_NO_FAULT);
	/* A directory of 128 entries ends at PASID 8192. */
	expect_with(&world, context_of(SOURCE) + 8, 8191, SPEC_VTD_PASIDDIR_NOT_PRESENT);
	expect_with(&world, context_of(SOURCE) + 8, 8192, SPEC_VTD_SMCONTEXT_INVALID);
	physical_put(&world.physical, context_of(SOURCE), DIRECTORY | 1 << 9 | 1);
	expect_with(&world, context_of(SOURCE) + 8, 8192, SPEC_VTD_PASIDDIR_NOT_PRESENT);
}

static void a_request_with_pasid_uses_its_own_entry(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_PASS_THROUGH);
	world.request.pasid = PASID;
	expect_fault(&world, SPEC_VTD_PASIDDIR_NOT_PRESENT);
	put_entry(&world, PASID, SPEC_VTD_PGTT_SECOND);
	expect(&world, PAGE | 0x123);
	expect_with(&world, context_of(SOURCE), DIRECTORY | 1, SPEC_VTD_SMCONTEXT_PASIDE);
	world.request.pasid = 8192;
	expect_fault(&world, SPEC_VTD_SMCONTEXT_PDTS);
	world.request.pasid = RID;
	expect_fault(&world, SPEC_VTD_SMCONTEXT_RID_PASID);
	world.request.pasid = PASID;
	world.tables.ecap = field_put(world.tables.ecap, SPEC_VTD_ECAP_PSS, 6);
	expect_fault(&world, SPEC_VTD_SM_PASID_SIZE);
	/* In the interrupt range it is a request like any other. */
	world.tables.ecap = field_put(world.tables.ecap, SPEC_VTD_ECAP_PSS, 19);
	world.request.address = UINT64_C(0xfee00000);
	expect_fault(&world, SPEC_VTD_SS_NOT_PRESENT);
	put_entry(&world, PASID, SPEC_VTD_PGTT_PASS_THROUGH);
	expect_fault(&world, SPEC_VTD_SM_INTERRUPT_RANGE);
}

static void requests_with_an_address_type_need_dte(void **state)
{
	struct world world;

	(void)state;
	for (unsigned type = 1; type < 3; type++) {
		set_up(&world, SPEC_VTD_PGTT_SECOND);
		world.request.type = (uint8_t)type;
		expect(&world, type == 2 ? IOVA : PAGE | 0x123);
		/* A translated request bypasses the PASID tables. */
		assert_int_equal(world.physical.reads, type == 2 ? 2 : 8);
		expect_with(&world, context_of(SOURCE), DIRECTORY | 1, SPEC_VTD_SMCONTEXT_DTE);
		assert_int_equal(world.answer.completion, IOMMU_UNSUPPORTED_REQUEST);
	}
	world.request.address = UINT64_C(1) << 48;
	expect_fault(&world, SPEC_VTD_SM_BEYOND_HOST_WIDTH);
	world.request.address = UINT64_C(0xfee00000);
	expect_fault(&world, SPEC_VTD_SM_INTERRUPT_RANGE);
	world.request.pasid = PASID;
	expect_fault(&world, SPEC_VTD_SMCONTEXT_EPTR);
	world.tables.ecap |= field_mask(SPEC_VTD_ECAP_PTRS);
	world.request.address = IOVA;
	physical_put(&world.physical, context_of(SOURCE), DIRECTORY | 1 << 6 | 1 << 3 | 1 << 2 | 1);
	expect(&world, IOVA);
}

static void directory_entries_fault_as_rows_spd_say(void **state)
{
	uint64_t entry = DIRECTORY + (RID >> 6) * 8;
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	expect_with(&world, context_of(SOURCE), NOWHERE | 1, SPEC_VTD_PASIDDIR_ACCESS);
	expect_with(&world, entry, PASIDS, SPEC_VTD_PASIDDIR_NOT_PRESENT);
	expect_with(&world, entry, NOWHERE | 1, SPEC_VTD_PASID_ACCESS);
	for (unsigned bit = 2; bit < 64; bit++)
		if (bit < 12 || bit >= 48)
			expect_with(&world, entry, PASIDS | 1 | UINT64_C(1) << bit,
				    SPEC_VTD_PASIDDIR_RESERVED);
}

static void reserved_bits_of_a_pasid_entry_depend_on_capabilities(void **state)
{
	static const struct {
		unsigned word, bit;
		int needs; /* -1: always reserved */
	} bits[] = {
		{ 0, 5, -1 },
		{ 0, 10, -1 },
		{ 0, 11, -1 },
		{ 0, 48, -1 },
		{ 0, 9, SPEC_VTD_ECAP_SSADS },
		{ 0, 12, SPEC_VTD_ECAP_SSTS },
		{ 1, 16, -1 },
		{ 1, 22, -1 },
		{ 1, 23, SPEC_VTD_ECAP_SMPWCS },
		{ 1, 24, SPEC_VTD_ECAP_SC },
		{ 1, 25, SPEC_VTD_ECAP_MTS },
		{ 1, 26, SPEC_VTD_ECAP_MTS },
		{ 1, 27, -1 },
		{ 1, 31, -1 },
		{ 1, 32, SPEC_VTD_ECAP_MTS },
		{ 1, 63, SPEC_VTD_ECAP_MTS },
		{ 2, 0, SPEC_VTD_ECAP_SRS },
		{ 2, 1, SPEC_VTD_ECAP_ERS },
		{ 2, 2, SPEC_VTD_ECAP_FSTS },
		{ 2, 4, SPEC_VTD_ECAP_FSTS },
		{ 2, 7, SPEC_VTD_ECAP_EAFS },
		{ 2, 8, -1 },
		{ 2, 11, -1 },
		{ 2, 12, SPEC_VTD_ECAP_FSTS },
		{ 2, 48, -1 },
		{ 3, 0, -1 },
		{ 3, 63, -1 },
		{ 4, 0, SPEC_VTD_ECAP_HPTS },
		{ 4, 2, SPEC_VTD_ECAP_HPTS },
		{ 4, 3, -1 },
		{ 4, 12, SPEC_VTD_ECAP_HPTS },
		{ 4, 63, -1 },
		{ 5, 0, SPEC_VTD_ECAP_HPTS },
		{ 5, 16, -1 },
		{ 6, 0, -1 },
		{ 7, 63, -1 },
	};
	struct world world;

	(void)state;
	for (unsigned i = 0; i < array_len(bits); i++)
		for (unsigned has = 0; has < 2; has++) {
			uint64_t address;

			/* A pass-through entry needs none of the pointers. */
			set_up(&world, SPEC_VTD_PGTT_PASS_THROUGH);
			for (unsigned word = 0; word < 8; word++)
				physical_put(&world.physical, world.entry + 8 * word, 0);
			physical_put(&world.physical, world.entry, 4 << 6 | 1);
			address = world.entry + 8 * bits[i].word;
			physical_put(&world.physical, address,
				     physical_get(&world.physical, address) |
					     UINT64_C(1) << bits[i].bit);
			if (bits[i].needs >= 0) {
				world.tables.ecap &= ~field_mask(bits[i].needs);
				if (has)
					world.tables.ecap |= field_mask(bits[i].needs);
			}
			walk(&world);
			assert_int_equal(world.answer.reason,
					 has && bits[i].needs >= 0 ? 0 : SPEC_VTD_PASID_RESERVED);
		}
	/* NXE and SMEP of revision 3 are ignored. */
	set_up(&world, SPEC_VTD_PGTT_FIRST);
	physical_put(&world.physical, world.entry + 16, F4 | 3 << 5);
	expect(&world, PAGE | 0x123);
	/* A first-stage entry with AW, in a unit that has no second stage. */
	world.tables.ecap &= ~(field_mask(SPEC_VTD_ECAP_SSTS) | field_mask(SPEC_VTD_ECAP_NEST));
	physical_put(&world.physical, world.entry, 1 << 6 | 2 << 2 | 1);
	expect(&world, PAGE | 0x123);
	physical_put(&world.physical, world.entry, S4 | 1 << 6 | 2 << 2 | 1);
	expect_fault(&world, SPEC_VTD_PASID_RESERVED);
	physical_put(&world.physical, world.entry, 1 << 6 | 2 << 2 | 1);
	/* CAP.ND = 2: domain identifiers of 8 bits. */
	world.tables.cap = (world.tables.cap & ~UINT64_C(7)) | 2;
	expect_fault(&world, SPEC_VTD_PASID_RESERVED);
}

static void a_pasid_entry_must_be_programmed_for_this_unit(void **state)
{
	static const int needs[] = { -1, SPEC_VTD_ECAP_FSTS, SPEC_VTD_ECAP_SSTS, SPEC_VTD_ECAP_NEST,
				     SPEC_VTD_ECAP_PT };
	struct world world;

	(void)state;
	for (unsigned type = 0; type < 8; type++) {
		set_up(&world, SPEC_VTD_PGTT_SECOND);
		if (type == 0 || type > 4) {
			expect_with(&world, world.entry, S4 | type << 6 | 2 << 2 | 1,
				    SPEC_VTD_PASID_INVALID);
			continue;
		}
		set_up(&world, type);
		/* Without the fields that the missing capability makes reserved. */
		world.tables.ecap &= ~field_mask(needs[type]);
		if (type == SPEC_VTD_PGTT_FIRST)
			physical_put(&world.physical, world.entry + 16, 0);
		if (type == SPEC_VTD_PGTT_SECOND)
			physical_put(&world.physical, world.entry, type << 6 | 1);
		expect_fault(&world, SPEC_VTD_PASID_INVALID);
	}
	/* The address width counts for types that use it. */
	for (unsigned type = 1; type <= 4; type++)
		for (unsigned aw = 0; aw < 8; aw++) {
			bool uses = type == SPEC_VTD_PGTT_SECOND || type == SPEC_VTD_PGTT_NESTED;

			set_up(&world, type);
			physical_put(&world.physical, world.entry, S4 | type << 6 | aw << 2 | 1);
			walk(&world);
			assert_int_equal(world.answer.reason == SPEC_VTD_PASID_INVALID,
					 uses && (aw < 1 || aw > 3));
		}
	/* So does the first stage's paging mode. */
	for (unsigned type = 1; type <= 4; type++)
		for (unsigned mode = 0; mode < 4; mode++) {
			bool uses = type == SPEC_VTD_PGTT_FIRST || type == SPEC_VTD_PGTT_NESTED;

			set_up(&world, type);
			physical_put(&world.physical, world.entry + 16,
				     physical_get(&world.physical, world.entry + 16) | mode << 2);
			walk(&world);
			assert_int_equal(world.answer.reason == SPEC_VTD_PASID_INVALID,
					 uses && mode > 1);
			world.tables.cap &= ~field_mask(SPEC_VTD_CAP_FS5LP);
			walk(&world);
			assert_int_equal(world.answer.reason == SPEC_VTD_PASID_INVALID,
					 uses && mode > 0);
		}
	/* A nested first-stage pointer must fit the second stage. */
	set_up(&world, SPEC_VTD_PGTT_NESTED);
	physical_put(&world.physical, world.entry, S3 | 3 << 6 | 1 << 2 | 1);
	expect_with(&world, world.entry + 16, UINT64_C(1) << 39, SPEC_VTD_PASID_INVALID);
	expect_with(&world, world.entry, S4 | 2 << 6 | 2 << 2, SPEC_VTD_PASID_NOT_PRESENT);
}

static void supervisor_requests_need_sre(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	put_entry(&world, PASID, SPEC_VTD_PGTT_FIRST);
	world.request.pasid = PASID;
	world.request.privileged = true;
	expect_fault(&world, SPEC_VTD_PASID_SRE);
	physical_put(&world.physical, world.entry + 16, F4 | 1);
	expect(&world, PAGE | 0x123);
	/* RID_PRIV makes requests without PASID privileged, and their own flag does not. */
	world.request.pasid = IOMMU_NO_PASID;
	expect(&world, PAGE | 0x123);
	physical_put(&world.physical, context_of(SOURCE) + 8, RID | 1 << 20);
	expect_fault(&world, SPEC_VTD_PASID_SRE);
}

static void execute_requests_are_refused_by_units_of_today(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	put_entry(&world, PASID, SPEC_VTD_PGTT_FIRST);
	world.request.pasid = PASID;
	world.request.access = IOMMU_READ | IOMMU_EXECUTE;
	expect_fault(&world, SPEC_VTD_PASID_EXECUTE);
	world.tables.version = 0x80;
	expect_fault(&world, SPEC_VTD_RTA_EXECUTE);
	world.request.pasid = IOMMU_NO_PASID;
	expect(&world, PAGE | 0x123);
}

static void execute_requests_of_revision_3_obey_ere_nxe_and_smep(void **state)
{
	const uint64_t ere = 1 << 1, nxe = 1 << 5, smep = 1 << 6, sre = 1;
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	put_entry(&world, PASID, SPEC_VTD_PGTT_FIRST);
	world.tables.ecap |= field_mask(SPEC_VTD_ECAP_ERS);
	world.request.pasid = PASID;
	world.request.access = IOMMU_READ | IOMMU_EXECUTE;
	expect_fault(&world, SPEC_VTD_PASID_EXECUTE);
	physical_put(&world.physical, world.entry + 16, F4 | ere);
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.answer.rights, IOMMU_READ | IOMMU_WRITE | IOMMU_EXECUTE);
	physical_put(&world.physical, at(F1, IOVA, 1), PAGE | PRESENT | UINT64_C(1) << 63);
	expect(&world, PAGE | 0x123);
	physical_put(&world.physical, world.entry + 16, F4 | ere | nxe);
	expect_fault(&world, SPEC_VTD_EXECUTE_DENIED);
	physical_put(&world.physical, at(F1, IOVA, 1), PAGE | PRESENT);
	expect(&world, PAGE | 0x123);
	world.request.privileged = true;
	physical_put(&world.physical, world.entry + 16, F4 | ere | sre | smep);
	expect_fault(&world, SPEC_VTD_EXECUTE_DENIED);
	physical_put(&world.physical, at(F2, IOVA, 2), F1 | 3);
	expect(&world, PAGE | 0x123);
}

static void pass_through_is_limited_by_the_host_width(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_PASS_THROUGH);
	world.request.address = UINT64_C(1) << 48;
	expect_fault(&world, SPEC_VTD_SM_BEYOND_HOST_WIDTH);
	world.request.type = IOMMU_TRANSLATION_REQUEST;
	walk(&world);
	assert_int_equal(world.answer.outcome, IOMMU_OK);
	assert_int_equal(world.answer.rights, 0);
	world.tables.host_width = 39;
	world.request.address = UINT64_C(1) << 39;
	world.request.type = IOMMU_UNTRANSLATED;
	physical_put(&world.physical, world.entry, 4 << 6 | 1);
	expect_fault(&world, SPEC_VTD_SM_BEYOND_HOST_WIDTH);
}

static void translation_requests_succeed_without_rights_where_table_30_says_so(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SPEC_VTD_PGTT_NESTED);
	world.request.type = IOMMU_TRANSLATION_REQUEST;
	world.request.access = IOMMU_READ | IOMMU_WRITE;
	physical_put(&world.physical, at(S1, GPAGE, 1), PAGE | 1);
	expect(&world, PAGE | 0x123);
	assert_int_equal(world.answer.rights, IOMMU_READ);
	/* Not present, reserved, and beyond are all "no rights" in the first stage. */
	expect_with(&world, at(F1, IOVA, 1), 0, SPEC_VTD_NO_FAULT);
	assert_int_equal(world.answer.rights, 0);
	expect_with(&world, at(F1, IOVA, 1), GPAGE | PRESENT | UINT64_C(1) << 50,
		    SPEC_VTD_NO_FAULT);
	assert_int_equal(world.answer.rights, 0);
	expect_with(&world, world.entry, 0, SPEC_VTD_NO_FAULT);
	assert_int_equal(world.answer.rights, 0);
	/* Reserved bits of the second stage and of the PASID entry abort. */
	expect_with(&world, at(S1, GPAGE, 1), PAGE | RW | UINT64_C(1) << 50, SPEC_VTD_SS_RESERVED);
	assert_int_equal(world.answer.completion, IOMMU_COMPLETER_ABORT);
	expect_with(&world, world.entry, S4 | 3 << 6 | 2 << 2 | 1 << 5 | 1,
		    SPEC_VTD_PASID_RESERVED);
	assert_int_equal(world.answer.completion, IOMMU_COMPLETER_ABORT);
}

static void fault_processing_disable_works_at_each_table(void **state)
{
	struct world world;
	uint64_t places[3];

	(void)state;
	for (unsigned place = 0; place < 3; place++) {
		set_up(&world, SPEC_VTD_PGTT_SECOND);
		places[0] = context_of(SOURCE);
		places[1] = DIRECTORY + (RID >> 6) * 8;
		places[2] = world.entry;
		physical_put(&world.physical, places[place],
			     physical_get(&world.physical, places[place]) | 2);
		expect(&world, PAGE | 0x123);
		physical_put(&world.physical, at(S1, IOVA, 1), 0);
		walk(&world);
		assert_int_equal(world.answer.outcome, IOMMU_SILENT);
		assert_int_equal(world.answer.reason, SPEC_VTD_SS_NOT_PRESENT);
		/* It counts in an entry that is not present, too. */
		physical_put(&world.physical, places[place], 2);
		walk(&world);
		assert_int_equal(world.answer.outcome, IOMMU_SILENT);
	}
	/* What is met before it is told; so is what no setting can silence. */
	set_up(&world, SPEC_VTD_PGTT_SECOND);
	physical_put(&world.physical, context_of(SOURCE), NOWHERE | 3);
	expect_fault(&world, SPEC_VTD_PASIDDIR_ACCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_without_pasid_uses_the_context_entrys),
		cmocka_unit_test(a_walk_reads_no_more_than_it_must),
		cmocka_unit_test(functions_from_128_on_use_the_upper_half_of_the_root_entry),
		cmocka_unit_test(root_entries_fault_as_rows_srt_say),
		cmocka_unit_test(reserved_bits_of_a_context_entry_depend_on_capabilities),
		cmocka_unit_test(a_context_entry_that_contradicts_itself_faults),
		cmocka_unit_test(a_request_with_pasid_uses_its_own_entry),
		cmocka_unit_test(requests_with_an_address_type_need_dte),
		cmocka_unit_test(directory_entries_fault_as_rows_spd_say),
		cmocka_unit_test(reserved_bits_of_a_pasid_entry_depend_on_capabilities),
		cmocka_unit_test(a_pasid_entry_must_be_programmed_for_this_unit),
		cmocka_unit_test(supervisor_requests_need_sre),
		cmocka_unit_test(execute_requests_are_refused_by_units_of_today),
		cmocka_unit_test(execute_requests_of_revision_3_obey_ere_nxe_and_smep),
		cmocka_unit_test(pass_through_is_limited_by_the_host_width),
		cmocka_unit_test(
			translation_requests_succeed_without_rights_where_table_30_says_so),
		cmocka_unit_test(fault_processing_disable_works_at_each_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
