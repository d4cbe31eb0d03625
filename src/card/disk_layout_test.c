#include "card/disk_layout.h"

#include "base/bytes.h"
#include "tests/check.h"

#include <errno.h>

#define MIB (UINT64_C(1) << 20)

static const uint8_t uuid[DISK_ID_SIZE] = { 1, 2, 3 };
static struct disk_layout layout, other;
static uint8_t bytes[DISK_COPY_SIZE];

static struct disk_namespace *add(const char *name, uint64_t size, struct refusal *why)
{
	return disk_layout_add(&layout,
			       &(struct disk_namespace_conf){ .name = name, .size = size,
							      .block_size = 512 },
			       why);
}

static void a_namespace_is_carved_and_given_back(void **state)
{
	uint64_t largest;

	(void)state;
	disk_layout_init(&layout, 16 * MIB, uuid);
	assert_int_equal(disk_layout_free(&layout, &largest), 15 * MIB);
	assert_int_equal(largest, 15 * MIB);
	assert_non_null(add("a", 3 * MIB + 1, NULL));
	assert_int_equal(disk_layout_find_name(&layout, "a")->size, 3 * MIB + 512);
	assert_int_equal(disk_layout_free(&layout, NULL), 11 * MIB);
	disk_layout_remove(&layout, 1);
	assert_int_equal(disk_layout_free(&layout, NULL), 15 * MIB);
	assert_null(disk_layout_find(&layout, 1));
}

static void what_is_free_in_pieces_becomes_one_namespace(void **state)
{
	struct disk_namespace *ns;
	uint64_t size = 8 * MIB;

	(void)state;
	disk_layout_init(&layout, 16 * MIB, uuid);
	for (unsigned i = 0; i < 15; i++)
		assert_non_null(add((char[]){ (char)('a' + i), 0 }, MIB, NULL));
	for (unsigned id = 2; id <= 14; id += 2)
		disk_layout_remove(&layout, id);
	ns = add("scattered", 7 * MIB, NULL);
	assert_non_null(ns);
	assert_int_equal(ns->id, 2);
	assert_int_equal(ns->extent_count, 7);
	assert_int_equal(disk_layout_place(&layout, ns, 0, &size), 2 * MIB);
	assert_int_equal(size, MIB);
	size = 8 * MIB;
	assert_int_equal(disk_layout_place(&layout, ns, 3 * MIB + 512, &size), 8 * MIB + 512);
	assert_int_equal(size, MIB - 512);
}

static void the_smallest_piece_that_fits_is_taken(void **state)
{
	struct disk_namespace *ns;

	(void)state;
	disk_layout_init(&layout, 32 * MIB, uuid);
	add("a", 4 * MIB, NULL);
	add("b", 1 * MIB, NULL);
	add("c", 2 * MIB, NULL);
	add("d", 1 * MIB, NULL);
	disk_layout_remove(&layout, 1);
	disk_layout_remove(&layout, 3);
	ns = add("e", 2 * MIB, NULL);
	assert_int_equal(layout.extents[ns->extent_first].first, 6 * MIB);
}

static void what_cannot_be_carved_is_refused_and_changes_nothing(void **state)
{
	struct refusal why = { 0 };
	struct disk_namespace_conf conf = { .name = "x", .size = MIB, .block_size = 1024 };

	(void)state;
	disk_layout_init(&layout, 4 * MIB, uuid);
	add("a", MIB, NULL);
	other = layout;
	assert_null(add("a", MIB, &why));
	assert_string_equal(why.path, "name");
	assert_null(add("", MIB, &why));
	assert_null(add("b", 0, &why));
	assert_string_equal(why.path, "size");
	assert_null(add("b", 2 * MIB + 1, &why));
	assert_non_null(strstr(why.text, "2097152 are free"));
	assert_null(disk_layout_add(&layout, &conf, &why));
	assert_string_equal(why.path, "block_size");
	assert_memory_equal(&layout, &other, sizeof layout);
}

static void a_table_is_read_as_it_was_written(void **state)
{
	(void)state;
	disk_layout_init(&layout, 64 * MIB, uuid);
	add("a", MIB, NULL);
	add("b", 5 * MIB, NULL);
	add("c", 7 * MIB, NULL);
	disk_layout_remove(&layout, 1);
	layout.sequence = 77;
	disk_layout_encode(&layout, bytes);
	assert_int_equal(disk_layout_decode(&other, bytes, 64 * MIB, NULL), 0);
	assert_int_equal(other.sequence, 77);
	assert_memory_equal(other.uuid, uuid, sizeof uuid);
	assert_int_equal(disk_layout_find_name(&other, "c")->size, 7 * MIB);
	assert_int_equal(disk_layout_find_name(&other, "b")->id, 2);
	assert_int_equal(disk_layout_free(&other, NULL), disk_layout_free(&layout, NULL));
}

static void zeroes_are_no_table_and_a_smaller_medium_has_none_either(void **state)
{
	struct refusal why = { 0 };

	(void)state;
	memset(bytes, 0, sizeof bytes);
	assert_int_equal(disk_layout_decode(&other, bytes, 64 * MIB, &why), -ENOENT);
	bytes[5] = 1;
	assert_int_equal(disk_layout_decode(&other, bytes, 64 * MIB, &why), -EINVAL);
	disk_layout_init(&layout, 64 * MIB, uuid);
	add("a", 60 * MIB, NULL);
	disk_layout_encode(&layout, bytes);
	assert_int_equal(disk_layout_decode(&other, bytes, 32 * MIB, &why), -EINVAL);
	assert_non_null(strstr(why.text, "extent 0"));
}

