#include "iommu/dma.h"

#include "tests/check.h"

static struct atc *new_atc(void)
{
	struct atc *atc = malloc(atc_size());

	assert_non_null(atc);
	atc_init(atc);
	return atc;
}

static uint64_t drain(struct atc *atc)
{
	struct atc_request request;
	uint64_t n = 0;

	while (atc_take_request(atc, &request))
		n++;
	return n;
}

static void put(struct atc *atc, uint64_t iova, uint64_t size, uint64_t target, uint8_t access)
{
	atc_put(atc, &(struct atc_entry){ iova, size, target, access });
}

static void a_miss_is_asked_for_once_until_it_is_answered(void **state)
{
	struct atc *atc = new_atc();
	struct atc_request request;

	(void)state;
	assert_false(atc_must_tell(atc));
	assert_null(atc_find(atc, 0x1234, DMA_READ));
	assert_null(atc_find(atc, 0x1fff, DMA_READ));
	assert_true(atc_must_tell(atc));
	assert_false(atc_must_tell(atc));
	assert_true(atc_take_request(atc, &request));
	assert_int_equal(request.iova, 0x1000);
	assert_int_equal(request.access, DMA_READ);
	assert_false(atc_take_request(atc, &request));
	assert_null(atc_find(atc, 0x1234, DMA_READ));
	assert_false(atc_must_tell(atc));
	put(atc, 0x1000, 0x1000, 0x9000, DMA_READ);
	assert_non_null(atc_find(atc, 0x1234, DMA_READ));
	assert_int_equal(atc_requests_total(atc), 1);
	free(atc);
}

static void another_right_is_asked_for_again(void **state)
{
	struct atc *atc = new_atc();
	struct atc_request request;

	(void)state;
	put(atc, 0x1000, 0x1000, 0x9000, DMA_READ);
	assert_null(atc_find(atc, 0x1000, DMA_WRITE));
	assert_true(atc_take_request(atc, &request));
	assert_int_equal(request.access, DMA_WRITE);
	assert_null(atc_find(atc, 0x1000, DMA_READ | DMA_WRITE));
	assert_true(atc_take_request(atc, &request));
	assert_int_equal(request.access, DMA_READ | DMA_WRITE);
	put(atc, 0x1000, 0x1000, 0x9000, DMA_READ | DMA_WRITE);
	assert_non_null(atc_find(atc, 0x1fff, DMA_WRITE));
	assert_int_equal(drain(atc), 0);
	free(atc);
}

static void an_unanswered_request_is_asked_again_in_the_end(void **state)
{
	struct atc *atc = new_atc();

	(void)state;
	assert_null(atc_find(atc, 0, DMA_READ));
	assert_int_equal(drain(atc), 1);
	for (unsigned i = 0; i < ATC_PATIENCE; i++)
		assert_null(atc_find(atc, 0, DMA_READ));
	assert_true(atc_must_tell(atc));
	assert_int_equal(drain(atc), 1);
	free(atc);
}

static void a_full_list_of_requests_forgets_what_was_handed_out_first(void **state)
{
	struct atc *atc = new_atc();

	(void)state;
	for (uint64_t i = 0; i < ATC_REQUESTS; i++)
		assert_null(atc_find(atc, i * ATC_PAGE_SIZE, DMA_READ));
	assert_int_equal(drain(atc), ATC_REQUESTS);
	assert_null(atc_find(atc, UINT64_C(1) << 40, DMA_READ));
	assert_int_equal(drain(atc), 1);
	for (uint64_t i = 0; i < ATC_REQUESTS; i++)
		assert_null(atc_find(atc, (UINT64_C(1) << 50) + i * ATC_PAGE_SIZE, DMA_READ));
	assert_int_equal(drain(atc), ATC_REQUESTS);
	free(atc);
}

