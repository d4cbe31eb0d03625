/* The table of addresses against a plain list, and the rate meter. */
#include "eswitch/fdb.h"
#include "eswitch/meter.h"
#include "tests/check.h"

#include <errno.h>

enum { ENTRIES = 256, KEYS = 300, PORTS = 8 };

struct plain {
	bool there, fixed;
	uint16_t port;
	uint32_t stamp;
};

static struct esw_fdb_bucket *buckets_for(uint32_t entries)
{
	struct esw_fdb_bucket *b = aligned_alloc(64, esw_fdb_buckets(entries) * sizeof *b);

	assert_non_null(b);
	return b;
}

static uint64_t key_of(unsigned i)
{
	return esw_key((uint16_t)(i % 3), UINT64_C(0x525400000000) + i * 7u);
}

static void check_against(struct esw_fdb *fdb, const struct plain *list)
{
	uint32_t learned = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		struct esw_fdb_entry *e =
			esw_fdb_find(fdb, key_of(i), esw_fdb_spot(fdb, key_of(i)));
		bool alive = list[i].there &&
			     (list[i].fixed || fdb->tick - list[i].stamp <= fdb->age_ticks);

		assert_int_equal(alive, e && esw_fdb_alive(fdb, e));
		if (alive) {
			assert_int_equal(e->port, list[i].port);
			assert_int_equal(e->fixed, list[i].fixed);
			learned += !e->fixed;
		}
	}
	assert_true(fdb->learned >= learned); /* aged ones may still be there */
}

static void learn_both(struct esw_fdb *fdb, struct plain *p, unsigned i, uint16_t port)
{
	enum esw_learn got = esw_fdb_see(fdb, key_of(i), esw_fdb_spot(fdb, key_of(i)), port);

	if (p->there && p->fixed) {
		assert_int_equal(got, p->port == port ? ESW_LEARN_DONE : ESW_LEARN_FOREIGN);
		return;
	}
	if (got == ESW_LEARN_DONE)
		*p = (struct plain){ true, false, port, fdb->tick };
	else
		assert_int_equal(got, ESW_LEARN_FULL);
}

static void test_the_table_agrees_with_a_plain_list(void **state)
{
	struct esw_fdb_bucket *buckets = buckets_for(ENTRIES);
	static struct plain list[KEYS];
	uint64_t seed = check_seed(), now_ns = 0;
	struct esw_fdb fdb;

	(void)state;
	esw_fdb_init(&fdb, buckets, ENTRIES, UINT64_C(2000000000), rand_u64(&seed));
	for (unsigned step = 0; step < 20000; step++) {
		unsigned i = (unsigned)(rand_u64(&seed) % KEYS), what = rand_u64(&seed) % 100;
		uint16_t port = (uint16_t)(rand_u64(&seed) % PORTS);

		if (what < 90) {
			learn_both(&fdb, &list[i], i, port);
		} else if (what < 92 && i < 20) {
			int err = esw_fdb_fix(&fdb, key_of(i), port);

			assert_int_equal(err, list[i].there && list[i].fixed ? -EEXIST : 0);
			if (!err)
				list[i] = (struct plain){ true, true, port, 0 };
		} else if (what < 94 && list[i].there && list[i].fixed) {
			esw_fdb_unfix(&fdb, key_of(i), list[i].port);
			list[i].there = false;
		} else if (what == 95 && rand_u64(&seed) % 20 == 0) {
			esw_fdb_forget_port(&fdb, port, NULL, 0);
			for (unsigned k = 0; k < KEYS; k++)
				if (list[k].port == port && !list[k].fixed)
					list[k].there = false;
			assert_int_equal(fdb.learned_of[port], 0);
		} else if (what > 97) {
			esw_fdb_tell_time(&fdb, now_ns += rand_u64(&seed) % 200000000);
		}
		if (step % 100 == 0)
			check_against(&fdb, list);
	}
	free(buckets);
}

static void test_the_table_holds_what_it_promises(void **state)
{
	static const uint32_t sizes[] = { 1, 16, 1024, 65536 };

	(void)state;
	for (unsigned s = 0; s < array_len(sizes); s++) {
		struct esw_fdb_bucket *buckets = buckets_for(sizes[s]);
		uint64_t seed = check_seed();
		uint32_t refused = 0;
		struct esw_fdb fdb;

		esw_fdb_init(&fdb, buckets, sizes[s], UINT64_C(300000000000), rand_u64(&seed));
		for (uint32_t i = 0; i < sizes[s]; i++)
			refused += esw_fdb_learn(&fdb, rand_u64(&seed) >> 4, 0) == ESW_LEARN_FULL;
		assert_true(refused <= sizes[s] / 200); /* half a percent */
		assert_int_equal(fdb.learned, sizes[s] - refused);
		while (fdb.learned < sizes[s] && refused < 10 * sizes[s])
			refused += esw_fdb_learn(&fdb, rand_u64(&seed) >> 4, 0) == ESW_LEARN_FULL;
		assert_int_equal(esw_fdb_learn(&fdb, 1, 0), ESW_LEARN_FULL);
		free(buckets);
	}
}

