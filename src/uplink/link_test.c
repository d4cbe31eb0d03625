/* The link of a kernel interface, as rtnetlink tells it and as a worker sees it.  In a network
 * namespace of its own, which needs root. */
#include "uplink/link_ask.h"
#include "uplink/link_look.h"
#include "uplink/link_watch.h"
#include "tests/check.h"

#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_tun.h>

#define PATIENCE_NS UINT64_C(60000000000) /* for what never comes */
#define QUICK_NS    UINT64_C(500000000)	  /* less than what the kernel spaces news by */

enum { ATTEMPTS = 40 };

enum far { FAR_DOWN, FAR_UP };

static uv_loop_t loop;
static int control; /* a socket to set flags through */
static unsigned changes;
static bool last_up;

static void on_change(void *owner, bool up)
{
	(void)owner;
	changes++;
	last_up = up;
}

static void set_far(enum far far)
{
	struct ifreq request = { .ifr_name = "far0" };

	assert_int_equal(ioctl(control, SIOCGIFFLAGS, &request), 0);
	request.ifr_flags =
		(short)(far == FAR_UP ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
	assert_int_equal(ioctl(control, SIOCSIFFLAGS, &request), 0);
}

static void wait_until_running(bool running)
{
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;

	while (link_is_running(control, "up0") != running) {
		assert_true(clock_now_ns() < end_ns);
		usleep(50);
	}
}

static void run_loop_until(unsigned wanted)
{
	uint64_t end_ns = clock_now_ns() + PATIENCE_NS;

	while (changes < wanted) {
		assert_true(clock_now_ns() < end_ns);
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(50);
	}
}

static bool is_readable(int fd)
{
	struct pollfd ask = { .fd = fd, .events = POLLIN };

	return poll(&ask, 1, 0) > 0;
}

static void a_look_tells_of_each_loss_once_and_asks_no_more_often_than_it_says(void **state)
{
	uint64_t now_ns = LINK_LOOK_NS;
	struct link_look look;

	(void)state;
	wait_until_running(true);
	assert_int_equal(link_look_open(&look, "up0"), 0);
	for (unsigned i = 0; i < 3; i++) {
		wait_until_running(true);
		link_look(&look, now_ns += LINK_LOOK_NS);
		assert_false(is_readable(look.event_fd));
		set_far(FAR_DOWN);
		wait_until_running(false);
		link_look(&look, now_ns + LINK_LOOK_NS - 1);
		assert_false(is_readable(look.event_fd));
		link_look(&look, now_ns += LINK_LOOK_NS);
		assert_true(is_readable(look.event_fd));
		link_look_take(&look);
		link_look(&look, now_ns += LINK_LOOK_NS);
		assert_false(is_readable(look.event_fd));
		set_far(FAR_UP);
	}
	link_look_close(&look);
	link_look(&look, UINT64_MAX); /* nothing to look at any more */
}

static void an_interface_that_is_gone_is_left_to_rtnetlink(void **state)
{
	struct link_look look;

	(void)state;
	assert_int_equal(link_look_open(&look, "missing0"), 0);
	link_look(&look, LINK_LOOK_NS);
	assert_false(is_readable(look.event_fd));
	link_look_close(&look);
}

/* The news of a look comes before that of rtnetlink, after it, or twice. */
static void each_change_is_told_once_whoever_saw_it_first(void **state)
{
	struct link_watch *watch;

	(void)state;
	wait_until_running(true);
	assert_int_equal(link_watch_open(&watch, &loop, "up0", on_change, NULL), 0);
	assert_true(link_watch_up(watch));
	changes = 0;
	for (unsigned i = 0; i < 24; i++) {
		bool up = i % 2;

		set_far(up ? FAR_UP : FAR_DOWN);
		if (i / 2 % 3 == 0) {
			wait_until_running(up);
			link_watch_look(watch);
			assert_int_equal(changes, up ? i : i + 1);
		}
		run_loop_until(i + 1);
		link_watch_look(watch);
		for (unsigned k = 0; k < 20; k++)
			uv_run(&loop, UV_RUN_NOWAIT);
		assert_int_equal(changes, i + 1);
		assert_int_equal(last_up, up);
		assert_int_equal(link_watch_up(watch), up);
	}
	link_watch_close(watch);
	uv_run(&loop, UV_RUN_NOWAIT);
}

/* What rtnetlink has waiting was true when it was sent: "up" from before a loss is not believed. */
static void old_news_does_not_bring_a_lost_link_back(void **state)
{
	struct link_watch *watch;

	(void)state;
	wait_until_running(true);
	assert_int_equal(link_watch_open(&watch, &loop, "up0", on_change, NULL), 0);
	set_far(FAR_DOWN);
	run_loop_until(1);
	set_far(FAR_UP); /* its news waits unread ... */
	wait_until_running(true);
	set_far(FAR_DOWN); /* ... while the link goes again */
	wait_until_running(false);
	for (unsigned k = 0; k < 20; k++)
		uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(changes, 1);
	assert_false(link_watch_up(watch));
	set_far(FAR_UP);
	run_loop_until(2);
	assert_true(link_watch_up(watch));
	link_watch_close(watch);
	uv_run(&loop, UV_RUN_NOWAIT);
}

/* More news than the socket holds, while nobody reads. */
static void after_news_was_lost_more_is_heard(void **state)
{
	struct link_watch *watch;

	(void)state;
	wait_until_running(true);
	assert_int_equal(link_watch_open(&watch, &loop, "up0", on_change, NULL), 0);
	for (unsigned i = 0; i < 2000; i++)
		set_far(i % 2 ? FAR_UP : FAR_DOWN);
	wait_until_running(true);
	for (unsigned k = 0; k < 100; k++)
		uv_run(&loop, UV_RUN_NOWAIT);
	changes = 0;
	set_far(FAR_DOWN);
	run_loop_until(1);
	set_far(FAR_UP);
	run_loop_until(2);
	link_watch_close(watch);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static int open_tap(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	assert_true(tap >= 0);
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	assert_int_equal(ioctl(tap, TUNSETIFF, &request), 0);
	request.ifr_flags = IFF_UP;
	assert_int_equal(ioctl(control, SIOCSIFFLAGS, &request), 0);
	return tap;
}

static void set_carrier(int tap, int there)
{
	assert_int_equal(ioctl(tap, TUNSETCARRIER, &there), 0);
}

static unsigned news_of(void *owner)
{
	return link_watch_news(owner);
}

static void lost(void *owner)
{
	link_watch_lost(owner);
}

/* The kernel spaces news of carriers by a second.  Where the machine is late nothing is shown. */
static void a_carrier_lost_right_after_another_one_is_told_as_soon_as_the_driver_is_asked(
	void **state)
{
	int noise = open_tap("noise0"), tap = open_tap("tap0");
	struct link_ask_conf conf = {
		.interface = "tap0", .news = news_of, .lost = lost, .loop = &loop
	};
	struct link_watch *watch;
	struct link_ask *ask;
	uint64_t begin_ns, took_ns;
	unsigned quick = 0;

	(void)state;
	assert_int_equal(link_watch_open(&watch, &loop, "tap0", on_change, NULL), 0);
	conf.owner = watch;
	assert_int_equal(link_ask_open(&ask, &conf), 0);
	for (unsigned i = 0; i < 4 || (quick < 2 && i < ATTEMPTS); i++) {
		bool down = i % 2 == 0;

		set_carrier(noise, !down);
		usleep(50000); /* its news is told, and the next waits */
		begin_ns = clock_now_ns();
		set_carrier(tap, !down);
		while (changes < i + 1) {
			assert_true(clock_now_ns() - begin_ns < PATIENCE_NS);
			if (down)
				link_ask(ask);
			uv_run(&loop, UV_RUN_NOWAIT);
			usleep(1000);
		}
		assert_int_equal(last_up, !down);
		took_ns = clock_now_ns() - begin_ns;
		fprintf(stderr, "# carrier %s: told after %.1f ms\n", down ? "lost" : "back",
			(double)took_ns / 1e6);
		quick += down && took_ns < QUICK_NS;
	}
	assert_true(quick >= 2);
	link_ask(ask); /* still under way when it is closed */
	link_ask_close(ask);
	link_watch_close(watch);
	(void)close(tap);
	(void)close(noise);
	uv_run(&loop, UV_RUN_DEFAULT);
}

/* An answer from before the last news says nothing of what is so after it. */
static void an_answer_that_is_older_than_the_news_is_dropped(void **state)
{
	struct link_ask_conf conf = {
		.interface = "up0", .news = news_of, .lost = lost, .loop = &loop
	};
	struct link_watch *watch;
	struct link_ask *ask;

	(void)state;
	wait_until_running(true);
	assert_int_equal(link_watch_open(&watch, &loop, "up0", on_change, NULL), 0);
	conf.owner = watch;
	assert_int_equal(link_ask_open(&ask, &conf), 0);
	set_far(FAR_DOWN);
	run_loop_until(1);
	link_ask(ask);
	usleep(50000); /* it is answered: no carrier */
	set_far(FAR_UP);
	wait_until_running(true);
	run_loop_until(2);
	for (unsigned k = 0; k < 50; k++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	assert_int_equal(changes, 2);
	assert_true(link_watch_up(watch));
	link_ask_close(ask);
	link_watch_close(watch);
	uv_run(&loop, UV_RUN_DEFAULT);
}

/* The same for a worker that looks how often the carrier has changed: no driver is asked. */
static void a_look_at_the_count_tells_of_a_carrier_lost_right_after_another_one(void **state)
{
	int noise = open_tap("noise0"), tap = open_tap("tap0");
	struct link_watch *watch;
	struct link_look look;

	(void)state;
	assert_int_equal(link_watch_open(&watch, &loop, "tap0", on_change, NULL), 0);
	assert_int_equal(link_look_open(&look, "tap0"), 0);
	assert_true(link_look_counts(&look));
	for (unsigned i = 0; i < 4; i++) {
		bool down = i % 2 == 0;

		set_carrier(noise, !down);
		usleep(50000); /* its news is told, and the next waits */
		link_look(&look, look.next_ns);
		assert_false(is_readable(look.event_fd));
		set_carrier(tap, !down);
		link_look(&look, look.next_ns - 1);
		assert_false(is_readable(look.event_fd));
		link_look(&look, look.next_ns);
		assert_true(is_readable(look.event_fd));
		link_look_take(&look);
		link_watch_look(watch);
		assert_int_equal(changes, down ? i + 1 : i); /* of the return rtnetlink tells */
		run_loop_until(i + 1);
		assert_int_equal(last_up, !down);
	}
	link_look_close(&look);
	link_watch_close(watch);
	(void)close(tap);
	(void)close(noise);
	uv_run(&loop, UV_RUN_DEFAULT);
}

/* News that has nothing to do with the carrier, while the flags do not know yet that it is gone. */
static void other_news_does_not_bring_a_carrier_back_that_is_counted_as_gone(void **state)
{
	int noise = open_tap("noise0"), tap = open_tap("tap0");
	struct ifreq request = { .ifr_name = "tap0" };
	struct link_watch *watch;
	bool flags_were_late = false;

	(void)state;
	assert_int_equal(link_watch_open(&watch, &loop, "tap0", on_change, NULL), 0);
	for (unsigned i = 0; i < 6; i++) {
		set_carrier(noise, i % 2);
		usleep(50000);
		set_carrier(tap, 0);
		link_watch_look(watch);
		assert_false(link_watch_up(watch));
		request.ifr_mtu = 1400 + (int)i;
		assert_int_equal(ioctl(control, SIOCSIFMTU, &request), 0);
		flags_were_late |= link_is_running(control, "tap0");
		for (unsigned k = 0; k < 20; k++)
			uv_run(&loop, UV_RUN_NOWAIT);
		assert_int_equal(changes, 2 * i + 1);
		set_carrier(tap, 1);
		run_loop_until(2 * i + 2);
	}
	fprintf(stderr, "# the flags were %s\n", flags_were_late ? "late" : "never late");
	link_watch_close(watch);
	(void)close(tap);
	(void)close(noise);
	uv_run(&loop, UV_RUN_DEFAULT);
}

static void nothing_is_counted_where_sysfs_shows_another_namespace(void **state)
{
	struct link_count count;
	uint32_t n;

	(void)state;
	assert_int_equal(link_count_open(&count, "up0"), -ENOENT);
	assert_false(link_count_read(&count, &n));
}

static int forget_changes(void **state)
{
	(void)state;
	changes = 0;
	return 0;
}

/* From here on in a sysfs of this network namespace, whose counts are right.  What is private is
 * /sys alone:
 * "/" need not be a place where something is mounted, as in a chroot. */
static void count_changes(void)
{
	static bool mounted;

	mounted = mounted || (mount(NULL, "/sys", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
			      mount("sysfs", "/sys", "sysfs", 0, NULL) == 0);
	if (!mounted) {
		fprintf(stderr, "# skipped: no sysfs may be mounted here\n");
		skip(); /* which a set-up must not call: it would have failed */
	}
	changes = 0;
}

#define COUNTED(test)                            \
	static void test##_counted(void **state) \
	{                                        \
		count_changes();                 \
		test(state);                     \
	}

COUNTED(an_interface_that_is_gone_is_left_to_rtnetlink)
COUNTED(each_change_is_told_once_whoever_saw_it_first)
COUNTED(old_news_does_not_bring_a_lost_link_back)
COUNTED(a_look_at_the_count_tells_of_a_carrier_lost_right_after_another_one)
COUNTED(other_news_does_not_bring_a_carrier_back_that_is_counted_as_gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_counted_where_sysfs_shows_another_namespace),
		cmocka_unit_test(
			a_look_tells_of_each_loss_once_and_asks_no_more_often_than_it_says),
		cmocka_unit_test(an_interface_that_is_gone_is_left_to_rtnetlink),
		cmocka_unit_test_setup(each_change_is_told_once_whoever_saw_it_first,
				       forget_changes),
		cmocka_unit_test_setup(old_news_does_not_bring_a_lost_link_back, forget_changes),
		cmocka_unit_test(after_news_was_lost_more_is_heard),
		cmocka_unit_test_setup(
			a_carrier_lost_right_after_another_one_is_told_as_soon_as_the_driver_is_asked,
			forget_changes),
		cmocka_unit_test_setup(an_answer_that_is_older_than_the_news_is_dropped,
				       forget_changes),
		cmocka_unit_test(an_interface_that_is_gone_is_left_to_rtnetlink_counted),
		cmocka_unit_test(each_change_is_told_once_whoever_saw_it_first_counted),
		cmocka_unit_test(old_news_does_not_bring_a_lost_link_back_counted),
		cmocka_unit_test(
			a_look_at_the_count_tells_of_a_carrier_lost_right_after_another_one_counted),
		cmocka_unit_test(
			other_news_does_not_bring_a_carrier_back_that_is_counted_as_gone_counted),
	};
	int failures;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    system("ip link add up0 type veth peer name far0 && "
		   "ip link set up0 up && ip link set far0 up")) {
		/* With the TAP protocol meson takes an exit code of 77 for a failure. */
		printf("1..0 # SKIP no network namespace of our own; run as root\n");
		return 0;
	}
	control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uv_loop_init(&loop);
	failures = cmocka_run_group_tests(tests, NULL, NULL);
	(void)close(control);
	return failures + (uv_loop_close(&loop) != 0);
}