static void empty_and_wrapping_translations_are_ignored(void **state)
{
	struct atc *atc = new_atc();

	(void)state;
	put(atc, 0x1000, 0, 0, DMA_READ);
	put(atc, UINT64_MAX - 10, 100, 0, DMA_READ);
	assert_null(atc_find(atc, 0x1000, DMA_READ));
	assert_null(atc_find(atc, UINT64_MAX - 5, DMA_READ));
	put(atc, UINT64_MAX - 0xfff, 0x1000, 0x7000, DMA_READ); /* the last page is fine */
	assert_non_null(atc_find(atc, UINT64_MAX, DMA_READ));
	free(atc);
}

static void a_full_cache_evicts_the_oldest(void **state)
{
	struct atc *atc = new_atc();

	(void)state;
	for (uint64_t i = 0; i <= ATC_ENTRIES; i++)
		put(atc, i * ATC_PAGE_SIZE, ATC_PAGE_SIZE, i, DMA_READ);
	assert_null(atc_find(atc, 0, DMA_READ));
	for (uint64_t i = 1; i <= ATC_ENTRIES; i++)
		assert_int_equal(atc_find(atc, i * ATC_PAGE_SIZE, DMA_READ)->target, i);
	free(atc);
}

/* An oracle: what each of 64 pages translates to. */
static void random_puts_and_drops_agree_with_a_plain_table(void **state)
{
	enum { PAGES = 64 };
	uint64_t seed = check_seed(), table[PAGES] = { 0 };
	struct atc *atc = new_atc();

	(void)state;
	for (unsigned step = 0; step < 20000; step++) {
		uint64_t first = rand_u64(&seed) % PAGES;
		uint64_t count = 1 + rand_u64(&seed) % (PAGES - first);
		uint64_t page = rand_u64(&seed) % PAGES;
		const struct atc_entry *found;
		uint32_t epoch = atc_epoch(atc);

		switch (rand_u64(&seed) % 4) {
		case 0:
			put(atc, first << 12, 4096, (step + 1ull) << 12, DMA_READ);
			table[first] = (step + 1ull) << 12;
			assert_int_equal(atc_epoch(atc), epoch);
			break;
		case 1:
			atc_drop(atc, first << 12, count << 12);
			memset(&table[first], 0, count * sizeof table[0]);
			assert_int_not_equal(atc_epoch(atc), epoch);
			break;
		default:
			found = atc_find(atc, (page << 12) + 7, DMA_READ);
			assert_int_equal(found ? found->target : 0, table[page]);
		}
	}
	atc_drop(atc, 0, UINT64_MAX);
	for (uint64_t page = 0; page < PAGES; page++)
		assert_null(atc_find(atc, page << 12, DMA_READ));
	free(atc);
}

static uint8_t low[8192], high[4096];
static const struct dma_region regions[] = {
	{ .base = 0x10000, .size = sizeof low, .user_base = 0x7f0000000000, .host = low },
	{ .base = 0x40000, .size = sizeof high, .user_base = 0x7e0000000000, .host = high },
};

static void addresses_are_found_in_their_regions_and_nowhere_else(void **state)
{
	struct dma dma = { .regions = regions, .region_count = 2 };
	uint8_t *host;
	uint32_t got;

	(void)state;
	assert_int_equal(dma_reach(&dma, 0x10000, 8192, DMA_READ, &host, &got), DMA_OK);
	assert_ptr_equal(host, low);
	assert_int_equal(got, 8192);
	assert_int_equal(dma_reach(&dma, 0x40ff0, 100, DMA_WRITE, &host, &got), DMA_OK);
	assert_ptr_equal(host, high + 0xff0);
	assert_int_equal(got, 16);
	assert_ptr_equal(dma_near(&dma, 0x40ff0, 16), high + 0xff0);
	assert_null(dma_near(&dma, 0x40ff0, 17));
	assert_null(dma_near(&dma, 0x10000, 1));
	assert_int_equal(dma_reach(&dma, 0xffff, 10, DMA_READ, &host, &got), DMA_FAULT);
	assert_int_equal(dma_reach(&dma, 0x12000, 1, DMA_READ, &host, &got), DMA_FAULT);
	assert_int_equal(dma_reach(&dma, 0x41000, 1, DMA_READ, &host, &got), DMA_FAULT);
	assert_int_equal(dma_reach(&dma, 0x10000, 0, DMA_READ, &host, &got), DMA_FAULT);
	assert_int_equal(dma_reach(&dma, UINT64_MAX, 2, DMA_READ, &host, &got), DMA_FAULT);
	dma.region_count = 0;
	assert_int_equal(dma_reach(&dma, 0x10000, 1, DMA_READ, &host, &got), DMA_FAULT);
	assert_null(dma_near(&dma, 0x10000, 1));
}

