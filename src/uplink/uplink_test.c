/* Line ports of every kind that needs no hardware.  Those with a kernel interface run in a network
 * namespace of their own and need root; a silent port runs for everybody. */
#include "uplink/link_look.h"
#include "uplink/uplink.h"
#include "tests/check.h"

#include "base/bytes.h"
#include "os/clock.h"
#include "os/eal.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>

#define MS UINT64_C(1000000)

/* Patience is for what never comes. */
enum { MTU = 1500, TYPE_TEST = 0x88b5 /* IEEE 802: for experiments */, PATIENCE_MS = 60000 };

static uv_loop_t loop;
static bool have_namespace;
static unsigned changes;
static bool last_up;
static uint64_t last_change_ns;

static void on_link(void *owner, bool up)
{
	(void)owner;
	changes++;
	last_up = up;
	last_change_ns = clock_now_ns();
}

static int open_port(struct uplink **uplink, const char *device, struct refusal *why)
{
	struct uplink_conf conf = { .name = "card-1", .device = device, .mtu = MTU, .buffers = 1024,
				    .link_changed = on_link, .loop = &loop };

	memset(why, 0, sizeof(*why));
	return uplink_open(uplink, &conf, why);
}

static void must_open(struct uplink **uplink, const char *device)
{
	struct refusal why;

	if (open_port(uplink, device, &why) < 0)
		fail_msg("%s", why.text);
}

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

/* Runs the loop until 'wanted' changes were told. */
static void run_loop_until(unsigned wanted)
{
	uint64_t end = clock_now_ns() + PATIENCE_MS * MS;

	while (changes < wanted && clock_now_ns() < end) {
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(50);
	}
	assert_true(changes >= wanted);
}

/* The kernel tells of a carrier when it comes to that. */
static void wait_for_link(const char *interface, bool up)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (unsigned i = 0; link_is_running(fd, interface) != up; i++) {
		assert_true(i < PATIENCE_MS);
		usleep(1000);
	}
	close(fd);
}

#define SKIP_WITHOUT_NAMESPACE()                                                              \
	do {                                                                                  \
		if (!have_namespace) {                                                        \
			fprintf(stderr, "# skipped: no network namespace of our own; run as root\n"); \
			skip();                                                               \
		}                                                                             \
	} while (0)

static int packet_socket(const char *interface)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1;

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	setsockopt(fd, SOL_PACKET, 23 /* PACKET_IGNORE_OUTGOING */, &one, sizeof(one));
	return fd;
}

/* An untagged or tagged frame of our type, numbered. */
static uint32_t make_frame(uint8_t *bytes, unsigned vlan, unsigned number, uint32_t size)
{
	uint32_t at = 12;

	memset(bytes, 0, size);
	put_be48(bytes, 0x020000000001);
	put_be48(bytes + 6, 0x020000000002);
	if (vlan) {
		put_be16(bytes + at, 0x8100);
		put_be16(bytes + at + 2, (uint16_t)vlan);
		at += 4;
	}
	put_be16(bytes + at, TYPE_TEST);
	put_be32(bytes + at + 2, number);
	return size;
}

/* The next frame of our type from the line; NULL when none comes. */
static struct line_buf *receive_ours(struct line *line)
{
	uint64_t end = clock_now_ns() + PATIENCE_MS * MS;

	while (clock_now_ns() < end) {
		struct line_buf *buf;

		if (line->ops->receive(NULL, line, &buf, 1) == 0)
			continue;
		if (get_be16(buf->bytes + 12) == TYPE_TEST || get_be16(buf->bytes + 12) == 0x8100)
			return buf;
		line->ops->give(NULL, line, &buf, 1);
	}
	return NULL;
}

