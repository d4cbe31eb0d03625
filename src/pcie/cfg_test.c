#include "pcie/cfg.h"
#include "tests/check.h"

/* One field of every attribute, of odd widths, sharing words. */
static const struct cfg_field fields[] = {
	{ 0x00,  7,  0, CFG_RO,      0x5a,   "ro" },
	{ 0x01,  6,  1, CFG_RW,      0x15,   "rw" },
	{ 0x02, 15,  3, CFG_RW1C,    0x1fff, "rw1c" },
	{ 0x04, 12,  0, CFG_HWINIT,  0x1234, "hwinit" },
	{ 0x04, 23, 16, CFG_ROS,     0x77,   "ros" },
	{ 0x07,  7,  0, CFG_RWS,     0x11,   "rws" },
	{ 0x08, 15,  0, CFG_RW1CS,   0xffff, "rw1cs" },
	{ 0x0a,  9,  4, CFG_RW_KEPT, 0x2a,   "kept" },
	{ 0x0c, 31, 31, CFG_RW_LOCK, 1,      "lock, one bit" },
	{ 0x0c, 15,  0, CFG_RW_LOCK, 0,      "lock" },
	{ 0x0e,  3,  0, CFG_TRIGGER, 0,      "trigger" },
	{ 0x10, 31,  0, CFG_RW,      0xdeadbeef, "a whole word" },
};
enum { BASE = 0xe0, SPAN = 0x18 };

static struct cfg_map map;
static struct cfg cfg;

static int fresh(void **state)
{
	(void)state;
	memset(&map, 0, sizeof map);
	cfg_lay(&map, BASE, fields, array_len(fields));
	cfg_power_on(&cfg, &map);
	return 0;
}

/* What holds for one bit, straight from the table, slowly. */
static const struct cfg_field *field_of(unsigned bit, unsigned *reset)
{
	for (unsigned i = 0; i < array_len(fields); i++) {
		unsigned first = (BASE + fields[i].offset) * 8 + fields[i].lo;

		if (bit < first || bit > first + fields[i].hi - fields[i].lo)
			continue;
		*reset = fields[i].reset >> (bit - first) & 1;
		return &fields[i];
	}
	*reset = 0;
	return NULL;
}

static unsigned oracle_write(unsigned bit, unsigned old, unsigned in, bool locked)
{
	unsigned reset;
	const struct cfg_field *f = field_of(bit, &reset);

	switch (f ? f->attr : CFG_RO) {
	case CFG_RW:
	case CFG_RWS:
	case CFG_RW_KEPT:
		return in;
	case CFG_RW_LOCK:
		return locked ? old : in;
	case CFG_RW1C:
	case CFG_RW1CS:
		return in ? 0 : old;
	default:
		return old;
	}
}

static unsigned oracle_reset(unsigned bit, unsigned old, enum cfg_reset_kind kind)
{
	unsigned reset;
	const struct cfg_field *f = field_of(bit, &reset);

	switch (f ? f->attr : CFG_RO) {
	case CFG_HWINIT:
	case CFG_ROS:
	case CFG_RWS:
	case CFG_RW1CS:
		return old;
	case CFG_RW_KEPT:
		return kind == CFG_RESET_FUNCTION ? old : reset;
	default:
		return reset;
	}
}

static unsigned bit_of(const struct cfg *c, unsigned bit)
{
	return c->word[bit / 32] >> bit % 32 & 1;
}

static void power_on_gives_every_listed_value_and_zero_elsewhere(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < CFG_SIZE * 8; bit++) {
		unsigned reset;

		field_of(bit, &reset);
		assert_int_equal(bit_of(&cfg, bit), reset);
	}
}

