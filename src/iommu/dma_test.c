#include "iommu/dma.h"

#include "sim/plain_domain.h"
#include "tests/check.h"

static uint64_t drain(struct page_requests *requests)
{
	struct page_request request;
	uint64_t n = 0;

	while (page_requests_take(requests, &request))
		n++;
	return n;
}

static void a_miss_is_asked_for_once_until_it_is_answered(void **state)
{
	static struct page_requests requests;
	struct page_request request;

	(void)state;
	assert_false(page_requests_must_tell(&requests));
	page_requests_note(&requests, 0x1234, DMA_READ);
	page_requests_note(&requests, 0x1fff, DMA_READ);
	assert_true(page_requests_must_tell(&requests));
	assert_false(page_requests_must_tell(&requests));
	assert_true(page_requests_take(&requests, &request));
	assert_int_equal(request.iova, 0x1000);
	assert_int_equal(request.access, DMA_READ);
	assert_false(page_requests_take(&requests, &request));
	page_requests_note(&requests, 0x1234, DMA_READ);
	assert_false(page_requests_must_tell(&requests));
	assert_int_equal(requests.total, 1);
	page_requests_answer(&requests, 0x1000, 0x1000, DMA_READ);
	page_requests_note(&requests, 0x1234, DMA_READ); /* taken back meanwhile */
	assert_true(page_requests_must_tell(&requests));
	assert_int_equal(requests.total, 2);
}

static void another_right_is_asked_for_again(void **state)
{
	static struct page_requests requests;
	struct page_request request;

	(void)state;
	page_requests_note(&requests, 0x1000, DMA_WRITE);
	assert_true(page_requests_take(&requests, &request));
	assert_int_equal(request.access, DMA_WRITE);
	page_requests_note(&requests, 0x1000, DMA_READ);
	assert_true(page_requests_take(&requests, &request));
	assert_int_equal(request.access, DMA_READ | DMA_WRITE);
	page_requests_answer(&requests, 0, 0x10000, DMA_READ); /* is not all it asks for */
	assert_int_equal(requests.count, 1);
	page_requests_answer(&requests, 0x2000, 0x10000, DMA_READ | DMA_WRITE);
	assert_int_equal(requests.count, 1);
	page_requests_answer(&requests, 0, 0x10000, DMA_READ | DMA_WRITE);
	assert_int_equal(requests.count, 0);
}

static void an_unanswered_request_is_asked_again_in_the_end(void **state)
{
	static struct page_requests requests;

	(void)state;
	page_requests_note(&requests, 0, DMA_READ);
	assert_int_equal(drain(&requests), 1);
	for (unsigned i = 0; i < PAGE_REQUESTS_PATIENCE - 1; i++)
		page_requests_note(&requests, 0, DMA_READ);
	assert_false(page_requests_must_tell(&requests));
	page_requests_note(&requests, 0, DMA_READ);
	assert_true(page_requests_must_tell(&requests));
	assert_int_equal(drain(&requests), 1);
}

static void a_full_list_of_requests_forgets_what_was_handed_out_first(void **state)
{
	static struct page_requests requests;

	(void)state;
	for (uint64_t i = 0; i < PAGE_REQUESTS_MAX; i++)
		page_requests_note(&requests, i * PAGE_REQUEST_SIZE, DMA_READ);
	assert_int_equal(drain(&requests), PAGE_REQUESTS_MAX);
	page_requests_note(&requests, UINT64_C(1) << 40, DMA_READ);
	assert_int_equal(drain(&requests), 1);
	for (uint64_t i = 0; i < PAGE_REQUESTS_MAX; i++)
		page_requests_note(&requests, (UINT64_C(1) << 50) + i * PAGE_REQUEST_SIZE, DMA_READ);
	assert_int_equal(drain(&requests), PAGE_REQUESTS_MAX);
	page_requests_clear(&requests);
	assert_int_equal(drain(&requests), 0);
}

static uint8_t low[8192], high[4096];
static const struct dma_region regions[] = {
	{ .base = 0x10000, .size = sizeof low, .user_base = 0x7f0000000000, .host = low },
	{ .base = 0x40000, .size = sizeof high, .user_base = 0x7e0000000000, .host = high },
};

/* A function with both regions. */
struct function {
	struct plain_domain plain;
	struct dma dma;
	struct counter blocked;
	uint8_t *host;
	uint32_t got;
};

