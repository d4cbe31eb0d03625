/* What readers keep, and what they must not. */
#include "sim/vtd_driver.h"
#include "tests/check.h"

enum { SOURCE = 0x0310, DOMAIN_ID = 9, PASID = 6 };

struct fixture {
	struct vtd_driver d;
	uint64_t root;
};

static void start(struct fixture *f, const struct vtd_config *config)
{
	vtd_driver_start(&f->d, 1 << 21, config);
	f->root = vtd_driver_page(&f->d);
	vtd_driver_context(&f->d, SOURCE, f->root | 1, vtd_driver_context_high(DOMAIN_ID, 4));
	vtd_driver_enable(&f->d, SPEC_VTD_TTM_LEGACY);
}

static void map(struct fixture *f, uint64_t iova, uint64_t target, unsigned shift)
{
	vtd_driver_map(&f->d, f->root, 4, &(struct vtd_driver_mapping){ iova, target, shift, 3 });
}

static struct vtd_reader_counts counts_of(struct fixture *f)
{
	struct vtd_reader_counts counts;

	vtd_reader_counts(f->d.reader, &counts);
	return counts;
}

static void a_second_access_does_not_walk(void **state)
{
	struct fixture f;
	struct vtd_reader_counts before, after;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	map(&f, 0x1000, 0x90001000, 12);
	map(&f, 0x2000, 0x90002000, 12);
	vtd_driver_ask(&f.d, SOURCE, 0x1000, IOMMU_READ);
	before = counts_of(&f);
	assert_int_equal(before.walks, 1);
	vtd_driver_ask(&f.d, SOURCE, 0x1800, IOMMU_WRITE);
	after = counts_of(&f);
	assert_int_equal(after.walks, before.walks);
	assert_int_equal(after.hits, before.hits);
	vtd_driver_ask(&f.d, SOURCE, 0x2000, IOMMU_READ);
	after = counts_of(&f);
	assert_int_equal(after.walks, 2);
	assert_int_equal(after.contexts, before.contexts); /* the context is known */
	vtd_driver_stop(&f.d);
}

static void readers_share_what_one_has_walked(void **state)
{
	struct fixture f;
	struct vtd_reader_counts counts;
	struct iommu_answer answer;
	struct vtd_reader *other;
	void *memory;

	(void)state;
	start(&f, &(struct vtd_config){ .readers = 2 });
	memory = aligned_alloc(64, (vtd_reader_size() + 63) / 64 * 64);
	other = vtd_reader_init(memory, f.d.vtd, 1);
	map(&f, 0x200000, 0x90000000, 21);
	vtd_driver_ask(&f.d, SOURCE, 0x200000, IOMMU_READ);
	vtd_reader_enter(other);
	vtd_translate(other,
		      &(struct iommu_request){ .source = SOURCE,
					       .access = IOMMU_READ,
					       .pasid = IOMMU_NO_PASID,
					       .address = 0x3ff123 },
		      &answer);
	vtd_reader_leave(other);
	assert_int_equal(answer.address, 0x901ff123);
	vtd_reader_counts(other, &counts);
	assert_int_equal(counts.hits, 1);
	assert_int_equal(counts.walks, 0);
	vtd_reader_fini(other);
	free(memory);
	vtd_driver_stop(&f.d);
}

static void lower_tables_are_found_without_the_upper_ones(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	map(&f, 0x1000, 0x90001000, 12);
	map(&f, 0x2000, 0x90002000, 12);
	vtd_driver_ask(&f.d, SOURCE, 0x1000, IOMMU_READ);
	/* The upper levels are taken away without an invalidation: the lower table is known. */
	vtd_driver_put(&f.d, f.root, 0);
	assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x2000, IOMMU_READ).address, 0x90002000);
	vtd_driver_flush(&f.d);
	assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x2000, IOMMU_READ).outcome, IOMMU_FAULT);
	vtd_driver_stop(&f.d);
}

