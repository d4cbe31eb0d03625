/* The invalidation queue and invalidation by registers: each descriptor ends what it names, and
 * errors stop the queue as specified. */
#include "sim/vtd_driver.h"
#include "tests/check.h"

enum { A = 0x0100, B = 0x0208, DOMAIN_A = 5, DOMAIN_B = 6, LEVELS = 4 };

struct fixture {
	struct vtd_driver d;
	uint64_t root_a, root_b;
};

static void map(struct fixture *f, uint64_t root, uint64_t iova, uint64_t target, unsigned shift)
{
	vtd_driver_map(&f->d, root, LEVELS,
		       &(struct vtd_driver_mapping){ iova, target, shift, target ? 3 : 0 });
}

/* Two functions in two domains with a page of each size. */
static void start(struct fixture *f, unsigned table_mode)
{
	vtd_driver_start(&f->d, 1 << 21, &(struct vtd_config){ 0 });
	f->root_a = vtd_driver_page(&f->d);
	f->root_b = vtd_driver_page(&f->d);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t root = i ? f->root_b : f->root_a, at = i ? 0x900000000 : 0x500000000;

		map(f, root, 0x1000, at + 0x1000, 12);
		map(f, root, 0x2000, at + 0x2000, 12);
		map(f, root, 0x200000, at + 0x200000, 21);
		map(f, root, 0x40000000, at + 0x40000000, 30);
	}
	if (table_mode == SPEC_VTD_TTM_LEGACY) {
		vtd_driver_context(&f->d, A, f->root_a | 1,
				   vtd_driver_context_high(DOMAIN_A, LEVELS));
		vtd_driver_context(&f->d, B, f->root_b | 1,
				   vtd_driver_context_high(DOMAIN_B, LEVELS));
	}
	vtd_driver_enable(&f->d, table_mode);
}

static bool reaches(struct fixture *f, uint16_t source, uint64_t iova)
{
	struct iommu_answer answer = vtd_driver_ask(&f->d, source, iova, IOMMU_READ);

	return answer.outcome == IOMMU_OK && answer.rights;
}

static const uint64_t pages[] = { 0x1000, 0x2000, 0x200000, 0x40000000 };

/* Takes all pages out of the tables; caches still have what was used. */
static void use_and_unmap(struct fixture *f)
{
	for (unsigned i = 0; i < array_len(pages); i++) {
		unsigned shift = i < 2 ? 12 : i < 3 ? 21 : 30;

		map(f, f->root_a, pages[i], 0x500000000 + pages[i], shift);
		map(f, f->root_b, pages[i], 0x900000000 + pages[i], shift);
	}
	must(vtd_driver_flush(&f->d));
	for (unsigned i = 0; i < array_len(pages); i++) {
		assert_true(reaches(f, A, pages[i]));
		assert_true(reaches(f, B, pages[i]));
	}
	for (unsigned i = 0; i < array_len(pages); i++) {
		unsigned shift = i < 2 ? 12 : i < 3 ? 21 : 30;

		map(f, f->root_a, pages[i], 0, shift);
		map(f, f->root_b, pages[i], 0, shift);
	}
	for (unsigned i = 0; i < array_len(pages); i++) {
		assert_true(reaches(f, A, pages[i])); /* nothing has been invalidated yet */
		assert_true(reaches(f, B, pages[i]));
	}
}

/* Bits: 0..3 pages of A, 4..7 pages of B that are still reached. */
static unsigned left(struct fixture *f)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < array_len(pages); i++)
		bits |= (unsigned)reaches(f, A, pages[i]) << i | (unsigned)reaches(f, B, pages[i])
									 << (i + 4);
	return bits;
}

static void iotlb_invalidation_ends_what_it_names(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, SPEC_VTD_TTM_LEGACY);
	use_and_unmap(&f);
	assert_true(vtd_driver_flush(&f.d));
	assert_int_equal(left(&f), 0);
	use_and_unmap(&f);
	assert_true(vtd_driver_flush_domain(&f.d, DOMAIN_A));
	assert_int_equal(left(&f), 0xf0);
	use_and_unmap(&f);
	assert_true(vtd_driver_flush_pages(&f.d, DOMAIN_A, 0x1000, 0));
	assert_int_equal(left(&f), 0xfe);
	/* Two pages by the mask: 2000h and 3000h. */
	use_and_unmap(&f);
	assert_true(vtd_driver_flush_pages(&f.d, DOMAIN_B, 0x3000, 1));
	assert_int_equal(left(&f), 0xdf);
	/* One page of 4 KiB inside a large page ends the large one. */
	use_and_unmap(&f);
	assert_true(vtd_driver_flush_pages(&f.d, DOMAIN_A, 0x3ff000, 0));
	assert_int_equal(left(&f), 0xfb);
	use_and_unmap(&f);
	assert_true(vtd_driver_flush_pages(&f.d, DOMAIN_B, 0x7ffff000, 0));
	assert_int_equal(left(&f), 0x7f);
	/* 2 MiB from 0: the two small pages. */
	use_and_unmap(&f);
	assert_true(vtd_driver_flush_pages(&f.d, DOMAIN_A, 0, 9));
	assert_int_equal(left(&f), 0xfc);
	/* 1 GiB from 0, more than is looked for page by page: all of them, and maybe more. */
	use_and_unmap(&f);
	assert_true(vtd_driver_flush_pages(&f.d, DOMAIN_A, 0, 18));
	assert_int_equal(left(&f) & 0xf7, 0xf0);
	vtd_driver_stop(&f.d);
}

