/* ATS and PRI: translation requests, what a device says it has translated, its invalidations, page
 * requests. */
#include "sim/vtd_driver.h"
#include "tests/check.h"

enum { TRUSTED = 0x0100, OTHER = 0x0101, DOMAIN_ID = 4, SECOND = 1000000000 };

struct fixture {
	struct vtd_driver d;
	uint64_t root;
};

static void start(struct fixture *f, const struct vtd_config *config)
{
	vtd_driver_start(&f->d, 1 << 21, config);
	f->root = vtd_driver_page(&f->d);
	vtd_driver_map(&f->d, f->root, 4,
		       &(struct vtd_driver_mapping){ 0x1000, 0x80001000, 12, 3 });
	vtd_driver_map(&f->d, f->root, 4,
		       &(struct vtd_driver_mapping){ 0x2000, 0x80002000, 12, 1 });
	vtd_driver_context(&f->d, TRUSTED,
			   f->root | 1 | field_make(SPEC_VTD_CONTEXT_0_TT, SPEC_VTD_TT_ALL),
			   vtd_driver_context_high(DOMAIN_ID, 4));
	vtd_driver_context(&f->d, OTHER, f->root | 1, vtd_driver_context_high(DOMAIN_ID, 4));
	vtd_driver_enable(&f->d, SPEC_VTD_TTM_LEGACY);
}

static struct iommu_answer ask(struct fixture *f, uint16_t source, unsigned type, uint64_t address)
{
	return vtd_driver_request(&f->d,
				  &(struct iommu_request){ .source = source,
							   .type = (uint8_t)type,
							   .access = IOMMU_READ | IOMMU_WRITE,
							   .pasid = IOMMU_NO_PASID,
							   .address = address });
}

static void drop(struct fixture *f, uint16_t source, uint64_t address)
{
	vtd_driver_submit(&f->d,
			  SPEC_VTD_QI_DEVICE_TLB | field_make(SPEC_VTD_QI_DEVICE_0_SID, source),
			  address);
}

static const struct iommu_device_invalidation *last(const struct fixture *f)
{
	return &f->d.invalidations[(f->d.invalidation_count - 1) % VTD_DRIVER_LOG];
}

static void translation_requests_say_what_is_allowed(void **state)
{
	struct iommu_answer answer;
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	answer = ask(&f, TRUSTED, IOMMU_TRANSLATION_REQUEST, 0x1000);
	assert_int_equal(answer.outcome, IOMMU_OK);
	assert_int_equal(answer.rights, IOMMU_READ | IOMMU_WRITE);
	assert_int_equal(answer.address, 0x80001000);
	answer = ask(&f, TRUSTED, IOMMU_TRANSLATION_REQUEST, 0x2000);
	assert_int_equal(answer.rights, IOMMU_READ);
	/* Nothing there: success without rights, and no fault. */
	answer = ask(&f, TRUSTED, IOMMU_TRANSLATION_REQUEST, 0x5000);
	assert_int_equal(answer.outcome, IOMMU_OK);
	assert_int_equal(answer.rights, 0);
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_FSTS), 0);
	vtd_driver_stop(&f.d);
}

static void only_trusted_functions_translate_themselves(void **state)
{
	struct iommu_answer answer;
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	for (unsigned again = 0; again < 2; again++) {
		answer = ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001234);
		assert_int_equal(answer.outcome, IOMMU_OK);
		assert_int_equal(answer.address, 0x80001234);
		answer = ask(&f, OTHER, IOMMU_TRANSLATED, 0x80001234);
		assert_int_equal(answer.outcome, IOMMU_FAULT);
		assert_int_equal(answer.reason, SPEC_VTD_CONTEXT_BLOCKED);
		answer = ask(&f, OTHER, IOMMU_TRANSLATION_REQUEST, 0x1000);
		assert_int_equal(answer.outcome, IOMMU_FAULT);
	}
	vtd_driver_stop(&f.d);
}

static void a_reserved_address_type_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	assert_int_equal(ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001234).outcome, IOMMU_OK);
	for (unsigned type = 3; type < 256; type++)
		assert_int_equal(ask(&f, TRUSTED, type, 0x80001234).outcome, IOMMU_SILENT);
	vtd_driver_stop(&f.d);
}