/* CAP.CM or not: what is not present is looked up each time (6.1). */
static void what_is_absent_is_not_kept(void **state)
{
	(void)state;
	for (unsigned caching_mode = 0; caching_mode < 2; caching_mode++) {
		struct fixture f;

		start(&f, &(struct vtd_config){ .cap = VTD_DRIVER_CAP |
						       field_make(SPEC_VTD_CAP_CM, caching_mode),
						.ecap = VTD_DRIVER_ECAP });
		assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x1000, IOMMU_READ).outcome,
				 IOMMU_FAULT);
		map(&f, 0x1000, 0x90001000, 12);
		assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x1000, IOMMU_READ).outcome,
				 IOMMU_OK);
		assert_int_equal(vtd_driver_ask(&f.d, 0x0311, 0x1000, IOMMU_READ).outcome,
				 IOMMU_FAULT);
		vtd_driver_context(&f.d, 0x0311, f.root | 1, vtd_driver_context_high(DOMAIN_ID, 4));
		assert_int_equal(vtd_driver_ask(&f.d, 0x0311, 0x1000, IOMMU_READ).outcome,
				 IOMMU_OK);
		vtd_driver_stop(&f.d);
	}
}

static void more_rights_need_no_invalidation(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	vtd_driver_map(&f.d, f.root, 4, &(struct vtd_driver_mapping){ 0x1000, 0x90001000, 12, 1 });
	assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x1000, IOMMU_READ).outcome, IOMMU_OK);
	assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x1000, IOMMU_WRITE).reason,
			 SPEC_VTD_WRITE_DENIED);
	map(&f, 0x1000, 0x90001000, 12);
	assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x1000, IOMMU_WRITE).outcome, IOMMU_OK);
	vtd_driver_stop(&f.d);
}

static void sizes_of_pages_may_be_mixed(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	map(&f, 0x40000000, 0x140000000, 30);
	map(&f, 0x200000, 0x90200000, 21);
	map(&f, 0x1000, 0x90001000, 12);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x1234, 1).address, 0x90001234);
		assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x2abcde, 1).address, 0x902abcde);
		assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x7abcdef0, 1).address, 0x17abcdef0);
		assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x3000, 1).outcome, IOMMU_FAULT);
		assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x400000, 1).outcome, IOMMU_FAULT);
	}
	assert_int_equal(counts_of(&f).walks, 3);
	vtd_driver_stop(&f.d);
}

/* A large page that holds the interrupt range is no way into it, on either side. */
static void the_interrupt_range_is_no_memory(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	map(&f, 0xc0000000, 0x1c0000000, 30);
	map(&f, 0x1c0000000, 0xc0000000, 30);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0xc0000000, IOMMU_WRITE).address,
				 0x1c0000000);
		assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0xfedff000, IOMMU_WRITE).address,
				 0x1fedff000);
		assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0xfef00000, IOMMU_WRITE).address,
				 0x1fef00000);
		assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0xfee00000, IOMMU_WRITE).reason,
				 SPEC_VTD_IR_NO_INTERRUPT);
		assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x1c0000000, IOMMU_READ).address,
				 0xc0000000);
		assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x1fee00000, IOMMU_READ).reason,
				 SPEC_VTD_INTERRUPT_RANGE);
		assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x1feeff000, IOMMU_READ).reason,
				 SPEC_VTD_INTERRUPT_RANGE);
	}
	vtd_driver_stop(&f.d);
}

static void domains_do_not_see_each_other(void **state)
{
	struct fixture f;
	uint64_t other;

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	other = vtd_driver_page(&f.d);
	/* The marks of both domains are the same. */
	vtd_driver_context(&f.d, 0x0400, other | 1, vtd_driver_context_high(DOMAIN_ID + 256, 4));
	map(&f, 0x1000, 0x90001000, 12);
	assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x1000, 1).outcome, IOMMU_OK);
	assert_int_equal(vtd_driver_ask(&f.d, 0x0400, 0x1000, 1).outcome, IOMMU_FAULT);
	vtd_driver_map(&f.d, other, 4, &(struct vtd_driver_mapping){ 0x1000, 0xa0001000, 12, 3 });
	assert_int_equal(vtd_driver_ask(&f.d, 0x0400, 0x1000, 1).address, 0xa0001000);
	assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x1000, 1).address, 0x90001000);
	vtd_driver_stop(&f.d);
}

/* A PASID's entry by words. */
static void pasid(struct fixture *f, const uint64_t words[3])
{
	uint64_t entry;

	vtd_driver_start(&f->d, 1 << 21, &(struct vtd_config){ 0 });
	vtd_driver_scalable_context(&f->d, SOURCE, 1 | field_mask(SPEC_VTD_SMCONTEXT_0_PASIDE), 0);
	entry = vtd_driver_pasid_entry(&f->d, SOURCE, PASID);
	f->root = vtd_driver_page(&f->d);
	for (unsigned i = 3; i-- > 0;)
		vtd_driver_put(&f->d, entry + i * 8, words[i]);
}

