/* Workers with cards that are fakes. */
#include "channel/polled.h"
#include "os/workers.h"
#include "tests/check.h"

#include "os/clock.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

enum { FRONTS = 64 };

struct fake_card {
	struct polled polled; /* first */
	_Atomic uint64_t polls, arms, disarms, last_now_ns;
	_Atomic unsigned work;        /* polls that shall report a frame */
	_Atomic bool spin, block;     /* stuck in the line's driver */
	_Atomic bool spinning;
	_Atomic bool needs_poll, arm_says_work, went_back;
	_Atomic uint64_t deadline_ns; /* 0: none */
	_Atomic uint64_t front[FRONTS][8]; /* a cache line a front, as a ring's index is */
};

static unsigned fake_poll(struct worker *worker, struct polled *polled, uint64_t now_ns)
{
	struct fake_card *card = (struct fake_card *)polled;
	uint64_t seen = 0;

	(void)worker;
	if (now_ns < card->last_now_ns)
		card->went_back = true;
	card->last_now_ns = now_ns;
	for (unsigned i = 0; i < FRONTS; i++)
		seen += card->front[i][0];
	card->polls++;
	while (card->spin)
		card->spinning = true;
	if (card->block) {
		card->spinning = true;
		while (card->block)
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	card->spinning = false;
	if (card->work == 0)
		return (unsigned)seen;
	card->work--;
	return 1;
}

static uint64_t fake_deadline_ns(struct worker *worker, struct polled *polled)
{
	struct fake_card *card = (struct fake_card *)polled;

	(void)worker;
	return card->deadline_ns ? card->deadline_ns : UINT64_MAX;
}

static bool fake_arm(struct worker *worker, struct polled *polled)
{
	struct fake_card *card = (struct fake_card *)polled;

	(void)worker;
	for (unsigned i = 0; i < FRONTS; i++)
		card->front[i][1]++;
	card->arms++;
	return card->arm_says_work;
}

static void fake_disarm(struct worker *worker, struct polled *polled)
{
	struct fake_card *card = (struct fake_card *)polled;

	(void)worker;
	card->disarms++;
}

static bool fake_needs_poll(struct worker *worker, struct polled *polled)
{
	struct fake_card *card = (struct fake_card *)polled;

	(void)worker;
	return card->needs_poll;
}

static const struct polled_ops fake_ops = {
	.poll = fake_poll,
	.deadline_ns = fake_deadline_ns,
	.arm = fake_arm,
	.disarm = fake_disarm,
	.needs_poll = fake_needs_poll,
};

static struct workers *workers;
static struct fake_card *card;

static void sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

static int set_up(void **state)
{
	(void)state;
	struct refusal why = { 0 };

	card = calloc(1, sizeof(*card));
	card->polled.ops = &fake_ops;
	if (workers_create(&workers, 1, 0, &why) < 0) {
		fprintf(stderr, "# %s\n", why.text);
		return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	card->spin = card->block = false;
	workers_destroy(workers);
	free(card);
	return 0;
}

static pid_t worker_tid(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	pid_t found = 0;

	while ((entry = readdir(dir))) {
		char path[320], name[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (file && fgets(name, sizeof(name), file) && strcmp(name, "mp-worker-0\n") == 0)
			found = atoi(entry->d_name);
		if (file)
			fclose(file);
	}
	closedir(dir);
	return found;
}

static void the_environment_leaves_no_directory_and_keeps_the_affinity(void **state)
{
	char path[64];
	struct stat st;
	cpu_set_t set;

	snprintf(path, sizeof(path), "/var/run/dpdk/midplane-%d", (int)getpid());
	assert_int_not_equal(stat(path, &st), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	assert_int_equal(CPU_COUNT(&set), *(int *)*state);
}

static void a_card_is_polled_once_added_and_never_once_removed(void **state)
{
	(void)state;
	uint64_t polls;

	workers_add_card(workers, 0, &card->polled);
	sleep_ms(20);
	assert_true(card->polls > 0);
	assert_int_equal(workers_remove_card(workers, 0, &card->polled), 0);
	polls = card->polls;
	workers_wake(workers, 0);
	sleep_ms(20);
	assert_int_equal(card->polls, polls);
	assert_int_equal(workers_remove_card(workers, 0, &card->polled), -ENOENT);
}

static void adding_and_removing_under_load_never_leaves_the_worker_inside(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t polls;

		card->work = 1000000;
		workers_add_card(workers, 0, &card->polled);
		assert_int_equal(workers_remove_card(workers, 0, &card->polled), 0);
		polls = card->polls;
		sched_yield();
		assert_int_equal(card->polls, polls);
	}
}

static void time_never_goes_back_for_a_card(void **state)
{
	(void)state;
	card->work = 100000000;
	workers_add_card(workers, 0, &card->polled);
	sleep_ms(50);
	assert_false(card->went_back);
	/* right to half a millisecond, when the worker was not put aside just then */
	for (unsigned tries = 0; tries < 2000; tries++) {
		uint64_t seen = card->last_now_ns, now = clock_now_ns();

		if (now - seen < MS / 2 || seen - now < MS / 2)
			return;
		sleep_ms(1);
	}
	fail();
}

static void an_idle_worker_sleeps_and_still_beats(void **state)
{
	(void)state;
	struct worker_usage before, after;

	workers_add_card(workers, 0, &card->polled);
	sleep_ms(50);
	workers_usage(workers, 0, &before);
	sleep_ms(500);
	workers_usage(workers, 0, &after);
	fprintf(stderr, "# idle, lines wake: %llu sleeps and %.3f ms of CPU in 500 ms\n",
		(unsigned long long)(after.sleeps - before.sleeps),
		(double)(after.cpu_ns - before.cpu_ns) / 1e6);
	assert_in_range(after.sleeps - before.sleeps, 3, 20);
	assert_true(after.cpu_ns - before.cpu_ns < 5 * MS);
	assert_int_equal(workers_health(workers, 0, clock_now_ns(), 10 * MS), WORKER_WELL);
}

static void a_line_that_must_be_polled_costs_little_and_does_not_rearm(void **state)
{
	(void)state;
	struct worker_usage before, after;
	uint64_t arms, sleeps;

	card->needs_poll = true;
	workers_add_card(workers, 0, &card->polled);
	sleep_ms(50);
	arms = card->arms;
	workers_usage(workers, 0, &before);
	sleep_ms(500);
	workers_usage(workers, 0, &after);
	sleeps = after.sleeps - before.sleeps;
	fprintf(stderr, "# idle, line polled each ms, %d fronts: %llu wake-ups in 500 ms, %.0f ns of "
		"CPU each, %.2f %% of a core\n", FRONTS, (unsigned long long)sleeps,
		(double)(after.cpu_ns - before.cpu_ns) / (double)sleeps,
		(double)(after.cpu_ns - before.cpu_ns) / 5e6);
	assert_in_range(sleeps, 50, 700);
	assert_int_equal(card->arms, arms);
}

static void a_watched_descriptor_wakes_at_once_and_again_without_being_read(void **state)
{
	(void)state;
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t one = 1, worst = 0, best = UINT64_MAX;

	workers_add_card(workers, 0, &card->polled);
	assert_int_equal(workers_watch(workers, 0, fd), 0);
	for (unsigned i = 0; i < 5; i++) {
		uint64_t begin, polls, took;

		sleep_ms(5);
		polls = card->polls;
		begin = clock_now_ns();
		assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
		while (card->polls == polls && clock_now_ns() - begin < 200 * MS)
			sched_yield();
		took = clock_now_ns() - begin;
		worst = took > worst ? took : worst;
		best = took < best ? took : best;
	}
	fprintf(stderr, "# kick to poll, best and worst of 5: %.1f us, %.1f us\n",
		(double)best / 1e3, (double)worst / 1e3);
	assert_true(best < 20 * MS); /* without the descriptor it were 100 ms; the host may be busy */
	workers_unwatch(workers, 0, fd);
	close(fd);
}

static void a_deadline_of_a_card_ends_the_sleep(void **state)
{
	(void)state;
	uint64_t deadline = clock_now_ns() + 20 * MS;

	card->deadline_ns = deadline;
	workers_add_card(workers, 0, &card->polled);
	sleep_ms(10);
	while (card->last_now_ns < deadline && clock_now_ns() < deadline + 60 * MS)
		sleep_ms(1);
	card->deadline_ns = 0;
	assert_true(card->last_now_ns >= deadline);
	assert_true(card->last_now_ns < deadline + 60 * MS);
}

static void a_card_with_work_when_armed_keeps_the_worker_awake(void **state)
{
	(void)state;
	struct worker_usage usage;

	card->arm_says_work = true;
	workers_add_card(workers, 0, &card->polled);
	sleep_ms(20);
	workers_usage(workers, 0, &usage);
	assert_true(usage.sleeps <= 2); /* before the card was there */
	assert_true(card->arms > 0);
}

/* Asks every 2 ms for 'ms'; true when the answer was ever 'wanted'. */
static bool ever(enum worker_health wanted, unsigned ms)
{
	uint64_t end = clock_now_ns() + ms * MS;

	while (clock_now_ns() < end) {
		if (workers_health(workers, 0, clock_now_ns(), 10 * MS) == wanted)
			return true;
		sleep_ms(2);
	}
	return false;
}

static void wait_until_stuck_inside(void)
{
	for (unsigned i = 0; i < 2000 && !card->spinning; i++)
		sleep_ms(1);
	assert_true(card->spinning);
}

static void a_worker_that_spins_in_a_driver_is_stuck_and_well_when_it_comes_back(void **state)
{
	(void)state;
	uint64_t begin;

	workers_add_card(workers, 0, &card->polled);
	assert_false(ever(WORKER_STUCK, 30));
	card->spin = true;
	workers_wake(workers, 0);
	begin = clock_now_ns();
	assert_true(ever(WORKER_STUCK, 2000));
	fprintf(stderr, "# spinning driver found after %.1f ms (limit 10)\n",
		(double)(clock_now_ns() - begin) / 1e6);
	assert_int_equal(workers_remove_card(workers, 0, &card->polled), -EBUSY);
	card->spin = false;
	assert_true(ever(WORKER_WELL, 2000));
}

static void a_worker_that_is_blocked_in_a_driver_is_stuck(void **state)
{
	(void)state;
	uint64_t begin;

	workers_add_card(workers, 0, &card->polled);
	sleep_ms(5);
	card->block = true;
	workers_wake(workers, 0);
	begin = clock_now_ns();
	assert_true(ever(WORKER_STUCK, 2000));
	fprintf(stderr, "# blocked driver found after %.1f ms (limit 10)\n",
		(double)(clock_now_ns() - begin) / 1e6);
	assert_int_equal(workers_remove_card(workers, 0, &card->polled), -EBUSY);
}

static _Atomic bool hogs_stop;

static void *hog(void *arg)
{
	cpu_set_t *set = arg;

	sched_setaffinity(0, sizeof(*set), set);
	while (!hogs_stop)
		;
	return NULL;
}

/* The worker gets the idle class and one CPU with four that want all of it. */
static void a_worker_that_gets_no_cpu_is_starved_and_not_stuck(void **state)
{
	(void)state;
	struct sched_param none = { 0 };
	bool starved = false, stuck = false;
	pid_t tid = worker_tid();
	pthread_t hogs[4];
	uint64_t end;
	cpu_set_t set;

	assert_true(tid > 0);
	assert_int_equal(sched_getaffinity(tid, sizeof(set), &set), 0);
	assert_int_equal(sched_setscheduler(tid, SCHED_IDLE, &none), 0);
	card->work = 1000000000; /* always something to do */
	workers_add_card(workers, 0, &card->polled);
	hogs_stop = false;
	for (unsigned i = 0; i < 4; i++)
		pthread_create(&hogs[i], NULL, hog, &set);
	/* a longer limit than elsewhere: a virtual CPU that its host takes away counts as run */
	for (end = clock_now_ns() + 900 * MS; clock_now_ns() < end; sleep_ms(2)) {
		enum worker_health is = workers_health(workers, 0, clock_now_ns(), 50 * MS);

		starved |= is == WORKER_STARVED;
		stuck |= is == WORKER_STUCK;
	}
	hogs_stop = true;
	for (unsigned i = 0; i < 4; i++)
		pthread_join(hogs[i], NULL);
	card->work = 0;
	assert_true(starved);
	assert_false(stuck);
}

static void a_stuck_worker_is_left_behind_after_a_second(void **state)
{
	(void)state;
	uint64_t begin;

	workers_add_card(workers, 0, &card->polled);
	card->block = true;
	workers_wake(workers, 0);
	wait_until_stuck_inside();
	begin = clock_now_ns();
	workers_destroy(workers);
	assert_in_range((clock_now_ns() - begin) / MS, 900, 3000);
}

int main(void)
{
	struct eal_conf conf = { .name = "workers-test", .workers = 3, .memory_mb = 32 };
	struct refusal why = { 0 };
	uint64_t begin = clock_now_ns();
	cpu_set_t set;
	int cpus, err;

	sched_getaffinity(0, sizeof(set), &set);
	cpus = CPU_COUNT(&set);
	if (eal_start(&conf, &why) < 0) {
		fprintf(stderr, "# %s\n", why.text);
		return 1;
	}
	fprintf(stderr, "# eal_start: %.0f ms, memory: %s\n", (double)(clock_now_ns() - begin) / 1e6,
		eal_memory_kind());
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(the_environment_leaves_no_directory_and_keeps_the_affinity,
					  &cpus),
#define WITH_WORKER(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		WITH_WORKER(a_card_is_polled_once_added_and_never_once_removed),
		WITH_WORKER(adding_and_removing_under_load_never_leaves_the_worker_inside),
		WITH_WORKER(time_never_goes_back_for_a_card),
		WITH_WORKER(an_idle_worker_sleeps_and_still_beats),
		WITH_WORKER(a_line_that_must_be_polled_costs_little_and_does_not_rearm),
		WITH_WORKER(a_watched_descriptor_wakes_at_once_and_again_without_being_read),
		WITH_WORKER(a_deadline_of_a_card_ends_the_sleep),
		WITH_WORKER(a_card_with_work_when_armed_keeps_the_worker_awake),
		WITH_WORKER(a_worker_that_spins_in_a_driver_is_stuck_and_well_when_it_comes_back),
		WITH_WORKER(a_worker_that_is_blocked_in_a_driver_is_stuck),
		WITH_WORKER(a_worker_that_gets_no_cpu_is_starved_and_not_stuck),
		/* last: its lcore is not free for another */
		cmocka_unit_test_setup(a_stuck_worker_is_left_behind_after_a_second, set_up),
	};

	err = cmocka_run_group_tests(tests, NULL, NULL);
	eal_stop();
	return err;
}
