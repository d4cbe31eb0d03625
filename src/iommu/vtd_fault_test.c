/* The primary fault log and the unit's interrupts. */
#include "sim/vtd_driver.h"
#include "tests/check.h"

enum { SOURCE = 0x0108, RECORDS = 8 };

#define MESSAGE_ADDRESS UINT64_C(0x12fee00000)

static void start(struct vtd_driver *d)
{
	vtd_driver_start(d, 1 << 20, &(struct vtd_config){ 0 });
	vtd_driver_write(d, SPEC_VTD_FEDATA, 0x4041);
	vtd_driver_write(d, SPEC_VTD_FEADDR, (uint32_t)MESSAGE_ADDRESS);
	vtd_driver_write(d, SPEC_VTD_FEUADDR, MESSAGE_ADDRESS >> 32);
	vtd_driver_enable(d, SPEC_VTD_TTM_LEGACY);
}

static void fault(struct vtd_driver *d, uint16_t source, uint64_t address, uint8_t access)
{
	assert_int_equal(vtd_driver_ask(d, source, address, access).outcome, IOMMU_FAULT);
}

static uint64_t record(struct vtd_driver *d, unsigned index, uint32_t half)
{
	return vtd_read(d->vtd, 0x220 + index * 16 + half, 8);
}

static void clear(struct vtd_driver *d, unsigned index)
{
	vtd_write(d->vtd, 0x220 + index * 16 + 12, 4, 0x80000000);
}

static uint64_t fsts(struct vtd_driver *d)
{
	return vtd_driver_read(d, SPEC_VTD_FSTS);
}

static void a_fault_is_recorded_with_all_that_is_known(void **state)
{
	struct vtd_driver d;
	uint64_t high;

	(void)state;
	start(&d);
	fault(&d, SOURCE, 0x123456789abc, IOMMU_READ);
	assert_int_equal(fsts(&d), field_mask(SPEC_VTD_FSTS_PPF));
	assert_int_equal(record(&d, 0, 0), 0x123456789000);
	high = record(&d, 0, 8);
	assert_int_equal(high, field_mask(SPEC_VTD_FRCD_1_F) | field_mask(SPEC_VTD_FRCD_1_T1) |
				       field_make(SPEC_VTD_FRCD_1_FR, SPEC_VTD_ROOT_NOT_PRESENT) |
				       SOURCE);
	fault(&d, SOURCE + 1, 0x5000, IOMMU_WRITE | IOMMU_READ);
	high = record(&d, 1, 8);
	assert_false(field_is_set(high, SPEC_VTD_FRCD_1_T1));
	assert_int_equal(field_get(high, SPEC_VTD_FRCD_1_SID), SOURCE + 1);
	vtd_driver_stop(&d);
}

static void a_pasid_is_recorded_when_the_request_has_one(void **state)
{
	struct vtd_driver d;
	uint64_t high;

	(void)state;
	start(&d);
	vtd_driver_request(&d, &(struct iommu_request){ .source = SOURCE,
							.access = IOMMU_READ,
							.pasid = 0xabcde,
							.privileged = true,
							.address = 0x7000 });
	high = record(&d, 0, 8);
	assert_true(field_is_set(high, SPEC_VTD_FRCD_1_PP));
	assert_true(field_is_set(high, SPEC_VTD_FRCD_1_PRIV));
	assert_int_equal(field_get(high, SPEC_VTD_FRCD_1_PV), 0xabcde);
	assert_int_equal(field_get(high, SPEC_VTD_FRCD_1_FR), SPEC_VTD_RTA_LEGACY_PASID);
	/* Without one the field is 0, and so is PP. */
	fault(&d, SOURCE + 1, 0x7000, IOMMU_READ);
	high = record(&d, 1, 8);
	assert_int_equal(field_get(high, SPEC_VTD_FRCD_1_PV), 0);
	assert_false(field_is_set(high, SPEC_VTD_FRCD_1_PP));
	vtd_driver_stop(&d);
}

static void one_source_has_one_pending_record(void **state)
{
	struct vtd_driver d;

	(void)state;
	start(&d);
	for (unsigned i = 0; i < 3; i++)
		fault(&d, SOURCE, 0x1000 * (i + 1), IOMMU_READ);
	assert_int_equal(record(&d, 0, 0), 0x1000);
	assert_int_equal(record(&d, 1, 8), 0);
	clear(&d, 0);
	fault(&d, SOURCE, 0x9000, IOMMU_READ);
	assert_int_equal(record(&d, 1, 0), 0x9000);
	vtd_driver_stop(&d);
}