static void trust_taken_from_the_context_entry_ends_with_its_invalidation(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	assert_int_equal(ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001000).outcome, IOMMU_OK);
	vtd_driver_context(&f.d, TRUSTED, f.root | 1, vtd_driver_context_high(DOMAIN_ID, 4));
	vtd_driver_submit(
		&f.d, SPEC_VTD_QI_CONTEXT | 3 << 4 | DOMAIN_ID << 16 | (uint64_t)TRUSTED << 32, 0);
	assert_true(vtd_driver_wait(&f.d));
	assert_int_equal(ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001000).outcome, IOMMU_FAULT);
	vtd_driver_stop(&f.d);
}

static void a_function_is_not_believed_while_it_is_invalidated(void **state)
{
	struct iommu_answer answer;
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	drop(&f, TRUSTED, 0x1000);
	assert_int_equal(f.d.invalidation_count, 1);
	assert_int_equal(last(&f)->address, 0x1000);
	assert_int_equal(last(&f)->size, 0x1000);
	assert_int_equal(last(&f)->pasid, IOMMU_NO_PASID);
	answer = ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001000);
	assert_int_equal(answer.outcome, IOMMU_FAULT);
	assert_int_equal(answer.reason, SPEC_VTD_CONTEXT_BLOCKED);
	/* Untranslated requests go on. */
	assert_int_equal(ask(&f, TRUSTED, IOMMU_UNTRANSLATED, 0x1000).outcome, IOMMU_OK);
	vtd_device_tlb_done(f.d.vtd, TRUSTED, 1u << last(&f)->itag, 1);
	assert_int_equal(ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001000).outcome, IOMMU_OK);
	vtd_driver_stop(&f.d);
}

static void the_specifications_own_trust_can_be_had(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ .trust = IOMMU_TRUST_ENTRY });
	drop(&f, TRUSTED, 0x1000);
	assert_int_equal(ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001000).outcome, IOMMU_OK);
	vtd_driver_stop(&f.d);
}

static void a_wait_is_complete_when_the_devices_have_answered(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	drop(&f, TRUSTED, 0x1000);
	drop(&f, TRUSTED, 0x2000);
	assert_false(vtd_driver_wait(&f.d));
	assert_int_equal(f.d.invalidations[0].itag, 0);
	assert_int_equal(f.d.invalidations[1].itag, 1);
	vtd_device_tlb_done(f.d.vtd, TRUSTED, 1 << 1, 1);
	assert_false(vtd_driver_waited(&f.d));
	vtd_device_tlb_done(f.d.vtd, TRUSTED, 1 << 0, 1);
	assert_true(vtd_driver_waited(&f.d));
	vtd_driver_stop(&f.d);
}

static void all_completions_of_an_invalidation_are_counted(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	drop(&f, TRUSTED, 0x1000);
	drop(&f, TRUSTED, 0x2000);
	vtd_driver_wait(&f.d);
	for (unsigned i = 0; i < 3; i++) {
		assert_false(vtd_driver_waited(&f.d));
		vtd_device_tlb_done(f.d.vtd, TRUSTED, 3, 3); /* both ITags in one message */
	}
	assert_true(vtd_driver_waited(&f.d));
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_FSTS), 0);
	vtd_driver_stop(&f.d);
}

static void a_device_is_told_when_readers_have_let_go(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	vtd_reader_enter(f.d.reader);
	vtd_driver_submit(&f.d, SPEC_VTD_QI_IOTLB | 1 << 4, 0);
	drop(&f, TRUSTED, 0x1000);
	assert_int_equal(f.d.invalidation_count, 0);
	vtd_reader_leave(f.d.reader);
	vtd_poll(f.d.vtd, 0);
	assert_int_equal(f.d.invalidation_count, 1);
	vtd_driver_stop(&f.d);
}

static void a_request_let_pass_before_an_invalidation_is_waited_for(void **state)
{
	struct iommu_answer answer;
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	vtd_reader_enter(f.d.reader);
	vtd_translate(f.d.reader,
		      &(struct iommu_request){ .source = TRUSTED,
					       .type = IOMMU_TRANSLATED,
					       .access = IOMMU_READ,
					       .pasid = IOMMU_NO_PASID,
					       .address = 0x80001000 },
		      &answer);
	assert_int_equal(answer.outcome, IOMMU_OK);
	drop(&f, TRUSTED, 0x1000); /* nothing before it, so it is sent at once */
	assert_int_equal(f.d.invalidation_count, 1);
	vtd_driver_wait(&f.d);
	vtd_device_tlb_done(f.d.vtd, TRUSTED, 1u << last(&f)->itag, 1);
	assert_false(vtd_driver_waited(&f.d));
	vtd_reader_leave(f.d.reader);
	vtd_poll(f.d.vtd, 0);
	assert_true(vtd_driver_waited(&f.d));
	vtd_driver_stop(&f.d);
}