static void each_damaged_bit_is_noticed(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	disk_layout_init(&layout, 64 * MIB, uuid);
	add("a", MIB, NULL);
	add("b", 5 * MIB, NULL);
	disk_layout_encode(&layout, bytes);
	for (unsigned i = 0; i < 2000; i++) {
		unsigned at = i < 1024 ? i : rand_u64(&seed) % sizeof bytes;

		bytes[at] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(disk_layout_decode(&other, bytes, 64 * MIB, NULL), -EINVAL);
		bytes[at] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(disk_layout_decode(&other, bytes, 64 * MIB, NULL), 0);
}

/* A table that says the impossible, with a checksum that is right. */
static void a_table_that_contradicts_itself_is_refused(void **state)
{
	struct refusal why = { 0 };
	static struct disk_layout bad;

	(void)state;
	disk_layout_init(&layout, 64 * MIB, uuid);
	add("a", MIB, NULL);
	add("b", 5 * MIB, NULL);
#define REFUSED(change, words)                                                              \
	do {                                                                                \
		bad = layout;                                                               \
		change;                                                                     \
		disk_layout_encode(&bad, bytes);                                            \
		assert_int_equal(disk_layout_decode(&other, bytes, 64 * MIB, &why), -EINVAL); \
		assert_non_null(strstr(why.text, words));                                   \
	} while (0)
	REFUSED(bad.extents[1].first = MIB, "overlap");
	REFUSED(bad.extents[1].first = 63 * MIB, "extent 1");
	REFUSED(bad.extents[1].first += 512, "extent 1");
	REFUSED(bad.extents[1].size = 0, "extent 1");
	REFUSED(bad.extents[0].first = 0, "extent 0");
	REFUSED(bad.extents[0].size = ~MIB + 1, "extent 0");
	REFUSED(bad.namespaces[0].id = 2, "not possible");
	REFUSED(bad.namespaces[0].id = 65, "not possible");
	REFUSED(bad.namespaces[0].size = 2 * MIB, "larger");
	REFUSED(bad.namespaces[0].size = 513, "not possible");
	REFUSED(bad.namespaces[0].block_size = 0, "not possible");
	REFUSED(bad.namespaces[0].name[0] = 'b', "not possible");
	REFUSED(memset(bad.namespaces[0].name, 'n', DISK_NAME_SIZE), "not possible");
	REFUSED(bad.namespaces[1].extent_first = 0, "belongs to two");
	REFUSED(bad.namespaces[1].extent_first = 3, "has not");
	REFUSED(bad.namespaces[1].extent_count = UINT32_MAX, "has not");
	REFUSED(bad.namespaces[1].id = 0; bad.namespace_count = 1, "no namespace");
}

/* Against a plain map of megabytes. */
static void random_carving_never_gives_a_byte_twice(void **state)
{
	uint64_t seed = check_seed();
	char name[8];

	(void)state;
	disk_layout_init(&layout, 100 * MIB, uuid);
	for (unsigned round = 0; round < 3000; round++) {
		uint32_t id = 1 + rand_u64(&seed) % 20;
		uint8_t owner[100] = { 0 };
		unsigned used = 0;

		if (disk_layout_find(&layout, id)) {
			disk_layout_remove(&layout, id);
		} else {
			snprintf(name, sizeof name, "n%u", round);
			add(name, (1 + rand_u64(&seed) % 12) * MIB, NULL);
		}
		for (unsigned i = 0; i < DISK_NAMESPACES_MAX; i++) {
			struct disk_namespace *ns = &layout.namespaces[i];

			for (uint64_t at = 0; ns->id && at < ns->size; at += MIB) {
				uint64_t size = MIB, place = disk_layout_place(&layout, ns, at, &size);

				assert_int_equal(size, MIB);
				assert_true(place >= MIB && place < 100 * MIB);
				assert_int_equal(owner[place / MIB]++, 0);
				used++;
			}
		}
		assert_int_equal(disk_layout_free(&layout, NULL), (99 - used) * MIB);
		if (round % 50 == 0) {
			disk_layout_encode(&layout, bytes);
			assert_int_equal(disk_layout_decode(&other, bytes, 100 * MIB, NULL), 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_namespace_is_carved_and_given_back),
		cmocka_unit_test(what_is_free_in_pieces_becomes_one_namespace),
		cmocka_unit_test(the_smallest_piece_that_fits_is_taken),
		cmocka_unit_test(what_cannot_be_carved_is_refused_and_changes_nothing),
		cmocka_unit_test(a_table_is_read_as_it_was_written),
		cmocka_unit_test(zeroes_are_no_table_and_a_smaller_medium_has_none_either),
		cmocka_unit_test(each_damaged_bit_is_noticed),
		cmocka_unit_test(a_table_that_contradicts_itself_is_refused),
		cmocka_unit_test(random_carving_never_gives_a_byte_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
