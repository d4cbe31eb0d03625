/* Workers with cards that are fakes.
 *
 * How soon a thread runs is the scheduler's: what is waited for is the event itself, and what is
 * judged are the times and numbers that the worker itself had. */
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

enum { FRONTS = 64, PATIENCE_S = 60, CARDS = 16, ATTEMPTS = 300 };

/* Fails the test when it does not come at all. */
#define WAIT_UNTIL(condition)                                                             \
	for (uint64_t give_up_ns = clock_now_ns() + PATIENCE_S * 1000 * MS; !(condition); \
	     sleep_ms(1))                                                                 \
	assert_true(clock_now_ns() < give_up_ns)

struct fake_card {
	struct polled polled; /* first */
	_Atomic uint64_t polls, arms, disarms, last_now_ns;
	_Atomic unsigned work;        /* polls that shall report a frame */
	_Atomic bool spin, block;     /* stuck in the line's driver */
	_Atomic bool spinning;
	_Atomic bool needs_poll, arm_says_work, went_back;
	_Atomic uint64_t deadline_ns; /* 0: none */
	_Atomic uint64_t before_ns, at_ns; /* last poll before the deadline, first since; or 0 */
	_Atomic uint64_t shortest_ns; /* between two polls */
	_Atomic bool reads_clock;
	_Atomic unsigned right, wrong; /* polls at which the time was that of the clock, or not */
	_Atomic uint64_t front[FRONTS][8]; /* a cache line a front, as a ring's index is */
};

static void note_time(struct fake_card *card, uint64_t now_ns)
{
	uint64_t deadline_ns = card->deadline_ns, last_ns = card->last_now_ns;

	if (now_ns < last_ns)
		card->went_back = true;
	if (now_ns - last_ns < card->shortest_ns)
		card->shortest_ns = now_ns - last_ns;
	if (deadline_ns && now_ns < deadline_ns)
		card->before_ns = now_ns;
	else if (deadline_ns && card->at_ns == 0)
		card->at_ns = now_ns;
	card->last_now_ns = now_ns;
	if (!card->reads_clock)
		return;
	if (clock_now_ns() - now_ns + MS / 2 < MS)
		card->right++;
	else
		card->wrong++;
}

static unsigned fake_poll(struct worker *worker, struct polled *polled, uint64_t now_ns)
{
	struct fake_card *card = (struct fake_card *)polled;
	uint64_t seen = 0;

	(void)worker;
	note_time(card, now_ns);
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

/* What a worker was given stays: one that the host starves for a second is left behind, and ends
 * later. */
static struct fake_card cards[CARDS];
static struct workers *of_tests[CARDS];
static unsigned tests_begun;
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
	int err;

	assert_true(tests_begun < CARDS);
	card = &cards[tests_begun];
	card->polled.ops = &fake_ops;
	card->shortest_ns = UINT64_MAX;
	/* busy: the one before had no CPU yet to end */
	for (unsigned i = 0; (err = workers_create(&workers, 1, 0, &why)) == -EBUSY; i++) {
		assert_true(i < PATIENCE_S * 100);
		sleep_ms(10);
	}
	if (err < 0) {
		fprintf(stderr, "# %s\n", why.text);
		return -1;
	}
	of_tests[tests_begun++] = workers;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	card->spin = card->block = false;
	workers_destroy(workers);
	return 0;
}

static struct worker_usage usage(void)
{
	struct worker_usage now;

	workers_usage(workers, 0, &now);
	return now;
}

/* Takes the card away and returns when the worker has left it: true at once, false when it had no
 * CPU for that. */
static bool remove_card(void)
{
	int err = workers_remove_card(workers, 0, &card->polled);
	uint64_t rounds = usage().rounds;

	if (err == 0)
		return true;
	assert_int_equal(err, -EBUSY);
	WAIT_UNTIL(usage().rounds > rounds);
	return false;
}

/* Never for 'looks', one each 2 ms, with a limit that what a host takes from a virtual CPU does not
 * fill: that counts as run. */
static void is_never_stuck(unsigned looks)
{
	while (looks--) {
		assert_int_not_equal(workers_health(workers, 0, clock_now_ns(), WORKER_BEAT_NS / 2),
				     WORKER_STUCK);
		sleep_ms(2);
	}
}

static enum worker_health health(void)
{
	return workers_health(workers, 0, clock_now_ns(), 10 * MS);
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
	WAIT_UNTIL(card->polls > 0);
	(void)remove_card();
	polls = card->polls;
	workers_wake(workers, 0);
	sleep_ms(20);
	assert_int_equal(card->polls, polls);
	assert_int_equal(workers_remove_card(workers, 0, &card->polled), -ENOENT);
}