static struct iommu_answer ask_pasid(struct fixture *f, uint64_t address, uint8_t access)
{
	return vtd_driver_request(&f->d, &(struct iommu_request){ .source = SOURCE,
								  .access = access,
								  .pasid = PASID,
								  .address = address });
}

/* Four levels of tables below f->root with flags on the way; where the leaf is. */
static uint64_t tables(struct fixture *f, uint64_t flags)
{
	uint64_t table = f->root;

	for (unsigned level = 4; level > 1; level--) {
		uint64_t below = vtd_driver_page(&f->d);

		vtd_driver_put(&f->d, table, below | flags);
		table = below;
	}
	return table;
}

static void a_write_sets_the_dirty_bit_also_after_a_read(void **state)
{
	static const struct {
		uint64_t words[3];
		uint64_t flags, leaf, accessed, dirty;
		int root; /* word that points to the tables */
	} rows[] = {
		{ { 1 | 1 << 6, DOMAIN_ID | 1 << 23, 0 }, 7, 7, 1 << 5, 1 << 6, 2 },
		{ { 1 | 2 << 6 | 2 << 2 | 1 << 9, DOMAIN_ID | 1 << 23, 0 },
		  3,
		  3,
		  1 << 8,
		  1 << 9,
		  0 },
	};

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++) {
		struct fixture f;
		uint64_t table, entry;

		pasid(&f, rows[i].words);
		entry = vtd_driver_pasid_entry(&f.d, SOURCE, PASID) + (unsigned)rows[i].root * 8;
		vtd_driver_put(&f.d, entry, vtd_driver_get(&f.d, entry) | f.root);
		table = tables(&f, rows[i].flags);
		vtd_driver_put(&f.d, table + 8, 0x90001000 | rows[i].leaf);
		vtd_driver_enable(&f.d, SPEC_VTD_TTM_SCALABLE);
		for (unsigned again = 0; again < 2; again++) {
			assert_int_equal(ask_pasid(&f, 0x1000, IOMMU_READ).address, 0x90001000);
			assert_int_equal(vtd_driver_get(&f.d, table + 8),
					 0x90001000 | rows[i].leaf | rows[i].accessed);
		}
		assert_int_equal(ask_pasid(&f, 0x1000, IOMMU_WRITE).address, 0x90001000);
		assert_int_equal(vtd_driver_get(&f.d, table + 8),
				 0x90001000 | rows[i].leaf | rows[i].accessed | rows[i].dirty);
		vtd_driver_stop(&f.d);
	}
}

static void a_second_stage_invalidation_ends_nested_pages_of_the_domain(void **state)
{
	static const uint64_t words[3] = { 1 | 3 << 6 | 2 << 2, DOMAIN_ID | 1 << 23, 0 };
	struct fixture f;
	uint64_t table, entry, second;

	(void)state;
	pasid(&f, words);
	second = vtd_driver_page(&f.d);
	entry = vtd_driver_pasid_entry(&f.d, SOURCE, PASID);
	vtd_driver_put(&f.d, entry + 16, f.root);
	vtd_driver_put(&f.d, entry, words[0] | second);
	vtd_driver_map(&f.d, second, 4, &(struct vtd_driver_mapping){ 0, 0, 30, 3 });
	vtd_driver_map(&f.d, second, 4,
		       &(struct vtd_driver_mapping){ 0x70000000, 0x90000000, 12, 3 });
	table = tables(&f, 0x27);
	vtd_driver_put(&f.d, table + 8, 0x70000000 | 0x67); /* guest physical */
	vtd_driver_enable(&f.d, SPEC_VTD_TTM_SCALABLE);
	assert_int_equal(ask_pasid(&f, 0x1000, IOMMU_WRITE).address, 0x90000000);
	vtd_driver_map(&f.d, second, 4,
		       &(struct vtd_driver_mapping){ 0x70000000, 0xa0000000, 12, 3 });
	assert_int_equal(ask_pasid(&f, 0x1000, IOMMU_WRITE).address, 0x90000000);
	/* By the second stage's address, which the nested page is not known by. */
	assert_true(vtd_driver_flush_pages(&f.d, DOMAIN_ID, 0x70000000, 0));
	assert_int_equal(ask_pasid(&f, 0x1000, IOMMU_WRITE).address, 0xa0000000);
	/* And by the first stage's. */
	vtd_driver_put(&f.d, table + 8, 0x67);
	vtd_driver_submit(
		&f.d, SPEC_VTD_QI_PASID_IOTLB | 3 << 4 | DOMAIN_ID << 16 | (uint64_t)PASID << 32,
		0x1000);
	assert_true(vtd_driver_wait(&f.d));
	assert_int_equal(ask_pasid(&f, 0x1000, IOMMU_WRITE).address, 0);
	vtd_driver_stop(&f.d);
}