static void a_full_log_overflows_and_keeps_the_first(void **state)
{
	struct vtd_driver d;

	(void)state;
	start(&d);
	for (unsigned i = 0; i <= RECORDS; i++)
		fault(&d, (uint16_t)(SOURCE + i), 0x1000 * (i + 1), IOMMU_READ);
	assert_int_equal(fsts(&d), field_mask(SPEC_VTD_FSTS_PPF) | field_mask(SPEC_VTD_FSTS_PFO));
	for (unsigned i = 0; i < RECORDS; i++)
		assert_int_equal(record(&d, i, 0), 0x1000 * (i + 1));
	/* While PFO is set nothing is recorded, also where there is room. */
	clear(&d, 0);
	fault(&d, 0x0500, 0xa000, IOMMU_READ);
	assert_int_equal(record(&d, 0, 8) >> 63, 0);
	vtd_driver_write(&d, SPEC_VTD_FSTS, field_mask(SPEC_VTD_FSTS_PFO));
	fault(&d, 0x0600, 0xb000, IOMMU_READ);
	assert_int_equal(record(&d, 0, 0), 0xb000);
	assert_int_equal(fsts(&d), field_mask(SPEC_VTD_FSTS_PPF));
	vtd_driver_stop(&d);
}

static void the_index_names_the_first_pending_record(void **state)
{
	struct vtd_driver d;

	(void)state;
	start(&d);
	fault(&d, SOURCE, 0x1000, IOMMU_READ);
	fault(&d, SOURCE + 1, 0x2000, IOMMU_READ);
	assert_int_equal(field_get(fsts(&d), SPEC_VTD_FSTS_FRI), 0);
	clear(&d, 0);
	assert_true(field_is_set(fsts(&d), SPEC_VTD_FSTS_PPF)); /* the other one */
	clear(&d, 1);
	assert_false(field_is_set(fsts(&d), SPEC_VTD_FSTS_PPF));
	fault(&d, SOURCE, 0x3000, IOMMU_READ);
	assert_int_equal(field_get(fsts(&d), SPEC_VTD_FSTS_FRI), 2);
	/* PPF is not software's to clear. */
	vtd_driver_write(&d, SPEC_VTD_FSTS, UINT32_MAX);
	assert_true(field_is_set(fsts(&d), SPEC_VTD_FSTS_PPF));
	vtd_driver_stop(&d);
}

static void a_masked_interrupt_waits_and_is_sent_once(void **state)
{
	struct vtd_driver d;

	(void)state;
	start(&d);
	fault(&d, SOURCE, 0x1000, IOMMU_READ);
	vtd_poll(d.vtd, 0);
	assert_int_equal(d.interrupt_count, 0);
	assert_int_equal(vtd_driver_read(&d, SPEC_VTD_FECTL),
			 field_mask(SPEC_VTD_FECTL_IM) | field_mask(SPEC_VTD_FECTL_IP));
	vtd_driver_write(&d, SPEC_VTD_FECTL, 0);
	assert_int_equal(d.interrupt_count, 1);
	assert_int_equal(d.interrupts[0].address, MESSAGE_ADDRESS);
	assert_int_equal(d.interrupts[0].data, 0x4041);
	assert_int_equal(vtd_driver_read(&d, SPEC_VTD_FECTL), 0);
	/* With a fault pending another one is no new condition. */
	fault(&d, SOURCE + 1, 0x1000, IOMMU_READ);
	vtd_poll(d.vtd, 0);
	assert_int_equal(d.interrupt_count, 1);
	clear(&d, 0);
	clear(&d, 1);
	fault(&d, SOURCE + 2, 0x1000, IOMMU_READ);
	vtd_poll(d.vtd, 0);
	assert_int_equal(d.interrupt_count, 2);
	vtd_driver_stop(&d);
}

static void serving_the_fault_takes_the_pending_interrupt_back(void **state)
{
	struct vtd_driver d;

	(void)state;
	start(&d);
	fault(&d, SOURCE, 0x1000, IOMMU_READ);
	assert_true(field_is_set(vtd_driver_read(&d, SPEC_VTD_FECTL), SPEC_VTD_FECTL_IP));
	clear(&d, 0);
	assert_false(field_is_set(vtd_driver_read(&d, SPEC_VTD_FECTL), SPEC_VTD_FECTL_IP));
	vtd_driver_write(&d, SPEC_VTD_FECTL, 0);
	assert_int_equal(d.interrupt_count, 0);
	vtd_driver_stop(&d);
}

static void a_reader_wakes_the_control_thread_once(void **state)
{
	struct vtd_driver d;

	(void)state;
	start(&d);
	fault(&d, SOURCE, 0x1000, IOMMU_READ);
	fault(&d, SOURCE + 1, 0x1000, IOMMU_READ);
	fault(&d, SOURCE + 2, 0x1000, IOMMU_READ);
	assert_int_equal(d.wake_count, 1);
	vtd_poll(d.vtd, 0);
	fault(&d, SOURCE + 3, 0x1000, IOMMU_READ);
	assert_int_equal(d.wake_count, 2);
	vtd_driver_stop(&d);
}

static void faults_that_nobody_collects_overflow(void **state)
{
	struct vtd_driver d;
	struct vtd_reader_counts counts;

	(void)state;
	start(&d);
	for (unsigned i = 0; i < 200; i++)
		fault(&d, (uint16_t)i, 0x1000, IOMMU_READ);
	assert_true(field_is_set(fsts(&d), SPEC_VTD_FSTS_PFO));
	vtd_reader_counts(d.reader, &counts);
	assert_int_equal(counts.faults, 200);
	vtd_driver_stop(&d);
}