static void adding_and_removing_under_load_never_leaves_the_worker_inside(void **state)
{
	(void)state;
	unsigned left = 0;

	card->work = UINT32_MAX;
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t polls;

		workers_add_card(workers, 0, &card->polled);
		left += remove_card();
		polls = card->polls;
		sched_yield();
		assert_int_equal(card->polls, polls);
	}
	assert_true(left > 0);
}

static void time_never_goes_back_for_a_card_and_is_that_of_the_clock(void **state)
{
	(void)state;
	card->work = UINT32_MAX;
	card->reads_clock = true;
	workers_add_card(workers, 0, &card->polled);
	WAIT_UNTIL(card->polls >= 50000);
	assert_false(card->went_back);
	/* wrong where the worker was put aside between its look and ours */
	assert_true(card->wrong < card->right / 10);
}

static void an_idle_worker_sleeps_and_still_beats(void **state)
{
	(void)state;
	struct worker_usage before, after;
	uint64_t begin;

	workers_add_card(workers, 0, &card->polled);
	WAIT_UNTIL(card->arms > 0);
	before = usage();
	begin = clock_now_ns();
	is_never_stuck(100);
	/* In the midst of a sleep that began with its last poll, whatever the clock says meanwhile. */
	WAIT_UNTIL(workers_health(workers, 0, card->last_now_ns + WORKER_BEAT_NS / 2, 10 * MS) ==
		   WORKER_WELL);
	WAIT_UNTIL(usage().sleeps >= before.sleeps + 5);
	after = usage();
	fprintf(stderr, "# idle, lines wake: %llu sleeps and %.3f ms of CPU in %.0f ms\n",
		(unsigned long long)(after.sleeps - before.sleeps),
		(double)(after.cpu_ns - before.cpu_ns) / 1e6,
		(double)(clock_now_ns() - begin) / 1e6);
	assert_true(clock_now_ns() - begin >= 3 * (uint64_t)WORKER_BEAT_NS);
	assert_true(after.rounds - before.rounds <= 2 * (after.sleeps - before.sleeps));
}

static void a_line_that_must_be_polled_costs_little_and_does_not_rearm(void **state)
{
	(void)state;
	struct worker_usage before, after;
	uint64_t arms, sleeps, begin;

	card->needs_poll = true;
	workers_add_card(workers, 0, &card->polled);
	WAIT_UNTIL(card->arms > 0);
	before = usage();
	WAIT_UNTIL(usage().sleeps >= before.sleeps + 20); /* shorter ones come first */
	arms = card->arms;
	card->shortest_ns = UINT64_MAX;
	before = usage();
	begin = clock_now_ns();
	WAIT_UNTIL(usage().sleeps >= before.sleeps + 50);
	after = usage();
	sleeps = after.sleeps - before.sleeps;
	fprintf(stderr,
		"# idle, line polled each ms, %d fronts: %llu wake-ups in %.0f ms, %.0f ns of "
		"CPU each\n",
		FRONTS, (unsigned long long)sleeps, (double)(clock_now_ns() - begin) / 1e6,
		(double)(after.cpu_ns - before.cpu_ns) / (double)sleeps);
	assert_true(clock_now_ns() - begin >= 40 * (uint64_t)WORKER_IDLE_WAKE_NS);
	assert_true(after.rounds - before.rounds <= 2 * sleeps);
	/* It need not always be late. */
	WAIT_UNTIL(card->shortest_ns < WORKER_BEAT_NS / 2);
	assert_int_equal(card->arms, arms);
}

/* Rings once at a worker that sleeps; whether that ended the sleep, which would have ended a beat
 * after its last poll. */
static bool kick_wakes(int fd)
{
	uint64_t one = 1, last_ns, polls;

	sleep_ms(5); /* it polls on for a little */
	last_ns = card->last_now_ns;
	polls = card->polls;
	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
	WAIT_UNTIL(card->polls > polls);
	return card->last_now_ns < last_ns + WORKER_BEAT_NS;
}

static void a_watched_descriptor_wakes_at_once_and_again_without_being_read(void **state)
{
	(void)state;
	int fd = eventfd(0, EFD_NONBLOCK);
	unsigned woken = 0;

	workers_add_card(workers, 0, &card->polled);
	assert_int_equal(workers_watch(workers, 0, fd), 0);
	/* Where the worker gets its CPU a beat late, nothing was shown. */
	for (unsigned i = 0; i < ATTEMPTS && woken < 5; i++)
		woken += kick_wakes(fd);
	assert_int_equal(woken, 5);
	workers_unwatch(workers, 0, fd);
	close(fd);
}

