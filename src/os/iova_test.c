#include "os/iova.h"

#include "tests/check.h"

#include <errno.h>

enum { PAGE = 4096 };

static void pieces_are_taken_from_the_bottom_and_given_back(void **state)
{
	struct iova_space space;
	uint64_t a, b, d;

	(void)state;
	iova_init(&space, PAGE);
	assert_int_equal(iova_take(&space, PAGE, PAGE, &a), -ENOSPC);
	assert_int_equal(iova_allow(&space, 0x10000, 0x1ffff), 0);
	assert_int_equal(iova_take(&space, 0x4000, PAGE, &a), 0);
	assert_int_equal(a, 0x10000);
	assert_int_equal(iova_take(&space, 0x4000, 0x8000, &b), 0);
	assert_int_equal(b, 0x18000);
	assert_int_equal(iova_take(&space, 0x5000, PAGE, &d), -ENOSPC);
	assert_int_equal(iova_take(&space, 0x4000, PAGE, &d), 0);
	assert_int_equal(d, 0x14000);
	assert_int_equal(iova_give(&space, 0x14000), 0x4000);
	assert_int_equal(iova_give(&space, 0x14000), 0);
	assert_int_equal(iova_give(&space, 0x19000), 0);
	assert_int_equal(iova_give(&space, a), 0x4000);
	assert_int_equal(iova_take(&space, 0x8000, PAGE, &d), 0);
	assert_int_equal(d, 0x10000);
}

static void ranges_end_with_whole_pages_and_at_the_end_of_addresses(void **state)
{
	struct iova_space space;
	uint64_t a;

	(void)state;
	iova_init(&space, PAGE);
	assert_int_equal(iova_allow(&space, 1, 0xffe), 0);
	assert_int_equal(space.range_count, 0);
	assert_int_equal(iova_allow(&space, 1, 0x2ffe), 0);
	assert_int_equal(space.ranges[0].first, 0x1000);
	assert_int_equal(space.ranges[0].last, 0x1fff);
	assert_int_equal(iova_allow(&space, 0x1000, 0x5000), -EINVAL);
	assert_int_equal(iova_allow(&space, 0x5000, 0x4000), -EINVAL);
	assert_int_equal(iova_allow(&space, UINT64_MAX - 2 * PAGE + 1, UINT64_MAX), 0);
	assert_int_equal(iova_take(&space, 2 * PAGE, PAGE, &a), 0);
	assert_true(a == UINT64_MAX - 2 * PAGE + 1);
	assert_int_equal(iova_take(&space, PAGE, PAGE, &a), 0);
	assert_int_equal(a, 0x1000);
	assert_int_equal(iova_take(&space, PAGE, PAGE, &a), -ENOSPC);
	assert_int_equal(iova_take(&space, 0, PAGE, &a), -EINVAL);
	assert_int_equal(iova_take(&space, 100, PAGE, &a), -EINVAL);
	assert_int_equal(iova_take(&space, PAGE, 3, &a), -EINVAL);
}

static void it_agrees_with_a_map_of_pages(void **state)
{
	enum { PAGES = 300, ROUNDS = 40000 };
	static uint8_t there[PAGES], owner[PAGES]; /* 1: may be taken; which piece has it */
	uint64_t seed = check_seed(), iova, held[IOVA_PIECES_MAX + 1] = { 0 };
	struct iova_space space;

	(void)state;
	iova_init(&space, PAGE);
	for (unsigned from = 3, to; from < PAGES - 40; from = to + 2 + (unsigned)(rand_u64(&seed) % 9)) {
		to = from + (unsigned)(rand_u64(&seed) % 30);
		assert_int_equal(iova_allow(&space, from * PAGE, (to + 1) * PAGE - 1), 0);
		memset(there + from, 1, to - from + 1);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned k = 1 + (unsigned)(rand_u64(&seed) % IOVA_PIECES_MAX);
		unsigned pages = 1 + (unsigned)(rand_u64(&seed) % 6), align = 1u << rand_u64(&seed) % 4;
		unsigned at = 0, run = 0;

		if (held[k]) {
			for (unsigned i = 0; i < PAGES; i++) {
				run += owner[i] == k;
				owner[i] = owner[i] == k ? 0 : owner[i];
			}
			assert_int_equal(iova_give(&space, held[k]), run * PAGE);
			held[k] = 0;
			continue;
		}
		/* the first place where all pages may be taken, next to each other, in one range */
		for (at = 0; at + pages <= PAGES; at += align) {
			for (run = 0; run < pages && there[at + run] && !owner[at + run]; run++)
				;
			if (run == pages)
				break;
		}
		if (at + pages > PAGES) {
			assert_int_equal(iova_take(&space, pages * PAGE, align * PAGE, &iova), -ENOSPC);
			continue;
		}
		assert_int_equal(iova_take(&space, pages * PAGE, align * PAGE, &iova), 0);
		assert_int_equal(iova, at * PAGE);
		held[k] = iova;
		memset(owner + at, (int)k, pages);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_taken_from_the_bottom_and_given_back),
		cmocka_unit_test(ranges_end_with_whole_pages_and_at_the_end_of_addresses),
		cmocka_unit_test(it_agrees_with_a_map_of_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