static void translated_addresses_are_cut_at_the_end_of_a_translation(void **state)
{
	struct atc *atc = new_atc();
	struct dma dma = { .regions = regions, .region_count = 2, .atc = atc };
	uint8_t *host;
	uint32_t got, epoch = dma_epoch(&dma);

	(void)state;
	assert_int_equal(dma_reach(&dma, 0x5000, 100, DMA_READ, &host, &got), DMA_MISS);
	put(atc, 0x5000, 0x1000, 0x7f0000001000, DMA_READ);
	put(atc, 0x6000, 0x1000, 0x7d0000000000, DMA_READ);
	assert_int_equal(dma_reach(&dma, 0x5ff0, 100, DMA_READ, &host, &got), DMA_OK);
	assert_ptr_equal(host, low + 0x1ff0);
	assert_int_equal(got, 16);
	assert_int_equal(dma_reach(&dma, 0x5ff0, 100, DMA_WRITE, &host, &got), DMA_MISS);
	assert_int_equal(dma_reach(&dma, 0x6000, 1, DMA_READ, &host, &got), DMA_FAULT);
	atc_drop(atc, 0x5000, 1);
	assert_int_not_equal(dma_epoch(&dma), epoch);
	assert_int_equal(dma_reach(&dma, 0x5ff0, 100, DMA_READ, &host, &got), DMA_MISS);
	free(atc);
}

static void written_pages_are_logged_and_a_short_log_is_not_overrun(void **state)
{
	uint8_t bits[4] = { 0 };
	struct dma dma = { .regions = regions, .region_count = 2 };

	(void)state;
	dma_wrote(&dma, low, 1); /* nobody asks */
	dma.log = (struct dma_log){ bits, 3 };
	dma_wrote(&dma, low + 4095, 2); /* pages 0x10 and 0x11 */
	assert_int_equal(bits[2], 3);
	dma_wrote(&dma, high, 1); /* page 0x40 is behind the log */
	dma_wrote(&dma, bits, 1); /* not guest memory */
	dma_wrote_guest(&dma, 0x3000, 1);
	dma_wrote_guest(&dma, UINT64_MAX, 2);
	dma_wrote_guest(&dma, 0, 0);
	assert_int_equal(bits[0], 8);
	assert_int_equal(bits[1] | bits[3], 0);
	assert_int_equal(bits[2], 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_miss_is_asked_for_once_until_it_is_answered),
		cmocka_unit_test(another_right_is_asked_for_again),
		cmocka_unit_test(an_unanswered_request_is_asked_again_in_the_end),
		cmocka_unit_test(a_full_list_of_requests_forgets_what_was_handed_out_first),
		cmocka_unit_test(empty_and_wrapping_translations_are_ignored),
		cmocka_unit_test(a_full_cache_evicts_the_oldest),
		cmocka_unit_test(random_puts_and_drops_agree_with_a_plain_table),
		cmocka_unit_test(addresses_are_found_in_their_regions_and_nowhere_else),
		cmocka_unit_test(translated_addresses_are_cut_at_the_end_of_a_translation),
		cmocka_unit_test(written_pages_are_logged_and_a_short_log_is_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