static void a_kept_upper_table_is_used_until_it_is_invalidated(void **state)
{
	struct fixture f;
	uint64_t other, entry;
	struct iommu_answer answer;

	(void)state;
	start(&f, SPEC_VTD_TTM_LEGACY);
	assert_true(reaches(&f, A, 0x1000));
	/* Another page table for the first 2 MiB. */
	other = vtd_driver_page(&f.d);
	vtd_driver_put(&f.d, other + 8, 0x700000003);
	vtd_driver_put(&f.d, other + 16, 0x700002003);
	entry = vtd_driver_entry(&f.d, f.root_a, LEVELS, 0x1000, 2);
	vtd_driver_put(&f.d, entry, other | 3);
	/* Only the leaf is invalidated (IH): the old table may stay in use, and does. */
	vtd_driver_submit(&f.d,
			  SPEC_VTD_QI_IOTLB |
				  field_make(SPEC_VTD_QI_0_G, SPEC_VTD_GRANULARITY_FINE) |
				  field_make(SPEC_VTD_QI_0_DID, DOMAIN_A),
			  0x1000 | field_mask(SPEC_VTD_QI_1_IH));
	assert_true(vtd_driver_wait(&f.d));
	answer = vtd_driver_ask(&f.d, A, 0x1000, IOMMU_READ);
	assert_int_equal(answer.address, 0x500001000);
	assert_true(vtd_driver_flush_pages(&f.d, DOMAIN_A, 0x1000, 0));
	answer = vtd_driver_ask(&f.d, A, 0x1000, IOMMU_READ);
	assert_int_equal(answer.address, 0x700000000);
	vtd_driver_stop(&f.d);
}

static void context_invalidation_ends_what_it_names(void **state)
{
	static const struct {
		uint64_t word;
		bool a, b; /* old context still in use */
	} rows[] = {
		{ SPEC_VTD_QI_CONTEXT | 1 << 4, false, false },
		{ SPEC_VTD_QI_CONTEXT | 2 << 4 | DOMAIN_A << 16, false, true },
		{ SPEC_VTD_QI_CONTEXT | 3 << 4 | DOMAIN_B << 16 | (uint64_t)B << 32, true, false },
	};

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++) {
		struct fixture f;

		start(&f, SPEC_VTD_TTM_LEGACY);
		assert_true(reaches(&f, A, 0x1000) && reaches(&f, B, 0x1000));
		vtd_driver_context(&f.d, A, 0, 0);
		vtd_driver_context(&f.d, B, 0, 0);
		assert_true(reaches(&f, A, 0x1000) && reaches(&f, B, 0x1000));
		vtd_driver_submit(&f.d, rows[i].word, 0);
		assert_true(vtd_driver_wait(&f.d));
		assert_int_equal(reaches(&f, A, 0x2000), rows[i].a);
		assert_int_equal(reaches(&f, B, 0x2000), rows[i].b);
		assert_int_equal(reaches(&f, A, 0x1000), rows[i].a);
		vtd_driver_stop(&f.d);
	}
}

/* PASIDs 1 and 2 of function A: first-stage tables in domain 7. */
static void start_pasids(struct fixture *f, uint64_t leaf[2])
{
	start(f, SPEC_VTD_TTM_SCALABLE);
	vtd_driver_scalable_context(&f->d, A, 1 | field_mask(SPEC_VTD_SMCONTEXT_0_PASIDE), 0);
	for (uint32_t pasid = 1; pasid <= 2; pasid++) {
		uint64_t entry = vtd_driver_pasid_entry(&f->d, A, pasid);
		uint64_t table = vtd_driver_page(&f->d), root = table;

		for (unsigned level = 4; level > 1; level--) {
			uint64_t below = vtd_driver_page(&f->d);

			vtd_driver_put(&f->d, table, below | 0x27);
			table = below;
		}
		leaf[pasid - 1] = table + 8;
		vtd_driver_put(&f->d, leaf[pasid - 1], 0x600000000 + pasid * 0x1000 + 0x67);
		vtd_driver_put(&f->d, entry + 16, root);
		vtd_driver_put(&f->d, entry + 8, 7);
		vtd_driver_put(&f->d, entry,
			       1 | field_make(SPEC_VTD_PASID_0_PGTT, SPEC_VTD_PGTT_FIRST));
	}
	vtd_driver_flush(&f->d);
}