static void any_write_does_to_each_bit_what_its_attribute_says(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (int step = 0; step < 50000; step++) {
		unsigned size = 1u << rand_u64(&seed) % 3;
		unsigned at = (unsigned)(BASE + rand_u64(&seed) % SPAN / size * size);
		uint32_t value = (uint32_t)rand_u64(&seed), triggered = 0;
		struct cfg before = cfg;

		cfg.locked = before.locked = rand_u64(&seed) % 2;
		uint32_t changed = cfg_write(&cfg, at, size, value);

		for (unsigned bit = BASE * 8; bit < (BASE + SPAN) * 8; bit++) {
			unsigned old = bit_of(&before, bit), reset, want = old;
			bool written = bit >= at * 8 && bit < (at + size) * 8;
			unsigned in = written ? value >> (bit - at * 8) & 1 : 0;
			const struct cfg_field *f = field_of(bit, &reset);

			if (written)
				want = oracle_write(bit, old, in, cfg.locked);
			assert_int_equal(bit_of(&cfg, bit), want);
			if (bit / 32 == at / 4 && (want != old ||
			    (written && in && f && f->attr == CFG_TRIGGER)))
				triggered |= UINT32_C(1) << bit % 32;
		}
		assert_int_equal(changed, triggered);
		if (step % 7 == 0) /* the device raises its status bits again */
			cfg_set(&cfg, BASE + 0x08, 2, 0xffff, (uint32_t)rand_u64(&seed));
	}
}

static void each_reset_spares_just_the_bits_of_its_kind(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (int step = 0; step < 2000; step++) {
		enum cfg_reset_kind kind = step % 2 ? CFG_RESET_FUNCTION : CFG_RESET_CONVENTIONAL;

		for (unsigned at = BASE; at < BASE + SPAN; at += 4)
			cfg_write(&cfg, at, 4, (uint32_t)rand_u64(&seed));
		cfg_set(&cfg, BASE + 0x06, 1, 0xff, (uint32_t)rand_u64(&seed));

		struct cfg before = cfg;

		cfg_reset(&cfg, kind);
		for (unsigned bit = 0; bit < CFG_SIZE * 8; bit++)
			assert_int_equal(bit_of(&cfg, bit),
					 oracle_reset(bit, bit_of(&before, bit), kind));
	}
}

static void a_locked_field_changes_again_after_a_reset(void **state)
{
	(void)state;
	cfg.locked = true;
	assert_int_equal(cfg_write(&cfg, BASE + 0x0c, 2, 0x1234), 0);
	cfg_reset(&cfg, CFG_RESET_FUNCTION);
	assert_int_equal(cfg_write(&cfg, BASE + 0x0c, 2, 0x1234), 0x1234);
	assert_int_equal(cfg_read(&cfg, BASE + 0x0c, 2), 0x1234);
}

static void a_trigger_reads_zero_and_is_reported_each_time(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(cfg_write(&cfg, BASE + 0x0e, 1, 4), 4 << 16);
		assert_int_equal(cfg_read(&cfg, BASE + 0x0e, 1), 0);
	}
}

static void only_aligned_accesses_of_one_two_or_four_bytes_are_accesses(void **state)
{
	(void)state;
	assert_true(cfg_is_access(0, 4));
	assert_true(cfg_is_access(CFG_SIZE - 1, 1));
	assert_false(cfg_is_access(CFG_SIZE, 1));
	assert_false(cfg_is_access(1, 2));
	assert_false(cfg_is_access(2, 4));
	assert_false(cfg_is_access(0, 3));
	assert_false(cfg_is_access(0, 8));
	assert_false(cfg_is_access(0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(power_on_gives_every_listed_value_and_zero_elsewhere, fresh),
		cmocka_unit_test_setup(any_write_does_to_each_bit_what_its_attribute_says, fresh),
		cmocka_unit_test_setup(each_reset_spares_just_the_bits_of_its_kind, fresh),
		cmocka_unit_test_setup(a_locked_field_changes_again_after_a_reset, fresh),
		cmocka_unit_test_setup(a_trigger_reads_zero_and_is_reported_each_time, fresh),
		cmocka_unit_test(only_aligned_accesses_of_one_two_or_four_bytes_are_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