static void no_more_is_pending_than_the_device_can_take(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	for (unsigned i = 0; i < 4; i++)
		vtd_driver_submit(&f.d,
				  SPEC_VTD_QI_DEVICE_TLB | field_make(SPEC_VTD_QI_DEVICE_0_MIP, 2) |
					  field_make(SPEC_VTD_QI_DEVICE_0_SID, TRUSTED),
				  i * UINT64_C(0x1000));
	assert_int_equal(f.d.invalidation_count, 2);
	vtd_device_tlb_done(f.d.vtd, TRUSTED, 1, 1);
	assert_int_equal(f.d.invalidation_count, 3);
	vtd_driver_stop(&f.d);
	/* All 32 ITags in use: the queue waits for one. */
	start(&f, &(struct vtd_config){ 0 });
	for (unsigned i = 0; i < 40; i++)
		drop(&f, TRUSTED, i * UINT64_C(0x1000));
	assert_int_equal(f.d.invalidation_count, 32);
	vtd_device_tlb_done(f.d.vtd, TRUSTED, UINT32_MAX, 1);
	assert_int_equal(f.d.invalidation_count, 40);
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_FSTS), 0);
	vtd_driver_stop(&f.d);
}

static void sizes_are_in_the_address(void **state)
{
	static const struct {
		uint64_t word, address, size;
	} rows[] = {
		{ 0x1000, 0x1000, 0x1000 },
		{ 0x1001, 0x0, 0x4000 }, /* S: bit 12 set, bit 13 clear */
		{ 0x2001, 0x2000, 0x2000 },
		{ 0x000000000ffff001, 0x0, 0x20000000 },
		{ 0x7ffffffffffff001, 0, 0 },
		{ 0xfffffffffffff001, 0, 0 },
	};
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	for (unsigned i = 0; i < array_len(rows); i++) {
		drop(&f, TRUSTED, rows[i].word);
		if (last(&f)->address != rows[i].address || last(&f)->size != rows[i].size)
			fail_msg("row %u: %" PRIx64 " %" PRIx64, i, last(&f)->address,
				 last(&f)->size);
	}
	vtd_driver_stop(&f.d);
}

static void a_wrong_completion_is_an_error(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	drop(&f, TRUSTED, 0x1000);
	vtd_device_tlb_done(f.d.vtd, OTHER, 1, 1); /* not its ITag */
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_FSTS), field_mask(SPEC_VTD_FSTS_ICE));
	assert_int_equal(field_get(vtd_driver_read(&f.d, SPEC_VTD_IQERCD), SPEC_VTD_IQERCD_ICESID),
			 OTHER);
	assert_int_equal(ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001000).outcome, IOMMU_FAULT);
	vtd_driver_write(&f.d, SPEC_VTD_FSTS, field_mask(SPEC_VTD_FSTS_ICE));
	vtd_device_tlb_done(f.d.vtd, TRUSTED, 1, 1);
	vtd_device_tlb_done(f.d.vtd, TRUSTED, 1, 1); /* once too often */
	assert_true(field_is_set(vtd_driver_read(&f.d, SPEC_VTD_FSTS), SPEC_VTD_FSTS_ICE));
	assert_int_equal(field_get(vtd_driver_read(&f.d, SPEC_VTD_IQERCD), SPEC_VTD_IQERCD_ICESID),
			 TRUSTED);
	vtd_driver_stop(&f.d);
}

/* Sends an invalidation that nobody answers; time passes. */
static void let_time_out(struct fixture *f, uint64_t address)
{
	drop(f, TRUSTED, address);
	f->d.now_ns += SECOND;
	assert_int_equal(vtd_poll(f->d.vtd, f->d.now_ns), f->d.now_ns + 90 * (uint64_t)SECOND);
	f->d.now_ns += 90 * (uint64_t)SECOND;
	vtd_poll(f->d.vtd, f->d.now_ns);
}