static uint64_t pasid_target(struct fixture *f, uint32_t pasid)
{
	struct iommu_answer answer = vtd_driver_request(
		&f->d,
		&(struct iommu_request){
			.source = A, .access = IOMMU_WRITE, .pasid = pasid, .address = 0x1000 });

	return answer.outcome == IOMMU_OK ? answer.address : 0;
}

static void pasid_invalidation_ends_what_it_names(void **state)
{
	static const struct {
		uint64_t word0, word1;
		bool one, two; /* old pages still in use */
	} rows[] = {
		{ SPEC_VTD_QI_PASID_IOTLB | 2 << 4 | 7 << 16 | UINT64_C(1) << 32, 0, false, true },
		{ SPEC_VTD_QI_PASID_IOTLB | 3 << 4 | 7 << 16 | UINT64_C(2) << 32, 0x1000, true,
		  false },
		{ SPEC_VTD_QI_PASID_IOTLB | 3 << 4 | 7 << 16 | UINT64_C(2) << 32, 0x3000, true,
		  true },
		{ SPEC_VTD_QI_PASID_IOTLB | 3 << 4 | 7 << 16 | UINT64_C(1) << 32, 0x3002, false,
		  true },
		{ SPEC_VTD_QI_PASID_IOTLB | 2 << 4 | 8 << 16 | UINT64_C(1) << 32, 0, true, true },
		{ SPEC_VTD_QI_IOTLB | 2 << 4 | 7 << 16, 0, false, false },
	};

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++) {
		struct fixture f;
		uint64_t leaf[2];

		start_pasids(&f, leaf);
		assert_int_equal(pasid_target(&f, 1), 0x600001000);
		assert_int_equal(pasid_target(&f, 2), 0x600002000);
		vtd_driver_put(&f.d, leaf[0], 0x700000067);
		vtd_driver_put(&f.d, leaf[1], 0x700000067);
		vtd_driver_submit(&f.d, rows[i].word0, rows[i].word1);
		assert_true(vtd_driver_wait(&f.d));
		assert_int_equal(pasid_target(&f, 1) == 0x600001000, rows[i].one);
		assert_int_equal(pasid_target(&f, 2) == 0x600002000, rows[i].two);
		vtd_driver_stop(&f.d);
	}
}

static void the_pasid_cache_is_used_until_it_is_invalidated(void **state)
{
	static const struct {
		uint64_t word;
		bool kept;
	} rows[] = {
		{ SPEC_VTD_QI_PASID_CACHE | 0 << 4 | 7 << 16, false },
		{ SPEC_VTD_QI_PASID_CACHE | 1 << 4 | 7 << 16 | UINT64_C(1) << 32, false },
		{ SPEC_VTD_QI_PASID_CACHE | 3 << 4, false },
		{ SPEC_VTD_QI_PASID_CACHE | 0 << 4 | 9 << 16, true },
	};

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++) {
		struct fixture f;
		uint64_t leaf[2], entry;

		start_pasids(&f, leaf);
		assert_int_equal(pasid_target(&f, 1), 0x600001000);
		entry = vtd_driver_pasid_entry(&f.d, A, 1);
		vtd_driver_put(&f.d, entry, 0);
		assert_int_equal(pasid_target(&f, 1), 0x600001000);
		vtd_driver_submit(&f.d, rows[i].word, 0);
		assert_true(vtd_driver_wait(&f.d));
		assert_int_equal(pasid_target(&f, 1) != 0, rows[i].kept);
		vtd_driver_stop(&f.d);
	}
}

static struct iommu_remapped interrupt(struct vtd_driver *d, unsigned index)
{
	struct iommu_remapped remapped;

	vtd_reader_enter(d->reader);
	vtd_interrupt(d->reader, &(struct iommu_message){ A, 0xfee00010 | index << 5, 0 },
		      &remapped);
	vtd_reader_leave(d->reader);
	return remapped;
}