static void function_open(struct function *f)
{
	memset(f, 0, sizeof *f);
	plain_domain_init(&f->plain);
	dma_init(&f->dma, &f->plain.domain, &f->blocked);
	for (unsigned i = 0; i < array_len(regions); i++)
		plain_domain_grant(&f->plain, &regions[i]);
}

static enum dma_outcome reach(struct function *f, uint64_t addr, uint32_t size,
			      enum dma_access access)
{
	return dma_reach(&f->dma, addr, size, access, &f->host, &f->got);
}

static void addresses_are_found_where_they_are_granted_and_nowhere_else(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t size;
	} outside[] = { { 0xffff, 10 }, { 0x12000, 1 }, { 0x41000, 1 }, { 0x10000, 0 },
			{ UINT64_MAX, 2 } };
	static struct function f;

	(void)state;
	function_open(&f);
	assert_int_equal(reach(&f, 0x10000, 8192, DMA_READ), DMA_OK);
	assert_ptr_equal(f.host, low);
	assert_int_equal(f.got, 8192);
	assert_int_equal(reach(&f, 0x40ff0, 100, DMA_WRITE), DMA_OK);
	assert_ptr_equal(f.host, high + 0xff0);
	assert_int_equal(f.got, 16);
	assert_ptr_equal(dma_near(&f.dma, 0x40ff0, 16, DMA_WRITE), high + 0xff0);
	assert_null(dma_near(&f.dma, 0x40ff0, 17, DMA_WRITE));
	assert_null(dma_near(&f.dma, 0x10000, 1, DMA_WRITE));
	assert_ptr_equal(dma_near(&f.dma, 0x10000, 1, DMA_READ), low);
	for (unsigned i = 0; i < array_len(outside); i++) {
		assert_int_equal(reach(&f, outside[i].addr, outside[i].size, DMA_READ), DMA_FAULT);
		assert_int_equal(f.plain.blocked, i + 1);
		assert_int_equal(f.plain.blocked_address, outside[i].addr);
		assert_int_equal(counter_get(&f.blocked), i + 1);
		assert_null(dma_near(&f.dma, outside[i].addr, 1, DMA_WRITE));
	}
	dma_forget(&f.dma, 0, UINT64_MAX);
	assert_null(dma_near(&f.dma, 0x40ff0, 1, DMA_WRITE));
}

static void who_has_no_domain_reaches_nothing(void **state)
{
	static struct dma dma;
	uint8_t *host;
	uint32_t got;

	(void)state;
	dma_init(&dma, NULL, NULL);
	assert_int_equal(dma_reach(&dma, 0x10000, 1, DMA_READ, &host, &got), DMA_FAULT);
	assert_int_equal(dma_reach(&dma, 0, 1, DMA_WRITE, &host, &got), DMA_FAULT);
	assert_null(dma_near(&dma, 0, 1, DMA_READ));
}

static int map(struct function *f, uint64_t iova, uint64_t size, uint8_t *host, uint8_t access)
{
	return f->plain.domain.ops->map(&f->plain.domain, (struct iommu_range){ iova, size }, host,
					access);
}

static void a_right_that_was_not_granted_is_not_taken_from_a_kept_range(void **state)
{
	static struct function f;

	(void)state;
	function_open(&f);
	assert_int_equal(map(&f, 0x5000, 0x1000, low, DMA_READ), 0);
	assert_int_equal(reach(&f, 0x5000, 1, DMA_READ), DMA_OK);
	assert_int_equal(reach(&f, 0x5000, 1, DMA_WRITE), DMA_FAULT);
	assert_int_equal(reach(&f, 0x5000, 1, DMA_READ | DMA_WRITE), DMA_FAULT);
	assert_null(dma_near(&f.dma, 0x5000, 1, DMA_WRITE));
	assert_int_equal(f.plain.blocked_access, DMA_READ | DMA_WRITE);
}