static void test_fixed_entries_push_learned_ones_out_and_not_each_other(void **state)
{
	struct esw_fdb_bucket *buckets = buckets_for(8);
	unsigned fixed = 0;
	struct esw_fdb fdb;

	(void)state;
	esw_fdb_init(&fdb, buckets, 8, UINT64_C(300000000000), 5);
	for (unsigned i = 0; i < 8; i++)
		esw_fdb_learn(&fdb, 1000 + i, 0);
	for (unsigned i = 0; i < 40; i++) {
		int err = esw_fdb_fix(&fdb, i + 1, 1);

		assert_true(err == 0 || err == -ENOSPC);
		fixed += err == 0;
	}
	assert_true(fixed >= 8 && fixed <= 16);
	for (unsigned i = 0, found = 0; i < 40; i++) {
		found += esw_fdb_find(&fdb, i + 1, esw_fdb_spot(&fdb, i + 1)) != NULL;
		if (i == 39)
			assert_int_equal(found, fixed);
	}
	free(buckets);
}

static void test_swept_entries_give_their_room_back(void **state)
{
	struct esw_fdb_bucket *buckets = buckets_for(64);
	struct esw_fdb_row rows[64];
	struct esw_fdb fdb;

	(void)state;
	esw_fdb_init(&fdb, buckets, 64, UINT64_C(1000000000), 5);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(esw_fdb_learn(&fdb, 1 + i, 3), ESW_LEARN_DONE);
	assert_int_equal(esw_fdb_learn(&fdb, 77, 3), ESW_LEARN_FULL); /* its quarter */
	assert_int_equal(esw_fdb_rows(&fdb, rows, 64), 16);
	for (uint64_t now_ns = 0; now_ns < UINT64_C(8000000000); now_ns += 100000000)
		esw_fdb_tell_time(&fdb, now_ns);
	assert_int_equal(fdb.learned, 0);
	assert_int_equal(fdb.learned_of[3], 0);
	assert_int_equal(esw_fdb_rows(&fdb, rows, 64), 0);
	assert_int_equal(esw_fdb_learn(&fdb, 77, 3), ESW_LEARN_DONE);
	free(buckets);
}

static void test_a_meter_without_limits_always_allows(void **state)
{
	struct esw_meter m;

	(void)state;
	esw_meter_init(&m, 0, 0);
	for (unsigned i = 0; i < 100000; i++)
		esw_meter_charge(&m, 65535);
	assert_true(esw_meter_allows(&m));
	assert_int_equal(esw_meter_ready_ns(&m), 0);
}

static void test_a_meter_says_when_it_allows_again(void **state)
{
	static const uint64_t rates_bps[] = { 1000, 1000000, 100000000000 };
	static const uint64_t rates_pps[] = { 1, 1000, 20000000 };

	(void)state;
	for (unsigned i = 0; i < array_len(rates_bps); i++)
		for (unsigned kind = 0; kind < 2; kind++) {
			struct esw_meter m;
			uint64_t now_ns = 1000000000, ready_ns;

			esw_meter_init(&m, kind ? rates_bps[i] : 0, kind ? 0 : rates_pps[i]);
			esw_meter_pay(&m, now_ns);
			while (esw_meter_allows(&m))
				esw_meter_charge(&m, 65557);
			ready_ns = esw_meter_ready_ns(&m);
			assert_true(ready_ns > now_ns);
			esw_meter_pay(&m, ready_ns - 2);
			assert_false(esw_meter_allows(&m));
			esw_meter_pay(&m, ready_ns);
			assert_true(esw_meter_allows(&m));
			esw_meter_pay(&m, now_ns); /* a clock that goes back changes nothing */
			assert_int_equal(m.last_ns, ready_ns);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_table_agrees_with_a_plain_list),
		cmocka_unit_test(test_the_table_holds_what_it_promises),
		cmocka_unit_test(test_fixed_entries_push_learned_ones_out_and_not_each_other),
		cmocka_unit_test(test_swept_entries_give_their_room_back),
		cmocka_unit_test(test_a_meter_without_limits_always_allows),
		cmocka_unit_test(test_a_meter_says_when_it_allows_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