static void interrupt_entries_are_used_until_they_are_invalidated(void **state)
{
	static const struct {
		uint64_t word;
		bool first, last; /* entries 1 and 12 kept */
	} rows[] = {
		{ SPEC_VTD_QI_INTERRUPT, false, false },
		{ SPEC_VTD_QI_INTERRUPT | 1 << 4 | UINT64_C(1) << 32, false, true },
		{ SPEC_VTD_QI_INTERRUPT | 1 << 4 | 2 << 27 | UINT64_C(12) << 32, true, false },
		{ SPEC_VTD_QI_INTERRUPT | 1 << 4 | 4 << 27, false, false },
		{ SPEC_VTD_QI_INTERRUPT | 1 << 4 | UINT64_C(5) << 32, true, true },
	};

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++) {
		struct fixture f;
		uint64_t table;

		start(&f, SPEC_VTD_TTM_LEGACY);
		table = vtd_driver_page(&f.d);
		vtd_driver_put(&f.d, table + 1 * 16, 1 | 0x31 << 16);
		vtd_driver_put(&f.d, table + 12 * 16, 1 | 0x42 << 16);
		vtd_driver_write(&f.d, SPEC_VTD_IRTA, table | 7);
		assert_true(vtd_driver_command(&f.d, SPEC_VTD_GCMD_SIRTP, true));
		assert_true(vtd_driver_command(&f.d, SPEC_VTD_GCMD_IRE, true));
		assert_int_equal(interrupt(&f.d, 1).data & 0xff, 0x31);
		assert_int_equal(interrupt(&f.d, 12).data & 0xff, 0x42);
		vtd_driver_put(&f.d, table + 1 * 16, 0);
		vtd_driver_put(&f.d, table + 12 * 16, 0);
		assert_int_equal(interrupt(&f.d, 1).outcome, IOMMU_OK);
		vtd_driver_submit(&f.d, rows[i].word, 0);
		assert_true(vtd_driver_wait(&f.d));
		assert_int_equal(interrupt(&f.d, 1).outcome == IOMMU_OK, rows[i].first);
		assert_int_equal(interrupt(&f.d, 12).outcome == IOMMU_OK, rows[i].last);
		vtd_driver_stop(&f.d);
	}
}

static void blocked_interrupts_are_logged_with_their_index(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, SPEC_VTD_TTM_LEGACY);
	vtd_driver_write(&f.d, SPEC_VTD_IRTA, vtd_driver_page(&f.d) | 7);
	vtd_driver_command(&f.d, SPEC_VTD_GCMD_SIRTP, true);
	vtd_driver_command(&f.d, SPEC_VTD_GCMD_IRE, true);
	assert_int_equal(interrupt(&f.d, 9).reason, SPEC_VTD_IR_NOT_PRESENT);
	assert_int_equal(vtd_read(f.d.vtd, 0x220, 8), UINT64_C(9) << 48);
	assert_int_equal(field_get(vtd_read(f.d.vtd, 0x228, 8), SPEC_VTD_FRCD_1_FR),
			 SPEC_VTD_IR_NOT_PRESENT);
	vtd_driver_stop(&f.d);
}

static void a_wait_is_complete_when_readers_have_left(void **state)
{
	struct fixture f;
	struct iommu_answer answer;

	(void)state;
	start(&f, SPEC_VTD_TTM_LEGACY);
	vtd_reader_enter(f.d.reader);
	vtd_translate(f.d.reader,
		      &(struct iommu_request){ .source = A,
					       .access = IOMMU_READ,
					       .pasid = IOMMU_NO_PASID,
					       .address = 0x1000 },
		      &answer);
	assert_int_equal(answer.outcome, IOMMU_OK);
	assert_false(vtd_driver_flush(&f.d));
	assert_int_equal(vtd_poll(f.d.vtd, 5), 5);
	assert_false(vtd_driver_waited(&f.d));
	/* What came in later is not waited for. */
	vtd_reader_leave(f.d.reader);
	vtd_reader_enter(f.d.reader);
	assert_int_equal(vtd_poll(f.d.vtd, 6), UINT64_MAX);
	assert_true(vtd_driver_waited(&f.d));
	vtd_reader_leave(f.d.reader);
	vtd_driver_stop(&f.d);
}

static void what_is_behind_a_wait_happens_after_it(void **state)
{
	struct fixture f;
	uint64_t status;

	(void)state;
	start(&f, SPEC_VTD_TTM_LEGACY);
	status = vtd_driver_page(&f.d);
	vtd_reader_enter(f.d.reader);
	vtd_driver_flush(&f.d);
	/* A reader is inside: this wait has nothing before it that the first has not, and still
	 * waits. */
	vtd_driver_submit(&f.d, SPEC_VTD_QI_WAIT | 1 << 5 | UINT64_C(7) << 32, status);
	vtd_poll(f.d.vtd, 0);
	assert_int_equal(vtd_driver_get(&f.d, status), 0);
	vtd_reader_leave(f.d.reader);
	vtd_poll(f.d.vtd, 0);
	assert_int_equal(vtd_driver_get(&f.d, status), 7);
	vtd_driver_stop(&f.d);
}

