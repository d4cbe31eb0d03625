/* Records beside namespaces: as bytes, and on a card's medium, through damage and power cuts. */
#include "base/bytes.h"
#include "sim/disk_world.h"

#include <errno.h>

static struct disk_world w;

static struct disk_record make(uint8_t uuid, uint64_t sequence, uint32_t size)
{
	struct disk_record record = { .sequence = sequence, .uuid = { uuid }, .size = size };

	for (uint32_t i = 0; i < size; i++)
		record.bytes[i] = (uint8_t)(sequence * 31 + i);
	return record;
}

static void the_newer_whole_copy_is_taken(void **state)
{
	static uint8_t bytes[DISK_RECORD_BOTH];
	struct disk_record old = make(1, 4, DISK_RECORD_MAX), new = make(1, 5, 100), found;

	(void)state;
	disk_record_decode(&found, old.uuid, bytes);
	assert_int_equal(found.sequence, 0);
	assert_int_equal(found.size, 0);
	disk_record_encode(&old, bytes);
	disk_record_encode(&new, bytes + DISK_RECORD_COPY);
	disk_record_decode(&found, old.uuid, bytes);
	assert_memory_equal(&found, &new, sizeof found);
	for (size_t bit = 0; bit < 8 * DISK_RECORD_COPY; bit += 13) {
		bytes[DISK_RECORD_COPY + bit / 8] ^= (uint8_t)(1u << bit % 8);
		disk_record_decode(&found, old.uuid, bytes);
		assert_int_equal(found.sequence, 4);
		bytes[DISK_RECORD_COPY + bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* What is sealed and says more than it holds, or is another namespace's, is not there. */
	put_le32(bytes + DISK_RECORD_COPY + 12, DISK_RECORD_MAX + 1);
	disk_record_seal(bytes + DISK_RECORD_COPY);
	disk_record_decode(&found, old.uuid, bytes);
	assert_memory_equal(&found, &old, sizeof found);
	old.uuid[15] = 9;
	disk_record_decode(&found, old.uuid, bytes);
	assert_int_equal(found.sequence, 0);
}

static enum disk_job job(struct disk_record *record)
{
	disk_world_run(&w);
	return disk_card_keep_job(NULL, w.card, record);
}

static struct disk_record recall(uint32_t id)
{
	struct disk_record found = { 0 };

	assert_int_equal(disk_card_recall(NULL, w.card, id), 0);
	assert_int_equal(disk_card_recall(NULL, w.card, id), -EBUSY);
	assert_int_equal(job(&found), DISK_JOB_DONE);
	return found;
}

static void keep(uint32_t id, const struct disk_record *record)
{
	assert_int_equal(disk_card_keep(NULL, w.card, id, record), 0);
	assert_int_equal(job(NULL), DISK_JOB_DONE);
}

static void reopen(void)
{
	free(w.card);
	disk_world_card(&w, 2, 8);
	disk_world_table(&w, DISK_TABLE_THERE);
}

static void each_namespace_has_its_own(void **state)
{
	struct disk_record a = make('a', 1, 30), b = make('b', 7, DISK_RECORD_MAX), found;
	uint32_t ids[2];

	(void)state;
	disk_world_open(&w, 16 * MIB, 1, 2, 8);
	disk_world_table(&w, DISK_TABLE_NEW);
	ids[0] = disk_world_namespace(&w, "a", MIB);
	ids[1] = disk_world_namespace(&w, "b", MIB);
	assert_int_equal(recall(ids[0]).sequence, 0);
	keep(ids[0], &a);
	keep(ids[1], &b);
	reopen();
	found = recall(ids[0]);
	assert_memory_equal(&found, &a, sizeof found);
	found = recall(ids[1]);
	assert_memory_equal(&found, &b, sizeof found);
	disk_world_close(&w);
}

/* Under the same name and identity: it is another one. */
static void a_namespace_that_is_made_again_has_none(void **state)
{
	struct disk_record a = make('a', 1, 30);
	uint32_t id;

	(void)state;
	disk_world_open(&w, 16 * MIB, 1, 2, 8);
	disk_world_table(&w, DISK_TABLE_NEW);
	id = disk_world_namespace(&w, "a", MIB);
	keep(id, &a);
	a.sequence = 2;
	keep(id, &a);
	assert_int_equal(disk_card_remove_namespace(NULL, w.card, id, NULL), 0);
	assert_int_equal(disk_world_job(&w, NULL), DISK_JOB_DONE);
	assert_int_equal(disk_world_namespace(&w, "a", MIB), id);
	assert_int_equal(recall(id).sequence, 0);
	disk_world_close(&w);
}

static void a_record_goes_down_beside_a_change_of_the_table(void **state)
{
	struct disk_namespace_conf conf = { .name = "n", .size = MIB, .block_size = 512 };
	struct disk_record a = make('a', 1, 30);
	uint32_t id, other;

	(void)state;
	disk_world_open(&w, 16 * MIB, 1, 2, 8);
	disk_world_table(&w, DISK_TABLE_NEW);
	id = disk_world_namespace(&w, "a", MIB);
	assert_int_equal(disk_card_add_namespace(NULL, w.card, &conf, &other, NULL), 0);
	keep(id, &a);
	assert_int_equal(disk_world_job(&w, NULL), DISK_JOB_DONE);
	reopen();
	assert_int_equal(disk_card_layout(w.card)->namespace_count, 2);
	assert_int_equal(recall(id).sequence, 1);
	disk_world_close(&w);
}

static void what_cannot_be_is_refused_and_what_fails_is_told(void **state)
{
	struct disk_record a = make('a', 1, 30);
	uint32_t id;

	(void)state;
	disk_world_open(&w, 16 * MIB, 1, 2, 8);
	disk_world_table(&w, DISK_TABLE_NEW);
	id = disk_world_namespace(&w, "a", MIB);
	assert_int_equal(disk_card_recall(NULL, w.card, id + 1), -ENOENT);
	w.fake.medium.read_only = true;
	assert_int_equal(disk_card_keep(NULL, w.card, id, &a), -EROFS);
	w.fake.medium.read_only = false;
	assert_int_equal(disk_card_keep(NULL, w.card, id, &a), 0);
	disk_card_pull(NULL, w.card);
	assert_int_equal(job(NULL), DISK_JOB_FAILED);
	assert_int_equal(disk_card_keep(NULL, w.card, id, &a), -ENODEV);
	disk_card_insert(NULL, w.card);
	keep(id, &a);
	disk_world_close(&w);
	disk_world_open(&w, 16 * MIB, 1, 2, 8);
	disk_world_table(&w, DISK_TABLE_NONE);
	assert_int_equal(disk_card_recall(NULL, w.card, 1), -ENOENT);
	disk_world_close(&w);
}

/* The power goes at any moment: it is the last that was kept, or the one under way. */
static void a_power_cut_leaves_the_last_or_the_next(void **state)
{
	uint64_t seed = check_seed(), sequence = 0;
	unsigned lost = 0;
	uint32_t id;

	(void)state;
	disk_world_open(&w, 16 * MIB, seed, 2, 8);
	disk_world_table(&w, DISK_TABLE_NEW);
	id = disk_world_namespace(&w, "a", MIB);
	for (unsigned round = 0; round < 150; round++) {
		uint64_t kept = sequence;
		struct disk_record record =
			make('a', sequence + 1, (uint32_t)(rand_u64(&seed) % DISK_RECORD_MAX));
		struct disk_record found;

		assert_int_equal(disk_card_keep(NULL, w.card, id, &record), 0);
		w.fake.reap_max = 1;
		for (unsigned steps = rand_u64(&seed) % 4; steps; steps--)
			disk_world_poll(&w);
		if (disk_card_keep_job(NULL, w.card, NULL) == DISK_JOB_DONE)
			kept = record.sequence;
		fake_medium_power_cut(&w.fake);
		reopen();
		found = recall(id);
		assert_true(found.sequence == kept || found.sequence == record.sequence);
		if (found.sequence == record.sequence)
			assert_memory_equal(&found, &record, sizeof found);
		lost += found.sequence != record.sequence;
		sequence = found.sequence;
	}
	assert_in_range(lost, 10, 140);
	disk_world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newer_whole_copy_is_taken),
		cmocka_unit_test(each_namespace_has_its_own),
		cmocka_unit_test(a_namespace_that_is_made_again_has_none),
		cmocka_unit_test(a_record_goes_down_beside_a_change_of_the_table),
		cmocka_unit_test(what_cannot_be_is_refused_and_what_fails_is_told),
		cmocka_unit_test(a_power_cut_leaves_the_last_or_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