/* Whether a sleep that would have lasted a beat ended with a deadline before. */
static bool deadline_wakes(void)
{
	uint64_t slept = usage().sleeps;

	card->before_ns = card->at_ns = 0;
	card->deadline_ns = clock_now_ns() + 20 * MS;
	workers_wake(workers, 0);
	WAIT_UNTIL(card->at_ns != 0);
	card->deadline_ns = 0;
	return card->before_ns && card->at_ns < card->before_ns + WORKER_BEAT_NS &&
	       usage().sleeps > slept;
}

static void a_deadline_of_a_card_ends_the_sleep(void **state)
{
	(void)state;
	bool woken = false;

	workers_add_card(workers, 0, &card->polled);
	WAIT_UNTIL(card->arms > 0);
	for (unsigned i = 0; i < ATTEMPTS && !woken; i++)
		woken = deadline_wakes();
	assert_true(woken);
}

static void a_card_with_work_when_armed_keeps_the_worker_awake(void **state)
{
	(void)state;
	struct worker_usage before;
	uint64_t arms;

	card->arm_says_work = true;
	workers_add_card(workers, 0, &card->polled);
	WAIT_UNTIL(card->arms > 0);
	before = usage();
	arms = card->arms;
	WAIT_UNTIL(card->arms >= arms + 20);
	assert_int_equal(usage().sleeps, before.sleeps);
}

static void a_worker_that_spins_in_a_driver_is_stuck_and_well_when_it_comes_back(void **state)
{
	(void)state;
	uint64_t begin;

	workers_add_card(workers, 0, &card->polled);
	is_never_stuck(15);
	card->spin = true;
	workers_wake(workers, 0);
	begin = clock_now_ns();
	WAIT_UNTIL(health() == WORKER_STUCK);
	fprintf(stderr, "# spinning driver found after %.1f ms (limit 10)\n",
		(double)(clock_now_ns() - begin) / 1e6);
	assert_true(card->spinning);
	assert_int_equal(workers_remove_card(workers, 0, &card->polled), -EBUSY);
	card->spin = false;
	WAIT_UNTIL(health() == WORKER_WELL);
}

static void a_worker_that_is_blocked_in_a_driver_is_stuck(void **state)
{
	(void)state;
	uint64_t begin;

	workers_add_card(workers, 0, &card->polled);
	WAIT_UNTIL(card->polls > 0);
	card->block = true;
	workers_wake(workers, 0);
	begin = clock_now_ns();
	WAIT_UNTIL(health() == WORKER_STUCK);
	fprintf(stderr, "# blocked driver found after %.1f ms (limit 10)\n",
		(double)(clock_now_ns() - begin) / 1e6);
	/* By where it is, not by the CPU time that it has had: of that there is little. */
	WAIT_UNTIL(workers_health(workers, 0, clock_now_ns() + 10000 * MS, 5000 * MS) == WORKER_STUCK);
	assert_true(card->spinning);
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
	uint64_t begin;
	cpu_set_t set;

	assert_true(tid > 0);
	assert_int_equal(sched_getaffinity(tid, sizeof(set), &set), 0);
	assert_int_equal(sched_setscheduler(tid, SCHED_IDLE, &none), 0);
	card->work = UINT32_MAX; /* always something to do */
	workers_add_card(workers, 0, &card->polled);
	hogs_stop = false;
	for (unsigned i = 0; i < 4; i++)
		pthread_create(&hogs[i], NULL, hog, &set);
	/* a longer limit than elsewhere: a virtual CPU that its host takes away counts as run */
	begin = clock_now_ns();
	for (unsigned looks = 0;
	     looks < 300 || (!starved && clock_now_ns() - begin < PATIENCE_S * 1000 * MS);
	     looks++) {
		enum worker_health is = workers_health(workers, 0, clock_now_ns(), 200 * MS);

		starved |= is == WORKER_STARVED;
		stuck |= is == WORKER_STUCK;
		sleep_ms(2);
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
	WAIT_UNTIL(card->spinning);
	begin = clock_now_ns();
	workers_destroy(workers);
	assert_true(clock_now_ns() - begin >= 900 * MS);
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
		WITH_WORKER(time_never_goes_back_for_a_card_and_is_that_of_the_clock),
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