static void a_wait_with_if_interrupts_once_until_it_is_served(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, SPEC_VTD_TTM_LEGACY);
	vtd_driver_write(&f.d, SPEC_VTD_IEDATA, 0x55);
	vtd_driver_write(&f.d, SPEC_VTD_IEADDR, 0xfee01000);
	vtd_driver_submit(&f.d, SPEC_VTD_QI_WAIT | 1 << 4, 0);
	assert_int_equal(f.d.interrupt_count, 0); /* masked after reset */
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_ICS), 1);
	vtd_driver_write(&f.d, SPEC_VTD_IECTL, 0);
	assert_int_equal(f.d.interrupt_count, 1);
	assert_int_equal(f.d.interrupts[0].address, 0xfee01000);
	assert_int_equal(f.d.interrupts[0].data, 0x55);
	vtd_driver_submit(&f.d, SPEC_VTD_QI_WAIT | 1 << 4, 0);
	assert_int_equal(f.d.interrupt_count, 1);
	vtd_driver_write(&f.d, SPEC_VTD_ICS, 1);
	vtd_driver_submit(&f.d, SPEC_VTD_QI_WAIT | 1 << 4, 0);
	assert_int_equal(f.d.interrupt_count, 2);
	/* Masked and then served: nothing is pending any more. */
	vtd_driver_write(&f.d, SPEC_VTD_ICS, 1);
	vtd_driver_write(&f.d, SPEC_VTD_IECTL, 0x80000000);
	vtd_driver_submit(&f.d, SPEC_VTD_QI_WAIT | 1 << 4, 0);
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_IECTL), 0xc0000000);
	vtd_driver_write(&f.d, SPEC_VTD_ICS, 1);
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_IECTL), 0x80000000);
	vtd_driver_stop(&f.d);
}

static void bad_descriptors_stop_the_queue_with_what_is_wrong(void **state)
{
	static const struct {
		uint64_t words[2];
		unsigned info;
	} rows[] = {
		{ { 0 }, SPEC_VTD_IQEI_TYPE },
		{ { 10 }, SPEC_VTD_IQEI_TYPE },
		{ { 15 }, SPEC_VTD_IQEI_TYPE },
		{ { SPEC_VTD_QI_IOTLB | 1 << 4 | 1 << 9 }, SPEC_VTD_IQEI_TYPE },
		{ { SPEC_VTD_QI_PASID_CACHE | 3 << 4 }, SPEC_VTD_IQEI_TTM },
		{ { SPEC_VTD_QI_PASID_IOTLB | 2 << 4 }, SPEC_VTD_IQEI_TTM },
		{ { SPEC_VTD_QI_PASID_DEVICE_TLB }, SPEC_VTD_IQEI_TTM },
		{ { SPEC_VTD_QI_PAGE_RESPONSE }, SPEC_VTD_IQEI_TTM },
		{ { SPEC_VTD_QI_CONTEXT }, SPEC_VTD_IQEI_RESERVED }, /* G = 0 */
		{ { SPEC_VTD_QI_CONTEXT | 1 << 4 | 1 << 6 }, SPEC_VTD_IQEI_RESERVED },
		{ { SPEC_VTD_QI_CONTEXT | 1 << 4 | UINT64_C(1) << 50 }, SPEC_VTD_IQEI_RESERVED },
		{ { SPEC_VTD_QI_CONTEXT | 1 << 4, 1 }, SPEC_VTD_IQEI_RESERVED },
		{ { SPEC_VTD_QI_IOTLB }, SPEC_VTD_IQEI_RESERVED },
		{ { SPEC_VTD_QI_IOTLB | 1 << 4 | 1 << 8 }, SPEC_VTD_IQEI_RESERVED },
		{ { SPEC_VTD_QI_IOTLB | 1 << 4 | UINT64_C(1) << 32 }, SPEC_VTD_IQEI_RESERVED },
		{ { SPEC_VTD_QI_IOTLB | 3 << 4, 1 << 7 }, SPEC_VTD_IQEI_RESERVED },
		{ { SPEC_VTD_QI_IOTLB | 3 << 4, 19 }, SPEC_VTD_IQEI_RESERVED }, /* AM > MAMV */
		{ { SPEC_VTD_QI_DEVICE_TLB | 1 << 5 }, SPEC_VTD_IQEI_RESERVED },
		{ { SPEC_VTD_QI_DEVICE_TLB, 2 }, SPEC_VTD_IQEI_RESERVED },
		{ { SPEC_VTD_QI_INTERRUPT | 1 << 5 }, SPEC_VTD_IQEI_RESERVED },
		{ { SPEC_VTD_QI_INTERRUPT | 1 << 4 | UINT64_C(16) << 27 }, SPEC_VTD_IQEI_RESERVED },
		{ { SPEC_VTD_QI_INTERRUPT, 1 }, SPEC_VTD_IQEI_RESERVED },
		{ { SPEC_VTD_QI_WAIT | 1 << 12 }, SPEC_VTD_IQEI_RESERVED },
		{ { SPEC_VTD_QI_WAIT | 1 << 5, 1 }, SPEC_VTD_IQEI_RESERVED },
	};

	(void)state;
	for (unsigned i = 0; i < array_len(rows); i++) {
		struct fixture f;
		uint64_t head;

		start(&f, SPEC_VTD_TTM_LEGACY);
		vtd_driver_flush(&f.d);
		head = vtd_driver_read(&f.d, SPEC_VTD_IQH);
		vtd_driver_submit(&f.d, rows[i].words[0], rows[i].words[1]);
		if (vtd_driver_read(&f.d, SPEC_VTD_FSTS) != field_mask(SPEC_VTD_FSTS_IQE) ||
		    field_get(vtd_driver_read(&f.d, SPEC_VTD_IQERCD), SPEC_VTD_IQERCD_IQEI) !=
			    rows[i].info)
			fail_msg("row %u: FSTS %" PRIx64 " IQERCD %" PRIx64, i,
				 vtd_driver_read(&f.d, SPEC_VTD_FSTS),
				 vtd_driver_read(&f.d, SPEC_VTD_IQERCD));
		/* The head stays at it, and nothing behind it is done. */
		assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_IQH), head);
		assert_false(vtd_driver_wait(&f.d));
		/* Mended and cleared, the queue goes on from there. */
		vtd_driver_put(&f.d, f.d.queue + head, SPEC_VTD_QI_IOTLB | 1 << 4);
		vtd_driver_put(&f.d, f.d.queue + head + 8, 0);
		vtd_driver_write(&f.d, SPEC_VTD_FSTS, field_mask(SPEC_VTD_FSTS_IQE));
		assert_true(vtd_driver_waited(&f.d));
		assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_IQH),
				 vtd_driver_read(&f.d, SPEC_VTD_IQT));
		vtd_driver_stop(&f.d);
	}
}

