/* Two kernel interfaces in network namespaces of their own, with the smallest card between them. */
#include "attach/host_test.h"
#include "attach/kinds.h"
#include "tests/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Patience is for what never comes. */
enum { STREAM_BYTES = 16 << 20, PORT = 5001, PATIENCE_S = 60 };

/* Not "ip -n": that remounts, which a plain chroot does not let it do. */
#define IN_NETNS "nsenter --net=/run/netns/%s "

static char netns[2][32];

struct world {
	struct test_host host;
	struct attachment *a[2];
	struct site_io io[2];
};

static int run(const char *format, ...) printf_like(1, 2);

static int run(const char *format, ...)
{
	char command[256];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	return system(command);
}

static int plug(struct world *w, unsigned at, struct refusal *why)
{
	struct attach_conf conf = { .io = &w->io[at], .system = "s", .mtu = 1400,
				    .mac = 0x5254000000a0 + at };
	int err = attach_tap.create(&w->a[at], &w->host.host, &conf, why);

	if (!err)
		test_host_bind(&w->host, at, w->a[at]->ops->front(w->a[at]));
	return err;
}

static struct world *world_create(void)
{
	struct world *w = calloc(1, sizeof *w);

	test_host_init(&w->host);
	for (unsigned i = 0; i < 2; i++)
		w->io[i] = (struct site_io){ .interface = (char *)"mptap0", .netns = netns[i] };
	return w;
}

static void world_destroy(struct world *w)
{
	for (unsigned i = 0; i < 2; i++) {
		test_host_unbind(&w->host, i);
		if (w->a[i])
			w->a[i]->ops->destroy(w->a[i]);
		if (geteuid() == 0) /* gone with us */
			assert_int_not_equal(run(IN_NETNS "ip link show mptap0 >/dev/null 2>&1",
						 netns[i]), 0);
	}
	assert_int_equal(w->host.watches, 0);
	test_host_fini(&w->host);
	free(w);
}

static int set_up(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		snprintf(netns[i], sizeof netns[i], "mp-attach-%d-%u", (int)getpid(), i);
	if (geteuid() != 0 || access("/dev/net/tun", R_OK | W_OK) != 0)
		return 0;
	for (unsigned i = 0; i < 2; i++)
		if (run("ip netns del %s 2>/dev/null; ip netns add %s", netns[i], netns[i]))
			return -1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 && geteuid() == 0; i++)
		run("ip netns del %s 2>/dev/null", netns[i]);
	return 0;
}

static void need_root(void)
{
	if (geteuid() == 0 && access("/dev/net/tun", R_OK | W_OK) == 0)
		return;
	fprintf(stderr, "# skipped: needs root and /dev/net/tun\n");
	skip();
}

/* Waits until a command says so: the kernel tells of a carrier when it comes to that. */
static void wait_for(const char *command, const char *where)
{
	for (unsigned i = 0; run(command, where); i++) {
		assert_true(i < PATIENCE_S * 50);
		usleep(20000);
	}
}

/* Both interfaces up, with addresses. */
static struct world *world_start(void)
{
	struct world *w = world_create();
	struct refusal why = { 0 };

	for (unsigned i = 0; i < 2; i++) {
		if (plug(w, i, &why))
			fail_msg("%s", why.text);
		assert_int_equal(run(IN_NETNS "ip addr add 10.77.0.%u/24 dev mptap0", netns[i], i + 1),
				 0);
	}
	return w;
}

static int wait_pumping(struct world *w, pid_t child)
{
	int status = 0;

	while (waitpid(child, &status, WNOHANG) == 0)
		if (!test_host_round(&w->host))
			usleep(20);
	return status;
}

static pid_t spawn(const char *command)
{
	pid_t child = fork();

	if (child == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	return child;
}

static void the_interface_is_as_the_site_says_and_goes_with_us(void **state)
{
	struct world *w;
	struct attach_facts facts;

	(void)state;
	need_root();
	w = world_start();
	assert_int_equal(run(IN_NETNS "ip link show mptap0 | grep -q 'mtu 1400'", netns[1]), 0);
	assert_int_equal(run(IN_NETNS "ip link show mptap0 | grep -q 52:54:00:00:00:a1", netns[1]), 0);
	wait_for(IN_NETNS "ip link show mptap0 | grep -q LOWER_UP", netns[1]);
	w->host.fronts[1]->ops->set_link(NULL, w->host.fronts[1], false);
	wait_for(IN_NETNS "ip link show mptap0 | grep -q NO-CARRIER", netns[1]);
	w->host.fronts[1]->ops->set_link(NULL, w->host.fronts[1], true);
	wait_for(IN_NETNS "ip link show mptap0 | grep -q LOWER_UP", netns[1]);
	w->a[0]->ops->facts(w->a[0], &facts);
	assert_string_equal(facts.where, "mptap0");
	assert_string_equal(facts.state, "running");
	test_host_round(&w->host);
	assert_int_equal(w->host.watches, 2);
	world_destroy(w);
}

/* One by one: ping(8) waits for long only while none has been answered. */
static void two_namespaces_ping_each_other(void **state)
{
	struct world *w;
	char command[224];

	(void)state;
	need_root();
	w = world_start();
	snprintf(command, sizeof command,
		 IN_NETNS "sh -c 'for i in $(seq 20); do "
		 "ping -q -c 1 -s 1300 -W 60 10.77.0.2 || exit; done' >/dev/null",
		 netns[0]);
	assert_int_equal(wait_pumping(w, spawn(command)), 0);
	assert_true(counter_get(&w->host.fronts[0]->tx_frames) >= 20);
	assert_true(counter_get(&w->host.fronts[0]->rx_frames) >= 20);
	world_destroy(w);
}

static void enter(unsigned at)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/var/run/netns/%s", netns[at]);
	fd = open(path, O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		_exit(10);
	close(fd);
}

static void stream_in(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int on = 1, listening = socket(AF_INET, SOCK_STREAM, 0), fd;
	static char bytes[65536];
	uint64_t total = 0;
	ssize_t got;

	setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(listening, (struct sockaddr *)&at, sizeof at) || listen(listening, 1))
		_exit(11);
	fd = accept(listening, NULL, NULL);
	while ((got = read(fd, bytes, sizeof bytes)) > 0) {
		for (ssize_t i = 0; i < got; i++)
			if (bytes[i] != (char)((total + (uint64_t)i) % 251))
				_exit(12);
		total += (uint64_t)got;
	}
	_exit(total == STREAM_BYTES ? 0 : 13);
}