static void a_device_that_does_not_answer_times_out(void **state)
{
	struct fixture f;
	uint64_t head;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	drop(&f, TRUSTED, 0x1000);
	assert_false(vtd_driver_wait(&f.d));
	head = vtd_driver_read(&f.d, SPEC_VTD_IQT);
	assert_int_equal(vtd_poll(f.d.vtd, 1), 1 + 90 * (uint64_t)SECOND);
	vtd_poll(f.d.vtd, 90 * (uint64_t)SECOND);
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_FSTS), 0);
	vtd_poll(f.d.vtd, 1 + 90 * (uint64_t)SECOND);
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_FSTS), field_mask(SPEC_VTD_FSTS_ITE));
	assert_int_equal(field_get(vtd_driver_read(&f.d, SPEC_VTD_IQERCD), SPEC_VTD_IQERCD_ITESID),
			 TRUSTED);
	/* The wait is gone, and nothing more is fetched until software clears the error. */
	assert_false(vtd_driver_waited(&f.d));
	vtd_driver_submit(&f.d, SPEC_VTD_QI_IOTLB | 1 << 4, 0);
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_IQH), head);
	vtd_driver_write(&f.d, SPEC_VTD_FSTS, field_mask(SPEC_VTD_FSTS_ITE));
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_IQH), vtd_driver_read(&f.d, SPEC_VTD_IQT));
	assert_false(vtd_driver_waited(&f.d));
	assert_true(vtd_driver_wait(&f.d));
	vtd_driver_stop(&f.d);
}

static void after_a_time_out_trust_comes_back_with_a_drop_that_covers_it(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	let_time_out(&f, 0x5000);
	vtd_driver_write(&f.d, SPEC_VTD_FSTS, field_mask(SPEC_VTD_FSTS_ITE));
	assert_int_equal(ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001000).outcome, IOMMU_FAULT);
	/* A late answer is an error and changes nothing. */
	vtd_device_tlb_done(f.d.vtd, TRUSTED, 1u << last(&f)->itag, 1);
	assert_true(field_is_set(vtd_driver_read(&f.d, SPEC_VTD_FSTS), SPEC_VTD_FSTS_ICE));
	assert_int_equal(ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001000).outcome, IOMMU_FAULT);
	drop(&f, TRUSTED, 0x9000); /* elsewhere */
	vtd_device_tlb_done(f.d.vtd, TRUSTED, 1u << last(&f)->itag, 1);
	assert_int_equal(ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001000).outcome, IOMMU_FAULT);
	drop(&f, TRUSTED, 0x3001); /* 0 to 7fffh */
	vtd_device_tlb_done(f.d.vtd, TRUSTED, 1u << last(&f)->itag, 1);
	assert_int_equal(ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001000).outcome, IOMMU_OK);
	vtd_driver_stop(&f.d);
}

static void a_new_context_forgives_what_the_old_one_owed(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	let_time_out(&f, 0x5000);
	vtd_driver_write(&f.d, SPEC_VTD_FSTS, field_mask(SPEC_VTD_FSTS_ITE));
	vtd_driver_submit(
		&f.d, SPEC_VTD_QI_CONTEXT | 3 << 4 | DOMAIN_ID << 16 | (uint64_t)OTHER << 32, 0);
	assert_int_equal(ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001000).outcome, IOMMU_FAULT);
	vtd_driver_submit(
		&f.d, SPEC_VTD_QI_CONTEXT | 3 << 4 | DOMAIN_ID << 16 | (uint64_t)TRUSTED << 32, 0);
	assert_int_equal(ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001000).outcome, IOMMU_OK);
	vtd_driver_stop(&f.d);
}

static void many_time_outs_are_not_forgotten(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	for (unsigned i = 0; i < 40; i++) {
		let_time_out(&f, i * UINT64_C(0x1000));
		vtd_driver_write(&f.d, SPEC_VTD_FSTS, field_mask(SPEC_VTD_FSTS_ITE));
	}
	drop(&f, TRUSTED, 0x7ffff001); /* covers them, but not all were remembered */
	vtd_device_tlb_done(f.d.vtd, TRUSTED, 1u << last(&f)->itag, 1);
	assert_int_equal(ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001000).outcome, IOMMU_FAULT);
	vtd_driver_submit(&f.d, SPEC_VTD_QI_CONTEXT | 1 << 4, 0);
	assert_int_equal(ask(&f, TRUSTED, IOMMU_TRANSLATED, 0x80001000).outcome, IOMMU_OK);
	vtd_driver_stop(&f.d);
}