static void expect_error(struct vtd_driver *d, unsigned info)
{
	assert_true(field_is_set(vtd_driver_read(d, SPEC_VTD_FSTS), SPEC_VTD_FSTS_IQE));
	assert_int_equal(field_get(vtd_driver_read(d, SPEC_VTD_IQERCD), SPEC_VTD_IQERCD_IQEI),
			 info);
}

static void a_queue_that_cannot_be_used_is_an_error(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, SPEC_VTD_TTM_LEGACY);
	vtd_driver_write(&f.d, SPEC_VTD_IQT, 0x4000); /* two pages end at 2000h */
	expect_error(&f.d, SPEC_VTD_IQEI_TAIL);
	vtd_driver_stop(&f.d);
	/* No memory. */
	start(&f, SPEC_VTD_TTM_LEGACY);
	vtd_driver_command(&f.d, SPEC_VTD_GCMD_QIE, false);
	vtd_driver_write(&f.d, SPEC_VTD_IQA, UINT64_C(1) << 40);
	vtd_driver_command(&f.d, SPEC_VTD_GCMD_QIE, true);
	vtd_driver_write(&f.d, SPEC_VTD_IQT, 0x10);
	expect_error(&f.d, SPEC_VTD_IQEI_FETCH);
	vtd_driver_stop(&f.d);
	/* Half a descriptor of 256 bits. */
	start(&f, SPEC_VTD_TTM_SCALABLE);
	vtd_driver_write(&f.d, SPEC_VTD_IQT, 0x30);
	expect_error(&f.d, SPEC_VTD_IQEI_ALIGNMENT);
	vtd_driver_stop(&f.d);
	/* Scalable mode with descriptors of 128 bits. */
	start(&f, SPEC_VTD_TTM_SCALABLE);
	vtd_driver_command(&f.d, SPEC_VTD_GCMD_QIE, false);
	vtd_driver_write(&f.d, SPEC_VTD_IQA, f.d.queue);
	vtd_driver_write(&f.d, SPEC_VTD_IQT, 0x0);
	vtd_driver_command(&f.d, SPEC_VTD_GCMD_QIE, true);
	vtd_driver_write(&f.d, SPEC_VTD_IQT, 0x10);
	expect_error(&f.d, SPEC_VTD_IQEI_WIDTH);
	vtd_driver_stop(&f.d);
	/* Words 2 and 3 of a wide descriptor are reserved. */
	start(&f, SPEC_VTD_TTM_SCALABLE);
	vtd_driver_put(&f.d, f.d.queue, SPEC_VTD_QI_IOTLB | 1 << 4);
	vtd_driver_put(&f.d, f.d.queue + 24, 1);
	vtd_driver_write(&f.d, SPEC_VTD_IQT, 0x20);
	expect_error(&f.d, SPEC_VTD_IQEI_RESERVED);
	vtd_driver_stop(&f.d);
}

static void a_queue_error_interrupts_as_a_fault_does(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, SPEC_VTD_TTM_LEGACY);
	vtd_driver_write(&f.d, SPEC_VTD_FECTL, 0);
	vtd_driver_submit(&f.d, 0, 0);
	assert_int_equal(f.d.interrupt_count, 1);
	/* A fault on top of it is no new condition. */
	vtd_driver_ask(&f.d, 0x7700, 0, IOMMU_READ);
	vtd_poll(f.d.vtd, 0);
	assert_int_equal(f.d.interrupt_count, 1);
	vtd_driver_stop(&f.d);
}

static void the_queue_goes_round_many_times(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, SPEC_VTD_TTM_LEGACY);
	for (unsigned i = 0; i < 3000; i++)
		assert_true(vtd_driver_flush_pages(&f.d, DOMAIN_A, i * UINT64_C(0x1000), i % 19));
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_FSTS), 0);
	vtd_driver_stop(&f.d);
}