static void a_silent_port_opens_without_root_and_takes_what_it_is_sent(void **state)
{
	struct uplink_facts facts;
	struct line_buf *bufs[32];
	struct uplink *uplink;
	struct line *line;

	(void)state;
	must_open(&uplink, "net_null0");
	line = uplink_line(uplink);
	assert_true(uplink_link_up(uplink));
	assert_true(line->wakes);
	assert_int_equal(line->ops->receive(NULL, line, bufs, 32), 0);
	for (unsigned i = 0; i < 1000; i++) { /* more than there are buffers: they come back */
		assert_int_equal(line->ops->take(NULL, line, bufs, 32), 32);
		for (unsigned k = 0; k < 32; k++) {
			assert_true(bufs[k]->room >= MTU + 22);
			bufs[k]->size = make_frame(bufs[k]->bytes, 0, k, 60);
		}
		assert_int_equal(line->ops->send(NULL, line, bufs, 32), 32);
	}
	uplink_facts(uplink, &facts);
	assert_string_equal(facts.driver, "net_null");
	assert_string_equal(facts.interface, "");
	assert_int_equal(facts.tx_frames, 32000);
	assert_int_equal(facts.tx_bytes, 32000 * 60);
	uplink_close(uplink);
}

static void buffers_run_out_and_come_back(void **state)
{
	struct line_buf *bufs[16384];
	unsigned taken = 0, got;
	struct uplink *uplink;
	struct line *line;

	(void)state;
	must_open(&uplink, "net_null0");
	line = uplink_line(uplink);
	while ((got = line->ops->take(NULL, line, bufs + taken, 64)) > 0)
		taken += got;
	assert_in_range(taken, 1024, 16000);
	line->ops->give(NULL, line, bufs, taken);
	assert_int_equal(line->ops->take(NULL, line, bufs, 64), 64);
	line->ops->give(NULL, line, bufs, 64);
	uplink_close(uplink);
}

static void a_port_in_use_is_refused_and_can_be_opened_again_later(void **state)
{
	struct uplink *uplink, *other;
	struct refusal why;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		must_open(&uplink, "net_null7");
		assert_int_equal(open_port(&other, "net_null7", &why), -EBUSY);
		assert_non_null(strstr(why.text, "in use already"));
		uplink_close(uplink);
	}
}

struct drill {
	struct uplink *uplink;
	_Atomic bool began, ended;
};

static void *send_once(void *arg)
{
	struct drill *drill = arg;
	struct line *line = uplink_line(drill->uplink);
	struct line_buf *buf;

	drill->began = true;
	line->ops->receive(NULL, line, &buf, 1);
	drill->ended = true;
	return NULL;
}

static void a_hanging_port_does_not_return_until_let_go(void **state)
{
	struct drill drill = { 0 };
	pthread_t thread;

	(void)state;
	must_open(&drill.uplink, "net_null0");
	uplink_hang(drill.uplink, true);
	pthread_create(&thread, NULL, send_once, &drill);
	while (!drill.began)
		usleep(100);
	usleep(20000);
	assert_false(drill.ended);
	uplink_hang(drill.uplink, false);
	pthread_join(thread, NULL);
	assert_true(drill.ended);
	uplink_close(drill.uplink);
}

static void closing_lets_a_hanging_port_go_first(void **state)
{
	struct drill drill = { 0 };
	pthread_t thread;

	(void)state;
	must_open(&drill.uplink, "net_null0");
	uplink_hang(drill.uplink, true);
	pthread_create(&thread, NULL, send_once, &drill);
	while (!drill.began)
		usleep(100);
	usleep(5000);
	uplink_close(drill.uplink);
	pthread_join(thread, NULL);
}

static void a_missing_interface_is_named_with_those_that_exist(void **state)
{
	struct uplink *uplink;
	struct refusal why;

	(void)state;
	SKIP_WITHOUT_NAMESPACE();
	assert_int_equal(open_port(&uplink, "net_af_packet0,iface=eth9", &why), -ENODEV);
	assert_non_null(strstr(why.text, "interface 'eth9' does not exist; the interfaces are: lo"));
}