static void missing_translations_are_requested_and_cut_at_their_ends(void **state)
{
	static struct page_requests requests;
	static struct function f;
	uint32_t epoch;

	(void)state;
	function_open(&f);
	f.dma.requests = &requests;
	epoch = dma_epoch(&f.dma);
	assert_int_equal(reach(&f, 0x5000, 100, DMA_READ), DMA_MISS);
	assert_int_equal(requests.count, 1);
	assert_int_equal(map(&f, 0x5000, 0x1000, low + 0x1000, DMA_READ), 0);
	assert_int_equal(reach(&f, 0x5ff0, 100, DMA_READ), DMA_OK);
	assert_ptr_equal(f.host, low + 0x1ff0);
	assert_int_equal(f.got, 16);
	assert_int_equal(reach(&f, 0x5ff0, 100, DMA_WRITE), DMA_MISS);
	assert_int_equal(reach(&f, UINT64_MAX, 2, DMA_WRITE), DMA_FAULT); /* nobody can grant that */
	assert_int_equal(dma_epoch(&f.dma), epoch);
	assert_int_equal(f.plain.domain.ops->unmap(&f.plain.domain,
						   (struct iommu_range){ 0x5000, 0x1000 }), 0);
	f.plain.domain.ops->flush(&f.plain.domain);
	assert_int_not_equal(dma_epoch(&f.dma), epoch);
	assert_int_equal(reach(&f, 0x5ff0, 100, DMA_READ), DMA_MISS);
	assert_int_equal(f.plain.blocked, 1);
}

static void expect_in_order(const struct dma *dma)
{
	assert_true(dma->range_count <= DMA_RANGES);
	for (unsigned i = 0; i < dma->range_count; i++)
		assert_true(dma->ranges[i].size > 0);
	for (unsigned i = 1; i < dma->range_count; i++)
		assert_true(dma->ranges[i - 1].first + (dma->ranges[i - 1].size - 1) <
			    dma->ranges[i].first);
}

/* A domain in which pages below LARGE lie here in the opposite order, so that no two join, and above it is one
 * range to the last address there is. */
#define LARGE (UINT64_MAX / 2 + 1)

struct backwards {
	struct iommu_domain domain;
	unsigned asked;
};

static uint8_t *backwards_host(uint64_t page)
{
	return (uint8_t *)(uintptr_t)(0x600000000000 - page);
}

static bool backwards_translate(struct iommu_domain *domain, uint64_t address, uint8_t access,
				struct dma_range *range)
{
	const uint64_t page = address / 4096 * 4096;

	container_of(domain, struct backwards, domain)->asked++;
	*range = (struct dma_range){ page, 4096, backwards_host(page), access };
	if (address >= LARGE)
		*range = (struct dma_range){ LARGE, LARGE, NULL, access };
	return true;
}

static void no_more_is_kept_than_there_is_room_for(void **state)
{
	static const struct iommu_domain_ops ops = { .translate = backwards_translate };
	struct backwards b = { .domain = { .ops = &ops } };
	static struct dma dma;
	uint64_t seed = check_seed();
	uint8_t *host;
	uint32_t got;

	(void)state;
	dma_init(&dma, &b.domain, NULL);
	assert_int_equal(dma_reach(&dma, UINT64_MAX, 1, DMA_READ, &host, &got), DMA_OK);
	for (unsigned step = 0; step < 100000; step++) {
		uint64_t page = rand_u64(&seed) % (4 * DMA_RANGES) * 4096;

		assert_int_equal(dma_reach(&dma, page + 5, 1, DMA_READ, &host, &got), DMA_OK);
		assert_ptr_equal(host, backwards_host(page) + 5);
		assert_ptr_equal(dma_kept(&dma, page + 6, 4090, DMA_READ), backwards_host(page) + 6);
		assert_null(dma_kept(&dma, page + 6, 4091, DMA_READ));
		assert_null(dma_kept(&dma, page + 6, 1, DMA_WRITE));
		if (step % 4096)
			continue;
		expect_in_order(&dma);
		dma_forget(&dma, page, page + 50 * 4096 - 1);
		expect_in_order(&dma);
		for (uint64_t at = page; at < page + 50 * 4096; at += 4096)
			assert_null(dma_kept(&dma, at, 1, DMA_READ));
	}
	assert_int_equal(dma.range_count, DMA_RANGES);
	/* A range among the largest does not give way to pages. */
	assert_ptr_equal(dma_kept(&dma, UINT64_MAX, 1, DMA_READ), (uint8_t *)(uintptr_t)(LARGE - 1));
	b.asked = 0;
	for (unsigned i = 0; i < DMA_RANGES; i++)
		dma_reach(&dma, dma.ranges[i].first, 1, DMA_READ, &host, &got);
	assert_int_equal(b.asked, 0);
	dma_forget(&dma, UINT64_MAX, UINT64_MAX);
	assert_null(dma_kept(&dma, LARGE, 1, DMA_READ));
	dma_forget(&dma, 0, UINT64_MAX);
	assert_int_equal(dma.range_count, 0);
}