static void a_long_queue_is_worked_off_in_portions(void **state)
{
	enum { DESCRIPTORS = 1600 };
	struct fixture f;
	uint64_t queue, status;
	unsigned polls = 0;

	(void)state;
	start(&f, SPEC_VTD_TTM_LEGACY);
	vtd_driver_command(&f.d, SPEC_VTD_GCMD_QIE, false);
	queue = vtd_driver_page(&f.d);
	for (unsigned i = 1; i < 8; i++)
		vtd_driver_page(&f.d);
	status = vtd_driver_page(&f.d);
	for (unsigned i = 0; i < DESCRIPTORS - 1; i++)
		vtd_driver_put(&f.d, queue + i * 16, SPEC_VTD_QI_IOTLB | 1 << 4);
	vtd_driver_put(&f.d, queue + (DESCRIPTORS - 1) * 16,
		       SPEC_VTD_QI_WAIT | 1 << 5 | UINT64_C(1) << 32);
	vtd_driver_put(&f.d, queue + (DESCRIPTORS - 1) * 16 + 8, status);
	vtd_driver_write(&f.d, SPEC_VTD_IQA, queue | 3);
	vtd_driver_write(&f.d, SPEC_VTD_IQT, 0);
	vtd_driver_command(&f.d, SPEC_VTD_GCMD_QIE, true);
	vtd_driver_write(&f.d, SPEC_VTD_IQT, DESCRIPTORS * 16);
	while (!vtd_driver_get(&f.d, status)) {
		assert_int_equal(vtd_poll(f.d.vtd, 9), polls < 2 ? 9 : UINT64_MAX);
		polls++;
		if (vtd_driver_get(&f.d, status))
			break;
	}
	assert_in_range(polls, 2, 4);
	vtd_driver_stop(&f.d);
}

static void registers_invalidate_when_the_queue_is_off(void **state)
{
	static const struct {
		unsigned granularity, expect;
		uint64_t iva;
		unsigned left;
	} rows[] = {
		{ 1, 1, 0, 0x00 },	{ 2, 2, 0, 0xf0 },
		{ 3, 3, 0x1000, 0xfe }, { 3, 0, 19, 0xff }, /* AM > MAMV: ignored */
		{ 0, 0, 0, 0xff },
	};
	struct fixture f;
	uint64_t done;

	(void)state;
	start(&f, SPEC_VTD_TTM_LEGACY);
	for (unsigned i = 0; i < array_len(rows); i++) {
		use_and_unmap(&f);
		vtd_driver_command(&f.d, SPEC_VTD_GCMD_QIE, false);
		/* That command is an invalidation in itself: fill the caches again. */
		vtd_driver_write(&f.d, SPEC_VTD_IQT, 0);
		vtd_driver_command(&f.d, SPEC_VTD_GCMD_QIE, true);
		use_and_unmap(&f);
		vtd_driver_command(&f.d, SPEC_VTD_GCMD_QIE, false);
		vtd_write(f.d.vtd, 0xf0, 8, rows[i].iva);
		vtd_write(f.d.vtd, 0xf8, 8,
			  field_mask(SPEC_VTD_IOTLB_IVT) |
				  field_make(SPEC_VTD_IOTLB_IIRG, rows[i].granularity) |
				  field_make(SPEC_VTD_IOTLB_DID, DOMAIN_A));
		done = vtd_read(f.d.vtd, 0xf8, 8);
		assert_false(field_is_set(done, SPEC_VTD_IOTLB_IVT));
		assert_int_equal(field_get(done, SPEC_VTD_IOTLB_IAIG), rows[i].expect);
		vtd_driver_write(&f.d, SPEC_VTD_IQT, 0);
		vtd_driver_command(&f.d, SPEC_VTD_GCMD_QIE, true);
	}
	vtd_driver_stop(&f.d);
}