static void an_interface_with_a_smaller_mtu_is_refused_with_the_remedy(void **state)
{
	struct uplink *uplink;
	struct refusal why;

	(void)state;
	SKIP_WITHOUT_NAMESPACE();
	run("ip link set up0 mtu 1000");
	assert_int_equal(open_port(&uplink, "net_af_packet0,iface=up0", &why), -EMSGSIZE);
	assert_non_null(strstr(why.text, "ip link set up0 mtu 1500"));
	run("ip link set up0 mtu 1500");
}

static void an_xdp_port_on_an_interface_of_several_queues_is_refused(void **state)
{
	struct uplink *uplink;
	struct refusal why;

	(void)state;
	SKIP_WITHOUT_NAMESPACE();
	assert_int_equal(open_port(&uplink, "net_af_xdp0,iface=two0", &why), -EINVAL);
	assert_non_null(strstr(why.text, "over 2 queues"));
}

static void an_xdp_port_opens_with_hugepages_and_is_refused_without(void **state)
{
	struct uplink *uplink;
	struct refusal why;

	(void)state;
	SKIP_WITHOUT_NAMESPACE();
	if (strstr(eal_memory_kind(), "hugepages")) {
		must_open(&uplink, "net_af_xdp0,iface=one0");
		assert_true(uplink_use_wake_fd(uplink) >= 0);
		uplink_close(uplink);
		return;
	}
	assert_int_equal(open_port(&uplink, "net_af_xdp0,iface=one0", &why), -ENOMEM);
	assert_non_null(strstr(why.text, "needs hugepages"));
}

/* up0 is ours, far0 its other end. */
static void frames_go_both_ways_through_a_packet_port_tags_included(void **state)
{
	static const unsigned vlans[] = { 0, 7, 0, 4094 };
	int far;
	struct uplink *uplink;
	struct line *line;
	uint8_t bytes[MTU + 18];

	(void)state;
	SKIP_WITHOUT_NAMESPACE();
	must_open(&uplink, "net_af_packet0,iface=up0");
	line = uplink_line(uplink);
	far = packet_socket("far0");
	for (unsigned i = 0; i < array_len(vlans); i++) {
		uint32_t size = i % 2 ? sizeof(bytes) : 60;
		struct line_buf *buf;

		make_frame(bytes, vlans[i], i, size - (vlans[i] ? 0 : (size > 60 ? 4 : 0)));
		assert_int_equal(write(far, bytes, size), size);
		buf = receive_ours(line);
		assert_non_null(buf);
		assert_int_equal(buf->size, size);
		assert_memory_equal(buf->bytes, bytes, size);
		line->ops->give(NULL, line, &buf, 1);
	}
	for (unsigned i = 0; i < array_len(vlans); i++) {
		struct pollfd ready = { .fd = far, .events = POLLIN };
		struct line_buf *buf;
		uint8_t got[2048];

		assert_int_equal(line->ops->take(NULL, line, &buf, 1), 1);
		buf->size = make_frame(buf->bytes, vlans[i], i, 100);
		assert_int_equal(line->ops->send(NULL, line, &buf, 1), 1);
		do { /* the kernel's own chatter on a new interface is not ours */
			assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
			assert_true(read(far, got, sizeof(got)) > 0);
		} while (get_be48(got) != 0x020000000001);
		/* the socket of the far end strips the tag into ancillary data: what is left is told */
		assert_int_equal(get_be32(got + (get_be16(got + 12) == TYPE_TEST ? 14 : 18)), i);
	}
	close(far);
	uplink_close(uplink);
}