static void one_source_alone_does_not_overflow_the_log(void **state)
{
	struct vtd_driver d;

	(void)state;
	start(&d);
	for (unsigned i = 0; i < 200; i++)
		fault(&d, SOURCE, 0x1000 * i, IOMMU_READ);
	assert_int_equal(fsts(&d), field_mask(SPEC_VTD_FSTS_PPF));
	fault(&d, SOURCE + 1, 0x5000, IOMMU_READ);
	assert_int_equal(record(&d, 1, 0), 0x5000);
	vtd_driver_stop(&d);
}

static void fault_processing_disable_silences(void **state)
{
	struct vtd_driver d;
	struct iommu_answer answer;

	(void)state;
	start(&d);
	vtd_driver_context(&d, SOURCE, field_mask(SPEC_VTD_CONTEXT_0_FPD), 0);
	answer = vtd_driver_ask(&d, SOURCE, 0x1000, IOMMU_READ);
	assert_int_equal(answer.outcome, IOMMU_SILENT);
	assert_int_equal(answer.reason, SPEC_VTD_CONTEXT_NOT_PRESENT);
	assert_int_equal(fsts(&d), 0);
	vtd_driver_stop(&d);
}

/* Each way in which legacy tables refuse arrives in the log with its reason. */
static void every_reason_of_legacy_tables_reaches_the_log(void **state)
{
	struct vtd_driver d;
	uint64_t root, top;
	uint16_t source = 0x0200;
	unsigned n = 0;

	(void)state;
	start(&d);
	root = vtd_driver_page(&d);
	top = vtd_driver_context_high(3, 3);
	vtd_driver_map(&d, root, 3, &(struct vtd_driver_mapping){ 0x1000, 0x9000, 12, 1 });
	vtd_driver_map(&d, root, 3, &(struct vtd_driver_mapping){ 0x2000, 0x9000, 12, 2 });
	vtd_driver_map(&d, root, 3,
		       &(struct vtd_driver_mapping){ 0x3000, UINT64_C(1) << 50, 12, 3 });
	vtd_driver_map(&d, root, 3, &(struct vtd_driver_mapping){ 0x4000, 0xfee00000, 12, 3 });
	vtd_driver_put(&d, vtd_driver_entry(&d, root, 3, 0x40000000, 3), 0x3fffffff003);
	const struct {
		uint64_t low, high, iova;
		uint8_t access;
		unsigned reason;
	} rows[] = {
		{ 0, 0, 0, IOMMU_READ, SPEC_VTD_CONTEXT_NOT_PRESENT },
		{ root | 1, vtd_driver_context_high(3, 8), 0, IOMMU_READ,
		  SPEC_VTD_CONTEXT_INVALID },
		{ root | 1, top, UINT64_C(1) << 39, IOMMU_READ, SPEC_VTD_ADDRESS_BEYOND_WIDTH },
		{ root | 1, top, 0x1000, IOMMU_WRITE, SPEC_VTD_WRITE_DENIED },
		{ root | 1, top, 0x2000, IOMMU_READ, SPEC_VTD_READ_DENIED },
		{ root | 1, top, 0x40000000, IOMMU_READ, SPEC_VTD_PAGING_ACCESS },
		{ root | 1 | 0x10, top, 0, IOMMU_READ, SPEC_VTD_CONTEXT_RESERVED },
		{ root | 1, top, 0x3000, IOMMU_READ, SPEC_VTD_PAGING_RESERVED },
		{ root | 1, top, 0x4000, IOMMU_READ, SPEC_VTD_INTERRUPT_RANGE },
	};
	for (unsigned i = 0; i < array_len(rows); i++, source++) {
		vtd_driver_context(&d, source, rows[i].low, rows[i].high);
		fault(&d, source, rows[i].iova, rows[i].access);
		n = i % RECORDS;
		assert_true(field_is_set(record(&d, n, 8), SPEC_VTD_FRCD_1_F));
		assert_int_equal(field_get(record(&d, n, 8), SPEC_VTD_FRCD_1_FR), rows[i].reason);
		assert_int_equal(field_get(record(&d, n, 8), SPEC_VTD_FRCD_1_SID), source);
		assert_int_equal(record(&d, n, 0), rows[i].iova);
		clear(&d, n);
	}
	vtd_driver_stop(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_is_recorded_with_all_that_is_known),
		cmocka_unit_test(a_pasid_is_recorded_when_the_request_has_one),
		cmocka_unit_test(one_source_has_one_pending_record),
		cmocka_unit_test(a_full_log_overflows_and_keeps_the_first),
		cmocka_unit_test(the_index_names_the_first_pending_record),
		cmocka_unit_test(a_masked_interrupt_waits_and_is_sent_once),
		cmocka_unit_test(serving_the_fault_takes_the_pending_interrupt_back),
		cmocka_unit_test(a_reader_wakes_the_control_thread_once),
		cmocka_unit_test(faults_that_nobody_collects_overflow),
		cmocka_unit_test(one_source_alone_does_not_overflow_the_log),
		cmocka_unit_test(fault_processing_disable_silences),
		cmocka_unit_test(every_reason_of_legacy_tables_reaches_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