/* Caches filled without the queue ever being on, ended by registers alone. */
static void registers_end_what_they_name(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, SPEC_VTD_TTM_LEGACY);
	vtd_driver_command(&f.d, SPEC_VTD_GCMD_QIE, false);
	assert_true(reaches(&f, A, 0x1000) && reaches(&f, A, 0x2000) && reaches(&f, B, 0x1000));
	map(&f, f.root_a, 0x1000, 0, 12);
	map(&f, f.root_a, 0x2000, 0, 12);
	map(&f, f.root_b, 0x1000, 0, 12);
	vtd_write(f.d.vtd, 0xf0, 8, 0x1000);
	/* By halves: the upper one starts it. */
	vtd_write(f.d.vtd, 0xf8, 4, 0);
	vtd_write(f.d.vtd, 0xfc, 4, 0xb0000000 | DOMAIN_A);
	assert_false(reaches(&f, A, 0x1000));
	assert_true(reaches(&f, A, 0x2000) && reaches(&f, B, 0x1000));
	vtd_write(f.d.vtd, 0xf8, 8, UINT64_C(0xa) << 60 | (uint64_t)DOMAIN_A << 32);
	assert_false(reaches(&f, A, 0x2000));
	assert_true(reaches(&f, B, 0x1000));
	vtd_write(f.d.vtd, 0xf8, 8, UINT64_C(0x9) << 60);
	assert_false(reaches(&f, B, 0x1000));
	/* Contexts. */
	assert_true(reaches(&f, A, 0x200000) && reaches(&f, B, 0x200000));
	vtd_driver_context(&f.d, A, 0, 0);
	vtd_driver_context(&f.d, B, 0, 0);
	assert_true(reaches(&f, A, 0x200000) && reaches(&f, B, 0x200000));
	vtd_driver_write(&f.d, SPEC_VTD_CCMD, UINT64_C(7) << 61 | DOMAIN_A | A << 16);
	assert_int_equal(vtd_driver_read(&f.d, SPEC_VTD_CCMD) >> 59, 0xe); /* 3 asked, 2 done */
	assert_false(reaches(&f, A, 0x200000));
	assert_true(reaches(&f, B, 0x200000));
	vtd_driver_write(&f.d, SPEC_VTD_CCMD, UINT64_C(5) << 61);
	assert_false(reaches(&f, B, 0x200000));
	vtd_driver_stop(&f.d);
}

static void registers_do_not_invalidate_beside_the_queue(void **state)
{
	struct fixture f;
	uint64_t done;

	(void)state;
	start(&f, SPEC_VTD_TTM_LEGACY);
	use_and_unmap(&f);
	vtd_write(f.d.vtd, 0xf8, 8, UINT64_C(0x9) << 60);
	done = vtd_read(f.d.vtd, 0xf8, 8);
	assert_int_equal(field_get(done, SPEC_VTD_IOTLB_IAIG), SPEC_VTD_GRANULARITY_RESERVED);
	assert_false(field_is_set(done, SPEC_VTD_IOTLB_IVT));
	vtd_driver_stop(&f.d);
}

static void ivt_stays_set_until_readers_have_left(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, SPEC_VTD_TTM_LEGACY);
	vtd_driver_command(&f.d, SPEC_VTD_GCMD_QIE, false);
	vtd_reader_enter(f.d.reader);
	vtd_write(f.d.vtd, 0xf8, 8, UINT64_C(0x9) << 60);
	vtd_driver_write(&f.d, SPEC_VTD_CCMD, UINT64_C(5) << 61);
	vtd_poll(f.d.vtd, 0);
	assert_true(field_is_set(vtd_read(f.d.vtd, 0xf8, 8), SPEC_VTD_IOTLB_IVT));
	assert_true(field_is_set(vtd_driver_read(&f.d, SPEC_VTD_CCMD), SPEC_VTD_CCMD_ICC));
	/* A command under way is not overwritten. */
	vtd_write(f.d.vtd, 0xf8, 8, 0);
	assert_true(field_is_set(vtd_read(f.d.vtd, 0xf8, 8), SPEC_VTD_IOTLB_IVT));
	vtd_reader_leave(f.d.reader);
	vtd_poll(f.d.vtd, 0);
	assert_false(field_is_set(vtd_read(f.d.vtd, 0xf8, 8), SPEC_VTD_IOTLB_IVT));
	assert_false(field_is_set(vtd_driver_read(&f.d, SPEC_VTD_CCMD), SPEC_VTD_CCMD_ICC));
	vtd_driver_stop(&f.d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(iotlb_invalidation_ends_what_it_names),
		cmocka_unit_test(a_kept_upper_table_is_used_until_it_is_invalidated),
		cmocka_unit_test(context_invalidation_ends_what_it_names),
		cmocka_unit_test(pasid_invalidation_ends_what_it_names),
		cmocka_unit_test(the_pasid_cache_is_used_until_it_is_invalidated),
		cmocka_unit_test(interrupt_entries_are_used_until_they_are_invalidated),
		cmocka_unit_test(blocked_interrupts_are_logged_with_their_index),
		cmocka_unit_test(a_wait_is_complete_when_readers_have_left),
		cmocka_unit_test(what_is_behind_a_wait_happens_after_it),
		cmocka_unit_test(a_wait_with_if_interrupts_once_until_it_is_served),
		cmocka_unit_test(bad_descriptors_stop_the_queue_with_what_is_wrong),
		cmocka_unit_test(a_queue_that_cannot_be_used_is_an_error),
		cmocka_unit_test(a_queue_error_interrupts_as_a_fault_does),
		cmocka_unit_test(the_queue_goes_round_many_times),
		cmocka_unit_test(a_long_queue_is_worked_off_in_portions),
		cmocka_unit_test(registers_invalidate_when_the_queue_is_off),
		cmocka_unit_test(registers_end_what_they_name),
		cmocka_unit_test(registers_do_not_invalidate_beside_the_queue),
		cmocka_unit_test(ivt_stays_set_until_readers_have_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