enum { PASIDS = 0x0200, GROUP = 0x155 };

/* A function with page requests, and a queue of one page: 128 requests. */
static void start_requests(struct fixture *f)
{
	vtd_driver_start(&f->d, 1 << 21, &(struct vtd_config){ 0 });
	vtd_driver_scalable_context(&f->d, PASIDS,
				    1 | field_mask(SPEC_VTD_SMCONTEXT_0_DTE) |
					    field_mask(SPEC_VTD_SMCONTEXT_0_PASIDE) |
					    field_mask(SPEC_VTD_SMCONTEXT_0_PRE),
				    0);
	vtd_driver_put(&f->d, vtd_driver_pasid_entry(&f->d, PASIDS, 9) + 8, 7);
	vtd_driver_put(&f->d, vtd_driver_pasid_entry(&f->d, PASIDS, 9) + 16,
		       vtd_driver_page(&f->d));
	vtd_driver_put(&f->d, vtd_driver_pasid_entry(&f->d, PASIDS, 9),
		       1 | field_make(SPEC_VTD_PASID_0_PGTT, SPEC_VTD_PGTT_FIRST));
	f->root = vtd_driver_page(&f->d);
	vtd_driver_write(&f->d, SPEC_VTD_PQA, f->root);
	vtd_driver_write(&f->d, SPEC_VTD_PEDATA, 0x77);
	vtd_driver_write(&f->d, SPEC_VTD_PEADDR, 0xfee02000);
	vtd_driver_write(&f->d, SPEC_VTD_PECTL, 0);
	vtd_driver_enable(&f->d, SPEC_VTD_TTM_SCALABLE);
}

static bool request(struct fixture *f, uint16_t source, uint32_t pasid, bool is_last)
{
	return vtd_page_request(f->d.vtd, &(struct iommu_page_request){ .source = source,
									.pasid = pasid,
									.address = 0x7f1234567000,
									.group = GROUP,
									.access = IOMMU_WRITE,
									.last = is_last });
}

static void a_page_request_is_put_into_the_queue(void **state)
{
	struct fixture f;

	(void)state;
	start_requests(&f);
	assert_true(request(&f, PASIDS, 9, false));
	assert_int_equal(f.d.interrupt_count, 0); /* the group goes on */
	assert_true(request(&f, PASIDS, 9, true));
	assert_int_equal(f.d.interrupt_count, 1);
	assert_int_equal(f.d.interrupts[0].data, 0x77);
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_PRS), 1);
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_PQT), 0x40);
	assert_int_equal(vtd_driver_get(&f.d, f.root + 0x20),
			 1 | 1 << 8 | (uint64_t)PASIDS << 16 | UINT64_C(9) << 32);
	assert_int_equal(vtd_driver_get(&f.d, f.root + 0x28),
			 0x7f1234567000 | GROUP << 3 | 1 << 2 | 1 << 1);
	assert_int_equal(f.d.response_count, 0);
	vtd_driver_stop(&f.d);
}

static void a_page_group_response_reaches_the_function(void **state)
{
	struct fixture f;

	(void)state;
	start_requests(&f);
	request(&f, PASIDS, 9, true);
	vtd_driver_submit(&f.d,
			  SPEC_VTD_QI_PAGE_RESPONSE | 1 << 4 | 1 << 12 | (uint64_t)PASIDS << 16 |
				  UINT64_C(9) << 32,
			  GROUP << 3 | 1 << 2);
	assert_int_equal(f.d.response_count, 1);
	assert_int_equal(f.d.responses[0].source, PASIDS);
	assert_int_equal(f.d.responses[0].pasid, 9);
	assert_int_equal(f.d.responses[0].group, GROUP);
	assert_int_equal(f.d.responses[0].code, SPEC_PRG_INVALID_REQUEST);
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_FSTS), 0);
	vtd_driver_stop(&f.d);
}