static void what_the_host_itself_sends_does_not_arrive_from_the_line(void **state)
{
	int near, far;
	struct uplink *uplink;
	struct line *line;
	uint8_t bytes[60];
	struct line_buf *buf;

	(void)state;
	SKIP_WITHOUT_NAMESPACE();
	must_open(&uplink, "net_af_packet0,iface=up0");
	line = uplink_line(uplink);
	near = packet_socket("up0");
	far = packet_socket("far0");
	make_frame(bytes, 0, 1, sizeof(bytes));
	assert_int_equal(write(near, bytes, sizeof(bytes)), sizeof(bytes));
	make_frame(bytes, 0, 2, sizeof(bytes));
	assert_int_equal(write(far, bytes, sizeof(bytes)), sizeof(bytes));
	buf = receive_ours(line);
	assert_non_null(buf);
	assert_memory_equal(buf->bytes, bytes, sizeof(bytes));
	line->ops->give(NULL, line, &buf, 1);
	close(near);
	close(far);
	uplink_close(uplink);
}

static void a_frame_that_is_longer_than_the_mtu_is_refused_and_counted(void **state)
{
	struct uplink_facts facts;
	static uint8_t bytes[3000];
	int far;
	struct uplink *uplink;
	struct line *line;
	struct line_buf *buf;

	(void)state;
	SKIP_WITHOUT_NAMESPACE();
	run("ip link set far0 mtu 4000; ip link set up0 mtu 4000");
	must_open(&uplink, "net_af_packet0,iface=up0");
	line = uplink_line(uplink);
	far = packet_socket("far0");
	make_frame(bytes, 0, 1, sizeof(bytes));
	assert_int_equal(write(far, bytes, sizeof(bytes)), sizeof(bytes));
	make_frame(bytes, 0, 2, 60);
	assert_int_equal(write(far, bytes, 60), 60);
	buf = receive_ours(line);
	assert_non_null(buf);
	assert_int_equal(buf->size, 60);
	assert_memory_equal(buf->bytes, bytes, 60);
	line->ops->give(NULL, line, &buf, 1);
	uplink_facts(uplink, &facts);
	assert_int_equal(facts.rx_errors, 1);
	assert_string_equal(facts.interface, "up0");
	close(far);
	uplink_close(uplink);
	run("ip link set far0 mtu 1500; ip link set up0 mtu 1500");
}

static void a_wake_descriptor_is_readable_when_a_frame_waits_and_not_before(void **state)
{
	struct pollfd ready = { .events = POLLIN };
	struct line_buf *bufs[64];
	struct uplink *uplink;
	struct line *line;
	uint8_t bytes[60];
	unsigned n;
	int far;

	(void)state;
	SKIP_WITHOUT_NAMESPACE();
	must_open(&uplink, "net_af_packet0,iface=up0");
	line = uplink_line(uplink);
	assert_false(line->wakes);
	ready.fd = uplink_use_wake_fd(uplink);
	assert_true(ready.fd >= 0);
	assert_true(line->wakes);
	far = packet_socket("far0");
	/* The kernel's own chatter on a new interface ends at some time. */
	for (unsigned i = 0; line->ops->arm(NULL, line); i++) {
		assert_true(i < PATIENCE_MS);
		while ((n = line->ops->receive(NULL, line, bufs, 64)) > 0)
			line->ops->give(NULL, line, bufs, n);
		usleep(1000);
	}
	make_frame(bytes, 0, 1, sizeof(bytes));
	assert_int_equal(write(far, bytes, sizeof(bytes)), sizeof(bytes));
	assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
	close(far);
	uplink_close(uplink);
}

static uint32_t offload(const char *interface, uint32_t command)
{
	struct ethtool_value value = { .cmd = command };
	struct ifreq request = { .ifr_data = (char *)&value };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &request), 0);
	close(fd);
	return value.data;
}

static void the_far_end_segments_itself_while_a_packet_port_is_open(void **state)
{
	struct uplink *uplink;

	(void)state;
	SKIP_WITHOUT_NAMESPACE();
	assert_int_equal(offload("far0", ETHTOOL_GTSO), 1);
	must_open(&uplink, "net_af_packet0,iface=up0");
	assert_int_equal(offload("far0", ETHTOOL_GTSO), 0);
	assert_int_equal(offload("up0", ETHTOOL_GGRO), 0);
	uplink_close(uplink);
	assert_int_equal(offload("far0", ETHTOOL_GTSO), 1);
}