/* Who grants anew and has not flushed yet: the front may be told of both. */
static void what_is_told_last_takes_the_place_of_what_was_told_before(void **state)
{
	static struct function f;

	(void)state;
	function_open(&f);
	assert_int_equal(reach(&f, 0x10000, 1, DMA_READ), DMA_OK);
	assert_int_equal(map(&f, 0x11000, 0x2000, high, DMA_READ), 0);
	assert_int_equal(reach(&f, 0x12000, 1, DMA_READ), DMA_OK);
	assert_int_equal(reach(&f, 0x11005, 1, DMA_READ), DMA_OK);
	assert_ptr_equal(f.host, high + 5);
	expect_in_order(&f.dma);
	f.plain.domain.ops->flush(&f.plain.domain);
	assert_int_equal(reach(&f, 0x10ff0, 4096, DMA_READ), DMA_OK);
	assert_ptr_equal(f.host, low + 0xff0);
	assert_int_equal(f.got, 16);
	expect_in_order(&f.dma);
}

/* An oracle: what each of 64 pages is granted as. */
static void random_grants_and_what_was_kept_of_them_agree_with_a_plain_table(void **state)
{
	enum { PAGES = 64, PAGE = 4096 };
	static uint8_t memory[PAGES * PAGE];
	static struct function f;
	uint64_t seed = check_seed();
	struct { uint8_t *host; uint8_t access; } table[PAGES] = { 0 };

	(void)state;
	memset(&f, 0, sizeof f);
	plain_domain_init(&f.plain);
	dma_init(&f.dma, &f.plain.domain, &f.blocked);
	for (unsigned step = 0; step < 50000; step++) {
		uint64_t first = rand_u64(&seed) % PAGES, page = rand_u64(&seed) % PAGES;
		uint64_t count = 1 + rand_u64(&seed) % min_u64(8, PAGES - first);
		uint8_t access = (uint8_t)(1 + rand_u64(&seed) % 3);
		uint8_t *host = memory + rand_u64(&seed) % (PAGES - count + 1) * PAGE;
		unsigned act = (unsigned)(rand_u64(&seed) % 16);

		if (act == 0)
			assert_int_equal(map(&f, first * PAGE, count * PAGE, host, access), 0);
		if (act == 1)
			assert_int_equal(f.plain.domain.ops->unmap(&f.plain.domain,
					 (struct iommu_range){ first * PAGE, count * PAGE }), 0);
		for (uint64_t i = 0; act < 2 && i < count; i++) {
			table[first + i].host = act ? NULL : host + i * PAGE;
			table[first + i].access = act ? 0 : access;
		}
		f.plain.domain.ops->flush(&f.plain.domain);
		if ((table[page].access & access) == access) {
			assert_int_equal(reach(&f, page * PAGE + 7, 1, access), DMA_OK);
			assert_ptr_equal(f.host, table[page].host + 7);
			assert_ptr_equal(dma_near(&f.dma, page * PAGE + 9, 1, access),
					 table[page].host + 9);
		} else {
			assert_int_equal(reach(&f, page * PAGE + 7, 1, access), DMA_FAULT);
			assert_null(dma_quick(&f.dma, page * PAGE + 7, 1, access));
		}
		expect_in_order(&f.dma);
	}
	assert_true(counter_get(&f.blocked) > 1000);
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
		cmocka_unit_test(addresses_are_found_where_they_are_granted_and_nowhere_else),
		cmocka_unit_test(who_has_no_domain_reaches_nothing),
		cmocka_unit_test(a_right_that_was_not_granted_is_not_taken_from_a_kept_range),
		cmocka_unit_test(missing_translations_are_requested_and_cut_at_their_ends),
		cmocka_unit_test(no_more_is_kept_than_there_is_room_for),
		cmocka_unit_test(what_is_told_last_takes_the_place_of_what_was_told_before),
		cmocka_unit_test(random_grants_and_what_was_kept_of_them_agree_with_a_plain_table),
		cmocka_unit_test(written_pages_are_logged_and_a_short_log_is_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