static void a_full_queue_answers_by_itself(void **state)
{
	struct fixture f;

	(void)state;
	start_requests(&f);
	for (unsigned i = 0; i < 127; i++)
		assert_true(request(&f, PASIDS, 9, false));
	assert_false(
		request(&f, PASIDS, 9, false)); /* dropped in silence: not the last of its group */
	assert_int_equal(f.d.response_count, 0);
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_PRS), field_mask(SPEC_VTD_PRS_PRO));
	assert_int_equal(f.d.interrupt_count, 1);
	assert_false(request(&f, PASIDS, 9, true));
	assert_int_equal(f.d.response_count, 1);
	assert_int_equal(f.d.responses[0].code, SPEC_PRG_SUCCESS);
	/* Room is not enough while the overflow is set. */
	vtd_driver_write(&f.d, SPEC_VTD_PQH, vtd_driver_read(&f.d, SPEC_VTD_PQT));
	assert_false(request(&f, PASIDS, 9, true));
	vtd_driver_write(&f.d, SPEC_VTD_PRS, field_mask(SPEC_VTD_PRS_PRO));
	assert_true(request(&f, PASIDS, 9, true));
	vtd_driver_stop(&f.d);
}

static void a_function_that_may_not_ask_is_told_so(void **state)
{
	struct fixture f;
	uint64_t high;

	(void)state;
	start_requests(&f);
	assert_false(request(&f, OTHER, 9, true)); /* no context */
	assert_int_equal(f.d.responses[0].code, SPEC_PRG_INVALID_REQUEST);
	high = vtd_read(f.d.vtd, 0x228, 8);
	assert_int_equal(field_get(high, SPEC_VTD_FRCD_1_FR), SPEC_VTD_SMROOT_NOT_PRESENT);
	assert_true(field_is_set(high, SPEC_VTD_FRCD_1_T2));
	assert_false(field_is_set(high, SPEC_VTD_FRCD_1_T1));
	/* A function with ATS and without PRI. */
	vtd_driver_scalable_context(&f.d, 0x0300,
				    1 | field_mask(SPEC_VTD_SMCONTEXT_0_DTE) |
					    field_mask(SPEC_VTD_SMCONTEXT_0_PASIDE),
				    0);
	vtd_driver_put(&f.d, vtd_driver_pasid_entry(&f.d, 0x0300, 9) + 16, f.root);
	vtd_driver_put(&f.d, vtd_driver_pasid_entry(&f.d, 0x0300, 9),
		       1 | field_make(SPEC_VTD_PASID_0_PGTT, SPEC_VTD_PGTT_FIRST));
	assert_false(request(&f, 0x0300, 9, true));
	high = vtd_read(f.d.vtd, 0x238, 8);
	assert_int_equal(field_get(high, SPEC_VTD_FRCD_1_FR), SPEC_VTD_SMCONTEXT_PRE);
	assert_int_equal(f.d.response_count, 2);
	vtd_driver_stop(&f.d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(translation_requests_say_what_is_allowed),
		cmocka_unit_test(only_trusted_functions_translate_themselves),
		cmocka_unit_test(a_reserved_address_type_is_refused),
		cmocka_unit_test(trust_taken_from_the_context_entry_ends_with_its_invalidation),
		cmocka_unit_test(a_function_is_not_believed_while_it_is_invalidated),
		cmocka_unit_test(the_specifications_own_trust_can_be_had),
		cmocka_unit_test(a_wait_is_complete_when_the_devices_have_answered),
		cmocka_unit_test(all_completions_of_an_invalidation_are_counted),
		cmocka_unit_test(a_device_is_told_when_readers_have_let_go),
		cmocka_unit_test(a_request_let_pass_before_an_invalidation_is_waited_for),
		cmocka_unit_test(no_more_is_pending_than_the_device_can_take),
		cmocka_unit_test(sizes_are_in_the_address),
		cmocka_unit_test(a_wrong_completion_is_an_error),
		cmocka_unit_test(a_device_that_does_not_answer_times_out),
		cmocka_unit_test(after_a_time_out_trust_comes_back_with_a_drop_that_covers_it),
		cmocka_unit_test(a_new_context_forgives_what_the_old_one_owed),
		cmocka_unit_test(many_time_outs_are_not_forgotten),
		cmocka_unit_test(a_page_request_is_put_into_the_queue),
		cmocka_unit_test(a_page_group_response_reaches_the_function),
		cmocka_unit_test(a_full_queue_answers_by_itself),
		cmocka_unit_test(a_function_that_may_not_ask_is_told_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