static void set_gro(const char *interface, uint32_t on)
{
	struct ethtool_value value = { .cmd = ETHTOOL_SGRO, .data = on };
	struct ifreq request = { .ifr_data = (char *)&value };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &request), 0);
	close(fd);
}

static void coalescing_that_was_on_is_on_again_after_close(void **state)
{
	struct uplink *uplink;

	(void)state;
	SKIP_WITHOUT_NAMESPACE();
	set_gro("up0", 1);
	must_open(&uplink, "net_af_packet0,iface=up0");
	assert_int_equal(offload("up0", ETHTOOL_GGRO), 0);
	uplink_close(uplink);
	assert_int_equal(offload("up0", ETHTOOL_GGRO), 1);
	set_gro("up0", 0);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The far end goes down and up by ioctl, so that no other program's start is in the figure. */
static void the_loss_of_a_link_is_told_at_once(void **state)
{
	int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_name = "far0" };
	uint64_t took[20];
	struct uplink *uplink;

	(void)state;
	SKIP_WITHOUT_NAMESPACE();
	wait_for_link("up0", true);
	must_open(&uplink, "net_af_packet0,iface=up0");
	assert_true(uplink_link_up(uplink));
	changes = 0;
	for (unsigned i = 0; i < array_len(took); i++) {
		uint64_t begin;

		assert_int_equal(ioctl(control, SIOCGIFFLAGS, &request), 0);
		request.ifr_flags = (short)(request.ifr_flags & ~IFF_UP);
		begin = clock_now_ns();
		assert_int_equal(ioctl(control, SIOCSIFFLAGS, &request), 0);
		run_loop_until(2 * i + 1);
		assert_false(last_up);
		assert_false(uplink_link_up(uplink));
		took[i] = last_change_ns - begin;
		request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
		assert_int_equal(ioctl(control, SIOCSIFFLAGS, &request), 0);
		run_loop_until(2 * i + 2);
		assert_true(last_up);
	}
	qsort(took, array_len(took), sizeof(took[0]), compare);
	fprintf(stderr, "# far end taken down to callback, the ioctl included: median %.0f us, "
		"worst %.0f us of %zu\n", (double)took[10] / 1e3, (double)took[19] / 1e3,
		array_len(took));
	close(control);
	uplink_close(uplink);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void a_port_whose_interface_is_down_opens_with_its_link_down(void **state)
{
	struct uplink *uplink;

	(void)state;
	SKIP_WITHOUT_NAMESPACE();
	run("ip link set far0 down");
	wait_for_link("up0", false);
	must_open(&uplink, "net_af_packet0,iface=up0");
	assert_false(uplink_link_up(uplink));
	changes = 0;
	run("ip link set far0 up");
	run_loop_until(1);
	assert_true(uplink_link_up(uplink));
	uplink_close(uplink);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void a_tap_port_makes_its_interface_and_takes_it_away(void **state)
{
	struct uplink *uplink;
	struct refusal why;
	struct line *line;
	uint8_t bytes[60];
	struct line_buf *buf;
	int fd;

	(void)state;
	SKIP_WITHOUT_NAMESPACE();
	if (access("/dev/net/tun", R_OK | W_OK) < 0) {
		fprintf(stderr, "# skipped: /dev/net/tun cannot be opened\n");
		skip();
	}
	if (open_port(&uplink, "net_tap0,iface=mptest0", &why) < 0)
		fail_msg("%s", why.text);
	assert_int_not_equal(if_nametoindex("mptest0"), 0);
	line = uplink_line(uplink);
	fprintf(stderr, "# tap wake descriptor: %d\n", uplink_use_wake_fd(uplink));
	run("ip link set mptest0 up");
	fd = packet_socket("mptest0");
	make_frame(bytes, 9, 1, sizeof(bytes));
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	buf = receive_ours(line);
	assert_non_null(buf);
	assert_memory_equal(buf->bytes, bytes, sizeof(bytes));
	line->ops->give(NULL, line, &buf, 1);
	close(fd);
	uplink_close(uplink);
	assert_int_equal(if_nametoindex("mptest0"), 0);
}

static void a_tap_port_does_not_take_over_an_interface_that_exists(void **state)
{
	struct uplink *uplink;
	struct refusal why;

	(void)state;
	SKIP_WITHOUT_NAMESPACE();
	assert_int_equal(open_port(&uplink, "net_tap0,iface=up0", &why), -EEXIST);
	assert_non_null(strstr(why.text, "exists already"));
}

/* A namespace that ends with this process, and a pair of interfaces in it. */
static void make_namespace(void)
{
	static const char *const pairs[] = {
		"ip link add up0 type veth peer name far0",
		"ip link add two0 numrxqueues 2 numtxqueues 2 type veth peer name two1",
		("ip link add one0 numrxqueues 1 numtxqueues 1 type veth "
		 "peer name one1 numrxqueues 1 numtxqueues 1"),
		"for i in lo up0 far0 one0 one1; do ip link set $i up || exit 1; done",
	};

	have_namespace = unshare(CLONE_NEWNET) == 0;
	for (unsigned i = 0; have_namespace && i < array_len(pairs); i++)
		have_namespace = system(pairs[i]) == 0;
}

int main(void)
{
	struct eal_conf conf = { .name = "uplink-test", .workers = 1, .memory_mb = 128 };
	struct refusal why = { 0 };
	int failures;

	make_namespace(); /* before DPDK has threads */
	if (eal_start(&conf, &why) < 0) {
		fprintf(stderr, "# %s\n", why.text);
		return 1;
	}
	uv_loop_init(&loop);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_silent_port_opens_without_root_and_takes_what_it_is_sent),
		cmocka_unit_test(buffers_run_out_and_come_back),
		cmocka_unit_test(a_port_in_use_is_refused_and_can_be_opened_again_later),
		cmocka_unit_test(a_hanging_port_does_not_return_until_let_go),
		cmocka_unit_test(closing_lets_a_hanging_port_go_first),
		cmocka_unit_test(a_missing_interface_is_named_with_those_that_exist),
		cmocka_unit_test(an_interface_with_a_smaller_mtu_is_refused_with_the_remedy),
		cmocka_unit_test(an_xdp_port_on_an_interface_of_several_queues_is_refused),
		cmocka_unit_test(an_xdp_port_opens_with_hugepages_and_is_refused_without),
		cmocka_unit_test(frames_go_both_ways_through_a_packet_port_tags_included),
		cmocka_unit_test(what_the_host_itself_sends_does_not_arrive_from_the_line),
		cmocka_unit_test(a_frame_that_is_longer_than_the_mtu_is_refused_and_counted),
		cmocka_unit_test(a_wake_descriptor_is_readable_when_a_frame_waits_and_not_before),
		cmocka_unit_test(the_far_end_segments_itself_while_a_packet_port_is_open),
		cmocka_unit_test(coalescing_that_was_on_is_on_again_after_close),
		cmocka_unit_test(the_loss_of_a_link_is_told_at_once),
		cmocka_unit_test(a_port_whose_interface_is_down_opens_with_its_link_down),
		cmocka_unit_test(a_tap_port_makes_its_interface_and_takes_it_away),
		cmocka_unit_test(a_tap_port_does_not_take_over_an_interface_that_exists),
	};

	failures = cmocka_run_group_tests(tests, NULL, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
	failures += uv_loop_close(&loop) != 0;
	eal_stop();
	return failures;
}
