/* Seeded histories of a mirror: writes and reads among pulls, returns, kills and power cuts, against a
 * plain model of what each block may hold. */
#include "sim/mirror_world.h"

static struct mirror_world w;
static unsigned kills, cuts, pulls, wholes, alone_starts;

static void busy(unsigned steps)
{
	while (steps--) {
		for (unsigned k = world_random(&w, 6); k; k--)
			cell_begin_any(&w, &w.cells[world_random(&w, CELLS)]);
		for (unsigned n = 0; n < 2; n++) {
			w.fake[n].reap_max = (unsigned)world_random(&w, 5);
			w.fake[n].room = 1 + (unsigned)world_random(&w, 8);
		}
		if (world_random(&w, 40) == 0)
			w.now_ns += MIRROR_TIDY_NS;
		world_poll(&w);
		/* what was pulled and has become quiet may be given again */
		for (unsigned n = 0; n < 2; n++)
			if (world_random(&w, 20) == 0)
				world_give(&w, n);
	}
}

/* The daemon dies, and perhaps the machine; then it starts with one half, or both. */
static void crash(void)
{
	bool power = world_random(&w, 2);
	unsigned first = (unsigned)world_random(&w, 2);

	kills++;
	cuts += power;
	if (power)
		world_power_cut(&w);
	world_kill(&w);
	world_boot(&w);
	world_give(&w, first);
	if (world_random(&w, 2)) {
		for (unsigned i = world_random(&w, 60); i; i--)
			world_poll(&w);
		alone_starts += world_facts(&w).begun;
		if (world_facts(&w).begun)
			world_read_all(&w);
	}
	world_give(&w, 1 - first);
}

static void pull_or_insert(void)
{
	unsigned n = (unsigned)world_random(&w, 2);

	if (!disk_card_is_in(w.card[n])) {
		disk_card_insert(NULL, w.card[n]);
		world_give(&w, n);
	} else {
		pulls++;
		world_pull(&w, n);
	}
}

/* Everything comes back: all is readable, and both halves become the same. */
static void come_together(void)
{
	for (unsigned n = 0; n < 2; n++)
		disk_card_insert(NULL, w.card[n]);
	for (unsigned tries = 0; tries < 5; tries++) {
		world_run(&w);
		world_give(&w, 0);
		world_give(&w, 1);
	}
	world_read_all(&w);
	world_run(&w);
	w.gone = 0;
	world_read_all(&w);
	assert_int_equal(w.gone, 0);
	world_is_whole(&w);
	wholes++;
}

static void no_history_loses_what_was_acknowledged(void **state)
{
	uint64_t seed = check_seed();

	(void)state;
	for (unsigned history = 0; history < 60; history++) {
		world_open(&w, rand_u64(&seed), world_random(&w, 2) ? MIRROR_COPY_ALL :
								      MIRROR_BOTH_ARE_ZEROES);
		world_give(&w, 0);
		world_give(&w, 1);
		for (unsigned act = 0; act < 40; act++) {
			busy((unsigned)world_random(&w, world_random(&w, 2) ? 120 : 6));
			switch (world_random(&w, 8)) {
			case 0:
			case 1:
				crash();
				break;
			case 2:
				come_together();
				break;
			default:
				pull_or_insert();
			}
		}
		come_together();
		world_close(&w);
	}
	fprintf(stderr, "# %u pulls, %u kills (%u with the power), %u starts with one half, %u times whole\n",
		pulls, kills, cuts, alone_starts, wholes);
	assert_true(pulls > 200 && kills > 200 && wholes > 100 && alone_starts > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_history_loses_what_was_acknowledged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
