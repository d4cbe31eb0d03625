#include "base/copy.h"
#include "tests/check.h"

#include <string.h>

enum { ROOM = 4096, EDGE = 64, ANOTHER_WAY = 512, SIZE_MAX_TRIED = 2 * 1514 };

static uint8_t from[ROOM], to[ROOM], before[ROOM];

static void fill(uint8_t *bytes, uint64_t *seed)
{
	for (unsigned i = 0; i < ROOM; i++)
		bytes[i] = (uint8_t)rand_u64(seed);
}

/* Copies and looks at every byte there is, one by one. */
static void check_copy(uint32_t to_at, uint32_t from_at, uint32_t size)
{
	copy_far(to + to_at, from + from_at, size);
	for (uint32_t i = 0; i < ROOM; i++) {
		bool inside = i >= to_at && i - to_at < size;
		uint8_t want = inside ? from[from_at + (i - to_at)] : before[i];

		if (to[i] != want)
			fail_msg("%u bytes from %u to %u: byte %u is 0x%02x, not 0x%02x", size,
				 from_at, to_at, i, to[i], want);
	}
	memcpy(to, before, ROOM);
}

static void test_every_size_arrives_and_nothing_beside_it(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	fill(from, &seed);
	fill(before, &seed);
	memcpy(to, before, ROOM);
	for (uint32_t size = 0; size <= ANOTHER_WAY + 2 * EDGE + 1; size++)
		for (uint32_t at = 0; at < EDGE; at += 7)
			check_copy(at, (at * 5) % EDGE, size);
}

static void test_random_places_and_sizes(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	fill(from, &seed);
	fill(before, &seed);
	memcpy(to, before, ROOM);
	for (unsigned i = 0; i < 3000; i++)
		check_copy((uint32_t)(rand_u64(&seed) % EDGE), (uint32_t)(rand_u64(&seed) % EDGE),
			   (uint32_t)(rand_u64(&seed) % SIZE_MAX_TRIED));
}

/* What arrives is nobody's promise, but it stays where it belongs. */
static void test_an_overlap_writes_nothing_beside_it(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	fill(before, &seed);
	for (unsigned i = 0; i < 3000; i++) {
		uint32_t at = EDGE + (uint32_t)(rand_u64(&seed) % EDGE);
		uint32_t source = (uint32_t)(rand_u64(&seed) % (2 * EDGE));
		uint32_t size = (uint32_t)(rand_u64(&seed) % SIZE_MAX_TRIED);

		memcpy(to, before, ROOM);
		copy_far(to + at, to + source, size);
		assert_memory_equal(to, before, at);
		assert_memory_equal(to + at + size, before + at + size, ROOM - at - size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_size_arrives_and_nothing_beside_it),
		cmocka_unit_test(test_random_places_and_sizes),
		cmocka_unit_test(test_an_overlap_writes_nothing_beside_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