static void supervisor_rights_are_not_lent_to_users(void **state)
{
	static const uint64_t words[3] = { 1 | 1 << 6, DOMAIN_ID | 1 << 23, 0 };
	struct fixture f;
	uint64_t table, entry;

	(void)state;
	pasid(&f, words);
	entry = vtd_driver_pasid_entry(&f.d, SOURCE, PASID);
	vtd_driver_put(&f.d, entry + 16, f.root | field_mask(SPEC_VTD_PASID_2_SRE));
	table = tables(&f, 0x27);
	vtd_driver_put(&f.d, table + 8, 0x90001000 | 0x63); /* supervisor page */
	vtd_driver_enable(&f.d, SPEC_VTD_TTM_SCALABLE);
	for (unsigned i = 0; i < 2; i++) {
		struct iommu_request request = {
			.source = SOURCE, .access = IOMMU_READ, .pasid = PASID, .address = 0x1000
		};

		request.privileged = true;
		assert_int_equal(vtd_driver_request(&f.d, &request).outcome, IOMMU_OK);
		request.privileged = false;
		assert_int_equal(vtd_driver_request(&f.d, &request).reason, SPEC_VTD_PRIVILEGE);
	}
	vtd_driver_stop(&f.d);
}

static void a_read_of_no_bytes_is_not_a_read(void **state)
{
	struct fixture f;
	struct iommu_request request = {
		.source = SOURCE, .access = IOMMU_READ, .pasid = IOMMU_NO_PASID, .address = 0x1000
	};

	(void)state;
	start(&f, &(struct vtd_config){ 0 });
	vtd_driver_map(&f.d, f.root, 4, &(struct vtd_driver_mapping){ 0x1000, 0x90001000, 12, 2 });
	for (unsigned i = 0; i < 2; i++) {
		request.zero_length = true;
		assert_int_equal(vtd_driver_request(&f.d, &request).outcome, IOMMU_OK);
		request.zero_length = false;
		assert_int_equal(vtd_driver_request(&f.d, &request).reason, SPEC_VTD_READ_DENIED);
	}
	vtd_driver_stop(&f.d);
}

static void quirks_are_answered_the_long_way(void **state)
{
	struct fixture f;

	(void)state;
	/* QEMU 7.2 looks at rights at each level before it goes on. */
	start(&f, &(struct vtd_config){ .quirks = VTD_QUIRKS_QEMU72 });
	map(&f, 0x1000, 0x90001000, 12);
	assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x1000, 3).address, 0x90001000);
	assert_int_equal(counts_of(&f).walks, 0);
	assert_int_equal(vtd_driver_ask(&f.d, SOURCE, 0x1000, 3).address, 0x90001000);
	vtd_driver_stop(&f.d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_access_does_not_walk),
		cmocka_unit_test(readers_share_what_one_has_walked),
		cmocka_unit_test(lower_tables_are_found_without_the_upper_ones),
		cmocka_unit_test(what_is_absent_is_not_kept),
		cmocka_unit_test(more_rights_need_no_invalidation),
		cmocka_unit_test(sizes_of_pages_may_be_mixed),
		cmocka_unit_test(the_interrupt_range_is_no_memory),
		cmocka_unit_test(domains_do_not_see_each_other),
		cmocka_unit_test(a_write_sets_the_dirty_bit_also_after_a_read),
		cmocka_unit_test(a_second_stage_invalidation_ends_nested_pages_of_the_domain),
		cmocka_unit_test(supervisor_rights_are_not_lent_to_users),
		cmocka_unit_test(a_read_of_no_bytes_is_not_a_read),
		cmocka_unit_test(quirks_are_answered_the_long_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