static void stream_out(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	static char bytes[65536];

	inet_pton(AF_INET, "10.77.0.2", &to.sin_addr);
	for (unsigned tries = 0; connect(fd, (struct sockaddr *)&to, sizeof to); tries++) {
		if (tries == PATIENCE_S * 10)
			_exit(14);
		usleep(100000);
		close(fd);
		fd = socket(AF_INET, SOCK_STREAM, 0);
	}
	for (uint64_t total = 0; total < STREAM_BYTES;) {
		size_t size = min_u64(sizeof bytes, STREAM_BYTES - total);
		ssize_t sent;

		for (size_t i = 0; i < size; i++)
			bytes[i] = (char)((total + i) % 251);
		sent = write(fd, bytes, size);
		if (sent <= 0)
			_exit(15);
		total += (uint64_t)sent;
	}
	_exit(0);
}

static void a_tcp_stream_arrives_whole_in_frames_larger_than_the_mtu(void **state)
{
	struct world *w;
	struct nic_front *front;
	pid_t in, out;

	(void)state;
	need_root();
	w = world_start();
	front = w->host.fronts[0];
	in = fork();
	if (in == 0) {
		enter(1);
		stream_in();
	}
	out = fork();
	if (out == 0) {
		enter(0);
		stream_out();
	}
	assert_int_equal(wait_pumping(w, out), 0);
	assert_int_equal(wait_pumping(w, in), 0);
	/* Segmentation was left undone: a frame carried more than the MTU, on the average. */
	assert_true(counter_get(&front->tx_bytes) / counter_get(&front->tx_frames) > 1400);
	world_destroy(w);
}

static void what_cannot_be_is_refused_with_the_reason(void **state)
{
	struct world *w = world_create(), *second = NULL;
	struct refusal why = { 0 };

	(void)state;
	w->io[0].interface = NULL;
	assert_int_equal(plug(w, 0, &why), -EINVAL);
	w->io[0].interface = (char *)"a-name-that-is-too-long";
	assert_int_equal(plug(w, 0, &why), -EINVAL);
	assert_string_equal(why.path, "interface");
	need_root();
	w->io[0].interface = (char *)"mptap0";
	w->io[0].netns = (char *)"mp-attach-none";
	assert_int_equal(plug(w, 0, &why), -ENOENT);
	assert_non_null(strstr(why.text, "no network namespace mp-attach-none"));
	w->io[0].netns = netns[0];
	assert_int_equal(plug(w, 0, &why), 0);
	second = world_create();
	assert_int_equal(plug(second, 0, &why), -EBUSY);
	assert_non_null(strstr(why.text, "in use"));
	assert_null(second->a[0]);
	test_host_fini(&second->host);
	free(second);
	world_destroy(w);
}

static void without_the_right_the_text_says_which_one(void **state)
{
	int status = 0;
	pid_t child;

	(void)state;
	need_root();
	child = fork();
	if (child == 0) {
		struct world *w = world_create();
		struct refusal why = { 0 };
		int err;

		w->io[0].netns = NULL;
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(1);
		err = plug(w, 0, &why);
		_exit(err && strstr(why.text, "run as root or with CAP_NET_ADMIN") ? 0 : 2);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

static void an_interface_that_is_deleted_stops_its_front(void **state)
{
	struct world *w;
	const char *text = "";

	(void)state;
	need_root();
	w = world_start();
	test_host_round(&w->host);
	assert_int_equal(run(IN_NETNS "ip link del mptap0", netns[0]), 0);
	for (unsigned i = 0; i < PATIENCE_S * 50 && !test_host_count(&w->host, "stopped", &text); i++) {
		test_host_round(&w->host);
		usleep(20000);
	}
	assert_non_null(strstr(text, "cannot be read any more"));
	world_destroy(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_interface_is_as_the_site_says_and_goes_with_us),
		cmocka_unit_test(two_namespaces_ping_each_other),
		cmocka_unit_test(a_tcp_stream_arrives_whole_in_frames_larger_than_the_mtu),
		cmocka_unit_test(what_cannot_be_is_refused_with_the_reason),
		cmocka_unit_test(without_the_right_the_text_says_which_one),
		cmocka_unit_test(an_interface_that_is_deleted_stops_its_front),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
